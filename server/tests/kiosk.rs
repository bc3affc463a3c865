//! A kiosk in front of the real server: killed at every step, without a line, with every mishap of its devices. Every note is
//! credited once, given back, or on a slip.

mod harness;
mod mall;

use mall::{CUSTOMER, Mall, Mode};
use sim::kiosk::acceptor::Trick;
use sim::kiosk::terminal::Bank;
use std::sync::atomic::Ordering;

#[test]
fn cash_is_credited_once_or_given_back_whenever_the_kiosk_is_killed() {
    let mut mall = Mall::open("pay_idle_s = 20");

    // As it should be.
    mall.pay_cash("150");
    mall.note(100);
    mall.until("room for 50", |mall| {
        (mall.acceptor.takes() == [10, 20, 50]).then_some(())
    });
    mall.note(50);
    mall.until_state(1, "credited");
    let page = mall.get("/done");
    assert!(
        page.contains("Done. The number is recharged.") && page.contains("mall-1-1"),
        "{page}"
    );
    assert!(page.contains("<svg"), "a receipt that can be checked: {page}");
    mall.agree(1, 150, 0);

    // Written down, told to stack, and the kiosk dies before the note moves: given back.
    mall.pay_cash("100");
    mall.acceptor.play(Trick::Deaf);
    mall.note(100);
    mall.until("told to stack", |mall| {
        (mall.acceptor.told_to_stack() == 3).then_some(())
    });
    mall.kill();
    mall.start_closed();
    mall.until_state(2, "empty");
    assert_eq!(mall.acceptor.given_back(), [100]);
    mall.agree(1, 150, 0);

    // In the box, and the kiosk dies before it hears so: credited.
    mall.pay_cash("100");
    mall.acceptor.play(Trick::Silent);
    mall.note(100);
    mall.until("in the box", |mall| {
        (mall.acceptor.in_box().len() == 3).then_some(())
    });
    mall.kill();
    mall.start_closed();
    mall.until_state(3, "credited");
    // The customer still stands there, and sees the end.
    mall.until("the end is seen", |mall| {
        mall.get("/").contains("mall-1-3").then_some(())
    });
    mall.agree(2, 250, 0);

    // Paid, and the sale cannot leave: credited after the start.
    mall.pay_cash("100");
    mall.line.set(Mode::Down);
    mall.note(100);
    mall.until_state(4, "paid");
    mall.kill();
    mall.line.set(Mode::Up);
    mall.start_closed();
    mall.until_state(4, "credited");
    mall.agree(3, 350, 0);

    // The sale is made, and its answer is lost with the kiosk: asked again, credited once.
    mall.pay_cash("100");
    mall.line.set(Mode::LosesAnswers);
    let sent = mall.line.sales.load(Ordering::SeqCst);
    mall.note(100);
    mall.until("the sale is made", |mall| (mall.sold().0 == 4).then_some(()));
    assert!(mall.line.sales.load(Ordering::SeqCst) > sent);
    assert_eq!(mall.state(5), "paid");
    mall.kill();
    mall.line.set(Mode::Up);
    mall.start_closed();
    mall.until_state(5, "credited");
    mall.agree(4, 450, 0);

    // In escrow before the kiosk ever heard of it: given back.
    mall.pay_cash("100");
    mall.kill();
    mall.acceptor.hold(100);
    mall.start_closed();
    mall.until_state(6, "empty");
    mall.until("given back", |mall| {
        (mall.acceptor.given_back() == [100, 100]).then_some(())
    });
    mall.agree(4, 450, 0);

    // The acceptor loses its power while the kiosk lives: before the note is in the box, and after.
    mall.pay_cash("100");
    mall.acceptor.play(Trick::CutBeforeStack);
    mall.note(100);
    mall.until("given back", |mall| {
        (mall.acceptor.given_back().len() == 3).then_some(())
    });
    mall.until("the slot opens again", |mall| {
        (!mall.acceptor.takes().is_empty()).then_some(())
    });
    mall.acceptor.play(Trick::CutAfterStack);
    mall.note(100);
    mall.until_state(7, "credited");
    mall.agree(5, 550, 0);

    let balance = mall.admin.see(&format!("/v1/subscribers/{CUSTOMER}/balance"));
    // Each recharge less 15 % advance income tax in it, rounded for each.
    assert_eq!(balance["main"], "478.260871", "{balance}");
    mall.audit();
}

#[test]
fn sales_wait_for_the_line_up_to_a_limit_and_are_made_once() {
    let mut mall = Mall::open("");
    mall.line.set(Mode::Down);
    mall.until("the line is down", |mall| {
        mall.get("/").contains("The line is down").then_some(())
    });
    for order in 1..=5 {
        mall.pay_cash("100");
        mall.note(100);
        mall.until_state(order, "paid");
        let page = mall.get("/done");
        assert!(page.contains("will be credited when the line is back"), "{page}");
    }
    let page = mall.order("amount=100", "cash");
    assert!(page.contains("no more can be sold until it is back"), "{page}");
    assert_eq!(mall.book()["waiting"], "500.00");
    assert_eq!(mall.sold().0, 0);

    // Another start changes nothing.
    mall.kill();
    mall.start();
    let page = mall.order("amount=100", "cash");
    assert!(page.contains("no more can be sold until it is back"), "{page}");

    // The first answers get lost on the way.
    mall.line.set(Mode::LosesAnswers);
    mall.until("a sale is made", |mall| (mall.sold().0 >= 1).then_some(()));
    mall.line.set(Mode::Up);
    for order in 1..=5 {
        mall.until_state(order, "credited");
    }
    mall.agree(5, 500, 0);
    let list = mall.outlet.see("/v1/sellers/me/sales");
    let references: Vec<&str> = list["sales"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sale| sale["reference"].as_str().unwrap())
        .collect();
    assert_eq!(
        references,
        ["mall-1-5", "mall-1-4", "mall-1-3", "mall-1-2", "mall-1-1"]
    );
    mall.audit();
}

#[test]
fn a_card_is_charged_for_what_is_credited_and_for_nothing_else() {
    let mut mall = Mall::open("");
    let page = mall.order("amount=200", "card");
    assert!(page.contains("card") || page.contains("recharged"), "{page}");
    mall.until_state(1, "credited");

    mall.terminal.set(Bank::Declines);
    mall.order("amount=200", "card");
    mall.until_state(2, "empty");
    assert!(mall.get("/done").contains("The card was not accepted"));

    // The bank's answer is lost, and found out later.
    mall.terminal.set(Bank::Lost { paid: true, times: 2 });
    mall.order("amount=100", "card");
    mall.until_state(3, "credited");
    mall.terminal.set(Bank::Lost {
        paid: false,
        times: 2,
    });
    mall.order("amount=100", "card");
    mall.until_state(4, "empty");

    // Charged, the terminal loses its power, and the kiosk dies too.
    mall.terminal.set(Bank::CutAfterPaid);
    mall.order("amount=100", "card");
    mall.until("the card is charged", |mall| {
        (mall.terminal.taken().len() == 3).then_some(())
    });
    mall.kill();
    mall.start_closed();
    mall.until_state(5, "credited");
    assert_eq!(mall.terminal.asked_to_pay(), 5, "nobody was asked twice");

    // Nobody holds a card to it: stopped by the customer.
    mall.terminal.set(Bank::Waits);
    mall.order("amount=100", "card");
    mall.post("/pay/finish", "");
    mall.until_state(6, "empty");

    // Paid, and the server refuses it for good: the card gets its money back, cash is owed.
    let path = format!("/v1/sellers/{}", mall.id);
    let limit = |mall: &Mall, maximum: &str| {
        let body = serde_json::json!({"limits": {"maximum": maximum}});
        assert_eq!(mall.admin.patch(&path, &body).unwrap().0, 200);
    };
    mall.terminal.set(Bank::Waits);
    mall.order("amount=300", "card");
    mall.until("the terminal waits", |mall| {
        (mall.terminal.asked_to_pay() == 7).then_some(())
    });
    limit(&mall, "250");
    mall.terminal.tap();
    mall.until_state(7, "reversed");
    limit(&mall, "0");
    mall.until("the kiosk knows", |mall| {
        mall.order("amount=300", "cash")
            .contains("Put the notes in")
            .then_some(())
    });
    limit(&mall, "250");
    for _ in 0..3 {
        mall.note(100);
    }
    mall.until("cash is owed", |mall| {
        let book = mall.book();
        (book["owed"] == "300.00").then_some(())
    });
    let owed = mall.book()["orders"]["owed"][0]["order"].as_u64().unwrap();
    let told = |mall: &Mall| mall.admin.see(&format!("/v1/sellers/{}/kiosks", mall.id))["kiosks"].clone();
    mall.until("the server knows what is owed", |mall| {
        let told = told(mall);
        (told[0]["name"] == "mall-1" && told[0]["owed"] == "300.00" && told[0]["waiting"] == "0.00")
            .then_some(())
    });
    let page = mall.get("/done");
    assert!(page.contains("You get your money back."), "{page}");
    assert_eq!(
        mall.command(&["repaid", "1", "--by", "sara"]).code,
        3,
        "it was credited"
    );
    assert_eq!(
        mall.command(&["repaid", &owed.to_string(), "--by", "sara"])
            .json()["repaid"],
        "300.00"
    );
    assert_eq!(
        mall.command(&["repaid", &owed.to_string(), "--by", "sara"]).code,
        3,
        "once"
    );
    assert_eq!(mall.book()["repaid"], "300.00");
    assert_eq!(mall.command(&["empty", "--by", "sara"]).json()["total"], "300.00");
    assert_eq!(mall.book()["box"]["total"], "0.00");
    mall.until("the server knows that nothing is owed any more", |mall| {
        let told = told(mall);
        (told[0]["owed"] == "0.00" && told[0]["in_box"] == "0.00").then_some(())
    });

    let taken: u64 = mall
        .terminal
        .taken()
        .iter()
        .map(|(_, amount)| amount.trim_end_matches(".00").parse::<u64>().unwrap())
        .sum();
    assert_eq!(taken, 400);
    mall.agree(3, 0, 400);
    mall.audit();
}

#[test]
fn a_stuck_note_is_credited_when_it_is_found_in_the_box() {
    let mall = Mall::open("");
    mall.pay_cash("200");
    mall.note(100);
    mall.until("it is counted", |mall| {
        (mall.book()["open"] == "100.00").then_some(())
    });
    mall.acceptor.play(Trick::JamInside);
    mall.note(100);
    // What is in the box is credited at once; the slip speaks of the other note.
    mall.until_state(1, "credited");
    let page = mall.get("/done");
    assert!(page.contains("is stuck"), "{page}");
    assert!(mall.get("/").contains("Closed for now") || mall.get("/").contains("Card"));
    mall.agree(1, 100, 0);
    mall.acceptor.clear();
    mall.until_state(2, "credited");
    mall.agree(2, 200, 0);

    // Found outside: nobody is credited.
    mall.until("open", |mall| {
        mall.get("/").contains("name=\"language\"").then_some(())
    });
    mall.pay_cash("100");
    mall.acceptor.play(Trick::JamOutside);
    mall.note(100);
    mall.until_state(3, "empty");
    mall.acceptor.clear();
    mall.until("nothing is open", |mall| {
        (mall.book()["stuck"] == serde_json::json!([])).then_some(())
    });
    mall.agree(2, 200, 0);
    mall.audit();
}

#[test]
fn bad_input_moves_nothing() {
    let mall = Mall::open("");
    mall.admin.done(
        "/v1/subscribers",
        "t",
        &serde_json::json!({"operator": "telenor", "msisdn": "923451234567"}),
    );
    mall.post("/language", "language=en");
    for (number, told) in [
        ("0300", "This is not a mobile number"),
        ("hello", "This is not a mobile number"),
        ("030012345678", "This is not a mobile number"),
        ("4111111111111111", "This is not a mobile number"),
        ("03009999999", "cannot be recharged here"),
        ("03331234567", "cannot be recharged here"),
        ("+447700900123", "This is not a mobile number"),
    ] {
        let page = mall.post("/number", &format!("number={}", number.replace('+', "%2B")));
        assert!(page.contains(told), "{number}: {page}");
    }
    // The same in the customer's own language.
    mall.post("/language", "language=ur");
    assert!(
        mall.post("/number", "number=0300")
            .contains("یہ موبائل نمبر نہیں ہے")
    );
    mall.post("/language", "language=en");
    // Another operator of this system, written as a scanner reads it.
    let page = mall.post("/number", "number=tel%3A%2B923451234567");
    assert!(page.contains("Telenor"), "{page}");
    for (form, told) in [
        ("amount=0", "cannot be sold here"),
        ("amount=5", "cannot be sold here"),
        ("amount=9999999", "cannot be sold here"),
        ("amount=-100", "cannot be sold here"),
        ("amount=1e3", "cannot be sold here"),
        ("bundle=none-such", "is not for sale"),
        ("bundle=", "cannot be sold here"),
    ] {
        let page = mall.post("/choose", form);
        assert!(page.contains(told), "{form}: {page}");
    }
    // Not a multiple of the smallest note: cash is rounded up, and all of it is credited.
    let page = mall.post("/choose", "amount=155");
    assert!(page.contains("all of it is credited"), "{page}");
    assert_eq!(mall.book()["orders"]["paying"], serde_json::json!([]));

    // Only this machine's own pages may order.
    let foreign = ureq::post(format!("{}/confirm", mall.url()))
        .config()
        .http_status_as_error(false)
        .build()
        .header("origin", "http://elsewhere.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .send("way=cash")
        .unwrap();
    assert_eq!(foreign.status(), 403);
    let rebound = ureq::get(mall.url())
        .config()
        .http_status_as_error(false)
        .build()
        .header("host", "elsewhere.example")
        .call()
        .unwrap();
    assert_eq!(rebound.status(), 403);

    // Notes that do not fit, that cannot be read, that come when nobody asked.
    mall.pay_cash("100");
    assert_eq!(
        mall.acceptor.insert(500),
        sim::kiosk::acceptor::Inserted::Rejected
    );
    mall.until("it says so", |mall| {
        mall.get("/pay").contains("could not be read").then_some(())
    });
    mall.acceptor.play(Trick::Reject);
    assert_eq!(
        mall.acceptor.insert(100),
        sim::kiosk::acceptor::Inserted::Rejected
    );
    mall.post("/pay/finish", "");
    mall.until_state(1, "empty");
    assert_eq!(mall.acceptor.insert(100), sim::kiosk::acceptor::Inserted::Closed);
    mall.agree(0, 0, 0);
    mall.audit();
}
