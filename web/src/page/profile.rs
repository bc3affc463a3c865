//! Who one is: name, language of messages, numbers. [`super::reach`] has e-mail and push.

use super::format::Speech;
use super::frame::{Frame, Visitor, page, status_of};
use super::reach::Reachable;
use super::security::to_sign_in;
use super::session::line_of;
use super::signin::{new_code, take_code};
use crate::number;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::{self, Html};
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use charge::Msisdn;
use charge::catalog::Language;
use charge::time::{HOUR, Zone};
use people::codes::Purpose;
use people::numbers::Ended;
use people::untold::{To, Untold};
use serde::Deserialize;

/// A notice about the account is worth sending for this long.
const NOTICE_LIFE: i64 = 24 * HOUR;
/// Notices that are taken from their list at once.
const UNTOLD_AT_ONCE: usize = 100;

/// The zone in which times are shown: that of the first operator.
pub fn zone(web: &Web) -> Zone {
    web.catalogs()
        .iter()
        .next()
        .map_or(Zone::UTC, |catalog| catalog.zone.clone())
}

/// Tells people what just changed about their accounts: see [`People::untold`]. What cannot be carried now is carried later.
pub async fn tell(web: &Web) {
    let Some(security) = web.parts.ways.security.clone() else {
        return tell_by_sms(web).await;
    };
    if let Err(error) = security.look().await {
        tracing::warn!(%error, "security notices wait");
    }
}

/// Without an outbox: by SMS at once, or not at all. The page does not wait for it.
async fn tell_by_sms(web: &Web) {
    let taken = web.people(|people| {
        let mut all = Vec::new();
        for untold in people.untold(UNTOLD_AT_ONCE)? {
            people.told(&[untold.id])?;
            let language = people.person(untold.person)?.map(|person| person.language);
            let numbers = match untold.to {
                To::Owner => people
                    .numbers_of(untold.person)?
                    .iter()
                    .map(|owned| owned.number)
                    .collect(),
                To::Number(number) => vec![number],
                To::Email(_) => Vec::new(),
            };
            all.push((untold, language.unwrap_or_default(), numbers));
        }
        Ok(all)
    });
    for (untold, language, numbers) in taken.await.unwrap_or_default() {
        let sentence = security_sentence(&untold, language, &zone(web));
        for number in numbers {
            let (web, sentence) = (web.clone(), sentence.clone());
            tokio::spawn(async move {
                let until = web.now().plus(NOTICE_LIFE);
                if let Err(error) = web.parts.codes.send_code(number, sentence, until).await {
                    tracing::warn!(number = number.masked(), %error, "a notice was not sent");
                }
            });
        }
    }
}

/// What somebody is told about the security of their account.
pub fn security_sentence(untold: &Untold, language: Language, zone: &Zone) -> String {
    let t = Speech { language };
    match untold.deed.as_str() {
        "locked" => t.p("sms-locked"),
        "recovery-asked" => t.p("sms-recovery"),
        "signed-in" => {
            let device = match untold.place.device.as_str() {
                "" => "?",
                device => device,
            };
            let values = [
                ("device", device.into()),
                ("place", untold.place.address.as_str().into()),
                ("moment", t.moment(untold.at, zone).into()),
            ];
            text::plain(language, "sms-new-sign-in", &values)
        }
        deed => text::plain(
            language,
            "sms-changed",
            &[("what", t.p(&format!("deed-{deed}")).into())],
        ),
    }
}

#[derive(Template)]
#[template(path = "profile.html")]
struct Profile {
    page: Frame,
    done: bool,
    error: Option<Html>,
    name: String,
    reach: Reachable,
    languages: [(&'static str, &'static str, bool); 3],
    numbers: Vec<Number>,
    has_number: bool,
}

/// A number of the list.
struct Number {
    value: String,
    shown: Html,
    here: bool,
}

/// What happened just before.
#[derive(Default, Deserialize)]
pub struct Before {
    done: Option<String>,
}

/// The profile.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Query(before): Query<Before>,
) -> Result<Response, Problem> {
    show_with(&web, &visitor, before.done.is_some(), None).await
}

/// The profile, with what went well or wrong just before.
///
/// # Errors
/// [`Fault::Internal`] when the file of people does not answer.
pub async fn show_with(
    web: &Web,
    visitor: &Visitor,
    done: bool,
    error: Option<Html>,
) -> Result<Response, Problem> {
    let Some(session) = visitor.member() else {
        return Ok(to_sign_in("/profile"));
    };
    let person = session.person;
    let known = web.people(move |people| Ok((people.person(person)?, people.numbers_of(person)?)));
    let (Some(person), numbers) = known.await? else {
        return Err(Fault::Unauthorized.into());
    };
    let reach = Reachable::of(web, &session).await?;
    let t = visitor.speech();
    let status = status_of(error.as_ref());
    let names = [
        (Language::En, "English"),
        (Language::Ur, "اردو"),
        (Language::Zh, "中文"),
    ];
    let row = |owned: &people::numbers::Owned| Number {
        value: owned.number.to_string(),
        shown: Html::bdi(&web.number_shown(owned.number)),
        here: session.number.is_some_and(|(number, _)| number == owned.number),
    };
    let template = Profile {
        page: visitor.frame(web, t.p("profile-title")),
        done,
        error,
        name: person.name,
        reach,
        languages: names.map(|(language, name)| (language.tag(), name, language == person.language)),
        numbers: numbers.iter().map(row).collect(),
        has_number: session.number.is_some(),
    };
    Ok(page(status, &template))
}

/// What one tells about oneself.
#[derive(Deserialize)]
pub struct ProfileForm {
    #[serde(default)]
    name: String,
    language: String,
    form: String,
}

/// Changes name and language.
pub async fn change(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<ProfileForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.member() else {
        return Ok(to_sign_in("/profile"));
    };
    let language = Language::from_tag(&form.language).ok_or(Fault::BadField)?;
    let (place, now) = (visitor.place.clone(), web.now());
    web.people(move |people| {
        let known = people.person(session.person)?;
        let email = known.map(|person| person.email).unwrap_or_default();
        people.set_profile(session.person, &form.name, &email, &place, now)?;
        people.set_language(session.person, language)
    })
    .await?;
    Ok(Redirect::to("/profile?done=1").into_response())
}

/// Whether it can be an e-mail address; whether it is one, only a message to it shows.
pub fn is_address(text: &str) -> bool {
    let text = text.trim();
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\\\"".contains(c);
    text.len() <= 100
        && text.chars().all(plain)
        && text
            .split_once('@')
            .is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.') && !domain.contains('@'))
}

/// A number to add, to show or to take off.
#[derive(Deserialize)]
pub struct NumberForm {
    number: String,
    #[serde(default)]
    code: String,
    form: String,
}

#[derive(Template)]
#[template(path = "number.html")]
struct NumberCode {
    page: Frame,
    typed: String,
    sent: Html,
    error: Option<Html>,
}

/// Sends a code to a number that is to be added. The same answer whether or not the number is one of ours.
pub async fn number_code(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<NumberForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    if visitor.fresh(web.now()).is_none() {
        return Ok(to_sign_in("/profile"));
    }
    let Some(msisdn) = number::parse(&form.number, web.catalogs()) else {
        let error = visitor.speech().h("error-number");
        return show_with(&web, &visitor, false, Some(error)).await;
    };
    let code = new_code(&web, &visitor, msisdn, Purpose::AddNumber).await?;
    super::signin::send(&web, msisdn, visitor.language, code);
    Ok(number_page(&web, &visitor, msisdn, None))
}

fn number_page(web: &Web, visitor: &Visitor, msisdn: Msisdn, error: Option<Html>) -> Response {
    let t = visitor.speech();
    let status = status_of(error.as_ref());
    let shown = web.number_shown(msisdn);
    let template = NumberCode {
        page: visitor.frame(web, t.p("number-add")),
        sent: Html::isolated(&t.with("code-sent", &[("number", shown.clone().into())])),
        typed: shown,
        error,
    };
    page(status, &template)
}

/// Adds a number, with the code that was sent to it.
pub async fn number_add(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<NumberForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.fresh(web.now()) else {
        return Ok(to_sign_in("/profile"));
    };
    let msisdn = number::parse(&form.number, web.catalogs()).ok_or(Fault::BadNumber)?;
    let digits = number::code_digits(&form.code);
    let right = take_code(&web, &visitor, msisdn, &digits, Purpose::AddNumber).await?;
    let line = if right { line_of(&web, msisdn).await? } else { None };
    let Some(line) = line else {
        let error = visitor.speech().h("error-code");
        return Ok(number_page(&web, &visitor, msisdn, Some(error)));
    };
    let (place, now) = (visitor.place.clone(), web.now());
    let added = web
        .people(move |people| {
            let added = people.add_number(session.person, line, &place, now)?;
            if added {
                people.session_number(&session, msisdn)?;
            }
            Ok(added)
        })
        .await?;
    tell(&web).await;
    if !added {
        let error = visitor.speech().h("number-too-many");
        return show_with(&web, &visitor, false, Some(error)).await;
    }
    Ok(Redirect::to("/profile?done=1").into_response())
}

/// Shows another number of one's own.
pub async fn number_use(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<NumberForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.member() else {
        return Ok(to_sign_in("/profile"));
    };
    let msisdn = Msisdn::parse(&form.number).map_err(|_| Fault::BadNumber)?;
    let shown = web
        .people(move |people| people.session_number(&session, msisdn))
        .await?;
    if shown {
        Ok(Redirect::to("/profile?done=1").into_response())
    } else {
        Err(Fault::NotFound.into())
    }
}

/// Takes a number off.
pub async fn number_remove(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<NumberForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.fresh(web.now()) else {
        return Ok(to_sign_in("/profile"));
    };
    let msisdn = Msisdn::parse(&form.number).map_err(|_| Fault::BadNumber)?;
    let (place, now) = (visitor.place.clone(), web.now());
    let removed = web
        .people(move |people| {
            let owned = people.numbers_of(session.person)?;
            let theirs = owned.len() > 1 && owned.iter().any(|owned| owned.number == msisdn);
            if theirs {
                if session.number.is_some_and(|(number, _)| number == msisdn)
                    && let Some(other) = owned.iter().find(|owned| owned.number != msisdn)
                {
                    people.session_number(&session, other.number)?;
                }
                people.end_number(msisdn, Ended::Removed, &place, now)?;
            }
            Ok(theirs)
        })
        .await?;
    tell(&web).await;
    if removed {
        Ok(Redirect::to("/profile?done=1").into_response())
    } else {
        Err(Fault::NotFound.into())
    }
}
