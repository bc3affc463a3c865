//! Cards: what is particular to them. The rest is in the conformance suite.

use charge::catalog::Language;
use charge::payment::{FailureClass, PaymentId, Price, Statement};
use charge::time::{DAY, HOUR};
use charge::{Money, Msisdn};
use rails::card::{Card, Config};
use rails::{Begun, Heard, HttpRequest, Method, Order, Payer, Rail, RailError, Told};
use serde_json::{Value, json};
use sim::now;
use sim::rails::browser::Browser;
use sim::rails::card::{Account, Card as Sandbox};
use sim::rails::transport::Loopback;
use sim::rails::{Callback, Direction, Served};
use std::sync::Arc;

const SHOP: &str = "http://shop.test";

struct World {
    sandbox: Arc<Sandbox>,
    served: Served,
    rail: Card,
    io: Loopback,
}

async fn world_with(account: Account, secrets: &[&str]) -> World {
    let sandbox = Sandbox::new(account);
    let served = sandbox.serve(0).await.unwrap();
    World {
        rail: Card::new(config(&served.url, secrets)).unwrap(),
        sandbox,
        served,
        io: Loopback::new().unwrap(),
    }
}

async fn world() -> World {
    world_with(Account::default(), &["whsec_test_secret"]).await
}

fn config(url: &str, secrets: &[&str]) -> Config {
    let account = Account::default();
    let config = json!({
        "host": url, "api_key": account.api_key, "request_key": account.request_key, "webhook_secrets": secrets,
    });
    serde_json::from_value(config).unwrap()
}

fn order(number: u64) -> Order {
    Order {
        id: PaymentId::new(923_001_234_567, number).unwrap(),
        price: Price::pkr(Money::from_units(100)),
        msisdn: Msisdn::new(923_001_234_567).unwrap(),
        payer: Payer::default(),
        description: "Recharge".to_owned(),
        language: Language::En,
        created_at: now(),
        expires_at: now().plus(HOUR),
        return_url: format!("{SHOP}/rails/card/return"),
        presented: String::new(),
        reference: String::new(),
    }
}

impl World {
    async fn begin(&self, order: &mut Order) -> (Begun, String) {
        let begun = self.rail.begin(&self.io, order, now()).await.unwrap();
        match begun.clone() {
            Begun::Redirect {
                url,
                said: Statement::Presented { reference },
            } => {
                order.presented = reference;
                (begun, url)
            }
            other => panic!("{other:?}"),
        }
    }

    async fn paid(&self, number: u64) -> Order {
        let mut order = order(number);
        let (begun, _) = self.begin(&mut order).await;
        Browser::new(SHOP)
            .unwrap()
            .visit(&begun, "approve")
            .await
            .unwrap();
        match self.ask(&order).await {
            Statement::Succeeded { reference, .. } => order.reference = reference,
            other => panic!("{other:?}"),
        }
        order
    }

    async fn ask(&self, order: &Order) -> Statement {
        self.rail.inquire(&self.io, order, now()).await.unwrap()
    }

    async fn hear(&self, callback: &Callback) -> Result<Heard, RailError> {
        let request = HttpRequest {
            method: Method::Post,
            url: "/rails/card/webhook".to_owned(),
            headers: callback.headers.clone(),
            body: callback.body.clone(),
            timeout_ms: 0,
        };
        self.rail.callback(&self.io, "webhook", &request, now()).await
    }

    fn last_callback(&self) -> Callback {
        self.sandbox.desk.callbacks().pop().unwrap()
    }
}

/// Presses a button on a page of the sandbox; the page that follows, or where the browser is sent.
async fn press(url: &str, session: &str, choice: &str) -> (String, Option<String>) {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = client
        .post(url)
        .form(&[("session", session), ("choice", choice)])
        .send()
        .await
        .unwrap();
    let to = answer
        .headers()
        .get("location")
        .map(|to| to.to_str().unwrap().to_owned());
    (answer.text().await.unwrap(), to)
}

#[tokio::test]
async fn three_d_secure_in_every_way() {
    let world = world().await;
    for (number, choice, class) in [
        (1, "approve", None),
        (2, "payer", Some(FailureClass::Payer)),
        (3, "cancel", Some(FailureClass::Cancelled)),
    ] {
        let mut order = order(number);
        let (_, url) = world.begin(&mut order).await;
        assert!(url.starts_with(&world.served.url));
        let (page, _) = press(
            &format!("{}/c/decide", world.served.url),
            &order.presented,
            "challenge",
        )
        .await;
        assert!(page.contains("/c/challenge"), "{page}");
        assert_eq!(
            world.ask(&order).await,
            Statement::AwaitingCustomer,
            "in the middle of the challenge"
        );
        let (_, to) = press(
            &format!("{}/c/challenge", world.served.url),
            &order.presented,
            choice,
        )
        .await;
        let went = if class.is_none() { "went=ok" } else { "went=no" };
        assert!(to.is_some_and(|to| to.starts_with(SHOP) && to.contains(went)));
        let said = world.ask(&order).await;
        match (&said, class) {
            (Statement::Succeeded { paid, .. }, None) => assert_eq!(*paid, order.price),
            (Statement::Failed { class, .. }, Some(expected)) => assert_eq!(*class, expected),
            _ => panic!("{choice}: {said:?}"),
        }
        assert_eq!(
            world.sandbox.desk.net(&order.id.to_string()),
            if class.is_none() { 10_000 } else { 0 }
        );
    }
}

#[tokio::test]
async fn the_webhook_may_come_first_and_says_the_same() {
    let world = world().await;
    let mut order = order(10);
    let (begun, _) = world.begin(&mut order).await;
    let back = Browser::new(SHOP)
        .unwrap()
        .visit(&begun, "approve")
        .await
        .unwrap();
    let heard = world.hear(&world.last_callback()).await.unwrap();
    assert_eq!(heard.about, Some(order.id));
    assert_eq!(heard.told, Told::Said(world.ask(&order).await));
    let returned = world.rail.returned(&back, now()).unwrap();
    assert_eq!((returned.about, returned.told), (Some(order.id), Told::Ask));
}

#[tokio::test]
async fn a_dispute_takes_the_money_back() {
    let world = world().await;
    let order = world.paid(11).await;
    world.sandbox.dispute(&order.id.to_string());
    let heard = world.hear(&world.last_callback()).await.unwrap();
    assert_eq!(heard.about, Some(order.id), "found by its payment intent");
    assert_eq!(
        heard.told,
        Told::Said(Statement::Reversed {
            code: "fraudulent".to_owned()
        })
    );
    assert_eq!(
        world.ask(&order).await,
        Statement::Reversed {
            code: "disputed".to_owned()
        }
    );
    let refund = world
        .rail
        .refund(&world.io, &order, order.price, now())
        .await
        .unwrap();
    assert_eq!(
        refund,
        Statement::RefundRefused {
            code: "charge_disputed".to_owned()
        }
    );
    assert_eq!(world.sandbox.desk.net(&order.id.to_string()), 0);
}

#[tokio::test]
async fn a_refund_asked_again_after_a_day_is_found() {
    let world = world().await;
    let order = world.paid(12).await;
    let first = world
        .rail
        .refund(&world.io, &order, order.price, now())
        .await
        .unwrap();
    let told = world.hear(&world.last_callback()).await.unwrap();
    assert_eq!(
        (told.about, told.told),
        (Some(order.id), Told::Said(first.clone()))
    );
    world.sandbox.forget_keys();
    assert_eq!(
        world
            .rail
            .refund(&world.io, &order, order.price, now())
            .await
            .unwrap(),
        first
    );
    assert_eq!(
        world.sandbox.desk.count(&order.id.to_string(), Direction::Refund),
        1
    );
    assert!(matches!(world.ask(&order).await, Statement::Refunded { .. }));
}

#[tokio::test]
async fn secrets_of_the_webhook_are_replaced_without_a_gap() {
    let both = Account {
        webhook_secrets: vec!["old".to_owned(), "new".to_owned()],
        ..Account::default()
    };
    for (secrets, believed) in [
        (vec!["old"], true),
        (vec!["new"], true),
        (vec!["old", "new"], true),
        (vec!["other"], false),
    ] {
        let world = world_with(both.clone(), &secrets).await;
        world.paid(13).await;
        assert_eq!(
            world.hear(&world.last_callback()).await.is_ok(),
            believed,
            "{secrets:?}"
        );
    }
}

#[tokio::test]
async fn set_ups_that_are_refused() {
    let world = world().await;
    assert!(Card::new(config(&world.served.url, &[])).is_err());
    let mut wrong = config(&world.served.url, &["x"]);
    wrong.request_key = rails::Secret::new("wrong").unwrap();
    let said = Card::new(wrong)
        .unwrap()
        .begin(&world.io, &order(14), now())
        .await;
    assert!(matches!(said, Err(RailError::Configuration(_))), "{said:?}");
    let dollars = Order {
        price: Price {
            currency: charge::payment::Currency::USD,
            ..order(15).price
        },
        ..order(15)
    };
    assert_eq!(
        world.rail.begin(&world.io, &dollars, now()).await,
        Err(RailError::NotTaken("currency"))
    );
    let old = Order {
        created_at: now().plus(-2 * DAY),
        ..order(16)
    };
    assert!(matches!(
        world.rail.begin(&world.io, &old, now()).await,
        Err(RailError::NotTaken(_))
    ));
    let unknown: Result<Config, _> = serde_json::from_value::<Config>(Value::Object(
        [("colour".to_owned(), json!("red"))].into_iter().collect(),
    ));
    assert!(unknown.is_err());
}

#[tokio::test]
async fn a_session_of_another_payment_is_not_believed() {
    let world = world().await;
    let one = world.paid(17).await;
    let other = Order {
        presented: one.presented,
        ..order(18)
    };
    let said = world.rail.inquire(&world.io, &other, now()).await;
    assert_eq!(
        said,
        Err(RailError::NotGenuine("the answer is about another payment"))
    );
}
