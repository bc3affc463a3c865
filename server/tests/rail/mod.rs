//! The real binary, one rail with its sandbox, a payer for it, and a reader of everything that was written down.

use crate::harness::{Api, PATIENCE, Place, Server, runtime};
use crate::shop::{Guest, Page, hidden};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::codec::{Codec as _, Reader};
use charge::payment::{PaymentId, PaymentState, Statement};
use charge::{Code, Money, Timestamp};
use rails::{Begun, HttpRequest, Method};
use serde_json::json;
use sim::rails::browser::{Browser, form_of};
use sim::rails::{Desk, Direction, Misbehaviour, Outcome, Served, bank, card, easypaisa, jazzcash, paypal};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::reads::PaymentRow;
use store::{SqliteOptions, SqliteStore};

const NUMBER: &str = "923001234567";
const WALLET: &str = "0341 1728699";
const CNIC: &str = "345678";
/// Where the payer's browser believes the shop to be; the server's port changes with each start.
const SHOP: &str = "http://shop.example";

/// A way to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    JazzcashPage,
    JazzcashWallet,
    EasypaisaWallet,
    EasypaisaShop,
    EasypaisaPage,
    Card,
    Paypal,
    Bank,
    Raast,
}

impl Way {
    /// Name of the rail in forms, addresses and books.
    fn code(self) -> &'static str {
        match self {
            Way::JazzcashPage => "jazzcash",
            Way::JazzcashWallet => "jazzcash-wallet",
            Way::EasypaisaWallet | Way::EasypaisaShop | Way::EasypaisaPage => "easypaisa",
            Way::Card => "card",
            Way::Paypal => "paypal",
            Way::Bank => "bank",
            Way::Raast => "raast",
        }
    }

    /// The rail whose address the sandbox's messages go to.
    fn hears(self) -> &'static str {
        if self == Way::Raast { "bank" } else { self.code() }
    }

    /// False where no wire format for refunds is known: people give the money back.
    pub fn refunds(self) -> bool {
        self.code() != "easypaisa"
    }
}

/// The sandbox of one rail, and how its payer pays.
enum Sandbox {
    Jazzcash,
    Easypaisa(Arc<easypaisa::Easypaisa>),
    Card,
    Paypal,
    Bank(Arc<bank::Bank>),
}

/// A payment that was begun.
pub struct Started {
    pub id: PaymentId,
    begun: Begun,
}

/// A server, its rail, one subscriber and one guest.
pub struct Scene {
    way: Way,
    sandbox: Sandbox,
    desk: Arc<Desk>,
    /// What must not be written down in clear.
    secrets: Vec<String>,
    place: Place,
    server: Option<Server>,
    key: String,
    guest: Guest,
    back: Option<HttpRequest>,
    log: std::path::PathBuf,
    _served: Served,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    pub fn new(way: Way) -> Scene {
        let runtime = runtime();
        let stage = runtime.block_on(stage(way));
        let place = Place::new("");
        place.configure_with(&format!("public_url = '{SHOP}'"), "trace", &stage.config);
        let log = place.path("log.txt");
        let server = place.serve_logged(&log);
        let key = server.key.clone().unwrap();
        Api::new(&server.url, &key).done("/v1/subscribers", "", &json!({"msisdn": NUMBER}));
        let mut secrets = stage.secrets;
        secrets.push(key.clone());
        let scene = Scene {
            way,
            sandbox: stage.sandbox,
            desk: stage.desk,
            secrets,
            place,
            guest: Guest::new(&server.url),
            server: Some(server),
            key,
            back: None,
            log,
            _served: stage.served,
            runtime,
        };
        scene.send_to_server();
        scene
    }

    fn url(&self) -> &str {
        &self.server.as_ref().unwrap().url
    }

    fn send_to_server(&self) {
        self.desk
            .send_to(&format!("{}/rails/{}", self.url(), self.way.hears()));
    }

    pub fn misbehave(&self, wrong: Misbehaviour) {
        self.desk.misbehave(wrong);
    }

    /// Money that the rail has moved for a payment.
    pub fn book(&self, started: &Started, direction: Direction) -> usize {
        self.desk.count(&started.id.to_string(), direction)
    }

    pub fn balance(&self) -> Money {
        let api = Api::new(self.url(), &self.key);
        let account = api.see(&format!("/v1/subscribers/{NUMBER}/balance"));
        Money::parse(account["main"].as_str().unwrap()).unwrap()
    }

    /// Number, amount, confirmation: what the guest is shown then.
    pub fn begin(&mut self, amount: &str) -> Started {
        let review = self
            .guest
            .get(&format!("/recharge?number={NUMBER}&amount={amount}"))
            .expect("an answer");
        let ticket = hidden(&review.text, "ticket").unwrap_or_else(|| panic!("{}", review.text));
        let form = hidden(&review.text, "form").unwrap();
        let id = id_of(&ticket);
        self.guest.form.clone_from(&form);
        let fields = [
            ("form", form.as_str()),
            ("ticket", &ticket),
            ("rail", self.way.code()),
            ("confirm", "yes"),
            ("again", NUMBER),
            ("wallet", WALLET),
            ("email", "payer@example.test"),
            ("cnic", CNIC),
        ];
        let shown = self.guest.post("/recharge/pay", &fields).expect("an answer");
        Started {
            id,
            begun: begun_of(&shown),
        }
    }

    /// The payer pays, wherever that is, and comes back.
    pub fn let_pay(&mut self, started: &Started) {
        match (&self.sandbox, self.way) {
            (Sandbox::Bank(bank), _) => {
                let _within = self.runtime.enter();
                bank.pay(&rails::reference::compact(started.id), 10_000, Outcome::Approve);
            }
            (Sandbox::Easypaisa(sandbox), Way::EasypaisaShop) => {
                let _within = self.runtime.enter();
                sandbox.settle(&started.id.to_string(), Outcome::Approve);
            }
            _ => {
                let browser = Browser::new(SHOP).unwrap();
                let mut back = self.runtime.block_on(browser.visit(&started.begun, "approve"));
                if self.way == Way::EasypaisaPage {
                    back = back.and_then(|first| self.second_leg(&browser, &first));
                }
                if let Some(back) = back {
                    let page = self.come(&back);
                    assert!(page.status < 400, "{}: {}", page.status, page.text);
                    self.back = Some(back);
                }
            }
        }
    }

    /// Easypaisa's checkout comes by our door with a token, and goes on with it.
    fn second_leg(&mut self, browser: &Browser, first: &HttpRequest) -> Option<HttpRequest> {
        if first.url.split('?').next().unwrap().ends_with("/return") {
            return Some(first.clone());
        }
        let page = self.come(first);
        let (url, fields) = form_of(SHOP, &page.text, "approve")?;
        let begun = Begun::Form {
            url,
            fields,
            said: Statement::AwaitingCustomer,
        };
        self.runtime.block_on(browser.visit(&begun, "approve"))
    }

    fn come(&mut self, request: &HttpRequest) -> Page {
        let page = match request.method {
            Method::Get => self.guest.get(&request.url),
            Method::Post => self.guest.come_back(request),
        };
        page.expect("an answer")
    }

    /// The browser comes back a second time.
    pub fn come_back_again(&mut self) {
        if let Some(back) = self.back.take() {
            assert!(self.come(&back).status < 400);
        }
    }

    /// The rail sends all its messages again.
    pub fn say_again(&self) {
        let _within = self.runtime.enter();
        for message in self.desk.callbacks() {
            self.desk.send(&message);
        }
    }

    /// Kills the server and starts it again; the rail is told of the new address.
    pub fn crash(&mut self) {
        self.server.take().unwrap().kill();
        let server = self.place.serve_logged(&self.log);
        self.guest.url.clone_from(&server.url);
        self.server = Some(server);
        self.send_to_server();
    }

    pub fn undo(&mut self, started: &Started) {
        let page = self.guest.act(started.id, "undo").expect("an answer");
        assert_eq!(page.status, 303, "{}", page.text);
    }

    /// Looks at the payment, as its page does, until the balance is this.
    pub fn until_balance(&mut self, started: &Started, wanted: Money) {
        self.until(started, |scene| scene.balance() == wanted);
    }

    /// Whether a payment is credited within the time in which a rail is asked twice.
    pub fn is_credited_soon(&mut self, started: &Started, wanted: Money) -> bool {
        let deadline = Instant::now() + Duration::from_secs(12);
        while self.balance() != wanted && Instant::now() < deadline {
            self.guest.look(started.id).expect("an answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        self.balance() == wanted
    }

    pub fn until_booked(&mut self, started: &Started, direction: Direction) {
        self.until(started, |scene| {
            scene.desk.count(&started.id.to_string(), direction) > 0
        });
    }

    /// Until the page of the payment does not look again by itself.
    pub fn until_decided(&mut self, started: &Started) {
        self.until(started, |scene| {
            !scene
                .guest
                .look(started.id)
                .expect("an answer")
                .text
                .contains("every 2s")
        });
    }

    fn until(&mut self, started: &Started, mut done: impl FnMut(&mut Scene) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            self.guest.look(started.id).expect("an answer");
            assert!(
                Instant::now() < deadline,
                "{:?}: {} stays at {}",
                self.way,
                started.id,
                self.balance()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Stops the server in order; the books balance, the rail's book agrees payment by payment, nothing secret was written.
    pub fn end(mut self) -> Vec<PaymentRow> {
        assert_eq!(self.server.take().unwrap().terminate(), 0);
        let audit = self.place.run_here(&["audit"]).json();
        assert_eq!(audit["ok"], true, "{audit}");
        let rows = payments(&self.place, self.way.code());
        for row in &rows {
            let kept = match row.state {
                PaymentState::Succeeded => row.price.amount,
                _ => Money::ZERO,
            };
            let order = row.id.to_string();
            assert_eq!(self.desk.net(&order), kept.0 / 10_000, "{row:?}");
            assert!(self.desk.count(&order, Direction::Payment) <= 1, "{row:?}");
            assert!(self.desk.count(&order, Direction::Refund) <= 1, "{row:?}");
        }
        for movement in self.desk.movements() {
            assert!(
                rows.iter().any(|row| row.id.to_string() == movement.order),
                "money without a payment: {movement:?}"
            );
        }
        self.nothing_is_given_away();
        rows
    }

    /// Secrets are in the configuration and nowhere else; the payer's wallet, mail and identity card are in no file at all.
    fn nothing_is_given_away(&self) {
        let mut hidden = self.secrets.clone();
        let person = [
            WALLET.replace(' ', ""),
            "payer@example.test".to_owned(),
            "923411728699".to_owned(),
        ];
        hidden.extend(person);
        let mut files = vec![self.log.clone()];
        files.extend(files_below(&self.place.data()));
        assert!(files.len() > 3, "{files:?}");
        let log = std::fs::read(&self.log).unwrap();
        assert!(
            log.len() > 1_000,
            "the log of a server at level trace is not empty"
        );
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            for secret in &hidden {
                let found = bytes
                    .windows(secret.len())
                    .position(|part| part == secret.as_bytes());
                assert!(
                    found.is_none(),
                    "{:?}: {secret:?} is in {}: {}",
                    self.way,
                    file.display(),
                    String::from_utf8_lossy(
                        &bytes[found.unwrap_or(0).saturating_sub(200)..][..400.min(bytes.len())]
                    )
                );
            }
        }
    }
}

struct Stage {
    sandbox: Sandbox,
    desk: Arc<Desk>,
    served: Served,
    config: String,
    secrets: Vec<String>,
}

async fn stage(way: Way) -> Stage {
    let engine = "[engine]\npartitions = 3\ncache_mib = 16\n";
    let code = way.code();
    match way {
        Way::JazzcashPage | Way::JazzcashWallet => {
            let flow = if way == Way::JazzcashPage {
                "hosted-page"
            } else {
                "wallet"
            };
            let account = jazzcash::Account::default();
            let sandbox = jazzcash::JazzCash::new(account.clone());
            let served = sandbox.serve(0).await.unwrap();
            let config = json!({
                "kind": "jazzcash", "code": code, "flow": flow, "host": served.url, "merchant_id": account.merchant_id,
                "password": account.password, "salt": account.salt, "mpin": account.mpin,
            });
            Stage {
                desk: Arc::clone(&sandbox.desk),
                sandbox: Sandbox::Jazzcash,
                config: format!("{engine}[payments]\nrail = [{}]\n", inline(&config)),
                secrets: vec![account.password, account.salt],
                served,
            }
        }
        Way::EasypaisaWallet | Way::EasypaisaShop | Way::EasypaisaPage => {
            let flow = match way {
                Way::EasypaisaWallet => "mobile-account",
                Way::EasypaisaShop => "over-the-counter",
                _ => "hosted-checkout",
            };
            let account = easypaisa::Account::default();
            let sandbox = easypaisa::Easypaisa::new(account.clone(), None);
            let served = sandbox.serve(0).await.unwrap();
            let config = json!({
                "kind": "easypaisa", "host": served.url, "flow": flow, "store_id": account.store_id,
                "account": account.account, "username": account.username, "password": account.password,
                "hash_key": account.hash_key,
            });
            Stage {
                desk: Arc::clone(&sandbox.desk),
                sandbox: Sandbox::Easypaisa(sandbox),
                config: format!("{engine}[payments]\nrail = [{}]\n", inline(&config)),
                secrets: vec![account.password, account.hash_key],
                served,
            }
        }
        Way::Card => {
            let account = card::Account::default();
            let sandbox = card::Card::new(account.clone());
            let served = sandbox.serve(0).await.unwrap();
            let config = json!({
                "kind": "card", "host": served.url, "api_key": account.api_key, "request_key": account.request_key,
                "webhook_secrets": account.webhook_secrets,
            });
            let mut secrets = account.webhook_secrets;
            secrets.extend([account.api_key, account.request_key]);
            Stage {
                desk: Arc::clone(&sandbox.desk),
                sandbox: Sandbox::Card,
                config: format!("{engine}[payments]\nrail = [{}]\n", inline(&config)),
                secrets,
                served,
            }
        }
        Way::Paypal => {
            let sandbox = paypal::PayPal::new(Desk::new()).unwrap();
            let served = sim::rails::serve(sandbox.router(), 0).await.unwrap();
            let config = json!({
                "kind": "paypal", "host": served.url, "client_id": paypal::CLIENT.0, "client_secret": paypal::CLIENT.1,
                "webhook_id": paypal::WEBHOOK_ID, "brand_name": "Raseed", "currency": "USD",
                "roots_pem": sandbox.root_pem(),
                "sandbox_certificates": format!("{}/v1/notifications/certs/", served.url),
            });
            let rates = "local = 'PKR'\nset_at = '2026-11-21T00:00:00Z'\nvalid_s = 315360000\nspread_bp = 150\nquote_s = 900\n\
                         rates.USD = '281.50'\n";
            Stage {
                desk: Arc::clone(&sandbox.desk),
                sandbox: Sandbox::Paypal,
                config: format!(
                    "{engine}[payments]\nrail = [{}]\n[payments.rates]\n{rates}",
                    inline(&config)
                ),
                secrets: vec![paypal::CLIENT.1.to_owned()],
                served,
            }
        }
        Way::Bank | Way::Raast => {
            let account = bank::Account::default();
            let sandbox = bank::Bank::new(account.clone());
            let served = sandbox.serve(0).await.unwrap();
            let config = json!({
                "kind": "bank", "title": "Raseed Test", "iban": account.iban, "bank": "Sandbox Bank", "host": served.url,
                "username": account.username, "password": account.password, "request_key": account.request_key,
                "notify_secrets": [account.notify_secret],
            });
            let raast = json!({
                "kind": "raast", "code": "raast", "bank": "bank", "profile": {
                    "account": [[0, "pk.raast"], [1, account.iban]], "category": "4814", "name": "Raseed",
                    "city": "Lahore",
                },
            });
            Stage {
                desk: Arc::clone(&sandbox.desk),
                sandbox: Sandbox::Bank(sandbox),
                config: format!(
                    "{engine}[payments]\nrail = [{}, {}]\n",
                    inline(&config),
                    inline(&raast)
                ),
                secrets: vec![account.password, account.request_key, account.notify_secret],
                served,
            }
        }
    }
}

/// JSON as an inline table of TOML.
fn inline(value: &serde_json::Value) -> String {
    toml::Value::try_from(value).unwrap().to_string()
}

/// The payment that a ticket begins: its first member.
fn id_of(ticket: &str) -> PaymentId {
    let bytes = URL_SAFE_NO_PAD.decode(ticket).unwrap();
    PaymentId::decode(&mut Reader::new(&bytes)).unwrap()
}

/// What the page of a payment that was begun leads to.
fn begun_of(shown: &Page) -> Begun {
    let said = Statement::AwaitingCustomer;
    if shown.status == 303 {
        assert!(shown.location.starts_with("/pay/"), "{}", shown.location);
        return Begun::Said(said);
    }
    assert_eq!(shown.status, 200, "{}", shown.text);
    if let Some(url) = shown.away() {
        return Begun::Redirect { url, said };
    }
    let form = shown.text.find("data-submits").and_then(|place| {
        let from = shown.text[..place].rfind("<form ")?;
        form_of(SHOP, &shown.text[from..], "")
    });
    match form {
        Some((url, fields)) => Begun::Form { url, fields, said },
        None => Begun::Show {
            lines: Vec::new(),
            qr: None,
            said,
        },
    }
}

fn files_below(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// Payments of a rail in the read models of a stopped server, which an audit has brought up to date.
fn payments(place: &Place, rail: &str) -> Vec<PaymentRow> {
    let store = SqliteStore::open(&place.data(), SqliteOptions::default()).unwrap();
    let mut reader = store.read_models().unwrap().reader().unwrap();
    let always = (Timestamp(0), Timestamp(i64::MAX));
    let code = Code::new(rail).unwrap();
    reader.payments_of_rail(code, always, None, 500).unwrap()
}
