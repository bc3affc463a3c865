//! The projection: charge events to read-model rows, a stretch of the journal at a time.
//!
//! A stretch becomes one transaction together with the positions it ends at, so a crash repeats or continues and never
//! counts twice. Use and statement lines go into the tail first when they are many, and from there into their tables a
//! bucket of accounts at a time, each in a transaction of its own; whoever asks meanwhile sees both.

use crate::batch::{Batch, Record};
use crate::reads::{
    ChainChange, Changes, Earned, EventPlace, LineKind, PartnerChange, PaymentChange, ReadModels,
    ReadsWriter, RechargeLine, StatementLine, SubscriberChange, TopUpChange, TopUpEnd, TotalKey, UsageChange,
    put_place,
};
use crate::traits::{JournalReader, JournalRow, Partition, Seq, StoreError};
use charge::account::LifeCycle;
use charge::codec::Codec;
use charge::command::ChargeKind;
use charge::event::{Bought, Charged, ChargedBy, Recharged};
use charge::ledger::{LedgerAccount, postings};
use charge::reversal::ReversalEvent;
use charge::seller::ChainEvent;
use charge::unit::Amount;
use charge::{AccountId, EntityKey, Event, EventBody, Money, OperatorId, PartnerId, Timestamp};
use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

/// Bytes of journal that one [`Projector::step`] should take at most: what a step holds in memory is a few times as much.
pub const STEP_BYTES: usize = 8 << 20;

/// When what was projected reaches its tables; what is asked meanwhile finds it in the tail.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// A step of at most so many rows goes straight into the tables while nothing waits in the tail.
    pub direct_rows_max: usize,
    /// Time in which every bucket of the tail is merged once, while new steps come.
    pub cycle: Duration,
    /// The same while nothing new comes.
    pub cycle_idle: Duration,
    /// Bytes of the tail beyond which the cycle is as short as it takes.
    pub tail_bytes_max: u64,
    /// Pause between two merges, so that the disk can serve others.
    pub spacing: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            direct_rows_max: 64,
            cycle: Duration::from_secs(120),
            cycle_idle: Duration::from_secs(20),
            tail_bytes_max: 256 << 20,
            spacing: Duration::from_millis(10),
        }
    }
}

/// Shortest rest between two steps.
const REST_MIN: Duration = Duration::from_millis(25);
/// Shortest rest after a step that went into the tail: readers look at each of its steps.
const REST_TAIL_MIN: Duration = Duration::from_millis(400);
/// Longest rest.
const REST_MAX: Duration = Duration::from_secs(1);
/// Merges in a row that are worth a pause; with more to do, there is no time for pauses.
const SPACED_MERGES_MAX: usize = 50;

/// The local day number of an operator at a moment; day totals are kept by it.
pub type DayOf = Box<dyn Fn(OperatorId, Timestamp) -> i32 + Send>;

/// Asked for the day of the selling chain, which belongs to no operator.
pub const CHAIN: OperatorId = OperatorId(u16::MAX);

/// Keeps read models up with the journal. One per file of read models.
pub struct Projector {
    writer: ReadsWriter,
    day_of: DayOf,
    positions: BTreeMap<Partition, Seq>,
    pace: Pace,
    /// Buckets that should have been merged by now, in millionths.
    owed: u128,
    stepped_at: Instant,
    /// Batches that were still to come when the last rest was asked for.
    behind: u64,
}

/// What a step has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Batches projected.
    pub batches: u64,
    /// Events in them.
    pub events: u64,
    /// Batches that were in the journal when the step began and are still to come.
    pub behind: u64,
}

impl Projector {
    /// Goes on where the read models end.
    pub fn open(models: &ReadModels, day_of: DayOf) -> Result<Self, StoreError> {
        let mut writer = models.writer()?;
        let positions = writer
            .positions()?
            .iter()
            .map(|at| (at.partition, at.seq))
            .collect();
        Ok(Self {
            writer,
            day_of,
            positions,
            pace: Pace::default(),
            owed: 0,
            stepped_at: Instant::now(),
            behind: 0,
        })
    }

    /// The same projector at another pace.
    pub fn paced(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Projects at most about `max_bytes` of journal (see [`STEP_BYTES`]), shared among the partitions that are behind.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a batch that cannot be read, and when the tables are ahead of the journal.
    pub fn step(&mut self, journal: &mut dyn JournalReader, max_bytes: usize) -> Result<Step, StoreError> {
        let mut changes = Changes::default();
        let Read { batches, behind } = read_on(journal, &self.positions, max_bytes, |row| {
            project_batch(&mut changes, row, &self.day_of)
        })?;
        let (_, bytes_before) = self.writer.pending();
        if batches > 0 {
            self.writer.write(&changes, self.pace.direct_rows_max)?;
            self.positions.extend(
                changes
                    .positions
                    .iter()
                    .map(|(partition, (seq, _))| (*partition, *seq)),
            );
        }
        let (_, bytes) = self.writer.pending();
        self.merge(batches == 0, bytes.saturating_sub(bytes_before))?;
        Ok(Step {
            batches,
            events: changes.events,
            behind,
        })
    }

    /// How long to leave the disk and the processor alone after a step that took so long.
    ///
    /// Behind, and the journal grows nearly as fast as this goes: charges have the disk for a third of the time. Behind after a
    /// burst: no rest.
    pub fn rest(&mut self, step: &Step, took: Duration) -> Duration {
        let before = std::mem::replace(&mut self.behind, step.behind);
        if step.behind > 0 {
            let grown = (step.behind + step.batches).saturating_sub(before);
            return if grown * 2 >= step.batches {
                (took / 2).min(REST_MAX)
            } else {
                Duration::ZERO
            };
        }
        let least = if self.is_merged() { REST_MIN } else { REST_TAIL_MIN };
        (took * 3).clamp(least, REST_MAX)
    }

    /// Whether all that was projected has reached its tables.
    pub fn is_merged(&self) -> bool {
        self.writer.pending().0 == 0
    }

    /// Merges everything that waits in the tail.
    pub fn settle(&mut self) -> Result<(), StoreError> {
        while self.writer.merge_next()? {}
        self.owed = 0;
        self.writer.trim_tail()
    }

    /// Merges so many buckets that each has its turn once in a cycle; `grown` is what the tail has grown by in this step.
    fn merge(&mut self, idle: bool, grown: u64) -> Result<(), StoreError> {
        let passed = std::mem::replace(&mut self.stepped_at, Instant::now()).elapsed();
        let (buckets, bytes) = self.writer.pending();
        if buckets == 0 {
            return Ok(());
        }
        let cycle = if idle {
            self.pace.cycle_idle
        } else {
            self.pace.cycle
        };
        let by_time = passed.as_micros() * 1_000_000 / cycle.as_micros().max(1);
        let by_size = u128::from(grown) * 1_000_000 / u128::from(self.pace.tail_bytes_max.max(1));
        let share = if bytes > self.pace.tail_bytes_max {
            2 * by_size
        } else {
            by_size
        };
        self.owed += share.max(by_time).min(1_000_000) * buckets as u128;
        let due = usize::try_from(self.owed / 1_000_000)
            .unwrap_or(buckets)
            .min(buckets);
        self.owed %= 1_000_000;
        for _ in 0..due {
            if !self.writer.merge_next()? {
                break;
            }
            if due <= SPACED_MERGES_MAX {
                std::thread::sleep(self.pace.spacing);
            }
        }
        self.writer.trim_tail()
    }

    /// Projects until nothing is left and all of it stands in its tables; `progress` hears of every step.
    pub fn catch_up(
        &mut self,
        journal: &mut dyn JournalReader,
        mut progress: impl FnMut(Step),
    ) -> Result<(), StoreError> {
        loop {
            let step = self.step(journal, STEP_BYTES)?;
            if step.batches == 0 {
                return self.settle();
            }
            progress(step);
        }
    }

    /// Empties the tables; the next step starts from the first batch.
    pub fn rebuild(&mut self) -> Result<(), StoreError> {
        self.writer.clear()?;
        self.positions.clear();
        self.owed = 0;
        Ok(())
    }
}

/// What [`read_on`] has read.
pub(crate) struct Read {
    pub(crate) batches: u64,
    pub(crate) behind: u64,
}

/// Hands every batch behind the positions to `take`, partition by partition, until about `max_bytes` are read.
pub(crate) fn read_on(
    journal: &mut dyn JournalReader,
    positions: &BTreeMap<Partition, Seq>,
    max_bytes: usize,
    mut take: impl FnMut(&JournalRow) -> Result<(), StoreError>,
) -> Result<Read, StoreError> {
    let mut open = Vec::new();
    for head in journal.heads()? {
        let done = positions
            .get(&head.partition)
            .copied()
            .unwrap_or(head.first.saturating_sub(1));
        if done > head.seq {
            return Err(StoreError::Corrupt {
                what: "a derived table".to_owned(),
                detail: format!(
                    "it holds batch {done} of partition {}, the journal ends at {}; rebuild it",
                    head.partition, head.seq
                ),
            });
        }
        if done < head.seq {
            open.push((head.partition, done, head.seq));
        }
    }
    let share = max_bytes / open.len().max(1);
    let mut read = Read {
        batches: 0,
        behind: 0,
    };
    for (partition, done, head) in open {
        let mut next = done + 1;
        // What came after the heads were looked at waits: then an answer from one partition is never shown before what
        // another partition asked, unless the models are far behind.
        let rows = journal.read(partition, next, share)?.into_iter();
        for row in rows.take_while(|row| row.seq <= head) {
            if row.seq != next {
                let detail = format!("batch {next} is missing");
                return Err(StoreError::Corrupt {
                    what: format!("partition {partition}"),
                    detail,
                });
            }
            take(&row)?;
            next += 1;
            read.batches += 1;
        }
        read.behind += (head + 1).saturating_sub(next);
    }
    Ok(read)
}

/// The event at a place, for "why": `None` if the journal does not hold that place or it is not an event.
pub fn event_at(journal: &mut dyn JournalReader, place: EventPlace) -> Result<Option<Event>, StoreError> {
    let Some(row) = journal.read(place.partition, place.seq, 1)?.into_iter().next() else {
        return Ok(None);
    };
    if row.seq != place.seq {
        return Ok(None);
    }
    let batch = parse(&row)?;
    match batch.records().nth(place.index as usize) {
        Some(Record::Event(bytes)) => decode(&row, bytes).map(Some),
        _ => Ok(None),
    }
}

pub(crate) fn parse(row: &JournalRow) -> Result<Batch<'_>, StoreError> {
    let batch = Batch::parse(&row.batch).map_err(|error| damaged(row, &error))?;
    if (batch.partition(), batch.seq()) != (row.partition, row.seq) {
        return Err(damaged(row, &"its header names another place"));
    }
    Ok(batch)
}

pub(crate) fn decode(row: &JournalRow, bytes: &[u8]) -> Result<Event, StoreError> {
    Event::from_bytes(bytes).map_err(|error| damaged(row, &error))
}

fn damaged(row: &JournalRow, detail: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt {
        what: format!("batch {} of partition {}", row.seq, row.partition),
        detail: detail.to_string(),
    }
}

fn project_batch(changes: &mut Changes, row: &JournalRow, day_of: &DayOf) -> Result<(), StoreError> {
    let batch = parse(row)?;
    for (index, record) in batch.records().enumerate() {
        if let Record::Event(bytes) = record {
            let event = decode(row, bytes)?;
            let place = EventPlace {
                partition: row.partition,
                seq: row.seq,
                index: index as u32,
            };
            project_postings(changes, &event, day_of);
            project(changes, place, event, day_of);
            changes.events += 1;
        }
    }
    changes.positions.insert(row.partition, (row.seq, batch.time()));
    Ok(())
}

fn project_postings(changes: &mut Changes, event: &Event, day_of: &DayOf) {
    let postings = postings(event);
    if postings.is_empty() {
        return;
    }
    let day = day_of(event.operator, event.at);
    for posting in postings {
        let account = match posting.account {
            LedgerAccount::Subscriber(_, origin) => LedgerAccount::Subscriber(AccountId(0), origin),
            account => account,
        };
        let key = TotalKey {
            operator: event.operator,
            day,
            account,
            unit: posting.unit,
        };
        let total = changes.totals.entry(key).or_default();
        *total = total.saturating_add(posting.amount.0);
    }
}

fn project(changes: &mut Changes, place: EventPlace, event: Event, day_of: &DayOf) {
    let (at, drawn) = (event.at, event.money_drawn());
    match event.key {
        EntityKey::Account(account) => {
            let origin = Origin {
                account,
                operator: event.operator,
                place,
                at,
                drawn,
            };
            project_account(changes, &origin, event.body);
        }
        EntityKey::Partner(partner) => {
            changes.float_moved((partner, event.operator, at), &event.body);
            project_earned(changes, partner, at, &event.body, day_of);
            project_partner(changes, partner, at, event.body);
        }
        EntityKey::Seller(_) | EntityKey::Sale(..) | EntityKey::Move(..) => {
            if let EventBody::Chain(happened) = event.body {
                changes.chain.push(ChainChange {
                    key: event.key,
                    at,
                    event: happened,
                });
            }
        }
        EntityKey::TopUp(partner, digest) => match event.body {
            EventBody::TopUpCreated(top_up) => changes.top_ups.push(TopUpChange::Created(top_up, digest)),
            EventBody::TopUpSettled { outcome, .. } => {
                changes.top_ups.push(TopUpChange::Settled {
                    partner,
                    digest,
                    outcome: outcome.map(Box::new),
                    at,
                });
            }
            EventBody::TopUpDelivered { reference } => changes.top_ups.push(TopUpChange::Ended {
                partner,
                digest,
                end: TopUpEnd::Delivered(reference),
                at,
            }),
            EventBody::TopUpReversal(happened) => {
                if let ReversalEvent::Ended {
                    result: Ok(taken),
                    commission,
                } = *happened
                {
                    changes.top_ups.push(TopUpChange::Ended {
                        partner,
                        digest,
                        end: TopUpEnd::Reversed(taken, commission),
                        at,
                    });
                }
            }
            _ => {}
        },
        EntityKey::Payment(id) => match event.body {
            EventBody::PaymentCreated(asked) => changes.payments.push(PaymentChange::Created(asked, at)),
            EventBody::Payment(happened) => changes.payments.push(PaymentChange::Happened(id, happened, at)),
            _ => {}
        },
        EntityKey::Number(_)
        | EntityKey::Imsi(_)
        | EntityKey::Idempotency(..)
        | EntityKey::Terms(..)
        | EntityKey::Catalog(_)
        | EntityKey::Budget(..)
        | EntityKey::Auto(_)
        | EntityKey::BudgetTold(_)
        | EntityKey::Shares(..)
        | EntityKey::CardRegister
        | EntityKey::CardBatch(_)
        | EntityKey::CardCopy(..)
        | EntityKey::CardShelf(..)
        | EntityKey::CardGuard(..) => {}
    }
}

/// What every row of an account's event shares.
struct Origin {
    account: AccountId,
    operator: OperatorId,
    place: EventPlace,
    at: Timestamp,
    drawn: Money,
}

impl Origin {
    fn line(&self, kind: LineKind, amount: Money, title: &str) -> StatementLine {
        StatementLine {
            account: self.account,
            place: self.place,
            operator: self.operator,
            at: self.at,
            kind,
            amount,
            balance: None,
            tax: Money::ZERO,
            title: title.to_owned(),
            recharge: None,
        }
    }

    fn updated(&self, state: Option<LifeCycle>) -> SubscriberChange {
        SubscriberChange::Updated {
            account: self.account,
            language: None,
            tax_class: None,
            state,
            at: self.at,
        }
    }
}

fn project_account(changes: &mut Changes, origin: &Origin, body: EventBody) {
    match body {
        EventBody::Charged(charged) => project_charged(changes, origin, *charged),
        EventBody::Recharged(recharged) => {
            if recharged.revived {
                changes.subscribers.push(origin.updated(Some(LifeCycle::Active)));
            }
            changes.lines.push(recharge_line(origin, &recharged));
        }
        EventBody::Bought(bought) => changes.lines.push(bundle_line(origin, &bought)),
        EventBody::RenewalFailed { offer, .. } => {
            changes
                .lines
                .push(origin.line(LineKind::RenewalFailed, Money::ZERO, offer.as_str()));
        }
        EventBody::CreditTakenBack(taken) => {
            let line = origin.line(LineKind::TakenBack, -origin.drawn, &taken.of.to_string());
            changes.lines.push(StatementLine {
                balance: Some(taken.balance),
                tax: -taken.tax,
                ..line
            });
        }
        EventBody::Expired { .. } => changes
            .lines
            .push(origin.line(LineKind::Expiry, -origin.drawn, "")),
        EventBody::LifeCycleChanged { to, .. } => {
            changes.subscribers.push(origin.updated(Some(to)));
            changes
                .lines
                .push(origin.line(LineKind::State, Money::ZERO, to.name()));
        }
        EventBody::AccountOpened { open, lot, .. } => {
            if let Some(lot) = lot {
                let balance = Money(lot.initial.0);
                let line = origin.line(LineKind::Opening, balance, "");
                changes.lines.push(StatementLine {
                    balance: Some(balance),
                    ..line
                });
            }
            changes
                .subscribers
                .push(SubscriberChange::Opened(open, origin.at));
        }
        EventBody::AccountUpdated { language, tax_class } => {
            let account = origin.account;
            let at = origin.at;
            changes.subscribers.push(SubscriberChange::Updated {
                account,
                language,
                tax_class,
                state: None,
                at,
            });
        }
        _ => {}
    }
}

fn recharge_line(origin: &Origin, recharged: &Recharged) -> StatementLine {
    let outcome = &recharged.outcome;
    StatementLine {
        balance: Some(outcome.balance),
        tax: outcome.tax,
        recharge: Some(RechargeLine {
            receipt: outcome.receipt,
            gross: outcome.gross,
            tax_rate: outcome.tax_rate,
            fee: outcome.fee,
            valid_until: outcome.valid_until,
            channel: recharged.funding.channel().as_str().to_owned(),
            reference: recharged.reference.clone(),
        }),
        ..origin.line(LineKind::Recharge, outcome.credited, outcome.promotion.as_str())
    }
}

fn bundle_line(origin: &Origin, bought: &Bought) -> StatementLine {
    StatementLine {
        balance: Some(bought.balance),
        tax: bought.tax,
        ..origin.line(LineKind::Bundle, -origin.drawn, bought.offer.as_str())
    }
}

fn project_charged(changes: &mut Changes, origin: &Origin, charged: Charged) {
    if let Some(refund) = &charged.refund {
        let line = origin.line(LineKind::Refund, refund.gross, "");
        changes.lines.push(StatementLine {
            balance: Some(charged.balance),
            tax: refund.tax,
            ..line
        });
    }
    if matches!(
        charged.kind,
        ChargeKind::Refund | ChargeKind::BalanceCheck | ChargeKind::PriceEnquiry
    ) {
        return;
    }
    let cost = cost(&charged);
    let change = match changes.usage.entry((origin.account, charged.session)) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => entry.insert(UsageChange {
            operator: origin.operator,
            partition: origin.place.partition,
            service: charged.service,
            opened: None,
            moved: None,
            first_at: origin.at,
            last_at: origin.at,
            closed: false,
            reports: 0,
            used: Amount::ZERO,
            money: Money::ZERO,
            tax: Money::ZERO,
            from_buckets: Amount::ZERO,
            uncovered: Money::ZERO,
            balance: Money::ZERO,
            events: Vec::new(),
        }),
    };
    // Of the first event alone, as if every event were a step of its own.
    let opened_in = charged.opened.as_ref().map(|opened| opened.target.region);
    if change.reports == 0 {
        change.opened = charged.opened;
    }
    change.moved = [charged.moved, opened_in, change.moved]
        .into_iter()
        .flatten()
        .find(|region| !region.is_empty());
    change.last_at = origin.at;
    change.closed |= charged.closes || charged.kind == ChargeKind::Debit;
    change.reports += 1;
    change.used.0 = change.used.0.saturating_add(cost.used);
    change.money.0 = change.money.0.saturating_add(origin.drawn.0);
    change.tax.0 = change.tax.0.saturating_add(cost.tax);
    change.from_buckets.0 = change.from_buckets.0.saturating_add(cost.from_buckets);
    change.uncovered.0 = change.uncovered.0.saturating_add(cost.uncovered);
    change.balance = charged.balance;
    put_place(&mut change.events, origin.place);
}

/// Sums over the parts of a request.
#[derive(Default)]
struct Cost {
    used: i64,
    tax: i64,
    from_buckets: i64,
    uncovered: i64,
}

fn cost(charged: &Charged) -> Cost {
    let mut cost = Cost::default();
    if let Some(setup) = &charged.setup {
        cost.uncovered = setup.uncovered.0;
        if !setup.uncovered.is_positive() {
            cost.tax = setup.tax.0;
        }
    }
    for part in &charged.parts {
        cost.used = cost.used.saturating_add(part.used.0);
        for charge in &part.charges {
            match &charge.by {
                ChargedBy::Bucket { .. } => {
                    cost.from_buckets = cost.from_buckets.saturating_add(charge.units.0);
                }
                ChargedBy::Tariff(priced) => {
                    cost.tax = cost
                        .tax
                        .saturating_add(priced.tax.0.saturating_mul(charge.pulses));
                }
                ChargedBy::Uncovered(priced) => {
                    cost.uncovered = cost
                        .uncovered
                        .saturating_add(priced.gross.0.saturating_mul(charge.pulses));
                }
                ChargedBy::PaidAhead | ChargedBy::Free(_) => {}
            }
        }
    }
    cost
}

/// What a float gets beside its stock, by the local day of the chain.
fn project_earned(
    changes: &mut Changes,
    partner: PartnerId,
    at: Timestamp,
    body: &EventBody,
    day_of: &DayOf,
) {
    let (what, amount) = match body {
        EventBody::CommissionPaid { amount, .. } => (Earned::Commission, *amount),
        EventBody::Chain(happened) => match happened.as_ref() {
            ChainEvent::StockReceived(stock) => (Earned::Stock, stock.commission),
            ChainEvent::OverrideReceived { amount, .. } => (Earned::Override, *amount),
            _ => return,
        },
        _ => return,
    };
    if amount != Money::ZERO {
        let day = day_of(CHAIN, at);
        let sum = changes.earned.entry((partner, day, what)).or_default();
        sum.0 = sum.0.saturating_add(amount.0);
    }
}

fn project_partner(changes: &mut Changes, partner: PartnerId, at: Timestamp, body: EventBody) {
    let (float, in_transit) = match body {
        EventBody::PartnerOpened(opened) => {
            let opened = *opened;
            changes.partners.push(PartnerChange {
                partner,
                name: opened.name,
                code: opened.code,
                at,
            });
            return;
        }
        EventBody::FloatFunded { amount, .. } | EventBody::CommissionPaid { amount, .. } => {
            (amount, Money::ZERO)
        }
        EventBody::FloatReturned { amount, .. } => (amount, Money::ZERO),
        EventBody::FloatDelivered { amount, .. } => (Money::ZERO, -amount),
        EventBody::FloatDebited { amount, .. } => (-amount, amount),
        EventBody::FloatSettled {
            amount,
            credited: true,
            ..
        } => (Money::ZERO, -amount),
        EventBody::FloatSettled {
            amount,
            credited: false,
            ..
        } => (amount, -amount),
        EventBody::Chain(event) => event.float_change(),
        _ => return,
    };
    let moved = changes
        .floats
        .entry(partner)
        .or_insert((Money::ZERO, Money::ZERO, at));
    moved.0.0 = moved.0.0.saturating_add(float.0);
    moved.1.0 = moved.1.0.saturating_add(in_transit.0);
    moved.2 = at;
}
