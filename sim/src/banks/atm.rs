//! Messages and lines of a bank's cash machines: profile TOPUP-87A over TCP (reference payments 2.7).
//!
//! It blocks: a test gives each line a thread.

use aws_lc_rs::hmac;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use wire::iso8583::{Framer, Message, Mti, Prefix, decode, framed};

/// A bank as its messages show it.
#[derive(Clone, Debug)]
pub struct Profile {
    /// DE32.
    pub institution: String,
    /// Key of the authentication code.
    pub mac_key: Option<Vec<u8>>,
    /// How lengths are written.
    pub prefix: Prefix,
}

impl Profile {
    /// A bank without authentication codes.
    pub fn plain(institution: &str) -> Profile {
        Profile {
            institution: institution.to_owned(),
            mac_key: None,
            prefix: Prefix::Binary,
        }
    }

    /// A sale of so many paisa: `number` makes its key, the same number the same message.
    pub fn sale(&self, number: u32, msisdn: &str, paisa: u64) -> Message {
        self.sale_of(number, "TOPUP", msisdn, paisa)
    }

    /// The same with a bundle.
    pub fn sale_of(&self, number: u32, product: &str, msisdn: &str, paisa: u64) -> Message {
        let mut message = Message::new(Mti::REQUEST);
        let stan = number % 1_000_000;
        for (element, value) in [
            (3, "500000".to_owned()),
            (4, format!("{paisa:012}")),
            (7, format!("0901{:06}", number / 1_000_000)),
            (11, format!("{stan:06}")),
            (12, "160110".to_owned()),
            (13, "0901".to_owned()),
            (18, "6011".to_owned()),
            (32, self.institution.clone()),
            (37, format!("{number:012}")),
            (41, format!("ATM{:05}", number % 100_000)),
            (42, "BANKATM00000001".to_owned()),
            (48, format!("{product:<8}|{msisdn}|R{number}")),
            (49, "586".to_owned()),
        ] {
            message.set(element, &value);
        }
        message
    }

    /// The repeat of a sale.
    pub fn repeat(&self, sale: &Message) -> Message {
        copy(sale, Mti::REQUEST_REPEAT, &[])
    }

    /// The reversal of a sale, the first time or again.
    pub fn reversal(&self, sale: &Message, again: bool) -> Message {
        let part = |number: u8| sale.get(number).unwrap_or_default();
        let original = format!("0200{}{}{:0>11}{:0>11}", part(11), part(7), part(32), "");
        let mti = if again {
            Mti::REVERSAL_REPEAT
        } else {
            Mti::REVERSAL
        };
        copy(sale, mti, &[(90, original)])
    }

    /// 001 sign-on, 002 sign-off, 301 echo.
    pub fn network(&self, what: &str) -> Message {
        let mut message = Message::new(Mti::NETWORK);
        for (element, value) in [
            (7, "0901100000"),
            (11, "000001"),
            (32, self.institution.as_str()),
            (70, what),
        ] {
            message.set(element, value);
        }
        message
    }

    /// As octets on the line, with the authentication code.
    pub fn octets(&self, message: &Message) -> Vec<u8> {
        framed(self.prefix, &message.encode_with(|octets| self.code(octets)))
    }

    fn code(&self, octets: &[u8]) -> Option<String> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.mac_key.as_ref()?);
        let tag = hmac::sign(&key, octets);
        Some(
            tag.as_ref()[..8]
                .iter()
                .map(|octet| format!("{octet:02X}"))
                .collect(),
        )
    }
}

fn copy(of: &Message, mti: Mti, more: &[(u8, String)]) -> Message {
    let mut message = Message::new(mti);
    for element in [3, 4, 7, 11, 12, 13, 18, 32, 37, 41, 42, 48, 49] {
        if let Some(value) = of.get(element) {
            message.set(element, value);
        }
    }
    for (element, value) in more {
        message.set(*element, value);
    }
    message
}

/// One connection.
pub struct Line {
    stream: TcpStream,
    framer: Framer,
    profile: Profile,
    early: VecDeque<Message>,
}

impl Line {
    /// Connects.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(to: SocketAddr, profile: &Profile) -> std::io::Result<Line> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        Ok(Line {
            stream,
            framer: Framer::new(profile.prefix),
            profile: profile.clone(),
            early: VecDeque::new(),
        })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// What the system says.
    pub fn send(&mut self, message: &Message) -> std::io::Result<()> {
        let octets = self.profile.octets(message);
        self.stream.write_all(&octets)
    }

    /// Sends octets as they are.
    ///
    /// # Errors
    /// What the system says.
    pub fn send_octets(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(octets)
    }

    /// The next message; `None` when none came in time.
    ///
    /// # Errors
    /// `UnexpectedEof` when the peer closed; `InvalidData` for what is no message, or whose authentication code is wrong.
    pub fn receive(&mut self, patience: Duration) -> std::io::Result<Option<Message>> {
        if let Some(message) = self.early.pop_front() {
            return Ok(Some(message));
        }
        self.next_on_line(patience)
    }

    fn next_on_line(&mut self, patience: Duration) -> std::io::Result<Option<Message>> {
        let invalid = |_| std::io::Error::from(ErrorKind::InvalidData);
        let deadline = Instant::now() + patience;
        let mut input = [0; 4096];
        loop {
            let next = self
                .framer
                .next_message()
                .map_err(|_| std::io::Error::from(ErrorKind::InvalidData))?;
            if let Some(octets) = next {
                let read = decode(&octets).map_err(|_| std::io::Error::from(ErrorKind::InvalidData))?;
                let code = read.message.get(64).or_else(|| read.message.get(128));
                let right = self.profile.code(&octets[..read.covered]);
                if right.is_some() && right.as_deref() != code {
                    return Err(invalid(()));
                }
                return Ok(Some(read.message));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut input) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.framer.push(&input[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends and waits for the answer to this very message, keeping others for later.
    ///
    /// # Errors
    /// As [`Line::receive`].
    pub fn ask(&mut self, message: &Message, patience: Duration) -> std::io::Result<Option<Message>> {
        self.send(message)?;
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(answer) = self.next_on_line(left)? else {
                return Ok(None);
            };
            let same = |element: u8| answer.get(element) == message.get(element);
            if answer.mti == message.mti.answer() && same(11) && same(7) && same(37) {
                return Ok(Some(answer));
            }
            self.early.push_back(answer);
        }
    }
}
