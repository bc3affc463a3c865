//! Counters, updated per batch and not per command.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Debug, Default)]
pub(crate) struct Stats {
    commands: AtomicU64,
    busy: AtomicU64,
    commits: AtomicU64,
    batches: AtomicU64,
    batch_bytes: AtomicU64,
    append_failures: AtomicU64,
    recoveries: AtomicU64,
    loads_evicted: AtomicU64,
    ticks: AtomicU64,
    rounds: AtomicU64,
    rows_written: AtomicU64,
    snapshot_failures: AtomicU64,
    snapshot_reads: AtomicU64,
    snapshot_absent: AtomicU64,
    entities: AtomicU64,
    entity_bytes: AtomicU64,
    largest_commit: AtomicU64,
}

/// Counters since the start, and gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatsSnapshot {
    /// Commands that changed something durably.
    pub commands: u64,
    /// Commands turned away because a queue was full.
    pub busy: u64,
    /// Transactions of the journal: one sync each.
    pub commits: u64,
    /// Batches in them.
    pub batches: u64,
    /// Their bytes.
    pub batch_bytes: u64,
    /// Most commands in one transaction.
    pub largest_commit: u64,
    /// Transactions that failed.
    pub append_failures: u64,
    /// Partitions brought back after a failure.
    pub recoveries: u64,
    /// Entities that left the memory.
    pub evictions: u64,
    /// Due entities handled.
    pub ticks: u64,
    /// Snapshot rounds with a checkpoint.
    pub snapshot_rounds: u64,
    /// Entities written to the snapshots.
    pub snapshot_rows: u64,
    /// Snapshot writes that failed.
    pub snapshot_failures: u64,
    /// Entities that were looked for in the snapshots.
    pub snapshot_reads: u64,
    /// Of them, those that were not there.
    pub snapshot_absent: u64,
    /// Entities in memory.
    pub entities: u64,
    /// Their bytes, roughly.
    pub entity_bytes: u64,
    /// Commands waiting or being handled.
    pub queue_depth: u64,
}

impl Stats {
    pub fn busy(&self, count: u64) {
        self.busy.fetch_add(count, Relaxed);
    }

    pub fn committed(&self, batches: usize, bytes: usize, commands: usize) {
        self.commits.fetch_add(1, Relaxed);
        self.batches.fetch_add(batches as u64, Relaxed);
        self.batch_bytes.fetch_add(bytes as u64, Relaxed);
        self.commands.fetch_add(commands as u64, Relaxed);
        self.largest_commit.fetch_max(commands as u64, Relaxed);
    }

    pub fn append_failed(&self) {
        self.append_failures.fetch_add(1, Relaxed);
    }

    pub fn recovered(&self) {
        self.recoveries.fetch_add(1, Relaxed);
    }

    pub fn evicted(&self, count: usize) {
        self.loads_evicted.fetch_add(count as u64, Relaxed);
    }

    pub fn ticked(&self, count: usize) {
        self.ticks.fetch_add(count as u64, Relaxed);
    }

    pub fn round(&self) {
        self.rounds.fetch_add(1, Relaxed);
    }

    pub fn rows_written(&self, count: usize) {
        self.rows_written.fetch_add(count as u64, Relaxed);
    }

    pub fn snapshot_failed(&self) {
        self.snapshot_failures.fetch_add(1, Relaxed);
    }

    /// Entities looked for in the snapshots, and those not there.
    pub fn looked(&self, (reads, absent): (u64, u64)) {
        self.snapshot_reads.fetch_add(reads, Relaxed);
        self.snapshot_absent.fetch_add(absent, Relaxed);
    }

    /// Memory of entities, all threads together, as last told.
    pub fn entity_bytes(&self) -> usize {
        usize::try_from(self.entity_bytes.load(Relaxed)).unwrap_or(usize::MAX)
    }

    /// One thread's memory changed from `before` to `after` (entities, bytes).
    pub fn memory(&self, before: (u64, u64), after: (u64, u64)) {
        self.entities.fetch_add(after.0.wrapping_sub(before.0), Relaxed);
        self.entity_bytes
            .fetch_add(after.1.wrapping_sub(before.1), Relaxed);
    }

    pub fn snapshot(&self) -> StatsSnapshot {
        StatsSnapshot {
            commands: self.commands.load(Relaxed),
            busy: self.busy.load(Relaxed),
            commits: self.commits.load(Relaxed),
            batches: self.batches.load(Relaxed),
            batch_bytes: self.batch_bytes.load(Relaxed),
            largest_commit: self.largest_commit.load(Relaxed),
            append_failures: self.append_failures.load(Relaxed),
            recoveries: self.recoveries.load(Relaxed),
            evictions: self.loads_evicted.load(Relaxed),
            ticks: self.ticks.load(Relaxed),
            snapshot_rounds: self.rounds.load(Relaxed),
            snapshot_rows: self.rows_written.load(Relaxed),
            snapshot_failures: self.snapshot_failures.load(Relaxed),
            snapshot_reads: self.snapshot_reads.load(Relaxed),
            snapshot_absent: self.snapshot_absent.load(Relaxed),
            entities: self.entities.load(Relaxed),
            entity_bytes: self.entity_bytes.load(Relaxed),
            queue_depth: 0,
        }
    }
}
