//! Credit-Control-Answer, written for the server side and read by the client (RFC 8506 section 3.2, TS 32.299 section 6.4.3).

use smallvec::SmallVec;

use crate::diameter::avp::{Avp, key, once, once_group, push, push_group};
use crate::diameter::credit::codes::{
    DirectDebitingFailureHandling, Enumerated, FailureHandling, RequestType,
};
use crate::diameter::credit::request::{ApplicationIds, CreditControlRequest, VendorApplication};
use crate::diameter::credit::service::{FinalUnit, ServiceAnswer};
use crate::diameter::credit::units::{
    CurrencyAmount, GrantedUnits, parse_amount, parse_unit_value, write_amount, write_amount_inside,
};
use crate::diameter::error::{ResultCode, Violation, ViolationResult};
use crate::diameter::header::{APPLICATION_CREDIT_CONTROL, CommandCode, CommandFlags, MessageId};
use crate::diameter::limits::{PROXY_INFOS_MAX, SERVICES_MAX};
use crate::diameter::message::Message;
use crate::diameter::writer::Writer;

/// Cost-Information (RFC 8506 section 8.7), for a price enquiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostInformation<'a> {
    /// The cost. Currency-Code is required by the RFC.
    pub amount: CurrencyAmount,
    /// Cost-Unit, for example `minute`.
    pub unit: Option<&'a str>,
}

/// A Credit-Control-Answer. Not for answers with the E bit: those are [`crate::diameter::AnswerMessage`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditControlAnswer<'a> {
    /// Identifiers of the request.
    pub id: MessageId,
    /// P bit of the request.
    pub proxiable: bool,
    /// Session-Id.
    pub session_id: &'a str,
    /// Result-Code of the whole request.
    pub result_code: ResultCode,
    /// Origin-Host.
    pub origin_host: &'a str,
    /// Origin-Realm.
    pub origin_realm: &'a str,
    /// Application of the request.
    pub application: ApplicationIds,
    /// CC-Request-Type.
    pub request_type: RequestType,
    /// CC-Request-Number.
    pub request_number: u32,
    /// Origin-State-Id.
    pub origin_state_id: Option<u32>,
    /// CC-Session-Failover: another server may go on with the session.
    pub session_failover: Option<bool>,
    /// Multiple-Services-Credit-Control.
    pub services: SmallVec<[ServiceAnswer<'a>; 2]>,
    /// Granted-Service-Unit outside of a service.
    pub granted: Option<GrantedUnits>,
    /// Final-Unit-Indication outside of a service.
    pub final_unit: Option<FinalUnit<'a>>,
    /// Validity-Time outside of a service, seconds.
    pub validity_time_s: Option<u32>,
    /// Cost-Information.
    pub cost: Option<CostInformation<'a>>,
    /// Remaining-Balance (TS 32.299 section 7.2.158).
    pub remaining_balance: Option<CurrencyAmount>,
    /// Low-Balance-Indication (TS 32.299 section 7.2.84).
    pub low_balance: Option<bool>,
    /// Check-Balance-Result: true is ENOUGH_CREDIT.
    pub enough_credit: Option<bool>,
    /// Credit-Control-Failure-Handling.
    pub failure_handling: Option<FailureHandling>,
    /// Direct-Debiting-Failure-Handling.
    pub direct_debiting_failure_handling: Option<DirectDebitingFailureHandling>,
    /// Error-Message, for people.
    pub error_message: Option<&'a str>,
    /// What goes into Failed-AVP: whole AVPs.
    pub failed_avp: Option<&'a [u8]>,
    /// Proxy-Info AVPs of the request.
    pub proxy_infos: SmallVec<[&'a [u8]; 1]>,
}

impl<'a> CreditControlAnswer<'a> {
    /// An answer to `request` from `origin` (host, realm), with ids, P bit, application and Proxy-Info of the request.
    #[must_use]
    pub fn to(
        request: &CreditControlRequest<'a>,
        origin: (&'a str, &'a str),
        result_code: ResultCode,
    ) -> Self {
        let request_number = (request.request_type, request.request_number);
        let mut answer = Self::new(
            request.id,
            request.session_id,
            origin,
            request_number,
            result_code,
        );
        answer.proxiable = request.proxiable;
        // RFC 8506 requires Auth-Application-Id in every answer; who sent the vendor form gets that too.
        answer.application.vendor = request.application.vendor;
        answer.proxy_infos = request.proxy_infos.iter().copied().collect();
        answer
    }

    /// An answer with the required fields only: P bit set, Auth-Application-Id 4.
    #[must_use]
    pub fn new(
        id: MessageId,
        session_id: &'a str,
        (origin_host, origin_realm): (&'a str, &'a str),
        (request_type, request_number): (RequestType, u32),
        result_code: ResultCode,
    ) -> Self {
        Self {
            id,
            proxiable: true,
            session_id,
            result_code,
            origin_host,
            origin_realm,
            application: ApplicationIds::default(),
            request_type,
            request_number,
            origin_state_id: None,
            session_failover: None,
            services: SmallVec::new(),
            granted: None,
            final_unit: None,
            validity_time_s: None,
            cost: None,
            remaining_balance: None,
            low_balance: None,
            enough_credit: None,
            failure_handling: None,
            direct_debiting_failure_handling: None,
            error_message: None,
            failed_avp: None,
            proxy_infos: SmallVec::new(),
        }
    }

    /// Appends the answer to a buffer.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = if self.proxiable {
            CommandFlags::PROXIABLE
        } else {
            0
        };
        if self.result_code.is_protocol_error() {
            flags |= CommandFlags::ERROR;
        }
        let mut w = Writer::begin(
            out,
            CommandCode::CREDIT_CONTROL,
            flags,
            APPLICATION_CREDIT_CONTROL,
            self.id,
        );
        w.str(key::SESSION_ID, self.session_id);
        w.u32(key::RESULT_CODE, self.result_code.0);
        w.str(key::ORIGIN_HOST, self.origin_host);
        w.str(key::ORIGIN_REALM, self.origin_realm);
        self.application.write(&mut w);
        w.i32(key::CC_REQUEST_TYPE, self.request_type.code());
        w.u32(key::CC_REQUEST_NUMBER, self.request_number);
        if let Some(state) = self.origin_state_id {
            w.u32(key::ORIGIN_STATE_ID, state);
        }
        if let Some(failover) = self.session_failover {
            w.i32(key::CC_SESSION_FAILOVER, i32::from(failover));
        }
        for service in &self.services {
            service.write(&mut w);
        }
        self.encode_rare(&mut w);
        w.finish();
    }

    fn encode_rare(&self, w: &mut Writer<'_>) {
        if let Some(granted) = &self.granted {
            granted.write(w);
        }
        if let Some(cost) = &self.cost {
            w.group(key::COST_INFORMATION, |w| {
                write_amount_inside(w, &cost.amount);
                if let Some(unit) = cost.unit {
                    w.str(key::COST_UNIT, unit);
                }
            });
        }
        if let Some(final_unit) = &self.final_unit {
            final_unit.write(w);
        }
        for (key, value) in [
            (key::LOW_BALANCE_INDICATION, self.low_balance.map(i32::from)),
            // ENOUGH_CREDIT is 0, NO_CREDIT is 1.
            (
                key::CHECK_BALANCE_RESULT,
                self.enough_credit.map(|enough| i32::from(!enough)),
            ),
            (
                key::CREDIT_CONTROL_FAILURE_HANDLING,
                self.failure_handling.map(Enumerated::code),
            ),
            (
                key::DIRECT_DEBITING_FAILURE_HANDLING,
                self.direct_debiting_failure_handling.map(Enumerated::code),
            ),
        ] {
            if let Some(value) = value {
                w.i32(key, value);
            }
        }
        if let Some(seconds) = self.validity_time_s {
            w.u32(key::VALIDITY_TIME, seconds);
        }
        if let Some(balance) = &self.remaining_balance {
            write_amount(w, key::REMAINING_BALANCE, balance);
        }
        if let Some(text) = self.error_message {
            w.str(key::ERROR_MESSAGE, text);
        }
        if let Some(failed) = self.failed_avp {
            w.group(key::FAILED_AVP, |w| w.raw(failed));
        }
        for info in &self.proxy_infos {
            w.raw(info);
        }
    }

    /// Reads an answer. Errors say what is wrong with it; a client treats them as a failed request.
    pub fn parse(message: Message<'a>) -> ViolationResult<Self> {
        let id = message.header.id;
        let mut answer = Self::new(id, "", ("", ""), (RequestType::Event, 0), ResultCode(0));
        answer.proxiable = message.header.flags.is_proxiable();
        answer.application = ApplicationIds {
            auth: None,
            vendor: None,
        };
        let mut required = Required::default();
        for avp in message.avps() {
            let avp = avp?;
            if !required.take(&avp)? && !answer.take(&avp)? {
                avp.ignore()?;
            }
        }
        required.finish(answer)
    }

    fn take(&mut self, avp: &Avp<'a>) -> ViolationResult<bool> {
        match avp.key {
            key::AUTH_APPLICATION_ID => once(&mut self.application.auth, avp.u32()?, avp)?,
            key::VENDOR_SPECIFIC_APPLICATION_ID => {
                once(&mut self.application.vendor, VendorApplication::parse(avp)?, avp)?;
            }
            key::ORIGIN_STATE_ID => once(&mut self.origin_state_id, avp.u32()?, avp)?,
            key::CC_SESSION_FAILOVER => once(&mut self.session_failover, avp.i32()? == 1, avp)?,
            key::MULTIPLE_SERVICES_CREDIT_CONTROL => {
                push_group(&mut self.services, SERVICES_MAX, avp, ServiceAnswer::fill)?;
            }
            key::GRANTED_SERVICE_UNIT => once_group(&mut self.granted, avp, GrantedUnits::fill)?,
            key::FINAL_UNIT_INDICATION => once(&mut self.final_unit, FinalUnit::parse(avp)?, avp)?,
            key::VALIDITY_TIME => once(&mut self.validity_time_s, avp.u32()?, avp)?,
            key::COST_INFORMATION => once(&mut self.cost, parse_cost(avp)?, avp)?,
            key::REMAINING_BALANCE => once(&mut self.remaining_balance, parse_amount(avp)?, avp)?,
            key::LOW_BALANCE_INDICATION => once(&mut self.low_balance, avp.i32()? == 1, avp)?,
            key::CHECK_BALANCE_RESULT => once(&mut self.enough_credit, avp.i32()? == 0, avp)?,
            key::CREDIT_CONTROL_FAILURE_HANDLING => {
                once(&mut self.failure_handling, FailureHandling::parse(avp)?, avp)?;
            }
            key::DIRECT_DEBITING_FAILURE_HANDLING => {
                let handling = DirectDebitingFailureHandling::parse(avp)?;
                once(&mut self.direct_debiting_failure_handling, handling, avp)?;
            }
            key::ERROR_MESSAGE => once(&mut self.error_message, avp.str()?, avp)?,
            key::FAILED_AVP => once(&mut self.failed_avp, avp.data(), avp)?,
            key::PROXY_INFO => push(&mut self.proxy_infos, avp.raw, PROXY_INFOS_MAX, avp)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[derive(Default)]
struct Required<'a> {
    session_id: Option<&'a str>,
    result_code: Option<u32>,
    origin_host: Option<&'a str>,
    origin_realm: Option<&'a str>,
    request_type: Option<RequestType>,
    request_number: Option<u32>,
}

impl<'a> Required<'a> {
    fn take(&mut self, avp: &Avp<'a>) -> ViolationResult<bool> {
        match avp.key {
            key::SESSION_ID => once(&mut self.session_id, avp.str()?, avp)?,
            key::RESULT_CODE => once(&mut self.result_code, avp.u32()?, avp)?,
            key::ORIGIN_HOST => once(&mut self.origin_host, avp.str()?, avp)?,
            key::ORIGIN_REALM => once(&mut self.origin_realm, avp.str()?, avp)?,
            key::CC_REQUEST_TYPE => once(&mut self.request_type, RequestType::parse(avp)?, avp)?,
            key::CC_REQUEST_NUMBER => once(&mut self.request_number, avp.u32()?, avp)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self, mut answer: CreditControlAnswer<'a>) -> ViolationResult<CreditControlAnswer<'a>> {
        let missing = Violation::missing;
        answer.session_id = self.session_id.ok_or_else(|| missing(key::SESSION_ID))?;
        answer.result_code = ResultCode(self.result_code.ok_or_else(|| missing(key::RESULT_CODE))?);
        answer.origin_host = self.origin_host.ok_or_else(|| missing(key::ORIGIN_HOST))?;
        answer.origin_realm = self.origin_realm.ok_or_else(|| missing(key::ORIGIN_REALM))?;
        answer.request_type = self.request_type.ok_or_else(|| missing(key::CC_REQUEST_TYPE))?;
        answer.request_number = self
            .request_number
            .ok_or_else(|| missing(key::CC_REQUEST_NUMBER))?;
        Ok(answer)
    }
}

fn parse_cost<'a>(avp: &Avp<'a>) -> ViolationResult<CostInformation<'a>> {
    let (mut value, mut currency, mut unit) = (None, None, None);
    for inner in avp.group()? {
        let inner = inner?;
        match inner.key {
            key::UNIT_VALUE => once(&mut value, parse_unit_value(&inner)?, &inner)?,
            key::CURRENCY_CODE => once(&mut currency, inner.u32()?, &inner)?,
            key::COST_UNIT => once(&mut unit, inner.str()?, &inner)?,
            _ => inner.ignore()?,
        }
    }
    let (digits, exponent) = value.ok_or_else(|| Violation::missing(key::UNIT_VALUE))?;
    Ok(CostInformation {
        amount: CurrencyAmount {
            digits,
            exponent,
            currency,
        },
        unit,
    })
}
