//! What can be set of USSD gateways.

use charge::catalog::Language;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Shortest shared secret.
const SECRET_BYTES_MIN: usize = 16;

/// USSD.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UssdConfig {
    /// Language for phones whose subscriber is not known.
    pub language: String,
    /// Gateways that call us, by name.
    pub http: BTreeMap<String, HttpGateway>,
    /// Gateways that we bind to.
    pub smpp: BTreeMap<String, SmppGateway>,
    /// HLRs that we connect to.
    pub gsup: BTreeMap<String, GsupGateway>,
}

impl Default for UssdConfig {
    fn default() -> UssdConfig {
        UssdConfig {
            language: "en".to_owned(),
            http: BTreeMap::new(),
            smpp: BTreeMap::new(),
            gsup: BTreeMap::new(),
        }
    }
}

/// What a gateway sends over HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Everything typed so far, joined by `*`; answers begin with `CON ` or `END `.
    #[default]
    Joined,
    /// One input at a time, with a stage, in JSON or XML.
    Steps,
}

/// A gateway over HTTP.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpGateway {
    /// Where it finds us. A socket of its own, apart from the page and the API.
    pub listen: SocketAddr,
    /// What it sends.
    pub shape: Shape,
    /// `Authorization: Bearer` of its requests.
    pub secret: Option<String>,
    /// PEM file with our certificate chain: TLS.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with its private key.
    pub tls_key: Option<PathBuf>,
    /// PEM file with who signs the gateway's certificate: mutual TLS.
    pub client_ca: Option<PathBuf>,
    /// Connections at the same time.
    pub connections_max: usize,
}

impl Default for HttpGateway {
    fn default() -> HttpGateway {
        HttpGateway {
            listen: SocketAddr::from(([127, 0, 0, 1], 8090)),
            shape: Shape::Joined,
            secret: None,
            tls_certificate: None,
            tls_key: None,
            client_ca: None,
            connections_max: 256,
        }
    }
}

/// A gateway over SMPP. Times are milliseconds.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmppGateway {
    /// `host:port`.
    pub address: String,
    /// system_id of the bind.
    pub system_id: String,
    /// password of the bind.
    pub password: String,
    /// system_type of the bind.
    pub system_type: String,
    /// Pages that may wait for their answer.
    pub window: usize,
    /// How long a page waits for its answer.
    pub response_timeout_ms: u64,
    /// Silence after which the link is checked.
    pub enquire_interval_ms: u64,
    /// Pause before connecting again.
    pub reconnect_ms: u64,
}

impl Default for SmppGateway {
    fn default() -> SmppGateway {
        SmppGateway {
            address: "127.0.0.1:2775".to_owned(),
            system_id: "raseed".to_owned(),
            password: String::new(),
            system_type: "USSD".to_owned(),
            window: 64,
            response_timeout_ms: 10_000,
            enquire_interval_ms: 30_000,
            reconnect_ms: 1_000,
        }
    }
}

/// An Osmocom HLR. Times are milliseconds.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GsupGateway {
    /// `host:port` of its GSUP server.
    pub address: String,
    /// The name after `euse` in its configuration.
    pub name: String,
    /// Pause before connecting again.
    pub reconnect_ms: u64,
}

impl Default for GsupGateway {
    fn default() -> GsupGateway {
        GsupGateway {
            address: "127.0.0.1:4222".to_owned(),
            name: "raseed-00-00-00-00-00-00".to_owned(),
            reconnect_ms: 1_000,
        }
    }
}

impl UssdConfig {
    /// What a single value cannot show.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        if Language::from_tag(&self.language).is_none() {
            return Err("ussd.language must be en, ur or zh".to_owned());
        }
        for (name, gateway) in &self.http {
            let tls = (&gateway.tls_certificate, &gateway.tls_key);
            if tls.0.is_some() != tls.1.is_some() {
                return Err(format!(
                    "ussd.http.{name}: tls_certificate and tls_key belong together"
                ));
            }
            if gateway.client_ca.is_some() && tls.0.is_none() {
                return Err(format!("ussd.http.{name}: client_ca needs tls_certificate"));
            }
            if gateway
                .secret
                .as_ref()
                .is_some_and(|secret| secret.len() < SECRET_BYTES_MIN)
            {
                return Err(format!(
                    "ussd.http.{name}: secret needs at least {SECRET_BYTES_MIN} characters"
                ));
            }
            let trusted = gateway.secret.is_some() || gateway.client_ca.is_some();
            if !trusted && !gateway.listen.ip().is_loopback() {
                return Err(format!(
                    "ussd.http.{name}: whoever reaches it speaks for every phone; set secret or client_ca"
                ));
            }
            if gateway.connections_max == 0 {
                return Err(format!("ussd.http.{name}: connections_max must be at least 1"));
            }
        }
        Ok(())
    }

    /// The paths, which are relative to the file of the configuration.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.http.values_mut().flat_map(|gateway| {
            [
                &mut gateway.tls_certificate,
                &mut gateway.tls_key,
                &mut gateway.client_ca,
            ]
            .into_iter()
            .flatten()
        })
    }
}
