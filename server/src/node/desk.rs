//! The outbox at work: fed from the journal, shared by the message centres, with words for its rows.

use super::notice;
use crate::notify::letters::WithLetters;
use crate::notify::letters_of;
use crate::notify::words::Writer;
use crate::sms::{self, Addressed, DurableOutbox};
use charge::catalog::{Catalog, Catalogs, Language, TimeWindow};
use charge::reversal::CreditOf;
use charge::{AccountId, Entity, EntityKey, Event, EventBody, OperatorId};
use engine::Engine;
use parking_lot::Mutex;
use people::People;
use people::consents::Notice;
use people::ways::{Addressee, Way};
use std::sync::Arc;
use store::{
    Backlog, JournalReader, NewLetter, Notification, NotificationKind, Outbox, ReadModels, Step, StoreError,
};
use tokio::sync::Notify;

/// Notifications older than this are not sent any more, microseconds: a day.
const OLD_US: i64 = 24 * 3_600 * 1_000_000;

/// The outbox with what makes texts of its rows. One for all message centres.
pub struct Desk {
    outbox: Arc<Mutex<Outbox>>,
    around: Around,
    senders: Mutex<Vec<sms::SmsSender>>,
    changed: Notify,
    quiet: TimeWindow,
}

/// What a notification is put into words with.
#[derive(Clone)]
pub struct Around {
    /// Knows accounts.
    pub engine: Arc<Engine>,
    /// Knows offers.
    pub catalogs: Arc<Catalogs>,
    /// Knows who wants to be told.
    pub people: People,
    /// Makes receipts checkable.
    pub check: notice::Check,
    /// Knows receipts.
    pub reads: ReadModels,
}

impl Desk {
    /// Puts an outbox to work.
    pub fn new(outbox: Outbox, around: Around, quiet: TimeWindow) -> Desk {
        Desk {
            outbox: Arc::new(Mutex::new(outbox)),
            around,
            senders: Mutex::default(),
            changed: Notify::new(),
            quiet,
        }
    }

    /// Takes in a stretch of the journal and wakes the senders.
    pub fn feed(&self, journal: &mut dyn JournalReader, max_bytes: usize) -> Result<Step, StoreError> {
        let not_before = super::now().0 - OLD_US;
        let mut further = |batch: &[Notification]| letters_of(&self.around, batch);
        let step = self
            .outbox
            .lock()
            .feed_with(journal, max_bytes, not_before, &mut further)?;
        if step.events > 0 {
            self.wake();
        }
        Ok(step)
    }

    /// Tells everybody who sends that something may be due.
    pub fn wake(&self) {
        self.senders.lock().iter().for_each(sms::SmsSender::wake);
        self.changed.notify_waiters();
    }

    /// Waits for [`Desk::wake`].
    pub async fn woken(&self) {
        self.changed.notified().await;
    }

    /// What messages are put into words with.
    pub fn around(&self) -> &Around {
        &self.around
    }

    /// The quiet hours of offers.
    pub fn quiet(&self) -> TimeWindow {
        self.quiet
    }

    /// The outbox itself.
    pub fn outbox(&self) -> &Mutex<Outbox> {
        &self.outbox
    }

    /// Asks the outbox, on a thread that may wait.
    ///
    /// # Errors
    /// Those of the question.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Outbox) -> Result<T, StoreError> + Send + 'static,
    ) -> anyhow::Result<T> {
        let outbox = Arc::clone(&self.outbox);
        Ok(tokio::task::spawn_blocking(move || question(&mut outbox.lock())).await??)
    }

    /// Puts letters; durable when it returns. Answers how many are new.
    ///
    /// # Errors
    /// When the outbox does not answer.
    pub fn put_letters(&self, letters: &[NewLetter]) -> anyhow::Result<usize> {
        let new = self.outbox.lock().put_letters(letters)?;
        if new > 0 {
            self.wake();
        }
        Ok(new)
    }

    /// A sender that wants to be woken.
    pub fn add_sender(&self, sender: sms::SmsSender) {
        self.senders.lock().push(sender);
    }

    /// Notifications that wait or were given up.
    pub fn backlog(&self) -> Result<Backlog, StoreError> {
        self.outbox.lock().backlog()
    }

    /// What the message centre of some operators sends.
    pub fn share(&self, operators: Vec<OperatorId>) -> Arc<dyn sms::Outbox> {
        let around = self.around.clone();
        let writer = move |notification: &Notification| address(&around, notification);
        let events = Arc::new(DurableOutbox::new(
            Arc::clone(&self.outbox),
            operators.clone(),
            Box::new(writer),
        ));
        let writer = Writer::new(self.around.clone(), self.quiet, None);
        Arc::new(WithLetters::new(
            events,
            Arc::clone(&self.outbox),
            operators,
            writer,
        ))
    }
}

/// The consent under which a notification goes.
pub fn notice_of(kind: NotificationKind) -> Notice {
    match kind {
        NotificationKind::Recharged | NotificationKind::Bought | NotificationKind::TakenBack => {
            Notice::Recharge
        }
        // About somebody's money and who may take it: it always comes.
        NotificationKind::Auto => Notice::Recharge,
        NotificationKind::Budget => Notice::Budget,
        NotificationKind::SessionEnded => Notice::SessionEnd,
        // Sellers hear of their stock whatever they agreed to: it is their business.
        NotificationKind::LowBalance | NotificationKind::LowStock => Notice::LowBalance,
        NotificationKind::RenewalFailed => Notice::BundleExpiry,
    }
}

/// What an event of an account says, in a language.
///
/// # Errors
/// When the engine does not answer.
pub fn say(
    around: &Around,
    event: &Event,
    account: AccountId,
    (catalog, language): (&Catalog, Language),
) -> anyhow::Result<String> {
    let reason = match &event.body {
        EventBody::CreditTakenBack(taken) => match taken.of {
            CreditOf::Payment(id) => {
                let look = |entity: Option<&Entity>, _| match entity {
                    Some(Entity::Payment(payment)) => payment.refund.as_ref().map(|refund| refund.reason),
                    _ => None,
                };
                around.engine.read(id.key(), look)?
            }
            CreditOf::TopUp(_) => None,
        },
        _ => None,
    };
    let auto = match &event.body {
        EventBody::Auto(_) => {
            let look = |entity: Option<&Entity>, _| entity.and_then(Entity::auto).cloned();
            around.engine.read(EntityKey::Auto(account), look)?
        }
        _ => None,
    };
    let valid_until = match &event.body {
        EventBody::Charged(_) => {
            let look = |entity: Option<&Entity>, _| {
                entity
                    .and_then(Entity::account)
                    .map(|account| account.valid_until)
            };
            around.engine.read(EntityKey::Account(account), look)?
        }
        _ => None,
    };
    let about = notice::About {
        reason,
        auto,
        valid_until,
    };
    Ok(notice::text(
        &event.body,
        catalog,
        language,
        &around.check,
        &about,
    ))
}

/// A seller's own number, and that its float is low.
fn stock_address(around: &Around, notification: &Notification) -> anyhow::Result<Option<Addressed>> {
    let look = |entity: Option<&Entity>, _| {
        let seller = entity.and_then(Entity::seller)?;
        Some((seller.number?, seller.language))
    };
    let seller = around.engine.read(notification.event.key, look)?;
    let catalog = around.catalogs.get(notification.operator);
    let Some(((msisdn, language), catalog)) = seller.zip(catalog) else {
        return Ok(None);
    };
    Ok(Some(Addressed {
        msisdn: msisdn.to_string(),
        text: notice::text(
            &notification.event.body,
            catalog,
            language,
            &around.check,
            &notice::About::default(),
        ),
    }))
}

fn address(around: &Around, notification: &Notification) -> anyhow::Result<Option<Addressed>> {
    if notification.kind == NotificationKind::LowStock {
        return stock_address(around, notification);
    }
    let look = |entity: Option<&Entity>, _| {
        entity
            .and_then(Entity::account)
            .map(|account| (account.msisdn, account.language))
    };
    let account = around
        .engine
        .read(EntityKey::Account(notification.account), look)?;
    let catalog = around.catalogs.get(notification.operator);
    let Some(((msisdn, language), catalog)) = account.zip(catalog) else {
        return Ok(None);
    };
    let notice = notice_of(notification.kind);
    let decision = around
        .people
        .ways_to(Addressee::Number(msisdn), notice, None, super::now())?;
    if !decision.ways.contains(&Way::Sms(msisdn)) {
        return Ok(None);
    }
    let language = decision.language.unwrap_or(language);
    Ok(Some(Addressed {
        msisdn: msisdn.to_string(),
        text: say(
            around,
            &notification.event,
            notification.account,
            (catalog, language),
        )?,
    }))
}
