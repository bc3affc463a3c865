//! Every limit of the directory of outlets.

/// Outlets that a directory holds: all of them are in memory, some 600 bytes each.
pub const OUTLETS_MAX: usize = 50_000;
/// Longest name, address, city or area, in bytes.
pub const TEXT_BYTES_MAX: usize = 160;
/// Longest id, in bytes.
pub const ID_BYTES_MAX: usize = 32;
/// Longest text of opening hours, breaks or holidays, in bytes.
pub const HOURS_BYTES_MAX: usize = 1_024;
/// Spans of one day.
pub const SPANS_MAX: usize = 6;
/// Holidays of one outlet.
pub const HOLIDAYS_MAX: usize = 40;
/// Operators of one outlet.
pub const OPERATORS_MAX: usize = 16;
/// Mistakes of a file that are reported.
pub const MISTAKES_MAX: usize = 100;
/// Longest line of a file, in bytes.
pub const LINE_BYTES_MAX: usize = 8 * 1024;
/// Days that are looked ahead for the next opening: a long Eid and a week.
pub const DAYS_AHEAD: i32 = 15;
/// Weeks of sales that tell how crowded an hour is.
pub const CROWD_WEEKS: i64 = 4;
/// Fewer sales in that time say nothing: two a day.
pub const CROWD_SALES_MIN: u64 = 56;
