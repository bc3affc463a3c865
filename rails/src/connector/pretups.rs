//! PreTUPS, the recharge core of many operators, over its XML gateway EXTGW (reference payments 2.8).
//!
//! Its log-in travels in the query of the address: addresses are never logged (`HttpRequest` does not show them).
//! The reference grades this format C, and of the status codes it has 200 alone: the other codes of an operator are
//! configuration, and a code that is not in the table is asked about again, never taken for a refusal.

use super::xml::{Message, write};
use super::{Connector, Delivery, Sale};
use crate::form::with_query;
use crate::http::{HttpRequest, Later, Method, Transport, TransportError, is_secure_or_loopback};
use crate::limits::CALL_MS;
use crate::money::cents_text;
use crate::rail::RailError;
use crate::secret::Secret;
use crate::time::local;
use charge::time::SECOND;
use charge::{Code, Money, Timestamp};
use std::collections::BTreeMap;

/// Longest code or reference taken from an answer, characters.
const TEXT_MAX: usize = 64;

/// What a status code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// Done.
    Delivered,
    /// Not done, and it will not be.
    Refused,
    /// Not known yet.
    Pending,
    /// The status was asked of a reference that the far side has never seen.
    Unheard,
}

/// How an operator's gateway is reached.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the connector.
    pub code: String,
    /// Address without a query: `https://.../pretups/C2SReceiver`.
    pub url: String,
    /// LOGIN of the query.
    pub login: Secret,
    /// PASSWORD of the query.
    pub password: Secret,
    /// REQUEST_GATEWAY_CODE.
    pub gateway_code: String,
    /// SERVICE_PORT.
    #[serde(default = "service_port")]
    pub service_port: u16,
    /// EXTNWCODE: the operator's network code.
    pub network_code: String,
    /// MSISDN of our retailer account.
    pub retailer: String,
    /// Its PIN.
    pub pin: Secret,
    /// EXTCODE of our retailer account; empty: none.
    #[serde(default)]
    pub external_code: String,
    /// Digits cut from the front of numbers: the country code, for gateways that want national ones.
    #[serde(default)]
    pub strip_prefix: String,
    /// The operator's own codes; 200, 205, 206 and 250 are known.
    #[serde(default)]
    pub codes: BTreeMap<String, Meaning>,
    /// A reference that the far side does not know may still be on its way there for so long, seconds.
    #[serde(default = "on_its_way")]
    pub on_its_way_s: u32,
    /// Seconds that its clock is ahead of UTC.
    #[serde(default = "pakistan")]
    pub offset_s: i32,
}

fn service_port() -> u16 {
    190
}

fn on_its_way() -> u32 {
    180
}

fn pakistan() -> i32 {
    5 * 3600
}

/// Codes that are the same everywhere as far as is known: 205 and 250 are "under process", 206 is "failed". An operator's
/// table overrides them.
const CODES: [(&str, Meaning); 4] = [
    ("200", Meaning::Delivered),
    ("205", Meaning::Pending),
    ("206", Meaning::Refused),
    ("250", Meaning::Pending),
];

/// The log-in inside of a message, empty: ours travels in the query of the address.
const LOGIN: [(&str, &str); 2] = [("LOGINID", ""), ("PASSWORD", "")];

/// A gateway.
#[derive(Clone, Debug)]
pub struct Pretups {
    code: Code,
    config: Config,
}

/// What an answer says.
enum Heard {
    Delivery(Delivery),
    Unheard { code: String },
}

impl Heard {
    /// What it says of the sale, where nothing more is to be done about a reference that was never heard of.
    fn delivery(self) -> Delivery {
        match self {
            Heard::Delivery(delivery) => delivery,
            Heard::Unheard { code } => Delivery::Pending { code },
        }
    }
}

impl Pretups {
    /// Checks the configuration.
    ///
    /// # Errors
    /// [`RailError::Configuration`].
    pub fn new(config: Config) -> Result<Pretups, RailError> {
        let wrong = |what: &str| RailError::Configuration(format!("connector {}: {what}", config.code));
        let code = Code::new(&config.code).filter(|code| !code.is_empty());
        let code = code.ok_or_else(|| wrong("its name is empty or too long"))?;
        if !is_secure_or_loopback(&config.url) || config.url.contains('?') {
            return Err(wrong("url must be https without a query"));
        }
        Ok(Pretups { code, config })
    }

    /// One exchange: the answer that belongs to this sale, or that there is none.
    async fn ask(
        &self,
        io: &dyn Transport,
        sale: &Sale,
        (request, expected): (&[(&str, &str)], &str),
    ) -> Result<Heard, RailError> {
        let pending = |code: &str| {
            Ok(Heard::Delivery(Delivery::Pending {
                code: code.to_owned(),
            }))
        };
        let answer = match io.send(self.request(request)).await {
            Ok(answer) => answer,
            Err(TransportError::NotSent) => return Err(TransportError::NotSent.into()),
            Err(TransportError::Unknown) => return pending(""),
        };
        if answer.status != 200 {
            return pending(&format!("http-{}", answer.status));
        }
        // What cannot be read says nothing about the sale, which may have been carried out.
        let Ok(message) = Message::parse(&answer.body) else {
            return pending("unreadable");
        };
        let id = sale.id.to_string();
        let about_another = message.get("EXTREFNUM").is_some_and(|reference| reference != id);
        if message.get("TYPE") != Some(expected) || about_another {
            return pending("another-answer");
        }
        let code: String = message
            .get("TXNSTATUS")
            .unwrap_or("")
            .chars()
            .take(TEXT_MAX)
            .collect();
        let known = CODES
            .iter()
            .find(|(known, _)| *known == code)
            .map(|(_, meaning)| *meaning);
        let meaning = self.config.codes.get(&code).copied().or(known);
        let reference: String = message
            .get("TXNID")
            .unwrap_or("")
            .chars()
            .take(TEXT_MAX)
            .collect();
        Ok(match meaning {
            // Without a reference nothing could be reversed or compared later.
            Some(Meaning::Delivered) if !reference.is_empty() => {
                Heard::Delivery(Delivery::Delivered { reference })
            }
            Some(Meaning::Refused) => Heard::Delivery(Delivery::Refused { code }),
            Some(Meaning::Unheard) => Heard::Unheard { code },
            _ => Heard::Delivery(Delivery::Pending { code }),
        })
    }

    async fn transfer(&self, io: &dyn Transport, sale: &Sale, now: Timestamp) -> Result<Delivery, RailError> {
        let amount = cents_text(sale.amount).ok_or(RailError::NotTaken("amount"))?;
        let (id, date, number) = (sale.id.to_string(), self.date(now), self.number(sale));
        let mut request = self.opening("EXRCTRFREQ", &date, &LOGIN);
        request.extend([
            ("EXTREFNUM", id.as_str()),
            ("MSISDN2", number.as_str()),
            ("AMOUNT", amount.as_str()),
            ("LANGUAGE1", "0"),
            ("LANGUAGE2", "0"),
            ("SELECTOR", "1"),
        ]);
        Ok(self.ask(io, sale, (&request, "EXRCTRFRESP")).await?.delivery())
    }

    async fn what_became(&self, io: &dyn Transport, sale: &Sale, now: Timestamp) -> Result<Heard, RailError> {
        let (id, date) = (sale.id.to_string(), self.date(now));
        let mut request = self.opening("EXRCSTATREQ", &date, &LOGIN);
        request.extend([("EXTREFNUM", id.as_str()), ("TXNID", ""), ("LANGUAGE1", "0")]);
        self.ask(io, sale, (&request, "EXRCSTATRESP")).await
    }

    /// How every request begins, with `login` where the gateway looks for it.
    fn opening<'a>(
        &'a self,
        kind: &'a str,
        date: &'a str,
        login: &[(&'a str, &'a str)],
    ) -> Vec<(&'a str, &'a str)> {
        let config = &self.config;
        let mut fields = vec![
            ("TYPE", kind),
            ("DATE", date),
            ("EXTNWCODE", config.network_code.as_str()),
            ("MSISDN", config.retailer.as_str()),
            ("PIN", config.pin.expose()),
        ];
        fields.extend(login);
        fields.push(("EXTCODE", config.external_code.as_str()));
        fields
    }

    fn request(&self, fields: &[(&str, &str)]) -> HttpRequest {
        let config = &self.config;
        let port = config.service_port.to_string();
        let query = [
            ("LOGIN", config.login.expose()),
            ("PASSWORD", config.password.expose()),
            ("REQUEST_GATEWAY_CODE", config.gateway_code.as_str()),
            ("REQUEST_GATEWAY_TYPE", "EXTGW"),
            ("SERVICE_PORT", port.as_str()),
            ("SOURCE_TYPE", "EXTGW"),
        ];
        HttpRequest {
            method: Method::Post,
            url: with_query(&config.url, &query),
            headers: vec![("content-type".to_owned(), "text/xml".to_owned())],
            body: write(fields).into_bytes(),
            timeout_ms: CALL_MS,
        }
    }

    fn date(&self, now: Timestamp) -> String {
        local("%d/%m/%Y %H:%M:%S", now, self.config.offset_s)
    }

    fn number(&self, sale: &Sale) -> String {
        let number = sale.msisdn.to_string();
        match number.strip_prefix(&self.config.strip_prefix) {
            Some(rest) if !rest.is_empty() => rest.to_owned(),
            _ => number,
        }
    }
}

impl Connector for Pretups {
    fn code(&self) -> Code {
        self.code
    }

    fn sell<'a>(
        &'a self,
        io: &'a dyn Transport,
        sale: &'a Sale,
        now: Timestamp,
    ) -> Later<'a, Result<Delivery, RailError>> {
        Box::pin(async move {
            let Some(tried_at) = sale.tried_at else {
                return self.transfer(io, sale, now).await;
            };
            match self.what_became(io, sale, now).await? {
                Heard::Unheard { .. }
                    if now > tried_at.plus(i64::from(self.config.on_its_way_s) * SECOND) =>
                {
                    self.transfer(io, sale, now).await
                }
                heard => Ok(heard.delivery()),
            }
        })
    }

    fn status<'a>(
        &'a self,
        io: &'a dyn Transport,
        sale: &'a Sale,
        now: Timestamp,
    ) -> Later<'a, Result<Delivery, RailError>> {
        Box::pin(async move { Ok(self.what_became(io, sale, now).await?.delivery()) })
    }

    fn reverse<'a>(
        &'a self,
        io: &'a dyn Transport,
        sale: &'a Sale,
        reference: &'a str,
        now: Timestamp,
    ) -> Later<'a, Result<Delivery, RailError>> {
        Box::pin(async move {
            let (id, date, number) = (sale.id.to_string(), self.date(now), self.number(sale));
            let mut request = self.opening("RCREVREQ", &date, &[]);
            request.extend([
                ("EXTREFNUM", id.as_str()),
                ("MSISDN2", number.as_str()),
                ("TXNID", reference),
                ("LANGUAGE1", "0"),
            ]);
            Ok(self.ask(io, sale, (&request, "RCREVRESP")).await?.delivery())
        })
    }

    fn balance<'a>(
        &'a self,
        io: &'a dyn Transport,
        now: Timestamp,
    ) -> Later<'a, Result<Option<Money>, RailError>> {
        Box::pin(async move {
            let date = self.date(now);
            let mut request = self.opening("EXUSRBALREQ", &date, &LOGIN);
            request.push(("EXTREFNUM", ""));
            let answer = io.send(self.request(&request)).await?;
            let message = Message::parse(&answer.body)?;
            let about =
                message.get("TYPE") == Some("EXUSRBALRESP") && message.get("TXNSTATUS") == Some("200");
            if answer.status != 200 || !about {
                return Err(RailError::Malformed("no balance"));
            }
            let balance = message.get("BALANCE").and_then(|text| Money::parse(text).ok());
            balance.map(Some).ok_or(RailError::Malformed("no balance"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HttpAnswer;
    use charge::Msisdn;
    use charge::payment::PaymentId;
    use std::sync::Mutex;
    use std::task::{Context, Poll, Waker};

    /// Answers from a list, and keeps what was asked.
    struct Far {
        answers: Mutex<Vec<Result<String, TransportError>>>,
        asked: Mutex<Vec<(String, Message)>>,
    }

    impl Transport for Far {
        fn send(&self, request: HttpRequest) -> Later<'_, Result<HttpAnswer, TransportError>> {
            let message = Message::parse(&request.body).unwrap();
            self.asked.lock().unwrap().push((request.url, message));
            let answer = self.answers.lock().unwrap().remove(0);
            Box::pin(async move {
                answer.map(|body| HttpAnswer {
                    status: 200,
                    headers: Vec::new(),
                    body: body.into_bytes(),
                })
            })
        }
    }

    fn wait<T>(mut later: Later<'_, T>) -> T {
        match later.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("nothing here waits"),
        }
    }

    fn gateway() -> Pretups {
        let secret = |text: &str| Secret::new(text).unwrap();
        Pretups::new(Config {
            code: "ufone-pretups".to_owned(),
            url: "https://pretups.example/pretups/C2SReceiver".to_owned(),
            login: secret("log&in"),
            password: secret("pass word"),
            gateway_code: "RASEED".to_owned(),
            service_port: 190,
            network_code: "UF".to_owned(),
            retailer: "3331234567".to_owned(),
            pin: secret("2468"),
            external_code: String::new(),
            strip_prefix: "92".to_owned(),
            codes: BTreeMap::from([("1006".to_owned(), Meaning::Unheard)]),
            on_its_way_s: 180,
            offset_s: 18_000,
        })
        .unwrap()
    }

    fn sale(tried_at: Option<i64>) -> Sale {
        Sale {
            id: PaymentId::new(923_331_112_223, 7).unwrap(),
            msisdn: Msisdn::parse("923331112223").unwrap(),
            amount: Money::from_units(100),
            tried_at: tried_at.map(Timestamp::from_seconds),
        }
    }

    fn answer(kind: &str, status: &str, id: &str) -> Result<String, TransportError> {
        Ok(write(&[
            ("TYPE", kind),
            ("TXNSTATUS", status),
            ("EXTREFNUM", id),
            ("TXNID", "R261122.1212.1234"),
        ]))
    }

    /// When it was tried, what the far side answers, what it comes to, what was asked.
    type Case<'a> = (
        Option<i64>,
        Vec<Result<String, TransportError>>,
        Result<Delivery, RailError>,
        &'a [&'a str],
    );

    /// What the sale comes to with these answers, and the types of what was asked.
    fn sell(
        tried_at: Option<i64>,
        answers: Vec<Result<String, TransportError>>,
    ) -> (Result<Delivery, RailError>, Vec<String>) {
        let far = Far {
            answers: Mutex::new(answers),
            asked: Mutex::default(),
        };
        let delivery = wait(gateway().sell(&far, &sale(tried_at), Timestamp::from_seconds(1_795_262_400)));
        let asked = far.asked.lock().unwrap();
        let types = asked
            .iter()
            .map(|(_, message)| message.get("TYPE").unwrap().to_owned());
        (delivery, types.collect())
    }

    #[test]
    fn a_sale_is_asked_as_the_gateway_wants_it() {
        let id = sale(None).id.to_string();
        let far = Far {
            answers: Mutex::new(vec![answer("EXRCTRFRESP", "200", &id)]),
            asked: Mutex::default(),
        };
        let delivery = wait(gateway().sell(&far, &sale(None), Timestamp::from_seconds(1_795_262_400)));
        let reference = "R261122.1212.1234".to_owned();
        assert_eq!(delivery, Ok(Delivery::Delivered { reference }));
        let (url, message) = far.asked.lock().unwrap().remove(0);
        assert_eq!(
            url,
            "https://pretups.example/pretups/C2SReceiver?LOGIN=log%26in&PASSWORD=pass%20word&REQUEST_GATEWAY_CODE=RASEED\
             &REQUEST_GATEWAY_TYPE=EXTGW&SERVICE_PORT=190&SOURCE_TYPE=EXTGW"
        );
        for (name, text) in [
            ("DATE", "21/11/2026 17:00:00"),
            ("MSISDN2", "3331112223"),
            ("AMOUNT", "100.00"),
            ("PIN", "2468"),
            ("EXTREFNUM", id.as_str()),
        ] {
            assert_eq!(message.get(name), Some(text), "{name}");
        }
        let shown = format!("{:?} {:?}", gateway(), gateway().request(&[("PIN", "2468")]));
        for secret in ["log&in", "log%26in", "pass word", "pass%20word", "2468"] {
            assert!(!shown.contains(secret), "{secret} is in {shown}");
        }
    }

    #[test]
    fn an_unknown_outcome_is_asked_before_anything_else() {
        let id = sale(None).id.to_string();
        let (now, pending) = (1_795_262_400, |code: &str| {
            Ok(Delivery::Pending {
                code: code.to_owned(),
            })
        });
        let delivered = Ok(Delivery::Delivered {
            reference: "R261122.1212.1234".to_owned(),
        });
        let refused = Ok(Delivery::Refused {
            code: "206".to_owned(),
        });
        let (transfer, status) = (["EXRCTRFREQ"], ["EXRCSTATREQ"]);
        let both = ["EXRCSTATREQ", "EXRCTRFREQ"];
        let cases: Vec<Case<'_>> = vec![
            (None, vec![Err(TransportError::Unknown)], pending(""), &transfer),
            (
                None,
                vec![answer("EXRCTRFRESP", "206", &id)],
                refused.clone(),
                &transfer,
            ),
            (
                None,
                vec![answer("EXRCTRFRESP", "9999", &id)],
                pending("9999"),
                &transfer,
            ),
            (
                None,
                vec![answer("EXRCTRFRESP", "200", "another")],
                pending("another-answer"),
                &transfer,
            ),
            (
                None,
                vec![answer("EXRCSTATRESP", "200", &id)],
                pending("another-answer"),
                &transfer,
            ),
            (
                None,
                vec![Ok("<html>".to_owned())],
                pending("unreadable"),
                &transfer,
            ),
            (
                Some(now - 5),
                vec![answer("EXRCSTATRESP", "200", &id)],
                delivered.clone(),
                &status,
            ),
            (
                Some(now - 5),
                vec![answer("EXRCSTATRESP", "206", &id)],
                refused,
                &status,
            ),
            (
                Some(now - 5),
                vec![answer("EXRCSTATRESP", "250", &id)],
                pending("250"),
                &status,
            ),
            (
                Some(now - 5),
                vec![answer("EXRCSTATRESP", "1006", &id)],
                pending("1006"),
                &status,
            ),
            (
                Some(now - 5),
                vec![Err(TransportError::Unknown)],
                pending(""),
                &status,
            ),
            (
                Some(now - 600),
                vec![
                    answer("EXRCSTATRESP", "1006", &id),
                    answer("EXRCTRFRESP", "200", &id),
                ],
                delivered,
                &both,
            ),
        ];
        for (tried_at, answers, expected, asked) in cases {
            let shown = format!("{tried_at:?} {expected:?}");
            assert_eq!(
                sell(tried_at, answers),
                (expected, asked.iter().map(|t| (*t).to_owned()).collect()),
                "{shown}"
            );
        }
        let (not_sent, _) = sell(None, vec![Err(TransportError::NotSent)]);
        assert_eq!(not_sent, Err(RailError::Transport(TransportError::NotSent)));
    }
}
