//! The load generator: workload `charglt` against the core, the engine or the Diameter front, with honest latencies.
//!
//! Closed loop: so many operations are always on their way. Open loop: operations start at their planned times, and their
//! latency counts from the plan, so that a stall cannot hide behind the requests it held up (no coordinated omission).
//!
//! # Layout
//! * [`workload`]: who does what: 80 % report-usage-and-reserve, 20 % add-credit
//! * [`core`]: decide and apply alone, one thread
//! * [`journal`]: the engine on a durable store, in process
//! * [`diameter`]: over TCP, with its own small client
//! * [`recharge`]: guests who pay over HTTP. [`eid`]: every channel at once
//! * [`report`]: one JSON object at the end

pub mod core;
pub mod diameter;
pub mod eid;
pub mod journal;
pub mod recharge;
pub mod report;
pub mod workload;

use std::time::Duration;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Accounts.
    pub subscribers: u64,
    /// How long to measure, after the warm-up.
    pub measure: Duration,
    /// Operations per second; `None`: closed loop.
    pub rate: Option<u64>,
    /// Only so many accounts take part; `None`: all.
    pub hot: Option<u64>,
    /// Operations on their way at once in a closed loop, and the most in an open one.
    pub outstanding: usize,
    /// Seed of the workload.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            subscribers: 1_000_000,
            measure: Duration::from_secs(10),
            rate: None,
            hot: None,
            outstanding: 448,
            seed: 1,
        }
    }
}

impl Plan {
    /// Not measured: opens sessions, warms caches.
    pub fn warm_up(&self) -> Duration {
        (self.measure / 4).clamp(Duration::from_millis(200), Duration::from_secs(5))
    }
}
