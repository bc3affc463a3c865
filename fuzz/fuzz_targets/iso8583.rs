//! Messages of ATM hosts.
#![no_main]

use wire::iso8583::{Framer, Prefix, decode, profile::request_of};

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let mut framer = Framer::new(Prefix::Binary);
    framer.push(octets);
    while let Ok(Some(message)) = framer.next_message() {
        if let Ok(read) = decode(&message) {
            let _ = request_of(&read.message);
        }
    }
});
