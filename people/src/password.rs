//! Passwords: argon2id with a key from outside the file, rules for new ones, tries that are counted.
//!
//! Hashing takes tens of milliseconds and 19 MiB on purpose: callers run it on a thread that may wait, a few at a time.

use crate::audit::{self, Deed};
use crate::db::{Module, People, PeopleError, Personal, Result};
use crate::limits;
use crate::person::PersonId;
use crate::sessions::Place;
use crate::throttle::{self, Throttled};
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use charge::{Msisdn, Timestamp};
use rusqlite::{OptionalExtension as _, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "password",
    migrations: &["create table password (
            person bigint primary key,
            hash text not null,
            set_at bigint not null
        );"],
    personal: &[Personal {
        table: "password",
        secret: &["hash"],
    }],
};

/// Memory of one hash, KiB, and passes over it: the OWASP recommendation for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// Hash of a password that nobody has, for numbers without one: so that the time to answer does not tell.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Words that too many people choose; a password that consists of one of them with digits around it is refused.
const COMMON: [&str; 34] = [
    "password",
    "passwort",
    "qwerty",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "iloveyou",
    "welcome",
    "letmein",
    "pakistan",
    "karachi",
    "lahore",
    "islamabad",
    "bismillah",
    "allah",
    "muhammad",
    "jazz",
    "telenor",
    "zong",
    "ufone",
    "warid",
    "raseed",
    "admin",
    "administrator",
    "football",
    "cricket",
    "sunshine",
    "princess",
    "dragon",
    "monkey",
    "abc",
    "abcdefgh",
    "secret",
    "changeme",
];

/// Why a new password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakPassword {
    /// Too short.
    Short,
    /// Too long.
    Long,
    /// Among those that are guessed first.
    Common,
    /// The person's own number.
    Number,
}

/// A try that was counted; its hash is to be verified.
pub struct PasswordTry {
    /// Who it may be.
    pub person: Option<PersonId>,
    hash: Option<String>,
}

/// Whether a new password will do (NIST SP 800-63B section 3.1.1.2: length and a list of bad ones, no composition rules).
///
/// # Errors
/// [`WeakPassword`].
pub fn check_new(password: &str, numbers: &[Msisdn]) -> std::result::Result<(), WeakPassword> {
    if password.len() > limits::PASSWORD_BYTES_MAX {
        return Err(WeakPassword::Long);
    }
    if password.chars().count() < limits::PASSWORD_CHARACTERS_MIN {
        return Err(WeakPassword::Short);
    }
    let digits: String = password.chars().filter(char::is_ascii_digit).collect();
    let ends = |number: &Msisdn| {
        let text = number.to_string();
        digits.ends_with(text.get(text.len().saturating_sub(9)..).unwrap_or(&text))
            && password.chars().count() <= digits.len() + 3
    };
    if numbers.iter().any(ends) {
        return Err(WeakPassword::Number);
    }
    let lower = password.to_lowercase();
    let word = lower.trim_matches(|c: char| !c.is_alphabetic());
    let mut distinct: Vec<char> = lower.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if COMMON.contains(&word) || distinct.len() < 4 || "01234567890123456789".contains(&lower) {
        return Err(WeakPassword::Common);
    }
    Ok(())
}

impl People {
    /// The hash of a new password, in the PHC string format. Slow.
    ///
    /// # Errors
    /// [`PeopleError::Hash`].
    pub fn hash_password(&self, password: &str) -> Result<String> {
        let key = self.keys().digest("password", &[]);
        let hash = hasher(&key)?
            .hash_password(password.as_bytes())
            .map_err(|_| PeopleError::Hash)?;
        Ok(hash.to_string())
    }

    /// Sets a password by its hash.
    ///
    /// # Errors
    /// [`PeopleError`].
    pub fn set_password(&self, person: PersonId, hash: &str, place: &Place, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "insert into password (person, hash, set_at) values (?1, ?2, ?3)
                 on conflict (person) do update set hash = excluded.hash, set_at = excluded.set_at",
                params![person.0, hash, now.0],
            )?;
            audit::note(tx, person, Deed::PasswordSet, place, "", now)
        })
    }

    /// Takes the password away: codes and passkeys remain.
    ///
    /// # Errors
    /// [`PeopleError`].
    pub fn remove_password(&self, person: PersonId, place: &Place, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            tx.execute("delete from password where person = ?1", [person.0])?;
            audit::note(tx, person, Deed::PasswordRemoved, place, "", now)
        })
    }

    /// Since when somebody has a password.
    ///
    /// # Errors
    /// [`PeopleError`].
    pub fn password_set_at(&self, person: PersonId) -> Result<Option<Timestamp>> {
        self.read(|db| {
            let at = db
                .query_row(
                    "select set_at from password where person = ?1",
                    [person.0],
                    |row| row.get(0),
                )
                .optional()?;
            Ok(at.map(Timestamp))
        })
    }

    /// Counts a try for a number at an address, whether or not the number is known. Only passwords are locked by too many
    /// wrong ones, and only for a while: the owner still comes in with a code or a passkey.
    ///
    /// # Errors
    /// [`PeopleError`]; inside, [`Throttled`].
    pub fn password_try(
        &self,
        number: Msisdn,
        address: u64,
        now: Timestamp,
    ) -> Result<std::result::Result<PasswordTry, Throttled>> {
        let person = self.owner_now_or_last(number)?;
        self.write(|tx| {
            let limits_of = [
                (throttle::WRONG_PASSWORDS_ADDRESS, address.to_be_bytes()),
                (throttle::WRONG_PASSWORDS_NUMBER, number.number().to_be_bytes()),
            ];
            for (limit, caller) in &limits_of {
                if let Err(throttled) = limit.look(self, tx, caller, now)? {
                    return Ok(Err(throttled));
                }
            }
            for (limit, caller) in &limits_of {
                let _ = limit.take(self, tx, caller, now)?;
            }
            let hash = match person {
                Some(person) => tx
                    .query_row("select hash from password where person = ?1", [person.0], |row| {
                        row.get(0)
                    })
                    .optional()?,
                None => None,
            };
            Ok(Ok(PasswordTry { person, hash }))
        })
    }

    /// Whether it is the password. Slow, and as slow when there is none.
    pub fn verify_password(&self, attempt: &PasswordTry, password: &str) -> Option<PersonId> {
        let right = verify(self, attempt.hash.as_deref(), password);
        attempt.person.filter(|_| right)
    }

    /// A right password gives back what was counted for its number, and the try at its address.
    ///
    /// # Errors
    /// [`PeopleError`].
    pub fn password_was_right(&self, number: Msisdn, address: u64) -> Result<()> {
        self.write(|tx| {
            throttle::WRONG_PASSWORDS_ADDRESS.give_back(self, tx, &address.to_be_bytes())?;
            throttle::WRONG_PASSWORDS_NUMBER.forget(self, tx, &number.number().to_be_bytes())
        })
    }
}

/// Whether a password fits a hash. As slow when there is none.
pub(crate) fn verify(people: &People, hash: Option<&str>, password: &str) -> bool {
    let key = people.keys().digest("password", &[]);
    let fits = password.len() <= limits::PASSWORD_BYTES_MAX;
    let typed = if fits { password } else { "" };
    let kept = hash.unwrap_or(NOBODY);
    let right = hasher(&key).is_ok_and(|hasher| hasher.verify_password(typed.as_bytes(), kept).is_ok());
    right && fits && hash.is_some()
}

pub(crate) fn hasher(key: &[u8]) -> Result<Argon2<'_>> {
    hasher_of(key, MEMORY_KIB, PASSES)
}

/// With so much memory and so many passes for new hashes; old ones say themselves what they took.
pub(crate) fn hasher_of(key: &[u8], memory_kib: u32, passes: u32) -> Result<Argon2<'_>> {
    let params = Params::new(memory_kib, passes, 1, None).map_err(|_| PeopleError::Hash)?;
    Argon2::new_with_secret(key, Algorithm::Argon2id, Version::V0x13, params).map_err(|_| PeopleError::Hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;
    use crate::numbers::Line;
    use charge::AccountId;
    use charge::catalog::Language;
    use charge::time::HOUR;
    use std::time::Instant;

    fn number() -> Msisdn {
        Msisdn::new(923_001_234_567).unwrap()
    }

    #[test]
    fn new_passwords_are_long_and_not_common() {
        let check = |text: &str| check_new(text, &[number()]);
        assert_eq!(check("short"), Err(WeakPassword::Short));
        assert_eq!(check(&"long ".repeat(99)), Err(WeakPassword::Long));
        for common in [
            "Password123!",
            "qwertyuiop",
            "1234567890",
            "aaaaaaaaaaaa",
            "Pakistan1947",
        ] {
            assert_eq!(check(common), Err(WeakPassword::Common), "{common}");
        }
        for own in ["03001234567", "923001234567", "+92 300 1234567"] {
            assert_eq!(check(own), Err(WeakPassword::Number), "{own}");
        }
        for good in [
            "correct horse battery",
            "دریا پر پل پرانا",
            "四つの言葉で十分に長い",
            "tea with 2 biscuits",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn guessing_is_stopped_and_the_owner_comes_back() {
        let people = people();
        let now = Timestamp(HOUR * 1_000);
        let place = Place::default();
        let line = Line {
            number: number(),
            account: AccountId(1),
            imsi: None,
        };
        let person = people
            .number_proven(line, Language::En, &place, now)
            .unwrap()
            .person;
        let hash = people.hash_password("correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        people.set_password(person, &hash, &place, now).unwrap();
        let attempt = |address: u64, text: &str, at| {
            let attempt = people.password_try(number(), address, at).unwrap()?;
            Ok::<_, Throttled>(people.verify_password(&attempt, text))
        };
        assert_eq!(attempt(1, "correct horse battery", now), Ok(Some(person)));
        people.password_was_right(number(), 1).unwrap();
        for address in 0..10 {
            assert_eq!(attempt(address, "wrong", now), Ok(None));
        }
        assert!(
            attempt(99, "correct horse battery", now).is_err(),
            "locked for now, from everywhere"
        );
        assert_eq!(
            attempt(99, "correct horse battery", now.plus(HOUR / 10)),
            Ok(Some(person))
        );
        let other = People::in_memory(crate::Keys::new([2; 32])).unwrap();
        let stolen = PasswordTry {
            person: Some(person),
            hash: Some(hash),
        };
        assert_eq!(
            other.verify_password(&stolen, "correct horse battery"),
            None,
            "the hash needs our key"
        );
    }

    #[test]
    fn a_number_without_a_password_takes_as_long() {
        let people = people();
        let hash = people.hash_password("correct horse battery").unwrap();
        let known = PasswordTry {
            person: Some(PersonId(1)),
            hash: Some(hash),
        };
        let unknown = PasswordTry {
            person: None,
            hash: None,
        };
        let work = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        assert_eq!(
            work(NOBODY),
            work(known.hash.as_deref().unwrap()),
            "memory, passes and lanes are the same"
        );
        let time = |attempt: &PasswordTry| {
            let start = Instant::now();
            assert_eq!(people.verify_password(attempt, "wrong"), None);
            start.elapsed()
        };
        // In turns, so that a busy moment of the machine falls on both.
        let pairs: Vec<_> = (0..7).map(|_| (time(&known), time(&unknown))).collect();
        let a = pairs.iter().map(|pair| pair.0).min().unwrap();
        let b = pairs.iter().map(|pair| pair.1).min().unwrap();
        assert!(a < b * 2 && b < a * 2, "{a:?} and {b:?}");
    }
}
