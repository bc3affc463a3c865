//! Gateways over SMPP: deliver_sm with ussd_service_op brings what was dialled or typed, submit_sm brings the page.

use super::config::SmppGateway;
use keypad::{Answer, Keypad, Who};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use wire::smpp::{Bind, BindMode, Esme, EsmeConfig, EsmeEvent, ShortMessage};
use wire::sms::{Fragment, Reassembler};
use wire::ussd::page::{self, Alphabet};
use wire::ussd::{PageSize, service_op};

const READ_OCTETS: usize = 16 * 1024;
/// Answers under way of one connection.
const UNDER_WAY_MAX: usize = 1_024;
/// its_session_info: the last bit of the second octet ends the session.
const END_OF_SESSION: u8 = 1;

/// One connection, until it ends.
pub async fn converse(
    name: &str,
    config: &SmppGateway,
    keypad: &Keypad,
    mut stream: TcpStream,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let patience = Duration::from_millis(config.response_timeout_ms.max(1));
    let started = Instant::now();
    let now = || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let mut esme = Esme::new(settings(config), now());
    let (sender, mut said) = mpsc::channel::<ShortMessage>(UNDER_WAY_MAX);
    let mut input = vec![0; READ_OCTETS];
    let mut pages = 0;
    loop {
        esme.handle_timeout(now());
        while let Some(event) = esme.poll_event() {
            match event {
                EsmeEvent::Bound { system_id } => {
                    tracing::info!(gateway = name, system_id, "bound to the USSD gateway");
                }
                EsmeEvent::MobileOriginated(message) => {
                    if let Some(asked) = Asked::read(name, message) {
                        let (keypad, sender) = (keypad.clone(), sender.clone());
                        tokio::spawn(async move {
                            if let Some(page) = asked.answer(&keypad).await {
                                drop(sender.send(page).await);
                            }
                        });
                    }
                }
                EsmeEvent::Rejected { status, .. } => {
                    tracing::warn!(gateway = name, %status, "the USSD gateway refused a page");
                }
                EsmeEvent::Closed(reason) => return Err(io::Error::other(format!("{reason:?}"))),
                _ => {}
            }
        }
        while let Some(octets) = esme.poll_transmit() {
            timeout(patience, stream.write_all(&octets)).await??;
        }
        let wake = esme
            .poll_timeout()
            .map_or(Duration::from_secs(1), Duration::from_micros);
        tokio::select! {
            read = stream.read(&mut input) => match read? {
                0 => return Ok(()),
                count => esme.handle_input(&input[..count], now()),
            },
            Some(page) = said.recv() => {
                pages += 1;
                if let Err(error) = esme.submit(pages, page, now()) {
                    tracing::warn!(gateway = name, %error, "a page could not be sent");
                }
            }
            () = sleep_until(started + wake) => {}
        }
    }
}

fn settings(config: &SmppGateway) -> EsmeConfig {
    EsmeConfig {
        bind: Bind {
            mode: BindMode::Transceiver,
            system_id: config.system_id.clone(),
            password: config.password.clone(),
            system_type: config.system_type.clone(),
            address_range: String::new(),
        },
        window: config.window.max(1),
        queue_max: UNDER_WAY_MAX,
        response_timeout_micros: config.response_timeout_ms.saturating_mul(1_000),
        enquire_interval_micros: config.enquire_interval_ms.saturating_mul(1_000),
        ..EsmeConfig::default()
    }
}

/// What a phone dialled or typed.
struct Asked {
    gateway: String,
    message: ShortMessage,
    operation: u8,
    session: Option<[u8; 2]>,
    text: String,
}

impl Asked {
    /// Reads it; none when it is no USSD.
    fn read(gateway: &str, message: ShortMessage) -> Option<Asked> {
        let operation = message.tlvs.ussd_service_op?;
        let fragment = Fragment::read(
            message.data_coding,
            message.has_header(),
            message.user_data(),
            None,
        );
        // One short message is a whole USSD string.
        let text = Reassembler::default().accept("", "", fragment.ok()?, 0)?.text;
        // Some gateways put the code where the short code stands, and nothing into the text.
        let code = &message.destination.number;
        let begins = matches!(
            operation,
            service_op::PSSR_INDICATION | service_op::PSSD_INDICATION
        );
        let text = match begins && code.starts_with(['*', '#']) && !text.starts_with(['*', '#']) {
            true => code.clone(),
            false => text,
        };
        Some(Asked {
            gateway: gateway.to_owned(),
            session: message.tlvs.its_session_info,
            operation,
            message,
            text,
        })
    }

    /// The page; none when nothing is to be said.
    async fn answer(&self, keypad: &Keypad) -> Option<ShortMessage> {
        let from = &self.message.source.number;
        let name = format!("{from}/{}", self.session.map_or(0, |[session, _]| session));
        let key = Keypad::key(&self.gateway, &name);
        let Some(number) = web::number::parse(from, keypad.web().catalogs()) else {
            return Some(self.page(&Answer::last(keypad.strange("problem-bad-number"))));
        };
        let ends = self
            .session
            .is_some_and(|[_, sequence]| sequence & END_OF_SESSION != 0);
        let answer = match self.operation {
            service_op::PSSR_INDICATION | service_op::PSSD_INDICATION if !ends => {
                keypad
                    .begin(key, Who::Number(number), &self.text, PageSize::FULL)
                    .await
            }
            service_op::USSR_CONFIRM if !ends => {
                let step = self.session.map(|[_, sequence]| u32::from(sequence));
                keypad.typed(key, &self.text, step).await
            }
            // Hung up, or an acknowledgement.
            _ => {
                keypad.ended(key);
                return None;
            }
        };
        Some(self.page(&answer))
    }

    fn page(&self, answer: &Answer) -> ShortMessage {
        let (data_coding, octets) = match Alphabet::of(&answer.text) {
            Alphabet::Gsm7 => (0, page::septets(&answer.text)),
            Alphabet::Ucs2 => (8, answer.text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        };
        let mut message = ShortMessage {
            source: self.message.destination.clone(),
            destination: self.message.source.clone(),
            data_coding,
            octets,
            ..ShortMessage::default()
        };
        message.tlvs.ussd_service_op = Some(match answer.last {
            true => service_op::PSSR_RESPONSE,
            false => service_op::USSR_REQUEST,
        });
        message.tlvs.its_session_info = self.session.map(|[session, sequence]| {
            let next = (sequence | END_OF_SESSION).wrapping_add(1);
            [session, if answer.last { next | END_OF_SESSION } else { next }]
        });
        message
    }
}
