//! Cards by the hosted page of a payment service provider (PSP). The payer types the card there, and 3-D Secure happens there:
//! no card number ever reaches us.
//!
//! The wire format is Stripe's, which several PSPs speak: checkout sessions, refunds, events signed `t=,v1=` (reference
//! payments 2.4). Our requests also carry a signature of the same shape, for PSPs that ask for one.
//!
//! # Layout
//! * [`Config`], [`Card`] are here. `meaning`: sessions, refunds and decline codes.
//!   `stored`: cards left with the PSP. [`signature`]: `t=,v1=`.

mod meaning;
pub mod signature;
mod stored;

use crate::base::Base;
use crate::form::{encode, escaped};
use crate::http::{HttpAnswer, HttpRequest, Later, Method, Transport};
use crate::json::JsonAnswer;
use crate::limits::{BODY_BYTES_MAX, CALL_MS};
use crate::rail::{
    Begun, Enrolling, Enrolment, Heard, Mandate, Order, Rail, RailError, SettlementLine, Stored, Told,
};
use crate::secret::Secret;
use crate::settlement::Profile;
use charge::catalog::Language;
use charge::payment::{Currency, Price, Statement};
use charge::time::DAY;
use charge::{Code, Timestamp};
use meaning::Session;
use serde::Deserialize;
use serde_json::Value;

/// How long the PSP remembers an idempotency key.
const KEY_US: i64 = DAY;
/// Most secrets that are valid at the same time, while one is being replaced.
const SECRETS_MAX: usize = 4;

/// An account at a PSP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name in configuration, ledger and URLs.
    #[serde(default = "default_code")]
    pub code: String,
    /// Address of the PSP's API.
    pub host: Base,
    /// Beginning of the addresses of its hosted pages, when they are elsewhere.
    #[serde(default)]
    pub page: Option<Base>,
    /// Key of the API.
    pub api_key: Secret,
    /// Signs our requests.
    pub request_key: Secret,
    /// Secrets of the webhook: the present one, and while it is being replaced the next one too.
    pub webhook_secrets: Vec<Secret>,
    /// Header of the webhook's signature.
    #[serde(default = "default_header")]
    pub signature_header: String,
    /// What is charged.
    #[serde(default = "default_currency")]
    pub currency: String,
    /// How the settlement file looks.
    #[serde(default)]
    pub settlement: Profile,
}

fn default_code() -> String {
    "card".to_owned()
}
fn default_header() -> String {
    "stripe-signature".to_owned()
}
fn default_currency() -> String {
    "PKR".to_owned()
}

/// The rail.
pub struct Card {
    config: Config,
    code: Code,
    currency: Currency,
}

impl Card {
    /// A rail from its configuration.
    ///
    /// # Errors
    /// [`RailError::Configuration`] with what is wrong.
    pub fn new(config: Config) -> Result<Card, RailError> {
        let wrong = |what: &str| RailError::Configuration(format!("card: {what}"));
        if !(1..=SECRETS_MAX).contains(&config.webhook_secrets.len()) {
            return Err(wrong("one to four webhook-secrets are needed"));
        }
        let code = Code::new(&config.code).filter(|code| !code.is_empty());
        Ok(Card {
            code: code.ok_or_else(|| wrong("code"))?,
            currency: Currency::parse(&config.currency).ok_or_else(|| wrong("currency"))?,
            config,
        })
    }

    async fn call(
        &self,
        io: &dyn Transport,
        path: &str,
        form: Option<(&str, Vec<(&str, String)>)>,
        now: Timestamp,
    ) -> Result<JsonAnswer, RailError> {
        let (method, key, body) = match form {
            Some((key, fields)) => (Method::Post, Some(key), encode(&fields)),
            None => (Method::Get, None, String::new()),
        };
        let name = if method == Method::Post { "POST" } else { "GET" };
        let signed = format!("{name} {path}\n{body}");
        let header = |name: &str, value: String| (name.to_owned(), value);
        let mut headers = vec![
            header(
                "authorization",
                format!("Bearer {}", self.config.api_key.expose()),
            ),
            header(
                "request-signature",
                signature::sign(&self.config.request_key, signed.as_bytes(), now),
            ),
        ];
        if let Some(key) = key {
            headers.push(header(
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            ));
            headers.push(header("idempotency-key", key.to_owned()));
        }
        let request = HttpRequest {
            method,
            url: self.config.host.url(path),
            headers,
            body: body.into_bytes(),
            timeout_ms: CALL_MS,
        };
        JsonAnswer::to(io, request)
            .await?
            .let_in("card: the PSP refuses our key")
    }

    async fn create(
        &self,
        io: &dyn Transport,
        order: &Order,
        now: Timestamp,
    ) -> Result<JsonAnswer, RailError> {
        let id = order.id.to_string();
        let description: String = order
            .description
            .chars()
            .filter(|letter| !letter.is_control())
            .take(200)
            .collect();
        let description = if description.trim().is_empty() {
            id.clone()
        } else {
            description
        };
        let fields = vec![
            ("mode", "payment".to_owned()),
            ("client_reference_id", id.clone()),
            ("success_url", order.back("ok")),
            ("cancel_url", order.back("no")),
            ("expires_at", order.expires_at.seconds().to_string()),
            ("locale", locale(order.language).to_owned()),
            ("line_items[0][quantity]", "1".to_owned()),
            (
                "line_items[0][price_data][currency]",
                self.currency.as_str().to_ascii_lowercase(),
            ),
            (
                "line_items[0][price_data][unit_amount]",
                self.minor(order.price)?.to_string(),
            ),
            ("line_items[0][price_data][product_data][name]", description),
            ("payment_intent_data[metadata][payment]", id.clone()),
        ];
        self.call(io, "/v1/checkout/sessions", Some((&id, fields)), now)
            .await
    }

    async fn read(&self, io: &dyn Transport, order: &Order, now: Timestamp) -> Result<JsonAnswer, RailError> {
        let path = format!(
            "/v1/checkout/sessions/{}?expand%5B%5D=payment_intent.latest_charge",
            segment(&order.presented)?
        );
        self.call(io, &path, None, now).await
    }

    /// The session, made if it was not: within the life of its key the same request gives the same session.
    async fn session(
        &self,
        io: &dyn Transport,
        order: &Order,
        now: Timestamp,
    ) -> Result<JsonAnswer, RailError> {
        if !order.presented.is_empty() {
            return self.read(io, order, now).await;
        }
        if now >= order.created_at.plus(KEY_US) {
            return Err(RailError::NotTaken("the order is too old"));
        }
        self.create(io, order, now).await
    }

    async fn begin_session(
        &self,
        io: &dyn Transport,
        order: &Order,
        now: Timestamp,
    ) -> Result<Begun, RailError> {
        self.minor(order.price)?;
        let answer = self.session(io, order, now).await?;
        if answer.status != 200 {
            return Ok(Begun::Said(meaning::of_refusal(answer.status, &answer.body)));
        }
        let session = Session::read(&answer.body, order)?;
        let Some(url) = session.url.clone().filter(|_| session.is_open()) else {
            return Ok(Begun::Said(session.statement()));
        };
        self.is_ours(&url)?;
        Ok(Begun::Redirect {
            url,
            said: Statement::Presented {
                reference: session.id,
            },
        })
    }

    /// Only the PSP's own pages are places to send somebody to.
    fn is_ours(&self, url: &str) -> Result<(), RailError> {
        let bases = [Some(&self.config.host), self.config.page.as_ref()];
        match bases
            .into_iter()
            .flatten()
            .any(|base| url.starts_with(&base.url("/")))
        {
            true => Ok(()),
            false => Err(RailError::NotGenuine("the link for the payer leads elsewhere")),
        }
    }

    async fn ask(&self, io: &dyn Transport, order: &Order, now: Timestamp) -> Result<Statement, RailError> {
        if meaning::is_intent(&order.presented) {
            return self.ask_intent(io, order, now).await;
        }
        if order.presented.is_empty() && now > order.expires_at {
            // Nobody was ever shown the page.
            return Ok(Statement::Expired);
        }
        let answer = self.session(io, order, now).await?;
        if answer.status != 200 {
            return Ok(meaning::of_refusal(answer.status, &answer.body));
        }
        let session = Session::read(&answer.body, order)?;
        if order.presented.is_empty() && session.is_open() {
            return Ok(Statement::Presented {
                reference: session.id,
            });
        }
        Ok(session.statement())
    }

    async fn give_back(
        &self,
        io: &dyn Transport,
        order: &Order,
        amount: Price,
        now: Timestamp,
    ) -> Result<Statement, RailError> {
        let minor = self.minor(amount)?;
        if order.reference.is_empty() {
            return Err(RailError::NotTaken("nothing was paid"));
        }
        let path = format!(
            "/v1/refunds?limit=100&payment_intent={}",
            segment(&order.reference)?
        );
        let known = self.call(io, &path, None, now).await?;
        if known.status != 200 {
            return Ok(meaning::pending(&format!("HTTP {}", known.status)));
        }
        let refunds = meaning::refunds_of(&known.body, order.id)?;
        if let Some(statement) = meaning::of_refunds(&refunds) {
            return Ok(statement);
        }
        let fields = vec![
            ("payment_intent", order.reference.clone()),
            ("amount", minor.to_string()),
            ("metadata[payment]", order.id.to_string()),
        ];
        // A refund that failed counts: asking once more is another request.
        let key = format!("{}-R{}", order.id, refunds.len());
        let answer = self.call(io, "/v1/refunds", Some((&key, fields)), now).await?;
        match answer.status {
            200 => Ok(meaning::of_refund(&answer.body)),
            status => Ok(meaning::of_refund_refusal(status, &answer.body)),
        }
    }

    async fn hear(
        &self,
        io: &dyn Transport,
        request: &HttpRequest,
        now: Timestamp,
    ) -> Result<Heard, RailError> {
        if request.body.len() > BODY_BYTES_MAX {
            return Err(RailError::Malformed("webhook too long"));
        }
        let header = request
            .header(&self.config.signature_header)
            .ok_or(RailError::NotGenuine("no signature"))?;
        signature::verify(&self.config.webhook_secrets, header, &request.body, now)?;
        let event: Value =
            serde_json::from_slice(&request.body).map_err(|_| RailError::Malformed("webhook is not JSON"))?;
        let object = &event["data"]["object"];
        let told = meaning::of_event(event["type"].as_str().unwrap_or_default(), object);
        let mut about = meaning::payment_of(object);
        if about.is_none() && told != Told::Ask {
            // Disputes name the payment intent only.
            if let Some(intent) = object["payment_intent"].as_str() {
                let path = format!("/v1/payment_intents/{}", segment(intent)?);
                about = meaning::payment_of(&self.call(io, &path, None, now).await?.body);
            }
        }
        Ok(Heard {
            about,
            told: about.map_or(Told::Ask, |_| told),
            answer: HttpAnswer::empty(),
        })
    }

    fn minor(&self, price: Price) -> Result<i64, RailError> {
        if price.currency != self.currency {
            return Err(RailError::NotTaken("currency"));
        }
        crate::money::minor(price.amount).ok_or(RailError::NotTaken("amount"))
    }
}

impl Rail for Card {
    fn code(&self) -> Code {
        self.code
    }

    fn currency(&self) -> Currency {
        self.currency
    }

    fn mandate(&self) -> Option<Mandate> {
        Some(Mandate::Token)
    }

    fn enrol<'a>(
        &'a self,
        io: &'a dyn Transport,
        enrolment: &'a Enrolment,
        now: Timestamp,
    ) -> Later<'a, Result<Enrolling, RailError>> {
        Box::pin(Card::enrol(self, io, enrolment, now))
    }

    fn enrolled<'a>(
        &'a self,
        io: &'a dyn Transport,
        id: &'a str,
        session: &'a str,
        now: Timestamp,
    ) -> Later<'a, Result<Option<Stored>, RailError>> {
        Box::pin(Card::enrolled(self, io, (id, session), now))
    }

    fn begin<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        now: Timestamp,
    ) -> Later<'a, Result<Begun, RailError>> {
        Box::pin(async move {
            match &order.payer.token {
                Some(token) => self.charge(io, order, token, now).await,
                None => self.begin_session(io, order, now).await,
            }
        })
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
        self.config.settlement.read(file)
    }
}

fn segment(id: &str) -> Result<String, RailError> {
    if id.is_empty() || id.len() > 64 || id.contains("..") {
        return Err(RailError::Malformed("id"));
    }
    Ok(escaped(id))
}

/// Hosted pages have no Urdu; the browser's language decides then.
fn locale(language: Language) -> &'static str {
    match language {
        Language::En => "en",
        Language::Ur => "auto",
        Language::Zh => "zh",
    }
}
