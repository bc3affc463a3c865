//! Money that comes into our bank account: transfers by 1LINK IBFT and Raast, and the Raast QR that asks for one.
//!
//! The payer types a reference ([`crate::reference`]) or scans a QR that carries it; the bank tells us of each credit. No
//! bank's merchant interface is public, so this is a profile of our own (reference payments 2.5, 2.6): fields and amounts as in
//! IBFT, notifications signed `t=,v1=` or credentialled, an inquiry for credits, and returns. An adapter for a bank is a
//! change of this file alone.
//!
//! A credit is known by its date and RRN, so the same one told twice is one. What names no payment is
//! [`Told::Unmatched`]: it waits in suspense and goes back by [`Rail::return_unmatched`].
//!
//! # Layout
//! * [`Bank`]: transfers. [`Raast`]: the QR over the same account. `account`: calls to the bank, notifications.

mod account;

use crate::base::Base;
use crate::http::{HttpRequest, Later, Transport};
use crate::pkr::paisa;
use crate::rail::{Begun, Heard, Order, Rail, RailError, SettlementLine, Told};
use crate::secret::Secret;
use crate::settlement::Profile as StatementProfile;
use crate::{raast_qr, reference};
use charge::payment::{Price, Statement};
use charge::time::{MINUTE, SECOND};
use charge::{Code, Timestamp};
use serde::Deserialize;
use std::sync::Arc;

/// So long after the deadline a transfer may still be on its way to us.
const GRACE_US: i64 = 10 * MINUTE;

/// Our account at a bank.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name in configuration, ledger and URLs.
    #[serde(default = "default_code")]
    pub code: String,
    /// Other rails that are paid into the same account.
    #[serde(default = "default_settles")]
    pub settles: Vec<String>,
    /// Title of the account, as the payer's bank shows it.
    pub title: String,
    /// Its IBAN.
    pub iban: String,
    /// The bank's name.
    pub bank: String,
    /// The bank's API; without it nothing can be asked or returned, and credits are learned from notifications and statements.
    #[serde(default)]
    pub host: Option<Base>,
    /// User of the API.
    #[serde(default)]
    pub username: String,
    /// Its password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Signs our requests.
    #[serde(default)]
    pub request_key: Option<Secret>,
    /// Secrets of signed notifications.
    #[serde(default)]
    pub notify_secrets: Vec<Secret>,
    /// User and password in the headers of notifications, for banks that do not sign.
    #[serde(default)]
    pub notify_credentials: Option<Credentials>,
    /// Money that names no payment goes back after so many seconds.
    #[serde(default = "default_return_after_s")]
    pub return_after_s: i64,
    /// Without an API: a payment of which nothing was heard so long after its deadline is over.
    #[serde(default = "default_silence_s")]
    pub silence_s: i64,
    /// How the account statement looks. The column of the payment may be the free text of the payer.
    #[serde(default = "default_statement")]
    pub statement: StatementProfile,
}

/// User and password.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Header `username`.
    pub username: Secret,
    /// Header `password`.
    pub password: Secret,
}

fn default_code() -> String {
    "bank".to_owned()
}
fn default_settles() -> Vec<String> {
    vec!["raast".to_owned()]
}
fn default_return_after_s() -> i64 {
    24 * 3600
}
fn default_silence_s() -> i64 {
    48 * 3600
}
fn default_statement() -> StatementProfile {
    let kinds = [
        ("credit", "payment"),
        ("return", "refund"),
        ("reversal", "chargeback"),
    ];
    StatementProfile {
        payment: "note".to_owned(),
        kinds: kinds
            .map(|(word, kind)| (word.to_owned(), kind.to_owned()))
            .into(),
        ..StatementProfile::default()
    }
}

/// Transfers into the account.
pub struct Bank {
    config: Config,
    code: Code,
    settles: Vec<Code>,
}

impl Bank {
    /// A rail from its configuration.
    ///
    /// # Errors
    /// [`RailError::Configuration`] with what is wrong.
    pub fn new(config: Config) -> Result<Bank, RailError> {
        let wrong = |what: &str| RailError::Configuration(format!("bank: {what}"));
        if !crate::pan::is_iban(&config.iban) {
            return Err(wrong("iban is not one"));
        }
        if config.notify_secrets.is_empty() && config.notify_credentials.is_none() {
            return Err(wrong("notify-secrets or notify-credentials are needed"));
        }
        if config.host.is_some() && (config.password.is_none() || config.request_key.is_none()) {
            return Err(wrong("host needs password and request-key"));
        }
        if config.return_after_s <= 0 || config.silence_s <= 0 {
            return Err(wrong("times must be positive"));
        }
        let named = |name: &String| {
            Code::new(name)
                .filter(|code| !code.is_empty())
                .ok_or_else(|| wrong("code"))
        };
        Ok(Bank {
            code: named(&config.code)?,
            settles: config.settles.iter().map(named).collect::<Result<_, _>>()?,
            config,
        })
    }

    fn lines(&self, order: &Order) -> Result<Vec<(&'static str, String)>, RailError> {
        paisa(order.price)?;
        let groups = self.config.iban.as_bytes().chunks(4).map(String::from_utf8_lossy);
        Ok(vec![
            ("transfer-title", self.config.title.clone()),
            ("transfer-iban", groups.collect::<Vec<_>>().join(" ")),
            ("transfer-bank", self.config.bank.clone()),
            ("transfer-reference", reference::shown(order.id)),
            ("transfer-amount", order.price.amount.shown()),
            ("transfer-deadline", crate::time::rfc3339(order.expires_at)),
        ])
    }

    fn show(&self, order: &Order, qr: Option<String>) -> Result<Begun, RailError> {
        Ok(Begun::Show {
            lines: self.lines(order)?,
            qr,
            said: Statement::Presented {
                reference: reference::compact(order.id),
            },
        })
    }

    async fn ask(&self, io: &dyn Transport, order: &Order, now: Timestamp) -> Result<Statement, RailError> {
        if self.config.host.is_none() {
            let over = now > order.expires_at.plus(self.config.silence_s * SECOND);
            return Ok(if over {
                Statement::Expired
            } else {
                Statement::AwaitingCash
            });
        }
        let found = self.search(io, order.id, now).await?;
        let credits = match found {
            Ok(credits) => credits,
            Err(code) => return Ok(account::pending(&code)),
        };
        if let Some(credit) = credits.iter().find(|credit| credit.booked) {
            return Ok(Statement::Succeeded {
                paid: credit.paid,
                reference: credit.reference.clone(),
            });
        }
        if !credits.is_empty() {
            return Ok(account::pending("IN PROCESS"));
        }
        let over = now > order.expires_at.plus(GRACE_US);
        Ok(if over {
            Statement::Expired
        } else {
            Statement::AwaitingCash
        })
    }

    async fn give_back(
        &self,
        io: &dyn Transport,
        order: &Order,
        amount: Price,
        now: Timestamp,
    ) -> Result<Statement, RailError> {
        paisa(amount)?;
        if order.reference.is_empty() {
            return Err(RailError::NotTaken("nothing was paid"));
        }
        self.send_back(io, &format!("{}-R", order.id), &order.reference, amount, now)
            .await
    }
}

impl Rail for Bank {
    fn code(&self) -> Code {
        self.code
    }

    fn settles(&self, other: Code) -> bool {
        other == self.code || self.settles.contains(&other)
    }

    fn begin<'a>(
        &'a self,
        _io: &'a dyn Transport,
        order: &'a Order,
        _now: Timestamp,
    ) -> Later<'a, Result<Begun, RailError>> {
        Box::pin(async move { self.show(order, None) })
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

    fn return_after_s(&self) -> Option<i64> {
        self.config.host.is_some().then_some(self.config.return_after_s)
    }

    fn return_unmatched<'a>(
        &'a self,
        io: &'a dyn Transport,
        reference: &'a str,
        paid: Price,
        now: Timestamp,
    ) -> Later<'a, Result<Statement, RailError>> {
        Box::pin(async move {
            paisa(paid)?;
            self.send_back(io, &account::unmatched_id(reference), reference, paid, now)
                .await
        })
    }

    fn callback<'a>(
        &'a self,
        _io: &'a dyn Transport,
        what: &'a str,
        request: &'a HttpRequest,
        now: Timestamp,
    ) -> Later<'a, Result<Heard, RailError>> {
        Box::pin(async move { self.hear(what, request, now) })
    }

    /// Nobody comes back from a bank.
    fn returned(&self, _request: &HttpRequest, _now: Timestamp) -> Result<Heard, RailError> {
        Err(RailError::Unsupported)
    }

    fn settlement(&self, file: &[u8]) -> Result<Vec<SettlementLine>, RailError> {
        self.config.statement.read(file)
    }
}

/// A Raast QR, paid into the account of a [`Bank`].
pub struct Raast {
    code: Code,
    profile: raast_qr::Profile,
    bank: Arc<Bank>,
}

impl Raast {
    /// A rail named `code` over an account that settles it.
    ///
    /// # Errors
    /// [`RailError::Configuration`] when the profile does not make a code, or the account does not settle this rail.
    pub fn new(code: &str, profile: raast_qr::Profile, bank: Arc<Bank>) -> Result<Raast, RailError> {
        let wrong = |what: String| RailError::Configuration(format!("raast: {what}"));
        profile.check().map_err(|error| wrong(error.to_string()))?;
        let code = Code::new(code).filter(|code| bank.settles(*code));
        let code = code.ok_or_else(|| wrong("the bank does not settle this rail".to_owned()))?;
        Ok(Raast { code, profile, bank })
    }

    fn show(&self, order: &Order) -> Result<Begun, RailError> {
        paisa(order.price)?;
        let text = self
            .profile
            .encode(order.price.amount, &reference::compact(order.id));
        let text = text.map_err(|_| RailError::NotTaken("it does not fit into a QR"))?;
        self.bank.show(order, Some(text))
    }
}

impl Rail for Raast {
    fn code(&self) -> Code {
        self.code
    }

    fn settles(&self, other: Code) -> bool {
        self.bank.settles(other)
    }

    fn begin<'a>(
        &'a self,
        _io: &'a dyn Transport,
        order: &'a Order,
        _now: Timestamp,
    ) -> Later<'a, Result<Begun, RailError>> {
        Box::pin(async move { self.show(order) })
    }

    fn inquire<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        now: Timestamp,
    ) -> Later<'a, Result<Statement, RailError>> {
        self.bank.inquire(io, order, now)
    }

    fn refund<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        amount: Price,
        now: Timestamp,
    ) -> Later<'a, Result<Statement, RailError>> {
        self.bank.refund(io, order, amount, now)
    }

    fn callback<'a>(
        &'a self,
        io: &'a dyn Transport,
        what: &'a str,
        request: &'a HttpRequest,
        now: Timestamp,
    ) -> Later<'a, Result<Heard, RailError>> {
        self.bank.callback(io, what, request, now)
    }

    fn returned(&self, request: &HttpRequest, now: Timestamp) -> Result<Heard, RailError> {
        self.bank.returned(request, now)
    }

    fn settlement(&self, file: &[u8]) -> Result<Vec<SettlementLine>, RailError> {
        self.bank.settlement(file)
    }
}

/// What a credit proves: a payment, or money that waits for an owner.
fn told(about: Option<charge::payment::PaymentId>, paid: Price, reference: String, note: &str) -> Told {
    match about {
        Some(_) => Told::Said(Statement::Succeeded { paid, reference }),
        None => Told::Unmatched {
            paid,
            reference,
            note: note.chars().take(140).collect(),
        },
    }
}
