//! Keywords by SMS, over SMPP: answered once each, nothing guessed, machines left alone, no PIN kept.

mod harness;

use harness::{Api, PATIENCE, Place, Server};
use serde_json::json;
use sim::smsc::Smsc;
use std::path::Path;
use std::time::{Duration, Instant};
use wire::smpp::CentreConfig;
use wire::sms::strip_isolates;

const AYESHA: &str = "923001234567";
const BUYER: &str = "923217654321";
/// What the shop's owner chose.
const PIN: &str = "73917";

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
    // The answer, and the notice that every purchase brings, whenever it comes.
    let bought = || {
        let said = texts(&smsc, AYESHA).into_iter();
        said.filter(|text| text.contains(" is active until ")).count()
    };
    let deadline = Instant::now() + PATIENCE;
    while bought() < 2 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(bought(), 2, "{:?}", texts(&smsc, AYESHA));
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

/// A shop's phone: sends, and waits until so many answers that begin so have come.
async fn shop_hears(smsc: &Smsc, text: &str, (begins, times): (&str, usize)) -> String {
    send(smsc, AYESHA, "443", text).await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let texts = texts(smsc, AYESHA);
        let said: Vec<&String> = texts.iter().filter(|text| text.starts_with(begins)).collect();
        if said.len() >= times {
            return said.last().unwrap().to_string();
        }
        assert!(Instant::now() < deadline, "{text}: {texts:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn texts(smsc: &Smsc, number: &str) -> Vec<String> {
    let messages = smsc.inbox().messages(number);
    messages.into_iter().map(|m| strip_isolates(&m.text)).collect()
}

/// Ayesha keeps a shop too, and somebody buys there.
async fn shop() -> (Place, Server, Smsc, Api) {
    let (place, server, api, smsc) = started().await;
    let shop = tokio::task::block_in_place(|| {
        let buyer = json!({"msisdn": BUYER, "operator": "jazz"});
        api.done("/v1/subscribers", "buyer", &buyer);
        api.retailer(AYESHA, "2580").1
    });
    (place, server, smsc, shop)
}

fn sales(shop: &Api) -> usize {
    tokio::task::block_in_place(|| {
        let sales = shop.see("/v1/sellers/me/sales");
        sales["sales"].as_array().unwrap().len()
    })
}

fn float(shop: &Api) -> String {
    tokio::task::block_in_place(|| shop.see("/v1/sellers/me")["float"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_texts_sells_as_often_as_it_means() {
    let (place, server, smsc, shop) = shop().await;
    let load = format!("LOAD 03217654321 100 {PIN}");
    let first = shop_hears(&smsc, &load.replace(PIN, "2580"), ("Please change your PIN", 1)).await;
    assert_eq!(first, "Please change your PIN first");
    shop_hears(&smsc, &format!("PIN 2580 {PIN}"), ("Your PIN was changed", 1)).await;
    let sold = "Sold: Rs 100.00 to 0321 7654321.";
    let again = "Not sold again: Rs 100.00 to 0321 7654321 was sold a moment ago. For one more put ";
    shop_hears(&smsc, &load, (sold, 1)).await;
    // The same text once more: from a thumb or from the centre, nobody can tell. It sells nothing, and says what would.
    let after = float(&shop);
    let said = shop_hears(&smsc, &load, (again, 1)).await;
    assert_eq!(said, format!("{again}AGAIN behind it."));
    assert_eq!(float(&shop), after);
    shop_hears(&smsc, &format!("{load} AGAIN"), (sold, 2)).await;
    let after = float(&shop);
    let said = shop_hears(&smsc, &format!("{load} AGAIN"), (again, 2)).await;
    assert_eq!(said, format!("{again}3 behind it."));
    assert_eq!(float(&shop), after);
    shop_hears(&smsc, &format!("{load} 3"), (sold, 3)).await;
    // Twice at the same time: one sale, and both are answered.
    let other = load.replace("100", "120");
    send(&smsc, AYESHA, "443", &other).await;
    shop_hears(&smsc, &other, ("Not sold again: Rs 120.00", 1)).await;
    let all = texts(&smsc, AYESHA);
    let begun = |begins: &str| all.iter().filter(|text| text.starts_with(begins)).count();
    assert_eq!((begun(sold), begun("Sold: Rs 120.00")), (3, 1), "{all:?}");
    let deadline = Instant::now() + PATIENCE;
    while sales(&shop) < 4 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(sales(&shop), 4);
    tokio::task::block_in_place(|| {
        assert_eq!(server.terminate(), 0);
        assert_eq!(place.run_here(&["audit"]).code, 0);
    });
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_comes_again_after_a_crash_is_answered_and_sells_nothing_more() {
    let (place, server, smsc, shop) = shop().await;
    let load = format!("LOAD 03217654321 100 {PIN}");
    shop_hears(&smsc, &format!("PIN 2580 {PIN}"), ("Your PIN was changed", 1)).await;
    let before = float(&shop);
    // Nobody can write into the outbox, so the sale is made and cannot be answered.
    let outbox = rusqlite::Connection::open(place.data().join("outbox.sqlite")).unwrap();
    outbox.execute_batch("begin immediate").unwrap();
    send(&smsc, AYESHA, "443", &load).await;
    let deadline = Instant::now() + PATIENCE;
    while float(&shop) == before {
        assert!(Instant::now() < deadline, "nothing was sold");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = float(&shop);
    let key = server.key.clone().unwrap();
    server.kill();
    outbox.execute_batch("rollback").unwrap();
    drop(outbox);
    let server = tokio::task::block_in_place(|| place.serve());
    let api = Api::new(&server.url, &key);
    let shop = shop.at(&server);
    let deadline = Instant::now() + PATIENCE;
    while smsc.bind_count() < 2 {
        assert!(Instant::now() < deadline, "it does not bind again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let said = shop_hears(&smsc, &load, ("Sold", 1)).await;
    assert!(said.starts_with("Sold: Rs 100.00 to 0321 7654321."), "{said}");
    assert_eq!(float(&shop), after);
    let buyer = tokio::task::block_in_place(|| api.see(&format!("/v1/subscribers/{BUYER}/balance")));
    assert_eq!(buyer["main"], "86.956522");
    tokio::task::block_in_place(|| assert_eq!(server.terminate(), 0));
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_wrong_pins_lock_a_shop_that_texts() {
    let (_place, server, smsc, shop) = shop().await;
    shop_hears(&smsc, &format!("PIN 2580 {PIN}"), ("Your PIN was changed", 1)).await;
    let before = float(&shop);
    let load = |pin: &str| format!("LOAD 03217654321 100 {pin}");
    shop_hears(&smsc, &load("1112"), ("The PIN is wrong", 1)).await;
    shop_hears(&smsc, &load("1112"), ("The PIN is wrong", 2)).await;
    // The third one locks it, and then the right one does not help any more.
    shop_hears(&smsc, &load("1113"), ("The PIN is locked", 1)).await;
    shop_hears(&smsc, &load(PIN), ("The PIN is locked", 2)).await;
    shop_hears(&smsc, &format!("STOCK {PIN}"), ("The PIN is locked", 3)).await;
    assert_eq!(float(&shop), before);
    tokio::task::block_in_place(|| assert_eq!(server.terminate(), 0));
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsubscribing_ends_renewals_and_offers_and_says_how_many() {
    let (_place, server, api, smsc) = started().await;
    let path = format!("/v1/subscribers/{AYESHA}/bundles");
    let renews = || {
        let seen = tokio::task::block_in_place(|| api.see(&path));
        let bundles = seen["bundles"].as_array().unwrap().clone();
        assert_eq!(bundles.len(), 1);
        bundles[0]["renews_at"].is_string()
    };
    let renew = || {
        let body = json!({"renew": true});
        let set = tokio::task::block_in_place(|| api.patch(&format!("{path}/daily-extreme"), &body));
        assert!(set.unwrap().0 < 300);
    };
    tokio::task::block_in_place(|| {
        api.done(&path, "b", &json!({"bundle": "daily-extreme", "renew": true}));
    });
    assert!(renews());
    // STOP is about offers alone.
    asks(&smsc, "STOP", "Raseed: no more offers").await;
    assert!(renews());
    let both = "One bundle does not renew any more. You get no more messages with offers.";
    send(&smsc, AYESHA, "6611", "unsub").await;
    let wanted = |message: &sim::smsc::HandsetMessage| strip_isolates(&message.text) == both;
    assert!(smsc.inbox().wait_for(AYESHA, PATIENCE, wanted).await.is_some());
    assert!(!renews());
    // To a code that is not the operator's it is about offers, as STOP is.
    renew();
    send(&smsc, AYESHA, "8000", "UNSUB").await;
    asks(&smsc, "NUM", "Your number").await;
    assert!(renews());
    tokio::task::block_in_place(|| assert_eq!(server.terminate(), 0));
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operator_answers_at_its_own_code() {
    let (_place, server, api, smsc) = started().await;
    let number = "923451234567";
    tokio::task::block_in_place(|| {
        let person = json!({"msisdn": number, "operator": "telenor", "balance": "20"});
        api.done("/v1/subscribers", "telenor", &person);
    });
    // The first is another operator's code; messages of a number are taken one after the other.
    send(&smsc, number, "443", "BAL").await;
    send(&smsc, number, "345", "NUM").await;
    send(&smsc, number, "345", "BAL").await;
    let wanted = |message: &sim::smsc::HandsetMessage| message.text.starts_with("PKR 20.00 20");
    assert!(smsc.inbox().wait_for(number, PATIENCE, wanted).await.is_some());
    let wanted = |message: &sim::smsc::HandsetMessage| message.text.starts_with("Your number");
    assert!(smsc.inbox().wait_for(number, PATIENCE, wanted).await.is_some());
    assert_eq!(texts(&smsc, number).len(), 2);
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
