//! The global brake: so many wrong PINs in a minute over all numbers, whoever types them.

use charge::Timestamp;
use charge::time::MINUTE;
use parking_lot::Mutex;
use std::time::Duration;

/// Millionths of a try.
const UNIT: i64 = 1_000_000;

/// A bucket of tries, refilled with time. A try that was good gives its place back.
pub struct Brake {
    per_minute: i64,
    bucket: Mutex<Bucket>,
}

struct Bucket {
    left: i64,
    at: Timestamp,
}

impl Brake {
    /// So many in a minute, all at once if need be.
    pub fn per_minute(count: u32) -> Brake {
        let per_minute = i64::from(count.max(1));
        Brake {
            per_minute,
            bucket: Mutex::new(Bucket {
                left: per_minute * UNIT,
                at: Timestamp(i64::MIN),
            }),
        }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// How long to wait for one.
    pub fn take(&self, now: Timestamp) -> Result<Permit<'_>, Duration> {
        let mut bucket = self.bucket.lock();
        self.refill(&mut bucket, now);
        if bucket.left < UNIT {
            let wait = times(UNIT - bucket.left, MINUTE, self.per_minute * UNIT);
            return Err(Duration::from_micros(u64::try_from(wait).unwrap_or(0).max(1)));
        }
        bucket.left -= UNIT;
        Ok(Permit { brake: self })
    }

    /// Places that are left.
    pub fn left(&self, now: Timestamp) -> u32 {
        let mut bucket = self.bucket.lock();
        self.refill(&mut bucket, now);
        u32::try_from(bucket.left / UNIT).unwrap_or(0)
    }

    fn refill(&self, bucket: &mut Bucket, now: Timestamp) {
        // Longer pauses than a minute fill it anyway.
        let passed = now.0.saturating_sub(bucket.at.0).clamp(0, MINUTE);
        let more = times(self.per_minute * UNIT, passed, MINUTE);
        if more > 0 || bucket.at.0 == i64::MIN {
            bucket.left = (bucket.left + more).min(self.per_minute * UNIT);
            bucket.at = now;
        }
    }
}

/// `a` times `b` by `c`: the product alone may be larger than it can be.
fn times(a: i64, b: i64, c: i64) -> i64 {
    let product = i128::from(a) * i128::from(b) / i128::from(c.max(1));
    i64::try_from(product).unwrap_or(i64::MAX)
}

/// A place that was taken.
pub struct Permit<'a> {
    brake: &'a Brake,
}

impl Permit<'_> {
    /// The try was good, or did not take place.
    pub fn give_back(self) {
        let mut bucket = self.brake.bucket.lock();
        bucket.left = (bucket.left + UNIT).min(self.brake.per_minute * UNIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lets_through_what_a_minute_allows() {
        let brake = Brake::per_minute(60);
        let now = |seconds: i64| Timestamp::from_seconds(1_000_000 + seconds);
        let taken = |seconds| (0..100).filter(|_| brake.take(now(seconds)).is_ok()).count();
        assert_eq!(taken(0), 60);
        assert_eq!(taken(0), 0);
        assert!(
            brake
                .take(now(0))
                .is_err_and(|wait| wait <= Duration::from_secs(1))
        );
        assert_eq!(taken(1), 1);
        assert_eq!(taken(31), 30);
        assert_eq!(taken(10_000), 60, "a pause does not gather more than a minute");
        brake.take(now(10_001)).expect("one has come").give_back();
        assert_eq!(brake.left(now(10_001)), 1);
        assert_eq!(taken(9_000), 1, "a clock that goes back brings nothing");
        let wide = Brake::per_minute(u32::MAX);
        assert!(wide.take(now(0)).is_ok() && wide.take(now(59)).is_ok());
        assert_eq!(wide.left(now(100)), u32::MAX);
    }
}
