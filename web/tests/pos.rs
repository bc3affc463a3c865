//! The point of sale over real sockets, on a real engine and its SQLite files: signing in, one sale however often the form
//! arrives, second ones only when meant, PINs, devices, other people's sales, taking back, closing the day, asking for stock.

#[path = "../../server/tests/browser/mod.rs"]
mod browser;
mod common;

use browser::{Axe, Browser, Programs};
use common::client::Client;
use common::{Answer, NUMBER, SECOND_NUMBER, Service};
use serde_json::{Value, json};

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
        browser.fill("#amount", amount);
        browser.click("button[value=amount]");
        browser.until("document.querySelector('form[data-sells]') !== null");
        look(&format!("{language} confirm"));
        // The script has to be there before the button is pressed.
        browser.until("document.readyState === 'complete'");
        browser.click("form[data-sells] button");
        browser
            .until("location.pathname.startsWith('/pos/sale/') && document.querySelector('.slip') !== null");
        look(&format!("{language} sale"));
        for path in ["/pos/sales", "/pos/day", "/pos/float"] {
            browser.go(&format!("{url}{path}"));
            look(&format!("{language} {path}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(outlet.float(), "695.00");
    browser.go(&format!("{url}/pos/sales?lang=en"));
    browser.click(".till-list a");
    browser.until("document.querySelector('.slip') !== null");
    // 58 and 80 mm in points (1/72 inch).
    for (paper_mm, width) in [(58, 164..=166), (80, 226..=228)] {
        let pdf = browser.pdf(paper_mm);
        assert!(pdf.starts_with(b"%PDF-"));
        let text = String::from_utf8_lossy(&pdf);
        let page = text.split("/MediaBox [0 0 ").nth(1).expect("a page");
        let points: String = page.chars().take_while(char::is_ascii_digit).collect();
        assert!(width.contains(&points.parse::<u32>().unwrap()), "{points}");
        if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
            std::fs::create_dir_all(&directory).unwrap();
            let name = format!("pos-receipt-{paper_mm}.pdf");
            std::fs::write(std::path::PathBuf::from(directory).join(name), &pdf).unwrap();
        }
    }
    let complaints = browser.complaints();
    assert!(
        complaints.iter().all(|line| line.contains("favicon")),
        "{complaints:?}"
    );
    programs.took_part("pos.rs");
    axe.took_part("pos.rs");
}
