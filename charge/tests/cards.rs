//! Scratch cards over several partitions whose messages arrive in any order between pairs: whatever happens, every card is
//! credited at most once, the books balance at every event, and the value of unused cards is what is owed.

use charge::card::{
    CardPart, CardState, CardTry, NewBatch, PinHash, RedeemCard, Serial, SetCards, ShelveCards, TRIES_MAX,
};
use charge::catalog::parse::{SourceFile, parse_all};
use charge::catalog::{Catalogs, Language};
use charge::codec::Codec;
use charge::command::{Message, OpenAccount, UpdateAccount};
use charge::decide::{View, also_reads};
use charge::ledger::{LedgerAccount, postings, sums};
use charge::tax::TaxClass;
use charge::time::{DAY, HOUR, Zone};
use charge::{
    AccountId, Code, Command, Entity, EntityKey, Event, EventBody, LifeCycle, Money, Msisdn, OperatorId,
    Refusal, Reply, Timestamp, Unit, apply, decide,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const JAZZ: OperatorId = OperatorId(1);
const START: Timestamp = Timestamp::from_seconds(1_795_302_960);
const FACE: Money = Money::from_units(100);
const ACCOUNTS: u64 = 5;

struct Home {
    number: u16,
    entities: BTreeMap<EntityKey, Entity>,
}

impl View for Home {
    fn get(&self, key: EntityKey) -> Option<&Entity> {
        self.entities.get(&key)
    }
    fn home(&self) -> u16 {
        self.number
    }
}

/// All partitions, and what is on its way between them.
struct World {
    catalogs: Catalogs,
    homes: Vec<Home>,
    channels: BTreeMap<(u16, u16), VecDeque<Message>>,
    now: Timestamp,
    journal: Vec<Event>,
    books: BTreeMap<LedgerAccount, i128>,
}

impl World {
    fn new(partitions: u16) -> World {
        let files = [
            SourceFile {
                name: "pakistan.toml",
                text: include_str!("../../catalog/pakistan.toml"),
            },
            SourceFile {
                name: "jazz.toml",
                text: include_str!("../../catalog/jazz.toml"),
            },
        ];
        let zones = |name: &str| (name == "Asia/Karachi").then(|| Zone::fixed(name, 5 * 3600));
        let home = |number| Home {
            number,
            entities: BTreeMap::new(),
        };
        let mut world = World {
            catalogs: parse_all(&files, &zones).expect("the shipped catalogs"),
            homes: (0..partitions).map(home).collect(),
            channels: BTreeMap::new(),
            now: START,
            journal: Vec::new(),
            books: BTreeMap::new(),
        };
        for account in 1..=ACCOUNTS {
            let open = OpenAccount {
                account: AccountId(account),
                operator: JAZZ,
                msisdn: Msisdn::new(923_000_000_000 + account).expect("a number"),
                imsi: None,
                language: Language::En,
                tax_class: TaxClass::Standard,
                region: Code::EMPTY,
                opening_balance: Money::ZERO,
            };
            world.call(Command::OpenAccount(open)).expect("opened");
        }
        world.deliver_all();
        world
    }

    fn partitions(&self) -> u16 {
        u16::try_from(self.homes.len()).expect("few")
    }

    #[allow(clippy::needless_pass_by_value)]
    fn call(&mut self, command: Command) -> Result<Reply, Refusal> {
        let at = command.route().partition(self.partitions());
        let home = &self.homes[usize::from(at)];
        let _ = also_reads(home, &self.catalogs, &command);
        let decision = decide(home, &self.catalogs, &command, self.now)?;
        for event in decision.events {
            assert_eq!(Event::from_bytes(&event.to_bytes()).as_ref(), Ok(&event));
            assert_eq!(event.key.partition(self.partitions()), at, "{:?}", event.key);
            let posted = postings(&event);
            assert_eq!(sums(&posted), [0; 4], "{event:?}");
            for posting in posted.iter().filter(|posting| posting.unit == Unit::Money) {
                let account = match posting.account {
                    LedgerAccount::Subscriber(_, origin) => LedgerAccount::Subscriber(AccountId(0), origin),
                    other => other,
                };
                *self.books.entry(account).or_default() += i128::from(posting.amount.0);
            }
            assert!(self.book(LedgerAccount::InTransit) >= 0, "{event:?}");
            assert!(self.book(LedgerAccount::Vouchers) >= 0, "{event:?}");
            let entities = &mut self.homes[usize::from(at)].entities;
            let mut slot = entities.remove(&event.key);
            apply(&mut slot, &event);
            let entity = slot.expect("an entity");
            assert_eq!(Entity::from_bytes(&entity.to_bytes()).as_ref(), Ok(&entity));
            entities.insert(event.key, entity);
            self.journal.push(event);
        }
        for message in decision.messages {
            let message = Message::from_bytes(&message.to_bytes()).expect("a message survives its bytes");
            let to = message.route().partition(self.partitions());
            self.channels.entry((at, to)).or_default().push_back(message);
        }
        Ok(decision.reply)
    }

    fn book(&self, account: LedgerAccount) -> i128 {
        self.books.get(&account).copied().unwrap_or(0)
    }

    /// The first message of one of the channels.
    fn deliver_one(&mut self, which: usize) -> bool {
        let waiting: Vec<(u16, u16)> = self
            .channels
            .iter()
            .filter(|(_, queue)| !queue.is_empty())
            .map(|(pair, _)| *pair)
            .collect();
        let Some(pair) = waiting.get(which % waiting.len().max(1)) else {
            return false;
        };
        let message = self.channels.get_mut(pair).and_then(VecDeque::pop_front);
        self.call(Command::Deliver(message.expect("it waits")))
            .expect("messages are consumed");
        true
    }

    fn deliver_all(&mut self) {
        while self.deliver_one(0) {}
    }

    /// A batch whose PINs hash to numbers that are easy to tell, on shelves.
    fn batch(&mut self, count: u32) -> u32 {
        let new = NewBatch {
            operator: JAZZ,
            face: FACE,
            count,
            expires_at: self.now.plus(30 * DAY),
            printer: Code::new("press").expect("short"),
            label: "test".into(),
            partitions: self.partitions(),
        };
        let Ok(Reply::CardBatch(batch)) = self.call(Command::OpenCardBatch(Box::new(new))) else {
            panic!("a batch opens");
        };
        self.deliver_all();
        let mut groups: BTreeMap<u16, Vec<(PinHash, u32)>> = BTreeMap::new();
        for place in 0..count {
            let hash = hash_of(batch, place);
            let home = hash.key(JAZZ).partition(self.partitions());
            groups.entry(home).or_default().push((hash, place));
        }
        for cards in groups.into_values() {
            let shelve = ShelveCards {
                operator: JAZZ,
                batch,
                cards,
            };
            let command = Command::ShelveCards(Box::new(shelve));
            let none = Reply::CardsShelved { clashes: Vec::new() };
            assert_eq!(self.call(command.clone()), Ok(none.clone()));
            let before = self.journal.len();
            assert_eq!(self.call(command), Ok(none), "again moves nothing");
            assert_eq!(self.journal.len(), before);
        }
        self.call(Command::CardBatchReady(batch)).expect("ready");
        batch
    }

    fn set(&mut self, batch: u32, part: Option<CardPart>, state: CardState) -> Result<Reply, Refusal> {
        let dealer = match state {
            CardState::Shipped => Code::new("dealer").expect("short"),
            _ => Code::EMPTY,
        };
        self.call(Command::SetCards(SetCards {
            batch,
            part,
            state,
            dealer,
        }))
    }

    fn activate(&mut self, batch: u32) {
        self.call(Command::ExportCards(batch)).expect("exported");
        self.set(batch, None, CardState::Shipped).expect("shipped");
        self.set(batch, None, CardState::Active).expect("active");
    }

    fn redeem(&mut self, batch: u32, place: u32, account: u64) -> Result<Reply, Refusal> {
        self.call(Command::RedeemCard(RedeemCard {
            operator: JAZZ,
            hash: hash_of(batch, place),
            account: AccountId(account),
            channel: Code::new("ussd").expect("short"),
        }))
    }

    fn suspend(&mut self, account: u64, suspend: bool) {
        let state = if suspend {
            LifeCycle::Suspended
        } else {
            LifeCycle::Active
        };
        let _ = self.call(Command::UpdateAccount(UpdateAccount {
            account: AccountId(account),
            state: Some(state),
            ..UpdateAccount::default()
        }));
    }

    fn batch_now(&self, id: u32) -> &charge::card::CardBatch {
        let key = EntityKey::CardBatch(id);
        let home = &self.homes[usize::from(key.partition(self.partitions()))];
        match home.entities.get(&key) {
            Some(Entity::CardBatch(batch)) => batch,
            _ => panic!("the batch exists"),
        }
    }

    /// With nothing on its way: books, batch, shelves and credits say the same.
    fn check_at_rest(&self, id: u32) {
        let batch = self.batch_now(id);
        assert!(batch.pending.is_empty(), "{:?}", batch.pending);
        assert_eq!(self.book(LedgerAccount::InTransit), 0);
        assert_eq!(self.book(LedgerAccount::Vouchers), i128::from(batch.owed.0));
        let live = (0..batch.count).filter(|place| {
            batch.range_of(*place).is_some_and(|range| range.state.is_live()) && !batch.is_used(*place)
        });
        assert_eq!(batch.owed.0, FACE.0 * i64::try_from(live.count()).expect("few"));
        let mut credits: BTreeMap<String, u32> = BTreeMap::new();
        for event in &self.journal {
            if let EventBody::Recharged(recharged) = &event.body {
                *credits.entry(recharged.reference.clone()).or_default() += 1;
                assert_eq!(recharged.outcome.gross, FACE);
            }
        }
        assert!(credits.values().all(|count| *count == 1), "{credits:?}");
        let mut taken = 0;
        for shelf in self.homes.iter().flat_map(|home| home.entities.values()) {
            if let Entity::CardShelf(shelf) = shelf {
                assert!(shelf.taken.iter().all(|taken| taken.receipt.is_some()));
                taken += shelf.taken.len();
            }
        }
        assert_eq!(taken, credits.len());
        assert_eq!(batch.used_count as usize, credits.len());
        for place in 0..batch.count {
            let serial = Serial { batch: id, place }.to_string();
            assert_eq!(batch.is_used(place), credits.contains_key(&serial), "{serial}");
        }
        // What dealers owe is what was issued less what was taken back from them.
        let gone = self.book(LedgerAccount::VoucherFunding) + self.book(LedgerAccount::Breakage);
        let used = i128::from(FACE.0) * credits.len() as i128;
        assert_eq!(self.book(LedgerAccount::Vouchers) + gone + used, 0);
    }
}

/// A hash as if of a PIN: spread over shelves.
fn hash_of(batch: u32, place: u32) -> PinHash {
    let value = charge::ids::digest128("test", &[&batch.to_be_bytes(), &place.to_be_bytes()]);
    PinHash((value >> 64) as u64)
}

#[test]
fn a_card_is_redeemed_once_and_only_when_it_may_be() {
    for partitions in [1, 2, 9] {
        let mut world = World::new(partitions);
        let batch = world.batch(10);
        assert_eq!(world.redeem(batch, 0, 1), Err(Refusal::CardNotActive));
        world.activate(batch);
        // The export was given out; there is no second one.
        assert_eq!(
            world.call(Command::ExportCards(batch)),
            Err(Refusal::BadTransition)
        );
        world.deliver_all();
        assert_eq!(world.book(LedgerAccount::Vouchers), 1_000_000_000);
        let Ok(Reply::Card(first)) = world.redeem(batch, 0, 1) else {
            panic!("it is good");
        };
        assert_eq!((first.face, first.repeated), (FACE, false));
        assert_eq!(world.redeem(batch, 0, 2), Err(Refusal::CardUsed));
        let Ok(Reply::Card(again)) = world.redeem(batch, 0, 1) else {
            panic!("its owner is told that it worked");
        };
        assert!(again.repeated && again.receipt.is_none());
        world.deliver_all();
        let Ok(Reply::Card(later)) = world.redeem(batch, 0, 1) else {
            panic!("its owner is told that it worked");
        };
        assert!(later.repeated && later.receipt.is_some());
        assert_eq!(world.redeem(batch, 10, 1), Err(Refusal::NoSuchCard));

        let part = |start, end| Some(CardPart { start, end });
        assert_eq!(
            world.set(batch, part(1, 3), CardState::Recalled),
            Ok(Reply::CardsChanged { cards: 2 })
        );
        assert_eq!(
            world.set(batch, part(3, 4), CardState::Stolen),
            Ok(Reply::CardsChanged { cards: 1 })
        );
        world.deliver_all();
        assert_eq!(world.redeem(batch, 1, 1), Err(Refusal::CardRecalled));
        assert_eq!(world.redeem(batch, 3, 1), Err(Refusal::CardStolen));
        assert_eq!(
            world.set(batch, part(0, 10), CardState::Active),
            Err(Refusal::BadTransition),
            "what was recalled stays so"
        );
        world.check_at_rest(batch);
        // Nobody says so: the time comes. The copies know it without being told.
        world.now = world.now.plus(30 * DAY);
        assert_eq!(world.redeem(batch, 5, 1), Err(Refusal::CardExpired));
        world
            .call(Command::ExpireCards { batch, early: false })
            .expect("its time has come");
        world.deliver_all();
        assert_eq!(world.redeem(batch, 1, 1), Err(Refusal::CardRecalled));
        world.check_at_rest(batch);
        assert_eq!(world.book(LedgerAccount::Breakage), 600_000_000);
        assert_eq!(world.batch_now(batch).next_due(), None);
    }
}

#[test]
fn a_card_comes_back_when_its_number_cannot_be_credited() {
    let mut world = World::new(4);
    let batch = world.batch(3);
    world.activate(batch);
    world.deliver_all();
    world.suspend(1, true);
    world.redeem(batch, 0, 1).expect("the shelf does not know");
    world.deliver_all();
    world.check_at_rest(batch);
    assert_eq!(world.batch_now(batch).used_count, 0);
    world.redeem(batch, 0, 2).expect("somebody else may");
    // Recalled while it is on its way to a number that refuses it: it lapses when it is back.
    world.redeem(batch, 1, 1).expect("the shelf does not know");
    world.set(batch, None, CardState::Recalled).expect("recalled");
    world.deliver_all();
    world.check_at_rest(batch);
    assert_eq!(world.redeem(batch, 1, 2), Err(Refusal::CardRecalled));
    assert_eq!(world.book(LedgerAccount::Vouchers), 0);
}

#[test]
fn hashes_of_other_cards_are_clashes() {
    let mut world = World::new(1);
    let first = world.batch(4);
    let second = world.batch(4);
    let shelve = |cards| {
        Command::ShelveCards(Box::new(ShelveCards {
            operator: JAZZ,
            batch: second,
            cards,
        }))
    };
    let other = hash_of(9, 9);
    let asked = shelve(vec![
        (hash_of(first, 1), 0),
        (other, 1),
        (other, 2),
        (hash_of(9, 8), 4),
    ]);
    let Ok(Reply::CardsShelved { mut clashes }) = world.call(asked) else {
        panic!("shelved");
    };
    clashes.sort_unstable();
    assert_eq!(
        clashes,
        [0, 2, 4],
        "of another batch, twice at once, and no card of the batch"
    );
}

#[test]
fn wrong_tries_lock_and_are_seen_by_staff() {
    let mut world = World::new(4);
    let batch = world.batch(4);
    let wrong = |card| {
        Command::NoteCardTry(CardTry {
            account: AccountId(3),
            own: true,
            wrong: Some(Refusal::CardNotActive),
            card,
        })
    };
    for _ in 0..TRIES_MAX + 3 {
        world
            .call(wrong(Some(Serial { batch, place: 2 })))
            .expect("remembered");
    }
    world.deliver_all();
    let key = EntityKey::CardGuard(AccountId(3), true);
    let home = &world.homes[usize::from(key.partition(4))];
    let Some(Entity::CardGuard(guard)) = home.entities.get(&key) else {
        panic!("it is remembered");
    };
    assert_eq!(guard.locked_until, START.plus(HOUR));
    assert_eq!(
        guard.wrong_total,
        u64::from(TRIES_MAX),
        "while it is locked, nothing counts"
    );
    let seen = world.batch_now(batch);
    assert_eq!(seen.tries, [0, u64::from(TRIES_MAX), 0, 0, 0]);
    assert_eq!(seen.tried.len(), TRIES_MAX as usize);
    let register = EntityKey::CardRegister;
    let home = &world.homes[usize::from(register.partition(4))];
    match home.entities.get(&register) {
        Some(Entity::CardRegister(register)) => assert_eq!(register.locks.len(), 1),
        _ => panic!("the register exists"),
    }
}

#[derive(Clone, Debug)]
enum Action {
    Redeem(u32, u64),
    Deliver(usize),
    Set(u32, u32, CardState),
    Suspend(u64, bool),
    Wait(i64),
    Expire,
}

fn action() -> impl Strategy<Value = Action> {
    let state = prop_oneof![
        Just(CardState::Shipped),
        Just(CardState::Active),
        Just(CardState::Sold),
        Just(CardState::Recalled),
        Just(CardState::Stolen)
    ];
    prop_oneof![
        8 => (0u32..24, 1..=ACCOUNTS).prop_map(|(place, account)| Action::Redeem(place, account)),
        12 => any::<usize>().prop_map(Action::Deliver),
        3 => (0u32..20, 1u32..6, state).prop_map(|(start, len, state)| Action::Set(start, start + len, state)),
        1 => (1..=ACCOUNTS, any::<bool>()).prop_map(|(account, on)| Action::Suspend(account, on)),
        1 => (1i64..100).prop_map(Action::Wait),
        1 => Just(Action::Expire),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn any_history_keeps_the_books(
        partitions in 1u16..6,
        actions in proptest::collection::vec(action(), 1..200),
    ) {
        let mut world = World::new(partitions);
        let batch = world.batch(20);
        world.call(Command::ExportCards(batch)).expect("exported");
        world.set(batch, None, CardState::Shipped).expect("shipped");
        world.set(batch, Some(CardPart { start: 0, end: 14 }), CardState::Active).expect("active");
        for action in actions {
            match action {
                Action::Redeem(place, account) => { let _ = world.redeem(batch, place, account); }
                Action::Deliver(which) => { world.deliver_one(which); }
                Action::Set(start, end, state) => { let _ = world.set(batch, Some(CardPart { start, end }), state); }
                Action::Suspend(account, on) => world.suspend(account, on),
                Action::Wait(hours) => world.now = world.now.plus(hours * HOUR),
                Action::Expire => { let _ = world.call(Command::ExpireCards { batch, early: false }); }
            }
        }
        world.deliver_all();
        world.check_at_rest(batch);
        // The journal alone gives the same entities.
        let mut replayed: BTreeMap<EntityKey, Entity> = BTreeMap::new();
        for event in &world.journal {
            let mut slot = replayed.remove(&event.key);
            apply(&mut slot, event);
            replayed.insert(event.key, slot.expect("an entity"));
        }
        let live: BTreeMap<EntityKey, Entity> =
            world.homes.iter().flat_map(|home| home.entities.clone()).collect();
        prop_assert_eq!(replayed, live);
    }
}
