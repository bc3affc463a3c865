//! Multiple-Services-Credit-Control in both directions, and the Service-Context-Id (RFC 8506 sections 8.16 and 8.42).

use smallvec::SmallVec;

use crate::diameter::avp::{Avp, key, once, once_group, push, push_group};
use crate::diameter::credit::codes::{Enumerated, RedirectAddressType, ReportingReason};
use crate::diameter::credit::units::{GrantedUnits, ServiceUnits, UsedUnits, take_reason};
use crate::diameter::error::{ResultCode, Violation, ViolationResult};
use crate::diameter::limits::{LIST_ENTRIES_MAX, SERVICE_IDENTIFIERS_MAX, USED_UNITS_MAX};
use crate::diameter::writer::Writer;

/// The charging service that a Service-Context-Id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChargingService {
    /// TS 32.251: data.
    PacketSwitched,
    /// TS 32.260: voice and more over IMS.
    Ims,
    /// TS 32.274: short messages.
    Sms,
    /// TS 32.275: multimedia telephony.
    Mmtel,
    /// Another context.
    Other,
}

const DOMAIN_3GPP: &[u8] = b"@3gpp.org";

/// Service-Context-Id, for example `32251@3gpp.org` or `ext.01.001.8.32260@3gpp.org` (TS 32.299 section 7.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceContext<'a> {
    /// The identifier as sent.
    pub id: &'a str,
    /// What it means.
    pub service: ChargingService,
}

impl<'a> ServiceContext<'a> {
    /// Reads the specification number in front of `@3gpp.org`; what stands before it (extensions, MNC.MCC.release) is allowed.
    #[must_use]
    pub fn new(id: &'a str) -> Self {
        let octets = id.as_bytes();
        let domain_at = octets.len().saturating_sub(DOMAIN_3GPP.len());
        let (local, domain) = octets.split_at(domain_at);
        let number = local.rsplit(|octet| *octet == b'.').next().unwrap_or(local);
        let service = match number {
            _ if !domain.eq_ignore_ascii_case(DOMAIN_3GPP) => ChargingService::Other,
            b"32251" => ChargingService::PacketSwitched,
            b"32260" => ChargingService::Ims,
            b"32274" => ChargingService::Sms,
            b"32275" => ChargingService::Mmtel,
            _ => ChargingService::Other,
        };
        Self { id, service }
    }
}

/// One Multiple-Services-Credit-Control of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceRequest {
    /// Requested-Service-Unit; empty units leave the size to the server.
    pub requested: Option<ServiceUnits>,
    /// Every Used-Service-Unit.
    pub used: SmallVec<[UsedUnits; 1]>,
    /// Service-Identifiers.
    pub service_identifiers: SmallVec<[u32; 2]>,
    /// Rating-Group.
    pub rating_group: Option<u32>,
    /// Reporting-Reason beside the units: for all kinds of quota.
    pub reporting_reason: Option<ReportingReason>,
}

impl ServiceRequest {
    pub(super) fn fill(&mut self, avp: &Avp<'_>) -> ViolationResult<()> {
        let service = self;
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::REQUESTED_SERVICE_UNIT => {
                    once_group(&mut service.requested, &inner, ServiceUnits::fill)?;
                }
                key::USED_SERVICE_UNIT => {
                    push_group(&mut service.used, USED_UNITS_MAX, &inner, UsedUnits::fill)?;
                }
                key::SERVICE_IDENTIFIER => {
                    push(
                        &mut service.service_identifiers,
                        inner.u32()?,
                        SERVICE_IDENTIFIERS_MAX,
                        &inner,
                    )?;
                }
                key::RATING_GROUP => once(&mut service.rating_group, inner.u32()?, &inner)?,
                key::REPORTING_REASON => take_reason(&mut service.reporting_reason, &inner)?,
                _ => inner.ignore()?,
            }
        }
        Ok(())
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.group(key::MULTIPLE_SERVICES_CREDIT_CONTROL, |w| {
            if let Some(units) = &self.requested {
                w.group(key::REQUESTED_SERVICE_UNIT, |w| units.write(w));
            }
            for used in &self.used {
                used.write(w);
            }
            for id in &self.service_identifiers {
                w.u32(key::SERVICE_IDENTIFIER, *id);
            }
            if let Some(group) = self.rating_group {
                w.u32(key::RATING_GROUP, group);
            }
            if let Some(reason) = self.reporting_reason {
                w.i32(key::REPORTING_REASON, reason.code());
            }
        });
    }
}

/// Final-Unit-Indication: what happens when this grant is used up (RFC 8506 section 8.34).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinalUnit<'a> {
    /// End the service.
    Terminate,
    /// Send the user to this server, for example the top-up page.
    Redirect {
        /// Redirect-Address-Type.
        kind: RedirectAddressType,
        /// Redirect-Server-Address.
        address: &'a str,
    },
    /// Let only some traffic through.
    Restrict {
        /// Restriction-Filter-Rules (IPFilterRule syntax).
        rules: SmallVec<[&'a str; 1]>,
        /// Filter-Ids: names of filters kept by the gateway.
        filter_ids: SmallVec<[&'a str; 1]>,
    },
}

impl<'a> FinalUnit<'a> {
    pub(super) fn parse(avp: &Avp<'a>) -> ViolationResult<Self> {
        let (mut action, mut redirect) = (None, None);
        let (mut rules, mut filter_ids) = (SmallVec::new(), SmallVec::new());
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::FINAL_UNIT_ACTION => once(&mut action, inner.i32()?, &inner)?,
                key::REDIRECT_SERVER => once(&mut redirect, parse_redirect(&inner)?, &inner)?,
                key::RESTRICTION_FILTER_RULE => push(&mut rules, inner.str()?, LIST_ENTRIES_MAX, &inner)?,
                key::FILTER_ID => push(&mut filter_ids, inner.str()?, LIST_ENTRIES_MAX, &inner)?,
                _ => inner.ignore()?,
            }
        }
        match action {
            None => Err(Violation::missing(key::FINAL_UNIT_ACTION)),
            Some(0) => Ok(Self::Terminate),
            Some(1) => {
                let (kind, address) = redirect.ok_or_else(|| Violation::missing(key::REDIRECT_SERVER))?;
                Ok(Self::Redirect { kind, address })
            }
            Some(2) => Ok(Self::Restrict { rules, filter_ids }),
            Some(_) => Err(avp.invalid_value("final unit action has no meaning")),
        }
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.group(key::FINAL_UNIT_INDICATION, |w| match self {
            Self::Terminate => w.i32(key::FINAL_UNIT_ACTION, 0),
            Self::Redirect { kind, address } => {
                w.i32(key::FINAL_UNIT_ACTION, 1);
                w.group(key::REDIRECT_SERVER, |w| {
                    w.i32(key::REDIRECT_ADDRESS_TYPE, kind.code());
                    w.str(key::REDIRECT_SERVER_ADDRESS, address);
                });
            }
            Self::Restrict { rules, filter_ids } => {
                w.i32(key::FINAL_UNIT_ACTION, 2);
                for rule in rules {
                    w.str(key::RESTRICTION_FILTER_RULE, rule);
                }
                for id in filter_ids {
                    w.str(key::FILTER_ID, id);
                }
            }
        });
    }
}

fn parse_redirect<'a>(avp: &Avp<'a>) -> ViolationResult<(RedirectAddressType, &'a str)> {
    let (mut kind, mut address) = (None, None);
    for inner in avp.group()? {
        let inner = inner?;
        match inner.key {
            key::REDIRECT_ADDRESS_TYPE => once(&mut kind, RedirectAddressType::parse(&inner)?, &inner)?,
            key::REDIRECT_SERVER_ADDRESS => once(&mut address, inner.str()?, &inner)?,
            _ => inner.ignore()?,
        }
    }
    Ok((
        kind.ok_or_else(|| Violation::missing(key::REDIRECT_ADDRESS_TYPE))?,
        address.ok_or_else(|| Violation::missing(key::REDIRECT_SERVER_ADDRESS))?,
    ))
}

/// One Multiple-Services-Credit-Control of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceAnswer<'a> {
    /// Granted-Service-Unit.
    pub granted: Option<GrantedUnits>,
    /// Service-Identifiers of the request.
    pub service_identifiers: SmallVec<[u32; 2]>,
    /// Rating-Group of the request.
    pub rating_group: Option<u32>,
    /// Validity-Time, seconds.
    pub validity_time_s: Option<u32>,
    /// Result-Code of this service.
    pub result_code: Option<ResultCode>,
    /// Final-Unit-Indication.
    pub final_unit: Option<FinalUnit<'a>>,
    /// Time-Quota-Threshold, seconds: report when this much of the grant is left.
    pub time_quota_threshold_s: Option<u32>,
    /// Volume-Quota-Threshold, octets.
    pub volume_quota_threshold_octets: Option<u32>,
    /// Unit-Quota-Threshold, service units.
    pub unit_quota_threshold: Option<u32>,
    /// Quota-Holding-Time, seconds without traffic after which the grant is given back.
    pub quota_holding_time_s: Option<u32>,
    /// Quota-Consumption-Time, seconds without traffic that still count.
    pub quota_consumption_time_s: Option<u32>,
}

impl<'a> ServiceAnswer<'a> {
    pub(super) fn fill(&mut self, avp: &Avp<'a>) -> ViolationResult<()> {
        let service = self;
        for inner in avp.group()? {
            let inner = inner?;
            let number = match inner.key {
                key::VALIDITY_TIME => &mut service.validity_time_s,
                key::RATING_GROUP => &mut service.rating_group,
                key::TIME_QUOTA_THRESHOLD => &mut service.time_quota_threshold_s,
                key::VOLUME_QUOTA_THRESHOLD => &mut service.volume_quota_threshold_octets,
                key::UNIT_QUOTA_THRESHOLD => &mut service.unit_quota_threshold,
                key::QUOTA_HOLDING_TIME => &mut service.quota_holding_time_s,
                key::QUOTA_CONSUMPTION_TIME => &mut service.quota_consumption_time_s,
                key::GRANTED_SERVICE_UNIT => {
                    once_group(&mut service.granted, &inner, GrantedUnits::fill)?;
                    continue;
                }
                key::SERVICE_IDENTIFIER => {
                    push(
                        &mut service.service_identifiers,
                        inner.u32()?,
                        SERVICE_IDENTIFIERS_MAX,
                        &inner,
                    )?;
                    continue;
                }
                key::RESULT_CODE => {
                    once(&mut service.result_code, ResultCode(inner.u32()?), &inner)?;
                    continue;
                }
                key::FINAL_UNIT_INDICATION => {
                    once(&mut service.final_unit, FinalUnit::parse(&inner)?, &inner)?;
                    continue;
                }
                _ => {
                    inner.ignore()?;
                    continue;
                }
            };
            once(number, inner.u32()?, &inner)?;
        }
        Ok(())
    }

    #[inline]
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.group(key::MULTIPLE_SERVICES_CREDIT_CONTROL, |w| {
            if let Some(granted) = &self.granted {
                granted.write(w);
            }
            for id in &self.service_identifiers {
                w.u32(key::SERVICE_IDENTIFIER, *id);
            }
            for (key, number) in [
                (key::RATING_GROUP, self.rating_group),
                (key::VALIDITY_TIME, self.validity_time_s),
                (key::RESULT_CODE, self.result_code.map(|code| code.0)),
                (key::TIME_QUOTA_THRESHOLD, self.time_quota_threshold_s),
                (key::VOLUME_QUOTA_THRESHOLD, self.volume_quota_threshold_octets),
                (key::UNIT_QUOTA_THRESHOLD, self.unit_quota_threshold),
                (key::QUOTA_HOLDING_TIME, self.quota_holding_time_s),
                (key::QUOTA_CONSUMPTION_TIME, self.quota_consumption_time_s),
            ] {
                if let Some(number) = number {
                    w.u32(key, number);
                }
            }
            if let Some(final_unit) = &self.final_unit {
                final_unit.write(w);
            }
        });
    }
}
