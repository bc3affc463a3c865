//! Links and codes that open one receipt to whoever holds them.
//!
//! | what | bits | opens |
//! |---|---|---|
//! | token, in links | 128 | the whole receipt |
//! | code, in short messages | 40 | what the signed text says: the number masked, no balance |
//!
//! Both are keyed hashes of the receipt's number, so nothing is stored. Wrong ones are rate limited by address.

use super::keys::short;
use crate::api::auth::same_bytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::reply::Receipt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The unguessable part of a receipt's link.
pub fn token(secret: &[u8; 32], number: Receipt) -> String {
    URL_SAFE_NO_PAD.encode(&keyed(secret, "receipt-link", number)[..16])
}

/// Whether the token is this receipt's.
pub fn token_fits(secret: &[u8; 32], number: Receipt, given: &str) -> bool {
    same_bytes(token(secret, number).as_bytes(), given.as_bytes())
}

/// The code of a short message: eight letters and digits.
pub fn code(secret: &[u8; 32], number: Receipt) -> String {
    short(&keyed(secret, "receipt-code", number))
}

/// `R1042-7.k7d2m9qa`: the number with its code, as it stands in a short message.
pub fn coded(secret: &[u8; 32], number: Receipt) -> String {
    format!("{number}.{}", code(secret, number))
}

/// A number with its code inside of what somebody pasted or typed, not yet believed. Blanks and capitals are forgiven.
pub fn find(pasted: &str) -> Option<(Receipt, String)> {
    let text = pasted.to_ascii_uppercase();
    text.match_indices('R').find_map(|(start, _)| {
        let rest = &text[start..];
        let end = rest.find(|c: char| !matches!(c, 'R' | '0'..='9' | '-'))?;
        let number = Receipt::parse(&rest[..end])?;
        let behind = rest[end..].trim_start_matches(['.', ' ', ':', '/']);
        let code: String = behind.chars().take(8).collect();
        let fits = code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let ends = !behind[code.len()..].starts_with(|c: char| c.is_ascii_alphanumeric());
        (fits && ends).then(|| (number, code.to_ascii_lowercase()))
    })
}

/// Whether the code is this receipt's.
pub fn code_fits(secret: &[u8; 32], number: Receipt, given: &str) -> bool {
    same_bytes(code(secret, number).as_bytes(), given.as_bytes())
}

fn keyed(secret: &[u8; 32], label: &str, number: Receipt) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(label.as_bytes());
    mac.update(&[0]);
    mac.update(&number.account.0.to_be_bytes());
    mac.update(&number.event.to_be_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::AccountId;

    const SECRET: [u8; 32] = [7; 32];

    fn number(account: u64, event: u64) -> Receipt {
        Receipt {
            account: AccountId(account),
            event,
        }
    }

    #[test]
    fn tokens_and_codes_belong_to_one_receipt() {
        let (one, two) = (number(1042, 7), number(1042, 8));
        let token = token(&SECRET, one);
        assert_eq!(token.len(), 22);
        assert!(token_fits(&SECRET, one, &token));
        assert!(!token_fits(&SECRET, two, &token) && !token_fits(&[8; 32], one, &token));
        assert!(!token_fits(&SECRET, one, "") && !token_fits(&SECRET, one, &token[..21]));
        let code = code(&SECRET, one);
        assert!(code_fits(&SECRET, one, &code) && !code_fits(&SECRET, two, &code));
        assert!(!token.starts_with(&code));
    }

    #[test]
    fn codes_are_found_in_messages() {
        let one = number(1042, 7);
        let coded = coded(&SECRET, one);
        let code = code(&SECRET, one);
        for pasted in [
            coded.clone(),
            coded.to_uppercase(),
            format!("Jazz: Rs 100.00 recharged. Receipt {coded}"),
            format!("https://raseed.example/r/{coded}"),
            format!("R1042-7 {code}."),
        ] {
            assert_eq!(find(&pasted), Some((one, code.clone())), "{pasted}");
        }
        for pasted in [
            "",
            "R1042-7",
            "R1042-7.abc",
            "R1042-7.abcdefghi",
            "Receipt",
            "R-.abcdefgh",
        ] {
            assert_eq!(find(pasted), None, "{pasted}");
        }
    }
}
