//! The sandbox's cryptography: RSA key pairs made on the spot, and the cipher of the checkout from its other side.

use aws_lc_rs::cipher::{AES_128, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A key pair in PEM, thrown away with the sandbox.
pub struct Pair {
    /// PKCS#8.
    pub private_pem: String,
    /// SubjectPublicKeyInfo.
    pub public_pem: String,
    pair: KeyPair,
}

impl Pair {
    /// A new RSA key of 2048 bits. `None` when none can be made.
    pub fn generate() -> Option<Pair> {
        let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).ok()?;
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).ok()?;
        Some(Pair {
            private_pem: pem("PRIVATE KEY", private.as_ref()),
            public_pem: pem("PUBLIC KEY", public.as_ref()),
            pair,
        })
    }
}

/// The merchant's pair and the sandbox's own.
pub struct Keys {
    /// The merchant's; the sandbox uses its public half.
    pub merchant: Pair,
    /// The sandbox's.
    pub easypaisa: Pair,
}

impl Keys {
    /// Two new pairs. `None` when none can be made.
    pub fn generate() -> Option<Keys> {
        Some(Keys {
            merchant: Pair::generate()?,
            easypaisa: Pair::generate()?,
        })
    }

    pub(super) fn sign(&self, message: &[u8]) -> String {
        let pair = &self.easypaisa.pair;
        let mut signature = vec![0; pair.public_modulus_len()];
        match pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature) {
            Ok(()) => BASE64_STANDARD.encode(signature),
            Err(_) => String::new(),
        }
    }

    pub(super) fn is_merchants(&self, message: &[u8], signature: &str) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.merchant.pair.public_key());
        BASE64_STANDARD
            .decode(signature)
            .is_ok_and(|signature| key.verify(message, &signature).is_ok())
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|from| &text[from..text.len().min(from + 64)])
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// What is inside `merchantHashedReq`. `None` when it is not ciphered with this key.
pub(super) fn deciphered(key: &str, text: &str) -> Option<String> {
    let key = UnboundCipherKey::new(&AES_128, key.as_bytes()).ok()?;
    let mut bytes = BASE64_STANDARD.decode(text).ok()?;
    let key = PaddedBlockDecryptingKey::ecb_pkcs7(key).ok()?;
    let plain = key.decrypt(&mut bytes, DecryptionContext::None).ok()?;
    String::from_utf8(plain.to_vec()).ok()
}
