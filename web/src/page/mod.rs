//! The page: a number, a code by SMS, and then everything that one has and why.
//!
//! # Layout
//!
//! * [`session`]: cookies, sign-ins, codes, form tokens. [`frame`]: what every page shares, and its headers.
//! * [`places`]: the navigation. [`assets`]: static files, manifest, service worker. [`shell`]: all places; without a network.
//! * [`signin`], [`home`], [`bundles`], [`statement`], [`budget`], [`help`], [`demo`]: the pages.
//!   [`account`]: what they share of an account.
//! * [`reach`]: e-mail and push on the profile.
//! * [`signup`], [`profile`], [`security`], [`privacy`]: the account of a person; [`passkey`]: its script's other side.
//! * [`auto`]: standing orders to recharge. [`spending`]: what a month took. [`format`](mod@format): values as people read them.
//! * [`outlets`]: where one can go, and whether it is open.
//! * [`staff`]: the side of those who work here, with their own accounts. [`pos`]: those who sell, at a till.
//! * [`recharge`], [`ticket`], [`pay`]: paying for a recharge. [`card`]: with a scratch card.
//! * [`complaints`], [`guest_complaints`]: when something went wrong.

pub mod account;
pub mod assets;
pub mod auto;
pub mod away;
pub mod budget;
pub mod bundles;
pub mod card;
pub mod complaints;
pub mod demo;
pub mod format;
pub mod frame;
pub mod guest_complaints;
pub mod help;
pub mod home;
pub mod offers;
pub mod outlets;
pub mod passkey;
pub mod pay;
pub mod places;
pub mod pos;
pub mod privacy;
pub mod profile;
pub mod reach;
pub mod recharge;
pub mod security;
pub mod session;
pub mod shell;
pub mod signin;
pub mod signup;
pub mod spending;
pub mod staff;
pub mod statement;
pub mod ticket;

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
        .route("/recharge", get(recharge::show))
        .route("/recharge/card", get(card::show).post(card::redeem))
        .route("/recharge/pay", post(recharge::pay))
        .route("/pay/{id}", get(pay::show).post(pay::act))
        .route("/pay/{id}/state", get(pay::state))
        .route("/more", get(shell::more))
        .route("/offline", get(shell::offline))
        .route("/offers", get(offers::show))
        .route("/outlets", get(outlets::show))
        .route("/bundles", get(bundles::show))
        .route("/bundles/compare", get(bundles::compare))
        .route("/bundles/buy", post(bundles::buy))
        .route("/bundles/renewal", post(bundles::renewal))
        .route("/budget", get(budget::show).post(budget::set))
        .route("/auto", get(auto::show).post(auto::set))
        .route("/auto/turn", post(auto::turn))
        .route("/auto/card", get(auto::card::back).post(auto::card::leave))
        .route("/complaints", get(complaints::list).post(complaints::make))
        .route("/complaints/new", get(complaints::begin))
        .route(
            "/complaints/guest",
            get(guest_complaints::begin).post(guest_complaints::make),
        )
        .route("/complaints/guest/code", post(guest_complaints::send_code))
        .route("/complaints/{id}", get(complaints::show).post(complaints::act))
        .route("/help", get(help::show))
        .route("/statement", get(statement::show))
        .route("/statement/more", get(statement::more))
        .route("/statement.csv", get(statement::file))
        .route("/statement/why/{kind}/{id}", get(statement::why));
    pages = pages.merge(people()).merge(staff::router()).merge(pos::router());
    if web.demo().is_some() {
        pages = pages
            .route("/demo", get(demo::show))
            .route("/demo/inbox", get(demo::inbox))
            .route("/demo/dial", post(demo::dial))
            .route("/demo/recharge", post(demo::recharge));
    }
    pages
        .merge(crate::receipt::pages())
        .merge(crate::stop_link::pages())
        .route_layer(middleware::from_fn_with_state(web.clone(), frame::visit))
        .route("/offers.json", get(offers::json))
        .route("/offers.rss", get(offers::rss))
        .route("/static/{file}", get(assets::file))
        .route("/sw.js", get(assets::service_worker))
        .layer(CompressionLayer::new().gzip(true))
}

/// The routes of the account of a person.
fn people() -> Router<Web> {
    Router::new()
        .route("/sign-in", get(signin::ways))
        .route("/sign-in/password", post(signin::password))
        .route("/sign-in/second", get(signin::second).post(signin::second_given))
        .route("/sign-in/recover", post(signin::recover))
        .route("/sign-in/passkey/begin", post(passkey::sign_in_begin))
        .route("/sign-in/passkey", post(passkey::sign_in))
        .route("/sign-up", get(signup::start))
        .route("/sign-up/secure", get(signup::secure))
        .route("/security", get(security::show))
        .route("/security/password", post(security::set_password))
        .route("/security/password/remove", post(security::remove_password))
        .route("/security/passkey/begin", post(passkey::register_begin))
        .route("/security/passkey", post(passkey::register))
        .route("/security/passkey/remove", post(security::remove_passkey))
        .route("/security/totp/begin", post(security::totp_begin))
        .route("/security/totp", post(security::totp_confirm))
        .route("/security/totp/off", post(security::totp_off))
        .route("/security/codes", post(security::recovery_codes))
        .route("/security/session/end", post(security::end_session))
        .route("/security/sessions/end", post(security::end_sessions))
        .route("/security/recovery/cancel", post(security::cancel_recovery))
        .route("/security/unlock", post(security::unlock))
        .route("/not-me", get(security::not_me).post(security::lock))
        .route("/profile", get(profile::show).post(profile::change))
        .route("/profile/number", post(profile::number_code))
        .route("/profile/number/add", post(profile::number_add))
        .route("/profile/number/use", post(profile::number_use))
        .route("/profile/number/remove", post(profile::number_remove))
        .route("/profile/email", post(reach::email_code))
        .route("/profile/email/prove", post(reach::email_prove))
        .route("/profile/email/remove", post(reach::email_remove))
        .route("/profile/push", post(reach::push_add))
        .route("/profile/push/remove", post(reach::push_remove))
        .route("/privacy", get(privacy::show))
        .route("/privacy/consents", post(privacy::consents))
        .route("/privacy/export", post(privacy::export))
        .route("/privacy/delete", post(privacy::delete))
        .route("/privacy/keep", post(privacy::keep))
}
