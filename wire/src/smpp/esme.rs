//! The client's side of one SMPP session, from the bind to the last answer. A new connection is a new [`Esme`];
//! when to reconnect is the caller's business.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;

use super::frame::{Frame, Framer};
use super::pacing::{Backoff, RateLimit};
use super::pdu::{self, Bind, Body, Pdu, ShortMessage, Status};
use super::receipt::DeliveryReceipt;
use super::{EVENTS_MAX, LATE_RESPONSES_MAX};

/// How a session is run. Times are microseconds.
#[derive(Debug, Clone)]
pub struct EsmeConfig {
    /// What the bind says.
    pub bind: Bind,
    /// Submits that may wait for their answer at the same time.
    pub window: usize,
    /// Submits that may wait for a place in the window.
    pub queue_max: usize,
    /// Submits a second; `None` for as fast as the window allows.
    pub rate_per_second: Option<u32>,
    /// How long a request waits for its answer.
    pub response_timeout_micros: u64,
    /// An enquire_link goes out after this much silence.
    pub enquire_interval_micros: u64,
    /// The first pause after ESME_RTHROTTLED or ESME_RMSGQFUL.
    pub throttle_min_micros: u64,
    /// The longest such pause.
    pub throttle_max_micros: u64,
    /// Messages from handsets come as [`EsmeEvent::Text`] and are answered by [`Esme::confirm`], so that one that nobody took
    /// comes again.
    pub confirms_texts: bool,
}

impl Default for EsmeConfig {
    fn default() -> Self {
        Self {
            bind: Bind::default(),
            window: 64,
            queue_max: 1_024,
            rate_per_second: None,
            response_timeout_micros: 10_000_000,
            enquire_interval_micros: 30_000_000,
            throttle_min_micros: 100_000,
            throttle_max_micros: 10_000_000,
            confirms_texts: false,
        }
    }
}

/// What happened. `key` is the caller's name for a submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EsmeEvent {
    /// The bind was accepted by the centre with this system_id.
    Bound {
        /// Identifies the centre.
        system_id: String,
    },
    /// The centre answered the submit and has the message. May follow [`EsmeEvent::OutcomeUnknown`].
    Accepted {
        /// The caller's name of the submit.
        key: u64,
        /// The centre's name of the message: anything, perhaps not unique, perhaps empty.
        message_id: String,
    },
    /// The centre refused the message.
    Rejected {
        /// The caller's name of the submit.
        key: u64,
        /// Why.
        status: Status,
    },
    /// No answer came: the message may or may not arrive. Sending it again is right if it must not be lost.
    OutcomeUnknown {
        /// The caller's name of the submit.
        key: u64,
    },
    /// The session ended before this submit was sent.
    NotSent {
        /// The caller's name of the submit.
        key: u64,
    },
    /// The centre said "too fast"; nothing goes out until then. The message is sent again by itself.
    Throttled {
        /// When sending goes on.
        until_micros: u64,
    },
    /// A delivery receipt.
    Receipt(DeliveryReceipt),
    /// A message from a handset (or anything else that is not a receipt).
    MobileOriginated(ShortMessage),
    /// The same, waiting for [`Esme::confirm`].
    Text {
        /// sequence_number of the deliver_sm.
        sequence: u32,
        /// What came.
        message: ShortMessage,
    },
    /// A PDU that we do not know was skipped.
    Skipped {
        /// Its command_id.
        command_id: u32,
    },
    /// The peer could not read something we sent.
    PeerNack {
        /// What it says.
        status: Status,
    },
    /// The session is over; close the connection. Nothing comes after this.
    Closed(ClosedReason),
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedReason {
    /// The centre refused the bind.
    BindRefused(Status),
    /// No answer to the bind.
    BindTimeout,
    /// No answer to an enquire_link.
    LinkDead,
    /// The centre sent unbind.
    PeerUnbound,
    /// We sent unbind and it was answered, or no answer came in time.
    Unbound,
    /// The byte stream cannot be understood any more.
    StreamLost,
    /// The caller says that the connection is gone.
    Disconnected,
    /// The bind cannot be written: a field is too long.
    BadConfiguration,
    /// The caller does not read events.
    Overrun,
}

/// Why a submit was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmitRefused {
    /// Queue full: wait for events.
    #[error("the send queue is full")]
    Full,
    /// The session is ending.
    #[error("the session is closing")]
    Closing,
    /// The message cannot be written as a PDU.
    #[error("the message cannot be encoded")]
    Unencodable(#[source] pdu::PduError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Binding { deadline_micros: u64 },
    Bound,
    Unbinding { deadline_micros: u64 },
    Closed,
}

#[derive(Debug)]
struct Waiting {
    key: u64,
    message: ShortMessage,
}

#[derive(Debug)]
struct InFlight {
    waiting: Waiting,
    deadline_micros: u64,
}

/// The client machine.
#[derive(Debug)]
pub struct Esme {
    config: EsmeConfig,
    state: State,
    framer: Framer,
    sequence: u32,
    bind_sequence: u32,
    queue: VecDeque<Waiting>,
    in_flight: BTreeMap<u32, InFlight>,
    deadlines: VecDeque<(u64, u32)>,
    late: HashMap<u32, u64>,
    late_order: VecDeque<u32>,
    rate: RateLimit,
    backoff: Backoff,
    heard_micros: u64,
    enquiry: Option<(u32, u64)>,
    transmits: VecDeque<Bytes>,
    events: VecDeque<EsmeEvent>,
}

impl Esme {
    /// Starts a session on a fresh connection: the bind is ready to transmit.
    #[must_use]
    pub fn new(config: EsmeConfig, now_micros: u64) -> Self {
        let mut esme = Self {
            rate: RateLimit::new(config.rate_per_second),
            backoff: Backoff::new(config.throttle_min_micros, config.throttle_max_micros),
            state: State::Binding {
                deadline_micros: now_micros + config.response_timeout_micros,
            },
            config,
            framer: Framer::default(),
            sequence: 0,
            bind_sequence: 0,
            queue: VecDeque::new(),
            in_flight: BTreeMap::new(),
            deadlines: VecDeque::new(),
            late: HashMap::new(),
            late_order: VecDeque::new(),
            heard_micros: now_micros,
            enquiry: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        let bind = Body::Bind(esme.config.bind.clone());
        match esme.send_request(bind) {
            Ok(sequence) => esme.bind_sequence = sequence,
            Err(_) => esme.close(ClosedReason::BadConfiguration),
        }
        esme
    }

    /// Takes a message to send; its fate comes as an event with `key`. Allowed before the bind is answered.
    pub fn submit(&mut self, key: u64, message: ShortMessage, now_micros: u64) -> Result<(), SubmitRefused> {
        if matches!(self.state, State::Closed | State::Unbinding { .. }) {
            return Err(SubmitRefused::Closing);
        }
        if self.queue.len() >= self.config.queue_max {
            return Err(SubmitRefused::Full);
        }
        let probe = Pdu {
            status: Status::OK,
            sequence: 1,
            body: Body::Submit(message),
        };
        pdu::encode(&probe).map_err(SubmitRefused::Unencodable)?;
        let Body::Submit(message) = probe.body else {
            return Err(SubmitRefused::Closing);
        };
        self.queue.push_back(Waiting { key, message });
        self.pump(now_micros);
        Ok(())
    }

    /// Answers the deliver_sm of an [`EsmeEvent::Text`]; with an error status the centre brings it again.
    pub fn confirm(&mut self, sequence: u32, status: Status) {
        if self.state != State::Closed {
            self.answer(sequence, status, Body::DeliverResp);
        }
    }

    /// Submits that are queued or wait for their answer.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.queue.len() + self.in_flight.len()
    }

    /// Whether the bind was accepted and the session still runs.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.state == State::Bound
    }

    /// Asks the centre to end the session.
    pub fn unbind(&mut self, now_micros: u64) {
        if self.state != State::Bound {
            return self.close(ClosedReason::Unbound);
        }
        if self.send_request(Body::Unbind).is_ok() {
            self.state = State::Unbinding {
                deadline_micros: now_micros + self.config.response_timeout_micros,
            };
        }
    }

    /// The connection is gone. What was in flight has an unknown outcome.
    pub fn disconnected(&mut self) {
        self.close(ClosedReason::Disconnected);
    }

    /// Octets from the centre.
    pub fn handle_input(&mut self, octets: &[u8], now_micros: u64) {
        if self.state == State::Closed {
            return;
        }
        self.heard_micros = now_micros;
        self.framer.push(octets);
        while self.state != State::Closed
            && let Some(frame) = self.framer.next_frame()
        {
            self.handle_frame(&frame, now_micros);
            if self.events.len() > EVENTS_MAX {
                self.close(ClosedReason::Overrun);
            }
        }
        self.pump(now_micros);
    }

    /// Time has passed; call at [`Self::poll_timeout`] or later.
    pub fn handle_timeout(&mut self, now_micros: u64) {
        match self.state {
            State::Binding { deadline_micros } if now_micros >= deadline_micros => {
                return self.close(ClosedReason::BindTimeout);
            }
            State::Unbinding { deadline_micros } if now_micros >= deadline_micros => {
                return self.close(ClosedReason::Unbound);
            }
            State::Closed => return,
            _ => {}
        }
        self.expire_responses(now_micros);
        if self.state == State::Bound {
            self.check_link(now_micros);
        }
        self.pump(now_micros);
    }

    /// Octets for the centre.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<EsmeEvent> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let session = match self.state {
            State::Closed => return None,
            State::Binding { deadline_micros } | State::Unbinding { deadline_micros } => deadline_micros,
            State::Bound => match self.enquiry {
                Some((_, deadline_micros)) => deadline_micros,
                None => self.heard_micros + self.config.enquire_interval_micros,
            },
        };
        let response = self
            .deadlines
            .front()
            .map(|(deadline_micros, _)| *deadline_micros);
        let may_send =
            !self.queue.is_empty() && self.in_flight.len() < self.config.window && self.state == State::Bound;
        let send = may_send.then(|| self.backoff.until_micros().max(self.rate.opens_micros()));
        [Some(session), response, send].into_iter().flatten().min()
    }

    fn handle_frame(&mut self, frame: &Frame, now_micros: u64) {
        match frame {
            Frame::Whole(octets) => match pdu::decode(octets) {
                Ok(pdu) => self.handle_pdu(pdu, now_micros),
                Err(_) => self.handle_undecodable(octets),
            },
            Frame::TooLong { sequence } => {
                self.answer(*sequence, Status::INVALID_COMMAND_LENGTH, Body::GenericNack);
            }
            Frame::Lost { .. } => {
                self.answer(0, Status::INVALID_COMMAND_LENGTH, Body::GenericNack);
                self.close(ClosedReason::StreamLost);
            }
        }
    }

    // An answer that cannot be read still says by its header which request it belongs to.
    fn handle_undecodable(&mut self, octets: &[u8]) {
        const RESPONSE: u32 = 0x8000_0000;
        const SUBMIT_RESP: u32 = 0x8000_0004;
        let (command_id, sequence) = pdu::header_of(octets);
        if command_id == SUBMIT_RESP {
            let status = octets
                .get(8..12)
                .and_then(|word| word.try_into().ok())
                .map_or(0, u32::from_be_bytes);
            self.handle_submit_response(sequence, Status(status), String::new(), self.heard_micros);
        } else if command_id & RESPONSE == 0 {
            self.answer(sequence, Status::INVALID_TLV_STREAM, Body::GenericNack);
        }
    }

    fn handle_pdu(&mut self, pdu: Pdu, now_micros: u64) {
        let Pdu {
            status,
            sequence,
            body,
        } = pdu;
        match body {
            Body::BindResp(_, system_id) => self.handle_bind_response(sequence, status, system_id),
            Body::SubmitResp(message_id) => {
                self.handle_submit_response(sequence, status, message_id, now_micros);
            }
            Body::Deliver(message)
                if self.config.confirms_texts && DeliveryReceipt::read(&message).is_none() =>
            {
                self.events.push_back(EsmeEvent::Text { sequence, message });
            }
            Body::Deliver(message) => {
                self.handle_message(message);
                self.answer(sequence, Status::OK, Body::DeliverResp);
            }
            Body::Data(message) => {
                self.handle_message(message);
                self.answer(sequence, Status::OK, Body::DataResp(String::new()));
            }
            Body::EnquireLink => self.answer(sequence, Status::OK, Body::EnquireLinkResp),
            Body::EnquireLinkResp => self.enquiry = None,
            Body::Unbind => {
                self.answer(sequence, Status::OK, Body::UnbindResp);
                self.close(ClosedReason::PeerUnbound);
            }
            Body::UnbindResp => {
                if matches!(self.state, State::Unbinding { .. }) {
                    self.close(ClosedReason::Unbound);
                }
            }
            Body::GenericNack => self.handle_nack(sequence, status, now_micros),
            // We are bound or binding already, so an outbind asks for what is being done.
            Body::Outbind => self.events.push_back(EsmeEvent::Skipped { command_id: 0x0b }),
            Body::AlertNotification => self.events.push_back(EsmeEvent::Skipped { command_id: 0x102 }),
            Body::Other(command_id) => {
                self.events.push_back(EsmeEvent::Skipped { command_id });
                if command_id & 0x8000_0000 == 0 {
                    self.answer(sequence, Status::INVALID_COMMAND_ID, Body::GenericNack);
                }
            }
            Body::Bind(_) | Body::Submit(_) => {
                self.answer(sequence, Status::INVALID_BIND_STATUS, Body::GenericNack);
            }
            Body::DeliverResp | Body::DataResp(_) => {}
        }
    }

    fn handle_bind_response(&mut self, sequence: u32, status: Status, system_id: String) {
        if !matches!(self.state, State::Binding { .. }) || sequence != self.bind_sequence {
            return;
        }
        if status == Status::OK {
            self.state = State::Bound;
            self.events.push_back(EsmeEvent::Bound { system_id });
        } else {
            self.close(ClosedReason::BindRefused(status));
        }
    }

    fn handle_submit_response(&mut self, sequence: u32, status: Status, message_id: String, now_micros: u64) {
        let Some(in_flight) = self.in_flight.remove(&sequence) else {
            // The caller was told "unknown" already; a late yes saves it from sending again.
            if let Some(key) = self.late.remove(&sequence)
                && status == Status::OK
            {
                self.events.push_back(EsmeEvent::Accepted { key, message_id });
            }
            return;
        };
        let key = in_flight.waiting.key;
        if status == Status::OK {
            self.backoff.succeed(now_micros);
            self.events.push_back(EsmeEvent::Accepted { key, message_id });
        } else if status.is_slow_down() {
            self.queue.push_front(in_flight.waiting);
            let until_micros = self.backoff.complain(now_micros);
            self.events.push_back(EsmeEvent::Throttled { until_micros });
        } else {
            self.events.push_back(EsmeEvent::Rejected { key, status });
        }
    }

    fn handle_message(&mut self, message: ShortMessage) {
        let event = match DeliveryReceipt::read(&message) {
            Some(receipt) => EsmeEvent::Receipt(receipt),
            None => EsmeEvent::MobileOriginated(message),
        };
        self.events.push_back(event);
    }

    fn handle_nack(&mut self, sequence: u32, status: Status, now_micros: u64) {
        if matches!(self.state, State::Binding { .. }) && sequence == self.bind_sequence {
            self.close(ClosedReason::BindRefused(status));
        } else if self.in_flight.contains_key(&sequence) {
            let status = if status == Status::OK {
                Status::SYSTEM_ERROR
            } else {
                status
            };
            self.handle_submit_response(sequence, status, String::new(), now_micros);
        } else {
            if self.enquiry.is_some_and(|(enquiry, _)| enquiry == sequence) {
                self.enquiry = None;
            }
            self.events.push_back(EsmeEvent::PeerNack { status });
        }
    }

    fn expire_responses(&mut self, now_micros: u64) {
        while let Some((deadline_micros, sequence)) = self.deadlines.front().copied() {
            let answered = !self.in_flight.contains_key(&sequence);
            if !answered && now_micros < deadline_micros {
                break;
            }
            self.deadlines.pop_front();
            if let Some(in_flight) = self.in_flight.remove(&sequence) {
                self.remember_late(sequence, in_flight.waiting.key);
                self.events.push_back(EsmeEvent::OutcomeUnknown {
                    key: in_flight.waiting.key,
                });
            }
        }
    }

    fn remember_late(&mut self, sequence: u32, key: u64) {
        if self.late_order.len() >= LATE_RESPONSES_MAX
            && let Some(oldest) = self.late_order.pop_front()
        {
            self.late.remove(&oldest);
        }
        self.late.insert(sequence, key);
        self.late_order.push_back(sequence);
    }

    // Any octet from the peer shows that the link lives, so an enquiry goes out only after silence.
    fn check_link(&mut self, now_micros: u64) {
        match self.enquiry {
            Some((_, deadline_micros)) if now_micros >= deadline_micros => self.close(ClosedReason::LinkDead),
            None if now_micros >= self.heard_micros + self.config.enquire_interval_micros => {
                if let Ok(sequence) = self.send_request(Body::EnquireLink) {
                    self.enquiry = Some((sequence, now_micros + self.config.response_timeout_micros));
                }
            }
            _ => {}
        }
    }

    /// Sends what window, rate and back-off allow.
    fn pump(&mut self, now_micros: u64) {
        while self.state == State::Bound
            && self.in_flight.len() < self.config.window
            && now_micros >= self.backoff.until_micros()
            && self.rate.is_open(now_micros)
            && let Some(waiting) = self.queue.pop_front()
        {
            self.rate.take(now_micros);
            let deadline_micros = now_micros + self.config.response_timeout_micros;
            let Ok(sequence) = self.send_request(Body::Submit(waiting.message.clone())) else {
                continue;
            };
            self.in_flight.insert(
                sequence,
                InFlight {
                    waiting,
                    deadline_micros,
                },
            );
            self.deadlines.push_back((deadline_micros, sequence));
        }
        self.forget_answered_deadlines();
    }

    fn forget_answered_deadlines(&mut self) {
        while let Some((deadline_micros, sequence)) = self.deadlines.front() {
            let open = self
                .in_flight
                .get(sequence)
                .is_some_and(|f| f.deadline_micros == *deadline_micros);
            if open {
                break;
            }
            self.deadlines.pop_front();
        }
    }

    fn send_request(&mut self, body: Body) -> Result<u32, pdu::PduError> {
        self.sequence = if self.sequence >= 0x7fff_ffff {
            1
        } else {
            self.sequence + 1
        };
        let sequence = self.sequence;
        let octets = pdu::encode(&Pdu {
            status: Status::OK,
            sequence,
            body,
        })?;
        self.transmits.push_back(octets);
        Ok(sequence)
    }

    fn answer(&mut self, sequence: u32, status: Status, body: Body) {
        if let Ok(octets) = pdu::encode(&Pdu {
            status,
            sequence,
            body,
        }) {
            self.transmits.push_back(octets);
        }
    }

    fn close(&mut self, reason: ClosedReason) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        for in_flight in std::mem::take(&mut self.in_flight).into_values() {
            self.events.push_back(EsmeEvent::OutcomeUnknown {
                key: in_flight.waiting.key,
            });
        }
        for waiting in std::mem::take(&mut self.queue) {
            self.events.push_back(EsmeEvent::NotSent { key: waiting.key });
        }
        self.events.push_back(EsmeEvent::Closed(reason));
    }
}
