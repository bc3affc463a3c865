//! Every limit of the Diameter front, in one place: what a peer may send, and what we keep for it.

/// Largest message, in octets, that is read or written (the header's 24-bit length could say 16 MiB).
pub const MESSAGE_OCTETS_MAX: usize = 64 * 1024;
/// Deepest nesting of grouped AVPs; the typed views need six.
pub const GROUP_DEPTH_MAX: u8 = 8;
/// AVPs in one message or one group.
pub const AVPS_PER_LEVEL_MAX: u16 = 512;
/// Multiple-Services-Credit-Control AVPs in one request or answer.
pub const SERVICES_MAX: usize = 64;
/// Used-Service-Unit AVPs in one service.
pub const USED_UNITS_MAX: usize = 32;
/// Service-Identifier AVPs in one service.
pub const SERVICE_IDENTIFIERS_MAX: usize = 32;
/// Subscription-Id AVPs in one request.
pub const SUBSCRIPTION_IDS_MAX: usize = 16;
/// Proxy-Info AVPs, that is agents on the way, in one message.
pub const PROXY_INFOS_MAX: usize = 16;
/// Route-Record AVPs in one message.
pub const ROUTE_RECORDS_MAX: usize = 32;
/// Addresses, applications, recipients and filters in one list.
pub const LIST_ENTRIES_MAX: usize = 32;
/// Longest Access-Network-Information that is read; a longer one tells no place.
pub const ACCESS_NETWORK_OCTETS_MAX: usize = 512;
/// Longest AVP copied whole into Failed-AVP; of a longer one only its header and a minimal value are returned.
pub const FAILED_AVP_OCTETS_MAX: usize = 2048;

/// Requests of one peer that may wait for an answer; one more gets DIAMETER_TOO_BUSY.
pub const REQUESTS_OUTSTANDING_MAX: u32 = 4096;
/// Requests of ours that may wait for one peer's answer.
pub const REQUESTS_PENDING_MAX: usize = 32 * 1024;
/// Octets waiting to be sent above which no further request of that peer is taken.
pub const TRANSMIT_OCTETS_MAX: usize = 1024 * 1024;
/// Octets received and not yet taken above which the caller should stop reading the socket.
pub const RECEIVE_OCTETS_MAX: usize = 256 * 1024;

/// Time a fresh connection has to finish its capabilities exchange.
pub const CAPABILITIES_TIMEOUT_MS: u64 = 10_000;
/// Time from Disconnect-Peer to the end of the connection.
pub const DISCONNECT_TIMEOUT_MS: u64 = 5_000;
/// Lower bound of the watchdog interval Tw (RFC 3539 section 3.4.1), jitter included.
pub const WATCHDOG_MS_MIN: u64 = 6_000;
/// Width of the watchdog jitter, +-2 s (RFC 3539 section 3.4.1).
pub const WATCHDOG_JITTER_MS: u64 = 2_000;
/// Watchdog intervals without a sign of life after which the connection is closed.
pub const WATCHDOG_MISSES_MAX: u8 = 2;
