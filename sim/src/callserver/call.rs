//! One leg of a call as `ims_charging` runs it: I at the INVITE, U with nothing at the answer, U before each grant ends, T.

use std::fmt;

use wire::diameter::ResultCode;
use wire::diameter::credit::{FinalUnit, RequestType};

use super::CallServerSettings;
use super::kamailio::{Report, encode};
use crate::diameter::{Answer, Client, ClientError, request_name};

/// Which party's server this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    /// The caller's.
    Originating,
    /// The called party's.
    Terminating,
}

/// A call that is to be played.
#[derive(Debug, Clone)]
pub struct Call {
    /// The caller, with or without plus.
    pub caller: String,
    /// The called party: a number with plus, or digits as dialled.
    pub called: String,
    /// Whose leg.
    pub leg: Leg,
    /// Seconds that the call lasts if the credit does.
    pub talk_s: u32,
    /// False: it rings and nobody answers.
    pub is_answered: bool,
    /// P-Access-Network-Info of the party whose leg this is.
    pub access_network: String,
}

impl Call {
    /// An answered call from a cell of Jazz whose area says no region, the caller's leg.
    #[must_use]
    pub fn new(caller: &str, called: &str, talk_s: u32) -> Self {
        Self {
            caller: caller.to_owned(),
            called: called.to_owned(),
            leg: Leg::Originating,
            talk_s,
            is_answered: true,
            access_network: access_network("41001", 1),
        }
    }

    /// The same from a cell of this network and tracking area.
    #[must_use]
    pub fn from_cell(mut self, plmn: &str, area: u16) -> Self {
        self.access_network = access_network(plmn, area);
        self
    }
}

/// An LTE cell as Kamailio was observed to pass it on: with a cell identity of eight digits (TS 24.229 says seven).
fn access_network(plmn: &str, area: u16) -> String {
    format!("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp={plmn}{area:04x}0019b001")
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// A party hung up.
    HungUp,
    /// The credit was used up and the call was cut.
    Cut,
    /// Nobody answered.
    NotAnswered,
    /// The server refused it.
    Refused(ResultCode),
}

/// One request of a call and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEntry {
    /// CC-Request-Type.
    pub kind: RequestType,
    /// CC-Request-Number.
    pub number: u32,
    /// Octets of the request.
    pub request_octets: usize,
    /// Seconds reported.
    pub used_s: Option<u32>,
    /// Result-Code of the answer.
    pub result: ResultCode,
    /// Result-Code of the service.
    pub service_result: Option<ResultCode>,
    /// Seconds granted.
    pub granted_s: Option<u32>,
    /// The grant is the last one.
    pub is_final: bool,
}

impl fmt::Display for CallEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", request_name(self.kind), self.number)?;
        if let Some(seconds) = self.used_s {
            write!(f, ", used {seconds} s")?;
        }
        write!(f, " -> {}", self.service_result.unwrap_or(self.result).0)?;
        if let Some(seconds) = self.granted_s {
            write!(f, ", granted {seconds} s")?;
        }
        write!(f, "{}", if self.is_final { ", last" } else { "" })
    }
}

/// What became of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Session-Id.
    pub session_id: String,
    /// How it ended.
    pub end: CallEnd,
    /// Seconds talked, as reported.
    pub talked_s: u32,
    /// Everything that was asked and answered.
    pub log: Vec<CallEntry>,
}

/// Plays one leg.
pub(super) async fn play(
    client: &Client,
    settings: &CallServerSettings,
    call: &Call,
) -> Result<CallRecord, ClientError> {
    let session_id = format!(
        "{};{};{}",
        settings.host,
        rand::random::<u32>(),
        rand::random::<u32>()
    );
    let mut leg = Playing {
        client,
        settings,
        call,
        record: CallRecord {
            session_id,
            end: CallEnd::HungUp,
            talked_s: 0,
            log: Vec::new(),
        },
    };
    leg.run().await?;
    Ok(leg.record)
}

struct Playing<'a> {
    client: &'a Client,
    settings: &'a CallServerSettings,
    call: &'a Call,
    record: CallRecord,
}

/// A grant in seconds, or why there is none.
#[derive(Clone, Copy)]
struct Grant {
    seconds: u32,
    is_final: bool,
    refusal: Option<ResultCode>,
}

impl Playing<'_> {
    async fn run(&mut self) -> Result<(), ClientError> {
        let mut grant = self.exchange(RequestType::Initial, None).await?;
        if let Some(code) = grant.refusal {
            // Observed: a refused INVITE is ended with a T all the same.
            self.exchange(RequestType::Termination, Some(0)).await?;
            self.record.end = CallEnd::Refused(code);
            return Ok(());
        }
        if !self.call.is_answered {
            self.exchange(RequestType::Termination, Some(0)).await?;
            self.record.end = CallEnd::NotAnswered;
            return Ok(());
        }
        grant = self.exchange(RequestType::Update, Some(0)).await?;
        loop {
            let left_s = self.call.talk_s - self.record.talked_s.min(self.call.talk_s);
            let is_last = grant.is_final || grant.refusal.is_some();
            let next_report_s = if is_last {
                grant.seconds
            } else {
                // A grant no longer than the buffer is reported after a second, so that time goes on.
                grant.seconds.saturating_sub(self.settings.buffer_s).max(1)
            };
            if left_s <= next_report_s {
                return self.end(left_s, CallEnd::HungUp).await;
            }
            if is_last {
                let late_s = self.settings.cut_late_s.min(left_s - next_report_s);
                return self.end(next_report_s + late_s, CallEnd::Cut).await;
            }
            self.record.talked_s += next_report_s;
            grant = self.exchange(RequestType::Update, Some(next_report_s)).await?;
        }
    }

    async fn end(&mut self, used_s: u32, end: CallEnd) -> Result<(), ClientError> {
        self.record.talked_s += used_s;
        self.record.end = end;
        self.exchange(RequestType::Termination, Some(used_s)).await?;
        Ok(())
    }

    async fn exchange(&mut self, kind: RequestType, used_s: Option<u32>) -> Result<Grant, ClientError> {
        let number = u32::try_from(self.record.log.len()).unwrap_or(u32::MAX);
        let report = Report {
            session_id: &self.record.session_id,
            end_to_end: self.client.next_end_to_end(),
            kind,
            number,
            used_s,
        };
        let frame = encode(self.settings, self.call, &report);
        let request_octets = frame.len();
        let answer = self.client.request_frame(frame).await?;
        let mut entry = CallEntry {
            kind,
            number,
            request_octets,
            used_s,
            result: answer.base()?.result_code,
            service_result: None,
            granted_s: None,
            is_final: false,
        };
        read_service(&answer, &mut entry);
        let code = match entry.service_result {
            Some(code) if entry.result.is_success() => code,
            _ => entry.result,
        };
        let grant = Grant {
            seconds: entry.granted_s.unwrap_or(0),
            is_final: entry.is_final,
            refusal: (!code.is_success()).then_some(code),
        };
        self.record.log.push(entry);
        Ok(grant)
    }
}

/// What `ims_charging` reads: grants other than CC-Time are not supported.
fn read_service(answer: &Answer, entry: &mut CallEntry) {
    let Ok(credit) = answer.credit() else { return };
    let Some(service) = credit.services.first() else {
        return;
    };
    entry.service_result = service.result_code;
    entry.granted_s = service.granted.and_then(|granted| granted.units.time_s);
    entry.is_final = matches!(
        service.final_unit,
        Some(FinalUnit::Terminate | FinalUnit::Redirect { .. })
    );
}
