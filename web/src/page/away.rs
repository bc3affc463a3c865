//! The page that leads a browser to a rail.
//!
//! Never a redirect: the answer to a form may lead only where the policy of our pages lets forms go, and a rail may send its
//! payers to any host. The page goes on by itself, to a plain address without a script too.

use super::frame::{FormTargets, Frame, Visitor, page};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

/// Leads to an address. `status`: our page that says how it stands.
pub fn to_address(web: &Web, visitor: &Visitor, url: String, status: String) -> Response {
    let refresh = HeaderValue::from_str(&format!("0;url={url}"));
    let mut response = away(web, visitor, (url, Vec::new()), status);
    if let Ok(refresh) = refresh {
        response.headers_mut().insert(header::REFRESH, refresh);
    }
    response
}

/// Leads to an address with fields that the browser sends along.
pub fn with_form(
    web: &Web,
    visitor: &Visitor,
    (url, fields): (String, Vec<(String, String)>),
    status: String,
) -> Response {
    let targets = FormTargets::to(&url);
    let mut response = away(web, visitor, (url, fields), status);
    response.extensions_mut().insert(targets);
    response
}

fn away(
    web: &Web,
    visitor: &Visitor,
    (url, fields): (String, Vec<(String, String)>),
    status: String,
) -> Response {
    let away = AwayPage {
        page: visitor.frame(web, visitor.speech().p("away-title")),
        rail: Html::bdi(url.split('/').nth(2).unwrap_or("")),
        url,
        fields,
        status,
    };
    page(StatusCode::OK, &away)
}

#[derive(Template)]
#[template(path = "away.html")]
struct AwayPage {
    page: Frame,
    rail: Html,
    url: String,
    fields: Vec<(String, String)>,
    status: String,
}
