//! Partners take their sales back through the real binary, which is killed at random moments: each comes back once, its
//! owner is told by SMS and its seller by a callback, and floats, balances and the ledger agree.

mod harness;
mod receiver;

use harness::{Api, PATIENCE, Place, Server, runtime};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use receiver::{Arrived, Receiver};
use serde_json::{Value, json};
use sim::smsc::Smsc;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Rounds of kill and restart.
const ROUNDS: usize = 12;
/// Sellers at the same time, each with a partner's key.
const SELLERS: usize = 3;
/// Numbers of each seller.
const NUMBERS: usize = 4;
/// Load before the kill, milliseconds.
const LOAD_MS: std::ops::Range<u64> = 60..400;
const FLOAT: &str = "100000";

struct Seller {
    id: u64,
    key: String,
    numbers: Vec<String>,
    /// external_id and number of every sale that was begun.
    begun: Vec<(String, String)>,
    /// Those whose reversal was answered as done.
    answered: BTreeMap<String, Value>,
}

impl Seller {
    fn open(admin: &Api, index: usize, receiver: &Receiver) -> Seller {
        let numbers = (0..NUMBERS).map(|number| {
            let number = format!("92300155{index}{number:03}");
            admin.done("/v1/subscribers", &number, &json!({"msisdn": number}));
            number
        });
        let numbers = numbers.collect();
        let (id, key) = admin.partner(&format!("shop-{index}"), FLOAT);
        let commission = json!({"kind": "upfront", "percent": "2"});
        let (status, _) = admin
            .put(&format!("/v1/partners/{id}/commission"), &commission)
            .unwrap();
        assert_eq!(status, 200);
        let address = json!({"url": receiver.url(&format!("/{index}"))});
        let told = admin
            .with_key(&key)
            .put("/v1/partners/me/callback", &address)
            .unwrap();
        assert_eq!(told.0, 200, "{told:?}");
        Seller {
            id,
            key,
            numbers,
            begun: Vec::new(),
            answered: BTreeMap::new(),
        }
    }

    /// Sells and takes back until the server is gone.
    fn work(&mut self, url: &str, stop: &AtomicBool) {
        let api = Api::new(url, &self.key);
        while !stop.load(Ordering::Relaxed) {
            let count = self.begun.len();
            let number = self.numbers[count % NUMBERS].clone();
            let external = format!("{}-{count}", self.id);
            self.begun.push((external.clone(), number.clone()));
            let Some(done) = sell_and_take_back(&api, &external, &number) else {
                return;
            };
            self.answered.insert(external, done);
        }
    }

    /// After a restart: what was answered still says the same, and what was not is asked for again.
    fn settle(&mut self, url: &str, from: usize) {
        let api = Api::new(url, &self.key);
        for (external, number) in &self.begun[from..] {
            let done = sell_and_take_back(&api, external, number).expect("the server answers");
            if let Some(before) = self.answered.insert(external.clone(), done.clone()) {
                assert_eq!(before, done, "answered before the kill");
            }
        }
    }

    /// Everything has come back, with the commission: the float is what it was, and no number has anything.
    fn verify(&self, admin: &Api) {
        let partner = admin.see(&format!("/v1/partners/{}", self.id));
        assert_eq!(
            (partner["float"].as_str(), partner["in_transit"].as_str()),
            (Some("100000.00"), Some("0.00")),
            "{partner}"
        );
        for number in &self.numbers {
            let account = admin.see(&format!("/v1/subscribers/{number}/balance"));
            assert_eq!(account["main"], "0.00", "{account}");
        }
    }
}

/// The sale as it is after its reversal; `None` when the server has gone.
fn sell_and_take_back(api: &Api, external: &str, number: &str) -> Option<Value> {
    let body = json!({"msisdn": number, "amount": "100", "external_id": external, "again": true});
    let sale = insist(api, "/v1/topups?wait=10", external, &body, |sale| {
        matches!(sale["state"].as_str(), Some("COMPLETED" | "REVERSED"))
    })?;
    let id = sale["id"].as_str().expect("an id");
    let path = format!("/v1/topups/{id}/reversal?wait=10");
    let done = insist(api, &path, "", &json!({}), |sale| sale["state"] == "REVERSED")?;
    assert_eq!(
        (&done["reversal"]["amount"], &done["reversal"]["commission"]),
        (&json!("100.00"), &json!("2.00")),
        "nothing of it was used: {done}"
    );
    Some(done)
}

/// The same request until the answer is good; `None` when the server has gone.
fn insist(api: &Api, path: &str, once: &str, body: &Value, good: impl Fn(&Value) -> bool) -> Option<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, answer) = api.post(path, once, body)?;
        assert!(Instant::now() < deadline, "{path}: {status} {answer}");
        match status {
            200..=299 if good(&answer) => return Some(answer),
            200..=299 | 409 | 429 | 503 => std::thread::sleep(Duration::from_millis(5)),
            _ => panic!("{path}: {status} {answer}"),
        }
    }
}

fn load(server: &Server, sellers: &mut [Seller], for_ms: u64, kill: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seller in sellers {
            let (stop, url) = (&stop, &server.url);
            scope.spawn(move || seller.work(url, stop));
        }
        std::thread::sleep(Duration::from_millis(for_ms));
        kill();
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn killed_at_random_moments_every_sale_comes_back_once_and_everybody_is_told() {
    let seed: u64 = std::env::var("RASEED_CRASH_SEED")
        .ok()
        .map_or_else(rand::random, |text| text.parse().unwrap());
    println!("RASEED_CRASH_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let runtime = runtime();
    let address = "127.0.0.1:0".parse().unwrap();
    let centre = runtime
        .block_on(Smsc::start(address, wire::smpp::CentreConfig::default()))
        .unwrap();
    let receiver = Receiver::start();
    let place = Place::new(&format!(
        "[engine]\npartitions = 5\nsnapshot_interval_s = 1\ncache_mib = 16\n[callbacks]\nallow_loopback = \
         true\nfirst_wait_ms = 20\n[sms.default]\naddress = '{}'\noutbox_interval_ms = 50\n",
        centre.address()
    ));
    let server = place.serve();
    let key = server.key.clone().unwrap();
    let admin = Api::new(&server.url, &key);
    let mut sellers: Vec<Seller> = (0..SELLERS)
        .map(|index| Seller::open(&admin, index, &receiver))
        .collect();
    server.kill();
    let mut settled = [0; SELLERS];
    for round in 1..=ROUNDS {
        let server = place.serve();
        let admin = Api::new(&server.url, &key);
        for (seller, from) in sellers.iter_mut().zip(&mut settled) {
            seller.settle(&server.url, *from);
            seller.verify(&admin);
            *from = seller.begun.len();
        }
        let pid = server.pid();
        load(&server, &mut sellers, random.random_range(LOAD_MS), || kill(pid));
        server.kill();
        if round % 4 == 0 {
            audit(&place);
        }
    }
    let server = place.serve();
    let admin = Api::new(&server.url, &key);
    for (seller, from) in sellers.iter_mut().zip(settled) {
        seller.settle(&server.url, from);
        seller.verify(&admin);
    }
    let sales: usize = sellers.iter().map(|seller| seller.begun.len()).sum();
    assert!(
        sales > ROUNDS * SELLERS,
        "the load must be worth the name: {sales}"
    );
    everybody_is_told(&sellers, &centre, &receiver);
    assert_eq!(server.terminate(), 0);
    audit(&place);
    println!("{ROUNDS} kills, {sales} sales taken back");
}

/// SIGKILL while others wait for its answers.
fn kill(pid: u32) {
    let told = std::process::Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status();
    assert!(told.unwrap().success());
}

fn audit(place: &Place) {
    let audit = place.run_here(&["audit"]).json();
    assert_eq!(audit["ok"], true, "{audit}");
}

/// Each owner has a message about each of its sales that was taken back, each seller one callback about each end of each.
fn everybody_is_told(sellers: &[Seller], centre: &Smsc, receiver: &Receiver) {
    for (index, seller) in sellers.iter().enumerate() {
        for number in &seller.numbers {
            let sold = seller.begun.iter().filter(|(_, to)| to == number);
            let wanted: BTreeSet<String> = sold
                .map(|(external, _)| seller.answered[external]["id"].as_str().unwrap().replace('-', ""))
                .collect();
            eventually(&format!("the messages to {number}"), || {
                let messages = centre.inbox().messages(number);
                let told = messages
                    .iter()
                    .filter(|message| message.text.contains("was taken back"));
                let ids: Vec<&str> = told
                    .filter_map(|message| message.text.split("Object: ").nth(1))
                    .collect();
                let different: BTreeSet<String> = ids.iter().map(|id| id.trim().to_owned()).collect();
                // One that was on its way to the centre when the process died is sent again.
                assert!(ids.len() <= different.len() + ROUNDS * 64);
                assert!(different.is_subset(&wanted), "{different:?}");
                different.len() == wanted.len()
            });
        }
        let path = format!("/{index}");
        let sales = seller.begun.len();
        eventually("the callbacks", || {
            let mut told: BTreeMap<u64, Arrived> = BTreeMap::new();
            for one in receiver.arrived().into_iter().filter(|one| one.path == path) {
                let first = told.entry(one.sequence()).or_insert_with(|| one.clone());
                assert_eq!(first.body, one.body, "sent again it says the same");
            }
            assert!(told.len() <= 2 * sales, "{} for {sales}", told.len());
            told.len() == 2 * sales && is_complete(seller, &told)
        });
    }
}

/// One `topup.completed` and one `topup.reversed` about each sale, the latter with the sale as it is now.
fn is_complete(seller: &Seller, told: &BTreeMap<u64, Arrived>) -> bool {
    assert_eq!(told.keys().next_back(), Some(&(told.len() as u64)), "no gaps");
    let of = |kind: &str| -> BTreeMap<&str, &Value> {
        let those = told.values().filter(|one| one.json["type"] == kind);
        let topups = those.map(|one| &one.json["topup"]);
        topups
            .map(|topup| (topup["external_id"].as_str().unwrap(), topup))
            .collect()
    };
    let (completed, reversed) = (of("topup.completed"), of("topup.reversed"));
    for (external, _) in &seller.begun {
        assert_eq!(completed[external.as_str()]["state"], "COMPLETED");
        assert_eq!(reversed[external.as_str()], &seller.answered[external]);
    }
    completed.len() == seller.begun.len() && reversed.len() == seller.begun.len()
}

fn eventually(what: &str, mut question: impl FnMut() -> bool) {
    let deadline = Instant::now() + 2 * PATIENCE;
    while !question() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(100));
    }
}
