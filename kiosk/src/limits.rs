//! Every limit of a kiosk, in one file.

use std::time::Duration;

/// Longest line of a device, bytes.
pub const LINE_BYTES_MAX: usize = 4 * 1024;
/// Largest body of a form from the kiosk's own browser, bytes.
pub const FORM_BYTES_MAX: usize = 4 * 1024;
/// Longest text that a person types or a scanner reads, bytes.
pub const SCAN_BYTES_MAX: usize = 256;
/// Longest name of a kiosk, bytes: name, hyphen and sequence are the reference of a sale.
pub const NAME_BYTES_MAX: usize = 32;
/// Longest approval code of a card terminal, bytes. Nothing longer is kept: it could be a card number.
pub const AUTH_BYTES_MAX: usize = 12;
/// Bundles that are shown.
pub const BUNDLES_MAX: usize = 60;
/// Orders that wait to be settled; beyond, nothing is sold without a line.
pub const QUEUE_MAX: u64 = 500;
/// A card terminal that has not decided is asked again after this time.
pub const INQUIRE_US: i64 = 3 * charge::time::SECOND;
/// A card payment that is not decided is left to itself after this time: the customer gets a slip.
pub const CARD_PATIENCE_US: i64 = 120 * charge::time::SECOND;
/// A sale that the server takes but cannot make now (its float is low) is tried again after this time.
pub const LATER_US: i64 = 30 * charge::time::SECOND;
/// Wait for an answer of the server while a customer stands there.
pub const ASK_MAX: Duration = Duration::from_secs(8);
/// Most that one order may be, in millionths: above it, people go to a counter.
pub const ORDER_MAX: i64 = 1_000_000 * charge::money::MICROS;
