//! What the engine's tests share: catalogs, commands, a clock.

#![allow(dead_code)] // every test file uses a part of it

use charge::catalog::parse::{SourceFile, parse_all};
use charge::catalog::{Called, Catalogs, Language};
use charge::codec::Codec;
use charge::command::{
    ChargeKind, ChargePart, ChargeRequest, Command, Funding, OpenAccount, OpenPartner, PeerTraits, Recharge,
    TopUpRequest, Used, UsedPeriod,
};
use charge::ids::{AccountId, Code, EntityKey, Imsi, Msisdn, OperatorId, PartnerId, SessionKey, SourceId};
use charge::money::Money;
use charge::promotion::ChannelClass;
use charge::session::ElementKey;
use charge::tax::{RegionCode, TaxClass};
use charge::time::{Timestamp, Zone};
use charge::unit::{Amount, Service};
use engine::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub const START: Timestamp = Timestamp::from_seconds(1_795_302_960);

pub fn catalogs() -> Arc<Catalogs> {
    let files = [
        SourceFile {
            name: "catalog/pakistan.toml",
            text: include_str!("../../../catalog/pakistan.toml"),
        },
        SourceFile {
            name: "catalog/jazz.toml",
            text: include_str!("../../../catalog/jazz.toml"),
        },
    ];
    let zones = |name: &str| (name == "Asia/Karachi").then(|| Zone::fixed(name, 5 * 3600));
    Arc::new(parse_all(&files, &zones).expect("the shipped catalogs are valid"))
}

pub fn msisdn(account: u64) -> Msisdn {
    Msisdn::new(923_000_000_000 + account).expect("a valid number")
}

pub fn imsi(account: u64) -> Imsi {
    Imsi::parse(&format!("41001{account:010}")).expect("a valid IMSI")
}

pub fn open(account: u64, balance: i64) -> Command {
    Command::OpenAccount(OpenAccount {
        account: AccountId(account),
        operator: OperatorId(1),
        msisdn: msisdn(account),
        imsi: Some(imsi(account)),
        language: Language::En,
        tax_class: TaxClass::Standard,
        region: RegionCode::EMPTY,
        opening_balance: Money(balance * 1_000_000),
    })
}

pub fn recharge(account: u64, rupees: i64, reference: &str) -> Command {
    Command::Recharge(Recharge {
        account: AccountId(account),
        source: SourceId::of_reference("test", reference),
        reference: reference.to_owned(),
        funding: Funding::Rail(Code::new("test").expect("short")),
        gross: Money(rupees * 1_000_000),
        region: RegionCode::EMPTY,
        campaign: Code::EMPTY,
        class: ChannelClass::Unknown,
    })
}

pub fn charge(account: u64, session: &str, kind: ChargeKind, number: u32, used: Option<i64>) -> Command {
    Command::Charge(Box::new(ChargeRequest {
        account: AccountId(account),
        session: SessionKey::of(session.as_bytes()),
        session_id: session.into(),
        peer: "gateway.test".into(),
        kind,
        number,
        service: Service::Data,
        called: Called::Nobody,
        called_operator: None,
        plmn: 0,
        area: None,
        traits: PeerTraits::default(),
        parts: [ChargePart {
            key: ElementKey {
                rating_group: Some(10),
                service_id: None,
            },
            requested: (kind != ChargeKind::Terminate).then_some(None),
            used: used
                .map(|octets| Used {
                    amount: Amount(octets),
                    period: UsedPeriod::NotTold,
                })
                .into_iter()
                .collect(),
        }]
        .into_iter()
        .collect(),
        money: None,
    }))
}

pub fn open_partner(partner: u32) -> Command {
    let code = Code::new("shop").expect("short");
    Command::OpenPartner(Box::new(OpenPartner::named(PartnerId(partner), "Shop", code)))
}

pub fn fund(partner: u32, rupees: i64, reference: &str) -> Command {
    Command::FundFloat {
        partner: PartnerId(partner),
        amount: Money(rupees * 1_000_000),
        source: SourceId::of_reference("bank", reference),
        reference: reference.to_owned(),
    }
}

pub fn top_up(partner: u32, account: u64, rupees: i64, reference: &str) -> Command {
    Command::TopUp(Box::new(TopUpRequest {
        id: charge::ids::digest128("test", &[reference.as_bytes()]),
        partner: PartnerId(partner),
        external_id: reference.to_owned(),
        idempotency_key: charge::ids::digest128("key", &[reference.as_bytes()]),
        msisdn: msisdn(account),
        account: AccountId(account),
        operator: OperatorId(1),
        gross: Money(rupees * 1_000_000),
        campaign: Code::EMPTY,
        class: ChannelClass::Unknown,
        callback_url: String::new(),
        test: false,
        connector: Code::EMPTY,
        by: Default::default(),
    }))
}

pub fn account_key(account: u64) -> EntityKey {
    EntityKey::Account(AccountId(account))
}

pub fn bytes(entity: Option<&charge::Entity>) -> Vec<u8> {
    entity.map(Codec::to_bytes).unwrap_or_default()
}

/// A clock that tests move.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn new() -> Arc<TestClock> {
        Arc::new(TestClock(AtomicI64::new(START.0)))
    }

    pub fn advance(&self, us: i64) {
        self.0.fetch_add(us, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        // Time passes a little with every look, so that intervals end.
        Timestamp(self.0.fetch_add(20, Ordering::SeqCst))
    }
}
