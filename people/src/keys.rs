//! One key from outside; from it keyed hashes with a label each, and sealed secrets.

use crate::db::PeopleError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hmac};

/// The key of the file. It comes from the configuration, not from the file: who steals the file can neither guess
/// codes nor read secrets.
#[derive(Clone)]
pub struct Keys([u8; 32]);

/// Bytes of a keyed hash.
pub type Digest = [u8; 32];

impl Keys {
    /// From 256 secret bits.
    pub fn new(secret: [u8; 32]) -> Keys {
        Keys(secret)
    }

    /// HMAC-SHA-256 over labelled parts; each part is preceded by its length, so that no two lists look alike.
    pub fn digest(&self, label: &str, parts: &[&[u8]]) -> Digest {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        for part in std::iter::once(label.as_bytes()).chain(parts.iter().copied()) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }

    /// Seals bytes with AES-256-GCM for one owner: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// [`PeopleError::Sealed`] when the cipher refuses, which it does not.
    pub fn seal(&self, owner: &[u8], secret: &[u8]) -> Result<Vec<u8>, PeopleError> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut text = secret.to_vec();
        self.cipher()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner), &mut text)
            .map_err(|_| PeopleError::Sealed)?;
        Ok([&nonce[..], &text].concat())
    }

    /// Opens what [`Keys::seal`] made for the same owner.
    ///
    /// # Errors
    /// [`PeopleError::Sealed`] when it was made with another key, for another owner, or was changed.
    pub fn open(&self, owner: &[u8], sealed: &[u8]) -> Result<Vec<u8>, PeopleError> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(PeopleError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| PeopleError::Sealed)?;
        let mut text = text.to_vec();
        let opened = self
            .cipher()?
            .open_in_place(nonce, Aad::from(owner), &mut text)
            .map_err(|_| PeopleError::Sealed)?;
        Ok(opened.to_vec())
    }

    fn cipher(&self) -> Result<LessSafeKey, PeopleError> {
        let key = self.digest("seal", &[]);
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| PeopleError::Sealed)?;
        Ok(LessSafeKey::new(key))
    }
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_for_its_owner_and_key_only() {
        let (keys, other) = (Keys::new([1; 32]), Keys::new([2; 32]));
        let sealed = keys.seal(b"a", b"secret").unwrap();
        assert_eq!(keys.open(b"a", &sealed).unwrap(), b"secret");
        assert!(keys.open(b"b", &sealed).is_err());
        assert!(other.open(b"a", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(keys.open(b"a", &changed).is_err(), "byte {index}");
        }
        assert!(keys.open(b"a", &sealed[..5]).is_err());
    }

    #[test]
    fn lists_of_parts_do_not_look_alike() {
        let keys = Keys::new([1; 32]);
        assert_ne!(keys.digest("x", &[b"ab", b"c"]), keys.digest("x", &[b"a", b"bc"]));
        assert_ne!(keys.digest("x", &[b"a"]), keys.digest("y", &[b"a"]));
    }
}
