//! Ways to reach somebody beside their numbers: one proven e-mail address, and browsers that take push messages.
//!
//! An address is proven by a code that was sent to it. Of a code only a keyed hash is kept; the sending is the caller's.

use crate::audit::{self, Deed};
use crate::db::{Module, People, Personal, Result, kept};
use crate::keys::same;
use crate::limits;
use crate::person::PersonId;
use crate::sessions::Place;
use crate::throttle::{MAILS_ADDRESS, MAILS_PERSON, Throttled, WRONG_MAIL_CODES_PERSON};
use crate::untold::{self, To};
use charge::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "addresses",
    migrations: &["create table email (
            person bigint primary key,
            address text not null,
            proven_at bigint not null
        );
        create table email_code (
            person bigint primary key,
            address text not null,
            digest blob not null,
            tries bigint not null,
            expires_at bigint not null
        );
        create index email_code_expires on email_code (expires_at);
        create table push (
            subscription bigint primary key,
            person bigint not null,
            endpoint text not null unique,
            key blob not null,
            auth blob not null,
            device text not null,
            added_at bigint not null
        );
        create index push_person on push (person, added_at);"],
    personal: &[
        crate::db::open_table("email"),
        crate::db::open_table("email_code"),
        // Whoever knows the address of a push service could bother its owner.
        Personal {
            table: "push",
            secret: &["endpoint"],
        },
    ],
};

/// A proven e-mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The address.
    pub address: String,
    /// Since when it is proven.
    pub proven_at: Timestamp,
}

/// Names a subscription: random, positive, below 2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PushId(pub i64);

/// What a browser says when it takes push messages (W3C Push API, RFC 8291).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Address of its push service.
    pub endpoint: String,
    /// Its public key on P-256: the uncompressed point, 65 bytes.
    pub key: Vec<u8>,
    /// Its secret, 16 bytes.
    pub auth: Vec<u8>,
}

/// A browser that takes push messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushTarget {
    /// Its name.
    pub id: PushId,
    /// Whose.
    pub person: PersonId,
    /// Where and how.
    pub subscription: Subscription,
    /// The device as people name it.
    pub device: String,
    /// Since when.
    pub added_at: Timestamp,
}

impl Subscription {
    /// Whether it can be one, as far as its lengths say. Where its address leads is somebody else's question.
    pub fn is_sound(&self) -> bool {
        self.endpoint.len() <= limits::PUSH_ENDPOINT_BYTES_MAX
            && self.key.len() == 65
            && self.key.first() == Some(&4)
            && self.auth.len() == 16
    }
}

impl People {
    /// The proven e-mail address of a person.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn email_of(&self, person: PersonId) -> Result<Option<Email>> {
        self.read(|db| email(db, person))
    }

    /// A code that proves an e-mail address, to be sent there and nowhere else. An older one is worthless from now on.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`Throttled`] when too many were sent to this address or for this person.
    pub fn new_mail_code(
        &self,
        person: PersonId,
        address: &str,
        now: Timestamp,
    ) -> Result<std::result::Result<String, Throttled>> {
        let address = kept(address);
        let code = format!("{:06}", rand::random_range(0..1_000_000));
        self.write(|tx| {
            let (to, whose) = (address.to_lowercase(), person.0.to_be_bytes());
            for (limit, caller) in [(MAILS_ADDRESS, to.as_bytes()), (MAILS_PERSON, &whose[..])] {
                if let Err(throttled) = limit.take(self, tx, caller, now)? {
                    return Ok(Err(throttled));
                }
            }
            tx.execute(
                "insert into email_code (person, address, digest, tries, expires_at) values (?1, ?2, ?3, 0, ?4)
                 on conflict (person) do update set address = excluded.address, digest = excluded.digest,
                    tries = 0, expires_at = excluded.expires_at",
                params![
                    person.0,
                    address,
                    self.mail_digest(person, &address, &code),
                    now.plus(limits::MAIL_CODE_LIFE).0
                ],
            )?;
            Ok(Ok(code))
        })
    }

    /// Takes the code that was sent to an address; a right one makes it the person's. The try is counted, durably,
    /// before it is judged.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`Throttled`] after too many wrong ones.
    pub fn prove_email(
        &self,
        person: PersonId,
        code: &str,
        place: &Place,
        now: Timestamp,
    ) -> Result<std::result::Result<bool, Throttled>> {
        self.write(|tx| {
            let caller = person.0.to_be_bytes();
            if let Err(throttled) = WRONG_MAIL_CODES_PERSON.look(self, tx, &caller, now)? {
                return Ok(Err(throttled));
            }
            let sent: Option<(String, Vec<u8>)> = tx
                .query_row(
                    "select address, digest from email_code where person = ?1 and expires_at > ?2 and tries < ?3",
                    params![person.0, now.0, limits::CODE_TRIES_MAX],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let right = sent
                .as_ref()
                .filter(|(address, digest)| same(digest, &self.mail_digest(person, address, code)));
            let Some((address, _)) = right else {
                tx.execute("update email_code set tries = tries + 1 where person = ?1", [person.0])?;
                let _ = WRONG_MAIL_CODES_PERSON.take(self, tx, &caller, now)?;
                return Ok(Ok(false));
            };
            tx.execute("delete from email_code where person = ?1", [person.0])?;
            let before = email(tx, person)?;
            tx.execute(
                "insert into email (person, address, proven_at) values (?1, ?2, ?3)
                 on conflict (person) do update set address = excluded.address, proven_at = excluded.proven_at",
                params![person.0, address, now.0],
            )?;
            tx.execute(
                "update person set email = ?2 where person = ?1",
                params![person.0, address],
            )?;
            audit::note(tx, person, Deed::EmailProven, place, "", now)?;
            let other = before.filter(|before| before.address.to_lowercase() != address.to_lowercase());
            tell_old(tx, person, other, place, now)?;
            Ok(Ok(true))
        })
    }

    /// Takes the e-mail address off.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn remove_email(&self, person: PersonId, place: &Place, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            tx.execute("delete from email_code where person = ?1", [person.0])?;
            tx.execute("update person set email = '' where person = ?1", [person.0])?;
            let before = email(tx, person)?;
            if tx.execute("delete from email where person = ?1", [person.0])? > 0 {
                audit::note(tx, person, Deed::EmailRemoved, place, "", now)?;
                tell_old(tx, person, before, place, now)?;
            }
            Ok(())
        })
    }

    /// Takes in a browser. One that was somebody else's is theirs no more: whoever sits there now is meant. False: it is
    /// not sound.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn add_push(
        &self,
        person: PersonId,
        subscription: &Subscription,
        place: &Place,
        now: Timestamp,
    ) -> Result<bool> {
        if !subscription.is_sound() {
            return Ok(false);
        }
        self.write(|tx| {
            tx.execute(
                "delete from push where endpoint = ?1 and person <> ?2",
                params![subscription.endpoint, person.0],
            )?;
            tx.execute(
                "insert into push (subscription, person, endpoint, key, auth, device, added_at)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 on conflict (endpoint) do update set key = excluded.key, auth = excluded.auth",
                params![
                    rand::random_range(1_i64..1 << 53),
                    person.0,
                    subscription.endpoint,
                    subscription.key,
                    subscription.auth,
                    kept(&place.device),
                    now.0
                ],
            )?;
            tx.execute(
                "delete from push where subscription in (select subscription from push where person = ?1
                    order by added_at desc, subscription limit 1000 offset ?2)",
                params![person.0, limits::PUSH_PER_PERSON],
            )?;
            audit::note(tx, person, Deed::PushAdded, place, "", now)?;
            Ok(true)
        })
    }

    /// Browsers of a person that take push messages, the newest first.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn push_of(&self, person: PersonId) -> Result<Vec<PushTarget>> {
        self.read(|db| push_targets(db, person))
    }

    /// One browser.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn push_target(&self, id: PushId) -> Result<Option<PushTarget>> {
        self.read(|db| {
            let found = db
                .query_row(
                    "select subscription, person, endpoint, key, auth, device, added_at from push
                     where subscription = ?1",
                    [id.0],
                    push_target,
                )
                .optional()?;
            Ok(found)
        })
    }

    /// Its owner took a browser off.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn remove_push(&self, person: PersonId, id: PushId, place: &Place, now: Timestamp) -> Result<bool> {
        self.write(|tx| {
            let removed = tx.execute(
                "delete from push where subscription = ?1 and person = ?2",
                params![id.0, person.0],
            )?;
            if removed > 0 {
                audit::note(tx, person, Deed::PushRemoved, place, "", now)?;
            }
            Ok(removed > 0)
        })
    }

    /// Its push service says that it is gone.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn push_gone(&self, id: PushId) -> Result<()> {
        self.write(|tx| {
            tx.execute("delete from push where subscription = ?1", [id.0])?;
            Ok(())
        })
    }

    fn mail_digest(&self, person: PersonId, address: &str, code: &str) -> [u8; 32] {
        let parts = [&person.0.to_be_bytes()[..], address.as_bytes(), code.as_bytes()];
        self.keys().digest("mail code", &parts)
    }
}

/// Who reads an address that was taken off hears of it: perhaps somebody else did it.
fn tell_old(
    tx: &Transaction,
    person: PersonId,
    before: Option<Email>,
    place: &Place,
    now: Timestamp,
) -> Result<()> {
    match before {
        Some(before) => {
            let to = To::Email(before.address);
            untold::put(tx, person, Deed::EmailRemoved, (place, &to), now)
        }
        None => Ok(()),
    }
}

pub(crate) fn email(db: &Connection, person: PersonId) -> Result<Option<Email>> {
    let found = db
        .query_row(
            "select address, proven_at from email where person = ?1",
            [person.0],
            |row| {
                Ok(Email {
                    address: row.get(0)?,
                    proven_at: Timestamp(row.get(1)?),
                })
            },
        )
        .optional()?;
    Ok(found)
}

pub(crate) fn push_targets(db: &Connection, person: PersonId) -> Result<Vec<PushTarget>> {
    let mut query = db.prepare_cached(
        "select subscription, person, endpoint, key, auth, device, added_at from push where person = ?1
         order by added_at desc, subscription",
    )?;
    let rows = query.query_map([person.0], push_target)?;
    Ok(rows.collect::<std::result::Result<_, _>>()?)
}

fn push_target(row: &Row<'_>) -> rusqlite::Result<PushTarget> {
    Ok(PushTarget {
        id: PushId(row.get(0)?),
        person: PersonId(row.get(1)?),
        subscription: Subscription {
            endpoint: row.get(2)?,
            key: row.get(3)?,
            auth: row.get(4)?,
        },
        device: row.get(5)?,
        added_at: Timestamp(row.get(6)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;
    use crate::numbers::Line;
    use charge::catalog::Language;
    use charge::time::HOUR;
    use charge::{AccountId, Msisdn};

    fn somebody(people: &People, number: u64) -> PersonId {
        let line = Line {
            number: Msisdn::new(number).unwrap(),
            account: AccountId(number),
            imsi: None,
        };
        let proven = people.number_proven(line, Language::En, &Place::default(), Timestamp(1));
        proven.unwrap().person
    }

    #[test]
    fn an_address_is_proven_by_its_code_within_five_tries() {
        let (people, place, now) = (people(), Place::default(), Timestamp(1_000 * HOUR));
        let (one, other) = (
            somebody(&people, 923_001_111_111),
            somebody(&people, 923_002_222_222),
        );
        let prove = |person, code: &str, at| people.prove_email(person, code, &place, at).unwrap();
        let code = people
            .new_mail_code(one, "sana@example.org", now)
            .unwrap()
            .unwrap();
        let wrong = if code == "000000" { "111111" } else { "000000" };
        assert_eq!(prove(one, wrong, now), Ok(false));
        assert_eq!(prove(other, &code, now), Ok(false), "somebody else's code");
        let late = now.plus(limits::MAIL_CODE_LIFE);
        assert_eq!(prove(one, &code, late), Ok(false), "too late");
        assert_eq!(people.email_of(one).unwrap(), None);
        assert_eq!(prove(one, &code, now), Ok(true));
        assert_eq!(prove(one, &code, now), Ok(false), "once");
        assert_eq!(people.email_of(one).unwrap().unwrap().address, "sana@example.org");
        assert_eq!(people.person(one).unwrap().unwrap().email, "sana@example.org");

        let code = people.new_mail_code(one, "b@example.org", now).unwrap().unwrap();
        for _ in 0..limits::CODE_TRIES_MAX {
            assert_eq!(
                prove(one, if code == "000000" { "111111" } else { "000000" }, now),
                Ok(false)
            );
        }
        assert_eq!(prove(one, &code, now), Ok(false), "five tries");
        people.remove_email(one, &place, now).unwrap();
        assert_eq!(people.email_of(one).unwrap(), None);
        assert_eq!(people.person(one).unwrap().unwrap().email, "");
    }

    #[test]
    fn nobody_can_flood_a_strangers_mailbox() {
        let (people, now) = (people(), Timestamp(1_000 * HOUR));
        let sent = (0..40_u64)
            .filter(|index| {
                let person = somebody(&people, 923_003_000_000 + index);
                let address = if index % 2 == 0 {
                    "Victim@example.org"
                } else {
                    "victim@example.org"
                };
                people.new_mail_code(person, address, now).unwrap().is_ok()
            })
            .count();
        assert_eq!(sent, usize::try_from(limits::MAILS_PER_ADDRESS).unwrap());
        let person = somebody(&people, 923_001_111_111);
        let asked = |index: usize| people.new_mail_code(person, &format!("a{index}@example.org"), now);
        let sent = (0..40).filter(|index| asked(*index).unwrap().is_ok()).count();
        assert_eq!(sent, usize::try_from(limits::MAILS_PER_PERSON).unwrap());
    }

    #[test]
    fn browsers_come_and_go() {
        let (people, place) = (people(), Place::default());
        let (one, other) = (
            somebody(&people, 923_001_111_111),
            somebody(&people, 923_002_222_222),
        );
        let mut key = vec![7; 65];
        key[0] = 4;
        let browser = |index: i64| Subscription {
            endpoint: format!("https://push.example/{index}"),
            key: key.clone(),
            auth: vec![1; 16],
        };
        for index in 0..limits::PUSH_PER_PERSON + 2 {
            assert!(
                people
                    .add_push(one, &browser(index), &place, Timestamp(index))
                    .unwrap()
            );
        }
        let of_one = people.push_of(one).unwrap();
        assert_eq!(of_one.len() as i64, limits::PUSH_PER_PERSON);
        assert_eq!(
            of_one.last().unwrap().subscription.endpoint,
            "https://push.example/2"
        );
        // The same browser, somebody else signed in: not the first one's any more.
        assert!(
            people
                .add_push(other, &browser(5), &place, Timestamp(99))
                .unwrap()
        );
        assert_eq!(
            people.push_of(one).unwrap().len() as i64,
            limits::PUSH_PER_PERSON - 1
        );
        let theirs = people.push_of(other).unwrap()[0].id;
        assert!(
            !people.remove_push(one, theirs, &place, Timestamp(99)).unwrap(),
            "not theirs"
        );
        people.push_gone(theirs).unwrap();
        assert_eq!(people.push_target(theirs).unwrap(), None);
        for unsound in [
            Subscription {
                auth: vec![1; 15],
                ..browser(1)
            },
            Subscription {
                key: vec![4; 64],
                ..browser(1)
            },
            Subscription {
                key: vec![5; 65],
                ..browser(1)
            },
            Subscription {
                endpoint: "x".repeat(600),
                ..browser(1)
            },
        ] {
            assert!(!people.add_push(one, &unsound, &place, Timestamp(99)).unwrap());
        }
    }
}
