//! Passkeys: what a browser sends at registration and at sign-in, checked as Web Authentication Level 3 sections 7.1 and
//! 7.2 ask. Attestation "none": which make of device it is does not matter here. ES256 and EdDSA.
//!
//! Pure: what was asked and for whom are arguments.

pub mod cbor;

use crate::limits::CREDENTIAL_ID_BYTES_MAX;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Largest client data, in bytes: type, challenge, origin and little else.
const CLIENT_DATA_BYTES_MAX: usize = 4 * 1024;

/// Who asks: the site as browsers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// Its domain: "example.pk".
    pub id: String,
    /// Scheme, domain and port: "https://example.pk".
    pub origin: String,
}

impl RelyingParty {
    /// From an origin; none when it has no domain that passkeys can be for.
    pub fn of_origin(origin: &str) -> Option<RelyingParty> {
        let (scheme, host) = origin.split_once("://")?;
        let domain = host.rsplit_once(':').map_or(host, |(domain, _)| domain);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let is_name = domain.contains(|c: char| c.is_ascii_lowercase()) && domain.chars().all(plain);
        let secure = scheme == "https" || (scheme == "http" && domain == "localhost");
        (is_name && secure).then(|| RelyingParty {
            id: domain.to_owned(),
            origin: origin.to_owned(),
        })
    }
}

/// How a key signs: the number of the COSE registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256: -7.
    Es256,
    /// Ed25519: -8.
    EdDsa,
}

impl Algorithm {
    /// Its number.
    pub fn cose(self) -> i64 {
        match self {
            Algorithm::Es256 => -7,
            Algorithm::EdDsa => -8,
        }
    }

    /// By its number.
    pub fn of_cose(number: i64) -> Option<Algorithm> {
        [Algorithm::Es256, Algorithm::EdDsa]
            .into_iter()
            .find(|algorithm| algorithm.cose() == number)
    }
}

/// A public key: for ES256 the uncompressed point, for EdDSA 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// How it signs.
    pub algorithm: Algorithm,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A new passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its id.
    pub id: Vec<u8>,
    /// Its key.
    pub key: PublicKey,
    /// Its counter; 0 for passkeys that are kept in several places.
    pub counter: u32,
}

/// Why a passkey is refused. For logs; people see one sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyFault {
    /// Not the format.
    #[error("malformed")]
    Malformed,
    /// Made for something else: registration for sign-in or the other way round.
    #[error("made for something else")]
    WrongType,
    /// Not the challenge that we gave to this browser, or too late.
    #[error("not our challenge")]
    WrongChallenge,
    /// Signed for another site.
    #[error("signed for another site")]
    WrongSite,
    /// The device did not check the person.
    #[error("the device did not check the person")]
    NotVerified,
    /// A kind of key that we do not take.
    #[error("unsupported key")]
    UnsupportedKey,
    /// The signature is wrong.
    #[error("wrong signature")]
    WrongSignature,
    /// The counter went back: the key was copied.
    #[error("the counter went back")]
    Copied,
    /// We do not know this passkey, or it is somebody else's.
    #[error("unknown passkey")]
    Unknown,
    /// Too many passkeys.
    #[error("too many passkeys")]
    TooMany,
}

/// Checks a registration.
///
/// # Errors
/// [`PasskeyFault`].
pub fn register(
    site: &RelyingParty,
    challenge: &[u8],
    client_data: &[u8],
    attestation_object: &[u8],
) -> Result<Registered, PasskeyFault> {
    check_client_data(site, "webauthn.create", challenge, client_data)?;
    let object = cbor::decode(attestation_object).map_err(|_| PasskeyFault::Malformed)?;
    // Whatever statement comes with it is not looked at: we asked for none.
    object
        .named("fmt")
        .and_then(cbor::Value::text)
        .ok_or(PasskeyFault::Malformed)?;
    let data = object
        .named("authData")
        .and_then(cbor::Value::bytes)
        .ok_or(PasskeyFault::Malformed)?;
    let data = AuthenticatorData::read(data)?;
    data.check(site)?;
    let (id, key) = data.credential.ok_or(PasskeyFault::Malformed)?;
    Ok(Registered {
        id: id.to_vec(),
        key,
        counter: data.counter,
    })
}

/// What a browser sends at sign-in.
#[derive(Clone, Copy, Debug)]
pub struct Assertion<'a> {
    /// The passkey.
    pub id: &'a [u8],
    /// What the browser says was asked.
    pub client_data: &'a [u8],
    /// What the device says.
    pub authenticator_data: &'a [u8],
    /// Over both.
    pub signature: &'a [u8],
    /// Whose passkey it is, as told at registration.
    pub user: &'a [u8],
}

/// Checks a sign-in; gives the new counter.
///
/// # Errors
/// [`PasskeyFault`].
pub fn verify(
    site: &RelyingParty,
    challenge: &[u8],
    assertion: &Assertion,
    key: &PublicKey,
    counter: u32,
) -> Result<u32, PasskeyFault> {
    check_client_data(site, "webauthn.get", challenge, assertion.client_data)?;
    let data = AuthenticatorData::read(assertion.authenticator_data)?;
    data.check(site)?;
    let signed = [
        assertion.authenticator_data,
        &Sha256::digest(assertion.client_data)[..],
    ]
    .concat();
    let verified = match key.algorithm {
        Algorithm::Es256 => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key.bytes).verify(&signed, assertion.signature)
        }
        Algorithm::EdDsa => UnparsedPublicKey::new(&ED25519, &key.bytes).verify(&signed, assertion.signature),
    };
    verified.map_err(|_| PasskeyFault::WrongSignature)?;
    if (data.counter != 0 || counter != 0) && data.counter <= counter {
        return Err(PasskeyFault::Copied);
    }
    Ok(data.counter)
}

fn check_client_data(
    site: &RelyingParty,
    kind: &str,
    challenge: &[u8],
    client_data: &[u8],
) -> Result<(), PasskeyFault> {
    if client_data.len() > CLIENT_DATA_BYTES_MAX {
        return Err(PasskeyFault::Malformed);
    }
    let data: Value = serde_json::from_slice(client_data).map_err(|_| PasskeyFault::Malformed)?;
    if data["type"] != kind {
        return Err(PasskeyFault::WrongType);
    }
    if data["challenge"] != URL_SAFE_NO_PAD.encode(challenge) {
        return Err(PasskeyFault::WrongChallenge);
    }
    let framed = data
        .get("crossOrigin")
        .is_some_and(|value| *value != Value::Bool(false));
    if data["origin"] != site.origin || framed {
        return Err(PasskeyFault::WrongSite);
    }
    Ok(())
}

/// Section 6.1.
struct AuthenticatorData<'a> {
    site_hash: &'a [u8],
    flags: u8,
    counter: u32,
    credential: Option<(&'a [u8], PublicKey)>,
}

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const HAS_CREDENTIAL: u8 = 1 << 6;
const HAS_EXTENSIONS: u8 = 1 << 7;

impl<'a> AuthenticatorData<'a> {
    fn read(bytes: &'a [u8]) -> Result<AuthenticatorData<'a>, PasskeyFault> {
        let mut rest = bytes;
        let mut take = |count: usize| -> Result<&'a [u8], PasskeyFault> {
            let (taken, after) = rest.split_at_checked(count).ok_or(PasskeyFault::Malformed)?;
            rest = after;
            Ok(taken)
        };
        let site_hash = take(32)?;
        let flags = take(1)?[0];
        let counter = u32::from_be_bytes(take(4)?.try_into().map_err(|_| PasskeyFault::Malformed)?);
        let mut credential = None;
        if flags & HAS_CREDENTIAL != 0 {
            let _make = take(16)?;
            let length = take(2)?;
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            if length == 0 || length > CREDENTIAL_ID_BYTES_MAX {
                return Err(PasskeyFault::Malformed);
            }
            let id = take(length)?;
            let (key, after) = cbor::decode_first(rest).map_err(|_| PasskeyFault::Malformed)?;
            rest = after;
            credential = Some((id, public_key(&key)?));
        }
        if flags & HAS_EXTENSIONS != 0 {
            let (_, after) = cbor::decode_first(rest).map_err(|_| PasskeyFault::Malformed)?;
            rest = after;
        }
        if !rest.is_empty() {
            return Err(PasskeyFault::Malformed);
        }
        Ok(AuthenticatorData {
            site_hash,
            flags,
            counter,
            credential,
        })
    }

    fn check(&self, site: &RelyingParty) -> Result<(), PasskeyFault> {
        if self.site_hash != &Sha256::digest(&site.id)[..] {
            return Err(PasskeyFault::WrongSite);
        }
        if self.flags & USER_PRESENT == 0 || self.flags & USER_VERIFIED == 0 {
            return Err(PasskeyFault::NotVerified);
        }
        Ok(())
    }
}

/// A COSE key (RFC 9053 section 7).
fn public_key(key: &cbor::Value) -> Result<PublicKey, PasskeyFault> {
    let number = |label| key.at(label).and_then(cbor::Value::integer);
    let bytes = |label| {
        key.at(label)
            .and_then(cbor::Value::bytes)
            .filter(|bytes| bytes.len() == 32)
            .ok_or(PasskeyFault::UnsupportedKey)
    };
    let algorithm = number(3).and_then(Algorithm::of_cose);
    let bytes = match (number(1), algorithm, number(-1)) {
        (Some(2), Some(Algorithm::Es256), Some(1)) => [&[4], bytes(-2)?, bytes(-3)?].concat(),
        (Some(1), Some(Algorithm::EdDsa), Some(6)) => bytes(-2)?.to_vec(),
        _ => return Err(PasskeyFault::UnsupportedKey),
    };
    let algorithm = algorithm.ok_or(PasskeyFault::UnsupportedKey)?;
    Ok(PublicKey { algorithm, bytes })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

    pub(crate) const CHALLENGE: [u8; 32] = [9; 32];

    pub(crate) fn site() -> RelyingParty {
        RelyingParty::of_origin("https://raseed.example").unwrap()
    }

    /// A device that holds one passkey.
    pub(crate) enum Device {
        Es256(Box<EcdsaKeyPair>),
        EdDsa(Ed25519KeyPair),
    }

    impl Device {
        pub(crate) fn es256() -> Device {
            let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
            let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
            Device::Es256(Box::new(
                EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap(),
            ))
        }

        fn ed() -> Device {
            Device::EdDsa(Ed25519KeyPair::generate().unwrap())
        }

        fn cose(&self) -> Vec<u8> {
            match self {
                Device::Es256(pair) => {
                    let point = pair.public_key().as_ref();
                    [
                        &[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32],
                        &point[1..33],
                        &[0x22, 0x58, 32],
                        &point[33..],
                    ]
                    .concat()
                }
                Device::EdDsa(pair) => [
                    &[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32],
                    pair.public_key().as_ref(),
                ]
                .concat(),
            }
        }

        fn sign(&self, text: &[u8]) -> Vec<u8> {
            match self {
                Device::Es256(pair) => pair.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec(),
                Device::EdDsa(pair) => pair.sign(text).as_ref().to_vec(),
            }
        }

        pub(crate) fn attestation(&self, id: &[u8], site: &str, flags: u8) -> Vec<u8> {
            let length = u16::try_from(id.len()).unwrap().to_be_bytes();
            let data = [
                &head(site, flags | HAS_CREDENTIAL, 0)[..],
                &[0; 16],
                &length,
                id,
                &self.cose(),
            ]
            .concat();
            let length = u8::try_from(data.len()).unwrap();
            [
                &b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"[..],
                &[length],
                &data,
            ]
            .concat()
        }

        pub(crate) fn assert(
            &self,
            site: &str,
            flags: u8,
            counter: u32,
            client: &[u8],
        ) -> (Vec<u8>, Vec<u8>) {
            let data = head(site, flags, counter);
            let signature = self.sign(&[&data[..], &Sha256::digest(client)].concat());
            (data, signature)
        }
    }

    fn head(site: &str, flags: u8, counter: u32) -> Vec<u8> {
        [&Sha256::digest(site)[..], &[flags], &counter.to_be_bytes()].concat()
    }

    pub(crate) fn client(kind: &str, challenge: &[u8], origin: &str) -> Vec<u8> {
        let challenge = URL_SAFE_NO_PAD.encode(challenge);
        format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#)
            .into_bytes()
    }

    pub(crate) const BOTH: u8 = USER_PRESENT | USER_VERIFIED;
    const ORIGIN: &str = "https://raseed.example";

    #[test]
    fn a_passkey_is_made_and_used() {
        for device in [Device::es256(), Device::ed()] {
            let create = client("webauthn.create", &CHALLENGE, ORIGIN);
            let attestation = device.attestation(b"id", "raseed.example", BOTH);
            let made = register(&site(), &CHALLENGE, &create, &attestation).unwrap();
            assert_eq!((made.id.as_slice(), made.counter), (&b"id"[..], 0));
            let get = client("webauthn.get", &CHALLENGE, ORIGIN);
            let (data, signature) = device.assert("raseed.example", BOTH, 5, &get);
            let assertion = Assertion {
                id: b"id",
                client_data: &get,
                authenticator_data: &data,
                signature: &signature,
                user: b"",
            };
            assert_eq!(verify(&site(), &CHALLENGE, &assertion, &made.key, 4), Ok(5));
            assert_eq!(
                verify(&site(), &CHALLENGE, &assertion, &made.key, 5),
                Err(PasskeyFault::Copied)
            );
            for index in 0..data.len() {
                let mut changed = data.clone();
                changed[index] ^= 1;
                let assertion = Assertion {
                    authenticator_data: &changed,
                    ..assertion
                };
                assert!(
                    verify(&site(), &CHALLENGE, &assertion, &made.key, 0).is_err(),
                    "data {index}"
                );
            }
            for index in 0..signature.len() {
                let mut changed = signature.clone();
                changed[index] ^= 1;
                let assertion = Assertion {
                    signature: &changed,
                    ..assertion
                };
                assert!(
                    verify(&site(), &CHALLENGE, &assertion, &made.key, 0).is_err(),
                    "signature {index}"
                );
            }
            for index in 0..get.len() {
                let mut changed = get.clone();
                changed[index] ^= 1;
                let assertion = Assertion {
                    client_data: &changed,
                    ..assertion
                };
                assert!(
                    verify(&site(), &CHALLENGE, &assertion, &made.key, 0).is_err(),
                    "client {index}"
                );
            }
            for cut in 0..attestation.len() {
                assert!(
                    register(&site(), &CHALLENGE, &create, &attestation[..cut]).is_err(),
                    "cut {cut}"
                );
            }
        }
    }

    #[test]
    fn what_was_made_for_something_else_is_refused() {
        let device = Device::es256();
        let attestation = device.attestation(b"id", "raseed.example", BOTH);
        let try_client = |kind: &str, challenge: &[u8], origin: &str| {
            register(
                &site(),
                &CHALLENGE,
                &client(kind, challenge, origin),
                &attestation,
            )
            .unwrap_err()
        };
        assert_eq!(
            try_client("webauthn.get", &CHALLENGE, ORIGIN),
            PasskeyFault::WrongType
        );
        assert_eq!(
            try_client("webauthn.create", &[8; 32], ORIGIN),
            PasskeyFault::WrongChallenge
        );
        for origin in [
            "https://evil.example",
            "http://raseed.example",
            "https://raseed.example:444",
        ] {
            assert_eq!(
                try_client("webauthn.create", &CHALLENGE, origin),
                PasskeyFault::WrongSite
            );
        }
        let create = client("webauthn.create", &CHALLENGE, ORIGIN);
        let framed = String::from_utf8(create.clone())
            .unwrap()
            .replace("false", "true");
        let refused = |client: &[u8], attestation: &[u8]| {
            register(&site(), &CHALLENGE, client, attestation).unwrap_err()
        };
        assert_eq!(refused(framed.as_bytes(), &attestation), PasskeyFault::WrongSite);
        assert_eq!(
            refused(&create, &device.attestation(b"id", "evil.example", BOTH)),
            PasskeyFault::WrongSite
        );
        for flags in [0, USER_PRESENT, USER_VERIFIED] {
            assert_eq!(
                refused(&create, &device.attestation(b"id", "raseed.example", flags)),
                PasskeyFault::NotVerified
            );
        }
        assert_eq!(
            refused(&create, &device.attestation(b"", "raseed.example", BOTH)),
            PasskeyFault::Malformed
        );
        let rsa = [0xa3, 1, 3, 3, 0x39, 1, 0, 0x20, 0x41, 0];
        assert_eq!(
            public_key(&cbor::decode(&rsa).unwrap()),
            Err(PasskeyFault::UnsupportedKey)
        );
    }

    #[test]
    fn sites_have_a_name_and_are_safe() {
        let id = |origin: &str| RelyingParty::of_origin(origin).map(|site| site.id);
        assert_eq!(id("https://a.example:8443").as_deref(), Some("a.example"));
        assert_eq!(id("http://localhost:8080").as_deref(), Some("localhost"));
        for bad in [
            "http://a.example",
            "https://127.0.0.1",
            "https://[::1]:1",
            "a.example",
            "https://A.example",
            "https://a b",
        ] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }
}
