//! The `charglt` workload in the core alone, one thread: 80 % report-usage-and-reserve, 20 % add-credit, uniform over the
//! accounts. Prints decisions per second of processor time, nanoseconds and event bytes per operation, and bytes per account.
//!
//! `cargo run --release -p charge --example core_timing -- [ACCOUNTS] [OPERATIONS]`
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a measuring tool reads the clock

use charge::catalog::parse::{SourceFile, parse_all};
use charge::catalog::{Called, Catalogs, Language};
use charge::codec::Codec;
use charge::command::{
    ChargeKind, ChargePart, ChargeRequest, Funding, Message, OpenAccount, PeerTraits, Recharge, Used,
    UsedPeriod,
};
use charge::decide::View;
use charge::ids::SessionKey;
use charge::promotion::ChannelClass;
use charge::session::ElementKey;
use charge::tax::TaxClass;
use charge::time::{SECOND, Zone};
use charge::unit::{Amount, Service};
use charge::{
    AccountId, Code, Command, Entity, EntityKey, Money, Msisdn, OperatorId, SourceId, Timestamp, apply,
    decide,
};
use std::time::{Duration, Instant};

/// Commands made ahead, outside the measured time.
const BATCH: usize = 1_024;
/// Commands whose entities are touched together.
const GROUP: usize = 32;
/// 2026-11-20, 10:00 in Karachi.
const START: Timestamp = Timestamp::from_seconds(1_795_150_800);

fn main() {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok())
        .collect();
    let count = numbers.first().copied().unwrap_or(1_000_000);
    let operations = numbers.get(1).copied().unwrap_or(count.max(1_000_000) * 4);
    let catalogs = catalogs();
    let operator = catalogs.by_code("jazz").expect("the shipped catalog").operator;
    let before = resident_bytes();
    let mut world = World {
        accounts: Vec::new(),
        requests: vec![0; usize::try_from(count).expect("fits")],
        out: Vec::with_capacity(1 << 22),
    };
    for id in 0..count {
        world.accounts.push(None);
        world.carry_out(&catalogs, &open(id, operator), START);
    }
    let per_account = resident_bytes().saturating_sub(before) / count.max(1);
    println!("accounts {count}, {per_account} bytes each when new");

    let mut random = 0x5eed_u64;
    let (mut spent, mut done, mut bytes, mut now) = (Duration::ZERO, 0u64, 0u64, START);
    let mut next_print = operations / 4;
    while done < operations {
        let commands: Vec<Command> = (0..BATCH).map(|_| world.draw(&mut random, count, done)).collect();
        now = now.plus(SECOND / 100);
        world.out.clear();
        let begun = busy();
        for group in commands.chunks(GROUP) {
            let named = || group.iter().filter_map(|command| world.get(command.route()));
            std::hint::black_box(named().map(Entity::touch).fold(0, usize::wrapping_add));
            std::hint::black_box(named().map(Entity::touch_parts).fold(0, usize::wrapping_add));
            for command in group {
                world.carry_out(&catalogs, command, now);
            }
        }
        spent += busy().saturating_sub(begun);
        done += BATCH as u64;
        bytes += world.out.len() as u64;
        if done >= next_print {
            let nanos = spent.as_nanos() as u64 / done;
            println!(
                "operations {done}: {} per second, {nanos} ns each, {} event bytes each",
                1_000_000_000 / nanos.max(1),
                bytes / done
            );
            next_print += operations / 4;
        }
    }
    let per_account = resident_bytes().saturating_sub(before) / count.max(1);
    println!(
        "{per_account} bytes of memory for each account now (one open session, its remembered requests)"
    );
}

struct World {
    accounts: Vec<Option<Entity>>,
    requests: Vec<u32>,
    out: Vec<u8>,
}

impl View for World {
    fn get(&self, key: EntityKey) -> Option<&Entity> {
        match key {
            EntityKey::Account(AccountId(id)) => self.accounts.get(usize::try_from(id).ok()?)?.as_ref(),
            _ => None,
        }
    }
}

impl World {
    fn carry_out(&mut self, catalogs: &Catalogs, command: &Command, now: Timestamp) {
        let decision = decide(self, catalogs, command, now).expect("nothing of this is refused");
        for event in &decision.events {
            event.encode(&mut self.out);
            if let EntityKey::Account(AccountId(id)) = event.key {
                apply(&mut self.accounts[usize::try_from(id).expect("fits")], event);
            }
        }
        std::hint::black_box(decision.reply);
    }

    fn draw(&mut self, random: &mut u64, count: u64, done: u64) -> Command {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        let id = (*random >> 20) % count;
        if *random % 5 == 4 {
            return Command::Recharge(Recharge {
                account: AccountId(id),
                source: SourceId(u128::from(*random) << 64 | u128::from(done)),
                reference: format!("p{done:08}"),
                funding: Funding::Rail(Code::new("card").unwrap_or_default()),
                gross: Money::from_units(100),
                region: Code::EMPTY,
                campaign: Code::EMPTY,
                class: ChannelClass::Unknown,
            });
        }
        let number = &mut self.requests[usize::try_from(id).expect("fits")];
        let kind = if *number == 0 {
            ChargeKind::Initial
        } else {
            ChargeKind::Update
        };
        let mut part = ChargePart {
            key: ElementKey {
                rating_group: Some(10),
                service_id: None,
            },
            requested: Some(Some(Amount(2_000_000))),
            ..ChargePart::default()
        };
        if *number > 0 {
            part.used.push(Used {
                amount: Amount(110_000),
                period: UsedPeriod::NotTold,
            });
        }
        let request = ChargeRequest {
            account: AccountId(id),
            session: SessionKey(u128::from(id) << 64 | 1),
            session_id: format!("smf.example;1795150800;{id};app_gy").into(),
            peer: "smf.example".into(),
            kind,
            number: *number,
            service: Service::Data,
            called: Called::Nobody,
            called_operator: None,
            plmn: 41_001,
            area: None,
            traits: PeerTraits::default(),
            parts: [part].into_iter().collect(),
            money: None,
        };
        *number += 1;
        Command::Charge(Box::new(request))
    }
}

fn open(id: u64, operator: OperatorId) -> Command {
    Command::Deliver(Message::Open(Box::new(OpenAccount {
        account: AccountId(id),
        operator,
        msisdn: Msisdn::new(923_000_000_000 + id).expect("a number"),
        imsi: None,
        language: Language::En,
        tax_class: TaxClass::Standard,
        region: Code::EMPTY,
        opening_balance: Money::from_units(1_000),
    })))
}

fn catalogs() -> Catalogs {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog");
    let files = std::fs::read_dir(directory).expect("the catalog");
    let texts: Vec<(String, String)> = files
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            (
                path.display().to_string(),
                std::fs::read_to_string(&path).expect("text"),
            )
        })
        .collect();
    let files: Vec<SourceFile<'_>> = texts
        .iter()
        .map(|(name, text)| SourceFile { name, text })
        .collect();
    let zones = |name: &str| Some(Zone::fixed(name, 5 * 3_600));
    parse_all(&files, &zones).expect("the shipped catalog is right")
}

/// Time that this thread was on a processor, where the system tells; else the time that has passed. On a busy machine only
/// the former measures our own work.
fn busy() -> Duration {
    static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told.split_whitespace().next().and_then(|text| text.parse().ok());
    nanos.map_or_else(|| BEGUN.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// Resident memory of this process, where the system tells.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}
