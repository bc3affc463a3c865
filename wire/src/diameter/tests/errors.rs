//! Every way a request can be wrong, one line each: what is changed in a good request, the code and the Failed-AVP.

use super::{hex, unhex, vector};
use crate::diameter::avp::AvpIter;
use crate::diameter::credit::CreditControlRequest;
use crate::diameter::{AnswerMessage, HEADER_OCTETS, Header, Identity, Message, ResultCode, Violation};

/// change | code | Failed-AVP. Changes: `drop CODE`, `twice CODE`, `add HEX` (an AVP at the end), `first HEX` (after the
/// header), `set CODE HEX` (another value), `byte CODE OFFSET HEX` (in the AVP, header included), `nothing`.
const TABLE: &str = "
    nothing                               | ok   |
    drop 263                              | 5005 | 0000010740000008
    drop 264                              | 5005 | 0000010840000008
    drop 296                              | 5005 | 0000012840000008
    drop 283                              | 5005 | 0000011b40000008
    drop 258                              | 5005 | 000001024000000c00000000
    drop 461                              | 5005 | 000001cd40000008
    drop 416                              | 5005 | 000001a04000000c00000000
    drop 415                              | 5005 | 0000019f4000000c00000000
    drop 55                               | ok   |
    drop 443                              | ok   |
    drop 456                              | ok   |
    drop 873                              | ok   |
    twice 264                             | ok   |
    twice 415                             | ok   |
    twice 873                             | ok   |
    add 000001084000000d6f74686572000000  | 5009 | 000001084000000d6f74686572000000
    add 0000019f4000000c00000063          | 5009 | 0000019f4000000c00000063
    add 000001cc4000000a61620000          | ok   |
    add 0098968040000009ff000000          | 5001 | 0098968040000009ff000000
    add 0098968000000009ff000000          | ok   |
    add 00000001c0000010000000c100000007  | 5001 | 00000001c0000010000000c100000007
    add 0000000180000010000000c100000007  | ok   |
    add 00000001e0000010000000c100000007  | 5001 | 00000001e0000010000000c100000007
    add 00000137                          | 5014 | 0000013700000008
    add 00000108420000096f000000          | 3009 | 00000108420000096f000000
    add 000001014000000e00017f0000010000 | ok |
    set 416 00000009                      | 5004 | 000001a04000000c00000009
    set 416 00000000                      | 5004 | 000001a04000000c00000000
    set 436 00000004                      | 5004 | 000001b44000000c00000004
    set 455 00000002                      | 5004 | 000001c74000000c00000002
    set 258 00000003                      | 5004 | 000001024000000c00000003
    set 263 ff                            | 5004 | 0000010740000009ff000000
    set 461 c328                          | 5004 | 000001cd4000000ac3280000
    set 415 0000                          | 5014 | 0000019f4000000c00000000
    set 415 0000000000000001              | 5014 | 0000019f4000000c00000000
    set 55 01                             | 5014 | 000000374000000c00000000
    set 456 000001b5                      | 5014 | 000001b500000008
    set 456 000001b540000007              | 5014 | 000001b540000008
    set 456 000001b540000010000001a5      | 5014 | 000001b540000008
    set 456 000001b540000014000001a54000000c00000001     | 5014 | 000001a54000001000000000 00000000
    set 456 000001b540000018000001a540000010000000000000ffff | ok |
    set 456 0098968040000009ff000000      | 5001 | 0098968040000009ff000000
    set 443 000001c24000000c00000001      | 5005 | 000001bc40000008
    set 443 000001bc4000000931000000      | 5005 | 000001c24000000c00000000
    set 873 0000036ac000001c000028af000004cbc0000010000028af00010a00 | 5014 | 000004cbc0000012000028af0000 000000000000
    set 873 0000036ac0000020000028af000004cbc0000012000028af0001 0a2d00020000 | ok |
    set 873 0000036ac0000020000028af000004cbc0000012000028af0007 0a2d00020000 | 5004 | 000004cbc0000012000028af00070a2d00020000
    byte 415 5 000005                     | 5014 | 0000019f4000000c00000000
    byte 415 5 ffffff                     | 5014 | 0000019f4000000c00000000
    byte 415 5 000007                     | 5014 | 0000019f4000000c00000000
    byte 416 4 50                         | 3009 | 000001a05000000c00000001
    byte 416 4 20                         | ok   |
";

#[test]
fn table() {
    let (mut cases, mut wrong) = (0, Vec::new());
    for line in TABLE.lines().filter(|line| !line.trim().is_empty()) {
        let [change, code, failed] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("three columns in {line}")
        };
        wrong.extend(check(change, code, failed));
        cases += 1;
    }
    assert!(cases > 50);
    assert!(wrong.is_empty(), "found instead:\n{}", wrong.join("\n"));
}

/// What differs from the line, if anything.
fn check(change: &str, code: &str, failed: &str) -> Option<String> {
    let frame = changed(&vector("open5gs_initial"), change);
    let message = Message::parse(&frame).unwrap_or_else(|error| panic!("{change}: {error}"));
    let (found_code, found_failed) = match CreditControlRequest::parse(message) {
        Ok(_) => (String::from("ok"), String::new()),
        Err(violation) => {
            check_answer(message, &violation, change);
            (violation.code.0.to_string(), hex(&violation.failed_avp))
        }
    };
    let is_same = found_code == code && found_failed == hex(&unhex(failed));
    (!is_same).then(|| format!("{change} | {found_code} | {found_failed}"))
}

/// The answer carries the code, the ids and the Failed-AVP, and is itself a good message.
fn check_answer(message: Message<'_>, violation: &Violation, change: &str) {
    let identity = Identity {
        host: "ocs.example",
        realm: "example",
        state_id: Some(7),
    };
    let mut out = Vec::new();
    AnswerMessage::reject(message, &identity, violation).encode(&mut out);
    let answer = AnswerMessage::parse(Message::parse(&out).unwrap()).unwrap();
    assert_eq!(answer.result_code, violation.code, "{change}");
    assert_eq!(answer.id, message.header.id, "{change}");
    assert_eq!(
        answer.failed_avp.unwrap_or_default(),
        violation.failed_avp,
        "{change}"
    );
    let has_all = answer.credit_control.is_some() && answer.session_id.is_some();
    assert_eq!(
        answer.error,
        violation.code.is_protocol_error() || !has_all,
        "{change}"
    );
}

fn changed(frame: &[u8], change: &str) -> Vec<u8> {
    let mut words = change.split(' ');
    let verb = words.next().unwrap_or_default();
    let mut avps: Vec<(u32, Vec<u8>)> = AvpIter::new(&frame[HEADER_OCTETS..])
        .map(Result::unwrap)
        .map(|avp| {
            let mut octets = avp.raw.to_vec();
            octets.resize(octets.len().next_multiple_of(4), 0);
            (avp.key.code(), octets)
        })
        .collect();
    let mut number = || {
        words
            .next()
            .and_then(|word| word.parse::<u32>().ok())
            .expect("a number")
    };
    match verb {
        "nothing" => {}
        "drop" => {
            let code = number();
            avps.retain(|(other, _)| *other != code);
        }
        "twice" => {
            let code = number();
            let again = avps
                .iter()
                .find(|(other, _)| *other == code)
                .expect("in the vector")
                .clone();
            avps.push(again);
        }
        "add" => avps.push((0, unhex(&words.collect::<String>()))),
        "set" => {
            let code = number();
            let value = unhex(&words.collect::<String>());
            // Only the first instance stays, so that lists don't hide the change.
            let at = avps
                .iter()
                .position(|(other, _)| *other == code)
                .expect("in the vector");
            avps.retain({
                let mut seen = 0;
                move |(other, _)| {
                    seen += usize::from(*other == code);
                    *other != code || seen == 1
                }
            });
            let avp = &mut avps[at].1;
            let head = if avp[4] & 0x80 == 0 { 8 } else { 12 };
            avp.truncate(head);
            avp.extend_from_slice(&value);
            let octets = (avp.len() as u32).to_be_bytes();
            avp[5..8].copy_from_slice(&octets[1..]);
            avp.resize(avp.len().next_multiple_of(4), 0);
        }
        "byte" => {
            let (code, offset) = (number(), number() as usize);
            let octets = unhex(&words.collect::<String>());
            let avp = &mut avps
                .iter_mut()
                .find(|(other, _)| *other == code)
                .expect("in the vector")
                .1;
            avp[offset..offset + octets.len()].copy_from_slice(&octets);
        }
        _ => panic!("no change {verb}"),
    }
    let mut out = frame[..HEADER_OCTETS].to_vec();
    avps.iter().for_each(|(_, octets)| out.extend_from_slice(octets));
    out.resize(out.len().next_multiple_of(4), 0);
    let octets = (out.len() as u32).to_be_bytes();
    out[1..4].copy_from_slice(&octets[1..]);
    out
}

#[test]
fn headers() {
    for (what, at, octets, code) in [
        ("version 2", 0, "02", 5011),
        ("request with error bit", 4, "e0", 3008),
        ("length one less", 3, "63", 5015),
        ("reserved flag bits are ignored", 4, "c5", 0),
        ("T bit", 4, "d0", 0),
    ] {
        let mut frame = vector("open5gs_initial");
        let octets = unhex(octets);
        frame[at..at + octets.len()].copy_from_slice(&octets);
        let code_found = Header::parse(&frame)
            .err()
            .map_or(0, |violation| violation.code.0);
        assert_eq!(code_found, code, "{what}");
    }
    assert_eq!(
        Header::parse(&[1; 19]).unwrap_err().code,
        ResultCode::INVALID_MESSAGE_LENGTH
    );
}

#[test]
fn event_needs_requested_action() {
    let frame = changed(&vector("sms_event"), "drop 436");
    let violation = CreditControlRequest::parse(Message::parse(&frame).unwrap()).unwrap_err();
    assert_eq!(violation.code, ResultCode::MISSING_AVP);
    assert_eq!(hex(&violation.failed_avp), "000001b44000000c00000000");
}

#[test]
fn long_failed_avp_is_cut_to_its_header() {
    let mut change = String::from("add 0098968040001008");
    change.push_str(&"00".repeat(4096));
    let frame = changed(&vector("open5gs_initial"), &change);
    let violation = CreditControlRequest::parse(Message::parse(&frame).unwrap()).unwrap_err();
    assert_eq!(
        (violation.code, violation.failed_avp.len()),
        (ResultCode::AVP_UNSUPPORTED, 8)
    );
}

#[test]
fn lists_have_limits() {
    let service = "000001c840000008";
    let many = |count: usize| {
        changed(
            &vector("open5gs_initial"),
            &format!("add {}", service.repeat(count)),
        )
    };
    let max = crate::diameter::limits::SERVICES_MAX;
    let frame = many(max - 1);
    let request = CreditControlRequest::parse(Message::parse(&frame).unwrap()).expect("as many as allowed");
    assert_eq!(request.services.len(), max);
    let frame = many(max);
    let violation = CreditControlRequest::parse(Message::parse(&frame).unwrap()).unwrap_err();
    assert_eq!(violation.code, ResultCode::AVP_OCCURS_TOO_MANY_TIMES);

    let frame = changed(
        &vector("open5gs_initial"),
        &format!("add {}", "0098968000000008".repeat(600)),
    );
    let violation = CreditControlRequest::parse(Message::parse(&frame).unwrap()).unwrap_err();
    assert_eq!(violation.code, ResultCode::UNABLE_TO_COMPLY);
}

/// Groups inside groups, each a Multiple-Services-Credit-Control.
fn nested(groups: u32) -> String {
    (1..=groups)
        .rev()
        .map(|left| format!("000001c840{:06x}", 8 * left))
        .collect()
}

#[test]
fn depth_has_a_limit() {
    let max = u32::from(crate::diameter::limits::GROUP_DEPTH_MAX);
    let enter = |groups: u32| {
        let frame = changed(&vector("open5gs_initial"), &format!("add {}", nested(groups)));
        let message = Message::parse(&frame).unwrap();
        // The views enter only the groups they know: what lies in one that has no business there is never walked.
        assert!(CreditControlRequest::parse(message).is_ok());
        let mut avp = message.avps().last().unwrap().unwrap();
        for _ in 1..groups {
            avp = avp.group()?.next().unwrap()?;
        }
        avp.group().map(Iterator::count)
    };
    assert_eq!(enter(max).unwrap(), 0);
    let violation = enter(max + 1).unwrap_err();
    assert_eq!(violation.code, ResultCode::UNABLE_TO_COMPLY);
    assert_eq!(enter(4_000).unwrap_err().code, ResultCode::UNABLE_TO_COMPLY);
}
