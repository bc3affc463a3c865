//! Rules of the selling chain: grades, who may move stock to whom, and commissions. One file for all operators, because a
//! seller sells for several of them from one float.

use crate::ids::{Code, PartnerId};
use crate::money::{Money, Rounding};
use crate::reply::Refusal;
use crate::seller::{Calendar, Place, Relation, Seller, StockKind};
use crate::tax::Rate;
use crate::time::{Timestamp, Zone};
use std::sync::OnceLock;

/// The file that ships with Raseed.
pub const SHIPPED: &str = include_str!("../../../catalog/chain.toml");

/// The rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Time zone of days and months.
    pub zone: Zone,
    /// Grades, the highest first.
    pub grades: Vec<Grade>,
    /// The matrix: a movement that no row allows is refused.
    pub rules: Vec<StockRule>,
    /// Commissions.
    pub plans: Vec<CommissionPlan>,
}

/// A grade of sellers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grade {
    /// Its code.
    pub code: Code,
    /// Grades directly above it; empty: it is a root.
    pub under: Vec<Code>,
    /// Sells recharges.
    pub sells: bool,
}

/// How near giver and receiver must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// One directly above the other.
    Direct,
    /// One anywhere above the other.
    Any,
    /// Under the same parent.
    Beside,
}

impl Reach {
    /// Names in catalog files.
    pub const NAMES: [(&'static str, Reach); 3] = [
        ("direct", Reach::Direct),
        ("any", Reach::Any),
        ("beside", Reach::Beside),
    ];

    fn covers(self, relation: Relation) -> bool {
        match self {
            Reach::Direct => matches!(relation, Relation::Parent | Relation::Child),
            Reach::Any => relation != Relation::Sibling,
            Reach::Beside => relation == Relation::Sibling,
        }
    }
}

/// A row of the matrix: grades that may move stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockRule {
    /// Which movement.
    pub kind: StockKind,
    /// Grades of the giver.
    pub from: Vec<Code>,
    /// Grades of the receiver.
    pub to: Vec<Code>,
    /// How near they must be.
    pub reach: Reach,
    /// Smallest movement.
    pub minimum: Money,
    /// Largest movement; zero: no bound.
    pub maximum: Money,
}

/// What a commission is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommissionOn {
    /// Stock received by O2C or C2C: upfront, on top of it.
    Stock,
    /// A sale, to the seller.
    Sale,
    /// A sale below, to those above.
    Override,
    /// Reaching a volume of credited sales in a period, once.
    Target,
}

impl CommissionOn {
    /// Names in catalog files.
    pub const NAMES: [(&'static str, CommissionOn); 4] = [
        ("stock", CommissionOn::Stock),
        ("sale", CommissionOn::Sale),
        ("override", CommissionOn::Override),
        ("target", CommissionOn::Target),
    ];
}

/// What a slab looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SlabBy {
    /// The amount of this stock or sale.
    #[default]
    Amount,
    /// What the seller sold before in this month.
    Month,
}

/// A step of a commission: from this amount on, this share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slab {
    /// From.
    pub from: Money,
    /// Share.
    pub rate: Rate,
}

/// The period of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TargetPeriod {
    /// A local day.
    Day,
    /// A local month.
    #[default]
    Month,
}

/// A commission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommissionPlan {
    /// Its code.
    pub code: Code,
    /// For what.
    pub on: CommissionOn,
    /// For whom.
    pub grades: Vec<Code>,
    /// Steps, the lowest first; the first begins at zero. Empty for targets.
    pub slabs: Vec<Slab>,
    /// What the steps look at.
    pub by: SlabBy,
    /// How the share is rounded to a millionth.
    pub rounding: Rounding,
    /// Target: this much ...
    pub reach: Money,
    /// ... pays this much ...
    pub pays: Money,
    /// ... once in this period.
    pub period: TargetPeriod,
}

impl CommissionPlan {
    fn rate(&self, amount: Money, month: Money) -> Rate {
        let measure = match self.by {
            SlabBy::Amount => amount,
            SlabBy::Month => month,
        };
        let reached = self.slabs.iter().take_while(|slab| slab.from <= measure);
        reached.last().map_or(Rate::ZERO, |slab| slab.rate)
    }

    /// The share of an amount, never more than it, and its rate.
    pub fn share(&self, amount: Money, month: Money) -> (Money, Rate) {
        let rate = self.rate(amount, month);
        let share = rate.on_top(amount, self.rounding);
        (share.clamp(Money::ZERO, amount.max(Money::ZERO)), rate)
    }
}

impl Chain {
    /// The rules that ship with Raseed: for systems whose catalog has none of its own.
    pub fn shipped() -> &'static Chain {
        static SHIPPED_CHAIN: OnceLock<Chain> = OnceLock::new();
        SHIPPED_CHAIN.get_or_init(|| super::parse::shipped_chain(SHIPPED).unwrap_or_else(Chain::closed))
    }

    /// No grades: nobody has a place.
    fn closed() -> Chain {
        Chain {
            zone: Zone::UTC,
            grades: Vec::new(),
            rules: Vec::new(),
            plans: Vec::new(),
        }
    }

    /// A grade.
    pub fn grade(&self, code: Code) -> Option<&Grade> {
        self.grades.iter().find(|grade| grade.code == code)
    }

    /// The day and the month of a moment.
    pub fn calendar(&self, at: Timestamp) -> Calendar {
        let civil = self.zone.civil(at);
        Calendar {
            day: self.zone.day_number(at),
            month: civil.year * 12 + i32::from(civil.month) - 1,
        }
    }

    /// Whether a new seller of a grade may stand there.
    ///
    /// # Errors
    /// [`Refusal::BadGrade`].
    pub fn may_stand(&self, grade: Code, parent: Option<Code>) -> Result<(), Refusal> {
        let known = self.grade(grade).ok_or(Refusal::BadGrade)?;
        let fits = match parent {
            Some(parent) => known.under.contains(&parent),
            None => known.under.is_empty(),
        };
        if fits { Ok(()) } else { Err(Refusal::BadGrade) }
    }

    /// Whether stock may move, and what the movement is.
    ///
    /// # Errors
    /// [`Refusal::NotBelow`], [`Refusal::MoveNotAllowed`], [`Refusal::AmountTooSmall`], [`Refusal::AmountTooLarge`].
    pub fn may_move(
        &self,
        (from, to): (&Place, &Place),
        by: Option<PartnerId>,
        amount: Money,
    ) -> Result<StockKind, Refusal> {
        let kind = StockKind::of(from, to, by)?;
        let relation = from.relation(to).ok_or(Refusal::NotBelow)?;
        let fits = |rule: &&StockRule| {
            rule.kind == kind
                && rule.from.contains(&from.grade)
                && rule.to.contains(&to.grade)
                && rule.reach.covers(relation)
        };
        let mut refusal = Refusal::MoveNotAllowed;
        for rule in self.rules.iter().filter(fits) {
            if amount < rule.minimum {
                refusal = Refusal::AmountTooSmall;
            } else if rule.maximum.is_positive() && amount > rule.maximum {
                refusal = Refusal::AmountTooLarge;
            } else {
                return Ok(kind);
            }
        }
        Err(refusal)
    }

    fn plans(&self, on: CommissionOn, grade: Code) -> impl Iterator<Item = &CommissionPlan> {
        let fits = move |plan: &&CommissionPlan| plan.on == on && plan.grades.contains(&grade);
        self.plans.iter().filter(fits)
    }

    /// Commission on top of stock, and its rate. The first plan that fits counts.
    pub fn on_stock(&self, seller: &Seller, amount: Money, now: Timestamp) -> (Money, Rate) {
        let month = seller.tallies.sold_month.of(self.calendar(now).month).0;
        let plan = self.plans(CommissionOn::Stock, seller.place.grade).next();
        plan.map_or((Money::ZERO, Rate::ZERO), |plan| plan.share(amount, month))
    }

    /// Commission of the seller on a sale.
    pub fn on_sale(&self, seller: &Seller, gross: Money, now: Timestamp) -> Money {
        let month = seller.tallies.sold_month.of(self.calendar(now).month).0;
        let plan = self.plans(CommissionOn::Sale, seller.place.grade).next();
        plan.map_or(Money::ZERO, |plan| plan.share(gross, month).0)
    }

    /// What those above earn with a sale of a seller, the nearest first; never more than the amount of the sale together.
    pub fn overrides(&self, seller: &Seller, gross: Money, now: Timestamp) -> Vec<(PartnerId, Money)> {
        let month = seller.tallies.sold_month.of(self.calendar(now).month).0;
        let mut left = gross;
        let mut found = Vec::new();
        for (id, grade) in seller.place.above.iter().rev() {
            let plan = self.plans(CommissionOn::Override, *grade).next();
            let share = plan
                .map_or(Money::ZERO, |plan| plan.share(gross, month).0)
                .min(left);
            if share.is_positive() {
                left -= share;
                found.push((*id, share));
            }
        }
        found
    }

    /// Targets of a grade.
    pub fn targets(&self, grade: Code) -> impl Iterator<Item = &CommissionPlan> {
        self.plans(CommissionOn::Target, grade)
    }
}
