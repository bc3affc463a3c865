//! A mail server for submissions (RFC 5321), without TLS: for this machine. It keeps what it took, and misbehaves in the
//! order in which it was told to.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longest line, bytes (RFC 5321 section 4.5.3.1.6 with room).
const LINE_BYTES_MAX: u64 = 4_096;
/// Longest message, bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// What goes wrong with one message; the next one is the next fault's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailFault {
    /// The recipient is refused for now: 451.
    Later,
    /// The recipient is refused for ever: 550.
    Never,
    /// The message is taken and kept, and the connection ends before that is said.
    DropAfterData,
    /// The connection ends in the middle of the message; nothing is kept.
    DropInData,
    /// The answer to the message takes so long.
    Slow(Duration),
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Envelope sender.
    pub from: String,
    /// Envelope recipient.
    pub to: String,
    /// Headers and body as they came, dots undone.
    pub data: String,
}

impl Mail {
    /// A header, unfolded; empty when it is not there.
    pub fn header(&self, name: &str) -> String {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default();
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let found = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        found.unwrap_or_default()
    }

    /// The text with quoted-printable and base64 parts decoded, as far as they are UTF-8.
    pub fn text(&self) -> String {
        let mut all = String::new();
        for part in self.data.split("\r\n--") {
            let (head, body) = part.split_once("\r\n\r\n").unwrap_or((part, ""));
            let head = head.to_ascii_lowercase();
            if head.contains("quoted-printable") {
                all.push_str(&unquoted(body));
            } else if head.contains("encoding: base64") {
                use base64::Engine as _;
                let packed: String = body.split_whitespace().collect();
                let bytes = base64::engine::general_purpose::STANDARD.decode(packed);
                all.push_str(&String::from_utf8_lossy(&bytes.unwrap_or_default()));
            } else {
                all.push_str(body);
            }
            all.push('\n');
        }
        all
    }
}

fn unquoted(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let bytes = joined.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = joined.get(at + 1..at + 3).filter(|_| bytes[at] == b'=');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[derive(Default)]
struct Shared {
    mails: Mutex<Vec<Mail>>,
    faults: Mutex<VecDeque<MailFault>>,
}

/// A running mail server. Dropping it stops it.
pub struct MailServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl MailServer {
    /// Starts. Within a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(address: SocketAddr) -> io::Result<MailServer> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                tokio::spawn(async move {
                    // A client that goes away is no error of ours.
                    let _ = serve(stream, &shared).await;
                });
            }
        });
        Ok(MailServer {
            address,
            shared,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that was taken, in order.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().clone()
    }

    /// Orders faults for the next messages.
    pub fn misbehave(&self, faults: &[MailFault]) {
        self.shared.faults.lock().extend(faults);
    }

    /// Faults that nobody has met yet.
    pub fn faults_left(&self) -> usize {
        self.shared.faults.lock().len()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn line(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut bytes = Vec::new();
    let read = reader.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).await?;
    if read == 0 || !bytes.ends_with(b"\n") {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    reader.write_all(b"220 mail.example ESMTP\r\n").await?;
    let (mut from, mut to) = (String::new(), String::new());
    let mut fault = None;
    loop {
        let said = line(&mut reader).await?;
        let word = said
            .split([' ', '\r', ':'])
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let address = || {
            let inner = said.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
            inner.map(|(address, _)| address.to_owned()).unwrap_or_default()
        };
        let answer: &[u8] = match word.as_str() {
            "EHLO" => b"250-mail.example\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "HELO" | "NOOP" | "RSET" => b"250 ok\r\n",
            "MAIL" => {
                from = address();
                fault = shared.faults.lock().pop_front();
                b"250 ok\r\n"
            }
            "RCPT" => match fault {
                Some(MailFault::Later) => b"451 4.7.1 try again later\r\n",
                Some(MailFault::Never) => b"550 5.1.1 no such user\r\n",
                _ => {
                    to = address();
                    b"250 ok\r\n"
                }
            },
            "DATA" => {
                reader.write_all(b"354 go on\r\n").await?;
                if !data(&mut reader, shared, fault, (&from, &to)).await? {
                    return Ok(());
                }
                b"250 2.0.0 taken\r\n"
            }
            "QUIT" => {
                reader.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"502 5.5.2 not here\r\n",
        };
        reader.write_all(answer).await?;
    }
}

/// Reads and keeps a message; false: the connection ends.
async fn data(
    reader: &mut BufReader<TcpStream>,
    shared: &Shared,
    fault: Option<MailFault>,
    (from, to): (&str, &str),
) -> io::Result<bool> {
    let mut data = String::new();
    loop {
        let said = line(reader).await?;
        if said == ".\r\n" {
            break;
        }
        data.push_str(said.strip_prefix('.').unwrap_or(&said));
        if data.len() > MESSAGE_BYTES_MAX || fault == Some(MailFault::DropInData) {
            return Ok(false);
        }
    }
    shared.mails.lock().push(Mail {
        from: from.to_owned(),
        to: to.to_owned(),
        data,
    });
    match fault {
        Some(MailFault::DropAfterData) => return Ok(false),
        Some(MailFault::Slow(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    Ok(true)
}
