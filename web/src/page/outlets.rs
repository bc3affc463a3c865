//! Outlets for everybody: the nearest that are open, by a place that one chooses or by where one is. Without a map of
//! strangers: a list, and a small drawing of directions and distances.

use super::format::{NBSP, Speech};
use super::frame::{Frame, PERMISSIONS, Visitor, page};
use crate::limits;
use crate::outlets::{self as search, Found, Wanted};
use crate::problem::Problem;
use crate::state::Web;
use crate::text::Html;
use ::outlets::crowd::Crowd;
use ::outlets::hours::{DAY_MIN, DAYS, Span, weekday};
use ::outlets::{Service, Spot, State};
use askama::Template;
use axum::extract::{Query, State as Extract};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use charge::Timestamp;
use charge::time::civil_from_days;
use serde::Deserialize;

/// Days in which a holiday is announced.
const HOLIDAYS_AHEAD: i32 = 30;
/// How far somebody drives to an outlet, in metres.
const DRIVE_M: u64 = 25_000;
/// Radius of the drawing, in its own units.
const RADIUS: i64 = 100;

/// What is asked of the page.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asked {
    near: Option<String>,
    /// Micro-degrees, from the browser.
    lat: Option<String>,
    lon: Option<String>,
    open: Option<String>,
    service: Option<String>,
    operator: Option<String>,
    accessible: Option<String>,
}

#[derive(Template)]
#[template(path = "outlets.html")]
struct OutletsPage {
    page: Frame,
    places: Vec<Choice>,
    services: Vec<Choice>,
    operators: Vec<Choice>,
    open: bool,
    accessible: bool,
    /// Where the browser said it is.
    here: Option<Spot>,
    cards: Vec<Card>,
    drawing: Option<Drawing>,
}

struct Choice {
    value: String,
    name: String,
    chosen: bool,
}

struct Card {
    number: usize,
    id: String,
    name: Html,
    address: Html,
    distance: Option<Html>,
    state: Html,
    state_class: &'static str,
    crowd: Option<Html>,
    today: Html,
    week: Vec<(Html, Html)>,
    services: Vec<Html>,
    accessible: bool,
    operators: Vec<Html>,
    phone: Option<(String, Html)>,
    synthetic: Option<Html>,
}

struct Drawing {
    /// How far the outer ring is.
    scale: String,
    dots: Vec<Dot>,
    told: String,
}

struct Dot {
    x: i64,
    y: i64,
    number: usize,
    open: bool,
}

/// The page.
pub async fn show(
    Extract(web): Extract<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let t = visitor.speech();
    let now = web.now();
    let known = search::places(&web);
    let near = asked.near.as_deref().and_then(|near| known.get_key_value(near));
    let here = match near {
        Some(_) => None,
        None => position(&asked),
    };
    let wanted = Wanted {
        from: near.map(|(_, spot)| *spot).or(here),
        open: is_set(asked.open.as_deref()),
        service: asked.service.as_deref().and_then(Service::parse),
        operator: asked
            .operator
            .clone()
            .filter(|code| web.catalogs().by_code(code).is_some()),
        accessible: is_set(asked.accessible.as_deref()),
        after: None,
    };
    let found = search::find(&web, &wanted, now, limits::OUTLETS_SHOWN_MAX);
    let mut cards = Vec::new();
    for (index, found) in found.iter().enumerate() {
        let crowd = match found.state.is_open() {
            true => web.crowds.guess(&web, found, now).await?,
            false => None,
        };
        cards.push(card(&web, t, found, wanted.from, crowd, (index + 1, now)));
    }
    let choice = |value: &str, name: String, chosen: bool| Choice {
        value: value.to_owned(),
        name,
        chosen,
    };
    let template = OutletsPage {
        places: known
            .keys()
            .take(limits::OUTLET_PLACES_MAX)
            .map(|place| choice(place, place.clone(), near.is_some_and(|(near, _)| near == place)))
            .collect(),
        services: Service::ALL
            .iter()
            .map(|one| choice(one.name(), t.p(&service_key(*one)), wanted.service == Some(*one)))
            .collect(),
        operators: web
            .catalogs()
            .iter()
            .map(|catalog| {
                let code = catalog.code.as_str();
                choice(
                    code,
                    catalog.name.get(t.language).to_owned(),
                    wanted.operator.as_deref() == Some(code),
                )
            })
            .collect(),
        open: wanted.open,
        accessible: wanted.accessible,
        here,
        drawing: wanted.from.and_then(|from| drawing(t, &found, from)),
        cards,
        page: visitor.frame(&web, t.p("place-outlets")),
    };
    let mut response = page(StatusCode::OK, &template);
    let ours = HeaderValue::from_static("geolocation=(self)");
    response.headers_mut().insert(PERMISSIONS, ours);
    Ok(response)
}

fn is_set(value: Option<&str>) -> bool {
    value.is_some_and(|value| !value.is_empty())
}

fn position(asked: &Asked) -> Option<Spot> {
    let number = |text: &Option<String>| text.as_deref()?.parse().ok();
    Spot::new(number(&asked.lat)?, number(&asked.lon)?)
}

fn service_key(service: Service) -> String {
    format!("outlets-service-{}", service.name().replace('_', "-"))
}

fn card(
    web: &Web,
    t: Speech,
    found: &Found<'_>,
    from: Option<Spot>,
    crowd: Option<Crowd>,
    (number, now): (usize, Timestamp),
) -> Card {
    let card = &found.outlet.card;
    let today = found.zone.day_number(now);
    let place = found.outlet.place();
    let operator = |code: &String| {
        let name = web
            .catalogs()
            .by_code(code)
            .map(|catalog| catalog.name.get(t.language));
        Html::bdi(name.unwrap_or(code))
    };
    let (state, state_class) = state(t, found.state, today);
    Card {
        number,
        id: format!("outlet-{}", card.id),
        name: Html::bdi(found.outlet.name(t.language)),
        address: Html::bdi(&format!("{}, {place}", card.address)),
        distance: from.zip(found.distance_m).map(|(from, metres)| {
            let direction = t.p(&format!("outlets-to-{}", from.direction(card.spot)));
            let values = [
                ("distance", shown(metres).into()),
                ("direction", direction.into()),
            ];
            Html::isolated(&t.with("outlets-distance", &values))
        }),
        state,
        state_class,
        crowd: crowd.map(|crowd| t.h(&format!("outlets-{}", crowd.name()))),
        today: day(t, found, today),
        week: week(t, found, today),
        services: card.services.iter().map(|one| t.h(&service_key(*one))).collect(),
        accessible: card.accessible,
        operators: card.operators.iter().map(operator).collect(),
        phone: (!card.phone.is_empty()).then(|| (card.phone.clone(), ltr(&card.phone))),
        synthetic: (!card.synthetic.is_empty()).then(|| {
            let values = [("date", card.synthetic.clone().into())];
            Html::isolated(&t.with("outlets-synthetic", &values))
        }),
    }
}

/// Left to right whatever it holds.
fn ltr(text: &str) -> Html {
    Html::isolated(&format!("\u{2066}{text}\u{2069}"))
}

fn state(t: Speech, state: State, today: i32) -> (Html, &'static str) {
    let clock = |minute: i64| time(minute.rem_euclid(DAY_MIN));
    let with = |key: &str, minute: i64| Html::isolated(&t.with(key, &[("time", clock(minute).into())]));
    match state {
        State::Open { until: None } => (t.h("outlets-open-always"), "good"),
        State::Open { until: Some(minute) } => (with("outlets-open-until", minute), "good"),
        State::Break { until } => (with("outlets-break-until", until), "warn"),
        State::Closed { opens: None } => (t.h("outlets-closed"), "bad"),
        State::Closed { opens: Some(minute) } => {
            let day = i32::try_from(minute.div_euclid(DAY_MIN)).unwrap_or(today);
            if day == today {
                return (with("outlets-opens-today", minute), "warn");
            }
            let values = [
                ("day", t.p(&format!("day-{}", DAYS[weekday(day)])).into()),
                ("date", date(day).into()),
                ("time", clock(minute).into()),
            ];
            (Html::isolated(&t.with("outlets-opens-on", &values)), "bad")
        }
    }
}

/// The hours of a week from today on, then holidays of the next weeks.
fn week(t: Speech, found: &Found<'_>, today: i32) -> Vec<(Html, Html)> {
    let name = |number: i32| {
        let name = t.p(&format!("day-{}", DAYS[weekday(number)]));
        Html::isolated(&format!(
            "\u{2068}{name}\u{2069} \u{2066}{}\u{2069}",
            date(number)
        ))
    };
    let holidays = &found.outlet.hours.holidays;
    let later = holidays.iter().map(|(number, _)| *number);
    let later = later.filter(|number| (today + 7..today + HOLIDAYS_AHEAD).contains(number));
    (today..today + 7)
        .chain(later)
        .map(|number| (name(number), day(t, found, number)))
        .collect()
}

fn day(t: Speech, found: &Found<'_>, number: i32) -> Html {
    let (spans, breaks, holiday) = found.outlet.hours.of_day(number);
    let list = |spans: &[Span]| -> String {
        let one = |span: &Span| {
            format!(
                "\u{2066}{}\u{2013}{}\u{2069}",
                time(span.from_min),
                time(span.to_min)
            )
        };
        spans.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    let mut text = match spans {
        [] => t.p("outlets-closed"),
        spans => list(spans),
    };
    if !breaks.is_empty() && !spans.is_empty() {
        let breaks = t.with("outlets-break", &[("times", list(breaks).into())]);
        text = format!("{text}{breaks}");
    }
    if holiday {
        text = format!("{text} ({})", t.p("outlets-holiday"));
    }
    Html::isolated(&text)
}

fn time(minute: i64) -> String {
    let minute = if minute > DAY_MIN {
        minute - DAY_MIN
    } else {
        minute
    };
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn date(day: i32) -> String {
    let (year, month, day) = civil_from_days(i64::from(day));
    format!("{year:04}-{month:02}-{day:02}")
}

/// `350 m`, `1.2 km`, `34 km`.
fn shown(metres: u64) -> String {
    match metres {
        0..1_000 => format!("{}{NBSP}m", metres.div_ceil(10) * 10),
        1_000..10_000 => format!("{}.{}{NBSP}km", metres / 1_000, metres % 1_000 / 100),
        _ => format!("{}{NBSP}km", metres / 1_000),
    }
}

/// Dots by direction and distance around where one is. What is too far for a drive does not squeeze what is near; near the
/// middle, dots stand further apart than they are: four times the distance is twice as far on the drawing.
fn drawing(t: Speech, found: &[Found<'_>], from: Spot) -> Option<Drawing> {
    let near = |found: &&Found<'_>| found.distance_m.is_some_and(|metres| metres <= DRIVE_M);
    let near = found.iter().take(limits::OUTLETS_DRAWN_MAX).filter(near).count();
    let shown_here = match near {
        0 => &found[..found.len().min(limits::OUTLETS_DRAWN_MAX)],
        near => &found[..near],
    };
    let far = shown_here
        .iter()
        .filter_map(|found| found.distance_m)
        .max()?
        .max(100);
    let dot = |(index, found): (usize, &Found<'_>)| {
        let (east, north) = from.metres_to(found.outlet.card.spot);
        let metres = found.distance_m.unwrap_or(0);
        let root = i64::try_from((metres * far).isqrt()).unwrap_or(i64::MAX).max(1);
        Dot {
            x: east * RADIUS / root,
            y: -north * RADIUS / root,
            number: index + 1,
            open: found.state.is_open(),
        }
    };
    Some(Drawing {
        scale: shown(far),
        dots: shown_here.iter().enumerate().map(dot).collect(),
        told: t.p("outlets-drawing"),
    })
}
