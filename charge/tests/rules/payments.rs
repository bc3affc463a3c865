//! Payments: a table of stories, and random ones. [`crate::world`] checks the books after every event.

use crate::script::Run;
use crate::world::{ACCOUNT, OPERATOR, code};
use charge::ledger::LedgerAccount;
use charge::payment::{
    CreatePayment, Currency, Destination, FailureClass, Payment, PaymentAction, PaymentId, PaymentState,
    Price, RefundReason, Remedy, Statement,
};
use charge::time::{HOUR, SECOND};
use charge::{Code, Command, Entity, EventBody, Money, Msisdn, Refusal, Reply, Unit};
use proptest::prelude::*;

const SETUP: &str = "offer day 30 intax data=5M days=1 perday=9; promo first bonus=5 data=3M min=20";

/// What is done, in words; then the state it leads to, and what the payer's side has of it: credited (`+`), on its way back or
/// back (`-`), nothing (`0`).
const STORIES: &str = "
    present; cust; paid                          -> succeeded +
    paid; paid; paid                             -> succeeded +
    pend; fail                                   -> failed 0
    fail; paid                                   -> succeeded +
    fail; fail; expire                           -> failed 0
    expire; paid                                 -> succeeded +
    expire; wait=90000; paid                     -> refund-requested -
    cancel; paid                                 -> refund-requested -
    cancel; paid; back                           -> refunded -
    cancel; paid; noback; retry; back            -> refunded -
    paid; cancel                                 -> succeeded +
    paid=99                                      -> created 0 fault
    paid=99; credit                              -> succeeded +
    paid=99; refund; back                        -> refunded -
    paid=99; dismiss; paid                       -> succeeded +
    usd; paid                                    -> succeeded + fault
    paid; paid/other                             -> succeeded + fault
    paid; paid/other; paid/other; dismiss        -> succeeded +
    paid; fail                                   -> succeeded + fault
    paid; undo; back                             -> refunded -
    paid; wait=11; undo                          -> ! payment-state
    paid; wait=11; claim; back                   -> refunded -
    paid; wait=1801; claim                       -> ! payment-state
    paid; wait=1801; staff; back                 -> refunded -
    paid; buy; wait=60; claim                    -> refund-requested + -
    paid; buy; buy; wait=60; claim               -> refund-requested + -
    paid; buy; buy; buy; wait=60; claim          -> refund-requested -
    paid; undo; undo                             -> ! payment-state
    paid; rev                                    -> reversed -
    paid; buy; rev                               -> reversed + -
    paid; undo; rev                              -> reversed -
    paid; undo; back; rev                        -> refunded -
    rev                                          -> created 0
    undo                                         -> ! payment-state
    refund                                       -> ! payment-state
    suspend; paid                                -> refund-requested -
    suspend; paid; back; paid                    -> refunded -
    present; cash; wait=3600; pend; cash; paid   -> succeeded +
    back                                         -> created 0
";

#[test]
fn stories() {
    for line in STORIES.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (script, expected) = line.split_once("->").expect("a story has an end");
        let mut story = Story::new();
        let mut last = Ok(());
        for action in script.split(';').map(str::trim) {
            last = story.act(action).map(|_| ());
        }
        let expected = expected.trim();
        if let Some(name) = expected.strip_prefix("! ") {
            assert_eq!(last, Err(Refusal::PaymentState), "{line}: {name}");
        } else {
            let words: Vec<&str> = expected.split_whitespace().collect();
            let payment = story.payment();
            assert_eq!(payment.state.name(), words[0], "{line}");
            assert_eq!(payment.fault.is_some(), words.contains(&"fault"), "{line}");
            assert_eq!(story.credits == 1, words.contains(&"+") || story.taken, "{line}");
        }
        story.check();
    }
}

#[test]
fn rs_100_paid_and_taken_back_untouched_returns_every_micro() {
    let mut story = Story::new();
    story.act("paid").unwrap();
    let outcome = story.payment().outcome.clone().unwrap();
    assert_eq!(
        (outcome.tax.exact(), outcome.credited.exact()),
        ("13.043478".into(), "86.956522".into())
    );
    story.act("undo").unwrap();
    story.act("back").unwrap();
    assert_eq!(story.money(LedgerAccount::RechargeTax), 0);
    assert_eq!(story.money(LedgerAccount::Rail(code("jazzcash"))), 0);
    assert_eq!(
        story.run.world.account().main_total(story.run.world.now),
        Money::ZERO
    );
    let gift = (LedgerAccount::PromotionBudget(code("first")), Unit::Octets);
    assert_eq!(
        story.run.world.books.get(&gift).copied().unwrap_or(0),
        0,
        "the gift went back too"
    );
}

#[test]
fn a_used_part_stays_and_tax_of_the_rest_returns() {
    let mut story = Story::new();
    story.act("paid").unwrap();
    story.act("buy").unwrap();
    story.act("wait=60").unwrap();
    story.act("claim").unwrap();
    let refund = story.payment().refund.clone().unwrap();
    // The bonus money pays first: Rs 25 of the bundle's 30 come out of the credit of 86.956522.
    let unused = 86_956_522 - 25_000_000_i64;
    assert_eq!(refund.gross.0, 100_000_000 * unused / 86_956_522);
    assert_eq!(refund.price.amount.0 % 10_000, 0, "whole paisa");
    assert!(refund.price.amount <= refund.gross);
    assert_eq!(
        story.money(LedgerAccount::RefundPending),
        i128::from(refund.gross.0)
    );
}

#[test]
fn a_bundle_is_bought_in_the_same_decision() {
    let mut story = Story::with(|asked| asked.offer = code("day"));
    let events = story.act("paid").unwrap();
    let place = |wanted: fn(&EventBody) -> bool| events.iter().position(wanted);
    let paid = place(|body| matches!(body, EventBody::Payment(_)));
    let credited = place(|body| matches!(body, EventBody::Recharged(_)));
    let bought = place(|body| matches!(body, EventBody::Bought(_)));
    assert_eq!((paid, credited), (Some(0), Some(1)));
    assert!(bought > credited, "{events:?}");
}

#[test]
fn ids_are_unique_and_bodies_count() {
    let mut story = Story::new();
    let asked = story.payment().asked.clone();
    let again = Command::CreatePayment(Box::new(asked.clone()));
    let (reply, events) = story.run.world.run(&again);
    assert!(matches!(reply, Ok(Reply::Payment(reply)) if !reply.changed) && events.is_empty());
    let other = CreatePayment {
        gross: Money::from_units(101),
        ..asked.clone()
    };
    let (reply, _) = story.run.world.run(&Command::CreatePayment(Box::new(other)));
    assert_eq!(reply, Err(Refusal::Conflict));
    let elsewhere = CreatePayment {
        id: PaymentId::new(8, 1).unwrap(),
        ..asked
    };
    let (reply, _) = story.run.world.run(&Command::CreatePayment(Box::new(elsewhere)));
    assert_eq!(
        reply,
        Err(Refusal::NoSuchAccount),
        "a payment lives with its account"
    );
}

#[test]
fn a_connector_delivers_or_the_money_goes_back() {
    for (action, state, held) in [
        ("delivered", PaymentState::Succeeded, 100_000_000),
        ("undelivered", PaymentState::RefundRequested, 0),
    ] {
        let mut story = Story::with(|asked| {
            asked.to = Destination::Connector(code("pretups"));
            asked.id = PaymentId::new(asked.msisdn.number(), 5).unwrap();
        });
        story.act("paid").unwrap();
        assert_eq!(
            story.money(LedgerAccount::Connector(code("pretups"))),
            100_000_000
        );
        story.act(action).unwrap();
        story.act("delivered").unwrap();
        assert_eq!(story.payment().state, state);
        assert_eq!(story.money(LedgerAccount::Connector(code("pretups"))), held);
        story.check();
    }
}

const ACTIONS: [&str; 24] = [
    "present",
    "cust",
    "cash",
    "pend",
    "paid",
    "paid",
    "paid/other",
    "paid=99",
    "usd",
    "fail",
    "expire",
    "cancel",
    "undo",
    "claim",
    "staff",
    "back",
    "noback",
    "retry",
    "rev",
    "credit",
    "refund",
    "dismiss",
    "buy",
    "wait=7",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever rails, payers and staff say in whatever order: one credit at most, and every rupee is in one place.
    #[test]
    fn any_history(actions in prop::collection::vec(prop::sample::select(ACTIONS.as_slice()), 1..24)) {
        let mut story = Story::new();
        for action in actions {
            // A refusal changes nothing, which the world checks.
            let _ = story.act(action);
            story.check();
        }
        story.run.world.check_replay();
    }
}

/// One payment and everything around it.
struct Story {
    run: Run,
    id: PaymentId,
    credits: usize,
    taken: bool,
}

impl Story {
    fn new() -> Story {
        Story::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut CreatePayment)) -> Story {
        let mut run = Run::new(SETUP);
        let now = run.world.now;
        let mut asked = CreatePayment {
            id: PaymentId::new(ACCOUNT.0, 5).unwrap(),
            to: Destination::Account(ACCOUNT),
            msisdn: Msisdn::new(923_001_234_567).unwrap(),
            operator: OPERATOR,
            rail: code("jazzcash"),
            gross: Money::from_units(100),
            price: Price::pkr(Money::from_units(100)),
            offer: Code::EMPTY,
            campaign: Code::EMPTY,
            class: charge::promotion::ChannelClass::Web,
            region: Code::EMPTY,
            expires_at: now.plus(HOUR),
            wanted_until: now.plus(24 * HOUR),
            payer: 9,
        };
        change(&mut asked);
        let id = asked.id;
        let (reply, _) = run.world.run(&Command::CreatePayment(Box::new(asked)));
        assert!(matches!(reply, Ok(Reply::Payment(_))), "{reply:?}");
        Story {
            run,
            id,
            credits: 0,
            taken: false,
        }
    }

    fn payment(&self) -> &Payment {
        let entity = self.run.world.entities.0.get(&self.id.key());
        entity.and_then(Entity::payment).expect("the payment exists")
    }

    fn money(&self, account: LedgerAccount) -> i128 {
        self.run
            .world
            .books
            .get(&(account, Unit::Money))
            .copied()
            .unwrap_or(0)
    }

    fn act(&mut self, action: &str) -> Result<Vec<EventBody>, Refusal> {
        let (verb, value) = action.split_once('=').unwrap_or((action, ""));
        let paid = |amount: i64, currency, reference: &str| {
            PaymentAction::State(Statement::Succeeded {
                paid: Price {
                    amount: Money::from_units(amount),
                    currency,
                },
                reference: reference.to_owned(),
            })
        };
        let text = || "x".to_owned();
        let action = match verb {
            "present" => PaymentAction::State(Statement::Presented { reference: text() }),
            "cust" => PaymentAction::State(Statement::AwaitingCustomer),
            "cash" => PaymentAction::State(Statement::AwaitingCash),
            "pend" => PaymentAction::State(Statement::Pending { code: text() }),
            "paid" if !value.is_empty() => paid(value.parse().unwrap(), Currency::PKR, "r1"),
            "paid" => paid(100, Currency::PKR, "r1"),
            "paid/other" => paid(100, Currency::PKR, "r2"),
            "usd" => paid(100, Currency::USD, "r1"),
            "fail" => PaymentAction::State(Statement::Failed {
                class: FailureClass::Funds,
                code: text(),
            }),
            "expire" => PaymentAction::State(Statement::Expired),
            "rev" => PaymentAction::State(Statement::Reversed { code: text() }),
            "back" => PaymentAction::State(Statement::Refunded { reference: text() }),
            "noback" => PaymentAction::State(Statement::RefundRefused { code: text() }),
            "cancel" => PaymentAction::Cancel,
            "undo" => PaymentAction::TakeBack(RefundReason::Undo),
            "claim" => PaymentAction::TakeBack(RefundReason::WrongNumber),
            "staff" => PaymentAction::TakeBack(RefundReason::Staff),
            "retry" => PaymentAction::RetryRefund,
            "credit" => PaymentAction::Resolve(Remedy::Credit),
            "refund" => PaymentAction::Resolve(Remedy::Refund),
            "dismiss" => PaymentAction::Resolve(Remedy::Dismiss),
            "delivered" => PaymentAction::Deliver(Ok(text())),
            "undelivered" => PaymentAction::Deliver(Err(text())),
            "wait" => {
                self.run.world.now = self.run.world.now.plus(value.parse::<i64>().unwrap() * SECOND);
                return Ok(Vec::new());
            }
            "buy" => return self.command(&self.run_command("buy day")),
            "suspend" => return self.command(&self.run_command("suspend")),
            other => panic!("no such action: {other}"),
        };
        let account = self.payment().account();
        self.command(&Command::Payment {
            id: self.id,
            account,
            action,
        })
    }

    fn run_command(&self, words: &str) -> Command {
        match words {
            "suspend" => Command::UpdateAccount(charge::command::UpdateAccount {
                account: ACCOUNT,
                state: Some(charge::LifeCycle::Suspended),
                ..Default::default()
            }),
            _ => Command::Buy(charge::command::Buy {
                account: ACCOUNT,
                offer: code("day"),
                source: charge::SourceId::of_reference("test", &self.run.world.journal.len().to_string()),
                renew: false,
                at_most: None,
            }),
        }
    }

    fn command(&mut self, command: &Command) -> Result<Vec<EventBody>, Refusal> {
        let (reply, events) = self.run.world.run(command);
        let bodies: Vec<EventBody> = events.into_iter().map(|event| event.body).collect();
        let credited = |body: &&EventBody| matches!(body, EventBody::Recharged(_));
        self.credits += bodies.iter().filter(credited).count();
        self.taken |= bodies
            .iter()
            .any(|body| matches!(body, EventBody::CreditTakenBack(_)));
        reply.map(|_| bodies)
    }

    /// One credit at most; what is on its way back is what payments say; nothing was paid without being booked.
    fn check(&self) {
        let payment = self.payment();
        assert!(self.credits <= 1);
        assert_eq!(payment.outcome.is_some(), self.credits == 1);
        assert_eq!(
            self.money(LedgerAccount::RefundPending),
            i128::from(payment.refund_pending().0)
        );
        let rail = -self.money(LedgerAccount::Rail(payment.asked.rail));
        let back = match payment.state {
            PaymentState::Refunded => payment.refund.as_ref().map_or(0, |refund| refund.gross.0),
            PaymentState::Reversed => payment.gross_paid.0,
            _ => 0,
        };
        assert_eq!(
            rail,
            i128::from(payment.gross_paid.0 - back),
            "what the rail owes us"
        );
    }
}
