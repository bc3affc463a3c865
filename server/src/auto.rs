//! What the core's auto-recharge needs from outside: somebody who notices that a balance has fallen, what a rail needs to
//! charge, and the words of budgets.
//!
//! Nothing here decides anything: a look is a command that is safe to repeat, and the core makes one payment of an occasion.
//! What was missed while the process was down is found by the scan at the start; dates are timers of the engine.

use crate::payments::desk::Means;
use charge::auto::{AutoAction, AutoEvent, AutoState, BudgetMark, month_of};
use charge::payment::CreatePayment;
use charge::{AccountId, Command, Entity, EntityKey, Event, EventBody, Money, Msisdn};
use engine::Observer;
use parking_lot::{Mutex, RwLock};
use people::{People, PersonId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use web::Web;
use web::core::CoreError;
use web::page::{auto as auto_page, budget};

/// Rows of one question to the file of people.
const PAGE: i64 = 500;
/// All rules are looked at so often, in case something was missed.
const SCAN_EVERY: Duration = Duration::from_secs(600);
/// Pause before what was refused as "busy" is tried again.
const BUSY_PAUSE: Duration = Duration::from_millis(500);
/// Budgets whose numbers were used are looked at so often.
const BUDGETS_EVERY: Duration = Duration::from_secs(20);
/// Budgets looked at in one turn.
const BUDGETS_MAX: usize = 2_000;

/// What is watched of an account.
#[derive(Clone, Copy, Default)]
struct Mark {
    /// A main balance below this is told; zero: none is.
    below: Money,
    /// It has a budget.
    budget: bool,
}

/// Hears from the engine what accounts spend. Made before the worker, because the engine wants to know it first.
#[derive(Default)]
pub struct AutoWatch {
    /// Without any mark an event costs one look at this.
    any: AtomicBool,
    marks: RwLock<HashMap<AccountId, Mark>>,
    looks: Mutex<HashSet<AccountId>>,
    spent: Mutex<HashSet<AccountId>>,
    bell: Notify,
}

impl Observer for AutoWatch {
    fn wants(&self, event: &Event) -> bool {
        match event.body {
            EventBody::Auto(_) => true,
            EventBody::Charged(_)
            | EventBody::Bought(_)
            | EventBody::Expired { .. }
            | EventBody::CreditTakenBack(_) => self.mark(event).is_some(),
            _ => false,
        }
    }

    fn committed(&self, _: store::Partition, _: store::Seq, events: &[Event]) {
        for event in events {
            match &event.body {
                EventBody::Auto(happened) => self.heard(event, happened),
                body => self.spent(event, body),
            }
        }
    }
}

impl AutoWatch {
    fn mark(&self, event: &Event) -> Option<Mark> {
        let EntityKey::Account(account) = event.key else {
            return None;
        };
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        self.marks.read().get(&account).copied()
    }

    fn spent(&self, event: &Event, body: &EventBody) {
        let (Some(mark), EntityKey::Account(account)) = (self.mark(event), event.key) else {
            return;
        };
        let low = match body {
            EventBody::Charged(charged) => charged.balance < mark.below,
            EventBody::Bought(bought) => bought.balance < mark.below,
            EventBody::CreditTakenBack(taken) => taken.balance < mark.below,
            EventBody::Expired { .. } => mark.below.is_positive(),
            _ => return,
        };
        if low {
            self.look(account);
        }
        if mark.budget {
            self.spent.lock().insert(account);
        }
    }

    fn heard(&self, event: &Event, happened: &AutoEvent) {
        let EntityKey::Auto(account) = event.key else {
            return;
        };
        match happened {
            AutoEvent::Set { rule, .. } => {
                self.set(account, |mark| mark.below = rule.below);
                self.look(account);
            }
            AutoEvent::StateSet { state, .. } if state.is_final() => {
                self.set(account, |mark| mark.below = Money::ZERO);
            }
            AutoEvent::StateSet {
                state: AutoState::Active,
                ..
            } => self.look(account),
            _ => {}
        }
    }

    fn set(&self, account: AccountId, change: impl FnOnce(&mut Mark)) {
        let mut marks = self.marks.write();
        let mark = marks.entry(account).or_default();
        change(mark);
        if !mark.below.is_positive() && !mark.budget {
            marks.remove(&account);
        }
        self.any.store(!marks.is_empty(), Ordering::Relaxed);
    }

    fn look(&self, account: AccountId) {
        self.looks.lock().insert(account);
        self.bell.notify_one();
    }
}

/// Puts the watch to work. Within a tokio runtime, until `stopped` says so.
pub fn start(web: &Web, watch: &Arc<AutoWatch>, stopped: &watch::Receiver<bool>) {
    tokio::spawn(look(web.clone(), Arc::clone(watch), stopped.clone()));
    tokio::spawn(scan(web.clone(), Arc::clone(watch), stopped.clone()));
    tokio::spawn(budgets(web.clone(), Arc::clone(watch), stopped.clone()));
}

/// Tells the core to look at accounts whose balance has fallen.
async fn look(web: Web, watch: Arc<AutoWatch>, mut stopped: watch::Receiver<bool>) {
    loop {
        let accounts: Vec<AccountId> = watch.looks.lock().drain().collect();
        let mut busy = false;
        for account in accounts {
            let action = AutoAction::Look;
            match web.parts.core.call(Command::Auto { account, action }).await {
                Ok(_) | Err(CoreError::Refused(_)) => {}
                Err(CoreError::Busy | CoreError::Unavailable) => {
                    watch.looks.lock().insert(account);
                    busy = true;
                }
            }
        }
        let rung = async {
            match busy {
                true => tokio::time::sleep(BUSY_PAUSE).await,
                false => watch.bell.notified().await,
            }
        };
        tokio::select! {
            () = rung => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

/// Looks at every rule: at the start, and now and then.
async fn scan(web: Web, watch: Arc<AutoWatch>, mut stopped: watch::Receiver<bool>) {
    loop {
        let mut after = None;
        // What cannot be read now is read by the next scan; `people` has logged why.
        while let Ok(page) = web.people(move |people| people.mandated(after, PAGE)).await {
            for account in &page {
                if let Ok(Some(Entity::Auto(auto))) = web.parts.core.read(EntityKey::Auto(*account)).await
                    && !auto.state.is_final()
                {
                    watch.set(*account, |mark| mark.below = auto.rule.below);
                    watch.look(*account);
                }
            }
            after = page.last().copied();
            if page.len() < usize::try_from(PAGE).unwrap_or(0) {
                break;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(SCAN_EVERY) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

/// Tells owners of numbers where the month's budget stands: those that spent something since the last turn; after a start, all.
async fn budgets(web: Web, watch: Arc<AutoWatch>, mut stopped: watch::Receiver<bool>) {
    let mut first = true;
    loop {
        let changed: HashSet<AccountId> = watch.spent.lock().drain().collect();
        let mut after: Option<(PersonId, Msisdn)> = None;
        let mut seen = HashSet::new();
        let mut told = 0;
        while let Ok(page) = web.people(move |people| people.budgets(after, PAGE)).await {
            for (_, number, account, target) in &page {
                seen.insert(*account);
                let is_new = watch.marks.read().get(account).is_none_or(|mark| !mark.budget);
                watch.set(*account, |mark| mark.budget = true);
                let wanted = first || is_new || changed.contains(account);
                if wanted && told < BUDGETS_MAX {
                    told += 1;
                    tell_budget(&web, (*number, *account), *target).await;
                } else if wanted {
                    watch.spent.lock().insert(*account);
                }
            }
            after = page.last().map(|(person, number, ..)| (*person, *number));
            if page.len() < usize::try_from(PAGE).unwrap_or(0) {
                let marks: Vec<AccountId> = watch.marks.read().keys().copied().collect();
                for account in marks.into_iter().filter(|account| !seen.contains(account)) {
                    watch.set(account, |mark| mark.budget = false);
                }
                first = false;
                break;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(BUDGETS_EVERY) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

/// Tells the core which mark is reached; of each its owner hears once in a month, as far as they want to: whoever sends looks
/// at consents.
async fn tell_budget(web: &Web, (number, id): (Msisdn, AccountId), target: Money) {
    let Ok(Some(Entity::Account(account))) = web.parts.core.read(EntityKey::Account(id)).await else {
        return;
    };
    let Some(catalog) = web.catalog(account.operator) else {
        return;
    };
    // A number that changed hands has nobody's budget.
    if account.msisdn != number {
        return;
    }
    let Ok(standing) = budget::standing(web, &account, catalog).await else {
        return;
    };
    let reached = match standing.alert(target) {
        Some(100) => Some(BudgetMark::All),
        Some(80) => Some(BudgetMark::FourFifths),
        Some(_) => Some(BudgetMark::Half),
        None => None,
    };
    let over =
        (standing.forecast > target && standing.alert(target) != Some(100)).then_some(BudgetMark::Forecast);
    let marks: Vec<BudgetMark> = reached.into_iter().chain(over).collect();
    let month = month_of(catalog.zone.civil(web.now()));
    if marks.is_empty() || told_already(web, id, month, &marks).await {
        return;
    }
    for mark in marks {
        let command = Command::TellBudget {
            account: id,
            month,
            mark,
        };
        if let Err(error) = web.parts.core.call(command).await {
            tracing::info!(number = number.masked(), %error, "a budget is told later");
        }
    }
}

async fn told_already(web: &Web, id: AccountId, month: i64, marks: &[BudgetMark]) -> bool {
    match web.parts.core.read(EntityKey::BudgetTold(id)).await {
        Ok(Some(Entity::BudgetTold(told))) => marks.iter().all(|mark| !told.wants(month, *mark)),
        _ => false,
    }
}

/// What the payment desk needs to charge for somebody who is not here.
pub struct KeptMeans(pub People);

impl Means for KeptMeans {
    fn of(&self, asked: &CreatePayment) -> Option<rails::Payer> {
        let charge::payment::Destination::Account(account) = asked.to else {
            return None;
        };
        match self.0.means(account) {
            Ok(Some((mandate, means))) if mandate.rail == asked.rail.as_str() => auto_page::payer_of(&means),
            Ok(_) => None,
            Err(error) => {
                tracing::error!(payment = %asked.id, %error, "what an auto-recharge charges cannot be read");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::{OperatorId, Timestamp};

    fn expired(account: u64) -> Event {
        Event {
            key: EntityKey::Account(AccountId(account)),
            operator: OperatorId(1),
            at: Timestamp(1),
            body: EventBody::Expired { lots: Vec::new() },
        }
    }

    #[test]
    fn only_what_is_marked_is_heard() {
        let watch = AutoWatch::default();
        assert!(!watch.wants(&expired(1)));
        watch.set(AccountId(1), |mark| mark.below = Money(5));
        watch.set(AccountId(2), |mark| mark.budget = true);
        assert!(watch.wants(&expired(1)) && watch.wants(&expired(2)) && !watch.wants(&expired(3)));
        watch.committed(1, 1, &[expired(1), expired(2)]);
        assert_eq!(watch.looks.lock().len(), 1);
        assert_eq!(watch.spent.lock().len(), 1);
        watch.set(AccountId(1), |mark| mark.below = Money::ZERO);
        watch.set(AccountId(2), |mark| mark.budget = false);
        assert!(!watch.any.load(Ordering::Relaxed));
    }
}
