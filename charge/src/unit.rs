//! Units of value and of service.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};

/// What a lot or a posting is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Unit {
    /// Micro-units of the operator's currency.
    Money = 0,
    /// Octets of data, both directions.
    Octets = 1,
    /// Seconds of voice.
    Seconds = 2,
    /// Messages.
    Messages = 3,
}

impl Unit {
    /// Every unit, in ledger order.
    pub const ALL: [Unit; 4] = [Unit::Money, Unit::Octets, Unit::Seconds, Unit::Messages];

    /// Name used in catalogs, journals and reports.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Money => "money",
            Unit::Octets => "octets",
            Unit::Seconds => "seconds",
            Unit::Messages => "messages",
        }
    }
}

/// An amount of the unit that stands beside it: micro-units, octets, seconds or messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub i64);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// The smaller of the two.
    #[must_use]
    pub fn min(self, other: Amount) -> Amount {
        Amount(self.0.min(other.0))
    }

    /// True above zero.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// `self / size`, rounded up: how many pulses of `size` cover this amount.
    ///
    /// # Panics
    /// When `size` is not positive: catalogs are checked when they are loaded.
    pub fn pulses(self, size: Amount) -> i64 {
        assert!(size.0 > 0, "a pulse has a size");
        if self.0 <= 0 { 0 } else { (self.0 - 1) / size.0 + 1 }
    }
}

impl Add for Amount {
    type Output = Amount;
    fn add(self, other: Amount) -> Amount {
        Amount(self.0 + other.0)
    }
}
impl Sub for Amount {
    type Output = Amount;
    fn sub(self, other: Amount) -> Amount {
        Amount(self.0 - other.0)
    }
}
impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        *self = *self + other;
    }
}
impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Amount) {
        *self = *self - other;
    }
}
impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::ZERO, Add::add)
    }
}
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a network asks to charge (TS 32.299 Service-Context-Id decides which).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Service {
    /// Packet data, counted in octets (TS 32.251).
    Data = 0,
    /// Voice, counted in seconds (TS 32.260, 32.275).
    Voice = 1,
    /// Short messages, counted in messages (TS 32.274).
    Sms = 2,
}

impl Service {
    /// Every service.
    pub const ALL: [Service; 3] = [Service::Data, Service::Voice, Service::Sms];

    /// What this service is counted in.
    pub fn unit(self) -> Unit {
        match self {
            Service::Data => Unit::Octets,
            Service::Voice => Unit::Seconds,
            Service::Sms => Unit::Messages,
        }
    }

    /// Name used in catalogs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Service::Data => "data",
            Service::Voice => "voice",
            Service::Sms => "sms",
        }
    }
}
