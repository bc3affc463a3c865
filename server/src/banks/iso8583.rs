//! The host for cash machines: profile TOPUP-87A over TCP (reference payments 2.7).
//!
//! A connection carries many messages at once; answers leave as they are ready. What cannot be answered truthfully is not
//! answered: the bank repeats it or sends its reversal, and both find what became of it.

use super::Roll;
use super::config::{BankConfig, Iso8583Config, PrefixConfig, ReversalAnswer};
use super::sale::{Asked, Back, Key, Told, sell_once, take_back};
use charge::ids::digest128;
use charge::promotion::ChannelClass;
use charge::{Money, Refusal};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use web::Web;
use web::problem::Fault;
use wire::iso8583::profile::{Network, Request, Reversal, TopUp, code, request_of};
use wire::iso8583::{Framer, Message, Mti, Prefix, Read, Reason, decode, framed};

/// Messages of one connection that are being worked on; more wait in the kernel.
const AT_ONCE: usize = 64;
/// Octets read at once.
const READ_OCTETS: usize = 4 << 10;
/// An answer that a peer does not take in so long is lost, and the connection with it.
const WRITE_MAX: Duration = Duration::from_secs(20);
/// A message that has begun must be whole within this time.
const MESSAGE_MAX: Duration = Duration::from_secs(20);
/// Pause after the system refused a connection, for example because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The words of DE48 that ask for plain credit.
const PLAIN: &str = "TOPUP";

/// The host.
pub struct Host {
    web: Web,
    roll: Arc<Roll>,
    prefix: Prefix,
    slots: Arc<Semaphore>,
    idle: Duration,
    answer: Duration,
}

/// What one connection has.
struct Line {
    host: Arc<Host>,
    remote: SocketAddr,
    /// Institutions that have signed on here.
    signed_on: Mutex<BTreeSet<String>>,
}

impl Host {
    /// A host as configured.
    pub fn new(web: Web, roll: Arc<Roll>, config: &Iso8583Config) -> Arc<Host> {
        Arc::new(Host {
            web,
            roll,
            prefix: match config.prefix {
                PrefixConfig::Binary => Prefix::Binary,
                PrefixConfig::Digits => Prefix::Digits,
            },
            slots: Arc::new(Semaphore::new(config.connections_max.min(Semaphore::MAX_PERMITS))),
            idle: Duration::from_secs(u64::from(config.idle_s)),
            answer: Duration::from_secs(u64::from(config.answer_s)),
        })
    }

    /// Accepts connections until told to stop.
    pub async fn serve(self: Arc<Host>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
        loop {
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
                return;
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopped.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, remote)) if self.roll.knows(remote.ip()) => {
                    let line = Arc::new(Line {
                        host: Arc::clone(&self),
                        remote,
                        signed_on: Mutex::default(),
                    });
                    let stopped = stopped.clone();
                    tokio::spawn(async move {
                        line.run(stream, stopped).await;
                        drop(slot);
                    });
                }
                Ok((_, remote)) => tracing::warn!(%remote, "no bank calls from there"),
                Err(error) => {
                    tracing::warn!(%error, "accept a bank's connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Line {
    async fn run(self: Arc<Line>, stream: TcpStream, stopped: watch::Receiver<bool>) {
        // A socket that cannot be told so is only slower.
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        let (answers, waiting) = mpsc::channel(AT_ONCE);
        let mut writing = tokio::spawn(write(writer, waiting));
        let reason = tokio::select! {
            reason = self.listen(reader, answers, stopped) => reason,
            _ = &mut writing => "the peer takes no answers",
        };
        tracing::debug!(remote = %self.remote, reason, "a bank's connection ended");
        // Answers under way leave; the channel closes with the last of them.
        let _ = tokio::time::timeout(WRITE_MAX, writing).await;
    }

    /// Reads until the end; says why it is over.
    async fn listen(
        self: &Arc<Line>,
        mut reader: OwnedReadHalf,
        answers: mpsc::Sender<Vec<u8>>,
        mut stopped: watch::Receiver<bool>,
    ) -> &'static str {
        let at_once = Arc::new(Semaphore::new(AT_ONCE));
        let mut framer = Framer::new(self.host.prefix);
        let mut input = vec![0; READ_OCTETS];
        let mut begun: Option<tokio::time::Instant> = None;
        loop {
            let now = tokio::time::Instant::now();
            let until = begun.map_or(now + self.host.idle, |begun| begun + MESSAGE_MAX);
            let read = tokio::select! {
                read = tokio::time::timeout_at(until, reader.read(&mut input)) => read,
                _ = stopped.wait_for(|stop| *stop) => return "we stop",
            };
            let count = match read {
                Ok(Ok(count)) if count > 0 => count,
                Ok(_) => return "the peer closed",
                Err(_) => return "silence",
            };
            framer.push(&input[..count]);
            let mut whole = false;
            loop {
                let message = match framer.next_message() {
                    Ok(Some(message)) => message,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(remote = %self.remote, %error, "a bank's stream is lost");
                        return "a broken stream";
                    }
                };
                whole = true;
                let Ok(turn) = Arc::clone(&at_once).acquire_owned().await else {
                    return "closed";
                };
                let (line, answers) = (Arc::clone(self), answers.clone());
                tokio::spawn(async move {
                    if let Some(answer) = line.answer(&message).await {
                        // The peer may be gone: it asks again.
                        let _ = answers.send(framed(line.host.prefix, &answer)).await;
                    }
                    drop(turn);
                });
            }
            begun = match (framer.is_empty(), whole, begun) {
                (true, ..) => None,
                (false, false, Some(begun)) => Some(begun),
                (false, ..) => Some(tokio::time::Instant::now()),
            };
        }
    }

    /// The answer to one message; `None`: none is given.
    async fn answer(&self, octets: &[u8]) -> Option<Vec<u8>> {
        let read = match decode(octets) {
            Ok(read) => read,
            Err(refused) => {
                // The reason holds numbers of elements, never what was in them.
                tracing::warn!(remote = %self.remote, reason = %refused.reason, "a bank's message is refused");
                let echo = refused.echo?;
                if !answered(echo.mti) {
                    return None;
                }
                // What was not read cannot be proved; the answer moves nothing.
                let bank = self.bank_of(&echo);
                let card = refused.reason == Reason::CardData;
                let known = bank.is_some() || card || echo.get(32).is_none();
                let code = if known {
                    code::FORMAT_ERROR
                } else {
                    code::NOT_PERMITTED
                };
                return Some(encoded(&echo.answered(code), bank));
            }
        };
        if !answered(read.message.mti) {
            return None;
        }
        let bank = self.bank_of(&read.message);
        if let Some(bank) = bank
            && !proved(bank, octets, &read)
        {
            tracing::warn!(remote = %self.remote, bank = bank.code, "a wrong authentication code");
            return Some(encoded(&read.message.answered(code::SECURITY), Some(bank)));
        }
        let message = &read.message;
        let request = match request_of(message) {
            Ok(request) => request,
            Err(missing) => {
                tracing::warn!(remote = %self.remote, %missing, "a bank's message is refused");
                return Some(encoded(&message.answered(missing.code()), bank));
            }
        };
        let Some(bank) = bank else {
            let code = match request {
                Request::Network(Network::Echo) => code::APPROVED,
                _ => code::NOT_PERMITTED,
            };
            return Some(encoded(&message.answered(code), None));
        };
        let answer = match request {
            Request::Network(what) => {
                self.sign(bank, what);
                message.answered(code::APPROVED)
            }
            Request::TopUp(top_up) => self.sell(bank, message, &top_up).await?,
            Request::Reversal(reversal) => self.reverse(bank, message, &reversal).await?,
        };
        Some(encoded(&answer, Some(bank)))
    }

    fn bank_of(&self, message: &Message) -> Option<&BankConfig> {
        let address = self.remote.ip();
        match message.get(32) {
            Some(institution) => self.host.roll.institution(institution, address),
            None => self.host.roll.only(address),
        }
    }

    fn sign(&self, bank: &BankConfig, what: Network) {
        let mut signed_on = self.signed_on.lock();
        match what {
            Network::SignOn => _ = signed_on.insert(bank.institution.clone()),
            Network::SignOff => _ = signed_on.remove(&bank.institution),
            Network::Echo => {}
        }
    }

    async fn sell(&self, bank: &BankConfig, message: &Message, top_up: &TopUp) -> Option<Message> {
        if bank.sign_on && !self.signed_on.lock().contains(&bank.institution) {
            return Some(message.answered(code::NOT_PERMITTED));
        }
        let gross = money(top_up.amount_minor);
        let Some(gross) = gross else {
            return Some(message.answered(code::INVALID_AMOUNT));
        };
        let asked = Asked {
            partner: bank.partner(),
            key: &external(top_up.key.as_str()),
            msisdn: &top_up.msisdn,
            gross,
            currency: top_up.currency,
            offer: (top_up.product != PLAIN).then_some(top_up.product.as_str()),
            class: ChannelClass::Atm,
        };
        Some(match sell_once(&self.host.web, &asked, self.host.answer).await {
            Told::Sold { top_up: sold, .. } => {
                let mut answer = message.answered(code::APPROVED);
                answer.set(38, &approval(sold.id));
                answer
            }
            Told::Refused(reason) => message.answered(code_of(reason)),
            Told::Reversed | Told::OtherBody => message.answered(code::DUPLICATE),
            Told::Unknown => return None,
        })
    }

    async fn reverse(&self, bank: &BankConfig, message: &Message, reversal: &Reversal) -> Option<Message> {
        let key = external(reversal.original.as_str());
        let key = Key {
            partner: bank.partner(),
            key: &key,
        };
        let code = match take_back(
            &self.host.web,
            key,
            money(reversal.amount_minor),
            self.host.answer,
        )
        .await
        {
            Back::Whole => code::APPROVED,
            Back::Unknown => return None,
            _ if bank.reversal == ReversalAnswer::Accepted => code::APPROVED,
            Back::OtherAmount => code::INVALID_AMOUNT,
            Back::Part => code::PARTLY_TAKEN,
            Back::Nothing => code::NOTHING_TAKEN,
        };
        Some(message.answered(code))
    }
}

/// Requests are answered; answers and what nobody knows are not, or two hosts would talk for ever.
fn answered(mti: Mti) -> bool {
    (mti.0 / 10).is_multiple_of(2)
}

/// Hundredths as money; `None`: more than there is.
fn money(minor: u64) -> Option<Money> {
    let minor = i64::try_from(minor).ok()?;
    minor.checked_mul(Money::from_units(1).0 / 100).map(Money)
}

/// The name of a sale among all of a partner's.
fn external(key: &str) -> String {
    format!("87a.{key}")
}

fn proved(bank: &BankConfig, octets: &[u8], read: &Read) -> bool {
    let Some(key) = &bank.mac_key else {
        return true;
    };
    let code = read.message.get(64).or_else(|| read.message.get(128));
    code.is_some_and(|code| key.proves(&octets[..read.covered], code))
}

fn encoded(answer: &Message, bank: Option<&BankConfig>) -> Vec<u8> {
    let key = bank.and_then(|bank| bank.mac_key.as_ref());
    answer.encode_with(|octets| key.map(|key| key.code(octets)))
}

/// Six characters for people, from the top-up's id (DE38).
fn approval(id: u128) -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digest = digest128("approval", &[&id.to_be_bytes()]);
    let letter = |at: u32| {
        LETTERS
            .get((digest >> (5 * at) & 31) as usize)
            .copied()
            .unwrap_or(b'0')
    };
    (0..6).map(|at| char::from(letter(at))).collect()
}

/// The response code of a stable code.
pub(super) fn code_of(reason: u32) -> &'static str {
    use Refusal as R;
    let is = |fault: Fault| fault.spec().0 == reason;
    if is(Fault::NoSubscriber) || is(Fault::BadNumber) {
        return code::INVALID_NUMBER;
    }
    if is(Fault::BadAmount) {
        return code::INVALID_AMOUNT;
    }
    match R::from_code(reason) {
        Some(R::NoSuchAccount | R::AccountNotActive) => code::INVALID_NUMBER,
        Some(R::AmountTooSmall | R::AmountTooLarge) => code::INVALID_AMOUNT,
        Some(R::InsufficientFloat) => code::NOT_SUFFICIENT_FUNDS,
        Some(R::DailyLimit) => code::EXCEEDS_LIMIT,
        Some(R::PartnerNotActive | R::OperatorNotAllowed | R::NoSuchOperator) => code::NOT_PERMITTED,
        Some(R::NoSuchOffer) => code::INVALID_TRANSACTION,
        Some(R::Conflict | R::ExternalIdUsed | R::Duplicated) => code::DUPLICATE,
        Some(R::OperatorUnavailable) => code::UNAVAILABLE,
        Some(R::OperatorFailure) => code::MALFUNCTION,
        _ => code::DO_NOT_HONOUR,
    }
}

/// Writes answers as they come.
async fn write(mut writer: OwnedWriteHalf, mut waiting: mpsc::Receiver<Vec<u8>>) {
    while let Some(octets) = waiting.recv().await {
        match tokio::time::timeout(WRITE_MAX, writer.write_all(&octets)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
    // Whoever is gone needs no goodbye.
    let _ = writer.shutdown().await;
}
