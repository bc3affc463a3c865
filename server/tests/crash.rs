//! The real binary, killed at random moments under load: what was answered is there, nothing is there twice, the books balance.

mod harness;

use charge::Money;
use harness::{Api, Place, Server};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use sim::callserver::{MessageCentre, MessageCentreSettings};
use sim::diameter::ClientError;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wire::diameter::ResultCode;
use wire::diameter::credit::{
    CreditControlRequest, RequestType, RequestedAction, ServiceRequest, ServiceUnits, SubscriptionId,
    SubscriptionIdType, UsedUnits,
};

/// Rounds of kill and restart.
const ROUNDS: usize = 50;
/// The whole journal is audited every so many rounds.
const AUDIT_EVERY: usize = 10;
/// Shops that sell at the same time, each over its own connection.
const SHOPS: usize = 6;
/// Message centres that charge at the same time, each for its own subscriber.
const CENTRES: usize = 3;
/// Gateways that carry data at the same time, each session after session for its own subscriber.
const GATEWAYS: usize = 3;
/// Reports of a session between its first request and its last.
const UPDATES: u32 = 6;
/// What a gateway asks for at once, octets.
const ASKED: u64 = 10 << 20;
/// Load before the kill, milliseconds.
const LOAD_MS: std::ops::Range<u64> = 80..600;
const FLOAT: i64 = 1_000_000;
const PRICE: i64 = 100;
const OPENING: i64 = 900_000;
const FRIEND: &str = "923451112233";

#[test]
fn killed_at_random_moments_nothing_is_lost_and_nothing_happens_twice() {
    let seed: u64 = std::env::var("RASEED_CRASH_SEED")
        .ok()
        .map_or_else(rand::random, |text| text.parse().unwrap());
    println!("RASEED_CRASH_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let place = Place::new("[engine]\npartitions = 5\nsnapshot_interval_s = 1\ncache_mib = 16\n");
    let world = World::new(place);
    let mut cut_sessions = 0;
    for round in 1..=ROUNDS {
        let server = world.server();
        world.settle(&server);
        world.verify(&server);
        let load = Load::start(&server, &world);
        std::thread::sleep(Duration::from_millis(random.random_range(LOAD_MS)));
        server.kill();
        load.stop();
        cut_sessions += world.open_sessions();
        if round % AUDIT_EVERY == 0 {
            world.audit();
        }
    }
    let server = world.server();
    world.settle(&server);
    world.end_sessions(&server);
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
    let reports: u64 = world
        .gateways
        .iter()
        .map(|gateway| gateway.lock().unwrap().answered)
        .sum();
    println!(
        "{ROUNDS} kills, {sold} top-ups, {charged} charges and {reports} requests of sessions answered; \
         {cut_sessions} sessions were cut"
    );
    assert!(
        cut_sessions > ROUNDS && reports > (ROUNDS * GATEWAYS) as u64,
        "the load must be worth the name: {cut_sessions} sessions cut, {reports} requests"
    );
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
    next: u64,
    charged: u64,
    unknown: Option<u64>,
}

/// A gateway: one session after another. A session outlives the kills.
struct Gateway {
    msisdn: String,
    session: u64,
    /// CC-Request-Number of what is asked next, or was asked and not answered.
    number: u32,
    /// Asked, and no answer came.
    unknown: bool,
    /// Pulses reported in answered requests.
    pulses: i64,
    answered: u64,
}

/// Prices in the catalog, tax included.
struct Prices {
    sms: Money,
    pulse: Money,
    pulse_octets: u64,
}

struct World {
    place: Place,
    admin: String,
    shops: Vec<Arc<Mutex<Shop>>>,
    centres: Vec<Arc<Mutex<Centre>>>,
    gateways: Vec<Arc<Mutex<Gateway>>>,
    prices: Prices,
    run: u64,
}

impl Gateway {
    fn step(&self) -> (RequestType, u32) {
        let kind = match self.number {
            0 => RequestType::Initial,
            number if number <= UPDATES => RequestType::Update,
            _ => RequestType::Termination,
        };
        (kind, self.number)
    }

    /// Whole pulses since the last report, so that no rest is paid ahead.
    fn used(&self) -> i64 {
        i64::from(self.number % 3) + i64::from(self.number > UPDATES)
    }

    /// The answer has come.
    fn take_in(&mut self) {
        self.pulses += self.used();
        self.answered += 1;
        self.unknown = false;
        self.number += 1;
        if self.number > UPDATES + 1 {
            (self.session, self.number) = (self.session + 1, 0);
        }
    }
}

impl Prices {
    /// What the shipped files say of Jazz, for a number in the default region; computed here and not by the rating.
    fn of_the_catalog() -> Prices {
        let read = |name: &str| -> toml::Table {
            let path = format!("{}/../catalog/{name}.toml", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).unwrap().parse().unwrap()
        };
        let (jazz, country) = (read("jazz"), read("pakistan"));
        let amount = |value: &toml::Value| Money::parse(value.as_str().unwrap()).unwrap();
        let row = |code: &str| {
            let rows = jazz["tariff"].as_array().unwrap();
            let found = rows.iter().find(|row| row["code"].as_str() == Some(code));
            found.unwrap_or_else(|| panic!("the tariff {code}")).clone()
        };
        let region = country["tax"]["default_region"].as_str().unwrap();
        let regions = country["tax"]["region"].as_array().unwrap();
        let here = regions.iter().find(|one| one["code"].as_str() == Some(region));
        let percent = amount(&here.expect("the default region")["usage"]);
        let sms = row("sms");
        assert_eq!(sms["tax"].as_str(), Some("exclusive"));
        let tax = amount(&sms["price"]).0 * percent.0;
        assert_eq!(tax % 100_000_000, 0, "nothing to round");
        let data = row("data");
        let terms = ["tax", "per", "pulse"].map(|name| data[name].as_str().unwrap());
        assert_eq!(terms, ["inclusive", "1 MB", "512 KB"]);
        Prices {
            sms: amount(&sms["price"]) + Money(tax / 100_000_000),
            pulse: Money(amount(&data["price"]).0 / 2),
            pulse_octets: 512 * 1024,
        }
    }
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
                &json!({"msisdn": msisdn, "balance": OPENING.to_string()}),
            );
            Arc::new(Mutex::new(Centre {
                msisdn,
                next: 0,
                charged: 0,
                unknown: None,
            }))
        });
        let centres = centres.collect();
        let gateways = (0..GATEWAYS).map(|index| {
            let msisdn = format!("9230312340{index:02}");
            api.done(
                "/v1/subscribers",
                "",
                &json!({"msisdn": msisdn, "operator": "jazz", "balance": OPENING.to_string()}),
            );
            Arc::new(Mutex::new(Gateway {
                msisdn,
                session: 0,
                number: 0,
                unknown: false,
                pulses: 0,
                answered: 0,
            }))
        });
        let gateways = gateways.collect();
        server.kill();
        World {
            place,
            admin,
            shops,
            centres,
            gateways,
            prices: Prices::of_the_catalog(),
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
            let smsc = runtime.block_on(smsc(server.diameter));
            let smsc = smsc.expect("the server listens");
            let code = runtime
                .block_on(debit(&smsc, &centre.msisdn, self.run, number))
                .expect("the server answers");
            assert_eq!(code, ResultCode::SUCCESS);
            centre.charged += 1;
        }
        for gateway in &self.gateways {
            let mut gateway = gateway.lock().unwrap();
            if gateway.unknown {
                let client = runtime.block_on(connect(server)).expect("the server listens");
                self.report(&runtime, &client, &mut gateway);
            }
        }
    }

    /// Sends what the gateway has to send, and takes its answer in.
    fn report(
        &self,
        runtime: &tokio::runtime::Runtime,
        client: &sim::diameter::Client,
        gateway: &mut Gateway,
    ) {
        let code = runtime
            .block_on(report(client, gateway, self.run, self.prices.pulse_octets))
            .expect("the server answers");
        assert_eq!(code, ResultCode::SUCCESS, "{} {}", gateway.msisdn, gateway.number);
        gateway.take_in();
    }

    fn open_sessions(&self) -> usize {
        let open = |gateway: &&Arc<Mutex<Gateway>>| gateway.lock().unwrap().number > 0;
        self.gateways.iter().filter(open).count()
    }

    /// Lets every gateway carry its session to the end.
    fn end_sessions(&self, server: &Server) {
        let runtime = runtime();
        let client = runtime.block_on(connect(server)).expect("the server listens");
        for gateway in &self.gateways {
            let mut gateway = gateway.lock().unwrap();
            while gateway.number > 0 {
                self.report(&runtime, &client, &mut gateway);
            }
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
            let centre = centre.lock().unwrap();
            let account = admin.see(&format!("/v1/subscribers/{}/balance", centre.msisdn));
            let spent = Money::from_units(OPENING) - money(&account, "main");
            assert_eq!(
                spent,
                Money(self.prices.sms.0 * centre.charged as i64),
                "{account}"
            );
        }
        for gateway in &self.gateways {
            let gateway = gateway.lock().unwrap();
            let account = admin.see(&format!("/v1/subscribers/{}/balance", gateway.msisdn));
            let spent = Money::from_units(OPENING) - money(&account, "main");
            assert_eq!(
                spent,
                Money(self.prices.pulse.0 * gateway.pulses),
                "{} pulses: {account}",
                gateway.pulses
            );
            let is_open = gateway.number > 0;
            assert_eq!(account["sessions"], u32::from(is_open), "{account}");
            assert_eq!(money(&account, "reserved") > Money::ZERO, is_open, "{account}");
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
        for gateway in &world.gateways {
            let (gateway, stop, run, address) =
                (Arc::clone(gateway), Arc::clone(&stop), world.run, server.diameter);
            let pulse = world.prices.pulse_octets;
            threads.push(std::thread::spawn(move || {
                let mut gateway = gateway.lock().unwrap();
                runtime().block_on(keep_carrying(&mut gateway, address, (run, pulse), &stop));
            }));
        }
        Load { stop, threads }
    }

    fn stop(self) {
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
    let Ok(smsc) = smsc(address).await else { return };
    while !stop.load(Ordering::Relaxed) {
        let number = centre.next;
        centre.next += 1;
        match debit(&smsc, &centre.msisdn, run, number).await {
            Some(ResultCode::SUCCESS) => centre.charged += 1,
            None => {
                centre.unknown = Some(number);
                return;
            }
            Some(code) => panic!("{}: {code}", centre.msisdn),
        }
    }
}

async fn smsc(address: std::net::SocketAddr) -> Result<MessageCentre, ClientError> {
    MessageCentre::connect(address, MessageCentreSettings::new("raseed.example")).await
}

/// One short message under an id of its own; `None` when no answer came, or one that says to try again.
async fn debit(smsc: &MessageCentre, msisdn: &str, run: u64, number: u64) -> Option<ResultCode> {
    let session = format!("smsc.example;{run};{number};{msisdn}");
    let action = RequestedAction::DirectDebiting;
    let answer = smsc.event_as(&session, action, (msisdn, FRIEND), 1).await.ok()?;
    match answer.result_code() {
        ResultCode::TOO_BUSY | ResultCode::UNABLE_TO_DELIVER => None,
        code => Some(code),
    }
}

async fn keep_carrying(
    gateway: &mut Gateway,
    address: std::net::SocketAddr,
    (run, pulse): (u64, u64),
    stop: &AtomicBool,
) {
    let Ok(client) = sim::diameter::Client::connect(address, settings()).await else {
        return;
    };
    while !stop.load(Ordering::Relaxed) {
        match report(&client, gateway, run, pulse).await {
            Some(ResultCode::SUCCESS) => gateway.take_in(),
            None => {
                gateway.unknown = true;
                return;
            }
            Some(code) => panic!("{} {}: {code}", gateway.msisdn, gateway.number),
        }
    }
}

/// The next request of a session; the same again, with the T flag, when its outcome is not known. `None` as for [`debit`].
async fn report(
    client: &sim::diameter::Client,
    gateway: &Gateway,
    run: u64,
    pulse: u64,
) -> Option<ResultCode> {
    let session = format!("pgw.example;{run};{};{}", gateway.session, gateway.msisdn);
    let (kind, number) = gateway.step();
    let mut request = CreditControlRequest::new(
        client.next_id(),
        &session,
        ("pgw.example", "example"),
        "raseed.example",
        "32251@3gpp.org",
        (kind, number),
    );
    request.retransmitted = gateway.unknown;
    request.multiple_services = Some(true);
    request.subscriptions.push(SubscriptionId {
        kind: SubscriptionIdType::E164,
        data: &gateway.msisdn,
    });
    let octets = |count| ServiceUnits {
        total_octets: Some(count),
        ..ServiceUnits::default()
    };
    let used = (number > 0).then(|| UsedUnits {
        units: octets(gateway.used().unsigned_abs() * pulse),
        ..UsedUnits::default()
    });
    request.services.push(ServiceRequest {
        requested: (kind != RequestType::Termination).then(|| octets(ASKED)),
        used: used.into_iter().collect(),
        rating_group: Some(1),
        ..ServiceRequest::default()
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
