//! The JSON API under `/v1`.
//!
//! # Layout
//!
//! * [`auth`]: API keys. [`json`]: bodies, amounts, times. [`once`]: requests that must happen once.
//! * [`lookup`], [`quotes`], [`topups`]: recharging. [`partners`]: sellers; [`callbacks`]: what they are told.
//! * [`commission`], [`reports`], [`partner_files`]: what sellers earn, and what they compare. [`reversals`]: sales taken back.
//! * [`sellers`]: the selling chain. [`outlets`]: where people find it.
//! * [`complaints`], [`connectors`]: for staff. [`announcements`]: promotions told to those who agreed. [`cards`]: scratch cards.
//! * [`reconciliations`]: settlement files, and the exceptions that they leave. [`staff`]: who works here.
//! * [`auto`]: standing orders to recharge. [`subscribers`], [`import`], [`bundles`], [`statement`]: accounts.

pub mod announcements;
pub mod auth;
pub mod auto;
pub mod bundles;
pub mod callbacks;
pub mod cards;
pub mod commission;
pub mod complaints;
pub mod connectors;
pub mod import;
pub mod json;
pub mod lookup;
pub mod once;
pub mod outlets;
pub mod partner_files;
pub mod partners;
pub mod quotes;
pub mod reconciliations;
pub mod reports;
pub mod reversals;
pub mod sellers;
pub mod staff;
pub mod statement;
pub mod subscribers;
pub mod topups;

pub use once::InFlight;

use crate::problem::ProblemDocument;
use crate::state::Web;
use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Ref, RefOr};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The one route that may take long.
pub const IMPORT_ROUTE: &str = "/v1/subscribers/import";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Raseed",
        description = "Prepaid recharge and charging. Amounts are decimal strings with up to six decimals, volumes are \
            integers, times are RFC 3339 in UTC. Errors are problem documents (RFC 9457) with a stable numeric code, in \
            the language of Accept-Language (en, ur, zh).",
        version = "1",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    modifiers(&Key),
    security(("key" = [])),
    components(schemas(ProblemDocument))
)]
struct Document;

struct Key;

impl utoipa::Modify for Key {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An API key: rsd_<partner>_<key id>_<secret>; rst_... for the sandbox",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// The routes of the API and their document.
pub fn router() -> (Router<Web>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(lookup::lookup))
        .routes(routes!(lookup::operators))
        .routes(routes!(quotes::create))
        .routes(routes!(topups::create, topups::find_by_external_id))
        .routes(routes!(topups::get))
        .routes(routes!(reversals::reverse))
        .routes(routes!(subscribers::create))
        .routes(routes!(subscribers::change))
        .routes(routes!(subscribers::balance))
        .routes(routes!(subscribers::set_operator))
        .routes(routes!(auto::see))
        .routes(routes!(auto::stop))
        .routes(routes!(import::import))
        .routes(routes!(statement::statement))
        .routes(routes!(statement::explain))
        .routes(routes!(crate::receipt::api::receipt))
        .routes(routes!(statement::usage))
        .routes(routes!(statement::ledger_days))
        .routes(routes!(bundles::for_sale))
        .routes(routes!(bundles::owned, bundles::buy))
        .routes(routes!(bundles::set_renewal))
        .routes(routes!(partners::create, partners::list))
        .routes(routes!(partners::see))
        .routes(routes!(partners::add_key))
        .routes(routes!(partners::revoke_key))
        .routes(routes!(partners::fund))
        .routes(routes!(commission::see, commission::set, commission::end))
        .routes(routes!(reports::settlement))
        .routes(routes!(reports::summary))
        .routes(routes!(partner_files::compare))
        .routes(routes!(sellers::create, sellers::list))
        .routes(routes!(sellers::see, sellers::change))
        .routes(routes!(sellers::stock::create, sellers::stock::list))
        .routes(routes!(sellers::sales::create, sellers::sales::list))
        .routes(routes!(sellers::sales::day))
        .routes(routes!(sellers::people::put_staff, sellers::people::remove_staff))
        .routes(routes!(sellers::people::set_pin))
        .routes(routes!(sellers::kiosks::put))
        .routes(routes!(sellers::kiosks::list))
        .routes(routes!(
            sellers::people::put_device,
            sellers::people::remove_device
        ))
        .routes(routes!(callbacks::settings, callbacks::set_url))
        .routes(routes!(callbacks::add_secret))
        .routes(routes!(callbacks::retire_secret))
        .routes(routes!(callbacks::list))
        .routes(routes!(callbacks::replay))
        .routes(routes!(callbacks::replay_parked))
        .routes(routes!(connectors::list))
        .routes(routes!(complaints::list))
        .routes(routes!(complaints::see, complaints::work))
        .routes(routes!(cards::redeem))
        .routes(routes!(cards::create, cards::list))
        .routes(routes!(cards::see))
        .routes(routes!(cards::export))
        .routes(routes!(cards::change))
        .routes(routes!(cards::expire))
        .routes(routes!(cards::card))
        .routes(routes!(cards::attempts))
        .routes(routes!(reconciliations::reconcile, reconciliations::runs))
        .routes(routes!(reconciliations::list))
        .routes(routes!(reconciliations::remedy))
        .routes(routes!(outlets::list))
        .routes(routes!(outlets::put, outlets::remove))
        .routes(routes!(outlets::import))
        .routes(routes!(staff::add, staff::list))
        .routes(routes!(staff::change))
        .routes(routes!(announcements::announce))
        .routes(routes!(announcements::see))
        .split_for_parts()
}

/// The OpenAPI document as it is checked in under `docs/openapi.json`.
pub fn openapi_json() -> String {
    let mut document = router().1;
    let problem = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("ProblemDocument")))
        .build();
    let response = ResponseBuilder::new()
        .description("What is wrong and what to do about it; decide on `code`")
        .content("application/problem+json", problem)
        .build();
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.patch,
            &mut item.put,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            responses.insert("default".to_owned(), RefOr::T(response.clone()));
        }
    }
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
