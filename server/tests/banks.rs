//! Banks' cash machines against the real binary, over real sockets: each sale is credited once or not at all, whatever is
//! repeated, lost, out of order, forged or cut off by a kill.

mod harness;
mod leaks;

use charge::Money;
use harness::{Api, PATIENCE, Place, Server};
use leaks::Hidden;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use sim::banks::atm::{Line, Profile};
use sim::banks::host::{Host, Sale};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use wire::iso8583::{Message, Mti, Prefix};

const PARTNER: u32 = 7_001;
/// What Rs 100 buy, less advance income tax.
const CREDITED: i64 = 86_956_522;
const RS_100: u64 = 10_000;
/// What stands in DE52 and DE55 of a message that should not have them.
const PIN_BLOCK: &str = "9F3A61C08D2B74E5";
const CHIP: &str = "9F2608A1B2C3D4E5F60718";
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
    verified(&place, &server, &key);
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

/// The first sale's receipt can be checked without us.
fn verified(place: &Place, server: &Server, key: &str) {
    let made = server.run(
        key,
        &["--json", "partner", "key", "7001", "--scopes", "topup,read"],
    );
    let api = Api::new(&server.url, made.json()["key"].as_str().unwrap());
    let known = "87a.0901000000.000001.100100.000000000001.ATM00001";
    let sold = api.see(&format!("/v1/topups?external_id={known}"));
    let receipt = sold["topups"][0]["receipt"].as_str().or(sold["receipt"].as_str());
    let path = format!("/v1/receipts/{}", receipt.unwrap_or_else(|| panic!("{sold}")));
    let deadline = std::time::Instant::now() + PATIENCE;
    let signed = loop {
        if let Some((200, answer)) = api.get(&path) {
            break answer["signed"].as_str().unwrap().to_owned();
        }
        assert!(std::time::Instant::now() < deadline, "the receipt did not come");
        std::thread::sleep(Duration::from_millis(20));
    };
    let keys = api.see("/.well-known/raseed-receipt-keys.json");
    std::fs::write(place.path("keys.json"), keys.to_string()).unwrap();
    let proved = place
        .run(&["--json", "receipt", "verify", &signed, "--key", "keys.json"])
        .json();
    assert_eq!(
        (&proved["genuine"], &proved["gross"]),
        (&json!(true), &json!("100.00"))
    );
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
    // Of another amount: accepted, nothing moves, staff has it; and the right one is taken back later.
    let other = bank.sale(3_000, &number(2), RS_100);
    assert_eq!(code(&mut line, &other), "00");
    let mut less = bank.reversal(&other, false);
    assert!(less.set(4, "000000005000"));
    let api = Api::new(&server.url, &key);
    for _ in 0..2 {
        assert_eq!(code(&mut line, &less), "00");
    }
    assert_eq!(balance(&server, &key, 2), CREDITED);
    let of_another_amount = settled("0.00");
    assert_eq!(to_settle(&api), std::slice::from_ref(&of_another_amount));
    assert_eq!(code(&mut line, &bank.reversal(&other, true)), "00");
    until_balance(&server, &key, 2, 0);
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
    // What was used is not taken back: the advice is accepted, again and again, and staff has it to settle.
    let used = bank.sale(3, &number(3), RS_100);
    assert_eq!(code(&mut line, &used), "00");
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
    for again in [false, true, true] {
        assert_eq!(code(&mut line, &bank.reversal(&used, again)), "00");
    }
    until_balance(&server, &key, 3, 0);
    let gross = |balance: i64| Money(balance).mul_div(100_000_000, CREDITED, charge::money::Rounding::Down);
    let mut expected = [of_another_amount, settled(&gross(left).exact())];
    expected.sort();
    assert_eq!(to_settle(&api), expected);
    assert_eq!(balance(&server, &key, 1), 0);
    audited(&place, server);
}

/// What waits for staff: kind, what the bank paid, what was given back.
fn to_settle(api: &Api) -> Vec<(String, String, String)> {
    let all = api.see("/v1/exceptions");
    let text = |one: &serde_json::Value, name: &str| one[name].as_str().unwrap().to_owned();
    let open = all["exceptions"].as_array().unwrap().iter();
    let of_bank = open.filter(|one| one["rail"] == format!("bank.{PARTNER}"));
    let mut all: Vec<_> = of_bank
        .map(|one| (text(one, "kind"), text(one, "file"), text(one, "books")))
        .collect();
    all.sort();
    all
}

/// What staff has of a sale of Rs 100 that was not taken back, or only so much of it.
fn settled(taken: &str) -> (String, String, String) {
    ("not-taken-back".to_owned(), "100.00".to_owned(), taken.to_owned())
}

/// More than two dozen unspent credits of a number in a day: the oldest are joined, and cannot be told apart any more.
#[test]
fn what_cannot_be_told_apart_is_not_taken_back_and_the_bank_is_told_so_where_it_wants_to_know() {
    let reads = "[[banks.bank]]\ncode = 'reads'\ninstitution = '100400'\npartner = 7001\naddresses = \
                 ['127.0.0.1']\nreversal = 'truth'\n";
    let place = Place::new(&(config("") + reads));
    let (server, key) = start(&place, None, 1, "10000");
    let bank = Profile::plain("100400");
    let mut line = open(&server, &bank);
    let sales: Vec<Message> = (1..=30).map(|at| bank.sale(at, &number(0), RS_100)).collect();
    for sale in &sales {
        assert_eq!(code(&mut line, sale), "00");
    }
    assert_eq!(balance(&server, &key, 0), 30 * CREDITED);
    let api = Api::new(&server.url, &key);
    let float = || api.see(&format!("/v1/partners/{PARTNER}"))["float"].clone();
    let before = float();
    for again in [false, true] {
        assert_eq!(code(&mut line, &bank.reversal(&sales[0], again)), "21");
    }
    // The sale stands, and so it is said.
    assert_eq!(code(&mut line, &bank.repeat(&sales[0])), "00");
    assert_eq!((balance(&server, &key, 0), float()), (30 * CREDITED, before));
    let one = settled("0.00");
    assert_eq!(to_settle(&api), std::slice::from_ref(&one));
    // Of another amount it is told too.
    let mut less = bank.reversal(&sales[28], false);
    assert!(less.set(4, "000000005000"));
    assert_eq!(code(&mut line, &less), "13");
    assert_eq!(to_settle(&api), [one.clone(), one.clone()]);
    // The newest are apart.
    assert_eq!(code(&mut line, &bank.reversal(&sales[29], false)), "00");
    until_balance(&server, &key, 0, 29 * CREDITED);
    // A bank that did not ask for that hears 00, and repeats nothing; staff has it all the same.
    let again = Profile::plain("100100");
    let mut line = open(&server, &again);
    let sale = again.sale(50, &number(0), RS_100);
    assert_eq!(code(&mut line, &sale), "00");
    for at in 51..80 {
        assert_eq!(code(&mut line, &again.sale(at, &number(0), RS_100)), "00");
    }
    for repeat in [false, true] {
        assert_eq!(code(&mut line, &again.reversal(&sale, repeat)), "00");
    }
    assert_eq!(to_settle(&api), [one.clone(), one.clone(), one]);
    assert_eq!(balance(&server, &key, 0), 59 * CREDITED);
    audited(&place, server);
}

#[test]
fn a_bundle_is_bought_with_the_credit_once() {
    let place = Place::new(&config(""));
    let (server, key) = start(&place, None, 2, "10000");
    let api = Api::new(&server.url, &key);
    let bank = Profile::plain("100100");
    let mut line = open(&server, &bank);
    let bundles = api.see("/v1/operators/jazz/bundles");
    let price = |bundle: &serde_json::Value| Money::parse(bundle["price"].as_str().unwrap()).unwrap();
    let all = bundles["bundles"].as_array().unwrap();
    let cheap = all.iter().find(|bundle| price(bundle) < Money::from_units(60));
    let dear = all.iter().find(|bundle| price(bundle) > Money::from_units(120));
    let (cheap, dear) = (cheap.expect("under Rs 60"), dear.expect("over Rs 120"));
    let name = |bundle: &serde_json::Value| bundle["code"].as_str().unwrap().to_owned();
    let sale = bank.sale_of(1, &name(cheap), &number(0), RS_100);
    let first = line.ask(&sale, WAIT).unwrap().unwrap();
    assert_eq!(
        (first.get(39), first.get(38).map(str::len)),
        (Some("00"), Some(6))
    );
    for again in [sale.clone(), bank.repeat(&sale)] {
        assert_eq!(line.ask(&again, WAIT).unwrap().unwrap(), first);
    }
    let left = CREDITED - price(cheap).0;
    assert_eq!(balance(&server, &key, 0), left);
    let owned = api
        .see(&format!("/v1/subscribers/{}/balance", number(0)))
        .to_string();
    assert!(owned.contains(&format!("\"{}\"", name(cheap))), "{owned}");
    // Too little for it: refused before anything moves. The same key with another bundle is another request.
    assert_eq!(
        code(&mut line, &bank.sale_of(2, &name(dear), &number(0), RS_100)),
        "13"
    );
    assert_eq!(
        code(&mut line, &bank.sale_of(1, &name(dear), &number(0), RS_100)),
        "94"
    );
    // Nor is one without a bundle the same as one with it.
    assert_eq!(code(&mut line, &bank.sale(1, &number(0), RS_100)), "94");
    let plain = bank.sale(3, &number(1), RS_100);
    assert_eq!(code(&mut line, &plain), "00");
    assert_eq!(
        code(&mut line, &bank.sale_of(3, &name(cheap), &number(1), RS_100)),
        "94"
    );
    assert_eq!(
        (balance(&server, &key, 0), balance(&server, &key, 1)),
        (left, CREDITED)
    );
    // What the bundle has cost cannot be taken back.
    assert_eq!(code(&mut line, &bank.reversal(&sale, false)), "00");
    until_balance(&server, &key, 0, 0);
    assert_eq!(to_settle(&api).len(), 1);
    audited(&place, server);
}

#[test]
fn lost_late_repeated_and_reordered_messages_leave_both_books_the_same() {
    const NUMBERS: usize = 60;
    let seed: u64 = std::env::var("RASEED_CRASH_SEED")
        .ok()
        .map_or_else(rand::random, |text| text.parse().unwrap());
    println!("RASEED_CRASH_SEED={seed}");
    let place = Place::new(&config(""));
    let (server, key) = start(&place, None, NUMBERS, "1000000");
    let bank = Host::new(Profile::plain("100100"), host(&server), WAIT);
    let sales: Vec<Sale> = (1..=240)
        .map(|sale| Sale {
            number: sale,
            msisdn: number(sale as usize % NUMBERS),
            paisa: RS_100,
        })
        .collect();
    bank.storm(&sales, 5, seed);
    assert!(bank.forward(PATIENCE), "the bank is never answered");
    let book = bank.book();
    assert_eq!(book.len(), sales.len());
    for index in 0..NUMBERS {
        let of_number = book.iter().filter(|entry| entry.sale.msisdn == number(index));
        let sold = of_number.filter(|entry| entry.is_sold()).count();
        until_balance(&server, &key, index, i64::try_from(sold).unwrap() * CREDITED);
    }
    let sold = book.iter().filter(|entry| entry.is_sold()).count();
    assert!((1..sales.len()).contains(&sold), "{sold} sold");
    for entry in &book {
        // Nobody spent anything: what was reversed was reversed whole.
        assert!(
            entry.reversed.as_deref().is_none_or(|code| code == "00"),
            "{entry:?}"
        );
        assert!(
            matches!(entry.sold.as_deref(), None | Some("00" | "94")),
            "{entry:?}"
        );
    }
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
    // DE52 and DE55 behind the currency.
    let mut chip = bank.sale(3, "03001234500", RS_100).encode();
    chip[4..20].copy_from_slice(b"3238400108C19200");
    chip.extend_from_slice(PIN_BLOCK.as_bytes());
    chip.extend_from_slice(format!("{:03}{CHIP}", CHIP.len()).as_bytes());
    let mut with_pin = bank
        .reversal(&bank.sale(4, "03001234500", RS_100), false)
        .encode();
    with_pin.extend_from_slice(format!("PIN {PIN_BLOCK} {pan}").as_bytes());
    for message in [
        octets.clone(),
        chip,
        with_pin,
        format!("02004000000000000000169{pan}").into_bytes(),
        format!("0420002000002000000037{track}").into_bytes(),
    ] {
        line.send_octets(&wire::iso8583::framed(Prefix::Binary, &message))
            .unwrap();
        let answer = line.receive(WAIT).unwrap().expect("an answer");
        assert_eq!(answer.get(39), Some("30"));
        for card in [2, 14, 35, 36, 45, 52, 55] {
            assert_eq!(answer.get(card), None);
        }
    }
    assert_eq!(code(&mut line, &bank.sale(2, "03001234500", RS_100)), "00");
    assert_eq!(balance(&server, &key, 0), CREDITED);
    audited(&place, server);
    let mut hidden = Hidden::default();
    hidden.add("a card number", pan);
    hidden.add("a track", track);
    hidden.add("an encrypted PIN", PIN_BLOCK);
    hidden.add("chip data", CHIP);
    hidden.add("the key of the authentication code", KEY);
    hidden.are_in_none_of(&log, &place.data());
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("card data"), "the refusal is told");
}

#[test]
fn thousands_of_connections_garbage_and_slow_writers_do_no_harm() {
    const NUMBERS: usize = 60;
    let count = lines_allowed();
    let place = Place::new(&config(""));
    let (server, key) = start(&place, None, NUMBERS, "1000000");
    let bank = Profile::plain("100100");
    let mut lines: Vec<Line> = (0..count).map(|_| open(&server, &bank)).collect();
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
        line.send(&bank.sale(at as u32, &number(at % NUMBERS), RS_100))
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
    for index in 0..NUMBERS {
        // The slow one has sold to the first number.
        let sold = (index..count).step_by(NUMBERS).count() + usize::from(index == 0);
        assert_eq!(
            balance(&server, &key, index),
            i64::try_from(sold).unwrap() * CREDITED
        );
    }
    audited(&place, server);
}

/// Connections at once: thousands, or as many as this system lets one program have, which is said aloud.
fn lines_allowed() -> usize {
    const WANTED: usize = 2_520;
    // Files, the journal, the API's own connections.
    const OTHERS: usize = 300;
    let said = std::process::Command::new("sh")
        .args(["-c", "ulimit -n"])
        .output()
        .ok()
        .and_then(|ran| String::from_utf8(ran.stdout).ok());
    // "unlimited", or no shell: the wanted number.
    let files = said
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(usize::MAX);
    let allowed = WANTED.min(files.saturating_sub(OTHERS)).max(50);
    if allowed < WANTED {
        eprintln!(
            "ONLY {allowed} CONNECTIONS AT ONCE, NOT {WANTED}: this system allows {files} open files (ulimit -n)"
        );
    }
    allowed
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
    // Few for each number: more than two dozen unspent ones could not be told apart.
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
