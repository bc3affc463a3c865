//! Orders of the PayPal sandbox, and the settlement report.

use crate::rails::desk::{Direction, Movement};
use crate::rails::misbehaviour::Outcome;
use serde_json::Value;
use std::collections::HashMap;

/// All orders.
#[derive(Default)]
pub(super) struct Book {
    orders: HashMap<String, Order>,
    changes: i64,
}

/// Where an order stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Created,
    Approved,
    Completed,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Created => "PAYER_ACTION_REQUIRED",
            Status::Approved => "APPROVED",
            Status::Completed => "COMPLETED",
        }
    }
}

pub(super) struct Order {
    pub id: String,
    pub reference_id: String,
    pub custom_id: String,
    pub invoice_id: String,
    pub brand: String,
    pub minor: i64,
    pub currency: String,
    pub return_url: String,
    pub cancel_url: String,
    pub status: Status,
    pub declined_by_payer: bool,
    /// Chosen when it was made, whatever comes later.
    pub forced: Option<Outcome>,
    pub created_s: i64,
    pub updated_s: i64,
    pub captures: Vec<Capture>,
    pub refunds: Vec<Refund>,
}

#[derive(Clone)]
pub(super) struct Capture {
    pub id: String,
    pub status: &'static str,
    pub taken: bool,
    pub hidden: bool,
}

#[derive(Clone)]
pub(super) struct Refund {
    pub id: String,
    pub minor: i64,
    pub custom_id: String,
    pub invoice_id: String,
}

impl Book {
    pub fn add(&mut self, order: Order) {
        self.orders.insert(order.id.clone(), order);
    }

    pub fn order(&self, id: &str) -> Option<&Order> {
        self.orders.get(id)
    }

    /// The next change gets another time, so that the same second is not the same change.
    pub fn touch(&mut self) {
        self.changes += 1;
    }

    pub fn order_mut(&mut self, id: &str) -> Option<&mut Order> {
        let changes = self.changes;
        let order = self.orders.get_mut(id)?;
        order.updated_s = order.created_s + changes;
        Some(order)
    }

    pub fn of_custom_mut(&mut self, custom_id: &str) -> Option<&mut Order> {
        self.orders
            .values_mut()
            .find(|order| order.custom_id == custom_id)
    }

    pub fn of_capture(&self, id: &str) -> Option<(&Order, &Capture)> {
        self.orders.values().find_map(|order| {
            let capture = order.captures.iter().find(|capture| capture.id == id)?;
            Some((order, capture))
        })
    }

    pub fn of_capture_mut(&mut self, id: &str) -> Option<&mut Order> {
        self.orders
            .values_mut()
            .find(|order| order.captures.iter().any(|capture| capture.id == id))
    }
}

impl Order {
    /// Reads a create request; the issue when it is wrong.
    pub fn read(body: &Value, number: u64, now_s: i64) -> Result<Order, &'static str> {
        let unit = &body["purchase_units"][0];
        let context = &body["payment_source"]["paypal"]["experience_context"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let currency = text(&unit["amount"]["currency_code"]);
        if !matches!(currency.as_str(), "USD" | "EUR" | "GBP") {
            return Err("CURRENCY_NOT_SUPPORTED");
        }
        let minor = minor_of(&text(&unit["amount"]["value"])).ok_or("DECIMAL_PRECISION")?;
        let order = Order {
            id: format!("5O{number:014}T"),
            reference_id: text(&unit["reference_id"]),
            custom_id: text(&unit["custom_id"]),
            invoice_id: text(&unit["invoice_id"]),
            brand: text(&context["brand_name"]),
            minor,
            currency,
            return_url: text(&context["return_url"]),
            cancel_url: text(&context["cancel_url"]),
            status: Status::Created,
            declined_by_payer: false,
            forced: None,
            created_s: now_s,
            updated_s: now_s,
            captures: Vec::new(),
            refunds: Vec::new(),
        };
        if body["intent"] != "CAPTURE" || order.return_url.is_empty() || order.custom_id.is_empty() {
            return Err("MISSING_REQUIRED_PARAMETER");
        }
        Ok(order)
    }

    /// Takes the money, or says why not.
    pub fn capture(
        &mut self,
        outcome: Option<Outcome>,
        number: u64,
        _now_s: i64,
    ) -> Result<Capture, (u16, &'static str)> {
        match self.status {
            Status::Created => return Err((422, "ORDER_NOT_APPROVED")),
            Status::Completed => return Err((422, "ORDER_ALREADY_CAPTURED")),
            Status::Approved => {}
        }
        let refused = match outcome {
            Some(Outcome::Funds) => Some((422, "PAYER_CANNOT_PAY")),
            Some(Outcome::Payer) => Some((422, "PAYER_ACCOUNT_RESTRICTED")),
            Some(Outcome::Limit) => Some((422, "TRANSACTION_LIMIT_EXCEEDED")),
            Some(Outcome::Decline) => Some((422, "TRANSACTION_REFUSED")),
            Some(Outcome::Cooling) => Some((422, "COMPLIANCE_VIOLATION")),
            Some(Outcome::Setup) => Some((422, "PAYEE_ACCOUNT_RESTRICTED")),
            Some(Outcome::Down) => Some((503, "SERVICE_UNAVAILABLE")),
            _ if self.declined_by_payer => Some((422, "TRANSACTION_REFUSED")),
            _ => None,
        };
        if let Some(refused) = refused {
            return Err(refused);
        }
        let unknown = outcome == Some(Outcome::Unknown);
        let capture = Capture {
            id: format!("3C{number:014}L"),
            status: if unknown { "PENDING" } else { "COMPLETED" },
            taken: !unknown,
            hidden: outcome == Some(Outcome::Hidden),
        };
        self.status = Status::Completed;
        self.captures.push(capture.clone());
        Ok(capture)
    }

    /// Decides the capture that is under review; it, when there was one.
    pub fn settle(&mut self, takes_money: bool) -> Option<Capture> {
        let capture = self
            .captures
            .iter_mut()
            .find(|capture| capture.status == "PENDING")?;
        capture.status = if takes_money { "COMPLETED" } else { "DECLINED" };
        capture.taken = takes_money;
        Some(capture.clone())
    }

    /// Gives money back, or names the issue.
    pub fn refund(&mut self, capture: &str, body: &Value, number: u64) -> Result<Refund, &'static str> {
        if body["amount"]["currency_code"] != self.currency.as_str() {
            return Err("REFUND_CAPTURE_CURRENCY_MISMATCH");
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let minor = minor_of(&text(&body["amount"]["value"])).ok_or("DECIMAL_PRECISION")?;
        let given: i64 = self.refunds.iter().map(|refund| refund.minor).sum();
        if given == self.minor {
            return Err("CAPTURE_FULLY_REFUNDED");
        }
        if given + minor > self.minor {
            return Err("REFUND_AMOUNT_EXCEEDED");
        }
        let refund = Refund {
            id: format!("1R{number:014}K"),
            minor,
            custom_id: text(&body["custom_id"]),
            invoice_id: text(&body["invoice_id"]),
        };
        self.refunds.push(refund.clone());
        let all = given + minor == self.minor;
        if let Some(capture) = self.captures.iter_mut().find(|known| known.id == capture) {
            capture.status = if all { "REFUNDED" } else { "PARTIALLY_REFUNDED" };
        }
        Ok(refund)
    }
}

/// The settlement report of what moved (CSV, amounts in minor units).
pub(super) fn report(movements: &[Movement]) -> String {
    let mut lines = vec![
        "\"RH\",2026/11/23 04:00:00 -0800,\"A\",\"SANDBOX\",011".to_owned(),
        "\"FH\",01".to_owned(),
        "\"SH\",,,\"SANDBOX\",\"\"".to_owned(),
        "\"CH\",\"Transaction ID\",\"Invoice ID\",\"PayPal Reference ID\",\"PayPal Reference ID Type\",\
         \"Transaction Event Code\",\"Transaction Initiation Date\",\"Transaction Completion Date\",\
         \"Transaction Debit or Credit\",\"Gross Transaction Amount\",\"Gross Transaction Currency\",\"Fee Debit or Credit\",\
         \"Fee Amount\",\"Fee Currency\",\"Custom Field\",\"Consumer ID\""
            .to_owned(),
    ];
    for movement in movements {
        let (code, direction) = match movement.direction {
            Direction::Payment => ("T0006", "CR"),
            Direction::Refund => ("T1107", "DR"),
            Direction::Chargeback => ("T1106", "DR"),
        };
        let at = time(movement.at_s)
            .replace('-', "/")
            .replace('T', " ")
            .replace('Z', " +0000");
        let fee = match movement.direction {
            // 4.4 % and 30 cents, of what a payment brings.
            Direction::Payment => format!("DR,{},{}", movement.minor * 44 / 1000 + 30, movement.currency),
            _ => ",,".to_owned(),
        };
        lines.push(format!(
            "\"SB\",\"{}\",\"{}\",\"\",\"\",{code},{at},{at},{direction},{},{},{fee},\"{}\",\"\"",
            movement.reference, movement.order, movement.minor, movement.currency, movement.order
        ));
    }
    let count = movements.len();
    lines.push(format!(
        "\"SF\",\"USD\"\n\"SC\",{count}\n\"RF\",\"USD\"\n\"RC\",{count}\n\"FF\",01\n"
    ));
    lines.join("\n")
}

/// Cents of a decimal with exactly two places.
fn minor_of(text: &str) -> Option<i64> {
    let (whole, cents) = text.split_once('.')?;
    if cents.len() != 2 || whole.is_empty() || whole.len() > 7 {
        return None;
    }
    let minor: i64 = format!("{whole}{cents}").parse().ok()?;
    (minor > 0).then_some(minor)
}

/// `2026-11-22T02:44:47Z`.
pub(super) fn time(seconds: i64) -> String {
    let (year, month, day) = charge::time::civil_from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// An address with more in its query.
pub(super) fn joined(url: &str, fields: &[(&str, &str)]) -> String {
    let fields: Vec<(String, String)> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{}", crate::rails::browser::form_encode(&fields))
}
