//! PINs of people who work at outlets: short, so that only the count of tries and the key outside of the file protect them.
//! The hashes are kept by whoever asks; here they are made and compared.
//!
//! A sale waits for its PIN, and a busy evening has hundreds in a second. What makes passwords dear to guess (19 MiB and tens of
//! milliseconds each) would take every core for that and protect nothing: of four digits there are 10,000, tried in minutes by
//! whoever has the key as well. So the key is the lock, and the hash is cheap.

use crate::db::{People, PeopleError, Result};
use crate::limits;
use crate::password::hasher_of;
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// Memory of one hash, KiB, and passes over it.
const MEMORY_KIB: u32 = 64;
const PASSES: u32 = 1;

/// Whether a new PIN will do: digits only, neither one digit all over nor a run up or down.
pub fn is_good_pin(pin: &str) -> bool {
    let digits = pin.as_bytes();
    let in_range = (limits::PIN_DIGITS_MIN..=limits::PIN_DIGITS_MAX).contains(&digits.len());
    let steps = |step: i16| {
        digits
            .windows(2)
            .all(|pair| i16::from(pair[1]) - i16::from(pair[0]) == step)
    };
    in_range && digits.iter().all(u8::is_ascii_digit) && ![-1, 0, 1].into_iter().any(steps)
}

impl People {
    /// The hash of a PIN, in the PHC string format; only good for this owner.
    ///
    /// # Errors
    /// [`PeopleError::Hash`].
    pub fn hash_pin(&self, owner: &[u8], pin: &str) -> Result<String> {
        let key = self.keys().digest("pin", &[owner]);
        let hash = hasher(&key)?
            .hash_password(pin.as_bytes())
            .map_err(|_| PeopleError::Hash)?;
        Ok(hash.to_string())
    }

    /// Whether it is the PIN of a hash. One that was made when PINs were hashed like passwords takes as long as it took then.
    pub fn verify_pin(&self, owner: &[u8], pin: &str, hash: &str) -> bool {
        let key = self.keys().digest("pin", &[owner]);
        let fits = pin.len() <= limits::PIN_DIGITS_MAX;
        fits && hasher(&key).is_ok_and(|hasher| hasher.verify_password(pin.as_bytes(), hash).is_ok())
    }
}

fn hasher(key: &[u8]) -> Result<Argon2<'_>> {
    hasher_of(key, MEMORY_KIB, PASSES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::people;

    #[test]
    fn pins_that_are_guessed_first_will_not_do() {
        for bad in ["", "123", "1234", "987654", "0000", "12a4", "۱۲۳۷", "123456789"] {
            assert!(!is_good_pin(bad), "{bad}");
        }
        for good in ["2580", "1235", "90210", "13579086"] {
            assert!(is_good_pin(good), "{good}");
        }
    }

    #[test]
    fn a_hash_is_good_for_its_owner_only() {
        let people = people();
        let hash = people.hash_pin(b"7/ali", "2580").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(people.verify_pin(b"7/ali", "2580", &hash));
        assert!(!people.verify_pin(b"7/ali", "2581", &hash));
        assert!(!people.verify_pin(b"8/ali", "2580", &hash));
    }

    #[test]
    fn a_hash_of_the_dear_kind_is_still_good() {
        let people = people();
        let key = people.keys().digest("pin", &[b"7/ali"]);
        let dear = crate::password::hasher(&key).unwrap();
        let dear = dear.hash_password(b"2580").unwrap().to_string();
        assert!(dear.contains("m=19456"), "{dear}");
        assert!(people.verify_pin(b"7/ali", "2580", &dear));
        assert!(!people.verify_pin(b"7/ali", "2581", &dear));
        assert!(!people.hash_pin(b"7/ali", "2580").unwrap().contains("m=19456"));
    }
}
