//! Four eyes: what one of staff wants to be done with much money waits until another one agrees.

use crate::complaints::names;
use crate::db::{Module, People, Result, kept};
use crate::limits;
use crate::staff_trail::{self, Actor, Deed};
use charge::{Money, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "staff-wishes",
    migrations: &["create table staff_wish (
            wish bigint primary key,
            kind text not null,
            target text not null,
            body text not null,
            detail text not null,
            amount bigint not null,
            currency text not null,
            state text not null,
            asked_by bigint not null,
            asked_name text not null,
            asked_at bigint not null,
            decided_by bigint not null,
            decided_name text not null,
            decided_at bigint not null,
            outcome text not null
        );
        create unique index staff_wish_waiting on staff_wish (kind, target) where state = 'waiting';
        create index staff_wish_state on staff_wish (state, asked_at);"],
    personal: &[],
};

/// Where a wish stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WishState {
    /// Nobody has decided.
    Waiting,
    /// Another one agreed. Without an outcome it is still to be carried out.
    Approved,
    /// Another one did not agree, or who asked took it back.
    Denied,
}
names!(
    WishState,
    3,
    Waiting = "waiting",
    Approved = "approved",
    Denied = "denied"
);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWish {
    /// Kind of the target: `exception` or `suspense`.
    pub kind: String,
    /// Which one.
    pub target: String,
    /// What, as the caller writes it.
    pub body: String,
    /// The same for the trail and for people: numbers are masked.
    pub detail: String,
    /// About how much money.
    pub amount: Money,
    /// In which currency.
    pub currency: String,
}

/// A wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which.
    pub id: i64,
    /// What.
    pub what: NewWish,
    /// Where it stands.
    pub state: WishState,
    /// Who asked.
    pub asked_by: i64,
    /// Their name.
    pub asked_name: String,
    /// When.
    pub asked_at: Timestamp,
    /// Who decided; empty: nobody.
    pub decided_name: String,
    /// What came of it.
    pub outcome: String,
}

/// Why nothing was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecided {
    /// There is no such wish that waits.
    Unknown,
    /// Whoever asked may not agree to it.
    Own,
}

const COLUMNS: &str = "wish, kind, target, body, detail, amount, currency, state, asked_by, asked_name, asked_at, decided_name, \
    outcome";

impl People {
    /// Asks for a second pair of eyes. `None`: something waits for this target already, or too much waits.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_wish(&self, by: &Actor, new: &NewWish, now: Timestamp) -> Result<Option<i64>> {
        self.write(|tx| {
            let waiting: i64 = tx.query_row(
                "select count(*) from staff_wish where state = 'waiting'",
                [],
                |row| row.get(0),
            )?;
            if waiting >= limits::STAFF_WISHES_MAX {
                return Ok(None);
            }
            let id: i64 = rand::random_range(1..1 << 53);
            let made = tx.execute(
                "insert into staff_wish (wish, kind, target, body, detail, amount, currency, state, asked_by,
                    asked_name, asked_at, decided_by, decided_name, decided_at, outcome)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'waiting', ?8, ?9, ?10, 0, '', 0, '') on conflict do nothing",
                params![
                    id,
                    new.kind,
                    new.target,
                    new.body,
                    kept(&new.detail),
                    new.amount.0,
                    new.currency,
                    by.staff,
                    by.name,
                    now.0
                ],
            )?;
            if made == 0 {
                return Ok(None);
            }
            staff_trail::note(self, tx, by, Deed::Wished, &new.target, &new.detail, now)?;
            Ok(Some(id))
        })
    }

    /// Wishes, the oldest that waits first, then what was decided lately.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_wishes(&self, count_max: i64) -> Result<Vec<Wish>> {
        self.read(|db| {
            let mut query = db.prepare_cached(&format!(
                "select {COLUMNS} from staff_wish
                 order by case when state = 'waiting' then 0 else 1 end, decided_at desc, asked_at limit ?1"
            ))?;
            let rows = query.query_map([count_max], wish)?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }

    /// A wish.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_wish_of(&self, id: i64) -> Result<Option<Wish>> {
        self.read(|db| one(db, id))
    }

    /// Decides about a wish. Agreeing to one's own is refused and stands in the trail; taking it back is allowed.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`Undecided`].
    pub fn staff_decide(
        &self,
        by: &Actor,
        id: i64,
        agree: bool,
        now: Timestamp,
    ) -> Result<std::result::Result<Wish, Undecided>> {
        self.write(|tx| {
            let Some(found) = one(tx, id)?.filter(|wish| wish.state == WishState::Waiting) else {
                return Ok(Err(Undecided::Unknown));
            };
            if agree && found.asked_by == by.staff {
                staff_trail::note(
                    self,
                    tx,
                    by,
                    Deed::OwnWish,
                    &found.what.target,
                    &found.what.detail,
                    now,
                )?;
                return Ok(Err(Undecided::Own));
            }
            let (state, deed) = match agree {
                true => (WishState::Approved, Deed::Approved),
                false => (WishState::Denied, Deed::Denied),
            };
            tx.execute(
                "update staff_wish set state = ?2, decided_by = ?3, decided_name = ?4, decided_at = ?5
                 where wish = ?1 and state = 'waiting'",
                params![id, state.name(), by.staff, by.name, now.0],
            )?;
            staff_trail::note(self, tx, by, deed, &found.what.target, &found.what.detail, now)?;
            Ok(one(tx, id)?.ok_or(Undecided::Unknown))
        })
    }

    /// Says what came of a wish that was agreed to.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_wish_ended(&self, id: i64, outcome: &str) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "update staff_wish set outcome = ?2 where wish = ?1 and state = 'approved'",
                params![id, kept(outcome)],
            )?;
            Ok(())
        })
    }
}

fn one(db: &Connection, id: i64) -> Result<Option<Wish>> {
    let mut query = db.prepare_cached(&format!("select {COLUMNS} from staff_wish where wish = ?1"))?;
    Ok(query.query_row([id], wish).optional()?)
}

fn wish(row: &Row) -> rusqlite::Result<Wish> {
    let state: String = row.get(7)?;
    Ok(Wish {
        id: row.get(0)?,
        what: NewWish {
            kind: row.get(1)?,
            target: row.get(2)?,
            body: row.get(3)?,
            detail: row.get(4)?,
            amount: Money(row.get(5)?),
            currency: row.get(6)?,
        },
        state: WishState::parse(&state).unwrap_or(WishState::Denied),
        asked_by: row.get(8)?,
        asked_name: row.get(9)?,
        asked_at: Timestamp(row.get(10)?),
        decided_name: row.get(11)?,
        outcome: row.get(12)?,
    })
}
