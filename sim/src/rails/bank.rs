//! A sandbox of our bank: payers' transfers come in, the bank tells us, finds credits, sends money back, prints a statement.
//!
//! `/pay?reference=...&amount=...` is the payer's banking app with three buttons: as asked, with a slip in the reference, and one
//! rupee short.

use super::desk::{Callback, Desk, Direction, Movement, Served, dropped, serve};
use super::misbehaviour::{Outcome, tampered};
use super::page::{self, Choice};
use axum::body::Bytes;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

type Shared = State<Arc<Bank>>;

/// The merchant's account.
#[derive(Clone)]
pub struct Account {
    /// IBAN.
    pub iban: String,
    /// User of the API.
    pub username: String,
    /// Its password.
    pub password: String,
    /// Signs the merchant's requests.
    pub request_key: String,
    /// Signs notifications.
    pub notify_secret: String,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            iban: "PK36SCBL0000001123456702".to_owned(),
            username: "raseed".to_owned(),
            password: "bank-password".to_owned(),
            request_key: "bank-request-key".to_owned(),
            notify_secret: "bank-notify-secret".to_owned(),
        }
    }
}

/// The sandbox.
pub struct Bank {
    /// Orders to misbehave, the book, notifications.
    pub desk: Arc<Desk>,
    account: Account,
    credits: Mutex<Vec<Credit>>,
}

#[derive(Clone)]
struct Credit {
    order: String,
    note: String,
    minor: i64,
    date: String,
    rrn: String,
    booked: bool,
    /// Reference, id of the request, amount.
    returns: Vec<(String, String, i64)>,
}

impl Credit {
    fn reference(&self) -> String {
        format!("{}-{}", self.date, self.rrn)
    }
}

impl Bank {
    /// A sandbox for one account.
    pub fn new(account: Account) -> Arc<Bank> {
        Arc::new(Bank {
            desk: Desk::new(),
            account,
            credits: Mutex::default(),
        })
    }

    /// Serves it on loopback; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn serve(self: &Arc<Bank>, port: u16) -> std::io::Result<Served> {
        let router = Router::new()
            .route("/v1/credits/search", post(search))
            .route("/v1/credits/read", post(read))
            .route("/v1/returns", post(give_back))
            .route("/pay", get(app).post(decide))
            .route("/statement", get(statement))
            .with_state(self.clone());
        serve(router, port).await
    }

    /// A payer sends money with a note. The reference of the credit (date and RRN); `None` when no money moved.
    pub fn pay(self: &Arc<Bank>, note: &str, minor: i64, outcome: Outcome) -> Option<String> {
        if !outcome.takes_money() && outcome != Outcome::Unknown {
            return None;
        }
        let credit = Credit {
            order: plain(note).chars().take(20).collect(),
            note: note.to_owned(),
            minor,
            date: super::jazzcash::pkt(self.desk.now_s(), "%Y%m%d"),
            rrn: format!("{:012}", 330_000_000_000 + self.desk.number()),
            booked: outcome.takes_money(),
            returns: Vec::new(),
        };
        self.credits.lock().push(credit.clone());
        if credit.booked {
            self.book(Direction::Payment, &credit, &credit.reference(), minor);
            if outcome == Outcome::Approve {
                self.notify(&credit, "CREDIT");
            }
        }
        Some(credit.reference())
    }

    /// True when a transfer with this note came in.
    pub fn has(&self, note: &str) -> bool {
        self.credits.lock().iter().any(|credit| credit.note == note)
    }

    /// Decides a transfer that is in process: booked, or gone.
    pub fn settle(self: &Arc<Bank>, order: &str, outcome: Outcome) {
        let mut credits = self.credits.lock();
        let Some(place) = credits
            .iter()
            .position(|credit| credit.order == order && !credit.booked)
        else {
            return;
        };
        if !outcome.takes_money() {
            credits.remove(place);
            return;
        }
        credits[place].booked = true;
        let credit = credits[place].clone();
        drop(credits);
        self.book(Direction::Payment, &credit, &credit.reference(), credit.minor);
        self.notify(&credit, "CREDIT");
    }

    /// The payer's bank takes a credit back.
    pub fn reverse(self: &Arc<Bank>, reference: &str) {
        let credit = self
            .credits
            .lock()
            .iter()
            .find(|credit| credit.reference() == reference)
            .cloned();
        if let Some(credit) = credit {
            let number = format!("REV{:09}", self.desk.number());
            self.book(Direction::Chargeback, &credit, &number, credit.minor);
            self.notify(&credit, "REVERSAL");
        }
    }

    /// The account statement.
    pub fn statement(&self) -> String {
        let mut file = "time,reference,type,amount,fee,currency,note\n".to_owned();
        let credits = self.credits.lock();
        for movement in self.desk.movements() {
            let kind = match movement.direction {
                Direction::Payment => "credit",
                Direction::Refund => "return",
                Direction::Chargeback => "reversal",
            };
            let note = credits.iter().find(|credit| credit.order == movement.order);
            file += &format!(
                "{},{},{kind},{}.{:02},0.00,{},\"Transfer: {}\"\n",
                super::jazzcash::pkt(movement.at_s, "%Y-%m-%d %H:%M:%S"),
                movement.reference,
                movement.minor / 100,
                movement.minor % 100,
                movement.currency,
                note.map_or("", |credit| credit.note.as_str())
                    .replace('"', "\"\"")
            );
        }
        file
    }

    fn book(&self, direction: Direction, credit: &Credit, reference: &str, minor: i64) {
        self.desk.book(Movement {
            direction,
            order: credit.order.clone(),
            reference: reference.to_owned(),
            minor,
            currency: "PKR".to_owned(),
            at_s: self.desk.now_s(),
        });
    }

    fn told(&self, credit: &Credit) -> (String, &'static str) {
        let wrong = self.desk.wrong();
        let amount = format!("{:012}", credit.minor + wrong.amount_off);
        (amount, if wrong.wrong_currency { "840" } else { "586" })
    }

    fn credit_json(&self, credit: &Credit, slow: bool) -> Value {
        let (amount, currency) = self.told(credit);
        let returns: Vec<Value> = credit
            .returns
            .iter()
            .map(|(reference, id, minor)| {
                json!({"Reference": reference, "ReturnId": id, "Amount": format!("{minor:012}")})
            })
            .collect();
        json!({
            "RRN": credit.rrn, "Date": credit.date, "Amount": amount, "Currency": currency, "Note": credit.note,
            "Status": if credit.booked && !slow { "BOOKED" } else { "IN PROCESS" }, "Returns": returns,
        })
    }

    fn notify(self: &Arc<Bank>, credit: &Credit, kind: &str) {
        let (amount, currency) = self.told(credit);
        let body = json!({
            "Kind": kind, "RRN": credit.rrn, "STAN": &credit.rrn[6..], "Date": credit.date, "Amount": amount,
            "Currency": currency, "AccountNumberTo": self.account.iban, "FromBankIMD": "627873", "Note": credit.note,
        });
        let body = body.to_string().into_bytes();
        let time = self.desk.now_s().to_string();
        let mut tag = hmac(
            &self.account.notify_secret,
            &[time.as_bytes(), b".", &body].concat(),
        );
        if self.desk.wrong().tamper {
            tag = tampered(&tag);
        }
        self.desk.send(&Callback {
            path: "/credit".to_owned(),
            method: "POST",
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("signature".to_owned(), format!("t={time},v1={tag}")),
            ],
            body,
        });
    }

    /// A request's fields, when its credentials and its signature are right; the time in it is not looked at.
    fn fields(&self, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Option<Value> {
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let credentials =
            super::paypal::base64(format!("{}:{}", self.account.username, self.account.password).as_bytes());
        let (time, tag) = header("request-signature")
            .strip_prefix("t=")?
            .split_once(",v1=")?;
        let message = [format!("{time}.POST {}\n", uri.path()).as_bytes(), body].concat();
        let known = header("authorization") == format!("Basic {credentials}")
            && hmac(&self.account.request_key, &message) == tag;
        known.then(|| serde_json::from_slice(body).unwrap_or(Value::Null))
    }
}

async fn search(State(bank): Shared, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    bank.desk.arrive().await;
    let Some(fields) = bank.fields(&uri, &headers, &body) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let wanted = fields["Reference"].as_str().unwrap_or_default();
    let found: Vec<Value> = bank
        .credits
        .lock()
        .iter()
        .filter(|credit| plain(&credit.note).contains(wanted))
        .map(|credit| bank.credit_json(credit, bank.desk.is_slow(&credit.order)))
        .collect();
    Json(json!({"ResponseCode": "00", "Credits": found})).into_response()
}

async fn read(State(bank): Shared, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    bank.desk.arrive().await;
    let Some(fields) = bank.fields(&uri, &headers, &body) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let credits = bank.credits.lock();
    let credit = credits
        .iter()
        .find(|credit| fields["Reference"] == credit.reference());
    Json(match credit {
        Some(credit) => json!({"ResponseCode": "00", "Credit": bank.credit_json(credit, false)}),
        None => json!({"ResponseCode": "25"}),
    })
    .into_response()
}

async fn give_back(State(bank): Shared, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    bank.desk.arrive().await;
    let Some(fields) = bank.fields(&uri, &headers, &body) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    if bank.desk.drops_before() {
        return dropped();
    }
    let refused = |code: &str| Json(json!({"ResponseCode": code})).into_response();
    if bank.desk.wrong().refuse_refunds {
        return refused("57");
    }
    let id = fields["ReturnId"].as_str().unwrap_or_default().to_owned();
    let minor: i64 = fields["Amount"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let (credit, reference) = {
        let mut credits = bank.credits.lock();
        let credit = credits
            .iter_mut()
            .find(|credit| fields["OriginalReference"] == credit.reference());
        let Some(credit) = credit.filter(|credit| credit.booked) else {
            return refused("25");
        };
        let given: i64 = credit.returns.iter().map(|(_, _, minor)| minor).sum();
        if credit.returns.iter().any(|(_, other, _)| *other == id) {
            return refused("10");
        }
        if minor <= 0 || given + minor > credit.minor {
            return refused("13");
        }
        let reference = format!("RTN{:09}", bank.desk.number());
        credit.returns.push((reference.clone(), id, minor));
        (credit.clone(), reference)
    };
    bank.book(Direction::Refund, &credit, &reference, minor);
    if bank.desk.leave().await {
        return dropped();
    }
    Json(json!({"ResponseCode": "00", "Reference": reference})).into_response()
}

async fn app(State(bank): Shared, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let get = |name: &str| query.get(name).map_or("", String::as_str);
    page::choice(&Choice {
        title: "Your bank",
        lines: &[
            ("To", &bank.account.iban),
            ("Amount", get("amount")),
            ("Reference", get("reference")),
        ],
        action: "/pay",
        hidden: &[("reference", get("reference")), ("amount", get("amount"))],
        buttons: &[
            ("approve", "Send the money"),
            ("slip", "Send it with a slip in the reference"),
            ("short", "Send one rupee less"),
        ],
    })
}

async fn decide(State(bank): Shared, Form(form): Form<BTreeMap<String, String>>) -> Response {
    let get = |name: &str| form.get(name).map_or("", String::as_str);
    let minor = get("amount")
        .replace([',', '.'], "")
        .parse::<i64>()
        .ok()
        .filter(|minor| *minor > 100);
    let Some(minor) = minor else {
        return page::notice(StatusCode::BAD_REQUEST, "Write the amount with two decimals.");
    };
    let reference = get("reference");
    let outcome = bank.desk.wrong().outcome.unwrap_or(Outcome::Approve);
    let sent = match get("choice") {
        "slip" => bank.pay(&tampered(reference), minor, outcome),
        "short" => bank.pay(reference, minor - 100, outcome),
        _ => bank.pay(reference, minor, outcome),
    };
    page::notice(
        StatusCode::OK,
        &sent.map_or_else(
            || "Nothing was sent.".to_owned(),
            |reference| format!("Sent: {reference}"),
        ),
    )
}

async fn statement(State(bank): Shared) -> Response {
    bank.statement().into_response()
}

/// Letters and digits of a note, in capitals.
fn plain(note: &str) -> String {
    note.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}

fn hmac(key: &str, message: &[u8]) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, message);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
