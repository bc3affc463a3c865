//! Partners, top-ups, payments, and what they tell each other.

use super::people::done;
use super::{ACCOUNT, EXTERNAL, SHOP, TOP_UP, at, later, lots, number, receipt, rupees};
use crate::common::{OPERATOR, code, draw};
use charge::account::Origin;
use charge::catalog::Language;
use charge::command::{Funding, Message, OpenAccount, Recharge};
use charge::event::{PartnerOpened, TakenBack};
use charge::ids::LotId;
use charge::partner::{ApiKey, Scopes, TopUp, TopUpState};
use charge::payment::{
    CreatePayment, Credited, Currency, Destination, FailureClass, Held, PaymentEvent, PaymentFault,
    PaymentId, PaymentState, Price, Refund, RefundReason, Remedy, Settled,
};
use charge::promotion::{BudgetMessage, ChannelClass, ClaimRef};
use charge::reversal::{Afterwards, CreditOf, Reversal, ReversalEvent, ReversalState, TakeBack, Taken};
use charge::tax::TaxClass;
use charge::terms::{
    CallbackDue, CallbackSecret, CommissionKind, CommissionRule, PlannedCommission, TermsChange, TopUpDetails,
};
use charge::{EntityKey, Event, EventBody, Imsi, Money, Refusal, SourceId, Unit};

pub fn events() -> Vec<Event> {
    let mut all = partners();
    all.extend(top_ups());
    all.extend(terms());
    all.extend(payments());
    all
}

fn partners() -> Vec<Event> {
    let key = ApiKey {
        id: code("k1"),
        hash: [7; 32],
        scopes: Scopes::TOP_UP.with(Scopes::READ),
        created_at: later(1),
        revoked_at: Some(later(2)),
    };
    let opened = PartnerOpened {
        partner: SHOP,
        name: "Corner shop, کونے کی دکان".to_owned(),
        code: code("shop"),
        operators: vec![OPERATOR],
        minimum: rupees(10),
        maximum: rupees(1_000),
        per_day: rupees(50_000),
        key: Some(key.clone()),
    };
    let bodies = [
        EventBody::PartnerOpened(Box::new(opened)),
        EventBody::KeyAdded(key),
        EventBody::KeyRevoked(code("k1")),
        EventBody::FloatFunded {
            amount: rupees(1_000),
            source: SourceId(3),
            reference: "bank 17".to_owned(),
        },
        EventBody::FloatDebited {
            amount: rupees(100),
            top_up: TOP_UP,
            day: 20_000,
        },
        EventBody::FloatSettled {
            amount: rupees(100),
            top_up: TOP_UP,
            credited: true,
        },
        EventBody::CommissionPaid {
            amount: rupees(-2),
            top_up: TOP_UP,
            channel: code("shop"),
        },
        EventBody::FloatReturned {
            amount: rupees(40),
            top_up: TOP_UP,
        },
        EventBody::FloatDelivered {
            amount: rupees(100),
            top_up: TOP_UP,
            connector: code("ufone-pretups"),
        },
    ];
    let mut events: Vec<Event> = bodies.map(|body| at(EntityKey::Partner(SHOP), body)).into();
    events.push(at(
        EntityKey::Idempotency(SHOP, 5),
        EventBody::IdempotencyKept { external: EXTERNAL },
    ));
    events
}

/// As it was before commission and callbacks; then with them; then with what comes after.
fn forms_of_a_top_up() -> [TopUp; 3] {
    let plain = TopUp {
        id: TOP_UP,
        partner: SHOP,
        external_id: "order 17".to_owned(),
        body: 5,
        msisdn: number(),
        account: ACCOUNT,
        operator: OPERATOR,
        gross: rupees(100),
        state: TopUpState::Submitted,
        created_at: later(8),
        updated_at: later(9),
        outcome: None,
        reason: None,
        details: TopUpDetails::default(),
        after: Afterwards::default(),
    };
    let detailed = TopUp {
        state: TopUpState::Completed,
        outcome: Some(done()),
        details: TopUpDetails {
            callback_url: "https://shop.example/called".to_owned(),
            commission: rupees(2),
            commission_kind: CommissionKind::OnSale,
            test: true,
        },
        ..plain.clone()
    };
    let long = TopUp {
        reason: Some(7),
        after: Afterwards {
            lot: Some(LotId(3)),
            connector: code("ufone-pretups"),
            delivered: "R100".to_owned(),
            completed_at: later(10),
            reversal: Some(Reversal {
                state: ReversalState::Done,
                by: code("k1"),
                approved_by: code("k2"),
                at: later(11),
                taken: taken(),
                commission: rupees(1),
                reason: Some(3),
            }),
        },
        ..detailed.clone()
    };
    [plain, detailed, long]
}

fn taken() -> Taken {
    Taken {
        gross: rupees(40),
        unused: rupees(35),
        tax: rupees(5),
    }
}

fn top_ups() -> Vec<Event> {
    let key = EntityKey::TopUp(SHOP, EXTERNAL);
    let mut bodies: Vec<EventBody> = forms_of_a_top_up()
        .map(|top_up| EventBody::TopUpCreated(Box::new(top_up)))
        .into();
    bodies.extend([
        EventBody::TopUpSettled {
            outcome: Ok(done()),
            lot: None,
        },
        EventBody::TopUpSettled {
            outcome: Ok(done()),
            lot: Some(LotId(3)),
        },
        EventBody::TopUpSettled {
            outcome: Err(Refusal::AccountNotActive),
            lot: None,
        },
        EventBody::TopUpDelivered {
            reference: "R100".to_owned(),
        },
        EventBody::TopUpReversed { gross: rupees(100) },
    ]);
    let reversals = [
        ReversalEvent::Proposed { by: code("k1") },
        ReversalEvent::Asked { by: code("k2") },
        ReversalEvent::Ended {
            result: Ok(taken()),
            commission: rupees(1),
        },
        ReversalEvent::Ended {
            result: Err(Refusal::NothingLeft),
            commission: Money::ZERO,
        },
    ];
    bodies.extend(reversals.map(|event| EventBody::TopUpReversal(Box::new(event))));
    let mut events: Vec<Event> = bodies.into_iter().map(|body| at(key, body)).collect();
    for of in [CreditOf::Payment(payment_id()), CreditOf::TopUp(TOP_UP)] {
        let taken = TakenBack {
            of,
            draws: vec![draw(3, Origin::Paid, Unit::Money, 35_000_000)],
            promotion: code("welcome"),
            unused: rupees(35),
            tax: rupees(5),
            gross: rupees(40),
            balance: rupees(12),
        };
        let body = EventBody::CreditTakenBack(Box::new(taken));
        events.push(at(EntityKey::Account(ACCOUNT), body));
    }
    events
}

fn terms() -> Vec<Event> {
    let rule = CommissionRule {
        kind: CommissionKind::Upfront,
        parts: 275,
        of: 10_000,
        fixed: Money(1),
        minimum: Money(2),
        maximum: Money(3),
    };
    let changes = [
        TermsChange::CallbackUrl("https://shop.example/called".to_owned()),
        TermsChange::SecretAdded(CallbackSecret {
            id: code("s1"),
            sealed: vec![1, 2, 3].into(),
            created_at: later(1),
        }),
        TermsChange::SecretRetired(code("s1")),
        TermsChange::Commission(rule),
        TermsChange::CommissionFrom(PlannedCommission {
            from: later(86_400),
            rule,
        }),
    ];
    let key = EntityKey::Terms(SHOP, true);
    let mut events: Vec<Event> = changes
        .map(|change| at(key, EventBody::TermsChanged(Box::new(change))))
        .into();
    let [_, detailed, long] = forms_of_a_top_up();
    for top_up in [detailed, long] {
        let due = CallbackDue {
            sequence: 12,
            url: "https://shop.example/called".to_owned(),
            top_up,
        };
        events.push(at(key, EventBody::CallbackDue(Box::new(due))));
    }
    events
}

fn payment_id() -> PaymentId {
    PaymentId::new(42, 0x0123_4567_89ab_cdef).unwrap()
}

fn refund() -> Refund {
    Refund {
        reason: RefundReason::WrongNumber,
        gross: rupees(100),
        price: Price {
            amount: Money(360_000),
            currency: Currency::USD,
        },
        requested_at: later(20),
        reference: "RF-1".to_owned(),
    }
}

fn payments() -> Vec<Event> {
    let key = payment_id().key();
    let destinations = [
        Destination::Account(ACCOUNT),
        Destination::Connector(code("ufone-pretups")),
        Destination::Suspense,
    ];
    let created = destinations.map(|to| {
        EventBody::PaymentCreated(Box::new(CreatePayment {
            id: payment_id(),
            to,
            msisdn: number(),
            operator: OPERATOR,
            rail: code("card"),
            gross: rupees(100),
            price: refund().price,
            offer: code("weekly"),
            campaign: code("EID26"),
            class: ChannelClass::App,
            region: code("punjab"),
            expires_at: later(900),
            wanted_until: later(3_600),
            payer: 77,
        }))
    });
    let paid = |amount: i64| Price::pkr(rupees(amount));
    let reference = || "EP-100".to_owned();
    let settled = |credit| {
        PaymentEvent::Settled(Box::new(Settled {
            reference: "EP-100".to_owned(),
            rail: code("card"),
            gross: rupees(100),
            credit,
        }))
    };
    let asked_back = |from| PaymentEvent::RefundRequested {
        refund: refund(),
        from,
    };
    let events = vec![
        PaymentEvent::Moved {
            state: PaymentState::Failed,
            failure: Some(FailureClass::Funds),
            code: "51".to_owned(),
            reference: reference(),
        },
        settled(Credited::Account {
            outcome: done(),
            lots: lots(),
        }),
        settled(Credited::Connector(code("ufone-pretups"))),
        settled(Credited::Suspense),
        settled(Credited::Refund {
            refund: refund(),
            refusal: Some(Refusal::AccountNotActive),
        }),
        PaymentEvent::Cancelled,
        asked_back(Held::Account),
        asked_back(Held::Connector(code("ufone-pretups"))),
        asked_back(Held::Rail(code("card"))),
        asked_back(Held::Suspense),
        PaymentEvent::RefundEnded {
            result: Ok("RF-1".to_owned()),
            gross: rupees(100),
            rail: code("card"),
        },
        PaymentEvent::RefundEnded {
            result: Err("05".to_owned()),
            gross: rupees(100),
            rail: code("card"),
        },
        PaymentEvent::RefundRetried,
        PaymentEvent::Reversed {
            code: "chargeback".to_owned(),
            gross: rupees(100),
            recovered: rupees(60),
            rail: code("card"),
        },
        PaymentEvent::Fault(PaymentFault::Mismatch {
            paid: paid(99),
            reference: reference(),
        }),
        PaymentEvent::Fault(PaymentFault::ChargedTwice {
            paid: paid(100),
            reference: reference(),
        }),
        PaymentEvent::Fault(PaymentFault::Contradiction { code: reference() }),
        PaymentEvent::Resolved(Remedy::Dismiss),
        PaymentEvent::Delivered {
            reference: reference(),
        },
        PaymentEvent::Assigned { account: ACCOUNT },
        PaymentEvent::AssignEnded(Ok(receipt())),
        PaymentEvent::AssignEnded(Err(Refusal::NoSuchAccount)),
    ];
    let told = events
        .into_iter()
        .map(|event| EventBody::Payment(Box::new(event)));
    let bodies = created.into_iter().chain(told);
    bodies.map(|body| at(key, body)).collect()
}

pub fn messages() -> Vec<Message> {
    let recharge = |campaign, class| Recharge {
        account: ACCOUNT,
        source: SourceId(77),
        reference: "order 17".to_owned(),
        funding: Funding::InTransit {
            partner: SHOP,
            channel: code("shop"),
        },
        gross: rupees(100),
        region: code("punjab"),
        campaign,
        class,
    };
    let credited = |outcome, lot| Message::Credited {
        partner: SHOP,
        external: EXTERNAL,
        outcome,
        lot,
    };
    let asked = |claim| BudgetMessage {
        operator: OPERATOR,
        promotion: code("welcome"),
        home: 3,
        claim,
        amount: rupees(100),
    };
    let claim = Some(ClaimRef {
        id: 5,
        account: ACCOUNT,
    });
    vec![
        Message::Open(Box::new(OpenAccount {
            account: ACCOUNT,
            operator: OPERATOR,
            msisdn: number(),
            imsi: Some(Imsi::parse("410010000000042").unwrap()),
            language: Language::Ur,
            tax_class: TaxClass::Standard,
            region: code("punjab"),
            opening_balance: rupees(10),
        })),
        Message::Credit {
            external: EXTERNAL,
            recharge: recharge(charge::Code::EMPTY, ChannelClass::Unknown),
        },
        Message::Credit {
            external: EXTERNAL,
            recharge: recharge(code("EID26"), ChannelClass::Shop),
        },
        credited(Ok(done()), None),
        credited(Ok(done()), Some(LotId(3))),
        credited(Err(Refusal::AccountNotActive), None),
        Message::TakeBack(Box::new(TakeBack {
            partner: SHOP,
            external: EXTERNAL,
            account: ACCOUNT,
            top_up: TOP_UP,
            lots: lots(),
            gross: rupees(100),
            credited: rupees(87),
            promotion: code("welcome"),
        })),
        Message::TakenBack {
            partner: SHOP,
            external: EXTERNAL,
            result: Ok(taken()),
        },
        Message::SuspenseCredited {
            payment: payment_id(),
            outcome: Ok(done()),
        },
        Message::BudgetAsked(asked(None)),
        Message::BudgetAnswered {
            asked: asked(claim),
            granted: rupees(80),
            budget: rupees(900),
        },
        Message::BudgetReturned(asked(None)),
    ]
}
