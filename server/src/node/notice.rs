//! What short messages say, in the subscriber's language; as short as it goes, because every part costs.

use charge::auto::{AutoEvent, AutoRecharge, BudgetMark};
use charge::catalog::{Catalog, Language};
use charge::event::{Bought, Charged, Recharged, TakenBack};
use charge::left::SessionEnded;
use charge::payment::RefundReason;
use charge::reversal::CreditOf;
use charge::seller::ChainEvent;
use charge::unit::Service;
use charge::{EventBody, Money, Timestamp, Unit};
use std::sync::Arc;
use web::page::format::{NBSP, Speech};
use web::text;

/// What a message says beside its event.
#[derive(Default)]
pub struct About {
    /// Why money goes back to a payer.
    pub reason: Option<RefundReason>,
    /// The auto-recharge that it is about.
    pub auto: Option<AutoRecharge>,
    /// Until when the main balance can be used.
    pub valid_until: Option<Timestamp>,
}

/// The text of a notification; empty for events that have nothing to tell.
pub fn text(body: &EventBody, catalog: &Catalog, language: Language, check: &Check, about: &About) -> String {
    let words = Words {
        catalog,
        language,
        check,
    };
    match body {
        EventBody::Recharged(recharged) => words.recharged(recharged),
        EventBody::Charged(charged) => words.low_balance(charged, about.valid_until),
        EventBody::SessionEnded(ended) => words.session_ended(ended),
        EventBody::Bought(bought) => words.bought(bought),
        EventBody::CreditTakenBack(taken) => words.taken_back(taken, about.reason),
        EventBody::RenewalFailed { offer, .. } => words.renewal_failed(offer.as_str()),
        EventBody::Auto(event) => {
            let auto = about.auto.as_ref();
            auto.map_or_else(String::new, |auto| words.auto(event, auto))
        }
        EventBody::BudgetReached { mark, .. } => words.budget(*mark),
        EventBody::Chain(happened) => match happened.as_ref() {
            ChainEvent::Sold(sold) => words.low_stock(sold.float),
            ChainEvent::Gave(gave) => words.low_stock(gave.float),
            _ => String::new(),
        },
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

    fn low_balance(&self, charged: &Charged, valid_until: Option<Timestamp>) -> String {
        let balance = self.money(charged.balance);
        let name = self.catalog.name.get(self.language);
        let until = valid_until.filter(|until| *until != Timestamp::NEVER);
        let until = until.map(|until| self.short_day(until));
        match (self.language, until) {
            (Language::En, until) => {
                let until = until.map_or_else(String::new, |until| format!(" until {until}"));
                format!("{name}: your balance is low, {balance} left{until}. Please recharge soon.")
            }
            (Language::Ur, until) => {
                let until = until.map_or_else(String::new, |until| format!(" {until} تک"));
                format!("{name}: بیلنس کم ہے، {balance}{until} باقی۔ جلد ریچارج کریں۔")
            }
            (Language::Zh, until) => {
                let until = until.map_or_else(String::new, |until| format!("，有效期至{until}"));
                format!("{name}：余额不足，仅剩{balance}{until}，请及时充值。")
            }
        }
    }

    /// What is left and until when, in one part of a message.
    fn session_ended(&self, ended: &SessionEnded) -> String {
        let balance = self.money(ended.balance);
        let until = self.short_day(ended.valid_until);
        let (left, left_until) = (self.amount(ended), self.short_day(ended.left_until));
        let name = self.catalog.name.get(self.language);
        let has_more = ended.left.is_positive();
        let kind = match (self.language, ended.service) {
            (Language::En, Service::Voice) => "minutes",
            (Language::En, _) => "data",
            (Language::Ur, Service::Voice) => "منٹ",
            (Language::Ur, _) => "ڈیٹا",
            (Language::Zh, Service::Voice) => "通话",
            (Language::Zh, _) => "流量",
        };
        let (main, more) = match self.language {
            Language::En => (
                format!(
                    "{name}: this one cost {}. Balance {balance} until {until}.",
                    self.money(ended.cost)
                ),
                format!(" Bundle {kind} left: {left} until {left_until}."),
            ),
            Language::Ur => (
                format!("بیلنس {balance}، {until} تک۔"),
                format!(" {kind} {left}، {left_until} تک۔"),
            ),
            Language::Zh => (
                format!("本次{}。余额{balance}，至{until}。", self.money(ended.cost)),
                format!("{kind}剩余{left}，至{left_until}。"),
            ),
        };
        if has_more { main + &more } else { main }
    }

    /// What is left in bundles: `900 MB`, `40`.
    fn amount(&self, ended: &SessionEnded) -> String {
        match ended.service {
            Service::Voice => (ended.left.0 / 60).to_string(),
            _ => Speech {
                language: self.language,
            }
            .amount(Unit::Octets, ended.left, "")
            .replace(text::ISOLATES, "")
            .replace(NBSP, " "),
        }
    }

    /// `23/11/2026`, and in the letters that make a message short `23/11`.
    fn short_day(&self, at: Timestamp) -> String {
        if at == Timestamp::NEVER {
            return "-".to_owned();
        }
        let civil = self.catalog.zone.civil(at);
        match self.language {
            Language::En => format!("{:02}/{:02}/{}", civil.day, civil.month, civil.year),
            Language::Ur => format!("{:02}/{:02}", civil.day, civil.month),
            Language::Zh => format!("{}月{}日", civil.month, civil.day),
        }
    }

    fn bought(&self, bought: &Bought) -> String {
        let offer = self.offer(bought.offer.as_str());
        let (price, balance) = (self.money(bought.gross), self.money(bought.balance));
        let until = self.minute(bought.expires_at);
        // A purchase that brings the balance below the mark says so itself: the next charge finds it there already.
        let mark = self.catalog.policy.low_balance;
        let low = bought.balance < mark && bought.balance + bought.gross >= mark;
        let low = match (low, self.language) {
            (false, _) => "",
            (true, Language::En) => " Your balance is low: please recharge soon.",
            (true, Language::Ur) => " آپ کا بیلنس کم ہے، جلد ریچارج کریں۔",
            (true, Language::Zh) => "余额不足，请及时充值。",
        };
        let said = match (self.language, bought.renewal) {
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
        };
        format!("{said}{low}")
    }

    /// To the owner of the number that credit was taken from: how much, why, and where to object.
    fn taken_back(&self, taken: &TakenBack, reason: Option<RefundReason>) -> String {
        let (amount, balance) = (self.money(taken.unused), self.money(taken.balance));
        let name = self.catalog.name.get(self.language);
        let sold = matches!(taken.of, CreditOf::TopUp(_));
        let mistaken = sold || matches!(reason, Some(RefundReason::Undo | RefundReason::WrongNumber));
        let object = match &*self.check.public_url {
            "" => taken.of.to_string(),
            url => {
                let about = match taken.of {
                    CreditOf::Payment(id) => format!("payment:{id}"),
                    CreditOf::TopUp(id) => format!("topup:{id:032x}"),
                };
                format!("{url}/complaints/new?about={about}")
            }
        };
        match self.language {
            Language::En => {
                let why = if mistaken {
                    "its payer says it was meant for another number"
                } else {
                    "its payment goes back to the payer"
                };
                format!(
                    "{name}: {amount} of a recharge was taken back: {why}. Balance {balance}. Not right? Object: {object}"
                )
            }
            Language::Ur => {
                let why = if mistaken {
                    "بھیجنے والے کے مطابق یہ کسی اور نمبر کے لیے تھا"
                } else {
                    "رقم ادا کرنے والے کو واپس جا رہی ہے"
                };
                format!(
                    "ایک ریچارج کے {amount} واپس لیے گئے: {why}۔ بیلنس {balance}۔ غلط ہے؟ اعتراض کریں: {object}"
                )
            }
            Language::Zh => {
                let why = if mistaken {
                    "付款人称充错号码"
                } else {
                    "款项退回付款人"
                };
                format!("一笔充值中的{amount}已收回：{why}。余额{balance}。有异议请申诉：{object}")
            }
        }
    }

    /// In the words of the page: an auto-recharge is explained there too.
    fn auto(&self, event: &AutoEvent, auto: &AutoRecharge) -> String {
        let amount = self.money(auto.rule.amount);
        let more = match &*self.check.public_url {
            "" => String::new(),
            url => format!(" {url}/auto"),
        };
        let say = |key: &str, values: &[(&str, web::text::Value)]| {
            format!("{}{more}", web::text::plain(self.language, key, values))
        };
        let amount = ("amount", amount.into());
        match event {
            AutoEvent::Set { .. } => say("sms-auto-set", &[amount]),
            AutoEvent::Announced { due_at } => say(
                "sms-auto-soon",
                &[amount, ("moment", self.minute(*due_at).into())],
            ),
            AutoEvent::Held { cap, .. } => say(&format!("sms-auto-held-{}", cap.name()), &[amount]),
            AutoEvent::Ended { outcome, plan, .. } => {
                let why = web::text::plain(self.language, &format!("auto-outcome-{}", outcome.name()), &[]);
                let why = ("why", why.into());
                match plan.retry_at {
                    Some(at) => say(
                        "sms-auto-again",
                        &[amount, why, ("moment", self.minute(at).into())],
                    ),
                    None => say("sms-auto-paused", &[amount, why]),
                }
            }
            AutoEvent::StateSet { state, .. } => say(&format!("sms-auto-{}", state.name()), &[amount]),
            AutoEvent::Planned(_) | AutoEvent::Tried { .. } => String::new(),
        }
    }

    fn budget(&self, mark: BudgetMark) -> String {
        let key = match mark {
            BudgetMark::Forecast => "sms-budget-forecast",
            BudgetMark::Half => "budget-alert-50",
            BudgetMark::FourFifths => "budget-alert-80",
            BudgetMark::All => "budget-alert-100",
        };
        let more = match &*self.check.public_url {
            "" => String::new(),
            url => format!(" {url}/budget"),
        };
        format!("{}{more}", web::text::plain(self.language, key, &[]))
    }

    /// To a seller.
    fn low_stock(&self, float: Money) -> String {
        let float = self.money(float);
        match self.language {
            Language::En => format!("Your stock is low: {float} left to sell. Please order more."),
            Language::Ur => format!("آپ کا اسٹاک کم ہے: فروخت کے لیے {float} باقی ہیں۔ مزید منگوائیں۔"),
            Language::Zh => format!("您的库存不足：可售余额{float}，请及时补货。"),
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

    /// In a sentence the language has its own word for the rupee; on pages, in tables, everybody reads `Rs`.
    fn money(&self, amount: Money) -> String {
        match (self.catalog.currency.as_str(), self.language) {
            ("PKR", Language::En) => format!("Rs {}", amount.shown()),
            ("PKR", Language::Ur) => format!("{} روپے", amount.shown()),
            ("PKR", Language::Zh) => format!("{}卢比", amount.shown()),
            (currency, _) => format!("{currency} {}", amount.shown()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use charge::catalog::parse::{SourceFile, parse_all};
    use charge::payment::PaymentId;
    use charge::time::Zone;
    use charge::{Code, OperatorId};
    use store::NotificationKind;

    fn catalog() -> Arc<Catalog> {
        let names = ["pakistan.toml", "jazz.toml"];
        let texts = names.map(|name| {
            let path = format!("{}/../catalog/{name}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).unwrap()
        });
        let files: Vec<SourceFile<'_>> = names
            .iter()
            .zip(&texts)
            .map(|(name, text)| SourceFile { name, text })
            .collect();
        let zone = |name: &str| (name == "Asia/Karachi").then(|| Zone::fixed(name, 5 * 3600));
        let catalogs = parse_all(&files, &zone).unwrap();
        Arc::clone(catalogs.get(OperatorId(1)).unwrap())
    }

    #[test]
    fn who_loses_credit_is_told_how_much_why_and_where_to_object() {
        let (catalog, id) = (catalog(), PaymentId::new(7, 8).unwrap());
        let check = Check {
            secret: [1; 32],
            public_url: "https://raseed.example".into(),
        };
        let body = EventBody::CreditTakenBack(Box::new(TakenBack {
            of: CreditOf::Payment(id),
            draws: Vec::new(),
            promotion: Code::EMPTY,
            unused: Money::from_units(300),
            tax: Money::from_units(45),
            gross: Money::from_units(345),
            balance: Money::from_units(20),
        }));
        assert_eq!(NotificationKind::of(&body), Some(NotificationKind::TakenBack));
        let link = format!("https://raseed.example/complaints/new?about=payment:{id}");
        for (language, mistaken, returned) in [
            (Language::En, "another number", "goes back to the payer"),
            (Language::Ur, "کسی اور نمبر", "واپس جا رہی ہے"),
            (Language::Zh, "充错号码", "款项退回付款人"),
        ] {
            for (reason, why) in [
                (Some(RefundReason::WrongNumber), mistaken),
                (Some(RefundReason::Undo), mistaken),
                (Some(RefundReason::Staff), returned),
                (None, returned),
            ] {
                let about = About {
                    reason,
                    ..About::default()
                };
                let text = super::text(&body, &catalog, language, &check, &about);
                for part in ["300", "20", why, &link] {
                    assert!(text.contains(part), "{part}: {text}");
                }
            }
        }
    }

    #[test]
    fn what_is_left_fits_into_one_part_in_every_language() {
        let catalog = catalog();
        let check = Check {
            secret: [1; 32],
            public_url: "https://raseed.example".into(),
        };
        // As late, as large and as many digits as it gets.
        let late = Timestamp::from_seconds(1_798_700_000);
        for (service, left) in [
            (Service::Data, charge::unit::Amount(123_456_789_012)),
            (Service::Voice, charge::unit::Amount(99_999 * 60)),
            (Service::Data, charge::unit::Amount::ZERO),
        ] {
            let body = EventBody::SessionEnded(Box::new(SessionEnded {
                session: charge::ids::SessionKey(1),
                service,
                used: charge::unit::Amount(1),
                cost: Money::parse("9999.99").unwrap(),
                balance: Money::parse("10000.99").unwrap(),
                valid_until: late,
                left,
                left_until: late,
            }));
            assert_eq!(NotificationKind::of(&body), Some(NotificationKind::SessionEnded));
            for language in [Language::En, Language::Ur, Language::Zh] {
                let said = text(&body, &catalog, language, &check, &About::default());
                assert!(said.contains("10000.99"), "{said}");
                assert_eq!(
                    said.contains("114.97 GB"),
                    service == Service::Data && left.is_positive(),
                    "{said}"
                );
                assert_eq!(parts(&said), 1, "{said}");
            }
        }
    }

    fn parts(said: &str) -> usize {
        wire::sms::prepare(said, &wire::sms::TextSettings::default(), 1)
            .unwrap()
            .parts
            .len()
    }

    #[test]
    fn a_seller_hears_that_its_stock_is_low() {
        let catalog = catalog();
        let check = Check {
            secret: [1; 32],
            public_url: "".into(),
        };
        let gave = charge::seller::event::Gave {
            amount: Money::from_units(10),
            day: 0,
            back: Default::default(),
            float: Money::from_units(490),
            low: true,
            low_crossed: true,
        };
        let body = EventBody::Chain(Box::new(ChainEvent::Gave(Box::new(gave.clone()))));
        assert_eq!(NotificationKind::of(&body), Some(NotificationKind::LowStock));
        for (language, word) in [
            (Language::En, "stock is low"),
            (Language::Ur, "اسٹاک کم ہے"),
            (Language::Zh, "库存不足"),
        ] {
            let text = text(&body, &catalog, language, &check, &About::default());
            assert!(text.contains(word) && text.contains("490"), "{text}");
        }
        let still = charge::seller::event::Gave {
            low_crossed: false,
            ..gave
        };
        let body = EventBody::Chain(Box::new(ChainEvent::Gave(Box::new(still))));
        assert_eq!(NotificationKind::of(&body), None, "once for each crossing");
    }

    #[test]
    fn a_purchase_that_makes_the_balance_low_says_so_once() {
        let catalog = catalog();
        let mark = catalog.policy.low_balance;
        let check = Check {
            secret: [1; 32],
            public_url: "".into(),
        };
        let gross = Money::from_units(5);
        for (balance, low) in [
            (mark, false),
            (mark - Money(1), true),
            (mark - gross, true),
            (mark - gross - Money(1), false),
        ] {
            let body = EventBody::Bought(Box::new(Bought {
                source: charge::SourceId(1),
                body: 0,
                offer: Code::new("daily-extreme").unwrap(),
                version: 1,
                discount: None,
                gross,
                tax: Money::ZERO,
                rate: charge::tax::Rate::default(),
                rounding: charge::money::Rounding::Down,
                draws: Default::default(),
                lots: Default::default(),
                expires_at: Timestamp(1_795_262_400_000_000),
                day: 0,
                count: 1,
                renewal: false,
                renews_at: None,
                balance,
                forgets: 0,
            }));
            for (language, word) in [
                (Language::En, "balance is low"),
                (Language::Ur, "بیلنس کم ہے"),
                (Language::Zh, "余额不足"),
            ] {
                let text = text(&body, &catalog, language, &check, &About::default());
                assert_eq!(text.contains(word), low, "{balance:?}: {text}");
            }
        }
    }
}
