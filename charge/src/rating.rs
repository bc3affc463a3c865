//! Units to value: which lots and which tariff row pay for a use, in which pulses and steps.
//!
//! One function serves both halves of charging. Reserving asks "what would the next n units take?", committing asks "what
//! do these n units take?"; both walk the same way, so that a grant costs exactly what was held for it. Whenever a pulse or
//! step is used up, the next source is chosen from the state at that point alone; paid but unused units are carried
//! along. That is why the way in which a session is cut into reports cannot change its total.

use crate::account::{Account, Lot};
use crate::catalog::{AfterMaximum, Catalog, TariffQuery, TariffRow};
use crate::event::{Charge, ChargedBy, Priced, SetupFee};
use crate::money::Money;
use crate::session::Draw;
use crate::tax::Rate;
use crate::time::Timestamp;
use crate::unit::{Amount, Unit};
use smallvec::SmallVec;

/// The lots of an account in consumption order, with what is free in each while a command is decided.
#[derive(Clone, Debug)]
pub struct Purse<'a> {
    entries: SmallVec<[Entry<'a>; 6]>,
}

#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    lot: &'a Lot,
    free: Amount,
    expired: bool,
}

impl<'a> Purse<'a> {
    /// What an account has free at a moment.
    pub fn of(account: &'a Account, now: Timestamp) -> Purse<'a> {
        let mut entries: SmallVec<[Entry<'a>; 6]> = account
            .lots
            .iter()
            .map(|lot| Entry {
                lot,
                free: lot.available(now),
                expired: lot.expires_at <= now,
            })
            .collect();
        entries.sort_by_key(|entry| entry.lot.order());
        Purse { entries }
    }

    /// Puts a released reservation back. In a lot that has expired meanwhile it can still pay for what was used under it.
    pub fn release(&mut self, draws: &[Draw]) {
        for draw in draws {
            if let Some(entry) = self.entries.iter_mut().find(|entry| entry.lot.id == draw.lot) {
                entry.free += draw.amount;
            }
        }
    }

    /// Ends what [`Purse::release`] allowed in expired lots: new grants cannot use them.
    pub fn close_expired(&mut self) {
        for entry in self.entries.iter_mut().filter(|entry| entry.expired) {
            entry.free = Amount::ZERO;
        }
    }

    /// Takes money from the lots that `allowed` accepts, from position `from` on. The caller knows that there is enough.
    fn take_money(&mut self, amount: Money, from: usize, use_: &Use<'_>) -> SmallVec<[Draw; 1]> {
        let mut draws = SmallVec::new();
        let mut left = Amount(amount.0);
        for entry in self.entries.iter_mut().skip(from) {
            if !left.is_positive() {
                break;
            }
            if entry.lot.unit == Unit::Money && use_.allows(entry.lot) {
                let taken = entry.free.min(left);
                if taken.is_positive() {
                    entry.free -= taken;
                    left -= taken;
                    draws.push(draw(entry.lot, taken));
                }
            }
        }
        draws
    }

    /// Money free in the lots allowed for a use, from position `from` up to `to`.
    fn money(&self, range: std::ops::Range<usize>, use_: &Use<'_>) -> Money {
        let entries = &self.entries[range];
        entries
            .iter()
            .filter(|entry| entry.lot.unit == Unit::Money && use_.allows(entry.lot))
            .map(|entry| Money(entry.free.0))
            .sum()
    }

    /// Takes an amount from the main balance, whole or not at all: purchases.
    pub fn pay(&mut self, amount: Money) -> Option<SmallVec<[Draw; 1]>> {
        let main = |entry: &&mut Entry<'_>| entry.lot.is_main();
        let there: Money = self
            .entries
            .iter()
            .filter(|e| e.lot.is_main())
            .map(|e| Money(e.free.0))
            .sum();
        if there < amount {
            return None;
        }
        let mut draws = SmallVec::new();
        let mut left = Amount(amount.0);
        for entry in self.entries.iter_mut().filter(main) {
            let taken = entry.free.min(left);
            if taken.is_positive() {
                entry.free -= taken;
                left -= taken;
                draws.push(draw(entry.lot, taken));
            }
        }
        Some(draws)
    }
}

fn draw(lot: &Lot, amount: Amount) -> Draw {
    Draw {
        lot: lot.id,
        origin: lot.origin,
        unit: lot.unit,
        amount,
    }
}

/// One kind of use at one time: what decides the tariff row, the usable lots and the tax.
#[derive(Clone, Debug)]
pub struct Use<'a> {
    catalog: &'a Catalog,
    query: TariffQuery,
    second_of_day: u32,
    row: Option<&'a TariffRow>,
    priced: Option<Priced>,
    rate: Rate,
}

impl<'a> Use<'a> {
    /// Looks up the tariff row and settles the tax of a pulse.
    pub fn of(catalog: &'a Catalog, query: TariffQuery, rate: Rate) -> Use<'a> {
        let row = catalog.tariff(&query);
        let priced = row.map(|row| {
            let price = row.pulse_price(rate, catalog.tax.usage_rounding);
            Priced {
                tariff: row.code,
                version: catalog.version,
                pulse: row.pulse,
                gross: price.gross,
                tax: price.tax,
                rate: price.rate,
                rounding: price.rounding,
            }
        });
        let second_of_day = catalog.zone.second_of_day(query.at);
        Use {
            catalog,
            query,
            second_of_day,
            row,
            priced,
            rate,
        }
    }

    /// The tariff row, if one matches.
    pub fn row(&self) -> Option<&'a TariffRow> {
        self.row
    }

    /// The price of a pulse.
    pub fn priced(&self) -> Option<Priced> {
        self.priced
    }

    /// The set-up fee as (gross, tax).
    pub fn setup(&self) -> (Money, Money) {
        let price = self
            .row
            .map(|row| row.setup_price(self.rate, self.catalog.tax.usage_rounding));
        price.map_or((Money::ZERO, Money::ZERO), |price| (price.gross, price.tax))
    }

    /// Whether a lot's scope takes in this use.
    pub(crate) fn allows(&self, lot: &Lot) -> bool {
        lot.scope.allows(&self.query, self.second_of_day)
    }

    /// The next moment when another row or another bucket would apply.
    pub fn next_change(&self, account: &Account) -> Option<Timestamp> {
        let tariff = self.catalog.next_tariff_change(&self.query);
        let second = i64::from(self.second_of_day);
        let windows = account
            .lots
            .iter()
            .filter(|lot| lot.unit == self.query.service.unit() || lot.unit == Unit::Money)
            .filter_map(|lot| lot.scope.window);
        let edges = windows
            .flat_map(|(from, to)| [i64::from(from) * 60, i64::from(to) * 60])
            .map(|edge| {
                let ahead = (edge - second - 1).rem_euclid(86_400) + 1;
                Timestamp::from_seconds(self.query.at.seconds() + ahead)
            });
        edges.chain(tariff).min()
    }
}

/// Where a rated part stands between two reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Units of the current pulse or step that are paid and not used.
    pub paid_ahead: Amount,
    /// Cost so far by the pulse.
    pub row_cost: Money,
    /// The set-up fee is paid or waived.
    pub setup_done: bool,
}

/// What to do when no lot can pay any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Stop: units that cannot be paid are not granted.
    Stop,
    /// Account for them all the same: they were used.
    Account,
}

/// The outcome of walking some units.
#[derive(Clone, Debug, Default)]
pub struct Consumption {
    /// How the units were paid, in order.
    pub charges: SmallVec<[Charge; 1]>,
    /// The set-up fee, when it fell due.
    pub setup: Option<SetupFee>,
    /// Units that could be paid (with [`Shortage::Account`]: all of them).
    pub covered: Amount,
    /// True when nothing, not even a free row, could be found for the rest.
    pub unrated: bool,
}

impl Consumption {
    /// Every draw of it, the set-up fee's first, joined per lot: what a reservation holds.
    pub fn draws(&self) -> SmallVec<[Draw; 1]> {
        let mut joined: SmallVec<[Draw; 1]> = SmallVec::new();
        let setup = self.setup.iter().flat_map(|setup| &setup.draws);
        for draw in setup.chain(self.charges.iter().flat_map(|charge| &charge.draws)) {
            match joined.iter_mut().find(|other| other.lot == draw.lot) {
                Some(other) => other.amount += draw.amount,
                None => joined.push(*draw),
            }
        }
        joined
    }
}

/// Walks `units` of a use: takes what they cost from the purse and moves the progress on.
pub fn consume(
    purse: &mut Purse<'_>,
    progress: &mut Progress,
    use_: &Use<'_>,
    units: Amount,
    shortage: Shortage,
) -> Consumption {
    let mut out = Consumption::default();
    let mut left = units;
    if left.is_positive() && progress.paid_ahead.is_positive() {
        let taken = left.min(progress.paid_ahead);
        progress.paid_ahead -= taken;
        left -= taken;
        out.charges.push(Charge {
            by: ChargedBy::PaidAhead,
            units: taken,
            pulses: 0,
            draws: SmallVec::new(),
        });
    }
    while left.is_positive() {
        let Some(source) = next_source(purse, progress, use_) else {
            if shortage == Shortage::Account {
                account_uncovered(progress, use_, left, &mut out);
                left = Amount::ZERO;
            }
            break;
        };
        if !progress.setup_done {
            progress.setup_done = true;
            out.setup = pay_setup(purse, use_, source);
        }
        let charge = take(purse, progress, use_, source, left);
        left -= charge.units;
        push_charge(&mut out.charges, charge);
    }
    out.covered = units - left;
    out
}

/// Whether one more unit could be paid after this.
pub fn can_go_on(purse: &Purse<'_>, progress: &Progress, use_: &Use<'_>) -> bool {
    next_source(purse, progress, use_).is_some()
}

#[derive(Clone, Copy, Debug)]
enum Source {
    /// Steps from the bucket at this position.
    Bucket(usize),
    /// Pulses from the money lots from this position on.
    Money(usize),
    /// No charge any more.
    Free,
}

/// The first source in consumption order that can pay for one more unit.
fn next_source(purse: &Purse<'_>, progress: &Progress, use_: &Use<'_>) -> Option<Source> {
    let service_unit = use_.query.service.unit();
    let setup = if progress.setup_done {
        Money::ZERO
    } else {
        use_.setup().0
    };
    let count = purse.entries.len();
    if setup.is_positive() && purse.money(0..count, use_) < setup {
        // Without the fee only a bucket that waives it can serve.
        return purse
            .entries
            .iter()
            .position(|entry| {
                entry.lot.unit == service_unit
                    && entry.free.is_positive()
                    && entry.lot.waives_setup
                    && use_.allows(entry.lot)
            })
            .map(Source::Bucket);
    }
    let priced = use_.priced;
    let capped = match use_.row.and_then(|row| row.maximum) {
        Some((maximum, after)) if priced.is_some_and(|p| progress.row_cost + p.gross > maximum) => {
            Some(after)
        }
        _ => None,
    };
    for (position, entry) in purse.entries.iter().enumerate() {
        if !entry.free.is_positive() || !use_.allows(entry.lot) {
            continue;
        }
        if entry.lot.unit == service_unit {
            return Some(Source::Bucket(position));
        }
        if entry.lot.unit == Unit::Money && capped.is_none() {
            let fee = if entry.lot.waives_setup {
                Money::ZERO
            } else {
                setup
            };
            if priced.is_some_and(|p| purse.money(position..count, use_) >= p.gross + fee) {
                return Some(Source::Money(position));
            }
        }
    }
    match capped {
        Some(AfterMaximum::Free) => Some(Source::Free),
        Some(AfterMaximum::Cut) => None,
        None => priced
            .filter(|p| p.gross == Money::ZERO)
            .map(|_| Source::Money(count)),
    }
}

/// The set-up fee, paid from the money lots; [`next_source`] has made sure that it can be.
fn pay_setup(purse: &mut Purse<'_>, use_: &Use<'_>, source: Source) -> Option<SetupFee> {
    let (gross, tax) = use_.setup();
    let waived = matches!(source, Source::Bucket(position) if purse.entries[position].lot.waives_setup);
    if waived || !gross.is_positive() {
        return None;
    }
    let draws = purse.take_money(gross, 0, use_);
    let tariff = use_.row.map(|row| row.code).unwrap_or_default();
    Some(SetupFee {
        tariff,
        gross,
        tax,
        draws,
        uncovered: Money::ZERO,
    })
}

/// Takes as many steps or pulses as the source gives before another source could come first.
fn take(
    purse: &mut Purse<'_>,
    progress: &mut Progress,
    use_: &Use<'_>,
    source: Source,
    left: Amount,
) -> Charge {
    match source {
        Source::Bucket(position) => {
            let entry = &mut purse.entries[position];
            let step = entry.lot.step;
            let whole = left.pulses(step).min((entry.free.0 - 1) / step.0 + 1);
            let taken = Amount(whole * step.0).min(entry.free);
            entry.free -= taken;
            let units = taken.min(left);
            progress.paid_ahead = taken - units;
            let by = ChargedBy::Bucket {
                source: entry.lot.source,
                step,
            };
            Charge {
                by,
                units,
                pulses: whole,
                draws: SmallVec::from_slice(&[draw(entry.lot, taken)]),
            }
        }
        Source::Money(position) => {
            let priced = use_.priced.expect("money pays by a tariff row");
            let pulses = money_pulses(purse, progress, use_, position, priced, left);
            let cost = Money(priced.gross.0 * pulses);
            let draws = purse.take_money(cost, position, use_);
            progress.row_cost += cost;
            let bought = Amount(pulses * priced.pulse.0);
            let units = bought.min(left);
            progress.paid_ahead = bought - units;
            Charge {
                by: ChargedBy::Tariff(priced),
                units,
                pulses,
                draws,
            }
        }
        Source::Free => {
            let code = use_.row.map(|row| row.code).unwrap_or_default();
            Charge {
                by: ChargedBy::Free(code),
                units: left,
                pulses: 0,
                draws: SmallVec::new(),
            }
        }
    }
}

/// How many pulses the money from `position` on pays before a bucket further on would come first; at least one.
fn money_pulses(
    purse: &Purse<'_>,
    progress: &Progress,
    use_: &Use<'_>,
    position: usize,
    priced: Priced,
    left: Amount,
) -> i64 {
    let wanted = left.pulses(priced.pulse);
    if priced.gross == Money::ZERO {
        return wanted;
    }
    let service_unit = use_.query.service.unit();
    let next_bucket = purse
        .entries
        .iter()
        .enumerate()
        .skip(position)
        .find(|(_, entry)| {
            entry.lot.unit == service_unit && entry.free.is_positive() && use_.allows(entry.lot)
        });
    let end = next_bucket.map_or(purse.entries.len(), |(index, _)| index);
    let affordable = purse.money(position..end, use_).0 / priced.gross.0;
    let capped = match use_.row.and_then(|row| row.maximum) {
        Some((maximum, _)) => (maximum - progress.row_cost).0 / priced.gross.0,
        None => i64::MAX,
    };
    wanted.min(affordable).min(capped).max(1)
}

/// Books units that nothing can pay: by the row's price, so that the loss has a value.
fn account_uncovered(progress: &mut Progress, use_: &Use<'_>, left: Amount, out: &mut Consumption) {
    let Some(priced) = use_.priced else {
        out.unrated = true;
        progress.setup_done = true;
        let nothing = Priced {
            tariff: crate::Code::EMPTY,
            version: 0,
            pulse: Amount(1),
            gross: Money::ZERO,
            tax: Money::ZERO,
            rate: Rate::ZERO,
            rounding: crate::money::Rounding::HalfUp,
        };
        out.charges.push(Charge {
            by: ChargedBy::Uncovered(nothing),
            units: left,
            pulses: 0,
            draws: SmallVec::new(),
        });
        return;
    };
    if !progress.setup_done {
        progress.setup_done = true;
        let (gross, tax) = use_.setup();
        if gross.is_positive() {
            out.setup = Some(SetupFee {
                tariff: priced.tariff,
                gross,
                tax,
                draws: SmallVec::new(),
                uncovered: gross,
            });
        }
    }
    let pulses = left.pulses(priced.pulse);
    progress.paid_ahead = Amount(pulses * priced.pulse.0) - left;
    push_charge(
        &mut out.charges,
        Charge {
            by: ChargedBy::Uncovered(priced),
            units: left,
            pulses,
            draws: SmallVec::new(),
        },
    );
}

/// Joins a charge with the one before it when both are of the same kind.
fn push_charge(charges: &mut SmallVec<[Charge; 1]>, charge: Charge) {
    if let Some(last) = charges.last_mut()
        && last.by == charge.by
    {
        last.units += charge.units;
        last.pulses += charge.pulses;
        for draw in charge.draws {
            match last.draws.iter_mut().find(|other| other.lot == draw.lot) {
                Some(other) => other.amount += draw.amount,
                None => last.draws.push(draw),
            }
        }
        return;
    }
    charges.push(charge);
}
