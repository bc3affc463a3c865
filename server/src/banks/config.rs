//! What can be set about banks.

use aws_lc_rs::hmac;
use charge::PartnerId;
use serde::Deserialize;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Banks and where they are listened to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BanksConfig {
    /// The host for cash machines.
    pub iso8583: Iso8583Config,
    /// 1LINK 1BILL, where we are the biller.
    pub onebill: OneBillConfig,
    /// Who may sell.
    pub bank: Vec<BankConfig>,
}

/// The host for cash machines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Iso8583Config {
    /// Where it listens; empty: not at all.
    pub listen: Vec<SocketAddr>,
    /// How the length before each message is written.
    pub prefix: PrefixConfig,
    /// Connections at the same time.
    pub connections_max: usize,
    /// A connection from which nothing came for so long is closed, seconds.
    pub idle_s: u32,
    /// A sale that has not ended after so many seconds is not answered: the bank repeats it or takes it back.
    pub answer_s: u32,
}

impl Default for Iso8583Config {
    fn default() -> Iso8583Config {
        Iso8583Config {
            listen: Vec::new(),
            prefix: PrefixConfig::Binary,
            connections_max: 4_096,
            idle_s: 300,
            answer_s: 15,
        }
    }
}

/// 1LINK 1BILL, where we are the biller.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OneBillConfig {
    /// Where it listens; empty: not at all.
    pub listen: Vec<SocketAddr>,
    /// Connections at the same time.
    pub connections_max: usize,
    /// A payment that has not ended after so many seconds is answered 503, as if the line had failed.
    pub answer_s: u32,
}

impl Default for OneBillConfig {
    fn default() -> OneBillConfig {
        OneBillConfig {
            listen: Vec::new(),
            connections_max: 1_024,
            answer_s: 15,
        }
    }
}

/// How a bank speaks 1BILL.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneBillBank {
    /// `bank_mnemonic` of its messages.
    pub mnemonic: String,
    /// Header `username`.
    pub username: String,
    /// SHA-256 of the header `password`, hexadecimal. The password is long and random: nothing slows guessing the hash.
    pub password_sha256: PasswordHash,
    /// What a payment that comes again is answered.
    #[serde(default)]
    pub duplicate: Duplicate,
}

/// What a payment that comes again is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Duplicate {
    /// `response_Code` 03.
    #[default]
    #[serde(rename = "03")]
    Refused,
    /// The answer of the first time.
    #[serde(rename = "original")]
    Original,
}

/// SHA-256 of a password.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct PasswordHash([u8; 32]);

impl PasswordHash {
    /// Whether it is this password's, in constant time.
    pub fn is_of(&self, password: &[u8]) -> bool {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, password);
        aws_lc_rs::constant_time::verify_slices_are_equal(digest.as_ref(), &self.0).is_ok()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

impl TryFrom<String> for PasswordHash {
    type Error = &'static str;
    fn try_from(text: String) -> Result<PasswordHash, &'static str> {
        octets_of(&text)
            .and_then(|octets| <[u8; 32]>::try_from(octets).ok())
            .map(PasswordHash)
            .ok_or("password_sha256 is 64 hexadecimal digits")
    }
}

/// Hexadecimal digits as octets.
fn octets_of(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

/// How the length before each message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrefixConfig {
    /// Two octets.
    Binary,
    /// Four digits.
    Digits,
}

/// A bank.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankConfig {
    /// Its short name in logs.
    pub code: String,
    /// Its number in DE32; empty: it does not call over ISO 8583.
    #[serde(default)]
    pub institution: String,
    /// Id of the partner whose float it sells from.
    pub partner: u32,
    /// Where it calls from.
    pub addresses: Vec<Range>,
    /// Key of the messages' authentication code; not set: they have none.
    #[serde(default)]
    pub mac_key: Option<MacKey>,
    /// Nothing is sold on a connection before its sign-on.
    #[serde(default)]
    pub sign_on: bool,
    /// What a reversal is answered that could not take all of its sale back.
    #[serde(default)]
    pub reversal: ReversalAnswer,
    /// How it speaks 1BILL; not set: it does not.
    #[serde(default)]
    pub onebill: Option<OneBillBank>,
}

/// What a reversal is answered that could not take all of its sale back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum ReversalAnswer {
    /// 00 always: a reversal is an advice, and its file repeats it until it hears that. What is missing is settled with the
    /// bank.
    #[default]
    #[serde(rename = "00")]
    Accepted,
    /// 32 for a part, 21 for nothing, 13 for another amount: for a bank that agreed to read them.
    #[serde(rename = "truth")]
    Truth,
}

impl BankConfig {
    /// The partner.
    pub fn partner(&self) -> PartnerId {
        PartnerId(self.partner)
    }

    /// Whether it may call from there.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|range| range.holds(address))
    }
}

impl BanksConfig {
    /// What a single value cannot show.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self) -> Result<(), String> {
        let host = &self.iso8583;
        if host.connections_max == 0
            || !(1..=86_400).contains(&host.idle_s)
            || !(1..=60).contains(&host.answer_s)
        {
            return Err(
                "banks.iso8583: connections_max must be at least 1, idle_s 1 to 86400, answer_s 1 to 60"
                    .to_owned(),
            );
        }
        if self.onebill.connections_max == 0 || !(1..=60).contains(&self.onebill.answer_s) {
            return Err("banks.onebill: connections_max must be at least 1, answer_s 1 to 60".to_owned());
        }
        for (index, bank) in self.bank.iter().enumerate() {
            let name = &bank.code;
            if charge::Code::new(name).is_none_or(|code| code.is_empty()) {
                return Err(format!("banks.bank {name:?}: code is a short name"));
            }
            let digits = bank.institution.len() <= 11 && bank.institution.bytes().all(|b| b.is_ascii_digit());
            let plain = bank.institution.trim_start_matches('0');
            if !digits || (plain.is_empty() && !bank.institution.is_empty()) {
                return Err(format!(
                    "banks.bank {name}: institution is 1 to 11 digits and not zero"
                ));
            }
            if bank.addresses.is_empty() {
                return Err(format!("banks.bank {name}: addresses may not be empty"));
            }
            let others = &self.bank[..index];
            let twice = others.iter().any(|other| {
                let same = other.institution.trim_start_matches('0') == plain && !plain.is_empty();
                let mnemonic = |bank: &BankConfig| bank.onebill.as_ref().map(|p| p.mnemonic.clone());
                let named = mnemonic(bank).is_some() && mnemonic(bank) == mnemonic(other);
                same || named || other.code == bank.code
            });
            if twice {
                return Err(format!(
                    "banks.bank {name}: code, institution and mnemonic must be its own"
                ));
            }
        }
        Ok(())
    }
}

/// Addresses: `10.1.0.0/16`, or a single one.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Range {
    first: IpAddr,
    bits: u32,
}

impl Range {
    /// Whether an address is one of them. IPv4 inside IPv6 is IPv4.
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                first.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                first.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

impl TryFrom<String> for Range {
    type Error = String;
    fn try_from(text: String) -> Result<Range, String> {
        let bad = || format!("{text:?} is not an address or a range such as 10.1.0.0/16");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| bad())?)),
            None => (text.as_str(), None),
        };
        let first: IpAddr = address.parse().map_err(|_| bad())?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Range { first, bits }).ok_or_else(bad)
    }
}

/// The key of a bank's authentication codes: HMAC-SHA-256, its first eight octets.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// The code of these octets: sixteen hexadecimal digits.
    pub fn code(&self, octets: &[u8]) -> String {
        let tag = hmac::sign(&self.0, octets);
        tag.as_ref()[..8]
            .iter()
            .map(|octet| format!("{octet:02X}"))
            .collect()
    }

    /// Whether a code is that of these octets, in constant time.
    pub fn proves(&self, octets: &[u8], code: &str) -> bool {
        let right = self.code(octets);
        aws_lc_rs::constant_time::verify_slices_are_equal(right.as_bytes(), code.as_bytes()).is_ok()
    }
}

/// Never the key.
impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey")
    }
}

impl TryFrom<String> for MacKey {
    type Error = &'static str;
    fn try_from(text: String) -> Result<MacKey, &'static str> {
        let wrong = "mac_key is 32 to 128 hexadecimal digits, two for each octet";
        if !(32..=128).contains(&text.len()) {
            return Err(wrong);
        }
        let octets = octets_of(&text).ok_or(wrong)?;
        Ok(MacKey(hmac::Key::new(hmac::HMAC_SHA256, &octets)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        Range::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn ranges_hold_what_they_say() {
        let holds = |range_text: &str, address: &str| range(range_text).holds(address.parse().unwrap());
        assert!(holds("10.1.0.0/16", "10.1.255.1") && !holds("10.1.0.0/16", "10.2.0.1"));
        assert!(holds("10.1.2.3", "::ffff:10.1.2.3") && !holds("10.1.2.3", "10.1.2.4"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("2001:db8::/32", "2001:db8:1::") && holds("::/0", "::1"));
        for bad in ["", "10.0.0.0/33", "10.0.0", "x/8", "10.0.0.0/-1", "::/129"] {
            assert!(Range::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_code_proves_its_octets_only() {
        let key = MacKey::try_from("0b".repeat(20)).unwrap();
        // RFC 4231, test case 1, truncated.
        assert_eq!(key.code(b"Hi There"), "B0344C61D8DB3853");
        assert!(key.proves(b"Hi There", "B0344C61D8DB3853"));
        assert!(!key.proves(b"Hi there", "B0344C61D8DB3853") && !key.proves(b"Hi There", ""));
        assert!(MacKey::try_from("0b".repeat(15)).is_err() && MacKey::try_from("0x".repeat(20)).is_err());
        assert_eq!(format!("{key:?}"), "MacKey");
    }
}
