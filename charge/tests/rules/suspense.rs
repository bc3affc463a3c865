//! Suspense: money that named no payment, as a table of stories. [`crate::world`] checks the books after every event.

use crate::script::Run;
use crate::world::{ACCOUNT, OPERATOR, code};
use charge::command::Unmatched;
use charge::ledger::LedgerAccount;
use charge::payment::{
    CreatePayment, Currency, Destination, Payment, PaymentAction, PaymentId, Price, RefundReason, Statement,
};
use charge::time::HOUR;
use charge::{AccountId, Code, Command, Entity, Money, Msisdn, Refusal, Reply, Unit};

/// What is done, then: the state, rupees in suspense, rupees on their way back, rupees that the account was credited before tax.
const STORIES: &str = "
    came                                  -> in-suspense 100 0 0
    came; came; came                      -> in-suspense 100 0 0
    came; assign                          -> succeeded 0 0 100
    came; assign; assign                  -> ! payment-state
    came; assign; return                  -> ! payment-state
    came; nobody                          -> in-suspense 100 0 0
    came; nobody; assign                  -> succeeded 0 0 100
    came; suspended; assign               -> in-suspense 100 0 0
    came; return                          -> refund-requested 0 100 0
    came; return; back                    -> refunded 0 0 0
    came; return; back; came              -> refunded 0 0 0
    came; return; noback; retry; back     -> refunded 0 0 0
    came; return; assign                  -> ! payment-state
    came; undo                            -> ! payment-state
    came=99; came                         -> ! conflict
    usd                                   -> ! amount-too-large
";

#[test]
fn stories() {
    for line in STORIES.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (script, expected) = line.split_once("->").expect("a story has an end");
        let mut run = Run::new("");
        let mut last = Ok(Reply::Done);
        for action in script.split(';').map(str::trim) {
            last = act(&mut run, action);
        }
        let expected = expected.trim();
        if let Some(name) = expected.strip_prefix("! ") {
            let wanted = match name {
                "conflict" => Refusal::Conflict,
                "amount-too-large" => Refusal::AmountTooLarge,
                _ => Refusal::PaymentState,
            };
            assert_eq!(last, Err(wanted), "{line}");
            continue;
        }
        let held = |account| books(&run, account) / 1_000_000;
        let credited = books(&run, LedgerAccount::RechargeTax)
            + i128::from(run.world.account().main_total(run.world.now).0);
        let found = format!(
            "{} {} {} {}",
            payment(&run).state.name(),
            held(LedgerAccount::Suspense),
            held(LedgerAccount::RefundPending),
            credited / 1_000_000,
        );
        assert_eq!(found, expected, "{line}");
        assert_eq!(
            i128::from(payment(&run).suspense().0),
            books(&run, LedgerAccount::Suspense),
            "{line}"
        );
        run.world.check_replay();
    }
}

#[test]
fn an_assigned_credit_is_an_ordinary_one() {
    let mut run = Run::new("");
    act(&mut run, "came").unwrap();
    act(&mut run, "assign").unwrap();
    let payment = payment(&run);
    assert!(payment.delivered.is_some(), "the receipt of the credit is known");
    assert_eq!(payment.asked.msisdn, Msisdn::NOBODY);
    assert_eq!(books(&run, LedgerAccount::Rail(code("bank"))), -100_000_000);
    assert_eq!(
        books(&run, LedgerAccount::RechargeTax),
        13_043_478,
        "15/115 of Rs 100"
    );
}

#[test]
fn suspense_is_not_begun_like_a_payment() {
    let mut run = Run::new("");
    let asked = CreatePayment {
        id: PaymentId::of_suspense(code("bank"), "x"),
        to: Destination::Suspense,
        msisdn: Msisdn::NOBODY,
        operator: OPERATOR,
        rail: code("bank"),
        gross: Money::from_units(100),
        price: Price::pkr(Money::from_units(100)),
        offer: Code::EMPTY,
        campaign: Code::EMPTY,
        class: charge::promotion::ChannelClass::Unknown,
        region: Code::EMPTY,
        expires_at: run.world.now.plus(HOUR),
        wanted_until: run.world.now.plus(HOUR),
        payer: 0,
    };
    let (reply, _) = run.world.run(&Command::CreatePayment(Box::new(asked)));
    assert_eq!(reply, Err(Refusal::NoSuchAccount));
}

#[test]
fn other_references_and_rails_are_other_money() {
    let id = |rail, reference| PaymentId::of_suspense(code(rail), reference);
    assert_eq!(id("bank", "1"), id("bank", "1"));
    assert_ne!(id("bank", "1"), id("bank", "2"));
    assert_ne!(id("bank", "1"), id("raast", "1"));
    assert_eq!(id("bank", "1").home(), 0);
}

fn came(amount: i64, currency: Currency) -> Unmatched {
    Unmatched {
        rail: code("bank"),
        reference: "2026-09-01-000123".to_owned(),
        paid: Price {
            amount: Money::from_units(amount),
            currency,
        },
    }
}

fn act(run: &mut Run, action: &str) -> Result<Reply, Refusal> {
    let of = |action| Command::Payment {
        id: came(100, Currency::PKR).id(),
        account: None,
        action,
    };
    let text = || "x".to_owned();
    let command = match action {
        "came" => Command::Suspend(Box::new(came(100, Currency::PKR))),
        "came=99" => Command::Suspend(Box::new(came(99, Currency::PKR))),
        "usd" => Command::Suspend(Box::new(came(100, Currency::USD))),
        "assign" => of(PaymentAction::Assign(ACCOUNT)),
        "nobody" => of(PaymentAction::Assign(AccountId(999_999))),
        "return" => of(PaymentAction::TakeBack(RefundReason::Unmatched)),
        "undo" => of(PaymentAction::TakeBack(RefundReason::Undo)),
        "back" => of(PaymentAction::State(Statement::Refunded { reference: text() })),
        "noback" => of(PaymentAction::State(Statement::RefundRefused { code: text() })),
        "retry" => of(PaymentAction::RetryRefund),
        "suspended" => Command::UpdateAccount(charge::command::UpdateAccount {
            account: ACCOUNT,
            state: Some(charge::LifeCycle::Suspended),
            ..Default::default()
        }),
        other => panic!("no such action: {other}"),
    };
    run.world.run(&command).0
}

fn payment(run: &Run) -> &Payment {
    let entity = run.world.entities.0.get(&came(100, Currency::PKR).id().key());
    entity.and_then(Entity::payment).expect("the money is booked")
}

fn books(run: &Run, account: LedgerAccount) -> i128 {
    run.world.books.get(&(account, Unit::Money)).copied().unwrap_or(0)
}
