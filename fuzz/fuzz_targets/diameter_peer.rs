//! A Diameter connection that is sent anything.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| wire::diameter::fuzz_peer(octets));
