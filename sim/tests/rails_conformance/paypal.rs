//! PayPal. It takes money only when we capture, and says nothing of payers who cancel.

use crate::stage::Stage;
use charge::Money;
use charge::payment::{Currency, Price};
use rails::paypal::{Config, PayPal};
use rails::{Order, Rail};
use sim::rails::paypal::{CLIENT, PayPal as Sandbox, WEBHOOK_ID};
use sim::rails::{Desk, Outcome, Served, serve};
use std::sync::Arc;

pub struct Pal {
    rail: PayPal,
    sandbox: Arc<Sandbox>,
    served: Served,
}

pub async fn orders() -> Pal {
    let sandbox = Sandbox::new(Desk::new()).unwrap();
    let served = serve(sandbox.router(), 0).await.unwrap();
    let config: Config = serde_json::from_value(serde_json::json!({
        "host": served.url, "client_id": CLIENT.0, "client_secret": CLIENT.1, "webhook_id": WEBHOOK_ID,
        "brand_name": "Raseed", "currency": "USD", "roots_pem": sandbox.root_pem(),
        "sandbox_certificates": format!("{}/v1/notifications/certs/", served.url),
    }))
    .unwrap();
    Pal {
        rail: PayPal::new(config).unwrap(),
        sandbox,
        served,
    }
}

impl Stage for Pal {
    fn rail(&self) -> &dyn Rail {
        &self.rail
    }
    fn desk(&self) -> &Arc<Desk> {
        &self.sandbox.desk
    }
    fn settle(&self, order: &Order, outcome: Outcome) {
        self.sandbox
            .settle(&order.id.to_string(), outcome, &self.served.url);
    }
    fn settlement_file(&self) -> Vec<u8> {
        self.sandbox.settlement_report().into_bytes()
    }
    fn price(&self, number: u64) -> Price {
        Price {
            amount: Money::from_units(100 + i64::try_from(number).unwrap()),
            currency: Currency::USD,
        }
    }
    fn lacks(&self) -> &'static [Outcome] {
        &[Outcome::Cancel, Outcome::Expire, Outcome::Down]
    }
}
