//! Bundles: what one has, what is for sale by need, two or three side by side, buying and renewing.

use super::account::{self, Held, error_of, signed_in, what_of};
use super::format::Speech;
use super::frame::{Frame, Visitor, page};
use crate::api::bundles::{period_name, price_for};
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Form;
use axum::extract::{Query, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use charge::catalog::{Catalog, Offer, Period, Weight};
use charge::command::Buy;
use charge::money::Rounding;
use charge::{Account, Code, Command, Money, Refusal, SourceId, Timestamp, Unit};
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "bundles.html")]
struct Bundles {
    page: Frame,
    notice: Option<Html>,
    error: Option<Html>,
    held: Vec<Held>,
    periods: Vec<(String, Html, bool)>,
    needs: Vec<(String, Html, bool)>,
    offers: Vec<Card>,
    as_of: Html,
}

/// An offer as it is sold.
struct Card {
    code: String,
    name: Html,
    price: Html,
    tax: Html,
    life: Html,
    period: Html,
    weight: Html,
    holds: Vec<(Html, Html)>,
    rates: Vec<Html>,
    renewable: bool,
    remains: Option<Html>,
    synthetic: bool,
    once: String,
}

/// What is asked, and what happened just before.
#[derive(Default, Deserialize)]
pub struct Asked {
    period: Option<String>,
    need: Option<String>,
    notice: Option<String>,
    problem: Option<u32>,
}

const PERIODS: [Period; 4] = [Period::Daily, Period::Weekly, Period::Monthly, Period::OneOff];
const WEIGHTS: [Weight; 2] = [Weight::Light, Weight::Heavy];

/// The bundles.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let Some(sign_in) = visitor.sign_in else {
        return Ok(Redirect::to("/").into_response());
    };
    let (account, catalog) = signed_in(&web, sign_in.account).await?;
    let t = visitor.speech();
    let now = web.now();
    let period = PERIODS
        .into_iter()
        .find(|period| asked.period.as_deref() == Some(period_name(*period)));
    let need = WEIGHTS
        .into_iter()
        .find(|weight| asked.need.as_deref() == Some(weight_name(*weight)));
    let wanted = |offer: &&Offer| {
        offer.for_sale
            && period.is_none_or(|period| offer.period == period)
            && need.is_none_or(|need| offer.weight == need)
    };
    let mut offers: Vec<&Offer> = catalog.offers.iter().filter(wanted).collect();
    offers.sort_by_key(|offer| {
        (
            rank(offer.period),
            price_for(offer, catalog, Some(&account)).gross,
        )
    });
    let as_of = catalog.as_of.split(';').next().unwrap_or("");
    let template = Bundles {
        page: visitor.frame(&web, t.p("place-bundles")),
        notice: notice(asked.notice.as_deref(), t),
        error: asked.problem.and_then(|code| error_of(code, t)),
        held: account::held_bundles(&account, catalog, t, now),
        periods: periods(period, need, t),
        needs: needs(period, need, t),
        offers: offers
            .into_iter()
            .map(|offer| Card::of(offer, catalog, &account, t, now))
            .collect(),
        as_of: Html::isolated(&t.with("prices-as-of", &[("date", as_of.into())])),
    };
    Ok(page(StatusCode::OK, &template))
}

fn notice(name: Option<&str>, t: Speech) -> Option<Html> {
    match name? {
        "bought" => Some(t.h("notice-bought")),
        "renews" => Some(t.h("notice-renews")),
        "stopped" => Some(t.h("notice-stopped")),
        _ => None,
    }
}

fn rank(period: Period) -> usize {
    PERIODS.iter().position(|other| *other == period).unwrap_or(0)
}

fn weight_name(weight: Weight) -> &'static str {
    match weight {
        Weight::Light => "light",
        Weight::Heavy => "heavy",
    }
}

fn address(period: Option<Period>, need: Option<Weight>) -> String {
    let period = period.map(|period| format!("period={}", period_name(period)));
    let need = need.map(|need| format!("need={}", weight_name(need)));
    let parts: Vec<String> = [period, need].into_iter().flatten().collect();
    if parts.is_empty() {
        "/bundles".to_owned()
    } else {
        format!("/bundles?{}", parts.join("&"))
    }
}

fn periods(chosen: Option<Period>, need: Option<Weight>, t: Speech) -> Vec<(String, Html, bool)> {
    let all = (address(None, need), t.h("period-all"), chosen.is_none());
    let each = PERIODS.map(|period| {
        let name = t.h(&format!("period-{}", period_name(period)));
        (address(Some(period), need), name, chosen == Some(period))
    });
    std::iter::once(all).chain(each).collect()
}

fn needs(period: Option<Period>, chosen: Option<Weight>, t: Speech) -> Vec<(String, Html, bool)> {
    let all = (address(period, None), t.h("need-all"), chosen.is_none());
    let each = WEIGHTS.map(|need| {
        let name = t.h(&format!("need-{}", weight_name(need)));
        (address(period, Some(need)), name, chosen == Some(need))
    });
    std::iter::once(all).chain(each).collect()
}

impl Card {
    fn of(offer: &Offer, catalog: &Catalog, account: &Account, t: Speech, now: Timestamp) -> Card {
        let price = price_for(offer, catalog, Some(account));
        let ends = offer.validity.end(now, &catalog.zone);
        let money = |amount: Money| t.money(amount, &catalog.currency);
        let holds = offer.buckets.iter().map(|grant| {
            let amount = t.amount(grant.unit, grant.amount, &catalog.currency);
            let what = what_of(&grant.scope, grant.unit, t);
            (Html::isolated(&what), Html::bdi(&amount))
        });
        let rates = [Unit::Octets, Unit::Seconds].into_iter().filter_map(|unit| {
            let rate = rate(price.gross, offer, unit)?;
            let key = if unit == Unit::Octets {
                "per-gb"
            } else {
                "per-minute"
            };
            Some(Html::isolated(&t.with(key, &[("price", money(rate).into())])))
        });
        let main = account.main_balance(now);
        Card {
            code: offer.code.to_string(),
            name: Html::isolated(offer.name.get(t.language)),
            price: Html::bdi(&money(price.gross)),
            tax: Html::isolated(&t.with("tax-inside", &[("amount", money(price.tax).into())])),
            life: Html::isolated(&t.with("ends", &[("moment", t.moment(ends, &catalog.zone).into())])),
            period: t.h(&format!("period-{}", period_name(offer.period))),
            weight: t.h(&format!("need-{}", weight_name(offer.weight))),
            holds: holds.collect(),
            rates: rates.collect(),
            renewable: offer.renewable,
            remains: (main >= price.gross).then(|| {
                let rest = money(main - price.gross);
                Html::isolated(&t.with("buy-remains", &[("amount", rest.into())]))
            }),
            synthetic: offer.synthetic,
            once: Uuid::now_v7().to_string(),
        }
    }
}

/// What one GB or one minute costs if the whole price is laid on all the data or all the minutes of a bundle, rounded up
/// to a hundredth of the currency unit. None when there is none of it.
fn rate(gross: Money, offer: &Offer, unit: Unit) -> Option<Money> {
    let size = match unit {
        Unit::Octets => 1_i128 << 30,
        Unit::Seconds => 60,
        Unit::Money | Unit::Messages => return None,
    };
    let held = offer.buckets.iter().filter(|grant| grant.unit == unit);
    let held: i128 = held.map(|grant| i128::from(grant.amount.0)).sum();
    if held <= 0 {
        return None;
    }
    let hundredths = Rounding::Up.divide(i128::from(gross.0) * size, held * HUNDREDTH);
    i64::try_from(hundredths * HUNDREDTH).ok().map(Money)
}

/// A hundredth of a currency unit in micro-units.
const HUNDREDTH: i128 = 10_000;

#[derive(Template)]
#[template(path = "compare.html")]
struct Compare {
    page: Frame,
    offers: Vec<Card>,
    rows: Vec<(Html, Vec<Html>)>,
}

/// Two or three offers side by side: `?offer=a&offer=b`.
pub async fn compare(
    State(web): State<Web>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let Some(sign_in) = visitor.sign_in else {
        return Ok(Redirect::to("/").into_response());
    };
    let (account, catalog) = signed_in(&web, sign_in.account).await?;
    let t = visitor.speech();
    let offers = chosen(query.as_deref().unwrap_or(""), catalog);
    let rows = comparison(&offers, catalog, &account, t);
    let cards = offers
        .iter()
        .map(|offer| Card::of(offer, catalog, &account, t, web.now()));
    let template = Compare {
        page: visitor.frame(&web, t.p("compare-title")),
        offers: cards.collect(),
        rows,
    };
    Ok(page(StatusCode::OK, &template))
}

/// The offers that are named, each once, in their order.
fn chosen<'a>(query: &str, catalog: &'a Catalog) -> Vec<&'a Offer> {
    let mut offers: Vec<&Offer> = Vec::new();
    let named = query.split('&').filter_map(|pair| pair.strip_prefix("offer="));
    for code in named.take(4 * limits::COMPARED_MAX).filter_map(Code::new) {
        let offer = catalog
            .offers
            .iter()
            .find(|offer| offer.for_sale && offer.code == code);
        if let Some(offer) = offer
            && offers.len() < limits::COMPARED_MAX
            && !offers.iter().any(|known| known.code == code)
        {
            offers.push(offer);
        }
    }
    offers
}

fn comparison(offers: &[&Offer], catalog: &Catalog, account: &Account, t: Speech) -> Vec<(Html, Vec<Html>)> {
    let money = |amount: Money| Html::bdi(&t.money(amount, &catalog.currency));
    let none = || t.h("compare-none");
    let price = |offer: &Offer| price_for(offer, catalog, Some(account)).gross;
    let row = |key: &str, cell: &dyn Fn(&Offer) -> Html| -> (Html, Vec<Html>) {
        (t.h(key), offers.iter().map(|offer| cell(offer)).collect())
    };
    let held = |offer: &Offer, unit: Unit| {
        let grants = offer.buckets.iter().filter(|grant| grant.unit == unit);
        let words: Vec<String> = grants
            .map(|grant| {
                let amount = t.amount(unit, grant.amount, &catalog.currency);
                let what = what_of(&grant.scope, unit, t);
                format!("\u{2068}{amount}\u{2069} ({what})")
            })
            .collect();
        if words.is_empty() {
            none()
        } else {
            Html::isolated(&words.join(&t.p("list-separator")))
        }
    };
    let rate_of = |offer: &Offer, unit| rate(price(offer), offer, unit).map_or_else(none, money);
    vec![
        row("compare-price", &|offer| money(price(offer))),
        row("compare-period", &|offer| {
            t.h(&format!("period-{}", period_name(offer.period)))
        }),
        row("scope-data", &|offer| held(offer, Unit::Octets)),
        row("scope-voice", &|offer| held(offer, Unit::Seconds)),
        row("scope-sms", &|offer| held(offer, Unit::Messages)),
        row("compare-per-gb", &|offer| rate_of(offer, Unit::Octets)),
        row("compare-per-minute", &|offer| rate_of(offer, Unit::Seconds)),
        row("compare-renewal", &|offer| {
            t.h(if offer.renewable {
                "compare-yes"
            } else {
                "compare-no"
            })
        }),
    ]
}

/// The form that buys a bundle.
#[derive(Deserialize)]
pub struct BuyForm {
    offer: String,
    #[serde(default)]
    renew: Option<String>,
    once: String,
    form: String,
}

/// Buys a bundle; pressing twice buys once.
pub async fn buy(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BuyForm>,
) -> Result<Redirect, Problem> {
    visitor.check_form(&web, &form.form)?;
    let sign_in = visitor.sign_in.ok_or(Fault::Unauthorized)?;
    if sign_in.locked {
        return Ok(Redirect::to(super::security::HERE));
    }
    let once = Uuid::parse_str(&form.once).map_err(|_| Fault::BadRequest)?;
    let command = Command::Buy(Buy {
        account: sign_in.account,
        offer: Code::new(&form.offer).ok_or(Refusal::NoSuchOffer)?,
        source: SourceId::of_reference(&format!("page/{}", sign_in.account.0), &once.to_string()),
        renew: form.renew.is_some(),
        at_most: None,
    });
    Ok(after(&web, command, "bought").await)
}

/// The form that turns a renewal on or off.
#[derive(Deserialize)]
pub struct RenewalForm {
    offer: String,
    on: String,
    form: String,
}

/// Turns the renewal of a bundle on or off: one press.
pub async fn renewal(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<RenewalForm>,
) -> Result<Redirect, Problem> {
    visitor.check_form(&web, &form.form)?;
    let sign_in = visitor.sign_in.ok_or(Fault::Unauthorized)?;
    let on = form.on == "yes";
    let command = Command::SetRenewal {
        account: sign_in.account,
        offer: Code::new(&form.offer).ok_or(Refusal::NoSuchOffer)?,
        on,
    };
    Ok(after(&web, command, if on { "renews" } else { "stopped" }).await)
}

async fn after(web: &Web, command: Command, notice: &str) -> Redirect {
    let to = match web.parts.core.call(command).await {
        Ok(_) => format!("/bundles?notice={notice}"),
        Err(error) => format!("/bundles?problem={}", Problem::from(error).fault.spec().0),
    };
    Redirect::to(&to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_per_gb_and_minute_are_rounded_up_to_a_hundredth() {
        let catalogs = crate::testing::catalogs();
        let catalog = catalogs.get(charge::OperatorId(1)).unwrap();
        let mut offer = catalog
            .offers
            .iter()
            .find(|offer| offer.for_sale)
            .unwrap()
            .clone();
        let mut grant = offer.buckets[0];
        for (price, unit, amount, expected) in [
            ("100", Unit::Octets, 3_i64 << 30, Some("33.34")),
            ("90", Unit::Octets, 1 << 29, Some("180")),
            ("0.01", Unit::Seconds, 60_000, Some("0.01")),
            ("60", Unit::Seconds, 3_600, Some("1")),
            ("60", Unit::Messages, 100, None),
        ] {
            grant.unit = unit;
            grant.amount = charge::unit::Amount(amount);
            offer.buckets = vec![grant];
            let rate = rate(Money::parse(price).unwrap(), &offer, unit);
            assert_eq!(rate, expected.map(|text| Money::parse(text).unwrap()), "{price}");
        }
        assert_eq!(rate(Money(1), &offer, Unit::Octets), None);
    }

    #[test]
    fn only_offers_for_sale_are_compared_each_once() {
        let catalogs = crate::testing::catalogs();
        let catalog = catalogs.get(charge::OperatorId(1)).unwrap();
        let codes: Vec<String> = catalog
            .offers
            .iter()
            .filter(|offer| offer.for_sale)
            .map(|offer| offer.code.to_string())
            .collect();
        let query = format!(
            "offer={0}&offer={0}&offer=%3Cb%3E&x=1&offer={1}&offer={2}&offer={3}",
            codes[0], codes[1], codes[2], codes[3]
        );
        let found: Vec<String> = chosen(&query, catalog)
            .iter()
            .map(|o| o.code.to_string())
            .collect();
        assert_eq!(found, codes[..3]);
    }
}
