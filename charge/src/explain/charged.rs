//! The lines of a credit-control event: what was used, how it was paid, what is set aside.

use super::{Line, Lines, Quantity};
use crate::command::ChargeKind;
use crate::event::{Charge, Charged, ChargedBy, ChargedPart, Priced, SetupFee};
use crate::money::Money;
use crate::reply::ChargeResult;
use crate::session::Draw;
use crate::unit::{Amount, Service, Unit};

pub(super) fn title_of(charged: &Charged) -> &'static str {
    match (charged.kind, charged.service) {
        (ChargeKind::Refund, _) => "title.refund",
        (ChargeKind::Supervision, _) => "title.closed",
        (_, Service::Data) => "title.data",
        (_, Service::Voice) => "title.voice",
        (_, Service::Sms) => "title.sms",
    }
}

pub(super) fn lines(charged: &Charged, lines: &mut Lines<'_>) {
    if let Some(refund) = &charged.refund {
        lines.add(
            "refund",
            &[
                ("amount", lines.voice.money(refund.gross)),
                ("tax", lines.voice.money(refund.tax)),
            ],
            &[Quantity::money(refund.gross), Quantity::money(refund.tax)],
        );
    }
    if charged.kind == ChargeKind::Supervision {
        lines.plain("silent");
    }
    if charged.result == ChargeResult::UnknownSession {
        lines.plain("late");
    }
    if let Some(setup) = &charged.setup {
        setup_lines(setup, lines);
    }
    for part in &charged.parts {
        part_lines(charged, part, lines);
    }
    let cost = money_of(charged);
    if cost != Money::ZERO {
        lines.add(
            "cost",
            &[("cost", lines.voice.money(cost))],
            &[Quantity::money(cost)],
        );
    }
    if let Some(region) = charged.moved {
        lines.add("moved", &[("region", lines.voice.code(region.as_str()))], &[]);
    }
    let session = !matches!(charged.kind, ChargeKind::Debit | ChargeKind::Refund);
    if charged.closes && session {
        lines.plain("ended");
    }
    lines.balance(charged.balance);
    if charged.low_balance_crossed {
        lines.plain("low");
    }
}

/// Money taken by the event, counted without overflow whatever the event holds.
pub(super) fn money_of(charged: &Charged) -> Money {
    let setup = charged.setup.iter().flat_map(|setup| &setup.draws);
    let charges = charged.parts.iter().flat_map(|part| &part.charges);
    let draws = setup.chain(charges.flat_map(|charge| &charge.draws));
    let money = draws.filter(|draw| draw.unit == Unit::Money);
    Money(money.fold(0, |sum, draw| sum.saturating_add(draw.amount.0)))
}

/// Units used in the event.
pub(super) fn used_of(charged: &Charged) -> Amount {
    let used = charged.parts.iter().map(|part| part.used.0);
    Amount(used.fold(0, i64::saturating_add))
}

fn part_lines(charged: &Charged, part: &ChargedPart, lines: &mut Lines<'_>) {
    let unit = charged.service.unit();
    if let Some(group) = part.key.rating_group {
        lines.add("group", &[("group", lines.voice.code(&group.to_string()))], &[]);
    }
    if part.used.is_positive() {
        lines.amount("used", unit, part.used);
    } else if part.granted.is_none() && charged.refund.is_none() {
        lines.plain("unused");
    }
    if part.result == ChargeResult::RatingFailed {
        lines.plain("unrated");
    }
    for charge in &part.charges {
        charge_lines(unit, charge, lines);
    }
    if part.paid_ahead.is_positive() {
        lines.amount("left", unit, part.paid_ahead);
    }
    match part.result {
        ChargeResult::CreditLimitReached => lines.plain("credit-limit"),
        ChargeResult::EndUserServiceDenied => lines.plain("denied"),
        _ => {}
    }
    let events = matches!(charged.kind, ChargeKind::Debit | ChargeKind::Refund);
    if let Some(granted) = part.granted.filter(|granted| granted.is_positive() && !events) {
        lines.amount("granted", unit, granted);
        for draw in &part.reserved {
            draw_line("held", draw, lines);
        }
        if part.final_action.is_some() {
            lines.plain("final");
        }
        if let Some(change) = part.tariff_change {
            lines.add("change", &[("time", lines.voice.time(change))], &[]);
        }
    }
}

fn charge_lines(unit: Unit, charge: &Charge, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    let amount = ("amount", voice.amount(unit, charge.units));
    let units = Quantity {
        unit,
        amount: charge.units,
    };
    let pulses = ("pulses", voice.code(&charge.pulses.to_string()));
    match &charge.by {
        ChargedBy::PaidAhead => lines.add("ahead", &[amount], &[units]),
        ChargedBy::Bucket { source, step } => {
            let source = ("source", voice.code(source.as_str()));
            let step = ("step", voice.amount(unit, *step));
            lines.add("bucket", &[amount, source, pulses, step], &[units]);
        }
        ChargedBy::Tariff(priced) => {
            let cost = priced.cost(charge.pulses);
            let variables = [
                amount,
                ("tariff", voice.code(priced.tariff.as_str())),
                ("version", voice.code(&priced.version.to_string())),
                pulses,
                ("pulse", voice.amount(unit, priced.pulse)),
                ("price", voice.money(priced.gross)),
                ("cost", voice.money(cost)),
            ];
            lines.add("tariff", &variables, &[units, Quantity::money(cost)]);
            if cost != Money::ZERO {
                tax_line(priced, charge.pulses, lines);
            }
        }
        ChargedBy::Free(tariff) => {
            lines.add(
                "free",
                &[amount, ("tariff", voice.code(tariff.as_str()))],
                &[units],
            );
        }
        ChargedBy::Uncovered(priced) => {
            let cost = priced.cost(charge.pulses);
            let variables = [amount, ("cost", voice.money(cost))];
            lines.add("uncovered", &variables, &[units, Quantity::money(cost)]);
        }
    }
    for draw in &charge.draws {
        draw_line("draw", draw, lines);
    }
}

fn tax_line(priced: &Priced, pulses: i64, lines: &mut Lines<'_>) {
    let tax = priced.tax_of(pulses);
    if tax == Money::ZERO {
        lines.plain("untaxed");
        return;
    }
    let voice = lines.voice;
    let variables = [
        ("tax", voice.money(tax)),
        ("rate", voice.code(&priced.rate.percent())),
        ("rounding", voice.rounding(priced.rounding)),
    ];
    lines.add("tax", &variables, &[Quantity::money(tax)]);
}

fn setup_lines(setup: &SetupFee, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    let tariff = ("tariff", voice.code(setup.tariff.as_str()));
    let cost = ("cost", voice.money(setup.gross));
    if setup.uncovered.is_positive() {
        lines.add(
            "setup.uncovered",
            &[tariff, cost],
            &[Quantity::money(setup.gross)],
        );
        return;
    }
    let variables = [tariff, cost, ("tax", voice.money(setup.tax))];
    lines.add(
        "setup",
        &variables,
        &[Quantity::money(setup.gross), Quantity::money(setup.tax)],
    );
    for draw in &setup.draws {
        draw_line("draw", draw, lines);
    }
}

/// A line about an amount in a lot.
pub(super) fn draw_line(key: &'static str, draw: &Draw, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    let variables = [
        ("lot", voice.code(&draw.lot.0.to_string())),
        ("origin", voice.origin(draw.origin)),
        ("amount", voice.amount(draw.unit, draw.amount)),
    ];
    let text = voice.say(key, &variables);
    let amounts = vec![Quantity {
        unit: draw.unit,
        amount: draw.amount,
    }];
    lines.out.push(Line { key, text, amounts });
}
