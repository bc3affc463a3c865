//! The 7-bit tables of 3GPP TS 23.038: default alphabet (6.2.1), its extension (6.2.1.1), and the Urdu
//! single shift (A.2.13) and locking shift (A.3.13) tables.

/// Septet that announces a character of the single shift table.
pub const ESCAPE: u8 = 0x1b;
/// National language identifier of Urdu (TS 23.038 table 6.2.1.2.4.1).
pub const LANGUAGE_URDU: u8 = 13;

/// What a place in a table holds that no character may use.
const NONE: char = '\0';

/// Which locking and single shift table a text uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Shifts {
    /// The Urdu locking shift table replaces the default alphabet.
    pub urdu_locking: bool,
    /// The Urdu single shift table replaces the default extension table.
    pub urdu_single: bool,
}

impl Shifts {
    /// The septets of one character: itself, or escape and its place in the single shift table.
    #[must_use]
    pub fn septets(self, c: char) -> Option<Septets> {
        if c == NONE {
            return None;
        }
        if let Some(place) = place(self.locking_table(), c).filter(|place| *place != ESCAPE) {
            return Some(Septets::One(place));
        }
        single_place(self.single_table(), c).map(Septets::Escaped)
    }

    /// The character of a septet that stands alone; a space where the table is empty.
    #[must_use]
    pub fn character(self, septet: u8) -> char {
        self.locking_table()
            .get(usize::from(septet & 0x7f))
            .copied()
            .filter(|c| *c != NONE)
            .unwrap_or(' ')
    }

    /// The character of a septet behind an escape. An empty place shows the default character (6.2.1.1, note 1).
    #[must_use]
    pub fn escaped_character(self, septet: u8) -> char {
        self.single_table()
            .iter()
            .find(|(at, _)| *at == septet & 0x7f)
            .map_or_else(|| self.character(septet), |(_, c)| *c)
    }

    fn locking_table(self) -> &'static [char; 128] {
        if self.urdu_locking {
            &URDU_LOCKING
        } else {
            &DEFAULT
        }
    }

    fn single_table(self) -> &'static [(u8, char)] {
        if self.urdu_single {
            &URDU_SINGLE
        } else {
            &EXTENSION
        }
    }
}

/// One character as septets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Septets {
    /// A character of the locking table.
    One(u8),
    /// Escape, then a place of the single shift table.
    Escaped(u8),
}

fn place(table: &[char; 128], c: char) -> Option<u8> {
    table
        .iter()
        .position(|entry| *entry == c)
        .and_then(|at| u8::try_from(at).ok())
}

fn single_place(table: &[(u8, char)], c: char) -> Option<u8> {
    table.iter().find(|(_, entry)| *entry == c).map(|(at, _)| *at)
}

#[rustfmt::skip]
const DEFAULT: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', NONE, 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

const EXTENSION: [(u8, char); 10] = [
    (0x0a, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2f, '\\'),
    (0x3c, '['),
    (0x3d, '~'),
    (0x3e, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

#[rustfmt::skip]
const URDU_LOCKING: [char; 128] = [
    '\u{627}', '\u{622}', '\u{628}', '\u{67b}', '\u{680}', '\u{67e}', '\u{6a6}', '\u{62a}',
    '\u{6c2}', '\u{67f}', '\n',      '\u{679}', '\u{67d}', '\r',      '\u{67a}', '\u{67c}',
    '\u{62b}', '\u{62c}', '\u{681}', '\u{684}', '\u{683}', '\u{685}', '\u{686}', '\u{687}',
    '\u{62d}', '\u{62e}', '\u{62f}', NONE,      '\u{68c}', '\u{688}', '\u{689}', '\u{68a}',
    ' ',       '!',       '\u{68f}', '\u{68d}', '\u{630}', '\u{631}', '\u{691}', '\u{693}',
    ')',       '(',       '\u{699}', '\u{632}', ',',       '\u{696}', '.',       '\u{698}',
    '0',       '1',       '2',       '3',       '4',       '5',       '6',       '7',
    '8',       '9',       ':',       ';',       '\u{69a}', '\u{633}', '\u{634}', '?',
    '\u{635}', '\u{636}', '\u{637}', '\u{638}', '\u{639}', '\u{641}', '\u{642}', '\u{6a9}',
    '\u{6aa}', '\u{6ab}', '\u{6af}', '\u{6b3}', '\u{6b1}', '\u{644}', '\u{645}', '\u{646}',
    '\u{6ba}', '\u{6bb}', '\u{6bc}', '\u{648}', '\u{6c4}', '\u{6d5}', '\u{6c1}', '\u{6be}',
    '\u{621}', '\u{6cc}', '\u{6d0}', '\u{6d2}', '\u{64d}', '\u{650}', '\u{64f}', '\u{657}',
    '\u{654}', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
    '\u{655}', '\u{651}', '\u{653}', '\u{656}', '\u{670}',
];

// The standard lists '¡' and '*' twice; the first place is the one we send.
#[rustfmt::skip]
const URDU_SINGLE: [(u8, char); 90] = [
    (0x00, '@'), (0x01, '£'), (0x02, '$'), (0x03, '¥'), (0x04, '¿'), (0x05, '"'), (0x06, '¤'), (0x07, '%'),
    (0x08, '&'), (0x09, '\''), (0x0a, '\u{c}'), (0x0b, '*'), (0x0c, '+'), (0x0e, '-'), (0x0f, '/'),
    (0x10, '<'), (0x11, '='), (0x12, '>'), (0x13, '¡'), (0x14, '^'), (0x15, '¡'), (0x16, '_'), (0x17, '#'),
    (0x18, '*'),
    (0x19, '\u{600}'), (0x1a, '\u{601}'), (0x1c, '\u{6f0}'), (0x1d, '\u{6f1}'), (0x1e, '\u{6f2}'), (0x1f, '\u{6f3}'),
    (0x20, '\u{6f4}'), (0x21, '\u{6f5}'), (0x22, '\u{6f6}'), (0x23, '\u{6f7}'), (0x24, '\u{6f8}'), (0x25, '\u{6f9}'),
    (0x26, '\u{60c}'), (0x27, '\u{60d}'), (0x28, '{'), (0x29, '}'), (0x2a, '\u{60e}'), (0x2b, '\u{60f}'),
    (0x2c, '\u{610}'), (0x2d, '\u{611}'), (0x2e, '\u{612}'), (0x2f, '\\'),
    (0x30, '\u{613}'), (0x31, '\u{614}'), (0x32, '\u{61b}'), (0x33, '\u{61f}'), (0x34, '\u{640}'), (0x35, '\u{652}'),
    (0x36, '\u{658}'), (0x37, '\u{66b}'), (0x38, '\u{66c}'), (0x39, '\u{672}'), (0x3a, '\u{673}'), (0x3b, '\u{6cd}'),
    (0x3c, '['), (0x3d, '~'), (0x3e, ']'), (0x3f, '\u{6d4}'), (0x40, '|'),
    (0x41, 'A'), (0x42, 'B'), (0x43, 'C'), (0x44, 'D'), (0x45, 'E'), (0x46, 'F'), (0x47, 'G'), (0x48, 'H'),
    (0x49, 'I'), (0x4a, 'J'), (0x4b, 'K'), (0x4c, 'L'), (0x4d, 'M'), (0x4e, 'N'), (0x4f, 'O'), (0x50, 'P'),
    (0x51, 'Q'), (0x52, 'R'), (0x53, 'S'), (0x54, 'T'), (0x55, 'U'), (0x56, 'V'), (0x57, 'W'), (0x58, 'X'),
    (0x59, 'Y'), (0x5a, 'Z'), (0x65, '€'),
];
