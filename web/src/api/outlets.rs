//! The directory of outlets: written by whoever administers, read by every key.

use super::auth::Caller;
use super::json::{Json, Query, page_lines};
use super::staff::{administrator, note};
use crate::limits;
use crate::outlets::{self as search, Found, Wanted};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use ::outlets::{Card, Mistake, Outlet, Service, Spot, State, csv};
use axum::body::to_bytes;
use axum::extract::{Path, Request, State as Extract};
use axum::http::StatusCode;
use charge::partner::Scopes;
use people::staff_trail::Deed;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// An outlet.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutletBody {
    /// Name.
    pub name: String,
    /// Name in Urdu.
    #[serde(default)]
    pub name_ur: String,
    /// Name in Chinese.
    #[serde(default)]
    pub name_zh: String,
    /// Street and house.
    pub address: String,
    /// City.
    pub city: String,
    /// Part of the city.
    #[serde(default)]
    pub area: String,
    /// Micro-degrees north: 24860735 is 24.860735 degrees.
    pub lat: i32,
    /// Micro-degrees east.
    pub lon: i32,
    /// Spans by weekday: `mon-thu 09:00-21:00; fri 09:00-22:00; sat 18:00-02:00; sun closed`.
    pub hours: String,
    /// Breaks by weekday: `fri 13:00-14:30`.
    #[serde(default)]
    pub breaks: String,
    /// Dates that are different: `2026-12-25 closed; 2027-03-20 10:00-14:00`.
    #[serde(default)]
    pub holidays: String,
    /// recharge, cash, sim, esim, biometric, scratch_card, bills, handset.
    pub services: Vec<String>,
    /// People in a wheelchair get in and are served.
    #[serde(default)]
    pub accessible: bool,
    /// Codes of operators; the clock of the first one is the outlet's clock.
    pub operators: Vec<String>,
    /// Id of the seller that sells there.
    #[serde(default)]
    pub seller: Option<u32>,
    /// `+` and digits.
    #[serde(default)]
    pub phone: String,
    /// Date of invented data; empty: a real outlet.
    #[serde(default)]
    pub synthetic: String,
}

/// An outlet as it was found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OutletAnswer {
    /// Its id.
    pub id: String,
    /// The outlet.
    #[serde(flatten)]
    pub outlet: OutletBody,
    /// open, break or closed, at the moment of the question.
    pub state: String,
    /// Metres from the place that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<u64>,
    /// n, ne, e, se, s, sw, w or nw of that place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
}

/// What is looked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OutletQuery {
    /// Micro-degrees north of the place to measure from.
    pub lat: Option<i32>,
    /// Micro-degrees east.
    pub lon: Option<i32>,
    /// Instead of a position: a city, or `city, area`, in which there are outlets.
    pub near: Option<String>,
    /// Only those that are open now.
    #[serde(default)]
    pub open: bool,
    /// Only those with this service.
    pub service: Option<String>,
    /// Only those of this operator.
    pub operator: Option<String>,
    /// Only those that can be reached with a wheelchair.
    #[serde(default)]
    pub accessible: bool,
    /// Behind this id; for lists without a place.
    pub after: Option<String>,
    /// How many, 1 to 200.
    pub limit: Option<u32>,
}

/// A line that is not good.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OutletMistake {
    /// Line of the file, from 1.
    pub line: usize,
    /// The column.
    pub field: String,
    /// What would be right, in English.
    pub hint: String,
}

/// What became of a file.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OutletImport {
    /// True: written. False: nothing was written, because of the mistakes.
    pub done: bool,
    /// Outlets in the file.
    pub lines: usize,
    /// Written for the first time.
    pub created: usize,
    /// Written anew.
    pub changed: usize,
    /// At most 100.
    pub mistakes: Vec<OutletMistake>,
}

/// Find outlets
#[utoipa::path(get, path = "/v1/outlets", tag = "outlets", params(OutletQuery),
    responses((status = 200, body = [OutletAnswer])))]
pub async fn list(
    Extract(web): Extract<Web>,
    caller: Caller,
    Query(asked): Query<OutletQuery>,
) -> Result<Json<Vec<OutletAnswer>>, Problem> {
    caller
        .require(Scopes::TOP_UP)
        .or_else(|_| caller.require(Scopes::ADMIN))?;
    let lines = page_lines(asked.limit)?;
    let from = match (&asked.near, asked.lat, asked.lon) {
        (Some(near), None, None) => {
            let places = search::places(&web);
            let spot = places.get(near).copied();
            Some(spot.ok_or(Problem::field(Fault::NotFound, "near"))?)
        }
        (None, Some(lat), Some(lon)) => {
            Some(Spot::new(lat, lon).ok_or(Problem::field(Fault::BadField, "lat"))?)
        }
        (None, None, None) => None,
        _ => return Err(Problem::field(Fault::BadField, "lat").hint("lat and lon, or near, or none of them")),
    };
    let service = asked
        .service
        .as_deref()
        .map(|name| Service::parse(name).ok_or_else(|| Problem::field(Fault::BadField, "service")));
    let wanted = Wanted {
        from,
        open: asked.open,
        service: service.transpose()?,
        operator: asked.operator,
        accessible: asked.accessible,
        after: asked.after,
    };
    let found = search::find(&web, &wanted, web.now(), lines as usize);
    Ok(Json(found.iter().map(|found| answer(found, from)).collect()))
}

/// Write an outlet
///
/// The same again changes nothing.
#[utoipa::path(put, path = "/v1/outlets/{id}", tag = "outlets", request_body = OutletBody,
    params(("id" = String, Path, description = "Small letters, digits, hyphens")),
    responses((status = 204, description = "Written")))]
pub async fn put(
    Extract(web): Extract<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<OutletBody>,
) -> Result<StatusCode, Problem> {
    administrator(&caller)?;
    let outlet = body.outlet(id).map_err(problem)?;
    search::check(&web, &outlet).map_err(problem)?;
    note(&web, &caller, Deed::OutletsChanged, &outlet.card.id, "written").await?;
    match search::write(&web, vec![(1, outlet)]).await? {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(bad) => Err(bad
            .into_iter()
            .next()
            .map_or(Fault::Internal.into(), |bad| problem(bad.mistake))),
    }
}

/// Remove an outlet
#[utoipa::path(delete, path = "/v1/outlets/{id}", tag = "outlets",
    params(("id" = String, Path, description = "Its id")), responses((status = 204, description = "Removed")))]
pub async fn remove(
    Extract(web): Extract<Web>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    administrator(&caller)?;
    if !web.parts.outlets.all().contains_key(&id) {
        return Err(Fault::NotFound.into());
    }
    note(&web, &caller, Deed::OutletsChanged, &id, "removed").await?;
    search::change(&web, move |directory| directory.remove(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Import outlets
///
/// The body is CSV; the first line names the columns: id, name, address, city, lat, lon (decimal degrees), hours, services,
/// operators, and if wanted name_ur, name_zh, area, breaks, holidays, accessible (yes, no), seller, phone, synthetic. Lists
/// are divided by spaces. A file with a mistake changes nothing, and every mistake is named with its line. Outlets that the
/// file does not name stay.
#[utoipa::path(post, path = "/v1/outlets/import", tag = "outlets",
    request_body(content = String, content_type = "text/csv"), responses((status = 200, body = OutletImport)))]
pub async fn import(
    Extract(web): Extract<Web>,
    caller: Caller,
    request: Request,
) -> Result<Json<OutletImport>, Problem> {
    administrator(&caller)?;
    let body = to_bytes(request.into_body(), limits::OUTLETS_BYTES_MAX);
    let body = body.await.map_err(|_| Fault::BodyTooLarge)?;
    let not_text = |_| Problem::from(Fault::BadRequest).hint("the file is not UTF-8");
    let text = std::str::from_utf8(&body).map_err(not_text)?;
    let read = csv::read(text, |outlet| search::check(&web, outlet));
    let (lines, written) = match read {
        Ok(outlets) => {
            let lines = outlets.len();
            note(&web, &caller, Deed::OutletsChanged, "import", &lines.to_string()).await?;
            (lines, search::write(&web, outlets).await?)
        }
        Err(bad) => (0, Err(bad)),
    };
    let done = written.is_ok();
    let ((created, changed), bad) = match written {
        Ok(counts) => (counts, Vec::new()),
        Err(bad) => ((0, 0), bad),
    };
    let mistake = |bad: csv::BadLine| OutletMistake {
        line: bad.line,
        field: bad.mistake.field.to_owned(),
        hint: bad.mistake.hint,
    };
    Ok(Json(OutletImport {
        done,
        lines,
        created,
        changed,
        mistakes: bad.into_iter().map(mistake).collect(),
    }))
}

impl OutletBody {
    fn outlet(self, id: String) -> Result<Outlet, Mistake> {
        Outlet::new(Card {
            id,
            name: self.name,
            name_ur: self.name_ur,
            name_zh: self.name_zh,
            address: self.address,
            city: self.city,
            area: self.area,
            spot: Spot {
                lat: self.lat,
                lon: self.lon,
            },
            hours: self.hours,
            breaks: self.breaks,
            holidays: self.holidays,
            services: csv::services(self.services.iter().map(String::as_str))?,
            accessible: self.accessible,
            operators: self.operators,
            seller: self.seller,
            phone: self.phone,
            synthetic: self.synthetic,
        })
    }

    fn of(card: &Card) -> OutletBody {
        let card = card.clone();
        OutletBody {
            name: card.name,
            name_ur: card.name_ur,
            name_zh: card.name_zh,
            address: card.address,
            city: card.city,
            area: card.area,
            lat: card.spot.lat,
            lon: card.spot.lon,
            hours: card.hours,
            breaks: card.breaks,
            holidays: card.holidays,
            services: card
                .services
                .iter()
                .map(|service| service.name().to_owned())
                .collect(),
            accessible: card.accessible,
            operators: card.operators,
            seller: card.seller,
            phone: card.phone,
            synthetic: card.synthetic,
        }
    }
}

fn answer(found: &Found<'_>, from: Option<Spot>) -> OutletAnswer {
    let card = &found.outlet.card;
    let state = match found.state {
        State::Open { .. } => "open",
        State::Break { .. } => "break",
        State::Closed { .. } => "closed",
    };
    OutletAnswer {
        id: card.id.clone(),
        outlet: OutletBody::of(card),
        state: state.to_owned(),
        distance_m: found.distance_m,
        direction: from.map(|from| from.direction(card.spot).to_owned()),
    }
}

fn problem(mistake: Mistake) -> Problem {
    Problem::field(Fault::BadField, mistake.field).hint(mistake.hint)
}
