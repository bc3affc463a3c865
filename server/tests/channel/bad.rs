//! What makes no sense, in every channel: refused in the caller's language or with the protocol's code, and nothing has moved.

use super::{FIRST, PIN, READS_CHINESE, READS_URDU, STILL, Scene, until};
use serde_json::{Value, json};
use sim::banks::atm::{Line, Profile};
use sim::banks::bad::{Wanted, messages};
use sim::banks::onebill::{Payment, Switch};
use sim::bench::eid::Channel;
use std::collections::BTreeSet;
use std::time::Duration;
use wire::sms::strip_isolates;

const LANGUAGES: [&str; 3] = ["en", "ur", "zh"];
/// Nobody's number.
const NOBODY: &str = "923459999999";

impl Scene {
    /// Sends nonsense and looks that nothing has moved: not in the accounts, not where it would have been sold from.
    pub fn bad_input(&self) {
        let before = (self.all_balances(), self.sold());
        match self.channel {
            Channel::Shop | Channel::Partner | Channel::Card | Channel::Ivr => self.bad_requests(),
            Channel::Guest => self.bad_pages(),
            Channel::CardPage => self.bad_card_pages(),
            Channel::Till => self.bad_sales(),
            Channel::UssdShop => self.bad_dialling(READS_URDU, "*500#"),
            Channel::UssdCard => self.bad_dialling(READS_CHINESE, "*123#"),
            Channel::SmsShop => self.bad_texts(READS_URDU),
            Channel::SmsCard => self.bad_texts(READS_CHINESE),
            Channel::Atm => self.bad_messages(),
            Channel::Bill => self.bad_bills(),
        }
        std::thread::sleep(STILL);
        assert_eq!((self.all_balances(), self.sold()), before, "{:?}", self.channel);
    }

    fn all_balances(&self) -> Vec<charge::Money> {
        (FIRST..=READS_CHINESE)
            .step_by(7)
            .chain([READS_URDU, READS_CHINESE])
            .map(|msisdn| self.balance(msisdn))
            .collect()
    }

    /// A problem with the same stable code in three languages.
    fn bad_requests(&self) {
        let target = self.asker.target();
        let number = FIRST.to_string();
        let (path, key, bad) = match self.channel {
            Channel::Shop => (
                "/v1/sellers/me/sales?wait=10",
                &target.shops[0],
                vec![
                    json!({"msisdn": "12", "amount": "100"}),
                    json!({"msisdn": NOBODY, "amount": "100"}),
                    json!({"msisdn": number, "amount": "0"}),
                    json!({"msisdn": number, "amount": "-100"}),
                    json!({"msisdn": number, "amount": "1"}),
                    json!({"msisdn": number, "amount": "99999999999999999999"}),
                    json!({"msisdn": number}),
                    json!({"msisdn": number, "amount": "100", "staff": "nobody", "pin": PIN}),
                ],
            ),
            Channel::Partner => (
                "/v1/topups?wait=10",
                &target.partners[0],
                vec![
                    json!({"msisdn": "12", "amount": "100", "external_id": "bad-1"}),
                    json!({"msisdn": NOBODY, "amount": "100", "external_id": "bad-2"}),
                    json!({"msisdn": number, "amount": "0", "external_id": "bad-3"}),
                    json!({"msisdn": number, "amount": "100"}),
                    json!({"msisdn": number, "amount": "1e2", "external_id": "bad-4"}),
                    json!({"msisdn": number, "amount": "99999999999999999999", "external_id": "bad-5"}),
                ],
            ),
            _ => {
                let heard = if self.channel == Channel::Ivr {
                    "ivr"
                } else {
                    "api"
                };
                let bad = vec![
                    json!({"msisdn": "12", "pin": target.pins[0], "channel": heard}),
                    json!({"msisdn": NOBODY, "pin": target.pins[0], "channel": heard}),
                    json!({"msisdn": number, "pin": "123", "channel": heard}),
                    json!({"msisdn": number, "pin": "00000000000000", "channel": heard}),
                    json!({"msisdn": number, "channel": heard}),
                    json!({"msisdn": number, "pin": target.pins[2], "channel": "telepathy"}),
                ];
                ("/v1/vouchers/redeem", &target.redeemers[0], bad)
            }
        };
        for (index, body) in bad.iter().enumerate() {
            let said = LANGUAGES.map(|language| self.problem(path, (key, index), language, body));
            let codes: BTreeSet<String> = said
                .iter()
                .map(|(_, problem)| problem["code"].to_string())
                .collect();
            let titles: BTreeSet<String> = said
                .iter()
                .map(|(_, problem)| problem["title"].to_string())
                .collect();
            assert_eq!((codes.len(), titles.len()), (1, 3), "{body}: {said:?}");
            for (status, problem) in said {
                assert!((400..500).contains(&status), "{body}: {status} {problem}");
                assert!(problem["code"].is_u64(), "{problem}");
            }
        }
        // No key, and a key that is nobody's.
        for key in ["", "rk_live_nobody"] {
            let (status, problem) = self.problem(path, (key, 0), "ur", &bad[0]);
            assert_eq!(status, 401, "{problem}");
        }
    }

    fn problem(&self, path: &str, (key, once): (&str, usize), language: &str, body: &Value) -> (u16, Value) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent();
        let mut answer = agent
            .post(format!("{}{path}", self.server().url))
            .header("authorization", format!("Bearer {key}"))
            .header("idempotency-key", format!("bad-{once}"))
            .header("accept-language", language)
            .send_json(body)
            .unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("application/problem+json"), "{kind}");
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
    }

    /// Pages in the guest's language, none of which lets anybody pay.
    fn bad_pages(&self) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent();
        let url = &self.server().url;
        let number = FIRST.to_string();
        for (msisdn, amount) in [
            ("12", "100"),
            (NOBODY, "100"),
            (&number, "0"),
            (&number, "x"),
            (&number, "99999999"),
        ] {
            let mut pages = BTreeSet::new();
            for language in LANGUAGES {
                let request = agent.get(format!("{url}/recharge?number={msisdn}&amount={amount}"));
                let mut answer = request.header("accept-language", language).call().unwrap();
                let page = answer.body_mut().read_to_string().unwrap();
                assert!(page.contains(&format!("lang=\"{language}\"")), "{page}");
                assert!(
                    crate::shop::hidden(&page, "ticket").is_none(),
                    "{msisdn} {amount}: {page}"
                );
                pages.insert(page);
            }
            assert_eq!(pages.len(), 3);
        }
        // A ticket that nobody gave.
        for ticket in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
            let body = format!(
                "form=x&ticket={ticket}&rail=jazzcash-wallet&confirm=yes&wallet=03411728699&cnic=345678"
            );
            let request = agent.post(format!("{url}/recharge/pay"));
            let answer = request
                .content_type("application/x-www-form-urlencoded")
                .send(body)
                .unwrap();
            assert!(answer.status().as_u16() >= 400, "{ticket}");
        }
    }

    /// A scratch card on the website: the page says in three languages what is wrong, and has no card on it.
    fn bad_card_pages(&self) {
        let page = ureq::get(format!("{}/recharge/card", self.server().url)).call();
        let mut page = page.unwrap();
        let cookie = page.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let token = crate::shop::hidden(&page.body_mut().read_to_string().unwrap(), "form").unwrap();
        let good = self.asker.target().pins[2].clone();
        // No more than ten tries a minute come from one address.
        let nobody = NOBODY.replacen("92", "0", 1);
        let number = format!("0{}", READS_URDU % 10_000_000_000);
        for (number, pin) in [
            (nobody.as_str(), good.as_str()),
            (&number, "123"),
            (&number, "00000000000000"),
            ("12", &good),
        ] {
            let fields = format!("form={token}&number={number}&pin={pin}");
            self.refused_page("/recharge/card", (&cookie, &fields), "id=\"done\"");
        }
        // A form of somebody else.
        let fields = format!("form=x&number={number}&pin={good}");
        let (status, _, page) = self.press("/recharge/card", (&cookie, &fields), "ur");
        assert_eq!(status, 400, "{page}");
    }

    /// A till: numbers and amounts that make no sense are not even to be confirmed, and a form that nobody gave sells nothing.
    fn bad_sales(&self) {
        let intent = self.intents[0];
        let signed_in = self.runtime.block_on(self.asker.counter(intent)).unwrap();
        let (cookie, token) = (&signed_in.cookies, &signed_in.token);
        let number = format!("0{}", FIRST % 10_000_000_000);
        let nobody = NOBODY.replacen("92", "0", 1);
        for (number, amount) in [
            ("12", "100"),
            (nobody.as_str(), "100"),
            (&number, "0"),
            (&number, "-100"),
            (&number, "1e2"),
            (&number, ""),
            (&number, "99999999999999999999"),
        ] {
            let fields = format!("form={token}&number={number}&amount={amount}&what=amount");
            self.refused_page("/pos/check", (cookie, &fields), "data-sells");
        }
        let id = "01890000-0000-7000-8000-000000000000";
        let sale = |token: &str, id: &str, pin: &str| {
            format!("form={token}&ticket={id}&number={number}&amount=100&pin={pin}")
        };
        let (status, _, page) = self.press("/pos/sell", (cookie, &sale(token, id, "0000")), "ur");
        assert!(status == 422 || status == 403, "{status} {page}");
        assert!(
            page.contains("lang=\"ur\"") && page.contains("پن غلط ہے"),
            "{page}"
        );
        for fields in [sale("x", id, PIN), sale(token, "x", PIN), sale(token, "", PIN)] {
            let (status, _, page) = self.press("/pos/sell", (cookie, &fields), "zh");
            assert_eq!(status, 400, "{fields}: {page}");
        }
        // Nobody stands there.
        let (status, to, _) = self.press("/pos/sell", ("", &sale(token, id, PIN)), "en");
        assert_eq!((status, to.as_str()), (303, "/pos/sign-in"));
    }

    /// A form that is refused on a page in each language; what stands on a good one is not there.
    fn refused_page(&self, path: &str, (cookie, fields): (&str, &str), good: &str) {
        let told = LANGUAGES.map(|language| {
            let (status, _, page) = self.press(path, (cookie, fields), language);
            assert!(
                (400..500).contains(&status) && status != 429,
                "{fields}: {status} {page}"
            );
            assert!(page.contains(&format!("lang=\"{language}\"")), "{fields}: {page}");
            assert!(!page.contains(good), "{fields}: {page}");
            let told = page.split("role=\"alert\"").nth(1).expect("it is told");
            told.split("</p>").next().unwrap().to_owned()
        });
        assert_eq!(BTreeSet::from(told.clone()).len(), 3, "{told:?}");
    }

    /// Status, where it leads, and the page.
    fn press(&self, path: &str, (cookie, fields): (&str, &str), language: &str) -> (u16, String, String) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .new_agent();
        let mut answer = agent
            .post(format!("{}{path}", self.server().url))
            .header("cookie", cookie)
            .header("accept", "text/html")
            .header("accept-language", language)
            .content_type("application/x-www-form-urlencoded")
            .send(fields)
            .unwrap();
        let to = answer.headers().get("location");
        let to = to.map_or("", |to| to.to_str().unwrap()).to_owned();
        let page = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), to, page)
    }

    /// Answers in the language of who dials, each the last page of its session.
    fn bad_dialling(&self, from: u64, code: &str) {
        let number = format!("0{}", FIRST % 10_000_000_000);
        let bad = match self.channel {
            Channel::UssdShop => vec![
                (format!("{number}*1x0*{PIN}"), ""),
                (format!("{number}*0100*{PIN}"), "رقم واضح نہیں"),
                (format!("{number}*0*{PIN}"), "رقم واضح نہیں"),
                (format!("03*100*{PIN}"), ""),
                (format!("{number}*100*0000"), "پن غلط ہے"),
                (format!("{number}*100*x"), ""),
                (format!("{number}*100"), ""),
                (format!("0345{}*100*{PIN}", 9_999_999), "یہ نمبر یہاں نہیں چلتا"),
            ],
            _ => vec![
                ("123".to_owned(), "这不是卡上的数字"),
                ("00000000000000".to_owned(), ""),
                ("0000000000000x".to_owned(), "这不是卡上的数字"),
                ("9".repeat(100), "这不是卡上的数字"),
            ],
        };
        for (index, (typed, begins)) in bad.iter().enumerate() {
            let session = format!("bad-{index}");
            let body = json!({"sessionId": session, "phoneNumber": from.to_string(), "serviceCode": code, "text": typed});
            let request = ureq::post(&self.asker.target().ussd).header("content-type", "application/json");
            let said = request
                .send(body.to_string())
                .unwrap()
                .body_mut()
                .read_to_string()
                .unwrap();
            let said = strip_isolates(&said);
            assert!(
                said.starts_with("END ") && said.contains(begins),
                "{typed}: {said}"
            );
            self.in_own_words(from, &said, begins);
        }
        // A body that is none.
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent();
        let request = agent
            .post(&self.asker.target().ussd)
            .header("content-type", "application/json");
        let answer = request.send("{\"sessionId\": 1").unwrap();
        assert_eq!(answer.status().as_u16(), 400);
    }

    fn in_own_words(&self, from: u64, said: &str, begins: &str) {
        assert!(said.contains(begins), "{said}");
        let letter = |c: char| match from {
            READS_URDU => ('\u{600}'..='\u{6ff}').contains(&c),
            _ => ('\u{4e00}'..='\u{9fff}').contains(&c),
        };
        assert!(said.chars().any(letter), "not in the caller's language: {said}");
    }

    /// Answers by message in the language of the handset's owner.
    fn bad_texts(&self, from: u64) {
        let number = format!("0{}", FIRST % 10_000_000_000);
        let bad = match self.channel {
            Channel::SmsShop => vec![
                (format!("LOAD {number} 1OO {PIN}"), "رقم واضح نہیں"),
                (format!("LOAD {number} 100 0000"), "پن غلط ہے"),
                (format!("LAOD {number} 100 {PIN}"), "LOAD"),
                (format!("LOAD {number} 100"), ""),
            ],
            _ => vec![
                ("CARD 123".to_owned(), "这不是卡上的数字"),
                ("CARD 00000000000000".to_owned(), ""),
                ("CARD".to_owned(), ""),
            ],
        };
        let (handset, inbox) = (from.to_string(), self.centre.inbox());
        for (text, begins) in bad {
            let had = inbox.messages(&handset).len();
            until("the server is bound", || {
                self.centre.send_from_handset(&handset, "443", &text).ok()
            });
            let said = until("the answer comes", || inbox.messages(&handset).get(had).cloned());
            self.in_own_words(from, &strip_isolates(&said.text), begins);
        }
    }

    /// Response codes of 1BILL.
    fn bad_bills(&self) {
        let target = self.asker.target();
        let biller = Switch::new(target.biller.clone(), target.onebill, Duration::from_secs(30));
        let good = Payment::of(900_001, &format!("0{}", FIRST % 10_000_000_000), 10_000);
        for bad in messages(&target.biller, &good) {
            let said = biller.raw(&bad.octets).ok().flatten();
            let fits = match (&bad.wanted, &said) {
                (Wanted::Anything, _) => true,
                (Wanted::Status(wanted), Some((status, _))) => status == wanted,
                (Wanted::Code(code), Some((200, body))) => body["response_Code"] == *code,
                _ => false,
            };
            assert!(fits, "{bad:?}: {said:?}");
        }
    }

    /// Response codes of ISO 8583.
    fn bad_messages(&self) {
        let bank = Profile::plain("100100");
        let mut line = Line::open(self.asker.target().iso8583, &bank).unwrap();
        let wait = Duration::from_secs(30);
        for (number, msisdn, paisa, code) in [
            (900_001, "12", 10_000, "14"),
            (900_002, "03459999999", 10_000, "14"),
            (900_003, "03000000000", 0, "13"),
            (900_004, "03000000000", 999_999_999_999, "13"),
        ] {
            let answer = line
                .ask(&bank.sale(number, msisdn, paisa), wait)
                .unwrap()
                .expect("an answer");
            assert_eq!(answer.get(39), Some(code), "{msisdn} {paisa}");
        }
        let stranger = Profile::plain("999999");
        let mut other = Line::open(self.asker.target().iso8583, &stranger).unwrap();
        let sale = stranger.sale(900_005, "03000000000", 10_000);
        let said = other.ask(&sale, Duration::from_secs(2));
        let code = said
            .ok()
            .flatten()
            .and_then(|answer| answer.get(39).map(str::to_owned));
        assert_ne!(code.as_deref(), Some("00"));
    }
}
