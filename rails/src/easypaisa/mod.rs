//! Easypaisa: wallet and over-the-counter by REST (v4 with credentials, v5 signed with RSA), hosted checkout, inquiry, IPN,
//! settlement file (reference payments 2.2).
//!
//! What counts as paid: an inquiry of ours (over TLS, with our credentials, in v5 under Easypaisa's signature) whose
//! `transactionStatus` is `PAID`, with the amount that it names. `responseCode` 0000 says only that the inquiry worked. Browser
//! returns are not signed and IPNs are only an address to fetch; both are no more than reasons to ask.
//!
//! Easypaisa publishes no wire format for refunds: staff make them on the merchant portal, and [`Rail::refund`] says
//! [`RailError::Unsupported`].
//!
//! # Layout
//! * [`Config`] and [`Easypaisa`] are here. `flow`: the calls and what the answers mean. `checkout`: browsers and IPNs.
//!   `signature`: RSA and AES. `codes.txt`: the codes.

mod checkout;
mod flow;
mod signature;
#[cfg(test)]
mod tests;

use crate::Secret;
use crate::base::Base;
use crate::codes::{Codes, CodesError};
use crate::http::{HttpRequest, Later, Transport};
use crate::rail::{Begun, Heard, Mandate, Need, Order, Rail, RailError, SettlementLine};
use crate::settlement::Profile;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use charge::payment::{PaymentId, Price, Statement};
use charge::time::MINUTE;
use charge::{Code, Timestamp};
use serde::Deserialize;
use signature::Keys;
use std::collections::BTreeMap;

/// So long after its expiry an order that Easypaisa does not know is believed to be over.
const EXPIRY_GRACE: i64 = 10 * MINUTE;

/// How payers pay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// From a wallet; the PIN is asked for on the handset while our call waits.
    #[default]
    MobileAccount,
    /// In cash at a shop, with a token.
    OverTheCounter,
    /// On Easypaisa's page.
    HostedCheckout,
}

/// A merchant's account at Easypaisa.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name in configuration, ledger and URLs. Two flows are two rails with two names.
    #[serde(default = "default_code")]
    pub code: String,
    /// `https://easypay.easypaisa.com.pk`, or a sandbox.
    pub host: Base,
    /// How payers pay.
    #[serde(default)]
    pub flow: Flow,
    /// The store.
    pub store_id: String,
    /// The merchant's account number, for inquiries.
    pub account: String,
    /// For the `Credentials` header.
    pub username: String,
    /// For the `Credentials` header.
    pub password: Secret,
    /// Sent as the payer's e-mail where the payer gave none; empty: payers are asked for one.
    #[serde(default)]
    pub email: String,
    /// Keys of REST v5. Without them v4 is spoken.
    #[serde(default)]
    pub rsa: Option<Rsa>,
    /// The 16 letters of the hosted checkout.
    #[serde(default)]
    pub hash_key: Option<Secret>,
    /// `paymentMethod` of the hosted checkout; empty lets the payer choose.
    #[serde(default)]
    pub payment_method: String,
    /// Where browsers find us (`https://raseed.example`), for the way back from the second leg of the hosted checkout. Without
    /// it the `Host` header says.
    #[serde(default)]
    pub public_url: Option<Base>,
    /// Where the addresses in IPNs must begin.
    #[serde(default = "default_ipn_path")]
    pub ipn_path: String,
    /// Codes that are not in our table yet, or mean something else to this merchant: code to meaning (see [`crate::codes`]).
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
    /// How the settlement file looks.
    #[serde(default)]
    pub settlement: Profile,
}

/// Keys of REST v5, PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rsa {
    /// Ours, PKCS#8.
    pub private_key: Secret,
    /// Easypaisa's.
    pub public_key: String,
}

fn default_code() -> String {
    "easypaisa".to_owned()
}
fn default_ipn_path() -> String {
    "/easypay-service/rest/v1/order-status/".to_owned()
}

/// The rail.
pub struct Easypaisa {
    config: Config,
    code: Code,
    codes: Codes,
    keys: Option<Keys>,
    credentials: String,
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
    /// A key of REST v5.
    #[error("a key of Easypaisa's REST v5 is not an RSA key in PEM")]
    Keys,
    /// The key of the hosted checkout.
    #[error("the hosted checkout of Easypaisa needs a hash key of 16 letters")]
    HashKey,
    /// The allow-list of IPNs.
    #[error("the path of Easypaisa's IPN begins and ends with a slash")]
    IpnPath,
}

impl Easypaisa {
    /// A rail for a merchant's account.
    ///
    /// # Errors
    /// [`ConfigError`] with what is wrong.
    pub fn new(config: Config) -> Result<Easypaisa, ConfigError> {
        let code = Code::new(&config.code).filter(|code| !code.is_empty());
        let keys = match &config.rsa {
            Some(rsa) => Some(Keys::new(&rsa.private_key, &rsa.public_key).ok_or(ConfigError::Keys)?),
            None => None,
        };
        let hash_key = config.hash_key.as_ref().map_or(0, |key| key.expose().len());
        if config.flow == Flow::HostedCheckout && hash_key != 16 {
            return Err(ConfigError::HashKey);
        }
        if config.ipn_path.len() < 2 || !config.ipn_path.starts_with('/') || !config.ipn_path.ends_with('/') {
            return Err(ConfigError::IpnPath);
        }
        let credentials = format!("{}:{}", config.username, config.password.expose());
        Ok(Easypaisa {
            code: code.ok_or(ConfigError::Code)?,
            codes: Codes::new(include_str!("codes.txt"), &config.codes)?,
            keys,
            credentials: BASE64_STANDARD.encode(credentials),
            config,
        })
    }

    /// The payer's e-mail, or ours.
    fn email(&self, order: &Order) -> Result<String, RailError> {
        let email = order.payer.email.as_deref().unwrap_or(&self.config.email);
        if email.is_empty() {
            return Err(RailError::NotTaken("e-mail"));
        }
        Ok(email.to_owned())
    }
}

impl Rail for Easypaisa {
    fn code(&self) -> Code {
        self.code
    }

    fn mandate(&self) -> Option<Mandate> {
        (self.config.flow == Flow::MobileAccount).then_some(Mandate::WalletPrompt)
    }

    fn needs(&self) -> &'static [Need] {
        match (self.config.flow, self.config.email.is_empty()) {
            (Flow::HostedCheckout, _) => &[],
            (_, true) => &[Need::WalletNumber, Need::Email],
            (_, false) => &[Need::WalletNumber],
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
                Flow::MobileAccount => self.take_from_wallet(io, order).await.map(Begun::Said),
                Flow::OverTheCounter => self.at_a_shop(io, order).await,
                Flow::HostedCheckout => self.page(order),
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
            self.ask(io, order.id, over).await
        })
    }

    fn refund<'a>(
        &'a self,
        _io: &'a dyn Transport,
        _order: &'a Order,
        _amount: Price,
        _now: Timestamp,
    ) -> Later<'a, Result<Statement, RailError>> {
        Box::pin(std::future::ready(Err(RailError::Unsupported)))
    }

    /// `ipn`: a server of Easypaisa. `confirm`: the payer's browser between the two legs of the hosted checkout; the answer
    /// is a page that sends it on.
    fn callback<'a>(
        &'a self,
        io: &'a dyn Transport,
        what: &'a str,
        request: &'a HttpRequest,
        _now: Timestamp,
    ) -> Later<'a, Result<Heard, RailError>> {
        Box::pin(async move {
            match what {
                "ipn" => self.notified(io, request).await,
                "confirm" if self.config.flow == Flow::HostedCheckout => self.second_leg(request),
                _ => Err(RailError::Unsupported),
            }
        })
    }

    fn returned(&self, request: &HttpRequest, _now: Timestamp) -> Result<Heard, RailError> {
        let fields = checkout::fields(request)?;
        let named = ["orderRefNumber", "orderRefNum"];
        Ok(Heard {
            about: named
                .iter()
                .find_map(|name| fields.one(name))
                .and_then(PaymentId::parse),
            told: crate::Told::Ask,
            answer: crate::http::HttpAnswer::empty(),
        })
    }

    fn settlement(&self, file: &[u8]) -> Result<Vec<SettlementLine>, RailError> {
        self.config.settlement.read(file)
    }
}
