//! The quota of one rating group: what was granted, how much of it is used, and when a report is due.

use std::time::Duration;

use tokio::time::Instant;
use wire::diameter::ResultCode;
use wire::diameter::credit::{FinalUnit, ReportingReason, ServiceAnswer};

/// What the user may do in a rating group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Traffic passes.
    Open,
    /// Traffic goes to the top-up page only.
    Redirected(String),
    /// Only what these filters let through.
    Restricted(Vec<String>),
    /// Nothing passes, for this reason.
    Blocked(ResultCode),
}

/// Final-Unit-Indication, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Final {
    /// End the service.
    Terminate,
    /// Send the user to this address.
    Redirect(String),
    /// Let only these filters through.
    Restrict(Vec<String>),
}

impl Final {
    pub(super) fn of(indication: &FinalUnit<'_>) -> Self {
        match indication {
            FinalUnit::Terminate => Self::Terminate,
            FinalUnit::Redirect { address, .. } => Self::Redirect((*address).to_owned()),
            FinalUnit::Restrict { rules, filter_ids } => {
                let names = rules.iter().chain(filter_ids).map(|name| (*name).to_owned());
                Self::Restrict(names.collect())
            }
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Quota {
    pub(super) rating_group: Option<u32>,
    /// `None`: without limit, which is how Open5GS reads a grant without CC-Total-Octets.
    granted: Option<u64>,
    used: u64,
    threshold: u64,
    valid_until: Option<Instant>,
    pub(super) final_unit: Option<Final>,
    pub(super) gate: Gate,
}

impl Quota {
    pub(super) fn new(rating_group: Option<u32>) -> Self {
        Self {
            rating_group,
            granted: Some(0),
            used: 0,
            threshold: 0,
            valid_until: None,
            final_unit: None,
            gate: Gate::Blocked(ResultCode(0)),
        }
    }

    /// Takes what the server says of this rating group; a grant replaces what was left of the one before.
    pub(super) fn take(&mut self, answer: &ServiceAnswer<'_>, is_absence_unlimited: bool) {
        let code = answer.result_code.unwrap_or(ResultCode::SUCCESS);
        let units = answer.granted.map(|granted| granted.units.octets());
        self.granted = match units {
            Some(Some(octets)) => Some(octets),
            Some(None) | None if is_absence_unlimited && code.is_success() => None,
            _ => Some(0),
        };
        // A threshold of the whole grant or more would be due before the first octet.
        self.threshold = answer
            .volume_quota_threshold_octets
            .map(u64::from)
            .filter(|threshold| self.granted.is_some_and(|granted| *threshold < granted))
            .unwrap_or(0);
        self.valid_until = answer
            .validity_time_s
            .map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
        self.final_unit = answer.final_unit.as_ref().map(Final::of);
        self.gate = match &self.final_unit {
            _ if !code.is_success() => Gate::Blocked(code),
            // A final unit without units: the action is due at once.
            Some(last) if self.granted == Some(0) => last.gate(),
            None if self.granted == Some(0) => Gate::Blocked(code),
            _ => Gate::Open,
        };
    }

    /// Carries octets until the next report is due; the number carried, whole packets except for the last.
    pub(super) fn carry(&mut self, octets: u64, packet_octets: u64) -> u64 {
        if self.gate != Gate::Open {
            return 0;
        }
        let packet = packet_octets.max(1);
        let carried = match self.room() {
            None => octets,
            Some(room) => octets.min(room.div_ceil(packet).saturating_mul(packet)),
        };
        self.used = self.used.saturating_add(carried);
        carried
    }

    /// Why a report is due now.
    pub(super) fn due(&self) -> Option<ReportingReason> {
        if self.gate == Gate::Open && self.room() == Some(0) {
            let is_used_up = self.granted.is_some_and(|granted| self.used >= granted);
            return Some(if is_used_up {
                ReportingReason::QuotaExhausted
            } else {
                ReportingReason::Threshold
            });
        }
        let is_late = self.valid_until.is_some_and(|until| until <= Instant::now());
        is_late.then_some(ReportingReason::ValidityTime)
    }

    /// Lets the Validity-Time run out now; false when there is none.
    pub(super) fn expire(&mut self) -> bool {
        if self.valid_until.is_some() {
            self.valid_until = Some(Instant::now());
        }
        self.valid_until.is_some()
    }

    /// What was used since the last report; counts from zero then.
    pub(super) fn take_used(&mut self) -> u64 {
        self.valid_until = None;
        self.granted = self.granted.map(|granted| granted.saturating_sub(self.used));
        std::mem::take(&mut self.used)
    }

    /// Octets to the next report; `None` without limit. The last grant is used to its end.
    fn room(&self) -> Option<u64> {
        let threshold = if self.final_unit.is_some() {
            0
        } else {
            self.threshold
        };
        self.granted
            .map(|granted| granted.saturating_sub(threshold).saturating_sub(self.used))
    }
}

impl Final {
    /// What the user may do once the last unit is used.
    pub(super) fn gate(&self) -> Gate {
        match self {
            Self::Terminate => Gate::Blocked(ResultCode::CREDIT_LIMIT_REACHED),
            Self::Redirect(address) => Gate::Redirected(address.clone()),
            Self::Restrict(filters) => Gate::Restricted(filters.clone()),
        }
    }
}
