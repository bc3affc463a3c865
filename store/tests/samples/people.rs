//! Accounts, sessions, bundles, the directory, promotions, auto-recharge.

use super::{ACCOUNT, SHOP, at, later, number, receipt, rupees};
use crate::common::{OPERATOR, code, draw, money_lot, opened, outcome, recharged, session, tariff, used};
use charge::account::{LifeCycle, Origin};
use charge::auto::{
    AutoCap, AutoCaps, AutoCause, AutoDate, AutoEvent, AutoOutcome, AutoPlan, AutoRule, AutoSpent, AutoState,
    AutoTry, BudgetMark,
};
use charge::card::PinHash;
use charge::catalog::{FinalAction, Language, Scope};
use charge::command::{ChargeKind, Funding};
use charge::event::{Bought, BudgetMoved, Charge, Charged, ChargedBy, Refund, SetupFee};
use charge::ids::LotId;
use charge::left::SessionEnded;
use charge::money::Rounding;
use charge::payment::{FailureClass, PaymentId};
use charge::promotion::{
    Award, Claim, Discounted, Dry, Earned, EarnedLot, EarnedStatus, Period, ShareChange, SharesChange,
};
use charge::tax::{Rate, TaxClass};
use charge::unit::{Amount, Service};
use charge::{EntityKey, Event, EventBody, Imsi, Money, Refusal, SourceId, Unit};
use smallvec::smallvec;

pub fn events() -> Vec<Event> {
    let mut all = vec![
        charged(),
        refunded(),
        opened(42, 5, 1_000_000),
        opened(43, 6, 0),
        bought(),
        at(
            account(),
            EventBody::RenewalFailed {
                offer: code("weekly"),
                reason: Refusal::InsufficientBalance,
            },
        ),
        at(
            account(),
            EventBody::RenewalSet {
                offer: code("weekly"),
                due_at: Some(later(60)),
            },
        ),
        at(
            account(),
            EventBody::Expired {
                lots: vec![draw(2, Origin::Bonus, Unit::Octets, 77)],
            },
        ),
        at(
            account(),
            EventBody::LifeCycleChanged {
                from: LifeCycle::Active,
                to: LifeCycle::Suspended,
            },
        ),
        at(
            account(),
            EventBody::AccountUpdated {
                language: Some(Language::Zh),
                tax_class: Some(TaxClass::Exempt),
            },
        ),
        at(
            EntityKey::Number(number()),
            EventBody::NumberBound {
                operator: OPERATOR,
                account: Some(ACCOUNT),
            },
        ),
        at(
            EntityKey::Imsi(Imsi::parse("410010000000042").unwrap()),
            EventBody::NumberBound {
                operator: OPERATOR,
                account: None,
            },
        ),
        at(
            EntityKey::Catalog(OPERATOR),
            EventBody::CatalogPublished {
                version: 4,
                text: "kind = \"operator\"\nname = { ur = \"جاز\" }\n".to_owned(),
            },
        ),
        at(account(), EventBody::SessionEnded(Box::new(ended()))),
    ];
    all.extend(recharges());
    all.extend(promotions());
    all.extend(auto());
    all
}

fn account() -> EntityKey {
    EntityKey::Account(ACCOUNT)
}

/// A request with every way of charging, the set-up fee, and everything else that may be there.
fn charged() -> Event {
    let ways = [
        ChargedBy::PaidAhead,
        ChargedBy::Bucket {
            source: code("weekly"),
            step: Amount(1024),
        },
        ChargedBy::Tariff(tariff()),
        ChargedBy::Free(code("night")),
        ChargedBy::Uncovered(tariff()),
    ];
    let charges = ways.map(|by| Charge {
        by,
        units: Amount(512),
        pulses: 1,
        draws: smallvec![
            draw(1, Origin::Paid, Unit::Money, 10),
            draw(2, Origin::Advance, Unit::Money, 20)
        ],
    });
    changed(used(42, session(42, 1), 0, 10, 1), |charged| {
        charged.kind = ChargeKind::Update;
        charged.moved = Some(code("sindh"));
        charged.setup = Some(SetupFee {
            tariff: code("voice-on-net"),
            gross: Money(150_000),
            tax: Money(20_000),
            draws: smallvec![draw(1, Origin::Paid, Unit::Money, 140_000)],
            uncovered: Money(10_000),
        });
        let part = &mut charged.parts[0];
        part.charges = charges.into_iter().collect();
        part.key.service_id = Some(5);
        part.paid_ahead = Amount(3);
        part.row_cost = Money(9);
        part.final_action = Some(FinalAction::Terminate);
        part.tariff_change = Some(later(3_600));
        charged.closes = true;
        charged.low_balance = true;
        charged.low_balance_crossed = true;
        charged.forgets = 2;
    })
}

fn refunded() -> Event {
    changed(used(42, session(42, 2), 0, 11, 0), |charged| {
        charged.kind = ChargeKind::Refund;
        charged.service = Service::Sms;
        charged.parts.clear();
        charged.refund = Some(Box::new(Refund {
            lot: money_lot(10, Origin::Paid, 2_000_000),
            gross: rupees(2),
            tax: Money(250_000),
        }));
    })
}

fn changed(mut event: Event, change: impl FnOnce(&mut Charged)) -> Event {
    if let EventBody::Charged(charged) = &mut event.body {
        change(charged);
    }
    event
}

fn bought() -> Event {
    let mut lot = money_lot(9, Origin::Bundle, 5 << 30);
    lot.unit = Unit::Octets;
    lot.scope = Scope {
        rating_groups: [Some(1), Some(2), None],
        window: Some((60, 540)),
        roaming: false,
        ..Scope::service(Service::Data)
    };
    let bought = Bought {
        source: SourceId(11),
        body: 12,
        offer: code("weekly"),
        version: 3,
        discount: Some(Box::new(Discounted {
            promotion: code("half-price"),
            amount: rupees(25),
            period: period(),
        })),
        gross: rupees(50),
        tax: rupees(8),
        rate: Rate(195_000),
        rounding: Rounding::HalfUp,
        draws: smallvec![draw(1, Origin::Paid, Unit::Money, 50_000_000)],
        lots: smallvec![lot],
        expires_at: later(604_800),
        day: 20_000,
        count: 2,
        renewal: true,
        renews_at: Some(later(604_800)),
        balance: rupees(30),
        forgets: 1,
    };
    at(account(), EventBody::Bought(Box::new(bought)))
}

fn period() -> Period {
    Period {
        number: 24_323,
        until: later(2_592_000),
    }
}

/// One by each kind of money; the first with everything that may be there.
fn recharges() -> Vec<Event> {
    let payment = PaymentId::new(42, 17).unwrap();
    let fundings = [
        Funding::Rail(code("easypaisa")),
        Funding::InTransit {
            partner: SHOP,
            channel: code("shop"),
        },
        Funding::Suspense {
            payment,
            channel: code("bank"),
        },
        Funding::Card {
            operator: OPERATOR,
            hash: PinHash(0xfeed_0000_1234_5678),
            channel: code("ussd"),
        },
    ];
    let mut events: Vec<Event> = fundings
        .into_iter()
        .zip(2..)
        .map(|(funding, version)| recharged(42, version, 30, 100_000_000, funding))
        .collect();
    if let EventBody::Recharged(first) = &mut events[0].body {
        first.lots.push(money_lot(8, Origin::Bonus, 5));
        first.joined = Some((LotId(1), LotId(2)));
        first.revived = true;
        first.forgets = 3;
        first.outcome.fee = rupees(1);
        first.outcome.promotion = code("welcome");
        first.outcome.earned = vec![
            Earned {
                promotion: code("welcome"),
                status: EarnedStatus::Given,
                cost: rupees(4),
                period: period(),
                lots: smallvec![EarnedLot {
                    lot: LotId(8),
                    unit: Unit::Octets,
                    amount: Amount(1 << 30),
                    expires_at: later(86_400),
                }],
            },
            Earned {
                promotion: code("spring"),
                status: EarnedStatus::NotFunded,
                cost: Money::ZERO,
                period: Period::default(),
                lots: smallvec![],
            },
        ];
    }
    events
}

fn ended() -> SessionEnded {
    SessionEnded {
        session: session(42, 1),
        service: Service::Data,
        used: Amount(7_000_000),
        cost: rupees(14),
        balance: rupees(86),
        valid_until: later(5_184_000),
        left: Amount(1 << 29),
        left_until: later(86_400),
    }
}

fn award() -> Award {
    Award {
        promotion: code("welcome"),
        cost: rupees(4),
        lots: vec![money_lot(8, Origin::Bonus, 4_000_000)],
        receipt: receipt(),
        period: period(),
    }
}

fn promotions() -> Vec<Event> {
    let shares = SharesChange {
        shares: smallvec![ShareChange {
            promotion: code("welcome"),
            amount: rupees(-4),
            lease: Some(rupees(100)),
            asked: Some(true),
            dry: Some(Dry {
                budget: rupees(1_000),
                wanted: rupees(4),
            }),
            ended: true,
        }],
        opened: vec![Claim {
            id: 5,
            account: ACCOUNT,
            award: award(),
        }],
        closed: smallvec![3, 4],
    };
    let moved = BudgetMoved {
        funded: rupees(1_000),
        leased: rupees(100),
        home: 3,
    };
    let budget = EntityKey::Budget(OPERATOR, code("welcome"));
    let refused = EventBody::BonusRefused {
        promotion: code("welcome"),
        receipt: receipt(),
        period: period(),
        reason: Refusal::TooMany,
    };
    vec![
        at(budget, EventBody::BudgetMoved(moved)),
        at(
            EntityKey::Shares(OPERATOR, 3),
            EventBody::SharesChanged(Box::new(shares)),
        ),
        at(account(), EventBody::BonusGranted(Box::new(award()))),
        at(account(), refused),
        at(
            EntityKey::BudgetTold(ACCOUNT),
            EventBody::BudgetReached {
                month: 24_323,
                mark: BudgetMark::FourFifths,
            },
        ),
    ]
}

fn auto() -> Vec<Event> {
    let plan = AutoPlan {
        due_at: Some(later(100)),
        retry_at: Some(later(200)),
        look_at: Some(later(300)),
    };
    let rule = AutoRule {
        seed: 99,
        msisdn: number(),
        operator: OPERATOR,
        below: rupees(20),
        date: AutoDate::Monthly(31),
        minute: 600,
        amount: rupees(100),
        offer: code("weekly"),
        rail: code("easypaisa"),
        caps: AutoCaps {
            per_day: rupees(200),
            per_month: rupees(1_000),
            count_per_month: 5,
        },
        lead_s: 86_400,
        payable_s: 900,
        wanted_s: 3_600,
    };
    let payment = PaymentId::new(42, 18).unwrap();
    let tried = AutoTry {
        payment,
        occasion: 2,
        attempt: 1,
        cause: AutoCause::Date,
        amount: rupees(100),
        at: later(90),
        counted: AutoSpent {
            day: 20_000,
            on_day: rupees(100),
            month: 24_323,
            in_month: rupees(300),
            count: 3,
        },
        outcome: Some(AutoOutcome::NotPaid(FailureClass::Funds)),
    };
    let events = [
        AutoEvent::Set {
            rule: Box::new(rule),
            plan,
        },
        AutoEvent::Planned(plan),
        AutoEvent::Announced { due_at: later(100) },
        AutoEvent::Held {
            cap: AutoCap::Month,
            plan,
        },
        AutoEvent::Tried { tried, plan },
        AutoEvent::Ended {
            payment,
            outcome: AutoOutcome::WentBack,
            plan,
            state: AutoState::Refused,
        },
        AutoEvent::StateSet {
            state: AutoState::Paused,
            plan,
        },
    ];
    let wrap = |event| at(EntityKey::Auto(ACCOUNT), EventBody::Auto(Box::new(event)));
    events.into_iter().map(wrap).collect()
}

/// What the credit of a top-up did, for the samples of money.
pub fn done() -> charge::reply::RechargeOutcome {
    outcome(42, 9, 100_000_000)
}
