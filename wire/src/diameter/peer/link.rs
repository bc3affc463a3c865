//! The state of a connection: everything but the receive buffer, so that a frame can be lent while the state changes.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use super::pending::Pending;
use super::settings::{PeerSettings, RemoteNode, Role};
use super::{CloseReason, SendError};
use crate::diameter::base::{
    AnswerMessage, CapabilitiesAnswer, CapabilitiesRequest, DeviceWatchdogRequest, DisconnectCause,
    DisconnectPeerRequest,
};
use crate::diameter::error::{ResultCode, Violation, ViolationResult};
use crate::diameter::framer::FramingError;
use crate::diameter::header::{
    APPLICATION_BASE, APPLICATION_CREDIT_CONTROL, CommandCode, CommandFlags, Header, MessageId,
};
use crate::diameter::limits::{
    CAPABILITIES_TIMEOUT_MS, DISCONNECT_TIMEOUT_MS, TRANSMIT_OCTETS_MAX, WATCHDOG_JITTER_MS,
    WATCHDOG_MISSES_MAX, WATCHDOG_MS_MIN,
};
use crate::diameter::message::Message;

/// RFC 6733 section 5.6, without the states of the election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waits for the CER or CEA.
    Exchanging { until_ms: u64 },
    /// In service.
    Open,
    /// A DPR was sent or answered; answers that are owed still go out.
    Leaving {
        until_ms: u64,
        reason: CloseReason,
        is_agreed: bool,
    },
    /// Over.
    Closed { reason: CloseReason, is_reported: bool },
}

/// What became of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Handled,
    Request(Header),
    Answer { tag: u64, header: Header },
}

#[derive(Debug)]
pub(super) struct Link {
    settings: Arc<PeerSettings>,
    role: Role,
    local_address: IpAddr,
    state: State,
    pub(super) now_ms: u64,
    pub(super) remote: Option<RemoteNode>,
    pub(super) has_opened: bool,
    pub(super) transmit: Vec<u8>,
    pub(super) outstanding: u32,
    pub(super) pending: Pending,
    pub(super) unanswered: VecDeque<u64>,
    random: u64,
    end_to_end: u32,
    capabilities_id: MessageId,
    /// Last sign of life, or the last watchdog sent without one.
    quiet_since_ms: u64,
    watchdog_ms: u64,
    watchdog_misses: u8,
}

impl Link {
    pub(super) fn new(
        settings: Arc<PeerSettings>,
        role: Role,
        local_address: IpAddr,
        seed: u64,
        now_ms: u64,
    ) -> Self {
        let mut link = Self {
            settings,
            role,
            local_address,
            state: State::Exchanging {
                until_ms: now_ms.saturating_add(CAPABILITIES_TIMEOUT_MS),
            },
            now_ms,
            remote: None,
            has_opened: false,
            transmit: Vec::new(),
            outstanding: 0,
            pending: Pending::new(seed),
            unanswered: VecDeque::new(),
            random: seed,
            // RFC 6733 section 3: the high bits from the time, the low ones random.
            end_to_end: ((now_ms / 1000) as u32) << 20 | (seed & 0x000f_ffff) as u32,
            capabilities_id: MessageId::default(),
            quiet_since_ms: now_ms,
            watchdog_ms: 0,
            watchdog_misses: 0,
        };
        link.draw_watchdog();
        link
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    pub(super) fn take_close_reason(&mut self) -> Option<CloseReason> {
        match &mut self.state {
            State::Closed {
                reason,
                is_reported: is_reported @ false,
            } => {
                *is_reported = true;
                Some(*reason)
            }
            _ => None,
        }
    }

    /// Deals with one frame.
    pub(super) fn take(&mut self, frame: &[u8]) -> Outcome {
        let message = match Message::parse(frame) {
            Ok(message) => message,
            Err(violation) => {
                if let Some(header) = Header::read(frame).filter(|header| header.flags.is_request()) {
                    self.reject(Message { header, frame }, &violation);
                }
                return Outcome::Handled;
            }
        };
        self.quiet_since_ms = self.now_ms;
        self.watchdog_misses = 0;
        if message.header.flags.is_request() {
            self.take_request(message)
        } else {
            self.take_answer(message)
        }
    }

    fn take_request(&mut self, message: Message<'_>) -> Outcome {
        let header = message.header;
        match (self.state, header.command) {
            (State::Exchanging { .. }, CommandCode::CAPABILITIES_EXCHANGE)
                if self.role == Role::Responder =>
            {
                self.take_capabilities_request(message);
            }
            (State::Exchanging { .. }, _) => {
                self.refuse(message, ResultCode::UNKNOWN_PEER);
                self.close(CloseReason::CapabilitiesSkipped);
            }
            (_, CommandCode::DEVICE_WATCHDOG) => {
                let parsed = link_request(message).and_then(|()| DeviceWatchdogRequest::parse(message));
                self.answer_link_request(message, parsed);
            }
            (_, CommandCode::DISCONNECT_PEER) => {
                let parsed = link_request(message).and_then(|()| DisconnectPeerRequest::parse(message));
                if let Some(request) = self.answer_link_request(message, parsed) {
                    self.leave(CloseReason::PeerDisconnected(request.cause), true);
                }
            }
            (_, CommandCode::CAPABILITIES_EXCHANGE) => {
                let parsed = link_request(message).and_then(|()| CapabilitiesRequest::parse(message));
                match parsed {
                    Ok(request) => self.send_capabilities_answer(request.id, ResultCode::SUCCESS, None),
                    Err(violation) => self.reject(message, &violation),
                }
            }
            (_, command) => {
                if let Some(code) = self.refusal(header.application, command) {
                    self.refuse(message, code);
                } else {
                    self.outstanding += 1;
                    return Outcome::Request(header);
                }
            }
        }
        Outcome::Handled
    }

    /// Why an application's request cannot be handed out.
    fn refusal(&self, application: u32, command: CommandCode) -> Option<ResultCode> {
        let is_served = match self.role {
            Role::Responder => command == CommandCode::CREDIT_CONTROL,
            Role::Initiator => command == CommandCode::RE_AUTH || command == CommandCode::ABORT_SESSION,
        };
        if application != APPLICATION_CREDIT_CONTROL && application != APPLICATION_BASE {
            Some(ResultCode::APPLICATION_UNSUPPORTED)
        } else if !is_served || application == APPLICATION_BASE {
            Some(ResultCode::COMMAND_UNSUPPORTED)
        } else if self.state != State::Open {
            // The client may try another server at once (RFC 6733 section 7.1.3).
            Some(ResultCode::UNABLE_TO_DELIVER)
        } else if self.outstanding >= self.settings.outstanding_max {
            Some(ResultCode::TOO_BUSY)
        } else {
            None
        }
    }

    fn take_answer(&mut self, message: Message<'_>) -> Outcome {
        let header = message.header;
        match (self.state, header.command) {
            (State::Exchanging { .. }, CommandCode::CAPABILITIES_EXCHANGE)
                if self.role == Role::Initiator && header.id == self.capabilities_id =>
            {
                self.take_capabilities_answer(message);
            }
            (State::Exchanging { .. }, _) => self.close(CloseReason::CapabilitiesSkipped),
            (_, CommandCode::CAPABILITIES_EXCHANGE | CommandCode::DEVICE_WATCHDOG) => {}
            (State::Leaving { until_ms, reason, .. }, CommandCode::DISCONNECT_PEER) => {
                self.state = State::Leaving {
                    until_ms,
                    reason,
                    is_agreed: true,
                };
                self.close_when_done();
            }
            (_, CommandCode::DISCONNECT_PEER) => {}
            _ => {
                if let Some(tag) = self.pending.remove(header.id.hop_by_hop) {
                    return Outcome::Answer { tag, header };
                }
            }
        }
        Outcome::Handled
    }

    fn take_capabilities_request(&mut self, message: Message<'_>) {
        let parsed = link_request(message).and_then(|()| CapabilitiesRequest::parse(message));
        let request = match parsed {
            Ok(request) => request,
            Err(violation) => {
                self.send_capabilities_answer(message.header.id, violation.code, Some(&violation));
                return self.close(CloseReason::CapabilitiesRefused(violation.code));
            }
        };
        let refusal = if !self.settings.realms.admits(request.origin_realm) {
            Some(ResultCode::UNKNOWN_PEER)
        } else if !request.offers_credit_control() {
            Some(ResultCode::NO_COMMON_APPLICATION)
        } else if !request.offers_plain() {
            Some(ResultCode::NO_COMMON_SECURITY)
        } else {
            None
        };
        self.send_capabilities_answer(request.id, refusal.unwrap_or(ResultCode::SUCCESS), None);
        if let Some(code) = refusal {
            return self.close(CloseReason::CapabilitiesRefused(code));
        }
        self.open(RemoteNode {
            host: request.origin_host.to_owned(),
            realm: request.origin_realm.to_owned(),
            addresses: request.host_addresses.to_vec(),
            product_name: request.product_name.to_owned(),
            vendor_id: request.vendor_id,
            state_id: request.origin_state_id,
        });
    }

    fn take_capabilities_answer(&mut self, message: Message<'_>) {
        let code = match CapabilitiesAnswer::parse(message) {
            Ok(answer) if !answer.result_code.is_success() => answer.result_code,
            Ok(answer) if !answer.offers_credit_control() => ResultCode::NO_COMMON_APPLICATION,
            Ok(answer) => {
                return self.open(RemoteNode {
                    host: answer.origin_host.to_owned(),
                    realm: answer.origin_realm.to_owned(),
                    addresses: answer.host_addresses.to_vec(),
                    product_name: answer.product_name.to_owned(),
                    vendor_id: answer.vendor_id,
                    state_id: answer.origin_state_id,
                });
            }
            Err(violation) => violation.code,
        };
        self.close(CloseReason::CapabilitiesRefused(code));
    }

    fn open(&mut self, remote: RemoteNode) {
        self.remote = Some(remote);
        self.has_opened = true;
        self.state = State::Open;
    }

    pub(super) fn send_capabilities_request(&mut self) {
        self.capabilities_id = self.link_id();
        let settings = Arc::clone(&self.settings);
        let node = &settings.node;
        CapabilitiesRequest::credit_control(
            self.capabilities_id,
            &node.identity(),
            &[self.local_address],
            &node.product_name,
        )
        .encode(&mut self.transmit);
    }

    fn send_capabilities_answer(&mut self, id: MessageId, code: ResultCode, violation: Option<&Violation>) {
        let node = &self.settings.node;
        let addresses = [self.local_address];
        let mut answer =
            CapabilitiesAnswer::credit_control(id, &node.identity(), &addresses, &node.product_name, code);
        if let Some(violation) = violation {
            answer.error_message = Some(violation.what);
            answer.failed_avp = (!violation.failed_avp.is_empty()).then_some(&violation.failed_avp[..]);
        }
        answer.encode(&mut self.transmit);
    }

    /// Answers a watchdog or disconnect request, good or bad.
    fn answer_link_request<T>(&mut self, message: Message<'_>, parsed: ViolationResult<T>) -> Option<T> {
        match parsed {
            Ok(request) => {
                self.refuse(message, ResultCode::SUCCESS);
                Some(request)
            }
            Err(violation) => {
                self.reject(message, &violation);
                None
            }
        }
    }

    /// Answers with a result and nothing else.
    fn refuse(&mut self, message: Message<'_>, code: ResultCode) {
        AnswerMessage::to(message, &self.settings.node.identity(), code).encode(&mut self.transmit);
    }

    fn reject(&mut self, message: Message<'_>, violation: &Violation) {
        AnswerMessage::reject(message, &self.settings.node.identity(), violation).encode(&mut self.transmit);
    }

    /// Tells the peer which header broke the framing, and ends.
    pub(super) fn lose_framing(&mut self, error: &FramingError) {
        if error.header.flags.is_request() {
            let violation = Violation::new(ResultCode::INVALID_MESSAGE_LENGTH, "message length cannot be");
            self.reject(
                Message {
                    header: error.header,
                    frame: &[],
                },
                &violation,
            );
        }
        self.close(CloseReason::Framing(error.octets));
    }

    pub(super) fn send_answer(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.outstanding = self.outstanding.saturating_sub(1);
        if self.is_closed() {
            return;
        }
        write(&mut self.transmit);
        self.close_when_done();
    }

    pub(super) fn send_request(
        &mut self,
        tag: u64,
        end_to_end: Option<u32>,
        write: impl FnOnce(MessageId, &mut Vec<u8>),
    ) -> Result<MessageId, SendError> {
        if self.state != State::Open {
            return Err(SendError::NotOpen);
        }
        if self.transmit.len() >= TRANSMIT_OCTETS_MAX {
            return Err(SendError::TransmitFull);
        }
        let expires_ms = self.now_ms.saturating_add(self.settings.request_timeout_ms);
        let hop_by_hop = self
            .pending
            .insert(tag, expires_ms)
            .ok_or(SendError::TooManyPending)?;
        let end_to_end = end_to_end.unwrap_or_else(|| {
            self.end_to_end = self.end_to_end.wrapping_add(1);
            self.end_to_end
        });
        let id = MessageId {
            hop_by_hop,
            end_to_end,
        };
        write(id, &mut self.transmit);
        Ok(id)
    }

    pub(super) fn disconnect(&mut self, cause: DisconnectCause) {
        match self.state {
            State::Exchanging { .. } => self.close(CloseReason::Disconnected),
            State::Open => {
                let id = self.link_id();
                DisconnectPeerRequest::new(id, &self.settings.node.identity(), cause)
                    .encode(&mut self.transmit);
                self.leave(CloseReason::Disconnected, false);
            }
            State::Leaving { .. } | State::Closed { .. } => {}
        }
    }

    /// The end is agreed or asked for. When the peer asked, it closes the transport once it has our DPA (RFC 6733 section
    /// 5.4); when we asked, we close once it agreed and every answer is given.
    fn leave(&mut self, reason: CloseReason, is_agreed: bool) {
        let until_ms = match self.state {
            State::Leaving { until_ms, .. } => until_ms,
            _ => self.now_ms.saturating_add(DISCONNECT_TIMEOUT_MS),
        };
        self.state = State::Leaving {
            until_ms,
            reason,
            is_agreed,
        };
    }

    fn close_when_done(&mut self) {
        if let State::Leaving {
            reason: reason @ CloseReason::Disconnected,
            is_agreed: true,
            ..
        } = self.state
            && self.outstanding == 0
        {
            self.close(reason);
        }
    }

    pub(super) fn transport_closed(&mut self) {
        match self.state {
            State::Leaving { reason, .. } => self.close(reason),
            _ => self.close(CloseReason::TransportClosed),
        }
    }

    fn close(&mut self, reason: CloseReason) {
        if self.is_closed() {
            return;
        }
        self.state = State::Closed {
            reason,
            is_reported: false,
        };
        while let Some(tag) = self.pending.expire(u64::MAX) {
            self.unanswered.push_back(tag);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<u64> {
        let state_ms = match self.state {
            State::Exchanging { until_ms } | State::Leaving { until_ms, .. } => until_ms,
            State::Open => self.quiet_since_ms.saturating_add(self.watchdog_ms),
            State::Closed { .. } => return None,
        };
        Some(
            self.pending
                .next_expiry()
                .map_or(state_ms, |expiry_ms| expiry_ms.min(state_ms)),
        )
    }

    pub(super) fn timeout(&mut self) {
        while let Some(tag) = self.pending.expire(self.now_ms) {
            self.unanswered.push_back(tag);
        }
        match self.state {
            State::Exchanging { until_ms } if until_ms <= self.now_ms => {
                self.close(CloseReason::CapabilitiesTimeout);
            }
            State::Leaving { until_ms, reason, .. } if until_ms <= self.now_ms => self.close(reason),
            State::Open if self.quiet_since_ms.saturating_add(self.watchdog_ms) <= self.now_ms => {
                self.watch();
            }
            _ => {}
        }
    }

    /// RFC 3539 section 3.4.1: a quiet interval sends a watchdog, quiet ones after that end the connection.
    fn watch(&mut self) {
        if self.watchdog_misses >= WATCHDOG_MISSES_MAX {
            return self.close(CloseReason::Unresponsive);
        }
        self.watchdog_misses += 1;
        self.quiet_since_ms = self.now_ms;
        self.draw_watchdog();
        let id = self.link_id();
        DeviceWatchdogRequest::new(id, &self.settings.node.identity()).encode(&mut self.transmit);
    }

    fn draw_watchdog(&mut self) {
        let jitter_ms = self.draw() % (2 * WATCHDOG_JITTER_MS + 1);
        let lowest_ms = self.settings.watchdog_ms.saturating_sub(WATCHDOG_JITTER_MS);
        self.watchdog_ms = lowest_ms.saturating_add(jitter_ms).max(WATCHDOG_MS_MIN);
    }

    /// Identifiers for messages of the connection itself; their answers are known by their command.
    fn link_id(&mut self) -> MessageId {
        self.end_to_end = self.end_to_end.wrapping_add(1);
        MessageId {
            hop_by_hop: self.draw() as u32,
            end_to_end: self.end_to_end,
        }
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Messages of the connection itself are never proxied.
fn link_request(message: Message<'_>) -> ViolationResult<()> {
    if message.header.flags.0 & CommandFlags::PROXIABLE != 0 {
        return Err(Violation::new(
            ResultCode::INVALID_HDR_BITS,
            "command cannot be proxied",
        ));
    }
    Ok(())
}
