//! The real binary, killed at random moments with payments under way: every rupee that the rail took is credited once or given
//! back once.

mod harness;
mod shop;

use charge::Money;
use charge::payment::PaymentState;
use harness::{Api, PATIENCE, Place, Server};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use shop::{Guest, HOSTED, Paid, Rail, WALLET, payments};
use sim::rails::{Direction, Misbehaviour};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Rounds of kill and restart.
const ROUNDS: u32 = 12;
/// Guests who pay at the same time, each for a number of their own.
const GUESTS: usize = 4;
/// Load before the kill, milliseconds.
const LOAD_MS: std::ops::Range<u64> = 150..1_200;
/// What Rs 100 buy, less advance income tax.
const CREDITED: i64 = 86_956_522;

#[test]
fn killed_at_random_moments_every_payment_is_credited_or_given_back() {
    let seed: u64 = std::env::var("RASEED_CRASH_SEED")
        .ok()
        .map_or_else(rand::random, |text| text.parse().unwrap());
    println!("RASEED_CRASH_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let rail = Rail::start();
    let place = Place::new(&format!(
        "[engine]\npartitions = 5\nsnapshot_interval_s = 1\ncache_mib = 16\n{}",
        rail.config()
    ));
    let server = place.serve();
    let key = server.key.clone().unwrap();
    let api = Api::new(&server.url, &key);
    for guest in 0..GUESTS {
        api.done("/v1/subscribers", "", &json!({"msisdn": number(guest)}));
    }
    server.kill();
    for round in 0..ROUNDS {
        let server = place.serve();
        rail.send_to(&server);
        rail.sandbox.desk.misbehave(Misbehaviour {
            drop_before_commit: random.random_range(0..3),
            drop_after_commit: random.random_range(0..4),
            callback_copies: random.random_range(0..3),
            late_ms: random.random_range(0..30),
            repeat_refunds: true,
            ..Misbehaviour::default()
        });
        let stop = AtomicBool::new(false);
        std::thread::scope(|threads| {
            for guest in 0..GUESTS {
                let (rail, stop, url) = (&rail, &stop, server.url.clone());
                let random = StdRng::seed_from_u64(seed ^ u64::from(round) << 8 ^ guest as u64);
                threads.spawn(move || keep_paying(rail, &url, guest, random, stop));
            }
            std::thread::sleep(Duration::from_millis(random.random_range(LOAD_MS)));
            server.kill();
            stop.store(true, Ordering::Relaxed);
        });
    }
    rail.sandbox.desk.misbehave(Misbehaviour::default());
    let server = place.serve();
    rail.send_to(&server);
    until_settled(&rail, &server, &key);
    assert_eq!(server.terminate(), 0, "an orderly end after all that");
    let audit = place.run_here(&["audit"]).json();
    assert_eq!(audit["ok"], true, "{audit}");
    agree(&rail, &place);
}

fn number(guest: usize) -> String {
    format!("92300123450{guest}")
}

/// Pays, and undoes some of it, until the server is gone.
fn keep_paying(rail: &Rail, url: &str, index: usize, mut random: StdRng, stop: &AtomicBool) {
    let number = number(index);
    let mut guest = Guest::new(url);
    while !stop.load(Ordering::Relaxed) {
        let flow = if random.random_bool(0.5) { HOSTED } else { WALLET };
        let id = match guest.pay(flow, &number, "100") {
            None => return,
            Some(Paid::Refused(503, _)) => continue,
            Some(Paid::Refused(status, page)) => panic!("{status}: {page}"),
            Some(Paid::Status(id)) => id,
            Some(Paid::Away(id, away)) => {
                // Some close the window on the rail's page, and some never come back.
                let click = if random.random_bool(0.1) { "" } else { "approve" };
                let back = rail.visit(&away, click);
                if let Some(back) = back
                    && random.random_bool(0.7)
                    && guest.come_back(&back).is_none()
                {
                    return;
                }
                id
            }
        };
        if random.random_bool(0.3) && guest.act(id, "undo").is_none() {
            return;
        }
    }
}

/// Until each number has what the rail took for it and did not give back, and no payment that the rail knows is under way: a rail
/// may have given back what we have not heard of yet.
fn until_settled(rail: &Rail, server: &Server, key: &str) {
    let api = Api::new(&server.url, key);
    let mut guest = Guest::new(&server.url);
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        let paid: BTreeMap<String, i64> = rail
            .sandbox
            .desk
            .movements()
            .into_iter()
            .map(|movement| (movement.order.clone(), rail.sandbox.desk.net(&movement.order)))
            .collect();
        let taken: i64 = paid.values().sum::<i64>() / 10_000;
        let credited: i64 = (0..GUESTS)
            .map(|guest| {
                let account = api.see(&format!("/v1/subscribers/{}/balance", number(guest)));
                Money::parse(account["main"].as_str().unwrap()).unwrap().0
            })
            .sum();
        // Payers look at their payments, and so the rail is asked again soon. A page that looks again by itself is under way.
        let under_way: Vec<&String> = paid
            .keys()
            .filter(|order| {
                let page = guest.get(&format!("/pay/{order}/state")).expect("an answer");
                assert_eq!(page.status, 200, "{}", page.text);
                page.text.contains("hx-trigger")
            })
            .collect();
        if credited == taken * CREDITED && under_way.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "the rail keeps {taken} times Rs 100, and {credited} is credited; under way: {under_way:?}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Payment by payment, the rail's book and ours say the same.
fn agree(rail: &Rail, place: &Place) {
    let rows = payments(place);
    let desk = &rail.sandbox.desk;
    let mut ends = BTreeMap::new();
    for row in &rows {
        let order = row.id.to_string();
        assert!(desk.count(&order, Direction::Payment) <= 1, "{row:?}");
        assert!(desk.count(&order, Direction::Refund) <= 1, "{row:?}");
        assert_eq!(row.fault, None, "{row:?}");
        let (taken, net) = (desk.count(&order, Direction::Payment) == 1, desk.net(&order));
        match row.state {
            PaymentState::Succeeded => assert_eq!(net, row.price.amount.0 / 10_000, "{row:?}"),
            PaymentState::Refunded => assert!(taken && net == 0, "{row:?}"),
            state if state.is_open() || state == PaymentState::Failed => assert!(!taken, "{row:?}"),
            _ => panic!("not settled: {row:?}"),
        }
        *ends.entry(row.state.name()).or_insert(0) += 1;
    }
    for movement in desk.movements() {
        assert!(
            rows.iter().any(|row| row.id.to_string() == movement.order),
            "money without a payment: {movement:?}"
        );
    }
    println!("{ROUNDS} kills: {ends:?}");
    let settled = ends.get("succeeded").unwrap_or(&0) + ends.get("refunded").unwrap_or(&0);
    assert!(settled > 3 * ROUNDS, "the load must be worth the name: {ends:?}");
}
