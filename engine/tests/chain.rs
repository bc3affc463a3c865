//! The selling chain on the real engine and SQLite: random trees of sellers, 64 threads that move stock to and fro and sell,
//! many things said twice, branches blocked and let go meanwhile. Afterwards every rupee is where an independent sum
//! says, no float is below zero, every account holds what its top-ups gave it and reversals left it, promotions and tax
//! included, and the audit is clean.

mod support;

use charge::account::Origin;
use charge::codec::Codec;
use charge::ledger::{LedgerAccount, postings};
use charge::partner::{TopUp, TopUpState};
use charge::promotion::EarnedStatus;
use charge::reply::Reply;
use charge::reversal::{ReversalState, ReverseTopUp};
use charge::seller::limits::LOTS_MAX;
use charge::seller::{
    ChainCommand, ChainSale, MoveState, MoveStock, OpenSeller, Place, Seller, SellerChange, StockMove,
};
use charge::{
    AccountId, Code, Command, Entity, EntityKey, Event, Money, OperatorId, PartnerId, Refusal, Unit,
};
use engine::{Engine, EngineError, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::batch::{Batch, Record};
use store::{SqliteOptions, SqliteStore, Store};
use support::{TestClock, account_key, catalogs, fund, open, open_partner, top_up};

const THREADS: usize = 64;
const OPERATIONS: usize = 4_000;
const ACCOUNTS: u64 = 12;
const SELLERS: u32 = 40;
const PARTITIONS: u16 = 7;
/// Rupees that each seller begins with, so that there are sales whatever comes down the tree in time.
const FIRST_STOCK: i64 = 5_000;

/// SplitMix64: the same seed, the same tree and the same wishes.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).expect("small")
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.roll(list.len())]
    }
}

#[test]
fn sixty_four_threads_on_random_trees() {
    for seed in [1, 2, 3] {
        storm(seed);
    }
}

fn storm(seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(directory.path(), SqliteOptions::default()).unwrap());
    let settings = Settings::for_tests(PARTITIONS);
    let engine = Engine::open(Arc::clone(&store), catalogs(), TestClock::new(), settings, None).unwrap();
    let mut dice = Dice(seed);
    for account in 1..=ACCOUNTS {
        engine.call(open(account, 0)).unwrap();
    }
    let places = plant(&engine, &mut dice);
    engine.call(fund(1, 2_000_000, "bank")).unwrap();
    for place in &places[1..] {
        engine.call(fund(place.id.0, FIRST_STOCK, "first")).unwrap();
    }
    let wishes: Vec<Command> = (0..OPERATIONS)
        .map(|number| wish(&mut dice, &places, number))
        .collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (engine, wishes, next) = (&engine, &wishes, &next);
            scope.spawn(move || work(engine, wishes, next, thread));
        }
    });
    for place in &places {
        let (seller, on) = (place.id, false);
        let _ = engine.call(Command::Chain(ChainCommand::Block { seller, on, by: None }));
    }
    settle(&engine, &places, &wishes);
    let held = check(&engine, &places, &wishes, seed);
    engine.stop();
    drop(engine);
    assert_eq!(taxes(&*store), held.taxes(), "seed {seed}: tax by account");
    let report = engine::audit::audit(&*store, PARTITIONS, &mut |_| {}).unwrap();
    assert!(report.ok(), "seed {seed}: {:?}", report.problems);
    assert_eq!((report.in_transit, report.sums), (0, [0; 4]));
}

/// A random tree by the shipped grades, deeper than wide; some have a credit line.
fn plant(engine: &Engine, dice: &mut Dice) -> Vec<Place> {
    let grades = &catalogs().chain().grades.clone();
    let mut places: Vec<Place> = Vec::new();
    let mut id = 1;
    while id <= SELLERS {
        let (grade, parent) = if id == 1 {
            (&grades[0], None)
        } else {
            let grade = dice.of(&grades[1..]);
            let fits: Vec<&Place> = places
                .iter()
                .filter(|place| grade.under.contains(&place.grade))
                .collect();
            if fits.is_empty() {
                continue;
            }
            (grade, Some((*dice.of(&fits)).clone()))
        };
        engine.call(open_partner(id)).unwrap();
        let asked = OpenSeller {
            partner: PartnerId(id),
            grade: grade.code,
            parent: parent.as_ref().map(|parent| parent.id),
            by: None,
            operator: OperatorId(1),
            outlet: String::new(),
            number: None,
            language: Default::default(),
        };
        engine
            .call(Command::Chain(ChainCommand::Open(Box::new(asked))))
            .unwrap();
        if dice.roll(3) == 0 && id > 1 {
            let change = SellerChange::CreditLine(Money::from_units(300));
            let seller = PartnerId(id);
            engine
                .call(Command::Chain(ChainCommand::Change {
                    seller,
                    change,
                    by: None,
                }))
                .unwrap();
        }
        let place = seller(engine, PartnerId(id)).place;
        assert_eq!(
            place.parent(),
            parent.as_ref().map(|parent| parent.id),
            "the answer waits for the place"
        );
        places.push(place);
        id += 1;
    }
    places
}

fn seller(engine: &Engine, id: PartnerId) -> Seller {
    let look = |entity: Option<&Entity>, _| entity.and_then(Entity::seller).cloned();
    engine
        .read(EntityKey::Seller(id), look)
        .unwrap()
        .expect("a seller")
}

/// Something to do: mostly along the edges of the tree, sometimes what is not allowed.
fn wish(dice: &mut Dice, places: &[Place], number: usize) -> Command {
    let place = dice.of(places);
    let parent = place.parent().unwrap_or(PartnerId(1));
    let above = places.iter().find(|other| other.id == parent).unwrap_or(place);
    let rupees = 10 + dice.roll(400) as i64;
    let reference = format!("w{number}");
    let stock = |from: &Place, to: &Place, by: Option<PartnerId>, amount: i64| {
        Command::Chain(ChainCommand::Move(Box::new(MoveStock {
            id: number as u128 + 1,
            from: from.id,
            to: to.clone(),
            by,
            reference: reference.clone(),
            amount: Money(amount),
        })))
    };
    let odd = dice.roll(1_000_000) as i64;
    match dice.roll(100) {
        // Down: large amounts high up, so that something arrives below.
        0..40 => {
            let large = if above.above.len() < 2 { 20 } else { 1 };
            stock(above, place, Some(above.id), rupees * large * 1_000_000 + odd)
        }
        40..48 => stock(place, above, Some(place.id), rupees * 1_000_000 + odd),
        48..54 => stock(place, above, Some(above.id), rupees * 1_000_000 + odd),
        54..58 => stock(place, &places[0], None, rupees * 1_000_000),
        58..62 => {
            let other = dice.of(places);
            stock(place, other, Some(place.id), rupees * 1_000_000)
        }
        62..66 => Command::Chain(ChainCommand::Block {
            seller: place.id,
            on: dice.roll(3) == 0,
            by: place.parent(),
        }),
        _ => {
            // One account in seven does not exist: the account's partition refuses.
            let account = 1 + dice.roll(ACCOUNTS as usize + 2) as u64;
            // Half of them type the code of a campaign, and some are large enough for another one.
            let rupees = rupees + if dice.roll(4) == 0 { 300 } else { 0 };
            let mut sold = top_up(place.id.0, account, rupees, &reference);
            if let Command::TopUp(asked) = &mut sold
                && dice.roll(2) == 0
            {
                asked.campaign = Code::new("JAZZWINTER").expect("a campaign");
            }
            sold
        }
    }
}

/// Takes wishes, says a third of them again at once, and old ones again much later.
fn work(engine: &Engine, wishes: &[Command], next: &AtomicUsize, thread: usize) {
    let mut dice = Dice(thread as u64 + 1_000);
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(wish) = wishes.get(index) else { return };
        let first = say(engine, wish);
        if first.is_ok() && dice.roll(3) == 0 {
            take_back(engine, wish);
        }
        if dice.roll(3) == 0 {
            let again = say(engine, wish);
            if let (Ok(first), Ok(again)) = (&first, &again) {
                assert_eq!(first, again, "the same answer");
            }
        }
        if index > 0 && dice.roll(5) == 0 {
            let _ = say(engine, &wishes[dice.roll(index)]);
        }
    }
}

/// Reverses a sale as soon as it is credited, twice.
fn take_back(engine: &Engine, wish: &Command) {
    let Command::TopUp(sold) = wish else { return };
    let asked = Command::ReverseTopUp(ReverseTopUp {
        partner: sold.partner,
        external: sold.external_digest(),
        by: Code::new("shop").unwrap(),
        staff: true,
        two_from: Money::ZERO,
    });
    for _ in 0..200 {
        if say(engine, &asked).is_ok() {
            let _ = say(engine, &asked);
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
}

fn say(engine: &Engine, wish: &Command) -> Result<Reply, EngineError> {
    loop {
        match engine.call(wish.clone()) {
            Err(EngineError::Busy) => std::thread::yield_now(),
            Err(error @ EngineError::Unavailable(_)) => panic!("{error}"),
            answer => return answer,
        }
    }
}

fn settle(engine: &Engine, places: &[Place], wishes: &[Command]) {
    for _ in 0..10_000 {
        let open = places.iter().any(|place| {
            let look = |entity: Option<&Entity>, _| {
                entity
                    .and_then(Entity::partner)
                    .is_some_and(|partner| partner.in_transit != Money::ZERO)
            };
            engine.read(EntityKey::Partner(place.id), look).unwrap()
        });
        let blocked = places
            .iter()
            .any(|place| seller(engine, place.id).check_open().is_err());
        let reversing = wishes.iter().any(|wish| {
            let Command::TopUp(asked) = wish else { return false };
            let look = |entity: Option<&Entity>, _| {
                let reversal = entity.and_then(Entity::top_up)?.after.reversal.clone()?;
                Some(reversal.state == ReversalState::Asked)
            };
            engine.read(asked.key(), look).unwrap().unwrap_or(false)
        });
        let claims = (0..PARTITIONS).any(|home| {
            let look = |entity: Option<&Entity>, _| {
                let shares = entity.and_then(Entity::shares);
                shares.is_some_and(|shares| !shares.claims.is_empty())
            };
            engine.read(EntityKey::Shares(OperatorId(1), home), look).unwrap()
        });
        if !open && !blocked && !reversing && !claims {
            // Shares of those above are on their way a little longer: nobody's float waits for them.
            std::thread::park_timeout(std::time::Duration::from_millis(200));
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(2));
    }
    panic!("it does not settle");
}

/// What each float must hold, from the ends of movements and sales alone.
#[derive(Default)]
struct Sums {
    floats: BTreeMap<PartnerId, i128>,
    stock_commission: i128,
    reversals: usize,
    /// Shares taken back.
    taken: BTreeMap<PartnerId, Money>,
    /// What each account must hold and owe of tax.
    accounts: BTreeMap<AccountId, Held>,
    /// Gifts that were taken back with their top-up.
    gifts_taken: usize,
}

/// What an account holds by origin and unit, and the tax taken from its recharges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    lots: BTreeMap<(&'static str, &'static str), i128>,
    tax: i128,
}

impl Held {
    fn add(&mut self, origin: Origin, unit: Unit, amount: i64) {
        if amount != 0 {
            *self.lots.entry((origin.name(), unit.name())).or_default() += i128::from(amount);
        }
    }
}

impl Sums {
    fn add(&mut self, id: PartnerId, amount: Money) {
        *self.floats.entry(id).or_default() += i128::from(amount.0);
    }

    fn moved(&mut self, known: &StockMove) {
        if known.state != MoveState::Completed {
            assert_eq!(known.state, MoveState::Declined);
            return;
        }
        self.add(known.from, -known.amount);
        self.add(known.to, known.amount - known.back + known.commission);
        self.stock_commission += i128::from((known.commission - known.back).0);
    }

    fn sold(&mut self, top_up: &TopUp, sale: &ChainSale) {
        if !matches!(top_up.state, TopUpState::Completed | TopUpState::Reversed) {
            assert_eq!(top_up.state, TopUpState::Declined);
            return;
        }
        let reversal = top_up.after.reversal.as_ref();
        if let Some(done) = reversal.filter(|reversal| reversal.state == ReversalState::Done) {
            assert_eq!(
                (top_up.state, done.taken.gross),
                (TopUpState::Reversed, sale.reversed)
            );
            self.reversals += 1;
            self.add(top_up.partner, done.taken.gross - done.commission);
            for ((above, amount), taken) in sale.overrides.iter().zip(&sale.taken) {
                assert!(
                    done.taken.gross < top_up.gross || amount == taken,
                    "the whole goes back to the millionth"
                );
                self.add(*above, -*taken);
                *self.taken.entry(*above).or_default() += *taken;
            }
        }
        self.add(top_up.partner, top_up.details.commission - top_up.gross);
        for (above, amount) in &sale.overrides {
            self.add(*above, *amount);
        }
        self.credited(top_up);
    }

    /// What the account got for it, and what a reversal left of that.
    fn credited(&mut self, top_up: &TopUp) {
        let outcome = top_up.outcome.as_ref().expect("a credited sale has an outcome");
        assert_eq!(outcome.gross, outcome.credited + outcome.tax + outcome.fee);
        let reversal = top_up.after.reversal.as_ref();
        let taken = reversal.filter(|reversal| reversal.state == ReversalState::Done);
        let held = self.accounts.entry(top_up.account).or_default();
        held.add(Origin::Paid, Unit::Money, outcome.credited.0);
        held.tax += i128::from(outcome.tax.0);
        for earned in &outcome.earned {
            assert_ne!(
                earned.status,
                EarnedStatus::NotFunded,
                "the budgets are large enough"
            );
        }
        let gifts = outcome.earned.iter().flat_map(|earned| &earned.lots);
        match taken.map(|reversal| reversal.taken) {
            None => gifts.for_each(|gift| held.add(Origin::Bonus, gift.unit, gift.amount.0)),
            Some(taken) => {
                // Nobody uses anything here: what is taken back is the whole, its gifts too.
                assert_eq!((taken.gross, taken.unused), (top_up.gross, outcome.credited));
                held.add(Origin::Paid, Unit::Money, -taken.unused.0);
                held.tax -= i128::from(taken.tax.0);
                self.gifts_taken += gifts.count();
            }
        }
    }

    fn taxes(&self) -> BTreeMap<AccountId, i128> {
        let of = self.accounts.iter().map(|(id, held)| (*id, held.tax));
        of.filter(|(_, tax)| *tax != 0).collect()
    }

    /// Every account holds what its top-ups gave it.
    fn check_accounts(&self, engine: &Engine, seed: u64) {
        let mut gifts = 0;
        for account in 1..=ACCOUNTS {
            let mut expected = self
                .accounts
                .get(&AccountId(account))
                .cloned()
                .unwrap_or_default();
            expected.lots.retain(|_, amount| *amount != 0);
            gifts += expected
                .lots
                .keys()
                .filter(|(origin, _)| *origin == "bonus")
                .count();
            let look = |entity: Option<&Entity>, _| entity.and_then(Entity::account).cloned();
            let known = engine.read(account_key(account), look).unwrap().expect("opened");
            let mut found = Held::default();
            for lot in &known.lots {
                found.add(lot.origin, lot.unit, lot.amount.0);
            }
            assert_eq!(found.lots, expected.lots, "seed {seed}: account {account}");
        }
        assert!(gifts > 10, "seed {seed}: {gifts} kinds of gifts are no campaign");
        assert!(
            self.gifts_taken > 3,
            "seed {seed}: {} gifts taken back",
            self.gifts_taken
        );
    }
}

/// What the journal posted as tax of recharges, by account.
fn taxes(store: &dyn Store) -> BTreeMap<AccountId, i128> {
    let mut journal = store.journal_reader().unwrap();
    let mut taxes = BTreeMap::new();
    for head in journal.heads().unwrap() {
        let mut next = head.first;
        while next <= head.seq {
            for row in journal.read(head.partition, next, 1 << 20).unwrap() {
                next = row.seq + 1;
                for record in Batch::parse(&row.batch).unwrap().records() {
                    let Record::Event(bytes) = record else { continue };
                    let event = Event::from_bytes(bytes).unwrap();
                    let EntityKey::Account(account) = event.key else {
                        continue;
                    };
                    for posting in postings(&event) {
                        if posting.account == LedgerAccount::RechargeTax {
                            *taxes.entry(account).or_default() += i128::from(posting.amount.0);
                        }
                    }
                }
            }
        }
    }
    taxes.retain(|_, tax| *tax != 0);
    taxes
}

fn check(engine: &Engine, places: &[Place], wishes: &[Command], seed: u64) -> Sums {
    let mut sums = Sums::default();
    sums.add(PartnerId(1), Money::from_units(2_000_000));
    for place in &places[1..] {
        sums.add(place.id, Money::from_units(FIRST_STOCK));
    }
    let (mut moves, mut sales, mut kinds) = (0, 0, BTreeSet::new());
    for wish in wishes {
        match wish {
            Command::Chain(ChainCommand::Move(asked)) => {
                let look = |entity: Option<&Entity>, _| entity.and_then(Entity::stock_move).cloned();
                if let Some(known) = engine.read(asked.key(), look).unwrap() {
                    sums.moved(&known);
                    moves += 1;
                    kinds.insert(known.kind.name());
                }
            }
            Command::TopUp(asked) => {
                let look = |entity: Option<&Entity>, _| entity.and_then(Entity::top_up).cloned();
                let Some(known) = engine.read(asked.key(), look).unwrap() else {
                    continue;
                };
                let key = EntityKey::Sale(asked.partner, asked.external_digest());
                let look = |entity: Option<&Entity>, _| entity.and_then(Entity::sale).cloned();
                sums.sold(&known, &engine.read(key, look).unwrap().expect("a seller's"));
                sales += 1;
            }
            _ => {}
        }
    }
    assert!(
        moves > 200 && sales > 60,
        "seed {seed}: {moves} movements and {sales} sales are no storm"
    );
    assert!(sums.reversals > 10, "seed {seed}: {} reversals", sums.reversals);
    assert_eq!(kinds.len(), 4, "seed {seed}: {kinds:?}");
    let mut held = 0;
    for place in places {
        let found = seller(engine, place.id);
        let look = |entity: Option<&Entity>, _| entity.and_then(Entity::partner).map(|partner| partner.float);
        let float = engine.read(EntityKey::Partner(place.id), look).unwrap().unwrap();
        let bonuses: Money = found.bonuses.iter().map(|bonus| bonus.amount).sum();
        let expected =
            sums.floats.get(&place.id).copied().unwrap_or(0) + i128::from((found.owed + bonuses).0);
        assert_eq!(
            i128::from(float.0),
            expected,
            "seed {seed}: the float of {place:?}"
        );
        assert!(
            float.0 >= 0 && (Money::ZERO..=found.credit_line).contains(&found.owed),
            "{found:?}"
        );
        assert!(found.lots.len() <= LOTS_MAX);
        held += found
            .lots
            .iter()
            .map(|lot| i128::from(lot.commission.0))
            .sum::<i128>();
        assert!(
            found
                .lots
                .iter()
                .all(|lot| lot.base.0 >= 0 && lot.commission.0 >= 0),
            "{found:?}"
        );
    }
    assert_eq!(
        held, sums.stock_commission,
        "seed {seed}: commission on stock is what is not given back"
    );
    sums.check_accounts(engine, seed);
    sums
}

#[test]
fn a_place_is_given_once_and_only_below() {
    let directory = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(directory.path(), SqliteOptions::default()).unwrap());
    let engine = Engine::open(store, catalogs(), TestClock::new(), Settings::for_tests(5), None).unwrap();
    for id in 1..=20 {
        engine.call(open_partner(id)).unwrap();
    }
    let open = |id: u32, grade: &str, parent: Option<u32>| {
        let asked = OpenSeller {
            partner: PartnerId(id),
            grade: Code::new(grade).unwrap(),
            parent: parent.map(PartnerId),
            by: None,
            operator: OperatorId(1),
            outlet: String::new(),
            number: None,
            language: Default::default(),
        };
        engine
            .call(Command::Chain(ChainCommand::Open(Box::new(asked))))
            .map(|_| ())
    };
    open(1, "operator", None).unwrap();
    open(2, "distributor", Some(1)).unwrap();
    open(3, "distributor", Some(1)).unwrap();
    // Eight at once: one place.
    let given = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| open(4, "retailer", Some(2))))
            .collect();
        tries
            .into_iter()
            .filter_map(|one| one.join().unwrap().ok())
            .count()
    });
    assert_eq!(given, 1);
    // Somebody else may say so too, but a place does not change.
    let _ = open(4, "retailer", Some(3));
    assert_eq!(seller(&engine, PartnerId(4)).place.parent(), Some(PartnerId(2)));
    assert_eq!(
        open(1, "operator", None),
        Err(EngineError::Refused(Refusal::SellerExists))
    );
    assert_eq!(
        open(5, "retailer", Some(5)),
        Err(EngineError::Refused(Refusal::NoSuchSeller))
    );
}
