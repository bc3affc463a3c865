//! The point of sale over real sockets, on a real engine and its SQLite files: signing in, one sale however often the form
//! arrives, second ones only when meant, PINs, devices, other people's sales, taking back, closing the day, asking for stock.

#[path = "../../server/tests/browser/mod.rs"]
mod browser;
mod common;

use browser::{Axe, Browser, Programs};
use common::client::Client;
use common::{Answer, NUMBER, SECOND_NUMBER, Service};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const PIN: &str = "7391";

struct Outlet {
    service: Service,
    distributor: (u64, String),
    shop: (u64, String),
}

fn made(service: &Service, by: &str, grade: &str, parent: Option<u64>) -> (u64, String) {
    let number = (grade == "retailer").then_some(SECOND_NUMBER);
    let body = json!({"name": grade, "code": grade, "grade": grade, "parent": parent, "key": true, "number": number});
    let answer = service.api(by, "POST", "/v1/sellers", &body.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
    let made = answer.json();
    (
        made["id"].as_u64().unwrap(),
        made["key"]["key"].as_str().unwrap().to_owned(),
    )
}

/// A shop under a distributor, with an owner and a cashier, a float of 1,025 and PINs above 200.
fn outlet() -> Outlet {
    let service = Service::start();
    let admin = service.admin.clone();
    let root = made(&service, &admin, "operator", None);
    let distributor = made(&service, &admin, "distributor", Some(root.0));
    let shop = made(&service, &admin, "retailer", Some(distributor.0));
    let fund = json!({"amount": "100000", "reference": "bank"}).to_string();
    let path = format!("/v1/partners/{}/float", root.0);
    assert_eq!(service.once(&admin, &path, "f", &fund).status, 200);
    for (from, to, amount) in [(root.0, distributor.0, "50000"), (distributor.0, shop.0, "1000")] {
        let body = json!({"to": to, "amount": amount}).to_string();
        let path = format!("/v1/sellers/{from}/moves?wait=10");
        assert_eq!(service.once(&admin, &path, &format!("m-{to}"), &body).status, 201);
    }
    let limits = json!({"limits": {"pin_above": "200"}, "low_mark": "950"}).to_string();
    let path = format!("/v1/sellers/{}", shop.0);
    assert_eq!(service.api(&admin, "PATCH", &path, &limits).status, 200);
    for (seller, login, role) in [
        (shop.0, "ali", "owner"),
        (shop.0, "sana", "cashier"),
        (distributor.0, "omar", "manager"),
    ] {
        let path = format!("/v1/sellers/{seller}/staff/{login}");
        let body = json!({"name": login, "role": role, "pin": "2580"}).to_string();
        assert_eq!(service.api(&admin, "PUT", &path, &body).status, 204);
        let body = json!({"old": "2580", "new": PIN}).to_string();
        let answer = service.api(&admin, "POST", &format!("{path}/pin"), &body);
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
    Outlet {
        service,
        distributor,
        shop,
    }
}

impl Outlet {
    fn enter<'a>(&'a self, seller: u64, login: &str) -> Client<'a> {
        let mut client = Client::new(&self.service);
        client.get("/pos/sign-in");
        let answer = client.post(
            "/pos/sign-in",
            &format!("seller={seller}&staff={login}&pin={PIN}"),
        );
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/pos"),
            "{}",
            answer.body
        );
        client.get("/pos");
        client
    }

    fn float(&self) -> String {
        let path = format!("/v1/sellers/{}", self.shop.0);
        let seller = self.service.api(&self.service.admin, "GET", &path, "").json();
        seller["float"].as_str().unwrap().to_owned()
    }
}

/// The confirmation of a sale: its id.
fn check(client: &mut Client, number: &str, amount: &str) -> String {
    let answer = client.post(
        "/pos/check",
        &format!("number={number}&amount={amount}&what=amount"),
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
    client.field_after("data-sells", "ticket")
}

fn sell(client: &mut Client, id: &str, number: &str, amount: &str, more: &str) -> Answer {
    client.post(
        "/pos/sell",
        &format!("ticket={id}&number={number}&amount={amount}{more}"),
    )
}

#[test]
fn a_sale_is_made_once_and_a_second_one_must_be_meant() {
    let outlet = outlet();
    let mut till = outlet.enter(outlet.shop.0, "sana");
    assert_eq!(
        till.post("/pos/check", "number=12&amount=100&what=amount").status,
        422
    );
    let id = check(&mut till, NUMBER, "100");
    assert!(till.page.contains("Jazz"), "the operator is shown");
    // Four at once, as from a finger on a bad line; then the answer is lost and the form is sent again.
    let twins: Vec<Client> = (0..4)
        .map(|_| Client {
            service: &outlet.service,
            cookies: till.cookies.clone(),
            page: till.page.clone(),
            agent: till.agent.clone(),
            from: till.from.clone(),
        })
        .collect();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let sent: Vec<_> = twins
            .into_iter()
            .map(|mut twin| {
                let id = id.clone();
                scope.spawn(move || sell(&mut twin, &id, NUMBER, "100", "").status)
            })
            .collect();
        sent.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(answers, [303; 4]);
    let again = sell(&mut till, &id, NUMBER, "100", "");
    assert_eq!(again.status, 303);
    let page = till.get(again.header("location"));
    assert!(
        page.body.contains("Done") && page.body.contains("slip-title"),
        "{}",
        page.body
    );
    assert!(
        !page.body.contains("style=") && !page.body.contains("<script>"),
        "nothing inline"
    );
    assert_eq!(outlet.service.main_balance(), "86.956522");
    assert_eq!(outlet.float(), "925.00");
    assert!(till.get("/pos").body.contains("float is low"));
    // The same id for something else is refused, and nothing moves.
    assert_eq!(sell(&mut till, &id, NUMBER, "150", "").status, 422);

    // A second one like it within two minutes.
    let second = check(&mut till, NUMBER, "100");
    let refused = sell(&mut till, &second, NUMBER, "100", "");
    assert_eq!(refused.status, 409);
    assert!(
        refused.body.contains("name=\"again\" value=\"1\""),
        "{}",
        refused.body
    );
    assert_eq!(outlet.float(), "925.00");
    assert_eq!(sell(&mut till, &second, NUMBER, "100", "&again=1").status, 303);
    assert_eq!(outlet.float(), "825.00");

    // A form of another browser, and one without a token.
    let token = till.form_token();
    let foreign = outlet.enter(outlet.shop.0, "ali").form_token();
    let third = check(&mut till, NUMBER, "120");
    let body = format!("ticket={third}&number={NUMBER}&amount=120&form=");
    assert_ne!(token, foreign);
    for bad in [foreign.as_str(), ""] {
        let answer = till.send("POST", "/pos/sell", &[], &format!("{body}{bad}"));
        assert_eq!(answer.status, 400);
    }
    let strange = [("origin", "https://elsewhere.example")];
    let answer = till.send("POST", "/pos/sell", &strange, &format!("{body}{token}"));
    assert_eq!(answer.status, 400);
    assert_eq!(outlet.float(), "825.00");
}

#[test]
fn pins_lock_and_nobody_learns_who_works_where() {
    let outlet = outlet();
    let mut till = outlet.enter(outlet.shop.0, "sana");
    // Above 200 the PIN comes with the sale.
    let id = check(&mut till, NUMBER, "300");
    assert_eq!(sell(&mut till, &id, NUMBER, "300", "").status, 403);
    assert_eq!(sell(&mut till, &id, NUMBER, "300", "&pin=1111").status, 403);
    assert_eq!(
        sell(&mut till, &id, NUMBER, "300", &format!("&pin={PIN}")).status,
        303
    );
    assert_eq!(outlet.float(), "725.00");

    let mut guest = Client::new(&outlet.service);
    let mut try_in = |seller: u64, login: &str, pin: &str| {
        guest.get("/pos/sign-in");
        let answer = guest.post(
            "/pos/sign-in",
            &format!("seller={seller}&staff={login}&pin={pin}"),
        );
        let told = answer
            .body
            .split("role=\"alert\">")
            .nth(1)
            .map(|rest| rest.split("</p>").next().unwrap().to_owned());
        (answer.status, told)
    };
    let wrong = try_in(outlet.shop.0, "sana", "1111");
    assert!(wrong.0 == 422 && wrong.1.is_some());
    assert_eq!(try_in(outlet.shop.0, "nobody", "1111"), wrong);
    assert_eq!(try_in(99, "sana", "1111"), wrong);
    for _ in 0..2 {
        assert_eq!(try_in(outlet.shop.0, "sana", "1111"), wrong);
    }
    assert_eq!(try_in(outlet.shop.0, "sana", PIN), wrong, "locked looks the same");
    // Who is locked is out of the till as well.
    let out = till.get("/pos");
    assert_eq!((out.status, out.header("location")), (303, "/pos/sign-in"));
}

#[test]
fn only_bound_devices_sell_and_a_code_binds_one() {
    let outlet = outlet();
    let mut till = outlet.enter(outlet.shop.0, "ali");
    let path = format!("/v1/sellers/{}", outlet.shop.0);
    let bound = json!({"bound": true}).to_string();
    assert_eq!(
        outlet.service.api(&outlet.shop.1, "PATCH", &path, &bound).status,
        200
    );
    // The sign-in that is there is good no more on this device.
    assert_eq!(till.get("/pos").header("location"), "/pos/sign-in");
    till.get("/pos/sign-in");
    let fields = format!("seller={}&staff=ali&pin={PIN}", outlet.shop.0);
    let asked = till.post("/pos/sign-in", &fields);
    assert!(
        asked.status == 200 && asked.body.contains("name=\"code\""),
        "{}",
        asked.body
    );
    assert!(
        !asked
            .headers
            .get_all("set-cookie")
            .iter()
            .any(|c| c.to_str().unwrap().contains("pos="))
    );
    let code = outlet
        .service
        .eventually(|| outlet.service.codes.last(SECOND_NUMBER));
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert_eq!(
        till.post("/pos/sign-in", &format!("{fields}&code={wrong}"))
            .status,
        422
    );
    let entered = till.post("/pos/sign-in", &format!("{fields}&code={code}"));
    assert_eq!(entered.header("location"), "/pos", "{}", entered.body);
    till.get("/pos");
    let id = check(&mut till, NUMBER, "100");
    assert_eq!(sell(&mut till, &id, NUMBER, "100", "").status, 303);
    // The cookie of the sign-in without that of the device is worth nothing.
    till.cookies.retain(|(name, _)| !name.contains("device"));
    assert_eq!(till.get("/pos").header("location"), "/pos/sign-in");
    // Codes are no way around three tries.
    let mut thief = Client::new(&outlet.service);
    thief.get("/pos/sign-in");
    thief.post("/pos/sign-in", &fields);
    for guess in ["111111", "222222", "333333"] {
        thief.post("/pos/sign-in", &format!("{fields}&code={guess}"));
    }
    let seller = outlet.service.api(&outlet.service.admin, "GET", &path, "").json();
    let ali = seller["staff"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["code"] == "ali")
        .unwrap()
        .clone();
    assert_eq!(ali["locked"], true, "{ali}");
}

#[test]
fn sales_are_taken_back_the_day_adds_up_and_stock_is_asked_for() {
    let outlet = outlet();
    let mut owner = outlet.enter(outlet.shop.0, "ali");
    let mut cashier = outlet.enter(outlet.shop.0, "sana");
    let owners = check(&mut owner, NUMBER, "100");
    assert_eq!(sell(&mut owner, &owners, NUMBER, "100", "").status, 303);
    let cashiers = check(&mut cashier, NUMBER, "150");
    assert_eq!(sell(&mut cashier, &cashiers, NUMBER, "150", "").status, 303);
    // A cashier sees the own sales only; another outlet sees nothing of either.
    assert_eq!(cashier.get(&format!("/pos/sale/{owners}")).status, 404);
    assert_eq!(cashier.get(&format!("/pos/sale/{cashiers}")).status, 200);
    let mut above = outlet.enter(outlet.distributor.0, "omar");
    let foreign = above.get(&format!("/pos/sale/{cashiers}"));
    assert!(foreign.body.contains("Not heard of") && !foreign.body.contains("slip-title"));
    outlet.service.eventually(|| {
        let list = owner
            .service
            .api(&outlet.shop.1, "GET", "/v1/sellers/me/sales", "")
            .json();
        (list["sales"].as_array().unwrap().len() == 2).then_some(())
    });
    assert_eq!(
        owner
            .get("/pos/sales")
            .body
            .matches("<li><span><a href=\"/pos/sale/")
            .count(),
        2
    );
    assert_eq!(
        cashier
            .get("/pos/sales")
            .body
            .matches("<li><span><a href=\"/pos/sale/")
            .count(),
        1
    );

    // Taking back: not a cashier's, not without the PIN, and once.
    cashier.get("/pos");
    let path = format!("/pos/sale/{cashiers}");
    assert_eq!(cashier.post(&path, &format!("pin={PIN}")).status, 403);
    owner.get("/pos");
    assert_eq!(owner.post(&path, "pin=1111").status, 422);
    let back = owner.post(&path, &format!("pin={PIN}"));
    assert_eq!(back.status, 303, "{}", back.body);
    assert!(owner.get(&path).body.contains("Taken back"));
    let day = outlet.service.eventually(|| {
        let day: Value = outlet
            .service
            .api(&outlet.shop.1, "GET", "/v1/sellers/me/days/today", "")
            .json();
        (day["amount"] == "100.00").then_some(day)
    });
    assert_eq!(day["reversed"], "150.00");

    // Counted five too little; the form sent twice is one close.
    assert_eq!(cashier.post("/pos/day", "ticket=x&counted=1").status, 403);
    owner.get("/pos/day");
    let id = owner.field_after("action=\"/pos/day\"", "ticket");
    for _ in 0..2 {
        assert_eq!(
            owner.post("/pos/day", &format!("ticket={id}&counted=95")).status,
            303
        );
    }
    let page = owner.get("/pos/day").body;
    assert_eq!(page.matches("Rs\u{a0}5.00").count(), 1, "{page}");

    // Asking for stock; the one above sends it, once.
    owner.get("/pos/float");
    let id = owner.field_after("action=\"/pos/float\"", "ticket");
    for _ in 0..2 {
        assert_eq!(
            owner
                .post("/pos/float", &format!("ticket={id}&what=ask&amount=400"))
                .status,
            303
        );
    }
    let before = outlet.float();
    above.get("/pos/float");
    let ask = above.field_after("action=\"/pos/float\"", "ticket");
    assert_eq!(
        above
            .post("/pos/float", &format!("ticket={ask}&what=send&pin=1111"))
            .status,
        422
    );
    for _ in 0..2 {
        let sent = above.post("/pos/float", &format!("ticket={ask}&what=send&pin={PIN}"));
        assert_eq!(sent.status, 303, "{}", sent.body);
    }
    let number = |text: &str| text.parse::<f64>().unwrap();
    assert!(
        (number(&outlet.float()) - number(&before) - 410.0).abs() < 0.001,
        "400 and 2.5 %"
    );
    assert!(owner.get("/pos/float").body.contains("Sent"));
}

#[test]
fn the_operator_of_a_number_that_moved_is_shown() {
    let outlet = outlet();
    let mut till = outlet.enter(outlet.shop.0, "sana");
    check(&mut till, NUMBER, "100");
    assert!(till.page.contains("Jazz") && !till.page.contains("kept its number"));
    // A prefix of Jazz, and a subscriber of Zong.
    let moved = "923007654321";
    let body = json!({"msisdn": moved, "operator": "zong"}).to_string();
    let made = outlet
        .service
        .api(&outlet.service.admin, "POST", "/v1/subscribers", &body);
    assert!(made.status < 300, "{}", made.body);
    let id = check(&mut till, moved, "100");
    assert!(till.page.contains("Zong") && till.page.contains("kept its number"));
    assert_eq!(sell(&mut till, &id, moved, "100", "").status, 303);
    assert_eq!(outlet.float(), "925.00");
    assert_eq!(outlet.service.main_balance(), "0.00");
}

/// Whether a letter is of a language's script.
type Script = fn(char) -> bool;

#[test]
fn bad_input_is_told_in_the_sellers_language_and_moves_nothing() {
    let outlet = outlet();
    let mut till = outlet.enter(outlet.shop.0, "sana");
    let scripts: [(&str, Script); 3] = [
        ("en", |c| c.is_ascii_alphabetic()),
        ("ur", |c| ('\u{600}'..='\u{6ff}').contains(&c)),
        ("zh", |c| ('\u{4e00}'..='\u{9fff}').contains(&c)),
    ];
    for (language, script) in scripts {
        till.get(&format!("/pos?lang={language}"));
        for (number, rest) in [
            ("12", "amount=100&what=amount"),
            ("%2B14155550100", "amount=100&what=amount"),
            (NUMBER, "amount=&what=amount"),
            (NUMBER, "amount=-100&what=amount"),
            (NUMBER, "amount=1.001&what=amount"),
            (NUMBER, "amount=1e9&what=amount"),
            (NUMBER, "amount=99999999&what=amount"),
            (NUMBER, "what=bundle&offer=no-such-offer"),
        ] {
            let answer = till.post("/pos/check", &format!("number={number}&{rest}"));
            assert_eq!(answer.status, 422, "{language} {number} {rest}");
            let told = answer.body.split("role=\"alert\">").nth(1).expect("a sentence");
            let told = told.split("</p>").next().unwrap().replace("span", "");
            assert!(told.chars().any(script), "{number} {rest}: {told}");
            assert!(
                answer.body.contains(&format!("<html lang=\"{language}\"")),
                "{language}"
            );
        }
    }
    let id = check(&mut till, NUMBER, "300");
    let answer = sell(&mut till, &id, NUMBER, "300", "&pin=1111");
    assert_eq!(answer.status, 403);
    assert_eq!(
        (outlet.float().as_str(), outlet.service.main_balance().as_str()),
        ("1025.00", "0.00")
    );
}

#[test]
fn a_bundle_is_sold_once_and_nobody_prints_another() {
    let outlet = outlet();
    let mut till = outlet.enter(outlet.shop.0, "sana");
    let fields = format!("number={NUMBER}&what=bundle");
    let offers = till.post("/pos/check", &fields);
    assert_eq!(offers.status, 200, "{}", offers.body);
    let offer = offers
        .body
        .split("name=\"offer\" value=\"")
        .nth(1)
        .expect("an offer");
    let offer = offer.split('"').next().unwrap().to_owned();
    let confirm = till.post("/pos/check", &format!("{fields}&offer={offer}"));
    assert_eq!(confirm.status, 200, "{}", confirm.body);
    let id = till.field_after("data-sells", "ticket");
    let order = format!("ticket={id}&number={NUMBER}&offer={offer}");
    assert_eq!(
        till.post(
            "/pos/sell",
            &format!("ticket={id}&number={NUMBER}&offer=no-such-offer")
        )
        .status,
        422
    );
    assert_eq!(outlet.float(), "1025.00");
    let sold = till.post("/pos/sell", &order);
    assert_eq!(sold.status, 303, "{}", sold.body);
    let place = sold.header("location").to_owned();
    assert!(place.contains("&ok=1&seal="), "{place}");
    let after = outlet.float();
    assert_ne!(after, "1025.00");
    assert_eq!(till.post("/pos/sell", &order).status, 303);
    assert_eq!(outlet.float(), after, "once");
    // The same form with another bundle, or with an amount instead, is another order under a used ticket.
    let other = offers
        .body
        .split("name=\"offer\" value=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .find(|code| *code != offer)
        .expect("another offer");
    for instead in [format!("offer={other}"), "amount=100".to_owned()] {
        let answer = till.post("/pos/sell", &format!("ticket={id}&number={NUMBER}&{instead}"));
        assert_eq!(answer.status, 422, "{instead}: {}", answer.body);
    }
    assert_eq!(outlet.float(), after, "once");
    let path = format!("/v1/subscribers/{NUMBER}/balance");
    let held = outlet.service.api(&outlet.service.admin, "GET", &path, "").json();
    let buckets = held["buckets"].as_array().unwrap();
    let bought = buckets.iter().filter(|bucket| bucket["source"] == offer.as_str());
    let mut units: Vec<&str> = bought.map(|bucket| bucket["unit"].as_str().unwrap()).collect();
    units.sort_unstable();
    assert_eq!(units, ["messages", "octets"], "once: {held}");
    // What the receipt says of the bundle cannot be changed in the address.
    let said = |body: &str| body.contains("slip-done");
    assert!(said(&till.get(&place).body));
    let other = place.replace("&ok=1", "&ok=0");
    let page = till.get(&other);
    assert!(page.body.contains("slip-title") && !said(&page.body));
}

/// A line between browser and service that loses answers to sales: the service has made them, and nobody hears of it.
struct BadLine {
    url: String,
    lose: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
}

impl BadLine {
    fn to(service: &Service) -> BadLine {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let line = BadLine {
            url: format!("http://{}", listener.local_addr().unwrap()),
            lose: Arc::default(),
            lost: Arc::default(),
        };
        let target = service.url.trim_start_matches("http://").to_owned();
        let (lose, lost) = (Arc::clone(&line.lose), Arc::clone(&line.lost));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&target) else {
                    return;
                };
                let sells = Arc::new(AtomicBool::new(false));
                let asked = Arc::clone(&sells);
                let (lose, lost) = (Arc::clone(&lose), Arc::clone(&lost));
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                std::thread::spawn(move || {
                    carry(near, far, |bytes| {
                        asked.fetch_or(bytes.starts_with(b"POST /pos/sell "), Ordering::SeqCst);
                        true
                    });
                });
                std::thread::spawn(move || {
                    carry(far_too, near_too, |_| {
                        let one = |left: usize| left.checked_sub(1);
                        let loses = sells.swap(false, Ordering::SeqCst)
                            && lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one).is_ok();
                        lost.fetch_add(usize::from(loses), Ordering::SeqCst);
                        !loses
                    });
                });
            }
        });
        line
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !passes(&buffer[..read]) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}

fn picture(browser: &Browser, name: &str) {
    if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
        std::fs::create_dir_all(&directory).unwrap();
        browser.screenshot(&PathBuf::from(directory).join(format!("pos-{name}.png")));
    }
}

/// Types a number and an amount, up to the confirmation.
fn confirm(browser: &Browser, url: &str, amount: &str) {
    browser.go(&format!("{url}/pos"));
    browser.fill("#number", "0300 1234567");
    browser.fill("#amount", amount);
    browser.click("button[value=amount]");
    browser.until("document.querySelector('form[data-sells]') !== null");
    // The script has to be there before the button is pressed.
    browser.until("document.readyState === 'complete'");
}

const WORD: &str = "document.querySelector('#till-word')";

#[test]
fn a_lost_answer_is_asked_for_again_and_the_sale_is_made_once() {
    let Some(programs) = Programs::find() else { return };
    let outlet = outlet();
    let line = BadLine::to(&outlet.service);
    let browser = Browser::open(&programs, false);
    browser.size(360, 740);
    browser.go(&format!("{}/pos/sign-in?lang=en", line.url));
    browser.fill("#seller", &outlet.shop.0.to_string());
    browser.fill("#staff", "ali");
    browser.fill("#pin", PIN);
    browser.click("form.card button.primary");
    browser.until("location.pathname === '/pos'");

    // The sale is made, its answer is lost twice. Meanwhile the page says that it asks, and nobody can press again.
    confirm(&browser, &line.url, "100");
    line.lose.store(2, Ordering::SeqCst);
    browser.click("form[data-sells] button");
    browser.until(&format!(
        "!{WORD}.hidden && {WORD}.textContent === {WORD}.dataset.asking && \
         [...document.querySelectorAll('form[data-sells] button')].every(b => b.disabled)"
    ));
    picture(&browser, "asking");
    browser.until("location.pathname.startsWith('/pos/sale/')");
    assert_eq!(browser.text("#state"), "Done");
    assert_eq!(line.lost.load(Ordering::SeqCst), 2);
    assert_eq!(outlet.float(), "925.00");
    assert_eq!(outlet.service.main_balance(), "86.956522");

    // Without a network nothing can be pressed. When it goes between question and answer, the page says that it goes on by
    // itself, and it does.
    confirm(&browser, &line.url, "110");
    browser.offline(true);
    browser.until("document.querySelector('form[data-sells] button').disabled");
    browser.offline(false);
    browser.until("!document.querySelector('form[data-sells] button').disabled");
    assert_eq!(outlet.float(), "925.00");
    line.lose.store(usize::MAX, Ordering::SeqCst);
    browser.click("form[data-sells] button");
    outlet
        .service
        .eventually(|| (line.lost.load(Ordering::SeqCst) > 2).then_some(()));
    browser.offline(true);
    browser.until(&format!(
        "!{WORD}.hidden && {WORD}.textContent === {WORD}.dataset.away"
    ));
    picture(&browser, "away");
    line.lose.store(0, Ordering::SeqCst);
    browser.offline(false);
    browser.until("location.pathname.startsWith('/pos/sale/')");
    assert_eq!(browser.text("#state"), "Done");
    assert_eq!(outlet.float(), "815.00");

    // The answer never comes and the phone goes dark: the list says what became of it.
    confirm(&browser, &line.url, "120");
    let lost = line.lost.load(Ordering::SeqCst);
    line.lose.store(usize::MAX, Ordering::SeqCst);
    browser.click("form[data-sells] button");
    outlet
        .service
        .eventually(|| (line.lost.load(Ordering::SeqCst) > lost).then_some(()));
    browser.go("about:blank");
    line.lose.store(0, Ordering::SeqCst);
    assert_eq!(outlet.float(), "695.00");
    let sales = outlet.service.eventually(|| {
        let list = outlet
            .service
            .api(&outlet.shop.1, "GET", "/v1/sellers/me/sales", "");
        let sales = list.json()["sales"].as_array().unwrap().clone();
        let done = sales.iter().all(|sale| sale["state"] == "COMPLETED");
        (sales.len() == 3 && done).then_some(sales)
    });
    assert_eq!(sales.len(), 3);
    browser.go(&format!("{}/pos/sales", line.url));
    assert_eq!(
        browser.run("return [...document.querySelectorAll('.till-list .pill')].map(p => p.innerText)"),
        json!(["Done", "Done", "Done"])
    );
    programs.took_part("pos.rs");
}

#[test]
fn a_cheap_phone_sells_in_three_languages_and_prints() {
    let (Some(programs), Some(axe)) = (Programs::find(), Axe::find()) else {
        return;
    };
    let outlet = outlet();
    let url = &outlet.service.url;
    let browser = Browser::open(&programs, false);
    browser.size(360, 740);
    let mut wrong = Vec::new();
    let mut look = |name: &str| {
        picture(&browser, &name.replace([' ', '/'], "-"));
        wrong.extend(
            axe.wrong(&browser)
                .into_iter()
                .map(|told| format!("{name}: {told}")),
        );
    };
    browser.go(&format!("{url}/pos/sign-in?lang=en"));
    look("sign-in");
    // With the keyboard alone.
    browser.run("document.querySelector('#seller').focus(); return true");
    for text in [outlet.shop.0.to_string().as_str(), "ali", PIN] {
        browser.press(text);
        if text != PIN {
            browser.press("Tab");
        }
    }
    browser.press("Enter");
    browser.until("location.pathname === '/pos'");
    for (language, amount) in [("en", "100"), ("ur", "110"), ("zh", "120")] {
        browser.go(&format!("{url}/pos?lang={language}"));
        look(&format!("{language} sell"));
        browser.fill("#number", "0300 1234567");
        browser.click("button[value=bundle]");
        browser.until("document.querySelector('.till-offer') !== null");
        look(&format!("{language} bundles"));
        confirm(&browser, url, amount);
        look(&format!("{language} confirm"));
        browser.click("form[data-sells] button");
        browser
            .until("location.pathname.startsWith('/pos/sale/') && document.querySelector('.slip') !== null");
        look(&format!("{language} sale"));
        browser.click(".till-back summary");
        look(&format!("{language} back"));
        prints(&browser, language);
        for path in ["/pos/sales", "/pos/day", "/pos/float"] {
            browser.go(&format!("{url}{path}"));
            look(&format!("{language} {path}"));
        }
    }
    browser.go(&format!("{url}/pos?lang=ur"));
    browser.go(&format!("{url}/pos?theme=dark"));
    for path in ["/pos", "/pos/sales", "/pos/day", "/pos/float"] {
        browser.go(&format!("{url}{path}"));
        look(&format!("dark {path}"));
    }
    browser.click("a[href='/pos/sales']");
    browser.click(".till-list a");
    browser.until("document.querySelector('.slip') !== null");
    look("dark sale");
    browser.go(&format!("{url}/pos?theme=light"));
    assert_eq!(outlet.float(), "695.00");
    browser.go(&format!("{url}/pos/sales?lang=en"));
    browser.click(".till-list a");
    browser.until("document.querySelector('.slip') !== null");
    // A wrong number goes back, the till is counted, and stock is asked for: with the thumb alone.
    browser.click(".till-back summary");
    browser.fill("#back-pin", PIN);
    browser.click(".till-back .danger");
    browser.until("document.querySelector('#state').innerText === 'Taken back'");
    look("en taken back");
    assert_eq!(outlet.float(), "815.00");
    outlet.service.eventually(|| {
        let path = "/v1/sellers/me/days/today";
        let day = outlet.service.api(&outlet.shop.1, "GET", path, "").json();
        (day["amount"] == "210.00").then_some(())
    });
    browser.go(&format!("{url}/pos/day"));
    browser.fill("#n100", "2");
    browser.fill("#counted", "5");
    browser.click("form.card button.primary");
    browser.until("document.querySelector('.banner.good') !== null");
    assert!(browser.text(".till-list .pill").contains("5.00"));
    look("en counted");
    browser.go(&format!("{url}/pos/float"));
    browser.fill("#ask-amount", "500");
    browser.click("form.card button.primary");
    browser.until("document.querySelector('.banner.good') !== null");
    look("en asked");
    assert!(wrong.is_empty(), "{wrong:#?}");
    let complaints = browser.complaints();
    assert!(
        complaints.iter().all(|line| line.contains("favicon")),
        "{complaints:?}"
    );
    programs.took_part("pos.rs");
    axe.took_part("pos.rs");
}

/// The receipt on rolls of 58 and 80 mm, in points (1/72 inch): one piece of paper.
fn prints(browser: &Browser, language: &str) {
    browser.on_paper(true);
    assert_eq!(
        browser.run(
            "const high = s => document.querySelector(s)?.getBoundingClientRect().height ?? 0; \
             return ['.slip', '.slip-qr svg', '.bar', '.desk-places', '.till-float', '.till-back', '.foot'].map(s => high(s) > 0)"
        ),
        json!([true, true, false, false, false, false, false])
    );
    browser.on_paper(false);
    for (paper_mm, width) in [(58, 164..=166), (80, 226..=228)] {
        let pdf = browser.pdf(paper_mm);
        assert!(pdf.starts_with(b"%PDF-"));
        let text = String::from_utf8_lossy(&pdf);
        let page = text.split("/MediaBox [0 0 ").nth(1).expect("a page");
        let points: String = page.chars().take_while(char::is_ascii_digit).collect();
        assert!(width.contains(&points.parse::<u32>().unwrap()), "{points}");
        assert!(text.contains("/Count 1"), "{language} {paper_mm}: one piece");
        if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
            let name = format!("pos-receipt-{language}-{paper_mm}.pdf");
            std::fs::write(PathBuf::from(directory).join(name), &pdf).unwrap();
        }
    }
}
