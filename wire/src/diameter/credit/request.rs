//! Credit-Control-Request, read without copying and written for the client side (RFC 8506 section 3.1, TS 32.299 section 6.4.2).

use smallvec::SmallVec;

use crate::diameter::avp::{Avp, AvpKey, UnixSeconds, key, once, once_group, push, push_group};
use crate::diameter::credit::codes::{Enumerated, RequestType, RequestedAction};
use crate::diameter::credit::information::ServiceInformation;
use crate::diameter::credit::service::{ServiceContext, ServiceRequest};
use crate::diameter::credit::subscription::{SubscriptionId, UserEquipment};
use crate::diameter::credit::units::{ServiceUnits, UsedUnits};
use crate::diameter::error::{Violation, ViolationResult};
use crate::diameter::header::{APPLICATION_CREDIT_CONTROL, CommandCode, CommandFlags, MessageId};
use crate::diameter::limits::{
    PROXY_INFOS_MAX, ROUTE_RECORDS_MAX, SERVICES_MAX, SUBSCRIPTION_IDS_MAX, USED_UNITS_MAX,
};
use crate::diameter::message::Message;
use crate::diameter::writer::Writer;

/// Vendor-Specific-Application-Id (RFC 6733 section 6.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VendorApplication {
    /// Vendor-Id.
    pub vendor: Option<u32>,
    /// Auth-Application-Id.
    pub auth: Option<u32>,
    /// Acct-Application-Id.
    pub acct: Option<u32>,
}

impl VendorApplication {
    /// Reads the group. The Vendor-Id is required by the RFC but some peers leave it out.
    pub fn parse(avp: &Avp<'_>) -> ViolationResult<Self> {
        let mut application = Self::default();
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::VENDOR_ID => once(&mut application.vendor, inner.u32()?, &inner)?,
                key::AUTH_APPLICATION_ID => once(&mut application.auth, inner.u32()?, &inner)?,
                key::ACCT_APPLICATION_ID => once(&mut application.acct, inner.u32()?, &inner)?,
                _ => inner.ignore()?,
            }
        }
        Ok(application)
    }

    /// Writes the group.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.group(key::VENDOR_SPECIFIC_APPLICATION_ID, |w| {
            for (key, value) in [
                (key::VENDOR_ID, self.vendor),
                (key::AUTH_APPLICATION_ID, self.auth),
                (key::ACCT_APPLICATION_ID, self.acct),
            ] {
                if let Some(value) = value {
                    w.u32(key, value);
                }
            }
        });
    }
}

/// How a message names its application: Kamailio sends the vendor form only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplicationIds {
    /// Auth-Application-Id.
    pub auth: Option<u32>,
    /// Vendor-Specific-Application-Id.
    pub vendor: Option<VendorApplication>,
}

impl Default for ApplicationIds {
    /// Auth-Application-Id 4 alone.
    fn default() -> Self {
        Self {
            auth: Some(APPLICATION_CREDIT_CONTROL),
            vendor: None,
        }
    }
}

impl ApplicationIds {
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        if let Some(auth) = self.auth {
            w.u32(key::AUTH_APPLICATION_ID, auth);
        }
        if let Some(vendor) = &self.vendor {
            vendor.write(w);
        }
    }
}

/// A Credit-Control-Request. Borrows from the frame; short lists stay inside the struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditControlRequest<'a> {
    /// Hop-by-hop and end-to-end identifiers.
    pub id: MessageId,
    /// P bit.
    pub proxiable: bool,
    /// T bit: perhaps sent before on another link.
    pub retransmitted: bool,
    /// Session-Id.
    pub session_id: &'a str,
    /// Origin-Host: the client, also behind a relay.
    pub origin_host: &'a str,
    /// Origin-Realm.
    pub origin_realm: &'a str,
    /// Destination-Realm.
    pub destination_realm: &'a str,
    /// Destination-Host.
    pub destination_host: Option<&'a str>,
    /// Auth-Application-Id, Vendor-Specific-Application-Id or both.
    pub application: ApplicationIds,
    /// Service-Context-Id.
    pub service_context: ServiceContext<'a>,
    /// CC-Request-Type.
    pub request_type: RequestType,
    /// CC-Request-Number.
    pub request_number: u32,
    /// User-Name.
    pub user_name: Option<&'a str>,
    /// Origin-State-Id.
    pub origin_state_id: Option<u32>,
    /// Event-Timestamp.
    pub event_timestamp: Option<UnixSeconds>,
    /// Subscription-Ids in the order sent.
    pub subscriptions: SmallVec<[SubscriptionId<'a>; 2]>,
    /// Termination-Cause, as sent (RFC 6733 section 8.15).
    pub termination_cause: Option<i32>,
    /// Requested-Action; always present in an event.
    pub requested_action: Option<RequestedAction>,
    /// AoC-Request-Type (TS 32.299), as sent.
    pub aoc_request_type: Option<i32>,
    /// Multiple-Services-Indicator: the client can handle services apart.
    pub multiple_services: Option<bool>,
    /// Multiple-Services-Credit-Control.
    pub services: SmallVec<[ServiceRequest; 2]>,
    /// Service-Identifier outside of a service.
    pub service_identifier: Option<u32>,
    /// Requested-Service-Unit outside of a service.
    pub requested: Option<ServiceUnits>,
    /// Used-Service-Units outside of a service.
    pub used: SmallVec<[UsedUnits; 1]>,
    /// CC-Correlation-Id.
    pub correlation_id: Option<&'a [u8]>,
    /// User-Equipment-Info.
    pub user_equipment: Option<UserEquipment<'a>>,
    /// Proxy-Info AVPs as received, to be echoed.
    pub proxy_infos: SmallVec<[&'a [u8]; 1]>,
    /// Route-Record: the agents on the way.
    pub route_records: SmallVec<[&'a str; 1]>,
    /// Service-Information.
    pub service_information: Option<ServiceInformation<'a>>,
}

impl<'a> CreditControlRequest<'a> {
    /// A request with the required fields only: Auth-Application-Id 4, P bit set.
    #[must_use]
    pub fn new(
        id: MessageId,
        session_id: &'a str,
        origin: (&'a str, &'a str),
        destination_realm: &'a str,
        service_context: &'a str,
        (request_type, request_number): (RequestType, u32),
    ) -> Self {
        Self {
            id,
            proxiable: true,
            retransmitted: false,
            session_id,
            origin_host: origin.0,
            origin_realm: origin.1,
            destination_realm,
            destination_host: None,
            application: ApplicationIds::default(),
            service_context: ServiceContext::new(service_context),
            request_type,
            request_number,
            user_name: None,
            origin_state_id: None,
            event_timestamp: None,
            subscriptions: SmallVec::new(),
            termination_cause: None,
            requested_action: None,
            aoc_request_type: None,
            multiple_services: None,
            services: SmallVec::new(),
            service_identifier: None,
            requested: None,
            used: SmallVec::new(),
            correlation_id: None,
            user_equipment: None,
            proxy_infos: SmallVec::new(),
            route_records: SmallVec::new(),
            service_information: None,
        }
    }

    /// Reads a request. Errors carry the Result-Code and Failed-AVP to answer: 5001, 3009, 5004, 5005, 5009, 5012 or 5014.
    pub fn parse(message: Message<'a>) -> ViolationResult<Self> {
        let header = message.header;
        let mut request = Self::new(header.id, "", ("", ""), "", "", (RequestType::Event, 0));
        request.proxiable = header.flags.is_proxiable();
        request.retransmitted = header.flags.is_retransmitted();
        request.application = ApplicationIds {
            auth: None,
            vendor: None,
        };
        let mut seen = Seen(0);
        for avp in message.avps() {
            let avp = avp?;
            if !request.take(&mut seen, &avp)? {
                avp.ignore()?;
            }
        }
        request.check_required(seen)?;
        Ok(request)
    }

    #[inline(always)]
    fn take(&mut self, seen: &mut Seen, avp: &Avp<'a>) -> ViolationResult<bool> {
        match avp.key {
            key::SESSION_ID => seen.once(Seen::SESSION_ID, &mut self.session_id, avp.str()?, avp)?,
            key::ORIGIN_HOST => seen.once(Seen::ORIGIN_HOST, &mut self.origin_host, avp.str()?, avp)?,
            key::ORIGIN_REALM => seen.once(Seen::ORIGIN_REALM, &mut self.origin_realm, avp.str()?, avp)?,
            key::DESTINATION_REALM => {
                seen.once(
                    Seen::DESTINATION_REALM,
                    &mut self.destination_realm,
                    avp.str()?,
                    avp,
                )?;
            }
            key::SERVICE_CONTEXT_ID => {
                let context = ServiceContext::new(avp.str()?);
                seen.once(Seen::SERVICE_CONTEXT, &mut self.service_context, context, avp)?;
            }
            key::CC_REQUEST_TYPE => {
                seen.once(
                    Seen::REQUEST_TYPE,
                    &mut self.request_type,
                    RequestType::parse(avp)?,
                    avp,
                )?;
            }
            key::CC_REQUEST_NUMBER => {
                seen.once(Seen::REQUEST_NUMBER, &mut self.request_number, avp.u32()?, avp)?;
            }
            key::AUTH_APPLICATION_ID => once(&mut self.application.auth, parse_application(avp)?, avp)?,
            key::VENDOR_SPECIFIC_APPLICATION_ID => {
                once(&mut self.application.vendor, VendorApplication::parse(avp)?, avp)?;
            }
            key::DESTINATION_HOST => once(&mut self.destination_host, avp.str()?, avp)?,
            key::USER_NAME => once(&mut self.user_name, avp.str()?, avp)?,
            key::ORIGIN_STATE_ID => once(&mut self.origin_state_id, avp.u32()?, avp)?,
            key::EVENT_TIMESTAMP => once(&mut self.event_timestamp, avp.time()?, avp)?,
            key::SUBSCRIPTION_ID => {
                push(
                    &mut self.subscriptions,
                    SubscriptionId::parse(avp)?,
                    SUBSCRIPTION_IDS_MAX,
                    avp,
                )?;
            }
            key::SUBSCRIPTION_ID_EXTENSION => {
                if let Some(id) = SubscriptionId::parse_extension(avp)? {
                    push(&mut self.subscriptions, id, SUBSCRIPTION_IDS_MAX, avp)?;
                }
            }
            key::TERMINATION_CAUSE => once(&mut self.termination_cause, avp.i32()?, avp)?,
            key::REQUESTED_ACTION => once(&mut self.requested_action, RequestedAction::parse(avp)?, avp)?,
            key::AOC_REQUEST_TYPE => once(&mut self.aoc_request_type, avp.i32()?, avp)?,
            key::MULTIPLE_SERVICES_INDICATOR => match avp.i32()? {
                value @ (0 | 1) => once(&mut self.multiple_services, value == 1, avp)?,
                _ => return Err(avp.invalid_value("value has no meaning")),
            },
            key::MULTIPLE_SERVICES_CREDIT_CONTROL => {
                push_group(&mut self.services, SERVICES_MAX, avp, ServiceRequest::fill)?;
            }
            key::SERVICE_IDENTIFIER => once(&mut self.service_identifier, avp.u32()?, avp)?,
            key::REQUESTED_SERVICE_UNIT => once_group(&mut self.requested, avp, ServiceUnits::fill)?,
            key::USED_SERVICE_UNIT => push_group(&mut self.used, USED_UNITS_MAX, avp, UsedUnits::fill)?,
            key::CC_CORRELATION_ID => once(&mut self.correlation_id, avp.data(), avp)?,
            key::USER_EQUIPMENT_INFO => once(&mut self.user_equipment, UserEquipment::parse(avp)?, avp)?,
            key::PROXY_INFO => push(&mut self.proxy_infos, avp.raw, PROXY_INFOS_MAX, avp)?,
            key::ROUTE_RECORD => push(&mut self.route_records, avp.str()?, ROUTE_RECORDS_MAX, avp)?,
            key::SERVICE_INFORMATION => {
                once_group(&mut self.service_information, avp, ServiceInformation::fill)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// 5005 for the first required field that is missing.
    fn check_required(&self, seen: Seen) -> ViolationResult<()> {
        seen.require(Seen::SESSION_ID, key::SESSION_ID)?;
        seen.require(Seen::ORIGIN_HOST, key::ORIGIN_HOST)?;
        seen.require(Seen::ORIGIN_REALM, key::ORIGIN_REALM)?;
        seen.require(Seen::DESTINATION_REALM, key::DESTINATION_REALM)?;
        if self.application.auth.is_none() && self.application.vendor.is_none() {
            return Err(Violation::missing(key::AUTH_APPLICATION_ID));
        }
        seen.require(Seen::SERVICE_CONTEXT, key::SERVICE_CONTEXT_ID)?;
        seen.require(Seen::REQUEST_TYPE, key::CC_REQUEST_TYPE)?;
        seen.require(Seen::REQUEST_NUMBER, key::CC_REQUEST_NUMBER)?;
        if self.request_type == RequestType::Event && self.requested_action.is_none() {
            return Err(Violation::missing(key::REQUESTED_ACTION));
        }
        Ok(())
    }

    /// Appends the request to a buffer.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = CommandFlags::REQUEST;
        if self.proxiable {
            flags |= CommandFlags::PROXIABLE;
        }
        if self.retransmitted {
            flags |= CommandFlags::RETRANSMITTED;
        }
        let mut w = Writer::begin(
            out,
            CommandCode::CREDIT_CONTROL,
            flags,
            APPLICATION_CREDIT_CONTROL,
            self.id,
        );
        w.str(key::SESSION_ID, self.session_id);
        w.str(key::ORIGIN_HOST, self.origin_host);
        w.str(key::ORIGIN_REALM, self.origin_realm);
        w.str(key::DESTINATION_REALM, self.destination_realm);
        self.application.write(&mut w);
        w.str(key::SERVICE_CONTEXT_ID, self.service_context.id);
        w.i32(key::CC_REQUEST_TYPE, self.request_type.code());
        w.u32(key::CC_REQUEST_NUMBER, self.request_number);
        for (key, text) in [
            (key::DESTINATION_HOST, self.destination_host),
            (key::USER_NAME, self.user_name),
        ] {
            if let Some(text) = text {
                w.str(key, text);
            }
        }
        if let Some(state) = self.origin_state_id {
            w.u32(key::ORIGIN_STATE_ID, state);
        }
        if let Some(time) = self.event_timestamp {
            w.time(key::EVENT_TIMESTAMP, time);
        }
        for id in &self.subscriptions {
            id.write(&mut w);
        }
        for (key, value) in [
            (key::TERMINATION_CAUSE, self.termination_cause),
            (key::REQUESTED_ACTION, self.requested_action.map(Enumerated::code)),
            (key::AOC_REQUEST_TYPE, self.aoc_request_type),
            (
                key::MULTIPLE_SERVICES_INDICATOR,
                self.multiple_services.map(i32::from),
            ),
        ] {
            if let Some(value) = value {
                w.i32(key, value);
            }
        }
        for service in &self.services {
            service.write(&mut w);
        }
        if let Some(id) = self.service_identifier {
            w.u32(key::SERVICE_IDENTIFIER, id);
        }
        if let Some(units) = &self.requested {
            w.group(key::REQUESTED_SERVICE_UNIT, |w| units.write(w));
        }
        for used in &self.used {
            used.write(&mut w);
        }
        if let Some(id) = self.correlation_id {
            w.octets(key::CC_CORRELATION_ID, id);
        }
        if let Some(equipment) = &self.user_equipment {
            equipment.write(&mut w);
        }
        for info in &self.proxy_infos {
            w.raw(info);
        }
        for record in &self.route_records {
            w.str(key::ROUTE_RECORD, record);
        }
        if let Some(information) = &self.service_information {
            information.write(&mut w);
        }
        w.finish();
    }
}

/// Which required fields have been read, one bit each.
#[derive(Clone, Copy)]
struct Seen(u8);

impl Seen {
    const SESSION_ID: u8 = 1;
    const ORIGIN_HOST: u8 = 2;
    const ORIGIN_REALM: u8 = 4;
    const DESTINATION_REALM: u8 = 8;
    const SERVICE_CONTEXT: u8 = 16;
    const REQUEST_TYPE: u8 = 32;
    const REQUEST_NUMBER: u8 = 64;

    /// As [`once`], for a field that has no empty value.
    #[inline]
    fn once<T: PartialEq>(&mut self, bit: u8, slot: &mut T, value: T, avp: &Avp<'_>) -> ViolationResult<()> {
        if self.0 & bit == 0 {
            self.0 |= bit;
            *slot = value;
            return Ok(());
        }
        if *slot == value {
            Ok(())
        } else {
            Err(avp.too_many())
        }
    }

    #[inline]
    fn require(self, bit: u8, key: AvpKey) -> ViolationResult<()> {
        if self.0 & bit == 0 {
            Err(Violation::missing(key))
        } else {
            Ok(())
        }
    }
}

fn parse_application(avp: &Avp<'_>) -> ViolationResult<u32> {
    match avp.u32()? {
        APPLICATION_CREDIT_CONTROL => Ok(APPLICATION_CREDIT_CONTROL),
        _ => Err(avp.invalid_value("application is not credit control")),
    }
}
