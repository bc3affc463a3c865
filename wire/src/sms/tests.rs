//! Text of short messages: tables, parts, reassembly, in three languages.

use proptest::prelude::*;

use super::tables::Shifts;
use super::*;

fn settings(urdu: bool, concatenation: Concatenation) -> TextSettings {
    TextSettings {
        urdu_tables: if urdu { UrduTables::On } else { UrduTables::Off },
        concatenation,
        parts_max: PARTS_LIMIT,
    }
}

fn decode(encoded: &Encoded) -> ReceivedText {
    let mut handset = Reassembler::default();
    let mut whole = None;
    for part in &encoded.parts {
        assert!(whole.is_none(), "whole before the last part");
        let data_coding = encoded.encoding.data_coding();
        let fragment = Fragment::read(data_coding, part.has_header, &part.octets, part.sar).unwrap();
        whole = handset.accept("8000", "923001234567", fragment, 0);
    }
    assert_eq!(handset.pending_count(), 0);
    whole.expect("the last part completes the message")
}

/// text | urdu tables | concatenation | encoding | parts
fn check(text: &str, urdu: bool, concatenation: Concatenation, expected: &str) {
    let encoded = encode(text, &settings(urdu, concatenation), 7).unwrap();
    let shown = format!("{} {}", encoded.encoding.name(), encoded.parts.len());
    assert_eq!(shown, expected, "{} characters of {text:?}", text.chars().count());
    assert_eq!(decode(&encoded).text, text);
}

#[test]
fn the_cheapest_encoding_is_taken() {
    use Concatenation::{Payload, Sar, Udh8, Udh16};
    check("", false, Udh8, "GSM-7 1");
    check(
        "Rs 100 received. Tax Rs 13.04, balance Rs 86.96.",
        false,
        Udh8,
        "GSM-7 1",
    );
    check(&"a".repeat(160), false, Udh8, "GSM-7 1");
    check(&"a".repeat(161), false, Udh8, "GSM-7 2");
    check(&"a".repeat(306), false, Udh8, "GSM-7 2");
    check(&"a".repeat(307), false, Udh8, "GSM-7 3");
    check(&"a".repeat(305), false, Udh16, "GSM-7 3");
    check(&"a".repeat(307), false, Sar, "GSM-7 3");
    check(&"a".repeat(307), false, Payload, "GSM-7 1");
    check(&"€".repeat(80), false, Udh8, "GSM-7 1");
    check(&"€".repeat(81), false, Udh8, "GSM-7 2");
    check("@£\n{}[]~\\^|€\u{c}", false, Udh8, "GSM-7 1");
    check(&"余".repeat(70), false, Udh8, "UCS-2 1");
    check(&"余".repeat(71), false, Udh8, "UCS-2 2");
    check(&"余".repeat(134), false, Udh8, "UCS-2 2");
    check(&"余".repeat(135), false, Udh8, "UCS-2 3");
    check(&"🙂".repeat(35), false, Udh8, "UCS-2 1");
    check(&"🙂".repeat(66), false, Udh8, "UCS-2 2");
    check(&"🙂".repeat(67), false, Udh8, "UCS-2 3");
    check(&"ا".repeat(71), false, Udh8, "UCS-2 2");
    check(&"ا".repeat(71), true, Udh8, "GSM-7 Urdu 1");
    check(&"ا".repeat(155), true, Udh8, "GSM-7 Urdu 1");
    check(&"ا".repeat(156), true, Udh8, "GSM-7 Urdu 2");
    check(&format!("{}۔", "ا".repeat(150)), true, Udh8, "GSM-7 Urdu 1");
    check("آپ کا بیلنس 86.96 روپے ہے۔", true, Udh8, "GSM-7 Urdu 1");
    // U+0626 has no place in the Urdu tables: nothing is lost, it goes as UCS-2.
    check("کئے گئے", true, Udh8, "UCS-2 1");
    check("a\0b", false, Udh8, "UCS-2 1");
    check("a\u{1b}b", true, Udh8, "UCS-2 1");
}

#[test]
fn the_urdu_tables_put_known_characters_at_known_places() {
    let both = Shifts {
        urdu_locking: true,
        urdu_single: true,
    };
    let check = |c: char, expected: &[u8]| {
        let septets = match both.septets(c) {
            Some(tables::Septets::One(septet)) => vec![septet],
            Some(tables::Septets::Escaped(septet)) => vec![tables::ESCAPE, septet],
            None => vec![],
        };
        assert_eq!(septets, expected, "{c:?}");
    };
    check('ا', &[0x00]);
    check('ث', &[0x10]);
    check('ص', &[0x40]);
    check('ں', &[0x50]);
    check('ے', &[0x5b]);
    check('\u{670}', &[0x7f]);
    check('a', &[0x61]);
    check('z', &[0x7a]);
    check('A', &[0x1b, 0x41]);
    check('۰', &[0x1b, 0x1c]);
    check('۹', &[0x1b, 0x25]);
    check('،', &[0x1b, 0x26]);
    check('۔', &[0x1b, 0x3f]);
    check('€', &[0x1b, 0x65]);
    check('é', &[]);
}

#[test]
fn isolates_go_where_they_have_a_place() {
    let text = "آپ کا بیلنس 86.96 روپے ہے";
    let ucs2 = prepare(text, &settings(false, Concatenation::Udh8), 1).unwrap();
    assert_eq!(decode(&ucs2).text, "آپ کا بیلنس \u{2066}86.96\u{2069} روپے ہے");
    let urdu = prepare(&isolate(text), &settings(true, Concatenation::Udh8), 1).unwrap();
    assert_eq!(
        (urdu.encoding.name(), decode(&urdu).text.as_str()),
        ("GSM-7 Urdu", text)
    );
    let english = prepare("Rs 86.96", &settings(false, Concatenation::Udh8), 1).unwrap();
    assert_eq!(decode(&english).text, "Rs 86.96");
}

#[test]
fn a_text_over_the_limit_is_refused() {
    let few = TextSettings {
        parts_max: 2,
        ..TextSettings::default()
    };
    assert!(encode(&"a".repeat(306), &few, 0).is_ok());
    assert_eq!(
        encode(&"a".repeat(307), &few, 0),
        Err(TextError::TooLong {
            needed: 3,
            allowed: 2
        })
    );
    let all = settings(false, Concatenation::Payload);
    assert!(encode(&"a".repeat(153 * 255), &all, 0).is_ok());
    assert!(encode(&"a".repeat(153 * 255 + 1), &all, 0).is_err());
}

#[test]
fn parts_may_come_in_any_order_twice_and_mixed() {
    let one = encode(&"a".repeat(400), &settings(false, Concatenation::Udh8), 1).unwrap();
    let two = encode(&"余".repeat(150), &settings(false, Concatenation::Sar), 2).unwrap();
    let mut handset = Reassembler::default();
    let mut texts = Vec::new();
    for (encoded, at) in [
        (&one, 2),
        (&two, 1),
        (&one, 0),
        (&two, 0),
        (&one, 2),
        (&two, 2),
        (&one, 1),
    ] {
        let part = &encoded.parts[at];
        let fragment = Fragment::read(
            encoded.encoding.data_coding(),
            part.has_header,
            &part.octets,
            part.sar,
        )
        .unwrap();
        texts.extend(handset.accept("8000", "92300", fragment, 0));
    }
    assert_eq!(
        texts
            .iter()
            .map(|t| (t.text.chars().count(), t.parts))
            .collect::<Vec<_>>(),
        [(150, 3), (400, 3)]
    );
}

#[test]
fn half_messages_do_not_fill_the_memory() {
    let mut handset = Reassembler::default();
    for reference in 0..u16::MAX {
        let place = ConcatenationReference {
            reference,
            total: 2,
            number: 1,
        };
        let fragment = Fragment::read(0, false, b"half", Some(place)).unwrap();
        assert_eq!(handset.accept("1", "2", fragment, u64::from(reference)), None);
    }
    assert!(handset.pending_count() <= REASSEMBLY_PENDING_MAX);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9 .,€{}@]{0,400}",
        "[ابپتٹجچحخدڈرڑزسشصضطظعغفقکگلمنںوہھءیے۔، 0-9]{0,300}",
        "[余额卢比充值成功🙂 0-9a-z]{0,200}",
        proptest::collection::vec(any::<char>(), 0..300).prop_map(String::from_iter),
    ]
}

fn any_concatenation() -> impl Strategy<Value = Concatenation> {
    prop_oneof![
        Just(Concatenation::Udh8),
        Just(Concatenation::Udh16),
        Just(Concatenation::Sar),
        Just(Concatenation::Payload)
    ]
}

proptest! {
    #[test]
    fn decoding_gives_the_text_back(
        text in any_text(), urdu in any::<bool>(), concatenation in any_concatenation(), reference in any::<u16>(),
    ) {
        let encoded = encode(&text, &settings(urdu, concatenation), reference).unwrap();
        prop_assert_eq!(decode(&encoded).text, text);
        for part in encoded.parts.iter().filter(|part| !part.in_payload) {
            let header = if part.has_header { usize::from(part.octets[0]) + 1 } else { 0 };
            let body = &part.octets[header..];
            let octets = match encoded.encoding {
                Encoding::Gsm7(_) => (body.len() * 7).div_ceil(8),
                Encoding::Ucs2 => body.len(),
            };
            prop_assert!(header + octets <= PART_OCTETS_MAX, "{} octets", header + octets);
            match encoded.encoding {
                Encoding::Gsm7(_) => prop_assert_ne!(body.last(), Some(&tables::ESCAPE)),
                Encoding::Ucs2 => prop_assert!(
                    body.chunks(2).last().is_none_or(|unit| unit[0] & 0xfc != 0xd8), "cut surrogate pair"
                ),
            }
        }
    }

    #[test]
    fn any_octets_are_read_without_panic(
        data_coding in any::<u8>(), has_header in any::<bool>(),
        octets in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        if let Ok(fragment) = Fragment::read(data_coding, has_header, &octets, None) {
            Reassembler::default().accept("1", "2", fragment, 0);
        }
    }

    #[test]
    fn isolating_changes_nothing_but_isolates(text in any_text()) {
        prop_assert_eq!(strip_isolates(&isolate(&text)), strip_isolates(&text));
        prop_assert_eq!(isolate(&isolate(&text)), isolate(&text));
    }
}
