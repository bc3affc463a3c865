//! Messages of the base protocol (RFC 6733): capabilities, watchdog, disconnect, re-auth, abort, and plain answers.

mod answer;
mod capabilities;
mod link;
mod session;

pub use answer::AnswerMessage;
pub use capabilities::{CapabilitiesAnswer, CapabilitiesRequest, SECURITY_NONE};
pub use link::{DeviceWatchdogRequest, DisconnectCause, DisconnectPeerRequest};
pub use session::{AbortSessionRequest, ReAuthRequest};

/// Who we are in the messages we originate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Origin-Host.
    pub host: &'a str,
    /// Origin-Realm.
    pub realm: &'a str,
    /// Origin-State-Id: grows with every start that loses session state; `None` to leave it out.
    pub state_id: Option<u32>,
}
