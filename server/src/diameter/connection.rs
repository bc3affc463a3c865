//! One peer connection: octets in, commands to the engine, answers out. Never waits for one thing while another could go on.

use super::front::{Control, Front};
use super::pending::{Pending, Step};
use super::translate::{self, AnswerContext};
use charge::{Command, Refusal, Reply};
use engine::{CompletionSink, EngineError, SinkId};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use wire::diameter::CommandCode;
use wire::diameter::Message;
use wire::diameter::ResultCode;
use wire::diameter::base::{AnswerMessage, DisconnectCause, ReAuthRequest};
use wire::diameter::credit::CreditControlRequest;
use wire::diameter::peer::{CloseReason, Event, Peer};

/// Octets read at once.
const READ_OCTETS: usize = 64 << 10;
/// After we said goodbye, the peer has this long to close.
const GOODBYE: Duration = Duration::from_secs(2);

/// Where the engine and the directory leave their answers for this connection.
#[derive(Default)]
pub(super) struct Mailbox {
    inner: Mutex<Letters>,
    bell: Notify,
}

#[derive(Default)]
struct Letters {
    answers: Vec<(u64, Result<Reply, EngineError>)>,
    resolved: Vec<u64>,
}

impl CompletionSink for Mailbox {
    fn complete(&self, results: &mut Vec<(u64, Result<Reply, EngineError>)>) {
        self.inner.lock().answers.append(results);
        self.bell.notify_one();
    }
}

impl Mailbox {
    /// The directory has answered what this ticket waits for.
    pub(super) fn resolved(&self, ticket: u64) {
        self.inner.lock().resolved.push(ticket);
        self.bell.notify_one();
    }
}

/// Serves a connection to its end.
pub(super) async fn run<S>(
    front: Arc<Front>,
    stream: S,
    local: SocketAddr,
    remote: SocketAddr,
    stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mailbox = Arc::new(Mailbox::default());
    let sink = front.engine.add_sink(mailbox.clone());
    let (control_sender, control) = mpsc::channel(front.limits.control_queue);
    let started = Instant::now();
    let seed = front.next_seed();
    let connection = Connection {
        peer: Peer::responder(front.peer_settings.clone(), local.ip(), seed, 0),
        pending: Pending::default(),
        contexts: HashMap::new(),
        commands: Vec::new(),
        next_ticket: 0,
        sink,
        mailbox,
        control_sender,
        rate: RateLimit::new(front.limits.requests_per_s),
        known: Known::default(),
        reauths: 0,
        started,
        remote,
        front: front.clone(),
    };
    let reason = connection.serve(stream, control, stop).await;
    tracing::info!(peer = %remote, %reason, "Diameter connection ended");
    front.engine.remove_sink(sink);
}

struct Connection {
    front: Arc<Front>,
    peer: Peer,
    pending: Pending,
    contexts: HashMap<u64, AnswerContext>,
    commands: Vec<(u64, Command)>,
    next_ticket: u64,
    sink: SinkId,
    mailbox: Arc<Mailbox>,
    control_sender: mpsc::Sender<Control>,
    rate: RateLimit,
    known: Known,
    reauths: u64,
    started: Instant,
    remote: SocketAddr,
}

impl Connection {
    async fn serve<S>(
        mut self,
        stream: S,
        mut control: mpsc::Receiver<Control>,
        mut stop: watch::Receiver<bool>,
    ) -> CloseReason
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mailbox = self.mailbox.clone();
        let mut input = Vec::with_capacity(READ_OCTETS);
        let mut out: Vec<u8> = Vec::with_capacity(READ_OCTETS);
        let mut written = 0;
        let mut leaving_until: Option<Instant> = None;
        loop {
            if let Some(reason) = self.drain_events() {
                self.peer.poll_transmit(&mut out);
                let _ = tokio::time::timeout(GOODBYE, writer.write_all(&out[written..])).await;
                let _ = writer.shutdown().await;
                return reason;
            }
            if written == out.len() {
                out.clear();
                written = 0;
                self.peer.poll_transmit(&mut out);
            }
            let deadline = self
                .peer
                .poll_timeout()
                .map(|ms| self.started + Duration::from_millis(ms));
            let deadline = [deadline, leaving_until].into_iter().flatten().min();
            let sleep_until = deadline.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                biased;
                sent = writer.write(&out[written..]), if written < out.len() => match sent {
                    Ok(count) if count > 0 => written += count,
                    _ => self.peer.handle_transport_closed(self.now_ms()),
                },
                () = mailbox.bell.notified() => self.take_letters(),
                read = reader.read_buf(&mut input), if self.peer.wants_input() => match read {
                    Ok(count) if count > 0 => {
                        self.peer.handle_input(self.now_ms(), &input);
                        input.clear();
                    }
                    _ => self.peer.handle_transport_closed(self.now_ms()),
                },
                Some(message) = control.recv() => self.take_control(message),
                _ = stop.changed(), if leaving_until.is_none() => {
                    leaving_until = Some(Instant::now() + GOODBYE);
                    self.peer.disconnect(self.now_ms(), DisconnectCause::Rebooting);
                }
                () = tokio::time::sleep_until(sleep_until) => {
                    self.peer.handle_timeout(self.now_ms());
                    if leaving_until.is_some_and(|until| until <= Instant::now()) {
                        self.peer.handle_transport_closed(self.now_ms());
                    }
                }
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Takes what the peer machine has; the reason when the connection is over.
    fn drain_events(&mut self) -> Option<CloseReason> {
        let mut batch = Vec::new();
        loop {
            // Frames are borrowed from the machine, so what they ask is kept before the machine is used again.
            match self.peer.poll_event() {
                None => break,
                Some(Event::Closed(reason)) => return Some(reason),
                Some(Event::Opened(remote)) => {
                    tracing::info!(peer = %self.remote, host = %remote.host, product = %remote.product_name, "Diameter peer opened");
                    let (host, realm) = (remote.host.clone(), remote.realm.clone());
                    self.register(&host, &realm, true);
                }
                Some(Event::Request(message)) => batch.push(Self::parse(&self.front, message)),
                Some(Event::Answer { .. }) => self.reauths += 1,
                Some(Event::Unanswered { .. }) => {}
            }
        }
        for parsed in batch {
            self.take_request(parsed);
        }
        self.submit();
        None
    }

    /// Reads a request; what cannot be read becomes the exact error answer.
    fn parse(front: &Front, message: Message<'_>) -> Result<Parsed, Vec<u8>> {
        let identity = front.peer_settings.node.identity();
        let mut answer = Vec::new();
        if message.header.command != CommandCode::CREDIT_CONTROL {
            AnswerMessage::to(message, &identity, ResultCode::COMMAND_UNSUPPORTED).encode(&mut answer);
            return Err(answer);
        }
        let request = match CreditControlRequest::parse(message) {
            Ok(request) => request,
            Err(violation) => {
                AnswerMessage::reject(message, &identity, &violation).encode(&mut answer);
                return Err(answer);
            }
        };
        let context = AnswerContext::of(&request);
        let called = translate::called(&request, &front.dialling);
        match translate::command(&request, charge::AccountId(0), (called, None)) {
            Ok(command) => Ok(Parsed {
                subject: translate::subject(&request),
                realm: request.origin_realm.to_owned(),
                command: Box::new(command),
                context,
            }),
            Err(_) => {
                context.refusal(
                    ResultCode::RATING_FAILED,
                    "unknown service context",
                    &front.identity,
                    &mut answer,
                );
                Err(answer)
            }
        }
    }

    fn take_request(&mut self, parsed: Result<Parsed, Vec<u8>>) {
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(answer) => return self.peer.send_answer(|out| out.extend_from_slice(&answer)),
        };
        if !self.rate.allow(Instant::now()) {
            let busy = Err(EngineError::Busy);
            return self.answer(&parsed.context, &busy);
        }
        let honours_reauth = !parsed.command.traits.ignores_reauth;
        if parsed.command.peer.as_ref() != self.known.host
            || honours_reauth != self.known.honours_reauth
            || self.front.ended() != self.known.ended
        {
            self.register(&parsed.command.peer, &parsed.realm, honours_reauth);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.contexts.insert(ticket, parsed.context);
        let step = self.pending.begin(
            ticket,
            parsed.subject,
            parsed.command,
            &self.front.engine,
            &self.mailbox,
        );
        self.take_step(ticket, step);
    }

    /// Remembers by which connection a host is reached: behind a relay its name is not the peer's, and after the end of
    /// another connection it may be reached by this one alone.
    fn register(&mut self, host: &str, realm: &str, honours_reauth: bool) {
        self.known = Known {
            host: host.to_owned(),
            honours_reauth,
            ended: self.front.ended(),
        };
        self.front
            .register((host, realm), honours_reauth, &self.control_sender);
    }

    fn take_step(&mut self, ticket: u64, step: Step) {
        match step {
            Step::Waiting => {}
            Step::Ready(command) => self.commands.push((ticket, Command::Charge(command))),
            Step::Unknown => self.finish(ticket, &Err(EngineError::Refused(Refusal::NoSuchAccount))),
            Step::Failed(error) => self.finish(ticket, &Err(error)),
        }
    }

    fn submit(&mut self) {
        if self.commands.is_empty() {
            return;
        }
        let mut commands = std::mem::take(&mut self.commands);
        self.front.engine.submit_many(self.sink, &mut commands);
        for (ticket, _) in commands.drain(..) {
            self.finish(ticket, &Err(EngineError::Busy));
        }
        self.commands = commands;
    }

    fn take_letters(&mut self) {
        let letters = std::mem::take(&mut *self.mailbox.inner.lock());
        for (ticket, result) in letters.answers {
            self.finish(ticket, &result);
        }
        for ticket in letters.resolved {
            let steps = self.pending.go_on(ticket, &self.front.engine, &self.mailbox);
            for (ticket, step) in steps {
                self.take_step(ticket, step);
            }
        }
        self.submit();
    }

    fn finish(&mut self, ticket: u64, result: &Result<Reply, EngineError>) {
        if let Some(context) = self.contexts.remove(&ticket) {
            self.answer(&context, result);
        }
    }

    fn answer(&mut self, context: &AnswerContext, result: &Result<Reply, EngineError>) {
        let identity = &self.front.identity;
        self.peer.send_answer(|out| match result {
            Ok(Reply::Charge(reply)) => context.answer(reply, identity, out),
            Ok(_) => context.refusal(ResultCode::UNABLE_TO_COMPLY, "", identity, out),
            Err(EngineError::Refused(refusal)) => {
                context.refusal(refusal_code(*refusal), &refusal.to_string(), identity, out);
            }
            // Both may be tried again: the id of the request keeps it safe.
            Err(error) => context.refusal(ResultCode::TOO_BUSY, &error.to_string(), identity, out),
        });
    }

    fn take_control(&mut self, control: Control) {
        let Control::ReAuth {
            session_id,
            host,
            realm,
        } = control;
        let node = &self.front.peer_settings.node;
        let tag = self.reauths;
        let sent = self.peer.send_request(tag, None, |id, out| {
            ReAuthRequest {
                id,
                session_id: &session_id,
                origin_host: &node.host,
                origin_realm: &node.realm,
                destination_realm: &realm,
                destination_host: &host,
                service_identifier: None,
                rating_group: None,
                proxy_infos: smallvec::SmallVec::new(),
            }
            .encode(out);
        });
        if let Err(error) = sent {
            tracing::debug!(peer = %self.remote, %error, "re-authorization not sent");
        }
    }
}

/// The last host that was registered for this connection.
#[derive(Default)]
struct Known {
    host: String,
    honours_reauth: bool,
    ended: u64,
}

struct Parsed {
    subject: translate::Subject,
    realm: String,
    command: Box<charge::command::ChargeRequest>,
    context: AnswerContext,
}

fn refusal_code(refusal: Refusal) -> ResultCode {
    match refusal {
        Refusal::NoSuchAccount => ResultCode::USER_UNKNOWN,
        Refusal::AmountTooLarge => ResultCode::INVALID_AVP_VALUE,
        Refusal::TooMany => ResultCode::RESOURCES_EXCEEDED,
        Refusal::AccountNotActive => ResultCode::END_USER_SERVICE_DENIED,
        _ => ResultCode::UNABLE_TO_COMPLY,
    }
}

/// A token bucket of one second.
struct RateLimit {
    per_s: u32,
    tokens: u32,
    window: Option<Instant>,
}

impl RateLimit {
    fn new(per_s: u32) -> RateLimit {
        RateLimit {
            per_s,
            tokens: per_s,
            window: None,
        }
    }

    fn allow(&mut self, now: Instant) -> bool {
        let window = *self.window.get_or_insert(now);
        if now.duration_since(window) >= Duration::from_secs(1) {
            self.window = Some(now);
            self.tokens = self.per_s;
        }
        let allowed = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        allowed
    }
}
