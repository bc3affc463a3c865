//! A simulated call server and message centre on Ro: calls in accelerated time, short messages as events.
//!
//! The call server is an S-CSCF with Kamailio's `ims_charging`, as it was observed on the wire.
//!
//! # Layout
//! - here: [`CallServer`], its settings, and the errors of both.
//! - [`call`]: one leg of a call from INVITE to BYE.
//! - `kamailio`: the requests as Kamailio writes them, with all that a strict server stumbles over.
//! - [`sms`]: [`MessageCentre`]: debits, refunds, balance checks and price enquiries.

pub mod call;
mod kamailio;
pub mod sms;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::diameter::{self, Client, ClientError};
pub use call::{Call, CallEnd, CallEntry, CallRecord, Leg};
pub use sms::{MessageCentre, MessageCentreSettings};

/// Settings of a call server.
#[derive(Debug, Clone)]
pub struct CallServerSettings {
    /// Origin-Host.
    pub host: String,
    /// Origin-Realm.
    pub realm: String,
    /// Destination-Realm.
    pub destination_realm: String,
    /// Seconds asked for at once.
    pub request_s: u32,
    /// An update is sent this many seconds before the grant ends.
    pub buffer_s: u32,
    /// When the last grant ends, the call is cut this many seconds later.
    pub cut_late_s: u32,
    /// Service-Identifier.
    pub service_identifier: u32,
    /// Rating-Group.
    pub rating_group: u32,
}

impl CallServerSettings {
    /// As Kamailio was observed: 30 s at once, 5 s early, cut one second late, service 1000 in rating group 100.
    #[must_use]
    pub fn new(destination_realm: &str) -> Self {
        Self {
            host: "scscf.ims.example".to_owned(),
            realm: "ims.example".to_owned(),
            destination_realm: destination_realm.to_owned(),
            request_s: 30,
            buffer_s: 5,
            cut_late_s: 1,
            service_identifier: 1000,
            rating_group: 100,
        }
    }
}

/// A call server with its connection. Calls share it.
#[derive(Debug, Clone)]
pub struct CallServer {
    client: Client,
    settings: Arc<CallServerSettings>,
}

impl CallServer {
    /// Connects to a server.
    pub async fn connect(server: SocketAddr, settings: CallServerSettings) -> Result<Self, ClientError> {
        let peer = diameter::settings(&settings.host, &settings.realm, "Kamailio CDP");
        let client = Client::connect(server, peer).await?;
        Ok(Self::over(client, settings))
    }

    /// A call server on a connection that is there already.
    #[must_use]
    pub fn over(client: Client, settings: CallServerSettings) -> Self {
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

    /// Plays one leg of a call: rings, talks for as long as the call wants and the credit allows, ends. No wall time
    /// passes but that of the server's answers.
    pub async fn call(&self, call: &Call) -> Result<CallRecord, ClientError> {
        call::play(&self.client, &self.settings, call).await
    }

    /// Plays both legs of a call within one network, the caller's first. The called party talks as long as the caller.
    pub async fn call_on_net(&self, call: &Call) -> Result<(CallRecord, CallRecord), ClientError> {
        let originating = self
            .call(&Call {
                leg: Leg::Originating,
                ..call.clone()
            })
            .await?;
        let terminating = Call {
            leg: Leg::Terminating,
            talk_s: originating.talked_s,
            is_answered: originating.talked_s > 0,
            ..call.clone()
        };
        let terminating = self.call(&terminating).await?;
        Ok((originating, terminating))
    }

    /// Says goodbye to the server.
    pub async fn disconnect(&self) {
        self.client.disconnect().await;
    }
}
