//! The signed text of a receipt: one line that anybody can check with the public key alone.
//!
//! `RASEED1~key~operator~number~time~msisdn~currency~gross~tax~fee~credited~channel~signature`; decision 0010 says what
//! is in it, what is not, and why.

use super::keys::{PublicKeys, Signer};
use crate::limits;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::reply::Receipt;
use charge::{Money, Timestamp};

/// First field: format and version.
pub const FORMAT: &str = "RASEED1";
/// Between fields. It needs no escape in an address and stands in no field.
const SEPARATOR: char = '~';
/// Fields before the signature.
const FIELDS: usize = 12;

/// What a signed text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Operator's code.
    pub operator: String,
    /// Number of the receipt.
    pub number: Receipt,
    /// When, to the second.
    pub at: Timestamp,
    /// The number that was recharged, masked.
    pub msisdn: String,
    /// ISO 4217.
    pub currency: String,
    /// Paid.
    pub gross: Money,
    /// Tax taken from it.
    pub tax: Money,
    /// Fee taken from it.
    pub fee: Money,
    /// Added to the balance.
    pub credited: Money,
    /// Where it was sold.
    pub channel: String,
}

/// Why a text proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is not in the form of a signed text.
    #[error("this is not the signed text of a receipt")]
    Malformed,
    /// No key of ours has this name.
    #[error("the key that it names is not one of these")]
    UnknownKey,
    /// The key was withdrawn.
    #[error("the key that signed it was withdrawn")]
    RevokedKey,
    /// The signature belongs to something else.
    #[error("the signature is false: the text was changed, or somebody else made it")]
    BadSignature,
}

impl Proof {
    /// The signed text. The same receipt and key always give the same text.
    pub fn sign(&self, signer: &Signer) -> String {
        let said = self.said(signer.id());
        let signature = URL_SAFE_NO_PAD.encode(signer.sign(said.as_bytes()));
        format!("{said}{SEPARATOR}{signature}")
    }

    /// Checks a text and says what it proves.
    ///
    /// # Errors
    /// [`Flaw`]: it proves nothing.
    pub fn verify(text: &str, keys: &PublicKeys) -> Result<Proof, Flaw> {
        let (proof, key) = Proof::parse(text)?;
        let (said, signature) = text.rsplit_once(SEPARATOR).ok_or(Flaw::Malformed)?;
        let signature: [u8; 64] = URL_SAFE_NO_PAD
            .decode(signature)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(Flaw::BadSignature)?;
        let key = keys.find(&key).ok_or(Flaw::UnknownKey)?;
        if key.revoked_at.is_some() {
            return Err(Flaw::RevokedKey);
        }
        match key.verify(said.as_bytes(), &signature) {
            true => Ok(proof),
            false => Err(Flaw::BadSignature),
        }
    }

    fn said(&self, key: &str) -> String {
        let fields: [&str; FIELDS] = [
            FORMAT,
            key,
            &field(&self.operator),
            &self.number.to_string(),
            &compact(self.at),
            &field(&self.msisdn),
            &field(&self.currency),
            &self.gross.exact(),
            &self.tax.exact(),
            &self.fee.exact(),
            &self.credited.exact(),
            &field(&self.channel),
        ];
        fields.join("~")
    }

    /// What the text says and which key it names, not yet believed.
    fn parse(text: &str) -> Result<(Proof, String), Flaw> {
        if text.len() > limits::SIGNED_TEXT_BYTES_MAX {
            return Err(Flaw::Malformed);
        }
        let mut fields = text.split(SEPARATOR);
        let mut next = || fields.next().ok_or(Flaw::Malformed);
        if next()? != FORMAT {
            return Err(Flaw::Malformed);
        }
        let key = next()?.to_owned();
        let money = |text: &str| Money::parse(text).map_err(|_| Flaw::Malformed);
        let proof = Proof {
            operator: next()?.to_owned(),
            number: Receipt::parse(next()?).ok_or(Flaw::Malformed)?,
            at: moment(next()?).ok_or(Flaw::Malformed)?,
            msisdn: next()?.to_owned(),
            currency: next()?.to_owned(),
            gross: money(next()?)?,
            tax: money(next()?)?,
            fee: money(next()?)?,
            credited: money(next()?)?,
            channel: next()?.to_owned(),
        };
        next()?;
        match fields.next() {
            None => Ok((proof, key)),
            Some(_) => Err(Flaw::Malformed),
        }
    }
}

/// The signed text inside of what somebody pasted: the text alone, its link, or a whole message around it.
pub fn find(pasted: &str) -> Option<&str> {
    let start = pasted.find(FORMAT)?;
    let rest = &pasted[start..];
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '&' | '#' | '"' | '<' | '>' | '\u{2069}'));
    Some(&rest[..end.unwrap_or(rest.len())])
}

/// Codes are made of letters, digits, dots and dashes; anything else would end a field or a link.
fn field(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
    text.chars().map(|c| if plain(c) { c } else { '-' }).collect()
}

/// `20261121T120000Z`.
fn compact(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(1_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = charge::time::civil_from_days(days);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{:02}Z",
        second % 60
    )
}

fn moment(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    let at = Timestamp(at.as_microsecond());
    (compact(at) == text).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::keys::KeyRing;
    use charge::AccountId;

    fn proof() -> Proof {
        Proof {
            operator: "jazz".to_owned(),
            number: Receipt {
                account: AccountId(1042),
                event: 7,
            },
            at: Timestamp::from_seconds(1_795_262_400),
            msisdn: "923*******67".to_owned(),
            currency: "PKR".to_owned(),
            gross: Money::parse("100").unwrap(),
            tax: Money::parse("13.043478").unwrap(),
            fee: Money::ZERO,
            credited: Money::parse("86.956522").unwrap(),
            channel: "shop".to_owned(),
        }
    }

    fn ring(seed: u8) -> KeyRing {
        KeyRing::of_seed([seed; 32], Timestamp::from_seconds(1_795_000_000))
    }

    #[test]
    fn a_signed_text_proves_what_it_says() {
        let ring = ring(7);
        let text = proof().sign(ring.signer());
        let said = "~jazz~R1042-7~20261121T120000Z~923*******67~PKR~100.00~13.043478~0.00~86.956522~shop~";
        assert!(text.starts_with("RASEED1~") && text.contains(said), "{text}");
        assert_eq!(text, proof().sign(ring.signer()), "always the same");
        assert_eq!(Proof::verify(&text, &ring.public()), Ok(proof()));
        assert_eq!(
            Proof::verify(&text, &self::ring(8).public()),
            Err(Flaw::UnknownKey)
        );
    }

    #[test]
    fn every_changed_byte_fails() {
        let ring = ring(7);
        let keys = ring.public();
        let text = proof().sign(ring.signer());
        for at in 0..text.len() {
            for byte in 0..=u8::MAX {
                let mut bytes = text.clone().into_bytes();
                if bytes[at] == byte {
                    continue;
                }
                bytes[at] = byte;
                let Ok(changed) = String::from_utf8(bytes) else {
                    continue;
                };
                assert!(Proof::verify(&changed, &keys).is_err(), "byte {at} as {byte}");
                let found = find(&changed).unwrap_or_default();
                assert!(
                    Proof::verify(found, &keys).is_err(),
                    "byte {at} as {byte}, pasted"
                );
            }
        }
        for at in 0..text.len() {
            let mut shorter = text.clone();
            shorter.remove(at);
            assert!(Proof::verify(&shorter, &keys).is_err(), "without byte {at}");
            let mut longer = text.clone();
            longer.insert(at, '0');
            assert!(Proof::verify(&longer, &keys).is_err(), "with a byte more at {at}");
        }
    }

    #[test]
    fn a_withdrawn_key_proves_nothing_and_an_old_one_still_does() {
        let mut ring = ring(7);
        let text = proof().sign(ring.signer());
        let now = Timestamp::from_seconds(1_796_000_000);
        ring.rotate([9; 32], now);
        assert_eq!(Proof::verify(&text, &ring.public()), Ok(proof()));
        let id = text.split('~').nth(1).unwrap().to_owned();
        assert_ne!(ring.signer().id(), id);
        assert!(ring.revoke(&id, now));
        assert_eq!(Proof::verify(&text, &ring.public()), Err(Flaw::RevokedKey));
    }

    #[test]
    fn a_pasted_message_is_looked_through() {
        let text = proof().sign(ring(7).signer());
        for pasted in [
            text.clone(),
            format!("  {text}\n"),
            format!("https://raseed.example/verify?r={text}"),
            format!("See https://raseed.example/verify?r={text}&lang=ur now"),
        ] {
            assert_eq!(find(&pasted), Some(text.as_str()));
        }
        assert_eq!(find("hello"), None);
    }

    #[test]
    fn names_cannot_break_out_of_their_field() {
        let ring = ring(7);
        let odd = Proof {
            channel: "shop~1 ü".to_owned(),
            ..proof()
        };
        let back = Proof::verify(&odd.sign(ring.signer()), &ring.public()).unwrap();
        assert_eq!(back.channel, "shop-1--");
    }
}
