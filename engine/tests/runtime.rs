//! The engine with its threads, on memory and on SQLite.

mod support;

use charge::command::ChargeKind;
use charge::reply::Reply;
use charge::{Entity, Money, Refusal};
use engine::{Engine, EngineError, Settings, Unavailable};
use std::sync::Arc;
use store::{Fault, MemoryStore, SqliteOptions, SqliteStore, Store};
use support::{
    TestClock, account_key, catalogs, charge, fund, imsi, msisdn, open, open_partner, recharge, top_up,
};

fn engine_on(store: Arc<dyn Store>) -> Engine {
    Engine::open(store, catalogs(), TestClock::new(), Settings::for_tests(5), None).expect("it opens")
}

fn balance(engine: &Engine, account: u64) -> Option<Money> {
    let look = |entity: Option<&Entity>, now| entity.and_then(Entity::account).map(|a| a.main_balance(now));
    engine.read(account_key(account), look).expect("it can be read")
}

/// The state of top-ups and floats settles a moment after the answer.
fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if check() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
    panic!("not within two seconds: {what}");
}

fn story(store: &dyn Fn() -> Arc<dyn Store>) {
    let engine = engine_on(store());
    for account in 1..=20 {
        let opened = engine.call(open(account, 50)).expect("it opens");
        assert!(matches!(opened, Reply::Opened(id) if id.0 == account));
        // The answer waits for the account's own partition.
        assert_eq!(balance(&engine, account), Some(Money(50_000_000)));
    }
    assert!(engine.new_account_id().0 >= 1);
    engine.call(open_partner(1)).unwrap();
    engine.call(fund(1, 1_000, "f1")).unwrap();
    engine.call(top_up(1, 7, 100, "t1")).unwrap();
    let after = Some(Money(50_000_000 + 86_956_522));
    eventually("the top-up arrives", || balance(&engine, 7) == after);
    assert_eq!(
        engine.call(recharge(8, 100, "r1")),
        engine.call(recharge(8, 100, "r1"))
    );
    assert_eq!(balance(&engine, 8), after);
    let refused = engine.call(recharge(99, 100, "r2"));
    assert_eq!(refused, Err(EngineError::Refused(Refusal::NoSuchAccount)));
    let granted = engine
        .call(charge(9, "s9", ChargeKind::Initial, 0, None))
        .unwrap();
    let Reply::Charge(reply) = &granted else {
        panic!("{granted:?}")
    };
    assert!(reply.parts[0].granted.is_some());
    let again = engine
        .call(charge(9, "s9", ChargeKind::Initial, 0, None))
        .unwrap();
    assert_eq!(again, granted);
    let by_number = engine.resolve(charge::EntityKey::Number(msisdn(9))).unwrap();
    let by_imsi = engine.resolve(charge::EntityKey::Imsi(imsi(9))).unwrap();
    assert_eq!(by_number.and_then(|r| r.account), Some(charge::AccountId(9)));
    assert_eq!(by_imsi.and_then(|r| r.account), Some(charge::AccountId(9)));
    assert_eq!(engine.resolve(charge::EntityKey::Number(msisdn(99))), Ok(None));
    engine.call(open(99, 1)).unwrap();
    let found = engine.resolve(charge::EntityKey::Number(msisdn(99))).unwrap();
    assert_eq!(
        found.and_then(|r| r.account),
        Some(charge::AccountId(99)),
        "a stale absence would be here"
    );
    assert!(engine.new_account_id().0 >= 100, "99 was chosen by the caller");
    engine.stop();
    assert_eq!(
        engine.call(open(100, 1)),
        Err(EngineError::Unavailable(Unavailable::Stopping))
    );
    drop(engine);

    let engine = engine_on(store());
    assert_eq!(balance(&engine, 7), after);
    assert_eq!(balance(&engine, 8), after);
    assert_eq!(balance(&engine, 99), Some(Money(1_000_000)));
    assert_eq!(
        engine.call(charge(9, "s9", ChargeKind::Initial, 0, None)),
        Ok(granted)
    );
    assert_eq!(engine.new_account_id().0, 100);
    let float = engine.read(charge::EntityKey::Partner(charge::PartnerId(1)), |entity, _| {
        entity.and_then(Entity::partner).map(|p| (p.float, p.in_transit))
    });
    assert_eq!(float, Ok(Some((Money(900_000_000), Money::ZERO))));
    assert_eq!(engine.stats().append_failures, 0);
}

#[test]
fn a_story_in_memory() {
    let store = MemoryStore::new();
    story(&|| Arc::new(store.clone()));
}

#[test]
fn a_story_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    story(&|| Arc::new(SqliteStore::open(dir.path(), SqliteOptions::default()).unwrap()));
}

#[test]
fn a_failed_append_is_told_and_the_retry_is_safe() {
    for fault in [Fault::Fail, Fault::Full, Fault::FailButWritten] {
        let store = MemoryStore::new();
        let engine = engine_on(Arc::new(store.clone()));
        engine.call(open(1, 50)).unwrap();
        // Every append, not the next one: what opening the account goes on with may be written before the recharge.
        store.faults(|plan| plan.every = Some(fault));
        let failed = engine.call(recharge(1, 100, "r1"));
        store.faults(|plan| plan.every = None);
        assert_eq!(
            failed,
            Err(EngineError::Unavailable(Unavailable::NotStored)),
            "{fault:?}"
        );
        eventually("the partition serves again", || {
            engine.call(recharge(1, 100, "r1")).is_ok()
        });
        assert_eq!(
            balance(&engine, 1),
            Some(Money(50_000_000 + 86_956_522)),
            "{fault:?}"
        );
        assert!(engine.stats().recoveries > 0);
    }
}

#[test]
fn many_callers_at_once_get_their_own_answers() {
    let store = MemoryStore::new();
    let engine = Arc::new(engine_on(Arc::new(store)));
    for account in 1..=64 {
        engine.call(open(account, 1_000)).unwrap();
    }
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let engine = Arc::clone(&engine);
            scope.spawn(move || {
                for round in 0..50 {
                    let account = 1 + (thread * 50 + round) % 64;
                    let reference = format!("{thread}-{round}");
                    let reply = engine.call(recharge(account, 100, &reference)).unwrap();
                    let Reply::Recharged(outcome) = reply else {
                        panic!("{reply:?}")
                    };
                    assert_eq!(outcome.receipt.account.0, account);
                }
            });
        }
    });
    let total: i64 = (1..=64)
        .filter_map(|account| balance(&engine, account))
        .map(|m| m.0)
        .sum();
    assert_eq!(total, 64 * 1_000_000_000 + 400 * 86_956_522);
}

#[test]
fn a_full_queue_says_busy_and_loses_nothing_that_was_accepted() {
    let settings = Settings {
        inbox_commands_max: 8,
        ..Settings::for_tests(1)
    };
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::open(store, catalogs(), TestClock::new(), settings, None).unwrap();
    engine.call(open(1, 1)).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    for number in 0..20_000 {
        let sender = sender.clone();
        engine.submit_with(recharge(1, 100, &number.to_string()), move |result| {
            sender.send(result.map(drop)).unwrap();
        });
    }
    drop(sender);
    let results: Vec<_> = receiver.iter().collect();
    assert_eq!(results.len(), 20_000);
    let accepted = results.iter().filter(|result| result.is_ok()).count() as i64;
    assert!(
        results
            .iter()
            .all(|r| matches!(r, Ok(()) | Err(EngineError::Busy)))
    );
    assert!(accepted < 20_000 && engine.stats().busy > 0);
    assert_eq!(
        balance(&engine, 1),
        Some(Money(1_000_000 + accepted * 86_956_522))
    );
}

#[test]
fn memory_is_bounded_and_what_left_comes_back() {
    let settings = Settings {
        cache_bytes_max: 200_000,
        snapshot_interval_us: 1,
        ..Settings::for_tests(3)
    };
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::open(store, catalogs(), TestClock::new(), settings, None).unwrap();
    for account in 1..=1_000 {
        eventually("there is room again", || {
            engine.call(open(account, account as i64)).is_ok()
        });
    }
    eventually("entities leave", || engine.stats().entity_bytes <= 220_000);
    assert!(engine.stats().evictions > 500);
    for account in (1..=1_000).rev() {
        assert_eq!(balance(&engine, account), Some(Money(account as i64 * 1_000_000)));
    }
}

#[test]
fn without_room_commands_wait_a_while_and_are_turned_away_then() {
    let settings = Settings {
        cache_bytes_max: 40_000,
        snapshot_interval_us: 1,
        ..Settings::for_tests(2)
    };
    let store = MemoryStore::new();
    let engine_with = |settings: Settings, clock| {
        Engine::open(Arc::new(store.clone()), catalogs(), clock, settings, None).unwrap()
    };
    let engine = engine_with(Settings::for_tests(2), TestClock::new());
    for account in 1..=400 {
        engine.call(open(account, 50)).unwrap();
    }
    engine.stop();
    drop(engine);
    let clock = TestClock::new();
    let engine = engine_with(settings, Arc::<TestClock>::clone(&clock));
    store.faults(|plan| plan.snapshots_full = true);
    let recharge = |account: u64| engine.call(recharge(account, 100, &format!("r{account}")));
    // Time passes until nobody looks at it any more.
    let passing = Arc::downgrade(&clock);
    drop(clock);
    std::thread::spawn(move || {
        while let Some(clock) = passing.upgrade() {
            clock.advance(20_000);
            drop(clock);
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
    });
    let turned_away = (1..=400).find(|account| recharge(*account).is_err());
    let first = turned_away.expect("memory has a limit");
    assert_eq!(recharge(first), Err(EngineError::Busy));
    assert!(recharge(1).is_ok(), "who is in memory is served");
    let bytes = engine.stats().entity_bytes;
    // What is in memory may still grow.
    assert!(bytes <= 60_000, "{bytes} bytes");
    // Whoever asks while the snapshots make room again waits and is not turned away.
    store.faults(|plan| plan.snapshots_full = false);
    eventually("there is room again", || recharge(first).is_ok());
    for account in first + 1..=400 {
        let answer = recharge(account);
        assert!(answer.is_ok(), "account {account}: {answer:?}");
    }
}

#[test]
fn a_dead_disk_does_not_hold_up_the_end() {
    let store = MemoryStore::new();
    let engine = engine_on(Arc::new(store.clone()));
    engine.call(open(1, 50)).unwrap();
    store.faults(|plan| plan.read_only = true);
    let failed = engine.call(recharge(1, 100, "r1"));
    assert_eq!(failed, Err(EngineError::Unavailable(Unavailable::NotStored)));
    engine.stop();
    drop(engine);
    store.faults(|plan| plan.read_only = false);
    let engine = engine_on(Arc::new(store));
    assert_eq!(balance(&engine, 1), Some(Money(50_000_000)));
}

#[test]
fn lost_power_loses_nothing_that_was_answered() {
    for (snapshots_lost, fault) in [(0, Fault::CrashBefore), (3, Fault::CrashAfter), (64, Fault::Torn)] {
        let store = MemoryStore::new();
        let engine = engine_on(Arc::new(store.clone()));
        for account in 1..=10 {
            engine.call(open(account, 50)).unwrap();
        }
        let next = store.appends() + 5;
        store.faults(|plan| {
            plan.appends.insert(next, fault);
        });
        let answered: Vec<u64> = (1..=10)
            .filter(|account| {
                engine
                    .call(recharge(*account, 100, &format!("r{account}")))
                    .is_ok()
            })
            .collect();
        assert!(answered.len() < 10);
        drop(engine);
        store.restart(snapshots_lost);
        let engine = engine_on(Arc::new(store));
        for account in answered {
            assert_eq!(
                balance(&engine, account),
                Some(Money(50_000_000 + 86_956_522)),
                "{fault:?}"
            );
        }
        for account in 1..=10 {
            engine
                .call(recharge(account, 100, &format!("r{account}")))
                .unwrap();
            assert_eq!(
                balance(&engine, account),
                Some(Money(50_000_000 + 86_956_522)),
                "{fault:?}"
            );
        }
    }
}

/// Keeps what it is told; wants recharges only.
#[derive(Default)]
struct Recharges(std::sync::Mutex<Vec<charge::EntityKey>>);

impl engine::Observer for Recharges {
    fn wants(&self, event: &charge::Event) -> bool {
        matches!(event.body, charge::EventBody::Recharged(_))
    }

    fn committed(&self, _partition: u16, _seq: u64, events: &[charge::Event]) {
        self.0
            .lock()
            .unwrap()
            .extend(events.iter().map(|event| event.key));
    }
}

#[test]
fn an_observer_hears_of_durable_events_that_it_wants() {
    let store = MemoryStore::new();
    let observer = Arc::new(Recharges::default());
    let heard = Arc::<Recharges>::clone(&observer);
    let settings = Settings::for_tests(3);
    let engine = Engine::open(
        Arc::new(store.clone()),
        catalogs(),
        TestClock::new(),
        settings,
        Some(observer),
    );
    let engine = engine.unwrap();
    engine.call(open(1, 50)).unwrap();
    engine.call(open(2, 50)).unwrap();
    engine.call(recharge(2, 100, "r1")).unwrap();
    // Every append, not the next one: the promotion of the first recharge asks for its budget after the answer.
    store.faults(|plan| plan.every = Some(Fault::Fail));
    engine.call(recharge(1, 100, "r2")).unwrap_err();
    assert_eq!(*heard.0.lock().unwrap(), [account_key(2)]);
}

#[test]
fn another_number_of_partitions_is_refused() {
    let store = MemoryStore::new();
    let engine = engine_on(Arc::new(store.clone()));
    engine.call(open(1, 50)).unwrap();
    engine.stop();
    drop(engine);
    for partitions in [1, 4, 6] {
        let settings = Settings::for_tests(partitions);
        let opened = Engine::open(
            Arc::new(store.clone()),
            catalogs(),
            TestClock::new(),
            settings,
            None,
        );
        let error = opened.err().expect("it does not open").to_string();
        assert!(!error.is_empty());
    }
    assert_eq!(balance(&engine_on(Arc::new(store)), 1), Some(Money(50_000_000)));
}
