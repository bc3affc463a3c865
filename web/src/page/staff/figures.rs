//! Days that were compared, three sides each, and the same as files.

use super::Desk;
use super::parts::{List, Row};
use crate::api::json::Json;
use crate::api::reconciliations::{self, ExceptionAnswer, RunAnswer, RunList, day_text};
use crate::problem::{Fault, Problem};
use crate::reconcile::blocking;
use crate::state::Web;
use crate::text::Html;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use charge::Money;
use people::staff::Duty;
use people::staff_trail::Deed;
use store::runs::Run;

async fn runs(web: &Web) -> Result<Vec<Run>, Problem> {
    let file = web.parts.exceptions.clone().ok_or(Fault::NotFound)?;
    blocking(move || file.runs()).await
}

/// Days and rails.
pub async fn show(State(web): State<Web>, desk: Desk) -> Result<Response, Problem> {
    desk.may(&web, Duty::Figures).await?;
    let t = desk.visitor.speech();
    let mut list = List::of(&web, &desk, "figures");
    list.lead = Some(t.h("staff-figures-lead"));
    list.links = vec![
        ("/staff/figures.csv".to_owned(), Html::bdi("CSV")),
        ("/staff/figures.json".to_owned(), Html::bdi("JSON")),
    ];
    list.heads = [
        "staff-day",
        "staff-rail",
        "staff-file",
        "staff-ledger",
        "staff-credited",
        "staff-refunded",
        "staff-fees",
        "staff-lines",
        "staff-differences",
        "staff-compared",
    ]
    .map(|key| t.h(key))
    .into();
    let row = |run: &Run| {
        let money = |amount: Money| Html::bdi(&t.money(amount, &run.currency));
        Row {
            path: None,
            cells: vec![
                Html::bdi(&day_text(run.day)),
                Html::bdi(run.rail.as_str()),
                money(run.file),
                money(run.ledger),
                money(run.credited),
                money(run.refunded),
                money(run.fees),
                Html::bdi(&format!("{} / {}", run.matched, run.lines)),
                Html::bdi(&run.differences.to_string()),
                desk.moment(&web, run.ran_at),
            ],
        }
    };
    list.rows = runs(&web).await?.iter().map(row).collect();
    Ok(list.answer())
}

/// The same for spreadsheets.
pub async fn csv(State(web): State<Web>, desk: Desk) -> Result<Response, Problem> {
    desk.may(&web, Duty::Figures).await?;
    desk.note(&web, Deed::Exported, "figures.csv", "").await?;
    Ok(file("figures.csv", reconciliations::runs_csv(&runs(&web).await?)))
}

/// The same for programs.
pub async fn json(State(web): State<Web>, desk: Desk) -> Result<Response, Problem> {
    desk.may(&web, Duty::Figures).await?;
    desk.note(&web, Deed::Exported, "figures.json", "").await?;
    let reconciliations = runs(&web).await?.iter().map(RunAnswer::of).collect();
    Ok(Json(RunList { reconciliations }).into_response())
}

/// Every exception, open or not, for spreadsheets.
pub async fn exceptions_csv(State(web): State<Web>, desk: Desk) -> Result<Response, Problem> {
    desk.may(&web, Duty::Exceptions).await?;
    desk.note(&web, Deed::Exported, "exceptions.csv", "").await?;
    let kept = web.parts.exceptions.clone().ok_or(Fault::NotFound)?;
    let rows = blocking(move || kept.list(false)).await?;
    let rows: Vec<ExceptionAnswer> = rows
        .iter()
        .map(|one| ExceptionAnswer::of(one, web.now()))
        .collect();
    Ok(file("exceptions.csv", reconciliations::csv(&rows)))
}

fn file(name: &str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"raseed-{name}\""),
        ),
    ];
    (headers, text).into_response()
}
