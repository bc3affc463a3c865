//! Connectors: the ways to operators whose core is elsewhere.

use super::auth::Caller;
use super::json::{Decimal, Json, Moment};
use crate::problem::Problem;
use crate::state::Web;
use axum::extract::State;
use charge::partner::Scopes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A connector.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConnectorAnswer {
    /// Its code, as in the ledger.
    pub code: String,
    /// The operator whose numbers it serves.
    pub operator: String,
    /// What our account there holds; none: not known yet.
    pub balance: Option<Decimal>,
    /// When it was asked.
    pub balance_at: Option<Moment>,
    /// True when that is less than `low_balance` of the configuration.
    pub low: bool,
    /// Sales of all connectors that have not ended.
    pub waiting: u64,
}

/// Connectors.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConnectorList {
    /// In the order of the configuration.
    pub connectors: Vec<ConnectorAnswer>,
}

/// See the connectors
#[utoipa::path(get, path = "/v1/connectors", tag = "books", responses((status = 200, body = ConnectorList)))]
pub async fn list(State(web): State<Web>, caller: Caller) -> Result<Json<ConnectorList>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let infos = web.parts.payments.as_ref().map(|desk| desk.connectors());
    let connectors = infos.unwrap_or_default().into_iter().map(|info| ConnectorAnswer {
        code: info.code.to_string(),
        operator: web
            .catalog(info.operator)
            .map_or_else(String::new, |catalog| catalog.code.to_string()),
        balance: info.balance.map(|(balance, _)| Decimal(balance)),
        balance_at: info.balance.map(|(_, at)| Moment(at)),
        low: info.low,
        waiting: info.waiting as u64,
    });
    Ok(Json(ConnectorList {
        connectors: connectors.collect(),
    }))
}
