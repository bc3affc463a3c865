//! The keypad over SMPP with peers that we did not write (smpplib): a USSD gateway (`server/tests/peers/ussd_gateway.py`) and a
//! message centre (`smpp_centre.py`).

mod harness;
mod peers;

use harness::{Api, Place};
use peers::{python, took_part};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const TEST: &str = "a_gateway_made_with_smpplib_shows_the_menu";
const KEYWORDS: &str = "a_keyword_is_answered_through_a_centre_made_with_smpplib";
const NUMBER: &str = "923001234567";

#[test]
fn a_gateway_made_with_smpplib_shows_the_menu() {
    let Some(python) = python("smpplib", TEST) else {
        return;
    };
    let mut gateway = Gateway::start(&python, &["ussd_gateway.py"]);
    let port = gateway.line().strip_prefix("PORT ").expect("a port").to_owned();
    let place = Place::new(&format!(
        "[ussd.smpp.peer]\naddress = '127.0.0.1:{port}'\nreconnect_ms = 100\n"
    ));
    let server = place.serve();
    let api = Api::new(&server.url, server.key.as_deref().unwrap());
    api.done(
        "/v1/subscribers",
        "open",
        &json!({"msisdn": NUMBER, "operator": "jazz", "balance": "100", "language": "zh"}),
    );
    assert_eq!(gateway.line(), "BOUND");

    // PSSR indication: the balance is the last page. The code stands where some gateways put it.
    let said = gateway.say(&format!("1 {NUMBER} *111# 7 0 *111#"));
    assert_eq!((said.operation, said.session, said.last), (17, 7, true));
    assert_eq!((said.from.as_str(), said.to.as_str()), ("*111#", NUMBER));
    assert!(
        said.text.starts_with("PKR 100.00 20") && said.text.contains("\n余额Rs 100.00，有效期至20"),
        "{}",
        said.text
    );
    // A menu; the phone answers with USSR confirm; the same answer twice is answered alike.
    let menu = gateway.say(&format!("1 {NUMBER} *443# 8 0 *443#"));
    assert_eq!((menu.operation, menu.last), (2, false));
    assert!(menu.text.starts_with("Jazz\n1 余额\n"), "{}", menu.text);
    let list = gateway.say(&format!("18 {NUMBER} *443# 8 2 8"));
    assert!(!list.last && list.text.contains("3 中文"), "{}", list.text);
    let done = gateway.say(&format!("18 {NUMBER} *443# 8 4 1"));
    assert!(done.last, "{}", done.text);
    assert_eq!(done.text, "Messages and menus are in English now.");
    let again = gateway.say(&format!("18 {NUMBER} *443# 8 4 1"));
    assert_eq!(again.text, done.text);
    // A bundle, bought once although its confirmation comes twice.
    gateway.say(&format!("1 {NUMBER} *757# 9 0 *757#"));
    gateway.say(&format!("18 {NUMBER} *757# 9 2 1"));
    let bought = gateway.say(&format!("18 {NUMBER} *757# 9 4 1"));
    assert!(
        bought.text.starts_with("Daily Extreme is active"),
        "{}",
        bought.text
    );
    let again = gateway.say(&format!("18 {NUMBER} *757# 9 4 1"));
    assert_eq!(again.text, bought.text);
    let balance = api.see(&format!("/v1/subscribers/{NUMBER}/balance"));
    assert_eq!(balance["main"], "65.00");
    // Nobody's number, and an answer to no session.
    let said = gateway.say("1 nobody *111# 10 0 *111#");
    assert_eq!(
        (said.text.as_str(), said.last),
        ("This is not a phone number", true)
    );
    let said = gateway.say(&format!("18 {NUMBER} *111# 99 2 1"));
    assert_eq!(
        (said.text.as_str(), said.last),
        ("This took too long. Please dial again.", true)
    );
    assert_eq!(server.terminate(), 0);
    took_part(&python, "smpplib", TEST);
}

#[test]
fn a_keyword_is_answered_through_a_centre_made_with_smpplib() {
    let Some(python) = python("smpplib", KEYWORDS) else {
        return;
    };
    // After the first message to a handset its owner asks for the balance.
    let mut centre = Gateway::start(&python, &["smpp_centre.py", "1", "443"]);
    let port = centre.line().strip_prefix("PORT ").expect("a port").to_owned();
    let place = Place::new(&format!(
        "[sms.default]\naddress = '127.0.0.1:{port}'\nsender = '443'\noutbox_interval_ms = 50\n"
    ));
    let server = place.serve();
    let api = Api::new(&server.url, server.key.as_deref().unwrap());
    let person = json!({"msisdn": NUMBER, "operator": "jazz"});
    api.done("/v1/subscribers", "open", &person);
    let (_, shop) = api.partner("corner", "1000");
    let sale = json!({"msisdn": NUMBER, "amount": "100", "external_id": "1"});
    api.with_key(&shop).done("/v1/topups?wait=10", "1", &sale);
    let bind: Value = serde_json::from_str(&centre.line()).expect("JSON");
    assert_eq!(bind["system_id"], "raseed");
    let mut texts = Vec::new();
    while !texts.iter().any(|text: &String| text.starts_with("PKR 86.96 20")) {
        let seen: Value = serde_json::from_str(&centre.line()).expect("JSON");
        assert_eq!(
            (&seen["destination"], &seen["data_coding"]),
            (&NUMBER.into(), &0.into())
        );
        texts.push(String::from_utf8(octets(&seen)).unwrap());
    }
    assert!(
        texts[0].contains("86.96"),
        "the message about the recharge: {texts:?}"
    );
    assert_eq!(server.terminate(), 0);
    assert_eq!(centre.line(), "UNBOUND");
    took_part(&python, "smpplib", KEYWORDS);
}

/// The octets of a message as a script tells them.
fn octets(seen: &Value) -> Vec<u8> {
    let hex = seen["octets"].as_str().unwrap();
    (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

/// A page as the gateway got it.
#[derive(Debug)]
struct Page {
    from: String,
    to: String,
    operation: u64,
    session: u64,
    last: bool,
    text: String,
}

/// The running script.
struct Gateway {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Gateway {
    fn start(python: &Path, script: &[&str]) -> Gateway {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
        let mut child = Command::new(python)
            .arg(peers.join(script[0]))
            .args(&script[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter starts");
        Gateway {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let count = self.output.read_line(&mut line).unwrap();
        assert!(count > 0, "the gateway is still there");
        line.trim().to_owned()
    }

    fn say(&mut self, line: &str) -> Page {
        writeln!(self.input, "{line}").unwrap();
        let seen: Value = serde_json::from_str(&self.line()).expect("JSON");
        let octets = octets(&seen);
        let text = match seen["data_coding"].as_u64() {
            // These texts have the same places in ASCII and GSM 7-bit.
            Some(0) => String::from_utf8(octets).unwrap(),
            Some(8) => {
                assert!(octets.len() <= 160, "80 characters");
                let units: Vec<u16> = octets
                    .chunks(2)
                    .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                    .collect();
                String::from_utf16(&units).unwrap()
            }
            other => panic!("{other:?}"),
        };
        let text_of = |name: &str| seen[name].as_str().unwrap().to_owned();
        Page {
            from: text_of("from"),
            to: text_of("to"),
            operation: seen["operation"].as_u64().unwrap(),
            session: seen["session"].as_u64().unwrap(),
            last: seen["sequence"].as_u64().unwrap() & 1 == 1,
            text,
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
