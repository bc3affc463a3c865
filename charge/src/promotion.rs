//! Budgets of promotions, what partitions hold of them, and what people earned.
//!
//! A budget lives in one partition and gives *leases*: the right of another partition to spend so much of it. What a
//! partition may still spend of each promotion is its *shares*. A share is spent only by the owner of its partition, so
//! that no budget is overspent although its subscribers live everywhere (decision 0009).

use crate::account::{Account, Lot};
use crate::codec::{Codec, CodecError, Reader, codec_enum, codec_newtype, codec_struct};
use crate::ids::{AccountId, Code, LotId, OperatorId};
use crate::money::Money;
use crate::reply::Receipt;
use crate::session::Draw;
use crate::time::Timestamp;
use crate::unit::{Amount, Unit};
use smallvec::SmallVec;

/// Claims that wait in one partition for their budget's answer; what comes above is told that the funds are out.
pub const CLAIMS_MAX: usize = 1_024;
/// Promotions of which an account remembers how often it earned them.
pub const COUNTS_MAX: usize = 64;
/// Promotions earned by one recharge.
pub const AWARDS_MAX: usize = 4;
/// A lease is this part of what the budget has left, so that the last ones are small.
pub const LEASE_PART: i64 = 32;
/// A share asks again when less than this part of its last lease is left.
pub const REFILL_PART: i64 = 4;

/// What is left of a promotion's budget and not leased to anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Put in from marketing expense.
    pub funded: Money,
    /// Neither leased nor given back. Never below zero.
    pub left: Money,
}
codec_struct!(Budget { funded, left });

/// What one partition may spend of an operator's promotions, and who waits for more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// One for each promotion that was ever asked for and has not ended.
    pub shares: Vec<Share>,
    /// Awards that wait for their budget's answer, oldest first.
    pub claims: Vec<Claim>,
    /// Number of the next claim.
    pub next_claim: u64,
}
codec_struct!(Shares {
    shares,
    claims,
    next_claim
});

impl Shares {
    /// The share of a promotion.
    pub fn share(&self, promotion: Code) -> Option<&Share> {
        self.shares.iter().find(|share| share.promotion == promotion)
    }
}

/// What one partition may spend of one promotion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The promotion.
    pub promotion: Code,
    /// May still be spent. Never below zero.
    pub left: Money,
    /// Size of the last lease.
    pub lease: Money,
    /// More was asked for and the answer is on its way.
    pub asked: bool,
    /// The budget, as it was, could not give this much: nobody asks for it again until the budget is raised.
    pub dry: Option<Dry>,
}
codec_struct!(Share {
    promotion,
    left,
    lease,
    asked,
    dry
});

impl Share {
    /// Nothing yet.
    pub fn empty(promotion: Code) -> Share {
        Share {
            promotion,
            left: Money::ZERO,
            lease: Money::ZERO,
            asked: false,
            dry: None,
        }
    }

    /// True when the budget is known to be unable to give so much.
    pub fn is_dry(&self, budget: Money, wanted: Money) -> bool {
        self.dry
            .is_some_and(|dry| budget <= dry.budget && wanted >= dry.wanted)
    }

    /// True when it should ask for more, after spending.
    pub fn is_low(&self, left: Money, wanted: Money) -> bool {
        left < wanted || left.0 < self.lease.0 / REFILL_PART
    }
}

/// What a budget could not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dry {
    /// All that the budget held at that time, spent or not.
    pub budget: Money,
    /// What was asked for.
    pub wanted: Money,
}
codec_struct!(Dry { budget, wanted });

/// An award that waits for its budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Number within the partition.
    pub id: u64,
    /// Who earned it.
    pub account: AccountId,
    /// What was earned; its lots have their numbers already.
    pub award: Award,
}
codec_struct!(Claim { id, account, award });

/// What one promotion gives for one recharge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Award {
    /// The promotion.
    pub promotion: Code,
    /// What the budget pays.
    pub cost: Money,
    /// The new lots.
    pub lots: Vec<Lot>,
    /// The recharge that earned it.
    pub receipt: Receipt,
    /// For the limit of a person: period and how long to remember.
    pub period: Period,
}
codec_struct!(Award {
    promotion,
    cost,
    lots,
    receipt,
    period
});

/// The period on which an award counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Number of the period, on the operator's calendar.
    pub number: i32,
    /// The count is remembered until then.
    pub until: Timestamp,
}

impl Codec for Period {
    fn encode(&self, out: &mut Vec<u8>) {
        i64::from(self.number).encode(out);
        self.until.encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Period, CodecError> {
        let number = i32::try_from(i64::decode(input)?).map_err(|_| CodecError::Invalid("period"))?;
        let until = Codec::decode(input)?;
        Ok(Period { number, until })
    }
}

/// How often an account earned a promotion in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarnedCount {
    /// The promotion.
    pub promotion: Code,
    /// The period.
    pub period: Period,
    /// Times.
    pub times: u16,
}
codec_struct!(EarnedCount {
    promotion,
    period,
    times
});

/// What a recharge earned, for quotes and receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earned {
    /// The promotion.
    pub promotion: Code,
    /// Whether it was given.
    pub status: EarnedStatus,
    /// What the budget pays.
    pub cost: Money,
    /// For the limit of a person.
    pub period: Period,
    /// Its lots, also while they are on their way.
    pub lots: SmallVec<[EarnedLot; 1]>,
}
codec_struct!(Earned {
    promotion,
    status,
    cost,
    period,
    lots
});

/// A lot that a promotion brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarnedLot {
    /// Its number in the account.
    pub lot: LotId,
    /// What it is counted in.
    pub unit: Unit,
    /// How much.
    pub amount: Amount,
    /// When it ends.
    pub expires_at: Timestamp,
}
codec_struct!(EarnedLot {
    lot,
    unit,
    amount,
    expires_at
});

impl EarnedLot {
    /// What a lot tells about itself.
    pub fn of(lot: &Lot) -> EarnedLot {
        EarnedLot {
            lot: lot.id,
            unit: lot.unit,
            amount: lot.initial,
            expires_at: lot.expires_at,
        }
    }
}

/// Whether what was earned was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EarnedStatus {
    /// Given with the credit.
    Given,
    /// The budget was asked; it is given or refused in a moment.
    Pending,
    /// The budget is used up: nothing is given.
    NotFunded,
    /// Not paid yet: what would be earned, while funds last.
    Offered,
}
codec_enum!(EarnedStatus { Given = 0, Pending = 1, NotFunded = 2, Offered = 3 });

impl EarnedStatus {
    /// Name in the API.
    pub fn name(self) -> &'static str {
        match self {
            EarnedStatus::Given => "given",
            EarnedStatus::Pending => "pending",
            EarnedStatus::NotFunded => "not-funded",
            EarnedStatus::Offered => "offered",
        }
    }
}

/// What a discount took off the price of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discounted {
    /// The promotion.
    pub promotion: Code,
    /// How much less, paid by the budget.
    pub amount: Money,
    /// For the limit of a person.
    pub period: Period,
}
codec_struct!(Discounted {
    promotion,
    amount,
    period
});

/// A change of what one partition may spend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharesChange {
    /// Per promotion.
    pub shares: SmallVec<[ShareChange; 1]>,
    /// Claims that wait from now on.
    pub opened: Vec<Claim>,
    /// Claims that were answered.
    pub closed: SmallVec<[u64; 1]>,
}
codec_struct!(SharesChange {
    shares,
    opened,
    closed
});

impl SharesChange {
    /// True when nothing changes.
    pub fn is_empty(&self) -> bool {
        self.shares.is_empty() && self.opened.is_empty() && self.closed.is_empty()
    }
}

/// A change of one share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareChange {
    /// The promotion.
    pub promotion: Code,
    /// Leased (positive), spent or given back (negative).
    pub amount: Money,
    /// Size of the new lease, when there is one.
    pub lease: Option<Money>,
    /// More was asked for, or the answer came.
    pub asked: Option<bool>,
    /// The budget could not give this.
    pub dry: Option<Dry>,
    /// The promotion has ended: the share is gone.
    pub ended: bool,
}
codec_struct!(ShareChange {
    promotion,
    amount,
    lease,
    asked,
    dry,
    ended
});

impl ShareChange {
    /// Nothing but an amount.
    pub fn amount(promotion: Code, amount: Money) -> ShareChange {
        ShareChange {
            promotion,
            amount,
            lease: None,
            asked: None,
            dry: None,
            ended: false,
        }
    }
}

/// A partition asks a budget for more, gets an answer, or gives back what it will not spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetMessage {
    /// The operator.
    pub operator: OperatorId,
    /// The promotion.
    pub promotion: Code,
    /// The partition that spends.
    pub home: u16,
    /// Whose claim it is about, if it is about one.
    pub claim: Option<ClaimRef>,
    /// Asked: at least this much. Given back: this much.
    pub amount: Money,
}
codec_struct!(BudgetMessage {
    operator,
    promotion,
    home,
    claim,
    amount
});

/// A claim by its number, and the account that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimRef {
    /// Number within the partition.
    pub id: u64,
    /// The account.
    pub account: AccountId,
}
codec_struct!(ClaimRef { id, account });

/// What kind of channel a payment came by: told by the front, so that offers can depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelClass {
    /// Not told.
    #[default]
    Unknown,
    /// A shop or retailer.
    Shop,
    /// A kiosk.
    Kiosk,
    /// A cash machine.
    Atm,
    /// The website.
    Web,
    /// The app.
    App,
    /// A mobile wallet.
    Wallet,
    /// A bank's app or transfer.
    Bank,
    /// A card.
    Card,
    /// A USSD menu.
    Ussd,
    /// A short message.
    Sms,
    /// A scratch card.
    Voucher,
    /// A standing order of the owner.
    Auto,
}
codec_enum!(ChannelClass {
    Unknown = 0, Shop = 1, Kiosk = 2, Atm = 3, Web = 4, App = 5, Wallet = 6, Bank = 7, Card = 8, Ussd = 9, Sms = 10,
    Voucher = 11, Auto = 15,
});

impl ChannelClass {
    /// Every class with its name in files and in the API.
    pub const NAMES: [(&'static str, ChannelClass); 12] = [
        ("shop", ChannelClass::Shop),
        ("kiosk", ChannelClass::Kiosk),
        ("atm", ChannelClass::Atm),
        ("web", ChannelClass::Web),
        ("app", ChannelClass::App),
        ("wallet", ChannelClass::Wallet),
        ("bank", ChannelClass::Bank),
        ("card", ChannelClass::Card),
        ("ussd", ChannelClass::Ussd),
        ("sms", ChannelClass::Sms),
        ("voucher", ChannelClass::Voucher),
        ("auto", ChannelClass::Auto),
    ];

    /// The class of a name.
    pub fn from_name(name: &str) -> Option<ChannelClass> {
        let found = ChannelClass::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, class)| *class)
    }
}

/// A set of channel classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Channels(pub u16);
codec_newtype!(Channels);

impl Channels {
    /// True when no class is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True when the class is in the set; a channel that is not told is in none.
    pub fn contains(self, class: ChannelClass) -> bool {
        class != ChannelClass::Unknown && self.0 & (1 << class as u16) != 0
    }

    /// The set with one class more.
    #[must_use]
    pub fn with(self, class: ChannelClass) -> Channels {
        Channels(self.0 | (1 << class as u16))
    }
}

/// Longest campaign code in characters.
pub const CAMPAIGN_MAX: usize = 16;

/// A campaign code as people type it: letters and digits in any case, spaces and hyphens ignored.
pub fn campaign_code(typed: &str) -> Option<Code> {
    if typed.len() > 4 * CAMPAIGN_MAX {
        return None;
    }
    let kept: String = typed
        .chars()
        .filter(|c| !matches!(c, ' ' | '-'))
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let valid = (3..=CAMPAIGN_MAX).contains(&kept.len()) && kept.bytes().all(|b| b.is_ascii_alphanumeric());
    Code::new(&kept).filter(|_| valid)
}

/// What is unused of some lots of an account, to be taken back with the credit that brought them: never more than they
/// held at first, nothing of what is reserved by a session or has run out of time. Lots that are gone give nothing.
pub fn unused(account: &Account, lots: &[(LotId, Amount)], now: Timestamp) -> SmallVec<[Draw; 2]> {
    let mut draws: SmallVec<[Draw; 2]> = SmallVec::new();
    for (id, initial) in lots {
        let Some(lot) = account.lot(*id) else { continue };
        if draws.iter().any(|draw| draw.lot == *id) {
            continue;
        }
        let amount = Amount(lot.available(now).0.min(initial.0));
        if amount.is_positive() {
            draws.push(Draw {
                lot: lot.id,
                origin: lot.origin,
                unit: lot.unit,
                amount,
            });
        }
    }
    draws
}

impl Account {
    /// How often the account earned a promotion in a period.
    pub fn earned_times(&self, promotion: Code, period: i32) -> u16 {
        let known = self
            .earned
            .iter()
            .find(|count| count.promotion == promotion && count.period.number == period);
        known.map_or(0, |count| count.times)
    }
}

impl Account {
    /// One more time.
    pub(crate) fn note_earned(&mut self, promotion: Code, period: Period, at: Timestamp) {
        self.earned.retain(|count| count.period.until > at);
        let known = self
            .earned
            .iter_mut()
            .find(|count| count.promotion == promotion && count.period.number == period.number);
        match known {
            Some(count) => {
                count.times = count.times.saturating_add(1);
                count.period.until = count.period.until.max(period.until);
            }
            None => {
                self.earned.push(EarnedCount {
                    promotion,
                    period,
                    times: 1,
                });
            }
        }
    }

    /// It was noted, and is not given after all.
    pub(crate) fn not_earned(&mut self, promotion: Code, period: Period) {
        for count in &mut self.earned {
            if count.promotion == promotion && count.period.number == period.number {
                count.times = count.times.saturating_sub(1);
            }
        }
        self.earned.retain(|count| count.times > 0);
    }
}

impl Shares {
    /// Applies a change.
    pub(crate) fn take(&mut self, change: &SharesChange) {
        for changed in &change.shares {
            if changed.ended {
                self.shares.retain(|share| share.promotion != changed.promotion);
                continue;
            }
            let known = self
                .shares
                .iter()
                .position(|share| share.promotion == changed.promotion);
            let index = known.unwrap_or_else(|| {
                self.shares.push(Share::empty(changed.promotion));
                self.shares.len() - 1
            });
            let share = &mut self.shares[index];
            share.left += changed.amount;
            share.lease = changed.lease.unwrap_or(share.lease);
            share.asked = changed.asked.unwrap_or(share.asked);
            share.dry = changed.dry.or(share.dry);
        }
        self.claims.retain(|claim| !change.closed.contains(&claim.id));
        for claim in &change.opened {
            self.next_claim = self.next_claim.max(claim.id + 1);
            self.claims.push(claim.clone());
        }
    }
}
