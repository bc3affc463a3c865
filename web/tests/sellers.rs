//! The selling chain over HTTP: a tree of sellers, stock down and back, sales by people with PINs, on a real engine and its
//! SQLite files.

#![allow(
    clippy::needless_pass_by_value,
    reason = "bodies are made where they are sent"
)]

mod common;

use common::{Answer, NUMBER, SECOND_NUMBER, Service};
use serde_json::{Value, json};
use std::time::Duration;

/// A seller of a test: its id and its key.
struct Shop {
    id: u64,
    key: String,
}

fn open(service: &Service, by: &str, grade: &str, parent: Option<u64>) -> Shop {
    let body = json!({"name": grade, "code": grade, "grade": grade, "parent": parent, "key": true});
    let answer = service.api(by, "POST", "/v1/sellers", &body.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
    let made = answer.json();
    Shop {
        id: made["id"].as_u64().unwrap(),
        key: made["key"]["key"].as_str().unwrap().to_owned(),
    }
}

struct Chain {
    service: Service,
    root: Shop,
    distributor: Shop,
    retailer: Shop,
}

/// Operator, distributor, retailer; the distributor has 50,000.
fn chain() -> Chain {
    let service = Service::start();
    let admin = service.admin.clone();
    let root = open(&service, &admin, "operator", None);
    let distributor = open(&service, &admin, "distributor", Some(root.id));
    let retailer = open(&service, &distributor.key, "retailer", Some(distributor.id));
    let body = json!({"amount": "100000", "reference": "bank"}).to_string();
    let funded = service.once(&admin, &format!("/v1/partners/{}/float", root.id), "f", &body);
    assert_eq!(funded.status, 200, "{}", funded.body);
    let chain = Chain {
        service,
        root,
        distributor,
        retailer,
    };
    let moved = chain.shift(&admin, &chain.root, &chain.distributor, "50000", "o2c-1");
    assert_eq!(
        (moved["kind"].as_str(), moved["state"].as_str()),
        (Some("o2c"), Some("COMPLETED"))
    );
    chain
}

impl Chain {
    fn stock(&self, key: &str, from: &Shop, to: &Shop, amount: &str, reference: &str) -> Answer {
        let path = format!("/v1/sellers/{}/moves?wait=10", from.id);
        let body = json!({"to": to.id, "amount": amount}).to_string();
        self.service.once(key, &path, reference, &body)
    }

    fn shift(&self, key: &str, from: &Shop, to: &Shop, amount: &str, reference: &str) -> Value {
        let answer = self.stock(key, from, to, amount, reference);
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()
    }

    fn see(&self, shop: &Shop) -> Value {
        let path = format!("/v1/sellers/{}", shop.id);
        self.service.api(&self.service.admin, "GET", &path, "").json()
    }

    fn sell(&self, reference: &str, extra: Value) -> Answer {
        let mut body = json!({"msisdn": NUMBER, "amount": "100"});
        for (name, value) in extra.as_object().unwrap() {
            body[name] = value.clone();
        }
        let path = "/v1/sellers/me/sales?wait=10";
        self.service
            .once(&self.retailer.key, path, reference, &body.to_string())
    }

    fn patch(&self, key: &str, shop: &Shop, body: Value) -> Answer {
        let path = format!("/v1/sellers/{}", shop.id);
        self.service.api(key, "PATCH", &path, &body.to_string())
    }
}

#[test]
fn stock_goes_down_sales_come_out_and_the_day_adds_up() {
    let chain = chain();
    let (distributor, retailer) = (&chain.distributor, &chain.retailer);
    let moved = chain.shift(&distributor.key, distributor, retailer, "1000", "c2c-1");
    assert_eq!(
        (moved["kind"].as_str(), moved["received"].as_str()),
        (Some("c2c"), Some("1025.00"))
    );
    // The lost answer: the same again, and nothing moves; another body is a conflict.
    assert_eq!(
        chain.shift(&distributor.key, distributor, retailer, "1000", "c2c-1"),
        moved
    );
    let other = chain.stock(&distributor.key, distributor, retailer, "1001", "c2c-1");
    assert_eq!(other.problem(), (422, 1_007_010));
    assert_eq!(chain.see(retailer)["float"], "1025.00");

    let sold = chain.sell("s-1", json!({}));
    assert_eq!(sold.status, 201, "{}", sold.body);
    assert_eq!(sold.json()["state"], "COMPLETED");
    assert_eq!(chain.service.main_balance(), "86.956522");
    assert_eq!(chain.sell("s-1", json!({})).json(), sold.json());
    // A second one like it within two minutes must say that it is meant, whatever its reference.
    assert_eq!(chain.sell("s-2", json!({})).problem(), (409, 1_007_030));
    assert_eq!(chain.sell("s-2", json!({"again": true})).status, 201);
    let top_up = json!({"msisdn": NUMBER, "amount": "100", "external_id": "s-3"}).to_string();
    let plain = chain.service.once(&retailer.key, "/v1/topups", "s-3", &top_up);
    assert_eq!(
        plain.problem(),
        (409, 1_007_030),
        "the same guards for the plain API"
    );
    assert_eq!(chain.see(retailer)["float"], "825.00");
    // 0.1 % of two sales for the distributor.
    chain
        .service
        .eventually(|| (chain.see(distributor)["float"] == "49000.20").then_some(()));

    let service = &chain.service;
    let day = service.eventually(|| {
        let day = service
            .api(&retailer.key, "GET", "/v1/sellers/me/days/today", "")
            .json();
        (day["count"] == 2).then_some(day)
    });
    assert_eq!(
        (
            day["day"].as_str(),
            day["amount"].as_str(),
            day["stock_commission"].as_str()
        ),
        (Some("2026-11-21"), Some("200.00"), Some("25.00"))
    );
    let sales = service
        .api(&retailer.key, "GET", "/v1/sellers/me/sales", "")
        .json();
    assert_eq!(sales["sales"].as_array().unwrap().len(), 2);
    assert!(sales["sales"][0]["receipt"].as_str().unwrap().starts_with('R'));
    let moves = service
        .api(&retailer.key, "GET", "/v1/sellers/me/moves", "")
        .json();
    assert_eq!(moves["moves"][0]["id"], moved["id"]);

    // Back again, with its commission; and the tree, level by level.
    let back = chain.shift(&distributor.key, retailer, distributor, "205", "w-1");
    assert_eq!(
        (
            back["kind"].as_str(),
            back["back"].as_str(),
            back["received"].as_str()
        ),
        (Some("withdraw"), Some("5.00"), Some("200.00"))
    );
    let below = service.api(&distributor.key, "GET", "/v1/sellers", "").json();
    assert_eq!(below["sellers"][0]["id"], retailer.id);
    let roots = service.api(&service.admin, "GET", "/v1/sellers", "").json();
    assert_eq!(roots["sellers"][0]["id"], chain.root.id);
}

#[test]
fn nobody_acts_above_or_beside_itself() {
    let chain = chain();
    let (distributor, retailer) = (&chain.distributor, &chain.retailer);
    let stranger = open(
        &chain.service,
        &chain.service.admin,
        "distributor",
        Some(chain.root.id),
    );
    for (key, from, to, code) in [
        (&retailer.key, distributor, retailer, (403, 1_000_471)),
        (&stranger.key, distributor, retailer, (403, 1_000_471)),
        (&stranger.key, retailer, &stranger, (403, 1_000_471)),
        (&distributor.key, distributor, &stranger, (403, 1_003_071)),
        (&chain.service.shop, distributor, retailer, (403, 1_000_402)),
    ] {
        assert_eq!(chain.stock(key, from, to, "100", "x").problem(), code);
    }
    let see = |key: &str, shop: &Shop| {
        chain
            .service
            .api(key, "GET", &format!("/v1/sellers/{}", shop.id), "")
            .status
    };
    assert_eq!(see(&distributor.key, retailer), 200);
    assert_eq!(see(&retailer.key, distributor), 403);
    assert_eq!(see(&stranger.key, retailer), 403);
    // A credit line is the operator's to give, limits are somebody's above.
    assert_eq!(
        chain
            .patch(&distributor.key, retailer, json!({"credit_line": "100"}))
            .status,
        403
    );
    assert_eq!(
        chain.patch(&retailer.key, retailer, json!({"limits": {}})).status,
        403
    );
    assert_eq!(
        chain
            .patch(&retailer.key, retailer, json!({"blocked": true}))
            .status,
        403
    );
    let own = json!({"grade": "retailer", "name": "n", "code": "c", "parent": distributor.id}).to_string();
    assert_eq!(
        chain
            .service
            .api(&retailer.key, "POST", "/v1/sellers", &own)
            .status,
        403
    );

    // Blocking somebody above stops the branch, and lets it go again.
    chain.shift(&distributor.key, distributor, retailer, "500", "c2c");
    let admin = &chain.service.admin;
    assert_eq!(
        chain.patch(admin, distributor, json!({"blocked": true})).status,
        200
    );
    chain
        .service
        .eventually(|| (chain.see(retailer)["open"] == false).then_some(()));
    assert_eq!(chain.sell("b-1", json!({})).problem(), (403, 1_000_470));
    assert_eq!(
        chain.patch(admin, distributor, json!({"blocked": false})).status,
        200
    );
    chain
        .service
        .eventually(|| (chain.see(retailer)["open"] == true).then_some(()));
    assert_eq!(chain.sell("b-1", json!({})).status, 201);
}

#[test]
fn people_sell_with_pins_and_devices() {
    let chain = chain();
    let (service, distributor, retailer) = (&chain.service, &chain.distributor, &chain.retailer);
    chain.shift(&distributor.key, distributor, retailer, "1000", "c2c");
    let staff = |code: &str, body: Value| {
        let path = format!("/v1/sellers/me/staff/{code}");
        service.api(&retailer.key, "PUT", &path, &body.to_string()).status
    };
    let set = |code: &str, body: Value| {
        let path = format!("/v1/sellers/me/staff/{code}/pin");
        service.api(&retailer.key, "POST", &path, &body.to_string())
    };
    assert_eq!(
        staff("ali", json!({"name": "Ali", "role": "cashier", "pin": "1234"})),
        422
    );
    assert_eq!(
        staff("ali", json!({"name": "Ali", "role": "cashier", "pin": "2580"})),
        204
    );
    let by = |pin: &str| json!({"staff": "ali", "pin": pin});
    // The first PIN must be changed; changing it needs it.
    assert_eq!(chain.sell("p-1", by("2580")).problem(), (403, 1_000_475));
    assert_eq!(
        set("ali", json!({"old": "9999", "new": "73918264"})).problem(),
        (403, 1_000_473)
    );
    assert_eq!(set("ali", json!({"old": "2580", "new": "73918264"})).status, 204);
    assert_eq!(
        chain.sell("p-1", json!({"staff": "ali"})).problem(),
        (403, 1_000_472)
    );
    assert_eq!(chain.sell("p-1", by("73918264")).status, 201);
    // The journal and the tables never see a PIN.
    let mut looked_at = 0;
    for file in std::fs::read_dir(service.data.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        looked_at += bytes.len();
        assert!(
            !bytes.windows(8).any(|window| window == b"73918264"),
            "a PIN in clear"
        );
    }
    assert!(looked_at > 100_000, "the journal and the tables are there");

    // Sixty-four guesses at once are three, and the right one among them does not help after that.
    let refused: Vec<(u16, u64)> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..64)
            .map(|guess| {
                let (chain, body) = (&chain, by(&format!("{}", 4_000 + guess * 7)));
                scope.spawn(move || chain.sell(&format!("g-{guess}"), body).problem())
            })
            .collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
    });
    let wrong = refused.iter().filter(|code| **code == (403, 1_000_473)).count();
    let locked = refused.iter().filter(|code| **code == (403, 1_000_474)).count();
    assert_eq!((wrong, locked), (2, 62), "{refused:?}");
    assert_eq!(chain.sell("p-2", by("73918264")).problem(), (403, 1_000_474));
    assert_eq!(set("ali", json!({"new": "8024"})).status, 204);
    assert_eq!(chain.sell("p-2", by("8024")).problem(), (403, 1_000_475));

    // Bound devices only.
    assert_eq!(set("ali", json!({"old": "8024", "new": "3517"})).status, 204);
    assert_eq!(
        chain
            .patch(&retailer.key, retailer, json!({"bound": true}))
            .status,
        200
    );
    let device = service
        .api(&retailer.key, "PUT", "/v1/sellers/me/devices/till-1", "{}")
        .json();
    let secret = device["secret"].as_str().unwrap();
    service.pass(Duration::from_secs(180));
    let on = |device: &str| json!({"staff": "ali", "pin": "3517", "device": device});
    assert_eq!(chain.sell("d-1", by("3517")).problem(), (403, 1_000_476));
    assert_eq!(chain.sell("d-1", on("another")).problem(), (403, 1_000_476));
    let sold = chain.sell("d-1", on(secret));
    assert_eq!(sold.status, 201, "{}", sold.body);
    let listed = service.eventually(|| {
        let sales = service
            .api(&retailer.key, "GET", "/v1/sellers/me/sales", "")
            .json();
        (sales["sales"].as_array()?.len() == 2).then_some(sales)
    });
    assert_eq!(
        (&listed["sales"][0]["staff"], &listed["sales"][0]["device"]),
        (&json!("ali"), &json!("till-1"))
    );
}

/// The key of a sale stands for its bundle too: with another one, or with none, it is a conflict and nothing moves.
fn another_bundle_is_another_request(
    chain: &Chain,
    (path, list): (&str, &Value),
    (bundle, gross): (&Value, &Value),
) {
    let (service, key) = (&chain.service, &chain.retailer.key);
    let all = list["bundles"].as_array().unwrap();
    let other = &all.iter().find(|one| one["code"] != *bundle).unwrap()["code"];
    assert!(gross.is_string(), "{gross}");
    let seen = || {
        let held = service.api(
            &service.admin,
            "GET",
            &format!("/v1/subscribers/{SECOND_NUMBER}/balance"),
            "",
        );
        (chain.see(&chain.retailer)["float"].clone(), held.json())
    };
    let refused = |once: &str, body: Value| {
        let before = seen();
        let answer = service.once(key, path, once, &body.to_string());
        assert_eq!(answer.problem(), (422, 1_007_010), "{body}: {}", answer.body);
        assert_eq!(seen(), before, "{body}");
    };
    refused("bundle-1", json!({"msisdn": SECOND_NUMBER, "bundle": other}));
    refused(
        "bundle-1",
        json!({"msisdn": SECOND_NUMBER, "amount": gross, "bundle": other}),
    );
    refused("bundle-1", json!({"msisdn": SECOND_NUMBER, "amount": gross}));
    let plain = json!({"msisdn": SECOND_NUMBER, "amount": "151"});
    let sold = service.once(key, path, "plain-1", &plain.to_string());
    assert_eq!(sold.status, 201, "{}", sold.body);
    refused(
        "plain-1",
        json!({"msisdn": SECOND_NUMBER, "amount": "151", "bundle": bundle}),
    );
    refused("plain-1", json!({"msisdn": SECOND_NUMBER, "bundle": bundle}));
    assert_eq!(
        service.once(key, path, "plain-1", &plain.to_string()).json(),
        sold.json()
    );
}

#[test]
fn limits_credit_and_bundles() {
    let chain = chain();
    let (service, retailer) = (&chain.service, &chain.retailer);
    let admin = &service.admin;
    assert_eq!(chain.sell("l-0", json!({})).problem(), (402, 1_006_001));
    assert_eq!(
        chain
            .patch(admin, retailer, json!({"credit_line": "500", "low_mark": "50"}))
            .status,
        200
    );
    assert_eq!(chain.sell("l-0", json!({})).status, 201);
    let seen = chain.see(retailer);
    assert_eq!(
        (&seen["float"], &seen["owed"], &seen["low"]),
        (&json!("0.00"), &json!("100.00"), &json!(true))
    );
    let limits = json!({"limits": {"maximum": "150", "day_count": 2, "month_amount": "500"}});
    assert_eq!(chain.patch(&chain.distributor.key, retailer, limits).status, 200);
    assert_eq!(
        chain.sell("l-1", json!({"amount": "151"})).problem(),
        (422, 1_003_003)
    );
    assert_eq!(
        chain.sell("l-1", json!({"amount": "150.5"})).problem(),
        (422, 1_003_003)
    );
    assert_eq!(chain.sell("l-1", json!({"amount": "150"})).status, 201);
    assert_eq!(
        chain.sell("l-2", json!({"amount": "90"})).problem(),
        (409, 1_006_071)
    );
    assert_eq!(chain.patch(admin, retailer, json!({"limits": {}})).status, 200);

    // A bundle: the recharge that pays for it, and then the bundle.
    service.subscriber(SECOND_NUMBER);
    let list = service.api(admin, "GET", "/v1/operators/jazz/bundles", "").json();
    let bundle = list["bundles"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["price"].as_str().unwrap().parse::<f64>().unwrap() < 150.0)
        .unwrap();
    let body = json!({"msisdn": SECOND_NUMBER, "bundle": bundle["code"]}).to_string();
    let path = "/v1/sellers/me/sales?wait=10";
    let sold = service.once(&retailer.key, path, "bundle-1", &body);
    assert_eq!(sold.status, 201, "{}", sold.body);
    assert_eq!(sold.json()["bundle"]["bundle"], bundle["code"], "{}", sold.body);
    assert_eq!(
        service.once(&retailer.key, path, "bundle-1", &body).json(),
        sold.json()
    );
    another_bundle_is_another_request(&chain, (path, &list), (&bundle["code"], &sold.json()["amount"]));
    // Bad input says so and moves nothing.
    for (body, code) in [
        (json!({"msisdn": "12", "amount": "100"}), (422, 1_005_001)),
        (json!({"msisdn": NUMBER}), (422, 1_000_422)),
        (
            json!({"msisdn": NUMBER, "amount": "100", "staff": "nobody"}),
            (404, 1_008_072),
        ),
        (json!({"msisdn": NUMBER, "bundle": "nothing"}), (404, 1_003_001)),
    ] {
        assert_eq!(
            service
                .once(&retailer.key, path, "bad", &body.to_string())
                .problem(),
            code
        );
    }
}
