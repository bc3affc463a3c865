//! Cards on a PSP's hosted page.

use crate::stage::Stage;
use rails::card::{Card, Config};
use rails::{Order, Rail};
use sim::rails::card::{Account, Card as Sandbox};
use sim::rails::{Desk, Outcome, Served};
use std::sync::Arc;

pub struct Psp {
    rail: Card,
    sandbox: Arc<Sandbox>,
    _served: Served,
}

pub async fn page() -> Psp {
    let account = Account::default();
    let sandbox = Sandbox::new(account.clone());
    let served = sandbox.serve(0).await.unwrap();
    let config: Config = serde_json::from_value(serde_json::json!({
        "host": served.url, "api_key": account.api_key, "request_key": account.request_key,
        "webhook_secrets": account.webhook_secrets,
    }))
    .unwrap();
    Psp {
        rail: Card::new(config).unwrap(),
        sandbox,
        _served: served,
    }
}

impl Stage for Psp {
    fn rail(&self) -> &dyn Rail {
        &self.rail
    }
    fn desk(&self) -> &Arc<Desk> {
        &self.sandbox.desk
    }
    fn settle(&self, order: &Order, outcome: Outcome) {
        self.sandbox.settle(&order.id.to_string(), outcome);
    }
    fn settlement_file(&self) -> Vec<u8> {
        self.sandbox.settlement_file().into_bytes()
    }
}
