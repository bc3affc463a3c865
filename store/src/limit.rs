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
    let mut bytes = 0;
    for size in sizes {
        file.write_all(&noise[..*size]).map_err(error)?;
        file.sync_data().map_err(error)?;
        bytes += *size as u64;
    }
    let elapsed = start.elapsed();
    drop(file);
    std::fs::remove_file(&path).map_err(error)?;
    Ok(RawAppend {
        commits: sizes.len(),
        bytes,
        elapsed,
    })
}
