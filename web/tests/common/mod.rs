//! The service on a real socket, and a client for it.
#![allow(dead_code, reason = "not every test file uses every helper")]

pub mod catalogs;
pub mod client;
pub mod file_desk;
pub mod outlets;
pub mod press;
pub mod staff;
pub mod story;
pub mod till;
pub mod wallet;

use charge::catalog::Called;
use charge::catalog::Language;
use charge::command::{ChargeKind, ChargePart, ChargeRequest, OpenAccount, OpenPartner, PeerTraits, Used};
use charge::ids::SessionKey;
use charge::partner::Scopes;
use charge::session::ElementKey;
use charge::tax::{RegionCode, TaxClass};
use charge::time::DAY;
use charge::unit::Amount;
use charge::{Code, Command, Entity, EntityKey, Money, Msisdn, OperatorId, PartnerId, SourceId, Timestamp};
use engine::{Engine, Settings};
use people::People;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use store::{Projector, ReadModels, SqliteOptions, SqliteStore, Store};
use web::bind::{EngineCore, Reads};
use web::core::{Core, CoreError, Pending};
use web::page::demo::{Demo, Inbox, InboxMessage};
use web::state::{CodeSender, WebParts};
use web::{Web, api};

/// A running service with two partners and a subscriber.
pub struct Service {
    pub url: String,
    pub core: Arc<EngineCore>,
    pub codes: Arc<Codes>,
    pub web: Web,
    pub time: Arc<AtomicI64>,
    pub people: People,
    /// A key that may do everything.
    pub admin: String,
    /// A shop with a float of Rs 1,000 that may only sell.
    pub shop: String,
    /// Another shop, without a float.
    pub other: String,
    pub cards: web::cards::CardDesk,
    pub vault: Arc<Printed>,
    runtime: tokio::runtime::Runtime,
    _projection: Projection,
    pub data: tempfile::TempDir,
}

struct TestClock(Arc<AtomicI64>);

impl engine::Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Keeps the read models up, as the server does.
struct Projection {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Projection {
    fn start(store: &Arc<dyn Store>, models: &ReadModels) -> Projection {
        let stop = Arc::new(AtomicBool::new(false));
        let mut journal = store.journal_reader().unwrap();
        let day_of = |_, at: Timestamp| i32::try_from((at.0 + 18_000_000_000).div_euclid(DAY)).unwrap();
        let mut projector = Projector::open(models, Box::new(day_of)).unwrap();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                projector.step(&mut *journal, 1 << 20).unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Projection {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Projection {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// The subscriber of the tests: Jazz, Rs 0.
pub const NUMBER: &str = "923001234567";
/// Another number, with an account only where a test opens one.
pub const SECOND_NUMBER: &str = "923451112223";
/// The shop of the tests.
pub const SHOP: PartnerId = PartnerId(2);

/// Codes that were sent, and the handsets that got them.
#[derive(Default)]
pub struct Codes(pub Mutex<Vec<(Msisdn, String)>>, pub Mutex<Vec<(String, String)>>);

impl Codes {
    /// The six digits of the last message to a number that has a code.
    pub fn last(&self, to: &str) -> Option<String> {
        let sent = self.0.lock().unwrap();
        let mut all = sent.iter().rev().filter(|(number, _)| number.to_string() == to);
        all.find_map(|(_, text)| Codes::in_text(text))
    }

    /// Messages with a code so far.
    pub fn count(&self) -> usize {
        let sent = self.0.lock().unwrap();
        sent.iter()
            .filter(|(_, text)| Codes::in_text(text).is_some())
            .count()
    }

    fn in_text(text: &str) -> Option<String> {
        let mut words = text.split(|c: char| !c.is_ascii_digit());
        words.find(|word| word.len() == 6).map(str::to_owned)
    }
}

/// A printer who opens what it gets: lines of cards by batch.
#[derive(Default)]
pub struct Printed(pub Mutex<std::collections::BTreeMap<u32, String>>);

impl Printed {
    /// Serial numbers and PINs of a batch.
    pub fn cards(&self, batch: u32) -> Vec<(String, String)> {
        let printed = self.0.lock().unwrap();
        let lines = printed.get(&batch).map_or("", String::as_str).lines();
        lines
            .filter_map(|line| line.split_once(','))
            .map(|(serial, pin)| (serial.to_owned(), pin.to_owned()))
            .collect()
    }
}

impl web::cards::CardVault for Printed {
    fn printers(&self) -> Vec<String> {
        vec!["press".to_owned()]
    }
    fn seal(&self, batch: u32, _: &str, cards: &web::cards::make::Printable) -> Result<(), String> {
        let mut lines = String::new();
        cards.write_lines(0..cards.len(), &mut lines);
        self.0.lock().unwrap().insert(batch, lines);
        Ok(())
    }
    fn take(&self, batch: u32) -> Result<Option<Vec<u8>>, String> {
        let printed = self.0.lock().unwrap();
        Ok(printed.get(&batch).map(|lines| lines.clone().into_bytes()))
    }
}

impl Inbox for Codes {
    fn messages(&self, to: Msisdn, limit: usize) -> Vec<InboxMessage> {
        let sent = self.0.lock().unwrap();
        let mine = sent.iter().rev().filter(|(number, _)| *number == to).take(limit);
        mine.map(|(_, text)| InboxMessage {
            from: "Jazz".to_owned(),
            text: text.clone(),
            at: Timestamp(1_795_262_400_000_000),
        })
        .collect()
    }
}

impl web::state::CodeMailer for Codes {
    fn send_code(&self, to: String, _subject: String, body: String) -> Pending<Result<(), CoreError>> {
        self.1.lock().unwrap().push((to, body));
        Box::pin(async { Ok(()) })
    }
}

impl CodeSender for Codes {
    fn send_code(&self, to: Msisdn, text: String, _expires: Timestamp) -> Pending<Result<(), CoreError>> {
        self.0.lock().unwrap().push((to, text));
        Box::pin(async { Ok(()) })
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
    /// Status and stable code of a problem document.
    #[track_caller]
    pub fn problem(&self) -> (u16, u64) {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        let document = self.json();
        assert_eq!(document["status"], self.status, "{document}");
        (self.status, document["code"].as_u64().unwrap())
    }
}

impl Service {
    pub fn start() -> Service {
        Service::start_as(false, false)
    }

    /// With the demonstration's pages.
    pub fn start_demo() -> Service {
        Service::start_as(true, false)
    }

    /// As behind a proxy with TLS.
    pub fn start_https() -> Service {
        Service::start_as(false, true)
    }

    /// One that takes payments through a desk of the test.
    pub fn start_paying(
        desk: impl FnOnce(&Arc<EngineCore>) -> Arc<dyn web::payments::PaymentDesk>,
    ) -> Service {
        Service::start_with(false, false, |core| Some(desk(core)))
    }

    fn start_as(demo: bool, https: bool) -> Service {
        Service::start_with(demo, https, |_| None)
    }

    fn start_with(
        demo: bool,
        https: bool,
        desk: impl FnOnce(&Arc<EngineCore>) -> Option<Arc<dyn web::payments::PaymentDesk>>,
    ) -> Service {
        // 2026-11-21T12:00:00Z, and it only moves when a test moves it.
        let time = Arc::new(AtomicI64::new(1_795_262_400_000_000));
        let clock: web::state::Clock = {
            let time = Arc::clone(&time);
            Arc::new(move || Timestamp(time.load(Ordering::SeqCst)))
        };
        let catalogs = catalogs::catalogs();
        let data = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(data.path(), SqliteOptions::default()).unwrap();
        let models = store.read_models().unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let engine = Engine::open(
            Arc::clone(&store),
            Arc::clone(&catalogs),
            Arc::new(TestClock(Arc::clone(&time))),
            Settings::for_tests(4),
            None,
        );
        let engine = Arc::new(engine.unwrap());
        let core = Arc::new(EngineCore(Arc::clone(&engine)));
        let projection = Projection::start(&store, &models);
        let codes = Arc::new(Codes::default());
        let people = People::open(data.path(), people::Keys::new([5; 32])).unwrap();
        let ways = web::state::Ways {
            security: None,
            mail: Some(Arc::clone(&codes) as Arc<dyn web::state::CodeMailer>),
            push_key: Some("BPublicKey".into()),
            push_reach: web::partner_callback::Reach::default(),
        };
        let vault = Arc::new(Printed::default());
        let cards = web::cards::CardDesk::new(web::cards::CardParts {
            core: Arc::clone(&core) as Arc<dyn Core>,
            catalogs: Arc::clone(&catalogs),
            clock: Arc::clone(&clock),
            key: web::cards::PinKey::new(&[9; 32]),
            vault: Arc::clone(&vault) as Arc<dyn web::cards::CardVault>,
            partitions: 4,
            wrong_per_minute_max: 100,
        });
        let parts = WebParts {
            core: Arc::clone(&core) as Arc<dyn Core>,
            reads: Reads::new(Arc::clone(&store), models),
            callbacks: web::bind::CallbackLog::new(store::Callbacks::in_memory().unwrap()),
            reach: web::partner_callback::Reach { loopback: true },
            catalogs,
            clock: Arc::clone(&clock),
            gauges: Arc::new(Vec::new),
            codes: Arc::clone(&codes) as Arc<dyn CodeSender>,
            people: people.clone(),
            outlets: ::outlets::Outlets::open(data.path()).unwrap(),
            ways: ways.clone(),
            announcements: None,
            origin: None,
            secret: [7; 32],
            receipts: web::receipt::Receipts::new(
                web::receipt::keys::KeyRing::of_seed([7; 32], Timestamp(1_795_000_000_000_000)),
                "https://raseed.example",
            ),
            https,
            staff: web::state::StaffSettings::default(),
            payments: desk(&core),
            exceptions: Some(store::Exceptions::open(data.path()).unwrap()),
            reversal_two_from: Money::from_units(400),
            cards: Some(cards.clone()),
        };
        let number = Msisdn::parse(NUMBER).unwrap();
        let web = match demo {
            false => Web::new(parts),
            true => Web::for_demo(
                parts,
                Demo {
                    numbers: vec![number, Msisdn::parse(SECOND_NUMBER).unwrap()],
                    inbox: Arc::clone(&codes) as Arc<dyn Inbox>,
                    shop: SHOP,
                    dialler: None,
                },
            ),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = web::router(web.clone()).into_make_service_with_connect_info::<SocketAddr>();
        runtime.spawn(async move { axum::serve(listener, service).await });
        let mut service = Service {
            url,
            core,
            codes,
            web,
            time,
            people,
            admin: String::new(),
            shop: String::new(),
            other: String::new(),
            cards,
            vault,
            runtime,
            _projection: projection,
            data,
        };
        service.people();
        service
    }

    fn people(&mut self) {
        let everything = Scopes(31).with(Scopes::REDEEM);
        self.admin = self.partner(PartnerId(1), "desk", everything);
        self.shop = self.partner(SHOP, "shop", Scopes::TOP_UP);
        self.other = self.partner(PartnerId(3), "other", Scopes::TOP_UP);
        self.call_core(Command::FundFloat {
            partner: SHOP,
            amount: Money::from_units(1000),
            source: SourceId(1),
            reference: "first".to_owned(),
        });
        self.subscriber(NUMBER);
    }

    pub fn partner(&self, id: PartnerId, name: &str, scopes: Scopes) -> String {
        let (token, key) = api::auth::new_key(id, scopes, self.now());
        self.call_core(Command::OpenPartner(Box::new(OpenPartner {
            key: Some(key),
            ..OpenPartner::named(id, name, Code::new(name).unwrap())
        })));
        token
    }

    pub fn subscriber(&self, number: &str) {
        let account = self.core.new_account();
        self.call_core(Command::OpenAccount(OpenAccount {
            account,
            operator: OperatorId(1),
            msisdn: Msisdn::parse(number).unwrap(),
            imsi: None,
            language: Language::En,
            tax_class: TaxClass::Standard,
            region: RegionCode::EMPTY,
            opening_balance: Money::ZERO,
        }));
        let key = EntityKey::Account(account);
        self.eventually(|| self.runtime.block_on(self.core.read(key)).unwrap());
    }

    /// Waits until a question has the answer that is waited for.
    #[track_caller]
    pub fn eventually<T>(&self, question: impl Fn() -> Option<T>) -> T {
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(answer) = question() {
                return answer;
            }
            assert!(std::time::Instant::now() < deadline, "it did not come");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn call_core(&self, command: Command) {
        self.runtime
            .block_on(self.core.call(command))
            .expect("the core does it");
    }

    /// Uses a service in one session, over Diameter's words: begin, report, end.
    pub fn use_service(&self, service: charge::unit::Service, called: Called, amount: i64) {
        let number = Msisdn::parse(NUMBER).unwrap();
        let key = EntityKey::Number(number);
        let entity = self.runtime.block_on(self.core.read(key)).unwrap();
        let account = entity.as_ref().and_then(Entity::number).unwrap().account.unwrap();
        let name = format!("gw;{};{}", service.name(), self.time.load(Ordering::SeqCst));
        let kinds = [ChargeKind::Initial, ChargeKind::Update, ChargeKind::Terminate];
        for (number, kind) in (0..).zip(kinds) {
            let used = match kind {
                ChargeKind::Initial => 0,
                ChargeKind::Update => amount / 2,
                _ => amount - amount / 2,
            };
            let part = ChargePart {
                key: ElementKey::default(),
                requested: (kind != ChargeKind::Terminate).then_some(None),
                used: [Used {
                    amount: Amount(used),
                    ..Used::default()
                }]
                .into_iter()
                .filter(|used| used.amount.0 > 0)
                .collect(),
            };
            let request = ChargeRequest {
                account,
                session: SessionKey::of(name.as_bytes()),
                session_id: name.clone().into(),
                peer: "gw.test".into(),
                kind,
                number,
                service,
                called,
                called_operator: None,
                plmn: 41001,
                area: None,
                traits: PeerTraits::default(),
                parts: [part].into_iter().collect(),
                money: None,
            };
            self.call_core(Command::Charge(Box::new(request)));
            self.pass(Duration::from_secs(20));
        }
    }

    pub fn read(&self, key: EntityKey) -> Option<Entity> {
        self.runtime.block_on(self.core.read(key)).unwrap()
    }

    /// Waits for what a function of the crate promises.
    pub fn wait<T>(&self, promise: impl Future<Output = T>) -> T {
        self.runtime.block_on(promise)
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.time.load(Ordering::SeqCst))
    }

    pub fn pass(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap();
        self.time.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sends a request; `body` is sent as JSON unless empty.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = if body.is_empty() {
            agent.run(request.body(()).unwrap()).unwrap()
        } else {
            agent.run(request.body(body.to_owned()).unwrap()).unwrap()
        };
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.body_mut().read_to_string().unwrap(),
        }
    }

    /// Fetches a file that is not text: its type and its bytes.
    pub fn bytes(&self, path: &str, cookie: &str) -> (String, Vec<u8>) {
        let mut answer = ureq::get(format!("{}{path}", self.url))
            .header("cookie", cookie)
            .call()
            .unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (kind, answer.body_mut().read_to_vec().unwrap())
    }

    /// Sends an API request with a key.
    pub fn api(&self, key: &str, method: &str, path: &str, body: &str) -> Answer {
        self.send(method, path, &[("authorization", &format!("Bearer {key}"))], body)
    }

    /// Sends an API request with a key and an Idempotency-Key.
    pub fn once(&self, key: &str, path: &str, idempotency_key: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("idempotency-key", idempotency_key),
        ];
        self.send("POST", path, &headers, body)
    }

    /// Main balance of the test subscriber, as the API says it.
    pub fn main_balance(&self) -> String {
        let answer = self.api(
            &self.admin,
            "GET",
            &format!("/v1/subscribers/{NUMBER}/balance"),
            "",
        );
        answer.json()["main"].as_str().unwrap().to_owned()
    }
}
