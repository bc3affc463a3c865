//! Tests of the codec and the peer machine.

mod errors;
mod fuzzed;
mod peer;
mod round_trip;
mod vectors;

/// The octets of a checked-in hexadecimal vector; white space is ignored.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|octet| !octet.is_ascii_whitespace())
        .collect();
    assert!(digits.len().is_multiple_of(2), "odd number of digits in {text}");
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect("hexadecimal digits"))
        .collect()
}

pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A vector by name. They were written by another Diameter stack from what was observed of these clients.
pub(crate) fn vector(name: &str) -> Vec<u8> {
    unhex(match name {
        "open5gs_initial" => include_str!("tests/vectors/open5gs_initial.hex"),
        "open5gs_update" => include_str!("tests/vectors/open5gs_update.hex"),
        "open5gs_terminate" => include_str!("tests/vectors/open5gs_terminate.hex"),
        "kamailio_initial" => include_str!("tests/vectors/kamailio_initial.hex"),
        "kamailio_answered" => include_str!("tests/vectors/kamailio_answered.hex"),
        "kamailio_terminate" => include_str!("tests/vectors/kamailio_terminate.hex"),
        "sms_event" => include_str!("tests/vectors/sms_event.hex"),
        _ => panic!("no vector {name}"),
    })
}
