//! When a second factor or a password is lost: recovery codes, or a waiting time that the owner can stop. Always after a
//! code to the number, and never by knowledge alone.

use crate::audit::{self, Deed};
use crate::db::{Module, People, Result, open_table};
use crate::keys::same;
use crate::limits;
use crate::person::PersonId;
use crate::sessions::{self, Place};
use crate::throttle::{self, Throttled};
use crate::totp::base32;
use charge::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "recovery",
    migrations: &["create table recovery_code (
            person bigint not null,
            digest blob not null,
            used_at bigint not null,
            primary key (person, digest)
        );
        create table recovery (
            person bigint primary key,
            asked_at bigint not null,
            ready_at bigint not null
        );"],
    personal: &[open_table("recovery_code"), open_table("recovery")],
};

/// A recovery by waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it can be finished.
    pub ready_at: Timestamp,
}

impl People {
    /// New recovery codes: shown once, kept as keyed hashes. Older ones are worthless from now on.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn make_recovery_codes(
        &self,
        person: PersonId,
        place: &Place,
        now: Timestamp,
    ) -> Result<Vec<String>> {
        let codes: Vec<String> = (0..limits::RECOVERY_CODES)
            .map(|_| {
                let text = base32(&rand::random::<[u8; 10]>());
                format!("{}-{}-{}-{}", &text[..4], &text[4..8], &text[8..12], &text[12..])
            })
            .collect();
        self.write(|tx| {
            tx.execute("delete from recovery_code where person = ?1", [person.0])?;
            for code in &codes {
                tx.execute(
                    "insert into recovery_code (person, digest, used_at) values (?1, ?2, 0)",
                    params![person.0, self.recovery_digest(person, code)],
                )?;
            }
            audit::note(tx, person, Deed::RecoveryCodesMade, place, "", now)
        })?;
        Ok(codes)
    }

    /// How many recovery codes are left.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn recovery_codes_left(&self, person: PersonId) -> Result<i64> {
        self.read(|db| {
            Ok(db.query_row(
                "select count(*) from recovery_code where person = ?1 and used_at = 0",
                [person.0],
                |row| row.get(0),
            )?)
        })
    }

    /// Whether this is a recovery code; it works once.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`Throttled`] after too many wrong ones.
    pub fn take_recovery_code(
        &self,
        person: PersonId,
        code: &str,
        place: &Place,
        now: Timestamp,
    ) -> Result<std::result::Result<bool, Throttled>> {
        let wanted = self.recovery_digest(person, code);
        self.write(|tx| {
            let caller = person.0.to_be_bytes();
            let limit = throttle::WRONG_SECOND_FACTORS_PERSON;
            if let Err(throttled) = limit.look(self, tx, &caller, now)? {
                return Ok(Err(throttled));
            }
            let mut query =
                tx.prepare_cached("select digest from recovery_code where person = ?1 and used_at = 0")?;
            let rows = query.query_map([person.0], |row| row.get::<_, Vec<u8>>(0))?;
            let digests: Vec<Vec<u8>> = rows.collect::<std::result::Result<_, _>>()?;
            let right = digests
                .iter()
                .fold(false, |found, digest| found | same(digest, &wanted));
            if right {
                tx.execute(
                    "update recovery_code set used_at = ?3 where person = ?1 and digest = ?2",
                    params![person.0, wanted, now.0],
                )?;
                audit::note(tx, person, Deed::RecoveryCodeUsed, place, "", now)?;
            } else {
                let _ = limit.take(self, tx, &caller, now)?;
            }
            Ok(Ok(right))
        })
    }

    /// Asks to remove password, second factor and passkeys after a waiting time. Asking again does not start over.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn ask_recovery(&self, person: PersonId, place: &Place, now: Timestamp) -> Result<Waiting> {
        self.write(|tx| {
            if let Some(waiting) = find(tx, person, now)? {
                return Ok(waiting);
            }
            let waiting = Waiting {
                asked_at: now,
                ready_at: now.plus(limits::RECOVERY_WAIT),
            };
            tx.execute(
                "insert into recovery (person, asked_at, ready_at) values (?1, ?2, ?3)
                 on conflict (person) do update set asked_at = excluded.asked_at, ready_at = excluded.ready_at",
                params![person.0, now.0, waiting.ready_at.0],
            )?;
            audit::note(tx, person, Deed::RecoveryAsked, place, "", now)?;
            Ok(waiting)
        })
    }

    /// The recovery that waits, if there is one.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn recovery_waiting(&self, person: PersonId, now: Timestamp) -> Result<Option<Waiting>> {
        self.read(|db| find(db, person, now))
    }

    /// The owner is still there: no recovery.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn cancel_recovery(&self, person: PersonId, place: &Place, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            let gone = tx.execute("delete from recovery where person = ?1", [person.0])?;
            if gone > 0 {
                audit::note(tx, person, Deed::RecoveryCancelled, place, "", now)?;
            }
            Ok(())
        })
    }

    /// The waiting time is over and the number was proven again: what was lost is removed, and every sign-in ends. False:
    /// there is no recovery, or it still waits.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn finish_recovery(&self, person: PersonId, place: &Place, now: Timestamp) -> Result<bool> {
        self.write(|tx| {
            let ready = find(tx, person, now)?.is_some_and(|waiting| waiting.ready_at <= now);
            if ready {
                for table in ["recovery", "recovery_code", "totp", "password", "passkey"] {
                    tx.execute(&format!("delete from {table} where person = ?1"), [person.0])?;
                }
                sessions::end_all(tx, person, None)?;
                audit::note(tx, person, Deed::Recovered, place, "", now)?;
            }
            Ok(ready)
        })
    }

    fn recovery_digest(&self, person: PersonId, code: &str) -> [u8; 32] {
        let plain: String = code
            .chars()
            .take(64)
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_uppercase())
            .collect();
        self.keys()
            .digest("recovery", &[&person.0.to_be_bytes(), plain.as_bytes()])
    }
}

/// Whether somebody can sign in without a number.
pub(crate) fn has_own_proof(db: &Connection, person: PersonId) -> Result<bool> {
    Ok(db.query_row(
        "select exists (select 1 from password where person = ?1)
            or exists (select 1 from passkey where person = ?1)",
        [person.0],
        |row| row.get(0),
    )?)
}

fn find(db: &Connection, person: PersonId, now: Timestamp) -> Result<Option<Waiting>> {
    Ok(db
        .query_row(
            "select asked_at, ready_at from recovery where person = ?1 and ready_at > ?2",
            params![person.0, now.0 - limits::RECOVERY_WINDOW],
            |row| {
                Ok(Waiting {
                    asked_at: Timestamp(row.get(0)?),
                    ready_at: Timestamp(row.get(1)?),
                })
            },
        )
        .optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;

    #[test]
    fn a_recovery_code_works_once_and_guessing_stops() {
        let people = people();
        let (person, place, now) = (PersonId(5), Place::default(), Timestamp(1 << 50));
        let take = |person, code: &str| people.take_recovery_code(person, code, &place, now).unwrap();
        let codes = people.make_recovery_codes(person, &place, now).unwrap();
        assert_eq!(
            (codes.len(), people.recovery_codes_left(person).unwrap()),
            (10, 10)
        );
        assert_eq!(take(PersonId(6), &codes[0]), Ok(false), "somebody else");
        let typed = codes[0].to_lowercase().replace('-', " ");
        assert_eq!(take(person, &typed), Ok(true), "{typed}");
        assert_eq!(take(person, &codes[0]), Ok(false), "once");
        assert_eq!(people.recovery_codes_left(person).unwrap(), 9);
        people.make_recovery_codes(person, &place, now).unwrap();
        assert_eq!(take(person, &codes[1]), Ok(false), "older ones");
        let judged = (0..100).filter(|_| take(person, "AAAA-AAAA-AAAA-AAAA").is_ok());
        assert_eq!(judged.count(), 8);
    }

    #[test]
    fn waiting_removes_what_was_lost_unless_the_owner_says_no() {
        let people = people();
        let (person, place, now) = (PersonId(5), Place::default(), Timestamp(1 << 50));
        people.totp_begin(person).unwrap();
        assert!(!people.finish_recovery(person, &place, now).unwrap());
        let waiting = people.ask_recovery(person, &place, now).unwrap();
        assert_eq!(people.ask_recovery(person, &place, now.plus(9)).unwrap(), waiting);
        assert!(
            !people
                .finish_recovery(person, &place, waiting.ready_at.plus(-1))
                .unwrap()
        );
        people.cancel_recovery(person, &place, now).unwrap();
        assert!(!people.finish_recovery(person, &place, waiting.ready_at).unwrap());
        let waiting = people.ask_recovery(person, &place, now).unwrap();
        let too_late = waiting.ready_at.plus(limits::RECOVERY_WINDOW);
        assert!(!people.finish_recovery(person, &place, too_late).unwrap());
        assert!(people.finish_recovery(person, &place, waiting.ready_at).unwrap());
        assert!(people.totp_pending(person).unwrap().is_none());
    }
}
