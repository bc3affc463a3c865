//! Signing up: a number, the code that was sent to it, then a password, a passkey, or neither.

use super::frame::{Frame, Visitor, page};
use super::passkey;
use super::security::to_sign_in;
use crate::state::Web;
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

#[derive(Template)]
#[template(path = "signup.html")]
struct SignUp {
    page: Frame,
}

/// Asks for the number. What follows is the sign-in by code: the answer is the same for numbers that are known already.
pub async fn start(State(web): State<Web>, visitor: Visitor) -> Response {
    let template = SignUp {
        page: visitor.frame(&web, visitor.speech().p("signup-title")),
    };
    page(StatusCode::OK, &template)
}

#[derive(Template)]
#[template(path = "secure.html")]
struct Secure {
    page: Frame,
    passkeys: bool,
}

/// Offers a password and a passkey.
pub async fn secure(State(web): State<Web>, visitor: Visitor, headers: HeaderMap) -> Response {
    if visitor.fresh(web.now()).is_none() {
        return to_sign_in("/sign-up/secure");
    }
    let template = Secure {
        page: visitor.frame(&web, visitor.speech().p("secure-title")),
        passkeys: passkey::site(&web, &headers).is_some(),
    };
    page(StatusCode::OK, &template)
}
