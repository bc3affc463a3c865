//! What pages of staff are made of: a list, an item, and forms.

use super::{Bar, Desk};
use crate::page::frame::{Frame, page};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use charge::payment::Price;
use charge::time::{DAY, HOUR, MINUTE, Zone};
use charge::{Msisdn, Timestamp};

/// A list.
#[derive(Template)]
#[template(path = "staff/list.html")]
pub struct List {
    page: Frame,
    bar: Bar,
    /// The heading.
    pub heading: Html,
    /// A sentence below it.
    pub lead: Option<Html>,
    /// Other pages and files.
    pub links: Vec<(String, Html)>,
    /// What happened just before.
    pub told: Option<Told>,
    /// One of a few views.
    pub filters: Vec<(String, Html, bool)>,
    /// Forms above the list.
    pub acts: Vec<Act>,
    /// Headings of the columns.
    pub heads: Vec<Html>,
    /// Lines.
    pub rows: Vec<Row>,
    /// Where more are.
    pub next: Option<String>,
}

/// One thing, with what can be done about it.
#[derive(Template)]
#[template(path = "staff/item.html")]
pub struct Item {
    page: Frame,
    bar: Bar,
    /// The heading.
    pub heading: Html,
    /// Class and name of its state.
    pub state: Option<(&'static str, Html)>,
    /// What happened just before.
    pub told: Option<Told>,
    /// What is known.
    pub facts: Vec<(Html, Html)>,
    /// Other pages.
    pub links: Vec<(String, Html)>,
    /// More of it.
    pub parts: Vec<Part>,
    /// What can be done.
    pub acts: Vec<Act>,
}

/// A line of a table; its first cell may lead somewhere.
pub struct Row {
    /// Where it leads.
    pub path: Option<String>,
    /// Its cells.
    pub cells: Vec<Html>,
}

/// A part of an item: what was said, or a table.
pub struct Part {
    /// Its heading.
    pub heading: Html,
    /// What was said.
    pub talk: Vec<Said>,
    /// A table.
    pub rows: Vec<Row>,
}

/// A message.
pub struct Said {
    /// By us.
    pub from_us: bool,
    /// By whom.
    pub who: Html,
    /// When.
    pub when: Html,
    /// What.
    pub body: String,
}

/// What happened just before.
pub struct Told {
    /// `good`, `info` or `bad`.
    pub class: &'static str,
    /// `status` or `alert`.
    pub role: &'static str,
    /// The sentence.
    pub text: Html,
}

impl Told {
    /// Something worked.
    pub fn good(text: Html) -> Told {
        Told {
            class: "good",
            role: "status",
            text,
        }
    }

    /// Something did not.
    pub fn bad(text: Html) -> Told {
        Told {
            class: "bad",
            role: "alert",
            text,
        }
    }
}

/// A form with one button.
pub struct Act {
    /// Where it goes.
    pub path: String,
    /// What is done.
    pub what: &'static str,
    /// The button.
    pub label: Html,
    /// `primary`, `danger`, `quiet` or nothing.
    pub class: &'static str,
    /// What is filled in.
    pub fields: Vec<Field>,
}

/// A field of a form.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its label.
    pub label: Html,
    /// Its kind.
    pub kind: Kind,
    /// What stands in it.
    pub value: String,
    /// Longest text.
    pub max: usize,
}

/// Kind of a field.
pub enum Kind {
    /// One line.
    Line,
    /// A phone number.
    Number,
    /// Several lines.
    Area,
    /// One of a few.
    Choice(Vec<(String, Html, bool)>),
}

/// Longest reason, in characters.
pub const REASON_MAX: usize = 100;
/// Shortest reason, in characters: a word or two.
pub const REASON_MIN: usize = 5;

/// Whether a reason says anything.
pub fn is_reason(text: &str) -> bool {
    text.trim().chars().count() >= REASON_MIN
}

impl Field {
    /// Why something is done: it stands in the trail.
    pub fn reason(desk: &Desk, value: &str) -> Field {
        Field {
            name: "reason",
            label: desk.visitor.speech().h("staff-reason"),
            kind: Kind::Line,
            value: value.to_owned(),
            max: REASON_MAX,
        }
    }

    /// A phone number.
    pub fn number(desk: &Desk) -> Field {
        Field {
            name: "number",
            label: desk.visitor.speech().h("complaint-number"),
            kind: Kind::Number,
            value: String::new(),
            max: 32,
        }
    }
}

impl List {
    /// An empty list of a place.
    pub fn of(web: &Web, desk: &Desk, here: &str) -> List {
        let t = desk.visitor.speech();
        let key = format!("staff-{here}");
        List {
            page: desk.frame(web, t.p(&key)),
            bar: desk.bar(here),
            heading: t.h(&key),
            lead: None,
            links: Vec::new(),
            told: None,
            filters: Vec::new(),
            acts: Vec::new(),
            heads: Vec::new(),
            rows: Vec::new(),
            next: None,
        }
    }

    /// A list below a place, with a title of its own.
    pub fn below(web: &Web, desk: &Desk, (here, title): (&str, &str)) -> List {
        let t = desk.visitor.speech();
        List {
            page: desk.frame(web, t.p(title)),
            heading: t.h(title),
            ..List::of(web, desk, here)
        }
    }

    /// The page.
    pub fn answer(&self) -> Response {
        page(StatusCode::OK, self)
    }
}

impl Item {
    /// An item of a place with a name.
    pub fn of(web: &Web, desk: &Desk, here: &str, name: &str) -> Item {
        let t = desk.visitor.speech();
        Item {
            page: desk.frame(web, format!("{} {name}", t.p(&format!("staff-{here}")))),
            bar: desk.bar(here),
            heading: Html::bdi(name),
            state: None,
            told: None,
            facts: Vec::new(),
            links: Vec::new(),
            parts: Vec::new(),
            acts: Vec::new(),
        }
    }

    /// The page: 422 when something was refused.
    pub fn answer(&self) -> Response {
        let bad = self.told.as_ref().is_some_and(|told| told.class == "bad");
        let status = if bad {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::OK
        };
        page(status, self)
    }
}

impl Desk {
    /// How old something is: `3 days`, `5 hours`.
    pub fn age(&self, since: Timestamp, now: Timestamp) -> Html {
        let age = now.0.saturating_sub(since.0).max(0);
        let (key, count) = match age {
            _ if age >= 2 * DAY => ("staff-days", age / DAY),
            _ if age >= 2 * HOUR => ("staff-hours", age / HOUR),
            _ => ("staff-minutes", age / MINUTE),
        };
        Html::isolated(&self.visitor.speech().with(key, &[("count", count.into())]))
    }

    /// A price; a dash for none.
    pub fn price(&self, price: Option<Price>) -> Html {
        match price {
            Some(price) => {
                let currency = price.currency.to_string();
                Html::bdi(&self.visitor.speech().money(price.amount, &currency))
            }
            None => Html::bdi("\u{2013}"),
        }
    }

    /// A moment in the country of the operators.
    pub fn moment(&self, web: &Web, at: Timestamp) -> Html {
        Html::bdi(&self.visitor.speech().moment(at, zone(web)))
    }

    /// A masked number.
    pub fn masked(number: Msisdn) -> Html {
        Html::bdi(&number.masked())
    }
}

/// The time of the first operator: staff works in one country.
pub fn zone(web: &Web) -> &Zone {
    static UTC: Zone = Zone::UTC;
    web.catalogs().iter().next().map_or(&UTC, |catalog| &catalog.zone)
}
