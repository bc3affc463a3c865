//! Scratch cards at the edge: where PINs are made, hashed and forgotten, and where guessing ends.
//!
//! Every channel redeems through [`CardDesk::redeem`]. The core sees keyed hashes only.
//!
//! # Layout
//! * this file: redeeming, with its locks. [`make`]: generation and the sealed export. [`brake`]: the global limit.
//! * [`watch`]: who guesses, for staff.

pub mod brake;
pub mod make;
pub mod watch;

use crate::core::{Core, CoreError};
use crate::limits;
use crate::number::latin_digit;
use crate::problem::{Fault, Problem};
use crate::rate::Rate;
use crate::state::Clock;
use brake::Brake;
use charge::card::{CardGuard, CardReply, CardTry, PinHash, RedeemCard, Serial};
use charge::catalog::{Catalog, Catalogs};
use charge::codec::Codec;
use charge::decide::{Terms, quote_for};
use charge::promotion::ChannelClass;
use charge::reply::{Receipt, RechargeOutcome};
use charge::{
    Account, AccountId, Code, Command, Entity, EntityKey, LifeCycle, Money, Msisdn, OperatorId, Refusal,
    Reply, Timestamp,
};
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use sha2::Sha256;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Where a PIN was typed: named on receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CardChannel {
    /// A partner's system.
    Api,
    /// A voice menu.
    Ivr,
    /// A USSD menu or code.
    Ussd,
    /// A short message.
    Sms,
    /// The website.
    Web,
}

impl CardChannel {
    /// Every channel with its name in the API.
    pub const NAMES: [(&'static str, CardChannel); 5] = [
        ("api", CardChannel::Api),
        ("ivr", CardChannel::Ivr),
        ("ussd", CardChannel::Ussd),
        ("sms", CardChannel::Sms),
        ("web", CardChannel::Web),
    ];

    /// The channel of a name.
    pub fn from_name(name: &str) -> Option<CardChannel> {
        let found = CardChannel::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, channel)| *channel)
    }

    /// The code on receipts.
    pub fn code(self) -> Code {
        let name = CardChannel::NAMES[self as usize].0;
        Code::new(&format!("card-{name}")).unwrap_or_default()
    }

    /// True where the network says whose phone it is: wrong tries are then the number's own.
    pub fn proves_number(self) -> bool {
        matches!(self, CardChannel::Ivr | CardChannel::Ussd | CardChannel::Sms)
    }
}

/// A try to redeem a card.
#[derive(Clone, Copy, Debug)]
pub struct Redeem<'a> {
    /// Where it was typed.
    pub channel: CardChannel,
    /// Who gets the value.
    pub number: Msisdn,
    /// What was typed.
    pub pin: &'a str,
    /// True when the number's own phone or sign-in asks. The tries of strangers lock strangers out, not the owner.
    pub own: bool,
    /// Address, session or partner, hashed to a number, where it is known: has a limit of its own.
    pub caller: Option<u64>,
}

/// A card that was redeemed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeemed {
    /// Which card.
    pub serial: Serial,
    /// Its value.
    pub face: Money,
    /// Its operator.
    pub operator: OperatorId,
    /// The receipt of the recharge.
    pub receipt: Receipt,
    /// When it was taken.
    pub at: Timestamp,
    /// True: this number had it before, and nothing moved now.
    pub repeated: bool,
    /// What the recharge did; `None` when that is too long ago to be remembered with the account.
    pub outcome: Option<RechargeOutcome>,
}

/// Why a card was not redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRedeemed {
    /// The rules refused it.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// Nobody here serves the number.
    #[error("nobody here serves the number")]
    NoSubscriber,
    /// Not the digits of a PIN; it does not count as a try.
    #[error("not the digits of a PIN")]
    BadPin,
    /// Too many wrong tries for this number.
    #[error("locked after wrong tries")]
    Locked {
        /// Until then.
        until: Timestamp,
    },
    /// Too many tries by this caller, or too many wrong tries over all.
    #[error("too many tries")]
    TooFast {
        /// Try again after.
        wait: Duration,
    },
    /// A try for the same number is under way.
    #[error("a try is under way")]
    UnderWay,
    /// Too much to do; nothing has changed.
    #[error("too busy")]
    Busy,
    /// It is on its way; trying the same again is safe.
    #[error("the outcome is not known")]
    Unknown,
}

impl From<CoreError> for NotRedeemed {
    fn from(error: CoreError) -> NotRedeemed {
        match error {
            CoreError::Refused(refusal) => NotRedeemed::Refused(refusal),
            CoreError::Busy => NotRedeemed::Busy,
            CoreError::Unavailable => NotRedeemed::Unknown,
        }
    }
}

impl NotRedeemed {
    /// The problem that programs and people are told.
    pub fn problem(self, now: Timestamp) -> Problem {
        match self {
            NotRedeemed::Refused(refusal) => refusal.into(),
            NotRedeemed::NoSubscriber => Problem::field(Fault::NoSubscriber, "msisdn"),
            NotRedeemed::BadPin => Problem::field(Fault::BadPin, "pin"),
            NotRedeemed::Locked { until } => {
                let wait = u64::try_from(until.0.saturating_sub(now.0)).unwrap_or(0);
                Problem {
                    retry_after: Some(Duration::from_micros(wait)),
                    ..Problem::from(Fault::CardsLocked)
                }
            }
            NotRedeemed::TooFast { wait } => Problem::rate_limited(wait),
            NotRedeemed::UnderWay => Fault::InFlight.into(),
            NotRedeemed::Busy => Fault::Busy.into(),
            NotRedeemed::Unknown => Fault::OutcomeUnknown.into(),
        }
    }
}

/// Turns PINs into what is stored of them: HMAC-SHA-256, of which 64 bits are kept. Ten million cards collide with a
/// probability of 3 in a million, and a collision is found when the card is put on its shelf.
#[derive(Clone)]
pub struct PinKey(Hmac<Sha256>);

impl PinKey {
    /// From the secret in the key file.
    pub fn new(key: &[u8; 32]) -> PinKey {
        // HMAC takes a key of any length.
        #[allow(clippy::expect_used)]
        PinKey(Hmac::new_from_slice(key).expect("a key"))
    }

    /// The hash of digits.
    pub fn hash(&self, operator: OperatorId, digits: &str) -> PinHash {
        let mut mac = self.0.clone();
        mac.update(b"card-pin");
        mac.update(&operator.0.to_be_bytes());
        mac.update(digits.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&mac.finalize().into_bytes()[..8]);
        PinHash(u64::from_be_bytes(first))
    }
}

/// What keeps exports and knows printers.
pub trait CardVault: Send + Sync {
    /// Names of printers whose keys are configured.
    fn printers(&self) -> Vec<String>;

    /// Seals the cards of a batch to a printer's key and keeps the result, durable when it returns.
    ///
    /// # Errors
    /// What went wrong, for the log; never a PIN.
    fn seal(&self, batch: u32, printer: &str, cards: &make::Printable) -> Result<(), String>;

    /// Gives the sealed cards out and forgets them.
    ///
    /// # Errors
    /// What went wrong, for the log.
    fn take(&self, batch: u32) -> Result<Option<Vec<u8>>, String>;
}

/// What the desk needs.
pub struct CardParts {
    /// Carries out commands.
    pub core: Arc<dyn Core>,
    /// What operators sell.
    pub catalogs: Arc<Catalogs>,
    /// Tells the time.
    pub clock: Clock,
    /// Hashes PINs.
    pub key: PinKey,
    /// Keeps exports.
    pub vault: Arc<dyn CardVault>,
    /// Partitions of the installation.
    pub partitions: u16,
    /// Wrong tries over all numbers that are let through in a minute.
    pub wrong_per_minute_max: u32,
}

/// Makes and redeems cards. Cheap to clone.
#[derive(Clone)]
pub struct CardDesk(Arc<Inner>);

struct Inner {
    parts: CardParts,
    /// Numbers with a try under way: guesses for one number come one after the other, so that each sees the lock of the
    /// one before.
    busy: Mutex<HashSet<(AccountId, bool)>>,
    brake: Brake,
    /// Numbers that are known to be locked: guessing on costs no look at the core.
    locked: Mutex<HashMap<(Msisdn, bool), Timestamp>>,
    callers: Rate,
    /// Cards on shelves, by batch that is being made.
    progress: Mutex<BTreeMap<u32, u32>>,
}

impl CardDesk {
    /// A desk.
    pub fn new(parts: CardParts) -> CardDesk {
        let brake = Brake::per_minute(parts.wrong_per_minute_max);
        CardDesk(Arc::new(Inner {
            parts,
            busy: Mutex::default(),
            brake,
            locked: Mutex::default(),
            callers: Rate::per_minute(limits::CARD_TRIES_PER_MINUTE),
            progress: Mutex::default(),
        }))
    }

    /// Its parts.
    pub fn parts(&self) -> &CardParts {
        &self.0.parts
    }

    /// Wrong tries that the brake would let through now, for `/metrics`.
    pub fn wrong_tries_left(&self) -> u32 {
        self.0.brake.left((self.0.parts.clock)())
    }

    /// Redeems a card for a phone that the network knows, as USSD and SMS do.
    ///
    /// # Errors
    /// [`NotRedeemed`].
    pub async fn redeem_here(
        &self,
        channel: CardChannel,
        number: Msisdn,
        pin: &str,
    ) -> Result<Redeemed, NotRedeemed> {
        let own = channel.proves_number();
        let caller = None;
        self.redeem(Redeem {
            channel,
            number,
            pin,
            own,
            caller,
        })
        .await
    }

    /// Redeems a card. The same PIN for the same number again is answered with what it did, and moves nothing.
    ///
    /// # Errors
    /// [`NotRedeemed`]: nothing was credited, except perhaps for [`NotRedeemed::Unknown`], after which the same try is safe.
    pub async fn redeem(&self, asked: Redeem<'_>) -> Result<Redeemed, NotRedeemed> {
        let parts = self.parts();
        if let Some(caller) = asked.caller {
            let checked = self.0.callers.check((asked.channel, caller));
            checked.map_err(|wait| NotRedeemed::TooFast { wait })?;
        }
        let now = (parts.clock)();
        let who = (asked.number, asked.own);
        let known = self.0.locked.lock().get(&who).copied();
        if let Some(until) = known.filter(|until| now < *until) {
            return Err(NotRedeemed::Locked { until });
        }
        let id = self.account_of(asked.number).await?;
        let _alone = Alone::begin(&self.0, (id, asked.own)).ok_or(NotRedeemed::UnderWay)?;
        // Both at once: they lie beside each other.
        let (account, guard) =
            tokio::join!(parts.core.read(EntityKey::Account(id)), self.guard(id, asked.own));
        let Some(Entity::Account(account)) = account? else {
            return Err(NotRedeemed::NoSubscriber);
        };
        let guard = guard?;
        let catalog = parts.catalogs.get(account.operator);
        let catalog = catalog.ok_or(NotRedeemed::Refused(Refusal::NoSuchOperator))?;
        let digits = digits_of(asked.pin, catalog).ok_or(NotRedeemed::BadPin)?;
        if matches!(account.state, LifeCycle::Suspended | LifeCycle::Closed) {
            return Err(NotRedeemed::Refused(Refusal::AccountNotActive));
        }
        if now < guard.locked_until {
            let mut locked = self.0.locked.lock();
            if locked.len() >= limits::CARD_LOCKS_CACHED {
                locked.retain(|_, until| now < *until);
                if locked.len() >= limits::CARD_LOCKS_CACHED {
                    locked.clear();
                }
            }
            locked.insert(who, guard.locked_until);
            return Err(NotRedeemed::Locked {
                until: guard.locked_until,
            });
        }
        // Taken before the outcome is known: guesses for many numbers at once cannot pass together.
        let permit = self
            .0
            .brake
            .take(now)
            .map_err(|wait| NotRedeemed::TooFast { wait })?;
        let hash = parts.key.hash(account.operator, &digits);
        let command = Command::RedeemCard(RedeemCard {
            operator: account.operator,
            hash,
            account: account.id,
            channel: asked.channel.code(),
        });
        match parts.core.call(command).await {
            Ok(Reply::Card(reply)) => {
                permit.give_back();
                if guard.wrong > 0 {
                    self.note(&account, asked.own, None, None).await;
                }
                self.outcome(&account, catalog, hash, reply).await
            }
            Ok(_) => Err(NotRedeemed::Unknown),
            Err(CoreError::Refused(refusal)) => {
                // Looked up for all alike: the time says nothing about the kind of the refusal.
                let shelf = parts.core.read(hash.key(account.operator)).await;
                let card = match &shelf {
                    Ok(Some(Entity::CardShelf(shelf))) => shelf.find(hash).map(|card| card.serial),
                    _ => None,
                };
                self.note(&account, asked.own, Some(refusal), card).await;
                Err(NotRedeemed::Refused(refusal))
            }
            Err(error) => {
                permit.give_back();
                Err(error.into())
            }
        }
    }

    /// What is remembered of wrong tries for a number.
    ///
    /// # Errors
    /// [`CoreError`] when the core cannot say.
    pub async fn guard(&self, account: AccountId, own: bool) -> Result<CardGuard, CoreError> {
        match self.parts().core.read(EntityKey::CardGuard(account, own)).await? {
            Some(Entity::CardGuard(guard)) => Ok(*guard),
            _ => Ok(CardGuard::default()),
        }
    }

    async fn account_of(&self, number: Msisdn) -> Result<AccountId, NotRedeemed> {
        let entity = self.parts().core.read(EntityKey::Number(number)).await?;
        let record = entity.as_ref().and_then(Entity::number);
        record
            .and_then(|record| record.account)
            .ok_or(NotRedeemed::NoSubscriber)
    }

    /// Remembers a try. When even that cannot be stored, the brake has counted it.
    async fn note(&self, account: &Account, own: bool, wrong: Option<Refusal>, card: Option<Serial>) {
        let tried = CardTry {
            account: account.id,
            own,
            wrong,
            card,
        };
        if let Err(error) = self.parts().core.call(Command::NoteCardTry(tried)).await {
            tracing::warn!(number = account.msisdn.masked(), %error, "a try with a card is not remembered");
        }
    }

    /// The core has answered when the account had the credit before it, so that mostly the first look finds it.
    async fn outcome(
        &self,
        account: &Account,
        catalog: &Catalog,
        hash: PinHash,
        reply: CardReply,
    ) -> Result<Redeemed, NotRedeemed> {
        let core = &self.parts().core;
        let source = reply.serial.source();
        let mut pause = Duration::from_millis(2);
        let deadline = tokio::time::Instant::now() + limits::CARD_OUTCOME_WAIT_MAX;
        loop {
            let now = match core.read(EntityKey::Account(account.id)).await? {
                Some(Entity::Account(account)) => account,
                _ => return Err(NotRedeemed::NoSubscriber),
            };
            let known = now.recent.iter().rev().find(|known| known.source == source);
            let outcome = known.and_then(|known| match Reply::from_bytes(&known.reply) {
                Ok(Reply::Recharged(outcome)) => Some(*outcome),
                _ => None,
            });
            // What the account remembers needs no look at the shelf.
            let taken = match &outcome {
                Some(_) => None,
                None => match core.read(hash.key(account.operator)).await? {
                    Some(Entity::CardShelf(shelf)) => shelf.taken(hash).copied(),
                    _ => None,
                },
            };
            let event = match &outcome {
                Some(outcome) => Some(outcome.receipt.event),
                None => taken.and_then(|taken| taken.receipt),
            };
            if let Some(event) = event {
                return Ok(Redeemed {
                    serial: reply.serial,
                    face: reply.face,
                    operator: account.operator,
                    receipt: Receipt {
                        account: account.id,
                        event,
                    },
                    at: reply.at,
                    repeated: reply.repeated,
                    outcome,
                });
            }
            if taken.is_none_or(|taken| taken.account != account.id) {
                // The card has come back: the account could not be credited.
                return Err(NotRedeemed::Refused(why_not(
                    &now,
                    catalog,
                    reply.face,
                    now_of(self),
                )));
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(NotRedeemed::Unknown);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}

fn now_of(desk: &CardDesk) -> Timestamp {
    (desk.parts().clock)()
}

/// Why an account refuses a card of a value.
fn why_not(account: &Account, catalog: &Catalog, face: Money, now: Timestamp) -> Refusal {
    let terms = Terms {
        gross: face,
        class: ChannelClass::Voucher,
        ..Terms::default()
    };
    match quote_for(account, catalog, &terms, now) {
        Err(refusal) => refusal,
        Ok(_) => Refusal::Declined,
    }
}

/// The Latin digits of a PIN as people type it, with Arabic, Persian or full-width digits, spaces and hyphens; `None` unless
/// they are as many as the operator's PINs have.
fn digits_of(typed: &str, catalog: &Catalog) -> Option<String> {
    if typed.len() > limits::PIN_BYTES_MAX {
        return None;
    }
    let spaces = |c: &char| {
        !matches!(
            c,
            ' ' | '-' | '\u{a0}' | '\u{200e}' | '\u{200f}' | '\u{2066}'..='\u{2069}'
        )
    };
    let digits: Option<String> = typed.trim().chars().filter(spaces).map(latin_digit).collect();
    digits.filter(|digits| digits.len() == usize::from(catalog.cards.pin_digits))
}

/// Holds the place of a number while a try is under way.
struct Alone<'a> {
    desk: &'a Inner,
    who: (AccountId, bool),
}

impl<'a> Alone<'a> {
    fn begin(desk: &'a Inner, who: (AccountId, bool)) -> Option<Alone<'a>> {
        let free = desk.busy.lock().insert(who);
        // Made only when it is free: dropping one gives the place back.
        free.then(|| Alone { desk, who })
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.desk.busy.lock().remove(&self.who);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::catalogs;

    #[test]
    fn a_pin_is_read_in_any_script_and_its_hash_needs_the_key() {
        let catalogs = catalogs();
        let jazz = catalogs.get(OperatorId(1)).unwrap();
        let plain = "01234567890123";
        for typed in [
            plain,
            " 0123 4567-8901 23 ",
            "۰۱۲۳۴۵۶۷۸۹۰۱۲۳",
            "٠١٢٣٤٥٦٧٨٩٠١٢٣",
            "０１２３４５６７８９０１２３",
        ] {
            assert_eq!(digits_of(typed, jazz).as_deref(), Some(plain), "{typed}");
        }
        for bad in [
            "",
            "0123456789012",
            "012345678901234",
            "0123456789012a",
            "+1234567890123",
        ] {
            assert_eq!(digits_of(bad, jazz), None, "{bad}");
        }
        let (one, two) = (PinKey::new(&[1; 32]), PinKey::new(&[2; 32]));
        assert_eq!(one.hash(OperatorId(1), plain), one.hash(OperatorId(1), plain));
        assert_ne!(one.hash(OperatorId(1), plain), two.hash(OperatorId(1), plain));
        assert_ne!(one.hash(OperatorId(1), plain), one.hash(OperatorId(2), plain));
    }
}
