//! Who we are, whom we talk to, and how patient we are.

use std::net::IpAddr;

use crate::diameter::base::Identity;
use crate::diameter::limits::REQUESTS_OUTSTANDING_MAX;

/// Which side of a connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Accepts the connection, answers CER, serves CCR.
    Responder,
    /// Made the connection, sends CER and CCR, serves RAR and ASR.
    Initiator,
}

/// This node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalNode {
    /// Origin-Host.
    pub host: String,
    /// Origin-Realm.
    pub realm: String,
    /// Origin-State-Id: grows with every start that loses session state; `None` when none is ever lost.
    pub state_id: Option<u32>,
    /// Product-Name.
    pub product_name: String,
}

impl LocalNode {
    /// Its names as they go into messages.
    #[must_use]
    pub fn identity(&self) -> Identity<'_> {
        Identity {
            host: &self.host,
            realm: &self.realm,
            state_id: self.state_id,
        }
    }
}

/// The other node, as its CER or CEA says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteNode {
    /// Origin-Host.
    pub host: String,
    /// Origin-Realm.
    pub realm: String,
    /// Host-IP-Addresses.
    pub addresses: Vec<IpAddr>,
    /// Product-Name: with what we observe, it chooses the peer profile.
    pub product_name: String,
    /// Vendor-Id.
    pub vendor_id: u32,
    /// Origin-State-Id.
    pub state_id: Option<u32>,
}

/// Which realms may connect without being configured one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealmPolicy {
    /// Every realm.
    Any,
    /// These realms; `*.example.org` stands for every realm below example.org.
    Listed(Vec<String>),
}

impl RealmPolicy {
    /// True when a node of this realm may connect. Case does not matter.
    #[must_use]
    pub fn admits(&self, realm: &str) -> bool {
        let Self::Listed(patterns) = self else { return true };
        patterns.iter().any(|pattern| match pattern.strip_prefix('*') {
            Some(suffix) if suffix.starts_with('.') => realm
                .len()
                .checked_sub(suffix.len())
                .and_then(|at| realm.get(at..))
                .is_some_and(|end| end.len() < realm.len() && end.eq_ignore_ascii_case(suffix)),
            _ => pattern.eq_ignore_ascii_case(realm),
        })
    }
}

/// What all connections of a node share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSettings {
    /// This node.
    pub node: LocalNode,
    /// Who may connect.
    pub realms: RealmPolicy,
    /// Watchdog interval Tw before jitter, milliseconds.
    pub watchdog_ms: u64,
    /// How long a request of ours waits for its answer, milliseconds.
    pub request_timeout_ms: u64,
    /// Requests of the peer that may wait at once; one more gets DIAMETER_TOO_BUSY.
    pub outstanding_max: u32,
}

impl PeerSettings {
    /// Settings with the values the RFCs recommend: Tw 30 s, Tx 10 s, every realm.
    #[must_use]
    pub fn new(node: LocalNode) -> Self {
        Self {
            node,
            realms: RealmPolicy::Any,
            watchdog_ms: 30_000,
            request_timeout_ms: 10_000,
            outstanding_max: REQUESTS_OUTSTANDING_MAX,
        }
    }
}
