//! `raseed bench`: how fast this machine charges, against what its disk allows.
//!
//! # Layout
//! * [`setting`]: data directory, store, engine and the thread that keeps the read models up
//! * [`recharge`]: guests who pay over HTTP. [`cards`]: scratch cards. [`eid`]: every channel at once
//! * [`pauses`]: what the machine does not do in time. [`table`]: the figures for people

mod cards;
mod eid;
mod pauses;
mod recharge;
mod setting;
mod table;

use crate::diameter::{Front, Limits};
use crate::output::Output;
use anyhow::{Context as _, anyhow, bail};
use charge::OperatorId;
use charge::catalog::Catalogs;
use clap::{Args, Subcommand};
use setting::Setting;
use sim::bench::report::{Report, report};
use sim::bench::{Plan, diameter, journal};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use wire::diameter::peer::{LocalNode, PeerSettings};

/// The operator whose catalog and numbers are used.
const OPERATOR: &str = "jazz";
/// Realm of the server under load.
const REALM: &str = "bench.raseed.example";

/// Arguments of `raseed bench`.
#[derive(Args, Debug, Clone)]
pub struct BenchArgs {
    /// What to measure.
    #[command(subcommand)]
    pub mode: Mode,
}

/// What to measure.
#[derive(Subcommand, Debug, Clone)]
pub enum Mode {
    /// Decide and apply alone: one thread, no disk, no network.
    Core(Load),
    /// The engine on a durable store, in process.
    Journal(Load),
    /// Credit control over TCP, with the load generator on this machine.
    Diameter(Load),
    /// Guests who recharge over HTTP through a rail's sandbox, 1,000 a second without `--rate`; all on this machine.
    Recharge(Load),
    /// Scratch cards: made, kept, redeemed; in process.
    Cards(cards::CardsLoad),
    /// An Eid eve: recharges from every channel at once, some asked twice, some answers lost; then `kill -9` and the books.
    Eid(eid::EidLoad),
}

/// The load.
#[derive(Args, Debug, Clone)]
pub struct Load {
    /// Accounts.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub subscribers: u64,
    /// How long to measure, after the warm-up.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Operations per second that start at their planned times (open loop); without it, as fast as answers come.
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub rate: Option<u64>,
    /// Only so many accounts take part.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    pub hot: Option<u64>,
    /// Operations on their way at once: with more of them, more are done and each waits longer.
    #[arg(long, value_name = "W", default_value_t = 448, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub outstanding: u64,
    /// TCP connections of the mode `diameter`.
    #[arg(long, value_name = "C", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=200))]
    pub connections: u64,
    /// Threads that own partitions.
    #[arg(long, value_name = "T", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub threads: u64,
    /// Memory for accounts, MiB; the rest stays on the disk (`serve` has 512).
    #[arg(long, value_name = "MIB", default_value_t = 4_096, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub cache_mib: u64,
    /// Seconds in which every changed account is written to the snapshots once.
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub snapshot_seconds: u64,
    /// Measure without keeping the read models up.
    #[arg(long)]
    pub no_read_models: bool,
    /// Data directory to use and to leave behind; one made by an earlier run is used again. Without it a fresh one in
    /// the current directory, removed at the end.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Load {
    fn plan(&self) -> Plan {
        Plan {
            subscribers: self.subscribers,
            measure: Duration::from_secs(self.seconds),
            rate: self.rate,
            hot: self.hot.map(|hot| hot.min(self.subscribers)),
            outstanding: usize::try_from(self.outstanding).unwrap_or(1),
            seed: 1,
        }
    }
}

/// Runs the benchmark: figures on standard output, progress on standard error.
pub fn run(args: &BenchArgs, output: &Output) -> anyhow::Result<()> {
    // What others have left to be written, such as a build: half a minute later the system would do it in the middle.
    rustix::fs::sync();
    let catalogs = crate::catalogs::load(None)?;
    let operator = catalogs
        .by_code(OPERATOR)
        .map(|catalog| catalog.operator)
        .ok_or_else(|| anyhow!("the catalog has no operator {OPERATOR}"))?;
    let catalogs = Arc::new(catalogs);
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: its figures say nothing about a release build");
    }
    let report = match &args.mode {
        Mode::Core(load) => {
            eprintln!("{} accounts, decide and apply alone", load.subscribers);
            sim::bench::core::run(&load.plan(), &catalogs, operator, crate::node::now())
        }
        Mode::Journal(load) => in_setting(load, &catalogs, operator, |setting| {
            let report = journal::run(&setting.engine, &load.plan(), setting.population, &setting.dir);
            report.map_err(|error| anyhow!(error))
        })?,
        Mode::Diameter(load) => in_setting(load, &catalogs, operator, |setting| {
            over_tcp(load, &catalogs, setting)
        })?,
        Mode::Recharge(load) => recharge::run(load)?,
        Mode::Cards(load) => return cards::run(load, output),
        Mode::Eid(load) => eid::run(load)?,
    };
    let value = serde_json::to_value(&report).context("write the figures")?;
    output.value(&value, |print| {
        table::of(&report).lines().for_each(|line| print.line(line));
    })?;
    if report.errors > 0 {
        bail!("{} operations were answered with an error", report.errors);
    }
    if report.lost.unwrap_or(0) + report.credited_twice.unwrap_or(0) > 0 {
        bail!("payments were lost or credited twice");
    }
    if let Some(eid) = &report.eid
        && (eid.floats_wrong + eid.charged_wrong > 0 || !eid.audit_ok)
    {
        bail!("the books do not agree");
    }
    Ok(())
}

/// Makes (or opens) the data directory, measures, lets the read models catch up.
fn in_setting(
    load: &Load,
    catalogs: &Arc<Catalogs>,
    operator: OperatorId,
    measure: impl FnOnce(&mut Setting) -> anyhow::Result<Report>,
) -> anyhow::Result<Report> {
    let mut setting = Setting::open(load, catalogs, operator)?;
    eprintln!(
        "{} accounts; measuring {} s after the warm-up",
        setting.population.count, load.seconds
    );
    let mut report = measure(&mut setting)?;
    report.populate_ms = setting.populate_ms;
    report.open_ms = Some(setting.open_ms);
    report.rss_idle_bytes = Some(setting.rss_idle_bytes);
    eprintln!("letting the read models catch up");
    report.read_models = setting.finish()?;
    Ok(report)
}

/// The Diameter front and its load in one runtime.
fn over_tcp(load: &Load, catalogs: &Arc<Catalogs>, setting: &mut Setting) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(4, usize::from))
        .enable_all()
        .build()
        .context("start the network threads")?;
    let plan = load.plan();
    let settings = PeerSettings::new(LocalNode {
        host: format!("ocs.{REALM}"),
        realm: REALM.to_owned(),
        state_id: None,
        product_name: "Raseed".to_owned(),
    });
    let dialling = catalogs
        .by_code(OPERATOR)
        .map(|catalog| crate::diameter::translate::Dialling {
            country: catalog.numbering.country.value.to_string(),
            trunk: catalog.numbering.trunk.clone(),
        })
        .context("the catalog has no numbering")?;
    let front = Front::new(
        Arc::clone(&setting.engine),
        settings,
        (dialling, 586),
        Limits::default(),
        1,
    );
    let engine = Arc::clone(&setting.engine);
    let population = setting.population;
    let outcome = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("listen on the loopback")?;
        let server = listener.local_addr().context("ask for the address")?;
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(front.serve(listener, None, stopped));
        let target = diameter::Target {
            server,
            realm: REALM.to_owned(),
            connections: usize::try_from(load.connections).unwrap_or(1),
            msisdn: population.msisdn,
            first: population.first,
            run: u64::try_from(crate::node::now().0).unwrap_or(1),
        };
        let credited = Arc::clone(&engine);
        let credits: diameter::Credits = Arc::new(move |command| credited.submit_with(command, |_| {}));
        let (mut before, mut after) = (engine.stats(), engine.stats());
        let measured = diameter::run(&plan, &target, credits, |begins| {
            *(if begins { &mut before } else { &mut after }) = engine.stats();
        })
        .await;
        stop.send_replace(true);
        serving.await.context("the front has panicked")?;
        let measured = measured.map_err(|error| anyhow!(error))?;
        Ok::<_, anyhow::Error>((measured, before, after))
    });
    let (measured, before, after) = outcome?;
    runtime.shutdown_timeout(Duration::from_secs(5));
    let mut report = report("diameter", &plan, &measured.latencies, measured.elapsed);
    report.durable = true;
    let commits = (after.commits - before.commits).max(1);
    let bytes = after.batch_bytes - before.batch_bytes;
    let operations = (after.commands - before.commands).max(1);
    report.commits = Some(commits);
    report.bytes_per_op = Some(bytes / operations);
    journal::add_limit(&mut report, &setting.dir, (commits, bytes, operations))
        .map_err(|error| anyhow!(error))?;
    Ok(report)
}
