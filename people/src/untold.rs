//! What the owner of an account is to be told about its security, and has not been told yet. A line is written in the same
//! transaction as the deed itself, so that nothing changes unheard of, whatever dies when; whoever carries it away
//! ([`People::told`]) has put it where it is not lost.

use crate::audit::Deed;
use crate::db::{Module, People, Personal, Result, kept, open_table};
use crate::limits;
use crate::numbers;
use crate::person::PersonId;
use crate::sessions::{Place, Token};
use charge::time::MINUTE;
use charge::{Msisdn, Timestamp};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "untold",
    migrations: &["create table untold (
            untold bigint primary key,
            person bigint not null,
            at bigint not null,
            deed text not null,
            device text not null,
            place text not null,
            number bigint not null,
            email text not null
        );
        create index untold_at on untold (at, untold);
        create index untold_person on untold (person);
        create table known_browser (
            person bigint not null,
            browser blob not null,
            seen_at bigint not null,
            primary key (person, browser)
        );
        create index known_browser_seen on known_browser (seen_at);"],
    personal: &[
        open_table("untold"),
        Personal {
            table: "known_browser",
            secret: &["browser"],
        },
    ],
};

/// To whom a line goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// The owner, by all ways that they have now.
    Owner,
    /// A number that was theirs and no longer is.
    Number(Msisdn),
    /// An e-mail address that was theirs and no longer is.
    Email(String),
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// Names it for good: random, positive, below 2^53.
    pub id: i64,
    /// Whose account.
    pub person: PersonId,
    /// When it was done.
    pub at: Timestamp,
    /// Stable name of the [`Deed`].
    pub deed: String,
    /// From where.
    pub place: Place,
    /// To whom.
    pub to: To,
}

/// What its owner hears of, whoever did it. A sign-in is told when the browser is a new one.
fn tells(deed: Deed) -> bool {
    matches!(
        deed,
        Deed::NumberAdded
            | Deed::NumberEnded
            | Deed::PasswordSet
            | Deed::PasswordRemoved
            | Deed::PasskeyAdded
            | Deed::PasskeyRemoved
            | Deed::TotpOn
            | Deed::TotpOff
            | Deed::RecoveryCodesMade
            | Deed::RecoveryCodeUsed
            | Deed::RecoveryAsked
            | Deed::Recovered
            | Deed::EmailProven
            | Deed::EmailRemoved
            | Deed::DeletionAsked
            | Deed::Locked
            | Deed::Unlocked
    )
}

impl People {
    /// What has not been told yet, the oldest first.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn untold(&self, count_max: usize) -> Result<Vec<Untold>> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "select untold, person, at, deed, device, place, number, email from untold
                 order by at, untold limit ?1",
            )?;
            let rows = query.query_map([i64::try_from(count_max).unwrap_or(i64::MAX)], untold)?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }

    /// These are where they are not lost: they need not be told again.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn told(&self, ids: &[i64]) -> Result<()> {
        self.write(|tx| {
            for id in ids {
                tx.execute("delete from untold where untold = ?1", [id])?;
            }
            Ok(())
        })
    }

    /// A browser has signed in; from now on it is known to this person by `new`. When they have signed in before, and never
    /// by this browser, they are told. True: they are.
    ///
    /// What a browser shows is good once: a value that somebody planted there is worthless after this.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn browser_signed_in(
        &self,
        person: PersonId,
        shown: Option<&Token>,
        new: &Token,
        place: &Place,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(|tx| {
            let known: i64 = tx.query_row(
                "select count(*) from known_browser where person = ?1",
                [person.0],
                |row| row.get(0),
            )?;
            let is_known = match shown {
                Some(shown) => {
                    let gone = tx.execute(
                        "delete from known_browser where person = ?1 and browser = ?2",
                        params![person.0, shown.hash()],
                    )?;
                    gone > 0
                }
                None => false,
            };
            tx.execute(
                "insert into known_browser (person, browser, seen_at) values (?1, ?2, ?3)",
                params![person.0, new.hash(), now.0],
            )?;
            tx.execute(
                "delete from known_browser where person = ?1 and browser in (
                    select browser from known_browser where person = ?1
                    order by seen_at desc, browser limit 1000 offset ?2)",
                params![person.0, limits::KNOWN_BROWSERS_MAX],
            )?;
            let is_news = known > 0 && !is_known;
            if is_news {
                put(tx, person, Deed::SignedIn, (place, &To::Owner), now)?;
            }
            Ok(is_news)
        })
    }
}

/// Writes what a deed brings to tell, in its transaction.
pub(crate) fn note(
    tx: &Transaction,
    person: PersonId,
    deed: Deed,
    place: &Place,
    now: Timestamp,
) -> Result<()> {
    if !tells(deed) || (deed == Deed::RecoveryCodesMade && just_turned_on(tx, person, now)?) {
        return Ok(());
    }
    put(tx, person, deed, (place, &To::Owner), now)
}

/// Writes one line.
pub(crate) fn put(
    tx: &Transaction,
    person: PersonId,
    deed: Deed,
    (place, to): (&Place, &To),
    now: Timestamp,
) -> Result<()> {
    let (number, email) = match to {
        To::Owner => (0, ""),
        To::Number(number) => (numbers::number(*number), ""),
        To::Email(address) => (0, address.as_str()),
    };
    tx.execute(
        "insert into untold (untold, person, at, deed, device, place, number, email)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            rand::random_range(1_i64..1 << 53),
            person.0,
            now.0,
            deed.name(),
            kept(&place.device),
            kept(&place.address),
            number,
            email
        ],
    )?;
    Ok(())
}

pub(crate) fn sweep(tx: &Transaction, now: Timestamp) -> Result<()> {
    tx.execute(
        "delete from known_browser where seen_at <= ?1",
        [now.0 - limits::KNOWN_BROWSER_LIFE],
    )?;
    tx.execute("delete from untold where at <= ?1", [now.0 - limits::UNTOLD_LIFE])?;
    Ok(())
}

/// The first recovery codes come with the second step; its notice is enough.
fn just_turned_on(tx: &Transaction, person: PersonId, now: Timestamp) -> Result<bool> {
    let found = tx
        .query_row(
            "select 1 from audit where person = ?1 and deed = ?2 and at > ?3 limit 1",
            params![person.0, Deed::TotpOn.name(), now.0 - MINUTE],
            |_| Ok(()),
        )
        .optional()?;
    Ok(found.is_some())
}

fn untold(row: &Row) -> rusqlite::Result<Untold> {
    let (number, email): (i64, String) = (row.get(6)?, row.get(7)?);
    let to = match (number, email.is_empty()) {
        (0, true) => To::Owner,
        (0, false) => To::Email(email),
        _ => To::Number(numbers::msisdn(number)),
    };
    Ok(Untold {
        id: row.get(0)?,
        person: PersonId(row.get(1)?),
        at: Timestamp(row.get(2)?),
        deed: row.get(3)?,
        place: Place {
            device: row.get(4)?,
            address: row.get(5)?,
        },
        to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;
    use crate::numbers::{Ended, Line};
    use charge::AccountId;
    use charge::catalog::Language;
    use charge::time::{DAY, SECOND};

    fn somebody(people: &People) -> (PersonId, Line) {
        let line = Line {
            number: Msisdn::new(923_001_234_567).unwrap(),
            account: AccountId(1),
            imsi: None,
        };
        let proven = people.number_proven(line, Language::En, &Place::default(), Timestamp(1));
        (proven.unwrap().person, line)
    }

    fn told(people: &People) -> Vec<(String, To)> {
        let all = people.untold(100).unwrap();
        let ids: Vec<i64> = all.iter().map(|untold| untold.id).collect();
        people.told(&ids).unwrap();
        all.into_iter().map(|untold| (untold.deed, untold.to)).collect()
    }

    fn owner(deed: &str) -> (String, To) {
        (deed.to_owned(), To::Owner)
    }

    #[test]
    fn what_changes_how_one_signs_in_is_told_and_so_is_what_was_taken_off() {
        let (people, place) = (people(), Place::default());
        let (person, line) = somebody(&people);
        assert_eq!(told(&people), [], "to open an account is no news to its owner");
        let at = |minutes: i64| Timestamp(minutes * MINUTE);
        people.set_password(person, "$hash", &place, at(10)).unwrap();
        people.lock(person, "", &place, at(11)).unwrap();
        assert_eq!(told(&people), [owner("password-set"), owner("locked")]);
        assert_eq!(told(&people), [], "once");

        let prove = |address: &str, at| {
            let code = people.new_mail_code(person, address, at).unwrap().unwrap();
            assert_eq!(people.prove_email(person, &code, &place, at).unwrap(), Ok(true));
        };
        prove("first@example.org", at(20));
        assert_eq!(told(&people), [owner("email-proven")]);
        let gone = |address: &str| ("email-removed".to_owned(), To::Email(address.to_owned()));
        prove("second@example.org", at(30));
        let mut now = told(&people);
        now.sort_by_key(|(deed, _)| deed.clone());
        assert_eq!(now, [owner("email-proven"), gone("first@example.org")]);
        people.remove_email(person, &place, at(40)).unwrap();
        let now = told(&people);
        assert!(now.contains(&owner("email-removed")) && now.contains(&gone("second@example.org")));
        people.remove_email(person, &place, at(41)).unwrap();
        assert_eq!(told(&people), [], "there was none");

        people
            .end_number(line.number, Ended::Removed, &place, at(50))
            .unwrap();
        let now = told(&people);
        assert!(now.contains(&owner("number-ended")));
        assert!(now.contains(&("number-ended".to_owned(), To::Number(line.number))));
    }

    #[test]
    fn a_number_that_moved_to_somebody_else_is_not_told() {
        let (people, place) = (people(), Place::default());
        let (_, line) = somebody(&people);
        people
            .end_number(line.number, Ended::SimChanged, &place, Timestamp(2))
            .unwrap();
        assert_eq!(told(&people), [owner("number-ended")]);
    }

    #[test]
    fn a_sign_in_by_a_new_browser_is_told_and_by_a_known_one_is_not() {
        let (people, place) = (people(), Place::default());
        let (person, _) = somebody(&people);
        let mut now = Timestamp(DAY);
        let mut sign_in = |shown: Option<&Token>| {
            now = now.plus(SECOND);
            let new = Token::random();
            let is_news = people
                .browser_signed_in(person, shown, &new, &place, now)
                .unwrap();
            assert_eq!(
                told(&people),
                if is_news { vec![owner("signed-in")] } else { vec![] }
            );
            (new, is_news)
        };
        let (phone, news) = sign_in(None);
        assert!(!news, "the first one ever");
        let (phone, news) = sign_in(Some(&phone));
        assert!(!news);
        let (computer, news) = sign_in(None);
        assert!(news);
        assert!(!sign_in(Some(&computer)).1);
        assert!(sign_in(Some(&computer)).1, "what a browser shows is good once");
        assert!(sign_in(Some(&Token::random())).1, "planted");
        for _ in 0..limits::KNOWN_BROWSERS_MAX {
            sign_in(None);
        }
        assert!(sign_in(Some(&phone)).1, "so many are known and no more");
    }
}
