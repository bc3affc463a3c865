//! The data elements: lengths and alphabets of ISO 8583:1987 in ASCII.

/// What a data element may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Digits.
    N,
    /// Letters, digits, blanks.
    An,
    /// Everything printable.
    Ans,
    /// Binary, as twice as many hexadecimal digits.
    B,
}

impl Alphabet {
    pub(super) fn has(self, byte: u8) -> bool {
        match self {
            Alphabet::N => byte.is_ascii_digit(),
            Alphabet::An => byte.is_ascii_alphanumeric() || byte == b' ',
            Alphabet::Ans => (b' '..=b'~').contains(&byte),
            Alphabet::B => byte.is_ascii_hexdigit(),
        }
    }
}

/// How long a data element is, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// Always so many.
    Fixed(usize),
    /// Up to so many, after two digits that say how many.
    Two(usize),
    /// Up to so many, after three digits.
    Three(usize),
}

/// A data element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub(super) length: Length,
    pub(super) alphabet: Alphabet,
}

/// The elements that belong to a card: its number, expiry, tracks, PIN, chip.
pub(super) const CARD: [u8; 7] = [2, 14, 35, 36, 45, 52, 55];

/// The data element of a number; `None` for those that this profile has no use for.
pub(super) fn spec(number: u8) -> Option<Spec> {
    use Alphabet::{An, Ans, B, N};
    use Length::{Fixed, Three, Two};
    let (length, alphabet) = match number {
        2 => (Two(19), N),
        3 | 11 | 12 => (Fixed(6), N),
        4 => (Fixed(12), N),
        7 => (Fixed(10), N),
        13 | 14 | 15 | 17 | 18 => (Fixed(4), N),
        22 | 49 | 70 => (Fixed(3), N),
        25 => (Fixed(2), N),
        32 | 33 => (Two(11), N),
        35 => (Two(37), Ans),
        36 => (Three(104), Ans),
        37 => (Fixed(12), An),
        38 => (Fixed(6), An),
        39 => (Fixed(2), An),
        41 => (Fixed(8), Ans),
        42 => (Fixed(15), Ans),
        43 => (Fixed(40), Ans),
        45 => (Two(76), Ans),
        48 | 55 | 60 | 61 | 62 | 63 => (Three(999), Ans),
        52 | 64 | 128 => (Fixed(16), B),
        90 => (Fixed(42), N),
        _ => return None,
    };
    Some(Spec { length, alphabet })
}
