//! Lookup, quotes and top-ups over a real socket.

mod common;

use common::{NUMBER, Service};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_number_is_looked_up_as_people_type_it() {
    let service = Service::start();
    for typed in ["03001234567", "%2B923001234567", "923001234567", "0300-1234567"] {
        let found = service
            .api(&service.shop, "GET", &format!("/v1/lookup/{typed}"), "")
            .json();
        assert_eq!(found["msisdn"], NUMBER, "{typed}");
        assert_eq!(found["operator"]["code"], "jazz");
        assert_eq!(found["source"], "directory");
        assert_eq!(found["rechargeable"], true);
    }
    let found = service
        .api(&service.shop, "GET", "/v1/lookup/03451112223", "")
        .json();
    assert_eq!(found["operator"]["code"], "telenor");
    assert_eq!(
        (&found["source"], &found["rechargeable"]),
        (&json!("prefix"), &json!(false))
    );
    let found = service
        .api(&service.shop, "GET", "/v1/lookup/%2B447700900123", "")
        .json();
    assert_eq!(
        (&found["identified"], &found["operator"]),
        (&json!(false), &json!(null))
    );
    let bad = service.api(&service.shop, "GET", "/v1/lookup/hello", "");
    assert_eq!(bad.problem(), (422, 1_005_001));
}

#[test]
fn rs_100_is_quoted_sold_and_credited_to_the_micro_rupee() {
    let service = Service::start();
    let body = json!({"msisdn": NUMBER, "amount": "100"}).to_string();
    let quote = service.api(&service.shop, "POST", "/v1/quotes", &body).json();
    assert_eq!(quote["gross"], "100.00");
    assert_eq!(quote["tax"][0]["amount"], "13.043478");
    assert_eq!(quote["tax"][0]["rate"], "15");
    assert_eq!(quote["tax"][0]["calculation"], "inclusive");
    assert_eq!(quote["net_credit"], "86.956522");
    assert_eq!(quote["promotion"], "first-recharge");
    assert_eq!(quote["expires_at"], "2026-11-21T12:10:00Z");

    let body = json!({"msisdn": NUMBER, "amount": "100", "external_id": "till-1", "quote": quote["id"]});
    let sold = service.once(&service.shop, "/v1/topups?wait=20", "key-1", &body.to_string());
    assert_eq!(sold.status, 201, "{}", sold.body);
    let top_up = sold.json();
    assert_eq!(top_up["state"], "COMPLETED");
    assert_eq!(top_up["price"]["net_credit"], "86.956522");
    assert_eq!(
        sold.header("location"),
        format!("/v1/topups/{}", top_up["id"].as_str().unwrap())
    );
    assert_eq!(service.main_balance(), "86.956522");

    let by_id = service.api(&service.shop, "GET", sold.header("location"), "");
    assert_eq!(by_id.json(), top_up);
    let by_reference = service.api(&service.shop, "GET", "/v1/topups?external_id=till-1", "");
    assert_eq!(by_reference.json(), top_up);
    let lost = service.api(&service.shop, "GET", "/v1/topups?external_id=till-2", "");
    assert_eq!(lost.problem(), (404, 1_008_004));
    for path in [sold.header("location"), "/v1/topups?external_id=till-1"] {
        let foreign = service.api(&service.other, "GET", path, "");
        assert_eq!(foreign.problem(), (404, 1_008_004), "partners see only their own");
    }

    let balance = service
        .api(&service.admin, "GET", "/v1/subscribers/03001234567/balance", "")
        .json();
    assert_eq!(balance["lots"][0]["origin"], "paid");
    assert_eq!(balance["buckets"][0]["left"], 1_073_741_824);
    assert_eq!(balance["buckets"][0]["scope"], "data");
    assert_eq!(balance["sessions"], 0);
}

#[test]
fn the_same_key_gives_the_same_bytes_and_nothing_moves() {
    let service = Service::start();
    let body = json!({"msisdn": NUMBER, "amount": "100", "external_id": "a"}).to_string();
    let first = service.once(&service.shop, "/v1/topups", "k", &body);
    assert_eq!((first.status, first.header("idempotency-replayed")), (202, ""));
    let second = service.once(&service.shop, "/v1/topups", "k", &body);
    assert_eq!(
        (second.status, second.header("idempotency-replayed")),
        (202, "true")
    );
    assert_eq!(first.body, second.body);
    service.eventually(|| (service.main_balance() == "86.956522").then_some(()));
    let third = service.once(&service.shop, "/v1/topups", "k", &body);
    assert_eq!(first.body, third.body, "also after it has ended");

    let other_amount = json!({"msisdn": NUMBER, "amount": "200", "external_id": "a"}).to_string();
    let other_reference = json!({"msisdn": NUMBER, "amount": "100", "external_id": "b"}).to_string();
    for body in [&other_amount, &other_reference] {
        assert_eq!(
            service.once(&service.shop, "/v1/topups", "k", body).problem(),
            (422, 1_007_010)
        );
    }
    let reused = service.once(&service.shop, "/v1/topups", "k2", &other_amount);
    assert_eq!(
        reused.problem(),
        (409, 1_007_001),
        "external_id is unique for ever"
    );
    assert_eq!(service.main_balance(), "86.956522");
}

#[test]
fn thirty_two_tills_with_one_key_make_one_credit() {
    let service = Service::start();
    let body = json!({"msisdn": NUMBER, "amount": "100", "external_id": "race"}).to_string();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let till = || {
            service
                .once(&service.shop, "/v1/topups?wait=5", "race", &body)
                .status
        };
        let tills: Vec<_> = (0..32).map(|_| scope.spawn(till)).collect();
        tills.into_iter().map(|till| till.join().unwrap()).collect()
    });
    assert!(statuses.contains(&201), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [201, 409].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(service.main_balance(), "86.956522");
}

#[test]
fn a_float_never_goes_below_zero() {
    let service = Service::start();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let sell = |number: usize| {
            let service = &service;
            scope.spawn(move || {
                let body = json!({"msisdn": NUMBER, "amount": "100", "again": true,
                    "external_id": format!("t{number}")});
                let answer = service.once(
                    &service.shop,
                    "/v1/topups?wait=5",
                    &format!("k{number}"),
                    &body.to_string(),
                );
                if answer.status != 201 {
                    assert_eq!(answer.problem(), (402, 1_006_001));
                }
                answer.status
            })
        };
        let sales: Vec<_> = (0..24).map(sell).collect();
        sales.into_iter().map(|sale| sale.join().unwrap()).collect()
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        10,
        "Rs 1,000 sells ten"
    );
    assert_eq!(service.main_balance(), "869.56522");
}

#[test]
fn a_second_identical_recharge_must_be_meant() {
    let service = Service::start();
    let body = |reference: &str, again: bool| {
        json!({"msisdn": NUMBER, "amount": "100", "external_id": reference, "again": again}).to_string()
    };
    let sell = |key: &str, again| service.once(&service.shop, "/v1/topups?wait=5", key, &body(key, again));
    assert_eq!(sell("a", false).status, 201);
    assert_eq!(sell("b", false).problem(), (409, 1_007_030));
    assert_eq!(sell("b", true).status, 201);
    service.pass(Duration::from_secs(121));
    assert_eq!(sell("c", false).status, 201);
    assert_eq!(service.main_balance(), "260.869566");
}

#[test]
fn a_quote_binds_or_is_refused() {
    let service = Service::start();
    let quote = |amount: &str| {
        let body = json!({"msisdn": NUMBER, "amount": amount}).to_string();
        service.api(&service.shop, "POST", "/v1/quotes", &body).json()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let sell = |reference: &str, quote: &str| {
        let body = json!({"msisdn": NUMBER, "amount": "100", "external_id": reference, "quote": quote});
        service.once(&service.shop, "/v1/topups?wait=5", reference, &body.to_string())
    };
    let (first, second) = (quote("100"), quote("100"));
    assert_eq!(
        sell("x", &quote("200")).problem(),
        (409, 1_007_021),
        "another amount"
    );
    assert_eq!(sell("x", "q_nonsense").problem(), (409, 1_007_020));
    assert_eq!(service.main_balance(), "0.00");
    assert_eq!(sell("a", &first).status, 201);
    assert_eq!(sell("a", &first).status, 201, "a repetition is not quoted again");
    service.pass(Duration::from_secs(300));
    assert_eq!(
        sell("b", &second).problem(),
        (409, 1_007_021),
        "the promotion is gone, so the quote does not hold"
    );
    let third = quote("100");
    service.pass(Duration::from_secs(601));
    assert_eq!(sell("b", &third).problem(), (409, 1_007_020), "too old");
    assert_eq!(service.main_balance(), "86.956522");
}
