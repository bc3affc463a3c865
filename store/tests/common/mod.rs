//! Events and journals for the tests and measurements of this crate: one of each kind, consistent with each other.
#![allow(dead_code)]

use charge::account::{LifeCycle, Lot, Origin};
use charge::catalog::{Called, DestinationClass, FinalAction, Language, Place, Scope};
use charge::codec::Codec;
use charge::command::{ChargeKind, Funding, OpenAccount};
use charge::event::{
    Bought, Charge, Charged, ChargedBy, ChargedPart, Opened, PartnerOpened, Priced, Recharged, Refund,
};
use charge::ids::{LotId, SessionKey, digest128};
use charge::money::Rounding;
use charge::partner::{TopUp, TopUpState};
use charge::reply::{ChargeResult, Receipt, RechargeOutcome, Refusal};
use charge::session::{Draw, ElementKey, Target};
use charge::tax::{Rate, TaxClass};
use charge::time::DAY;
use charge::unit::{Amount, Service};
use charge::{
    AccountId, Code, EntityKey, Event, EventBody, Imsi, Money, Msisdn, OperatorId, PartnerId, SourceId,
};
use charge::{Timestamp, Unit};
use smallvec::{SmallVec, smallvec};
use store::{BatchBuilder, Hash, JournalRow, MemoryStore, Record, Store};

/// 2026-11-22 in UTC.
pub const START: i64 = 1_795_305_600_000_000;
pub const OPERATOR: OperatorId = OperatorId(1);
pub const RUPEE: i64 = 1_000_000;

pub fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

pub fn event(account: u64, at: i64, body: EventBody) -> Event {
    Event {
        key: EntityKey::Account(AccountId(account)),
        operator: OPERATOR,
        at: Timestamp(START + at),
        body,
    }
}

pub fn money_lot(id: u32, origin: Origin, amount: i64) -> Lot {
    Lot {
        id: LotId(id),
        unit: Unit::Money,
        origin,
        priority: 100,
        amount: Amount(amount),
        reserved: Amount::ZERO,
        initial: Amount(amount),
        granted_at: Timestamp(START),
        expires_at: Timestamp(START + 90 * DAY),
        scope: Scope::ANY,
        step: Amount(1),
        waives_setup: false,
        source: code("opening"),
    }
}

pub fn draw(lot: u32, origin: Origin, unit: Unit, amount: i64) -> Draw {
    Draw {
        lot: LotId(lot),
        origin,
        unit,
        amount: Amount(amount),
    }
}

pub fn opened(account: u64, at: i64, balance: i64) -> Event {
    let open = OpenAccount {
        account: AccountId(account),
        operator: OPERATOR,
        msisdn: Msisdn::new(923_000_000_000 + account).unwrap(),
        imsi: Some(Imsi::parse(&format!("41001{account:010}")).unwrap()),
        language: Language::Ur,
        tax_class: TaxClass::Standard,
        region: code("punjab"),
        opening_balance: Money(balance),
    };
    let lot = (balance > 0).then(|| money_lot(1, Origin::Paid, balance));
    let valid_until = Timestamp(START + 90 * DAY);
    event(
        account,
        at,
        EventBody::AccountOpened {
            open: Box::new(open),
            lot,
            valid_until,
        },
    )
}

pub fn outcome(account: u64, version: u64, gross: i64) -> RechargeOutcome {
    let tax = Rate(150_000).inside(Money(gross), Rounding::HalfUp);
    RechargeOutcome {
        gross: Money(gross),
        tax,
        tax_rate: Rate(150_000),
        fee: Money::ZERO,
        credited: Money(gross) - tax,
        balance: Money(gross) - tax,
        valid_until: Timestamp(START + 90 * DAY),
        promotion: Code::EMPTY,
        earned: Vec::new(),
        receipt: Receipt {
            account: AccountId(account),
            event: version,
        },
    }
}

pub fn recharged(account: u64, version: u64, at: i64, gross: i64, funding: Funding) -> Event {
    let outcome = outcome(account, version, gross);
    let lots = smallvec![money_lot(version as u32, Origin::Paid, outcome.credited.0)];
    let body = Recharged {
        source: SourceId(u128::from(account) << 64 | u128::from(version)),
        body: 7,
        reference: format!("PAY-{account}-{version}"),
        funding,
        region: code("punjab"),
        tax_class: TaxClass::Standard,
        rounding: Rounding::HalfUp,
        outcome,
        lots,
        joined: None,
        revived: false,
        forgets: 0,
    };
    event(account, at, EventBody::Recharged(Box::new(body)))
}

pub fn session(account: u64, number: u64) -> SessionKey {
    SessionKey::of(format!("pgw.jazz;{account};{number}").as_bytes())
}

pub fn tariff() -> Priced {
    Priced {
        tariff: code("data.home"),
        version: 3,
        pulse: Amount(512 * 1024),
        gross: Money(RUPEE),
        tax: Money(163_180),
        rate: Rate(195_000),
        rounding: Rounding::HalfUp,
    }
}

/// A request of a data session that uses so many pulses, paid from lot 1.
pub fn used(account: u64, session: SessionKey, number: u32, at: i64, pulses: i64) -> Event {
    let priced = tariff();
    let kind = if number == 0 {
        ChargeKind::Initial
    } else {
        ChargeKind::Update
    };
    let charges: SmallVec<[Charge; 1]> = if pulses == 0 {
        SmallVec::new()
    } else {
        smallvec![Charge {
            by: ChargedBy::Tariff(priced),
            units: Amount(pulses * priced.pulse.0),
            pulses,
            draws: smallvec![draw(1, Origin::Paid, Unit::Money, pulses * priced.gross.0)],
        }]
    };
    let part = ChargedPart {
        key: ElementKey {
            rating_group: Some(10),
            service_id: None,
        },
        result: ChargeResult::Success,
        used: Amount(pulses * priced.pulse.0),
        charges,
        paid_ahead: Amount::ZERO,
        row_cost: Money::ZERO,
        reserved: smallvec![draw(1, Origin::Paid, Unit::Money, 2 * priced.gross.0)],
        granted: Some(Amount(2 * priced.pulse.0)),
        final_action: None,
        validity_s: 3600,
        threshold: Amount(100_000),
        holding_s: 300,
        tariff_change: None,
    };
    let opening = Opened {
        id: format!("pgw.jazz;{account};{number}").into(),
        peer: "pgw.jazz".into(),
        target: Target {
            called: Called::Nobody,
            class: DestinationClass::Special,
            place: Place::Home,
            plmn: 41001,
            region: code("punjab"),
        },
    };
    let body = Charged {
        kind,
        session,
        number,
        body: 99,
        service: Service::Data,
        opened: (number == 0).then(|| Box::new(opening)),
        moved: None,
        setup: None,
        parts: smallvec![part],
        closes: false,
        expires_at: Timestamp(START + at + 3_600_000_000),
        result: ChargeResult::Success,
        balance: Money(1000 * RUPEE - i64::from(number) * RUPEE),
        low_balance: false,
        low_balance_crossed: false,
        refund: None,
        forgets: 0,
    };
    event(account, at, EventBody::Charged(Box::new(body)))
}

fn change_charged(mut event: Event, change: impl FnOnce(&mut Charged)) -> Event {
    if let EventBody::Charged(charged) = &mut event.body {
        change(charged);
    }
    event
}

/// The journal of a small world: accounts 1 to 3, a partner with a float, a completed and a declined top-up. Account 1 and
/// 3 live in partition 1, account 2 and the partner in partition 2.
pub fn story() -> Vec<(u16, Vec<Event>)> {
    let (first, second) = (session(1, 1), session(1, 2));
    let funding = |name| Funding::Rail(code(name));
    let partition_1 = vec![
        vec![opened(1, 0, 100 * RUPEE), opened(3, 1, 0)],
        vec![
            used(1, first, 0, 10, 0),
            used(1, first, 1, 20, 3),
            used(1, second, 0, 25, 0),
        ],
        vec![
            recharged(1, 5, 30, 100 * RUPEE, funding("easypaisa")),
            used(1, first, 2, 40, 2),
        ],
        vec![
            change_charged(used(1, first, 3, 50, 1), |charged| {
                charged.kind = ChargeKind::Terminate;
                charged.closes = true;
                charged.low_balance = true;
                charged.low_balance_crossed = true;
                charged.moved = Some(code("sindh"));
                charged.parts[0].final_action = Some(FinalAction::Terminate);
            }),
            change_charged(used(1, second, 1, 60, 1), |charged| {
                charged.parts[0].charges[0].by = ChargedBy::Uncovered(tariff());
                charged.parts[0].charges[0].draws.clear();
            }),
        ],
        vec![bought(1, 70), from_bucket(1, second, 80), refunded(1, 90)],
        vec![
            event(
                1,
                100,
                EventBody::Expired {
                    lots: vec![draw(1, Origin::Paid, Unit::Money, 5 * RUPEE)],
                },
            ),
            event(
                1,
                101,
                EventBody::LifeCycleChanged {
                    from: LifeCycle::Active,
                    to: LifeCycle::Suspended,
                },
            ),
            event(
                1,
                102,
                EventBody::RenewalFailed {
                    offer: code("weekly"),
                    reason: Refusal::InsufficientBalance,
                },
            ),
            event(
                3,
                103,
                EventBody::AccountUpdated {
                    language: Some(Language::Zh),
                    tax_class: None,
                },
            ),
        ],
    ];
    let float = Funding::InTransit {
        partner: PartnerId(7),
        channel: code("shop"),
    };
    let refusal = Err(Refusal::AccountNotActive);
    let partition_2 = vec![
        vec![opened(2, 5, 0), partner(6, opened_partner())],
        vec![
            partner(7, funded(1000)),
            created(100, "ext-1", 200),
            partner(8, debited(200, 100)),
            created(101, "ext-2", 50),
            partner(9, debited(50, 101)),
        ],
        vec![recharged(2, 2, 10, 200 * RUPEE, float)],
        vec![
            settled("ext-1", Ok(outcome(2, 2, 200 * RUPEE))),
            partner(12, credited(200, 100, true)),
        ],
        vec![settled("ext-2", refusal), partner(14, credited(50, 101, false))],
    ];
    let tag = |number: u16| move |events| (number, events);
    partition_1
        .into_iter()
        .map(tag(1))
        .chain(partition_2.into_iter().map(tag(2)))
        .collect()
}

fn bought(account: u64, at: i64) -> Event {
    let lot = Lot {
        unit: Unit::Octets,
        scope: Scope::service(Service::Data),
        source: code("weekly"),
        ..money_lot(9, Origin::Bundle, 5 << 30)
    };
    let body = Bought {
        source: SourceId(1),
        body: 2,
        offer: code("weekly"),
        version: 3,
        discount: None,
        gross: Money(50 * RUPEE),
        tax: Money(8 * RUPEE),
        rate: Rate(195_000),
        rounding: Rounding::HalfUp,
        draws: smallvec![draw(1, Origin::Paid, Unit::Money, 50 * RUPEE)],
        lots: smallvec![lot],
        expires_at: Timestamp(START + 7 * DAY),
        day: START / DAY,
        count: 1,
        renewal: false,
        renews_at: None,
        balance: Money(30 * RUPEE),
        forgets: 0,
    };
    event(account, at, EventBody::Bought(Box::new(body)))
}

fn from_bucket(account: u64, session: SessionKey, at: i64) -> Event {
    change_charged(used(account, session, 2, at, 1), |charged| {
        let units = charged.parts[0].used;
        charged.parts[0].charges = smallvec![Charge {
            by: ChargedBy::Bucket {
                source: code("weekly"),
                step: Amount(1024)
            },
            units,
            pulses: units.0 / 1024,
            draws: smallvec![draw(9, Origin::Bundle, Unit::Octets, units.0)],
        }];
    })
}

fn refunded(account: u64, at: i64) -> Event {
    change_charged(used(account, session(account, 9), 0, at, 0), |charged| {
        charged.kind = ChargeKind::Refund;
        charged.parts.clear();
        let lot = money_lot(10, Origin::Paid, 2 * RUPEE);
        charged.refund = Some(Box::new(Refund {
            lot,
            gross: Money(2 * RUPEE),
            tax: Money(RUPEE / 4),
        }));
    })
}

fn partner(at: i64, body: EventBody) -> Event {
    Event {
        key: EntityKey::Partner(PartnerId(7)),
        operator: OPERATOR,
        at: Timestamp(START + at),
        body,
    }
}

fn opened_partner() -> EventBody {
    EventBody::PartnerOpened(Box::new(PartnerOpened {
        partner: PartnerId(7),
        name: "Corner shop".to_owned(),
        code: code("shop"),
        operators: vec![OPERATOR],
        minimum: Money::ZERO,
        maximum: Money::ZERO,
        per_day: Money::ZERO,
        key: None,
    }))
}

fn funded(rupees: i64) -> EventBody {
    EventBody::FloatFunded {
        amount: Money(rupees * RUPEE),
        source: SourceId(3),
        reference: "bank 17".to_owned(),
    }
}

fn debited(rupees: i64, top_up: u128) -> EventBody {
    EventBody::FloatDebited {
        amount: Money(rupees * RUPEE),
        top_up,
        day: START / DAY,
    }
}

fn credited(rupees: i64, top_up: u128, credited: bool) -> EventBody {
    EventBody::FloatSettled {
        amount: Money(rupees * RUPEE),
        top_up,
        credited,
    }
}

fn top_up_key(external: &str) -> EntityKey {
    EntityKey::TopUp(PartnerId(7), digest128("external_id", &[external.as_bytes()]))
}

fn created(id: u128, external: &str, rupees: i64) -> Event {
    let at = Timestamp(START + 8);
    let body = EventBody::TopUpCreated(Box::new(TopUp {
        id,
        partner: PartnerId(7),
        external_id: external.to_owned(),
        body: 1,
        msisdn: Msisdn::new(923_000_000_002).unwrap(),
        account: AccountId(2),
        operator: OPERATOR,
        gross: Money(rupees * RUPEE),
        state: TopUpState::Submitted,
        created_at: at,
        updated_at: at,
        outcome: None,
        reason: None,
        details: charge::terms::TopUpDetails::default(),
        after: charge::reversal::Afterwards::default(),
    }));
    Event {
        key: top_up_key(external),
        operator: OPERATOR,
        at,
        body,
    }
}

fn settled(external: &str, outcome: Result<RechargeOutcome, Refusal>) -> Event {
    let body = EventBody::TopUpSettled { outcome, lot: None };
    Event {
        key: top_up_key(external),
        operator: OPERATOR,
        at: Timestamp(START + 12),
        body,
    }
}

/// The batches of a story as journal rows, chained per partition, each with a message record in between.
pub fn journal_rows(story: &[(u16, Vec<Event>)]) -> Vec<JournalRow> {
    let mut builder = BatchBuilder::new();
    let mut ends: std::collections::BTreeMap<u16, (u64, Hash)> = std::collections::BTreeMap::new();
    let mut rows = Vec::new();
    for (partition, events) in story {
        let (seq, hash) = ends.get(partition).copied().unwrap_or((0, Hash::NONE));
        for (number, event) in events.iter().enumerate() {
            if number == 1 {
                builder
                    .push(Record::Received {
                        from: 0,
                        number: seq + 1,
                    })
                    .unwrap();
            }
            builder.event_with(|buffer| event.encode(buffer)).unwrap();
        }
        builder.push(Record::Acknowledged { to: 0, up_to: seq }).unwrap();
        let time = events.last().map_or(0, |event| event.at.0);
        let (batch, next) = builder.finish(*partition, seq + 1, time, &hash, Vec::new());
        ends.insert(*partition, (seq + 1, next));
        rows.push(JournalRow {
            partition: *partition,
            seq: seq + 1,
            batch,
        });
    }
    rows
}

/// A store in memory with these batches.
pub fn store_with(rows: &[JournalRow]) -> MemoryStore {
    let store = MemoryStore::new();
    store.journal().unwrap().append(rows).unwrap();
    store
}

/// The calendar of the tests.
pub fn utc_days() -> store::project::DayOf {
    Box::new(|_, at| (at.0 / DAY) as i32)
}
