//! Every limit of this crate.

/// Largest answer or callback body that is read.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Most form fields, query parameters or headers that are looked at.
pub const FIELDS_MAX: usize = 128;
/// Longest value of one field.
pub const FIELD_BYTES_MAX: usize = 4096;
/// Largest settlement file.
pub const SETTLEMENT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Time for one call to a rail (reference payments 1.4: 10 to 15 s).
pub const CALL_MS: u32 = 15_000;
/// Time for a call that waits for the payer's PIN on the handset (reference payments 2.2).
pub const PIN_CALL_MS: u32 = 90_000;
