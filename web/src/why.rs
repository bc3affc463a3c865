//! The reason behind a statement line, in sentences.

use crate::bind::Reader;
use charge::catalog::{Catalog, Language};
use charge::explain::explain;
use charge::time::Zone;
use charge::{Event, Timestamp};
use store::StoreError;
use store::reads::StatementEntry;

/// Most events of one session that are explained at once; the last ones are taken.
const EVENTS_MAX: usize = 12;

/// Sentences for an event. `catalog` knows the operator's time zone.
pub fn event(event: &Event, catalog: Option<&Catalog>, language: Language) -> Vec<String> {
    let utc = Zone::UTC;
    let zone = catalog.map_or(&utc, |catalog| &catalog.zone);
    let lines = explain(event, language, zone).lines;
    lines.into_iter().map(|line| line.text).collect()
}

/// What one event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasons {
    /// When it was decided.
    pub at: Timestamp,
    /// The sentences.
    pub sentences: Vec<String>,
}

/// The reasons of a statement entry, by event: of a session, its last reports.
///
/// # Errors
/// [`StoreError`] when the journal cannot be read.
pub fn entry(
    reader: &mut Reader,
    entry: &StatementEntry,
    catalog: Option<&Catalog>,
    language: Language,
) -> Result<Vec<Reasons>, StoreError> {
    let places = match entry {
        StatementEntry::Line(line) => vec![line.place],
        StatementEntry::Usage(usage) => {
            let skip = usage.events.len().saturating_sub(EVENTS_MAX);
            usage.events.iter().skip(skip).copied().collect()
        }
    };
    let mut reasons = Vec::new();
    for place in places {
        if let Some(found) = reader.event(place)? {
            reasons.push(Reasons {
                at: found.at,
                sentences: event(&found, catalog, language),
            });
        }
    }
    Ok(reasons)
}
