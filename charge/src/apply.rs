//! Events to state. Total and silent: an event is a fact, it cannot be refused.

use crate::account::{Account, LifeCycle, Lot, Purchase, Remembered, Renewal, ReplyBytes};
use crate::auto::{AutoEvent, AutoRecharge, BudgetMark, BudgetTold};
use crate::card::{BatchEvent, CardBatch, CardCopy, CardShelf};
use crate::codec::Codec;
use crate::command::{ChargeKind, OpenAccount};
use crate::decide;
use crate::event::{Bought, Charged, ChargedPart, Event, EventBody, Recharged};
use crate::ids::{Code, Entity, EntityKey, LotId, SourceId};
use crate::money::Money;
use crate::partner::{FUNDINGS_REMEMBERED, NumberRecord, Partner, PublishedCatalog, TopUp, TopUpState};
use crate::payment::Payment;
use crate::promotion::{Budget, EarnedStatus};
use crate::reply::Reply;
use crate::session::{Draw, Element, RequestNumbers, Session};
use crate::tax::RegionCode;
use crate::time::Timestamp;
use crate::unit::Amount;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::VecDeque;

/// Most closed sessions that an account remembers for late reports.
const CLOSED_SESSIONS_MAX: usize = 16;

/// Applies an event to the entity it names; `slot` is empty when the entity does not exist yet.
///
/// # Panics
/// When the event does not belong to the entity: a broken journal must stop, not guess.
pub fn apply(slot: &mut Option<Entity>, event: &Event) {
    match (&event.body, slot.as_mut()) {
        (
            EventBody::AccountOpened {
                open,
                lot,
                valid_until,
            },
            None,
        ) => {
            let mut account = Account::new(open, event.at);
            account.valid_until = *valid_until;
            account.version = 1;
            if let Some(lot) = lot {
                add_lots(&mut account, std::slice::from_ref(lot));
            }
            *slot = Some(Entity::Account(Box::new(account)));
        }
        (EventBody::NumberBound { operator, account }, slot_now) => {
            let version = slot_now
                .and_then(|entity| entity.number().map(|record| record.version))
                .unwrap_or(0)
                + 1;
            *slot = Some(Entity::Number(NumberRecord {
                operator: *operator,
                account: *account,
                version,
            }));
        }
        (EventBody::PartnerOpened(opened), None) => {
            *slot = Some(Entity::Partner(Box::new(Partner {
                id: opened.partner,
                name: opened.name.clone(),
                code: opened.code,
                operators: opened.operators.clone(),
                float: Money::ZERO,
                in_transit: Money::ZERO,
                keys: opened.key.iter().cloned().collect(),
                minimum: opened.minimum,
                maximum: opened.maximum,
                per_day: opened.per_day,
                day: 0,
                sold_today: Money::ZERO,
                active: true,
                recent: VecDeque::new(),
            })));
        }
        (EventBody::TopUpCreated(top_up), None) => *slot = Some(Entity::TopUp(top_up.clone())),
        (EventBody::CatalogPublished { version, text }, None | Some(Entity::Catalog(_))) => {
            *slot = Some(Entity::Catalog(Box::new(PublishedCatalog {
                version: *version,
                published_at: event.at,
                text: text.clone(),
            })));
        }
        (EventBody::BudgetMoved(moved), None | Some(Entity::Budget(_))) => {
            let budget = slot.get_or_insert(Entity::Budget(Budget::default()));
            if let Entity::Budget(budget) = budget {
                budget.funded += moved.funded;
                budget.left += moved.funded - moved.leased;
            }
        }
        (EventBody::SharesChanged(change), None | Some(Entity::Shares(_))) => {
            let shares = slot.get_or_insert_with(|| Entity::Shares(Box::default()));
            if let Entity::Shares(shares) = shares {
                shares.take(change);
            }
        }
        (EventBody::Auto(happened), None | Some(Entity::Auto(_))) => {
            *slot = Some(apply_auto(slot.take(), happened, event.at));
        }
        (EventBody::BudgetReached { month, mark }, None | Some(Entity::BudgetTold(_))) => {
            *slot = Some(apply_told(slot.as_ref(), *month, *mark));
        }
        (EventBody::IdempotencyKept { external }, None) => *slot = Some(Entity::Idempotency(*external)),
        (EventBody::PaymentCreated(asked), None) => {
            *slot = Some(Entity::Payment(Box::new(Payment::new(asked, event.at))));
        }
        (EventBody::Payment(happened), Some(Entity::Payment(payment))) => payment.apply(happened, event.at),
        (EventBody::Chain(happened), _) => crate::seller::apply(slot, happened, event.at),
        (_, Some(Entity::Account(account))) => apply_account(account, event),
        (_, Some(Entity::Partner(partner))) => apply_partner(partner, event),
        (EventBody::TermsChanged(_) | EventBody::CallbackDue(_), None | Some(Entity::Terms(_))) => {
            let mut terms = match slot.take() {
                Some(Entity::Terms(terms)) => terms,
                _ => Box::default(),
            };
            match &event.body {
                EventBody::TermsChanged(change) => terms.apply(change, event.at),
                EventBody::CallbackDue(due) => terms.sequence = due.sequence,
                _ => {}
            }
            *slot = Some(Entity::Terms(terms));
        }
        (_, Some(Entity::TopUp(top_up))) => top_up.apply(event),
        _ => apply_cards(slot, event),
    }
}

fn apply_cards(slot: &mut Option<Entity>, event: &Event) {
    match (&event.body, slot.as_mut()) {
        (EventBody::CardRegister(happened), None | Some(Entity::CardRegister(_))) => {
            let register = slot.get_or_insert_with(|| Entity::CardRegister(Box::default()));
            if let Entity::CardRegister(register) = register {
                register.apply(happened);
            }
        }
        (EventBody::CardBatch(happened), None) => {
            if let (BatchEvent::Opened(new), EntityKey::CardBatch(id)) = (&**happened, event.key) {
                *slot = Some(Entity::CardBatch(Box::new(CardBatch::new(id, new, event.at))));
            }
        }
        (EventBody::CardBatch(happened), Some(Entity::CardBatch(batch))) => batch.apply(happened, event.at),
        (EventBody::CardCopy(happened), None | Some(Entity::CardCopy(_))) => {
            let before = match slot.take() {
                Some(Entity::CardCopy(copy)) => Some(*copy),
                _ => None,
            };
            *slot = Some(Entity::CardCopy(Box::new(CardCopy::after(before, happened))));
        }
        (EventBody::CardShelf(happened), None | Some(Entity::CardShelf(_))) => {
            let shelf = slot.get_or_insert_with(|| Entity::CardShelf(Box::<CardShelf>::default()));
            if let Entity::CardShelf(shelf) = shelf {
                shelf.apply(happened, event.at);
            }
        }
        (EventBody::CardGuard(guard), None | Some(Entity::CardGuard(_))) => {
            *slot = Some(Entity::CardGuard(guard.clone()));
        }
        _ => panic!("the event does not fit the entity {:?}", event.key),
    }
}

fn apply_told(known: Option<&Entity>, month: i64, mark: BudgetMark) -> Entity {
    let mut told = match known {
        Some(Entity::BudgetTold(told)) => *told,
        _ => BudgetTold::default(),
    };
    told.tell(month, mark);
    Entity::BudgetTold(told)
}

fn apply_auto(known: Option<Entity>, happened: &AutoEvent, at: Timestamp) -> Entity {
    let known = match known {
        Some(Entity::Auto(known)) => Some(*known),
        _ => None,
    };
    Entity::Auto(Box::new(match (known, happened) {
        (known, AutoEvent::Set { rule, plan }) => AutoRecharge::set(known, rule, *plan, at),
        (Some(mut known), happened) => {
            known.apply(happened);
            known
        }
        (None, _) => panic!("something happened to an auto-recharge that does not exist"),
    }))
}

fn apply_account(account: &mut Account, event: &Event) {
    account.version += 1;
    account.sessions.retain(|session| !session.is_forgotten(event.at));
    match &event.body {
        EventBody::Charged(charged) => apply_charged(account, charged, event.at),
        EventBody::Recharged(recharged) => apply_recharged(account, recharged, event.at),
        EventBody::Bought(bought) => apply_bought(account, bought, event.at),
        EventBody::Expired { lots } => take(account, lots),
        EventBody::CreditTakenBack(taken) => take(account, &taken.draws),
        EventBody::LifeCycleChanged { to, .. } => account.state = *to,
        EventBody::AccountUpdated { language, tax_class } => {
            account.language = language.unwrap_or(account.language);
            account.tax_class = tax_class.unwrap_or(account.tax_class);
        }
        EventBody::RenewalSet { offer, due_at } => set_renewal(account, *offer, *due_at),
        EventBody::RenewalFailed { offer, .. } => set_renewal(account, *offer, None),
        EventBody::BonusGranted(award) => add_lots(account, &award.lots),
        // It tells, and changes nothing.
        EventBody::SessionEnded(_) => {}
        EventBody::BonusRefused {
            promotion, period, ..
        } => account.not_earned(*promotion, *period),
        _ => panic!("the event does not fit an account: {:?}", event.key),
    }
    account.lots.retain(|lot| lot.amount.is_positive());
}

fn apply_charged(account: &mut Account, charged: &Charged, at: Timestamp) {
    let position = account
        .sessions
        .iter()
        .position(|session| session.key == charged.session);
    if let Some(position) = position {
        // Reservations that this request replaces or ends come back first.
        let session = &mut account.sessions[position];
        let mut back: SmallVec<[Draw; 4]> = SmallVec::new();
        for element in &mut session.elements {
            if charged.closes || charged.parts.iter().any(|part| part.key == element.key) {
                back.extend(element.reserved.drain(..));
                element.granted = Amount::ZERO;
            }
        }
        release(account, &back);
    }
    if let Some(setup) = &charged.setup {
        take(account, &setup.draws);
    }
    for part in &charged.parts {
        for charge in &part.charges {
            take(account, &charge.draws);
        }
        hold(account, &part.reserved);
    }
    if let Some(refund) = &charged.refund {
        add_lots(account, std::slice::from_ref(&refund.lot));
        account.refundable -= refund.gross;
    }
    if charged.kind == ChargeKind::Debit {
        account.refundable += decide::cost_of(charged);
    }
    if let Some(region) = charged.moved {
        account.region = region;
    }
    account.low_balance_noticed = charged.low_balance;
    let is_session = !matches!(charged.kind, ChargeKind::Debit | ChargeKind::Refund);
    if is_session {
        apply_session(account, charged, position, at);
    }
    if charged.kind != ChargeKind::Supervision {
        let source = SourceId::of_request(charged.session, charged.number, charged.kind.is_immediate());
        let reply = Reply::Charge(decide::charge_reply(charged));
        remember(account, (source, charged.body), &reply, at, charged.forgets);
    }
}

fn apply_session(account: &mut Account, charged: &Charged, position: Option<usize>, at: Timestamp) {
    let index = match (position, &charged.opened) {
        (Some(index), _) => index,
        (None, Some(opened)) => {
            account.sessions.reserve_exact(1);
            account.sessions.push(Session {
                key: charged.session,
                id: opened.id.clone(),
                peer: opened.peer.clone(),
                service: charged.service,
                target: opened.target,
                opened_at: at,
                last_at: at,
                expires_at: charged.expires_at,
                closed: false,
                setup_done: false,
                cost: Money::ZERO,
                numbers: RequestNumbers::first(charged.number),
                elements: SmallVec::new(),
            });
            account.sessions.len() - 1
        }
        (None, None) => return,
    };
    let cost = decide::cost_of(charged);
    let session = &mut account.sessions[index];
    session.last_at = at;
    session.expires_at = charged.expires_at;
    session.cost += cost;
    if charged.kind != ChargeKind::Supervision {
        session.numbers.note(charged.number);
    }
    session.closed |= charged.closes;
    if let Some(region) = charged.moved {
        session.target.region = region;
    }
    let used = charged.parts.iter().any(|part| part.used.is_positive());
    session.setup_done |= used;
    for part in &charged.parts {
        apply_part(session, part, at);
    }
    if charged.closes {
        forget_closed(account);
    }
}

/// Keeps the closed sessions of a busy account few: the oldest is forgotten first.
fn forget_closed(account: &mut Account) {
    let closed = |session: &&Session| session.closed;
    if account.sessions.iter().filter(closed).count() > CLOSED_SESSIONS_MAX
        && let Some(oldest) = account.sessions.iter().position(|session| session.closed)
    {
        account.sessions.remove(oldest);
    }
}

fn apply_part(session: &mut Session, part: &ChargedPart, at: Timestamp) {
    let index = session
        .elements
        .iter()
        .position(|element| element.key == part.key)
        .unwrap_or_else(|| {
            session.elements.push(Element {
                key: part.key,
                used: Amount::ZERO,
                paid_ahead: Amount::ZERO,
                row_cost: Money::ZERO,
                reserved: SmallVec::new(),
                granted: Amount::ZERO,
                granted_at: Timestamp::default(),
            });
            session.elements.len() - 1
        });
    let element = &mut session.elements[index];
    element.used += part.used;
    element.paid_ahead = part.paid_ahead;
    element.row_cost = part.row_cost;
    element.reserved = part.reserved.clone();
    if let Some(granted) = part.granted {
        element.granted = granted;
        element.granted_at = at;
    }
}

fn apply_recharged(account: &mut Account, recharged: &Recharged, at: Timestamp) {
    if let Some((from, into)) = recharged.joined {
        join(account, from, into);
    }
    add_lots(account, &recharged.lots);
    for earned in &recharged.outcome.earned {
        // Lots on their way have their numbers already.
        for lot in &earned.lots {
            account.next_lot = account.next_lot.max(lot.lot.0 + 1);
        }
        if matches!(earned.status, EarnedStatus::Given | EarnedStatus::Pending) {
            account.note_earned(earned.promotion, earned.period, at);
        }
    }
    account.recharged = true;
    account.valid_until = recharged.outcome.valid_until;
    if recharged.revived {
        account.state = LifeCycle::Active;
    }
    account.low_balance_noticed = false;
    let reply = Reply::Recharged(Box::new(recharged.outcome.clone()));
    remember(
        account,
        (recharged.source, recharged.body),
        &reply,
        at,
        recharged.forgets,
    );
}

fn apply_bought(account: &mut Account, bought: &Bought, at: Timestamp) {
    take(account, &bought.draws);
    add_lots(account, &bought.lots);
    account
        .purchases
        .retain(|purchase| purchase.day == bought.day && purchase.offer != bought.offer);
    account.purchases.push(Purchase {
        offer: bought.offer,
        day: bought.day,
        count: bought.count,
    });
    if let Some(discount) = &bought.discount {
        account.note_earned(discount.promotion, discount.period, at);
    }
    if bought.renewal || bought.renews_at.is_some() {
        set_renewal(account, bought.offer, bought.renews_at);
    }
    let reply = Reply::Bought(decide::bought_reply(bought));
    remember(account, (bought.source, bought.body), &reply, at, bought.forgets);
}

impl TopUp {
    /// What becomes of it.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.updated_at = event.at;
        match &event.body {
            EventBody::TopUpSettled {
                outcome: Ok(outcome),
                lot,
            } => {
                self.state = TopUpState::Completed;
                self.outcome = Some(outcome.clone());
                self.after.lot = *lot;
                if lot.is_some() {
                    self.after.completed_at = event.at;
                }
            }
            EventBody::TopUpDelivered { reference } => {
                self.state = TopUpState::Completed;
                self.after.delivered.clone_from(reference);
                self.after.completed_at = event.at;
            }
            EventBody::TopUpReversal(happened) => self.reverse(happened, event.at),
            EventBody::TopUpSettled {
                outcome: Err(refusal),
                ..
            } => {
                self.state = TopUpState::Declined;
                self.reason = Some(refusal.code());
            }
            EventBody::TopUpReversed { .. } => self.state = TopUpState::Reversed,
            _ => panic!("the event does not fit a top-up: {:?}", event.key),
        }
    }
}

fn apply_partner(partner: &mut Partner, event: &Event) {
    match &event.body {
        EventBody::KeyAdded(key) => partner.keys.push(key.clone()),
        EventBody::KeyRevoked(id) => {
            for key in partner.keys.iter_mut().filter(|key| key.id == *id) {
                key.revoked_at = Some(event.at);
            }
        }
        EventBody::FloatFunded { amount, source, .. } => {
            partner.float += *amount;
            partner.recent.push_back((*source, amount.0.cast_unsigned()));
            if partner.recent.len() > FUNDINGS_REMEMBERED {
                partner.recent.pop_front();
            }
        }
        EventBody::CommissionPaid { amount, .. } => partner.float += *amount,
        EventBody::FloatReturned { amount, .. } => partner.float += *amount,
        EventBody::FloatDelivered { amount, .. } => partner.in_transit -= *amount,
        EventBody::FloatDebited { amount, day, .. } => {
            if partner.day != *day {
                partner.day = *day;
                partner.sold_today = Money::ZERO;
            }
            partner.float -= *amount;
            partner.in_transit += *amount;
            partner.sold_today += *amount;
        }
        EventBody::FloatSettled { amount, credited, .. } => {
            partner.in_transit -= *amount;
            if !credited {
                partner.float += *amount;
                // What was not sold does not count towards the day's limit.
                if partner.day == event.at.0.div_euclid(crate::time::DAY) {
                    partner.sold_today = Money((partner.sold_today - *amount).0.max(0));
                }
            }
        }
        _ => panic!("the event does not fit a partner: {:?}", event.key),
    }
}

thread_local! {
    /// Replies are encoded here first, so that each is kept in exactly as many bytes as it has.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn remember(
    account: &mut Account,
    (source, body): (SourceId, u64),
    reply: &Reply,
    at: Timestamp,
    forgets: u32,
) {
    for _ in 0..forgets {
        account.recent.pop_front();
    }
    let reply = SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        reply.encode(scratch);
        ReplyBytes::from_slice(scratch)
    });
    account.recent.push_back(Remembered {
        source,
        body,
        at,
        reply,
    });
}

fn add_lots(account: &mut Account, lots: &[Lot]) {
    // Most accounts hold one or two lots for ever: no room to spare for millions of them.
    account.lots.reserve_exact(lots.len());
    for lot in lots {
        account.next_lot = account.next_lot.max(lot.id.0 + 1);
        account.lots.push(lot.clone());
    }
}

fn join(account: &mut Account, from: LotId, into: LotId) {
    let Some(position) = account.lots.iter().position(|lot| lot.id == from) else {
        return;
    };
    let joined = account.lots.remove(position);
    if let Some(lot) = account.lots.iter_mut().find(|lot| lot.id == into) {
        lot.amount += joined.amount;
        lot.initial += joined.initial;
    }
}

fn set_renewal(account: &mut Account, offer: Code, due_at: Option<Timestamp>) {
    account.renewals.retain(|renewal| renewal.offer != offer);
    if let Some(due_at) = due_at {
        account.renewals.push(Renewal { offer, due_at });
    }
}

fn lot_mut(account: &mut Account, id: LotId) -> &mut Lot {
    account
        .lots
        .iter_mut()
        .find(|lot| lot.id == id)
        .expect("an event draws from lots that exist")
}

fn take(account: &mut Account, draws: &[Draw]) {
    for draw in draws {
        lot_mut(account, draw.lot).amount -= draw.amount;
    }
}

fn hold(account: &mut Account, draws: &[Draw]) {
    for draw in draws {
        lot_mut(account, draw.lot).reserved += draw.amount;
    }
}

fn release(account: &mut Account, draws: &[Draw]) {
    for draw in draws {
        lot_mut(account, draw.lot).reserved -= draw.amount;
    }
}

impl Account {
    /// The account of a claim, before anything has happened in it.
    pub(crate) fn new(open: &OpenAccount, at: Timestamp) -> Account {
        Account {
            id: open.account,
            operator: open.operator,
            msisdn: open.msisdn,
            imsi: open.imsi,
            language: open.language,
            tax_class: open.tax_class,
            region: if open.region.is_empty() {
                RegionCode::EMPTY
            } else {
                open.region
            },
            state: LifeCycle::Active,
            opened_at: at,
            valid_until: at,
            recharged: false,
            low_balance_noticed: false,
            next_lot: 1,
            version: 0,
            refundable: Money::ZERO,
            lots: Vec::new(),
            sessions: Vec::new(),
            renewals: Vec::new(),
            purchases: Vec::new(),
            earned: Vec::new(),
            recent: VecDeque::new(),
        }
    }
}

impl EntityKey {
    /// The key as bytes that sort like the key: for snapshot tables.
    pub fn to_key_bytes(self) -> SmallVec<[u8; 24]> {
        let mut out = SmallVec::new();
        match self {
            EntityKey::Account(account) => {
                out.push(1);
                out.extend_from_slice(&account.0.to_be_bytes());
            }
            EntityKey::Number(number) => {
                out.push(2);
                out.extend_from_slice(&number.number().to_be_bytes());
            }
            EntityKey::Imsi(imsi) => {
                out.push(3);
                out.extend_from_slice(&imsi.packed().to_be_bytes());
            }
            EntityKey::Partner(partner) => {
                out.push(4);
                out.extend_from_slice(&partner.0.to_be_bytes());
            }
            EntityKey::TopUp(partner, external) => {
                out.push(5);
                out.extend_from_slice(&partner.0.to_be_bytes());
                out.extend_from_slice(&external.to_be_bytes());
            }
            EntityKey::Catalog(operator) => {
                out.push(7);
                out.extend_from_slice(&operator.0.to_be_bytes());
            }
            EntityKey::Auto(account) => {
                out.push(40);
                out.extend_from_slice(&account.0.to_be_bytes());
            }
            EntityKey::BudgetTold(account) => {
                out.push(41);
                out.extend_from_slice(&account.0.to_be_bytes());
            }
            EntityKey::Payment(payment) => {
                out.push(8);
                out.extend_from_slice(&payment.bits().to_be_bytes());
            }
            EntityKey::Terms(partner, test) => {
                out.push(30);
                out.extend_from_slice(&partner.0.to_be_bytes());
                out.push(u8::from(test));
            }
            EntityKey::Seller(partner) => {
                out.push(70);
                out.extend_from_slice(&partner.0.to_be_bytes());
            }
            EntityKey::Sale(partner, digest) => {
                out.push(71);
                out.extend_from_slice(&partner.0.to_be_bytes());
                out.extend_from_slice(&digest.to_be_bytes());
            }
            EntityKey::Move(partner, digest) => {
                out.push(72);
                out.extend_from_slice(&partner.0.to_be_bytes());
                out.extend_from_slice(&digest.to_be_bytes());
            }
            EntityKey::Idempotency(partner, key) => {
                out.push(6);
                out.extend_from_slice(&partner.0.to_be_bytes());
                out.extend_from_slice(&key.to_be_bytes());
            }
            EntityKey::Budget(operator, promotion) => {
                out.push(20);
                out.extend_from_slice(&operator.0.to_be_bytes());
                out.extend_from_slice(promotion.as_bytes());
            }
            EntityKey::Shares(operator, home) => {
                out.push(21);
                out.extend_from_slice(&operator.0.to_be_bytes());
                out.extend_from_slice(&home.to_be_bytes());
            }
            EntityKey::CardRegister => out.push(90),
            EntityKey::CardBatch(batch) => {
                out.push(91);
                out.extend_from_slice(&batch.to_be_bytes());
            }
            EntityKey::CardCopy(batch, home) => {
                out.push(92);
                out.extend_from_slice(&batch.to_be_bytes());
                out.extend_from_slice(&home.to_be_bytes());
            }
            EntityKey::CardShelf(operator, shelf) => {
                out.push(93);
                out.extend_from_slice(&operator.0.to_be_bytes());
                out.extend_from_slice(&shelf.to_be_bytes());
            }
            EntityKey::CardGuard(account, own) => {
                out.push(94);
                out.extend_from_slice(&account.0.to_be_bytes());
                out.push(u8::from(own));
            }
        }
        out
    }
}
