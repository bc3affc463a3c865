//! The AVPs we know: code, vendor, type and name. What is not here and carries the M bit is refused with 5001.

mod base;
mod tgpp;

use super::avp::{AvpKey, VENDOR_3GPP, flag, key};

/// The data format of an AVP (RFC 6733 sections 4.2 and 4.3), as far as its least length depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Family and address.
    Address,
    /// AVPs inside.
    Grouped,
    /// Also Enumerated.
    Integer32,
    /// Signed, eight octets.
    Integer64,
    /// Any octets; also DiameterIdentity, DiameterURI and filter rules.
    OctetString,
    /// Seconds of the NTP era.
    Time,
    /// Unsigned, four octets.
    Unsigned32,
    /// Unsigned, eight octets.
    Unsigned64,
    /// UTF-8.
    Utf8,
}

impl Kind {
    /// Octets of the shortest value.
    #[must_use]
    pub fn octets_min(self) -> usize {
        match self {
            Self::Grouped | Self::OctetString | Self::Utf8 => 0,
            Self::Integer32 | Self::Unsigned32 | Self::Time => 4,
            Self::Address => 6,
            Self::Integer64 | Self::Unsigned64 => 8,
        }
    }
}

/// One row of the dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// AVP code.
    pub code: u32,
    /// Data format.
    pub kind: Kind,
    /// Name in the specification.
    pub name: &'static str,
}

const fn entry(code: u32, kind: Kind, name: &'static str) -> Entry {
    Entry { code, kind, name }
}

/// Codes below this may be known; one bit each.
const CODES: usize = 4352;
type Known = [u64; CODES / 64];

const fn known(entries: &[Entry]) -> Known {
    let mut bits = [0; CODES / 64];
    let mut at = 0;
    while at < entries.len() {
        let code = entries[at].code as usize;
        bits[code / 64] |= 1 << (code % 64);
        at += 1;
    }
    bits
}

static BASE_KNOWN: Known = known(base::BASE);
static TGPP_KNOWN: Known = known(tgpp::TGPP);

/// True when the dictionary has the AVP. A bit test: it runs for every AVP that a typed view does not take.
#[inline]
#[must_use]
pub fn is_known(key: AvpKey) -> bool {
    let bits = match key.vendor() {
        0 => &BASE_KNOWN,
        VENDOR_3GPP => &TGPP_KNOWN,
        _ => return false,
    };
    let code = key.code() as usize;
    bits.get(code / 64)
        .is_some_and(|word| word >> (code % 64) & 1 == 1)
}

/// The row of an AVP.
#[must_use]
pub fn find(key: AvpKey) -> Option<&'static Entry> {
    let entries = match key.vendor() {
        0 => base::BASE,
        VENDOR_3GPP => tgpp::TGPP,
        _ => return None,
    };
    entries
        .binary_search_by_key(&key.code(), |entry| entry.code)
        .ok()
        .map(|at| &entries[at])
}

/// The specification's name of an AVP.
#[must_use]
pub fn name(key: AvpKey) -> Option<&'static str> {
    find(key).map(|entry| entry.name)
}

/// Octets of the shortest value of an AVP; 0 for an unknown one.
#[must_use]
pub fn octets_min(key: AvpKey) -> usize {
    find(key).map_or(0, |entry| entry.kind.octets_min())
}

/// The flags with which we write an AVP: V for vendors, M unless the specification forbids it.
#[inline(always)]
#[must_use]
pub const fn flags(avp: AvpKey) -> u8 {
    let vendor = if avp.vendor() == 0 { 0 } else { flag::VENDOR };
    let mandatory = match avp {
        key::PRODUCT_NAME
        | key::FIRMWARE_REVISION
        | key::ERROR_MESSAGE
        | key::ERROR_REPORTING_HOST
        | key::USER_EQUIPMENT_INFO
        | key::USER_EQUIPMENT_INFO_TYPE
        | key::USER_EQUIPMENT_INFO_VALUE => 0,
        _ => flag::MANDATORY,
    };
    vendor | mandatory
}

/// Every row, for the contract test and for people.
pub fn entries() -> impl Iterator<Item = (u32, &'static Entry)> {
    base::BASE
        .iter()
        .map(|entry| (0, entry))
        .chain(tgpp::TGPP.iter().map(|entry| (VENDOR_3GPP, entry)))
}

#[cfg(test)]
mod tests {
    use super::{AvpKey, entries, find, is_known};
    use crate::diameter::avp::key;

    #[test]
    fn rows_are_sorted_so_that_the_search_finds_each() {
        for (vendor, entry) in entries() {
            let avp = AvpKey::new(vendor, entry.code);
            assert_eq!(find(avp), Some(entry));
            assert!(is_known(avp), "{}", entry.name);
        }
        for (vendor, code) in [
            (0, 104),
            (0, 286),
            (10415, 41),
            (10415, 5000),
            (0, 1_000_000),
            (193, 1),
            (10415, u32::MAX),
        ] {
            assert!(!is_known(AvpKey::new(vendor, code)), "{vendor}:{code}");
            assert_eq!(find(AvpKey::new(vendor, code)), None);
        }
    }

    #[test]
    fn every_named_key_is_in_the_dictionary_under_its_name() {
        for (constant, avp) in key::ALL {
            let name = super::name(*avp).unwrap_or_else(|| panic!("{constant} is not in the dictionary"));
            assert_eq!(
                name.to_uppercase().replace(['-', ' '], "_"),
                constant.replace("TGPP_", "3GPP_")
            );
        }
    }
}
