//! A desk with one wallet that can be asked by itself, and nobody behind it.

use std::sync::Arc;
use web::core::{CoreError, Pending};
use web::payments::{PaymentDesk, Priced, RailInfo, Start, StartError};

use charge::payment::{Currency, PaymentAction, PaymentId, PaymentReply, Price};
use charge::{Code, Money, Timestamp};
use rails::rail::{Mandate, Need};
use rails::{Begun, HttpAnswer, HttpRequest};

/// The desk.
pub struct Wallet;

impl Wallet {
    pub fn desk() -> Arc<dyn PaymentDesk> {
        Arc::new(Wallet)
    }
}

impl PaymentDesk for Wallet {
    fn rails(&self) -> Vec<RailInfo> {
        vec![RailInfo {
            code: Code::new("jazzcash-wallet").unwrap(),
            needs: &[Need::WalletNumber, Need::CnicLast6],
            currency: Currency::PKR,
            mandate: Some(Mandate::WalletPrompt),
        }]
    }
    fn price(&self, _: Code, gross: Money) -> Result<Priced, StartError> {
        Ok(Priced {
            price: Price::pkr(gross),
            rate: String::new(),
            until: Timestamp::NEVER,
        })
    }
    fn start(&self, _: Start) -> Pending<Result<Begun, StartError>> {
        Box::pin(async { Err(StartError::Unreachable) })
    }
    fn hear(&self, _: Code, _: String, _: HttpRequest) -> Pending<HttpAnswer> {
        Box::pin(async {
            HttpAnswer {
                status: 404,
                headers: Vec::new(),
                body: Vec::new(),
            }
        })
    }
    fn returned(&self, _: Code, _: HttpRequest) -> Pending<Option<PaymentId>> {
        Box::pin(async { None })
    }
    fn act(&self, _: PaymentId, _: PaymentAction) -> Pending<Result<PaymentReply, CoreError>> {
        Box::pin(async { Err(CoreError::Unavailable) })
    }
    fn look(&self, _: PaymentId) {}
}
