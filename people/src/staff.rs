//! Accounts of staff: apart from those of subscribers, with a password and a second factor from the first day, short
//! sign-ins that belong to one device and network, and roles.
//!
//! An account begins with a secret that works once (`raseed staff add`): its owner chooses a password and shows a code of the
//! authenticator app; before that nobody can sign in.

use crate::complaints::names;
use crate::db::{Module, People, Result};
use crate::keys::same;
use crate::limits;
use crate::numbers;
use crate::password;
use crate::sessions::{Place, Token};
use crate::staff_trail::{self, Actor, Deed};
use crate::throttle::{self, Throttled};
use crate::totp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::{AccountId, Msisdn, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use sha2::{Digest as _, Sha256};

/// The tables. Nothing in them is about a subscriber but openings, which end within minutes.
pub const MODULE: Module = Module {
    name: "staff",
    migrations: &["create table staff (
            staff bigint primary key,
            name text not null,
            role text not null,
            active smallint not null,
            created_at bigint not null,
            password text not null,
            totp blob not null,
            last_step bigint not null,
            invitation blob not null,
            invited_until bigint not null
        );
        create unique index staff_name on staff (name);
        create table staff_session (
            token blob primary key,
            staff bigint not null,
            device text not null,
            place text not null,
            created_at bigint not null,
            seen_at bigint not null
        );
        create index staff_session_staff on staff_session (staff);
        create table staff_opening (
            staff bigint not null,
            account bigint not null,
            number bigint not null,
            until_at bigint not null,
            primary key (staff, account)
        );"],
    personal: &[],
};

/// What somebody of staff may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Answers people.
    Support,
    /// Decides about money that is not where it belongs.
    Finance,
    /// Everything, and who is staff.
    Admin,
}
names!(Role, 3, Support = "support", Finance = "finance", Admin = "admin");

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Duty {
    Complaints,
    Subscribers,
    Locks,
    Exceptions,
    Suspense,
    Figures,
    Approvals,
    Trail,
    Team,
}
names!(
    Duty,
    9,
    Complaints = "complaints",
    Subscribers = "subscribers",
    Locks = "locks",
    Exceptions = "exceptions",
    Suspense = "suspense",
    Figures = "figures",
    Approvals = "approvals",
    Trail = "trail",
    Team = "team"
);

impl Role {
    /// Whether this work is theirs.
    pub fn may(self, duty: Duty) -> bool {
        match self {
            Role::Admin => true,
            Role::Support => matches!(duty, Duty::Complaints | Duty::Subscribers | Duty::Locks),
            Role::Finance => matches!(
                duty,
                Duty::Exceptions | Duty::Suspense | Duty::Figures | Duty::Approvals | Duty::Subscribers
            ),
        }
    }
}

/// Somebody of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Random, positive, below 2^53.
    pub id: i64,
    /// The name to sign in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// False: switched off.
    pub active: bool,
    /// They have set their account up.
    pub ready: bool,
    /// Since when.
    pub created_at: Timestamp,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// A name is 2 to 32 small letters, digits, dots and hyphens.
    BadName,
    /// Somebody has the name.
    Taken,
    /// Nobody has the name.
    Unknown,
    /// Without this one nobody could administer.
    LastAdmin,
}

/// A change of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Another role.
    Role(Role),
    /// On or off.
    Active(bool),
    /// A new secret to set the account up: password and second factor are gone until then.
    Invite,
}

/// An account that waits to be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// The name to sign in with.
    pub name: String,
    /// The secret for the authenticator app, in base 32.
    pub totp: String,
}

/// A sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffSession {
    /// Who.
    pub member: Member,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used, to a minute.
    pub seen_at: Timestamp,
}

/// A try that was counted; its password is to be verified.
pub struct StaffTry {
    id: Option<i64>,
    name: String,
    hash: Option<String>,
}

const COLUMNS: &str = "m.staff, m.name, m.role, m.active, m.password, m.created_at";

impl People {
    /// Makes an account. The secret sets it up, once.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`Declined`].
    pub fn staff_add(
        &self,
        by: &Actor,
        name: &str,
        role: Role,
        now: Timestamp,
    ) -> Result<std::result::Result<String, Declined>> {
        if !is_name(name) {
            return Ok(Err(Declined::BadName));
        }
        self.write(|tx| {
            if find(tx, name)?.is_some() {
                return Ok(Err(Declined::Taken));
            }
            let id: i64 = rand::random_range(1..1 << 53);
            tx.execute(
                "insert into staff (staff, name, role, active, created_at, password, totp, last_step, invitation,
                    invited_until) values (?1, ?2, ?3, 1, ?4, '', ?5, 0, ?6, 0)",
                params![id, name, role.name(), now.0, Vec::<u8>::new(), Vec::<u8>::new()],
            )?;
            staff_trail::note(self, tx, by, Deed::Added, name, role.name(), now)?;
            Ok(Ok(self.invite(tx, id, now)?))
        })
    }

    /// Changes an account; every sign-in of it ends. Gives the secret of a new invitation.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`Declined`].
    pub fn staff_change(
        &self,
        by: &Actor,
        name: &str,
        change: Change,
        now: Timestamp,
    ) -> Result<std::result::Result<Option<String>, Declined>> {
        self.write(|tx| {
            let Some(member) = find(tx, name)? else {
                return Ok(Err(Declined::Unknown));
            };
            let stays = matches!(
                change,
                Change::Role(Role::Admin) | Change::Active(true) | Change::Invite
            );
            if member.role == Role::Admin && member.active && !stays && admins(tx)? < 2 {
                return Ok(Err(Declined::LastAdmin));
            }
            tx.execute("delete from staff_session where staff = ?1", [member.id])?;
            let (deed, detail) = match change {
                Change::Role(role) => {
                    tx.execute(
                        "update staff set role = ?2 where staff = ?1",
                        params![member.id, role.name()],
                    )?;
                    (
                        Deed::RoleChanged,
                        format!("{} -> {}", member.role.name(), role.name()),
                    )
                }
                Change::Active(active) => {
                    tx.execute(
                        "update staff set active = ?2 where staff = ?1",
                        params![member.id, i64::from(active)],
                    )?;
                    let deed = if active {
                        Deed::SwitchedOn
                    } else {
                        Deed::SwitchedOff
                    };
                    (deed, String::new())
                }
                Change::Invite => (Deed::InvitedAgain, String::new()),
            };
            staff_trail::note(self, tx, by, deed, name, &detail, now)?;
            match change {
                Change::Invite => Ok(Ok(Some(self.invite(tx, member.id, now)?))),
                _ => Ok(Ok(None)),
            }
        })
    }

    fn invite(&self, tx: &Transaction, id: i64, now: Timestamp) -> Result<String> {
        let secret: [u8; 32] = rand::random();
        let totp: [u8; totp::SECRET_BYTES] = rand::random();
        tx.execute(
            "update staff set password = '', totp = ?2, last_step = 0, invitation = ?3, invited_until = ?4
             where staff = ?1",
            params![
                id,
                self.keys().seal(&owner(id), &totp)?,
                Sha256::digest(secret).to_vec(),
                now.plus(limits::STAFF_INVITATION_LIFE).0
            ],
        )?;
        Ok(URL_SAFE_NO_PAD.encode(secret))
    }

    /// Everybody of staff, by name.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff(&self) -> Result<Vec<Member>> {
        self.read(|db| {
            let mut query = db.prepare_cached(&format!("select {COLUMNS} from staff m order by m.name"))?;
            let rows = query.query_map([], member)?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }

    /// Whom a secret invites; looking uses nothing up.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_invited(&self, secret: &str, now: Timestamp) -> Result<Option<Invited>> {
        self.read(|db| {
            let Some((id, name, sealed)) = invited(db, secret, now)? else {
                return Ok(None);
            };
            let totp = totp::base32(&self.keys().open(&owner(id), &sealed)?);
            Ok(Some(Invited { name, totp }))
        })
    }

    /// Sets the account up: the password by its hash, and a code that shows that the app has the secret. False: wrong code,
    /// or the secret is worthless.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`Throttled`].
    pub fn staff_set_up(
        &self,
        secret: &str,
        (hash, code): (&str, &str),
        place: &Place,
        now: Timestamp,
    ) -> Result<std::result::Result<bool, Throttled>> {
        self.write(|tx| {
            let Some((id, name, sealed)) = invited(tx, secret, now)? else {
                return Ok(Ok(false));
            };
            if let Err(throttled) =
                throttle::WRONG_STAFF_NAME.look(self, tx, &digest_of(&name), now)?
            {
                return Ok(Err(throttled));
            }
            let totp = self.keys().open(&owner(id), &sealed)?;
            let Some(step) = totp::step_of(&totp, 0, code, now) else {
                let _ = throttle::WRONG_STAFF_NAME.take(self, tx, &digest_of(&name), now)?;
                return Ok(Ok(false));
            };
            tx.execute(
                "update staff set password = ?2, last_step = ?3, invitation = ?4, invited_until = 0 where staff = ?1",
                params![id, hash, step, Vec::<u8>::new()],
            )?;
            let who = find(tx, &name)?.map_or_else(|| Actor::outside(&name), |m| Actor::of(&m, place));
            staff_trail::note(self, tx, &who, Deed::SetUp, &name, "", now)?;
            Ok(Ok(true))
        })
    }

    /// Counts a try for a name at an address, whether or not there is such an account.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`Throttled`].
    pub fn staff_try(
        &self,
        name: &str,
        address: u64,
        now: Timestamp,
    ) -> Result<std::result::Result<StaffTry, Throttled>> {
        self.write(|tx| {
            let limits_of = [
                (
                    throttle::WRONG_STAFF_ADDRESS,
                    Sha256::digest(address.to_be_bytes()).into(),
                ),
                (throttle::WRONG_STAFF_NAME, digest_of(name)),
            ];
            for (limit, caller) in &limits_of {
                if let Err(throttled) = limit.look(self, tx, caller, now)? {
                    return Ok(Err(throttled));
                }
            }
            for (limit, caller) in &limits_of {
                let _ = limit.take(self, tx, caller, now)?;
            }
            let found: Option<(i64, String)> = tx
                .query_row(
                    "select staff, password from staff where name = ?1 and active = 1 and password <> ''",
                    [name],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            Ok(Ok(StaffTry {
                id: found.as_ref().map(|(id, _)| *id),
                name: crate::db::kept(name),
                hash: found.map(|(_, hash)| hash),
            }))
        })
    }

    /// Whether it is the password. Slow, and as slow when there is no such account.
    pub fn staff_verify(&self, attempt: &StaffTry, password: &str) -> bool {
        let right = password::verify(self, attempt.hash.as_deref(), password);
        right && attempt.id.is_some()
    }

    /// Signs in when password and code are right; the code works once. What was wrong is not said. Both ends stand in the
    /// trail.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_enter(
        &self,
        attempt: &StaffTry,
        (right, code): (bool, &str),
        (token, place, address): (&Token, &Place, u64),
        now: Timestamp,
    ) -> Result<bool> {
        self.write(|tx| {
            let member = match attempt.id {
                Some(_) => find(tx, &attempt.name)?.filter(|member| member.active && member.ready),
                None => None,
            };
            let step = match &member {
                Some(member) if right => self.step(tx, member.id, code, now)?,
                _ => None,
            };
            let (Some(member), Some(step)) = (member, step) else {
                let who = Actor {
                    place: place.clone(),
                    ..Actor::outside(&attempt.name)
                };
                staff_trail::note(self, tx, &who, Deed::SignInFailed, &attempt.name, "", now)?;
                return Ok(false);
            };
            tx.execute(
                "update staff set last_step = ?2 where staff = ?1",
                params![member.id, step],
            )?;
            tx.execute(
                "insert into staff_session (token, staff, device, place, created_at, seen_at)
                 values (?1, ?2, ?3, ?4, ?5, ?5)",
                params![token.hash(), member.id, place.device, place.address, now.0],
            )?;
            tx.execute(
                "delete from staff_session where token in (select token from staff_session where staff = ?1
                    order by created_at desc limit 1000 offset ?2)",
                params![member.id, limits::STAFF_SESSIONS_MAX],
            )?;
            throttle::WRONG_STAFF_NAME.forget(self, tx, &digest_of(&attempt.name))?;
            let caller: [u8; 32] = Sha256::digest(address.to_be_bytes()).into();
            throttle::WRONG_STAFF_ADDRESS.give_back(self, tx, &caller)?;
            staff_trail::note(self, tx, &Actor::of(&member, place), Deed::SignedIn, "", "", now)?;
            Ok(true)
        })
    }

    fn step(&self, tx: &Transaction, id: i64, code: &str, now: Timestamp) -> Result<Option<i64>> {
        let (sealed, last): (Vec<u8>, i64) = tx.query_row(
            "select totp, last_step from staff where staff = ?1",
            [id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let secret = self.keys().open(&owner(id), &sealed)?;
        Ok(totp::step_of(&secret, last, code, now))
    }

    /// The sign-in of a browser. One that is shown from another device or network is not believed, and ends: somebody has
    /// taken it.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_session(
        &self,
        token: &Token,
        place: &Place,
        now: Timestamp,
    ) -> Result<Option<StaffSession>> {
        let found = self.read(|db| session(db, token))?;
        let Some((session, device, network)) = found else {
            return Ok(None);
        };
        let alive = session.member.active
            && now.0 - session.created_at.0 < limits::STAFF_SESSION_LIFE
            && now.0 - session.seen_at.0 < limits::STAFF_SESSION_IDLE;
        if !alive {
            return Ok(None);
        }
        if device != place.device || network != place.address {
            self.write(|tx| {
                tx.execute("delete from staff_session where token = ?1", [token.hash()])?;
                let who = Actor::of(&session.member, place);
                staff_trail::note(self, tx, &who, Deed::SessionRefused, "", &device, now)
            })?;
            return Ok(None);
        }
        if now.0 - session.seen_at.0 >= limits::SEEN_INTERVAL {
            self.write(|tx| {
                tx.execute(
                    "update staff_session set seen_at = ?2 where token = ?1",
                    params![token.hash(), now.0],
                )?;
                Ok(())
            })?;
        }
        Ok(Some(session))
    }

    /// Signs out.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_out(&self, by: &Actor, token: &Token, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            tx.execute("delete from staff_session where token = ?1", [token.hash()])?;
            staff_trail::note(self, tx, by, Deed::SignedOut, "", "", now)
        })
    }

    /// Opens a subscriber's account to somebody of staff for a few minutes, with the reason in the trail.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_open(
        &self,
        by: &Actor,
        (account, number): (AccountId, Msisdn),
        reason: &str,
        now: Timestamp,
    ) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "insert into staff_opening (staff, account, number, until_at) values (?1, ?2, ?3, ?4)
                 on conflict (staff, account) do update set number = excluded.number, until_at = excluded.until_at",
                params![
                    by.staff,
                    account.0.cast_signed(),
                    numbers::number(number),
                    now.plus(limits::STAFF_OPENING_LIFE).0
                ],
            )?;
            staff_trail::note(self, tx, by, Deed::Opened, &number.masked(), reason, now)
        })
    }

    /// The number of an account that is open to somebody of staff.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn staff_opened(&self, staff: i64, account: AccountId, now: Timestamp) -> Result<Option<Msisdn>> {
        self.read(|db| {
            let number: Option<i64> = db
                .query_row(
                    "select number from staff_opening where staff = ?1 and account = ?2 and until_at > ?3",
                    params![staff, account.0.cast_signed(), now.0],
                    |row| row.get(0),
                )
                .optional()?;
            Ok(number.map(numbers::msisdn))
        })
    }
}

/// Removes what has passed its time.
pub(crate) fn sweep(tx: &Transaction, now: Timestamp) -> Result<()> {
    tx.execute("delete from staff_opening where until_at <= ?1", [now.0])?;
    tx.execute(
        "delete from staff_session where seen_at <= ?1 or created_at <= ?2",
        params![
            now.0 - limits::STAFF_SESSION_IDLE,
            now.0 - limits::STAFF_SESSION_LIFE
        ],
    )?;
    Ok(())
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    (2..=limits::STAFF_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

fn owner(id: i64) -> Vec<u8> {
    format!("staff totp {id}").into_bytes()
}

fn digest_of(name: &str) -> [u8; 32] {
    Sha256::digest(name.as_bytes()).into()
}

fn admins(db: &Connection) -> Result<i64> {
    Ok(db.query_row(
        "select count(*) from staff where role = 'admin' and active = 1",
        [],
        |row| row.get(0),
    )?)
}

fn find(db: &Connection, name: &str) -> Result<Option<Member>> {
    let mut query = db.prepare_cached(&format!("select {COLUMNS} from staff m where m.name = ?1"))?;
    Ok(query.query_row([name], member).optional()?)
}

fn invited(db: &Connection, secret: &str, now: Timestamp) -> Result<Option<(i64, String, Vec<u8>)>> {
    let Ok(secret) = URL_SAFE_NO_PAD.decode(secret) else {
        return Ok(None);
    };
    let digest = Sha256::digest(secret).to_vec();
    let mut query = db.prepare_cached(
        "select staff, name, totp, invitation from staff where active = 1 and invitation = ?1 and invited_until > ?2",
    )?;
    let found: Option<(i64, String, Vec<u8>, Vec<u8>)> = query
        .query_row(params![digest, now.0], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    Ok(found
        .filter(|(_, _, _, kept)| same(kept, &digest))
        .map(|(id, name, totp, _)| (id, name, totp)))
}

fn session(db: &Connection, token: &Token) -> Result<Option<(StaffSession, String, String)>> {
    let mut query = db.prepare_cached(&format!(
        "select {COLUMNS}, s.device, s.place, s.created_at, s.seen_at
         from staff_session s join staff m on m.staff = s.staff where s.token = ?1"
    ))?;
    let found = query.query_row([token.hash()], |row| {
        let session = StaffSession {
            member: member(row)?,
            created_at: Timestamp(row.get(8)?),
            seen_at: Timestamp(row.get(9)?),
        };
        Ok((session, row.get(6)?, row.get(7)?))
    });
    Ok(found.optional()?)
}

fn member(row: &Row) -> rusqlite::Result<Member> {
    let role: String = row.get(2)?;
    let password: String = row.get(4)?;
    Ok(Member {
        id: row.get(0)?,
        name: row.get(1)?,
        // A role of a later version may do as little as possible.
        role: Role::parse(&role).unwrap_or(Role::Support),
        active: row.get::<_, i64>(3)? == 1,
        ready: !password.is_empty(),
        created_at: Timestamp(row.get(5)?),
    })
}

#[cfg(test)]
#[path = "staff_tests.rs"]
mod tests;
