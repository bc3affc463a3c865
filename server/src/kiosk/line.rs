//! The line to the operator's server: the API with the key of the outlet.

use super::config::KioskConfig;
use crate::failure::Failure;
use anyhow::Context as _;
use charge::catalog::Language;
use charge::{Money, Msisdn, Timestamp, Unit};
use kiosk::book::Order;
use kiosk::device::Amount;
use kiosk::limits::ASK_MAX;
use kiosk::operator::{
    AskError, Bundle, Credited, Goods, Known, Later, Operator, OperatorBrief, Quote, Refusal, Report,
    SaleOutcome, Standing,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Largest answer, bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long the server is asked to wait for the end of a sale, seconds.
const SALE_WAIT_S: u32 = 6;
/// Longest wait for the answer of a sale.
const SALE_MAX: Duration = Duration::from_secs(15);
/// A slip waits so long for the code that proves it.
const RECEIPT_MAX: Duration = Duration::from_secs(5);

/// The time.
pub fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_microsecond())
}

/// The line.
pub struct Line {
    client: reqwest::Client,
    server: String,
    key: String,
    device: Option<String>,
    name: String,
}

/// What is asked of the server.
struct Ask {
    method: Method,
    path: String,
    language: Language,
    once: Option<String>,
    body: Option<Value>,
    within: Duration,
}

impl Ask {
    fn get(path: String) -> Ask {
        Ask {
            method: Method::GET,
            path,
            language: Language::En,
            once: None,
            body: None,
            within: ASK_MAX,
        }
    }
}

impl Line {
    /// With the key of its file.
    pub fn new(config: &KioskConfig) -> anyhow::Result<Line> {
        let secret = |path: &std::path::Path, what: &str| -> anyhow::Result<String> {
            let text = crate::key_file::read(path, what)?;
            let text =
                text.ok_or_else(|| Failure::usage(format!("{what} {} is not there", path.display())))?;
            Ok(text.trim().to_owned())
        };
        let device = match &config.device_file {
            Some(path) => Some(secret(path, "the device's secret")?),
            None => None,
        };
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .build()
            .context("set up the line")?;
        Ok(Line {
            client,
            server: config.server.trim_end_matches('/').to_owned(),
            key: secret(&config.key_file, "the API key")?,
            device,
            name: config.name.clone(),
        })
    }

    /// The answer's JSON. What is not the API's own answer counts as none: something on the way may say anything.
    async fn ask(&self, ask: Ask) -> Result<Value, AskError> {
        let no_line = |error: reqwest::Error| {
            tracing::debug!(%error, "the line");
            AskError::NoLine
        };
        let mut request = self
            .client
            .request(ask.method, format!("{}{}", self.server, ask.path))
            .timeout(ask.within)
            .header("authorization", format!("Bearer {}", self.key))
            .header("accept-language", ask.language.tag());
        if let Some(once) = ask.once {
            request = request.header("idempotency-key", once);
        }
        if let Some(body) = ask.body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let mut answer = request.send().await.map_err(no_line)?;
        let status = answer.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(no_line)? {
            if bytes.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(AskError::NoLine);
            }
            bytes.extend_from_slice(&piece);
        }
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| AskError::NoLine)?;
        if (200..300).contains(&status) {
            return Ok(value);
        }
        let code = value["code"].as_u64().and_then(|code| u32::try_from(code).ok());
        let (Some(code), Some(kind)) = (code, value["type"].as_str()) else {
            return Err(AskError::NoLine);
        };
        Err(AskError::Refused(Refusal {
            status,
            code,
            name: kind.rsplit(['/', ':']).next().unwrap_or(kind).to_owned(),
            told: value["title"].as_str().unwrap_or("").to_owned(),
        }))
    }

    async fn sale(&self, order: &Order) -> SaleOutcome {
        let reference = order.reference(&self.name);
        let mut body = json!({
            "msisdn": order.number.to_string(), "amount": order.paid.exact(), "channel": "kiosk",
            // Whoever pays again means it.
            "again": true,
        });
        if !order.bundle.is_empty() {
            body["bundle"] = json!(order.bundle);
        }
        if let Some(device) = &self.device {
            body["device"] = json!(device);
        }
        let asked = Ask {
            method: Method::POST,
            once: Some(reference.clone()),
            body: Some(body),
            within: SALE_MAX,
            ..Ask::get(format!("/v1/sellers/me/sales?wait={SALE_WAIT_S}"))
        };
        match self.ask(asked).await {
            Ok(sale) => self.outcome(&sale).await,
            Err(AskError::NoLine) => SaleOutcome::NoLine,
            Err(AskError::Refused(refusal)) if refusal.is_for_now() => SaleOutcome::Refused(refusal),
            // It may have been taken when it was sent before, and the number is gone since: only the server knows.
            Err(AskError::Refused(refusal)) => {
                match self
                    .ask(Ask::get(format!("/v1/topups?external_id={reference}")))
                    .await
                {
                    Ok(known) => self.outcome(&known).await,
                    Err(AskError::Refused(unknown)) if unknown.status == 404 => SaleOutcome::Refused(refusal),
                    Err(_) => SaleOutcome::NoLine,
                }
            }
        }
    }

    async fn outcome(&self, sale: &Value) -> SaleOutcome {
        match sale["state"].as_str() {
            Some("COMPLETED" | "REVERSED") => {
                let receipt = text(&sale["receipt"]);
                let tax = sale["price"]["tax"].as_array().into_iter().flatten();
                SaleOutcome::Credited(Credited {
                    verify: self.verify_address(&receipt).await,
                    receipt,
                    tax: tax.map(|line| money(&line["amount"])).sum(),
                    credited: money(&sale["price"]["net_credit"]),
                    bundle: match (sale.get("bundle"), sale.get("bundle_reason")) {
                        (Some(_), _) => Some(true),
                        (None, Some(_)) => Some(false),
                        (None, None) => None,
                    },
                })
            }
            Some("DECLINED") => SaleOutcome::Refused(Refusal {
                status: 422,
                code: sale["reason"]["code"]
                    .as_u64()
                    .and_then(|code| u32::try_from(code).ok())
                    .unwrap_or(0),
                // A name of its own: whatever the reason is, this top-up has ended.
                name: "declined".to_owned(),
                told: String::new(),
            }),
            Some(_) => SaleOutcome::Pending,
            None => SaleOutcome::NoLine,
        }
    }

    /// Where the receipt can be checked; the receipt may be a moment behind its sale.
    async fn verify_address(&self, receipt: &str) -> String {
        let began = Instant::now();
        while !receipt.is_empty() && began.elapsed() < RECEIPT_MAX {
            if let Ok(found) = self.ask(Ask::get(format!("/v1/receipts/{receipt}"))).await {
                return text(&found["verify_url"]);
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        String::new()
    }

    async fn stands(&self) -> Result<Standing, AskError> {
        let me = self.ask(Ask::get("/v1/sellers/me".to_owned())).await?;
        let list = self.ask(Ask::get("/v1/operators".to_owned())).await?;
        let operators: Result<Vec<OperatorBrief>, _> = serde_json::from_value(list["operators"].clone());
        Ok(Standing {
            float: money(&me["float"]),
            open: me["open"].as_bool().unwrap_or(false),
            bounds: (money(&me["limits"]["minimum"]), money(&me["limits"]["maximum"])),
            operators: operators.map_err(|_| AskError::NoLine)?,
        })
    }

    async fn offered(&self, operator: &str, language: Language) -> Result<Vec<Bundle>, AskError> {
        let asked = Ask {
            language,
            ..Ask::get(format!("/v1/operators/{operator}/bundles"))
        };
        let list = self.ask(asked).await?;
        let bundles = list["bundles"].as_array().into_iter().flatten();
        Ok(bundles
            .map(|bundle| Bundle {
                code: text(&bundle["code"]),
                name: text(&bundle["name"]),
                price: money(&bundle["price"]),
                validity: text(&bundle["validity"]),
                buckets: bundle["buckets"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|bucket| Some((unit(bucket["unit"].as_str()?)?, bucket["amount"].as_i64()?)))
                    .collect(),
            })
            .collect())
    }

    async fn priced(&self, number: Msisdn, goods: &Goods, language: Language) -> Result<Quote, AskError> {
        let mut body = json!({"msisdn": number.to_string(), "channel": "kiosk"});
        match goods {
            Goods::Amount(amount) => body["amount"] = json!(amount.exact()),
            Goods::Bundle(bundle) => body["bundle"] = json!(bundle),
        }
        let asked = Ask {
            method: Method::POST,
            body: Some(body),
            language,
            ..Ask::get("/v1/quotes".to_owned())
        };
        let quote = self.ask(asked).await?;
        let tax = quote["tax"].as_array().into_iter().flatten();
        Ok(Quote {
            gross: money(&quote["gross"]),
            tax: tax.map(|line| money(&line["amount"])).sum(),
            credited: money(&quote["net_credit"]),
            elsewhere: quote["elsewhere"].as_bool().unwrap_or(false),
        })
    }
}

impl Operator for Line {
    fn sell<'a>(&'a self, order: &'a Order) -> Later<'a, SaleOutcome> {
        Box::pin(self.sale(order))
    }

    fn standing(&self) -> Later<'_, Result<Standing, AskError>> {
        Box::pin(self.stands())
    }

    fn report(&self, report: Report) -> Later<'_, bool> {
        Box::pin(async move {
            let body = json!({
                "in_box": report.in_box.exact(), "waiting": report.waiting.exact(), "owed": report.owed.exact(),
                "stuck": report.stuck.exact(),
            });
            let asked = Ask {
                method: Method::PUT,
                body: Some(body),
                ..Ask::get(format!("/v1/sellers/me/kiosks/{}", self.name))
            };
            self.ask(asked).await.is_ok()
        })
    }

    fn look_up(&self, number: Msisdn, language: Language) -> Later<'_, Result<Known, AskError>> {
        Box::pin(async move {
            let asked = Ask {
                language,
                ..Ask::get(format!("/v1/lookup/{number}"))
            };
            let found = self.ask(asked).await?;
            Ok(Known {
                operator: text(&found["operator"]["code"]),
                rechargeable: found["rechargeable"].as_bool().unwrap_or(false),
            })
        })
    }

    fn bundles<'a>(
        &'a self,
        operator: &'a str,
        language: Language,
    ) -> Later<'a, Result<Vec<Bundle>, AskError>> {
        Box::pin(self.offered(operator, language))
    }

    fn quote<'a>(
        &'a self,
        number: Msisdn,
        goods: &'a Goods,
        language: Language,
    ) -> Later<'a, Result<Quote, AskError>> {
        Box::pin(self.priced(number, goods, language))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("").to_owned()
}

fn money(value: &Value) -> Money {
    serde_json::from_value::<Amount>(value.clone()).map_or(Money::ZERO, |amount| amount.0)
}

fn unit(name: &str) -> Option<Unit> {
    [Unit::Money, Unit::Octets, Unit::Seconds, Unit::Messages]
        .into_iter()
        .find(|unit| unit.name() == name)
}
