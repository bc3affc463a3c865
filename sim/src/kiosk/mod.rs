//! The devices of a kiosk: a cash acceptor and a card terminal that speak the lines of `docs/how-to/kiosk.md`, keep what real
//! ones keep through a power cut, and misbehave when they are told to.

pub mod acceptor;
pub mod terminal;

use parking_lot::Mutex;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A line to whoever is connected; dropping it cuts the connection.
type Out = mpsc::Sender<Value>;

/// Lines that may wait for whoever is connected.
const LINES_MAX: usize = 256;

/// A device that hears lines.
trait Device: Send + Sync + 'static {
    /// Somebody has connected.
    fn connected(&self, out: Out);
    /// A line came; `false` cuts the connection.
    fn hears(&self, line: &Value) -> bool;
    /// Nobody is connected any more.
    fn alone(&self);
}

/// Serves one connection after the other, as a device with one plug does.
async fn serve<D: Device>(address: SocketAddr, device: Arc<D>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A broken connection is what kiosks must live with.
            let _ = talk(stream, &*device).await;
            device.alone();
        }
    });
    Ok(address)
}

async fn talk<D: Device>(stream: TcpStream, device: &D) -> io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut lines = BufReader::new(input).lines();
    let (out, mut said) = mpsc::channel(LINES_MAX);
    device.connected(out);
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let Some(line) = line? else { return Ok(()) };
                let Ok(line) = serde_json::from_str(&line) else { continue };
                if !device.hears(&line) {
                    return Ok(());
                }
            }
            value = said.recv() => {
                let Some(value) = value else { return Ok(()) };
                output.write_all(format!("{value}\n").as_bytes()).await?;
            }
        }
    }
}

/// Both devices, worked by lines of text: `note 100`, `card approve` ...
pub struct Bench {
    /// The cash acceptor.
    pub acceptor: Arc<acceptor::Acceptor>,
    /// The card terminal.
    pub terminal: Arc<terminal::Terminal>,
}

/// What can be typed.
pub const HELP: &str = "note VALUE | reject | jam-in | jam-out | cut-before | cut-after | silent | clear | full | box\n\
                        card approve | decline | unknown-paid | unknown-unpaid | irreversible | wait | tap";

impl Bench {
    /// Starts both on free ports of loopback.
    ///
    /// # Errors
    /// What the system says.
    pub async fn start() -> io::Result<Bench> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Ok(Bench {
            acceptor: acceptor::Acceptor::start(any).await?,
            terminal: terminal::Terminal::start(any).await?,
        })
    }

    /// Carries a line out; answers what happened.
    pub fn tell(&self, line: &str) -> String {
        use acceptor::Trick;
        use terminal::Bank;
        let words: Vec<&str> = line.split_whitespace().collect();
        let trick = |trick: Trick| {
            self.acceptor.play(trick);
            "with the next note".to_owned()
        };
        let bank = |bank: Bank| {
            self.terminal.set(bank);
            "from now on".to_owned()
        };
        match words.as_slice() {
            ["note", value] => match value.parse() {
                Ok(value) => format!("{:?}", self.acceptor.insert(value)),
                Err(_) => HELP.to_owned(),
            },
            ["reject"] => trick(Trick::Reject),
            ["jam-in"] => trick(Trick::JamInside),
            ["jam-out"] => trick(Trick::JamOutside),
            ["cut-before"] => trick(Trick::CutBeforeStack),
            ["cut-after"] => trick(Trick::CutAfterStack),
            ["silent"] => trick(Trick::Silent),
            ["clear"] => {
                self.acceptor.clear();
                "ready".to_owned()
            }
            ["full"] => {
                self.acceptor.fill();
                "full".to_owned()
            }
            ["box"] => format!("{:?}", self.acceptor.in_box()),
            ["card", "approve"] => bank(Bank::Approves),
            ["card", "decline"] => bank(Bank::Declines),
            ["card", "unknown-paid"] => bank(Bank::Lost { paid: true, times: 2 }),
            ["card", "unknown-unpaid"] => bank(Bank::Lost {
                paid: false,
                times: 2,
            }),
            ["card", "irreversible"] => bank(Bank::NeverReverses),
            ["card", "wait"] => bank(Bank::Waits),
            ["card", "tap"] => {
                self.terminal.tap();
                "tapped".to_owned()
            }
            _ => HELP.to_owned(),
        }
    }
}

/// State behind a lock, and the way to whoever is connected.
struct Inside<T> {
    state: Mutex<(T, Option<Out>)>,
}

impl<T> Inside<T> {
    fn new(state: T) -> Inside<T> {
        Inside {
            state: Mutex::new((state, None)),
        }
    }
}

fn say(out: Option<&Out>, value: Value) {
    if let Some(out) = out {
        // Gone or deaf: the state says it when somebody asks.
        let _ = out.try_send(value);
    }
}
