//! The snapshot thread: one partition after the other, changed entities in key order, then a checkpoint.
//!
//! It spreads a cycle over the interval, so that the load on the disk is even; it hurries when memory is short and at the end.

use super::Shared;
use super::inbox::{Note, SnapshotAnswer, SnapshotAsk, SnapshotStep};
use crate::partition::{PartitionId, RoundStart};
use charge::{EntityKey, Timestamp};
use parking_lot::{Condvar, Mutex};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use store::{SnapshotWriter, StoreError};

/// Pause after a failed write.
const RETRY_US: i64 = 1_000_000;

#[derive(Default)]
pub(crate) struct Control {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    /// Bit per thread: its memory is short.
    hurry: u128,
}

impl Control {
    /// A thread says that its memory has become short, or is no longer.
    pub fn hurry(&self, thread: usize, short: bool) {
        let bit = 1u128 << (thread % 128);
        let mut state = self.state.lock();
        if short != (state.hurry & bit != 0) {
            state.hurry ^= bit;
            self.changed.notify_one();
        }
    }

    pub fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_one();
    }

    fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Waits, unless there is reason to hurry.
    fn pause(&self, us: i64) {
        let mut state = self.state.lock();
        if us > 0 && !state.stopped && state.hurry == 0 {
            self.changed
                .wait_for(&mut state, Duration::from_micros(us.cast_unsigned()));
        }
    }

    /// Waits also when memory is short: after a failure, hurrying does not help.
    fn pause_after_failure(&self) {
        let mut state = self.state.lock();
        if !state.stopped {
            self.changed
                .wait_for(&mut state, Duration::from_micros(RETRY_US.cast_unsigned()));
        }
    }
}

/// Why a round ended without a checkpoint.
enum Unfinished {
    /// The partition has gone back to its durable state, or stops.
    Abandoned,
    Store(StoreError),
}

impl From<StoreError> for Unfinished {
    fn from(error: StoreError) -> Unfinished {
        Unfinished::Store(error)
    }
}

/// The thread: cycles until stopped, then one last cycle at full speed.
pub(crate) fn run(shared: &Shared, mut writer: Box<dyn SnapshotWriter>) {
    store::background::lower_priority();
    let share = shared.settings.snapshot_interval_us / i64::from(shared.settings.partitions);
    loop {
        let last = shared.snapshots.is_stopped();
        let cycle = shared.clock.now();
        for partition in 0..shared.settings.partitions {
            let begun = shared.clock.now();
            if last && begun.0 - cycle.0 > shared.settings.snapshot_at_stop_us {
                tracing::info!(
                    partition,
                    "the rest of the snapshots would take long; the next start replays the journal"
                );
                return;
            }
            match round(shared, &mut *writer, partition, share) {
                Ok(true) => shared.stats.round(),
                Ok(false) | Err(Unfinished::Abandoned) => {}
                Err(Unfinished::Store(error)) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(
                        partition,
                        error,
                        "cannot write snapshots; the journal keeps everything, trying later"
                    );
                    shared.stats.snapshot_failed();
                    shared.snapshots.pause_after_failure();
                }
            }
            let spent = shared.clock.now().0 - begun.0;
            shared.snapshots.pause(share - spent);
        }
        if last {
            return;
        }
    }
}

/// One round; false when nothing had changed.
fn round(
    shared: &Shared,
    writer: &mut dyn SnapshotWriter,
    partition: PartitionId,
    share_us: i64,
) -> Result<bool, Unfinished> {
    let RoundStart { epoch, mut keys, .. } = match ask(shared, partition, SnapshotStep::Begin)? {
        SnapshotAnswer::Began(start) => start,
        _ => return Ok(false),
    };
    keys.sort_unstable();
    let chunk_rows = shared.settings.snapshot_chunk_rows.max(1);
    let chunks = keys.len().div_ceil(chunk_rows) as i64;
    let begun = shared.clock.now();
    let collect = |chunk: Option<&[EntityKey]>| {
        let keys = chunk?.to_vec();
        Some(send(shared, partition, SnapshotStep::Collect { epoch, keys }))
    };
    let result = (|| {
        let mut chunks_left = keys.chunks(chunk_rows);
        let mut coming = collect(chunks_left.next());
        let mut done = 0;
        while let Some(answer) = coming {
            let SnapshotAnswer::Collected(collected) = receive(&answer)? else {
                return Err(Unfinished::Abandoned);
            };
            // The owner collects the next rows while these are written.
            coming = collect(chunks_left.next());
            writer.put(&collected.rows, &[])?;
            shared.stats.rows_written(collected.rows.len());
            shared.inbox_of(partition).note(Note::Written {
                partition,
                epoch,
                collected,
            });
            done += 1;
            pace(shared, begun, share_us * done / chunks);
        }
        match ask(shared, partition, SnapshotStep::End { epoch })? {
            SnapshotAnswer::Ended(checkpoint) => Ok(writer.put(&[], &[checkpoint])?),
            _ => Err(Unfinished::Abandoned),
        }
    })();
    if let Err(Unfinished::Store(_)) = result {
        shared.inbox_of(partition).note(Note::Abandon(partition));
    }
    result.map(|()| true)
}

/// Waits until `offset` microseconds after `begun`, unless there is reason to hurry.
fn pace(shared: &Shared, begun: Timestamp, offset: i64) {
    shared.snapshots.pause(begun.0 + offset - shared.clock.now().0);
}

fn ask(shared: &Shared, partition: PartitionId, step: SnapshotStep) -> Result<SnapshotAnswer, Unfinished> {
    receive(&send(shared, partition, step))
}

fn send(shared: &Shared, partition: PartitionId, step: SnapshotStep) -> Receiver<SnapshotAnswer> {
    let (answer, answered) = sync_channel(1);
    shared.inbox_of(partition).note(Note::Snapshot(SnapshotAsk {
        partition,
        step,
        answer,
    }));
    answered
}

fn receive(answered: &Receiver<SnapshotAnswer>) -> Result<SnapshotAnswer, Unfinished> {
    answered.recv().map_err(|_| Unfinished::Abandoned)
}
