//! What the simulated population asks: sensible, silly and repeated commands.

use charge::account::LifeCycle;
use charge::catalog::{Called, Language};
use charge::command::{
    Buy, ChargeKind, ChargePart, ChargeRequest, Command, Funding, OpenAccount, OpenPartner, PeerTraits,
    Recharge, TopUpRequest, UpdateAccount, Used, UsedPeriod,
};
use charge::ids::{
    AccountId, Code, EntityKey, Imsi, Msisdn, OperatorId, PartnerId, SessionKey, SourceId, digest128,
};
use charge::money::{MICROS, Money};
use charge::promotion::ChannelClass;
use charge::session::ElementKey;
use charge::tax::{RegionCode, TaxClass};
use charge::unit::{Amount, Service};
use rand::Rng;
use rand::rngs::StdRng;

/// Subscribers, partners and the sessions that run.
pub struct Population {
    accounts: u64,
    partners: u32,
    sessions: Vec<Session>,
    next: u64,
    offers: Vec<&'static str>,
}

struct Session {
    account: u64,
    name: String,
    service: Service,
    number: u32,
}

impl Population {
    /// A few people, so that they meet.
    pub fn new(random: &mut StdRng) -> Population {
        Population {
            accounts: random.random_range(1..12),
            partners: random.random_range(1..3),
            sessions: Vec::new(),
            next: 0,
            offers: vec!["daily-social", "no-such-offer"],
        }
    }

    /// Every entity that somebody may have.
    pub fn keys(&self) -> Vec<EntityKey> {
        let accounts = (1..=self.accounts).flat_map(|account| {
            [
                EntityKey::Account(AccountId(account)),
                EntityKey::Number(msisdn(account)),
                EntityKey::Imsi(imsi(account)),
            ]
        });
        let partners = (1..=self.partners).map(|partner| EntityKey::Partner(PartnerId(partner)));
        accounts.chain(partners).collect()
    }

    /// The next command.
    pub fn ask(&mut self, random: &mut StdRng) -> Command {
        self.next += 1;
        let account = random.random_range(1..=self.accounts);
        let partner = random.random_range(1..=self.partners);
        let next = self.next;
        let rupees = Money(random.random_range(1..500) * MICROS + random.random_range(0..MICROS));
        match random.random_range(0..100) {
            0..8 => self.open(account, rupees),
            8..11 => {
                let code = Code::new("shop").unwrap_or_default();
                Command::OpenPartner(Box::new(OpenPartner::named(PartnerId(partner), "Shop", code)))
            }
            11..16 => Command::FundFloat {
                partner: PartnerId(partner),
                amount: if random.random_bool(0.8) {
                    rupees
                } else {
                    Money(-rupees.0)
                },
                source: SourceId::of_reference("bank", &next.to_string()),
                reference: next.to_string(),
            },
            16..34 => top_up(partner, account, rupees, next),
            34..48 => Command::Recharge(Recharge {
                account: AccountId(account),
                source: SourceId::of_reference("rail", &next.to_string()),
                reference: next.to_string(),
                funding: Funding::Rail(Code::new("wallet").unwrap_or_default()),
                gross: rupees,
                region: RegionCode::EMPTY,
                campaign: Code::EMPTY,
                class: ChannelClass::Unknown,
            }),
            48..52 => {
                let offer = self.offers[random.random_range(0..self.offers.len())];
                Command::Buy(Buy {
                    account: AccountId(account),
                    offer: Code::new(offer).unwrap_or_default(),
                    source: SourceId::of_reference("buy", &next.to_string()),
                    renew: random.random_bool(0.3),
                    at_most: None,
                })
            }
            52..54 => Command::UpdateAccount(UpdateAccount {
                account: AccountId(account),
                language: Some(Language::Ur),
                tax_class: None,
                state: random.random_bool(0.3).then(|| {
                    if random.random_bool(0.5) {
                        LifeCycle::Suspended
                    } else {
                        LifeCycle::Active
                    }
                }),
            }),
            _ => self.charge(account, random),
        }
    }

    /// Offers to buy, as the catalogs have them.
    pub fn sell(&mut self, offers: Vec<&'static str>) {
        self.offers.extend(offers);
    }

    fn open(&self, account: u64, rupees: Money) -> Command {
        Command::OpenAccount(OpenAccount {
            account: AccountId(account),
            operator: OperatorId(1),
            msisdn: msisdn(account),
            imsi: Some(imsi(account)),
            language: Language::En,
            tax_class: TaxClass::Standard,
            region: RegionCode::EMPTY,
            opening_balance: rupees,
        })
    }

    fn charge(&mut self, account: u64, random: &mut StdRng) -> Command {
        if self.sessions.is_empty() || (self.sessions.len() < 6 && random.random_bool(0.3)) {
            let service = if random.random_bool(0.6) {
                Service::Data
            } else {
                Service::Voice
            };
            self.sessions.push(Session {
                account,
                name: format!("gateway;{}", self.next),
                service,
                number: 0,
            });
        }
        let index = random.random_range(0..self.sessions.len());
        let session = &mut self.sessions[index];
        let number = session.number;
        session.number += 1;
        let kind = match number {
            0 => ChargeKind::Initial,
            _ if random.random_bool(0.15) => ChargeKind::Terminate,
            _ => ChargeKind::Update,
        };
        let used = (number > 0).then(|| match session.service {
            Service::Voice => random.random_range(0..400),
            _ => random.random_range(0..30_000_000),
        });
        let command = Command::Charge(Box::new(ChargeRequest {
            account: AccountId(session.account),
            session: SessionKey::of(session.name.as_bytes()),
            session_id: session.name.as_str().into(),
            peer: "gateway.test".into(),
            kind,
            number,
            service: session.service,
            called: match session.service {
                Service::Data => Called::Nobody,
                _ => Called::Number(msisdn(4711)),
            },
            called_operator: None,
            plmn: 0,
            area: None,
            traits: PeerTraits::default(),
            parts: [ChargePart {
                key: ElementKey::default(),
                requested: (kind != ChargeKind::Terminate).then_some(None),
                used: used
                    .map(|used| Used {
                        amount: Amount(used),
                        period: UsedPeriod::NotTold,
                    })
                    .into_iter()
                    .collect(),
            }]
            .into_iter()
            .collect(),
            money: None,
        }));
        if kind == ChargeKind::Terminate {
            self.sessions.remove(index);
        }
        command
    }
}

fn top_up(partner: u32, account: u64, gross: Money, next: u64) -> Command {
    let reference = format!("till-{next}");
    Command::TopUp(Box::new(TopUpRequest {
        id: digest128("top-up", &[reference.as_bytes()]),
        partner: PartnerId(partner),
        idempotency_key: digest128("key", &[reference.as_bytes()]),
        external_id: reference,
        msisdn: msisdn(account),
        account: AccountId(account),
        operator: OperatorId(1),
        gross,
        campaign: Code::EMPTY,
        class: ChannelClass::Unknown,
        callback_url: String::new(),
        test: false,
        connector: Code::EMPTY,
        by: Default::default(),
    }))
}

fn msisdn(account: u64) -> Msisdn {
    Msisdn::new(923_000_000_000 + account).unwrap_or_default()
}

fn imsi(account: u64) -> Imsi {
    Imsi::parse(&format!("41001{account:010}")).unwrap_or_default()
}
