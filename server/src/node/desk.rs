//! The outbox at work: fed from the journal, shared by the message centres, with words for its rows.

use super::notice;
use crate::sms::{self, Addressed, DurableOutbox};
use charge::catalog::Catalogs;
use charge::{Entity, EntityKey, EventBody, OperatorId};
use engine::Engine;
use parking_lot::Mutex;
use std::sync::Arc;
use store::{JournalReader, Notification, Outbox, OutboxCounts, Step, StoreError};

/// Notifications older than this are not sent any more, microseconds: a day.
const OLD_US: i64 = 24 * 3_600 * 1_000_000;

/// The outbox with what makes texts of its rows. One for all message centres.
pub struct Desk {
    outbox: Arc<Mutex<Outbox>>,
    engine: Arc<Engine>,
    catalogs: Arc<Catalogs>,
    check: notice::Check,
    senders: Mutex<Vec<sms::SmsSender>>,
}

impl Desk {
    /// Puts an outbox to work.
    pub fn new(outbox: Outbox, engine: Arc<Engine>, catalogs: Arc<Catalogs>, check: notice::Check) -> Desk {
        Desk {
            outbox: Arc::new(Mutex::new(outbox)),
            engine,
            catalogs,
            check,
            senders: Mutex::default(),
        }
    }

    /// Takes in a stretch of the journal and wakes the senders.
    pub fn feed(&self, journal: &mut dyn JournalReader, max_bytes: usize) -> Result<Step, StoreError> {
        let not_before = super::now().0 - OLD_US;
        let step = self.outbox.lock().feed(journal, max_bytes, not_before)?;
        if step.events > 0 {
            self.senders.lock().iter().for_each(sms::SmsSender::wake);
        }
        Ok(step)
    }

    /// A sender that wants to be woken.
    pub fn add_sender(&self, sender: sms::SmsSender) {
        self.senders.lock().push(sender);
    }

    /// How many notifications are in which state.
    pub fn counts(&self) -> Result<OutboxCounts, StoreError> {
        self.outbox.lock().counts()
    }

    /// What the message centre of some operators sends.
    pub fn share(&self, operators: Vec<OperatorId>) -> Arc<dyn sms::Outbox> {
        let (engine, catalogs) = (Arc::clone(&self.engine), Arc::clone(&self.catalogs));
        let check = self.check.clone();
        let writer = move |notification: &Notification| address(&engine, &catalogs, &check, notification);
        Arc::new(DurableOutbox::new(
            Arc::clone(&self.outbox),
            operators,
            Box::new(writer),
        ))
    }
}

fn address(
    engine: &Engine,
    catalogs: &Catalogs,
    check: &notice::Check,
    notification: &Notification,
) -> anyhow::Result<Option<Addressed>> {
    let look = |entity: Option<&Entity>, _| {
        entity
            .and_then(Entity::account)
            .map(|account| (account.msisdn, account.language))
    };
    let account = engine.read(EntityKey::Account(notification.account), look)?;
    let catalog = catalogs.get(notification.operator);
    let reason = match &notification.event.body {
        EventBody::CreditTakenBack(taken) => engine.read(taken.payment.key(), |entity, _| match entity {
            Some(Entity::Payment(payment)) => payment.refund.as_ref().map(|refund| refund.reason),
            _ => None,
        })?,
        _ => None,
    };
    Ok(account
        .zip(catalog)
        .map(|((msisdn, language), catalog)| Addressed {
            msisdn: msisdn.to_string(),
            text: notice::text(&notification.event.body, catalog, language, check, reason),
        }))
}
