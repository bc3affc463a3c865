//! The engine: threads around partitions.
//!
//! ```text
//! callers ──submit──► inbox (bounded) ──► engine threads, each owning partitions
//!                                             │ sealed batches          ▲ appended / failed
//!                                             ▼                         │
//!                                        writer: ONE transaction for whatever has gathered
//!                                        snapshot thread: asks partitions for changed entities, a round every interval
//! ```
//!
//! There is no timer in the batching. A thread seals its open batches when the writer has taken what it gave before: under
//! light load that is at once, so one request costs one sync; under heavy load batches grow while the disk is busy.

mod calls;
mod completion;
mod inbox;
mod snapshots;
mod stats;
mod worker;
mod writer;

use crate::directory::{Directory, Lookup};
use crate::error::{EngineError, Unavailable};
use crate::limits::{PARTITIONS_MAX, Settings};
use crate::partition::{Answer, Outbox, Partition, PartitionId, RecoveryError, Ticket};
use calls::Calls;
use charge::catalog::Catalogs;
use charge::partner::NumberRecord;
use charge::{AccountId, Command, Entity, EntityKey, Event, Reply, Timestamp};
pub use completion::SinkId;
use completion::Sinks;
use inbox::{Inbound, Inbox};
use parking_lot::{Mutex, RwLock};
use stats::Stats;
pub use stats::StatsSnapshot;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use store::{Seq, Store, StoreError};

/// Tells the time. The engine reads no clock of its own.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Where answers go: called once per committed batch with everything that is for this sink. It must not block.
pub trait CompletionSink: Send + Sync {
    /// Takes the answers out of `results`: the caller's ticket and what became of the command.
    fn complete(&self, results: &mut Vec<(u64, Result<Reply, EngineError>)>);
}

/// Hears of what has become durable. Called on the engine's threads: it must be quick.
pub trait Observer: Send + Sync {
    /// Whether this event is wanted; called for every event, before anything is copied.
    fn wants(&self, event: &Event) -> bool;
    /// Wanted events of one durable batch.
    fn committed(&self, partition: PartitionId, seq: Seq, events: &[Event]);
    /// Something was committed; called once per group of batches, wanted events or not.
    fn appended(&self) {}
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is out of range.
    #[error("{0}")]
    Settings(String),
    /// The store does not open.
    #[error("cannot open the store")]
    Store(#[from] StoreError),
    /// A partition cannot be brought back.
    #[error("cannot recover")]
    Recovery(#[from] RecoveryError),
    /// The system gives no thread.
    #[error("cannot start a thread")]
    Thread(#[from] std::io::Error),
}

/// What the engine's threads share.
pub(crate) struct Shared {
    pub settings: Settings,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub observer: Option<Arc<dyn Observer>>,
    pub catalogs: RwLock<Arc<Catalogs>>,
    pub catalogs_version: AtomicU64,
    pub inboxes: Vec<Inbox>,
    pub writer: writer::Queue,
    pub snapshots: snapshots::Control,
    pub sinks: Sinks,
    pub directory: Directory,
    pub stats: Stats,
    calls: Arc<Calls>,
    account_next: AtomicU64,
}

impl Shared {
    pub(crate) fn inbox_of(&self, partition: PartitionId) -> &Inbox {
        &self.inboxes[usize::from(partition) % self.inboxes.len()]
    }
}

/// Partitions with threads around them. Cheap to share behind an `Arc`; stops when [`Engine::stop`] is called.
pub struct Engine {
    shared: Arc<Shared>,
    calls_sink: SinkId,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    workers: Vec<JoinHandle<()>>,
    writer: JoinHandle<()>,
    snapshots: JoinHandle<()>,
}

impl Engine {
    /// Brings all partitions back (in parallel) and starts the threads.
    ///
    /// # Errors
    /// [`OpenError`] when a setting is out of range, the store does not open, or what it holds is damaged.
    pub fn open(
        store: Arc<dyn Store>,
        catalogs: Arc<Catalogs>,
        clock: Arc<dyn Clock>,
        settings: Settings,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Engine, OpenError> {
        if !(1..=PARTITIONS_MAX).contains(&settings.partitions) {
            return Err(OpenError::Settings(format!(
                "partitions must be 1 to {PARTITIONS_MAX}"
            )));
        }
        let threads = settings.threads.clamp(1, usize::from(settings.partitions));
        let partitions = recover_all(&*store, &settings)?;
        let mut snapshot_writer = store.snapshot_writer()?;
        let new = partitions.iter().filter(|partition| partition.durable_seq() == 0);
        let new: Vec<_> = new.map(Partition::first_checkpoint).collect();
        snapshot_writer.put(&[], &new)?;
        let journal = store.journal()?;
        let account_max = partitions.iter().map(Partition::account_max).max().unwrap_or(0);
        let calls = Arc::new(Calls::default());
        let shared = Arc::new(Shared {
            store,
            clock,
            observer,
            catalogs: RwLock::new(catalogs),
            catalogs_version: AtomicU64::new(1),
            inboxes: (0..threads)
                .map(|_| Inbox::new(settings.inbox_commands_max))
                .collect(),
            writer: writer::Queue::new(threads),
            snapshots: snapshots::Control::default(),
            sinks: Sinks::default(),
            directory: Directory::new(settings.directory_entries),
            stats: Stats::default(),
            calls: Arc::clone(&calls),
            account_next: AtomicU64::new(account_max + 1),
            settings,
        });
        let calls_sink = shared.sinks.add(calls);
        let threads = start(&shared, partitions, journal, snapshot_writer)?;
        Ok(Engine {
            shared,
            calls_sink,
            threads: Mutex::new(Some(threads)),
        })
    }

    /// Registers where answers go. One per connection is fine; take it away with [`Engine::remove_sink`].
    pub fn add_sink(&self, sink: Arc<dyn CompletionSink>) -> SinkId {
        self.shared.sinks.add(sink)
    }

    /// Takes a sink away; answers still on their way to it are dropped.
    pub fn remove_sink(&self, sink: SinkId) {
        self.shared.sinks.remove(sink);
    }

    /// Hands a command in. The answer comes to the sink under `ticket`.
    ///
    /// # Errors
    /// [`EngineError::Busy`] when the queue is full, [`Unavailable::Stopping`] when the engine stops.
    pub fn submit(&self, sink: SinkId, ticket: u64, command: Command) -> Result<(), EngineError> {
        let partition = command.route().partition(self.shared.settings.partitions);
        let ticket = Ticket { sink, id: ticket };
        let inbound = Inbound::Command {
            partition,
            ticket,
            command,
        };
        let inbox = self.shared.inbox_of(partition);
        inbox
            .push_command(inbound)
            .inspect_err(|_| self.shared.stats.busy(1))
    }

    /// Hands many commands in, with one wake-up per thread. What does not fit stays in `commands` (ticket, command), to
    /// be answered "too busy".
    pub fn submit_many(&self, sink: SinkId, commands: &mut Vec<(u64, Command)>) {
        let partitions = self.shared.settings.partitions;
        let count = self.shared.inboxes.len();
        for (index, inbox) in self.shared.inboxes.iter().enumerate() {
            if commands.is_empty() {
                break;
            }
            let mine =
                |command: &Command| usize::from(command.route().partition(partitions)) % count == index;
            inbox.push_many(commands, mine, |(id, command)| Inbound::Command {
                partition: command.route().partition(partitions),
                ticket: Ticket { sink, id },
                command,
            });
        }
        if !commands.is_empty() {
            self.shared.stats.busy(commands.len() as u64);
        }
    }

    /// Hands a command in; `done` is called on an engine thread with the answer, and at once when it is not accepted.
    pub fn submit_with(
        &self,
        command: Command,
        done: impl FnOnce(Result<Reply, EngineError>) + Send + 'static,
    ) {
        let ticket = self.shared.calls.register(Box::new(done));
        if let Err(error) = self.submit(self.calls_sink, ticket, command) {
            self.shared.calls.answer(ticket, Err(error));
        }
    }

    /// Hands a command in and waits for the answer. Not from an engine thread.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn call(&self, command: Command) -> Result<Reply, EngineError> {
        let (sender, receiver) = sync_channel(1);
        self.submit_with(command, move |result| tell(&sender, result));
        receiver.recv().unwrap_or(Err(Unavailable::Stopping.into()))
    }

    /// Looks at an entity on its owner's thread. `done` is called there with what `look` returned once what it saw is
    /// durable, or with an error.
    pub fn read_with<T: Send + 'static>(
        &self,
        key: EntityKey,
        look: impl FnOnce(Option<&Entity>, Timestamp) -> T + Send + 'static,
        done: impl FnOnce(Result<T, EngineError>) + Send + 'static,
    ) {
        let mut reply = OnDrop::new(done);
        let query = Box::new(
            move |entity: Result<Option<&Entity>, Unavailable>, now: Timestamp| {
                let value = entity.map(|entity| look(entity, now)).map_err(EngineError::from);
                Box::new(move || reply.call(value)) as Answer
            },
        );
        let partition = key.partition(self.shared.settings.partitions);
        let inbound = Inbound::Read {
            partition,
            key,
            query,
        };
        // Dropping a read that is not accepted answers it.
        let _ = self.shared.inbox_of(partition).push_command(inbound);
    }

    /// Looks at an entity and waits for the result. Not from an engine thread.
    ///
    /// # Errors
    /// [`EngineError`] when the entity cannot be read or the queue is full.
    pub fn read<T: Send + 'static>(
        &self,
        key: EntityKey,
        look: impl FnOnce(Option<&Entity>, Timestamp) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let (sender, receiver) = sync_channel(1);
        self.read_with(key, look, move |result| tell(&sender, result));
        receiver.recv().unwrap_or(Err(Unavailable::Stopping.into()))
    }

    /// The cached directory entry of a number or SIM; never waits.
    pub fn lookup(&self, key: EntityKey) -> Lookup {
        self.shared.directory.get(key)
    }

    /// The directory entry of a number or SIM, from the cache or from its owner; `done` may be called at once.
    pub fn resolve_with(
        &self,
        key: EntityKey,
        done: impl FnOnce(Result<Option<NumberRecord>, EngineError>) + Send + 'static,
    ) {
        match self.lookup(key) {
            Lookup::Found(record) => done(Ok(Some(record))),
            Lookup::Absent => done(Ok(None)),
            Lookup::NotCached => {
                let shared = Arc::clone(&self.shared);
                let look = |entity: Option<&Entity>, _| entity.and_then(Entity::number).copied();
                self.read_with(key, look, move |result| {
                    // On the owner's thread, so that no change can slip in between reading and remembering.
                    if let Ok(record) = result {
                        shared.directory.put(key, record);
                    }
                    done(result);
                });
            }
        }
    }

    /// The directory entry of a number or SIM; waits. Not from an engine thread.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn resolve(&self, key: EntityKey) -> Result<Option<NumberRecord>, EngineError> {
        let (sender, receiver) = sync_channel(1);
        self.resolve_with(key, move |result| tell(&sender, result));
        receiver.recv().unwrap_or(Err(Unavailable::Stopping.into()))
    }

    /// An account id that no account has. It becomes taken when a directory event with it is durable; one that was never
    /// used may come again after a restart.
    pub fn new_account_id(&self) -> AccountId {
        AccountId(self.shared.account_next.fetch_add(1, Ordering::Relaxed))
    }

    /// Commands decided from now on use these catalogs.
    pub fn publish(&self, catalogs: Arc<Catalogs>) {
        *self.shared.catalogs.write() = catalogs;
        self.shared.catalogs_version.fetch_add(1, Ordering::Release);
    }

    /// The catalogs in use.
    pub fn catalogs(&self) -> Arc<Catalogs> {
        Arc::clone(&self.shared.catalogs.read())
    }

    /// The time as the engine sees it.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Partitions of the data directory.
    pub fn partitions(&self) -> u16 {
        self.shared.settings.partitions
    }

    /// Counters and gauges.
    pub fn stats(&self) -> StatsSnapshot {
        let mut stats = self.shared.stats.snapshot();
        stats.queue_depth = self.shared.inboxes.iter().map(|inbox| inbox.depth() as u64).sum();
        stats
    }

    /// Stops taking commands, finishes what was taken, writes a last snapshot round and ends the threads.
    pub fn stop(&self) {
        let Some(threads) = self.threads.lock().take() else {
            return;
        };
        self.shared.inboxes.iter().for_each(Inbox::close);
        // The order matters: snapshots need the workers, workers need the writer.
        self.shared.snapshots.stop();
        end(threads.snapshots);
        self.shared.inboxes.iter().for_each(Inbox::stop);
        threads.workers.into_iter().for_each(end);
        self.shared.writer.stop();
        end(threads.writer);
        self.shared.calls.fail_all(Unavailable::Stopping);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tells the caller who waits; one who has gone does not matter.
fn tell<T>(sender: &SyncSender<T>, value: T) {
    let _ = sender.send(value);
}

fn end(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("an engine thread has panicked");
    }
}

fn start(
    shared: &Arc<Shared>,
    partitions: Vec<Partition>,
    journal: Box<dyn store::Journal>,
    snapshot_writer: Box<dyn store::SnapshotWriter>,
) -> Result<Threads, OpenError> {
    let count = shared.inboxes.len();
    let mut owned: Vec<Vec<Partition>> = (0..count).map(|_| Vec::new()).collect();
    for partition in partitions {
        owned[usize::from(partition.id) % count].push(partition);
    }
    let mut workers = Vec::with_capacity(count);
    for (index, partitions) in owned.into_iter().enumerate() {
        let worker = worker::Worker::new(shared, index, partitions)?;
        let thread = std::thread::Builder::new().name(format!("engine-{index}"));
        workers.push(thread.spawn(move || worker.run())?);
    }
    let writer = {
        let shared = Arc::clone(shared);
        let thread = std::thread::Builder::new().name("engine-writer".to_owned());
        thread.spawn(move || writer::run(&shared, journal))?
    };
    let snapshots = {
        let shared = Arc::clone(shared);
        let thread = std::thread::Builder::new().name("engine-snapshots".to_owned());
        thread.spawn(move || snapshots::run(&shared, snapshot_writer))?
    };
    Ok(Threads {
        workers,
        writer,
        snapshots,
    })
}

/// Brings every partition back, several at a time.
fn recover_all(store: &dyn Store, settings: &Settings) -> Result<Vec<Partition>, OpenError> {
    let next = AtomicU64::new(0);
    let heads = store.journal_reader()?.heads()?;
    if let Some(head) = heads.iter().find(|head| head.partition >= settings.partitions) {
        return Err(OpenError::Settings(format!(
            "the data directory has a partition {}, the settings say {} partitions",
            head.partition, settings.partitions
        )));
    }
    let parallel = std::thread::available_parallelism().map_or(1, usize::from);
    let parallel = parallel.min(usize::from(settings.partitions));
    let recover = || -> Result<Vec<Partition>, OpenError> {
        let (mut reader, mut journal) = (store.snapshot_reader()?, store.journal_reader()?);
        let mut done = Vec::new();
        while let Ok(id) = PartitionId::try_from(next.fetch_add(1, Ordering::Relaxed)) {
            if id >= settings.partitions {
                break;
            }
            let mut partition = Partition::new(id, settings);
            let found = partition.recover(&mut *reader, &mut *journal, &mut Outbox::default())?;
            tracing::debug!(partition = id, ?found, "recovered");
            done.push(partition);
        }
        Ok(done)
    };
    let mut partitions = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..parallel).map(|_| scope.spawn(recover)).collect();
        let mut partitions = Vec::with_capacity(usize::from(settings.partitions));
        for thread in threads {
            let found = thread
                .join()
                .map_err(|_| std::io::Error::other("a recovery thread has panicked"))?;
            partitions.extend(found?);
        }
        Ok::<_, OpenError>(partitions)
    })?;
    partitions.sort_by_key(|partition| partition.id);
    Ok(partitions)
}

/// Calls a callback once; "too busy" if it is dropped before (a full queue, a lost batch, a stopping engine).
struct OnDrop<T, F: FnOnce(Result<T, EngineError>)> {
    done: Option<F>,
    value: std::marker::PhantomData<fn(T)>,
}

impl<T, F: FnOnce(Result<T, EngineError>)> OnDrop<T, F> {
    fn new(done: F) -> Self {
        OnDrop {
            done: Some(done),
            value: std::marker::PhantomData,
        }
    }

    fn call(&mut self, result: Result<T, EngineError>) {
        if let Some(done) = self.done.take() {
            done(result);
        }
    }
}

impl<T, F: FnOnce(Result<T, EngineError>)> Drop for OnDrop<T, F> {
    fn drop(&mut self) {
        self.call(Err(EngineError::Busy));
    }
}
