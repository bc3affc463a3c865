//! The page: a number, a code by SMS, and then everything that one has and why.
//!
//! # Layout
//!
//! * [`session`]: cookies, sign-ins, codes, form tokens. [`frame`]: what every page shares, and its headers.
//! * [`places`]: the navigation. [`assets`]: static files, manifest, service worker. [`shell`]: all places; without a network.
//! * [`signin`], [`home`], [`bundles`], [`statement`], [`budget`], [`help`], [`demo`]: the pages.
//!   [`account`]: what they share of an account.
//! * [`spending`]: what a month took. [`format`](mod@format): values as people read them.

pub mod account;
pub mod assets;
pub mod budget;
pub mod bundles;
pub mod demo;
pub mod format;
pub mod frame;
pub mod help;
pub mod home;
pub mod places;
pub mod session;
pub mod shell;
pub mod signin;
pub mod spending;
pub mod statement;

use crate::state::Web;
use axum::routing::{get, post};
use axum::{Router, middleware};
use tower_http::compression::CompressionLayer;

/// The routes of the page.
pub fn router(web: &Web) -> Router<Web> {
    let mut pages = Router::new()
        .route("/", get(home::show))
        .route("/me", get(home::moved))
        .route("/code", post(signin::send_code))
        .route("/session", post(signin::sign_in))
        .route("/session/end", post(signin::sign_out))
        .route("/more", get(shell::more))
        .route("/offline", get(shell::offline))
        .route("/bundles", get(bundles::show))
        .route("/bundles/compare", get(bundles::compare))
        .route("/bundles/buy", post(bundles::buy))
        .route("/bundles/renewal", post(bundles::renewal))
        .route("/budget", get(budget::show).post(budget::set))
        .route("/help", get(help::show))
        .route("/statement", get(statement::show))
        .route("/statement/more", get(statement::more))
        .route("/statement.csv", get(statement::file))
        .route("/statement/why/{kind}/{id}", get(statement::why));
    if web.demo().is_some() {
        pages = pages
            .route("/demo", get(demo::show))
            .route("/demo/inbox", get(demo::inbox))
            .route("/demo/recharge", post(demo::recharge));
    }
    pages
        .merge(crate::receipt::pages())
        .route_layer(middleware::from_fn_with_state(web.clone(), frame::visit))
        .route("/static/{file}", get(assets::file))
        .route("/sw.js", get(assets::service_worker))
        .layer(CompressionLayer::new().gzip(true))
}
