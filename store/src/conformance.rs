//! What every store must do, as one function: memory, SQLite and every later database run it in their tests.

use crate::batch::{Batch, BatchBuilder, Hash, Record};
use crate::traits::{
    AppendError, Checkpoint, Due, JournalRow, Partition, Seq, SnapshotRow, Store, StoreError,
};

/// Runs the whole suite; `make` gives an empty store each time.
///
/// # Panics
/// With a message, where the store does not do what [`crate::traits`] promises.
pub fn conformance(make: impl Fn() -> Box<dyn Store>) {
    appended_batches_are_read_back(&*make());
    a_taken_position_fences_and_writes_nothing(&*make());
    reading_stops_at_the_size_but_gives_one(&*make());
    heads_name_the_end_of_every_partition(&*make());
    there_is_one_writer(&*make());
    readers_work_beside_the_writer(&*make());
    snapshots_are_put_replaced_and_removed(&*make());
    due_entities_come_in_order(&*make());
    checkpoints_and_rows_go_together(&*make());
    clearing_touches_one_partition(&*make());
}

/// A batch with one event, for tests of stores and of what stands on them.
pub fn sample_row(partition: Partition, seq: Seq, previous: &Hash, event: &[u8]) -> (JournalRow, Hash) {
    let mut builder = BatchBuilder::new();
    builder.event(event).expect("a short event fits");
    let (batch, hash) = builder.finish(partition, seq, 1_700_000_000_000_000, previous, Vec::new());
    (
        JournalRow {
            partition,
            seq,
            batch,
        },
        hash,
    )
}

fn appended_batches_are_read_back(store: &dyn Store) {
    let mut journal = store.journal().unwrap();
    let mut reader = store.journal_reader().unwrap();
    assert!(
        reader.read(0, 1, 1 << 20).unwrap().is_empty(),
        "a new journal is empty"
    );
    journal.append(&[]).unwrap();
    let (one, hash) = sample_row(0, 1, &Hash::NONE, b"one");
    let (two, _) = sample_row(0, 2, &hash, b"two");
    let (far, _) = sample_row(u16::MAX, 1, &Hash::NONE, &vec![7; 300_000]);
    journal.append(&[one.clone(), far.clone()]).unwrap();
    journal.append(std::slice::from_ref(&two)).unwrap();
    let rows = reader.read(0, 1, 1 << 20).unwrap();
    assert_eq!(rows, [one, two.clone()]);
    assert_eq!(reader.read(0, 2, 1 << 20).unwrap(), [two]);
    assert_eq!(reader.read(u16::MAX, 1, 1 << 20).unwrap(), [far]);
    assert!(reader.read(0, 3, 1 << 20).unwrap().is_empty());
    assert!(reader.read(0, u64::MAX, 1 << 20).unwrap().is_empty());
    assert!(reader.read(1, 1, 1 << 20).unwrap().is_empty());
    let batch = Batch::parse(&rows[1].batch).unwrap();
    batch.verify(0, 2, &hash).unwrap();
    assert_eq!(batch.records().collect::<Vec<_>>(), [Record::Event(b"two")]);
}

fn a_taken_position_fences_and_writes_nothing(store: &dyn Store) {
    let mut journal = store.journal().unwrap();
    let (mine, hash) = sample_row(3, 1, &Hash::NONE, b"mine");
    let (theirs, _) = sample_row(3, 1, &Hash::NONE, b"theirs");
    let (other, _) = sample_row(4, 1, &Hash::NONE, b"other");
    journal.append(std::slice::from_ref(&mine)).unwrap();
    let refused = journal.append(&[other.clone(), theirs]);
    assert!(
        matches!(refused, Err(AppendError::Fenced { partition: 3, seq: 1 })),
        "{refused:?}"
    );
    let mut reader = store.journal_reader().unwrap();
    assert_eq!(reader.read(3, 1, 1 << 20).unwrap(), [mine], "the first stays");
    assert!(
        reader.read(4, 1, 1 << 20).unwrap().is_empty(),
        "nothing of a refused append is there"
    );
    let twice = journal.append(&[other.clone(), other.clone()]);
    assert!(
        matches!(twice, Err(AppendError::Fenced { partition: 4, seq: 1 })),
        "{twice:?}"
    );
    journal
        .append(&[other, sample_row(3, 2, &hash, b"next").0])
        .expect("the writer stays usable");
}

fn reading_stops_at_the_size_but_gives_one(store: &dyn Store) {
    let mut journal = store.journal().unwrap();
    let mut hash = Hash::NONE;
    for seq in 1..=10 {
        let (row, next) = sample_row(0, seq, &hash, &[1; 1000]);
        journal.append(&[row]).unwrap();
        hash = next;
    }
    let mut reader = store.journal_reader().unwrap();
    assert_eq!(reader.read(0, 1, 0).unwrap().len(), 1);
    let some = reader.read(0, 4, 2500).unwrap();
    assert_eq!(some.iter().map(|row| row.seq).collect::<Vec<_>>(), [4, 5, 6]);
    assert_eq!(reader.read(0, 1, 1 << 20).unwrap().len(), 10);
}

fn heads_name_the_end_of_every_partition(store: &dyn Store) {
    let mut reader = store.journal_reader().unwrap();
    assert!(reader.heads().unwrap().is_empty());
    let mut journal = store.journal().unwrap();
    let (first, hash) = sample_row(2, 1, &Hash::NONE, b"a");
    let (second, newest) = sample_row(2, 2, &hash, b"b");
    let (zero, zero_hash) = sample_row(0, 1, &Hash::NONE, b"c");
    journal.append(&[first, second, zero]).unwrap();
    let heads = reader.heads().unwrap();
    let found: Vec<_> = heads
        .iter()
        .map(|h| (h.partition, h.first, h.seq, h.hash))
        .collect();
    assert_eq!(found, [(0, 1, 1, zero_hash), (2, 1, 2, newest)]);
}

fn there_is_one_writer(store: &dyn Store) {
    let journal = store.journal().unwrap();
    assert!(matches!(store.journal(), Err(StoreError::WriterTaken(_))));
    drop(journal);
    drop(store.journal().expect("a dropped writer gives its place back"));
    let snapshots = store.snapshot_writer().unwrap();
    assert!(matches!(store.snapshot_writer(), Err(StoreError::WriterTaken(_))));
    drop(snapshots);
    drop(
        store
            .snapshot_writer()
            .expect("a dropped writer gives its place back"),
    );
}

fn readers_work_beside_the_writer(store: &dyn Store) {
    const BATCHES: u64 = 200;
    let mut journal = store.journal().unwrap();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let mut reader = store.journal_reader().unwrap();
                scope.spawn(move || {
                    let (mut next, mut hash) = (1, Hash::NONE);
                    while next <= BATCHES {
                        for row in reader.read(1, next, 4096).unwrap() {
                            assert_eq!(row.seq, next, "no gap is ever visible");
                            let batch = Batch::parse(&row.batch).unwrap();
                            batch.verify(1, next, &hash).unwrap();
                            (next, hash) = (next + 1, batch.hash());
                        }
                    }
                })
            })
            .collect();
        let mut hash = Hash::NONE;
        for seq in 1..=BATCHES {
            let (row, next) = sample_row(1, seq, &hash, &seq.to_le_bytes());
            journal.append(&[row]).unwrap();
            hash = next;
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

fn entity(key: &[u8], seq: Seq, due: Option<i64>, bytes: &[u8]) -> SnapshotRow {
    SnapshotRow {
        partition: 1,
        key: key.to_vec(),
        seq,
        due,
        bytes: Some(bytes.to_vec()),
    }
}

fn snapshots_are_put_replaced_and_removed(store: &dyn Store) {
    let mut writer = store.snapshot_writer().unwrap();
    let mut reader = store.snapshot_reader().unwrap();
    assert_eq!(reader.get(1, b"a").unwrap(), None);
    assert_eq!(reader.count(1).unwrap(), 0);
    writer
        .put(
            &[
                entity(b"a", 1, None, b"A"),
                entity(b"b", 1, None, b"B"),
                entity(b"c\0", 1, None, b""),
            ],
            &[],
        )
        .unwrap();
    writer.put(&[entity(b"b", 9, Some(-5), b"BB")], &[]).unwrap();
    let found = reader.get(1, b"b").unwrap().unwrap();
    assert_eq!(
        (found.seq, found.due, &found.bytes[..]),
        (9, Some(-5), &b"BB"[..])
    );
    assert_eq!(reader.get(2, b"b").unwrap(), None, "keys belong to a partition");
    let keys = |rows: Vec<crate::Snapshot>| rows.into_iter().map(|row| row.key).collect::<Vec<_>>();
    assert_eq!(keys(reader.scan(1, None, 10).unwrap()), [&b"a"[..], b"b", b"c\0"]);
    assert_eq!(keys(reader.scan(1, Some(b"a"), 1).unwrap()), [b"b"]);
    assert!(reader.scan(1, Some(b"c\0"), 10).unwrap().is_empty());
    assert!(reader.scan(0, None, 10).unwrap().is_empty());
    assert_eq!(reader.count(1).unwrap(), 3);
    writer
        .put(
            &[SnapshotRow {
                bytes: None,
                ..entity(b"b", 10, None, b"")
            }],
            &[],
        )
        .unwrap();
    assert_eq!(reader.get(1, b"b").unwrap(), None);
    assert_eq!(reader.count(1).unwrap(), 2);
    assert!(
        reader.due(1, None, i64::MAX, 10).unwrap().is_empty(),
        "a removed entity is not due"
    );
}

fn due_entities_come_in_order(store: &dyn Store) {
    let mut writer = store.snapshot_writer().unwrap();
    let mut reader = store.snapshot_reader().unwrap();
    let rows = [
        entity(b"a", 1, Some(30), b"x"),
        entity(b"b", 1, Some(10), b"x"),
        entity(b"c", 1, None, b"x"),
        entity(b"d", 1, Some(20), b"x"),
        SnapshotRow {
            partition: 2,
            ..entity(b"e", 1, Some(5), b"x")
        },
    ];
    writer.put(&rows, &[]).unwrap();
    let due = |at: i64, key: &[u8]| Due {
        at,
        key: key.to_vec(),
    };
    assert_eq!(
        reader.due(1, None, 29, 10).unwrap(),
        [due(10, b"b"), due(20, b"d")]
    );
    assert_eq!(reader.due(1, None, 30, 1).unwrap(), [due(10, b"b")]);
    let mut page = |after: &Due, limit| reader.due(1, Some(after), 30, limit).unwrap();
    assert_eq!(page(&due(10, b"b"), 1), [due(20, b"d")]);
    assert_eq!(page(&due(10, b"a"), 1), [due(10, b"b")]);
    assert_eq!(page(&due(20, b"d"), 9), [due(30, b"a")]);
    assert!(page(&due(30, b"a"), 9).is_empty());
    writer
        .put(
            &[entity(b"b", 2, Some(40), b"x"), entity(b"d", 2, None, b"x")],
            &[],
        )
        .unwrap();
    assert_eq!(
        reader.due(1, None, i64::MAX, 10).unwrap(),
        [due(30, b"a"), due(40, b"b")]
    );
    assert!(reader.due(1, None, 29, 10).unwrap().is_empty());
}

fn checkpoints_and_rows_go_together(store: &dyn Store) {
    let mut writer = store.snapshot_writer().unwrap();
    let mut reader = store.snapshot_reader().unwrap();
    assert_eq!(reader.checkpoint(1).unwrap(), None);
    let point = |seq| Checkpoint {
        partition: 1,
        seq,
        hash: Hash([3; 32]),
        meta: b"meta".to_vec(),
    };
    writer
        .put(
            &[entity(b"a", 4, None, b"x")],
            &[
                point(4),
                Checkpoint {
                    partition: 0,
                    ..point(2)
                },
            ],
        )
        .unwrap();
    writer.put(&[], &[point(7)]).unwrap();
    assert_eq!(reader.checkpoint(1).unwrap(), Some(point(7)));
    assert_eq!(reader.checkpoint(0).unwrap().map(|point| point.seq), Some(2));
}

fn clearing_touches_one_partition(store: &dyn Store) {
    let mut writer = store.snapshot_writer().unwrap();
    let mut reader = store.snapshot_reader().unwrap();
    let point = Checkpoint {
        partition: 1,
        seq: 1,
        hash: Hash::NONE,
        meta: Vec::new(),
    };
    let other = SnapshotRow {
        partition: 2,
        ..entity(b"b", 1, None, b"x")
    };
    writer
        .put(&[entity(b"a", 1, Some(1), b"x"), other], &[point])
        .unwrap();
    writer.clear(1).unwrap();
    assert_eq!((reader.count(1).unwrap(), reader.count(2).unwrap()), (0, 1));
    assert_eq!(reader.checkpoint(1).unwrap(), None);
    assert!(reader.due(1, None, i64::MAX, 10).unwrap().is_empty());
}
