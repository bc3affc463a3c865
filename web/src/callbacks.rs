//! Where rails reach us: messages of their servers, and browsers that come back. Nothing here is a page, and none of the
//! cookies of pages count.

use crate::payments::PaymentDesk;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::any;
use charge::Code;
use rails::limits::{BODY_BYTES_MAX, CALL_MS, FIELDS_MAX};
use rails::{HttpAnswer, HttpRequest, Method};
use std::sync::Arc;

/// The routes of rails.
pub fn router() -> Router<Web> {
    Router::new()
        .route("/rails/{rail}/return", any(returned))
        .route("/rails/{rail}/{*what}", any(heard))
}

/// A browser comes back from a rail: on to the page of its payment.
async fn returned(
    State(web): State<Web>,
    Path(rail): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (desk, rail) = desk_of(&web, &rail)?;
    let request = whole(request).await?;
    Ok(match desk.returned(rail, request).await {
        Some(id) => Redirect::to(&format!("/pay/{id}")).into_response(),
        None => Redirect::to("/recharge?lost=1").into_response(),
    })
}

/// A message of a rail's servers.
async fn heard(
    State(web): State<Web>,
    Path((rail, what)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let (desk, rail) = desk_of(&web, &rail)?;
    let request = whole(request).await?;
    Ok(answer(desk.hear(rail, what, request).await))
}

fn desk_of<'a>(web: &'a Web, rail: &str) -> Result<(&'a Arc<dyn PaymentDesk>, Code), Problem> {
    let desk = web.parts.payments.as_ref().ok_or(Fault::NotFound)?;
    let rail = Code::new(rail).ok_or(Fault::NotFound)?;
    Ok((desk, rail))
}

async fn whole(request: Request) -> Result<HttpRequest, Problem> {
    let method = match request.method().as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        _ => return Err(Fault::MethodNotAllowed.into()),
    };
    let url = request
        .uri()
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    if headers.len() > FIELDS_MAX {
        return Err(Fault::HeadersTooLarge.into());
    }
    let body = to_bytes(request.into_body(), BODY_BYTES_MAX)
        .await
        .map_err(|_| Fault::BodyTooLarge)?;
    Ok(HttpRequest {
        method,
        url,
        headers,
        body: body.to_vec(),
        timeout_ms: CALL_MS,
    })
}

fn answer(answer: HttpAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = status;
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
