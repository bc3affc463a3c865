//! What comes after the end of a top-up: where its credit lies, and its reversal (reference payments 5.4).
//!
//! A reversal takes back what is unused of that very credit: the seller's partition asks, the account's answers, and the
//! float gets exactly what the account gave, less the commission that was earned with that part.

use crate::codec::{Codec, CodecError, Reader, codec_enum, codec_struct};
use crate::ids::{AccountId, Code, EntityKey, LotId, PartnerId};
use crate::money::{Money, Rounding};
use crate::partner::{TopUp, TopUpState};
use crate::payment::PaymentId;
use crate::reply::Refusal;
use crate::time::{SECOND, Timestamp};
use std::fmt;

/// How long after the sale a seller can ask for it back.
pub const SELLER_S: i64 = crate::payment::WRONG_NUMBER_S;

/// A reversal that somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReverseTopUp {
    /// Who sold it.
    pub partner: PartnerId,
    /// Digest of its external_id.
    pub external: u128,
    /// Who asks: the id of a key. The second pair of eyes must be another one.
    pub by: Code,
    /// Staff: not bound to the seller's time, and may approve what somebody else asked for.
    pub staff: bool,
    /// From this amount on two must want it; zero: one is enough.
    pub two_from: Money,
}

impl ReverseTopUp {
    /// Key of the top-up.
    pub fn key(&self) -> EntityKey {
        EntityKey::TopUp(self.partner, self.external)
    }
}

/// A top-up that is not to be sold any more: its reversal came first, or it was refused, and a copy that comes late must
/// not be sold after all. What is kept stands where the top-up's own digest would, so that selling it is a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefuseTopUp {
    /// Who would sell it.
    pub partner: PartnerId,
    /// Digest of its external_id.
    pub external: u128,
    /// Digest of its Idempotency-Key.
    pub idempotency_key: u128,
    /// Why, as a stable code; zero: it was reversed before it came.
    pub reason: u32,
}

impl RefuseTopUp {
    /// Key of the top-up.
    pub fn key(&self) -> EntityKey {
        EntityKey::TopUp(self.partner, self.external)
    }

    /// Key of what is remembered.
    pub fn idempotency(&self) -> EntityKey {
        EntityKey::Idempotency(self.partner, self.idempotency_key)
    }

    /// The reason that is kept under an Idempotency-Key; `None`: a top-up stands there.
    pub fn kept(external: u128) -> Option<u32> {
        u32::try_from(external).ok()
    }
}

/// Where a reversal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReversalState {
    /// Somebody else has to approve it.
    Proposed,
    /// The account is asked.
    Asked,
    /// The float has what was unused.
    Done,
    /// Nothing was taken back.
    Refused,
}
codec_enum!(ReversalState { Proposed = 0, Asked = 1, Done = 2, Refused = 3 });

impl ReversalState {
    /// Name in the API.
    pub fn name(self) -> &'static str {
        match self {
            ReversalState::Proposed => "awaiting-approval",
            ReversalState::Asked => "pending",
            ReversalState::Done => "done",
            ReversalState::Refused => "refused",
        }
    }
}

/// The reversal of a top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversal {
    /// Where it stands.
    pub state: ReversalState,
    /// Who asked first.
    pub by: Code,
    /// Who approved it; empty: nobody had to.
    pub approved_by: Code,
    /// Last change.
    pub at: Timestamp,
    /// What was taken back, once done.
    pub taken: Taken,
    /// Of the commission, given back with it.
    pub commission: Money,
    /// Why nothing was taken back, as a stable code.
    pub reason: Option<u32>,
}
codec_struct!(Reversal {
    state,
    by,
    approved_by,
    at,
    taken,
    commission,
    reason
});

/// What an account gave back of a credit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// What goes back to the seller: balance and tax together.
    pub gross: Money,
    /// Balance that was unused.
    pub unused: Money,
    /// The tax of that part, no longer owed.
    pub tax: Money,
}
codec_struct!(Taken { gross, unused, tax });

/// Something that happens to the reversal of a top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReversalEvent {
    /// One wants it; another one has to.
    Proposed {
        /// Who.
        by: Code,
    },
    /// The account is asked.
    Asked {
        /// Who wanted it last: alone, or as the second.
        by: Code,
    },
    /// The account has answered.
    Ended {
        /// What it gave back, or why nothing.
        result: Result<Taken, Refusal>,
        /// Of the commission, given back with it.
        commission: Money,
    },
}

impl Codec for ReversalEvent {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ReversalEvent::Proposed { by } => {
                out.push(0);
                by.encode(out);
            }
            ReversalEvent::Asked { by } => {
                out.push(1);
                by.encode(out);
            }
            ReversalEvent::Ended { result, commission } => {
                out.push(2);
                result.encode(out);
                commission.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<ReversalEvent, CodecError> {
        match input.take(1)?[0] {
            0 => Codec::decode(input).map(|by| ReversalEvent::Proposed { by }),
            1 => Codec::decode(input).map(|by| ReversalEvent::Asked { by }),
            2 => Ok(ReversalEvent::Ended {
                result: Codec::decode(input)?,
                commission: Codec::decode(input)?,
            }),
            _ => Err(CodecError::Invalid("reversal")),
        }
    }
}

/// What a top-up has beside its beginning. Empty for those of before reversals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Afterwards {
    /// The lot that its credit became.
    pub lot: Option<LotId>,
    /// The connector that hands it to another operator; empty: it is credited here.
    pub connector: Code,
    /// That operator's reference, once it is delivered.
    pub delivered: String,
    /// When it was completed; zero: not known.
    pub completed_at: Timestamp,
    /// Its reversal.
    pub reversal: Option<Reversal>,
}
codec_struct!(Afterwards {
    lot,
    connector,
    delivered,
    completed_at,
    reversal
});

/// To an account: take back what is unused of this credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeBack {
    /// Who sold it.
    pub partner: PartnerId,
    /// Digest of its external_id.
    pub external: u128,
    /// The account.
    pub account: AccountId,
    /// The top-up.
    pub top_up: u128,
    /// The credit's lot, and then those that its promotions brought.
    pub lots: Vec<LotId>,
    /// What the payer paid.
    pub gross: Money,
    /// What was credited of it.
    pub credited: Money,
    /// The first promotion.
    pub promotion: Code,
}
codec_struct!(TakeBack {
    partner,
    external,
    account,
    top_up,
    lots,
    gross,
    credited,
    promotion
});

/// What a credit came from that is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditOf {
    /// A payment: its money goes back to the payer.
    Payment(PaymentId),
    /// A top-up: its money goes back to the seller's float.
    TopUp(u128),
}

impl fmt::Display for CreditOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CreditOf::Payment(id) => id.fmt(f),
            CreditOf::TopUp(id) => write!(f, "{id:032x}"),
        }
    }
}

impl TopUp {
    /// The commission that belongs to a part of the gross amount: all of it for all, else rounded down.
    pub fn commission_of(&self, gross: Money) -> Money {
        let whole = self.details.commission;
        if gross == self.gross {
            return whole;
        }
        whole.mul_div(gross.0, self.gross.0.max(1), Rounding::Down)
    }

    /// Until when its seller can ask for it back.
    pub fn seller_until(&self) -> Timestamp {
        self.created_at.plus(SELLER_S * SECOND)
    }

    /// What happens to its reversal.
    pub(crate) fn reverse(&mut self, event: &ReversalEvent, at: Timestamp) {
        let fresh = |state, by| Reversal {
            state,
            by,
            approved_by: Code::EMPTY,
            at,
            taken: Taken::default(),
            commission: Money::ZERO,
            reason: None,
        };
        let slot = &mut self.after.reversal;
        match event {
            ReversalEvent::Proposed { by } => *slot = Some(fresh(ReversalState::Proposed, *by)),
            ReversalEvent::Asked { by } => {
                let second = slot
                    .as_ref()
                    .filter(|known| known.state == ReversalState::Proposed);
                *slot = Some(match second {
                    Some(first) => Reversal {
                        approved_by: *by,
                        ..fresh(ReversalState::Asked, first.by)
                    },
                    None => fresh(ReversalState::Asked, *by),
                });
            }
            ReversalEvent::Ended { result, commission } => {
                if let Some(reversal) = slot {
                    reversal.at = at;
                    match result {
                        Ok(taken) => {
                            reversal.state = ReversalState::Done;
                            reversal.taken = *taken;
                            reversal.commission = *commission;
                            self.state = TopUpState::Reversed;
                        }
                        Err(refusal) => {
                            reversal.state = ReversalState::Refused;
                            reversal.reason = Some(refusal.code());
                        }
                    }
                }
            }
        }
    }
}
