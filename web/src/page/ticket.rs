//! What a payer was shown, signed: the confirmation brings it back unchanged, and a second click is the same payment.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::codec::Codec;
use charge::ids::digest128;
use charge::payment::PaymentId;
use charge::time::SECOND;
use charge::{AccountId, Code, Money, Msisdn, OperatorId, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A confirmation later than this shows the price again.
const TICKET_S: i64 = 15 * 60;
/// Longest ticket that is looked at.
const TEXT_BYTES_MAX: usize = 512;
const MAC_BYTES: usize = 16;

/// A recharge as it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The payment that a confirmation begins.
    pub id: PaymentId,
    /// The number.
    pub msisdn: Msisdn,
    /// Its account; 0: another operator credits it, by a connector.
    pub account: AccountId,
    /// Its operator.
    pub operator: OperatorId,
    /// The payer pays.
    pub gross: Money,
    /// A bundle to buy with it; empty: none.
    pub offer: Code,
    /// A campaign code; empty: none.
    pub campaign: Code,
    /// Digest of what each rail was shown to take: another price must be shown again.
    pub prices: u64,
    /// When it was shown.
    pub shown_at: Timestamp,
}

impl Ticket {
    /// The ticket as text, for one browser.
    pub fn seal(&self, secret: &[u8; 32], payer: u128) -> String {
        let mut bytes = self.bytes();
        let mac = mac(secret, payer, &bytes);
        bytes.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a ticket that this browser was given. `None` for anything else, and when it is too old.
    pub fn open(text: &str, secret: &[u8; 32], payer: u128, now: Timestamp) -> Option<Ticket> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, sealed) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        let mut difference = 0;
        for (a, b) in mac(secret, payer, body).iter().zip(sealed) {
            difference |= a ^ b;
        }
        if difference != 0 {
            return None;
        }
        let ticket = Ticket::of(body)?;
        let age = now.0 - ticket.shown_at.0;
        (0..=TICKET_S * SECOND).contains(&age).then_some(ticket)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        self.id.encode(&mut out);
        self.msisdn.encode(&mut out);
        self.account.encode(&mut out);
        self.operator.encode(&mut out);
        self.gross.encode(&mut out);
        self.offer.encode(&mut out);
        self.campaign.encode(&mut out);
        self.prices.encode(&mut out);
        self.shown_at.encode(&mut out);
        out
    }

    fn of(bytes: &[u8]) -> Option<Ticket> {
        let input = &mut charge::codec::Reader::new(bytes);
        let ticket = Ticket {
            id: Codec::decode(input).ok()?,
            msisdn: Codec::decode(input).ok()?,
            account: Codec::decode(input).ok()?,
            operator: Codec::decode(input).ok()?,
            gross: Codec::decode(input).ok()?,
            offer: Codec::decode(input).ok()?,
            campaign: Codec::decode(input).ok()?,
            prices: Codec::decode(input).ok()?,
            shown_at: Codec::decode(input).ok()?,
        };
        (input.remaining() == 0).then_some(ticket)
    }
}

/// Who pays, as far as payments know: a digest of the browser's form token, which only that browser is given.
pub fn payer_of(form_token: &str) -> u128 {
    digest128("payer", &[form_token.as_bytes()])
}

fn mac(secret: &[u8; 32], payer: u128, body: &[u8]) -> [u8; MAC_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(b"raseed recharge ticket 1");
    mac.update(&payer.to_be_bytes());
    mac.update(body);
    let mut out = [0; MAC_BYTES];
    out.copy_from_slice(&mac.finalize().into_bytes()[..MAC_BYTES]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_browser_can_confirm_and_not_for_long() {
        let ticket = Ticket {
            id: PaymentId::new(7, 42).unwrap(),
            msisdn: Msisdn::parse("923001234567").unwrap(),
            account: AccountId(7),
            operator: OperatorId(1),
            gross: Money::from_units(100),
            offer: Code::EMPTY,
            campaign: Code::new("EID").unwrap(),
            prices: 3,
            shown_at: Timestamp(1_000 * SECOND),
        };
        let (secret, now) = ([7; 32], Timestamp(1_100 * SECOND));
        let text = ticket.seal(&secret, 1);
        assert_eq!(Ticket::open(&text, &secret, 1, now), Some(ticket));
        assert_eq!(Ticket::open(&text, &secret, 2, now), None);
        assert_eq!(Ticket::open(&text, &[8; 32], 1, now), None);
        assert_eq!(Ticket::open(&text, &secret, 1, Timestamp(2_000 * SECOND)), None);
        for index in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[index] = if other[index] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(Ticket::open(&other, &secret, 1, now), None, "byte {index}");
        }
    }
}
