//! Complaints: what went wrong, in what state it is, by when somebody answers, and what both sides said. Of people with an
//! account, and of a browser that paid without one.

use crate::db::{Module, People, Personal, Result, kept, open_table};
use crate::limits;
use crate::numbers;
use crate::person::PersonId;
use charge::time::Zone;
use charge::{Msisdn, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use std::fmt;

/// The tables. What staff did is kept when a person is deleted: it names nobody but staff.
pub const MODULE: Module = Module {
    name: "complaints",
    migrations: &[
        "create table complaint (
            complaint bigint primary key,
            person bigint not null,
            payer blob not null,
            number bigint not null,
            category text not null,
            about text not null,
            state text not null,
            opened_at bigint not null,
            changed_at bigint not null,
            due_at bigint not null
        );
        create index complaint_owner on complaint (person, payer, opened_at);
        create index complaint_state on complaint (state, due_at);
        create table complaint_message (
            complaint bigint not null,
            message bigint not null,
            person bigint not null,
            from_us smallint not null,
            at bigint not null,
            body text not null,
            primary key (complaint, message)
        );
        create table complaint_trail (
            complaint bigint not null,
            line bigint not null,
            at bigint not null,
            staff text not null,
            deed text not null,
            primary key (complaint, line)
        );
        create table complaint_serial (
            year bigint primary key,
            last bigint not null
        );",
        "alter table complaint add column taken_by text not null default ''",
    ],
    personal: &[
        Personal {
            table: "complaint",
            secret: &["payer"],
        },
        open_table("complaint_message"),
    ],
};

const COLUMNS: &str =
    "complaint, person, payer, number, category, about, state, opened_at, changed_at, due_at, taken_by";
/// Serial numbers of one year; an id is the year times this plus the serial number.
const PER_YEAR: i64 = 1_000_000;

/// A complaint's id, for people `C-2026-000123`: the year (UTC) and a serial number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ComplaintId(i64);

impl ComplaintId {
    /// Reads what people write, in any case.
    pub fn parse(text: &str) -> Option<ComplaintId> {
        let (year, serial) = text.get(2..)?.split_once('-')?;
        let plain = |part: &str, digits: usize| {
            (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())).then_some(())
        };
        plain(year, 4).and(plain(serial, 6))?;
        let id = year.parse::<i64>().ok()? * PER_YEAR + serial.parse::<i64>().ok()?;
        text[..2].eq_ignore_ascii_case("C-").then_some(ComplaintId(id))
    }
}

impl fmt::Display for ComplaintId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "C-{:04}-{:06}", self.0 / PER_YEAR, self.0 % PER_YEAR)
    }
}

/// Names that are stable in the file, in forms and in the API.
macro_rules! names {
    ($type:ident, $count:literal, $($variant:ident = $name:literal),+) => {
        impl $type {
            /// Every one.
            pub const ALL: [$type; $count] = [$($type::$variant),+];
            /// Stable name.
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
            /// The one with a name.
            pub fn parse(name: &str) -> Option<$type> {
                $type::ALL.into_iter().find(|one| one.name() == name)
            }
        }
    };
}
pub(crate) use names;

/// What a complaint is about, as the regulator sorts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Category {
    NotCredited,
    ChargedTwice,
    WrongNumber,
    Billing,
    Bundle,
    Quality,
    Unauthorised,
    /// Against a reversal that took credit from one's number.
    Appeal,
    Other,
}
names!(
    Category,
    9,
    NotCredited = "not-credited",
    ChargedTwice = "charged-twice",
    WrongNumber = "wrong-number",
    Billing = "billing",
    Bundle = "bundle",
    Quality = "quality",
    Unauthorised = "unauthorised",
    Appeal = "appeal",
    Other = "other"
);

/// Where a complaint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody of us has looked yet.
    Open,
    /// We asked something.
    WaitingForYou,
    /// We are at it.
    WaitingForUs,
    /// We say that it is settled; its owner may appeal.
    Resolved,
    /// Settled for good.
    Closed,
    /// Its owner does not agree; somebody looks again.
    Appealed,
}
names!(
    State,
    6,
    Open = "open",
    WaitingForYou = "waiting-for-you",
    WaitingForUs = "waiting-for-us",
    Resolved = "resolved",
    Closed = "closed",
    Appealed = "appealed"
);

impl State {
    /// Whether somebody of us must answer by a deadline.
    pub fn awaits_us(self) -> bool {
        matches!(self, State::Open | State::WaitingForUs | State::Appealed)
    }

    /// Whether it still counts as one that is not settled.
    pub fn is_open(self) -> bool {
        self.awaits_us() || self == State::WaitingForYou
    }
}

/// Whose a complaint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Somebody with an account.
    Person(PersonId),
    /// A browser that paid, by its digest as a payer.
    Payer(u128),
}

impl Owner {
    fn key(self) -> (i64, Vec<u8>) {
        match self {
            Owner::Person(person) => (person.0, Vec::new()),
            Owner::Payer(digest) => (0, digest.to_be_bytes().to_vec()),
        }
    }
}

/// A complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Which.
    pub id: ComplaintId,
    /// Whose.
    pub owner: Owner,
    /// The number that it is about.
    pub number: Msisdn,
    /// What kind.
    pub category: Category,
    /// What it is linked to: `payment:..`, `receipt:..`, `event:..`; empty: nothing.
    pub about: String,
    /// Where it stands.
    pub state: State,
    /// Since when.
    pub opened_at: Timestamp,
    /// Last change.
    pub changed_at: Timestamp,
    /// Somebody answers by then; holds while it waits for us.
    pub due_at: Timestamp,
    /// Who of staff is at it; empty: nobody.
    pub taken_by: String,
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// True: by us.
    pub from_us: bool,
    /// When.
    pub at: Timestamp,
    /// What; lines are kept.
    pub body: String,
}

/// What staff did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailLine {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub staff: String,
    /// What: a word and the state before and after it.
    pub deed: String,
}

/// A complaint to make.
#[derive(Clone, Debug)]
pub struct NewComplaint {
    /// Whose.
    pub owner: Owner,
    /// About which number.
    pub number: Msisdn,
    /// What kind.
    pub category: Category,
    /// What it is linked to.
    pub about: String,
    /// What happened.
    pub body: String,
}

/// What staff does to a complaint without answering it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// It is my work now.
    Take,
    /// It is about something else.
    Category(Category),
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// Nothing was written.
    Empty,
    /// Too many are open, or too many were made in a day, or too much was said.
    TooMany,
    /// There is no such complaint of this owner.
    Unknown,
    /// Its state does not allow it.
    State,
}

/// Done, or why not.
pub type Done<T> = Result<std::result::Result<T, Declined>>;

impl People {
    /// Makes a complaint. The same kind about the same thing again, while it is open, is the one that is there.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn complain(&self, new: &NewComplaint, now: Timestamp) -> Done<ComplaintId> {
        let body = said(&new.body);
        if body.is_empty() {
            return Ok(Err(Declined::Empty));
        }
        let (person, payer) = new.owner.key();
        let about = kept(&new.about);
        self.write(|tx| {
            let mine = all(
                tx,
                "where person = ?1 and payer = ?2 order by opened_at desc limit 200",
                params![person, payer],
            )?;
            let same = |old: &&Complaint| {
                !about.is_empty() && old.about == about && old.category == new.category && old.state.is_open()
            };
            if let Some(old) = mine.iter().find(same) {
                return Ok(Ok(old.id));
            }
            let open = mine.iter().filter(|old| old.state.is_open()).count();
            let lately = mine
                .iter()
                .filter(|old| now.0 - old.opened_at.0 < charge::time::DAY)
                .count();
            if open >= limits::COMPLAINTS_OPEN_MAX || lately >= limits::COMPLAINTS_PER_DAY {
                return Ok(Err(Declined::TooMany));
            }
            let id = next_id(tx, now)?;
            tx.execute(
                "insert into complaint (complaint, person, payer, number, category, about, state,
                    opened_at, changed_at, due_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)",
                params![
                    id.0,
                    person,
                    payer,
                    numbers::number(new.number),
                    new.category.name(),
                    about,
                    State::Open.name(),
                    now.0,
                    now.0 + limits::COMPLAINT_TIME
                ],
            )?;
            say(tx, id, person, false, &body, now)?;
            Ok(Ok(id))
        })
    }

    /// Whoever proved a number without having an account: the same number is the same owner.
    pub fn guest_of(&self, number: Msisdn) -> Owner {
        let digest = self
            .keys()
            .digest("guest complaint", &[&number.number().to_be_bytes()]);
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        Owner::Payer(u128::from_be_bytes(short))
    }

    /// The complaints of an owner, the newest first.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn complaints_of(&self, owner: Owner, count_max: i64) -> Result<Vec<Complaint>> {
        let (person, payer) = owner.key();
        self.read(|db| {
            all(
                db,
                "where person = ?1 and payer = ?2 order by opened_at desc, complaint desc limit ?3",
                params![person, payer, count_max],
            )
        })
    }

    /// A complaint with all that was said.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn complaint(&self, id: ComplaintId) -> Result<Option<(Complaint, Vec<Message>)>> {
        self.read(|db| {
            let Some(found) = one(db, id)? else {
                return Ok(None);
            };
            let mut query = db.prepare_cached(
                "select from_us, at, body from complaint_message where complaint = ?1 order by message",
            )?;
            let rows = query.query_map([id.0], |row| {
                Ok(Message {
                    from_us: row.get(0)?,
                    at: Timestamp(row.get(1)?),
                    body: row.get(2)?,
                })
            })?;
            Ok(Some((found, rows.collect::<std::result::Result<_, _>>()?)))
        })
    }

    /// Its owner says something. What waited for them waits for us then; what we called settled is appealed.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn reply_to_complaint(
        &self,
        owner: Owner,
        id: ComplaintId,
        body: &str,
        now: Timestamp,
    ) -> Done<State> {
        let body = said(body);
        if body.is_empty() {
            return Ok(Err(Declined::Empty));
        }
        self.write(|tx| {
            let Some(found) = one(tx, id)?.filter(|found| found.owner == owner) else {
                return Ok(Err(Declined::Unknown));
            };
            let state = match found.state {
                State::Closed => return Ok(Err(Declined::State)),
                State::Resolved if now.0 - found.changed_at.0 > limits::COMPLAINT_APPEAL_TIME => {
                    return Ok(Err(Declined::State));
                }
                State::Resolved => State::Appealed,
                State::WaitingForYou => State::WaitingForUs,
                same => same,
            };
            if count(tx, id)? >= limits::COMPLAINT_MESSAGES_MAX {
                return Ok(Err(Declined::TooMany));
            }
            say(tx, id, owner.key().0, false, &body, now)?;
            move_to(tx, &found, state, now)?;
            Ok(Ok(state))
        })
    }

    /// Its owner says that it is settled.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn settle_complaint(&self, owner: Owner, id: ComplaintId, now: Timestamp) -> Done<()> {
        self.write(|tx| {
            let Some(found) = one(tx, id)?.filter(|found| found.owner == owner) else {
                return Ok(Err(Declined::Unknown));
            };
            if found.state == State::Closed {
                return Ok(Err(Declined::State));
            }
            move_to(tx, &found, State::Closed, now)?;
            Ok(Ok(()))
        })
    }

    /// For staff: complaints in some states (none: all that are not settled), those whose deadline is nearest first.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn complaints_for_staff(&self, state: Option<State>, count_max: i64) -> Result<Vec<Complaint>> {
        let states: Vec<String> = State::ALL
            .into_iter()
            .filter(|one| state.map_or(one.is_open(), |asked| asked == *one))
            .map(|one| format!("'{}'", one.name()))
            .collect();
        let tail = format!(
            "where state in ({}) order by due_at, opened_at, complaint limit ?1",
            states.join(",")
        );
        self.read(|db| all(db, &tail, params![count_max]))
    }

    /// Staff answers, changes the state, or both. It stands in the trail, with who did it.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn work_on_complaint(
        &self,
        id: ComplaintId,
        staff: &str,
        (answer, to): (Option<&str>, Option<State>),
        now: Timestamp,
    ) -> Done<Complaint> {
        let answer = answer.map(said);
        if answer.as_ref().is_some_and(String::is_empty) || (answer.is_none() && to.is_none()) {
            return Ok(Err(Declined::Empty));
        }
        self.write(|tx| {
            let Some(found) = one(tx, id)? else {
                return Ok(Err(Declined::Unknown));
            };
            // Open and appealed are what its owner says, not we; and what is closed stays closed.
            let to = to.unwrap_or(match found.state {
                State::Open => State::WaitingForUs,
                same => same,
            });
            let ours = to == found.state || !matches!(to, State::Open | State::Appealed);
            if found.state == State::Closed || !ours {
                return Ok(Err(Declined::State));
            }
            if let Some(body) = &answer {
                if count(tx, id)? >= limits::COMPLAINT_MESSAGES_MAX {
                    return Ok(Err(Declined::TooMany));
                }
                say(tx, id, found.owner.key().0, true, body, now)?;
            }
            move_to(tx, &found, to, now)?;
            let word = if answer.is_some() { "answered" } else { "changed" };
            let deed = format!("{word}: {} -> {}", found.state.name(), to.name());
            trail(tx, id, staff, &deed, now)?;
            Ok(one(tx, id)?.ok_or(Declined::Unknown))
        })
    }

    /// Somebody of staff makes it their work, or sorts it elsewhere. It stands in the trail.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn sort_complaint(&self, id: ComplaintId, staff: &str, sort: Sort, now: Timestamp) -> Done<()> {
        self.write(|tx| {
            let Some(found) = one(tx, id)? else {
                return Ok(Err(Declined::Unknown));
            };
            if found.state == State::Closed {
                return Ok(Err(Declined::State));
            }
            let deed = match sort {
                Sort::Take => {
                    tx.execute(
                        "update complaint set taken_by = ?2 where complaint = ?1",
                        params![id.0, kept(staff)],
                    )?;
                    "taken".to_owned()
                }
                Sort::Category(category) => {
                    tx.execute(
                        "update complaint set category = ?2 where complaint = ?1",
                        params![id.0, category.name()],
                    )?;
                    format!("sorted: {} -> {}", found.category.name(), category.name())
                }
            };
            trail(tx, id, staff, &deed, now)?;
            Ok(Ok(()))
        })
    }

    /// What staff did about a complaint, in order.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn complaint_trail(&self, id: ComplaintId) -> Result<Vec<TrailLine>> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "select at, staff, deed from complaint_trail where complaint = ?1 order by line",
            )?;
            let rows = query.query_map([id.0], |row| {
                Ok(TrailLine {
                    at: Timestamp(row.get(0)?),
                    staff: row.get(1)?,
                    deed: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }
}

/// Removes complaints of browsers without an account, long after they were settled: nobody can ask for their deletion.
pub(crate) fn sweep(tx: &Transaction, now: Timestamp) -> Result<()> {
    let old = now.0 - limits::GUEST_COMPLAINTS_LIFE;
    tx.execute(
        "delete from complaint_message where complaint in (select complaint from complaint
            where person = 0 and state in ('resolved', 'closed') and changed_at <= ?1)",
        [old],
    )?;
    tx.execute(
        "delete from complaint where person = 0 and state in ('resolved', 'closed') and changed_at <= ?1",
        [old],
    )?;
    Ok(())
}

fn trail(tx: &Transaction, id: ComplaintId, staff: &str, deed: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "insert into complaint_trail (complaint, line, at, staff, deed) values (?1,
            (select coalesce(max(line), 0) + 1 from complaint_trail where complaint = ?1), ?2, ?3, ?4)",
        params![id.0, now.0, kept(staff), deed],
    )?;
    Ok(())
}

/// Numbers are never given twice, also when the complaint that had one is deleted.
fn next_id(tx: &Transaction, now: Timestamp) -> Result<ComplaintId> {
    let year = i64::from(Zone::UTC.civil(now).year);
    let serial: i64 = tx.query_row(
        "insert into complaint_serial (year, last) values (?1, 1)
         on conflict (year) do update set last = complaint_serial.last + 1 returning last",
        [year],
        |row| row.get(0),
    )?;
    Ok(ComplaintId(year * PER_YEAR + serial))
}

fn say(
    tx: &Transaction,
    id: ComplaintId,
    person: i64,
    from_us: bool,
    body: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "insert into complaint_message (complaint, message, person, from_us, at, body) values (?1,
            (select coalesce(max(message), 0) + 1 from complaint_message where complaint = ?1), ?2, ?3, ?4, ?5)",
        params![id.0, person, i64::from(from_us), now.0, body],
    )?;
    Ok(())
}

fn count(tx: &Transaction, id: ComplaintId) -> Result<i64> {
    Ok(tx.query_row(
        "select count(*) from complaint_message where complaint = ?1",
        [id.0],
        |row| row.get(0),
    )?)
}

/// A deadline runs anew only when the complaint comes back to us: our own answers do not push it away.
fn move_to(tx: &Transaction, found: &Complaint, to: State, now: Timestamp) -> Result<()> {
    let due_at = if to.awaits_us() && !found.state.awaits_us() {
        now.0 + limits::COMPLAINT_TIME
    } else {
        found.due_at.0
    };
    tx.execute(
        "update complaint set state = ?2, changed_at = ?3, due_at = ?4 where complaint = ?1",
        params![found.id.0, to.name(), now.0, due_at],
    )?;
    Ok(())
}

fn one(db: &Connection, id: ComplaintId) -> Result<Option<Complaint>> {
    let found = db
        .query_row(
            &format!("select {COLUMNS} from complaint where complaint = ?1"),
            [id.0],
            complaint,
        )
        .optional()?;
    Ok(found)
}

fn all(db: &Connection, tail: &str, values: impl rusqlite::Params) -> Result<Vec<Complaint>> {
    let mut query = db.prepare_cached(&format!("select {COLUMNS} from complaint {tail}"))?;
    let rows = query.query_map(values, complaint)?;
    Ok(rows.collect::<std::result::Result<_, _>>()?)
}

fn complaint(row: &Row) -> rusqlite::Result<Complaint> {
    let person: i64 = row.get(1)?;
    let payer: Vec<u8> = row.get(2)?;
    let owner = match <[u8; 16]>::try_from(payer) {
        Ok(digest) if person == 0 => Owner::Payer(u128::from_be_bytes(digest)),
        _ => Owner::Person(PersonId(person)),
    };
    let (category, state): (String, String) = (row.get(4)?, row.get(6)?);
    Ok(Complaint {
        id: ComplaintId(row.get(0)?),
        owner,
        number: numbers::msisdn(row.get(3)?),
        category: Category::parse(&category).unwrap_or(Category::Other),
        about: row.get(5)?,
        state: State::parse(&state).unwrap_or(State::Open),
        opened_at: Timestamp(row.get(7)?),
        changed_at: Timestamp(row.get(8)?),
        due_at: Timestamp(row.get(9)?),
        taken_by: row.get(10)?,
    })
}

/// What somebody wrote, cut to what is kept: lines stay, other control characters and direction overrides do not.
fn said(text: &str) -> String {
    text.chars()
        .filter(|c| *c == '\n' || !c.is_control())
        .filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .take(limits::COMPLAINT_CHARACTERS_MAX)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
#[path = "complaints_tests.rs"]
mod tests;
