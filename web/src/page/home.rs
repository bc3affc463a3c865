//! The first page of somebody who is signed in: balance, what is left, what the month took, what happened last.

use super::account::{self, Held, signed_in, warning_of};
use super::format::{NBSP, Speech};
use super::frame::{self, Frame, Visitor, page};
use super::spending::{self, KINDS, Month, Spending};
use super::statement::{self, Lines};
use super::{budget, places, signin};
use crate::problem::Problem;
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use charge::Money;
use charge::catalog::Catalog;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    page: Frame,
    operator: Html,
    balance: Html,
    symbol: String,
    held: Option<Html>,
    valid: Html,
    valid_left: Html,
    warning: Option<Html>,
    alert: Option<(Html, bool)>,
    actions: Vec<(&'static str, &'static str, Html)>,
    bundles: Vec<Held>,
    chart: Chart,
    latest: Lines,
}

/// Bars of a month. Heights are in parts of [`CHART_HEIGHT`]; texts stand beside the drawing.
pub struct Chart {
    /// What it shows, in one sentence, for those who do not see it.
    pub label: String,
    /// Month and year.
    pub month: Html,
    /// All that was spent.
    pub total: Html,
    /// The height of the drawing, in amounts.
    pub top: Html,
    /// Days: whether it is today, and its bar.
    pub bars: Vec<(bool, Bar)>,
    /// Kinds with what they took.
    pub kinds: Vec<(usize, Html, Html)>,
    /// Days with spending in words, for the table.
    pub days: Vec<(Html, Html)>,
    /// True when nothing was spent.
    pub nothing: bool,
    /// True when there was more than we read.
    pub partial: bool,
}

/// The parts of a bar from the ground up: kind, top edge, height.
type Bar = Vec<(usize, i64, i64)>;

/// Height of the drawing in its own units.
const CHART_HEIGHT: i64 = 100;

/// Home for a member, the welcome for anybody else.
pub async fn show(State(web): State<Web>, visitor: Visitor) -> Result<Response, Problem> {
    let Some(sign_in) = visitor.sign_in else {
        return Ok(signin::start(State(web), visitor).await);
    };
    let (account, catalog) = signed_in(&web, sign_in.account).await?;
    let t = visitor.speech();
    let now = web.now();
    let zone = &catalog.zone;
    let held = account.main_total(now) - account.main_balance(now);
    let shown = t.money(account.main_total(now), &catalog.currency);
    let (symbol, number) = shown.rsplit_once(NBSP).unwrap_or(("", &shown));
    let until = [("date", t.date(account.valid_until, zone).into())];
    let today = zone.day_number(now);
    let month = Month::of_day(today);
    let spent = spending::read(&web, account.id, zone, month.first, month.days).await?;
    let template = Home {
        page: visitor.frame(&web, t.p("title-account")),
        operator: Html::bdi(catalog.name.get(t.language)),
        balance: Html::bdi(number),
        symbol: symbol.to_owned(),
        held: held.is_positive().then(|| {
            let amount = t.money(held, &catalog.currency);
            Html::isolated(&t.with("held", &[("amount", amount.into())]))
        }),
        valid: Html::isolated(&t.with("valid-until", &until)),
        valid_left: Html::isolated(&t.left(account.valid_until, now)),
        warning: warning_of(&account, catalog, t, now),
        alert: match budget::target_of(&web, sign_in).await? {
            Some(target) => budget::alert_of(&budget::standing(&web, &account, catalog).await?, target, t),
            None => None,
        },
        actions: actions(t),
        bundles: account::held_bundles(&account, catalog, t, now),
        chart: chart(&spent, month, today, catalog, t),
        latest: statement::latest(&web, account.id, catalog, t, LATEST).await?,
    };
    Ok(frame::keep_offline(page(StatusCode::OK, &template)))
}

/// Lines of the statement on this page.
const LATEST: usize = 4;

/// The old address of this page.
pub async fn moved() -> Response {
    Redirect::to("/").into_response()
}

/// What people do most, as far as its page is there.
fn actions(t: Speech) -> Vec<(&'static str, &'static str, Html)> {
    ["recharge", "bundles", "statement"]
        .into_iter()
        .filter_map(|name| {
            let place = places::PLACES
                .iter()
                .find(|place| place.name == name && place.open)?;
            Some((place.path, place.name, t.h(&format!("place-{name}"))))
        })
        .collect()
}

/// Draws a month.
pub fn chart(spent: &Spending, month: Month, today: i32, catalog: &Catalog, t: Speech) -> Chart {
    let currency = &catalog.currency;
    let money = |amount: Money| t.money(amount, currency);
    let tallest = (0..spent.days.len())
        .map(|day| spent.day(day))
        .fold(Money::ZERO, |a, b| if a.0 > b.0 { a } else { b });
    let top = round_top(tallest);
    let is_today = usize::try_from(today - spent.first).ok();
    let bars = spent.days.iter().enumerate();
    let bars = bars.map(|(day, parts)| (is_today == Some(day), bar(parts, top)));
    let total = spent.total();
    let title = t.month(month.year, month.month);
    let values = [
        ("month", title.clone().into()),
        ("total", money(total).into()),
        ("most", money(tallest).into()),
    ];
    let kinds = KINDS.iter().enumerate().map(|(kind, name)| {
        let words = t.h(&format!("spent-{name}"));
        (kind, words, Html::bdi(&money(spent.kind(kind))))
    });
    let days = (0..spent.days.len())
        .filter(|day| spent.day(*day) != Money::ZERO)
        .map(|day| {
            let number = spent.first + i32::try_from(day).unwrap_or(0);
            let date = t.date(catalog.zone.day_start(number), &catalog.zone);
            (Html::isolated(&date), Html::bdi(&money(spent.day(day))))
        });
    Chart {
        label: t.with("chart-label", &values).replace(crate::text::ISOLATES, ""),
        month: Html::isolated(&title),
        total: Html::bdi(&money(total)),
        top: Html::bdi(&money(top)),
        bars: bars.collect(),
        kinds: kinds.collect(),
        days: days.collect(),
        nothing: total == Money::ZERO,
        partial: !spent.complete,
    }
}

/// The bar of a day. A part that exists can be seen.
fn bar(day: &[Money; 4], top: Money) -> Bar {
    let mut ground = CHART_HEIGHT;
    let mut parts = Vec::new();
    for (kind, amount) in day.iter().enumerate().filter(|(_, amount)| amount.is_positive()) {
        let height = i128::from(amount.0) * i128::from(CHART_HEIGHT) / i128::from(top.0.max(1));
        let height = i64::try_from(height).unwrap_or(CHART_HEIGHT).max(1).min(ground);
        ground -= height;
        parts.push((kind, ground, height));
    }
    parts
}

/// The next of 10, 20, 50, 100, 200, 500 ... units: a round height for a drawing.
fn round_top(amount: Money) -> Money {
    let mut top = Money::from_units(10);
    for factor in [2, 5, 10].into_iter().cycle().take(30) {
        if top.0 >= amount.0 {
            break;
        }
        // 10, 20, 50, then ten times as much and so on: each factor is against the last power of ten.
        let power = Money(
            top.0
                / if factor == 2 {
                    1
                } else if factor == 5 {
                    2
                } else {
                    5
                },
        );
        top = Money(power.0.saturating_mul(factor));
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_round_and_bars_fit() {
        for (spent, top) in [
            ("0", "10"),
            ("10", "10"),
            ("10.01", "20"),
            ("33", "50"),
            ("51", "100"),
            ("101", "200"),
            ("4999", "5000"),
        ] {
            let amount = |text| Money::parse(text).unwrap();
            assert_eq!(round_top(amount(spent)), amount(top), "{spent}");
        }
        let day = [
            Money::from_units(50),
            Money(1),
            Money::ZERO,
            Money::from_units(50),
        ];
        let parts = bar(&day, Money::from_units(100));
        assert_eq!(parts, [(0, 50, 50), (1, 49, 1), (3, 0, 49)]);
    }
}
