//! JazzCash: hosted page v1.1, mobile wallet v2, inquiry, refund, IPN, settlement file (reference payments 2.1).
//!
//! What counts as paid: an inquiry of ours, answered under the secure hash, that says `Completed`. It names no amount, so
//! the amount is the one under our own hash in the order, unless the answer or a signed IPN names another: then that one is
//! told, and the payment does not match. A browser return is never more than a reason to ask, except for failures under
//! the hash.
//!
//! Not here: cards from server to server (their number would reach us), and the SOAP form of the IPN, whose WSDL nobody
//! publishes.
//!
//! # Layout
//! * [`Config`] and [`JazzCash`] are here. `hash`: the secure hash. `flow`: what the answers mean. `codes.txt`: the codes.

mod flow;
mod hash;
#[cfg(test)]
mod tests;

use crate::base::Base;
use crate::codes::{Codes, CodesError};
use crate::http::{HttpAnswer, HttpRequest, Later, Transport};
use crate::rail::{Begun, Heard, Mandate, Need, Order, Rail, RailError, SettlementLine, Told};
use crate::settlement::Profile;
use crate::{Secret, pkr};
use charge::payment::{PaymentId, Price, Statement};
use charge::time::{DAY, MINUTE};
use charge::{Code, Timestamp};
use hash::Message;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The hosted page takes no expiry later than this (three months).
const EXPIRY_MAX: i64 = 90 * DAY;
/// So long after its expiry an order that JazzCash does not know is believed to be over.
const EXPIRY_GRACE: i64 = 10 * MINUTE;
/// Longest description.
const DESCRIPTION_MAX: usize = 200;
/// The field in which the hosted page echoes the amount that we asked for.
const ECHO: &str = "ppmpf_1";

/// How payers pay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// On JazzCash's page: wallet, card or voucher.
    #[default]
    HostedPage,
    /// With the wallet's number and the last six digits of the identity card; the PIN is asked for on the handset.
    Wallet,
}

/// A merchant's account at JazzCash.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name in configuration, ledger and URLs. Two flows are two rails with two names.
    #[serde(default = "default_code")]
    pub code: String,
    /// `https://payments.jazzcash.com.pk`, or a sandbox.
    pub host: Base,
    /// How payers pay.
    #[serde(default)]
    pub flow: Flow,
    /// `pp_MerchantID`.
    pub merchant_id: String,
    /// `pp_SubMerchantID`; usually empty.
    #[serde(default)]
    pub sub_merchant_id: String,
    /// `pp_Password`.
    pub password: Secret,
    /// The integrity salt.
    pub salt: Secret,
    /// The merchant's MPIN. Without it there are no refunds through the rail.
    #[serde(default)]
    pub mpin: Option<Secret>,
    /// `pp_TxnType` of the hosted page: `MWALLET`, `OTC`, `MPAY`, `MIGS`, `DD`, `PAY`; empty lets the payer choose.
    #[serde(default)]
    pub transaction_type: String,
    /// `pp_BankID` of the hosted page.
    #[serde(default = "default_bank")]
    pub bank_id: String,
    /// `pp_ProductID` of the hosted page.
    #[serde(default = "default_product")]
    pub product_id: String,
    /// Codes that are not in our table yet, or mean something else to this merchant: code to meaning (see [`crate::codes`]).
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
    /// How the settlement file looks.
    #[serde(default)]
    pub settlement: Profile,
}

fn default_code() -> String {
    "jazzcash".to_owned()
}
fn default_bank() -> String {
    "TBANK".to_owned()
}
fn default_product() -> String {
    "RETL".to_owned()
}

/// The rail.
pub struct JazzCash {
    config: Config,
    code: Code,
    codes: Codes,
}

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The name.
    #[error("the name of the rail is 1 to 23 letters")]
    Code,
    /// The code table.
    #[error(transparent)]
    Codes(#[from] CodesError),
}

impl JazzCash {
    /// A rail for a merchant's account.
    ///
    /// # Errors
    /// [`ConfigError`] with what is wrong.
    pub fn new(config: Config) -> Result<JazzCash, ConfigError> {
        let code = Code::new(&config.code).filter(|code| !code.is_empty());
        Ok(JazzCash {
            code: code.ok_or(ConfigError::Code)?,
            codes: Codes::new(include_str!("codes.txt"), &config.codes)?,
            config,
        })
    }

    /// The form that the payer's browser sends to the hosted page.
    fn page_form(&self, order: &Order) -> Result<Vec<(String, String)>, RailError> {
        let config = &self.config;
        let amount = pkr::paisa(order.price)?.to_string();
        if order.expires_at.0.saturating_sub(order.created_at.0) > EXPIRY_MAX {
            return Err(RailError::NotTaken("expires too late"));
        }
        let id = order.id.to_string();
        let description = description(&order.description);
        let (made, expires) = (stamp(order.created_at), stamp(order.expires_at));
        let fields = [
            ("pp_Version", "1.1"),
            ("pp_TxnType", config.transaction_type.as_str()),
            ("pp_Language", "EN"),
            ("pp_MerchantID", &config.merchant_id),
            ("pp_SubMerchantID", &config.sub_merchant_id),
            ("pp_Password", config.password.expose()),
            ("pp_BankID", &config.bank_id),
            ("pp_ProductID", &config.product_id),
            ("pp_TxnRefNo", &id),
            ("pp_Amount", &amount),
            ("pp_TxnCurrency", "PKR"),
            ("pp_TxnDateTime", &made),
            ("pp_BillReference", &id),
            ("pp_Description", &description),
            ("pp_TxnExpiryDateTime", &expires),
            ("pp_ReturnURL", &order.return_url),
            (ECHO, &amount),
        ];
        Ok(self.signed(&fields))
    }

    /// The fields with their hash.
    fn signed(&self, fields: &[(&str, &str)]) -> Vec<(String, String)> {
        let hash = hash::sign(&self.config.salt, fields.iter().copied());
        let mut signed: Vec<(String, String)> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        signed.push((hash::HASH.to_owned(), hash));
        signed
    }
}

/// Pakistan time as JazzCash writes it.
fn stamp(at: Timestamp) -> String {
    pkr::pkt("%Y%m%d%H%M%S", at)
}

/// What the payer reads: characters that JazzCash refuses, and control characters, become spaces.
fn description(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|letter| match letter {
            '<' | '>' | '*' | '=' | '%' | '/' | ':' | '\'' | '|' | '"' | '{' | '}' | '&' => ' ',
            letter if letter.is_control() => ' ',
            letter => letter,
        })
        .take(DESCRIPTION_MAX)
        .collect();
    match text.trim() {
        "" => "Recharge".to_owned(),
        _ => text,
    }
}

impl Rail for JazzCash {
    fn code(&self) -> Code {
        self.code
    }

    fn mandate(&self) -> Option<Mandate> {
        (self.config.flow == Flow::Wallet).then_some(Mandate::WalletPrompt)
    }

    fn needs(&self) -> &'static [Need] {
        match self.config.flow {
            Flow::HostedPage => &[],
            Flow::Wallet => &[Need::WalletNumber, Need::CnicLast6],
        }
    }

    fn begin<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        _now: Timestamp,
    ) -> Later<'a, Result<Begun, RailError>> {
        Box::pin(async move {
            match self.config.flow {
                Flow::HostedPage => Ok(Begun::Form {
                    url: self
                        .config
                        .host
                        .url("/CustomerPortal/transactionmanagement/merchantform/"),
                    fields: self.page_form(order)?,
                    said: Statement::Presented {
                        reference: String::new(),
                    },
                }),
                Flow::Wallet => self.wallet(io, order).await.map(Begun::Said),
            }
        })
    }

    fn inquire<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        now: Timestamp,
    ) -> Later<'a, Result<Statement, RailError>> {
        Box::pin(async move {
            let over = now >= order.expires_at.plus(EXPIRY_GRACE);
            self.ask(io, order.id, order.price, over).await
        })
    }

    fn refund<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        amount: Price,
        _now: Timestamp,
    ) -> Later<'a, Result<Statement, RailError>> {
        Box::pin(self.give_back(io, order, amount))
    }

    fn callback<'a>(
        &'a self,
        io: &'a dyn Transport,
        what: &'a str,
        request: &'a HttpRequest,
        _now: Timestamp,
    ) -> Later<'a, Result<Heard, RailError>> {
        Box::pin(async move {
            if what != "ipn" {
                return Err(RailError::Unsupported);
            }
            let message = Message::of_request(&self.config.salt, request)?;
            if !message.signed {
                return Err(RailError::NotGenuine("secure hash"));
            }
            self.heard(io, &message).await
        })
    }

    fn returned(&self, request: &HttpRequest, _now: Timestamp) -> Result<Heard, RailError> {
        let message = Message::of_request(&self.config.salt, request)?;
        let told = match message.signed {
            true => self.merchant(&message).map(|()| self.told(&message))?,
            false => Told::Ask,
        };
        Ok(Heard {
            about: PaymentId::parse(message.get("pp_TxnRefNo")),
            told,
            answer: HttpAnswer::empty(),
        })
    }

    fn settlement(&self, file: &[u8]) -> Result<Vec<SettlementLine>, RailError> {
        self.config.settlement.read(file)
    }
}
