//! The outcome of a run: one JSON object.

use hdrhistogram::Histogram;
use serde::Serialize;

/// The figures of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `core`, `journal`, `diameter`, `recharge` or `eid`.
    pub mode: &'static str,
    /// `charglt`.
    pub workload: &'static str,
    /// Accounts.
    pub subscribers: u64,
    /// Accounts that took part when not all did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hot: Option<u64>,
    /// Planned rate of an open loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u64>,
    /// Operations on their way at once.
    pub outstanding: usize,
    /// Length of the measurement, milliseconds.
    pub measured_ms: u64,
    /// Operations answered in it.
    pub operations: u64,
    /// Operations answered with an error.
    pub errors: u64,
    /// Operations per second.
    pub ops_per_s: u64,
    /// Decisions per second of the time spent in deciding alone (mode `core`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decides_per_s: Option<u64>,
    /// Median latency, microseconds.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p999_us: u64,
    /// Highest.
    pub max_us: u64,
    /// Every answer came after its bytes were synced.
    pub durable: bool,
    /// Operations per second that appending and syncing the same bytes without a database allows; `None`: no disk in it.
    pub limit_ops_per_s: Option<u64>,
    /// `ops_per_s` in hundredths of that limit.
    pub limit_ratio: Option<f64>,
    /// What 99 of 100 operations wait at most in that limit, if they come at any moment: the disk's own share of `p99_us`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_p99_us: Option<u64>,
    /// Transactions of the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<u64>,
    /// Bytes journalled per operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_op: Option<u64>,
    /// Resident memory of this process.
    pub rss_bytes: u64,
    /// Resident memory after the accounts were made and before the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_idle_bytes: Option<u64>,
    /// Time to make the accounts, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub populate_ms: Option<u64>,
    /// From opening the data directory to the first answer of every partition, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_ms: Option<u64>,
    /// How far the read models were behind at the end, and how long they took to catch up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_models: Option<ReadModelLag>,
    /// Payments that the rail took and nobody was credited for, after everything was asked again (modes `recharge` and `eid`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Accounts that were credited more than the rail took (modes `recharge` and `eid`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credited_twice: Option<u64>,
    /// Figures of mode `eid` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eid: Option<EidFigures>,
    /// The machine.
    pub machine: Machine,
}

/// What an Eid eve shows beside the common figures.
#[derive(Clone, Debug, Serialize)]
pub struct EidFigures {
    /// Each channel by itself.
    pub channels: Vec<ChannelFigures>,
    /// Recharges that were intended, those of the warm-up included.
    pub intended: u64,
    /// Of them, asked twice.
    pub duplicates: u64,
    /// First answers that nobody heard.
    pub lost_answers: u64,
    /// Asked again because the answer was "not now", or none came.
    pub asked_again: u64,
    /// Sellers whose float does not agree with what they sold.
    pub floats_wrong: u64,
    /// Guests whose wallet was not charged exactly once.
    pub charged_wrong: u64,
    /// Messages to handsets.
    pub sms: SmsFigures,
    /// The journal replayed after `kill -9` agrees with everything.
    pub audit_ok: bool,
    /// Processor time of the server from the first recharge to the last, milliseconds.
    pub server_cpu_ms: u64,
}

/// Figures of one channel.
#[derive(Clone, Debug, Serialize)]
pub struct ChannelFigures {
    /// Which.
    pub channel: super::eid::Channel,
    /// Recharges answered in the measurement.
    pub operations: u64,
    /// Given up, or refused.
    pub errors: u64,
    /// Median latency, microseconds.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p999_us: u64,
    /// Highest.
    pub max_us: u64,
}

impl ChannelFigures {
    /// Those of a channel.
    pub fn of(channel: super::eid::Channel, latencies: &Latencies) -> ChannelFigures {
        ChannelFigures {
            channel,
            operations: latencies.count(),
            errors: latencies.errors,
            p50_us: latencies.at(500),
            p99_us: latencies.at(990),
            p999_us: latencies.at(999),
            max_us: latencies.at(1000),
        }
    }
}

/// How messages to handsets kept up.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SmsFigures {
    /// Messages that handsets have received.
    pub received: u64,
    /// Most messages that waited at once.
    pub backlog_max: u64,
    /// From the last recharge until none waited, milliseconds.
    pub drained_ms: u64,
}

/// How the read models kept up.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ReadModelLag {
    /// Batches behind when the load stopped.
    pub behind_batches: u64,
    /// Time from then until nothing was left, milliseconds.
    pub caught_up_ms: u64,
}

/// Facts of the machine, so that figures can be compared.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processors that this process may use.
    pub cores: usize,
    /// Model of the processor.
    pub cpu: String,
    /// Operating system.
    pub os: String,
    /// Whether the build was optimised.
    pub release: bool,
    /// Load averages over 1, 5 and 15 minutes when the report was made: who else used the machine.
    pub load: String,
}

impl Machine {
    /// This machine.
    pub fn here() -> Machine {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .and_then(|rest| rest.split_once(':'));
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: model.map_or_else(
                || std::env::consts::ARCH.to_owned(),
                |(_, name)| name.trim().to_owned(),
            ),
            os: format!("{} {}", std::env::consts::OS, kernel.trim())
                .trim()
                .to_owned(),
            release: !cfg!(debug_assertions),
            load: load_averages(),
        }
    }
}

fn load_averages() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
pub fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|kib| kib.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Latencies in microseconds, up to a minute, to three digits.
#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
    /// Operations answered with an error.
    pub errors: u64,
}

impl Default for Latencies {
    fn default() -> Latencies {
        let histogram = Histogram::new_with_bounds(1, 60_000_000, 3).expect("constant bounds");
        Latencies { histogram, errors: 0 }
    }
}

impl Latencies {
    /// Counts one answer.
    pub fn record(&mut self, micros: u64) {
        self.histogram.saturating_record(micros.max(1));
    }

    /// Adds those of another thread.
    pub fn add(&mut self, other: &Latencies) {
        self.errors += other.errors;
        // Same bounds, so it cannot fail.
        let _ = self.histogram.add(&other.histogram);
    }

    /// Answers counted.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The latency that so many thousandths of the answers did not pass.
    pub fn at(&self, thousandths: u32) -> u64 {
        self.histogram.value_at_quantile(f64::from(thousandths) / 1000.0)
    }
}

/// The common part of every report.
pub fn report(
    mode: &'static str,
    plan: &super::Plan,
    latencies: &Latencies,
    elapsed: std::time::Duration,
) -> Report {
    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
    let per_second = u128::from(latencies.count()) * 1_000_000 / u128::from(micros);
    Report {
        mode,
        workload: "charglt",
        subscribers: plan.subscribers,
        hot: plan.hot,
        rate: plan.rate,
        outstanding: plan.outstanding,
        measured_ms: micros / 1000,
        operations: latencies.count(),
        errors: latencies.errors,
        ops_per_s: u64::try_from(per_second).unwrap_or(u64::MAX),
        decides_per_s: None,
        p50_us: latencies.at(500),
        p99_us: latencies.at(990),
        p999_us: latencies.at(999),
        max_us: latencies.at(1000),
        durable: false,
        limit_ops_per_s: None,
        limit_ratio: None,
        limit_p99_us: None,
        commits: None,
        bytes_per_op: None,
        rss_bytes: rss_bytes(),
        rss_idle_bytes: None,
        populate_ms: None,
        open_ms: None,
        read_models: None,
        lost: None,
        credited_twice: None,
        eid: None,
        machine: Machine::here(),
    }
}
