//! The user data header in front of a short message (TS 23.040 9.2.3.24).

/// Which part of which message this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConcatenationReference {
    /// The same for all parts of one message.
    pub reference: u16,
    /// How many parts there are, 1 to 255.
    pub total: u8,
    /// Which part this is, 1 to `total`.
    pub number: u8,
}

/// The information elements that we know; others are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserDataHeader {
    /// Concatenation, element 0x00 (8-bit reference) or 0x08 (16-bit reference).
    pub concatenation: Option<ConcatenationReference>,
    /// National language single shift, element 0x24.
    pub single_shift: Option<u8>,
    /// National language locking shift, element 0x25.
    pub locking_shift: Option<u8>,
}

const CONCATENATION_8: u8 = 0x00;
const CONCATENATION_16: u8 = 0x08;
const SINGLE_SHIFT: u8 = 0x24;
const LOCKING_SHIFT: u8 = 0x25;

impl UserDataHeader {
    /// The header with its length octet; empty when there is nothing to say.
    #[must_use]
    pub fn encode(&self, reference_16_bit: bool) -> Vec<u8> {
        let mut octets = vec![0];
        if let Some(part) = self.concatenation {
            let [high, low] = part.reference.to_be_bytes();
            if reference_16_bit {
                octets.extend([CONCATENATION_16, 4, high, low, part.total, part.number]);
            } else {
                octets.extend([CONCATENATION_8, 3, low, part.total, part.number]);
            }
        }
        if let Some(language) = self.single_shift {
            octets.extend([SINGLE_SHIFT, 1, language]);
        }
        if let Some(language) = self.locking_shift {
            octets.extend([LOCKING_SHIFT, 1, language]);
        }
        if octets.len() == 1 {
            return Vec::new();
        }
        octets[0] = u8::try_from(octets.len() - 1).unwrap_or(u8::MAX);
        octets
    }

    /// Splits `octets` into header and the rest. `None` when the length octet or an element lies.
    #[must_use]
    pub fn split(octets: &[u8]) -> Option<(Self, &[u8])> {
        let (length, rest) = octets.split_first()?;
        let (mut elements, text) = rest.split_at_checked(usize::from(*length))?;
        let mut header = Self::default();
        while let [id, length, tail @ ..] = elements {
            let (value, next) = tail.split_at_checked(usize::from(*length))?;
            header.take_element(*id, value);
            elements = next;
        }
        elements.is_empty().then_some((header, text))
    }

    // A malformed element of a known kind is ignored, as TS 23.040 asks.
    fn take_element(&mut self, id: u8, value: &[u8]) {
        match (id, value) {
            (CONCATENATION_8, &[reference, total, number]) => {
                self.take_concatenation(u16::from(reference), total, number);
            }
            (CONCATENATION_16, &[high, low, total, number]) => {
                self.take_concatenation(u16::from_be_bytes([high, low]), total, number);
            }
            (SINGLE_SHIFT, &[language]) => self.single_shift = Some(language),
            (LOCKING_SHIFT, &[language]) => self.locking_shift = Some(language),
            _ => {}
        }
    }

    fn take_concatenation(&mut self, reference: u16, total: u8, number: u8) {
        if total > 0 && (1..=total).contains(&number) {
            self.concatenation = Some(ConcatenationReference {
                reference,
                total,
                number,
            });
        }
    }
}
