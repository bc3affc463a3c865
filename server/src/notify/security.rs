//! What changed about the security of an account is told by every way: it is carried from the file of people, where it was
//! written together with what changed, into the outbox.

use super::matter::Words;
use super::{Post, by};
use crate::node::desk::Desk;
use anyhow::Context as _;
use charge::catalog::Language;
use charge::time::DAY;
use charge::{Entity, EntityKey, Msisdn, OperatorId};
use people::consents::Notice;
use people::untold::{To, Untold};
use people::ways::{Addressee, Way};
use std::sync::Arc;
use std::time::Duration;
use store::{LetterWay, NewLetter};
use tokio::task::JoinHandle;
use web::core::{CoreError, Pending};
use web::page::profile::security_sentence;
use web::state::SecurityNotices;
use web::text;

/// What waits is looked for so often, whether or not somebody said that there is something.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Carried at once.
const PAGE: usize = 100;
/// A notice is worth sending for this long, microseconds.
const LIFE: i64 = 3 * DAY;

/// Where the pages of people say that there is something to tell.
pub struct Guard(pub Arc<Desk>);

impl SecurityNotices for Guard {
    fn look(&self) -> Pending<Result<(), CoreError>> {
        let desk = Arc::clone(&self.0);
        Box::pin(async move { carry_on(desk).await.map_err(|_| CoreError::Unavailable) })
    }
}

impl Guard {
    /// Carries what waits until it is aborted: what a look could not carry, and what a crash left. Within a tokio runtime.
    pub fn watch(desk: Arc<Desk>) -> JoinHandle<()> {
        tokio::spawn(async move {
            loop {
                // An outbox that does not answer is told to the log there.
                let _ = carry_on(Arc::clone(&desk)).await;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        })
    }
}

async fn carry_on(desk: Arc<Desk>) -> Result<(), ()> {
    match tokio::task::spawn_blocking(move || carry(&desk)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::error!(
                error = format!("{error:#}"),
                "security notices do not reach the outbox"
            );
            Err(())
        }
        Err(_) => Err(()),
    }
}

/// Carries all that waits. Twice at the same time, or again after a crash, puts the same letters, which is once.
fn carry(desk: &Arc<Desk>) -> anyhow::Result<()> {
    loop {
        let waiting = desk.around().people.untold(PAGE)?;
        if waiting.is_empty() {
            return Ok(());
        }
        let mut letters = Vec::new();
        for untold in &waiting {
            letters.extend(letters_of(desk, untold)?);
        }
        Post::new(desk).put(&letters)?;
        let ids: Vec<i64> = waiting.iter().map(|untold| untold.id).collect();
        desk.around().people.told(&ids)?;
    }
}

fn letters_of(desk: &Arc<Desk>, untold: &Untold) -> anyhow::Result<Vec<NewLetter>> {
    let people = &desk.around().people;
    let Some(person) = people.person(untold.person)? else {
        return Ok(Vec::new());
    };
    let sms = |number: Msisdn| Way::Sms(number);
    let mut letters = Vec::new();
    match &untold.to {
        To::Owner => {
            // Every number hears of it, not only the first: one of them may be in the wrong hands.
            for owned in people.numbers_of(person.id)? {
                letters.push(by(
                    &sms(owned.number),
                    &base(desk, untold, person.language, Some(owned.number))?,
                ));
            }
            let to = Addressee::Person(person.id);
            let decision = people.ways_to(to, Notice::Security, None, untold.at)?;
            let first = people.numbers_of(person.id)?.first().map(|owned| owned.number);
            let base = base(desk, untold, person.language, first)?;
            let beside = decision.ways.iter().filter(|way| !matches!(way, Way::Sms(_)));
            letters.extend(beside.map(|way| by(way, &base)));
        }
        To::Number(number) => {
            let base = base(desk, untold, person.language, Some(*number))?;
            // It is not theirs any more, so it is nobody's letter but the number's.
            letters.push(NewLetter {
                person: 0,
                ..by(&sms(*number), &base)
            });
        }
        To::Email(address) => {
            let base = base(desk, untold, person.language, None)?;
            letters.push(by(&Way::Email(address.clone()), &base));
        }
    }
    Ok(letters)
}

fn base(
    desk: &Arc<Desk>,
    untold: &Untold,
    language: Language,
    number: Option<Msisdn>,
) -> anyhow::Result<NewLetter> {
    let around = desk.around();
    let operator = operator_of(desk, number)?;
    let zone = around.catalogs.get(operator).map(|catalog| catalog.zone.clone());
    let words = Words {
        title: text::plain(language, "notice-security", &[]),
        text: security_sentence(untold, language, &zone.unwrap_or(charge::time::Zone::UTC)),
        path: "/security".to_owned(),
        language: language.tag().to_owned(),
        to: match &untold.to {
            To::Email(address) => Some(address.clone()),
            _ => None,
        },
    };
    Ok(NewLetter {
        origin: format!("security/{}", untold.id),
        way: LetterWay::Sms,
        recipient: 0,
        operator,
        account: charge::AccountId(0),
        person: untold.person.0,
        notice: Notice::Security.name().to_owned(),
        matter: super::matter::Matter::Words(words).to_bytes(),
        at: untold.at.0,
        not_before: untold.at.0,
        until: untold.at.0 + LIFE,
    })
}

fn operator_of(desk: &Arc<Desk>, number: Option<Msisdn>) -> anyhow::Result<OperatorId> {
    let around = desk.around();
    let theirs = match number {
        Some(number) => around.engine.read(EntityKey::Number(number), |entity, _| {
            entity.and_then(Entity::number).map(|record| record.operator)
        })?,
        None => None,
    };
    // Whose numbers are all gone is told in the name of any operator.
    let any = || around.catalogs.iter().next().map(|catalog| catalog.operator);
    theirs.or_else(any).context("there is no operator")
}
