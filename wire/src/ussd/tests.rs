//! Vectors of real parts, what fits, and any octets at all.

use proptest::prelude::*;

use super::euse::{Euse, EuseConfig, EuseEvent};
use super::gsup::{Kind, Message, State};
use super::map::{Body, Component, MapError, PROCESS_UNSTRUCTURED_SS, UNSTRUCTURED_SS};
use super::page::{self, Alphabet, PageError};
use super::{DIALOGUES_MAX, PAGE_SEPTETS_MAX, PAGE_UNITS_MAX, fits, ipa, pages};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

/// As seen between osmo-hlr and a real entity: `*112#` begins.
const BEGIN: &str = "002eee 05 20 01 08 00010100000000f1 30 04 20000001 31 01 01 35 14 \
                     a11202010502013b300a04010f0405aa584c3602 0a 01 03";
/// The phone's answer "1" to a page with invoke id 1.
const TYPED: &str = "002cee 05 20 01 08 00010100000000f1 30 04 20000001 31 01 02 35 12 \
                     a210020101300b02013c300604010f040131 0a 01 03";
const IMSI: &str = "001010000000001";

fn ready() -> Euse {
    let mut euse = Euse::new(EuseConfig::named("EUSE-raseed-00-00-00-00-00-00"), 0);
    euse.handle_input(&hex("0001 fe 04"), 1);
    let identity = euse.poll_transmit().unwrap();
    assert_eq!(
        &identity[2..9],
        &hex("fe 05 001f 01 45 55")[..],
        "{identity:02x?}"
    );
    assert_eq!(euse.poll_transmit(), Some(hex("0001 fe 06")));
    euse.handle_input(&hex("0001 fe 06"), 2);
    assert_eq!(euse.poll_event(), Some(EuseEvent::Ready));
    euse
}

#[test]
fn the_vectors_of_a_real_hlr_are_read_and_written() {
    let mut euse = ready();
    euse.handle_input(&hex("0001 fe 00"), 3);
    assert_eq!(euse.poll_transmit(), Some(hex("0001 fe 01")), "ping is answered");
    euse.handle_input(&hex(BEGIN), 4);
    let begun = EuseEvent::Begun {
        dialogue: 0x2000_0001,
        imsi: IMSI.to_owned(),
        text: "*112#".to_owned(),
    };
    assert_eq!(euse.poll_event(), Some(begun));
    assert!(euse.answer(0x2000_0001, "Menu", false, 5));
    let page = euse.poll_transmit().unwrap();
    let message = Message::decode(&page[4..]).unwrap();
    assert_eq!((message.kind, message.state), (Kind::Request, State::Continue));
    let component = Component::decode(&message.component).unwrap();
    assert_eq!(
        component,
        Component {
            invoke: 6,
            body: Body::Invoke {
                operation: UNSTRUCTURED_SS,
                text: "Menu".to_owned()
            }
        }
    );
    // The same as the phone would answer invoke 6.
    let mut typed = hex(TYPED);
    let at = typed.len() - 17;
    assert_eq!(typed[at], 1);
    typed[at] = 6;
    euse.handle_input(&typed, 6);
    let said = EuseEvent::Typed {
        dialogue: 0x2000_0001,
        text: "1".to_owned(),
    };
    assert_eq!(euse.poll_event(), Some(said));
    euse.handle_input(&hex(TYPED), 7);
    assert_eq!(euse.poll_event(), None, "an answer to another page is none");
    assert!(euse.answer(0x2000_0001, "Rs 86.96", true, 8));
    let last = euse.poll_transmit().unwrap();
    let message = Message::decode(&last[4..]).unwrap();
    assert_eq!((message.kind, message.state), (Kind::Result, State::End));
    assert_eq!(
        &last[..27],
        &hex("0032ee 05 22 01 08 00010100000000f1 30 04 20000001 31 01 03 35 18 a2")[..],
        "{last:02x?}"
    );
    assert_eq!(euse.dialogues(), 0);
    assert!(!euse.answer(0x2000_0001, "late", true, 9));
}

#[test]
fn components_of_the_reference() {
    let begin = Component::decode(&hex("a11202010502013b300a04010f0405aa584c3602")).unwrap();
    assert_eq!(
        begin.body,
        Body::Invoke {
            operation: PROCESS_UNSTRUCTURED_SS,
            text: "*112#".to_owned()
        }
    );
    assert_eq!(
        begin.encode().unwrap(),
        hex("a11202010502013b300a04010f0405aa584c3602")
    );
    let typed = Component::decode(&hex("a210020101300b02013c300604010f040131")).unwrap();
    assert_eq!(
        typed.body,
        Body::Result {
            answer: Some((UNSTRUCTURED_SS, "1".to_owned()))
        }
    );
    assert_eq!(
        typed.encode().unwrap(),
        hex("a210020101300b02013c300604010f040131")
    );
    for bad in [
        "",
        "a1",
        "a180",
        "a100",
        "a11202010502013b300a04010f0405aa584c3602 00",
        "a11302010502013b300a04010f0405aa584c3602",
        "a1120201050201 3b300a04010f0406aa584c3602",
        "a1810c02010502013b300a04010f0405",
        "a1120401050201 3b300a04010f0405aa584c3602",
        "a11202010502013b310a04010f0405aa584c3602",
        "a112020105 02013b300a04011f0405aa584c3602",
        "a2030201 05ff",
    ] {
        assert!(Component::decode(&hex(bad)).is_err(), "{bad}");
    }
    let long = Component {
        invoke: 1,
        body: Body::Invoke {
            operation: UNSTRUCTURED_SS,
            text: "x".repeat(182),
        },
    };
    assert_eq!(Component::decode(&long.encode().unwrap()).unwrap(), long);
    let too_long = Component {
        invoke: 1,
        body: Body::Invoke {
            operation: UNSTRUCTURED_SS,
            text: "x".repeat(183),
        },
    };
    assert_eq!(too_long.encode(), Err(MapError::Text(PageError::TooLong)));
}

#[test]
fn a_page_holds_182_or_80_characters() {
    assert!(fits(&"x".repeat(PAGE_SEPTETS_MAX)) && !fits(&"x".repeat(PAGE_SEPTETS_MAX + 1)));
    assert!(
        fits(&"€".repeat(91)) && !fits(&"€".repeat(92)),
        "extension characters count twice"
    );
    assert!(fits(&"余".repeat(PAGE_UNITS_MAX)) && !fits(&"余".repeat(PAGE_UNITS_MAX + 1)));
    for text in [
        "x".repeat(182),
        "€".repeat(91),
        "پ".repeat(80),
        "1234567".into(),
        "12345678".into(),
        "@@@@@@@".into(),
    ] {
        let (dcs, octets) = page::encode(&text).unwrap();
        assert!(octets.len() <= super::STRING_OCTETS_MAX);
        assert_eq!(page::decode(dcs, &octets).unwrap(), text);
    }
}

#[test]
fn long_texts_are_cut_between_lines_and_words() {
    let lines: Vec<String> = (1..=30).map(|n| format!("{n}. Weekly bundle {n}")).collect();
    let cut = pages(&lines.join("\n"), "98 More");
    assert!(cut.len() > 2);
    for (index, page) in cut.iter().enumerate() {
        assert!(fits(page), "{page}");
        assert_eq!(page.ends_with("\n98 More"), index + 1 < cut.len(), "{page}");
    }
    let joined: Vec<&str> = cut
        .iter()
        .flat_map(|page| page.lines())
        .filter(|line| *line != "98 More")
        .collect();
    assert_eq!(joined, lines, "nothing is lost and no line is broken");
    let words = pages(&"word ".repeat(80), "98 More");
    assert!(words.iter().all(|page| fits(page) && !page.contains("wor\n")));
    let chinese = pages(&"余额".repeat(100), "98 更多");
    assert!(chinese.iter().all(|page| fits(page)));
    assert_eq!(chinese.concat().matches("余额").count(), 100, "{chinese:?}");
    assert_eq!(pages("short", "98 More"), ["short"]);
    let urdu = format!("{}\u{2066}2026-11-21\u{2069}", "بیلنس ".repeat(12));
    for page in pages(&urdu, "98 مزید") {
        assert!(fits(&page));
        assert_eq!(page.matches('\u{2066}').count(), page.matches('\u{2069}').count());
    }
    assert_eq!(Alphabet::of("Rs 5"), Alphabet::Gsm7);
}

#[test]
fn what_is_no_dialogue_is_refused_and_time_ends_the_others() {
    let mut euse = ready();
    // A continue of nobody: an error with a cause, and the session is over for the network.
    euse.handle_input(&hex(TYPED), 3);
    let refused = Message::decode(&euse.poll_transmit().unwrap()[4..]).unwrap();
    assert_eq!(
        (refused.kind, refused.state, refused.cause),
        (Kind::Error, State::End, Some(0x6f))
    );
    // A begin that is no USSD.
    let mut broken = hex(BEGIN);
    let tag = broken.iter().position(|octet| *octet == 0xa1).unwrap();
    broken[tag] = 0x55;
    euse.handle_input(&broken, 4);
    let refused = Message::decode(&euse.poll_transmit().unwrap()[4..]).unwrap();
    assert_eq!(refused.kind, Kind::Error);
    assert_eq!(euse.poll_event(), None);
    // Time.
    euse.handle_input(&hex(BEGIN), 5);
    assert!(matches!(euse.poll_event(), Some(EuseEvent::Begun { .. })));
    let mut now;
    for _ in 0..10 {
        now = euse.poll_timeout().unwrap();
        euse.handle_timeout(now);
        euse.handle_input(&hex("0001 fe 01"), now);
    }
    assert_eq!(euse.dialogues(), 0);
    assert_eq!(
        euse.poll_event(),
        Some(EuseEvent::Ended {
            dialogue: 0x2000_0001
        })
    );
    // Silence.
    now = euse.poll_timeout().unwrap();
    euse.handle_timeout(now);
    now = euse.poll_timeout().unwrap();
    euse.handle_timeout(now);
    assert!(matches!(euse.poll_event(), Some(EuseEvent::Closed(_))));
    assert_eq!(euse.poll_timeout(), None);
}

#[test]
fn more_dialogues_than_the_limit_are_refused() {
    let mut euse = ready();
    let (id, frame) = (hex("30 04 20000001"), hex(BEGIN));
    let at = frame.windows(6).position(|window| window == id).unwrap() + 2;
    for number in 0..=u32::try_from(DIALOGUES_MAX).unwrap() {
        let mut frame = frame.clone();
        frame[at..at + 4].copy_from_slice(&number.to_be_bytes());
        euse.handle_input(&frame, 3);
        euse.poll_event();
    }
    assert_eq!(euse.dialogues(), DIALOGUES_MAX);
    let refused = Message::decode(&euse.poll_transmit().unwrap()[4..]).unwrap();
    assert_eq!(refused.cause, Some(0x16));
}

#[test]
fn the_last_page_is_measured_by_what_it_shows() {
    // Words end here with a space, with three of them and with none.
    for end in ["！ж", "ж\u{2000} \u{2000}ж", "！！", "жж"] {
        for words in 30..110 {
            for start in ["", "ж"] {
                let text = format!("{start}{}{end}", "ж ".repeat(words));
                let pages = pages(&text, "98 More");
                assert!(pages.iter().all(|page| fits(page)), "{words} {end:?}: {pages:?}");
                let letters = |text: &str| text.split_whitespace().collect::<String>();
                let shown: String = pages.iter().map(|page| page.replace("98 More", "")).collect();
                assert_eq!(letters(&shown), letters(&text));
            }
        }
    }
}

proptest! {
    #[test]
    fn any_octets_end_in_an_answer_or_a_close(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut euse = ready();
        euse.handle_input(&octets, 3);
        while euse.poll_event().is_some() || euse.poll_transmit().is_some() {}
        let _ = Message::decode(&octets);
        let _ = Component::decode(&octets);
        let _ = page::decode(octets.first().copied().unwrap_or(0), &octets);
    }

    #[test]
    fn broken_messages_of_a_real_hlr_do_no_harm(at in 0_usize..48, octet in any::<u8>()) {
        let mut euse = ready();
        let mut frame = hex(BEGIN);
        frame[at] = octet;
        euse.handle_input(&frame, 3);
        euse.handle_input(&hex(TYPED), 4);
        prop_assert!(euse.dialogues() <= 1);
    }

    #[test]
    fn what_is_written_is_read(text in "[a-z0-9 #*€@]{0,90}", invoke in 0_u8..128) {
        let component = Component { invoke, body: Body::Result { answer: Some((PROCESS_UNSTRUCTURED_SS, text)) } };
        prop_assert_eq!(Component::decode(&component.encode().unwrap()).unwrap(), component);
    }

    #[test]
    fn every_page_of_any_text_fits(text in "\\PC{0,400}") {
        for page in pages(&text, "98 More") {
            prop_assert!(fits(&page), "{:?}", page);
        }
    }
}

#[test]
fn a_frame_that_is_too_long_ends_the_connection() {
    let mut euse = ready();
    euse.handle_input(&[0xff, 0xff, ipa::OSMO], 3);
    assert!(matches!(
        euse.poll_event(),
        Some(EuseEvent::Closed(super::ClosedReason::StreamLost))
    ));
}
