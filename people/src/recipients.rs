//! Numbers that somebody sent to before: a hint against a wrong digit. For people with an account, and for a browser
//! without one.

use crate::db::{Module, People, Result, open_table};
use crate::limits;
use crate::numbers;
use crate::person::PersonId;
use charge::{Msisdn, Timestamp};
use rusqlite::{OptionalExtension as _, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "recipients",
    migrations: &["create table recipient (
            person bigint not null,
            browser blob not null,
            number bigint not null,
            first_at bigint not null,
            last_at bigint not null,
            times bigint not null,
            primary key (person, browser, number)
        );"],
    personal: &[open_table("recipient")],
};

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Somebody with an account.
    Person(PersonId),
    /// A browser, by the hash of its token.
    Browser([u8; 32]),
}

/// A number that was sent to before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The number.
    pub number: Msisdn,
    /// The last time.
    pub last_at: Timestamp,
    /// How often.
    pub times: i64,
}

impl Sender {
    fn key(self) -> (i64, Vec<u8>) {
        match self {
            Sender::Person(person) => (person.0, Vec::new()),
            Sender::Browser(hash) => (0, hash.to_vec()),
        }
    }
}

impl People {
    /// Somebody sent to a number.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn sent_to(&self, sender: Sender, number: Msisdn, now: Timestamp) -> Result<()> {
        let (person, browser) = sender.key();
        self.write(|tx| {
            tx.execute(
                "insert into recipient (person, browser, number, first_at, last_at, times) values (?1, ?2, ?3, ?4, ?4, 1)
                 on conflict (person, browser, number) do update set
                    last_at = excluded.last_at, times = recipient.times + 1",
                params![person, browser, numbers::number(number), now.0],
            )?;
            tx.execute(
                "delete from recipient where person = ?1 and browser = ?2 and number in (
                    select number from recipient where person = ?1 and browser = ?2
                    order by last_at desc, number limit 1000 offset ?3)",
                params![person, browser, limits::RECIPIENTS_MAX],
            )?;
            Ok(())
        })
    }

    /// Whether somebody sent to a number before, and when last.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn sent_before(&self, sender: Sender, number: Msisdn) -> Result<Option<Recipient>> {
        let (person, browser) = sender.key();
        self.read(|db| {
            let found = db
                .query_row(
                    "select last_at, times from recipient where person = ?1 and browser = ?2 and number = ?3",
                    params![person, browser, numbers::number(number)],
                    |row| {
                        Ok(Recipient {
                            number,
                            last_at: Timestamp(row.get(0)?),
                            times: row.get(1)?,
                        })
                    },
                )
                .optional()?;
            Ok(found)
        })
    }

    /// Numbers that somebody sent to, the last one first.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn recipients_of(&self, sender: Sender, count_max: i64) -> Result<Vec<Recipient>> {
        let (person, browser) = sender.key();
        self.read(|db| {
            let mut query = db.prepare_cached(
                "select number, last_at, times from recipient where person = ?1 and browser = ?2
                 order by last_at desc, number limit ?3",
            )?;
            let rows = query.query_map(params![person, browser, count_max], |row| {
                Ok(Recipient {
                    number: numbers::msisdn(row.get(0)?),
                    last_at: Timestamp(row.get(1)?),
                    times: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;

    #[test]
    fn senders_remember_their_own_numbers_only() {
        let people = people();
        let number = Msisdn::new(923_001_234_567).unwrap();
        let (one, two) = (Sender::Person(PersonId(5)), Sender::Browser([1; 32]));
        people.sent_to(one, number, Timestamp(1)).unwrap();
        people.sent_to(one, number, Timestamp(9)).unwrap();
        let seen = people.sent_before(one, number).unwrap().unwrap();
        assert_eq!((seen.last_at, seen.times), (Timestamp(9), 2));
        assert_eq!(people.sent_before(two, number).unwrap(), None);
        for index in 0..300 {
            let number = Msisdn::new(923_010_000_000 + index).unwrap();
            people
                .sent_to(two, number, Timestamp(index.cast_signed()))
                .unwrap();
        }
        let kept = people.recipients_of(two, 1_000).unwrap();
        assert_eq!((kept.len(), kept[0].last_at), (200, Timestamp(299)));
        people
            .sweep(Timestamp(limits::GUEST_RECIPIENTS_LIFE + 199))
            .unwrap();
        assert_eq!(people.recipients_of(two, 1_000).unwrap().len(), 100);
        assert!(people.sent_before(one, number).unwrap().is_some());
    }
}
