//! What was agreed with a partner beside its float: commission, and where it is called back.
//!
//! Terms are entities of their own beside the partner, one for real sales and one for its sandbox, so that what a test key does
//! cannot reach the real ones.

use crate::codec::{Codec, CodecError, Reader, codec_enum, codec_struct};
use crate::ids::Code;
use crate::money::{Money, Rounding};
use crate::partner::TopUp;
use crate::time::Timestamp;

/// Most secrets that sign callbacks at the same time: the old one and the new one while a partner changes over.
pub const CALLBACK_SECRETS_MAX: usize = 2;
/// Most changes of commission that wait for their moment.
pub const PLANNED_MAX: usize = 8;
/// Longest address of a callback, in bytes.
pub const CALLBACK_URL_BYTES_MAX: usize = 512;
/// Longest sealed secret, in bytes.
pub const SEALED_BYTES_MAX: usize = 256;

/// When a partner gets its commission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CommissionKind {
    /// With the sale: the float pays less than the gross amount.
    #[default]
    Upfront,
    /// With the credit: the float pays the gross amount and gets the commission when the sale is complete.
    OnSale,
}
codec_enum!(CommissionKind { Upfront = 0, OnSale = 1 });

impl CommissionKind {
    /// Name in the API.
    pub fn name(self) -> &'static str {
        match self {
            CommissionKind::Upfront => "upfront",
            CommissionKind::OnSale => "on-sale",
        }
    }
}

/// How much commission a partner earns with a sale: a share of the gross amount, rounded down to a millionth, and a fixed
/// amount, within bounds, never more than the gross amount itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommissionRule {
    /// When.
    pub kind: CommissionKind,
    /// Share: this many ...
    pub parts: u32,
    /// ... of so many. Never zero.
    pub of: u32,
    /// Added to the share.
    pub fixed: Money,
    /// Never less.
    pub minimum: Money,
    /// Never more; zero: no bound.
    pub maximum: Money,
}
codec_struct!(CommissionRule {
    kind,
    parts,
    of,
    fixed,
    minimum,
    maximum
});

impl CommissionRule {
    /// No commission.
    pub const NONE: CommissionRule = CommissionRule {
        kind: CommissionKind::Upfront,
        parts: 0,
        of: 1,
        fixed: Money::ZERO,
        minimum: Money::ZERO,
        maximum: Money::ZERO,
    };

    /// True when the numbers make sense together.
    pub fn is_valid(&self) -> bool {
        let amounts = [self.fixed, self.minimum, self.maximum];
        self.of > 0
            && self.parts <= self.of
            && amounts
                .iter()
                .all(|amount| (0..=crate::decide::MONEY_MAX).contains(&amount.0))
            && (self.maximum == Money::ZERO || self.minimum <= self.maximum)
    }

    /// The commission on a sale.
    pub fn on(&self, gross: Money) -> Money {
        let share = gross.mul_div(i64::from(self.parts), i64::from(self.of.max(1)), Rounding::Down);
        let mut amount = (share + self.fixed).max(self.minimum);
        if self.maximum.is_positive() {
            amount = amount.min(self.maximum);
        }
        amount.clamp(Money::ZERO, gross.max(Money::ZERO))
    }
}

/// A secret that signs callbacks. Only the front can open it: the core keeps what it was given.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackSecret {
    /// Public part, to retire it by.
    pub id: Code,
    /// The secret, sealed with a key that is not in the journal.
    pub sealed: Box<[u8]>,
    /// When it was made.
    pub created_at: Timestamp,
}
codec_struct!(CallbackSecret {
    id,
    sealed,
    created_at
});

impl std::fmt::Debug for CallbackSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CallbackSecret({})", self.id)
    }
}

/// Terms of a partner, real or sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerTerms {
    /// Where top-ups without an address of their own are called back; empty: nowhere.
    pub callback_url: String,
    /// What signs callbacks, oldest first; at most [`CALLBACK_SECRETS_MAX`].
    pub secrets: Vec<CallbackSecret>,
    /// Callbacks that became due so far: the number of the last one.
    pub sequence: u64,
    /// Commission.
    pub commission: CommissionRule,
    /// Commission from moments that were still to come when they were agreed, soonest first; at most [`PLANNED_MAX`]. In
    /// binary form they follow only where the tag says so.
    pub planned: Vec<PlannedCommission>,
}

/// A commission that holds from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedCommission {
    /// From then on.
    pub from: Timestamp,
    /// What.
    pub rule: CommissionRule,
}
codec_struct!(PlannedCommission { from, rule });

/// The binary form of terms without a plan.
struct Unplanned {
    callback_url: String,
    secrets: Vec<CallbackSecret>,
    sequence: u64,
    commission: CommissionRule,
}
codec_struct!(Unplanned {
    callback_url,
    secrets,
    sequence,
    commission
});

impl Codec for PartnerTerms {
    fn encode(&self, out: &mut Vec<u8>) {
        self.callback_url.encode(out);
        self.secrets.encode(out);
        self.sequence.encode(out);
        self.commission.encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<PartnerTerms, CodecError> {
        let terms = Unplanned::decode(input)?;
        Ok(PartnerTerms {
            callback_url: terms.callback_url,
            secrets: terms.secrets,
            sequence: terms.sequence,
            commission: terms.commission,
            planned: Vec::new(),
        })
    }
}

impl Default for PartnerTerms {
    fn default() -> PartnerTerms {
        PartnerTerms {
            callback_url: String::new(),
            secrets: Vec::new(),
            sequence: 0,
            commission: CommissionRule::NONE,
            planned: Vec::new(),
        }
    }
}

impl PartnerTerms {
    /// The commission of a sale at a moment.
    pub fn commission_at(&self, now: Timestamp) -> CommissionRule {
        let begun = self.planned.iter().rev().find(|planned| planned.from <= now);
        begun.map_or(self.commission, |planned| planned.rule)
    }

    /// Commission that holds from later moments on, soonest first.
    pub fn commission_after(&self, now: Timestamp) -> impl Iterator<Item = &PlannedCommission> {
        self.planned.iter().filter(move |planned| planned.from > now)
    }

    pub(crate) fn encode_planned(&self, out: &mut Vec<u8>) {
        self.encode(out);
        self.planned.encode(out);
    }

    pub(crate) fn decode_planned(input: &mut Reader<'_>) -> Result<PartnerTerms, CodecError> {
        let terms = PartnerTerms::decode(input)?;
        let planned = Codec::decode(input)?;
        Ok(PartnerTerms { planned, ..terms })
    }

    /// Changes them.
    pub(crate) fn apply(&mut self, change: &TermsChange, at: Timestamp) {
        match change {
            TermsChange::CallbackUrl(url) => self.callback_url.clone_from(url),
            TermsChange::SecretAdded(secret) => self.secrets.push(secret.clone()),
            TermsChange::SecretRetired(id) => self.secrets.retain(|secret| secret.id != *id),
            TermsChange::Commission(rule) => {
                self.planned.retain(|planned| planned.from > at);
                self.commission = *rule;
            }
            TermsChange::CommissionFrom(planned) => {
                self.commission = self.commission_at(at);
                self.planned
                    .retain(|known| known.from > at && known.from != planned.from);
                let place = self.planned.partition_point(|known| known.from < planned.from);
                self.planned.insert(place, *planned);
            }
        }
    }

    /// Rough bytes held in memory.
    pub fn weight(&self) -> usize {
        size_of::<PartnerTerms>()
            + self.callback_url.len()
            + self.secrets.len() * 160
            + self.planned.len() * 48
    }
}

/// A change of terms: command and event alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TermsChange {
    /// Where to call back; empty: nowhere.
    CallbackUrl(String),
    /// One more secret signs.
    SecretAdded(CallbackSecret),
    /// A secret signs no more.
    SecretRetired(Code),
    /// Commission of sales from now on.
    Commission(CommissionRule),
    /// Commission of sales from a later moment on; what was agreed for the same moment is replaced.
    CommissionFrom(PlannedCommission),
}

impl Codec for TermsChange {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            TermsChange::CallbackUrl(url) => {
                out.push(0);
                url.encode(out);
            }
            TermsChange::SecretAdded(secret) => {
                out.push(1);
                secret.encode(out);
            }
            TermsChange::SecretRetired(id) => {
                out.push(2);
                id.encode(out);
            }
            TermsChange::Commission(rule) => {
                out.push(3);
                rule.encode(out);
            }
            TermsChange::CommissionFrom(planned) => {
                out.push(60);
                planned.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<TermsChange, CodecError> {
        match input.take(1)?[0] {
            0 => Codec::decode(input).map(TermsChange::CallbackUrl),
            1 => Codec::decode(input).map(TermsChange::SecretAdded),
            2 => Codec::decode(input).map(TermsChange::SecretRetired),
            3 => Codec::decode(input).map(TermsChange::Commission),
            60 => Codec::decode(input).map(TermsChange::CommissionFrom),
            _ => Err(CodecError::Invalid("change of terms")),
        }
    }
}

/// A callback that is to be delivered: decided together with the change that it tells of, so that neither is without the
/// other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackDue {
    /// Its number among the callbacks of this partner (real and sandbox are counted apart), from 1 without gaps.
    pub sequence: u64,
    /// Where to.
    pub url: String,
    /// The top-up as it is after the change.
    pub top_up: TopUp,
}

impl CallbackDue {
    /// Its form in a queue, where it has no tag: what came after the sale stands at the end, if anything did.
    pub fn to_row(&self) -> Vec<u8> {
        let mut row = Vec::new();
        match self.top_up.is_long() {
            true => self.encode_long(&mut row),
            false => self.encode(&mut row),
        }
        row
    }

    /// Reads [`CallbackDue::to_row`].
    ///
    /// # Errors
    /// [`CodecError`], also when bytes are left over.
    pub fn from_row(row: &[u8]) -> Result<CallbackDue, CodecError> {
        let mut input = Reader::new(row);
        let mut due = CallbackDue::decode(&mut input)?;
        if input.remaining() > 0 {
            due.top_up.after = Codec::decode(&mut input)?;
        }
        input.finish()?;
        Ok(due)
    }

    pub(crate) fn encode_long(&self, out: &mut Vec<u8>) {
        self.sequence.encode(out);
        self.url.encode(out);
        self.top_up.encode_long(out);
    }

    pub(crate) fn decode_long(input: &mut Reader<'_>) -> Result<CallbackDue, CodecError> {
        Ok(CallbackDue {
            sequence: Codec::decode(input)?,
            url: Codec::decode(input)?,
            top_up: TopUp::decode_long(input)?,
        })
    }
}

impl Codec for CallbackDue {
    fn encode(&self, out: &mut Vec<u8>) {
        self.sequence.encode(out);
        self.url.encode(out);
        self.top_up.encode_detailed(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<CallbackDue, CodecError> {
        Ok(CallbackDue {
            sequence: Codec::decode(input)?,
            url: Codec::decode(input)?,
            top_up: TopUp::decode_detailed(input)?,
        })
    }
}

/// What a top-up has beside what every one has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopUpDetails {
    /// Where its changes are told; empty: where the partner's terms say.
    pub callback_url: String,
    /// What the partner earns with it.
    pub commission: Money,
    /// When.
    pub commission_kind: CommissionKind,
    /// Nothing of it is real.
    pub test: bool,
}
codec_struct!(TopUpDetails {
    callback_url,
    commission,
    commission_kind,
    test
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commission_by_the_table() {
        let rule = |parts, of, fixed, minimum, maximum| CommissionRule {
            kind: CommissionKind::Upfront,
            parts,
            of,
            fixed: Money(fixed),
            minimum: Money(minimum),
            maximum: Money(maximum),
        };
        for (rule, gross, expected) in [
            (CommissionRule::NONE, 100_000_000, 0),
            (rule(275, 10_000, 0, 0, 0), 100_000_000, 2_750_000),
            (rule(1, 3, 0, 0, 0), 100_000_000, 33_333_333),
            (rule(1, 100, 500_000, 0, 0), 100_000_000, 1_500_000),
            (rule(1, 100, 0, 2_000_000, 0), 100_000_000, 2_000_000),
            (rule(1, 100, 0, 0, 400_000), 100_000_000, 400_000),
            (rule(1, 1, 7, 0, 0), 100_000_000, 100_000_000),
            (rule(0, 1, 0, 5_000_000, 0), 1_000_000, 1_000_000),
        ] {
            assert!(rule.is_valid());
            assert_eq!(rule.on(Money(gross)).0, expected, "{rule:?}");
        }
        for bad in [
            rule(1, 0, 0, 0, 0),
            rule(2, 1, 0, 0, 0),
            rule(0, 1, -1, 0, 0),
            rule(0, 1, 0, 2, 1),
        ] {
            assert!(!bad.is_valid(), "{bad:?}");
        }
    }
}
