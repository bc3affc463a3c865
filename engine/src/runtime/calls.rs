//! Callers that wait with a callback: a sink like any other.

use super::CompletionSink;
use crate::error::{EngineError, Unavailable};
use charge::Reply;
use hashbrown::HashMap;
use parking_lot::Mutex;

type Callback = Box<dyn FnOnce(Result<Reply, EngineError>) + Send>;

#[derive(Default)]
pub(crate) struct Calls {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    callbacks: HashMap<u64, Callback>,
}

impl Calls {
    pub fn register(&self, callback: Callback) -> u64 {
        let mut waiting = self.waiting.lock();
        waiting.next += 1;
        let ticket = waiting.next;
        waiting.callbacks.insert(ticket, callback);
        ticket
    }

    pub fn answer(&self, ticket: u64, result: Result<Reply, EngineError>) {
        let callback = self.waiting.lock().callbacks.remove(&ticket);
        if let Some(callback) = callback {
            callback(result);
        }
    }

    pub fn fail_all(&self, why: Unavailable) {
        let callbacks = std::mem::take(&mut self.waiting.lock().callbacks);
        callbacks
            .into_values()
            .for_each(|callback| callback(Err(why.into())));
    }
}

impl CompletionSink for Calls {
    fn complete(&self, results: &mut Vec<(u64, Result<Reply, EngineError>)>) {
        for (ticket, result) in results.drain(..) {
            self.answer(ticket, result);
        }
    }
}
