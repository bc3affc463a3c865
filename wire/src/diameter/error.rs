//! Result codes and violations: what is wrong with a message, and the Failed-AVP that says so (RFC 6733 section 7).

use super::avp::{Avp, AvpKey};
use super::dictionary;
use super::limits::FAILED_AVP_OCTETS_MAX;
use super::writer::append_avp;

/// A Result-Code value (RFC 6733 section 7.1, RFC 8506 section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultCode(pub u32);

macro_rules! result_codes {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        impl ResultCode {
            $(#[doc = $text] pub const $name: Self = Self($value);)*

            /// The name the specification gives the code; empty for others.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self.0 { $($value => $text,)* _ => "" }
            }
        }
    };
}

result_codes! {
    MULTI_ROUND_AUTH = 1001, "DIAMETER_MULTI_ROUND_AUTH";
    SUCCESS = 2001, "DIAMETER_SUCCESS";
    LIMITED_SUCCESS = 2002, "DIAMETER_LIMITED_SUCCESS";
    COMMAND_UNSUPPORTED = 3001, "DIAMETER_COMMAND_UNSUPPORTED";
    UNABLE_TO_DELIVER = 3002, "DIAMETER_UNABLE_TO_DELIVER";
    REALM_NOT_SERVED = 3003, "DIAMETER_REALM_NOT_SERVED";
    TOO_BUSY = 3004, "DIAMETER_TOO_BUSY";
    LOOP_DETECTED = 3005, "DIAMETER_LOOP_DETECTED";
    APPLICATION_UNSUPPORTED = 3007, "DIAMETER_APPLICATION_UNSUPPORTED";
    INVALID_HDR_BITS = 3008, "DIAMETER_INVALID_HDR_BITS";
    INVALID_AVP_BITS = 3009, "DIAMETER_INVALID_AVP_BITS";
    UNKNOWN_PEER = 3010, "DIAMETER_UNKNOWN_PEER";
    END_USER_SERVICE_DENIED = 4010, "DIAMETER_END_USER_SERVICE_DENIED";
    CREDIT_CONTROL_NOT_APPLICABLE = 4011, "DIAMETER_CREDIT_CONTROL_NOT_APPLICABLE";
    CREDIT_LIMIT_REACHED = 4012, "DIAMETER_CREDIT_LIMIT_REACHED";
    AVP_UNSUPPORTED = 5001, "DIAMETER_AVP_UNSUPPORTED";
    UNKNOWN_SESSION_ID = 5002, "DIAMETER_UNKNOWN_SESSION_ID";
    AUTHORIZATION_REJECTED = 5003, "DIAMETER_AUTHORIZATION_REJECTED";
    INVALID_AVP_VALUE = 5004, "DIAMETER_INVALID_AVP_VALUE";
    MISSING_AVP = 5005, "DIAMETER_MISSING_AVP";
    RESOURCES_EXCEEDED = 5006, "DIAMETER_RESOURCES_EXCEEDED";
    AVP_NOT_ALLOWED = 5008, "DIAMETER_AVP_NOT_ALLOWED";
    AVP_OCCURS_TOO_MANY_TIMES = 5009, "DIAMETER_AVP_OCCURS_TOO_MANY_TIMES";
    NO_COMMON_APPLICATION = 5010, "DIAMETER_NO_COMMON_APPLICATION";
    UNSUPPORTED_VERSION = 5011, "DIAMETER_UNSUPPORTED_VERSION";
    UNABLE_TO_COMPLY = 5012, "DIAMETER_UNABLE_TO_COMPLY";
    INVALID_AVP_LENGTH = 5014, "DIAMETER_INVALID_AVP_LENGTH";
    INVALID_MESSAGE_LENGTH = 5015, "DIAMETER_INVALID_MESSAGE_LENGTH";
    NO_COMMON_SECURITY = 5017, "DIAMETER_NO_COMMON_SECURITY";
    USER_UNKNOWN = 5030, "DIAMETER_USER_UNKNOWN";
    RATING_FAILED = 5031, "DIAMETER_RATING_FAILED";
}

impl ResultCode {
    /// True for 2xxx.
    #[must_use]
    pub fn is_success(self) -> bool {
        self.0 / 1000 == 2
    }
    /// True for 3xxx, whose answers carry the E bit (RFC 6733 section 7.1.3).
    #[must_use]
    pub fn is_protocol_error(self) -> bool {
        self.0 / 1000 == 3
    }
}

impl std::fmt::Display for ResultCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            "" => write!(f, "{}", self.0),
            name => write!(f, "{} {name}", self.0),
        }
    }
}

/// The result of reading something a peer sent. Boxed, so that the good path returns in registers.
pub type ViolationResult<T> = Result<T, Box<Violation>>;

/// Why a message cannot be taken: the code to answer, and what to put into Failed-AVP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {what}")]
pub struct Violation {
    /// The Result-Code to answer.
    pub code: ResultCode,
    /// What is wrong, in a few words, for Error-Message and the log.
    pub what: &'static str,
    /// The offending AVP, whole and padded, as it goes into Failed-AVP; empty when there is none to show.
    pub failed_avp: Vec<u8>,
}

impl Violation {
    /// A violation without an offending AVP.
    #[cold]
    pub fn new(code: ResultCode, what: &'static str) -> Box<Self> {
        Box::new(Self {
            code,
            what,
            failed_avp: Vec::new(),
        })
    }

    /// A violation that returns the offending AVP as it came (5001, 5004, 5009).
    #[cold]
    pub fn with_avp(code: ResultCode, what: &'static str, avp: &Avp<'_>) -> Box<Self> {
        let mut failed_avp = Vec::new();
        let minimum = dictionary::octets_min(avp.key);
        let data = avp.data();
        if avp.raw.len() <= FAILED_AVP_OCTETS_MAX {
            append_avp(&mut failed_avp, avp.key, avp.flags, data);
        } else {
            append_avp(
                &mut failed_avp,
                avp.key,
                avp.flags,
                &data[..minimum.min(data.len())],
            );
        }
        Box::new(Self {
            code,
            what,
            failed_avp,
        })
    }

    /// 5005: an example of the missing AVP, its value zeroes of the least length (RFC 6733 section 7.1.5).
    #[cold]
    pub fn missing(key: AvpKey) -> Box<Self> {
        let what = dictionary::name(key).unwrap_or("a required AVP");
        Self::zeroed(ResultCode::MISSING_AVP, what, key, dictionary::flags(key))
    }

    /// 5014: the header of the offending AVP and zeroes of the least length (RFC 6733 section 7.1.5).
    #[cold]
    pub fn invalid_length(key: AvpKey, flags: u8) -> Box<Self> {
        Self::zeroed(
            ResultCode::INVALID_AVP_LENGTH,
            "length does not fit the AVP",
            key,
            flags,
        )
    }

    fn zeroed(code: ResultCode, what: &'static str, key: AvpKey, flags: u8) -> Box<Self> {
        let mut failed_avp = Vec::new();
        append_avp(
            &mut failed_avp,
            key,
            flags,
            &[0; 8][..dictionary::octets_min(key)],
        );
        Box::new(Self {
            code,
            what,
            failed_avp,
        })
    }
}
