//! What only the whole shows: uses that no row prices, rows that never apply, numbers that two operators claim.

use super::operator::Draft;
use super::reader::Report;
use super::value::class_name;
use crate::catalog::{Called, DestinationClass, Place, TariffQuery, TariffRow};
use crate::time::Timestamp;
use crate::unit::Service;

/// Runs every check over all operators.
pub(super) fn run(drafts: &[(usize, Draft<'_>)], reports: &mut [Report<'_>]) {
    for (index, (file, draft)) in drafts.iter().enumerate() {
        let report = &mut reports[*file];
        check_coverage(draft, report);
        check_shadows(draft, report);
        for (_, other) in &drafts[..index] {
            check_pair(draft, other, report);
        }
    }
}

/// Every use at home has a price at every time of day; abroad and to other countries it should.
fn check_coverage(draft: &Draft<'_>, report: &mut Report<'_>) {
    use DestinationClass::{Incoming, International, OffNet, OnNet, Special};
    for service in Service::ALL {
        // Data has no called party, which is the class of short codes.
        let (home, abroad): (&[_], &[_]) = match service {
            Service::Data => (&[Special], &[Special]),
            Service::Voice => (&[OnNet, OffNet, Special], &[OnNet, OffNet, Incoming]),
            Service::Sms => (&[OnNet, OffNet, Special], &[OnNet, OffNet]),
        };
        for class in home {
            if let Some(gap) = gap(draft, service, *class, Place::Home) {
                let message = format!(
                    "no tariff row prices {gap}; add one without `windows`, `prefixes` and `rating_groups`"
                );
                report.error(first_row(draft, service), message);
            }
        }
        if service != Service::Data
            && let Some(gap) = gap(draft, service, International, Place::Home)
        {
            report.warning(
                first_row(draft, service),
                format!("no tariff row prices {gap}: it will be refused"),
            );
        }
        for class in abroad {
            if let Some(gap) = gap(draft, service, *class, Place::Roaming) {
                report.warning(
                    first_row(draft, service),
                    format!("no tariff row prices {gap}: it will be refused"),
                );
            }
        }
    }
}

/// The first row of a service; the operator's code where it has none.
fn first_row(draft: &Draft<'_>, service: Service) -> usize {
    let index = draft
        .catalog
        .tariffs
        .iter()
        .position(|row| row.service == service);
    index
        .and_then(|index| draft.tariffs_at.get(index))
        .copied()
        .unwrap_or(draft.code_at)
}

/// The first use of the day that no general row matches, in words.
fn gap(draft: &Draft<'_>, service: Service, class: DestinationClass, place: Place) -> Option<String> {
    let general: Vec<&TariffRow> = draft
        .catalog
        .tariffs
        .iter()
        .filter(|row| row.service == service && row.prefixes.is_empty() && row.rating_groups.is_empty())
        .collect();
    let query = TariffQuery {
        service,
        rating_group: None,
        class,
        called: Called::Nobody,
        place,
        at: Timestamp::default(),
    };
    let mut edges: Vec<u32> = vec![0];
    edges.extend(
        general
            .iter()
            .flat_map(|row| &row.windows)
            .map(|window| window.to_s % 86_400),
    );
    edges.sort_unstable();
    let second = edges.into_iter().find(|second| {
        !general
            .iter()
            .any(|row| row.matches_but_time(&query) && row.matches_time(*second))
    })?;
    let to = match (service, class) {
        (Service::Data, _) => String::new(),
        (_, DestinationClass::Incoming) => " received".to_owned(),
        _ => format!(" to {} numbers", class_name(class)),
    };
    let place = match place {
        Place::Home => "at home",
        Place::Roaming => "while roaming",
    };
    Some(format!(
        "{}{to} {place} at {:02}:{:02}",
        service.name(),
        second / 3_600,
        second / 60 % 60
    ))
}

/// A row behind one that takes everything it could match is a mistake in the order.
fn check_shadows(draft: &Draft<'_>, report: &mut Report<'_>) {
    let rows = &draft.catalog.tariffs;
    for (index, row) in rows.iter().enumerate() {
        if let Some(first) = rows[..index].iter().find(|first| shadows(first, row)) {
            let message = format!(
                "this row never applies: \"{}\" above it matches first",
                first.code
            );
            report.warning(draft.tariffs_at[index], message);
        }
    }
}

fn shadows(first: &TariffRow, later: &TariffRow) -> bool {
    let extends =
        |prefix: &crate::catalog::Prefix| first.prefixes.iter().any(|short| short.matches(prefix.value));
    first.service == later.service
        && first.classes.0 & later.classes.0 == later.classes.0
        && (first.place.is_none() || first.place == later.place)
        && (first.prefixes.is_empty() || (!later.prefixes.is_empty() && later.prefixes.iter().all(extends)))
        && (first.rating_groups.is_empty()
            || (!later.rating_groups.is_empty()
                && later
                    .rating_groups
                    .iter()
                    .all(|group| first.rating_groups.contains(group))))
        && (first.windows.is_empty() || first.windows == later.windows)
}

/// Two operators share no id, code, number range or network.
fn check_pair(draft: &Draft<'_>, other: &Draft<'_>, report: &mut Report<'_>) {
    let (ours, theirs) = (&draft.catalog, &other.catalog);
    if ours.operator == theirs.operator {
        report.error(
            draft.id_at,
            format!("the id {} is already that of {}", ours.operator.0, theirs.code),
        );
    }
    if ours.code == theirs.code {
        report.error(
            draft.code_at,
            format!("there is already an operator with the code \"{}\"", ours.code),
        );
    }
    let country_digits = usize::from(ours.numbering.country.digits);
    for (prefix, at) in ours.numbering.prefixes.iter().zip(&draft.prefixes_at) {
        let overlap =
            |known: &&crate::catalog::Prefix| known.matches(prefix.value) || prefix.matches(known.value);
        if let Some(known) = theirs.numbering.prefixes.iter().find(overlap) {
            let known = known.value.to_string();
            let national = known.get(country_digits..).unwrap_or(&known);
            report.error(
                *at,
                format!(
                    "numbers of this prefix belong to {}, which has {national}",
                    theirs.code
                ),
            );
        }
    }
    for (plmn, at) in ours.numbering.plmns.iter().zip(&draft.plmns_at) {
        if theirs.numbering.plmns.contains(plmn) {
            report.error(
                *at,
                format!("the network {plmn} is already that of {}", theirs.code),
            );
        }
    }
}
