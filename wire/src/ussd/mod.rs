//! USSD: what fits on a page, and Osmocom GSUP for an external USSD entity. Sans-I/O; time comes in as microseconds.
//!
//! # Layout
//! - [`mod@page`]: pages of 182 characters (GSM 7-bit) or 80 (UCS-2), and their octets (TS 23.038).
//! - [`map`]: the MAP operations processUnstructuredSS and unstructuredSS (TS 29.002, TS 24.080), strict.
//! - [`gsup`]: the GSUP messages that carry them. [`ipa`]: the frames around those.
//! - [`euse`]: the machine: identity, keep-alive, dialogues.
//!
//! USSD over SMPP needs nothing of its own: see [`crate::smpp::Tlvs::ussd_service_op`] and [`service_op`].

pub mod euse;
pub mod gsup;
pub mod ipa;
pub mod map;
pub mod page;

pub use euse::{ClosedReason, Euse, EuseConfig, EuseEvent};
pub use page::{Alphabet, PageError, PageSize, fits, fits_in, pages, pages_in};

/// Octets of one USSD string on the radio side (TS 24.080 4.5: USSD-String up to 160).
pub const STRING_OCTETS_MAX: usize = 160;
/// GSM 7-bit characters of a page: 182 septets in 160 octets.
pub const PAGE_SEPTETS_MAX: usize = 182;
/// UCS-2 characters of a page.
pub const PAGE_UNITS_MAX: usize = 80;
/// Octets of an IPA frame's payload that we take; a GSUP message with a full USSD string has about 250.
pub const FRAME_OCTETS_MAX: usize = 1_024;
/// Open dialogues of one connection; more are refused.
pub const DIALOGUES_MAX: usize = 50_000;
/// Events that wait for the caller before the connection is taken for a flood.
pub const EVENTS_MAX: usize = 65_536;

/// Values of the SMPP parameter ussd_service_op (SMPP 3.4 5.3.2.44).
pub mod service_op {
    /// PSSD indication: the subscriber's phone has nothing more to say.
    pub const PSSD_INDICATION: u8 = 0;
    /// PSSR indication: a subscriber dialled. Some centres number it 1 (as the specification does), some 0.
    pub const PSSR_INDICATION: u8 = 1;
    /// USSR request: a page that wants an answer.
    pub const USSR_REQUEST: u8 = 2;
    /// USSN request: a page that wants none.
    pub const USSN_REQUEST: u8 = 3;
    /// PSSD response.
    pub const PSSD_RESPONSE: u8 = 16;
    /// PSSR response: the last page.
    pub const PSSR_RESPONSE: u8 = 17;
    /// USSR confirm: what the subscriber typed.
    pub const USSR_CONFIRM: u8 = 18;
    /// USSN confirm.
    pub const USSN_CONFIRM: u8 = 19;
}

#[cfg(test)]
mod tests;
