//! Connectors: value that is sold here and credited by an operator whose core is elsewhere.
//!
//! The rule is the same as for rails: an outcome that is not known is asked for, never guessed, and nothing is sold a second
//! time before the far side has said what became of the first.
//!
//! # Layout
//! * [`pretups`]: the XML gateway (EXTGW) of PreTUPS. [`xml`]: its strict little reader.

pub mod pretups;
pub mod xml;

use crate::http::{Later, Transport};
use crate::rail::RailError;
use charge::payment::PaymentId;
use charge::{Code, Money, Msisdn, Timestamp};

/// A connector with its configuration.
pub trait Connector: Send + Sync {
    /// Its name in configuration and ledger.
    fn code(&self) -> Code;

    /// Hands the value over. When it was tried before, the far side is asked first, and it is sold again only if that one is
    /// sure that it never heard of it.
    fn sell<'a>(
        &'a self,
        io: &'a dyn Transport,
        sale: &'a Sale,
        now: Timestamp,
    ) -> Later<'a, Result<Delivery, RailError>>;

    /// Asks what became of a sale.
    fn status<'a>(
        &'a self,
        io: &'a dyn Transport,
        sale: &'a Sale,
        now: Timestamp,
    ) -> Later<'a, Result<Delivery, RailError>>;

    /// Asks for a delivered sale back; `reference` is the far side's. `Delivered` means that it was taken back.
    fn reverse<'a>(
        &'a self,
        io: &'a dyn Transport,
        sale: &'a Sale,
        reference: &'a str,
        now: Timestamp,
    ) -> Later<'a, Result<Delivery, RailError>>;

    /// What our account there still holds; `None`: this connector cannot say.
    fn balance<'a>(
        &'a self,
        io: &'a dyn Transport,
        now: Timestamp,
    ) -> Later<'a, Result<Option<Money>, RailError>>;
}

/// Value to hand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Our reference: the far side knows repetitions by it.
    pub id: PaymentId,
    /// Who gets it.
    pub msisdn: Msisdn,
    /// How much.
    pub amount: Money,
    /// When it was last sent, if it may have been.
    pub tried_at: Option<Timestamp>,
}

/// What the far side says about a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Credited, under this reference.
    Delivered {
        /// The far side's reference.
        reference: String,
    },
    /// It was not and will not be credited.
    Refused {
        /// The far side's code.
        code: String,
    },
    /// Not known yet: ask again later.
    Pending {
        /// The far side's code; empty: there was no answer.
        code: String,
    },
}
