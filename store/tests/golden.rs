//! Journals of earlier versions stay readable.
//!
//! `golden/journal-1.bin` holds batches of format 1, each behind its length (four bytes, little-endian). Until the first
//! release it follows the events: `RASEED_GOLDEN=write cargo test -p store --test golden`. After it, the file stays as
//! it is for ever, and a changed format gets a file of its own.

mod common;

use charge::Event;
use charge::codec::Codec;
use common::{journal_rows, store_with, story, utc_days};
use std::collections::BTreeMap;
use std::path::PathBuf;
use store::{Batch, Hash, JournalRow, Projector, ReadModels, Record, Store};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/journal-1.bin")
}

fn read() -> Vec<JournalRow> {
    let bytes = std::fs::read(path()).expect("the golden journal is part of the repository");
    let (mut rest, mut rows) = (&bytes[..], Vec::new());
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let (batch, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
        let parsed = Batch::parse(batch).expect("a golden batch is whole");
        rows.push(JournalRow {
            partition: parsed.partition(),
            seq: parsed.seq(),
            batch: batch.to_vec(),
        });
        rest = tail;
    }
    rows
}

#[test]
fn todays_journal_is_the_golden_one() {
    let rows = journal_rows(&story());
    if std::env::var("RASEED_GOLDEN").as_deref() == Ok("write") {
        let lengths = rows.iter().flat_map(|row| {
            (row.batch.len() as u32)
                .to_le_bytes()
                .into_iter()
                .chain(row.batch.iter().copied())
        });
        std::fs::write(path(), lengths.collect::<Vec<u8>>()).unwrap();
    }
    assert!(
        rows == read(),
        "the bytes of batches or events have changed: see the top of tests/golden.rs"
    );
}

#[test]
fn every_batch_continues_the_chain_and_every_event_is_read_as_it_was() {
    let mut ends: BTreeMap<u16, (u64, Hash)> = BTreeMap::new();
    let mut events = Vec::new();
    for row in read() {
        let batch = Batch::parse(&row.batch).unwrap();
        let (seq, hash) = ends.get(&row.partition).copied().unwrap_or((0, Hash::NONE));
        batch.verify(row.partition, seq + 1, &hash).unwrap();
        ends.insert(row.partition, (batch.seq(), batch.hash()));
        for record in batch.records() {
            if let Record::Event(bytes) = record {
                let event = Event::from_bytes(bytes).unwrap();
                assert_eq!(event.to_bytes(), bytes);
                events.push(event);
            }
        }
    }
    let expected: Vec<Event> = story().into_iter().flat_map(|(_, events)| events).collect();
    assert_eq!(events, expected);
}

#[test]
fn a_golden_journal_can_be_projected() {
    let dir = tempfile::tempdir().unwrap();
    let models = ReadModels::at_path(&dir.path().join("reads.sqlite")).unwrap();
    let journal = store_with(&read());
    let mut projector = Projector::open(&models, utc_days()).unwrap();
    projector
        .catch_up(&mut *journal.journal_reader().unwrap(), |_| ())
        .unwrap();
    assert_eq!(models.reader().unwrap().ledger_sums().unwrap(), [0; 4]);
    let counts = models.reader().unwrap().counts().unwrap();
    let expected = [
        ("subscriber", 3),
        ("usage_record", 2),
        ("statement_line", 8),
        ("top_up", 2),
        ("payment", 0),
        ("partner", 1),
        ("float_line", 4),
        ("top_up_back", 0),
        ("top_up_outside", 0),
        ("seller", 0),
        ("stock_move", 0),
        ("seller_sale", 0),
        ("seller_earned", 0),
        ("gl_day_total", 16),
    ];
    assert_eq!(counts, expected);
}
