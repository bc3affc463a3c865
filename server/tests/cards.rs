//! Scratch cards with the real binary: from the printer's key to the receipt, killed at random moments, and no PIN anywhere.

mod harness;

use harness::{Api, PATIENCE, Place, Server};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const CREDITED: &str = "86.956522";
const ROUNDS: usize = 6;
const CARDS: usize = 240;

/// A place with a printer, and the public key in its configuration.
fn place() -> Place {
    let place = Place::new("");
    let made = place
        .run(&["cards", "key", "--out", "printer.key", "--json"])
        .json();
    let public = made["public_key"].as_str().unwrap();
    place.configure_with(
        "",
        "trace,hyper=info,mio=info,tokio=info",
        &format!(
            "[engine]\npartitions = 5\nsnapshot_interval_s = 1\n[cards]\nprinters = {{ press = '{public}' }}"
        ),
    );
    place
}

/// Makes a batch, fetches and opens it, makes it good; serial numbers and PINs.
fn printed(place: &Place, server: &Server, key: &str) -> Vec<(String, String)> {
    let count = CARDS.to_string();
    let generate = [
        "cards",
        "generate",
        "jazz",
        "100",
        &count,
        "--expires",
        "2099-01-01",
        "--printer",
        "press",
    ];
    let made = server.run(key, &[&generate[..], &["--json"]].concat()).json();
    assert_eq!(made["ready"], true);
    let sealed = place.path("batch.sealed");
    let sealed = sealed.to_str().unwrap();
    let fetched = server
        .run(key, &["cards", "export", "1", "--out", sealed, "--json"])
        .json();
    assert!(fetched["bytes"].as_u64().unwrap() > 0);
    let again = place.path("again.sealed");
    let again = server.run(key, &["cards", "export", "1", "--out", again.to_str().unwrap()]);
    again.fails(3, &[]);
    assert!(!place.path("again.sealed").exists());
    let opened = place.run(&[
        "cards",
        "open",
        "batch.sealed",
        "--key",
        "printer.key",
        "--out",
        "batch.csv",
    ]);
    assert_eq!(opened.code, 0, "{opened:?}");
    for (state, more) in [
        ("ship", ["--dealer", "lahore-1"]),
        ("activate", ["--dealer", "lahore-1"]),
    ] {
        let ran = server.run(key, &[&["cards", state, "1"], &more[..]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let text = std::fs::read_to_string(place.path("batch.csv")).unwrap();
    let cards: Vec<(String, String)> = text
        .lines()
        .skip(1)
        .map(|line| {
            line.split_once(',')
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .unwrap()
        })
        .collect();
    assert_eq!(cards.len(), CARDS);
    cards
}

#[test]
fn killed_between_mark_and_credit_every_card_is_credited_once_and_no_pin_is_anywhere() {
    let place = place();
    let log = place.path("server.log");
    let server = place.serve_logged(&log);
    let key = server.key.clone().unwrap();
    let numbers: Vec<String> = (0..8).map(|n| format!("92300123450{n}")).collect();
    let api = Api::new(&server.url, &key);
    for number in &numbers {
        api.done("/v1/subscribers", "", &json!({"msisdn": number}));
    }
    let cards = printed(&place, &server, &key);
    let mut server = Some(server);
    for round in 0..ROUNDS {
        let now = server.take().unwrap_or_else(|| place.serve_logged(&log));
        let stop = AtomicBool::new(false);
        let share = CARDS / ROUNDS;
        std::thread::scope(|threads| {
            for (index, number) in numbers.iter().enumerate() {
                let (api, cards, stop) = (Api::new(&now.url, &key), &cards, &stop);
                threads.spawn(move || {
                    let mine = cards[round * share..(round + 1) * share].iter();
                    for (_, pin) in mine.skip(index).step_by(8) {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let body = json!({"msisdn": number, "pin": pin});
                        if api.post("/v1/vouchers/redeem", "", &body).is_none() {
                            return;
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(7 + 11 * round as u64));
            now.kill();
            stop.store(true, Ordering::Relaxed);
        });
    }
    // Whoever saw no answer types it again: every card ends with its number, once.
    let server = place.serve_logged(&log);
    let api = Api::new(&server.url, &key);
    let share = CARDS / ROUNDS;
    for (place_in, (serial, pin)) in cards.iter().enumerate() {
        let number = &numbers[place_in % share % 8];
        let body = json!({"msisdn": number, "pin": pin});
        let done = settled(&api, &body);
        assert_eq!(
            (&done["serial"], &done["msisdn"]),
            (&json!(serial), &json!(number))
        );
    }
    let each = CARDS / ROUNDS / 8 * ROUNDS;
    for number in &numbers {
        let balance = api.see(&format!("/v1/subscribers/{number}/balance"));
        let expected = format!("{}", charge::Money::parse(CREDITED).unwrap().0 * each as i64);
        let main = charge::Money::parse(balance["main"].as_str().unwrap()).unwrap();
        assert_eq!(main.0.to_string(), expected, "{number}");
    }
    let deadline = Instant::now() + PATIENCE;
    while api.see("/v1/card-batches/1")["used"] != CARDS {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(api.see("/v1/card-batches/1")["owed"], "0.00");
    assert_eq!(server.terminate(), 0);
    let audit = place.run_here(&["audit"]).json();
    assert_eq!(audit["ok"], true, "{audit}");

    // The printer's files are the printer's; everything else is ours.
    let mut looked = 0;
    looked += scan(&place.data(), &cards);
    looked += scan(&log, &cards);
    assert!(looked > 100_000, "{looked} bytes");
}

fn settled(api: &Api, body: &Value) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match api.post("/v1/vouchers/redeem", "", body) {
            Some((200, done)) => return done,
            Some((409 | 429 | 503, problem)) if problem["code"] != 1_007_090 => {}
            other => panic!("{other:?}"),
        }
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Looks for PINs in all files: as digits, and as numbers of eight bytes in both orders. Answers how much was looked at.
fn scan(path: &Path, cards: &[(String, String)]) -> usize {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries.map(|entry| scan(&entry.unwrap().path(), cards)).sum();
    }
    let bytes = std::fs::read(path).unwrap();
    let mut digits = std::collections::HashSet::new();
    let mut numbers = std::collections::HashSet::new();
    for (_, pin) in cards {
        digits.insert(pin.as_bytes());
        let value: u64 = pin.parse().unwrap();
        numbers.insert(value.to_be_bytes());
        numbers.insert(value.to_le_bytes());
    }
    for window in bytes.windows(14) {
        assert!(!digits.contains(window), "a PIN is in {}", path.display());
    }
    for window in bytes.windows(8) {
        assert!(!numbers.contains(window), "a PIN is in {}", path.display());
    }
    bytes.len()
}

#[test]
fn an_export_that_was_changed_or_cut_off_does_not_open() {
    let place = place();
    let server = place.serve();
    let key = server.key.clone().unwrap();
    printed(&place, &server, &key);
    let sealed = std::fs::read(place.path("batch.sealed")).unwrap();
    let open = |bytes: &[u8]| {
        std::fs::write(place.path("wrong.sealed"), bytes).unwrap();
        place
            .run(&["cards", "open", "wrong.sealed", "--key", "printer.key"])
            .code
    };
    assert_eq!(open(&sealed), 0);
    for at in [0, 12, sealed.len() / 2, sealed.len() - 1] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_ne!(open(&changed), 0, "byte {at}");
    }
    for length in [0, 7, 200, sealed.len() - 1] {
        assert_ne!(open(&sealed[..length]), 0, "{length} bytes");
    }
    place.run(&["cards", "key", "--out", "other.key"]);
    let other = place.run(&["cards", "open", "batch.sealed", "--key", "other.key"]);
    assert_ne!(other.code, 0);
    assert!(other.out.is_empty(), "{other:?}");
}
