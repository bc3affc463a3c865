//! 1LINK 1BILL against the real binary: a payment is credited once, whatever the bank's line does.

mod harness;

use charge::Money;
use harness::{Api, Place, Server};
use serde_json::{Value, json};

const PARTNER: u32 = 7_002;
/// What Rs 100 buy, less advance income tax.
const CREDITED: i64 = 86_956_522;
/// SHA-256 of `correct horse battery staple`.
const HASH: &str = "c4bbcb1fbec99d65bf59d85c8cb62ee2db963f0fe106f483d9afa73bd4e39a8a";

fn place() -> Place {
    let mut text =
        "[engine]\npartitions = 5\ncache_mib = 16\n[banks.onebill]\nlisten = ['127.0.0.1:0']\n".to_owned();
    for (code, duplicate, address) in [
        ("HBL", "03", "127.0.0.1"),
        ("MCB", "original", "127.0.0.1"),
        ("FAR", "03", "10.0.0.0/8"),
    ] {
        text += &format!(
            "[[banks.bank]]\ncode = '{}'\npartner = {PARTNER}\naddresses = ['{address}']\n[banks.bank.onebill]\n\
             mnemonic = '{code}'\nusername = 'link'\npassword_sha256 = '{HASH}'\nduplicate = '{duplicate}'\n",
            code.to_lowercase()
        );
    }
    Place::new(&text)
}

struct Bank {
    url: String,
    password: &'static str,
}

impl Bank {
    fn of(server: &Server) -> Bank {
        Bank {
            url: format!("http://{}", server.ready["onebill"][0].as_str().unwrap()),
            password: "correct horse battery staple",
        }
    }

    fn ask(&self, path: &str, body: &str) -> Option<(u16, Value)> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent();
        let mut answer = agent
            .post(format!("{}/api/1.0/Payments/{path}", self.url))
            .header("username", "link")
            .header("password", self.password)
            .header("content-type", "application/json")
            .send(body)
            .ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        Some((
            answer.status().as_u16(),
            serde_json::from_str(&text).unwrap_or(Value::Null),
        ))
    }

    #[track_caller]
    fn told(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(path, &body.to_string()).expect("an answer");
        assert_eq!(status, 200, "{answer}");
        answer
    }

    #[track_caller]
    fn paid(&self, body: &Value) -> (String, String) {
        let answer = self.told("BillPayment", body);
        assert_eq!(answer.as_object().unwrap().len(), 3, "{answer}");
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        (text("response_Code"), text("identification_parameter"))
    }
}

fn payment(bank: &str, authorization: &str, paisa: &str) -> Value {
    json!({"consumer_number": "03001234500", "tran_auth_id": authorization, "transaction_amount": paisa,
        "tran_date": "20260901", "tran_time": "160110", "bank_mnemonic": bank, "reserved": ""})
}

fn with(mut body: Value, name: &str, value: &str) -> Value {
    body[name] = json!(value);
    body
}

fn start(place: &Place) -> (Server, String) {
    let server = place.serve();
    let key = server.key.clone().unwrap();
    let api = Api::new(&server.url, &key);
    api.done(
        "/v1/partners",
        "bank",
        &json!({"id": PARTNER, "name": "Bank", "code": "bank", "scopes": ["topup", "read"]}),
    );
    let float = json!({"amount": "10000", "reference": "start"});
    api.done(&format!("/v1/partners/{PARTNER}/float"), "bank", &float);
    api.done("/v1/subscribers", "", &json!({"msisdn": "923001234500"}));
    (server, key)
}

fn balance(server: &Server, key: &str) -> i64 {
    let account = Api::new(&server.url, key).see("/v1/subscribers/923001234500/balance");
    Money::parse(account["main"].as_str().unwrap()).unwrap().0
}

#[test]
fn inquiries_and_payments_are_answered_as_the_profile_says() {
    let place = place();
    let (server, key) = start(&place);
    let bank = Bank::of(&server);
    let asked = json!({"consumer_number": "03001234500", "bank_mnemonic": "HBL", "reserved": ""});
    let bill = bank.told("BillInquiry", &asked);
    assert_eq!(
        (bill["response_Code"].as_str(), bill["bill_status"].as_str()),
        (Some("00"), Some("U"))
    );
    assert_eq!(bill["consumer_Detail"], format!("{:<30}", "PREPAID"));
    assert_eq!(bill["amount_within_dueDate"], " ".repeat(14));
    let code = |body: &Value| bank.told("BillInquiry", body)["response_Code"].clone();
    assert_eq!(code(&with(asked.clone(), "consumer_number", "03001239999")), "01");
    assert_eq!(code(&with(asked.clone(), "consumer_number", "0300x")), "04");
    assert_eq!(code(&with(asked.clone(), "bank_mnemonic", "FAR")), "04");
    assert_eq!(code(&json!([1])), "04");
    // Once; a repeat is 03, or for another bank the original.
    let first = payment("HBL", "000001", "000000010000");
    let (told, receipt) = bank.paid(&first);
    assert_eq!(told, "00");
    assert!(receipt.starts_with('R'), "{receipt}");
    assert_eq!(bank.paid(&first), ("03".to_owned(), String::new()));
    assert_eq!(
        bank.paid(&payment("HBL", "000001", "000000020000")).0,
        "03",
        "another body"
    );
    let original = payment("MCB", "000001", "000000010000");
    let told = bank.paid(&original);
    assert_eq!(told.0, "00");
    assert_eq!(bank.paid(&original), told);
    assert_ne!(told.1, receipt);
    assert_eq!(balance(&server, &key), 2 * CREDITED);
    // Bad input moves nothing.
    for (name, value, wanted) in [
        ("transaction_amount", "000000000000", "02"),
        ("transaction_amount", "            ", "02"),
        ("transaction_amount", "-00000010000", "04"),
        ("tran_date", "20260230", "04"),
        ("tran_date", "", "04"),
        ("tran_time", "246060", "04"),
        ("tran_auth_id", "", "04"),
        ("tran_auth_id", "0000001", "04"),
        ("consumer_number", "03001239999", "01"),
        ("consumer_number", "", "04"),
        ("bank_mnemonic", "NOBODY", "04"),
        ("reserved", "BundleID=NOTSOLD", "04"),
        ("reserved", &"x".repeat(516), "04"),
    ] {
        let body = with(payment("HBL", "000002", "000000010000"), name, value);
        assert_eq!(bank.paid(&body).0, wanted, "{name}={value}");
    }
    let strange = Bank {
        url: bank.url.clone(),
        password: "wrong",
    };
    assert_eq!(strange.ask("BillPayment", &first.to_string()).unwrap().0, 401);
    assert_eq!(bank.ask("BillPayment", &"x".repeat(5_000)).unwrap().0, 413);
    assert_eq!(bank.ask("BillPayment", "{").unwrap().1["response_Code"], "04");
    assert_eq!(balance(&server, &key), 2 * CREDITED);
    bundle(&server, &key, &bank);
    assert_eq!(server.terminate(), 0);
    assert_eq!(place.run_here(&["audit"]).json()["ok"], true);
}

/// A bundle is bought with the credit, once.
fn bundle(server: &Server, key: &str, bank: &Bank) {
    let api = Api::new(&server.url, key);
    let bundles = api.see("/v1/operators/jazz/bundles");
    let cheap = bundles["bundles"]
        .as_array()
        .unwrap()
        .iter()
        .find(|bundle| Money::parse(bundle["price"].as_str().unwrap()).unwrap() < Money::from_units(60))
        .expect("a bundle under Rs 60");
    let price = Money::parse(cheap["price"].as_str().unwrap()).unwrap().0;
    let before = balance(server, key);
    let wish = format!("CNIC=;BundleID={}", cheap["code"].as_str().unwrap());
    let body = with(payment("MCB", "000009", "000000010000"), "reserved", &wish);
    let told = bank.paid(&body);
    assert_eq!(told.0, "00");
    assert_eq!(bank.paid(&body), told);
    assert_eq!(balance(server, key), before + CREDITED - price);
}

#[test]
fn killed_between_payment_and_answer_there_is_one_credit_or_none() {
    let place = place();
    let (server, key) = start(&place);
    server.kill();
    let mut wanted = 0;
    for round in 0..6u64 {
        let server = place.serve();
        let bank = Bank::of(&server);
        let bodies: Vec<Value> = (0..12)
            .map(|at| payment("MCB", &format!("{:06}", round * 100 + at), "000000010000"))
            .collect();
        std::thread::scope(|threads| {
            for body in &bodies {
                let bank = &bank;
                threads.spawn(move || bank.ask("BillPayment", &body.to_string()));
            }
            std::thread::sleep(std::time::Duration::from_millis(3 + 7 * round));
            server.kill();
        });
        // The bank asks again until it is answered: each is paid once.
        let server = place.serve();
        let bank = Bank::of(&server);
        for body in &bodies {
            let told = bank.paid(body);
            assert_eq!((told.0.as_str(), bank.paid(body)), ("00", told.clone()));
        }
        wanted += CREDITED * 12;
        assert_eq!(balance(&server, &key), wanted);
        server.kill();
    }
    let server = place.serve();
    assert_eq!(server.terminate(), 0);
    assert_eq!(place.run_here(&["audit"]).json()["ok"], true);
}
