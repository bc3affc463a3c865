//! The listening side: accepts connections within limits, and knows by which connection a host is reached.

use super::connection;
use super::translate::{Dialling, Identity};
use charge::{AccountId, Entity, EntityKey};
use engine::Engine;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use wire::diameter::peer::PeerSettings;

/// Limits of the front.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address.
    pub connections_per_address: usize,
    /// Requests per second on one connection; more are answered DIAMETER_TOO_BUSY.
    pub requests_per_s: u32,
    /// Messages of ours to one connection that may wait.
    pub control_queue: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Hosts whose connection is remembered.
    pub hosts: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 4_096,
            connections_per_address: 256,
            requests_per_s: 500_000,
            control_queue: 1_024,
            handshake: Duration::from_secs(10),
            hosts: 65_536,
        }
    }
}

/// What a connection can be told from outside.
#[derive(Debug)]
pub(super) enum Control {
    /// Send a Re-Auth-Request for a session.
    ReAuth {
        /// Session-Id.
        session_id: Box<str>,
        /// The client's Origin-Host.
        host: String,
        /// The client's Origin-Realm.
        realm: String,
    },
}

struct Route {
    realm: String,
    control: mpsc::Sender<Control>,
    /// False for clients that answer a Re-Auth-Request and do nothing.
    honours_reauth: bool,
}

/// The Diameter front. Shared by its connections.
pub struct Front {
    pub(super) engine: Arc<Engine>,
    pub(super) identity: Identity,
    pub(super) peer_settings: Arc<PeerSettings>,
    pub(super) dialling: Dialling,
    pub(super) limits: Limits,
    routes: Mutex<HashMap<String, Route>>,
    addresses: Mutex<HashMap<IpAddr, usize>>,
    /// Grows when a connection ends: those that stay tell again whom they reach.
    ended: AtomicU64,
    seeds: AtomicU64,
}

impl Front {
    /// A front for an engine. `seed` makes identifiers differ from run to run.
    pub fn new(
        engine: Arc<Engine>,
        peer_settings: PeerSettings,
        (dialling, currency): (Dialling, u32),
        limits: Limits,
        seed: u64,
    ) -> Arc<Front> {
        let node = &peer_settings.node;
        let identity = Identity {
            host: node.host.clone(),
            realm: node.realm.clone(),
            currency,
        };
        Arc::new(Front {
            engine,
            identity,
            peer_settings: Arc::new(peer_settings),
            dialling,
            limits,
            routes: Mutex::default(),
            addresses: Mutex::default(),
            ended: AtomicU64::new(0),
            seeds: AtomicU64::new(seed),
        })
    }

    /// Accepts connections until `stop` changes; connections say goodbye then.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.changed() => return,
            };
            match accepted {
                Ok((stream, remote)) => {
                    let Some(guard) = self.admit(remote) else {
                        tracing::warn!(peer = %remote, "too many Diameter connections");
                        continue;
                    };
                    let (front, tls, stop) = (self.clone(), tls.clone(), stop.clone());
                    tokio::spawn(async move {
                        front.connect(stream, remote, tls, stop).await;
                        drop(guard);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a Diameter connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// An account has new money: its open sessions are asked to report, so that they see it.
    pub fn recharged(self: &Arc<Self>, account: AccountId) {
        let front = self.clone();
        let look = |entity: Option<&Entity>, _| -> Vec<(Box<str>, Box<str>)> {
            let account = entity.and_then(Entity::account);
            let open = account
                .iter()
                .flat_map(|account| &account.sessions)
                .filter(|session| !session.closed);
            open.map(|session| (session.id.clone(), session.peer.clone()))
                .collect()
        };
        self.engine
            .read_with(EntityKey::Account(account), look, move |sessions| {
                for (session_id, peer) in sessions.unwrap_or_default() {
                    front.reauthorize(session_id, &peer);
                }
            });
    }

    /// Sessions whose client can be asked to report: tells the connection that reaches it.
    fn reauthorize(&self, session_id: Box<str>, peer: &str) {
        let mut routes = self.routes.lock();
        let Some(route) = routes.get(peer).filter(|route| route.honours_reauth) else {
            return;
        };
        let control = Control::ReAuth {
            session_id,
            host: peer.to_owned(),
            realm: route.realm.clone(),
        };
        if let Err(mpsc::error::TrySendError::Closed(_)) = route.control.try_send(control) {
            routes.remove(peer);
        }
    }

    /// How many connections have ended.
    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    pub(super) fn register(
        &self,
        (host, realm): (&str, &str),
        honours_reauth: bool,
        control: &mpsc::Sender<Control>,
    ) {
        let mut routes = self.routes.lock();
        if routes.len() >= self.limits.hosts {
            routes.retain(|_, route| !route.control.is_closed());
        }
        if routes.len() < self.limits.hosts {
            routes.insert(
                host.to_owned(),
                Route {
                    realm: realm.to_owned(),
                    control: control.clone(),
                    honours_reauth,
                },
            );
        }
    }

    pub(super) fn next_seed(&self) -> u64 {
        self.seeds.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }

    async fn connect(
        self: Arc<Self>,
        stream: TcpStream,
        remote: SocketAddr,
        tls: Option<TlsAcceptor>,
        stop: watch::Receiver<bool>,
    ) {
        // Answers must not wait for the acknowledgement of earlier ones.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(peer = %remote, %error, "no TCP_NODELAY");
        }
        let Ok(local) = stream.local_addr() else { return };
        match tls {
            None => connection::run(self, stream, local, remote, stop).await,
            Some(acceptor) => {
                match tokio::time::timeout(self.limits.handshake, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => connection::run(self, stream, local, remote, stop).await,
                    Ok(Err(error)) => tracing::warn!(peer = %remote, %error, "TLS handshake failed"),
                    Err(_) => tracing::warn!(peer = %remote, "TLS handshake took too long"),
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, remote: SocketAddr) -> Option<Admission> {
        let mut addresses = self.addresses.lock();
        let total: usize = addresses.values().sum();
        let count = addresses.get(&remote.ip()).copied().unwrap_or(0);
        if total >= self.limits.connections || count >= self.limits.connections_per_address {
            return None;
        }
        addresses.insert(remote.ip(), count + 1);
        Some(Admission {
            front: self.clone(),
            address: remote.ip(),
        })
    }
}

/// One admitted connection; counts itself out at its end.
struct Admission {
    front: Arc<Front>,
    address: IpAddr,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.front.ended.fetch_add(1, Ordering::Relaxed);
        let mut addresses = self.front.addresses.lock();
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}
