//! Notices beside SMS: which letters an event brings, what they say, and the courier that carries them until they are taken.
//!
//! Whether somebody is told and by which way is decided by [`people::ways`] alone, once when a letter is put and again when
//! it leaves: who said stop in between gets nothing.
//!
//! # Layout
//! * here: [`Post`], which puts letters and says what they are about; [`matter`]: what a letter is about, as it is kept
//! * [`words`]: a letter with its address, put into words at the moment when it leaves
//! * [`courier`]: carries letters of one way; [`crate::mail`] and [`crate::push`] are its legs
//! * [`security`]: what changed about the security of an account
//! * [`campaign`]: announcements of promotions. [`stop`]: one step to stop them by SMS
//! * [`letters`]: letters that go by SMS, as the message centres take them

pub mod campaign;
pub mod courier;
pub mod letters;
pub mod matter;
pub mod security;
pub mod stop;
pub mod words;

use crate::node::desk::{Around, Desk, notice_of};
use charge::catalog::{Language, TimeWindow};
use charge::time::{DAY, HOUR};
use charge::{Entity, EntityKey, EventBody, Msisdn, OperatorId, Timestamp};
use engine::{EngineError, Unavailable};
use matter::{Matter, Words};
use people::consents::Notice;
use people::ways::{Addressee, Decision, Way};
use std::sync::Arc;
use std::time::Duration;
use store::{LetterWay, NewLetter, Notification, NotificationKind, StoreError};

/// A proof of a credit is worth sending for this long.
const RECEIPT_LIFE: i64 = 3 * DAY;
/// Everything else.
const NOTICE_LIFE: i64 = DAY;
/// Accounts that are asked for at once: few beside the commands that wait.
const READS_AT_ONCE: usize = 256;
/// How often they are asked for while the engine has room for none, and the pause between.
const READ_TRIES: usize = 20;
const READ_PAUSE: Duration = Duration::from_millis(10);
/// It had no room all the time.
const LATER: StoreError = StoreError::Busy {
    doing: "decide who is told",
};

/// What the configuration says about offers.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OffersConfig {
    /// From this hour and minute on the operator's clock no offer leaves.
    pub quiet_from: String,
    /// Until this one.
    pub quiet_to: String,
}

impl Default for OffersConfig {
    fn default() -> OffersConfig {
        OffersConfig {
            quiet_from: "21:00".to_owned(),
            quiet_to: "09:00".to_owned(),
        }
    }
}

impl OffersConfig {
    /// The quiet hours.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn quiet(&self) -> Result<TimeWindow, String> {
        let read = |text: &str| {
            let (hours, minutes) = text.split_once(':')?;
            let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
            (hours < 24 && minutes < 60).then_some(hours * 3_600 + minutes * 60)
        };
        let wrong = |name: &str| format!("offers.{name} must be a time of day such as 21:00");
        Ok(TimeWindow {
            from_s: read(&self.quiet_from).ok_or_else(|| wrong("quiet_from"))?,
            to_s: read(&self.quiet_to).ok_or_else(|| wrong("quiet_to"))?,
        })
    }
}

/// Something to tell somebody that is no event of the journal.
pub struct Tiding<'a> {
    /// What it comes from; the same origin is told once.
    pub origin: &'a str,
    /// Under which consent.
    pub notice: Notice,
    /// To whom.
    pub to: Addressee,
    /// Whose subscriber; decides which message centre carries it.
    pub operator: OperatorId,
    /// Their language when they have no account of a person.
    pub language: Language,
    /// What it says, in a language.
    pub words: &'a dyn Fn(Language) -> Words,
}

/// Puts letters. Cheap to clone; every call may wait for the disk.
#[derive(Clone)]
pub struct Post(Arc<Desk>);

impl Post {
    /// Into the outbox of a desk.
    pub fn new(desk: &Arc<Desk>) -> Post {
        Post(Arc::clone(desk))
    }

    /// Answers a short message by one short message to its number. Durable when it returns; the same origin again changes
    /// nothing.
    ///
    /// # Errors
    /// When people or outbox do not answer; nothing was put then.
    pub fn answer(&self, tiding: &Tiding<'_>, number: Msisdn, now: Timestamp) -> anyhow::Result<usize> {
        let decision = self.decide(tiding, now)?;
        let base = base_of(tiding, &decision, now);
        self.0.put_letters(&[by(&Way::Sms(number), &base)])
    }

    /// Puts letters. Durable when it returns; those that are there already change nothing.
    ///
    /// # Errors
    /// When the outbox does not answer; nothing was put then.
    pub fn put(&self, letters: &[NewLetter]) -> anyhow::Result<usize> {
        self.0.put_letters(letters)
    }

    fn decide(&self, tiding: &Tiding<'_>, now: Timestamp) -> anyhow::Result<Decision> {
        Ok(self
            .0
            .around()
            .people
            .ways_to(tiding.to, tiding.notice, None, now)?)
    }
}

fn base_of(tiding: &Tiding<'_>, decision: &Decision, now: Timestamp) -> NewLetter {
    let words = (tiding.words)(decision.language.unwrap_or(tiding.language));
    NewLetter {
        origin: tiding.origin.to_owned(),
        way: LetterWay::Sms,
        recipient: 0,
        operator: tiding.operator,
        account: charge::AccountId(0),
        person: decision.person.map_or(0, |person| person.0),
        notice: tiding.notice.name().to_owned(),
        matter: Matter::Words(words).to_bytes(),
        at: now.0,
        not_before: decision.not_before.0,
        until: now.0 + NOTICE_LIFE,
    }
}

/// A letter by a way.
pub fn by(way: &Way, base: &NewLetter) -> NewLetter {
    let (way, recipient) = match way {
        Way::Sms(number) => (LetterWay::Sms, i64::try_from(number.number()).unwrap_or(0)),
        Way::Push(target) => (LetterWay::Push, target.id.0),
        Way::Email(_) => (LetterWay::Email, 0),
    };
    NewLetter {
        way,
        recipient,
        ..base.clone()
    }
}

/// The letters beside the SMS that an event brings: to the person whose number it is about, by e-mail and push, as far as
/// they agreed.
///
/// # Errors
/// When engine or people do not answer; it is asked again.
pub fn letters_of(around: &Around, batch: &[Notification]) -> Result<Vec<NewLetter>, StoreError> {
    let mut letters = Vec::new();
    for some in batch.chunks(READS_AT_ONCE) {
        for (notification, number) in some.iter().zip(numbers_of(around, some)?) {
            if let Some(number) = number {
                letters.extend(letters_to(around, notification, number)?);
            }
        }
    }
    Ok(letters)
}

/// Whose the accounts of these are, asked for all at once: while commands wait for the engine, so does each question. What it
/// has no room for is asked again for a while, because it has not failed.
fn numbers_of(around: &Around, batch: &[Notification]) -> Result<Vec<Option<Msisdn>>, StoreError> {
    let mut numbers = vec![None; batch.len()];
    // Sellers hear of their stock by SMS alone; their numbers are not those of accounts.
    let of_account = |at: &usize| batch[*at].kind != NotificationKind::LowStock;
    let mut open: Vec<usize> = (0..batch.len()).filter(of_account).collect();
    let mut tries = 0;
    while !open.is_empty() {
        if tries == READ_TRIES {
            return Err(LATER);
        }
        if tries > 0 {
            std::thread::sleep(READ_PAUSE);
        }
        let asked = open.len();
        let (sender, answers) = std::sync::mpsc::sync_channel(READS_AT_ONCE);
        for at in open.drain(..) {
            let sender = sender.clone();
            let look = |entity: Option<&Entity>, _| entity.and_then(Entity::account).map(|it| it.msisdn);
            let key = EntityKey::Account(batch[at].account);
            // The receiver waits for every answer.
            let told = move |found| _ = sender.send((at, found));
            around.engine.read_with(key, look, told);
        }
        drop(sender);
        for (at, found) in answers {
            match found {
                Ok(number) => numbers[at] = number,
                Err(EngineError::Busy) => open.push(at),
                Err(EngineError::Unavailable(Unavailable::Stopping)) => return Err(LATER),
                Err(error) => return Err(stuck(error.into())),
            }
        }
        tries = if open.len() < asked { 1 } else { tries + 1 };
    }
    Ok(numbers)
}

fn letters_to(
    around: &Around,
    notification: &Notification,
    number: Msisdn,
) -> Result<Vec<NewLetter>, StoreError> {
    let (notice, now) = (notice_of(notification.kind), crate::node::now());
    let decision = around
        .people
        .ways_to(Addressee::Number(number), notice, None, now)
        .map_err(|error| stuck(error.into()))?;
    let Some(person) = decision.person else {
        return Ok(Vec::new());
    };
    let life = match &notification.event.body {
        EventBody::Recharged(_) | EventBody::CreditTakenBack(_) => RECEIPT_LIFE,
        EventBody::Bought(_) => NOTICE_LIFE,
        _ => 6 * HOUR,
    };
    let id = notification.id;
    let base = NewLetter {
        origin: format!("event/{}.{}.{}", id.partition, id.seq, id.index),
        way: LetterWay::Email,
        recipient: 0,
        operator: notification.operator,
        account: notification.account,
        person: person.0,
        notice: notice.name().to_owned(),
        matter: Matter::Event(Box::new(notification.event.clone())).to_bytes(),
        at: notification.at.0,
        not_before: notification.at.0,
        until: notification.at.0 + life,
    };
    let beside = decision.ways.iter().filter(|way| !matches!(way, Way::Sms(_)));
    Ok(beside.map(|way| by(way, &base)).collect())
}

fn stuck(error: anyhow::Error) -> StoreError {
    StoreError::Io {
        doing: "decide who is told".to_owned(),
        cause: error.into(),
    }
}
