//! Rate limits by API key, address and number, in bounded memory.

use crate::limits::RATE_BUCKETS;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

/// A limit that is kept per caller. Callers are spread over a fixed number of buckets by a keyed hash, so that nobody
/// can fill the memory or aim at somebody else's bucket.
pub struct Rate {
    limiter: DefaultKeyedRateLimiter<u32>,
    clock: DefaultClock,
    hasher: RandomState,
}

impl Rate {
    /// So many per second, in bursts of twice as many.
    pub fn per_second(count: u32) -> Rate {
        Rate::new(Quota::per_second(at_least_one(count)).allow_burst(at_least_one(count.saturating_mul(2))))
    }

    /// So many per minute, all at once if need be.
    pub fn per_minute(count: u32) -> Rate {
        Rate::new(Quota::per_minute(at_least_one(count)))
    }

    /// So many per hour, all at once if need be.
    pub fn per_hour(count: u32) -> Rate {
        Rate::new(Quota::per_hour(at_least_one(count)))
    }

    fn new(quota: Quota) -> Rate {
        Rate {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            hasher: RandomState::new(),
        }
    }

    /// Counts one.
    ///
    /// # Errors
    /// How long to wait, when it is one too many.
    pub fn check(&self, caller: impl Hash) -> Result<(), Duration> {
        let bucket = self.hasher.hash_one(caller) % u64::from(RATE_BUCKETS);
        let bucket = u32::try_from(bucket).unwrap_or(0);
        self.limiter
            .check_key(&bucket)
            .map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

/// What counts as one caller: an IPv4 address, or the /64 that one IPv6 customer has.
pub fn caller_of(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u64::from(u32::from(v4)),
        IpAddr::V6(v6) => (u128::from(v6) >> 64) as u64 | 1 << 63,
    }
}

fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_too_many_is_told_to_wait() {
        let rate = Rate::per_hour(3);
        for _ in 0..3 {
            assert!(rate.check("a").is_ok());
        }
        let wait = rate.check("a").unwrap_err();
        assert!(wait > Duration::from_secs(60) && wait <= Duration::from_secs(3600));
        assert!(rate.check("b").is_ok());
    }

    #[test]
    fn one_customer_is_one_caller() {
        let caller = |text: &str| caller_of(text.parse().unwrap());
        assert_eq!(caller("2001:db8::1"), caller("2001:db8::ffff:2"));
        assert_ne!(caller("2001:db8::1"), caller("2001:db8:0:1::1"));
        assert_eq!(caller("::ffff:192.0.2.1"), caller("192.0.2.1"));
    }
}
