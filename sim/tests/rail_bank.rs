//! Bank transfers: what is particular to them. The rest is in the conformance suite.

use charge::catalog::Language;
use charge::payment::{PaymentId, Price, Statement};
use charge::time::HOUR;
use charge::{Code, Money, Msisdn};
use rails::bank::{Bank, Config, Raast};
use rails::{
    Begun, Heard, HttpRequest, Method, Order, Payer, Rail, RailError, Told, TransportError, reference,
};
use serde_json::{Value, json};
use sim::now;
use sim::rails::bank::{Account, Bank as Sandbox};
use sim::rails::transport::Loopback;
use sim::rails::{Callback, Direction, Misbehaviour, Outcome, Served};
use std::sync::Arc;

struct World {
    sandbox: Arc<Sandbox>,
    rail: Bank,
    config: Value,
    io: Loopback,
    _served: Served,
}

async fn world() -> World {
    let account = Account::default();
    let sandbox = Sandbox::new(account.clone());
    let served = sandbox.serve(0).await.unwrap();
    let config = json!({
        "title": "Raseed Demo", "iban": account.iban, "bank": "Sandbox Bank", "host": served.url,
        "username": account.username, "password": account.password, "request_key": account.request_key,
        "notify_secrets": [account.notify_secret],
    });
    World {
        rail: rail(&config).unwrap(),
        sandbox,
        config,
        io: Loopback::new().unwrap(),
        _served: served,
    }
}

fn rail(config: &Value) -> Result<Bank, RailError> {
    let config: Config =
        serde_json::from_value(config.clone()).map_err(|_| RailError::Malformed("config"))?;
    Bank::new(config)
}

fn order(number: u64) -> Order {
    Order {
        id: PaymentId::new(923_001_234_567, number).unwrap(),
        price: Price::pkr(Money::from_units(100)),
        msisdn: Msisdn::new(923_001_234_567).unwrap(),
        payer: Payer::default(),
        description: String::new(),
        language: Language::Ur,
        created_at: now(),
        expires_at: now().plus(HOUR),
        return_url: String::new(),
        presented: String::new(),
        reference: String::new(),
    }
}

fn request(callback: &Callback) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        url: format!("/rails/bank{}", callback.path),
        headers: callback.headers.clone(),
        body: callback.body.clone(),
        timeout_ms: 0,
    }
}

impl World {
    async fn hear(&self, callback: &Callback) -> Result<Heard, RailError> {
        self.rail
            .callback(&self.io, "credit", &request(callback), now())
            .await
    }

    async fn last_heard(&self) -> Result<Heard, RailError> {
        self.hear(&self.sandbox.desk.callbacks().last().unwrap().clone())
            .await
    }
}

#[tokio::test]
async fn what_payers_type_is_understood_or_waits_for_an_owner() {
    let world = world().await;
    let order = order(1);
    let shown = reference::shown(order.id);
    for note in [
        shown.clone(),
        shown.to_lowercase().replace('-', " "),
        format!("IBFT Ali {shown} load"),
        shown.replace('0', "O"),
    ] {
        let credit = world.sandbox.pay(&note, 10_000, Outcome::Approve).unwrap();
        let heard = world.last_heard().await.unwrap();
        assert_eq!(heard.about, Some(order.id), "{note}");
        let paid = order.price;
        assert_eq!(
            heard.told,
            Told::Said(Statement::Succeeded {
                paid,
                reference: credit
            })
        );
    }
    let other = reference::shown(PaymentId::new(7, 7).unwrap());
    let slip = shown.replacen(&shown[..1], if shown.starts_with('7') { "8" } else { "7" }, 1);
    for note in [
        String::new(),
        "for my son".to_owned(),
        order.id.to_string(),
        slip,
        format!("{shown} {other}"),
    ] {
        let credit = world.sandbox.pay(&note, 10_000, Outcome::Approve).unwrap();
        let heard = world.last_heard().await.unwrap();
        assert_eq!(heard.about, None, "{note}");
        let told = Told::Unmatched {
            paid: order.price,
            reference: credit,
            note,
        };
        assert_eq!(heard.told, told);
        assert_eq!(heard.answer.status, 200);
    }
}

#[tokio::test]
async fn money_without_an_owner_goes_back_once() {
    let world = world().await;
    let credit = world
        .sandbox
        .pay("no reference", 10_000, Outcome::Approve)
        .unwrap();
    assert_eq!(world.rail.return_after_s(), Some(24 * 3600));
    let paid = Price::pkr(Money::from_units(100));
    world.sandbox.desk.misbehave(Misbehaviour {
        drop_after_commit: 1,
        ..Misbehaviour::default()
    });
    let lost = world.rail.return_unmatched(&world.io, &credit, paid, now()).await;
    assert_eq!(lost, Err(RailError::Transport(TransportError::Unknown)));
    for _ in 0..2 {
        let said = world
            .rail
            .return_unmatched(&world.io, &credit, paid, now())
            .await
            .unwrap();
        assert!(matches!(said, Statement::Refunded { .. }), "{said:?}");
    }
    let returns: Vec<_> = world.sandbox.desk.movements();
    assert_eq!(
        returns
            .iter()
            .filter(|movement| movement.direction == Direction::Refund)
            .count(),
        1
    );
    let unknown = world
        .rail
        .return_unmatched(&world.io, "20261122-000000000000", paid, now())
        .await
        .unwrap();
    assert_eq!(
        unknown,
        Statement::Pending {
            code: "25".to_owned()
        }
    );
}

#[tokio::test]
async fn a_credit_that_went_back_pays_for_nothing() {
    let world = world().await;
    let order = order(6);
    let note = reference::compact(order.id);
    let first = world.sandbox.pay(&note, 10_000, Outcome::Approve).unwrap();
    world
        .rail
        .return_unmatched(&world.io, &first, order.price, now())
        .await
        .unwrap();
    assert_eq!(
        world.rail.inquire(&world.io, &order, now()).await.unwrap(),
        Statement::AwaitingCash
    );
    let reference = world.sandbox.pay(&note, 10_000, Outcome::Approve).unwrap();
    let said = world.rail.inquire(&world.io, &order, now()).await.unwrap();
    assert_eq!(
        said,
        Statement::Succeeded {
            paid: order.price,
            reference
        }
    );
}

#[tokio::test]
async fn a_credit_told_twice_is_one_and_two_credits_are_two() {
    let world = world().await;
    let order = order(2);
    let note = reference::compact(order.id);
    let first = world.sandbox.pay(&note, 10_000, Outcome::Approve).unwrap();
    let one = world.last_heard().await.unwrap();
    assert_eq!(world.last_heard().await.unwrap(), one);
    let second = world.sandbox.pay(&note, 10_000, Outcome::Approve).unwrap();
    assert_ne!(first, second);
    assert_ne!(
        world.last_heard().await.unwrap().told,
        one.told,
        "another reference: the payer paid twice"
    );
    let said = world.rail.inquire(&world.io, &order, now()).await.unwrap();
    assert_eq!(
        said,
        Statement::Succeeded {
            paid: order.price,
            reference: first.clone()
        }
    );
    world.sandbox.reverse(&first);
    let heard = world.last_heard().await.unwrap();
    assert_eq!(heard.about, Some(order.id));
    assert!(matches!(heard.told, Told::Said(Statement::Reversed { .. })));
}

#[tokio::test]
async fn notifications_need_every_proof_that_is_configured() {
    let world = world().await;
    world
        .sandbox
        .pay(&reference::compact(order(3).id), 10_000, Outcome::Approve);
    let good = world.sandbox.desk.callbacks().pop().unwrap();
    let mut config = world.config.clone();
    config["notify_credentials"] = json!({"username": "bank", "password": "secret"});
    let both = rail(&config).unwrap();
    let hear = async |rail: &Bank, headers: &[(&str, &str)], signed: bool| {
        let mut request = request(&good);
        if !signed {
            request.headers.retain(|(name, _)| name != "signature");
        }
        let more = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        request.headers.extend(more);
        rail.callback(&world.io, "credit", &request, now()).await.is_ok()
    };
    let right = [("username", "bank"), ("password", "secret")];
    assert!(hear(&both, &right, true).await);
    assert!(!hear(&both, &right, false).await);
    assert!(!hear(&both, &[], true).await);
    assert!(!hear(&both, &[("username", "bank"), ("password", "secreT")], true).await);
    config["notify_secrets"] = json!([]);
    let credentials_only = rail(&config).unwrap();
    assert!(hear(&credentials_only, &right, false).await);
    assert!(!hear(&credentials_only, &[("username", "bank")], false).await);

    let mut elsewhere = world.config.clone();
    elsewhere["iban"] = "GB82WEST12345698765432".into();
    let heard = rail(&elsewhere)
        .unwrap()
        .callback(&world.io, "credit", &request(&good), now())
        .await;
    assert_eq!(
        heard,
        Err(RailError::NotGenuine("the money went to another account"))
    );
    let late = now().plus(HOUR);
    assert!(
        world
            .rail
            .callback(&world.io, "credit", &request(&good), late)
            .await
            .is_err(),
        "an old one again"
    );
}

#[tokio::test]
async fn without_an_api_notifications_and_statements_must_do() {
    let world = world().await;
    let mut config = world.config.clone();
    for name in ["host", "username", "password", "request-key"] {
        config.as_object_mut().unwrap().remove(name);
    }
    let quiet = rail(&config).unwrap();
    let order = order(4);
    let ask = async |at| quiet.inquire(&world.io, &order, at).await.unwrap();
    assert_eq!(ask(now()).await, Statement::AwaitingCash);
    assert_eq!(
        ask(order.expires_at.plus(47 * HOUR)).await,
        Statement::AwaitingCash
    );
    assert_eq!(ask(order.expires_at.plus(49 * HOUR)).await, Statement::Expired);
    assert_eq!(quiet.return_after_s(), None);
    let paid = Order {
        reference: "20261122-330000000001".to_owned(),
        ..order.clone()
    };
    let refund = quiet.refund(&world.io, &paid, order.price, now()).await;
    assert_eq!(refund, Err(RailError::Unsupported));
    world.sandbox.pay(
        &format!("ref: {}", reference::shown(order.id)),
        10_000,
        Outcome::Hidden,
    );
    let lines = quiet.settlement(world.sandbox.statement().as_bytes()).unwrap();
    assert_eq!(
        lines[0].payment,
        Some(order.id),
        "the statement knows what no notification told"
    );
}

#[tokio::test]
async fn what_is_shown_and_what_is_refused() {
    let world = world().await;
    let order = order(5);
    let Begun::Show {
        lines,
        qr: None,
        said,
    } = world.rail.begin(&world.io, &order, now()).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(
        said,
        Statement::Presented {
            reference: reference::compact(order.id)
        }
    );
    let line = |key: &str| lines.iter().find(|(name, _)| *name == key).unwrap().1.clone();
    assert_eq!(line("transfer-iban"), "PK36 SCBL 0000 0011 2345 6702");
    assert_eq!(line("transfer-amount"), "100.00");
    assert_eq!(reference::parse(&line("transfer-reference")), Some(order.id));
    assert!(
        world.rail.settles(Code::new("raast").unwrap()) && !world.rail.settles(Code::new("card").unwrap())
    );
    for (name, value) in [
        ("iban", json!("PK36SCBL0000001123456703")),
        ("notify-secrets", json!([])),
        ("notify-secrets", json!([""])),
        ("password", Value::Null),
        ("return-after-s", json!(0)),
        ("host", json!("http://bank.test")),
        ("colour", json!("red")),
    ] {
        let mut wrong = world.config.clone();
        wrong[name] = value;
        assert!(rail(&wrong).is_err(), "{name}");
    }
    let profile =
        json!({"account": [[0, "pk.raast"]], "category": "4814", "name": "Raseed", "city": "Lahore"});
    let profile: rails::raast_qr::Profile = serde_json::from_value(profile).unwrap();
    let bank = Arc::new(rail(&world.config).unwrap());
    assert!(Raast::new("raast", profile.clone(), bank.clone()).is_ok());
    assert!(
        Raast::new("other", profile, bank).is_err(),
        "the account does not settle it"
    );
}
