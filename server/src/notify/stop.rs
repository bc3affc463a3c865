//! One step to stop offers by SMS: a stop word to the short code ends the consent at once, and one message confirms it.

use super::matter::Words;
use super::{Post, Tiding};
use crate::node::desk::{Around, Desk};
use crate::sms::IncomingSms;
use charge::catalog::Language;
use charge::time::DAY;
use charge::{Entity, EntityKey, Msisdn, OperatorId, Timestamp};
use people::consents::Notice;
use people::sessions::Place;
use people::ways::Addressee;
use std::sync::Arc;
use web::text;

/// Words that stop, in lower case: English, Urdu in both scripts, Chinese.
const STOP_WORDS: [&str; 16] = [
    "stop",
    "stopall",
    "stop all",
    "stop offers",
    "unsub",
    "unsubscribe",
    "cancel offers",
    "quit",
    "end",
    "band",
    "band karo",
    "بند",
    "بند کریں",
    "退订",
    "停止",
    "td",
];
/// Longest text that is looked at, in characters.
const TEXT_CHARACTERS_MAX: usize = 40;

/// Whether a short message asks to stop offers. Case, spaces and signs around it do not matter.
pub fn is_stop(said: &str) -> bool {
    STOP_WORDS.contains(&words_of(said).as_str())
}

/// The words of a message in lower case, with one space between.
fn words_of(said: &str) -> String {
    let words: Vec<String> = said
        .chars()
        .take(TEXT_CHARACTERS_MAX + 1)
        .collect::<String>()
        .to_lowercase()
        .split(|c: char| {
            c.is_whitespace() || c.is_ascii_punctuation() || "۔،！。".contains(c) || c.is_control()
        })
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.join(" ")
}

/// Whether a short message asks for the end of everything that goes on by itself.
pub fn is_unsubscribe(said: &str) -> bool {
    matches!(words_of(said).as_str(), "unsub" | "unsubscribe")
}

/// Takes a short message from a handset: when it asks to stop, the consent ends and a confirmation is put into the outbox,
/// both durable when this returns. True: it was that. Safe to repeat: the same wish is confirmed once.
///
/// # Errors
/// When people or outbox do not answer.
pub fn take(
    around: &Around,
    post: &Post,
    (operator, number, said): (OperatorId, Msisdn, &str),
    now: Timestamp,
) -> anyhow::Result<bool> {
    if !is_stop(said) {
        return Ok(false);
    }
    let place = Place {
        device: "SMS".to_owned(),
        address: String::new(),
    };
    around.people.stop(number, Notice::Offers, &place, now)?;
    // Centres deliver twice: the same end of a consent is confirmed once a day.
    let origin = format!(
        "stop/{number}/{}/{}",
        ended_at(around, number)?,
        now.0.div_euclid(DAY)
    );
    let words = |language: Language| Words {
        title: "Raseed".to_owned(),
        text: text::plain(language, "sms-stopped", &[]),
        path: "/privacy".to_owned(),
        language: language.tag().to_owned(),
        to: None,
    };
    let language = language_of(around, number);
    // The answer to what somebody just asked goes by SMS whatever they said about other messages.
    post.answer(
        &Tiding {
            origin: &origin,
            notice: Notice::Security,
            to: Addressee::Number(number),
            operator,
            language,
            words: &words,
        },
        number,
        now,
    )?;
    Ok(true)
}

/// When the consent of a number's owner ended, microseconds; 0: nobody ever agreed.
fn ended_at(around: &Around, number: Msisdn) -> anyhow::Result<i64> {
    let Some(owned) = around.people.owner_of(number)? else {
        return Ok(0);
    };
    let consents = around.people.consents_of(owned.person)?;
    let offers = consents.iter().filter(|consent| consent.notice == Notice::Offers);
    let last = offers.filter_map(|consent| consent.since).max();
    Ok(last.map_or(0, |at| at.0))
}

/// Takes what a handset says to the message centre of some operators; true when it was a stop word.
///
/// # Errors
/// As [`take`], and when the engine does not answer.
pub fn heard(desk: &Arc<Desk>, first: Option<OperatorId>, message: &IncomingSms) -> anyhow::Result<bool> {
    let around = desk.around();
    let Some(number) = web::number::parse(&message.from, &around.catalogs) else {
        return Ok(false);
    };
    let owner = around.engine.read(EntityKey::Number(number), |entity, _| {
        entity.and_then(Entity::number).map(|record| record.operator)
    })?;
    let Some(operator) = owner.or(first) else {
        return Ok(false);
    };
    let now = crate::node::now();
    take(around, &Post::new(desk), (operator, number, &message.text), now)
}

/// The language of a number's account.
fn language_of(around: &Around, number: Msisdn) -> Language {
    let account = around
        .engine
        .read(EntityKey::Number(number), |entity, _| {
            entity.and_then(Entity::number).and_then(|record| record.account)
        })
        .ok()
        .flatten();
    let language = account.and_then(|account| {
        let look = |entity: Option<&Entity>, _| entity.and_then(Entity::account).map(|found| found.language);
        around
            .engine
            .read(EntityKey::Account(account), look)
            .ok()
            .flatten()
    });
    language.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_in_every_language_and_nothing_else() {
        for yes in [
            "STOP",
            " stop. ",
            "Stop!",
            "\"STOP\"",
            "UNSUB",
            "stop all",
            "Stop  Offers",
            "بند",
            "بند کریں۔",
            "BAND KARO",
            "退订",
            "TD",
        ] {
            assert!(is_stop(yes), "{yes}");
        }
        for no in [
            "",
            "BAL",
            "please do not stop the offers",
            "stop the car at the next corner",
            "nonstop",
            "STO P",
        ] {
            assert!(!is_stop(no), "{no}");
        }
    }
}
