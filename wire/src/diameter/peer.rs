//! One Diameter connection, either side of it, without socket or clock (RFC 6733 section 5, RFC 3539 watchdog).
//!
//! The owner of the socket feeds octets to [`Peer::handle_input`], takes [`Event`]s until there are none, writes what
//! [`Peer::poll_transmit`] gives, and calls [`Peer::handle_timeout`] at [`Peer::poll_timeout`]. Times are milliseconds of
//! any clock that does not go back.
//!
//! There is no election (RFC 6733 section 5.6.4): it settles which of two crossing connections survives, and ours cannot
//! cross, since a node that answers never connects and a node that connects never listens. A client may hold several connections.

mod link;
mod pending;
mod settings;

use std::net::IpAddr;
use std::sync::Arc;

use super::base::DisconnectCause;
use super::error::ResultCode;
use super::framer::Framer;
use super::header::MessageId;
use super::limits::{RECEIVE_OCTETS_MAX, TRANSMIT_OCTETS_MAX};
use super::message::Message;
use link::{Link, Outcome};
pub use settings::{LocalNode, PeerSettings, RealmPolicy, RemoteNode, Role};

/// What happened on a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The capabilities exchange succeeded; requests may be sent.
    Opened(&'a RemoteNode),
    /// The peer asks: CCR on the answering side, RAR or ASR on the asking side. Owed: one [`Peer::send_answer`].
    Request(Message<'a>),
    /// The peer answers the request that was sent with this tag.
    Answer {
        /// As given to [`Peer::send_request`].
        tag: u64,
        /// The answer, perhaps with the E bit.
        message: Message<'a>,
    },
    /// No answer will come to the request with this tag: it took too long or the connection is gone.
    Unanswered {
        /// As given to [`Peer::send_request`].
        tag: u64,
    },
    /// The connection is over: send what [`Peer::poll_transmit`] still has and close the socket.
    Closed(CloseReason),
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The peer sent Disconnect-Peer.
    #[error("the peer disconnected: {0:?}")]
    PeerDisconnected(DisconnectCause),
    /// We sent Disconnect-Peer.
    #[error("disconnected on our side")]
    Disconnected,
    /// The transport was closed or failed.
    #[error("transport closed")]
    TransportClosed,
    /// No capabilities exchange in time.
    #[error("no capabilities exchange in time")]
    CapabilitiesTimeout,
    /// The capabilities exchange failed with this code, on either side.
    #[error("capabilities exchange refused: {0}")]
    CapabilitiesRefused(ResultCode),
    /// Something else came before the capabilities exchange.
    #[error("message before the capabilities exchange")]
    CapabilitiesSkipped,
    /// The stream lost its framing.
    #[error("message length of {0} octets cannot be")]
    Framing(usize),
    /// The watchdog was not answered.
    #[error("watchdog not answered")]
    Unresponsive,
}

/// Why a request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Before the capabilities exchange or after the end.
    #[error("the connection is not open")]
    NotOpen,
    /// Too many requests wait for an answer.
    #[error("too many requests wait for an answer")]
    TooManyPending,
    /// The peer reads too slowly.
    #[error("too many octets wait to be sent")]
    TransmitFull,
}

/// One connection.
#[derive(Debug)]
pub struct Peer {
    framer: Framer,
    link: Link,
}

impl Peer {
    /// The answering side, just accepted on `local_address`. `seed` gives the jitter of the watchdog and the start of the
    /// identifiers.
    #[must_use]
    pub fn responder(settings: Arc<PeerSettings>, local_address: IpAddr, seed: u64, now_ms: u64) -> Self {
        let link = Link::new(settings, Role::Responder, local_address, seed, now_ms);
        Self {
            framer: Framer::default(),
            link,
        }
    }

    /// The asking side, just connected from `local_address`; its CER is ready to be transmitted.
    #[must_use]
    pub fn initiator(settings: Arc<PeerSettings>, local_address: IpAddr, seed: u64, now_ms: u64) -> Self {
        let mut link = Link::new(settings, Role::Initiator, local_address, seed, now_ms);
        link.send_capabilities_request();
        Self {
            framer: Framer::default(),
            link,
        }
    }

    /// Takes received octets. Call [`Peer::poll_event`] until it has nothing more, then again after transmitting.
    pub fn handle_input(&mut self, now_ms: u64, octets: &[u8]) {
        self.link.now_ms = now_ms;
        if !self.link.is_closed() {
            self.framer.push(octets);
        }
    }

    /// The transport is closed or failed.
    pub fn handle_transport_closed(&mut self, now_ms: u64) {
        self.link.now_ms = now_ms;
        self.link.transport_closed();
    }

    /// The time that [`Peer::poll_timeout`] named has come; earlier calls do no harm.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.link.now_ms = now_ms;
        self.link.timeout();
    }

    /// When to call [`Peer::handle_timeout`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.link.next_timeout()
    }

    /// Moves what is to be sent to the end of `out`; without copying when `out` is empty. False when there is nothing.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        let transmit = &mut self.link.transmit;
        if transmit.is_empty() {
            return false;
        }
        if out.is_empty() {
            std::mem::swap(transmit, out);
        } else {
            out.append(transmit);
        }
        true
    }

    /// The next event. Watchdogs, disconnects and refusals are dealt with on the way. `None` also while a peer that does not
    /// read has too much waiting for it: its further requests stay where they are.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        let (range, outcome) = loop {
            if let Some(tag) = self.link.unanswered.pop_front() {
                return Some(Event::Unanswered { tag });
            }
            if std::mem::take(&mut self.link.has_opened) {
                return self.link.remote.as_ref().map(Event::Opened);
            }
            if let Some(reason) = self.link.take_close_reason() {
                return Some(Event::Closed(reason));
            }
            if self.link.is_closed() || self.link.transmit.len() >= TRANSMIT_OCTETS_MAX {
                return None;
            }
            match self.framer.next_range() {
                Err(error) => self.link.lose_framing(&error),
                Ok(None) => return None,
                Ok(Some(range)) => match self.link.take(self.framer.lend(range.clone())) {
                    Outcome::Handled => {}
                    outcome => break (range, outcome),
                },
            }
        };
        let frame = self.framer.lend(range);
        match outcome {
            Outcome::Handled => None,
            Outcome::Request(header) => Some(Event::Request(Message { header, frame })),
            Outcome::Answer { tag, header } => Some(Event::Answer {
                tag,
                message: Message { header, frame },
            }),
        }
    }

    /// True while more octets may be read from the socket; false asks the caller to let the peer wait.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        !self.link.is_closed() && self.framer.buffered() < RECEIVE_OCTETS_MAX
    }

    /// Sends one answer that `write` appends. Dropped when the connection is over.
    pub fn send_answer(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.link.send_answer(write);
    }

    /// Sends one request that `write` appends with the identifiers it is given. Its end comes as [`Event::Answer`] or
    /// [`Event::Unanswered`] with the tag. A retransmission passes the end-to-end identifier of the first sending.
    pub fn send_request(
        &mut self,
        tag: u64,
        end_to_end: Option<u32>,
        write: impl FnOnce(MessageId, &mut Vec<u8>),
    ) -> Result<MessageId, SendError> {
        self.link.send_request(tag, end_to_end, write)
    }

    /// Starts to leave: sends DPR, refuses further requests with 3002, still sends answers that are owed.
    pub fn disconnect(&mut self, now_ms: u64, cause: DisconnectCause) {
        self.link.now_ms = now_ms;
        self.link.disconnect(cause);
    }

    /// The other node, once the capabilities exchange succeeded.
    #[must_use]
    pub fn remote(&self) -> Option<&RemoteNode> {
        self.link.remote.as_ref()
    }

    /// True between [`Event::Opened`] and the begin of the end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.link.is_open()
    }

    /// Requests of the peer that wait for an answer.
    #[must_use]
    pub fn outstanding(&self) -> u32 {
        self.link.outstanding
    }

    /// Requests of ours that wait for an answer.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.link.pending.len()
    }
}
