//! Callbacks of partners at work: fed from the journal, delivered over HTTP until they are acknowledged or parked.
//!
//! # Layout
//! * here: [`Deliverer`], which decides what goes out when
//! * [`client`]: one POST to one checked address, within limits

pub mod client;
#[cfg(test)]
mod tests;

use charge::catalog::Catalogs;
use charge::terms::CallbackSecret;
use charge::{Entity, EntityKey, PartnerId, Timestamp};
use client::Client;
use engine::Engine;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use store::{Callback, CallbackId, Delivery};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use web::bind::CallbackLog;
use web::core::Gauge;
use web::partner_callback::{Reach, SIGNATURE_HEADER, Sealer, body, signature};

/// Callbacks of one partner that are on their way at the same time.
const PARTNER_PARALLEL_MAX: usize = 4;
/// Callbacks that are on their way at the same time, all partners together.
const PARALLEL_MAX: usize = 64;
/// The queue is looked at so often even when nobody says that something is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Waits between attempts, seconds; the last one repeats until the day is over.
const WAITS_S: [i64; 8] = [5, 15, 60, 300, 900, 3_600, 7_200, 14_400];
/// A callback that was not acknowledged for so long is parked, microseconds: a day.
const PARKED_AFTER_US: i64 = 24 * 3_600 * 1_000_000;
/// Acknowledged callbacks are shown for so long, microseconds: 30 days.
const SHOWN_US: i64 = 30 * 24 * 3_600 * 1_000_000;
/// How often old ones are forgotten.
const PURGE_EVERY: Duration = Duration::from_secs(3_600);
/// After so many failures in a row, an address gets one callback at a time until one is acknowledged.
const FAILURES_BEFORE_PROBING: u32 = 3;
/// Longest text kept of a failure.
const REASON_CHARACTERS_MAX: usize = 200;

/// What the configuration says about callbacks.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallbacksConfig {
    /// This very machine may be called, and without TLS.
    pub allow_loopback: bool,
    /// First wait between attempts in milliseconds instead of five seconds; 0: as it is. For tests.
    pub first_wait_ms: u32,
}

impl CallbacksConfig {
    /// Where callbacks may go.
    pub fn reach(&self) -> Reach {
        Reach {
            loopback: self.allow_loopback,
        }
    }
}

/// Finds the secrets that sign a partner's callbacks.
pub type Secrets = Arc<dyn Fn(PartnerId, bool) -> Result<Vec<CallbackSecret>, String> + Send + Sync>;

/// The secrets as the engine knows them.
pub fn secrets_of(engine: &Arc<Engine>) -> Secrets {
    let engine = Arc::clone(engine);
    Arc::new(move |partner, test| {
        let look = |entity: Option<&Entity>, _| {
            let terms = entity.and_then(Entity::terms);
            terms.map(|terms| terms.secrets.clone()).unwrap_or_default()
        };
        engine
            .read(EntityKey::Terms(partner, test), look)
            .map_err(|error| error.to_string())
    })
}

/// What the deliverer works with.
pub struct Parts {
    /// The queue.
    pub log: CallbackLog,
    /// Finds secrets.
    pub secrets: Secrets,
    /// Opens them.
    pub sealer: Sealer,
    /// For names and currencies in bodies.
    pub catalogs: Arc<Catalogs>,
    /// How it was configured.
    pub config: CallbacksConfig,
    /// Tells the time.
    pub now: fn() -> Timestamp,
}

/// The running delivery.
pub struct Deliverer {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Deliverer {
    /// Starts. Within a tokio runtime.
    pub fn start(parts: Parts) -> anyhow::Result<Deliverer> {
        let client = Client::new(parts.config.reach())?;
        let (stop, stopped) = watch::channel(false);
        let round = Round {
            parts: Arc::new(parts),
            client: Arc::new(client),
            under_way: JoinSet::new(),
            ids: HashMap::new(),
            failures: HashMap::new(),
        };
        Ok(Deliverer {
            stop,
            task: tokio::spawn(round.run(stopped)),
        })
    }

    /// Ends; what was not acknowledged stays in the queue.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the delivery of callbacks failed");
        }
    }
}

/// How the queue is doing, for `/metrics`.
pub fn gauges(log: &CallbackLog) -> Vec<Gauge> {
    let backlog = log.queue().lock().backlog().unwrap_or_default();
    let gauge = |name, help, value: u64| Gauge {
        name,
        help,
        label: None,
        value: i64::try_from(value).unwrap_or(i64::MAX),
    };
    vec![
        gauge("callbacks_pending", "Callbacks to be delivered", backlog.pending),
        gauge(
            "callbacks_parked",
            "Callbacks that were not acknowledged for a day",
            backlog.failed,
        ),
    ]
}

struct Round {
    parts: Arc<Parts>,
    client: Arc<Client>,
    under_way: JoinSet<(CallbackId, Delivery)>,
    /// What is under way, and to which address.
    ids: HashMap<CallbackId, String>,
    /// Failures in a row by address. Bounded by the addresses that have something pending.
    failures: HashMap<String, u32>,
}

impl Round {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut purge = tokio::time::interval(PURGE_EVERY);
        loop {
            let next = self.send_due().await;
            tokio::select! {
                _ = stopped.changed() => break,
                done = self.under_way.join_next(), if !self.under_way.is_empty() => self.settle(done).await,
                () = self.parts.log.woken() => {}
                () = tokio::time::sleep(next) => {}
                _ = purge.tick() => {
                    let before = (self.parts.now)().0 - SHOWN_US;
                    // An error is logged where it happens, and the next hour tries again.
                    let _ = self.parts.log.ask(move |callbacks| callbacks.purge(before)).await;
                }
            }
        }
        self.under_way.shutdown().await;
    }

    /// Sends what is due; answers how long nothing else will be.
    async fn send_due(&mut self) -> Duration {
        let now = (self.parts.now)().0;
        let limit = PARTNER_PARALLEL_MAX + self.ids.len();
        let asked = self.parts.log.ask(move |callbacks| {
            let due = callbacks.due(now, limit)?;
            Ok((due, callbacks.next_due()?))
        });
        let Ok((due, next)) = asked.await else {
            return LOOK_EVERY;
        };
        let waiting: HashSet<&str> = due.iter().map(|callback| callback.url.as_str()).collect();
        if self.failures.len() > 1_024 {
            self.failures.retain(|url, _| waiting.contains(url.as_str()));
        }
        for callback in due {
            if self.under_way.len() >= PARALLEL_MAX {
                break;
            }
            if self.may_go(&callback) {
                self.send(callback);
            }
        }
        let left_us = next.map_or(i64::MAX, |next| next.saturating_sub(now));
        Duration::from_micros(u64::try_from(left_us).unwrap_or(0))
            .clamp(Duration::from_millis(20), LOOK_EVERY)
    }

    /// Within the partner's limit; one at a time to an address that fails.
    fn may_go(&self, callback: &Callback) -> bool {
        let id = callback.id;
        if self.ids.contains_key(&id) {
            return false;
        }
        let of_partner = self
            .ids
            .keys()
            .filter(|other| other.partner == id.partner)
            .count();
        let to_address = self.ids.values().filter(|url| **url == callback.url).count();
        let failing = self.failures.get(&callback.url).copied().unwrap_or(0) >= FAILURES_BEFORE_PROBING;
        of_partner < PARTNER_PARALLEL_MAX && (!failing || to_address == 0)
    }

    fn send(&mut self, callback: Callback) {
        self.ids.insert(callback.id, callback.url.clone());
        let (parts, client) = (Arc::clone(&self.parts), Arc::clone(&self.client));
        self.under_way.spawn(async move {
            let outcome = attempt(&parts, &client, &callback).await;
            (callback.id, verdict(&parts, &callback, outcome))
        });
    }

    async fn settle(&mut self, done: Option<Result<(CallbackId, Delivery), tokio::task::JoinError>>) {
        let mut deliveries = Vec::new();
        match done {
            Some(Ok(delivery)) => deliveries.push(delivery),
            Some(Err(error)) => {
                tracing::error!(%error, "an attempt at a callback failed");
                // Which one is not known, so that all count as not under way; receivers know repetitions by their id.
                self.under_way.abort_all();
                self.ids.clear();
            }
            None => {}
        }
        while let Some(Ok(delivery)) = self.under_way.try_join_next() {
            deliveries.push(delivery);
        }
        for (id, delivery) in &deliveries {
            let Some(url) = self.ids.remove(id) else { continue };
            match delivery {
                Delivery::Acknowledged { .. } => {
                    self.failures.remove(&url);
                }
                Delivery::Retry { .. } | Delivery::Park { .. } => *self.failures.entry(url).or_default() += 1,
            }
        }
        let now = (self.parts.now)().0;
        // An error is logged where it happens; the callback is sent again, which receivers must expect.
        let _ = self
            .parts
            .log
            .ask(move |callbacks| callbacks.attempted(&deliveries, now))
            .await;
    }
}

/// One attempt: the status of the answer, or why there was none.
async fn attempt(parts: &Arc<Parts>, client: &Client, callback: &Callback) -> Result<u16, String> {
    let id = callback.id;
    let finder = Arc::clone(&parts.secrets);
    let stored = tokio::task::spawn_blocking(move || finder(id.partner, id.test))
        .await
        .map_err(|_| "our own failure".to_owned())??;
    let open = |secret| parts.sealer.open(id.partner, id.test, secret);
    let secrets: Option<Vec<String>> = stored.iter().map(open).collect();
    let secrets = secrets
        .filter(|secrets| !secrets.is_empty())
        .ok_or("there is no secret that this installation can open")?;
    let body = body(&callback.due, &parts.catalogs);
    let signed = signature(secrets.iter().map(String::as_str), (parts.now)(), &body);
    let target = parts.config.reach().target(&callback.url, id.test)?;
    let headers = [
        ("content-type", "application/json"),
        (SIGNATURE_HEADER, &signed[..]),
    ];
    let answer = client.post(&target, &headers, body).await?;
    Ok(answer.status)
}

fn verdict(parts: &Parts, callback: &Callback, outcome: Result<u16, String>) -> Delivery {
    let (status, reason) = match outcome {
        Ok(status @ 200..=299) => return Delivery::Acknowledged { status },
        Ok(status @ 300..=399) => (
            Some(status),
            format!("answered {status}; redirects are not followed"),
        ),
        Ok(status) => (Some(status), format!("answered {status}")),
        Err(reason) => (None, reason),
    };
    let reason: String = reason.chars().take(REASON_CHARACTERS_MAX).collect();
    let now = (parts.now)().0;
    let at = now.saturating_add(wait_us(&parts.config, callback.attempts));
    if at.saturating_sub(callback.since) > PARKED_AFTER_US {
        let name =
            web::partner_callback::name_of(callback.id.partner, callback.id.test, callback.id.sequence);
        tracing::warn!(callback = name, reason, "a callback was parked");
        Delivery::Park { status, reason }
    } else {
        Delivery::Retry { status, reason, at }
    }
}

fn wait_us(config: &CallbacksConfig, attempts: u32) -> i64 {
    let step = usize::try_from(attempts)
        .unwrap_or(usize::MAX)
        .min(WAITS_S.len() - 1);
    match config.first_wait_ms {
        0 => WAITS_S[step] * 1_000_000,
        first => WAITS_S[step] * i64::from(first) * 200,
    }
}
