//! Parts back to text, as a handset does it. Everything here comes from outside and is bounded.

use std::collections::{BTreeMap, HashMap};

use super::encode::Encoding;
use super::tables::{ESCAPE, LANGUAGE_URDU, Shifts};
use super::udh::{ConcatenationReference, UserDataHeader};
use super::{REASSEMBLY_PENDING_MAX, REASSEMBLY_WAIT_MICROS};

/// One received short message, header taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Its place in a longer message; `None` when it stands alone.
    pub place: Option<ConcatenationReference>,
    /// Its alphabet.
    pub encoding: Encoding,
    octets: Vec<u8>,
}

/// Why a received short message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    /// esm_class promises a user data header and the octets do not hold one.
    #[error("malformed user data header")]
    Header,
    /// data_coding is neither GSM 7-bit, ASCII, Latin-1 nor UCS-2.
    #[error("data coding {0} is not text")]
    NotText(u8),
}

impl Fragment {
    /// Reads the user data of a submit_sm or deliver_sm. `sar` comes from the sar_* TLVs.
    pub fn read(
        data_coding: u8,
        has_header: bool,
        octets: &[u8],
        sar: Option<ConcatenationReference>,
    ) -> Result<Self, FragmentError> {
        let (header, text) = if has_header {
            UserDataHeader::split(octets).ok_or(FragmentError::Header)?
        } else {
            (UserDataHeader::default(), octets)
        };
        let shifts = Shifts {
            urdu_locking: header.locking_shift == Some(LANGUAGE_URDU),
            urdu_single: header.single_shift == Some(LANGUAGE_URDU),
        };
        let place = header.concatenation.or(sar).filter(|place| place.total > 1);
        let (encoding, octets) = match data_coding {
            0 | 0xf0..=0xf3 => (Encoding::Gsm7(shifts), text.to_vec()),
            // ASCII and Latin-1 are the first 256 places of Unicode.
            1 | 3 => (
                Encoding::Ucs2,
                text.iter().flat_map(|octet| [0, *octet]).collect(),
            ),
            8 | 0x18..=0x1b => (Encoding::Ucs2, text.to_vec()),
            other => return Err(FragmentError::NotText(other)),
        };
        Ok(Self {
            place,
            encoding,
            octets,
        })
    }
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedText {
    /// What the handset shows.
    pub text: String,
    /// The alphabet of its first part.
    pub encoding: Encoding,
    /// How many parts it came in.
    pub parts: u8,
}

/// Collects parts of messages to many handsets. At most [`REASSEMBLY_PENDING_MAX`] are open.
#[derive(Debug, Default)]
pub struct Reassembler {
    pending: HashMap<PendingKey, Pending>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PendingKey {
    from: String,
    to: String,
    reference: u16,
    total: u8,
}

#[derive(Debug)]
struct Pending {
    since_micros: u64,
    parts: BTreeMap<u8, Fragment>,
}

impl Reassembler {
    /// Takes one fragment; gives the message when it is whole. A part that comes twice counts once.
    pub fn accept(
        &mut self,
        from: &str,
        to: &str,
        fragment: Fragment,
        now_micros: u64,
    ) -> Option<ReceivedText> {
        let Some(place) = fragment.place else {
            return Some(join(&[fragment]));
        };
        self.make_room(now_micros);
        let key = PendingKey {
            from: from.to_owned(),
            to: to.to_owned(),
            reference: place.reference,
            total: place.total,
        };
        let pending = self.pending.entry(key.clone()).or_insert_with(|| Pending {
            since_micros: now_micros,
            parts: BTreeMap::new(),
        });
        pending.parts.insert(place.number, fragment);
        if pending.parts.len() < usize::from(place.total) {
            return None;
        }
        let parts: Vec<Fragment> = self.pending.remove(&key)?.parts.into_values().collect();
        Some(join(&parts))
    }

    /// Messages that wait for more parts.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    fn make_room(&mut self, now_micros: u64) {
        if self.pending.len() < REASSEMBLY_PENDING_MAX {
            return;
        }
        self.pending
            .retain(|_, pending| now_micros < pending.since_micros + REASSEMBLY_WAIT_MICROS);
        while self.pending.len() >= REASSEMBLY_PENDING_MAX {
            let oldest = self
                .pending
                .iter()
                .min_by_key(|(_, pending)| pending.since_micros);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.pending.remove(&key);
        }
    }
}

fn join(parts: &[Fragment]) -> ReceivedText {
    let encoding = parts.first().map_or(Encoding::Ucs2, |part| part.encoding);
    // Neighbours in UCS-2 are joined before decoding: other senders do cut surrogate pairs.
    let mut text = String::new();
    for run in parts.chunk_by(|a, b| a.encoding == b.encoding) {
        let octets: Vec<u8> = run.iter().flat_map(|part| part.octets.iter().copied()).collect();
        match run[0].encoding {
            Encoding::Gsm7(shifts) => push_septets(&mut text, &octets, shifts),
            Encoding::Ucs2 => push_ucs2(&mut text, &octets),
        }
    }
    ReceivedText {
        text,
        encoding,
        parts: u8::try_from(parts.len()).unwrap_or(u8::MAX),
    }
}

fn push_septets(text: &mut String, septets: &[u8], shifts: Shifts) {
    let mut septets = septets.iter().copied();
    while let Some(septet) = septets.next() {
        if septet == ESCAPE {
            text.push(
                septets
                    .next()
                    .map_or(' ', |escaped| shifts.escaped_character(escaped)),
            );
        } else {
            text.push(shifts.character(septet));
        }
    }
}

fn push_ucs2(text: &mut String, octets: &[u8]) {
    let units = octets
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    text.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
}
