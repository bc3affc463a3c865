//! One data session of a gateway: carries octets and reports them when a real gateway would.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;
use wire::diameter::ResultCode;
use wire::diameter::credit::{CreditControlAnswer, ReportingReason, RequestType, ServiceAnswer};

use super::quota::Quota;
pub use super::quota::{Final, Gate};
use super::request::{Line, Names, encode};
use super::{Attach, GatewayError, GatewaySettings, Profile};
use crate::diameter::{Answer, Client, Notice, request_name};

/// What one request of the session was and what came back, per rating group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// CC-Request-Type.
    pub kind: RequestType,
    /// CC-Request-Number.
    pub number: u32,
    /// Rating-Group.
    pub rating_group: Option<u32>,
    /// Octets reported.
    pub used_octets: u64,
    /// Why.
    pub reason: Option<ReportingReason>,
    /// Result-Code of the answer.
    pub result: ResultCode,
    /// Result-Code of the service.
    pub service_result: Option<ResultCode>,
    /// Octets granted.
    pub granted_octets: Option<u64>,
    /// Volume-Quota-Threshold.
    pub threshold_octets: Option<u32>,
    /// Validity-Time, seconds.
    pub validity_time_s: Option<u32>,
    /// Final-Unit-Indication.
    pub final_unit: Option<Final>,
    /// Low-Balance-Indication.
    pub low_balance: bool,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", request_name(self.kind), self.number)?;
        if let Some(group) = self.rating_group {
            write!(f, ", group {group}")?;
        }
        if self.used_octets > 0 {
            write!(f, ", used {}", self.used_octets)?;
        }
        write!(f, " -> {}", self.service_result.unwrap_or(self.result).0)?;
        if let Some(octets) = self.granted_octets {
            write!(f, ", granted {octets}")?;
        }
        match &self.final_unit {
            None => Ok(()),
            Some(Final::Terminate) => write!(f, ", last"),
            Some(Final::Redirect(address)) => write!(f, ", last, then redirect to {address}"),
            Some(Final::Restrict(filters)) => write!(f, ", last, then only {}", filters.join(", ")),
        }
    }
}

/// One data session.
#[derive(Debug)]
pub struct DataSession {
    client: Client,
    settings: Arc<GatewaySettings>,
    attach: Attach,
    session_id: String,
    charging_id: u32,
    server: Option<String>,
    number: u32,
    quotas: Vec<Quota>,
    is_open: bool,
    notices: broadcast::Receiver<Notice>,
    reauths: u32,
    log: Vec<Entry>,
}

impl DataSession {
    pub(super) async fn open(
        client: Client,
        settings: Arc<GatewaySettings>,
        attach: Attach,
    ) -> Result<Self, GatewayError> {
        let (high, low) = (rand::random::<u32>(), rand::random::<u32>());
        let (suffix, groups) = match settings.profile {
            Profile::Standard => ("", attach.rating_groups.iter().copied().map(Some).collect()),
            Profile::Open5gs => (";app_gy", vec![None]),
        };
        let mut session = Self {
            notices: client.notices(),
            session_id: format!("{};{high};{low}{suffix}", settings.host),
            charging_id: low,
            server: None,
            number: 0,
            quotas: groups.into_iter().map(Quota::new).collect(),
            is_open: true,
            reauths: 0,
            log: Vec::new(),
            client,
            settings,
            attach,
        };
        let lines: Vec<Line> = session
            .quotas
            .iter()
            .map(|quota| Line {
                rating_group: quota.rating_group,
                used: None,
                asks: true,
                reason: None,
            })
            .collect();
        let code = session.exchange(RequestType::Initial, lines).await?;
        let refused = match code.is_success() {
            false => Some(code),
            true => session.refused_everywhere(),
        };
        match refused {
            None => Ok(session),
            Some(code) => {
                // Real gateways end what was refused.
                session.terminate(ReportingReason::Final).await?;
                Err(GatewayError::Refused(code))
            }
        }
    }

    /// Lets the phone use octets in a rating group; reports on the way whatever is due. Gives the octets that were carried:
    /// fewer when the credit ended. Errors: no such group, no answer.
    pub async fn use_octets(&mut self, rating_group: Option<u32>, octets: u64) -> Result<u64, GatewayError> {
        let mut carried = 0;
        loop {
            self.obey().await?;
            let packet_octets = self.settings.packet_octets;
            let left = octets - carried;
            let quota = self.quota(rating_group)?;
            if left > 0 {
                carried += quota.carry(left, packet_octets);
            }
            let due = quota.due();
            let is_open = quota.gate == Gate::Open;
            match due {
                Some(reason) if self.is_open => self.report(rating_group, reason).await?,
                _ if carried >= octets || !self.is_open || !is_open => return Ok(carried),
                _ => {}
            }
            if carried >= octets {
                return Ok(octets);
            }
        }
    }

    /// As [`DataSession::use_octets`] in the first rating group.
    pub async fn use_data(&mut self, octets: u64) -> Result<u64, GatewayError> {
        let group = self.quotas.first().and_then(|quota| quota.rating_group);
        self.use_octets(group, octets).await
    }

    /// Jumps to the end of the Validity-Time of every rating group that has one, and reports.
    pub async fn expire_validity(&mut self) -> Result<(), GatewayError> {
        let groups: Vec<_> = self
            .quotas
            .iter_mut()
            .filter_map(|quota| quota.expire().then_some(quota.rating_group))
            .collect();
        for group in groups {
            if self.is_open {
                self.report(group, ReportingReason::ValidityTime).await?;
            }
        }
        Ok(())
    }

    /// Waits until the server asks for a report and obeys as this kind of gateway does; false when it did not ask in time.
    pub async fn await_reauth(&mut self, patience: Duration) -> Result<bool, GatewayError> {
        let wait = async {
            loop {
                match self.notices.recv().await {
                    Ok(notice) if is_reauth(&notice, &self.session_id) => return true,
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return false,
                }
            }
        };
        let is_asked = tokio::time::timeout(patience, wait).await.unwrap_or(false);
        if is_asked {
            self.reauthorize().await?;
        }
        Ok(is_asked)
    }

    /// Ends the session and reports what was used since the last report (CCR-T).
    pub async fn close(&mut self) -> Result<(), GatewayError> {
        if self.is_open {
            self.terminate(ReportingReason::Final).await?;
        }
        Ok(())
    }

    /// False once the session is over.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// What the user may do in a rating group.
    #[must_use]
    pub fn gate(&self, rating_group: Option<u32>) -> Option<&Gate> {
        let quota = self
            .quotas
            .iter()
            .find(|quota| quota.rating_group == rating_group);
        quota.map(|quota| &quota.gate)
    }

    /// How often the server asked for a report.
    #[must_use]
    pub fn reauths(&self) -> u32 {
        self.reauths
    }

    /// Session-Id.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// Everything that was asked and answered.
    #[must_use]
    pub fn log(&self) -> &[Entry] {
        &self.log
    }

    /// Octets reported so far.
    #[must_use]
    pub fn reported_octets(&self) -> u64 {
        self.log.iter().map(|entry| entry.used_octets).sum()
    }

    fn quota(&mut self, rating_group: Option<u32>) -> Result<&mut Quota, GatewayError> {
        self.quotas
            .iter_mut()
            .find(|quota| quota.rating_group == rating_group)
            .ok_or(GatewayError::NoSuchRatingGroup(rating_group))
    }

    /// Does what the server asked for in the meantime.
    async fn obey(&mut self) -> Result<(), GatewayError> {
        let mut is_asked = false;
        loop {
            match self.notices.try_recv() {
                Ok(notice) => is_asked |= is_reauth(&notice, &self.session_id),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if is_asked {
            self.reauthorize().await?;
        }
        Ok(())
    }

    async fn reauthorize(&mut self) -> Result<(), GatewayError> {
        self.reauths += 1;
        if self.settings.profile == Profile::Open5gs || !self.is_open {
            return Ok(());
        }
        let lines = self.lines(true, ReportingReason::ForcedReauthorisation);
        self.exchange(RequestType::Update, lines).await?;
        Ok(())
    }

    async fn report(
        &mut self,
        rating_group: Option<u32>,
        reason: ReportingReason,
    ) -> Result<(), GatewayError> {
        let profile = self.settings.profile;
        let quota = self.quota(rating_group)?;
        let is_used_up = reason == ReportingReason::QuotaExhausted;
        let last = quota
            .final_unit
            .clone()
            .filter(|_| is_used_up || profile == Profile::Open5gs);
        let is_alone = !self
            .quotas
            .iter()
            .any(|quota| quota.rating_group != rating_group && quota.gate == Gate::Open);
        match last {
            Some(_) if profile == Profile::Open5gs => return self.terminate(ReportingReason::Final).await,
            Some(Final::Terminate) if is_alone => return self.terminate(ReportingReason::Final).await,
            _ => {}
        }
        let quota = self.quota(rating_group)?;
        let gate = last.as_ref().map(Final::gate);
        let line = Line {
            rating_group,
            used: Some(quota.take_used()),
            asks: last.is_none(),
            reason: Some(match last {
                Some(Final::Terminate) => ReportingReason::Final,
                _ => reason,
            }),
        };
        let code = self.exchange(RequestType::Update, vec![line]).await?;
        if let Some(gate) = gate {
            self.quota(rating_group)?.gate = gate;
            return Ok(());
        }
        let is_over = match profile {
            Profile::Standard => !code.is_success(),
            Profile::Open5gs => !code.is_success() || self.refused_everywhere().is_some(),
        };
        if is_over {
            self.terminate(ReportingReason::Final).await?;
        }
        Ok(())
    }

    /// What every quota was used for.
    fn lines(&mut self, asks: bool, reason: ReportingReason) -> Vec<Line> {
        let line = |quota: &mut Quota| Line {
            rating_group: quota.rating_group,
            used: Some(quota.take_used()),
            asks,
            reason: Some(reason),
        };
        self.quotas.iter_mut().map(line).collect()
    }

    async fn terminate(&mut self, reason: ReportingReason) -> Result<(), GatewayError> {
        self.is_open = false;
        let lines = self.lines(false, reason);
        self.exchange(RequestType::Termination, lines).await?;
        Ok(())
    }

    /// The reason when no rating group may be used.
    fn refused_everywhere(&self) -> Option<ResultCode> {
        let mut refused = None;
        for quota in &self.quotas {
            match quota.gate {
                Gate::Blocked(code) => refused = Some(code),
                _ => return None,
            }
        }
        refused
    }

    async fn exchange(&mut self, kind: RequestType, lines: Vec<Line>) -> Result<ResultCode, GatewayError> {
        let number = self.number;
        self.number += 1;
        let names = Names {
            session_id: &self.session_id,
            charging_id: self.charging_id,
            server: self.server.as_deref(),
        };
        let frame = encode(
            &self.client,
            &self.settings,
            &self.attach,
            &names,
            (kind, number),
            &lines,
        );
        let answer = self.client.request_frame(frame).await?;
        self.take_answer((kind, number), &lines, &answer)
    }

    fn take_answer(
        &mut self,
        (kind, number): (RequestType, u32),
        lines: &[Line],
        answer: &Answer,
    ) -> Result<ResultCode, GatewayError> {
        let base = answer.base()?;
        let credit = answer.credit().ok();
        if self.server.is_none() {
            self.server = Some(base.origin_host.to_owned());
        }
        let is_keyless = self.settings.profile == Profile::Open5gs;
        for line in lines {
            let service = credit
                .as_ref()
                .and_then(|credit| service_of(credit, line.rating_group, is_keyless));
            if let Some(service) = service
                && kind != RequestType::Termination
                && let Ok(quota) = self.quota(line.rating_group)
            {
                quota.take(service, is_keyless);
            }
            self.log.push(Entry {
                kind,
                number,
                rating_group: line.rating_group,
                used_octets: line.used.unwrap_or(0),
                reason: line.reason,
                result: base.result_code,
                service_result: service.and_then(|service| service.result_code),
                granted_octets: service
                    .and_then(|service| service.granted)
                    .and_then(|granted| granted.units.octets()),
                threshold_octets: service.and_then(|service| service.volume_quota_threshold_octets),
                validity_time_s: service.and_then(|service| service.validity_time_s),
                final_unit: service
                    .and_then(|service| service.final_unit.as_ref())
                    .map(Final::of),
                low_balance: credit
                    .as_ref()
                    .is_some_and(|credit| credit.low_balance == Some(true)),
            });
        }
        Ok(base.result_code)
    }
}

/// The service of an answer that concerns a rating group. Open5GS lets a later one overwrite an earlier one.
fn service_of<'c, 'a>(
    credit: &'c CreditControlAnswer<'a>,
    rating_group: Option<u32>,
    is_keyless: bool,
) -> Option<&'c ServiceAnswer<'a>> {
    if is_keyless {
        return credit.services.last();
    }
    credit
        .services
        .iter()
        .find(|service| service.rating_group == rating_group)
}

fn is_reauth(notice: &Notice, session: &str) -> bool {
    matches!(notice, Notice::ReAuth { session_id, .. } if session_id == session)
}
