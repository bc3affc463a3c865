//! The page: a number, a code by SMS, and then everything that one has and why.
//!
//! # Layout
//!
//! * [`session`]: cookies, sign-ins, codes, form tokens. [`frame`]: what every page shares; files and headers.
//! * [`signin`], [`account`], [`statement`], [`demo`]: the pages. [`format`](mod@format): values as people read them.

pub mod account;
pub mod demo;
pub mod format;
pub mod frame;
pub mod session;
pub mod signin;
pub mod statement;

use crate::state::Web;
use axum::routing::{get, post};
use axum::{Router, middleware};

/// The routes of the page.
pub fn router(web: &Web) -> Router<Web> {
    let mut pages = Router::new()
        .route("/", get(signin::start))
        .route("/code", post(signin::send_code))
        .route("/session", post(signin::sign_in))
        .route("/session/end", post(signin::sign_out))
        .route("/me", get(account::show))
        .route("/me/statement", get(statement::more))
        .route("/me/why/{kind}/{id}", get(statement::why))
        .route("/me/bundles", post(account::buy))
        .route("/me/renewal", post(account::renewal));
    if web.demo().is_some() {
        pages = pages
            .route("/demo", get(demo::show))
            .route("/demo/inbox", get(demo::inbox))
            .route("/demo/recharge", post(demo::recharge));
    }
    pages
        .route_layer(middleware::from_fn_with_state(web.clone(), frame::visit))
        .route("/static/{file}", get(frame::file))
}
