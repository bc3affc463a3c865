//! Keywords by SMS, over SMPP: answered once each, nothing guessed, machines left alone, no PIN kept.

mod harness;

use harness::{Api, PATIENCE, Place, Server};
use serde_json::json;
use sim::smsc::Smsc;
use std::path::Path;
use std::time::Duration;
use wire::smpp::CentreConfig;
use wire::sms::strip_isolates;

const AYESHA: &str = "923001234567";

/// A server with a subscriber who has Rs 100, bound to a simulated centre.
async fn started() -> (Place, Server, Api, Smsc) {
    let smsc = Smsc::start("127.0.0.1:0".parse().unwrap(), CentreConfig::default())
        .await
        .unwrap();
    let place = Place::new(&format!(
        "[sms.default]\naddress = '{}'\nsender = '443'\noutbox_interval_ms = 50\n",
        smsc.address()
    ));
    let (server, api) = tokio::task::block_in_place(|| {
        let server = place.serve();
        let api = Api::new(&server.url, server.key.as_deref().unwrap());
        api.done(
            "/v1/subscribers",
            "open",
            &json!({"msisdn": AYESHA, "operator": "jazz", "balance": "100"}),
        );
        (server, api)
    });
    (place, server, api, smsc)
}

fn balance(api: &Api) -> String {
    tokio::task::block_in_place(|| {
        let seen = api.see(&format!("/v1/subscribers/{AYESHA}/balance"));
        seen["main"].as_str().unwrap().to_owned()
    })
}

/// Sends a text, as soon as the server is bound.
async fn send(smsc: &Smsc, from: &str, to: &str, text: &str) {
    for _ in 0..600 {
        if smsc.send_from_handset(from, to, text).is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody is bound");
}

/// Sends a text and waits for an answer that begins so.
async fn asks(smsc: &Smsc, text: &str, begins: &str) -> String {
    send(smsc, AYESHA, "443", text).await;
    let wanted = |message: &sim::smsc::HandsetMessage| strip_isolates(&message.text).starts_with(begins);
    let found = smsc.inbox().wait_for(AYESHA, PATIENCE, wanted).await;
    let all: Vec<String> = smsc
        .inbox()
        .messages(AYESHA)
        .into_iter()
        .map(|m| m.text)
        .collect();
    strip_isolates(&found.unwrap_or_else(|| panic!("{text}: {all:?}")).text)
}

#[tokio::test(flavor = "multi_thread")]
async fn keywords_are_answered_and_nothing_is_guessed() {
    let (place, server, api, smsc) = started().await;
    let said = asks(&smsc, "BAL", "PKR 100.00 20").await;
    assert!(said.contains("Your balance is Rs 100.00"), "{said}");
    asks(&smsc, "nmu", "Your number is 0300 1234567.").await;
    asks(&smsc, "LIST", "daily-sms-whatsapp Rs 9.60").await;
    asks(&smsc, "HELP", "BAL balance").await;
    asks(&smsc, "data", "You have no bundle").await;
    asks(
        &smsc,
        "BUY daily-extrem",
        "Not understood. Did you mean BUY daily-extreme?",
    )
    .await;
    asks(
        &smsc,
        "LAOD 03217654321 100 4711",
        "Not understood. Did you mean LOAD?",
    )
    .await;
    asks(&smsc, "LOAD 03217654321 1OO 4711", "The amount is not clear.").await;
    asks(&smsc, "what is this", "Not understood; nothing was done.").await;
    assert_eq!(balance(&api), "100.00");
    asks(&smsc, "LANG UR", "اب پیغام اور مینو اردو میں ہیں۔").await;
    tokio::task::block_in_place(|| {
        assert_eq!(server.terminate(), 0);
        for digits in ["4711", "1OO"] {
            no_file_holds(&place.data(), digits.as_bytes());
        }
    });
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_twice_buys_once_and_is_answered_once() {
    let (_place, server, api, smsc) = started().await;
    send(&smsc, AYESHA, "443", "BUY daily-extreme").await;
    send(&smsc, AYESHA, "443", "BUY daily-extreme").await;
    asks(&smsc, "num", "Your number").await;
    asks(&smsc, "BUY daily-extreme", "Daily Extreme is active").await;
    asks(&smsc, "help", "BAL balance").await;
    assert_eq!(balance(&api), "65.00", "bought once");
    let answers = smsc.inbox().messages(AYESHA);
    let bought = answers
        .iter()
        .filter(|m| m.text.contains("balance Rs 65.00"))
        .count();
    // The answer, and the notice that every purchase brings.
    assert!(bought <= 2, "{answers:?}");
    // Names, short codes and other codes are not answered: two machines do not talk for ever.
    let before = smsc.inbox().received_count();
    send(&smsc, "Jazz", "443", "BAL").await;
    send(&smsc, "8000", "443", "BAL").await;
    send(&smsc, AYESHA, "9999", "BAL").await;
    send(&smsc, "923339999999", "443", "BAL").await;
    asks(&smsc, "DATA", "Data: 2 GB until").await;
    assert_eq!(smsc.inbox().received_count(), before + 1);
    // Too many questions of one number are not answered either.
    for number in 0..30 {
        send(&smsc, AYESHA, "443", &format!("BAL{number}{number}{number}")).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(smsc.inbox().received_count() < before + 12);
    tokio::task::block_in_place(|| assert_eq!(server.terminate(), 0));
    smsc.stop().await;
}

/// Scans every file of the data directory.
fn no_file_holds(dir: &Path, secret: &[u8]) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            no_file_holds(&path, secret);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!found, "{} holds a PIN", path.display());
    }
}
