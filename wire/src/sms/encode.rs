//! Text to parts: the cheapest encoding that loses nothing, cut only between characters.

use super::bidi::{isolate, strip_isolates};
use super::tables::{ESCAPE, LANGUAGE_URDU, Septets, Shifts};
use super::udh::{ConcatenationReference, UserDataHeader};
use super::{PART_OCTETS_MAX, PARTS_LIMIT, PARTS_MAX_DEFAULT, PAYLOAD_OCTETS_MAX};

/// Whether the Urdu shift tables may be used. Old handsets show nonsense for them, so an operator chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UrduTables {
    /// Urdu goes as UCS-2, 70 characters a message.
    #[default]
    Off,
    /// Urdu goes in 7 bits where every character has a place, up to 155 characters a message.
    On,
}

/// How the message centre wants long messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Concatenation {
    /// User data header with 8-bit reference.
    #[default]
    Udh8,
    /// User data header with 16-bit reference.
    Udh16,
    /// The TLVs sar_msg_ref_num, sar_total_segments and sar_segment_seqnum.
    Sar,
    /// One PDU with everything in the TLV message_payload; the centre cuts.
    Payload,
}

/// An operator's choices for outgoing text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextSettings {
    /// Whether Urdu may use the 7-bit shift tables.
    pub urdu_tables: UrduTables,
    /// How long messages are carried.
    pub concatenation: Concatenation,
    /// Texts that need more parts are refused.
    pub parts_max: u8,
}

impl Default for TextSettings {
    fn default() -> Self {
        Self {
            urdu_tables: UrduTables::Off,
            concatenation: Concatenation::Udh8,
            parts_max: PARTS_MAX_DEFAULT,
        }
    }
}

/// The alphabet of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// GSM 7-bit with these tables, one septet in one octet (SMPP leaves the packing to the centre).
    Gsm7(Shifts),
    /// UCS-2 big-endian, with surrogate pairs for what lies outside the first plane.
    Ucs2,
}

impl Encoding {
    /// The SMPP data_coding octet.
    #[must_use]
    pub fn data_coding(self) -> u8 {
        match self {
            Self::Gsm7(_) => 0,
            Self::Ucs2 => 8,
        }
    }

    /// The encoding's name for people and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gsm7(Shifts {
                urdu_locking: false,
                urdu_single: false,
            }) => "GSM-7",
            Self::Gsm7(_) => "GSM-7 Urdu",
            Self::Ucs2 => "UCS-2",
        }
    }
}

/// One short message, ready for a submit_sm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// User data header and text, as the short_message (or message_payload) field wants them.
    pub octets: Vec<u8>,
    /// `octets` begins with a user data header (esm_class bit 6).
    pub has_header: bool,
    /// For the sar_* TLVs; `None` with the other kinds of concatenation.
    pub sar: Option<ConcatenationReference>,
    /// `octets` belongs into the TLV message_payload.
    pub in_payload: bool,
}

/// A text as parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The alphabet of all parts.
    pub encoding: Encoding,
    /// At least one.
    pub parts: Vec<Part>,
}

/// Why a text cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The text needs more parts than the operator allows.
    #[error("the text needs {needed} parts, {allowed} are allowed")]
    TooLong {
        /// Parts that would be needed.
        needed: usize,
        /// Parts that are allowed.
        allowed: u8,
    },
}

/// Encodes what people shall read: numbers in right-to-left text are isolated when it goes as UCS-2; in 7 bits
/// there is no place for isolates and they are dropped.
/// `reference` ties the parts together; give the same one when sending again.
pub fn prepare(text: &str, settings: &TextSettings, reference: u16) -> Result<Encoded, TextError> {
    let plain = strip_isolates(text);
    match choose(&plain, settings) {
        Encoding::Gsm7(_) => encode(&plain, settings, reference),
        Encoding::Ucs2 => encode(&isolate(text), settings, reference),
    }
}

/// Encodes exactly these characters. Errors when more parts are needed than the settings allow.
pub fn encode(text: &str, settings: &TextSettings, reference: u16) -> Result<Encoded, TextError> {
    let encoding = choose(text, settings);
    let chunks = cut(text, encoding, settings.concatenation);
    let allowed = settings.parts_max.clamp(1, PARTS_LIMIT);
    let too_long = TextError::TooLong {
        needed: chunks.len(),
        allowed,
    };
    let total = u8::try_from(chunks.len())
        .ok()
        .filter(|total| *total <= allowed)
        .ok_or(too_long)?;
    if settings.concatenation == Concatenation::Payload && total > 1 {
        let part = payload_part(&chunks, encoding);
        let parts = if part.octets.len() <= PAYLOAD_OCTETS_MAX {
            vec![part]
        } else {
            return Err(too_long);
        };
        return Ok(Encoded { encoding, parts });
    }
    let parts = (1..=total)
        .zip(chunks)
        .map(|(number, chunk)| {
            let place = ConcatenationReference {
                reference,
                total,
                number,
            };
            make_part(chunk, encoding, settings.concatenation, place)
        })
        .collect();
    Ok(Encoded { encoding, parts })
}

/// The encoding with the fewest parts, then the fewest octets; plain GSM 7-bit wins a draw.
fn choose(text: &str, settings: &TextSettings) -> Encoding {
    let plain = Shifts::default();
    let mut candidates = vec![plain];
    if settings.urdu_tables == UrduTables::On {
        candidates.extend([
            Shifts {
                urdu_locking: true,
                urdu_single: false,
            },
            Shifts {
                urdu_locking: false,
                urdu_single: true,
            },
            Shifts {
                urdu_locking: true,
                urdu_single: true,
            },
        ]);
    }
    candidates
        .into_iter()
        .filter(|shifts| text.chars().all(|c| shifts.septets(c).is_some()))
        .map(Encoding::Gsm7)
        .chain([Encoding::Ucs2])
        .min_by_key(|encoding| {
            let chunks = cut(text, *encoding, settings.concatenation);
            (chunks.len(), chunks.iter().map(Vec::len).sum::<usize>())
        })
        .unwrap_or(Encoding::Ucs2)
}

/// The text in pieces that each fit into one part, header included.
fn cut(text: &str, encoding: Encoding, concatenation: Concatenation) -> Vec<Vec<u8>> {
    let whole = cut_at(text, encoding, capacity(encoding, None));
    if whole.len() == 1 {
        whole
    } else {
        cut_at(text, encoding, capacity(encoding, Some(concatenation)))
    }
}

/// How many octets of text fit into one part. A septet counts as one octet here, as it does in SMPP.
fn capacity(encoding: Encoding, concatenation: Option<Concatenation>) -> usize {
    let place = ConcatenationReference {
        reference: 0,
        total: 1,
        number: 1,
    };
    let header = header(encoding, concatenation.map(|_| place));
    let free = PART_OCTETS_MAX - header.encode(concatenation == Some(Concatenation::Udh16)).len();
    match encoding {
        Encoding::Gsm7(_) => free * 8 / 7,
        Encoding::Ucs2 => free / 2 * 2,
    }
}

fn cut_at(text: &str, encoding: Encoding, capacity: usize) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    let mut chunk = Vec::new();
    for c in text.chars() {
        let start = chunk.len();
        push_character(&mut chunk, c, encoding);
        if chunk.len() > capacity {
            let tail = chunk.split_off(start);
            chunks.push(std::mem::replace(&mut chunk, tail));
        }
    }
    chunks.push(chunk);
    chunks
}

fn push_character(octets: &mut Vec<u8>, c: char, encoding: Encoding) {
    match encoding {
        Encoding::Gsm7(shifts) => match shifts.septets(c) {
            Some(Septets::One(septet)) => octets.push(septet),
            Some(Septets::Escaped(septet)) => octets.extend([ESCAPE, septet]),
            // `choose` takes an alphabet only if it has every character.
            None => octets.push(b'?'),
        },
        Encoding::Ucs2 => {
            let mut units = [0; 2];
            octets.extend(
                c.encode_utf16(&mut units)
                    .iter()
                    .flat_map(|unit| unit.to_be_bytes()),
            );
        }
    }
}

fn make_part(
    text: Vec<u8>,
    encoding: Encoding,
    concatenation: Concatenation,
    place: ConcatenationReference,
) -> Part {
    let by_header = matches!(concatenation, Concatenation::Udh8 | Concatenation::Udh16);
    let place = Some(place).filter(|place| place.total > 1);
    let header = header(encoding, place.filter(|_| by_header)).encode(concatenation == Concatenation::Udh16);
    Part {
        has_header: !header.is_empty(),
        octets: [header, text].concat(),
        sar: place.filter(|_| concatenation == Concatenation::Sar),
        in_payload: false,
    }
}

fn payload_part(chunks: &[Vec<u8>], encoding: Encoding) -> Part {
    let header = header(encoding, None).encode(false);
    Part {
        has_header: !header.is_empty(),
        octets: [header, chunks.concat()].concat(),
        sar: None,
        in_payload: true,
    }
}

fn header(encoding: Encoding, concatenation: Option<ConcatenationReference>) -> UserDataHeader {
    let shifts = match encoding {
        Encoding::Gsm7(shifts) => shifts,
        Encoding::Ucs2 => Shifts::default(),
    };
    UserDataHeader {
        concatenation,
        single_shift: shifts.urdu_single.then_some(LANGUAGE_URDU),
        locking_shift: shifts.urdu_locking.then_some(LANGUAGE_URDU),
    }
}
