//! One-time codes by SMS: six digits, five tries, five minutes, for one browser, one number and one purpose.
//!
//! Of a code only a keyed hash is kept, of its number and browser likewise.

use crate::db::{Module, People, Result};
use crate::keys::same;
use crate::limits;
use crate::throttle::{self, Throttled};
use charge::{Msisdn, Timestamp};
use rusqlite::{OptionalExtension as _, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "codes",
    migrations: &["create table code (
            target blob primary key,
            digest blob not null,
            tries bigint not null,
            expires_at bigint not null
        );
        create index code_expires on code (expires_at);"],
    personal: &[],
};

/// What a code is good for. One that was asked for one thing does not work for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signing in, signing up.
    SignIn,
    /// Proving one more number.
    AddNumber,
    /// Taking back an account whose other proofs are lost.
    Recover,
    /// Complaining without an account.
    Complain,
}

impl Purpose {
    fn name(self) -> &'static [u8] {
        match self {
            Purpose::SignIn => b"sign-in",
            Purpose::AddNumber => b"add-number",
            Purpose::Recover => b"recover",
            Purpose::Complain => b"complain",
        }
    }
}

/// Who asks, from where, for which number.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    /// Hash of the browser's token.
    pub browser: &'a [u8; 32],
    /// What counts as one address.
    pub address: u64,
    /// The number.
    pub number: Msisdn,
    /// For what.
    pub purpose: Purpose,
}

impl People {
    /// Makes a code. An older one for the same browser, number and purpose is worthless from now on.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`Throttled`] when there were too many for this number, address, or in all.
    pub fn new_code(&self, asker: Asker, now: Timestamp) -> Result<std::result::Result<String, Throttled>> {
        let code = format!("{:06}", rand::random_range(0..1_000_000));
        self.write(|tx| {
            let limits_of = [
                (throttle::CODES_ADDRESS, asker.address.to_be_bytes()),
                (throttle::CODES_NUMBER, asker.number.number().to_be_bytes()),
                (throttle::CODES_ALL, [0; 8]),
            ];
            for (limit, caller) in &limits_of {
                if let Err(throttled) = limit.look(self, tx, caller, now)? {
                    return Ok(Err(throttled));
                }
            }
            for (limit, caller) in &limits_of {
                let _ = limit.take(self, tx, caller, now)?;
            }
            let target = self.target(asker);
            tx.execute(
                "insert into code (target, digest, tries, expires_at) values (?1, ?2, 0, ?3)
                 on conflict (target) do update set
                    digest = excluded.digest, tries = 0, expires_at = excluded.expires_at",
                params![
                    target,
                    self.code_digest(&target, &code),
                    now.plus(limits::CODE_LIFE).0
                ],
            )?;
            Ok(Ok(code))
        })
    }

    /// Whether this is the code; a right one works once. The try is counted, durably, before it is judged.
    ///
    /// # Errors
    /// [`crate::PeopleError`]; inside, [`Throttled`] when too many wrong ones were tried for this number or address.
    pub fn take_code(
        &self,
        asker: Asker,
        code: &str,
        now: Timestamp,
    ) -> Result<std::result::Result<bool, Throttled>> {
        let target = self.target(asker);
        let wanted = self.code_digest(&target, code);
        self.write(|tx| {
            let wrong = [
                (throttle::WRONG_CODES_NUMBER, asker.number.number().to_be_bytes()),
                (throttle::WRONG_CODES_ADDRESS, asker.address.to_be_bytes()),
            ];
            for (limit, caller) in &wrong {
                if let Err(throttled) = limit.look(self, tx, caller, now)? {
                    return Ok(Err(throttled));
                }
            }
            let attacked = throttle::WRONG_CODES_ALL.look(self, tx, &[0; 8], now)?.is_err();
            let tries_max = if attacked {
                limits::CODE_TRIES_UNDER_ATTACK
            } else {
                limits::CODE_TRIES_MAX
            };
            let sent: Option<(Vec<u8>, i64)> = tx
                .query_row(
                    "select digest, tries from code where target = ?1 and expires_at > ?2 and tries < ?3",
                    params![target, now.0, tries_max],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let right = sent.as_ref().is_some_and(|(digest, _)| same(digest, &wanted));
            if right {
                tx.execute("delete from code where target = ?1", [target])?;
            } else {
                tx.execute("update code set tries = tries + 1 where target = ?1", [target])?;
                for (limit, caller) in &wrong {
                    let _ = limit.take(self, tx, caller, now)?;
                }
                let _ = throttle::WRONG_CODES_ALL.take(self, tx, &[0; 8], now)?;
            }
            Ok(Ok(right))
        })
    }

    fn target(&self, asker: Asker) -> [u8; 32] {
        let number = asker.number.number().to_be_bytes();
        self.keys()
            .digest("code for", &[asker.purpose.name(), asker.browser, &number])
    }

    fn code_digest(&self, target: &[u8; 32], code: &str) -> [u8; 32] {
        self.keys().digest("code", &[target, code.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;
    use charge::time::{HOUR, MINUTE};

    const BROWSER: [u8; 32] = [7; 32];

    fn asker(number: u64) -> Asker<'static> {
        Asker {
            browser: &BROWSER,
            address: 1,
            number: Msisdn::new(number).unwrap(),
            purpose: Purpose::SignIn,
        }
    }

    fn wrong(code: &str) -> &'static str {
        if code == "000000" { "111111" } else { "000000" }
    }

    #[test]
    fn a_code_works_once_for_five_minutes_and_five_tries() {
        let people = people();
        let now = Timestamp(HOUR * 1_000);
        let who = asker(923_001_234_567);
        let take = |who: Asker, code: &str, at| people.take_code(who, code, at).unwrap();
        let code = people.new_code(who, now).unwrap().unwrap();
        assert_eq!(code.len(), 6);
        let other = [8; 32];
        assert_eq!(
            take(
                Asker {
                    browser: &other,
                    ..who
                },
                &code,
                now
            ),
            Ok(false)
        );
        assert_eq!(
            take(
                Asker {
                    purpose: Purpose::AddNumber,
                    ..who
                },
                &code,
                now
            ),
            Ok(false)
        );
        assert_eq!(take(asker(923_001_234_568), &code, now), Ok(false));
        assert_eq!(take(who, &code, now), Ok(true));
        assert_eq!(take(who, &code, now), Ok(false), "once");
        let code = people.new_code(who, now).unwrap().unwrap();
        let now = now.plus(limits::CODE_LIFE);
        assert_eq!(take(who, &code, now), Ok(false), "too late");
        let code = people.new_code(who, now).unwrap().unwrap();
        for _ in 0..limits::CODE_TRIES_MAX {
            assert_eq!(take(who, wrong(&code), now), Ok(false));
        }
        assert_eq!(take(who, &code, now), Ok(false), "five tries");
        let old = people.new_code(who, now).unwrap().unwrap();
        let new = people.new_code(who, now).unwrap().unwrap();
        assert!(old == new || take(who, &old, now) == Ok(false), "an older one");
        assert_eq!(take(who, &new, now), Ok(true));
    }

    #[test]
    fn guessing_one_number_from_many_places_is_stopped() {
        let people = people();
        let now = Timestamp(HOUR * 1_000);
        let (mut judged, mut refused) = (0, 0);
        for place in 0..200_u64 {
            let browser = [u8::try_from(place).unwrap(); 32];
            let who = Asker {
                browser: &browser,
                address: place,
                ..asker(923_001_234_567)
            };
            let _ = people.new_code(who, now).unwrap();
            match people.take_code(who, "123456", now).unwrap() {
                Ok(_) => judged += 1,
                Err(_) => refused += 1,
            }
        }
        assert!(judged <= limits::WRONG_CODES_PER_NUMBER + 1, "{judged}");
        assert!(refused > 180);
        let later = now.plus(HOUR);
        let who = asker(923_001_234_567);
        let code = people.new_code(who, later).unwrap().unwrap();
        assert_eq!(
            people.take_code(who, &code, later).unwrap(),
            Ok(true),
            "the owner is not locked out"
        );
    }

    #[test]
    fn guessing_everywhere_leaves_every_code_one_try() {
        let people = people();
        let now = Timestamp(HOUR * 1_000);
        let victim = Asker {
            address: u64::MAX,
            ..asker(923_009_999_999)
        };
        let code = people.new_code(victim, now).unwrap().unwrap();
        for index in 0..u64::from(limits::WRONG_CODES_EVERYWHERE) {
            let who = Asker {
                address: index,
                ..asker(923_100_000_000 + index)
            };
            assert_eq!(people.take_code(who, "123456", now).unwrap(), Ok(false));
        }
        assert_eq!(people.take_code(victim, wrong(&code), now).unwrap(), Ok(false));
        assert_eq!(
            people.take_code(victim, &code, now).unwrap(),
            Ok(false),
            "no second try"
        );
        let later = now.plus(MINUTE);
        let code = people.new_code(victim, later).unwrap().unwrap();
        assert_eq!(people.take_code(victim, wrong(&code), later).unwrap(), Ok(false));
        assert_eq!(
            people.take_code(victim, &code, later).unwrap(),
            Ok(true),
            "five again"
        );
    }

    #[test]
    fn a_restart_gives_no_new_tries() {
        let dir = tempfile::tempdir().unwrap();
        let open = || People::open(dir.path(), crate::Keys::new([1; 32])).unwrap();
        let now = Timestamp(HOUR * 1_000);
        let who = asker(923_001_234_567);
        let people = open();
        let code = people.new_code(who, now).unwrap().unwrap();
        for _ in 0..limits::CODE_TRIES_MAX - 1 {
            let _ = people.take_code(who, wrong(&code), now).unwrap();
        }
        drop(people);
        let people = open();
        assert_eq!(people.take_code(who, wrong(&code), now).unwrap(), Ok(false));
        assert_eq!(people.take_code(who, &code, now).unwrap(), Ok(false));
    }
}
