//! What was done to an account, for its owner to see, and what support must look at.

use crate::db::{Module, People, Result, kept, open_table};
use crate::limits;
use crate::person::PersonId;
use crate::sessions::Place;
use crate::untold;
use charge::Timestamp;
use rusqlite::{Transaction, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "audit",
    migrations: &["create table audit (
            person bigint not null,
            line bigint not null,
            at bigint not null,
            deed text not null,
            device text not null,
            place text not null,
            detail text not null,
            primary key (person, line)
        );
        create table support_notice (
            notice bigint primary key,
            person bigint not null,
            at bigint not null,
            kind text not null,
            detail text not null,
            closed_at bigint not null
        );
        create index support_notice_open on support_notice (closed_at, at);"],
    personal: &[open_table("audit"), open_table("support_notice")],
};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Deed {
    SignedUp,
    SignedIn,
    ProvedAgain,
    SessionEnded,
    SessionsEnded,
    NumberAdded,
    NumberEnded,
    PasswordSet,
    PasswordRemoved,
    PasskeyAdded,
    PasskeyRemoved,
    TotpOn,
    TotpOff,
    RecoveryCodesMade,
    RecoveryCodeUsed,
    RecoveryAsked,
    RecoveryCancelled,
    Recovered,
    ProfileChanged,
    ConsentChanged,
    EmailProven,
    EmailRemoved,
    PushAdded,
    PushRemoved,
    Exported,
    DeletionAsked,
    DeletionCancelled,
    Locked,
    Unlocked,
    MandateGiven,
    MandateEnded,
}

impl Deed {
    /// Every one.
    pub const ALL: [Deed; 31] = [
        Deed::SignedUp,
        Deed::SignedIn,
        Deed::ProvedAgain,
        Deed::SessionEnded,
        Deed::SessionsEnded,
        Deed::NumberAdded,
        Deed::NumberEnded,
        Deed::PasswordSet,
        Deed::PasswordRemoved,
        Deed::PasskeyAdded,
        Deed::PasskeyRemoved,
        Deed::TotpOn,
        Deed::TotpOff,
        Deed::RecoveryCodesMade,
        Deed::RecoveryCodeUsed,
        Deed::RecoveryAsked,
        Deed::RecoveryCancelled,
        Deed::Recovered,
        Deed::ProfileChanged,
        Deed::ConsentChanged,
        Deed::EmailProven,
        Deed::EmailRemoved,
        Deed::PushAdded,
        Deed::PushRemoved,
        Deed::Exported,
        Deed::DeletionAsked,
        Deed::DeletionCancelled,
        Deed::Locked,
        Deed::Unlocked,
        Deed::MandateGiven,
        Deed::MandateEnded,
    ];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Deed::SignedUp => "signed-up",
            Deed::SignedIn => "signed-in",
            Deed::ProvedAgain => "proved-again",
            Deed::SessionEnded => "session-ended",
            Deed::SessionsEnded => "sessions-ended",
            Deed::NumberAdded => "number-added",
            Deed::NumberEnded => "number-ended",
            Deed::PasswordSet => "password-set",
            Deed::PasswordRemoved => "password-removed",
            Deed::PasskeyAdded => "passkey-added",
            Deed::PasskeyRemoved => "passkey-removed",
            Deed::TotpOn => "totp-on",
            Deed::TotpOff => "totp-off",
            Deed::RecoveryCodesMade => "recovery-codes-made",
            Deed::RecoveryCodeUsed => "recovery-code-used",
            Deed::RecoveryAsked => "recovery-asked",
            Deed::RecoveryCancelled => "recovery-cancelled",
            Deed::Recovered => "recovered",
            Deed::ProfileChanged => "profile-changed",
            Deed::ConsentChanged => "consent-changed",
            Deed::EmailProven => "email-proven",
            Deed::EmailRemoved => "email-removed",
            Deed::PushAdded => "push-added",
            Deed::PushRemoved => "push-removed",
            Deed::Exported => "exported",
            Deed::DeletionAsked => "deletion-asked",
            Deed::DeletionCancelled => "deletion-cancelled",
            Deed::Locked => "locked",
            Deed::Unlocked => "unlocked",
            Deed::MandateGiven => "mandate-given",
            Deed::MandateEnded => "mandate-ended",
        }
    }
}

/// A line of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// When.
    pub at: Timestamp,
    /// Stable name of a [`Deed`].
    pub deed: String,
    /// From where.
    pub place: Place,
    /// More, without secrets; numbers are masked.
    pub detail: String,
}

/// Something that support must look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportNotice {
    /// Which.
    pub id: i64,
    /// About whom.
    pub person: PersonId,
    /// Since when.
    pub at: Timestamp,
    /// Stable name: `not-me`.
    pub kind: String,
    /// What they said it is about.
    pub detail: String,
}

impl People {
    /// The newest lines of a person's trail.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn audit_of(&self, person: PersonId, lines_max: i64) -> Result<Vec<AuditLine>> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "select at, deed, device, place, detail from audit where person = ?1 order by line desc limit ?2",
            )?;
            let rows = query.query_map(params![person.0, lines_max], |row| {
                Ok(AuditLine {
                    at: Timestamp(row.get(0)?),
                    deed: row.get(1)?,
                    place: Place {
                        device: row.get(2)?,
                        address: row.get(3)?,
                    },
                    detail: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn note(
        &self,
        person: PersonId,
        deed: Deed,
        place: &Place,
        detail: &str,
        now: Timestamp,
    ) -> Result<()> {
        self.write(|tx| note(tx, person, deed, place, detail, now))
    }

    /// What support has not closed yet, the oldest first.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn support_notices(&self, count_max: i64) -> Result<Vec<SupportNotice>> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "select notice, person, at, kind, detail from support_notice where closed_at = 0
                 order by at, notice limit ?1",
            )?;
            let rows = query.query_map([count_max], |row| {
                Ok(SupportNotice {
                    id: row.get(0)?,
                    person: PersonId(row.get(1)?),
                    at: Timestamp(row.get(2)?),
                    kind: row.get(3)?,
                    detail: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }

    /// Support has looked at it.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn close_support_notice(&self, id: i64, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "update support_notice set closed_at = ?2 where notice = ?1 and closed_at = 0",
                params![id, now.0],
            )?;
            Ok(())
        })
    }
}

pub(crate) fn note(
    tx: &Transaction,
    person: PersonId,
    deed: Deed,
    place: &Place,
    detail: &str,
    now: Timestamp,
) -> Result<()> {
    let last: i64 = tx.query_row(
        "select coalesce(max(line), 0) from audit where person = ?1",
        [person.0],
        |row| row.get(0),
    )?;
    tx.execute(
        "insert into audit (person, line, at, deed, device, place, detail) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            person.0,
            last + 1,
            now.0,
            deed.name(),
            kept(&place.device),
            kept(&place.address),
            kept(detail)
        ],
    )?;
    tx.execute(
        "delete from audit where person = ?1 and line <= ?2",
        params![person.0, last + 1 - limits::AUDIT_LINES_MAX],
    )?;
    untold::note(tx, person, deed, place, now)
}

pub(crate) fn tell_support(
    tx: &Transaction,
    person: PersonId,
    kind: &str,
    detail: &str,
    now: Timestamp,
) -> Result<()> {
    let id: i64 = rand::random_range(1..1 << 53);
    tx.execute(
        "insert into support_notice (notice, person, at, kind, detail, closed_at) values (?1, ?2, ?3, ?4, ?5, 0)",
        params![id, person.0, now.0, kind, kept(detail)],
    )?;
    Ok(())
}
