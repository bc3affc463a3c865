//! The budget: a target for the month, what it took so far, and where it will end at one's own pace.

use super::account::{percent, signed_in};
use super::format::Speech;
use super::frame::{Frame, Visitor, page};
use super::session::SignIn;
use super::spending::{self, Month, Spending};
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use charge::catalog::Catalog;
use charge::money::Rounding;
use charge::{Account, Money};
use serde::Deserialize;

/// Shares of the target, in percent, at which somebody is told.
pub const ALERTS: [i64; 3] = [50, 80, 100];

/// Days that tell the pace.
const PACE_DAYS: i32 = 30;

/// Where a month stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Spent since the first of the month.
    pub spent: Money,
    /// Spent on an average day of the last [`PACE_DAYS`] days, or of those since the account was opened.
    pub pace: Money,
    /// What the month will have taken at its end at that pace.
    pub forecast: Money,
    /// Days left after today.
    pub days_left: i32,
}

impl Standing {
    /// From the spending of consecutive days that hold the month and the days before today. `opened` is the day number
    /// on which the account was opened. The pace is rounded to the nearest micro-unit.
    pub fn of(spending: &Spending, month: Month, today: i32, opened: i32) -> Standing {
        let index = |day: i32| usize::try_from(day - spending.first).unwrap_or(0);
        let spent = spending.span(index(month.first)..index(today + 1));
        let since = (today - PACE_DAYS + 1).max(opened).min(today).max(spending.first);
        let days = i128::from(today - since + 1);
        let lately = spending.span(index(since)..index(today + 1));
        let days_left = month.first + month.days - 1 - today;
        let pace = Rounding::HalfEven.divide(i128::from(lately.0), days);
        let rest = Rounding::HalfEven.divide(i128::from(lately.0) * i128::from(days_left), days);
        let money = |amount: i128| Money(i64::try_from(amount).unwrap_or(i64::MAX));
        Standing {
            spent,
            pace: money(pace),
            forecast: money(i128::from(spent.0) + rest),
            days_left,
        }
    }

    /// The highest of [`ALERTS`] that is reached.
    pub fn alert(&self, target: Money) -> Option<i64> {
        let reached =
            |share: &i64| i128::from(self.spent.0) * 100 >= i128::from(target.0) * i128::from(*share);
        ALERTS.into_iter().rev().find(reached)
    }
}

/// Reads where the month of an account stands.
///
/// # Errors
/// When the read models do not answer.
pub async fn standing(web: &Web, account: &Account, catalog: &Catalog) -> Result<Standing, Problem> {
    let zone = &catalog.zone;
    let today = zone.day_number(web.now());
    let month = Month::of_day(today);
    let first = month.first.min(today - PACE_DAYS + 1);
    let days = month.first + month.days - first;
    let spending = spending::read(web, account.id, zone, first, days).await?;
    let opened = zone.day_number(account.opened_at);
    Ok(Standing::of(&spending, month, today, opened))
}

/// The sentence for the alert that is reached, and whether the target is passed.
pub fn alert_of(standing: &Standing, target: Money, t: Speech) -> Option<(Html, bool)> {
    let share = standing.alert(target)?;
    let key = match share {
        100 => "budget-alert-100",
        80 => "budget-alert-80",
        _ => "budget-alert-50",
    };
    Some((t.h(key), share == 100))
}

#[derive(Template)]
#[template(path = "budget.html")]
struct Budget {
    page: Frame,
    error: Option<Html>,
    target: String,
    symbol: String,
    set: Option<Set>,
    spent: Html,
    pace: Html,
    forecast: Html,
    days_left: Html,
}

/// A target that is set, and how it stands.
struct Set {
    of: Html,
    label: String,
    percent: i64,
    class: &'static str,
    alert: Option<(Html, bool)>,
    outlook: Html,
    is_over: bool,
}

/// What happened just before.
#[derive(Default, Deserialize)]
pub struct Before {
    error: Option<String>,
}

/// The budget.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Query(before): Query<Before>,
) -> Result<Response, Problem> {
    let Some(sign_in) = visitor.sign_in else {
        return Ok(Redirect::to("/").into_response());
    };
    let (account, catalog) = signed_in(&web, sign_in.account).await?;
    let t = visitor.speech();
    let standing = standing(&web, &account, catalog).await?;
    let money = |amount: Money| t.money(amount, &catalog.currency);
    let target = target_of(&web, sign_in).await?;
    let set = target.map(|target| {
        let values = [
            ("spent", money(standing.spent).into()),
            ("target", money(target).into()),
        ];
        let of = t.with("budget-of", &values);
        let is_over = standing.forecast > target;
        let difference = if is_over {
            standing.forecast - target
        } else {
            target - standing.forecast
        };
        let key = if is_over { "budget-over" } else { "budget-under" };
        let alert = alert_of(&standing, target, t);
        Set {
            label: of.replace(crate::text::ISOLATES, ""),
            of: Html::isolated(&of),
            percent: percent(standing.spent.0, target.0),
            class: match standing.alert(target) {
                Some(100) => "bad",
                Some(80) => "warn",
                _ => "",
            },
            alert,
            outlook: Html::isolated(&t.with(key, &[("amount", money(difference).into())])),
            is_over,
        }
    });
    let template = Budget {
        page: visitor.frame(&web, t.p("place-budget")),
        error: before.error.map(|_| t.h("budget-error")),
        target: target
            .map(|target| target.shown().trim_end_matches(".00").to_owned())
            .unwrap_or_default(),
        symbol: super::format::symbol(&catalog.currency).to_owned(),
        set,
        spent: Html::bdi(&money(standing.spent)),
        pace: Html::bdi(&money(standing.pace)),
        forecast: Html::bdi(&money(standing.forecast)),
        days_left: Html::bdi(&standing.days_left.to_string()),
    };
    Ok(page(StatusCode::OK, &template))
}

/// The form that sets a target; an empty one takes it away.
#[derive(Deserialize)]
pub struct TargetForm {
    target: String,
    form: String,
}

/// Sets the target.
pub async fn set(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<TargetForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let sign_in = visitor.sign_in.ok_or(Fault::Unauthorized)?;
    let Ok(target) = parse(&form.target) else {
        return Ok(Redirect::to("/budget?error=1").into_response());
    };
    let now = web.now();
    web.people(move |people| people.set_budget(sign_in.person, sign_in.msisdn, target, now))
        .await?;
    Ok(Redirect::to("/budget").into_response())
}

/// An amount as people type it, within limits; none: nothing typed.
pub(super) fn parse(typed: &str) -> Result<Option<Money>, ()> {
    let plain: String = typed
        .chars()
        .take(32)
        .filter(|letter| !matches!(letter, ' ' | ',' | '\u{a0}'))
        .map(|letter| crate::number::latin_digit(letter).unwrap_or(letter))
        .collect();
    if plain.is_empty() {
        return Ok(None);
    }
    let target = Money::parse(&plain).map_err(|_| ())?;
    if target.is_positive() && target <= limits::BUDGET_MAX {
        Ok(Some(target))
    } else {
        Err(())
    }
}

/// What somebody wants the number that is signed in to spend in a month at most.
///
/// # Errors
/// [`Fault::Internal`] when the file of people does not answer.
pub async fn target_of(web: &Web, sign_in: SignIn) -> Result<Option<Money>, Problem> {
    web.people(move |people| people.budget(sign_in.person, sign_in.msisdn))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rs(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    /// Days 0 to 59; the month is days 30 to 59.
    fn days(spent: &[(usize, &str)]) -> (Spending, Month) {
        let mut spending = Spending::empty(0, 60);
        for (day, amount) in spent {
            spending.days[*day][0] += rs(amount);
        }
        let month = Month {
            year: 2026,
            month: 11,
            first: 30,
            days: 30,
        };
        (spending, month)
    }

    #[test]
    fn a_forecast_is_what_was_spent_and_the_pace_of_thirty_days() {
        for (name, spent, today, opened, expected) in [
            ("nothing", &[][..], 39, -100, ("0", "0", "0")),
            (
                "even: 10 a day",
                &[(20, "100"), (35, "200")][..],
                39,
                -100,
                ("200", "10", "400"),
            ),
            (
                "the last day: no days left",
                &[(59, "30")][..],
                59,
                -100,
                ("30", "1", "30"),
            ),
            (
                "new account: the pace of its days",
                &[(38, "10"), (39, "30")][..],
                39,
                36,
                ("40", "10", "240"),
            ),
            (
                "before the thirty days does not count",
                &[(9, "999")][..],
                39,
                -100,
                ("0", "0", "0"),
            ),
            ("opened today", &[(30, "5")][..], 30, 30, ("5", "5", "150")),
        ] {
            let (spending, month) = days(spent);
            let standing = Standing::of(&spending, month, today, opened);
            let (spent, pace, forecast) = expected;
            assert_eq!(standing.spent, rs(spent), "{name}");
            assert_eq!(standing.pace, rs(pace), "{name}");
            assert_eq!(standing.forecast, rs(forecast), "{name}");
        }
    }

    #[test]
    fn alerts_come_at_fifty_eighty_and_a_hundred() {
        for (spent, alert) in [
            ("499.99", None),
            ("500", Some(50)),
            ("799.999999", Some(50)),
            ("800", Some(80)),
            ("1000", Some(100)),
            ("5000", Some(100)),
        ] {
            let standing = Standing {
                spent: rs(spent),
                pace: Money::ZERO,
                forecast: Money::ZERO,
                days_left: 0,
            };
            assert_eq!(standing.alert(rs("1000")), alert, "{spent}");
        }
    }

    #[test]
    fn targets_are_read_as_people_type_them() {
        assert_eq!(parse("1,500"), Ok(Some(rs("1500"))));
        assert_eq!(parse(" ۱۵۰۰ "), Ok(Some(rs("1500"))));
        assert_eq!(parse(""), Ok(None));
        for wrong in ["-1", "0", "x", "99999999999", "1e9"] {
            assert_eq!(parse(wrong), Err(()), "{wrong}");
        }
    }
}
