//! What changed about the security of an account, told by e-mail and push beside the SMS that the page sends itself.

use super::matter::Words;
use super::{Post, Tiding};
use crate::node::desk::Desk;
use anyhow::Context as _;
use charge::catalog::Language;
use charge::{Entity, EntityKey};
use people::PersonId;
use people::consents::Notice;
use people::ways::Addressee;
use std::sync::Arc;
use web::core::{CoreError, Pending};
use web::state::SecurityNotices;
use web::text;

/// Where the pages of people put them.
pub struct Guard(pub Arc<Desk>);

impl SecurityNotices for Guard {
    fn tell(&self, person: PersonId, key: &'static str) -> Pending<Result<(), CoreError>> {
        let desk = Arc::clone(&self.0);
        Box::pin(async move {
            let told = tokio::task::spawn_blocking(move || put(&desk, person, key)).await;
            match told {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "a security notice was not put into the outbox"
                    );
                    Err(CoreError::Unavailable)
                }
                Err(_) => Err(CoreError::Unavailable),
            }
        })
    }
}

fn put(desk: &Arc<Desk>, person: PersonId, key: &'static str) -> anyhow::Result<usize> {
    let (around, now) = (desk.around(), crate::node::now());
    let owned = around.people.numbers_of(person)?;
    let first = owned.first().map(|owned| EntityKey::Number(owned.number));
    let operator = match first {
        Some(number) => around.engine.read(number, |entity, _| {
            entity.and_then(Entity::number).map(|record| record.operator)
        })?,
        None => None,
    };
    // Whose numbers are all gone is told in the name of any operator.
    let any = || around.catalogs.iter().next().map(|catalog| catalog.operator);
    let operator = operator.or_else(any).context("there is no operator")?;
    let words = |language: Language| Words {
        title: text::plain(language, "notice-security", &[]),
        text: text::plain(language, key, &[]),
        path: "/security".to_owned(),
        language: language.tag().to_owned(),
    };
    let tiding = Tiding {
        origin: &format!("security/{}/{key}/{}", person.0, now.0),
        notice: Notice::Security,
        to: Addressee::Person(person),
        operator,
        language: Language::En,
        words: &words,
    };
    Post::new(desk).tell_beside(&tiding, now)
}
