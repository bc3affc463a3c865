//! Carries the letters of one way until they are taken, given up, or worthless: at least once, never lost, a few at a time.

use super::words::{Due, Writer, Written};
use crate::node::desk::Desk;
use charge::Timestamp;
use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use store::{Attempt, Letter, LetterId, LetterWay};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};

/// Letters of one way that are on their way at the same time.
const PARALLEL_MAX: usize = 16;
/// Letters that are asked for at once.
const PAGE: usize = 64;
/// The outbox is looked at so often even when nobody says that something is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Waits between attempts, seconds; the last one repeats as long as the letter is worth anything.
const WAITS_S: [i64; 7] = [5, 15, 60, 300, 900, 1_800, 3_600];
/// A letter whose words need something that is not there yet waits this long, microseconds.
const WRITE_AGAIN_US: i64 = 2_000_000;
/// Longest text kept of a failure.
const REASON_CHARACTERS_MAX: usize = 200;

/// What became of a letter that was carried.
#[derive(Debug)]
pub enum Carried {
    /// Taken by the other side, under this name.
    Taken(String),
    /// Not now; perhaps the other side says when.
    NotNow(String, Option<Duration>),
    /// Never.
    Never(String),
}

/// Carries one letter by one way.
pub trait Carrier: Send + Sync + 'static {
    /// Which.
    fn way(&self) -> LetterWay;
    /// Letters a second, at most; 0: no limit.
    fn per_second(&self) -> u32;
    /// First wait between attempts in milliseconds instead of five seconds; 0: as it is.
    fn first_wait_ms(&self) -> u32;
    /// One attempt. The name of the letter is the same in every attempt, so that the other side can tell them apart.
    fn carry(
        self: Arc<Self>,
        name: String,
        letter: Box<Written>,
    ) -> Pin<Box<dyn Future<Output = Carried> + Send>>;
}

/// A running courier.
pub struct Courier {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Courier {
    /// Starts. Within a tokio runtime. `name` begins the names of letters: it tells installations apart.
    pub fn start<C: Carrier>(desk: Arc<Desk>, writer: Arc<Writer>, carrier: C, name: String) -> Courier {
        let (stop, stopped) = watch::channel(false);
        let round = Round {
            desk,
            writer,
            carrier: Arc::new(carrier),
            name,
            under_way: JoinSet::new(),
            ids: HashSet::new(),
        };
        Courier {
            stop,
            task: tokio::spawn(round.run(stopped)),
        }
    }

    /// Ends; what was not taken stays in the outbox.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a courier failed");
        }
    }
}

struct Round<C> {
    desk: Arc<Desk>,
    writer: Arc<Writer>,
    carrier: Arc<C>,
    name: String,
    under_way: JoinSet<(LetterId, Attempt)>,
    ids: HashSet<LetterId>,
}

impl<C: Carrier> Round<C> {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        loop {
            let rest = self.send_due(&mut stopped).await;
            tokio::select! {
                _ = stopped.changed() => break,
                done = self.under_way.join_next(), if !self.under_way.is_empty() => self.settle(done).await,
                () = self.desk.woken(), if self.ids.len() < PARALLEL_MAX => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
        self.under_way.shutdown().await;
    }

    /// Sends what is due; answers how long nothing else will be.
    async fn send_due(&mut self, stopped: &mut watch::Receiver<bool>) -> Duration {
        let way = self.carrier.way();
        if self.ids.len() >= PARALLEL_MAX {
            return LOOK_EVERY;
        }
        let limit = PAGE + self.ids.len();
        let now = crate::node::now().0;
        let asked = self.desk.ask(move |outbox| {
            let due = outbox.letters_due(way, None, now, limit)?;
            Ok((due, outbox.next_letter_due(way)?))
        });
        let (due, next) = match asked.await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the outbox does not answer");
                return LOOK_EVERY;
            }
        };
        let gap = match self.carrier.per_second() {
            0 => Duration::ZERO,
            rate => Duration::from_secs(1) / rate,
        };
        let full = due.len() > self.ids.len();
        for letter in due {
            if self.ids.len() >= PARALLEL_MAX || *stopped.borrow() {
                break;
            }
            if self.ids.insert(letter.id) {
                self.send(letter);
                tokio::time::sleep(gap).await;
            }
        }
        let left_us = next.map_or(i64::MAX, |next| next.saturating_sub(now));
        let least = Duration::from_millis(if full { 50 } else { 20 });
        Duration::from_micros(u64::try_from(left_us).unwrap_or(0)).clamp(least, LOOK_EVERY)
    }

    fn send(&mut self, letter: Letter) {
        let (writer, carrier) = (Arc::clone(&self.writer), Arc::clone(&self.carrier));
        let name = format!("{}-{}-{}", self.name, letter.at, letter.id.0);
        self.under_way.spawn(async move {
            let id = letter.id;
            (id, attempt(writer, carrier, name, letter).await)
        });
    }

    async fn settle(&mut self, done: Option<Result<(LetterId, Attempt), JoinError>>) {
        let mut attempts = Vec::new();
        match done {
            Some(Ok(attempt)) => attempts.push(attempt),
            Some(Err(error)) => {
                tracing::error!(%error, "an attempt at a letter failed");
                // Which one is not known, so that all count as not under way; they are sent again under the same name.
                self.under_way.abort_all();
                self.ids.clear();
            }
            None => {}
        }
        while let Some(Ok(attempt)) = self.under_way.try_join_next() {
            attempts.push(attempt);
        }
        let now = crate::node::now().0;
        let ids: Vec<LetterId> = attempts.iter().map(|(id, _)| *id).collect();
        let recorded = self
            .desk
            .ask(move |outbox| outbox.letters_attempted(&attempts, now))
            .await;
        if let Err(error) = recorded {
            tracing::error!(
                error = format!("{error:#}"),
                "what became of letters was not recorded"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
        for id in ids {
            self.ids.remove(&id);
        }
    }
}

async fn attempt<C: Carrier>(writer: Arc<Writer>, carrier: Arc<C>, name: String, letter: Letter) -> Attempt {
    let (until, attempts) = (letter.until, letter.attempts);
    let now = crate::node::now();
    let again = |reason: String, wait_us: i64| {
        let at = crate::node::now().0.saturating_add(wait_us);
        let reason: String = reason.chars().take(REASON_CHARACTERS_MAX).collect();
        if at > until {
            Attempt::GiveUp { reason }
        } else {
            Attempt::Retry { reason, at }
        }
    };
    let written = tokio::task::spawn_blocking(move || writer.write(&letter, now)).await;
    let written = match written {
        Ok(Ok(Due::Carry(written))) => written,
        Ok(Ok(Due::Later(Timestamp(at)))) => {
            let reason = "quiet hours".to_owned();
            return Attempt::Retry { reason, at };
        }
        Ok(Ok(Due::Drop(reason))) => {
            let reason = reason.to_owned();
            return Attempt::GiveUp { reason };
        }
        Ok(Err(error)) => return again(format!("{error:#}"), WRITE_AGAIN_US),
        Err(_) => return again("our own failure".to_owned(), WRITE_AGAIN_US),
    };
    let first_wait_ms = carrier.first_wait_ms();
    match carrier.carry(name, written).await {
        Carried::Taken(message_id) => Attempt::Sent { message_id },
        Carried::Never(reason) => {
            let reason = reason.chars().take(REASON_CHARACTERS_MAX).collect();
            Attempt::GiveUp { reason }
        }
        Carried::NotNow(reason, after) => {
            let ours = wait_us(first_wait_ms, attempts);
            let theirs = after.map_or(0, |after| i64::try_from(after.as_micros()).unwrap_or(i64::MAX));
            again(reason, ours.max(theirs))
        }
    }
}

fn wait_us(first_wait_ms: u32, attempts: u32) -> i64 {
    let step = usize::try_from(attempts)
        .unwrap_or(usize::MAX)
        .min(WAITS_S.len() - 1);
    match first_wait_ms {
        0 => WAITS_S[step] * 1_000_000,
        first => WAITS_S[step] * i64::from(first) * 200,
    }
}
