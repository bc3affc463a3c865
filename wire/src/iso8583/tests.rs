//! ISO 8583: the vector of the reference, every refusal, and any octets.

use super::profile::{Missing, Network, Request, code, request_of};
use super::*;
use proptest::prelude::*;

/// Vector I1 of the reference: a top-up of Rs 100.
const I1: &str = "02003238400108C18000500000000000010000090110000000012315000009016011061001006090100001\
23ATM00001BANKATM00000001025TOPUP   |923411728699|OP1586";

fn read(octets: &[u8]) -> Message {
    decode(octets).expect("a message").message
}

fn vector() -> Message {
    read(I1.as_bytes())
}

fn with(changes: &[(u8, &str)]) -> Message {
    let mut message = vector();
    for (number, value) in changes {
        assert!(message.set(*number, value), "{number} {value}");
    }
    message
}

fn refused(octets: &[u8]) -> Refused {
    decode(octets).expect_err("refused")
}

#[test]
fn the_vector_means_a_top_up_and_comes_back_as_it_was() {
    let message = vector();
    assert_eq!(I1.len(), 142);
    assert_eq!(String::from_utf8(message.encode()).unwrap(), I1);
    let Ok(Request::TopUp(top_up)) = request_of(&message) else {
        panic!("no top-up")
    };
    assert_eq!((top_up.amount_minor, top_up.currency), (10_000, 586));
    assert_eq!(
        (
            top_up.product.as_str(),
            top_up.msisdn.as_str(),
            top_up.reference.as_str()
        ),
        ("TOPUP", "923411728699", "OP1")
    );
    assert_eq!(
        (top_up.institution.as_str(), top_up.terminal.as_str()),
        ("100100", "ATM00001")
    );
    assert_eq!(
        top_up.key.as_str(),
        "0901100000.000123.100100.609010000123.ATM00001"
    );
}

#[test]
fn an_answer_repeats_what_identifies_and_nothing_private() {
    let answer = vector().answered(code::APPROVED);
    assert_eq!(answer.mti, Mti(210));
    assert_eq!(
        (answer.get(11), answer.get(39), answer.get(48)),
        (Some("000123"), Some("00"), None)
    );
    assert_eq!(Mti(201).answer(), Mti(210));
    assert_eq!(Mti(421).answer(), Mti(430));
    assert_eq!(Mti(800).answer(), Mti(810));
    assert_eq!(read(&answer.encode()), answer);
}

#[test]
fn a_reversal_names_its_original() {
    let mut advice = with(&[(90, "020000012309011000000000010010000000000000")]);
    advice.mti = Mti::REVERSAL;
    advice.set(11, "000124");
    let Ok(Request::Reversal(reversal)) = request_of(&advice) else {
        panic!("no reversal: {:?}", request_of(&advice))
    };
    let Ok(Request::TopUp(original)) = request_of(&vector()) else {
        panic!("no top-up")
    };
    assert_eq!(reversal.original, original.key);
    assert_eq!(read(&advice.encode()), advice, "a second bitmap");
    // Another bank's original, and one that is no top-up.
    for original in [
        "020000000109011000000000099999900000000000",
        "080000000109011000000000010010000000000000",
    ] {
        advice.set(90, original);
        assert_eq!(request_of(&advice), Err(Missing(90)), "{original}");
    }
}

#[test]
fn network_messages() {
    for (number, meaning) in [
        ("001", Ok(Request::Network(Network::SignOn))),
        ("002", Ok(Request::Network(Network::SignOff))),
        ("301", Ok(Request::Network(Network::Echo))),
        ("999", Err(Missing(70))),
    ] {
        let mut message = Message::new(Mti::NETWORK);
        message.set(7, "0901100000");
        message.set(11, "000001");
        message.set(70, number);
        assert_eq!(request_of(&read(&message.encode())), meaning);
    }
}

#[test]
fn what_is_missing_has_its_code() {
    for (changes, expected) in [
        (&[(3, "000000")][..], code::INVALID_TRANSACTION),
        (&[(4, "000000000000")], code::INVALID_AMOUNT),
        (&[(18, "5411")], code::FORMAT_ERROR),
        (&[(48, "TOPUP   |923411728699")], code::FORMAT_ERROR),
        (&[(48, "TOPUP   ||OP1")], code::FORMAT_ERROR),
        (&[(48, "TOPUP|923411728699|OP1|more")], code::FORMAT_ERROR),
    ] {
        let missing = request_of(&with(changes)).expect_err("refused");
        assert_eq!(missing.code(), expected, "{changes:?}");
    }
    let mut other = vector();
    other.mti = Mti(100);
    assert_eq!(
        request_of(&other).expect_err("refused").code(),
        code::INVALID_TRANSACTION
    );
}

/// A message with this element put in, as bytes that our own encoder would never make.
fn smuggled(number: u8, element: &str) -> Vec<u8> {
    let mut text = I1.to_owned();
    let bits = u64::from_str_radix(&text[4..20], 16).unwrap() | 1 << (64 - u32::from(number));
    text.replace_range(4..20, &format!("{bits:016X}"));
    // Before the first element with a higher number.
    let behind = [3u8, 4, 7, 11, 12, 13, 18, 32, 37, 41, 42, 48, 49];
    let lengths = [6usize, 12, 10, 6, 6, 4, 4, 8, 12, 8, 15, 28, 3];
    let at: usize = behind
        .iter()
        .zip(lengths)
        .filter(|(other, _)| **other < number)
        .map(|(_, length)| length)
        .sum();
    text.insert_str(20 + at, element);
    text.into_bytes()
}

#[test]
fn card_data_is_refused_and_nothing_of_it_is_kept() {
    for (number, element, told) in [
        (2, "164111111111111111", "4111111111111111"),
        (14, "3012", "3012"),
        (35, "374111111111111111=30121010000000000000", "4111111111111111"),
        (36, "0204111111111111111=301", "4111111111111111"),
        (45, "20B4111111111111111^AB", "4111111111111111"),
        (52, "0123456789ABCDEF", "0123456789ABCDEF"),
        (55, "0069F2608", "9F2608"),
    ] {
        let refused = refused(&smuggled(number, element));
        assert_eq!(refused.reason, Reason::CardData, "{number}");
        let answer = refused.echo.clone().unwrap().answered(code::FORMAT_ERROR);
        let octets = String::from_utf8(answer.encode()).unwrap();
        assert!(!octets.contains(told), "{number}: {octets}");
        assert_eq!(answer.get(11), Some("000123"), "{number}");
        assert!(!format!("{refused:?}").contains(told), "{number}");
    }
    // Also when the rest cannot be read.
    let mut broken = smuggled(2, "164111111111111111");
    broken.truncate(45);
    assert_eq!(refused(&broken).reason, Reason::CardData);
    assert!(!Message::new(Mti::REQUEST).set(2, "4111111111111111"));
}

#[test]
fn bad_messages_have_their_reason() {
    assert_eq!(refused(b"0200").reason, Reason::Length);
    assert_eq!(refused(&[b'0'; MESSAGE_BYTES_MAX + 1]).reason, Reason::Length);
    assert_eq!(
        refused(I1.replacen("0200", "02x0", 1).as_bytes()).reason,
        Reason::Type
    );
    assert_eq!(
        refused(I1.replacen("3238", "32G8", 1).as_bytes()).reason,
        Reason::Bitmap
    );
    assert_eq!(refused(&I1.as_bytes()[..100]).reason, Reason::Element(42));
    assert_eq!(refused(format!("{I1}x").as_bytes()).reason, Reason::Trailing);
    assert_eq!(refused(&smuggled(5, "000000000000")).reason, Reason::Unknown(5));
    assert_eq!(
        refused(I1.replacen("025TOPUP", "999TOPUP", 1).as_bytes()).reason,
        Reason::Element(48)
    );
    assert_eq!(
        refused(I1.replacen("500000", "5000x0", 1).as_bytes()).reason,
        Reason::Element(3)
    );
}

#[test]
fn a_code_covers_everything_before_it() {
    let message = vector();
    let mut covered = 0;
    let octets = message.encode_with(|before| {
        covered = before.len();
        Some("0123456789ABCDEF".to_owned())
    });
    let back = decode(&octets).unwrap();
    assert_eq!(
        (back.covered, back.message.get(64)),
        (covered, Some("0123456789ABCDEF"))
    );
    assert_eq!(back.covered, octets.len() - 16);
    assert_eq!(decode(I1.as_bytes()).unwrap().covered, 142);
    // With a second bitmap it stands at the very end; in the middle it would leave the rest open to changes.
    let advice = with(&[(90, "020000012309011000000000010010000000000000")]);
    let octets = advice.encode_with(|_| Some("0123456789ABCDEF".to_owned()));
    let back = decode(&octets).unwrap();
    assert_eq!(
        (back.covered, back.message.get(128)),
        (octets.len() - 16, Some("0123456789ABCDEF"))
    );
    let mut octets = String::from_utf8(advice.encode()).unwrap();
    let first = u64::from_str_radix(&octets[4..20], 16).unwrap() | 1;
    octets.replace_range(4..20, &format!("{first:016X}"));
    let at = octets.len() - 42;
    octets.insert_str(at, "0123456789ABCDEF");
    assert_eq!(refused(octets.as_bytes()).reason, Reason::Element(64));
}

#[test]
fn a_stream_is_cut_into_messages() {
    for prefix in [Prefix::Binary, Prefix::Digits] {
        let mut stream = framed(prefix, I1.as_bytes());
        stream.extend(framed(prefix, b""));
        stream.extend(framed(prefix, b"0800"));
        let mut framer = Framer::new(prefix);
        let mut messages = Vec::new();
        for piece in stream.chunks(7) {
            framer.push(piece);
            messages.extend(std::iter::from_fn(|| framer.next_message().unwrap()));
        }
        assert_eq!(messages, [I1.as_bytes().to_vec(), b"0800".to_vec()], "{prefix:?}");
    }
    let mut framer = Framer::new(Prefix::Binary);
    framer.push(&[0xff, 0xff]);
    assert_eq!(framer.next_message(), Err(FrameError::TooLong(65_535)));
    let mut framer = Framer::new(Prefix::Digits);
    framer.push(b"GET ");
    assert_eq!(framer.next_message(), Err(FrameError::NotANumber));
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(read) = decode(&octets) {
            prop_assert!(read.covered <= octets.len());
            let _ = request_of(&read.message);
        }
    }

    #[test]
    fn a_changed_octet_never_brings_card_data_in(place in 0usize..142, byte in any::<u8>()) {
        let mut octets = I1.as_bytes().to_vec();
        octets[place] = byte;
        if let Ok(read) = decode(&octets) {
            for number in [2, 14, 35, 36, 45, 52, 55] {
                prop_assert_eq!(read.message.get(number), None);
            }
        }
    }

    #[test]
    fn what_is_encoded_is_read_again(
        stan in "[0-9]{6}", reference in "[A-Z0-9]{12}", private in "[ -~]{0,200}", institution in "[0-9]{1,11}",
        original in proptest::option::of("[0-9]{42}"),
    ) {
        let mut message = vector();
        for (number, value) in [(11, &stan), (37, &reference), (48, &private), (32, &institution)] {
            prop_assert!(message.set(number, value));
        }
        if let Some(original) = original {
            prop_assert!(message.set(90, &original));
        }
        prop_assert_eq!(read(&message.encode()), message);
    }

    #[test]
    fn any_stream_ends_or_is_cut(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..20)) {
        let mut framer = Framer::new(Prefix::Binary);
        for piece in pieces {
            framer.push(&piece);
            while let Ok(Some(message)) = framer.next_message() {
                prop_assert!(message.len() <= MESSAGE_BYTES_MAX);
            }
        }
    }
}
