//! The message centre and how text goes to it.

use std::time::Duration;

use wire::smpp::{Bind, BindMode, EsmeConfig};
use wire::sms::{Concatenation, TextSettings, UrduTables};

/// One message centre. Times are milliseconds.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmsConfig {
    /// `host:port`.
    pub address: String,
    /// system_id of the bind, at most 15 characters.
    pub system_id: String,
    /// password of the bind, at most 8 characters.
    pub password: String,
    /// system_type of the bind.
    pub system_type: String,
    /// The sender that handsets show: a short code or a name.
    pub sender: String,
    /// Submits that may wait for their answer.
    pub window: usize,
    /// Short messages a second; zero for no limit.
    pub rate_per_second: u32,
    /// Urdu in 7 bits (TS 23.038 shift tables); old handsets show nonsense for it.
    pub urdu_tables: bool,
    /// How long messages are carried.
    pub concatenation: ConcatenationName,
    /// Longer texts are given up.
    pub parts_max: u8,
    /// Ask for delivery receipts.
    pub delivery_receipts: bool,
    /// How long a submit waits for its answer before it is sent again.
    pub response_timeout_ms: u64,
    /// Silence after which the link is checked.
    pub enquire_interval_ms: u64,
    /// First and shortest pause before connecting again.
    pub reconnect_min_ms: u64,
    /// Longest pause before connecting again.
    pub reconnect_max_ms: u64,
    /// How often the outbox is looked at when nobody says that something is there.
    pub outbox_interval_ms: u64,
    /// First pause before a message that the centre refused for now is tried again.
    pub retry_after_ms: u64,
}

/// Names of [`Concatenation`] in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConcatenationName {
    /// User data header, 8-bit reference.
    #[default]
    Udh8,
    /// User data header, 16-bit reference.
    Udh16,
    /// sar_* TLVs.
    Sar,
    /// message_payload.
    Payload,
}

impl Default for SmsConfig {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:2775".to_owned(),
            system_id: "raseed".to_owned(),
            password: String::new(),
            system_type: String::new(),
            sender: "Raseed".to_owned(),
            window: 64,
            rate_per_second: 0,
            urdu_tables: false,
            concatenation: ConcatenationName::Udh8,
            parts_max: wire::sms::PARTS_MAX_DEFAULT,
            delivery_receipts: true,
            response_timeout_ms: 10_000,
            enquire_interval_ms: 30_000,
            reconnect_min_ms: 200,
            reconnect_max_ms: 30_000,
            outbox_interval_ms: 1_000,
            retry_after_ms: 30_000,
        }
    }
}

impl SmsConfig {
    /// For the SMPP machine.
    #[must_use]
    pub fn esme(&self) -> EsmeConfig {
        EsmeConfig {
            bind: Bind {
                mode: BindMode::Transceiver,
                system_id: self.system_id.clone(),
                password: self.password.clone(),
                system_type: self.system_type.clone(),
                address_range: String::new(),
            },
            window: self.window.max(1),
            queue_max: self.window.max(1),
            rate_per_second: Some(self.rate_per_second),
            response_timeout_micros: self.response_timeout_ms.saturating_mul(1_000),
            enquire_interval_micros: self.enquire_interval_ms.saturating_mul(1_000),
            confirms_texts: true,
            ..EsmeConfig::default()
        }
    }

    /// For the text encoder.
    #[must_use]
    pub fn text(&self) -> TextSettings {
        TextSettings {
            urdu_tables: if self.urdu_tables {
                UrduTables::On
            } else {
                UrduTables::Off
            },
            concatenation: match self.concatenation {
                ConcatenationName::Udh8 => Concatenation::Udh8,
                ConcatenationName::Udh16 => Concatenation::Udh16,
                ConcatenationName::Sar => Concatenation::Sar,
                ConcatenationName::Payload => Concatenation::Payload,
            },
            parts_max: self.parts_max,
        }
    }

    /// How long connecting, and writing to the centre, may take.
    #[must_use]
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.response_timeout_ms)
    }
}
