//! Decide and apply alone: no engine, no disk, one thread. The time is that of deciding and applying: the commands are made in
//! between, off the clock.

use super::report::{Latencies, Report, report};
use super::workload::{Operation, Workload};
use super::{Plan, workload};
use charge::catalog::Language;
use charge::command::{Message, OpenAccount};
use charge::ids::{AccountId, Entity, EntityKey, Msisdn};
use charge::tax::TaxClass;
use charge::{Catalogs, Code, Command, Money, OperatorId, Timestamp, View, apply, decide};
use std::time::{Duration, Instant};

/// Operations between two looks at the clock.
const CHUNK: u64 = 256;

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
        carry_out(&mut accounts, catalogs, &message, start);
    }
    let idle = super::report::rss_bytes();
    let mut workload = Workload::new(plan.hot.unwrap_or(plan.subscribers), plan.seed, 1);
    let (mut now, mut latencies) = (start, Latencies::default());
    let warm_until = Instant::now() + plan.warm_up();
    while workload.unopened() > 0 || Instant::now() < warm_until {
        chunk(&mut accounts, catalogs, &mut workload, &mut now);
    }
    let began = Instant::now();
    let mut deciding = Duration::ZERO;
    while began.elapsed() < plan.measure {
        let spent = chunk(&mut accounts, catalogs, &mut workload, &mut now);
        deciding += spent;
        let each = spent / u32::try_from(CHUNK).unwrap_or(1);
        for _ in 0..CHUNK {
            latencies.record(u64::try_from(each.as_micros()).unwrap_or(u64::MAX));
        }
    }
    let mut report = report("core", plan, &latencies, deciding);
    report.rss_idle_bytes = Some(idle);
    report
}

/// One chunk of operations; says how long looking at the accounts, deciding and applying took. Making the commands is the
/// load generator's work and does not count.
fn chunk(
    accounts: &mut Accounts,
    catalogs: &Catalogs,
    workload: &mut workload::Workload,
    now: &mut Timestamp,
) -> Duration {
    let mut commands = Vec::with_capacity(usize::try_from(CHUNK).unwrap_or(0));
    for _ in 0..CHUNK {
        let operation = workload.draw();
        let (Operation::Report { index, .. } | Operation::Credit { index, .. }) = operation;
        commands.push(workload.command(operation, AccountId(index)));
    }
    let began = Instant::now();
    // As the engine does with a queue of commands: looking at all of them first lets the memory fetch them side by side.
    let warmed: usize = commands
        .iter()
        .filter_map(|command| accounts.get(command.route()))
        .map(Entity::touch)
        .sum();
    std::hint::black_box(warmed);
    for command in &commands {
        *now = now.plus(5);
        carry_out(accounts, catalogs, command, *now);
    }
    drop(commands);
    began.elapsed()
}

fn carry_out(accounts: &mut Accounts, catalogs: &Catalogs, command: &Command, now: Timestamp) {
    let decision = decide(accounts, catalogs, command, now).expect("the workload is never refused");
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
