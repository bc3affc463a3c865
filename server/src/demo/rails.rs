//! Sandboxes of payment rails for the demonstration: loopback servers that speak the wire formats of the real ones. No money
//! moves; every account in them is synthetic.

use anyhow::Context as _;
use rails::Rail;
use serde_json::json;
use sim::rails::Served;
use sim::rails::jazzcash::{Account, JazzCash};
use std::sync::Arc;

/// The sandboxes at work, and the rails that lead to them.
pub struct Sandboxes {
    /// For the payment desk.
    pub rails: Vec<Arc<dyn Rail>>,
    jazzcash: Arc<JazzCash>,
    _served: Vec<Served>,
}

impl Sandboxes {
    /// Starts them on free ports.
    pub async fn start() -> anyhow::Result<Sandboxes> {
        let account = Account::default();
        let jazzcash = JazzCash::new(account.clone());
        let served = jazzcash.serve(0).await.context("start the JazzCash sandbox")?;
        let host = served.url.clone();
        let rail = |code: &str, flow: &str| -> anyhow::Result<Arc<dyn Rail>> {
            let config = serde_json::from_value(json!({
                "code": code, "flow": flow, "host": host, "merchant-id": account.merchant_id,
                "password": account.password, "salt": account.salt, "mpin": account.mpin,
            }))?;
            Ok(Arc::new(rails::jazzcash::JazzCash::new(config)?))
        };
        Ok(Sandboxes {
            rails: vec![
                rail("jazzcash", "hosted-page")?,
                rail("jazzcash-wallet", "wallet")?,
            ],
            jazzcash,
            _served: vec![served],
        })
    }

    /// Tells them where their messages go.
    pub fn send_to(&self, url: &str) {
        self.jazzcash.desk.send_to(&format!("{url}/rails/jazzcash"));
    }
}
