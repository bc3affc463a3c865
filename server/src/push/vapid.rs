//! The key by which push services know this installation (RFC 8292): made at the first start, kept in a file of its own.

use anyhow::Context as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::Timestamp;
use charge::time::HOUR;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};

const FILE: &str = "push-key.json";
/// Largest key file that is read, bytes.
const FILE_BYTES_MAX: u64 = 4_096;
/// A signature is good for this long; RFC 8292 section 2 allows a day.
const SIGNED_LIFE: i64 = 12 * HOUR;

/// The key.
pub struct VapidKey {
    pair: EcdsaKeyPair,
    pkcs8: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: String,
    pkcs8: String,
}

const FORMAT: &str = "raseed-push-key-1";

/// Where the key file of a data directory is, unless the configuration names another.
pub fn path(data: &Path, configured: Option<&PathBuf>) -> PathBuf {
    configured.cloned().unwrap_or_else(|| data.join(FILE))
}

/// The key in a file; makes the file with a new key when there is none. A damaged file is never replaced: every browser that
/// subscribed did so for this key.
///
/// # Errors
/// When the file cannot be read, written, or understood.
pub fn open_or_create(path: &Path) -> anyhow::Result<VapidKey> {
    match std::fs::metadata(path) {
        Ok(found) => {
            anyhow::ensure!(
                found.len() <= FILE_BYTES_MAX,
                "the key file {} is damaged",
                path.display()
            );
            let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
            VapidKey::from_json(&text).with_context(|| format!("the key file {} is damaged", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = VapidKey::generate().context("make a key for push messages")?;
            crate::key_file::write(path, key.to_json().as_bytes())?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

impl VapidKey {
    fn generate() -> anyhow::Result<VapidKey> {
        let failed = |_| anyhow::anyhow!("the key was not made");
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        VapidKey::of(made.map_err(failed)?.as_ref().to_vec())
    }

    fn of(pkcs8: Vec<u8>) -> anyhow::Result<VapidKey> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .map_err(|_| anyhow::anyhow!("it is no key"))?;
        Ok(VapidKey { pair, pkcs8 })
    }

    fn from_json(text: &str) -> anyhow::Result<VapidKey> {
        let stored: Stored = serde_json::from_str(text)?;
        anyhow::ensure!(stored.format == FORMAT, "it has the format {}", stored.format);
        VapidKey::of(URL_SAFE_NO_PAD.decode(stored.pkcs8)?)
    }

    fn to_json(&self) -> String {
        let stored = Stored {
            format: FORMAT.to_owned(),
            pkcs8: URL_SAFE_NO_PAD.encode(&self.pkcs8),
        };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// The public key as browsers take it: `applicationServerKey`, the uncompressed point in base64url.
    pub fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref())
    }

    /// The value of `Authorization` for a push service, by its origin (RFC 8292 section 3). `None` when the key does not sign,
    /// which it does.
    pub fn authorization(&self, audience: &str, contact: Option<&str>, now: Timestamp) -> Option<String> {
        let mut claims = json!({"aud": audience, "exp": now.plus(SIGNED_LIFE).seconds()});
        if let Some(contact) = contact {
            claims["sub"] = contact.into();
        }
        let head = URL_SAFE_NO_PAD.encode(br#"{"typ":"JWT","alg":"ES256"}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        let signature = URL_SAFE_NO_PAD.encode(signature.as_ref());
        Some(format!("vapid t={signed}.{signature}, k={}", self.public()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    #[test]
    fn the_key_is_made_once_and_signs_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path(), None);
        let key = open_or_create(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(open_or_create(&path).unwrap().public(), key.public());
        let now = Timestamp(1_795_262_400_000_000);
        let header = key
            .authorization("https://push.example", Some("mailto:ops@raseed.example"), now)
            .unwrap();
        let (token, public) = header
            .strip_prefix("vapid t=")
            .unwrap()
            .split_once(", k=")
            .unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let public = URL_SAFE_NO_PAD.decode(public).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public)
            .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["aud"], "https://push.example");
        assert_eq!(claims["sub"], "mailto:ops@raseed.example");
        assert_eq!(claims["exp"], now.seconds() + 12 * 3_600);

        std::fs::write(&path, "{}").unwrap();
        assert!(open_or_create(&path).is_err(), "a damaged file is never replaced");
    }
}
