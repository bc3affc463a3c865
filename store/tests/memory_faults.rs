//! The faults of the memory store do what their names say.

use std::time::Duration;
use store::{
    AppendError, Checkpoint, Fault, FaultPlan, Hash, Journal, JournalRow, MemoryStore, SnapshotRow, Store,
    sample_row,
};

fn rows() -> (JournalRow, JournalRow) {
    let (first, hash) = sample_row(0, 1, &Hash::NONE, b"first");
    (first, sample_row(0, 2, &hash, b"second").0)
}

fn length(store: &MemoryStore) -> usize {
    store
        .journal_reader()
        .unwrap()
        .read(0, 1, usize::MAX)
        .unwrap()
        .len()
}

fn second_append_with(fault: Fault) -> (MemoryStore, Box<dyn Journal>, Result<(), AppendError>) {
    let store = MemoryStore::with_faults(FaultPlan {
        appends: [(2, fault)].into(),
        ..FaultPlan::default()
    });
    let mut journal = store.journal().unwrap();
    let (first, second) = rows();
    journal.append(&[first]).unwrap();
    let outcome = journal.append(&[second]);
    (store, journal, outcome)
}

#[test]
fn failing_appends_write_nothing_or_everything() {
    for (fault, there) in [(Fault::Fail, 1), (Fault::FailButWritten, 2)] {
        let (store, mut journal, outcome) = second_append_with(fault);
        assert!(matches!(outcome, Err(AppendError::Io(_))));
        assert_eq!(length(&store), there, "{fault:?}");
        let again = journal.append(&[rows().1]);
        assert_eq!(
            again.is_ok(),
            there == 1,
            "a written row fences its repetition: {again:?}"
        );
    }
}

#[test]
fn a_full_journal_takes_more_when_there_is_space() {
    let (first, second) = rows();
    let plan = FaultPlan {
        journal_bytes_max: Some(first.batch.len()),
        ..FaultPlan::default()
    };
    let store = MemoryStore::with_faults(plan);
    let mut journal = store.journal().unwrap();
    journal.append(&[first]).unwrap();
    assert!(matches!(
        journal.append(std::slice::from_ref(&second)),
        Err(AppendError::Full)
    ));
    assert_eq!(length(&store), 1);
    store.faults(|plan| plan.journal_bytes_max = None);
    journal.append(std::slice::from_ref(&second)).unwrap();
    store.faults(|plan| plan.read_only = true);
    assert!(matches!(journal.append(&[second]), Err(AppendError::ReadOnly)));
}

#[test]
fn a_crash_keeps_what_was_durable() {
    for (fault, there) in [(Fault::CrashBefore, 1), (Fault::CrashAfter, 2), (Fault::Torn, 1)] {
        let (store, mut dead, outcome) = second_append_with(fault);
        assert!(matches!(outcome, Err(AppendError::Io(_))));
        assert!(store.crashed());
        assert!(
            store.journal_reader().unwrap().heads().is_err(),
            "nobody reads while the power is off"
        );
        store.restart(0);
        assert_eq!(length(&store), there, "{fault:?}");
        assert_eq!(store.torn(), u64::from(fault == Fault::Torn));
        assert!(
            matches!(dead.append(&[rows().1]), Err(AppendError::Io(_))),
            "old handles stay dead"
        );
        drop(dead);
        let mut journal = store.journal().unwrap();
        assert_eq!(journal.append(&[rows().1]).is_ok(), there == 1);
    }
}

#[test]
fn a_crash_may_take_back_the_last_snapshots_whole() {
    let store = MemoryStore::new();
    let mut writer = store.snapshot_writer().unwrap();
    for seq in 1..=3 {
        let row = SnapshotRow {
            partition: 0,
            key: b"k".to_vec(),
            seq,
            due: Some(seq as i64),
            bytes: Some(vec![seq as u8]),
        };
        let point = Checkpoint {
            partition: 0,
            seq,
            hash: Hash::NONE,
            meta: Vec::new(),
        };
        writer.put(&[row], &[point]).unwrap();
    }
    store.crash();
    store.restart(2);
    let mut reader = store.snapshot_reader().unwrap();
    assert_eq!(
        reader.get(0, b"k").unwrap().map(|row| (row.seq, row.bytes)),
        Some((1, vec![1]))
    );
    assert_eq!(reader.checkpoint(0).unwrap().map(|point| point.seq), Some(1));
    assert_eq!(reader.due(0, None, 100, 10).unwrap().len(), 1);
}

#[test]
fn slow_appends_are_added_up() {
    let (store, _, outcome) = second_append_with(Fault::Slow(Duration::from_millis(30)));
    outcome.unwrap();
    assert_eq!(store.waited(), Duration::from_millis(30));
    assert_eq!(store.appends(), 2);
}

#[test]
fn damage_is_found_by_the_checksum() {
    let (store, _, _) = second_append_with(Fault::Slow(Duration::ZERO));
    assert!(store.damage(0, 2, |bytes| bytes[105] ^= 8));
    let row = store.journal_reader().unwrap().read(0, 2, 1).unwrap().remove(0);
    assert!(store::Batch::parse(&row.batch).is_err());
    assert!(!store.damage(0, 3, Vec::clear));
}
