//! A Credit-Control-Request into a command of the core, and its reply into a Credit-Control-Answer.

use super::profile::Profile;
use charge::catalog::{Called, FinalAction};
use charge::command::{ChargeKind, ChargePart, ChargeRequest, Used, UsedPeriod};
use charge::ids::{AccountId, Imsi, Msisdn, OperatorId, SessionKey};
use charge::money::Money;
use charge::reply::{ChargeReply, ChargeResult, PartReply};
use charge::session::ElementKey;
use charge::unit::{Amount, Service};
use smallvec::SmallVec;
use wire::diameter::ResultCode;
use wire::diameter::avp::UnixSeconds;
use wire::diameter::credit::{
    ApplicationIds, ChargingService, CostInformation, CreditControlAnswer, CreditControlRequest,
    CurrencyAmount, Enumerated, FinalUnit, GrantedUnits, ImsInformation, Plmn, PsInformation, RequestType,
    RequestedAction, RoleOfNode, ServiceAnswer, ServiceRequest, ServiceUnits, SubscriptionIdType,
    TariffChangeUsage, UsedUnits, party_digits,
};
use wire::diameter::{AnswerMessage, CommandCode, MessageId};

/// Who pays, as the request names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// E.164 number.
    pub msisdn: Option<Msisdn>,
    /// SIM.
    pub imsi: Option<Imsi>,
}

/// The subscriber of a request: numbers and SIMs in whatever order they come.
pub fn subject(request: &CreditControlRequest<'_>) -> Subject {
    let mut subject = Subject::default();
    let inside = request
        .service_information
        .iter()
        .flat_map(|info| &info.subscriptions);
    for id in request.subscriptions.iter().chain(inside) {
        let Some(digits) = id.digits() else { continue };
        match id.kind {
            SubscriptionIdType::Imsi => subject.imsi = subject.imsi.or(Imsi::parse(digits).ok()),
            _ => subject.msisdn = subject.msisdn.or(Msisdn::parse(digits).ok()),
        }
    }
    subject
}

/// How numbers are dialled where the server stands: turns `0300..` and short codes into what the core knows.
#[derive(Clone, Debug)]
pub struct Dialling {
    /// Country code.
    pub country: String,
    /// Trunk prefix.
    pub trunk: String,
}

impl Dialling {
    /// A dialled string: full numbers by plus, country code or trunk prefix; the rest are short codes.
    pub fn called(&self, address: &str) -> Called {
        let Some(digits) = party_digits(address) else {
            return Called::Nobody;
        };
        let international = address.contains('+') || digits.starts_with(&self.country) && digits.len() > 10;
        let full = if international {
            Msisdn::parse(digits).ok()
        } else if let Some(rest) = digits.strip_prefix("00") {
            Msisdn::parse(rest).ok()
        } else if let Some(rest) = digits
            .strip_prefix(&self.trunk)
            .filter(|rest| rest.len() >= 9 && !self.trunk.is_empty())
        {
            Msisdn::parse(&format!("{}{rest}", self.country)).ok()
        } else {
            (digits.len() >= 10).then(|| Msisdn::parse(digits).ok()).flatten()
        };
        match full {
            Some(number) => Called::Number(number),
            None => digits
                .parse()
                .ok()
                .filter(|_| digits.len() <= 19)
                .map_or(Called::Nobody, Called::Short),
        }
    }
}

/// Why a request cannot become a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untranslatable {
    /// The service context names nothing we charge.
    UnknownService,
}

/// The called party of a request, before the directory has been asked who serves it.
pub fn called(request: &CreditControlRequest<'_>, dialling: &Dialling) -> Called {
    let Some(info) = &request.service_information else {
        return Called::Nobody;
    };
    if let Some(ims) = &info.ims {
        if ims.role_of_node == Some(RoleOfNode::Terminating) {
            return Called::Incoming;
        }
        let party = ims
            .called_party
            .or(ims.requested_party)
            .or(ims.called_asserted.first().copied());
        return party.map_or(Called::Nobody, |party| dialling.called(party));
    }
    if let Some(sms) = &info.sms {
        let party = sms.recipients.first().and_then(|recipient| recipient.data);
        return party.map_or(Called::Nobody, |party| dialling.called(party));
    }
    Called::Nobody
}

/// The service of a request: by its context, else by the units it speaks of.
pub fn service(request: &CreditControlRequest<'_>) -> Option<Service> {
    match request.service_context.service {
        ChargingService::PacketSwitched => return Some(Service::Data),
        ChargingService::Ims | ChargingService::Mmtel => return Some(Service::Voice),
        ChargingService::Sms => return Some(Service::Sms),
        ChargingService::Other => {}
    }
    let in_services = request.services.iter().flat_map(|service| {
        service
            .requested
            .iter()
            .chain(service.used.iter().map(|used| &used.units))
    });
    let at_top = request
        .requested
        .iter()
        .chain(request.used.iter().map(|used| &used.units));
    in_services.chain(at_top).find_map(|units| {
        if units.time_s.is_some() {
            Some(Service::Voice)
        } else if units.octets().is_some() {
            Some(Service::Data)
        } else {
            units.specific.map(|_| Service::Sms)
        }
    })
}

/// The command of a request for a known account.
///
/// # Errors
/// [`Untranslatable`].
pub fn command(
    request: &CreditControlRequest<'_>,
    account: AccountId,
    (called, called_operator): (Called, Option<OperatorId>),
) -> Result<ChargeRequest, Untranslatable> {
    let service = service(request).ok_or(Untranslatable::UnknownService)?;
    let (plmn, area) = place(request);
    let money = request.requested.and_then(|units| units.money).and_then(money_of);
    Ok(ChargeRequest {
        account,
        session: SessionKey::of(request.session_id.as_bytes()),
        session_id: request.session_id.into(),
        peer: request.origin_host.into(),
        kind: kind(request),
        number: request.request_number,
        service,
        called,
        called_operator,
        plmn: plmn.map_or(0, plmn_number),
        area,
        traits: Profile::observe(request).traits(),
        parts: parts(request, service),
        money,
    })
}

fn kind(request: &CreditControlRequest<'_>) -> ChargeKind {
    match request.request_type {
        RequestType::Initial => ChargeKind::Initial,
        RequestType::Update => ChargeKind::Update,
        RequestType::Termination => ChargeKind::Terminate,
        RequestType::Event => match request
            .requested_action
            .unwrap_or(RequestedAction::DirectDebiting)
        {
            RequestedAction::DirectDebiting => ChargeKind::Debit,
            RequestedAction::RefundAccount => ChargeKind::Refund,
            RequestedAction::CheckBalance => ChargeKind::BalanceCheck,
            RequestedAction::PriceEnquiry => ChargeKind::PriceEnquiry,
        },
    }
}

/// The serving network and area: as the gateway tells of a data session, as the call server tells of a call.
fn place(request: &CreditControlRequest<'_>) -> (Option<Plmn>, Option<u32>) {
    let Some(info) = &request.service_information else {
        return (None, None);
    };
    let (data, ims) = (info.data.as_ref(), info.ims.as_ref());
    let location = data
        .and_then(PsInformation::location)
        .or_else(|| ims.and_then(ImsInformation::location));
    let plmn = data
        .and_then(PsInformation::serving_plmn)
        .or(location.map(|location| location.plmn));
    (plmn, location.and_then(|location| location.area))
}

fn plmn_number(plmn: Plmn) -> u32 {
    let scale = if plmn.mnc_digits == 3 { 1_000 } else { 100 };
    u32::from(plmn.mcc) * scale + u32::from(plmn.mnc)
}

/// One part per Multiple-Services-Credit-Control; the units at the top level are one part more when there are any, or when
/// there is nothing else to charge. The core joins parts of one key.
fn parts(request: &CreditControlRequest<'_>, service: Service) -> SmallVec<[ChargePart; 1]> {
    let part = |key, requested: Option<ServiceUnits>, reports: &[UsedUnits]| ChargePart {
        key,
        requested: requested.map(|units| amount(&units, service)),
        used: used(reports, service),
    };
    let in_services = request.services.iter();
    let mut parts: SmallVec<[ChargePart; 1]> = in_services
        .map(|asked| part(key_of(asked), asked.requested, &asked.used))
        .collect();
    let event = request.request_type == RequestType::Event;
    let at_top = request.requested.is_some() || !request.used.is_empty();
    if at_top || (event && parts.is_empty()) {
        let key = ElementKey {
            rating_group: None,
            service_id: request.service_identifier,
        };
        parts.push(part(key, request.requested, &request.used));
    }
    parts
}

/// What tells one quota from another: several Service-Identifiers share the quota of the lowest, in whatever order they come.
fn key_of(asked: &ServiceRequest) -> ElementKey {
    ElementKey {
        rating_group: asked.rating_group,
        service_id: asked.service_identifiers.iter().min().copied(),
    }
}

fn used(reports: &[UsedUnits], service: Service) -> SmallVec<[Used; 1]> {
    let period = |change: Option<TariffChangeUsage>| match change {
        Some(TariffChangeUsage::Before) => UsedPeriod::Before,
        Some(TariffChangeUsage::After) => UsedPeriod::After,
        Some(TariffChangeUsage::Indeterminate) | None => UsedPeriod::NotTold,
    };
    let counted = reports.iter().filter_map(|report| {
        amount(&report.units, service).map(|amount| Used {
            amount,
            period: period(report.tariff_change),
        })
    });
    counted.collect()
}

/// The units that count for a service; `None` when the size is left open.
fn amount(units: &ServiceUnits, service: Service) -> Option<Amount> {
    let count = match service {
        Service::Data => units.octets(),
        Service::Voice => units.time_s.map(u64::from),
        Service::Sms => units.specific,
    };
    count.map(|count| Amount(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// CC-Money in micro-units; `None` when it does not fit or is finer than a micro-unit.
fn money_of(amount: CurrencyAmount) -> Option<Money> {
    let power = amount.exponent.checked_add(6)?;
    let scale = 10i64.checked_pow(power.unsigned_abs())?;
    if power >= 0 {
        amount.digits.checked_mul(scale).map(Money)
    } else {
        (amount.digits % scale == 0).then_some(Money(amount.digits / scale))
    }
}

/// A service that is answered once, with every Service-Identifier that the request named for it.
type AskedService = (ElementKey, SmallVec<[u32; 2]>);

/// What must be kept of a request to answer it later.
#[derive(Clone, Debug)]
pub struct AnswerContext {
    id: MessageId,
    proxiable: bool,
    session_id: Box<str>,
    application: ApplicationIds,
    request_type: RequestType,
    request_number: u32,
    action: Option<RequestedAction>,
    service: Service,
    /// In the order sent, each key once; empty when the request had no services.
    services: SmallVec<[AskedService; 2]>,
    proxy_infos: SmallVec<[Box<[u8]>; 1]>,
}

impl AnswerContext {
    /// Keeps what the answer needs.
    pub fn of(request: &CreditControlRequest<'_>) -> AnswerContext {
        AnswerContext {
            id: request.id,
            proxiable: request.proxiable,
            session_id: request.session_id.into(),
            application: request.application,
            request_type: request.request_type,
            request_number: request.request_number,
            action: request.requested_action,
            service: service(request).unwrap_or(Service::Data),
            services: asked_services(request),
            proxy_infos: request.proxy_infos.iter().map(|info| (*info).into()).collect(),
        }
    }

    /// Writes the answer to a reply of the core.
    pub fn answer(&self, reply: &ChargeReply, identity: &Identity, out: &mut Vec<u8>) {
        let event = self.request_type == RequestType::Event;
        let checked = event && self.action == Some(RequestedAction::CheckBalance);
        let result = if checked && reply.result == ChargeResult::CreditLimitReached {
            ChargeResult::Success
        } else {
            reply.result
        };
        let mut answer = self.bare(result_code(result), identity);
        if checked {
            answer.enough_credit = Some(reply.result == ChargeResult::Success);
        }
        if !event {
            answer.session_failover = Some(false);
        }
        self.put_parts(&mut answer, reply);
        answer.low_balance = reply.low_balance.then_some(true);
        answer.cost = reply.cost.map(|cost| CostInformation {
            amount: identity.amount(cost),
            unit: None,
        });
        if event {
            answer.remaining_balance = Some(identity.amount(reply.balance));
        }
        answer.encode(out);
    }

    /// Writes an answer that only says why nothing was done; 3xxx answers carry the E bit (RFC 6733 section 7.1.3).
    pub fn refusal(&self, code: ResultCode, message: &str, identity: &Identity, out: &mut Vec<u8>) {
        let error_message = (!message.is_empty()).then_some(message);
        if !code.is_protocol_error() {
            let mut answer = self.bare(code, identity);
            answer.error_message = error_message;
            return answer.encode(out);
        }
        let answer = AnswerMessage {
            command: CommandCode::CREDIT_CONTROL,
            application: wire::diameter::APPLICATION_CREDIT_CONTROL,
            id: self.id,
            proxiable: self.proxiable,
            error: true,
            session_id: Some(&self.session_id),
            result_code: code,
            origin_host: &identity.host,
            origin_realm: &identity.realm,
            credit_control: Some((self.request_type.code(), self.request_number)),
            origin_state_id: None,
            error_message,
            failed_avp: None,
            proxy_infos: self.proxy_infos.iter().map(AsRef::as_ref).collect(),
        };
        answer.encode(out);
    }

    fn bare<'a>(&'a self, code: ResultCode, identity: &'a Identity) -> CreditControlAnswer<'a> {
        let request = (self.request_type, self.request_number);
        let mut answer = CreditControlAnswer::new(
            self.id,
            &self.session_id,
            (&identity.host, &identity.realm),
            request,
            code,
        );
        answer.proxiable = self.proxiable;
        answer.application.vendor = self.application.vendor;
        answer.proxy_infos = self.proxy_infos.iter().map(AsRef::as_ref).collect();
        answer
    }

    fn put_parts<'a>(&'a self, answer: &mut CreditControlAnswer<'a>, reply: &'a ChargeReply) {
        for (key, identifiers) in &self.services {
            let Some(part) = reply.parts.iter().find(|part| part.key == *key) else {
                continue;
            };
            let mut service = self.service_answer(part);
            service.rating_group = key.rating_group;
            service.service_identifiers = identifiers.clone();
            answer.services.push(service);
        }
        if self.services.is_empty()
            && let Some(part) = reply.parts.first()
        {
            let service = self.service_answer(part);
            answer.granted = service.granted;
            answer.validity_time_s = service.validity_time_s;
            answer.final_unit = service.final_unit;
        }
    }

    fn service_answer<'a>(&self, part: &'a PartReply) -> ServiceAnswer<'a> {
        let mut out = ServiceAnswer {
            result_code: Some(result_code(part.result)),
            ..ServiceAnswer::default()
        };
        let Some(granted) = part.granted.filter(|granted| granted.is_positive()) else {
            return out;
        };
        let count = u64::try_from(granted.0).unwrap_or(0);
        let small = |amount: Amount| u32::try_from(amount.0).unwrap_or(u32::MAX);
        let mut units = ServiceUnits::default();
        match self.service {
            Service::Data => units.total_octets = Some(count),
            Service::Voice => units.time_s = Some(small(granted)),
            Service::Sms => units.specific = Some(count),
        }
        let tariff_time_change = part.tariff_change.map(|at| UnixSeconds(at.seconds()));
        out.granted = Some(GrantedUnits {
            units,
            tariff_time_change,
        });
        out.validity_time_s = (part.validity_s > 0).then_some(part.validity_s);
        out.quota_holding_time_s = (part.holding_s > 0).then_some(part.holding_s);
        if part.threshold.is_positive() {
            let threshold = Some(small(part.threshold));
            match self.service {
                Service::Data => out.volume_quota_threshold_octets = threshold,
                Service::Voice => out.time_quota_threshold_s = threshold,
                Service::Sms => out.unit_quota_threshold = threshold,
            }
        }
        out.final_unit = part.final_action.as_ref().map(final_unit);
        out
    }
}

/// The services of a request: those of one key are one, so that no grant is told twice.
fn asked_services(request: &CreditControlRequest<'_>) -> SmallVec<[AskedService; 2]> {
    let mut services: SmallVec<[AskedService; 2]> = SmallVec::new();
    for asked in &request.services {
        let key = key_of(asked);
        let Some((_, known)) = services.iter_mut().find(|(other, _)| *other == key) else {
            services.push((key, asked.service_identifiers.clone()));
            continue;
        };
        for identifier in &asked.service_identifiers {
            if !known.contains(identifier) {
                known.push(*identifier);
            }
        }
    }
    services
}

fn final_unit(action: &FinalAction) -> FinalUnit<'_> {
    match action {
        FinalAction::Terminate => FinalUnit::Terminate,
        FinalAction::Redirect(url) => FinalUnit::Redirect {
            kind: wire::diameter::credit::RedirectAddressType::Url,
            address: url,
        },
        FinalAction::Restrict(filter) => FinalUnit::Restrict {
            rules: SmallVec::new(),
            filter_ids: SmallVec::from_slice(&[filter.as_ref()]),
        },
    }
}

/// The Result-Code of a result.
pub fn result_code(result: ChargeResult) -> ResultCode {
    match result {
        ChargeResult::Success => ResultCode::SUCCESS,
        ChargeResult::EndUserServiceDenied => ResultCode::END_USER_SERVICE_DENIED,
        ChargeResult::CreditControlNotApplicable => ResultCode::CREDIT_CONTROL_NOT_APPLICABLE,
        ChargeResult::CreditLimitReached => ResultCode::CREDIT_LIMIT_REACHED,
        ChargeResult::UnknownSession => ResultCode::UNKNOWN_SESSION_ID,
        ChargeResult::UserUnknown => ResultCode::USER_UNKNOWN,
        ChargeResult::RatingFailed => ResultCode::RATING_FAILED,
    }
}

/// Who we are in answers, and in which currency we speak.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Origin-Host.
    pub host: String,
    /// Origin-Realm.
    pub realm: String,
    /// ISO 4217 number of the currency.
    pub currency: u32,
}

impl Identity {
    fn amount(&self, money: Money) -> CurrencyAmount {
        CurrencyAmount {
            digits: money.0,
            exponent: -6,
            currency: Some(self.currency),
        }
    }
}
