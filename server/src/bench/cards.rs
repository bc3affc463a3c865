//! `raseed bench cards`: how fast scratch cards are made, what they take on the disk, how long a redemption takes.
//!
//! # Layout
//! * [`making`]: accounts and cards, in a process of their own. [`redeeming`]: at planned times

mod making;
mod redeeming;

use super::pauses::Pauses;
use super::setting::Scratch;
use crate::config::Config;
use crate::node::Node;
use crate::output::Output;
use anyhow::{Context as _, bail};
use clap::Args;
use redeeming::{Redeemed, Work, redeem};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use web::bind::EngineCore;
use web::cards::{CardDesk, CardParts, CardVault, PinKey};

/// Redemptions before those that are measured, seconds.
const WARM_UP_S: u64 = 3;

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
    /// Only makes, in this directory; the benchmark runs itself so.
    #[arg(long, value_name = "DIR", hide = true)]
    pub make_in: Option<PathBuf>,
}

impl CardsLoad {
    /// Redemptions, those of the warm-up included.
    fn redemptions(&self) -> u64 {
        self.rate * (self.seconds + WARM_UP_S)
    }
}

/// Makes, counts, redeems.
pub(super) fn run(load: &CardsLoad, output: &Output) -> anyhow::Result<()> {
    if load.cards < load.redemptions() {
        bail!("more cards are to be redeemed than made");
    }
    if let Some(dir) = &load.make_in {
        return making::run(load, dir);
    }
    let scratch = Scratch::make()?;
    let (made, pins) = making::in_a_child(load, &scratch.0)?;
    let before = bytes_in(&scratch.0)?;
    let config = Config {
        data: scratch.0.clone(),
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the network threads")?;
    let node = Node::open(&config, None)?;
    let vault = crate::cards::Vault::open(&config.data, &config.cards)?;
    let desk = desk_of(&node, Arc::new(vault));
    eprintln!("redeeming {} a second for {} s", load.rate, load.seconds);
    let stats = node.engine.stats();
    let pauses = Pauses::watch().context("watch the machine")?;
    let Redeemed {
        latencies,
        slowest,
        errors,
        error,
    } = runtime.block_on(redeem(load, &desk, pins, made.first));
    let machine_late_ms = pauses.end();
    let work = Work::between(&stats, &node.engine.stats());
    drop(desk);
    node.stop();
    let grown = bytes_in(&scratch.0)?.saturating_sub(before);
    eprintln!("the disk alone, as often and as long");
    let limit = work.limit(load, &scratch.0)?;
    let at = |sorted: &[u64], per_mille: usize| {
        sorted
            .get(sorted.len().saturating_sub(1) * per_mille / 1000)
            .copied()
    };
    let redeemed = u64::try_from(latencies.len()).unwrap_or(0);
    let facts = json!({
        "mode": "cards", "cards": load.cards, "made_per_s": made.per_s,
        "bytes_per_card": made.bytes / load.cards, "export_bytes_per_card": made.export_bytes / load.cards,
        "rate": load.rate, "redeemed": redeemed, "errors": errors,
        "p50_us": at(&latencies, 500), "p99_us": at(&latencies, 990), "p999_us": at(&latencies, 999), "max_us": latencies.last(),
        "slowest_us_by_second": slowest,
        "bytes_per_redemption": grown / (redeemed + load.rate * WARM_UP_S).max(1),
        "commits": work.commits, "commands_per_commit": work.commands / work.commits.max(1),
        "snapshot_reads": work.reads, "snapshot_reads_absent": work.absent, "snapshot_rows_written": work.rows,
        "limit_p50_us": at(&limit, 500), "limit_p99_us": at(&limit, 990), "limit_p999_us": at(&limit, 999),
        "limit_max_us": limit.last(),
        "machine_late_ms": machine_late_ms,
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
            "limit_p50_us",
            "limit_p99_us",
            "limit_p999_us",
            "limit_max_us",
            "machine_late_ms",
        ] {
            print.line(&format!("{name:>22}  {}", facts[name]));
        }
    })?;
    if let Some(error) = error {
        bail!("{errors} redemptions were answered with an error, the first: {error}");
    }
    Ok(())
}

/// So many a second.
fn per_second(count: u64, time: Duration) -> u64 {
    count * 1_000_000 / u64::try_from(time.as_micros()).unwrap_or(1).max(1)
}

fn desk_of(node: &Node, vault: Arc<dyn CardVault>) -> CardDesk {
    CardDesk::new(CardParts {
        core: Arc::new(EngineCore(Arc::clone(&node.engine))),
        catalogs: Arc::clone(&node.catalogs),
        clock: Arc::new(crate::node::now),
        key: PinKey::new(&[7; 32]),
        vault,
        partitions: node.instance.partitions,
        wrong_per_minute_max: 1_000_000,
    })
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
