//! The calls to Easypaisa, and what its answers mean.

use super::{Easypaisa, Flow};
use crate::codes::Meaning;
use crate::http::{HttpRequest, Method, Transport};
use crate::json::Object;
use crate::limits::{CALL_MS, PIN_CALL_MS};
use crate::pkr;
use crate::rail::{Begun, Order, RailError};
use charge::payment::{FailureClass, PaymentId, Statement};

/// Of an inquiry: no such order.
const NOT_KNOWN: &str = "0003";

impl Easypaisa {
    /// Takes from a wallet: the call lasts until the payer has typed the PIN, or forgot it.
    pub(super) async fn take_from_wallet(
        &self,
        io: &dyn Transport,
        order: &Order,
    ) -> Result<Statement, RailError> {
        let wallet = order.payer.wallet.ok_or(RailError::NotTaken("wallet number"))?;
        let request = object(&[
            ("orderId", &order.id.to_string()),
            ("storeId", &self.config.store_id),
            ("transactionAmount", &pkr::rupees(order.price)?),
            ("transactionType", "MA"),
            ("mobileAccountNo", &pkr::national(wallet)?),
            ("emailAddress", &self.email(order)?),
        ]);
        let answer = match self
            .call(io, "initiate-ma-transaction", &request, PIN_CALL_MS)
            .await
        {
            Err(RailError::Transport(crate::TransportError::Unknown)) => return Ok(pending("timeout")),
            answer => answer?,
        };
        let code = self.checked(&answer, order.id)?;
        self.begun(io, order.id, &code).await
    }

    /// Asks for a token with which cash is paid at a shop.
    pub(super) async fn at_a_shop(&self, io: &dyn Transport, order: &Order) -> Result<Begun, RailError> {
        let mobile = order.payer.wallet.unwrap_or(order.msisdn);
        let expiry = pkr::pkt("%Y%m%d %H%M%S", order.expires_at);
        let request = object(&[
            ("orderId", &order.id.to_string()),
            ("storeId", &self.config.store_id),
            ("transactionAmount", &pkr::rupees(order.price)?),
            ("transactionType", "OTC"),
            ("msisdn", &pkr::national(mobile)?),
            ("emailAddress", &self.email(order)?),
            ("tokenExpiry", &expiry),
        ]);
        let answer = match self.call(io, "initiate-otc-transaction", &request, CALL_MS).await {
            Err(RailError::Transport(crate::TransportError::Unknown)) => {
                return Ok(Begun::Said(pending("timeout")));
            }
            answer => answer?,
        };
        let code = self.checked(&answer, order.id)?;
        let token = match (code.as_str(), Object::parse(&answer)?.text("paymentToken")?) {
            ("0000", Some(token)) if !token.is_empty() => token,
            ("0000", _) => return Err(RailError::Malformed("no token")),
            // Asked before: the token is the one that we were given then.
            ("0018", _) if !order.presented.is_empty() => order.presented.clone(),
            _ => return self.begun(io, order.id, &code).await.map(Begun::Said),
        };
        Ok(Begun::Show {
            lines: vec![
                ("present-token", token.clone()),
                ("present-until", pkr::pkt("%Y-%m-%d %H:%M", order.expires_at)),
            ],
            qr: None,
            said: Statement::Presented { reference: token },
        })
    }

    /// What the code of an initiation means. Success, repetition and "system error" are all asked about at once.
    async fn begun(&self, io: &dyn Transport, id: PaymentId, code: &str) -> Result<Statement, RailError> {
        match self.codes.meaning(code) {
            Meaning::Paid | Meaning::Pending => {
                Ok(self.ask(io, id, false).await.unwrap_or_else(|_| pending(code)))
            }
            // A repetition may be complained about too (invalid order id): only an order that is not known there has failed.
            Meaning::Failed(FailureClass::Configuration) => match self.ask(io, id, false).await {
                Ok(Statement::Pending { code: not_known }) if not_known == NOT_KNOWN => {
                    Err(RailError::Configuration(code.to_owned()))
                }
                Err(RailError::Configuration(_)) => Err(RailError::Configuration(code.to_owned())),
                Ok(said) => Ok(said),
                Err(_) => Ok(pending(code)),
            },
            meaning => Ok(statement(meaning, code)),
        }
    }

    /// Asks what became of an order. `over`: it can no longer be paid.
    pub(super) async fn ask(
        &self,
        io: &dyn Transport,
        id: PaymentId,
        over: bool,
    ) -> Result<Statement, RailError> {
        let request = object(&[
            ("orderId", &id.to_string()),
            ("storeId", &self.config.store_id),
            ("accountNum", &self.config.account),
        ]);
        let body = self.call(io, "inquire-transaction", &request, CALL_MS).await?;
        let code = self.checked(&body, id)?;
        let answer = Object::parse(&body)?;
        let status = answer.string("transactionStatus")?.unwrap_or_default();
        let error = answer.text("errorCode")?.unwrap_or_default();
        match code.as_str() {
            "0000" => {}
            // Not known there: nothing was paid, and after its time nothing can be.
            NOT_KNOWN if over => return Ok(Statement::Expired),
            NOT_KNOWN => return Ok(pending(&code)),
            _ if self.codes.meaning(&code) == Meaning::Failed(FailureClass::Configuration) => {
                return Err(RailError::Configuration(code));
            }
            _ => return Ok(pending(&code)),
        }
        Ok(match status.as_str() {
            "PAID" => {
                let amount = answer.text("transactionAmount")?.unwrap_or_default();
                let reference = answer
                    .text("transactionId")?
                    .filter(|reference| !reference.is_empty());
                Statement::Succeeded {
                    paid: pkr::from_rupees(&amount).ok_or(RailError::Malformed("amount"))?,
                    // Where an answer names no transaction, the order is the reference: it is unique, and the same each time.
                    reference: reference.unwrap_or_else(|| id.to_string()),
                }
            }
            "FAILED" => match self.codes.meaning(&error) {
                meaning @ (Meaning::Failed(_) | Meaning::Expired) => statement(meaning, &error),
                _ => statement(Meaning::Failed(FailureClass::Declined), &error),
            },
            "EXPIRED" => Statement::Expired,
            "REVERSED" => Statement::Reversed { code: status },
            "PENDING" if self.config.flow == Flow::OverTheCounter => Statement::AwaitingCash,
            _ => pending(&status),
        })
    }

    /// The code of an answer that is about our order at our store.
    fn checked(&self, body: &[u8], id: PaymentId) -> Result<String, RailError> {
        let answer = Object::parse(body)?;
        let code = answer
            .text("responseCode")?
            .ok_or(RailError::Malformed("no response code"))?;
        let order = answer.text("orderId")?;
        let store = answer.text("storeId")?;
        // Complaints may leave the order out; what says something about it may not.
        let named = order.as_deref().map(PaymentId::parse);
        if named.is_some_and(|named| named != Some(id)) || (code == "0000" && named.is_none()) {
            return Err(RailError::NotGenuine("answer about another order"));
        }
        if store.is_some_and(|store| store != self.config.store_id) {
            return Err(RailError::NotGenuine("answer about another store"));
        }
        Ok(code)
    }

    /// Sends one request; the answer's own bytes, without the envelope of v5, whose signature is right.
    async fn call(
        &self,
        io: &dyn Transport,
        what: &str,
        request: &str,
        timeout_ms: u32,
    ) -> Result<Vec<u8>, RailError> {
        let (version, body) = match &self.keys {
            None => ("v4", request.to_owned()),
            Some(keys) => {
                let signature = keys.sign(request.as_bytes());
                let signature =
                    signature.ok_or_else(|| RailError::Configuration("our key cannot sign".to_owned()))?;
                (
                    "v5",
                    format!("{{\"request\":{request},\"signature\":\"{signature}\"}}"),
                )
            }
        };
        let headers = [
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("credentials", &self.credentials),
        ];
        let answer = io
            .send(HttpRequest {
                method: Method::Post,
                url: self
                    .config
                    .host
                    .url(&format!("/easypay-service/rest/{version}/{what}")),
                headers: headers
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
                body: body.into_bytes(),
                timeout_ms,
            })
            .await?;
        match answer.status {
            200..300 => {}
            401 | 403 => return Err(RailError::Configuration(format!("HTTP {}", answer.status))),
            // A gateway's error page is no answer of Easypaisa: what became of the request is not known.
            _ => return Err(crate::TransportError::Unknown.into()),
        }
        let Some(keys) = &self.keys else {
            return Ok(answer.body);
        };
        let envelope = Object::parse(&answer.body)?;
        let response = envelope
            .raw("response")
            .ok_or(RailError::Malformed("no response"))?;
        let signature = envelope.string("signature")?.unwrap_or_default();
        if !keys.is_genuine(response.get().as_bytes(), &signature) {
            return Err(RailError::NotGenuine("signature"));
        }
        Ok(response.get().as_bytes().to_vec())
    }
}

fn statement(meaning: Meaning, code: &str) -> Statement {
    let code = code.to_owned();
    match meaning {
        Meaning::Failed(class) => Statement::Failed { class, code },
        Meaning::Expired => Statement::Expired,
        Meaning::Cash => Statement::AwaitingCash,
        _ => Statement::Pending { code },
    }
}

fn pending(code: &str) -> Statement {
    Statement::Pending {
        code: code.to_owned(),
    }
}

/// Compact JSON with the members in this order.
pub(super) fn object(members: &[(&str, &str)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\":{}", serde_json::Value::from(*value)))
        .collect();
    format!("{{{}}}", members.join(","))
}
