//! Properties of random histories: whatever happens in whatever order, the books hold. [`crate::world`] checks after every
//! event that postings sum to zero, that lots and ledger agree, that nothing is negative or reserved twice, that a refused
//! command changes no byte, and that every event survives its bytes and explains itself.

use crate::script::Run;
use crate::world::check_words;
use charge::codec::{Codec, Reader};
use charge::command::Message;
use charge::ledger::LedgerAccount;
use charge::time::Zone;
use charge::{Command, Entity, Event, Reply, SourceId, Unit};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SETUP: &str = "
    row net data 1.10/1M extax rg=1; row cheap data 0.30/300k intax window=08:00-20:00; row night data 0.10/1M;
    row on voice 0.15/1 intax setup=0.20 setup-extax class=1; row off voice 2.10/60 extax; row m sms 1/1 max=5:free;
    offer day 10 extax data=5M voice=50 days=1 perday=3 renewable; offer hour 3 sms=5 hours=1 roaming renewable;
    promo first bonus=5 data=3M min=20;
    grant data 2M 1k 8M validity=900 threshold=20; grant voice 60 1 300; grant sms 1 1 10;
    set low=15 supervision=300 region=PK-PB dupcount=40;
    money 30; money 5 bonus prio=50 exp=+3h; voice 45 step=20 prefix=9230; data 4M exp=+2h; data 2M window=01:00-14:00 prio=5";

/// One action of a random history, as a sentence of the script.
fn action() -> impl Strategy<Value = String> {
    let session = prop_oneof![Just("d1"), Just("d2"), Just("v1"), Just("v2"), Just("m1")];
    let kind = prop_oneof![2 => Just("I"), 4 => Just("U"), 1 => Just("T"), 1 => Just("D"), 1 => prop_oneof![Just("R"), Just("B"), Just("P")]];
    let used = prop_oneof![Just(0i64), 1i64..100, 1i64..5_000_000];
    let where_to = prop_oneof![
        Just(""),
        Just("area=150"),
        Just("area=250"),
        Just("plmn=42402"),
        Just("to=923001234567"),
        Just("to=442071838750"),
        Just("nosplit"),
        Just("deaf cap=500k"),
        Just("to=me"),
    ];
    let ask = prop_oneof![Just("ask"), Just(""), Just("ask=3M"), Just("ask=100")];
    let group = prop_oneof![3 => Just(""), 1 => Just("rg=1"), 1 => Just("rg=2")];
    let charge = (
        kind,
        session,
        0u32..12,
        where_to,
        (group.clone(), used.clone(), ask.clone()),
        (group, used, ask),
    )
        .prop_map(|(kind, session, number, to, (g1, u1, a1), (g2, u2, a2))| {
            let limit = |used: i64| {
                if session.starts_with('d') {
                    used
                } else {
                    used % 400
                }
            };
            let first = format!("{kind} {session} n={number} {to} {g1} used={} {a1}", limit(u1));
            if u2 % 3 == 0 {
                format!("{first} | {g2} used={} {a2}", limit(u2))
            } else {
                first
            }
        });
    prop_oneof![
        8 => charge,
        1 => (0u32..150, 0u32..4).prop_map(|(gross, id)| format!("recharge {gross} id=r{id}")),
        1 => (0u32..4, any::<bool>()).prop_map(|(id, renew)| format!("buy day id=b{id} {}", if renew { "renew" } else { "" })),
        1 => (0u32..9).prop_map(|id| format!("buy hour id=h{id}")),
        1 => any::<bool>().prop_map(|on| format!("renewal day {}", if on { "on" } else { "off" })),
        2 => (1u32..2_000).prop_map(|seconds| format!("at +{seconds}s")),
        1 => (1u32..30).prop_map(|hours| format!("at +{hours}h")),
        1 => prop_oneof![Just("state suspended"), Just("state active"), Just("state closed")].prop_map(String::from),
        1 => (-50i32..200).prop_map(|amount| format!("float {amount}")),
        1 => (10u32..90, 0u32..4).prop_map(|(gross, id)| format!("topup {gross} ext=t{id}")),
        2 => Just("due".to_owned()),
    ]
}

fn source_of(command: &Command) -> Option<SourceId> {
    match command {
        Command::Charge(request) => Some(request.source()),
        Command::Recharge(recharge) => Some(recharge.source),
        Command::Buy(buy) => Some(buy.source),
        _ => None,
    }
}

proptest! {

    /// Random histories with repetitions: nothing moves twice, and replay gives the live state byte for byte.
    #[test]
    fn the_books_hold(actions in prop::collection::vec((action(), 0usize..8), 1..60)) {
        let mut run = Run::new(SETUP);
        run.statement("partner");
        run.statement("float 100");
        let mut said: Vec<Command> = Vec::new();
        for (action, again) in actions {
            let words: Vec<&str> = action.split_whitespace().collect();
            if matches!(words[0], "at" | "due") {
                let (result, _) = run.act(&action);
                prop_assert!(result.is_ok());
            } else {
                let command = run.command(&words);
                let (result, events) = run.world.run(&command);
                prop_assert!(result.is_ok() || events.is_empty());
                said.push(command);
            }
            if again < 3 && let Some(command) = said.iter().rev().nth(again * again) {
                let source = source_of(command);
                let known = run.world.account().recent.iter().any(|known| Some(known.source) == source);
                let (result, events) = run.world.run(command);
                prop_assert!(!known || events.is_empty(), "{command:?} moved again: {result:?}");
            }
        }
        run.world.check_replay();
    }

    /// Any slicing of a session's data into reports, with or without new grants between, gives the same total.
    #[test]
    fn slicing_data(cuts in prop::collection::vec((0i64..2_500_000, any::<bool>()), 1..12), purse in 0usize..PURSES.len()) {
        let total: i64 = cuts.iter().map(|(size, _)| size).sum();
        let whole = outcome(PURSES[purse], &["I d1 ask".to_owned(), format!("T d1 used={total}")]);
        let mut script = vec!["I d1 ask".to_owned()];
        for (size, ask) in &cuts {
            script.push(format!("U d1 used={size} {}", if *ask { "ask" } else { "" }));
        }
        script.push("T d1".to_owned());
        prop_assert_eq!(outcome(PURSES[purse], &script), whole);
    }

    /// The same for voice, second by second through a change of tariff at 12:05 and 12:20.
    #[test]
    fn slicing_voice(cuts in prop::collection::vec((0i64..300, any::<bool>()), 1..12), purse in 0usize..PURSES.len()) {
        let total: i64 = cuts.iter().map(|(size, _)| size).sum();
        let to = "to=923001234567";
        let begin = format!("I v1 {to} ask");
        let whole = outcome(PURSES[purse], &[begin.clone(), format!("at +{total}s"), format!("T v1 used={total}")]);
        let mut script = vec![begin];
        for (size, ask) in &cuts {
            script.push(format!("at +{size}s"));
            script.push(format!("U v1 used={size} {}", if *ask { "ask" } else { "" }));
        }
        script.push("T v1".to_owned());
        prop_assert_eq!(outcome(PURSES[purse], &script), whole);
    }

    /// No bytes make a decoder panic, and whatever decodes can be explained.
    #[test]
    fn decoders_take_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_all(&bytes);
    }

    /// Nor do real events and entities that were damaged.
    #[test]
    fn decoders_take_damage(at in any::<prop::sample::Index>(), byte in any::<u8>(), which in any::<prop::sample::Index>()) {
        for mut bytes in samples(which.index(40)) {
            let place = at.index(bytes.len());
            bytes[place] = byte;
            decode_all(&bytes);
            decode_all(&bytes[..place]);
        }
    }
}

/// Purses that make the sources change in the middle of a use.
const PURSES: [&str; 6] = [
    "row d data 0.70/300k extax; row v voice 0.35/7 intax; money 1000",
    "row d data 0.70/1M extax; row v voice 0.35/60 extax setup=2 setup-extax; money 7.77",
    "row d data 0.33/300k intax; row v voice 0.10/1 setup=1 extax; data 1M step=70k; voice 100 step=30; money 3; data 2M prio=20; money 500",
    "row d data 1/1M max=3:free; row v voice 0.5/10 max=7:cut; money 2 prio=5 bonus; voice 33; data 777k; money 50; voice 20 prio=120",
    "row dp data 1/1M window=08:00-12:05; row d data 3/500k; row vp voice 0.40/20 window=08:00-12:05 setup=1; row vo voice 0.10/7 window=12:05-12:20; \
     row v voice 1/60; voice 90 step=15 window=12:00-12:10; money 90",
    "row d data 0/1; row v voice 0/1 setup=0.15; voice 10 waives; money 0.10",
];

/// Lots as (number, amount, reserved), and every ledger account.
type Left = (Vec<(u32, i64, i64)>, BTreeMap<(LedgerAccount, Unit), i128>);

/// What a session left behind.
fn outcome(purse: &str, script: &[String]) -> Left {
    let mut run = Run::new(purse);
    for action in script {
        let (result, _) = run.act(action);
        result.expect("a session's requests are answered");
    }
    let lots = run
        .world
        .account()
        .lots
        .iter()
        .map(|lot| (lot.id.0, lot.amount.0, lot.reserved.0));
    let mut books = run.world.books.clone();
    books.retain(|_, amount| *amount != 0);
    (lots.collect(), books)
}

/// Bytes of everything that a lively history produces.
fn samples(upto: usize) -> Vec<Vec<u8>> {
    let mut run = Run::new(SETUP);
    for action in [
        "partner",
        "float 500",
        "recharge 100",
        "buy day renew",
        "I d1 rg=1 ask | rg=2 ask",
        "topup 50 ext=a",
        "I v1 to=923001234567 ask",
        "at +30s",
        "T v1 used=30",
        "U d1 rg=1 used=9M ask",
        "D m1 used=2",
        "R m2 used=1",
        "buy hour",
        "renewal day off",
        "renewal day on",
        "state suspended",
        "topup 50 ext=b",
        "at +40d",
        "due",
    ] {
        let _ = run.act(action);
    }
    let events = run
        .world
        .journal
        .iter()
        .skip(upto % 20)
        .take(3)
        .map(Codec::to_bytes);
    events
        .chain(run.world.entities.0.values().map(Codec::to_bytes))
        .collect()
}

fn decode_all(bytes: &[u8]) {
    let zone = Zone::fixed("Asia/Karachi", 5 * 3600);
    if let Ok(event) = Event::decode(&mut Reader::new(bytes)) {
        check_words(&event, &zone);
        assert_eq!(Event::from_bytes(&event.to_bytes()), Ok(event));
    }
    if let Ok(entity) = Entity::decode(&mut Reader::new(bytes)) {
        assert_eq!(Entity::from_bytes(&entity.to_bytes()), Ok(entity));
    }
    if let Ok(message) = Message::decode(&mut Reader::new(bytes)) {
        assert_eq!(Message::from_bytes(&message.to_bytes()), Ok(message));
    }
    if let Ok(reply) = Reply::decode(&mut Reader::new(bytes)) {
        assert_eq!(Reply::from_bytes(&reply.to_bytes()), Ok(reply));
    }
}
