//! Texts from handsets: a stop word ends advertising, anything else is for the keypad. Each is answered once, through the
//! outbox; the message centre hears that it was taken when the answer is durable, so that a crash before that brings it again.

use crate::node::desk::Desk;
use crate::notify::matter::Words;
use crate::notify::{Post, Tiding, stop};
use crate::sms::{Heard, IncomingSms};
use charge::OperatorId;
use charge::catalog::Language;
use keypad::keywords::{Answers, Keywords, Message, Reply};
use people::consents::Notice;
use people::ways::Addressee;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use web::core::{CoreError, Pending};

/// Texts of one centre that are worked on at the same time.
const AT_ONCE_MAX: usize = 64;

/// Takes what handsets say to the message centre of some operators, until it stops. Within a tokio runtime.
pub fn listen(
    desk: Arc<Desk>,
    keywords: Arc<Keywords>,
    operators: Vec<OperatorId>,
    mut incoming: mpsc::Receiver<Heard>,
) {
    let slots = Arc::new(Semaphore::new(AT_ONCE_MAX));
    tokio::spawn(async move {
        while let Some(heard) = incoming.recv().await {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let (desk, keywords, first) = (
                Arc::clone(&desk),
                Arc::clone(&keywords),
                operators.first().copied(),
            );
            tokio::spawn(async move {
                // The text is not logged: it may hold a PIN.
                match take(&desk, &keywords, first, heard.sms).await {
                    Ok(()) => heard.confirm.done(),
                    Err(error) => {
                        tracing::warn!(
                            error = format!("{error:#}"),
                            "a message from a handset was not taken"
                        );
                    }
                }
                drop(slot);
            });
        }
    });
}

async fn take(
    desk: &Arc<Desk>,
    keywords: &Keywords,
    first: Option<OperatorId>,
    sms: IncomingSms,
) -> anyhow::Result<()> {
    let sms = Arc::new(sms);
    let message = Message {
        from: &sms.from,
        to: &sms.to,
        text: &sms.text,
    };
    // A subscriber who unsubscribes at the operator's code ends renewals too; anybody else only offers.
    if stop::is_unsubscribe(&sms.text) && keywords.answer(message).await? {
        return Ok(());
    }
    let stopped = {
        let (desk, sms) = (Arc::clone(desk), Arc::clone(&sms));
        tokio::task::spawn_blocking(move || stop::heard(&desk, first, &sms)).await??
    };
    if !stopped {
        keywords.answer(message).await?;
    }
    Ok(())
}

/// Answers in the outbox of a desk.
pub struct Letters(pub Arc<Desk>);

impl Answers for Letters {
    fn keep(&self, reply: Reply) -> Pending<Result<(), CoreError>> {
        let desk = Arc::clone(&self.0);
        Box::pin(async move {
            let kept = tokio::task::spawn_blocking(move || answer(&desk, &reply)).await;
            kept.map_err(anyhow::Error::from)
                .flatten()
                .map_err(|error| not_now(&error))
        })
    }

    fn last(&self, stem: String) -> Pending<Result<Option<String>, CoreError>> {
        let desk = Arc::clone(&self.0);
        Box::pin(async move {
            let found = desk.ask(move |outbox| outbox.last_origin(&stem)).await;
            found.map_err(|error| not_now(&error))
        })
    }
}

/// Said to the log; the message centre brings the message again.
fn not_now(error: &anyhow::Error) -> CoreError {
    tracing::warn!(error = format!("{error:#}"), "answers to messages cannot be kept");
    CoreError::Unavailable
}

fn answer(desk: &Arc<Desk>, reply: &Reply) -> anyhow::Result<()> {
    let words = |_: Language| Words {
        title: "Raseed".to_owned(),
        text: reply.text.clone(),
        path: "/".to_owned(),
        language: reply.language.tag().to_owned(),
        to: None,
    };
    let tiding = Tiding {
        origin: &reply.origin,
        // What somebody just asked is answered whatever they said about other messages.
        notice: Notice::Security,
        to: Addressee::Number(reply.to),
        operator: reply.operator,
        language: reply.language,
        words: &words,
    };
    Post::new(desk).answer(&tiding, reply.to, crate::node::now())?;
    Ok(())
}
