//! Reversals of top-ups, and sales that a connector hands to another operator. The world checks sums, floors, codecs and
//! words after every event.

use crate::script::Run;
use crate::world::{PARTNER, code};
use charge::command::TopUpRequest;
use charge::decide::{APART, YOUNG_LOTS_MAX};
use charge::ledger::LedgerAccount;
use charge::partner::{TopUp, TopUpState};
use charge::reversal::{RefuseTopUp, ReversalState, ReverseTopUp};
use charge::terms::{CommissionKind, CommissionRule, TermsChange};
use charge::time::SECOND;
use charge::{Code, Command, Entity, EntityKey, Event, EventBody, Money, Refusal, Reply, Unit, postings};
use proptest::prelude::*;

const SETUP: &str = "
    row net data 1/1M intax; offer day 30 intax data=5M days=1 perday=9; grant data 2M 1k 8M validity=900;
    set supervision=300 region=PK-PB";

/// A shop with Rs 10,000 and a commission of 2.75 percent.
fn shop(kind: CommissionKind) -> Run {
    let mut run = Run::new(SETUP);
    run.statement("partner");
    run.statement("float 10000");
    let rule = CommissionRule {
        kind,
        parts: 275,
        of: 10_000,
        ..CommissionRule::NONE
    };
    let command = Command::ChangeTerms {
        partner: PARTNER,
        test: false,
        change: Box::new(TermsChange::Commission(rule)),
    };
    run.world.run(&command).0.unwrap();
    run
}

fn asked(external: &str, by: &str) -> ReverseTopUp {
    ReverseTopUp {
        partner: PARTNER,
        external: TopUpRequest::digest_of(external, false),
        by: code(by),
        staff: false,
        two_from: Money::ZERO,
    }
}

fn reverse(run: &mut Run, asked: ReverseTopUp) -> (Result<(), Refusal>, Vec<Event>) {
    let (reply, events) = run.world.run(&Command::ReverseTopUp(asked));
    (reply.map(|_| ()), events)
}

fn top_up(run: &Run, external: &str) -> TopUp {
    let key = EntityKey::TopUp(PARTNER, TopUpRequest::digest_of(external, false));
    run.world.entities.0[&key].top_up().unwrap().clone()
}

fn float(run: &Run) -> Money {
    run.world.entities.0[&EntityKey::Partner(PARTNER)]
        .partner()
        .unwrap()
        .float
}

fn book(run: &Run, account: LedgerAccount) -> i128 {
    run.world.books.get(&(account, Unit::Money)).copied().unwrap_or(0)
}

#[test]
fn all_that_is_unused_goes_back_with_tax_and_commission() {
    for kind in [CommissionKind::Upfront, CommissionKind::OnSale] {
        let mut run = shop(kind);
        run.act("topup 115 ext=a").0.unwrap();
        assert_eq!(float(&run), Money::from_units(10_000 - 115) + Money(3_162_500));
        reverse(&mut run, asked("a", "k1")).0.unwrap();
        let kept = top_up(&run, "a");
        let reversal = kept.after.reversal.clone().unwrap();
        assert_eq!(
            (kept.state, reversal.state),
            (TopUpState::Reversed, ReversalState::Done)
        );
        assert_eq!(reversal.taken.gross, Money::from_units(115));
        assert_eq!(reversal.taken.unused + reversal.taken.tax, reversal.taken.gross);
        assert_eq!(reversal.commission, Money(3_162_500), "all of it for all");
        assert_eq!(
            float(&run),
            Money::from_units(10_000),
            "as if it had never been sold"
        );
        for account in [
            LedgerAccount::RechargeTax,
            LedgerAccount::InTransit,
            LedgerAccount::RefundPending,
            LedgerAccount::Commission(code("shop")),
        ] {
            assert_eq!(book(&run, account), 0, "{account:?}");
        }
        assert!(run.world.account().lots.is_empty());
        let (again, events) = reverse(&mut run, asked("a", "k1"));
        assert!(again.is_ok() && events.is_empty(), "asked again: nothing moves");
        run.world.check_replay();
    }
}

#[test]
fn what_was_used_stays_and_only_that_credit_is_touched() {
    let mut run = shop(CommissionKind::Upfront);
    run.act("topup 115 ext=a").0.unwrap();
    run.act("buy day id=b1").0.unwrap();
    // A later credit is not the one that went to the wrong number.
    run.act("topup 230 ext=b").0.unwrap();
    reverse(&mut run, asked("a", "k1")).0.unwrap();
    let taken = top_up(&run, "a").after.reversal.unwrap();
    // Rs 100 were credited, Rs 30 used; Rs 70 with their tax of 15 percent are Rs 80.50.
    assert_eq!(taken.taken.unused, Money::from_units(70));
    assert_eq!(taken.taken.gross, Money(80_500_000));
    assert_eq!(taken.commission, Money(2_213_750), "2.75 percent of 80.50");
    assert_eq!(
        run.world.account().main_balance(run.world.now),
        Money::from_units(200)
    );
    // Of the second credit nothing was used; suspended or not, it goes back whole.
    run.act("state suspended").0.unwrap();
    reverse(&mut run, asked("b", "k1")).0.unwrap();
    assert_eq!(run.world.account().main_balance(run.world.now), Money::ZERO);
    run.world.check_replay();
}

#[test]
fn who_may_and_when() {
    let mut run = shop(CommissionKind::OnSale);
    run.act("topup 50 ext=a").0.unwrap();
    assert_eq!(
        reverse(&mut run, asked("nothing", "k1")).0,
        Err(Refusal::NotReversible)
    );
    run.act("at +1800s").0.unwrap();
    let big = ReverseTopUp {
        two_from: Money::from_units(50),
        ..asked("a", "k1")
    };
    let staff = |by: &str| ReverseTopUp {
        staff: true,
        by: code(by),
        ..big
    };
    // Two must want it: the first proposes, may say it again, and cannot be the second.
    reverse(&mut run, big).0.unwrap();
    let (again, events) = reverse(&mut run, staff("k1"));
    assert!(again.is_ok() && events.is_empty());
    let reversal = top_up(&run, "a").after.reversal.unwrap();
    assert_eq!(reversal.state, ReversalState::Proposed);
    let other_seller = ReverseTopUp {
        by: code("k2"),
        ..big
    };
    assert_eq!(reverse(&mut run, other_seller).0, Err(Refusal::SecondPerson));
    run.act("at +3600s").0.unwrap();
    reverse(&mut run, staff("boss")).0.unwrap();
    let reversal = top_up(&run, "a").after.reversal.unwrap();
    assert_eq!(
        (reversal.state, reversal.by, reversal.approved_by),
        (ReversalState::Done, code("k1"), code("boss"))
    );
    run.act("topup 40 ext=b").0.unwrap();
    run.act("at +1801s").0.unwrap();
    assert_eq!(
        reverse(&mut run, asked("b", "k1")).0,
        Err(Refusal::NotReversible),
        "too late"
    );
    let later = ReverseTopUp {
        staff: true,
        ..asked("b", "boss")
    };
    reverse(&mut run, later).0.unwrap();
    assert_eq!(top_up(&run, "b").state, TopUpState::Reversed);
    run.world.check_replay();
}

#[test]
fn nothing_left_is_said_and_can_be_asked_again() {
    let mut run = shop(CommissionKind::Upfront);
    run.act("topup 34.50 ext=a").0.unwrap();
    run.act("buy day id=b1").0.unwrap();
    let before = float(&run);
    reverse(&mut run, asked("a", "k1")).0.unwrap();
    let kept = top_up(&run, "a");
    let reversal = kept.after.reversal.unwrap();
    assert_eq!(
        (kept.state, reversal.state),
        (TopUpState::Completed, ReversalState::Refused)
    );
    assert_eq!(reversal.reason, Some(Refusal::NothingLeft.code()));
    assert_eq!(float(&run), before);
    let (again, events) = reverse(&mut run, asked("a", "k1"));
    assert!(again.is_ok() && events.iter().all(|event| postings(event).is_empty()));
    run.world.check_replay();
}

#[test]
fn many_credits_of_a_day_can_each_be_taken_back() {
    let mut run = shop(CommissionKind::Upfront);
    let sell = |run: &mut Run, name: &str| run.act(&format!("topup 23 ext={name}")).0.map(|_| ());
    for sale in 0..YOUNG_LOTS_MAX {
        run.world.now = run.world.now.plus(121 * SECOND);
        sell(&mut run, &format!("s{sale}")).unwrap();
    }
    assert_eq!(run.world.account().lots.len(), YOUNG_LOTS_MAX);
    for sale in [0, 7, 12] {
        reverse(&mut run, staff(&format!("s{sale}"))).0.unwrap();
        assert_eq!(top_up(&run, &format!("s{sale}")).state, TopUpState::Reversed);
    }
    // One more than may be apart: the two oldest are joined, and the others stay what they are.
    for sale in 100..104 {
        sell(&mut run, &format!("s{sale}")).unwrap();
    }
    assert_eq!(run.world.account().lots.len(), YOUNG_LOTS_MAX);
    for (sale, back) in [(1, false), (2, false), (3, true), (103, true)] {
        reverse(&mut run, staff(&format!("s{sale}"))).0.unwrap();
        let state = top_up(&run, &format!("s{sale}")).state;
        assert_eq!(state == TopUpState::Reversed, back, "s{sale}");
    }
    // On the next day nobody takes them back any more: few lots again, one with each recharge.
    run.world.now = run.world.now.plus(APART + SECOND);
    let before = run.world.account().lots.len();
    sell(&mut run, "s200").unwrap();
    assert_eq!(run.world.account().lots.len(), before);
    reverse(&mut run, staff("s200")).0.unwrap();
    assert_eq!(top_up(&run, "s200").state, TopUpState::Reversed);
    run.world.check_replay();
}

fn staff(external: &str) -> ReverseTopUp {
    ReverseTopUp {
        staff: true,
        ..asked(external, "boss")
    }
}

#[test]
fn what_is_reserved_is_not_taken() {
    let mut run = shop(CommissionKind::Upfront);
    run.act("topup 23 ext=a").0.unwrap();
    run.act("I d1 ask=2M").0.unwrap();
    let held: i64 = run.world.account().lots.iter().map(|lot| lot.reserved.0).sum();
    assert!(held > 0, "the session holds something");
    reverse(&mut run, asked("a", "k1")).0.unwrap();
    let left: i64 = run.world.account().lots.iter().map(|lot| lot.amount.0).sum();
    assert_eq!(left, held);
    run.act("T d1 n=1 used=2M").0.unwrap();
    run.world.check_replay();
}

#[test]
fn another_operators_word_ends_a_sale_once() {
    let run_with = |results: &[Result<&str, Refusal>]| {
        let mut run = shop(CommissionKind::OnSale);
        let sale = match run.command(&["topup", "100", "ext=far"]) {
            Command::TopUp(request) => TopUpRequest {
                connector: code("far-away"),
                ..*request
            },
            _ => unreachable!(),
        };
        let (reply, events) = run.world.run(&Command::TopUp(Box::new(sale.clone())));
        reply.unwrap();
        assert!(
            !events
                .iter()
                .any(|event| matches!(event.body, EventBody::Recharged(_)))
        );
        assert_eq!(book(&run, LedgerAccount::InTransit), 100_000_000);
        for result in results {
            let command = Command::TopUpDelivered {
                partner: PARTNER,
                external: sale.external_digest(),
                result: result.map(str::to_owned),
            };
            run.world.run(&command).0.unwrap();
            run.world.run(&command).0.unwrap();
        }
        assert_eq!(book(&run, LedgerAccount::InTransit), 0);
        run.world.check_replay();
        run
    };
    let done = run_with(&[Ok("R261122.1"), Err(Refusal::Declined)]);
    let kept = top_up(&done, "far");
    assert_eq!(
        (kept.state, kept.after.delivered.as_str()),
        (TopUpState::Completed, "R261122.1")
    );
    assert_eq!(
        book(&done, LedgerAccount::Connector(code("far-away"))),
        100_000_000
    );
    assert_eq!(float(&done), Money::from_units(9_900) + Money(2_750_000));
    let refused = run_with(&[Err(Refusal::Declined), Ok("R261122.1")]);
    assert_eq!(top_up(&refused, "far").state, TopUpState::Declined);
    assert_eq!(float(&refused), Money::from_units(10_000));
    let mut done = done;
    assert_eq!(
        reverse(&mut done, asked("far", "k1")).0,
        Err(Refusal::NotReversible)
    );
}

/// One step of a random history: a sentence of the script, or a reversal.
#[derive(Clone, Debug)]
enum Step {
    Say(String),
    Reverse {
        sale: u32,
        by: u32,
        staff: bool,
        two: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let say = prop_oneof![
        4 => (12u32..300, 0u32..6).prop_map(|(gross, id)| format!("topup {gross} ext=s{id}")),
        2 => (0u32..9).prop_map(|id| format!("buy day id=b{id}")),
        2 => (0u32..6, 0i64..3_000_000).prop_map(|(n, used)| format!("U d1 n={n} used={used} ask=2M")),
        1 => Just("I d1 ask=2M".to_owned()),
        1 => (1u32..9).prop_map(|n| format!("T d1 n={n} used=1000")),
        2 => (1u32..1_500).prop_map(|seconds| format!("at +{seconds}s")),
        1 => prop_oneof![Just("state suspended"), Just("state active"), Just("state closed")].prop_map(String::from),
        1 => Just("due".to_owned()),
    ];
    prop_oneof![
        3 => say.prop_map(Step::Say),
        1 => (0u32..6, 0u32..3, any::<bool>(), any::<bool>())
            .prop_map(|(sale, by, staff, two)| Step::Reverse { sale, by, staff, two }),
    ]
}

proptest! {
    /// Whatever is sold, used and asked back in whatever order: the float is what it was funded with, less what was sold and
    /// kept, plus the commission of that; tax is owed on that alone; nothing stays in transit; replay gives the same state.
    #[test]
    fn reversals_are_exact(
        steps in prop::collection::vec(step(), 1..50),
        upfront in any::<bool>(),
    ) {
        let kind = if upfront { CommissionKind::Upfront } else { CommissionKind::OnSale };
        let mut run = shop(kind);
        for step in steps {
            match step {
                Step::Say(sentence) => {
                    let words: Vec<&str> = sentence.split_whitespace().collect();
                    if matches!(words[0], "at" | "due") {
                        run.act(&sentence).0.unwrap();
                    } else {
                        let command = run.command(&words);
                        let (result, events) = run.world.run(&command);
                        prop_assert!(result.is_ok() || events.is_empty());
                    }
                }
                Step::Reverse { sale, by, staff, two } => {
                    let two_from = if two { Money::from_units(100) } else { Money::ZERO };
                    let asked = ReverseTopUp { staff, two_from, ..asked(&format!("s{sale}"), &format!("k{by}")) };
                    let (result, events) = reverse(&mut run, asked);
                    prop_assert!(result.is_ok() || events.is_empty());
                }
            }
            check(&run)?;
        }
        run.world.check_replay();
    }
}

fn check(run: &Run) -> Result<(), TestCaseError> {
    let mut float_is = Money::from_units(10_000);
    let (mut tax, mut commission) = (Money::ZERO, Money::ZERO);
    for top_up in run.world.entities.0.values().filter_map(Entity::top_up) {
        let Some(outcome) = top_up.outcome.as_ref() else {
            continue;
        };
        float_is = float_is - top_up.gross + top_up.details.commission;
        tax += outcome.tax;
        commission += top_up.details.commission;
        let Some(reversal) = &top_up.after.reversal else {
            continue;
        };
        if reversal.state == ReversalState::Done {
            let taken = reversal.taken;
            prop_assert!(taken.gross.is_positive() && taken.gross <= top_up.gross);
            prop_assert_eq!(taken.unused + taken.tax, taken.gross);
            prop_assert!(taken.tax.0 >= 0 && taken.tax <= outcome.tax);
            prop_assert!(reversal.commission <= top_up.details.commission);
            if taken.gross == top_up.gross {
                prop_assert_eq!(reversal.commission, top_up.details.commission);
            }
            float_is = float_is + taken.gross - reversal.commission;
            tax -= taken.tax;
            commission -= reversal.commission;
        }
    }
    prop_assert_eq!(float(run), float_is);
    prop_assert_eq!(book(run, LedgerAccount::InTransit), 0);
    prop_assert_eq!(book(run, LedgerAccount::RechargeTax), i128::from(tax.0));
    prop_assert_eq!(
        book(run, LedgerAccount::Commission(code("shop"))),
        -i128::from(commission.0)
    );
    Ok(())
}

#[test]
fn the_sandbox_reverses_without_moving_anything() {
    let mut run = shop(CommissionKind::Upfront);
    let sale = match run.command(&["topup", "100", "ext=t"]) {
        Command::TopUp(request) => TopUpRequest {
            test: true,
            ..*request
        },
        _ => unreachable!(),
    };
    run.world.run(&Command::TopUp(Box::new(sale.clone()))).0.unwrap();
    let digest = sale.external_digest();
    run.world.now = run.world.now.plus(SECOND);
    run.world.run(&Command::Rehearse(PARTNER, digest)).0.unwrap();
    let back = ReverseTopUp {
        external: digest,
        ..asked("t", "k1")
    };
    let (result, events) = reverse(&mut run, back);
    result.unwrap();
    assert!(events.iter().all(|event| postings(event).is_empty()));
    let kept = run.world.entities.0[&EntityKey::TopUp(PARTNER, digest)]
        .top_up()
        .unwrap();
    assert_eq!(kept.state, TopUpState::Reversed);
    assert_eq!(Code::EMPTY, kept.after.connector);
}

/// What the script's `topup` would be known by.
fn refused(external: &str, reason: u32) -> Command {
    Command::RefuseTopUp(RefuseTopUp {
        partner: PARTNER,
        external: TopUpRequest::digest_of(external, false),
        idempotency_key: charge::ids::digest128("idempotency", &[external.as_bytes()]),
        reason,
    })
}

#[test]
fn a_top_up_that_was_reversed_before_it_came_is_refused_for_ever() {
    let mut run = shop(CommissionKind::Upfront);
    let (reply, events) = run.world.run(&refused("a", 0));
    assert_eq!((reply, events.len()), (Ok(Reply::Done), 1));
    let (reply, events) = run.world.run(&refused("a", 51));
    assert_eq!(
        (reply, events.len()),
        (Ok(Reply::Done), 0),
        "the first word stays"
    );
    let request = TopUpRequest {
        id: 77,
        partner: PARTNER,
        external_id: "a".to_owned(),
        idempotency_key: charge::ids::digest128("idempotency", &[b"a"]),
        msisdn: charge::Msisdn::parse("923001234567").unwrap(),
        account: charge::AccountId(1),
        operator: charge::OperatorId(1),
        gross: Money::from_units(115),
        campaign: Code::EMPTY,
        class: charge::promotion::ChannelClass::Atm,
        callback_url: String::new(),
        test: false,
        connector: Code::EMPTY,
        by: charge::seller::SoldBy::default(),
    };
    let Some(Entity::Idempotency(kept)) = run.world.entities.0.get(&request.idempotency()) else {
        panic!("nothing is kept")
    };
    assert_eq!(RefuseTopUp::kept(*kept), Some(0));
    assert_eq!(RefuseTopUp::kept(request.external_digest()), None);
    let before = float(&run);
    let (reply, events) = run.world.run(&Command::TopUp(Box::new(request)));
    assert_eq!((reply, events.len()), (Err(Refusal::Conflict), 0));
    assert_eq!(float(&run), before);
}

#[test]
fn a_top_up_that_was_sold_is_told_and_stays() {
    let mut run = shop(CommissionKind::Upfront);
    run.act("topup 115 ext=a").0.unwrap();
    let id = top_up(&run, "a").id;
    let (reply, events) = run.world.run(&refused("a", 0));
    assert_eq!((reply, events.len()), (Ok(Reply::TopUpAccepted { id }), 0));
}
