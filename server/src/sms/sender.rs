//! The task that keeps one SMPP session alive and empties the outbox through it.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant as Tick, sleep_until, timeout};
use wire::smpp::{ClosedReason, Esme, EsmeEvent, ShortMessage, Status};
use wire::sms::{Fragment, Reassembler};

use super::config::SmsConfig;
use super::courier::{Courier, Instant, InstantOutcome};
use super::outbox::{Outbox, Outcome, Page};
use super::{IN_HAND_MAX, INCOMING_MAX, INSTANT_MAX};

const READ_OCTETS: usize = 64 * 1_024;
/// How long stopping waits for answers that are still out.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// A handle to the sender; clones are cheap. The task ends when all of them are gone or [`SmsSender::stop`] was called.
#[derive(Debug, Clone)]
pub struct SmsSender {
    instants: mpsc::Sender<Instant>,
    wake: Arc<Notify>,
    status: watch::Receiver<SmsStatus>,
    stop: mpsc::Sender<oneshot::Sender<()>>,
}

/// How the sender is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct SmsStatus {
    /// Bound to the message centre.
    pub bound: bool,
    /// Messages in hand.
    pub in_hand: usize,
    /// Short messages submitted since the start, repetitions included.
    pub submitted: u64,
    /// Submits that were repeated because no answer came.
    pub repeated: u64,
    /// Sessions begun since the start.
    pub sessions: u64,
    /// How often the centre said "too fast".
    pub throttled: u64,
}

/// A text that a handset sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingSms {
    /// The handset.
    pub from: String,
    /// The short code.
    pub to: String,
    /// The text, parts joined.
    pub text: String,
}

/// A text with its confirmation: the centre keeps the text until it is told that somebody has it.
#[derive(Debug)]
pub struct Heard {
    /// The text.
    pub sms: IncomingSms,
    /// Tells the centre.
    pub confirm: Confirm,
}

/// Tells the centre what became of a text. Dropped without a word, the centre is asked to bring it again.
#[derive(Debug)]
pub struct Confirm {
    deliver: Option<(u64, u32)>,
    back: mpsc::Sender<Confirmed>,
}

/// Session, sequence_number, status.
type Confirmed = (u64, u32, Status);

impl Confirm {
    /// Somebody has it.
    pub fn done(mut self) {
        self.tell(Status::OK);
    }

    fn tell(&mut self, status: Status) {
        if let Some((session, sequence)) = self.deliver.take() {
            // A sender that is gone has no session to confirm in.
            let _ = self.back.try_send((session, sequence, status));
        }
    }
}

impl Drop for Confirm {
    fn drop(&mut self) {
        self.tell(Status::SYSTEM_ERROR);
    }
}

/// Too many one-time codes wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many one-time codes are waiting")]
pub struct Busy;

impl SmsSender {
    /// Starts the task. Texts from handsets come out of the receiver; when nobody takes them they are dropped.
    #[must_use]
    pub fn start(config: SmsConfig, outbox: Arc<dyn Outbox>) -> (Self, mpsc::Receiver<Heard>) {
        let (instants, instants_seen) = mpsc::channel(INSTANT_MAX);
        let (incoming, incoming_seen) = mpsc::channel(INCOMING_MAX);
        // Room for every text that is out and one that is being refused.
        let (back, confirmed) = mpsc::channel(2 * INCOMING_MAX);
        let (status, status_seen) = watch::channel(SmsStatus::default());
        let (stop, stop_seen) = mpsc::channel(1);
        let wake = Arc::new(Notify::new());
        let task = Task {
            courier: Courier::new(&config),
            pause: Duration::from_millis(config.reconnect_min_ms.max(1)),
            config,
            outbox,
            instants: instants_seen,
            incoming,
            back,
            confirmed,
            to_confirm: Vec::new(),
            reassembler: Reassembler::default(),
            wake: Arc::clone(&wake),
            status,
            stop: stop_seen,
            stopping: None,
            desk: None,
            look_at: Tick::now(),
            started: Tick::now(),
        };
        tokio::spawn(task.run());
        (
            Self {
                instants,
                wake,
                status: status_seen,
                stop,
            },
            incoming_seen,
        )
    }

    /// Sends a one-time code without writing it anywhere. Ahead of the outbox, again until it is taken or has expired.
    pub fn send_now(
        &self,
        msisdn: &str,
        text: &str,
        valid_for: Duration,
    ) -> Result<oneshot::Receiver<InstantOutcome>, Busy> {
        let (reply, outcome) = oneshot::channel();
        let valid_for = i64::try_from(valid_for.as_micros()).unwrap_or(i64::MAX);
        let expires_micros = wall_micros().saturating_add(valid_for);
        let instant = Instant {
            msisdn: msisdn.to_owned(),
            text: text.to_owned(),
            expires_micros,
            reply,
        };
        self.instants.try_send(instant).map_err(|_| Busy)?;
        Ok(outcome)
    }

    /// Says that the outbox has something new; without it the sender looks by itself every now and then.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> SmsStatus {
        *self.status.borrow()
    }

    /// Sends nothing new, waits a little for answers, makes outcomes durable, unbinds.
    pub async fn stop(&self) {
        let (done, over) = oneshot::channel();
        if self.stop.send(done).await.is_ok() {
            drop(over.await);
        }
    }
}

struct Task {
    config: SmsConfig,
    courier: Courier,
    outbox: Arc<dyn Outbox>,
    instants: mpsc::Receiver<Instant>,
    incoming: mpsc::Sender<Heard>,
    back: mpsc::Sender<Confirmed>,
    confirmed: mpsc::Receiver<Confirmed>,
    to_confirm: Vec<Confirmed>,
    reassembler: Reassembler,
    wake: Arc<Notify>,
    status: watch::Sender<SmsStatus>,
    stop: mpsc::Receiver<oneshot::Sender<()>>,
    stopping: Option<(oneshot::Sender<()>, Tick)>,
    desk: Option<JoinHandle<DeskReport>>,
    look_at: Tick,
    pause: Duration,
    started: Tick,
}

/// What a visit to the outbox brought back.
struct DeskReport {
    outcomes: Vec<Outcome>,
    settled: anyhow::Result<()>,
    pending: anyhow::Result<Page>,
    asked: usize,
}

enum Turn {
    Read(io::Result<usize>),
    Continue,
    Stop,
}

impl Task {
    async fn run(mut self) {
        while self.stopping.is_none() {
            match timeout(self.config.patience(), TcpStream::connect(&self.config.address)).await {
                Ok(Ok(stream)) => self.converse(stream).await,
                Ok(Err(error)) => {
                    tracing::warn!(%error, address = self.config.address, "connect to the message centre");
                }
                Err(_) => tracing::warn!(
                    address = self.config.address,
                    "the message centre does not answer"
                ),
            }
            self.status.send_modify(|status| status.bound = false);
            self.rest().await;
        }
        self.settle_last().await;
        if let Some((done, _)) = self.stopping.take() {
            let _ = done.send(());
        }
    }

    /// One session, from the connection to its end.
    async fn converse(&mut self, mut stream: TcpStream) {
        drop(stream.set_nodelay(true));
        self.status.send_modify(|status| status.sessions += 1);
        let mut esme = Esme::new(self.config.esme(), self.now_micros());
        let mut input = BytesMut::with_capacity(READ_OCTETS);
        loop {
            esme.handle_timeout(self.now_micros());
            if let Some(reason) = self.take_events(&mut esme) {
                tracing::info!(?reason, "the SMPP session ended");
                drop(self.write(&mut stream, &mut esme).await);
                return;
            }
            let session = self.status.borrow().sessions;
            for (of, sequence, status) in std::mem::take(&mut self.to_confirm) {
                // A session that ended has lost its deliver_sm; the centre brings it again.
                if of == session {
                    esme.confirm(sequence, status);
                }
            }
            self.work(&mut esme);
            if self.write(&mut stream, &mut esme).await.is_err() {
                esme.disconnected();
                continue;
            }
            match self.turn(&mut stream, &mut input, &esme).await {
                Turn::Read(Ok(1..)) => esme.handle_input(&input.split(), self.now_micros()),
                Turn::Read(_) => esme.disconnected(),
                Turn::Continue => {}
                Turn::Stop if esme.outstanding() == 0 || self.is_stop_overdue() => {
                    esme.unbind(self.now_micros());
                }
                Turn::Stop => {}
            }
        }
    }

    /// Waits for the next thing to happen.
    async fn turn(&mut self, stream: &mut TcpStream, input: &mut BytesMut, esme: &Esme) -> Turn {
        let wake_at = esme.poll_timeout().map_or_else(
            || Tick::now() + Duration::from_secs(1),
            |at| self.started + Duration::from_micros(at),
        );
        let stop_at = self.stopping.as_ref().map(|(_, deadline)| *deadline);
        if stop_at.is_some() && esme.outstanding() == 0 {
            // Nothing is out any more; the unbind and its answer are all that is left.
            let read = timeout(Duration::from_millis(200), stream.read_buf(input)).await;
            return read.map_or(Turn::Stop, Turn::Read);
        }
        tokio::select! {
            read = stream.read_buf(input) => Turn::Read(read),
            () = sleep_until(wake_at) => Turn::Continue,
            () = sleep_until(stop_at.unwrap_or(wake_at)), if stop_at.is_some() => Turn::Stop,
            () = self.errands() => Turn::Continue,
        }
    }

    /// Everything that goes on with or without a session: codes, the outbox, the wish to stop.
    async fn errands(&mut self) {
        let Self {
            desk,
            instants,
            stop,
            wake,
            look_at,
            stopping,
            courier,
            confirmed,
            to_confirm,
            ..
        } = self;
        let may_look = desk.is_none() && stopping.is_none();
        tokio::select! {
            report = async { desk.as_mut().expect("checked by the guard").await }, if desk.is_some() => {
                *desk = None;
                self.unpack(report.ok());
            }
            Some(text) = confirmed.recv() => to_confirm.push(text),
            Some(instant) = instants.recv(), if stopping.is_none() => {
                courier.take_instant(instant, wall_micros());
            }
            () = wake.notified(), if may_look => self.look_at = Tick::now(),
            () = sleep_until(*look_at), if may_look => self.visit_outbox(),
            done = stop.recv(), if stopping.is_none() => {
                let (unheard, _) = oneshot::channel();
                self.stopping = Some((done.unwrap_or(unheard), Tick::now() + STOP_PATIENCE));
            }
            else => std::future::pending().await,
        }
    }

    /// Between two sessions.
    async fn rest(&mut self) {
        let until = Tick::now() + self.pause;
        self.pause = (self.pause * 2).min(Duration::from_millis(self.config.reconnect_max_ms.max(1)));
        while self.stopping.is_none() {
            tokio::select! {
                () = sleep_until(until) => return,
                () = self.errands() => {}
            }
        }
    }

    /// Moves messages from the hand to the machine, and outcomes to the outbox.
    fn work(&mut self, esme: &mut Esme) {
        if self.stopping.is_none() {
            let room = self.config.window.max(1);
            self.courier.submit(esme, room, self.now_micros(), wall_micros());
        }
        if self.desk.is_none() && self.courier.has_outcomes() {
            self.visit_outbox();
        }
        let (in_hand, submitted, repeated) = (
            self.courier.in_hand(),
            self.courier.submitted,
            self.courier.repeated,
        );
        let (bound, before) = (esme.is_bound(), *self.status.borrow());
        let now = SmsStatus {
            bound,
            in_hand,
            submitted,
            repeated,
            ..before
        };
        if now != before {
            self.status.send_replace(now);
        }
    }

    fn take_events(&mut self, esme: &mut Esme) -> Option<ClosedReason> {
        let mut closed = None;
        while let Some(event) = esme.poll_event() {
            match event {
                EsmeEvent::Bound { system_id } => {
                    tracing::info!(system_id, "bound to the message centre");
                    self.pause = Duration::from_millis(self.config.reconnect_min_ms.max(1));
                }
                EsmeEvent::Closed(reason) => closed = Some(reason),
                EsmeEvent::Throttled { .. } => self.status.send_modify(|status| status.throttled += 1),
                EsmeEvent::Text { sequence, message } => {
                    if let Some(status) = self.take_incoming(&message, sequence) {
                        esme.confirm(sequence, status);
                    }
                }
                EsmeEvent::MobileOriginated(message) => {
                    // data_sm: answered already.
                    let _ = self.take_incoming(&message, 0);
                }
                EsmeEvent::Skipped { command_id } => tracing::debug!(command_id, "unknown PDU skipped"),
                EsmeEvent::PeerNack { status } => tracing::debug!(%status, "generic_nack"),
                event => self.courier.handle(event, wall_micros()),
            }
        }
        closed
    }

    /// Hands a text on; gives what the centre is to be told at once, or none when that comes later.
    fn take_incoming(&mut self, message: &ShortMessage, sequence: u32) -> Option<Status> {
        let (from, to) = (&message.source.number, &message.destination.number);
        let data = message.user_data();
        let Ok(fragment) = Fragment::read(message.data_coding, message.has_header(), data, message.tlvs.sar)
        else {
            tracing::debug!("a handset sent something that is not text");
            return Some(Status::OK);
        };
        let Some(received) = self.reassembler.accept(from, to, fragment, self.now_micros()) else {
            return Some(Status::OK);
        };
        let sms = IncomingSms {
            from: from.clone(),
            to: to.clone(),
            text: received.text,
        };
        let confirm = Confirm {
            deliver: (sequence != 0).then(|| (self.status.borrow().sessions, sequence)),
            back: self.back.clone(),
        };
        match self.incoming.try_send(Heard { sms, confirm }) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Full(mut heard)) => {
                heard.confirm.deliver = None;
                Some(Status::QUEUE_FULL)
            }
            Err(mpsc::error::TrySendError::Closed(mut heard)) => {
                heard.confirm.deliver = None;
                tracing::warn!("a message from a handset was dropped: nobody takes them");
                Some(Status::OK)
            }
        }
    }

    /// Settles outcomes and fetches new messages, on a thread that may block.
    fn visit_outbox(&mut self) {
        let outbox = Arc::clone(&self.outbox);
        let outcomes = self.courier.take_outcomes();
        let room = IN_HAND_MAX.saturating_sub(self.courier.in_hand());
        // The first rows may be in hand already, so ask beyond them.
        let asked = if room > IN_HAND_MAX / 4 && self.stopping.is_none() {
            IN_HAND_MAX
        } else {
            0
        };
        let in_hand = if asked > 0 {
            self.courier.known().clone()
        } else {
            HashSet::new()
        };
        self.desk = Some(tokio::task::spawn_blocking(move || {
            let settled = if outcomes.is_empty() {
                Ok(())
            } else {
                outbox.settle(&outcomes)
            };
            let pending = match &settled {
                Ok(()) if asked > 0 => outbox.pending(asked, wall_micros(), &in_hand),
                _ => Ok(Page::default()),
            };
            DeskReport {
                outcomes,
                settled,
                pending,
                asked,
            }
        }));
    }

    fn unpack(&mut self, report: Option<DeskReport>) {
        let interval = Duration::from_millis(self.config.outbox_interval_ms.max(1));
        self.look_at = Tick::now() + interval;
        let Some(DeskReport {
            outcomes,
            settled,
            pending,
            asked,
        }) = report
        else {
            return tracing::error!("the outbox panicked");
        };
        match pending {
            Ok(Page { messages, looked_at }) => {
                if asked > 0 && looked_at >= asked {
                    self.look_at = Tick::now() + interval.min(Duration::from_millis(50));
                }
                self.courier.load(messages);
            }
            Err(error) => tracing::warn!(error = format!("{error:#}"), "read the outbox"),
        }
        // After the load: rows that were pending and settled in one visit are still known.
        match settled {
            Ok(()) => self.courier.settled(&outcomes),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "settle the outbox");
                self.courier.not_settled(outcomes);
            }
        }
    }

    async fn settle_last(&mut self) {
        if let Some(desk) = self.desk.take() {
            let report = desk.await.ok();
            self.unpack(report);
        }
        if self.courier.has_outcomes() {
            self.visit_outbox();
            if let Some(desk) = self.desk.take() {
                let report = desk.await.ok();
                self.unpack(report);
            }
        }
    }

    async fn write(&self, stream: &mut TcpStream, esme: &mut Esme) -> io::Result<()> {
        let mut output = BytesMut::new();
        while let Some(octets) = esme.poll_transmit() {
            output.extend_from_slice(&octets);
        }
        if output.is_empty() {
            return Ok(());
        }
        timeout(self.config.patience(), stream.write_all(&output)).await?
    }

    fn is_stop_overdue(&self) -> bool {
        self.stopping
            .as_ref()
            .is_some_and(|(_, deadline)| Tick::now() >= *deadline)
    }

    fn now_micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

pub(super) fn wall_micros() -> i64 {
    crate::node::now().0
}
