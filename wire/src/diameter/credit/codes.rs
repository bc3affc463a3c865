//! The enumerations of credit control.

use crate::diameter::avp::Avp;
use crate::diameter::error::ViolationResult;

/// An Enumerated AVP value.
pub trait Enumerated: Sized + Copy {
    /// The value with this number, if there is one.
    fn from_code(code: i32) -> Option<Self>;
    /// The number of the value.
    fn code(self) -> i32;

    /// Reads an AVP. Errors: 5014, and 5004 for a number without meaning.
    fn parse(avp: &Avp<'_>) -> ViolationResult<Self> {
        Self::from_code(avp.i32()?).ok_or_else(|| avp.invalid_value("value has no meaning"))
    }
}

macro_rules! enumerated {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant = $code,)* }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
        }

        impl Enumerated for $name {
            #[inline]
            fn from_code(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
            #[inline]
            fn code(self) -> i32 {
                self as i32
            }
        }
    )*};
}

enumerated! {
    /// CC-Request-Type (RFC 8506 section 8.3).
    RequestType {
        /// First request of a session.
        Initial = 1,
        /// Report and further quota.
        Update = 2,
        /// End of a session.
        Termination = 3,
        /// One request without a session.
        Event = 4,
    }
    /// Requested-Action of an event (RFC 8506 section 8.41).
    RequestedAction {
        /// Charge now.
        DirectDebiting = 0,
        /// Give back.
        RefundAccount = 1,
        /// Is there enough? Nothing moves.
        CheckBalance = 2,
        /// What would it cost? Nothing moves.
        PriceEnquiry = 3,
    }
    /// Subscription-Id-Type (RFC 8506 section 8.47).
    SubscriptionIdType {
        /// International number.
        E164 = 0,
        /// International mobile subscriber identity.
        Imsi = 1,
        /// SIP URI.
        SipUri = 2,
        /// Network access identifier.
        Nai = 3,
        /// An identifier that the server gave.
        Private = 4,
    }
    /// Tariff-Change-Usage (RFC 8506 section 8.27).
    TariffChangeUsage {
        /// Used before the change.
        Before = 0,
        /// Used after the change.
        After = 1,
        /// Used across the change.
        Indeterminate = 2,
    }
    /// Reporting-Reason (TS 32.299 section 7.2.175).
    ReportingReason {
        /// The threshold was reached.
        Threshold = 0,
        /// Quota-Holding-Time ran out.
        QuotaHoldingTime = 1,
        /// The service ended.
        Final = 2,
        /// The quota is used up.
        QuotaExhausted = 3,
        /// Validity-Time ran out.
        ValidityTime = 4,
        /// Another kind of quota of the same service was reached.
        OtherQuotaType = 5,
        /// Place, QoS or another condition changed.
        RatingConditionChange = 6,
        /// The server asked.
        ForcedReauthorisation = 7,
        /// The shared pool is used up.
        PoolExhausted = 8,
        /// The unused-quota timer ran out.
        UnusedQuotaTimer = 9,
    }
    /// Credit-Control-Failure-Handling (RFC 8506 section 8.14).
    FailureHandling {
        /// End the service.
        Terminate = 0,
        /// Try another server, then go on without.
        Continue = 1,
        /// Try another server, then end the service.
        RetryAndTerminate = 2,
    }
    /// Direct-Debiting-Failure-Handling (RFC 8506 section 8.15).
    DirectDebitingFailureHandling {
        /// Refuse, or keep the request for later.
        TerminateOrBuffer = 0,
        /// Give the service.
        Continue = 1,
    }
    /// Redirect-Address-Type (RFC 8506 section 8.38).
    RedirectAddressType {
        /// IPv4 address.
        Ipv4 = 0,
        /// IPv6 address.
        Ipv6 = 1,
        /// URL.
        Url = 2,
        /// SIP URI.
        SipUri = 3,
    }
    /// Role-Of-Node (TS 32.299 section 7.2.185).
    RoleOfNode {
        /// Serves the caller.
        Originating = 0,
        /// Serves the called party.
        Terminating = 1,
        /// Forwards the call.
        Forwarding = 2,
        /// Back-to-back user agent, an application server.
        BackToBack = 3,
    }
}
