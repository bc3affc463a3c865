//! Answers that come by message: who waits for which.

use crate::smsc::{HandsetMessage, Smsc};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::oneshot;
use wire::sms::strip_isolates;

/// Texts that are remembered of a handset: an answer may come while nobody waits for it.
const HEARD_MAX: usize = 32;

/// A handset that has asked something.
#[derive(Default)]
struct Handset {
    heard: VecDeque<String>,
    /// Parts that a text must have, and whom to tell.
    waiting: Vec<(Vec<String>, oneshot::Sender<String>)>,
}

/// Handsets whose messages are looked at as they come.
pub struct Texts {
    centre: Arc<Smsc>,
    handsets: Arc<Mutex<HashMap<String, Handset>>>,
}

impl Texts {
    /// Over a message centre. Within a tokio runtime.
    pub fn new(centre: Arc<Smsc>) -> Texts {
        let handsets: Arc<Mutex<HashMap<String, Handset>>> = Arc::default();
        let (mut tap, seen) = (centre.inbox().tap(), Arc::clone(&handsets));
        tokio::spawn(async move {
            while let Some(message) = tap.recv().await {
                if let Some(handset) = seen.lock().get_mut(&message.to) {
                    handset.hear(&message);
                }
            }
        });
        Texts { centre, handsets }
    }

    /// Sends a text and waits for an answer to the same handset with all these parts; one that has come already counts.
    ///
    /// # Errors
    /// Nobody takes the text.
    pub async fn ask(&self, from: &str, to: &str, text: &str, parts: Vec<String>) -> Result<String, String> {
        let receiver = {
            let mut handsets = self.handsets.lock();
            let handset = handsets.entry(from.to_owned()).or_default();
            let sent = self.centre.send_from_handset(from, to, text);
            sent.map_err(|error| error.to_string())?;
            if let Some(known) = handset.heard.iter().find(|known| fits(known, &parts)) {
                return Ok(known.clone());
            }
            let (sender, receiver) = oneshot::channel();
            // Those who gave up are forgotten.
            handset.waiting.retain(|(_, sender)| !sender.is_closed());
            handset.waiting.push((parts, sender));
            receiver
        };
        receiver.await.map_err(|error| error.to_string())
    }

    /// The last text of a handset, for a report of what went wrong.
    pub fn last(&self, handset: &str) -> String {
        let handsets = self.handsets.lock();
        let last = handsets.get(handset).and_then(|handset| handset.heard.back());
        last.cloned().unwrap_or_default()
    }
}

impl Handset {
    fn hear(&mut self, message: &HandsetMessage) {
        let text = strip_isolates(&message.text);
        for (parts, sender) in std::mem::take(&mut self.waiting) {
            if fits(&text, &parts) {
                // Whoever does not wait any more does not matter.
                let _ = sender.send(text.clone());
            } else {
                self.waiting.push((parts, sender));
            }
        }
        if self.heard.len() >= HEARD_MAX {
            self.heard.pop_front();
        }
        self.heard.push_back(text);
    }
}

fn fits(text: &str, parts: &[String]) -> bool {
    parts.iter().all(|part| text.contains(part.as_str()))
}
