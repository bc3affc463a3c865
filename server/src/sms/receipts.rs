//! Which delivery receipt belongs to which message. Ids from centres may repeat, and receipts may overtake answers.

use std::collections::{HashMap, VecDeque};

use wire::smpp::{DeliveryReceipt, DeliveryState};

use super::RECEIPTS_REMEMBERED_MAX;
use super::outbox::{EventPlace, Outcome};

/// Remembers the ids of the last [`RECEIPTS_REMEMBERED_MAX`] short messages.
#[derive(Debug, Default)]
pub struct ReceiptBook {
    ids: HashMap<String, Entry>,
    order: VecDeque<String>,
    open: HashMap<EventPlace, Open>,
}

/// A message of which some parts have no receipt yet.
#[derive(Debug)]
struct Open {
    parts: usize,
    first_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// This part of this outbox message.
    Message(EventPlace),
    /// Its receipt has come. If the id comes again, it names two messages.
    Done,
    /// Two messages have this id: receipts for it say nothing.
    Ambiguous,
    /// The receipt came before the answer.
    Early(DeliveryState),
}

impl ReceiptBook {
    /// All parts of a message were accepted under these ids.
    pub fn sent(&mut self, id: EventPlace, message_ids: &[String]) -> Option<Outcome> {
        let first_id = message_ids.first().cloned().unwrap_or_default();
        self.open.insert(
            id,
            Open {
                parts: message_ids.len(),
                first_id,
            },
        );
        let mut outcome = None;
        for message_id in message_ids {
            match self.ids.get(message_id).copied() {
                _ if message_id.is_empty() => {}
                Some(Entry::Early(state)) => {
                    let on_its_way = state == DeliveryState::Enroute;
                    let entry = if on_its_way {
                        Entry::Message(id)
                    } else {
                        Entry::Done
                    };
                    self.ids.insert(message_id.clone(), entry);
                    outcome = self.close_part(id, state).or(outcome);
                }
                Some(_) => {
                    self.ids.insert(message_id.clone(), Entry::Ambiguous);
                }
                None => self.remember(message_id, Entry::Message(id)),
            }
        }
        outcome
    }

    /// A receipt came. Gives an outcome when the whole message is decided.
    pub fn receive(&mut self, receipt: &DeliveryReceipt) -> Option<Outcome> {
        let (message_id, state) = (receipt.message_id.as_ref()?, receipt.state?);
        match self.ids.get(message_id).copied() {
            Some(Entry::Message(id)) => {
                let outcome = self.close_part(id, state);
                if state != DeliveryState::Enroute {
                    self.ids.insert(message_id.clone(), Entry::Done);
                }
                outcome
            }
            Some(Entry::Ambiguous | Entry::Done) => None,
            Some(Entry::Early(_)) | None => {
                self.remember(message_id, Entry::Early(state));
                None
            }
        }
    }

    fn close_part(&mut self, id: EventPlace, state: DeliveryState) -> Option<Outcome> {
        match state {
            DeliveryState::Enroute | DeliveryState::Unknown => None,
            DeliveryState::Delivered | DeliveryState::Accepted => {
                let open = self.open.get_mut(&id)?;
                open.parts = open.parts.saturating_sub(1);
                if open.parts > 0 {
                    return None;
                }
                let message_id = self.open.remove(&id)?.first_id;
                Some(Outcome::Delivered { id, message_id })
            }
            failed => {
                let message_id = self.open.remove(&id)?.first_id;
                Some(Outcome::Undelivered {
                    id,
                    message_id,
                    state: failed.word(),
                })
            }
        }
    }

    fn remember(&mut self, message_id: &str, entry: Entry) {
        if self.ids.insert(message_id.to_owned(), entry).is_none() {
            self.order.push_back(message_id.to_owned());
        }
        while self.order.len() > RECEIPTS_REMEMBERED_MAX {
            if let Some(Entry::Message(id)) =
                self.order.pop_front().and_then(|oldest| self.ids.remove(&oldest))
            {
                self.open.remove(&id);
            }
        }
        // Messages whose centre gives no ids never close; they must not pile up.
        if self.open.len() > RECEIPTS_REMEMBERED_MAX {
            self.open.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(message_id: &str, state: DeliveryState) -> DeliveryReceipt {
        DeliveryReceipt {
            message_id: Some(message_id.to_owned()),
            state: Some(state),
            error: None,
            user_message_reference: None,
            source: String::new(),
            destination: String::new(),
        }
    }

    fn place(seq: u64) -> EventPlace {
        EventPlace {
            partition: 0,
            seq,
            index: 0,
        }
    }

    fn delivered(message_id: &str) -> Option<Outcome> {
        let message_id = message_id.to_owned();
        Some(Outcome::Delivered {
            id: place(1),
            message_id,
        })
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_message_is_delivered_when_all_its_parts_are() {
        let mut book = ReceiptBook::default();
        assert_eq!(book.sent(place(1), &ids(&["a", "b"])), None);
        assert_eq!(book.receive(&receipt("a", DeliveryState::Enroute)), None);
        assert_eq!(book.receive(&receipt("a", DeliveryState::Delivered)), None);
        assert_eq!(
            book.receive(&receipt("a", DeliveryState::Delivered)),
            None,
            "the same receipt twice"
        );
        assert_eq!(
            book.receive(&receipt("b", DeliveryState::Delivered)),
            delivered("a")
        );
        assert_eq!(book.receive(&receipt("b", DeliveryState::Delivered)), None);
    }

    #[test]
    fn a_receipt_may_come_before_its_answer() {
        let mut book = ReceiptBook::default();
        assert_eq!(book.receive(&receipt("a", DeliveryState::Delivered)), None);
        assert_eq!(book.sent(place(1), &ids(&["a"])), delivered("a"));
    }

    #[test]
    fn a_constant_id_decides_nothing() {
        let mut book = ReceiptBook::default();
        let constant = ids(&["msg_id_not_implemented"]);
        book.sent(place(1), &constant);
        book.sent(place(2), &constant);
        assert_eq!(
            book.receive(&receipt(&constant[0], DeliveryState::Delivered)),
            None
        );

        let mut book = ReceiptBook::default();
        book.sent(place(1), &constant);
        let first = book.receive(&receipt(&constant[0], DeliveryState::Delivered));
        assert_eq!(
            first,
            delivered(&constant[0]),
            "so far only one message has the id"
        );
        book.sent(place(2), &constant);
        assert_eq!(
            book.receive(&receipt(&constant[0], DeliveryState::Delivered)),
            None
        );
        assert_eq!(book.sent(place(3), &ids(&[""])), None);
    }

    #[test]
    fn a_failed_part_fails_the_message_once() {
        let mut book = ReceiptBook::default();
        book.sent(place(1), &ids(&["a", "b"]));
        let failed = Some(Outcome::Undelivered {
            id: place(1),
            message_id: "a".into(),
            state: "UNDELIV",
        });
        assert_eq!(book.receive(&receipt("b", DeliveryState::Undeliverable)), failed);
        assert_eq!(book.receive(&receipt("a", DeliveryState::Delivered)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut book = ReceiptBook::default();
        for id in 0..50_000 {
            book.sent(place(id), &[format!("m{id}")]);
            book.receive(&receipt(&format!("stranger {id}"), DeliveryState::Delivered));
        }
        assert!(book.order.len() <= RECEIPTS_REMEMBERED_MAX);
        assert!(book.ids.len() <= RECEIPTS_REMEMBERED_MAX);
        assert!(book.open.len() <= RECEIPTS_REMEMBERED_MAX);
    }
}
