//! The outbox at work: fed from the journal, shared by the message centres, with words for its rows.

use super::notice;
use crate::sms::{self, Addressed, DurableOutbox};
use charge::catalog::Catalogs;
use charge::reversal::CreditOf;
use charge::{Entity, EntityKey, EventBody, OperatorId};
use engine::Engine;
use parking_lot::Mutex;
use people::People;
use people::consents::Notice;
use people::ways::{Addressee, Way};
use std::sync::Arc;
use store::{JournalReader, Notification, NotificationKind, Outbox, OutboxCounts, Step, StoreError};

/// Notifications older than this are not sent any more, microseconds: a day.
const OLD_US: i64 = 24 * 3_600 * 1_000_000;

/// The outbox with what makes texts of its rows. One for all message centres.
pub struct Desk {
    outbox: Arc<Mutex<Outbox>>,
    around: Around,
    senders: Mutex<Vec<sms::SmsSender>>,
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
}

impl Desk {
    /// Puts an outbox to work.
    pub fn new(outbox: Outbox, around: Around) -> Desk {
        Desk {
            outbox: Arc::new(Mutex::new(outbox)),
            around,
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
        let around = self.around.clone();
        let writer = move |notification: &Notification| address(&around, notification);
        Arc::new(DurableOutbox::new(
            Arc::clone(&self.outbox),
            operators,
            Box::new(writer),
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
        NotificationKind::LowBalance => Notice::LowBalance,
        NotificationKind::RenewalFailed => Notice::BundleExpiry,
    }
}

fn address(around: &Around, notification: &Notification) -> anyhow::Result<Option<Addressed>> {
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
    let reason = match &notification.event.body {
        EventBody::CreditTakenBack(taken) => match taken.of {
            CreditOf::Payment(id) => around.engine.read(id.key(), |entity, _| match entity {
                Some(Entity::Payment(payment)) => payment.refund.as_ref().map(|refund| refund.reason),
                _ => None,
            })?,
            CreditOf::TopUp(_) => None,
        },
        _ => None,
    };
    let auto = match &notification.event.body {
        EventBody::Auto(_) => around
            .engine
            .read(EntityKey::Auto(notification.account), |entity, _| {
                entity.and_then(Entity::auto).cloned()
            })?,
        _ => None,
    };
    Ok(Some(Addressed {
        msisdn: msisdn.to_string(),
        text: notice::text(
            &notification.event.body,
            catalog,
            decision.language.unwrap_or(language),
            &around.check,
            reason,
            auto.as_ref(),
        ),
    }))
}
