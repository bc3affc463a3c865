//! A bank's switch that pays bills over 1LINK 1BILL (reference payments 2.5): HTTP on a line that loses, delays, repeats and
//! reorders, and the bank's own book of what it was told.
//!
//! It blocks: each message has a thread and a connection, as in a switch that lets nobody wait for anybody.

use super::Trouble;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Where inquiries go.
pub const INQUIRY: &str = "/api/1.0/Payments/BillInquiry";
/// Where payments go.
pub const PAYMENT: &str = "/api/1.0/Payments/BillPayment";
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Messages of a storm that are on their way at once.
const AT_ONCE: usize = 24;

/// A bank as its messages show it.
#[derive(Clone, Debug)]
pub struct Profile {
    /// `bank_mnemonic`.
    pub mnemonic: String,
    /// Header `username`.
    pub username: String,
    /// Header `password`.
    pub password: String,
}

/// A payment as the bank has it in its book. The same one is always the same message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// `consumer_number`.
    pub consumer: String,
    /// `tran_auth_id`, six digits.
    pub authorization: String,
    /// Paisa.
    pub paisa: u64,
    /// `tran_date`.
    pub date: String,
    /// `tran_time`.
    pub time: String,
    /// `reserved`.
    pub reserved: String,
}

impl Payment {
    /// The payment of this number: the same number is the same key, for ever.
    pub fn of(number: u32, consumer: &str, paisa: u64) -> Payment {
        Payment {
            consumer: consumer.to_owned(),
            authorization: format!("{:06}", number % 1_000_000),
            paisa,
            date: format!("202609{:02}", 1 + number / 1_000_000 % 30),
            time: "160110".to_owned(),
            reserved: String::new(),
        }
    }

    /// With a bundle.
    pub fn with_bundle(mut self, code: &str) -> Payment {
        self.reserved = format!("CNIC=;BundleID={code}");
        self
    }

    /// The body of its message.
    pub fn body(&self, profile: &Profile) -> Value {
        json!({"consumer_number": self.consumer, "tran_auth_id": self.authorization,
            "transaction_amount": format!("{:012}", self.paisa), "tran_date": self.date, "tran_time": self.time,
            "bank_mnemonic": profile.mnemonic, "reserved": self.reserved})
    }
}

/// What a bank heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing: it has to ask again.
    Nothing,
    /// That there is no answer now (503): it has to ask again.
    NotNow,
    /// A status that is no answer of the protocol: 401, 403, 404, 405, 413 ...
    Http(u16),
    /// `response_Code` 00 with this `identification_parameter`.
    Paid(String),
    /// Another `response_Code`.
    Refused(String),
}

/// What the book says of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Messages that may have arrived.
    pub sent: u32,
    /// The receipt, once told.
    pub receipt: Option<String>,
    /// The first refusal, once told.
    pub refused: Option<String>,
}

impl Entry {
    /// Nobody has said what became of it.
    pub fn is_open(&self) -> bool {
        self.receipt.is_none() && self.refused.is_none()
    }
}

/// The switch of a bank.
pub struct Switch {
    /// Who it is.
    pub profile: Profile,
    to: SocketAddr,
    patience: Duration,
    book: Mutex<BTreeMap<String, (Payment, Entry)>>,
}

impl Switch {
    /// A switch that calls there and waits so long for an answer.
    pub fn new(profile: Profile, to: SocketAddr, patience: Duration) -> Switch {
        Switch {
            profile,
            to,
            patience,
            book: Mutex::default(),
        }
    }

    /// The biller has another address after a restart.
    pub fn call(&mut self, to: SocketAddr) {
        self.to = to;
    }

    /// What it knows, by authorization and date.
    pub fn book(&self) -> BTreeMap<String, (Payment, Entry)> {
        self.book.lock().clone()
    }

    /// Asks about a number: status and body.
    ///
    /// # Errors
    /// What the line says.
    pub fn inquire(&self, consumer: &str) -> std::io::Result<(u16, Value)> {
        let body =
            json!({"consumer_number": consumer, "bank_mnemonic": self.profile.mnemonic, "reserved": ""});
        let answer = self.exchange(INQUIRY, body.to_string().as_bytes(), Trouble::None)?;
        let nothing = || Error::from(ErrorKind::UnexpectedEof);
        answer.ok_or_else(nothing)
    }

    /// Sends a payment once, through this trouble, and keeps what was heard in the book.
    pub fn pay(&self, payment: &Payment, trouble: Trouble) -> Heard {
        let key = format!("{}{}", payment.date, payment.authorization);
        {
            let mut book = self.book.lock();
            let (_, entry) = book
                .entry(key.clone())
                .or_insert_with(|| (payment.clone(), Entry::default()));
            entry.sent += u32::from(trouble != Trouble::Lost && trouble != Trouble::Cut);
        }
        let body = payment.body(&self.profile).to_string();
        // A line that breaks has said nothing.
        let answer = self.exchange(PAYMENT, body.as_bytes(), trouble).ok().flatten();
        let heard = answer.map_or(Heard::Nothing, |(status, body)| heard(status, &body));
        if let Some((_, entry)) = self.book.lock().get_mut(&key) {
            match &heard {
                Heard::Paid(receipt) => entry.receipt = Some(receipt.clone()),
                Heard::Refused(code) if entry.refused.is_none() => entry.refused = Some(code.clone()),
                _ => {}
            }
        }
        heard
    }

    /// All of them at once, each up to three times, in any order, each message through some trouble.
    pub fn storm(&self, payments: &[Payment], seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut messages: Vec<(&Payment, Trouble)> = Vec::new();
        for payment in payments {
            for _ in 0..random.random_range(1..=3) {
                messages.push((payment, Trouble::random(&mut random)));
            }
        }
        messages.shuffle(&mut random);
        let next = Mutex::new(messages.into_iter());
        std::thread::scope(|threads| {
            for _ in 0..AT_ONCE {
                threads.spawn(|| {
                    loop {
                        let Some((payment, trouble)) = next.lock().next() else {
                            return;
                        };
                        self.pay(payment, trouble);
                    }
                });
            }
        });
    }

    /// Store and forward: asks again for what is open until all of it is answered. False when that takes too long.
    pub fn settle(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            let open: Vec<Payment> = self
                .book()
                .into_values()
                .filter(|(_, entry)| entry.is_open())
                .map(|(payment, _)| payment)
                .collect();
            if open.is_empty() {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            for payment in &open {
                self.pay(payment, Trouble::None);
            }
        }
    }

    /// One request and its answer; `None`: there is none.
    ///
    /// # Errors
    /// What the line says.
    pub fn exchange(
        &self,
        path: &str,
        body: &[u8],
        trouble: Trouble,
    ) -> std::io::Result<Option<(u16, Value)>> {
        let headers = [
            ("username", self.profile.username.as_str()),
            ("password", self.profile.password.as_str()),
        ];
        let mut octets = head("POST", path, &headers, body.len());
        octets.extend_from_slice(body);
        let patience = match trouble {
            Trouble::Lost => return Ok(None),
            Trouble::Impatient(patience) => patience,
            Trouble::Late(late) => {
                std::thread::sleep(late);
                self.patience
            }
            _ => self.patience,
        };
        let mut line = TcpStream::connect(self.to)?;
        line.set_nodelay(true)?;
        if trouble == Trouble::Cut {
            let half = octets.len() - body.len() / 2 - 1;
            line.write_all(&octets[..half])?;
            line.shutdown(Shutdown::Both)?;
            return Ok(None);
        }
        line.write_all(&octets)?;
        if trouble == Trouble::AnswerLost {
            // Not at once: what is in flight with the end of the line would be thrown away with it.
            std::thread::sleep(Duration::from_millis(1));
            return Ok(None);
        }
        answer(&mut line, patience)
    }

    /// Octets as they are, and the answer to them.
    ///
    /// # Errors
    /// What the line says.
    pub fn raw(&self, octets: &[u8]) -> std::io::Result<Option<(u16, Value)>> {
        let mut line = TcpStream::connect(self.to)?;
        // Whoever is refused early may find the line closed while it writes; the answer is there all the same.
        let _ = line.write_all(octets);
        answer(&mut line, self.patience)
    }
}

/// The head of a request.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> Vec<u8> {
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nhost: biller\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: \
         {length}\r\n"
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

fn heard(status: u16, body: &Value) -> Heard {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    match (status, text("response_Code")) {
        (503, _) => Heard::NotNow,
        (200, code) if code == "00" => Heard::Paid(text("identification_parameter")),
        (200, code) => Heard::Refused(code),
        (status, _) => Heard::Http(status),
    }
}

/// Status and body of an answer; `None` when none came in time, or none came whole.
fn answer(line: &mut TcpStream, patience: Duration) -> std::io::Result<Option<(u16, Value)>> {
    let deadline = Instant::now() + patience;
    let (mut octets, mut input) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(whole) = parsed(&octets) {
            return Ok(Some(whole));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || octets.len() > ANSWER_BYTES_MAX {
            return Ok(None);
        }
        line.set_read_timeout(Some(left))?;
        match line.read(&mut input) {
            Ok(0) => return Ok(None),
            Ok(count) => octets.extend_from_slice(&input[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
}

/// An answer that is whole. A body that is no JSON is null.
fn parsed(octets: &[u8]) -> Option<(u16, Value)> {
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&octets[..end]).ok()?.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(Some(0), |length| length.trim().parse().ok())?;
    let body = octets.get(end..end + length)?;
    Some((status, serde_json::from_slice(body).unwrap_or(Value::Null)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"response_Code\":\"00\"}";
        for end in 0..text.len() {
            assert!(parsed(&text[..end]).is_none(), "{end}");
        }
        let (status, body) = parsed(text).unwrap();
        assert_eq!(heard(status, &body), Heard::Paid(String::new()));
        assert_eq!(parsed(b"HTTP/1.1 401 Unauthorized\r\n\r\n").unwrap().0, 401);
        assert_eq!(heard(503, &Value::Null), Heard::NotNow);
        assert_eq!(heard(413, &Value::Null), Heard::Http(413));
    }
}
