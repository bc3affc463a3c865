//! The general ledger of an audit, and what entities hold, to be compared at the end.

use super::AuditReport;
use crate::partition::PartitionId;
use crate::partition::channels::Channels;
use charge::card::CardNote;
use charge::command::{Funding, Message};
use charge::ledger::{LedgerAccount, postings, sums};
use charge::seller::{ChainMessage, MoveState};
use charge::{AccountId, Code, Entity, EntityKey, Event, PartnerId, Unit};
use hashbrown::HashMap;
use std::collections::BTreeMap;

const MONEY: usize = Unit::Money as usize;

#[derive(Default)]
pub(super) struct Books {
    ledger: BTreeMap<LedgerAccount, [i128; 4]>,
    events_with_postings: u64,
    /// What lots hold, per unit.
    lots: [i128; 4],
    floats: i128,
    /// What partners believe to be in transit.
    partners_in_transit: i128,
    /// What sellers owe.
    owed: i128,
    /// Movements of stock that are not settled: what travels.
    stock: HashMap<(PartnerId, u128), i128>,
    refunds: i128,
    /// Of partners' sales, with connectors and not answered.
    outside: i128,
    /// What payments say is in suspense.
    suspense: i128,
    /// What batches of scratch cards believe to be owed.
    vouchers: i128,
    /// Top-ups that are not settled: their amounts.
    unsettled: HashMap<(PartnerId, u128), i128>,
    /// What budgets and shares still hold, by promotion.
    budgets: BTreeMap<Code, i128>,
    channels: BTreeMap<PartitionId, Channels>,
}

impl Books {
    /// Posts an event; answers its sums per unit, which must be zero.
    pub fn post(&mut self, event: &Event) -> [i128; 4] {
        let postings = postings(event);
        self.events_with_postings += u64::from(!postings.is_empty());
        for posting in &postings {
            let account = match posting.account {
                LedgerAccount::Subscriber(_, origin) => LedgerAccount::Subscriber(AccountId(0), origin),
                account => account,
            };
            self.ledger.entry(account).or_default()[posting.unit as usize] += i128::from(posting.amount.0);
        }
        sums(&postings)
    }

    /// Adds what an entity holds at the end; answers what is wrong with it.
    pub fn hold(&mut self, key: EntityKey, entity: &Entity) -> Option<&'static str> {
        match (key, entity) {
            (EntityKey::Account(_), Entity::Account(account)) => {
                for lot in &account.lots {
                    self.lots[lot.unit as usize] += i128::from(lot.amount.0);
                    if lot.amount.0 < 0 || lot.reserved.0 < 0 || lot.reserved > lot.amount {
                        return Some("has a lot below its floor");
                    }
                }
                None
            }
            (EntityKey::Partner(_), Entity::Partner(partner)) => {
                self.floats += i128::from(partner.float.0);
                self.partners_in_transit += i128::from(partner.in_transit.0);
                (partner.float.0 < 0 || partner.in_transit.0 < 0).then_some("has a float below zero")
            }
            (EntityKey::TopUp(partner, external), Entity::TopUp(top_up)) => {
                if !top_up.state.is_final() && !top_up.details.test {
                    let amount = i128::from(top_up.gross.0);
                    self.unsettled.insert((partner, external), amount);
                    if !top_up.after.connector.is_empty() {
                        self.outside += amount;
                    }
                }
                None
            }
            (EntityKey::Seller(_), Entity::Seller(seller)) => {
                self.owed += i128::from(seller.owed.0);
                (seller.owed.0 < 0).then_some("owes less than nothing")
            }
            (EntityKey::Move(from, digest), Entity::Move(asked)) => {
                if asked.state == MoveState::Submitted {
                    self.stock.insert((from, digest), i128::from(asked.base().0));
                }
                None
            }
            (EntityKey::Budget(_, promotion), Entity::Budget(budget)) => {
                *self.budgets.entry(promotion).or_default() += i128::from(budget.left.0);
                (budget.left.0 < 0 || budget.left > budget.funded).then_some("has a budget below zero")
            }
            (EntityKey::Shares(..), Entity::Shares(shares)) => {
                for share in &shares.shares {
                    *self.budgets.entry(share.promotion).or_default() += i128::from(share.left.0);
                }
                let overspent = shares.shares.iter().any(|share| share.left.0 < 0);
                overspent.then_some("has spent more than it was leased")
            }
            (EntityKey::CardBatch(_), Entity::CardBatch(batch)) => {
                self.vouchers += i128::from(batch.owed.0);
                (batch.owed.0 < 0).then_some("owes less than nothing for its cards")
            }
            (EntityKey::CardRegister, Entity::CardRegister(_))
            | (EntityKey::CardCopy(..), Entity::CardCopy(_))
            | (EntityKey::CardShelf(..), Entity::CardShelf(_))
            | (EntityKey::CardGuard(..), Entity::CardGuard(_)) => None,
            (EntityKey::Number(_) | EntityKey::Imsi(_), Entity::Number(_))
            | (EntityKey::Idempotency(..), Entity::Idempotency(_))
            | (EntityKey::Terms(..), Entity::Terms(_))
            | (EntityKey::Auto(_), Entity::Auto(_))
            | (EntityKey::BudgetTold(_), Entity::BudgetTold(_))
            | (EntityKey::Sale(..), Entity::Sale(_))
            | (EntityKey::Catalog(_), Entity::Catalog(_)) => None,
            (EntityKey::Payment(_), Entity::Payment(payment)) => {
                self.refunds += i128::from(payment.refund_pending().0);
                self.suspense += i128::from(payment.suspense().0);
                None
            }
            _ => Some("is an entity of another kind"),
        }
    }

    pub fn close_partition(&mut self, partition: PartitionId, channels: Channels) {
        self.channels.insert(partition, channels);
    }

    /// Compares ledger, entities and messages.
    pub fn finish(&mut self, report: &mut AuditReport) {
        report.events_with_postings = self.events_with_postings;
        let mut subscribers = [0; 4];
        let (mut floats, mut refunds, mut suspense, mut owed, mut vouchers) = (0, 0, 0, 0, 0);
        for (account, amounts) in &self.ledger {
            let class = report.ledger.entry(account.class()).or_default();
            for unit in 0..4 {
                class[unit] += amounts[unit];
                report.sums[unit] += amounts[unit];
            }
            match account {
                LedgerAccount::Subscriber(..) => {
                    subscribers
                        .iter_mut()
                        .zip(amounts)
                        .for_each(|(sum, amount)| *sum += amount);
                }
                LedgerAccount::Float(_) => floats += amounts[MONEY],
                LedgerAccount::InTransit => report.in_transit += amounts[MONEY],
                LedgerAccount::RefundPending => refunds += amounts[MONEY],
                LedgerAccount::Suspense => suspense += amounts[MONEY],
                LedgerAccount::Owed(_) => owed -= amounts[MONEY],
                LedgerAccount::Vouchers => vouchers += amounts[MONEY],
                _ => {}
            }
        }
        if report.sums != [0; 4] {
            let sums = report.sums;
            report.problem(format_args!("the ledger sums to {sums:?} and not to zero"));
        }
        if subscribers != self.lots {
            let lots = self.lots;
            report.problem(format_args!(
                "the ledger says subscribers hold {subscribers:?}, their accounts hold {lots:?}"
            ));
        }
        if floats != self.floats {
            report.problem(format_args!(
                "the ledger says floats hold {floats}, partners hold {}",
                self.floats
            ));
        }
        if refunds != self.refunds {
            report.problem(format_args!(
                "the ledger says {refunds} is on its way back to payers, payments say {}",
                self.refunds
            ));
        }
        if owed != self.owed {
            report.problem(format_args!(
                "the ledger says sellers owe {owed}, they say {}",
                self.owed
            ));
        }
        self.messages(report);
        if vouchers != self.vouchers {
            report.problem(format_args!(
                "the ledger says {vouchers} is owed for scratch cards, batches and messages say {}",
                self.vouchers
            ));
        }
        if suspense != self.suspense {
            report.problem(format_args!(
                "the ledger says {suspense} is in suspense, payments and messages say {}",
                self.suspense
            ));
        }
    }

    /// What the ledger says a promotion may still spend is what its budget, the shares and unconsumed messages hold.
    fn promotions(&self, held: &BTreeMap<Code, i128>, report: &mut AuditReport) {
        let booked = self.ledger.iter().filter_map(|(account, amounts)| match account {
            LedgerAccount::PromotionBudget(code) => Some((*code, amounts[MONEY])),
            _ => None,
        });
        let booked: BTreeMap<Code, i128> = booked.collect();
        for code in booked
            .keys()
            .chain(held.keys().filter(|code| !booked.contains_key(code)))
        {
            let of = |amounts: &BTreeMap<Code, i128>| amounts.get(code).copied().unwrap_or(0);
            if of(&booked) != of(held) || of(&booked) < 0 {
                let (booked, held) = (of(&booked), of(held));
                report.problem(format_args!(
                    "the ledger says the promotion {code} may still spend {booked}, its budget and shares hold {held}"
                ));
            }
        }
    }

    /// What is in transit must be what unconsumed messages carry.
    fn messages(&mut self, report: &mut AuditReport) {
        let mut carried = Carried::default();
        let all = std::mem::take(&mut self.channels);
        for (from, channels) in &all {
            for (to, acknowledged, queue) in channels.outgoing() {
                let received = all.get(&to).map_or(0, |receiver| receiver.received(*from));
                let last = acknowledged + queue.len() as u64;
                if received < acknowledged || received > last {
                    report.problem(format_args!(
                        "partition {to} has applied messages up to {received} of partition {from}, which sent {last} and \
                         knows {acknowledged} confirmed"
                    ));
                    continue;
                }
                let seen = usize::try_from(received - acknowledged).unwrap_or(usize::MAX);
                for message in queue.iter().skip(seen) {
                    self.carry(&mut carried, message);
                }
            }
            for (from, received) in channels.numbers().received {
                if received > 0 && !all.contains_key(&from) {
                    report.problem(format_args!(
                        "messages were applied from partition {from}, which does not exist"
                    ));
                }
            }
        }
        self.channels = all;
        let leases = std::mem::take(&mut self.budgets);
        self.promotions(&leases, report);
        let Carried {
            credits,
            refused,
            credited,
            returned,
            shares,
            cards,
        } = carried;
        // With a connector: its partner holds it until the other operator has answered.
        let outside = self.outside;
        let (booked, sent) = (
            report.in_transit,
            credits + refused + returned + outside + shares + cards,
        );
        if booked != sent {
            report.problem(format_args!("{booked} is in transit, messages carry {sent}"));
        }
        let (believed, sent) = (self.partners_in_transit, credits + refused + credited + outside);
        if believed != sent {
            report.problem(format_args!(
                "partners believe {believed} to be in transit, messages carry {sent}"
            ));
        }
    }

    /// Counts what one unconsumed message carries.
    fn carry(&mut self, carried: &mut Carried, message: &Message) {
        let (unknown, in_cards) = of_cards(message);
        self.vouchers += unknown;
        carried.cards += in_cards;
        match message {
            Message::Open(_)
            | Message::BudgetAsked(_)
            | Message::CardCopy { .. }
            | Message::CardConfirmed { .. }
            | Message::CardLocked(_)
            | Message::CardNoted { .. }
            | Message::CardCredited { .. } => {}
            Message::Chain(message) => match message {
                ChainMessage::Place(_) | ChainMessage::AboveBlocked { .. } => {}
                ChainMessage::Stock(sent) => carried.credits += i128::from(sent.amount.0),
                ChainMessage::Override { amount, .. } => carried.shares += i128::from(amount.0),
                ChainMessage::StockAnswered { from, digest, result } => {
                    let amount = self.stock.get(&(*from, *digest)).copied().unwrap_or(0);
                    *(if result.is_ok() {
                        &mut carried.credited
                    } else {
                        &mut carried.refused
                    }) += amount;
                }
            },
            // The ledger has moved it out of suspense with the credit; its payment does not know yet.
            Message::SuspenseCredited { outcome, .. } => {
                let credited = outcome.as_ref().map_or(0, |outcome| i128::from(outcome.gross.0));
                self.suspense -= credited;
            }
            Message::Credit { recharge, .. }
                if matches!(recharge.funding, Funding::Suspense { .. } | Funding::Card { .. }) => {}
            Message::BudgetAnswered { asked, granted, .. } => {
                *self.budgets.entry(asked.promotion).or_default() += i128::from(granted.0);
            }
            Message::BudgetReturned(returned) => {
                *self.budgets.entry(returned.promotion).or_default() += i128::from(returned.amount.0);
            }
            Message::Credit { recharge, .. } => carried.credits += i128::from(recharge.gross.0),
            Message::TakeBack(_) => {}
            // Out of an account, not yet in the float: its partner counts it when it hears of it.
            Message::TakenBack { result, .. } => {
                carried.returned += result.as_ref().map_or(0, |taken| i128::from(taken.gross.0));
            }
            Message::Credited {
                partner,
                external,
                outcome,
                ..
            } => {
                let amount = self.unsettled.get(&(*partner, *external)).copied().unwrap_or(0);
                *(if outcome.is_ok() {
                    &mut carried.credited
                } else {
                    &mut carried.refused
                }) += amount;
            }
        }
    }
}

/// What unconsumed messages carry, in millionths.
#[derive(Default)]
struct Carried {
    credits: i128,
    refused: i128,
    credited: i128,
    returned: i128,
    /// Of those above: in transit for the ledger, out of the sight of whoever sold.
    shares: i128,
    cards: i128,
}

/// What batches of scratch cards do not know yet of an unconsumed message, and what it carries.
fn of_cards(message: &Message) -> (i128, i128) {
    match message {
        // The shelf has booked it.
        Message::CardNoted { face, note, .. } => match note {
            CardNote::Used => (-i128::from(face.0), 0),
            CardNote::CameBack => (i128::from(face.0), 0),
            CardNote::Tried(_) => (0, 0),
        },
        Message::CardCredited { face, outcome, .. } => (0, outcome.map_or(i128::from(face.0), |_| 0)),
        Message::Credit { recharge, .. } if matches!(recharge.funding, Funding::Card { .. }) => {
            (0, i128::from(recharge.gross.0))
        }
        _ => (0, 0),
    }
}
