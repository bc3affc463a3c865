//! The task behind a client: octets to and from the socket, answers to those who wait for them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;
use wire::diameter::base::{AbortSessionRequest, AnswerMessage, DisconnectCause, ReAuthRequest};
use wire::diameter::peer::{CloseReason, Event, LocalNode, Peer, PeerSettings, RemoteNode};
use wire::diameter::{CommandCode, Header, Message, ResultCode};

use super::{Answer, ClientError, Notice};

/// Octets read at once.
const READ_OCTETS: usize = 64 * 1024;
/// Place of the hop-by-hop identifier in a message.
const HOP_BY_HOP: std::ops::Range<usize> = 12..16;
/// When nothing is planned, look again after this long.
const IDLE: Duration = Duration::from_secs(60);
/// What is still to be written at the end has this long.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(super) type Reply = oneshot::Sender<Result<Answer, ClientError>>;

#[derive(Debug)]
pub(super) enum Order {
    Request { frame: Vec<u8>, reply: Reply },
    Disconnect(DisconnectCause),
    Cut,
}

pub(super) struct Driver {
    peer: Peer,
    node: LocalNode,
    waiting: HashMap<u64, Reply>,
    next_tag: u64,
    notices: broadcast::Sender<Notice>,
    closed: watch::Sender<Option<CloseReason>>,
    opened: Option<oneshot::Sender<RemoteNode>>,
    started: Instant,
}

impl Driver {
    pub(super) fn new(
        settings: PeerSettings,
        local: IpAddr,
        seed: u64,
        notices: broadcast::Sender<Notice>,
        closed: watch::Sender<Option<CloseReason>>,
        opened: oneshot::Sender<RemoteNode>,
    ) -> Self {
        Self {
            node: settings.node.clone(),
            peer: Peer::initiator(Arc::new(settings), local, seed, 0),
            waiting: HashMap::new(),
            next_tag: 0,
            notices,
            closed,
            opened: Some(opened),
            started: Instant::now(),
        }
    }

    /// Runs the connection to its end.
    pub(super) async fn run<S>(mut self, stream: S, mut orders: mpsc::Receiver<Order>)
    where
        S: AsyncRead + AsyncWrite + Send,
    {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut input = Vec::with_capacity(READ_OCTETS);
        let (mut out, mut written) = (Vec::new(), 0);
        let mut is_ordered = true;
        let reason = loop {
            let reason = self.take_events();
            if written == out.len() {
                out.clear();
                written = 0;
            }
            self.peer.poll_transmit(&mut out);
            if let Some(reason) = reason {
                break reason;
            }
            let deadline = self.peer.poll_timeout().map_or_else(
                || Instant::now() + IDLE,
                |ms| self.started + Duration::from_millis(ms),
            );
            tokio::select! {
                sent = writer.write(&out[written..]), if written < out.len() => match sent {
                    Ok(octets) if octets > 0 => written += octets,
                    _ => self.peer.handle_transport_closed(self.now_ms()),
                },
                read = reader.read_buf(&mut input), if self.peer.wants_input() => match read {
                    Ok(octets) if octets > 0 => {
                        self.peer.handle_input(self.now_ms(), &input);
                        input.clear();
                    }
                    _ => self.peer.handle_transport_closed(self.now_ms()),
                },
                order = orders.recv(), if is_ordered => match order {
                    Some(Order::Request { frame, reply }) => self.send(frame, reply),
                    Some(Order::Disconnect(cause)) => self.peer.disconnect(self.now_ms(), cause),
                    Some(Order::Cut) => break CloseReason::TransportClosed,
                    // Nobody holds the client any more.
                    None => {
                        is_ordered = false;
                        self.peer.disconnect(self.now_ms(), DisconnectCause::DoNotWantToTalkToYou);
                    }
                },
                () = tokio::time::sleep_until(deadline) => self.peer.handle_timeout(self.now_ms()),
            }
        };
        // The peer may be gone; then there is nobody to tell.
        let _ = tokio::time::timeout(LAST_WORDS, writer.write_all(&out[written..])).await;
        let _ = writer.shutdown().await;
        let _ = self.closed.send(Some(reason));
        let _ = self.notices.send(Notice::Closed(reason));
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn send(&mut self, mut frame: Vec<u8>, reply: Reply) {
        let Some(header) = Header::read(&frame) else {
            let _ = reply.send(Err(ClientError::Unanswered));
            return;
        };
        let tag = self.next_tag;
        self.next_tag += 1;
        let sent = self
            .peer
            .send_request(tag, Some(header.id.end_to_end), |id, out| {
                frame[HOP_BY_HOP].copy_from_slice(&id.hop_by_hop.to_be_bytes());
                out.extend_from_slice(&frame);
            });
        match sent {
            Ok(_) => {
                self.waiting.insert(tag, reply);
            }
            // A caller that does not wait any more needs no word.
            Err(error) => drop(reply.send(Err(ClientError::NotSent(error)))),
        }
    }

    fn take_events(&mut self) -> Option<CloseReason> {
        let mut answers = Vec::new();
        let mut reason = None;
        while let Some(event) = self.peer.poll_event() {
            match event {
                Event::Opened(remote) => {
                    if let Some(opened) = self.opened.take() {
                        let _ = opened.send(remote.clone());
                    }
                }
                Event::Answer { tag, message } => {
                    if let Some(reply) = self.waiting.remove(&tag) {
                        let _ = reply.send(Answer::new(message.frame.to_vec()));
                    }
                }
                Event::Unanswered { tag } => {
                    if let Some(reply) = self.waiting.remove(&tag) {
                        let _ = reply.send(Err(ClientError::Unanswered));
                    }
                }
                Event::Request(message) => answers.push(answer(&self.node, &self.notices, message)),
                Event::Closed(why) => reason = Some(why),
            }
        }
        for answer in answers {
            self.peer.send_answer(|out| out.extend_from_slice(&answer));
        }
        reason
    }
}

/// Answers a request of the server and tells the listeners of it.
fn answer(node: &LocalNode, notices: &broadcast::Sender<Notice>, message: Message<'_>) -> Vec<u8> {
    let identity = node.identity();
    let (code, notice) = match message.header.command {
        CommandCode::RE_AUTH => match ReAuthRequest::parse(message) {
            Ok(request) => {
                let notice = Notice::ReAuth {
                    session_id: request.session_id.to_owned(),
                    rating_group: request.rating_group,
                };
                (ResultCode::SUCCESS, Some(notice))
            }
            Err(violation) => (violation.code, None),
        },
        CommandCode::ABORT_SESSION => match AbortSessionRequest::parse(message) {
            Ok(request) => {
                let session_id = request.session_id.to_owned();
                (ResultCode::SUCCESS, Some(Notice::Abort { session_id }))
            }
            Err(violation) => (violation.code, None),
        },
        _ => (ResultCode::COMMAND_UNSUPPORTED, None),
    };
    if let Some(notice) = notice {
        // Without listeners the answer alone counts.
        let _ = notices.send(notice);
    }
    let mut frame = Vec::new();
    AnswerMessage::to(message, &identity, code).encode(&mut frame);
    frame
}
