//! Units to value: which lots and which tariff row pay for a use, in which pulses and steps.
//!
//! One function serves both halves of charging. Reserving asks "what would the next n units take?", committing asks "what
//! do these n units take?"; both walk the same way, so that a grant costs exactly what was held for it. Whenever a pulse or
//! step is used up, the next source is chosen from the state at that point alone; paid but unused units are carried
//! along. That is why the way in which a session is cut into reports cannot change its total.

use crate::account::{Account, Lot};
use crate::catalog::{AfterMaximum, Catalog, DestinationClass, Place, TariffQuery, TariffRow};
use crate::event::{Charge, ChargedBy, Priced, SetupFee};
use crate::ids::Code;
use crate::money::Money;
use crate::session::Draw;
use crate::tax::Rate;
use crate::time::Timestamp;
use crate::unit::{Amount, Unit};
use smallvec::SmallVec;

/// The lots of an account in consumption order, with what is free in each while a command is decided.
#[derive(Clone, Debug)]
pub struct Purse<'a> {
    entries: SmallVec<[Entry<'a>; ENTRIES]>,
}

/// Lots of most accounts: the main balance, as many lots as it may have, and a bundle or two.
const ENTRIES: usize = 10;

#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    lot: &'a Lot,
    free: Amount,
    expired: bool,
    /// Main balance: it pays for everything, so that its scope need not be looked at again.
    main: bool,
}

impl<'a> Purse<'a> {
    /// What an account has free at a moment.
    pub fn of(account: &'a Account, now: Timestamp) -> Purse<'a> {
        let mut entries: SmallVec<[Entry<'a>; ENTRIES]> = SmallVec::with_capacity(account.lots.len());
        let mut in_order = true;
        for lot in &account.lots {
            in_order &= entries.last().is_none_or(|last| last.lot.order() <= lot.order());
            entries.push(Entry {
                lot,
                free: lot.available(now),
                expired: lot.expires_at <= now,
                main: lot.is_main(),
            });
        }
        // They stand in order of creation, which mostly is the order of consumption.
        if !in_order {
            entries.sort_by_key(|entry| entry.lot.order());
        }
        Purse { entries }
    }

    /// The main balance as the account has it: see [`Account::main_total`].
    pub fn main_total(&self) -> Money {
        let main = self.entries.iter().filter(|entry| entry.main && !entry.expired);
        main.map(|entry| Money(entry.lot.amount.0)).sum()
    }

    /// What is free of the main balance now.
    pub fn main_free(&self) -> Money {
        let main = self.entries.iter().filter(|entry| entry.main && !entry.expired);
        main.map(|entry| Money(entry.free.0)).sum()
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
            if use_.draws_money(entry) {
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
            .filter(|entry| use_.draws_money(entry))
            .map(|entry| Money(entry.free.0))
            .sum()
    }

    /// Takes an amount from the main balance, whole or not at all: purchases.
    pub fn pay(&mut self, amount: Money) -> Option<SmallVec<[Draw; 1]>> {
        let main = |entry: &&mut Entry<'_>| entry.main;
        let there: Money = self
            .entries
            .iter()
            .filter(|entry| entry.main)
            .map(|entry| Money(entry.free.0))
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
    /// The row is the same at any other time.
    timeless: bool,
    priced: Option<Priced>,
    rate: Rate,
    /// Received at home: no lot pays for it.
    received: bool,
}

impl<'a> Use<'a> {
    /// Looks up the tariff row and settles the tax of a pulse.
    pub fn of(catalog: &'a Catalog, query: TariffQuery, rate: Rate) -> Use<'a> {
        let second_of_day = catalog.zone.second_of_day(query.at);
        let (row, timeless) = catalog.tariff_at(&query, second_of_day);
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
        let received = query.class == DestinationClass::Incoming && query.place == Place::Home;
        Use {
            catalog,
            query,
            second_of_day,
            row,
            timeless,
            priced,
            rate,
            received,
        }
    }

    /// The same use at another time.
    pub fn moved_to(self, at: Timestamp) -> Use<'a> {
        let query = TariffQuery { at, ..self.query };
        if !self.timeless {
            return Use::of(self.catalog, query, self.rate);
        }
        Use {
            query,
            second_of_day: self.catalog.zone.second_of_day(at),
            ..self
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

    fn draws(&self, entry: &Entry<'_>) -> bool {
        if entry.main {
            !self.received
        } else {
            self.allows(entry.lot)
        }
    }

    fn draws_money(&self, entry: &Entry<'_>) -> bool {
        entry.lot.unit == Unit::Money && self.draws(entry)
    }

    fn draws_units(&self, entry: &Entry<'_>) -> bool {
        entry.lot.unit == self.query.service.unit() && self.draws(entry)
    }

    /// The next moment when another row or another bucket would apply.
    pub fn next_change(&self, account: &Account) -> Option<Timestamp> {
        let tariff = if self.timeless {
            None
        } else {
            self.catalog.next_tariff_change(&self.query)
        };
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

/// What is told of a walk while it goes on. Reserving needs the draws alone, so it does not make [`Charge`]s.
trait Sink {
    /// Units were paid.
    fn paid(&mut self, by: Way<'_>, units: Amount, pulses: i64, draws: SmallVec<[Draw; 1]>);
    /// The set-up fee fell due.
    fn setup(&mut self, fee: SetupFee);
}

/// How units were paid.
enum Way<'a> {
    PaidAhead,
    Bucket(&'a Lot),
    Tariff(&'a Priced),
    Free(Code),
    Uncovered(Priced),
}

impl Way<'_> {
    fn by(self) -> ChargedBy {
        match self {
            Way::PaidAhead => ChargedBy::PaidAhead,
            Way::Bucket(lot) => ChargedBy::Bucket {
                source: lot.source,
                step: lot.step,
            },
            Way::Tariff(priced) => ChargedBy::Tariff(*priced),
            Way::Free(code) => ChargedBy::Free(code),
            Way::Uncovered(priced) => ChargedBy::Uncovered(priced),
        }
    }
}

/// What units cost, for the event: charges behind those that are there already, and the set-up fee if there is none yet.
struct Charges<'a> {
    charges: &'a mut SmallVec<[Charge; 1]>,
    /// Charges of this walk; those before it stay as they are.
    own: bool,
    setup: &'a mut Option<SetupFee>,
}

impl Sink for Charges<'_> {
    fn paid(&mut self, by: Way<'_>, units: Amount, pulses: i64, draws: SmallVec<[Draw; 1]>) {
        let by = by.by();
        // Joined with the one before it when both are of the same kind.
        if let Some(last) = self.charges.last_mut().filter(|last| self.own && last.by == by) {
            last.units += units;
            last.pulses += pulses;
            draws.iter().for_each(|draw| join(&mut last.draws, draw));
            return;
        }
        self.own = true;
        self.charges.push(Charge {
            by,
            units,
            pulses,
            draws,
        });
    }

    fn setup(&mut self, fee: SetupFee) {
        self.setup.get_or_insert(fee);
    }
}

/// Every draw of a walk, the set-up fee's first, joined per lot: what a reservation holds.
impl Sink for SmallVec<[Draw; 1]> {
    fn paid(&mut self, _by: Way<'_>, _units: Amount, _pulses: i64, draws: SmallVec<[Draw; 1]>) {
        draws.iter().for_each(|draw| join(self, draw));
    }

    fn setup(&mut self, fee: SetupFee) {
        fee.draws.iter().for_each(|draw| join(self, draw));
    }
}

fn join(draws: &mut SmallVec<[Draw; 1]>, draw: &Draw) {
    match draws.iter_mut().find(|other| other.lot == draw.lot) {
        Some(other) => other.amount += draw.amount,
        None => draws.push(*draw),
    }
}

/// Units that were walked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walked {
    /// Units that could be paid (with [`Shortage::Account`]: all of them).
    pub covered: Amount,
    /// True when nothing, not even a free row, could be found for the rest.
    pub unrated: bool,
}

/// Walks `units` of a use that happened: takes what they cost from the purse, moves the progress on, and adds how they were
/// paid to `charges`; the set-up fee goes to `setup` when it fell due and there is none yet.
pub fn consume(
    purse: &mut Purse<'_>,
    progress: &mut Progress,
    use_: &Use<'_>,
    (units, shortage): (Amount, Shortage),
    (charges, setup): (&mut SmallVec<[Charge; 1]>, &mut Option<SetupFee>),
) -> Walked {
    let own = false;
    walk(
        purse,
        progress,
        use_,
        (units, shortage),
        &mut Charges { charges, own, setup },
    )
}

/// Walks `units` that may follow, as far as they can be paid: what they would take is held in `draws`.
pub fn hold(
    purse: &mut Purse<'_>,
    progress: &mut Progress,
    use_: &Use<'_>,
    units: Amount,
    draws: &mut SmallVec<[Draw; 1]>,
) -> Amount {
    walk(purse, progress, use_, (units, Shortage::Stop), draws).covered
}

/// How many of `units` could be paid.
pub fn payable(mut purse: Purse<'_>, mut progress: Progress, use_: &Use<'_>, units: Amount) -> Amount {
    hold(&mut purse, &mut progress, use_, units, &mut SmallVec::new())
}

fn walk(
    purse: &mut Purse<'_>,
    progress: &mut Progress,
    use_: &Use<'_>,
    (units, shortage): (Amount, Shortage),
    out: &mut impl Sink,
) -> Walked {
    let mut walked = Walked::default();
    let mut left = units;
    if left.is_positive() && progress.paid_ahead.is_positive() {
        let taken = left.min(progress.paid_ahead);
        progress.paid_ahead -= taken;
        left -= taken;
        out.paid(Way::PaidAhead, taken, 0, SmallVec::new());
    }
    while left.is_positive() {
        let Some(source) = next_source(purse, progress, use_) else {
            if shortage == Shortage::Account {
                walked.unrated = use_.priced.is_none();
                account_uncovered(progress, use_, left, out);
                left = Amount::ZERO;
            }
            break;
        };
        if !progress.setup_done {
            progress.setup_done = true;
            if let Some(fee) = pay_setup(purse, use_, source) {
                out.setup(fee);
            }
        }
        left -= take(purse, progress, use_, (source, left), out);
    }
    walked.covered = units - left;
    walked
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
            .position(|entry| entry.free.is_positive() && entry.lot.waives_setup && use_.draws_units(entry))
            .map(Source::Bucket);
    }
    let priced = use_.priced.as_ref();
    let capped = match use_.row.and_then(|row| row.maximum) {
        Some((maximum, after)) if priced.is_some_and(|p| progress.row_cost + p.gross > maximum) => {
            Some(after)
        }
        _ => None,
    };
    // What the money lots from here on hold together, once it was needed.
    let mut money: Option<Money> = None;
    for (position, entry) in purse.entries.iter().enumerate() {
        if !entry.free.is_positive() || !use_.draws(entry) {
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
            let Some(price) = priced.map(|priced| priced.gross + fee) else {
                continue;
            };
            let own = Money(entry.free.0);
            if own >= price {
                return Some(Source::Money(position));
            }
            let there = money.unwrap_or_else(|| purse.money(position..count, use_));
            if there >= price {
                return Some(Source::Money(position));
            }
            money = Some(there - own);
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

/// Takes as many steps or pulses as the source gives before another source could come first; answers the units they are.
fn take(
    purse: &mut Purse<'_>,
    progress: &mut Progress,
    use_: &Use<'_>,
    (source, left): (Source, Amount),
    out: &mut impl Sink,
) -> Amount {
    match source {
        Source::Bucket(position) => {
            let entry = &mut purse.entries[position];
            let lot = entry.lot;
            let whole = left.pulses(lot.step).min((entry.free.0 - 1) / lot.step.0 + 1);
            let taken = Amount(whole * lot.step.0).min(entry.free);
            entry.free -= taken;
            let units = taken.min(left);
            progress.paid_ahead = taken - units;
            let draws = SmallVec::from_buf([draw(lot, taken)]);
            out.paid(Way::Bucket(lot), units, whole, draws);
            units
        }
        Source::Money(position) => {
            let priced = use_.priced.as_ref().expect("money pays by a tariff row");
            let pulses = money_pulses(purse, progress, use_, position, (priced, left));
            let cost = Money(priced.gross.0 * pulses);
            let draws = purse.take_money(cost, position, use_);
            progress.row_cost += cost;
            let bought = Amount(pulses * priced.pulse.0);
            let units = bought.min(left);
            progress.paid_ahead = bought - units;
            out.paid(Way::Tariff(priced), units, pulses, draws);
            units
        }
        Source::Free => {
            let code = use_.row.map(|row| row.code).unwrap_or_default();
            out.paid(Way::Free(code), left, 0, SmallVec::new());
            left
        }
    }
}

/// How many pulses the money from `position` on pays before a bucket further on would come first; at least one.
fn money_pulses(
    purse: &Purse<'_>,
    progress: &Progress,
    use_: &Use<'_>,
    position: usize,
    (priced, left): (&Priced, Amount),
) -> i64 {
    let wanted = left.pulses(priced.pulse);
    if priced.gross == Money::ZERO {
        return wanted;
    }
    let mut behind = purse.entries.iter().skip(position);
    let next_bucket = behind.position(|entry| entry.free.is_positive() && use_.draws_units(entry));
    let end = next_bucket.map_or(purse.entries.len(), |index| position + index);
    let affordable = purse.money(position..end, use_).0 / priced.gross.0;
    let capped = match use_.row.and_then(|row| row.maximum) {
        Some((maximum, _)) => (maximum - progress.row_cost).0 / priced.gross.0,
        None => i64::MAX,
    };
    wanted.min(affordable).min(capped).max(1)
}

/// Books units that nothing can pay: by the row's price, so that the loss has a value.
fn account_uncovered(progress: &mut Progress, use_: &Use<'_>, left: Amount, out: &mut impl Sink) {
    let Some(priced) = use_.priced else {
        progress.setup_done = true;
        let nothing = Priced {
            tariff: Code::EMPTY,
            version: 0,
            pulse: Amount(1),
            gross: Money::ZERO,
            tax: Money::ZERO,
            rate: Rate::ZERO,
            rounding: crate::money::Rounding::HalfUp,
        };
        return out.paid(Way::Uncovered(nothing), left, 0, SmallVec::new());
    };
    if !progress.setup_done {
        progress.setup_done = true;
        let (gross, tax) = use_.setup();
        if gross.is_positive() {
            out.setup(SetupFee {
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
    out.paid(Way::Uncovered(priced), left, pulses, SmallVec::new());
}
