//! The selling chain in sentences.

use super::{Lines, Quantity};
use crate::money::Money;
use crate::seller::ChainEvent;
use crate::seller::event::Stock;

pub(super) fn title_of(event: &ChainEvent) -> &'static str {
    match event {
        ChainEvent::StockSent(_)
        | ChainEvent::StockReceived(_)
        | ChainEvent::StockSettled { .. }
        | ChainEvent::MoveCreated(_)
        | ChainEvent::MoveSettled(_) => "title.stock",
        ChainEvent::CreditMoved(_) | ChainEvent::OverrideReceived { .. } => "title.float",
        _ => "title.seller",
    }
}

pub(super) fn lines(event: &ChainEvent, lines: &mut Lines<'_>) {
    match event {
        ChainEvent::Blocked(on) | ChainEvent::AboveBlocked { on, .. } => {
            lines.plain(if *on { "chain.blocked" } else { "chain.open" });
        }
        ChainEvent::Sold(sold) => left("chain.sold", sold.gross, sold.float, lines),
        ChainEvent::Gave(gave) => left("chain.gave", gave.amount, gave.float, lines),
        ChainEvent::SaleEnded { gross, credited, .. } => {
            amount(
                if *credited { "chain.ended" } else { "chain.refused" },
                *gross,
                lines,
            );
        }
        ChainEvent::SaleReversed { gross, .. } | ChainEvent::SaleTaken { gross, .. } => {
            amount("chain.reversed", *gross, lines);
        }
        ChainEvent::StockSent(sent) => {
            stock("chain.sent", sent, lines);
            if sent.commission.is_positive() {
                amount("chain.sent.back", sent.commission, lines);
            }
        }
        ChainEvent::StockReceived(received) => {
            stock("chain.received", received, lines);
            if received.commission.is_positive() {
                amount("chain.commission", received.commission, lines);
            }
        }
        ChainEvent::StockSettled {
            stock: sent,
            accepted,
        } => {
            stock(
                if *accepted {
                    "chain.arrived"
                } else {
                    "chain.returned"
                },
                sent,
                lines,
            );
        }
        ChainEvent::CreditMoved(moved) | ChainEvent::Owed(moved) => {
            signed(("chain.drawn", "chain.paid"), *moved, lines);
        }
        ChainEvent::OverrideReceived { amount, .. } => {
            signed(("chain.earned", "chain.earned.back"), *amount, lines);
        }
        ChainEvent::OverrideSent { to, .. } => {
            for (_, share) in to {
                signed(("chain.share", "chain.share.back"), *share, lines);
            }
        }
        ChainEvent::BonusPaid(bonus) => amount("chain.bonus", bonus.amount, lines),
        ChainEvent::BonusTaken(bonus) => amount("chain.bonus.back", bonus.amount, lines),
        ChainEvent::Placed(_)
        | ChainEvent::ChildAdded(_)
        | ChainEvent::Changed(_)
        | ChainEvent::Received { .. }
        | ChainEvent::Undone { .. }
        | ChainEvent::MoveCreated(_)
        | ChainEvent::MoveSettled(_)
        | ChainEvent::SaleKept(_) => lines.plain("chain.changed"),
    }
}

fn amount(key: &'static str, amount: Money, lines: &mut Lines<'_>) {
    let variables = [("amount", lines.voice.money(amount))];
    lines.add(key, &variables, &[Quantity::money(amount)]);
}

/// One sentence for what comes and one for what goes, each with the size of it.
fn signed((comes, goes): (&'static str, &'static str), moved: Money, lines: &mut Lines<'_>) {
    let key = if moved.0 < 0 { goes } else { comes };
    let variables = [("amount", lines.voice.money(Money(moved.0.saturating_abs())))];
    lines.add(key, &variables, &[Quantity::money(moved)]);
}

fn left(key: &'static str, amount: Money, float: Money, lines: &mut Lines<'_>) {
    let (amount_text, float_text) = (lines.voice.money(amount), lines.voice.money(float));
    let variables = [("amount", amount_text), ("balance", float_text)];
    lines.add(key, &variables, &[Quantity::money(amount)]);
}

fn stock(key: &'static str, stock: &Stock, lines: &mut Lines<'_>) {
    let id = ("id", lines.voice.code(&format!("{:032x}", stock.id)));
    let variables = [("amount", lines.voice.money(stock.amount)), id];
    lines.add(key, &variables, &[Quantity::money(stock.amount)]);
}
