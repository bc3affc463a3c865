//! What the sender needs from the durable outbox.

use std::collections::HashSet;

pub use store::EventPlace;

/// A message that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    /// The row: the place of the event that it tells of.
    pub id: EventPlace,
    /// E.164 digits, with or without plus sign.
    pub msisdn: String,
    /// What the subscriber shall read.
    pub text: String,
    /// Attempts that failed for now; they decide how long it waits after the next one.
    pub attempts: u32,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The centre has all parts; it must not be pending any more.
    Sent {
        /// The row.
        id: EventPlace,
        /// The centre's name of the first part: anything, perhaps empty, perhaps not unique.
        message_id: String,
    },
    /// Not sent. Pending again at `retry_at_micros`, or given up when that is `None`.
    Failed {
        /// The row.
        id: EventPlace,
        /// Why, for people who look after the system.
        reason: String,
        /// Microseconds since the epoch.
        retry_at_micros: Option<i64>,
    },
    /// A receipt says that the handset has it.
    Delivered {
        /// The row.
        id: EventPlace,
        /// As in [`Outcome::Sent`].
        message_id: String,
    },
    /// A receipt says that the handset will not get it.
    Undelivered {
        /// The row.
        id: EventPlace,
        /// As in [`Outcome::Sent`].
        message_id: String,
        /// The receipt's word for it.
        state: &'static str,
    },
}

impl Outcome {
    /// The row that it is about.
    #[must_use]
    pub fn id(&self) -> EventPlace {
        match self {
            Self::Sent { id, .. }
            | Self::Failed { id, .. }
            | Self::Delivered { id, .. }
            | Self::Undelivered { id, .. } => *id,
        }
    }

    /// Whether the message leaves the sender's hands with it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::Failed { .. })
    }
}

/// Messages that are due.
#[derive(Debug, Default)]
pub struct Page {
    /// Those that the sender does not have, what somebody waits for first.
    pub messages: Vec<OutboxMessage>,
    /// Rows that were looked at, those in hand included.
    pub looked_at: usize,
}

/// The durable outbox. Calls may block; the sender makes them on a thread of their own.
pub trait Outbox: Send + Sync + 'static {
    /// The oldest messages that are due, at most `limit` with those that the sender has in hand: these are not written again.
    fn pending(&self, limit: usize, now_micros: i64, in_hand: &HashSet<EventPlace>) -> anyhow::Result<Page>;

    /// Makes outcomes durable, all or none.
    fn settle(&self, outcomes: &[Outcome]) -> anyhow::Result<()>;
}
