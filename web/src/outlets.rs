//! Which outlets somebody looks for: one search for the API and the page.

use crate::problem::{Fault, Problem};
use crate::state::Web;
use ::outlets::crowd::{self, Crowd};
use ::outlets::{Mistake, Outlet, Service, Spot, State, csv, limits};
use charge::time::{HOUR, SECOND, Zone};
use charge::{PartnerId, Timestamp};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// From where distances are measured; the nearest comes first.
    pub from: Option<Spot>,
    /// Open now.
    pub open: bool,
    /// Does this.
    pub service: Option<Service>,
    /// Works for this operator.
    pub operator: Option<String>,
    /// Can be reached with a wheelchair.
    pub accessible: bool,
    /// Behind this id, in a list without distances.
    pub after: Option<String>,
}

/// An outlet that was found.
pub struct Found<'a> {
    /// The outlet.
    pub outlet: Arc<Outlet>,
    /// Its clock.
    pub zone: &'a Zone,
    /// Open or not.
    pub state: State,
    /// How far, in metres.
    pub distance_m: Option<u64>,
}

/// Outlets that are as wanted, at most so many: the nearest first, or by id.
pub fn find<'a>(web: &'a Web, wanted: &Wanted, now: Timestamp, most: usize) -> Vec<Found<'a>> {
    let all = web.parts.outlets.all();
    let fits = |outlet: &Outlet| {
        let card = &outlet.card;
        (!wanted.accessible || card.accessible)
            && wanted
                .service
                .is_none_or(|service| card.services.contains(&service))
            && wanted
                .operator
                .as_ref()
                .is_none_or(|code| card.operators.contains(code))
            && wanted.after.as_ref().is_none_or(|after| card.id > *after)
    };
    let mut near: Vec<(u64, &Arc<Outlet>)> = all
        .values()
        .filter(|outlet| fits(outlet))
        .map(|outlet| {
            (
                wanted.from.map_or(0, |from| from.distance_m(outlet.card.spot)),
                outlet,
            )
        })
        .collect();
    // Stable: outlets at one distance stay in the order of their ids.
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter()
        .map(|(distance, outlet)| {
            let zone = zone_of(web, outlet);
            Found {
                outlet: Arc::clone(outlet),
                zone,
                state: outlet.hours.at(zone, now),
                distance_m: wanted.from.map(|_| distance),
            }
        })
        .filter(|found| !wanted.open || found.state.is_open())
        .take(most)
        .collect()
}

/// The clock of an outlet: that of its first operator.
pub fn zone_of<'a>(web: &'a Web, outlet: &Outlet) -> &'a Zone {
    let own = outlet
        .card
        .operators
        .iter()
        .find_map(|code| web.catalogs().by_code(code));
    own.or_else(|| web.catalogs().iter().next())
        .map_or(&UTC, |catalog| &catalog.zone)
}

static UTC: Zone = Zone::UTC;

/// Places that one can choose: cities and their parts, each in the middle of its outlets.
pub fn places(web: &Web) -> BTreeMap<String, Spot> {
    let mut sums: BTreeMap<String, (i64, i64, i64)> = BTreeMap::new();
    for outlet in web.parts.outlets.all().values() {
        let spot = outlet.card.spot;
        let mut add = |place: String| {
            let sum = sums.entry(place).or_default();
            *sum = (
                sum.0 + i64::from(spot.lat),
                sum.1 + i64::from(spot.lon),
                sum.2 + 1,
            );
        };
        add(outlet.card.city.clone());
        if !outlet.card.area.is_empty() {
            add(outlet.place());
        }
    }
    let middle = |sum: i64, count: i64| i32::try_from(sum / count).unwrap_or(0);
    sums.into_iter()
        .filter_map(|(name, (lat, lon, count))| {
            Some((name, Spot::new(middle(lat, count), middle(lon, count))?))
        })
        .collect()
}

/// What only the service knows of an outlet: its operators must be here.
///
/// # Errors
/// [`Mistake`].
pub fn check(web: &Web, outlet: &Outlet) -> Result<(), Mistake> {
    match outlet
        .card
        .operators
        .iter()
        .find(|code| web.catalogs().by_code(code).is_none())
    {
        Some(_) => {
            let known: Vec<String> = web
                .catalogs()
                .iter()
                .map(|catalog| catalog.code.to_string())
                .collect();
            Err(Mistake::new(
                "operators",
                format!("operators are {}", known.join(", ")),
            ))
        }
        None => Ok(()),
    }
}

/// Writes outlets: all or none. Their sellers must exist.
///
/// # Errors
/// Mistakes by line, or a [`Problem`] when nothing can be written.
pub async fn write(
    web: &Web,
    outlets: Vec<(usize, Outlet)>,
) -> Result<Result<(usize, usize), Vec<csv::BadLine>>, Problem> {
    let mut bad = Vec::new();
    for (line, outlet) in &outlets {
        if let Some(seller) = outlet.seller()
            && web.partner(seller).await?.is_none()
        {
            let mistake = Mistake::new("seller", "nobody has this id".to_owned());
            bad.push(csv::BadLine { line: *line, mistake });
            if bad.len() >= limits::MISTAKES_MAX {
                break;
            }
        }
    }
    if !bad.is_empty() {
        return Ok(Err(bad));
    }
    let outlets = outlets.into_iter().map(|(_, outlet)| outlet).collect();
    let now = web.now();
    change(web, move |directory| directory.put(outlets, now))
        .await
        .map(Ok)
}

/// Changes the directory on a thread that may wait.
///
/// # Errors
/// [`Fault::Internal`]; the cause is logged.
pub async fn change<T: Send + 'static>(
    web: &Web,
    work: impl FnOnce(&::outlets::Outlets) -> Result<T, ::outlets::OutletsError> + Send + 'static,
) -> Result<T, Problem> {
    let directory = web.parts.outlets.clone();
    match tokio::task::spawn_blocking(move || work(&directory)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(::outlets::OutletsError::TooMany)) => {
            Err(Problem::from(Fault::BadRequest).hint(format!("at most {} outlets", limits::OUTLETS_MAX)))
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the directory of outlets was not written");
            Err(Fault::Internal.into())
        }
        Err(error) => {
            tracing::error!(%error, "a change of the directory of outlets panicked");
            Err(Fault::Internal.into())
        }
    }
}

/// Sales by hour of the week of sellers, kept for a while: the page is public and the sales are many.
#[derive(Default)]
pub struct Crowds(Mutex<HashMap<PartnerId, Kept>>);

struct Kept {
    at: Timestamp,
    sales: Arc<Vec<u32>>,
}

/// How long they are kept, in microseconds.
const KEPT: i64 = 6 * HOUR;

impl Crowds {
    /// How crowded an outlet is at a moment; `None`: nobody can tell.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the read models do not answer.
    pub async fn guess(
        &self,
        web: &Web,
        found: &Found<'_>,
        now: Timestamp,
    ) -> Result<Option<Crowd>, Problem> {
        let Some(seller) = found.outlet.seller() else {
            return Ok(None);
        };
        let hour = crowd::hour_of_week(found.zone, now);
        let kept = self.0.lock().get(&seller).and_then(|kept| {
            let fresh = (0..KEPT).contains(&(now.0 - kept.at.0));
            fresh.then(|| Arc::clone(&kept.sales))
        });
        if let Some(sales) = kept {
            return Ok(crowd::guess(&sales, hour));
        }
        let span = crowd::counted_from(found.zone, now);
        let ahead_us = i64::from(found.zone.offset_at(now)) * SECOND;
        let rows = web
            .parts
            .reads
            .ask(move |reader| reader.models.sales_by_hour(seller, span, ahead_us));
        let mut sales = vec![0_u32; crowd::WEEK_HOURS];
        for (hour, count) in rows.await? {
            let day = i32::try_from(hour.div_euclid(24)).unwrap_or(0);
            let of_day = usize::try_from(hour.rem_euclid(24)).unwrap_or(0);
            let slot = &mut sales[::outlets::hours::weekday(day) * 24 + of_day];
            *slot = slot.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        }
        let sales = Arc::new(sales);
        let mut all = self.0.lock();
        if all.len() >= limits::OUTLETS_MAX {
            all.clear();
        }
        let kept = Kept {
            at: now,
            sales: Arc::clone(&sales),
        };
        all.insert(seller, kept);
        Ok(crowd::guess(&sales, hour))
    }
}
