//! By which ways a notice goes to somebody: the one place that decides it. Consents, what is required, proven addresses,
//! browsers, language and quiet hours.

use crate::addresses::{self, PushTarget};
use crate::consents::{Channel, Notice, said};
use crate::db::{People, Result};
use crate::numbers;
use crate::person::{self, PersonId};
use charge::announce::outside;
use charge::catalog::{Language, TimeWindow};
use charge::time::Zone;
use charge::{Msisdn, Timestamp};
use rusqlite::Connection;

/// To whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// Whoever has a number; it may be nobody with an account.
    Number(Msisdn),
    /// A person; their SMS goes to the first of their numbers.
    Person(PersonId),
}

/// One way to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Short message to a number.
    Sms(Msisdn),
    /// Push message to a browser.
    Push(Box<PushTarget>),
    /// E-mail to a proven address.
    Email(String),
}

impl Way {
    /// Its channel.
    pub fn channel(&self) -> Channel {
        match self {
            Way::Sms(_) => Channel::Sms,
            Way::Push(_) => Channel::Push,
            Way::Email(_) => Channel::Email,
        }
    }
}

/// The hours in which nothing promotional leaves, at the operator's clock.
#[derive(Clone, Copy, Debug)]
pub struct Quiet<'a> {
    /// The hours.
    pub hours: TimeWindow,
    /// Whose clock.
    pub zone: &'a Zone,
}

/// What was decided about a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who it is, if they have an account.
    pub person: Option<PersonId>,
    /// In which language; none: not known here, ask the subscription.
    pub language: Option<Language>,
    /// By which ways, each of its own; none: it does not go.
    pub ways: Vec<Way>,
    /// Not before this moment: now, or the end of the quiet hours.
    pub not_before: Timestamp,
}

impl People {
    /// Decides by which ways a notice goes to somebody, and from when.
    ///
    /// A number without an account has SMS only, as the defaults say. What is required goes whatever was said. What is
    /// promotional goes to those alone who said yes, and waits for the end of the quiet hours; when they have no end, it
    /// does not go.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn ways_to(
        &self,
        to: Addressee,
        notice: Notice,
        quiet: Option<Quiet<'_>>,
        now: Timestamp,
    ) -> Result<Decision> {
        let mut decision = self.read(|db| {
            let (person, number) = match to {
                Addressee::Number(number) => {
                    let owned = numbers::find(db, number)?;
                    (owned.map(|owned| owned.person), Some(number))
                }
                Addressee::Person(person) => {
                    let owned = numbers::of(db, person)?;
                    (Some(person), owned.first().map(|owned| owned.number))
                }
            };
            let known = match person {
                Some(person) => person::find(db, person)?,
                None => None,
            };
            Ok(Decision {
                person: known.as_ref().map(|person| person.id),
                language: known.as_ref().map(|person| person.language),
                ways: ways(db, known.map(|person| person.id), number, notice)?,
                not_before: now,
            })
        })?;
        if notice.is_promotional()
            && let Some(quiet) = quiet
        {
            match outside(quiet.hours, now, quiet.zone) {
                Some(at) => decision.not_before = at,
                None => decision.ways.clear(),
            }
        }
        Ok(decision)
    }
}

fn ways(
    db: &Connection,
    person: Option<PersonId>,
    number: Option<Msisdn>,
    notice: Notice,
) -> Result<Vec<Way>> {
    let agrees = |channel: Channel| -> Result<bool> {
        if notice.required(channel) {
            return Ok(true);
        }
        let said = match person {
            Some(person) => said(db, person, notice, channel)?,
            None => None,
        };
        Ok(said.map_or(notice.agreed_by_default(channel), |(agreed, _)| agreed))
    };
    let mut ways = Vec::new();
    if let Some(number) = number
        && agrees(Channel::Sms)?
    {
        ways.push(Way::Sms(number));
    }
    let Some(person) = person else { return Ok(ways) };
    if agrees(Channel::Push)? {
        let browsers = addresses::push_targets(db, person)?;
        ways.extend(browsers.into_iter().map(|target| Way::Push(Box::new(target))));
    }
    if agrees(Channel::Email)?
        && let Some(email) = addresses::email(db, person)?
    {
        ways.push(Way::Email(email.address));
    }
    Ok(ways)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addresses::Subscription;
    use crate::db::tests::people;
    use crate::numbers::Line;
    use crate::sessions::Place;
    use charge::AccountId;
    use charge::time::HOUR;

    const NIGHT: TimeWindow = TimeWindow {
        from_s: 21 * 3600,
        to_s: 9 * 3600,
    };

    fn channels(people: &People, to: Addressee, notice: Notice) -> String {
        let decision = people.ways_to(to, notice, None, Timestamp(9)).unwrap();
        let names: Vec<&str> = decision.ways.iter().map(|way| way.channel().name()).collect();
        names.join(" ")
    }

    /// Somebody with a number, an e-mail address and a browser.
    fn reachable(people: &People) -> (PersonId, Msisdn) {
        let (number, place, now) = (
            Msisdn::new(923_001_111_111).unwrap(),
            Place::default(),
            Timestamp(1),
        );
        let line = Line {
            number,
            account: AccountId(1),
            imsi: None,
        };
        let person = people
            .number_proven(line, Language::Ur, &place, now)
            .unwrap()
            .person;
        let code = people
            .new_mail_code(person, "sana@example.org", now)
            .unwrap()
            .unwrap();
        assert_eq!(people.prove_email(person, &code, &place, now).unwrap(), Ok(true));
        let mut key = vec![7; 65];
        key[0] = 4;
        let subscription = Subscription {
            endpoint: "https://push.example/1".into(),
            key,
            auth: vec![1; 16],
        };
        assert!(people.add_push(person, &subscription, &place, now).unwrap());
        (person, number)
    }

    #[test]
    fn every_notice_by_every_channel_yes_no_and_silence() {
        let people = people();
        let (person, number) = reachable(&people);
        // What holds by silence, after no to everything, after yes to everything.
        let table = [
            (Notice::Recharge, "sms", "sms", "sms push email"),
            (Notice::LowBalance, "sms", "", "sms push email"),
            (Notice::BundleExpiry, "sms", "", "sms push email"),
            (Notice::Budget, "sms", "", "sms push email"),
            (Notice::SessionEnd, "sms", "", "sms push email"),
            (Notice::Offers, "", "", "sms push email"),
            (Notice::Security, "sms push email", "sms", "sms push email"),
        ];
        assert_eq!(table.len(), Notice::ALL.len());
        let say = |agreed| {
            for notice in Notice::ALL {
                for channel in Channel::ALL {
                    let place = Place::default();
                    people
                        .set_consent(person, (notice, channel), agreed, &place, Timestamp(2))
                        .unwrap();
                }
            }
        };
        for to in [Addressee::Number(number), Addressee::Person(person)] {
            for (notice, silent, _, _) in table {
                assert_eq!(channels(&people, to, notice), silent, "{notice:?}");
            }
        }
        say(false);
        for (notice, _, no, _) in table {
            assert_eq!(
                channels(&people, Addressee::Number(number), notice),
                no,
                "{notice:?}"
            );
        }
        say(true);
        for (notice, _, _, yes) in table {
            assert_eq!(
                channels(&people, Addressee::Number(number), notice),
                yes,
                "{notice:?}"
            );
        }
        let decided = people
            .ways_to(Addressee::Number(number), Notice::LowBalance, None, Timestamp(9))
            .unwrap();
        assert_eq!(
            (decided.person, decided.language),
            (Some(person), Some(Language::Ur))
        );
    }

    #[test]
    fn each_tick_is_its_own() {
        for notice in Notice::ALL {
            for channel in Channel::ALL {
                let people = people();
                let (person, number) = reachable(&people);
                let place = Place::default();
                let silent = channels(&people, Addressee::Number(number), notice);
                let was_on = silent.split(' ').any(|name| name == channel.name());
                people
                    .set_consent(person, (notice, channel), !was_on, &place, Timestamp(2))
                    .unwrap();
                let now = channels(&people, Addressee::Number(number), notice);
                let is_on = now.split(' ').any(|name| name == channel.name());
                assert_eq!(
                    is_on,
                    !was_on || notice.required(channel),
                    "{notice:?} {channel:?}"
                );
                let others = |text: &str| -> Vec<String> {
                    let names = text
                        .split(' ')
                        .filter(|name| *name != channel.name() && !name.is_empty());
                    names.map(str::to_owned).collect()
                };
                assert_eq!(others(&now), others(&silent), "{notice:?} {channel:?}");
            }
        }
    }

    #[test]
    fn a_number_without_an_account_gets_service_messages_and_no_offers() {
        let people = people();
        let stranger = Addressee::Number(Msisdn::new(923_009_999_999).unwrap());
        for (notice, ways) in [
            (Notice::Recharge, "sms"),
            (Notice::LowBalance, "sms"),
            (Notice::Security, "sms"),
            (Notice::Offers, ""),
        ] {
            assert_eq!(channels(&people, stranger, notice), ways, "{notice:?}");
        }
        let gone = Addressee::Person(PersonId(77));
        assert_eq!(
            channels(&people, gone, Notice::LowBalance),
            "",
            "who was deleted is not told"
        );
    }

    #[test]
    fn offers_wait_for_the_morning_and_nothing_else_does() {
        let people = people();
        let (person, number) = reachable(&people);
        let place = Place::default();
        people
            .set_consent(person, (Notice::Offers, Channel::Sms), true, &place, Timestamp(2))
            .unwrap();
        let zone = Zone::fixed("Asia/Karachi", 5 * 3600);
        let quiet = |hours| Some(Quiet { hours, zone: &zone });
        let decide = |notice, hours, now| {
            people
                .ways_to(Addressee::Number(number), notice, quiet(hours), now)
                .unwrap()
        };
        // 20:00 UTC is 1:00 in Karachi; nine in the morning there is 4:00 UTC.
        let night = Timestamp(20 * HOUR);
        let morning = Timestamp(28 * HOUR);
        assert_eq!(decide(Notice::Offers, NIGHT, night).not_before, morning);
        assert_eq!(decide(Notice::LowBalance, NIGHT, night).not_before, night);
        assert_eq!(
            decide(Notice::Offers, NIGHT, Timestamp(10 * HOUR)).not_before,
            Timestamp(10 * HOUR)
        );
        let always = TimeWindow {
            from_s: 0,
            to_s: 86_400,
        };
        assert_eq!(decide(Notice::Offers, always, night).ways, []);
        assert_eq!(decide(Notice::LowBalance, always, night).ways.len(), 1);
    }
}
