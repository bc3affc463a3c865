//! A subscriber's account: life cycle, lots, sessions, and what it remembers.

use crate::catalog::{Classes, Language, Prefix, Scope};
use crate::codec::{Codec, CodecError, Reader, codec_enum, codec_struct};
use crate::ids::{AccountId, Code, Imsi, LotId, Msisdn, OperatorId, SourceId};
use crate::money::Money;
use crate::promotion::EarnedCount;
use crate::session::Session;
use crate::tax::{RegionCode, TaxClass};
use crate::time::Timestamp;
use crate::unit::{Amount, Unit};
use smallvec::SmallVec;
use std::collections::VecDeque;

/// A subscriber's account. Changed only by [`crate::apply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The tenant it belongs to.
    pub operator: OperatorId,
    /// Its number.
    pub msisdn: Msisdn,
    /// Its SIM.
    pub imsi: Option<Imsi>,
    /// Language of messages.
    pub language: Language,
    /// Tax class at recharge.
    pub tax_class: TaxClass,
    /// Where it was last seen; empty: nowhere yet.
    pub region: RegionCode,
    /// Life-cycle state.
    pub state: LifeCycle,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The main balance can be used until here.
    pub valid_until: Timestamp,
    /// True once a recharge has been made.
    pub recharged: bool,
    /// True while the main balance is below the notice threshold and the notice was given.
    pub low_balance_noticed: bool,
    /// Number of the next lot.
    pub next_lot: u32,
    /// Events applied so far.
    pub version: u64,
    /// Money charged by immediate events and not refunded: the most that a refund can bring back.
    pub refundable: Money,
    /// Value, in order of creation.
    pub lots: Vec<Lot>,
    /// Open and just closed sessions.
    pub sessions: Vec<Session>,
    /// Bundles set to renew.
    pub renewals: Vec<Renewal>,
    /// Purchases of today, for limits per day.
    pub purchases: Vec<Purchase>,
    /// How often promotions were earned, for the limits of a person.
    pub earned: Vec<EarnedCount>,
    /// Recent commands and their replies, oldest first (design rule 3).
    pub recent: VecDeque<Remembered>,
}

impl Account {
    /// What is left of the main balance: money lots usable for everything, not reserved and not expired.
    pub fn main_balance(&self, now: Timestamp) -> Money {
        let lots = self.lots.iter().filter(|lot| lot.is_main());
        lots.map(|lot| Money(lot.available(now).0)).sum()
    }

    /// The main balance with reservations still in it: what people call "the balance".
    pub fn main_total(&self, now: Timestamp) -> Money {
        let lots = self
            .lots
            .iter()
            .filter(|lot| lot.is_main() && lot.expires_at > now);
        lots.map(|lot| Money(lot.amount.0)).sum()
    }

    /// The lot of that number.
    pub fn lot(&self, id: LotId) -> Option<&Lot> {
        self.lots.iter().find(|lot| lot.id == id)
    }

    /// Whether the account may use services now.
    pub fn may_use(&self) -> bool {
        self.state == LifeCycle::Active
    }

    /// The earliest moment at which time alone changes this account.
    pub fn next_due(&self) -> Option<Timestamp> {
        let lots = self
            .lots
            .iter()
            .filter(|lot| lot.amount > lot.reserved)
            .map(|lot| lot.expires_at);
        let sessions = self
            .sessions
            .iter()
            .filter(|session| !session.closed)
            .map(|session| session.expires_at);
        let renewals = self.renewals.iter().map(|renewal| renewal.due_at);
        let validity = (self.state == LifeCycle::Active).then_some(self.valid_until);
        let due = lots.chain(sessions).chain(renewals).chain(validity).min()?;
        (due != Timestamp::NEVER).then_some(due)
    }

    /// Reads a little of every line of the account itself: see [`crate::Entity::touch`].
    pub(crate) fn touch(&self) -> usize {
        let lists = self.lots.len() + self.sessions.len() + self.recent.len();
        let more = self.renewals.len() + self.purchases.len() + self.earned.len();
        let low = |at: Timestamp| usize::from(at.0 & 1 == 0);
        lists
            + more
            + low(self.valid_until)
            + low(self.opened_at)
            + self.region.as_bytes().len()
            + usize::from(self.next_lot == 0 || self.version == 0)
    }

    /// Reads a little of every line of what hangs on the account: see [`crate::Entity::touch_parts`].
    pub(crate) fn touch_parts(&self) -> usize {
        let even = |amount: Amount| usize::from(amount.0 & 1 == 0);
        let lots = self
            .lots
            .iter()
            .map(|lot| even(lot.amount) + usize::from(lot.scope.roaming) + lot.source.as_bytes().len());
        let sessions = self.sessions.iter().map(|session| {
            let elements = session
                .elements
                .first()
                .map_or(0, |first| even(first.used) + first.reserved.len());
            let number = usize::from(session.numbers.is_new(0)) + usize::from(session.cost == Money::ZERO);
            elements
                + number
                + usize::from(session.closed)
                + session.id.len()
                + usize::from(session.key.0 == 0)
        });
        let recent = self
            .recent
            .back()
            .map(|last| last.reply.len() + usize::from(last.body == 0));
        lots.sum::<usize>() + sessions.sum::<usize>() + recent.unwrap_or(0)
    }

    /// Rough bytes held in memory.
    pub fn weight(&self) -> usize {
        let sessions: usize = self.sessions.iter().map(Session::weight).sum();
        let spilled = |known: &&Remembered| known.reply.spilled();
        let replies: usize = self
            .recent
            .iter()
            .filter(spilled)
            .map(|r| 16 + r.reply.capacity())
            .sum();
        let recent = self.recent.capacity() * size_of::<Remembered>() + replies;
        size_of::<Account>() + 64 + self.lots.capacity() * size_of::<Lot>() + sessions + recent
    }
}

/// Life-cycle state of a subscription (TM Forum TMF637 product status, in the words of the trade).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LifeCycle {
    /// Usable.
    #[default]
    Active,
    /// Validity has run out: the balance is kept, a recharge revives it.
    Expired,
    /// Barred by staff or by the subscriber.
    Suspended,
    /// Ended. Nothing moves any more.
    Closed,
}
codec_enum!(LifeCycle { Active = 0, Expired = 1, Suspended = 2, Closed = 3 });

impl LifeCycle {
    /// Name in API and files.
    pub fn name(self) -> &'static str {
        match self {
            LifeCycle::Active => "active",
            LifeCycle::Expired => "expired",
            LifeCycle::Suspended => "suspended",
            LifeCycle::Closed => "closed",
        }
    }
}

/// Where value came from (design rule 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Paid for by a recharge.
    Paid,
    /// Given by a promotion.
    Bonus,
    /// Lent: the advance. Its rules come with the advance itself.
    Advance,
    /// Part of a bundle that was bought.
    Bundle,
}
codec_enum!(Origin { Paid = 0, Bonus = 1, Advance = 2, Bundle = 3 });

impl Origin {
    /// Name in ledger accounts and API.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Paid => "paid",
            Origin::Bonus => "bonus",
            Origin::Advance => "advance",
            Origin::Bundle => "bundle",
        }
    }
}

/// A quantity of value with one origin, scope and expiry. Money for everything is the main balance; anything else that a
/// bundle or promotion brought is a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Number within the account.
    pub id: LotId,
    /// What it is counted in.
    pub unit: Unit,
    /// Where it came from.
    pub origin: Origin,
    /// Used before lots of higher numbers.
    pub priority: u8,
    /// What is left, reservations included.
    pub amount: Amount,
    /// The part of it held by sessions.
    pub reserved: Amount,
    /// What it held at first.
    pub initial: Amount,
    /// When it was created.
    pub granted_at: Timestamp,
    /// When it ends (exclusive).
    pub expires_at: Timestamp,
    /// What it can be used for.
    pub scope: Scope,
    /// Taken in steps of this size.
    pub step: Amount,
    /// Calls from it pay no set-up fee.
    pub waives_setup: bool,
    /// The offer, promotion or channel that brought it.
    pub source: Code,
}

impl Lot {
    /// True for money that pays for everything.
    pub fn is_main(&self) -> bool {
        self.unit == Unit::Money && self.scope.is_any()
    }

    /// What can be reserved or used now.
    pub fn available(&self, now: Timestamp) -> Amount {
        if self.expires_at <= now {
            Amount::ZERO
        } else {
            self.amount - self.reserved
        }
    }

    /// Consumption order: priority, then soonest expiry, then oldest (design rule 6).
    pub fn order(&self) -> (u8, Timestamp, LotId) {
        (self.priority, self.expires_at, self.id)
    }
}

/// A bundle set to renew by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The offer.
    pub offer: Code,
    /// When it is bought again.
    pub due_at: Timestamp,
}
codec_struct!(Renewal { offer, due_at });

/// How often an offer was bought on a local day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// The offer.
    pub offer: Code,
    /// Local day number.
    pub day: i64,
    /// Times.
    pub count: u8,
}
codec_struct!(Purchase { offer, day, count });

/// An encoded reply.
pub type ReplyBytes = SmallVec<[u8; 40]>;

/// A command that was answered, so that its repetition gets the same answer and moves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Who asked.
    pub source: SourceId,
    /// Digest of what was asked.
    pub body: u64,
    /// When.
    pub at: Timestamp,
    /// The encoded [`crate::Reply`]; that of a session's request fits in place.
    pub reply: ReplyBytes,
}
codec_struct!(Remembered {
    source,
    body,
    at,
    reply
});

codec_struct!(Lot {
    id,
    unit,
    origin,
    priority,
    amount,
    reserved,
    initial,
    granted_at,
    expires_at,
    scope,
    step,
    waives_setup,
    source,
});

impl Codec for Scope {
    fn encode(&self, out: &mut Vec<u8>) {
        if *self == Scope::ANY {
            out.push(0);
            return;
        }
        out.push(1);
        self.services.encode(out);
        self.classes.0.encode(out);
        (self.prefix.value, self.prefix.digits).encode(out);
        for group in &self.rating_groups {
            group.encode(out);
        }
        self.window.encode(out);
        self.roaming.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Scope, CodecError> {
        if !bool::decode(input)? {
            return Ok(Scope::ANY);
        }
        let services = u8::decode(input)?;
        let classes = Classes(u8::decode(input)?);
        let (value, digits) = <(u64, u8)>::decode(input)?;
        if digits > 15 {
            return Err(CodecError::Invalid("prefix"));
        }
        let mut rating_groups = [None; 3];
        for group in &mut rating_groups {
            *group = Option::decode(input)?;
        }
        let window = Option::decode(input)?;
        let roaming = bool::decode(input)?;
        Ok(Scope {
            services,
            classes,
            prefix: Prefix { value, digits },
            rating_groups,
            window,
            roaming,
        })
    }
}

codec_struct!(Account {
    id,
    operator,
    msisdn,
    imsi,
    language,
    tax_class,
} newer { earned } then {
    region,
    state,
    opened_at,
    valid_until,
    recharged,
    low_balance_noticed,
    next_lot,
    version,
    refundable,
    lots,
    sessions,
    renewals,
    purchases,
    recent,
});
