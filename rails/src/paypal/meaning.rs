//! What PayPal's statuses and issues mean. Unknown ones mean that nothing is known.

use crate::rail::{Order, RailError};
use charge::Money;
use charge::payment::{Currency, FailureClass, PaymentId, Price, Statement};
use serde_json::Value;

/// Where an order stands at PayPal.
pub(super) struct Standing {
    pub order_id: String,
    status: String,
    /// Digits of the last change: the same for the same approval.
    pub approval: String,
    captures: Vec<Movement>,
    pub refunds: Vec<Movement>,
}

/// A capture or a refund.
pub(super) struct Movement {
    id: String,
    status: String,
    reason: String,
    custom: String,
    amount: Option<Price>,
}

impl Standing {
    /// Reads an order. An order of another payment is not believed.
    pub fn read(body: &Value, order: &Order) -> Result<Standing, RailError> {
        let order_id = text(&body["id"]);
        let unit = &body["purchase_units"][0];
        if order_id.is_empty() || (!order.presented.is_empty() && order.presented != order_id) {
            return Err(RailError::NotGenuine("the answer is about another order"));
        }
        let named = ["custom_id", "invoice_id", "reference_id"]
            .iter()
            .map(|name| unit[*name].as_str())
            .chain([unit["payments"]["captures"][0]["custom_id"].as_str()])
            .flatten()
            .map(PaymentId::parse)
            .collect::<Vec<_>>();
        if named.is_empty() || named.iter().any(|id| *id != Some(order.id)) {
            return Err(RailError::NotGenuine("the answer is about another payment"));
        }
        let approval = text(&body["update_time"]);
        Ok(Standing {
            order_id,
            status: text(&body["status"]),
            approval: approval
                .bytes()
                .filter(u8::is_ascii_digit)
                .take(20)
                .map(char::from)
                .collect(),
            captures: movements(&unit["payments"]["captures"]),
            // What somebody gave back by hand at PayPal is not our refund.
            refunds: movements(&unit["payments"]["refunds"])
                .into_iter()
                .filter(|refund| refund.custom == order.id.to_string())
                .collect(),
        })
    }

    /// The payer still has to act.
    pub fn is_payable(&self) -> bool {
        self.captures.is_empty()
            && matches!(
                self.status.as_str(),
                "CREATED" | "SAVED" | "PAYER_ACTION_REQUIRED"
            )
    }

    /// We have to act.
    pub fn is_approved(&self) -> bool {
        self.status == "APPROVED"
            && !self
                .captures
                .iter()
                .any(|capture| capture.status != "DECLINED" && capture.status != "FAILED")
    }

    /// What it means; `over`: the order can no longer be paid, because we do not capture it any more.
    pub fn statement(&self, over: bool) -> Statement {
        // Declined attempts stay in the list beside the one that went through.
        let rank = |capture: &&Movement| match capture.status.as_str() {
            "COMPLETED" => 5,
            "PARTIALLY_REFUNDED" => 4,
            "REFUNDED" => 3,
            "DECLINED" | "FAILED" => 1,
            _ => 2,
        };
        let best = self.captures.iter().max_by_key(rank);
        if let Some(capture) = best.filter(|best| self.status == "COMPLETED" || rank(best) > 1) {
            return of_capture(capture);
        }
        match self.status.as_str() {
            "VOIDED" => Statement::Expired,
            "CREATED" | "SAVED" | "APPROVED" | "PAYER_ACTION_REQUIRED" if over => Statement::Expired,
            "CREATED" | "SAVED" | "PAYER_ACTION_REQUIRED" => Statement::AwaitingCustomer,
            other => pending(other),
        }
    }
}

fn of_capture(capture: &Movement) -> Statement {
    match (capture.status.as_str(), capture.amount) {
        ("COMPLETED" | "PARTIALLY_REFUNDED", Some(paid)) => Statement::Succeeded {
            paid,
            reference: capture.id.clone(),
        },
        ("REFUNDED", _) => Statement::Refunded {
            reference: capture.id.clone(),
        },
        ("DECLINED" | "FAILED", _) => Statement::Failed {
            class: FailureClass::Declined,
            code: if capture.reason.is_empty() {
                capture.status.clone()
            } else {
                capture.reason.clone()
            },
        },
        ("PENDING", _) if !capture.reason.is_empty() => pending(&capture.reason),
        (status, _) => pending(status),
    }
}

/// What a webhook about a capture says.
pub(super) fn of_capture_event(resource: &Value) -> Statement {
    of_capture(&movement(resource))
}

/// What a refusal of a create, read or capture means.
pub(super) fn of_refusal(status: u16, body: &Value) -> Statement {
    let issue = issue(body).unwrap_or_default();
    let failed = |class| Statement::Failed {
        class,
        code: short(issue),
    };
    match issue {
        // The payer goes back and chooses again: the order lives on.
        "INSTRUMENT_DECLINED" | "PAYER_ACTION_REQUIRED" | "ORDER_NOT_APPROVED" => Statement::AwaitingCustomer,
        "PAYER_CANNOT_PAY"
        | "PAYER_ACCOUNT_RESTRICTED"
        | "PAYER_ACCOUNT_LOCKED_OR_CLOSED"
        | "PAYER_COUNTRY_NOT_SUPPORTED" => failed(FailureClass::Payer),
        "TRANSACTION_REFUSED"
        | "TRANSACTION_BLOCKED_BY_PAYEE"
        | "PAYEE_BLOCKED_TRANSACTION"
        | "COMPLIANCE_VIOLATION" => failed(FailureClass::Declined),
        "TRANSACTION_LIMIT_EXCEEDED" | "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED" => {
            failed(FailureClass::Limit)
        }
        "PAYEE_FX_RATE_ID_EXPIRED"
        | "PAYEE_ACCOUNT_RESTRICTED"
        | "PAYEE_ACCOUNT_LOCKED_OR_CLOSED"
        | "PAYEE_ACCOUNT_INVALID"
        | "CURRENCY_NOT_SUPPORTED"
        | "PERMISSION_DENIED" => failed(FailureClass::Configuration),
        // ORDER_ALREADY_CAPTURED, ORDER_COMPLETION_IN_PROGRESS; DUPLICATE_INVOICE_ID: another order with our invoice id may
        // have been paid; and whatever PayPal adds one day.
        "" => pending(&format!("HTTP {status}")),
        other => pending(other),
    }
}

/// What a refund's own statement means.
pub(super) fn of_refund(body: &Value) -> Statement {
    let refund = movement(body);
    match refund.status.as_str() {
        "COMPLETED" if !refund.id.is_empty() => Statement::Refunded { reference: refund.id },
        "FAILED" | "CANCELLED" => Statement::RefundRefused {
            code: if refund.reason.is_empty() {
                refund.status
            } else {
                refund.reason
            },
        },
        other => pending(other),
    }
}

/// What the refunds that an order already has mean: done, under way, or none that counts.
pub(super) fn of_refunds(refunds: &[Movement]) -> Option<Statement> {
    let with = |status: &str| refunds.iter().find(|refund| refund.status == status);
    if let Some(done) = with("COMPLETED") {
        return Some(Statement::Refunded {
            reference: done.id.clone(),
        });
    }
    refunds
        .iter()
        .find(|refund| !matches!(refund.status.as_str(), "FAILED" | "CANCELLED"))
        .map(|refund| pending(&refund.status))
}

/// What a refusal to refund means. Money that is somewhere in between is pending.
pub(super) fn of_refund_refusal(status: u16, body: &Value) -> Statement {
    let issue = issue(body).unwrap_or_default();
    match issue {
        "REFUND_TIME_LIMIT_EXCEEDED"
        | "REFUND_NOT_ALLOWED"
        | "REFUND_AMOUNT_EXCEEDED"
        | "REFUND_CAPTURE_CURRENCY_MISMATCH"
        | "REFUND_FAILED_INSUFFICIENT_FUNDS"
        | "PARTIAL_REFUND_NOT_ALLOWED"
        | "TRANSACTION_DISPUTED"
        | "REFUND_IS_RESTRICTED"
        | "PAYEE_ACCOUNT_RESTRICTED"
        | "PAYEE_ACCOUNT_LOCKED_OR_CLOSED"
        | "PERMISSION_DENIED" => Statement::RefundRefused { code: short(issue) },
        "" => pending(&format!("HTTP {status}")),
        other => pending(other),
    }
}

/// Nothing is known; the code is for people.
pub(super) fn pending(code: &str) -> Statement {
    Statement::Pending { code: short(code) }
}

/// The first issue of an error, or its name.
pub(super) fn issue(body: &Value) -> Option<&str> {
    body["details"][0]["issue"]
        .as_str()
        .or_else(|| body["name"].as_str())
}

/// Our payment that a capture, refund or order names.
pub(super) fn payment_of(resource: &Value) -> Option<PaymentId> {
    [
        &resource["custom_id"],
        &resource["purchase_units"][0]["custom_id"],
        &resource["invoice_id"],
    ]
    .into_iter()
    .find_map(Value::as_str)
    .and_then(PaymentId::parse)
}

/// The first link with one of these relations, in their order.
pub(super) fn link(body: &Value, relations: &[&str]) -> Option<String> {
    let links = body["links"].as_array()?;
    relations.iter().find_map(|relation| {
        let link = links.iter().find(|link| link["rel"] == *relation)?;
        Some(link["href"].as_str()?.to_owned())
    })
}

fn movements(list: &Value) -> Vec<Movement> {
    list.as_array()
        .map(|list| {
            list.iter()
                .take(crate::limits::FIELDS_MAX)
                .map(movement)
                .collect()
        })
        .unwrap_or_default()
}

fn movement(value: &Value) -> Movement {
    Movement {
        id: text(&value["id"]),
        status: text(&value["status"]),
        reason: text(&value["status_details"]["reason"]),
        custom: text(&value["custom_id"]),
        amount: price(&value["amount"]),
    }
}

/// An amount as PayPal writes it: `{"currency_code": "USD", "value": "3.65"}`.
fn price(value: &Value) -> Option<Price> {
    let amount = Money::parse(value["value"].as_str()?).ok()?;
    let currency = Currency::parse(value["currency_code"].as_str()?)?;
    amount.is_positive().then_some(Price { amount, currency })
}

fn text(value: &Value) -> String {
    short(value.as_str().unwrap_or_default())
}

fn short(text: &str) -> String {
    text.chars().take(charge::payment::RAIL_TEXT_MAX).collect()
}
