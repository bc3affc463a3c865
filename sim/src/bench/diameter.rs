//! The load over TCP: connections that each keep a window of Credit-Control-Requests on their way.
//!
//! Every operation of the workload is one CCR; the credits among them come in beside, by the way that the caller gives,
//! as recharges do not travel over Diameter. Latency is from writing a request (closed loop) or its planned time (open loop)
//! to reading its answer.

use super::Plan;
use super::report::Latencies;
use super::workload::{Operation, Workload};
use charge::Command;
use charge::ids::AccountId;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::diameter::MessageId;
use wire::diameter::ResultCode;
use wire::diameter::base::AnswerMessage;
use wire::diameter::credit::{
    CreditControlAnswer, CreditControlRequest, Enumerated, RequestType, ServiceRequest, ServiceUnits,
    SubscriptionId, SubscriptionIdType, UsedUnits,
};
use wire::diameter::peer::{Event, LocalNode, Peer, PeerSettings};

/// Octets read at once.
const READ_OCTETS: usize = 64 << 10;

/// Where to, and how wide.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server.
    pub server: SocketAddr,
    /// Its realm.
    pub realm: String,
    /// Connections.
    pub connections: usize,
    /// Number of the first subscriber; the others follow.
    pub msisdn: u64,
    /// Account id of the first subscriber; the others follow.
    pub first: AccountId,
    /// Tells the sessions of this run from those of others.
    pub run: u64,
}

/// Takes the credits of the workload.
pub type Credits = Arc<dyn Fn(Command) + Send + Sync>;

/// What one run measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Latencies of all connections.
    pub latencies: Latencies,
    /// Length of the measurement.
    pub elapsed: Duration,
}

/// Runs the load: warm-up, then the measurement; `measuring` is called between the two and after.
///
/// # Errors
/// A sentence when a connection cannot be made or ends.
pub async fn run(
    plan: &Plan,
    target: &Target,
    credits: Credits,
    mut measuring: impl FnMut(bool),
) -> Result<Measured, String> {
    let recording = Arc::new(AtomicBool::new(false));
    let stop = Arc::new(AtomicBool::new(false));
    let unopened = Arc::new(AtomicUsize::new(target.connections));
    let flags = Flags {
        recording: recording.clone(),
        stop: stop.clone(),
        unopened: unopened.clone(),
    };
    let mut tasks = Vec::new();
    for index in 0..target.connections {
        let client = Client::connect(plan, target, index, flags.clone(), credits.clone()).await?;
        tasks.push(tokio::spawn(client.run()));
    }
    tokio::time::sleep(plan.warm_up()).await;
    while unopened.load(Ordering::Relaxed) > 0 {
        if tasks.iter().any(tokio::task::JoinHandle::is_finished) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    recording.store(true, Ordering::Relaxed);
    measuring(true);
    let began = Instant::now();
    tokio::time::sleep(plan.measure).await;
    recording.store(false, Ordering::Relaxed);
    let elapsed = began.elapsed();
    measuring(false);
    stop.store(true, Ordering::Relaxed);
    let mut latencies = Latencies::default();
    for task in tasks {
        latencies.add(&task.await.map_err(|error| error.to_string())??);
    }
    Ok(Measured { latencies, elapsed })
}

/// What the runner and its connections tell each other.
#[derive(Clone)]
struct Flags {
    recording: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    /// Connections that have not opened all their sessions yet.
    unopened: Arc<AtomicUsize>,
}

struct Client {
    stream: TcpStream,
    peer: Peer,
    workload: Workload,
    realm: String,
    host: String,
    msisdn: u64,
    first: AccountId,
    stride: (u64, u64),
    run: u64,
    window: usize,
    rate: Option<u64>,
    /// Planned starts of what is on its way, by tag.
    starts: Vec<Instant>,
    free: Vec<u64>,
    latencies: Latencies,
    flags: Flags,
    credits: Credits,
    began: Instant,
    issued: u64,
    late: VecDeque<Instant>,
    opened: bool,
    planned_from: Instant,
}

impl Client {
    async fn connect(
        plan: &Plan,
        target: &Target,
        index: usize,
        flags: Flags,
        credits: Credits,
    ) -> Result<Client, String> {
        let stream = TcpStream::connect(target.server)
            .await
            .map_err(|error| format!("connect: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let local = stream.local_addr().map_err(|error| error.to_string())?;
        let host = format!("load{index}.bench.example");
        let mut settings = PeerSettings::new(LocalNode {
            host: host.clone(),
            realm: "bench.example".to_owned(),
            state_id: None,
            product_name: "raseed bench".to_owned(),
        });
        settings.request_timeout_ms = 60_000;
        let connections = u64::try_from(target.connections).unwrap_or(1).max(1);
        let accounts = plan.hot.unwrap_or(plan.subscribers);
        // Each connection has accounts of its own, so that request numbers stay in order; few hot ones are shared by sessions.
        let (stride, own) = if accounts >= connections {
            let index = u64::try_from(index).unwrap_or(0);
            ((connections, index), (accounts - index - 1) / connections + 1)
        } else {
            ((1, 0), accounts)
        };
        let window = (plan.outstanding / target.connections.max(1)).max(1);
        let run = target.run.wrapping_add(index as u64);
        Ok(Client {
            stream,
            peer: Peer::initiator(Arc::new(settings), local.ip(), plan.seed ^ index as u64, 0),
            workload: Workload::new(own, plan.seed ^ (index as u64) << 32, run),
            realm: target.realm.clone(),
            host,
            msisdn: target.msisdn,
            first: target.first,
            stride,
            run,
            window,
            rate: plan.rate.map(|rate| (rate / connections).max(1)),
            starts: vec![Instant::now(); window],
            free: Vec::new(),
            latencies: Latencies::default(),
            flags,
            credits,
            began: Instant::now(),
            issued: 0,
            late: VecDeque::new(),
            opened: false,
            planned_from: Instant::now(),
        })
    }

    async fn run(mut self) -> Result<Latencies, String> {
        let (mut input, mut out) = (Vec::with_capacity(READ_OCTETS), Vec::with_capacity(READ_OCTETS));
        loop {
            self.take_events()?;
            self.issue();
            while self.peer.poll_transmit(&mut out) {}
            if !out.is_empty() {
                self.stream
                    .write_all(&out)
                    .await
                    .map_err(|error| format!("write: {error}"))?;
                out.clear();
            }
            let stopping = self.flags.stop.load(Ordering::Relaxed);
            if stopping && self.peer.pending() == 0 {
                return Ok(self.latencies);
            }
            let patience = if self.rate.is_some() {
                Duration::from_micros(300)
            } else {
                Duration::from_secs(30)
            };
            let read = tokio::time::timeout(patience, self.stream.read_buf(&mut input)).await;
            let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(0);
            match read {
                Ok(Ok(0)) => return Err("the server closed the connection".to_owned()),
                Ok(Ok(_)) => {
                    self.peer.handle_input(now_ms, &input);
                    input.clear();
                }
                Ok(Err(error)) => return Err(format!("read: {error}")),
                Err(_) if self.rate.is_some() || stopping => self.peer.handle_timeout(now_ms),
                Err(_) => return Err("the server does not answer".to_owned()),
            }
        }
    }

    fn take_events(&mut self) -> Result<(), String> {
        let now = Instant::now();
        let recording = self.flags.recording.load(Ordering::Relaxed);
        let mut refusals = Vec::new();
        while let Some(event) = self.peer.poll_event() {
            match event {
                Event::Opened(_) => {
                    self.free = (0..self.window as u64).collect();
                }
                Event::Answer { tag, message } => {
                    let good = CreditControlAnswer::parse(message)
                        .is_ok_and(|answer| answer.result_code == ResultCode::SUCCESS);
                    if recording {
                        let start = self.starts[usize::try_from(tag).unwrap_or(0)];
                        let micros = now.saturating_duration_since(start).as_micros();
                        self.latencies.record(u64::try_from(micros).unwrap_or(u64::MAX));
                        self.latencies.errors += u64::from(!good);
                    }
                    self.free.push(tag);
                }
                Event::Unanswered { tag } => {
                    self.latencies.errors += 1;
                    self.free.push(tag);
                }
                Event::Request(message) => {
                    let node = LocalNode {
                        host: self.host.clone(),
                        realm: "bench.example".into(),
                        state_id: None,
                        product_name: String::new(),
                    };
                    let mut answer = Vec::new();
                    AnswerMessage::to(message, &node.identity(), ResultCode::SUCCESS).encode(&mut answer);
                    refusals.push(answer);
                }
                Event::Closed(reason) => return Err(reason.to_string()),
            }
        }
        for answer in refusals {
            self.peer.send_answer(|out| out.extend_from_slice(&answer));
        }
        Ok(())
    }

    fn issue(&mut self) {
        if self.flags.stop.load(Ordering::Relaxed) {
            return;
        }
        let now = Instant::now();
        if !self.opened && self.workload.unopened() == 0 && self.peer.pending() == 0 {
            self.opened = true;
            self.planned_from = now;
            self.flags.unopened.fetch_sub(1, Ordering::Relaxed);
        }
        // Sessions are opened as fast as they go; the plan begins after that.
        let rate = self.rate.filter(|_| self.opened);
        if !self.opened && self.workload.unopened() == 0 {
            return;
        }
        if let Some(rate) = rate {
            let due = now.duration_since(self.planned_from).as_nanos() * u128::from(rate) / 1_000_000_000;
            while u128::from(self.issued) < due && self.late.len() < 1 << 20 {
                let planned = u128::from(self.issued) * 1_000_000_000 / u128::from(rate);
                self.late
                    .push_back(self.planned_from + Duration::from_nanos(u64::try_from(planned).unwrap_or(0)));
                self.issued += 1;
            }
        }
        while let Some(tag) = self.free.pop() {
            let planned = match rate {
                None => now,
                Some(_) => match self.late.pop_front() {
                    Some(planned) => planned,
                    None => {
                        self.free.push(tag);
                        break;
                    }
                },
            };
            self.starts[usize::try_from(tag).unwrap_or(0)] = planned;
            if !self.opened && self.workload.unopened() == 0 {
                self.free.push(tag);
                break;
            }
            let (index, number) = self.next_report();
            if !self.send(tag, index, number) {
                self.free.push(tag);
                break;
            }
        }
    }

    /// The next report; credits drawn on the way go their own way.
    fn next_report(&mut self) -> (u64, u32) {
        loop {
            match self.workload.draw() {
                Operation::Report { index, number } => return (index, number),
                operation @ Operation::Credit { index, .. } => {
                    let account = AccountId(self.first.0 + index * self.stride.0 + self.stride.1);
                    (self.credits)(self.workload.command(operation, account));
                }
            }
        }
    }

    fn send(&mut self, tag: u64, index: u64, number: u32) -> bool {
        let session = format!("{};{};{index}", self.host, self.run);
        let number_text = (self.msisdn + index * self.stride.0 + self.stride.1).to_string();
        let (host, realm) = (&self.host, &self.realm);
        let sent = self.peer.send_request(tag, None, |id, out| {
            encode(id, (&session, host, realm), &number_text, number, out);
        });
        sent.is_ok()
    }
}

/// A Gy request as a packet gateway sends it: one rating group, used and requested octets.
fn encode(
    id: MessageId,
    (session, host, realm): (&str, &str, &str),
    msisdn: &str,
    number: u32,
    out: &mut Vec<u8>,
) {
    let kind = if number == 0 {
        RequestType::Initial
    } else {
        RequestType::Update
    };
    let mut request = CreditControlRequest::new(
        id,
        session,
        (host, "bench.example"),
        realm,
        "32251@3gpp.org",
        (kind, number),
    );
    debug_assert!(kind.code() <= 2);
    request.multiple_services = Some(true);
    request.subscriptions.push(SubscriptionId {
        kind: SubscriptionIdType::E164,
        data: msisdn,
    });
    let octets = |count| ServiceUnits {
        total_octets: Some(count),
        ..ServiceUnits::default()
    };
    let mut service = ServiceRequest {
        requested: Some(octets(2_000_000)),
        rating_group: Some(1),
        ..ServiceRequest::default()
    };
    if number > 0 {
        service.used.push(UsedUnits {
            units: octets(110_000),
            ..UsedUnits::default()
        });
    }
    request.services.push(service);
    request.encode(out);
}
