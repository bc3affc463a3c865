//! Decide and apply alone: no engine, no disk, one thread. The time is that of looking at the accounts, deciding and
//! applying, and in it that of deciding alone; the commands are made in between, off the clock.

use super::report::{Latencies, Report, report};
use super::workload::{Operation, Workload};
use super::{Plan, workload};
use charge::catalog::Language;
use charge::command::{Message, OpenAccount};
use charge::decide::Decision;
use charge::ids::{AccountId, Entity, EntityKey, Msisdn};
use charge::tax::TaxClass;
use charge::{Catalogs, Code, Command, Money, OperatorId, Timestamp, View, apply, decide};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Operations between two looks at the clock.
const CHUNK: u64 = 256;
/// Most decisions between two moments at which they are applied: what they have read should still be near.
const GROUP: usize = 32;

struct Accounts(Vec<Option<Entity>>);

impl View for Accounts {
    fn get(&self, key: EntityKey) -> Option<&Entity> {
        let EntityKey::Account(AccountId(id)) = key else {
            return None;
        };
        self.0.get(usize::try_from(id).ok()?)?.as_ref()
    }
}

/// Runs the workload in this thread. `start` is the time that the core is told at first.
pub fn run(plan: &Plan, catalogs: &Catalogs, operator: OperatorId, start: Timestamp) -> Report {
    let mut accounts = Accounts(Vec::new());
    for index in 0..plan.subscribers {
        accounts.0.push(None);
        let open = open_account(index, operator);
        let message = Command::Deliver(Message::Open(Box::new(open)));
        let decision = decide(&accounts, catalogs, &message, start).expect("a new account");
        carry_out(&mut accounts, &decision);
    }
    let idle = super::report::rss_bytes();
    let mut workload = Workload::new(plan.hot.unwrap_or(plan.subscribers), plan.seed, 1);
    let (mut now, mut latencies) = (start, Latencies::default());
    let warm_until = Instant::now() + plan.warm_up();
    while workload.unopened() > 0 || Instant::now() < warm_until {
        chunk(&mut accounts, catalogs, &mut workload, &mut now);
    }
    let began = Instant::now();
    let (mut all, mut deciding) = (Duration::ZERO, Duration::ZERO);
    while began.elapsed() < plan.measure {
        let spent = chunk(&mut accounts, catalogs, &mut workload, &mut now);
        all += spent.all;
        deciding += spent.deciding;
        let each = spent.all / u32::try_from(CHUNK).unwrap_or(1);
        for _ in 0..CHUNK {
            latencies.record(u64::try_from(each.as_micros()).unwrap_or(u64::MAX));
        }
    }
    let mut report = report("core", plan, &latencies, all);
    let decisions = u128::from(latencies.count()) * 1_000_000_000 / deciding.as_nanos().max(1);
    report.decides_per_s = u64::try_from(decisions).ok();
    report.rss_idle_bytes = Some(idle);
    report
}

/// Time spent on a chunk.
struct Spent {
    all: Duration,
    deciding: Duration,
}

/// One chunk of operations; says how long looking at the accounts, deciding and applying took. Making the commands is the
/// load generator's work and does not count. Decisions are applied together, and before an account comes again.
fn chunk(
    accounts: &mut Accounts,
    catalogs: &Catalogs,
    workload: &mut workload::Workload,
    now: &mut Timestamp,
) -> Spent {
    let mut commands = Vec::with_capacity(usize::try_from(CHUNK).unwrap_or(0));
    let (mut seen, mut groups) = (HashSet::new(), Vec::new());
    for at in 0..CHUNK {
        let operation = workload.draw();
        let (Operation::Report { index, .. } | Operation::Credit { index, .. }) = operation;
        if seen.len() == GROUP || !seen.insert(index) {
            groups.push(usize::try_from(at).unwrap_or(0));
            seen.clear();
            seen.insert(index);
        }
        commands.push(workload.command(operation, AccountId(index)));
    }
    groups.push(commands.len());
    let mut decisions = Vec::with_capacity(commands.len());
    let (mut deciding, mut first) = (Duration::ZERO, 0);
    let began = Instant::now();
    // As the engine does with a queue of commands: looking at all of them first lets the memory fetch them side by side.
    let named = || {
        commands
            .iter()
            .filter_map(|command| accounts.get(command.route()))
    };
    std::hint::black_box(named().map(Entity::touch).sum::<usize>());
    std::hint::black_box(named().map(Entity::touch_parts).sum::<usize>());
    for end in groups {
        let decided_from = Instant::now();
        for command in &commands[first..end] {
            *now = now.plus(5);
            decisions.push(decide(accounts, catalogs, command, *now).expect("the workload is never refused"));
        }
        deciding += decided_from.elapsed();
        decisions
            .drain(..)
            .for_each(|decision| carry_out(accounts, &decision));
        first = end;
    }
    drop(commands);
    Spent {
        all: began.elapsed(),
        deciding,
    }
}

fn carry_out(accounts: &mut Accounts, decision: &Decision) {
    for event in &decision.events {
        let EntityKey::Account(AccountId(id)) = event.key else {
            continue;
        };
        if let Some(slot) = usize::try_from(id).ok().and_then(|id| accounts.0.get_mut(id)) {
            apply(slot, event);
        }
    }
}

/// The account of a generated subscriber: synthetic, with enough money to begin with.
pub fn open_account(index: u64, operator: OperatorId) -> OpenAccount {
    OpenAccount {
        account: AccountId(index),
        operator,
        msisdn: Msisdn::new(923_000_000_000 + index).expect("a generated number"),
        imsi: None,
        language: Language::En,
        tax_class: TaxClass::Standard,
        region: Code::EMPTY,
        opening_balance: Money::from_units(1_000),
    }
}
