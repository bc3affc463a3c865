//! The charging front's sockets: Diameter over TCP and TLS, and the watch that tells open sessions of a recharge.

use super::bind;
use crate::config::DiameterConfig;
use crate::diameter::translate::Dialling;
use crate::diameter::{Front, Limits};
use crate::failure::Failure;
use crate::node::Node;
use anyhow::Context as _;
use charge::catalog::Catalogs;
use charge::{EntityKey, Event, EventBody};
use engine::Observer;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use wire::diameter::peer::{LocalNode, PeerSettings, RealmPolicy};

/// ISO 4217 numbers of currencies (Currency-Code, RFC 8506 section 8.11); the answer says none for others.
const CURRENCIES: &[(&str, u32)] = &[
    ("PKR", 586),
    ("AED", 784),
    ("BDT", 50),
    ("CNY", 156),
    ("INR", 356),
    ("SAR", 682),
    ("USD", 840),
];

/// The ISO 4217 number of a currency.
pub fn currency_number(currency: &str) -> Option<u32> {
    let known = CURRENCIES.iter().find(|(code, _)| *code == currency);
    known.map(|(_, number)| *number)
}

/// Tells the front when an account has new money. Made before the front, because the engine wants to know it first.
#[derive(Default)]
pub struct RechargeWatch {
    front: OnceLock<Weak<Front>>,
}

impl Observer for RechargeWatch {
    fn wants(&self, event: &Event) -> bool {
        matches!(event.body, EventBody::Recharged(_) | EventBody::Bought(_))
    }

    fn committed(&self, _: store::Partition, _: store::Seq, events: &[Event]) {
        let Some(front) = self.front.get().and_then(Weak::upgrade) else {
            return;
        };
        for event in events {
            if let EntityKey::Account(account) = event.key {
                front.recharged(account);
            }
        }
    }
}

/// Listening Diameter sockets.
pub struct Charging {
    /// Where Diameter listens, without and with TLS.
    pub listening: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    // Keeps the front alive for the watch, which only knows it weakly.
    _front: Arc<Front>,
}

impl Charging {
    /// Binds and serves. Within a tokio runtime.
    pub async fn open(
        node: &Node,
        config: &DiameterConfig,
        watch: &RechargeWatch,
    ) -> anyhow::Result<Charging> {
        let front = front_of(node, config);
        // The first front stays; a process has one.
        let _ = watch.front.set(Arc::downgrade(&front));
        let (stop, stopped) = watch::channel(false);
        let mut listening = Vec::new();
        let tls = match (&config.tls_certificate, &config.tls_key) {
            (Some(certificate), Some(key)) => Some(acceptor(certificate, key)?),
            _ => None,
        };
        let plain = config.listen.iter().map(|address| (*address, None));
        let secure = config.listen_tls.iter().map(|address| (*address, tls.clone()));
        for (address, tls) in plain.chain(secure) {
            let listener = bind(address, "diameter.listen").await?;
            listening.push(
                listener
                    .local_addr()
                    .context("ask for the address of the socket")?,
            );
            tokio::spawn(Arc::clone(&front).serve(listener, tls, stopped.clone()));
        }
        Ok(Charging {
            listening,
            stop,
            _front: front,
        })
    }

    /// Takes no more connections and says goodbye on the open ones; requests under way are still answered.
    pub fn close(&self) {
        self.stop.send_replace(true);
    }
}

fn front_of(node: &Node, config: &DiameterConfig) -> Arc<Front> {
    let settings = PeerSettings {
        realms: match config.realms.as_slice() {
            [] => RealmPolicy::Any,
            realms => RealmPolicy::Listed(realms.to_vec()),
        },
        ..PeerSettings::new(LocalNode {
            host: config.origin_host.clone(),
            realm: config.origin_realm.clone(),
            state_id: u32::try_from(crate::node::now().seconds()).ok(),
            product_name: "Raseed".to_owned(),
        })
    };
    let limits = Limits {
        connections: config.connections_max,
        requests_per_s: match config.rate_per_s_max {
            0 => u32::MAX,
            rate => rate,
        },
        ..Limits::default()
    };
    Front::new(
        Arc::clone(&node.engine),
        settings,
        local_habits(&node.catalogs),
        limits,
        rand::random(),
    )
}

/// How numbers are dialled, and the currency of answers: those of the first operator.
fn local_habits(catalogs: &Catalogs) -> (Dialling, u32) {
    let first = catalogs.iter().next();
    let country = first.map_or_else(String::new, |catalog| catalog.numbering.country.value.to_string());
    let trunk = first.map_or_else(String::new, |catalog| catalog.numbering.trunk.clone());
    let currency = first.and_then(|catalog| currency_number(&catalog.currency));
    (Dialling { country, trunk }, currency.unwrap_or(0))
}

fn acceptor(certificate: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| {
            Failure::usage(format!(
                "read diameter.tls_certificate {}: {error}",
                certificate.display()
            ))
        })?;
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| Failure::usage(format!("read diameter.tls_key {}: {error}", key.display())))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("set up TLS")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| Failure::usage(format!("diameter.tls_certificate and tls_key: {error}")))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
