//! Who somebody is here: an id, a language, what they told about themselves, and the lock after "this wasn't me".

use crate::audit::Deed;
use crate::db::{Module, People, Result, kept, open_table};
use crate::sessions::Place;
use charge::Timestamp;
use charge::catalog::Language;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use std::fmt;

/// The tables.
pub const MODULE: Module = Module {
    name: "person",
    migrations: &["create table person (
            person bigint primary key,
            created_at bigint not null,
            language smallint not null,
            name text not null,
            email text not null,
            locked_at bigint not null,
            delete_at bigint not null
        );
        create index person_delete on person (delete_at);
        create table deletion (
            deletion bigint primary key,
            at bigint not null
        );"],
    personal: &[open_table("person")],
};

/// A person: random, positive, below 2^53, so that programs in every language can hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(pub i64);

impl PersonId {
    pub(crate) fn random() -> PersonId {
        PersonId(rand::random_range(1..1 << 53))
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What is known of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: PersonId,
    /// When they came.
    pub created_at: Timestamp,
    /// Language of messages to them.
    pub language: Language,
    /// As they call themselves; may be empty.
    pub name: String,
    /// Their e-mail address, as typed and not proven; may be empty.
    pub email: String,
    /// "This wasn't me" was pressed then: nothing may leave their balance from the app.
    pub locked_at: Option<Timestamp>,
    /// They asked for deletion: it happens then.
    pub delete_at: Option<Timestamp>,
}

impl People {
    /// What is known of a person.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn person(&self, id: PersonId) -> Result<Option<Person>> {
        self.read(|db| find(db, id))
    }

    /// Changes what somebody told about themselves.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn set_profile(
        &self,
        id: PersonId,
        name: &str,
        email: &str,
        place: &Place,
        now: Timestamp,
    ) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "update person set name = ?2, email = ?3 where person = ?1",
                params![id.0, kept(name), kept(email)],
            )?;
            crate::audit::note(tx, id, Deed::ProfileChanged, place, "", now)
        })
    }

    /// Sets the language of messages.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn set_language(&self, id: PersonId, language: Language) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "update person set language = ?2 where person = ?1",
                params![id.0, language as i64],
            )?;
            Ok(())
        })
    }

    /// "This wasn't me": ends every sign-in, stops value from leaving, and tells support.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn lock(&self, id: PersonId, about: &str, place: &Place, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "update person set locked_at = ?2 where person = ?1 and locked_at = 0",
                params![id.0, now.0],
            )?;
            crate::sessions::end_all(tx, id, None)?;
            tx.execute("delete from recovery where person = ?1", [id.0])?;
            crate::audit::note(tx, id, Deed::Locked, place, about, now)?;
            crate::audit::tell_support(tx, id, "not-me", about, now)
        })
    }

    /// Takes the lock off. The caller has seen a fresh proof that is more than the number alone, where there is one.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn unlock(&self, id: PersonId, place: &Place, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            tx.execute("update person set locked_at = 0 where person = ?1", [id.0])?;
            crate::audit::note(tx, id, Deed::Unlocked, place, "", now)
        })
    }
}

pub(crate) fn create(tx: &Transaction, language: Language, now: Timestamp) -> Result<PersonId> {
    let id = PersonId::random();
    tx.execute(
        "insert into person (person, created_at, language, name, email, locked_at, delete_at)
         values (?1, ?2, ?3, '', '', 0, 0)",
        params![id.0, now.0, language as i64],
    )?;
    Ok(id)
}

pub(crate) fn find(db: &Connection, id: PersonId) -> Result<Option<Person>> {
    let found = db
        .query_row(
            "select created_at, language, name, email, locked_at, delete_at from person where person = ?1",
            [id.0],
            |row| {
                Ok(Person {
                    id,
                    created_at: Timestamp(row.get(0)?),
                    language: language_of(row.get(1)?),
                    name: row.get(2)?,
                    email: row.get(3)?,
                    locked_at: moment(row.get(4)?),
                    delete_at: moment(row.get(5)?),
                })
            },
        )
        .optional()?;
    Ok(found)
}

/// 0 stands for "not".
pub(crate) fn moment(at: i64) -> Option<Timestamp> {
    (at != 0).then_some(Timestamp(at))
}

fn language_of(number: i64) -> Language {
    Language::ALL
        .into_iter()
        .find(|language| *language as i64 == number)
        .unwrap_or_default()
}
