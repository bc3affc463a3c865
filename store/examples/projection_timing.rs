//! Whether the read models keep up: a journal of 80 % usage reports and 20 % recharges, uniform over the subscribers,
//! projected in steps of a few seconds' worth of 30,000 operations a second.
//!
//! `cargo run --release -p store --example projection_timing [DIR] [SUBSCRIBERS] [SECONDS] [STEP_SECONDS]`

#[path = "../tests/common/mod.rs"]
mod common;

use charge::codec::Codec;
use charge::command::Funding;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use store::{BatchBuilder, Hash, JournalRow, Projector, SqliteOptions, SqliteStore, Store};

const OPERATIONS_PER_S: u64 = 30_000;
const PARTITIONS: u64 = 8;
const BATCH: u64 = 250;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |text| text.parse());
    let dir = PathBuf::from(args.get(1).map_or("target/projection-timing", String::as_str));
    let (subscribers, seconds, step_s) = (number(2, 1_000_000)?, number(3, 60)?, number(4, 5)?);
    if dir.join("journal.sqlite").exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    let store = SqliteStore::open(&dir, SqliteOptions::default())?;
    let mut world = World {
        subscribers,
        ends: vec![(0, Hash::NONE); PARTITIONS as usize],
        dice: 1,
        serial: 0,
    };
    let mut journal = store.journal()?;
    let mut reader = store.journal_reader()?;
    let mut projector = Projector::open(&store.read_models()?, common::utc_days())?;
    let mut outbox = store.outbox()?;
    let opened = Instant::now();
    world.open_accounts(&mut *journal)?;
    projector.catch_up(&mut *reader, |_| ())?;
    while outbox.feed(&mut *reader, 32 << 20, 0)?.batches > 0 {}
    println!(
        "{subscribers} subscribers opened and projected in {:.1?}",
        opened.elapsed()
    );
    let (mut busy, mut taking, mut events) = (Duration::ZERO, Duration::ZERO, 0);
    for _ in 0..seconds / step_s {
        world.operations(&mut *journal, OPERATIONS_PER_S * step_s)?;
        let start = Instant::now();
        let step = projector.step(&mut *reader, usize::MAX)?;
        let took = start.elapsed();
        let start = Instant::now();
        outbox.feed(&mut *reader, usize::MAX, 0)?;
        taking += start.elapsed();
        busy += took;
        events += step.events;
        println!(
            "{} events in {took:.2?}: {:.0}/s",
            step.events,
            step.events as f64 / took.as_secs_f64()
        );
    }
    let share = busy.as_secs_f64() / (events as f64 / OPERATIONS_PER_S as f64);
    let outbox_share = taking.as_secs_f64() / (events as f64 / OPERATIONS_PER_S as f64);
    println!(
        "read models: {:.0} events/s, {:.2} of real time at 30,000/s",
        events as f64 / busy.as_secs_f64(),
        share
    );
    println!(
        "outbox: {:.0} events/s, {outbox_share:.2} of real time",
        events as f64 / taking.as_secs_f64()
    );
    println!("{:?}", store.read_models()?.reader()?.counts()?);
    for name in ["journal.sqlite", "reads.sqlite", "outbox.sqlite"] {
        println!("{name}: {} MiB", std::fs::metadata(dir.join(name))?.len() >> 20);
    }
    Ok(())
}

struct World {
    subscribers: u64,
    ends: Vec<(u64, Hash)>,
    dice: u64,
    serial: u64,
}

impl World {
    fn open_accounts(&mut self, journal: &mut dyn store::Journal) -> Result<(), Box<dyn std::error::Error>> {
        for partition in 0..PARTITIONS {
            let accounts: Vec<u64> = (partition..self.subscribers)
                .step_by(PARTITIONS as usize)
                .collect();
            for some in accounts.chunks(2000) {
                let mut builder = BatchBuilder::new();
                for account in some {
                    let event = common::opened(*account, 0, 1_000_000_000);
                    builder.event_with(|buffer| event.encode(buffer))?;
                    let event = common::used(*account, common::session(*account, 1), 0, 1, 0);
                    builder.event_with(|buffer| event.encode(buffer))?;
                }
                journal.append(&[self.finish(partition, &mut builder)])?;
            }
        }
        Ok(())
    }

    fn operations(
        &mut self,
        journal: &mut dyn store::Journal,
        operations: u64,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut builders: Vec<BatchBuilder> = (0..PARTITIONS).map(|_| BatchBuilder::new()).collect();
        for number in 1..=operations {
            self.dice ^= self.dice << 13;
            self.dice ^= self.dice >> 7;
            self.dice ^= self.dice << 17;
            self.serial += 1;
            let account = (self.dice >> 8) % self.subscribers;
            let at = (self.serial * 33) as i64;
            let event = if self.dice.is_multiple_of(5) {
                let rail = Funding::Rail(common::code("easypaisa"));
                common::recharged(account, self.serial, at, 100_000_000, rail)
            } else {
                common::used(account, common::session(account, 1), self.serial as u32, at, 1)
            };
            builders[(account % PARTITIONS) as usize].event_with(|buffer| event.encode(buffer))?;
            if number % (BATCH * PARTITIONS) == 0 || number == operations {
                let rows: Vec<JournalRow> = (0..PARTITIONS)
                    .map(|partition| self.finish(partition, &mut builders[partition as usize]))
                    .collect();
                journal.append(&rows)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, partition: u64, builder: &mut BatchBuilder) -> JournalRow {
        let (seq, hash) = self.ends[partition as usize];
        let partition = partition as u16;
        let (batch, next) = builder.finish(partition, seq + 1, common::START, &hash, Vec::new());
        self.ends[usize::from(partition)] = (seq + 1, next);
        JournalRow {
            partition,
            seq: seq + 1,
            batch,
        }
    }
}
