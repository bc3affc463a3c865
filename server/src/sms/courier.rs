//! Which message is where: parts, resending, outcomes. No I/O; the sender drives it.

use std::collections::{HashMap, HashSet, VecDeque};

use tokio::sync::oneshot;
use wire::smpp::pdu::{ESM_UDHI, REGISTERED_FINAL};
use wire::smpp::{Address, Esme, EsmeEvent, ShortMessage};
use wire::sms::{Encoded, Part, TextSettings, prepare};

use super::config::SmsConfig;
use super::outbox::{EventPlace, OutboxMessage, Outcome};
use super::receipts::ReceiptBook;

/// What became of a one-time code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstantOutcome {
    /// The centre has it.
    Sent,
    /// The centre refused it, or it cannot be written.
    Refused,
    /// It was not sent in time.
    Expired,
    /// It was sent and no answer came: it may arrive.
    Unknown,
}

/// A text that must not be written to disk.
#[derive(Debug)]
pub struct Instant {
    /// E.164 digits.
    pub msisdn: String,
    /// What the subscriber shall read.
    pub text: String,
    /// It is worth nothing after this, in microseconds since the epoch.
    pub expires_micros: i64,
    /// Who wants to know.
    pub reply: oneshot::Sender<InstantOutcome>,
}

#[derive(Debug)]
enum Origin {
    Outbox {
        id: EventPlace,
        attempts: u32,
    },
    Instant {
        expires_micros: i64,
        reply: Option<oneshot::Sender<InstantOutcome>>,
    },
}

#[derive(Debug)]
struct Job {
    origin: Origin,
    parts: Vec<PartJob>,
}

#[derive(Debug)]
struct PartJob {
    message: ShortMessage,
    accepted_as: Option<String>,
    unanswered: u32,
}

/// Submits of one short message without an answer before it has to wait; a centre that takes messages and says
/// nothing would fill the handset otherwise.
const UNANSWERED_MAX: u32 = 2;
/// The longest wait of a message that failed for now: one hour.
const RETRY_MICROS_MAX: i64 = 3_600 * 1_000_000;

/// Messages in hand. Keys of the SMPP machine are `job * 256 + part`.
#[derive(Debug)]
pub struct Courier {
    sender: Address,
    text: TextSettings,
    registered_delivery: u8,
    retry_after_micros: i64,
    jobs: HashMap<u64, Job>,
    next_job: u64,
    fast: VecDeque<u64>,
    ready: VecDeque<u64>,
    /// Outbox rows that are in hand or whose outcome is not durable yet.
    known: HashSet<EventPlace>,
    outcomes: Vec<Outcome>,
    receipts: ReceiptBook,
    /// Short messages handed to the machine, and handed to it again.
    pub submitted: u64,
    /// Submits whose answer never came and that were queued again.
    pub repeated: u64,
}

impl Courier {
    /// With empty hands.
    #[must_use]
    pub fn new(config: &SmsConfig) -> Self {
        Self {
            sender: Address::sender(&config.sender),
            text: config.text(),
            registered_delivery: if config.delivery_receipts {
                REGISTERED_FINAL
            } else {
                0
            },
            retry_after_micros: i64::try_from(config.retry_after_ms.saturating_mul(1_000))
                .unwrap_or(i64::MAX),
            jobs: HashMap::new(),
            next_job: 0,
            fast: VecDeque::new(),
            ready: VecDeque::new(),
            known: HashSet::new(),
            outcomes: Vec::new(),
            receipts: ReceiptBook::default(),
            submitted: 0,
            repeated: 0,
        }
    }

    /// Rows of the outbox that are in hand, or whose outcome is not durable yet.
    pub fn known(&self) -> &HashSet<EventPlace> {
        &self.known
    }

    /// Takes messages from the outbox; those that are in hand already are skipped.
    pub fn load(&mut self, messages: Vec<OutboxMessage>) {
        for message in messages {
            if !self.known.insert(message.id) {
                continue;
            }
            // The same reference every time: a handset that has some parts already can join the rest.
            let reference = reference_of(message.id);
            match self.write(&message.msisdn, &message.text, reference) {
                Ok(parts) => {
                    let job = self.add(
                        Origin::Outbox {
                            id: message.id,
                            attempts: message.attempts,
                        },
                        parts,
                    );
                    self.ready.extend(job);
                }
                Err(reason) => {
                    self.outcomes.push(Outcome::Failed {
                        id: message.id,
                        reason,
                        retry_at_micros: None,
                    });
                }
            }
        }
    }

    /// Takes a one-time code; it goes before everything else.
    pub fn take_instant(&mut self, instant: Instant, now_micros: i64) {
        let Instant {
            msisdn,
            text,
            expires_micros,
            reply,
        } = instant;
        let reference = u16::try_from(self.next_job & 0xffff).unwrap_or_default();
        let Ok(mut parts) = self.write(&msisdn, &text, reference) else {
            return answer(Some(reply), InstantOutcome::Refused);
        };
        for part in &mut parts {
            part.message.validity_period = relative_time(expires_micros.saturating_sub(now_micros));
        }
        let job = self.add(
            Origin::Instant {
                expires_micros,
                reply: Some(reply),
            },
            parts,
        );
        self.fast.extend(job);
    }

    /// Hands parts to the machine, codes first, until `room` are outstanding.
    pub fn submit(&mut self, esme: &mut Esme, room: usize, now_micros: u64, wall_micros: i64) {
        while esme.outstanding() < room {
            let Some(key) = self.fast.pop_front().or_else(|| self.ready.pop_front()) else {
                return;
            };
            if self.expire(key, wall_micros) {
                continue;
            }
            let Some(part) = self.part(key).filter(|part| part.accepted_as.is_none()) else {
                continue;
            };
            match esme.submit(key, part.message.clone(), now_micros) {
                Ok(()) => self.submitted += 1,
                Err(wire::smpp::SubmitRefused::Unencodable(error)) => {
                    self.give_up(key, &error.to_string());
                }
                Err(_) => return self.again(key),
            }
        }
    }

    /// Takes what the machine says about messages and receipts.
    pub fn handle(&mut self, event: EsmeEvent, wall_micros: i64) {
        match event {
            EsmeEvent::Accepted { key, message_id } => self.accepted(key, message_id),
            EsmeEvent::Rejected { key, status } if status.is_about_message() => {
                self.give_up(key, &status.to_string());
            }
            EsmeEvent::Rejected { key, status } => self.put_off(key, &status.to_string(), wall_micros),
            EsmeEvent::OutcomeUnknown { key } => self.unanswered(key, wall_micros),
            EsmeEvent::NotSent { key } => self.again(key),
            EsmeEvent::Receipt(receipt) => {
                let outcome = self.receipts.receive(&receipt);
                self.outcomes.extend(outcome);
            }
            _ => {}
        }
    }

    /// Messages in hand.
    #[must_use]
    pub fn in_hand(&self) -> usize {
        self.jobs.len()
    }

    /// Outcomes that must be made durable; [`Self::settled`] or [`Self::not_settled`] must follow.
    pub fn take_outcomes(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.outcomes)
    }

    /// Whether outcomes wait to be made durable.
    #[must_use]
    pub fn has_outcomes(&self) -> bool {
        !self.outcomes.is_empty()
    }

    /// These outcomes are durable now.
    pub fn settled(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes.iter().filter(|outcome| outcome.is_final()) {
            self.known.remove(&outcome.id());
        }
    }

    /// These outcomes could not be made durable; they will be offered again.
    pub fn not_settled(&mut self, mut outcomes: Vec<Outcome>) {
        outcomes.append(&mut self.outcomes);
        self.outcomes = outcomes;
    }

    fn write(&self, msisdn: &str, text: &str, reference: u16) -> Result<Vec<PartJob>, String> {
        let digits = msisdn.trim_start_matches('+');
        let plausible = (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !plausible {
            return Err("the number is not E.164".to_owned());
        }
        let encoded = prepare(text, &self.text, reference).map_err(|error| error.to_string())?;
        let Encoded { encoding, parts } = encoded;
        let write = |part: Part| {
            let mut message = ShortMessage {
                source: self.sender.clone(),
                destination: Address::international(digits),
                esm_class: if part.has_header { ESM_UDHI } else { 0 },
                registered_delivery: self.registered_delivery,
                data_coding: encoding.data_coding(),
                ..ShortMessage::default()
            };
            message.tlvs.user_message_reference = Some(reference);
            message.tlvs.sar = part.sar;
            if part.in_payload {
                message.tlvs.message_payload = Some(part.octets);
            } else {
                message.octets = part.octets;
            }
            PartJob {
                message,
                accepted_as: None,
                unanswered: 0,
            }
        };
        Ok(parts.into_iter().map(write).collect())
    }

    fn add(&mut self, origin: Origin, parts: Vec<PartJob>) -> Vec<u64> {
        let job = self.next_job;
        self.next_job += 1;
        let keys = (0..parts.len())
            .map(|part| job * 256 + u64::try_from(part).unwrap_or(0))
            .collect();
        self.jobs.insert(job, Job { origin, parts });
        keys
    }

    fn part(&mut self, key: u64) -> Option<&mut PartJob> {
        let part = usize::try_from(key % 256).ok()?;
        self.jobs.get_mut(&(key / 256))?.parts.get_mut(part)
    }

    fn accepted(&mut self, key: u64, message_id: String) {
        let Some(part) = self.part(key) else { return };
        part.accepted_as = Some(message_id);
        let done = self
            .jobs
            .get(&(key / 256))
            .is_some_and(|job| job.parts.iter().all(|p| p.accepted_as.is_some()));
        if !done {
            return;
        }
        let Some(job) = self.jobs.remove(&(key / 256)) else {
            return;
        };
        match job.origin {
            Origin::Outbox { id, .. } => {
                let ids: Vec<String> = job
                    .parts
                    .into_iter()
                    .filter_map(|part| part.accepted_as)
                    .collect();
                let message_id = ids.first().cloned().unwrap_or_default();
                self.outcomes.push(Outcome::Sent { id, message_id });
                let delivered = self.receipts.sent(id, &ids);
                self.outcomes.extend(delivered);
            }
            Origin::Instant { reply, .. } => answer(reply, InstantOutcome::Sent),
        }
    }

    fn unanswered(&mut self, key: u64, wall_micros: i64) {
        let Some(part) = self.part(key) else { return };
        part.unanswered += 1;
        if part.unanswered >= UNANSWERED_MAX {
            return self.put_off(key, "the message centre does not answer", wall_micros);
        }
        self.repeated += 1;
        self.again(key);
    }

    /// The message waits, twice as long each time. Codes do not wait: they would expire.
    fn put_off(&mut self, key: u64, reason: &str, wall_micros: i64) {
        let Some(job) = self.jobs.remove(&(key / 256)) else {
            return;
        };
        match job.origin {
            Origin::Outbox { id, attempts } => {
                let wait = self.retry_after_micros.saturating_mul(1 << attempts.min(20));
                let retry_at = wall_micros.saturating_add(wait.min(RETRY_MICROS_MAX));
                self.fail(id, reason, Some(retry_at));
            }
            Origin::Instant { reply, .. } => {
                let asked = job.parts.iter().any(|part| part.unanswered > 0);
                answer(
                    reply,
                    if asked {
                        InstantOutcome::Unknown
                    } else {
                        InstantOutcome::Refused
                    },
                );
            }
        }
    }

    fn give_up(&mut self, key: u64, reason: &str) {
        let Some(job) = self.jobs.remove(&(key / 256)) else {
            return;
        };
        match job.origin {
            Origin::Outbox { id, .. } => {
                self.fail(id, reason, None);
            }
            Origin::Instant { reply, .. } => answer(reply, InstantOutcome::Refused),
        }
    }

    fn fail(&mut self, id: EventPlace, reason: &str, retry_at_micros: Option<i64>) {
        let reason = reason.to_owned();
        self.outcomes.push(Outcome::Failed {
            id,
            reason,
            retry_at_micros,
        });
    }

    // What was sent first goes first again.
    fn again(&mut self, key: u64) {
        match self.jobs.get(&(key / 256)).map(|job| &job.origin) {
            Some(Origin::Outbox { .. }) => self.ready.push_front(key),
            Some(Origin::Instant { .. }) => self.fast.push_front(key),
            None => {}
        }
    }

    fn expire(&mut self, key: u64, wall_micros: i64) -> bool {
        let expired = self.jobs.get(&(key / 256)).is_some_and(|job| match job.origin {
            Origin::Instant { expires_micros, .. } => wall_micros >= expires_micros,
            Origin::Outbox { .. } => false,
        });
        if expired
            && let Some(Job {
                origin: Origin::Instant { reply, .. },
                ..
            }) = self.jobs.remove(&(key / 256))
        {
            answer(reply, InstantOutcome::Expired);
        }
        expired
    }
}

// Nobody may be listening any more, and that is fine.
fn answer(reply: Option<oneshot::Sender<InstantOutcome>>, outcome: InstantOutcome) {
    if let Some(reply) = reply {
        let _ = reply.send(outcome);
    }
}

/// Ties the parts of a message together; the same at every attempt.
fn reference_of(id: EventPlace) -> u16 {
    let mixed = id
        .seq
        .wrapping_mul(31)
        .wrapping_add(u64::from(id.index))
        .wrapping_add(u64::from(id.partition) << 5);
    u16::try_from(mixed & 0xffff).unwrap_or_default()
}

/// `micros` from now as SMPP relative time (7.1.1), at least one second and at most 99 days.
fn relative_time(micros: i64) -> String {
    let seconds = (micros / 1_000_000).clamp(1, 99 * 86_400 - 1);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    format!(
        "0000{days:02}{:02}{:02}{:02}000R",
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::relative_time;

    #[test]
    fn relative_time_is_days_hours_minutes_seconds() {
        let check = |seconds: i64, expected: &str| {
            assert_eq!(relative_time(seconds * 1_000_000), expected);
            assert_eq!(expected.len(), 16);
        };
        check(0, "000000000001000R");
        check(300, "000000000500000R");
        check(86_400 + 3_600 + 61, "000001010101000R");
        check(i64::MAX / 1_000_000, "000098235959000R");
    }
}
