//! The engine and the read models behind what the handlers ask for.

use crate::core::{Core, CoreError, Gauge, Pending};
use crate::limits;
use crate::problem::{Fault, Problem};
use charge::{AccountId, Command, Entity, EntityKey, Event, Reply};
use engine::{Engine, EngineError};
use parking_lot::Mutex;
use std::sync::Arc;
use store::{Callbacks, EventPlace, JournalReader, ReadModels, ReadsReader, Store, StoreError};
use tokio::sync::{Notify, Semaphore, oneshot};

/// The engine as a [`Core`].
pub struct EngineCore(pub Arc<Engine>);

impl Core for EngineCore {
    fn call(&self, command: Command) -> Pending<Result<Reply, CoreError>> {
        let (sender, receiver) = oneshot::channel();
        self.0.submit_with(command, move |result| {
            // A caller who has gone does not matter: the command is durable.
            let _ = sender.send(result);
        });
        Box::pin(async move { Ok(receiver.await.map_err(|_| CoreError::Unavailable)??) })
    }

    fn read(&self, key: EntityKey) -> Pending<Result<Option<Entity>, CoreError>> {
        let (sender, receiver) = oneshot::channel();
        // All numbers live in one partition: mostly the directory's cache knows, without a way to its thread and back.
        if matches!(key, EntityKey::Number(_) | EntityKey::Imsi(_)) {
            self.0.resolve_with(key, move |result| {
                let _ = sender.send(result.map(|record| record.map(Entity::Number)));
            });
            return Box::pin(async move { Ok(receiver.await.map_err(|_| CoreError::Unavailable)??) });
        }
        let look = |entity: Option<&Entity>, _| entity.cloned();
        self.0.read_with(key, look, move |result| {
            let _ = sender.send(result);
        });
        Box::pin(async move { Ok(receiver.await.map_err(|_| CoreError::Unavailable)??) })
    }

    fn new_account(&self) -> AccountId {
        self.0.new_account_id()
    }

    fn gauges(&self) -> Vec<Gauge> {
        let stats = self.0.stats();
        let gauge = |name, help, value: u64| Gauge {
            name,
            help,
            label: None,
            value: i64::try_from(value).unwrap_or(i64::MAX),
        };
        vec![
            gauge(
                "commands",
                "Commands that changed something durably",
                stats.commands,
            ),
            gauge(
                "commands_busy",
                "Commands turned away because a queue was full",
                stats.busy,
            ),
            gauge(
                "queue_depth_commands",
                "Commands waiting or being handled",
                stats.queue_depth,
            ),
            gauge("journal_commits", "Transactions of the journal", stats.commits),
            gauge(
                "journal_batches",
                "Batches in the journal's transactions",
                stats.batches,
            ),
            gauge(
                "journal_bytes",
                "Bytes appended to the journal",
                stats.batch_bytes,
            ),
            gauge("journal_failures", "Appends that failed", stats.append_failures),
            gauge("cache_entities", "Entities in memory", stats.entities),
            gauge("cache_bytes", "Their bytes, roughly", stats.entity_bytes),
            gauge(
                "snapshot_reads",
                "Entities looked for in the snapshots",
                stats.snapshot_reads,
            ),
            gauge(
                "snapshot_absent",
                "Entities looked for in the snapshots that were not there",
                stats.snapshot_absent,
            ),
            gauge(
                "snapshot_rows",
                "Entities written to the snapshots",
                stats.snapshot_rows,
            ),
        ]
    }
}

impl From<EngineError> for CoreError {
    fn from(error: EngineError) -> CoreError {
        match error {
            EngineError::Refused(refusal) => CoreError::Refused(refusal),
            EngineError::Busy => CoreError::Busy,
            EngineError::Unavailable(_) => CoreError::Unavailable,
        }
    }
}

/// The callbacks of partners, asked on threads that may wait. Cheap to clone.
#[derive(Clone)]
pub struct CallbackLog {
    callbacks: Arc<Mutex<Callbacks>>,
    changed: Arc<Notify>,
}

impl CallbackLog {
    /// Over the one queue of the data directory.
    pub fn new(callbacks: Callbacks) -> CallbackLog {
        CallbackLog {
            callbacks: Arc::new(Mutex::new(callbacks)),
            changed: Arc::new(Notify::new()),
        }
    }

    /// The queue itself, for the thread that feeds it.
    pub fn queue(&self) -> &Mutex<Callbacks> {
        &self.callbacks
    }

    /// Tells who delivers that something may be due.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// Waits for [`CallbackLog::wake`].
    pub async fn woken(&self) {
        self.changed.notified().await;
    }

    /// Asks a question on a thread that may wait.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the queue cannot be read; the cause is logged.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Callbacks) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let callbacks = Arc::clone(&self.callbacks);
        match tokio::task::spawn_blocking(move || question(&mut callbacks.lock())).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::error!(%error, "the callbacks do not answer");
                Err(Fault::Internal.into())
            }
            Err(error) => {
                tracing::error!(%error, "a question to the callbacks panicked");
                Err(Fault::Internal.into())
            }
        }
    }
}

/// The read models and the journal behind them, read on threads that may wait.
pub struct Reads {
    store: Arc<dyn Store>,
    models: ReadModels,
    idle: Arc<Mutex<Vec<Reader>>>,
    slots: Arc<Semaphore>,
}

/// What a question may look at.
pub struct Reader {
    /// The read models.
    pub models: ReadsReader,
    /// The journal.
    pub journal: Box<dyn JournalReader>,
}

impl Reader {
    /// The event at a place.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn event(&mut self, place: EventPlace) -> Result<Option<Event>, StoreError> {
        store::event_at(&mut *self.journal, place)
    }
}

impl Reads {
    /// Over a store and its read models.
    pub fn new(store: Arc<dyn Store>, models: ReadModels) -> Reads {
        Reads {
            store,
            models,
            idle: Arc::default(),
            slots: Arc::new(Semaphore::new(limits::READERS_MAX)),
        }
    }

    /// Asks a question on a thread that may wait.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the read models cannot be read; the cause is logged.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        let slot = slot.map_err(|_| Fault::Internal)?;
        let (store, models, idle) = (
            Arc::clone(&self.store),
            self.models.clone(),
            Arc::clone(&self.idle),
        );
        let answer = tokio::task::spawn_blocking(move || {
            let waiting = idle.lock().pop();
            let mut reader = match waiting {
                Some(reader) => reader,
                None => Reader {
                    models: models.reader()?,
                    journal: store.journal_reader()?,
                },
            };
            let answer = question(&mut reader)?;
            idle.lock().push(reader);
            drop(slot);
            Ok::<T, StoreError>(answer)
        });
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::error!(%error, "the read models do not answer");
                Err(Fault::Internal.into())
            }
            Err(error) => {
                tracing::error!(%error, "a question to the read models panicked");
                Err(Fault::Internal.into())
            }
        }
    }

    /// How far the read models are behind.
    pub async fn gauges(&self) -> Vec<Gauge> {
        let lag = self.ask(|reader| {
            let heads = reader.journal.heads()?;
            reader.models.lag(&heads)
        });
        let value = lag.await.map_or(-1, |lag| i64::try_from(lag).unwrap_or(i64::MAX));
        vec![Gauge {
            name: "read_models_lag_batches",
            help: "Batches that are in the journal and not yet in the read models; -1: not known",
            label: None,
            value,
        }]
    }
}
