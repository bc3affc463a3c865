//! Easypaisa: wallet by REST v4 and v5, cash at a shop, hosted checkout.

use crate::stage::{Later, SHOP, Stage, io, now};
use rails::easypaisa::{Config, Easypaisa};
use rails::{Begun, HttpRequest, Order, Rail};
use sim::rails::browser::{Browser, form_of};
use sim::rails::easypaisa::{Account, Easypaisa as Sandbox, Keys};
use sim::rails::{Desk, Outcome, Served};
use std::sync::Arc;

pub struct Paisa {
    rail: Easypaisa,
    sandbox: Arc<Sandbox>,
    flow: &'static str,
    v5: bool,
    _served: Served,
}

pub async fn stage(flow: &'static str, v5: bool) -> Paisa {
    let account = Account::default();
    let keys = v5.then(|| Keys::generate().unwrap());
    let rsa = keys.as_ref().map(|keys| {
        serde_json::json!({
            "private_key": keys.merchant.private_pem, "public_key": keys.easypaisa.public_pem,
        })
    });
    let sandbox = Sandbox::new(account.clone(), keys);
    let served = sandbox.serve(0).await.unwrap();
    let config: Config = serde_json::from_value(serde_json::json!({
        "host": served.url, "flow": flow, "store_id": account.store_id, "account": account.account,
        "username": account.username, "password": account.password, "hash_key": account.hash_key, "rsa": rsa,
    }))
    .unwrap();
    Paisa {
        rail: Easypaisa::new(config).unwrap(),
        sandbox,
        flow,
        v5,
        _served: served,
    }
}

impl Paisa {
    /// The two legs of the checkout.
    async fn legs(&self, begun: &Begun, click: &str) -> Option<HttpRequest> {
        let browser = Browser::new(SHOP).unwrap();
        let mut request = browser.visit(begun, "approve").await?;
        let path = request.url.split('?').next().unwrap().to_owned();
        if path.ends_with("/return") {
            return Some(request);
        }
        assert_eq!(path, "/rails/easypaisa/confirm");
        request.headers.push(("host".to_owned(), "shop.test".to_owned()));
        let heard = self
            .rail
            .callback(&io(), "confirm", &request, now())
            .await
            .unwrap();
        let page = String::from_utf8(heard.answer.body).unwrap();
        let (url, fields) = form_of(SHOP, &page, click)?;
        let begun = Begun::Form {
            url,
            fields,
            said: charge::payment::Statement::AwaitingCustomer,
        };
        browser.visit(&begun, click).await
    }
}

impl Stage for Paisa {
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
    fn refunds(&self) -> bool {
        false
    }
    fn names_currency(&self) -> bool {
        false
    }
    fn signs(&self) -> bool {
        self.v5
    }
    fn act<'a>(
        &'a self,
        order: &'a Order,
        begun: &'a Begun,
        click: &'a str,
    ) -> Later<'a, Option<HttpRequest>> {
        Box::pin(async move {
            match self.flow {
                "hosted-checkout" => self.legs(begun, click).await,
                "over-the-counter" if !click.is_empty() => {
                    let outcome = self.sandbox.desk.wrong().outcome.or(Outcome::parse(click));
                    self.settle(order, outcome.unwrap());
                    None
                }
                _ => None,
            }
        })
    }
}
