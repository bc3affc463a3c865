//! What a rail must be able to do.

use crate::form::{Fields, with_query};
use crate::http::{HttpAnswer, HttpRequest, Later, Transport, TransportError};
use charge::catalog::Language;
use charge::payment::{Currency, PaymentId, Price, Statement};
use charge::{Code, Msisdn, Timestamp};

/// A payment rail with its configuration.
///
/// Every method but [`Rail::code`] may be called again with the same order: the rail sends the same reference
/// ([`Order::id`]), so that the far side sees a repetition and not a second payment.
pub trait Rail: Send + Sync {
    /// Its name in configuration, ledger and URLs: `jazzcash`, `easypaisa`, `paypal`, `card`, `bank`, `raast`.
    fn code(&self) -> Code;

    /// In what it takes money. Where this is not the operator's currency, the payer is shown a locked [`crate::fx::Quote`].
    fn currency(&self) -> Currency {
        Currency::PKR
    }

    /// True when its messages also settle payments that were begun on `other`: a bank's credit notification settles what
    /// was shown as a Raast QR. A message about a payment of any other rail is not believed.
    fn settles(&self, other: Code) -> bool {
        other == self.code()
    }

    /// True when the payer's wallet number, e-mail or last digits of the identity card are needed before it begins.
    fn needs(&self) -> &'static [Need] {
        &[]
    }

    /// How it can be asked for money while the payer is not here; `None`: it cannot. The order then brings what the payer left
    /// with us ([`Payer`]), and [`Rail::begin`] is the request.
    fn mandate(&self) -> Option<Mandate> {
        None
    }

    /// A page of the rail where somebody leaves a card for later, with 3-D Secure. For [`Mandate::Token`].
    fn enrol<'a>(
        &'a self,
        _io: &'a dyn Transport,
        _enrolment: &'a Enrolment,
        _now: Timestamp,
    ) -> Later<'a, Result<Enrolling, RailError>> {
        Box::pin(async { Err(RailError::Unsupported) })
    }

    /// What somebody left who came back with a session of [`Rail::enrol`]; `None`: nothing.
    fn enrolled<'a>(
        &'a self,
        _io: &'a dyn Transport,
        _id: &'a str,
        _session: &'a str,
        _now: Timestamp,
    ) -> Later<'a, Result<Option<Stored>, RailError>> {
        Box::pin(async { Err(RailError::Unsupported) })
    }

    /// Presents the order to the rail: what the payer must do now, and what the rail said.
    fn begin<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        now: Timestamp,
    ) -> Later<'a, Result<Begun, RailError>>;

    /// Asks what became of an order. Not knowing is `Pending`. Where the rail waits for us to take what the payer has
    /// approved (PayPal), it is taken here, unless the order has expired.
    fn inquire<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        now: Timestamp,
    ) -> Later<'a, Result<Statement, RailError>>;

    /// Asks the rail to give back `amount` of what was paid. Repeating it gives it back once.
    fn refund<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        amount: Price,
        now: Timestamp,
    ) -> Later<'a, Result<Statement, RailError>>;

    /// Asks what became of a refund; the default asks for it again, which is right where repetitions are recognized.
    fn inquire_refund<'a>(
        &'a self,
        io: &'a dyn Transport,
        order: &'a Order,
        amount: Price,
        now: Timestamp,
    ) -> Later<'a, Result<Statement, RailError>> {
        self.refund(io, order, amount, now)
    }

    /// Money that named no payment ([`Told::Unmatched`]) goes back by itself after so many seconds; `None`: people decide.
    fn return_after_s(&self) -> Option<i64> {
        None
    }

    /// Gives back money that named no payment. `reference` is the one it came with; repeating it gives it back once.
    fn return_unmatched<'a>(
        &'a self,
        _io: &'a dyn Transport,
        _reference: &'a str,
        _paid: Price,
        _now: Timestamp,
    ) -> Later<'a, Result<Statement, RailError>> {
        Box::pin(async { Err(RailError::Unsupported) })
    }

    /// A message from the rail's servers (webhook, IPN) at `/rails/{code}/{what}`. Fails closed: what cannot be verified is
    /// an error, and nothing is learned from it.
    fn callback<'a>(
        &'a self,
        io: &'a dyn Transport,
        what: &'a str,
        request: &'a HttpRequest,
        now: Timestamp,
    ) -> Later<'a, Result<Heard, RailError>>;

    /// The payer's browser comes back from the rail at `/rails/{code}/return`: which payment it is about, and what was
    /// proved. A return that proves nothing is `Told::Ask`, and the rail is asked. The default: our own `payment` in the
    /// address, and nothing proved.
    fn returned(&self, request: &HttpRequest, _now: Timestamp) -> Result<Heard, RailError> {
        let about = Fields::of_url(&request.url)?
            .one("payment")
            .and_then(PaymentId::parse);
        Ok(Heard {
            about: Some(about.ok_or(RailError::Malformed("return without a payment"))?),
            told: Told::Ask,
            answer: HttpAnswer::empty(),
        })
    }

    /// The lines of a settlement file.
    fn settlement(&self, file: &[u8]) -> Result<Vec<SettlementLine>, RailError>;
}

/// How a rail takes money of somebody who is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mandate {
    /// It asks on the payer's phone, each time.
    WalletPrompt,
    /// It charges what the payer left on its own page ([`Rail::enrol`]); we hold its name for that.
    Token,
}

/// Somebody is to leave a card with a rail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// Our name for it: nobody can guess it.
    pub id: String,
    /// Where the browser comes back to; it has a query already.
    pub return_url: String,
    /// Language of the rail's page.
    pub language: Language,
}

/// Where somebody leaves a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolling {
    /// Absolute URL.
    pub url: String,
}

/// What somebody has left with a rail.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// The rail's name for it.
    pub token: String,
    /// What people recognize it by: the last digits.
    pub shown: String,
}

/// What a rail needs to know of the payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The number of the wallet.
    WalletNumber,
    /// Last six digits of the identity card (CNIC).
    CnicLast6,
    /// An e-mail address.
    Email,
}

/// Everything a rail may know about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Our reference, unique for ever: 20 letters and digits.
    pub id: PaymentId,
    /// What to take.
    pub price: Price,
    /// The number that is recharged.
    pub msisdn: Msisdn,
    /// Who pays, as far as the rail needs to know. Not kept after the payment has begun.
    pub payer: Payer,
    /// One line for the payer's wallet or bank statement.
    pub description: String,
    /// Language of the rail's pages.
    pub language: Language,
    /// When it was made: rails that sign a time use this one, so that a repetition is the same.
    pub created_at: Timestamp,
    /// Not payable after this: the deadline, or the moment when the payer gave up if that was earlier.
    pub expires_at: Timestamp,
    /// Where the browser comes back to.
    pub return_url: String,
    /// The rail's reference from `begin`, empty before; of the money once paid.
    pub presented: String,
    /// The rail's reference of the money; empty before it is paid.
    pub reference: String,
}

impl Order {
    /// Where the browser comes back to, with what the rail says of it: `went` is `ok` or `no`. It proves nothing.
    #[must_use]
    pub fn back(&self, went: &str) -> String {
        with_query(
            &self.return_url,
            &[("payment", &self.id.to_string()), ("went", went)],
        )
    }
}

/// Who pays.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Payer {
    /// Number of the wallet.
    pub wallet: Option<Msisdn>,
    /// E-mail.
    pub email: Option<String>,
    /// Last six digits of the identity card.
    pub cnic_last6: Option<String>,
    /// The rail's name for a card that the payer left with it.
    pub token: Option<String>,
}

/// Nothing of it belongs in a log.
impl std::fmt::Debug for Payer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payer(hidden)")
    }
}

/// What the payer must do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Go to this address.
    Redirect {
        /// Absolute URL.
        url: String,
        /// What the rail said.
        said: Statement,
    },
    /// Send this form to that address from the browser.
    Form {
        /// Absolute URL.
        url: String,
        /// Fields in order.
        fields: Vec<(String, String)>,
        /// What the rail said.
        said: Statement,
    },
    /// Show this to the payer: a voucher number, an account to transfer to, a QR.
    Show {
        /// Lines as (locale key, value).
        lines: Vec<(&'static str, String)>,
        /// Text of a QR code to draw.
        qr: Option<String>,
        /// What the rail said.
        said: Statement,
    },
    /// Nothing to show: the rail has answered (a wallet's PIN was entered, or it failed).
    Said(Statement),
}

/// What was learned from a message of the rail, and how to answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// About which payment; `None`: the message is of no interest.
    pub about: Option<PaymentId>,
    /// What it proves.
    pub told: Told,
    /// The answer that the rail wants.
    pub answer: HttpAnswer,
}

/// What a message proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// This, on the rail's word.
    Said(Statement),
    /// Nothing yet: ask the rail.
    Ask,
    /// Money came in that names no payment of ours, or one that does not want it: it is put into suspense.
    Unmatched {
        /// What came.
        paid: Price,
        /// The rail's reference of the money: unique.
        reference: String,
        /// What the payer wrote.
        note: String,
    },
}

/// One line of a rail's settlement file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettlementLine {
    /// Line number in the file.
    pub line: u32,
    /// Our reference; `None` when the file names something that is not one.
    pub payment: Option<PaymentId>,
    /// The rail's reference.
    pub reference: String,
    /// Payment, refund or chargeback.
    pub kind: SettlementKind,
    /// Taken from (or given back to) the payer.
    pub gross: Price,
    /// Kept by the rail.
    pub fee: Price,
    /// When, as the file says.
    pub at: Timestamp,
}

/// What a settlement line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SettlementKind {
    /// A payment.
    Payment,
    /// A refund.
    Refund,
    /// A chargeback.
    Chargeback,
}

/// A rail that could not do what was asked. Nothing is known about the payment from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RailError {
    /// The network.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A message whose signature, credentials or origin are not right. It is not believed.
    #[error("the message is not from the rail: {0}")]
    NotGenuine(&'static str),
    /// A message that is not in the rail's format.
    #[error("the rail's message cannot be read: {0}")]
    Malformed(&'static str),
    /// This rail cannot do that.
    #[error("this rail cannot do that")]
    Unsupported,
    /// Something about the order that this rail cannot take (amount, missing wallet number).
    #[error("the rail does not take this order: {0}")]
    NotTaken(&'static str),
    /// Our set-up at the rail is refused.
    #[error("the rail refuses our set-up: {0}")]
    Configuration(String),
}
