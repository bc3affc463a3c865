//! A sandbox of Easypaisa: REST v4 and v5, hosted checkout, IPN (reference payments 2.2).
//!
//! It keeps Easypaisa's habits: `responseCode` 0000 of an inquiry says only that the inquiry worked; `settlementStatus`
//! FAILED stands beside PAID; amounts come back as JSON numbers; the last redirect of the checkout is not signed. Which
//! code an outcome gives is ours.

mod keys;

pub use keys::{Keys, Pair};

use super::desk::{Callback, Desk, Direction, Movement, Served, dropped, serve};
use super::jazzcash::pkt;
use super::misbehaviour::{Outcome, tampered};
use super::page::{self, Choice};
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

type Fields = BTreeMap<String, String>;

/// A merchant that the sandbox knows.
#[derive(Clone)]
pub struct Account {
    /// The store.
    pub store_id: String,
    /// The merchant's account number.
    pub account: String,
    /// For the `Credentials` header.
    pub username: String,
    /// For the `Credentials` header.
    pub password: String,
    /// The 16 letters of the checkout.
    pub hash_key: String,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            store_id: "43".to_owned(),
            account: "20099".to_owned(),
            username: "shop".to_owned(),
            password: "shop-secret".to_owned(),
            hash_key: "ABCDEFGHIJKLMNOP".to_owned(),
        }
    }
}

/// The sandbox.
pub struct Easypaisa {
    /// Orders to misbehave, the book, callbacks.
    pub desk: Arc<Desk>,
    account: Account,
    keys: Option<Keys>,
    state: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    url: String,
    orders: HashMap<String, Order>,
    /// Tokens of the checkout and of shops: the order of each.
    tokens: HashMap<String, String>,
}

#[derive(Clone)]
struct Order {
    mode: &'static str,
    minor: i64,
    expires: String,
    outcome: Option<Outcome>,
    forced: Option<Outcome>,
    reference: String,
    token: String,
    back: String,
}

impl Order {
    fn open(&self) -> bool {
        matches!(self.outcome, None | Some(Outcome::Unknown))
    }
}

impl Easypaisa {
    /// A sandbox for one merchant; with `keys` it speaks v5 too.
    pub fn new(account: Account, keys: Option<Keys>) -> Arc<Easypaisa> {
        Arc::new(Easypaisa {
            desk: Desk::new(),
            account,
            keys,
            state: Mutex::default(),
        })
    }

    /// Serves it on loopback; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn serve(self: &Arc<Easypaisa>, port: u16) -> std::io::Result<Served> {
        let router = Router::new()
            .route("/easypay-service/rest/{version}/{what}", post(rest))
            .route(
                "/easypay-service/rest/v1/order-status/{account}/{order}",
                get(status),
            )
            .route("/easypay/Index.jsf", post(first_leg))
            .route("/easypay/Confirm.jsf", post(second_leg))
            .route("/sandbox/decide", post(decide))
            .with_state(self.clone());
        let served = serve(router, port).await?;
        self.state.lock().url.clone_from(&served.url);
        Ok(served)
    }

    /// Decides an open order: cash at a shop, or what an unknown outcome comes to.
    pub fn settle(self: &Arc<Easypaisa>, order: &str, outcome: Outcome) {
        if self.commit(order, outcome) {
            self.send_ipn(order);
        }
    }

    /// The settlement file of everything that moved, without fees.
    pub fn settlement_file(&self) -> String {
        let mut file = "order,reference,type,amount,fee,currency,time\n".to_owned();
        for movement in self.desk.movements() {
            file += &format!(
                "{},{},payment,{}.{:02},0.00,PKR,{}\n",
                movement.order,
                movement.reference,
                movement.minor / 100,
                movement.minor % 100,
                pkt(movement.at_s, "%Y-%m-%d %H:%M:%S")
            );
        }
        file
    }

    /// Puts an outcome into effect, once; false when it was decided before.
    fn commit(&self, id: &str, outcome: Outcome) -> bool {
        let mut state = self.state.lock();
        let Some(order) = state.orders.get_mut(id).filter(|order| order.open()) else {
            return false;
        };
        order.outcome = Some(outcome);
        if outcome.takes_money() {
            self.desk.book(Movement {
                direction: Direction::Payment,
                order: id.to_owned(),
                reference: order.reference.clone(),
                minor: order.minor,
                currency: "PKR".to_owned(),
                at_s: self.desk.now_s(),
            });
        }
        true
    }

    fn send_ipn(&self, id: &str) {
        if matches!(
            self.order(id).and_then(|order| order.outcome),
            Some(Outcome::Unknown | Outcome::Hidden)
        ) {
            return;
        }
        let host = self.state.lock().url.clone();
        let host = match self.desk.wrong().tamper {
            true => host.replace("127.0.0.1", "127.0.0.2"),
            false => host,
        };
        let account = &self.account.account;
        let address = format!("{host}/easypay-service/rest/v1/order-status/{account}/{id}");
        let query = super::browser::form_encode(&[("url".to_owned(), address)]);
        self.desk.send(&Callback {
            path: format!("/ipn?{query}"),
            method: "GET",
            headers: Vec::new(),
            body: Vec::new(),
        });
    }

    fn order(&self, id: &str) -> Option<Order> {
        self.state.lock().orders.get(id).cloned()
    }

    /// The order as it is known now; repeating it changes nothing.
    fn open_order(&self, id: &str, mode: &'static str, minor: i64, forced: Option<Outcome>) -> (Order, bool) {
        let number = self.desk.number();
        let mut state = self.state.lock();
        let new = !state.orders.contains_key(id);
        let order = state.orders.entry(id.to_owned()).or_insert_with(|| Order {
            mode,
            minor,
            expires: "99991231 000000".to_owned(),
            outcome: None,
            forced,
            reference: format!("{}", 21_154_867_000 + number),
            token: format!("{}", 70_000_000 + number),
            back: String::new(),
        });
        (order.clone(), new)
    }

    fn initiate(
        &self,
        mode: &'static str,
        request: &Fields,
        headers: &HeaderMap,
    ) -> Result<(Order, bool), &'static str> {
        let get = |name: &str| request.get(name).map_or("", String::as_str);
        let number = if mode == "MA" {
            get("mobileAccountNo")
        } else {
            get("msisdn")
        };
        let id = get("orderId");
        if get("storeId") != self.account.store_id {
            return Err("0006");
        }
        if id.is_empty() || id.len() > 20 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err("0003");
        }
        if get("transactionType") != mode || get("emailAddress").is_empty() {
            return Err("0002");
        }
        if number.len() != 11 || !number.starts_with("03") {
            return Err("0026");
        }
        let minor = minor_of(get("transactionAmount")).ok_or("0028")?;
        let forced = self.desk.outcome(headers, minor, number);
        let (order, new) = self.open_order(id, mode, minor, forced);
        if order.minor != minor {
            return Err("0003");
        }
        Ok((order, new))
    }

    async fn wallet(&self, request: &Fields, headers: &HeaderMap) -> Result<String, Broken> {
        if self.desk.drops_before() {
            return Err(Broken);
        }
        let order = match self.initiate("MA", request, headers) {
            Ok((order, _)) => order,
            Err(code) => return Ok(self.says(request, code, &[])),
        };
        let id = &request["orderId"];
        if self.commit(id, order.forced.unwrap_or(Outcome::Approve)) {
            self.send_ipn(id);
        }
        if self.desk.leave().await {
            return Err(Broken);
        }
        let outcome = self.order(id).and_then(|order| order.outcome);
        let (code, _) = codes(outcome);
        let at = pkt(self.desk.now_s(), "%d/%m/%Y %I:%M %p");
        let more = [
            ("transactionId", quoted(&order.reference)),
            ("transactionDateTime", quoted(&at)),
        ];
        Ok(self.says(request, code, if code == "0000" { &more } else { &[] }))
    }

    async fn shop(&self, request: &Fields, headers: &HeaderMap) -> Result<String, Broken> {
        if self.desk.drops_before() {
            return Err(Broken);
        }
        let (order, new) = match self.initiate("OTC", request, headers) {
            Ok(order) => order,
            Err(code) => return Ok(self.says(request, code, &[])),
        };
        let expiry = request.get("tokenExpiry").cloned().unwrap_or_default();
        if expiry.len() != 15 || expiry <= self.now("%Y%m%d %H%M%S") {
            return Ok(self.says(request, "0016", &[]));
        }
        let id = &request["orderId"];
        if let Some(order) = self.state.lock().orders.get_mut(id) {
            order.expires.clone_from(&expiry);
        }
        if self.desk.leave().await {
            return Err(Broken);
        }
        let token = [
            ("paymentToken", quoted(&order.token)),
            ("paymentTokenExpiryDateTime", quoted(&expiry)),
        ];
        // "Token exists" for what is decided; an open token is shown again, so that an answer that got lost can be had again.
        let code = if new || order.open() { "0000" } else { "0018" };
        Ok(self.says(request, code, &token))
    }

    fn inquiry(&self, request: &Fields) -> String {
        let get = |name: &str| request.get(name).map_or("", String::as_str);
        if get("storeId") != self.account.store_id || get("accountNum") != self.account.account {
            return self.says(request, "0004", &[]);
        }
        if self.desk.is_slow(get("orderId")) {
            return self.says(request, "0001", &[]);
        }
        let Some(order) = self.order(get("orderId")) else {
            return self.says(request, "0003", &[]);
        };
        let outcome = match order.outcome {
            None if order.expires <= self.now("%Y%m%d %H%M%S") => Some(Outcome::Expire),
            outcome => outcome,
        };
        let (_, status) = codes(outcome);
        let minor = order.minor + self.desk.wrong().amount_off;
        let amount = match minor % 100 {
            0 => format!("{}", minor / 100),
            part => format!("{}.{part:02}", minor / 100),
        };
        let at = pkt(self.desk.now_s(), "%d/%m/%Y %I:%M %p");
        let mut more = vec![
            ("storeName", quoted("Raseed")),
            ("accountNum", quoted(&self.account.account)),
            ("paymentMode", quoted(order.mode)),
            ("settlementStatus", quoted("FAILED")),
            ("transactionAmount", amount),
            ("transactionStatus", quoted(status)),
            ("transactionDateTime", quoted(&at)),
        ];
        if status == "FAILED" {
            more.push(("errorCode", quoted(codes(outcome).0)));
            more.push(("errorReason", quoted("Sandbox")));
        }
        self.says(request, "0000", &more)
    }

    /// An answer: what the request named, the code, and more.
    fn says(&self, request: &Fields, code: &str, more: &[(&str, String)]) -> String {
        let mut members: Vec<String> = ["orderId", "storeId"]
            .iter()
            .filter_map(|name| Some(format!("\"{name}\":{}", quoted(request.get(*name)?))))
            .collect();
        let words = if code == "0000" { "SUCCESS" } else { "FAILED" };
        members.push(format!("\"responseCode\":{}", quoted(code)));
        members.push(format!("\"responseDesc\":{}", quoted(words)));
        members.extend(more.iter().map(|(name, value)| format!("\"{name}\":{value}")));
        format!("{{{}}}", members.join(","))
    }

    fn now(&self, format: &str) -> String {
        pkt(self.desk.now_s(), format)
    }

    /// The page comes back with its verdict, unsigned.
    fn go_back(&self, id: &str) -> Response {
        let Some(order) = self.order(id) else {
            return page::notice(StatusCode::NOT_FOUND, "no such order");
        };
        let (code, _) = codes(order.outcome);
        let fields = [("status", code), ("desc", "done"), ("orderRefNumber", id)];
        page::go(&with_query(&order.back, &fields))
    }
}

/// The connection breaks.
struct Broken;

/// Of an outcome: the code of an initiation, and the status in an inquiry.
fn codes(outcome: Option<Outcome>) -> (&'static str, &'static str) {
    match outcome {
        None => ("0001", "PENDING"),
        Some(Outcome::Approve) => ("0000", "PAID"),
        Some(Outcome::Hidden) => ("0001", "PAID"),
        Some(Outcome::Unknown) => ("0001", "PENDING"),
        Some(Outcome::Funds) => ("0013", "FAILED"),
        Some(Outcome::Payer) => ("0011", "FAILED"),
        Some(Outcome::Limit) => ("0029", "FAILED"),
        Some(Outcome::Cancel) => ("0012", "FAILED"),
        Some(Outcome::Decline) => ("0009", "FAILED"),
        Some(Outcome::Cooling) => ("0014", "FAILED"),
        Some(Outcome::Down) => ("0031", "FAILED"),
        Some(Outcome::Setup) => ("0005", "FAILED"),
        Some(Outcome::Expire) => ("0016", "EXPIRED"),
    }
}

async fn rest(
    State(sandbox): State<Arc<Easypaisa>>,
    Path((version, what)): Path<(String, String)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    sandbox.desk.arrive().await;
    let right = BASE64_STANDARD.encode(format!(
        "{}:{}",
        sandbox.account.username, sandbox.account.password
    ));
    if headers.get("credentials").and_then(|value| value.to_str().ok()) != Some(&right) {
        return answer("{\"responseCode\":\"0010\",\"responseDesc\":\"INVALID CREDENTIALS\"}".to_owned());
    }
    let request = match (version.as_str(), &sandbox.keys) {
        ("v4", _) => body,
        ("v5", Some(keys)) => match opened(keys, &body) {
            Some(request) => request,
            None => {
                return answer(
                    "{\"responseCode\":\"0024\",\"responseDesc\":\"INVALID SIGNATURE\"}".to_owned(),
                );
            }
        },
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let Ok(fields) = serde_json::from_str::<Fields>(&request) else {
        return answer("{\"responseCode\":\"0022\",\"responseDesc\":\"INVALID JSON\"}".to_owned());
    };
    let said = match what.as_str() {
        "initiate-ma-transaction" => sandbox.wallet(&fields, &headers).await,
        "initiate-otc-transaction" => sandbox.shop(&fields, &headers).await,
        "inquire-transaction" => Ok(sandbox.inquiry(&fields)),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match (said, version.as_str(), &sandbox.keys) {
        (Err(Broken), _, _) => dropped(),
        (Ok(said), "v5", Some(keys)) => {
            let signature = keys.sign(said.as_bytes());
            let signature = match sandbox.desk.wrong().tamper {
                true => tampered(&signature),
                false => signature,
            };
            answer(format!("{{\"response\":{said},\"signature\":\"{signature}\"}}"))
        }
        (Ok(said), _, _) => answer(said),
    }
}

/// The request inside an envelope whose signature is right.
fn opened(keys: &Keys, body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        request: &'a RawValue,
        signature: String,
    }
    let envelope: Envelope<'_> = serde_json::from_str(body).ok()?;
    let request = envelope.request.get();
    keys.is_merchants(request.as_bytes(), &envelope.signature)
        .then(|| request.to_owned())
}

async fn status(
    State(sandbox): State<Arc<Easypaisa>>,
    Path((account, id)): Path<(String, String)>,
) -> Response {
    sandbox.desk.arrive().await;
    let Some(order) = sandbox.order(&id).filter(|_| account == sandbox.account.account) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (_, status) = codes(order.outcome);
    answer(format!(
        "{{\"transaction_status\":\"{status}\",\"store_id\":{},\"order_id\":{},\"transaction_id\":{},\"transaction_amount\":\
         \"{}.{:02}\",\"payment_method\":\"{}\"}}",
        quoted(&sandbox.account.store_id),
        quoted(&id),
        quoted(&order.reference),
        order.minor / 100,
        order.minor % 100,
        order.mode
    ))
}

async fn first_leg(
    State(sandbox): State<Arc<Easypaisa>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    sandbox.desk.arrive().await;
    let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let signed: Vec<String> = fields
        .iter()
        .filter(|(name, value)| *name != "merchantHashedReq" && !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let deciphered = keys::deciphered(&sandbox.account.hash_key, &get("merchantHashedReq"));
    let (id, minor) = (get("orderRefNum"), minor_of(&get("amount")));
    let good = deciphered.as_deref() == Some(&signed.join("&"))
        && get("storeId") == sandbox.account.store_id
        && get("expiryDate") > sandbox.now("%Y%m%d %H%M%S")
        && !id.is_empty();
    let (true, Some(minor)) = (good, minor) else {
        return page::notice(StatusCode::BAD_REQUEST, "0024 the request is not right");
    };
    let forced = sandbox.desk.outcome(&headers, minor, &get("mobileNum"));
    sandbox.open_order(&id, "MA", minor, forced);
    let token = format!(
        "T{:016x}",
        sandbox.desk.number().wrapping_mul(0x9E37_79B9_7F4A_7C15)
    );
    let mut state = sandbox.state.lock();
    if let Some(order) = state.orders.get_mut(&id) {
        order.expires = get("expiryDate");
    }
    state.tokens.insert(token.clone(), id);
    page::go(&with_query(&get("postBackURL"), &[("auth_token", &token)]))
}

async fn second_leg(State(sandbox): State<Arc<Easypaisa>>, Form(fields): Form<Fields>) -> Response {
    sandbox.desk.arrive().await;
    let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let id = sandbox.state.lock().tokens.get(&get("auth_token")).cloned();
    let Some((id, order)) = id.and_then(|id| Some((id.clone(), sandbox.order(&id)?))) else {
        return page::notice(StatusCode::BAD_REQUEST, "no such token");
    };
    if let Some(order) = sandbox.state.lock().orders.get_mut(&id) {
        order.back = get("postBackURL");
    }
    if !order.open() {
        return sandbox.go_back(&id);
    }
    let amount = format!("PKR {}.{:02}", order.minor / 100, order.minor % 100);
    page::choice(&Choice {
        title: "Easypaisa",
        lines: &[("Amount", &amount), ("Order", &id)],
        action: "/sandbox/decide",
        hidden: &[("order", &id)],
        buttons: &page::BUTTONS,
    })
}

async fn decide(State(sandbox): State<Arc<Easypaisa>>, Form(fields): Form<Fields>) -> Response {
    sandbox.desk.arrive().await;
    let id = fields.get("order").cloned().unwrap_or_default();
    let clicked = fields.get("choice").and_then(|choice| Outcome::parse(choice));
    let forced = sandbox.order(&id).and_then(|order| order.forced);
    let Some(outcome) = sandbox.desk.wrong().outcome.or(forced).or(clicked) else {
        return page::notice(StatusCode::BAD_REQUEST, "no such choice");
    };
    if sandbox.desk.drops_before() {
        return dropped();
    }
    if sandbox.commit(&id, outcome) {
        sandbox.send_ipn(&id);
    }
    if sandbox.desk.leave().await {
        return dropped();
    }
    sandbox.go_back(&id)
}

/// Paisa of `10.0`, `1250.5`, `10.25`; `None` for anything else.
fn minor_of(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 {
        return None;
    }
    let part: i64 = format!("{part:0<2}").parse().ok()?;
    let minor = whole.parse::<i64>().ok()?.checked_mul(100)? + part;
    (minor > 0).then_some(minor)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn answer(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn with_query(url: &str, fields: &[(&str, &str)]) -> String {
    let fields: Vec<(String, String)> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{}", super::browser::form_encode(&fields))
}
