//! What a command can come back with instead of a reply.

use charge::Refusal;

/// A command that was not carried out, or whose outcome is not known to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The rules refuse it; nothing has changed.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// A queue is full; nothing has changed. Try again a little later.
    #[error("too busy")]
    Busy,
    /// It may or may not have been carried out. Sending it again is safe: ids are remembered.
    #[error("not available: {0}")]
    Unavailable(Unavailable),
}

/// Why a command could not be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The journal could not be written (disk full, read-only, broken, or another owner).
    #[error("the journal cannot be written")]
    NotStored,
    /// An entity could not be read from the snapshots.
    #[error("the account cannot be read")]
    NotLoaded,
    /// A defect in the rules; it is in the log.
    #[error("internal error")]
    Internal,
    /// The engine is stopping.
    #[error("the system is stopping")]
    Stopping,
}

impl From<Unavailable> for EngineError {
    fn from(why: Unavailable) -> EngineError {
        EngineError::Unavailable(why)
    }
}
