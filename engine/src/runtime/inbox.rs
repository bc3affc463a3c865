//! What waits for an engine thread: a bounded queue of commands, and the engine's own notes, which are never refused.

use crate::error::{EngineError, Unavailable};
use crate::partition::channels::{Acknowledgement, Delivery};
use crate::partition::{Collected, PartitionId, Query, Ticket};
use charge::{Command, EntityKey};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::Thread;
use store::{Checkpoint, Seq};

/// From outside; bounded.
pub(crate) enum Inbound {
    Command {
        partition: PartitionId,
        ticket: Ticket,
        command: Command,
    },
    Read {
        partition: PartitionId,
        key: EntityKey,
        query: Query,
    },
}

/// From inside; bounded by what causes it.
pub(crate) enum Note {
    /// Batches are durable: partition, position, and the buffer to use again.
    Appended(Vec<(PartitionId, Seq, Vec<u8>)>),
    /// A batch was not written: partition and the life of its memory.
    Failed(Vec<(PartitionId, u64)>),
    Message(Delivery),
    Acknowledgement(Acknowledgement),
    Snapshot(SnapshotAsk),
    /// Collected rows are in the snapshots.
    Written {
        partition: PartitionId,
        epoch: u64,
        collected: Collected,
    },
    /// Snapshots cannot be written now: the round is given up.
    Abandon(PartitionId),
}

/// What the snapshot thread asks of a partition.
pub(crate) struct SnapshotAsk {
    pub partition: PartitionId,
    pub step: SnapshotStep,
    pub answer: SyncSender<SnapshotAnswer>,
}

pub(crate) enum SnapshotStep {
    Begin,
    Collect { epoch: u64, keys: Vec<EntityKey> },
    End { epoch: u64 },
}

pub(crate) enum SnapshotAnswer {
    /// Nothing has changed.
    Nothing,
    Began(crate::partition::RoundStart),
    Collected(Collected),
    Ended(Checkpoint),
    /// The round is over without a checkpoint.
    Abandoned,
}

pub(crate) struct Inbox {
    queues: Mutex<Queues>,
    commands_max: usize,
    depth: AtomicUsize,
    /// Something lies in the queue of notes.
    noted: AtomicBool,
    parked: AtomicBool,
    thread: OnceLock<Thread>,
}

#[derive(Default)]
struct Queues {
    commands: VecDeque<Inbound>,
    notes: Vec<Note>,
    closed: bool,
    stopped: bool,
}

impl Inbox {
    pub fn new(commands_max: usize) -> Inbox {
        Inbox {
            queues: Mutex::new(Queues::default()),
            commands_max,
            depth: AtomicUsize::new(0),
            noted: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            thread: OnceLock::new(),
        }
    }

    pub fn push_command(&self, inbound: Inbound) -> Result<(), EngineError> {
        {
            let mut queues = self.queues.lock();
            if queues.closed {
                return Err(Unavailable::Stopping.into());
            }
            if self.depth.load(Ordering::Relaxed) >= self.commands_max {
                return Err(EngineError::Busy);
            }
            queues.commands.push_back(inbound);
            self.depth.fetch_add(1, Ordering::Relaxed);
        }
        self.wake();
        Ok(())
    }

    /// Takes those items that are for this inbox, as far as there is room.
    pub fn push_many<T>(
        &self,
        items: &mut Vec<T>,
        mine: impl Fn(&charge::Command) -> bool,
        wrap: impl Fn(T) -> Inbound,
    ) where
        T: HasCommand,
    {
        {
            let mut queues = self.queues.lock();
            if queues.closed {
                return;
            }
            let mut room = self
                .commands_max
                .saturating_sub(self.depth.load(Ordering::Relaxed));
            if room == 0 {
                return;
            }
            let mut taken = 0;
            for item in items.extract_if(.., |item| mine(item.command())) {
                queues.commands.push_back(wrap(item));
                taken += 1;
                room = room.saturating_sub(1);
                if room == 0 {
                    break;
                }
            }
            self.depth.fetch_add(taken, Ordering::Relaxed);
        }
        self.wake();
    }

    pub fn note(&self, note: Note) {
        self.queues.lock().notes.push(note);
        self.noted.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether notes wait: cheap, asked often.
    pub fn has_notes(&self) -> bool {
        self.noted.load(Ordering::Acquire)
    }

    pub fn take_notes(&self, into: &mut Vec<Note>) {
        self.noted.store(false, Ordering::Release);
        let mut queues = self.queues.lock();
        std::mem::swap(&mut queues.notes, into);
    }

    /// Takes everything that waits if `into` is empty.
    pub fn take_commands(&self, into: &mut VecDeque<Inbound>) {
        if into.is_empty() && self.depth.load(Ordering::Relaxed) > 0 {
            std::mem::swap(&mut self.queues.lock().commands, into);
        }
    }

    /// So many commands have been handled: there is room for others.
    pub fn handled(&self, count: usize) {
        self.depth.fetch_sub(count, Ordering::Relaxed);
    }

    /// Commands that wait or are being handled.
    pub fn depth(&self) -> usize {
        self.depth.load(Ordering::Relaxed)
    }

    /// No more commands are taken.
    pub fn close(&self) {
        self.queues.lock().closed = true;
    }

    /// The thread ends when everything is done.
    pub fn stop(&self) {
        self.queues.lock().stopped = true;
        self.wake();
    }

    pub fn is_stopped(&self) -> bool {
        self.queues.lock().stopped
    }

    /// Called by the owning thread at its start.
    pub fn own(&self) {
        // Set once per engine; a second call would be the same thread.
        let _ = self.thread.set(std::thread::current());
    }

    /// Sleeps until something comes, at most `timeout`. `quiet` is asked once more after the flag is up, so that nothing
    /// is missed.
    pub fn park(&self, timeout: std::time::Duration, quiet: impl FnOnce() -> bool) {
        self.parked.store(true, Ordering::SeqCst);
        let nothing = {
            let queues = self.queues.lock();
            queues.commands.is_empty() && queues.notes.is_empty() && !queues.stopped
        };
        if nothing && quiet() {
            std::thread::park_timeout(timeout);
        }
        self.parked.store(false, Ordering::SeqCst);
    }

    pub fn wake(&self) {
        if self.parked.load(Ordering::SeqCst)
            && self.parked.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}

/// An item of [`crate::Engine::submit_many`].
pub(crate) trait HasCommand {
    fn command(&self) -> &Command;
}

impl HasCommand for (u64, Command) {
    fn command(&self) -> &Command {
        &self.1
    }
}
