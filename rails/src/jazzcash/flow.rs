//! The calls to JazzCash, and what its answers mean.

use super::hash::Message;
use super::{ECHO, JazzCash, description, stamp};
use crate::codes::Meaning;
use crate::http::{HttpAnswer, HttpRequest, Method, Transport};
use crate::limits::{CALL_MS, PIN_CALL_MS};
use crate::pkr;
use crate::rail::{Heard, Order, RailError, Told};
use charge::payment::{FailureClass, PaymentId, Price, Statement};

const WALLET: &str = "/ApplicationAPI/API/2.0/Purchase/DoMWalletTransaction";
const INQUIRE: &str = "/ApplicationAPI/API/PaymentInquiry/Inquire";
const REFUND: &str = "/ApplicationAPI/API/Purchase/domwalletrefundtransaction";

impl JazzCash {
    /// Takes from a wallet: the call lasts until the payer has typed the PIN, or forgot it.
    pub(super) async fn wallet(&self, io: &dyn Transport, order: &Order) -> Result<Statement, RailError> {
        let wallet = order.payer.wallet.ok_or(RailError::NotTaken("wallet number"))?;
        let cnic = order.payer.cnic_last6.as_deref();
        let cnic = cnic.filter(|cnic| cnic.len() == 6 && cnic.bytes().all(|byte| byte.is_ascii_digit()));
        let cnic = cnic.ok_or(RailError::NotTaken("last six digits of the identity card"))?;
        let (id, amount) = (order.id.to_string(), pkr::paisa(order.price)?.to_string());
        let (made, expires) = (stamp(order.created_at), stamp(order.expires_at));
        let description = description(&order.description);
        let wallet = pkr::national(wallet)?;
        let fields = self.signed(&[
            ("pp_Language", "EN"),
            ("pp_MerchantID", &self.config.merchant_id),
            ("pp_SubMerchantID", &self.config.sub_merchant_id),
            ("pp_Password", self.config.password.expose()),
            ("pp_TxnRefNo", &id),
            ("pp_MobileNumber", &wallet),
            ("pp_CNIC", cnic),
            ("pp_Amount", &amount),
            ("pp_DiscountedAmount", ""),
            ("pp_TxnCurrency", "PKR"),
            ("pp_TxnDateTime", &made),
            ("pp_BillReference", &id),
            ("pp_Description", &description),
            ("pp_TxnExpiryDateTime", &expires),
        ]);
        let answer = match self.call(io, WALLET, &fields, PIN_CALL_MS).await {
            Err(RailError::Transport(crate::TransportError::Unknown)) => return Ok(pending("timeout")),
            answer => answer?,
        };
        let code = answer.get("pp_ResponseCode");
        if !answer.signed {
            return self.unsigned(code);
        }
        if !names(&answer, order.id) {
            return Err(RailError::NotGenuine("answer about another order"));
        }
        match self.codes.meaning(code) {
            // The wallet says yes, or does not say (also of a repetition); the inquiry is what counts. If that one fails, we
            // ask again later.
            Meaning::Paid | Meaning::Pending => Ok(self
                .ask(io, order.id, told_price(&answer, order.price)?, false)
                .await
                .unwrap_or_else(|_| pending(code))),
            meaning => Ok(statement(meaning, code, answer.retrieval_reference())),
        }
    }

    /// Asks what became of an order. `price` is what the order says, under our hash; `over`: it can no longer be paid.
    pub(super) async fn ask(
        &self,
        io: &dyn Transport,
        id: PaymentId,
        price: Price,
        over: bool,
    ) -> Result<Statement, RailError> {
        let id = id.to_string();
        let fields = self.signed(&[
            ("pp_TxnRefNo", &id),
            ("pp_MerchantID", &self.config.merchant_id),
            ("pp_Password", self.config.password.expose()),
            ("pp_Version", "1.1"),
        ]);
        let answer = self.call(io, INQUIRE, &fields, CALL_MS).await?;
        let code = answer.get("pp_ResponseCode");
        if !answer.signed {
            // Without a hash the inquiry failed, whatever it says of the payment.
            return self.unsigned(code);
        }
        if !matches!(answer.get("pp_TxnRefNo"), "" | "0") && answer.get("pp_TxnRefNo") != id {
            return Err(RailError::NotGenuine("answer about another order"));
        }
        let payment_code = answer.get("pp_PaymentResponseCode");
        let meaning = self.codes.meaning(payment_code);
        let reference = answer.retrieval_reference();
        Ok(match (answer.get("pp_Status"), meaning) {
            (_, Meaning::Reversed | Meaning::Refunded) => statement(meaning, payment_code, reference),
            _ if code != "000" && over => Statement::Expired,
            _ if code != "000" => pending(code),
            ("Completed", Meaning::Paid) => Statement::Succeeded {
                paid: told_price(&answer, price)?,
                reference: reference.to_owned(),
            },
            ("Failed" | "Dropped", Meaning::Failed(_) | Meaning::Expired) => {
                statement(meaning, payment_code, reference)
            }
            // An explicit failure whose code says nothing: 199 and codes that we do not know.
            ("Failed", Meaning::Pending) if payment_code != "157" => {
                statement(Meaning::Failed(FailureClass::Transient), payment_code, reference)
            }
            ("Dropped", Meaning::Pending) => {
                statement(Meaning::Failed(FailureClass::Cancelled), payment_code, reference)
            }
            ("Pending", Meaning::Cash) => Statement::AwaitingCash,
            _ => pending(payment_code),
        })
    }

    /// Gives money back. Asks first, so that what was given back is not given twice.
    pub(super) async fn give_back(
        &self,
        io: &dyn Transport,
        order: &Order,
        amount: Price,
    ) -> Result<Statement, RailError> {
        let mpin = self.config.mpin.as_ref().ok_or(RailError::Unsupported)?;
        let paisa = pkr::paisa(amount)?.to_string();
        match self.ask(io, order.id, order.price, false).await? {
            Statement::Succeeded { .. } => {}
            Statement::Refunded { reference } => return Ok(Statement::Refunded { reference }),
            Statement::Reversed { code } | Statement::Failed { code, .. } => {
                return Ok(Statement::RefundRefused { code });
            }
            _ => return Ok(pending("not known to be paid")),
        }
        let id = order.id.to_string();
        let fields = self.signed(&[
            ("pp_TxnRefNo", &id),
            ("pp_Amount", &paisa),
            ("pp_TxnCurrency", "PKR"),
            ("pp_MerchantID", &self.config.merchant_id),
            ("pp_Password", self.config.password.expose()),
            ("pp_MerchantMPIN", mpin.expose()),
        ]);
        let answer = match self.call(io, REFUND, &fields, CALL_MS).await {
            Err(RailError::Transport(crate::TransportError::Unknown)) => return Ok(pending("timeout")),
            answer => answer?,
        };
        let code = answer.get("pp_ResponseCode");
        if !answer.signed {
            return self.unsigned(code);
        }
        Ok(match self.codes.meaning(code) {
            Meaning::Paid | Meaning::Refunded => Statement::Refunded {
                reference: answer.retrieval_reference().to_owned(),
            },
            Meaning::RefundRefused | Meaning::Reversed => Statement::RefundRefused {
                code: code.to_owned(),
            },
            Meaning::Failed(FailureClass::Configuration) => {
                return Err(RailError::Configuration(code.to_owned()));
            }
            _ => pending(code),
        })
    }

    /// What an IPN under the right hash proves. Success is believed after an inquiry of ours.
    pub(super) async fn heard(&self, io: &dyn Transport, message: &Message) -> Result<Heard, RailError> {
        self.merchant(message)?;
        let about = PaymentId::parse(message.get("pp_TxnRefNo"));
        let mut told = self.told(message);
        let success = self.codes.meaning(message.get("pp_ResponseCode")) == Meaning::Paid;
        if let (Some(id), Told::Ask, true) = (about, &told, success) {
            let price = signed_price(message)?;
            if let Ok(paid @ Statement::Succeeded { .. }) = self.ask(io, id, price, false).await {
                told = Told::Said(paid);
            }
        }
        Ok(Heard {
            about,
            told,
            answer: self.acknowledgement(),
        })
    }

    /// What a message under the right hash proves by itself.
    pub(super) fn told(&self, message: &Message) -> Told {
        let code = message.get("pp_ResponseCode");
        match self.codes.meaning(code) {
            Meaning::Paid => match (message.get(ECHO), signed_price(message)) {
                // Another amount than the one that we asked for: it is told, so that somebody looks.
                (asked, Ok(paid)) if !asked.is_empty() && pkr::from_paisa(asked) != Some(paid) => {
                    Told::Said(Statement::Succeeded {
                        paid,
                        reference: message.retrieval_reference().to_owned(),
                    })
                }
                _ => Told::Ask,
            },
            Meaning::Pending | Meaning::RefundRefused => Told::Ask,
            meaning => Told::Said(statement(meaning, code, message.retrieval_reference())),
        }
    }

    /// The message is to this merchant.
    pub(super) fn merchant(&self, message: &Message) -> Result<(), RailError> {
        if message.get("pp_MerchantID") == self.config.merchant_id {
            Ok(())
        } else {
            Err(RailError::NotGenuine("another merchant"))
        }
    }

    /// "Received": a code, words and a hash.
    fn acknowledgement(&self) -> HttpAnswer {
        let fields = self.signed(&[("pp_ResponseCode", "000"), ("pp_ResponseMessage", "Received")]);
        HttpAnswer::json(body(&fields))
    }

    /// An answer without a hash proves nothing about the payment. If it complains about us, that is told to staff.
    fn unsigned(&self, code: &str) -> Result<Statement, RailError> {
        match self.codes.meaning(code) {
            Meaning::Failed(FailureClass::Configuration) => Err(RailError::Configuration(code.to_owned())),
            _ => Ok(pending(code)),
        }
    }

    async fn call(
        &self,
        io: &dyn Transport,
        path: &str,
        fields: &[(String, String)],
        timeout_ms: u32,
    ) -> Result<Message, RailError> {
        let json = ("content-type".to_owned(), "application/json".to_owned());
        let request = HttpRequest {
            method: Method::Post,
            url: self.config.host.url(path),
            headers: vec![json, ("accept".to_owned(), "application/json".to_owned())],
            body: body(fields),
            timeout_ms,
        };
        let answer = io.send(request).await?;
        // A gateway's error page is no answer of JazzCash: what became of the request is not known.
        if !(200..300).contains(&answer.status) {
            return Err(crate::TransportError::Unknown.into());
        }
        Message::of_json(&self.config.salt, &answer.body)
    }
}

/// The statement of a code; success is never made from a code alone.
fn statement(meaning: Meaning, code: &str, reference: &str) -> Statement {
    let code = code.to_owned();
    match meaning {
        Meaning::Paid | Meaning::Pending => Statement::Pending { code },
        Meaning::Cash => Statement::AwaitingCash,
        Meaning::Failed(class) => Statement::Failed { class, code },
        Meaning::Expired => Statement::Expired,
        Meaning::Reversed => Statement::Reversed { code },
        Meaning::Refunded => Statement::Refunded {
            reference: reference.to_owned(),
        },
        Meaning::RefundRefused => Statement::RefundRefused { code },
    }
}

fn pending(code: &str) -> Statement {
    Statement::Pending {
        code: code.to_owned(),
    }
}

fn names(message: &Message, id: PaymentId) -> bool {
    PaymentId::parse(message.get("pp_TxnRefNo")) == Some(id)
}

/// The amount that a message names, under its hash.
fn signed_price(message: &Message) -> Result<Price, RailError> {
    if message.get("pp_TxnCurrency") != "PKR" {
        return Err(RailError::Malformed("currency"));
    }
    pkr::from_paisa(message.get("pp_Amount")).ok_or(RailError::Malformed("amount"))
}

/// The amount that an answer names, or the one of our order where it names none.
fn told_price(message: &Message, ours: Price) -> Result<Price, RailError> {
    match message.get("pp_Amount") {
        "" => Ok(ours),
        _ => signed_price(message),
    }
}

fn body(fields: &[(String, String)]) -> Vec<u8> {
    let object: serde_json::Map<String, serde_json::Value> = fields
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    serde_json::Value::Object(object).to_string().into_bytes()
}
