//! Everything about one person: as JSON for them to keep, and its deletion.

use crate::audit::{self, Deed};
use crate::db::{MODULES, People, Personal, Result};
use crate::limits;
use crate::person::PersonId;
use crate::sessions::Place;
use charge::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};

/// What is not deleted with a person, and why: stable names, put into words by the page.
pub const KEPT_BY_LAW: [&str; 2] = [
    // The journal: recharges, charges, taxes, receipts, by number and account, as tax and telecom law ask.
    "money-records",
    // That a deletion took place, under a random number.
    "deletion-record",
];

impl People {
    /// Everything about a person, one list for each table. Hashes and keys of secrets are left out: they say nothing about
    /// the person.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn export(&self, person: PersonId, place: &Place, now: Timestamp) -> Result<Value> {
        self.write(|tx| {
            audit::note(tx, person, Deed::Exported, place, "", now)?;
            let mut tables = Map::new();
            for personal in MODULES.iter().flat_map(|module| module.personal) {
                tables.insert(personal.table.to_owned(), rows(tx, personal, person)?);
            }
            Ok(json!({
                "format": "raseed-person-1",
                "exported_at": now.to_string(),
                "person": person.0,
                "not_in_this_file": KEPT_BY_LAW,
                "tables": tables,
            }))
        })
    }

    /// Asks for deletion. It happens after a time of grace; sign-ins go on until then, so that it can be taken back.
    /// Says when it will happen.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn ask_deletion(&self, person: PersonId, place: &Place, now: Timestamp) -> Result<Timestamp> {
        let at = now.plus(limits::DELETION_GRACE);
        self.write(|tx| {
            tx.execute(
                "update person set delete_at = ?2 where person = ?1 and delete_at = 0",
                params![person.0, at.0],
            )?;
            audit::note(tx, person, Deed::DeletionAsked, place, "", now)
        })?;
        Ok(at)
    }

    /// Takes the wish for deletion back.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn cancel_deletion(&self, person: PersonId, place: &Place, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            tx.execute("update person set delete_at = 0 where person = ?1", [person.0])?;
            audit::note(tx, person, Deed::DeletionCancelled, place, "", now)
        })
    }

    /// People whose time of grace is over.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn deletions_due(&self, now: Timestamp) -> Result<Vec<PersonId>> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "select person from person where delete_at <> 0 and delete_at <= ?1 order by delete_at limit ?2",
            )?;
            let rows = query.query_map(params![now.0, limits::SWEEP_ROWS_MAX], |row| {
                Ok(PersonId(row.get(0)?))
            })?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }

    /// Deletes everything about a person, from every table, at once.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn delete_now(&self, person: PersonId, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            for personal in MODULES.iter().flat_map(|module| module.personal) {
                tx.execute(
                    &format!("delete from {} where person = ?1", personal.table),
                    [person.0],
                )?;
            }
            // Under a number that leads back to nobody.
            tx.execute(
                "insert into deletion (deletion, at) values (?1, ?2)",
                params![rand::random_range(1_i64..1 << 53), now.0],
            )?;
            Ok(())
        })
    }
}

fn rows(db: &Connection, personal: &Personal, person: PersonId) -> Result<Value> {
    let mut query = db.prepare(&format!(
        "select * from {} where person = ?1 limit ?2",
        personal.table
    ))?;
    let names: Vec<String> = query.column_names().map(str::to_owned).collect();
    let mut rows = query.query(params![person.0, limits::EXPORT_ROWS_MAX])?;
    let mut list = Vec::new();
    while let Some(row) = rows.next()? {
        let mut line = Map::new();
        for (index, name) in names.iter().enumerate() {
            if name == "person" || personal.secret.contains(&name.as_str()) {
                continue;
            }
            let value = match row.get_ref(index)? {
                ValueRef::Integer(0) if is_moment(name) => Value::Null,
                ValueRef::Integer(at) if is_moment(name) => Timestamp(at).to_string().into(),
                ValueRef::Integer(number) => number.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
                ValueRef::Null => Value::Null,
                ValueRef::Blob(_) | ValueRef::Real(_) => continue,
            };
            line.insert(name.clone(), value);
        }
        list.push(Value::Object(line));
    }
    Ok(Value::Array(list))
}

fn is_moment(column: &str) -> bool {
    column == "at" || column.ends_with("_at")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;
    use crate::numbers::Line;
    use charge::catalog::Language;
    use charge::{AccountId, Msisdn};

    #[test]
    fn everything_about_somebody_comes_out_and_goes_away() {
        let people = people();
        let place = Place {
            device: "Chrome, Android".to_owned(),
            address: "203.0.113.0/24".to_owned(),
        };
        let now = Timestamp(1_795_262_400_000_000);
        let add = |number| {
            let line = Line {
                number: Msisdn::new(number).unwrap(),
                account: AccountId(7),
                imsi: None,
            };
            people
                .number_proven(line, Language::Ur, &place, now)
                .unwrap()
                .person
        };
        let (leaves, stays) = (add(923_001_234_567), add(923_451_112_223));
        people
            .set_profile(leaves, "Sana", "sana@example.org", &place, now)
            .unwrap();
        people
            .set_password(
                leaves,
                &people.hash_password("correct horse battery").unwrap(),
                &place,
                now,
            )
            .unwrap();
        let export = people.export(leaves, &place, now).unwrap();
        assert_eq!(export["tables"]["person"][0]["name"], "Sana");
        assert_eq!(export["tables"]["number"][0]["number"], 923_001_234_567_i64);
        assert_eq!(export["tables"]["number"][0]["proven_at"], "2026-11-21T12:00:00Z");
        assert_eq!(export["tables"]["audit"].as_array().unwrap().len(), 4);
        let text = export.to_string();
        assert!(
            !text.contains("argon2") && !text.contains("923451112223"),
            "{text}"
        );

        let at = people.ask_deletion(leaves, &place, now).unwrap();
        assert_eq!(people.sweep(at.plus(-1)).unwrap(), 0);
        people.cancel_deletion(leaves, &place, now).unwrap();
        assert_eq!(people.sweep(at).unwrap(), 0);
        let at = people.ask_deletion(leaves, &place, now).unwrap();
        assert_eq!(people.sweep(at).unwrap(), 1);
        let left: i64 = people
            .read(|db| {
                let mut left = 0;
                for personal in MODULES.iter().flat_map(|module| module.personal) {
                    let statement = format!("select count(*) from {} where person = ?1", personal.table);
                    left += db.query_row(&statement, [leaves.0], |row| row.get::<_, i64>(0))?;
                }
                Ok(left)
            })
            .unwrap();
        assert_eq!(left, 0);
        assert!(people.person(stays).unwrap().is_some());
    }

    #[test]
    fn what_was_deleted_is_not_in_the_file_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp(1_795_262_400_000_000);
        let place = Place::default();
        let people = People::open(dir.path(), crate::Keys::new([1; 32])).unwrap();
        let line = Line {
            number: Msisdn::new(923_001_234_567).unwrap(),
            account: AccountId(7),
            imsi: None,
        };
        let person = people
            .number_proven(line, Language::En, &place, now)
            .unwrap()
            .person;
        people.set_profile(person, "Xylophonia", "", &place, now).unwrap();
        let holds = || {
            let files = std::fs::read_dir(dir.path()).unwrap();
            files.into_iter().any(|file| {
                let bytes = std::fs::read(file.unwrap().path()).unwrap();
                bytes.windows(10).any(|window| window == b"Xylophonia")
            })
        };
        assert!(holds());
        people.delete_now(person, now).unwrap();
        people.close().unwrap();
        assert!(!holds());
    }
}
