//! Signatures of the shape `t=<seconds>,v1=<hex>`: HMAC-SHA256 over `<seconds>.<body>` (reference payments 2.4).

use crate::rail::RailError;
use crate::secret::{Secret, hex, same, unhex};
use charge::Timestamp;

/// A signature is believed for so many seconds, and no earlier than so many before its time.
pub const TOLERANCE_S: i64 = 300;
/// Most `v1` in one header.
const SIGNATURES_MAX: usize = 8;

/// The header for a body.
pub fn sign(secret: &Secret, body: &[u8], now: Timestamp) -> String {
    let seconds = now.seconds();
    format!("t={seconds},v1={}", hex(&tag(secret, &seconds.to_string(), body)))
}

/// Checks a header against every secret that is valid now. Other schemes than `v1` are ignored.
///
/// # Errors
/// [`RailError::NotGenuine`] unless one `v1` fits one secret and the time is within [`TOLERANCE_S`].
pub fn verify(secrets: &[Secret], header: &str, body: &[u8], now: Timestamp) -> Result<(), RailError> {
    const BAD: RailError = RailError::NotGenuine("signature");
    if header.len() > 2048 {
        return Err(BAD);
    }
    let mut time = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", _)) if time.is_some() => return Err(BAD),
            Some(("t", value)) => time = Some(value),
            Some(("v1", value)) if signatures.len() < SIGNATURES_MAX => {
                signatures.push(unhex(value).ok_or(BAD)?);
            }
            _ => {}
        }
    }
    let time = time.ok_or(BAD)?;
    let well_formed = !time.is_empty() && time.len() <= 12 && time.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = time.parse().ok().filter(|_| well_formed).ok_or(BAD)?;
    // Every secret with every signature, so that the time taken says nothing.
    let mut fits = false;
    for secret in secrets {
        let expected = tag(secret, time, body);
        for signature in &signatures {
            fits |= same(&expected, signature);
        }
    }
    if !fits {
        return Err(BAD);
    }
    if (now.seconds() - seconds).abs() > TOLERANCE_S {
        return Err(RailError::NotGenuine("signed too long ago, or in the future"));
    }
    Ok(())
}

fn tag(secret: &Secret, time: &str, body: &[u8]) -> [u8; 32] {
    let mut message = Vec::with_capacity(time.len() + 1 + body.len());
    message.extend_from_slice(time.as_bytes());
    message.push(b'.');
    message.extend_from_slice(body);
    secret.hmac(&message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\"\n}";
    const V1: &str = "4f1cd7feda9826e746b7d482c4badebb657398df1099e1046364f6196a230150";

    fn secret() -> Secret {
        Secret::new("whsec_test_secret").unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn check(header: &str, body: &[u8], seconds: i64) -> bool {
        verify(&[secret()], header, body, at(seconds)).is_ok()
    }

    #[test]
    fn the_published_vector_and_each_byte_of_it() {
        let header = format!("t=1700000000,v1={V1}");
        assert_eq!(sign(&secret(), BODY, at(1_700_000_000)), header);
        assert!(check(&header, BODY, 1_700_000_000));
        assert!(check(
            &header.replace(V1, &V1.to_uppercase()),
            BODY,
            1_700_000_000
        ));
        for place in 0..BODY.len() {
            let mut body = BODY.to_vec();
            body[place] ^= 1;
            assert!(!check(&header, &body, 1_700_000_000), "body {place}");
        }
        for place in 0..header.len() {
            let mut changed = header.clone().into_bytes();
            changed[place] = if changed[place] == b'3' { b'4' } else { b'3' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(!check(&changed, BODY, 1_700_000_000), "{changed}");
        }
        for cut in 0..header.len() {
            assert!(!check(&header[..cut], BODY, 1_700_000_000), "{cut}");
        }
    }

    #[test]
    fn five_minutes_either_way() {
        let header = format!("t=1700000000,v1={V1}");
        assert!(check(&header, BODY, 1_700_000_300));
        assert!(check(&header, BODY, 1_699_999_700));
        assert!(!check(&header, BODY, 1_700_000_301));
        assert!(!check(&header, BODY, 1_699_999_699));
    }

    #[test]
    fn secrets_are_replaced_without_a_gap() {
        let (old, new) = (secret(), Secret::new("next").unwrap());
        let now = at(1_700_000_000);
        let both = format!("{},{}", sign(&old, BODY, now), &sign(&new, BODY, now)[13..]);
        assert!(both.matches("v1=").count() == 2, "{both}");
        for secrets in [
            vec![old.clone()],
            vec![new.clone()],
            vec![old.clone(), new.clone()],
        ] {
            assert!(verify(&secrets, &both, BODY, now).is_ok());
        }
        assert!(verify(std::slice::from_ref(&new), &sign(&old, BODY, now), BODY, now).is_err());
        assert!(verify(&[], &both, BODY, now).is_err());
    }

    #[test]
    fn what_is_not_a_signature() {
        for header in [
            "",
            "t=1700000000",
            &format!("v1={V1}"),
            &format!("t=1700000000,v0={V1}"),
            &format!("t=1700000000,t=1700000000,v1={V1}"),
            &format!("t=+1700000000,v1={V1}"),
            &format!("t=01700000000,v1={V1}"),
            &format!("t=1700000000,v1={}", &V1[..62]),
        ] {
            assert!(!check(header, BODY, 1_700_000_000), "{header}");
        }
        assert!(check(
            &format!("t=1700000000,v0=zz,v1={V1},x"),
            BODY,
            1_700_000_000
        ));
    }
}
