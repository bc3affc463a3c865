//! Passkeys of people: challenges given to browsers, public keys, counters.

use crate::audit::{self, Deed};
use crate::db::{Module, People, Result, kept, open_table};
use crate::limits;
use crate::person::PersonId;
use crate::sessions::Place;
use crate::webauthn::{self, Algorithm, Assertion, PasskeyFault, PublicKey, RelyingParty};
use charge::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "passkeys",
    migrations: &["create table passkey (
            id blob primary key,
            passkey bigint not null,
            person bigint not null,
            algorithm bigint not null,
            public_key blob not null,
            counter bigint not null,
            name text not null,
            created_at bigint not null,
            used_at bigint not null
        );
        create index passkey_person on passkey (person);
        create table challenge (
            browser blob not null,
            kind text not null,
            challenge blob not null,
            expires_at bigint not null,
            primary key (browser, kind)
        );
        create index challenge_expires on challenge (expires_at);"],
    personal: &[open_table("passkey")],
};

/// What a challenge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceremony {
    /// Making a passkey.
    Register,
    /// Using one.
    SignIn,
}

/// A passkey as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Which of the list.
    pub number: i64,
    /// The device it was made on.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last.
    pub used_at: Option<Timestamp>,
}

/// What a browser sends when it has made a passkey.
pub struct Registration<'a> {
    /// What the browser says was asked.
    pub client_data: &'a [u8],
    /// What the device made.
    pub attestation_object: &'a [u8],
    /// How its owner will know it.
    pub name: &'a str,
}

/// The user handle of a person: what a passkey says about whose it is.
pub fn user_handle(person: PersonId) -> [u8; 8] {
    person.0.to_be_bytes()
}

impl People {
    /// A challenge for a browser. An older one for the same thing is worthless from now on.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn passkey_challenge(
        &self,
        browser: &[u8; 32],
        ceremony: Ceremony,
        now: Timestamp,
    ) -> Result<[u8; 32]> {
        let challenge: [u8; 32] = rand::random();
        self.write(|tx| {
            tx.execute(
                "insert into challenge (browser, kind, challenge, expires_at) values (?1, ?2, ?3, ?4)
                 on conflict (browser, kind) do update set
                    challenge = excluded.challenge, expires_at = excluded.expires_at",
                params![
                    browser,
                    ceremony.name(),
                    challenge,
                    now.plus(limits::CHALLENGE_LIFE).0
                ],
            )?;
            Ok(())
        })?;
        Ok(challenge)
    }

    /// Takes in a new passkey.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`PasskeyFault`].
    pub fn register_passkey(
        &self,
        (browser, person): (&[u8; 32], PersonId),
        site: &RelyingParty,
        registration: &Registration,
        place: &Place,
        now: Timestamp,
    ) -> Result<std::result::Result<(), PasskeyFault>> {
        self.write(|tx| {
            let Some(challenge) = take_challenge(tx, browser, Ceremony::Register, now)? else {
                return Ok(Err(PasskeyFault::WrongChallenge));
            };
            let (client, object) = (registration.client_data, registration.attestation_object);
            let made = match webauthn::register(site, &challenge, client, object) {
                Ok(made) => made,
                Err(fault) => return Ok(Err(fault)),
            };
            let count: i64 = tx.query_row(
                "select count(*) from passkey where person = ?1",
                [person.0],
                |row| row.get(0),
            )?;
            if usize::try_from(count).unwrap_or(usize::MAX) >= limits::PASSKEYS_PER_PERSON {
                return Ok(Err(PasskeyFault::TooMany));
            }
            let added = tx.execute(
                "insert into passkey (id, passkey, person, algorithm, public_key, counter, name, created_at, used_at)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0) on conflict (id) do nothing",
                params![
                    made.id,
                    rand::random_range(1_i64..1 << 53),
                    person.0,
                    made.key.algorithm.cose(),
                    made.key.bytes,
                    i64::from(made.counter),
                    kept(registration.name),
                    now.0
                ],
            )?;
            if added == 0 {
                return Ok(Err(PasskeyFault::Unknown));
            }
            audit::note(tx, person, Deed::PasskeyAdded, place, registration.name, now)?;
            Ok(Ok(()))
        })
    }

    /// Whose passkey this is, when everything about it is right.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`PasskeyFault`].
    pub fn use_passkey(
        &self,
        browser: &[u8; 32],
        site: &RelyingParty,
        assertion: &Assertion,
        now: Timestamp,
    ) -> Result<std::result::Result<PersonId, PasskeyFault>> {
        self.write(|tx| {
            let Some(challenge) = take_challenge(tx, browser, Ceremony::SignIn, now)? else {
                return Ok(Err(PasskeyFault::WrongChallenge));
            };
            let found: Option<(i64, i64, Vec<u8>, u32)> = tx
                .query_row(
                    "select person, algorithm, public_key, counter from passkey where id = ?1",
                    [assertion.id],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
                )
                .optional()?;
            let Some((person, algorithm, bytes, counter)) = found else {
                return Ok(Err(PasskeyFault::Unknown));
            };
            let person = PersonId(person);
            let Some(algorithm) = Algorithm::of_cose(algorithm) else {
                return Ok(Err(PasskeyFault::UnsupportedKey));
            };
            if assertion.user != user_handle(person) {
                return Ok(Err(PasskeyFault::Unknown));
            }
            let key = PublicKey { algorithm, bytes };
            let counter = match webauthn::verify(site, &challenge, assertion, &key, counter) {
                Ok(counter) => counter,
                Err(fault) => return Ok(Err(fault)),
            };
            tx.execute(
                "update passkey set counter = ?2, used_at = ?3 where id = ?1",
                params![assertion.id, i64::from(counter), now.0],
            )?;
            Ok(Ok(person))
        })
    }

    /// The passkeys of a person.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn passkeys_of(&self, person: PersonId) -> Result<Vec<Passkey>> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "select passkey, name, created_at, used_at from passkey where person = ?1 order by created_at, passkey",
            )?;
            let rows = query.query_map([person.0], |row| {
                Ok(Passkey {
                    number: row.get(0)?,
                    name: row.get(1)?,
                    created_at: Timestamp(row.get(2)?),
                    used_at: crate::person::moment(row.get(3)?),
                })
            })?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }

    /// The ids of a person's passkeys, so that a device does not make a second one.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn passkey_ids(&self, person: PersonId) -> Result<Vec<Vec<u8>>> {
        self.read(|db| {
            let mut query =
                db.prepare_cached("select id from passkey where person = ?1 order by created_at")?;
            let rows = query.query_map([person.0], |row| row.get(0))?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }

    /// Takes a passkey away.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn remove_passkey(&self, person: PersonId, number: i64, place: &Place, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            let gone = tx.execute(
                "delete from passkey where person = ?1 and passkey = ?2",
                params![person.0, number],
            )?;
            if gone > 0 {
                audit::note(tx, person, Deed::PasskeyRemoved, place, "", now)?;
            }
            Ok(())
        })
    }
}

impl Ceremony {
    fn name(self) -> &'static str {
        match self {
            Ceremony::Register => "register",
            Ceremony::SignIn => "sign-in",
        }
    }
}

/// A challenge works once.
fn take_challenge(
    tx: &Transaction,
    browser: &[u8; 32],
    ceremony: Ceremony,
    now: Timestamp,
) -> Result<Option<Vec<u8>>> {
    let found = tx
        .query_row(
            "select challenge from challenge where browser = ?1 and kind = ?2 and expires_at > ?3",
            params![browser, ceremony.name(), now.0],
            |row| row.get(0),
        )
        .optional()?;
    tx.execute(
        "delete from challenge where browser = ?1 and kind = ?2",
        params![browser, ceremony.name()],
    )?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;
    use crate::webauthn::tests::{BOTH, Device, client, site};

    #[test]
    fn a_challenge_works_once_for_its_browser_and_a_passkey_for_its_owner() {
        let people = people();
        let (browser, other) = ([1; 32], [2; 32]);
        let (person, place, now) = (PersonId(5), Place::default(), Timestamp(1 << 50));
        let device = Device::es256();
        let object = device.attestation(b"id", "raseed.example", BOTH);
        let register = |browser: &[u8; 32], challenge: &[u8], now| {
            let client = client("webauthn.create", challenge, "https://raseed.example");
            let registration = Registration {
                client_data: &client,
                attestation_object: &object,
                name: "Phone",
            };
            people
                .register_passkey((browser, person), &site(), &registration, &place, now)
                .unwrap()
        };
        let ask = |ceremony| people.passkey_challenge(&browser, ceremony, now).unwrap();
        let challenge = ask(Ceremony::Register);
        assert_eq!(
            register(&other, &challenge, now),
            Err(PasskeyFault::WrongChallenge)
        );
        assert_eq!(
            register(&browser, &challenge, now.plus(limits::CHALLENGE_LIFE)),
            Err(PasskeyFault::WrongChallenge),
            "too late"
        );
        let challenge = ask(Ceremony::Register);
        assert_eq!(register(&browser, &challenge, now), Ok(()));
        assert_eq!(
            register(&browser, &challenge, now),
            Err(PasskeyFault::WrongChallenge),
            "once"
        );
        let challenge = ask(Ceremony::Register);
        assert_eq!(
            register(&browser, &challenge, now),
            Err(PasskeyFault::Unknown),
            "the id is taken"
        );

        let sign_in = |challenge: &[u8], user: &[u8], counter| {
            let client = client("webauthn.get", challenge, "https://raseed.example");
            let (data, signature) = device.assert("raseed.example", BOTH, counter, &client);
            let assertion = Assertion {
                id: b"id",
                client_data: &client,
                authenticator_data: &data,
                signature: &signature,
                user,
            };
            people.use_passkey(&browser, &site(), &assertion, now).unwrap()
        };
        let user = user_handle(person);
        let challenge = ask(Ceremony::SignIn);
        assert_eq!(sign_in(&challenge, &user, 1), Ok(person));
        assert_eq!(
            sign_in(&challenge, &user, 2),
            Err(PasskeyFault::WrongChallenge),
            "replay"
        );
        assert_eq!(
            sign_in(&ask(Ceremony::Register), &user, 2),
            Err(PasskeyFault::WrongChallenge)
        );
        assert_eq!(
            sign_in(&ask(Ceremony::SignIn), &user_handle(PersonId(6)), 2),
            Err(PasskeyFault::Unknown)
        );
        assert_eq!(
            sign_in(&ask(Ceremony::SignIn), &user, 1),
            Err(PasskeyFault::Copied)
        );
        let list = people.passkeys_of(person).unwrap();
        assert_eq!((list[0].name.as_str(), list[0].used_at), ("Phone", Some(now)));
        people
            .remove_passkey(PersonId(6), list[0].number, &place, now)
            .unwrap();
        assert_eq!(people.passkey_ids(person).unwrap(), [b"id"]);
        people
            .remove_passkey(person, list[0].number, &place, now)
            .unwrap();
        assert_eq!(
            sign_in(&ask(Ceremony::SignIn), &user, 9),
            Err(PasskeyFault::Unknown)
        );
    }
}
