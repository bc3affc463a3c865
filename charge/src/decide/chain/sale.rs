//! Sales of sellers: guards, commission, the shares of those above, targets, reversals.

use super::super::{Decision, View};
use super::{Events, is_low, seller_of, shortfall};
use crate::catalog::Catalogs;
use crate::catalog::chain::{Chain, CommissionPlan, TargetPeriod};
use crate::command::{Message, TopUpRequest};
use crate::event::{Event, EventBody};
use crate::ids::{Code, Entity, EntityKey, PartnerId};
use crate::money::{Money, Rounding};
use crate::partner::{Partner, TopUp};
use crate::reply::{Refusal, Reply};
use crate::seller::event::Sold;
use crate::seller::limits::REPEAT_WINDOW;
use crate::seller::{BonusPaid, Calendar, ChainEvent, ChainMessage, ChainSale, Seller, Tallies};
use crate::terms::{CommissionKind, TopUpDetails};
use crate::time::Timestamp;

/// What a sale of a seller has beside that of any partner.
pub(in crate::decide) struct Selling {
    /// Drawn from the credit line into the float.
    pub drawn: Money,
    /// Events before the float is debited.
    pub before: Vec<Event>,
    /// Events after it.
    pub after: Vec<Event>,
}

/// Checks a sale of a seller and says what it brings; `None` when the partner has no place in the chain.
///
/// # Errors
/// [`Refusal`], when a guard does not let it pass.
pub(in crate::decide) fn prepare(
    view: &impl View,
    catalogs: &Catalogs,
    (request, partner): (&TopUpRequest, &Partner),
    details: &mut TopUpDetails,
    now: Timestamp,
) -> Result<Option<Selling>, Refusal> {
    let chain = catalogs.chain();
    let Ok(seller) = seller_of(view, partner.id) else {
        return Ok(None);
    };
    if request.test {
        return Ok(None);
    }
    let when = chain.calendar(now);
    check(chain, seller, request, when, now)?;
    // What was agreed with the partner itself comes before what its grade earns.
    if !details.commission.is_positive() {
        details.commission = chain.on_sale(seller, request.gross, now);
        details.commission_kind = CommissionKind::OnSale;
    }
    let upfront = match details.commission_kind {
        CommissionKind::Upfront => details.commission,
        CommissionKind::OnSale => Money::ZERO,
    };
    let drawn = shortfall(seller, partner.float + upfront, request.gross)?;
    let mut before = Events::of(seller, now);
    before.draw(drawn);
    let float = partner.float + upfront + drawn - request.gross;
    let low = is_low(seller, float);
    let mut after = Events::of(seller, now);
    after.seller(ChainEvent::Sold(Box::new(Sold {
        msisdn: request.msisdn,
        gross: request.gross,
        when,
        staff: request.by.staff,
        pin: request.by.pin,
        float,
        low,
        low_crossed: low && !seller.low,
        forgets: too_old(seller, now),
    })));
    let sale = ChainSale {
        staff: request.by.staff,
        device: request.by.device,
        when,
        overrides: chain.overrides(seller, request.gross, now),
        ..ChainSale::default()
    };
    let key = EntityKey::Sale(partner.id, request.external_digest());
    after.add(key, request.operator, ChainEvent::SaleKept(Box::new(sale)));
    Ok(Some(Selling {
        drawn,
        before: before.out,
        after: after.out,
    }))
}

fn check(
    chain: &Chain,
    seller: &Seller,
    request: &TopUpRequest,
    when: Calendar,
    now: Timestamp,
) -> Result<(), Refusal> {
    seller.check_open()?;
    if !chain.grade(seller.place.grade).is_some_and(|grade| grade.sells) {
        return Err(Refusal::BadGrade);
    }
    check_person(seller, request)?;
    let (limits, gross) = (&seller.limits, request.gross);
    if gross < limits.minimum {
        return Err(Refusal::AmountTooSmall);
    }
    if limits.maximum.is_positive() && gross > limits.maximum {
        return Err(Refusal::AmountTooLarge);
    }
    let (day, day_count) = seller.tallies.sold_day.of(when.day);
    let (month, month_count) = seller.tallies.sold_month.of(when.month);
    let passes = |sum: Money, limit: Money| limit.is_positive() && sum + gross > limit;
    let used_up = |count: u32, limit: u32| limit > 0 && count >= limit;
    if passes(day, limits.day_amount) {
        return Err(Refusal::DailyLimit);
    }
    if passes(month, limits.month_amount) {
        return Err(Refusal::MonthlyLimit);
    }
    if used_up(day_count, limits.day_count) || used_up(month_count, limits.month_count) {
        return Err(Refusal::CountLimit);
    }
    if !request
        .by
        .again
        .may_follow(seller.made(request.msisdn, gross, now))
    {
        return Err(Refusal::RepeatedSale);
    }
    Ok(())
}

/// Staff and device of a sale. The seller's own key needs neither: it proved itself.
fn check_person(seller: &Seller, request: &TopUpRequest) -> Result<(), Refusal> {
    let by = &request.by;
    if !by.device.is_empty() && seller.device(by.device).is_none() {
        return Err(Refusal::DeviceUnknown);
    }
    if by.staff.is_empty() {
        return Ok(());
    }
    if seller.bound && by.device.is_empty() {
        return Err(Refusal::DeviceUnknown);
    }
    let staff = seller.staff(by.staff).ok_or(Refusal::NoSuchStaff)?;
    // The try that verified this PIN has counted itself.
    if staff.is_locked() && !by.pin {
        return Err(Refusal::PinLocked);
    }
    if staff.change {
        return Err(Refusal::PinChange);
    }
    let needed = request.gross > seller.limits.pin_above || !seller.limits.pin_above.is_positive();
    if needed && !by.pin {
        return Err(Refusal::PinNeeded);
    }
    Ok(())
}

fn too_old(seller: &Seller, now: Timestamp) -> u32 {
    let horizon = now.plus(-REPEAT_WINDOW);
    let old = seller.recent.iter().take_while(|sale| sale.at <= horizon);
    u32::try_from(old.count()).unwrap_or(u32::MAX)
}

/// What the end of a top-up does to its seller and to those above.
pub(in crate::decide) fn ended(
    view: &impl View,
    catalogs: &Catalogs,
    (top_up, external): (&TopUp, u128),
    credited: bool,
    now: Timestamp,
) -> (Vec<Event>, Vec<Message>) {
    let (Ok(seller), Some(sale)) = (seller_of(view, top_up.partner), sale_of(view, top_up, external)) else {
        return Default::default();
    };
    let mut events = Events::of(seller, now);
    events.seller(ChainEvent::SaleEnded {
        gross: top_up.gross,
        when: sale.when,
        credited,
    });
    if !credited {
        return (events.out, Vec::new());
    }
    let channel = channel_of(view, top_up.partner);
    let messages = share(&mut events, top_up, channel, sale.overrides.clone());
    let mut tallies = seller.tallies;
    tallies.done_day.add(sale.when.day, top_up.gross);
    tallies.done_month.add(sale.when.month, top_up.gross);
    for plan in catalogs.chain().targets(seller.place.grade) {
        let (period, done) = progress(plan, &tallies, sale.when);
        let paid = |bonus: &&BonusPaid| bonus.plan == plan.code && bonus.period == period;
        if done >= plan.reach && !seller.bonuses.iter().any(|bonus| paid(&bonus)) {
            pay_bonus(&mut events, top_up, channel, (plan.code, period, plan.pays));
        }
    }
    (events.out, messages)
}

/// The period of a target that a sale counts in, and what was credited in it.
fn progress(plan: &CommissionPlan, tallies: &Tallies, when: Calendar) -> (i32, Money) {
    match plan.period {
        TargetPeriod::Day => (when.day, tallies.done_day.of(when.day).0),
        TargetPeriod::Month => (when.month, tallies.done_month.of(when.month).0),
    }
}

fn pay_bonus(events: &mut Events, top_up: &TopUp, channel: Code, (plan, period, amount): (Code, i32, Money)) {
    commission(events, top_up, channel, amount);
    events.seller(ChainEvent::BonusPaid(BonusPaid { plan, period, amount }));
}

fn commission(events: &mut Events, top_up: &TopUp, channel: Code, amount: Money) {
    events.out.push(Event {
        key: EntityKey::Partner(top_up.partner),
        operator: top_up.operator,
        at: events.at,
        body: EventBody::CommissionPaid {
            amount,
            top_up: top_up.id,
            channel,
        },
    });
}

/// Sends those above their shares.
fn share(events: &mut Events, top_up: &TopUp, channel: Code, to: Vec<(PartnerId, Money)>) -> Vec<Message> {
    let to: Vec<(PartnerId, Money)> = to
        .into_iter()
        .filter(|(_, amount)| *amount != Money::ZERO)
        .collect();
    let message = |(above, amount): &(PartnerId, Money)| {
        Message::Chain(ChainMessage::Override {
            to: *above,
            amount: *amount,
            from: top_up.partner,
            top_up: top_up.id,
        })
    };
    let messages = to.iter().map(message).collect();
    if !to.is_empty() {
        let sent = ChainEvent::OverrideSent {
            to,
            top_up: top_up.id,
            channel,
        };
        events.add(EntityKey::Seller(top_up.partner), top_up.operator, sent);
    }
    messages
}

/// A share of a sale below has come; what cannot be taken back from the float is owed from now on.
pub(super) fn earn(
    view: &impl View,
    to: PartnerId,
    (amount, from, top_up): (Money, PartnerId, u128),
    now: Timestamp,
) -> Decision {
    let float = view
        .get(EntityKey::Partner(to))
        .and_then(Entity::partner)
        .map(|partner| partner.float);
    // A place never changes and never goes, so both are there.
    let (Ok(seller), Some(float)) = (seller_of(view, to), float) else {
        return Decision::answer(Reply::Done);
    };
    let mut events = Events::of(seller, now);
    events.draw((-amount - float).max(Money::ZERO));
    events.float(ChainEvent::OverrideReceived { amount, from, top_up });
    events.repay(seller, amount);
    events.decision(Vec::new(), Reply::Done)
}

/// What the reversal of (a part of) a completed top-up does to its seller and those above. `float` is the seller's float as
/// it is when these events are applied, after the reversal gave the amount back. The seller's own commission on the sale is
/// in the top-up itself, and not taken back here.
pub fn reversed(
    view: &impl View,
    catalogs: &Catalogs,
    (top_up, external): (&TopUp, u128),
    (gross, float): (Money, Money),
    now: Timestamp,
) -> (Vec<Event>, Vec<Message>) {
    let (Ok(seller), Some(sale)) = (seller_of(view, top_up.partner), sale_of(view, top_up, external)) else {
        return Default::default();
    };
    let mut events = Events::of(seller, now);
    let sum = (sale.reversed + gross).min(top_up.gross);
    let due = |amount: Money| amount.mul_div(sum.0, top_up.gross.0.max(1), Rounding::Up);
    let taken_before = |index: usize| sale.taken.get(index).copied().unwrap_or_default();
    let taken: Vec<Money> = (sale.overrides.iter().enumerate())
        .map(|(index, (_, amount))| due(*amount) - taken_before(index))
        .collect();
    events.add(
        EntityKey::Sale(top_up.partner, external),
        top_up.operator,
        ChainEvent::SaleTaken {
            gross,
            taken: taken.clone(),
        },
    );
    let whole = sum >= top_up.gross;
    events.seller(ChainEvent::SaleReversed {
        gross,
        when: sale.when,
        whole,
    });
    let channel = channel_of(view, top_up.partner);
    let above = sale.overrides.iter().zip(taken);
    let back = above.map(|((id, _), amount)| (*id, -amount)).collect();
    let messages = share(&mut events, top_up, channel, back);
    let mut tallies = seller.tallies;
    tallies.done_day.undo(sale.when.day, gross, 0);
    tallies.done_month.undo(sale.when.month, gross, 0);
    let mut float = float;
    for plan in catalogs.chain().targets(seller.place.grade) {
        let (period, done) = progress(plan, &tallies, sale.when);
        let counts = match plan.period {
            TargetPeriod::Day => tallies.done_day.period == period,
            TargetPeriod::Month => tallies.done_month.period == period,
        };
        let paid = seller
            .bonuses
            .iter()
            .find(|bonus| bonus.plan == plan.code && bonus.period == period);
        if let Some(bonus) = paid.filter(|_| counts && done < plan.reach) {
            let lacks = (bonus.amount - float).max(Money::ZERO);
            events.draw(lacks);
            commission(&mut events, top_up, channel, -bonus.amount);
            events.seller(ChainEvent::BonusTaken(*bonus));
            float = float + lacks - bonus.amount;
        }
    }
    (events.out, messages)
}

fn sale_of<'v>(view: &'v impl View, top_up: &TopUp, external: u128) -> Option<&'v ChainSale> {
    view.get(EntityKey::Sale(top_up.partner, external))
        .and_then(Entity::sale)
}

fn channel_of(view: &impl View, partner: PartnerId) -> Code {
    let partner = view.get(EntityKey::Partner(partner)).and_then(Entity::partner);
    partner.map_or(Code::EMPTY, |partner| partner.code)
}
