//! Commission, callbacks and rehearsals of partners. The world checks sums, floors, codecs and words after every event.

use super::world::{ACCOUNT, OPERATOR, PARTNER, World, code};
use charge::account::LifeCycle;
use charge::command::{OpenPartner, TopUpRequest, UpdateAccount};
use charge::ids::digest128;
use charge::ledger::LedgerAccount;
use charge::partner::{TopUp, TopUpState};
use charge::promotion::ChannelClass;
use charge::seller::SoldBy;
use charge::terms::{
    CallbackDue, CallbackSecret, CommissionKind, CommissionRule, PLANNED_MAX, PlannedCommission, TermsChange,
};
use charge::time::SECOND;
use charge::{
    Code, Command, Entity, EntityKey, Event, EventBody, Money, Msisdn, Refusal, SourceId, Timestamp, Unit,
    postings,
};
use proptest::prelude::*;

fn shop(float: Money) -> World {
    let mut world = World::new();
    world.seal();
    let open = OpenPartner::named(PARTNER, "Shop", code("shop"));
    world.run(&Command::OpenPartner(Box::new(open))).0.unwrap();
    let fund = Command::FundFloat {
        partner: PARTNER,
        amount: float,
        source: SourceId(1),
        reference: "bank".to_owned(),
    };
    world.run(&fund).0.unwrap();
    world
}

fn change(world: &mut World, test: bool, change: TermsChange) -> Result<(), Refusal> {
    let command = Command::ChangeTerms {
        partner: PARTNER,
        test,
        change: Box::new(change),
    };
    world.run(&command).0.map(|_| ())
}

fn secret(id: &str) -> TermsChange {
    TermsChange::SecretAdded(CallbackSecret {
        id: code(id),
        sealed: id.as_bytes().into(),
        created_at: Timestamp(1),
    })
}

fn request(external: &str, gross: Money, test: bool) -> TopUpRequest {
    TopUpRequest {
        id: digest128("test", &[external.as_bytes()]),
        partner: PARTNER,
        external_id: external.to_owned(),
        idempotency_key: digest128("key", &[external.as_bytes()]),
        msisdn: Msisdn::new(923_001_234_567).unwrap(),
        account: ACCOUNT,
        operator: OPERATOR,
        gross,
        campaign: Code::EMPTY,
        class: ChannelClass::Unknown,
        callback_url: String::new(),
        test,
        connector: Code::EMPTY,
        by: SoldBy::default(),
    }
}

fn top_up<'a>(world: &'a World, request: &TopUpRequest) -> &'a TopUp {
    world
        .entities
        .0
        .get(&request.key())
        .and_then(Entity::top_up)
        .unwrap()
}

fn callbacks(events: &[Event]) -> Vec<&CallbackDue> {
    let due = |event: &Event| matches!(event.body, EventBody::CallbackDue(_));
    events
        .iter()
        .filter(|event| due(event))
        .filter_map(|event| match &event.body {
            EventBody::CallbackDue(due) => Some(due.as_ref()),
            _ => None,
        })
        .collect()
}

fn book(world: &World, account: LedgerAccount) -> i128 {
    world.books.get(&(account, Unit::Money)).copied().unwrap_or(0)
}

proptest! {
    /// Whatever the rule and the amount: a sale costs the float its gross amount less the commission, a refused sale costs
    /// nothing, and what was given stands in the commission account to the millionth.
    #[test]
    fn commission_is_exact(
        (parts, of) in (0u32..1_000, 1_000u32..100_000),
        (fixed, minimum, bound) in (0i64..3_000_000, 0i64..3_000_000, 0i64..3_000_000),
        gross in 10_000_000i64..90_000_000,
        (upfront, declined) in any::<(bool, bool)>(),
    ) {
        let float = Money(1_000_000_000);
        let mut world = shop(float);
        let kind = if upfront { CommissionKind::Upfront } else { CommissionKind::OnSale };
        let maximum = Money(if bound == 0 { 0 } else { minimum + bound });
        let rule = CommissionRule { kind, parts, of, fixed: Money(fixed), minimum: Money(minimum), maximum };
        change(&mut world, false, TermsChange::Commission(rule)).unwrap();
        if declined {
            let state = Some(LifeCycle::Suspended);
            let update = UpdateAccount { account: ACCOUNT, state, ..UpdateAccount::default() };
            world.run(&Command::UpdateAccount(update)).0.unwrap();
        }
        let sale = request("s", Money(gross), false);
        world.run(&Command::TopUp(Box::new(sale.clone()))).0.unwrap();
        let earned = if declined { Money::ZERO } else { rule.on(Money(gross)) };
        let spent = if declined { Money::ZERO } else { Money(gross) };
        let partner = world.entities.0[&EntityKey::Partner(PARTNER)].partner().unwrap();
        prop_assert_eq!(partner.float, float - spent + earned);
        prop_assert_eq!(partner.in_transit, Money::ZERO);
        prop_assert_eq!(book(&world, LedgerAccount::Commission(code("shop"))), -i128::from(earned.0));
        prop_assert_eq!(book(&world, LedgerAccount::InTransit), 0);
        prop_assert_eq!(top_up(&world, &sale).details.commission, rule.on(Money(gross)));
        world.check_replay();
    }
}

#[test]
fn a_discount_lets_a_float_sell_more_than_it_holds() {
    let mut world = shop(Money::from_units(99));
    let sale = Command::TopUp(Box::new(request("s", Money::from_units(100), false)));
    assert_eq!(world.run(&sale).0, Err(Refusal::InsufficientFloat));
    let rule = CommissionRule {
        parts: 1,
        of: 100,
        ..CommissionRule::NONE
    };
    change(&mut world, false, TermsChange::Commission(rule)).unwrap();
    world.run(&sale).0.unwrap();
    assert_eq!(book(&world, LedgerAccount::Float(PARTNER)), 0);
}

#[test]
fn a_callback_is_decided_with_the_change_that_it_tells_of() {
    let mut world = shop(Money::from_units(1_000));
    let url = || TermsChange::CallbackUrl("https://shop.example/a".to_owned());
    assert_eq!(change(&mut world, false, url()), Err(Refusal::NoCallbackSecret));
    let sale = |external| Command::TopUp(Box::new(request(external, Money::from_units(50), false)));
    let (_, events) = world.run(&sale("before"));
    assert!(callbacks(&events).is_empty());
    change(&mut world, false, secret("one")).unwrap();
    change(&mut world, false, url()).unwrap();
    for (number, external) in (1..).zip(["a", "b"]) {
        let (_, events) = world.run(&sale(external));
        let due = callbacks(&events);
        assert_eq!(due.len(), 1);
        assert_eq!(
            (due[0].sequence, due[0].url.as_str()),
            (number, "https://shop.example/a")
        );
        let kept = top_up(&world, &request(external, Money::from_units(50), false));
        assert_eq!(&due[0].top_up, kept, "as it is after the change");
        assert_eq!(kept.state, TopUpState::Completed);
    }
    let (_, events) = world.run(&sale("b"));
    assert!(events.is_empty(), "a repetition tells nothing");
    let own = TopUpRequest {
        callback_url: "https://shop.example/own".to_owned(),
        ..request("own", Money::from_units(50), false)
    };
    let (_, events) = world.run(&Command::TopUp(Box::new(own)));
    assert_eq!(
        (callbacks(&events)[0].sequence, callbacks(&events)[0].url.as_str()),
        (3, "https://shop.example/own")
    );

    change(&mut world, false, secret("two")).unwrap();
    assert_eq!(change(&mut world, false, secret("three")), Err(Refusal::TooMany));
    change(&mut world, false, TermsChange::SecretRetired(code("one"))).unwrap();
    let last = TermsChange::SecretRetired(code("two"));
    assert_eq!(change(&mut world, false, last), Err(Refusal::NoCallbackSecret));
    world.check_replay();
}

#[test]
fn a_rehearsal_plays_its_part_and_moves_nothing() {
    let mut world = shop(Money::from_units(10));
    change(&mut world, true, secret("test")).unwrap();
    change(
        &mut world,
        true,
        TermsChange::CallbackUrl("https://shop.example/t".to_owned()),
    )
    .unwrap();
    let began = world.now;
    for (digits, after_s, expected, reason) in [
        (100, 3, TopUpState::Completed, None),
        (202, 20, TopUpState::Declined, Some(Refusal::NoSuchAccount)),
        (304, 300, TopUpState::Declined, Some(Refusal::OperatorUnavailable)),
        (6, 0, TopUpState::Declined, Some(Refusal::Declined)),
    ] {
        world.now = began;
        let sale = TopUpRequest {
            msisdn: Msisdn::new(923_001_234_000 + digits).unwrap(),
            // More than the float holds: nothing is taken from it.
            ..request(&format!("r{digits}"), Money::from_units(50), true)
        };
        let (accepted, events) = world.run(&Command::TopUp(Box::new(sale.clone())));
        accepted.unwrap();
        assert!(events.iter().all(|event| postings(event).is_empty()));
        let EntityKey::TopUp(_, digest) = sale.key() else {
            unreachable!()
        };
        let rehearse = Command::Rehearse(PARTNER, digest);
        if after_s > 0 {
            world.now = began.plus((after_s - 1) * SECOND);
            assert!(world.run(&rehearse).1.is_empty(), "not before its time");
        }
        world.now = began.plus(after_s * SECOND);
        let (_, events) = world.run(&rehearse);
        assert!(events.iter().all(|event| postings(event).is_empty()));
        let kept = top_up(&world, &sale);
        assert_eq!(
            (kept.state, kept.reason),
            (expected, reason.map(Refusal::code)),
            "{digits}"
        );
        assert!(kept.details.test && callbacks(&events).len() == 1);
        assert!(world.run(&rehearse).1.is_empty(), "once");
    }
    let reversed = TopUpRequest {
        msisdn: Msisdn::new(923_001_234_008).unwrap(),
        ..request("r8", Money::from_units(50), true)
    };
    world.run(&Command::TopUp(Box::new(reversed.clone()))).0.unwrap();
    let EntityKey::TopUp(_, digest) = reversed.key() else {
        unreachable!()
    };
    world.run(&Command::Rehearse(PARTNER, digest)).0.unwrap();
    assert_eq!(top_up(&world, &reversed).state, TopUpState::Completed);
    world.now = world.now.plus(5 * SECOND);
    let (_, events) = world.run(&Command::Rehearse(PARTNER, digest));
    assert_eq!(top_up(&world, &reversed).state, TopUpState::Reversed);
    assert_eq!(callbacks(&events)[0].sequence, 6);
    let real = request("r8", Money::from_units(10), false);
    world
        .run(&Command::TopUp(Box::new(real)))
        .0
        .expect("real and rehearsed references do not meet");
    world.check_replay();
}

#[test]
fn commission_changes_at_its_moment() {
    let mut world = shop(Money::from_units(1_000));
    let began = world.now;
    let rule = |parts| CommissionRule {
        parts,
        of: 100,
        ..CommissionRule::NONE
    };
    let from = |minutes: i64, parts| {
        TermsChange::CommissionFrom(PlannedCommission {
            from: began.plus(minutes * 60 * SECOND),
            rule: rule(parts),
        })
    };
    change(&mut world, false, TermsChange::Commission(rule(1))).unwrap();
    change(&mut world, false, from(20, 3)).unwrap();
    change(&mut world, false, from(10, 2)).unwrap();
    assert_eq!(change(&mut world, false, from(0, 9)), Err(Refusal::TooOld));
    for (minutes, earned) in [(0, 1), (9, 1), (10, 2), (19, 2), (20, 3), (99, 3)] {
        world.now = began.plus(minutes * 60 * SECOND);
        let sale = request(&format!("s{minutes}"), Money::from_units(100), false);
        world.run(&Command::TopUp(Box::new(sale.clone()))).0.unwrap();
        assert_eq!(
            top_up(&world, &sale).details.commission,
            Money::from_units(earned),
            "{minutes}"
        );
    }
    // A later plan keeps what holds by now; an immediate change keeps what is still to come.
    change(&mut world, false, from(120, 4)).unwrap();
    change(&mut world, false, from(120, 5)).unwrap();
    change(&mut world, false, TermsChange::Commission(CommissionRule::NONE)).unwrap();
    for (minutes, earned) in [(100, 0), (121, 5)] {
        world.now = began.plus(minutes * 60 * SECOND);
        let sale = request(&format!("t{minutes}"), Money::from_units(100), false);
        world.run(&Command::TopUp(Box::new(sale.clone()))).0.unwrap();
        assert_eq!(
            top_up(&world, &sale).details.commission,
            Money::from_units(earned),
            "{minutes}"
        );
    }
    for number in 0..PLANNED_MAX {
        change(&mut world, false, from(200 + i64::try_from(number).unwrap(), 1)).unwrap();
    }
    assert_eq!(change(&mut world, false, from(300, 1)), Err(Refusal::TooMany));
    world.check_replay();
}
