//! The threads that follow the journal: one keeps the read models up, one takes notifications into the
//! outbox, one takes callbacks into their queue.

use super::desk::Desk;
use anyhow::Context as _;
use charge::catalog::Catalogs;
use charge::{Event, Timestamp};
use engine::Observer;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::project::STEP_BYTES;
use store::{JournalReader, Partition, Projector, ReadModels, Seq, SqliteStore, Store, StoreError};
use web::bind::CallbackLog;

/// Pause between two looks of the outbox at the journal.
const FEED_PAUSE_MIN: Duration = Duration::from_millis(25);
/// Longest pause: after a long step the pause is longer than the step, so that charges keep most of the processor.
const FEED_PAUSE_MAX: Duration = Duration::from_secs(1);
/// The journal is looked at so often even when nobody says that something was appended.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pause after an error.
const ERROR_PAUSE: Duration = Duration::from_secs(1);
/// Pause while the engine has no time for questions: commands come first.
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// From then on somebody should know.
const BUSY_LONG: Duration = Duration::from_secs(30);
/// What partners should have been told longer ago than this is passed over when the queue was lost, microseconds: 3 days.
const CALLBACK_OLD_US: i64 = 3 * 24 * 3_600 * 1_000_000;
/// How long [`Followers::catch_up`] waits.
const CATCH_UP_MAX: Duration = Duration::from_secs(60);

/// Hears that something was appended and wakes the followers; hands what is wanted on to another watcher.
pub struct Bell {
    state: Mutex<Rung>,
    rung: Condvar,
    watcher: Option<Arc<dyn Observer>>,
}

#[derive(Default)]
struct Rung {
    count: u64,
    stopping: bool,
}

impl Bell {
    /// A bell with somebody else who watches events.
    pub fn new(watcher: Option<Arc<dyn Observer>>) -> Bell {
        Bell {
            state: Mutex::default(),
            rung: Condvar::new(),
            watcher,
        }
    }

    fn ring(&self, stopping: bool) {
        let mut state = self.state.lock();
        state.count += 1;
        state.stopping |= stopping;
        drop(state);
        self.rung.notify_all();
    }

    /// Waits for a ring after `heard`; says what was heard, and whether to stop.
    fn wait(&self, heard: u64) -> (u64, bool) {
        let mut state = self.state.lock();
        if state.count == heard && !state.stopping {
            self.rung.wait_for(&mut state, LOOK_EVERY);
        }
        (state.count, state.stopping)
    }
}

impl Observer for Bell {
    fn wants(&self, event: &Event) -> bool {
        self.watcher.as_ref().is_some_and(|watcher| watcher.wants(event))
    }
    fn committed(&self, partition: Partition, seq: Seq, events: &[Event]) {
        if let Some(watcher) = &self.watcher {
            watcher.committed(partition, seq, events);
        }
    }
    fn appended(&self) {
        self.ring(false);
        if let Some(watcher) = &self.watcher {
            watcher.appended();
        }
    }
}

/// The running threads.
pub struct Followers {
    bell: Arc<Bell>,
    threads: Vec<JoinHandle<()>>,
    reads: ReadModels,
    store: SqliteStore,
    lag: Arc<Lag>,
}

/// How far behind the followers are, in batches.
#[derive(Debug, Default)]
pub struct Lag {
    /// Of the read models.
    pub read_models: AtomicU64,
    /// Of the outbox.
    pub outbox: AtomicU64,
    /// Somebody waits until all that was projected stands in its tables.
    settle: AtomicBool,
    /// Of the callbacks.
    pub callbacks: AtomicU64,
}

/// Starts the threads.
pub fn start(
    store: &SqliteStore,
    reads: &ReadModels,
    catalogs: &Arc<Catalogs>,
    (desk, callbacks): (&Arc<Desk>, &CallbackLog),
    bell: &Arc<Bell>,
) -> anyhow::Result<Followers> {
    let lag = Arc::new(Lag::default());
    let mut projector = Projector::open(reads, day_of(catalogs)).context("open the read models")?;
    let project = {
        let lag = Arc::clone(&lag);
        move |journal: &mut dyn JournalReader| {
            let began = Instant::now();
            let step = projector.step(journal, STEP_BYTES)?;
            lag.read_models.store(step.behind, Ordering::Relaxed);
            if lag.settle.load(Ordering::Relaxed) && step.behind == 0 {
                projector.settle()?;
            }
            Ok((step.batches, step.behind, projector.rest(&step, began.elapsed())))
        }
    };
    let feed = {
        let (lag, desk) = (Arc::clone(&lag), Arc::clone(desk));
        move |journal: &mut dyn JournalReader| {
            let began = Instant::now();
            let step = desk.feed(journal, STEP_BYTES)?;
            lag.outbox.store(step.behind, Ordering::Relaxed);
            Ok((
                step.batches,
                step.behind,
                feed_pause(step.behind, began.elapsed()),
            ))
        }
    };
    let tell = {
        let (lag, callbacks) = (Arc::clone(&lag), callbacks.clone());
        move |journal: &mut dyn JournalReader| {
            let began = Instant::now();
            let not_before = super::now().0 - CALLBACK_OLD_US;
            let step = callbacks.queue().lock().feed(journal, STEP_BYTES, not_before)?;
            lag.callbacks.store(step.behind, Ordering::Relaxed);
            if step.events > 0 {
                callbacks.wake();
            }
            Ok((
                step.batches,
                step.behind,
                feed_pause(step.behind, began.elapsed()),
            ))
        }
    };
    Ok(Followers {
        threads: vec![
            follow("read-models", Arc::clone(bell), store.journal_reader()?, project)?,
            follow("outbox", Arc::clone(bell), store.journal_reader()?, feed)?,
            follow("callbacks", Arc::clone(bell), store.journal_reader()?, tell)?,
        ],
        bell: Arc::clone(bell),
        reads: reads.clone(),
        store: store.clone(),
        lag,
    })
}

/// The pause after a step of the outbox or of the callbacks; none while more is waiting.
fn feed_pause(behind: u64, took: Duration) -> Duration {
    if behind > 0 {
        Duration::ZERO
    } else {
        (took * 3).clamp(FEED_PAUSE_MIN, FEED_PAUSE_MAX)
    }
}

/// The local day of an operator, for day totals.
pub fn day_of(catalogs: &Arc<Catalogs>) -> store::project::DayOf {
    let catalogs = Arc::clone(catalogs);
    Box::new(move |operator, at: Timestamp| {
        if operator == store::project::CHAIN {
            return catalogs.chain().zone.day_number(at);
        }
        catalogs.get(operator).map_or_else(
            || charge::time::Zone::UTC.day_number(at),
            |catalog| catalog.zone.day_number(at),
        )
    })
}

impl Followers {
    /// How far behind they are.
    pub fn lag(&self) -> Arc<Lag> {
        Arc::clone(&self.lag)
    }

    /// Waits until the tables of the read models have what is in the journal now.
    pub fn catch_up(&self) -> anyhow::Result<()> {
        self.lag.settle.store(true, Ordering::Relaxed);
        let caught_up = self.wait_for_tables();
        self.lag.settle.store(false, Ordering::Relaxed);
        caught_up
    }

    fn wait_for_tables(&self) -> anyhow::Result<()> {
        let heads = self.store.journal_reader()?.heads()?;
        let mut reader = self.reads.reader()?;
        let started = Instant::now();
        while reader.lag(&heads)? > 0 || !reader.is_merged()? {
            anyhow::ensure!(
                started.elapsed() < CATCH_UP_MAX,
                "the read models do not keep up with the journal"
            );
            self.bell.ring(false);
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Takes in what is there and ends the threads. The engine must have stopped.
    pub fn stop(self) {
        self.bell.ring(true);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a follower of the journal has panicked");
            }
        }
    }
}

fn follow(
    name: &'static str,
    bell: Arc<Bell>,
    mut journal: Box<dyn JournalReader>,
    mut step: impl FnMut(&mut dyn JournalReader) -> Result<(u64, u64, Duration), StoreError> + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    let run = move || {
        store::background::lower_priority();
        let mut heard = 0;
        let mut busy: Option<Instant> = None;
        loop {
            let (count, stopping) = bell.wait(heard);
            heard = count;
            let stepped = step(&mut *journal);
            if stepped.is_ok() {
                busy = None;
            }
            match stepped {
                Ok((0, ..)) if stopping => return,
                Ok((0, ..)) => {}
                Ok(_) if stopping => {}
                Ok((_, behind, rest)) => {
                    std::thread::sleep(rest);
                    if behind > 0 {
                        heard = heard.wrapping_sub(1);
                    }
                }
                // The next start takes in what is left.
                Err(StoreError::Busy { .. }) if stopping => return,
                Err(StoreError::Busy { doing }) => {
                    let since = *busy.get_or_insert_with(Instant::now);
                    if since.elapsed() < BUSY_LONG {
                        tracing::debug!(doing, "the {name} lets commands go first");
                    } else {
                        tracing::warn!(doing, "the {name} waits for the engine all the time");
                        busy = None;
                    }
                    heard = heard.wrapping_sub(1);
                    std::thread::sleep(BUSY_PAUSE);
                }
                Err(error) => {
                    tracing::error!(
                        error = crate::failure::chain(&error.into()),
                        "the {name} cannot follow the journal"
                    );
                    if stopping {
                        return;
                    }
                    std::thread::sleep(ERROR_PAUSE);
                }
            }
        }
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .with_context(|| format!("start the thread {name}"))
}
