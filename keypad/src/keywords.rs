//! Messages with keywords, answered: what a handset sent to a short code, to a text for it.
//!
//! Each message is answered once, also when it is delivered twice; machines are not answered at all, so that two of them
//! cannot talk to each other for ever; a number that sends too much is not answered either.

use crate::desk::{Keypad, Who};
use crate::limits::{KEYWORD_LANES, KEYWORDS_PER_MINUTE, MESSAGE_CHARACTERS_MAX};
use crate::menu::{self, Action, View, menu_code};
use crate::say::isolated;
use crate::shop::Order;
use crate::words::{Asked, Word, offer_near, offer_of, read};
use charge::catalog::Language;
use charge::decide::price_for;
use charge::ids::digest128;
use charge::time::{DAY, SECOND};
use charge::{Account, Msisdn, OperatorId, SourceId, Timestamp};
use web::cards::CardChannel;
use web::core::CoreError;
use web::rate::Rate;

/// A message delivered again within this time is the same one.
pub const AGAIN_US: i64 = 120 * SECOND;
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
    /// What makes it the answer to this message: the same again for the same message within [`AGAIN_US`].
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

/// Reads and answers messages.
pub struct Keywords {
    keypad: Keypad,
    rate: Rate,
    /// One message of a number at a time: a copy that comes while the first is being worked on gets what came of it, and not
    /// "is being worked on", which would stand as the one answer to both.
    lanes: Vec<tokio::sync::Mutex<()>>,
}

impl Keywords {
    /// Over a keypad.
    pub fn new(keypad: Keypad) -> Keywords {
        Keywords {
            keypad,
            rate: Rate::per_minute(KEYWORDS_PER_MINUTE),
            lanes: (0..KEYWORD_LANES).map(|_| tokio::sync::Mutex::new(())).collect(),
        }
    }

    /// Does what a message asks and says what is to be answered; none: it is not answered.
    ///
    /// # Errors
    /// [`CoreError`] when the core cannot say now: the message may come again.
    pub async fn answer(&self, message: Message<'_>) -> Result<Option<Reply>, CoreError> {
        let web = self.keypad.web();
        let Some(number) = person(message.from, web.catalogs()) else {
            return Ok(None);
        };
        if message.text.chars().count() > MESSAGE_CHARACTERS_MAX || self.rate.check(number.number()).is_err()
        {
            return Ok(None);
        }
        let lane = usize::try_from(number.number()).unwrap_or(0) % self.lanes.len();
        let _turn = self.lanes[lane].lock().await;
        let Some(account) = self.keypad.account(Who::Number(number)).await? else {
            return Ok(None);
        };
        let Some(catalog) = web.catalog(account.operator) else {
            return Ok(None);
        };
        // A short code of another operator, or none of ours: whoever sent this meant somebody else.
        if !catalog.keypad.sms.iter().any(|code| code == message.to) {
            return Ok(None);
        }
        let now = web.now();
        let (origin, source) = self.identity(message, &account, (now, counted(message.text, web.catalogs())));
        let view = View {
            account: &account,
            catalog,
            catalogs: web.catalogs(),
            now,
            cards: web.parts.cards.is_some(),
        };
        let (text, language) = self.say(message.text, view, source).await;
        Ok(Some(Reply {
            origin,
            operator: account.operator,
            to: number,
            language,
            text: isolated(&text),
        }))
    }

    /// The name of a message: the same for one that is delivered again. Two stretches of time are looked at, so that one that
    /// comes again just after the clock has moved on is known by what it did.
    fn identity(
        &self,
        message: Message<'_>,
        account: &Account,
        (now, counted): (Timestamp, bool),
    ) -> (String, SourceId) {
        let secret = &self.keypad.web().parts.secret;
        let parts: [&[u8]; 4] = [
            secret,
            message.from.as_bytes(),
            message.to.as_bytes(),
            message.text.trim().as_bytes(),
        ];
        let digest = digest128("keyword", &parts);
        // "Again" with its counter is meant once a day: a third one says 3.
        let stretch = now.0.div_euclid(if counted { DAY } else { AGAIN_US });
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
        if known { before } else { named(stretch) }
    }

    async fn say(&self, text: &str, view: View<'_>, source: SourceId) -> (String, Language) {
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
        let from = (CardChannel::Sms, source);
        let said = self.keypad.act(view.account, view.catalog, action, from).await;
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
            (Word::Stop, _) => say.p("keypad-sms-unknown"),
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

/// A sale or a transfer that says by its counter that it is meant once more.
fn counted(text: &str, catalogs: &charge::Catalogs) -> bool {
    matches!(
        read(text, catalogs),
        Asked::Shop(Ok(
            Order::Load { again: Some(_), .. } | Order::Send { again: Some(_), .. }
        ))
    )
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
