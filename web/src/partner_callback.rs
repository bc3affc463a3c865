//! Callbacks of partners: what they say, how they are signed, where they may go. Nothing here opens a socket.

use crate::api::json::Moment;
use crate::api::topups::TopUpAnswer;
use crate::problem::{Fault, Problem};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::catalog::Catalogs;
use charge::terms::{CALLBACK_URL_BYTES_MAX, CallbackDue, CallbackSecret};
use charge::{Code, PartnerId, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use utoipa::ToSchema;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "raseed-signature";
/// How secrets begin.
const SECRET_PREFIX: &str = "whsec_";
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// What a partner is told: a change of one of its top-ups.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CallbackBody {
    /// Names the callback; the same in every attempt and replay.
    pub id: String,
    /// Its number, from 1 without gaps; real and test callbacks are counted apart. A higher number is newer.
    pub sequence: u64,
    /// `topup.completed`, `topup.declined` or `topup.reversed`. More may come: pass over what you do not know.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the change happened.
    pub created_at: Moment,
    /// True for the sandbox.
    pub test: bool,
    /// The top-up as it was after the change.
    pub topup: TopUpAnswer,
}

/// The body of a callback, the same bytes in every attempt.
pub fn body(due: &CallbackDue, catalogs: &Catalogs) -> Vec<u8> {
    let catalog = catalogs.get(due.top_up.operator).map(AsRef::as_ref);
    let test = due.top_up.details.test;
    let body = CallbackBody {
        id: name_of(due.top_up.partner, test, due.sequence),
        sequence: due.sequence,
        kind: format!("topup.{}", due.top_up.state.name().to_ascii_lowercase()),
        created_at: Moment(due.top_up.updated_at),
        test,
        topup: TopUpAnswer::of(&due.top_up, catalog),
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The name of a callback.
pub fn name_of(partner: PartnerId, test: bool, sequence: u64) -> String {
    let kind = if test { "tcb" } else { "cb" };
    format!("{kind}_{}_{sequence}", partner.0)
}

/// The value of the signature header: `t=<seconds>,v1=<hex>`, one `v1` for each secret. Signed are the seconds, a dot and
/// the body, with HMAC-SHA-256 under the whole secret as text (as Stripe does it; reference payments 2.4).
pub fn signature<'a>(secrets: impl IntoIterator<Item = &'a str>, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.seconds();
    let mut header = format!("t={seconds}");
    for secret in secrets {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body);
        header.push_str(",v1=");
        for byte in mac.finalize().into_bytes() {
            // Writing to a string does not fail.
            let _ = write!(header, "{byte:02x}");
        }
    }
    header
}

/// Makes and opens secrets. What is stored is sealed with a key that is in no journal and no table.
#[derive(Clone)]
pub struct Sealer([u8; 32]);

impl Sealer {
    /// From the installation's secret.
    pub fn new(secret: &[u8; 32]) -> Sealer {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        mac.update(b"raseed callback secrets 1");
        Sealer(mac.finalize().into_bytes().into())
    }

    /// A new secret: what the partner keeps, and what is stored of it. `None` when the cipher fails, which it does not.
    pub fn make(&self, partner: PartnerId, test: bool, now: Timestamp) -> Option<(String, CallbackSecret)> {
        let random: [u8; SECRET_BYTES] = rand::random();
        let secret = format!("{SECRET_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let id = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 9]>());
        let id = Code::new(&id)?;
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut text = secret.clone().into_bytes();
        self.cipher()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(owner(partner, test, id)),
                &mut text,
            )
            .ok()?;
        let stored = CallbackSecret {
            id,
            sealed: [&nonce[..], &text].concat().into_boxed_slice(),
            created_at: now,
        };
        Some((secret, stored))
    }

    /// Opens a stored secret; `None` when it is of another installation, of another partner, or damaged.
    pub fn open(&self, partner: PartnerId, test: bool, stored: &CallbackSecret) -> Option<String> {
        let (nonce, text) = stored.sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let opened = self
            .cipher()?
            .open_in_place(nonce, Aad::from(owner(partner, test, stored.id)), &mut text)
            .ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &self.0).ok().map(LessSafeKey::new)
    }
}

fn owner(partner: PartnerId, test: bool, id: Code) -> Vec<u8> {
    format!("{}/{test}/{id}", partner.0).into_bytes()
}

/// Where callbacks may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// This very machine may be called, and without TLS: for demonstrations and tests.
    pub loopback: bool,
}

/// An address that may be called, as far as its text says; what its name resolves to is checked at every call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// TLS or not.
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// For the Host header: as written.
    pub authority: String,
}

impl Reach {
    /// Reads an address. Plain `http` is for the sandbox, and for this machine where that is allowed.
    ///
    /// # Errors
    /// What is wrong with it, in English.
    pub fn target(self, url: &str, test: bool) -> Result<Target, &'static str> {
        if url.len() > CALLBACK_URL_BYTES_MAX || url.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err("at most 512 visible ASCII characters");
        }
        if url.contains('#') {
            return Err("an address without a fragment");
        }
        let uri: Uri = url.parse().map_err(|_| "not an address")?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if test || self.loopback => false,
            _ => return Err("an https address"),
        };
        let authority = uri.authority().ok_or("an address with a host")?;
        if authority.as_str().contains('@') {
            return Err("an address without a user name");
        }
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() {
            return Err("an address with a host");
        }
        if let Ok(address) = host.parse::<IpAddr>()
            && !self.allows(address)
        {
            return Err("a public address");
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        if port == 0 {
            return Err("an address with a port");
        }
        Ok(Target {
            tls,
            host: host.to_owned(),
            port,
            path: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
            authority: authority.as_str().to_owned(),
        })
    }

    /// Whether a resolved address may be called: public ones, and this machine where that is allowed.
    pub fn allows(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => is_public_v4(v4) || (self.loopback && v4.is_loopback()),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => self.allows(IpAddr::V4(v4)),
                None => is_public_v6(v6) || (self.loopback && v6.is_loopback()),
            },
        }
    }
}

/// RFC 6890 and its registry: everything that is not one of ours, of the neighbours, or of nobody.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

/// Global unicast without documentation, Teredo, 6to4 and other ways to smuggle a private address in.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let global = first & 0xe000 == 0x2000;
    let special =
        (first == 0x2001 && (second < 0x0200 || second == 0x0db8)) || first == 0x2002 || first == 0x3fff;
    global && !special
}

/// Checks an address that a partner gave.
///
/// # Errors
/// [`Fault::BadField`] with what is wrong.
pub fn checked_url(reach: Reach, url: &str, test: bool, field: &'static str) -> Result<(), Problem> {
    match reach.target(url, test) {
        Ok(_) => Ok(()),
        Err(reason) => Err(Problem::field(Fault::BadField, field).hint(reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of docs/how-to/callbacks.md, computed with another implementation.
    #[test]
    fn signatures_are_those_of_the_guide() {
        let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        let body = br#"{"id":"cb_2_1","sequence":1,"type":"topup.completed"}"#;
        let at = Timestamp::from_seconds(1_795_262_400);
        let expected = "t=1795262400,v1=ac1e42ca79d0fca4492689f638e39b2f383cb79ef2d23c9ee876a84905b80c9e";
        assert_eq!(signature([secret], at, body), expected);
        let both = signature([secret, "whsec_new"], at, body);
        assert!(both.starts_with(expected) && both.matches(",v1=").count() == 2);
        assert_ne!(signature([secret], at, &body[..body.len() - 1]), expected);
    }

    #[test]
    fn sealed_secrets_open_for_their_owner_only() {
        let (ours, theirs) = (Sealer::new(&[1; 32]), Sealer::new(&[2; 32]));
        let (secret, stored) = ours.make(PartnerId(7), false, Timestamp(1)).unwrap();
        assert!(secret.starts_with("whsec_") && secret.len() == 6 + 43);
        assert_eq!(ours.open(PartnerId(7), false, &stored), Some(secret.clone()));
        assert_eq!(ours.open(PartnerId(8), false, &stored), None);
        assert_eq!(ours.open(PartnerId(7), true, &stored), None);
        assert_eq!(theirs.open(PartnerId(7), false, &stored), None);
        for index in 0..stored.sealed.len() {
            let mut changed = stored.clone();
            changed.sealed[index] ^= 1;
            assert_eq!(ours.open(PartnerId(7), false, &changed), None, "byte {index}");
        }
        let text = String::from_utf8_lossy(&stored.sealed).into_owned();
        assert!(!text.contains(&secret[6..20]) && !format!("{stored:?}").contains("sealed"));
    }

    #[test]
    fn only_public_addresses_are_called() {
        let (strict, demo) = (Reach::default(), Reach { loopback: true });
        for public in ["8.8.8.8", "203.0.114.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(strict.allows(public.parse().unwrap()), "{public}");
        }
        for special in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "240.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2001::1",
            "64:ff9b::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
        ] {
            assert!(!strict.allows(special.parse().unwrap()), "{special}");
        }
        assert!(demo.allows("127.0.0.1".parse().unwrap()) && demo.allows("::1".parse().unwrap()));
        assert!(!demo.allows("10.0.0.1".parse().unwrap()), "loopback only");
    }

    #[test]
    fn addresses_are_read_strictly() {
        let strict = Reach::default();
        let target = strict
            .target("https://partner.example:8443/raseed?x=1", false)
            .unwrap();
        assert_eq!(
            (target.tls, target.host.as_str(), target.port),
            (true, "partner.example", 8443)
        );
        assert_eq!(target.path, "/raseed?x=1");
        assert_eq!(strict.target("https://partner.example", false).unwrap().path, "/");
        assert!(
            strict.target("http://partner.example/", true).is_ok(),
            "the sandbox may do without TLS"
        );
        for bad in [
            "",
            "partner.example",
            "http://partner.example/",
            "ftp://partner.example/",
            "https://",
            "https:///x",
            "https://user@partner.example/",
            "https://u:p@partner.example/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://10.0.0.1/",
            "https://[::ffff:10.0.0.1]/",
            "https://partner.example/#x",
            "https://partner.example:0/",
            "https://partner .example/",
            "https://partner.example/\n",
            "javascript:alert(1)",
            "//partner.example/",
        ] {
            assert!(strict.target(bad, false).is_err(), "{bad:?}");
        }
        assert!(
            strict
                .target(&format!("https://a.example/{}", "x".repeat(500)), false)
                .is_err()
        );
        assert!(
            strict.target("http://127.0.0.1:80/", true).is_err(),
            "not even in the sandbox"
        );
        assert!(
            Reach { loopback: true }
                .target("http://127.0.0.1:9000/cb", false)
                .is_ok()
        );
    }
}
