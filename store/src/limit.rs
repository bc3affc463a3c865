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
    let noise = noise(sizes.iter().copied().max().unwrap_or(0));
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

/// A load that [`raw_open_loop`] puts on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenLoop {
    /// Operations per second, each at its planned time.
    pub rate: u32,
    /// For so long.
    pub time: Duration,
    /// Syncs one after the other that an operation waits for.
    pub syncs: u32,
    /// Bytes that an operation appends before each.
    pub bytes: usize,
}

/// Appends and syncs for operations that come at their planned times, whatever the disk does: each sync serves all that
/// wait, as a group commit does. Gives the time of each operation from its planned time to its last sync, sorted. The file
/// grows, which costs a little more than a log that is overwritten in place. The scratch file in `dir` is removed at the
/// end. Blocks.
pub fn raw_open_loop(dir: &Path, load: OpenLoop) -> Result<Vec<Duration>, StoreError> {
    let path = dir.join("raw-open-loop.scratch");
    let error = |e| file_error("measure the disk with", &path, e);
    let mut file = std::fs::File::create(&path).map_err(error)?;
    let rate = load.rate.max(1);
    let count = u64::from(rate).saturating_mul(load.time.as_secs());
    let planned = |at: u64| Duration::from_micros(at.saturating_mul(1_000_000) / u64::from(rate));
    let mut took = Vec::new();
    let mut waiting: Vec<(Duration, u32)> = Vec::new();
    let (start, mut next) = (Instant::now(), 0);
    while next < count || !waiting.is_empty() {
        while next < count && planned(next) <= start.elapsed() {
            waiting.push((planned(next), load.syncs.max(1)));
            next += 1;
        }
        if waiting.is_empty() {
            std::thread::sleep(planned(next).saturating_sub(start.elapsed()));
            continue;
        }
        file.write_all(&noise(load.bytes.saturating_mul(waiting.len())))
            .map_err(error)?;
        file.sync_data().map_err(error)?;
        let now = start.elapsed();
        waiting.retain_mut(|(planned, left)| {
            *left -= 1;
            if *left == 0 {
                took.push(now.saturating_sub(*planned));
            }
            *left > 0
        });
    }
    drop(file);
    std::fs::remove_file(&path).map_err(error)?;
    took.sort_unstable();
    Ok(took)
}

/// Not zeros: some disks and file systems store those for free.
fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect()
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
    #[test]
    fn every_operation_of_an_open_loop_waits_for_its_syncs() {
        let dir = tempfile::tempdir().unwrap();
        let load = |syncs| OpenLoop {
            rate: 300,
            time: Duration::from_secs(1),
            syncs,
            bytes: 100,
        };
        let fewest = |syncs| {
            let took = raw_open_loop(dir.path(), load(syncs)).unwrap();
            assert_eq!(took.len(), 300);
            assert!(took.is_sorted());
            took[0]
        };
        // The quickest of 300: what stands still for a moment does not touch it.
        // So many that it holds in memory as well, where a sync takes a microsecond.
        let (one, many) = (fewest(1), fewest(200));
        assert!(one > Duration::ZERO && many > one * 3, "{one:?} {many:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
