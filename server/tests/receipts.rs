//! Receipts and the real binary: a key of its own, a proof that needs no server, and a new key that leaves old ones good.

mod harness;

use harness::{Api, Place};
use serde_json::json;

#[test]
fn a_receipt_is_checked_without_the_server() {
    let place = Place::new("");
    let server = place.serve();
    let key_file = place.data().join("receipt-keys.json");
    let secret: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&key_file).unwrap()).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&key_file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let api = Api::new(&server.url, server.key.as_deref().unwrap());
    let subscriber = json!({"operator": "jazz", "msisdn": "923001234567"});
    api.done("/v1/subscribers", "s", &subscriber);
    let (_, shop) = api.partner("corner", "1000");
    let shop = Api::new(&server.url, &shop);
    let sale = json!({"msisdn": "923001234567", "amount": "100", "external_id": "a"});
    let sold = shop.done("/v1/topups?wait=10", "a", &sale);
    let path = format!("/v1/receipts/{}", sold["receipt"].as_str().unwrap());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let signed = loop {
        if let Some((200, answer)) = shop.get(&path) {
            break answer["signed"].as_str().unwrap().to_owned();
        }
        assert!(std::time::Instant::now() < deadline, "the receipt did not come");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let published = api.see("/.well-known/raseed-receipt-keys.json");
    let seed = secret["seed"].as_str().unwrap();
    assert!(!published.to_string().contains(seed));
    std::fs::write(place.path("keys.json"), published.to_string()).unwrap();
    assert_eq!(server.terminate(), 0);

    let verify = |text: &str, keys: &str| place.run(&["--json", "receipt", "verify", text, "--key", keys]);
    let proved = verify(&signed, "keys.json").json();
    assert_eq!(
        (&proved["genuine"], &proved["gross"]),
        (&json!(true), &json!("100.00"))
    );
    assert_eq!(proved["msisdn"], "923*******67");
    let link = format!("see https://raseed.example/verify?r={signed}");
    assert_eq!(verify(&link, "keys.json").code, 0);
    assert_eq!(
        verify(&signed.replace("~100.00~", "~900.00~"), "keys.json").code,
        1
    );
    assert_eq!(verify("hello", "keys.json").code, 1);
    assert_eq!(verify(&signed, "raseed.toml").code, 2);

    let data = place.data();
    let data = data.to_str().unwrap();
    let rotated = place
        .run(&["--json", "receipt", "rotate-key", "--data", data])
        .json();
    assert_ne!(rotated["signs"], secret["signs"]);
    let server = place.serve();
    let published = Api::new(&server.url, "").see("/.well-known/raseed-receipt-keys.json");
    assert_eq!(published["keys"].as_array().unwrap().len(), 2);
    std::fs::write(place.path("both.json"), published.to_string()).unwrap();
    assert_eq!(verify(&signed, "both.json").code, 0, "the old key still proves");
    assert_eq!(server.terminate(), 0);
}
