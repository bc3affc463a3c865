//! The connections to the devices of a kiosk: lines of JSON over a local socket, made again when they break.

use super::config::KioskConfig;
use kiosk::device::{AcceptorOrder, TerminalOrder, line, read};
use kiosk::limits::LINE_BYTES_MAX;
use kiosk::shell::{Hands, Kiosk};
use kiosk::till::Input;
use serde::de::DeserializeOwned;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Orders that may wait for a device; more are lost, and the device is asked when it is back.
const ORDERS_MAX: usize = 64;
/// Pause before connecting again.
const AGAIN: Duration = Duration::from_millis(300);

/// Orders to both devices.
pub struct Wires {
    acceptor: mpsc::Sender<String>,
    terminal: mpsc::Sender<String>,
}

impl Hands for Wires {
    fn acceptor(&self, order: AcceptorOrder) {
        if self.acceptor.try_send(line(&order)).is_err() {
            tracing::warn!("an order to the cash acceptor is lost");
        }
    }

    fn terminal(&self, order: TerminalOrder) {
        if self.terminal.try_send(line(&order)).is_err() {
            tracing::warn!("an order to the card terminal is lost");
        }
    }
}

/// Where the orders come out.
pub struct Ends {
    acceptor: mpsc::Receiver<String>,
    terminal: mpsc::Receiver<String>,
}

/// Both ends of the wires.
pub fn hands() -> (Wires, Ends) {
    let (acceptor, acceptor_end) = mpsc::channel(ORDERS_MAX);
    let (terminal, terminal_end) = mpsc::channel(ORDERS_MAX);
    let ends = Ends {
        acceptor: acceptor_end,
        terminal: terminal_end,
    };
    (Wires { acceptor, terminal }, ends)
}

/// What a device means for the till.
struct Plug<R> {
    name: &'static str,
    up: Input,
    down: Input,
    says: fn(R) -> Input,
}

/// Keeps the connections from now on.
pub fn start(config: &KioskConfig, ends: Ends, kiosk: &Arc<Kiosk>) {
    if !config.cash.acceptor.is_empty() {
        let plug = Plug {
            name: "cash acceptor",
            up: Input::AcceptorUp,
            down: Input::AcceptorDown,
            says: Input::Acceptor,
        };
        tokio::spawn(keep(
            config.cash.acceptor.clone(),
            plug,
            ends.acceptor,
            Arc::clone(kiosk),
        ));
    }
    if !config.card.terminal.is_empty() {
        let plug = Plug {
            name: "card terminal",
            up: Input::TerminalUp,
            down: Input::TerminalDown,
            says: Input::Terminal,
        };
        tokio::spawn(keep(
            config.card.terminal.clone(),
            plug,
            ends.terminal,
            Arc::clone(kiosk),
        ));
    }
}

async fn keep<R: DeserializeOwned>(
    address: String,
    plug: Plug<R>,
    mut orders: mpsc::Receiver<String>,
    kiosk: Arc<Kiosk>,
) {
    let mut quiet = false;
    loop {
        match TcpStream::connect(&address).await {
            Ok(stream) => {
                quiet = false;
                // What waited was meant for the connection before.
                while orders.try_recv().is_ok() {}
                kiosk.input(plug.up.clone());
                let ended = talk(stream, &plug, &mut orders, &kiosk).await;
                kiosk.input(plug.down.clone());
                tracing::warn!(device = plug.name, ended = ?ended.err(), "the connection ended");
            }
            Err(error) if !quiet => {
                quiet = true;
                tracing::warn!(device = plug.name, %address, %error, "cannot connect");
            }
            Err(_) => {}
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn talk<R: DeserializeOwned>(
    mut stream: TcpStream,
    plug: &Plug<R>,
    orders: &mut mpsc::Receiver<String>,
    kiosk: &Kiosk,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut gathered: Vec<u8> = Vec::new();
    let mut piece = [0_u8; 1024];
    loop {
        tokio::select! {
            size = stream.read(&mut piece) => {
                let size = size?;
                if size == 0 {
                    return Ok(());
                }
                gathered.extend_from_slice(&piece[..size]);
                while let Some(end) = gathered.iter().position(|byte| *byte == b'\n') {
                    let text: Vec<u8> = gathered.drain(..=end).collect();
                    match read(String::from_utf8_lossy(&text).trim()) {
                        Ok(report) => kiosk.input((plug.says)(report)),
                        Err(error) => tracing::warn!(device = plug.name, error, "a line that is none"),
                    }
                }
                if gathered.len() > LINE_BYTES_MAX {
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
            order = orders.recv() => {
                // Closed: the kiosk stops.
                let Some(order) = order else { return Ok(()) };
                stream.write_all(order.as_bytes()).await?;
            }
        }
    }
}
