//! A sandbox of PreTUPS, an operator's recharge core, behind its XML gateway EXTGW (reference payments 2.8).
//!
//! It keeps the format's habits: the log-in in the query, the PIN in the message, one flat element of capital names, dates of
//! the local clock. Status codes beyond 200 are ours: 206 refused, 250 under process, 1005 a reference that was used before,
//! 1006 a reference that was never heard of, 7001 wrong credentials. It shares no code with the client.

use super::desk::{Desk, Direction, Movement, Served, dropped, serve};
use super::misbehaviour::Outcome;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

type Fields = BTreeMap<String, String>;

/// A retailer that the sandbox knows.
#[derive(Clone)]
pub struct Account {
    /// LOGIN of the query.
    pub login: String,
    /// PASSWORD of the query.
    pub password: String,
    /// REQUEST_GATEWAY_CODE.
    pub gateway: String,
    /// EXTNWCODE.
    pub network: String,
    /// MSISDN of the retailer.
    pub retailer: String,
    /// Its PIN.
    pub pin: String,
    /// Its stock, paisa.
    pub stock: i64,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            login: "raseed-login".to_owned(),
            password: "pretups-password".to_owned(),
            gateway: "RASEED".to_owned(),
            network: "UF".to_owned(),
            retailer: "3331234567".to_owned(),
            pin: "2468".to_owned(),
            stock: 100_000_000,
        }
    }
}

/// A sale as the core has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sold {
    /// EXTREFNUM.
    pub reference: String,
    /// TXNID.
    pub transaction: String,
    /// MSISDN2.
    pub subscriber: String,
    /// Paisa.
    pub minor: i64,
    /// `None`: under process.
    pub credited: Option<bool>,
}

/// The sandbox.
pub struct Pretups {
    /// Orders to misbehave, and the book: a credit is a payment, a reversal a refund.
    pub desk: Arc<Desk>,
    account: Account,
    sold: Mutex<Vec<Sold>>,
}

impl Pretups {
    /// A sandbox for one retailer.
    pub fn new(account: Account) -> Arc<Pretups> {
        Arc::new(Pretups {
            desk: Desk::new(),
            account,
            sold: Mutex::default(),
        })
    }

    /// Serves it on loopback; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn serve(self: &Arc<Pretups>, port: u16) -> std::io::Result<Served> {
        let router = Router::new()
            .route("/pretups/C2SReceiver", post(receive))
            .with_state(Arc::clone(self));
        serve(router, port).await
    }

    /// Every sale, in order.
    pub fn sales(&self) -> Vec<Sold> {
        self.sold.lock().clone()
    }

    /// Decides a sale that is under process.
    pub fn settle(&self, reference: &str, credited: bool) {
        let mut sold = self.sold.lock();
        let open = sold
            .iter_mut()
            .find(|sale| sale.reference == reference && sale.credited.is_none());
        if let Some(sale) = open {
            sale.credited = Some(credited);
            if credited {
                self.book(Direction::Payment, sale);
            }
        }
    }

    /// Stock, in paisa: what there was, less what was credited and not taken back.
    pub fn stock(&self) -> i64 {
        let moved = self.desk.movements();
        let spent: i64 = moved
            .iter()
            .map(|movement| match movement.direction {
                Direction::Payment => movement.minor,
                Direction::Refund | Direction::Chargeback => -movement.minor,
            })
            .sum();
        self.account.stock - spent
    }

    fn book(&self, direction: Direction, sale: &Sold) {
        self.desk.book(Movement {
            direction,
            order: sale.reference.clone(),
            reference: sale.transaction.clone(),
            minor: sale.minor,
            currency: "PKR".to_owned(),
            at_s: self.desk.now_s(),
        });
    }

    fn knows(&self, query: &Fields, asked: &Fields) -> bool {
        let account = &self.account;
        let is =
            |fields: &Fields, name: &str, value: &str| fields.get(name).is_some_and(|text| text == value);
        is(query, "LOGIN", &account.login)
            && is(query, "PASSWORD", &account.password)
            && is(query, "REQUEST_GATEWAY_CODE", &account.gateway)
            && is(query, "REQUEST_GATEWAY_TYPE", "EXTGW")
            && is(asked, "EXTNWCODE", &account.network)
            && is(asked, "MSISDN", &account.retailer)
            && is(asked, "PIN", &account.pin)
    }

    /// An answer about a reference; a lie, when it is told to, is about another one.
    fn answer(&self, kind: &str, status: &str, reference: &str, more: &[(&str, &str)]) -> Response {
        let reference = match self.desk.wrong().tamper {
            true => super::misbehaviour::tampered(reference),
            false => reference.to_owned(),
        };
        let date = super::jazzcash::pkt(self.desk.now_s(), "%d/%m/%Y %H:%M:%S");
        let mut text = format!(
            "<?xml version=\"1.0\"?>\n<COMMAND><TYPE>{kind}</TYPE><TXNSTATUS>{status}</TXNSTATUS><DATE>{date}</DATE>\
             <EXTREFNUM>{reference}</EXTREFNUM>"
        );
        for (name, value) in more {
            text += &format!("<{name}>{value}</{name}>");
        }
        text += "<MESSAGE>Sandbox, nothing was credited anywhere</MESSAGE></COMMAND>";
        ([(header::CONTENT_TYPE, "text/xml")], text).into_response()
    }

    fn told(&self, kind: &str, sale: &Sold) -> Response {
        let status = match sale.credited {
            Some(true) => "200",
            Some(false) => "206",
            None => "250",
        };
        self.answer(kind, status, &sale.reference, &[("TXNID", &sale.transaction)])
    }
}

async fn receive(State(pretups): State<Arc<Pretups>>, Query(query): Query<Fields>, body: Bytes) -> Response {
    pretups.desk.arrive().await;
    let Some(asked) = fields(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let get = |name: &str| asked.get(name).map_or("", String::as_str);
    let kind = match get("TYPE") {
        "EXRCTRFREQ" => "EXRCTRFRESP",
        "EXRCSTATREQ" => "EXRCSTATRESP",
        "EXUSRBALREQ" => "EXUSRBALRESP",
        "RCREVREQ" => "RCREVRESP",
        _ => return StatusCode::BAD_REQUEST.into_response(),
    };
    if !pretups.knows(&query, &asked) {
        return pretups.answer(kind, "7001", get("EXTREFNUM"), &[]);
    }
    match kind {
        "EXRCTRFRESP" => transfer(&pretups, kind, &asked).await,
        "EXRCSTATRESP" => {
            let reference = get("EXTREFNUM");
            let sale = pretups
                .sales()
                .into_iter()
                .find(|sale| sale.reference == reference);
            match sale {
                None => pretups.answer(kind, "1006", reference, &[]),
                Some(_) if pretups.desk.is_slow(reference) => pretups.answer(kind, "250", reference, &[]),
                Some(sale) => pretups.told(kind, &sale),
            }
        }
        "EXUSRBALRESP" => {
            let stock = pretups.stock();
            let balance = format!("{}.{:02}", stock / 100, stock % 100);
            pretups.answer(kind, "200", get("EXTREFNUM"), &[("BALANCE", &balance)])
        }
        _ => take_back(&pretups, kind, &asked).await,
    }
}

async fn transfer(pretups: &Arc<Pretups>, kind: &str, asked: &Fields) -> Response {
    if pretups.desk.drops_before() {
        return dropped();
    }
    let get = |name: &str| asked.get(name).map_or("", String::as_str);
    let reference = get("EXTREFNUM");
    let minor = get("AMOUNT")
        .replace('.', "")
        .parse::<i64>()
        .ok()
        .filter(|minor| *minor > 0);
    let (Some(minor), false) = (minor, reference.is_empty() || get("MSISDN2").is_empty()) else {
        return pretups.answer(kind, "206", reference, &[]);
    };
    let outcome = pretups
        .desk
        .outcome(&axum::http::HeaderMap::new(), minor, get("MSISDN2"))
        .unwrap_or(Outcome::Approve);
    let number = pretups.desk.number();
    let sale = {
        let mut sold = pretups.sold.lock();
        if sold.iter().any(|sale| sale.reference == reference) {
            return pretups.answer(kind, "1005", reference, &[]);
        }
        let credited = match outcome {
            Outcome::Approve | Outcome::Hidden => Some(minor <= pretups.stock()),
            Outcome::Unknown => None,
            _ => Some(false),
        };
        let sale = Sold {
            reference: reference.to_owned(),
            transaction: format!("R{:06}.{:04}.{:04}", 261_122, number / 10_000, number % 10_000),
            subscriber: get("MSISDN2").to_owned(),
            minor,
            credited,
        };
        sold.push(sale.clone());
        sale
    };
    if sale.credited == Some(true) {
        pretups.book(Direction::Payment, &sale);
    }
    if pretups.desk.leave().await {
        return dropped();
    }
    match outcome {
        // It was credited, and the gateway does not say so.
        Outcome::Hidden => pretups.answer(kind, "250", reference, &[("TXNID", &sale.transaction)]),
        _ => pretups.told(kind, &sale),
    }
}

async fn take_back(pretups: &Arc<Pretups>, kind: &str, asked: &Fields) -> Response {
    if pretups.desk.drops_before() {
        return dropped();
    }
    let get = |name: &str| asked.get(name).map_or("", String::as_str);
    let (reference, transaction) = (get("EXTREFNUM"), get("TXNID"));
    let sale = pretups
        .sales()
        .into_iter()
        .find(|sale| sale.transaction == transaction && sale.credited == Some(true));
    let Some(sale) = sale.filter(|_| !pretups.desk.wrong().refuse_refunds) else {
        return pretups.answer(kind, "206", reference, &[]);
    };
    if pretups.desk.count(&sale.reference, Direction::Refund) == 0 {
        pretups.book(Direction::Refund, &sale);
    }
    if pretups.desk.leave().await {
        return dropped();
    }
    pretups.answer(kind, "200", reference, &[("TXNID", transaction)])
}

/// The fields of a message; `None` when it is no `COMMAND`.
fn fields(body: &[u8]) -> Option<Fields> {
    let text = std::str::from_utf8(body).ok()?;
    let inner = text.split_once("<COMMAND>")?.1.split_once("</COMMAND>")?.0;
    let mut out = Fields::new();
    let mut rest = inner;
    while let Some((_, after)) = rest.split_once('<') {
        let (name, after) = after.split_once('>')?;
        if let Some(empty) = name.strip_suffix('/') {
            out.insert(empty.to_owned(), String::new());
            rest = after;
            continue;
        }
        let (value, after) = after.split_once(&format!("</{name}>"))?;
        let plain = [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&apos;", "'"),
            ("&amp;", "&"),
        ];
        let value = plain
            .iter()
            .fold(value.to_owned(), |text, (from, to)| text.replace(from, to));
        out.insert(name.to_owned(), value);
        rest = after;
    }
    Some(out)
}
