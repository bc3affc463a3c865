//! Messages that were not believed, told to the log once for each rail and minute, with their number: whoever floods a rail's
//! address does not fill the disk.

use charge::time::MINUTE;
use charge::{Code, Timestamp};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Between two lines about one rail.
const INTERVAL: i64 = MINUTE;

/// What was told and counted. Rails are few: only those that are set up are counted.
#[derive(Default)]
pub struct Doubts(Mutex<BTreeMap<Code, Counted>>);

struct Counted {
    told_at: Timestamp,
    since: u64,
}

impl Doubts {
    /// Counts one. `Some`: it is time to tell, and so many more came since the last line.
    pub fn count(&self, rail: Code, now: Timestamp) -> Option<u64> {
        let mut all = self.0.lock();
        let Some(counted) = all.get_mut(&rail) else {
            all.insert(
                rail,
                Counted {
                    told_at: now,
                    since: 0,
                },
            );
            return Some(0);
        };
        if now.0 - counted.told_at.0 < INTERVAL {
            counted.since += 1;
            return None;
        }
        counted.told_at = now;
        Some(std::mem::take(&mut counted.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_rail_and_minute_and_none_is_lost_from_the_count() {
        let doubts = Doubts::default();
        let (bank, card) = (Code::new("bank").unwrap(), Code::new("card").unwrap());
        let lines: Vec<u64> = (0..100_000)
            .filter_map(|n| doubts.count(bank, Timestamp(n * MINUTE / 50_000)))
            .collect();
        assert_eq!(lines, [0, 49_999]);
        assert_eq!(
            doubts.count(card, Timestamp(5)),
            Some(0),
            "another rail is heard at once"
        );
        assert_eq!(doubts.count(bank, Timestamp(9 * MINUTE)), Some(49_999));
    }
}
