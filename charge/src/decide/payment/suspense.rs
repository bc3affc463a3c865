//! Suspense: money that came in by a rail and named no payment. It is booked once, and goes back or becomes a credit.

use super::{Case, answer, short};
use crate::catalog::Catalogs;
use crate::command::{Funding, Message, Recharge, Unmatched};
use crate::decide::{Decision, MONEY_MAX, View};
use crate::event::{Event, EventBody};
use crate::ids::{AccountId, Code, Entity, Msisdn, OperatorId};
use crate::money::Money;
use crate::payment::{
    CreatePayment, Credited, Currency, Destination, Held, PaymentEvent, PaymentId, PaymentReply,
    PaymentState, RefundReason, Settled,
};
use crate::promotion::ChannelClass;
use crate::reply::{RechargeOutcome, Refusal, Reply};
use crate::tax::RegionCode;
use crate::time::Timestamp;

/// Money of no operator: it is nobody's.
const NO_OPERATOR: OperatorId = OperatorId(0);

/// Books what came. The same rail and reference again is the same money: nothing changes.
///
/// # Errors
/// [`Refusal::Conflict`] when that reference brought another amount before; [`Refusal::AmountTooLarge`] for what is not a
/// sum of rupees.
pub(in crate::decide) fn suspend(
    view: &impl View,
    came: &Unmatched,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let asked = asked_of(came, now);
    if let Some(known) = view.get(asked.id.key()).and_then(Entity::payment) {
        let same = known.asked.price == came.paid && known.asked.rail == came.rail;
        return if same {
            Ok(answer(known, false))
        } else {
            Err(Refusal::Conflict)
        };
    }
    if came.paid.currency != Currency::PKR || !(1..=MONEY_MAX).contains(&came.paid.amount.0) {
        return Err(Refusal::AmountTooLarge);
    }
    let settled = Settled {
        reference: short(&came.reference),
        rail: came.rail,
        gross: asked.gross,
        credit: Credited::Suspense,
    };
    let event = |body| Event {
        key: asked.id.key(),
        operator: NO_OPERATOR,
        at: now,
        body,
    };
    let reply = PaymentReply {
        id: asked.id,
        state: PaymentState::InSuspense,
        changed: true,
    };
    let created = event(EventBody::PaymentCreated(Box::new(asked.clone())));
    let mut decision = Decision::event(created, Reply::Payment(reply));
    let settled = PaymentEvent::Settled(Box::new(settled));
    decision.events.push(event(EventBody::Payment(Box::new(settled))));
    Ok(decision)
}

/// The payment that holds it: for nobody, never payable.
fn asked_of(came: &Unmatched, now: Timestamp) -> CreatePayment {
    CreatePayment {
        id: came.id(),
        to: Destination::Suspense,
        msisdn: Msisdn::NOBODY,
        operator: NO_OPERATOR,
        rail: came.rail,
        gross: Money(came.paid.amount.0),
        price: came.paid,
        offer: Code::EMPTY,
        campaign: Code::EMPTY,
        class: ChannelClass::Unknown,
        region: RegionCode::EMPTY,
        expires_at: now,
        wanted_until: now,
        payer: 0,
    }
}

impl<V: View> Case<'_, V> {
    /// Staff named an account: the credit goes to its partition, the money stays in suspense until it is made.
    pub(super) fn assign(&self, account: AccountId) -> Result<Decision, Refusal> {
        let payment = self.payment;
        if payment.state != PaymentState::InSuspense {
            return Err(Refusal::PaymentState);
        }
        let mut decision = self.happened(PaymentEvent::Assigned { account });
        let recharge = Recharge {
            account,
            source: payment.id().source(),
            reference: payment.id().to_string(),
            funding: Funding::Suspense {
                payment: payment.id(),
                channel: payment.asked.rail,
            },
            gross: payment.gross_paid,
            region: RegionCode::EMPTY,
            campaign: Code::EMPTY,
            class: ChannelClass::Unknown,
        };
        decision.messages.push(Message::Credit {
            external: 0,
            recharge,
        });
        Ok(decision)
    }

    /// Money in suspense goes back to where it came from.
    pub(super) fn return_unmatched(&self, reason: RefundReason) -> Result<Decision, Refusal> {
        if !matches!(reason, RefundReason::Unmatched | RefundReason::Staff) {
            return Err(Refusal::PaymentState);
        }
        let refund = self.refund(reason, self.payment.gross_paid, self.payment.asked.price);
        Ok(self.happened(PaymentEvent::RefundRequested {
            refund,
            from: Held::Suspense,
        }))
    }
}

/// How the credit of assigned money went. Refused, it stays in suspense.
pub(in crate::decide) fn assign_ended(
    view: &impl View,
    catalogs: &Catalogs,
    id: PaymentId,
    outcome: &Result<RechargeOutcome, Refusal>,
    now: Timestamp,
) -> Decision {
    let known = view.get(id.key()).and_then(Entity::payment);
    let Some(payment) = known.filter(|payment| payment.state == PaymentState::Assigned) else {
        return Decision::answer(Reply::Done);
    };
    let case = Case {
        view,
        catalogs,
        payment,
        now,
    };
    let result = outcome
        .as_ref()
        .map(|outcome| outcome.receipt)
        .map_err(|refusal| *refusal);
    case.happened(PaymentEvent::AssignEnded(result))
}
