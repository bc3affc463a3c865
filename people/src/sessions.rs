//! Sign-ins. A browser holds 256 random bits; here is only their SHA-256. Every sign-in and every step up gets a new token,
//! so that one planted before is worthless.

use crate::audit::{self, Deed};
use crate::db::{Module, People, Personal, Result, kept};
use crate::limits;
use crate::numbers;
use crate::person::PersonId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::{AccountId, Msisdn, Timestamp};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use sha2::{Digest as _, Sha256};

/// The tables.
pub const MODULE: Module = Module {
    name: "sessions",
    migrations: &["create table session (
            token blob primary key,
            session bigint not null,
            person bigint not null,
            number bigint not null,
            complete smallint not null,
            method text not null,
            device text not null,
            place text not null,
            created_at bigint not null,
            seen_at bigint not null,
            proved_at bigint not null,
            expires_at bigint not null
        );
        create index session_person on session (person);
        create index session_number on session (number);
        create index session_expires on session (expires_at);
        create index session_seen on session (seen_at);"],
    personal: &[Personal {
        table: "session",
        secret: &["token"],
    }],
};

/// What identifies a browser: 256 random bits in a cookie.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// A new one.
    pub fn random() -> Token {
        Token(rand::random())
    }

    /// From the cookie.
    pub fn parse(text: &str) -> Option<Token> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Token)
    }

    /// For the cookie, and nothing else.
    pub fn cookie(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What may be kept.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// From where somebody acts: kept with what they did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The device as people name it: "Chrome, Android".
    pub device: String,
    /// The network, without the part that names one customer: "203.0.113.0/24".
    pub address: String,
}

/// What somebody proved to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A code sent to the number.
    Code,
    /// A password.
    Password,
    /// A passkey, with the device's own check of the person.
    Passkey,
    /// A recovery code or the waiting time, after a code.
    Recovery,
}

impl Method {
    /// Every one.
    pub const ALL: [Method; 4] = [Method::Code, Method::Password, Method::Passkey, Method::Recovery];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Method::Code => "code",
            Method::Password => "password",
            Method::Passkey => "passkey",
            Method::Recovery => "recovery",
        }
    }
}

/// A sign-in to be made.
pub struct NewSession<'a> {
    /// The new token of the browser.
    pub token: &'a Token,
    /// Who.
    pub person: PersonId,
    /// The number that is shown; none when they have none now.
    pub number: Option<Msisdn>,
    /// False: a second factor must follow, and until then nothing is shown.
    pub complete: bool,
    /// With what.
    pub method: Method,
    /// From where.
    pub place: &'a Place,
}

/// A sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// For people: which of the list.
    pub id: i64,
    /// Who.
    pub person: PersonId,
    /// The number that is shown, with its account; none when they have none now.
    pub number: Option<(Msisdn, AccountId)>,
    /// False: a second factor must follow.
    pub complete: bool,
    /// With what they signed in.
    pub method: Method,
    /// From where.
    pub place: Place,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used, to a minute.
    pub seen_at: Timestamp,
    /// When they last proved who they are.
    pub proved_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// "This wasn't me" was pressed.
    pub locked: bool,
}

impl Session {
    /// Whether the last proof is recent enough to change how one signs in.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.complete && now.0 - self.proved_at.0 <= limits::FRESH_TIME
    }
}

const COLUMNS: &str = "s.session, s.person, s.number, coalesce(n.account, 0), s.complete, s.method, s.device, s.place, \
    s.created_at, s.seen_at, s.proved_at, s.expires_at, p.locked_at, coalesce(n.person, 0) \
    from session s join person p on p.person = s.person left join number n on n.number = s.number";

impl People {
    /// Signs a browser in. A person's oldest sign-in ends when there are too many.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn sign_in(&self, new: &NewSession, now: Timestamp) -> Result<i64> {
        self.write(|tx| {
            let id: i64 = rand::random_range(1..1 << 53);
            let life = if new.complete {
                limits::SESSION_LIFE
            } else {
                limits::SECOND_FACTOR_TIME
            };
            tx.execute(
                "insert into session (token, session, person, number, complete, method, device, place, created_at,
                    seen_at, proved_at, expires_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9, ?10)",
                params![
                    new.token.hash(),
                    id,
                    new.person.0,
                    new.number.map_or(0, numbers::number),
                    i64::from(new.complete),
                    new.method.name(),
                    kept(&new.place.device),
                    kept(&new.place.address),
                    now.0,
                    now.plus(life).0
                ],
            )?;
            tx.execute(
                "delete from session where token in (select token from session where person = ?1
                    order by created_at desc, session limit 1000 offset ?2)",
                params![
                    new.person.0,
                    i64::try_from(limits::SESSIONS_PER_PERSON).unwrap_or(i64::MAX)
                ],
            )?;
            if new.complete {
                audit::note(tx, new.person, Deed::SignedIn, new.place, new.method.name(), now)?;
            }
            Ok(id)
        })
    }

    /// The sign-in of a browser, complete or not.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn session(&self, token: &Token, now: Timestamp) -> Result<Option<Session>> {
        self.read(|db| {
            let mut query = db.prepare_cached(&format!("select {COLUMNS} where s.token = ?1"))?;
            let found = query.query_row([token.hash()], session).optional()?;
            Ok(found.filter(|session| is_alive(session, now)))
        })
    }

    /// Marks a sign-in as used.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn session_seen(&self, id: i64, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "update session set seen_at = ?2 where session = ?1",
                params![id, now.0],
            )?;
            Ok(())
        })
    }

    /// A further proof: the second factor, or the same again for something that matters. The browser gets a new token.
    /// False when the sign-in has ended meanwhile.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn session_proved(&self, old: &Token, new: &Token, now: Timestamp) -> Result<bool> {
        self.write(|tx| {
            let mut query = tx.prepare_cached(&format!("select {COLUMNS} where s.token = ?1"))?;
            let found = query.query_row([old.hash()], session).optional()?;
            let Some(session) = found.filter(|session| is_alive(session, now)) else {
                return Ok(false);
            };
            tx.execute(
                "update session set token = ?2, complete = 1, proved_at = ?3, seen_at = ?3, expires_at = ?4
                 where token = ?1",
                params![old.hash(), new.hash(), now.0, now.plus(limits::SESSION_LIFE).0],
            )?;
            let deed = if session.complete {
                Deed::ProvedAgain
            } else {
                Deed::SignedIn
            };
            audit::note(
                tx,
                session.person,
                deed,
                &session.place,
                session.method.name(),
                now,
            )?;
            Ok(true)
        })
    }

    /// Shows another number of the same person in this sign-in. False when it is not theirs.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn session_number(&self, session: &Session, number: Msisdn) -> Result<bool> {
        self.write(|tx| {
            let changed = tx.execute(
                "update session set number = ?2 where session = ?1 and exists
                    (select 1 from number where number = ?2 and person = ?3)",
                params![session.id, numbers::number(number), session.person.0],
            )?;
            Ok(changed == 1)
        })
    }

    /// The complete sign-ins of a person, the one used last first.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn sessions_of(&self, person: PersonId, now: Timestamp) -> Result<Vec<Session>> {
        self.read(|db| {
            let mut query = db.prepare_cached(&format!(
                "select {COLUMNS} where s.person = ?1 and s.complete = 1 order by s.seen_at desc, s.session"
            ))?;
            let rows = query.query_map([person.0], session)?;
            let all: Vec<Session> = rows.collect::<std::result::Result<_, _>>()?;
            Ok(all.into_iter().filter(|session| is_alive(session, now)).collect())
        })
    }

    /// Signs a browser out.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn sign_out(&self, token: &Token) -> Result<()> {
        self.write(|tx| {
            tx.execute("delete from session where token = ?1", [token.hash()])?;
            Ok(())
        })
    }

    /// Ends one sign-in of a person.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn end_session(&self, person: PersonId, id: i64, place: &Place, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            let ended = tx.execute(
                "delete from session where person = ?1 and session = ?2",
                params![person.0, id],
            )?;
            if ended > 0 {
                audit::note(tx, person, Deed::SessionEnded, place, "", now)?;
            }
            Ok(())
        })
    }

    /// Ends every sign-in of a person, but one if asked to.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn end_sessions(
        &self,
        person: PersonId,
        but: Option<i64>,
        place: &Place,
        now: Timestamp,
    ) -> Result<()> {
        self.write(|tx| {
            end_all(tx, person, but)?;
            audit::note(tx, person, Deed::SessionsEnded, place, "", now)
        })
    }
}

pub(crate) fn end_all(tx: &Transaction, person: PersonId, but: Option<i64>) -> Result<()> {
    tx.execute(
        "delete from session where person = ?1 and session <> ?2",
        params![person.0, but.unwrap_or(0)],
    )?;
    Ok(())
}

fn is_alive(session: &Session, now: Timestamp) -> bool {
    session.expires_at > now && now.0 - session.seen_at.0 < limits::SESSION_IDLE
}

fn session(row: &Row) -> rusqlite::Result<Session> {
    let person = PersonId(row.get(1)?);
    let number: i64 = row.get(2)?;
    let account = AccountId(row.get::<_, i64>(3)?.cast_unsigned());
    let method: String = row.get(5)?;
    let is_theirs = row.get::<_, i64>(13)? == person.0;
    Ok(Session {
        id: row.get(0)?,
        person,
        number: (number != 0 && is_theirs).then(|| (numbers::msisdn(number), account)),
        complete: row.get::<_, i64>(4)? == 1,
        method: Method::ALL
            .into_iter()
            .find(|known| known.name() == method)
            .unwrap_or(Method::Code),
        place: Place {
            device: row.get(6)?,
            address: row.get(7)?,
        },
        created_at: Timestamp(row.get(8)?),
        seen_at: Timestamp(row.get(9)?),
        proved_at: Timestamp(row.get(10)?),
        expires_at: Timestamp(row.get(11)?),
        locked: row.get::<_, i64>(12)? != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;
    use crate::numbers::Line;
    use charge::catalog::Language;
    use charge::time::MINUTE;

    fn someone(people: &People, now: Timestamp) -> (PersonId, Msisdn) {
        let line = Line {
            number: Msisdn::new(923_001_234_567).unwrap(),
            account: AccountId(7),
            imsi: None,
        };
        let proven = people
            .number_proven(line, Language::En, &Place::default(), now)
            .unwrap();
        (proven.person, line.number)
    }

    fn begin(people: &People, who: (PersonId, Msisdn), complete: bool, now: Timestamp) -> Token {
        let token = Token::random();
        let new = NewSession {
            token: &token,
            person: who.0,
            number: Some(who.1),
            complete,
            method: Method::Code,
            place: &Place::default(),
        };
        people.sign_in(&new, now).unwrap();
        token
    }

    #[test]
    fn sign_ins_end_by_time_by_idleness_and_by_hand() {
        let people = people();
        let now = Timestamp(1_000_000 * MINUTE);
        let who = someone(&people, now);
        let token = begin(&people, who, true, now);
        let found = people
            .session(&Token::parse(&token.cookie()).unwrap(), now)
            .unwrap()
            .unwrap();
        assert_eq!((found.person, found.number), (who.0, Some((who.1, AccountId(7)))));
        assert!(people.session(&Token::random(), now).unwrap().is_none());
        let idle = now.plus(limits::SESSION_IDLE);
        assert!(people.session(&token, idle).unwrap().is_none());
        people.session_seen(found.id, idle.plus(-1)).unwrap();
        assert!(people.session(&token, idle).unwrap().is_some());
        let mut at = now;
        while at < found.expires_at {
            people.session_seen(found.id, at).unwrap();
            at = at.plus(limits::SESSION_IDLE - 1);
        }
        assert!(
            people.session(&token, found.expires_at).unwrap().is_none(),
            "used or not"
        );
        let (here, there) = (begin(&people, who, true, now), begin(&people, who, true, now));
        let id = people.session(&here, now).unwrap().unwrap().id;
        people
            .end_sessions(who.0, Some(id), &Place::default(), now)
            .unwrap();
        assert!(people.session(&there, now).unwrap().is_none());
        assert!(people.session(&here, now).unwrap().is_some());
        people.sign_out(&here).unwrap();
        assert_eq!(people.sessions_of(who.0, now).unwrap(), []);
    }

    #[test]
    fn a_second_factor_brings_a_new_token_and_must_come_soon() {
        let people = people();
        let now = Timestamp(1_000_000 * MINUTE);
        let who = someone(&people, now);
        let (half, full) = (begin(&people, who, false, now), Token::random());
        assert!(!people.session(&half, now).unwrap().unwrap().complete);
        assert_eq!(people.sessions_of(who.0, now).unwrap(), []);
        let late = now.plus(limits::SECOND_FACTOR_TIME);
        assert!(!people.session_proved(&half, &full, late).unwrap());
        assert!(people.session_proved(&half, &full, now).unwrap());
        assert!(
            people.session(&half, now).unwrap().is_none(),
            "the old token is worthless"
        );
        let session = people.session(&full, now).unwrap().unwrap();
        assert!(session.complete && session.is_fresh(now));
        assert!(!session.is_fresh(now.plus(limits::FRESH_TIME + 1)));
    }

    #[test]
    fn only_so_many_sign_ins_of_one_person() {
        let people = people();
        let now = Timestamp(1_000_000 * MINUTE);
        let who = someone(&people, now);
        let tokens: Vec<Token> = (0..30).map(|n| begin(&people, who, true, now.plus(n))).collect();
        let now = now.plus(30);
        assert_eq!(
            people.sessions_of(who.0, now).unwrap().len(),
            limits::SESSIONS_PER_PERSON
        );
        assert!(people.session(&tokens[0], now).unwrap().is_none());
        assert!(people.session(&tokens[29], now).unwrap().is_some());
    }
}
