//! The trail of staff: every line says who, when, from where, what, about what. Lines are only added, and each is sealed over
//! the one before it, and the last one once more, so that a line changed or taken away in the file is found, wherever it is.
//! Who puts back an older file as a whole is found by the mark of its end, which goes to the log.

use crate::complaints::names;
use crate::db::{Module, People, Result, kept};
use crate::keys::same;
use crate::sessions::Place;
use crate::staff::Member;
use charge::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

/// The tables. Kept for good: subscribers stand in it by masked numbers only.
pub const MODULE: Module = Module {
    name: "staff-trail",
    migrations: &[
        "create table staff_trail (
            line bigint primary key,
            at bigint not null,
            staff bigint not null,
            name text not null,
            role text not null,
            deed text not null,
            about text not null,
            detail text not null,
            device text not null,
            place text not null,
            seal blob not null
        );
        create index staff_trail_name on staff_trail (name, line);",
        "create table staff_trail_end (
            here smallint primary key,
            line bigint not null,
            seal blob not null
        );",
    ],
    personal: &[],
};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Deed {
    Added,
    InvitedAgain,
    RoleChanged,
    SwitchedOn,
    SwitchedOff,
    SetUp,
    SignedIn,
    SignInFailed,
    SignedOut,
    SessionRefused,
    /// Tried what their role may not do.
    NotAllowed,
    Listed,
    Seen,
    Opened,
    ComplaintTaken,
    ComplaintAnswered,
    ComplaintMoved,
    ComplaintSorted,
    Owned,
    RemedyBegun,
    RemedyDone,
    RemedyFailed,
    Wished,
    Approved,
    Denied,
    /// Tried to approve their own wish.
    OwnWish,
    LockSeen,
    Unlocked,
    Exported,
    /// Changed the directory of outlets.
    OutletsChanged,
}
names!(
    Deed,
    30,
    Added = "added",
    InvitedAgain = "invited-again",
    RoleChanged = "role-changed",
    SwitchedOn = "switched-on",
    SwitchedOff = "switched-off",
    SetUp = "set-up",
    SignedIn = "signed-in",
    SignInFailed = "sign-in-failed",
    SignedOut = "signed-out",
    SessionRefused = "session-refused",
    NotAllowed = "not-allowed",
    Listed = "listed",
    Seen = "seen",
    Opened = "opened",
    ComplaintTaken = "complaint-taken",
    ComplaintAnswered = "complaint-answered",
    ComplaintMoved = "complaint-moved",
    ComplaintSorted = "complaint-sorted",
    Owned = "owned",
    RemedyBegun = "remedy-begun",
    RemedyDone = "remedy-done",
    RemedyFailed = "remedy-failed",
    Wished = "wished",
    Approved = "approved",
    Denied = "denied",
    OwnWish = "own-wish",
    LockSeen = "lock-seen",
    Unlocked = "unlocked",
    Exported = "exported",
    OutletsChanged = "outlets-changed"
);

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The account; 0: nobody of staff, a key of the API or the command line.
    pub staff: i64,
    /// The name at that time.
    pub name: String,
    /// The role at that time; empty: none.
    pub role: String,
    /// From where.
    pub place: Place,
}

impl Actor {
    /// Somebody of staff.
    pub fn of(member: &Member, place: &Place) -> Actor {
        Actor {
            staff: member.id,
            name: member.name.clone(),
            role: member.role.name().to_owned(),
            place: place.clone(),
        }
    }

    /// Somebody who is not signed in as staff, by the name they give.
    pub fn outside(name: &str) -> Actor {
        Actor {
            staff: 0,
            name: kept(name),
            role: String::new(),
            place: Place::default(),
        }
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffLine {
    /// From 1, without gaps.
    pub line: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// Stable name of a [`Deed`].
    pub deed: String,
    /// About what: a complaint, an exception, a payment, a masked number, a name of staff.
    pub about: String,
    /// More; reasons as they were typed.
    pub detail: String,
    seal: Vec<u8>,
}

/// Which lines.
#[derive(Clone, Debug, Default)]
pub struct TrailQuery {
    /// Only of this name; empty: of everybody.
    pub name: String,
    /// Only about this; empty: about anything.
    pub about: String,
    /// Older than this line; 0: the newest.
    pub before: i64,
}

impl People {
    /// Writes a line. To be called before what it says is done: what cannot be written is not done.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_note(
        &self,
        by: &Actor,
        deed: Deed,
        about: &str,
        detail: &str,
        now: Timestamp,
    ) -> Result<()> {
        self.write(|tx| note(self, tx, by, deed, about, detail, now))
    }

    /// Lines, the newest first.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_trail(&self, which: &TrailQuery, lines_max: i64) -> Result<Vec<StaffLine>> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "select line, at, staff, name, role, deed, about, detail, device, place, seal from staff_trail
                 where (?1 = '' or name = ?1) and (?2 = '' or about = ?2) and (?3 = 0 or line < ?3)
                 order by line desc limit ?4",
            )?;
            let rows = query.query_map(params![which.name, which.about, which.before, lines_max], line)?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }

    /// The first line that was changed or that is missing, also at the end; `None`: the trail is whole.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_trail_broken_at(&self) -> Result<Option<i64>> {
        self.read(|db| {
            let mut query = db.prepare(
                "select line, at, staff, name, role, deed, about, detail, device, place, seal from staff_trail
                 order by line",
            )?;
            let rows = query.query_map([], line)?;
            let (mut number, mut before) = (0, Vec::new());
            let end = end(db)?;
            for row in rows {
                let row = row?;
                number += 1;
                if row.line != number || !same(&seal(self, &before, &row), &row.seal) {
                    return Ok(Some(number));
                }
                before = row.seal;
            }
            Ok(match end {
                None if number == 0 => None,
                Some((line, seal)) if line == number && same(&seal, &end_seal(self, line, &before)) => None,
                _ => Some(number + 1),
            })
        })
    }

    /// Where the trail ends: its last line, and a mark of all that stands there. Kept elsewhere, it shows later whether
    /// somebody put back an older file.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_trail_end(&self) -> Result<Option<(i64, String)>> {
        let found = self.read(last)?;
        Ok(found.map(|(line, seal)| {
            let mark = seal.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            (line, mark)
        }))
    }
}

/// Seals the end of a trail that an earlier version wrote.
pub(crate) fn seal_end(people: &People) -> Result<()> {
    people.write(|tx| match last(tx)? {
        Some((line, seal)) => put_end(people, tx, line, &seal),
        None => Ok(()),
    })
}

fn put_end(people: &People, tx: &Transaction, line: i64, seal: &[u8]) -> Result<()> {
    tx.execute(
        "insert into staff_trail_end (here, line, seal) values (0, ?1, ?2)
         on conflict (here) do update set line = excluded.line, seal = excluded.seal",
        params![line, end_seal(people, line, seal).to_vec()],
    )?;
    Ok(())
}

fn end_seal(people: &People, line: i64, seal: &[u8]) -> [u8; 32] {
    people
        .keys()
        .digest("end of staff trail", &[&line.to_be_bytes()[..], seal])
}

fn end(db: &Connection) -> Result<Option<(i64, Vec<u8>)>> {
    Ok(db
        .query_row(
            "select line, seal from staff_trail_end where here = 0",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?)
}

pub(crate) fn note(
    people: &People,
    tx: &Transaction,
    by: &Actor,
    deed: Deed,
    about: &str,
    detail: &str,
    now: Timestamp,
) -> Result<()> {
    let last = last(tx)?;
    let (number, before) = last.map_or((0, Vec::new()), |(number, seal)| (number, seal));
    let mut row = StaffLine {
        line: number + 1,
        at: now,
        by: by.clone(),
        deed: deed.name().to_owned(),
        about: kept(about),
        detail: kept(detail),
        seal: Vec::new(),
    };
    row.seal = seal(people, &before, &row);
    tx.execute(
        "insert into staff_trail (line, at, staff, name, role, deed, about, detail, device, place, seal)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            row.line,
            row.at.0,
            row.by.staff,
            row.by.name,
            row.by.role,
            row.deed,
            row.about,
            row.detail,
            row.by.place.device,
            row.by.place.address,
            row.seal
        ],
    )?;
    put_end(people, tx, row.line, &row.seal)
}

fn last(db: &Connection) -> Result<Option<(i64, Vec<u8>)>> {
    Ok(db
        .query_row(
            "select line, seal from staff_trail order by line desc limit 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?)
}

fn seal(people: &People, before: &[u8], row: &StaffLine) -> Vec<u8> {
    let numbers = [row.line, row.at.0, row.by.staff].map(i64::to_be_bytes);
    let parts: [&[u8]; 11] = [
        before,
        &numbers[0],
        &numbers[1],
        &numbers[2],
        row.by.name.as_bytes(),
        row.by.role.as_bytes(),
        row.deed.as_bytes(),
        row.about.as_bytes(),
        row.detail.as_bytes(),
        row.by.place.device.as_bytes(),
        row.by.place.address.as_bytes(),
    ];
    people.keys().digest("staff trail", &parts).to_vec()
}

fn line(row: &Row) -> rusqlite::Result<StaffLine> {
    Ok(StaffLine {
        line: row.get(0)?,
        at: Timestamp(row.get(1)?),
        by: Actor {
            staff: row.get(2)?,
            name: row.get(3)?,
            role: row.get(4)?,
            place: Place {
                device: row.get(8)?,
                address: row.get(9)?,
            },
        },
        deed: row.get(5)?,
        about: row.get(6)?,
        detail: row.get(7)?,
        seal: row.get(10)?,
    })
}
