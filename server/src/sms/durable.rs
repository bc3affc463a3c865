//! The store's outbox as the sender wants it: notifications become numbers and texts, outcomes become attempts.

use std::collections::HashSet;
use std::sync::Arc;

use charge::OperatorId;
use engine::EngineError;
use parking_lot::Mutex;
use store::{Attempt, Notification, Receipt, Settled};

use super::outbox::{EventPlace, Outbox, OutboxMessage, Outcome, Page};
use super::sender::wall_micros;

/// To whom a notification goes, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    /// E.164 digits.
    pub msisdn: String,
    /// What the subscriber shall read, in their language.
    pub text: String,
}

/// Finds number and words for a notification; `None` when there is nobody to tell. An error is tried again later.
pub type Writer = dyn Fn(&Notification) -> anyhow::Result<Option<Addressed>> + Send + Sync;

/// The store's outbox with a writer. The outbox is shared with the task that feeds it from the journal.
pub struct DurableOutbox {
    outbox: Arc<Mutex<store::Outbox>>,
    operators: Vec<OperatorId>,
    writer: Box<Writer>,
}

impl DurableOutbox {
    /// Over the one outbox of the data directory, as far as it is about subscribers of these operators.
    #[must_use]
    pub fn new(outbox: Arc<Mutex<store::Outbox>>, operators: Vec<OperatorId>, writer: Box<Writer>) -> Self {
        Self {
            outbox,
            operators,
            writer,
        }
    }
}

impl Outbox for DurableOutbox {
    fn pending(&self, limit: usize, now_micros: i64, in_hand: &HashSet<EventPlace>) -> anyhow::Result<Page> {
        let notifications = self
            .outbox
            .lock()
            .pending_of(&self.operators, now_micros, limit)?;
        let looked_at = notifications.len();
        let mut messages = Vec::with_capacity(looked_at);
        let mut attempts = Vec::new();
        for notification in notifications {
            if in_hand.contains(&notification.id) {
                continue;
            }
            match (self.writer)(&notification) {
                Ok(Some(Addressed { msisdn, text })) => {
                    let Notification { id, attempts, .. } = notification;
                    messages.push(OutboxMessage {
                        id,
                        msisdn,
                        text,
                        attempts,
                    });
                }
                Ok(None) => {
                    let reason = "there is nobody to tell".to_owned();
                    attempts.push((notification.id, Attempt::GiveUp { reason }));
                }
                Err(error) => {
                    let wait = match error.downcast_ref() {
                        Some(EngineError::Busy) => BUSY_AGAIN_MICROS,
                        _ => WRITE_AGAIN_MICROS,
                    };
                    let (reason, at) = (format!("{error:#}"), now_micros.saturating_add(wait));
                    attempts.push((notification.id, Attempt::Retry { reason, at }));
                }
            }
        }
        if !attempts.is_empty() {
            self.outbox.lock().attempted(&attempts, now_micros)?;
        }
        Ok(Page { messages, looked_at })
    }

    fn settle(&self, outcomes: &[Outcome]) -> anyhow::Result<()> {
        let mut settled = Settled::default();
        outcomes
            .iter()
            .cloned()
            .for_each(|outcome| sort(outcome, &mut settled));
        Ok(self.outbox.lock().settle(&settled, wall_micros())?)
    }
}

/// How long a notification waits whose text could not be written.
const WRITE_AGAIN_MICROS: i64 = 60 * 1_000_000;
/// How long it waits when the engine only had no time.
const BUSY_AGAIN_MICROS: i64 = 1_000_000;

/// Puts what became of a notification where the store wants it.
pub fn sort(outcome: Outcome, settled: &mut Settled) {
    let id = outcome.id();
    match becomes(outcome, &|message_id| unique(id, message_id)) {
        Became::Attempt(attempt) => settled.notifications.push((id, attempt)),
        Became::Receipt(receipt) => settled.receipts.push(receipt),
    }
}

/// What the store learns of an outcome.
pub enum Became {
    /// It was tried.
    Attempt(Attempt),
    /// Its receipt came.
    Receipt(Receipt),
}

/// The same for whatever is sent; `unique` makes a centre's id one of its own.
pub fn becomes(outcome: Outcome, unique: &dyn Fn(&str) -> String) -> Became {
    match outcome {
        Outcome::Sent { message_id, .. } => Became::Attempt(Attempt::Sent {
            message_id: unique(&message_id),
        }),
        Outcome::Failed {
            reason,
            retry_at_micros: Some(at),
            ..
        } => Became::Attempt(Attempt::Retry { reason, at }),
        Outcome::Failed { reason, .. } => Became::Attempt(Attempt::GiveUp { reason }),
        Outcome::Delivered { message_id, .. } => Became::Receipt(Receipt {
            message_id: unique(&message_id),
            problem: None,
        }),
        Outcome::Undelivered {
            message_id, state, ..
        } => Became::Receipt(Receipt {
            message_id: unique(&message_id),
            problem: Some(state.to_owned()),
        }),
    }
}

// Some centres give every message the same id.
fn unique(id: EventPlace, message_id: &str) -> String {
    format!("{}.{}.{}/{message_id}", id.partition, id.seq, id.index)
}

#[cfg(test)]
mod tests {
    use charge::codec::Codec;
    use charge::reply::Refusal;
    use charge::{AccountId, Code, EntityKey, Event, EventBody, Timestamp};
    use store::{BatchBuilder, Hash, JournalRow, MemoryStore, OutboxCounts, Store};

    use super::super::tests::{PATIENCE, centre, config};
    use super::super::{SmsSender, SmsStatus};
    use super::*;
    use wire::smpp::{CentreConfig, MessageIdShape};

    /// A journal in which the renewals of these accounts have failed.
    fn outbox_of(accounts: &[u64]) -> Arc<Mutex<store::Outbox>> {
        let mut builder = BatchBuilder::new();
        for account in accounts {
            let offer = Code::new("weekly").expect("short");
            let event = Event {
                key: EntityKey::Account(AccountId(*account)),
                operator: OperatorId(1),
                at: Timestamp(1_000),
                body: EventBody::RenewalFailed {
                    offer,
                    reason: Refusal::InsufficientBalance,
                },
            };
            builder
                .event_with(|buffer| event.encode(buffer))
                .expect("it fits");
        }
        let (batch, _) = builder.finish(1, 1, 1_000, &Hash::NONE, Vec::new());
        let journal = MemoryStore::new();
        let rows = [JournalRow {
            partition: 1,
            seq: 1,
            batch,
        }];
        journal
            .journal()
            .expect("memory")
            .append(&rows)
            .expect("the first row");
        let mut outbox = store::Outbox::in_memory().expect("memory");
        let mut reader = journal.journal_reader().expect("memory");
        while outbox
            .feed(&mut *reader, 1_000, 0)
            .expect("a good journal")
            .batches
            > 0
        {}
        Arc::new(Mutex::new(outbox))
    }

    fn writer(notification: &Notification) -> anyhow::Result<Option<Addressed>> {
        match notification.account.0 {
            1..=3 => Ok(Some(Addressed {
                msisdn: format!("92300000000{}", notification.account.0),
                text: "آپ کا پیکج weekly تجدید نہیں ہو سکا۔ ".repeat(3),
            })),
            4 => Ok(None),
            _ => anyhow::bail!("the directory is busy"),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn notifications_go_through_their_states_in_the_real_outbox() {
        // The constant id would mix the messages up if the outbox knew them by it.
        let message_id = MessageIdShape::Constant("msg_id_not_implemented".into());
        for (message_id, delivered) in [(MessageIdShape::Uuid, 3), (message_id, 0)] {
            let smsc = centre(CentreConfig {
                message_id,
                ..CentreConfig::default()
            })
            .await;
            let outbox = outbox_of(&[1, 2, 3, 4, 5]);
            let durable = Arc::new(DurableOutbox::new(
                Arc::clone(&outbox),
                vec![OperatorId(1)],
                Box::new(writer),
            ));
            let (sender, _incoming) = SmsSender::start(config(&smsc), durable);
            let expected = OutboxCounts {
                pending: 1,
                sent: 3 - delivered,
                delivered,
                failed: 1,
            };
            let settle = async {
                while outbox.lock().counts().expect("memory") != expected {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            };
            let in_time = tokio::time::timeout(PATIENCE, settle).await.is_ok();
            assert!(in_time, "{:?}, wanted {expected:?}", outbox.lock().counts());
            for account in 1..=3 {
                assert_eq!(smsc.inbox().messages(&format!("92300000000{account}")).len(), 1);
            }
            let SmsStatus {
                in_hand, repeated, ..
            } = sender.status();
            assert_eq!((in_hand, repeated), (0, 0));
            sender.stop().await;
        }
    }
}
