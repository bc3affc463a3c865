//! The bank's side: notifications of credits, search, returns.

use super::{Bank, told};
use crate::card::signature;
use crate::http::{HttpAnswer, HttpRequest, Method, Transport};
use crate::json::{JsonAnswer, Object};
use crate::limits::{BODY_BYTES_MAX, CALL_MS};
use crate::pkr::{from_paisa, paisa};
use crate::rail::{Heard, RailError, Told};
use crate::reference;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use charge::Timestamp;
use charge::payment::{PaymentId, Price, Statement};
use serde_json::{Value, json};

/// A credit that the bank found.
pub(super) struct Credit {
    /// Date and RRN: unique.
    pub reference: String,
    pub paid: Price,
    /// False while the bank has not booked it.
    pub booked: bool,
    /// What was sent back of it: the reference and the id under which we asked.
    returns: Vec<(String, String)>,
}

/// Ends the id of a return of money that named no payment.
const UNMATCHED: &str = "-U";

impl Credit {
    /// It went back as money without an owner: it pays for nothing any more.
    pub(super) fn is_gone(&self) -> bool {
        self.returns.iter().any(|(_, id)| id.ends_with(UNMATCHED))
    }
}

/// The id under which a credit without an owner goes back.
pub(super) fn unmatched_id(reference: &str) -> String {
    format!("{reference}{UNMATCHED}")
}

impl Bank {
    /// Credits that name a payment; the bank's code when it does not say.
    pub(super) async fn search(
        &self,
        io: &dyn Transport,
        id: PaymentId,
        now: Timestamp,
    ) -> Result<Result<Vec<Credit>, String>, RailError> {
        let wanted = json!({"Reference": reference::compact(id)});
        let answer = self.call(io, "/v1/credits/search", &wanted, now).await?;
        if answer.status != 200 || answer.body["ResponseCode"] != "00" {
            return Ok(Err(code_of(&answer)));
        }
        let credits = answer.body["Credits"]
            .as_array()
            .ok_or(RailError::Malformed("credits"))?;
        let credits: Vec<(Credit, String)> = credits
            .iter()
            .take(crate::limits::FIELDS_MAX)
            .map(|credit| Ok((read_credit(credit)?, text(&credit["Note"]))))
            .collect::<Result<_, RailError>>()?;
        // The bank searches by text; which payment a note names is our decision.
        let ours = credits
            .into_iter()
            .filter(|(credit, note)| reference::find(note) == Some(id) && !credit.is_gone());
        Ok(Ok(ours.map(|(credit, _)| credit).collect()))
    }

    /// Sends money back, once for each `id` whatever is repeated.
    pub(super) async fn send_back(
        &self,
        io: &dyn Transport,
        id: &str,
        original: &str,
        amount: Price,
        now: Timestamp,
    ) -> Result<Statement, RailError> {
        let known = self
            .call(io, "/v1/credits/read", &json!({"Reference": original}), now)
            .await?;
        if known.status != 200 || known.body["ResponseCode"] != "00" {
            return Ok(pending(&code_of(&known)));
        }
        let credit = read_credit(&known.body["Credit"])?;
        if credit.reference != original {
            return Err(RailError::NotGenuine("the answer is about another credit"));
        }
        if let Some((reference, _)) = credit.returns.iter().find(|(_, other)| other == id) {
            return Ok(Statement::Refunded {
                reference: reference.clone(),
            });
        }
        let wanted = json!({
            "ReturnId": id,
            "OriginalReference": original,
            "Amount": format!("{:012}", paisa(amount)?),
            "Currency": "586",
        });
        let answer = self.call(io, "/v1/returns", &wanted, now).await?;
        let reference = text(&answer.body["Reference"]);
        Ok(
            match (
                answer.status,
                answer.body["ResponseCode"].as_str().unwrap_or_default(),
            ) {
                (200, "00") if !reference.is_empty() => Statement::Refunded { reference },
                // 10: a duplicate. It is found with the next question.
                (200, "10") => pending("10"),
                (200, code @ ("13" | "14" | "57" | "61")) => Statement::RefundRefused {
                    code: code.to_owned(),
                },
                _ => pending(&code_of(&answer)),
            },
        )
    }

    async fn call(
        &self,
        io: &dyn Transport,
        path: &str,
        body: &Value,
        now: Timestamp,
    ) -> Result<JsonAnswer, RailError> {
        let config = &self.config;
        let (Some(host), Some(password), Some(key)) = (&config.host, &config.password, &config.request_key)
        else {
            return Err(RailError::Unsupported);
        };
        let body = body.to_string();
        let credentials = STANDARD.encode(format!("{}:{}", config.username, password.expose()));
        let signed = format!("POST {path}\n{body}");
        let header = |name: &str, value: String| (name.to_owned(), value);
        let request = HttpRequest {
            method: Method::Post,
            url: host.url(path),
            headers: vec![
                header("authorization", format!("Basic {credentials}")),
                header("content-type", "application/json".to_owned()),
                header("request-signature", signature::sign(key, signed.as_bytes(), now)),
            ],
            body: body.into_bytes(),
            timeout_ms: CALL_MS,
        };
        JsonAnswer::to(io, request)
            .await?
            .let_in("bank: our credentials are refused")
    }

    /// A notification of a credit, or of one that the payer's bank took back.
    pub(super) fn hear(&self, what: &str, request: &HttpRequest, now: Timestamp) -> Result<Heard, RailError> {
        if what != "credit" || request.method != Method::Post {
            return Err(RailError::Unsupported);
        }
        self.authenticate(request, now)?;
        let body = Object::parse(&request.body)?;
        let field = |name: &'static str| Ok::<String, RailError>(body.string(name)?.unwrap_or_default());
        if !field("AccountNumberTo")?.eq_ignore_ascii_case(&self.config.iban) {
            return Err(RailError::NotGenuine("the money went to another account"));
        }
        if field("Currency")? != "586" {
            return Err(RailError::Malformed("currency"));
        }
        let paid = from_paisa(&field("Amount")?).ok_or(RailError::Malformed("amount"))?;
        let reference = credit_reference(&field("Date")?, &field("RRN")?)?;
        let note = field("Note")?;
        let about = reference::find(&note);
        let told = match field("Kind")?.as_str() {
            "CREDIT" => told(about, paid, reference, &note),
            "REVERSAL" if about.is_some() => Told::Said(Statement::Reversed {
                code: "REVERSAL".to_owned(),
            }),
            _ => Told::Ask,
        };
        Ok(Heard {
            about,
            told,
            answer: HttpAnswer::json(br#"{"ResponseCode":"00","ResponseDetail":"PROCESSED OK"}"#.to_vec()),
        })
    }

    /// Whatever is configured must fit; nothing configured is refused when the rail is made.
    fn authenticate(&self, request: &HttpRequest, now: Timestamp) -> Result<(), RailError> {
        if request.body.len() > BODY_BYTES_MAX {
            return Err(RailError::Malformed("notification too long"));
        }
        if let Some(credentials) = &self.config.notify_credentials {
            let header = |name: &str| request.header(name).unwrap_or_default().as_bytes();
            let name = credentials.username.is(header("username"));
            let password = credentials.password.is(header("password"));
            if !(name & password) {
                return Err(RailError::NotGenuine("credentials"));
            }
        }
        if !self.config.notify_secrets.is_empty() {
            let header = request
                .header("signature")
                .ok_or(RailError::NotGenuine("no signature"))?;
            signature::verify(&self.config.notify_secrets, header, &request.body, now)?;
        }
        Ok(())
    }
}

/// Date and RRN: an RRN is unique for a day.
fn credit_reference(date: &str, rrn: &str) -> Result<String, RailError> {
    let digits =
        |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    let real = crate::time::parse_local("%Y%m%d", date, 0).is_some();
    if digits(date, 8) && real && digits(rrn, 12) {
        Ok(format!("{date}-{rrn}"))
    } else {
        Err(RailError::Malformed("date or RRN"))
    }
}

fn read_credit(credit: &Value) -> Result<Credit, RailError> {
    let returns = credit["Returns"].as_array().into_iter().flatten();
    let paid = from_paisa(&text(&credit["Amount"])).filter(|_| credit["Currency"] == "586");
    Ok(Credit {
        reference: credit_reference(&text(&credit["Date"]), &text(&credit["RRN"]))?,
        paid: paid.ok_or(RailError::Malformed("amount"))?,
        booked: credit["Status"] == "BOOKED",
        returns: returns
            .map(|returned| (text(&returned["Reference"]), text(&returned["ReturnId"])))
            .collect(),
    })
}

/// Nothing is known; the code is for people.
pub(super) fn pending(code: &str) -> Statement {
    Statement::Pending {
        code: code.chars().take(charge::payment::RAIL_TEXT_MAX).collect(),
    }
}

fn code_of(answer: &JsonAnswer) -> String {
    match answer.body["ResponseCode"].as_str() {
        Some(code) => code.to_owned(),
        None => format!("HTTP {}", answer.status),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().chars().take(512).collect()
}
