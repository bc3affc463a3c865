//! Which notices somebody wants, by which channel. What belongs to a service one uses is on until it is turned off; offers
//! are off until somebody turns them on. Every change is kept with its time and place.

use crate::audit::{self, Deed};
use crate::db::{Module, People, Result, kept, open_table};
use crate::person::PersonId;
use crate::sessions::Place;
use charge::{Msisdn, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

/// The tables.
pub const MODULE: Module = Module {
    name: "consents",
    migrations: &["create table consent (
            person bigint not null,
            notice text not null,
            channel text not null,
            agreed smallint not null,
            at bigint not null,
            place text not null,
            primary key (person, notice, channel)
        );
        create index consent_agreed on consent (notice, channel, agreed, person);
        create table consent_change (
            person bigint not null,
            at bigint not null,
            notice text not null,
            channel text not null,
            agreed smallint not null,
            place text not null,
            primary key (person, at, notice, channel)
        );"],
    personal: &[open_table("consent"), open_table("consent_change")],
};

/// A kind of notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// A recharge was credited.
    Recharge,
    /// The balance is low.
    LowBalance,
    /// A bundle ends soon or was used up.
    BundleExpiry,
    /// Offers and promotions.
    Offers,
    /// The budget of a month is nearly or wholly used.
    Budget,
    /// What is left after a session, where the operator tells it.
    SessionEnd,
    /// The account was changed, locked or recovered.
    Security,
}

/// How it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Short message.
    Sms,
    /// Push message of the browser.
    Push,
    /// E-mail.
    Email,
}

impl Notice {
    /// Every one.
    pub const ALL: [Notice; 7] = [
        Notice::Recharge,
        Notice::LowBalance,
        Notice::BundleExpiry,
        Notice::Budget,
        Notice::SessionEnd,
        Notice::Security,
        Notice::Offers,
    ];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Notice::Recharge => "recharge",
            Notice::LowBalance => "low-balance",
            Notice::BundleExpiry => "bundle-expiry",
            Notice::Offers => "offers",
            Notice::Budget => "budget",
            Notice::SessionEnd => "session-end",
            Notice::Security => "security",
        }
    }

    /// The notice of a stable name.
    pub fn parse(name: &str) -> Option<Notice> {
        Notice::ALL.into_iter().find(|notice| notice.name() == name)
    }

    /// What goes whatever was said: the proof of a credit, and what protects the account, both by SMS.
    pub fn required(self, channel: Channel) -> bool {
        channel == Channel::Sms && matches!(self, Notice::Recharge | Notice::Security)
    }

    /// Advertising: only who agreed, never in quiet hours, with a way to stop it in one step.
    pub fn is_promotional(self) -> bool {
        self == Notice::Offers
    }

    /// What holds for somebody who never said anything: service messages by SMS, what protects the account by every way,
    /// and nothing else.
    pub fn agreed_by_default(self, channel: Channel) -> bool {
        self == Notice::Security || (self != Notice::Offers && channel == Channel::Sms)
    }
}

impl Channel {
    /// Every one.
    pub const ALL: [Channel; 3] = [Channel::Sms, Channel::Push, Channel::Email];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Sms => "sms",
            Channel::Push => "push",
            Channel::Email => "email",
        }
    }
}

/// What somebody said, or what holds because they said nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// To what.
    pub notice: Notice,
    /// By which channel.
    pub channel: Channel,
    /// Yes or no.
    pub agreed: bool,
    /// When they said so; none: the default.
    pub since: Option<Timestamp>,
}

impl People {
    /// Everything that somebody can agree to, with what holds.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn consents_of(&self, person: PersonId) -> Result<Vec<Consent>> {
        self.read(|db| {
            let mut all = Vec::new();
            for notice in Notice::ALL {
                for channel in Channel::ALL {
                    let said = said(db, person, notice, channel)?;
                    all.push(Consent {
                        notice,
                        channel,
                        agreed: notice.required(channel)
                            || said.map_or(notice.agreed_by_default(channel), |(agreed, _)| agreed),
                        since: said.map(|(_, at)| at),
                    });
                }
            }
            Ok(all)
        })
    }

    /// Whether a number may get a notice. A number without a person gets what holds by default.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn agrees(&self, number: Msisdn, notice: Notice, channel: Channel) -> Result<bool> {
        if notice.required(channel) {
            return Ok(true);
        }
        let Some(owned) = self.owner_of(number)? else {
            return Ok(notice.agreed_by_default(channel));
        };
        let said = self.read(|db| said(db, owned.person, notice, channel))?;
        Ok(said.map_or(notice.agreed_by_default(channel), |(agreed, _)| agreed))
    }

    /// Says yes or no. Saying the same again changes nothing.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn set_consent(
        &self,
        person: PersonId,
        (notice, channel): (Notice, Channel),
        agreed: bool,
        place: &Place,
        now: Timestamp,
    ) -> Result<()> {
        self.write(|tx| {
            let before = said(tx, person, notice, channel)?
                .map_or(notice.agreed_by_default(channel), |(agreed, _)| agreed);
            if before == agreed {
                return Ok(());
            }
            let place_text = kept(&format!("{} {}", place.device, place.address));
            let values = params![
                person.0,
                notice.name(),
                channel.name(),
                i64::from(agreed),
                now.0,
                place_text
            ];
            tx.execute(
                "insert into consent (person, notice, channel, agreed, at, place) values (?1, ?2, ?3, ?4, ?5, ?6)
                 on conflict (person, notice, channel) do update set
                    agreed = excluded.agreed, at = excluded.at, place = excluded.place",
                values,
            )?;
            tx.execute(
                "insert into consent_change (person, notice, channel, agreed, at, place)
                 values (?1, ?2, ?3, ?4, ?5, ?6)
                 on conflict (person, at, notice, channel) do update set agreed = excluded.agreed",
                values,
            )?;
            let detail = format!(
                "{} {} {}",
                notice.name(),
                channel.name(),
                if agreed { "yes" } else { "no" }
            );
            audit::note(tx, person, Deed::ConsentChanged, place, &detail, now)
        })
    }

    /// One step to stop: no more notices of this kind to the owner of a number, by any channel. Says whether anything
    /// was on.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn stop(&self, number: Msisdn, notice: Notice, place: &Place, now: Timestamp) -> Result<bool> {
        match self.owner_of(number)? {
            Some(owned) => self.stop_person(owned.person, notice, place, now),
            None => Ok(false),
        }
    }

    /// The same for somebody known by a link without sign-in. Says whether anything was on.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn stop_person(
        &self,
        person: PersonId,
        notice: Notice,
        place: &Place,
        now: Timestamp,
    ) -> Result<bool> {
        let on = self.consents_of(person)?;
        let on: Vec<Channel> = on
            .iter()
            .filter(|consent| consent.notice == notice && consent.agreed)
            .map(|consent| consent.channel)
            .collect();
        for channel in &on {
            self.set_consent(person, (notice, *channel), false, place, now)?;
        }
        Ok(!on.is_empty())
    }

    /// People who said yes by any channel, in the order of their ids: a page of at most `count_max` after `after`.
    ///
    /// # Errors
    /// [`crate::PeopleError`].
    pub fn people_who_agreed(
        &self,
        notice: Notice,
        after: Option<PersonId>,
        count_max: i64,
    ) -> Result<Vec<PersonId>> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "select distinct person from consent where notice = ?1 and agreed = 1 and person > ?2
                 order by person limit ?3",
            )?;
            let after = after.map_or(0, |person| person.0);
            let rows = query.query_map(params![notice.name(), after, count_max], |row| {
                Ok(PersonId(row.get(0)?))
            })?;
            Ok(rows.collect::<std::result::Result<_, _>>()?)
        })
    }
}

pub(crate) fn said(
    db: &Connection,
    person: PersonId,
    notice: Notice,
    channel: Channel,
) -> Result<Option<(bool, Timestamp)>> {
    let found = db
        .query_row(
            "select agreed, at from consent where person = ?1 and notice = ?2 and channel = ?3",
            params![person.0, notice.name(), channel.name()],
            |row| Ok((row.get::<_, i64>(0)? == 1, Timestamp(row.get(1)?))),
        )
        .optional()?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;
    use crate::numbers::Line;
    use charge::AccountId;
    use charge::catalog::Language;

    #[test]
    fn offers_come_only_to_those_who_said_yes_until_they_say_stop() {
        let people = people();
        let place = Place::default();
        let line = |number| Line {
            number: Msisdn::new(number).unwrap(),
            account: AccountId(number),
            imsi: None,
        };
        let (one, two) = (line(923_001_111_111), line(923_002_222_222));
        let at = Timestamp(1);
        let first = people
            .number_proven(one, Language::En, &place, at)
            .unwrap()
            .person;
        people.number_proven(two, Language::En, &place, at).unwrap();
        let offers = |line: Line| people.agrees(line.number, Notice::Offers, Channel::Sms).unwrap();
        assert!(!offers(one) && !offers(two));
        assert!(people.agrees(two.number, Notice::Recharge, Channel::Sms).unwrap());
        assert!(
            !people
                .agrees(two.number, Notice::Recharge, Channel::Email)
                .unwrap()
        );
        people
            .set_consent(first, (Notice::Offers, Channel::Sms), true, &place, Timestamp(2))
            .unwrap();
        people
            .set_consent(first, (Notice::Offers, Channel::Sms), true, &place, Timestamp(3))
            .unwrap();
        assert!(offers(one) && !offers(two));
        people
            .stop(one.number, Notice::Offers, &place, Timestamp(4))
            .unwrap();
        assert!(!offers(one));
        let said = people.consents_of(first).unwrap();
        let offers = said
            .iter()
            .find(|c| (c.notice, c.channel) == (Notice::Offers, Channel::Sms))
            .unwrap();
        assert_eq!((offers.agreed, offers.since), (false, Some(Timestamp(4))));
        let changes: i64 = people
            .read(|db| Ok(db.query_row("select count(*) from consent_change", [], |row| row.get(0))?))
            .unwrap();
        assert_eq!(changes, 2, "yes and stop; saying it twice is one change");
    }
}
