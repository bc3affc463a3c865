//! What the simulated handsets have received.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use wire::smpp::ShortMessage;
use wire::sms::{Fragment, Reassembler};

/// Messages that one handset keeps; the oldest goes first.
pub const MESSAGES_PER_HANDSET_MAX: usize = 1_000;
/// Copies that wait for whoever listens to all handsets.
pub const TAP_MAX: usize = 65_536;
/// Handsets that are remembered; messages to more are counted and dropped.
pub const HANDSETS_MAX: usize = 1_000_000;

/// One message as the handset shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct HandsetMessage {
    /// When its last part came, microseconds since the epoch.
    pub received_micros: i64,
    /// The sender that the handset shows.
    pub from: String,
    /// The handset's number.
    pub to: String,
    /// The text, parts joined.
    pub text: String,
    /// `GSM-7`, `GSM-7 Urdu` or `UCS-2`.
    pub encoding: &'static str,
    /// How many parts it came in.
    pub parts: u8,
}

/// All inboxes. A handle: clones see the same handsets.
#[derive(Debug, Clone, Default)]
pub struct Inbox {
    state: Arc<Mutex<State>>,
    arrived: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    handsets: HashMap<String, VecDeque<HandsetMessage>>,
    reassembler: Reassembler,
    received: u64,
    unreadable: u64,
    /// Who wants a copy of everything.
    tap: Option<mpsc::Sender<HandsetMessage>>,
}

impl Inbox {
    /// A copy of every message from now on, in the order of arrival; an earlier tap gets none any more. Whoever is more than
    /// [`TAP_MAX`] messages behind misses some.
    #[must_use]
    pub fn tap(&self) -> mpsc::Receiver<HandsetMessage> {
        let (sender, receiver) = mpsc::channel(TAP_MAX);
        self.state.lock().tap = Some(sender);
        receiver
    }

    /// The messages of one number, oldest first.
    #[must_use]
    pub fn messages(&self, msisdn: &str) -> Vec<HandsetMessage> {
        self.state
            .lock()
            .handsets
            .get(msisdn)
            .map(|inbox| inbox.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Whole messages received by all handsets so far.
    #[must_use]
    pub fn received_count(&self) -> u64 {
        self.state.lock().received
    }

    /// Short messages that no handset could read, or that had no place.
    #[must_use]
    pub fn unreadable_count(&self) -> u64 {
        self.state.lock().unreadable
    }

    /// Numbers that have received something.
    #[must_use]
    pub fn handset_count(&self) -> usize {
        self.state.lock().handsets.len()
    }

    /// Waits for a message to `msisdn` that `wanted` likes; `None` after `patience`.
    pub async fn wait_for(
        &self,
        msisdn: &str,
        patience: Duration,
        wanted: impl Fn(&HandsetMessage) -> bool,
    ) -> Option<HandsetMessage> {
        let search = async {
            loop {
                let arrived = self.arrived.notified();
                if let Some(message) = self.messages(msisdn).into_iter().find(&wanted) {
                    return message;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(patience, search).await.ok()
    }

    /// Takes one short message from the message centre.
    pub fn receive(&self, message: &ShortMessage) {
        let fragment = Fragment::read(
            message.data_coding,
            message.has_header(),
            message.user_data(),
            message.tlvs.sar,
        );
        let now_micros = crate::now().0;
        let (from, to) = (&message.source.number, &message.destination.number);
        let mut state = self.state.lock();
        let Ok(fragment) = fragment else {
            state.unreadable += 1;
            return;
        };
        let received = state
            .reassembler
            .accept(from, to, fragment, now_micros.unsigned_abs());
        let Some(received) = received else { return };
        if state.handsets.len() >= HANDSETS_MAX && !state.handsets.contains_key(to) {
            state.unreadable += 1;
            return;
        }
        state.received += 1;
        let message = HandsetMessage {
            received_micros: now_micros,
            from: from.clone(),
            to: to.clone(),
            text: received.text,
            encoding: received.encoding.name(),
            parts: received.parts,
        };
        if let Some(tap) = &state.tap
            && matches!(tap.try_send(message.clone()), Err(TrySendError::Closed(_)))
        {
            state.tap = None;
        }
        let inbox = state.handsets.entry(to.clone()).or_default();
        if inbox.len() >= MESSAGES_PER_HANDSET_MAX {
            inbox.pop_front();
        }
        inbox.push_back(message);
        drop(state);
        self.arrived.notify_waiters();
    }
}
