//! Payments in sentences.

use super::{Lines, Quantity, charged};
use crate::event::TakenBack;
use crate::payment::{Credited, PaymentEvent, PaymentFault, PaymentState, Price, Refund};
use crate::reversal::CreditOf;

/// What happened to a payment.
pub(super) fn lines(event: &PaymentEvent, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    let code = |text: &str| ("code", voice.foreign(text));
    let reference = |text: &str| ("reference", voice.foreign(text));
    match event {
        PaymentEvent::Moved {
            state, code: text, ..
        } => match state {
            PaymentState::Presented => lines.plain("payment.presented"),
            PaymentState::AwaitingCustomer => lines.plain("payment.awaiting-customer"),
            PaymentState::AwaitingCash => lines.plain("payment.awaiting-cash"),
            PaymentState::Failed => lines.add("payment.failed", &[code(text)], &[]),
            PaymentState::Expired => lines.plain("payment.expired"),
            _ => lines.plain("payment.pending"),
        },
        PaymentEvent::Settled(settled) => {
            let amount = ("amount", voice.money(settled.gross));
            let money = [Quantity::money(settled.gross)];
            lines.add(
                "payment.settled",
                &[amount, reference(&settled.reference)],
                &money,
            );
            match &settled.credit {
                Credited::Account { outcome, .. } => {
                    let receipt = voice.code(&outcome.receipt.to_string());
                    lines.add("payment.credited", &[("receipt", receipt)], &[]);
                }
                Credited::Connector(connector) => {
                    let connector = ("connector", voice.code(connector.as_str()));
                    lines.add("payment.connector", &[connector], &[]);
                }
                Credited::Suspense => lines.plain("payment.suspense"),
                Credited::Refund { refund, refusal } => {
                    if let Some(refusal) = refusal {
                        lines.add("payment.not-credited", &[("reason", voice.reason(*refusal))], &[]);
                    }
                    refund_line(refund, lines);
                }
            }
        }
        PaymentEvent::Cancelled => lines.plain("payment.cancelled"),
        PaymentEvent::RefundRequested { refund, .. } => refund_line(refund, lines),
        PaymentEvent::RefundEnded {
            result: Ok(text),
            gross,
            ..
        } => {
            let variables = [("amount", voice.money(*gross)), reference(text)];
            lines.add("payment.refunded", &variables, &[Quantity::money(*gross)]);
        }
        PaymentEvent::RefundEnded {
            result: Err(text), ..
        } => lines.add("payment.refund-refused", &[code(text)], &[]),
        PaymentEvent::RefundRetried => lines.plain("payment.refund-retried"),
        PaymentEvent::Reversed {
            gross, code: text, ..
        } => {
            let variables = [("amount", voice.money(*gross)), code(text)];
            lines.add("payment.reversed", &variables, &[Quantity::money(*gross)]);
        }
        PaymentEvent::Fault(fault) => fault_line(fault, lines),
        PaymentEvent::Resolved(_) => lines.plain("payment.resolved"),
        PaymentEvent::Delivered { reference: text } => {
            lines.add("payment.delivered", &[reference(text)], &[]);
        }
        PaymentEvent::Assigned { .. } => lines.plain("payment.assigned"),
        PaymentEvent::AssignEnded(Ok(receipt)) => {
            let receipt = voice.code(&receipt.to_string());
            lines.add("payment.credited", &[("receipt", receipt)], &[]);
        }
        PaymentEvent::AssignEnded(Err(refusal)) => {
            lines.add("payment.not-credited", &[("reason", voice.reason(*refusal))], &[]);
        }
    }
}

/// What left the account again.
pub(super) fn taken_back(taken: &TakenBack, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    let variables = [
        ("amount", voice.money(taken.gross)),
        ("unused", voice.money(taken.unused)),
        ("tax", voice.money(taken.tax)),
        ("reference", voice.code(&taken.of.to_string())),
    ];
    let money = [taken.gross, taken.unused, taken.tax].map(Quantity::money);
    let key = match taken.of {
        CreditOf::Payment(_) => "taken-back",
        CreditOf::TopUp(_) => "taken-back.sale",
    };
    lines.add(key, &variables, &money);
    for draw in &taken.draws {
        charged::draw_line("draw", draw, lines);
    }
    lines.balance(taken.balance);
}

fn refund_line(refund: &Refund, lines: &mut Lines<'_>) {
    let money = [Quantity::money(refund.gross)];
    lines.add(
        "payment.refund",
        &[("amount", lines.voice.money(refund.gross))],
        &money,
    );
}

fn fault_line(fault: &PaymentFault, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    let paid_of = |paid: &Price| {
        (
            "paid",
            voice.code(&format!("{} {}", paid.currency, paid.amount.exact())),
        )
    };
    match fault {
        PaymentFault::Mismatch { paid, .. } => lines.add("payment.mismatch", &[paid_of(paid)], &[]),
        PaymentFault::ChargedTwice { paid, .. } => lines.add("payment.twice", &[paid_of(paid)], &[]),
        PaymentFault::Contradiction { code } => {
            lines.add("payment.contradiction", &[("code", voice.foreign(code))], &[]);
        }
    }
}
