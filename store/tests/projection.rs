//! Events become rows: what people see of the story, the same however the journal is sliced, and again after a rebuild.

mod common;

use charge::account::LifeCycle;
use charge::catalog::Language;
use charge::partner::TopUpState;
use charge::reply::Receipt;
use charge::{AccountId, EventBody, Money, Msisdn, PartnerId, Unit};
use common::{OPERATOR, RUPEE, START, journal_rows, session, store_with, story, tariff, utc_days};
use proptest::prelude::*;
use std::time::Duration;
use store::reads::{Cursor, LineKind, StatementEntry};
use store::{EventPlace, MemoryStore, Pace, Projector, ReadModels, ReadsReader, Store, StoreError, event_at};

struct World {
    journal: MemoryStore,
    models: ReadModels,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let models = ReadModels::at_path(&dir.path().join("reads.sqlite")).unwrap();
        Self {
            journal: store_with(&journal_rows(&story())),
            models,
            _dir: dir,
        }
    }

    fn projected() -> Self {
        let world = Self::new();
        world.project(usize::MAX);
        world
    }

    fn project(&self, step_bytes: usize) {
        let mut projector = Projector::open(&self.models, utc_days()).unwrap();
        let mut reader = self.journal.journal_reader().unwrap();
        while projector.step(&mut *reader, step_bytes).unwrap().batches > 0 {}
    }

    fn reader(&self) -> ReadsReader {
        self.models.reader().unwrap()
    }
}

#[test]
fn a_session_is_one_usage_record() {
    let world = World::projected();
    let usage = world
        .reader()
        .usage_of_session(AccountId(1), session(1, 1))
        .unwrap()
        .unwrap();
    assert_eq!(usage.session_id.as_deref(), Some("pgw.jazz;1;0"));
    assert_eq!(
        (usage.reports, usage.used),
        (4, charge::unit::Amount(6 * tariff().pulse.0))
    );
    assert_eq!((usage.money, usage.tax), (Money(6 * RUPEE), Money(6 * 163_180)));
    assert_eq!(
        (usage.opened_at.0, usage.last_at.0, usage.closed),
        (START + 10, START + 50, true)
    );
    assert_eq!(usage.region.as_str(), "sindh");
    assert!(usage.complete());
    let other = world
        .reader()
        .usage_of_session(AccountId(1), session(1, 2))
        .unwrap()
        .unwrap();
    assert_eq!(
        (other.uncovered, other.money, other.closed),
        (Money(RUPEE), Money::ZERO, false)
    );
    assert_eq!(other.from_buckets, tariff().pulse);
    assert_eq!(
        world
            .reader()
            .usage_of_session(AccountId(1), session(1, 9))
            .unwrap(),
        None,
        "a refund is no use"
    );
}

#[test]
fn every_report_can_be_asked_why() {
    let world = World::projected();
    let usage = world
        .reader()
        .usage_of_session(AccountId(1), session(1, 1))
        .unwrap()
        .unwrap();
    let mut journal = world.journal.journal_reader().unwrap();
    let mut drawn = Money::ZERO;
    for place in &usage.events {
        assert_eq!(EventPlace::parse(&place.to_string()), Some(*place));
        let event = event_at(&mut *journal, *place)
            .unwrap()
            .expect("the event is in the journal");
        assert!(matches!(&event.body, EventBody::Charged(charged) if charged.session == usage.session));
        drawn += event.money_drawn();
    }
    assert_eq!(drawn, usage.money);
    let nowhere = EventPlace {
        partition: 1,
        seq: 1,
        index: 1,
    };
    assert_eq!(
        event_at(&mut *journal, nowhere).unwrap(),
        None,
        "a message record is no event"
    );
    assert_eq!(
        event_at(&mut *journal, EventPlace { seq: 99, ..nowhere }).unwrap(),
        None
    );
}

#[test]
fn the_statement_has_everything_once_in_order() {
    let world = World::projected();
    let mut reader = world.reader();
    let all = reader.statement(AccountId(1), Cursor::NEWEST, 100).unwrap();
    let names: Vec<&str> = all
        .iter()
        .map(|entry| match entry {
            StatementEntry::Line(line) => line.kind.name(),
            StatementEntry::Usage(_) => "usage",
        })
        .collect();
    let expected = [
        "renewal-failed",
        "state",
        "expiry",
        "refund",
        "bundle",
        "recharge",
        "usage",
        "usage",
        "opening",
    ];
    assert_eq!(names, expected);
    let amounts: Vec<i64> = all
        .iter()
        .map(|entry| match entry {
            StatementEntry::Line(line) => line.amount.0,
            StatementEntry::Usage(usage) => -usage.money.0,
        })
        .collect();
    assert_eq!(
        amounts,
        [
            0,
            0,
            -5 * RUPEE,
            2 * RUPEE,
            -50 * RUPEE,
            86_956_522,
            0,
            -6 * RUPEE,
            100 * RUPEE
        ]
    );
    for size in 1..=4 {
        let (mut pages, mut cursor) = (Vec::new(), Cursor::NEWEST);
        loop {
            let page = reader.statement(AccountId(1), cursor, size).unwrap();
            let Some(last) = page.last() else { break };
            cursor = Cursor::parse(&last.cursor().to_string()).unwrap();
            pages.extend(page);
        }
        assert_eq!(pages, all, "pages of {size}");
    }
}

#[test]
fn a_recharge_has_a_receipt() {
    let world = World::projected();
    let number = Receipt {
        account: AccountId(1),
        event: 5,
    };
    let line = world.reader().receipt(number).unwrap().unwrap();
    let recharge = line.recharge.as_ref().unwrap();
    assert_eq!(
        (recharge.gross, line.tax, line.amount),
        (Money(100 * RUPEE), Money(13_043_478), Money(86_956_522))
    );
    assert_eq!(
        (recharge.channel.as_str(), recharge.reference.as_str()),
        ("easypaisa", "PAY-1-5")
    );
    assert_eq!(line.kind, LineKind::Recharge);
    assert_eq!(
        world.reader().line(AccountId(1), line.place).unwrap().as_ref(),
        Some(&line)
    );
    assert_eq!(
        world.reader().receipt(Receipt { event: 6, ..number }).unwrap(),
        None
    );
}

#[test]
fn top_ups_end_completed_or_declined() {
    let world = World::projected();
    let mut reader = world.reader();
    let done = reader.top_up(100).unwrap().unwrap();
    assert_eq!(done.state, TopUpState::Completed);
    assert_eq!(
        done.credit
            .as_ref()
            .map(|credit| credit.receipt.to_string())
            .as_deref(),
        Some("R2-2")
    );
    assert_eq!(
        reader.top_up_by_reference(PartnerId(7), "ext-1").unwrap(),
        Some(done)
    );
    let declined = reader
        .top_up_by_reference(PartnerId(7), "ext-2")
        .unwrap()
        .unwrap();
    assert_eq!(
        (declined.state, declined.reason),
        (TopUpState::Declined, Some(1_005_004))
    );
    assert_eq!(reader.top_up_by_reference(PartnerId(8), "ext-1").unwrap(), None);
    let ids = |rows: Vec<store::reads::TopUpRow>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(reader.top_ups(PartnerId(7), None, 10).unwrap()), [101, 100]);
    assert_eq!(ids(reader.top_ups(PartnerId(7), Some(101), 10).unwrap()), [100]);
    let partner = reader.partners().unwrap().remove(0);
    assert_eq!(
        (partner.float, partner.in_transit),
        (Money(800 * RUPEE), Money::ZERO)
    );
}

#[test]
fn subscribers_are_found_by_account_and_number() {
    let world = World::projected();
    let mut reader = world.reader();
    let first = reader.subscriber(AccountId(1)).unwrap().unwrap();
    assert_eq!(
        (first.state, first.language),
        (LifeCycle::Suspended, Language::Ur)
    );
    let third = reader
        .subscriber_by_number(Msisdn::new(923_000_000_003).unwrap())
        .unwrap()
        .unwrap();
    assert_eq!((third.account, third.language), (AccountId(3), Language::Zh));
    let all = reader.subscribers(OPERATOR, None, 2).unwrap();
    assert_eq!(all.iter().map(|row| row.account.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        reader.subscribers(OPERATOR, Some(AccountId(2)), 2).unwrap()[0].account,
        AccountId(3)
    );
}

#[test]
fn the_ledger_sums_to_zero_and_names_its_accounts() {
    let world = World::projected();
    let mut reader = world.reader();
    assert_eq!(reader.ledger_sums().unwrap(), [0; 4]);
    let day = (START / charge::time::DAY) as i32;
    let totals = reader.day_totals(OPERATOR, day, day).unwrap();
    let amount = |account: &str, unit: Unit| {
        totals
            .iter()
            .find(|total| total.account == account && total.unit == unit)
            .map(|total| total.amount.0)
    };
    assert_eq!(amount("rail.easypaisa", Unit::Money), Some(-100 * RUPEE));
    assert_eq!(amount("float.7", Unit::Money), Some(800 * RUPEE));
    assert_eq!(amount("in-transit", Unit::Money), Some(0));
    assert_eq!(amount("overrun", Unit::Money), Some(-RUPEE));
    assert_eq!(amount("delivered", Unit::Octets), Some(tariff().pulse.0));
    assert!(reader.day_totals(OPERATOR, day + 1, day + 9).unwrap().is_empty());
}

#[test]
fn lag_is_what_is_still_to_come() {
    let world = World::new();
    let heads = world.journal.journal_reader().unwrap().heads().unwrap();
    assert_eq!(world.reader().lag(&heads).unwrap(), 11);
    let mut projector = Projector::open(&world.models, utc_days()).unwrap();
    let step = projector
        .step(&mut *world.journal.journal_reader().unwrap(), 1)
        .unwrap();
    assert_eq!(
        (step.batches, step.behind),
        (2, 9),
        "one batch of each partition at least"
    );
    assert_eq!(world.reader().lag(&heads).unwrap(), 9);
    world.project(usize::MAX);
    assert_eq!(world.reader().lag(&heads).unwrap(), 0);
}

#[test]
fn a_rebuild_gives_the_same_tables() {
    let (live, other) = (World::projected(), World::projected());
    assert!(live.models.differences(&other.models).unwrap().is_empty());
    let mut projector = Projector::open(&live.models, utc_days()).unwrap();
    projector.rebuild().unwrap();
    let emptied = live.models.differences(&other.models).unwrap();
    assert_eq!(
        emptied.len(),
        8,
        "a difference in every table with rows: {emptied:?}"
    );
    let mut steps = 0;
    projector
        .catch_up(&mut *live.journal.journal_reader().unwrap(), |_| steps += 1)
        .unwrap();
    assert!(steps > 0);
    assert!(live.models.differences(&other.models).unwrap().is_empty());
}

#[test]
fn a_damaged_or_shorter_journal_stops_the_projection() {
    let world = World::new();
    assert!(world.journal.damage(2, 3, |bytes| bytes[120] ^= 1));
    let mut projector = Projector::open(&world.models, utc_days()).unwrap();
    let stopped = projector.step(&mut *world.journal.journal_reader().unwrap(), usize::MAX);
    let Err(error @ StoreError::Corrupt { .. }) = stopped else {
        panic!("{stopped:?}")
    };
    assert_eq!(
        error.to_string(),
        "batch 3 of partition 2 is damaged: the checksum does not fit the bytes"
    );
    assert!(
        world.reader().positions().unwrap().is_empty(),
        "nothing of that step is written"
    );
    let world = World::projected();
    let shorter = store_with(&journal_rows(&story())[..3]);
    let mut projector = Projector::open(&world.models, utc_days()).unwrap();
    let ahead = projector.step(&mut *shorter.journal_reader().unwrap(), usize::MAX);
    assert!(matches!(ahead, Err(StoreError::Corrupt { .. })), "{ahead:?}");
}

/// Everything goes through the tail, and nothing is merged by time.
const TAIL: Pace = Pace {
    direct_rows_max: 0,
    cycle: Duration::from_secs(1_000_000),
    cycle_idle: Duration::from_secs(1_000_000),
    tail_bytes_max: u64::MAX,
    spacing: Duration::ZERO,
};

/// What a person or a program can ask.
fn everything_asked(reader: &mut ReadsReader) -> Vec<String> {
    let mut answers = Vec::new();
    for account in (0..=5).map(AccountId) {
        for size in [1, 2, 3, 100] {
            let mut cursor = Cursor::NEWEST;
            loop {
                let page = reader.statement(account, cursor, size).unwrap();
                let Some(last) = page.last() else { break };
                cursor = last.cursor();
                answers.push(format!("{page:?}"));
            }
            answers.push(format!("{:?}", reader.lines(account, Cursor::NEWEST, size)));
            answers.push(format!("{:?}", reader.usage(account, Cursor::NEWEST, size)));
        }
        for line in reader.lines(account, Cursor::NEWEST, 100).unwrap() {
            answers.push(format!("{:?}", reader.line(account, line.place)));
        }
        for number in 1..=9 {
            let found = reader.usage_of_session(account, session(account.0, number));
            answers.push(format!("{found:?}"));
            let number = Receipt {
                account,
                event: number,
            };
            answers.push(format!("{:?}", reader.receipt(number)));
        }
    }
    answers
}

#[test]
fn what_is_in_the_tail_is_seen_and_survives_a_restart() {
    let (whole, tailed) = (World::projected(), World::new());
    let mut journal = tailed.journal.journal_reader().unwrap();
    let mut steps = 0;
    loop {
        // A new projector each time, as after a crash.
        let mut projector = Projector::open(&tailed.models, utc_days()).unwrap().paced(TAIL);
        if projector.step(&mut *journal, 400).unwrap().batches == 0 {
            break;
        }
        steps += 1;
    }
    assert!(steps > 3, "{steps} steps");
    assert!(!tailed.reader().is_merged().unwrap());
    let rows = |world: &World, table: &str| {
        let counts = world.reader().counts().unwrap();
        counts
            .iter()
            .find(|(name, _)| *name == table)
            .map(|(_, rows)| *rows)
    };
    assert_eq!(
        rows(&tailed, "usage_record"),
        Some(0),
        "nothing has reached the table"
    );
    let expected = everything_asked(&mut whole.reader());
    assert_eq!(everything_asked(&mut tailed.reader()), expected);
    assert!(!tailed.models.differences(&whole.models).unwrap().is_empty());
    let mut projector = Projector::open(&tailed.models, utc_days()).unwrap();
    assert!(!projector.is_merged());
    projector.settle().unwrap();
    assert!(projector.is_merged() && tailed.reader().is_merged().unwrap());
    assert_eq!(rows(&tailed, "usage_record"), rows(&whole, "usage_record"));
    assert!(tailed.models.differences(&whole.models).unwrap().is_empty());
    assert_eq!(everything_asked(&mut tailed.reader()), expected);
}

#[test]
fn a_long_session_keeps_its_first_places_however_it_is_cut() {
    let cuts = [usize::MAX, 3_000, 700];
    let records = cuts.map(|bytes| {
        let (rows, models, _dir) = long_session();
        let journal = store_with(&rows);
        let mut projector = Projector::open(&models, utc_days()).unwrap();
        let tailed = projector_steps(&mut projector, &journal, bytes);
        let record = models
            .reader()
            .unwrap()
            .usage_of_session(AccountId(1), session(1, 1));
        let record = record.unwrap().unwrap();
        assert_eq!(record.reports, 900);
        assert!(!record.complete() && record.events.len() > 100);
        let mut projector = Projector::open(&models, utc_days()).unwrap();
        projector.settle().unwrap();
        let merged = models
            .reader()
            .unwrap()
            .usage_of_session(AccountId(1), session(1, 1));
        assert_eq!(merged.unwrap().as_ref(), Some(&record), "{tailed} steps");
        record
    });
    assert_eq!(records[0], records[1]);
    assert_eq!(records[0], records[2]);
}

fn projector_steps(projector: &mut Projector, journal: &MemoryStore, bytes: usize) -> usize {
    let mut reader = journal.journal_reader().unwrap();
    let mut steps = 0;
    while projector.step(&mut *reader, bytes).unwrap().batches > 0 {
        steps += 1;
    }
    steps
}

/// One session of 900 reports in batches of 10.
fn long_session() -> (Vec<store::JournalRow>, ReadModels, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let models = ReadModels::at_path(&dir.path().join("reads.sqlite")).unwrap();
    let mut builder = store::BatchBuilder::new();
    let (mut rows, mut hash) = (Vec::new(), store::Hash::NONE);
    for seq in 1..=90 {
        for number in 0..10 {
            let report = (seq - 1) * 10 + number;
            let event = common::used(1, session(1, 1), report as u32, START + report as i64, 0);
            builder
                .event_with(|buffer| charge::codec::Codec::encode(&event, buffer))
                .unwrap();
        }
        let (batch, next) = builder.finish(1, seq, START, &hash, Vec::new());
        hash = next;
        rows.push(store::JournalRow {
            partition: 1,
            seq,
            batch,
        });
    }
    (rows, models, dir)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However the journal is cut, whatever goes through the tail, and whenever a bucket is merged: what is asked is the
    /// same at the end, and so are the tables.
    #[test]
    fn tail_and_tables_say_the_same(steps in prop::collection::vec((1..1500usize, any::<bool>(), any::<bool>()), 1..12)) {
        let whole = World::projected();
        let mixed = World::new();
        let mut reader = mixed.journal.journal_reader().unwrap();
        for (bytes, tail, settle) in steps {
            let mut projector = Projector::open(&mixed.models, utc_days()).unwrap();
            if tail {
                projector = projector.paced(TAIL);
            }
            projector.step(&mut *reader, bytes).unwrap();
            if settle {
                projector.settle().unwrap();
            }
        }
        let mut projector = Projector::open(&mixed.models, utc_days()).unwrap().paced(TAIL);
        while projector.step(&mut *reader, usize::MAX).unwrap().batches > 0 {}
        prop_assert_eq!(everything_asked(&mut mixed.reader()), everything_asked(&mut whole.reader()));
        projector.settle().unwrap();
        prop_assert_eq!(mixed.models.differences(&whole.models).unwrap(), Vec::<String>::new());
    }

    /// However the journal is cut into steps, and wherever the projector is restarted, the tables are the same.
    #[test]
    fn any_slicing_gives_the_same_tables(steps in prop::collection::vec(1..1500usize, 1..12)) {
        let whole = World::projected();
        let sliced = World::new();
        let mut reader = sliced.journal.journal_reader().unwrap();
        for bytes in steps {
            let mut projector = Projector::open(&sliced.models, utc_days()).unwrap();
            projector.step(&mut *reader, bytes).unwrap();
        }
        sliced.project(usize::MAX);
        prop_assert_eq!(sliced.models.differences(&whole.models).unwrap(), Vec::<String>::new());
    }
}
