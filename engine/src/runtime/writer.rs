//! The writer: commits what has gathered from all partitions in one transaction.

use super::Shared;
use super::inbox::Note;
use crate::commit::Committer;
use crate::partition::{PartitionId, SealedBatch};
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, Ordering};
use store::{Journal, JournalRow};

/// Batches on their way to the writer. Bounded: a thread seals only when its earlier batches have been taken.
pub(crate) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    /// Per thread: its last batches still wait here.
    given: Vec<AtomicBool>,
    /// Per thread: wake it when its batches are taken.
    wanting: Vec<AtomicBool>,
}

#[derive(Default)]
struct State {
    batches: Vec<SealedBatch>,
    stopped: bool,
}

impl Queue {
    pub fn new(threads: usize) -> Queue {
        let flags = || (0..threads).map(|_| AtomicBool::new(false)).collect();
        Queue {
            state: Mutex::new(State::default()),
            ready: Condvar::new(),
            given: flags(),
            wanting: flags(),
        }
    }

    /// Whether the writer has taken what this thread gave before.
    pub fn is_hungry(&self, thread: usize) -> bool {
        !self.given[thread].load(Ordering::SeqCst)
    }

    /// Hands batches over; `batches` is empty afterwards.
    pub fn give(&self, thread: usize, batches: &mut Vec<SealedBatch>) {
        if batches.is_empty() {
            return;
        }
        self.given[thread].store(true, Ordering::SeqCst);
        self.state.lock().batches.append(batches);
        self.ready.notify_one();
    }

    /// Asks to be woken when the writer takes what lies here; answers whether there is reason to wait.
    pub fn want(&self, thread: usize) -> bool {
        self.wanting[thread].store(true, Ordering::SeqCst);
        !self.is_hungry(thread)
    }

    pub fn stop(&self) {
        self.state.lock().stopped = true;
        self.ready.notify_one();
    }

    /// Waits for batches; false when the engine has stopped and nothing is left.
    fn take(&self, into: &mut Vec<SealedBatch>, shared: &Shared) -> bool {
        {
            let mut state = self.state.lock();
            while state.batches.is_empty() {
                if state.stopped {
                    return false;
                }
                self.ready.wait(&mut state);
            }
            std::mem::swap(&mut state.batches, into);
            self.given
                .iter()
                .for_each(|given| given.store(false, Ordering::SeqCst));
        }
        for (thread, wanting) in self.wanting.iter().enumerate() {
            if wanting.swap(false, Ordering::SeqCst) {
                shared.inboxes[thread].wake();
            }
        }
        true
    }
}

/// The thread: takes, appends, tells.
pub(crate) fn run(shared: &Shared, mut journal: Box<dyn Journal>) {
    let mut batches: Vec<SealedBatch> = Vec::new();
    let mut committer = Committer::default();
    while shared.writer.take(&mut batches, shared) {
        let done = committer.commit(&mut *journal, &mut batches);
        if let Some(error) = &done.error {
            shared.stats.append_failed();
            tracing::error!(
                error = error as &dyn std::error::Error,
                "the journal cannot be written"
            );
        }
        if !done.appended.is_empty() {
            let bytes = done.appended.iter().map(|row| row.batch.len()).sum();
            shared.stats.committed(done.appended.len(), bytes, done.commands);
            tell_appended(shared, done.appended);
            if let Some(observer) = &shared.observer {
                observer.appended();
            }
        }
        if !done.lost.is_empty() {
            tell_failed(shared, &done.lost);
        }
    }
}

fn tell_appended(shared: &Shared, rows: Vec<JournalRow>) {
    let threads = shared.inboxes.len();
    let mut notes: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
    for row in rows {
        notes[usize::from(row.partition) % threads].push((row.partition, row.seq, row.batch));
    }
    for (thread, note) in notes.into_iter().enumerate().filter(|(_, note)| !note.is_empty()) {
        shared.inboxes[thread].note(Note::Appended(note));
    }
}

fn tell_failed(shared: &Shared, lost: &[(PartitionId, u64)]) {
    for (thread, inbox) in shared.inboxes.iter().enumerate() {
        let mine =
            |(partition, _): &&(PartitionId, u64)| usize::from(*partition) % shared.inboxes.len() == thread;
        let mine: Vec<_> = lost.iter().filter(mine).copied().collect();
        if !mine.is_empty() {
            inbox.note(Note::Failed(mine));
        }
    }
}
