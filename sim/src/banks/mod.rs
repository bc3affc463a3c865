//! Banks that sell top-ups: the other side of `server::banks`.
//!
//! # Layout
//! - here: [`Trouble`], what happens to a message on its way.
//! - [`atm`]: messages and lines of a bank's cash machines, ISO 8583; [`host`]: the book and the store-and-forward file.
//! - [`onebill`]: the switch of a bank that pays bills over 1LINK 1BILL, on a line that loses, delays, repeats and reorders.
//! - [`bad`]: what a bad bank sends there, and what must be said to it.

pub mod atm;
pub mod bad;
pub mod host;
pub mod onebill;

use rand::Rng as _;
use rand::rngs::StdRng;
use std::time::Duration;

/// What happens to a message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// It never arrives.
    Lost,
    /// It breaks off inside.
    Cut,
    /// It arrives whole, and its answer does not: the line is closed as soon as the message has left.
    AnswerLost,
    /// The bank waits so long for the answer, and hangs up.
    Impatient(Duration),
    /// It arrives that much later, after others that were sent after it.
    Late(Duration),
}

impl Trouble {
    /// Some trouble, or none in three of ten cases.
    pub fn random(random: &mut StdRng) -> Trouble {
        let short = Duration::from_millis(random.random_range(0..40));
        match random.random_range(0..10) {
            0 => Trouble::Lost,
            1 => Trouble::Cut,
            2 | 3 => Trouble::AnswerLost,
            4 => Trouble::Impatient(short),
            5 | 6 => Trouble::Late(short),
            _ => Trouble::None,
        }
    }
}
