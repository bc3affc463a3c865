//! The text of a payment QR: EMVCo merchant-presented mode, type-length-value with a checksum (reference payments 2.6).
//!
//! The tag profile of Raast is not public, so the identifiers are configuration. Decoding takes any such QR, within limits.

use charge::Money;
use serde::Deserialize;

/// Longest text of a QR code that is read; EMVCo allows 512.
const TEXT_BYTES_MAX: usize = 512;
/// Most tags at one level.
const TAGS_MAX: usize = 64;
/// Longest bill number or reference (EMVCo: 25).
const LABEL_MAX: usize = 25;

/// What is the same in every QR of a merchant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Tag of the merchant account, 26 to 51.
    #[serde(default = "default_tag")]
    pub account_tag: u8,
    /// Sub-tags of the merchant account in order, `(number, value)`; 00 is the scheme's identifier, for example `pk.raast`.
    pub account: Vec<(u8, String)>,
    /// Merchant category code (ISO 18245), four digits.
    pub category: String,
    /// Merchant's name, at most 25 letters.
    pub name: String,
    /// Merchant's city, at most 15 letters.
    pub city: String,
    /// Sub-tag of tag 62 that carries the payer's reference: 05, or 01 for wallets that show the bill number only.
    #[serde(default = "default_reference_tag")]
    pub reference_tag: u8,
}

fn default_tag() -> u8 {
    26
}
fn default_reference_tag() -> u8 {
    5
}

/// Why a QR cannot be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// A field does not fit its format.
    #[error("{0} does not fit into the code")]
    Field(&'static str),
    /// Lengths or tags are wrong.
    #[error("not a payment code")]
    Malformed,
    /// The checksum is wrong.
    #[error("the checksum of the code is wrong")]
    Checksum,
}

/// What a QR says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// For one payment (12), not for many (11).
    pub dynamic: bool,
    /// Merchant accounts: tag and sub-tags.
    pub accounts: Vec<(u8, Vec<(u8, String)>)>,
    /// Merchant category.
    pub category: String,
    /// ISO 4217 number; 586 is the rupee.
    pub currency: String,
    /// Amount, if it is in the code.
    pub amount: Option<Money>,
    /// Country.
    pub country: String,
    /// Merchant's name.
    pub name: String,
    /// Merchant's city.
    pub city: String,
    /// Sub-tags of the additional data.
    pub additional: Vec<(u8, String)>,
}

impl Profile {
    /// Checks the configuration by making a code.
    ///
    /// # Errors
    /// [`QrError::Field`] with what does not fit.
    pub fn check(&self) -> Result<(), QrError> {
        self.encode(Money::from_units(100), "X").map(|_| ())
    }

    /// The text for one payment in rupees.
    ///
    /// # Errors
    /// [`QrError::Field`] with what does not fit.
    pub fn encode(&self, amount: Money, reference: &str) -> Result<String, QrError> {
        if !(26..=51).contains(&self.account_tag) || self.account.first().is_none_or(|(tag, _)| *tag != 0) {
            return Err(QrError::Field("merchant account"));
        }
        if self.category.len() != 4 || !self.category.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(QrError::Field("category"));
        }
        let amount = crate::money::cents_text(amount).filter(|text| text.len() <= 13);
        let amount = amount.ok_or(QrError::Field("amount"))?;
        let account = self
            .account
            .iter()
            .map(|(tag, value)| field(*tag, value, 99, "merchant account"))
            .collect::<Result<String, QrError>>()?;
        let text = [
            field(0, "01", 2, "version")?,
            field(1, "12", 2, "kind")?,
            field(self.account_tag, &account, 99, "merchant account")?,
            field(52, &self.category, 4, "category")?,
            field(53, "586", 3, "currency")?,
            field(54, &amount, 13, "amount")?,
            field(58, "PK", 2, "country")?,
            field(59, &self.name, 25, "name")?,
            field(60, &self.city, 15, "city")?,
            field(
                62,
                &field(self.reference_tag, reference, LABEL_MAX, "reference")?,
                99,
                "reference",
            )?,
            "6304".to_owned(),
        ]
        .concat();
        Ok(format!("{text}{:04X}", crc16(text.as_bytes())))
    }
}

/// Reads a code.
///
/// # Errors
/// [`QrError`] for a wrong checksum and for anything that is not a well-formed code.
pub fn decode(text: &str) -> Result<Code, QrError> {
    if text.len() > TEXT_BYTES_MAX || !text.is_ascii() || text.len() < 12 {
        return Err(QrError::Malformed);
    }
    let (signed, checksum) = text.split_at(text.len() - 4);
    let told = u16::from_str_radix(checksum, 16).map_err(|_| QrError::Checksum)?;
    if !signed.ends_with("6304") || checksum.contains('+') || told != crc16(signed.as_bytes()) {
        return Err(QrError::Checksum);
    }
    let mut code = Code::default();
    let tags = fields(&signed[..signed.len() - 4])?;
    if tags.first() != Some(&(0, "01")) {
        return Err(QrError::Malformed);
    }
    for (tag, value) in tags {
        let value = value.to_owned();
        match tag {
            1 => code.dynamic = value == "12",
            26..=51 => code.accounts.push((tag, owned(&value)?)),
            52 => code.category = value,
            53 => code.currency = value,
            54 => {
                let amount = Money::parse(&value).ok().filter(|amount| amount.is_positive());
                code.amount = Some(amount.ok_or(QrError::Malformed)?);
            }
            58 => code.country = value,
            59 => code.name = value,
            60 => code.city = value,
            62 => code.additional = owned(&value)?,
            _ => {}
        }
    }
    Ok(code)
}

fn owned(text: &str) -> Result<Vec<(u8, String)>, QrError> {
    let fields = fields(text)?;
    Ok(fields
        .into_iter()
        .map(|(tag, value)| (tag, value.to_owned()))
        .collect())
}

/// Tags with their values; a tag may occur once.
fn fields(mut text: &str) -> Result<Vec<(u8, &str)>, QrError> {
    let mut fields: Vec<(u8, &str)> = Vec::new();
    while !text.is_empty() {
        let two = |from: usize| {
            let digits = text
                .get(from..from + 2)
                .filter(|two| two.bytes().all(|byte| byte.is_ascii_digit()));
            digits
                .and_then(|two| two.parse::<u8>().ok())
                .ok_or(QrError::Malformed)
        };
        let (tag, length) = (two(0)?, usize::from(two(2)?));
        let value = text.get(4..4 + length).ok_or(QrError::Malformed)?;
        if length == 0 || fields.len() == TAGS_MAX || fields.iter().any(|(other, _)| *other == tag) {
            return Err(QrError::Malformed);
        }
        fields.push((tag, value));
        text = &text[4 + length..];
    }
    Ok(fields)
}

fn field(tag: u8, value: &str, longest: usize, what: &'static str) -> Result<String, QrError> {
    let printable = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if value.is_empty() || value.len() > longest.min(99) || !printable || tag > 99 {
        return Err(QrError::Field(what));
    }
    Ok(format!("{tag:02}{:02}{value}", value.len()))
}

/// CRC-16/CCITT-FALSE.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                crc << 1 ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q1: &str = "00020101021226290008pk.raast0113+92336786582352045411530358654071250.505802PK5915Faizan Shurjeel6006Lahore\
        62160112INV-2026-00163044A1D";
    const Q2: &str = "00020101021226340008PK.RAAST0112NEXUSCOLLECT02024152049311530358654073750.005802PK5923PUNJAB SAFE CITIES AUTH\
        6006LAHORE62530117410113000001901230511CHL-07791230713AGENCY-CTR-016304866B";

    fn profile() -> Profile {
        Profile {
            account_tag: 26,
            account: vec![(0, "pk.raast".to_owned()), (1, "+923367865823".to_owned())],
            category: "5411".to_owned(),
            name: "Faizan Shurjeel".to_owned(),
            city: "Lahore".to_owned(),
            reference_tag: 1,
        }
    }

    #[test]
    fn the_published_vectors() {
        assert_eq!(crc16(b"123456789"), 0x29B1);
        let code = decode(Q1).unwrap();
        assert!(code.dynamic);
        assert_eq!(code.amount, Some(Money::parse("1250.50").unwrap()));
        assert_eq!((code.currency.as_str(), code.country.as_str()), ("586", "PK"));
        assert_eq!(code.accounts[0].1[0], (0, "pk.raast".to_owned()));
        assert_eq!(code.additional, [(1, "INV-2026-001".to_owned())]);
        let code = decode(Q2).unwrap();
        assert_eq!(code.name, "PUNJAB SAFE CITIES AUTH");
        assert_eq!(code.additional[1], (5, "CHL-0779123".to_owned()));
        let amount = Money::parse("1250.50").unwrap();
        assert_eq!(profile().encode(amount, "INV-2026-001").as_deref(), Ok(Q1));
    }

    #[test]
    fn one_changed_byte_is_found() {
        for vector in [Q1, Q2] {
            for place in 0..vector.len() {
                for flip in [1u8, 2, 4, 16] {
                    let mut changed = vector.as_bytes().to_vec();
                    changed[place] ^= flip;
                    if let Ok(changed) = String::from_utf8(changed) {
                        assert!(decode(&changed).is_err(), "{changed}");
                    }
                }
            }
            for cut in 0..vector.len() {
                assert!(decode(&vector[..cut]).is_err());
            }
        }
        // The checksum may be written in small letters.
        assert!(decode(&Q1.replace("4A1D", "4a1d")).is_ok());
    }

    #[test]
    fn broken_structure_with_a_right_checksum() {
        for body in [
            "010212",
            "0002010102",
            "000201010212541",
            "00020101021254051x.00",
            "0002010002010102125303586",
            "000201010212540500.00",
            "00020101021262040199",
            "0002015400",
            "0002+1",
        ] {
            let text = format!("{body}6304");
            let text = format!("{text}{:04X}", crc16(text.as_bytes()));
            assert_eq!(decode(&text), Err(QrError::Malformed), "{text}");
        }
        for text in ["", "6304", "\u{6f0}\u{6f0}02016304AAAA", "0002016304+123"] {
            assert!(decode(text).is_err(), "{text}");
        }
        assert!(decode(&"0".repeat(600)).is_err());
    }

    #[test]
    fn what_does_not_fit() {
        let amount = Money::from_units(100);
        for change in [
            |profile: &mut Profile| profile.account_tag = 25,
            |profile: &mut Profile| profile.account.clear(),
            |profile: &mut Profile| profile.account[0].0 = 1,
            |profile: &mut Profile| profile.category = "54".to_owned(),
            |profile: &mut Profile| profile.name = "x".repeat(26),
            |profile: &mut Profile| profile.city = "لاہور".to_owned(),
            |profile: &mut Profile| profile.name.clear(),
        ] {
            let mut wrong = profile();
            change(&mut wrong);
            assert!(matches!(wrong.check(), Err(QrError::Field(_))), "{wrong:?}");
        }
        assert!(profile().encode(Money(1), "X").is_err());
        assert!(profile().encode(Money::from_units(99_999_999_999), "X").is_err());
        assert!(profile().encode(amount, &"X".repeat(26)).is_err());
        let id = charge::payment::PaymentId::new(7, 7).unwrap();
        let text = profile().encode(amount, &crate::reference::compact(id)).unwrap();
        let code = decode(&text).unwrap();
        assert_eq!(crate::reference::parse(&code.additional[0].1), Some(id));
    }
}
