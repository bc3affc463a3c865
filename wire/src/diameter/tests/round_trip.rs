//! What is written is read back the same.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use smallvec::SmallVec;

use crate::diameter::avp::UnixSeconds;
use crate::diameter::base::{
    AbortSessionRequest, CapabilitiesAnswer, CapabilitiesRequest, DeviceWatchdogRequest, DisconnectCause,
    DisconnectPeerRequest, Identity, ReAuthRequest,
};
use crate::diameter::credit::{
    ApplicationIds, CostInformation, CreditControlAnswer, CreditControlRequest, CurrencyAmount,
    DirectDebitingFailureHandling, FailureHandling, FinalUnit, GrantedUnits, ImsInformation, MessageAddress,
    PsInformation, RedirectAddressType, ReportingReason, RequestType, RequestedAction, RoleOfNode,
    ServiceAnswer, ServiceContext, ServiceInformation, ServiceRequest, ServiceUnits, SmsInformation,
    SubscriptionId, SubscriptionIdType, TariffChangeUsage, UsedUnits, UserEquipment, VendorApplication,
};
use crate::diameter::{Message, MessageId, ResultCode};

const PROXY_INFO: &[u8] = &[
    0, 0, 1, 28, 64, 0, 0, 21, 0, 0, 1, 24, 64, 0, 0, 11, b'd', b'r', b'a', 0, 0,
];
const FAILED_AVP: &[u8] = &[0, 0, 1, 7, 64, 0, 0, 8];

fn text() -> impl Strategy<Value = &'static str> {
    select(vec![
        "",
        "a",
        "ab",
        "abc",
        "ocs.example",
        "923001234567",
        "رسید",
        "收据",
        "sip:+92@x;y=z",
    ])
}

fn octets() -> impl Strategy<Value = &'static [u8]> {
    select(vec![&b""[..], &[0], &[0xff, 0], &[1, 2, 3], &[0; 13]])
}

fn address() -> impl Strategy<Value = IpAddr> {
    any::<IpAddr>()
}

fn time() -> impl Strategy<Value = UnixSeconds> {
    any::<u32>().prop_map(UnixSeconds::from_ntp)
}

fn list<T: std::fmt::Debug, const N: usize>(
    item: impl Strategy<Value = T>,
    max: usize,
) -> impl Strategy<Value = SmallVec<[T; N]>> {
    vec(item, 0..=max).prop_map(SmallVec::from_vec)
}

fn amount() -> impl Strategy<Value = CurrencyAmount> {
    (any::<i64>(), any::<i32>(), of(any::<u32>())).prop_map(|(digits, exponent, currency)| CurrencyAmount {
        digits,
        exponent,
        currency,
    })
}

fn id() -> impl Strategy<Value = MessageId> {
    any::<(u32, u32)>().prop_map(|(hop_by_hop, end_to_end)| MessageId {
        hop_by_hop,
        end_to_end,
    })
}

prop_compose! {
    fn units()(
        time_s in of(any::<u32>()),
        money in of(amount()),
        total_octets in of(any::<u64>()),
        input_octets in of(any::<u64>()),
        output_octets in of(any::<u64>()),
        specific in of(any::<u64>()),
    ) -> ServiceUnits {
        ServiceUnits { time_s, money, total_octets, input_octets, output_octets, specific }
    }
}

prop_compose! {
    fn used()(
        units in units(),
        tariff_change in of(select(TariffChangeUsage::ALL)),
        reporting_reason in of(select(ReportingReason::ALL)),
    ) -> UsedUnits {
        UsedUnits { units, tariff_change, reporting_reason }
    }
}

prop_compose! {
    fn service_request()(
        requested in of(units().boxed()),
        used in list(used().boxed(), 3),
        service_identifiers in list(any::<u32>(), 3),
        rating_group in of(any::<u32>()),
        reporting_reason in of(select(ReportingReason::ALL)),
    ) -> ServiceRequest {
        ServiceRequest { requested, used, service_identifiers, rating_group, reporting_reason }
    }
}

fn subscription() -> impl Strategy<Value = SubscriptionId<'static>> {
    (select(SubscriptionIdType::ALL), text()).prop_map(|(kind, data)| SubscriptionId { kind, data })
}

fn equipment() -> impl Strategy<Value = UserEquipment<'static>> {
    (any::<i32>(), octets()).prop_map(|(kind, value)| UserEquipment { kind, value })
}

prop_compose! {
    fn data()(
        (charging_id, pdp_type, pdp_addresses) in (of(octets()), of(any::<i32>()), list(address(), 2)),
        (sgsn_address, ggsn_address) in (of(address()), of(address())),
        (home_mcc_mnc, ggsn_mcc_mnc, called_station_id) in (of(text()), of(text()), of(text())),
        (charging_characteristics, serving_mcc_mnc) in (of(text()), of(text())),
        (timezone, user_location, rat_type) in (of(octets()), of(octets()), of(octets())),
        user_equipment in of(equipment().boxed()),
    ) -> PsInformation<'static> {
        PsInformation {
            charging_id, pdp_type, pdp_addresses, sgsn_address, ggsn_address, home_mcc_mnc, ggsn_mcc_mnc,
            called_station_id, charging_characteristics, serving_mcc_mnc, timezone, user_location, rat_type,
            user_equipment,
        }
    }
}

prop_compose! {
    fn ims()(
        (sip_method, expires_s, role_of_node) in (of(text()), of(any::<u32>()), of(select(RoleOfNode::ALL))),
        (node_functionality, user_session_id) in (of(any::<i32>()), of(text())),
        (calling_parties, called_party) in (list(text(), 2), of(text())),
        (called_asserted, requested_party) in (list(text(), 2), of(text())),
        (request_time, response_time, charging_identifier) in (of(time()), of(time()), of(text())),
        (access_networks, cause_code) in (list(octets(), 2), of(any::<i32>())),
    ) -> ImsInformation<'static> {
        ImsInformation {
            sip_method, expires_s, role_of_node, node_functionality, user_session_id, calling_parties,
            called_party, called_asserted, requested_party, request_time, response_time, charging_identifier,
            access_networks, cause_code,
        }
    }
}

fn message_address() -> impl Strategy<Value = MessageAddress<'static>> {
    (of(any::<i32>()), of(text())).prop_map(|(kind, data)| MessageAddress { kind, data })
}

prop_compose! {
    fn sms()(
        (node, smsc_address, client_address) in (of(any::<i32>()), of(address()), of(address())),
        (message_type, data_coding) in (of(any::<i32>()), of(any::<i32>())),
        (messages_sent, originator) in (of(any::<u32>()), of(message_address())),
        recipients in list(message_address(), 3),
    ) -> SmsInformation<'static> {
        SmsInformation {
            node, smsc_address, client_address, message_type, data_coding, messages_sent, originator, recipients,
        }
    }
}

fn information() -> impl Strategy<Value = ServiceInformation<'static>> {
    (
        list(subscription().boxed(), 2),
        of(data().boxed()),
        of(ims().boxed()),
        of(sms().boxed()),
    )
        .prop_map(|(subscriptions, data, ims, sms)| ServiceInformation {
            subscriptions,
            data,
            ims,
            sms,
        })
}

fn application() -> impl Strategy<Value = ApplicationIds> {
    let vendor = (of(any::<u32>()), of(any::<u32>()), of(any::<u32>()))
        .prop_map(|(vendor, auth, acct)| VendorApplication { vendor, auth, acct });
    (any::<bool>(), of(vendor)).prop_map(|(has_auth, vendor)| ApplicationIds {
        auth: (has_auth || vendor.is_none()).then_some(4),
        vendor,
    })
}

prop_compose! {
    fn request()(
        (id, proxiable, retransmitted) in (id(), any::<bool>(), any::<bool>()),
        (session_id, origin_host, origin_realm, destination_realm) in (text(), text(), text(), text()),
        (destination_host, user_name, context) in (of(text()), of(text()), text()),
        (application, request_type, request_number) in (application(), select(RequestType::ALL), any::<u32>()),
        (origin_state_id, event_timestamp) in (of(any::<u32>()), of(time())),
        (subscriptions, termination_cause) in (list(subscription().boxed(), 3), of(any::<i32>())),
        (action, aoc_request_type) in (of(select(RequestedAction::ALL)), of(any::<i32>())),
        (multiple_services, services) in (of(any::<bool>()), list(service_request().boxed(), 4)),
        (service_identifier, requested, used) in (of(any::<u32>()), of(units().boxed()), list(used().boxed(), 2)),
        (correlation_id, user_equipment) in (of(octets()), of(equipment().boxed())),
        (proxy_infos, route_records) in (list(Just(PROXY_INFO), 2), list(text(), 2)),
        service_information in of(information().boxed()),
    ) -> CreditControlRequest<'static> {
        let mut request = CreditControlRequest::new(
            id, session_id, (origin_host, origin_realm), destination_realm, context, (request_type, request_number),
        );
        let is_event = request_type == RequestType::Event;
        request.requested_action = action.or(is_event.then_some(RequestedAction::PriceEnquiry));
        assert_eq!(request.service_context, ServiceContext::new(context));
        CreditControlRequest {
            proxiable, retransmitted, destination_host, user_name, application, origin_state_id, event_timestamp,
            subscriptions, termination_cause, aoc_request_type, multiple_services, services, service_identifier,
            requested, used, correlation_id, user_equipment, proxy_infos, route_records, service_information,
            ..request
        }
    }
}

fn granted() -> impl Strategy<Value = GrantedUnits> {
    (units(), of(time())).prop_map(|(units, tariff_time_change)| GrantedUnits {
        units,
        tariff_time_change,
    })
}

fn final_unit() -> impl Strategy<Value = FinalUnit<'static>> {
    prop_oneof![
        Just(FinalUnit::Terminate),
        (select(RedirectAddressType::ALL), text())
            .prop_map(|(kind, address)| FinalUnit::Redirect { kind, address }),
        (list(text(), 2), list(text(), 2))
            .prop_map(|(rules, filter_ids)| FinalUnit::Restrict { rules, filter_ids }),
    ]
}

prop_compose! {
    fn service_answer()(
        (granted, service_identifiers, rating_group) in (of(granted()), list(any::<u32>(), 3), of(any::<u32>())),
        (validity_time_s, result_code) in (of(any::<u32>()), of(any::<u32>().prop_map(ResultCode))),
        final_unit in of(final_unit()),
        (time_quota_threshold_s, volume_quota_threshold_octets) in (of(any::<u32>()), of(any::<u32>())),
        (unit_quota_threshold, quota_holding_time_s) in (of(any::<u32>()), of(any::<u32>())),
        quota_consumption_time_s in of(any::<u32>()),
    ) -> ServiceAnswer<'static> {
        ServiceAnswer {
            granted, service_identifiers, rating_group, validity_time_s, result_code, final_unit,
            time_quota_threshold_s, volume_quota_threshold_octets, unit_quota_threshold, quota_holding_time_s,
            quota_consumption_time_s,
        }
    }
}

prop_compose! {
    fn answer()(
        (id, proxiable) in (id(), any::<bool>()),
        (session_id, origin, application) in (text(), (text(), text()), application()),
        (number, result_code) in ((select(RequestType::ALL), any::<u32>()), any::<u32>().prop_map(ResultCode)),
        (origin_state_id, session_failover) in (of(any::<u32>()), of(any::<bool>())),
        (services, granted, final_unit) in (list(service_answer().boxed(), 4), of(granted()), of(final_unit())),
        (validity_time_s, cost) in (
            of(any::<u32>()),
            of((amount(), of(text())).prop_map(|(amount, unit)| CostInformation { amount, unit })),
        ),
        (remaining_balance, low_balance, enough_credit) in (of(amount()), of(any::<bool>()), of(any::<bool>())),
        failure_handling in of(select(FailureHandling::ALL)),
        direct_debiting_failure_handling in of(select(DirectDebitingFailureHandling::ALL)),
        (error_message, failed_avp) in (of(text()), of(Just(FAILED_AVP))),
        proxy_infos in list(Just(PROXY_INFO), 2),
    ) -> CreditControlAnswer<'static> {
        CreditControlAnswer {
            proxiable, application, origin_state_id, session_failover, services, granted, final_unit,
            validity_time_s, cost, remaining_balance, low_balance, enough_credit, failure_handling,
            direct_debiting_failure_handling, error_message, failed_avp, proxy_infos,
            ..CreditControlAnswer::new(id, session_id, origin, number, result_code)
        }
    }
}

/// The typed views are invariant in their lifetime, so what is compared must live as long as what was generated.
fn keep(frame: &[u8]) -> &'static [u8] {
    Box::leak(frame.into())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn credit_control_request(request in request().boxed()) {
        let mut out = vec![0xee; 3];
        request.encode(&mut out);
        let message = Message::parse(keep(&out[3..])).unwrap();
        prop_assert_eq!(CreditControlRequest::parse(message).unwrap(), request);
    }

    #[test]
    fn credit_control_answer(answer in answer().boxed()) {
        let mut out = vec![0xee; 5];
        answer.encode(&mut out);
        let message = Message::parse(keep(&out[5..])).unwrap();
        prop_assert_eq!(CreditControlAnswer::parse(message).unwrap(), answer);
    }

    #[test]
    fn base_messages(
        id in id(),
        (host, realm, session_id, other) in (text(), text(), text(), text()),
        (state_id, number, addresses) in (of(any::<u32>()), any::<u32>(), vec(address(), 1..4)),
    ) {
        let identity = Identity { host, realm, state_id };

        let request = CapabilitiesRequest::credit_control(id, &identity, &addresses, other);
        let mut out = Vec::new();
        request.encode(&mut out);
        prop_assert!(request.offers_credit_control() && request.offers_plain());
        prop_assert_eq!(CapabilitiesRequest::parse(Message::parse(&out).unwrap()).unwrap(), request);

        let mut answer =
            CapabilitiesAnswer::credit_control(id, &identity, &addresses, other, ResultCode(number));
        answer.error_message = Some(session_id);
        answer.failed_avp = Some(FAILED_AVP);
        out.clear();
        answer.encode(&mut out);
        prop_assert!(answer.offers_credit_control());
        prop_assert_eq!(CapabilitiesAnswer::parse(Message::parse(&out).unwrap()).unwrap(), answer);

        let request = DeviceWatchdogRequest::new(id, &identity);
        out.clear();
        request.encode(&mut out);
        prop_assert_eq!(DeviceWatchdogRequest::parse(Message::parse(&out).unwrap()).unwrap(), request);

        let request = DisconnectPeerRequest::new(id, &identity, DisconnectCause::Busy);
        out.clear();
        request.encode(&mut out);
        prop_assert_eq!(DisconnectPeerRequest::parse(Message::parse(&out).unwrap()).unwrap(), request);

        let request = ReAuthRequest {
            id, session_id, origin_host: host, origin_realm: realm, destination_realm: other,
            destination_host: host, service_identifier: Some(number), rating_group: state_id,
            proxy_infos: SmallVec::from_slice(&[PROXY_INFO]),
        };
        out.clear();
        request.encode(&mut out);
        prop_assert_eq!(ReAuthRequest::parse(Message::parse(&out).unwrap()).unwrap(), request);

        let request = AbortSessionRequest {
            id, session_id, origin_host: host, origin_realm: realm, destination_realm: other,
            destination_host: host, proxy_infos: SmallVec::new(),
        };
        out.clear();
        request.encode(&mut out);
        prop_assert_eq!(AbortSessionRequest::parse(Message::parse(&out).unwrap()).unwrap(), request);
    }
}
