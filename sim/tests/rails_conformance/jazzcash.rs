//! JazzCash, both flows.

use crate::stage::Stage;
use rails::jazzcash::{Config, JazzCash};
use rails::{Order, Rail};
use sim::rails::jazzcash::{Account, JazzCash as Sandbox};
use sim::rails::{Desk, Outcome, Served};
use std::sync::Arc;

pub struct Jazz {
    rail: JazzCash,
    sandbox: Arc<Sandbox>,
    _served: Served,
}

pub async fn page() -> Jazz {
    stage("hosted-page").await
}

pub async fn wallet() -> Jazz {
    stage("wallet").await
}

async fn stage(flow: &str) -> Jazz {
    let account = Account::default();
    let sandbox = Sandbox::new(account.clone());
    let served = sandbox.serve(0).await.unwrap();
    let config: Config = serde_json::from_value(serde_json::json!({
        "host": served.url, "flow": flow, "merchant_id": account.merchant_id, "password": account.password,
        "salt": account.salt, "mpin": account.mpin,
    }))
    .unwrap();
    Jazz {
        rail: JazzCash::new(config).unwrap(),
        sandbox,
        _served: served,
    }
}

impl Stage for Jazz {
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
    fn inquiry_names_price(&self) -> bool {
        false
    }
}
