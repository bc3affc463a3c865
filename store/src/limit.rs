//! The physical limit of a disk: what appending and syncing the same bytes costs without any database.

use crate::sqlite::file_error;
use crate::traits::StoreError;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// What [`raw_append_limit`] measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawAppend {
    /// Appends, each followed by a sync of its data.
    pub commits: usize,
    /// Bytes written.
    pub bytes: u64,
    /// Time for all of them.
    pub elapsed: Duration,
    /// What 99 of 100 operations would wait at most if they came at any moment: for the append under way, and then for
    /// their own. Nothing that syncs before it answers can be quicker.
    pub p99: Duration,
}

/// Replays the sizes of commits (bytes of all batches in one transaction) as raw appends, each with an `fdatasync`, to a
/// scratch file in `dir` (on the disk to be judged), which is removed at the end. Blocks for as long as the disk takes.
pub fn raw_append_limit(dir: &Path, sizes: &[usize]) -> Result<RawAppend, StoreError> {
    let path = dir.join("raw-append.scratch");
    let error = |e| file_error("measure the disk with", &path, e);
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .truncate(false)
        .open(&path)
        .map_err(error)?;
    file.set_len(0).map_err(error)?;
    // Not zeros: some disks and file systems store those for free.
    let noise: Vec<u8> = (0..sizes.iter().copied().max().unwrap_or(0))
        .map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let start = Instant::now();
    let (mut bytes, mut ends) = (0, Vec::with_capacity(sizes.len()));
    for size in sizes {
        file.write_all(&noise[..*size]).map_err(error)?;
        file.sync_data().map_err(error)?;
        bytes += *size as u64;
        ends.push(start.elapsed());
    }
    let elapsed = start.elapsed();
    drop(file);
    std::fs::remove_file(&path).map_err(error)?;
    Ok(RawAppend {
        commits: sizes.len(),
        bytes,
        elapsed,
        p99: p99_wait(&ends),
    })
}

/// Moments between two arrivals that [`p99_wait`] looks at.
const ARRIVAL: Duration = Duration::from_micros(50);

/// The 99th percentile of the time from an arrival to the end of the append after the one under way, over arrivals at all
/// moments alike.
fn p99_wait(ends: &[Duration]) -> Duration {
    let mut waits = Vec::new();
    let mut arrival = Duration::ZERO;
    for (at, end) in ends.iter().enumerate() {
        let Some(own) = ends.get(at + 1) else { break };
        while arrival < *end {
            waits.push(*own - arrival);
            arrival += ARRIVAL;
        }
    }
    waits.sort_unstable();
    waits.get(waits.len() * 99 / 100).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_counts_by_the_time_it_takes() {
        let regular: Vec<Duration> = (1..=1000).map(Duration::from_millis).collect();
        let wait = p99_wait(&regular);
        assert!(
            wait > Duration::from_micros(1_900) && wait <= Duration::from_millis(2),
            "{wait:?}"
        );
        // One append in a thousand stalls for 200 ms: a sixth of all moments fall into it.
        let stalled: Vec<Duration> = (1..=1000)
            .map(|at| Duration::from_millis(if at >= 500 { at + 200 } else { at }))
            .collect();
        let wait = p99_wait(&stalled);
        assert!(
            wait > Duration::from_millis(180) && wait <= Duration::from_millis(202),
            "{wait:?}"
        );
        assert_eq!(p99_wait(&[]), Duration::ZERO);
    }
}
