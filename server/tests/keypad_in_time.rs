//! The keypad over a real engine with a clock that the test moves: what was not answered, what is said once more on purpose,
//! and what must not happen any more when its time comes.

#[path = "../../web/tests/common/mod.rs"]
mod common;

use charge::catalog::Language;
use charge::{Money, Msisdn};
use common::{NUMBER, Service};
use keypad::keywords::{Answers, Keywords, Message, Reply};
use keypad::till::Till;
use keypad::{Keypad, Parts, Who};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use web::core::{CoreError, Pending};
use wire::ussd::PageSize;

const BUYER: &str = "923217654321";
const PIN: &str = "7391";
/// What Rs 100 buy, less advance income tax, micro-units.
const CREDITED: i64 = 86_956_522;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Answers in memory; while they are lost, nothing is kept, as after a crash.
#[derive(Default)]
struct Letters {
    kept: Mutex<Vec<Reply>>,
    lost: AtomicBool,
}

impl Answers for Letters {
    fn keep(&self, reply: Reply) -> Pending<Result<(), CoreError>> {
        let mut kept = self.kept.lock().unwrap();
        let result = match self.lost.load(Ordering::SeqCst) {
            true => Err(CoreError::Unavailable),
            false => Ok(()),
        };
        if result.is_ok() && kept.iter().all(|known| known.origin != reply.origin) {
            kept.push(reply);
        }
        Box::pin(async move { result })
    }

    fn last(&self, stem: String) -> Pending<Result<Option<String>, CoreError>> {
        let kept = self.kept.lock().unwrap();
        let origins = kept.iter().map(|reply| &reply.origin);
        let last = origins.filter(|origin| origin.starts_with(&stem)).max().cloned();
        Box::pin(async move { Ok(last) })
    }
}

struct Scene {
    service: Service,
    keypad: Keypad,
    letters: Arc<Letters>,
    runtime: tokio::runtime::Runtime,
    dialled: std::cell::Cell<u128>,
}

impl Scene {
    fn new() -> Scene {
        let service = Service::start();
        service.subscriber(BUYER);
        let parts = Parts {
            shop: Some(Arc::new(Till(service.web.clone()))),
            language: Language::En,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        Scene {
            keypad: Keypad::new(service.web.clone(), parts),
            service,
            letters: Arc::default(),
            runtime,
            dialled: std::cell::Cell::new(0),
        }
    }

    #[track_caller]
    fn done(&self, key: &str, path: &str, once: &str, body: &Value) -> Value {
        let answer = self.service.once(key, path, once, &body.to_string());
        assert!(answer.status < 300, "{}", answer.body);
        answer.json()
    }

    /// A retailer with stock who sells by the first number, and has chosen a PIN.
    fn retailer(&self) {
        let admin = self.service.admin.clone();
        let open = |by: &str, grade: &str, parent: Option<u64>, number: Option<&str>| {
            let body = json!({"name": grade, "code": grade, "grade": grade, "parent": parent, "key": true, "number": number});
            let made = self.done(by, "/v1/sellers", grade, &body);
            (
                made["id"].as_u64().unwrap(),
                made["key"]["key"].as_str().unwrap().to_owned(),
            )
        };
        let (root, _) = open(&admin, "operator", None, None);
        let (distributor, above) = open(&admin, "distributor", Some(root), None);
        let (retailer, key) = open(&above, "retailer", Some(distributor), Some(NUMBER));
        let bank = json!({"amount": "100000", "reference": "bank"});
        self.done(&admin, &format!("/v1/partners/{root}/float"), "f", &bank);
        for (by, from, to, amount) in [
            (&admin, root, distributor, "50000"),
            (&above, distributor, retailer, "5000"),
        ] {
            let path = format!("/v1/sellers/{from}/moves?wait=10");
            self.done(by, &path, amount, &json!({"to": to, "amount": amount}));
        }
        let owner = json!({"name": "Ali", "role": "owner", "pin": "2580"}).to_string();
        let put = self.service.api(&key, "PUT", "/v1/sellers/me/staff/ali", &owner);
        assert_eq!(put.status, 204, "{}", put.body);
        let number = Msisdn::parse(NUMBER).unwrap();
        let known = || {
            self.runtime
                .block_on(self.service.web.seller_by_number(number))
                .unwrap()
        };
        self.service.eventually(known);
        assert_eq!(self.text(&format!("PIN 2580 {PIN}")), "Your PIN was changed.");
    }

    /// A text from the first number to the operator's code, and its answer. Each has a minute of the limiter for itself.
    fn text(&self, text: &str) -> String {
        self.heard(text).expect("it is taken");
        let kept = self.letters.kept.lock().unwrap();
        kept.last().unwrap().text.clone()
    }

    fn heard(&self, text: &str) -> Result<bool, CoreError> {
        let keywords = Keywords::new(self.keypad.clone(), Arc::clone(&self.letters) as Arc<dyn Answers>);
        let message = Message {
            from: NUMBER,
            to: "443",
            text,
        };
        self.runtime.block_on(keywords.answer(message))
    }

    /// Dials, and types answers; gives the last page.
    fn dial(&self, code: &str, typed: &[&str]) -> String {
        self.dialled.set(self.dialled.get() + 1);
        let key = self.dialled.get();
        let who = Who::Number(Msisdn::parse(NUMBER).unwrap());
        self.runtime.block_on(async {
            let mut answer = self.keypad.begin(key, who, code, PageSize::FULL).await;
            for input in typed {
                assert!(!answer.last, "{answer:?}");
                answer = self.keypad.typed(key, input, None).await;
            }
            assert!(answer.last, "{answer:?}");
            answer.text
        })
    }

    fn see(&self, key: &str, path: &str) -> Value {
        self.service.api(key, "GET", path, "").json()
    }

    /// How many sales of Rs 100 have reached the buyer.
    fn sold(&self) -> i64 {
        let balance = self.balance(BUYER).0;
        assert_eq!(balance % CREDITED, 0, "{balance}");
        balance / CREDITED
    }

    fn balance(&self, number: &str) -> Money {
        let seen = self.see(&self.service.admin, &format!("/v1/subscribers/{number}/balance"));
        Money::parse(seen["main"].as_str().unwrap()).unwrap()
    }
}

#[test]
fn a_text_that_was_not_answered_sells_once_however_late_it_comes_again() {
    let scene = Scene::new();
    scene.retailer();
    for (sales, text) in [
        (0, format!("LOAD 03217654321 100 {PIN}")),
        (2, format!("LOAD 03217654321 100 {PIN} AGAIN")),
    ] {
        scene.letters.lost.store(true, Ordering::SeqCst);
        assert_eq!(
            scene.heard(&text),
            Err(CoreError::Unavailable),
            "the centre keeps it"
        );
        assert_eq!(scene.sold(), sales + 1);
        scene.letters.lost.store(false, Ordering::SeqCst);
        scene.service.pass(10 * MINUTE);
        let late = scene.text(&text);
        assert!(
            late.starts_with("Sold before: Rs 100.00 to 0321 7654321. Nothing was sold now."),
            "{late}"
        );
        assert_eq!(scene.sold(), sales + 1, "{text}");
        // Now it has been answered: the same words are another sale.
        let next = scene.text(&text);
        assert!(next.starts_with("Sold: Rs 100.00 to 0321 7654321."), "{next}");
        assert_eq!(scene.sold(), sales + 2);
        scene.service.pass(3 * MINUTE);
    }
}

#[test]
fn what_is_meant_again_is_sold_again_on_the_same_day_and_copies_are_not() {
    let scene = Scene::new();
    scene.retailer();
    let load = format!("LOAD 03217654321 100 {PIN}");
    let again = format!("{load} AGAIN");
    let mut sales = 0;
    let mut says = |text: &str, begins: &str, ends: &str| {
        let said = scene.text(text);
        assert!(said.starts_with(begins) && said.ends_with(ends), "{text}: {said}");
        sales += i64::from(begins == "Sold: ");
        assert_eq!(scene.sold(), sales, "{text}: {said}");
    };
    let no = "Not sold again: Rs 100.00 to 0321 7654321 was sold a moment ago. For one more ";
    for _ in 0..2 {
        says(&load, "Sold: ", "");
        says(&load, no, "put AGAIN behind it.");
        says(&again, "Sold: ", "");
        says(&again, no, "put 3 behind it.");
        says(&again, no, "put 3 behind it.");
        says(&format!("{load} 3"), "Sold: ", "");
        says(&format!("{load} 9"), "Sold: ", "");
        says(&format!("{load} 9"), no, "wait two minutes.");
        scene.service.pass(10 * MINUTE);
        // Nobody needs to count back: it sells although nothing was sold a moment ago, and its copies do not.
        says(&again, "Sold: ", "");
        says(&again, no, "put 3 behind it.");
        says(&again, no, "put 3 behind it.");
        scene.service.pass(10 * MINUTE);
    }
    // The same over USSD, where each dialling is a session of its own.
    let sale = |counter: &str| scene.dial(&format!("*500*03217654321*100*{PIN}{counter}#"), &[]);
    for (counter, begins, ends) in [
        ("*2", "Sold: ", ""),
        ("*2", no, "put *3 behind it."),
        ("*2", no, "put *3 behind it."),
        ("*3", "Sold: ", ""),
        ("", no, "put *3 behind it."),
    ] {
        let said = sale(counter);
        assert!(
            said.starts_with(begins) && said.ends_with(ends),
            "{counter}: {said}"
        );
    }
    assert_eq!(scene.sold(), sales + 2);
}

#[test]
fn stopped_renewals_take_nothing_when_they_would_be_due() {
    for (way, told) in [
        ("*6611#", "One bundle does not renew any more."),
        (
            "UNSUB",
            "One bundle does not renew any more. You get no more messages with offers.",
        ),
    ] {
        let scene = Scene::new();
        let admin = scene.service.admin.clone();
        for number in [NUMBER, BUYER] {
            let sale = json!({"msisdn": number, "amount": "500", "external_id": number});
            scene.done(&scene.service.shop, "/v1/topups?wait=10", number, &sale);
            let bundle = json!({"bundle": "daily-extreme", "renew": true});
            scene.done(
                &admin,
                &format!("/v1/subscribers/{number}/bundles"),
                number,
                &bundle,
            );
        }
        let (mine, theirs) = (scene.balance(NUMBER), scene.balance(BUYER));
        assert_eq!(mine, theirs);
        let said = match way {
            "UNSUB" => scene.text(way),
            code => scene.dial(code, &["1"]),
        };
        assert_eq!(said, told);
        let bundles = scene.see(&admin, &format!("/v1/subscribers/{NUMBER}/bundles"));
        assert_eq!(bundles["bundles"][0]["renews_at"], Value::Null, "{bundles}");
        // Days later the other one has paid again, and this one has not.
        scene.service.pass(4 * DAY);
        scene
            .service
            .eventually(|| (scene.balance(BUYER) == theirs - Money::from_units(35)).then_some(()));
        assert_eq!(scene.balance(NUMBER), mine, "{way}");
        let said = scene.dial("*6611#", &["1"]);
        assert_eq!(said, "No bundle renews by itself.");
    }
}
