//! Promotions: which ones a recharge or a purchase earns, and from which budget they are paid.
//!
//! What is earned follows from the account, the catalog and the time alone. What is given depends on the shares that this
//! partition holds: when they suffice, at once; when they do not, the budget is asked and the award waits as a claim.

use super::{Decision, LOTS_MAX, View, account_event};
use crate::account::{Account, LifeCycle, Lot, Origin};
use crate::catalog::{BucketGrant, Catalog, Catalogs, Promotion, PromotionTrigger};
use crate::command::{Command, Message};
use crate::event::{BudgetMoved, Event, EventBody};
use crate::ids::{Code, Entity, EntityKey, LotId, OperatorId};
use crate::money::Money;
use crate::payment::PaymentId;
use crate::promotion::{
    AWARDS_MAX, Award, Budget, BudgetMessage, CLAIMS_MAX, COUNTS_MAX, ChannelClass, Claim, ClaimRef,
    Discounted, Dry, Earned, EarnedLot, EarnedStatus, LEASE_PART, Period, Share, ShareChange, Shares,
    SharesChange,
};
use crate::reply::{Receipt, Refusal, Reply};
use crate::time::{DAY, Timestamp};
use crate::unit::{Amount, Unit};
use smallvec::SmallVec;

/// What a promotion looks at, beside the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occasion {
    /// What the payer pays.
    pub gross: Money,
    /// What is credited of it.
    pub credited: Money,
    /// The channel's code.
    pub channel: Code,
    /// Its kind.
    pub class: ChannelClass,
    /// Campaign code that was typed; empty: none.
    pub campaign: Code,
}

/// What a recharge earns, best first, with the numbers that its lots would get.
pub(super) fn earned_by(
    account: &Account,
    catalog: &Catalog,
    occasion: &Occasion,
    receipt: Receipt,
    now: Timestamp,
) -> SmallVec<[Award; 1]> {
    let mut awards = SmallVec::new();
    if catalog.promotions.is_empty() {
        return awards;
    }
    let matching = catalog.promotions.iter().filter(|promotion| {
        let trigger = match promotion.trigger {
            PromotionTrigger::FirstRecharge => !account.recharged,
            PromotionTrigger::Recharge => true,
            PromotionTrigger::Purchase => false,
        };
        trigger
            && promotion.allows_amount(occasion.gross)
            && promotion.allows_channel(occasion.channel, occasion.class)
            && (promotion.campaign.is_empty() || promotion.campaign == occasion.campaign)
            && promotion.is_on(now, &catalog.zone)
            && may_earn(account, catalog, promotion, now)
    });
    // The credit itself takes the first number.
    let mut next = account.next_lot + 1;
    let mut room = LOTS_MAX.saturating_sub(account.lots.len() + 1);
    for promotion in stacked(matching.collect()) {
        let grants = grants_of(promotion, occasion.credited);
        if grants.is_empty() || grants.len() > room {
            continue;
        }
        room -= grants.len();
        let expires_at = promotion.validity.end(now, &catalog.zone);
        let lots: Vec<Lot> = grants
            .iter()
            .zip(next..)
            .map(|(grant, id)| {
                let origin = (Origin::Bonus, promotion.code);
                super::recharge::bucket_lot(LotId(id), grant, origin, now, expires_at)
            })
            .collect();
        next += u32::try_from(lots.len()).unwrap_or(0);
        let money = lots.iter().filter(|lot| lot.unit == Unit::Money);
        awards.push(Award {
            promotion: promotion.code,
            cost: promotion.cost + money.map(|lot| Money(lot.initial.0)).sum(),
            lots,
            receipt,
            period: period_of(catalog, promotion, now),
        });
    }
    awards
}

/// The best lower price of a bundle now, not yet paid by anybody.
pub(super) fn discount_for(
    account: &Account,
    catalog: &Catalog,
    (offer, price): (Code, Money),
    now: Timestamp,
) -> Option<Discounted> {
    let matching = catalog.promotions.iter().filter(|promotion| {
        promotion.trigger == PromotionTrigger::Purchase
            && (promotion.offers.is_empty() || promotion.offers.contains(&offer))
            && promotion.allows_amount(price)
            && promotion.is_on(now, &catalog.zone)
            && may_earn(account, catalog, promotion, now)
    });
    let discounts = matching.filter_map(|promotion| {
        let amount = promotion.discount?.of(price);
        amount.is_positive().then_some((promotion, amount))
    });
    // One discount at a time: the first by priority, not the largest, so that the catalog decides.
    let (promotion, amount) = discounts.min_by_key(|(promotion, _)| (promotion.priority, promotion.code))?;
    Some(Discounted {
        promotion: promotion.code,
        amount,
        period: period_of(catalog, promotion, now),
    })
}

fn may_earn(account: &Account, catalog: &Catalog, promotion: &Promotion, now: Timestamp) -> bool {
    let period = promotion.limit.per.number(now, &catalog.zone);
    let times = account.earned_times(promotion.code, period);
    let within = promotion.limit.times == 0 || times < promotion.limit.times;
    within && (times > 0 || account.earned.len() < COUNTS_MAX)
}

fn period_of(catalog: &Catalog, promotion: &Promotion, now: Timestamp) -> Period {
    let per = promotion.limit.per;
    Period {
        number: per.number(now, &catalog.zone),
        until: per.remembered_until(now, promotion.until),
    }
}

/// Which of the promotions that match are earned together: by priority, one of each group, and one that does not stack
/// only alone.
fn stacked(mut matching: SmallVec<[&Promotion; 4]>) -> SmallVec<[&Promotion; 4]> {
    matching.sort_by_key(|promotion| (promotion.priority, promotion.code));
    let mut chosen: SmallVec<[&Promotion; 4]> = SmallVec::new();
    for promotion in matching {
        let group_taken = |other: &&Promotion| !other.group.is_empty() && other.group == promotion.group;
        let alone = chosen.is_empty() || (promotion.stacks && chosen.iter().all(|other| other.stacks));
        if chosen.len() < AWARDS_MAX && alone && !chosen.iter().any(group_taken) {
            chosen.push(promotion);
        }
    }
    chosen
}

fn grants_of(promotion: &Promotion, credited: Money) -> SmallVec<[BucketGrant; 4]> {
    let mut grants: SmallVec<[BucketGrant; 4]> = promotion.buckets.iter().copied().collect();
    if let Some(percent) = &promotion.percent {
        let amount = Amount(percent.of(credited).micros());
        if amount.is_positive() {
            grants.push(BucketGrant {
                amount,
                ..percent.grant
            });
        }
    }
    grants
}

/// What is shown of awards before anybody pays.
pub(super) fn offered(awards: &[Award]) -> Vec<Earned> {
    let each = awards.iter();
    each.map(|award| earned(award, EarnedStatus::Offered)).collect()
}

fn earned(award: &Award, status: EarnedStatus) -> Earned {
    Earned {
        promotion: award.promotion,
        status,
        cost: award.cost,
        period: award.period,
        lots: award.lots.iter().map(EarnedLot::of).collect(),
    }
}

/// What this partition may spend, and what a command takes of it.
pub(super) struct Till<'a> {
    operator: OperatorId,
    home: u16,
    shares: Option<&'a Shares>,
    change: SharesChange,
    messages: SmallVec<[Message; 1]>,
}

impl<'a> Till<'a> {
    pub fn open(view: &'a impl View, operator: OperatorId) -> Till<'a> {
        let home = view.home();
        let shares = view
            .get(EntityKey::Shares(operator, home))
            .and_then(Entity::shares);
        Till {
            operator,
            home,
            shares,
            change: SharesChange::default(),
            messages: SmallVec::new(),
        }
    }

    /// Pays each award, or claims it, or says that the funds are out. The lots of those that were paid are added.
    pub fn give(
        &mut self,
        account: &Account,
        catalog: &Catalog,
        awards: SmallVec<[Award; 1]>,
        lots: &mut SmallVec<[Lot; 1]>,
    ) -> Vec<Earned> {
        let mut all = Vec::with_capacity(awards.len());
        for award in awards {
            let budget = catalog
                .promotion(award.promotion)
                .map_or(Money::ZERO, |known| known.budget);
            let share = self.share(award.promotion);
            if self.spend(&share, award.cost, budget) {
                all.push(earned(&award, EarnedStatus::Given));
                lots.extend(award.lots);
            } else if share.is_dry(budget, award.cost) || self.waiting() >= CLAIMS_MAX {
                all.push(earned(&award, EarnedStatus::NotFunded));
            } else {
                all.push(earned(&award, EarnedStatus::Pending));
                let first = self.shares.map_or(0, |shares| shares.next_claim);
                let claim = Claim {
                    id: first + self.change.opened.len() as u64,
                    account: account.id,
                    award,
                };
                let reference = ClaimRef {
                    id: claim.id,
                    account: account.id,
                };
                self.ask(claim.award.promotion, claim.award.cost, Some(reference));
                self.change.opened.push(claim);
            }
        }
        all
    }

    /// Takes so much of a share, if it is there; asks for more when little is left. False: nothing was taken, but more was
    /// asked for if there may be more.
    pub fn spend(&mut self, share: &Share, amount: Money, budget: Money) -> bool {
        let enough = share.left >= amount;
        let mut change = ShareChange::amount(share.promotion, if enough { -amount } else { Money::ZERO });
        let low = enough && share.is_low(share.left - amount, amount);
        if low && !share.asked && !share.is_dry(budget, amount) {
            change.asked = Some(true);
            self.ask(share.promotion, amount, None);
        }
        if enough {
            self.change.shares.push(change);
        }
        enough
    }

    /// As [`Till::spend`], for what cannot wait: when the share does not suffice, it is only asked for, for the next one.
    pub fn spend_or_ask(&mut self, discount: &Discounted, budget: Money) -> bool {
        let share = self.share(discount.promotion);
        if self.spend(&share, discount.amount, budget) {
            return true;
        }
        self.want(&share, discount.amount, budget);
        false
    }

    /// Asks for more, unless that was done or is in vain.
    fn want(&mut self, share: &Share, amount: Money, budget: Money) {
        if !share.asked && !share.is_dry(budget, amount) {
            self.change.shares.push(ShareChange {
                asked: Some(true),
                ..ShareChange::amount(share.promotion, Money::ZERO)
            });
            self.ask(share.promotion, amount, None);
        }
    }

    fn share(&self, promotion: Code) -> Share {
        let known = self.shares.and_then(|shares| shares.share(promotion));
        known.cloned().unwrap_or_else(|| Share::empty(promotion))
    }

    fn waiting(&self) -> usize {
        self.shares.map_or(0, |shares| shares.claims.len()) + self.change.opened.len()
    }

    fn ask(&mut self, promotion: Code, amount: Money, claim: Option<ClaimRef>) {
        self.messages.push(Message::BudgetAsked(BudgetMessage {
            operator: self.operator,
            promotion,
            home: self.home,
            claim,
            amount,
        }));
    }

    /// Adds what was taken and asked to a decision.
    pub fn close(self, decision: &mut Decision, now: Timestamp) {
        if !self.change.is_empty() {
            decision.events.push(Event {
                key: EntityKey::Shares(self.operator, self.home),
                operator: self.operator,
                at: now,
                body: EventBody::SharesChanged(Box::new(self.change)),
            });
        }
        decision.messages.extend(self.messages);
    }
}

/// The entities that a command may look at beside [`Command::reads`], known only when those are: what its partition may
/// spend of promotions, and the auto-recharge of a payment or the payment of an auto-recharge.
pub fn also_reads(view: &impl View, catalogs: &Catalogs, command: &Command) -> SmallVec<[EntityKey; 2]> {
    let mut keys: SmallVec<[EntityKey; 2]> = shares_of(view, catalogs, command).into_iter().collect();
    match command {
        Command::Payment { id, .. } => {
            let payment = view.get(id.key()).and_then(Entity::payment);
            let automatic = payment.filter(|payment| payment.asked.class == ChannelClass::Auto);
            keys.extend(automatic.and_then(|payment| Some(EntityKey::Auto(payment.account()?))));
        }
        Command::Auto { account, .. } => {
            if let Some(auto) = super::auto::auto_of(view, *account) {
                // The one under way, and the one that the next attempt would make.
                keys.extend(auto.payment.map(PaymentId::key));
            }
        }
        _ => {}
    }
    keys
}

fn shares_of(view: &impl View, catalogs: &Catalogs, command: &Command) -> Option<EntityKey> {
    let account = match command {
        Command::Recharge(recharge) => recharge.account,
        Command::Buy(buy) => buy.account,
        Command::Deliver(Message::Credit { recharge, .. }) => recharge.account,
        Command::Deliver(Message::TakeBack(asked)) => asked.account,
        Command::Payment { account, .. } => (*account)?,
        _ => return super::card::also_reads(view, command),
    };
    let operator = view.get(EntityKey::Account(account))?.account()?.operator;
    let catalog = catalogs.get(operator)?;
    (!catalog.promotions.is_empty()).then(|| EntityKey::Shares(operator, view.home()))
}

/// Asks for the first leases of what is on or comes within a day, and gives back what ended promotions left.
pub(super) fn tend(
    view: &impl View,
    catalogs: &Catalogs,
    (operator, home): (OperatorId, u16),
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let catalog = super::catalog_of(catalogs, operator)?;
    if home != view.home() {
        return Err(Refusal::NoSuchAccount);
    }
    let mut till = Till::open(view, operator);
    for promotion in &catalog.promotions {
        let share = till.share(promotion.code);
        let wanted = usual_cost(catalog, promotion);
        let soon = promotion.from <= now.plus(DAY) && now < promotion.until;
        if soon && share.is_low(share.left, wanted) {
            till.want(&share, wanted, promotion.budget);
        }
    }
    for share in till.shares.map_or(&[][..], |shares| &shares.shares) {
        let ended = catalog
            .promotion(share.promotion)
            .is_none_or(|known| known.until <= now);
        if ended && !share.asked {
            till.change.shares.push(ShareChange {
                ended: true,
                ..ShareChange::amount(share.promotion, -share.left)
            });
            till.messages.push(Message::BudgetReturned(BudgetMessage {
                operator,
                promotion: share.promotion,
                home,
                claim: None,
                amount: share.left,
            }));
        }
    }
    let mut decision = Decision::answer(Reply::Done);
    till.close(&mut decision, now);
    Ok(decision)
}

/// What one award usually costs, to ask for before anybody earned it.
fn usual_cost(catalog: &Catalog, promotion: &Promotion) -> Money {
    let typical = promotion.minimum.max(catalog.recharge.minimum);
    let grants = grants_of(promotion, typical);
    let money = grants.iter().filter(|grant| grant.unit == Unit::Money);
    let discount = promotion.discount.map_or(Money::ZERO, |discount| match discount {
        crate::catalog::Discount::Amount(amount) => amount,
        crate::catalog::Discount::Percent(_) => {
            let named = |code: &Code| promotion.offers.is_empty() || promotion.offers.contains(code);
            let prices = catalog.offers.iter().filter(|offer| named(&offer.code));
            prices
                .map(|offer| discount.of(offer.price))
                .max()
                .unwrap_or(Money::ZERO)
        }
    });
    let sum = promotion.cost + money.map(|grant| Money(grant.amount.0)).sum() + discount;
    sum.max(Money(1))
}

/// A partition asks for more: it gets a part of what is left, at least what it asked for, or nothing.
pub(super) fn lease(
    view: &impl View,
    catalogs: &Catalogs,
    asked: &BudgetMessage,
    now: Timestamp,
) -> Decision {
    let key = EntityKey::Budget(asked.operator, asked.promotion);
    let budget = budget_of(view, key);
    let promotion = catalogs
        .get(asked.operator)
        .and_then(|catalog| catalog.promotion(asked.promotion));
    // What was earned in the last moment is still asked for after it.
    let live = promotion.filter(|promotion| now < promotion.until.plus(DAY));
    let funded = live.map_or(Money::ZERO, |promotion| {
        (promotion.budget - budget.funded).max(Money::ZERO - budget.left)
    });
    let left = budget.left + funded;
    let granted = if live.is_some() && left >= asked.amount && asked.amount.is_positive() {
        asked.amount.max(Money(left.0 / LEASE_PART))
    } else {
        Money::ZERO
    };
    let moved = BudgetMoved {
        funded,
        leased: granted,
        home: asked.home,
    };
    let mut decision = budget_decision(key, asked.operator, moved, now);
    decision.messages.push(Message::BudgetAnswered {
        asked: asked.clone(),
        granted,
        budget: budget.funded + funded,
    });
    decision
}

/// A partition gives back what it will not spend; when the promotion has ended, so does the budget.
pub(super) fn give_back(
    view: &impl View,
    catalogs: &Catalogs,
    returned: &BudgetMessage,
    now: Timestamp,
) -> Decision {
    let key = EntityKey::Budget(returned.operator, returned.promotion);
    let left = budget_of(view, key).left + returned.amount;
    let promotion = catalogs
        .get(returned.operator)
        .and_then(|catalog| catalog.promotion(returned.promotion));
    let ended = promotion.is_none_or(|promotion| promotion.until <= now);
    let moved = BudgetMoved {
        funded: if ended { -left } else { Money::ZERO },
        leased: -returned.amount,
        home: returned.home,
    };
    budget_decision(key, returned.operator, moved, now)
}

fn budget_of(view: &impl View, key: EntityKey) -> Budget {
    view.get(key)
        .and_then(Entity::budget)
        .cloned()
        .unwrap_or_default()
}

fn budget_decision(key: EntityKey, operator: OperatorId, moved: BudgetMoved, now: Timestamp) -> Decision {
    if moved.funded == Money::ZERO && moved.leased == Money::ZERO {
        return Decision::answer(Reply::Done);
    }
    let event = Event {
        key,
        operator,
        at: now,
        body: EventBody::BudgetMoved(moved),
    };
    Decision::event(event, Reply::Done)
}

/// The budget's answer: the lease is added to the share, and the claim that waited for it is settled.
pub(super) fn settle(
    view: &impl View,
    asked: &BudgetMessage,
    (granted, budget): (Money, Money),
    now: Timestamp,
) -> Decision {
    let mut till = Till::open(view, asked.operator);
    let share = till.share(asked.promotion);
    let waiting = till.shares.map_or(&[][..], |shares| &shares.claims);
    let claim = asked
        .claim
        .and_then(|reference| waiting.iter().find(|claim| claim.id == reference.id));
    let expected = match asked.claim {
        // A lease for a claim that was recalled meanwhile serves the next one.
        Some(_) => claim.is_some() || granted.is_positive(),
        None => share.asked,
    };
    if !expected {
        return Decision::answer(Reply::Done);
    }
    let mut change = ShareChange::amount(asked.promotion, granted);
    if granted.is_positive() {
        change.lease = Some(granted);
    } else {
        let wanted = asked.amount;
        change.dry = Some(Dry { budget, wanted });
    }
    let mut decision = Decision::answer(Reply::Done);
    match claim {
        None if asked.claim.is_none() => change.asked = Some(false),
        None => {}
        Some(claim) => {
            till.change.closed.push(claim.id);
            let enough = share.left + granted >= claim.award.cost;
            if let Some(body) = settled(view, claim, enough) {
                if matches!(body.body, EventBody::BonusGranted(_)) {
                    change.amount -= claim.award.cost;
                }
                decision.events.push(Event { at: now, ..body });
            }
        }
    }
    till.change.shares.push(change);
    till.close(&mut decision, now);
    decision
}

/// Recalls the awards of a credit that was taken back while their budget was still being asked: `lots` are those of the
/// credit. Without it the gift would come to a credit that is gone.
pub(super) fn recalled(view: &impl View, account: &Account, lots: &[LotId], now: Timestamp) -> Vec<Event> {
    let mut till = Till::open(view, account.operator);
    let waiting = till.shares.map_or(&[][..], |shares| &shares.claims);
    let of_credit = |claim: &&Claim| {
        claim.account == account.id && claim.award.lots.iter().any(|lot| lots.contains(&lot.id))
    };
    let claims: Vec<&Claim> = waiting.iter().filter(of_credit).collect();
    till.change.closed.extend(claims.iter().map(|claim| claim.id));
    let refused = |claim: &&Claim| {
        let body = EventBody::BonusRefused {
            promotion: claim.award.promotion,
            receipt: claim.award.receipt,
            period: claim.award.period,
            reason: Refusal::NothingLeft,
        };
        account_event(account, now, body)
    };
    let mut decision = Decision::answer(Reply::Done);
    decision.events.extend(claims.iter().map(refused));
    till.close(&mut decision, now);
    decision.events.into_vec()
}

fn settled(view: &impl View, claim: &Claim, enough: bool) -> Option<Event> {
    let account = view
        .get(EntityKey::Account(claim.account))
        .and_then(Entity::account)?;
    let award = &claim.award;
    let reason = if account.state == LifeCycle::Closed {
        Some(Refusal::AccountNotActive)
    } else if account.lots.len() + award.lots.len() > LOTS_MAX {
        Some(Refusal::TooMany)
    } else if enough {
        None
    } else {
        Some(Refusal::FundsUsedUp)
    };
    let body = match reason {
        None => EventBody::BonusGranted(Box::new(award.clone())),
        Some(reason) => EventBody::BonusRefused {
            promotion: award.promotion,
            receipt: award.receipt,
            period: award.period,
            reason,
        },
    };
    Some(account_event(account, Timestamp::default(), body))
}
