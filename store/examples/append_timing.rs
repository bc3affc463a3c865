//! How near the journal comes to the disk: the same bytes through `Journal::append` and as raw append + fsync.
//!
//! `cargo run --release -p store --example append_timing [DIR] [SECONDS] [PAGE_BYTES] [WAL_MIB]`

use std::path::PathBuf;
use std::time::{Duration, Instant};
use store::{BatchBuilder, Hash, JournalRow, SqliteOptions, SqliteStore, Store, raw_append_limit};

const EVENT_BYTES: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let dir = PathBuf::from(args.get(1).map_or("target/append-timing", String::as_str));
    let seconds = Duration::from_secs(args.get(2).map_or(Ok(5), |text| text.parse())?);
    let mut options = SqliteOptions::default();
    if let Some(text) = args.get(3) {
        options.journal_page_bytes = text.parse()?;
    }
    if let Some(text) = args.get(4) {
        options.journal_wal_bytes = text.parse::<u64>()? << 20;
    }
    println!("{EVENT_BYTES}-byte events, {options:?}");
    println!(
        "events/row rows/commit |   journal/s      raw/s  ratio | commit p50 p99 max µs | build+hash ns/event"
    );
    for (events, rows) in [
        (1, 1),
        (128, 1),
        (1024, 1),
        (4096, 1),
        (16, 8),
        (128, 8),
        (64, 16),
    ] {
        measure(&dir, &options, events, rows, seconds)?;
    }
    Ok(())
}

fn measure(
    dir: &std::path::Path,
    options: &SqliteOptions,
    events: usize,
    rows_per_commit: usize,
    time: Duration,
) -> Result<(), Box<dyn std::error::Error>> {
    // The directory is ours: left by an earlier run of this example.
    if dir.join("journal.sqlite").exists() {
        std::fs::remove_dir_all(dir)?;
    }
    let store = SqliteStore::open(dir, options.clone())?;
    let mut journal = store.journal()?;
    let mut builder = BatchBuilder::new();
    let mut hashes = vec![Hash::NONE; rows_per_commit];
    let (mut sizes, mut waits, mut seq) = (Vec::new(), Vec::new(), 0);
    let (mut building, mut appending) = (Duration::ZERO, Duration::ZERO);
    let mut rows: Vec<JournalRow> = Vec::new();
    let mut raw_turns = 0;
    // In turns, so that both meet the same weather on a shared disk.
    let (mut raw, mut replayed) = (Duration::ZERO, 0);
    while appending < time {
        if appending.as_millis() / 500 > raw_turns {
            raw_turns += 1;
            raw += raw_append_limit(dir, &sizes[replayed..])?.elapsed;
            replayed = sizes.len();
        }
        seq += 1;
        let start = Instant::now();
        let mut spares: Vec<Vec<u8>> = rows.drain(..).map(|row| row.batch).collect();
        for (partition, hash) in hashes.iter_mut().enumerate() {
            for number in 0..events {
                builder.event_with(|buffer| fill(buffer, seq * 4096 + number as u64))?;
            }
            let partition = partition as u16;
            let (batch, next) = builder.finish(partition, seq, 0, hash, spares.pop().unwrap_or_default());
            *hash = next;
            rows.push(JournalRow {
                partition,
                seq,
                batch,
            });
        }
        building += start.elapsed();
        let start = Instant::now();
        journal.append(&rows)?;
        let wait = start.elapsed();
        appending += wait;
        waits.push(wait);
        sizes.push(rows.iter().map(|row| row.batch.len()).sum());
    }
    drop(journal);
    drop(store);
    raw += raw_append_limit(dir, &sizes[replayed..])?.elapsed;
    let total = (sizes.len() * events * rows_per_commit) as f64;
    let (ours, limit) = (total / appending.as_secs_f64(), total / raw.as_secs_f64());
    waits.sort_unstable();
    let at = |per_mille: usize| waits[(waits.len() - 1) * per_mille / 1000].as_micros();
    println!(
        "{events:10} {rows_per_commit:11} | {ours:11.0} {limit:10.0} {:6.2} | {:10} {:4} {:6} | {:.0}",
        ours / limit,
        at(500),
        at(990),
        at(1000),
        building.as_nanos() as f64 / total,
    );
    Ok(())
}

/// Bytes that do not compress to nothing.
fn fill(buffer: &mut Vec<u8>, seed: u64) {
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..EVENT_BYTES / 8 {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        buffer.extend_from_slice(&word.to_le_bytes());
    }
}
