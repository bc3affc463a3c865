//! Watchdog and disconnect requests (RFC 6733 sections 5.4 and 5.5). Their answers are [`super::AnswerMessage`].

use crate::diameter::avp::{Avp, key, once};
use crate::diameter::base::Identity;
use crate::diameter::error::{Violation, ViolationResult};
use crate::diameter::header::{APPLICATION_BASE, CommandCode, CommandFlags, MessageId};
use crate::diameter::message::Message;
use crate::diameter::writer::Writer;

/// Device-Watchdog-Request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceWatchdogRequest<'a> {
    /// Identifiers.
    pub id: MessageId,
    /// Origin-Host.
    pub origin_host: &'a str,
    /// Origin-Realm.
    pub origin_realm: &'a str,
    /// Origin-State-Id.
    pub origin_state_id: Option<u32>,
}

/// Disconnect-Cause (RFC 6733 section 5.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisconnectCause {
    /// The node restarts; come back.
    Rebooting = 0,
    /// The node is short of resources.
    Busy = 1,
    /// The node sees no need to talk.
    DoNotWantToTalkToYou = 2,
}

/// Disconnect-Peer-Request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisconnectPeerRequest<'a> {
    /// Identifiers.
    pub id: MessageId,
    /// Origin-Host.
    pub origin_host: &'a str,
    /// Origin-Realm.
    pub origin_realm: &'a str,
    /// Disconnect-Cause.
    pub cause: DisconnectCause,
}

#[derive(Default)]
struct Origin<'a> {
    host: Option<&'a str>,
    realm: Option<&'a str>,
}

impl<'a> Origin<'a> {
    fn take(&mut self, avp: &Avp<'a>) -> ViolationResult<bool> {
        match avp.key {
            key::ORIGIN_HOST => once(&mut self.host, avp.str()?, avp)?,
            key::ORIGIN_REALM => once(&mut self.realm, avp.str()?, avp)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self) -> ViolationResult<(&'a str, &'a str)> {
        Ok((
            self.host.ok_or_else(|| Violation::missing(key::ORIGIN_HOST))?,
            self.realm.ok_or_else(|| Violation::missing(key::ORIGIN_REALM))?,
        ))
    }
}

impl<'a> DeviceWatchdogRequest<'a> {
    /// A request from us.
    #[must_use]
    pub fn new(id: MessageId, identity: &Identity<'a>) -> Self {
        Self {
            id,
            origin_host: identity.host,
            origin_realm: identity.realm,
            origin_state_id: identity.state_id,
        }
    }

    /// Reads a request.
    pub fn parse(message: Message<'a>) -> ViolationResult<Self> {
        let (mut origin, mut origin_state_id) = (Origin::default(), None);
        for avp in message.avps() {
            let avp = avp?;
            if origin.take(&avp)? {
                continue;
            }
            match avp.key {
                key::ORIGIN_STATE_ID => once(&mut origin_state_id, avp.u32()?, &avp)?,
                _ => avp.ignore()?,
            }
        }
        let (origin_host, origin_realm) = origin.finish()?;
        Ok(Self {
            id: message.header.id,
            origin_host,
            origin_realm,
            origin_state_id,
        })
    }

    /// Appends the request to a buffer.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = begin(out, CommandCode::DEVICE_WATCHDOG, self.id);
        w.str(key::ORIGIN_HOST, self.origin_host);
        w.str(key::ORIGIN_REALM, self.origin_realm);
        if let Some(state) = self.origin_state_id {
            w.u32(key::ORIGIN_STATE_ID, state);
        }
        w.finish();
    }
}

impl<'a> DisconnectPeerRequest<'a> {
    /// A request from us.
    #[must_use]
    pub fn new(id: MessageId, identity: &Identity<'a>, cause: DisconnectCause) -> Self {
        Self {
            id,
            origin_host: identity.host,
            origin_realm: identity.realm,
            cause,
        }
    }

    /// Reads a request. A missing or strange cause is read as DO_NOT_WANT_TO_TALK_TO_YOU: the peer leaves either way.
    pub fn parse(message: Message<'a>) -> ViolationResult<Self> {
        let (mut origin, mut cause) = (Origin::default(), None);
        for avp in message.avps() {
            let avp = avp?;
            if origin.take(&avp)? {
                continue;
            }
            match avp.key {
                key::DISCONNECT_CAUSE => once(&mut cause, avp.i32()?, &avp)?,
                _ => avp.ignore()?,
            }
        }
        let (origin_host, origin_realm) = origin.finish()?;
        let cause = match cause {
            Some(0) => DisconnectCause::Rebooting,
            Some(1) => DisconnectCause::Busy,
            _ => DisconnectCause::DoNotWantToTalkToYou,
        };
        Ok(Self {
            id: message.header.id,
            origin_host,
            origin_realm,
            cause,
        })
    }

    /// Appends the request to a buffer.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = begin(out, CommandCode::DISCONNECT_PEER, self.id);
        w.str(key::ORIGIN_HOST, self.origin_host);
        w.str(key::ORIGIN_REALM, self.origin_realm);
        w.i32(key::DISCONNECT_CAUSE, self.cause as i32);
        w.finish();
    }
}

fn begin(out: &mut Vec<u8>, command: CommandCode, id: MessageId) -> Writer<'_> {
    Writer::begin(out, command, CommandFlags::REQUEST, APPLICATION_BASE, id)
}
