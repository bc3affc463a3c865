//! What belongs to the app as a whole: the page of all places, and the page for times without a network.

use super::frame::{Frame, Visitor, page};
use super::places::{self, Link};
use crate::state::Web;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

#[derive(Template)]
#[template(path = "more.html")]
struct More {
    page: Frame,
    places: Vec<Link>,
}

/// All places, the sign-out, the colours.
pub async fn more(State(web): State<Web>, visitor: Visitor) -> Response {
    let frame = visitor.frame(&web, visitor.speech().p("place-more"));
    let mut places = places::links(visitor.speech(), "/more", visitor.sign_in.is_some());
    places.retain(|place| place.path != "/more");
    page(StatusCode::OK, &More { page: frame, places })
}

#[derive(Template)]
#[template(path = "offline.html")]
struct Offline {
    page: Frame,
}

/// What the service worker shows when there is no network and nothing was kept. It holds nothing of anybody.
pub async fn offline(State(web): State<Web>, visitor: Visitor) -> Response {
    let stranger = visitor.nobody();
    let page_ = stranger.frame(&web, visitor.speech().p("offline-title"));
    page(StatusCode::OK, &Offline { page: page_ })
}
