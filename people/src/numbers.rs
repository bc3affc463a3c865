//! Numbers of people. Each was proven by a code, belongs to one person at a time, and only as long as the SIM and the
//! account behind it stay what they were: a SIM swap, a port-out or a new owner of the number ends it.

use crate::audit::{self, Deed};
use crate::db::{Module, People, Result, open_table};
use crate::limits;
use crate::person::{self, PersonId};
use crate::sessions::Place;
use crate::untold;
use charge::catalog::Language;
use charge::{AccountId, Imsi, Msisdn, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "numbers",
    migrations: &["create table number (
            number bigint primary key,
            person bigint not null,
            account bigint not null,
            sim blob not null,
            proven_at bigint not null
        );
        create index number_person on number (person);
        create table past_number (
            person bigint not null,
            number bigint not null,
            proven_at bigint not null,
            ended_at bigint not null,
            why text not null,
            primary key (person, number, ended_at)
        );
        create index past_number_number on past_number (number, ended_at);"],
    personal: &[open_table("number"), open_table("past_number")],
};

/// What stands behind a number now, as the directory says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The number.
    pub number: Msisdn,
    /// The account that it belongs to.
    pub account: AccountId,
    /// The SIM, when it is known.
    pub imsi: Option<Imsi>,
}

/// Why a number does not belong to somebody any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Another SIM.
    SimChanged,
    /// Another account, another operator, or none: ported out, given to somebody else.
    NumberMoved,
    /// Somebody else proved it.
    ProvenElsewhere,
    /// Its owner took it off.
    Removed,
}

impl Ended {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Ended::SimChanged => "sim-changed",
            Ended::NumberMoved => "number-moved",
            Ended::ProvenElsewhere => "proven-elsewhere",
            Ended::Removed => "removed",
        }
    }
}

/// A number of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The number.
    pub number: Msisdn,
    /// Whose.
    pub person: PersonId,
    /// The account behind it.
    pub account: AccountId,
    /// Since when.
    pub proven_at: Timestamp,
}

/// Who a proven number belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The person.
    pub person: PersonId,
    /// They were not here before.
    pub is_new: bool,
}

impl People {
    /// A code proved a number: finds its person, or makes one. When the SIM or the account behind it changed since, it is
    /// not the same person's any more.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn number_proven(
        &self,
        line: Line,
        language: Language,
        place: &Place,
        now: Timestamp,
    ) -> Result<Proven> {
        self.write(|tx| {
            if let Some(why) = self.changed(tx, line)? {
                end(tx, line.number, why, place, now)?;
            }
            if let Some(owned) = find(tx, line.number)? {
                tx.execute(
                    "update number set proven_at = ?2, sim = ?3 where number = ?1",
                    params![number(line.number), now.0, self.sim(line)],
                )?;
                return Ok(Proven {
                    person: owned.person,
                    is_new: false,
                });
            }
            let person = person::create(tx, language, now)?;
            audit::note(tx, person, Deed::SignedUp, place, &line.number.masked(), now)?;
            self.add(tx, person, line, now)?;
            Ok(Proven { person, is_new: true })
        })
    }

    /// A code proved one more number of a person. Whoever had it before has it no more. False: too many.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn add_number(&self, person: PersonId, line: Line, place: &Place, now: Timestamp) -> Result<bool> {
        self.write(|tx| {
            if let Some(owned) = find(tx, line.number)? {
                if owned.person == person && self.changed(tx, line)?.is_none() {
                    return Ok(true);
                }
                end(tx, line.number, Ended::ProvenElsewhere, place, now)?;
            }
            if of(tx, person)?.len() >= limits::NUMBERS_PER_PERSON {
                return Ok(false);
            }
            self.add(tx, person, line, now)?;
            tx.execute("update person set delete_at = 0 where person = ?1", [person.0])?;
            audit::note(tx, person, Deed::NumberAdded, place, &line.number.masked(), now)?;
            Ok(true)
        })
    }

    /// Looks whether a number is still what it was when it was proven, and ends it when not. Says why it ended.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn check_number(
        &self,
        number: Msisdn,
        line: Option<Line>,
        place: &Place,
        now: Timestamp,
    ) -> Result<Option<Ended>> {
        let changed = |db: &Connection| match line {
            Some(line) => self.changed(db, line),
            None => Ok(find(db, number)?.map(|_| Ended::NumberMoved)),
        };
        if self.read(changed)?.is_none() {
            return Ok(None);
        }
        self.write(|tx| {
            let why = changed(tx)?;
            if let Some(why) = why {
                end(tx, number, why, place, now)?;
            }
            Ok(why)
        })
    }

    /// Ends a number: its owner took it off, or the network says that it changed hands.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn end_number(&self, number: Msisdn, why: Ended, place: &Place, now: Timestamp) -> Result<()> {
        self.write(|tx| end(tx, number, why, place, now))
    }

    /// The person that a number belongs to.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn owner_of(&self, number: Msisdn) -> Result<Option<Owned>> {
        self.read(|db| find(db, number))
    }

    /// The person whose number it is or, when it is nobody's, the last one whose it was: they may still sign in with what
    /// else they have, and prove a number again.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn owner_now_or_last(&self, msisdn: Msisdn) -> Result<Option<PersonId>> {
        self.read(|db| {
            if let Some(owned) = find(db, msisdn)? {
                return Ok(Some(owned.person));
            }
            let last = db
                .query_row(
                    "select person from past_number where number = ?1 order by ended_at desc limit 1",
                    [number(msisdn)],
                    |row| row.get(0),
                )
                .optional()?;
            Ok(last.map(PersonId))
        })
    }

    /// The numbers of a person, the first proven first.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn numbers_of(&self, person: PersonId) -> Result<Vec<Owned>> {
        self.read(|db| of(db, person))
    }

    fn add(&self, tx: &Transaction, person: PersonId, line: Line, now: Timestamp) -> Result<()> {
        tx.execute(
            "insert into number (number, person, account, sim, proven_at) values (?1, ?2, ?3, ?4, ?5)",
            params![
                number(line.number),
                person.0,
                line.account.0.cast_signed(),
                self.sim(line),
                now.0
            ],
        )?;
        Ok(())
    }

    /// Only whether the SIM is the same matters here, not which it is.
    fn sim(&self, line: Line) -> Vec<u8> {
        match line.imsi {
            Some(imsi) => self.keys().digest("sim", &[&imsi.packed().to_be_bytes()])[..16].to_vec(),
            None => Vec::new(),
        }
    }

    fn changed(&self, db: &Connection, line: Line) -> Result<Option<Ended>> {
        let Some(owned) = find(db, line.number)? else {
            return Ok(None);
        };
        if owned.account != line.account {
            return Ok(Some(Ended::NumberMoved));
        }
        let sim: Vec<u8> = db.query_row(
            "select sim from number where number = ?1",
            [number(line.number)],
            |row| row.get(0),
        )?;
        let now = self.sim(line);
        let other = !sim.is_empty() && !now.is_empty() && sim != now;
        Ok(other.then_some(Ended::SimChanged))
    }
}

pub(crate) fn find(db: &Connection, msisdn: Msisdn) -> Result<Option<Owned>> {
    let found = db
        .query_row(
            "select number, person, account, proven_at from number where number = ?1",
            [number(msisdn)],
            owned,
        )
        .optional()?;
    Ok(found)
}

pub(crate) fn of(db: &Connection, person: PersonId) -> Result<Vec<Owned>> {
    let mut query = db.prepare_cached(
        "select number, person, account, proven_at from number where person = ?1 order by proven_at, number",
    )?;
    let rows = query.query_map([person.0], owned)?;
    Ok(rows.collect::<std::result::Result<_, _>>()?)
}

fn end(tx: &Transaction, msisdn: Msisdn, why: Ended, place: &Place, now: Timestamp) -> Result<()> {
    let Some(owned) = find(tx, msisdn)? else {
        return Ok(());
    };
    tx.execute("delete from number where number = ?1", [number(msisdn)])?;
    tx.execute(
        "insert into past_number (person, number, proven_at, ended_at, why) values (?1, ?2, ?3, ?4, ?5)
         on conflict (person, number, ended_at) do nothing",
        params![
            owned.person.0,
            number(msisdn),
            owned.proven_at.0,
            now.0,
            why.name()
        ],
    )?;
    tx.execute("delete from session where number = ?1", [number(msisdn)])?;
    let detail = format!("{} {}", msisdn.masked(), why.name());
    audit::note(tx, owned.person, Deed::NumberEnded, place, &detail, now)?;
    if why == Ended::Removed {
        // Whoever holds the SIM hears of it too: perhaps somebody else did it.
        let to = untold::To::Number(msisdn);
        untold::put(tx, owned.person, Deed::NumberEnded, (place, &to), now)?;
    }
    if of(tx, owned.person)?.is_empty() && !crate::recovery::has_own_proof(tx, owned.person)? {
        // Nobody can sign in to it any more: it must not stay for ever.
        tx.execute(
            "update person set delete_at = ?2 where person = ?1 and delete_at = 0",
            params![owned.person.0, now.plus(limits::DELETION_GRACE).0],
        )?;
    }
    Ok(())
}

fn owned(row: &Row) -> rusqlite::Result<Owned> {
    Ok(Owned {
        number: msisdn(row.get(0)?),
        person: PersonId(row.get(1)?),
        account: AccountId(row.get::<_, i64>(2)?.cast_unsigned()),
        proven_at: Timestamp(row.get(3)?),
    })
}

pub(crate) fn number(msisdn: Msisdn) -> i64 {
    msisdn.number().cast_signed()
}

/// Only numbers are written, so only numbers are read.
pub(crate) fn msisdn(number: i64) -> Msisdn {
    Msisdn::new(number.cast_unsigned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;

    fn line(account: u64, imsi: Option<&str>) -> Line {
        Line {
            number: Msisdn::new(923_001_234_567).unwrap(),
            account: AccountId(account),
            imsi: imsi.map(|text| Imsi::parse(text).unwrap()),
        }
    }

    #[test]
    fn a_number_belongs_to_one_person_until_its_sim_or_account_changes() {
        let people = people();
        let place = Place::default();
        let at = Timestamp;
        let prove = |line, now| people.number_proven(line, Language::En, &place, at(now)).unwrap();
        let first = prove(line(1, None), 10);
        assert!(first.is_new);
        let sim = prove(line(1, Some("410011234567890")), 11);
        assert_eq!(
            (sim.person, sim.is_new),
            (first.person, false),
            "the SIM became known"
        );
        let swapped = line(1, Some("410019999999999"));
        assert_eq!(
            people
                .check_number(swapped.number, Some(line(1, None)), &place, at(12))
                .unwrap(),
            None
        );
        assert_eq!(
            people
                .check_number(swapped.number, Some(swapped), &place, at(12))
                .unwrap(),
            Some(Ended::SimChanged)
        );
        assert_eq!(people.owner_of(swapped.number).unwrap(), None);
        assert_eq!(
            people.owner_now_or_last(swapped.number).unwrap(),
            Some(first.person)
        );
        let second = prove(swapped, 13);
        assert!(second.is_new && second.person != first.person);
        let moved = prove(line(2, Some("410019999999999")), 14);
        assert!(moved.is_new && moved.person != second.person, "another account");
        assert!(
            people
                .add_number(first.person, line(2, None), &place, at(15))
                .unwrap()
        );
        assert_eq!(people.numbers_of(moved.person).unwrap(), []);
        assert_eq!(
            people.owner_of(swapped.number).unwrap().unwrap().person,
            first.person
        );
        assert_eq!(
            people.check_number(swapped.number, None, &place, at(16)).unwrap(),
            Some(Ended::NumberMoved)
        );
        let orphan = people.person(second.person).unwrap().unwrap();
        assert!(orphan.delete_at.is_some(), "without any proof left it goes away");
    }
}
