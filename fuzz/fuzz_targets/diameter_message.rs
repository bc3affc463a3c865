//! One Diameter message through every typed view.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    wire::diameter::fuzz_framer(octets);
    wire::diameter::fuzz_message(octets);
});
