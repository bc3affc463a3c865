//! Webhooks: the signature, checked here with PayPal's certificate, and what an event says.
//!
//! The signature is RSA-SHA256 over `transmission id|time|webhook id|CRC-32 of the body` (reference payments 2.3). The
//! certificate comes from the address in the message, so the address is pinned, and chain, name and validity are checked.

use super::meaning;
use crate::http::{HttpRequest, Method, Transport, https_host, is_secure_or_loopback};
use crate::limits::{BODY_BYTES_MAX, CALL_MS};
use crate::rail::{RailError, Told};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use charge::Timestamp;
use charge::payment::{PaymentId, Statement};
use charge::time::{HOUR, SECOND};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Longest chain file, and most certificates in it.
const CHAIN_BYTES_MAX: usize = 32 * 1024;
const CHAIN_CERTIFICATES_MAX: usize = 6;
/// Chains that are kept, and for how long.
const KEPT_MAX: usize = 4;
const KEPT_US: i64 = 24 * HOUR;
/// A clock at PayPal may be ahead of ours by so much.
const AHEAD_US: i64 = 300 * SECOND;
/// Algorithms that PayPal names and that we take.
const ALGORITHM: &str = "SHA256withRSA";

/// Certificates to which a chain must lead.
pub(super) struct Roots(Vec<TrustAnchor<'static>>);

impl Roots {
    /// Reads certificates in PEM, at least one.
    pub fn parse(pem: &str) -> Result<Roots, RailError> {
        const BAD: RailError = RailError::Malformed("roots_pem holds no usable certificate");
        let anchors = CertificateDer::pem_slice_iter(pem.as_bytes())
            .map(|certificate| {
                let certificate = certificate.map_err(|_| BAD)?;
                Ok(webpki::anchor_from_trusted_cert(&certificate)
                    .map_err(|_| BAD)?
                    .to_owned())
            })
            .collect::<Result<Vec<_>, RailError>>()?;
        if anchors.is_empty() {
            Err(BAD)
        } else {
            Ok(Roots(anchors))
        }
    }
}

/// Checks that a webhook comes from PayPal.
pub(super) struct Verifier {
    webhook_id: String,
    roots: Roots,
    name: ServerName<'static>,
    sandbox: Option<String>,
    replay_us: i64,
    kept: Mutex<Vec<Chain>>,
}

struct Chain {
    url: String,
    fetched_at: Timestamp,
    certificates: Vec<CertificateDer<'static>>,
}

impl Verifier {
    pub fn new(
        webhook_id: &str,
        roots: Roots,
        name: &str,
        sandbox: Option<&str>,
        replay_s: i64,
    ) -> Result<Verifier, RailError> {
        let name =
            ServerName::try_from(name.to_owned()).map_err(|_| RailError::Malformed("certificate_name"))?;
        if sandbox.is_some_and(|prefix| !is_secure_or_loopback(prefix) || !prefix.ends_with('/')) {
            return Err(RailError::Malformed(
                "sandbox_certificates must be https or loopback and end with /",
            ));
        }
        if replay_s <= 0 {
            return Err(RailError::Malformed("replay_s must be positive"));
        }
        Ok(Verifier {
            webhook_id: webhook_id.to_owned(),
            roots,
            name,
            sandbox: sandbox.map(str::to_owned),
            replay_us: replay_s.saturating_mul(SECOND),
            kept: Mutex::new(Vec::new()),
        })
    }

    pub async fn verify(
        &self,
        io: &dyn Transport,
        request: &HttpRequest,
        now: Timestamp,
    ) -> Result<(), RailError> {
        if request.body.len() > BODY_BYTES_MAX {
            return Err(RailError::Malformed("webhook too long"));
        }
        let header = |name: &str, what: &'static str| {
            let value = request
                .header(name)
                .filter(|value| !value.is_empty() && value.len() <= 1024);
            value.ok_or(RailError::NotGenuine(what))
        };
        let id = header("paypal-transmission-id", "no transmission id")?;
        let time = header("paypal-transmission-time", "no transmission time")?;
        let signature = header("paypal-transmission-sig", "no signature")?;
        let url = header("paypal-cert-url", "no certificate address")?;
        if !header("paypal-auth-algo", "no algorithm")?.eq_ignore_ascii_case(ALGORITHM) {
            return Err(RailError::NotGenuine("another algorithm"));
        }
        let sent_at = crate::time::parse_rfc3339(time).ok_or(RailError::NotGenuine("transmission time"))?;
        if sent_at > now.plus(AHEAD_US) || now > sent_at.plus(self.replay_us) {
            return Err(RailError::NotGenuine("sent too long ago, or in the future"));
        }
        let signature = STANDARD
            .decode(signature)
            .map_err(|_| RailError::NotGenuine("signature is not base 64"))?;
        if !self.is_pinned(url) {
            return Err(RailError::NotGenuine("certificate address is not PayPal's"));
        }
        let chain = self.chain(io, url, now).await?;
        let message = signed_text(id, time, &self.webhook_id, &request.body);
        self.check(&chain, message.as_bytes(), &signature, now)
    }

    fn is_pinned(&self, url: &str) -> bool {
        match &self.sandbox {
            Some(prefix) => url
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| !rest.contains(['\\', '@']) && !rest.contains("..")),
            None => https_host(url).is_some_and(|host| host.ends_with(".paypal.com")),
        }
    }

    async fn chain(
        &self,
        io: &dyn Transport,
        url: &str,
        now: Timestamp,
    ) -> Result<Vec<CertificateDer<'static>>, RailError> {
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let known = kept
                .iter()
                .find(|chain| chain.url == url && now < chain.fetched_at.plus(KEPT_US));
            if let Some(chain) = known {
                return Ok(chain.certificates.clone());
            }
        }
        let answer = io
            .send(HttpRequest {
                method: Method::Get,
                url: url.to_owned(),
                headers: Vec::new(),
                body: Vec::new(),
                timeout_ms: CALL_MS,
            })
            .await?;
        if answer.status != 200 || answer.body.len() > CHAIN_BYTES_MAX {
            return Err(RailError::NotGenuine("no certificate at its address"));
        }
        let certificates = CertificateDer::pem_slice_iter(&answer.body)
            .take(CHAIN_CERTIFICATES_MAX)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| RailError::NotGenuine("certificate cannot be read"))?;
        // Only a chain that leads to a root is kept: others must not push it out.
        self.trust(&certificates, now)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|chain| chain.url != url);
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(Chain {
            url: url.to_owned(),
            fetched_at: now,
            certificates: certificates.clone(),
        });
        Ok(certificates)
    }

    /// The chain leads to a root, carries the name, and is valid now.
    fn trust<'a>(
        &self,
        chain: &'a [CertificateDer<'static>],
        now: Timestamp,
    ) -> Result<webpki::EndEntityCert<'a>, RailError> {
        let (first, rest) = chain
            .split_first()
            .ok_or(RailError::NotGenuine("no certificate"))?;
        let leaf = webpki::EndEntityCert::try_from(first)
            .map_err(|_| RailError::NotGenuine("certificate cannot be read"))?;
        let seconds = u64::try_from(now.seconds()).unwrap_or(0);
        leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &self.roots.0,
            rest,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            webpki::KeyUsage::server_auth(),
            None,
            None,
        )
        .map_err(|error| {
            RailError::NotGenuine(match error {
                webpki::Error::CertExpired { .. } => "certificate has expired",
                webpki::Error::CertNotValidYet { .. } => "certificate is not valid yet",
                _ => "certificate does not lead to a known root",
            })
        })?;
        leaf.verify_is_valid_for_subject_name(&self.name)
            .map_err(|_| RailError::NotGenuine("certificate is of another name"))?;
        Ok(leaf)
    }

    fn check(
        &self,
        chain: &[CertificateDer<'static>],
        message: &[u8],
        signature: &[u8],
        now: Timestamp,
    ) -> Result<(), RailError> {
        self.trust(chain, now)?
            .verify_signature(webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256, message, signature)
            .map_err(|_| RailError::NotGenuine("signature"))
    }
}

/// What PayPal signs.
fn signed_text(id: &str, time: &str, webhook_id: &str, body: &[u8]) -> String {
    format!("{id}|{time}|{webhook_id}|{}", crc32fast::hash(body))
}

/// What an event says.
pub(super) struct Event {
    pub about: Option<PaymentId>,
    pub told: Told,
    /// The capture that it is about, where our payment is not named.
    pub capture: Option<String>,
    /// Id of the thing that it is about.
    pub resource_id: String,
}

impl Event {
    pub fn read(event: &Value) -> Event {
        let resource = &event["resource"];
        let about = meaning::payment_of(resource);
        let told = match event["event_type"].as_str().unwrap_or_default() {
            "PAYMENT.CAPTURE.COMPLETED"
            | "PAYMENT.CAPTURE.PENDING"
            | "PAYMENT.CAPTURE.DENIED"
            | "PAYMENT.CAPTURE.DECLINED" => Told::Said(meaning::of_capture_event(resource)),
            "PAYMENT.CAPTURE.REFUNDED" | "PAYMENT.REFUND.PENDING" | "PAYMENT.REFUND.FAILED" => {
                Told::Said(meaning::of_refund(resource))
            }
            "PAYMENT.CAPTURE.REVERSED" => Told::Said(Statement::Reversed {
                code: "REVERSED".to_owned(),
            }),
            name if name.starts_with("CHECKOUT.") => Told::Ask,
            _ => {
                return Event {
                    about: None,
                    told: Told::Ask,
                    capture: None,
                    resource_id: String::new(),
                };
            }
        };
        let capture = meaning::link(resource, &["up"])
            .and_then(|url| Some(url.rsplit_once("/v2/payments/captures/")?.1.to_owned()))
            .filter(|id| {
                !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
        Event {
            about,
            told,
            capture,
            resource_id: resource["id"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_checksum() {
        let body = br#"{"id":"WH-TEST","event_type":"PAYMENT.CAPTURE.COMPLETED"}"#;
        assert_eq!(crc32fast::hash(body), 3_391_999_205);
        assert_eq!(signed_text("a", "b", "c", body), "a|b|c|3391999205");
    }

    #[test]
    fn certificates_come_from_paypal_only() {
        let roots = || Roots(Vec::new());
        let live = Verifier::new("W", roots(), "x.paypal.com", None, 60).unwrap();
        assert!(live.is_pinned("https://api.paypal.com/v1/notifications/certs/CERT-1"));
        for bad in [
            "http://api.paypal.com/v1/notifications/certs/CERT-1",
            "https://paypal.com.evil.test/certs/CERT-1",
            "https://evilpaypal.com/certs/CERT-1",
            "https://evil.test/?.paypal.com",
            "https://evil.test#.paypal.com",
            "https://evil.test\\.paypal.com/",
            "https://user@api.paypal.com/",
            "https://api.paypal.com:444/",
            "http://127.0.0.1/certs/1",
        ] {
            assert!(!live.is_pinned(bad), "{bad}");
        }
        let sandbox = Verifier::new("W", roots(), "x.test", Some("http://127.0.0.1:9/certs/"), 60).unwrap();
        assert!(sandbox.is_pinned("http://127.0.0.1:9/certs/1"));
        assert!(!sandbox.is_pinned("https://api.paypal.com/certs/1"));
        assert!(!sandbox.is_pinned("http://127.0.0.1:9/certs/../other"));
        assert!(Verifier::new("W", roots(), "x.test", Some("http://x.test/certs/"), 60).is_err());
        assert!(Verifier::new("W", roots(), "not a name", None, 60).is_err());
    }

    #[test]
    fn roots_are_needed() {
        assert!(Roots::parse("").is_err());
        assert!(Roots::parse("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    }
}
