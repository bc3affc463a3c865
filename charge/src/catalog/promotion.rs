//! Promotions: what earns them, what they bring, and from which budget. Never by chance: every award is certain once it is
//! earned and funded, because a lottery is not allowed.

use super::{BucketGrant, Text, TimeWindow, Validity};
use crate::ids::Code;
use crate::money::{MICROS, Money, Rounding};
use crate::promotion::{ChannelClass, Channels};
use crate::tax::Rate;
use crate::time::{DAY, Timestamp, Zone};

/// A gift with a recharge, or a lower price of a bundle.
#[derive(Clone, Debug)]
pub struct Promotion {
    /// Name in events and budgets.
    pub code: Code,
    /// Name for people.
    pub name: Text,
    /// When it is earned.
    pub trigger: PromotionTrigger,
    /// Smallest gross amount (list price, for a purchase) that earns it.
    pub minimum: Money,
    /// Largest; zero: no limit.
    pub maximum: Money,
    /// Channel codes on which it is earned; empty with no classes: everywhere.
    pub channels: Vec<Code>,
    /// Kinds of channel on which it is earned.
    pub classes: Channels,
    /// Code that the payer types; empty: none is needed.
    pub campaign: Code,
    /// Local weekdays.
    pub weekdays: Weekdays,
    /// Local times of day; empty: always.
    pub windows: Vec<TimeWindow>,
    /// Bundles whose purchase earns it; empty: every one. Only with [`PromotionTrigger::Purchase`].
    pub offers: Vec<Code>,
    /// What it brings.
    pub buckets: Vec<BucketGrant>,
    /// A part of the credit as bonus money.
    pub percent: Option<PercentBonus>,
    /// What a bundle costs less.
    pub discount: Option<Discount>,
    /// How long what it brings lives.
    pub validity: Validity,
    /// First and last moment of the campaign.
    pub from: Timestamp,
    /// End (exclusive).
    pub until: Timestamp,
    /// All that it may cost.
    pub budget: Money,
    /// What marketing pays for the units of one award, beside bonus money and discounts.
    pub cost: Money,
    /// How often one person may earn it.
    pub limit: PersonLimit,
    /// Lower numbers are looked at first; equal ones in the order of their codes.
    pub priority: u8,
    /// At most one promotion of a group is earned at once; empty: no group.
    pub group: Code,
    /// False: earned alone or not at all.
    pub stacks: bool,
    /// Shown on the public page and in the feeds.
    pub listed: bool,
    /// Source and date, for people.
    pub as_of: String,
    /// True when something in it is invented for the demonstration.
    pub synthetic: bool,
}

/// What earns a promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PromotionTrigger {
    /// The first recharge of an account.
    FirstRecharge,
    /// Any recharge.
    Recharge,
    /// The purchase of a bundle.
    Purchase,
}

impl PromotionTrigger {
    /// Name in files and feeds.
    pub fn name(self) -> &'static str {
        match self {
            PromotionTrigger::FirstRecharge => "first-recharge",
            PromotionTrigger::Recharge => "recharge",
            PromotionTrigger::Purchase => "purchase",
        }
    }
}

/// Bonus money in proportion to what was credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PercentBonus {
    /// The proportion.
    pub rate: Rate,
    /// Never more than this.
    pub maximum: Money,
    /// The lot that it makes; its amount is not used.
    pub grant: BucketGrant,
}

impl PercentBonus {
    /// The bonus on a credit, rounded down to whole hundredths.
    pub fn of(&self, credited: Money) -> Money {
        let exact = credited.mul_div(i64::from(self.rate.0), MICROS, Rounding::Down);
        let whole = Money(exact.0 - exact.0.rem_euclid(MICROS / 100));
        whole.min(self.maximum)
    }
}

/// What a bundle costs less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discount {
    /// An amount; never more than the price.
    Amount(Money),
    /// A proportion of the price.
    Percent(Rate),
}

impl Discount {
    /// The discount on a list price, rounded down to whole hundredths.
    pub fn of(self, price: Money) -> Money {
        let exact = match self {
            Discount::Amount(amount) => amount,
            Discount::Percent(rate) => price.mul_div(i64::from(rate.0), MICROS, Rounding::Down),
        };
        Money(exact.0 - exact.0.rem_euclid(MICROS / 100)).min(price)
    }
}

/// How often one account may earn a promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonLimit {
    /// Times in each period; zero: no limit.
    pub times: u16,
    /// The period.
    pub per: LimitPeriod,
}

/// The period of a limit, on the operator's calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitPeriod {
    /// The whole campaign.
    Campaign,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month.
    Month,
}

impl LimitPeriod {
    /// Name in files and feeds.
    pub fn name(self) -> &'static str {
        match self {
            LimitPeriod::Campaign => "campaign",
            LimitPeriod::Day => "day",
            LimitPeriod::Week => "week",
            LimitPeriod::Month => "month",
        }
    }

    /// Number of the period that holds a moment.
    pub fn number(self, at: Timestamp, zone: &Zone) -> i32 {
        match self {
            LimitPeriod::Campaign => 0,
            LimitPeriod::Day => zone.day_number(at),
            LimitPeriod::Week => (zone.day_number(at) + 3).div_euclid(7),
            LimitPeriod::Month => {
                let civil = zone.civil(at);
                civil.year * 12 + i32::from(civil.month)
            }
        }
    }

    /// Until when a count of this period must be remembered. A campaign may be prolonged, so its counts outlive it.
    pub fn remembered_until(self, at: Timestamp, campaign_end: Timestamp) -> Timestamp {
        match self {
            LimitPeriod::Campaign => campaign_end.plus(366 * DAY),
            LimitPeriod::Day => at.plus(2 * DAY),
            LimitPeriod::Week => at.plus(8 * DAY),
            LimitPeriod::Month => at.plus(32 * DAY),
        }
    }
}

/// A set of weekdays; bit 0 is Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Weekdays(pub u8);

impl Weekdays {
    /// Every day.
    pub const ALL: Weekdays = Weekdays(0x7f);
    /// Names in files, from Monday.
    pub const NAMES: [&'static str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// True when the local day of a moment is in the set.
    pub fn contains(self, at: Timestamp, zone: &Zone) -> bool {
        // 1970-01-01 was a Thursday.
        let weekday = (zone.day_number(at) + 3).rem_euclid(7);
        self.0 & (1 << weekday) != 0
    }
}

impl Promotion {
    /// True while it can be earned: within the campaign, on its weekdays and in its hours.
    pub fn is_on(&self, at: Timestamp, zone: &Zone) -> bool {
        let second = zone.second_of_day(at);
        (self.from..self.until).contains(&at)
            && self.weekdays.contains(at, zone)
            && (self.windows.is_empty() || self.windows.iter().any(|window| window.contains(second)))
    }

    /// True when it is earned on this channel.
    pub fn allows_channel(&self, channel: Code, class: ChannelClass) -> bool {
        let anywhere = self.channels.is_empty() && self.classes.is_empty();
        anywhere || self.channels.contains(&channel) || self.classes.contains(class)
    }

    /// True when an amount earns it.
    pub fn allows_amount(&self, amount: Money) -> bool {
        amount >= self.minimum && (!self.maximum.is_positive() || amount <= self.maximum)
    }
}
