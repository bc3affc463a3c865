//! From what an auto-recharge takes its money: a wallet that is asked, or a token of a card. Sealed, for one account each; the
//! rule itself, its caps and what it did are in the journal, which holds nothing of this.

use crate::audit::{self, Deed};
use crate::db::{Module, People, PeopleError, Result, kept, open_table};
use crate::numbers;
use crate::person::PersonId;
use crate::sessions::Place;
use charge::{AccountId, Msisdn, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "mandates",
    migrations: &["create table mandate (
            account bigint primary key,
            person bigint not null,
            number bigint not null,
            rail text not null,
            shown text not null,
            sealed blob not null,
            made_at bigint not null
        );
        create index mandate_person on mandate (person);"],
    personal: &[open_table("mandate")],
};

/// Somebody's consent that a rail is asked for money for a number of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mandate {
    /// The account that is recharged.
    pub account: AccountId,
    /// Who gave it.
    pub person: PersonId,
    /// The number.
    pub number: Msisdn,
    /// The rail.
    pub rail: String,
    /// What people recognize it by: the last digits.
    pub shown: String,
    /// When it was given.
    pub made_at: Timestamp,
}

impl People {
    /// Keeps what a rail needs to charge, in the place of what was kept for the account before.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn set_mandate(&self, mandate: &Mandate, means: &[u8], place: &Place) -> Result<()> {
        let sealed = self.keys().seal(&owner(mandate), means)?;
        self.write(|tx| {
            tx.execute(
                "insert into mandate (account, person, number, rail, shown, sealed, made_at)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 on conflict (account) do update set person = excluded.person, number = excluded.number,
                    rail = excluded.rail, shown = excluded.shown, sealed = excluded.sealed, made_at = excluded.made_at",
                params![
                    mandate.account.0.cast_signed(),
                    mandate.person.0,
                    numbers::number(mandate.number),
                    mandate.rail,
                    kept(&mandate.shown),
                    sealed,
                    mandate.made_at.0
                ],
            )?;
            let detail = format!("{} {}", mandate.rail, mandate.number.masked());
            audit::note(tx, mandate.person, Deed::MandateGiven, place, &detail, mandate.made_at)
        })
    }

    /// The mandate of an account, without what is sealed.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn mandate(&self, account: AccountId) -> Result<Option<Mandate>> {
        Ok(self.find_mandate(account)?.map(|(mandate, _)| mandate))
    }

    /// What a rail needs to charge for an account: only while its number still belongs to who gave the mandate.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn means(&self, account: AccountId) -> Result<Option<(Mandate, Vec<u8>)>> {
        let Some((mandate, sealed)) = self.find_mandate(account)? else {
            return Ok(None);
        };
        let owned = self.owner_of(mandate.number)?;
        if !owned.is_some_and(|owned| owned.person == mandate.person && owned.account == account) {
            return Ok(None);
        }
        match self.keys().open(&owner(&mandate), &sealed) {
            Ok(means) => Ok(Some((mandate, means))),
            // Another key than it was sealed with: it cannot be used any more, and nothing else is wrong.
            Err(PeopleError::Sealed) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Forgets what was kept for an account.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn end_mandate(&self, account: AccountId, place: &Place, now: Timestamp) -> Result<()> {
        let Some(mandate) = self.mandate(account)? else {
            return Ok(());
        };
        self.write(|tx| {
            tx.execute(
                "delete from mandate where account = ?1",
                [account.0.cast_signed()],
            )?;
            let detail = format!("{} {}", mandate.rail, mandate.number.masked());
            audit::note(tx, mandate.person, Deed::MandateEnded, place, &detail, now)
        })
    }

    /// Accounts with a mandate, in the order of their ids: a page of at most `count_max` after `after`.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn mandated(&self, after: Option<AccountId>, count_max: i64) -> Result<Vec<AccountId>> {
        let after = after.map_or(i64::MIN, |account| account.0.cast_signed());
        self.read(|db| {
            let mut query = db
                .prepare_cached("select account from mandate where account > ?1 order by account limit ?2")?;
            let rows = query.query_map(params![after, count_max], |row| {
                Ok(AccountId(row.get::<_, i64>(0)?.cast_unsigned()))
            })?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }

    fn find_mandate(&self, account: AccountId) -> Result<Option<(Mandate, Vec<u8>)>> {
        let read = |row: &Row<'_>| {
            let mandate = Mandate {
                account,
                person: PersonId(row.get(0)?),
                number: numbers::msisdn(row.get(1)?),
                rail: row.get(2)?,
                shown: row.get(3)?,
                made_at: Timestamp(row.get(4)?),
            };
            Ok((mandate, row.get(5)?))
        };
        self.read(|db| {
            let query = "select person, number, rail, shown, made_at, sealed from mandate where account = ?1";
            Ok(db.query_row(query, [account.0.cast_signed()], read).optional()?)
        })
    }
}

/// What is sealed opens for this person, account and rail only.
fn owner(mandate: &Mandate) -> Vec<u8> {
    format!(
        "mandate {} {} {}",
        mandate.person.0, mandate.account.0, mandate.rail
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;
    use crate::numbers::{Ended, Line};
    use charge::catalog::Language;

    #[test]
    fn means_are_sealed_and_go_with_the_number() {
        let people = people();
        let place = Place::default();
        let line = Line {
            number: Msisdn::new(923_001_234_567).unwrap(),
            account: AccountId(7),
            imsi: None,
        };
        let person = people
            .number_proven(line, Language::En, &place, Timestamp(1))
            .unwrap()
            .person;
        let mandate = Mandate {
            account: line.account,
            person,
            number: line.number,
            rail: "jazzcash-wallet".to_owned(),
            shown: "99".to_owned(),
            made_at: Timestamp(2),
        };
        people.set_mandate(&mandate, b"923411728699", &place).unwrap();
        assert_eq!(people.mandate(AccountId(7)).unwrap(), Some(mandate.clone()));
        assert_eq!(
            people.means(AccountId(7)).unwrap(),
            Some((mandate.clone(), b"923411728699".to_vec()))
        );
        assert_eq!(people.mandated(None, 9).unwrap(), [AccountId(7)]);
        assert_eq!(people.mandated(Some(AccountId(7)), 9).unwrap(), []);
        let raw: Vec<u8> = people
            .read(|db| Ok(db.query_row("select sealed from mandate", [], |row| row.get(0))?))
            .unwrap();
        assert!(
            !raw.windows(6).any(|window| window == b"341172"),
            "not in the clear"
        );
        // Put under another account, the same bytes open nothing.
        people
            .write(|tx| Ok(tx.execute("update mandate set account = 8", [])?))
            .unwrap();
        assert_eq!(people.means(AccountId(8)).unwrap(), None);
        people
            .write(|tx| Ok(tx.execute("update mandate set account = 7", [])?))
            .unwrap();
        // A SIM swap, a sale of the number: the mandate is worth nothing.
        people
            .end_number(line.number, Ended::SimChanged, &place, Timestamp(3))
            .unwrap();
        assert_eq!(people.means(AccountId(7)).unwrap(), None);
        let export = people.export(person, &place, Timestamp(4)).unwrap();
        assert_eq!(export["tables"]["mandate"][0]["rail"], "jazzcash-wallet");
        people.end_mandate(AccountId(7), &place, Timestamp(5)).unwrap();
        assert_eq!(people.mandate(AccountId(7)).unwrap(), None);
    }
}
