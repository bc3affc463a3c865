//! Limits on how often something may be tried: by number, address or everywhere. Kept in the file, so that a restart
//! does not give new tries.
//!
//! One row per limit and caller (a keyed hash): the moment at which all of its allowance is back (the generic cell rate
//! algorithm of ITU-T I.371).

use crate::db::{Module, People, Result};
use crate::limits as all;
use charge::Timestamp;
use charge::time::{DAY, HOUR, MINUTE};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::time::Duration;

/// The tables.
pub const MODULE: Module = Module {
    name: "throttle",
    migrations: &["create table throttle (
            name smallint not null,
            caller blob not null,
            free_at bigint not null,
            primary key (name, caller)
        );
        create index throttle_free on throttle (free_at);"],
    personal: &[],
};

/// So many in a time, all at once if need be.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    name: i64,
    count: u32,
    time: i64,
}

const fn limit(name: i64, count: u32, time: i64) -> Limit {
    Limit { name, count, time }
}

/// Codes sent to a number.
pub const CODES_NUMBER: Limit = limit(1, all::CODES_PER_NUMBER, HOUR);
/// Codes asked for at an address.
pub const CODES_ADDRESS: Limit = limit(2, all::CODES_PER_ADDRESS, HOUR);
/// Codes sent in all.
pub const CODES_ALL: Limit = limit(3, all::CODES_EVERYWHERE, MINUTE);
/// Wrong codes for a number.
pub const WRONG_CODES_NUMBER: Limit = limit(4, all::WRONG_CODES_PER_NUMBER, HOUR);
/// Wrong codes at an address.
pub const WRONG_CODES_ADDRESS: Limit = limit(5, all::WRONG_CODES_PER_ADDRESS, HOUR);
/// Wrong codes in all.
pub const WRONG_CODES_ALL: Limit = limit(6, all::WRONG_CODES_EVERYWHERE, MINUTE);
/// Wrong passwords for a number.
pub const WRONG_PASSWORDS_NUMBER: Limit = limit(7, all::WRONG_PASSWORDS_PER_NUMBER, HOUR);
/// Wrong passwords at an address.
pub const WRONG_PASSWORDS_ADDRESS: Limit = limit(8, all::WRONG_PASSWORDS_PER_ADDRESS, HOUR);
/// Wrong second factors of a person.
pub const WRONG_SECOND_FACTORS_PERSON: Limit = limit(9, all::WRONG_SECOND_FACTORS, HOUR);
/// Wrong sign-ins of a name of staff.
pub const WRONG_STAFF_NAME: Limit = limit(20, all::WRONG_STAFF_PER_NAME, HOUR);
/// Wrong sign-ins of staff at an address.
pub const WRONG_STAFF_ADDRESS: Limit = limit(21, all::WRONG_STAFF_PER_ADDRESS, HOUR);

/// Codes sent to an e-mail address.
pub const MAILS_ADDRESS: Limit = limit(10, all::MAILS_PER_ADDRESS, DAY);
/// Codes by e-mail for a person.
pub const MAILS_PERSON: Limit = limit(11, all::MAILS_PER_PERSON, HOUR);
/// Wrong codes of a person for e-mail addresses.
pub const WRONG_MAIL_CODES_PERSON: Limit = limit(12, all::WRONG_MAIL_CODES, HOUR);

/// One too many: try again after this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled(pub Duration);

impl Limit {
    fn interval(self) -> i64 {
        self.time / i64::from(self.count)
    }

    /// Counts one, if it is allowed.
    pub(crate) fn take(
        self,
        people: &People,
        db: &Connection,
        caller: &[u8],
        now: Timestamp,
    ) -> Result<std::result::Result<(), Throttled>> {
        if let Err(throttled) = self.look(people, db, caller, now)? {
            return Ok(Err(throttled));
        }
        let caller = self.hashed(people, caller);
        db.execute(
            "insert into throttle (name, caller, free_at) values (?1, ?2, ?3)
             on conflict (name, caller) do update set
                free_at = case when throttle.free_at > ?4 then throttle.free_at else ?4 end + ?5",
            params![self.name, caller, now.0 + self.interval(), now.0, self.interval()],
        )?;
        Ok(Ok(()))
    }

    /// Whether one more is allowed; counts nothing.
    pub(crate) fn look(
        self,
        people: &People,
        db: &Connection,
        caller: &[u8],
        now: Timestamp,
    ) -> Result<std::result::Result<(), Throttled>> {
        let caller = self.hashed(people, caller);
        let free_at: Option<i64> = db
            .query_row(
                "select free_at from throttle where name = ?1 and caller = ?2",
                params![self.name, caller],
                |row| row.get(0),
            )
            .optional()?;
        let after = free_at.unwrap_or(0).max(now.0) + self.interval();
        let over = after - now.0 - self.interval() * i64::from(self.count);
        Ok(match u64::try_from(over) {
            Ok(over) if over > 0 => Err(Throttled(Duration::from_micros(over))),
            _ => Ok(()),
        })
    }

    /// Gives one back.
    pub(crate) fn give_back(self, people: &People, db: &Connection, caller: &[u8]) -> Result<()> {
        db.execute(
            "update throttle set free_at = free_at - ?3 where name = ?1 and caller = ?2",
            params![self.name, self.hashed(people, caller), self.interval()],
        )?;
        Ok(())
    }

    /// Gives everything back.
    pub(crate) fn forget(self, people: &People, db: &Connection, caller: &[u8]) -> Result<()> {
        db.execute(
            "delete from throttle where name = ?1 and caller = ?2",
            params![self.name, self.hashed(people, caller)],
        )?;
        Ok(())
    }

    fn hashed(self, people: &People, caller: &[u8]) -> [u8; 16] {
        let digest = people
            .keys()
            .digest("throttle", &[&self.name.to_be_bytes(), caller]);
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;

    #[test]
    fn a_limit_gives_back_one_by_one_and_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let open = || People::open(dir.path(), crate::Keys::new([1; 32])).unwrap();
        let take = |people: &People, at: i64| {
            people
                .write(|tx| CODES_NUMBER.take(people, tx, b"a", Timestamp(at)))
                .unwrap()
                .is_ok()
        };
        let start = HOUR * 1000;
        let people = open();
        assert!((0..6).all(|_| take(&people, start)));
        drop(people);
        let people = open();
        assert!(!take(&people, start));
        assert!(!take(&people, start + 10 * MINUTE - 1));
        assert!(take(&people, start + 10 * MINUTE));
        assert!(!take(&people, start + 10 * MINUTE));
        assert!((0..6).all(|_| take(&people, start + 3 * HOUR)));
    }

    #[test]
    fn callers_do_not_share() {
        let people = people();
        let at = Timestamp(HOUR * 1000);
        people
            .write(|tx| {
                for _ in 0..6 {
                    assert!(CODES_NUMBER.take(&people, tx, b"a", at)?.is_ok());
                }
                let Err(Throttled(wait)) = CODES_NUMBER.take(&people, tx, b"a", at)? else {
                    panic!("seven")
                };
                assert_eq!(wait, Duration::from_secs(600));
                assert!(CODES_NUMBER.take(&people, tx, b"b", at)?.is_ok());
                assert!(CODES_ADDRESS.take(&people, tx, b"a", at)?.is_ok());
                Ok(())
            })
            .unwrap();
    }
}
