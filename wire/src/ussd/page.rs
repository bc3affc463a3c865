//! Pages of text: what fits, where a longer text is cut, and the octets of a page.

use super::{PAGE_SEPTETS_MAX, PAGE_UNITS_MAX, STRING_OCTETS_MAX};
use crate::sms::tables::{ESCAPE, Septets, Shifts};

/// Data coding scheme of GSM 7-bit, language unspecified (TS 23.038 5).
pub const DCS_GSM7: u8 = 0x0f;
/// Data coding scheme of UCS-2, no class (TS 23.038 5).
pub const DCS_UCS2: u8 = 0x48;

const FIRST_ISOLATE: char = '\u{2066}';
const POP_ISOLATE: char = '\u{2069}';
const CARRIAGE_RETURN: u8 = 0x0d;

/// The characters of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// The default alphabet, 7 bits; characters of its extension count twice.
    Gsm7,
    /// UTF-16 code units.
    Ucs2,
}

impl Alphabet {
    /// The alphabet that a text needs.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let plain = Shifts::default();
        if text.chars().all(|c| plain.septets(c).is_some()) {
            Self::Gsm7
        } else {
            Self::Ucs2
        }
    }

    /// Characters of one whole page.
    #[must_use]
    pub fn capacity(self) -> usize {
        PageSize::FULL.of(self)
    }

    /// What a text takes of it.
    #[must_use]
    pub fn length(self, text: &str) -> usize {
        text.chars().map(|c| self.width(c)).sum()
    }

    fn width(self, c: char) -> usize {
        match self {
            Self::Gsm7 => match Shifts::default().septets(c) {
                Some(Septets::Escaped(_)) => 2,
                _ => 1,
            },
            Self::Ucs2 => c.len_utf16(),
        }
    }
}

/// How much a gateway carries in one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize {
    /// GSM 7-bit characters.
    pub septets: usize,
    /// UCS-2 characters.
    pub units: usize,
}

impl PageSize {
    /// All that a phone shows.
    pub const FULL: PageSize = PageSize {
        septets: PAGE_SEPTETS_MAX,
        units: PAGE_UNITS_MAX,
    };
    /// What goes through osmo-hlr 1.5: it reads no MAP component of 128 octets or more, so 112 are left for the text.
    pub const SHORT: PageSize = PageSize {
        septets: 128,
        units: 56,
    };

    fn of(self, alphabet: Alphabet) -> usize {
        match alphabet {
            Alphabet::Gsm7 => self.septets,
            Alphabet::Ucs2 => self.units,
        }
    }
}

/// Whether a text fits on one page.
#[must_use]
pub fn fits(text: &str) -> bool {
    fits_in(text, PageSize::FULL)
}

/// Whether a text fits on one page of a size.
#[must_use]
pub fn fits_in(text: &str, size: PageSize) -> bool {
    let alphabet = Alphabet::of(text);
    alphabet.length(text) <= size.of(alphabet)
}

/// Cuts a text into whole pages: see [`pages_in`].
#[must_use]
pub fn pages(text: &str, more: &str) -> Vec<String> {
    pages_in(text, more, PageSize::FULL)
}

/// Cuts a text into pages of a size. Every page but the last ends with the line `more`. Cut between lines, in a long line between
/// words, never inside isolated numbers. All pages have one alphabet, so that a dialogue does not change it half-way.
#[must_use]
pub fn pages_in(text: &str, more: &str, size: PageSize) -> Vec<String> {
    if fits_in(text, size) {
        return vec![text.to_owned()];
    }
    let alphabet = Alphabet::of(&format!("{text}{more}"));
    let footer = format!("\n{more}");
    let capacity = size.of(alphabet);
    let room = capacity.saturating_sub(alphabet.length(&footer)).max(1);
    let mut atoms: Vec<&str> = Vec::new();
    for line in text.split_inclusive('\n') {
        if alphabet.length(line.trim_end_matches('\n')) <= room {
            atoms.push(line);
        } else {
            atoms.extend(words(line, alphabet, room));
        }
    }
    let mut pages: Vec<String> = Vec::new();
    let mut page = String::new();
    for (at, atom) in atoms.iter().enumerate() {
        let longer = format!("{page}{atom}");
        if page.is_empty() || alphabet.length(longer.trim_end()) <= room {
            page = longer;
            continue;
        }
        // The last page has no footer: what still fits without one is taken to its end.
        let last = format!("{page}{}", atoms[at..].concat());
        if alphabet.length(last.trim_end()) <= capacity {
            page = last;
            break;
        }
        pages.push(format!("{}{footer}", page.trim_end()));
        page = (*atom).trim_start().to_owned();
    }
    pages.push(page.trim_end().to_owned());
    pages
}

/// A line that does not fit, in pieces that do: words with the space behind them, single characters of scripts that need
/// no spaces, isolated runs whole.
fn words(line: &str, alphabet: Alphabet, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut depth, mut width) = (0, 0_usize, 0);
    for (at, c) in line.char_indices() {
        if width + alphabet.width(c) > room && at > start {
            pieces.push(&line[start..at]);
            (start, width) = (at, 0);
        }
        width += alphabet.width(c);
        match c {
            FIRST_ISOLATE..='\u{2068}' => depth += 1,
            POP_ISOLATE => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ideograph = ('\u{2e80}'..='\u{9fff}').contains(&c) || ('\u{ff00}'..='\u{ffef}').contains(&c);
        if depth == 0 && (c.is_whitespace() || ideograph) {
            let end = at + c.len_utf8();
            pieces.push(&line[start..end]);
            (start, width) = (end, 0);
        }
    }
    if start < line.len() {
        pieces.push(&line[start..]);
    }
    pieces
}

/// Why octets are no page, or a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// More than a page holds.
    #[error("the text does not fit on a USSD page")]
    TooLong,
    /// A data coding scheme that is no text.
    #[error("data coding scheme 0x{0:02x} is not text")]
    NotText(u8),
}

/// Data coding scheme and octets of a page.
///
/// # Errors
/// [`PageError::TooLong`].
pub fn encode(text: &str) -> Result<(u8, Vec<u8>), PageError> {
    let alphabet = Alphabet::of(text);
    if alphabet.length(text) > alphabet.capacity() {
        return Err(PageError::TooLong);
    }
    Ok(match alphabet {
        Alphabet::Gsm7 => (DCS_GSM7, pack(&septets(text))),
        Alphabet::Ucs2 => (DCS_UCS2, text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    })
}

/// One octet for each septet, as SMPP carries the default alphabet. Characters without a place become `?`.
#[must_use]
pub fn septets(text: &str) -> Vec<u8> {
    let plain = Shifts::default();
    let mut septets = Vec::with_capacity(text.len());
    for c in text.chars() {
        match plain.septets(c) {
            Some(Septets::One(septet)) => septets.push(septet),
            Some(Septets::Escaped(septet)) => septets.extend([ESCAPE, septet]),
            None => septets.push(0x3f),
        }
    }
    septets
}

/// The text of a USSD string.
///
/// # Errors
/// [`PageError`].
pub fn decode(dcs: u8, octets: &[u8]) -> Result<String, PageError> {
    if octets.len() > STRING_OCTETS_MAX {
        return Err(PageError::TooLong);
    }
    match dcs {
        // Language groups 0000 to 0011 and general coding with the default alphabet.
        0x00..=0x0f | 0x20..=0x2f | 0x40..=0x43 | 0x50..=0x53 | 0xf0..=0xf3 => Ok(text_of(&unpack(octets))),
        0x48..=0x4b | 0x58..=0x5b => {
            let units = octets
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            Ok(char::decode_utf16(units)
                .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect())
        }
        other => Err(PageError::NotText(other)),
    }
}

fn text_of(septets: &[u8]) -> String {
    let plain = Shifts::default();
    let mut text = String::with_capacity(septets.len());
    let mut septets = septets.iter().copied();
    while let Some(septet) = septets.next() {
        if septet == ESCAPE {
            let escaped = septets.next();
            text.push(escaped.map_or(' ', |escaped| plain.escaped_character(escaped)));
        } else {
            text.push(plain.character(septet));
        }
    }
    text
}

/// Septets packed into octets (TS 23.038 6.1.2.3): seven spare bits at the end are a carriage return.
#[must_use]
pub fn pack(septets: &[u8]) -> Vec<u8> {
    let mut padded = septets.to_vec();
    // A full octet would read as `@`; and a text that really ends with a carriage return there gets a second one.
    if padded.len() % 8 == 7 || (padded.len().is_multiple_of(8) && padded.last() == Some(&CARRIAGE_RETURN)) {
        padded.push(CARRIAGE_RETURN);
    }
    let mut octets = Vec::with_capacity((padded.len() * 7).div_ceil(8));
    let (mut bits, mut count) = (0_u16, 0);
    for septet in padded {
        bits |= u16::from(septet & 0x7f) << count;
        count += 7;
        if count >= 8 {
            octets.push((bits & 0xff) as u8);
            bits >>= 8;
            count -= 8;
        }
    }
    if count > 0 {
        octets.push((bits & 0xff) as u8);
    }
    octets
}

/// Packed octets as septets, without the filling.
#[must_use]
pub fn unpack(octets: &[u8]) -> Vec<u8> {
    let mut septets = Vec::with_capacity(octets.len() * 8 / 7);
    let (mut bits, mut count) = (0_u16, 0);
    for octet in octets {
        bits |= u16::from(*octet) << count;
        count += 8;
        while count >= 7 {
            septets.push((bits & 0x7f) as u8);
            bits >>= 7;
            count -= 7;
        }
    }
    // Seven octets hold eight septets or seven and a filling: only then can the last one be no character.
    if octets.len().is_multiple_of(7) && septets.last() == Some(&CARRIAGE_RETURN) {
        septets.pop();
    }
    septets
}
