//! Stock on its way through the chain, and the server killed.

use super::{Chain, FLOAT, PAUSE};
use crate::harness::{Api, PATIENCE, Place};
use charge::Money;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Movements that are asked for in each round, each by a thread of its own.
const MOVES: u64 = 8;

/// Moves stock down and up, kills the server so often, and asks again: each movement is made once, and all floats with what is
/// on its way are what they were.
pub fn stock_under_kills(kills: u64) {
    let place = Place::new("[engine]\npartitions = 5\nsnapshot_interval_s = 1");
    let mut server = place.serve();
    let key = server.key.clone().unwrap();
    let api = Api::new(&server.url, &key);
    let chain = Chain::open(&api);
    let (distributor, (franchise, _)) = (chain.distributor, chain.below("franchise", None));
    let floats = |api: &Api| {
        [distributor, franchise].map(|id| {
            let partner = api.see(&format!("/v1/partners/{id}"));
            let money = |name: &str| Money::parse(partner[name].as_str().unwrap()).unwrap().0;
            (money("float"), money("in_transit"))
        })
    };
    let before = floats(&api);
    assert_eq!(before[1].0, Money::from_units(FLOAT).0 + bonus(FLOAT));
    let mut moved = 0;
    for round in 0..kills {
        let over = AtomicBool::new(false);
        std::thread::scope(|threads| {
            for index in 0..MOVES {
                let (api, over) = (Api::new(&server.url, &key), &over);
                threads.spawn(move || {
                    let (path, once, body) = asked(distributor, franchise, (round, index));
                    while !over.load(Ordering::Relaxed) {
                        // An answer or none: it is asked again afterwards.
                        if api.post(&path, &once, &body).is_some() {
                            return;
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(3 + 9 * round));
            server.kill();
            over.store(true, Ordering::Relaxed);
        });
        server = place.serve();
        let api = Api::new(&server.url, &key);
        for index in 0..MOVES {
            let (path, once, body) = asked(distributor, franchise, (round, index));
            let deadline = Instant::now() + PATIENCE;
            loop {
                match api.post(&path, &once, &body) {
                    Some((200 | 201, done)) if done["state"] == "COMPLETED" => break,
                    Some((202 | 409 | 429 | 503, _)) | None => {}
                    other => panic!("{other:?}"),
                }
                assert!(Instant::now() < deadline);
                std::thread::sleep(PAUSE);
            }
            moved += 10 * (index as i64 + 1);
        }
    }
    let after = floats(&Api::new(&server.url, &key));
    let down = (Money::from_units(moved).0, bonus(moved));
    assert_eq!(after[0], (before[0].0 - down.0, 0));
    assert_eq!(after[1], (before[1].0 + down.0 + down.1, 0));
    assert_eq!(server.terminate(), 0);
    let audit = place.run_here(&["audit"]).json();
    assert_eq!(audit["ok"], true, "{audit}");
}

fn asked(from: u64, to: u64, (round, index): (u64, u64)) -> (String, String, serde_json::Value) {
    let body = json!({"to": to, "amount": (10 * (index + 1)).to_string()});
    (
        format!("/v1/sellers/{from}/moves?wait=20"),
        format!("move-{round}-{index}"),
        body,
    )
}

/// What a franchise gets on top of small amounts of stock, in millionths; of 100,000 at once 1 %.
fn bonus(units: i64) -> i64 {
    let per_mille_of_ten = if units >= FLOAT { 100 } else { 50 };
    Money::from_units(units).0 / 10_000 * per_mille_of_ten
}
