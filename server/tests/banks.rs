//! Banks' cash machines against the real binary, over real sockets: each sale is credited once or not at all, whatever is
//! repeated, lost, out of order, forged or cut off by a kill.

mod harness;

use charge::Money;
use harness::{Api, PATIENCE, Place, Server};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use sim::banks::atm::{Line, Profile};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use wire::iso8583::{Message, Mti, Prefix};

const PARTNER: u32 = 7_001;
/// What Rs 100 buy, less advance income tax.
const CREDITED: i64 = 86_956_522;
const RS_100: u64 = 10_000;
const KEY: &str = "000102030405060708090a0b0c0d0e0f";
/// How long a bank waits for an answer that should come.
const WAIT: Duration = Duration::from_secs(30);
/// How long it looks for one that should not.
const SILENCE: Duration = Duration::from_millis(300);

fn config(more: &str) -> String {
    format!(
        "[engine]\npartitions = 5\nsnapshot_interval_s = 1\ncache_mib = 16\n[banks.iso8583]\nlisten = ['127.0.0.1:0']\n\
         connections_max = 3000\n{more}\n[[banks.bank]]\ncode = 'plain'\ninstitution = '100100'\npartner = {PARTNER}\n\
         addresses = ['127.0.0.1']\n[[banks.bank]]\ncode = 'proved'\ninstitution = '100200'\npartner = {PARTNER}\n\
         addresses = ['127.0.0.0/8']\nmac_key = '{KEY}'\nsign_on = true\n[[banks.bank]]\ncode = 'elsewhere'\n\
         institution = '100300'\npartner = {PARTNER}\naddresses = ['10.0.0.0/8']\n"
    )
}

fn number(index: usize) -> String {
    format!("9230012345{index:02}")
}

/// A server with a funded partner and so many numbers.
fn start(place: &Place, log: Option<&Path>, numbers: usize, float: &str) -> (Server, String) {
    let server = log.map_or_else(|| place.serve(), |log| place.serve_logged(log));
    let key = server.key.clone().unwrap();
    let api = Api::new(&server.url, &key);
    api.done(
        "/v1/partners",
        "bank",
        &json!({"id": PARTNER, "name": "Bank", "code": "bank", "scopes": ["topup", "read"]}),
    );
    api.done(
        &format!("/v1/partners/{PARTNER}/float"),
        "bank",
        &json!({"amount": float, "reference": "start"}),
    );
    for index in 0..numbers {
        api.done("/v1/subscribers", "", &json!({"msisdn": number(index)}));
    }
    (server, key)
}

fn host(server: &Server) -> SocketAddr {
    server.ready["iso8583"][0].as_str().unwrap().parse().unwrap()
}

fn open(server: &Server, profile: &Profile) -> Line {
    Line::open(host(server), profile).unwrap()
}

#[track_caller]
fn code(line: &mut Line, message: &Message) -> String {
    let answer = line.ask(message, WAIT).unwrap().expect("an answer");
    answer.get(39).unwrap().to_owned()
}

fn balance(server: &Server, key: &str, index: usize) -> i64 {
    let account = Api::new(&server.url, key).see(&format!("/v1/subscribers/{}/balance", number(index)));
    Money::parse(account["main"].as_str().unwrap()).unwrap().0
}

/// Reversals end in the account a moment after they were promised.
#[track_caller]
fn until_balance(server: &Server, key: &str, index: usize, wanted: i64) {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let is = balance(server, key, index);
        if is == wanted {
            return;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "number {index} has {is} and not {wanted}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn audited(place: &Place, server: Server) {
    assert_eq!(server.terminate(), 0);
    let audit = place.run_here(&["audit"]).json();
    assert_eq!(audit["ok"], true, "{audit}");
}

#[test]
fn a_sale_is_made_once_and_every_refusal_has_its_code() {
    let place = Place::new(&config(""));
    let (server, key) = start(&place, None, 2, "1000");
    let bank = Profile::plain("100100");
    let mut line = open(&server, &bank);
    assert_eq!(code(&mut line, &bank.network("301")), "00");
    let sale = bank.sale(1, "03001234500", RS_100);
    let first = line.ask(&sale, WAIT).unwrap().unwrap();
    assert_eq!((first.mti, first.get(39)), (Mti(210), Some("00")));
    assert_eq!(first.get(38).map(str::len), Some(6));
    assert_eq!(first.get(48), None, "nothing private comes back");
    for again in [sale.clone(), bank.repeat(&sale)] {
        assert_eq!(line.ask(&again, WAIT).unwrap().unwrap(), first);
    }
    // On another connection, and with leading zeros of the institution.
    let mut other = open(&server, &bank);
    let mut padded = sale.clone();
    assert!(padded.set(32, "00000100100"));
    assert_eq!(code(&mut other, &padded), "00");
    assert_eq!(balance(&server, &key, 0), CREDITED);
    // Another body under the same key.
    assert_eq!(code(&mut line, &bank.sale(1, "03001234500", 2 * RS_100)), "94");
    assert_eq!(code(&mut line, &bank.sale(1, "03001234501", RS_100)), "94");
    let unknown = bank.sale(2, "03001239999", RS_100);
    assert_eq!(code(&mut line, &unknown), "14");
    // Refusals stay: a late copy is not sold after all.
    Api::new(&server.url, &key).done("/v1/subscribers", "", &json!({"msisdn": "923001239999"}));
    assert_eq!(code(&mut line, &bank.repeat(&unknown)), "14");
    assert_eq!(code(&mut line, &bank.sale(3, "12", RS_100)), "14");
    let dear = bank.sale(4, "03001234500", 100 * RS_100);
    assert!(["51", "13"].contains(&code(&mut line, &dear).as_str()));
    assert_eq!(
        code(&mut line, &bank.sale(5, "03001234500", 999_999_999_999)),
        "13"
    );
    let mut dollars = bank.sale(6, "03001234500", RS_100);
    assert!(dollars.set(49, "840"));
    assert_eq!(code(&mut line, &dollars), "13");
    assert_eq!(
        code(&mut line, &bank.sale_of(7, "NOTSOLD", "03001234500", RS_100)),
        "12"
    );
    let mut nothing = bank.sale(8, "03001234500", RS_100);
    assert!(nothing.set(4, "000000000000"));
    assert_eq!(code(&mut line, &nothing), "13");
    let mut other_kind = bank.sale(9, "03001234500", RS_100);
    assert!(other_kind.set(3, "010000"));
    assert_eq!(code(&mut line, &other_kind), "12");
    assert_eq!(
        code(
            &mut line,
            &Profile::plain("100300").sale(10, "03001234500", RS_100)
        ),
        "58"
    );
    assert_eq!(
        code(&mut line, &Profile::plain("999").sale(11, "03001234500", RS_100)),
        "58"
    );
    // Answers of others are not answered.
    line.send(&sale.answered("00")).unwrap();
    assert!(line.receive(SILENCE).unwrap().is_none());
    assert_eq!(
        (balance(&server, &key, 0), balance(&server, &key, 1)),
        (CREDITED, 0)
    );
    audited(&place, server);
}

#[test]
fn authentication_codes_and_sign_on_are_needed_where_they_are_agreed() {
    let place = Place::new(&config("prefix = 'digits'"));
    let (server, key) = start(&place, None, 1, "1000");
    let octets = (0..16).collect::<Vec<u8>>();
    let right = Profile {
        institution: "100200".to_owned(),
        mac_key: Some(octets),
        prefix: Prefix::Digits,
    };
    let wrong = Profile {
        mac_key: Some(vec![7; 16]),
        ..right.clone()
    };
    let none = Profile {
        mac_key: None,
        ..right.clone()
    };
    let sale = right.sale(1, "03001234500", RS_100);
    let mut line = open(&server, &right);
    assert_eq!(code(&mut line, &sale), "58", "before the sign-on");
    // A reversal is always taken; so that sale is dead.
    assert_eq!(code(&mut line, &right.reversal(&sale, false)), "00");
    assert_eq!(code(&mut line, &right.network("001")), "00");
    assert_eq!(code(&mut line, &sale), "94");
    let sale = right.sale(2, "03001234500", RS_100);
    for forger in [&wrong, &none] {
        for message in [&sale, &right.reversal(&sale, false), &right.network("002")] {
            line.send_octets(&forger.octets(message)).unwrap();
            let answer = line.receive(WAIT).unwrap().unwrap();
            assert_eq!(answer.get(39), Some("63"));
        }
    }
    assert_eq!(code(&mut line, &sale), "00", "nothing forged was believed");
    assert_eq!(code(&mut line, &right.network("002")), "00");
    assert_eq!(code(&mut line, &right.sale(3, "03001234500", RS_100)), "58");
    until_balance(&server, &key, 0, CREDITED);
    audited(&place, server);
}

#[test]
fn reversals_are_always_taken_and_a_late_original_is_refused() {
    let place = Place::new(&config(""));
    let (server, key) = start(&place, None, 24, "10000");
    let bank = Profile::plain("100100");
    let mut line = open(&server, &bank);
    // After its original; again and again.
    let sale = bank.sale(1, &number(0), RS_100);
    assert_eq!(code(&mut line, &sale), "00");
    for again in [false, true, true] {
        assert_eq!(code(&mut line, &bank.reversal(&sale, again)), "00");
    }
    until_balance(&server, &key, 0, 0);
    // Before its original, and the original in every form.
    let late = bank.sale(2, &number(1), RS_100);
    assert_eq!(code(&mut line, &bank.reversal(&late, false)), "00");
    assert_eq!(code(&mut line, &late), "94");
    assert_eq!(code(&mut line, &bank.repeat(&late)), "94");
    assert_eq!(code(&mut line, &bank.reversal(&late, true)), "00");
    // At the same time: a storm, on many connections, in any order.
    let storm: Vec<Message> = (0..40)
        .map(|at| bank.sale(100 + at, &number(4 + at as usize % 20), RS_100))
        .collect();
    std::thread::scope(|threads| {
        for thread in 0..4 {
            let (server, bank, storm) = (&server, &bank, &storm);
            threads.spawn(move || {
                let mut line = open(server, bank);
                for (at, sale) in storm.iter().enumerate() {
                    if (at + thread) % 2 == 0 {
                        line.send(sale).unwrap();
                    } else {
                        line.send(&bank.reversal(sale, thread > 1)).unwrap();
                    }
                }
                let mut answers = 0;
                while answers < storm.len() {
                    assert!(line.receive(WAIT).unwrap().is_some(), "{answers} answers");
                    answers += 1;
                }
            });
        }
    });
    for index in 4..24 {
        until_balance(&server, &key, index, 0);
    }
    // What was used is not taken back, and the bank is told 00 all the same.
    let used = bank.sale(3, &number(3), RS_100);
    assert_eq!(code(&mut line, &used), "00");
    let api = Api::new(&server.url, &key);
    let bundles = api.see("/v1/operators/jazz/bundles");
    let cheap = bundles["bundles"]
        .as_array()
        .unwrap()
        .iter()
        .find(|bundle| Money::parse(bundle["price"].as_str().unwrap()).unwrap() < Money::from_units(60));
    let bundle = cheap.expect("a bundle under Rs 60")["code"].clone();
    let numbers = format!("/v1/subscribers/{}/bundles", number(3));
    api.done(&numbers, "buy", &json!({"bundle": bundle}));
    let left = balance(&server, &key, 3);
    assert!((1..CREDITED).contains(&left));
    assert_eq!(code(&mut line, &bank.reversal(&used, false)), "00");
    until_balance(&server, &key, 3, 0);
    assert_eq!(balance(&server, &key, 1), 0);
    audited(&place, server);
}

#[test]
fn card_data_is_refused_and_found_nowhere() {
    let place = Place::new("");
    place.configure_with("", "trace", &config(""));
    let log = place.path("log");
    let (server, key) = start(&place, Some(&log), 1, "1000");
    let bank = Profile::plain("100100");
    let mut line = open(&server, &bank);
    let pan = "4929557218460139";
    let track = "4929557218460139=30121010000000000000";
    // DE2 and DE35 in a message that is right otherwise; and one that breaks off inside the card.
    let mut octets = bank.sale(1, "03001234500", RS_100).encode();
    octets[4..20].copy_from_slice(b"7238400108C18000");
    let at = 20;
    octets.splice(at..at, format!("16{pan}").into_bytes());
    let whole = octets.clone();
    for message in [
        whole,
        format!("02004000000000000000169{pan}").into_bytes(),
        format!("0420002000002000000037{track}").into_bytes(),
    ] {
        line.send_octets(&wire::iso8583::framed(Prefix::Binary, &message))
            .unwrap();
        let answer = line.receive(WAIT).unwrap().expect("an answer");
        assert_eq!(answer.get(39), Some("30"));
        assert_eq!(answer.get(2), None);
    }
    assert_eq!(code(&mut line, &bank.sale(2, "03001234500", RS_100)), "00");
    assert_eq!(balance(&server, &key, 0), CREDITED);
    audited(&place, server);
    let mut seen = 0;
    scan(&place.data(), pan.as_bytes(), &mut seen);
    scan(&log, pan.as_bytes(), &mut seen);
    assert!(seen > 2, "only {seen} files");
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("card data"), "the refusal is told");
}

fn scan(path: &Path, secret: &[u8], seen: &mut usize) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            scan(&entry.unwrap().path(), secret, seen);
        }
        return;
    }
    *seen += 1;
    let octets = std::fs::read(path).unwrap();
    let found = octets.windows(secret.len()).any(|window| window == secret);
    assert!(!found, "card data in {}", path.display());
}

#[test]
fn a_thousand_connections_garbage_and_slow_writers_do_no_harm() {
    const LINES: u32 = 1_200;
    let place = Place::new(&config(""));
    let (server, key) = start(&place, None, 40, "1000000");
    let bank = Profile::plain("100100");
    let mut lines: Vec<Line> = (0..LINES).map(|_| open(&server, &bank)).collect();
    // Slow: the first octets of a message, and no more for now.
    let mut slow = open(&server, &bank);
    let octets = bank.octets(&bank.sale(900_000, &number(0), RS_100));
    slow.send_octets(&octets[..7]).unwrap();
    // Garbage in every form.
    let mut random = StdRng::seed_from_u64(1);
    for round in 0..200 {
        let mut line = open(&server, &bank);
        let mut garbage: Vec<u8> = (0..random.random_range(1..600))
            .map(|_| random.random())
            .collect();
        if round % 2 == 0 {
            garbage = bank.octets(&bank.sale(500_000 + round, &number(0), RS_100));
            let at = random.random_range(2..70);
            garbage[at] = random.random_range(128..=255);
        }
        // The other side may hang up first.
        let _ = line.send_octets(&garbage);
        let _ = line.receive(Duration::from_millis(1));
    }
    for (at, line) in lines.iter_mut().enumerate() {
        line.send(&bank.sale(at as u32, &number(at % 40), RS_100))
            .unwrap();
    }
    for line in &mut lines {
        let answer = line.receive(WAIT).unwrap().expect("an answer");
        assert_eq!(answer.get(39), Some("00"));
    }
    for octet in &octets[7..] {
        slow.send_octets(&[*octet]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(slow.receive(WAIT).unwrap().unwrap().get(39), Some("00"));
    for index in 1..40 {
        assert_eq!(balance(&server, &key, index), i64::from(LINES / 40) * CREDITED);
    }
    assert_eq!(balance(&server, &key, 0), i64::from(LINES / 40 + 1) * CREDITED);
    audited(&place, server);
}

/// What a bank knows of its sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Book {
    /// Nothing was heard.
    Open,
    /// Told 00.
    Sold,
    /// Told no.
    Refused,
    /// Its reversal was told 00.
    Reversed,
}

#[test]
fn killed_between_request_and_answer_there_is_one_credit_or_none() {
    const ROUNDS: u32 = 8;
    // From the eighth unspent credit of a number on the oldest are joined, and cannot be told apart any more.
    const NUMBERS: usize = 80;
    let seed: u64 = std::env::var("RASEED_CRASH_SEED")
        .ok()
        .map_or_else(rand::random, |text| text.parse().unwrap());
    println!("RASEED_CRASH_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let place = Place::new(&config(""));
    let (server, key) = start(&place, None, NUMBERS, "1000000");
    server.kill();
    let bank = Profile::plain("100100");
    let mut book: BTreeMap<u32, Book> = BTreeMap::new();
    // What a reversal was sent for counts as open until that is answered.
    let mut reversing: BTreeSet<u32> = BTreeSet::new();
    let mut next = 1;
    for _ in 0..ROUNDS {
        let server = place.serve();
        let mut line = open(&server, &bank);
        // Repeats and reversals of what the kill left open, among new sales.
        let open_ones: Vec<u32> = book
            .iter()
            .filter(|(_, state)| **state == Book::Open)
            .map(|(number, _)| *number)
            .collect();
        let mut wanted: Vec<(u32, Message)> = Vec::new();
        for sale in open_ones {
            let message = bank.sale(sale, &number(sale as usize % NUMBERS), RS_100);
            let again = if !reversing.contains(&sale) && random.random_bool(0.4) {
                bank.repeat(&message)
            } else {
                reversing.insert(sale);
                bank.reversal(&message, false)
            };
            wanted.push((sale, again));
        }
        for _ in 0..60 {
            let message = bank.sale(next, &number(next as usize % NUMBERS), RS_100);
            book.insert(next, Book::Open);
            wanted.push((next, message.clone()));
            if random.random_bool(0.2) {
                reversing.insert(next);
                wanted.push((next, bank.reversal(&message, false)));
            }
            next += 1;
        }
        for (_, message) in &wanted {
            line.send(message).unwrap();
        }
        // Some answers come before the kill; the others are lost.
        for _ in 0..random.random_range(0..60) {
            let Ok(Some(answer)) = line.receive(Duration::from_millis(200)) else {
                break;
            };
            hear(&mut book, &reversing, &answer);
        }
        server.kill();
        while let Ok(Some(answer)) = line.receive(Duration::from_millis(50)) {
            hear(&mut book, &reversing, &answer);
        }
    }
    // Store and forward: what is still open is reversed until the bank is told.
    let server = place.serve();
    let mut line = open(&server, &bank);
    for (sale, state) in &mut book {
        if *state == Book::Open {
            let message = bank.sale(*sale, &number(*sale as usize % NUMBERS), RS_100);
            assert_eq!(code(&mut line, &bank.reversal(&message, true)), "00");
            *state = Book::Reversed;
        }
    }
    for index in 0..NUMBERS {
        let sold = book
            .iter()
            .filter(|(sale, state)| **sale as usize % NUMBERS == index && **state == Book::Sold)
            .count();
        until_balance(&server, &key, index, i64::try_from(sold).unwrap() * CREDITED);
    }
    // Nothing of it comes to life by a late copy.
    for (sale, state) in book
        .iter()
        .filter(|(_, state)| **state == Book::Reversed)
        .take(50)
    {
        let message = bank.sale(*sale, &number(*sale as usize % NUMBERS), RS_100);
        let told = code(&mut line, &bank.repeat(&message));
        assert_eq!(told, "94", "{state:?}");
    }
    let sold = book.values().filter(|state| **state == Book::Sold).count();
    let credited: i64 = (0..NUMBERS).map(|index| balance(&server, &key, index)).sum();
    assert_eq!(credited, i64::try_from(sold).unwrap() * CREDITED);
    audited(&place, server);
}

/// The word on a reversal is the last one.
fn hear(book: &mut BTreeMap<u32, Book>, reversing: &BTreeSet<u32>, answer: &Message) {
    let sale: u32 = answer.get(37).unwrap().parse().unwrap();
    let told = match (answer.mti, answer.get(39)) {
        (Mti(430), Some("00")) => Book::Reversed,
        (Mti(210), Some("00")) => Book::Sold,
        (Mti(210), Some(_)) => Book::Refused,
        other => panic!("{other:?}"),
    };
    let state = book.entry(sale).or_insert(Book::Open);
    if told == Book::Reversed || (*state != Book::Reversed && !reversing.contains(&sale)) {
        *state = told;
    }
}
