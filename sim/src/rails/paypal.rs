//! A sandbox of PayPal: token, Orders v2, captures, refunds, the page where the payer approves, signed webhooks, report.
//!
//! Outcomes come as the shared frame says, with two differences. `PayPal-Mock-Response: {"mock_application_codes":"ISSUE"}`
//! refuses one call with that issue, as PayPal's own sandbox does. Magic amounts are 9000.01 to 9000.11 dollars only, because
//! the cents of a converted price are chance.
//!
//! # Layout
//! * `book`: orders and what moved. `identity`: certificates and signatures, good and bad.

mod book;
mod identity;

use super::desk::{Callback, Desk, Direction, Movement, dropped};
use super::misbehaviour::{Outcome, tampered};
use super::page;
use axum::body::Bytes;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use book::{Book, Capture, Refund, Status};
pub use identity::Certificate;
use identity::Identity;
pub(super) use identity::base64;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Client id and secret that the sandbox knows.
pub const CLIENT: (&str, &str) = ("sandbox-client", "sandbox-secret");
/// Id of the only webhook.
pub const WEBHOOK_ID: &str = "8PT597110X687430LKGECATA";

/// The sandbox.
pub struct PayPal {
    /// Orders to misbehave, the book, webhooks.
    pub desk: Arc<Desk>,
    identity: Identity,
    inner: Mutex<Inner>,
}

struct Inner {
    book: Book,
    /// Answers by path and request id.
    answered: HashMap<(String, String), (u16, Value)>,
    token: u64,
    token_lives_s: i64,
    certificate: Certificate,
    /// What the next capture or refund is refused with.
    next_issue: Option<String>,
}

type Shared = State<Arc<PayPal>>;

impl PayPal {
    /// A sandbox at this desk, with fresh certificates.
    ///
    /// # Errors
    /// The certificates cannot be made.
    pub fn new(desk: Arc<Desk>) -> Result<Arc<PayPal>, rcgen::Error> {
        Ok(Arc::new(PayPal {
            desk,
            identity: Identity::new()?,
            inner: Mutex::new(Inner {
                book: Book::default(),
                answered: HashMap::new(),
                token: 1,
                token_lives_s: 32_400,
                certificate: Certificate::Good,
                next_issue: None,
            }),
        }))
    }

    /// The root of its certificates, PEM.
    pub fn root_pem(&self) -> &str {
        &self.identity.root_pem
    }

    /// With which certificate webhooks are signed from now on.
    pub fn use_certificate(&self, certificate: Certificate) {
        self.inner.lock().certificate = certificate;
    }

    /// Every token given out so far is refused from now on.
    pub fn end_tokens(&self) {
        self.inner.lock().token += 1;
    }

    /// The next capture or refund is refused with this issue.
    pub fn refuse_next(&self, issue: &str) {
        self.inner.lock().next_issue = Some(issue.to_owned());
    }

    /// Request ids are forgotten, as after six hours.
    pub fn forget_request_ids(&self) {
        self.inner.lock().answered.clear();
    }

    /// The payer approves without a browser.
    pub fn approve(self: &Arc<PayPal>, order: &str, base: &str) {
        let approved = {
            let mut inner = self.inner.lock();
            inner.book.touch();
            inner.book.order_mut(order).is_some_and(|order| {
                let open = matches!(order.status, Status::Created | Status::Approved);
                if open {
                    order.status = Status::Approved;
                }
                open
            })
        };
        if approved {
            let resource = self.order_json(order, base);
            self.announce("CHECKOUT.ORDER.APPROVED", &resource, base);
        }
    }

    /// Decides a capture that is under review.
    pub fn settle(self: &Arc<PayPal>, custom_id: &str, outcome: Outcome, base: &str) {
        let decided = {
            let mut inner = self.inner.lock();
            let order = inner.book.of_custom_mut(custom_id);
            order.and_then(|order| {
                order
                    .settle(outcome.takes_money())
                    .map(|capture| (capture, order.minor, order.currency.clone()))
            })
        };
        let Some((capture, minor, currency)) = decided else {
            return;
        };
        if capture.taken {
            self.book(Direction::Payment, custom_id, &capture.id, minor, &currency);
        }
        let resource = {
            let inner = self.inner.lock();
            let found = inner.book.of_capture(&capture.id);
            found.map(|(order, capture)| self.capture_json(capture, order, false))
        };
        let name = if capture.taken {
            "PAYMENT.CAPTURE.COMPLETED"
        } else {
            "PAYMENT.CAPTURE.DENIED"
        };
        self.announce(name, &resource.unwrap_or_default(), base);
    }

    /// The payer's bank takes the money back.
    pub fn reverse(self: &Arc<PayPal>, order: &str, base: &str) {
        let Some((capture, custom, minor, currency)) = self.captured(order) else {
            return;
        };
        self.book(
            Direction::Chargeback,
            &custom,
            &format!("REV{capture}"),
            minor,
            &currency,
        );
        let resource = json!({
            "id": format!("REV{capture}"),
            "status": "COMPLETED",
            "amount": self.amount(minor, &currency),
            "links": [{"rel": "up", "href": format!("{base}/v2/payments/captures/{capture}")}],
        });
        self.announce("PAYMENT.CAPTURE.REVERSED", &resource, base);
    }

    /// The routes.
    pub fn router(self: &Arc<PayPal>) -> Router {
        Router::new()
            .route("/v1/oauth2/token", post(token))
            .route("/v1/notifications/certs/{name}", get(certificate))
            .route("/v2/checkout/orders", post(create))
            .route("/v2/checkout/orders/{id}", get(read))
            .route("/v2/checkout/orders/{id}/capture", post(capture))
            .route("/v2/payments/captures/{id}", get(read_capture))
            .route("/v2/payments/captures/{id}/refund", post(refund))
            .route("/checkoutnow", get(checkout).post(decide))
            .route("/reports/settlement", get(report))
            .with_state(self.clone())
    }

    /// The settlement report of everything so far.
    pub fn settlement_report(&self) -> String {
        book::report(&self.desk.movements())
    }

    fn captured(&self, order: &str) -> Option<(String, String, i64, String)> {
        let inner = self.inner.lock();
        let order = inner.book.order(order)?;
        let capture = order.captures.iter().find(|capture| capture.taken)?;
        Some((
            capture.id.clone(),
            order.custom_id.clone(),
            order.minor,
            order.currency.clone(),
        ))
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

    /// An amount as it is told, which may be wrong.
    fn amount(&self, minor: i64, currency: &str) -> Value {
        let wrong = self.desk.wrong();
        let minor = minor + wrong.amount_off;
        let currency = if wrong.wrong_currency { "EUR" } else { currency };
        json!({"currency_code": currency, "value": format!("{}.{:02}", minor / 100, minor % 100)})
    }

    fn order_json(&self, id: &str, base: &str) -> Value {
        let inner = self.inner.lock();
        let Some(order) = inner.book.order(id) else {
            return Value::Null;
        };
        let slow = !order.captures.is_empty() && self.desk.is_slow(id);
        let captures: Vec<Value> = order
            .captures
            .iter()
            .map(|capture| self.capture_json(capture, order, slow))
            .collect();
        let refunds: Vec<Value> = order
            .refunds
            .iter()
            .map(|refund| self.refund_json(refund, order))
            .collect();
        json!({
            "id": id,
            "intent": "CAPTURE",
            "status": order.status.name(),
            "create_time": book::time(order.created_s),
            "update_time": book::time(order.updated_s),
            "purchase_units": [{
                "reference_id": order.reference_id,
                "custom_id": order.custom_id,
                "invoice_id": order.invoice_id,
                "amount": self.amount(order.minor, &order.currency),
                "payments": {"captures": captures, "refunds": refunds},
            }],
            "links": [
                {"rel": "self", "method": "GET", "href": format!("{base}/v2/checkout/orders/{id}")},
                {"rel": "payer-action", "method": "GET", "href": format!("{base}/checkoutnow?token={id}")},
            ],
        })
    }

    fn capture_json(&self, capture: &Capture, order: &book::Order, slow: bool) -> Value {
        let status = if slow { "PENDING" } else { capture.status };
        json!({
            "id": capture.id,
            "status": status,
            "status_details": {"reason": if status == "PENDING" { "PENDING_REVIEW" } else { "" }},
            "amount": self.amount(order.minor, &order.currency),
            "custom_id": order.custom_id,
            "invoice_id": order.invoice_id,
            "final_capture": true,
            "supplementary_data": {"related_ids": {"order_id": order.id}},
        })
    }

    fn refund_json(&self, refund: &Refund, order: &book::Order) -> Value {
        json!({
            "id": refund.id,
            "status": "COMPLETED",
            "amount": self.amount(refund.minor, &order.currency),
            "custom_id": refund.custom_id,
            "invoice_id": refund.invoice_id,
        })
    }

    fn announce(self: &Arc<PayPal>, name: &str, resource: &Value, base: &str) {
        let number = self.desk.number();
        let event = json!({
            "id": format!("WH-{number:017}"),
            "event_version": "1.0",
            "create_time": book::time(self.desk.now_s()),
            "resource_type": name.split('.').nth(1).unwrap_or_default().to_lowercase(),
            "event_type": name,
            "resource": resource,
        });
        let body = event.to_string().into_bytes();
        let kind = self.inner.lock().certificate;
        let id = format!("{number:08x}-d67a-11e5-baa3-778b53f4ae55");
        let time = book::time(self.desk.now_s());
        let mut signature = self.identity.sign(kind, &id, &time, WEBHOOK_ID, &body);
        if self.desk.wrong().tamper {
            signature = tampered(&signature);
        }
        let host = if kind == Certificate::OtherHost {
            "http://127.0.0.1:9"
        } else {
            base
        };
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        self.desk.send(&Callback {
            path: "/webhook".to_owned(),
            method: "POST",
            headers: vec![
                header("content-type", "application/json"),
                header("paypal-transmission-id", &id),
                header("paypal-transmission-time", &time),
                header("paypal-transmission-sig", &signature),
                header("paypal-auth-algo", "SHA256withRSA"),
                header(
                    "paypal-cert-url",
                    &format!("{host}/v1/notifications/certs/{}", kind.name()),
                ),
            ],
            body,
        });
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        let token = format!("Bearer A21AA{}", self.inner.lock().token);
        headers
            .get(header::AUTHORIZATION)
            .is_some_and(|value| value.as_bytes() == token.as_bytes())
    }

    /// An answer that was given before to the same request id, or the issue that this call is refused with.
    fn early(&self, headers: &HeaderMap, path: &str) -> Result<String, Box<Response>> {
        if !self.is_known(headers) {
            let body =
                json!({"error": "invalid_token", "error_description": "Token signature verification failed"});
            return Err(Box::new((StatusCode::UNAUTHORIZED, Json(body)).into_response()));
        }
        let request_id = text_header(headers, "paypal-request-id");
        let mut inner = self.inner.lock();
        if let Some((_, body)) = inner.answered.get(&(path.to_owned(), request_id.clone())) {
            return Err(Box::new((StatusCode::OK, Json(body.clone())).into_response()));
        }
        let mock: Value =
            serde_json::from_str(&text_header(headers, "paypal-mock-response")).unwrap_or(Value::Null);
        let issue = mock["mock_application_codes"].as_str().map(str::to_owned);
        let issue = issue.or_else(|| {
            if path.ends_with("orders") {
                None
            } else {
                inner.next_issue.take()
            }
        });
        match issue {
            Some(issue) => Err(Box::new(refusal(422, &issue))),
            None => Ok(request_id),
        }
    }

    fn remember(&self, path: &str, request_id: String, status: u16, body: &Value) -> Response {
        let key = (path.to_owned(), request_id);
        self.inner.lock().answered.insert(key, (status, body.clone()));
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        (status, Json(body.clone())).into_response()
    }

    fn outcome(&self, headers: &HeaderMap, minor: i64) -> Option<Outcome> {
        let magic = if (900_000..900_100).contains(&minor) {
            minor
        } else {
            0
        };
        self.desk.outcome(headers, magic, "")
    }
}

async fn token(State(paypal): Shared, headers: HeaderMap, body: Bytes) -> Response {
    paypal.desk.arrive().await;
    let credentials = base64(format!("{}:{}", CLIENT.0, CLIENT.1).as_bytes());
    let known = text_header(&headers, "authorization") == format!("Basic {credentials}");
    if !known || body.as_ref() != b"grant_type=client_credentials" {
        let body = json!({"error": "invalid_client", "error_description": "Client Authentication failed"});
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    }
    let inner = paypal.inner.lock();
    Json(json!({
        "scope": "https://uri.paypal.com/services/payments/payment",
        "access_token": format!("A21AA{}", inner.token),
        "token_type": "Bearer",
        "app_id": "APP-80W284485P519543T",
        "expires_in": inner.token_lives_s,
    }))
    .into_response()
}

async fn certificate(State(paypal): Shared, Path(name): Path<String>) -> Response {
    match Certificate::parse(&name) {
        Some(kind) => paypal.identity.chain_pem(kind).to_owned().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn create(State(paypal): Shared, headers: HeaderMap, body: Bytes) -> Response {
    paypal.desk.arrive().await;
    let path = "/v2/checkout/orders";
    let request_id = match paypal.early(&headers, path) {
        Ok(id) => id,
        Err(answer) => return *answer,
    };
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut order = match book::Order::read(&body, paypal.desk.number(), paypal.desk.now_s()) {
        Ok(order) => order,
        Err(issue) => return refusal(422, issue),
    };
    order.forced = paypal.outcome(&headers, order.minor);
    let id = order.id.clone();
    paypal.inner.lock().book.add(order);
    let answer = paypal.order_json(&id, &base(&headers));
    paypal.remember(path, request_id, 201, &answer)
}

async fn read(State(paypal): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    paypal.desk.arrive().await;
    if !paypal.is_known(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match paypal.order_json(&id, &base(&headers)) {
        Value::Null => refusal(404, "INVALID_RESOURCE_ID"),
        order => Json(order).into_response(),
    }
}

async fn read_capture(State(paypal): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    paypal.desk.arrive().await;
    if !paypal.is_known(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let inner = paypal.inner.lock();
    match inner.book.of_capture(&id) {
        Some((order, capture)) => Json(paypal.capture_json(capture, order, false)).into_response(),
        None => refusal(404, "INVALID_RESOURCE_ID"),
    }
}

async fn capture(State(paypal): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    paypal.desk.arrive().await;
    let path = format!("/v2/checkout/orders/{id}/capture");
    let request_id = match paypal.early(&headers, &path) {
        Ok(request_id) => request_id,
        Err(answer) => return *answer,
    };
    if paypal.desk.drops_before() {
        return dropped();
    }
    let base = base(&headers);
    let taken = {
        let mut inner = paypal.inner.lock();
        inner.book.touch();
        let number = paypal.desk.number();
        let now_s = paypal.desk.now_s();
        let Some(order) = inner.book.order_mut(&id) else {
            return refusal(404, "INVALID_RESOURCE_ID");
        };
        let outcome = order.forced.or(paypal.outcome(&headers, 0));
        match order.capture(outcome, number, now_s) {
            Ok(capture) if capture.taken => Some((
                capture,
                order.custom_id.clone(),
                order.minor,
                order.currency.clone(),
            )),
            Ok(_) => None,
            Err((status, issue)) => return refusal(status, issue),
        }
    };
    let hidden = if let Some((capture, custom, minor, currency)) = &taken {
        paypal.book(Direction::Payment, custom, &capture.id, *minor, currency);
        capture.hidden
    } else {
        false
    };
    let answer = paypal.order_json(&id, &base);
    let resource = answer["purchase_units"][0]["payments"]["captures"]
        .as_array()
        .and_then(|captures| captures.last().cloned())
        .unwrap_or_default();
    let name = match resource["status"].as_str() {
        Some("COMPLETED") => "PAYMENT.CAPTURE.COMPLETED",
        Some("DECLINED") => "PAYMENT.CAPTURE.DENIED",
        _ => "PAYMENT.CAPTURE.PENDING",
    };
    paypal.announce(name, &resource, &base);
    let response = paypal.remember(&path, request_id, 201, &answer);
    if paypal.desk.leave().await {
        return dropped();
    }
    if hidden {
        refusal(500, "INTERNAL_SERVER_ERROR")
    } else {
        response
    }
}

async fn refund(State(paypal): Shared, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    paypal.desk.arrive().await;
    let path = format!("/v2/payments/captures/{id}/refund");
    let request_id = match paypal.early(&headers, &path) {
        Ok(request_id) => request_id,
        Err(answer) => return *answer,
    };
    if paypal.desk.drops_before() {
        return dropped();
    }
    if paypal.desk.wrong().refuse_refunds {
        return refusal(422, "REFUND_TIME_LIMIT_EXCEEDED");
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (refund, custom, currency, answer) = {
        let mut inner = paypal.inner.lock();
        let number = paypal.desk.number();
        let Some(order) = inner.book.of_capture_mut(&id) else {
            return refusal(404, "INVALID_RESOURCE_ID");
        };
        let refund = match order.refund(&id, &body, number) {
            Ok(refund) => refund,
            Err(issue) => return refusal(422, issue),
        };
        let mut answer = paypal.refund_json(&refund, order);
        let up = format!("{}/v2/payments/captures/{id}", base(&headers));
        answer["links"] = json!([{"rel": "up", "href": up}]);
        (refund, order.custom_id.clone(), order.currency.clone(), answer)
    };
    paypal.book(Direction::Refund, &custom, &refund.id, refund.minor, &currency);
    paypal.announce("PAYMENT.CAPTURE.REFUNDED", &answer, &base(&headers));
    let response = paypal.remember(&path, request_id, 201, &answer);
    if paypal.desk.leave().await {
        dropped()
    } else {
        response
    }
}

async fn checkout(State(paypal): Shared, Query(query): Query<HashMap<String, String>>) -> Response {
    let token = query.get("token").cloned().unwrap_or_default();
    let inner = paypal.inner.lock();
    let Some(order) = inner.book.order(&token) else {
        return page::notice(StatusCode::NOT_FOUND, "There is no such order.");
    };
    let amount = format!(
        "{}.{:02} {}",
        order.minor / 100,
        order.minor % 100,
        order.currency
    );
    page::choice(&page::Choice {
        title: "PayPal",
        lines: &[
            ("To", &order.brand),
            ("Amount", &amount),
            ("Invoice", &order.invoice_id),
        ],
        action: "/checkoutnow",
        hidden: &[("token", &token)],
        buttons: &page::BUTTONS,
    })
}

async fn decide(
    State(paypal): Shared,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let (token, choice) = (field("token"), field("choice"));
    let found = {
        let mut inner = paypal.inner.lock();
        inner.book.order_mut(&token).map(|order| {
            order.declined_by_payer = choice == "decline";
            (order.forced, order.return_url.clone(), order.cancel_url.clone())
        })
    };
    let Some((forced, return_url, cancel_url)) = found else {
        return page::notice(StatusCode::NOT_FOUND, "There is no such order.");
    };
    let outcome = forced.or(paypal.outcome(&headers, 0));
    if choice == "cancel" || matches!(outcome, Some(Outcome::Cancel)) {
        return page::go(&book::joined(&cancel_url, &[("token", &token)]));
    }
    if !matches!(outcome, Some(Outcome::Expire)) {
        paypal.approve(&token, &base(&headers));
    }
    page::go(&book::joined(
        &return_url,
        &[("token", &token), ("PayerID", "QYR5Z8XDVJNXQ")],
    ))
}

async fn report(State(paypal): Shared) -> Response {
    (
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8")],
        paypal.settlement_report(),
    )
        .into_response()
}

fn refusal(status: u16, issue: &str) -> Response {
    let name = match status {
        404 => "RESOURCE_NOT_FOUND",
        422 => "UNPROCESSABLE_ENTITY",
        _ => issue,
    };
    let details = if status == 422 {
        json!([{"issue": issue, "description": issue}])
    } else {
        json!([])
    };
    let body = json!({"name": name, "details": details, "debug_id": "b1d1f06c7246c"});
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

fn base(headers: &HeaderMap) -> String {
    format!("http://{}", text_header(headers, "host"))
}

fn text_header(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}
