//! A connection without manners: sends any octets, reads whole messages. For what a good client never does.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::diameter::peer::{Peer, PeerSettings};
use wire::diameter::{CommandCode, Framer, Message};

use super::{Answer, ClientError};

/// A message must be there within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A TCP connection to a server.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
    framer: Framer,
}

impl RawConnection {
    /// Connects and sends nothing.
    pub async fn connect(server: SocketAddr) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            framer: Framer::default(),
        })
    }

    /// Connects, sends the CER and reads the CEA.
    pub async fn open(server: SocketAddr, settings: PeerSettings) -> Result<Self, ClientError> {
        let mut connection = Self::connect(server).await?;
        connection
            .send(&capabilities_request(settings, server.ip()))
            .await?;
        match connection.next().await? {
            Some(answer) if answer.result_code().is_success() => Ok(connection),
            _ => Err(ClientError::Unanswered),
        }
    }

    /// Sends octets as they are.
    pub async fn send(&mut self, octets: &[u8]) -> Result<(), ClientError> {
        Ok(self.stream.write_all(octets).await?)
    }

    /// The next message; `None` when the server closed the connection. Errors: nothing in time, a length that cannot be.
    pub async fn next(&mut self) -> Result<Option<Answer>, ClientError> {
        self.next_within(PATIENCE).await
    }

    /// As [`RawConnection::next`] with another patience.
    pub async fn next_within(&mut self, patience: Duration) -> Result<Option<Answer>, ClientError> {
        let mut input = Vec::with_capacity(4096);
        loop {
            match self.framer.next_frame() {
                Ok(Some(frame)) => return Answer::new(frame.to_vec()).map(Some),
                Ok(None) => {}
                Err(_) => return Err(ClientError::Unanswered),
            }
            input.clear();
            match tokio::time::timeout(patience, self.stream.read_buf(&mut input)).await {
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(_)) => self.framer.push(&input),
                // A reset is how a connection ends whose last octets nobody read.
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(None),
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => return Err(ClientError::Unanswered),
            }
        }
    }

    /// The next message that is not a watchdog.
    pub async fn next_answer(&mut self) -> Result<Option<Answer>, ClientError> {
        loop {
            let answer = self.next().await?;
            let is_watchdog = answer.as_ref().is_some_and(|answer| {
                Message::parse(answer.frame()).is_ok_and(|message| {
                    message.header.flags.is_request()
                        && message.header.command == CommandCode::DEVICE_WATCHDOG
                })
            });
            if !is_watchdog {
                return Ok(answer);
            }
        }
    }
}

/// The CER of a client.
#[must_use]
pub fn capabilities_request(settings: PeerSettings, local: IpAddr) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut peer = Peer::initiator(std::sync::Arc::new(settings), local, rand::random(), 0);
    peer.poll_transmit(&mut octets);
    octets
}
