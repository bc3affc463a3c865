//! Scratch cards over the API and at the edge, with a real engine: batches, redemptions, races, guessing.

mod common;

use charge::card::TRIES_MAX;
use charge::{Msisdn, Refusal};
use common::press::{active, change, made, see};
use common::{NUMBER, SECOND_NUMBER, Service};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use web::cards::{CardChannel, NotRedeemed, Redeem, Redeemed};

const HOUR: Duration = Duration::from_secs(3600);

fn redeem(service: &Service, number: &str, pin: &str) -> common::Answer {
    let body = json!({"msisdn": number, "pin": pin}).to_string();
    service.api(&service.admin, "POST", "/v1/vouchers/redeem", &body)
}

fn at_edge(service: &Service, number: &str, pin: &str) -> Result<Redeemed, NotRedeemed> {
    let number = Msisdn::parse(number).unwrap();
    service.wait(service.cards.redeem_here(CardChannel::Ussd, number, pin))
}

#[test]
fn a_card_from_the_press_to_the_balance() {
    let service = Service::start();
    let batch = made(&service, 50);
    let cards = service.vault.cards(batch);
    assert_eq!(cards.len(), 50);
    let (serial, pin) = &cards[0];
    assert_eq!(
        redeem(&service, NUMBER, pin).problem(),
        (409, 1_007_091),
        "not active"
    );

    let path = format!("/v1/card-batches/{batch}/export");
    assert_eq!(service.api(&service.admin, "POST", &path, "").status, 200);
    assert_eq!(
        service.api(&service.admin, "POST", &path, "").problem(),
        (409, 1_008_006),
        "once"
    );
    // Not shipped yet, so that it cannot be made active.
    let activate = json!({"state": "active", "first": serial}).to_string();
    let path = format!("/v1/card-batches/{batch}/cards");
    let early = service.api(&service.admin, "POST", &path, &activate);
    assert_eq!(early.problem(), (409, 1_008_006));
    let (_, middle) = (&cards[24].0, &cards[25].0);
    let ship = |first: &str, last: &str, dealer| json!({"state": "shipped", "first": first, "last": last, "dealer": dealer});
    change(&service, batch, &ship(serial, &cards[24].0, "lahore-1"));
    change(&service, batch, &ship(middle, &cards[49].0, "karachi-2"));
    let only = change(&service, batch, &json!({"state": "active", "dealer": "lahore-1"}));
    assert_eq!(only["cards"], 25, "those of this dealer");
    assert_eq!(see(&service, batch)["owed"], "2500.00");
    assert_eq!(redeem(&service, NUMBER, &cards[30].1).problem(), (409, 1_007_091));

    let before: f64 = service.main_balance().parse().unwrap();
    let done = redeem(&service, NUMBER, pin);
    assert_eq!(done.status, 200, "{done:?}");
    let done = done.json();
    assert_eq!(
        (&done["amount"], &done["serial"], &done["repeated"]),
        (&json!("100.00"), &json!(serial), &json!(false))
    );
    assert_eq!(
        done["price"]["tax"][0]["amount"], "13.043478",
        "tax as for any recharge"
    );
    let after: f64 = service.main_balance().parse().unwrap();
    assert!((after - before - 86.956_522).abs() < 0.000_001);
    let again = redeem(&service, NUMBER, pin).json();
    assert_eq!(
        (&again["repeated"], &again["receipt"]),
        (&json!(true), &done["receipt"])
    );
    assert_eq!(service.main_balance().parse::<f64>().unwrap(), after);
    let receipt = done["receipt"].as_str().unwrap().to_owned();
    let shown = service.eventually(|| {
        let answer = service.api(&service.admin, "GET", &format!("/v1/receipts/{receipt}"), "");
        (answer.status == 200).then_some(answer.body)
    });
    assert!(shown.contains("card-api") && shown.contains(serial), "{shown}");

    service.subscriber(SECOND_NUMBER);
    assert_eq!(
        redeem(&service, SECOND_NUMBER, pin).problem(),
        (409, 1_007_090),
        "used"
    );
    let seen = service.eventually(|| {
        let seen = see(&service, batch);
        (seen["used"] == 1).then_some(seen)
    });
    assert_eq!(seen["owed"], "2400.00");
    let card = service.api(&service.admin, "GET", &format!("/v1/cards/{serial}"), "");
    assert_eq!(card.json()["state"], "used");
    // What staff sees of tries on this batch.
    let kinds: Vec<&Value> = seen["recent_tries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tried| &tried["kind"])
        .collect();
    assert_eq!(kinds, ["card-used", "card-not-active", "card-not-active"]);
}

#[test]
fn cards_that_are_recalled_stolen_or_expired_refuse() {
    let service = Service::start();
    let (batch, cards) = active(&service, 10);
    change(
        &service,
        batch,
        &json!({"state": "recalled", "first": cards[0].0}),
    );
    change(&service, batch, &json!({"state": "stolen", "first": cards[1].0}));
    assert_eq!(see(&service, batch)["owed"], "800.00");
    assert_eq!(redeem(&service, NUMBER, &cards[0].1).problem(), (409, 1_007_092));
    assert_eq!(redeem(&service, NUMBER, &cards[1].1).problem(), (409, 1_007_093));
    assert_eq!(redeem(&service, NUMBER, &cards[2].1).status, 200);
    let path = format!("/v1/card-batches/{batch}/expire");
    let ended = service.api(&service.admin, "POST", &path, "").json();
    assert_eq!(ended["cards"], 8);
    service.eventually(|| (see(&service, batch)["owed"] == "0.00").then_some(()));
    assert_eq!(redeem(&service, NUMBER, &cards[3].1).problem(), (409, 1_007_094));
    // The time of another batch comes by itself.
    let (second, _) = active(&service, 4);
    assert_eq!(see(&service, second)["owed"], "400.00");
    service.pass(400 * 24 * HOUR);
    service.eventually(|| (see(&service, second)["owed"] == "0.00").then_some(()));
    assert_eq!(see(&service, second)["ranges"][0]["state"], "expired");
}

#[test]
fn a_card_that_was_sold_is_redeemed_in_a_voice_menu() {
    let service = Service::start();
    let (batch, cards) = active(&service, 10);
    let (serial, pin) = &cards[3];
    let sold = json!({"state": "sold", "first": serial, "last": cards[5].0});
    assert_eq!(change(&service, batch, &sold)["cards"], 3);
    let state = || {
        let card = service.api(&service.admin, "GET", &format!("/v1/cards/{serial}"), "");
        card.json()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(), "sold");
    assert_eq!(
        see(&service, batch)["owed"],
        "1000.00",
        "sold is not redeemed yet"
    );
    let before: f64 = service.main_balance().parse().unwrap();
    let typed = json!({"msisdn": NUMBER, "pin": pin, "channel": "ivr"}).to_string();
    let done = service.api(&service.admin, "POST", "/v1/vouchers/redeem", &typed);
    assert_eq!(done.status, 200, "{done:?}");
    let done = done.json();
    assert_eq!(
        (&done["serial"], &done["repeated"]),
        (&json!(serial), &json!(false))
    );
    let after: f64 = service.main_balance().parse().unwrap();
    assert!((after - before - 86.956_522).abs() < 0.000_001);
    let receipt = done["receipt"].as_str().unwrap().to_owned();
    let shown = service.eventually(|| {
        let answer = service.api(&service.admin, "GET", &format!("/v1/receipts/{receipt}"), "");
        (answer.status == 200).then_some(answer.body)
    });
    assert!(shown.contains("card-ivr") && shown.contains(serial), "{shown}");
    service.eventually(|| (see(&service, batch)["used"] == 1).then_some(()));
    assert_eq!(state(), "used");
    assert_eq!(see(&service, batch)["owed"], "900.00");
    // The one beside it is sold and not used; used does not become sold again.
    let states: Vec<Value> = see(&service, batch)["ranges"].as_array().unwrap().clone();
    let sold: Vec<&Value> = states.iter().filter(|range| range["state"] == "sold").collect();
    assert_eq!(
        (sold.len(), &sold[0]["cards"], &sold[0]["used"]),
        (1, &json!(3), &json!(1)),
        "{states:?}"
    );
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let service = Service::start();
    let post = |key: &str, path: &str, body: Value| service.api(key, "POST", path, &body.to_string());
    let batch = |field: &str, value: Value| {
        let mut body = json!({"operator": "jazz", "denomination": "100", "count": 5, "printer": "press",
            "expires_at": "2027-11-21T00:00:00Z", "label": "test"});
        body[field] = value;
        post(&service.admin, "/v1/card-batches", body).problem()
    };
    assert_eq!(batch("denomination", json!("150")), (422, 1_003_090));
    assert_eq!(batch("operator", json!("nobody")), (404, 1_003_007));
    assert_eq!(batch("printer", json!("nobody")), (422, 1_000_422));
    assert_eq!(batch("count", json!(0)), (409, 1_003_008));
    assert_eq!(batch("count", json!(1_000_001)), (409, 1_003_008));
    assert_eq!(
        batch("expires_at", json!("2020-01-01T00:00:00Z")),
        (409, 1_007_094)
    );
    assert_eq!(batch("label", json!("x".repeat(65))), (422, 1_000_422));
    let list = service.api(&service.admin, "GET", "/v1/card-batches", "");
    assert_eq!(list.json(), json!([]));
    for key in [&service.shop, &service.other] {
        for path in [
            "/v1/card-batches",
            "/v1/card-batches/1/export",
            "/v1/card-batches/1/expire",
        ] {
            let body = json!({"operator": "jazz", "denomination": "100", "count": 5, "printer": "press",
                "expires_at": "2027-11-21T00:00:00Z", "label": "test"});
            assert_eq!(post(key, path, body).problem(), (403, 1_000_402), "{path}");
        }
        let body = json!({"msisdn": NUMBER, "pin": "01234567890123"});
        assert_eq!(post(key, "/v1/vouchers/redeem", body).problem(), (403, 1_000_402));
    }
    let (id, cards) = active(&service, 3);
    let change = |body: Value| post(&service.admin, &format!("/v1/card-batches/{id}/cards"), body).problem();
    assert_eq!(
        change(json!({"state": "sold", "dealer": "other", "first": cards[0].0})),
        (409, 1_008_006)
    );
    assert_eq!(change(json!({"state": "used"})), (422, 1_000_422));
    assert_eq!(change(json!({"state": "expired"})), (409, 1_008_006));
    assert_eq!(change(json!({"state": "shipped"})), (422, 1_000_422));
    assert_eq!(
        change(json!({"state": "recalled", "first": "0000100000014"})),
        (422, 1_000_422)
    );
    let none = service.api(&service.admin, "GET", "/v1/card-batches/77", "");
    assert_eq!(none.problem(), (404, 1_008_091));
    for pin in ["", "123", "0123456789012345", "0123456789012x"] {
        assert_eq!(redeem(&service, NUMBER, pin).problem(), (422, 1_005_090), "{pin}");
    }
    assert_eq!(
        redeem(&service, "03009999999", &cards[0].1).problem(),
        (404, 1_005_002)
    );
    assert_eq!(
        redeem(&service, NUMBER, &cards[0].1).status,
        200,
        "the card is whole"
    );
}

#[test]
fn sixty_four_at_once_for_one_card_make_one_redemption() {
    let service = Arc::new(Service::start());
    let (batch, cards) = active(&service, 4);
    let numbers: Vec<String> = (0..64).map(|n| format!("9230055500{n:02}")).collect();
    for number in &numbers {
        service.subscriber(number);
    }
    for (card, same) in [(0, false), (1, true)] {
        let (good, used) = (AtomicU32::new(0), AtomicU32::new(0));
        let barrier = std::sync::Barrier::new(64);
        std::thread::scope(|scope| {
            for number in &numbers {
                let number = if same { &numbers[0] } else { number };
                let (service, cards, good, used, barrier) = (&service, &cards, &good, &used, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    match at_edge(service, number, &cards[card].1) {
                        Ok(done) if !done.repeated => good.fetch_add(1, Ordering::SeqCst),
                        Ok(_) | Err(NotRedeemed::UnderWay | NotRedeemed::Refused(Refusal::CardUsed)) => {
                            used.fetch_add(1, Ordering::SeqCst)
                        }
                        other => panic!("{other:?}"),
                    };
                });
            }
        });
        assert_eq!(
            (good.into_inner(), used.into_inner()),
            (1, 63),
            "same number: {same}"
        );
        // The brake counted what came too late.
        service.pass(Duration::from_secs(60));
    }
    service.eventually(|| (see(&service, batch)["used"] == 2).then_some(()));
    let total: f64 = numbers
        .iter()
        .map(|number| {
            let path = format!("/v1/subscribers/{number}/balance");
            let main = service.eventually(|| {
                let answer = service.api(&service.admin, "GET", &path, "");
                (answer.status == 200).then(|| answer.json()["main"].clone())
            });
            main.as_str().unwrap().parse::<f64>().unwrap()
        })
        .sum();
    assert!((total - 2.0 * 86.956_522).abs() < 0.000_01, "{total}");
}

#[test]
fn wrong_tries_lock_the_number_and_strangers_do_not_lock_the_owner() {
    let service = Service::start();
    let (_, cards) = active(&service, 3);
    let wrong = |n: u32| format!("{:014}", u64::from(n) * 7_919 + 1);
    let stranger = |pin: &str| {
        let asked = Redeem {
            channel: CardChannel::Web,
            number: Msisdn::parse(NUMBER).unwrap(),
            pin,
            own: false,
            caller: None,
        };
        service.wait(service.cards.redeem(asked))
    };
    for n in 0..TRIES_MAX {
        assert_eq!(
            stranger(&wrong(n)),
            Err(NotRedeemed::Refused(Refusal::NoSuchCard))
        );
    }
    let locked = |answer: Result<Redeemed, NotRedeemed>| matches!(answer, Err(NotRedeemed::Locked { .. }));
    assert!(locked(stranger(&cards[0].1)), "also with the right one");
    assert!(
        at_edge(&service, NUMBER, &cards[0].1).is_ok(),
        "its own phone may"
    );
    for n in 0..TRIES_MAX {
        let _ = at_edge(&service, NUMBER, &wrong(n));
    }
    assert!(locked(at_edge(&service, NUMBER, &cards[1].1)));
    let over_http = json!({"msisdn": NUMBER, "pin": cards[1].1, "channel": "ivr"}).to_string();
    let answer = service.api(&service.admin, "POST", "/v1/vouchers/redeem", &over_http);
    assert_eq!(answer.problem(), (429, 1_005_091));
    assert_eq!(answer.header("retry-after"), "3600");
    service.pass(HOUR);
    assert!(at_edge(&service, NUMBER, &cards[1].1).is_ok(), "an hour later");
    for n in 0..TRIES_MAX {
        let _ = at_edge(&service, NUMBER, &wrong(n));
    }
    service.pass(HOUR);
    assert!(
        locked(at_edge(&service, NUMBER, &cards[2].1)),
        "the second lock is longer"
    );
    service.pass(3 * HOUR);
    assert!(at_edge(&service, NUMBER, &cards[2].1).is_ok());
    let seen = service.api(&service.admin, "GET", "/v1/card-attempts", "").json();
    let locks = seen["numbers"].as_array().unwrap();
    let owns: Vec<&Value> = locks.iter().map(|lock| &lock["own"]).collect();
    assert_eq!(owns, [&json!(true), &json!(true), &json!(false)]);
    let path = format!("/v1/card-attempts?msisdn={NUMBER}");
    let own = service.api(&service.admin, "GET", &path, "").json();
    assert_eq!(own["numbers"][0]["wrong"], 10);
}

#[test]
fn a_million_guesses_in_a_day_are_locked_out_and_find_nothing() {
    let service = Service::start();
    let (batch, cards) = active(&service, 1_000);
    let numbers: Vec<Msisdn> = (0..200)
        .map(|n| {
            let number = format!("923007770{n:03}");
            service.subscriber(&number);
            Msisdn::parse(&number).unwrap()
        })
        .collect();
    let started = std::time::Instant::now();
    let (mut reached, mut locked, mut braked) = (0_u32, 0_u32, 0_u32);
    let guesses = 1_000_000_u32;
    service.wait(async {
        for n in 0..guesses {
            // Spread over all PINs, as somebody would who knows nothing.
            let pin = format!(
                "{:014}",
                (u64::from(n) * 99_999_989 + 12_345) % 100_000_000_000_000
            );
            let number = numbers[n as usize % numbers.len()];
            match service.cards.redeem_here(CardChannel::Ussd, number, &pin).await {
                Err(NotRedeemed::Refused(Refusal::NoSuchCard)) => reached += 1,
                Err(NotRedeemed::Locked { .. }) => locked += 1,
                Err(NotRedeemed::TooFast { .. }) => braked += 1,
                other => panic!("{other:?}"),
            }
            service.pass(Duration::from_micros(86_400));
        }
    });
    println!(
        "{guesses} guesses in {:?}: {reached} reached a shelf, {locked} met a lock, {braked} the brake",
        started.elapsed()
    );
    // 200 numbers, at most three rows of five in a day.
    assert!((200 * 10..=200 * 15).contains(&reached), "{reached}");
    assert_eq!(reached + locked + braked, guesses);
    assert_eq!(see(&service, batch)["used"], 0);
    // Guessing with ever new numbers meets the brake: a hundred in a minute here.
    let fresh: Vec<Msisdn> = (0..300)
        .map(|n| {
            let number = format!("923006660{n:03}");
            service.subscriber(&number);
            Msisdn::parse(&number).unwrap()
        })
        .collect();
    service.pass(HOUR);
    let mut passed = 0;
    for number in &fresh {
        let tried = service
            .cards
            .redeem_here(CardChannel::Ussd, *number, "00000000000001");
        match service.wait(tried) {
            Err(NotRedeemed::Refused(Refusal::NoSuchCard)) => passed += 1,
            Err(NotRedeemed::TooFast { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(passed, 100);
    service.pass(HOUR);
    let good = service
        .cards
        .redeem_here(CardChannel::Ussd, fresh[299], &cards[0].1);
    assert!(service.wait(good).is_ok(), "and an honest one goes on after it");
}
