//! A mall with a kiosk in it: the real server, a line that can be cut, the real kiosk program, simulated devices, a customer.
#![allow(dead_code, reason = "each test program uses its part of it")]

use crate::harness::{Api, PATIENCE, Place, Ran, Server, raseed, runtime};
use serde_json::{Value, json};
use sim::kiosk::acceptor::{Acceptor, Inserted};
use sim::kiosk::terminal::Terminal;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A subscriber of ours.
pub const CUSTOMER: &str = "923001234567";
/// What the outlet has to sell from.
pub const STOCK: u64 = 20_000;

/// An amount as the API writes it.
pub fn rs(units: u64) -> String {
    format!("{units}.00")
}

/// How the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    Up = 0,
    /// Connections break at once.
    Down = 1,
    /// What is asked arrives; no answer comes back.
    LosesAnswers = 2,
}

/// The line between kiosk and server.
pub struct Line {
    pub url: String,
    mode: Arc<AtomicU8>,
    /// Sales that passed.
    pub sales: Arc<AtomicU64>,
}

impl Line {
    pub fn to(server: &str) -> Line {
        let server: SocketAddr = server.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mode = Arc::new(AtomicU8::new(Mode::Up as u8));
        let sales = Arc::new(AtomicU64::new(0));
        let (shared, counted) = (Arc::clone(&mode), Arc::clone(&sales));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (mode, sales) = (Arc::clone(&shared), Arc::clone(&counted));
                std::thread::spawn(move || carry(client, server, &mode, &sales));
            }
        });
        Line { url, mode, sales }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }
}

fn carry(client: TcpStream, server: SocketAddr, mode: &Arc<AtomicU8>, sales: &AtomicU64) {
    let Ok(upstream) = TcpStream::connect(server) else {
        return;
    };
    let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
    let (mut from_server, mut to_server) = (upstream.try_clone().unwrap(), upstream);
    let shared = Arc::clone(mode);
    let back = std::thread::spawn(move || {
        let mut piece = [0; 16 * 1024];
        while let Ok(size) = from_server.read(&mut piece) {
            let up = shared.load(Ordering::SeqCst) == Mode::Up as u8;
            if size == 0 || !up || to_client.write_all(&piece[..size]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
        let _ = from_server.shutdown(Shutdown::Both);
    });
    let mut piece = [0; 16 * 1024];
    while let Ok(size) = from_client.read(&mut piece) {
        if size == 0 || mode.load(Ordering::SeqCst) == Mode::Down as u8 {
            break;
        }
        if piece[..size].windows(12).any(|part| part == b"/me/sales?wa") {
            sales.fetch_add(1, Ordering::SeqCst);
        }
        if to_server.write_all(&piece[..size]).is_err() {
            break;
        }
    }
    let _ = from_client.shutdown(Shutdown::Both);
    if mode.load(Ordering::SeqCst) != Mode::LosesAnswers as u8 {
        let _ = to_server.shutdown(Shutdown::Both);
    }
    back.join().unwrap();
}

/// The kiosk program at work; killed when dropped.
pub struct KioskProgram {
    child: Child,
    pub url: String,
    _out: BufReader<ChildStdout>,
}

impl KioskProgram {
    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for KioskProgram {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything.
pub struct Mall {
    _runtime: tokio::runtime::Runtime,
    pub acceptor: Arc<Acceptor>,
    pub terminal: Arc<Terminal>,
    pub place: Place,
    pub server: Server,
    pub admin: Api,
    pub outlet: Api,
    pub id: u64,
    pub line: Line,
    kiosk: Option<KioskProgram>,
    agent: ureq::Agent,
}

impl Mall {
    /// With more lines of the kiosk's file.
    pub fn open(extra: &str) -> Mall {
        let runtime = runtime();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (acceptor, terminal) = runtime
            .block_on(async {
                Ok::<_, std::io::Error>((Acceptor::start(any).await?, Terminal::start(any).await?))
            })
            .unwrap();
        let place = Place::new("");
        let server = place.serve();
        let admin = Api::new(&server.url, server.key.as_deref().unwrap());
        let subscriber = json!({"operator": "jazz", "msisdn": CUSTOMER, "language": "en"});
        admin.done("/v1/subscribers", CUSTOMER, &subscriber);
        let open = |grade: &str, parent: Option<u64>| -> (u64, String) {
            let body = json!({"name": grade, "code": grade, "grade": grade, "parent": parent, "key": true});
            let made = admin.done("/v1/sellers", grade, &body);
            (
                made["id"].as_u64().unwrap(),
                made["key"]["key"].as_str().unwrap().to_owned(),
            )
        };
        let (root, _) = open("operator", None);
        let (retailer, _) = open("retailer", Some(root));
        let (id, key) = open("outlet", Some(retailer));
        let float = json!({"amount": "100000", "reference": "bank"});
        admin.done(&format!("/v1/partners/{root}/float"), "f", &float);
        for (from, to, amount) in [(root, retailer, "50000"), (retailer, id, &STOCK.to_string())] {
            let path = format!("/v1/sellers/{from}/moves?wait=10");
            admin.done(&path, amount, &json!({"to": to, "amount": amount}));
        }
        let line = Line::to(&server.url);
        std::fs::write(place.path("kiosk.key"), &key).unwrap();
        let text = format!(
            "name = 'mall-1'\nserver = '{}'\nkey_file = 'kiosk.key'\nlisten = '127.0.0.1:0'\nlog = 'warn'\nhelp = '0800 12345'\n\
             {extra}\n[cash]\nacceptor = '{}'\n[card]\nterminal = '{}'\n[offline]\nmax = '500'\nsale_max = '500'\n",
            line.url,
            acceptor.address(),
            terminal.address(),
        );
        std::fs::write(place.path("kiosk.toml"), text).unwrap();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        let mut mall = Mall {
            _runtime: runtime,
            acceptor,
            terminal,
            outlet: Api::new(&server.url, &key),
            place,
            server,
            admin,
            id,
            line,
            kiosk: None,
            agent: config.into(),
        };
        mall.start();
        mall
    }

    /// Starts the kiosk and waits until it is open.
    pub fn start(&mut self) {
        self.start_closed();
        self.post("/reset", "");
        self.until("the kiosk is open", |mall| {
            mall.get("/").contains("name=\"language\"").then_some(())
        });
    }

    /// Starts the kiosk.
    pub fn start_closed(&mut self) {
        let mut child = raseed()
            .args(["--json", "kiosk", "run", "--config"])
            .arg(self.place.path("kiosk.toml"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        assert!(
            out.read_line(&mut ready).unwrap() > 0,
            "the kiosk ended: {:?}",
            child.wait()
        );
        let ready: Value = serde_json::from_str(&ready).unwrap();
        self.kiosk = Some(KioskProgram {
            child,
            url: ready["http"].as_str().unwrap().to_owned(),
            _out: out,
        });
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.kiosk.take().unwrap().kill();
    }

    pub fn url(&self) -> &str {
        &self.kiosk.as_ref().unwrap().url
    }

    /// A page, redirects followed.
    pub fn get(&self, path: &str) -> String {
        let mut answer = self.agent.get(format!("{}{path}", self.url())).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    }

    /// Sends a form; the page behind it.
    pub fn post(&self, path: &str, form: &str) -> String {
        let request = self
            .agent
            .post(format!("{}{path}", self.url()))
            .header("content-type", "application/x-www-form-urlencoded");
        let mut answer = request.send(form).unwrap();
        answer.body_mut().read_to_string().unwrap()
    }

    /// Chooses an amount and the way to pay; the page behind it.
    pub fn order(&self, amount: &str, way: &str) -> String {
        self.post("/reset", "");
        self.post("/language", "language=en");
        self.post("/number", "number=03001234567");
        let page = self.post("/choose", amount);
        assert!(page.contains("Is this right?"), "{page}");
        self.post("/confirm", &format!("way={way}"))
    }

    /// Begins to pay in cash: the slot is open.
    #[track_caller]
    pub fn pay_cash(&self, amount: &str) {
        let page = self.order(&format!("amount={amount}"), "cash");
        assert!(page.contains("Put the notes in"), "{page}");
        self.until("the slot opens", |mall| {
            (!mall.acceptor.takes().is_empty()).then_some(())
        });
    }

    /// Puts a note in.
    #[track_caller]
    pub fn note(&self, value: u64) {
        self.until("the note goes in", |mall| {
            matches!(mall.acceptor.insert(value), Inserted::Escrowed(_)).then_some(())
        });
    }

    /// The cash book.
    pub fn book(&self) -> Value {
        self.command(&["status"]).json()
    }

    /// `raseed kiosk ...`
    pub fn command(&self, arguments: &[&str]) -> Ran {
        let config = self.place.path("kiosk.toml");
        Ran::of(
            raseed()
                .args(["--json", "kiosk"])
                .args(arguments)
                .arg("--config")
                .arg(config),
        )
    }

    /// The state of an order.
    pub fn state(&self, order: u64) -> String {
        let told = self.command(&["order", &order.to_string()]);
        match told.code {
            0 => told.json()["state"].as_str().unwrap().to_owned(),
            _ => String::new(),
        }
    }

    #[track_caller]
    pub fn until_state(&self, order: u64, state: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.state(order) != state {
            assert!(
                Instant::now() < deadline,
                "order {order} is not {state}: {}",
                self.command(&["order", &order.to_string()]).out
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    pub fn until<T>(&self, what: &str, mut look: impl FnMut(&Mall) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Sales that the server credited: how many, and how much.
    pub fn sold(&self) -> (u64, String) {
        let day = self.outlet.see("/v1/sellers/me/days/today");
        (
            day["count"].as_u64().unwrap(),
            day["amount"].as_str().unwrap().to_owned(),
        )
    }

    /// Box, cash book, server's sales and float say the same: so much was sold for cash in so many sales, by card so much.
    #[track_caller]
    pub fn agree(&self, sales: u64, cash: u64, cards: u64) {
        let total = cash + cards;
        self.until("the server's day is complete", |mall| {
            (mall.sold() == (sales, rs(total))).then_some(())
        });
        let book = self.book();
        assert_eq!(book["balances"], true, "{book}");
        assert_eq!(book["credited"], rs(cash), "{book}");
        assert_eq!(book["taken"], rs(self.acceptor.in_box().iter().sum()), "{book}");
        let me = self.outlet.see("/v1/sellers/me");
        let day = self.outlet.see("/v1/sellers/me/days/today");
        let money = |value: &Value| charge::Money::parse(value.as_str().unwrap()).unwrap();
        let start = charge::Money::from_units(i64::try_from(STOCK).unwrap());
        let stock = money(&day["stock_commission"]);
        let expected = start + stock - charge::Money::from_units(i64::try_from(total).unwrap())
            + money(&day["commission"]);
        assert_eq!(money(&me["float"]), expected, "{me} {day}");
        assert_eq!(me["in_transit"], "0.00", "{me}");
    }

    /// The server stops, and its books are whole.
    pub fn audit(mut self) {
        self.kill();
        let Mall { server, place, .. } = self;
        assert_eq!(server.terminate(), 0);
        let audit = place.run_here(&["audit"]);
        assert_eq!(audit.code, 0, "{audit:?}");
    }
}
