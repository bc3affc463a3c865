//! What a rehearsed top-up does: decided by the last three digits of the number, as aggregators do it (reference
//! payments 1.2), with nothing moved anywhere.

use crate::ids::Msisdn;
use crate::partner::{TopUp, TopUpState};
use crate::reply::Refusal;
use crate::time::{SECOND, Timestamp};

/// Time from completion to reversal, for the numbers that do that.
const REVERSAL_S: i64 = 5;
/// Time in which the outcome of number `x09` is not known.
const UNKNOWN_S: i64 = 60;

/// What a number plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// Time until it ends, seconds.
    pub delay_s: i64,
    /// How it ends.
    pub end: Result<(), Refusal>,
    /// It is reversed some seconds after it was completed.
    pub reversed: bool,
}

/// What a number plays: the third digit from the right is the delay (1: 3 s, 2: 20 s, 3: 5 min, else none), the last two
/// are the outcome. Numbers outside of the table complete.
pub fn script_of(msisdn: Msisdn) -> Script {
    let digits = msisdn.number() % 1000;
    let delay_s = match digits / 100 {
        1 => 3,
        2 => 20,
        3 => 300,
        _ => 0,
    };
    let end = match digits % 100 {
        2 => Err(Refusal::NoSuchAccount),
        3 => Err(Refusal::AccountNotActive),
        4 => Err(Refusal::OperatorUnavailable),
        5 => Err(Refusal::Duplicated),
        6 => Err(Refusal::Declined),
        7 => Err(Refusal::OperatorFailure),
        _ => Ok(()),
    };
    Script {
        delay_s: if digits % 100 == 9 {
            delay_s.max(UNKNOWN_S)
        } else {
            delay_s
        },
        end,
        reversed: digits % 100 == 8,
    }
}

/// When a rehearsed top-up plays its next part; `None` for real ones and for those that have ended.
pub fn next_due(top_up: &TopUp) -> Option<Timestamp> {
    if !top_up.details.test {
        return None;
    }
    let script = script_of(top_up.msisdn);
    match top_up.state {
        TopUpState::Submitted => Some(top_up.created_at.plus(script.delay_s * SECOND)),
        TopUpState::Completed if script.reversed => Some(top_up.updated_at.plus(REVERSAL_S * SECOND)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_play_their_parts() {
        for (digits, delay_s, end, reversed) in [
            ("000", 0, Ok(()), false),
            ("101", 3, Ok(()), false),
            ("567", 0, Ok(()), false),
            ("202", 20, Err(Refusal::NoSuchAccount), false),
            ("003", 0, Err(Refusal::AccountNotActive), false),
            ("304", 300, Err(Refusal::OperatorUnavailable), false),
            ("005", 0, Err(Refusal::Duplicated), false),
            ("106", 3, Err(Refusal::Declined), false),
            ("007", 0, Err(Refusal::OperatorFailure), false),
            ("008", 0, Ok(()), true),
            ("109", 60, Ok(()), false),
        ] {
            let number = Msisdn::parse(&format!("923001234{digits}")).unwrap();
            let script = Script {
                delay_s,
                end,
                reversed,
            };
            assert_eq!(script_of(number), script, "{digits}");
        }
    }
}
