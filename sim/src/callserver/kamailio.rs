//! Credit-Control-Requests as Kamailio 5.6 `ims_charging` writes them: identity twice, no Auth-Application-Id of its own,
//! accounting AVPs inside credit control. Written by hand, as our own types would not make such a message.

use wire::diameter::avp::{AvpKey, UnixSeconds, VENDOR_3GPP, key};
use wire::diameter::credit::{Enumerated, RequestType, RoleOfNode, SubscriptionIdType};
use wire::diameter::{APPLICATION_CREDIT_CONTROL, CommandCode, CommandFlags, MessageId, Writer};

use super::CallServerSettings;
use super::call::{Call, Leg};

const ACCOUNTING_RECORD_TYPE: AvpKey = AvpKey::new(0, 480);
const ACCOUNTING_RECORD_NUMBER: AvpKey = AvpKey::new(0, 485);
const INTER_OPERATOR_IDENTIFIER: AvpKey = AvpKey::new(VENDOR_3GPP, 838);
const ORIGINATING_IOI: AvpKey = AvpKey::new(VENDOR_3GPP, 839);
const TERMINATING_IOI: AvpKey = AvpKey::new(VENDOR_3GPP, 840);
/// Termination-Cause DIAMETER_LOGOUT, with code 4 as Kamailio sends it (DIAMETER_ADMINISTRATIVE).
const TERMINATION_CAUSE: i32 = 4;

/// What one request says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report<'a> {
    pub(super) session_id: &'a str,
    pub(super) end_to_end: u32,
    pub(super) kind: RequestType,
    pub(super) number: u32,
    pub(super) used_s: Option<u32>,
}

/// One encoded request.
pub(super) fn encode(settings: &CallServerSettings, call: &Call, report: &Report<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let id = MessageId {
        hop_by_hop: 0,
        end_to_end: report.end_to_end,
    };
    let flags = CommandFlags::REQUEST | CommandFlags::PROXIABLE;
    let mut w = Writer::begin(
        &mut out,
        CommandCode::CREDIT_CONTROL,
        flags,
        APPLICATION_CREDIT_CONTROL,
        id,
    );
    w.str(key::SESSION_ID, report.session_id);
    for _ in 0..2 {
        w.str(key::ORIGIN_HOST, &settings.host);
        w.str(key::ORIGIN_REALM, &settings.realm);
    }
    w.str(key::DESTINATION_REALM, &settings.destination_realm);
    w.i32(ACCOUNTING_RECORD_TYPE, record_type(report.kind));
    w.u32(ACCOUNTING_RECORD_NUMBER, report.number);
    w.group(key::VENDOR_SPECIFIC_APPLICATION_ID, |w| {
        w.u32(key::VENDOR_ID, VENDOR_3GPP);
        w.u32(key::AUTH_APPLICATION_ID, APPLICATION_CREDIT_CONTROL);
    });
    w.str(key::SERVICE_CONTEXT_ID, "ext.01.001.8.32260@3gpp.org");
    w.i32(key::CC_REQUEST_TYPE, report.kind.code());
    w.u32(key::CC_REQUEST_NUMBER, report.number);
    w.time(key::EVENT_TIMESTAMP, now());
    let payer = with_plus(match call.leg {
        Leg::Originating => &call.caller,
        Leg::Terminating => &call.called,
    });
    subscription(&mut w, &payer);
    w.group(key::USER_EQUIPMENT_INFO, |w| {
        w.i32(key::USER_EQUIPMENT_INFO_TYPE, 1);
        w.str(key::USER_EQUIPMENT_INFO_VALUE, "00-00-00-00-00-00");
    });
    w.i32(key::MULTIPLE_SERVICES_INDICATOR, 1);
    service(&mut w, settings, report);
    if report.kind == RequestType::Termination {
        w.i32(key::TERMINATION_CAUSE, TERMINATION_CAUSE);
    }
    w.group(key::SERVICE_INFORMATION, |w| {
        subscription(w, &payer);
        ims_information(w, call, report);
    });
    w.finish();
    out
}

fn subscription(w: &mut Writer<'_>, payer: &str) {
    w.group(key::SUBSCRIPTION_ID, |w| {
        w.i32(key::SUBSCRIPTION_ID_TYPE, SubscriptionIdType::E164.code());
        w.str(key::SUBSCRIPTION_ID_DATA, payer);
    });
}

fn service(w: &mut Writer<'_>, settings: &CallServerSettings, report: &Report<'_>) {
    w.group(key::MULTIPLE_SERVICES_CREDIT_CONTROL, |w| {
        if report.kind != RequestType::Termination {
            w.group(key::REQUESTED_SERVICE_UNIT, |w| {
                w.u32(key::CC_TIME, settings.request_s);
            });
        }
        if let Some(seconds) = report.used_s {
            w.group(key::USED_SERVICE_UNIT, |w| w.u32(key::CC_TIME, seconds));
        }
        w.u32(key::SERVICE_IDENTIFIER, settings.service_identifier);
        w.u32(key::RATING_GROUP, settings.rating_group);
    });
}

fn ims_information(w: &mut Writer<'_>, call: &Call, report: &Report<'_>) {
    w.group(key::IMS_INFORMATION, |w| {
        w.group(key::EVENT_TYPE, |w| {
            let method = match report.kind {
                RequestType::Initial => "INVITE",
                _ => "dummy",
            };
            w.str(key::SIP_METHOD, method);
            w.u32(key::EXPIRES, u32::MAX);
        });
        let role = match call.leg {
            Leg::Originating => RoleOfNode::Originating,
            Leg::Terminating => RoleOfNode::Terminating,
        };
        w.i32(key::ROLE_OF_NODE, role.code());
        w.i32(key::NODE_FUNCTIONALITY, 0);
        w.str(key::USER_SESSION_ID, &format!("{}@ims", report.session_id));
        w.str(
            key::CALLING_PARTY_ADDRESS,
            &format!("tel:{}", with_plus(&call.caller)),
        );
        w.str(
            key::CALLED_PARTY_ADDRESS,
            &format!("sip:{}@ims.example", call.called),
        );
        w.group(key::TIME_STAMPS, |w| {
            w.time(key::SIP_REQUEST_TIMESTAMP, now());
            if report.kind != RequestType::Initial {
                w.time(key::SIP_RESPONSE_TIMESTAMP, now());
            }
        });
        w.group(INTER_OPERATOR_IDENTIFIER, |w| {
            w.str(ORIGINATING_IOI, "0");
            w.str(TERMINATING_IOI, "0");
        });
        w.octets(key::ACCESS_NETWORK_INFORMATION, call.access_network.as_bytes());
    });
}

/// Accounting-Record-Type (RFC 6733 section 9.8.1).
fn record_type(kind: RequestType) -> i32 {
    match kind {
        RequestType::Event => 1,
        RequestType::Initial => 2,
        RequestType::Update => 3,
        RequestType::Termination => 4,
    }
}

fn with_plus(number: &str) -> String {
    format!("+{}", number.trim_start_matches('+'))
}

fn now() -> UnixSeconds {
    UnixSeconds(crate::now().seconds())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::diameter::Message;
    use wire::diameter::credit::{ChargingService, CreditControlRequest};

    #[test]
    fn the_request_has_what_was_observed() {
        let settings = CallServerSettings::new("charging.example");
        let call = Call::new("+923001234567", "+923331234567", 60);
        let report = Report {
            session_id: "scscf.ims.example;1234567890;987654321",
            end_to_end: 7,
            kind: RequestType::Update,
            number: 1,
            used_s: Some(0),
        };
        let frame = encode(&settings, &call, &report);
        assert!((840..=960).contains(&frame.len()), "{} octets", frame.len());
        let message = Message::parse(&frame).unwrap();
        let hosts = message
            .avps()
            .filter(|avp| avp.as_ref().is_ok_and(|avp| avp.key == key::ORIGIN_HOST));
        assert_eq!(hosts.count(), 2);
        let request = CreditControlRequest::parse(message).unwrap();
        assert_eq!(request.application.auth, None);
        assert_eq!(request.service_context.service, ChargingService::Ims);
        assert_eq!(request.subscriptions[0].digits(), Some("923001234567"));
        assert_eq!(request.services[0].used[0].units.time_s, Some(0));
        let information = request.service_information.unwrap();
        assert_eq!(information.subscriptions.len(), 1);
        let ims = information.ims.unwrap();
        assert_eq!((ims.sip_method, ims.expires_s), (Some("dummy"), Some(u32::MAX)));
        assert_eq!(ims.location().map(|location| location.plmn.mcc), Some(410));
    }
}
