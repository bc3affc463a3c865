//! 1LINK 1BILL against the real binary, over real sockets: a payment is credited once or not at all, whatever the bank's line
//! does, whenever we are killed; and what a bad bank sends gets the protocol's word and moves nothing.

mod harness;
mod leaks;

use charge::Money;
use harness::{Api, PATIENCE, Place, Server};
use leaks::Hidden;
use serde_json::{Value, json};
use sim::banks::Trouble;
use sim::banks::bad::{Bad, Wanted, messages};
use sim::banks::onebill::{Heard, PAYMENT, Payment, Profile, Switch};
use std::net::SocketAddr;
use std::time::Duration;

const PARTNER: u32 = 7_002;
/// What Rs 100 buy, less advance income tax.
const CREDITED: i64 = 86_956_522;
const RS_100: u64 = 10_000;
const PASSWORD: &str = "correct horse battery staple";
/// SHA-256 of it.
const HASH: &str = "c4bbcb1fbec99d65bf59d85c8cb62ee2db963f0fe106f483d9afa73bd4e39a8a";
/// SHA-256 of `far and away`.
const FAR_HASH: &str = "adb3d3a9912b7cfd69ab7cdb1d112289b9c4e086523dc897be8795b922745594";
const CARD: &str = "4929557218460139";
const CNIC: &str = "3520212345671";
const NUMBERS: usize = 20;

/// HBL hears 03 for a repeat, MCB the first answer; FAR calls from elsewhere.
fn config() -> String {
    let mut text =
        "[engine]\npartitions = 5\nsnapshot_interval_s = 1\ncache_mib = 16\n[banks.onebill]\nlisten = \
                    ['127.0.0.1:0']\n"
            .to_owned();
    for (code, duplicate, address, hash) in [
        ("HBL", "03", "127.0.0.1", HASH),
        ("MCB", "original", "127.0.0.1", HASH),
        ("FAR", "03", "10.0.0.0/8", FAR_HASH),
    ] {
        text += &format!(
            "[[banks.bank]]\ncode = '{}'\npartner = {PARTNER}\naddresses = ['{address}']\n[banks.bank.onebill]\n\
             mnemonic = '{code}'\nusername = 'link'\npassword_sha256 = '{hash}'\nduplicate = '{duplicate}'\n",
            code.to_lowercase()
        );
    }
    text
}

fn profile(mnemonic: &str, password: &str) -> Profile {
    Profile {
        mnemonic: mnemonic.to_owned(),
        username: "link".to_owned(),
        password: password.to_owned(),
    }
}

fn address(server: &Server) -> SocketAddr {
    server.ready["onebill"][0].as_str().unwrap().parse().unwrap()
}

fn bank(server: &Server, mnemonic: &str) -> Switch {
    Switch::new(profile(mnemonic, PASSWORD), address(server), PATIENCE)
}

fn number(index: usize) -> String {
    format!("030012345{index:02}")
}

fn payment(number_of: u32) -> Payment {
    Payment::of(number_of, &number(number_of as usize % NUMBERS), RS_100)
}

/// A server with a funded partner and numbers to recharge.
fn start(server: Server) -> (Server, Api) {
    let api = Api::new(&server.url, server.key.as_deref().unwrap());
    let partner = json!({"id": PARTNER, "name": "Bank", "code": "bank", "scopes": ["topup", "read"],
        "operators": ["jazz"]});
    api.done("/v1/partners", "bank", &partner);
    let float = json!({"amount": "1000000", "reference": "start"});
    api.done(&format!("/v1/partners/{PARTNER}/float"), "bank", &float);
    for index in 0..NUMBERS {
        let msisdn = format!("92{}", &number(index)[1..]);
        api.done("/v1/subscribers", "", &json!({"msisdn": msisdn}));
    }
    let zong = json!({"msisdn": "923121234567", "operator": "zong"});
    api.done("/v1/subscribers", "", &zong);
    (server, api)
}

fn balance(api: &Api, index: usize) -> i64 {
    let account = api.see(&format!("/v1/subscribers/92{}/balance", &number(index)[1..]));
    Money::parse(account["main"].as_str().unwrap()).unwrap().0
}

fn float(api: &Api) -> Value {
    api.see(&format!("/v1/partners/{PARTNER}"))["float"].clone()
}

#[track_caller]
fn audited(place: &Place, server: Server) {
    assert_eq!(server.terminate(), 0);
    let audit = place.run_here(&["audit"]).json();
    assert_eq!(audit["ok"], true, "{audit}");
}

#[test]
fn inquiries_and_payments_are_answered_as_the_profile_says() {
    let place = Place::new(&config());
    let (server, api) = start(place.serve());
    let (hbl, mcb) = (bank(&server, "HBL"), bank(&server, "MCB"));
    let (status, bill) = hbl.inquire(&number(0)).unwrap();
    assert_eq!(status, 200);
    // Prepaid: the payer types the amount, so amounts and dates are spaces, each in its width.
    let spaces = |width: usize| " ".repeat(width);
    let wanted = json!({"response_Code": "00", "consumer_Detail": format!("{:<30}", "PREPAID"), "bill_status": "U",
        "due_date": spaces(8), "amount_within_dueDate": spaces(14), "amount_after_dueDate": spaces(14),
        "billing_month": spaces(4), "date_paid": spaces(8), "amount_paid": spaces(12), "tran_auth_Id": spaces(6),
        "reserved": ""});
    assert_eq!(bill, wanted);
    let code = |consumer: &str| hbl.inquire(consumer).unwrap().1["response_Code"].clone();
    assert_eq!(code("03001239999"), "01", "nobody's number");
    assert_eq!(code("0300x"), "04");
    assert_eq!(code(""), "04");
    // Paid once; a repeat is 03, or for another bank the first answer. Exactly three fields come back.
    let first = payment(1);
    let (_, answer) = hbl
        .exchange(
            PAYMENT,
            first.body(&hbl.profile).to_string().as_bytes(),
            Trouble::None,
        )
        .unwrap()
        .unwrap();
    let receipt = answer["identification_parameter"].as_str().unwrap().to_owned();
    let paid = json!({"response_Code": "00", "reserved": "", "identification_parameter": receipt});
    assert_eq!(answer, paid);
    let refused = |code: &str| Heard::Refused(code.to_owned());
    assert_eq!(hbl.pay(&first, Trouble::None), refused("03"));
    let dearer = Payment {
        paisa: 2 * RS_100,
        ..first.clone()
    };
    assert_eq!(
        hbl.pay(&dearer, Trouble::None),
        refused("03"),
        "the same key, another amount"
    );
    assert_eq!(
        mcb.pay(&dearer, Trouble::None).clone(),
        mcb.pay(&dearer, Trouble::None)
    );
    assert_eq!(
        mcb.pay(&first, Trouble::None),
        refused("03"),
        "the same key, another amount"
    );
    // Another time, another payment.
    let later = Payment {
        time: "160111".to_owned(),
        ..first.clone()
    };
    assert!(matches!(hbl.pay(&later, Trouble::None), Heard::Paid(_)));
    let twice = 2 * CREDITED;
    assert!(
        balance(&api, 1) > twice,
        "{} and Rs 200 of the other bank",
        balance(&api, 1)
    );
    // A refusal stays, also when the number exists by then.
    let early = Payment::of(7, "03001239999", RS_100);
    assert_eq!(hbl.pay(&early, Trouble::None), refused("01"));
    api.done("/v1/subscribers", "", &json!({"msisdn": "923001239999"}));
    assert_eq!(hbl.pay(&early, Trouble::None), refused("01"));
    // A blocked number: told by the inquiry, and not sold.
    suspend(&server, &number(9));
    let (_, bill) = hbl.inquire(&number(9)).unwrap();
    assert_eq!(
        (&bill["response_Code"], &bill["bill_status"]),
        (&json!("02"), &json!("B"))
    );
    assert_eq!(hbl.pay(&payment(9), Trouble::None), refused("02"));
    verified(&place, &api, &receipt);
    // The bank finds it in the partner's settlement file, with all that it knows it by.
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(5)));
    let path = format!(
        "{}/v1/reports/partners/{PARTNER}/settlement?partial=true&day={}",
        server.url,
        today.date()
    );
    let key = server.key.as_deref().unwrap();
    let trace = format!(",1b.hbl.{}.000001.20260901.160110,sale,", number(1));
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let mut file = ureq::get(&path)
            .header("authorization", format!("Bearer {key}"))
            .call()
            .unwrap();
        let file = file.body_mut().read_to_string().unwrap();
        if file.contains(&trace) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{file}");
        std::thread::sleep(Duration::from_millis(20));
    }
    bundle(&api, &mcb);
    audited(&place, server);
}

fn suspend(server: &Server, number: &str) {
    let key = server.key.as_deref().unwrap();
    let status = ureq::patch(format!("{}/v1/subscribers/92{}", server.url, &number[1..]))
        .header("authorization", format!("Bearer {key}"))
        .send_json(json!({"state": "suspended"}))
        .unwrap()
        .status();
    assert!(status.is_success(), "{status}");
}

/// The identification of a payment is a receipt that anybody can check, on the page and without us.
fn verified(place: &Place, api: &Api, coded: &str) {
    let number = coded.split('.').next().unwrap();
    let path = format!("/v1/receipts/{number}");
    let deadline = std::time::Instant::now() + PATIENCE;
    let answer = loop {
        if let Some((200, answer)) = api.get(&path) {
            break answer;
        }
        assert!(std::time::Instant::now() < deadline, "the receipt did not come");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(answer["check"], coded);
    let keys = api.see("/.well-known/raseed-receipt-keys.json");
    std::fs::write(place.path("keys.json"), keys.to_string()).unwrap();
    let signed = answer["signed"].as_str().unwrap();
    let proved = place
        .run(&["--json", "receipt", "verify", signed, "--key", "keys.json"])
        .json();
    assert_eq!(
        (&proved["genuine"], &proved["gross"]),
        (&json!(true), &json!("100.00"))
    );
}

/// A bundle in `reserved` is bought with the credit, once; one that costs more than was paid is refused.
fn bundle(api: &Api, bank: &Switch) {
    let bundles = api.see("/v1/operators/jazz/bundles");
    let bundles = bundles["bundles"].as_array().unwrap();
    let price = |bundle: &Value| Money::parse(bundle["price"].as_str().unwrap()).unwrap();
    let cheap = bundles
        .iter()
        .find(|bundle| price(bundle) < Money::from_units(60));
    let cheap = cheap.expect("a bundle under Rs 60");
    let dear = bundles
        .iter()
        .find(|bundle| price(bundle) > Money::from_units(120));
    let before = balance(api, 12);
    let code = |bundle: &Value| bundle["code"].as_str().unwrap().to_owned();
    let sale = payment(12).with_bundle(&code(cheap));
    let told = bank.pay(&sale, Trouble::None);
    assert!(matches!(told, Heard::Paid(_)), "{told:?}");
    assert_eq!(bank.pay(&sale, Trouble::None), told);
    let after = balance(api, 12);
    assert_eq!(after, before + CREDITED - price(cheap).0);
    let too_dear = payment(32).with_bundle(&code(dear.expect("a bundle over Rs 120")));
    assert_eq!(
        bank.pay(&too_dear, Trouble::None),
        Heard::Refused("02".to_owned())
    );
    assert_eq!(balance(api, 12), after);
}

#[test]
fn lost_late_repeated_and_reordered_messages_are_credited_once() {
    let seed: u64 = seed();
    let place = Place::new(&config());
    let (server, api) = start(place.serve());
    for (at, mnemonic) in ["HBL", "MCB"].into_iter().enumerate() {
        let bank = bank(&server, mnemonic);
        let first = 1_000 * (at as u32 + 1);
        let payments: Vec<Payment> = (first..first + 120).map(payment).collect();
        let before: Vec<i64> = (0..NUMBERS).map(|index| balance(&api, index)).collect();
        bank.storm(&payments, seed);
        assert!(bank.settle(PATIENCE), "the bank is never answered");
        for (payment, entry) in bank.book().values() {
            assert!(entry.sent > 0, "{payment:?}");
            match (mnemonic, &entry.refused) {
                // Heard of its repeat only: it is paid.
                ("HBL", Some(code)) => assert_eq!(code, "03", "{payment:?} {entry:?}"),
                _ => assert!(
                    entry.receipt.is_some() && entry.refused.is_none(),
                    "{payment:?} {entry:?}"
                ),
            }
        }
        for (index, before) in before.iter().enumerate() {
            let of_number = payments
                .iter()
                .filter(|payment| payment.consumer == number(index));
            let wanted = before + CREDITED * i64::try_from(of_number.count()).unwrap();
            assert_eq!(balance(&api, index), wanted, "seed {seed}, number {index}");
        }
    }
    audited(&place, server);
}

/// A payment whose end is not known yet is answered 503, and may be asked again at once.
#[test]
fn a_busy_biller_says_so_and_is_asked_again() {
    const PAYMENTS: u32 = 100;
    let place = Place::new(&config().replace(
        "partitions = 5",
        "partitions = 3\nthreads = 1\nwaiting_commands_max = 2",
    ));
    let (server, api) = start(place.serve());
    let bank = bank(&server, "MCB");
    let payments: Vec<Payment> = (0..PAYMENTS).map(payment).collect();
    let not_now = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for some in payments.chunks(10) {
            let (bank, not_now) = (&bank, &not_now);
            threads.spawn(move || {
                for payment in some {
                    let deadline = std::time::Instant::now() + PATIENCE;
                    loop {
                        match bank.pay(payment, Trouble::None) {
                            Heard::Paid(_) => break,
                            Heard::NotNow => not_now.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
                            other => panic!("{other:?}"),
                        };
                        assert!(std::time::Instant::now() < deadline, "never answered");
                    }
                }
            });
        }
    });
    assert!(not_now.into_inner() > 0, "it was never busy");
    for index in 0..NUMBERS {
        let sold = i64::from(PAYMENTS) / i64::try_from(NUMBERS).unwrap();
        assert_eq!(balance_soon(&api, index), sold * CREDITED);
    }
    audited(&place, server);
}

/// The balance, once the engine has time to say it.
fn balance_soon(api: &Api, index: usize) -> i64 {
    let path = format!("/v1/subscribers/92{}/balance", &number(index)[1..]);
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some((200, account)) = api.get(&path) {
            return Money::parse(account["main"].as_str().unwrap()).unwrap().0;
        }
        assert!(std::time::Instant::now() < deadline, "no balance");
    }
}

fn seed() -> u64 {
    let seed = std::env::var("RASEED_CRASH_SEED").ok();
    let seed = seed.map_or_else(rand::random, |text| text.parse().unwrap());
    println!("RASEED_CRASH_SEED={seed}");
    seed
}

/// Where a message is when we are killed.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Half of it has arrived.
    HalfThere,
    /// So many milliseconds after it has left the bank.
    After(u64),
    /// It is answered.
    Answered,
}

#[test]
fn killed_at_each_step_of_a_payment_there_is_one_credit_or_none() {
    let place = Place::new(&config());
    let (server, _) = start(place.serve());
    let key = server.key.clone().unwrap();
    server.kill();
    let steps = [
        Step::HalfThere,
        Step::After(0),
        Step::After(1),
        Step::After(2),
        Step::After(3),
        Step::After(5),
        Step::After(8),
        Step::After(13),
        Step::After(30),
        Step::Answered,
    ];
    let mut paid = [0_i64; NUMBERS];
    for (round, step) in steps.into_iter().enumerate() {
        let server = place.serve();
        let mut bank = bank(&server, if round % 2 == 0 { "MCB" } else { "HBL" });
        let payments: Vec<Payment> = (0..12).map(|at| payment(round as u32 * 100 + at)).collect();
        let trouble = match step {
            Step::HalfThere => Trouble::Cut,
            _ => Trouble::None,
        };
        std::thread::scope(|threads| {
            let bank = &bank;
            let sent: Vec<_> = payments
                .iter()
                .map(|payment| threads.spawn(move || bank.pay(payment, trouble)))
                .collect();
            match step {
                Step::After(ms) => std::thread::sleep(Duration::from_millis(ms)),
                Step::HalfThere | Step::Answered => {
                    sent.into_iter().for_each(|thread| _ = thread.join().unwrap());
                }
            }
            server.kill();
        });
        let told_before = bank.book();
        let server = place.serve();
        bank.call(address(&server));
        let api = Api::new(&server.url, &key);
        // Before the bank has said anything again: one credit or none, and one for each that was told 00.
        for (index, paid) in paid.iter().enumerate() {
            let new = (balance(&api, index) - paid * CREDITED) / CREDITED;
            let of_number = |payment: &&Payment| payment.consumer == number(index);
            let sent = i64::try_from(payments.iter().filter(of_number).count()).unwrap();
            let told = told_before
                .values()
                .filter(|(payment, entry)| of_number(&payment) && entry.receipt.is_some());
            let told = i64::try_from(told.count()).unwrap();
            assert!(
                (told..=sent).contains(&new),
                "{step:?}: {new} credits of {sent}, {told} told"
            );
        }
        // The bank asks again until it is answered, and then once more.
        assert!(bank.settle(PATIENCE), "{step:?}");
        for payment in &payments {
            let again = bank.pay(payment, Trouble::None);
            let known = match again {
                Heard::Refused(code) => bank.profile.mnemonic == "HBL" && code == "03",
                Heard::Paid(receipt) => bank.profile.mnemonic == "MCB" && !receipt.is_empty(),
                _ => false,
            };
            assert!(known, "{step:?} {payment:?}");
        }
        for payment in &payments {
            let index: usize = payment.consumer[9..].parse().unwrap();
            paid[index] += 1;
        }
        for (index, paid) in paid.iter().enumerate() {
            assert_eq!(balance(&api, index), paid * CREDITED, "{step:?}, number {index}");
        }
        server.kill();
    }
    audited(&place, place.serve());
}

#[test]
fn a_bad_bank_is_told_so_and_nothing_moves() {
    let place = Place::new("");
    place.configure_with("", "trace", &config());
    let log = place.path("log");
    let (server, api) = start(place.serve_logged(&log));
    let hbl = bank(&server, "HBL");
    let good = Payment::of(1, &number(0), RS_100);
    let (before, left) = (balance(&api, 0), float(&api));
    let patient = Switch::new(hbl.profile.clone(), address(&server), Duration::from_secs(10));
    let mut count = 0;
    for Bad { what, octets, wanted } in messages(&hbl.profile, &good) {
        let answer = patient.raw(&octets).ok().flatten();
        match (&wanted, &answer) {
            (Wanted::Anything, _) => {}
            (Wanted::Status(status), Some((told, _))) => assert_eq!(told, status, "{what}"),
            (Wanted::Code(code), Some((200, body))) => {
                assert_eq!(body["response_Code"], *code, "{what}: {body}");
            }
            _ => panic!("{what}: wanted {wanted:?}, told {answer:?}"),
        }
        count += 1;
    }
    assert!(count > 60, "only {count} bad messages");
    // A number of another operator, for which this bank's partner does not sell.
    assert_eq!(hbl.inquire("03121234567").unwrap().1["response_Code"], "01");
    let elsewhere = Payment::of(2, "03121234567", RS_100);
    assert_eq!(
        hbl.pay(&elsewhere, Trouble::None),
        Heard::Refused("01".to_owned())
    );
    // The right credentials of a bank from an address that is not its own.
    let far = Switch::new(profile("FAR", "far and away"), address(&server), PATIENCE);
    assert_eq!(far.pay(&good, Trouble::None), Heard::Http(401));
    // The name of a bank with the credentials of another.
    let posing = Switch::new(profile("FAR", PASSWORD), address(&server), PATIENCE);
    assert_eq!(posing.pay(&good, Trouble::None), Heard::Refused("04".to_owned()));
    assert_eq!(
        (balance(&api, 0), float(&api)),
        (before, left.clone()),
        "nothing has moved"
    );
    // And the good one is good.
    assert!(matches!(hbl.pay(&good, Trouble::None), Heard::Paid(_)));
    // What a bank writes beside it is not kept, and neither is a card that comes as a number.
    let careless = Payment {
        reserved: format!("CNIC={CNIC};Card={CARD}"),
        ..Payment::of(3, &number(0), RS_100)
    };
    assert!(matches!(hbl.pay(&careless, Trouble::None), Heard::Paid(_)));
    assert_eq!(balance(&api, 0), before + 2 * CREDITED);
    assert_eq!(hbl.inquire(CARD).unwrap().1["response_Code"], "01");
    assert_eq!(
        hbl.pay(&Payment::of(4, CARD, RS_100), Trouble::None),
        Heard::Refused("01".to_owned())
    );
    audited(&place, server);
    let mut hidden = Hidden::default();
    hidden.add("a bank's password", PASSWORD);
    hidden.add("another bank's password", "far and away");
    hidden.add("a card number", CARD);
    hidden.add("an identity card", CNIC);
    hidden.are_in_none_of(&log, &place.data());
}

#[test]
fn nobody_is_listened_to_from_elsewhere() {
    let place = Place::new(&config().replace("127.0.0.1'", "10.1.0.0/16'"));
    let (server, api) = start(place.serve());
    let left = float(&api);
    let hbl = bank(&server, "HBL");
    assert_eq!(hbl.pay(&payment(1), Trouble::None), Heard::Http(403));
    assert_eq!(hbl.inquire(&number(1)).unwrap().0, 403);
    assert_eq!((balance(&api, 1), float(&api)), (0, left));
    audited(&place, server);
}
