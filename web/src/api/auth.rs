//! API keys: `rsd_<partner>_<key id>_<secret>` (`rst_...` for the sandbox); only the SHA-256 of the secret is kept.

use crate::problem::{Fault, Problem};
use crate::rate::caller_of;
use crate::router::{PeerAddress, header_text};
use crate::state::Web;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::partner::{ApiKey, Partner, Scopes};
use charge::{Code, OperatorId, PartnerId, Refusal, Timestamp};
use sha2::{Digest, Sha256};

/// How keys begin.
const LIVE: &str = "rsd_";
/// How keys of the sandbox begin.
const TEST: &str = "rst_";
/// Bytes of a secret.
const SECRET_BYTES: usize = 32;
/// Characters of a key id.
const KEY_ID_CHARACTERS: usize = 10;

/// Who calls: an active partner with a valid key.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The partner.
    pub partner: Box<Partner>,
    /// What the key may do.
    pub scopes: Scopes,
    /// The key's public part.
    pub key: Code,
    /// The key is one of the sandbox: nothing real moves.
    pub test: bool,
}

impl Caller {
    /// # Errors
    /// [`Fault::ScopeMissing`] when the key may not do this.
    pub fn require(&self, scopes: Scopes) -> Result<(), Problem> {
        let rehearsable = !self.test || scopes == Scopes::TOP_UP;
        if self.scopes.allows(scopes) && rehearsable {
            return Ok(());
        }
        if !rehearsable {
            return Err(Problem::from(Fault::ScopeMissing).hint("a test key sells rehearsed top-ups only"));
        }
        let names = Scopes::NAMES.iter().filter(|(_, scope)| scopes.allows(*scope));
        let names: Vec<&str> = names.map(|(name, _)| *name).collect();
        Err(Problem::from(Fault::ScopeMissing).hint(format!("this needs the scope: {}", names.join(", "))))
    }
}

impl Caller {
    /// A partner of some operators has no business with the others.
    ///
    /// # Errors
    /// [`Refusal::OperatorNotAllowed`].
    pub fn may_see(&self, operator: OperatorId) -> Result<(), Problem> {
        let operators = &self.partner.operators;
        if operators.is_empty() || operators.contains(&operator) {
            Ok(())
        } else {
            Err(Refusal::OperatorNotAllowed.into())
        }
    }
}

impl FromRequestParts<Web> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Caller, Problem> {
        let token = header_text(&parts.headers, &header::AUTHORIZATION)
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, token)| Presented::parse(token.trim()));
        let address = parts.extensions.get::<PeerAddress>().copied();
        let refused = || {
            let wait = address.and_then(|peer| web.bad_key_rate.check(caller_of(peer.0)).err());
            wait.map_or_else(|| Problem::from(Fault::Unauthorized), Problem::rate_limited)
        };
        let presented = token.ok_or_else(refused)?;
        let partner = web.partner(presented.partner).await?.ok_or_else(refused)?;
        let scopes = presented.matches(&partner).ok_or_else(refused)?;
        if !partner.active {
            return Err(Refusal::PartnerNotActive.into());
        }
        web.key_rate
            .check((presented.partner, presented.key))
            .map_err(Problem::rate_limited)?;
        let test = scopes.allows(Scopes::TEST);
        Ok(Caller {
            partner,
            scopes,
            key: presented.key,
            test,
        })
    }
}

/// A key as a caller shows it.
struct Presented {
    partner: PartnerId,
    key: Code,
    hash: [u8; 32],
    test: bool,
}

impl Presented {
    fn parse(token: &str) -> Option<Presented> {
        let (rest, test) = match token.strip_prefix(LIVE) {
            Some(rest) => (rest, false),
            None => (token.strip_prefix(TEST)?, true),
        };
        let mut parts = rest.splitn(3, '_');
        let partner = parts.next()?.parse().ok()?;
        let key = parts.next().filter(|id| id.len() == KEY_ID_CHARACTERS)?;
        let secret = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        let secret: [u8; SECRET_BYTES] = secret.try_into().ok()?;
        Some(Presented {
            partner: PartnerId(partner),
            key: Code::new(key)?,
            hash: Sha256::digest(secret).into(),
            test,
        })
    }

    /// The scopes of the key, when it is one of the partner's and still good.
    fn matches(&self, partner: &Partner) -> Option<Scopes> {
        let key = partner.keys.iter().find(|key| key.id == self.key)?;
        let good = same_bytes(&key.hash, &self.hash)
            && key.revoked_at.is_none()
            && key.scopes.allows(Scopes::TEST) == self.test;
        good.then_some(key.scopes)
    }
}

/// A new key: what the partner keeps secret, and what is stored of it.
pub fn new_key(partner: PartnerId, scopes: Scopes, now: Timestamp) -> (String, ApiKey) {
    let secret: [u8; SECRET_BYTES] = rand::random();
    let alphabet = b"abcdefghijkmnpqrstuvwxyz23456789";
    let id: String = rand::random::<[u8; KEY_ID_CHARACTERS]>()
        .iter()
        .map(|byte| char::from(alphabet[usize::from(byte % 32)]))
        .collect();
    let key = ApiKey {
        id: Code::new(&id).unwrap_or_default(),
        hash: Sha256::digest(secret).into(),
        scopes,
        created_at: now,
        revoked_at: None,
    };
    let prefix = if scopes.allows(Scopes::TEST) { TEST } else { LIVE };
    let token = format!("{prefix}{}_{id}_{}", partner.0, URL_SAFE_NO_PAD.encode(secret));
    (token, key)
}

/// Compares in a time that does not depend on where the difference is.
pub fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0_u8, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::command::OpenPartner;

    #[test]
    fn keys_open_what_they_are_for() {
        let (token, key) = new_key(PartnerId(7), Scopes::TOP_UP, Timestamp(1));
        assert_eq!(token.len(), "rsd_7_".len() + 10 + 1 + 43);
        let _ = OpenPartner::named(PartnerId(7), "shop", Code::EMPTY);
        let presented = Presented::parse(&token).unwrap();
        assert_eq!((presented.partner, presented.key), (PartnerId(7), key.id));
        assert!(same_bytes(&presented.hash, &key.hash));
        for bad in [
            "",
            "rsd_",
            "rsd_7",
            "rsd_7_abc_def",
            &token[..token.len() - 1],
            &token[4..],
        ] {
            assert!(Presented::parse(bad).is_none(), "{bad}");
        }
        assert!(!same_bytes(b"abc", b"abd") && !same_bytes(b"abc", b"ab"));
    }
}
