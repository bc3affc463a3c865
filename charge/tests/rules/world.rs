//! A small world: one operator, one account, one shop. Every command is checked for what must always hold.

use charge::account::{LifeCycle, Lot, Origin};
use charge::catalog::{
    Catalog, Catalogs, Contact, FinalAction, GrantPolicy, Language, Numbering, Policy, Prefix, RechargeRules,
    Region, Scope, TaxRules, Text, ValidityBand, ValidityRule,
};
use charge::codec::Codec;
use charge::command::{Message, OpenAccount};
use charge::decide::View;
use charge::ids::LotId;
use charge::ledger::{LedgerAccount, sums};
use charge::left::SessionNotice;
use charge::money::Rounding;
use charge::seller::ChainMessage;
use charge::tax::{Rate, TaxClass};
use charge::time::{DAY, Zone};
use charge::unit::Amount;
use charge::{
    Account, AccountId, Code, Command, Decision, Entity, EntityKey, Event, EventBody, Money, Msisdn,
    OperatorId, PartnerId, Refusal, Reply, Timestamp, Unit, apply, decide, postings,
};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const OPERATOR: OperatorId = OperatorId(1);
pub const ACCOUNT: AccountId = AccountId(7);
pub const PARTNER: PartnerId = PartnerId(3);
/// Local midnight of day 0 in Karachi: 2026-11-20.
pub const DAY_0: Timestamp = Timestamp::from_seconds(1_795_114_800);

pub fn code(text: &str) -> Code {
    Code::new(text).expect("a short name")
}

#[derive(Clone, Default)]
pub struct Entities(pub BTreeMap<EntityKey, Entity>);

impl View for Entities {
    fn get(&self, key: EntityKey) -> Option<&Entity> {
        self.0.get(&key)
    }
}

#[derive(Clone)]
pub struct World {
    pub catalog: Catalog,
    pub entities: Entities,
    pub now: Timestamp,
    /// Everything that happened since [`World::seal`].
    pub journal: Vec<Event>,
    /// Balance of each ledger account and unit.
    pub books: BTreeMap<(LedgerAccount, Unit), i128>,
    pub before: Entities,
}

impl World {
    pub fn new() -> World {
        let open = OpenAccount {
            account: ACCOUNT,
            operator: OPERATOR,
            msisdn: Msisdn::new(923_001_234_567).expect("a number"),
            imsi: None,
            language: Language::En,
            tax_class: TaxClass::Standard,
            region: Code::EMPTY,
            opening_balance: Money::ZERO,
        };
        let event = Event {
            key: EntityKey::Account(ACCOUNT),
            operator: OPERATOR,
            at: DAY_0,
            body: EventBody::AccountOpened {
                open: Box::new(open),
                lot: None,
                valid_until: DAY_0.plus(30 * DAY),
            },
        };
        let mut slot = None;
        apply(&mut slot, &event);
        let mut entities = Entities::default();
        entities.0.insert(event.key, slot.expect("opened"));
        World {
            catalog: catalog(),
            entities,
            now: DAY_0.plus(12 * charge::time::HOUR),
            journal: Vec::new(),
            books: BTreeMap::new(),
            before: Entities::default(),
        }
    }

    pub fn account(&self) -> &Account {
        let entity = self.entities.get(EntityKey::Account(ACCOUNT));
        entity.and_then(Entity::account).expect("the account exists")
    }

    pub fn account_mut(&mut self) -> &mut Account {
        match self.entities.0.get_mut(&EntityKey::Account(ACCOUNT)) {
            Some(Entity::Account(account)) => account,
            _ => unreachable!("the account exists"),
        }
    }

    /// Adds a lot by hand, before the world is sealed.
    pub fn add_lot(&mut self, lot: Lot) {
        let account = self.account_mut();
        account.next_lot = account.next_lot.max(lot.id.0 + 1);
        account.lots.push(lot);
    }

    /// A lot of main balance, to be changed before it is added.
    pub fn lot(&self, unit: Unit, amount: i64) -> Lot {
        Lot {
            id: LotId(self.account().next_lot),
            unit,
            origin: if unit == Unit::Money {
                Origin::Paid
            } else {
                Origin::Bundle
            },
            priority: if unit == Unit::Money { 100 } else { 10 },
            amount: Amount(amount),
            reserved: Amount::ZERO,
            initial: Amount(amount),
            granted_at: self.now,
            expires_at: Timestamp::NEVER,
            scope: Scope::ANY,
            step: Amount(1),
            waives_setup: false,
            source: code(unit.name()),
        }
    }

    /// The set-up is done: the books begin with what is there.
    pub fn seal(&mut self) {
        let lots = self.account().lots.clone();
        for lot in lots {
            let key = (LedgerAccount::Subscriber(ACCOUNT, lot.origin), lot.unit);
            *self.books.entry(key).or_default() += i128::from(lot.amount.0);
        }
        self.before = self.entities.clone();
    }

    pub fn catalogs(&self) -> Catalogs {
        let mut catalogs = Catalogs::default();
        catalogs.insert(Arc::new(self.catalog.clone()));
        catalogs
    }

    /// Decides and applies a command, and the messages it sends; gives the answer and the new events.
    pub fn run(&mut self, command: &Command) -> (Result<Reply, Refusal>, Vec<Event>) {
        let catalogs = self.catalogs();
        let bytes = self.bytes();
        let decided = decide(&self.entities, &catalogs, command, self.now);
        assert_eq!(bytes, self.bytes(), "decide changes nothing");
        assert_eq!(
            decided,
            decide(&self.entities, &catalogs, command, self.now),
            "the same command on the same state gives the same decision"
        );
        let decision = match decided {
            Ok(decision) => decision,
            Err(refusal) => return (Err(refusal), Vec::new()),
        };
        round_trip(&decision.reply);
        let Decision {
            events,
            messages,
            reply,
        } = decision;
        let mut all = events.into_vec();
        for event in &all {
            self.take(event);
        }
        for message in messages {
            round_trip(&message);
            let (delivered, events) = self.run(&Command::Deliver(message.clone()));
            delivered.expect("a message is always consumed");
            all.extend(events);
            // Leases and shares are counted by the numbers of their messages alone: the engine drops one that comes twice.
            if matches!(
                message,
                Message::BudgetAsked(_)
                    | Message::BudgetAnswered { .. }
                    | Message::BudgetReturned(_)
                    | Message::Chain(ChainMessage::Override { .. })
            ) {
                continue;
            }
            let (again, events) = self.run(&Command::Deliver(message.clone()));
            again.expect("a message is always consumed");
            let moved = events.iter().any(|event| !postings(event).is_empty());
            assert!(!moved, "a message that comes twice moves nothing: {message:?}");
        }
        (Ok(reply), all)
    }

    /// Applies one event through its bytes, and checks everything that must hold after it.
    pub fn take(&mut self, event: &Event) {
        round_trip(event);
        let mut slot = self.entities.0.remove(&event.key);
        apply(&mut slot, event);
        let entity = slot.expect("an event leaves its entity");
        round_trip(&entity);
        self.entities.0.insert(event.key, entity);
        let moved = postings(event);
        assert_eq!(sums(&moved), [0; 4], "postings sum to zero: {event:?}");
        for posting in &moved {
            *self.books.entry((posting.account, posting.unit)).or_default() += i128::from(posting.amount.0);
        }
        check_words(event, &self.catalog.zone);
        self.journal.push(event.clone());
        self.check_account(event);
    }

    fn check_account(&self, event: &Event) {
        let account = self.account();
        let mut held: BTreeMap<LotId, i64> = BTreeMap::new();
        for session in &account.sessions {
            for draw in session.elements.iter().flat_map(|element| &element.reserved) {
                assert!(!session.closed, "a closed session holds nothing");
                *held.entry(draw.lot).or_default() += draw.amount.0;
            }
        }
        let mut sums: BTreeMap<(LedgerAccount, Unit), i128> = BTreeMap::new();
        for lot in &account.lots {
            assert!(lot.amount.0 > 0, "{lot:?}");
            assert!(
                (0..=lot.amount.0).contains(&lot.reserved.0),
                "{lot:?} after {event:?}"
            );
            let by_sessions = held.remove(&lot.id).unwrap_or(0);
            assert_eq!(
                lot.reserved.0, by_sessions,
                "reservations belong to sessions: {event:?}"
            );
            *sums
                .entry((LedgerAccount::Subscriber(ACCOUNT, lot.origin), lot.unit))
                .or_default() += i128::from(lot.amount.0);
        }
        assert!(held.is_empty(), "held in lots that are gone: {held:?}");
        for ((ledger, unit), amount) in &self.books {
            match ledger {
                LedgerAccount::Subscriber(..) => {
                    let there = sums.remove(&(*ledger, *unit)).unwrap_or(0);
                    assert_eq!(
                        there, *amount,
                        "lots and ledger agree: {ledger:?} after {event:?}"
                    );
                }
                LedgerAccount::Float(_) => assert!(*amount >= 0, "a float is never negative"),
                _ => {}
            }
        }
        assert!(sums.is_empty(), "value that the ledger does not know: {sums:?}");
        assert!(account.main_balance(self.now).0 >= 0);
        if let EventBody::Charged(charged) = &event.body {
            assert_eq!(
                charged.balance,
                account.main_balance(event.at),
                "the balance told is the balance"
            );
        }
        if let Some(partner) = self
            .entities
            .get(EntityKey::Partner(PARTNER))
            .and_then(Entity::partner)
        {
            assert!(partner.float.0 >= 0 && partner.in_transit.0 >= 0);
        }
    }

    /// Replays the journal on the state as it was sealed; it must give the live state byte for byte.
    pub fn check_replay(&self) {
        let mut entities = self.before.clone();
        for event in &self.journal {
            let event = Event::from_bytes(&event.to_bytes()).expect("decodes");
            let mut slot = entities.0.remove(&event.key);
            apply(&mut slot, &event);
            entities
                .0
                .insert(event.key, slot.expect("an event leaves its entity"));
        }
        assert_eq!(bytes_of(&entities), self.bytes(), "replay equals live state");
    }

    pub fn bytes(&self) -> Vec<u8> {
        bytes_of(&self.entities)
    }
}

fn bytes_of(entities: &Entities) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, entity) in &entities.0 {
        out.extend_from_slice(&key.to_key_bytes());
        entity.encode(&mut out);
    }
    out
}

/// `decode(encode(x)) == x`, also for every kind of damage at the end.
pub fn round_trip<T: Codec + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = value.to_bytes();
    assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(value));
    assert!(T::from_bytes(&bytes[..bytes.len() - 1]).is_err());
}

/// Every event explains itself in every language, in the same steps.
pub fn check_words(event: &Event, zone: &Zone) {
    let english = charge::explain(event, Language::En, zone);
    for language in Language::ALL {
        let told = charge::explain(event, language, zone);
        let one_line = charge::explain::summary(event, language, zone);
        assert!(!told.lines.is_empty(), "{event:?}");
        let steps = |all: &charge::explain::Explanation| -> Vec<_> {
            all.lines
                .iter()
                .map(|line| (line.key, line.amounts.clone()))
                .collect()
        };
        assert_eq!(steps(&told), steps(&english));
        for text in told
            .lines
            .iter()
            .map(|line| &line.text)
            .chain([&told.title, &one_line])
        {
            assert!(!text.trim().is_empty(), "{event:?}");
            let count = |marks: &[char]| text.chars().filter(|c| marks.contains(c)).count();
            assert_eq!(count(&['\u{2066}', '\u{2068}']), count(&['\u{2069}']), "{text}");
            if language == Language::Ur {
                let bare = outside_isolates(text);
                assert!(
                    !bare.chars().any(|c| c.is_ascii_digit()),
                    "a bare number in {text}"
                );
            }
        }
    }
}

fn outside_isolates(text: &str) -> String {
    let mut depth = 0;
    let keep = |c: &char| {
        match c {
            '\u{2066}' | '\u{2068}' => depth += 1,
            '\u{2069}' => depth -= 1,
            _ => {}
        }
        depth == 0
    };
    text.chars().filter(keep).collect()
}

fn catalog() -> Catalog {
    let region = |name: &str, recharge: u32, usage: u32, areas: &[(u32, u32)]| Region {
        code: code(name),
        name: Text::default(),
        recharge: Rate(recharge),
        usage: Rate(usage),
        areas: areas.to_vec(),
    };
    let grant = GrantPolicy {
        default: Amount(1_000_000),
        minimum: Amount(1),
        maximum: Amount(1 << 40),
        validity_s: 3600,
        threshold_percent: 0,
        holding_s: 0,
    };
    Catalog {
        operator: OPERATOR,
        code: code("test"),
        name: Text::default(),
        version: 5,
        as_of: String::new(),
        currency: "PKR".into(),
        zone: Zone::fixed("Asia/Karachi", 5 * 3600),
        numbering: Numbering {
            country: Prefix::parse("92").expect("digits"),
            national_digits: 10,
            prefixes: vec![Prefix::parse("9230").expect("digits")],
            plmns: vec![41_001],
            operator: OPERATOR,
            ..Numbering::default()
        },
        tax: TaxRules {
            recharge_name: Text::default(),
            usage_name: Text::default(),
            regions: vec![
                region("PK-PB", 150_000, 195_000, &[(100, 199)]),
                region("PK-GB", 0, 0, &[(200, 299)]),
            ],
            default_region: code("PK-PB"),
            listed_non_filer: Rate(750_000),
            recharge_rounding: Rounding::HalfUp,
            usage_rounding: Rounding::HalfUp,
        },
        cards: charge::catalog::CardRules {
            denominations: [100, 300, 600, 1000].map(Money::from_units).to_vec(),
            pin_digits: 14,
        },
        recharge: RechargeRules {
            minimum: Money::from_units(10),
            maximum: Money::from_units(10_000),
            bands: vec![
                ValidityBand {
                    from: Money::ZERO,
                    days: 7,
                },
                ValidityBand {
                    from: Money::from_units(100),
                    days: 30,
                },
            ],
            rule: ValidityRule::Later,
            maximum_days: 365,
        },
        tariffs: Vec::new(),
        offers: Vec::new(),
        promotions: Vec::new(),
        policy: Policy {
            data: grant,
            voice: grant,
            sms: grant,
            final_action: FinalAction::Terminate,
            low_balance: Money::ZERO,
            session_notice: None,
            supervision_s: 600,
            duplicate_s: 3600,
            duplicate_count: 64,
        },
        contact: Contact::default(),
        keypad: Default::default(),
    }
}

/// The state of that name.
pub fn life_cycle(name: &str) -> LifeCycle {
    use LifeCycle::{Active, Closed, Expired, Suspended};
    [Active, Expired, Suspended, Closed]
        .into_iter()
        .find(|state| state.name() == name)
        .expect("a state")
}

/// When it is told what is left: `5` for money, `5M` for data.
pub fn tell(text: &str) -> SessionNotice {
    let amount = crate::script::number_of(text);
    match text.ends_with(|c: char| c.is_ascii_digit()) {
        true => SessionNotice {
            cost: Some(Money::from_units(amount)),
            ..SessionNotice::default()
        },
        false => SessionNotice {
            data: Some(Amount(amount)),
            ..SessionNotice::default()
        },
    }
}

/// What is told to be left: cost, balance, left in bundles; `-`: nothing is told.
pub fn left(events: &[Event]) -> String {
    let mut told = events.iter().filter_map(|event| match &event.body {
        EventBody::SessionEnded(ended) => Some(ended),
        _ => None,
    });
    let line = told.next().map(|ended| {
        let (cost, balance) = (ended.cost.exact(), ended.balance.exact());
        format!("{cost}/{balance}/{}", ended.left.0)
    });
    assert!(told.next().is_none(), "told once");
    line.unwrap_or("-".to_owned())
}
