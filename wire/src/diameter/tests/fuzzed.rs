//! No octets make a decoder panic or work without bound.

use proptest::prelude::*;

use super::vector;
use crate::diameter::fuzz::{fuzz_framer, fuzz_message, fuzz_peer};

const VECTORS: [&str; 4] = [
    "open5gs_update",
    "kamailio_initial",
    "sms_event",
    "open5gs_terminate",
];

proptest! {
    #[test]
    fn any_octets(octets in proptest::collection::vec(any::<u8>(), 0..512)) {
        fuzz_message(&octets);
        fuzz_framer(&octets);
        fuzz_peer(&octets);
    }

    #[test]
    fn any_body_behind_a_good_header(body in proptest::collection::vec(any::<u8>(), 0..512)) {
        let mut frame = vector("open5gs_initial")[..20].to_vec();
        frame.extend_from_slice(&body);
        frame.resize(frame.len() / 4 * 4, 0);
        let octets = (frame.len() as u32).to_be_bytes();
        frame[1..4].copy_from_slice(&octets[1..]);
        fuzz_message(&frame);
    }

    #[test]
    fn damaged_vectors(
        which in 0..VECTORS.len(),
        damage in proptest::collection::vec((20..400_usize, any::<u8>()), 1..6),
    ) {
        let mut frame = vector(VECTORS[which]);
        for (at, octet) in damage {
            frame[at] = octet;
        }
        fuzz_message(&frame);
        fuzz_framer(&frame);
        fuzz_peer(&frame);
    }

    /// Nearly a P-Access-Network-Info, and anything behind it.
    #[test]
    fn any_access_network_is_harmless(
        head in "(3GPP-(GERAN|UTRAN-FDD|E-UTRAN-TDD|NR)?;? ?(cgi-3gpp|utran-cell-id-3gpp)?=?\"?)?",
        value in "[0-9a-fA-F]{0,24}|\\PC{0,40}",
        tail in "(;network-provided|,|\"|;)?",
    ) {
        fuzz_message(format!("{head}{value}{tail}").as_bytes());
    }
}

#[test]
fn the_deepest_nesting_is_read_in_bounded_work() {
    // 64 KiB of groups inside groups: the frame that ends the process in a recursive decoder.
    let mut frame = vector("open5gs_initial")[..20].to_vec();
    let total = crate::diameter::limits::MESSAGE_OCTETS_MAX;
    let mut left = total - 20;
    while left >= 8 {
        frame.extend_from_slice(&456_u32.to_be_bytes());
        frame.extend_from_slice(&(0x4000_0000 | left as u32).to_be_bytes());
        left -= 8;
    }
    frame.resize(total, 0);
    frame[1..4].copy_from_slice(&(total as u32).to_be_bytes()[1..]);
    fuzz_message(&frame);
    fuzz_framer(&frame);
}
