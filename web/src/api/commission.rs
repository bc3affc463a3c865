//! Commission of partners: what holds, and from when another one does.

use super::auth::Caller;
use super::json::{Decimal, Json, Moment};
use super::partners::existing;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use charge::partner::Scopes;
use charge::terms::{CommissionKind, CommissionRule, PlannedCommission, TermsChange};
use charge::{Command, Money, PartnerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A percent as micro-units: the share of a rule is this many of [`WHOLE`].
const WHOLE: u32 = 100_000_000;

/// A rule of commission.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `upfront`: the float pays so much less. `on-sale`: the float gets it when the sale is complete.
    pub kind: String,
    /// Share of the gross amount in percent, up to six decimals: `2.75`.
    pub percent: Decimal,
    /// Added to the share.
    #[serde(default)]
    pub fixed: Option<Decimal>,
    /// Never less.
    #[serde(default)]
    pub minimum: Option<Decimal>,
    /// Never more; none: no bound.
    #[serde(default)]
    pub maximum: Option<Decimal>,
    /// Of sales from this moment on; none: from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Moment>,
}

/// Commission of a partner.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CommissionTerms {
    /// What holds now; none: there is no commission.
    pub now: Option<Rule>,
    /// What will hold, soonest first.
    pub planned: Vec<Rule>,
}

impl Rule {
    fn of(rule: &CommissionRule) -> Rule {
        let share = Money(i64::from(rule.parts)).mul_div(
            i64::from(WHOLE),
            i64::from(rule.of.max(1)),
            charge::money::Rounding::Down,
        );
        let some = |amount: Money| amount.is_positive().then_some(Decimal(amount));
        Rule {
            kind: rule.kind.name().to_owned(),
            percent: Decimal(share),
            fixed: some(rule.fixed),
            minimum: some(rule.minimum),
            maximum: some(rule.maximum),
            from: None,
        }
    }

    fn read(&self) -> Result<CommissionRule, Problem> {
        let kinds = [CommissionKind::Upfront, CommissionKind::OnSale];
        let kind = kinds.into_iter().find(|kind| kind.name() == self.kind);
        let kind = kind.ok_or_else(|| Problem::field(Fault::BadField, "kind").hint("upfront or on-sale"))?;
        let percent = u32::try_from(self.percent.0.0)
            .ok()
            .filter(|parts| *parts <= WHOLE);
        let parts = percent.ok_or_else(|| Problem::field(Fault::BadField, "percent").hint("0 to 100"))?;
        let amount = |amount: Option<Decimal>| amount.map_or(Money::ZERO, |amount| amount.0);
        let rule = CommissionRule {
            kind,
            parts,
            of: WHOLE,
            fixed: amount(self.fixed),
            minimum: amount(self.minimum),
            maximum: amount(self.maximum),
        };
        if !rule.is_valid() {
            return Err(Problem::field(Fault::BadField, "maximum").hint("amounts that fit together"));
        }
        Ok(rule)
    }
}

/// See the commission of a partner
///
/// `me` is the partner of the key. Others need the scope `admin`.
#[utoipa::path(get, path = "/v1/partners/{id}/commission", tag = "partners",
    params(("id" = String, Path, description = "Its id, or `me`")),
    responses((status = 200, body = CommissionTerms)))]
pub async fn see(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CommissionTerms>, Problem> {
    let partner = if id == "me" {
        caller.partner.id
    } else {
        caller.require(Scopes::ADMIN)?;
        existing(&web, &id).await?
    };
    Ok(Json(terms(&web, partner).await?))
}

/// Set the commission of a partner
///
/// Of sales from now on, or from a later moment on. A sale keeps the commission that held when it was accepted.
#[utoipa::path(put, path = "/v1/partners/{id}/commission", tag = "partners", request_body = Rule,
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = CommissionTerms)))]
pub async fn set(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Json(rule): Json<Rule>,
) -> Result<Json<CommissionTerms>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let partner = existing(&web, &id).await?;
    let read = rule.read()?;
    let change = match rule.from {
        Some(from) if from.0 > web.now() => TermsChange::CommissionFrom(PlannedCommission {
            from: from.0,
            rule: read,
        }),
        Some(_) => return Err(Problem::field(Fault::BadField, "from").hint("a moment that is still to come")),
        None => TermsChange::Commission(read),
    };
    apply(&web, partner, change).await?;
    Ok(Json(terms(&web, partner).await?))
}

/// End the commission of a partner
///
/// Of sales from now on. What is planned for later stays; plan a percent of zero to end it at a moment.
#[utoipa::path(delete, path = "/v1/partners/{id}/commission", tag = "partners",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = CommissionTerms)))]
pub async fn end(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CommissionTerms>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let partner = existing(&web, &id).await?;
    apply(&web, partner, TermsChange::Commission(CommissionRule::NONE)).await?;
    Ok(Json(terms(&web, partner).await?))
}

async fn apply(web: &Web, partner: PartnerId, change: TermsChange) -> Result<(), Problem> {
    let command = Command::ChangeTerms {
        partner,
        test: false,
        change: Box::new(change),
    };
    web.parts.core.call(command).await?;
    Ok(())
}

async fn terms(web: &Web, partner: PartnerId) -> Result<CommissionTerms, Problem> {
    let (terms, now) = (web.terms(partner, false).await?, web.now());
    let holds = terms.commission_at(now);
    let planned = terms.commission_after(now).map(|planned| Rule {
        from: Some(Moment(planned.from)),
        ..Rule::of(&planned.rule)
    });
    Ok(CommissionTerms {
        now: (holds.parts > 0 || holds.fixed.is_positive() || holds.minimum.is_positive())
            .then(|| Rule::of(&holds)),
        planned: planned.collect(),
    })
}
