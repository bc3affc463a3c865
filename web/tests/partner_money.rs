//! Partners' money over HTTP: commission, reversals, settlement files and the three-way comparison, in a real engine and its
//! SQLite files.

mod common;

use charge::catalog::Called;
use charge::unit::Service as Use;
use common::{NUMBER, SHOP, Service};
use serde_json::{Value, json};
use std::time::Duration;
use web::settlement_file::{Checked, Checker};

const DAY: &str = "2026-11-21";

struct Story {
    service: Service,
}

impl Story {
    fn start() -> Story {
        Story {
            service: Service::start(),
        }
    }

    fn sell(&self, external: &str, amount: &str) -> Value {
        let body = json!({"msisdn": NUMBER, "amount": amount, "external_id": external, "again": true});
        let answer = self.service.once(
            &self.service.shop,
            "/v1/topups?wait=10",
            external,
            &body.to_string(),
        );
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.json()["state"], "COMPLETED");
        answer.json()
    }

    fn reverse(&self, key: &str, sale: &Value) -> common::Answer {
        let id = sale["id"].as_str().unwrap();
        self.service
            .api(key, "POST", &format!("/v1/topups/{id}/reversal?wait=10"), "{}")
    }

    #[allow(clippy::needless_pass_by_value, reason = "bodies are written in place")]
    fn admin(&self, method: &str, path: &str, body: Value) -> common::Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.service.api(&self.service.admin, method, path, &body)
    }

    fn float(&self) -> String {
        let shop = self.service.api(&self.service.shop, "GET", "/v1/partners/me", "");
        shop.json()["float"].as_str().unwrap().to_owned()
    }

    fn report(&self, query: &str) -> common::Answer {
        let path = format!("/v1/reports/partners/me/settlement?day={DAY}{query}");
        self.service.api(&self.service.shop, "GET", &path, "")
    }

    /// The file of the day, once the read models have so many movements.
    fn file_of(&self, movements: usize, query: &str) -> String {
        self.service.eventually(|| {
            let answer = self.report(query);
            let all = answer.body.lines().count() == movements + 2 && !answer.body.contains("SUBMITTED");
            (answer.status == 200 && all).then_some(answer.body)
        })
    }

    fn compare(&self, file: &str) -> Value {
        let path = format!("/v1/reports/partners/{}/reconciliation?day={DAY}", SHOP.0);
        let bearer = format!("Bearer {}", self.service.admin);
        let headers = [("authorization", bearer.as_str()), ("content-type", "text/csv")];
        let answer = self.service.send("POST", &path, &headers, file);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }
}

fn check(file: &str) -> Checked {
    let mut checker = Checker::default();
    for line in file.split_inclusive('\n') {
        checker
            .take(line.as_bytes())
            .unwrap_or_else(|flaw| panic!("{flaw}: {line}"));
    }
    checker.end().unwrap()
}

/// Columns of the lines of a type.
fn lines_of(file: &str, kind: &str) -> Vec<Vec<String>> {
    let lines = file.lines().filter_map(web::settlement_file::cells);
    lines
        .filter(|cells| cells.get(3).is_some_and(|cell| cell == kind))
        .collect()
}

#[test]
fn commission_is_agreed_shown_changed_and_ended() {
    let story = Story::start();
    let path = format!("/v1/partners/{}/commission", SHOP.0);
    assert_eq!(
        story.admin("GET", &path, Value::Null).json(),
        json!({"now": null, "planned": []})
    );
    let set = story.admin(
        "PUT",
        &path,
        json!({"kind": "upfront", "percent": "2.75", "maximum": "5"}),
    );
    assert_eq!(set.status, 200, "{set:?}");
    assert_eq!(set.json()["now"]["percent"], "2.75");
    assert_eq!(set.json()["now"]["maximum"], "5.00");
    let later = json!({"kind": "on-sale", "percent": "3", "from": "2026-11-21T13:00:00Z"});
    let planned = story.admin("PUT", &path, later).json();
    assert_eq!(planned["planned"][0]["percent"], "3.00");
    assert_eq!(planned["planned"][0]["from"], "2026-11-21T13:00:00Z");
    assert_eq!(
        story.sell("a", "100")["commission"],
        json!({"amount": "2.75", "kind": "upfront"})
    );
    assert_eq!(story.float(), "902.75");
    story.service.pass(Duration::from_secs(3_700));
    assert_eq!(
        story.sell("b", "100")["commission"],
        json!({"amount": "3.00", "kind": "on-sale"})
    );
    assert_eq!(story.float(), "805.75");
    let own = story
        .service
        .api(&story.service.shop, "GET", "/v1/partners/me/commission", "");
    assert_eq!(own.json()["now"]["kind"], "on-sale");
    let theirs = story.service.api(&story.service.other, "GET", &path, "");
    assert_eq!(theirs.problem().0, 403);
    assert_eq!(
        story.admin("DELETE", &path, Value::Null).json()["now"],
        Value::Null
    );
    assert_eq!(story.sell("c", "100")["commission"], Value::Null);
    for (bad, field) in [
        (json!({"kind": "never", "percent": "1"}), "kind"),
        (json!({"kind": "upfront", "percent": "101"}), "percent"),
        (json!({"kind": "upfront", "percent": "-1"}), "percent"),
        (
            json!({"kind": "upfront", "percent": "1", "minimum": "2", "maximum": "1"}),
            "maximum",
        ),
        (
            json!({"kind": "upfront", "percent": "1", "from": "2020-01-01T00:00:00Z"}),
            "from",
        ),
    ] {
        let answer = story.admin("PUT", &path, bad);
        assert_eq!(
            (answer.status, answer.json()["field"].as_str()),
            (422, Some(field)),
            "{answer:?}"
        );
    }
}

#[test]
fn a_sale_is_taken_back_as_far_as_it_is_unused() {
    let story = Story::start();
    let service = &story.service;
    let path = format!("/v1/partners/{}/commission", SHOP.0);
    story.admin("PUT", &path, json!({"kind": "upfront", "percent": "2"}));
    let wrong = story.sell("wrong", "200");
    let receipt = wrong["receipt"].as_str().unwrap().to_owned();
    let stranger = story.reverse(&service.other, &wrong);
    assert_eq!(stranger.problem().0, 404, "another seller's sale does not exist");
    service.use_service(
        Use::Sms,
        Called::Number(charge::Msisdn::parse(NUMBER).unwrap()),
        3,
    );
    let left: f64 = service.main_balance().parse().unwrap();
    assert!(left > 0.0 && left < 173.9, "something was used: {left}");
    let done = story.reverse(&service.shop, &wrong);
    assert_eq!(done.status, 200, "{done:?}");
    let done = done.json();
    assert_eq!(
        (done["state"].as_str(), done["reversal"]["state"].as_str()),
        (Some("REVERSED"), Some("done"))
    );
    assert_eq!(
        service.main_balance(),
        "0.00",
        "never below zero, and nothing of it is left"
    );
    let again = story.reverse(&service.shop, &wrong);
    assert_eq!(again.json(), done, "asked again: the same answer, nothing moves");
    let money = |name: &str| charge::Money::parse(done["reversal"][name].as_str().unwrap()).unwrap();
    assert_eq!(money("unused") + money("tax"), money("amount"));
    let float = charge::Money::from_units(1_000 - 200 + 4) + money("amount") - money("commission");
    assert_eq!(story.float(), float.exact());
    let marked = service.eventually(|| {
        let answer = service.api(&service.admin, "GET", &format!("/v1/receipts/{receipt}"), "");
        answer.json()["taken_back"].is_string().then(|| answer.json())
    });
    assert_eq!(marked["taken_back"], done["reversal"]["unused"]);
    let late = story.sell("late", "100");
    service.pass(Duration::from_secs(1_801));
    assert_eq!(story.reverse(&service.shop, &late).problem(), (409, 1_007_040));
    let staff = story.reverse(&service.admin, &late);
    assert_eq!(staff.json()["reversal"]["amount"], "100.00");
    let nothing = story.sell("used", "100");
    let back = story.reverse(&service.shop, &nothing);
    assert_eq!(back.status, 200);
    let unknown = service.api(
        &service.shop,
        "POST",
        "/v1/topups/00000000-0000-7000-8000-000000000000/reversal",
        "{}",
    );
    assert_eq!(unknown.problem().0, 404);
}

#[test]
fn from_an_amount_on_two_must_want_it() {
    let story = Story::start();
    let service = &story.service;
    let sale = story.sell("big", "400");
    let asked = story.reverse(&service.shop, &sale);
    assert_eq!(
        (asked.status, asked.json()["reversal"]["state"].as_str()),
        (202, Some("awaiting-approval"))
    );
    assert_eq!(story.float(), "600.00", "nothing has moved");
    assert_eq!(story.reverse(&service.shop, &sale).json(), asked.json());
    let approved = story.reverse(&service.admin, &sale);
    assert_eq!(
        (approved.status, approved.json()["state"].as_str()),
        (200, Some("REVERSED"))
    );
    assert_eq!(story.float(), "1000.00");
    // Staff alone is one pair of eyes as well.
    let sale = story.sell("big-2", "400");
    assert_eq!(story.reverse(&service.admin, &sale).status, 202);
    assert_eq!(story.reverse(&service.admin, &sale).status, 202);
    assert_eq!(story.reverse(&service.shop, &sale).problem(), (403, 1_007_041));
}

#[test]
fn the_settlement_file_is_exact_and_the_same_for_ever() {
    let story = Story::start();
    let service = &story.service;
    let path = format!("/v1/partners/{}/commission", SHOP.0);
    story.admin("PUT", &path, json!({"kind": "upfront", "percent": "2.5"}));
    story.sell("=one", "100");
    let back = story.sell("two", "100");
    story.admin("PUT", &path, json!({"kind": "on-sale", "percent": "1"}));
    story.sell("three", "80");
    assert_eq!(story.reverse(&service.shop, &back).status, 200);
    // Funding, three sales, one commission of its own, one reversal.
    assert_eq!(
        story.report("").problem(),
        (409, 1_008_022),
        "the day is not over"
    );
    let partial = story.file_of(6, "&partial=true");
    assert!(!check(&partial).whole);
    service.pass(Duration::from_secs(8 * 3_600));
    // A movement of the next day: not in this file.
    story.sell("tomorrow", "70");
    let file = story.file_of(6, "");
    let checked = check(&file);
    assert_eq!((checked.count, checked.whole), (6, true));
    let (before, after) = checked.balances.unwrap();
    assert_eq!(
        (before.exact().as_str(), after.exact().as_str()),
        ("0.00", "823.30")
    );
    let sales = lines_of(&file, "sale");
    assert_eq!(sales.len(), 3);
    assert_eq!(
        (sales[0][2].as_str(), sales[0][7].as_str(), sales[0][10].as_str()),
        ("'=one", "100.00", "2.50")
    );
    assert!(
        sales.iter().all(|sale| sale[13] == "COMPLETED"),
        "a reversal has a line of its own"
    );
    let reversal = &lines_of(&file, "reversal")[0];
    assert_eq!(
        (
            reversal[14].as_str(),
            reversal[10].as_str(),
            reversal[13].as_str()
        ),
        ("two", "-2.50", "REVERSED")
    );
    for _ in 0..3 {
        assert_eq!(story.report("").body, file, "the same bytes");
    }
    let summary = service.api(
        &service.shop,
        "GET",
        &format!("/v1/reports/partners/me/summary?from={DAY}&to=2026-11-22"),
        "",
    );
    let summary = summary.json();
    let row = |kind: &str, state: &str, day: &str| {
        let rows = summary["rows"].as_array().unwrap();
        let row = rows
            .iter()
            .find(|row| row["type"] == kind && row["state"] == state && row["day"] == day);
        row.unwrap_or_else(|| panic!("{kind} {state} {day}: {summary}"))
            .clone()
    };
    assert_eq!(row("sale", "COMPLETED", DAY)["count"], 2);
    assert_eq!(row("sale", "REVERSED", DAY)["gross"], "100.00");
    assert_eq!(row("reversal", "REVERSED", DAY)["change"], "97.50");
    assert_eq!(row("sale", "COMPLETED", "2026-11-22")["operator"], "jazz");
    let other = service.api(
        &service.other,
        "GET",
        &format!("/v1/reports/partners/{}/settlement?day={DAY}", SHOP.0),
        "",
    );
    assert_eq!(other.problem().0, 403);
}

/// Every movement is a line with the next number, each day begins where the one before ended, and what a later day does to a
/// sale stands in that day's file.
#[test]
fn files_of_days_follow_each_other() {
    let story = Story::start();
    let service = &story.service;
    let path = format!("/v1/partners/{}/float", SHOP.0);
    let state = |state: &str| {
        let subscriber = format!("/v1/subscribers/{NUMBER}");
        let changed = story.admin("PATCH", &subscriber, json!({"state": state}));
        assert_eq!(changed.status, 200, "{changed:?}");
    };
    let fund = |amount: &str, reference: &str| {
        let body = json!({"amount": amount, "reference": reference}).to_string();
        let answer = service.once(&service.admin, &path, reference, &body);
        assert!(answer.status < 300, "{answer:?}");
    };
    let back = story.sell("a", "100");
    state("suspended");
    let body = json!({"msisdn": NUMBER, "amount": "90", "external_id": "no", "again": true}).to_string();
    let declined = service.once(&service.shop, "/v1/topups?wait=10", "no", &body);
    state("active");
    assert_eq!(declined.json()["state"], "DECLINED", "{declined:?}");
    fund("-40", "to-the-bank");
    let first = story.file_of(5, "&partial=true");
    service.pass(Duration::from_secs(8 * 3_600));
    // The second day.
    assert_eq!(story.reverse(&service.admin, &back).json()["state"], "REVERSED");
    fund("60.25", "from-the-bank");
    story.sell("b", "70");
    service.pass(Duration::from_secs(24 * 3_600));
    let file_of = |day: &str, movements: usize| {
        let path = format!("/v1/reports/partners/me/settlement?day={day}");
        service.eventually(|| {
            let answer = service.api(&service.shop, "GET", &path, "");
            let lines = answer.body.lines().count();
            (answer.status == 200 && lines == movements + 2).then_some(answer.body)
        })
    };
    let (one, two, empty) = (
        file_of(DAY, 5),
        file_of("2026-11-22", 3),
        file_of("2026-11-20", 0),
    );
    let body = |file: &str| file[..file.trim_end().rfind('\n').unwrap()].to_owned();
    assert_eq!(body(&one), body(&first), "what was there stays");
    assert_eq!(check(&empty).balances, None);
    let (before, between) = check(&one).balances.unwrap();
    let (again, after) = check(&two).balances.unwrap();
    assert_eq!(
        [before, between, again, after].map(charge::Money::exact),
        ["0.00", "860.00", "860.00", "950.25"]
    );
    let cells = |file: &str| -> Vec<Vec<String>> {
        let lines: Vec<&str> = file.lines().collect();
        let movements = &lines[1..lines.len() - 1];
        let cells = movements.iter().map(|line| web::settlement_file::cells(line));
        cells.map(Option::unwrap).collect()
    };
    let all = [cells(&one), cells(&two)].concat();
    for (at, line) in all.iter().enumerate() {
        assert_eq!(line[0], (at + 1).to_string(), "numbers without a gap");
    }
    let said: Vec<[&str; 6]> = all
        .iter()
        .map(|line| [3, 2, 4, 5, 13, 14].map(|at| line[at].as_str()))
        .collect();
    assert_eq!(said[1], ["sale", "a", "float.2", "subscriber", "COMPLETED", ""]);
    assert_eq!(said[2], ["sale", "no", "float.2", "subscriber", "DECLINED", ""]);
    assert_eq!(
        said[3],
        ["declined", "", "subscriber", "float.2", "DECLINED", "no"]
    );
    assert_eq!(
        (said[4][0], said[4][2], said[4][3]),
        ("withdrawal", "float.2", "bank")
    );
    assert_eq!(
        said[5],
        ["reversal", "", "subscriber", "float.2", "REVERSED", "a"]
    );
    assert_eq!(
        (said[6][0], said[6][2], said[6][3]),
        ("funding", "bank", "float.2")
    );
    // The trailer: lines, what they did to the float, SHA-256 of every byte before it.
    use sha2::{Digest as _, Sha256};
    use std::fmt::Write as _;
    let end = two.trim_end().rfind('\n').unwrap() + 1;
    let mut wanted = "trailer,3,90.25,".to_owned();
    for byte in Sha256::digest(&two.as_bytes()[..end]) {
        write!(wanted, "{byte:02x}").unwrap();
    }
    assert_eq!(two[end..].trim_end(), wanted);
}

#[test]
fn a_partners_own_file_against_ledger_and_credits() {
    let story = Story::start();
    let service = &story.service;
    for (external, amount) in [("a", "100"), ("b", "90"), ("c", "80"), ("d", "70")] {
        story.sell(external, amount);
    }
    let ours = story.file_of(5, "&partial=true");
    let same = story.compare(&ours);
    assert_eq!(
        (
            same["lines"].as_u64(),
            same["matched"].as_u64(),
            same["new"].as_u64()
        ),
        (Some(4), Some(4), Some(0))
    );
    // One missing, one extra, one changed: three exceptions, however often it is compared.
    let theirs =
        "external_id,amount,state,note\na,100,SUCCESS,x\nb,91,SUCCESS,\nd,70,SUCCESS,\nz,60,SUCCESS,\n";
    let found = story.compare(theirs);
    assert_eq!(
        (found["new"].as_u64(), found["matched"].as_u64()),
        (Some(3), Some(2))
    );
    assert_eq!(story.compare(theirs)["new"], 0);
    let exceptions = found["exceptions"].as_array().unwrap();
    let kind = |name: &str| exceptions.iter().find(|one| one["kind"] == name).unwrap().clone();
    assert_eq!(kind("extra-in-file")["reference"], "z");
    assert_eq!(
        (
            kind("amount-differs")["file"].as_str(),
            kind("amount-differs")["books"].as_str()
        ),
        (Some("91.00"), Some("90.00"))
    );
    let missing = kind("missing-in-file");
    assert_eq!(
        (missing["reference"].as_str(), missing["rail"].as_str()),
        (Some("c"), Some("partner.2"))
    );
    assert_eq!(missing["remedies"], json!(["refund", "dismiss"]));
    let listed = story.admin("GET", "/v1/exceptions", Value::Null).json();
    assert_eq!(listed["exceptions"].as_array().unwrap().len(), 3);
    // The seller never sold it: its money goes back, once.
    let path = format!("/v1/exceptions/{}", missing["id"].as_str().unwrap());
    let closed = story.admin("POST", &path, json!({"remedy": "refund"}));
    assert_eq!(
        (closed.status, closed.json()["remedy"].as_str()),
        (200, Some("refund")),
        "{closed:?}"
    );
    service.eventually(|| (story.float() == "740.00").then_some(()));
    let extra = format!("/v1/exceptions/{}", kind("extra-in-file")["id"].as_str().unwrap());
    assert_eq!(
        story.admin("POST", &extra, json!({"remedy": "refund"})).status,
        422
    );
    assert_eq!(
        story
            .admin("POST", &extra, json!({"remedy": "own", "owner": "sana"}))
            .json()["owner"],
        "sana"
    );
    // A later file without the differences closes what is left.
    story.compare(&format!("external_id,amount\n{}", "a,100\nb,90\nc,80\nd,70\n"));
    let listed = story.admin("GET", "/v1/exceptions", Value::Null).json();
    assert_eq!(listed["exceptions"].as_array().unwrap().len(), 0);
    let bad = service.send(
        "POST",
        &format!("/v1/reports/partners/{}/reconciliation?day={DAY}", SHOP.0),
        &[
            ("authorization", &format!("Bearer {}", service.admin)),
            ("content-type", "text/csv"),
        ],
        "amount\n1\n",
    );
    assert_eq!(bad.problem().0, 400);
}

#[test]
fn an_exception_stays_open_until_the_second_has_approved_its_reversal() {
    let story = Story::start();
    story.sell("a", "100");
    story.sell("big", "450");
    // What the books have is known.
    story.file_of(3, "&partial=true");
    let found = story.compare("external_id,amount\na,100\n");
    let missing = found["exceptions"][0].clone();
    assert_eq!(missing["reference"], "big");
    let path = format!("/v1/exceptions/{}", missing["id"].as_str().unwrap());
    let refund = json!({"remedy": "refund"}).to_string();
    let float = story.float();
    // One key alone wants it, however often: nothing has moved, and the exception is open.
    for _ in 0..2 {
        let asked = story.service.api(&story.service.admin, "POST", &path, &refund);
        assert_eq!(asked.status, 200, "{asked:?}");
        assert_eq!(asked.json()["remedy"], "", "{asked:?}");
        assert_eq!(asked.json()["closed_at"], Value::Null, "{asked:?}");
        assert_eq!(story.float(), float);
    }
    let listed = story.admin("GET", "/v1/exceptions", Value::Null).json();
    assert_eq!(listed["exceptions"].as_array().unwrap().len(), 1);
    let second = story
        .service
        .partner(charge::PartnerId(9), "second", charge::partner::Scopes(31));
    let done = story.service.api(&second, "POST", &path, &refund);
    assert_eq!(
        (done.status, done.json()["remedy"].as_str()),
        (200, Some("refund")),
        "{done:?}"
    );
    assert_eq!(
        story.float(),
        "900.00",
        "it has moved when the exception is closed"
    );
    let listed = story.admin("GET", "/v1/exceptions", Value::Null).json();
    assert_eq!(listed["exceptions"].as_array().unwrap().len(), 0);
}
