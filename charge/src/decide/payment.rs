//! Payments: what a rail's word, the payer and staff make of one. Success and its credit are one decision.

use super::promotion::recalled;
use super::{Decision, MONEY_MAX, View, account_event, account_of, bundle, recharge};
use crate::account::{Account, LifeCycle, Origin};
use crate::apply::apply;
use crate::catalog::Catalogs;
use crate::command::{Buy, Funding, Recharge};
use crate::event::{Event, EventBody, TakenBack};
use crate::ids::{AccountId, Code, Entity, EntityKey, LotId, SourceId};
use crate::money::{Money, Rounding};
use crate::payment::{
    CreatePayment, Credited, Destination, FailureClass, Held, Payment, PaymentAction, PaymentEvent,
    PaymentFault, PaymentId, PaymentReply, PaymentState, Price, RAIL_TEXT_MAX, Refund, RefundReason, Remedy,
    Settled, Statement,
};

use crate::reply::{Refusal, Reply};
use crate::reversal::CreditOf;
use crate::session::Draw;
use crate::time::Timestamp;
use crate::unit::Unit;

mod suspense;
pub(super) use suspense::{assign_ended, suspend};

/// Begins a payment. The account must exist and the amount must be one that it could be recharged with now.
pub(super) fn create(
    view: &impl View,
    catalogs: &Catalogs,
    asked: &CreatePayment,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    if let Some(known) = view.get(asked.id.key()).and_then(Entity::payment) {
        return if known.asked == *asked {
            Ok(answer(known, false))
        } else {
            Err(Refusal::Conflict)
        };
    }
    if !(1..=MONEY_MAX).contains(&asked.gross.0) || !(1..=MONEY_MAX).contains(&asked.price.amount.0) {
        return Err(Refusal::AmountTooLarge);
    }
    let home = match asked.to {
        Destination::Account(account) => account.0,
        Destination::Connector(_) => asked.msisdn.number(),
        // What came unasked is booked by `suspend`, never begun.
        Destination::Suspense => return Err(Refusal::NoSuchAccount),
    };
    if home != asked.id.home() {
        return Err(Refusal::NoSuchAccount);
    }
    if let Destination::Account(account) = asked.to {
        let account = account_of(view, account)?;
        let catalog = super::catalog_of(catalogs, account.operator)?;
        recharge::quote(account, catalog, asked.gross, asked.region, now)?;
        if !asked.offer.is_empty()
            && catalog
                .offer(asked.offer.as_str())
                .is_none_or(|offer| !offer.for_sale)
        {
            return Err(Refusal::NoSuchOffer);
        }
    }
    let event = Event {
        key: asked.id.key(),
        operator: asked.operator,
        at: now,
        body: EventBody::PaymentCreated(Box::new(asked.clone())),
    };
    let reply = PaymentReply {
        id: asked.id,
        state: PaymentState::Created,
        changed: true,
    };
    Ok(Decision::event(event, Reply::Payment(reply)))
}

/// Carries out an action on a payment.
pub(super) fn act(
    view: &impl View,
    catalogs: &Catalogs,
    id: PaymentId,
    action: &PaymentAction,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let payment = view
        .get(id.key())
        .and_then(Entity::payment)
        .ok_or(Refusal::NoSuchPayment)?;
    let case = Case {
        view,
        catalogs,
        payment,
        now,
    };
    let mut decision = case.act(action)?;
    super::auto::follow(view, catalogs, (payment, &mut decision), now);
    Ok(decision)
}

/// A payment with everything around it.
struct Case<'a, V> {
    view: &'a V,
    catalogs: &'a Catalogs,
    payment: &'a Payment,
    now: Timestamp,
}

impl<V: View> Case<'_, V> {
    fn act(&self, action: &PaymentAction) -> Result<Decision, Refusal> {
        let (case, payment) = (self, self.payment);
        match action {
            PaymentAction::State(statement) => Ok(case.hear(statement)),
            PaymentAction::Cancel if payment.cancelled || !payment.state.is_open() => {
                Ok(answer(payment, false))
            }
            PaymentAction::Cancel => Ok(case.happened(PaymentEvent::Cancelled)),
            PaymentAction::TakeBack(reason) => case.take_back(*reason),
            PaymentAction::Deliver(result) => case.deliver(result),
            PaymentAction::RetryRefund if payment.state == PaymentState::RefundRefused => {
                Ok(case.happened(PaymentEvent::RefundRetried))
            }
            PaymentAction::RetryRefund => Err(Refusal::PaymentState),
            PaymentAction::Resolve(remedy) => case.resolve(*remedy),
            PaymentAction::Assign(account) => case.assign(*account),
        }
    }

    /// What a rail's statement means in the state that the payment is in.
    fn hear(&self, statement: &Statement) -> Decision {
        let payment = self.payment;
        let state = payment.state;
        match statement {
            Statement::Presented { reference } if state == PaymentState::Created => {
                self.moved(PaymentState::Presented, None, "", reference)
            }
            Statement::AwaitingCustomer if state.is_open() => self.awaiting(PaymentState::AwaitingCustomer),
            Statement::AwaitingCash if state.is_open() => self.awaiting(PaymentState::AwaitingCash),
            Statement::Pending { code } if state.is_open() && state != PaymentState::Pending => {
                self.moved(PaymentState::Pending, None, code, "")
            }
            Statement::Failed { class, code } if state.is_open() => {
                self.moved(PaymentState::Failed, Some(*class), code, "")
            }
            Statement::Expired if state.is_open() => self.moved(PaymentState::Expired, None, "", ""),
            Statement::Succeeded { paid, reference } => self.paid(*paid, reference),
            Statement::Failed { code, .. } if state == PaymentState::Succeeded && payment.fault.is_none() => {
                let code = short(code);
                self.happened(PaymentEvent::Fault(PaymentFault::Contradiction { code }))
            }
            Statement::Reversed { code } => self.reversed(code),
            Statement::Refunded { reference } if self.awaits_refund() => self.refunded(Ok(short(reference))),
            Statement::RefundRefused { code } if state == PaymentState::RefundRequested => {
                self.refunded(Err(short(code)))
            }
            _ => answer(payment, false),
        }
    }

    fn awaiting(&self, state: PaymentState) -> Decision {
        if self.payment.state == state {
            return answer(self.payment, false);
        }
        self.moved(state, None, "", "")
    }

    /// The payer has paid. Only the asked amount in the asked currency counts.
    fn paid(&self, paid: Price, reference: &str) -> Decision {
        let payment = self.payment;
        let reference = short(reference);
        let already = payment.paid_at.is_some();
        if already {
            let same = reference.is_empty() || payment.reference.is_empty() || payment.reference == reference;
            let known = match &payment.fault {
                Some(PaymentFault::ChargedTwice { reference: other, .. }) => *other == reference,
                Some(_) => true,
                None => false,
            };
            return if same || known {
                answer(payment, false)
            } else {
                self.happened(PaymentEvent::Fault(PaymentFault::ChargedTwice {
                    paid,
                    reference,
                }))
            };
        }
        if paid != payment.asked.price {
            return if payment.fault.is_some() {
                answer(payment, false)
            } else {
                self.happened(PaymentEvent::Fault(PaymentFault::Mismatch { paid, reference }))
            };
        }
        if payment.cancelled || self.now > payment.asked.wanted_until {
            return self.settle_back(payment.asked.gross, paid, reference, RefundReason::TooLate, None);
        }
        self.settle(payment.asked.gross, paid, reference)
    }

    /// Books a success: the credit, the purchase, or the way back, all in this decision.
    fn settle(&self, gross: Money, paid: Price, reference: String) -> Decision {
        let asked = &self.payment.asked;
        let account = match asked.to {
            Destination::Connector(code) => {
                return self.settled(gross, reference, Credited::Connector(code));
            }
            Destination::Suspense => return answer(self.payment, false),
            Destination::Account(account) => account,
        };
        let credit = Recharge {
            account,
            source: asked.id.source(),
            reference: asked.id.to_string(),
            funding: Funding::Rail(asked.rail),
            gross,
            region: asked.region,
            campaign: asked.campaign,
            class: asked.class,
        };
        let credited = recharge::decide(self.view, self.catalogs, &credit, self.now);
        let (credited, outcome) = match credited {
            Ok(decision) => match decision.reply.clone() {
                Reply::Recharged(outcome) if !decision.events.is_empty() => (decision, *outcome),
                _ => return answer(self.payment, false),
            },
            Err(refusal) => {
                let reason = RefundReason::NotCredited;
                return self.settle_back(gross, paid, reference, reason, Some(refusal));
            }
        };
        let lots = match &credited.events[0].body {
            EventBody::Recharged(recharged) => {
                let credit = recharged.lots.first().map(|lot| lot.id);
                // Also those that are on their way: they are taken back with the rest once they are there.
                let gifts = outcome.earned.iter().flat_map(|earned| &earned.lots);
                credit.into_iter().chain(gifts.map(|lot| lot.lot)).collect()
            }
            _ => Vec::new(),
        };
        let mut decision = self.settled(gross, reference, Credited::Account { outcome, lots });
        let bought = self.purchase(account, &credited);
        for part in [Some(credited), bought].into_iter().flatten() {
            decision.events.extend(part.events);
            decision.messages.extend(part.messages);
        }
        decision
    }

    /// The bundle that the payment was for, bought from the account as it is after the credit. What prevents it leaves
    /// the credit as balance.
    fn purchase(&self, account: AccountId, credited: &Decision) -> Option<Decision> {
        let asked = &self.payment.asked;
        if asked.offer.is_empty() {
            return None;
        }
        let mut changed = Vec::with_capacity(credited.events.len());
        for event in &credited.events {
            let known = changed.iter().position(|(key, _)| *key == event.key);
            let mut after = match known {
                Some(index) => changed.swap_remove(index).1,
                None => self.view.get(event.key).cloned(),
            };
            apply(&mut after, event);
            changed.push((event.key, after));
        }
        let order = Buy {
            account,
            offer: asked.offer,
            source: SourceId::of_reference("payment-bundle", &asked.id.to_string()),
            renew: false,
            at_most: None,
        };
        let view = Overlay {
            view: self.view,
            changed,
        };
        bundle::buy(&view, self.catalogs, &order, self.now).ok()
    }

    fn settle_back(
        &self,
        gross: Money,
        price: Price,
        reference: String,
        reason: RefundReason,
        refusal: Option<Refusal>,
    ) -> Decision {
        let refund = self.refund(reason, gross, price);
        self.settled(gross, reference, Credited::Refund { refund, refusal })
    }

    fn settled(&self, gross: Money, reference: String, credit: Credited) -> Decision {
        self.happened(PaymentEvent::Settled(Box::new(Settled {
            reference,
            rail: self.payment.asked.rail,
            gross,
            credit,
        })))
    }

    /// The unused part of the credit leaves the account, and its money goes back.
    fn take_back(&self, reason: RefundReason) -> Result<Decision, Refusal> {
        let payment = self.payment;
        if payment.state == PaymentState::InSuspense {
            return self.return_unmatched(reason);
        }
        let allowed = match reason {
            RefundReason::Undo => payment.can_undo(self.now),
            RefundReason::WrongNumber => payment.can_claim(self.now),
            RefundReason::Staff => payment.state == PaymentState::Succeeded,
            RefundReason::NotCredited
            | RefundReason::TooLate
            | RefundReason::Undelivered
            | RefundReason::Unmatched => false,
        };
        if !allowed || payment.state != PaymentState::Succeeded || payment.fault.is_some() {
            return Err(Refusal::PaymentState);
        }
        let account = account_of(self.view, payment.account().ok_or(Refusal::PaymentState)?)?;
        let taken = unused(account, payment, self.now).ok_or(Refusal::NothingLeft)?;
        let refund = self.refund(reason, taken.gross, self.price_of(taken.gross));
        let mut decision = self.happened(PaymentEvent::RefundRequested {
            refund,
            from: Held::Account,
        });
        decision.events.push(account_event(
            account,
            self.now,
            EventBody::CreditTakenBack(Box::new(taken)),
        ));
        decision
            .events
            .extend(recalled(self.view, account, &payment.lots, self.now));
        Ok(decision)
    }

    /// The part of the price that belongs to a part of the gross amount; never more than was paid, whole cents.
    fn price_of(&self, gross: Money) -> Price {
        let asked = &self.payment.asked;
        if gross == asked.gross {
            return asked.price;
        }
        let exact = asked
            .price
            .amount
            .mul_div(gross.0, asked.gross.0.max(1), Rounding::Down);
        Price {
            amount: Money(exact.0 - exact.0.rem_euclid(crate::money::MICROS / 100)),
            currency: asked.price.currency,
        }
    }

    fn deliver(&self, result: &Result<String, String>) -> Result<Decision, Refusal> {
        let payment = self.payment;
        let Destination::Connector(connector) = payment.asked.to else {
            return Err(Refusal::PaymentState);
        };
        if payment.state != PaymentState::Succeeded || payment.delivered.is_some() {
            return Ok(answer(payment, false));
        }
        Ok(match result {
            Ok(reference) => self.happened(PaymentEvent::Delivered {
                reference: short(reference),
            }),
            Err(_) => self.happened(PaymentEvent::RefundRequested {
                refund: self.refund(
                    RefundReason::Undelivered,
                    payment.asked.gross,
                    payment.asked.price,
                ),
                from: Held::Connector(connector),
            }),
        })
    }

    fn resolve(&self, remedy: Remedy) -> Result<Decision, Refusal> {
        let payment = self.payment;
        let fault = payment.fault.as_ref().ok_or(Refusal::PaymentState)?;
        let resolved = self.happened(PaymentEvent::Resolved(remedy));
        let (paid, reference) = match (remedy, fault) {
            (Remedy::Dismiss, _) | (_, PaymentFault::Contradiction { .. }) => return Ok(resolved),
            (_, PaymentFault::Mismatch { paid, reference }) if payment.paid_at.is_none() => {
                (*paid, reference)
            }
            (Remedy::Credit, _) => return Err(Refusal::PaymentState),
            (Remedy::Refund, PaymentFault::Mismatch { .. }) => return Err(Refusal::PaymentState),
            (Remedy::Refund, PaymentFault::ChargedTwice { .. }) => {
                // The second movement was never booked: it goes back outside of this payment's own refund.
                return Err(Refusal::PaymentState);
            }
        };
        let gross = self.gross_of(paid).ok_or(Refusal::AmountTooLarge)?;
        let mut decision = match remedy {
            Remedy::Credit => self.settle(gross, paid, reference.clone()),
            _ => self.settle_back(gross, paid, reference.clone(), RefundReason::Staff, None),
        };
        decision.events.insert(0, resolved.events[0].clone());
        Ok(decision)
    }

    /// What an unexpected amount is worth in the operator's currency, by the rate of the quote; `None` in a currency that the
    /// quote does not name.
    fn gross_of(&self, paid: Price) -> Option<Money> {
        let asked = &self.payment.asked;
        if paid.currency != asked.price.currency || !(1..=MONEY_MAX).contains(&paid.amount.0) {
            return None;
        }
        let gross = asked
            .gross
            .mul_div(paid.amount.0, asked.price.amount.0.max(1), Rounding::Down);
        (1..=MONEY_MAX).contains(&gross.0).then_some(gross)
    }

    /// The rail took the money back. What the account still has of it goes with it; the rest is our loss.
    fn reversed(&self, code: &str) -> Decision {
        let payment = self.payment;
        let gross = payment.booked();
        if payment.paid_at.is_none() || gross == Money::ZERO || payment.state == PaymentState::Reversed {
            return answer(payment, false);
        }
        let reversed = |recovered| PaymentEvent::Reversed {
            code: short(code),
            gross,
            recovered,
            rail: payment.asked.rail,
        };
        match payment.state {
            PaymentState::RefundRequested | PaymentState::RefundRefused => {
                let recovered = payment.refund.as_ref().map_or(Money::ZERO, |refund| refund.gross);
                self.happened(reversed(recovered))
            }
            PaymentState::Succeeded => {
                let account = payment
                    .account()
                    .and_then(|id| self.view.get(EntityKey::Account(id)))
                    .and_then(Entity::account);
                let taken = account.and_then(|account| Some((account, unused(account, payment, self.now)?)));
                let Some((account, taken)) = taken else {
                    return self.happened(reversed(Money::ZERO));
                };
                let mut decision = self.happened(reversed(taken.gross));
                let body = EventBody::CreditTakenBack(Box::new(taken));
                decision.events.push(account_event(account, self.now, body));
                decision
                    .events
                    .extend(recalled(self.view, account, &payment.lots, self.now));
                decision
            }
            _ => answer(payment, false),
        }
    }

    fn awaits_refund(&self) -> bool {
        matches!(
            self.payment.state,
            PaymentState::RefundRequested | PaymentState::RefundRefused
        )
    }

    fn refunded(&self, result: Result<String, String>) -> Decision {
        let gross = self
            .payment
            .refund
            .as_ref()
            .map_or(Money::ZERO, |refund| refund.gross);
        self.happened(PaymentEvent::RefundEnded {
            result,
            gross,
            rail: self.payment.asked.rail,
        })
    }

    fn refund(&self, reason: RefundReason, gross: Money, price: Price) -> Refund {
        Refund {
            reason,
            gross,
            price,
            requested_at: self.now,
            reference: String::new(),
        }
    }

    fn moved(
        &self,
        state: PaymentState,
        failure: Option<FailureClass>,
        code: &str,
        reference: &str,
    ) -> Decision {
        self.happened(PaymentEvent::Moved {
            state,
            failure,
            code: short(code),
            reference: short(reference),
        })
    }

    /// The event, and an answer that says where the payment stands after it.
    fn happened(&self, event: PaymentEvent) -> Decision {
        let mut after = self.payment.clone();
        after.apply(&event, self.now);
        let reply = answer(&after, true).reply;
        let event = Event {
            key: self.payment.id().key(),
            operator: self.payment.asked.operator,
            at: self.now,
            body: EventBody::Payment(Box::new(event)),
        };
        Decision::event(event, reply)
    }
}

/// Entities as they will be within this decision.
struct Overlay<'a, V> {
    view: &'a V,
    changed: Vec<(EntityKey, Option<Entity>)>,
}

impl<V: View> View for Overlay<'_, V> {
    fn get(&self, key: EntityKey) -> Option<&Entity> {
        match self.changed.iter().find(|(known, _)| *known == key) {
            Some((_, entity)) => entity.as_ref(),
            None => self.view.get(key),
        }
    }

    fn home(&self) -> u16 {
        self.view.home()
    }
}

fn answer(payment: &Payment, changed: bool) -> Decision {
    Decision::answer(Reply::Payment(PaymentReply {
        id: payment.id(),
        state: payment.state,
        changed,
    }))
}

/// What is left unused and unreserved of the lots that a payment brought, with the tax of that part. `None` when nothing is.
pub fn unused(account: &Account, payment: &Payment, now: Timestamp) -> Option<TakenBack> {
    let outcome = payment.outcome.as_ref()?;
    let credit = (outcome.gross, outcome.credited, outcome.promotion);
    unused_of(
        account,
        CreditOf::Payment(payment.id()),
        credit,
        &payment.lots,
        now,
    )
}

/// The same for any credit: what was paid, what was credited of it, its first promotion; its lot and those of promotions.
pub(super) fn unused_of(
    account: &Account,
    of: CreditOf,
    (paid_gross, credited, promotion): (Money, Money, Code),
    lots: &[LotId],
    now: Timestamp,
) -> Option<TakenBack> {
    let (main, bonus) = lots.split_first()?;
    let draw_of = |id: &LotId, origin: Origin| {
        let lot = account.lot(*id).filter(|lot| lot.origin == origin)?;
        let amount = lot.available(now).min(lot.initial);
        amount.is_positive().then_some(Draw {
            lot: lot.id,
            origin: lot.origin,
            unit: lot.unit,
            amount,
        })
    };
    if account.state == LifeCycle::Closed {
        return None;
    }
    let paid = draw_of(main, Origin::Paid).filter(|draw| draw.unit == Unit::Money)?;
    // A lot that another one has joined began as more than this credit: its own part cannot be told apart any more.
    if account.lot(paid.lot)?.initial.0 != credited.0 {
        return None;
    }
    let unused = Money(paid.amount.0);
    let gross = if unused == credited {
        paid_gross
    } else {
        paid_gross.mul_div(unused.0, credited.0.max(1), Rounding::Down)
    };
    let mut draws = vec![paid];
    draws.extend(bonus.iter().filter_map(|id| draw_of(id, Origin::Bonus)));
    let bonus_money: Money = draws[1..]
        .iter()
        .filter(|draw| draw.unit == Unit::Money && account.lot(draw.lot).is_some_and(crate::Lot::is_main))
        .map(|draw| Money(draw.amount.0))
        .sum();
    Some(TakenBack {
        of,
        draws,
        promotion,
        unused,
        tax: gross - unused,
        gross,
        balance: account.main_total(now) - unused - bonus_money,
    })
}

pub(super) fn short(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(RAIL_TEXT_MAX)
        .collect()
}

impl Payment {
    /// A payment as it begins.
    pub(crate) fn new(asked: &CreatePayment, at: Timestamp) -> Payment {
        Payment {
            asked: asked.clone(),
            state: PaymentState::Created,
            created_at: at,
            updated_at: at,
            paid_at: None,
            gross_paid: Money::ZERO,
            failure: None,
            code: String::new(),
            presented: String::new(),
            reference: String::new(),
            outcome: None,
            lots: Vec::new(),
            delivered: None,
            refund: None,
            fault: None,
            cancelled: false,
        }
    }

    /// What is on its way back to the payer, in the operator's currency.
    pub fn refund_pending(&self) -> Money {
        let on_the_way = matches!(
            self.state,
            PaymentState::RefundRequested | PaymentState::RefundRefused
        );
        let gross = self.refund.as_ref().map(|refund| refund.gross);
        gross.filter(|_| on_the_way).unwrap_or(Money::ZERO)
    }

    /// What stands in suspense, in the operator's currency: also while its credit is on the way.
    pub fn suspense(&self) -> Money {
        match self.state {
            PaymentState::InSuspense | PaymentState::Assigned => self.gross_paid,
            _ => Money::ZERO,
        }
    }

    /// What was booked as paid, in the operator's currency.
    fn booked(&self) -> Money {
        self.gross_paid
    }

    pub(crate) fn apply(&mut self, event: &PaymentEvent, at: Timestamp) {
        self.updated_at = at;
        match event {
            PaymentEvent::Moved {
                state,
                failure,
                code,
                reference,
            } => {
                self.state = *state;
                self.failure = *failure;
                if !code.is_empty() {
                    self.code.clone_from(code);
                }
                if !reference.is_empty() {
                    self.presented.clone_from(reference);
                }
            }
            PaymentEvent::Settled(settled) => self.settle(settled, at),
            PaymentEvent::Cancelled => self.cancelled = true,
            PaymentEvent::RefundRequested { refund, .. } => {
                self.state = PaymentState::RefundRequested;
                self.refund = Some(refund.clone());
            }
            PaymentEvent::RefundEnded { result, .. } => match result {
                Ok(reference) => {
                    self.state = PaymentState::Refunded;
                    if let Some(refund) = &mut self.refund {
                        refund.reference.clone_from(reference);
                    }
                }
                Err(code) => {
                    self.state = PaymentState::RefundRefused;
                    self.code.clone_from(code);
                }
            },
            PaymentEvent::RefundRetried => self.state = PaymentState::RefundRequested,
            PaymentEvent::Reversed { code, .. } => {
                self.state = PaymentState::Reversed;
                self.code.clone_from(code);
            }
            PaymentEvent::Fault(fault) => self.fault = Some(fault.clone()),
            PaymentEvent::Resolved(_) => self.fault = None,
            PaymentEvent::Delivered { reference } => self.delivered = Some(reference.clone()),
            PaymentEvent::Assigned { .. } => self.state = PaymentState::Assigned,
            PaymentEvent::AssignEnded(Ok(receipt)) => {
                self.state = PaymentState::Succeeded;
                self.delivered = Some(receipt.to_string());
            }
            PaymentEvent::AssignEnded(Err(_)) => self.state = PaymentState::InSuspense,
        }
    }

    fn settle(&mut self, settled: &Settled, at: Timestamp) {
        self.paid_at = Some(at);
        self.gross_paid = settled.gross;
        self.failure = None;
        self.reference.clone_from(&settled.reference);
        self.state = match &settled.credit {
            Credited::Account { outcome, lots } => {
                self.outcome = Some(outcome.clone());
                self.lots.clone_from(lots);
                PaymentState::Succeeded
            }
            Credited::Connector(_) => PaymentState::Succeeded,
            Credited::Suspense => PaymentState::InSuspense,
            Credited::Refund { refund, .. } => {
                self.refund = Some(refund.clone());
                PaymentState::RefundRequested
            }
        };
    }
}
