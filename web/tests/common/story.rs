//! A subscriber with a story: two recharges, bundles, data, calls and messages.

use super::{NUMBER, SECOND_NUMBER, Service};
use charge::auto::{AutoAction, AutoCaps, AutoDate, AutoRule};
use charge::catalog::Called;
use charge::command::Buy;
use charge::payment::{CreatePayment, Destination, PaymentId, Price};
use charge::time::HOUR;
use charge::unit::Service as Kind;
use charge::{Code, Command, Entity, EntityKey, Money, Msisdn, OperatorId, SourceId};
use std::time::Duration;

impl Service {
    /// The service with its story told, pages of the demonstration included.
    pub fn with_story() -> Service {
        Service::story_of(Service::start_demo())
    }

    /// The same, with a wallet that can be asked by itself.
    pub fn with_story_and_wallet() -> Service {
        let desk = |_: &_| Some(super::wallet::Wallet::desk());
        Service::story_of(Service::start_with(true, false, desk))
    }

    fn story_of(service: Service) -> Service {
        service.subscriber(SECOND_NUMBER);
        let sell = |reference: &str, amount: &str| {
            let body = serde_json::json!({"msisdn": NUMBER, "amount": amount, "external_id": reference});
            let answer = service.once(&service.shop, "/v1/topups?wait=10", reference, &body.to_string());
            assert_eq!(answer.status, 201, "{}", answer.body);
        };
        sell("story-1", "100");
        service.pass(Duration::from_secs(3 * 3600));
        service.use_service(Kind::Data, Called::Nobody, 300 << 20);
        let other = |number: &str| Called::Number(Msisdn::parse(number).unwrap());
        service.use_service(Kind::Voice, other("923451112223"), 130);
        service.pass(Duration::from_secs(20 * 3600));
        sell("story-2", "300");
        service.use_service(Kind::Voice, other("923007654321"), 61);
        service.use_service(Kind::Sms, other("923101112223"), 2);
        let path = format!("/v1/subscribers/{NUMBER}/statement");
        service.eventually(|| {
            let page = service.api(&service.admin, "GET", &path, "").json();
            (page["lines"].as_array().unwrap().len() >= 6).then_some(())
        });
        service
    }

    /// Buys an offer for the subscriber of the tests.
    pub fn buys(&self, offer: &str, source: u128) {
        let key = EntityKey::Number(Msisdn::parse(NUMBER).unwrap());
        let entity = self.read(key).unwrap();
        let account = Entity::number(&entity).unwrap().account.unwrap();
        self.call_core(Command::Buy(Buy {
            account,
            offer: Code::new(offer).unwrap(),
            source: SourceId(source),
            renew: false,
            at_most: None,
        }));
    }

    /// A payment of Rs 500 that the browser with this token in its forms began, and which nobody paid yet.
    pub fn begins_payment(&self, form_token: &str) -> PaymentId {
        let number = Msisdn::parse(NUMBER).unwrap();
        let entity = self.read(EntityKey::Number(number)).unwrap();
        let account = entity.number().unwrap().account.unwrap();
        let id = PaymentId::new(account.0, 77).unwrap();
        let gross = Money::from_units(500);
        self.call_core(Command::CreatePayment(Box::new(CreatePayment {
            id,
            to: Destination::Account(account),
            msisdn: number,
            operator: OperatorId(1),
            rail: Code::new("jazzcash").unwrap(),
            gross,
            price: Price::pkr(gross),
            offer: Code::EMPTY,
            campaign: Code::EMPTY,
            class: charge::promotion::ChannelClass::Web,
            region: Code::EMPTY,
            expires_at: self.now().plus(HOUR),
            wanted_until: self.now().plus(24 * HOUR),
            payer: web::page::ticket::payer_of(form_token),
        })));
        id
    }

    /// A standing order that recharges at once: the balance is below its mark.
    pub fn orders_auto(&self) {
        let msisdn = Msisdn::parse(NUMBER).unwrap();
        let entity = self.read(EntityKey::Number(msisdn)).unwrap();
        let record = *Entity::number(&entity).unwrap();
        let rule = AutoRule {
            seed: 7,
            msisdn,
            operator: record.operator,
            below: Money::from_units(2_000),
            date: AutoDate::Monthly(1),
            minute: 600,
            amount: Money::from_units(100),
            offer: Code::EMPTY,
            rail: Code::new("jazzcash-wallet").unwrap(),
            caps: AutoCaps {
                per_day: Money::ZERO,
                per_month: Money::from_units(500),
                count_per_month: 4,
            },
            lead_s: 86_400,
            payable_s: 1_800,
            wanted_s: 86_400,
        };
        self.call_core(Command::Auto {
            account: record.account.unwrap(),
            action: AutoAction::Set(Box::new(rule)),
        });
    }
}
