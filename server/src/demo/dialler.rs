//! The dialler of the demo's handset: a client of the real USSD gateway, as an aggregator's would be.

use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use web::core::{CoreError, Pending};
use web::page::demo::{DialPage, Dialled, Dialler};

/// The name of the gateway in the demo's configuration.
pub const GATEWAY: &str = "demo";
/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Knows where the gateway listens once it does.
#[derive(Default)]
pub struct Handset {
    address: OnceLock<SocketAddr>,
    client: reqwest::Client,
}

impl Handset {
    /// The gateway listens here.
    pub fn connect(&self, gateways: &[(String, SocketAddr)]) {
        if let Some((_, address)) = gateways.iter().find(|(name, _)| name == GATEWAY) {
            // Told once; a second time changes nothing.
            let _ = self.address.set(*address);
        }
    }
}

/// For the page.
pub struct Line(pub Arc<Handset>);

impl Dialler for Line {
    fn dial(&self, dialled: Dialled) -> Pending<Result<DialPage, CoreError>> {
        let handset = Arc::clone(&self.0);
        Box::pin(async move {
            let address = handset.address.get().ok_or(CoreError::Unavailable)?;
            let body = json!({
                "sessionId": dialled.session, "phoneNumber": dialled.number.to_string(),
                "serviceCode": dialled.code, "text": dialled.text,
            });
            let answer = handset
                .client
                .post(format!("http://{address}/"))
                .header("content-type", "application/json")
                .timeout(PATIENCE)
                .body(body.to_string())
                .send()
                .await
                .map_err(|_| CoreError::Unavailable)?;
            let text = answer.text().await.map_err(|_| CoreError::Unavailable)?;
            let (kind, page) = text.split_once(' ').ok_or(CoreError::Unavailable)?;
            Ok(DialPage {
                text: page.to_owned(),
                last: kind == "END",
            })
        })
    }
}
