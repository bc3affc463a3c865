//! Points of sale: days as they were counted, stock that outlets asked for, and what kiosks say they hold. No value moves here.

use crate::db::{Module, People, Result};
use charge::{Money, PartnerId, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

/// The tables. People stand in it by their logins under an outlet only.
pub const MODULE: Module = Module {
    name: "pos",
    migrations: &[
        "create table pos_close (
            id text primary key,
            seller bigint not null,
            day text not null,
            staff text not null,
            sales bigint not null,
            expected bigint not null,
            counted bigint not null,
            at bigint not null
        );
        create index pos_close_seller on pos_close (seller, at);
        create table pos_ask (
            id text primary key,
            seller bigint not null,
            parent bigint not null,
            staff text not null,
            amount bigint not null,
            at bigint not null,
            state smallint not null,
            done_at bigint not null
        );
        create index pos_ask_seller on pos_ask (seller, at);
        create index pos_ask_parent on pos_ask (parent, state, at);",
        "create table kiosk_report (
            seller bigint not null,
            name text not null,
            in_box bigint not null,
            waiting bigint not null,
            owed bigint not null,
            stuck bigint not null,
            at bigint not null,
            primary key (seller, name)
        );",
    ],
    personal: &[],
};

/// Most asks of one seller that wait at once.
const ASKS_OPEN_MAX: i64 = 5;

/// Most kiosks of one seller.
const KIOSKS_MAX: i64 = 64;

/// What a kiosk says of the money in it: its own book, for people who look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KioskReport {
    /// Whose float it sells from.
    pub seller: PartnerId,
    /// Its name.
    pub name: String,
    /// Notes in its box.
    pub in_box: Money,
    /// Taken, and not sold at the server yet.
    pub waiting: Money,
    /// What customers get back for a slip.
    pub owed: Money,
    /// Notes of which nobody knows whether they are in the box.
    pub stuck: Money,
    /// When it said so.
    pub at: Timestamp,
}

/// A day as somebody counted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayClose {
    /// Id that the form was given: sent twice it is one.
    pub id: String,
    /// The outlet.
    pub seller: PartnerId,
    /// The local day, `2026-11-22`.
    pub day: String,
    /// Who counted.
    pub staff: String,
    /// Credited sales up to then.
    pub sales: u64,
    /// What the till should have held.
    pub expected: Money,
    /// What was in it.
    pub counted: Money,
    /// When.
    pub at: Timestamp,
}

/// What became of an ask for stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskState {
    /// It waits.
    Open,
    /// The stock was sent.
    Sent,
    /// Whoever was asked said no.
    Denied,
}

impl AskState {
    fn of(value: i64) -> AskState {
        match value {
            0 => AskState::Open,
            1 => AskState::Sent,
            _ => AskState::Denied,
        }
    }

    fn value(self) -> i64 {
        match self {
            AskState::Open => 0,
            AskState::Sent => 1,
            AskState::Denied => 2,
        }
    }
}

/// Stock that a seller asks the one above for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockAsk {
    /// Id that the form was given: sent twice it is one.
    pub id: String,
    /// Who asks.
    pub seller: PartnerId,
    /// Whom.
    pub parent: PartnerId,
    /// Who of the outlet.
    pub staff: String,
    /// How much.
    pub amount: Money,
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub state: AskState,
}

const ASK: &str = "select id, seller, parent, staff, amount, at, state from pos_ask";

impl People {
    /// Keeps a day as it was counted; the first one under an id stays.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn close_day(&self, close: &DayClose) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "insert into pos_close (id, seller, day, staff, sales, expected, counted, at)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) on conflict (id) do nothing",
                params![
                    close.id,
                    close.seller.0,
                    close.day,
                    close.staff,
                    close.sales.cast_signed(),
                    close.expected.0,
                    close.counted.0,
                    close.at.0
                ],
            )?;
            Ok(())
        })
    }

    /// Days of an outlet as they were counted, the newest first.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn day_closes(&self, seller: PartnerId, count_max: i64) -> Result<Vec<DayClose>> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "select id, day, staff, sales, expected, counted, at from pos_close
                 where seller = ?1 order by at desc, id desc limit ?2",
            )?;
            let rows = query.query_map(params![seller.0, count_max], |row| {
                Ok(DayClose {
                    id: row.get(0)?,
                    seller,
                    day: row.get(1)?,
                    staff: row.get(2)?,
                    sales: row.get::<_, i64>(3)?.cast_unsigned(),
                    expected: Money(row.get(4)?),
                    counted: Money(row.get(5)?),
                    at: Timestamp(row.get(6)?),
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Keeps what a kiosk says; the last word counts. False: the seller has too many kiosks.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn keep_kiosk(&self, report: &KioskReport) -> Result<bool> {
        self.write(|tx| {
            let others: i64 = tx.query_row(
                "select count(*) from kiosk_report where seller = ?1 and name <> ?2",
                params![report.seller.0, report.name],
                |row| row.get(0),
            )?;
            if others >= KIOSKS_MAX {
                return Ok(false);
            }
            tx.execute(
                "insert into kiosk_report (seller, name, in_box, waiting, owed, stuck, at)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict (seller, name) do update set
                 in_box = excluded.in_box, waiting = excluded.waiting, owed = excluded.owed,
                 stuck = excluded.stuck, at = excluded.at",
                params![
                    report.seller.0,
                    report.name,
                    report.in_box.0,
                    report.waiting.0,
                    report.owed.0,
                    report.stuck.0,
                    report.at.0
                ],
            )?;
            Ok(true)
        })
    }

    /// What the kiosks of a seller said last, by name.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn kiosks_of(&self, seller: PartnerId) -> Result<Vec<KioskReport>> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "select name, in_box, waiting, owed, stuck, at from kiosk_report where seller = ?1 order by name",
            )?;
            let rows = query.query_map(params![seller.0], |row| {
                Ok(KioskReport {
                    seller,
                    name: row.get(0)?,
                    in_box: Money(row.get(1)?),
                    waiting: Money(row.get(2)?),
                    owed: Money(row.get(3)?),
                    stuck: Money(row.get(4)?),
                    at: Timestamp(row.get(5)?),
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Keeps an ask for stock. False: too many of this seller wait already.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn ask_stock(&self, ask: &StockAsk) -> Result<bool> {
        self.write(|tx| {
            let open: i64 = tx.query_row(
                "select count(*) from pos_ask where seller = ?1 and state = 0 and id <> ?2",
                params![ask.seller.0, ask.id],
                |row| row.get(0),
            )?;
            if open >= ASKS_OPEN_MAX {
                return Ok(false);
            }
            tx.execute(
                "insert into pos_ask (id, seller, parent, staff, amount, at, state, done_at)
                 values (?1, ?2, ?3, ?4, ?5, ?6, 0, 0) on conflict (id) do nothing",
                params![
                    ask.id,
                    ask.seller.0,
                    ask.parent.0,
                    ask.staff,
                    ask.amount.0,
                    ask.at.0
                ],
            )?;
            Ok(true)
        })
    }

    /// What a seller asked for, the newest first.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn asks_of(&self, seller: PartnerId, count_max: i64) -> Result<Vec<StockAsk>> {
        self.asks(
            "where seller = ?1 order by at desc, id desc limit ?2",
            seller,
            count_max,
        )
    }

    /// What waits for a seller to answer, the oldest first.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn asks_to(&self, parent: PartnerId, count_max: i64) -> Result<Vec<StockAsk>> {
        self.asks(
            "where parent = ?1 and state = 0 order by at, id limit ?2",
            parent,
            count_max,
        )
    }

    fn asks(&self, which: &str, seller: PartnerId, count_max: i64) -> Result<Vec<StockAsk>> {
        self.read(|db| {
            let mut query = db.prepare_cached(&format!("{ASK} {which}"))?;
            let rows = query.query_map(params![seller.0, count_max], ask)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One ask.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn stock_ask(&self, id: &str) -> Result<Option<StockAsk>> {
        self.read(|db| {
            let mut query = db.prepare_cached(&format!("{ASK} where id = ?1"))?;
            Ok(query.query_row([id], ask).optional()?)
        })
    }

    /// Says what became of an ask that waits.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn answer_ask(&self, id: &str, state: AskState, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "update pos_ask set state = ?2, done_at = ?3 where id = ?1 and state = 0",
                params![id, state.value(), now.0],
            )?;
            Ok(())
        })
    }
}

fn ask(row: &Row<'_>) -> rusqlite::Result<StockAsk> {
    Ok(StockAsk {
        id: row.get(0)?,
        seller: PartnerId(row.get(1)?),
        parent: PartnerId(row.get(2)?),
        staff: row.get(3)?,
        amount: Money(row.get(4)?),
        at: Timestamp(row.get(5)?),
        state: AskState::of(row.get(6)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;

    #[test]
    fn what_is_sent_twice_is_kept_once_and_asks_do_not_pile_up() {
        let people = people();
        let close = DayClose {
            id: "a".to_owned(),
            seller: PartnerId(7),
            day: "2026-11-22".to_owned(),
            staff: "ali".to_owned(),
            sales: 3,
            expected: Money::from_units(300),
            counted: Money::from_units(290),
            at: Timestamp(5),
        };
        people.close_day(&close).unwrap();
        let other = DayClose {
            counted: Money::ZERO,
            ..close.clone()
        };
        people.close_day(&other).unwrap();
        assert_eq!(people.day_closes(PartnerId(7), 10).unwrap(), [close]);
        assert!(people.day_closes(PartnerId(8), 10).unwrap().is_empty());

        let one = |id: &str| StockAsk {
            id: id.to_owned(),
            seller: PartnerId(7),
            parent: PartnerId(2),
            staff: "ali".to_owned(),
            amount: Money::from_units(500),
            at: Timestamp(5),
            state: AskState::Open,
        };
        for id in ["1", "2", "2", "3", "4", "5"] {
            assert!(people.ask_stock(&one(id)).unwrap(), "{id}");
        }
        assert!(!people.ask_stock(&one("6")).unwrap());
        assert_eq!(people.asks_to(PartnerId(2), 10).unwrap().len(), 5);
        people.answer_ask("2", AskState::Sent, Timestamp(6)).unwrap();
        people.answer_ask("2", AskState::Denied, Timestamp(7)).unwrap();
        assert_eq!(people.stock_ask("2").unwrap().unwrap().state, AskState::Sent);
        assert_eq!(people.asks_to(PartnerId(2), 10).unwrap().len(), 4);
        assert_eq!(people.asks_of(PartnerId(7), 10).unwrap().len(), 5);
        assert!(people.ask_stock(&one("6")).unwrap());
    }
}
