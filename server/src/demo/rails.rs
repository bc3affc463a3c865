//! Sandboxes of payment rails for the demonstration: loopback servers that speak the wire formats of the real ones. No money
//! moves; every account, secret and rate in them is synthetic.

use crate::config::ConnectorConfig;
use anyhow::Context as _;
use rails::Rail;
use rails::fx::Rates;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sim::rails::{Desk, Served, serve};
use sim::rails::{bank, card, easypaisa, jazzcash, paypal, pretups};
use std::sync::Arc;

/// The sandboxes at work, and the rails that lead to them.
pub struct Sandboxes {
    /// For the payment desk.
    pub rails: Vec<Arc<dyn Rail>>,
    /// Rates of exchange.
    pub rates: Rates,
    /// The way to the operator whose core is elsewhere.
    pub connectors: Vec<ConnectorConfig>,
    desks: Vec<(&'static str, Arc<Desk>)>,
    served: Vec<Served>,
}

impl Sandboxes {
    /// Starts them on free ports.
    pub async fn start() -> anyhow::Result<Sandboxes> {
        let mut all = Sandboxes {
            rails: Vec::new(),
            rates: config(json!({
                "local": "PKR", "set_at": "2026-11-21T00:00:00Z", "valid_s": 315_360_000, "spread_bp": 150,
                "quote_s": 900, "rates": { "USD": "281.50" },
            }))?,
            connectors: Vec::new(),
            desks: Vec::new(),
            served: Vec::new(),
        };
        all.jazzcash().await.context("start the JazzCash sandbox")?;
        all.easypaisa().await.context("start the Easypaisa sandbox")?;
        all.card().await.context("start the card sandbox")?;
        all.bank().await.context("start the bank sandbox")?;
        all.paypal().await.context("start the PayPal sandbox")?;
        all.ufone().await.context("start the PreTUPS sandbox")?;
        Ok(all)
    }

    /// Tells them where their messages go.
    pub fn send_to(&self, url: &str) {
        for (rail, desk) in &self.desks {
            desk.send_to(&format!("{url}/rails/{rail}"));
        }
    }

    async fn jazzcash(&mut self) -> anyhow::Result<()> {
        let account = jazzcash::Account::default();
        let sandbox = jazzcash::JazzCash::new(account.clone());
        let served = sandbox.serve(0).await?;
        for (code, flow) in [("jazzcash", "hosted-page"), ("jazzcash-wallet", "wallet")] {
            let rail = rails::jazzcash::JazzCash::new(config(json!({
                "code": code, "flow": flow, "host": served.url, "merchant_id": account.merchant_id,
                "password": account.password, "salt": account.salt, "mpin": account.mpin,
            }))?)?;
            self.rails.push(Arc::new(rail));
        }
        self.keep("jazzcash", &sandbox.desk, served);
        Ok(())
    }

    async fn easypaisa(&mut self) -> anyhow::Result<()> {
        let account = easypaisa::Account::default();
        let sandbox = easypaisa::Easypaisa::new(account.clone(), None);
        let served = sandbox.serve(0).await?;
        let rail = rails::easypaisa::Easypaisa::new(config(json!({
            "host": served.url, "flow": "mobile-account", "store_id": account.store_id, "account": account.account,
            "username": account.username, "password": account.password,
        }))?)?;
        self.rails.push(Arc::new(rail));
        self.keep("easypaisa", &sandbox.desk, served);
        Ok(())
    }

    async fn card(&mut self) -> anyhow::Result<()> {
        let account = card::Account::default();
        let sandbox = card::Card::new(account.clone());
        let served = sandbox.serve(0).await?;
        let rail = rails::card::Card::new(config(json!({
            "host": served.url, "api_key": account.api_key, "request_key": account.request_key,
            "webhook_secrets": account.webhook_secrets,
        }))?)?;
        self.rails.push(Arc::new(rail));
        self.keep("card", &sandbox.desk, served);
        Ok(())
    }

    async fn bank(&mut self) -> anyhow::Result<()> {
        let account = bank::Account::default();
        let sandbox = bank::Bank::new(account.clone());
        let served = sandbox.serve(0).await?;
        let bank = Arc::new(rails::bank::Bank::new(config(json!({
            "title": "Raseed Demo (synthetic)", "iban": account.iban, "bank": "Sandbox Bank", "host": served.url,
            "username": account.username, "password": account.password, "request_key": account.request_key,
            "notify_secrets": [account.notify_secret],
        }))?)?);
        let profile = config(json!({
            "account": [[0, "pk.raast"], [1, account.iban]], "category": "4814", "name": "Raseed", "city": "Lahore",
        }))?;
        let raast = rails::bank::Raast::new("raast", profile, Arc::clone(&bank))?;
        self.rails.push(Arc::new(raast));
        self.rails.push(bank);
        self.keep("bank", &sandbox.desk, served);
        Ok(())
    }

    async fn paypal(&mut self) -> anyhow::Result<()> {
        let sandbox = paypal::PayPal::new(Desk::new())?;
        let served = serve(sandbox.router(), 0).await?;
        let rail = rails::paypal::PayPal::new(config(json!({
            "host": served.url, "client_id": paypal::CLIENT.0, "client_secret": paypal::CLIENT.1,
            "webhook_id": paypal::WEBHOOK_ID, "brand_name": "Raseed", "currency": "USD",
            "roots_pem": sandbox.root_pem(), "sandbox_certificates": format!("{}/v1/notifications/certs/", served.url),
        }))?)?;
        self.rails.push(Arc::new(rail));
        self.keep("paypal", &sandbox.desk, served);
        Ok(())
    }

    /// Numbers of Ufone have no account in the demonstration: they are recharged at this core.
    async fn ufone(&mut self) -> anyhow::Result<()> {
        let account = pretups::Account::default();
        let served = pretups::Pretups::new(account.clone()).serve(0).await?;
        self.connectors.push(config(json!({
            "operator": "ufone", "low_balance": "50000", "pretups": {
                "code": "ufone-pretups", "url": format!("{}/pretups/C2SReceiver", served.url), "login": account.login,
                "password": account.password, "gateway_code": account.gateway, "network_code": account.network,
                "retailer": account.retailer, "pin": account.pin, "strip_prefix": "92", "codes": { "1006": "unheard" },
            },
        }))?);
        self.served.push(served);
        Ok(())
    }

    fn keep(&mut self, rail: &'static str, desk: &Arc<Desk>, served: Served) {
        self.desks.push((rail, Arc::clone(desk)));
        self.served.push(served);
    }
}

fn config<T: DeserializeOwned>(value: Value) -> anyhow::Result<T> {
    Ok(serde_json::from_value(value)?)
}
