//! The outbox: each notification once, kept until it is sent, not sent again by a rebuild or a restart.

mod common;

use charge::EventBody;
use common::{START, journal_rows, store_with, story};
use store::outbox::{Attempt, Backlog, OutboxCounts, Receipt, Settled};
use store::{MemoryStore, NotificationKind, Outbox, SqliteOptions, SqliteStore, Store, StoreError};

const LATER: i64 = START + 1_000_000_000;

fn journal() -> MemoryStore {
    store_with(&journal_rows(&story()))
}

fn feed(outbox: &mut Outbox, journal: &MemoryStore) {
    let mut reader = journal.journal_reader().unwrap();
    while outbox.feed(&mut *reader, 500, 0).unwrap().batches > 0 {}
}

#[test]
fn events_that_tell_something_wait_to_be_sent() {
    let (journal, mut outbox) = (journal(), Outbox::in_memory().unwrap());
    let heads = journal.journal_reader().unwrap().heads().unwrap();
    assert_eq!(outbox.lag(&heads), 11);
    feed(&mut outbox, &journal);
    assert_eq!(outbox.lag(&heads), 0);
    let pending = outbox.pending(LATER, 100).unwrap();
    let kinds: Vec<_> = pending.iter().map(|one| (one.account.0, one.kind)).collect();
    use NotificationKind::{Bought, LowBalance, Recharged, RenewalFailed};
    assert_eq!(
        kinds,
        [
            (2, Recharged),
            (1, Recharged),
            (1, LowBalance),
            (1, Bought),
            (1, RenewalFailed)
        ]
    );
    assert!(matches!(&pending[0].event.body, EventBody::Recharged(_)));
    assert_eq!(
        outbox.pending(START + 30, 100).unwrap().len(),
        2,
        "only what has happened by then"
    );
    assert_eq!(outbox.pending(LATER, 2).unwrap().len(), 2);
}

/// Whoever says which letters go out beside may have no time: what came before stays taken in, and nothing is told twice.
#[test]
fn a_feed_that_is_interrupted_goes_on_where_it_stopped() {
    let (journal, mut outbox) = (journal(), Outbox::in_memory().unwrap());
    let mut whole = Outbox::in_memory().unwrap();
    feed(&mut whole, &journal);
    let mut reader = journal.journal_reader().unwrap();
    let (mut asked, mut interrupted, mut nothing) = (0, 0, 0);
    for _ in 0..1_000 {
        // One answer in three: sometimes behind what is taken in, sometimes before anything is.
        let mut further = |_: &[store::Notification]| {
            asked += 1;
            match asked % 3 {
                1 => Ok(Vec::new()),
                _ => Err(StoreError::Busy { doing: "ask" }),
            }
        };
        match outbox.feed_with(&mut *reader, usize::MAX, 0, &mut further) {
            Ok(step) if step.behind > 0 => interrupted += 1,
            Ok(step) if step.batches == 0 => break,
            Ok(_) => {}
            Err(StoreError::Busy { .. }) => nothing += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(interrupted > 0 && nothing > 0, "{interrupted} {nothing}");
    let ids = |outbox: &mut Outbox| {
        let mut ids: Vec<_> = outbox
            .pending(LATER, 100)
            .unwrap()
            .iter()
            .map(|one| one.id)
            .collect();
        ids.sort_unstable_by_key(|id| (id.partition, id.seq, id.index));
        ids
    };
    assert_eq!(ids(&mut outbox), ids(&mut whole));
    let heads = journal.journal_reader().unwrap().heads().unwrap();
    assert_eq!(outbox.lag(&heads), 0);
}

#[test]
fn what_is_old_is_passed_over() {
    let (journal, mut outbox) = (journal(), Outbox::in_memory().unwrap());
    let mut reader = journal.journal_reader().unwrap();
    outbox.feed(&mut *reader, usize::MAX, START + 60).unwrap();
    assert_eq!(outbox.pending(LATER, 100).unwrap().len(), 2);
}

#[test]
fn a_notification_goes_through_its_states() {
    let (journal, mut outbox) = (journal(), Outbox::in_memory().unwrap());
    feed(&mut outbox, &journal);
    let ids: Vec<_> = outbox
        .pending(LATER, 100)
        .unwrap()
        .iter()
        .map(|one| one.id)
        .collect();
    outbox.sent(ids[0], "smsc/1", LATER).unwrap();
    outbox
        .failed(ids[1], "throttled", Some(LATER + 5), LATER)
        .unwrap();
    outbox.failed(ids[2], "no such number", None, LATER).unwrap();
    let sent = Attempt::Sent {
        message_id: "smsc/2".to_owned(),
    };
    outbox
        .attempted(&[(ids[3], sent.clone()), (ids[4], sent)], LATER)
        .unwrap();
    assert_eq!(
        outbox.counts().unwrap(),
        OutboxCounts {
            pending: 1,
            sent: 3,
            delivered: 0,
            failed: 1
        }
    );
    assert!(outbox.pending(LATER, 100).unwrap().is_empty());
    assert_eq!(outbox.next_due().unwrap(), Some(LATER + 5));
    let again = outbox.pending(LATER + 5, 100).unwrap().remove(0);
    assert_eq!((again.id, again.attempts), (ids[1], 1));
    let receipt = |message_id: &str, problem: Option<&str>| Receipt {
        message_id: message_id.to_owned(),
        problem: problem.map(str::to_owned),
    };
    let receipts = vec![
        receipt("smsc/1", None),
        // A second receipt changes nothing, whatever it says; nobody waited for the last one.
        receipt("smsc/1", Some("UNDELIV")),
        receipt("smsc/2", Some("UNDELIV")),
        receipt("nobody", None),
    ];
    let settled = Settled {
        receipts,
        ..Settled::default()
    };
    outbox.settle(&settled, LATER + 9).unwrap();
    assert_eq!(
        outbox.counts().unwrap(),
        OutboxCounts {
            pending: 1,
            sent: 0,
            delivered: 1,
            failed: 3
        }
    );
    let backlog = Backlog {
        pending: 1,
        failed: 3,
    };
    assert_eq!(outbox.backlog().unwrap(), backlog);
    outbox.sent(ids[0], "smsc/3", LATER + 10).unwrap();
    assert_eq!(outbox.counts().unwrap().delivered, 1, "what has arrived stays so");
    assert_eq!(outbox.purge(LATER + 1, 100).unwrap(), 1);
    assert_eq!(outbox.purge(LATER + 100, 2).unwrap(), 2, "no more than asked for");
    assert_eq!(outbox.purge(LATER + 100, 2).unwrap(), 1);
    assert_eq!(
        outbox.counts().unwrap(),
        OutboxCounts {
            pending: 1,
            ..OutboxCounts::default()
        }
    );
}

#[test]
fn a_restart_neither_forgets_nor_repeats() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal();
    let open = || {
        SqliteStore::open(dir.path(), SqliteOptions::default())
            .unwrap()
            .outbox()
            .unwrap()
    };
    {
        let mut outbox = open();
        feed(&mut outbox, &journal);
        let first = outbox.pending(LATER, 1).unwrap().remove(0);
        outbox.sent(first.id, "smsc/1", LATER).unwrap();
    }
    let mut outbox = open();
    feed(&mut outbox, &journal);
    assert_eq!(
        outbox.counts().unwrap(),
        OutboxCounts {
            pending: 4,
            sent: 1,
            ..OutboxCounts::default()
        }
    );
}
