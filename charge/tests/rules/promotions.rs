//! Promotions: the tables, and many partitions that spend one budget in any order of messages.

use crate::script::rules;
use crate::world::{DAY_0, OPERATOR, World, round_trip};
use charge::catalog::{
    Catalogs, Discount, LimitPeriod, Offer, Period, PersonLimit, Promotion, PromotionTrigger, Text, Validity,
    Weekdays, Weight,
};
use charge::codec::Codec;
use charge::command::{Buy, Funding, Message, OpenAccount, Recharge};
use charge::decide::{View, also_reads};
use charge::ledger::{LedgerAccount, sums};
use charge::money::MICROS;
use charge::promotion::{ChannelClass, Channels, EarnedStatus, campaign_code, unused};
use charge::reversal::TakeBack;
use charge::tax::{TaxClass, TaxMode};
use charge::time::{DAY, HOUR};
use charge::unit::Amount;
use charge::{
    AccountId, Code, Command, Entity, EntityKey, Event, EventBody, Money, Msisdn, PartnerId, Reply, SourceId,
    Timestamp, Unit, apply, decide, postings,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const RULES: &str = include_str!("promotions.txt");
const PARTITIONS: u16 = 5;

#[test]
fn triggers() {
    rules(RULES, "triggers");
}

#[test]
fn times() {
    rules(RULES, "times");
}

#[test]
fn limits() {
    rules(RULES, "limits");
}

#[test]
fn stacking() {
    rules(RULES, "stacking");
}

#[test]
fn budgets() {
    rules(RULES, "budgets");
}

#[test]
fn discounts() {
    rules(RULES, "discounts");
}

fn code(text: &str) -> Code {
    Code::new(text).expect("a short name")
}

/// The entities of one partition.
#[derive(Default)]
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

/// Some partitions, the messages between them in the order of each pair, and the books.
struct Many {
    homes: Vec<Home>,
    queues: BTreeMap<(u16, u16), VecDeque<Message>>,
    catalogs: Catalogs,
    now: Timestamp,
    books: BTreeMap<(LedgerAccount, Unit), i128>,
    given: BTreeMap<(AccountId, Code), u32>,
    sequence: u64,
}

impl Many {
    fn new(promotions: Vec<Promotion>, accounts: u64) -> Many {
        let mut catalog = World::new().catalog;
        catalog.promotions = promotions;
        catalog.offers.push(offer());
        let mut catalogs = Catalogs::default();
        catalogs.insert(std::sync::Arc::new(catalog));
        let home = |number| Home {
            number,
            entities: BTreeMap::new(),
        };
        let mut many = Many {
            homes: (0..PARTITIONS).map(home).collect(),
            queues: BTreeMap::new(),
            catalogs,
            now: DAY_0.plus(12 * HOUR),
            books: BTreeMap::new(),
            given: BTreeMap::new(),
            sequence: 0,
        };
        for account in 1..=accounts {
            let open = OpenAccount {
                account: AccountId(account),
                operator: OPERATOR,
                msisdn: Msisdn::new(923_000_000_000 + account).expect("a number"),
                imsi: None,
                language: charge::catalog::Language::En,
                tax_class: TaxClass::Standard,
                region: Code::EMPTY,
                opening_balance: Money::from_units(10_000),
            };
            many.run(&Command::Deliver(Message::Open(Box::new(open))))
                .expect("opened");
        }
        many
    }

    fn run(&mut self, command: &Command) -> Result<Reply, charge::Refusal> {
        let index = usize::from(command.route().partition(PARTITIONS));
        let home = &self.homes[index];
        for key in also_reads(home, &self.catalogs, command) {
            assert_eq!(
                key.partition(PARTITIONS),
                home.number,
                "shares lie beside the account"
            );
        }
        let decision = decide(home, &self.catalogs, command, self.now)?;
        for event in &decision.events {
            assert_eq!(
                event.key.partition(PARTITIONS),
                self.homes[index].number,
                "{event:?}"
            );
            self.take(index, event);
        }
        for message in decision.messages {
            round_trip(&message);
            let to = message.route().partition(PARTITIONS);
            self.queues
                .entry((index as u16, to))
                .or_default()
                .push_back(message);
        }
        self.check();
        Ok(decision.reply)
    }

    fn take(&mut self, index: usize, event: &Event) {
        round_trip(event);
        let moved = postings(event);
        assert_eq!(sums(&moved), [0; 4], "{event:?}");
        for posting in &moved {
            *self.books.entry((posting.account, posting.unit)).or_default() += i128::from(posting.amount.0);
        }
        let mut note = |account: AccountId, promotion: Code| {
            *self.given.entry((account, promotion)).or_default() += 1;
        };
        if let EntityKey::Account(account) = event.key {
            match &event.body {
                EventBody::Recharged(recharged) => {
                    let given = recharged.outcome.earned.iter();
                    let given = given.filter(|e| e.status == EarnedStatus::Given);
                    given.for_each(|earned| note(account, earned.promotion));
                }
                EventBody::BonusGranted(award) => note(account, award.promotion),
                EventBody::Bought(bought) => {
                    bought
                        .discount
                        .iter()
                        .for_each(|discount| note(account, discount.promotion));
                }
                _ => {}
            }
        }
        let entities = &mut self.homes[index].entities;
        let mut slot = entities.remove(&event.key);
        apply(&mut slot, event);
        let entity = slot.expect("an event leaves its entity");
        round_trip(&entity);
        entities.insert(event.key, entity);
    }

    /// Delivers the next message of one pair of partitions; false when there is none.
    fn deliver(&mut self, pick: usize) -> bool {
        let waiting: Vec<(u16, u16)> = self
            .queues
            .iter()
            .filter(|(_, queue)| !queue.is_empty())
            .map(|(pair, _)| *pair)
            .collect();
        let Some(pair) = waiting.get(pick % waiting.len().max(1)) else {
            return false;
        };
        let message = self
            .queues
            .get_mut(pair)
            .and_then(VecDeque::pop_front)
            .expect("waiting");
        self.run(&Command::Deliver(message))
            .expect("a message is always consumed");
        true
    }

    fn settle(&mut self) {
        while self.deliver(0) {}
    }

    /// What a promotion's account in the ledger holds.
    fn booked(&self, promotion: Code) -> i128 {
        let key = (LedgerAccount::PromotionBudget(promotion), Unit::Money);
        self.books.get(&key).copied().unwrap_or(0)
    }

    /// No budget is below zero, in the ledger or anywhere, and ledger, budget, shares and messages agree.
    fn check(&self) {
        let mut held: BTreeMap<Code, i128> = BTreeMap::new();
        for entity in self.homes.iter().flat_map(|home| home.entities.iter()) {
            match entity {
                (EntityKey::Budget(_, code), Entity::Budget(budget)) => {
                    assert!(budget.left.0 >= 0 && budget.left <= budget.funded, "{budget:?}");
                    *held.entry(*code).or_default() += i128::from(budget.left.0);
                }
                (_, Entity::Shares(shares)) => {
                    for share in &shares.shares {
                        assert!(share.left.0 >= 0, "{share:?}");
                        *held.entry(share.promotion).or_default() += i128::from(share.left.0);
                    }
                }
                _ => {}
            }
        }
        for message in self.queues.values().flatten() {
            match message {
                Message::BudgetAnswered { asked, granted, .. } => {
                    *held.entry(asked.promotion).or_default() += i128::from(granted.0);
                }
                Message::BudgetReturned(returned) => {
                    *held.entry(returned.promotion).or_default() += i128::from(returned.amount.0);
                }
                _ => {}
            }
        }
        for promotion in self.catalogs.get(OPERATOR).expect("there").promotions.iter() {
            let held = held.get(&promotion.code).copied().unwrap_or(0);
            assert_eq!(self.booked(promotion.code), held, "{}", promotion.code);
            assert!(held >= 0);
        }
    }

    fn recharge(&mut self, account: u64, rupees: i64, id: u64) -> Command {
        self.sequence += 1;
        Command::Recharge(Recharge {
            account: AccountId(account),
            source: SourceId::of_reference("test", &id.to_string()),
            reference: id.to_string(),
            funding: Funding::Rail(code("card")),
            gross: Money::from_units(rupees),
            region: Code::EMPTY,
            campaign: Code::EMPTY,
            class: ChannelClass::Unknown,
        })
    }
}

fn offer() -> Offer {
    Offer {
        code: code("weekly"),
        name: Text::default(),
        period: Period::Weekly,
        weight: Weight::Light,
        price: Money::from_units(100),
        tax: TaxMode::Inclusive,
        validity: Validity::CalendarDays(7),
        buckets: Vec::new(),
        per_day: 0,
        renewable: false,
        dial: String::new(),
        for_sale: true,
        as_of: String::new(),
        synthetic: true,
    }
}

fn promotion(name: &str, trigger: PromotionTrigger, budget: i64, times: u16) -> Promotion {
    let data = charge::catalog::BucketGrant {
        unit: Unit::Octets,
        amount: Amount(1 << 30),
        scope: charge::catalog::Scope::service(charge::unit::Service::Data),
        priority: 50,
        step: Amount(1),
        waives_setup: false,
    };
    let purchase = trigger == PromotionTrigger::Purchase;
    Promotion {
        code: code(name),
        name: Text::default(),
        trigger,
        minimum: Money::ZERO,
        maximum: Money::ZERO,
        channels: Vec::new(),
        classes: Channels::default(),
        campaign: Code::EMPTY,
        weekdays: Weekdays::ALL,
        windows: Vec::new(),
        offers: Vec::new(),
        buckets: if purchase { Vec::new() } else { vec![data] },
        percent: None,
        discount: purchase.then_some(Discount::Amount(Money::from_units(7))),
        validity: Validity::CalendarDays(30),
        from: DAY_0,
        until: DAY_0.plus(9 * DAY),
        budget: Money::from_units(budget),
        cost: if purchase {
            Money::ZERO
        } else {
            Money::from_units(3)
        },
        limit: PersonLimit {
            times,
            per: LimitPeriod::Campaign,
        },
        priority: 100,
        group: Code::EMPTY,
        stacks: true,
        listed: true,
        as_of: String::new(),
        synthetic: true,
    }
}

/// A gift whose budget is still being asked goes with its credit, and the lease serves the next one.
#[test]
fn a_gift_on_its_way_is_recalled_with_its_credit() {
    let gift = promotion("gift", PromotionTrigger::Recharge, 900, 1);
    let mut many = Many::new(vec![gift], 1);
    let earned = |many: &mut Many, id: u64| {
        let command = many.recharge(1, 100, id);
        match many.run(&command) {
            Ok(Reply::Recharged(outcome)) => *outcome,
            other => panic!("{other:?}"),
        }
    };
    let account = |many: &Many| {
        let key = EntityKey::Account(AccountId(1));
        let home = usize::from(key.partition(PARTITIONS));
        many.homes[home].entities[&key].account().expect("opened").clone()
    };
    let outcome = earned(&mut many, 1);
    assert_eq!(outcome.earned[0].status, EarnedStatus::Pending);
    let (before, gift) = (account(&many), &outcome.earned[0].lots[0]);
    let paid = before
        .lots
        .iter()
        .find(|lot| lot.initial.0 == outcome.credited.0)
        .expect("the credit");
    let asked = TakeBack {
        partner: PartnerId(7),
        external: 1,
        account: AccountId(1),
        top_up: 1,
        lots: vec![paid.id, gift.lot],
        gross: outcome.gross,
        credited: outcome.credited,
        promotion: outcome.promotion,
    };
    many.run(&Command::Deliver(Message::TakeBack(Box::new(asked))))
        .expect("a message is always consumed");
    many.settle();
    assert_eq!(many.given.len(), 0, "nothing is given to a credit that is gone");
    assert!(account(&many).lots.iter().all(|lot| lot.unit == Unit::Money));
    // Once a person: what was not given does not count, and what was leased for it is there.
    let outcome = earned(&mut many, 2);
    assert_eq!(outcome.earned[0].status, EarnedStatus::Given);
    many.settle();
    assert_eq!(many.given.values().sum::<u32>(), 1);
    for home in &many.homes {
        let shares = home.entities.values().filter_map(Entity::shares);
        assert!(shares.into_iter().all(|shares| shares.claims.is_empty()));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Recharge { account: u64, id: u64 },
    Buy { account: u64, id: u64 },
    Deliver { pick: usize },
    Tend { home: u16 },
    Raise { budget: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1..40u64, 0..60u64).prop_map(|(account, id)| Step::Recharge { account, id }),
        2 => (1..40u64, 100..160u64).prop_map(|(account, id)| Step::Buy { account, id }),
        8 => any::<usize>().prop_map(|pick| Step::Deliver { pick }),
        1 => (1..PARTITIONS).prop_map(|home| Step::Tend { home }),
        1 => (0..200i64).prop_map(|budget| Step::Raise { budget }),
    ];
    prop::collection::vec(step, 1..160)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever is asked, in whatever order messages arrive: no budget below zero, all sums zero, nobody beyond the limit,
    /// and after everything is settled nobody waits. Every step is checked by `Many::check`.
    #[test]
    fn budgets_hold_whatever_the_order(budget in 3..60i64, times in 1..3u16, steps in steps()) {
        let gift = promotion("gift", PromotionTrigger::Recharge, budget, times);
        let cheap = promotion("cheap", PromotionTrigger::Purchase, budget, times);
        let mut many = Many::new(vec![gift, cheap], 40);
        let mut highest = budget;
        for step in steps {
            match step {
                Step::Recharge { account, id } => {
                    // The same id always names the same account: a repetition.
                    let command = many.recharge(account, 100, id * 1000 + account);
                    let _ = many.run(&command);
                }
                Step::Buy { account, id } => {
                    let command = Command::Buy(Buy {
                        account: AccountId(account),
                        offer: code("weekly"),
                        source: SourceId::of_reference("buy", &id.to_string()),
                        renew: false,
                        at_most: None,
                    });
                    let _ = many.run(&command);
                }
                Step::Deliver { pick } => { many.deliver(pick); }
                Step::Tend { home } => {
                    let command = Command::TendShares { operator: OPERATOR, home };
                    many.run(&command).expect("never refused");
                }
                Step::Raise { budget } => {
                    let mut catalog = charge::Catalog::clone(many.catalogs.get(OPERATOR).expect("there"));
                    for promotion in &mut catalog.promotions {
                        promotion.budget = Money::from_units(budget);
                    }
                    highest = highest.max(budget);
                    many.catalogs.insert(std::sync::Arc::new(catalog));
                }
            }
        }
        many.settle();
        for ((account, promotion), given) in &many.given {
            prop_assert!(*given <= u32::from(times), "{account:?} earned {promotion} {given} times");
        }
        for (name, each) in [("gift", 3), ("cheap", 7)] {
            let given: u32 = many.given.iter().filter(|((_, c), _)| *c == code(name)).map(|(_, n)| n).sum();
            prop_assert!(i64::from(given) * each <= highest, "{name}: {given} awards of {each} from {highest}");
        }
        for home in &many.homes {
            let shares = home.entities.values().filter_map(Entity::shares);
            prop_assert!(shares.into_iter().all(|shares| shares.claims.is_empty()), "somebody still waits");
        }
        // When it is over, everything goes back to marketing.
        many.now = DAY_0.plus(12 * DAY);
        for _ in 0..2 {
            for home in 1..PARTITIONS {
                many.run(&Command::TendShares { operator: OPERATOR, home }).expect("never refused");
            }
            many.settle();
        }
        let shares = many.homes.iter().flat_map(|home| home.entities.values()).filter_map(Entity::shares);
        for shares in shares {
            prop_assert!(shares.shares.is_empty(), "{shares:?}");
        }
    }
}

#[test]
fn a_budget_for_seven_serves_seven_of_many_partitions() {
    let mut many = Many::new(vec![promotion("gift", PromotionTrigger::Recharge, 21, 1)], 40);
    for account in 1..=40 {
        let command = many.recharge(account, 100, account);
        many.run(&command).expect("credited");
    }
    many.settle();
    let given: u32 = many.given.values().sum();
    assert_eq!(given, 7, "as many as there is money for, and not one more");
    assert_eq!(many.booked(code("gift")), 0);
    let told = many
        .homes
        .iter()
        .flat_map(|home| home.entities.values())
        .filter_map(Entity::account);
    let holders = told.filter(|account| account.lots.iter().any(|lot| lot.unit == Unit::Octets));
    assert_eq!(holders.count(), 7);
}

#[test]
fn an_ended_promotion_gives_its_budget_back() {
    let mut many = Many::new(vec![promotion("gift", PromotionTrigger::Recharge, 3_000, 1)], 8);
    for home in 1..PARTITIONS {
        many.run(&Command::TendShares {
            operator: OPERATOR,
            home,
        })
        .expect("never refused");
    }
    many.settle();
    let command = many.recharge(1, 100, 1);
    many.run(&command).expect("credited");
    assert_eq!(many.booked(code("gift")), i128::from(2_997 * MICROS));
    many.now = DAY_0.plus(9 * DAY);
    for home in 1..PARTITIONS {
        many.run(&Command::TendShares {
            operator: OPERATOR,
            home,
        })
        .expect("never refused");
    }
    many.settle();
    assert_eq!(many.booked(code("gift")), 0);
    let spent = many.books[&(LedgerAccount::MarketingExpense, Unit::Money)];
    assert_eq!(
        spent,
        -i128::from(3 * MICROS),
        "marketing paid for what was given"
    );
}

#[test]
fn what_is_unused_of_a_credit_and_its_gift_can_be_told() {
    let mut many = Many::new(vec![promotion("gift", PromotionTrigger::Recharge, 30, 1)], 1);
    let command = many.recharge(1, 100, 1);
    let Ok(Reply::Recharged(outcome)) = many.run(&command) else {
        panic!("credited")
    };
    many.settle();
    let gift = outcome.earned[0].lots[0];
    let home = usize::from(EntityKey::Account(AccountId(1)).partition(PARTITIONS));
    let account = many.homes[home].entities[&EntityKey::Account(AccountId(1))]
        .account()
        .expect("there")
        .clone();
    let credit = account
        .lots
        .iter()
        .find(|lot| lot.unit == Unit::Money && lot.source == code("card"))
        .expect("there");
    let asked = [
        (credit.id, credit.initial),
        (gift.lot, gift.amount),
        (gift.lot, gift.amount),
    ];
    let draws = unused(&account, &asked, many.now);
    assert_eq!(draws.len(), 2, "each lot once");
    assert_eq!((draws[0].amount, draws[1].amount), (credit.initial, gift.amount));
    assert!(
        unused(&account, &[(gift.lot, gift.amount)], gift.expires_at).is_empty(),
        "it has run out"
    );
    let less = unused(&account, &[(credit.id, Amount(5))], many.now);
    assert_eq!(less[0].amount, Amount(5), "never more than the credit was");
    assert!(unused(&account, &[(charge::ids::LotId(99), Amount(5))], many.now).is_empty());
}

#[test]
fn campaign_codes_are_read_as_people_type_them() {
    let is = |typed: &str| campaign_code(typed).map(|code| code.to_string());
    assert_eq!(is("eid-500"), Some("EID500".to_owned()));
    assert_eq!(is(" Eid 500 "), Some("EID500".to_owned()));
    for bad in ["", "ab", "عید500", "EID_500", "A234567890123456X", "<b>"] {
        assert_eq!(is(bad), None, "{bad}");
    }
    assert_eq!(is(&" ".repeat(1 << 20)), None);
}

/// Bytes of before: records without the newer fields keep their form, and old ones are read.
#[test]
fn records_without_promotions_keep_their_bytes() {
    let mut many = Many::new(Vec::new(), 1);
    let command = many.recharge(1, 100, 1);
    let Command::Recharge(recharge) = &command else {
        panic!("a recharge")
    };
    let bytes = recharge.to_bytes();
    assert!(!bytes.contains(&charge::codec::EXTENDED), "nothing new to say");
    let with = Recharge {
        campaign: code("EID500"),
        class: ChannelClass::App,
        ..recharge.clone()
    };
    assert_eq!(with.to_bytes().len(), bytes.len() + 1 + 7 + 1);
    assert_ne!(with.body(), recharge.body());
    round_trip(&with);
    many.run(&command).expect("credited");
}

mod announcing {
    use super::{DAY_0, OPERATOR, PromotionTrigger, code, promotion};
    use crate::world::{World, round_trip};
    use charge::announce::{Consents, Pace, Plan, Way, outside, plan, text};
    use charge::catalog::{Language, TimeWindow};
    use charge::time::{DAY, HOUR, SECOND, Zone};
    use charge::{Account, AccountId, Code, LifeCycle, Msisdn, Timestamp};
    use proptest::prelude::*;

    /// Even numbers agreed, those that end in 4 were told before.
    struct Said;

    impl Consents for Said {
        type Error = ();
        fn wants_offers(&self, number: Msisdn, way: Way) -> Result<bool, ()> {
            Ok(way == Way::Sms && number.number().is_multiple_of(2))
        }
        fn was_told(&self, number: Msisdn, _: Code) -> Result<bool, ()> {
            Ok(number.number() % 10 == 4)
        }
    }

    struct Broken;

    impl Consents for Broken {
        type Error = &'static str;
        fn wants_offers(&self, _: Msisdn, _: Way) -> Result<bool, Self::Error> {
            Err("the consents cannot be read")
        }
        fn was_told(&self, _: Msisdn, _: Code) -> Result<bool, Self::Error> {
            Ok(false)
        }
    }

    fn accounts(count: u64) -> Vec<Account> {
        let one = World::new().account().clone();
        (0..count)
            .map(|index| Account {
                id: AccountId(index),
                msisdn: Msisdn::new(923_000_000_000 + index).expect("a number"),
                ..one.clone()
            })
            .collect()
    }

    fn planned(accounts: Vec<Account>, way: Way, now: Timestamp) -> Plan {
        let catalog = World::new().catalog;
        let offer = promotion("gift", PromotionTrigger::Recharge, 30, 1);
        plan(&catalog, &offer, accounts, &Said, (way, Pace::default(), now)).expect("said")
    }

    #[test]
    fn only_who_agreed_and_was_not_told() {
        let noon = DAY_0.plus(12 * HOUR);
        let plan = planned(accounts(20), Way::Sms, noon);
        let numbers: Vec<u64> = plan.messages.iter().map(|m| m.number.number() % 100).collect();
        assert_eq!(numbers, [0, 2, 6, 8, 10, 12, 16, 18]);
        assert_eq!(
            (plan.unwilling, plan.told, plan.unfit, plan.too_late),
            (10, 2, 0, 0)
        );
        assert_eq!(plan.messages[0].at, noon);
        assert_eq!(
            plan.messages[1].at,
            noon.plus(SECOND / 50),
            "spread, fifty in a second"
        );
        assert!(
            planned(accounts(20), Way::Push, noon).messages.is_empty(),
            "nobody agreed to push"
        );
    }

    #[test]
    fn a_doubt_tells_nobody() {
        let catalog = World::new().catalog;
        let offer = promotion("gift", PromotionTrigger::Recharge, 30, 1);
        let asked = (Way::Sms, Pace::default(), DAY_0.plus(12 * HOUR));
        assert!(plan(&catalog, &offer, accounts(3), &Broken, asked).is_err());
    }

    #[test]
    fn who_cannot_earn_it_is_left_alone() {
        let mut all = accounts(6);
        all[0].state = LifeCycle::Suspended;
        all[2].operator = charge::OperatorId(OPERATOR.0 + 1);
        assert_eq!(planned(all, Way::Sms, DAY_0.plus(12 * HOUR)).unfit, 2);
        let catalog = World::new().catalog;
        let welcome = promotion("welcome", PromotionTrigger::FirstRecharge, 30, 1);
        let mut all = accounts(4);
        all[0].recharged = true;
        let asked = (Way::Sms, Pace::default(), DAY_0.plus(12 * HOUR));
        let plan = plan(&catalog, &welcome, all, &Said, asked).expect("said");
        assert_eq!((plan.messages.len(), plan.unfit), (1, 1));
    }

    #[test]
    fn quiet_hours_are_waited_for() {
        let night = DAY_0.plus(23 * HOUR);
        assert_eq!(
            planned(accounts(1), Way::Sms, night).messages[0].at,
            DAY_0.plus(33 * HOUR)
        );
        let last_night = DAY_0.plus(9 * DAY).plus(-HOUR);
        let plan = planned(accounts(1), Way::Sms, last_night);
        assert_eq!(
            (plan.messages.len(), plan.too_late),
            (0, 1),
            "in the morning it is over"
        );
    }

    proptest! {
        /// Whenever it is planned and whatever the hours are: no message leaves in quiet hours, none before it was asked for.
        #[test]
        fn nobody_is_woken(from in 0..86_400u32, to in 0..86_400u32, at in 0..4 * DAY, offset in -43_200..50_400i32) {
            let zone = Zone::fixed("somewhere", offset);
            let quiet = TimeWindow { from_s: from, to_s: to };
            let asked = DAY_0.plus(at);
            match outside(quiet, asked, &zone) {
                Some(found) => {
                    prop_assert!(found >= asked || found.seconds() == asked.seconds());
                    prop_assert!(!quiet.contains(zone.second_of_day(found)));
                }
                None => prop_assert!(false, "windows of one piece always end"),
            }
        }
    }

    #[test]
    fn texts_say_how_to_stop() {
        let catalog = World::new().catalog;
        let offer = promotion("gift", PromotionTrigger::Recharge, 30, 1);
        for language in Language::ALL {
            let said = text(&catalog, &offer, language, "STOP 334");
            assert!(
                said.contains("\u{2068}STOP 334\u{2069}") && said.contains("\u{2066}2026-11-28\u{2069}"),
                "{said}"
            );
        }
        round_trip(&code("gift"));
    }
}
