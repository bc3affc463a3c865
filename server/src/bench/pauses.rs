//! What the machine itself does not do in time: how late somebody wakes who only sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One sleep.
const SLEEP: Duration = Duration::from_millis(1);
/// Less lateness than this is that of timers.
const LATE: Duration = Duration::from_millis(5);

/// A thread that sleeps a millisecond at a time and adds up by how much it woke too late, each time at least 5 ms. A
/// virtual machine that is not run by its host shows here, whatever the load does.
pub(super) struct Pauses {
    stop: Arc<AtomicBool>,
    sleeper: JoinHandle<Duration>,
}

impl Pauses {
    /// Starts to sleep.
    pub fn watch() -> std::io::Result<Pauses> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let sleeper = std::thread::Builder::new()
            .name("sleeper".into())
            .spawn(move || {
                let mut sum = Duration::ZERO;
                while !stopped.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    std::thread::sleep(SLEEP);
                    sum += Some(began.elapsed().saturating_sub(SLEEP))
                        .filter(|late| *late >= LATE)
                        .unwrap_or_default();
                }
                sum
            })?;
        Ok(Pauses { stop, sleeper })
    }

    /// The sum, milliseconds.
    pub fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let sum = self.sleeper.join().unwrap_or_default();
        u64::try_from(sum.as_millis()).unwrap_or(u64::MAX)
    }
}
