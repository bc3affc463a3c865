//! `raseed bench eid`: an Eid eve. A server of its own process with every socket it has, and recharges from every channel at
//! once; at the end the server is killed, and each intended recharge must be in the books exactly once.
//!
//! # Layout
//! * this file: the run. [`stage`]: the server and everybody who sells. [`books`]: what must be true afterwards

mod books;
mod stage;

use super::setting::Scratch;
use crate::cards::sealed;
use crate::config::Config;
use anyhow::{Context as _, anyhow, bail};
use books::Books;
use clap::Args;
use sim::bench::eid::{EidPlan, Measured};
use sim::bench::report::{ChannelFigures, EidFigures, Report, SmsFigures, report};
use sim::bench::{Plan, eid, journal};
use sim::rails::jazzcash::{Account, JazzCash};
use sim::smsc::Smsc;
use stage::{Metrics, Opening, Peers, RAIL, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};
use wire::smpp::CentreConfig;

/// Longest time that messages and open payments may take after the load.
const DRAIN_MAX: Duration = Duration::from_secs(300);
/// How often the backlog is looked at while the load runs.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The same when the load is over.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

/// Arguments of `bench eid`.
#[derive(Args, Debug, Clone)]
pub struct EidLoad {
    /// Recharges a second, all channels together, at their planned times (open loop).
    #[arg(long, value_name = "R", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    pub rate: u64,
    /// How long to measure, after the warm-up.
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub seconds: u64,
    /// Of a hundred recharges, those that are asked twice.
    #[arg(long, value_name = "P", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=100))]
    pub duplicates: u64,
    /// Of a hundred, those whose first answer is lost.
    #[arg(long, value_name = "P", default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=100))]
    pub lost: u64,
    /// Accounts; at least one for each recharge is made.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=9_000_000))]
    pub subscribers: u64,
    /// Scratch cards beside those that are redeemed.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=100_000_000))]
    pub more_cards: u64,
    /// On their way at once, at most.
    #[arg(long, value_name = "W", default_value_t = 4_096, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub outstanding: u64,
    /// Threads of the server that own partitions.
    #[arg(long, value_name = "T", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub threads: u64,
    /// The server's memory for accounts, MiB.
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub cache_mib: u64,
}

impl EidLoad {
    fn plan(&self) -> EidPlan {
        let measure = Duration::from_secs(self.seconds);
        EidPlan {
            rate: self.rate,
            warm_up: (measure / 4).min(Duration::from_secs(5)),
            measure,
            duplicate_percent: self.duplicates,
            lost_percent: self.lost,
            outstanding: usize::try_from(self.outstanding).unwrap_or(1),
        }
    }
}

/// Sets up, loads, lets the backlog drain, kills the server and looks at its books.
pub(super) fn run(load: &EidLoad) -> anyhow::Result<Report> {
    let mut load = load.clone();
    let plan = load.plan();
    load.subscribers = load.subscribers.max(plan.intended());
    let scratch = Scratch::make()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the network threads")?;
    let account = Account::default();
    let sandbox = JazzCash::new(account.clone());
    let (served, centre) = runtime.block_on(async {
        let served = sandbox.serve(0).await.context("start the sandbox")?;
        let centre = Smsc::start(([127, 0, 0, 1], 0).into(), CentreConfig::default()).await;
        Ok::<_, anyhow::Error>((served, Arc::new(centre.context("start the message centre")?)))
    })?;
    let peers = Peers {
        centre: centre.address(),
        rail: (served.url.clone(), account),
        printer: sealed::generate().map_err(|error| anyhow!(error))?,
    };
    let mut server = Server::start(&scratch.0, &load, &peers)?;
    sandbox.desk.send_to(&format!("{}/rails/{RAIL}", server.url));
    eprintln!(
        "making {} subscribers, sellers, retailers and cards",
        load.subscribers
    );
    let opening = stage::set_up(&server, &load, &plan, &peers)?;
    let deadline = Instant::now() + DRAIN_MAX;
    while centre.bind_count() == 0 {
        anyhow::ensure!(
            Instant::now() < deadline,
            "the server does not bind to the message centre"
        );
        std::thread::sleep(DRAIN_LOOK);
    }
    eprintln!(
        "{} recharges a second for {} s after the warm-up",
        load.rate, load.seconds
    );
    let before = Metrics::of(&server)?;
    let (_, cpu_before) = server.used();
    let (measured, backlog_max) = watched(&server, || {
        let target = opening.target.clone();
        runtime.block_on(eid::run(&plan, target, Arc::clone(&centre)))
    })?;
    let ended = Instant::now();
    let (rss, cpu_after) = server.used();
    let after = Metrics::of(&server)?;
    let drained_ms = drained(&server, ended)?;
    server.kill()?;
    runtime.shutdown_timeout(Duration::from_secs(5));

    eprintln!("looking at the books");
    let config = Config::read(&scratch.0.join("raseed.toml"))?;
    let books = Books::read(&config, &opening, &measured, &sandbox)?;
    tell(&measured, &books, &server);
    let sms = SmsFigures {
        received: centre.inbox().received_count(),
        backlog_max: u64::try_from(backlog_max).unwrap_or(0),
        drained_ms,
    };
    let mut done = figures(&plan, &load, &opening, (&measured, books), sms);
    if let Some(eid) = &mut done.eid {
        eid.server_cpu_ms = cpu_after.saturating_sub(cpu_before);
    }
    done.rss_bytes = rss;
    let grown = |name: &str| u64::try_from(after.get(name) - before.get(name)).unwrap_or(0);
    let (commits, bytes) = (grown("journal_commits").max(1), grown("journal_bytes"));
    done.commits = Some(commits);
    done.bytes_per_op = Some(bytes / done.operations.max(1));
    let limit = (commits, bytes, done.operations.max(1));
    journal::add_limit(&mut done, &scratch.0, limit).map_err(|error| anyhow!(error))?;
    drop(served);
    Ok(done)
}

/// Runs the load and looks at the backlog of messages meanwhile.
fn watched(
    server: &Server,
    load: impl FnOnce() -> Result<Measured, String>,
) -> anyhow::Result<(Measured, i64)> {
    let (over, highest) = (AtomicBool::new(false), AtomicI64::new(0));
    let measured = std::thread::scope(|threads| {
        threads.spawn(|| {
            while !over.load(Ordering::Acquire) {
                if let Ok(metrics) = Metrics::of(server) {
                    highest.fetch_max(backlog(&metrics), Ordering::Relaxed);
                }
                std::thread::sleep(LOOK_EVERY);
            }
        });
        let measured = load();
        over.store(true, Ordering::Release);
        measured
    });
    let measured = measured.map_err(|error| anyhow!(error))?;
    Ok((measured, highest.load(Ordering::Relaxed)))
}

/// Messages that wait, of the two tables of the outbox.
fn backlog(metrics: &Metrics) -> i64 {
    metrics.get("outbox_pending") + metrics.get("letters_pending")
}

/// Waits until no message waits and no payment is open; how long the messages took.
fn drained(server: &Server, since: Instant) -> anyhow::Result<u64> {
    let mut texts = None;
    loop {
        let metrics = Metrics::of(server)?;
        if texts.is_none() && backlog(&metrics) == 0 && metrics.get("outbox_lag_batches") == 0 {
            texts = Some(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
        match texts {
            Some(took) if metrics.get("payments_open") == 0 => return Ok(took),
            _ if since.elapsed() > DRAIN_MAX => bail!(
                "{} messages and {} payments are left",
                backlog(&metrics),
                metrics.get("payments_open")
            ),
            _ => std::thread::sleep(DRAIN_LOOK),
        }
    }
}

/// What went wrong, on standard error.
fn tell(measured: &Measured, books: &Books, server: &Server) {
    for (channel, error) in &measured.first_errors {
        eprintln!("the first error of {channel:?}: {error}");
    }
    for (channel, why) in &measured.first_again {
        eprintln!("asked again in {channel:?}, the first: {why}");
    }
    for line in &books.told {
        eprintln!("{line}");
    }
    if let Ok(log) = std::fs::read_to_string(&server.log) {
        let lines: Vec<&str> = log.lines().collect();
        if !lines.is_empty() {
            eprintln!(
                "the server's log has {} lines; the first: {}",
                lines.len(),
                lines[0]
            );
        }
    }
}

fn figures(
    plan: &EidPlan,
    load: &EidLoad,
    opening: &Opening,
    (measured, books): (&Measured, Books),
    sms: SmsFigures,
) -> Report {
    let common = Plan {
        subscribers: load.subscribers,
        measure: plan.measure,
        rate: Some(plan.rate),
        hot: None,
        outstanding: plan.outstanding,
        seed: 0,
    };
    let channel = |(channel, latencies): (&eid::Channel, &sim::bench::report::Latencies)| {
        ChannelFigures::of(*channel, latencies)
    };
    Report {
        workload: "recharges from every channel",
        durable: true,
        populate_ms: u64::try_from(opening.took.as_millis()).ok(),
        lost: Some(books.lost),
        credited_twice: Some(books.twice),
        eid: Some(EidFigures {
            channels: measured.channels.iter().map(channel).collect(),
            intended: measured.intents.len() as u64,
            duplicates: measured.duplicates,
            lost_answers: measured.lost_answers,
            asked_again: measured.asked_again,
            floats_wrong: books.floats_wrong,
            charged_wrong: books.charged_wrong,
            sms,
            audit_ok: books.audit_ok,
            server_cpu_ms: 0,
        }),
        ..report("eid", &common, &measured.latencies, measured.elapsed)
    }
}
