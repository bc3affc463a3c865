//! A second factor from an authenticator app: RFC 6238 with SHA-1, six digits, 30 seconds. The secret is sealed; a step
//! works once.

use crate::audit::{self, Deed};
use crate::db::{Module, People, Result, open_table};
use crate::keys::same;
use crate::person::PersonId;
use crate::sessions::Place;
use crate::throttle::{self, Throttled};
use aws_lc_rs::hmac;
use charge::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "totp",
    migrations: &["create table totp (
            person bigint primary key,
            sealed blob not null,
            confirmed_at bigint not null,
            last_step bigint not null
        );"],
    personal: &[open_table("totp")],
};

/// Bytes of a secret: 160 bits, as RFC 4226 section 4 recommends.
pub(crate) const SECRET_BYTES: usize = 20;
const STEP_S: i64 = 30;
/// Clocks of phones may be off by so many steps.
const STEPS_OFF: i64 = 1;

impl People {
    /// A new secret, to be confirmed by a code from the app before it is in force. In base 32, for people to type.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn totp_begin(&self, person: PersonId) -> Result<String> {
        let secret: [u8; SECRET_BYTES] = rand::random();
        let sealed = self.keys().seal(&owner(person), &secret)?;
        self.write(|tx| {
            tx.execute(
                "insert into totp (person, sealed, confirmed_at, last_step) values (?1, ?2, 0, 0)
                 on conflict (person) do update set sealed = excluded.sealed, last_step = 0
                 where totp.confirmed_at = 0",
                params![person.0, sealed],
            )?;
            Ok(())
        })?;
        Ok(base32(&secret))
    }

    /// The secret that waits to be confirmed, again.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn totp_pending(&self, person: PersonId) -> Result<Option<String>> {
        let found: Option<Vec<u8>> = self.read(|db| {
            Ok(db
                .query_row(
                    "select sealed from totp where person = ?1 and confirmed_at = 0",
                    [person.0],
                    |row| row.get(0),
                )
                .optional()?)
        })?;
        match found {
            Some(sealed) => Ok(Some(base32(&self.keys().open(&owner(person), &sealed)?))),
            None => Ok(None),
        }
    }

    /// A code from the app puts the secret in force. False: wrong code.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`Throttled`].
    pub fn totp_confirm(
        &self,
        person: PersonId,
        code: &str,
        place: &Place,
        now: Timestamp,
    ) -> Result<std::result::Result<bool, Throttled>> {
        let taken = self.take_step(person, code, false, now)?;
        if taken == Ok(true) {
            self.write(|tx| {
                tx.execute(
                    "update totp set confirmed_at = ?2 where person = ?1",
                    params![person.0, now.0],
                )?;
                audit::note(tx, person, Deed::TotpOn, place, "", now)
            })?;
        }
        Ok(taken)
    }

    /// Whether this is the code of now; it works once, and no older one works after it.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`Throttled`] after too many wrong ones.
    pub fn totp_take(
        &self,
        person: PersonId,
        code: &str,
        now: Timestamp,
    ) -> Result<std::result::Result<bool, Throttled>> {
        self.take_step(person, code, true, now)
    }

    /// Whether somebody has a second factor in force.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn has_totp(&self, person: PersonId) -> Result<bool> {
        self.read(|db| Ok(find(db, person, true)?.is_some()))
    }

    /// Takes the second factor away.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn totp_off(&self, person: PersonId, place: &Place, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            tx.execute("delete from totp where person = ?1", [person.0])?;
            audit::note(tx, person, Deed::TotpOff, place, "", now)
        })
    }

    fn take_step(
        &self,
        person: PersonId,
        code: &str,
        confirmed: bool,
        now: Timestamp,
    ) -> Result<std::result::Result<bool, Throttled>> {
        self.write(|tx| {
            let caller = person.0.to_be_bytes();
            let limit = throttle::WRONG_SECOND_FACTORS_PERSON;
            if let Err(throttled) = limit.look(self, tx, &caller, now)? {
                return Ok(Err(throttled));
            }
            let right = match find(tx, person, confirmed)? {
                Some((sealed, last_step)) => {
                    let secret = self.keys().open(&owner(person), &sealed)?;
                    step_of(&secret, last_step, code, now)
                }
                None => None,
            };
            match right {
                Some(step) => {
                    tx.execute(
                        "update totp set last_step = ?2 where person = ?1",
                        params![person.0, step],
                    )?;
                }
                None => {
                    let _ = limit.take(self, tx, &caller, now)?;
                }
            }
            Ok(Ok(right.is_some()))
        })
    }
}

/// The code of a secret at a moment: for apps and tests.
pub fn code_at(secret_base32: &str, now: Timestamp) -> Option<String> {
    let secret = from_base32(secret_base32)?;
    Some(code_of(&secret, now.seconds().div_euclid(STEP_S)))
}

fn find(db: &Connection, person: PersonId, confirmed: bool) -> Result<Option<(Vec<u8>, i64)>> {
    Ok(db
        .query_row(
            "select sealed, last_step from totp where person = ?1 and (confirmed_at > 0) = ?2",
            params![person.0, confirmed],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?)
}

fn owner(person: PersonId) -> Vec<u8> {
    format!("totp {person}").into_bytes()
}

/// The step that a code belongs to, if it is one of about now and later than the last one used.
pub(crate) fn step_of(secret: &[u8], last_step: i64, code: &str, now: Timestamp) -> Option<i64> {
    let step_now = now.seconds().div_euclid(STEP_S);
    (step_now - STEPS_OFF..=step_now + STEPS_OFF)
        .filter(|step| *step > last_step)
        .find(|step| same(code_of(secret, *step).as_bytes(), code.as_bytes()))
}

/// RFC 4226 section 5.3.
fn code_of(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let at = usize::from(bytes.last().copied().unwrap_or(0) & 15);
    let word = bytes
        .get(at..at + 4)
        .and_then(|four| four.try_into().ok())
        .map_or(0, u32::from_be_bytes);
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// RFC 4648 section 6, without padding: whole groups of five bits only.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let (mut text, mut bits, mut held) = (String::new(), 0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits) as usize & 31]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits)) as usize & 31]));
    }
    text
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for character in text.bytes().filter(|byte| *byte != b' ') {
        let value = ALPHABET.iter().position(|known| *known == character)?;
        held = (held << 5) | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 255).ok()?);
        }
        held &= (1 << bits) - 1;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, SHA-1, the last six of eight digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_of(b"12345678901234567890", seconds / STEP_S), code);
        }
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("foob", "MZXW6YQ"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
            assert_eq!(from_base32(text).unwrap(), bytes.as_bytes());
        }
    }

    #[test]
    fn a_step_works_once_and_the_secret_is_sealed() {
        let people = people();
        let person = PersonId(5);
        let place = Place::default();
        let now = Timestamp::from_seconds(1_795_262_400);
        let take = |code: &str, at| people.totp_take(person, code, at).unwrap();
        let secret = people.totp_begin(person).unwrap();
        assert_eq!(
            people.totp_pending(person).unwrap().as_deref(),
            Some(secret.as_str())
        );
        let code = code_at(&secret, now).unwrap();
        assert_eq!(take(&code, now), Ok(false), "not confirmed yet");
        assert_eq!(people.totp_confirm(person, &code, &place, now).unwrap(), Ok(true));
        assert!(people.has_totp(person).unwrap() && people.totp_pending(person).unwrap().is_none());
        assert_eq!(take(&code, now), Ok(false), "the same step again");
        let next = now.plus(30_000_000);
        let code = code_at(&secret, next).unwrap();
        assert_eq!(take(&code, next), Ok(true));
        assert_eq!(take(&code, next), Ok(false), "replay");
        assert_eq!(take(&code_at(&secret, now).unwrap(), next), Ok(false), "older");
        let far = next.plus(300_000_000);
        assert_eq!(
            take(&code_at(&secret, far.plus(90_000_000)).unwrap(), far),
            Ok(false),
            "from the future"
        );
        people.totp_begin(person).unwrap();
        assert!(
            people.totp_pending(person).unwrap().is_none(),
            "a secret in force is not replaced"
        );
        let raw = from_base32(&secret).unwrap();
        let sealed: Vec<u8> = people
            .read(|db| Ok(db.query_row("select sealed from totp", [], |row| row.get(0))?))
            .unwrap();
        assert!(!sealed.windows(8).any(|window| window == &raw[..8]));
    }

    #[test]
    fn guessing_is_stopped() {
        let people = people();
        let person = PersonId(5);
        let now = Timestamp::from_seconds(1_795_262_400);
        let secret = people.totp_begin(person).unwrap();
        let code = code_at(&secret, now).unwrap();
        people
            .totp_confirm(person, &code, &Place::default(), now)
            .unwrap()
            .unwrap();
        let judged = (0..100).filter(|_| people.totp_take(person, "no", now).unwrap().is_ok());
        assert_eq!(judged.count(), 10);
    }
}
