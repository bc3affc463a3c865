//! A letter at the moment when it leaves: is it still wanted, where does it go, and what does it say.

use super::matter::{Matter, Offer, Words};
use crate::node::desk::{Around, say};
use anyhow::Context as _;
use charge::announce;
use charge::catalog::{Catalog, Language, TimeWindow};
use charge::{AccountId, Entity, EntityKey, Event, EventBody, Msisdn, Timestamp};
use people::PersonId;
use people::addresses::PushTarget;
use people::consents::Notice;
use people::ways::{Addressee, Quiet, Way};
use std::sync::Arc;
use store::{Letter, LetterWay};
use web::Web;
use web::receipt::view::View;
use web::{stop_link, text};

/// Longest body of a push message, in characters; what the service worker shows.
const PUSH_CHARACTERS_MAX: usize = 400;

/// What is to be done with a letter that is due.
pub enum Due {
    /// Carry it.
    Carry(Box<Written>),
    /// Later: it fell into quiet hours.
    Later(Timestamp),
    /// Not at all, and why.
    Drop(&'static str),
}

/// A letter with its address and its words.
#[derive(Clone, Debug)]
pub struct Written {
    /// Where it goes.
    pub way: Way,
    /// In which language.
    pub language: Language,
    /// Subject or title.
    pub title: String,
    /// Plain text.
    pub text: String,
    /// HTML, for e-mail; empty: made from the text.
    pub html: String,
    /// Where on our site it leads: a path.
    pub path: String,
    /// The path that stops such letters without sign-in, for promotional ones.
    pub stop: Option<String>,
    /// Worthless after this moment.
    pub until: Timestamp,
    /// It may wait for a moment when the device is awake anyway.
    pub patient: bool,
}

/// Puts letters into words. Every call may wait for the disk.
pub struct Writer {
    around: Around,
    quiet: TimeWindow,
    /// Writes receipts; none: there is no site, as for SMS.
    web: Option<Web>,
}

impl Writer {
    /// For e-mail and push.
    pub fn new(around: Around, quiet: TimeWindow, web: Option<Web>) -> Writer {
        Writer { around, quiet, web }
    }

    /// What is to be done with a letter.
    ///
    /// # Errors
    /// When something that it needs does not answer: it is tried again.
    pub fn write(&self, letter: &Letter, now: Timestamp) -> anyhow::Result<Due> {
        if now.0 > letter.until {
            return Ok(Due::Drop("too late"));
        }
        let Some(notice) = Notice::parse(&letter.notice) else {
            return Ok(Due::Drop("a kind of notice that is not known"));
        };
        let matter = Matter::read(&letter.matter)?;
        let Some(catalog) = self.around.catalogs.get(letter.operator).map(Arc::clone) else {
            return Ok(Due::Drop("the operator is gone"));
        };
        if let (LetterWay::Email, Matter::Words(words)) = (letter.way, &matter)
            && let Some(to) = &words.to
        {
            // Whose address it was is told, whatever they say about messages now.
            let language = Language::from_tag(&words.language).unwrap_or_default();
            let way = Way::Email(to.clone());
            return Ok(Due::Carry(Box::new(Written {
                until: Timestamp(letter.until),
                ..plain(words.clone(), language, way)
            })));
        }
        let (to, account_language) = match self.addressee(letter, &matter)? {
            Some(found) => found,
            None => return Ok(Due::Drop("there is nobody to tell")),
        };
        let quiet = Quiet {
            hours: self.quiet,
            zone: &catalog.zone,
        };
        let decision = self.around.people.ways_to(to, notice, Some(quiet), now)?;
        if letter.person != 0 && decision.person != Some(PersonId(letter.person)) {
            return Ok(Due::Drop("the number is somebody else's"));
        }
        let fits = |way: &Way| match way {
            Way::Sms(number) => {
                letter.way == LetterWay::Sms && i64::try_from(number.number()) == Ok(letter.recipient)
            }
            Way::Push(target) => letter.way == LetterWay::Push && target.id.0 == letter.recipient,
            Way::Email(_) => letter.way == LetterWay::Email,
        };
        let Some(way) = decision.ways.into_iter().find(fits) else {
            return Ok(Due::Drop("not wanted"));
        };
        if decision.not_before > now {
            return Ok(Due::Later(decision.not_before));
        }
        let language = decision.language.or(account_language).unwrap_or_default();
        let written = match matter {
            Matter::Event(event) => self.event((&event, letter.account, notice), &catalog, language, way)?,
            Matter::Words(words) => plain(words, language, way),
            Matter::Offer(offer) => match self.offer(&offer, &catalog, language, way, now) {
                Some(written) => written,
                None => return Ok(Due::Drop("the offer is over")),
            },
        };
        let stop = decision
            .person
            .filter(|_| notice.is_promotional())
            .map(|person| stop_link::path(&self.around.check.secret, person, notice));
        Ok(Due::Carry(Box::new(Written {
            stop,
            until: Timestamp(letter.until),
            patient: notice.is_promotional(),
            ..written
        })))
    }

    /// To whom the letter goes now, with the language of their account. For an event that is whoever has the number of the
    /// account at this moment.
    fn addressee(
        &self,
        letter: &Letter,
        matter: &Matter,
    ) -> anyhow::Result<Option<(Addressee, Option<Language>)>> {
        if letter.account.0 != 0 {
            let look = |entity: Option<&Entity>, _| {
                let account = entity.and_then(Entity::account);
                account.map(|account| (account.msisdn, account.language))
            };
            let found = self
                .around
                .engine
                .read(EntityKey::Account(letter.account), look)?;
            return Ok(found.map(|(number, language)| (Addressee::Number(number), Some(language))));
        }
        let language = match matter {
            Matter::Words(words) => Language::from_tag(&words.language),
            _ => None,
        };
        Ok(match letter.way {
            LetterWay::Sms => Msisdn::new(letter.recipient.cast_unsigned())
                .ok()
                .map(|number| (Addressee::Number(number), language)),
            _ => Some((Addressee::Person(PersonId(letter.person)), language)),
        })
    }

    fn event(
        &self,
        (event, account, notice): (&Event, AccountId, Notice),
        catalog: &Catalog,
        language: Language,
        way: Way,
    ) -> anyhow::Result<Written> {
        let said = say(&self.around, event, account, (catalog, language))?;
        let path = match &event.body {
            EventBody::Recharged(recharged) => format!("/receipts/{}", recharged.outcome.receipt),
            EventBody::CreditTakenBack(_) => "/complaints/new".to_owned(),
            EventBody::Bought(_) => "/".to_owned(),
            EventBody::RenewalFailed { .. } => "/bundles".to_owned(),
            EventBody::Auto(_) => "/auto".to_owned(),
            EventBody::BudgetReached { .. } => "/budget".to_owned(),
            _ => "/recharge".to_owned(),
        };
        let mut written = Written {
            language,
            title: catalog.name.get(language).to_owned(),
            text: said,
            html: String::new(),
            path,
            stop: None,
            until: Timestamp::NEVER,
            patient: false,
            way,
        };
        if matches!(written.way, Way::Email(_)) {
            let name = text::plain(language, &format!("notice-{}", notice.name()), &[]);
            written.title = format!("{}: {name}", written.title);
            if let EventBody::Recharged(recharged) = &event.body {
                let web = self.web.as_ref().context("no site")?;
                let mut reader = self.around.reads.reader()?;
                let line = reader.receipt(recharged.outcome.receipt)?;
                let line = line.context("the receipt is not in the read models yet")?;
                let look = |entity: Option<&Entity>, _| {
                    entity.and_then(Entity::account).map(|account| account.msisdn)
                };
                let number = self
                    .around
                    .engine
                    .read(EntityKey::Account(recharged.outcome.receipt.account), look)?;
                let view = number.and_then(|number| View::of(&line, number));
                let letter = view
                    .context("the receipt has no number")?
                    .letter(web, catalog, language);
                written.title = letter.subject;
                written.text = letter.text;
                written.html = letter.html;
            }
        }
        Ok(written)
    }

    fn offer(
        &self,
        offer: &Offer,
        catalog: &Catalog,
        language: Language,
        way: Way,
        now: Timestamp,
    ) -> Option<Written> {
        let promotion = catalog.promotion(offer.code())?;
        if now >= promotion.until {
            return None;
        }
        let stop = match way {
            Way::Sms(_) => offer.stop.clone(),
            _ => text::plain(language, "letter-stop", &[]),
        };
        Some(Written {
            language,
            title: catalog.name.get(language).to_owned(),
            text: announce::text(catalog, promotion, language, &stop),
            html: String::new(),
            path: "/offers".to_owned(),
            stop: None,
            until: promotion.until,
            patient: true,
            way,
        })
    }
}

fn plain(words: Words, language: Language, way: Way) -> Written {
    Written {
        language,
        title: words.title,
        text: words.text,
        html: String::new(),
        path: words.path,
        stop: None,
        until: Timestamp::NEVER,
        patient: false,
        way,
    }
}

impl Written {
    /// The browser that it goes to, and what its service worker gets: `{title, body, path, lang, dir, tag, stop}`.
    pub fn push(&self, tag: &str) -> Option<(&PushTarget, Vec<u8>)> {
        let Way::Push(target) = &self.way else { return None };
        let body: String = self.text.chars().take(PUSH_CHARACTERS_MAX).collect();
        let direction = if self.language == Language::Ur {
            "rtl"
        } else {
            "ltr"
        };
        let stop_title = text::plain(self.language, "letter-stop", &[]);
        let message = serde_json::json!({
            "title": self.title, "body": body, "path": self.path, "lang": self.language.tag(), "dir": direction,
            "tag": tag, "stop": self.stop, "stop_title": self.stop.as_ref().map(|_| stop_title),
        });
        Some((target, message.to_string().into_bytes()))
    }
}
