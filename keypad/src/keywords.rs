//! Messages with keywords, answered: what a handset sent to a short code, to a text for it.
//!
//! Each message is answered once, also when it is delivered twice, but shops hear of every copy what became of it; machines
//! are not answered at all, so that two of them cannot talk to each other for ever; a number that sends too much is not
//! answered either.

use crate::desk::{self, Keypad, Who};
use crate::limits::{KEYWORD_LANES, KEYWORDS_PER_MINUTE, MESSAGE_CHARACTERS_MAX};
use crate::menu::{self, Action, View, menu_code};
use crate::say::isolated;
use crate::shop::By;
use crate::words::{Asked, Word, offer_near, offer_of, read};
use charge::catalog::Language;
use charge::decide::price_for;
use charge::ids::digest128;
use charge::time::{DAY, SECOND};
use charge::{Account, Msisdn, OperatorId, SourceId, Timestamp};
use std::sync::Arc;
use web::core::{CoreError, Pending};
use web::rate::Rate;

/// A message delivered again within this time is the same one.
pub const AGAIN_US: i64 = 120 * SECOND;
/// Equal messages of a shop are counted for so long; answers are to be remembered for longer.
pub const COUNTED_US: i64 = 7 * DAY;
/// More equal messages are not taken in two minutes.
const EQUAL_MAX: u64 = 2 * KEYWORDS_PER_MINUTE as u64;
/// Bundles of a list.
const LIST_MAX: usize = 12;

/// A text from a handset.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Who sent it, as the message centre says.
    pub from: &'a str,
    /// The short code.
    pub to: &'a str,
    /// What it says. It may hold a PIN: it is not to be logged or kept.
    pub text: &'a str,
}

/// The answer to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What makes it the answer to this message; see [`Answers`].
    pub origin: String,
    /// Whose subscriber.
    pub operator: OperatorId,
    /// To whom.
    pub to: Msisdn,
    /// In which language.
    pub language: Language,
    /// What it says.
    pub text: String,
}

/// Where answers are kept until they are sent, and for [`COUNTED_US`] after that.
pub trait Answers: Send + Sync {
    /// Keeps an answer, durably. One whose origin is known changes nothing.
    fn keep(&self, reply: Reply) -> Pending<Result<(), CoreError>>;
    /// The last of the origins that begin so, in the order of their octets.
    fn last(&self, stem: String) -> Pending<Result<Option<String>, CoreError>>;
}

/// Reads and answers messages.
pub struct Keywords {
    keypad: Keypad,
    answers: Arc<dyn Answers>,
    rate: Rate,
    /// One message of a number at a time, until its answer is kept: a copy that comes while the first is being worked on gets
    /// what came of it, and not "is being worked on", which would stand as the one answer to both.
    lanes: Vec<tokio::sync::Mutex<()>>,
}

impl Keywords {
    /// Over a keypad.
    pub fn new(keypad: Keypad, answers: Arc<dyn Answers>) -> Keywords {
        Keywords {
            keypad,
            answers,
            rate: Rate::per_minute(KEYWORDS_PER_MINUTE),
            lanes: (0..KEYWORD_LANES).map(|_| tokio::sync::Mutex::new(())).collect(),
        }
    }

    /// Does what a message asks and keeps the answer; false: it is not answered.
    ///
    /// # Errors
    /// [`CoreError`] when core or answers cannot say now: the message may come again.
    pub async fn answer(&self, message: Message<'_>) -> Result<bool, CoreError> {
        let web = self.keypad.web();
        let Some(number) = person(message.from, web.catalogs()) else {
            return Ok(false);
        };
        if message.text.chars().count() > MESSAGE_CHARACTERS_MAX || self.rate.check(number.number()).is_err()
        {
            return Ok(false);
        }
        let lane = usize::try_from(number.number()).unwrap_or(0) % self.lanes.len();
        let _turn = self.lanes[lane].lock().await;
        let Some(account) = self.keypad.account(Who::Number(number)).await? else {
            return Ok(false);
        };
        let Some(catalog) = web.catalog(account.operator) else {
            return Ok(false);
        };
        // A short code of another operator, or none of ours: whoever sent this meant somebody else.
        if !catalog.keypad.sms.iter().any(|code| code == message.to) {
            return Ok(false);
        }
        let now = web.now();
        let (origin, asked) = match read(message.text, web.catalogs()) {
            Asked::Shop(_) => self.counted(message, now).await?,
            _ => self.timed(message, &account, now),
        };
        let view = View {
            account: &account,
            catalog,
            catalogs: web.catalogs(),
            now,
            cards: web.parts.cards.is_some(),
        };
        let (text, language) = self.say(message.text, view, asked).await;
        let reply = Reply {
            origin,
            operator: account.operator,
            to: number,
            language,
            text: isolated(&text),
        };
        self.answers.keep(reply).await?;
        Ok(true)
    }

    fn digest(&self, message: Message<'_>) -> u128 {
        let secret = &self.keypad.web().parts.secret;
        let parts: [&[u8]; 4] = [
            secret,
            message.from.as_bytes(),
            message.to.as_bytes(),
            message.text.trim().as_bytes(),
        ];
        digest128("keyword", &parts)
    }

    /// The name of a message: the same for one that is delivered again within [`AGAIN_US`], and it is answered once. Two
    /// stretches of time are looked at, so that one that comes again just after the clock has moved on is known by what it did.
    fn timed(&self, message: Message<'_>, account: &Account, now: Timestamp) -> (String, desk::Asked) {
        let digest = self.digest(message);
        let stretch = now.0.div_euclid(AGAIN_US);
        let named = |stretch: i64| {
            let origin = format!("sms/{digest:032x}/{stretch}");
            let source = SourceId::of_reference("sms", &origin);
            (origin, source)
        };
        let before = named(stretch - 1);
        let known = account
            .recent
            .iter()
            .any(|known| known.source == before.1 && now.0.saturating_sub(known.at.0) < AGAIN_US);
        let (origin, source) = if known { before } else { named(stretch) };
        let asked = desk::Asked {
            source,
            before: Vec::new(),
            by: By::Message,
        };
        (origin, asked)
    }

    /// The name of what a shop sent: how many equal texts were answered before. SMPP gives a text from a handset no name, so a
    /// centre that brings one again looks like a shop that sends it again. One that was not answered yet is the same one
    /// however late it comes, and sells nothing twice; one that was answered is another one, for the guard of two minutes to
    /// judge, and is told what the guard says.
    async fn counted(
        &self,
        message: Message<'_>,
        now: Timestamp,
    ) -> Result<(String, desk::Asked), CoreError> {
        // Counting begins anew before answers are forgotten: a name never comes twice.
        let stretch = now.0.div_euclid(COUNTED_US);
        let stem = format!("shop/{:032x}/{stretch}/", self.digest(message));
        let last = self.answers.last(stem.clone()).await?;
        let last = last.and_then(|origin| origin.strip_prefix(&stem)?.parse::<u64>().ok());
        let named = |number: u64| {
            let origin = format!("{stem}{number:020}");
            let source = SourceId::of_reference("sms", &origin);
            (origin, source)
        };
        let (origin, source) = named(last.map_or(0, |number| number.saturating_add(1)));
        let before = last.map_or(0..0, |last| {
            last.saturating_sub(EQUAL_MAX)..last.saturating_add(1)
        });
        let asked = desk::Asked {
            source,
            before: before.rev().map(|number| named(number).1).collect(),
            by: By::Message,
        };
        Ok((origin, asked))
    }

    async fn say(&self, text: &str, view: View<'_>, asked: desk::Asked) -> (String, Language) {
        let say = view.say();
        let language = say.language;
        let action = match read(text, view.catalogs) {
            Asked::Unknown => return (say.p("keypad-sms-unknown"), language),
            Asked::Meant(word) => {
                return (say.with("keypad-sms-meant", &[("word", word.into())]), language);
            }
            Asked::Shop(Err(wrong)) => return (wrong.said(say), language),
            Asked::Shop(Ok(order)) => Action::Shop(order),
            Asked::Word(word, rest) => match self.word(word, &rest, view) {
                Ok(action) => action,
                Err(text) => return (text, language),
            },
        };
        let language = match action {
            Action::Speak(language) => language,
            _ => language,
        };
        let said = self.keypad.act(view.account, view.catalog, action, asked).await;
        (said, language)
    }

    /// What a word does, or what is answered to it.
    fn word(&self, word: Word, rest: &[&str], view: View<'_>) -> Result<Action, String> {
        let say = view.say();
        let short = view.catalog.keypad.sms.first().map_or("", String::as_str);
        Err(match (word, rest) {
            (Word::Balance, _) => menu::balance(view),
            (Word::Data, _) => menu::data(view),
            (Word::Number, _) => menu::own_number(view),
            (Word::Help, _) => say.with("keypad-sms-help", &[("code", short.into())]),
            (Word::List, _) => list(view),
            (Word::Stop, []) => return Ok(Action::StopOffers),
            (Word::Unsubscribe, []) => return Ok(Action::Unsubscribe),
            (Word::Stop | Word::Unsubscribe, _) => say.p("keypad-sms-unknown"),
            (Word::Buy, []) => say.p("keypad-sms-buy-how"),
            (Word::Buy, words) => match offer_of(words, view.catalog) {
                Some(offer) => {
                    return Ok(Action::Buy {
                        offer: offer.code,
                        renew: false,
                        at_most: price_for(view.account, view.catalog, offer, view.now).gross,
                    });
                }
                None => match offer_near(words, view.catalog) {
                    Some(code) => {
                        let meant = format!("BUY {code}");
                        say.with("keypad-sms-meant", &[("word", meant.into())])
                    }
                    None => say.p("keypad-sms-buy-how"),
                },
            },
            (Word::Card, []) => say.p("keypad-sms-card-how"),
            (Word::Card, digits) => match menu::dial_card(&digits.concat(), view) {
                menu::Step::Do(action) => return Ok(action),
                menu::Step::End(text) | menu::Step::Ask(_, text) => text,
            },
            (Word::Language, [tag]) => match language_of(tag) {
                Some(language) => return Ok(Action::Speak(language)),
                None => say.p("keypad-sms-language-how"),
            },
            (Word::Language, _) => say.p("keypad-sms-language-how"),
        })
    }
}

/// Bundles with their codes, the cheapest first.
fn list(view: View<'_>) -> String {
    let say = view.say();
    let mut offers: Vec<_> = view
        .catalog
        .offers
        .iter()
        .filter(|offer| offer.for_sale)
        .map(|offer| {
            (
                price_for(view.account, view.catalog, offer, view.now).gross,
                offer,
            )
        })
        .collect();
    offers.sort_by_key(|(price, offer)| (*price, offer.code));
    let mut lines: Vec<String> = offers
        .into_iter()
        .take(LIST_MAX)
        .map(|(price, offer)| {
            let values = [
                ("code", offer.code.as_str().into()),
                ("price", say.money(price).into()),
            ];
            say.with("keypad-sms-list", &values)
        })
        .collect();
    lines.push(menu_code(view.catalog).to_owned());
    lines.join("\n")
}

fn language_of(text: &str) -> Option<Language> {
    match text.to_uppercase().as_str() {
        "EN" | "ENG" | "ENGLISH" => Some(Language::En),
        "UR" | "URDU" | "اردو" => Some(Language::Ur),
        "ZH" | "CN" | "CHINESE" | "中文" => Some(Language::Zh),
        _ => None,
    }
}

/// The number of somebody who can be answered: no name, no short code.
fn person(from: &str, catalogs: &charge::Catalogs) -> Option<Msisdn> {
    let digits = from.trim_start_matches('+');
    let whole = (10..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| web::number::parse(from, catalogs)).flatten()
}
