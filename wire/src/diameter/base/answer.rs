//! Answers that carry a result and little else: DWA, DPA, RAA, ASA, and every error answer (RFC 6733 section 7.2).

use smallvec::SmallVec;

use crate::diameter::avp::{key, once, push};
use crate::diameter::base::Identity;
use crate::diameter::error::{ResultCode, Violation, ViolationResult};
use crate::diameter::header::{APPLICATION_CREDIT_CONTROL, CommandCode, CommandFlags, MessageId};
use crate::diameter::limits::PROXY_INFOS_MAX;
use crate::diameter::message::Message;
use crate::diameter::writer::Writer;

/// A DWA, DPA, RAA or ASA, or an answer that only says why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerMessage<'a> {
    /// Command of the request.
    pub command: CommandCode,
    /// Application of the request.
    pub application: u32,
    /// Identifiers of the request.
    pub id: MessageId,
    /// P bit of the request.
    pub proxiable: bool,
    /// E bit: the answer does not follow the grammar of its command.
    pub error: bool,
    /// Session-Id.
    pub session_id: Option<&'a str>,
    /// Result-Code.
    pub result_code: ResultCode,
    /// Origin-Host.
    pub origin_host: &'a str,
    /// Origin-Realm.
    pub origin_realm: &'a str,
    /// CC-Request-Type and CC-Request-Number, which a CCA without the E bit must have.
    pub credit_control: Option<(i32, u32)>,
    /// Origin-State-Id.
    pub origin_state_id: Option<u32>,
    /// Error-Message, for people.
    pub error_message: Option<&'a str>,
    /// What is inside Failed-AVP: whole AVPs.
    pub failed_avp: Option<&'a [u8]>,
    /// Proxy-Info AVPs of the request.
    pub proxy_infos: SmallVec<[&'a [u8]; 1]>,
}

impl<'a> AnswerMessage<'a> {
    /// An answer to any request. Takes from it what an answer must echo, as far as it can be read.
    #[must_use]
    pub fn to(request: Message<'a>, identity: &Identity<'a>, result_code: ResultCode) -> Self {
        let header = request.header;
        let mut answer = Self {
            command: header.command,
            application: header.application,
            id: header.id,
            proxiable: header.flags.is_proxiable(),
            error: result_code.is_protocol_error(),
            session_id: None,
            result_code,
            origin_host: identity.host,
            origin_realm: identity.realm,
            credit_control: None,
            origin_state_id: identity.state_id,
            error_message: None,
            failed_avp: None,
            proxy_infos: SmallVec::new(),
        };
        let (mut request_type, mut request_number) = (None, None);
        for avp in request.avps().map_while(Result::ok) {
            match avp.key {
                key::SESSION_ID => answer.session_id = answer.session_id.or(avp.str().ok()),
                key::CC_REQUEST_TYPE => request_type = request_type.or(avp.i32().ok()),
                key::CC_REQUEST_NUMBER => request_number = request_number.or(avp.u32().ok()),
                key::PROXY_INFO if answer.proxy_infos.len() < PROXY_INFOS_MAX => {
                    answer.proxy_infos.push(avp.raw);
                }
                _ => {}
            }
        }
        if header.command == CommandCode::CREDIT_CONTROL {
            answer.credit_control = request_type.zip(request_number);
            // RFC 6733 section 7.1.5 allows the E bit when the command's own grammar cannot be kept.
            answer.error |= answer.credit_control.is_none() || answer.session_id.is_none();
        }
        answer
    }

    /// The answer to a request that violates the protocol.
    #[must_use]
    pub fn reject(request: Message<'a>, identity: &Identity<'a>, violation: &'a Violation) -> Self {
        let mut answer = Self::to(request, identity, violation.code);
        answer.error_message = Some(violation.what);
        if !violation.failed_avp.is_empty() {
            answer.failed_avp = Some(&violation.failed_avp);
        }
        answer
    }

    /// Appends the answer to a buffer.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = 0;
        if self.proxiable {
            flags |= CommandFlags::PROXIABLE;
        }
        if self.error {
            flags |= CommandFlags::ERROR;
        }
        let mut w = Writer::begin(out, self.command, flags, self.application, self.id);
        if let Some(session_id) = self.session_id {
            w.str(key::SESSION_ID, session_id);
        }
        w.u32(key::RESULT_CODE, self.result_code.0);
        w.str(key::ORIGIN_HOST, self.origin_host);
        w.str(key::ORIGIN_REALM, self.origin_realm);
        if let Some((request_type, request_number)) = self.credit_control {
            w.u32(key::AUTH_APPLICATION_ID, APPLICATION_CREDIT_CONTROL);
            w.i32(key::CC_REQUEST_TYPE, request_type);
            w.u32(key::CC_REQUEST_NUMBER, request_number);
        }
        if let Some(state_id) = self.origin_state_id {
            w.u32(key::ORIGIN_STATE_ID, state_id);
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
        w.finish();
    }

    /// Reads the result of any answer and passes over everything else. Error: 5005 without a result or an origin.
    pub fn parse(message: Message<'a>) -> ViolationResult<Self> {
        let header = message.header;
        let (mut session_id, mut result_code, mut host, mut realm) = (None, None, None, None);
        let (mut state_id, mut error_message, mut failed_avp) = (None, None, None);
        let (mut request_type, mut request_number) = (None, None);
        let mut proxy_infos = SmallVec::new();
        for avp in message.avps() {
            let avp = avp?;
            match avp.key {
                key::SESSION_ID => once(&mut session_id, avp.str()?, &avp)?,
                key::RESULT_CODE => once(&mut result_code, ResultCode(avp.u32()?), &avp)?,
                key::ORIGIN_HOST => once(&mut host, avp.str()?, &avp)?,
                key::ORIGIN_REALM => once(&mut realm, avp.str()?, &avp)?,
                key::ORIGIN_STATE_ID => once(&mut state_id, avp.u32()?, &avp)?,
                key::ERROR_MESSAGE => once(&mut error_message, avp.str()?, &avp)?,
                key::FAILED_AVP => once(&mut failed_avp, avp.data(), &avp)?,
                key::CC_REQUEST_TYPE => once(&mut request_type, avp.i32()?, &avp)?,
                key::CC_REQUEST_NUMBER => once(&mut request_number, avp.u32()?, &avp)?,
                key::PROXY_INFO => push(&mut proxy_infos, avp.raw, PROXY_INFOS_MAX, &avp)?,
                _ => {}
            }
        }
        Ok(Self {
            command: header.command,
            application: header.application,
            id: header.id,
            proxiable: header.flags.is_proxiable(),
            error: header.flags.is_error(),
            session_id,
            result_code: result_code.ok_or_else(|| Violation::missing(key::RESULT_CODE))?,
            origin_host: host.ok_or_else(|| Violation::missing(key::ORIGIN_HOST))?,
            origin_realm: realm.ok_or_else(|| Violation::missing(key::ORIGIN_REALM))?,
            credit_control: request_type.zip(request_number),
            origin_state_id: state_id,
            error_message,
            failed_avp,
            proxy_infos,
        })
    }
}
