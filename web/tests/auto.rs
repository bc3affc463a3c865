//! Auto-recharge over a real socket and a real engine: who may order what, what is refused, and dates that pass.

mod common;

use charge::auto::{AutoRecharge, AutoState};
use charge::{Entity, EntityKey, Money, Msisdn};
use common::client::Client;
use common::wallet::Wallet;
use common::{NUMBER, SECOND_NUMBER, Service};
use std::time::Duration;

const ORDER: &str =
    "below=50&amount=100&per_month=500&rail=jazzcash-wallet&wallet=03411728699&cnic=345678&agree=yes";

fn service() -> Service {
    let service = Service::start_paying(|_| Wallet::desk());
    service.subscriber(SECOND_NUMBER);
    service
}

fn rule(service: &Service) -> Option<Box<AutoRecharge>> {
    let number = EntityKey::Number(Msisdn::parse(NUMBER).unwrap());
    let account = Entity::number(&service.read(number).unwrap())
        .unwrap()
        .account
        .unwrap();
    match service.read(EntityKey::Auto(account)) {
        Some(Entity::Auto(auto)) => Some(auto),
        _ => None,
    }
}

fn order(member: &mut Client<'_>, fields: &str) -> String {
    member.get("/auto");
    let answer = member.post("/auto", &format!("number={NUMBER}&{fields}"));
    format!("{} {}", answer.status, answer.header("location"))
}

#[test]
fn a_rule_is_ordered_shown_paused_and_ended() {
    let service = service();
    let mut member = Client::signed_in(&service);
    assert!(member.get("/auto").body.contains("There is no auto-recharge"));
    assert_eq!(
        order(&mut member, ORDER),
        format!("303 /auto?number={NUMBER}&done=set")
    );
    let page = member.get("/auto").body;
    for part in [
        "When the balance is below",
        "699",
        "Rs\u{a0}100.00",
        "of <bdi>Rs\u{a0}500.00</bdi> this month",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(
        !page.contains("1728699") && !page.contains("345678"),
        "the wallet is not shown"
    );
    // The balance is zero: the engine's own timer makes the payment, and one only.
    let tried = service.eventually(|| rule(&service).filter(|auto| auto.payment.is_some()));
    assert_eq!(tried.tries.len(), 1);
    assert!(member.get("/auto").body.contains("waits for your approval"));
    for (what, state) in [
        ("pause", AutoState::Paused),
        ("resume", AutoState::Active),
        ("end", AutoState::Ended),
    ] {
        member.get("/auto");
        let answer = member.post("/auto/turn", &format!("number={NUMBER}&what={what}"));
        assert_eq!(answer.status, 303, "{what}: {}", answer.body);
        assert_eq!(rule(&service).unwrap().state, state);
    }
    assert_eq!(
        service
            .people
            .mandate(charge::AccountId(tried.tries[0].payment.home()))
            .unwrap(),
        None
    );
}

#[test]
fn wrong_orders_say_what_is_wrong_and_change_nothing() {
    let service = service();
    let mut member = Client::signed_in(&service);
    for (fields, wrong) in [
        (ORDER.replace("amount=100", "amount=x"), "amount"),
        (ORDER.replace("amount=100", "amount="), "amount"),
        (ORDER.replace("below=50", "below="), "when"),
        (ORDER.replace("below=50", "below=&date=w9"), "when"),
        (ORDER.replace("per_month=500", "per_month=99"), "caps"),
        (ORDER.replace("per_month=500", "per_month="), "caps"),
        (ORDER.replace("per_month=500", "per_month=500&count=-1"), "caps"),
        (ORDER.replace("rail=jazzcash-wallet", "rail=paypal"), "rail"),
        (ORDER.replace("wallet=03411728699", "wallet="), "wallet"),
        (ORDER.replace("cnic=345678", "cnic=34"), "cnic"),
        (ORDER.replace("amount=100", "amount=100&offer=none"), "offer"),
        (
            ORDER
                .replace("amount=100", "amount=1")
                .replace("below=50", "below=1"),
            "limits",
        ),
        (ORDER.replace("agree=yes", "agree="), "agree"),
    ] {
        assert_eq!(
            order(&mut member, &fields),
            format!("303 /auto?number={NUMBER}&error={wrong}"),
            "{fields}"
        );
    }
    assert!(rule(&service).is_none());
}

#[test]
fn strangers_forged_forms_and_numbers_of_others_are_refused() {
    let service = service();
    let mut stranger = Client::new(&service);
    assert!(stranger.get("/auto").header("location").starts_with("/sign-in"));
    let mut member = Client::signed_in(&service);
    // Somebody else's number, by name.
    member.get("/auto");
    for path in ["/auto", "/auto/turn"] {
        let fields = format!("number={SECOND_NUMBER}&what=end&{ORDER}");
        let answer = member.post(path, &fields);
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
    }
    assert_eq!(member.get(&format!("/auto?number={SECOND_NUMBER}")).status, 404);
    // A form that this browser was not given, and one from another site.
    let fields = format!("number={NUMBER}&{ORDER}&form=00");
    assert_eq!(member.send("POST", "/auto", &[], &fields).status, 400);
    member.get("/auto");
    let fields = format!("number={NUMBER}&{ORDER}&form={}", member.form_token());
    let elsewhere = [("origin", "https://evil.example")];
    assert_eq!(member.send("POST", "/auto", &elsewhere, &fields).status, 400);
    assert!(rule(&service).is_none());
}

#[test]
fn more_needs_a_fresh_proof_and_less_does_not() {
    let service = service();
    let mut member = Client::signed_in(&service);
    order(&mut member, ORDER);
    service.pass(Duration::from_secs(16 * 60));
    for (fields, to) in [
        (
            "below=50&amount=200&per_month=500&rail=jazzcash-wallet&agree=yes",
            "/sign-in",
        ),
        (
            "below=50&amount=100&per_month=900&rail=jazzcash-wallet&agree=yes",
            "/sign-in",
        ),
        (ORDER, "/sign-in"),
        ("below=40&amount=90&per_month=400&rail=jazzcash-wallet", "/auto"),
    ] {
        let answer = order(&mut member, fields);
        assert!(answer.starts_with(&format!("303 {to}?")), "{fields}: {answer}");
    }
    let auto = rule(&service).unwrap();
    assert_eq!(
        (auto.rule.amount, auto.rule.below),
        (Money::from_units(90), Money::from_units(40))
    );
    // To stop never needs one; to go on does.
    for (what, to) in [("pause", "/auto"), ("resume", "/sign-in")] {
        member.get("/auto");
        let answer = member.post("/auto/turn", &format!("number={NUMBER}&what={what}"));
        assert!(answer.header("location").starts_with(to), "{what}");
    }
    assert_eq!(rule(&service).unwrap().state, AutoState::Paused);
}

#[test]
fn dates_that_passed_are_one_payment_and_the_owner_is_told_before() {
    let service = service();
    let mut member = Client::signed_in(&service);
    order(
        &mut member,
        &ORDER.replace("below=50", "below=&date=w1&hour=10&lead=24"),
    );
    let due = rule(&service).unwrap().plan.due_at.unwrap();
    assert_eq!(
        due.to_string(),
        "2026-11-23T05:00:00Z",
        "Monday at ten in Karachi"
    );
    // 2026-11-22T06:00Z: within a day of it.
    service.pass(Duration::from_secs(18 * 3_600));
    service.eventually(|| rule(&service).filter(|auto| auto.told_of == Some(due)));
    assert!(rule(&service).unwrap().payment.is_none());
    service.pass(Duration::from_secs(22 * 86_400));
    let auto = service.eventually(|| rule(&service).filter(|auto| auto.payment.is_some()));
    assert_eq!(auto.tries.len(), 1, "three Mondays have passed");
    assert!(auto.plan.due_at.unwrap() > service.now());
}

#[test]
fn staff_see_a_rule_without_its_wallet_and_stop_it() {
    let service = service();
    let path = format!("/v1/subscribers/{NUMBER}/auto-recharge");
    assert_eq!(
        service.api(&service.admin, "GET", &path, "").problem(),
        (404, 1_008_040)
    );
    let mut member = Client::signed_in(&service);
    order(&mut member, ORDER);
    service.eventually(|| rule(&service).filter(|auto| auto.payment.is_some()));
    let seen = service.api(&service.admin, "GET", &path, "");
    let json = seen.json();
    assert_eq!(
        (json["state"].as_str(), json["attempts"][0]["cause"].as_str()),
        (Some("active"), Some("balance"))
    );
    assert!(!seen.body.contains("1728699"));
    assert_eq!(service.api(&service.shop, "GET", &path, "").status, 403);
    let stopped = service.api(&service.admin, "POST", &format!("{path}/stop"), "");
    assert_eq!(stopped.json()["state"], "stopped");
    assert!(member.get("/auto").body.contains("Ended by the operator"));
}
