//! `raseed bench cards`: how fast scratch cards are made, what they take on the disk, how long a redemption takes.

use super::OPERATOR;
use super::setting::Scratch;
use crate::cards::{Vault, sealed};
use crate::config::Config;
use crate::node::Node;
use crate::output::Output;
use anyhow::{Context as _, anyhow, bail};
use charge::card::{BATCH_CARDS_MAX, CardState, NewBatch, SetCards};
use charge::time::DAY;
use charge::{Code, Command, Entity, EntityKey, Money, Msisdn, OperatorId};
use clap::Args;
use engine::{Engine, StatsSnapshot};
use parking_lot::Mutex;
use serde_json::json;
use sim::bench::journal;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use web::bind::EngineCore;
use web::cards::make::Printable;
use web::cards::{CardChannel, CardDesk, CardParts, CardVault, PinKey};

/// The name of the printer's key.
const PRINTER: &str = "press";
/// Batches that are made at the same time.
const AT_ONCE: usize = 2;
/// Redemptions before those that are measured, seconds.
const WARM_UP_S: u64 = 3;

/// Syncs of the disk alone that are measured at most.
const LIMIT_COMMITS_MAX: u64 = 20_000;

/// Arguments of `bench cards`.
#[derive(Args, Debug, Clone)]
pub struct CardsLoad {
    /// Cards.
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1_000..=29_000_000_000))]
    pub cards: u64,
    /// Accounts that redeem them.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    pub subscribers: u64,
    /// Redemptions per second, at their planned times (open loop).
    #[arg(long, value_name = "R", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub rate: u64,
    /// How long to redeem.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub seconds: u64,
}

/// The vault of the server, which seals to a printer's key and writes; and PINs in memory, to be redeemed.
struct Press {
    vault: Vault,
    pins: Mutex<BTreeMap<u32, Vec<String>>>,
}

impl CardVault for Press {
    fn printers(&self) -> Vec<String> {
        self.vault.printers()
    }
    fn seal(&self, batch: u32, printer: &str, cards: &Printable) -> Result<(), String> {
        self.vault.seal(batch, printer, cards)?;
        let mut lines = String::new();
        cards.write_lines(0..cards.len(), &mut lines);
        let pins = lines.lines().filter_map(|line| line.split_once(','));
        let pins = pins.map(|(_, pin)| pin.to_owned()).collect();
        self.pins.lock().insert(batch, pins);
        Ok(())
    }
    fn take(&self, batch: u32) -> Result<Option<Vec<u8>>, String> {
        self.vault.take(batch)
    }
}

/// Makes, counts, redeems.
pub(super) fn run(load: &CardsLoad, output: &Output) -> anyhow::Result<()> {
    if load.cards < load.rate * (load.seconds + WARM_UP_S) {
        bail!("more cards are to be redeemed than made");
    }
    let scratch = Scratch::make()?;
    let config = config_in(&scratch)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the network threads")?;
    let node = Node::open(&config, None)?;
    let operator = node
        .catalogs
        .by_code(OPERATOR)
        .context("the catalog has no operator")?
        .operator;
    let population = journal::populate(&node.engine, operator, load.subscribers, |_| {});
    let population = population.map_err(|error| anyhow!(error))?;
    node.stop();
    let before = bytes_in(&scratch.0)?;

    let press = Arc::new(Press {
        vault: Vault::open(&config.data, &config.cards)?,
        pins: Mutex::default(),
    });
    let node = Node::open(&config, None)?;
    let desk = desk_of(&node, &press);
    eprintln!("making {} cards", load.cards);
    let began = Instant::now();
    let batches = runtime.block_on(make(&desk, operator, load.cards))?;
    let made_in = began.elapsed();
    drop(desk);
    node.stop();
    let export_bytes = handed_out(&press, &batches)?;
    let made_bytes = bytes_in(&scratch.0)?.saturating_sub(before);

    let node = Node::open(&config, None)?;
    for batch in &batches {
        activate(&node.engine, *batch)?;
    }
    let desk = desk_of(&node, &press);
    eprintln!("redeeming {} a second for {} s", load.rate, load.seconds);
    let stats = node.engine.stats();
    let (latencies, errors) = runtime.block_on(redeem(load, &desk, &press, population.msisdn));
    let work = Work::between(&stats, &node.engine.stats());
    drop(desk);
    node.stop();
    let grown = bytes_in(&scratch.0)?.saturating_sub(before + made_bytes);
    let at = |per_mille: usize| {
        latencies
            .get(latencies.len().saturating_sub(1) * per_mille / 1000)
            .copied()
    };
    let rate =
        |count: u64, time: Duration| count * 1_000_000 / u64::try_from(time.as_micros()).unwrap_or(1).max(1);
    let redeemed = u64::try_from(latencies.len()).unwrap_or(0);
    let facts = json!({
        "mode": "cards", "cards": load.cards, "made_per_s": rate(load.cards, made_in),
        "bytes_per_card": made_bytes / load.cards, "export_bytes_per_card": export_bytes / load.cards,
        "rate": load.rate, "redeemed": redeemed, "errors": errors,
        "p50_us": at(500), "p99_us": at(990), "p999_us": at(999), "max_us": latencies.last(),
        "bytes_per_redemption": grown / (redeemed + load.rate * WARM_UP_S).max(1),
        "commits": work.commits, "commands_per_commit": work.commands / work.commits.max(1),
        "snapshot_reads": work.reads, "snapshot_reads_absent": work.absent, "snapshot_rows_written": work.rows,
        "limit_p99_us": work.limit_p99_us(&scratch.0)?,
        "machine": sim::bench::report::Machine::here(),
    });
    output.value(&facts, |print| {
        for name in [
            "cards",
            "made_per_s",
            "bytes_per_card",
            "export_bytes_per_card",
            "rate",
            "redeemed",
            "errors",
            "p50_us",
            "p99_us",
            "p999_us",
            "max_us",
            "bytes_per_redemption",
            "commits",
            "commands_per_commit",
            "snapshot_reads",
            "snapshot_reads_absent",
            "snapshot_rows_written",
            "limit_p99_us",
        ] {
            print.line(&format!("{name:>22}  {}", facts[name]));
        }
    })?;
    if errors > 0 {
        bail!("{errors} redemptions were answered with an error");
    }
    Ok(())
}

/// A configuration with a printer's key.
fn config_in(scratch: &Scratch) -> anyhow::Result<Config> {
    let mut config = Config {
        data: scratch.0.clone(),
        ..Config::default()
    };
    let (_, public) = sealed::generate().map_err(|error| anyhow!(error))?;
    config.cards.printers.insert(PRINTER.to_owned(), public);
    Ok(config)
}

/// Gives the exports to their printer, so that what stays is the journal and the snapshots; how long they were.
fn handed_out(press: &Press, batches: &[u32]) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for batch in batches {
        let export = press.take(*batch).map_err(|error| anyhow!(error))?;
        bytes += u64::try_from(export.context("a batch has no export")?.len()).unwrap_or(0);
    }
    Ok(bytes)
}

/// What the engine did for the redemptions.
struct Work {
    commits: u64,
    bytes: u64,
    commands: u64,
    reads: u64,
    absent: u64,
    rows: u64,
}

impl Work {
    fn between(before: &StatsSnapshot, after: &StatsSnapshot) -> Work {
        Work {
            commits: after.commits - before.commits,
            bytes: after.batch_bytes - before.batch_bytes,
            commands: after.commands - before.commands,
            reads: after.snapshot_reads - before.snapshot_reads,
            absent: after.snapshot_absent - before.snapshot_absent,
            rows: after.snapshot_rows - before.snapshot_rows,
        }
    }

    /// What 99 of 100 would wait at most for one sync of as many bytes, at any moment: two of them are in a redemption.
    fn limit_p99_us(&self, dir: &Path) -> anyhow::Result<u64> {
        let size = usize::try_from(self.bytes / self.commits.max(1))
            .unwrap_or(usize::MAX)
            .max(1);
        let count = usize::try_from(self.commits.clamp(1, LIMIT_COMMITS_MAX)).unwrap_or(1);
        let limit = store::raw_append_limit(dir, &vec![size; count]).context("measure the disk alone")?;
        Ok(u64::try_from(limit.p99.as_micros()).unwrap_or(u64::MAX))
    }
}

fn desk_of(node: &Node, press: &Arc<Press>) -> CardDesk {
    CardDesk::new(CardParts {
        core: Arc::new(EngineCore(Arc::clone(&node.engine))),
        catalogs: Arc::clone(&node.catalogs),
        clock: Arc::new(crate::node::now),
        key: PinKey::new(&[7; 32]),
        vault: Arc::clone(press) as Arc<dyn CardVault>,
        partitions: node.instance.partitions,
        wrong_per_minute_max: 1_000_000,
    })
}

async fn make(desk: &CardDesk, operator: OperatorId, cards: u64) -> anyhow::Result<Vec<u32>> {
    let (mut left, mut all, mut running) = (cards, Vec::new(), Vec::new());
    while left > 0 || !running.is_empty() {
        if left > 0 && running.len() < AT_ONCE {
            let count = u32::try_from(left).unwrap_or(u32::MAX).min(BATCH_CARDS_MAX);
            let new = NewBatch {
                operator,
                face: Money::from_units(100),
                count,
                expires_at: crate::node::now().plus(365 * DAY),
                printer: Code::new(PRINTER).unwrap_or_default(),
                label: "bench".to_owned(),
                partitions: desk.parts().partitions,
            };
            let batch = desk.generate(new).await.context("make a batch")?;
            left -= u64::from(count);
            running.push(batch);
            all.push(batch);
            continue;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        running.retain(|batch| desk.progress(*batch).is_some());
    }
    for batch in &all {
        let entity = desk.parts().core.read(EntityKey::CardBatch(*batch)).await;
        let ready = matches!(entity.context("read a batch")?, Some(Entity::CardBatch(batch)) if batch.ready);
        anyhow::ensure!(ready, "batch {batch} was not made");
    }
    Ok(all)
}

fn activate(engine: &Engine, batch: u32) -> anyhow::Result<()> {
    engine.call(Command::ExportCards(batch)).context("export")?;
    for state in [CardState::Shipped, CardState::Active] {
        let set = SetCards {
            batch,
            part: None,
            state,
            dealer: Code::new("dealer").unwrap_or_default(),
        };
        engine.call(Command::SetCards(set)).context("activate")?;
    }
    Ok(())
}

/// Latencies from the planned time to the answer, microseconds, sorted; and errors.
async fn redeem(load: &CardsLoad, desk: &CardDesk, press: &Press, first: u64) -> (Vec<u64>, u64) {
    // From all batches in turn; the hashes spread them over the shelves.
    let total = load.rate * (load.seconds + WARM_UP_S);
    let mut pins: Vec<String> = Vec::new();
    {
        let printed = press.pins.lock();
        let mut place = 0;
        while (pins.len() as u64) < total {
            let more = printed.values().filter_map(|batch| batch.get(place).cloned());
            let had = pins.len();
            pins.extend(more);
            if pins.len() == had {
                break;
            }
            place += 1;
        }
    }
    let (began, mut tasks) = (Instant::now(), tokio::task::JoinSet::new());
    for (index, pin) in (0_u64..total).zip(pins) {
        let planned = began + Duration::from_micros(index * 1_000_000 / load.rate);
        if planned > Instant::now() {
            tokio::time::sleep_until(planned.into()).await;
        }
        let desk = desk.clone();
        let number = first + index * 7_919 % load.subscribers;
        let warm = index >= load.rate * WARM_UP_S;
        tasks.spawn(async move {
            let Ok(number) = Msisdn::new(number) else {
                return (warm, None);
            };
            let done = desk.redeem_here(CardChannel::Ussd, number, &pin).await;
            let took = u64::try_from(planned.elapsed().as_micros()).unwrap_or(u64::MAX);
            if let Err(error) = &done {
                tracing::warn!(%error, "a redemption failed");
            }
            (warm, done.ok().map(|_| took))
        });
    }
    let (mut latencies, mut errors) = (Vec::new(), 0);
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((true, Some(took))) => latencies.push(took),
            Ok((false, Some(_))) => {}
            _ => errors += 1,
        }
    }
    latencies.sort_unstable();
    (latencies, errors)
}

fn bytes_in(path: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(path).context("look at the data directory")? {
        let entry = entry.context("look at the data directory")?;
        let kind = entry.metadata().context("look at a file")?;
        sum += if kind.is_dir() {
            bytes_in(&entry.path())?
        } else {
            kind.len()
        };
    }
    Ok(sum)
}
