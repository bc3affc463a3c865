//! The audit: a clean store passes, and every kind of damage is found.

mod support;

use charge::command::ChargeKind;
use engine::{AuditReport, Engine, Settings, audit, stored_partitions};
use std::sync::Arc;
use store::batch::{Batch, BatchBuilder};
use store::{Hash, MemoryStore, SnapshotRow, Store};
use support::{TestClock, catalogs, charge, fund, open, open_partner, recharge, top_up};

const PARTITIONS: u16 = 4;

/// A store with a bit of everything, and the position of an account's partition.
fn filled() -> MemoryStore {
    let store = MemoryStore::new();
    let settings = Settings::for_tests(PARTITIONS);
    let engine = Engine::open(
        Arc::new(store.clone()),
        catalogs(),
        TestClock::new(),
        settings,
        None,
    )
    .unwrap();
    engine.call(open_partner(1)).unwrap();
    engine.call(fund(1, 10_000, "f")).unwrap();
    for account in 1..=30 {
        engine.call(open(account, 500)).unwrap();
        engine
            .call(recharge(account, 100, &format!("r{account}")))
            .unwrap();
        engine
            .call(top_up(1, account, 100, &format!("t{account}")))
            .unwrap();
        engine
            .call(charge(account, "s", ChargeKind::Initial, 0, None))
            .unwrap();
        engine
            .call(charge(account, "s", ChargeKind::Update, 1, Some(3_000_000)))
            .unwrap();
    }
    engine.stop();
    store
}

fn run(store: &MemoryStore) -> AuditReport {
    let mut last = 0;
    let report = audit(store, PARTITIONS, &mut |progress| last = progress.batches).unwrap();
    assert_eq!(last, report.batches, "progress reaches the end");
    report
}

#[test]
fn a_clean_store_passes() {
    let store = filled();
    let report = run(&store);
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(report.ok());
    assert_eq!(
        report.entities, report.snapshots,
        "the last round has written everything"
    );
    assert_eq!(report.sums, [0; 4]);
    assert_eq!(report.ledger["opening-balance"][0], -30 * 500_000_000);
    assert_eq!(report.ledger["tax.recharge"][0], 60 * 13_043_478);
    assert!(report.messages_sent >= 60 && report.messages_received <= report.messages_sent);
    assert_eq!(stored_partitions(&store).unwrap(), Some(PARTITIONS));
}

/// Some damage, and words of the problem that must be found.
struct Damage(&'static str, fn(&MemoryStore));

fn rewrite(store: &MemoryStore, partition: u16, seq: u64, change: impl Fn(&mut BatchBuilder, &Batch<'_>)) {
    let changed = store.damage(partition, seq, |bytes| {
        let batch = Batch::parse(bytes).unwrap();
        let mut builder = BatchBuilder::new();
        change(&mut builder, &batch);
        let (forged, _) = builder.finish(partition, seq, batch.time() + 1, &batch.previous(), Vec::new());
        *bytes = forged;
    });
    assert!(changed);
}

#[test]
fn every_damage_is_found() {
    let table = [
        Damage("checksum", |store| {
            store.damage(1, 2, |bytes| bytes[150] ^= 1);
        }),
        Damage("torn", |store| {
            store.damage(1, 2, |bytes| bytes.truncate(bytes.len() - 3));
        }),
        // A forger who knows the format rewrites a batch and its hash, and is found at the next link.
        Damage("does not continue the chain", |store| {
            // Nothing is put in again: the batch is emptied.
            rewrite(store, 1, 2, |_, _| {});
        }),
        Damage("does not continue the chain", |store| {
            // The records stay, only the time is another.
            rewrite(store, 1, 3, |builder, batch| {
                batch.records().for_each(|record| builder.push(record).unwrap());
            });
        }),
        Damage("differs from the replayed entity", |store| {
            change_row(store, |bytes| *bytes.last_mut().unwrap() ^= 1);
        }),
        Damage("the hash of another batch", |store| {
            let mut point = store.snapshot_reader().unwrap().checkpoint(1).unwrap().unwrap();
            point.hash = Hash([7; 32]);
            store.snapshot_writer().unwrap().put(&[], &[point]).unwrap();
        }),
        Damage("promises a newer snapshot", |store| {
            let row = store
                .snapshot_reader()
                .unwrap()
                .scan(1, None, 1)
                .unwrap()
                .remove(0);
            let gone = SnapshotRow {
                partition: 1,
                key: row.key,
                seq: row.seq,
                due: None,
                bytes: None,
            };
            store.snapshot_writer().unwrap().put(&[gone], &[]).unwrap();
        }),
    ];
    for Damage(words, damage) in table {
        let store = filled();
        damage(&store);
        let report = run(&store);
        assert!(!report.ok());
        assert!(
            report.problems.iter().any(|p| p.contains(words)),
            "{words}: {:?}",
            report.problems
        );
    }
}

fn change_row(store: &MemoryStore, change: impl FnOnce(&mut Vec<u8>)) {
    let mut row = store
        .snapshot_reader()
        .unwrap()
        .scan(1, None, 1)
        .unwrap()
        .remove(0);
    change(&mut row.bytes);
    let row = SnapshotRow {
        partition: 1,
        key: row.key,
        seq: row.seq,
        due: row.due,
        bytes: Some(row.bytes),
    };
    store.snapshot_writer().unwrap().put(&[row], &[]).unwrap();
}

/// A forged journal whose chain is perfect: only the books can tell.
#[test]
fn a_perfectly_forged_event_does_not_balance() {
    let store = filled();
    // Take one top-up's credit out of the account's partition and link everything behind it anew.
    let mut reader = store.journal_reader().unwrap();
    let rows = reader.read(1, 1, usize::MAX).unwrap();
    let mut previous = Hash::NONE;
    let mut dropped = false;
    for row in rows {
        let batch = Batch::parse(&row.batch).unwrap();
        let mut builder = BatchBuilder::new();
        for record in batch.records() {
            if !dropped && is_credit(&record) {
                dropped = true;
                continue;
            }
            builder.push(record).unwrap();
        }
        let (bytes, hash) = builder.finish(1, row.seq, batch.time(), &previous, Vec::new());
        previous = hash;
        store.damage(1, row.seq, |old| *old = bytes);
    }
    assert!(dropped);
    let report = run(&store);
    assert!(
        report.problems.iter().any(|p| p.contains("in transit")),
        "{:?}",
        report.problems
    );
}

fn is_credit(record: &store::Record<'_>) -> bool {
    use charge::codec::Codec;
    let store::Record::Event(bytes) = record else {
        return false;
    };
    let event = charge::Event::from_bytes(bytes).unwrap();
    match event.body {
        charge::EventBody::Recharged(recharged) => {
            matches!(recharged.funding, charge::command::Funding::InTransit { .. })
        }
        _ => false,
    }
}
