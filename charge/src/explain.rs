//! Why was I charged? An event in sentences, in three languages, from the event alone (design rule 7).
//!
//! [`explain`] gives every step as a line with its amounts beside the text; [`summary`] gives one line for a message or a
//! statement. Amounts of money are named in rupees, the currency of the house; the exact value stands beside the shown
//! one wherever rounding hides something.

mod chain;
mod charged;
mod payment;
mod promotion;
mod sentences;
mod words;

use crate::account::{LifeCycle, Lot};
use crate::auto::{AutoEvent, AutoOutcome, AutoState};
use crate::catalog::Language;
use crate::event::{Bought, Event, EventBody, Recharged};
use crate::money::Money;
use crate::reply::{RechargeOutcome, Refusal};
use crate::reversal::ReversalEvent;
use crate::time::Zone;
use crate::unit::{Amount, Unit};
use sentences::sentence;
use words::Voice;

/// An event as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What it is about.
    pub title: String,
    /// What happened, step by step; never empty.
    pub lines: Vec<Line>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which sentence: stable, the same in every language.
    pub key: &'static str,
    /// The sentence.
    pub text: String,
    /// The amounts in it, exactly.
    pub amounts: Vec<Quantity>,
}

/// An exact amount in its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// What it is counted in.
    pub unit: Unit,
    /// How much: micro-units of money, octets, seconds or messages.
    pub amount: Amount,
}

impl Quantity {
    /// An amount of money.
    pub fn money(money: Money) -> Quantity {
        Quantity {
            unit: Unit::Money,
            amount: Amount(money.0),
        }
    }
}

/// Explains an event. Dates are in `zone`, the operator's.
pub fn explain(event: &Event, language: Language, zone: &Zone) -> Explanation {
    let voice = Voice { language, zone };
    let mut lines = Lines {
        voice,
        out: Vec::new(),
    };
    lines_of(&event.body, &mut lines);
    Explanation {
        title: title_of(&event.body, voice),
        lines: lines.out,
    }
}

/// One line for a message or a statement.
pub fn summary(event: &Event, language: Language, zone: &Zone) -> String {
    let voice = Voice { language, zone };
    let title = title_of(&event.body, voice);
    match &event.body {
        EventBody::Charged(charge) => {
            let balance = ("balance", voice.shown(charge.balance));
            let used = charged::used_of(charge);
            if charge.refund.is_some() || !used.is_positive() {
                return voice.say("summary.session", &[("title", title), balance]);
            }
            let amount = ("amount", voice.amount(charge.service.unit(), used));
            let cost = ("cost", voice.shown(charged::money_of(charge)));
            voice.say("summary.use", &[("title", title), amount, cost, balance])
        }
        EventBody::Recharged(recharged) => {
            let outcome = &recharged.outcome;
            let variables = [
                ("amount", voice.shown(outcome.gross)),
                ("tax", voice.shown(outcome.tax)),
                ("credited", voice.shown(outcome.credited)),
                ("balance", voice.shown(outcome.balance)),
                ("until", voice.time(outcome.valid_until)),
            ];
            voice.say("summary.recharge", &variables)
        }
        EventBody::Bought(bought) => {
            let variables = [
                ("title", title),
                ("cost", voice.shown(bought.gross)),
                ("until", voice.time(bought.expires_at)),
                ("balance", voice.shown(bought.balance)),
            ];
            voice.say("summary.bundle", &variables)
        }
        _ => {
            let line = explain(event, language, zone).lines.swap_remove(0).text;
            voice.say("summary.line", &[("title", title), ("line", line)])
        }
    }
}

fn title_of(body: &EventBody, voice: Voice<'_>) -> String {
    let (key, offer) = match body {
        EventBody::Charged(charge) => (charged::title_of(charge), None),
        EventBody::Recharged(_) => ("title.recharge", None),
        EventBody::Bought(bought) if bought.renewal => ("title.renewed", Some(bought.offer)),
        EventBody::Bought(bought) => ("title.bundle", Some(bought.offer)),
        EventBody::RenewalFailed { offer, .. } | EventBody::RenewalSet { offer, .. } => {
            ("title.renewal", Some(*offer))
        }
        EventBody::Expired { .. } => ("title.expired", None),
        EventBody::LifeCycleChanged { .. } => ("title.state", None),
        EventBody::AccountOpened { .. } => ("title.opened", None),
        EventBody::AccountUpdated { .. } => ("title.settings", None),
        EventBody::NumberBound { .. } => ("title.number", None),
        EventBody::CatalogPublished { .. } => ("title.catalog", None),
        EventBody::PartnerOpened(_)
        | EventBody::KeyAdded(_)
        | EventBody::KeyRevoked(_)
        | EventBody::TermsChanged(_) => ("title.partner", None),
        EventBody::FloatFunded { .. }
        | EventBody::FloatDebited { .. }
        | EventBody::FloatSettled { .. }
        | EventBody::FloatReturned { .. }
        | EventBody::FloatDelivered { .. }
        | EventBody::CommissionPaid { .. } => ("title.float", None),
        EventBody::TopUpCreated(_)
        | EventBody::TopUpSettled { .. }
        | EventBody::TopUpReversed { .. }
        | EventBody::TopUpReversal(_)
        | EventBody::TopUpDelivered { .. }
        | EventBody::CallbackDue(_)
        | EventBody::IdempotencyKept { .. } => ("title.topup", None),
        EventBody::PaymentCreated(_) | EventBody::Payment(_) => ("title.payment", None),
        EventBody::Auto(_) => ("title.auto", None),
        EventBody::BudgetReached { .. } => ("title.budget-told", None),
        EventBody::SessionEnded(_) => ("title.session-told", None),
        EventBody::CreditTakenBack(_) => ("title.taken-back", None),
        EventBody::BonusGranted(_) | EventBody::BonusRefused { .. } => ("title.gift", None),
        EventBody::BudgetMoved(_) | EventBody::SharesChanged(_) => ("title.budget", None),
        EventBody::Chain(happened) => (chain::title_of(happened), None),
        EventBody::CardRegister(_)
        | EventBody::CardBatch(_)
        | EventBody::CardCopy(_)
        | EventBody::CardShelf(_)
        | EventBody::CardGuard(_) => ("title.cards", None),
    };
    let offer = offer.map_or(String::new(), |offer| voice.code(offer.as_str()));
    voice.say(key, &[("offer", offer)])
}

/// Lines being written.
struct Lines<'a> {
    voice: Voice<'a>,
    out: Vec<Line>,
}

impl Lines<'_> {
    fn add(&mut self, key: &'static str, variables: &[(&str, String)], amounts: &[Quantity]) {
        self.out.push(Line {
            key,
            text: self.voice.say(key, variables),
            amounts: amounts.to_vec(),
        });
    }

    fn plain(&mut self, key: &'static str) {
        let text = sentence(key, self.voice.language).to_owned();
        self.out.push(Line {
            key,
            text,
            amounts: Vec::new(),
        });
    }

    fn amount(&mut self, key: &'static str, unit: Unit, amount: Amount) {
        let variables = [("amount", self.voice.amount(unit, amount))];
        self.add(key, &variables, &[Quantity { unit, amount }]);
    }

    fn balance(&mut self, balance: Money) {
        let variables = [("balance", self.voice.money(balance))];
        self.add("balance", &variables, &[Quantity::money(balance)]);
    }
}

fn lines_of(body: &EventBody, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    match body {
        EventBody::Charged(charge) => charged::lines(charge, lines),
        EventBody::Recharged(recharged) => recharge_lines(recharged, lines),
        EventBody::Bought(bought) => bundle_lines(bought, lines),
        EventBody::RenewalFailed { reason, .. } => {
            lines.add("renewal.failed", &[("reason", voice.reason(*reason))], &[]);
        }
        EventBody::RenewalSet {
            due_at: Some(due_at), ..
        } => {
            lines.add("renews", &[("time", voice.time(*due_at))], &[]);
        }
        EventBody::RenewalSet { due_at: None, .. } => lines.plain("renewal.off"),
        EventBody::Expired { lots } => {
            for draw in lots {
                charged::draw_line("expired", draw, lines);
            }
        }
        EventBody::LifeCycleChanged { from, to } => {
            lines.add(
                "state",
                &[("from", voice.state(*from)), ("to", voice.state(*to))],
                &[],
            );
            if *to == LifeCycle::Expired {
                lines.plain("state.kept");
            }
        }
        EventBody::AccountOpened {
            open,
            lot,
            valid_until,
        } => {
            lines.add(
                "opened",
                &[("number", voice.code(&format!("+{}", open.msisdn)))],
                &[],
            );
            if let Some(lot) = lot {
                lot_line("opening", lot, &[], lines);
            }
            lines.add("validity", &[("until", voice.time(*valid_until))], &[]);
        }
        EventBody::AccountUpdated { language, tax_class } => {
            if let Some(language) = language {
                lines.add("language", &[("language", voice.language_name(*language))], &[]);
            }
            if let Some(class) = tax_class {
                lines.add("tax-class", &[("class", voice.tax_class(*class))], &[]);
            }
        }
        EventBody::BonusGranted(_)
        | EventBody::BonusRefused { .. }
        | EventBody::BudgetMoved(_)
        | EventBody::SharesChanged(_) => promotion::lines_of(body, lines),
        _ => shop_lines(body, lines),
    }
    if lines.out.is_empty() {
        lines.plain("unchanged");
    }
}

fn recharge_lines(recharged: &Recharged, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    let outcome = &recharged.outcome;
    let channel = ("channel", voice.code(recharged.funding.channel().as_str()));
    let gross = Quantity::money(outcome.gross);
    lines.add(
        "paid",
        &[("amount", voice.money(outcome.gross)), channel],
        &[gross],
    );
    let region = ("region", voice.code(recharged.region.as_str()));
    if outcome.tax == Money::ZERO {
        lines.add("recharge.untaxed", &[region], &[]);
    } else {
        let variables = [
            ("tax", voice.money(outcome.tax)),
            ("rate", voice.code(&outcome.tax_rate.percent())),
            ("rounding", voice.rounding(recharged.rounding)),
            region,
        ];
        lines.add("recharge.tax", &variables, &[Quantity::money(outcome.tax)]);
    }
    if outcome.fee != Money::ZERO {
        lines.amount("fee", Unit::Money, Amount(outcome.fee.0));
    }
    if let Some(credit) = recharged.lots.first() {
        lot_line("credited", credit, &[], lines);
    }
    promotion::recharge_lines(recharged, lines);
    if let Some((from, into)) = recharged.joined {
        let number = |lot: crate::ids::LotId| voice.code(&lot.0.to_string());
        lines.add("joined", &[("from", number(from)), ("into", number(into))], &[]);
    }
    if recharged.revived {
        lines.plain("revived");
    }
    lines.balance(outcome.balance);
    lines.add("validity", &[("until", voice.time(outcome.valid_until))], &[]);
    let reference = ("reference", voice.foreign(&recharged.reference));
    let receipt = ("receipt", voice.code(&outcome.receipt.to_string()));
    lines.add("receipt", &[receipt, reference], &[]);
}

fn bundle_lines(bought: &Bought, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    let version = ("version", voice.code(&bought.version.to_string()));
    let price = ("price", voice.money(bought.gross));
    lines.add("price", &[price, version], &[Quantity::money(bought.gross)]);
    if let Some(discount) = &bought.discount {
        let promotion = ("promotion", voice.code(discount.promotion.as_str()));
        let variables = [("amount", voice.money(discount.amount)), promotion];
        lines.add("price.discount", &variables, &[Quantity::money(discount.amount)]);
    }
    if bought.tax == Money::ZERO {
        lines.plain("untaxed");
    } else {
        let variables = [
            ("tax", voice.money(bought.tax)),
            ("rate", voice.code(&bought.rate.percent())),
            ("rounding", voice.rounding(bought.rounding)),
        ];
        lines.add("price.tax", &variables, &[Quantity::money(bought.tax)]);
    }
    for draw in &bought.draws {
        charged::draw_line("draw", draw, lines);
    }
    for lot in &bought.lots {
        lot_line("brought", lot, &[], lines);
    }
    match bought.renews_at {
        Some(at) => lines.add("renews", &[("time", voice.time(at))], &[]),
        None => lines.plain("renewal.off"),
    }
    lines.balance(bought.balance);
}

fn lot_line(key: &'static str, lot: &Lot, more: &[(&'static str, String)], lines: &mut Lines<'_>) {
    let voice = lines.voice;
    let mut variables = vec![
        ("amount", voice.amount(lot.unit, lot.initial)),
        ("lot", voice.code(&lot.id.0.to_string())),
        ("until", voice.time(lot.expires_at)),
    ];
    variables.extend_from_slice(more);
    let amount = Quantity {
        unit: lot.unit,
        amount: lot.initial,
    };
    lines.add(key, &variables, &[amount]);
}

fn shop_lines(body: &EventBody, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    let id = |id: u128| ("id", voice.code(&format!("{id:032x}")));
    let moved = |amount: Money| ("amount", voice.money(amount));
    let reference = |text: &str| ("reference", voice.foreign(text));
    match body {
        EventBody::NumberBound {
            account: Some(account),
            ..
        } => {
            let account = voice.code(&account.0.to_string());
            lines.add("number.ours", &[("account", account)], &[]);
        }
        EventBody::NumberBound { operator, .. } => {
            let operator = voice.code(&operator.0.to_string());
            lines.add("number.other", &[("operator", operator)], &[]);
        }
        EventBody::CatalogPublished { version, .. } => {
            let version = voice.code(&version.to_string());
            lines.add("catalog.published", &[("version", version)], &[]);
        }
        EventBody::PartnerOpened(opened) => {
            lines.add("partner.opened", &[("name", voice.foreign(&opened.name))], &[]);
        }
        EventBody::KeyAdded(key) => lines.add("key.added", &[("key", voice.code(key.id.as_str()))], &[]),
        EventBody::KeyRevoked(key) => lines.add("key.revoked", &[("key", voice.code(key.as_str()))], &[]),
        EventBody::FloatFunded {
            amount,
            reference: text,
            ..
        } => {
            let key = if amount.0 < 0 { "float.out" } else { "float.in" };
            let size = Money(amount.0.saturating_abs());
            lines.add(key, &[moved(size), reference(text)], &[Quantity::money(*amount)]);
        }
        EventBody::FloatDebited { amount, top_up, .. } => {
            lines.add(
                "float.debited",
                &[moved(*amount), id(*top_up)],
                &[Quantity::money(*amount)],
            );
        }
        EventBody::FloatSettled {
            amount,
            top_up,
            credited,
        } => {
            let key = if *credited {
                "float.credited"
            } else {
                "float.returned"
            };
            lines.add(key, &[moved(*amount), id(*top_up)], &[Quantity::money(*amount)]);
        }
        EventBody::TopUpCreated(top_up) => {
            let number = ("number", voice.code(&format!("+{}", top_up.msisdn)));
            let variables = [moved(top_up.gross), number, reference(&top_up.external_id)];
            lines.add("topup.created", &variables, &[Quantity::money(top_up.gross)]);
        }
        EventBody::FloatReturned { amount, top_up } => {
            let variables = [moved(*amount), id(*top_up)];
            lines.add("float.returned", &variables, &[Quantity::money(*amount)]);
        }
        EventBody::FloatDelivered { amount, top_up, .. } => {
            let variables = [moved(*amount), id(*top_up)];
            lines.add("float.credited", &variables, &[Quantity::money(*amount)]);
        }
        EventBody::TopUpDelivered { reference: text } => {
            lines.add("topup.delivered", &[reference(text)], &[]);
        }
        EventBody::TopUpReversal(event) => reversal_line(event, lines),
        EventBody::TopUpSettled { outcome, .. } => settled_line(outcome, lines),
        EventBody::PaymentCreated(asked) => {
            let number = ("number", voice.code(&format!("+{}", asked.msisdn)));
            let rail = ("rail", voice.code(asked.rail.as_str()));
            let variables = [moved(asked.gross), number, rail, reference(&asked.id.to_string())];
            lines.add("payment.created", &variables, &[Quantity::money(asked.gross)]);
        }
        EventBody::Payment(event) => payment::lines(event, lines),
        EventBody::Auto(event) => auto_lines(event, lines),
        EventBody::BudgetReached { .. } => lines.plain("budget.told"),
        EventBody::SessionEnded(_) => lines.plain("session.told"),
        EventBody::CreditTakenBack(taken) => payment::taken_back(taken, lines),
        EventBody::Chain(happened) => chain::lines(happened, lines),
        _ => lines.plain("kept"),
    }
}

fn auto_lines(event: &AutoEvent, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    match event {
        AutoEvent::Set { rule, .. } => {
            let variables = [
                ("amount", voice.money(rule.amount)),
                ("rail", voice.code(rule.rail.as_str())),
            ];
            lines.add("auto.set", &variables, &[Quantity::money(rule.amount)]);
        }
        AutoEvent::Tried { tried, .. } => {
            let reference = ("reference", voice.code(&tried.payment.to_string()));
            let variables = [("amount", voice.money(tried.amount)), reference];
            lines.add("auto.tried", &variables, &[Quantity::money(tried.amount)]);
        }
        AutoEvent::Held { .. } => lines.plain("auto.held"),
        AutoEvent::Ended { outcome, .. } => lines.plain(match outcome {
            AutoOutcome::Paid => "auto.paid",
            _ => "auto.unpaid",
        }),
        AutoEvent::StateSet { state, .. } => lines.plain(match state {
            AutoState::Active => "auto.resumed",
            AutoState::Ended | AutoState::Stopped => "auto.ended",
            _ => "auto.paused",
        }),
        AutoEvent::Planned(_) | AutoEvent::Announced { .. } => lines.plain("auto.planned"),
    }
}

fn reversal_line(event: &ReversalEvent, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    match event {
        ReversalEvent::Proposed { .. } => lines.plain("reversal.proposed"),
        ReversalEvent::Asked { .. } => lines.plain("reversal.asked"),
        ReversalEvent::Ended {
            result: Ok(taken),
            commission,
        } => {
            let variables = [
                ("amount", voice.money(taken.gross)),
                ("commission", voice.money(*commission)),
            ];
            let money = [taken.gross, *commission].map(Quantity::money);
            lines.add("reversal.done", &variables, &money);
        }
        ReversalEvent::Ended {
            result: Err(refusal), ..
        } => lines.add("reversal.refused", &[("reason", voice.reason(*refusal))], &[]),
    }
}

fn settled_line(outcome: &Result<RechargeOutcome, Refusal>, lines: &mut Lines<'_>) {
    let voice = lines.voice;
    match outcome {
        Ok(outcome) => {
            let receipt = ("receipt", voice.code(&outcome.receipt.to_string()));
            let variables = [("amount", voice.money(outcome.credited)), receipt];
            lines.add("topup.done", &variables, &[Quantity::money(outcome.credited)]);
        }
        Err(refusal) => lines.add("topup.declined", &[("reason", voice.reason(*refusal))], &[]),
    }
}
