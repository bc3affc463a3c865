//! Requests that must happen once: the Idempotency-Key, and what is known of requests just made.

use crate::limits;
use crate::problem::{Fault, Problem};
use axum::http::HeaderMap;
use charge::{EntityKey, Money, Msisdn, PartnerId, Timestamp};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet, VecDeque};

/// Requests that are being worked on and top-ups just made, in the memory of this process. Nothing depends on it for
/// safety: the core remembers ids durably. It gives 409 to a retry that overtakes its first try, catches a second
/// identical recharge, and finds a new top-up by its id before the read models know it.
#[derive(Default)]
pub struct InFlight {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    keys: HashSet<(PartnerId, u128)>,
    recharges: HashMap<(PartnerId, Msisdn, Money), Timestamp>,
    recharge_order: VecDeque<((PartnerId, Msisdn, Money), Timestamp)>,
    top_ups: HashMap<u128, EntityKey>,
    top_up_order: VecDeque<u128>,
}

impl InFlight {
    /// Marks an Idempotency-Key as being worked on, until the guard is dropped.
    ///
    /// # Errors
    /// [`Fault::InFlight`] when it already is.
    pub fn begin(&self, partner: PartnerId, key: u128) -> Result<Guard<'_>, Problem> {
        if self.inner.lock().keys.insert((partner, key)) {
            Ok(Guard {
                in_flight: self,
                key: (partner, key),
            })
        } else {
            Err(Fault::InFlight.into())
        }
    }

    /// Notes a recharge; none when the same one was noted less than [`limits::RECENT_RECHARGE_S`] ago.
    pub fn note_recharge(&self, recharge: (PartnerId, Msisdn, Money), now: Timestamp) -> Option<Noted<'_>> {
        let horizon = now.plus(-limits::RECENT_RECHARGE_S * charge::time::SECOND);
        let mut inner = self.inner.lock();
        let full = inner.recharge_order.len() >= limits::RECENT_TOP_UPS_MAX;
        while let Some((old, at)) = inner.recharge_order.front().copied() {
            if at > horizon && !full {
                break;
            }
            inner.recharge_order.pop_front();
            if inner.recharges.get(&old) == Some(&at) {
                inner.recharges.remove(&old);
            }
            if full {
                break;
            }
        }
        if inner.recharges.get(&recharge).is_some_and(|at| *at > horizon) {
            return None;
        }
        inner.recharges.insert(recharge, now);
        inner.recharge_order.push_back((recharge, now));
        Some(Noted {
            in_flight: self,
            recharge: Some(recharge),
        })
    }

    /// Remembers where a top-up is.
    pub fn note_top_up(&self, id: u128, key: EntityKey) {
        let mut inner = self.inner.lock();
        if inner.top_ups.insert(id, key).is_none() {
            inner.top_up_order.push_back(id);
        }
        if inner.top_up_order.len() > limits::RECENT_TOP_UPS_MAX
            && let Some(oldest) = inner.top_up_order.pop_front()
        {
            inner.top_ups.remove(&oldest);
        }
    }

    /// Where a top-up just made is.
    pub fn top_up(&self, id: u128) -> Option<EntityKey> {
        self.inner.lock().top_ups.get(&id).copied()
    }
}

/// An Idempotency-Key being worked on.
pub struct Guard<'a> {
    in_flight: &'a InFlight,
    key: (PartnerId, u128),
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.in_flight.inner.lock().keys.remove(&self.key);
    }
}

/// A recharge that was noted; forgotten when this is dropped before [`Noted::keep`]: nothing came of it, or the caller has gone
/// and comes back with the same request, which is no second one.
#[must_use]
pub struct Noted<'a> {
    in_flight: &'a InFlight,
    recharge: Option<(PartnerId, Msisdn, Money)>,
}

impl Noted<'_> {
    /// It was made, or may have been.
    pub fn keep(mut self) {
        self.recharge = None;
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        if let Some(recharge) = self.recharge {
            self.in_flight.inner.lock().recharges.remove(&recharge);
        }
    }
}

/// The Idempotency-Key of a request: 1 to 255 visible ASCII characters, with or without the quotes of a structured field.
///
/// # Errors
/// [`Fault::BadIdempotencyKey`] when it is missing, empty, too long, repeated or has other characters.
pub fn idempotency_key(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let text = values.next().and_then(|value| value.to_str().ok());
    let text = text.map(|text| {
        text.strip_prefix('"')
            .and_then(|t| t.strip_suffix('"'))
            .unwrap_or(text)
    });
    let good = |text: &&str| {
        (1..=limits::IDEMPOTENCY_KEY_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match (text.filter(good), values.next()) {
        (Some(text), None) => Ok(text),
        _ => Err(Fault::BadIdempotencyKey.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_worked_on_once_at_a_time() {
        let in_flight = InFlight::default();
        let guard = in_flight.begin(PartnerId(1), 5).ok();
        assert!(guard.is_some());
        assert!(in_flight.begin(PartnerId(1), 5).is_err());
        assert!(in_flight.begin(PartnerId(2), 5).is_ok());
        drop(guard);
        assert!(in_flight.begin(PartnerId(1), 5).is_ok());
    }

    #[test]
    fn a_second_identical_recharge_is_seen_for_two_minutes() {
        let in_flight = InFlight::default();
        let recharge = (
            PartnerId(1),
            Msisdn::parse("923001234567").unwrap(),
            Money::from_units(100),
        );
        let at = |seconds: i32| Timestamp::from_seconds(1_000 + i64::from(seconds));
        let note = |recharge, seconds| in_flight.note_recharge(recharge, at(seconds)).map(Noted::keep);
        assert!(note(recharge, 0).is_some());
        assert!(note(recharge, 119).is_none());
        assert!(note((PartnerId(2), recharge.1, recharge.2), 119).is_some());
        let noted = in_flight.note_recharge(recharge, at(121));
        assert!(noted.is_some() && note(recharge, 122).is_none());
        drop(noted);
        assert!(note(recharge, 123).is_some(), "nothing came of the one before");
    }

    #[test]
    fn keys_are_checked() {
        let key = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("idempotency-key", value.parse().unwrap());
            idempotency_key(&headers).map(str::to_owned).ok()
        };
        assert_eq!(key("abc-1").as_deref(), Some("abc-1"));
        assert_eq!(key("\"abc\"").as_deref(), Some("abc"));
        assert_eq!(key("a b"), None);
        assert_eq!(key(""), None);
        assert_eq!(key(&"x".repeat(256)), None);
        assert!(idempotency_key(&HeaderMap::new()).is_err());
    }
}
