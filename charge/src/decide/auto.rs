//! Auto-recharge: whether an occasion has come, whether the caps allow it, and the payment that follows, in one decision.

use super::{Decision, View, account_of, catalog_of, recharge};
use crate::account::{Account, LifeCycle};
use crate::auto::{
    AutoAction, AutoCap, AutoCause, AutoDate, AutoEvent, AutoOutcome, AutoPlan, AutoRecharge, AutoRule,
    AutoSpent, AutoState, AutoTry, BudgetMark, REST, RETRY_AFTER,
};
use crate::catalog::{Catalog, Catalogs};
use crate::event::{Event, EventBody};
use crate::ids::{AccountId, Entity, EntityKey, OperatorId, digest128};
use crate::payment::{CreatePayment, Destination, Payment, PaymentEvent, PaymentId, PaymentState, Price};
use crate::promotion::ChannelClass;
use crate::reply::{Refusal, Reply};
use crate::time::{DAY, SECOND, Timestamp};

/// Carries out an action on the auto-recharge of an account.
pub(super) fn act(
    view: &impl View,
    catalogs: &Catalogs,
    (id, action): (AccountId, &AutoAction),
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let account = account_of(view, id)?;
    let catalog = catalog_of(catalogs, account.operator)?;
    let known = auto_of(view, id);
    if let AutoAction::Set(rule) = action {
        return set(account, catalog, rule, known, now);
    }
    let case = Case {
        account,
        catalog,
        auto: known.ok_or(Refusal::NoSuchRule)?,
        now,
    };
    let state = case.auto.state;
    match action {
        AutoAction::Set(_) | AutoAction::Look => Ok(case.look(view)),
        AutoAction::Pause if state == AutoState::Active => Ok(case.turn(AutoState::Paused)),
        AutoAction::Resume if !state.is_final() && state != AutoState::Active => {
            Ok(case.turn(AutoState::Active))
        }
        AutoAction::End(staff) if !state.is_final() => {
            let mut decision = case.turn(match staff {
                true => AutoState::Stopped,
                false => AutoState::Ended,
            });
            decision.events.extend(case.give_up(view));
            Ok(decision)
        }
        AutoAction::Resume if state.is_final() => Err(Refusal::NoSuchRule),
        AutoAction::Pause | AutoAction::Resume | AutoAction::End(_) => Ok(Decision::answer(Reply::Done)),
    }
}

/// The auto-recharge of an account.
pub(super) fn auto_of(view: &impl View, id: AccountId) -> Option<&AutoRecharge> {
    view.get(EntityKey::Auto(id)).and_then(Entity::auto)
}

fn set(
    account: &Account,
    catalog: &Catalog,
    rule: &AutoRule,
    known: Option<&AutoRecharge>,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    // The number is checked by whoever asks; here it must be the account's own.
    if !rule.is_valid() || rule.msisdn != account.msisdn || rule.operator != account.operator {
        return Err(Refusal::BadRule);
    }
    if known.is_some_and(|known| known.rule == *rule && known.state == AutoState::Active) {
        return Ok(Decision::answer(Reply::Done));
    }
    recharge::quote(account, catalog, rule.amount, crate::tax::RegionCode::EMPTY, now)?;
    let for_sale = |offer: &crate::catalog::Offer| offer.for_sale;
    if !rule.offer.is_empty() && !catalog.offer(rule.offer.as_str()).is_some_and(for_sale) {
        return Err(Refusal::NoSuchOffer);
    }
    let plan = AutoPlan {
        due_at: next_date(rule, account, catalog, now),
        // Looked at once the order is durable: it may be low already.
        look_at: rule.below.is_positive().then_some(now),
        ..AutoPlan::default()
    };
    let event = AutoEvent::Set {
        rule: Box::new(rule.clone()),
        plan,
    };
    let event = auto_event((account.id, account.operator), event, now);
    Ok(Decision::event(event, Reply::Done))
}

fn next_date(rule: &AutoRule, account: &Account, catalog: &Catalog, now: Timestamp) -> Option<Timestamp> {
    rule.date
        .next(rule.minute, &catalog.zone, account.valid_until, now)
}

fn auto_event((account, operator): (AccountId, OperatorId), event: AutoEvent, at: Timestamp) -> Event {
    Event {
        key: EntityKey::Auto(account),
        operator,
        at,
        body: EventBody::Auto(Box::new(event)),
    }
}

/// A rule with everything around it.
struct Case<'a> {
    account: &'a Account,
    catalog: &'a Catalog,
    auto: &'a AutoRecharge,
    now: Timestamp,
}

impl Case<'_> {
    fn happened(&self, event: AutoEvent) -> Decision {
        let event = auto_event((self.account.id, self.account.operator), event, self.now);
        Decision::event(event, Reply::Done)
    }

    fn is_due(&self, at: Option<Timestamp>) -> bool {
        at.is_some_and(|at| at <= self.now)
    }

    /// Does the earliest thing that is due, if any.
    fn look(&self, view: &impl View) -> Decision {
        let (auto, now) = (self.auto, self.now);
        if let Some(id) = auto.payment {
            // Heard when it happened; this is for a journal in which it was not.
            let payment = view.get(id.key()).and_then(Entity::payment);
            return match payment.and_then(|payment| self.ended(payment)) {
                Some(events) => Decision {
                    events: events.into_iter().collect(),
                    ..Decision::answer(Reply::Done)
                },
                None => Decision::answer(Reply::Done),
            };
        }
        if auto.state != AutoState::Active {
            return Decision::answer(Reply::Done);
        }
        if auto.plan.retry_at.is_some() {
            return match self.is_due(auto.plan.retry_at) {
                true => self.attempt(view, auto.cause),
                false => Decision::answer(Reply::Done),
            };
        }
        if let AutoDate::BeforeExpiry(_) = auto.rule.date {
            let due_at = next_date(&auto.rule, self.account, self.catalog, now);
            // Validity has moved since; a moment that has just come stays.
            if due_at.is_some() && due_at != auto.plan.due_at {
                return self.happened(AutoEvent::Planned(AutoPlan { due_at, ..auto.plan }));
            }
        }
        if self.is_due(auto.plan.due_at) {
            return self.attempt(view, AutoCause::Date);
        }
        if let (Some(due_at), true) = (auto.plan.due_at, self.is_due(auto.notice_at())) {
            return self.happened(AutoEvent::Announced { due_at });
        }
        let rests = auto.plan.look_at.is_some_and(|look_at| look_at > now);
        if auto.rule.below.is_positive() && !rests {
            if self.account.main_total(now) < auto.rule.below {
                return self.attempt(view, AutoCause::Balance);
            }
            if auto.plan.look_at.is_some() {
                return self.happened(AutoEvent::Planned(AutoPlan {
                    look_at: None,
                    ..auto.plan
                }));
            }
        }
        Decision::answer(Reply::Done)
    }

    /// One payment for an occasion, if the caps and the account allow it.
    fn attempt(&self, view: &impl View, cause: AutoCause) -> Decision {
        let (auto, rule, now) = (self.auto, &self.auto.rule, self.now);
        let (occasion, attempt) = match auto.failed {
            0 => (auto.occasions, 0),
            failed => (auto.occasions.saturating_sub(1), failed),
        };
        // What is due now was this occasion: however many dates have passed, it is one.
        let due_at = match self.is_due(auto.plan.due_at) {
            true => self.after_this(),
            false => auto.plan.due_at,
        };
        let plan = AutoPlan {
            due_at,
            ..AutoPlan::default()
        };
        let counted = AutoSpent::at(&self.catalog.zone, now);
        let spent = auto.spent.seen(counted);
        if let Some(cap) = spent.reached(rule.caps, rule.amount) {
            let look_at = match cap {
                AutoCap::Day => self.catalog.zone.day_start(self.catalog.zone.day_number(now) + 1),
                AutoCap::Month | AutoCap::Count => crate::auto::next_month(&self.catalog.zone, now),
            };
            let look_at = rule.below.is_positive().then_some(look_at);
            return self.happened(AutoEvent::Held {
                cap,
                plan: AutoPlan { look_at, ..plan },
            });
        }
        let region = crate::tax::RegionCode::EMPTY;
        let takes = recharge::quote(self.account, self.catalog, rule.amount, region, now).is_ok();
        let id = rule
            .payment(self.account.id, occasion, attempt)
            .filter(|_| takes && self.account.state != LifeCycle::Closed);
        let Some(id) = id else {
            return self.turn(AutoState::Refused);
        };
        if view.get(id.key()).is_some() {
            // Only a rule with a seed that was used before can come here: it must not pay with another's payment.
            return self.turn(AutoState::Refused);
        }
        let tried = AutoTry {
            payment: id,
            occasion,
            attempt,
            cause,
            amount: rule.amount,
            at: now,
            counted,
            outcome: None,
        };
        let mut decision = self.happened(AutoEvent::Tried { tried, plan });
        decision.events.push(Event {
            key: id.key(),
            operator: self.account.operator,
            at: now,
            body: EventBody::PaymentCreated(Box::new(self.payment(id))),
        });
        decision
    }

    /// The payment under way is not wanted any more: if it is paid later, the money goes back.
    fn give_up(&self, view: &impl View) -> Option<Event> {
        let payment = view.get(self.auto.payment?.key()).and_then(Entity::payment)?;
        (payment.state.is_open() && !payment.cancelled).then(|| Event {
            key: payment.id().key(),
            operator: self.account.operator,
            at: self.now,
            body: EventBody::Payment(Box::new(PaymentEvent::Cancelled)),
        })
    }

    fn payment(&self, id: PaymentId) -> CreatePayment {
        let rule = &self.auto.rule;
        let expires_at = self.now.plus(i64::from(rule.payable_s) * SECOND);
        CreatePayment {
            id,
            to: Destination::Account(self.account.id),
            msisdn: rule.msisdn,
            operator: self.account.operator,
            rail: rule.rail,
            gross: rule.amount,
            price: Price::pkr(rule.amount),
            offer: rule.offer,
            campaign: crate::ids::Code::EMPTY,
            class: ChannelClass::Auto,
            region: crate::tax::RegionCode::EMPTY,
            expires_at,
            wanted_until: expires_at.plus(i64::from(rule.wanted_s) * SECOND),
            payer: digest128("auto-payer", &[&self.account.id.0.to_be_bytes()]),
        }
    }

    /// The next date when the present one is done with.
    fn after_this(&self) -> Option<Timestamp> {
        let rule = &self.auto.rule;
        match rule.date {
            // Moved by the recharge; until then not again on the same day.
            AutoDate::BeforeExpiry(_) => {
                let due_at = next_date(rule, self.account, self.catalog, self.now);
                due_at.or((self.account.valid_until > self.now.plus(DAY)).then(|| self.now.plus(DAY)))
            }
            _ => next_date(rule, self.account, self.catalog, self.now),
        }
    }

    fn turn(&self, state: AutoState) -> Decision {
        let works = state == AutoState::Active;
        let plan = AutoPlan {
            due_at: next_date(&self.auto.rule, self.account, self.catalog, self.now).filter(|_| works),
            look_at: (works && self.auto.rule.below.is_positive()).then_some(self.now),
            retry_at: None,
        };
        self.happened(AutoEvent::StateSet { state, plan })
    }

    /// What follows when the payment under way has come to its end.
    fn ended(&self, payment: &Payment) -> Option<Vec<Event>> {
        let auto = self.auto;
        let id = payment.id();
        if auto.payment != Some(id) || payment.state.is_open() {
            return None;
        }
        let outcome = match payment.state {
            PaymentState::Succeeded => AutoOutcome::Paid,
            PaymentState::Expired => AutoOutcome::NotApproved,
            PaymentState::Failed => match payment.failure {
                Some(class) => AutoOutcome::NotPaid(class),
                None => AutoOutcome::NotApproved,
            },
            _ => AutoOutcome::WentBack,
        };
        let failed = usize::from(auto.failed);
        let retry_at = match outcome {
            AutoOutcome::Paid => None,
            _ if outcome.stops().is_some() || auto.state != AutoState::Active => None,
            _ => RETRY_AFTER.get(failed).map(|wait| self.now.plus(*wait)),
        };
        let state = match (outcome.stops(), outcome, retry_at) {
            (Some(state), ..) => state,
            (None, AutoOutcome::Paid, _) | (None, _, Some(_)) => AutoState::Active,
            (None, _, None) => AutoState::Failed,
        };
        let due_at = match self.is_due(auto.plan.due_at) || outcome == AutoOutcome::Paid {
            // The account may have become valid for longer with this payment.
            true => next_date(&auto.rule, self.account, self.catalog, self.now)
                .or(auto.plan.due_at.filter(|due_at| *due_at > self.now)),
            false => auto.plan.due_at,
        };
        let look_at =
            (outcome == AutoOutcome::Paid && auto.rule.below.is_positive()).then(|| self.now.plus(REST));
        let plan = AutoPlan {
            due_at: due_at.filter(|_| state == AutoState::Active),
            retry_at,
            look_at,
        };
        let event = AutoEvent::Ended {
            payment: id,
            outcome,
            plan,
            state,
        };
        let mut events = vec![auto_event(
            (self.account.id, self.account.operator),
            event,
            self.now,
        )];
        let unpaid = matches!(payment.state, PaymentState::Failed | PaymentState::Expired);
        if unpaid && !payment.cancelled {
            // Another attempt may follow: money that comes late for this one goes back.
            events.push(Event {
                key: id.key(),
                operator: self.account.operator,
                at: self.now,
                body: EventBody::Payment(Box::new(PaymentEvent::Cancelled)),
            });
        }
        Some(events)
    }
}

/// What a decision about a payment means for the rule that had made it. `after`: the payment as it will be.
pub(super) fn follow(
    view: &impl View,
    catalogs: &Catalogs,
    (payment, decision): (&Payment, &mut Decision),
    now: Timestamp,
) {
    if payment.asked.class != ChannelClass::Auto {
        return;
    }
    let Some(id) = payment.account() else { return };
    let (Ok(account), Some(auto)) = (account_of(view, id), auto_of(view, id)) else {
        return;
    };
    let Ok(catalog) = catalog_of(catalogs, account.operator) else {
        return;
    };
    let mut after = payment.clone();
    let mut valid_until = account.valid_until;
    for event in &decision.events {
        match &event.body {
            EventBody::Payment(happened) if event.key == payment.id().key() => after.apply(happened, now),
            EventBody::Recharged(recharged) => valid_until = recharged.outcome.valid_until,
            _ => {}
        }
    }
    let mut account = account.clone();
    account.valid_until = valid_until;
    let case = Case {
        account: &account,
        catalog,
        auto,
        now,
    };
    if let Some(events) = case.ended(&after) {
        decision.events.extend(events);
    }
}

/// The owner of a number is told of a mark of the month's budget, once.
pub(super) fn tell_budget(
    view: &impl View,
    (id, month, mark): (AccountId, i64, BudgetMark),
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let account = account_of(view, id)?;
    let told = match view.get(EntityKey::BudgetTold(id)) {
        Some(Entity::BudgetTold(told)) => *told,
        _ => crate::auto::BudgetTold::default(),
    };
    if !told.wants(month, mark) {
        return Ok(Decision::answer(Reply::Done));
    }
    let event = Event {
        key: EntityKey::BudgetTold(id),
        operator: account.operator,
        at: now,
        body: EventBody::BudgetReached { month, mark },
    };
    Ok(Decision::event(event, Reply::Done))
}
