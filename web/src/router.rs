//! All routes with what surrounds them: limits, languages, counters.

use crate::core::CoreError;
use crate::problem::{Fault, Problem};
use crate::rate::caller_of;
use crate::state::Web;
use crate::{api, limits, page, receipt, text};
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use charge::EntityKey;
use charge::catalog::Language;
use rails::form::Fields;
use rails::pan;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// The whole service. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`, so that rate limits see
/// addresses.
pub fn router(web: Web) -> Router {
    Router::new()
        .merge(api::router().0)
        .merge(page::router(&web))
        .merge(receipt::files())
        .merge(crate::callbacks::router())
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(|| async { Problem::from(Fault::NotFound) })
        .method_not_allowed_fallback(|| async { Problem::from(Fault::MethodNotAllowed) })
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(web.clone(), surround))
        .with_state(web)
}

/// The language of the request.
#[derive(Clone, Copy, Debug)]
pub struct Speaks(pub Language);

/// The address of the peer.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub IpAddr);

/// Outermost: counts, limits, and puts errors into words.
async fn surround(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().as_str().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched".to_owned(), |path| path.as_str().to_owned());
    let path = request.uri().path().to_owned();
    let language = text::negotiate(header_text(request.headers(), &header::ACCEPT_LANGUAGE));
    let address = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
    let address = if web.parts.https {
        forwarded_for(request.headers()).unwrap_or(address)
    } else {
        address
    };
    request.extensions_mut().insert(Speaks(language));
    request.extensions_mut().insert(PeerAddress(address));

    let wants_html =
        header_text(request.headers(), &header::ACCEPT).is_some_and(|kinds| kinds.contains("text/html"));
    let headers: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    let streams = route == api::IMPORT_ROUTE;
    let from_rail = path.starts_with("/rails/");
    let rate = if from_rail {
        &web.rail_rate
    } else {
        &web.address_rate
    };
    let response = if let Err(wait) = rate.check(caller_of(address)) {
        Problem::rate_limited(wait).into_response()
    } else if headers > limits::HEADER_BYTES_MAX {
        Problem::from(Fault::HeadersTooLarge).into_response()
    } else if streams || from_rail {
        within(next.run(request), streams).await
    } else {
        let answer = async {
            match without_cards(request).await {
                Ok(request) => next.run(request).await,
                Err(problem) => problem.into_response(),
            }
        };
        within(answer, false).await
    };
    let response = if wants_html && !path.starts_with("/v1/") {
        in_words(response, |problem| {
            page::frame::stray_error(&web, language, problem)
        })
    } else {
        in_words(response, |problem| problem.answer(language, &path))
    };
    web.meter
        .request(&method, &route, response.status().as_u16(), started.elapsed());
    response
}

/// Who stands before the proxy with TLS: the address that the proxy itself added last. What stands before it in the header
/// is the caller's own claim.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// An answer within the time that a request may take; one that streams may take longer.
async fn within(answer: impl Future<Output = Response>, streams: bool) -> Response {
    if streams {
        return answer.await;
    }
    match tokio::time::timeout(limits::REQUEST_TIME_MAX, answer).await {
        Ok(response) => response,
        Err(_) => Problem::from(Fault::Timeout).into_response(),
    }
}

/// Refuses what looks like a card number, before anything reads or logs it: cards are typed on the rail's page, never here
/// (reference payments 2.4). Messages of rails do not come by here.
async fn without_cards(request: Request) -> Result<Request, Problem> {
    if request
        .uri()
        .query()
        .is_some_and(|query| card_in(query.as_bytes()))
    {
        return Err(Fault::CardNumber.into());
    }
    let kind = header_text(request.headers(), &header::CONTENT_TYPE)
        .unwrap_or("")
        .to_owned();
    let is_form = kind.starts_with("application/x-www-form-urlencoded");
    let is_json = kind.starts_with("application/json");
    if !is_form && !is_json {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, limits::BODY_BYTES_MAX)
        .await
        .map_err(|_| Fault::BodyTooLarge)?;
    let card = match is_form {
        true => card_in(&body),
        false => serde_json::from_slice(&body).is_ok_and(|value| pan::in_json(&value)),
    };
    if card {
        return Err(Fault::CardNumber.into());
    }
    Ok(Request::from_parts(parts, axum::body::Body::from(body)))
}

/// A card number in a form or query. What is no form is not looked at: whoever reads it refuses it.
fn card_in(form: &[u8]) -> bool {
    // Numbers and seals that we made ourselves: nobody types them, and one in many looks like a card.
    const OURS: [&str; 3] = ["which", "form", "ticket"];
    Fields::parse(form).is_ok_and(|fields| {
        let typed = fields
            .pairs()
            .iter()
            .filter(|(name, _)| !OURS.contains(&name.as_str()));
        pan::in_form(&typed.cloned().collect::<Vec<_>>())
    })
}

/// Errors leave in the caller's language, whoever made them: programs get a problem document, people a page.
fn in_words(response: Response, say: impl FnOnce(&Problem) -> Response) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let told = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/problem+json" || kind == "text/html; charset=utf-8");
    if told {
        return response;
    }
    let problem = response
        .extensions()
        .get::<Problem>()
        .cloned()
        .unwrap_or_else(|| Problem::from(Fault::of_status(status)));
    let mut answer = say(&problem);
    if let Some(allow) = response.headers().get(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, allow.clone());
    }
    answer
}

/// The value of a header, when it is text.
pub fn header_text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The process lives.
async fn healthz() -> &'static str {
    "ok\n"
}

/// The core answers.
async fn readyz(State(web): State<Web>) -> Response {
    let probe = web
        .parts
        .core
        .read(EntityKey::Partner(charge::PartnerId(1)))
        .await;
    match probe {
        Ok(_) | Err(CoreError::Refused(_)) => "ready\n".into_response(),
        Err(error @ (CoreError::Busy | CoreError::Unavailable)) => {
            Problem::from(Fault::Busy).hint(error.to_string()).into_response()
        }
    }
}

async fn metrics(State(web): State<Web>) -> Response {
    let mut gauges = web.parts.core.gauges();
    gauges.extend(web.parts.reads.gauges().await);
    // They look into files that others are writing.
    let further = Arc::clone(&web.parts.gauges);
    gauges.extend(
        tokio::task::spawn_blocking(move || further())
            .await
            .unwrap_or_default(),
    );
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], web.meter.text(&gauges)).into_response()
}
