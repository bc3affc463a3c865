//! A progress bar on standard error, only when that is a terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

const WIDTH: usize = 30;
const REDRAW_EVERY: Duration = Duration::from_millis(100);

/// A bar for work of a known or unknown (0) size. Silent when nobody watches.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    total: u64,
    started: Instant,
    drawn: Option<Instant>,
    visible: bool,
}

impl Progress {
    /// A bar for `total` things; 0 when nobody knows how many.
    pub fn new(what: &'static str, total: u64) -> Progress {
        Progress {
            what,
            total,
            started: Instant::now(),
            drawn: None,
            visible: std::io::stderr().is_terminal(),
        }
    }

    /// So many are done now; `total` may have become known.
    pub fn at(&mut self, done: u64, total: u64) {
        self.total = total;
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW_EVERY);
        if self.visible && due {
            self.drawn = Some(Instant::now());
            let line = line(self.what, done, self.total, self.started.elapsed());
            // Nobody is harmed by a bar that cannot be drawn.
            let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(what: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let per_s = u128::from(done) * 1_000 / elapsed.as_millis().max(1);
    if total == 0 {
        return format!("{what} {done}  {per_s}/s");
    }
    let share =
        usize::try_from(u128::from(done.min(total)) * WIDTH as u128 / u128::from(total)).unwrap_or(WIDTH);
    let left_s = u128::from(total.saturating_sub(done)) / per_s.max(1);
    format!(
        "{what} [{}{}] {done}/{total}  {per_s}/s  {left_s} s left",
        "#".repeat(share),
        ".".repeat(WIDTH - share)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars() {
        assert_eq!(
            line("accounts", 50, 100, Duration::from_secs(5)),
            "accounts [###############...............] 50/100  10/s  5 s left"
        );
        assert_eq!(line("batches", 50, 0, Duration::from_secs(5)), "batches 50  10/s");
        assert!(line("x", 200, 100, Duration::ZERO).contains("[##############################]"));
    }
}
