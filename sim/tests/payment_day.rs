//! A day of payments on a simulated rail that says things twice, late, in any order, and sometimes lies: at its end every
//! rupee that the rail took is in exactly one of credited, given back, and open for people.

use charge::catalog::parse::{SourceFile, parse_all};
use charge::catalog::{Catalogs, Language};
use charge::command::OpenAccount;
use charge::decide::View;
use charge::ledger::{LedgerAccount, sums};
use charge::payment::{
    CreatePayment, Destination, FailureClass, Payment, PaymentAction, PaymentId, PaymentState, Price,
    RefundReason, Statement,
};
use charge::promotion::ChannelClass;
use charge::tax::TaxClass;
use charge::time::{DAY, HOUR, SECOND, Zone};
use charge::{
    AccountId, Code, Command, Entity, EntityKey, Event, EventBody, Money, Msisdn, Timestamp, Unit, apply,
    decide, postings,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Payments of the day.
const PAYMENTS: u64 = 100_000;
/// Payments where nothing is optimized; `RASEED_PAYMENTS=100000` has them all.
const PAYMENTS_SLOW: u64 = 20_000;
const ACCOUNTS: u64 = 2_000;
/// Midnight in Karachi.
const MIDNIGHT: Timestamp = Timestamp::from_seconds(1_795_114_800);

#[test]
fn a_day() {
    let mut day = Day::new(number_of("RASEED_SEED").unwrap_or(1));
    day.open_accounts();
    day.plan();
    day.live();
    day.check();
}

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect("a number"))
}

#[derive(Default)]
struct Entities(HashMap<EntityKey, Entity>);

impl View for Entities {
    fn get(&self, key: EntityKey) -> Option<&Entity> {
        self.0.get(&key)
    }
}

/// What the rail has of one order.
#[derive(Clone, Copy, Default)]
struct Book {
    taken: i64,
    given_back: i64,
    movements: u32,
}

struct Day {
    random: StdRng,
    catalogs: Catalogs,
    operator: charge::OperatorId,
    entities: Entities,
    books: HashMap<(LedgerAccount, Unit), i128>,
    rail: HashMap<PaymentId, Book>,
    /// What happens, by its moment; the number keeps the order of what happens at once.
    agenda: BinaryHeap<Reverse<(i64, u64)>>,
    happenings: HashMap<u64, Happening>,
    credits: HashMap<PaymentId, u32>,
    now: Timestamp,
    payments: u64,
}

enum Happening {
    Create(Box<CreatePayment>),
    Act(PaymentId, PaymentAction),
    /// The rail takes the money, once, and says so as often as it likes.
    Take(PaymentId),
    /// We ask for the money to be given back, if it is to be.
    GiveBack(PaymentId),
}

impl Day {
    fn new(seed: u64) -> Day {
        let files = [
            SourceFile {
                name: "catalog/pakistan.toml",
                text: include_str!("../../catalog/pakistan.toml"),
            },
            SourceFile {
                name: "catalog/jazz.toml",
                text: include_str!("../../catalog/jazz.toml"),
            },
        ];
        let zones = |name: &str| (name == "Asia/Karachi").then(|| Zone::fixed(name, 5 * 3600));
        let catalogs = parse_all(&files, &zones).expect("the shipped catalogs are valid");
        let operator = catalogs.by_code("jazz").expect("the shipped catalog").operator;
        Day {
            random: StdRng::seed_from_u64(seed),
            catalogs,
            operator,
            entities: Entities::default(),
            books: HashMap::new(),
            rail: HashMap::new(),
            agenda: BinaryHeap::new(),
            happenings: HashMap::new(),
            credits: HashMap::new(),
            now: MIDNIGHT,
            payments: number_of("RASEED_PAYMENTS").unwrap_or(match cfg!(debug_assertions) {
                true => PAYMENTS_SLOW,
                false => PAYMENTS,
            }),
        }
    }

    fn open_accounts(&mut self) {
        for id in 1..=ACCOUNTS {
            let event = Event {
                key: EntityKey::Account(AccountId(id)),
                operator: self.operator,
                at: MIDNIGHT,
                body: EventBody::AccountOpened {
                    open: Box::new(OpenAccount {
                        account: AccountId(id),
                        operator: self.operator,
                        msisdn: Msisdn::new(923_000_000_000 + id).expect("a number"),
                        imsi: None,
                        language: Language::En,
                        tax_class: TaxClass::Standard,
                        region: Code::EMPTY,
                        opening_balance: Money::ZERO,
                    }),
                    lot: None,
                    valid_until: MIDNIGHT.plus(30 * DAY),
                },
            };
            self.apply(&event);
        }
    }

    /// Creates the payments of the day, and what the rail and the payers will do about each.
    fn plan(&mut self) {
        let rail = Code::new("jazzcash").expect("a name");
        for number in 1..=self.payments {
            let account = AccountId(self.random.random_range(1..=ACCOUNTS));
            let at = MIDNIGHT.plus(self.random.random_range(0..20 * HOUR));
            let id = PaymentId::new(account.0, number).expect("a small account");
            let gross = Money::from_units(self.random.random_range(100..500));
            let asked = CreatePayment {
                id,
                to: Destination::Account(account),
                msisdn: Msisdn::new(923_000_000_000 + account.0).expect("a number"),
                operator: self.operator,
                rail,
                gross,
                price: Price::pkr(gross),
                offer: Code::EMPTY,
                campaign: Code::EMPTY,
                class: ChannelClass::Web,
                region: Code::EMPTY,
                expires_at: at.plus(HOUR / 2),
                wanted_until: at.plus(HOUR),
                payer: u128::from(number),
            };
            self.at(at, Happening::Create(Box::new(asked)));
            self.fate(id, at, gross);
        }
    }

    fn fate(&mut self, id: PaymentId, at: Timestamp, gross: Money) {
        let text = || "x".to_owned();
        let fail = || Statement::Failed {
            class: FailureClass::Funds,
            code: text(),
        };
        self.say(id, at, 60, Statement::Presented { reference: text() });
        if self.random.random_bool(0.3) {
            self.say(id, at, 600, Statement::Pending { code: text() });
        }
        let success = |paid: Money, reference: &str| Statement::Succeeded {
            paid: Price::pkr(paid),
            reference: format!("{id}-{reference}"),
        };
        let kind = self.random.random_range(0..100);
        if kind < 12 {
            // Never paid: it fails, or expires, or both are said.
            let said = if kind < 8 { fail() } else { Statement::Expired };
            self.say(id, at, 2_000, said);
            return;
        }
        // Paid at last, some of it much later than anybody waits.
        let late = match kind {
            12..=17 => self.random.random_range(2_000..14_000),
            _ => self.random.random_range(1..900),
        };
        let paid_at = at.plus(late * SECOND);
        self.at(paid_at, Happening::Take(id));
        let told = match kind {
            // The rail tells another amount than it took.
            18 | 19 => Money(gross.0 - 10_000_000),
            _ => gross,
        };
        for _ in 0..self.random.random_range(1..=4) {
            self.say(id, paid_at, 900, success(told, "1"));
        }
        match kind {
            // Before or after the success it says that it failed, or expired; the payer gives up; a second success.
            20..=24 => self.say(id, at, 2_000, fail()),
            25..=27 => self.say(id, at, 2_000, Statement::Expired),
            28..=32 => self.act_within(id, at, 1_500, PaymentAction::Cancel),
            33 => self.say(id, paid_at, 900, success(gross, "2")),
            34..=40 => {
                let undo = PaymentAction::TakeBack(RefundReason::Undo);
                self.act_within(id, paid_at, 10, undo);
            }
            41 | 42 => {
                let claim = PaymentAction::TakeBack(RefundReason::WrongNumber);
                self.act_within(id, paid_at, 1_700, claim);
            }
            _ => {}
        }
        for hours in 0..3 {
            self.at(paid_at.plus(HOUR * (hours + 1)), Happening::GiveBack(id));
        }
    }

    fn say(&mut self, id: PaymentId, from: Timestamp, within_s: i64, statement: Statement) {
        self.act_within(id, from, within_s, PaymentAction::State(statement));
    }

    fn act_within(&mut self, id: PaymentId, from: Timestamp, within_s: i64, action: PaymentAction) {
        let at = from.plus(self.random.random_range(1..=within_s) * SECOND);
        self.at(at, Happening::Act(id, action));
    }

    fn at(&mut self, at: Timestamp, happening: Happening) {
        let number = self.happenings.len() as u64;
        self.agenda.push(Reverse((at.0, number)));
        self.happenings.insert(number, happening);
    }

    fn live(&mut self) {
        while let Some(Reverse((at, number))) = self.agenda.pop() {
            self.now = Timestamp(at);
            // Left in the map as a number that is used: it is what gives the next one.
            let happening = self.happenings.get_mut(&number).expect("planned");
            match std::mem::replace(
                happening,
                Happening::Take(PaymentId::new(0, 0).expect("a number")),
            ) {
                Happening::Create(asked) => {
                    let id = asked.id;
                    self.run(&Command::CreatePayment(asked));
                    self.payment(id);
                }
                Happening::Act(id, action) => self.act(id, action),
                Happening::Take(id) => self.take(id),
                Happening::GiveBack(id) => self.give_back(id),
            }
        }
    }

    fn take(&mut self, id: PaymentId) {
        let taken = self.payment(id).asked.price.amount.0;
        let book = self.rail.entry(id).or_default();
        book.taken += taken;
        book.movements += 1;
    }

    fn give_back(&mut self, id: PaymentId) {
        let payment = self.payment(id);
        if payment.state != PaymentState::RefundRequested {
            return;
        }
        let price = payment.refund.as_ref().expect("a refund was asked for").price;
        let reference = format!("{id}-back");
        let book = self.rail.entry(id).or_default();
        if book.given_back == 0 {
            book.given_back = price.amount.0;
        }
        // The answer may be lost; the next question brings it.
        for _ in 0..self.random.random_range(0..3) {
            let reference = reference.clone();
            self.act(id, PaymentAction::State(Statement::Refunded { reference }));
        }
    }

    fn act(&mut self, id: PaymentId, action: PaymentAction) {
        let account = self.payment(id).account();
        self.run(&Command::Payment { id, account, action });
    }

    fn payment(&self, id: PaymentId) -> &Payment {
        let entity = self.entities.0.get(&id.key());
        entity.and_then(Entity::payment).expect("created before")
    }

    /// Refusals are part of the day; they change nothing.
    fn run(&mut self, command: &Command) {
        let Ok(decision) = decide(&self.entities, &self.catalogs, command, self.now) else {
            return;
        };
        let paying = decision.events.iter().find_map(|event| match event.key {
            EntityKey::Payment(id) => Some(id),
            _ => None,
        });
        for event in &decision.events {
            if let (EventBody::Recharged(_), Some(id)) = (&event.body, paying) {
                *self.credits.entry(id).or_default() += 1;
            }
            self.apply(event);
        }
    }

    fn apply(&mut self, event: &Event) {
        let mut slot = self.entities.0.remove(&event.key);
        apply(&mut slot, event);
        if let Some(entity) = slot {
            self.entities.0.insert(event.key, entity);
        }
        let entries = postings(event);
        assert!(sums(&entries).iter().all(|sum| *sum == 0), "{event:?}");
        for entry in entries {
            *self.books.entry((entry.account, entry.unit)).or_default() += i128::from(entry.amount.0);
        }
    }

    /// Every rupee that the rail keeps is in one place, and every rupee that it gave back is in none of ours.
    fn check(&self) {
        let (mut credited, mut refunded, mut open, mut nothing) = (0u64, 0u64, 0u64, 0u64);
        let (mut refund_pending, mut kept) = (0i128, 0i128);
        for number in self.entities.0.values() {
            let Some(payment) = number.payment() else { continue };
            let id = payment.id();
            let book = self.rail.get(&id).copied().unwrap_or_default();
            assert!(book.movements <= 1);
            assert!(
                self.credits.get(&id).copied().unwrap_or(0) <= 1,
                "credited twice: {payment:?}"
            );
            refund_pending += i128::from(payment.refund_pending().0);
            let back = payment
                .refund
                .as_ref()
                .filter(|_| payment.state == PaymentState::Refunded);
            kept += i128::from(payment.gross_paid.0 - back.map_or(0, |refund| refund.gross.0));
            let places = [
                payment.state == PaymentState::Succeeded && payment.fault.is_none(),
                payment.state == PaymentState::Refunded && payment.fault.is_none(),
                payment.fault.is_some() || payment.state == PaymentState::RefundRequested,
            ];
            let count = places.iter().filter(|place| **place).count();
            if book.taken == 0 {
                assert_eq!(count, 0, "nothing was taken: {payment:?}");
                nothing += 1;
                continue;
            }
            assert_eq!(count, 1, "in one place: {payment:?}");
            credited += u64::from(places[0]);
            refunded += u64::from(places[1]);
            open += u64::from(places[2]);
            match payment.state {
                PaymentState::Succeeded => assert_eq!(book.given_back, 0, "{payment:?}"),
                PaymentState::Refunded => {
                    let refund = payment.refund.as_ref().expect("refunded");
                    assert_eq!(book.given_back, refund.price.amount.0, "{payment:?}");
                    assert!(book.given_back <= book.taken, "{payment:?}");
                }
                _ => {}
            }
        }
        let payments = self.payments;
        let money = |account| self.books.get(&(account, Unit::Money)).copied().unwrap_or(0);
        assert_eq!(money(LedgerAccount::RefundPending), refund_pending);
        let rail = Code::new("jazzcash").expect("a name");
        assert_eq!(money(LedgerAccount::Rail(rail)), -kept, "what the rail owes us");
        let total: i128 = self.books.values().sum();
        assert_eq!(total, 0, "the books balance");
        println!(
            "{payments} payments: {credited} credited, {refunded} given back, {open} open, {nothing} not paid"
        );
        assert_eq!(credited + refunded + open + nothing, payments);
        for (name, count) in [("credited", credited), ("given back", refunded), ("open", open)] {
            assert!(
                count > payments / 200,
                "the day must be worth the name: {count} {name}"
            );
        }
    }
}
