//! What kind of peer asked: chosen by observation of its requests, never typed into a table.
//!
//! Facts: what real clients send and what they read from the answers (Open5GS SMF, Kamailio ims_charging).

use charge::command::PeerTraits;
use charge::unit::Amount;
use wire::diameter::credit::{ChargingService, CreditControlRequest};

/// A family of clients that behave alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Follows the specifications.
    Standard,
    /// Open5GS SMF on Gy: one service without any key, limits volume by CC-Total-Octets alone, answers RAR and ignores it.
    Open5gs,
    /// Kamailio `ims_charging` on Ro: vendor application id alone, reads CC-Time alone.
    KamailioIms,
}

impl Profile {
    /// The family that a request shows.
    pub fn observe(request: &CreditControlRequest<'_>) -> Profile {
        let keyless = |service: &wire::diameter::credit::ServiceRequest| {
            service.rating_group.is_none() && service.service_identifiers.is_empty()
        };
        match request.service_context.service {
            ChargingService::PacketSwitched
                if request.services.len() == 1
                    && request.services.iter().all(keyless)
                    && request.requested_action.is_some() =>
            {
                Profile::Open5gs
            }
            ChargingService::Ims | ChargingService::Mmtel
                if request.application.auth.is_none() && request.application.vendor.is_some() =>
            {
                Profile::KamailioIms
            }
            _ => Profile::Standard,
        }
    }

    /// What the core must know about it.
    pub fn traits(self) -> PeerTraits {
        match self {
            Profile::Standard => PeerTraits::default(),
            Profile::Open5gs | Profile::KamailioIms => PeerTraits {
                ignores_reauth: true,
                splits_tariff_change: false,
                grant_max: Amount::ZERO,
            },
        }
    }
}
