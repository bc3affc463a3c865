//! Where the phone is: network codes, 3GPP-User-Location-Info (TS 29.061 section 16.4.7.2, TS 29.274 section 8.21) and the
//! access network of a call (TS 24.229 section 7.2A.4).

use crate::diameter::limits::{ACCESS_NETWORK_OCTETS_MAX, LIST_ENTRIES_MAX};

/// A mobile network: country and network code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Plmn {
    /// Mobile country code, for example 410.
    pub mcc: u16,
    /// Mobile network code.
    pub mnc: u16,
    /// Digits of the network code, 2 or 3.
    pub mnc_digits: u8,
}

impl Plmn {
    /// From text such as `41001` or `310410` (3GPP-SGSN-MCC-MNC).
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        if !matches!(text.len(), 5 | 6) || !text.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        let (mcc, mnc) = text.split_at(3);
        Some(Self {
            mcc: mcc.parse().ok()?,
            mnc: mnc.parse().ok()?,
            mnc_digits: mnc.len() as u8,
        })
    }

    /// From the three octets of telephony BCD (TS 24.008 section 10.5.1.13).
    #[must_use]
    pub fn from_bcd(octets: [u8; 3]) -> Option<Self> {
        let digit = |value: u8| (value <= 9).then_some(u16::from(value));
        let [a, b, c] = octets;
        let mcc = digit(a & 15)? * 100 + digit(a >> 4)? * 10 + digit(b & 15)?;
        let two = digit(c & 15)? * 10 + digit(c >> 4)?;
        Some(match b >> 4 {
            15 => Self {
                mcc,
                mnc: two,
                mnc_digits: 2,
            },
            third => Self {
                mcc,
                mnc: two * 10 + digit(third)?,
                mnc_digits: 3,
            },
        })
    }
}

/// The serving cell as far as the gateway tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserLocation {
    /// The serving network.
    pub plmn: Plmn,
    /// Location, routing or tracking area code.
    pub area: Option<u32>,
    /// Cell identity, service area code, ECI or NCI.
    pub cell: Option<u64>,
}

impl UserLocation {
    /// Reads 3GPP-User-Location-Info. `None` for a type that is not known or a value that is too short.
    #[must_use]
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        let (kind, rest) = octets.split_first()?;
        let plmn = |at: usize| Plmn::from_bcd(rest.get(at..at + 3)?.try_into().ok()?);
        let number = |at: usize, octets: usize| {
            let octets = rest.get(at..at + octets)?;
            Some(
                octets
                    .iter()
                    .fold(0, |number, octet| number << 8 | u64::from(*octet)),
            )
        };
        let area = |at: usize, octets: usize| Some(number(at, octets)? as u32);
        let eci = |at: usize| Some(number(at, 4)? & 0x0fff_ffff);
        let nci = |at: usize| Some(number(at, 5)? & 0x000f_ffff_ffff);
        Some(match kind {
            // CGI and SAI: area, then cell or service area.
            0 | 1 => Self {
                plmn: plmn(0)?,
                area: Some(area(3, 2)?),
                cell: Some(number(5, 2)?),
            },
            // RAI.
            2 => Self {
                plmn: plmn(0)?,
                area: Some(area(3, 2)?),
                cell: None,
            },
            // TAI, ECGI, TAI and ECGI.
            128 => Self {
                plmn: plmn(0)?,
                area: Some(area(3, 2)?),
                cell: None,
            },
            129 => Self {
                plmn: plmn(0)?,
                area: None,
                cell: Some(eci(3)?),
            },
            130 => Self {
                plmn: plmn(0)?,
                area: Some(area(3, 2)?),
                cell: Some(eci(8)?),
            },
            // NCGI, 5GS TAI, 5GS TAI and NCGI.
            135 => Self {
                plmn: plmn(0)?,
                area: None,
                cell: Some(nci(3)?),
            },
            136 => Self {
                plmn: plmn(0)?,
                area: Some(area(3, 3)?),
                cell: None,
            },
            137 => Self {
                plmn: plmn(0)?,
                area: Some(area(3, 3)?),
                cell: Some(nci(9)?),
            },
            _ => return None,
        })
    }

    /// Reads Access-Network-Information: a P-Access-Network-Info header, for example
    /// `3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=4100100010019b01`. Of several values the one that the network provided counts.
    /// `None` for other accesses and for what is not exactly as TS 24.229 says.
    #[must_use]
    pub fn from_access_network(octets: &[u8]) -> Option<Self> {
        access_network(octets).map(|(_, location)| location)
    }
}

/// The place a phone is calling from, out of all that its servers tell: the network's word goes before the phone's.
pub(super) fn of_access_networks(values: &[&[u8]]) -> Option<UserLocation> {
    values
        .iter()
        .filter_map(|octets| access_network(octets))
        .min_by_key(|(trust, _)| *trust)
        .map(|(_, location)| location)
}

/// Who says it: the network, or the phone alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trust {
    Network,
    Phone,
}

fn access_network(octets: &[u8]) -> Option<(Trust, UserLocation)> {
    if octets.len() > ACCESS_NETWORK_OCTETS_MAX {
        return None;
    }
    let text = std::str::from_utf8(octets).ok()?;
    outside_quotes(text, ',')
        .take(LIST_ENTRIES_MAX)
        .filter_map(access_value)
        .min_by_key(|(trust, _)| *trust)
}

/// One value: `access-type *(;parameter)`.
fn access_value(value: &str) -> Option<(Trust, UserLocation)> {
    let mut words = outside_quotes(value, ';').map(str::trim);
    let access = words.next()?.to_ascii_uppercase();
    if !access.starts_with("3GPP-") {
        return None;
    }
    let (mut trust, mut location) = (Trust::Phone, None);
    for word in words.take(LIST_ENTRIES_MAX) {
        let (name, id) = word.split_once('=').unwrap_or((word, ""));
        let id = id.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "network-provided" => trust = Trust::Network,
            "cgi-3gpp" => location = cell_identity(id, 4, 4),
            "utran-cell-id-3gpp" if access.starts_with("3GPP-NR") => location = cell_identity(id, 6, 9),
            "utran-cell-id-3gpp" => location = cell_identity(id, 4, 7),
            _ => {}
        }
    }
    location.map(|location| (trust, location))
}

/// Country, network, area and cell without separators: the first two decimal, the others hexadecimal of these lengths. One
/// digit more than the fewest is the third digit of the network code where the country may have such, else a leading zero
/// of the cell, as phones that write eight digits send it.
fn cell_identity(text: &str, area_digits: usize, cell_digits: usize) -> Option<UserLocation> {
    if !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return None;
    }
    let mnc_digits = match text.len().checked_sub(3 + area_digits + cell_digits)? {
        2 => 2,
        3 if has_long_codes(text.get(..3)?) => 3,
        3 if text.as_bytes().get(5 + area_digits) == Some(&b'0') => 2,
        _ => return None,
    };
    let (network, place) = text.split_at_checked(3 + mnc_digits)?;
    let (area, cell) = place.split_at_checked(area_digits)?;
    Some(UserLocation {
        plmn: Plmn::from_text(network)?,
        area: Some(u32::from_str_radix(area, 16).ok()?),
        cell: Some(u64::from_str_radix(cell, 16).ok()?),
    })
}

/// Countries that have network codes of three digits (ITU-T E.212): North America and the Caribbean, India, Malaysia, South
/// America, and the codes of test networks.
fn has_long_codes(mcc: &str) -> bool {
    matches!(
        mcc.as_bytes(),
        [b'3' | b'7', ..] | b"405" | b"502" | b"001" | b"999"
    )
}

/// The parts between separators that are not inside quotation marks.
fn outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    })
}
