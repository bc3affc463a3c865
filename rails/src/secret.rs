//! Secrets that never reach a log, and comparisons that take the same time whatever differs.

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Longest file with a secret.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A key, password or salt from the configuration: the text itself, `{ env = "NAME" }` or `{ file = "path" }`, whose last line
/// break does not count. `Debug` hides it; nothing serializes it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Source")]
pub struct Secret(String);

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a secret is a text, { env = \"NAME\" } or { file = \"path\" }"
)]
enum Source {
    Text(String),
    Elsewhere(Elsewhere),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Elsewhere {
    Env(String),
    File(String),
}

impl Secret {
    /// A secret; `None` when it is empty, because an empty key is no key.
    pub fn new(text: &str) -> Option<Secret> {
        (!text.is_empty()).then(|| Secret(text.to_owned()))
    }

    /// The secret itself, for the place that signs or sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True when it is exactly `other`, in constant time for equal lengths.
    pub fn is(&self, other: &[u8]) -> bool {
        same(self.0.as_bytes(), other)
    }

    /// HMAC-SHA256 with this key.
    pub fn hmac(&self, message: &[u8]) -> [u8; 32] {
        hmac_sha256(self.0.as_bytes(), message)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl TryFrom<Source> for Secret {
    type Error = String;
    /// Errors name the place and never what is in it.
    fn try_from(source: Source) -> Result<Secret, String> {
        let text = match source {
            Source::Text(text) => text,
            Source::Elsewhere(Elsewhere::Env(name)) => {
                std::env::var(&name).map_err(|_| format!("the environment has no text called {name}"))?
            }
            Source::Elsewhere(Elsewhere::File(path)) => {
                let size = std::fs::metadata(&path).map_or(0, |file| file.len());
                let text = (size <= FILE_BYTES_MAX).then(|| std::fs::read_to_string(&path).ok());
                let text = text
                    .flatten()
                    .ok_or_else(|| format!("the secret file {path} cannot be read"))?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
        };
        Secret::new(&text).ok_or_else(|| "a secret must not be empty".to_owned())
    }
}

/// HMAC-SHA256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    // A key of any length is taken; an all-zero tag can only come from a change in that promise, and equals no signature.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Constant-time comparison of values of equal length.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Reads hexadecimal in either case; `None` for anything else.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes
        .chunks(2)
        .map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let secret = Secret::new("hush").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(hidden)");
        assert!(secret.is(b"hush"));
        assert!(!secret.is(b"husk"));
        assert!(!secret.is(b"hush "));
        assert!(serde_json::from_str::<Secret>("\"\"").is_err());
    }

    #[test]
    fn secrets_come_from_files_and_the_environment() {
        let path = std::env::temp_dir().join(format!("rails-secret-{}", std::process::id()));
        std::fs::write(&path, "hush\n").unwrap();
        let read = |json: serde_json::Value| serde_json::from_value::<Secret>(json);
        assert!(read(serde_json::json!({ "file": path })).unwrap().is(b"hush"));
        std::fs::write(&path, "\n").unwrap();
        assert!(read(serde_json::json!({ "file": path })).is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(read(serde_json::json!({ "file": path })).is_err());
        // Cargo sets this one for every test.
        let name = env!("CARGO_PKG_NAME");
        assert!(
            read(serde_json::json!({ "env": "CARGO_PKG_NAME" }))
                .unwrap()
                .is(name.as_bytes())
        );
        assert!(read(serde_json::json!({ "env": "NO_SUCH_NAME_IN_ANY_PLACE" })).is_err());
        // A secret of the wrong kind is not repeated in the complaint.
        for wrong in [
            serde_json::json!(4321),
            serde_json::json!({ "text": "4321" }),
            serde_json::json!(["4321"]),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(!error.contains("4321"), "{error}");
        }
    }

    #[test]
    fn hmac_vector() {
        // RFC 4231, test case 2.
        assert_eq!(
            hex(&hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn hexadecimal_both_ways() {
        assert_eq!(unhex("00fFa1"), Some(vec![0, 255, 161]));
        assert_eq!(hex(&[0, 255, 161]), "00ffa1");
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("0g"), None);
    }
}
