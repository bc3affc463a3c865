//! RSA signatures of REST v5 and the ciphered request of the hosted checkout (reference payments 2.2 b, c).
//!
//! AES in ECB mode shows patterns and protects nothing against change; it is here because Easypaisa wants it, and nowhere else.

use crate::secret::Secret;
use aws_lc_rs::cipher::{AES_128, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Our key pair and the key of Easypaisa.
pub struct Keys {
    ours: KeyPair,
    theirs: UnparsedPublicKey<Vec<u8>>,
}

impl Keys {
    /// Reads `BEGIN PRIVATE KEY` (PKCS#8) and `BEGIN PUBLIC KEY`. `None` when one is neither.
    pub fn new(private: &Secret, public: &str) -> Option<Keys> {
        let private = der(private.expose(), "PRIVATE KEY")?;
        let public = der(public, "PUBLIC KEY")?;
        Some(Keys {
            ours: KeyPair::from_pkcs8(&private).ok()?,
            theirs: UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public),
        })
    }

    /// The signature of the bytes, PKCS#1 v1.5 with SHA-256, in base 64. `None` when the key cannot sign.
    pub fn sign(&self, message: &[u8]) -> Option<String> {
        let mut signature = vec![0; self.ours.public_modulus_len()];
        // PKCS#1 v1.5 uses no randomness; the interface asks for a source all the same.
        self.ours
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .ok()?;
        Some(BASE64_STANDARD.encode(signature))
    }

    /// True when Easypaisa signed exactly these bytes.
    pub fn is_genuine(&self, message: &[u8], signature: &str) -> bool {
        BASE64_STANDARD
            .decode(signature)
            .is_ok_and(|signature| self.theirs.verify(message, &signature).is_ok())
    }
}

/// The bytes inside PEM armour of this label.
fn der(pem: &str, label: &str) -> Option<Vec<u8>> {
    let inside = pem.trim().strip_prefix(&format!("-----BEGIN {label}-----"))?;
    let inside = inside.strip_suffix(&format!("-----END {label}-----"))?;
    let text: String = inside.split_whitespace().collect();
    BASE64_STANDARD.decode(text).ok()
}

/// `name=value` of the non-empty fields in byte order of their names, joined by `&`.
pub fn plain(fields: &[(&str, &str)]) -> String {
    let mut fields: Vec<(&str, &str)> = fields
        .iter()
        .copied()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    fields.sort_unstable();
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// AES-128-ECB with PKCS#7 padding under the 16 letters of the hash key, in base 64. `None` for a key of another length.
pub fn ciphered(key: &Secret, plain: &str) -> Option<String> {
    let key = UnboundCipherKey::new(&AES_128, key.expose().as_bytes()).ok()?;
    let mut text = plain.as_bytes().to_vec();
    PaddedBlockEncryptingKey::ecb_pkcs7(key)
        .and_then(|key| key.encrypt(&mut text))
        .ok()?;
    Some(BASE64_STANDARD.encode(text))
}
