//! The message centre's side of one SMPP connection: it checks binds, takes messages, sends receipts, and misbehaves
//! on demand in the ways that real centres do.

use std::collections::{BinaryHeap, VecDeque};

use bytes::Bytes;

use super::frame::{Frame, Framer};
use super::pdu::{self, Bind, BindMode, Body, ESM_RECEIPT, Pdu, ShortMessage, Status};
use super::receipt::{DeliveryState, format_text};

/// What a centre is like.
#[derive(Debug, Clone)]
pub struct CentreConfig {
    /// Told in bind responses.
    pub system_id: String,
    /// Accepted pairs of system_id and password; empty accepts everybody.
    pub accounts: Vec<(String, String)>,
    /// The shape of message ids.
    pub message_id: MessageIdShape,
    /// When receipts come.
    pub receipt_timing: ReceiptTiming,
    /// How receipts look.
    pub receipt_shape: ReceiptShape,
    /// A receipt follows its message after this time, in microseconds.
    pub receipt_delay_micros: u64,
    /// What it does wrong.
    pub misbehaviour: Misbehaviour,
}

impl Default for CentreConfig {
    fn default() -> Self {
        Self {
            system_id: "smsc".to_owned(),
            accounts: Vec::new(),
            message_id: MessageIdShape::Decimal,
            receipt_timing: ReceiptTiming::After,
            receipt_shape: ReceiptShape::TextAndTlv,
            receipt_delay_micros: 0,
            misbehaviour: Misbehaviour::default(),
        }
    }
}

/// Shapes of message ids seen in the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageIdShape {
    /// A number.
    Decimal,
    /// Hexadecimal digits.
    Hexadecimal,
    /// 36 characters like a UUID.
    Uuid,
    /// Always the same text.
    Constant(String),
}

/// When delivery receipts come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReceiptTiming {
    /// After the submit_sm_resp.
    #[default]
    After,
    /// Before the submit_sm_resp.
    Before,
    /// Two times.
    Twice,
    /// Never.
    Never,
}

/// How delivery receipts look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReceiptShape {
    /// Full text and TLVs.
    #[default]
    TextAndTlv,
    /// Full text only.
    Text,
    /// TLVs only.
    Tlv,
    /// Full text, and source and destination exchanged.
    Swapped,
    /// Text without the fields sub, dlvrd and text.
    ShortText,
}

/// What a centre does wrong. "Every n-th" counts submits of the connection; zero means never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misbehaviour {
    /// Answers wait this long, in microseconds.
    pub response_delay_micros: u64,
    /// Every n-th submit is answered ESME_RTHROTTLED and not taken.
    pub throttle_every: u32,
    /// Every n-th submit is answered ESME_RMSGQFUL and not taken.
    pub queue_full_every: u32,
    /// Every n-th submit is taken and not answered.
    pub drop_response_every: u32,
    /// Every n-th submit is answered generic_nack and not taken.
    pub nack_every: u32,
    /// Every n-th submit is refused for good with ESME_RINVDSTADR.
    pub reject_every: u32,
    /// Before every n-th answer come a PDU of an unknown kind and one whose body is nonsense.
    pub garbage_every: u32,
    /// After this many submits the centre sends unbind; the submit is neither taken nor answered.
    pub unbind_after: u32,
    /// After this many submits the centre sends a command_length of four.
    pub bad_length_after: u32,
    /// The centre reads everything and says nothing.
    pub silent: bool,
    /// A deliver_sm comes before the bind is answered.
    pub deliver_before_bind: bool,
    /// An outbind comes first.
    pub outbind: bool,
}

/// What happened on the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CentreEvent {
    /// A client is bound.
    Bound {
        /// Its system_id.
        system_id: String,
        /// Its directions.
        mode: BindMode,
    },
    /// A bind was refused.
    BindRefused {
        /// Its system_id.
        system_id: String,
    },
    /// A message was taken: it is on its way to the handset.
    Submitted {
        /// The message as it came.
        message: ShortMessage,
        /// The id that the answer tells, if an answer goes out.
        message_id: String,
    },
    /// The client answered a deliver_sm.
    DeliverAnswered {
        /// With this status.
        status: Status,
    },
    /// The session is over; close the connection when everything is transmitted.
    Closed,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Delayed {
    due: std::cmp::Reverse<(u64, u64)>,
    octets: Bytes,
}

/// The centre machine for one connection.
#[derive(Debug)]
pub struct Centre {
    config: CentreConfig,
    framer: Framer,
    bound: Option<BindMode>,
    closed: bool,
    sequence: u32,
    submits: u32,
    next_id: u64,
    delayed: BinaryHeap<Delayed>,
    delayed_count: u64,
    transmits: VecDeque<Bytes>,
    events: VecDeque<CentreEvent>,
}

impl Centre {
    /// A fresh connection. `first_id` starts the message ids; give each connection its own range.
    #[must_use]
    pub fn new(config: CentreConfig, first_id: u64, now_micros: u64) -> Self {
        let mut centre = Self {
            config,
            framer: Framer::default(),
            bound: None,
            closed: false,
            sequence: 0,
            submits: 0,
            next_id: first_id,
            delayed: BinaryHeap::new(),
            delayed_count: 0,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        if centre.config.misbehaviour.outbind {
            centre.request(Body::Outbind, now_micros);
        }
        centre
    }

    /// Changes what the centre does from now on.
    pub fn set_config(&mut self, config: CentreConfig) {
        self.config = config;
    }

    /// Sends a message to the client, as from a handset. False when no client is bound to receive.
    pub fn deliver(&mut self, message: ShortMessage, now_micros: u64) -> bool {
        let can_receive = matches!(self.bound, Some(BindMode::Transceiver | BindMode::Receiver));
        if can_receive {
            self.request(Body::Deliver(message), now_micros);
        }
        can_receive
    }

    /// Asks the client to leave.
    pub fn unbind(&mut self, now_micros: u64) {
        self.request(Body::Unbind, now_micros);
    }

    /// Octets from the client.
    pub fn handle_input(&mut self, octets: &[u8], now_micros: u64) {
        self.framer.push(octets);
        while !self.closed
            && let Some(frame) = self.framer.next_frame()
        {
            match frame {
                Frame::Whole(octets) => match pdu::decode(&octets) {
                    Ok(pdu) => self.handle_pdu(pdu, now_micros),
                    Err(_) => {
                        let (_, sequence) = pdu::header_of(&octets);
                        self.answer(
                            sequence,
                            Status::INVALID_TLV_STREAM,
                            Body::GenericNack,
                            now_micros,
                        );
                    }
                },
                Frame::TooLong { sequence } => {
                    self.answer(
                        sequence,
                        Status::INVALID_COMMAND_LENGTH,
                        Body::GenericNack,
                        now_micros,
                    );
                }
                Frame::Lost { .. } => {
                    self.answer(0, Status::INVALID_COMMAND_LENGTH, Body::GenericNack, now_micros);
                    self.close();
                }
            }
        }
        self.handle_timeout(now_micros);
    }

    /// Time has passed; call at [`Self::poll_timeout`] or later.
    pub fn handle_timeout(&mut self, now_micros: u64) {
        while self
            .delayed
            .peek()
            .is_some_and(|delayed| delayed.due.0.0 <= now_micros)
        {
            if let Some(delayed) = self.delayed.pop() {
                self.transmits.push_back(delayed.octets);
            }
        }
    }

    /// Octets for the client.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<CentreEvent> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.delayed.peek().map(|delayed| delayed.due.0.0)
    }

    fn handle_pdu(&mut self, pdu: Pdu, now_micros: u64) {
        let Pdu {
            status,
            sequence,
            body,
        } = pdu;
        match body {
            Body::Bind(bind) => self.handle_bind(bind, sequence, now_micros),
            Body::Submit(message) => self.handle_submit(message, sequence, now_micros),
            Body::EnquireLink => self.answer(sequence, Status::OK, Body::EnquireLinkResp, now_micros),
            Body::Unbind => {
                self.answer(sequence, Status::OK, Body::UnbindResp, now_micros);
                self.close();
            }
            Body::UnbindResp => self.close(),
            Body::DeliverResp | Body::DataResp(_) => {
                self.events.push_back(CentreEvent::DeliverAnswered { status });
            }
            Body::EnquireLinkResp | Body::GenericNack => {}
            _ => self.answer(
                sequence,
                Status::INVALID_COMMAND_ID,
                Body::GenericNack,
                now_micros,
            ),
        }
    }

    fn handle_bind(&mut self, bind: Bind, sequence: u32, now_micros: u64) {
        let Bind {
            mode,
            system_id,
            password,
            ..
        } = bind;
        if self.config.misbehaviour.deliver_before_bind {
            let early = ShortMessage {
                octets: b"early".to_vec(),
                ..ShortMessage::default()
            };
            self.request(Body::Deliver(early), now_micros);
        }
        let account = self.config.accounts.iter().find(|(id, _)| *id == system_id);
        let status = match account {
            _ if self.bound.is_some() => Status::ALREADY_BOUND,
            _ if self.config.accounts.is_empty() => Status::OK,
            None => Status::INVALID_SYSTEM_ID,
            Some((_, expected)) if *expected != password => Status::INVALID_PASSWORD,
            Some(_) => Status::OK,
        };
        let own_id = if status == Status::OK {
            self.config.system_id.clone()
        } else {
            String::new()
        };
        self.answer(sequence, status, Body::BindResp(mode, own_id), now_micros);
        if status == Status::OK {
            self.bound = Some(mode);
            self.events.push_back(CentreEvent::Bound { system_id, mode });
        } else {
            self.events.push_back(CentreEvent::BindRefused { system_id });
        }
    }

    fn handle_submit(&mut self, message: ShortMessage, sequence: u32, now_micros: u64) {
        if !matches!(self.bound, Some(BindMode::Transceiver | BindMode::Transmitter)) {
            let refusal = Body::SubmitResp(String::new());
            return self.answer(sequence, Status::INVALID_BIND_STATUS, refusal, now_micros);
        }
        self.submits += 1;
        let wrong = self.config.misbehaviour.clone();
        let is = |every: u32| every > 0 && self.submits.is_multiple_of(every);
        if wrong.unbind_after > 0 && self.submits > wrong.unbind_after {
            if self.submits == wrong.unbind_after + 1 {
                self.request(Body::Unbind, now_micros);
            }
            return;
        }
        if wrong.bad_length_after > 0 && self.submits > wrong.bad_length_after {
            self.emit(Bytes::from_static(&[0, 0, 0, 4]), now_micros);
            return self.close();
        }
        let refusal = if is(wrong.throttle_every) {
            Some((Status::THROTTLED, Body::SubmitResp(String::new())))
        } else if is(wrong.queue_full_every) {
            Some((Status::QUEUE_FULL, Body::SubmitResp(String::new())))
        } else if is(wrong.nack_every) {
            Some((Status::SYSTEM_ERROR, Body::GenericNack))
        } else if is(wrong.reject_every) {
            Some((Status::INVALID_DESTINATION, Body::SubmitResp(String::new())))
        } else {
            None
        };
        let (answered, garbage) = (!is(wrong.drop_response_every), is(wrong.garbage_every));
        if let Some((status, body)) = refusal {
            return self.answer(sequence, status, body, now_micros + wrong.response_delay_micros);
        }
        if garbage {
            self.emit_garbage(now_micros);
        }
        self.take(message, sequence, answered, now_micros);
    }

    fn take(&mut self, message: ShortMessage, sequence: u32, answered: bool, now_micros: u64) {
        let message_id = self.new_message_id();
        let answer_micros = now_micros + self.config.misbehaviour.response_delay_micros;
        let wants_receipt = message.registered_delivery & 0x03 == pdu::REGISTERED_FINAL;
        let receipt = self.receipt(&message, &message_id);
        let timing = self.config.receipt_timing;
        if wants_receipt && timing == ReceiptTiming::Before {
            self.deliver(receipt.clone(), now_micros);
        }
        if answered {
            self.answer(
                sequence,
                Status::OK,
                Body::SubmitResp(message_id.clone()),
                answer_micros,
            );
        }
        let later = match timing {
            ReceiptTiming::After => 1,
            ReceiptTiming::Twice => 2,
            ReceiptTiming::Before | ReceiptTiming::Never => 0,
        };
        for _ in 0..if wants_receipt { later } else { 0 } {
            self.deliver(receipt.clone(), answer_micros + self.config.receipt_delay_micros);
        }
        self.events
            .push_back(CentreEvent::Submitted { message, message_id });
    }

    fn receipt(&self, message: &ShortMessage, message_id: &str) -> ShortMessage {
        const TIME: &str = "2601010000";
        let shape = self.config.receipt_shape;
        let state = DeliveryState::Delivered;
        let text = match shape {
            ReceiptShape::Tlv => String::new(),
            ReceiptShape::ShortText => format!("id:{message_id} stat:{}", state.word()),
            _ => format_text(message_id, state, TIME),
        };
        let mut receipt = ShortMessage {
            source: message.destination.clone(),
            destination: message.source.clone(),
            esm_class: ESM_RECEIPT,
            octets: text.into_bytes(),
            ..ShortMessage::default()
        };
        if shape == ReceiptShape::Swapped {
            std::mem::swap(&mut receipt.source, &mut receipt.destination);
        }
        if matches!(shape, ReceiptShape::TextAndTlv | ReceiptShape::Tlv) {
            receipt.tlvs.receipted_message_id = Some(message_id.to_owned());
            receipt.tlvs.message_state = Some(state.code());
            receipt.tlvs.user_message_reference = message.tlvs.user_message_reference;
        }
        receipt
    }

    fn new_message_id(&mut self) -> String {
        let id = self.next_id;
        self.next_id += 1;
        match &self.config.message_id {
            MessageIdShape::Decimal => id.to_string(),
            MessageIdShape::Hexadecimal => format!("{id:08X}"),
            MessageIdShape::Uuid => format!("00000000-0000-4000-8000-{id:012x}"),
            MessageIdShape::Constant(text) => text.clone(),
        }
    }

    fn emit_garbage(&mut self, now_micros: u64) {
        self.request(Body::Other(0x0000_0f0f), now_micros);
        // A deliver_sm whose C-octet strings never end.
        let mut octets = vec![0, 0, 0, 40, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 99];
        octets.resize(40, 0xff);
        self.emit(octets.into(), now_micros);
    }

    fn request(&mut self, body: Body, due_micros: u64) {
        self.sequence = if self.sequence >= 0x7fff_ffff {
            1
        } else {
            self.sequence + 1
        };
        let sequence = self.sequence;
        self.answer(sequence, Status::OK, body, due_micros);
    }

    fn answer(&mut self, sequence: u32, status: Status, body: Body, due_micros: u64) {
        if let Ok(octets) = pdu::encode(&Pdu {
            status,
            sequence,
            body,
        }) {
            self.emit(octets, due_micros);
        }
    }

    fn emit(&mut self, octets: Bytes, due_micros: u64) {
        if self.config.misbehaviour.silent {
            return;
        }
        self.delayed_count += 1;
        self.delayed.push(Delayed {
            due: std::cmp::Reverse((due_micros, self.delayed_count)),
            octets,
        });
    }

    fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.bound = None;
            self.events.push_back(CentreEvent::Closed);
        }
    }
}
