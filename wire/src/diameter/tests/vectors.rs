//! Requests of known clients, read field by field.

use super::vector;
use crate::diameter::avp::{UnixSeconds, key};
use crate::diameter::credit::{
    ChargingService, CreditControlAnswer, CreditControlRequest, Plmn, ReportingReason, RequestType,
    RequestedAction, RoleOfNode, ServiceContext, ServiceUnits, SubscriptionId, SubscriptionIdType,
    UserLocation, party_digits,
};
use crate::diameter::{Message, MessageId, ResultCode};

fn parse(frame: &[u8]) -> CreditControlRequest<'_> {
    let message = Message::parse(frame).expect("a whole message");
    CreditControlRequest::parse(message).expect("a good request")
}

#[test]
fn open5gs_initial_asks_without_rating_group() {
    let frame = vector("open5gs_initial");
    let request = parse(&frame);
    assert_eq!(
        request.id,
        MessageId {
            hop_by_hop: 0x1122_3344,
            end_to_end: 0x5566_7788
        }
    );
    assert!(request.proxiable && !request.retransmitted);
    assert_eq!(request.session_id, "smf.localdomain;1762905600;1;app_gy");
    assert_eq!(
        (request.origin_host, request.origin_realm),
        ("smf.localdomain", "localdomain")
    );
    assert_eq!(
        (request.destination_realm, request.destination_host),
        ("localdomain", None)
    );
    assert_eq!(
        (request.application.auth, request.application.vendor),
        (Some(4), None)
    );
    assert_eq!(request.service_context.service, ChargingService::PacketSwitched);
    assert_eq!(
        (request.request_type, request.request_number),
        (RequestType::Initial, 0)
    );
    assert_eq!(request.event_timestamp, Some(UnixSeconds(1_794_441_600)));
    assert_eq!(request.requested_action, Some(RequestedAction::DirectDebiting));
    assert_eq!(request.multiple_services, Some(false));
    let digits: Vec<_> = request
        .subscriptions
        .iter()
        .map(|id| (id.kind, id.digits()))
        .collect();
    assert_eq!(
        digits,
        [
            (SubscriptionIdType::Imsi, Some("410010000000001")),
            (SubscriptionIdType::E164, Some("923001234567"))
        ]
    );
    let [service] = &request.services[..] else {
        panic!("one service")
    };
    assert_eq!(
        service.requested.and_then(|units| units.octets()),
        Some(1_000_000)
    );
    assert_eq!(
        (service.rating_group, service.service_identifiers.len()),
        (None, 0)
    );
    assert!(service.used.is_empty());

    let data = request
        .service_information
        .as_ref()
        .and_then(|info| info.data.as_ref())
        .expect("data");
    assert_eq!(data.called_station_id, Some("internet"));
    assert_eq!(data.charging_id, Some(&[0, 0, 0, 1][..]));
    assert_eq!(
        data.pdp_addresses[..],
        ["10.45.0.2".parse::<std::net::IpAddr>().unwrap()]
    );
    assert_eq!(data.rat_type, Some(&[6][..]));
    let plmn = Plmn {
        mcc: 410,
        mnc: 1,
        mnc_digits: 2,
    };
    assert_eq!(data.serving_plmn(), Some(plmn));
    let location = UserLocation {
        plmn,
        area: Some(1),
        cell: Some(0x0019_b001),
    };
    assert_eq!(data.location(), Some(location));
    assert_eq!(
        data.user_equipment.map(|equipment| equipment.value),
        Some(&b"4370816125816151"[..])
    );
}

#[test]
fn open5gs_update_reports_input_and_output() {
    let frame = vector("open5gs_update");
    let request = parse(&frame);
    assert_eq!(request.destination_host, Some("ocs.localdomain"));
    assert_eq!(
        (request.request_type, request.request_number),
        (RequestType::Update, 1)
    );
    let [used] = &request.services[0].used[..] else {
        panic!("one report")
    };
    assert_eq!(
        used.units,
        ServiceUnits {
            time_s: Some(12),
            input_octets: Some(250_000),
            output_octets: Some(750_000),
            ..ServiceUnits::default()
        }
    );
    assert_eq!(used.units.octets(), Some(1_000_000));
    assert_eq!(used.reporting_reason, Some(ReportingReason::QuotaExhausted));
    assert_eq!(request.services[0].reporting_reason, None);
}

#[test]
fn open5gs_termination_reports_final_beside_the_units() {
    let frame = vector("open5gs_terminate");
    let request = parse(&frame);
    assert_eq!(
        (request.request_type, request.termination_cause),
        (RequestType::Termination, Some(1))
    );
    assert_eq!(request.services[0].reporting_reason, Some(ReportingReason::Final));
    assert_eq!(request.services[0].used[0].reporting_reason, None);
    assert_eq!(request.services[0].requested, None);
}

#[test]
fn kamailio_repeats_its_origin_and_names_the_vendor_application_only() {
    let frame = vector("kamailio_initial");
    let request = parse(&frame);
    assert_eq!(request.origin_host, "scscf.ims.mnc001.mcc410.3gppnetwork.org");
    assert_eq!(request.application.auth, None);
    let vendor = request.application.vendor.expect("vendor application");
    assert_eq!((vendor.vendor, vendor.auth), (Some(10415), Some(4)));
    assert_eq!(request.service_context.service, ChargingService::Ims);
    assert_eq!(request.multiple_services, Some(true));
    assert_eq!(request.subscriptions[0].data, "+923001234567");
    assert_eq!(request.subscriptions[0].digits(), Some("923001234567"));
    assert_eq!(
        request.services[0].requested.and_then(|units| units.time_s),
        Some(30)
    );
    assert_eq!(request.services[0].rating_group, Some(100));
    assert_eq!(request.services[0].service_identifiers[..], [1000]);
    assert_eq!(request.user_equipment.map(|equipment| equipment.kind), Some(1));

    let info = request.service_information.as_ref().expect("information");
    assert_eq!(info.subscriptions[0].data, "+923001234567");
    let ims = info.ims.as_ref().expect("ims");
    assert_eq!((ims.sip_method, ims.expires_s), (Some("INVITE"), Some(u32::MAX)));
    assert_eq!(ims.role_of_node, Some(RoleOfNode::Originating));
    assert_eq!(ims.called_party.and_then(party_digits), Some("923451234567"));
    assert_eq!(party_digits(ims.calling_parties[0]), Some("923001234567"));
    assert!(ims.access_networks[0].starts_with(b"3GPP-E-UTRAN-FDD"));
    let plmn = ims.location().map(|location| location.plmn);
    assert_eq!(plmn, Plmn::from_text("41001"));

    let answer = CreditControlAnswer::to(&request, ("ocs", "realm"), ResultCode::SUCCESS);
    assert_eq!(
        (answer.application.auth, answer.application.vendor),
        (Some(4), Some(vendor))
    );

    let frame = vector("kamailio_answered");
    assert_eq!(
        parse(&frame).services[0].used[0].units.time_s,
        Some(0),
        "the update at 200 OK used nothing"
    );
}

#[test]
fn sms_event_keeps_what_an_answer_must_echo() {
    let frame = vector("sms_event");
    let request = parse(&frame);
    assert!(request.retransmitted);
    assert_eq!(request.request_type, RequestType::Event);
    assert_eq!(request.requested.and_then(|units| units.specific), Some(1));
    assert_eq!(request.route_records[..], ["smsc.example"]);
    let sms = request
        .service_information
        .as_ref()
        .and_then(|info| info.sms.as_ref())
        .expect("sms");
    assert_eq!(sms.recipients[0].data, Some("923451234567"));
    assert_eq!(sms.smsc_address, Some("2001:db8::5".parse().unwrap()));
    assert_eq!(sms.messages_sent, Some(2));

    let mut out = Vec::new();
    CreditControlAnswer::to(&request, ("ocs.example", "example"), ResultCode::SUCCESS).encode(&mut out);
    let message = Message::parse(&out).unwrap();
    assert!(!message.header.flags.is_request() && message.header.flags.is_proxiable());
    assert!(!message.header.flags.is_retransmitted());
    assert_eq!(message.header.id, request.id);
    let echoed: Vec<_> = message
        .avps()
        .map(Result::unwrap)
        .filter(|avp| avp.key == key::PROXY_INFO)
        .map(|avp| avp.raw)
        .collect();
    assert_eq!(echoed[..], request.proxy_infos[..]);
    assert_eq!(echoed.len(), 1);
}

#[test]
fn service_contexts() {
    for (id, service) in [
        ("32251@3gpp.org", ChargingService::PacketSwitched),
        ("32260@3gpp.org", ChargingService::Ims),
        ("32274@3gpp.org", ChargingService::Sms),
        ("32275@3GPP.ORG", ChargingService::Mmtel),
        ("001.410.16.32251@3gpp.org", ChargingService::PacketSwitched),
        ("ext.01.001.8.32260@3gpp.org", ChargingService::Ims),
        ("132251@3gpp.org", ChargingService::Other),
        ("32251@example.org", ChargingService::Other),
        ("32251", ChargingService::Other),
        ("@3gpp.org", ChargingService::Other),
        ("", ChargingService::Other),
    ] {
        assert_eq!(ServiceContext::new(id).service, service, "{id}");
    }
}

#[test]
fn subscriptions_and_parties() {
    use SubscriptionIdType::{E164, Imsi, Nai, Private, SipUri};
    for (kind, data, digits) in [
        (E164, "923001234567", Some("923001234567")),
        (E164, "+923001234567", Some("923001234567")),
        (E164, "++92300", None),
        (E164, "0300-1234567", None),
        (E164, "", None),
        (Imsi, "410010000000001", Some("410010000000001")),
        (Imsi, "+410010000000001", None),
        (SipUri, "sip:+923001234567@ims.example", Some("923001234567")),
        (
            SipUri,
            "SIP:923001234567@ims.example;user=phone",
            Some("923001234567"),
        ),
        (SipUri, "tel:+923001234567", Some("923001234567")),
        (SipUri, "sip:ayesha@ims.example", None),
        (Nai, "923001234567@realm", None),
        (Private, "923001234567", None),
    ] {
        assert_eq!(SubscriptionId { kind, data }.digits(), digits, "{kind:?} {data}");
    }
}

#[test]
fn user_locations() {
    let plmn = Plmn {
        mcc: 410,
        mnc: 6,
        mnc_digits: 2,
    };
    for (octets, expected) in [
        ("00 14f060 1234 5678", Some((Some(0x1234), Some(0x5678)))),
        ("01 14f060 1234 5678", Some((Some(0x1234), Some(0x5678)))),
        ("02 14f060 1234 56ff", Some((Some(0x1234), None))),
        ("80 14f060 1234", Some((Some(0x1234), None))),
        ("81 14f060 f19b0017", Some((None, Some(0x019b_0017)))),
        (
            "82 14f060 1234 14f060 0019b001",
            Some((Some(0x1234), Some(0x0019_b001))),
        ),
        ("87 14f060 f123456789", Some((None, Some(0x1_2345_6789)))),
        ("88 14f060 123456", Some((Some(0x12_3456), None))),
        (
            "89 14f060 123456 14f060 0123456789",
            Some((Some(0x12_3456), Some(0x1_2345_6789))),
        ),
        ("82 14f060 1234 14f060 0019b0", None),
        ("80 1af060 1234", None),
        ("ff 14f060 1234", None),
        ("", None),
    ] {
        let expected = expected.map(|(area, cell)| UserLocation { plmn, area, cell });
        assert_eq!(
            UserLocation::from_octets(&super::unhex(octets)),
            expected,
            "{octets}"
        );
    }
    assert_eq!(
        Plmn::from_text("310410"),
        Some(Plmn {
            mcc: 310,
            mnc: 410,
            mnc_digits: 3
        })
    );
    assert_eq!(
        Plmn::from_bcd([0x13, 0x00, 0x14]),
        Some(Plmn {
            mcc: 310,
            mnc: 410,
            mnc_digits: 3
        })
    );
    assert_eq!(Plmn::from_text("4100a"), None);
    assert_eq!(Plmn::from_text("4100"), None);
}

#[test]
fn access_networks() {
    // Network, area and cell; a dash when nothing may be read.
    for (text, expected) in [
        (
            "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=4100100010019b01",
            "41001 1 19b01",
        ),
        (
            "3gpp-e-utran-tdd; UTRAN-Cell-ID-3GPP = \"4100600010019B01\"",
            "41006 1 19b01",
        ),
        (
            "3GPP-UTRAN-FDD;utran-cell-id-3gpp=41001ffff0000001",
            "41001 ffff 1",
        ),
        ("3GPP-GERAN;cgi-3gpp=4100112345678", "41001 1234 5678"),
        ("3GPP-GERAN;cgi-3gpp=31041012345678", "310410 1234 5678"),
        (
            "3GPP-NR-TDD;utran-cell-id-3gpp=0010100313200001c001",
            "00101 3132 1c001",
        ),
        (
            "3GPP-NR;utran-cell-id-3gpp=310410003132fffffffff",
            "310410 3132 fffffffff",
        ),
        (
            "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=31041000010019b01",
            "310410 1 19b01",
        ),
        // Eight digits of a cell: two-digit network codes have no third.
        (
            "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=4100100010019b001",
            "41001 1 19b001",
        ),
        ("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=41001000110019b01", "-"),
        // The network's word goes before the phone's.
        (
            "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=4100100010019b01,3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=4240200020019b01;\
             network-provided",
            "42402 2 19b01",
        ),
        (
            "IEEE-802.11;i-wlan-node-id=\"a,3GPP-GERAN;cgi-3gpp=4240212345678\", 3GPP-GERAN;cgi-3gpp=4100112345678",
            "41001 1234 5678",
        ),
        ("IEEE-802.11;utran-cell-id-3gpp=4100100010019b01", "-"),
        ("ADSL;utran-cell-id-3gpp=00000000", "-"),
        ("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=410010001", "-"),
        ("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=4a00100010019b01", "-"),
        ("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=410010001001+b01", "-"),
        ("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=41001000100é9b0", "-"),
        ("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=", "-"),
        ("3GPP-E-UTRAN-FDD", "-"),
        (";;;,,,\"=\"", "-"),
        ("", "-"),
    ] {
        let found = UserLocation::from_access_network(text.as_bytes());
        let found = found.map_or("-".to_owned(), |found| {
            let digits = usize::from(found.plmn.mnc_digits);
            let (area, cell) = (found.area.unwrap_or_default(), found.cell.unwrap_or_default());
            format!(
                "{:03}{:0digits$} {area:x} {cell:x}",
                found.plmn.mcc, found.plmn.mnc
            )
        });
        assert_eq!(found, expected, "{text}");
    }
    let long = format!(
        "3GPP-GERAN;cgi-3gpp=4100112345678{}",
        ";x".repeat(crate::diameter::limits::ACCESS_NETWORK_OCTETS_MAX)
    );
    assert_eq!(UserLocation::from_access_network(long.as_bytes()), None);
    assert_eq!(
        UserLocation::from_access_network(b"3GPP-GERAN;cgi-3gpp=\xff\xff"),
        None
    );
}

#[test]
fn times_cross_2036() {
    for (ntp, unix) in [
        (0x8000_0000, -61_505_152),
        (2_208_988_800, 0),
        (u32::MAX, 2_085_978_495),
        (0, 2_085_978_496),
    ] {
        assert_eq!(UnixSeconds::from_ntp(ntp), UnixSeconds(unix));
        assert_eq!(UnixSeconds(unix).to_ntp(), ntp);
    }
}
