//! Delivery receipts (SMPP 3.4 appendix B): in the text, in TLVs, or half in each. Every field may be missing.

use super::RECEIPT_OCTETS_MAX;
use super::pdu::{ESM_INTERMEDIATE, ESM_RECEIPT, ESM_TYPE_MASK, ShortMessage};

/// What became of a message (message_state, 5.2.28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// On its way.
    Enroute,
    /// On the handset.
    Delivered,
    /// Not delivered in time.
    Expired,
    /// Deleted by the centre.
    Deleted,
    /// Cannot be delivered.
    Undeliverable,
    /// Taken by somebody else on the subscriber's behalf.
    Accepted,
    /// Nobody knows.
    Unknown,
    /// Refused.
    Rejected,
}

const STATES: [(DeliveryState, u8, &str); 8] = [
    (DeliveryState::Enroute, 1, "ENROUTE"),
    (DeliveryState::Delivered, 2, "DELIVRD"),
    (DeliveryState::Expired, 3, "EXPIRED"),
    (DeliveryState::Deleted, 4, "DELETED"),
    (DeliveryState::Undeliverable, 5, "UNDELIV"),
    (DeliveryState::Accepted, 6, "ACCEPTD"),
    (DeliveryState::Unknown, 7, "UNKNOWN"),
    (DeliveryState::Rejected, 8, "REJECTD"),
];

impl DeliveryState {
    /// The value of the TLV message_state.
    #[must_use]
    pub fn code(self) -> u8 {
        STATES
            .iter()
            .find(|(state, ..)| *state == self)
            .map_or(7, |(_, code, _)| *code)
    }

    /// The word behind `stat:`.
    #[must_use]
    pub fn word(self) -> &'static str {
        STATES
            .iter()
            .find(|(state, ..)| *state == self)
            .map_or("UNKNOWN", |(.., word)| *word)
    }

    fn from_code(code: u8) -> Option<Self> {
        STATES
            .iter()
            .find(|(_, known, _)| *known == code)
            .map(|(state, ..)| *state)
    }

    // Some centres write DELIVERED or UNDELIVERABLE in full.
    fn from_word(word: &str) -> Option<Self> {
        let word = word.to_ascii_uppercase();
        STATES
            .iter()
            .find(|(.., known)| word.starts_with(&known[..5]))
            .map(|(state, ..)| *state)
    }
}

/// A delivery receipt. Ids may not be unique and addresses may be swapped: match with care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryReceipt {
    /// The message_id of the submit_sm_resp, where the centre tells it.
    pub message_id: Option<String>,
    /// What became of the message, where the centre tells it.
    pub state: Option<DeliveryState>,
    /// The network's error code (`err:`).
    pub error: Option<String>,
    /// user_message_reference, where the centre gives it back.
    pub user_message_reference: Option<u16>,
    /// source_addr of the receipt: usually the handset.
    pub source: String,
    /// destination_addr of the receipt: usually our sender address.
    pub destination: String,
}

impl DeliveryReceipt {
    /// Reads the receipt in a deliver_sm or data_sm; `None` when the message is not a receipt.
    #[must_use]
    pub fn read(message: &ShortMessage) -> Option<Self> {
        let kind = message.esm_class & ESM_TYPE_MASK;
        let is_receipt =
            matches!(kind, ESM_RECEIPT | ESM_INTERMEDIATE) || message.tlvs.receipted_message_id.is_some();
        if !is_receipt {
            return None;
        }
        let data = message.user_data();
        let text = String::from_utf8_lossy(&data[..data.len().min(RECEIPT_OCTETS_MAX)]);
        let message_id = message
            .tlvs
            .receipted_message_id
            .clone()
            .or_else(|| field(&text, "id:"));
        let state = message.tlvs.message_state.and_then(DeliveryState::from_code);
        Some(Self {
            message_id: message_id.filter(|id| !id.is_empty()),
            state: state.or_else(|| DeliveryState::from_word(&field(&text, "stat:")?)),
            error: field(&text, "err:"),
            user_message_reference: message.tlvs.user_message_reference,
            source: message.source.number.clone(),
            destination: message.destination.number.clone(),
        })
    }
}

/// The text of a receipt as appendix B shows it. Times are `YYMMDDhhmm`.
#[must_use]
pub fn format_text(message_id: &str, state: DeliveryState, time: &str) -> String {
    let delivered = u8::from(state == DeliveryState::Delivered);
    let word = state.word();
    format!(
        "id:{message_id} sub:001 dlvrd:{delivered:03} submit date:{time} done date:{time} stat:{word} err:000 text:"
    )
}

fn field(text: &str, name: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let at = lower
        .match_indices(name)
        .map(|(at, _)| at)
        .find(|at| *at == 0 || lower.as_bytes()[at - 1].is_ascii_whitespace())?;
    let value = text[at + name.len()..].split_ascii_whitespace().next()?;
    // An empty field is followed by the name of the next one.
    (!value.ends_with(':')).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{DeliveryReceipt, format_text};
    use super::{DeliveryState, ShortMessage};

    /// esm_class | text | TLV id | TLV state | id and state read
    fn check(esm_class: u8, text: &str, id: Option<&str>, state: Option<u8>, expected: &str) {
        let mut message = ShortMessage {
            esm_class,
            octets: text.into(),
            ..ShortMessage::default()
        };
        message.tlvs.receipted_message_id = id.map(str::to_owned);
        message.tlvs.message_state = state;
        let shown = DeliveryReceipt::read(&message).map_or("no receipt".to_owned(), |receipt| {
            format!(
                "{} {}",
                receipt.message_id.as_deref().unwrap_or("-"),
                match receipt.state {
                    Some(state) => state.word(),
                    None => "-",
                }
            )
        });
        assert_eq!(shown, expected, "{esm_class:#x} {text:?}");
    }

    #[test]
    fn receipts_of_many_shapes_are_read() {
        let full = format_text("42", DeliveryState::Delivered, "2611212359");
        check(4, &full, None, None, "42 DELIVRD");
        check(
            4,
            "id:5f1c-aa stat:UNDELIV err:011",
            None,
            None,
            "5f1c-aa UNDELIV",
        );
        check(4, "ID:7 Stat:Delivered", None, None, "7 DELIVRD");
        check(4, "", Some("7"), Some(3), "7 EXPIRED");
        check(4, &full, Some("43"), None, "43 DELIVRD");
        check(4, &full, Some("43"), Some(8), "43 REJECTD");
        check(0, "", Some("7"), Some(2), "7 DELIVRD");
        check(0x20, "id:7 stat:ENROUTE", None, None, "7 ENROUTE");
        check(4, "delivered", None, None, "- -");
        check(4, "id: stat:", None, None, "- -");
        check(4, "mid:9 id:8 stat:ACCEPTD", None, None, "8 ACCEPTD");
        check(4, "id:8 stat:WHAT", Some(""), Some(99), "- -");
        check(0, "id:7 stat:DELIVRD", None, None, "no receipt");
        check(1, "hello", None, None, "no receipt");
    }
}
