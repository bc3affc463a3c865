//! How each channel asks for a recharge: real sockets, a connection pool of each kind, the same key whenever it asks again.
//!
//! # Layout
//! * here: APIs, messages, dialled codes, banks. [`forms`]: pages

pub mod forms;

use super::texts::Texts;
use super::{AMOUNT, Channel, Intent, Target, Till};
use crate::banks::atm::Profile;
use crate::banks::onebill::{PAYMENT, Payment};
use crate::smsc::Smsc;
use forms::Pages;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wire::iso8583::{Framer, Message, decode};

/// Longest wait for an answer over HTTP.
const PATIENCE: Duration = Duration::from_secs(30);
/// A bank repeats a sale that was not answered in this time.
const BANK_WAIT: Duration = Duration::from_secs(5);
/// What everybody pays, in paisa.
const PAISA: u64 = 10_000;

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is credited, or accepted and will be.
    Done,
    /// Not now: the same may be asked again.
    NotNow(String),
    /// No.
    No(String),
}

/// Everybody's connections.
pub struct Asker {
    target: Target,
    clients: Vec<reqwest::Client>,
    bank: Profile,
    /// Connections of the bank that nobody uses.
    lines: Mutex<Vec<(TcpStream, Framer)>>,
    texts: Texts,
    pages: Pages,
}

impl Asker {
    /// Sets the clients up, for callers from so many addresses. Within a tokio runtime.
    ///
    /// # Errors
    /// What the HTTP client says.
    pub fn new(target: Target, centre: Arc<Smsc>, addresses: u8) -> Result<Asker, String> {
        let clients: Result<Vec<reqwest::Client>, reqwest::Error> =
            (1..=addresses.max(1)).map(|last| client([1, last])).collect();
        Ok(Asker {
            clients: clients.map_err(|error| error.to_string())?,
            bank: Profile::plain(&target.institution),
            lines: Mutex::default(),
            texts: Texts::new(centre),
            pages: Pages::default(),
            target,
        })
    }

    /// Whom it asks.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The same people when the server has moved: nobody forgets what was promised.
    pub fn move_to(&mut self, target: Target) {
        self.target = target;
        self.lines.lock().clear();
    }

    /// Asks once. The same intent is the same request; `copy` only chooses the connection.
    ///
    /// # Errors
    /// No answer came.
    pub async fn ask(&self, intent: Intent, copy: usize) -> Result<Said, String> {
        let client = &self.clients[(intent.nth + copy) % self.clients.len()];
        let number = intent.msisdn.to_string();
        match intent.channel {
            Channel::Shop => {
                let body = json!({"msisdn": number, "amount": AMOUNT});
                let path = "/v1/sellers/me/sales?wait=10";
                self.sale(client, (&self.target.shops, path), intent, &body).await
            }
            Channel::Partner => {
                let body = json!({"msisdn": number, "amount": AMOUNT, "external_id": reference(intent)});
                let path = "/v1/topups?wait=10";
                self.sale(client, (&self.target.partners, path), intent, &body)
                    .await
            }
            Channel::Card | Channel::Ivr => {
                let heard = if intent.channel == Channel::Ivr {
                    "ivr"
                } else {
                    "api"
                };
                let body = json!({"msisdn": number, "pin": self.pin(intent)?, "channel": heard});
                let path = "/v1/vouchers/redeem";
                let key = chosen(&self.target.redeemers, intent)?;
                let (status, value) = self.post(client, key, (path, &reference(intent)), &body).await?;
                Ok(read(status, &value, status == 200))
            }
            Channel::Guest | Channel::CardPage | Channel::Till => self.page(intent, copy).await,
            Channel::UssdShop => self.ussd_shop(client, intent).await,
            Channel::UssdCard => self.ussd_card(client, intent).await,
            Channel::SmsShop => self.sms_shop(intent).await,
            Channel::SmsCard => {
                let (text, parts) = (format!("CARD {}", self.pin(intent)?), vec!["ard of".to_owned()]);
                self.text(&number, &text, parts).await
            }
            Channel::Atm => self.atm(intent, copy > 0).await,
            Channel::Bill => self.bill(client, intent).await,
        }
    }

    fn pin(&self, intent: Intent) -> Result<&str, String> {
        let pin = self.target.pins.get(intent.card);
        pin.map(String::as_str)
            .ok_or_else(|| "there are not enough cards".to_owned())
    }

    async fn post(
        &self,
        client: &reqwest::Client,
        key: &str,
        (path, once): (&str, &str),
        body: &Value,
    ) -> Result<(u16, Value), String> {
        let answer = client
            .post(format!("{}{path}", self.target.url))
            .header("authorization", format!("Bearer {key}"))
            .header("idempotency-key", once)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(|error| error.to_string())?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    async fn sale(
        &self,
        client: &reqwest::Client,
        (keys, path): (&[String], &str),
        intent: Intent,
        body: &Value,
    ) -> Result<Said, String> {
        let key = chosen(keys, intent)?;
        let (status, value) = self.post(client, key, (path, &reference(intent)), body).await?;
        let good = status == 202 || (status == 201 && value["state"] == "COMPLETED");
        Ok(read(status, &value, good))
    }

    async fn ussd(
        &self,
        client: &reqwest::Client,
        from: u64,
        (session, code, typed): (&str, &str, &str),
    ) -> Result<String, String> {
        let body = json!({
            "sessionId": session, "phoneNumber": from.to_string(), "serviceCode": code, "text": typed,
        });
        let request = client
            .post(&self.target.ussd)
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = request.send().await.map_err(|error| error.to_string())?;
        answer
            .text()
            .await
            .map(|said| wire::sms::strip_isolates(&said))
            .map_err(|error| error.to_string())
    }

    async fn ussd_shop(&self, client: &reqwest::Client, intent: Intent) -> Result<Said, String> {
        let till = chosen(&self.target.ussd_tills, intent)?;
        let typed = format!("0{}*{AMOUNT}*{}", national(intent.msisdn), till.pin);
        let session = reference(intent);
        let asked = (session.as_str(), self.target.codes.0.as_str(), typed.as_str());
        let said = self.ussd(client, till.msisdn, asked).await?;
        let good = said.starts_with("END Sold") || said.starts_with("END On its way");
        Ok(if good { Said::Done } else { Said::NotNow(said) })
    }

    /// Two pages: the code asks for the card, then the card is typed.
    async fn ussd_card(&self, client: &reqwest::Client, intent: Intent) -> Result<Said, String> {
        let (session, code) = (reference(intent), self.target.codes.1.as_str());
        let asks = self.ussd(client, intent.msisdn, (&session, code, "")).await?;
        if !asks.starts_with("CON") && !asks.contains("ard of") {
            return Ok(Said::NotNow(asks));
        }
        let typed = (session.as_str(), code, self.pin(intent)?);
        let said = self.ussd(client, intent.msisdn, typed).await?;
        let good = said.contains("ard of");
        Ok(if good { Said::Done } else { Said::NotNow(said) })
    }

    async fn sms_shop(&self, intent: Intent) -> Result<Said, String> {
        let till: &Till = chosen(&self.target.sms_tills, intent)?;
        let number = national(intent.msisdn);
        let text = format!("LOAD 0{number} {AMOUNT} {}", till.pin);
        let parts = vec!["Sold".to_owned(), format!("0{} {}", &number[..3], &number[3..])];
        self.text(&till.msisdn.to_string(), &text, parts).await
    }

    async fn text(&self, from: &str, text: &str, parts: Vec<String>) -> Result<Said, String> {
        let asked = self.texts.ask(from, &self.target.short_code, text, parts);
        match tokio::time::timeout(self.target.text_wait, asked).await {
            Ok(answered) => answered.map(|_| Said::Done),
            Err(_) => Ok(Said::NotNow(format!(
                "no answer came, but {:?}",
                self.texts.last(from)
            ))),
        }
    }

    async fn bill(&self, client: &reqwest::Client, intent: Intent) -> Result<Said, String> {
        let number = u32::try_from(intent.index).map_err(|error| error.to_string())?;
        let bank = &self.target.biller;
        let payment = Payment::of(number, &format!("0{}", national(intent.msisdn)), PAISA);
        let answer = client
            .post(format!("http://{}{PAYMENT}", self.target.onebill))
            .header("username", &bank.username)
            .header("password", &bank.password)
            .body(payment.body(bank).to_string())
            .send()
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(|error| error.to_string())?;
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        Ok(read(
            status,
            &value,
            status == 200 && value["response_Code"] == "00",
        ))
    }

    async fn atm(&self, intent: Intent, again: bool) -> Result<Said, String> {
        let number = u32::try_from(intent.index).map_err(|error| error.to_string())?;
        let sale = self
            .bank
            .sale(number, &format!("0{}", national(intent.msisdn)), PAISA);
        let message = if again { self.bank.repeat(&sale) } else { sale };
        // Taken out while it is used: when this is dropped, the connection closes.
        let free = self.lines.lock().pop();
        let (mut stream, mut framer) = match free {
            Some(line) => line,
            None => {
                let stream = TcpStream::connect(self.target.iso8583)
                    .await
                    .map_err(|e| e.to_string())?;
                stream.set_nodelay(true).map_err(|e| e.to_string())?;
                (stream, Framer::new(self.bank.prefix))
            }
        };
        let octets = self.bank.octets(&message);
        stream.write_all(&octets).await.map_err(|e| e.to_string())?;
        let answer = match tokio::time::timeout(BANK_WAIT, answer(&mut stream, &mut framer)).await {
            Ok(answer) => answer?,
            Err(_) => return Ok(Said::NotNow("the bank got no answer".to_owned())),
        };
        self.lines.lock().push((stream, framer));
        Ok(match answer.get(39) {
            Some("00") => Said::Done,
            code => Said::No(format!("response code {code:?}")),
        })
    }
}

/// The next message on a line that carries one at a time.
async fn answer(stream: &mut TcpStream, framer: &mut Framer) -> Result<Message, String> {
    let mut input = [0; 1024];
    loop {
        if let Some(octets) = framer.next_message().map_err(|error| format!("{error:?}"))? {
            let read = decode(&octets).map_err(|error| format!("{error:?}"))?;
            return Ok(read.message);
        }
        match stream.read(&mut input).await.map_err(|error| error.to_string())? {
            0 => return Err("the host closed the connection".to_owned()),
            count => framer.push(&input[..count]),
        }
    }
}

fn read(status: u16, value: &Value, good: bool) -> Said {
    let why = || format!("{status} {value}");
    match status {
        _ if good => Said::Done,
        // In flight, too fast, too busy, not known yet.
        409 | 429 | 500..=599 => Said::NotNow(why()),
        _ => Said::No(why()),
    }
}

/// A client at an address of its own.
fn client([third, last]: [u8; 2]) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .local_address(IpAddr::V4(Ipv4Addr::new(127, 0, third, last)))
        .timeout(PATIENCE)
        .build()
}

fn reference(intent: Intent) -> String {
    format!("eid-{}", intent.index)
}

fn chosen<T>(of: &[T], intent: Intent) -> Result<&T, String> {
    of.get(intent.nth % of.len().max(1))
        .ok_or_else(|| "nobody to ask with".to_owned())
}

/// The ten digits behind the country code.
fn national(msisdn: u64) -> String {
    format!("{:010}", msisdn % 10_000_000_000)
}
