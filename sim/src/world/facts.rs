//! What the journal says has happened, read without the engine's help, and compared with what clients were told.

use charge::codec::Codec;
use charge::command::{ChargeKind, Command};
use charge::ids::{AccountId, PartnerId, SessionKey, SourceId, digest128};
use charge::{EntityKey, Event, EventBody};
use std::collections::BTreeMap;
use store::JournalReader;
use store::batch::{Batch, Record};

/// An effect that must be in the journal once (acknowledged), or at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What.
    pub effect: Effect,
    /// Whether a client was told that it happened.
    pub acknowledged: bool,
}

/// An effect that must not happen twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// A credit by its source.
    Recharged(AccountId, SourceId),
    /// A float was funded.
    Funded(PartnerId, SourceId),
    /// A float was debited for a top-up.
    Sold(PartnerId, u128),
    /// A top-up's credit.
    Credited(PartnerId, u128),
    /// A credit-control request was carried out.
    Charged(AccountId, SessionKey, u32),
    /// A bundle was bought.
    Bought(AccountId, SourceId),
    /// An account was opened.
    Opened(AccountId),
}

impl Claim {
    /// What a client may rely on after its command was answered (or not).
    pub fn of(command: &Command, acknowledged: bool) -> Option<Claim> {
        let effect = match command {
            Command::Recharge(recharge) => Effect::Recharged(recharge.account, recharge.source),
            Command::FundFloat { partner, source, .. } => Effect::Funded(*partner, *source),
            Command::TopUp(request) => Effect::Sold(request.partner, request.id),
            // Only what changes an account must be in the journal; a request may also be answered with a result code.
            Command::Charge(request) if request.kind == ChargeKind::Update => {
                return Some(Claim {
                    effect: Effect::Charged(request.account, request.session, request.number),
                    acknowledged: false,
                });
            }
            Command::Buy(buy) => Effect::Bought(buy.account, buy.source),
            Command::OpenAccount(open) => Effect::Opened(open.account),
            _ => return None,
        };
        Some(Claim { effect, acknowledged })
    }
}

/// How often each effect is in the journal.
#[derive(Debug, Default)]
pub struct Facts {
    effects: BTreeMap<Effect, u32>,
    /// Top-ups that ended well, by partner and id.
    completed: BTreeMap<(PartnerId, u128), bool>,
    /// Digest of every batch in order.
    pub digest: u128,
}

impl Facts {
    /// Reads the whole journal.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read(journal: &mut dyn JournalReader, partitions: u16) -> Result<Facts, String> {
        let mut facts = Facts::default();
        for partition in 0..partitions {
            let rows = journal
                .read(partition, 1, usize::MAX)
                .map_err(|error| error.to_string())?;
            for row in rows {
                let previous = facts.digest.to_be_bytes();
                facts.digest = digest128("journal", &[&previous, &row.batch]);
                let batch = Batch::parse(&row.batch).map_err(|error| error.to_string())?;
                for record in batch.records() {
                    if let Record::Event(bytes) = record {
                        let event = Event::from_bytes(bytes).map_err(|error| error.to_string())?;
                        facts.note(&event);
                    }
                }
            }
        }
        Ok(facts)
    }

    fn note(&mut self, event: &Event) {
        let effect = match (&event.key, &event.body) {
            (EntityKey::Account(account), EventBody::Recharged(recharged)) => {
                Effect::Recharged(*account, recharged.source)
            }
            (EntityKey::Account(account), EventBody::Bought(bought)) if !bought.renewal => {
                Effect::Bought(*account, bought.source)
            }
            (EntityKey::Account(account), EventBody::Charged(charged))
                if charged.kind == ChargeKind::Update =>
            {
                Effect::Charged(*account, charged.session, charged.number)
            }
            (EntityKey::Account(account), EventBody::AccountOpened { .. }) => Effect::Opened(*account),
            (EntityKey::Partner(partner), EventBody::FloatFunded { source, .. }) => {
                Effect::Funded(*partner, *source)
            }
            (EntityKey::Partner(partner), EventBody::FloatDebited { top_up, .. }) => {
                Effect::Sold(*partner, *top_up)
            }
            (EntityKey::Partner(partner), EventBody::FloatSettled { top_up, credited, .. }) => {
                self.completed.insert((*partner, *top_up), *credited);
                Effect::Credited(*partner, *top_up)
            }
            _ => return,
        };
        *self.effects.entry(effect).or_default() += 1;
    }

    /// Compares with what clients were told.
    ///
    /// # Errors
    /// What is lost, or there twice.
    pub fn check(&self, claims: &[Claim]) -> Result<(), String> {
        for (effect, count) in &self.effects {
            if *count > 1 {
                return Err(format!("{effect:?} happened {count} times"));
            }
            if let Effect::Sold(partner, top_up) = effect
                && !self.completed.contains_key(&(*partner, *top_up))
            {
                return Err(format!(
                    "top-up {top_up:x} of {partner:?} was sold and never settled"
                ));
            }
        }
        for claim in claims.iter().filter(|claim| claim.acknowledged) {
            if !self.effects.contains_key(&claim.effect) {
                return Err(format!("{:?} was acknowledged and is lost", claim.effect));
            }
        }
        Ok(())
    }
}
