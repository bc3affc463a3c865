//! Service-Information: what the data gateway, the call server and the message centre say of the service (TS 32.299 section 7.2).

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::diameter::avp::{Avp, AvpKey, UnixSeconds, key, once, once_group, push};
use crate::diameter::credit::codes::{Enumerated, RoleOfNode};
use crate::diameter::credit::location::{Plmn, UserLocation, of_access_networks};
use crate::diameter::credit::subscription::{SubscriptionId, UserEquipment};
use crate::diameter::error::ViolationResult;
use crate::diameter::limits::{LIST_ENTRIES_MAX, SUBSCRIPTION_IDS_MAX};
use crate::diameter::writer::Writer;

/// Service-Information.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceInformation<'a> {
    /// Subscription-Ids inside (Kamailio repeats them here).
    pub subscriptions: SmallVec<[SubscriptionId<'a>; 1]>,
    /// PS-Information.
    pub data: Option<PsInformation<'a>>,
    /// IMS-Information.
    pub ims: Option<ImsInformation<'a>>,
    /// SMS-Information.
    pub sms: Option<SmsInformation<'a>>,
}

impl<'a> ServiceInformation<'a> {
    pub(super) fn fill(&mut self, avp: &Avp<'a>) -> ViolationResult<()> {
        let info = self;
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::SUBSCRIPTION_ID => {
                    let id = SubscriptionId::parse(&inner)?;
                    push(&mut info.subscriptions, id, SUBSCRIPTION_IDS_MAX, &inner)?;
                }
                key::PS_INFORMATION => once_group(&mut info.data, &inner, PsInformation::fill)?,
                key::IMS_INFORMATION => once_group(&mut info.ims, &inner, ImsInformation::fill)?,
                key::SMS_INFORMATION => once_group(&mut info.sms, &inner, SmsInformation::fill)?,
                _ => inner.ignore()?,
            }
        }
        Ok(())
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.group(key::SERVICE_INFORMATION, |w| {
            for id in &self.subscriptions {
                id.write(w);
            }
            if let Some(data) = &self.data {
                data.write(w);
            }
            if let Some(ims) = &self.ims {
                ims.write(w);
            }
            if let Some(sms) = &self.sms {
                sms.write(w);
            }
        });
    }
}

/// PS-Information: what the PGW or SMF says of a data session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PsInformation<'a> {
    /// 3GPP-Charging-Id.
    pub charging_id: Option<&'a [u8]>,
    /// 3GPP-PDP-Type: 0 IPv4, 2 IPv6, 3 both.
    pub pdp_type: Option<i32>,
    /// PDP-Addresses of the phone.
    pub pdp_addresses: SmallVec<[IpAddr; 2]>,
    /// SGSN-Address, the serving gateway.
    pub sgsn_address: Option<IpAddr>,
    /// GGSN-Address, the packet gateway.
    pub ggsn_address: Option<IpAddr>,
    /// 3GPP-IMSI-MCC-MNC: the home network.
    pub home_mcc_mnc: Option<&'a str>,
    /// 3GPP-GGSN-MCC-MNC: the network of the packet gateway.
    pub ggsn_mcc_mnc: Option<&'a str>,
    /// Called-Station-Id: the APN.
    pub called_station_id: Option<&'a str>,
    /// 3GPP-Charging-Characteristics.
    pub charging_characteristics: Option<&'a str>,
    /// 3GPP-SGSN-MCC-MNC: the network in which the phone is.
    pub serving_mcc_mnc: Option<&'a str>,
    /// 3GPP-MS-TimeZone.
    pub timezone: Option<&'a [u8]>,
    /// 3GPP-User-Location-Info.
    pub user_location: Option<&'a [u8]>,
    /// 3GPP-RAT-Type: the radio technology (TS 29.274 section 8.17), 6 is LTE.
    pub rat_type: Option<&'a [u8]>,
    /// User-Equipment-Info.
    pub user_equipment: Option<UserEquipment<'a>>,
}

impl<'a> PsInformation<'a> {
    /// The serving cell.
    #[must_use]
    pub fn location(&self) -> Option<UserLocation> {
        UserLocation::from_octets(self.user_location?)
    }

    /// The serving network: from SGSN-MCC-MNC, else from the user location.
    #[must_use]
    pub fn serving_plmn(&self) -> Option<Plmn> {
        self.serving_mcc_mnc
            .and_then(Plmn::from_text)
            .or_else(|| self.location().map(|location| location.plmn))
    }

    fn fill(&mut self, avp: &Avp<'a>) -> ViolationResult<()> {
        let info = self;
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::TGPP_CHARGING_ID => once(&mut info.charging_id, inner.data(), &inner)?,
                key::TGPP_PDP_TYPE => once(&mut info.pdp_type, inner.i32()?, &inner)?,
                key::PDP_ADDRESS => {
                    push(
                        &mut info.pdp_addresses,
                        inner.address()?,
                        LIST_ENTRIES_MAX,
                        &inner,
                    )?;
                }
                // Several serving nodes are allowed in a list (TS 32.299); the first one counts.
                key::SGSN_ADDRESS => {
                    let address = inner.address()?;
                    info.sgsn_address.get_or_insert(address);
                }
                key::GGSN_ADDRESS => {
                    let address = inner.address()?;
                    info.ggsn_address.get_or_insert(address);
                }
                key::TGPP_IMSI_MCC_MNC => once(&mut info.home_mcc_mnc, inner.str()?, &inner)?,
                key::TGPP_GGSN_MCC_MNC => once(&mut info.ggsn_mcc_mnc, inner.str()?, &inner)?,
                key::CALLED_STATION_ID => once(&mut info.called_station_id, inner.str()?, &inner)?,
                key::TGPP_CHARGING_CHARACTERISTICS => {
                    once(&mut info.charging_characteristics, inner.str()?, &inner)?;
                }
                key::TGPP_SGSN_MCC_MNC => once(&mut info.serving_mcc_mnc, inner.str()?, &inner)?,
                key::TGPP_MS_TIMEZONE => once(&mut info.timezone, inner.data(), &inner)?,
                key::TGPP_USER_LOCATION_INFO => once(&mut info.user_location, inner.data(), &inner)?,
                key::TGPP_RAT_TYPE => once(&mut info.rat_type, inner.data(), &inner)?,
                key::USER_EQUIPMENT_INFO => {
                    once(&mut info.user_equipment, UserEquipment::parse(&inner)?, &inner)?;
                }
                _ => inner.ignore()?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.group(key::PS_INFORMATION, |w| {
            octets(w, key::TGPP_CHARGING_ID, self.charging_id);
            if let Some(kind) = self.pdp_type {
                w.i32(key::TGPP_PDP_TYPE, kind);
            }
            for address in &self.pdp_addresses {
                w.address(key::PDP_ADDRESS, *address);
            }
            address(w, key::SGSN_ADDRESS, self.sgsn_address);
            address(w, key::GGSN_ADDRESS, self.ggsn_address);
            text(w, key::TGPP_IMSI_MCC_MNC, self.home_mcc_mnc);
            text(w, key::TGPP_GGSN_MCC_MNC, self.ggsn_mcc_mnc);
            text(w, key::CALLED_STATION_ID, self.called_station_id);
            text(
                w,
                key::TGPP_CHARGING_CHARACTERISTICS,
                self.charging_characteristics,
            );
            text(w, key::TGPP_SGSN_MCC_MNC, self.serving_mcc_mnc);
            octets(w, key::TGPP_MS_TIMEZONE, self.timezone);
            octets(w, key::TGPP_USER_LOCATION_INFO, self.user_location);
            octets(w, key::TGPP_RAT_TYPE, self.rat_type);
            if let Some(equipment) = &self.user_equipment {
                equipment.write(w);
            }
        });
    }
}

/// IMS-Information: what the S-CSCF or application server says of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImsInformation<'a> {
    /// SIP-Method of Event-Type, for example `INVITE`.
    pub sip_method: Option<&'a str>,
    /// Expires of Event-Type, seconds; Kamailio sends all ones.
    pub expires_s: Option<u32>,
    /// Role-Of-Node: which leg of the call this is.
    pub role_of_node: Option<RoleOfNode>,
    /// Node-Functionality: 0 S-CSCF, 6 application server.
    pub node_functionality: Option<i32>,
    /// User-Session-Id: the Call-ID.
    pub user_session_id: Option<&'a str>,
    /// Calling-Party-Addresses.
    pub calling_parties: SmallVec<[&'a str; 1]>,
    /// Called-Party-Address.
    pub called_party: Option<&'a str>,
    /// Called-Asserted-Identities.
    pub called_asserted: SmallVec<[&'a str; 1]>,
    /// Requested-Party-Address: before translation.
    pub requested_party: Option<&'a str>,
    /// SIP-Request-Timestamp.
    pub request_time: Option<UnixSeconds>,
    /// SIP-Response-Timestamp.
    pub response_time: Option<UnixSeconds>,
    /// IMS-Charging-Identifier: the same on both legs.
    pub charging_identifier: Option<&'a str>,
    /// Access-Network-Informations, as in the P-Access-Network-Info header.
    pub access_networks: SmallVec<[&'a [u8]; 1]>,
    /// Cause-Code.
    pub cause_code: Option<i32>,
}

impl<'a> ImsInformation<'a> {
    /// The cell from which the payer calls or in which it is called.
    #[must_use]
    pub fn location(&self) -> Option<UserLocation> {
        of_access_networks(&self.access_networks)
    }

    fn fill(&mut self, avp: &Avp<'a>) -> ViolationResult<()> {
        let info = self;
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::EVENT_TYPE => info.parse_event_type(&inner)?,
                key::ROLE_OF_NODE => {
                    if let Some(role) = RoleOfNode::from_code(inner.i32()?) {
                        once(&mut info.role_of_node, role, &inner)?;
                    }
                }
                key::NODE_FUNCTIONALITY => once(&mut info.node_functionality, inner.i32()?, &inner)?,
                key::USER_SESSION_ID => once(&mut info.user_session_id, inner.str()?, &inner)?,
                key::CALLING_PARTY_ADDRESS => {
                    push(&mut info.calling_parties, inner.str()?, LIST_ENTRIES_MAX, &inner)?;
                }
                key::CALLED_PARTY_ADDRESS => once(&mut info.called_party, inner.str()?, &inner)?,
                key::CALLED_ASSERTED_IDENTITY => {
                    push(&mut info.called_asserted, inner.str()?, LIST_ENTRIES_MAX, &inner)?;
                }
                key::REQUESTED_PARTY_ADDRESS => once(&mut info.requested_party, inner.str()?, &inner)?,
                key::TIME_STAMPS => info.parse_time_stamps(&inner)?,
                key::IMS_CHARGING_IDENTIFIER => once(&mut info.charging_identifier, inner.str()?, &inner)?,
                key::ACCESS_NETWORK_INFORMATION => {
                    push(&mut info.access_networks, inner.data(), LIST_ENTRIES_MAX, &inner)?;
                }
                key::CAUSE_CODE => once(&mut info.cause_code, inner.i32()?, &inner)?,
                _ => inner.ignore()?,
            }
        }
        Ok(())
    }

    fn parse_event_type(&mut self, avp: &Avp<'a>) -> ViolationResult<()> {
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::SIP_METHOD => once(&mut self.sip_method, inner.str()?, &inner)?,
                key::EXPIRES => once(&mut self.expires_s, inner.u32()?, &inner)?,
                _ => inner.ignore()?,
            }
        }
        Ok(())
    }

    fn parse_time_stamps(&mut self, avp: &Avp<'a>) -> ViolationResult<()> {
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::SIP_REQUEST_TIMESTAMP => once(&mut self.request_time, inner.time()?, &inner)?,
                key::SIP_RESPONSE_TIMESTAMP => once(&mut self.response_time, inner.time()?, &inner)?,
                _ => inner.ignore()?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.group(key::IMS_INFORMATION, |w| {
            if self.sip_method.is_some() || self.expires_s.is_some() {
                w.group(key::EVENT_TYPE, |w| {
                    text(w, key::SIP_METHOD, self.sip_method);
                    if let Some(expires) = self.expires_s {
                        w.u32(key::EXPIRES, expires);
                    }
                });
            }
            if let Some(role) = self.role_of_node {
                w.i32(key::ROLE_OF_NODE, role.code());
            }
            if let Some(node) = self.node_functionality {
                w.i32(key::NODE_FUNCTIONALITY, node);
            }
            text(w, key::USER_SESSION_ID, self.user_session_id);
            for party in &self.calling_parties {
                w.str(key::CALLING_PARTY_ADDRESS, party);
            }
            text(w, key::CALLED_PARTY_ADDRESS, self.called_party);
            for party in &self.called_asserted {
                w.str(key::CALLED_ASSERTED_IDENTITY, party);
            }
            text(w, key::REQUESTED_PARTY_ADDRESS, self.requested_party);
            if self.request_time.is_some() || self.response_time.is_some() {
                w.group(key::TIME_STAMPS, |w| {
                    if let Some(time) = self.request_time {
                        w.time(key::SIP_REQUEST_TIMESTAMP, time);
                    }
                    if let Some(time) = self.response_time {
                        w.time(key::SIP_RESPONSE_TIMESTAMP, time);
                    }
                });
            }
            text(w, key::IMS_CHARGING_IDENTIFIER, self.charging_identifier);
            for network in &self.access_networks {
                w.octets(key::ACCESS_NETWORK_INFORMATION, network);
            }
            if let Some(cause) = self.cause_code {
                w.i32(key::CAUSE_CODE, cause);
            }
        });
    }
}

/// SMS-Information: what the message centre says of a short message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SmsInformation<'a> {
    /// SMS-Node: 0 router, 1 IP-SM-GW, 2 both, 3 SMS-SC.
    pub node: Option<i32>,
    /// SMSC-Address.
    pub smsc_address: Option<IpAddr>,
    /// Client-Address.
    pub client_address: Option<IpAddr>,
    /// SM-Message-Type: 0 submission, 1 delivery report.
    pub message_type: Option<i32>,
    /// Data-Coding-Scheme.
    pub data_coding: Option<i32>,
    /// Number-of-Messages-Sent: the parts of a long message.
    pub messages_sent: Option<u32>,
    /// Originator-Address.
    pub originator: Option<MessageAddress<'a>>,
    /// Recipient-Addresses of all Recipient-Infos.
    pub recipients: SmallVec<[MessageAddress<'a>; 1]>,
}

/// An Originator-Address or Recipient-Address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageAddress<'a> {
    /// Address-Type: 0 e-mail, 1 MSISDN, 2 IPv4, 3 IPv6, 4 short code, 5 alphanumeric, 6 other, 7 IMSI.
    pub kind: Option<i32>,
    /// Address-Data.
    pub data: Option<&'a str>,
}

impl<'a> MessageAddress<'a> {
    fn parse(avp: &Avp<'a>) -> ViolationResult<Self> {
        let mut address = Self::default();
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::ADDRESS_TYPE => once(&mut address.kind, inner.i32()?, &inner)?,
                key::ADDRESS_DATA => once(&mut address.data, inner.str()?, &inner)?,
                _ => inner.ignore()?,
            }
        }
        Ok(address)
    }

    fn write_inside(&self, w: &mut Writer<'_>) {
        if let Some(kind) = self.kind {
            w.i32(key::ADDRESS_TYPE, kind);
        }
        text(w, key::ADDRESS_DATA, self.data);
    }
}

impl<'a> SmsInformation<'a> {
    fn fill(&mut self, avp: &Avp<'a>) -> ViolationResult<()> {
        let info = self;
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::SMS_NODE => once(&mut info.node, inner.i32()?, &inner)?,
                key::SMSC_ADDRESS => once(&mut info.smsc_address, inner.address()?, &inner)?,
                key::CLIENT_ADDRESS => once(&mut info.client_address, inner.address()?, &inner)?,
                key::SM_MESSAGE_TYPE => once(&mut info.message_type, inner.i32()?, &inner)?,
                key::DATA_CODING_SCHEME => once(&mut info.data_coding, inner.i32()?, &inner)?,
                key::NUMBER_OF_MESSAGES_SENT => once(&mut info.messages_sent, inner.u32()?, &inner)?,
                key::ORIGINATOR_ADDRESS => {
                    once(&mut info.originator, MessageAddress::parse(&inner)?, &inner)?;
                }
                key::RECIPIENT_INFO => info.parse_recipient(&inner)?,
                _ => inner.ignore()?,
            }
        }
        Ok(())
    }

    fn parse_recipient(&mut self, avp: &Avp<'a>) -> ViolationResult<()> {
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::RECIPIENT_ADDRESS => {
                    push(
                        &mut self.recipients,
                        MessageAddress::parse(&inner)?,
                        LIST_ENTRIES_MAX,
                        &inner,
                    )?;
                }
                _ => inner.ignore()?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.group(key::SMS_INFORMATION, |w| {
            if let Some(node) = self.node {
                w.i32(key::SMS_NODE, node);
            }
            address(w, key::SMSC_ADDRESS, self.smsc_address);
            address(w, key::CLIENT_ADDRESS, self.client_address);
            if let Some(kind) = self.message_type {
                w.i32(key::SM_MESSAGE_TYPE, kind);
            }
            if let Some(scheme) = self.data_coding {
                w.i32(key::DATA_CODING_SCHEME, scheme);
            }
            if let Some(count) = self.messages_sent {
                w.u32(key::NUMBER_OF_MESSAGES_SENT, count);
            }
            if let Some(originator) = &self.originator {
                w.group(key::ORIGINATOR_ADDRESS, |w| originator.write_inside(w));
            }
            for recipient in &self.recipients {
                w.group(key::RECIPIENT_INFO, |w| {
                    w.group(key::RECIPIENT_ADDRESS, |w| recipient.write_inside(w));
                });
            }
        });
    }
}

fn text(w: &mut Writer<'_>, key: AvpKey, value: Option<&str>) {
    if let Some(value) = value {
        w.str(key, value);
    }
}

fn octets(w: &mut Writer<'_>, key: AvpKey, value: Option<&[u8]>) {
    if let Some(value) = value {
        w.octets(key, value);
    }
}

fn address(w: &mut Writer<'_>, key: AvpKey, value: Option<IpAddr>) {
    if let Some(value) = value {
        w.address(key, value);
    }
}
