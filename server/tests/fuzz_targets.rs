//! The fuzz targets on stable: what `cargo fuzz` would run is compiled here, and run on octets that are the same each time.

extern crate self as libfuzzer_sys;

#[allow(unused_attributes)]
#[path = "../../fuzz/fuzz_targets/catalog.rs"]
mod catalog;
#[allow(unused_attributes)]
#[path = "../../fuzz/fuzz_targets/diameter_message.rs"]
mod diameter_message;
#[allow(unused_attributes)]
#[path = "../../fuzz/fuzz_targets/diameter_peer.rs"]
mod diameter_peer;
#[allow(unused_attributes)]
#[path = "../../fuzz/fuzz_targets/iso8583.rs"]
mod iso8583;
#[allow(unused_attributes)]
#[path = "../../fuzz/fuzz_targets/journal.rs"]
mod journal;
#[allow(unused_attributes)]
#[path = "../../fuzz/fuzz_targets/smpp.rs"]
mod smpp;
#[allow(unused_attributes)]
#[path = "../../fuzz/fuzz_targets/ussd.rs"]
mod ussd;

/// Stands for the macro of libfuzzer-sys: the body of a target as a function.
#[macro_export]
macro_rules! fuzz_target {
    (|$input:ident: $kind:ty| $body:expr) => {
        pub fn run(octets: &[u8]) {
            if let Some($input) = <$kind as $crate::Input>::of(octets) {
                $body
            }
        }
    };
}

/// What a target takes, read from octets as libfuzzer-sys reads it.
trait Input<'a>: Sized {
    fn of(octets: &'a [u8]) -> Option<Self>;
}

impl<'a> Input<'a> for &'a [u8] {
    fn of(octets: &'a [u8]) -> Option<Self> {
        Some(octets)
    }
}

impl<'a> Input<'a> for &'a str {
    fn of(octets: &'a [u8]) -> Option<Self> {
        std::str::from_utf8(octets).ok()
    }
}

/// Nothing, noise, and files of ours: whole, cut, and with an octet changed.
fn inputs() -> Vec<Vec<u8>> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    let mut inputs = vec![Vec::new()];
    for length in (1..400).step_by(7) {
        inputs.push((0..length).map(|_| random().to_le_bytes()[0]).collect());
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for file in ["store/tests/golden/journal-1.bin", "catalog/zong.toml"] {
        let whole = std::fs::read(root.join(file)).unwrap();
        for _ in 0..20 {
            let mut cut = whole[random() % whole.len()..].to_vec();
            cut.truncate(1 + random() % cut.len());
            inputs.push(cut);
            let mut changed = whole.clone();
            changed[random() % whole.len()] ^= 1 << (random() % 7);
            inputs.push(changed);
        }
        inputs.push(whole);
    }
    inputs
}

#[test]
fn every_target_takes_anything() {
    for octets in inputs() {
        for target in [
            catalog::run,
            diameter_message::run,
            diameter_peer::run,
            iso8583::run,
            journal::run,
            smpp::run,
            ussd::run,
        ] {
            target(&octets);
        }
    }
}
