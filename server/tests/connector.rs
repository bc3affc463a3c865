//! The real binary with an operator whose core is elsewhere: its numbers are recharged from a rail and from a partner's float,
//! and whatever happens to the connector or to us, each sale is credited once or its money goes back once.

mod harness;
mod shop;

use harness::{Api, PATIENCE, Place, Server, runtime};
use serde_json::{Value, json};
use shop::{Guest, Paid, Rail, WALLET};
use sim::rails::pretups::{Account, Pretups};
use sim::rails::{Direction, Misbehaviour, Outcome, Served};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A number of Ufone, which has no account here.
const NUMBER: &str = "923331112223";

/// The far operator at work on threads of its own.
struct Far {
    sandbox: Arc<Pretups>,
    account: Account,
    served: Served,
    _runtime: tokio::runtime::Runtime,
}

impl Far {
    fn start() -> Far {
        let runtime = runtime();
        let account = Account::default();
        let sandbox = Pretups::new(account.clone());
        let served = runtime.block_on(sandbox.serve(0)).unwrap();
        Far {
            sandbox,
            account,
            served,
            _runtime: runtime,
        }
    }

    fn config(&self) -> String {
        let Account {
            login,
            password,
            gateway,
            network,
            retailer,
            pin,
            ..
        } = &self.account;
        format!(
            "[[connector]]\noperator = 'ufone'\nlow_balance = '2000000'\n[connector.pretups]\ncode = 'ufone-pretups'\nurl = \
             '{}/pretups/C2SReceiver'\nlogin = '{login}'\npassword = '{password}'\ngateway_code = '{gateway}'\nnetwork_code = \
             '{network}'\nretailer = '{retailer}'\npin = '{pin}'\nstrip_prefix = '92'\non_its_way_s = 2\n\
             [connector.pretups.codes]\n'1006' = 'unheard'\n",
            self.served.url
        )
    }

    fn misbehave(&self, wrong: Misbehaviour) {
        self.sandbox.desk.misbehave(wrong);
    }

    /// Credits of all sales; each at most once.
    fn credits(&self) -> usize {
        let sales = self.sandbox.sales();
        for sale in &sales {
            assert!(
                self.sandbox.desk.count(&sale.reference, Direction::Payment) <= 1,
                "{sale:?}"
            );
        }
        sales.iter().filter(|sale| sale.credited == Some(true)).count()
    }
}

fn eventually<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn sell(server: &Server, key: &str, external: &str, amount: &str) -> Value {
    let api = Api::new(&server.url, key);
    let body = json!({"msisdn": NUMBER, "amount": amount, "external_id": external, "again": true});
    let (status, value) = api
        .post("/v1/topups?wait=10", external, &body)
        .expect("an answer");
    assert!(matches!(status, 201 | 202), "{status} {value}");
    value
}

fn state(server: &Server, key: &str, external: &str) -> String {
    let top_up = Api::new(&server.url, key).see(&format!("/v1/topups?external_id={external}"));
    top_up["state"].as_str().unwrap().to_owned()
}

fn float(server: &Server, key: &str) -> String {
    let partner = Api::new(&server.url, key).see("/v1/partners/me");
    partner["float"].as_str().unwrap().to_owned()
}

#[test]
fn numbers_of_another_operator_are_recharged_from_rails_and_floats() {
    let (rail, far) = (Rail::start(), Far::start());
    let log = "log = 'debug'";
    let place = Place::new(&format!("{}{}", rail.config(), far.config()));
    let text = std::fs::read_to_string(place.config()).unwrap();
    std::fs::write(place.config(), text.replace("log = 'warn'", log)).unwrap();
    let server = place.serve();
    rail.send_to(&server);
    let key = server.key.clone().unwrap();
    let admin = Api::new(&server.url, &key);
    let (_, shop) = admin.partner("shop", "1000");

    // From a wallet: shown whose number it is, paid, handed over, shown as credited.
    let found = admin.see(&format!("/v1/lookup/{NUMBER}"));
    assert_eq!(
        (&found["operator"]["code"], &found["rechargeable"]),
        (&json!("ufone"), &json!(true))
    );
    let mut guest = Guest::new(&server.url);
    let review = guest
        .get(&format!("/recharge?number={NUMBER}&amount=100"))
        .unwrap();
    assert!(review.text.contains("Ufone"), "{}", review.text);
    let Some(Paid::Status(id)) = guest.pay(WALLET, NUMBER, "100") else {
        panic!("the wallet was not asked");
    };
    eventually("the credit", || {
        guest.look(id).filter(|page| page.text.contains("R261122."))
    });
    assert_eq!(far.credits(), 1);
    assert_eq!(far.sandbox.sales()[0].reference, id.to_string());

    // Refused there: the wallet has its money back.
    far.misbehave(Misbehaviour {
        outcome: Some(Outcome::Decline),
        ..Misbehaviour::default()
    });
    let Some(Paid::Status(refused)) = guest.pay(WALLET, NUMBER, "150") else {
        panic!("the wallet was not asked");
    };
    eventually("the refund", || {
        (rail.sandbox.desk.count(&refused.to_string(), Direction::Refund) == 1).then_some(())
    });
    assert_eq!(rail.sandbox.desk.net(&refused.to_string()), 0);

    // From a float: refused, delivered, and delivered without a word.
    let no = sell(&server, &shop, "no", "100");
    assert_eq!(
        (no["state"].as_str(), no["reason"]["name"].as_str()),
        (Some("DECLINED"), Some("declined"))
    );
    assert_eq!(float(&server, &shop), "1000.00");
    far.misbehave(Misbehaviour::default());
    let quote =
        Api::new(&server.url, &shop).done("/v1/quotes", "", &json!({"msisdn": NUMBER, "amount": "100"}));
    assert_eq!(
        (
            &quote["operator"]["code"],
            &quote["net_credit"],
            &quote["elsewhere"]
        ),
        (&json!("ufone"), &json!("100.00"), &json!(true))
    );
    assert_eq!((&quote["tax"], &quote["valid_until"]), (&json!([]), &Value::Null));
    let body = json!({"msisdn": NUMBER, "amount": "120", "external_id": "dear", "quote": quote["id"]});
    let dear = Api::new(&server.url, &shop)
        .post("/v1/topups", "dear", &body)
        .unwrap();
    assert_eq!(dear.0, 409, "a quote is for its amount: {dear:?}");
    let yes = sell(&server, &shop, "yes", "100");
    assert_eq!(yes["state"], "COMPLETED", "{yes}");
    assert!(yes["delivered"].as_str().unwrap().starts_with("R261122."));
    far.misbehave(Misbehaviour {
        drop_after_commit: 1,
        ..Misbehaviour::default()
    });
    let body = json!({"msisdn": NUMBER, "amount": "90", "external_id": "silent", "again": true});
    Api::new(&server.url, &shop).done("/v1/topups", "silent", &body);
    eventually("the answer to the question", || {
        (state(&server, &shop, "silent") == "COMPLETED").then_some(())
    });
    far.misbehave(Misbehaviour {
        drop_before_commit: 1,
        ..Misbehaviour::default()
    });
    let body = json!({"msisdn": NUMBER, "amount": "80", "external_id": "lost", "again": true});
    Api::new(&server.url, &shop).done("/v1/topups", "lost", &body);
    eventually("the second try", || {
        (state(&server, &shop, "lost") == "COMPLETED").then_some(())
    });
    assert_eq!(far.credits(), 4);
    assert_eq!(float(&server, &shop), "730.00");

    // A number of Jazz's range that has moved there goes there too.
    let moved = "923001119999";
    let port = json!({"operator": "ufone"});
    let (status, answer) = admin
        .put(&format!("/v1/numbers/{moved}/operator"), &port)
        .unwrap();
    assert!(status < 300, "{status} {answer}");
    let body = json!({"msisdn": moved, "amount": "100", "external_id": "ported"});
    let ported = Api::new(&server.url, &shop).done("/v1/topups?wait=10", "ported", &body);
    assert_eq!(
        (ported["state"].as_str(), ported["operator"].as_str()),
        (Some("COMPLETED"), Some("ufone"))
    );
    assert_eq!(far.sandbox.sales().last().unwrap().subscriber, "3001119999");

    let connectors = eventually("the balance", || {
        let list = admin.see("/v1/connectors");
        list["connectors"][0]["balance"].is_string().then_some(list)
    });
    assert_eq!(connectors["connectors"][0]["low"], true, "{connectors}");
    assert_eq!(server.terminate(), 0);
    let audit = place.run_here(&["audit"]).json();
    assert_eq!(audit["ok"], true, "{audit}");
    no_secrets(&place, &far.account);
}

/// The log-in and the PIN of the gateway stand in no file of the data directory.
fn no_secrets(place: &Place, account: &Account) {
    let mut files = 0;
    for entry in std::fs::read_dir(place.data()).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        files += 1;
        let bytes = std::fs::read(&path).unwrap();
        for secret in [&account.login, &account.password] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", path.display());
        }
    }
    assert!(files > 3);
}

#[test]
fn killed_between_the_sale_and_the_answer_each_is_credited_once() {
    let (rail, far) = (Rail::start(), Far::start());
    let place = Place::new(&format!(
        "[engine]\npartitions = 5\nsnapshot_interval_s = 1\n{}{}",
        rail.config(),
        far.config()
    ));
    let server = place.serve();
    let key = server.key.clone().unwrap();
    let (_, shop) = Api::new(&server.url, &key).partner("shop", "10000");
    server.kill();
    let mut sold = Vec::new();
    let mut paid = Vec::new();
    for round in 0..5 {
        let server = place.serve();
        rail.send_to(&server);
        far.misbehave(Misbehaviour {
            late_ms: 300,
            delay_ms: 30 * round,
            drop_before_commit: u32::from(round % 2 == 0),
            drop_after_commit: u32::from(round % 2 == 1),
            ..Misbehaviour::default()
        });
        for number in 0..3 {
            let external = format!("s{round}-{number}");
            let body = json!({"msisdn": NUMBER, "amount": "100", "external_id": external, "again": true});
            Api::new(&server.url, &shop).done("/v1/topups", &external, &body);
            sold.push(external);
        }
        if let Some(Paid::Status(id)) = Guest::new(&server.url).pay(WALLET, NUMBER, "100") {
            paid.push(id);
        }
        std::thread::sleep(Duration::from_millis(40 * (round + 1)));
        server.kill();
    }
    far.misbehave(Misbehaviour::default());
    let server = place.serve();
    rail.send_to(&server);
    for external in &sold {
        eventually(external, || {
            (state(&server, &shop, external) == "COMPLETED").then_some(())
        });
    }
    let mut guest = Guest::new(&server.url);
    for id in &paid {
        // Those whose wallet was never asked have moved nothing.
        if rail.sandbox.desk.net(&id.to_string()) > 0 {
            eventually("a payment", || {
                guest.look(*id).filter(|page| page.text.contains("R261122."))
            });
        }
    }
    let taken = paid
        .iter()
        .filter(|id| rail.sandbox.desk.net(&id.to_string()) > 0)
        .count();
    assert_eq!(far.credits(), sold.len() + taken);
    assert_eq!(float(&server, &shop), format!("{}.00", 10_000 - 100 * sold.len()));
    assert_eq!(server.terminate(), 0);
    let audit = place.run_here(&["audit"]).json();
    assert_eq!(audit["ok"], true, "{audit}");
}
