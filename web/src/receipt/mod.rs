//! Receipts: as a page, PDF, JSON, short message and letter; signed, and checked by anybody.
//!
//! # Layout
//!
//! * [`view`]: what a receipt says. [`signed`]: the line that proves it. [`keys`]: who signs. [`capability`]: links and codes.
//! * [`page`]: `/receipts`. [`verify`]: `/verify` and the published keys. [`api`]: `/v1/receipts`.
//! * [`pdf`]: the printed form. [`qr`]: the picture of the link. [`sms`]: the short message.

pub mod api;
pub mod capability;
pub mod keys;
pub mod page;
pub mod pdf;
pub mod qr;
pub mod signed;
pub mod sms;
pub mod verify;
pub mod view;

use crate::bind::Reader;
use crate::problem::Problem;
use crate::state::Web;
use axum::Router;
use axum::routing::get;
use charge::catalog::Catalog;
use charge::reply::Receipt;
use keys::KeyRing;
use std::sync::Arc;
use std::time::Duration;
use view::View;

/// What receipts need from outside. Cheap to clone.
#[derive(Clone)]
pub struct Receipts {
    /// Signs, and says which keys to trust.
    pub keys: Arc<KeyRing>,
    /// Where people reach us: scheme and host without a slash at the end.
    pub public_url: Arc<str>,
}

impl Receipts {
    /// Signs with these keys; links begin with this address.
    pub fn new(keys: KeyRing, public_url: &str) -> Receipts {
        Receipts {
            keys: Arc::new(keys),
            public_url: public_url.trim_end_matches('/').into(),
        }
    }
}

/// Pages that know who looks.
pub fn pages() -> Router<Web> {
    Router::new()
        .route("/receipts", get(page::list))
        .route("/receipts/{name}", get(page::show))
        .route("/verify", get(verify::show))
        .route("/r/{coded}", get(verify::short_link))
}

/// What is the same for everybody.
pub fn files() -> Router<Web> {
    Router::new().route(
        "/.well-known/raseed-receipt-keys.json",
        get(verify::published_keys),
    )
}

/// The receipt with its catalog; `None` when there is none. Just after a credit it waits a moment for the read models.
///
/// # Errors
/// [`crate::problem::Fault::Internal`] when the read models cannot be read.
pub async fn find(web: &Web, number: Receipt, wait: bool) -> Result<Option<(View, &Catalog)>, Problem> {
    let tries = if wait { 10 } else { 1 };
    for round in 0..tries {
        if round > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let found = web.parts.reads.ask(move |reader: &mut Reader| {
            let line = reader.models.receipt(number)?;
            let subscriber = reader.models.subscriber(number.account)?;
            let recharge = line.as_ref().and_then(|line| line.recharge.as_ref());
            let back = match recharge {
                Some(recharge) => reader.models.taken_back(number.account, &recharge.reference)?,
                None => None,
            };
            Ok(line
                .zip(subscriber)
                .map(|(line, subscriber)| (line, subscriber, back)))
        });
        if let Some((line, subscriber, back)) = found.await? {
            let catalog = web.catalog(line.operator);
            let view = View::of(&line, subscriber.msisdn).map(|view| View {
                taken_back: back.map(|back| (-back.amount, back.at)),
                ..view
            });
            return Ok(view.zip(catalog));
        }
    }
    Ok(None)
}
