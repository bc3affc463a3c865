//! Bank transfers, and the Raast QR over the same account. Nobody says no: money comes, or it does not.

use crate::stage::{Later, Stage};
use rails::bank::{Bank, Config, Raast};
use rails::{Begun, HttpRequest, Order, Rail, raast_qr, reference};
use sim::rails::bank::{Account, Bank as Sandbox};
use sim::rails::{Desk, Outcome, Served};
use std::sync::Arc;

pub struct Transfers {
    rail: Box<dyn Rail>,
    sandbox: Arc<Sandbox>,
    _served: Served,
}

pub async fn transfer() -> Transfers {
    stage(|bank| Box::new(bank)).await
}

pub async fn raast() -> Transfers {
    let profile: raast_qr::Profile = serde_json::from_value(serde_json::json!({
        "account": [[0, "pk.raast"], [1, "PK36SCBL0000001123456702"]], "category": "4814", "name": "Raseed", "city": "Lahore",
    }))
    .unwrap();
    stage(|bank| Box::new(Raast::new("raast", profile, Arc::new(bank)).unwrap())).await
}

async fn stage(rail: impl FnOnce(Bank) -> Box<dyn Rail>) -> Transfers {
    let account = Account::default();
    let sandbox = Sandbox::new(account.clone());
    let served = sandbox.serve(0).await.unwrap();
    let config: Config = serde_json::from_value(serde_json::json!({
        "title": "Raseed Demo", "iban": account.iban, "bank": "Sandbox Bank", "host": served.url,
        "username": account.username, "password": account.password, "request_key": account.request_key,
        "notify_secrets": [account.notify_secret],
    }))
    .unwrap();
    Transfers {
        rail: rail(Bank::new(config).unwrap()),
        sandbox,
        _served: served,
    }
}

impl Stage for Transfers {
    fn rail(&self) -> &dyn Rail {
        self.rail.as_ref()
    }
    fn desk(&self) -> &Arc<Desk> {
        &self.sandbox.desk
    }
    fn settle(&self, order: &Order, outcome: Outcome) {
        self.sandbox.settle(&order.id.to_string(), outcome);
    }
    fn settlement_file(&self) -> Vec<u8> {
        self.sandbox.statement().into_bytes()
    }
    fn says_no(&self) -> bool {
        false
    }
    fn lacks(&self) -> &'static [Outcome] {
        &[
            Outcome::Funds,
            Outcome::Payer,
            Outcome::Limit,
            Outcome::Cancel,
            Outcome::Decline,
            Outcome::Cooling,
            Outcome::Down,
            Outcome::Setup,
            Outcome::Expire,
        ]
    }
    /// The payer types what is shown, or scans the QR; who sees that it was sent already does not send it again.
    fn act<'a>(
        &'a self,
        order: &'a Order,
        begun: &'a Begun,
        click: &'a str,
    ) -> Later<'a, Option<HttpRequest>> {
        Box::pin(async move {
            let Begun::Show { lines, qr, .. } = begun else {
                panic!("{begun:?}")
            };
            let note = match qr {
                Some(text) => raast_qr::decode(text).unwrap().additional[0].1.clone(),
                None => lines
                    .iter()
                    .find(|(key, _)| *key == "transfer-reference")
                    .unwrap()
                    .1
                    .clone(),
            };
            assert_eq!(reference::find(&note), Some(order.id));
            let note = note.replace('-', "");
            let outcome = self.desk().wrong().outcome.unwrap_or(Outcome::Approve);
            if click == "approve" && !self.sandbox.has(&note) {
                self.sandbox.pay(&note, crate::stage::minor(order.price), outcome);
            }
            None
        })
    }
}
