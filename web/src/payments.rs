//! The small trait behind which the payment desk stands: what pages and callbacks ask of it.

use crate::core::{CoreError, Pending};
use charge::catalog::Language;
use charge::payment::{Currency, Destination, PaymentAction, PaymentId, PaymentReply, Price, Statement};
use charge::{Code, Money, Msisdn, OperatorId, Refusal, Timestamp};
use rails::rail::{Enrolling, Enrolment, Mandate, Need, Stored};
use rails::{Begun, HttpAnswer, HttpRequest, Payer, RailError, SettlementLine};

/// Talks to the rails and tells the core what they said.
pub trait PaymentDesk: Send + Sync {
    /// The rails that are set up, in the order in which they are offered.
    fn rails(&self) -> Vec<RailInfo>;

    /// A page of a rail where somebody leaves a card for later.
    fn enrol(&self, _rail: Code, _enrolment: Enrolment) -> Pending<Result<Enrolling, StartError>> {
        Box::pin(async { Err(StartError::NoSuchRail) })
    }

    /// What somebody left there, by our name for it and the rail's session; `None`: nothing.
    fn enrolled(
        &self,
        _rail: Code,
        _id: String,
        _session: String,
    ) -> Pending<Result<Option<Stored>, StartError>> {
        Box::pin(async { Err(StartError::NoSuchRail) })
    }

    /// Where browsers find us, without a slash at the end.
    fn site(&self) -> String {
        String::new()
    }

    /// How long a payment can be paid, and how much later it is still credited, seconds.
    fn times(&self) -> (u32, u32) {
        (1_800, 86_400)
    }

    /// What a rail takes for an amount in the operator's currency.
    ///
    /// # Errors
    /// [`StartError::NoSuchRail`], or [`StartError::NoRate`] without a rate of exchange.
    fn price(&self, rail: Code, gross: Money) -> Result<Priced, StartError>;

    /// Creates a payment and presents it to its rail. The same id again presents the same payment again.
    fn start(&self, start: Start) -> Pending<Result<Begun, StartError>>;

    /// A message from a rail's servers at `/rails/{rail}/{what}`.
    fn hear(&self, rail: Code, what: String, request: HttpRequest) -> Pending<HttpAnswer>;

    /// A browser that comes back from a rail: which payment it is about.
    fn returned(&self, rail: Code, request: HttpRequest) -> Pending<Option<PaymentId>>;

    /// Something that the payer or staff ask of a payment.
    fn act(&self, id: PaymentId, action: PaymentAction) -> Pending<Result<PaymentReply, CoreError>>;

    /// The lines of a rail's settlement file, and the rails whose payments it settles.
    ///
    /// # Errors
    /// [`RailError`] for an unknown rail or a file that cannot be read whole.
    fn settlement(&self, _rail: Code, _file: &[u8]) -> Result<(Vec<SettlementLine>, Vec<Code>), RailError> {
        Err(RailError::Unsupported)
    }

    /// Asks the rail about a payment now, whatever its state, and tells the core. `None`: it could not be asked.
    fn ask(&self, _id: PaymentId) -> Pending<Option<Statement>> {
        Box::pin(async { None })
    }

    /// The connector that serves an operator's numbers that have no account here.
    fn connector(&self, _operator: OperatorId) -> Option<Code> {
        None
    }

    /// What is known of the connectors.
    fn connectors(&self) -> Vec<ConnectorInfo> {
        Vec::new()
    }

    /// Somebody looks at an open payment: its rail is asked sooner.
    fn look(&self, id: PaymentId);
}

/// A connector as staff see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorInfo {
    /// Its code.
    pub code: Code,
    /// The operator whose numbers it serves.
    pub operator: OperatorId,
    /// What our account there holds, and when it was asked.
    pub balance: Option<(Money, Timestamp)>,
    /// True when that is less than it should be.
    pub low: bool,
    /// Sales of all connectors that have not ended.
    pub waiting: usize,
}

/// A rail as pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RailInfo {
    /// Its code.
    pub code: Code,
    /// What it needs to know of the payer.
    pub needs: &'static [Need],
    /// The currency in which it takes money.
    pub currency: Currency,
    /// How it takes money of somebody who is not here, if it does.
    pub mandate: Option<Mandate>,
}

/// What a rail takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// The price.
    pub price: Price,
    /// Units of the operator's currency for one of the rail's, as shown; empty when they are the same.
    pub rate: String,
    /// The price holds until.
    pub until: Timestamp,
}

/// A payment to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Made by [`PaymentId::new`] before the payer confirmed, so that a second click is the same payment.
    pub id: PaymentId,
    /// Who gets the value.
    pub to: Destination,
    /// The number.
    pub msisdn: Msisdn,
    /// Its operator.
    pub operator: OperatorId,
    /// The rail.
    pub rail: Code,
    /// In the operator's currency.
    pub gross: Money,
    /// What the payer was shown that the rail takes.
    pub price: Price,
    /// A bundle to buy with it; empty: none.
    pub offer: Code,
    /// A campaign code; empty: none.
    pub campaign: Code,
    /// Digest of the payer.
    pub payer_digest: u128,
    /// What the rail needs to know.
    pub payer: Payer,
    /// Language of the rail's pages.
    pub language: Language,
    /// The moment that the payer was shown the price: a second click brings the same.
    pub shown_at: Timestamp,
}

/// Why a payment does not begin. Nothing was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The rail is not set up.
    #[error("there is no such rail")]
    NoSuchRail,
    /// No rate of exchange is known.
    #[error("no rate of exchange is known")]
    NoRate,
    /// The core refuses.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The core is busy or does not answer.
    #[error("the core does not answer")]
    Unavailable,
    /// The rail needs something else from the payer.
    #[error("the rail does not take it: {0}")]
    NotTaken(&'static str),
    /// The rail cannot be reached.
    #[error("the rail cannot be reached")]
    Unreachable,
}

impl From<CoreError> for StartError {
    fn from(error: CoreError) -> StartError {
        match error {
            CoreError::Refused(refusal) => StartError::Refused(refusal),
            CoreError::Busy | CoreError::Unavailable => StartError::Unavailable,
        }
    }
}
