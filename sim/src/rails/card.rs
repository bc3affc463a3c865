//! A sandbox of a card PSP: checkout sessions with a hosted page and 3-D Secure, refunds, disputes, events signed `t=,v1=`.
//!
//! The page offers test cards instead of a field for a number: no card number exists in this world. A card that asks for a
//! code leads to the page of its bank (3-D Secure challenge).

use super::desk::{Callback, Desk, Direction, Movement, Served, dropped, serve};
use super::misbehaviour::{Outcome, tampered};
use super::page::{self, Choice};
use axum::body::Bytes;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

type Fields = BTreeMap<String, String>;
type Shared = State<Arc<Card>>;

/// Keys that the sandbox shares with its merchant.
#[derive(Clone)]
pub struct Account {
    /// Key of the API.
    pub api_key: String,
    /// Signs the merchant's requests.
    pub request_key: String,
    /// Sign events: each gives a `v1`.
    pub webhook_secrets: Vec<String>,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            api_key: "sk_test_sandbox".to_owned(),
            request_key: "rk_test_sandbox".to_owned(),
            webhook_secrets: vec!["whsec_test_secret".to_owned()],
        }
    }
}

/// The sandbox.
pub struct Card {
    /// Orders to misbehave, the book, events.
    pub desk: Arc<Desk>,
    account: Account,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    sessions: HashMap<String, Session>,
    /// Request body and answer by path and idempotency key.
    answered: HashMap<(String, String), (Vec<u8>, Value)>,
    refunds: Vec<Refund>,
}

#[derive(Clone)]
struct Session {
    id: String,
    intent: String,
    payment: String,
    minor: i64,
    currency: String,
    success_url: String,
    cancel_url: String,
    expires_s: i64,
    name: String,
    forced: Option<Outcome>,
    outcome: Option<Outcome>,
    disputed: bool,
    /// A card is to be left for later; nothing is paid.
    setup: bool,
}

#[derive(Clone)]
struct Refund {
    id: String,
    intent: String,
    payment: String,
    minor: i64,
}

/// The cards of the page, and what comes of them.
const CARDS: [(&str, &str); 5] = [
    ("approve", "Card ending 4242: pays at once"),
    ("challenge", "Card ending 3155: its bank asks for a code"),
    ("decline", "Card ending 0002: declined"),
    ("funds", "Card ending 9995: not enough money"),
    ("cancel", "Cancel and go back"),
];

impl Card {
    /// A sandbox for one merchant.
    pub fn new(account: Account) -> Arc<Card> {
        Arc::new(Card {
            desk: Desk::new(),
            account,
            inner: Mutex::default(),
        })
    }

    /// Serves it on loopback; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn serve(self: &Arc<Card>, port: u16) -> std::io::Result<Served> {
        let router = Router::new()
            .route("/v1/checkout/sessions", post(create))
            .route("/v1/checkout/sessions/{id}", get(read))
            .route("/v1/payment_intents", post(charge_stored))
            .route("/v1/payment_intents/{id}", get(read_intent))
            .route("/v1/refunds", post(refund).get(refunds))
            .route("/c/pay/{id}", get(checkout))
            .route("/c/decide", post(decide))
            .route("/c/challenge", post(challenge))
            .with_state(self.clone());
        serve(router, port).await
    }

    /// Decides a payment that is open or being processed.
    pub fn settle(self: &Arc<Card>, payment: &str, outcome: Outcome) {
        let id = self
            .find(|session| session.payment == payment)
            .map(|session| session.id);
        if let Some(id) = id {
            self.commit(&id, outcome);
            self.announce_outcome(&id);
        }
    }

    /// The cardholder's bank takes the money back.
    pub fn dispute(self: &Arc<Card>, payment: &str) {
        let Some(session) = self.find(|session| session.payment == payment) else {
            return;
        };
        if let Some(session) = self.inner.lock().sessions.get_mut(&session.id) {
            session.disputed = true;
        }
        let id = format!("dp_{:014}", self.desk.number());
        self.book(
            Direction::Chargeback,
            payment,
            &id,
            session.minor,
            &session.currency,
        );
        let object = json!({
            "id": id, "object": "dispute", "payment_intent": session.intent, "charge": charge_of(&session.intent),
            "amount": session.minor, "currency": session.currency.to_lowercase(), "reason": "fraudulent",
            "status": "needs_response", "metadata": {},
        });
        self.announce("charge.dispute.created", &object);
    }

    /// Idempotency keys are forgotten, as after a day.
    pub fn forget_keys(&self) {
        self.inner.lock().answered.clear();
    }

    /// The settlement file of everything that moved, with a fee of 2.5 percent on payments, rounded down.
    pub fn settlement_file(&self) -> String {
        let mut file = "order,reference,type,amount,fee,currency,time\n".to_owned();
        for movement in self.desk.movements() {
            let (kind, fee) = match movement.direction {
                Direction::Payment => ("payment", movement.minor * 25 / 1000),
                Direction::Refund => ("refund", 0),
                Direction::Chargeback => ("chargeback", 0),
            };
            let decimal = |minor: i64| format!("{}.{:02}", minor / 100, minor % 100);
            file += &format!(
                "{},{},{kind},{},{},{},{}\n",
                movement.order,
                movement.reference,
                decimal(movement.minor),
                decimal(fee),
                movement.currency,
                super::jazzcash::pkt(movement.at_s, "%Y-%m-%d %H:%M:%S")
            );
        }
        file
    }

    fn find(&self, wanted: impl Fn(&Session) -> bool) -> Option<Session> {
        self.inner
            .lock()
            .sessions
            .values()
            .find(|session| wanted(session))
            .cloned()
    }

    fn book(&self, direction: Direction, order: &str, reference: &str, minor: i64, currency: &str) {
        self.desk.book(Movement {
            direction,
            order: order.to_owned(),
            reference: reference.to_owned(),
            minor,
            currency: currency.to_owned(),
            at_s: self.desk.now_s(),
        });
    }

    /// Puts an outcome into effect, once; a session that has expired takes none.
    fn commit(&self, id: &str, outcome: Outcome) {
        let mut inner = self.inner.lock();
        let Some(session) = inner.sessions.get_mut(id) else {
            return;
        };
        if !matches!(session.outcome, None | Some(Outcome::Unknown)) || self.desk.now_s() > session.expires_s
        {
            return;
        }
        session.outcome = Some(outcome);
        if outcome.takes_money() && !session.setup {
            self.book(
                Direction::Payment,
                &session.payment,
                &session.intent,
                session.minor,
                &session.currency,
            );
        }
    }

    fn session_json(&self, session: &Session, base: &str, slow: bool) -> Value {
        let wrong = self.desk.wrong();
        let paid = session.outcome.is_some_and(Outcome::takes_money) && !slow;
        let status = match session.outcome {
            Some(Outcome::Expire) => "expired",
            Some(_) => "complete",
            None if self.desk.now_s() > session.expires_s => "expired",
            None => "open",
        };
        let currency = if wrong.wrong_currency {
            "eur".to_owned()
        } else {
            session.currency.to_lowercase()
        };
        let open = status == "open";
        if session.setup {
            return setup_json(session, status, base);
        }
        json!({
            "id": session.id,
            "object": "checkout.session",
            "status": status,
            "payment_status": if paid { "paid" } else { "unpaid" },
            "amount_total": session.minor + wrong.amount_off,
            "currency": currency,
            "client_reference_id": session.payment,
            "url": if open { json!(format!("{base}/c/pay/{}", session.id)) } else { Value::Null },
            "expires_at": session.expires_s,
            "payment_intent": self.intent_json(session, paid),
        })
    }

    fn intent_json(&self, session: &Session, paid: bool) -> Value {
        let (status, code) = match session.outcome {
            Some(outcome) if outcome.takes_money() => (if paid { "succeeded" } else { "processing" }, ""),
            Some(Outcome::Unknown) => ("processing", ""),
            Some(outcome) => ("canceled", decline_code(outcome)),
            None => ("requires_payment_method", ""),
        };
        let given: i64 = self
            .inner
            .lock()
            .refunds
            .iter()
            .filter(|refund| refund.intent == session.intent)
            .map(|refund| refund.minor)
            .sum();
        json!({
            "id": session.intent,
            "object": "payment_intent",
            "status": status,
            "amount": session.minor + self.desk.wrong().amount_off,
            "amount_received": if paid { session.minor + self.desk.wrong().amount_off } else { 0 },
            "currency": session.currency.to_lowercase(),
            "metadata": {"payment": session.payment},
            "last_payment_error": if code.is_empty() { Value::Null } else { json!({"code": "card_declined", "decline_code": code}) },
            "latest_charge": {
                "id": charge_of(&session.intent),
                "amount_refunded": given,
                "refunded": given == session.minor,
                "disputed": session.disputed,
            },
        })
    }

    fn announce_outcome(self: &Arc<Card>, id: &str) {
        let Some(session) = self.inner.lock().sessions.get(id).cloned() else {
            return;
        };
        let name = match session.outcome {
            Some(outcome) if outcome.takes_money() => "checkout.session.completed",
            Some(Outcome::Expire) => "checkout.session.expired",
            _ => "checkout.session.async_payment_failed",
        };
        let mut object = self.session_json(&session, "", false);
        // Events carry the id only.
        object["payment_intent"] = session.intent.into();
        self.announce(name, &object);
    }

    fn announce(self: &Arc<Card>, name: &str, object: &Value) {
        let event = json!({
            "id": format!("evt_{:014}", self.desk.number()),
            "object": "event",
            "type": name,
            "created": self.desk.now_s(),
            "data": {"object": object},
        });
        let body = event.to_string().into_bytes();
        let time = self.desk.now_s().to_string();
        let mut header = format!("t={time}");
        for secret in &self.account.webhook_secrets {
            let mut tag = hmac(secret, &[time.as_bytes(), b".", &body].concat());
            if self.desk.wrong().tamper {
                tag = tampered(&tag);
            }
            header += &format!(",v1={tag}");
        }
        self.desk.send(&Callback {
            path: "/webhook".to_owned(),
            method: "POST",
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("stripe-signature".to_owned(), header),
            ],
            body,
        });
    }

    /// Key and signature of a request; the time in it is not looked at.
    fn is_known(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> bool {
        let header = text(headers, "request-signature");
        let Some((time, tag)) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")) else {
            return false;
        };
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        let message = [format!("{time}.{method} {path}\n").as_bytes(), body].concat();
        text(headers, "authorization") == format!("Bearer {}", self.account.api_key)
            && hmac(&self.account.request_key, &message) == tag
    }

    /// The fields of a new request, or the answer that it gets at once.
    fn fields(&self, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<(Fields, String), Box<Response>> {
        if !self.is_known(&Method::POST, uri, headers, body) {
            return Err(Box::new(refusal(StatusCode::UNAUTHORIZED, "invalid_api_key")));
        }
        let key = text(headers, "idempotency-key");
        let inner = self.inner.lock();
        if let Some((known, answer)) = inner.answered.get(&(uri.path().to_owned(), key.clone())) {
            return Err(Box::new(if known == body {
                Json(answer.clone()).into_response()
            } else {
                refusal(StatusCode::BAD_REQUEST, "idempotency_error")
            }));
        }
        let fields = reqwest::Url::parse(&format!("http://x/?{}", String::from_utf8_lossy(body)));
        let fields = fields
            .map(|url| url.query_pairs().into_owned().collect())
            .unwrap_or_default();
        Ok((fields, key))
    }

    fn remember(&self, uri: &Uri, key: String, body: &[u8], answer: &Value) {
        let key = (uri.path().to_owned(), key);
        self.inner
            .lock()
            .answered
            .insert(key, (body.to_vec(), answer.clone()));
    }

    async fn decided(self: &Arc<Card>, id: &str, outcome: Outcome) -> Response {
        if self.desk.drops_before() {
            return dropped();
        }
        self.commit(id, outcome);
        if !matches!(outcome, Outcome::Hidden | Outcome::Unknown) {
            self.announce_outcome(id);
        }
        if self.desk.leave().await {
            return dropped();
        }
        let Some(session) = self.inner.lock().sessions.get(id).cloned() else {
            return page::notice(StatusCode::NOT_FOUND, "There is no such payment.");
        };
        match session.outcome {
            Some(Outcome::Hidden) => page::notice(StatusCode::INTERNAL_SERVER_ERROR, "System error"),
            Some(outcome) if outcome.takes_money() || outcome == Outcome::Unknown => {
                page::go(&came_back(&session))
            }
            _ => page::go(&session.cancel_url),
        }
    }
}

async fn create(State(card): Shared, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    card.desk.arrive().await;
    let (fields, key) = match card.fields(&uri, &headers, &body) {
        Ok(fields) => fields,
        Err(answer) => return *answer,
    };
    let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let setup = get("mode") == "setup" && get("customer_creation") == "always";
    let minor: i64 = get("line_items[0][price_data][unit_amount]").parse().unwrap_or(0);
    let expires_s: i64 = match setup {
        true => card.desk.now_s() + 3_600,
        false => get("expires_at").parse().unwrap_or(0),
    };
    let name = get("line_items[0][price_data][product_data][name]");
    let payable = minor > 0 && expires_s > card.desk.now_s() && get("mode") == "payment" && !name.is_empty();
    if !payable && !setup {
        return refusal(StatusCode::BAD_REQUEST, "parameter_invalid");
    }
    let number = card.desk.number();
    let session = Session {
        id: format!("cs_test_{number:014}"),
        intent: format!("pi_{number:014}"),
        payment: get("client_reference_id"),
        minor,
        currency: get("line_items[0][price_data][currency]").to_uppercase(),
        success_url: get("success_url"),
        cancel_url: get("cancel_url"),
        expires_s,
        name,
        forced: card.desk.outcome(&headers, minor, ""),
        outcome: None,
        disputed: false,
        setup,
    };
    let answer = card.session_json(&session, &format!("http://{}", text(&headers, "host")), false);
    card.inner.lock().sessions.insert(session.id.clone(), session);
    card.remember(&uri, key, &body, &answer);
    Json(answer).into_response()
}

/// What is left of a setup session.
fn setup_json(session: &Session, status: &str, base: &str) -> Value {
    let done = session.outcome.is_some_and(Outcome::takes_money);
    let number = session.id.trim_start_matches("cs_test_");
    json!({
        "id": session.id,
        "object": "checkout.session",
        "mode": "setup",
        "status": status,
        "client_reference_id": session.payment,
        "url": if status == "open" { json!(format!("{base}/c/pay/{}", session.id)) } else { Value::Null },
        "customer": if done { json!(format!("cus_{number}")) } else { Value::Null },
        "setup_intent": {
            "id": format!("seti_{number}"),
            "status": if done { "succeeded" } else { "requires_payment_method" },
            "payment_method": if done {
                json!({"id": format!("pm_{number}"), "card": {"last4": "4242"}})
            } else {
                Value::Null
            },
        },
    })
}

/// A payment from a card that was left here, with nobody present.
async fn charge_stored(State(card): Shared, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    card.desk.arrive().await;
    let (fields, key) = match card.fields(&uri, &headers, &body) {
        Ok(fields) => fields,
        Err(answer) => return *answer,
    };
    let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let (customer, method) = (get("customer"), get("payment_method"));
    let known = card.find(|session| {
        let number = session.id.trim_start_matches("cs_test_");
        let done = session.outcome.is_some_and(Outcome::takes_money);
        session.setup && done && customer == format!("cus_{number}") && method == format!("pm_{number}")
    });
    let minor: i64 = get("amount").parse().unwrap_or(0);
    if known.is_none() || minor <= 0 || get("off_session") != "true" || get("confirm") != "true" {
        return refusal(StatusCode::BAD_REQUEST, "resource_missing");
    }
    if card.desk.drops_before() {
        return dropped();
    }
    let number = card.desk.number();
    let session = Session {
        id: format!("cs_off_{number:014}"),
        intent: format!("pi_{number:014}"),
        payment: get("metadata[payment]"),
        minor,
        currency: get("currency").to_uppercase(),
        success_url: String::new(),
        cancel_url: String::new(),
        expires_s: card.desk.now_s() + 3_600,
        name: get("description"),
        forced: None,
        outcome: None,
        disputed: false,
        setup: false,
    };
    let outcome = card
        .desk
        .wrong()
        .outcome
        .or(card.desk.outcome(&headers, minor, ""));
    let outcome = outcome.unwrap_or(Outcome::Approve);
    let id = session.id.clone();
    card.inner.lock().sessions.insert(id.clone(), session);
    card.commit(&id, outcome);
    let session = card.find(|session| session.id == id);
    let Some(session) = session else {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "api_error");
    };
    let intent = card.intent_json(&session, outcome.takes_money());
    if outcome.takes_money() || outcome == Outcome::Unknown {
        card.announce(
            if outcome.takes_money() {
                "payment_intent.succeeded"
            } else {
                "payment_intent.processing"
            },
            &intent,
        );
        card.remember(&uri, key, &body, &intent);
        return if card.desk.leave().await {
            dropped()
        } else {
            Json(intent).into_response()
        };
    }
    let error = json!({"error": {
        "type": "card_error", "code": "card_declined", "decline_code": decline_code(outcome), "payment_intent": intent,
    }});
    (StatusCode::PAYMENT_REQUIRED, Json(error)).into_response()
}

async fn read(State(card): Shared, Path(id): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    card.desk.arrive().await;
    if !card.is_known(&Method::GET, &uri, &headers, b"") {
        return refusal(StatusCode::UNAUTHORIZED, "invalid_api_key");
    }
    let Some(session) = card.find(|session| session.id == id) else {
        return refusal(StatusCode::NOT_FOUND, "resource_missing");
    };
    let slow = session.outcome.is_some() && card.desk.is_slow(&session.payment);
    Json(card.session_json(&session, &format!("http://{}", text(&headers, "host")), slow)).into_response()
}

async fn read_intent(State(card): Shared, Path(id): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    card.desk.arrive().await;
    if !card.is_known(&Method::GET, &uri, &headers, b"") {
        return refusal(StatusCode::UNAUTHORIZED, "invalid_api_key");
    }
    match card.find(|session| session.intent == id) {
        Some(session) => {
            let paid = session.outcome.is_some_and(Outcome::takes_money);
            Json(card.intent_json(&session, paid)).into_response()
        }
        None => refusal(StatusCode::NOT_FOUND, "resource_missing"),
    }
}

async fn refunds(State(card): Shared, Query(query): Query<Fields>, uri: Uri, headers: HeaderMap) -> Response {
    card.desk.arrive().await;
    if !card.is_known(&Method::GET, &uri, &headers, b"") {
        return refusal(StatusCode::UNAUTHORIZED, "invalid_api_key");
    }
    let intent = query.get("payment_intent").cloned().unwrap_or_default();
    let inner = card.inner.lock();
    let of_intent = inner.refunds.iter().filter(|refund| refund.intent == intent);
    let data: Vec<Value> = of_intent.map(refund_json).collect();
    Json(json!({"object": "list", "has_more": false, "data": data})).into_response()
}

async fn refund(State(card): Shared, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    card.desk.arrive().await;
    let (fields, key) = match card.fields(&uri, &headers, &body) {
        Ok(fields) => fields,
        Err(answer) => return *answer,
    };
    if card.desk.drops_before() {
        return dropped();
    }
    if card.desk.wrong().refuse_refunds {
        return refusal(StatusCode::BAD_REQUEST, "charge_not_refundable");
    }
    let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let (intent, minor) = (get("payment_intent"), get("amount").parse().unwrap_or(0));
    let session =
        card.find(|session| session.intent == intent && session.outcome.is_some_and(Outcome::takes_money));
    let Some(session) = session else {
        return refusal(StatusCode::NOT_FOUND, "resource_missing");
    };
    let refund = {
        let mut inner = card.inner.lock();
        let given: i64 = inner
            .refunds
            .iter()
            .filter(|refund| refund.intent == intent)
            .map(|refund| refund.minor)
            .sum();
        if session.disputed {
            return refusal(StatusCode::BAD_REQUEST, "charge_disputed");
        }
        if minor <= 0 || given + minor > session.minor {
            let code = if given == session.minor {
                "charge_already_refunded"
            } else {
                "amount_too_large"
            };
            return refusal(StatusCode::BAD_REQUEST, code);
        }
        let refund = Refund {
            id: format!("re_{:014}", card.desk.number()),
            intent,
            payment: get("metadata[payment]"),
            minor,
        };
        inner.refunds.push(refund.clone());
        refund
    };
    card.book(
        Direction::Refund,
        &session.payment,
        &refund.id,
        minor,
        &session.currency,
    );
    let answer = refund_json(&refund);
    let charge = json!({
        "id": charge_of(&session.intent), "object": "charge", "payment_intent": session.intent,
        "metadata": {"payment": session.payment}, "refunds": {"data": [answer]},
    });
    card.announce("charge.refunded", &charge);
    card.remember(&uri, key, &body, &answer);
    if card.desk.leave().await {
        dropped()
    } else {
        Json(answer).into_response()
    }
}

async fn checkout(State(card): Shared, Path(id): Path<String>) -> Response {
    let Some(session) = card.find(|session| session.id == id) else {
        return page::notice(StatusCode::NOT_FOUND, "There is no such payment.");
    };
    if session.outcome.is_some() {
        return page::go(&came_back(&session));
    }
    let amount = format!(
        "{}.{:02} {}",
        session.minor / 100,
        session.minor % 100,
        session.currency
    );
    page::choice(&Choice {
        title: "Card payment",
        lines: &[("For", &session.name), ("Amount", &amount)],
        action: "/c/decide",
        hidden: &[("session", &id)],
        buttons: &CARDS,
    })
}

async fn decide(State(card): Shared, Form(form): Form<Fields>) -> Response {
    let id = form.get("session").cloned().unwrap_or_default();
    let choice = form.get("choice").map_or("", String::as_str);
    let Some(session) = card.find(|session| session.id == id) else {
        return page::notice(StatusCode::NOT_FOUND, "There is no such payment.");
    };
    if choice == "challenge" {
        let amount = format!(
            "{}.{:02} {}",
            session.minor / 100,
            session.minor % 100,
            session.currency
        );
        return page::choice(&Choice {
            title: "Your bank: is this you?",
            lines: &[("Amount", &amount), ("Card", "ending 3155")],
            action: "/c/challenge",
            hidden: &[("session", &id)],
            buttons: &[
                ("approve", "Enter the code of the SMS"),
                ("payer", "Enter a wrong code"),
                ("cancel", "That is not me"),
            ],
        });
    }
    answer(&card, &session, choice).await
}

async fn challenge(State(card): Shared, Form(form): Form<Fields>) -> Response {
    let id = form.get("session").cloned().unwrap_or_default();
    match card.find(|session| session.id == id) {
        Some(session) => answer(&card, &session, form.get("choice").map_or("", String::as_str)).await,
        None => page::notice(StatusCode::NOT_FOUND, "There is no such payment."),
    }
}

async fn answer(card: &Arc<Card>, session: &Session, choice: &str) -> Response {
    match card
        .desk
        .wrong()
        .outcome
        .or(session.forced)
        .or(Outcome::parse(choice))
    {
        Some(outcome) => card.decided(&session.id, outcome).await,
        None => page::notice(StatusCode::BAD_REQUEST, "There is no such choice."),
    }
}

/// Where the browser goes; the session is named where the merchant wants it.
fn came_back(session: &Session) -> String {
    session.success_url.replace("{CHECKOUT_SESSION_ID}", &session.id)
}

fn decline_code(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Funds => "insufficient_funds",
        Outcome::Payer => "payment_intent_authentication_failure",
        Outcome::Limit => "card_velocity_exceeded",
        Outcome::Cancel => "requested_by_customer",
        Outcome::Cooling => "do_not_honor",
        Outcome::Down => "processing_error",
        Outcome::Setup => "service_not_allowed",
        _ => "generic_decline",
    }
}

fn refund_json(refund: &Refund) -> Value {
    json!({
        "id": refund.id, "object": "refund", "status": "succeeded", "amount": refund.minor,
        "payment_intent": refund.intent, "metadata": {"payment": refund.payment},
    })
}

fn charge_of(intent: &str) -> String {
    intent.replace("pi_", "ch_")
}

fn refusal(status: StatusCode, code: &str) -> Response {
    let body = json!({"error": {"type": "invalid_request_error", "code": code, "message": code}});
    (status, Json(body)).into_response()
}

fn hmac(key: &str, message: &[u8]) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, message);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}
