//! Who is where in the menu: a bounded number of sessions, each forgotten after a silence.

use crate::desk::{Answer, Who};
use crate::limits::{SESSIONS_MAX, is_over};
use crate::menu::Stage;
use charge::Timestamp;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use wire::ussd::PageSize;

/// The name of a session: digest of gateway and the gateway's own name for it.
pub type SessionKey = u128;

/// A session.
#[derive(Debug)]
pub struct Session {
    /// Whose.
    pub who: Who,
    /// How much its gateway carries in one page.
    pub size: PageSize,
    /// What makes the ids of its commands unlike any other session's.
    pub nonce: String,
    /// The page that waits for an answer; none: only more pages of the last answer are left.
    pub stage: Option<Stage>,
    /// Pages of the last answer that were not shown yet.
    pub pages: VecDeque<String>,
    /// Inputs so far.
    pub steps: u32,
    /// Digest of the last input and its number, with the answer, for a gateway that asks twice.
    pub last: Option<(u128, Answer)>,
    /// Parts typed so far and their digest, for gateways that send everything each time.
    pub fed: (usize, u128),
}

impl Session {
    /// One that was just begun.
    pub fn new(who: Who, nonce: String, size: PageSize) -> Session {
        Session {
            who,
            size,
            nonce,
            stage: None,
            pages: VecDeque::new(),
            steps: 0,
            last: None,
            fed: (0, 0),
        }
    }
}

/// A session that one request at a time may hold.
pub type Shared = Arc<tokio::sync::Mutex<Session>>;

#[derive(Default)]
struct Inner {
    sessions: HashMap<SessionKey, (Timestamp, Shared)>,
    by_time: BTreeSet<(Timestamp, SessionKey)>,
}

/// All sessions.
#[derive(Default)]
pub struct Sessions(Mutex<Inner>);

impl Sessions {
    /// Puts a new session in the place of an old one of that name; none when there are too many.
    pub fn begin(&self, key: SessionKey, session: Session, now: Timestamp) -> Option<Shared> {
        let mut inner = self.0.lock();
        inner.sweep(now);
        inner.remove(key);
        if inner.sessions.len() >= SESSIONS_MAX {
            return None;
        }
        let shared: Shared = Arc::new(tokio::sync::Mutex::new(session));
        inner.sessions.insert(key, (now, Arc::clone(&shared)));
        inner.by_time.insert((now, key));
        Some(shared)
    }

    /// The session of that name, which lives on from now.
    pub fn find(&self, key: SessionKey, now: Timestamp) -> Option<Shared> {
        let mut inner = self.0.lock();
        inner.sweep(now);
        let (heard, shared) = inner.sessions.get_mut(&key)?;
        let (before, shared) = (std::mem::replace(heard, now), Arc::clone(shared));
        inner.by_time.remove(&(before, key));
        inner.by_time.insert((now, key));
        Some(shared)
    }

    /// Forgets a session.
    pub fn end(&self, key: SessionKey) {
        self.0.lock().remove(key);
    }

    /// Open sessions.
    pub fn count(&self) -> usize {
        self.0.lock().sessions.len()
    }
}

impl Inner {
    fn remove(&mut self, key: SessionKey) {
        if let Some((heard, _)) = self.sessions.remove(&key) {
            self.by_time.remove(&(heard, key));
        }
    }

    fn sweep(&mut self, now: Timestamp) {
        while let Some((heard, key)) = self.by_time.first().copied() {
            if !is_over(heard, now) {
                break;
            }
            self.by_time.remove(&(heard, key));
            self.sessions.remove(&key);
        }
    }
}
