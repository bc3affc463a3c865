//! An SMPP stack that we did not write (smpplib) on the other end: as a client of our simulated centre, and as the centre
//! of our client. The scripts are in `server/tests/peers`.

use std::sync::Arc;

use sim::smsc::Smsc;
use wire::smpp::{CentreConfig, ReceiptShape};

use super::tests::{CHINESE, ENGLISH, MemoryOutbox, PATIENCE, URDU, msisdn};
use super::*;
use crate::peers::{Peer, python, took_part};

#[tokio::test(flavor = "multi_thread")]
async fn smpplib_is_served_by_our_message_centre() {
    let Some(python) = python("smpplib", "smpplib_is_served_by_our_message_centre") else {
        return;
    };
    let config = CentreConfig {
        accounts: vec![("peer".into(), "secret".into())],
        receipt_shape: ReceiptShape::Text,
        ..CentreConfig::default()
    };
    let smsc = Smsc::start("127.0.0.1:0".parse().expect("an address"), config)
        .await
        .expect("a free port");
    let address = smsc.address();
    let arguments = [address.ip().to_string(), address.port().to_string()];
    let mut peer = Peer::start(&python, "smpp_client.py", &arguments);
    assert_eq!(peer.next().await, "SENT");
    smsc.send_from_handset("923001234567", "8000", "BAL")
        .expect("the peer is bound");
    let seen: serde_json::Value = serde_json::from_str(&peer.next().await).expect("JSON");
    peer.end().await;
    let count = |name: &str| seen[name].as_array().map(Vec::len);
    let sent = seen["sent"].as_u64().and_then(|sent| usize::try_from(sent).ok());
    assert!(sent >= Some(8), "long texts went in parts: {seen}");
    assert_eq!((count("accepted"), count("receipts")), (sent, sent), "{seen}");
    assert_eq!(seen["texts"], serde_json::json!(["BAL"]));
    assert_eq!(seen["wrong_password"], 0x0e);
    let expected = [
        (
            "923000000001",
            "Plain text with € and [brackets]".to_owned(),
            "GSM-7",
        ),
        ("923000000002", "Long text. ".repeat(30), "GSM-7"),
        ("923000000003", "آپ کا نیا بیلنس ہے۔ ".repeat(10), "UCS-2"),
        ("923000000004", "您的余额。".repeat(30), "UCS-2"),
    ];
    for (number, text, encoding) in expected {
        let messages = smsc.inbox().messages(number);
        let shown: Vec<(&str, &str)> = messages.iter().map(|m| (m.text.as_str(), m.encoding)).collect();
        assert_eq!(shown, [(text.as_str(), encoding)], "{number}");
    }
    smsc.stop().await;
    took_part(&python, "smpplib", "smpplib_is_served_by_our_message_centre");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_is_served_by_a_centre_made_with_smpplib() {
    let Some(python) = python("smpplib", "our_client_is_served_by_a_centre_made_with_smpplib") else {
        return;
    };
    let texts = [ENGLISH, URDU, CHINESE];
    let parts = 1 + URDU_PARTS + CHINESE_PARTS;
    let mut peer = Peer::start(&python, "smpp_centre.py", &[parts.to_string()]);
    let port = peer
        .next()
        .await
        .strip_prefix("PORT ")
        .expect("a port")
        .to_owned();
    let outbox = Arc::new(MemoryOutbox::default());
    for (id, text) in (0..).zip(texts) {
        outbox.add(id, &msisdn(id), text);
    }
    let config = SmsConfig {
        address: format!("127.0.0.1:{port}"),
        password: "secret".into(),
        sender: "Raseed".into(),
        ..SmsConfig::default()
    };
    let (sender, mut incoming) = SmsSender::start(config, outbox.clone());
    let bind: serde_json::Value = serde_json::from_str(&peer.next().await).expect("JSON");
    assert_eq!(
        bind,
        serde_json::json!({"system_id": "raseed", "password": "secret"})
    );
    let mut first = None;
    for _ in 0..parts {
        let seen: serde_json::Value = serde_json::from_str(&peer.next().await).expect("JSON");
        assert_eq!(
            (&seen["source"], &seen["source_ton"]),
            (&"Raseed".into(), &5.into())
        );
        assert_eq!(seen["registered_delivery"], 1);
        first.get_or_insert(seen);
    }
    let first = first.expect("a submit");
    assert_eq!(first["destination"], msisdn(0));
    // Every character of this text has the same place in ASCII and in GSM 7-bit.
    let hex: String = ENGLISH.bytes().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(
        (&first["octets"], &first["data_coding"], &first["esm_class"]),
        (&hex.into(), &0.into(), &0.into())
    );
    outbox
        .wait_until("delivered", |row| row.sent && row.delivered)
        .await;
    let text = tokio::time::timeout(PATIENCE, incoming.recv())
        .await
        .expect("it comes");
    let heard = text.expect("the sender is there");
    assert_eq!(heard.sms.text, "BAL");
    heard.confirm.done();
    sender.stop().await;
    assert_eq!(peer.next().await, "UNBOUND");
    peer.end().await;
    took_part(
        &python,
        "smpplib",
        "our_client_is_served_by_a_centre_made_with_smpplib",
    );
}

const URDU_PARTS: usize = 3;
const CHINESE_PARTS: usize = 2;
