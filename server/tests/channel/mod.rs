//! One channel of the real binary with everybody around it: centre, wallet, bank, shops, retailers, cards.

mod bad;
mod stock;

pub use stock::stock_under_kills;

use crate::harness::{Api, PATIENCE, Place, Server};
use crate::shop::Rail;
use charge::Money;
use serde_json::json;
use sim::banks::Trouble;
use sim::banks::atm::{Line, Profile};
use sim::banks::onebill::{self, Payment, Switch};
use sim::bench::eid::ask::{Asker, Said};
use sim::bench::eid::{Channel, Counter, Intent, Target, Till};
use sim::rails::Direction;
use sim::smsc::Smsc;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wire::smpp::CentreConfig;

/// What Rs 100 buy, less advance income tax.
pub const CREDITED: Money = Money(86_956_522);
const RS_100: i64 = 100_000_000;
const FIRST: u64 = 923_000_000_000;
/// Subscribers; behind them are the retailers, and one who reads Urdu and one who reads Chinese.
const SUBSCRIBERS: u64 = 60;
const TILLS: u64 = 10;
const READS_URDU: u64 = FIRST + SUBSCRIBERS + TILLS;
const READS_CHINESE: u64 = READS_URDU + 1;
const BANK: u32 = 7_001;
const BANK_PASSWORD: &str = "bench-bank";
/// SHA-256 of it.
const BANK_HASH: &str = "632186b13e7eeb4c87c88bb9879c27f31f61a2d19390d75a2e5ba40c64203370";
const FIRST_PIN: &str = "2580";
const PIN: &str = "7391";
/// Who sells.
const STAFF: &str = "ali";
const FLOAT: i64 = 100_000;
/// How long is looked at what should not change.
const STILL: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(20);

/// A server, its peers, and what was intended so far.
pub struct Scene {
    pub channel: Channel,
    place: Place,
    server: Option<Server>,
    key: String,
    rail: Rail,
    centre: Arc<Smsc>,
    asker: Arc<Asker>,
    intents: Vec<Intent>,
    /// Who sells here: partner or seller.
    seller: Vec<u64>,
    log: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    pub fn new(channel: Channel) -> Scene {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listening = Smsc::start("127.0.0.1:0".parse().unwrap(), CentreConfig::default());
        let centre = Arc::new(runtime.block_on(listening).unwrap());
        let rail = Rail::start();
        let place = Place::new("");
        let made = place
            .run(&["cards", "key", "--out", "printer.key", "--json"])
            .json();
        let public = made["public_key"].as_str().unwrap();
        let config = format!(
            "[engine]\npartitions = 5\nsnapshot_interval_s = 1\n[sms.default]\naddress = '{}'\nsender = '443'\n\
             outbox_interval_ms = 50\nreconnect_max_ms = 500\n[ussd.http.agg]\nlisten = '127.0.0.1:0'\n\
             [banks.iso8583]\nlisten = ['127.0.0.1:0']\n[[banks.bank]]\ncode = 'bank'\ninstitution = '100100'\n\
             partner = {BANK}\naddresses = ['127.0.0.0/8']\n[banks.bank.onebill]\nmnemonic = 'HBL'\nusername = 'link'\n\
             password_sha256 = '{BANK_HASH}'\nduplicate = 'original'\n[banks.onebill]\nlisten = ['127.0.0.1:0']\n\
             [cards]\nprinters = {{ press = '{public}' }}\n{}",
            centre.address(),
            rail.config()
        );
        place.configure(&config);
        let log = place.path("server.log");
        let server = place.serve_logged(&log);
        let key = server.key.clone().unwrap();
        let (target, seller) = set_up(&place, &server, &key, channel);
        rail.send_to(&server);
        let asker = runtime.block_on(async { Asker::new(target, Arc::clone(&centre), 1) });
        let scene = Scene {
            channel,
            place,
            server: Some(server),
            key,
            rail,
            centre,
            asker: Arc::new(asker.unwrap()),
            intents: Vec::new(),
            seller,
            log,
            runtime,
        };
        until("the read models are up", || {
            let metrics = scene.text("/metrics");
            metrics.contains("raseed_read_models_lag_batches 0").then_some(())
        });
        scene
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn api(&self) -> Api {
        Api::new(&self.server().url, &self.key)
    }

    fn text(&self, path: &str) -> String {
        let mut answer = ureq::get(format!("{}{path}", self.server().url)).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    }

    /// The next recharge, to a number of its own.
    pub fn intend(&mut self) -> Intent {
        let nth = self.intents.len();
        assert!((nth as u64) < SUBSCRIBERS, "not enough numbers");
        let intent = Intent {
            index: nth as u64,
            channel: self.channel,
            nth,
            card: nth,
            msisdn: FIRST + nth as u64,
        };
        self.intents.push(intent);
        intent
    }

    /// Asks the same until it is done.
    #[track_caller]
    pub fn until_done(&self, intent: Intent) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.runtime.block_on(self.asker.ask(intent, 0));
            match said {
                Ok(Said::Done) => return,
                Ok(Said::No(why)) => panic!("{:?}: {why}", self.channel),
                other => assert!(Instant::now() < deadline, "{:?}: {other:?}", self.channel),
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The same from two connections at the same time; nobody is told "no".
    pub fn both_at_once(&self, intent: Intent) {
        let said = self
            .runtime
            .block_on(async { tokio::join!(self.asker.ask(intent, 0), self.asker.ask(intent, 1)) });
        for said in [said.0, said.1] {
            assert!(!matches!(said, Ok(Said::No(_))), "{:?}: {said:?}", self.channel);
        }
    }

    /// Asks, and goes away before or after the answer.
    pub fn ask_and_leave(&self, intent: Intent, after: Duration) {
        self.runtime.block_on(async {
            // What was said does not matter.
            let _ = tokio::time::timeout(after, self.asker.ask(intent, 0)).await;
        });
    }

    /// Cuts the line in the middle of a request; false where a channel has no lines of its own.
    pub fn ask_half(&self, intent: Intent) -> bool {
        let target = self.asker.target();
        let number = intent.msisdn.to_string();
        let sale = json!({"msisdn": number, "amount": "100", "external_id": format!("eid-{}", intent.index)});
        let card = json!({"msisdn": number, "pin": target.pins[intent.card]});
        let (to, path, key, body) = match self.channel {
            Channel::Shop => {
                let body = json!({"msisdn": number, "amount": "100"});
                (&target.url, "/v1/sellers/me/sales?wait=10", &target.shops, body)
            }
            Channel::Partner => (&target.url, "/v1/topups?wait=10", &target.partners, sale),
            Channel::Card | Channel::Ivr => (&target.url, "/v1/vouchers/redeem", &target.redeemers, card),
            Channel::UssdShop | Channel::UssdCard => {
                let code = if self.channel == Channel::UssdShop {
                    "*500#"
                } else {
                    "*123#"
                };
                let body =
                    json!({"sessionId": "half", "phoneNumber": number, "serviceCode": code, "text": ""});
                (&target.ussd, "/", &target.shops, body)
            }
            Channel::Atm => {
                let bank = Profile::plain("100100");
                let number = format!("0{}", intent.msisdn % 10_000_000_000);
                let sale = bank.sale(u32::try_from(intent.index).unwrap(), &number, 10_000);
                let octets = bank.octets(&sale);
                let mut line = Line::open(target.iso8583, &bank).unwrap();
                line.send_octets(&octets[..octets.len() / 2]).unwrap();
                return true;
            }
            Channel::Bill => {
                let number = format!("0{}", intent.msisdn % 10_000_000_000);
                let payment = Payment::of(u32::try_from(intent.index).unwrap(), &number, 10_000);
                let biller = Switch::new(target.biller.clone(), target.onebill, PATIENCE);
                biller.pay(&payment, Trouble::Cut);
                return true;
            }
            Channel::Guest | Channel::CardPage | Channel::Till => {
                let form = self.runtime.block_on(self.asker.form(intent)).unwrap();
                let headers = format!(
                    "cookie: {}\r\ncontent-type: application/x-www-form-urlencoded",
                    form.cookies
                );
                post_half((&target.url, form.path), &headers, &form.fields);
                return true;
            }
            Channel::SmsShop | Channel::SmsCard => return false,
        };
        let headers = format!(
            "authorization: Bearer {}\r\nidempotency-key: eid-{}\r\ncontent-type: application/json",
            key[0], intent.index
        );
        post_half((to, path), &headers, &body.to_string());
        true
    }

    /// Asks for all at once, kills the server so long after, and starts it again; who heard that it is done.
    pub fn kill_while_asking(&mut self, intents: &[Intent], after: Duration) -> Vec<bool> {
        let asker = &self.asker;
        let server = self.server.take().unwrap();
        let heard = self.runtime.block_on(async {
            let mut asking = tokio::task::JoinSet::new();
            for (place, intent) in intents.iter().enumerate() {
                let (asker, intent) = (Arc::clone(asker), *intent);
                asking.spawn(async move { (place, asker.ask(intent, 0).await) });
            }
            tokio::time::sleep(after).await;
            tokio::task::block_in_place(|| server.kill());
            let mut heard = vec![false; intents.len()];
            let mut listen = |done: Result<(usize, Result<Said, String>), tokio::task::JoinError>| {
                if let Ok((place, said)) = done {
                    heard[place] = said == Ok(Said::Done);
                }
            };
            // Messages that are still on their way to handsets.
            tokio::time::sleep(PAUSE).await;
            while let Some(done) = asking.try_join_next() {
                listen(done);
            }
            asking.shutdown().await;
            heard
        });
        self.start_again();
        heard
    }

    fn start_again(&mut self) {
        let server = self.place.serve_logged(&self.log);
        self.rail.send_to(&server);
        let target = reached(self.asker.target(), &server);
        Arc::get_mut(&mut self.asker)
            .expect("nobody asks")
            .move_to(target);
        self.server = Some(server);
    }

    fn balance(&self, msisdn: u64) -> Money {
        let seen = self.api().see(&format!("/v1/subscribers/{msisdn}/balance"));
        Money::parse(seen["main"].as_str().unwrap()).unwrap()
    }

    #[track_caller]
    pub fn until_balance(&self, intent: Intent, wanted: Money) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is = self.balance(intent.msisdn);
            if is == wanted {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{:?}: {is} and not {wanted}",
                self.channel
            );
            assert!(is < wanted, "{:?}: {is} is more than {wanted}", self.channel);
            std::thread::sleep(PAUSE);
        }
    }

    /// Nothing comes any more.
    #[track_caller]
    pub fn stays(&self, intent: Intent, wanted: Money) {
        std::thread::sleep(STILL);
        assert_eq!(self.balance(intent.msisdn), wanted, "{:?}", self.channel);
    }

    /// Credited once, or not at all.
    #[track_caller]
    pub fn once_or_not(&self, intent: Intent) {
        let is = self.balance(intent.msisdn);
        assert!(is == Money::ZERO || is == CREDITED, "{:?}: {is}", self.channel);
    }

    /// The books at the end: one receipt for each credit, which verifies without the server; what was sold is missing where it
    /// was sold from; and the audit finds nothing.
    pub fn end(mut self) {
        let credited = self.settled();
        let api = self.api();
        let published = api.see("/.well-known/raseed-receipt-keys.json");
        std::fs::write(self.place.path("keys.json"), published.to_string()).unwrap();
        for intent in &self.intents {
            let is = self.balance(intent.msisdn);
            let times = usize::from(is == CREDITED);
            assert_eq!(is, Money(CREDITED.0 * times as i64), "{intent:?}");
            let receipts = until("the statement has it", || {
                let found = self.receipts(intent.msisdn);
                (found.len() >= times).then_some(found)
            });
            assert_eq!(receipts.len(), times, "{intent:?}");
            for receipt in receipts {
                self.verifies(&receipt, intent.msisdn);
            }
        }
        assert!(credited >= 10, "{credited}");
        assert_eq!(self.server.take().unwrap().terminate(), 0);
        let audit = self.place.run_here(&["audit"]).json();
        assert_eq!(audit["ok"], true, "{audit}");
        let log = std::fs::read_to_string(&self.log).unwrap();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// How many were credited, once what they were sold from agrees.
    fn settled(&self) -> i64 {
        until("the books agree", || {
            let balances = self.intents.iter().map(|intent| self.balance(intent.msisdn));
            let credited = balances.filter(|balance| *balance == CREDITED).count() as i64;
            (self.sold() == Some(credited)).then_some(credited)
        })
    }

    /// How many recharges left where they are sold from; none while something is on its way.
    fn sold(&self) -> Option<i64> {
        let api = self.api();
        match self.channel {
            Channel::Guest => {
                let sign = |direction| if direction == Direction::Payment { 1 } else { -1 };
                let movements = self.rail.sandbox.desk.movements();
                Some(movements.iter().map(|movement| sign(movement.direction)).sum())
            }
            channel if channel.takes_card() => api.see("/v1/card-batches/1")["used"].as_i64(),
            _ => {
                let mut gone = 0;
                for seller in &self.seller {
                    let partner = api.see(&format!("/v1/partners/{seller}"));
                    let money = |name: &str| Money::parse(partner[name].as_str().unwrap()).unwrap().0;
                    if money("in_transit") != 0 {
                        return None;
                    }
                    gone += stock(self.channel) - money("float");
                }
                assert_eq!(gone % RS_100, 0);
                Some(gone / RS_100)
            }
        }
    }

    fn receipts(&self, msisdn: u64) -> Vec<String> {
        let statement = self.api().see(&format!("/v1/subscribers/{msisdn}/statement"));
        let lines = statement["lines"].as_array().unwrap();
        let found = lines
            .iter()
            .filter_map(|line| line["receipt"].as_str().map(str::to_owned));
        found.collect()
    }

    fn verifies(&self, receipt: &str, msisdn: u64) {
        let answer = self.api().see(&format!("/v1/receipts/{receipt}"));
        assert_eq!(answer["msisdn"], msisdn.to_string(), "{answer}");
        assert_eq!(answer["price"]["gross"], "100.00", "{answer}");
        let typed = match self.channel {
            Channel::Card => Some("card-api"),
            Channel::CardPage => Some("card-web"),
            Channel::Ivr => Some("card-ivr"),
            Channel::UssdCard => Some("card-ussd"),
            Channel::SmsCard => Some("card-sms"),
            _ => None,
        };
        assert!(typed.is_none_or(|typed| answer["channel"] == typed), "{answer}");
        let signed = answer["signed"].as_str().unwrap();
        let verify = |text: &str| {
            self.place
                .run(&["--json", "receipt", "verify", text, "--key", "keys.json"])
        };
        let proved = verify(signed).json();
        assert_eq!(
            (&proved["genuine"], &proved["gross"]),
            (&json!(true), &json!("100.00"))
        );
        assert_eq!(verify(&signed.replace("~100.00~", "~900.00~")).code, 1);
    }
}

/// Sends the head of a request and half of its body, and hangs up.
fn post_half((to, path): (&str, &str), headers: &str, body: &str) {
    let host = to.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body.as_bytes()[..body.len() / 2]).unwrap();
}

/// What everybody in a channel has to sell at first: retailers get 2.5 % on top of their stock, franchises 1 % of so much.
fn stock(channel: Channel) -> i64 {
    let units = match channel {
        Channel::UssdShop | Channel::SmsShop => FLOAT / 1_000 * 1_025,
        Channel::Shop | Channel::Till => FLOAT / 100 * 101,
        _ => FLOAT,
    };
    Money::from_units(units).0
}

/// Waits for something.
#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(PAUSE);
    }
}

/// The same people at a server that has moved.
fn reached(target: &Target, server: &Server) -> Target {
    let ussd = server.ussd[0].rsplit(' ').next().unwrap();
    Target {
        url: server.url.clone(),
        ussd: format!("http://{ussd}/"),
        iso8583: server.ready["iso8583"][0].as_str().unwrap().parse().unwrap(),
        onebill: server.ready["onebill"][0].as_str().unwrap().parse().unwrap(),
        ..target.clone()
    }
}

/// Subscribers, and what this channel sells from.
fn set_up(place: &Place, server: &Server, key: &str, channel: Channel) -> (Target, Vec<u64>) {
    let api = Api::new(&server.url, key);
    for number in FIRST..=READS_CHINESE {
        let language = match number {
            READS_URDU => "ur",
            READS_CHINESE => "zh",
            _ => "en",
        };
        let body = json!({"msisdn": number.to_string(), "operator": "jazz", "language": language});
        api.done("/v1/subscribers", "", &body);
    }
    let mut target = Target {
        url: String::new(),
        ussd: String::new(),
        iso8583: ([127, 0, 0, 1], 0).into(),
        institution: "100100".to_owned(),
        onebill: ([127, 0, 0, 1], 0).into(),
        biller: onebill::Profile {
            mnemonic: "HBL".to_owned(),
            username: "link".to_owned(),
            password: BANK_PASSWORD.to_owned(),
        },
        rail: crate::shop::WALLET.to_owned(),
        short_code: "443".to_owned(),
        codes: ("*500#".to_owned(), "*123#".to_owned()),
        shops: vec![String::new()],
        partners: Vec::new(),
        redeemers: Vec::new(),
        counters: Vec::new(),
        ussd_tills: Vec::new(),
        sms_tills: Vec::new(),
        pins: vec![String::new(); usize::try_from(SUBSCRIBERS).unwrap()],
        text_wait: Duration::from_secs(3),
        msisdn: FIRST,
    };
    let mut sellers = Vec::new();
    let partner = |code: &str, id: Option<u32>, scopes: &[&str]| {
        let made = api.done(
            "/v1/partners",
            code,
            &json!({"id": id, "name": code, "code": code, "scopes": scopes}),
        );
        let id = made["partner"]["id"].as_u64().unwrap();
        if scopes[0] == "topup" {
            let float = json!({"amount": FLOAT.to_string(), "reference": "start"});
            api.done(&format!("/v1/partners/{id}/float"), code, &float);
        }
        (id, made["key"]["key"].as_str().unwrap().to_owned())
    };
    match channel {
        Channel::Shop => {
            let chain = Chain::open(&api);
            let (id, key) = chain.below("franchise", None);
            (sellers, target.shops) = (vec![id], vec![key]);
        }
        Channel::Till => {
            let chain = Chain::open(&api);
            let (id, key) = chain.below("franchise", None);
            works_here(server, &key);
            sellers = vec![id];
            target.counters = vec![Counter {
                seller: id,
                staff: STAFF.to_owned(),
                pin: PIN.to_owned(),
            }];
        }
        Channel::Partner => {
            let (id, key) = partner("corner", None, &["topup", "read"]);
            (sellers, target.partners) = (vec![id], vec![key]);
        }
        Channel::Atm | Channel::Bill => sellers.push(partner("bank", Some(BANK), &["topup", "read"]).0),
        Channel::UssdShop | Channel::SmsShop => {
            let chain = Chain::open(&api);
            let numbers = FIRST + SUBSCRIBERS..READS_CHINESE;
            let tills = numbers.map(|number| (chain.till(server, number), number));
            let tills: Vec<(u64, u64)> = tills.collect();
            sellers = tills.iter().map(|(id, _)| *id).collect();
            // The last one, who reads Urdu, sells nothing.
            let selling = tills[..tills.len() - 1].iter();
            target.ussd_tills = selling
                .map(|(_, msisdn)| Till {
                    msisdn: *msisdn,
                    pin: PIN.to_owned(),
                })
                .collect();
            target.sms_tills = target.ussd_tills.clone();
        }
        Channel::Card | Channel::Ivr => target.redeemers = vec![partner("ivr", None, &["redeem"]).1],
        Channel::Guest | Channel::CardPage | Channel::UssdCard | Channel::SmsCard => {}
    }
    if channel.takes_card() {
        target.pins = cards(place, server, key);
    }
    (reached(&target, server), sellers)
}

/// PINs of active cards.
fn cards(place: &Place, server: &Server, key: &str) -> Vec<String> {
    let count = SUBSCRIBERS.to_string();
    let ran = |arguments: &[&str]| {
        let ran = server.run(key, arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    let sealed = place.path("batch.sealed");
    ran(&[
        "cards",
        "generate",
        "jazz",
        "100",
        &count,
        "--expires",
        "2099-01-01",
        "--printer",
        "press",
    ]);
    ran(&["cards", "export", "1", "--out", sealed.to_str().unwrap()]);
    ran(&["cards", "ship", "1", "--dealer", "lahore-1"]);
    ran(&["cards", "activate", "1"]);
    let opened = place.run(&[
        "cards",
        "open",
        "batch.sealed",
        "--key",
        "printer.key",
        "--out",
        "batch.csv",
    ]);
    assert_eq!(opened.code, 0, "{opened:?}");
    until("the cards are active", || {
        let batch = Api::new(&server.url, key).see("/v1/card-batches/1");
        (batch["pending"] == 0).then_some(())
    });
    let text = std::fs::read_to_string(place.path("batch.csv")).unwrap();
    let pins = text
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap().1.to_owned());
    pins.collect()
}

/// A selling chain.
struct Chain<'a> {
    api: &'a Api,
    distributor: u64,
}

impl<'a> Chain<'a> {
    fn open(api: &'a Api) -> Chain<'a> {
        let mut parent = None;
        for grade in ["operator", "distributor"] {
            let body = json!({"name": grade, "code": grade, "grade": grade, "parent": parent, "key": true});
            let made = api.done("/v1/sellers", grade, &body)["id"].as_u64().unwrap();
            let all = (FLOAT * 20).to_string();
            match parent {
                None => {
                    let float = json!({"amount": all, "reference": "bank"});
                    api.done(&format!("/v1/partners/{made}/float"), "f", &float);
                }
                Some(root) => give(api, root, made, &all),
            }
            parent = Some(made);
        }
        Chain {
            api,
            distributor: parent.unwrap(),
        }
    }

    /// Somebody below the distributor, with stock.
    fn below(&self, grade: &str, number: Option<u64>) -> (u64, String) {
        let number = number.map(|number| number.to_string());
        let code = format!("{grade}{}", number.as_deref().unwrap_or_default());
        let body = json!({
            "name": code, "code": code, "grade": grade, "parent": self.distributor, "key": true, "number": number,
        });
        let made = self.api.done("/v1/sellers", &code, &body);
        let id = made["id"].as_u64().unwrap();
        give(self.api, self.distributor, id, &FLOAT.to_string());
        (id, made["key"]["key"].as_str().unwrap().to_owned())
    }

    /// A retailer with a handset and a PIN.
    fn till(&self, server: &Server, number: u64) -> u64 {
        let (id, key) = self.below("retailer", Some(number));
        works_here(server, &key);
        id
    }
}

/// Somebody sells for the seller of a key.
fn works_here(server: &Server, key: &str) {
    let own = Api::new(&server.url, key);
    let path = format!("/v1/sellers/me/staff/{STAFF}");
    let staff = json!({"name": "Ali", "role": "owner", "pin": FIRST_PIN});
    assert_eq!(own.put(&path, &staff).unwrap().0, 204);
    own.done(&format!("{path}/pin"), "", &json!({"old": FIRST_PIN, "new": PIN}));
}

fn give(api: &Api, from: u64, to: u64, amount: &str) {
    let body = json!({"to": to, "amount": amount});
    let moved = api.done(
        &format!("/v1/sellers/{from}/moves?wait=20"),
        &format!("{from}-{to}-{amount}"),
        &body,
    );
    assert_eq!(moved["state"], "COMPLETED", "{moved}");
}
