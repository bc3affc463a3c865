//! A message centre that speaks SMPP over TCP, with handsets whose inboxes can be read.
//!
//! # Layout
//! - here: the listener and its connections; each runs the pure machine [`wire::smpp::Centre`].
//! - [`inbox`]: what the handsets have received.

pub mod inbox;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};
use wire::smpp::{Address, Centre, CentreConfig, CentreEvent, ShortMessage, pdu::ESM_UDHI};
use wire::sms::{TextError, TextSettings};

pub use inbox::{HandsetMessage, Inbox};

/// Connections that are served at the same time; more are closed at once.
pub const CONNECTIONS_MAX: usize = 256;
/// Messages from handsets that wait for one connection.
const COMMANDS_MAX: usize = 1_024;
/// Message ids of one connection; the next connection starts after them.
const IDS_PER_CONNECTION: u64 = 1_000_000_000;
const READ_OCTETS: usize = 64 * 1_024;

/// A running message centre. Dropping it stops it.
#[derive(Debug)]
pub struct Smsc {
    address: SocketAddr,
    shared: Arc<Shared>,
    config: watch::Sender<CentreConfig>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    inbox: Inbox,
    connections: Mutex<Vec<(u64, mpsc::Sender<Command>)>>,
    binds: AtomicU64,
    started: Instant,
}

#[derive(Debug, Clone)]
enum Command {
    Deliver(Box<ShortMessage>),
    Unbind,
}

/// Why a handset's message did not go out.
#[derive(Debug, thiserror::Error)]
pub enum HandsetError {
    /// Nobody is connected, or the connection is busy.
    #[error("no client takes messages")]
    NoClient,
    /// The text is too long.
    #[error("encode the text")]
    Text(#[source] TextError),
}

impl Smsc {
    /// Listens on `address` (port 0 for any free one) and serves until stopped.
    pub async fn start(address: SocketAddr, config: CentreConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (config, config_seen) = watch::channel(config);
        let (stop, stop_seen) = watch::channel(false);
        let shared = Arc::new(Shared {
            inbox: Inbox::default(),
            connections: Mutex::default(),
            binds: AtomicU64::new(0),
            started: Instant::now(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared), config_seen, stop_seen));
        Ok(Self {
            address,
            shared,
            config,
            stop,
            task,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handsets' inboxes; cheap to clone, usable after the centre has stopped.
    #[must_use]
    pub fn inbox(&self) -> Inbox {
        self.shared.inbox.clone()
    }

    /// Changes what the centre is like, on open connections too.
    pub fn set_config(&self, config: CentreConfig) {
        self.config.send_replace(config);
    }

    /// How often a client has bound.
    #[must_use]
    pub fn bind_count(&self) -> u64 {
        self.shared.binds.load(Ordering::Relaxed)
    }

    /// A handset sends a text to a short code; it goes to the client that connected last.
    pub fn send_from_handset(&self, from: &str, to: &str, text: &str) -> Result<(), HandsetError> {
        let encoded = wire::sms::encode(text, &TextSettings::default(), 1).map_err(HandsetError::Text)?;
        for part in encoded.parts {
            let message = ShortMessage {
                source: Address::international(from),
                destination: Address::sender(to),
                esm_class: if part.has_header { ESM_UDHI } else { 0 },
                data_coding: encoded.encoding.data_coding(),
                octets: part.octets,
                ..ShortMessage::default()
            };
            self.command_last(Command::Deliver(Box::new(message)))?;
        }
        Ok(())
    }

    /// Sends unbind to the client that connected last.
    pub fn unbind_last(&self) -> Result<(), HandsetError> {
        self.command_last(Command::Unbind)
    }

    /// Stops listening, closes all connections and waits until they are closed.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Err(error) = (&mut self.task).await {
            tracing::debug!(%error, "the message centre's task ended");
        }
    }

    fn command_last(&self, command: Command) -> Result<(), HandsetError> {
        let connections = self.shared.connections.lock();
        let (_, sender) = connections.last().ok_or(HandsetError::NoClient)?;
        sender.try_send(command).map_err(|_| HandsetError::NoClient)
    }
}

impl Drop for Smsc {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    config: watch::Receiver<CentreConfig>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accept an SMPP connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if connections.len() >= CONNECTIONS_MAX {
            continue;
        }
        number += 1;
        connections.spawn(serve(
            stream,
            number,
            Arc::clone(&shared),
            config.clone(),
            stop.clone(),
        ));
    }
    while connections.join_next().await.is_some() {}
}

async fn serve(
    stream: TcpStream,
    number: u64,
    shared: Arc<Shared>,
    config: watch::Receiver<CentreConfig>,
    stop: watch::Receiver<bool>,
) {
    let (sender, commands) = mpsc::channel(COMMANDS_MAX);
    shared.connections.lock().push((number, sender));
    if let Err(error) = converse(stream, number, &shared, commands, config, stop).await {
        tracing::debug!(%error, "SMPP connection {number}");
    }
    shared.connections.lock().retain(|(other, _)| *other != number);
}

async fn converse(
    mut stream: TcpStream,
    number: u64,
    shared: &Shared,
    mut commands: mpsc::Receiver<Command>,
    mut config: watch::Receiver<CentreConfig>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let first = config.borrow_and_update().clone();
    let mut centre = Centre::new(first, number * IDS_PER_CONNECTION, shared.now_micros());
    let mut input = BytesMut::with_capacity(READ_OCTETS);
    let mut output = BytesMut::new();
    loop {
        centre.handle_timeout(shared.now_micros());
        while let Some(octets) = centre.poll_transmit() {
            output.extend_from_slice(&octets);
        }
        if !output.is_empty() {
            stream.write_all(&output.split()).await?;
        }
        if shared.take_events(&mut centre) {
            return stream.shutdown().await;
        }
        let wake = centre
            .poll_timeout()
            .map(|at| shared.started + Duration::from_micros(at));
        tokio::select! {
            read = stream.read_buf(&mut input) => {
                if read? == 0 {
                    return Ok(());
                }
                centre.handle_input(&input.split(), shared.now_micros());
            }
            Some(command) = commands.recv() => match command {
                Command::Deliver(message) => { centre.deliver(*message, shared.now_micros()); }
                Command::Unbind => centre.unbind(shared.now_micros()),
            },
            Ok(()) = config.changed() => centre.set_config(config.borrow_and_update().clone()),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

impl Shared {
    fn now_micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Gives messages to the handsets; true when the session is over.
    fn take_events(&self, centre: &mut Centre) -> bool {
        let mut over = false;
        while let Some(event) = centre.poll_event() {
            match event {
                CentreEvent::Submitted { message, .. } => self.inbox.receive(&message),
                CentreEvent::Bound { system_id, mode } => {
                    self.binds.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(system_id, ?mode, "SMPP client bound");
                }
                CentreEvent::BindRefused { system_id } => tracing::debug!(system_id, "SMPP bind refused"),
                CentreEvent::DeliverAnswered { .. } => {}
                CentreEvent::Closed => over = true,
            }
        }
        over
    }
}
