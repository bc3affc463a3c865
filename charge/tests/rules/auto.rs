//! Auto-recharge: stories of one number, and random ones. Whatever comes in whatever order, an occasion pays once and no cap
//! is passed.

use crate::script::Run;
use crate::world::{ACCOUNT, OPERATOR, code};
use charge::auto::{
    AutoAction, AutoCaps, AutoDate, AutoEvent, AutoRecharge, AutoRule, AutoState, BudgetMark, REST,
    RETRY_AFTER,
};
use charge::command::Buy;
use charge::payment::{FailureClass, PaymentAction, PaymentId, PaymentState, Price, Statement};
use charge::time::{DAY, HOUR, MINUTE, SECOND, Zone};
use charge::{
    Code, Command, Entity, EntityKey, Event, EventBody, Money, Msisdn, Refusal, SourceId, Timestamp,
};
use proptest::prelude::*;

const SETUP: &str = "offer day 30 intax data=5M days=1 perday=9; offer big 80 intax data=5M days=1 perday=9";

fn rs(units: i64) -> Money {
    Money::from_units(units)
}

fn rule() -> AutoRule {
    AutoRule {
        seed: 42,
        msisdn: Msisdn::new(923_001_234_567).unwrap(),
        operator: OPERATOR,
        below: rs(50),
        date: AutoDate::Never,
        minute: 9 * 60,
        amount: rs(100),
        offer: Code::EMPTY,
        rail: code("wallet"),
        caps: AutoCaps::default(),
        lead_s: 0,
        payable_s: 600,
        wanted_s: 3_600,
    }
}

struct Story {
    run: Run,
    bought: u32,
    /// Every payment that was created.
    payments: Vec<PaymentId>,
    credits: Vec<(PaymentId, Timestamp)>,
}

impl Story {
    fn new() -> Story {
        Story {
            run: Run::new(SETUP),
            bought: 0,
            payments: Vec::new(),
            credits: Vec::new(),
        }
    }

    fn with(rule: AutoRule) -> Story {
        let mut story = Story::new();
        story.auto(AutoAction::Set(Box::new(rule))).unwrap();
        story
    }

    fn do_it(&mut self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let (reply, events) = self.run.world.run(command);
        for event in &events {
            match (&event.body, event.key) {
                (EventBody::PaymentCreated(asked), _) => self.payments.push(asked.id),
                (EventBody::Payment(happened), EntityKey::Payment(id)) => {
                    if let charge::payment::PaymentEvent::Settled(settled) = &**happened
                        && matches!(settled.credit, charge::payment::Credited::Account { .. })
                    {
                        self.credits.push((id, event.at));
                    }
                }
                _ => {}
            }
        }
        reply.map(|_| events)
    }

    fn auto(&mut self, action: AutoAction) -> Result<Vec<Event>, Refusal> {
        self.do_it(&Command::Auto {
            account: ACCOUNT,
            action,
        })
    }

    /// As the engine: everything that is due, in order; and one look that nobody needs.
    fn look(&mut self) {
        self.auto(AutoAction::Look).unwrap();
        for _ in 0..20 {
            match self.rule().next_due() {
                Some(due) if due <= self.run.world.now => {
                    let events = self.auto(AutoAction::Look).unwrap();
                    assert!(!events.is_empty(), "what is due settles: {:?}", self.rule());
                }
                _ => return,
            }
        }
        panic!("it does not settle: {:?}", self.rule());
    }

    fn wait(&mut self, micros: i64) {
        self.run.world.now = self.run.world.now.plus(micros);
    }

    /// The next moment of the rule comes.
    fn wait_for_due(&mut self) {
        self.run.world.now = self.rule().next_due().expect("something is due");
        self.look();
    }

    fn rule(&self) -> &AutoRecharge {
        let entity = self.run.world.entities.0.get(&EntityKey::Auto(ACCOUNT));
        entity.and_then(Entity::auto).expect("there is a rule")
    }

    fn say(&mut self, id: PaymentId, statement: Statement) {
        let command = Command::Payment {
            id,
            account: Some(ACCOUNT),
            action: PaymentAction::State(statement),
        };
        let _ = self.do_it(&command);
    }

    fn pay(&mut self, id: PaymentId) {
        let paid = Price::pkr(rs(100));
        let reference = format!("r-{id}");
        self.say(id, Statement::Succeeded { paid, reference });
    }

    fn fail(&mut self, class: FailureClass) {
        let code = "no".to_owned();
        self.say(*self.payments.last().unwrap(), Statement::Failed { class, code });
    }

    fn pay_last(&mut self) {
        self.pay(*self.payments.last().unwrap());
    }

    fn buy(&mut self, offer: &str) {
        self.bought += 1;
        let buy = Buy {
            account: ACCOUNT,
            offer: code(offer),
            source: SourceId(u128::from(self.bought) << 64),
            renew: false,
            at_most: None,
        };
        let _ = self.do_it(&Command::Buy(buy));
    }

    fn state_of(&self, id: PaymentId) -> PaymentState {
        let entity = self.run.world.entities.0.get(&id.key());
        entity.and_then(Entity::payment).unwrap().state
    }
}

#[test]
fn a_low_balance_is_one_payment_however_often_it_is_looked_at() {
    let mut story = Story::with(rule());
    story.look();
    for _ in 0..5 {
        story.look();
        story.wait(MINUTE);
    }
    assert_eq!(story.payments.len(), 1);
    assert_eq!(story.payments[0], rule().payment(ACCOUNT, 0, 0).unwrap());
    story.pay_last();
    story.pay_last();
    assert_eq!(story.credits.len(), 1);
    story.look();
    assert_eq!(story.payments.len(), 1, "Rs 86.96 are above the mark");
    story.buy("big");
    story.look();
    assert_eq!(story.payments.len(), 1, "a recharge is followed by a rest");
    story.wait(REST);
    story.look();
    assert_eq!(story.payments.len(), 2, "low again, rested");
}

#[test]
fn caps_hold_until_their_day_or_month_is_over_and_what_failed_does_not_count() {
    let caps = AutoCaps {
        per_day: rs(200),
        per_month: rs(300),
        count_per_month: 0,
    };
    let mut story = Story::with(AutoRule { caps, ..rule() });
    let spend = |story: &mut Story| {
        story.look();
        story.pay_last();
        story.buy("big");
        story.wait(REST);
        story.look();
    };
    spend(&mut story);
    spend(&mut story);
    assert_eq!(story.payments.len(), 2, "the day's cap");
    assert_eq!(story.rule().held, Some(charge::auto::AutoCap::Day));
    let day = Zone::fixed("Asia/Karachi", 5 * 3600).day_number(story.run.world.now);
    story.wait_for_due();
    assert_eq!(
        Zone::fixed("Asia/Karachi", 5 * 3600).day_number(story.run.world.now),
        day + 1
    );
    assert_eq!(story.payments.len(), 3, "the next day");
    story.fail(FailureClass::Funds);
    assert_eq!(story.rule().spent.in_month, rs(200), "what failed does not count");
    story.wait_for_due();
    spend(&mut story);
    assert_eq!(story.credits.len(), 3);
    story.wait(DAY);
    story.look();
    assert_eq!(story.rule().held, Some(charge::auto::AutoCap::Month));
    story.wait_for_due();
    let civil = Zone::fixed("Asia/Karachi", 5 * 3600).civil(story.run.world.now);
    assert_eq!((civil.month, civil.day), (12, 1));
    assert_eq!(story.rule().held, None);
}

#[test]
fn a_count_holds_too() {
    let caps = AutoCaps {
        count_per_month: 1,
        ..AutoCaps::default()
    };
    let mut story = Story::with(AutoRule { caps, ..rule() });
    story.look();
    story.pay_last();
    story.buy("big");
    story.wait(DAY);
    story.look();
    assert_eq!(story.payments.len(), 1);
    assert_eq!(story.rule().held, Some(charge::auto::AutoCap::Count));
}

#[test]
fn a_no_pauses_and_no_money_is_tried_again_on_schedule() {
    for (class, state) in [
        (FailureClass::Declined, AutoState::Declined),
        (FailureClass::Payer, AutoState::Declined),
        (FailureClass::Cancelled, AutoState::Declined),
        (FailureClass::Funds, AutoState::Active),
        (FailureClass::Transient, AutoState::Active),
    ] {
        let mut story = Story::with(rule());
        story.look();
        story.fail(class);
        assert_eq!(story.rule().state, state, "{class:?}");
        assert_eq!(story.rule().next_due().is_some(), state == AutoState::Active);
        story.look();
        assert_eq!(story.payments.len(), 1);
    }
    let mut story = Story::with(rule());
    story.look();
    for wait in RETRY_AFTER {
        story.fail(FailureClass::Funds);
        let due = story.rule().next_due().unwrap();
        assert_eq!(due, story.run.world.now.plus(wait));
        story.wait(wait - SECOND);
        story.look();
        story.wait_for_due();
    }
    assert_eq!(story.payments.len(), 4);
    story.fail(FailureClass::Funds);
    assert_eq!(story.rule().state, AutoState::Failed);
    story.wait(30 * DAY);
    story.look();
    assert_eq!(story.payments.len(), 4);
    story.auto(AutoAction::Resume).unwrap();
    story.look();
    assert_eq!(story.payments.len(), 5);
    let mut ids = story.payments.clone();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5, "every attempt has an id of its own");
}

#[test]
fn money_that_comes_late_for_a_failed_attempt_goes_back() {
    let mut story = Story::with(rule());
    story.look();
    let first = story.payments[0];
    story.fail(FailureClass::Transient);
    story.wait_for_due();
    story.pay_last();
    story.pay(first);
    assert_eq!(story.credits.len(), 1, "one occasion, one credit");
    assert_eq!(story.state_of(first), PaymentState::RefundRequested);
    assert_eq!(story.state_of(story.payments[1]), PaymentState::Succeeded);
}

#[test]
fn dates_catch_up_with_one_payment() {
    for (date, after) in [(AutoDate::Weekly(1), 29), (AutoDate::Monthly(31), 70)] {
        let mut story = Story::with(AutoRule {
            below: Money::ZERO,
            date,
            ..rule()
        });
        story.look();
        assert_eq!(story.payments.len(), 0, "not before the date");
        story.wait(after * DAY);
        story.look();
        assert_eq!(story.payments.len(), 1, "many dates have passed: {date:?}");
        story.pay_last();
        story.look();
        assert_eq!(story.payments.len(), 1);
        let due = story.rule().plan.due_at.unwrap();
        assert!(due > story.run.world.now);
        story.wait_for_due();
        assert_eq!((story.payments.len(), story.run.world.now), (2, due));
    }
}

#[test]
fn the_days_of_the_calendar() {
    let zone = Zone::fixed("Asia/Karachi", 5 * 3600);
    // 2026-11-20 is a Friday.
    let now = crate::world::DAY_0.plus(12 * HOUR);
    for (date, minute, expected) in [
        (AutoDate::Weekly(5), 13 * 60, "2026-11-20T13:00:00"),
        (AutoDate::Weekly(5), 12 * 60, "2026-11-27T12:00:00"),
        (AutoDate::Weekly(1), 0, "2026-11-23T00:00:00"),
        (AutoDate::Weekly(7), 0, "2026-11-22T00:00:00"),
        (AutoDate::Monthly(1), 540, "2026-12-01T09:00:00"),
        (AutoDate::Monthly(31), 540, "2026-11-30T09:00:00"),
        (AutoDate::Monthly(20), 540, "2026-12-20T09:00:00"),
        (AutoDate::BeforeExpiry(2), 540, "2026-12-08T00:00:00"),
    ] {
        let until = crate::world::DAY_0.plus(20 * DAY);
        let next = date.next(minute, &zone, until, now).unwrap();
        assert_eq!(zone.civil(next).to_string(), expected, "{date:?}");
    }
    let february = Timestamp::from_seconds(1_801_440_000);
    let next = AutoDate::Monthly(30)
        .next(0, &zone, Timestamp::NEVER, february)
        .unwrap();
    assert_eq!(zone.civil(next).to_string(), "2027-02-28T00:00:00");
    assert_eq!(AutoDate::Never.next(0, &zone, now, now), None);
    assert_eq!(
        AutoDate::BeforeExpiry(2).next(0, &zone, Timestamp::NEVER, now),
        None
    );
}

#[test]
fn before_the_end_of_validity_and_again_before_the_next() {
    let mut story = Story::with(AutoRule {
        below: Money::ZERO,
        date: AutoDate::BeforeExpiry(3),
        lead_s: 86_400,
        ..rule()
    });
    let first = story.rule().plan.due_at.unwrap();
    assert_eq!(first, story.run.world.account().valid_until.plus(-3 * DAY));
    story.wait_for_due();
    assert_eq!(
        story.rule().told_of,
        Some(first),
        "the owner is told a day before"
    );
    assert_eq!(story.payments.len(), 0);
    story.wait_for_due();
    assert_eq!((story.payments.len(), story.run.world.now), (1, first));
    story.pay_last();
    let second = story.rule().plan.due_at.unwrap();
    assert_eq!(second, story.run.world.account().valid_until.plus(-3 * DAY));
    assert!(second > first);
}

#[test]
fn notices_come_once_before_each_date() {
    let mut story = Story::with(AutoRule {
        below: Money::ZERO,
        date: AutoDate::Weekly(1),
        lead_s: 3_600,
        ..rule()
    });
    let due = story.rule().plan.due_at.unwrap();
    story.run.world.now = due.plus(-HOUR);
    let events = story.auto(AutoAction::Look).unwrap();
    let told = |event: &Event| matches!(&event.body, EventBody::Auto(auto) if matches!(**auto, AutoEvent::Announced { .. }));
    assert!(events.iter().any(told));
    assert!(story.auto(AutoAction::Look).unwrap().is_empty());
    story.wait_for_due();
    assert_eq!(story.payments.len(), 1);
}

#[test]
fn what_is_paused_or_ended_does_nothing_and_an_end_gives_up_the_payment_under_way() {
    let mut story = Story::with(rule());
    story.auto(AutoAction::Pause).unwrap();
    story.look();
    assert!(story.payments.is_empty());
    story.auto(AutoAction::Resume).unwrap();
    story.look();
    assert_eq!(story.payments.len(), 1);
    story.auto(AutoAction::End(false)).unwrap();
    story.pay_last();
    assert_eq!(story.credits.len(), 0);
    assert_eq!(story.state_of(story.payments[0]), PaymentState::RefundRequested);
    assert_eq!(story.rule().state, AutoState::Ended);
    assert_eq!(story.rule().payment, None);
    assert_eq!(story.auto(AutoAction::Resume), Err(Refusal::NoSuchRule));
    story.wait(DAY);
    story.look();
    assert_eq!(story.payments.len(), 1);
    // A new order begins anew, and uses no id again.
    story.auto(AutoAction::Set(Box::new(rule()))).unwrap();
    story.look();
    assert_eq!(story.payments.len(), 2);
    assert_ne!(story.payments[0], story.payments[1]);
}

#[test]
fn orders_that_cannot_be_carried_out_are_refused() {
    let mut story = Story::new();
    assert_eq!(story.auto(AutoAction::Look), Err(Refusal::NoSuchRule));
    let other = Msisdn::new(923_009_999_999).unwrap();
    let caps = AutoCaps {
        per_day: rs(99),
        ..AutoCaps::default()
    };
    for (name, wrong, refusal) in [
        (
            "another's number",
            AutoRule {
                msisdn: other,
                ..rule()
            },
            Refusal::BadRule,
        ),
        (
            "no occasion",
            AutoRule {
                below: Money::ZERO,
                ..rule()
            },
            Refusal::BadRule,
        ),
        (
            "no such day",
            AutoRule {
                date: AutoDate::Weekly(8),
                ..rule()
            },
            Refusal::BadRule,
        ),
        (
            "a cap below the amount",
            AutoRule { caps, ..rule() },
            Refusal::BadRule,
        ),
        (
            "too little",
            AutoRule {
                amount: Money(1),
                ..rule()
            },
            Refusal::AmountTooSmall,
        ),
        (
            "no such bundle",
            AutoRule {
                offer: code("none"),
                ..rule()
            },
            Refusal::NoSuchOffer,
        ),
    ] {
        assert_eq!(
            story.auto(AutoAction::Set(Box::new(wrong))),
            Err(refusal),
            "{name}"
        );
    }
}

#[test]
fn what_takes_no_more_needs_no_new_confirmation() {
    let known = AutoRule {
        caps: AutoCaps {
            per_day: Money::ZERO,
            per_month: rs(500),
            count_per_month: 5,
        },
        ..rule()
    };
    let caps = |per_month, count_per_month| AutoCaps {
        per_day: Money::ZERO,
        per_month,
        count_per_month,
    };
    for (name, changed, covered) in [
        ("the same", known.clone(), true),
        (
            "less",
            AutoRule {
                amount: rs(99),
                ..known.clone()
            },
            true,
        ),
        (
            "more",
            AutoRule {
                amount: rs(101),
                ..known.clone()
            },
            false,
        ),
        (
            "sooner",
            AutoRule {
                below: rs(51),
                ..known.clone()
            },
            false,
        ),
        (
            "a date too",
            AutoRule {
                date: AutoDate::Weekly(1),
                ..known.clone()
            },
            false,
        ),
        (
            "another rail",
            AutoRule {
                rail: code("other"),
                ..known.clone()
            },
            false,
        ),
        (
            "a higher cap",
            AutoRule {
                caps: caps(rs(501), 5),
                ..known.clone()
            },
            false,
        ),
        (
            "no cap",
            AutoRule {
                caps: caps(Money::ZERO, 5),
                ..known.clone()
            },
            false,
        ),
        (
            "no count",
            AutoRule {
                caps: caps(rs(500), 0),
                ..known.clone()
            },
            false,
        ),
        (
            "lower caps",
            AutoRule {
                caps: caps(rs(400), 4),
                ..known.clone()
            },
            true,
        ),
    ] {
        assert_eq!(known.covers(&changed), covered, "{name}");
    }
}

#[test]
fn a_mark_of_a_budget_is_told_once_in_a_month() {
    let mut story = Story::new();
    let mut tell = |month, mark| {
        let command = Command::TellBudget {
            account: ACCOUNT,
            month,
            mark,
        };
        story.do_it(&command).unwrap().len()
    };
    assert_eq!(tell(24_322, BudgetMark::Half), 1);
    assert_eq!(tell(24_322, BudgetMark::Half), 0);
    assert_eq!(tell(24_322, BudgetMark::Forecast), 1);
    assert_eq!(tell(24_322, BudgetMark::All), 1);
    assert_eq!(
        tell(24_322, BudgetMark::FourFifths),
        0,
        "whoever knows of all knows of less"
    );
    assert_eq!(tell(24_323, BudgetMark::Half), 1);
    assert_eq!(tell(24_322, BudgetMark::All), 0, "the past is over");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Look,
    Pay(usize),
    Fail(FailureClass),
    Expire,
    Buy,
    Wait(i64),
    Pause,
    Resume,
    End,
    Set(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let class = prop::sample::select(vec![
        FailureClass::Funds,
        FailureClass::Transient,
        FailureClass::Declined,
    ]);
    let step = prop_oneof![
        4 => Just(Step::Look),
        4 => (0usize..6).prop_map(Step::Pay),
        2 => class.prop_map(Step::Fail),
        1 => Just(Step::Expire),
        4 => Just(Step::Buy),
        4 => prop::sample::select(vec![MINUTE, 20 * MINUTE, 5 * HOUR, DAY, 9 * DAY]).prop_map(Step::Wait),
        1 => Just(Step::Pause),
        2 => Just(Step::Resume),
        1 => Just(Step::End),
        1 => (0u8..3).prop_map(Step::Set),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever comes in whatever order: no cap is passed by what was credited, an occasion is credited once at most, and the
    /// books balance (the world looks after every event).
    #[test]
    fn any_history(steps in steps()) {
        let caps = AutoCaps { per_day: rs(200), per_month: rs(400), count_per_month: 3 };
        let first = AutoRule { caps, date: AutoDate::Weekly(3), lead_s: 3_600, ..rule() };
        let mut story = Story::with(first.clone());
        for step in steps {
            match step {
                Step::Look => story.look(),
                Step::Pay(index) => if let Some(id) = story.payments.iter().rev().nth(index).copied() { story.pay(id) },
                Step::Fail(class) => if !story.payments.is_empty() { story.fail(class) },
                Step::Expire => if let Some(id) = story.payments.last().copied() { story.say(id, Statement::Expired) },
                Step::Buy => story.buy("big"),
                Step::Wait(micros) => story.wait(micros),
                Step::Pause => { story.auto(AutoAction::Pause).unwrap(); }
                Step::Resume => { let _ = story.auto(AutoAction::Resume); }
                Step::End => { story.auto(AutoAction::End(true)).unwrap(); }
                Step::Set(seed) => {
                    let rule = AutoRule { seed: u64::from(seed), ..first.clone() };
                    let _ = story.auto(AutoAction::Set(Box::new(rule)));
                }
            }
            let rule = story.rule();
            prop_assert!(rule.spent.on_day <= caps.per_day && rule.spent.in_month <= caps.per_month);
            prop_assert!(rule.spent.on_day >= Money::ZERO && rule.spent.in_month >= Money::ZERO);
        }
        let zone = Zone::fixed("Asia/Karachi", 5 * 3600);
        let created: Vec<(PaymentId, Timestamp)> = story.credits.iter().map(|(id, _)| {
            let payment = story.run.world.entities.0.get(&id.key()).and_then(Entity::payment).unwrap();
            (*id, payment.created_at)
        }).collect();
        for (_, at) in &created {
            let same_day = created.iter().filter(|(_, other)| zone.day_number(*other) == zone.day_number(*at)).count();
            prop_assert!(same_day <= 2, "{created:?}");
            let month = |at: Timestamp| charge::auto::month_of(zone.civil(at));
            let same_month = created.iter().filter(|(_, other)| month(*other) == month(*at)).count();
            prop_assert!(same_month <= 3, "{created:?}");
        }
        let mut ids: Vec<PaymentId> = story.credits.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), story.credits.len());
        story.run.world.check_replay();
    }
}
