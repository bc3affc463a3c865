//! Capabilities exchange, both directions (RFC 6733 section 5.3).

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::diameter::avp::{Avp, VENDOR_3GPP, key, once, push};
use crate::diameter::base::Identity;
use crate::diameter::credit::VendorApplication;
use crate::diameter::error::{ResultCode, Violation, ViolationResult};
use crate::diameter::header::{
    APPLICATION_BASE, APPLICATION_CREDIT_CONTROL, APPLICATION_RELAY, CommandCode, CommandFlags, MessageId,
};
use crate::diameter::limits::LIST_ENTRIES_MAX;
use crate::diameter::message::Message;
use crate::diameter::writer::Writer;

/// Inband-Security-Id NO_INBAND_SECURITY: the connection is as it is, TLS was made before or not at all.
pub const SECURITY_NONE: u32 = 0;

/// What a CER and a CEA have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Capabilities<'a> {
    id: MessageId,
    result_code: Option<ResultCode>,
    origin_host: Option<&'a str>,
    origin_realm: Option<&'a str>,
    host_addresses: SmallVec<[IpAddr; 2]>,
    vendor_id: Option<u32>,
    product_name: Option<&'a str>,
    origin_state_id: Option<u32>,
    supported_vendors: SmallVec<[u32; 4]>,
    auth_applications: SmallVec<[u32; 4]>,
    acct_applications: SmallVec<[u32; 4]>,
    vendor_applications: SmallVec<[VendorApplication; 4]>,
    inband_security: SmallVec<[u32; 2]>,
    firmware_revision: Option<u32>,
    error_message: Option<&'a str>,
    failed_avp: Option<&'a [u8]>,
}

/// Capabilities-Exchange-Request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilitiesRequest<'a> {
    /// Identifiers.
    pub id: MessageId,
    /// Origin-Host.
    pub origin_host: &'a str,
    /// Origin-Realm.
    pub origin_realm: &'a str,
    /// Host-IP-Addresses, at least one.
    pub host_addresses: SmallVec<[IpAddr; 2]>,
    /// Vendor-Id of the implementation, 0 when it has none.
    pub vendor_id: u32,
    /// Product-Name.
    pub product_name: &'a str,
    /// Origin-State-Id.
    pub origin_state_id: Option<u32>,
    /// Auth-Application-Ids.
    pub auth_applications: SmallVec<[u32; 4]>,
    /// Vendor-Specific-Application-Ids.
    pub vendor_applications: SmallVec<[VendorApplication; 4]>,
    /// Inband-Security-Ids; empty means [`SECURITY_NONE`].
    pub inband_security: SmallVec<[u32; 2]>,
}

/// Capabilities-Exchange-Answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilitiesAnswer<'a> {
    /// Identifiers of the request.
    pub id: MessageId,
    /// Result-Code.
    pub result_code: ResultCode,
    /// Origin-Host.
    pub origin_host: &'a str,
    /// Origin-Realm.
    pub origin_realm: &'a str,
    /// Host-IP-Addresses.
    pub host_addresses: SmallVec<[IpAddr; 2]>,
    /// Vendor-Id of the implementation.
    pub vendor_id: u32,
    /// Product-Name.
    pub product_name: &'a str,
    /// Origin-State-Id.
    pub origin_state_id: Option<u32>,
    /// Auth-Application-Ids.
    pub auth_applications: SmallVec<[u32; 4]>,
    /// Vendor-Specific-Application-Ids.
    pub vendor_applications: SmallVec<[VendorApplication; 4]>,
    /// Error-Message, for people.
    pub error_message: Option<&'a str>,
    /// What is inside Failed-AVP: whole AVPs.
    pub failed_avp: Option<&'a [u8]>,
}

fn offers_credit_control(auth: &[u32], vendor: &[VendorApplication]) -> bool {
    let serves = |id: u32| id == APPLICATION_CREDIT_CONTROL || id == APPLICATION_RELAY;
    auth.iter().any(|id| serves(*id))
        || vendor
            .iter()
            .any(|application| application.auth.is_some_and(serves))
}

fn our_applications() -> (SmallVec<[u32; 4]>, SmallVec<[VendorApplication; 4]>) {
    let vendor = VendorApplication {
        vendor: Some(VENDOR_3GPP),
        auth: Some(APPLICATION_CREDIT_CONTROL),
        acct: None,
    };
    (
        SmallVec::from_slice(&[APPLICATION_CREDIT_CONTROL]),
        SmallVec::from_slice(&[vendor]),
    )
}

impl<'a> CapabilitiesRequest<'a> {
    /// A request that offers credit control, plainly and as the 3GPP application.
    #[must_use]
    pub fn credit_control(
        id: MessageId,
        identity: &Identity<'a>,
        host_addresses: &[IpAddr],
        product_name: &'a str,
    ) -> Self {
        let (auth_applications, vendor_applications) = our_applications();
        Self {
            id,
            origin_host: identity.host,
            origin_realm: identity.realm,
            host_addresses: host_addresses.iter().copied().collect(),
            vendor_id: 0,
            product_name,
            origin_state_id: identity.state_id,
            auth_applications,
            vendor_applications,
            inband_security: SmallVec::new(),
        }
    }

    /// True when the peer offers credit control, in either form, or is a relay.
    #[must_use]
    pub fn offers_credit_control(&self) -> bool {
        offers_credit_control(&self.auth_applications, &self.vendor_applications)
    }

    /// True when the peer can go on without TLS negotiated inside the connection.
    #[must_use]
    pub fn offers_plain(&self) -> bool {
        self.inband_security.is_empty() || self.inband_security.contains(&SECURITY_NONE)
    }

    /// Reads a request. Errors as for every request; 5005 for each field that the RFC requires.
    pub fn parse(message: Message<'a>) -> ViolationResult<Self> {
        let fields = Capabilities::parse(message, true)?;
        let missing = Violation::missing;
        if fields.host_addresses.is_empty() {
            return Err(missing(key::HOST_IP_ADDRESS));
        }
        Ok(Self {
            id: fields.id,
            origin_host: fields.origin_host.ok_or_else(|| missing(key::ORIGIN_HOST))?,
            origin_realm: fields.origin_realm.ok_or_else(|| missing(key::ORIGIN_REALM))?,
            host_addresses: fields.host_addresses,
            vendor_id: fields.vendor_id.ok_or_else(|| missing(key::VENDOR_ID))?,
            product_name: fields.product_name.ok_or_else(|| missing(key::PRODUCT_NAME))?,
            origin_state_id: fields.origin_state_id,
            auth_applications: fields.auth_applications,
            vendor_applications: fields.vendor_applications,
            inband_security: fields.inband_security,
        })
    }

    /// Appends the request to a buffer.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer::begin(
            out,
            CommandCode::CAPABILITIES_EXCHANGE,
            CommandFlags::REQUEST,
            APPLICATION_BASE,
            self.id,
        );
        w.str(key::ORIGIN_HOST, self.origin_host);
        w.str(key::ORIGIN_REALM, self.origin_realm);
        write_node(
            &mut w,
            &self.host_addresses,
            self.vendor_id,
            self.product_name,
            self.origin_state_id,
        );
        write_applications(&mut w, &self.auth_applications, &self.vendor_applications);
        for id in &self.inband_security {
            w.u32(key::INBAND_SECURITY_ID, *id);
        }
        w.finish();
    }
}

impl<'a> CapabilitiesAnswer<'a> {
    /// An answer from a node that serves credit control.
    #[must_use]
    pub fn credit_control(
        id: MessageId,
        identity: &Identity<'a>,
        host_addresses: &[IpAddr],
        product_name: &'a str,
        result_code: ResultCode,
    ) -> Self {
        let (auth_applications, vendor_applications) = our_applications();
        Self {
            id,
            result_code,
            origin_host: identity.host,
            origin_realm: identity.realm,
            host_addresses: host_addresses.iter().copied().collect(),
            vendor_id: 0,
            product_name,
            origin_state_id: identity.state_id,
            auth_applications,
            vendor_applications,
            error_message: None,
            failed_avp: None,
        }
    }

    /// True when the peer serves credit control or relays it.
    #[must_use]
    pub fn offers_credit_control(&self) -> bool {
        offers_credit_control(&self.auth_applications, &self.vendor_applications)
    }

    /// Reads an answer. An answer that refuses may leave out all but result and origin.
    pub fn parse(message: Message<'a>) -> ViolationResult<Self> {
        let fields = Capabilities::parse(message, false)?;
        let missing = Violation::missing;
        Ok(Self {
            id: fields.id,
            result_code: fields.result_code.ok_or_else(|| missing(key::RESULT_CODE))?,
            origin_host: fields.origin_host.ok_or_else(|| missing(key::ORIGIN_HOST))?,
            origin_realm: fields.origin_realm.ok_or_else(|| missing(key::ORIGIN_REALM))?,
            host_addresses: fields.host_addresses,
            vendor_id: fields.vendor_id.unwrap_or(0),
            product_name: fields.product_name.unwrap_or(""),
            origin_state_id: fields.origin_state_id,
            auth_applications: fields.auth_applications,
            vendor_applications: fields.vendor_applications,
            error_message: fields.error_message,
            failed_avp: fields.failed_avp,
        })
    }

    /// Appends the answer to a buffer; the E bit follows from a 3xxx result.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flags = if self.result_code.is_protocol_error() {
            CommandFlags::ERROR
        } else {
            0
        };
        let mut w = Writer::begin(
            out,
            CommandCode::CAPABILITIES_EXCHANGE,
            flags,
            APPLICATION_BASE,
            self.id,
        );
        w.u32(key::RESULT_CODE, self.result_code.0);
        w.str(key::ORIGIN_HOST, self.origin_host);
        w.str(key::ORIGIN_REALM, self.origin_realm);
        write_node(
            &mut w,
            &self.host_addresses,
            self.vendor_id,
            self.product_name,
            self.origin_state_id,
        );
        if let Some(text) = self.error_message {
            w.str(key::ERROR_MESSAGE, text);
        }
        if let Some(failed) = self.failed_avp {
            w.group(key::FAILED_AVP, |w| w.raw(failed));
        }
        write_applications(&mut w, &self.auth_applications, &self.vendor_applications);
        w.finish();
    }
}

impl<'a> Capabilities<'a> {
    fn parse(message: Message<'a>, is_strict: bool) -> ViolationResult<Self> {
        let mut fields = Self {
            id: message.header.id,
            result_code: None,
            origin_host: None,
            origin_realm: None,
            host_addresses: SmallVec::new(),
            vendor_id: None,
            product_name: None,
            origin_state_id: None,
            supported_vendors: SmallVec::new(),
            auth_applications: SmallVec::new(),
            acct_applications: SmallVec::new(),
            vendor_applications: SmallVec::new(),
            inband_security: SmallVec::new(),
            firmware_revision: None,
            error_message: None,
            failed_avp: None,
        };
        for avp in message.avps() {
            let avp = avp?;
            if !fields.take(&avp)? && is_strict {
                avp.ignore()?;
            }
        }
        Ok(fields)
    }

    fn take(&mut self, avp: &Avp<'a>) -> ViolationResult<bool> {
        match avp.key {
            key::RESULT_CODE => once(&mut self.result_code, ResultCode(avp.u32()?), avp)?,
            key::ORIGIN_HOST => once(&mut self.origin_host, avp.str()?, avp)?,
            key::ORIGIN_REALM => once(&mut self.origin_realm, avp.str()?, avp)?,
            key::HOST_IP_ADDRESS => push(&mut self.host_addresses, avp.address()?, LIST_ENTRIES_MAX, avp)?,
            key::VENDOR_ID => once(&mut self.vendor_id, avp.u32()?, avp)?,
            key::PRODUCT_NAME => once(&mut self.product_name, avp.str()?, avp)?,
            key::ORIGIN_STATE_ID => once(&mut self.origin_state_id, avp.u32()?, avp)?,
            // A relay or an IMS core lists dozens; the ones past the limit cannot matter to us.
            key::SUPPORTED_VENDOR_ID => keep(&mut self.supported_vendors, avp.u32()?),
            key::AUTH_APPLICATION_ID => keep(&mut self.auth_applications, avp.u32()?),
            key::ACCT_APPLICATION_ID => keep(&mut self.acct_applications, avp.u32()?),
            key::VENDOR_SPECIFIC_APPLICATION_ID => {
                keep(&mut self.vendor_applications, VendorApplication::parse(avp)?);
            }
            key::INBAND_SECURITY_ID => push(&mut self.inband_security, avp.u32()?, LIST_ENTRIES_MAX, avp)?,
            key::FIRMWARE_REVISION => once(&mut self.firmware_revision, avp.u32()?, avp)?,
            key::ERROR_MESSAGE => once(&mut self.error_message, avp.str()?, avp)?,
            key::FAILED_AVP => once(&mut self.failed_avp, avp.data(), avp)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn keep<A: smallvec::Array>(list: &mut SmallVec<A>, value: A::Item)
where
    A::Item: PartialEq,
{
    let is_new = !list.contains(&value);
    if is_new && list.len() < crate::diameter::limits::AVPS_PER_LEVEL_MAX as usize {
        list.push(value);
    }
}

fn write_node(
    w: &mut Writer<'_>,
    addresses: &[IpAddr],
    vendor_id: u32,
    product_name: &str,
    origin_state_id: Option<u32>,
) {
    for address in addresses {
        w.address(key::HOST_IP_ADDRESS, *address);
    }
    w.u32(key::VENDOR_ID, vendor_id);
    w.str(key::PRODUCT_NAME, product_name);
    if let Some(state) = origin_state_id {
        w.u32(key::ORIGIN_STATE_ID, state);
    }
}

fn write_applications(w: &mut Writer<'_>, auth: &[u32], vendor: &[VendorApplication]) {
    w.u32(key::SUPPORTED_VENDOR_ID, VENDOR_3GPP);
    for id in auth {
        w.u32(key::AUTH_APPLICATION_ID, *id);
    }
    for application in vendor {
        application.write(w);
    }
}
