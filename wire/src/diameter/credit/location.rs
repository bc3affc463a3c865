//! Where the phone is: network codes and 3GPP-User-Location-Info (TS 29.061 section 16.4.7.2, TS 29.274 section 8.21).

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
}
