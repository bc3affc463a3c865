//! Promotions in sentences: what a recharge earned, and where budgets went.

use super::{Lines, Quantity, lot_line};
use crate::account::Lot;
use crate::event::{EventBody, Recharged};
use crate::ids::Code;
use crate::money::Money;
use crate::promotion::EarnedStatus;

/// The gifts of a recharge, given or not.
pub(super) fn recharge_lines(recharged: &Recharged, lines: &mut Lines<'_>) {
    let outcome = &recharged.outcome;
    let gifts = recharged.lots.get(1..).unwrap_or(&[]);
    if outcome.earned.is_empty() {
        gift_lines(outcome.promotion, gifts, lines);
    }
    for earned in &outcome.earned {
        let promotion = ("promotion", lines.voice.code(earned.promotion.as_str()));
        match earned.status {
            EarnedStatus::Given => {
                let own = |lot: &&Lot| earned.lots.iter().any(|known| known.lot == lot.id);
                let own: Vec<Lot> = gifts.iter().filter(own).cloned().collect();
                gift_lines(earned.promotion, &own, lines);
            }
            EarnedStatus::Pending | EarnedStatus::Offered => {
                for lot in &earned.lots {
                    let amount = ("amount", lines.voice.amount(lot.unit, lot.amount));
                    let quantity = Quantity {
                        unit: lot.unit,
                        amount: lot.amount,
                    };
                    lines.add("promotion.pending", &[amount, promotion.clone()], &[quantity]);
                }
            }
            EarnedStatus::NotFunded => lines.add("promotion.none", &[promotion], &[]),
        }
    }
}

fn gift_lines(promotion: Code, lots: &[Lot], lines: &mut Lines<'_>) {
    for lot in lots {
        let promotion = ("promotion", lines.voice.code(promotion.as_str()));
        lot_line("promotion", lot, &[promotion], lines);
    }
}

/// Events of promotions themselves.
pub(super) fn lines_of(body: &EventBody, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    let moved = |amount: Money| ("amount", voice.money(Money(amount.0.saturating_abs())));
    match body {
        EventBody::BonusGranted(award) => {
            gift_lines(award.promotion, &award.lots, lines);
            let receipt = ("receipt", voice.code(&award.receipt.to_string()));
            lines.add("bonus.for", &[receipt], &[]);
        }
        EventBody::BonusRefused {
            promotion,
            receipt,
            reason,
            ..
        } => {
            let variables = [
                ("promotion", voice.code(promotion.as_str())),
                ("receipt", voice.code(&receipt.to_string())),
                ("reason", voice.reason(*reason)),
            ];
            lines.add("bonus.refused", &variables, &[]);
        }
        EventBody::BudgetMoved(change) => {
            let home = ("home", voice.code(&change.home.to_string()));
            if change.funded != Money::ZERO {
                let key = if change.funded.is_positive() {
                    "budget.funded"
                } else {
                    "budget.closed"
                };
                lines.add(key, &[moved(change.funded)], &[Quantity::money(change.funded)]);
            }
            if change.leased != Money::ZERO {
                let key = if change.leased.is_positive() {
                    "budget.leased"
                } else {
                    "budget.back"
                };
                lines.add(
                    key,
                    &[moved(change.leased), home],
                    &[Quantity::money(change.leased)],
                );
            }
        }
        EventBody::SharesChanged(change) => {
            for share in &change.shares {
                let promotion = ("promotion", voice.code(share.promotion.as_str()));
                let amount = ("amount", voice.money(share.amount));
                lines.add(
                    "shares.changed",
                    &[promotion, amount],
                    &[Quantity::money(share.amount)],
                );
            }
        }
        _ => {}
    }
}
