//! Every limit of this crate.

use charge::Timestamp;
use charge::time::SECOND;

/// Sessions that are open at the same time, all gateways together; more are told to try again.
pub const SESSIONS_MAX: usize = 50_000;
/// A session in which nothing happens for so long is forgotten.
pub const SESSION_US: i64 = 180 * SECOND;
/// Inputs of one session.
pub const STEPS_MAX: u32 = 60;
/// Longest input, in characters: a USSD string has 182.
pub const INPUT_CHARACTERS_MAX: usize = 182;
/// Parts of an input that holds everything so far.
pub const PARTS_MAX: usize = 64;
/// Pages of one answer; what is longer is cut.
pub const PAGES_MAX: usize = 24;
/// Sessions that a number may begin in a minute.
pub const BEGINS_PER_MINUTE: u32 = 30;
/// Keywords that a number may send in a minute; more are not answered.
pub const KEYWORDS_PER_MINUTE: u32 = 10;
/// Messages of one number are worked on one after the other; numbers are spread over so many lanes.
pub const KEYWORD_LANES: usize = 1_024;
/// Longest message that is looked at, in characters.
pub const MESSAGE_CHARACTERS_MAX: usize = 320;
/// Shortest and longest PIN of a scratch card, in digits.
pub const CARD_DIGITS: std::ops::RangeInclusive<usize> = 8..=20;

/// True when a session that was heard of last at `heard` is over.
pub fn is_over(heard: Timestamp, now: Timestamp) -> bool {
    now.0.saturating_sub(heard.0) >= SESSION_US
}
