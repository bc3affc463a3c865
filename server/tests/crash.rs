//! The real binary, killed at random moments under load: what was answered is there, nothing is there twice, the books balance.

mod harness;

use charge::Money;
use harness::{Api, Place, Server};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wire::diameter::ResultCode;
use wire::diameter::credit::{
    CreditControlRequest, RequestType, RequestedAction, ServiceUnits, SubscriptionId, SubscriptionIdType,
};

/// Rounds of kill and restart.
const ROUNDS: usize = 50;
/// The whole journal is audited every so many rounds.
const AUDIT_EVERY: usize = 10;
/// Shops that sell at the same time, each over its own connection.
const SHOPS: usize = 6;
/// Message centres that charge at the same time, each for its own subscriber.
const CENTRES: usize = 3;
/// Load before the kill, milliseconds.
const LOAD_MS: std::ops::Range<u64> = 80..600;
const FLOAT: i64 = 1_000_000;
const PRICE: i64 = 100;
const FRIEND: &str = "923451112233";

#[test]
fn killed_at_random_moments_nothing_is_lost_and_nothing_happens_twice() {
    let seed: u64 = std::env::var("RASEED_CRASH_SEED")
        .ok()
        .map_or_else(rand::random, |text| text.parse().unwrap());
    println!("RASEED_CRASH_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let place = Place::new("[engine]\npartitions = 5\nsnapshot_interval_s = 1\ncache_mib = 16\n");
    let mut world = World::new(place);
    for round in 1..=ROUNDS {
        let server = world.server();
        world.settle(&server);
        world.verify(&server);
        let load = Load::start(&server, &world);
        std::thread::sleep(Duration::from_millis(random.random_range(LOAD_MS)));
        server.kill();
        load.stop(&mut world);
        if round % AUDIT_EVERY == 0 {
            world.audit();
        }
    }
    let server = world.server();
    world.settle(&server);
    world.verify_all(&server);
    assert_eq!(server.terminate(), 0, "an orderly end after all that");
    world.audit();
    let sold: usize = world
        .shops
        .iter()
        .map(|shop| shop.lock().unwrap().answered.len())
        .sum();
    let charged: u64 = world
        .centres
        .iter()
        .map(|centre| centre.lock().unwrap().charged)
        .sum();
    println!("{ROUNDS} kills, {sold} top-ups and {charged} charges answered");
    assert!(
        sold > ROUNDS * SHOPS,
        "the load must be worth the name: {sold} top-ups"
    );
    assert!(
        charged > (ROUNDS * CENTRES) as u64,
        "the load must be worth the name: {charged} charges"
    );
}

/// A shop: its key, what was answered, and what it does not know the outcome of.
struct Shop {
    id: u64,
    key: String,
    msisdn: String,
    next: u64,
    /// external_id and receipt.
    answered: BTreeMap<String, String>,
    /// Those of the last round, to be looked up after the restart.
    fresh: Vec<String>,
    unknown: Option<String>,
}

/// A message centre: charged messages of one subscriber.
struct Centre {
    msisdn: String,
    opening: Money,
    price: Option<Money>,
    next: u64,
    charged: u64,
    unknown: Option<u64>,
}

struct World {
    place: Place,
    admin: String,
    shops: Vec<Arc<Mutex<Shop>>>,
    centres: Vec<Arc<Mutex<Centre>>>,
    run: u64,
}

impl World {
    fn new(place: Place) -> World {
        let server = place.serve();
        let admin = server.key.clone().expect("the first start prints a key");
        let api = Api::new(&server.url, &admin);
        let shops = (0..SHOPS).map(|index| {
            let msisdn = format!("9230012340{index:02}");
            api.done("/v1/subscribers", "", &json!({"msisdn": msisdn}));
            let (id, key) = api.partner(&format!("shop-{index}"), &FLOAT.to_string());
            Arc::new(Mutex::new(Shop {
                id,
                key,
                msisdn,
                next: 0,
                answered: BTreeMap::new(),
                fresh: Vec::new(),
                unknown: None,
            }))
        });
        let shops = shops.collect();
        let centres = (0..CENTRES).map(|index| {
            let msisdn = format!("9230212340{index:02}");
            api.done(
                "/v1/subscribers",
                "",
                &json!({"msisdn": msisdn, "balance": "900000"}),
            );
            Arc::new(Mutex::new(Centre {
                msisdn,
                opening: Money::from_units(900_000),
                price: None,
                next: 0,
                charged: 0,
                unknown: None,
            }))
        });
        let centres = centres.collect();
        server.kill();
        World {
            place,
            admin,
            shops,
            centres,
            run: rand::random(),
        }
    }

    fn server(&self) -> Server {
        let server = self.place.serve();
        assert_eq!(server.key, None, "the admin key is durable");
        server
    }

    /// Asks again for everything whose outcome is not known, under the same ids.
    fn settle(&self, server: &Server) {
        for shop in &self.shops {
            let mut shop = shop.lock().unwrap();
            let Some(reference) = shop.unknown.take() else {
                continue;
            };
            let api = Api::new(&server.url, &shop.key);
            let receipt = sell(&api, &shop.msisdn, &reference).expect("the server answers");
            shop.answered.insert(reference, receipt);
        }
        let runtime = runtime();
        for centre in &self.centres {
            let mut centre = centre.lock().unwrap();
            let Some(number) = centre.unknown.take() else {
                continue;
            };
            let client = runtime.block_on(connect(server)).expect("the server listens");
            let code = runtime
                .block_on(debit(&client, &centre.msisdn, self.run, number))
                .expect("the server answers");
            assert_eq!(code, ResultCode::SUCCESS);
            centre.charged += 1;
        }
    }

    /// Everything answered in the last round is there; nothing is there twice: floats and balances say the same sums.
    fn verify(&self, server: &Server) {
        let admin = Api::new(&server.url, &self.admin);
        for shop in &self.shops {
            let mut shop = shop.lock().unwrap();
            let api = Api::new(&server.url, &shop.key);
            for reference in std::mem::take(&mut shop.fresh) {
                look_up(&api, &shop, &reference);
            }
            let sold = shop.answered.len() as i64;
            let partner = admin.see(&format!("/v1/partners/{}", shop.id));
            assert_eq!(
                money(&partner, "float"),
                Money::from_units(FLOAT - PRICE * sold),
                "{partner}"
            );
            assert_eq!(money(&partner, "in_transit"), Money::ZERO, "{partner}");
            let account = admin.see(&format!("/v1/subscribers/{}/balance", shop.msisdn));
            assert_eq!(money(&account, "main"), Money(86_956_522 * sold), "{account}");
        }
        for centre in &self.centres {
            let mut centre = centre.lock().unwrap();
            let account = admin.see(&format!("/v1/subscribers/{}/balance", centre.msisdn));
            let spent = centre.opening - money(&account, "main");
            if centre.charged > 0 {
                let charged = centre.charged as i64;
                let price = *centre.price.get_or_insert(Money(spent.0 / charged));
                assert!(price > Money::ZERO);
                assert_eq!(spent, Money(price.0 * charged), "{account}");
            }
        }
    }

    fn verify_all(&self, server: &Server) {
        self.verify(server);
        for shop in &self.shops {
            let shop = shop.lock().unwrap();
            let api = Api::new(&server.url, &shop.key);
            for reference in shop.answered.keys() {
                look_up(&api, &shop, reference);
            }
        }
    }

    fn audit(&self) {
        let audit = self.place.run_here(&["audit"]).json();
        assert_eq!(audit["ok"], true, "{audit}");
    }
}

fn look_up(api: &Api, shop: &Shop, reference: &str) {
    let path = format!("/v1/topups?external_id={reference}");
    let top_up = loop {
        match api.get(&path).expect("an answer") {
            (200, top_up) => break top_up,
            // Keys have a rate; the shop waits.
            (429, _) => std::thread::sleep(Duration::from_millis(50)),
            (status, answer) => panic!("{reference}: {status} {answer}"),
        }
    };
    assert_eq!(top_up["state"], "COMPLETED", "{top_up}");
    assert_eq!(
        top_up["receipt"].as_str(),
        Some(shop.answered[reference].as_str()),
        "{top_up}"
    );
}

/// Threads that sell and charge until the server is gone.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(server: &Server, world: &World) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for shop in &world.shops {
            let (shop, stop, url) = (Arc::clone(shop), Arc::clone(&stop), server.url.clone());
            threads.push(std::thread::spawn(move || {
                keep_selling(&mut shop.lock().unwrap(), &url, &stop);
            }));
        }
        for centre in &world.centres {
            let (centre, stop, run, address) =
                (Arc::clone(centre), Arc::clone(&stop), world.run, server.diameter);
            threads.push(std::thread::spawn(move || {
                let runtime = runtime();
                runtime.block_on(keep_charging(&mut centre.lock().unwrap(), address, run, &stop));
            }));
        }
        Load { stop, threads }
    }

    fn stop(self, _world: &mut World) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a load thread");
        }
    }
}

fn keep_selling(shop: &mut Shop, url: &str, stop: &AtomicBool) {
    let api = Api::new(url, &shop.key);
    while !stop.load(Ordering::Relaxed) {
        let reference = format!("{}-{}", shop.id, shop.next);
        shop.next += 1;
        match sell(&api, &shop.msisdn, &reference) {
            Some(receipt) => {
                shop.answered.insert(reference.clone(), receipt);
                shop.fresh.push(reference);
            }
            None => {
                shop.unknown = Some(reference);
                return;
            }
        }
    }
}

/// The receipt, or `None` when the server has gone.
fn sell(api: &Api, msisdn: &str, reference: &str) -> Option<String> {
    let body =
        json!({"msisdn": msisdn, "amount": PRICE.to_string(), "external_id": reference, "again": true});
    let started = Instant::now();
    loop {
        let (status, answer) = api.post("/v1/topups?wait=10", reference, &body)?;
        assert!(
            started.elapsed() < harness::PATIENCE,
            "{reference}: {status} {answer}"
        );
        match (status, answer["receipt"].as_str()) {
            (200..=299, Some(receipt)) => return Some(receipt.to_owned()),
            // Accepted and on its way, too many requests, or too busy: the same request again.
            (200..=299 | 409 | 429 | 503, _) => std::thread::sleep(Duration::from_millis(5)),
            _ => panic!("{reference}: {status} {answer}"),
        }
    }
}

async fn keep_charging(centre: &mut Centre, address: std::net::SocketAddr, run: u64, stop: &AtomicBool) {
    let Ok(client) = sim::diameter::Client::connect(address, settings()).await else {
        return;
    };
    while !stop.load(Ordering::Relaxed) {
        let number = centre.next;
        centre.next += 1;
        match debit(&client, &centre.msisdn, run, number).await {
            Some(ResultCode::SUCCESS) => centre.charged += 1,
            None => {
                centre.unknown = Some(number);
                return;
            }
            Some(code) => panic!("{}: {code}", centre.msisdn),
        }
    }
}

/// One short message under an id of its own; `None` when no answer came, or one that says to try again.
async fn debit(client: &sim::diameter::Client, msisdn: &str, run: u64, number: u64) -> Option<ResultCode> {
    let session = format!("smsc.example;{run};{number};{msisdn}");
    let mut request = CreditControlRequest::new(
        client.next_id(),
        &session,
        ("smsc.example", "example"),
        "raseed.example",
        "32274@3gpp.org",
        (RequestType::Event, 0),
    );
    request.requested_action = Some(RequestedAction::DirectDebiting);
    request.subscriptions.push(SubscriptionId {
        kind: SubscriptionIdType::E164,
        data: msisdn,
    });
    request.requested = Some(ServiceUnits {
        specific: Some(1),
        ..ServiceUnits::default()
    });
    let party = |number| wire::diameter::credit::MessageAddress {
        kind: None,
        data: Some(number),
    };
    request.service_information = Some(wire::diameter::credit::ServiceInformation {
        sms: Some(wire::diameter::credit::SmsInformation {
            messages_sent: Some(1),
            originator: Some(party(msisdn)),
            recipients: std::iter::once(party(FRIEND)).collect(),
            ..Default::default()
        }),
        ..Default::default()
    });
    let answer = client.request(&request).await.ok()?;
    match answer.result_code() {
        ResultCode::TOO_BUSY | ResultCode::UNABLE_TO_DELIVER => None,
        code => Some(code),
    }
}

async fn connect(server: &Server) -> Option<sim::diameter::Client> {
    sim::diameter::Client::connect(server.diameter, settings())
        .await
        .ok()
}

fn settings() -> wire::diameter::peer::PeerSettings {
    sim::diameter::settings("smsc.example", "example", "crash test")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn money(value: &Value, name: &str) -> Money {
    Money::parse(value[name].as_str().unwrap_or_default()).unwrap_or_else(|_| panic!("{name} of {value}"))
}
