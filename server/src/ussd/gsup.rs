//! An Osmocom HLR: we are an external USSD entity of it. The connection is made again when it breaks; only the SIM is told.

use super::config::GsupGateway;
use charge::Imsi;
use keypad::{Answer, Keypad, Who};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use wire::ussd::{Euse, EuseConfig, EuseEvent, PageSize};

const READ_OCTETS: usize = 16 * 1024;
/// Writing may take so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Answers under way of one connection; what comes beyond waits in the socket.
const UNDER_WAY_MAX: usize = 1_024;

/// What a dialogue was answered.
type Said = (u32, Answer);

/// One connection, until it ends.
pub async fn converse(
    name: &str,
    config: &GsupGateway,
    keypad: &Keypad,
    mut stream: TcpStream,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let started = Instant::now();
    let now = || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    // A connection of its own each time: dialogues do not survive it, so their names must not either.
    let connection = format!("{name}/{}", crate::node::now().0);
    let mut euse = Euse::new(EuseConfig::named(&format!("EUSE-{}", config.name)), now());
    let (sender, mut said) = mpsc::channel::<Said>(UNDER_WAY_MAX);
    let mut input = vec![0; READ_OCTETS];
    loop {
        euse.handle_timeout(now());
        while let Some(event) = euse.poll_event() {
            match event {
                EuseEvent::Ready => tracing::info!(gateway = name, "the HLR knows us"),
                EuseEvent::Begun { dialogue, imsi, text } => {
                    let who = Imsi::parse(&imsi).ok().map(Who::Sim);
                    let job = (
                        keypad.clone(),
                        sender.clone(),
                        Keypad::key(&connection, &dialogue.to_string()),
                    );
                    tokio::spawn(async move {
                        let (keypad, sender, key) = job;
                        let answer = match who {
                            Some(who) => keypad.begin(key, who, &text, PageSize::SHORT).await,
                            None => Answer::last(keypad.strange("problem-no-subscriber")),
                        };
                        drop(sender.send((dialogue, answer)).await);
                    });
                }
                EuseEvent::Typed { dialogue, text } => {
                    let job = (
                        keypad.clone(),
                        sender.clone(),
                        Keypad::key(&connection, &dialogue.to_string()),
                    );
                    tokio::spawn(async move {
                        let (keypad, sender, key) = job;
                        let answer = keypad.typed(key, &text, None).await;
                        drop(sender.send((dialogue, answer)).await);
                    });
                }
                EuseEvent::Ended { dialogue } => {
                    keypad.ended(Keypad::key(&connection, &dialogue.to_string()));
                }
                EuseEvent::Closed(reason) => {
                    return Err(io::Error::other(format!("{reason:?}")));
                }
            }
        }
        while let Some(octets) = euse.poll_transmit() {
            timeout(PATIENCE, stream.write_all(&octets)).await??;
        }
        let wake = euse
            .poll_timeout()
            .map_or(Duration::from_secs(1), Duration::from_micros);
        tokio::select! {
            read = stream.read(&mut input) => match read? {
                0 => return Ok(()),
                count => euse.handle_input(&input[..count], now()),
            },
            Some((dialogue, answer)) = said.recv() => {
                if !euse.answer(dialogue, &answer.text, answer.last, now()) {
                    tracing::debug!(gateway = name, "a dialogue ended before its answer");
                }
            }
            () = sleep_until(started + wake) => {}
        }
    }
}
