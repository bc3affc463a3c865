//! Subscribers, bundles, statements, receipts, partners and imports over a real socket.

mod common;

use common::{Answer, NUMBER, Service};
use serde_json::{Value, json};

fn sell(service: &Service, reference: &str, amount: &str) -> Value {
    let body = json!({"msisdn": NUMBER, "amount": amount, "external_id": reference, "again": true});
    let answer = service.once(&service.shop, "/v1/topups?wait=10", reference, &body.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()
}

fn statement(service: &Service, query: &str) -> Answer {
    service.api(
        &service.admin,
        "GET",
        &format!("/v1/subscribers/{NUMBER}/statement{query}"),
        "",
    )
}

#[test]
fn a_statement_explains_each_line() {
    let service = Service::start();
    let sold = sell(&service, "a", "100");
    sell(&service, "b", "200");
    let page = service.eventually(|| {
        let page = statement(&service, "").json();
        (page["lines"].as_array().unwrap().len() == 2).then_some(page)
    });
    let oldest = &page["lines"][1];
    assert_eq!(oldest["kind"], "recharge");
    assert_eq!(oldest["amount"], "86.956522");
    assert_eq!(oldest["tax"], "13.043478");
    assert_eq!(oldest["balance"], "86.956522");
    assert_eq!(oldest["receipt"], sold["receipt"]);
    let why = oldest["why"].to_string();
    assert!(why.contains("13.04") && why.contains("86.96"), "{why}");

    let first = statement(&service, "?limit=1").json();
    assert_eq!(first["lines"], json!([page["lines"][0]]));
    let rest = format!("?limit=1&before={}", first["next"].as_str().unwrap());
    assert_eq!(
        statement(&service, &rest).json()["lines"],
        json!([page["lines"][1]])
    );
    assert_eq!(statement(&service, "?before=x").problem(), (422, 1_000_422));
    assert_eq!(statement(&service, "?limit=0").problem(), (422, 1_000_422));
    assert_eq!(statement(&service, "?limit=9999").problem(), (422, 1_000_422));

    let event = oldest["events"][0].as_str().unwrap();
    let path = format!("/v1/explain/{event}");
    let bearer = format!("Bearer {}", service.admin);
    let in_language = |tag: &str| {
        service.send(
            "GET",
            &path,
            &[("authorization", &bearer), ("accept-language", tag)],
            "",
        )
    };
    assert_eq!(in_language("en").json()["why"], oldest["why"]);
    for tag in ["ur", "zh"] {
        let why = in_language(tag).json()["why"].to_string();
        assert!(why.contains("86.96") && !why.contains("balance"), "{why}");
    }
    let none = service.api(&service.admin, "GET", "/v1/explain/E0-9-9", "");
    assert_eq!(none.problem(), (404, 1_008_008));
}

#[test]
fn a_receipt_proves_a_recharge() {
    let service = Service::start();
    let sold = sell(&service, "a", "100");
    let number = sold["receipt"].as_str().unwrap();
    let receipt = service.eventually(|| {
        let answer = service.api(&service.admin, "GET", &format!("/v1/receipts/{number}"), "");
        (answer.status == 200).then(|| answer.json())
    });
    assert_eq!(receipt["msisdn"], NUMBER);
    assert_eq!(receipt["price"]["gross"], "100.00");
    assert_eq!(receipt["price"]["tax"][0]["amount"], "13.043478");
    assert_eq!(receipt["price"]["net_credit"], "86.956522");
    assert_eq!(receipt["channel"], "shop");
    let none = service.api(&service.admin, "GET", "/v1/receipts/R9-9", "");
    assert_eq!(none.problem(), (404, 1_008_007));
    let shop = service.api(&service.shop, "GET", &format!("/v1/receipts/{number}"), "");
    assert_eq!(shop.status, 200, "the seller sees what it sold");
    let other = service.api(&service.other, "GET", &format!("/v1/receipts/{number}"), "");
    assert_eq!(other.problem(), (404, 1_008_007));
}

#[test]
fn a_bundle_is_bought_once() {
    let service = Service::start();
    let list = service
        .api(&service.shop, "GET", "/v1/operators/jazz/bundles", "")
        .json();
    let bundles = list["bundles"].as_array().unwrap();
    assert!(bundles.len() >= 8);
    let cheap = bundles
        .iter()
        .filter(|bundle| bundle["buckets"][0]["unit"] == "octets")
        .min_by_key(|bundle| {
            let price: Vec<&str> = bundle["price"].as_str().unwrap().split('.').collect();
            price[0].parse::<u64>().unwrap()
        })
        .unwrap();
    let code = cheap["code"].as_str().unwrap();
    let path = format!("/v1/subscribers/{NUMBER}/bundles");
    let body = json!({"bundle": code}).to_string();
    let poor = service.once(&service.admin, &path, "p1", &body);
    assert_eq!(poor.problem(), (402, 1_006_003));
    sell(&service, "a", "500");
    let bought = service.once(&service.admin, &path, "p1", &body);
    assert_eq!(bought.status, 201, "{}", bought.body);
    assert_eq!(bought.json()["price"], cheap["price"]);
    let again = service.once(&service.admin, &path, "p1", &body);
    assert_eq!(again.body, bought.body);
    let conflict = service.once(
        &service.admin,
        &path,
        "p1",
        &json!({"bundle": code, "renew": true}).to_string(),
    );
    assert_eq!(conflict.problem(), (422, 1_007_010));
    assert_eq!(service.main_balance(), bought.json()["balance"].as_str().unwrap());
    let owned = service.api(&service.admin, "GET", &path, "").json();
    let owned: Vec<&str> = owned["bundles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["code"].as_str().unwrap())
        .collect();
    assert!(owned.contains(&code), "{owned:?}");
    let none = service.once(
        &service.admin,
        &path,
        "p2",
        &json!({"bundle": "nothing"}).to_string(),
    );
    assert_eq!(none.problem(), (404, 1_003_001));
    let shop = service.once(&service.shop, &path, "p3", &body);
    assert_eq!(shop.problem(), (403, 1_000_402));
}

#[test]
fn subscribers_are_opened_and_changed() {
    let service = Service::start();
    let body =
        json!({"msisdn": "0345 1112223", "imsi": "410060000000001", "language": "ur", "balance": "50"});
    let opened = service.api(&service.admin, "POST", "/v1/subscribers", &body.to_string());
    assert_eq!(opened.status, 201, "{}", opened.body);
    let subscriber = opened.json();
    assert_eq!(subscriber["msisdn"], "923451112223");
    assert_eq!(subscriber["operator"]["code"], "telenor");
    assert_eq!(
        (&subscriber["main"], &subscriber["language"]),
        (&json!("50.00"), &json!("ur"))
    );
    let twice = service.api(&service.admin, "POST", "/v1/subscribers", &body.to_string());
    assert_eq!(twice.problem(), (409, 1_008_001));
    let sim = json!({"msisdn": "03451112224", "imsi": "410060000000001"}).to_string();
    let sim = service.api(&service.admin, "POST", "/v1/subscribers", &sim);
    assert_eq!(sim.problem(), (409, 1_008_002));

    let path = "/v1/subscribers/03451112223";
    let change = |body: Value| service.api(&service.admin, "PATCH", path, &body.to_string());
    let changed = change(json!({"language": "zh", "tax_class": "exempt", "state": "suspended"})).json();
    assert_eq!(
        (&changed["language"], &changed["tax_class"], &changed["state"]),
        (&json!("zh"), &json!("exempt"), &json!("suspended"))
    );
    for (field, value) in [("language", "fr"), ("tax_class", "rich"), ("state", "expired")] {
        let bad = change(json!({field: value}));
        assert_eq!(bad.problem(), (422, 1_000_422));
        assert_eq!(bad.json()["field"], field);
    }
    let quote = json!({"msisdn": "03451112223", "amount": "100"}).to_string();
    let quote = service.api(&service.shop, "POST", "/v1/quotes", &quote);
    assert_eq!(quote.problem(), (409, 1_005_004));
    assert_eq!(change(json!({"state": "closed"})).json()["state"], "closed");
    assert_eq!(change(json!({"state": "active"})).problem(), (409, 1_008_006));
}

#[test]
fn a_ported_number_is_found_by_the_directory() {
    let service = Service::start();
    let to = json!({"operator": "zong"}).to_string();
    let set = service.api(&service.admin, "PUT", "/v1/numbers/03001112223/operator", &to);
    assert_eq!(set.status, 204, "{}", set.body);
    let found = service
        .api(&service.shop, "GET", "/v1/lookup/03001112223", "")
        .json();
    assert_eq!(
        (&found["operator"]["code"], &found["source"]),
        (&json!("zong"), &json!("directory"))
    );
    let ours = service.api(
        &service.admin,
        "PUT",
        &format!("/v1/numbers/{NUMBER}/operator"),
        &to,
    );
    assert_eq!(ours.problem(), (409, 1_008_001));
}

#[test]
fn an_import_answers_line_by_line() {
    let service = Service::start();
    let mut ndjson = String::new();
    for number in 0..1_000 {
        ndjson.push_str(&json!({"msisdn": format!("92301{number:07}"), "balance": "10"}).to_string());
        ndjson.push('\n');
    }
    ndjson.push_str("not json\n\n");
    ndjson.push_str(&format!("{{\"msisdn\":\"{}\"}}\n", "9".repeat(5_000)));
    ndjson.push_str(&json!({"msisdn": NUMBER}).to_string());
    let bearer = format!("Bearer {}", service.admin);
    let send = |kind: &str, body: &str| {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        let answer = service.send("POST", "/v1/subscribers/import", &headers, body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let lines: Vec<Value> = answer
            .body
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        lines
    };
    let lines = send("application/x-ndjson", &ndjson);
    assert_eq!(lines.len(), 1_004);
    assert_eq!(
        lines[0],
        json!({"line": 1, "msisdn": "923010000000", "result": "created"})
    );
    assert_eq!(
        (&lines[1000]["line"], &lines[1000]["code"]),
        (&json!(1001), &json!(1_000_400))
    );
    assert_eq!(
        (&lines[1001]["line"], &lines[1001]["code"]),
        (&json!(1003), &json!(1_000_413))
    );
    assert_eq!(
        (&lines[1002]["line"], &lines[1002]["result"]),
        (&json!(1004), &json!("exists"))
    );
    assert_eq!(
        lines[1003],
        json!({"done": true, "lines": 1003, "created": 1000, "exists": 1, "refused": 2})
    );
    let csv = "msisdn,balance,language\n0301 0000000,5,ur\n0302 0000000,\"5.5\",zh\n03020000001,x,zh\n";
    let lines = send("text/csv", csv);
    let results: Vec<&str> = lines[..3]
        .iter()
        .map(|line| line["result"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["exists", "created", "refused"]);
    service.eventually(|| {
        let balance = service.api(&service.admin, "GET", "/v1/subscribers/923020000000/balance", "");
        (balance.status == 200).then(|| assert_eq!(balance.json()["main"], "5.50"))
    });
    let wrong = service.api(&service.admin, "POST", "/v1/subscribers/import", "{}");
    assert_eq!(wrong.problem(), (415, 1_000_415));
}

#[test]
fn partners_keys_and_floats_are_managed() {
    let service = Service::start();
    let new = json!({"id": 77, "name": "Corner Shop", "code": "corner", "operators": ["jazz"],
        "per_day": "150", "scopes": ["topup"]});
    let created = service.api(&service.admin, "POST", "/v1/partners", &new.to_string());
    assert_eq!(created.status, 201, "{}", created.body);
    let key = created.json()["key"]["key"].as_str().unwrap().to_owned();
    let twice = service.api(&service.admin, "POST", "/v1/partners", &new.to_string());
    assert_eq!(twice.problem(), (409, 1_008_003));
    let fund = |key: &str, amount: &str| {
        let body = json!({"amount": amount, "reference": "bank 1"}).to_string();
        service.once(&service.admin, "/v1/partners/77/float", key, &body)
    };
    assert_eq!(fund("f1", "500").json()["float"], "500.00");
    assert_eq!(fund("f1", "500").json()["float"], "500.00", "once");
    assert_eq!(fund("f1", "600").problem(), (422, 1_007_010));
    assert_eq!(fund("f2", "-501").problem(), (402, 1_006_001));
    assert_eq!(fund("f3", "-100").json()["float"], "400.00");

    let sell = |reference: &str, number: &str| {
        let body = json!({"msisdn": number, "amount": "100", "external_id": reference, "again": true});
        service.once(&key, "/v1/topups?wait=5", reference, &body.to_string())
    };
    assert_eq!(sell("1", NUMBER).status, 201);
    assert_eq!(sell("2", NUMBER).problem(), (409, 1_006_002), "150 a day");
    service.subscriber("923029999999");
    let zong = json!({"msisdn": "03101111111", "operator": "zong"}).to_string();
    assert_eq!(
        service
            .api(&service.admin, "POST", "/v1/subscribers", &zong)
            .status,
        201
    );
    assert_eq!(sell("3", "03101111111").problem(), (403, 1_003_004));
    let me = service.api(&key, "GET", "/v1/partners/me", "").json();
    assert_eq!(
        (&me["float"], &me["in_transit"]),
        (&json!("300.00"), &json!("0.00"))
    );
    assert_eq!(
        service.api(&key, "GET", "/v1/partners/2", "").problem(),
        (403, 1_000_402)
    );

    let more = json!({"scopes": ["read", "topup"]}).to_string();
    let second = service
        .api(&service.admin, "POST", "/v1/partners/77/keys", &more)
        .json();
    let second_key = second["key"].as_str().unwrap();
    assert_eq!(service.api(second_key, "GET", "/v1/partners/me", "").status, 200);
    let path = format!("/v1/partners/77/keys/{}", second["id"].as_str().unwrap());
    assert_eq!(service.api(&service.admin, "DELETE", &path, "").status, 204);
    assert_eq!(
        service.api(second_key, "GET", "/v1/partners/me", "").problem(),
        (401, 1_000_401)
    );
}

#[test]
fn the_books_of_a_day_sum_to_zero() {
    let service = Service::start();
    sell(&service, "a", "100");
    let path = "/v1/ledger/days?operator=jazz&from=2026-11-21&to=2026-11-21";
    let totals = service.eventually(|| {
        let days = service.api(&service.admin, "GET", path, "").json();
        let totals = days["totals"].as_array().unwrap().clone();
        totals
            .iter()
            .any(|total| total["amount"] == "13.043478" || total["amount"] == "-13.043478")
            .then_some(totals)
    });
    let sum: i64 = totals
        .iter()
        .filter(|total| total["unit"] == "money")
        .map(|total| charge::Money::parse(total["amount"].as_str().unwrap()).unwrap().0)
        .sum();
    assert_eq!(sum, 0, "{totals:?}");
    let usage = service
        .api(&service.admin, "GET", &format!("/v1/usage?msisdn={NUMBER}"), "")
        .json();
    assert_eq!(usage["records"], json!([]));
    let bad = service.api(
        &service.admin,
        "GET",
        "/v1/ledger/days?operator=jazz&from=2020-01-01&to=2026-01-01",
        "",
    );
    assert_eq!(bad.problem(), (422, 1_000_422));
}
