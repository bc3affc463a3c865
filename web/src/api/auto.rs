//! Auto-recharges for staff: to see what a rule did, and to stop it. From what it takes its money is nobody's business.

use super::auth::Caller;
use super::json::{Decimal, Json, Moment};
use super::subscribers::account_at;
use crate::problem::Problem;
use crate::state::Web;
use axum::extract::{Path, State};
use charge::auto::{AutoAction, AutoCause, AutoDate, AutoOutcome, AutoRecharge};
use charge::partner::Scopes;
use charge::{Command, Entity, EntityKey, Refusal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An auto-recharge.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AutoRechargeAnswer {
    /// The number.
    pub msisdn: String,
    /// active, paused, declined, failed, refused, ended or stopped.
    pub state: String,
    /// Recharges with this.
    pub amount: Decimal,
    /// The bundle that it buys; empty: none.
    pub bundle: String,
    /// The rail.
    pub rail: String,
    /// When the main balance is below this; zero: not because of the balance.
    pub below: Decimal,
    /// never, `weekly 1` (Monday) to 7, `monthly 1` to 31 (the last day), `before-expiry 3`.
    pub date: String,
    /// The most on one day; zero: no limit.
    pub per_day: Decimal,
    /// The most in one month; zero: no limit.
    pub per_month: Decimal,
    /// The most payments in one month; zero: no limit.
    pub count_per_month: u16,
    /// When it was ordered last.
    pub set_at: Moment,
    /// The next date.
    pub due_at: Option<Moment>,
    /// The next attempt of an occasion that was not paid.
    pub retry_at: Option<Moment>,
    /// The cap that held the last occasion back: day, month or count.
    pub held: Option<String>,
    /// The last attempts, oldest first.
    pub attempts: Vec<AutoAttempt>,
}

/// An attempt of an auto-recharge.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AutoAttempt {
    /// Its payment.
    pub payment: String,
    /// When.
    pub at: Moment,
    /// How much.
    pub amount: Decimal,
    /// balance or date.
    pub cause: String,
    /// Which attempt of its occasion, from 1.
    pub attempt: u8,
    /// paid, not-approved, went-back, or why the rail said no; absent: not known yet.
    pub outcome: Option<String>,
}

impl AutoRechargeAnswer {
    fn of(auto: &AutoRecharge) -> AutoRechargeAnswer {
        let rule = &auto.rule;
        AutoRechargeAnswer {
            msisdn: rule.msisdn.to_string(),
            state: auto.state.name().to_owned(),
            amount: Decimal(rule.amount),
            bundle: rule.offer.to_string(),
            rail: rule.rail.to_string(),
            below: Decimal(rule.below),
            date: match rule.date {
                AutoDate::Never => "never".to_owned(),
                AutoDate::Weekly(day) => format!("weekly {day}"),
                AutoDate::Monthly(day) => format!("monthly {day}"),
                AutoDate::BeforeExpiry(days) => format!("before-expiry {days}"),
            },
            per_day: Decimal(rule.caps.per_day),
            per_month: Decimal(rule.caps.per_month),
            count_per_month: rule.caps.count_per_month,
            set_at: Moment(auto.set_at),
            due_at: auto.plan.due_at.map(Moment),
            retry_at: auto.plan.retry_at.map(Moment),
            held: auto.held.map(|cap| cap.name().to_owned()),
            attempts: auto
                .tries
                .iter()
                .map(|tried| AutoAttempt {
                    payment: tried.payment.to_string(),
                    at: Moment(tried.at),
                    amount: Decimal(tried.amount),
                    cause: match tried.cause {
                        AutoCause::Balance => "balance".to_owned(),
                        AutoCause::Date => "date".to_owned(),
                    },
                    attempt: tried.attempt + 1,
                    outcome: tried.outcome.map(AutoOutcome::name).map(str::to_owned),
                })
                .collect(),
        }
    }
}

/// The auto-recharge of a number
#[utoipa::path(get, path = "/v1/subscribers/{msisdn}/auto-recharge", tag = "subscribers",
    params(("msisdn" = String, Path, description = "The number")), responses((status = 200, body = AutoRechargeAnswer)))]
pub async fn see(
    State(web): State<Web>,
    caller: Caller,
    Path(typed): Path<String>,
) -> Result<Json<AutoRechargeAnswer>, Problem> {
    caller.require(Scopes::SUBSCRIBERS)?;
    Ok(Json(auto_at(&web, &caller, &typed).await?))
}

/// Stop the auto-recharge of a number for good
///
/// A payment under way is given up: money that still comes for it goes back.
#[utoipa::path(post, path = "/v1/subscribers/{msisdn}/auto-recharge/stop", tag = "subscribers",
    params(("msisdn" = String, Path, description = "The number")), responses((status = 200, body = AutoRechargeAnswer)))]
pub async fn stop(
    State(web): State<Web>,
    caller: Caller,
    Path(typed): Path<String>,
) -> Result<Json<AutoRechargeAnswer>, Problem> {
    caller.require(Scopes::SUBSCRIBERS)?;
    let (account, _) = account_at(&web, &caller, &typed).await?;
    let command = Command::Auto {
        account: account.id,
        action: AutoAction::End(true),
    };
    web.parts.core.call(command).await?;
    Ok(Json(auto_at(&web, &caller, &typed).await?))
}

async fn auto_at(web: &Web, caller: &Caller, typed: &str) -> Result<AutoRechargeAnswer, Problem> {
    let (account, _) = account_at(web, caller, typed).await?;
    match web.parts.core.read(EntityKey::Auto(account.id)).await? {
        Some(Entity::Auto(auto)) => Ok(AutoRechargeAnswer::of(&auto)),
        _ => Err(Refusal::NoSuchRule.into()),
    }
}
