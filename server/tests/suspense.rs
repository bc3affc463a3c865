//! Money that names no payment, through the real binary and the sandbox of a bank: in suspense, then assigned once by staff or
//! sent back once by itself, whatever is repeated and whenever the server is killed.

mod harness;
mod shop;

use charge::payment::PaymentState;
use charge::{Code, Money, Timestamp};
use harness::{Api, PATIENCE, Place, Server, runtime};
use people::totp;
use serde_json::json;
use shop::Guest;
use sim::now;
use sim::rails::bank::{Account, Bank};
use sim::rails::{Direction, Misbehaviour, Outcome, Served};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::reads::PaymentRow;
use store::{SqliteOptions, SqliteStore};

const NUMBER: &str = "923001234567";
const PASSWORD: &str = "correct horse battery";
/// What Rs 100 buy, less advance income tax.
const CREDITED: Money = Money(86_956_522);

struct BankRail {
    sandbox: Arc<Bank>,
    account: Account,
    served: Served,
    runtime: tokio::runtime::Runtime,
}

impl BankRail {
    fn start() -> BankRail {
        let runtime = runtime();
        let account = Account::default();
        let sandbox = Bank::new(account.clone());
        let served = runtime.block_on(sandbox.serve(0)).unwrap();
        BankRail {
            sandbox,
            account,
            served,
            runtime,
        }
    }

    fn config(&self, return_after_s: u32) -> String {
        let Account {
            iban,
            username,
            password,
            request_key,
            notify_secret,
        } = &self.account;
        format!(
            "[engine]\npartitions = 3\ncache_mib = 16\nsnapshot_interval_s = 1\n[[payments.rail]]\nkind = 'bank'\n\
             title = 'Test'\niban = '{iban}'\nbank = 'Sandbox Bank'\nhost = '{}'\nusername = '{username}'\n\
             password = '{password}'\nrequest_key = '{request_key}'\nnotify_secrets = ['{notify_secret}']\n\
             return_after_s = {return_after_s}\n",
            self.served.url
        )
    }

    fn send_to(&self, server: &Server) {
        self.sandbox.desk.send_to(&format!("{}/rails/bank", server.url));
    }

    /// A transfer with a note that nobody asked for; the bank tells us.
    fn transfer(&self, note: &str) {
        let _within = self.runtime.enter();
        self.sandbox.pay(note, 10_000, Outcome::Approve).unwrap();
    }

    /// The bank tells everything once more. `None`: nobody answered.
    fn tell_again(&self, server: &Server) -> Option<Vec<u16>> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        let told = self.sandbox.desk.callbacks().into_iter().map(|callback| {
            let mut request = agent.post(format!("{}/rails/bank{}", server.url, callback.path));
            for (name, value) in &callback.headers {
                request = request.header(name, value);
            }
            Some(request.send(&callback.body[..]).ok()?.status().as_u16())
        });
        told.collect()
    }

    fn returns(&self, order: &str) -> usize {
        self.sandbox.desk.count(order, Direction::Refund)
    }
}

/// What the bank's book calls a transfer with a note.
fn order_of(note: &str) -> String {
    note.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .take(20)
        .collect()
}

fn hidden(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let rest = page
        .split(&mark)
        .nth(1)
        .unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

/// Somebody of staff with a browser that outlives the server.
struct Staff {
    browser: Guest,
}

impl Staff {
    /// Added on the command line, set up, signed in.
    fn new(server: &Server, key: &str, name: &str, role: &str) -> Staff {
        let added = server
            .run(key, &["staff", "add", name, "--role", role, "--json"])
            .json();
        let link = added["link"].as_str().unwrap();
        let path = format!("/{}", link.splitn(4, '/').nth(3).unwrap());
        let mut browser = Guest::new(&server.url);
        let page = browser.get(&path).unwrap().text;
        let key = page.split("id=\"totp-key\" dir=\"ltr\"><bdi>").nth(1).unwrap();
        let secret = key.split('<').next().unwrap().replace(' ', "");
        let code = |ahead_s: i64| totp::code_at(&secret, now().plus(ahead_s * 1_000_000)).unwrap();
        let form = hidden(&page, "form");
        let fields = [
            ("form", form.as_str()),
            ("password", PASSWORD),
            ("code", &code(0)),
        ];
        assert_eq!(browser.post(&path, &fields).unwrap().status, 303);
        let form = hidden(&browser.get("/staff/sign-in").unwrap().text, "form");
        // The code of now was used just before: the next one is early, and good.
        let fields = [
            ("form", form.as_str()),
            ("name", name),
            ("password", PASSWORD),
            ("code", &code(30)),
        ];
        let entered = browser.post("/staff/sign-in", &fields).unwrap();
        assert_eq!((entered.status, entered.location.as_str()), (303, "/staff"));
        Staff { browser }
    }

    /// The same browser at a server that was started again.
    fn at(&mut self, server: &Server) {
        self.browser.move_to(&server.url);
    }

    fn see(&mut self, path: &str) -> String {
        let page = self.browser.get(path).expect("an answer");
        assert_eq!(page.status, 200, "{path}: {} {}", page.location, page.text);
        page.text
    }

    /// The page of money in suspense, once it is there.
    fn suspended(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let list = self.see("/staff/suspense");
            let rows = list.matches("href=\"/staff/suspense/").count();
            assert!(rows <= 1, "{list}");
            if let Some(rest) = list.split("href=\"/staff/suspense/").nth(1) {
                return format!("/staff/suspense/{}", rest.split('"').next().unwrap());
            }
            assert!(Instant::now() < deadline, "nothing is in suspense");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// `None`: the server did not answer.
    fn assign(&mut self, path: &str, form: &str) -> Option<u16> {
        let fields = [("form", form), ("what", "assign"), ("number", NUMBER)];
        Some(self.browser.post(path, &fields)?.status)
    }
}

fn balance(server: &Server, key: &str) -> Money {
    let account = Api::new(&server.url, key).see(&format!("/v1/subscribers/{NUMBER}/balance"));
    Money::parse(account["main"].as_str().unwrap()).unwrap()
}

/// Stops in order; the books are whole. The payments of the bank.
fn end(server: Server, place: &Place) -> Vec<PaymentRow> {
    assert_eq!(server.terminate(), 0);
    let audit = place.run_here(&["audit"]).json();
    assert_eq!(audit["ok"], true, "{audit}");
    let store = SqliteStore::open(&place.data(), SqliteOptions::default()).unwrap();
    let models = store.read_models().unwrap();
    let always = (Timestamp(0), Timestamp(i64::MAX));
    let rail = Code::new("bank").unwrap();
    models
        .reader()
        .unwrap()
        .payments_of_rail(rail, always, None, 500)
        .unwrap()
}

#[test]
fn staff_assigns_unknown_money_to_a_number_once_across_kills() {
    let rail = BankRail::start();
    let place = Place::new(&rail.config(86_400));
    let server = place.serve();
    rail.send_to(&server);
    let key = server.key.clone().unwrap();
    Api::new(&server.url, &key).done("/v1/subscribers", "", &json!({"msisdn": NUMBER}));
    let mut staff = Staff::new(&server, &key, "faiz", "finance");
    rail.transfer("for my mother");
    let path = staff.suspended();
    // Told again, also after a kill: it is the same money.
    assert!(
        rail.tell_again(&server)
            .unwrap()
            .iter()
            .all(|status| *status == 200)
    );
    server.kill();
    let server = place.serve();
    rail.send_to(&server);
    staff.at(&server);
    assert!(
        rail.tell_again(&server)
            .unwrap()
            .iter()
            .all(|status| *status == 200)
    );
    assert_eq!(staff.suspended(), path);
    assert_eq!(balance(&server, &key), Money::ZERO);
    // Assigned by several clicks at once, and the server dies under them.
    let form = hidden(&staff.see(&path), "form");
    std::thread::scope(|threads| {
        for _ in 0..4 {
            let (path, form) = (path.as_str(), form.as_str());
            let mut staff = Staff {
                browser: staff.browser.same(),
            };
            threads.spawn(move || staff.assign(path, form));
        }
        std::thread::sleep(Duration::from_millis(rand::random_range(5..60)));
        server.kill();
    });
    let mut server = place.serve();
    for _ in 0..3 {
        rail.send_to(&server);
        staff.at(&server);
        let status = staff.assign(&path, &form).expect("an answer");
        assert!(status == 303 || status == 422, "{status}");
        assert_eq!(staff.assign(&path, &form), Some(422), "it is assigned");
        assert!(rail.tell_again(&server).is_some());
        assert_eq!(balance(&server, &key), CREDITED, "one credit");
        server.kill();
        server = place.serve();
    }
    staff.at(&server);
    assert!(staff.see(&path).contains("Credited"));
    let rows = end(server, &place);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0].state, PaymentState::Succeeded, "{rows:?}");
    let order = order_of("for my mother");
    assert_eq!(rail.sandbox.desk.net(&order), 10_000, "the bank keeps it with us");
    assert_eq!(rail.returns(&order), 0);
}

#[test]
fn unknown_money_that_nobody_claims_goes_back_once_by_itself_across_kills() {
    let rail = BankRail::start();
    let place = Place::new(&rail.config(2));
    let mut server = place.serve();
    rail.send_to(&server);
    rail.transfer("eid mubarak");
    let order = order_of("eid mubarak");
    rail.sandbox.desk.misbehave(Misbehaviour {
        // The bank does as asked, and the answers are lost.
        drop_after_commit: 2,
        drop_before_commit: 1,
        ..Misbehaviour::default()
    });
    let deadline = Instant::now() + 2 * PATIENCE;
    while rail.returns(&order) == 0 {
        assert!(Instant::now() < deadline, "it does not go back");
        std::thread::sleep(Duration::from_millis(rand::random_range(500..4_000)));
        server.kill();
        server = place.serve();
        rail.send_to(&server);
        let _ = rail.tell_again(&server);
    }
    rail.sandbox.desk.misbehave(Misbehaviour::default());
    // Until we know it too.
    loop {
        server.kill();
        server = place.serve();
        rail.send_to(&server);
        std::thread::sleep(Duration::from_secs(3));
        let metrics = Guest::new(&server.url).get("/metrics").unwrap().text;
        if metrics.lines().any(|line| line.ends_with("payments_open 0")) {
            break;
        }
        assert!(Instant::now() < deadline, "it stays open");
    }
    let rows = end(server, &place);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0].state, PaymentState::Refunded, "{rows:?}");
    assert_eq!((rail.returns(&order), rail.sandbox.desk.net(&order)), (1, 0));
}
