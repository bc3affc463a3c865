//! What short messages say, in the subscriber's language; as short as it goes, because every part costs.

use charge::catalog::{Catalog, Language};
use charge::event::{Bought, Charged, Recharged};
use charge::{EventBody, Money, Timestamp};
use std::sync::Arc;

/// The text of a notification; empty for events that have nothing to tell.
pub fn text(body: &EventBody, catalog: &Catalog, language: Language, check: &Check) -> String {
    let words = Words {
        catalog,
        language,
        check,
    };
    match body {
        EventBody::Recharged(recharged) => words.recharged(recharged),
        EventBody::Charged(charged) => words.low_balance(charged),
        EventBody::Bought(bought) => words.bought(bought),
        EventBody::RenewalFailed { offer, .. } => words.renewal_failed(offer.as_str()),
        _ => String::new(),
    }
}

/// What makes a receipt in a message one that anybody can check.
#[derive(Clone)]
pub struct Check {
    /// Key of the codes.
    pub secret: [u8; 32],
    /// Where people reach us; empty: not known, and messages carry the code alone.
    pub public_url: Arc<str>,
}

struct Words<'a> {
    catalog: &'a Catalog,
    language: Language,
    check: &'a Check,
}

impl Words<'_> {
    fn recharged(&self, recharged: &Recharged) -> String {
        let outcome = &recharged.outcome;
        let (gross, tax) = (self.money(outcome.gross), self.money(outcome.tax));
        let (credited, balance) = (self.money(outcome.credited), self.money(outcome.balance));
        let until = self.day(outcome.valid_until);
        let gift = self.promotion(outcome.promotion.as_str());
        let name = self.catalog.name.get(self.language);
        let receipt = web::receipt::sms::check(&self.check.secret, &self.check.public_url, outcome.receipt);
        match self.language {
            Language::En => {
                let gift = gift.map_or_else(String::new, |gift| format!(" Gift: {gift}."));
                format!(
                    "{name}: {gross} recharged, tax {tax}, {credited} added. Balance {balance} until {until}.{gift} Receipt {receipt}"
                )
            }
            Language::Ur => {
                let gift = gift.map_or_else(String::new, |gift| format!(" تحفہ: {gift}۔"));
                format!(
                    "{gross} ریچارج، ٹیکس {tax}، جمع {credited}۔ بیلنس {balance}، {until} تک۔{gift} رسید {receipt}"
                )
            }
            Language::Zh => {
                let gift = gift.map_or_else(String::new, |gift| format!("赠送：{gift}。"));
                format!(
                    "充值{gross}，税{tax}，到账{credited}。余额{balance}，有效期至{until}。{gift}收据{receipt}"
                )
            }
        }
    }

    fn low_balance(&self, charged: &Charged) -> String {
        let balance = self.money(charged.balance);
        let name = self.catalog.name.get(self.language);
        match self.language {
            Language::En => format!("{name}: your balance is low, {balance} left. Please recharge soon."),
            Language::Ur => format!("{name}: آپ کا بیلنس کم ہے، {balance} باقی ہیں۔ جلد ریچارج کریں۔"),
            Language::Zh => format!("{name}：您的余额不足，仅剩{balance}，请及时充值。"),
        }
    }

    fn bought(&self, bought: &Bought) -> String {
        let offer = self.offer(bought.offer.as_str());
        let (price, balance) = (self.money(bought.gross), self.money(bought.balance));
        let until = self.minute(bought.expires_at);
        match (self.language, bought.renewal) {
            (Language::En, false) => {
                format!("{offer} is active until {until}. Price {price}, balance {balance}.")
            }
            (Language::En, true) => {
                format!("{offer} was renewed until {until}. Price {price}, balance {balance}.")
            }
            (Language::Ur, false) => format!("{offer} فعال ہے، {until} تک۔ قیمت {price}، بیلنس {balance}۔"),
            (Language::Ur, true) => {
                format!("{offer} کی تجدید ہو گئی، {until} تک۔ قیمت {price}، بیلنس {balance}۔")
            }
            (Language::Zh, false) => format!("{offer}已生效，至{until}。价格{price}，余额{balance}。"),
            (Language::Zh, true) => format!("{offer}已续订，至{until}。价格{price}，余额{balance}。"),
        }
    }

    fn renewal_failed(&self, code: &str) -> String {
        let offer = self.offer(code);
        match self.language {
            Language::En => {
                format!("{offer} could not be renewed: the balance is too low. Recharge and buy it again.")
            }
            Language::Ur => format!("{offer} کی تجدید نہ ہو سکی، بیلنس کم ہے۔ ریچارج کر کے دوبارہ خریدیں۔"),
            Language::Zh => format!("{offer}未能续订：余额不足。请充值后重新购买。"),
        }
    }

    fn money(&self, amount: Money) -> String {
        match self.catalog.currency.as_str() {
            "PKR" => format!("Rs {}", amount.shown()),
            currency => format!("{currency} {}", amount.shown()),
        }
    }

    fn day(&self, at: Timestamp) -> String {
        if at == Timestamp::NEVER {
            return "-".to_owned();
        }
        let civil = self.catalog.zone.civil(at);
        format!("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day)
    }

    fn minute(&self, at: Timestamp) -> String {
        let second = self.catalog.zone.second_of_day(at);
        format!("{} {:02}:{:02}", self.day(at), second / 3_600, second / 60 % 60)
    }

    fn offer<'a>(&'a self, code: &'a str) -> &'a str {
        self.catalog
            .offer(code)
            .map_or(code, |offer| offer.name.get(self.language))
    }

    fn promotion(&self, code: &str) -> Option<&str> {
        let found = self
            .catalog
            .promotions
            .iter()
            .find(|promotion| promotion.code.as_str() == code)?;
        Some(found.name.get(self.language))
    }
}
