//! A sandbox of JazzCash: hosted page v1.1, mobile wallet v2, inquiry, refund, IPN (reference payments 2.1).
//!
//! It keeps JazzCash's habits: `pp_ResponseCode` 000 of an inquiry says only that the inquiry worked; a failed inquiry has
//! no hash and no status; two spellings of the retrieval reference; inquiries name no amount. Which code an outcome gives
//! is ours.

use super::desk::{Callback, Desk, Direction, Movement, Served, dropped, serve};
use super::misbehaviour::{Outcome, tampered};
use super::page::{self, Choice};
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

type Fields = BTreeMap<String, String>;

/// A merchant that the sandbox knows.
#[derive(Clone)]
pub struct Account {
    /// `pp_MerchantID`.
    pub merchant_id: String,
    /// `pp_Password`.
    pub password: String,
    /// The integrity salt.
    pub salt: String,
    /// For refunds.
    pub mpin: String,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            merchant_id: "MC12345".to_owned(),
            password: "pw123".to_owned(),
            salt: "TESTSALT12".to_owned(),
            mpin: "4321".to_owned(),
        }
    }
}

/// The sandbox.
pub struct JazzCash {
    /// Orders to misbehave, the book, callbacks.
    pub desk: Arc<Desk>,
    account: Account,
    orders: Mutex<HashMap<String, Order>>,
}

#[derive(Clone)]
struct Order {
    asked: Fields,
    minor: i64,
    /// `None` until the payer or the control decides.
    outcome: Option<Outcome>,
    /// The outcome that the request or the control chose beforehand.
    forced: Option<Outcome>,
    reference: String,
    refunded: bool,
    wallet: bool,
}

impl JazzCash {
    /// A sandbox for one merchant.
    pub fn new(account: Account) -> Arc<JazzCash> {
        Arc::new(JazzCash {
            desk: Desk::new(),
            account,
            orders: Mutex::default(),
        })
    }

    /// Serves it on loopback; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn serve(self: &Arc<JazzCash>, port: u16) -> std::io::Result<Served> {
        let router = Router::new()
            .route(
                "/CustomerPortal/transactionmanagement/merchantform/",
                post(hosted),
            )
            .route("/sandbox/decide", post(decide))
            .route(
                "/ApplicationAPI/API/2.0/Purchase/DoMWalletTransaction",
                post(wallet),
            )
            .route("/ApplicationAPI/API/PaymentInquiry/Inquire", post(inquire))
            .route(
                "/ApplicationAPI/API/Purchase/domwalletrefundtransaction",
                post(refund),
            )
            .with_state(self.clone());
        serve(router, port).await
    }

    /// Decides an order that is open: what the payer, or the machinery behind an unknown outcome, does at last.
    pub fn settle(self: &Arc<JazzCash>, order: &str, outcome: Outcome) {
        let open = self.orders.lock().get(order).is_some_and(Order::open);
        if open {
            self.commit(order, outcome);
            self.send_ipn(order);
        }
    }

    /// The settlement file of everything that moved, with a fee of 1.5 percent on payments, rounded down to the paisa.
    pub fn settlement_file(&self) -> String {
        let mut file = "order,reference,type,amount,fee,currency,time\n".to_owned();
        for movement in self.desk.movements() {
            let (kind, fee) = match movement.direction {
                Direction::Payment => ("payment", movement.minor * 15 / 1000),
                Direction::Refund => ("refund", 0),
                Direction::Chargeback => ("chargeback", 0),
            };
            let rupees = |minor: i64| format!("{}.{:02}", minor / 100, minor % 100);
            file += &format!(
                "{},{},{kind},{},{},{},{}\n",
                movement.order,
                movement.reference,
                rupees(movement.minor),
                rupees(fee),
                movement.currency,
                pkt(movement.at_s, "%Y-%m-%d %H:%M:%S")
            );
        }
        file
    }

    /// Puts an outcome into effect, once.
    fn commit(&self, id: &str, outcome: Outcome) {
        let mut orders = self.orders.lock();
        let Some(order) = orders.get_mut(id).filter(|order| order.open()) else {
            return;
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
    }

    fn open_order(&self, asked: Fields, forced: Option<Outcome>, wallet: bool) -> String {
        let id = asked["pp_TxnRefNo"].clone();
        let reference = format!("{:012}", 211_002_000_000 + self.desk.number());
        self.orders.lock().entry(id.clone()).or_insert_with(|| Order {
            minor: asked["pp_Amount"].parse().unwrap_or(0),
            asked,
            outcome: None,
            forced,
            reference,
            refunded: false,
            wallet,
        });
        id
    }

    /// What is wrong with a request, as a code.
    fn fault(&self, fields: &Fields) -> Option<&'static str> {
        let get = |name: &str| fields.get(name).map_or("", String::as_str);
        if get("pp_MerchantID") != self.account.merchant_id || get("pp_Password") != self.account.password {
            return Some("101");
        }
        if !get("pp_SecureHash").eq_ignore_ascii_case(&self.hash(fields)) {
            return Some("115");
        }
        let reference = get("pp_TxnRefNo");
        let good_reference =
            (1..=20).contains(&reference.len()) && reference.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (!good_reference).then_some("110")
    }

    /// What is wrong with a request to pay.
    fn fault_of_payment(&self, fields: &Fields) -> Option<&'static str> {
        let get = |name: &str| fields.get(name).map_or("", String::as_str);
        let bad_amount =
            get("pp_Amount").is_empty() || !get("pp_Amount").bytes().all(|byte| byte.is_ascii_digit());
        let bad_words =
            get("pp_Description").contains(['<', '>', '*', '=', '%', '/', ':', '\'', '|', '"', '{', '}']);
        let good_times = [get("pp_TxnDateTime"), get("pp_TxnExpiryDateTime")]
            .iter()
            .all(|time| time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit()));
        let over = get("pp_TxnExpiryDateTime") <= pkt(self.desk.now_s(), "%Y%m%d%H%M%S").as_str();
        match self.fault(fields) {
            Some(code) => Some(code),
            None if bad_amount || bad_words || !good_times || get("pp_TxnCurrency") != "PKR" => Some("110"),
            None if over => Some("117"),
            None => None,
        }
    }

    fn hash(&self, fields: &Fields) -> String {
        let mut text = self.account.salt.clone();
        for (name, value) in fields {
            if name.starts_with("pp") && name != "pp_SecureHash" && !value.is_empty() {
                text = text + "&" + value;
            }
        }
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, self.account.salt.as_bytes());
        let tag = aws_lc_rs::hmac::sign(&key, text.as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
    }

    fn signed(&self, mut fields: Fields) -> Fields {
        let hash = self.hash(&fields);
        let hash = if self.desk.wrong().tamper {
            tampered(&hash)
        } else {
            hash
        };
        fields.insert("pp_SecureHash".to_owned(), hash);
        fields
    }

    fn json(&self, fields: Fields) -> Response {
        let object: Map<String, Value> = self
            .signed(fields)
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect();
        Json(object).into_response()
    }

    /// The fields of a return, an IPN or the answer of a wallet.
    fn result(&self, id: &str) -> Fields {
        let Some(order) = self.orders.lock().get(id).cloned() else {
            return Fields::new();
        };
        let wrong = self.desk.wrong();
        let (code, _, _) = codes(order.outcome);
        let amount = (order.minor + wrong.amount_off).to_string();
        let spelling = if order.wallet {
            "pp_RetrievalReferenceNo"
        } else {
            "pp_RetreivalReferenceNo"
        };
        let mut fields = BTreeMap::new();
        for name in [
            "pp_Language",
            "pp_MerchantID",
            "pp_TxnRefNo",
            "pp_TxnDateTime",
            "pp_BillReference",
            "pp_TxnType",
        ] {
            let value = order.asked.get(name).cloned().unwrap_or_default();
            fields.insert(name.to_owned(), value);
        }
        for (name, value) in [
            ("pp_Amount", amount.as_str()),
            ("pp_AuthCode", &order.reference),
            ("pp_BankID", ""),
            ("pp_ResponseCode", code),
            ("pp_ResponseMessage", words(code)),
            (spelling, &order.reference),
            ("pp_SettlementExpiry", ""),
            ("pp_SubMerchantId", ""),
            ("pp_TxnCurrency", if wrong.wrong_currency { "USD" } else { "PKR" }),
            ("pp_Version", if order.wallet { "2.0" } else { "1.1" }),
            ("ppmbf_1", ""),
        ] {
            fields.insert(name.to_owned(), value.to_owned());
        }
        for (name, value) in order.asked.iter().filter(|(name, _)| name.starts_with("ppmpf_")) {
            fields.insert(name.clone(), value.clone());
        }
        fields
    }

    fn send_ipn(&self, id: &str) {
        let fields = self.signed(self.result(id));
        let object: Map<String, Value> = fields
            .into_iter()
            .map(|(name, value)| match value.is_empty() {
                true => (name, Value::Null),
                false => (name, value.into()),
            })
            .collect();
        self.desk.send(&Callback {
            path: "/ipn".to_owned(),
            method: "POST",
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Value::Object(object).to_string().into_bytes(),
        });
    }

    /// The browser goes back to the shop with the result.
    fn go_back(&self, id: &str) -> Response {
        let fields: Vec<(String, String)> = self.signed(self.result(id)).into_iter().collect();
        let orders = self.orders.lock();
        let back = orders
            .get(id)
            .and_then(|order| order.asked.get("pp_ReturnURL").cloned());
        page::send_on(&back.unwrap_or_default(), &fields)
    }
}

impl Order {
    fn open(&self) -> bool {
        matches!(self.outcome, None | Some(Outcome::Unknown))
    }
}

/// Of an outcome: the code of the answer, the code in an inquiry, the status in an inquiry.
fn codes(outcome: Option<Outcome>) -> (&'static str, &'static str, &'static str) {
    match outcome {
        None => ("157", "157", "Pending"),
        Some(Outcome::Approve) => ("000", "121", "Completed"),
        Some(Outcome::Hidden) => ("199", "121", "Completed"),
        Some(Outcome::Unknown) => ("199", "157", "Pending"),
        Some(Outcome::Funds) => ("004", "004", "Failed"),
        Some(Outcome::Payer) => ("024", "024", "Failed"),
        Some(Outcome::Limit) => ("001", "001", "Failed"),
        Some(Outcome::Cooling) => ("105", "105", "Failed"),
        Some(Outcome::Cancel) => ("112", "129", "Dropped"),
        Some(Outcome::Decline) => ("415", "415", "Failed"),
        Some(Outcome::Down) => ("118", "118", "Failed"),
        Some(Outcome::Setup) => ("101", "101", "Failed"),
        Some(Outcome::Expire) => ("117", "117", "Failed"),
    }
}

fn words(code: &str) -> &'static str {
    match code {
        "000" | "121" => "Thank you for Using JazzCash, your transaction was successful.",
        "157" => "Transaction is pending.",
        "199" => "System error",
        "110" => "Please provide a valid value.",
        "115" => "Invalid hash received",
        _ => "Sorry, your transaction was not successful.",
    }
}

/// Pakistan time in a `strftime` format.
pub(super) fn pkt(at_s: i64, format: &str) -> String {
    let zone = jiff::tz::Offset::constant(5);
    jiff::Timestamp::from_second(at_s)
        .map(|moment| zone.to_datetime(moment).strftime(format).to_string())
        .unwrap_or_default()
}

async fn hosted(
    State(sandbox): State<Arc<JazzCash>>,
    headers: HeaderMap,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    sandbox.desk.arrive().await;
    let fields: Fields = fields.into_iter().collect();
    if let Some(code) = sandbox.fault_of_payment(&fields) {
        return page::notice(StatusCode::BAD_REQUEST, &format!("{code} {}", words(code)));
    }
    let minor = fields["pp_Amount"].parse().unwrap_or(0);
    let forced = sandbox.desk.outcome(&headers, minor, "");
    let id = sandbox.open_order(fields, forced, false);
    let decided = sandbox
        .orders
        .lock()
        .get(&id)
        .is_some_and(|order| order.outcome.is_some());
    if decided {
        return sandbox.go_back(&id);
    }
    let amount = format!("PKR {}.{:02}", minor / 100, minor % 100);
    page::choice(&Choice {
        title: "JazzCash",
        lines: &[("Amount", &amount), ("Order", &id)],
        action: "/sandbox/decide",
        hidden: &[("order", &id)],
        buttons: &page::BUTTONS,
    })
}

async fn decide(State(sandbox): State<Arc<JazzCash>>, Form(fields): Form<Fields>) -> Response {
    sandbox.desk.arrive().await;
    let id = fields.get("order").cloned().unwrap_or_default();
    let clicked = fields.get("choice").and_then(|choice| Outcome::parse(choice));
    let forced = match sandbox.orders.lock().get(&id) {
        Some(order) => order.forced,
        None => return page::notice(StatusCode::NOT_FOUND, "no such order"),
    };
    let Some(outcome) = sandbox.desk.wrong().outcome.or(forced).or(clicked) else {
        return page::notice(StatusCode::BAD_REQUEST, "no such choice");
    };
    if sandbox.desk.drops_before() {
        return dropped();
    }
    sandbox.commit(&id, outcome);
    if !matches!(outcome, Outcome::Hidden | Outcome::Unknown) {
        sandbox.send_ipn(&id);
    }
    if sandbox.desk.leave().await {
        return dropped();
    }
    sandbox.go_back(&id)
}

async fn wallet(
    State(sandbox): State<Arc<JazzCash>>,
    headers: HeaderMap,
    Json(fields): Json<Fields>,
) -> Response {
    sandbox.desk.arrive().await;
    let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let (number, cnic) = (get("pp_MobileNumber"), get("pp_CNIC"));
    let good_payer = number.len() == 11 && number.starts_with("03") && cnic.len() == 6;
    let fault = sandbox
        .fault_of_payment(&fields)
        .or_else(|| (!good_payer).then_some("110"));
    if let Some(code) = fault {
        return sandbox.json(complaint(code));
    }
    let outcome = sandbox
        .desk
        .outcome(&headers, get("pp_Amount").parse().unwrap_or(0), &number)
        .unwrap_or(Outcome::Approve);
    if sandbox.desk.drops_before() {
        return dropped();
    }
    let id = sandbox.open_order(fields, Some(outcome), true);
    let first = sandbox
        .orders
        .lock()
        .get(&id)
        .is_some_and(|order| order.outcome.is_none());
    sandbox.commit(&id, outcome);
    if first && !matches!(outcome, Outcome::Hidden | Outcome::Unknown) {
        sandbox.send_ipn(&id);
    }
    if sandbox.desk.leave().await {
        return dropped();
    }
    let mut answer = sandbox.result(&id);
    if !first {
        // The real one complains about a repetition; what became of the first request has to be asked.
        answer.insert("pp_ResponseCode".to_owned(), "422".to_owned());
    }
    sandbox.json(answer)
}

async fn inquire(State(sandbox): State<Arc<JazzCash>>, Json(fields): Json<Fields>) -> Response {
    sandbox.desk.arrive().await;
    if let Some(code) = sandbox.fault(&fields) {
        return sandbox.json(complaint(code));
    }
    let id = fields["pp_TxnRefNo"].clone();
    if sandbox.desk.is_slow(&id) {
        return failed_inquiry();
    }
    let Some(order) = sandbox.orders.lock().get(&id).cloned() else {
        return sandbox.json(complaint("110"));
    };
    let expires = order
        .asked
        .get("pp_TxnExpiryDateTime")
        .cloned()
        .unwrap_or_default();
    let over = expires <= pkt(sandbox.desk.now_s(), "%Y%m%d%H%M%S");
    let (_, code, status) = match order.outcome {
        None if over => codes(Some(Outcome::Expire)),
        outcome => codes(outcome),
    };
    let (code, reference) = match order.refunded {
        true => ("131", order.reference.as_str()),
        false => (
            code,
            if code == "121" {
                order.reference.as_str()
            } else {
                ""
            },
        ),
    };
    let answer = [
        ("pp_BankID", ""),
        ("pp_Status", status),
        ("pp_AuthCode", reference),
        ("pp_ProductID", ""),
        ("pp_ResponseCode", "000"),
        ("pp_SettlementDate", ""),
        ("pp_ResponseMessage", words("000")),
        ("pp_SettlementExpiry", ""),
        ("pp_PaymentResponseCode", code),
        ("pp_RetrievalReferenceNo", reference),
        ("pp_PaymentResponseMessage", words(code)),
    ];
    sandbox.json(owned(&answer))
}

async fn refund(State(sandbox): State<Arc<JazzCash>>, Json(fields): Json<Fields>) -> Response {
    sandbox.desk.arrive().await;
    let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let fault = sandbox
        .fault(&fields)
        .or_else(|| (get("pp_MerchantMPIN") != sandbox.account.mpin).then_some("101"));
    if let Some(code) = fault {
        return sandbox.json(complaint(code));
    }
    if sandbox.desk.drops_before() {
        return dropped();
    }
    let (id, minor) = (get("pp_TxnRefNo"), get("pp_Amount").parse::<i64>().unwrap_or(0));
    let (code, reference) = sandbox.give_back(&id, minor);
    if code == "000" && sandbox.desk.leave().await {
        return dropped();
    }
    let answer = [
        ("pp_ResponseCode", code),
        ("pp_ResponseMessage", words(code)),
        ("pp_TxnRefNo", id.as_str()),
        ("pp_RetrievalReferenceNo", &reference),
    ];
    sandbox.json(owned(&answer))
}

impl JazzCash {
    fn give_back(&self, id: &str, minor: i64) -> (&'static str, String) {
        let refuse = self.desk.wrong().refuse_refunds;
        let mut orders = self.orders.lock();
        let Some(order) = orders.get_mut(id) else {
            return ("110", String::new());
        };
        let paid = order.outcome.is_some_and(Outcome::takes_money);
        if order.refunded && !self.desk.wrong().repeat_refunds {
            return ("131", order.reference.clone());
        }
        if refuse || !paid || minor <= 0 || minor > order.minor {
            return ("132", String::new());
        }
        order.refunded = true;
        let reference = format!("{:012}", 311_002_000_000 + self.desk.number());
        self.desk.book(Movement {
            direction: Direction::Refund,
            order: id.to_owned(),
            reference: reference.clone(),
            minor,
            currency: "PKR".to_owned(),
            at_s: self.desk.now_s(),
        });
        ("000", reference)
    }
}

/// A signed answer that says only that the request was wrong.
fn complaint(code: &'static str) -> Fields {
    owned(&[("pp_ResponseCode", code), ("pp_ResponseMessage", words(code))])
}

/// The failed inquiry of the real one: no hash, no status, 199.
fn failed_inquiry() -> Response {
    let body = r#"{"pp_BankID":"","pp_Status":"","pp_AuthCode":"","pp_SecureHash":"","pp_ResponseCode":"199","pp_PaymentResponseCode":"199","pp_ResponseMessage":"System error","pp_RetrievalReferenceNo":""}"#;
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn owned(fields: &[(&str, &str)]) -> Fields {
    fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
