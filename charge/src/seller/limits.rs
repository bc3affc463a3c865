//! Limits of the selling chain.

/// Most sellers above one another.
pub const DEPTH_MAX: usize = 16;
/// Most sellers directly below one.
pub const CHILDREN_MAX: usize = 4_096;
/// Most people at an outlet.
pub const STAFF_MAX: usize = 64;
/// Most devices of an outlet.
pub const DEVICES_MAX: usize = 32;
/// Most lots of stock kept apart; the two oldest are joined by the next.
pub const LOTS_MAX: usize = 32;
/// Most sales remembered to refuse a second one like it.
pub const RECENT_MAX: usize = 512;
/// Wrong PINs in a row until it is locked.
pub const STRIKES_MAX: u8 = 3;
/// For so long a second sale of the same amount to the same number must say that it is meant, microseconds.
pub const REPEAT_WINDOW: i64 = 2 * crate::time::MINUTE;
/// Largest amount in a limit, micro-units.
pub const AMOUNT_MAX: i64 = 1_000_000_000 * crate::money::MICROS;
/// Longest name of somebody at an outlet, and longest reference of an outlet, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest reference of a movement, in bytes.
pub const REFERENCE_BYTES_MAX: usize = 128;
/// Longest hash of a PIN, in bytes.
pub const PIN_BYTES_MAX: usize = 192;
/// Most bonuses of running periods that are remembered.
pub const BONUSES_MAX: usize = 32;
