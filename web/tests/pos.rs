//! The point of sale over real sockets, on a real engine and its SQLite files: signing in, one sale however often the form
//! arrives, second ones only when meant, PINs, devices, other people's sales, taking back, closing the day, asking for stock.

mod common;

use common::client::Client;
use common::till::{PIN, outlet};
use common::{Answer, NUMBER, SECOND_NUMBER};
use serde_json::{Value, json};

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

#[test]
fn kiosks_say_what_they_hold_and_owe() {
    let outlet = outlet();
    let (service, shop, above) = (&outlet.service, &outlet.shop, &outlet.distributor);
    let path = |id: &str| format!("/v1/sellers/{id}/kiosks");
    let says = |key: &str, id: &str, name: &str, owed: &str| {
        let body = json!({"in_box": "450", "waiting": "100.00", "owed": owed, "stuck": "0"}).to_string();
        service.api(key, "PUT", &format!("{}/{name}", path(id)), &body)
    };
    for (name, owed) in [("mall-2", "20"), ("mall-1", "10"), ("mall-2", "0")] {
        let answer = says(&shop.1, "me", name, owed);
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let (id, admin) = (shop.0.to_string(), service.admin.as_str());
    for key in [admin, &shop.1, &above.1] {
        let list = service.api(key, "GET", &path(&id), "").json()["kiosks"].clone();
        let told: Vec<(&str, &str)> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["name"].as_str().unwrap(), one["owed"].as_str().unwrap()))
            .collect();
        assert_eq!(told, [("mall-1", "10.00"), ("mall-2", "0.00")]);
    }
    // Nobody speaks for a kiosk of somebody else; from below nothing is seen.
    for key in [admin, &above.1] {
        assert_eq!(says(key, &id, "mall-3", "1").status, 403);
    }
    let answer = service.api(&shop.1, "GET", &path(&above.0.to_string()), "");
    assert!(answer.status == 403 || answer.status == 404, "{}", answer.body);
    for (name, owed) in [
        ("Mall", "1"),
        ("a_b", "1"),
        ("m", "-1"),
        ("m", "x"),
        (&*"m".repeat(33), "1"),
    ] {
        let answer = says(&shop.1, "me", name, owed);
        assert!(
            (400..500).contains(&answer.status),
            "{name} {owed}: {}",
            answer.body
        );
    }
    // No more than there can be.
    let kept = (3..80).filter(|n| says(&shop.1, "me", &format!("mall-{n}"), "1").status == 200);
    assert_eq!(kept.count(), 62);
    assert_eq!(
        service.api(admin, "GET", &path(&id), "").json()["kiosks"]
            .as_array()
            .unwrap()
            .len(),
        64
    );
}
