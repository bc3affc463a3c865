//! The requests of a gateway, as the two kinds send them.

use wire::diameter::credit::{
    CreditControlRequest, PsInformation, ReportingReason, RequestType, RequestedAction, ServiceInformation,
    ServiceRequest, ServiceUnits, SubscriptionId, SubscriptionIdType, UsedUnits, UserEquipment,
};

use super::{Attach, GatewaySettings, Profile};
use crate::diameter::Client;

/// AoC-Request-Type AoC_FULL (TS 32.299 section 7.2.11).
const AOC_FULL: i32 = 1;
/// Termination-Cause DIAMETER_LOGOUT (RFC 6733 section 8.15).
const LOGOUT: i32 = 1;
/// 3GPP-RAT-Type E-UTRAN.
const EUTRAN: &[u8] = &[6];
/// 3GPP-MS-TimeZone UTC+5 in swapped quarters of an hour, no summer time.
const UTC_PLUS_5: &[u8] = &[0x02, 0x00];
/// An IMEISV of the test range.
const IMEISV: &[u8] = b"3533990001000001";

/// One report or request for one rating group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) rating_group: Option<u32>,
    /// Octets since the last report; `None` when there is nothing to report yet.
    pub(super) used: Option<u64>,
    /// Ask for more.
    pub(super) asks: bool,
    pub(super) reason: Option<ReportingReason>,
}

/// What stays the same in all requests of a session.
#[derive(Debug)]
pub(super) struct Names<'a> {
    pub(super) session_id: &'a str,
    pub(super) charging_id: u32,
    /// Known after the first answer.
    pub(super) server: Option<&'a str>,
}

/// One encoded Credit-Control-Request.
pub(super) fn encode(
    client: &Client,
    settings: &GatewaySettings,
    attach: &Attach,
    names: &Names<'_>,
    (kind, number): (RequestType, u32),
    lines: &[Line],
) -> Vec<u8> {
    let charging_id = names.charging_id.to_be_bytes();
    let location = user_location(attach);
    let mut request = CreditControlRequest::new(
        client.next_id(),
        names.session_id,
        (&settings.host, &settings.realm),
        &settings.destination_realm,
        "32251@3gpp.org",
        (kind, number),
    );
    request.destination_host = names.server;
    request.subscriptions.push(SubscriptionId {
        kind: SubscriptionIdType::Imsi,
        data: &attach.imsi,
    });
    if let Some(msisdn) = &attach.msisdn {
        request.subscriptions.push(SubscriptionId {
            kind: SubscriptionIdType::E164,
            data: msisdn,
        });
    }
    let is_first = kind == RequestType::Initial;
    match settings.profile {
        Profile::Standard => request.multiple_services = is_first.then_some(true),
        Profile::Open5gs => {
            request.requested_action = Some(RequestedAction::DirectDebiting);
            request.aoc_request_type = Some(AOC_FULL);
            // Not supported, it says, and then it uses a service all the same.
            request.multiple_services = is_first.then_some(false);
        }
    }
    if kind == RequestType::Termination {
        request.termination_cause = Some(LOGOUT);
    }
    for line in lines {
        request.services.push(service(settings, line));
    }
    request.service_information = Some(ServiceInformation {
        data: Some(PsInformation {
            charging_id: Some(&charging_id),
            pdp_type: Some(0),
            pdp_addresses: std::iter::once(attach.address).collect(),
            sgsn_address: Some([10, 0, 0, 3].into()),
            ggsn_address: Some([10, 0, 0, 4].into()),
            called_station_id: Some(&attach.apn),
            serving_mcc_mnc: Some(&attach.serving_network),
            timezone: Some(UTC_PLUS_5),
            user_location: location.as_deref(),
            rat_type: Some(EUTRAN),
            user_equipment: Some(UserEquipment {
                kind: 0,
                value: IMEISV,
            }),
            ..PsInformation::default()
        }),
        ..ServiceInformation::default()
    });
    let mut frame = Vec::new();
    request.encode(&mut frame);
    frame
}

fn service(settings: &GatewaySettings, line: &Line) -> ServiceRequest {
    let mut service = ServiceRequest {
        rating_group: line.rating_group,
        ..ServiceRequest::default()
    };
    if line.asks {
        service.requested = Some(ServiceUnits {
            total_octets: Some(settings.request_octets),
            ..ServiceUnits::default()
        });
    }
    // Threshold and exhaustion concern one kind of quota and stand inside the unit; the others concern all kinds.
    let (inside, beside) = match line.reason {
        reason @ Some(ReportingReason::Threshold | ReportingReason::QuotaExhausted) => (reason, None),
        reason => (None, reason),
    };
    service.reporting_reason = beside;
    if let Some(octets) = line.used {
        // A tenth is sent, the rest is received.
        let input = octets / 10;
        let seconds = octets.div_ceil(settings.octets_per_s.max(1));
        let units = ServiceUnits {
            time_s: Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
            total_octets: (settings.profile == Profile::Standard).then_some(octets),
            input_octets: Some(input),
            output_octets: Some(octets - input),
            ..ServiceUnits::default()
        };
        service.used.push(UsedUnits {
            units,
            reporting_reason: inside,
            ..UsedUnits::default()
        });
    }
    service
}

/// 3GPP-User-Location-Info of kind TAI and ECGI (TS 29.274 section 8.21); `None` when the network code is no number.
fn user_location(attach: &Attach) -> Option<Vec<u8>> {
    let plmn = plmn(&attach.serving_network)?;
    let mut octets = vec![130];
    octets.extend_from_slice(&plmn);
    octets.extend_from_slice(&attach.area.to_be_bytes());
    octets.extend_from_slice(&plmn);
    octets.extend_from_slice(&(attach.cell & 0x0fff_ffff).to_be_bytes());
    Some(octets)
}

/// Telephony BCD (TS 24.008 section 10.5.1.13).
fn plmn(network: &str) -> Option<[u8; 3]> {
    let digits: Vec<u8> = network
        .chars()
        .map(|digit| digit.to_digit(10).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    match digits[..] {
        [a, b, c, d, e] => Some([b << 4 | a, 0xf0 | c, e << 4 | d]),
        [a, b, c, d, e, f] => Some([b << 4 | a, f << 4 | c, e << 4 | d]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::diameter::credit::UserLocation;

    #[test]
    fn the_place_reads_back() {
        for (network, mcc, mnc) in [("41001", 410, 1), ("310410", 310, 410), ("42402", 424, 2)] {
            let mut attach = Attach::new("410010000000001", None, network);
            attach.area = 4021;
            let octets = user_location(&attach).unwrap();
            let location = UserLocation::from_octets(&octets).unwrap();
            assert_eq!((location.plmn.mcc, location.plmn.mnc), (mcc, mnc));
            assert_eq!(location.area, Some(4021));
            assert_eq!(location.cell, Some(u64::from(attach.cell)));
        }
        assert_eq!(plmn("4100x"), None);
        assert_eq!(plmn("4100"), None);
    }
}
