//! Our own PDU types. `rusmpp-core` turns them into octets and back.

use bytes::{Bytes, BytesMut};
use rusmpp_core::command::owned::Command;
use rusmpp_core::decode::owned::DecodeWithLength;
use rusmpp_core::encode::Length;
use rusmpp_core::encode::owned::Encode;
use rusmpp_core::pdus::owned as raw;
use rusmpp_core::tlvs::TlvTag;
use rusmpp_core::tlvs::owned::{
    MessageDeliveryRequestTlvValue, MessageSubmissionRequestTlvValue, Tlv, TlvValue,
};
use rusmpp_core::types::owned::{AnyOctetString, COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp_core::values::owned::{MessagePayload, ServiceType};
use rusmpp_core::values::{
    DataCoding, EsmClass, InterfaceVersion, ItsSessionInfo, MessageState, Npi, PriorityFlag,
    RegisteredDelivery, Ton, UserMessageReference, UssdServiceOp,
};
use rusmpp_core::{CommandId, CommandStatus};

use crate::sms::ConcatenationReference;

use super::HEADER_OCTETS;

/// esm_class: the short message begins with a user data header (SMPP 3.4 5.2.12).
pub const ESM_UDHI: u8 = 0x40;
/// esm_class: message type bits.
pub const ESM_TYPE_MASK: u8 = 0x3c;
/// esm_class: the message is a delivery receipt of the message centre.
pub const ESM_RECEIPT: u8 = 0x04;
/// esm_class: the message is an intermediate notification.
pub const ESM_INTERMEDIATE: u8 = 0x20;
/// registered_delivery: ask for a receipt whatever happens (5.2.17).
pub const REGISTERED_FINAL: u8 = 0x01;

/// One PDU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    /// command_status; zero in requests.
    pub status: Status,
    /// sequence_number.
    pub sequence: u32,
    /// What it is about.
    pub body: Body,
}

/// command_status (SMPP 3.4 5.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u32);

impl Status {
    /// No error.
    pub const OK: Self = Self(0x00);
    /// command_length is invalid.
    pub const INVALID_COMMAND_LENGTH: Self = Self(0x02);
    /// command_id is unknown.
    pub const INVALID_COMMAND_ID: Self = Self(0x03);
    /// The command does not fit the bind state.
    pub const INVALID_BIND_STATUS: Self = Self(0x04);
    /// Already bound.
    pub const ALREADY_BOUND: Self = Self(0x05);
    /// The message centre has trouble of its own.
    pub const SYSTEM_ERROR: Self = Self(0x08);
    /// Destination address invalid.
    pub const INVALID_DESTINATION: Self = Self(0x0b);
    /// Bind failed.
    pub const BIND_FAILED: Self = Self(0x0d);
    /// Password wrong.
    pub const INVALID_PASSWORD: Self = Self(0x0e);
    /// system_id unknown.
    pub const INVALID_SYSTEM_ID: Self = Self(0x0f);
    /// The message queue is full: try again later.
    pub const QUEUE_FULL: Self = Self(0x14);
    /// Too fast: try again later.
    pub const THROTTLED: Self = Self(0x58);
    /// Optional part of the body is broken.
    pub const INVALID_TLV_STREAM: Self = Self(0xc0);

    /// The centre asks us to slow down; the message is good.
    #[must_use]
    pub fn is_slow_down(self) -> bool {
        matches!(self, Self::THROTTLED | Self::QUEUE_FULL)
    }

    /// The fault lies in this message (its length or destination), so sending it again is of no use. Everything else,
    /// a wrong setting or a sick centre, may pass.
    #[must_use]
    pub fn is_about_message(self) -> bool {
        matches!(self.0, 0x01 | 0x0b | 0x50 | 0x51)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "command_status 0x{:08x}", self.0)
    }
}

/// Which directions a session carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BindMode {
    /// Both.
    #[default]
    Transceiver,
    /// Only submit_sm.
    Transmitter,
    /// Only deliver_sm.
    Receiver,
}

/// The content of a bind request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bind {
    /// Which directions.
    pub mode: BindMode,
    /// At most 15 ASCII characters.
    pub system_id: String,
    /// At most 8 ASCII characters.
    pub password: String,
    /// At most 12 ASCII characters.
    pub system_type: String,
    /// At most 40 ASCII characters.
    pub address_range: String,
}

/// PDUs that we understand; the rest is [`Body::Other`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// bind_transceiver, bind_transmitter, bind_receiver.
    Bind(Bind),
    /// Their answers, with the centre's system_id.
    BindResp(BindMode, String),
    /// outbind: the centre asks us to bind.
    Outbind,
    /// unbind.
    Unbind,
    /// unbind_resp.
    UnbindResp,
    /// enquire_link.
    EnquireLink,
    /// enquire_link_resp.
    EnquireLinkResp,
    /// generic_nack.
    GenericNack,
    /// submit_sm.
    Submit(ShortMessage),
    /// submit_sm_resp with its message_id (empty on errors).
    SubmitResp(String),
    /// deliver_sm.
    Deliver(ShortMessage),
    /// deliver_sm_resp.
    DeliverResp,
    /// data_sm; its text is in message_payload.
    Data(ShortMessage),
    /// data_sm_resp with its message_id.
    DataResp(String),
    /// alert_notification.
    AlertNotification,
    /// Anything else, by command_id.
    Other(u32),
}

/// An address with its type of number and numbering plan (5.2.5 to 5.2.9).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// Type of number: 1 international, 5 alphanumeric, 0 unknown.
    pub ton: u8,
    /// Numbering plan: 1 E.164, 0 unknown.
    pub npi: u8,
    /// At most 20 ASCII characters.
    pub number: String,
}

impl Address {
    /// An E.164 number without plus sign.
    #[must_use]
    pub fn international(number: &str) -> Self {
        Self {
            ton: 1,
            npi: 1,
            number: number.to_owned(),
        }
    }

    /// A short code or a name: all digits is a network number, anything else alphanumeric.
    #[must_use]
    pub fn sender(name: &str) -> Self {
        let ton = if name.chars().all(|c| c.is_ascii_digit()) {
            3
        } else {
            5
        };
        Self {
            ton,
            npi: u8::from(ton == 3),
            number: name.to_owned(),
        }
    }
}

/// The content of submit_sm, deliver_sm and data_sm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShortMessage {
    /// Who sends.
    pub source: Address,
    /// Who receives.
    pub destination: Address,
    /// esm_class.
    pub esm_class: u8,
    /// validity_period: empty or 16 characters.
    pub validity_period: String,
    /// registered_delivery.
    pub registered_delivery: u8,
    /// data_coding.
    pub data_coding: u8,
    /// short_message, at most 254 octets.
    pub octets: Vec<u8>,
    /// The optional parameters that we know.
    pub tlvs: Tlvs,
}

impl ShortMessage {
    /// User data: message_payload where present, else short_message.
    #[must_use]
    pub fn user_data(&self) -> &[u8] {
        self.tlvs.message_payload.as_deref().unwrap_or(&self.octets)
    }

    /// User data begins with a header.
    #[must_use]
    pub fn has_header(&self) -> bool {
        self.esm_class & ESM_UDHI != 0
    }
}

/// Optional parameters (5.3.2). Values we do not know are dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tlvs {
    /// user_message_reference.
    pub user_message_reference: Option<u16>,
    /// sar_msg_ref_num, sar_total_segments, sar_segment_seqnum.
    pub sar: Option<ConcatenationReference>,
    /// message_payload.
    pub message_payload: Option<Vec<u8>>,
    /// receipted_message_id.
    pub receipted_message_id: Option<String>,
    /// message_state.
    pub message_state: Option<u8>,
    /// ussd_service_op.
    pub ussd_service_op: Option<u8>,
    /// its_session_info: session number, and sequence number with the end-of-session bit.
    pub its_session_info: Option<[u8; 2]>,
}

/// Why a PDU cannot be encoded or decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PduError {
    /// A field is too long or holds what it may not.
    #[error("field {0} does not fit")]
    Field(&'static str),
    /// The octets do not hold the PDU that command_id promises.
    #[error("malformed PDU")]
    Malformed,
}

/// command_id and sequence_number of an undecodable PDU, for the generic_nack.
#[must_use]
pub fn header_of(frame: &[u8]) -> (u32, u32) {
    let word = |at: usize| {
        frame
            .get(at..at + 4)
            .and_then(|word| word.try_into().ok())
            .map_or(0, u32::from_be_bytes)
    };
    (word(4), word(12))
}

/// Decodes one frame as [`super::frame::Framer`] gives it.
pub fn decode(frame: &[u8]) -> Result<Pdu, PduError> {
    let body = frame
        .get(4..)
        .filter(|_| frame.len() >= HEADER_OCTETS)
        .ok_or(PduError::Malformed)?;
    let (command_id, _) = header_of(frame);
    let mut buffer = BytesMut::from(body);
    let (command, _) = Command::decode(&mut buffer, body.len()).map_err(|_| PduError::Malformed)?;
    Ok(Pdu {
        status: Status(command.status().into()),
        sequence: command.sequence_number(),
        body: body_from(command_id, command.pdu())?,
    })
}

/// Encodes a PDU with its command_length.
pub fn encode(pdu: &Pdu) -> Result<Bytes, PduError> {
    let command = Command::new(
        CommandStatus::from(pdu.status.0),
        pdu.sequence,
        body_to(&pdu.body)?,
    );
    let length = command.length() + 4;
    let mut octets = BytesMut::with_capacity(length);
    octets.extend_from_slice(
        &u32::try_from(length)
            .map_err(|_| PduError::Malformed)?
            .to_be_bytes(),
    );
    command.encode(&mut octets);
    Ok(octets.freeze())
}

fn body_from(command_id: u32, pdu: Option<&raw::Pdu>) -> Result<Body, PduError> {
    use raw::Pdu as Raw;
    let Some(pdu) = pdu else {
        return empty_body(command_id);
    };
    Ok(match pdu {
        Raw::BindTransceiver(b) => bind_from!(b, BindMode::Transceiver),
        Raw::BindTransmitter(b) => bind_from!(b, BindMode::Transmitter),
        Raw::BindReceiver(b) => bind_from!(b, BindMode::Receiver),
        Raw::BindTransceiverResp(b) => Body::BindResp(BindMode::Transceiver, b.system_id.as_str().to_owned()),
        Raw::BindTransmitterResp(b) => Body::BindResp(BindMode::Transmitter, b.system_id.as_str().to_owned()),
        Raw::BindReceiverResp(b) => Body::BindResp(BindMode::Receiver, b.system_id.as_str().to_owned()),
        Raw::Outbind(_) => Body::Outbind,
        Raw::Unbind => Body::Unbind,
        Raw::UnbindResp => Body::UnbindResp,
        Raw::EnquireLink => Body::EnquireLink,
        Raw::EnquireLinkResp => Body::EnquireLinkResp,
        Raw::GenericNack => Body::GenericNack,
        Raw::SubmitSm(m) => Body::Submit(message_from!(m)),
        Raw::DeliverSm(m) => Body::Deliver(message_from!(m)),
        Raw::DataSm(m) => Body::Data(ShortMessage {
            source: address(m.source_addr_ton, m.source_addr_npi, &m.source_addr),
            destination: address(m.dest_addr_ton, m.dest_addr_npi, &m.destination_addr),
            esm_class: m.esm_class.into(),
            validity_period: String::new(),
            registered_delivery: m.registered_delivery.into(),
            data_coding: m.data_coding.into(),
            octets: Vec::new(),
            tlvs: tlvs_from(m.tlvs()),
        }),
        Raw::SubmitSmResp(r) => Body::SubmitResp(r.message_id().as_str().to_owned()),
        Raw::DataSmResp(r) => Body::DataResp(r.message_id().as_str().to_owned()),
        Raw::DeliverSmResp(_) => Body::DeliverResp,
        Raw::AlertNotification(_) => Body::AlertNotification,
        _ => Body::Other(command_id),
    })
}

// Answers that report an error often come without a body, and some peers put a body where none belongs.
fn empty_body(command_id: u32) -> Result<Body, PduError> {
    Ok(match command_id {
        0x8000_0000 => Body::GenericNack,
        0x8000_0001 => Body::BindResp(BindMode::Receiver, String::new()),
        0x8000_0002 => Body::BindResp(BindMode::Transmitter, String::new()),
        0x8000_0004 => Body::SubmitResp(String::new()),
        0x8000_0005 => Body::DeliverResp,
        0x8000_0006 => Body::UnbindResp,
        0x8000_0009 => Body::BindResp(BindMode::Transceiver, String::new()),
        0x8000_0015 => Body::EnquireLinkResp,
        0x8000_0103 => Body::DataResp(String::new()),
        0x0000_0006 => Body::Unbind,
        0x0000_0015 => Body::EnquireLink,
        0x0000_0001 | 0x0000_0002 | 0x0000_0004 | 0x0000_0005 | 0x0000_0009 | 0x0000_0103 => {
            return Err(PduError::Malformed);
        }
        other => Body::Other(other),
    })
}

fn body_to(body: &Body) -> Result<raw::Pdu, PduError> {
    use raw::Pdu as Raw;
    Ok(match body {
        Body::Bind(b) => match b.mode {
            BindMode::Transceiver => Raw::BindTransceiver(bind_to!(b, raw::BindTransceiver)),
            BindMode::Transmitter => Raw::BindTransmitter(bind_to!(b, raw::BindTransmitter)),
            BindMode::Receiver => Raw::BindReceiver(bind_to!(b, raw::BindReceiver)),
        },
        Body::BindResp(mode, system_id) => {
            let (id, version) = (text(system_id, "system_id")?, Some(InterfaceVersion::Smpp3_4));
            match mode {
                BindMode::Transceiver => Raw::BindTransceiverResp(raw::BindTransceiverResp::new(id, version)),
                BindMode::Transmitter => Raw::BindTransmitterResp(raw::BindTransmitterResp::new(id, version)),
                BindMode::Receiver => Raw::BindReceiverResp(raw::BindReceiverResp::new(id, version)),
            }
        }
        Body::Outbind => Raw::Outbind(raw::Outbind::default()),
        Body::Unbind => Raw::Unbind,
        Body::UnbindResp => Raw::UnbindResp,
        Body::EnquireLink => Raw::EnquireLink,
        Body::EnquireLinkResp => Raw::EnquireLinkResp,
        Body::GenericNack => Raw::GenericNack,
        Body::Submit(m) => {
            let mut pdu = raw::SubmitSm::default();
            message_to!(m, pdu);
            pdu.set_tlvs(submission_tlvs(&m.tlvs)?);
            Raw::SubmitSm(pdu)
        }
        Body::Deliver(m) => {
            let mut pdu = raw::DeliverSm::default();
            message_to!(m, pdu);
            pdu.set_tlvs(delivery_tlvs(&m.tlvs)?);
            Raw::DeliverSm(pdu)
        }
        Body::Data(m) => Raw::DataSm(data_to(m)?),
        Body::SubmitResp(id) => {
            Raw::SubmitSmResp(raw::SubmitSmResp::new(text(id, "message_id")?, Vec::new()))
        }
        Body::DataResp(id) => Raw::DataSmResp(raw::DataSmResp::new(text(id, "message_id")?, Vec::new())),
        Body::DeliverResp => Raw::DeliverSmResp(raw::DeliverSmResp::default()),
        Body::AlertNotification => Raw::AlertNotification(raw::AlertNotification::default()),
        Body::Other(id) => Raw::Other {
            command_id: CommandId::from(*id),
            body: AnyOctetString::empty(),
        },
    })
}

fn data_to(m: &ShortMessage) -> Result<raw::DataSm, PduError> {
    let mut tlvs = m.tlvs.clone();
    tlvs.message_payload.get_or_insert_with(|| m.octets.clone());
    Ok(raw::DataSm::new(
        ServiceType::default(),
        Ton::from(m.source.ton),
        Npi::from(m.source.npi),
        text(&m.source.number, "source_addr")?,
        Ton::from(m.destination.ton),
        Npi::from(m.destination.npi),
        text(&m.destination.number, "destination_addr")?,
        EsmClass::from(m.esm_class),
        RegisteredDelivery::from(m.registered_delivery),
        DataCoding::from(m.data_coding),
        submission_tlvs(&tlvs)?,
    ))
}

fn tlvs_from(raw: &[Tlv]) -> Tlvs {
    let mut tlvs = Tlvs::default();
    let (mut reference, mut total, mut number) = (None, None, None);
    // A parameter without octets has no value in `raw`; an empty text is a text all the same.
    if raw.iter().any(|tlv| tlv.tag() == TlvTag::MessagePayload) {
        tlvs.message_payload = Some(Vec::new());
    }
    for value in raw.iter().filter_map(Tlv::value) {
        match value {
            TlvValue::UserMessageReference(r) => tlvs.user_message_reference = Some(r.value),
            TlvValue::SarMsgRefNum(r) => reference = Some(*r),
            TlvValue::SarTotalSegments(t) => total = Some(*t),
            TlvValue::SarSegmentSeqnum(n) => number = Some(*n),
            TlvValue::MessagePayload(p) => tlvs.message_payload = Some(p.value.to_vec()),
            TlvValue::ReceiptedMessageId(id) => tlvs.receipted_message_id = Some(id.as_str().to_owned()),
            TlvValue::MessageState(state) => tlvs.message_state = Some(u8::from(*state)),
            TlvValue::UssdServiceOp(op) => tlvs.ussd_service_op = Some(u8::from(*op)),
            TlvValue::ItsSessionInfo(info) => {
                tlvs.its_session_info = Some([info.session_number, info.sequence_number]);
            }
            _ => {}
        }
    }
    if let (Some(reference), Some(total), Some(number)) = (reference, total, number)
        && total > 0
        && (1..=total).contains(&number)
    {
        tlvs.sar = Some(ConcatenationReference {
            reference,
            total,
            number,
        });
    }
    tlvs
}

fn text<const MAX: usize>(value: &str, field: &'static str) -> Result<COctetString<1, MAX>, PduError> {
    let octets = [value.as_bytes(), &[0]].concat();
    COctetString::from_slice(&octets).map_err(|_| PduError::Field(field))
}

fn address(ton: Ton, npi: Npi, number: &COctetString<1, 21>) -> Address {
    Address {
        ton: ton.into(),
        npi: npi.into(),
        number: number.as_str().to_owned(),
    }
}

macro_rules! bind_from {
    ($raw:expr, $mode:expr) => {
        Body::Bind(Bind {
            mode: $mode,
            system_id: $raw.system_id.as_str().to_owned(),
            password: $raw.password.as_str().to_owned(),
            system_type: $raw.system_type.as_str().to_owned(),
            address_range: $raw.address_range.as_str().to_owned(),
        })
    };
}
use bind_from;

macro_rules! bind_to {
    ($bind:expr, $raw:path) => {{
        type Raw = $raw;
        Raw::new(
            text(&$bind.system_id, "system_id")?,
            text(&$bind.password, "password")?,
            text(&$bind.system_type, "system_type")?,
            InterfaceVersion::Smpp3_4,
            Ton::default(),
            Npi::default(),
            text(&$bind.address_range, "address_range")?,
        )
    }};
}
use bind_to;

macro_rules! message_from {
    ($raw:expr) => {
        ShortMessage {
            source: address($raw.source_addr_ton, $raw.source_addr_npi, &$raw.source_addr),
            destination: address($raw.dest_addr_ton, $raw.dest_addr_npi, &$raw.destination_addr),
            esm_class: $raw.esm_class.into(),
            validity_period: $raw.validity_period.as_str().to_owned(),
            registered_delivery: $raw.registered_delivery.into(),
            data_coding: $raw.data_coding.into(),
            octets: $raw.short_message().to_vec(),
            tlvs: tlvs_from($raw.tlvs()),
        }
    };
}
use message_from;

macro_rules! message_to {
    ($message:expr, $raw:expr) => {
        $raw.source_addr_ton = Ton::from($message.source.ton);
        $raw.source_addr_npi = Npi::from($message.source.npi);
        $raw.source_addr = text(&$message.source.number, "source_addr")?;
        $raw.dest_addr_ton = Ton::from($message.destination.ton);
        $raw.dest_addr_npi = Npi::from($message.destination.npi);
        $raw.destination_addr = text(&$message.destination.number, "destination_addr")?;
        $raw.esm_class = EsmClass::from($message.esm_class);
        $raw.priority_flag = PriorityFlag::from(0);
        $raw.validity_period =
            EmptyOrFullCOctetString::from_slice(&[$message.validity_period.as_bytes(), &[0]].concat())
                .map_err(|_| PduError::Field("validity_period"))?;
        $raw.registered_delivery = RegisteredDelivery::from($message.registered_delivery);
        $raw.data_coding = DataCoding::from($message.data_coding);
        // sm_length 255 is reserved (5.2.21): 254 octets are the most.
        let octets = Some(&$message.octets)
            .filter(|octets| octets.len() <= 254)
            .ok_or(PduError::Field("short_message"))?;
        $raw.set_short_message(
            OctetString::from_slice(octets).map_err(|_| PduError::Field("short_message"))?,
        );
    };
}
use message_to;

macro_rules! tlvs_to {
    ($tlvs:expr, $Value:ident) => {{
        let mut values = Vec::new();
        if let Some(reference) = $tlvs.user_message_reference {
            values.push($Value::UserMessageReference(UserMessageReference::new(reference)));
        }
        if let Some(sar) = $tlvs.sar {
            values.push($Value::SarMsgRefNum(sar.reference));
            values.push($Value::SarTotalSegments(sar.total));
            values.push($Value::SarSegmentSeqnum(sar.number));
        }
        if let Some(payload) = &$tlvs.message_payload {
            if payload.len() > crate::sms::PAYLOAD_OCTETS_MAX {
                return Err(PduError::Field("message_payload"));
            }
            values.push($Value::MessagePayload(MessagePayload::new(
                AnyOctetString::from_slice(payload),
            )));
        }
        if let Some(op) = $tlvs.ussd_service_op {
            values.push($Value::UssdServiceOp(UssdServiceOp::from(op)));
        }
        if let Some([session, sequence]) = $tlvs.its_session_info {
            values.push($Value::ItsSessionInfo(ItsSessionInfo::new(session, sequence)));
        }
        values
    }};
}

fn submission_tlvs(tlvs: &Tlvs) -> Result<Vec<MessageSubmissionRequestTlvValue>, PduError> {
    Ok(tlvs_to!(tlvs, MessageSubmissionRequestTlvValue))
}

fn delivery_tlvs(tlvs: &Tlvs) -> Result<Vec<MessageDeliveryRequestTlvValue>, PduError> {
    let mut values = tlvs_to!(tlvs, MessageDeliveryRequestTlvValue);
    if let Some(id) = &tlvs.receipted_message_id {
        values.push(MessageDeliveryRequestTlvValue::ReceiptedMessageId(text(
            id,
            "receipted_message_id",
        )?));
    }
    if let Some(state) = tlvs.message_state {
        values.push(MessageDeliveryRequestTlvValue::MessageState(MessageState::from(
            state,
        )));
    }
    Ok(values)
}
