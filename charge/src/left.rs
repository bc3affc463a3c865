//! What is left at the end of a session, and whether its owner is told without asking.

use crate::account::Account;
use crate::catalog::Scope;
use crate::codec::codec_struct;
use crate::decide;
use crate::event::Charged;
use crate::ids::{LotId, SessionKey};
use crate::money::Money;
use crate::session::Session;
use crate::time::Timestamp;
use crate::unit::{Amount, Service};

/// From when on an operator tells what is left after a session. Without it nobody is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionNotice {
    /// Sessions that cost at least this.
    pub cost: Option<Money>,
    /// Data sessions that used at least so much, octets.
    pub data: Option<Amount>,
    /// Calls that lasted at least so long, seconds.
    pub voice: Option<Amount>,
}

/// A session has ended, and its owner is told what is left and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEnded {
    /// The session.
    pub session: SessionKey,
    /// Kind of use.
    pub service: Service,
    /// Used in all.
    pub used: Amount,
    /// What it cost in all.
    pub cost: Money,
    /// Main balance left.
    pub balance: Money,
    /// Until when it can be used.
    pub valid_until: Timestamp,
    /// Left in bundles for this service; zero: nothing.
    pub left: Amount,
    /// When the first of it ends.
    pub left_until: Timestamp,
}
codec_struct!(SessionEnded {
    session,
    service,
    used,
    cost,
    balance,
    valid_until,
    left,
    left_until
});

impl SessionNotice {
    fn tells(&self, service: Service, used: Amount, cost: Money) -> bool {
        let from = match service {
            Service::Data => self.data,
            Service::Voice => self.voice,
            Service::Sms => None,
        };
        self.cost.is_some_and(|from| cost >= from) || from.is_some_and(|from| used >= from)
    }

    /// What is told after an event that ends a session, if anything.
    pub(crate) fn after(
        &self,
        account: &Account,
        session: &Session,
        charged: &Charged,
        now: Timestamp,
    ) -> Option<SessionEnded> {
        let reported: Amount = charged.parts.iter().map(|part| part.used).sum();
        let used = session
            .elements
            .iter()
            .map(|element| element.used)
            .sum::<Amount>()
            + reported;
        let cost = session.cost + decide::cost_of(charged);
        if !self.tells(charged.service, used, cost) {
            return None;
        }
        let drawn = |lot: LotId| -> Amount {
            let charges = charged.parts.iter().flat_map(|part| &part.charges);
            let draws = charges.flat_map(|charge| &charge.draws);
            draws.filter(|draw| draw.lot == lot).map(|draw| draw.amount).sum()
        };
        let (mut left, mut left_until) = (Amount::ZERO, Timestamp::NEVER);
        for lot in &account.lots {
            let fits = lot.unit == charged.service.unit() && is_general(&lot.scope, charged.service);
            let rest = lot.amount - drawn(lot.id);
            if fits && lot.expires_at > now && rest.is_positive() {
                left += rest;
                left_until = left_until.min(lot.expires_at);
            }
        }
        Some(SessionEnded {
            session: session.key,
            service: charged.service,
            used,
            cost,
            balance: charged.balance,
            valid_until: account.valid_until,
            left,
            left_until,
        })
    }
}

/// What serves one number, one application or some hours alone is not what people call "left".
fn is_general(scope: &Scope, service: Service) -> bool {
    scope.services & (1 << service as u8) != 0
        && scope.prefix.digits == 0
        && scope.rating_groups.iter().all(Option::is_none)
        && scope.window.is_none()
}
