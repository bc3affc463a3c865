//! What a sandbox does wrong on purpose, and how it is told to.
//!
//! Four ways, the first that speaks decides: [`Misbehaviour::outcome`], the header `X-Sandbox-Outcome`, a magic amount, a magic
//! wallet number. Magic amounts end in paisa 01 to 11, magic numbers are `0300 99900NN` with the same NN ([`Outcome::magic`]).
//! These tables are ours: the rails publish none (reference payments 2.1, 8).

/// The header that chooses an outcome for one request.
pub const OUTCOME_HEADER: &str = "x-sandbox-outcome";

/// What becomes of a payment in a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Paid.
    Approve,
    /// Not enough money in the wallet or on the card.
    Funds,
    /// Wrong PIN, unknown wallet, failed 3-D Secure.
    Payer,
    /// Over a limit.
    Limit,
    /// The payer pressed cancel.
    Cancel,
    /// The bank or its risk check says no.
    Decline,
    /// Money that came in too recently.
    Cooling,
    /// The rail is out of order; nothing was taken.
    Down,
    /// The rail refuses our set-up; nothing was taken.
    Setup,
    /// The rail says "system error", nothing was taken, and inquiries say "pending" until somebody decides.
    Unknown,
    /// Nobody paid before it expired.
    Expire,
    /// The rail says "system error" although the money was taken; inquiries tell the truth.
    Hidden,
}

impl Outcome {
    /// Every outcome; the place in this list is its magic number.
    pub const ALL: [Outcome; 12] = [
        Outcome::Approve,
        Outcome::Funds,
        Outcome::Payer,
        Outcome::Limit,
        Outcome::Cancel,
        Outcome::Decline,
        Outcome::Cooling,
        Outcome::Down,
        Outcome::Setup,
        Outcome::Unknown,
        Outcome::Expire,
        Outcome::Hidden,
    ];

    /// Name in the header and on the buttons of the pages.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Approve => "approve",
            Outcome::Funds => "funds",
            Outcome::Payer => "payer",
            Outcome::Limit => "limit",
            Outcome::Cancel => "cancel",
            Outcome::Decline => "decline",
            Outcome::Cooling => "cooling",
            Outcome::Down => "down",
            Outcome::Setup => "setup",
            Outcome::Unknown => "unknown",
            Outcome::Expire => "expire",
            Outcome::Hidden => "hidden",
        }
    }

    /// The outcome of a name.
    pub fn parse(name: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// The outcome of a magic number: 1 to 11. Anything else is not magic.
    pub fn magic(number: i64) -> Option<Outcome> {
        usize::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .and_then(|number| Outcome::ALL.get(number).copied())
    }

    /// The outcome of an amount: its last two digits in minor units.
    pub fn of_amount(minor: i64) -> Option<Outcome> {
        Outcome::magic(minor % 100)
    }

    /// The outcome of a wallet number: `0300 99900NN` or `92300 99900NN`.
    pub fn of_number(number: &str) -> Option<Outcome> {
        let national = number.strip_prefix('0').or_else(|| number.strip_prefix("92"))?;
        let digits = national.strip_prefix("30099900")?;
        (digits.len() == 2).then(|| digits.parse().ok().and_then(Outcome::magic))?
    }

    /// True when money is taken.
    pub fn takes_money(self) -> bool {
        matches!(self, Outcome::Approve | Outcome::Hidden)
    }
}

/// What a sandbox does wrong from now on. The default does nothing wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misbehaviour {
    /// What becomes of every payment, whatever the payer clicks.
    pub outcome: Option<Outcome>,
    /// Milliseconds before every answer.
    pub delay_ms: u64,
    /// Milliseconds between the moment when money moved and the answer.
    pub late_ms: u64,
    /// So many calls that would move money are cut off before anything happened.
    pub drop_before_commit: u32,
    /// So many calls that moved money are cut off after it moved: no answer leaves.
    pub drop_after_commit: u32,
    /// Every callback is sent so many times: 0 is none, 2 is a duplicate.
    pub callback_copies: u32,
    /// Callbacks are held and leave in reverse order, when two are held or on [`super::Desk::release`].
    pub reorder: bool,
    /// Signatures of callbacks, returns and answers have one character changed.
    pub tamper: bool,
    /// Added to every amount that is told, in minor units; the right amount is taken.
    pub amount_off: i64,
    /// Another currency is told.
    pub wrong_currency: bool,
    /// The clock of the sandbox is off by so many seconds.
    pub clock_skew_s: i64,
    /// So many inquiries for each order say "pending" before one tells what is known.
    pub slow_inquiries: u32,
    /// Refunds are refused.
    pub refuse_refunds: bool,
    /// A refund that is asked for again is given again, where the real rail promises nothing else.
    pub repeat_refunds: bool,
}

impl Default for Misbehaviour {
    fn default() -> Misbehaviour {
        Misbehaviour {
            outcome: None,
            delay_ms: 0,
            late_ms: 0,
            drop_before_commit: 0,
            drop_after_commit: 0,
            callback_copies: 1,
            reorder: false,
            tamper: false,
            amount_off: 0,
            wrong_currency: false,
            clock_skew_s: 0,
            slow_inquiries: 0,
            refuse_refunds: false,
            repeat_refunds: false,
        }
    }
}

/// Changes one character in the middle of a hexadecimal or base 64 signature.
pub fn tampered(signature: &str) -> String {
    let middle = signature.len() / 2;
    signature
        .char_indices()
        .map(|(place, letter)| match (place == middle, letter) {
            (false, letter) => letter,
            (true, '0') => '1',
            (true, _) => '0',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Outcome, tampered};

    #[test]
    fn magic_amounts_and_numbers_choose_the_outcome() {
        assert_eq!(Outcome::of_amount(10_000), None);
        assert_eq!(Outcome::of_amount(10_001), Some(Outcome::Funds));
        assert_eq!(Outcome::of_amount(10_012), None);
        assert_eq!(Outcome::of_number("03009990009"), Some(Outcome::Unknown));
        assert_eq!(Outcome::of_number("923009990011"), Some(Outcome::Hidden));
        assert_eq!(Outcome::of_number("03009990000"), None);
        assert_eq!(Outcome::of_number("03411728699"), None);
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.name()), Some(outcome));
        }
    }

    #[test]
    fn a_tampered_signature_differs_in_one_character() {
        for text in ["a0b1", "0000", "F00D"] {
            let changed = tampered(text);
            let differences = text.chars().zip(changed.chars()).filter(|(a, b)| a != b).count();
            assert_eq!((changed.len(), differences), (text.len(), 1));
        }
    }
}
