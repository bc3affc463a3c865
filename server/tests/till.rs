//! The till through the real binary, which is killed while it sells: every form is one sale, however often it is sent. And
//! the directory of outlets from the command line.

mod harness;

use harness::{Api, PATIENCE, Place};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Rounds of kill and restart.
const ROUNDS: u32 = 10;
/// Sales on their way at each kill.
const FORMS: u32 = 4;
/// Time between the last awaited answer and the kill, microseconds.
const AFTER_US: std::ops::Range<u64> = 0..2_000;
const PIN: &str = "7391";

/// A browser at the till: cookies, the last page with a form, no redirects.
#[derive(Clone)]
struct Till {
    url: String,
    cookies: BTreeMap<String, String>,
    page: String,
}

impl Till {
    fn enter(url: &str, shop: u64) -> Till {
        let mut till = Till {
            url: url.to_owned(),
            cookies: BTreeMap::new(),
            page: String::new(),
        };
        till.send("/pos/sign-in", None).expect("a page");
        let typed = format!("seller={shop}&staff=ali&pin={PIN}");
        assert_eq!(till.send("/pos/sign-in", Some(&typed)).unwrap().1, "/pos");
        till.send("/pos", None).expect("a page");
        till
    }

    /// Status, where it leads, and the page; `None` when no whole answer came.
    fn send(&mut self, path: &str, form: Option<&str>) -> Option<(u16, String, String)> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let url = format!("{}{path}", self.url);
        let pairs: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let jar = pairs.join("; ");
        let answered = match form {
            None => agent
                .get(url)
                .header("accept", "text/html")
                .header("cookie", jar)
                .call(),
            Some(form) => agent
                .post(url)
                .header("accept", "text/html")
                .header("cookie", jar)
                .header("content-type", "application/x-www-form-urlencoded")
                .send(format!("{form}&form={}", field(&self.page, "form"))),
        };
        let mut answer = answered.ok()?;
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().ok()?.split(';').next()?;
            let (name, value) = pair.split_once('=')?;
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = answer.headers().get("location");
        let location = location
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
            .to_owned();
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_to_string().ok()?;
        if body.contains("name=\"form\" value=\"") {
            self.page.clone_from(&body);
        }
        Some((status, location, body))
    }

    /// The form of a sale that is only to be confirmed.
    fn begin(&mut self, number: &str, amount: u32) -> String {
        let typed = format!("number={number}&amount={amount}&what=amount");
        let (status, _, body) = self.send("/pos/check", Some(&typed)).expect("a page");
        assert_eq!(status, 200, "{body}");
        let id = field(body.split("data-sells").nth(1).expect("the form"), "ticket");
        format!("ticket={id}&number={number}&amount={amount}&again=1")
    }

    /// Half of a form, and the line is cut.
    fn send_half(&self, form: &str) {
        let host = self.url.trim_start_matches("http://");
        let pairs: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let body = format!("{form}&form={}", field(&self.page, "form"));
        let head = format!(
            "POST /pos/sell HTTP/1.1\r\nhost: {host}\r\ncookie: {}\r\ncontent-type: \
             application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
            pairs.join("; "),
            body.len()
        );
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body.as_bytes()[..body.len() / 2]).unwrap();
    }

    /// Sends a form until its sale is done, as the page's script does.
    fn insist(&mut self, form: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (status, place, body) = self.send("/pos/sell", Some(form)).expect("an answer");
            if status == 303 && place.starts_with("/pos/sale/") {
                let (_, _, page) = self.send(&place, None).expect("a page");
                if page.contains("id=\"state\">Done<") {
                    return;
                }
            } else {
                assert!(status >= 500 || status == 409, "{status} {place} {body}");
            }
            assert!(Instant::now() < deadline, "{form}: {status} {place} {body}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn field(html: &str, name: &str) -> String {
    let rest = html
        .split(&format!("name=\"{name}\" value=\""))
        .nth(1)
        .expect("the field");
    rest.split('"').next().unwrap().to_owned()
}

/// A shop with one who works there, under a distributor; gives its id.
fn shop(admin: &Api) -> u64 {
    let seller = |grade: &str, parent: Option<u64>| {
        let body = json!({"name": grade, "code": grade, "grade": grade, "parent": parent});
        admin.done("/v1/sellers", grade, &body)["id"].as_u64().unwrap()
    };
    let root = seller("operator", None);
    let distributor = seller("distributor", Some(root));
    let shop = seller("retailer", Some(distributor));
    let fund = json!({"amount": "100000", "reference": "bank"});
    admin.done(&format!("/v1/partners/{root}/float"), "f", &fund);
    for (from, to, amount) in [(root, distributor, "50000"), (distributor, shop, "20000")] {
        let path = format!("/v1/sellers/{from}/moves?wait=10");
        admin.done(&path, amount, &json!({"to": to, "amount": amount}));
    }
    let path = format!("/v1/sellers/{shop}/staff/ali");
    let ali = json!({"name": "Ali", "role": "owner", "pin": "2580"});
    assert_eq!(admin.put(&path, &ali).unwrap().0, 204);
    let pin = json!({"old": "2580", "new": PIN});
    assert_eq!(admin.post(&format!("{path}/pin"), "", &pin).unwrap().0, 204);
    shop
}

fn micros(value: &Value) -> i64 {
    charge::Money::parse(value.as_str().expect("an amount"))
        .unwrap()
        .0
}

#[test]
fn a_till_whose_server_is_killed_sells_each_form_once() {
    let seed: u64 = std::env::var("RASEED_CRASH_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random);
    println!("RASEED_CRASH_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let place = Place::new("");
    let mut server = place.serve();
    let key = server.key.clone().unwrap();
    let admin = Api::new(&server.url, &key);
    let numbers: Vec<String> = (0..FORMS).map(|index| format!("92300155500{index}")).collect();
    for number in &numbers {
        admin.done("/v1/subscribers", number, &json!({"msisdn": number}));
    }
    let shop = shop(&admin);
    // Without a mark every sale needs the PIN.
    let id = shop.to_string();
    let limits = server.run(&key, &["seller", "limits", &id, "--pin-above", "1000"]);
    assert_eq!(limits.code, 0, "{limits:?}");
    let path = format!("/v1/sellers/{shop}");
    let start = micros(&admin.see(&path)["float"]);
    let mut till = Till::enter(&server.url, shop);
    let mut taken = 0;
    let mut unheard = 0;
    for round in 0..ROUNDS {
        let forms: Vec<String> = (0..FORMS)
            .map(|index| {
                let amount = 100 + round * FORMS + index;
                taken += i64::from(amount) * 1_000_000;
                till.begin(&numbers[index as usize], amount)
            })
            .collect();
        // Killed before the first answer, after the first, and so on, and then a little later.
        let awaited = round % FORMS;
        let after = Duration::from_micros(random.random_range(AFTER_US));
        let heard = AtomicU32::new(0);
        let answers: Vec<bool> = std::thread::scope(|scope| {
            let sent: Vec<_> = forms
                .iter()
                .map(|form| {
                    let mut one = till.clone();
                    let heard = &heard;
                    scope.spawn(move || {
                        let answered = one.send("/pos/sell", Some(form)).is_some();
                        heard.fetch_add(1, Ordering::Relaxed);
                        answered
                    })
                })
                .collect();
            let deadline = Instant::now() + PATIENCE;
            while heard.load(Ordering::Relaxed) < awaited && Instant::now() < deadline {
                std::thread::sleep(Duration::from_micros(50));
            }
            std::thread::sleep(after);
            server.kill();
            sent.into_iter().map(|one| one.join().unwrap()).collect()
        });
        unheard += answers.iter().filter(|heard| !**heard).count();
        server = place.serve();
        till.url.clone_from(&server.url);
        for form in &forms {
            till.insist(form);
            till.insist(form);
        }
        let seller = Api::new(&server.url, &key).see(&path);
        assert_eq!(micros(&seller["float"]), start - taken, "round {round}: {seller}");
    }
    println!("{unheard} of {} answers were lost", ROUNDS * FORMS);
    assert!(unheard > 0, "no kill hit a sale");
    // Half a form asks for nothing; the whole one sells.
    let form = till.begin(&numbers[0], 190);
    till.send_half(&form);
    std::thread::sleep(Duration::from_millis(300));
    let admin = Api::new(&server.url, &key);
    assert_eq!(micros(&admin.see(&path)["float"]), start - taken);
    till.insist(&form);
    assert_eq!(micros(&admin.see(&path)["float"]), start - taken - 190_000_000);
    receipts_verify(&place, &admin, &numbers);
    assert_eq!(server.terminate(), 0);
    assert_eq!(place.run_here(&["audit"]).json()["ok"], true);
}

/// Each sale has one receipt, which proves itself without the server.
fn receipts_verify(place: &Place, admin: &Api, numbers: &[String]) {
    let keys = admin.see("/.well-known/raseed-receipt-keys.json");
    std::fs::write(place.path("keys.json"), keys.to_string()).unwrap();
    for (index, number) in numbers.iter().enumerate() {
        let expected = ROUNDS as usize + usize::from(index == 0);
        let deadline = Instant::now() + PATIENCE;
        let receipts: Vec<String> = loop {
            let statement = admin.see(&format!("/v1/subscribers/{number}/statement?limit=50"));
            let lines = statement["lines"].as_array().unwrap().iter();
            let receipts = lines.filter_map(|line| line["receipt"].as_str().map(str::to_owned));
            let receipts: Vec<String> = receipts.collect();
            if receipts.len() >= expected {
                break receipts;
            }
            assert!(Instant::now() < deadline, "{number}: {receipts:?}");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(receipts.len(), expected, "{number}: {receipts:?}");
        let answer = admin.see(&format!("/v1/receipts/{}", receipts[0]));
        let signed = answer["signed"].as_str().unwrap();
        let verify = ["--json", "receipt", "verify", signed, "--key", "keys.json"];
        assert_eq!(place.run(&verify).json()["genuine"], true, "{answer}");
    }
}

const OUTLETS: &str = "\
id,name,address,city,area,lat,lon,hours,breaks,services,operators
always,Always Open,1 Street,Karachi,Saddar,24.860700,67.010400,mon-sun 00:00-24:00,,recharge sim,jazz
never,Never Open,2 Street,Karachi,Saddar,24.861700,67.010400,sun closed,,recharge cash biometric,jazz zong
";

#[test]
fn the_directory_of_outlets_is_kept_from_the_command_line() {
    let place = Place::new("");
    let server = place.serve();
    let key = server.key.clone().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(place.path(name), text).unwrap();
        place.path(name).display().to_string()
    };
    let good = file("good.csv", OUTLETS);
    let bad = file("bad.csv", &OUTLETS.replace("sun closed", "always"));
    let ids = |server: &harness::Server, arguments: &[&str]| -> Vec<String> {
        let mut all = vec!["--json", "outlet"];
        all.extend(arguments);
        let found = server.run(&key, &all).json();
        let found = found.as_array().unwrap().iter();
        found.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    server
        .run(&key, &["outlet", "import", &bad])
        .fails(1, &["nothing was written", "line 3, hours"]);
    assert!(ids(&server, &["list"]).is_empty());
    let done = server.run(&key, &["--json", "outlet", "import", &good]).json();
    assert_eq!((&done["created"], &done["changed"]), (&json!(2), &json!(0)));
    assert_eq!(ids(&server, &["near", "Karachi, Saddar"]).len(), 2);
    assert_eq!(ids(&server, &["near", "Karachi", "--open"]), ["always"]);
    assert_eq!(ids(&server, &["list", "--service", "biometric"]), ["never"]);
    let near = ["outlet", "near", "--lat", "24861700", "--lon", "67010400"];
    let told = server.run(&key, &near).out;
    let lines: Vec<&str> = told.lines().collect();
    assert!(
        lines[0].starts_with("never") && lines[0].contains("0 m"),
        "{told}"
    );
    assert!(lines[1].contains("open") && lines[1].contains("m s"), "{told}");
    assert_eq!(server.terminate(), 0);

    let server = place.serve();
    assert_eq!(
        ids(&server, &["list"]),
        ["always", "never"],
        "also after a restart"
    );
    assert_eq!(server.run(&key, &["outlet", "remove", "never"]).code, 0);
    assert_eq!(ids(&server, &["list"]), ["always"]);
    assert_eq!(server.run(&key, &["outlet", "remove", "never"]).code, 3);
}
