//! Letters that go by SMS, among the notifications that a message centre sends: campaigns, confirmations, alerts.

use super::words::{Due, Writer};
use crate::sms::durable::{self, Became};
use crate::sms::{self, EventPlace, OutboxMessage, Outcome, Page};
use charge::{OperatorId, Timestamp};
use parking_lot::Mutex;
use people::consents::Notice;
use std::collections::HashSet;
use std::sync::Arc;
use store::{Attempt, LetterId, LetterWay, Settled};

/// Stands for the partition in the place of a letter: no journal has so many.
const LETTERS: u16 = u16::MAX;
/// How long a letter waits whose text could not be written, microseconds.
const WRITE_AGAIN_US: i64 = 60 * 1_000_000;
/// Of a page, the part that notifications of events have for themselves: a campaign does not hold up receipts.
const EVENTS_SHARE: usize = 4;
/// Letters of a page when notifications fill it: somebody waits for an answer.
const ANSWERS_MIN: usize = 256;

/// Two queues as one: what somebody waits for, then notifications of events, then other letters.
pub struct WithLetters {
    events: Arc<dyn sms::Outbox>,
    outbox: Arc<Mutex<store::Outbox>>,
    operators: Vec<OperatorId>,
    writer: Writer,
}

impl WithLetters {
    /// Of some operators.
    pub fn new(
        events: Arc<dyn sms::Outbox>,
        outbox: Arc<Mutex<store::Outbox>>,
        operators: Vec<OperatorId>,
        writer: Writer,
    ) -> WithLetters {
        WithLetters {
            events,
            outbox,
            operators,
            writer,
        }
    }
}

impl sms::Outbox for WithLetters {
    fn pending(&self, limit: usize, now_micros: i64, in_hand: &HashSet<EventPlace>) -> anyhow::Result<Page> {
        let Page { messages, looked_at } = self.events.pending(limit, now_micros, in_hand)?;
        let room = (limit / EVENTS_SHARE).min(limit.saturating_sub(looked_at).max(ANSWERS_MIN));
        let due = self
            .outbox
            .lock()
            .letters_due(LetterWay::Sms, Some(&self.operators), now_micros, room)?;
        let (mut first, mut last) = (Vec::new(), Vec::new());
        let looked_at = looked_at + due.len();
        let mut attempts = Vec::new();
        for letter in due {
            let (id, attempts_before) = (letter.id, letter.attempts);
            if in_hand.contains(&place(id)) {
                continue;
            }
            // Answers to messages, and warnings.
            let waited_for = letter.notice == Notice::Security.name();
            match self.writer.write(&letter, Timestamp(now_micros)) {
                Ok(Due::Carry(written)) => {
                    let queue = if waited_for { &mut first } else { &mut last };
                    queue.push(OutboxMessage {
                        id: place(id),
                        msisdn: letter.recipient.to_string(),
                        text: written.text,
                        attempts: attempts_before,
                    });
                }
                Ok(Due::Later(at)) => attempts.push((
                    id,
                    Attempt::Retry {
                        reason: "quiet hours".to_owned(),
                        at: at.0,
                    },
                )),
                Ok(Due::Drop(reason)) => attempts.push((
                    id,
                    Attempt::GiveUp {
                        reason: reason.to_owned(),
                    },
                )),
                Err(error) => attempts.push((
                    id,
                    Attempt::Retry {
                        reason: format!("{error:#}"),
                        at: now_micros.saturating_add(WRITE_AGAIN_US),
                    },
                )),
            }
        }
        if !attempts.is_empty() {
            self.outbox.lock().letters_attempted(&attempts, now_micros)?;
        }
        first.extend(messages);
        first.append(&mut last);
        Ok(Page {
            messages: first,
            looked_at,
        })
    }

    fn settle(&self, outcomes: &[Outcome]) -> anyhow::Result<()> {
        let mut settled = Settled::default();
        for outcome in outcomes.iter().cloned() {
            if outcome.id().partition != LETTERS {
                durable::sort(outcome, &mut settled);
                continue;
            }
            let id = LetterId(outcome.id().seq);
            match durable::becomes(outcome, &|message_id| unique(id, message_id)) {
                Became::Attempt(attempt) => settled.letters.push((id, attempt)),
                Became::Receipt(receipt) => settled.letter_receipts.push(receipt),
            }
        }
        Ok(self.outbox.lock().settle(&settled, crate::node::now().0)?)
    }
}

fn place(id: LetterId) -> EventPlace {
    EventPlace {
        partition: LETTERS,
        seq: id.0,
        index: 0,
    }
}

// Some centres give every message the same id.
fn unique(id: LetterId, message_id: &str) -> String {
    format!("letter.{}/{message_id}", id.0)
}
