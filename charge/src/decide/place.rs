//! Where a request comes from and goes to: what the tariff and the tax depend on beside the time.

use crate::account::Account;
use crate::catalog::{Catalog, Place};
use crate::command::ChargeRequest;
use crate::session::{Session, Target};
use crate::tax::RegionCode;

/// Where to and from where: as the request says, else as the session began.
pub(super) fn target_of(
    account: &Account,
    catalog: &Catalog,
    request: &ChargeRequest,
    session: Option<&Session>,
) -> Target {
    let area_region = |place: Place| {
        // The codes of another network's areas say nothing of the regions at home.
        let area = request.area.filter(|_| place == Place::Home)?;
        let in_area = |(from, to): &(u32, u32)| (*from..=*to).contains(&area);
        let mut regions = catalog.tax.regions.iter();
        regions
            .find(|region| region.areas.iter().any(in_area))
            .map(|region| region.code)
    };
    let last: RegionCode = if account.region.is_empty() {
        catalog.tax.default_region
    } else {
        account.region
    };
    if let Some(session) = session {
        let moved_network = request.plmn != 0 && request.plmn != session.target.plmn;
        let place = if moved_network {
            place_of(catalog, request.plmn)
        } else {
            session.target.place
        };
        let plmn = if moved_network {
            request.plmn
        } else {
            session.target.plmn
        };
        return Target {
            place,
            plmn,
            region: area_region(place).unwrap_or(session.target.region),
            ..session.target
        };
    }
    let place = place_of(catalog, request.plmn);
    Target {
        called: request.called,
        class: catalog.classify(request.called, request.called_operator),
        place,
        plmn: request.plmn,
        region: area_region(place).unwrap_or(last),
    }
}

fn place_of(catalog: &Catalog, plmn: u32) -> Place {
    let home = plmn == 0 || catalog.numbering.plmns.is_empty() || catalog.numbering.plmns.contains(&plmn);
    if home { Place::Home } else { Place::Roaming }
}
