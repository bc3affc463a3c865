//! Credit control: sessions with reserve, commit and release, and immediate events (RFC 8506, TS 32.299).

use super::place::target_of;
use super::{
    Decision, ELEMENTS_MAX, SESSIONS_MAX, UNITS_MAX, View, account_event, account_of, catalog_of, forgets,
    repeated,
};
use crate::account::{Account, LifeCycle, Lot, Origin};
use crate::catalog::{Catalog, Catalogs, GrantPolicy, Scope, TariffQuery};
use crate::command::{ChargeKind, ChargePart, ChargeRequest, Used, UsedPeriod};
use crate::event::{Charged, ChargedPart, Event, EventBody, Opened, Refund};
use crate::ids::{Code, LotId};
use crate::money::Money;
use crate::rating::{Progress, Purse, Shortage, Use, can_go_on, consume, hold, payable};
use crate::reply::{ChargeReply, ChargeResult, PartReply, Refusal, Reply};
use crate::session::{Draw, Element, ElementKey, Session, Target};
use crate::tax::{Rate, RegionCode};
use crate::time::{SECOND, Timestamp};
use crate::unit::{Amount, Service, Unit};
use smallvec::SmallVec;

/// Validity-Time of the grants before the last one for peers that ignore re-authorization, in seconds: only this lets a
/// recharge be seen in time.
const SHORT_VALIDITY_S: u32 = 60;
/// Most tariff changes looked at inside one report of voice.
const CHANGES_MAX: usize = 48;

/// Decides a credit-control request.
pub(super) fn decide(
    view: &impl View,
    catalogs: &Catalogs,
    request: &ChargeRequest,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let Ok(account) = account_of(view, request.account) else {
        return Ok(rejected(ChargeResult::UserUnknown));
    };
    let catalog = catalog_of(catalogs, account.operator)?;
    let body = request.body();
    let open = account
        .sessions
        .iter()
        .find(|session| session.key == request.session);
    // Most requests need no search: their session has not carried out their number.
    let in_session = matches!(
        request.kind,
        ChargeKind::Initial | ChargeKind::Update | ChargeKind::Terminate
    );
    let is_new = in_session && open.is_some_and(|session| session.numbers.is_new(request.number));
    if !is_new && let Some(answer) = repeated(account, request.source(), body)? {
        return Ok(answer);
    }
    if !is_new && in_session && open.is_some_and(|session| !session.is_forgotten(now)) {
        return Err(Refusal::TooOld);
    }
    let sane = |amount: Amount| (0..=UNITS_MAX).contains(&amount.0);
    let used_sane = request
        .parts
        .iter()
        .flat_map(|part| &part.used)
        .all(|used| sane(used.amount));
    let asked_sane = request
        .parts
        .iter()
        .filter_map(|part| part.requested.flatten())
        .all(sane);
    if !used_sane || !asked_sane {
        return Err(Refusal::AmountTooLarge);
    }
    let merged = merged(request);
    let request = merged.as_ref().unwrap_or(request);
    let session = open.filter(|session| !session.is_forgotten(now));
    if elements_after(session, request) > ELEMENTS_MAX {
        return Err(Refusal::TooMany);
    }
    let work = Work::new(account, catalog, request, session, now);
    match request.kind {
        ChargeKind::PriceEnquiry => Ok(work.price_enquiry()),
        ChargeKind::BalanceCheck => Ok(work.balance_check()),
        ChargeKind::Refund => work.refund(body),
        ChargeKind::Debit => Ok(work.debit(body)),
        ChargeKind::Initial if session.is_none() && !work.usable() => {
            Ok(rejected(ChargeResult::EndUserServiceDenied))
        }
        ChargeKind::Initial if session.is_none() && open_sessions(account) >= SESSIONS_MAX => {
            Err(Refusal::TooMany)
        }
        ChargeKind::Update | ChargeKind::Terminate if session.is_none() => {
            Ok(rejected(ChargeResult::UnknownSession))
        }
        ChargeKind::Initial | ChargeKind::Update | ChargeKind::Terminate | ChargeKind::Supervision => {
            Ok(work.session_request(body))
        }
    }
}

/// Closes a session that nobody reports any more: what it held is released.
pub(super) fn supervise(account: &Account, catalog: &Catalog, session: &Session, now: Timestamp) -> Decision {
    let request = ChargeRequest {
        account: account.id,
        session: session.key,
        session_id: "".into(),
        peer: "".into(),
        kind: ChargeKind::Supervision,
        number: u32::MAX,
        service: session.service,
        called: session.target.called,
        called_operator: None,
        plmn: session.target.plmn,
        area: None,
        traits: crate::command::PeerTraits::default(),
        parts: SmallVec::new(),
        money: None,
    };
    let body = request.body();
    Work::new(account, catalog, &request, Some(session), now).session_request(body)
}

/// The request with the parts of the same key joined into one: a second part of a key must not hide the first one's
/// reservation. `None` when every key is there once.
fn merged(request: &ChargeRequest) -> Option<ChargeRequest> {
    let parts = &request.parts;
    let repeats = |(index, part): (usize, &ChargePart)| parts[..index].iter().any(|p| p.key == part.key);
    if !parts.iter().enumerate().any(repeats) {
        return None;
    }
    let mut joined: SmallVec<[ChargePart; 1]> = SmallVec::new();
    for part in parts {
        match joined.iter_mut().find(|other| other.key == part.key) {
            Some(other) => {
                other.used.extend_from_slice(&part.used);
                other.requested = part.requested.or(other.requested);
            }
            None => joined.push(part.clone()),
        }
    }
    Some(ChargeRequest {
        parts: joined,
        ..request.clone()
    })
}

fn elements_after(session: Option<&Session>, request: &ChargeRequest) -> usize {
    let Some(session) = session else {
        return request.parts.len();
    };
    let new = request
        .parts
        .iter()
        .filter(|part| session.element(part.key).is_none());
    session.elements.len() + new.count()
}

fn open_sessions(account: &Account) -> usize {
    account.sessions.iter().filter(|session| !session.closed).count()
}

fn rejected(result: ChargeResult) -> Decision {
    Decision::answer(Reply::Charge(ChargeReply {
        result,
        ..ChargeReply::default()
    }))
}

/// Everything a request is decided with.
struct Work<'a> {
    account: &'a Account,
    catalog: &'a Catalog,
    request: &'a ChargeRequest,
    session: Option<&'a Session>,
    target: Target,
    rate: Rate,
    now: Timestamp,
}

impl<'a> Work<'a> {
    fn new(
        account: &'a Account,
        catalog: &'a Catalog,
        request: &'a ChargeRequest,
        session: Option<&'a Session>,
        now: Timestamp,
    ) -> Work<'a> {
        let target = target_of(account, catalog, request, session);
        let rate = catalog.tax.region(target.region).usage;
        Work {
            account,
            catalog,
            request,
            session,
            target,
            rate,
            now,
        }
    }

    fn usable(&self) -> bool {
        self.account.may_use() && self.account.valid_until > self.now
    }

    /// The region, when it is news: for the session, or because a serving cell was told that the account was not seen in.
    fn moved(&self) -> Option<RegionCode> {
        let known = self
            .session
            .map_or(self.account.region, |session| session.target.region);
        let told = self.request.area.is_some() && self.account.region != self.target.region;
        (told || known != self.target.region).then_some(self.target.region)
    }

    fn policy(&self) -> &'a GrantPolicy {
        self.catalog.policy.grant(self.request.service)
    }

    fn use_at(&self, key: ElementKey, at: Timestamp) -> Use<'a> {
        let query = TariffQuery {
            service: self.request.service,
            rating_group: key.rating_group,
            class: self.target.class,
            called: self.target.called,
            place: self.target.place,
            at,
        };
        Use::of(self.catalog, query, self.rate)
    }

    /// INITIAL, UPDATE, TERMINATION and supervision: commit what was used, release, reserve anew.
    fn session_request(&self, body: u64) -> Decision {
        let closing = matches!(self.request.kind, ChargeKind::Terminate | ChargeKind::Supervision);
        let ended = self.session.is_some_and(|session| session.closed);
        let closes = closing && !ended;
        let mut purse = Purse::of(self.account, self.now);
        self.release(&mut purse, closing);
        let free = purse.main_free();
        let mut setup_done = self.session.is_some_and(|session| session.setup_done);
        let mut charged = self.charged(body);
        let mut last_use = None;
        for part in &self.request.parts {
            last_use = self
                .commit(&mut purse, part, &mut charged, &mut setup_done)
                .or(last_use);
        }
        let total = purse.main_total() - (free - purse.main_free());
        purse.close_expired();
        let mut validity_s = 0;
        if !closing && !ended {
            for (asked, part) in self.request.parts.iter().zip(&mut charged.parts) {
                if let Some(requested) = asked.requested {
                    let known = last_use.as_ref().filter(|(key, _)| *key == part.key);
                    let use_ = match known {
                        Some((_, use_)) => use_.clone().moved_to(self.now),
                        None => self.use_at(part.key, self.now),
                    };
                    self.grant(&mut purse, part, &use_, (requested, setup_done));
                    validity_s = validity_s.max(part.validity_s);
                }
            }
        }
        let result = self.overall(&charged.parts, ended);
        let unused = charged.parts.iter().all(|part| part.used == Amount::ZERO);
        if self.session.is_none() && result != ChargeResult::Success && unused {
            // Nothing was used or granted and nothing is open: the session never starts, and nothing changes.
            return Decision::answer(Reply::Charge(self.reply_of(
                result,
                &charged.parts,
                self.account.main_balance(self.now),
                false,
            )));
        }
        let wait_s = if closes || ended {
            self.catalog.policy.duplicate_s
        } else {
            validity_s + self.catalog.policy.supervision_s
        };
        charged.opened = self.session.is_none().then(|| self.opened());
        charged.moved = self.moved();
        charged.closes = closes;
        charged.expires_at = self.now.plus(i64::from(wait_s) * SECOND);
        charged.result = result;
        let balance = purse.main_free();
        debug_assert_eq!((total, total - balance), self.balance_after(&charged));
        self.announce(charged, (purse.main_total(), total, balance))
    }

    /// The event, before anything is known but what is asked.
    fn charged(&self, body: u64) -> Box<Charged> {
        Box::new(Charged {
            kind: self.request.kind,
            session: self.request.session,
            number: self.request.number,
            body,
            service: self.request.service,
            opened: None,
            moved: None,
            setup: None,
            parts: SmallVec::new(),
            closes: true,
            expires_at: self.now,
            result: ChargeResult::Success,
            balance: Money::ZERO,
            low_balance: false,
            low_balance_crossed: false,
            refund: None,
            forgets: forgets(self.account, self.catalog, self.now),
        })
    }

    fn opened(&self) -> Box<Opened> {
        Box::new(Opened {
            id: self.request.session_id.clone(),
            peer: self.request.peer.clone(),
            target: self.target,
        })
    }

    /// Releases the reservations that this request replaces or ends.
    fn release(&self, purse: &mut Purse<'_>, closing: bool) {
        for element in self.session.iter().flat_map(|session| &session.elements) {
            let named = self.request.parts.iter().any(|part| part.key == element.key);
            if closing || named {
                purse.release(&element.reserved);
            }
        }
    }

    /// Charges what a part reports; answers the kind of use that was looked up last.
    fn commit(
        &self,
        purse: &mut Purse<'_>,
        part: &ChargePart,
        charged: &mut Charged,
        setup_done: &mut bool,
    ) -> Option<(ElementKey, Use<'a>)> {
        let element = self.session.and_then(|session| session.element(part.key));
        let mut progress = Progress {
            paid_ahead: element.map_or(Amount::ZERO, |e| e.paid_ahead),
            row_cost: element.map_or(Money::ZERO, |e| e.row_cost),
            setup_done: *setup_done,
        };
        let mut last_use: Option<Use<'a>> = None;
        charged.parts.push(empty_part(part.key));
        let out = charged.parts.last_mut()?;
        for used in &part.used {
            for (at, amount) in self.segments(part.key, element, *used) {
                let use_ = match last_use.take() {
                    Some(use_) => use_.moved_to(at),
                    None => self.use_at(part.key, at),
                };
                let walked = consume(
                    purse,
                    &mut progress,
                    &use_,
                    (amount, Shortage::Account),
                    (&mut out.charges, &mut charged.setup),
                );
                out.used += amount;
                if walked.unrated {
                    out.result = ChargeResult::RatingFailed;
                }
                last_use = Some(use_);
            }
        }
        *setup_done = progress.setup_done;
        out.paid_ahead = progress.paid_ahead;
        out.row_cost = progress.row_cost;
        last_use.map(|use_| (part.key, use_))
    }

    /// Cuts a report at the tariff changes inside it. Data says on which side it lies or belongs to the time of its grant;
    /// voice has happened in the seconds before the report.
    fn segments(
        &self,
        key: ElementKey,
        element: Option<&Element>,
        used: Used,
    ) -> SmallVec<[(Timestamp, Amount); 2]> {
        let granted_at = element
            .filter(|e| e.granted_at.0 > 0)
            .map_or(self.now, |e| e.granted_at);
        let mut out = SmallVec::new();
        match used.period {
            UsedPeriod::Before => {
                out.push((granted_at, used.amount));
            }
            UsedPeriod::After => {
                out.push((self.now, used.amount));
            }
            UsedPeriod::NotTold if self.request.service != Service::Voice => {
                out.push((granted_at, used.amount));
            }
            UsedPeriod::NotTold => {
                let mut left = used.amount.0;
                let mut at = self.now.plus(-left.saturating_mul(SECOND));
                for _ in 0..CHANGES_MAX {
                    if left == 0 {
                        break;
                    }
                    let change = self.use_at(key, at).next_change(self.account);
                    let until = change.filter(|change| *change < self.now).unwrap_or(self.now);
                    let seconds = if until == self.now {
                        left
                    } else {
                        (until.seconds_since(at)).clamp(1, left)
                    };
                    out.push((at, Amount(seconds)));
                    left -= seconds;
                    at = until;
                }
                if left > 0 {
                    out.push((at, Amount(left)));
                }
            }
        }
        out
    }

    /// Reserves for a new grant, sized from what is asked, the policy and the balance.
    fn grant(
        &self,
        purse: &mut Purse<'_>,
        part: &mut ChargedPart,
        use_: &Use<'_>,
        (requested, setup_done): (Option<Amount>, bool),
    ) {
        part.granted = Some(Amount::ZERO);
        if !self.usable() {
            part.result = ChargeResult::EndUserServiceDenied;
            return;
        }
        let policy = self.policy();
        let progress = Progress {
            paid_ahead: part.paid_ahead,
            row_cost: part.row_cost,
            setup_done,
        };
        let wanted = self.wanted(purse, progress, use_, requested);
        let mut after = progress;
        let covered = hold(purse, &mut after, use_, wanted, &mut part.reserved);
        let granted = covered + after.paid_ahead;
        if !granted.is_positive() {
            let serves = |lot: &Lot| lot.unit == self.request.service.unit() && use_.allows(lot);
            let rated = use_.row().is_some() || self.account.lots.iter().any(serves);
            part.result = if rated {
                ChargeResult::CreditLimitReached
            } else {
                ChargeResult::RatingFailed
            };
            return;
        }
        let cap = self.request.traits.grant_max;
        let granted = if cap.is_positive() {
            granted.min(cap)
        } else {
            granted
        };
        part.granted = Some(granted);
        part.validity_s = policy.validity_s;
        part.holding_s = policy.holding_s;
        self.limit_by_time(part, use_);
        self.limit_by_expiry(part);
        let past = after.clone_past();
        if !can_go_on(purse, &past, use_) {
            part.final_action = Some(self.catalog.policy.final_action.clone());
            return;
        }
        part.threshold = Amount(granted.0 * i64::from(policy.threshold_percent) / 100);
        let ignores_reauth = self.request.traits.ignores_reauth;
        if ignores_reauth && payable(purse.clone(), past, use_, wanted) < wanted {
            part.validity_s = part.validity_s.min(SHORT_VALIDITY_S);
        }
    }

    /// A change of tariff or bucket ahead: told to peers that report both sides, else the grant ends with it.
    fn limit_by_time(&self, part: &mut ChargedPart, use_: &Use<'_>) {
        let Some(change) = use_.next_change(self.account) else {
            return;
        };
        let ahead_s = change.seconds_since(self.now);
        if ahead_s >= i64::from(part.validity_s.max(1)) {
            return;
        }
        if self.request.traits.splits_tariff_change {
            part.tariff_change = Some(change);
        } else {
            part.validity_s = u32::try_from(ahead_s.max(1)).unwrap_or(part.validity_s);
        }
    }

    /// A grant ends with the first lot that it holds: what has run out of time is not used any longer.
    fn limit_by_expiry(&self, part: &mut ChargedPart) {
        let held = part.reserved.iter().filter_map(|draw| self.account.lot(draw.lot));
        let Some(end) = held.map(|lot| lot.expires_at).min() else {
            return;
        };
        let ahead_s = end.seconds_since(self.now).max(1);
        if ahead_s < i64::from(part.validity_s) || part.validity_s == 0 {
            part.validity_s = u32::try_from(ahead_s).unwrap_or(part.validity_s);
        }
    }

    /// How much to try to grant.
    fn wanted(
        &self,
        purse: &Purse<'_>,
        progress: Progress,
        use_: &Use<'_>,
        requested: Option<Amount>,
    ) -> Amount {
        let policy = self.policy();
        let cap = self.request.traits.grant_max;
        let highest = if cap.is_positive() {
            policy.maximum.min(cap)
        } else {
            policy.maximum
        };
        let asked = requested
            .filter(|asked| asked.is_positive())
            .unwrap_or(policy.default);
        let wanted = Amount(asked.0.max(policy.minimum.0).min(highest.0).max(1));
        let open = self.account.sessions.iter().filter(|session| !session.closed);
        let others = open
            .filter(|session| session.key != self.request.session)
            .map(|session| session.elements.len());
        if others.sum::<usize>() + elements_after(self.session, self.request) <= 1 {
            return wanted;
        }
        // Several sessions share what is left: none of them takes more than half of it.
        let twice = Amount(wanted.0 * 2);
        let coverable = payable(purse.clone(), progress.clone_past(), use_, twice);
        if coverable < twice {
            Amount((coverable.0 / 2).max(policy.minimum.0)).min(wanted)
        } else {
            wanted
        }
    }

    fn overall(&self, parts: &[ChargedPart], ended: bool) -> ChargeResult {
        if ended && self.request.kind == ChargeKind::Update {
            return ChargeResult::UnknownSession;
        }
        let failed = |part: &&ChargedPart| part.result != ChargeResult::Success;
        match parts.iter().find(failed) {
            Some(part)
                if parts.iter().all(|p| p.result != ChargeResult::Success) && part.granted.is_some() =>
            {
                part.result
            }
            _ => ChargeResult::Success,
        }
    }

    /// DIRECT_DEBITING: all or nothing, at once.
    fn debit(&self, body: u64) -> Decision {
        if !self.usable() {
            return rejected(ChargeResult::EndUserServiceDenied);
        }
        let mut purse = Purse::of(self.account, self.now);
        let mut setup_done = false;
        let mut charged = self.charged(body);
        for part in &self.request.parts {
            let units = event_units(part);
            let use_ = self.use_at(part.key, self.now);
            let mut progress = Progress {
                setup_done,
                ..Progress::default()
            };
            let mut out = empty_part(part.key);
            let walked = consume(
                &mut purse,
                &mut progress,
                &use_,
                (units, Shortage::Stop),
                (&mut out.charges, &mut charged.setup),
            );
            if walked.covered < units {
                let rated = use_.row().is_some();
                return rejected(if rated {
                    ChargeResult::CreditLimitReached
                } else {
                    ChargeResult::RatingFailed
                });
            }
            setup_done = progress.setup_done;
            out.used = units;
            out.granted = Some(units);
            charged.parts.push(out);
        }
        charged.opened = Some(self.opened());
        charged.moved = self.moved();
        self.finish(charged)
    }

    /// REFUND_ACCOUNT: gives back what immediate events took, never more.
    fn refund(&self, body: u64) -> Result<Decision, Refusal> {
        let mut gross = Money::ZERO;
        let mut tax = Money::ZERO;
        if let Some(money) = self.request.money {
            gross = money;
            tax = self.rate.inside(money, self.catalog.tax.usage_rounding);
        } else {
            for part in &self.request.parts {
                let use_ = self.use_at(part.key, self.now);
                let Some(priced) = use_.priced() else {
                    return Ok(rejected(ChargeResult::RatingFailed));
                };
                let pulses = event_units(part).pulses(priced.pulse);
                gross += priced.cost(pulses);
                tax += priced.tax_of(pulses);
            }
        }
        let closed = self.account.state == LifeCycle::Closed;
        if closed || !gross.is_positive() || gross > self.account.refundable {
            return Ok(rejected(ChargeResult::EndUserServiceDenied));
        }
        if self.account.lots.len() >= super::LOTS_MAX {
            return Err(Refusal::TooMany);
        }
        let lot = Lot {
            id: LotId(self.account.next_lot),
            unit: Unit::Money,
            origin: Origin::Paid,
            priority: super::recharge::MAIN_PRIORITY,
            amount: Amount(gross.0),
            reserved: Amount::ZERO,
            initial: Amount(gross.0),
            granted_at: self.now,
            expires_at: Timestamp::NEVER,
            scope: Scope::ANY,
            step: Amount(1),
            waives_setup: false,
            source: Code::new("refund").unwrap_or_default(),
        };
        let mut charged = self.charged(body);
        charged.opened = Some(self.opened());
        let parts = self.request.parts.iter();
        charged.parts.extend(parts.map(|part| empty_part(part.key)));
        charged.refund = Some(Box::new(Refund { lot, gross, tax }));
        Ok(self.finish(charged))
    }

    /// CHECK_BALANCE: would it be enough?
    fn balance_check(&self) -> Decision {
        let balance = self.account.main_balance(self.now);
        let enough = match self.request.money {
            Some(money) => balance >= money,
            None => self.request.parts.iter().all(|part| {
                let units = event_units(part);
                let purse = Purse::of(self.account, self.now);
                let use_ = self.use_at(part.key, self.now);
                payable(purse, Progress::default(), &use_, units) >= units
            }),
        };
        let result = match (self.usable(), enough) {
            (false, _) => ChargeResult::EndUserServiceDenied,
            (true, true) => ChargeResult::Success,
            (true, false) => ChargeResult::CreditLimitReached,
        };
        Decision::answer(Reply::Charge(ChargeReply {
            result,
            balance,
            ..ChargeReply::default()
        }))
    }

    /// PRICE_ENQUIRY: what would it cost by the tariff, without any bucket?
    fn price_enquiry(&self) -> Decision {
        let mut cost = Money::ZERO;
        for (index, part) in self.request.parts.iter().enumerate() {
            let use_ = self.use_at(part.key, self.now);
            let Some(priced) = use_.priced() else {
                return rejected(ChargeResult::RatingFailed);
            };
            cost += priced.cost(event_units(part).pulses(priced.pulse));
            if index == 0 {
                cost += use_.setup().0;
            }
        }
        let balance = self.account.main_balance(self.now);
        Decision::answer(Reply::Charge(ChargeReply {
            cost: Some(cost),
            balance,
            ..ChargeReply::default()
        }))
    }

    /// Settles the balance after everything, the notice, and the reply.
    fn finish(&self, charged: Box<Charged>) -> Decision {
        let (total, reserved) = self.balance_after(&charged);
        let before = self.account.main_total(self.now);
        self.announce(charged, (before, total, total - reserved))
    }

    /// The notice and the reply, with the main balance before and after the event and what is free of it after.
    fn announce(
        &self,
        mut charged: Box<Charged>,
        (before, total, balance): (Money, Money, Money),
    ) -> Decision {
        let threshold = self.catalog.policy.low_balance;
        charged.balance = balance;
        charged.low_balance = total < threshold;
        charged.low_balance_crossed =
            charged.low_balance && !self.account.low_balance_noticed && before >= threshold;
        let reply = reply_to(&charged);
        let told = self.told_after(&charged);
        let event = account_event(self.account, self.now, EventBody::Charged(charged));
        let mut decision = Decision::event(event, Reply::Charge(reply));
        decision.events.extend(told);
        decision
    }

    /// What is told after the end of a session, where the operator tells it.
    fn told_after(&self, charged: &Charged) -> Option<Event> {
        let notice = self.catalog.policy.session_notice.as_ref()?;
        let session = self.session?;
        let ends = charged.closes && charged.kind == ChargeKind::Terminate;
        let ended = ends.then(|| notice.after(self.account, session, charged, self.now))??;
        let body = EventBody::SessionEnded(Box::new(ended));
        Some(account_event(self.account, self.now, body))
    }

    /// Main balance after the event: (total, part of it reserved).
    fn balance_after(&self, charged: &Charged) -> (Money, Money) {
        let mut total = self.account.main_total(self.now).0;
        let counts = |lot: &Lot| lot.is_main() && lot.expires_at > self.now;
        let is_main = |draw: &&Draw| self.account.lot(draw.lot).is_some_and(counts);
        let sum = |draws: &[Draw]| {
            draws
                .iter()
                .filter(is_main)
                .map(|draw| draw.amount.0)
                .sum::<i64>()
        };
        total -= charged.setup.as_ref().map_or(0, |setup| sum(&setup.draws));
        total -= charged
            .parts
            .iter()
            .flat_map(|part| &part.charges)
            .map(|charge| sum(&charge.draws))
            .sum::<i64>();
        total += charged.refund.as_ref().map_or(0, |refund| refund.gross.0);
        let mut reserved: i64 = charged.parts.iter().map(|part| sum(&part.reserved)).sum();
        for session in self.account.sessions.iter().filter(|session| !session.closed) {
            for element in &session.elements {
                let this = session.key == charged.session;
                let replaced =
                    this && (charged.closes || charged.parts.iter().any(|part| part.key == element.key));
                if !replaced {
                    reserved += sum(&element.reserved);
                }
            }
        }
        (Money(total), Money(reserved))
    }

    fn reply_of(
        &self,
        result: ChargeResult,
        parts: &[ChargedPart],
        balance: Money,
        low_balance: bool,
    ) -> ChargeReply {
        ChargeReply {
            result,
            parts: parts.iter().map(part_reply).collect(),
            low_balance,
            cost: None,
            balance,
        }
    }
}

impl Progress {
    /// The state after a grant is used to its end: nothing paid is left over.
    fn clone_past(self) -> Progress {
        Progress {
            paid_ahead: Amount::ZERO,
            ..self
        }
    }
}

fn empty_part(key: ElementKey) -> ChargedPart {
    ChargedPart {
        key,
        result: ChargeResult::Success,
        used: Amount::ZERO,
        charges: SmallVec::new(),
        paid_ahead: Amount::ZERO,
        row_cost: Money::ZERO,
        reserved: SmallVec::new(),
        granted: None,
        final_action: None,
        validity_s: 0,
        threshold: Amount::ZERO,
        holding_s: 0,
        tariff_change: None,
    }
}

/// Units of an immediate event: what is asked, else what is reported, else one.
fn event_units(part: &ChargePart) -> Amount {
    let used: Amount = part.used.iter().map(|used| used.amount).sum();
    let asked = part.requested.flatten().filter(|asked| asked.is_positive());
    asked.unwrap_or(if used.is_positive() { used } else { Amount(1) })
}

/// The answer that an event gives: also for its repetitions.
pub(crate) fn reply_to(charged: &Charged) -> ChargeReply {
    let cost = matches!(charged.kind, ChargeKind::Debit | ChargeKind::Terminate).then(|| cost_of(charged));
    ChargeReply {
        result: charged.result,
        parts: charged.parts.iter().map(part_reply).collect(),
        low_balance: charged.low_balance,
        cost,
        balance: charged.balance,
    }
}

/// Money taken by an event, set-up fee included.
pub(crate) fn cost_of(charged: &Charged) -> Money {
    let money = |draws: &[Draw]| -> Money {
        draws
            .iter()
            .filter(|d| d.unit == Unit::Money)
            .map(|d| Money(d.amount.0))
            .sum()
    };
    let setup = charged
        .setup
        .as_ref()
        .map_or(Money::ZERO, |setup| money(&setup.draws));
    setup
        + charged
            .parts
            .iter()
            .flat_map(|part| &part.charges)
            .map(|charge| money(&charge.draws))
            .sum::<Money>()
}

fn part_reply(part: &ChargedPart) -> PartReply {
    PartReply {
        key: part.key,
        result: part.result,
        granted: part.granted,
        final_action: part.final_action.clone(),
        validity_s: part.validity_s,
        threshold: part.threshold,
        holding_s: part.holding_s,
        tariff_change: part.tariff_change,
    }
}
