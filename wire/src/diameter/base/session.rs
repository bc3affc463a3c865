//! Requests of the server to the client of a session: Re-Auth and Abort-Session (RFC 6733 sections 8.3 and 8.5,
//! RFC 8506 section 5.5). Their answers are [`super::AnswerMessage`].

use smallvec::SmallVec;

use crate::diameter::avp::{Avp, key, once, push};
use crate::diameter::error::{Violation, ViolationResult};
use crate::diameter::header::{APPLICATION_CREDIT_CONTROL, CommandCode, CommandFlags, MessageId};
use crate::diameter::limits::PROXY_INFOS_MAX;
use crate::diameter::message::Message;
use crate::diameter::writer::Writer;

/// Re-Auth-Request: asks the client to report and to ask for quota again, for example after a recharge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReAuthRequest<'a> {
    /// Identifiers.
    pub id: MessageId,
    /// Session-Id.
    pub session_id: &'a str,
    /// Origin-Host.
    pub origin_host: &'a str,
    /// Origin-Realm.
    pub origin_realm: &'a str,
    /// Destination-Realm: the client's.
    pub destination_realm: &'a str,
    /// Destination-Host: the client.
    pub destination_host: &'a str,
    /// Service-Identifier, when only one service is meant.
    pub service_identifier: Option<u32>,
    /// Rating-Group, when only one is meant.
    pub rating_group: Option<u32>,
    /// Proxy-Info AVPs as received.
    pub proxy_infos: SmallVec<[&'a [u8]; 1]>,
}

/// Abort-Session-Request: asks the client to end the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbortSessionRequest<'a> {
    /// Identifiers.
    pub id: MessageId,
    /// Session-Id.
    pub session_id: &'a str,
    /// Origin-Host.
    pub origin_host: &'a str,
    /// Origin-Realm.
    pub origin_realm: &'a str,
    /// Destination-Realm: the client's.
    pub destination_realm: &'a str,
    /// Destination-Host: the client.
    pub destination_host: &'a str,
    /// Proxy-Info AVPs as received.
    pub proxy_infos: SmallVec<[&'a [u8]; 1]>,
}

#[derive(Default)]
struct Address<'a> {
    session_id: Option<&'a str>,
    origin_host: Option<&'a str>,
    origin_realm: Option<&'a str>,
    destination_realm: Option<&'a str>,
    destination_host: Option<&'a str>,
    auth_application: Option<u32>,
    proxy_infos: SmallVec<[&'a [u8]; 1]>,
}

impl<'a> Address<'a> {
    fn take(&mut self, avp: &Avp<'a>) -> ViolationResult<bool> {
        match avp.key {
            key::SESSION_ID => once(&mut self.session_id, avp.str()?, avp)?,
            key::ORIGIN_HOST => once(&mut self.origin_host, avp.str()?, avp)?,
            key::ORIGIN_REALM => once(&mut self.origin_realm, avp.str()?, avp)?,
            key::DESTINATION_REALM => once(&mut self.destination_realm, avp.str()?, avp)?,
            key::DESTINATION_HOST => once(&mut self.destination_host, avp.str()?, avp)?,
            key::AUTH_APPLICATION_ID => once(&mut self.auth_application, avp.u32()?, avp)?,
            key::PROXY_INFO => push(&mut self.proxy_infos, avp.raw, PROXY_INFOS_MAX, avp)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self, id: MessageId) -> ViolationResult<AbortSessionRequest<'a>> {
        let missing = Violation::missing;
        let request = AbortSessionRequest {
            id,
            session_id: self.session_id.ok_or_else(|| missing(key::SESSION_ID))?,
            origin_host: self.origin_host.ok_or_else(|| missing(key::ORIGIN_HOST))?,
            origin_realm: self.origin_realm.ok_or_else(|| missing(key::ORIGIN_REALM))?,
            destination_realm: self
                .destination_realm
                .ok_or_else(|| missing(key::DESTINATION_REALM))?,
            destination_host: self
                .destination_host
                .ok_or_else(|| missing(key::DESTINATION_HOST))?,
            proxy_infos: self.proxy_infos,
        };
        match self.auth_application {
            Some(_) => Ok(request),
            None => Err(missing(key::AUTH_APPLICATION_ID)),
        }
    }
}

impl<'a> AbortSessionRequest<'a> {
    /// Reads a request.
    pub fn parse(message: Message<'a>) -> ViolationResult<Self> {
        let mut address = Address::default();
        for avp in message.avps() {
            let avp = avp?;
            if !address.take(&avp)? {
                avp.ignore()?;
            }
        }
        address.finish(message.header.id)
    }

    /// Appends the request to a buffer.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = begin(out, CommandCode::ABORT_SESSION, self.id);
        self.write(&mut w);
        w.finish();
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.str(key::SESSION_ID, self.session_id);
        w.str(key::ORIGIN_HOST, self.origin_host);
        w.str(key::ORIGIN_REALM, self.origin_realm);
        w.str(key::DESTINATION_REALM, self.destination_realm);
        w.str(key::DESTINATION_HOST, self.destination_host);
        w.u32(key::AUTH_APPLICATION_ID, APPLICATION_CREDIT_CONTROL);
        for info in &self.proxy_infos {
            w.raw(info);
        }
    }
}

/// Re-Auth-Request-Type AUTHORIZE_ONLY (RFC 6733 section 8.12), the only one credit control uses.
const AUTHORIZE_ONLY: i32 = 0;

impl<'a> ReAuthRequest<'a> {
    /// Reads a request.
    pub fn parse(message: Message<'a>) -> ViolationResult<Self> {
        let (mut address, mut service_identifier, mut rating_group) = (Address::default(), None, None);
        let mut kind = None;
        for avp in message.avps() {
            let avp = avp?;
            if address.take(&avp)? {
                continue;
            }
            match avp.key {
                key::RE_AUTH_REQUEST_TYPE => once(&mut kind, avp.i32()?, &avp)?,
                key::SERVICE_IDENTIFIER => once(&mut service_identifier, avp.u32()?, &avp)?,
                key::RATING_GROUP => once(&mut rating_group, avp.u32()?, &avp)?,
                _ => avp.ignore()?,
            }
        }
        if kind.is_none() {
            return Err(Violation::missing(key::RE_AUTH_REQUEST_TYPE));
        }
        let AbortSessionRequest {
            id,
            session_id,
            origin_host,
            origin_realm,
            destination_realm,
            destination_host,
            proxy_infos,
        } = address.finish(message.header.id)?;
        Ok(Self {
            id,
            session_id,
            origin_host,
            origin_realm,
            destination_realm,
            destination_host,
            service_identifier,
            rating_group,
            proxy_infos,
        })
    }

    /// Appends the request to a buffer.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = begin(out, CommandCode::RE_AUTH, self.id);
        let address = AbortSessionRequest {
            id: self.id,
            session_id: self.session_id,
            origin_host: self.origin_host,
            origin_realm: self.origin_realm,
            destination_realm: self.destination_realm,
            destination_host: self.destination_host,
            proxy_infos: self.proxy_infos.clone(),
        };
        address.write(&mut w);
        w.i32(key::RE_AUTH_REQUEST_TYPE, AUTHORIZE_ONLY);
        if let Some(id) = self.service_identifier {
            w.u32(key::SERVICE_IDENTIFIER, id);
        }
        if let Some(group) = self.rating_group {
            w.u32(key::RATING_GROUP, group);
        }
        w.finish();
    }
}

fn begin(out: &mut Vec<u8>, command: CommandCode, id: MessageId) -> Writer<'_> {
    let flags = CommandFlags::REQUEST | CommandFlags::PROXIABLE;
    Writer::begin(out, command, flags, APPLICATION_CREDIT_CONTROL, id)
}
