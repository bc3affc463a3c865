//! What all sandboxes share: orders to misbehave, the book of what was really taken, callbacks on their way.

use super::misbehaviour::{Misbehaviour, Outcome};
use axum::Router;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::Response;
use http_body_util::channel::Channel;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Which way money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the payer.
    Payment,
    /// Back to the payer.
    Refund,
    /// Back to the payer's bank, against our will.
    Chargeback,
}

/// Money that the sandbox really took or gave back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Which way.
    pub direction: Direction,
    /// The merchant's reference.
    pub order: String,
    /// The sandbox's reference: unique.
    pub reference: String,
    /// Minor units (paisa, cents).
    pub minor: i64,
    /// ISO 4217 letters.
    pub currency: String,
    /// Seconds since the epoch by the sandbox's clock.
    pub at_s: i64,
}

/// A callback as the sandbox sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Path and query below the merchant's base address of this rail, beginning with `/`: `/ipn`.
    pub path: String,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// The shared part of a sandbox.
#[derive(Default)]
pub struct Desk {
    inner: Mutex<Inner>,
    /// Carries callbacks; connections are kept.
    client: OnceLock<Option<reqwest::Client>>,
}

#[derive(Default)]
struct Inner {
    wrong: Misbehaviour,
    movements: Vec<Movement>,
    sent: Vec<Callback>,
    held: Vec<Callback>,
    merchant: Option<String>,
    inquiries: HashMap<String, u32>,
    calls: u64,
    last_number: u64,
}

impl Desk {
    /// A desk whose callbacks go nowhere but into [`Desk::callbacks`].
    pub fn new() -> Arc<Desk> {
        Arc::default()
    }

    /// From now on.
    pub fn misbehave(&self, wrong: Misbehaviour) {
        self.inner.lock().wrong = wrong;
    }

    /// What it does wrong now.
    pub fn wrong(&self) -> Misbehaviour {
        self.inner.lock().wrong.clone()
    }

    /// Callbacks go to this address from now on: the merchant's base address of the rail, without a slash at the end.
    pub fn send_to(&self, merchant: &str) {
        self.inner.lock().merchant = Some(merchant.to_owned());
    }

    /// What becomes of a payment: the control, the header, the amount, the number, in this order. `None`: as the payer decides.
    pub fn outcome(&self, headers: &HeaderMap, minor: i64, number: &str) -> Option<Outcome> {
        let header = headers
            .get(super::OUTCOME_HEADER)
            .and_then(|value| value.to_str().ok())
            .and_then(Outcome::parse);
        self.inner
            .lock()
            .wrong
            .outcome
            .or(header)
            .or_else(|| Outcome::of_amount(minor))
            .or_else(|| Outcome::of_number(number))
    }

    /// Call at the start of every request: counts it and waits as long as asked.
    pub async fn arrive(&self) {
        let delay = {
            let mut inner = self.inner.lock();
            inner.calls += 1;
            inner.wrong.delay_ms
        };
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
    }

    /// How many requests arrived.
    pub fn calls(&self) -> u64 {
        self.inner.lock().calls
    }

    /// True when this call is to be cut off before anything happens: answer [`dropped`].
    pub fn drops_before(&self) -> bool {
        take_one(&mut self.inner.lock().wrong.drop_before_commit)
    }

    /// True when this call, whose money has moved, is to be cut off: answer [`dropped`].
    pub fn drops_after(&self) -> bool {
        take_one(&mut self.inner.lock().wrong.drop_after_commit)
    }

    /// Call when money has moved and before the answer: waits as long as asked; true when the call is to be cut off.
    pub async fn leave(&self) -> bool {
        let late = self.inner.lock().wrong.late_ms;
        if late > 0 {
            tokio::time::sleep(Duration::from_millis(late)).await;
        }
        self.drops_after()
    }

    /// True when an inquiry about this order must still say that nothing is known.
    pub fn is_slow(&self, order: &str) -> bool {
        let mut inner = self.inner.lock();
        let slow = inner.wrong.slow_inquiries;
        if slow == 0 {
            return false;
        }
        let asked = inner.inquiries.entry(order.to_owned()).or_default();
        *asked += 1;
        *asked <= slow
    }

    /// A number that was not given before, for references.
    pub fn number(&self) -> u64 {
        let mut inner = self.inner.lock();
        inner.last_number += 1;
        inner.last_number
    }

    /// Seconds since the epoch by the sandbox's clock, which may be off.
    pub fn now_s(&self) -> i64 {
        crate::now().seconds() + self.inner.lock().wrong.clock_skew_s
    }

    /// Writes a movement into the book.
    pub fn book(&self, movement: Movement) {
        self.inner.lock().movements.push(movement);
    }

    /// Everything that really moved, in order.
    pub fn movements(&self) -> Vec<Movement> {
        self.inner.lock().movements.clone()
    }

    /// What was taken for an order less what was given back, in minor units.
    pub fn net(&self, order: &str) -> i64 {
        let inner = self.inner.lock();
        let of_order = inner.movements.iter().filter(|movement| movement.order == order);
        of_order
            .map(|movement| match movement.direction {
                Direction::Payment => movement.minor,
                Direction::Refund | Direction::Chargeback => -movement.minor,
            })
            .sum()
    }

    /// How many movements of this direction an order has.
    pub fn count(&self, order: &str, direction: Direction) -> usize {
        let inner = self.inner.lock();
        let of_order = inner.movements.iter().filter(|movement| movement.order == order);
        of_order
            .filter(|movement| movement.direction == direction)
            .count()
    }

    /// Every callback that left or is held, copies included, in the order of sending.
    pub fn callbacks(&self) -> Vec<Callback> {
        let inner = self.inner.lock();
        inner.sent.iter().chain(&inner.held).cloned().collect()
    }

    /// Sends a callback: so many copies as asked, held back when they are to be reordered.
    pub fn send(self: &Arc<Desk>, callback: &Callback) {
        let ready = {
            let mut inner = self.inner.lock();
            for _ in 0..inner.wrong.callback_copies {
                inner.held.push(callback.clone());
            }
            !inner.wrong.reorder || inner.held.len() >= 2
        };
        if ready {
            self.release();
        }
    }

    /// Lets held callbacks go, the last first when they are to be reordered.
    pub fn release(self: &Arc<Desk>) {
        let (going, merchant) = {
            let mut inner = self.inner.lock();
            let mut going = std::mem::take(&mut inner.held);
            if inner.wrong.reorder {
                going.reverse();
            }
            inner.sent.extend(going.iter().cloned());
            (going, inner.merchant.clone())
        };
        let client = self.client.get_or_init(|| super::transport::client().ok());
        let (Some(merchant), Some(client)) = (merchant, client.clone()) else {
            return;
        };
        tokio::spawn(async move {
            for callback in going {
                super::transport::deliver(&client, &merchant, callback).await;
            }
        });
    }
}

fn take_one(count: &mut u32) -> bool {
    let some = *count > 0;
    *count = count.saturating_sub(1);
    some
}

/// An answer that breaks off: the caller sees a broken connection.
pub fn dropped() -> Response {
    let (sender, body) = Channel::<bytes::Bytes, std::io::Error>::new(1);
    sender.abort(std::io::ErrorKind::ConnectionReset.into());
    Response::new(Body::new(body))
}

/// A sandbox that is being served; it ends when this is dropped.
pub struct Served {
    /// `http://127.0.0.1:port`.
    pub url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a sandbox on loopback; `port` 0 takes a free one.
///
/// # Errors
/// The port is taken.
pub async fn serve(router: Router, port: u16) -> std::io::Result<Served> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::warn!(%error, "a sandbox ended");
        }
    });
    Ok(Served { url, task })
}
