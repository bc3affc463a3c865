//! When rails are asked about payments that are not decided: after 5 s, 15 s, 1, 5 and 15 minutes, then every hour
//! (reference payments 6).

use charge::Timestamp;
use charge::payment::PaymentId;
use charge::time::SECOND;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};

/// Seconds to wait before each question; the last one repeats.
const WAITS_S: [i64; 6] = [5, 15, 60, 300, 900, 3600];
/// Somebody who looks has the rail asked again no sooner than this.
const LOOK_S: i64 = 5;
/// What is open is looked for in the read models so often, in case one was missed.
pub const SCAN_EVERY: Duration = Duration::from_secs(60);
/// ... and so soon after the start, when the read models may be behind the journal; the pauses double.
const SCAN_SOON: Duration = Duration::from_secs(2);
/// Longest pause between two looks at what is due.
const LOOK_EVERY_US: i64 = 1_000_000;

/// The pauses between the scans of what is open.
pub fn scan_pauses() -> impl Iterator<Item = Duration> + Send {
    std::iter::successors(Some(SCAN_SOON), |pause| Some((*pause * 2).min(SCAN_EVERY)))
}

/// Asks about what is due, each in a task of its own and at most so many at once as `slots` has, until stopped. `bell` says
/// that something may have become due sooner.
pub async fn work<K, F>(
    (schedule, bell, slots): (&Mutex<Schedule<K>>, &Notify, &Arc<Semaphore>),
    now: impl Fn() -> Timestamp + Send,
    ask: impl Fn(K) -> F + Send,
    mut stopped: watch::Receiver<bool>,
) where
    K: Copy + Ord + Hash + Send,
    F: Future<Output = ()> + Send + 'static,
{
    let most = slots.available_permits();
    loop {
        let looked = now();
        let due = schedule.lock().take_due(looked, most);
        let idle = due.is_empty();
        for id in due {
            let Ok(slot) = Arc::clone(slots).acquire_owned().await else {
                return;
            };
            let asking = ask(id);
            tokio::spawn(async move {
                asking.await;
                drop(slot);
            });
        }
        if !idle {
            continue;
        }
        let wait = schedule
            .lock()
            .next()
            .map_or(LOOK_EVERY_US, |due| due.0 - looked.0);
        let wait = Duration::from_micros(wait.clamp(1_000, LOOK_EVERY_US).unsigned_abs());
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = bell.notified() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

/// Payments (or other things) to ask about, by the moment at which they are due.
#[derive(Debug)]
pub struct Schedule<K = PaymentId> {
    due: BTreeSet<(Timestamp, K)>,
    asks: HashMap<K, Ask>,
}

impl<K> Default for Schedule<K> {
    fn default() -> Schedule<K> {
        Schedule {
            due: BTreeSet::new(),
            asks: HashMap::new(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Ask {
    due: Timestamp,
    asked: usize,
    last: Timestamp,
}

impl<K: Copy + Ord + Hash> Schedule<K> {
    /// Begins to ask about a payment, unless that has begun. One that is old (after a restart) is asked about at once, and
    /// then as seldom as its age says.
    pub fn begin(&mut self, id: K, since: Timestamp, now: Timestamp) {
        if self.asks.contains_key(&id) {
            return;
        }
        let age = (now.0 - since.0) / SECOND;
        let mut passed = 0;
        let asked = WAITS_S
            .iter()
            .take_while(|wait| {
                passed += **wait;
                passed <= age
            })
            .count();
        let due = if asked == 0 {
            since.plus(WAITS_S[0] * SECOND)
        } else {
            now
        };
        self.put(
            id,
            Ask {
                due,
                asked,
                last: since,
            },
        );
    }

    /// Asks from the beginning again: something new is to be found out (a refund, a delivery).
    pub fn begin_anew(&mut self, id: K, now: Timestamp) {
        self.end(id);
        self.put(
            id,
            Ask {
                due: now,
                asked: 0,
                last: now,
            },
        );
    }

    /// Somebody looks at the payment.
    pub fn look(&mut self, id: K, now: Timestamp) {
        let Some(ask) = self.asks.get(&id).copied() else {
            return;
        };
        let soon = ask.last.plus(LOOK_S * SECOND).max(now);
        if soon < ask.due {
            self.put(id, Ask { due: soon, ..ask });
        }
    }

    /// Takes out what is due; each comes back by [`Schedule::again`] or is ended by [`Schedule::end`].
    pub fn take_due(&mut self, now: Timestamp, most: usize) -> Vec<K> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some((due, id)) = self.due.first().copied()
            && due <= now
        {
            self.due.pop_first();
            taken.push(id);
        }
        taken
    }

    /// A question brought no decision: the next one is later.
    pub fn again(&mut self, id: K, now: Timestamp) {
        let Some(ask) = self.asks.get(&id).copied() else {
            return;
        };
        let asked = (ask.asked + 1).min(WAITS_S.len() - 1);
        let due = now.plus(WAITS_S[asked] * SECOND);
        self.put(
            id,
            Ask {
                due,
                asked,
                last: now,
            },
        );
    }

    /// The payment is decided.
    pub fn end(&mut self, id: K) {
        if let Some(ask) = self.asks.remove(&id) {
            self.due.remove(&(ask.due, id));
        }
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Payments that are not decided.
    pub fn len(&self) -> usize {
        self.asks.len()
    }

    /// True the first time that a payment is asked about.
    pub fn is_first(&self, id: K) -> bool {
        self.asks.get(&id).is_none_or(|ask| ask.asked == 0)
    }

    fn put(&mut self, id: K, ask: Ask) {
        if let Some(old) = self.asks.insert(id, ask) {
            self.due.remove(&(old.due, id));
        }
        self.due.insert((ask.due, id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * SECOND)
    }

    #[test]
    fn waits_grow_and_then_stay() {
        let id = PaymentId::new(1, 1).unwrap();
        let mut schedule = Schedule::<PaymentId>::default();
        schedule.begin(id, at(0), at(0));
        let mut now = 0;
        for wait in [5, 15, 60, 300, 900, 3600, 3600, 3600] {
            assert_eq!(schedule.next(), Some(at(now + wait)));
            now += wait;
            assert!(schedule.take_due(at(now - 1), 9).is_empty());
            assert_eq!(schedule.take_due(at(now), 9), [id]);
            schedule.again(id, at(now));
        }
        schedule.end(id);
        assert_eq!((schedule.next(), schedule.len()), (None, 0));
    }

    #[test]
    fn after_a_restart_age_decides() {
        let id = PaymentId::new(1, 1).unwrap();
        let mut schedule = Schedule::<PaymentId>::default();
        schedule.begin(id, at(0), at(400));
        assert_eq!(schedule.take_due(at(400), 9), [id]);
        schedule.again(id, at(400));
        assert_eq!(
            schedule.next(),
            Some(at(400 + 3600)),
            "older than 380 s: four questions have passed"
        );
    }

    #[test]
    fn somebody_looks() {
        let id = PaymentId::new(1, 1).unwrap();
        let mut schedule = Schedule::<PaymentId>::default();
        schedule.begin(id, at(0), at(0));
        schedule.take_due(at(5), 9);
        schedule.again(id, at(5));
        schedule.look(id, at(6));
        assert_eq!(schedule.next(), Some(at(10)));
        schedule.look(id, at(6));
        assert_eq!(schedule.next(), Some(at(10)));
    }
}
