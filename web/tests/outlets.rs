//! Outlets over HTTP and in a real Chromium: who may write, hostile files, open now at given times, distances, crowds.

#[path = "../../server/tests/browser/mod.rs"]
mod browser;
mod common;

use browser::{Axe, Browser, Programs};
use charge::{Command, Money, SourceId};
use common::client::Client;
use common::outlets::OUTLETS;
use common::{NUMBER, SHOP, Service};
use serde_json::{Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
/// The middle of Saddar, to measure from.
const SADDAR: &str = "lat=24860700&lon=67010400";

/// Ids and states of an answer, in order.
fn found(service: &Service, query: &str) -> Vec<(String, String)> {
    let answer = service.api(&service.shop, "GET", &format!("/v1/outlets?{query}"), "");
    assert_eq!(answer.status, 200, "{answer:?}");
    let word = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let all = answer.json();
    all.as_array()
        .unwrap()
        .iter()
        .map(|one| (word(one, "id"), word(one, "state")))
        .collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter()
        .map(|(id, state)| ((*id).to_owned(), (*state).to_owned()))
        .collect()
}

#[test]
fn the_nearest_come_first_and_are_open_when_they_are() {
    let service = Service::start();
    service.has_outlets();
    // It is Saturday, 17:00 in Karachi.
    assert_eq!(
        found(&service, SADDAR),
        pairs(&[("near", "open"), ("shut", "closed"), ("night", "open")])
    );
    assert_eq!(
        found(&service, &format!("{SADDAR}&open=true")),
        pairs(&[("near", "open"), ("night", "open")])
    );
    assert_eq!(
        found(&service, "near=Karachi,%20Clifton&limit=1"),
        pairs(&[("night", "open")])
    );
    assert_eq!(found(&service, "operator=telenor"), pairs(&[("night", "open")]));
    assert_eq!(
        found(&service, "accessible=true&service=sim"),
        pairs(&[("near", "open")])
    );
    assert_eq!(found(&service, "after=near&limit=1"), pairs(&[("night", "open")]));
    let answer = service
        .api(&service.shop, "GET", &format!("/v1/outlets?{SADDAR}"), "")
        .json();
    assert_eq!(
        (answer[0]["distance_m"].as_u64(), answer[1]["distance_m"].as_u64()),
        (Some(0), Some(111))
    );
    assert_eq!(
        (answer[1]["direction"].as_str(), answer[2]["direction"].as_str()),
        (Some("n"), Some("s"))
    );
    // Sunday 01:00: the night that began on Saturday.
    service.pass(8 * HOUR);
    assert_eq!(found(&service, "open=true"), pairs(&[("night", "open")]));
    service.pass(HOUR);
    assert_eq!(found(&service, "open=true"), pairs(&[]));
    // Friday 13:30 is prayer time, Saturday the 5th a holiday.
    service.pass(5 * 24 * HOUR + 11 * HOUR + HOUR / 2);
    assert_eq!(
        found(&service, "operator=jazz"),
        pairs(&[("near", "break"), ("shut", "closed")])
    );
    service.pass(HOUR);
    assert_eq!(
        found(&service, "operator=jazz&open=true"),
        pairs(&[("near", "open")])
    );
    service.pass(8 * 24 * HOUR);
    assert_eq!(found(&service, "accessible=true"), pairs(&[("near", "closed")]));
}

#[test]
fn only_administrators_write_and_bad_input_changes_nothing() {
    let service = Service::start();
    let body = json!({"name": "One", "address": "1", "city": "Quetta", "lat": 30_179_800, "lon": 66_975_000,
        "hours": "mon-sun 09:00-21:00", "services": ["recharge"], "operators": ["jazz"]});
    let put = |key: &str, id: &str, body: &Value| {
        service.api(key, "PUT", &format!("/v1/outlets/{id}"), &body.to_string())
    };
    assert_eq!(put(&service.shop, "one", &body).status, 403);
    assert_eq!(service.imports_outlets(&service.shop, OUTLETS).status, 403);
    assert_eq!(
        service.api(&service.shop, "DELETE", "/v1/outlets/one", "").status,
        403
    );
    assert_eq!(service.send("GET", "/v1/outlets", &[], "").status, 401);
    assert_eq!(put(&service.admin, "one", &body).status, 204);
    for (field, value) in [
        ("lat", json!(90_000_001)),
        ("hours", json!("always")),
        ("breaks", json!("friday")),
        ("services", json!(["magic"])),
        ("services", json!([])),
        ("operators", json!(["nobody"])),
        ("seller", json!(4_000_000)),
        ("phone", json!("javascript:alert(1)")),
        ("name", json!("\u{202e}evil")),
        ("synthetic", json!("yes")),
    ] {
        let mut bad = body.clone();
        bad[field] = value.clone();
        let answer = put(&service.admin, "one", &bad);
        assert_eq!(answer.problem(), (422, 1_000_422), "{field} {value}");
        assert_eq!(answer.json()["field"], field, "{value}");
    }
    assert_eq!(put(&service.admin, "Not-Good", &body).status, 422);
    let hostile = OUTLETS
        .replace("mon-fri 09:00-12:00", "mon-fri 9-12")
        .replace("telenor", "nobody");
    let answer = service.imports_outlets(&service.admin, &hostile).json();
    assert_eq!((&answer["done"], &answer["created"]), (&json!(false), &json!(0)));
    let lines: Vec<(u64, &str)> = answer["mistakes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["line"].as_u64().unwrap(), one["field"].as_str().unwrap()))
        .collect();
    assert_eq!(lines, [(3, "hours"), (4, "operators")]);
    let strange = service
        .imports_outlets(&service.admin, &OUTLETS.replace(",2,+92", ",77,+92"))
        .json();
    assert_eq!(
        (&strange["mistakes"][0]["line"], &strange["mistakes"][0]["field"]),
        (&json!(2), &json!("seller"))
    );
    assert_eq!(
        found(&service, "open=false"),
        pairs(&[("one", "open")]),
        "nothing was written"
    );
    // Every service has a name, and is looked for by it.
    let mut more = body.clone();
    more["services"] = json!(["recharge", "esim"]);
    assert_eq!(found(&service, "service=esim"), pairs(&[]));
    assert_eq!(put(&service.admin, "one", &more).status, 204);
    assert_eq!(found(&service, "service=esim"), pairs(&[("one", "open")]));
    let seen = service
        .api(&service.shop, "GET", "/v1/outlets?service=esim", "")
        .json();
    assert_eq!(seen[0]["services"], json!(["recharge", "esim"]));
    let page = Client::new(&service).get("/outlets?service=esim");
    assert!(page.body.contains("eSIM") && page.body.contains("id=\"outlet-one\""));
    service.has_outlets();
    let again = service.imports_outlets(&service.admin, OUTLETS).json();
    assert_eq!((&again["created"], &again["changed"]), (&json!(0), &json!(0)));
    assert_eq!(
        service
            .api(&service.admin, "DELETE", "/v1/outlets/one", "")
            .status,
        204
    );
    assert_eq!(
        service
            .api(&service.admin, "DELETE", "/v1/outlets/one", "")
            .status,
        404
    );
    for bad in [
        "lat=1",
        "lat=91000000&lon=0",
        "service=magic",
        "near=Atlantis",
        "limit=0",
        "evil=1",
        "open=perhaps",
    ] {
        let answer = service.api(&service.shop, "GET", &format!("/v1/outlets?{bad}"), "");
        assert!((400..=422).contains(&answer.status), "{bad}: {answer:?}");
    }
}

#[test]
fn the_page_needs_no_script_and_lets_no_name_become_one() {
    let service = Service::start();
    let mut browser = Client::new(&service);
    let empty = browser.get("/outlets");
    assert!(empty.body.contains("No outlet fits"));
    service.has_outlets();
    let page = browser.get(&format!("/outlets?{SADDAR}&open=1"));
    assert_eq!(page.header("permissions-policy"), "geolocation=(self)");
    assert_eq!(
        browser.get("/help").header("permissions-policy"),
        "geolocation=()"
    );
    assert!(!page.body.contains("<img src=x") && !page.body.contains("Street <b>"));
    assert!(page.body.contains("&lt;img src=x onerror=alert(1)&gt;"));
    assert!(page.body.contains("id=\"outlet-near\"") && !page.body.contains("id=\"outlet-shut\""));
    assert!(page.body.contains("Demo data of ") && page.body.contains("does not exist"));
    // Addresses that make no sense find everything, and break nothing.
    for query in [
        "lat=x&lon=y",
        "lat=99999999999&lon=0",
        "near=%3Cscript%3E",
        "service=magic&operator=nobody",
    ] {
        let page = browser.get(&format!("/outlets?{query}"));
        assert_eq!(page.status, 200, "{query}");
        assert!(page.body.contains("id=\"outlet-shut\""), "{query}");
        assert!(!page.body.contains("<script>"), "{query}");
    }
    let urdu = service.send(
        "GET",
        "/outlets",
        &[("accept", "text/html"), ("accept-language", "ur")],
        "",
    );
    assert!(urdu.body.contains("بند دکان") && urdu.body.contains("dir=\"rtl\""));
}

/// Sells so many top-ups at the shop, each of another amount.
fn sell(service: &Service, count: u32, name: &str) {
    for index in 0..count {
        let body = json!({"msisdn": NUMBER, "amount": (100 + index).to_string(), "external_id": format!("{name}-{index}")});
        let key = format!("{name}-{index}");
        let answer = service.once(&service.shop, "/v1/topups?wait=10", &key, &body.to_string());
        assert!(answer.status < 300, "{answer:?}");
    }
}

#[test]
fn crowds_follow_from_the_sales_of_the_hour() {
    let service = Service::start();
    service.has_outlets();
    service.call_core(Command::FundFloat {
        partner: SHOP,
        amount: Money::from_units(100_000),
        source: SourceId(2),
        reference: "second".to_owned(),
    });
    // 40 sales on Saturday between 17:00 and 18:00, six in each of the next three hours.
    sell(&service, 40, "a");
    for name in ["b", "c", "d"] {
        service.pass(HOUR);
        sell(&service, 6, name);
    }
    let crowd = || {
        let page = Client::new(&service).get("/outlets?operator=jazz").body;
        ["Usually quiet", "Usually as busy", "Usually busy"]
            .into_iter()
            .find(|word| page.contains(word))
    };
    assert_eq!(crowd(), None, "today does not count yet");
    // Next Saturday, 17:30; the read models have everything by then.
    service.pass(6 * 24 * HOUR + 21 * HOUR + HOUR / 2);
    let all = (charge::Timestamp(0), charge::Timestamp(i64::MAX));
    service.eventually(|| {
        let sold = service
            .web
            .parts
            .reads
            .ask(move |reader| reader.models.sales_by_hour(SHOP, all, 0));
        let sold = service.wait(sold).unwrap();
        (sold.iter().map(|(_, count)| count).sum::<u64>() == 58).then_some(())
    });
    assert_eq!(crowd(), Some("Usually busy"));
    service.pass(HOUR);
    assert_eq!(crowd(), Some("Usually quiet"));
    // Five weeks later nobody knows any more.
    service.pass(35 * 24 * HOUR);
    assert_eq!(crowd(), None);
}

#[test]
fn the_button_asks_the_browser_and_the_list_answers() {
    let Some(programs) = Programs::find() else { return };
    let axe = Axe::find();
    let service = Service::start();
    service.has_outlets();
    let browser = Browser::open(&programs, false);
    browser.size(360, 780);
    browser.go(&format!("{}/outlets?lang=en", service.url));
    assert_eq!(
        browser.run("return document.querySelector('#here-box').hidden"),
        false
    );
    // The browser's own answer, put in place of a question that nobody can answer here.
    browser.run(
        "navigator.geolocation.getCurrentPosition = (good) => good({coords: {latitude: 24.813812, longitude: 67.030049}}); return 1",
    );
    browser.click("#here");
    browser.until("document.querySelector('#here-used') !== null");
    let asked = browser.run("return location.search");
    assert!(
        asked.as_str().unwrap().contains("lat=24814000&lon=67030000"),
        "{asked}"
    );
    let order = browser.run("return [...document.querySelectorAll('.outlets > li')].map(one => one.id)");
    assert_eq!(order, json!(["outlet-night", "outlet-near"]), "open now");
    browser.click("#find input[name=open]");
    browser.click("#find button.primary");
    browser.until("document.querySelectorAll('.outlets > li').length === 3");
    let order = browser.run("return [...document.querySelectorAll('.outlets > li')].map(one => one.id)");
    assert_eq!(order, json!(["outlet-night", "outlet-near", "outlet-shut"]));
    assert_eq!(
        browser.run("return document.querySelectorAll('.compass g').length"),
        3
    );
    assert!(
        browser
            .text("#outlet-near h2")
            .contains("<img src=x onerror=alert(1)>")
    );
    browser.run("navigator.geolocation.getCurrentPosition = (good, bad) => bad(new Error('no')); return 1");
    browser.click("#here");
    browser.until("!document.querySelector('#here-failed').hidden");
    let query = browser.run("return location.search");
    let query = query.as_str().unwrap();
    for language in ["en", "ur", "zh"] {
        browser.go(&format!("{}/more?lang={language}", service.url));
        for (width, name) in [(360, "phone"), (1280, "desktop")] {
            browser.size(width, 900);
            browser.go(&format!("{}/outlets{query}", service.url));
            browser.click("#outlet-near summary");
            let wide = browser.run("return document.documentElement.scrollWidth - window.innerWidth");
            assert!(wide.as_i64().unwrap() <= 0, "{language} {name}");
            if let Some(axe) = &axe {
                let wrong = axe.wrong(&browser);
                assert!(wrong.is_empty(), "{language} {name}: {wrong:#?}");
            }
            if let Some(place) = std::env::var_os("RASEED_SCREENSHOTS") {
                let name = format!("outlets-{language}-{name}.png");
                browser.screenshot(&std::path::Path::new(&place).join(name));
            }
        }
    }
    let strange: Vec<String> = browser.requests();
    let strange: Vec<&String> = strange
        .iter()
        .filter(|asked| asked.starts_with("http") && !asked.starts_with(&service.url))
        .collect();
    assert!(strange.is_empty(), "nobody else learns where one is: {strange:?}");
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
    programs.took_part("outlets.rs");
}
