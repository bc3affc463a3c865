//! Offers that everybody may see: the page, and the feeds in JSON and RSS for programs.
//!
//! They come from the catalogs alone and hold nothing of anybody, so that the feeds may be kept by caches: their ETag is a
//! digest of what is sent. What is on now or comes later is shown; what is over or not listed is not.

use super::format::Speech;
use super::frame::{Frame, Visitor, page};
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::rate::caller_of;
use crate::router::{PeerAddress, header_text};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use charge::Timestamp;
use charge::Unit;
use charge::catalog::{Catalog, Discount, Language, LimitPeriod, Promotion, PromotionTrigger, Weekdays};
use charge::promotion::ChannelClass;
use charge::time::{Civil, Zone};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// What is asked of the page and of the feeds.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asked {
    /// One operator's code; left out: all.
    operator: Option<String>,
    /// Language of a feed: `en`, `ur` or `zh`.
    lang: Option<String>,
}

/// A promotion as the feeds show it.
#[derive(Clone, Debug, Serialize)]
struct Entry {
    operator: String,
    code: String,
    name: String,
    /// `current` or `coming`.
    state: &'static str,
    /// First moment and end (exclusive), RFC 3339.
    from: String,
    until: String,
    trigger: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<String>,
    channels: Vec<String>,
    weekdays: Vec<&'static str>,
    hours: Vec<String>,
    bundles: Vec<String>,
    gifts: Vec<Gift>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    currency: String,
    while_funds_last: bool,
    /// True when the campaign is invented for the demonstration.
    synthetic: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Gift {
    /// money, octets, seconds or messages.
    unit: &'static str,
    /// How much; money in millionths. Absent for a part of the credit.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<i64>,
    /// A part of the credit, in percent, up to `maximum`.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Limit {
    times: u16,
    per: &'static str,
}

/// A promotion with its operator, on now or later.
struct Listed<'a> {
    catalog: &'a Catalog,
    promotion: &'a Promotion,
    coming: bool,
}

fn listed<'a>(web: &'a Web, asked: &Asked, now: Timestamp) -> Result<Vec<Listed<'a>>, Problem> {
    let operator = asked.operator.as_deref().filter(|code| !code.is_empty());
    if operator.is_some_and(|code| web.catalogs().by_code(code).is_none()) {
        return Err(Problem::field(Fault::NotFound, "operator"));
    }
    let mut all: Vec<Listed<'a>> = web
        .catalogs()
        .iter()
        .filter(|catalog| operator.is_none_or(|code| catalog.code.as_str() == code))
        .flat_map(|catalog| {
            catalog
                .promotions
                .iter()
                .map(move |promotion| (catalog, promotion))
        })
        .filter(|(_, promotion)| promotion.listed && promotion.until > now)
        .map(|(catalog, promotion)| Listed {
            catalog,
            promotion,
            coming: promotion.from > now,
        })
        .collect();
    all.sort_by_key(|one| {
        (
            one.coming,
            one.promotion.until,
            one.promotion.code,
            one.catalog.operator,
        )
    });
    all.truncate(limits::OFFERS_MAX);
    Ok(all)
}

impl Entry {
    fn of(one: &Listed<'_>, language: Language) -> Entry {
        let Listed {
            catalog, promotion, ..
        } = one;
        let buckets = promotion.buckets.iter().map(|bucket| Gift {
            unit: bucket.unit.name(),
            amount: Some(bucket.amount.0),
            percent: None,
            maximum: None,
        });
        let percent = promotion.percent.iter().map(|percent| Gift {
            unit: Unit::Money.name(),
            amount: None,
            percent: Some(percent.rate.percent()),
            maximum: Some(percent.maximum.shown()),
        });
        let positive = |money: charge::Money| money.is_positive().then(|| money.shown());
        Entry {
            operator: catalog.code.to_string(),
            code: promotion.code.to_string(),
            name: promotion.name.get(language).to_owned(),
            state: if one.coming { "coming" } else { "current" },
            from: promotion.from.to_string(),
            until: promotion.until.to_string(),
            trigger: promotion.trigger.name(),
            minimum: positive(promotion.minimum),
            maximum: positive(promotion.maximum),
            campaign: (!promotion.campaign.is_empty()).then(|| promotion.campaign.to_string()),
            channels: channels(promotion),
            weekdays: weekdays(promotion.weekdays),
            hours: hours(promotion),
            bundles: promotion.offers.iter().map(ToString::to_string).collect(),
            gifts: buckets.chain(percent).collect(),
            discount: promotion.discount.map(|discount| match discount {
                Discount::Amount(amount) => amount.shown(),
                Discount::Percent(rate) => format!("{} %", rate.percent()),
            }),
            limit: (promotion.limit.times > 0).then(|| Limit {
                times: promotion.limit.times,
                per: promotion.limit.per.name(),
            }),
            currency: catalog.currency.clone(),
            while_funds_last: true,
            synthetic: promotion.synthetic,
        }
    }
}

fn channels(promotion: &Promotion) -> Vec<String> {
    let codes = promotion.channels.iter().map(ToString::to_string);
    let classes = ChannelClass::NAMES
        .iter()
        .filter(|(_, class)| promotion.classes.contains(*class));
    codes.chain(classes.map(|(name, _)| (*name).to_owned())).collect()
}

fn weekdays(days: Weekdays) -> Vec<&'static str> {
    if days == Weekdays::ALL {
        return Vec::new();
    }
    let named = Weekdays::NAMES.into_iter().enumerate();
    named
        .filter(|(bit, _)| days.0 & (1 << bit) != 0)
        .map(|(_, name)| name)
        .collect()
}

fn hours(promotion: &Promotion) -> Vec<String> {
    let clock = |second: u32| format!("{:02}:{:02}", second / 3600, second / 60 % 60);
    let windows = promotion.windows.iter();
    windows
        .map(|window| format!("{}-{}", clock(window.from_s), clock(window.to_s)))
        .collect()
}

/// `/offers.json`
pub async fn json(
    State(web): State<Web>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    web.feed_rate
        .check(caller_of(address))
        .map_err(Problem::rate_limited)?;
    let language = language_of(&asked)?;
    let entries: Vec<Entry> = listed(&web, &asked, web.now())?
        .iter()
        .map(|one| Entry::of(one, language))
        .collect();
    let body = serde_json::json!({ "version": 1, "language": language.tag(), "offers": entries }).to_string();
    Ok(cached(&headers, "application/json", body))
}

/// `/offers.rss` (RSS 2.0)
pub async fn rss(
    State(web): State<Web>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    web.feed_rate
        .check(caller_of(address))
        .map_err(Problem::rate_limited)?;
    let language = language_of(&asked)?;
    let t = Speech { language };
    let site = site(&web, &headers);
    let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"><channel>");
    // Writing to a String cannot fail.
    let _ = write!(
        body,
        "<title>{}</title><link>{}</link><description>{}</description><language>{}</language><ttl>60</ttl>",
        xml(&t.p("offers-title")),
        xml(&format!("{site}/offers")),
        xml(&t.p("offers-lead")),
        language.tag()
    );
    for one in listed(&web, &asked, web.now())? {
        let Listed {
            catalog, promotion, ..
        } = &one;
        let facts = facts(&one, t);
        let about = facts
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect::<Vec<_>>();
        let guid = format!("{}/{}/{}", catalog.code, promotion.code, promotion.from.seconds());
        let _ = write!(
            body,
            "<item><title>{}</title><link>{}</link><guid isPermaLink=\"false\">{}</guid><pubDate>{}</pubDate>\
             <category>{}</category><description>{}</description></item>",
            xml(&format!(
                "{}: {}",
                catalog.name.get(language),
                promotion.name.get(language)
            )),
            xml(&format!(
                "{site}/offers?operator={}#{}-{}",
                catalog.code, catalog.code, promotion.code
            )),
            xml(&guid),
            rfc_822(promotion.from),
            xml(catalog.code.as_str()),
            xml(&about.join("\n"))
        );
    }
    body.push_str("</channel></rss>\n");
    Ok(cached(&headers, "application/rss+xml; charset=utf-8", body))
}

fn language_of(asked: &Asked) -> Result<Language, Problem> {
    match asked.lang.as_deref() {
        None => Ok(Language::En),
        Some(tag) => Language::from_tag(tag).ok_or_else(|| Problem::field(Fault::BadField, "lang")),
    }
}

/// Sends a feed, or only says that it has not changed (RFC 9110 section 13.1.2).
fn cached(asked: &HeaderMap, kind: &'static str, body: String) -> Response {
    let digest = Sha256::digest(body.as_bytes());
    let tag = digest.iter().take(16).fold(String::from("\""), |mut tag, byte| {
        let _ = write!(tag, "{byte:02x}");
        tag
    }) + "\"";
    let known = header_text(asked, &header::IF_NONE_MATCH).unwrap_or("");
    let same = known
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == tag);
    let headers = [
        (header::ETAG, tag),
        (
            header::CACHE_CONTROL,
            format!("public, max-age={}", limits::FEED_AGE_S),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_TYPE, kind.to_owned()),
    ];
    if same {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers, body).into_response()
    }
}

/// Where links of a feed lead: the host that was asked, if it looks like one.
fn site(web: &Web, headers: &HeaderMap) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let host =
        header_text(headers, &header::HOST).filter(|host| host.len() <= 255 && host.chars().all(allowed));
    let scheme = if web.parts.https { "https" } else { "http" };
    host.map_or(String::new(), |host| format!("{scheme}://{host}"))
}

fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // What XML 1.0 does not allow at all.
            c if c.is_control() && !matches!(c, '\n' | '\t') => {}
            c => out.push(c),
        }
    }
    out
}

/// `Sat, 21 Nov 2026 00:00:00 GMT`.
fn rfc_822(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let Civil {
        year,
        month,
        day,
        second_of_day,
    } = Zone::UTC.civil(at);
    let weekday = usize::try_from(Zone::UTC.day_number(at).rem_euclid(7)).unwrap_or(0);
    let month = MONTHS.get(usize::from(month).saturating_sub(1)).unwrap_or(&"Jan");
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    format!(
        "{}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT",
        DAYS[weekday]
    )
}

/// What people read about a promotion: names and values.
fn facts(one: &Listed<'_>, t: Speech) -> Vec<(String, String)> {
    let Listed {
        catalog, promotion, ..
    } = one;
    let money = |amount| t.money(amount, &catalog.currency);
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut add = |key: &str, value: String| facts.push((t.p(key), value));
    for bucket in &promotion.buckets {
        let what = super::account::what_of(&bucket.scope, bucket.unit, t);
        let amount = t.amount(bucket.unit, bucket.amount, &catalog.currency);
        add(
            "offers-gift",
            t.with(
                "offers-gift-of",
                &[("amount", amount.into()), ("what", what.into())],
            ),
        );
    }
    if let Some(percent) = &promotion.percent {
        let values = [
            ("percent", format!("{} %", percent.rate.percent()).into()),
            ("maximum", money(percent.maximum).into()),
        ];
        add("offers-gift", t.with("offers-gift-percent", &values));
    }
    match promotion.discount {
        Some(Discount::Amount(amount)) => add("offers-discount", money(amount)),
        Some(Discount::Percent(rate)) => add("offers-discount", format!("{} %", rate.percent())),
        None => {}
    }
    let when = match promotion.trigger {
        PromotionTrigger::FirstRecharge => t.p("offers-on-first"),
        PromotionTrigger::Recharge => t.p("offers-on-recharge"),
        PromotionTrigger::Purchase => {
            let names = promotion
                .offers
                .iter()
                .filter_map(|code| catalog.offer(code.as_str()));
            let names: Vec<&str> = names.map(|offer| offer.name.get(t.language)).collect();
            if names.is_empty() {
                t.p("offers-on-bundle")
            } else {
                names.join(&t.p("list-separator"))
            }
        }
    };
    add("offers-for", when);
    if promotion.minimum.is_positive() {
        add("offers-from", money(promotion.minimum));
    }
    if promotion.maximum.is_positive() {
        add("offers-to", money(promotion.maximum));
    }
    if !promotion.campaign.is_empty() {
        add("offers-code", promotion.campaign.to_string());
    }
    let channels = channels(promotion);
    if !channels.is_empty() {
        add("offers-channels", channels.join(&t.p("list-separator")));
    }
    let days = weekdays(promotion.weekdays);
    if !days.is_empty() {
        let names: Vec<String> = days.iter().map(|day| t.p(&format!("day-{day}"))).collect();
        add("offers-days", names.join(&t.p("list-separator")));
    }
    let hours = hours(promotion);
    if !hours.is_empty() {
        add("offers-hours", hours.join(&t.p("list-separator")));
    }
    if promotion.limit.times > 0 {
        let key = match promotion.limit.per {
            LimitPeriod::Campaign => "offers-limit-campaign",
            LimitPeriod::Day => "offers-limit-day",
            LimitPeriod::Week => "offers-limit-week",
            LimitPeriod::Month => "offers-limit-month",
        };
        let times = i64::from(promotion.limit.times);
        add("offers-limit", t.with(key, &[("times", times.into())]));
    }
    let last = promotion.until.plus(-1);
    let period = [
        ("from", t.date(promotion.from, &catalog.zone).into()),
        ("until", t.date(last, &catalog.zone).into()),
    ];
    add("offers-period", t.with("offers-period-of", &period));
    facts
}

struct Card {
    id: String,
    operator: Html,
    name: Html,
    coming: bool,
    facts: Vec<(Html, Html)>,
    synthetic: bool,
}

struct Filter {
    path: String,
    name: Html,
    here: bool,
}

#[derive(Template)]
#[template(path = "offers.html")]
struct Offers {
    page: Frame,
    filters: Vec<Filter>,
    cards: Vec<Card>,
    feed: String,
}

/// `/offers`
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let t = visitor.speech();
    let chosen = asked.operator.clone().unwrap_or_default();
    let cards = listed(&web, &asked, web.now())?;
    let cards = cards.iter().map(|one| Card {
        id: format!("{}-{}", one.catalog.code, one.promotion.code),
        operator: Html::isolated(one.catalog.name.get(t.language)),
        name: Html::isolated(one.promotion.name.get(t.language)),
        coming: one.coming,
        facts: facts(one, t)
            .iter()
            .map(|(name, value)| (Html::isolated(name), Html::bdi(value)))
            .collect(),
        synthetic: one.promotion.synthetic,
    });
    let cards = cards.collect();
    let all = Filter {
        path: "/offers".to_owned(),
        name: t.h("offers-all"),
        here: chosen.is_empty(),
    };
    let each = web.catalogs().iter().map(|catalog| Filter {
        path: format!("/offers?operator={}", catalog.code),
        name: Html::isolated(catalog.name.get(t.language)),
        here: catalog.code.as_str() == chosen,
    });
    let operator = if chosen.is_empty() {
        String::new()
    } else {
        format!("&operator={chosen}")
    };
    let frame = visitor.frame(&web, t.p("offers-title"));
    Ok(page(
        StatusCode::OK,
        &Offers {
            page: frame,
            filters: std::iter::once(all).chain(each).collect(),
            cards,
            feed: format!("?lang={}{operator}", t.language.tag()),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_feeds() {
        assert_eq!(
            rfc_822(Timestamp::from_seconds(1_795_302_960)),
            "Sat, 21 Nov 2026 23:16:00 GMT"
        );
        assert_eq!(
            rfc_822(Timestamp::from_seconds(0)),
            "Thu, 01 Jan 1970 00:00:00 GMT"
        );
    }

    #[test]
    fn nothing_escapes_into_the_feed() {
        assert_eq!(
            xml("<a href=\"x\">&\u{0}\u{8}"),
            "&lt;a href=&quot;x&quot;&gt;&amp;"
        );
    }
}
