//! Auto-recharge: a number's standing order to recharge it when its balance is low or on a date, with caps.
//!
//! The rule lives beside the account, so that the caps, the count and the payment that they allow are one decision: no crash
//! and no second trigger can make two payments of one occasion. The id of a payment follows from the rule, the occasion and
//! the attempt. From what the money is taken (a wallet, a card's token) is not here: that is personal and can be deleted.

use crate::codec::{Codec, CodecError, Reader, codec_enum, codec_struct};
use crate::ids::{AccountId, Code, Msisdn, OperatorId, digest128};
use crate::money::Money;
use crate::payment::{FailureClass, PaymentId};
use crate::time::{Civil, DAY, HOUR, MINUTE, SECOND, Timestamp, Zone};
use std::collections::VecDeque;

/// Waits between attempts of one occasion, microseconds; after the last one the rule is paused.
pub const RETRY_AFTER: [i64; 3] = [15 * MINUTE, 4 * HOUR, DAY];
/// After a recharge because of the balance there is no other one for so long, microseconds: usage that is being
/// reported must not empty a wallet.
pub const REST: i64 = 10 * MINUTE;
/// Attempts that the rule remembers.
pub const TRIES_KEPT: usize = 20;
/// Longest notice before a date, seconds.
pub const LEAD_S_MAX: u32 = 7 * 86_400;
/// Most days before the end of validity.
pub const DAYS_BEFORE_MAX: u8 = 28;

/// On which dates a rule recharges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AutoDate {
    /// On none.
    #[default]
    Never,
    /// Every week on this day: 1 is Monday, 7 Sunday.
    Weekly(u8),
    /// Every month on this day, 1 to 31; in shorter months on the last one.
    Monthly(u8),
    /// So many days before the main balance expires.
    BeforeExpiry(u8),
}

impl AutoDate {
    /// True for days that exist.
    pub fn is_valid(self) -> bool {
        match self {
            AutoDate::Never => true,
            AutoDate::Weekly(day) => (1..=7).contains(&day),
            AutoDate::Monthly(day) => (1..=31).contains(&day),
            AutoDate::BeforeExpiry(days) => (1..=DAYS_BEFORE_MAX).contains(&days),
        }
    }

    /// The first such moment after `now`, at a local time of day. `valid_until`: of the main balance. A moment before the end of
    /// validity that has passed is none until validity is extended.
    pub fn next(self, minute: u16, zone: &Zone, valid_until: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let at = |day: i32| zone.day_start(day).plus(i64::from(minute) * MINUTE);
        let today = zone.day_number(now);
        let fits: Box<dyn Fn(i32) -> bool> = match self {
            AutoDate::Never => return None,
            AutoDate::BeforeExpiry(days) => {
                if valid_until == Timestamp::NEVER {
                    return None;
                }
                let due = valid_until.plus(-i64::from(days) * DAY);
                return (due > now).then_some(due);
            }
            // Day 0 of the epoch was a Thursday.
            AutoDate::Weekly(wanted) => Box::new(move |day| (day + 3).rem_euclid(7) + 1 == i32::from(wanted)),
            AutoDate::Monthly(wanted) => Box::new(move |day| {
                let (_, _, here) = crate::time::civil_from_days(i64::from(day));
                let (_, _, next) = crate::time::civil_from_days(i64::from(day) + 1);
                here == wanted || (next == 1 && here < wanted)
            }),
        };
        (today..=today + 62)
            .filter(|day| fits(*day))
            .map(at)
            .find(|due| *due > now)
    }
}

impl Codec for AutoDate {
    fn encode(&self, out: &mut Vec<u8>) {
        let (tag, value) = match self {
            AutoDate::Never => (0, 0),
            AutoDate::Weekly(day) => (1, *day),
            AutoDate::Monthly(day) => (2, *day),
            AutoDate::BeforeExpiry(days) => (3, *days),
        };
        out.extend_from_slice(&[tag, value]);
    }
    fn decode(input: &mut Reader<'_>) -> Result<AutoDate, CodecError> {
        let bytes = input.take(2)?;
        let date = match (bytes[0], bytes[1]) {
            (0, 0) => AutoDate::Never,
            (1, day) => AutoDate::Weekly(day),
            (2, day) => AutoDate::Monthly(day),
            (3, days) => AutoDate::BeforeExpiry(days),
            _ => return Err(CodecError::Invalid("auto-recharge date")),
        };
        Ok(date).and_then(|date| {
            date.is_valid()
                .then_some(date)
                .ok_or(CodecError::Invalid("auto-recharge date"))
        })
    }
}

/// The most that a rule may take. Zero: no such cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutoCaps {
    /// On one local day.
    pub per_day: Money,
    /// In one local month.
    pub per_month: Money,
    /// Payments in one local month.
    pub count_per_month: u16,
}
codec_struct!(AutoCaps {
    per_day,
    per_month,
    count_per_month
});

/// What somebody has ordered for a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoRule {
    /// Random, made by the caller: nobody can guess the payments that follow from it.
    pub seed: u64,
    /// The number.
    pub msisdn: Msisdn,
    /// Its operator.
    pub operator: OperatorId,
    /// Recharge when the main balance is below this; zero: not because of the balance.
    pub below: Money,
    /// Recharge on these dates.
    pub date: AutoDate,
    /// At this local minute of the day (weekly and monthly).
    pub minute: u16,
    /// With this, in the operator's currency.
    pub amount: Money,
    /// Buy this bundle at once; empty: none.
    pub offer: Code,
    /// Through this rail, which must take the operator's currency.
    pub rail: Code,
    /// The most that it may take.
    pub caps: AutoCaps,
    /// Tell the owner so long before a date, seconds; zero: do not.
    pub lead_s: u32,
    /// How long the owner may take to approve, seconds.
    pub payable_s: u32,
    /// How much later the money is still credited and not sent back, seconds.
    pub wanted_s: u32,
}
codec_struct!(AutoRule {
    seed,
    msisdn,
    operator,
    below,
    date,
    minute,
    amount,
    offer,
    rail,
    caps,
    lead_s,
    payable_s,
    wanted_s,
});

impl AutoRule {
    /// The payment of an attempt.
    pub fn payment(&self, account: AccountId, occasion: u32, attempt: u8) -> Option<PaymentId> {
        let parts: [&[u8]; 3] = [&self.seed.to_be_bytes(), &occasion.to_be_bytes(), &[attempt]];
        let digest = digest128("auto-recharge", &parts);
        PaymentId::new(account.0, u64::try_from(digest >> 64).unwrap_or(0))
    }

    /// True when it can be carried out at all.
    pub fn is_valid(&self) -> bool {
        let triggers = self.below.is_positive() || self.date != AutoDate::Never;
        let caps = [self.caps.per_day, self.caps.per_month];
        triggers
            && self.below >= Money::ZERO
            && self.date.is_valid()
            && self.minute < 24 * 60
            && self.amount.is_positive()
            && !self.rail.is_empty()
            && self.lead_s <= LEAD_S_MAX
            && self.payable_s > 0
            && caps.iter().all(|cap| *cap == Money::ZERO || *cap >= self.amount)
    }

    /// True when `other` takes no more than this one did: nobody needs to confirm it again.
    pub fn covers(&self, other: &AutoRule) -> bool {
        let within =
            |mine: Money, theirs: Money| mine == Money::ZERO || (theirs != Money::ZERO && theirs <= mine);
        let count = self.caps.count_per_month;
        self.rail == other.rail
            && other.amount <= self.amount
            && other.below <= self.below
            && (other.date == AutoDate::Never || other.date == self.date)
            && within(self.caps.per_day, other.caps.per_day)
            && within(self.caps.per_month, other.caps.per_month)
            && (count == 0 || (1..=count).contains(&other.caps.count_per_month))
    }
}

/// Whether a rule works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AutoState {
    /// It works.
    Active,
    /// Its owner paused it.
    Paused,
    /// The wallet or bank said no, or its owner did there.
    Declined,
    /// Every attempt of an occasion failed.
    Failed,
    /// The account does not take the recharge.
    Refused,
    /// Its owner ended it.
    Ended,
    /// Staff ended it.
    Stopped,
}
codec_enum!(AutoState {
    Active = 0, Paused = 1, Declined = 2, Failed = 3, Refused = 4, Ended = 5, Stopped = 6,
});

impl AutoState {
    /// Every one.
    pub const ALL: [AutoState; 7] = [
        AutoState::Active,
        AutoState::Paused,
        AutoState::Declined,
        AutoState::Failed,
        AutoState::Refused,
        AutoState::Ended,
        AutoState::Stopped,
    ];

    /// Name in the API and in locale keys.
    pub fn name(self) -> &'static str {
        match self {
            AutoState::Active => "active",
            AutoState::Paused => "paused",
            AutoState::Declined => "declined",
            AutoState::Failed => "failed",
            AutoState::Refused => "refused",
            AutoState::Ended => "ended",
            AutoState::Stopped => "stopped",
        }
    }

    /// True when nothing can start it again but a new rule.
    pub fn is_final(self) -> bool {
        matches!(self, AutoState::Ended | AutoState::Stopped)
    }
}

/// Why it recharges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AutoCause {
    /// The balance is below the threshold.
    Balance,
    /// The date has come.
    Date,
}
codec_enum!(AutoCause { Balance = 0, Date = 1 });

/// A cap that held a recharge back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AutoCap {
    /// The day's.
    Day,
    /// The month's.
    Month,
    /// The month's number of payments.
    Count,
}
codec_enum!(AutoCap { Day = 0, Month = 1, Count = 2 });

impl AutoCap {
    /// Name in the API and in locale keys.
    pub fn name(self) -> &'static str {
        match self {
            AutoCap::Day => "day",
            AutoCap::Month => "month",
            AutoCap::Count => "count",
        }
    }
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AutoOutcome {
    /// Paid and credited.
    Paid,
    /// The rail said no.
    NotPaid(FailureClass),
    /// Nobody approved it in time.
    NotApproved,
    /// It was paid, and goes back: the account did not take it, or it was too late.
    WentBack,
}

impl AutoOutcome {
    /// Name in the API and in locale keys.
    pub fn name(self) -> &'static str {
        match self {
            AutoOutcome::Paid => "paid",
            AutoOutcome::NotPaid(class) => class.name(),
            AutoOutcome::NotApproved => "not-approved",
            AutoOutcome::WentBack => "went-back",
        }
    }

    /// The state of a rule that must not go on by itself after this.
    pub fn stops(self) -> Option<AutoState> {
        match self {
            // A no of the owner or of the bank is a no; asking again is nuisance at best.
            AutoOutcome::NotPaid(FailureClass::Payer | FailureClass::Cancelled | FailureClass::Declined) => {
                Some(AutoState::Declined)
            }
            AutoOutcome::WentBack => Some(AutoState::Refused),
            AutoOutcome::Paid | AutoOutcome::NotPaid(_) | AutoOutcome::NotApproved => None,
        }
    }
}

impl Codec for AutoOutcome {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            AutoOutcome::Paid => out.push(0),
            AutoOutcome::NotPaid(class) => {
                out.push(1);
                class.encode(out);
            }
            AutoOutcome::NotApproved => out.push(2),
            AutoOutcome::WentBack => out.push(3),
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<AutoOutcome, CodecError> {
        match input.take(1)?[0] {
            0 => Ok(AutoOutcome::Paid),
            1 => Codec::decode(input).map(AutoOutcome::NotPaid),
            2 => Ok(AutoOutcome::NotApproved),
            3 => Ok(AutoOutcome::WentBack),
            _ => Err(CodecError::Invalid("auto-recharge outcome")),
        }
    }
}

/// What was taken lately, against the caps. What failed is taken out again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutoSpent {
    /// Local day number.
    pub day: i64,
    /// Taken on it.
    pub on_day: Money,
    /// Local month: years times twelve and months.
    pub month: i64,
    /// Taken in it.
    pub in_month: Money,
    /// Payments in it.
    pub count: u16,
}
codec_struct!(AutoSpent {
    day,
    on_day,
    month,
    in_month,
    count
});

impl AutoSpent {
    /// The day and month of a moment, with nothing taken.
    pub fn at(zone: &Zone, now: Timestamp) -> AutoSpent {
        AutoSpent {
            day: i64::from(zone.day_number(now)),
            month: month_of(zone.civil(now)),
            ..AutoSpent::default()
        }
    }

    /// The same as seen at another moment: what was taken before its day and month does not count.
    pub fn seen(self, at: AutoSpent) -> AutoSpent {
        AutoSpent {
            day: at.day,
            on_day: if at.day == self.day {
                self.on_day
            } else {
                Money::ZERO
            },
            month: at.month,
            in_month: if at.month == self.month {
                self.in_month
            } else {
                Money::ZERO
            },
            count: if at.month == self.month { self.count } else { 0 },
        }
    }

    /// The cap that does not allow `amount` more.
    pub fn reached(self, caps: AutoCaps, amount: Money) -> Option<AutoCap> {
        let over = |cap: Money, spent: Money| cap != Money::ZERO && spent + amount > cap;
        if caps.count_per_month != 0 && self.count >= caps.count_per_month {
            Some(AutoCap::Count)
        } else if over(caps.per_month, self.in_month) {
            Some(AutoCap::Month)
        } else {
            over(caps.per_day, self.on_day).then_some(AutoCap::Day)
        }
    }

    fn add(self, taken: &AutoTry) -> AutoSpent {
        let seen = self.seen(taken.counted);
        AutoSpent {
            on_day: seen.on_day + taken.amount,
            in_month: seen.in_month + taken.amount,
            count: seen.count.saturating_add(1),
            ..seen
        }
    }

    fn take_out(&mut self, failed: &AutoTry) {
        if self.day == failed.counted.day {
            self.on_day -= failed.amount;
        }
        if self.month == failed.counted.month {
            self.in_month -= failed.amount;
            self.count = self.count.saturating_sub(1);
        }
    }
}

/// Years times twelve and months.
pub fn month_of(civil: Civil) -> i64 {
    i64::from(civil.year) * 12 + i64::from(civil.month) - 1
}

/// The first moment of the next local month.
pub fn next_month(zone: &Zone, now: Timestamp) -> Timestamp {
    let here = month_of(zone.civil(now));
    let today = zone.day_number(now);
    let first = (today + 1..today + 33).map(|day| zone.day_start(day));
    first
        .into_iter()
        .find(|at| month_of(zone.civil(*at)) > here)
        .unwrap_or(now.plus(31 * DAY))
}

/// An attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoTry {
    /// Its payment.
    pub payment: PaymentId,
    /// Of which occasion.
    pub occasion: u32,
    /// Which attempt of it, from 0.
    pub attempt: u8,
    /// Why.
    pub cause: AutoCause,
    /// How much.
    pub amount: Money,
    /// When.
    pub at: Timestamp,
    /// The day and month on which it counts.
    pub counted: AutoSpent,
    /// What became of it; `None`: not known yet.
    pub outcome: Option<AutoOutcome>,
}
codec_struct!(AutoTry {
    payment,
    occasion,
    attempt,
    cause,
    amount,
    at,
    counted,
    outcome
});

/// What a rule waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutoPlan {
    /// The next date.
    pub due_at: Option<Timestamp>,
    /// The next attempt of the present occasion.
    pub retry_at: Option<Timestamp>,
    /// The balance is not looked at before this, and again then.
    pub look_at: Option<Timestamp>,
}
codec_struct!(AutoPlan {
    due_at,
    retry_at,
    look_at
});

/// The auto-recharge of a number. Changed only by [`crate::apply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoRecharge {
    /// What was ordered.
    pub rule: AutoRule,
    /// Whether it works.
    pub state: AutoState,
    /// When it was ordered last.
    pub set_at: Timestamp,
    /// What it waits for.
    pub plan: AutoPlan,
    /// The owner was told of this date.
    pub told_of: Option<Timestamp>,
    /// Occasions so far.
    pub occasions: u32,
    /// Attempts of the present occasion that failed.
    pub failed: u8,
    /// Why the present occasion came.
    pub cause: AutoCause,
    /// The payment under way.
    pub payment: Option<PaymentId>,
    /// The cap that held the last occasion back.
    pub held: Option<AutoCap>,
    /// What counts against the caps.
    pub spent: AutoSpent,
    /// The last attempts, oldest first.
    pub tries: VecDeque<AutoTry>,
}
codec_struct!(AutoRecharge {
    rule,
    state,
    set_at,
    plan,
    told_of,
    occasions,
    failed,
    cause,
    payment,
    held,
    spent,
    tries,
});

impl AutoRecharge {
    /// When time alone does something (design rule 8).
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.state != AutoState::Active || self.payment.is_some() {
            return None;
        }
        if let Some(retry_at) = self.plan.retry_at {
            return Some(retry_at);
        }
        let dated = self.plan.due_at.map(|due_at| self.notice_at().unwrap_or(due_at));
        let looked = self.plan.look_at.filter(|_| self.rule.below.is_positive());
        dated.into_iter().chain(looked).min()
    }

    /// When the owner is to be told of the next date; `None` when told, or when it is not wanted.
    pub fn notice_at(&self) -> Option<Timestamp> {
        let due_at = self.plan.due_at.filter(|due_at| self.told_of != Some(*due_at))?;
        (self.rule.lead_s > 0).then(|| due_at.plus(-i64::from(self.rule.lead_s) * SECOND))
    }

    /// Rough bytes held in memory, for bounded caches.
    pub fn weight(&self) -> usize {
        size_of::<AutoRecharge>() + self.tries.len() * size_of::<AutoTry>()
    }

    /// The rule as it begins, or a new one in the place of the old.
    pub(crate) fn set(
        known: Option<AutoRecharge>,
        rule: &AutoRule,
        plan: AutoPlan,
        at: Timestamp,
    ) -> AutoRecharge {
        let fresh = AutoRecharge {
            rule: rule.clone(),
            state: AutoState::Active,
            set_at: at,
            plan,
            told_of: None,
            occasions: 0,
            failed: 0,
            cause: AutoCause::Balance,
            payment: None,
            held: None,
            spent: AutoSpent::default(),
            tries: VecDeque::new(),
        };
        match known {
            None => fresh,
            // What was taken counts against the new caps too, and no occasion is used twice.
            Some(known) => AutoRecharge {
                occasions: known.occasions,
                payment: known.payment,
                cause: known.cause,
                spent: known.spent,
                tries: known.tries,
                ..fresh
            },
        }
    }

    pub(crate) fn apply(&mut self, event: &AutoEvent) {
        match event {
            AutoEvent::Set { .. } => {}
            AutoEvent::Planned(plan) => self.plan = *plan,
            AutoEvent::Announced { due_at } => self.told_of = Some(*due_at),
            AutoEvent::Held { cap, plan } => {
                self.held = Some(*cap);
                self.plan = *plan;
                self.failed = 0;
            }
            AutoEvent::Tried { tried, plan } => {
                self.payment = Some(tried.payment);
                self.cause = tried.cause;
                self.occasions = tried.occasion + 1;
                self.plan = *plan;
                self.held = None;
                self.spent = self.spent.add(tried);
                self.tries.push_back(tried.clone());
                while self.tries.len() > TRIES_KEPT {
                    self.tries.pop_front();
                }
            }
            AutoEvent::Ended {
                payment,
                outcome,
                plan,
                state,
            } => {
                self.payment = None;
                if let Some(tried) = self.tries.iter_mut().find(|tried| tried.payment == *payment) {
                    tried.outcome = Some(*outcome);
                    if *outcome != AutoOutcome::Paid {
                        self.spent.take_out(tried);
                    }
                }
                self.plan = *plan;
                self.failed = if plan.retry_at.is_some() {
                    self.failed + 1
                } else {
                    0
                };
                // An end that came meanwhile stays.
                if self.state == AutoState::Active {
                    self.state = *state;
                }
            }
            AutoEvent::StateSet { state, plan } => {
                self.state = *state;
                self.plan = *plan;
                self.failed = 0;
            }
        }
    }
}

/// What happened to an auto-recharge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AutoEvent {
    /// It was ordered, or changed.
    Set {
        /// What was ordered.
        rule: Box<AutoRule>,
        /// What it waits for.
        plan: AutoPlan,
    },
    /// It waits for something else: the validity of the balance has moved, or it looked and all was well.
    Planned(AutoPlan),
    /// The owner is told of the next date.
    Announced {
        /// The date.
        due_at: Timestamp,
    },
    /// An occasion came, and a cap held it back.
    Held {
        /// Which.
        cap: AutoCap,
        /// What it waits for.
        plan: AutoPlan,
    },
    /// An occasion came: its payment is created in the same decision.
    Tried {
        /// The attempt.
        tried: AutoTry,
        /// What it waits for.
        plan: AutoPlan,
    },
    /// A payment came to its end; one that failed is cancelled in the same decision, so that money that comes late goes
    /// back.
    Ended {
        /// Which.
        payment: PaymentId,
        /// How.
        outcome: AutoOutcome,
        /// What it waits for: the next attempt, or the next occasion.
        plan: AutoPlan,
        /// Whether it works on.
        state: AutoState,
    },
    /// Paused, resumed or ended.
    StateSet {
        /// What it is now.
        state: AutoState,
        /// What it waits for.
        plan: AutoPlan,
    },
}

impl Codec for AutoEvent {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            AutoEvent::Set { rule, plan } => {
                out.push(0);
                rule.encode(out);
                plan.encode(out);
            }
            AutoEvent::Planned(plan) => {
                out.push(1);
                plan.encode(out);
            }
            AutoEvent::Announced { due_at } => {
                out.push(2);
                due_at.encode(out);
            }
            AutoEvent::Held { cap, plan } => {
                out.push(3);
                cap.encode(out);
                plan.encode(out);
            }
            AutoEvent::Tried { tried, plan } => {
                out.push(4);
                tried.encode(out);
                plan.encode(out);
            }
            AutoEvent::Ended {
                payment,
                outcome,
                plan,
                state,
            } => {
                out.push(5);
                payment.encode(out);
                outcome.encode(out);
                plan.encode(out);
                state.encode(out);
            }
            AutoEvent::StateSet { state, plan } => {
                out.push(6);
                state.encode(out);
                plan.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<AutoEvent, CodecError> {
        Ok(match input.take(1)?[0] {
            0 => AutoEvent::Set {
                rule: Codec::decode(input)?,
                plan: Codec::decode(input)?,
            },
            1 => AutoEvent::Planned(Codec::decode(input)?),
            2 => AutoEvent::Announced {
                due_at: Codec::decode(input)?,
            },
            3 => AutoEvent::Held {
                cap: Codec::decode(input)?,
                plan: Codec::decode(input)?,
            },
            4 => AutoEvent::Tried {
                tried: Codec::decode(input)?,
                plan: Codec::decode(input)?,
            },
            5 => AutoEvent::Ended {
                payment: Codec::decode(input)?,
                outcome: Codec::decode(input)?,
                plan: Codec::decode(input)?,
                state: Codec::decode(input)?,
            },
            6 => AutoEvent::StateSet {
                state: Codec::decode(input)?,
                plan: Codec::decode(input)?,
            },
            _ => return Err(CodecError::Invalid("auto-recharge event")),
        })
    }
}

/// What can be asked of an auto-recharge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AutoAction {
    /// Order it, or change it.
    Set(Box<AutoRule>),
    /// Something may be due: the balance has fallen, or the time has come. Safe to repeat.
    Look,
    /// Pause it.
    Pause,
    /// Let it work again.
    Resume,
    /// End it; `true`: staff do.
    End(bool),
}

/// A share of a month's budget that its owner is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BudgetMark {
    /// At this pace the month will take more than the target.
    Forecast,
    /// Half is spent.
    Half,
    /// Four fifths are spent.
    FourFifths,
    /// All is spent.
    All,
}
codec_enum!(BudgetMark { Forecast = 0, Half = 1, FourFifths = 2, All = 3 });

impl BudgetMark {
    /// Every one.
    pub const ALL: [BudgetMark; 4] = [
        BudgetMark::Forecast,
        BudgetMark::Half,
        BudgetMark::FourFifths,
        BudgetMark::All,
    ];

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What the owner of a number was told of a month's budget: each mark once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetTold {
    /// The month: years times twelve and months.
    pub month: i64,
    /// Marks, one bit each.
    pub marks: u8,
}
codec_struct!(BudgetTold { month, marks });

impl BudgetTold {
    /// Whether a mark of a month is still to be told. Somebody who knows that all is spent needs not hear of half of it.
    pub fn wants(&self, month: i64, mark: BudgetMark) -> bool {
        month > self.month || (month == self.month && self.marks & mark.bit() == 0)
    }

    pub(crate) fn tell(&mut self, month: i64, mark: BudgetMark) {
        if month != self.month {
            *self = BudgetTold { month, marks: 0 };
        }
        let lower = match mark {
            BudgetMark::Forecast => 0,
            BudgetMark::Half => 0,
            BudgetMark::FourFifths => BudgetMark::Half.bit(),
            BudgetMark::All => {
                BudgetMark::Half.bit() | BudgetMark::FourFifths.bit() | BudgetMark::Forecast.bit()
            }
        };
        self.marks |= mark.bit() | lower;
    }
}
