//! A simulated packet gateway on Gy: opens data sessions, carries octets, and reports when a real gateway would.
//!
//! Two kinds: one that follows the specifications (TS 32.299, RFC 8506), and Open5GS SMF as it was observed on the wire.
//!
//! # Layout
//! - here: [`Gateway`], its settings and what a phone attaches with.
//! - [`session`]: [`DataSession`], the quota of each rating group and what makes it report.
//! - `quota`: grants, thresholds and validity; when the next report is due.
//! - `request`: the Credit-Control-Requests of both kinds.

mod quota;
mod request;
pub mod session;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::diameter::{self, Client, ClientError};
pub use session::{DataSession, Entry};
use wire::diameter::ResultCode;

/// How the gateway behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Rating groups, one service each; reports on threshold, exhaustion, validity and Re-Auth; redirects and restricts.
    Standard,
    /// Open5GS SMF: one service without keys, 1,000,000 octets requested, Re-Auth answered and ignored, any
    /// Final-Unit-Indication ends the session with the next report.
    Open5gs,
}

/// Settings of a gateway.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Origin-Host.
    pub host: String,
    /// Origin-Realm.
    pub realm: String,
    /// Destination-Realm.
    pub destination_realm: String,
    /// How it behaves.
    pub profile: Profile,
    /// Octets asked for at once.
    pub request_octets: u64,
    /// Octets of one packet: a packet that has begun is carried, so a grant is overrun by less than one.
    pub packet_octets: u64,
    /// Speed of the simulated phone, for CC-Time; no wall time passes.
    pub octets_per_s: u64,
}

impl GatewaySettings {
    /// A gateway of this kind, named as its kind names itself.
    #[must_use]
    pub fn new(profile: Profile, destination_realm: &str) -> Self {
        let host = match profile {
            Profile::Standard => "pgw1.epc.example",
            Profile::Open5gs => "smf.localdomain",
        };
        Self {
            host: host.to_owned(),
            realm: host.split_once('.').map_or(host, |(_, realm)| realm).to_owned(),
            destination_realm: destination_realm.to_owned(),
            profile,
            request_octets: 1_000_000,
            // 5,000,000 octets end at 5,000,920 as was observed with Open5GS.
            packet_octets: 1_240,
            octets_per_s: 2_500_000,
        }
    }
}

/// What a phone attaches with.
#[derive(Debug, Clone)]
pub struct Attach {
    /// IMSI.
    pub imsi: String,
    /// Number without plus, if the gateway knows it.
    pub msisdn: Option<String>,
    /// Access point name.
    pub apn: String,
    /// Country and network code of the serving network, for example `41001`.
    pub serving_network: String,
    /// Tracking area code of the serving cell.
    pub area: u16,
    /// Cell identity, 28 bits.
    pub cell: u32,
    /// Address of the phone.
    pub address: IpAddr,
    /// Rating groups that are asked for at once; the Open5GS kind has none.
    pub rating_groups: Vec<u32>,
}

impl Attach {
    /// A phone at home in area 1 of a network.
    #[must_use]
    pub fn new(imsi: &str, msisdn: Option<&str>, serving_network: &str) -> Self {
        Self {
            imsi: imsi.to_owned(),
            msisdn: msisdn.map(str::to_owned),
            apn: "internet".to_owned(),
            serving_network: serving_network.to_owned(),
            area: 1,
            cell: 0x0001_9b01,
            address: IpAddr::V4(Ipv4Addr::new(10, 45, 0, 2)),
            rating_groups: vec![1],
        }
    }
}

/// Why a session did not go on.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The server or the way to it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server refused the session; the log tells more.
    #[error("the session is refused: {0}")]
    Refused(ResultCode),
    /// The session has no such rating group.
    #[error("the session has no rating group {0:?}")]
    NoSuchRatingGroup(Option<u32>),
}

/// A gateway with its connection. Sessions share it.
#[derive(Debug, Clone)]
pub struct Gateway {
    client: Client,
    settings: Arc<GatewaySettings>,
}

impl Gateway {
    /// Connects to a server.
    pub async fn connect(server: SocketAddr, settings: GatewaySettings) -> Result<Self, ClientError> {
        let product = match settings.profile {
            Profile::Standard => "Raseed simulated gateway",
            Profile::Open5gs => "freeDiameter",
        };
        let peer = diameter::settings(&settings.host, &settings.realm, product);
        let client = Client::connect(server, peer).await?;
        Ok(Self::over(client, settings))
    }

    /// A gateway on a connection that is there already.
    #[must_use]
    pub fn over(client: Client, settings: GatewaySettings) -> Self {
        Self {
            client,
            settings: Arc::new(settings),
        }
    }

    /// The connection.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens a data session (CCR-I). A session that the server refuses is ended with a CCR-T, as real gateways do.
    /// Errors: refused, no answer.
    pub async fn open(&self, attach: Attach) -> Result<DataSession, GatewayError> {
        DataSession::open(self.client.clone(), self.settings.clone(), attach).await
    }

    /// Says goodbye to the server.
    pub async fn disconnect(&self) {
        self.client.disconnect().await;
    }
}
