//! Workload `charglt`: 80 % report-usage-and-reserve on a data session, 20 % add-credit, uniform over the accounts.

use charge::catalog::Called;
use charge::command::{
    ChargeKind, ChargePart, ChargeRequest, Funding, PeerTraits, Recharge, Used, UsedPeriod,
};
use charge::ids::{AccountId, SessionKey, SourceId};
use charge::promotion::ChannelClass;
use charge::session::ElementKey;
use charge::unit::{Amount, Service};
use charge::{Code, Command, Money};
use smallvec::SmallVec;

/// Of 100 operations, so many add credit.
const CREDIT_PERCENT: u64 = 20;
/// Octets reported by one request: a little over 100 kB, so that a pulse of 512 KB spans several reports.
const USED_OCTETS: i64 = 110_000;
/// Octets asked for.
const ASKED_OCTETS: i64 = 2_000_000;
/// Added by one credit: pays for about forty times its share of reports.
const CREDIT: Money = Money::from_units(100);

/// A fast generator of pseudo-random numbers (SplitMix64): the same seed, the same workload.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.draw()) * u128::from(bound)) >> 64).unwrap_or(0)
    }
}

/// What the next operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Report and reserve: `number` is the CC-Request-Number; 0 opens the session.
    Report {
        /// Which account, from 0.
        index: u64,
        /// CC-Request-Number.
        number: u32,
    },
    /// Add credit; `number` makes its reference unique.
    Credit {
        /// Which account, from 0.
        index: u64,
        /// Unique number of the payment.
        number: u64,
    },
}

/// The stream of operations.
#[derive(Debug)]
pub struct Workload {
    random: Random,
    accounts: u64,
    requests: Vec<u32>,
    credits: u64,
    opened: u64,
    run: u64,
}

impl Workload {
    /// Operations over accounts 0 to `accounts`. `run` tells the sessions and payments of one run from those of another.
    pub fn new(accounts: u64, seed: u64, run: u64) -> Workload {
        let count = usize::try_from(accounts).unwrap_or(usize::MAX);
        Workload {
            random: Random::new(seed),
            accounts,
            requests: vec![0; count],
            credits: 0,
            opened: 0,
            run,
        }
    }

    /// Accounts whose session is not open yet: they come first, one after the other, before anything is measured.
    pub fn unopened(&self) -> u64 {
        self.accounts - self.opened
    }

    /// The next operation.
    pub fn draw(&mut self) -> Operation {
        if self.opened < self.accounts {
            let index = self.opened;
            self.opened += 1;
            self.requests[usize::try_from(index).unwrap_or(0)] = 1;
            return Operation::Report { index, number: 0 };
        }
        let index = self.random.below(self.accounts);
        if self.random.below(100) < CREDIT_PERCENT {
            self.credits += 1;
            return Operation::Credit {
                index,
                number: self.credits,
            };
        }
        let requests = &mut self.requests[usize::try_from(index).unwrap_or(0)];
        let number = *requests;
        *requests += 1;
        Operation::Report { index, number }
    }

    /// The command of an operation for the account with that id.
    pub fn command(&self, operation: Operation, account: AccountId) -> Command {
        match operation {
            Operation::Report { index, number } => {
                Command::Charge(Box::new(self.report(index, number, account)))
            }
            Operation::Credit { number, .. } => Command::Recharge(Recharge {
                account,
                source: SourceId(u128::from(self.run) << 64 | u128::from(number)),
                reference: String::new(),
                funding: Funding::Rail(Code::new("bench").unwrap_or_default()),
                gross: CREDIT,
                region: Code::EMPTY,
                campaign: Code::EMPTY,
                class: ChannelClass::Unknown,
            }),
        }
    }

    fn report(&self, index: u64, number: u32, account: AccountId) -> ChargeRequest {
        let opens = number == 0;
        let mut parts: SmallVec<[ChargePart; 1]> = SmallVec::new();
        let mut used: SmallVec<[Used; 1]> = SmallVec::new();
        if !opens {
            used.push(Used {
                amount: Amount(USED_OCTETS),
                period: UsedPeriod::NotTold,
            });
        }
        parts.push(ChargePart {
            key: ElementKey {
                rating_group: Some(1),
                service_id: None,
            },
            requested: Some(Some(Amount(ASKED_OCTETS))),
            used,
        });
        let name = if opens {
            format!("bench;{};{index}", self.run)
        } else {
            String::new()
        };
        ChargeRequest {
            account,
            session: SessionKey(u128::from(self.run) << 64 | u128::from(index) << 1 | 1),
            session_id: name.into_boxed_str(),
            peer: if opens { "bench".into() } else { Box::default() },
            kind: if opens {
                ChargeKind::Initial
            } else {
                ChargeKind::Update
            },
            number,
            service: Service::Data,
            called: Called::Nobody,
            called_operator: None,
            plmn: 0,
            area: None,
            traits: PeerTraits::default(),
            parts,
            money: None,
        }
    }
}
