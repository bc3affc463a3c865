//! Keys of receipts: Ed25519 (RFC 8032), one that signs, older ones that still verify, withdrawn ones that do not.
//!
//! The signer is aws-lc-rs, which TLS brings along already: no second library of cryptography in the tree.

use crate::api::json::Moment;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Letters and digits that are not taken for one another.
pub(super) const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Most keys of a file.
const KEYS_MAX: usize = 64;

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Not the JSON of a key file.
    #[error("it cannot be read")]
    Json(#[from] serde_json::Error),
    /// A key is not one, or its name is not its own.
    #[error("key {0} is damaged")]
    Damaged(String),
    /// None signs, or too many keys.
    #[error("it needs one key that signs, and at most {KEYS_MAX} keys")]
    Count,
}

/// The key that signs.
pub struct Signer {
    id: String,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl Signer {
    /// Its name in signed texts.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Signs.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(message);
        let mut bytes = [0; 64];
        bytes.copy_from_slice(signature.as_ref());
        bytes
    }

    fn of_seed(seed: [u8; 32]) -> Signer {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("every 32 bytes are an Ed25519 seed");
        Signer {
            id: id_of(public_of(&pair)),
            seed,
            pair,
        }
    }
}

/// Never shows the seed.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// All keys of an installation: what the key file holds.
#[derive(Debug)]
pub struct KeyRing {
    signer: Signer,
    keys: Vec<PublicKey>,
}

impl KeyRing {
    /// With a first key. The seed is 32 random bytes and stays secret.
    pub fn of_seed(seed: [u8; 32], now: Timestamp) -> KeyRing {
        let signer = Signer::of_seed(seed);
        let key = PublicKey::new(&signer, now);
        KeyRing {
            signer,
            keys: vec![key],
        }
    }

    /// Signs with a new key from now on. Older ones still verify.
    pub fn rotate(&mut self, seed: [u8; 32], now: Timestamp) {
        let id = self.signer.id.clone();
        for key in self.keys.iter_mut().filter(|key| key.id == id) {
            key.until.get_or_insert(now);
        }
        self.signer = Signer::of_seed(seed);
        self.keys.push(PublicKey::new(&self.signer, now));
    }

    /// Withdraws an older key: what it signed proves nothing any more. False when there is none of this name, or when it
    /// is the one that signs.
    pub fn revoke(&mut self, id: &str, now: Timestamp) -> bool {
        let signs = self.signer.id == id;
        let key = self.keys.iter_mut().find(|key| key.id == id).filter(|_| !signs);
        key.is_some_and(|key| {
            key.revoked_at.get_or_insert(now);
            true
        })
    }

    /// The key that signs.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// What may be published.
    pub fn public(&self) -> PublicKeys {
        PublicKeys {
            keys: self.keys.clone(),
        }
    }

    /// The key file's text. It is a secret.
    pub fn to_json(&self) -> String {
        let file = KeyFile {
            signs: self.signer.id.clone(),
            seed: URL_SAFE_NO_PAD.encode(self.signer.seed),
            keys: self.keys.iter().map(Jwk::of).collect(),
        };
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads what [`KeyRing::to_json`] wrote.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn from_json(text: &str) -> Result<KeyRing, KeyFileError> {
        let file: KeyFile = serde_json::from_str(text)?;
        let damaged = || KeyFileError::Damaged(file.signs.clone());
        let seed = URL_SAFE_NO_PAD.decode(&file.seed).ok();
        let seed: [u8; 32] = seed.and_then(|seed| seed.try_into().ok()).ok_or_else(damaged)?;
        let signer = Signer::of_seed(seed);
        let PublicKeys { keys } = PublicKeys::of_jwks(&file.keys)?;
        let own = keys
            .iter()
            .find(|key| key.id == signer.id && key.revoked_at.is_none());
        if signer.id != file.signs || own.is_none() {
            return Err(damaged());
        }
        Ok(KeyRing { signer, keys })
    }
}

/// A key that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its name in signed texts: made from the key itself.
    pub id: String,
    /// The 32 bytes of RFC 8032.
    pub bytes: [u8; 32],
    /// It signed from then on.
    pub from: Timestamp,
    /// It signed until then; `None`: it still does.
    pub until: Option<Timestamp>,
    /// Withdrawn: what it signed proves nothing.
    pub revoked_at: Option<Timestamp>,
}

impl PublicKey {
    fn new(signer: &Signer, now: Timestamp) -> PublicKey {
        PublicKey {
            id: signer.id.clone(),
            bytes: public_of(&signer.pair),
            from: now,
            until: None,
            revoked_at: None,
        }
    }

    /// Whether the signature is this key's over this message.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.bytes)
            .verify(message, signature)
            .is_ok()
    }
}

/// Keys that verify: what is published, and what the command line reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicKeys {
    /// Oldest first.
    pub keys: Vec<PublicKey>,
}

impl PublicKeys {
    /// By name.
    pub fn find(&self, id: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The published document: a JSON Web Key Set (RFC 7517, keys as in RFC 8037).
    pub fn to_json(&self) -> String {
        let set = Jwks {
            keys: self.keys.iter().map(Jwk::of).collect(),
        };
        serde_json::to_string_pretty(&set).unwrap_or_default()
    }

    /// Reads what [`PublicKeys::to_json`] wrote.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn from_json(text: &str) -> Result<PublicKeys, KeyFileError> {
        let set: Jwks = serde_json::from_str(text)?;
        PublicKeys::of_jwks(&set.keys)
    }

    fn of_jwks(keys: &[Jwk]) -> Result<PublicKeys, KeyFileError> {
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(KeyFileError::Count);
        }
        let keys: Result<Vec<PublicKey>, KeyFileError> = keys.iter().map(Jwk::read).collect();
        Ok(PublicKeys { keys: keys? })
    }
}

#[derive(Serialize, Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

/// The secret file: the signing seed beside the public keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    signs: String,
    seed: String,
    keys: Vec<Jwk>,
}

#[derive(Serialize, Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    alg: String,
    r#use: String,
    kid: String,
    x: String,
    from: Moment,
    until: Option<Moment>,
    revoked_at: Option<Moment>,
}

impl Jwk {
    fn of(key: &PublicKey) -> Jwk {
        Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            alg: "EdDSA".to_owned(),
            r#use: "sig".to_owned(),
            kid: key.id.clone(),
            x: URL_SAFE_NO_PAD.encode(key.bytes),
            from: Moment(key.from),
            until: key.until.map(Moment),
            revoked_at: key.revoked_at.map(Moment),
        }
    }

    fn read(&self) -> Result<PublicKey, KeyFileError> {
        let damaged = || KeyFileError::Damaged(self.kid.chars().take(16).collect());
        let bytes = URL_SAFE_NO_PAD.decode(&self.x).ok();
        let bytes: [u8; 32] = bytes.and_then(|x| x.try_into().ok()).ok_or_else(damaged)?;
        if self.kty != "OKP" || self.crv != "Ed25519" || id_of(bytes) != self.kid {
            return Err(damaged());
        }
        Ok(PublicKey {
            id: self.kid.clone(),
            bytes,
            from: self.from.0,
            until: self.until.map(|moment| moment.0),
            revoked_at: self.revoked_at.map(|moment| moment.0),
        })
    }
}

fn public_of(pair: &Ed25519KeyPair) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(pair.public_key().as_ref());
    bytes
}

/// The name of a key: the first 40 bits of its SHA-256.
fn id_of(public: [u8; 32]) -> String {
    short(&Sha256::digest(public))
}

/// The first 40 bits in eight letters and digits.
pub(super) fn short(digest: &[u8]) -> String {
    let bits = digest
        .iter()
        .take(5)
        .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let letter = |index: u32| char::from(ALPHABET[(bits >> (35 - 5 * index) & 31) as usize]);
    (0..8).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 section 7.1, test 2.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let hex = |text: &str| -> Vec<u8> {
            let digits = text.as_bytes().chunks(2);
            digits
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect()
        };
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let ring = KeyRing::of_seed(seed.try_into().unwrap(), Timestamp(0));
        let public = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        assert_eq!(ring.public().keys[0].bytes.to_vec(), public);
        let signature = hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
        assert_eq!(ring.signer().sign(&[0x72]).to_vec(), signature);
    }

    #[test]
    fn files_come_back_as_they_were() {
        let mut ring = KeyRing::of_seed([1; 32], Timestamp::from_seconds(10));
        ring.rotate([2; 32], Timestamp::from_seconds(20));
        let back = KeyRing::from_json(&ring.to_json()).unwrap();
        assert_eq!(back.signer().id(), ring.signer().id());
        assert_eq!(back.public(), ring.public());
        let published = ring.public().to_json();
        assert_eq!(PublicKeys::from_json(&published).unwrap(), ring.public());
        assert!(!published.contains("seed"));
        let seed = URL_SAFE_NO_PAD.encode([2; 32]);
        assert!(ring.to_json().contains(&seed) && !format!("{ring:?}").contains(&seed));
        assert!(!published.contains(&seed));
    }

    #[test]
    fn damaged_files_are_refused() {
        let ring = KeyRing::of_seed([1; 32], Timestamp::from_seconds(10));
        let text = ring.to_json();
        let id = ring.signer().id();
        assert!(KeyRing::from_json(&text.replace(id, "aaaaaaaa")).is_err());
        let other = KeyRing::of_seed([3; 32], Timestamp(0));
        let seed = URL_SAFE_NO_PAD.encode([3; 32]);
        assert!(KeyRing::from_json(&text.replace(&URL_SAFE_NO_PAD.encode([1; 32]), &seed)).is_err());
        assert!(PublicKeys::from_json("{\"keys\":[]}").is_err());
        assert!(PublicKeys::from_json(&other.public().to_json().replace("Ed25519", "X25519")).is_err());
    }
}
