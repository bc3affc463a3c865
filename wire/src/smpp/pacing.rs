//! How fast we may send: a rate limit, and a pause that grows while the message centre says "too fast".

/// At most `per_second` events a second, with a tenth of a second's worth of burst (GCRA).
#[derive(Debug, Clone)]
pub struct RateLimit {
    interval_micros: u64,
    burst_micros: u64,
    next_micros: u64,
}

impl RateLimit {
    /// No limit when `per_second` is `None` or zero.
    #[must_use]
    pub fn new(per_second: Option<u32>) -> Self {
        let interval_micros = per_second
            .filter(|rate| *rate > 0)
            .map_or(0, |rate| 1_000_000 / u64::from(rate));
        Self {
            interval_micros,
            burst_micros: 100_000,
            next_micros: 0,
        }
    }

    /// Whether one more may go now.
    #[must_use]
    pub fn is_open(&self, now_micros: u64) -> bool {
        now_micros >= self.opens_micros()
    }

    /// When one more may go.
    #[must_use]
    pub fn opens_micros(&self) -> u64 {
        self.next_micros.saturating_sub(self.burst_micros)
    }

    /// Counts one that goes now.
    pub fn take(&mut self, now_micros: u64) {
        self.next_micros = self
            .next_micros
            .max(now_micros)
            .saturating_add(self.interval_micros);
    }
}

/// A pause that doubles from `min` to `max` with every complaint and goes back to `min` after success.
#[derive(Debug, Clone)]
pub struct Backoff {
    min_micros: u64,
    max_micros: u64,
    next_micros: u64,
    until_micros: u64,
}

impl Backoff {
    /// Pauses between `min_micros` and `max_micros`.
    #[must_use]
    pub fn new(min_micros: u64, max_micros: u64) -> Self {
        let min_micros = min_micros.max(1);
        Self {
            min_micros,
            max_micros: max_micros.max(min_micros),
            next_micros: min_micros,
            until_micros: 0,
        }
    }

    /// Starts or lengthens the pause; gives its end. Complaints that arrive during a pause are the
    /// echo of what was already on its way and do not lengthen it.
    pub fn complain(&mut self, now_micros: u64) -> u64 {
        if now_micros >= self.until_micros {
            self.until_micros = now_micros.saturating_add(self.next_micros);
            self.next_micros = self.next_micros.saturating_mul(2).min(self.max_micros);
        }
        self.until_micros
    }

    /// Something succeeded outside a pause.
    pub fn succeed(&mut self, now_micros: u64) {
        if now_micros >= self.until_micros {
            self.next_micros = self.min_micros;
        }
    }

    /// When the pause ends; in the past when there is none.
    #[must_use]
    pub fn until_micros(&self) -> u64 {
        self.until_micros
    }
}
