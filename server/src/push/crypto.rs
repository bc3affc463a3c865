//! Message encryption for web push: RFC 8291 over RFC 8188 (`aes128gcm`), one record.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use people::addresses::Subscription;

/// Largest message that every push service takes (RFC 8291 section 4 with RFC 8030 section 7.2), bytes.
const MESSAGE_BYTES_MAX: usize = 4_096;
/// Bytes of the header before the sealed record: salt, record size, key length, key.
const HEADER_BYTES: usize = 16 + 4 + 1 + 65;
/// The tag and the delimiter of the last record.
const TRAILER_BYTES: usize = 16 + 1;
/// Largest payload.
pub const PAYLOAD_BYTES_MAX: usize = MESSAGE_BYTES_MAX - HEADER_BYTES - TRAILER_BYTES;

/// Why a payload cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The payload does not fit.
    #[error("a payload longer than {PAYLOAD_BYTES_MAX} bytes")]
    TooLong,
    /// The browser's key is no point of P-256.
    #[error("the key of the browser is none")]
    BadKey,
    /// A cipher refuses, which it does not.
    #[error("the cipher refuses")]
    Cipher,
}

/// Seals a payload for a browser, with a new key and salt.
///
/// # Errors
/// [`SealError`].
pub fn seal(payload: &[u8], to: &Subscription) -> Result<Vec<u8>, SealError> {
    let ours = PrivateKey::generate(&ECDH_P256).map_err(|_| SealError::Cipher)?;
    seal_with(payload, to, &ours, rand::random())
}

fn seal_with(
    payload: &[u8],
    to: &Subscription,
    ours: &PrivateKey,
    salt: [u8; 16],
) -> Result<Vec<u8>, SealError> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(SealError::TooLong);
    }
    let public = ours.compute_public_key().map_err(|_| SealError::Cipher)?;
    let theirs = UnparsedPublicKey::new(&ECDH_P256, &to.key[..]);
    // RFC 8291 section 3.3: the secret of both keys, bound to both keys and the browser's secret.
    let info = [b"WebPush: info\0", &to.key[..], public.as_ref()].concat();
    let input: [u8; 32] = agree(ours, theirs, SealError::BadKey, |shared| {
        expand(&to.auth, shared, &info).ok_or(SealError::Cipher)
    })?;
    let key: [u8; 16] = expand(&salt, &input, b"Content-Encoding: aes128gcm\0").ok_or(SealError::Cipher)?;
    let nonce: [u8; NONCE_LEN] =
        expand(&salt, &input, b"Content-Encoding: nonce\0").ok_or(SealError::Cipher)?;
    let cipher = UnboundKey::new(&AES_128_GCM, &key).map_err(|_| SealError::Cipher)?;
    // The only record is the last one: delimiter 2 (RFC 8188 section 2).
    let mut record = [payload, &[2]].concat();
    LessSafeKey::new(cipher)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut record)
        .map_err(|_| SealError::Cipher)?;
    let mut message = Vec::with_capacity(HEADER_BYTES + record.len());
    message.extend_from_slice(&salt);
    message.extend_from_slice(&4_096_u32.to_be_bytes());
    message.push(65);
    message.extend_from_slice(public.as_ref());
    message.extend_from_slice(&record);
    Ok(message)
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA-256 (RFC 5869).
fn expand<const N: usize>(salt: &[u8], input: &[u8], info: &[u8]) -> Option<[u8; N]> {
    let mut output = [0; N];
    let key = Salt::new(HKDF_SHA256, salt).extract(input);
    key.expand(&[info], Length(N)).ok()?.fill(&mut output).ok()?;
    Some(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    /// RFC 8291, section 5 and appendix A.
    fn example() -> (Subscription, PrivateKey, [u8; 16]) {
        let to = Subscription {
            endpoint: "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV".into(),
            key: bytes(
                "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            ),
            auth: bytes("BTBZMqHH6r4Tts7J_aSIgg"),
        };
        let ours = bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
        let ours = PrivateKey::from_private_key(&ECDH_P256, &ours).unwrap();
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        (to, ours, salt)
    }

    #[test]
    fn the_example_of_rfc_8291() {
        let (to, ours, salt) = example();
        let sealed = seal_with(b"When I grow up, I want to be a watermelon", &to, &ours, salt).unwrap();
        let wanted = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz\
                      AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(URL_SAFE_NO_PAD.encode(&sealed), wanted);
    }

    #[test]
    fn every_message_has_its_own_key_and_fits() {
        let (to, ..) = example();
        let (one, two) = (seal(b"x", &to).unwrap(), seal(b"x", &to).unwrap());
        assert_ne!(one[..16], two[..16]);
        assert_ne!(one[21..86], two[21..86]);
        let longest = vec![b'x'; PAYLOAD_BYTES_MAX];
        assert_eq!(seal(&longest, &to).unwrap().len(), MESSAGE_BYTES_MAX);
        assert_eq!(
            seal(&vec![b'x'; PAYLOAD_BYTES_MAX + 1], &to),
            Err(SealError::TooLong)
        );
        let mut off_the_curve = to;
        off_the_curve.key[40] ^= 1;
        assert_eq!(seal(b"x", &off_the_curve), Err(SealError::BadKey));
    }
}
