//! The small trait behind which the engine stands.

use charge::{AccountId, Command, Entity, EntityKey, Refusal, Reply};
use std::future::Future;
use std::pin::Pin;

/// An answer that comes later.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What carries out commands: the engine.
pub trait Core: Send + Sync {
    /// Carries out a command. The answer comes once it is durable.
    fn call(&self, command: Command) -> Pending<Result<Reply, CoreError>>;
    /// The durable state of an entity; `None` when it does not exist.
    fn read(&self, key: EntityKey) -> Pending<Result<Option<Entity>, CoreError>>;
    /// An id for a new account, never given before.
    fn new_account(&self) -> AccountId;
    /// Counters and gauges for `/metrics`.
    fn gauges(&self) -> Vec<Gauge>;
}

/// A number for `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// Name with its unit last, without the `raseed_` prefix.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// The label `key="value"`, if there is one.
    pub label: Option<(&'static str, String)>,
    /// How much.
    pub value: i64,
}

/// A command that was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoreError {
    /// The rules refuse it; nothing has changed.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// Too much to do; nothing has changed.
    #[error("too busy")]
    Busy,
    /// It may or may not have been carried out; asking again with the same ids is safe.
    #[error("the outcome is not known")]
    Unavailable,
}
