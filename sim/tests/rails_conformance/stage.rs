//! What the suite needs to know of a rail: a client, its sandbox, and a payer.

use charge::catalog::Language;
use charge::payment::{PaymentId, Price, Statement};
use charge::time::{HOUR, MINUTE};
use charge::{Money, Msisdn, Timestamp};
use rails::{Begun, Heard, HttpRequest, Method, Order, Payer, Rail, RailError};
pub use sim::now;
use sim::rails::browser::Browser;
use sim::rails::transport::Loopback;
use sim::rails::{Callback, Desk, Misbehaviour, Outcome};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where the shop is; nobody listens there, the browser only comes back to it.
pub const SHOP: &str = "http://shop.test";

/// A rail and its sandbox.
pub trait Stage: Send + Sync {
    fn rail(&self) -> &dyn Rail;
    fn desk(&self) -> &Arc<Desk>;
    /// Decides an order whose outcome was unknown.
    fn settle(&self, order: &Order, outcome: Outcome);
    fn settlement_file(&self) -> Vec<u8>;

    /// What an order costs; each order of a test costs something else.
    fn price(&self, number: u64) -> Price {
        Price::pkr(Money::from_units(100 + i64::try_from(number).unwrap()))
    }
    /// True when refunds go through the rail.
    fn refunds(&self) -> bool {
        true
    }
    /// True when part of a payment can be given back.
    fn refunds_parts(&self) -> bool {
        self.refunds()
    }
    /// True when the sandbox sends callbacks.
    fn calls_back(&self) -> bool {
        true
    }
    /// True when an answer to an inquiry names what was paid.
    fn inquiry_names_price(&self) -> bool {
        true
    }
    /// True when an answer names a currency.
    fn names_currency(&self) -> bool {
        true
    }
    /// True when answers and callbacks are signed.
    fn signs(&self) -> bool {
        true
    }
    /// True when the rail says that a payment failed. A bank account cannot: money comes, or it does not.
    fn says_no(&self) -> bool {
        true
    }
    /// Outcomes that this rail has no way to say.
    fn lacks(&self) -> &'static [Outcome] {
        &[]
    }
    /// A callback as if it were about another order.
    fn about_another(&self, callback: &Callback, from: &Order, to: &Order) -> Callback {
        let body = String::from_utf8(callback.body.clone()).unwrap();
        Callback {
            body: body
                .replace(&from.id.to_string(), &to.id.to_string())
                .into_bytes(),
            path: callback.path.replace(&from.id.to_string(), &to.id.to_string()),
            ..callback.clone()
        }
    }
    /// The payer acts: on the page, or wherever. The request with which a browser comes back.
    fn act<'a>(
        &'a self,
        _order: &'a Order,
        begun: &'a Begun,
        click: &'a str,
    ) -> Later<'a, Option<HttpRequest>> {
        Box::pin(async move { Browser::new(SHOP).unwrap().visit(begun, click).await })
    }
}

pub fn io() -> Loopback {
    Loopback::new().unwrap()
}

/// A new order, payable for an hour.
pub fn order(stage: &dyn Stage, number: u64) -> Order {
    let at = Timestamp::from_seconds(now().seconds());
    Order {
        id: PaymentId::new(1_000 + number, at.0.unsigned_abs() ^ number << 40).unwrap(),
        price: stage.price(number),
        msisdn: Msisdn::new(923_001_234_567).unwrap(),
        payer: Payer {
            wallet: Some(Msisdn::new(923_411_728_699).unwrap()),
            email: Some("payer@example.test".to_owned()),
            cnic_last6: Some("345678".to_owned()),
            token: None,
        },
        description: "Recharge 0300 1234567".to_owned(),
        language: Language::En,
        created_at: at,
        expires_at: at.plus(HOUR),
        return_url: format!("{SHOP}/rails/{}/return", stage.rail().code().as_str()),
        presented: String::new(),
        reference: String::new(),
    }
}

/// What came of an order.
pub struct Went {
    pub order: Order,
    pub begun: Begun,
    pub back: Option<HttpRequest>,
}

/// Begins an order and lets the payer act, as the desk would: the rail's reference is kept.
pub async fn begin(stage: &dyn Stage, order: Order) -> (Order, Begun) {
    let begun = stage.rail().begin(&io(), &order, now()).await.unwrap();
    (keeping(order, said_by(&begun)), begun)
}

pub fn said_by(begun: &Begun) -> &Statement {
    match begun {
        Begun::Redirect { said, .. }
        | Begun::Form { said, .. }
        | Begun::Show { said, .. }
        | Begun::Said(said) => said,
    }
}

/// The order with the references that the desk would keep.
pub fn keeping(mut order: Order, said: &Statement) -> Order {
    match said {
        Statement::Presented { reference } => order.presented.clone_from(reference),
        Statement::Succeeded { reference, .. } => order.reference.clone_from(reference),
        _ => {}
    }
    order
}

/// Begins, and the payer (or the control) makes it end so.
pub async fn go(stage: &dyn Stage, number: u64, outcome: Outcome) -> Went {
    let before = stage.desk().wrong();
    stage.desk().misbehave(Misbehaviour {
        outcome: Some(outcome),
        ..before.clone()
    });
    let (order, begun) = begin(stage, order(stage, number)).await;
    let back = stage.act(&order, &begun, "approve").await;
    let outcome = before.outcome;
    stage.desk().misbehave(Misbehaviour {
        outcome,
        ..stage.desk().wrong()
    });
    Went { order, begun, back }
}

pub async fn ask(stage: &dyn Stage, order: &Order) -> Result<Statement, RailError> {
    stage.rail().inquire(&io(), order, now()).await
}

/// Asks again while it is open, as the desk does: a rail that takes the money when it is asked may need a second question.
pub async fn ask_on(stage: &dyn Stage, order: &Order) -> Statement {
    let mut said = ask(stage, order).await;
    for _ in 0..2 {
        match said {
            Ok(Statement::Succeeded { .. } | Statement::Failed { .. } | Statement::Expired) => break,
            Ok(_) | Err(RailError::Transport(_)) => said = ask(stage, order).await,
            Err(_) => break,
        }
    }
    said.unwrap()
}

/// A callback as our server would see it.
pub fn arriving(stage: &dyn Stage, callback: &Callback) -> (String, HttpRequest) {
    let what = callback
        .path
        .trim_start_matches('/')
        .split('?')
        .next()
        .unwrap()
        .to_owned();
    let request = HttpRequest {
        method: if callback.method == "GET" {
            Method::Get
        } else {
            Method::Post
        },
        url: format!("/rails/{}{}", stage.rail().code().as_str(), callback.path),
        headers: callback.headers.clone(),
        body: callback.body.clone(),
        timeout_ms: 0,
    };
    (what, request)
}

pub async fn hear(stage: &dyn Stage, callback: &Callback) -> Result<Heard, RailError> {
    let (what, request) = arriving(stage, callback);
    stage.rail().callback(&io(), &what, &request, now()).await
}

/// The callbacks that were sent about an order.
pub fn callbacks_of(stage: &dyn Stage, order: &Order) -> Vec<Callback> {
    let names = [order.id.to_string(), order.presented.clone()];
    let names: Vec<&String> = names.iter().filter(|name| !name.is_empty()).collect();
    let all = stage.desk().callbacks();
    let about = |callback: &Callback| {
        let text = format!("{}{}", callback.path, String::from_utf8_lossy(&callback.body));
        names.iter().any(|name| text.contains(*name))
    };
    all.into_iter().filter(about).collect()
}

/// In minor units.
pub fn minor(price: Price) -> i64 {
    price.amount.micros() / 10_000
}

pub fn long_after(order: &Order) -> Timestamp {
    order.expires_at.plus(30 * MINUTE)
}
