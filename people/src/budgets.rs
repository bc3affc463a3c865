//! What somebody wants a number to spend in a month at most: a target that tells, not a limit that cuts off.

use crate::db::{Module, People, Result, open_table};
use crate::numbers;
use crate::person::PersonId;
use charge::{AccountId, Money, Msisdn, Timestamp};
use rusqlite::{OptionalExtension as _, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "budgets",
    migrations: &["create table budget (
            person bigint not null,
            number bigint not null,
            target bigint not null,
            set_at bigint not null,
            primary key (person, number)
        );"],
    personal: &[open_table("budget")],
};

impl People {
    /// Sets or takes away the target of a month for one number of a person, in micro-units.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn set_budget(
        &self,
        person: PersonId,
        number: Msisdn,
        target: Option<Money>,
        now: Timestamp,
    ) -> Result<()> {
        self.write(|tx| {
            match target {
                Some(target) => tx.execute(
                    "insert into budget (person, number, target, set_at) values (?1, ?2, ?3, ?4)
                     on conflict (person, number) do update set target = excluded.target, set_at = excluded.set_at",
                    params![person.0, numbers::number(number), target.0, now.0],
                )?,
                None => tx.execute(
                    "delete from budget where person = ?1 and number = ?2",
                    params![person.0, numbers::number(number)],
                )?,
            };
            Ok(())
        })
    }

    /// Numbers with a target whose owner set it, in the order of people and numbers: a page of at most `count_max` after
    /// `after`.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn budgets(
        &self,
        after: Option<(PersonId, Msisdn)>,
        count_max: i64,
    ) -> Result<Vec<(PersonId, Msisdn, AccountId, Money)>> {
        let (person, number) = after.map_or((0, 0), |(person, number)| (person.0, numbers::number(number)));
        self.read(|db| {
            let mut query = db.prepare_cached(
                "select b.person, b.number, n.account, b.target from budget b
                 join number n on n.number = b.number and n.person = b.person
                 where b.person > ?1 or (b.person = ?1 and b.number > ?2)
                 order by b.person, b.number limit ?3",
            )?;
            let rows = query.query_map(params![person, number, count_max], |row| {
                let account = AccountId(row.get::<_, i64>(2)?.cast_unsigned());
                Ok((
                    PersonId(row.get(0)?),
                    numbers::msisdn(row.get(1)?),
                    account,
                    Money(row.get(3)?),
                ))
            })?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }

    /// The target of a month for one number of a person.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn budget(&self, person: PersonId, number: Msisdn) -> Result<Option<Money>> {
        self.read(|db| {
            let target = db
                .query_row(
                    "select target from budget where person = ?1 and number = ?2",
                    params![person.0, numbers::number(number)],
                    |row| row.get(0),
                )
                .optional()?;
            Ok(target.map(Money))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;

    #[test]
    fn a_target_belongs_to_a_person_and_a_number() {
        let people = people();
        let [one, two] = [923_001_234_567, 923_451_112_223].map(|number| Msisdn::new(number).unwrap());
        let set = |person, number, target: Option<i64>| {
            people.set_budget(PersonId(person), number, target.map(Money), Timestamp(1))
        };
        let get = |person, number| {
            people
                .budget(PersonId(person), number)
                .unwrap()
                .map(|money| money.0)
        };
        set(1, one, Some(5)).unwrap();
        set(1, two, Some(6)).unwrap();
        set(1, one, Some(7)).unwrap();
        assert_eq!((get(1, one), get(1, two), get(2, one)), (Some(7), Some(6), None));
        set(1, one, None).unwrap();
        assert_eq!((get(1, one), get(1, two)), (None, Some(6)));
    }
}
