//! PayPal, Orders v2: create, approve at PayPal, capture after the return, webhooks verified here, refund.
//!
//! PayPal does not take rupees: the order's price is in the configured currency, from a locked quote ([`crate::fx`]). The payer's
//! approval moves nothing; [`Rail::inquire`] captures what was approved, unless the order has expired. PayPal remembers
//! request ids for six hours only; after that, and before every refund, the order is read first (reference payments 2.3).
//!
//! # Layout
//! * `api`: token and calls. `meaning`: what statuses and issues mean. `webhook`: signature and events. `report`: settlement.

mod api;
mod meaning;
mod report;
mod webhook;

use crate::base::Base;
use crate::http::{HttpAnswer, HttpRequest, Later, Method, Transport};
use crate::json::JsonAnswer;
use crate::rail::{Begun, Heard, Order, Rail, RailError, SettlementLine, Told};
use crate::secret::Secret;
use api::Api;
use charge::catalog::Language;
use charge::payment::{Currency, Price, Statement};
use charge::time::HOUR;
use charge::{Code, Timestamp};
use meaning::Standing;
use serde::Deserialize;
use serde_json::{Value, json};
use webhook::{Roots, Verifier};

/// How long PayPal remembers a request id.
const REQUEST_ID_US: i64 = 6 * HOUR;

/// An account at PayPal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name in configuration, ledger and URLs.
    #[serde(default = "default_code")]
    pub code: String,
    /// `https://api-m.paypal.com`, or the address of a sandbox.
    pub host: Base,
    /// Client id of the REST app.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// Id of the webhook, as PayPal shows it.
    pub webhook_id: String,
    /// Name that the payer sees.
    pub brand_name: String,
    /// What is charged, for example `USD`.
    pub currency: String,
    /// Certificates that PayPal's webhook certificate must lead to, PEM.
    pub roots_pem: String,
    /// Name in the webhook certificate.
    #[serde(default = "default_certificate_name")]
    pub certificate_name: String,
    /// For a sandbox: certificates come from addresses below this one, and from nowhere else. Plain HTTP is taken from loopback
    /// only.
    #[serde(default)]
    pub sandbox_certificates: Option<String>,
    /// Webhooks sent longer ago than this are not believed; PayPal tries for three days.
    #[serde(default = "default_replay_s")]
    pub replay_s: i64,
}

fn default_code() -> String {
    "paypal".to_owned()
}

fn default_certificate_name() -> String {
    "messageverificationcerts.paypal.com".to_owned()
}

fn default_replay_s() -> i64 {
    73 * 3600
}

/// The rail.
pub struct PayPal {
    config: Config,
    code: Code,
    currency: Currency,
    api: Api,
    verifier: Verifier,
}

impl PayPal {
    /// A rail from its configuration.
    ///
    /// # Errors
    /// [`RailError::Configuration`] with what is wrong.
    pub fn new(config: Config) -> Result<PayPal, RailError> {
        let wrong = |what: &str| RailError::Configuration(format!("paypal: {what}"));
        let currency = Currency::parse(&config.currency).ok_or_else(|| wrong("currency"))?;
        if currency == Currency::PKR {
            return Err(wrong("PayPal does not take PKR"));
        }
        if config.client_id.is_empty() || config.webhook_id.is_empty() {
            return Err(wrong("client_id and webhook_id must be set"));
        }
        let verifier = Verifier::new(
            &config.webhook_id,
            Roots::parse(&config.roots_pem).map_err(|error| wrong(&error.to_string()))?,
            &config.certificate_name,
            config.sandbox_certificates.as_deref(),
            config.replay_s,
        )
        .map_err(|error| wrong(&error.to_string()))?;
        let code = Code::new(&config.code).filter(|code| !code.is_empty());
        Ok(PayPal {
            code: code.ok_or_else(|| wrong("code"))?,
            api: Api::new(&config),
            currency,
            verifier,
            config,
        })
    }

    async fn begin_order(
        &self,
        io: &dyn Transport,
        order: &Order,
        now: Timestamp,
    ) -> Result<Begun, RailError> {
        let known = if order.presented.is_empty() {
            self.create(io, order, now).await?
        } else {
            self.read(io, order, now).await?
        };
        let JsonAnswer { status, body } = known;
        if !matches!(status, 200 | 201) {
            return Ok(Begun::Said(meaning::of_refusal(status, &body)));
        }
        let standing = Standing::read(&body, order)?;
        if !standing.is_payable() {
            // Approved already: the next inquiry takes it.
            return Ok(Begun::Said(standing.statement(now > order.expires_at)));
        }
        let url = meaning::link(&body, &["payer-action", "approve"])
            .ok_or(RailError::Malformed("no link for the payer"))?;
        if !self.is_payer_page(&url) {
            return Err(RailError::NotGenuine("the link for the payer leads elsewhere"));
        }
        Ok(Begun::Redirect {
            url,
            said: Statement::Presented {
                reference: standing.order_id,
            },
        })
    }

    /// The payer is sent to PayPal only, or to the sandbox itself.
    fn is_payer_page(&self, url: &str) -> bool {
        crate::http::https_host(url).is_some_and(|host| host == "paypal.com" || host.ends_with(".paypal.com"))
            || url
                .strip_prefix(self.config.host.url("").as_str())
                .is_some_and(|rest| rest.starts_with('/'))
    }

    async fn create(
        &self,
        io: &dyn Transport,
        order: &Order,
        now: Timestamp,
    ) -> Result<JsonAnswer, RailError> {
        let id = order.id.to_string();
        let mut body = json!({
            "intent": "CAPTURE",
            "purchase_units": [{
                "reference_id": id,
                "custom_id": id,
                "invoice_id": id,
                "amount": self.amount(order.price)?,
            }],
            "payment_source": {"paypal": {"experience_context": {
                "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",
                "brand_name": self.config.brand_name,
                "locale": locale(order.language),
                "landing_page": "LOGIN",
                "shipping_preference": "NO_SHIPPING",
                "user_action": "PAY_NOW",
                "return_url": order.back("ok"),
                "cancel_url": order.back("no"),
            }}},
        });
        let description = words(&order.description);
        if !description.is_empty() {
            body["purchase_units"][0]["description"] = description.into();
        }
        self.api.post(io, "/v2/checkout/orders", &id, &body, now).await
    }

    async fn read(&self, io: &dyn Transport, order: &Order, now: Timestamp) -> Result<JsonAnswer, RailError> {
        let path = format!("/v2/checkout/orders/{}", api::segment(&order.presented)?);
        self.api.get(io, &path, now).await
    }

    async fn ask(&self, io: &dyn Transport, order: &Order, now: Timestamp) -> Result<Statement, RailError> {
        let answer = if !order.presented.is_empty() {
            self.read(io, order, now).await?
        } else if now < order.created_at.plus(REQUEST_ID_US) && now <= order.expires_at {
            // The answer to `begin` was lost: the same request id gives the same order.
            let answer = self.create(io, order, now).await?;
            if matches!(answer.status, 200 | 201) {
                let standing = Standing::read(&answer.body, order)?;
                if standing.is_payable() {
                    let reference = standing.order_id;
                    return Ok(Statement::Presented { reference });
                }
            }
            answer
        } else if now > order.expires_at {
            // Nobody was ever shown where to approve it, and only we capture.
            return Ok(Statement::Expired);
        } else {
            return Ok(meaning::pending("NOT_PRESENTED"));
        };
        match answer.status {
            200 | 201 => {
                let standing = Standing::read(&answer.body, order)?;
                self.standing(io, order, &standing, now).await
            }
            // PayPal forgets orders that nobody approved.
            404 if now > order.expires_at => Ok(Statement::Expired),
            status => Ok(meaning::of_refusal(status, &answer.body)),
        }
    }

    /// What the order's standing means, capturing it when it is approved and still wanted.
    async fn standing(
        &self,
        io: &dyn Transport,
        order: &Order,
        standing: &Standing,
        now: Timestamp,
    ) -> Result<Statement, RailError> {
        if standing.is_approved() && now <= order.expires_at {
            return self.capture(io, order, standing, now).await;
        }
        Ok(standing.statement(now > order.expires_at))
    }

    async fn capture(
        &self,
        io: &dyn Transport,
        order: &Order,
        standing: &Standing,
        now: Timestamp,
    ) -> Result<Statement, RailError> {
        let path = format!(
            "/v2/checkout/orders/{}/capture",
            api::segment(&standing.order_id)?
        );
        // One id for each approval: after a declined instrument the payer approves anew, and the answer must not be the old one.
        let request_id = format!("{}-C{}", order.id, standing.approval);
        let answer = self.api.post(io, &path, &request_id, &json!({}), now).await?;
        match answer.status {
            200 | 201 => Ok(Standing::read(&answer.body, order)?.statement(false)),
            422 if meaning::issue(&answer.body) == Some("ORDER_ALREADY_CAPTURED") => {
                let path = format!("/v2/checkout/orders/{}", api::segment(&standing.order_id)?);
                let answer = self.api.get(io, &path, now).await?;
                match answer.status {
                    200 => Ok(Standing::read(&answer.body, order)?.statement(false)),
                    status => Ok(meaning::of_refusal(status, &answer.body)),
                }
            }
            status => Ok(meaning::of_refusal(status, &answer.body)),
        }
    }

    async fn give_back(
        &self,
        io: &dyn Transport,
        order: &Order,
        amount: Price,
        now: Timestamp,
    ) -> Result<Statement, RailError> {
        if order.reference.is_empty() || order.presented.is_empty() {
            return Err(RailError::NotTaken("nothing was captured"));
        }
        let known = self.read(io, order, now).await?;
        let mut earlier = 0;
        match known.status {
            200 => {
                let refunds = Standing::read(&known.body, order)?.refunds;
                if let Some(statement) = meaning::of_refunds(&refunds) {
                    return Ok(statement);
                }
                earlier = refunds.len();
            }
            // Orders are kept for years, but the capture alone is enough within the life of a request id.
            404 => {}
            status => return Ok(meaning::of_refund_refusal(status, &known.body)),
        }
        let path = format!("/v2/payments/captures/{}/refund", api::segment(&order.reference)?);
        let body = json!({
            "amount": self.amount(amount)?,
            "custom_id": order.id.to_string(),
            "invoice_id": format!("{}-R{earlier}", order.id),
        });
        // A refund that failed counts: asking once more is another request.
        let request_id = format!("{}-R{earlier}", order.id);
        let answer = self.api.post(io, &path, &request_id, &body, now).await?;
        match answer.status {
            200 | 201 => Ok(meaning::of_refund(&answer.body)),
            status => Ok(meaning::of_refund_refusal(status, &answer.body)),
        }
    }

    async fn capture_of(
        &self,
        io: &dyn Transport,
        id: &str,
        now: Timestamp,
    ) -> Result<JsonAnswer, RailError> {
        let path = format!("/v2/payments/captures/{}", api::segment(id)?);
        self.api.get(io, &path, now).await
    }

    fn amount(&self, price: Price) -> Result<Value, RailError> {
        if price.currency != self.currency {
            return Err(RailError::NotTaken("currency"));
        }
        let value = crate::money::cents_text(price.amount).ok_or(RailError::NotTaken("amount"))?;
        Ok(json!({"currency_code": price.currency.as_str(), "value": value}))
    }

    async fn hear(
        &self,
        io: &dyn Transport,
        request: &HttpRequest,
        now: Timestamp,
    ) -> Result<Heard, RailError> {
        self.verifier.verify(io, request, now).await?;
        let event: Value =
            serde_json::from_slice(&request.body).map_err(|_| RailError::Malformed("webhook is not JSON"))?;
        let mut event = webhook::Event::read(&event);
        if let (None, Some(capture)) = (event.about, &event.capture) {
            // Events about money that went back name the capture only.
            event.about = meaning::payment_of(&self.capture_of(io, capture, now).await?.body);
        }
        if matches!(event.told, Told::Said(Statement::Succeeded { .. })) {
            // The signature covers no more of the body than a CRC-32, to which another body can be made. Who has one genuine
            // message must not be able to make a success of it, so the capture is read.
            let capture = self.capture_of(io, &event.resource_id, now).await?;
            event.about = meaning::payment_of(&capture.body);
            event.told = match capture.status {
                200 => Told::Said(meaning::of_capture_event(&capture.body)),
                _ => Told::Ask,
            };
        }
        Ok(Heard {
            about: event.about,
            told: event.about.map_or(Told::Ask, |_| event.told),
            answer: HttpAnswer::empty(),
        })
    }
}

impl Rail for PayPal {
    fn code(&self) -> Code {
        self.code
    }

    fn currency(&self) -> Currency {
        self.currency
    }

    fn begin<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        now: Timestamp,
    ) -> Later<'a, Result<Begun, RailError>> {
        Box::pin(self.begin_order(io, order, now))
    }

    fn inquire<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        now: Timestamp,
    ) -> Later<'a, Result<Statement, RailError>> {
        Box::pin(self.ask(io, order, now))
    }

    fn refund<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        amount: Price,
        now: Timestamp,
    ) -> Later<'a, Result<Statement, RailError>> {
        Box::pin(self.give_back(io, order, amount, now))
    }

    fn callback<'a>(
        &'a self,
        io: &'a dyn Transport,
        what: &'a str,
        request: &'a HttpRequest,
        now: Timestamp,
    ) -> Later<'a, Result<Heard, RailError>> {
        Box::pin(async move {
            if what != "webhook" || request.method != Method::Post {
                return Err(RailError::Unsupported);
            }
            self.hear(io, request, now).await
        })
    }

    fn settlement(&self, file: &[u8]) -> Result<Vec<SettlementLine>, RailError> {
        report::read(file)
    }
}

/// Words as PayPal takes them: 127 letters, none that controls.
fn words(text: &str) -> String {
    let plain = text.chars().filter(|letter| !letter.is_control());
    plain.take(127).collect::<String>().trim().to_owned()
}

/// PayPal has no Urdu pages.
fn locale(language: Language) -> &'static str {
    match language {
        Language::En | Language::Ur => "en-US",
        Language::Zh => "zh-CN",
    }
}
