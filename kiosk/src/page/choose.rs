//! Number, amount or bundle, and what it costs.

use super::{Frame, back, money, page, refused};
use crate::limits;
use crate::operator::{AskError, Goods, OperatorBrief, Quote, by_prefix, number_of, shown};
use crate::shell::Kiosk;
use askama::Template;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use charge::money::Rounding;
use charge::unit::Amount;
use charge::{Money, Msisdn};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use web::page::format::Speech;
use web::text::Html;

/// Amounts to press, in whole units of the currency.
const AMOUNTS: [i64; 6] = [50, 100, 200, 500, 1_000, 2_000];
/// Longest wait for the bundles of the page of choices.
const BUNDLES_WAIT: Duration = Duration::from_secs(3);

#[derive(Template)]
#[template(path = "number.html")]
struct Number {
    page: Frame,
}

/// Asks for the number.
pub async fn number(State(kiosk): State<Arc<Kiosk>>) -> Response {
    page(&Number {
        page: Frame::of(&kiosk, "/number", 1, "kiosk-number"),
    })
}

#[derive(Deserialize)]
pub struct NumberForm {
    number: String,
}

/// A number was typed or scanned.
pub async fn number_given(State(kiosk): State<Arc<Kiosk>>, Form(form): Form<NumberForm>) -> Response {
    let (operators, line) = kiosk.see(|till| (till.operators().to_vec(), till.line()));
    let Some(number) = number_of(&form.number, &operators) else {
        return back(&kiosk, "/number", "kiosk-bad-number", &[]);
    };
    let language = kiosk.visit().language;
    let asked = match line {
        true => kiosk.operator().look_up(number, language).await,
        false => Err(AskError::NoLine),
    };
    let operator = match asked {
        Ok(known) if !known.rechargeable => return back(&kiosk, "/number", "kiosk-not-ours", &[]),
        Ok(known) => known.operator,
        // Without a line the range says it; the number may have been ported, which the server finds out later.
        Err(AskError::NoLine) => match by_prefix(number, &operators) {
            Some(operator) => operator.code.clone(),
            None => return back(&kiosk, "/number", "kiosk-not-ours", &[]),
        },
        Err(error) => return refused(&kiosk, "/number", error),
    };
    if !operators.iter().any(|known| known.code == operator) {
        return back(&kiosk, "/number", "kiosk-not-ours", &[]);
    }
    kiosk.revisit(|visit| {
        visit.number = Some((number, operator));
        visit.goods = None;
    });
    Redirect::to("/choose").into_response()
}

/// Who is recharged, as pages show it.
pub struct Whom {
    /// The number.
    pub number: Html,
    /// Name of the operator.
    pub operator: Html,
    /// ISO 4217.
    pub currency: String,
    /// What can be sold.
    pub bounds: (Money, Money),
}

/// The number of the visit.
pub fn whom(kiosk: &Kiosk) -> Option<(Whom, Msisdn, String)> {
    let visit = kiosk.visit();
    let (number, code) = visit.number?;
    kiosk.see(|till| {
        let operator: &OperatorBrief = till.operators().iter().find(|known| known.code == code)?;
        let whom = Whom {
            number: Html::bdi(&shown(number, till.operators())),
            operator: Html::bdi(operator.name_in(visit.language)),
            currency: operator.currency.clone(),
            bounds: till.bounds(&code)?,
        };
        Some((whom, number, code.clone()))
    })
}

/// A bundle on the page.
struct BundleCard {
    code: String,
    name: Html,
    price: Html,
    holds: Vec<Html>,
    validity: Html,
}

#[derive(Template)]
#[template(path = "choose.html")]
struct Choose {
    page: Frame,
    whom: Whom,
    amounts: Vec<(i64, Html)>,
    open_amount: bool,
    line: bool,
    bundles: Vec<BundleCard>,
}

/// Shows amounts and bundles.
pub async fn show(State(kiosk): State<Arc<Kiosk>>) -> Response {
    let Some((whom, _, code)) = whom(&kiosk) else {
        return Redirect::to("/number").into_response();
    };
    let (line, cash, free, most) = kiosk.see(|till| {
        let most = match till.line() {
            true => whom.bounds.1,
            false => whom.bounds.1.min(till.settings().offline_sale_max),
        };
        (till.line(), till.takes_cash(), till.free(), most)
    });
    let free = free.unwrap_or_default();
    let page_ = Frame::of(&kiosk, "/choose", 2, "kiosk-choose");
    let language = page_.t.language;
    let asked = tokio::time::timeout(BUNDLES_WAIT, kiosk.operator().bundles(&code, language));
    // Without them amounts are sold.
    let bundles = match line {
        true => asked.await.ok().and_then(Result::ok).unwrap_or_default(),
        false => Vec::new(),
    };
    let cards = bundles
        .into_iter()
        .take(limits::BUNDLES_MAX)
        .map(|bundle| BundleCard {
            name: Html::bdi(&bundle.name),
            price: money(page_.t, bundle.price, &whom.currency),
            holds: bundle
                .buckets
                .iter()
                .map(|(unit, amount)| Html::isolated(&page_.t.amount(*unit, Amount(*amount), &whom.currency)))
                .collect(),
            validity: Html::isolated(&validity(page_.t, &bundle.validity)),
            code: bundle.code,
        });
    let amounts = AMOUNTS
        .into_iter()
        .filter(|amount| {
            let amount = Money::from_units(*amount);
            amount >= whom.bounds.0 && amount <= most && amount <= free
        })
        .map(|amount| (amount, money(page_.t, Money::from_units(amount), &whom.currency)))
        .collect();
    page(&Choose {
        bundles: cards.collect(),
        page: page_,
        whom,
        amounts,
        open_amount: cash,
        line,
    })
}

/// `P7D` as 7 days, `PT24H` as 24 hours.
fn validity(t: Speech, text: &str) -> String {
    let number =
        |from: &str, to: &str| -> Option<i64> { text.strip_prefix(from)?.strip_suffix(to)?.parse().ok() };
    if let Some(hours) = number("PT", "H") {
        return t.with("kiosk-hours", &[("count", hours.into())]);
    }
    match number("P", "D") {
        Some(days) => t.with("kiosk-days", &[("count", days.into())]),
        None => String::new(),
    }
}

#[derive(Template)]
#[template(path = "amount.html")]
struct AmountPage {
    page: Frame,
    whom: Whom,
    least: Html,
    most: Html,
}

/// Asks for another amount.
pub async fn amount(State(kiosk): State<Arc<Kiosk>>) -> Response {
    let Some((whom, _, _)) = whom(&kiosk) else {
        return Redirect::to("/number").into_response();
    };
    let page_ = Frame::of(&kiosk, "/amount", 2, "kiosk-amount");
    page(&AmountPage {
        least: money(page_.t, whom.bounds.0, &whom.currency),
        most: money(page_.t, whom.bounds.1, &whom.currency),
        page: page_,
        whom,
    })
}

#[derive(Deserialize)]
pub struct ChosenForm {
    #[serde(default)]
    amount: String,
    #[serde(default)]
    bundle: String,
    #[serde(default)]
    open: String,
}

/// Something was chosen.
pub async fn chosen(State(kiosk): State<Arc<Kiosk>>, Form(form): Form<ChosenForm>) -> Response {
    let Some((whom, number, code)) = whom(&kiosk) else {
        return Redirect::to("/number").into_response();
    };
    if !form.open.is_empty() {
        kiosk.revisit(|visit| visit.goods = Some((Goods::Amount(Money::ZERO), None)));
        return Redirect::to("/confirm").into_response();
    }
    let language = kiosk.visit().language;
    let line = kiosk.see(crate::till::Till::line);
    let (path, goods) = match form.bundle.is_empty() {
        false => ("/choose", Goods::Bundle(form.bundle)),
        true => {
            let digits: String = form.amount.chars().filter_map(web::number::latin_digit).collect();
            let typed = form.amount.trim().chars().count();
            let amount = Money::parse(&digits).ok().filter(|_| digits.len() == typed);
            match amount.filter(|amount| *amount >= whom.bounds.0 && *amount <= whom.bounds.1) {
                Some(amount) => ("/amount", Goods::Amount(amount)),
                None => return back(&kiosk, "/amount", "kiosk-bad-amount", &[]),
            }
        }
    };
    let mut name = String::new();
    if let Goods::Bundle(bundle) = &goods {
        // Its name as it is now, and that it is for sale.
        match kiosk.operator().bundles(&code, language).await {
            Ok(bundles) => match bundles.into_iter().find(|known| known.code == *bundle) {
                Some(found) => name = found.name,
                None => return back(&kiosk, path, "kiosk-no-bundle", &[]),
            },
            Err(error) => return refused(&kiosk, path, error),
        }
    }
    let quote = match line {
        true => kiosk.operator().quote(number, &goods, language).await,
        false => Err(AskError::NoLine),
    };
    let quote = match (quote, &goods) {
        (Ok(quote), _) if quote.elsewhere => return back(&kiosk, "/number", "kiosk-not-ours", &[]),
        (Ok(quote), _) => quote,
        // Without a line nobody knows the tax; the receipt of the credit says it.
        (Err(AskError::NoLine), Goods::Amount(amount)) => Quote {
            gross: *amount,
            tax: Money::ZERO,
            credited: Money::ZERO,
            elsewhere: false,
        },
        (Err(error), _) => return refused(&kiosk, path, error),
    };
    kiosk.revisit(|visit| {
        visit.goods = Some((goods, Some(quote)));
        visit.bundle_name = name;
    });
    Redirect::to("/confirm").into_response()
}

/// What is paid in notes for something: no change is given, so it is a multiple of the smallest note.
pub fn in_notes(gross: Money, notes: &[Money]) -> Money {
    let smallest = notes.iter().map(|note| note.0).min().unwrap_or(1).max(1);
    let many = Rounding::Up.divide(i128::from(gross.0), i128::from(smallest));
    Money(i64::try_from(many).unwrap_or(0).saturating_mul(smallest))
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm {
    page: Frame,
    whom: Whom,
    bundle: Option<Html>,
    open: bool,
    gross: Html,
    in_notes: Html,
    rest: bool,
    tax: Option<Html>,
    credited: Option<Html>,
    cash: bool,
    cards: bool,
    line: bool,
}

/// What it costs, and how to pay.
pub async fn confirm(State(kiosk): State<Arc<Kiosk>>) -> Response {
    let visit = kiosk.visit();
    let (Some((whom, _, _)), Some((goods, quote))) = (whom(&kiosk), visit.goods) else {
        return Redirect::to("/choose").into_response();
    };
    let page_ = Frame::of(&kiosk, "/confirm", 3, "kiosk-confirm");
    let (cash, cards, line, notes) = kiosk.see(|till| {
        (
            till.takes_cash(),
            till.takes_cards(),
            till.line(),
            till.settings().notes.clone(),
        )
    });
    let gross = quote.as_ref().map_or(Money::ZERO, |quote| quote.gross);
    let cash_amount = in_notes(gross, &notes);
    let show = |amount: Money| money(page_.t, amount, &whom.currency);
    let priced = quote.as_ref().filter(|quote| quote.credited.is_positive());
    page(&Confirm {
        bundle: matches!(goods, Goods::Bundle(_)).then(|| Html::bdi(&visit.bundle_name)),
        open: quote.is_none(),
        gross: show(gross),
        in_notes: show(cash_amount),
        rest: cash_amount != gross,
        tax: priced.map(|quote| show(quote.tax)),
        credited: priced.map(|quote| show(quote.credited)),
        cash,
        cards: cards && quote.is_some(),
        line,
        page: page_,
        whom,
    })
}
