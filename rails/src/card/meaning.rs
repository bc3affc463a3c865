//! What sessions, refunds, events and decline codes mean. Unknown ones mean that nothing is known.

use crate::money::of_minor;
use crate::rail::{Order, RailError, Told};
use charge::payment::{Currency, FailureClass, PaymentId, Price, Statement};
use serde_json::Value;

/// A checkout session.
pub(super) struct Session {
    pub id: String,
    pub url: Option<String>,
    status: String,
    paid: bool,
    price: Option<Price>,
    intent: Intent,
}

/// The payment behind a session.
#[derive(Default)]
struct Intent {
    id: String,
    status: String,
    code: String,
    refunded: bool,
    disputed: bool,
}

impl Session {
    /// Reads a session. One of another payment is not believed.
    pub fn read(body: &Value, order: &Order) -> Result<Session, RailError> {
        let session = Session::of(body);
        if session.id.is_empty() || (!order.presented.is_empty() && order.presented != session.id) {
            return Err(RailError::NotGenuine("the answer is about another session"));
        }
        if payment_of(body) != Some(order.id) {
            return Err(RailError::NotGenuine("the answer is about another payment"));
        }
        Ok(session)
    }

    fn of(body: &Value) -> Session {
        let currency = body["currency"].as_str().map(str::to_ascii_uppercase);
        let amount = body["amount_total"].as_i64().and_then(of_minor);
        let currency = currency.as_deref().and_then(Currency::parse);
        Session {
            id: text(&body["id"]),
            url: body["url"].as_str().map(str::to_owned),
            status: text(&body["status"]),
            paid: body["payment_status"] == "paid",
            price: amount
                .zip(currency)
                .map(|(amount, currency)| Price { amount, currency }),
            intent: Intent::of(&body["payment_intent"]),
        }
    }

    /// The payer can still pay.
    pub fn is_open(&self) -> bool {
        self.status == "open" && !self.paid
    }

    pub fn statement(&self) -> Statement {
        let intent = &self.intent;
        if self.paid {
            return match self.price {
                _ if intent.disputed => Statement::Reversed {
                    code: "disputed".to_owned(),
                },
                _ if intent.refunded => Statement::Refunded {
                    reference: intent.id.clone(),
                },
                Some(paid) if !intent.id.is_empty() => Statement::Succeeded {
                    paid,
                    reference: intent.id.clone(),
                },
                _ => pending("paid"),
            };
        }
        match (self.status.as_str(), intent.status.as_str()) {
            ("open", _) => Statement::AwaitingCustomer,
            ("complete", "canceled") => Statement::Failed {
                class: class_of(&intent.code),
                code: if intent.code.is_empty() {
                    "canceled".to_owned()
                } else {
                    intent.code.clone()
                },
            },
            ("expired", _) => Statement::Expired,
            ("complete", other) => pending(if other.is_empty() { "processing" } else { other }),
            (other, _) => pending(other),
        }
    }
}

impl Intent {
    fn of(value: &Value) -> Intent {
        if let Some(id) = value.as_str() {
            return Intent {
                id: short(id),
                ..Intent::default()
            };
        }
        let error = &value["last_payment_error"];
        let code = [
            &error["decline_code"],
            &error["code"],
            &value["cancellation_reason"],
        ]
        .into_iter()
        .find_map(Value::as_str);
        Intent {
            id: text(&value["id"]),
            status: text(&value["status"]),
            code: short(code.unwrap_or_default()),
            refunded: value["latest_charge"]["refunded"] == true,
            disputed: value["latest_charge"]["disputed"] == true,
        }
    }
}

/// True for the name of a payment from a stored card, as against that of a session.
pub(super) fn is_intent(reference: &str) -> bool {
    reference.starts_with("pi_")
}

/// The name of what the PSP answered.
pub(super) fn id_of(body: &Value) -> String {
    text(&body["id"])
}

/// What a payment from a stored card has come to. One of another payment is not believed.
pub(super) fn of_intent(body: &Value, order: &Order) -> Result<Statement, RailError> {
    let intent = Intent::of(body);
    let other = !order.presented.is_empty() && order.presented != intent.id;
    if intent.id.is_empty() || other || payment_of(body) != Some(order.id) {
        return Err(RailError::NotGenuine("the answer is about another payment"));
    }
    let currency = body["currency"].as_str().map(str::to_ascii_uppercase);
    let currency = currency.as_deref().and_then(Currency::parse);
    let amount = body["amount_received"].as_i64().and_then(of_minor);
    let failed = |code: &str| Statement::Failed {
        class: class_of(code),
        code: code.to_owned(),
    };
    Ok(match intent.status.as_str() {
        _ if intent.disputed => Statement::Reversed {
            code: "disputed".to_owned(),
        },
        _ if intent.refunded => Statement::Refunded { reference: intent.id },
        "succeeded" => match amount.zip(currency) {
            Some((amount, currency)) => Statement::Succeeded {
                paid: Price { amount, currency },
                reference: intent.id,
            },
            None => pending("succeeded"),
        },
        // Nobody is there to answer the bank's question.
        "requires_action" => failed("authentication_required"),
        "requires_payment_method" | "canceled" if !intent.code.is_empty() => failed(&intent.code),
        "canceled" => failed("canceled"),
        other => pending(other),
    })
}

/// Why a card was refused. The failure is certain; the class is what the payer is told.
fn class_of(code: &str) -> FailureClass {
    match code {
        "insufficient_funds" => FailureClass::Funds,
        "card_velocity_exceeded" | "withdrawal_count_limit_exceeded" | "amount_too_large" => {
            FailureClass::Limit
        }
        "expired_card"
        | "incorrect_number"
        | "incorrect_cvc"
        | "invalid_cvc"
        | "incorrect_pin"
        | "incorrect_zip"
        | "authentication_required"
        | "payment_intent_authentication_failure"
        | "card_not_supported"
        | "currency_not_supported" => FailureClass::Payer,
        "requested_by_customer" | "abandoned" => FailureClass::Cancelled,
        "processing_error" | "try_again_later" | "issuer_not_available" | "reenter_transaction" => {
            FailureClass::Transient
        }
        "merchant_blacklist" | "invalid_account" | "service_not_allowed" | "account_closed" => {
            FailureClass::Configuration
        }
        _ => FailureClass::Declined,
    }
}

/// What a refusal of a call means.
pub(super) fn of_refusal(status: u16, body: &Value) -> Statement {
    let error = &body["error"];
    let code = short(
        // "card_declined" says less than its reason.
        error["decline_code"]
            .as_str()
            .or(error["code"].as_str())
            .or(error["type"].as_str())
            .unwrap_or_default(),
    );
    match status {
        402 => Statement::Failed {
            class: class_of(&code),
            code,
        },
        400 if code != "idempotency_error" && !code.is_empty() => Statement::Failed {
            class: FailureClass::Configuration,
            code,
        },
        _ if code.is_empty() => pending(&format!("HTTP {status}")),
        _ => pending(&code),
    }
}

/// Refunds of ours in a list.
pub(super) fn refunds_of(list: &Value, id: PaymentId) -> Result<Vec<Value>, RailError> {
    let data = list["data"]
        .as_array()
        .ok_or(RailError::Malformed("list of refunds"))?;
    if list["has_more"] == true {
        return Err(RailError::Malformed("too many refunds"));
    }
    Ok(data
        .iter()
        .filter(|refund| payment_of(refund) == Some(id))
        .cloned()
        .collect())
}

/// What the refunds so far mean; `None`: none that counts.
pub(super) fn of_refunds(refunds: &[Value]) -> Option<Statement> {
    let statements: Vec<Statement> = refunds.iter().map(of_refund).collect();
    let done = statements
        .iter()
        .find(|said| matches!(said, Statement::Refunded { .. }));
    done.or_else(|| {
        statements
            .iter()
            .find(|said| matches!(said, Statement::Pending { .. }))
    })
    .cloned()
}

/// What a refund says of itself.
pub(super) fn of_refund(refund: &Value) -> Statement {
    match refund["status"].as_str().unwrap_or_default() {
        "succeeded" if refund["id"].is_string() => Statement::Refunded {
            reference: text(&refund["id"]),
        },
        "failed" | "canceled" => Statement::RefundRefused {
            code: short(refund["failure_reason"].as_str().unwrap_or("failed")),
        },
        other => pending(other),
    }
}

/// What a refusal to refund means.
pub(super) fn of_refund_refusal(status: u16, body: &Value) -> Statement {
    match body["error"]["code"].as_str().unwrap_or_default() {
        code @ ("charge_disputed"
        | "amount_too_large"
        | "charge_not_refundable"
        | "refund_disallowed"
        | "insufficient_funds") => Statement::RefundRefused { code: short(code) },
        "" => pending(&format!("HTTP {status}")),
        code => pending(code),
    }
}

/// What an event says.
pub(super) fn of_event(name: &str, object: &Value) -> Told {
    match name {
        "checkout.session.completed"
        | "checkout.session.async_payment_succeeded"
        | "checkout.session.expired" => match Session::of(object).statement() {
            said @ (Statement::Succeeded { .. } | Statement::Failed { .. } | Statement::Expired) => {
                Told::Said(said)
            }
            _ => Told::Ask,
        },
        "charge.dispute.created" | "charge.dispute.funds_withdrawn" => Told::Said(Statement::Reversed {
            code: short(object["reason"].as_str().unwrap_or("disputed")),
        }),
        "refund.updated" | "refund.failed" | "refund.created" => match of_refund(object) {
            said @ (Statement::Refunded { .. } | Statement::RefundRefused { .. }) => Told::Said(said),
            _ => Told::Ask,
        },
        "charge.refunded" => object["refunds"]["data"]
            .as_array()
            .and_then(|refunds| refunds.iter().find(|refund| payment_of(refund).is_some()))
            .map_or(Told::Ask, |refund| match of_refund(refund) {
                said @ Statement::Refunded { .. } => Told::Said(said),
                _ => Told::Ask,
            }),
        _ => Told::Ask,
    }
}

/// Our payment that an object names.
pub(super) fn payment_of(object: &Value) -> Option<PaymentId> {
    [&object["client_reference_id"], &object["metadata"]["payment"]]
        .into_iter()
        .find_map(Value::as_str)
        .and_then(PaymentId::parse)
}

/// Nothing is known; the code is for people.
pub(super) fn pending(code: &str) -> Statement {
    Statement::Pending { code: short(code) }
}

fn text(value: &Value) -> String {
    short(value.as_str().unwrap_or_default())
}

fn short(text: &str) -> String {
    text.chars().take(charge::payment::RAIL_TEXT_MAX).collect()
}
