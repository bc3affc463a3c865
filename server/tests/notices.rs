//! Notices at the outermost boundary: the real binary between a message centre, a mail server, a push service and people in
//! browsers; faults on every side, and SIGKILL in the middle.

mod harness;
mod world;

use harness::Server;
use serde_json::{Value, json};
use sim::post::smtp::MailFault;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wire::smpp::CentreConfig;
use wire::sms::strip_isolates;
use world::{Person, World, api_of, wait_for};

#[test]
fn receipts_arrive_by_every_agreed_way_through_faults_and_a_kill() {
    let world = World::new(("00:00", "00:00"));
    let server = world.place.serve();
    let key = server.key.clone().unwrap();
    let api = api_of(&server, &key);
    let mut sana = Person::sign_up(&world, &server, &api, "923001234567");
    sana.prove("sana@example.org");
    let browser = sana.subscribe();
    for bad in [
        "https://10.0.0.1/push",
        "https://[fd00::1]/x",
        "ftp://push.example/x",
    ] {
        assert_eq!(sana.say_push(bad, &browser), 422, "{bad}");
    }
    sana.agree(&["recharge.email", "recharge.push"]);
    // Has an address and a browser too, and agreed to nothing.
    let mut omar = Person::sign_up(&world, &server, &api, "923001234568");
    omar.prove("omar@example.org");
    let silent = omar.subscribe();
    let (_, shop) = api.partner("corner", "10000");

    let codes = world.mail.mails().len();
    world.mail.misbehave(&[
        MailFault::Later,
        MailFault::DropInData,
        MailFault::DropAfterData,
        MailFault::Slow(Duration::from_millis(300)),
        MailFault::Later,
    ]);
    world.push.misbehave(&[(429, Some(1)), (503, None), (500, None)]);
    let sold_receipts = RefCell::new(BTreeSet::new());
    let sell = |server: &Server, from: usize, to: usize| {
        let shop = api_of(server, &shop);
        for index in from..to {
            let amount = (100 + index).to_string();
            let sale =
                json!({"msisdn": "923001234567", "amount": amount, "external_id": format!("s{index}")});
            let started = Instant::now();
            let sold = shop.done("/v1/topups?wait=10", &format!("s{index}"), &sale);
            assert!(started.elapsed() < Duration::from_secs(10), "it waits for nobody");
            sold_receipts
                .borrow_mut()
                .insert(sold["receipt"].as_str().unwrap().to_owned());
        }
    };
    sell(&server, 0, 6);
    let sale = json!({"msisdn": "923001234568", "amount": "100", "external_id": "o"});
    api_of(&server, &shop).done("/v1/topups?wait=10", "o", &sale);
    wait_for("a first letter", || {
        (world.mail.mails().len() > codes).then_some(())
    });
    server.kill();
    let server = world.place.serve();
    sell(&server, 6, 12);
    let receipts: BTreeSet<String> = sold_receipts.borrow().clone();

    let letters = || {
        let mails = world.mail.mails();
        mails[codes..].to_vec()
    };
    wait_for("every receipt by e-mail", || {
        let all: String = letters().iter().map(sim::post::smtp::Mail::text).collect();
        receipts.iter().all(|receipt| all.contains(receipt)).then_some(())
    });
    let mails = letters();
    let names: BTreeSet<String> = mails.iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(
        names.len(),
        12,
        "the same letter has the same Message-ID: {names:?}"
    );
    assert!(mails.iter().all(|mail| mail.to == "sana@example.org"));
    let one = &mails[0];
    assert_eq!(one.header("Auto-Submitted"), "auto-generated");
    assert_eq!(one.header("List-Unsubscribe"), "", "a receipt is no advertising");
    assert!(
        one.text().contains("https://raseed.example/receipts/"),
        "{}",
        one.text()
    );
    assert_eq!(world.mail.faults_left(), 0);

    wait_for("every receipt by push", || {
        let got = world.push.messages(&browser.endpoint);
        let paths: BTreeSet<String> = got
            .iter()
            .filter_map(|message| message.body["path"].as_str().map(str::to_owned))
            .collect();
        receipts
            .iter()
            .all(|receipt| paths.contains(&format!("/receipts/{receipt}")))
            .then_some(())
    });
    let got = world.push.messages(&browser.endpoint);
    let topics: BTreeSet<&str> = got.iter().map(|message| message.topic.as_str()).collect();
    assert_eq!(topics.len(), 12, "a repeated one replaces the first");
    assert!(
        got.iter()
            .all(|message| message.body["tag"] == message.topic.as_str())
    );
    assert!(got.iter().all(|message| message.ttl_s > 3_600));
    assert_eq!(world.push.refused(), [""; 0]);
    assert!(world.push.messages(&silent.endpoint).is_empty());

    wait_for("every receipt by SMS", || {
        let all = world.texts("923001234567").concat();
        receipts.iter().all(|receipt| all.contains(receipt)).then_some(())
    });
    wait_for("a receipt is required", || {
        let texts = world.texts("923001234568");
        texts.iter().any(|text| text.contains("recharged")).then_some(())
    });

    // The user takes the permission back: the subscription goes.
    world.push.unsubscribe(&browser.endpoint);
    sana.url.clone_from(&server.url);
    assert!(sana.get("/profile").contains("/profile/push/remove"));
    sell(&server, 12, 13);
    wait_for("the browser is forgotten", || {
        (!sana.get("/profile").contains("/profile/push/remove")).then_some(())
    });
    // The address goes, and with it the letters.
    let distinct = || {
        let all = letters();
        let receipts = all.iter().filter(|mail| mail.text().contains("/receipts/"));
        let names: BTreeSet<String> = receipts.map(|mail| mail.header("Message-ID")).collect();
        names.len()
    };
    wait_for("the thirteenth", || (distinct() == 13).then_some(()));
    sana.get("/profile");
    assert_eq!(sana.post("/profile/email/remove", &[]).0, 303);
    sell(&server, 13, 14);
    wait_for("SMS goes on", || {
        let all = world.texts("923001234567").concat();
        receipts_last(&all, "s13", &shop, &server).then_some(())
    });
    assert_eq!(distinct(), 13);
    assert_eq!(server.terminate(), 0);
    assert_eq!(world.place.run_here(&["audit"]).json()["ok"], json!(true));
    drop(world.runtime);
}

/// Whether the receipt of a sale is in the texts.
fn receipts_last(texts: &str, external: &str, shop: &str, server: &Server) -> bool {
    let found = api_of(server, shop).see(&format!("/v1/topups?external_id={external}"));
    let receipt = found["receipt"].as_str().unwrap_or("?").to_owned();
    texts.contains(&receipt)
}

fn announce(server: &Server, key: &str, extra: &[&str]) -> Value {
    let mut arguments = vec!["--json", "offers", "announce", "jazz", "first-recharge"];
    arguments.extend_from_slice(&["--per-second", "500", "--stop", "STOP to 8558"]);
    arguments.extend_from_slice(extra);
    server.run(key, &arguments).json()
}

#[test]
fn an_offer_goes_once_to_those_who_agreed_until_they_say_stop() {
    let world = World::new(("00:00", "00:00"));
    let server = world.place.serve();
    let key = server.key.clone().unwrap();
    let api = api_of(&server, &key);
    let mut by_sms = Person::sign_up(&world, &server, &api, "923001111111");
    by_sms.agree(&["offers.sms"]);
    let mut by_push = Person::sign_up(&world, &server, &api, "923002222222");
    let browser = by_push.subscribe();
    by_push.agree(&["offers.sms", "offers.push"]);
    let mut by_mail = Person::sign_up(&world, &server, &api, "923003333333");
    by_mail.prove("mail@example.org");
    by_mail.agree(&["offers.email"]);
    let mut silent = Person::sign_up(&world, &server, &api, "923004444444");
    silent.prove("silent@example.org");
    let quiet_browser = silent.subscribe();
    let stranger = json!({"operator": "jazz", "msisdn": "923005555555"});
    api.done("/v1/subscribers", "stranger", &stranger);
    let offer = |number: &str| {
        let texts = world.texts(number);
        texts.iter().filter(|text| text.contains("Welcome: 1 GB")).count()
    };
    let codes = world.mail.mails().len();

    let done = announce(&server, &key, &[]);
    assert_eq!(
        (&done["told"], &done["left_out"]),
        (&json!(3), &json!(0)),
        "{done}"
    );
    assert_eq!(
        (&done["sent"], &done["waiting"]),
        (&json!(3), &json!(0)),
        "{done}"
    );
    // Again, and again after a kill: nobody is told twice.
    assert_eq!(announce(&server, &key, &[])["told"], json!(3));
    server.kill();
    let server = world.place.serve();
    assert_eq!(announce(&server, &key, &[])["told"], json!(3));
    assert_eq!(
        [
            "923001111111",
            "923002222222",
            "923003333333",
            "923004444444",
            "923005555555"
        ]
        .map(offer),
        [1, 0, 0, 0, 0]
    );
    let text = world.texts("923001111111").pop().unwrap();
    assert!(text.contains("STOP to 8558"), "{text}");
    let pushed = world.push.messages(&browser.endpoint);
    assert_eq!(pushed.len(), 1);
    assert_eq!(pushed[0].urgency, "low");
    assert!(world.push.messages(&quiet_browser.endpoint).is_empty());
    let mails = world.mail.mails()[codes..].to_vec();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, "mail@example.org");
    assert_eq!(
        mails[0].header("List-Unsubscribe-Post"),
        "List-Unsubscribe=One-Click"
    );

    // By SMS; the centre delivers it twice.
    world
        .smsc
        .send_from_handset("923001111111", "8558", " Stop!")
        .unwrap();
    world
        .smsc
        .send_from_handset("923001111111", "8558", "STOP")
        .unwrap();
    let confirmed = || {
        let texts = world.texts("923001111111");
        texts
            .iter()
            .filter(|text| text.contains("no more offers"))
            .count()
    };
    wait_for("the confirmation", || (confirmed() > 0).then_some(()));
    by_sms.url.clone_from(&server.url);
    assert!(!by_sms.agrees("offers.sms"));

    // One click from the mail program: no cookie, no sign-in. Looking alone stops nothing.
    let link = mails[0].header("List-Unsubscribe");
    let path = link
        .strip_prefix("<https://raseed.example")
        .and_then(|rest| rest.strip_suffix('>'))
        .unwrap_or_else(|| panic!("{link}"));
    let agent = ureq::Agent::new_with_defaults();
    by_mail.url.clone_from(&server.url);
    agent.get(format!("{}{path}", server.url)).call().unwrap();
    assert!(by_mail.agrees("offers.email"));
    let one_click = |path: &str| {
        agent
            .post(format!("{}{path}", server.url))
            .send_form([("List-Unsubscribe", "One-Click")])
            .map(|answer| answer.status().as_u16())
    };
    assert_eq!(one_click(path).unwrap(), 200);
    assert_eq!(one_click(path).unwrap(), 200, "safe to repeat");
    assert!(!by_mail.agrees("offers.email"));
    let forged = format!("{}A", &path[..path.len() - 1]);
    assert!(one_click(&forged).is_err() || forged == path);
    // And from the push message: every channel ends.
    let stop = pushed[0].body["stop"].as_str().unwrap();
    assert_eq!(one_click(stop).unwrap(), 200);
    by_push.url.clone_from(&server.url);
    assert!(!by_push.agrees("offers.sms") && !by_push.agrees("offers.push"));

    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(confirmed(), 1);
    assert_eq!(server.terminate(), 0);
}

#[test]
fn what_falls_in_quiet_hours_waits_also_over_a_kill() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    // Karachi is five hours ahead of UTC, all year.
    let hour = (now / 3_600 + 5) % 24;
    let (from, to) = (
        format!("{:02}:00", (hour + 23) % 24),
        format!("{:02}:00", (hour + 2) % 24),
    );
    let world = World::new((&from, &to));
    let server = world.place.serve();
    let key = server.key.clone().unwrap();
    let api = api_of(&server, &key);
    let mut sana = Person::sign_up(&world, &server, &api, "923001234567");
    sana.agree(&["offers.sms"]);
    let before = world.texts("923001234567").len();
    let done = announce(&server, &key, &["--no-wait"]);
    assert_eq!(
        done["told"].as_u64().unwrap() + done["left_out"].as_u64().unwrap(),
        u64::from(done["reached_all"] == json!(true))
    );
    let state = |server: &Server| api_of(server, &key).see("/v1/announcements/jazz/first-recharge");
    wait_for("the letter is written", || {
        (state(&server)["told"] == 1).then_some(())
    });
    server.kill();
    let server = world.place.serve();
    std::thread::sleep(Duration::from_secs(2));
    let still = state(&server);
    assert_eq!(
        (&still["waiting"], &still["sent"]),
        (&json!(1), &json!(0)),
        "{still}"
    );
    assert_eq!(world.texts("923001234567").len(), before);
    // Who says stop before the morning is not told in the morning.
    world
        .smsc
        .send_from_handset("923001234567", "8558", "بند")
        .or_else(|_| {
            std::thread::sleep(Duration::from_secs(2));
            world.smsc.send_from_handset("923001234567", "8558", "بند")
        })
        .unwrap();
    wait_for("a confirmation is no offer", || {
        (world.texts("923001234567").len() > before).then_some(())
    });
    assert_eq!(server.terminate(), 0);
}

/// While commands fill the engine's queue the outbox lets them go first; it says no error, loses no message, and catches up.
#[test]
fn while_the_engine_is_busy_messages_wait_and_none_is_lost() {
    const SHOPS: usize = 8;
    const SALES: usize = 15;
    let extra = "[engine]\npartitions = 3\nthreads = 1\nwaiting_commands_max = 3\n";
    let world = World::logged(("00:00", "00:00"), "debug", extra);
    let log = world.place.path("log.txt");
    let server = world.place.serve_logged(&log);
    let key = server.key.clone().unwrap();
    let api = api_of(&server, &key);
    let (_, shop) = api.partner("corner", "1000000");
    let number = |index: usize| format!("9230012345{index:02}");
    for index in 0..SHOPS {
        api.done(
            "/v1/subscribers",
            "",
            &json!({"operator": "jazz", "msisdn": number(index)}),
        );
    }
    let busy = std::sync::atomic::AtomicUsize::new(0);
    let sold: Vec<BTreeSet<String>> = std::thread::scope(|threads| {
        let shops: Vec<_> = (0..SHOPS)
            .map(|index| {
                let (server, shop, busy) = (&server, &shop, &busy);
                threads.spawn(move || {
                    let shop = api_of(server, shop);
                    let mut receipts = BTreeSet::new();
                    for sale in 0..SALES {
                        let id = format!("s{index}.{sale}");
                        let body = json!({"msisdn": number(index), "amount": (100 + sale).to_string(), "external_id": id});
                        let sold = wait_for("a sale", || match shop.post("/v1/topups?wait=10", &id, &body) {
                            Some((200 | 201, sold)) if sold["receipt"].is_string() => Some(sold),
                            Some((503, _)) => {
                                busy.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                                None
                            }
                            // Accepted, and its end could not be waited for.
                            Some((202, _)) => None,
                            other => panic!("{other:?}"),
                        });
                        receipts.insert(sold["receipt"].as_str().unwrap().to_owned());
                    }
                    receipts
                })
            })
            .collect();
        shops.into_iter().map(|shop| shop.join().unwrap()).collect()
    });
    for (index, receipts) in sold.iter().enumerate() {
        assert_eq!(receipts.len(), SALES);
        wait_for("every message", || {
            let texts = world.texts(&number(index)).join("\n");
            receipts
                .iter()
                .all(|receipt| texts.contains(receipt.as_str()))
                .then_some(())
        });
    }
    let (busy, log) = (busy.into_inner(), std::fs::read_to_string(&log).unwrap());
    println!(
        "busy answers: {busy}; the outbox let commands go first: {}",
        log.matches("lets commands go first").count()
    );
    assert!(busy > 0, "the engine was never busy");
    assert!(!log.contains("cannot follow the journal"), "an error was told");
    assert_eq!(server.terminate(), 0);
}

/// A message centre that has fallen silent costs nobody anything but the messages' time: sales and sessions are answered as
/// if it were there, and when it speaks again every text comes.
#[test]
fn a_silent_message_centre_blocks_no_sale_and_no_session() {
    const SALES: usize = 20;
    let world = World::new(("00:00", "00:00"));
    let text = std::fs::read_to_string(world.place.config()).unwrap();
    // Four on their way at most: a centre that takes and never answers gets no more.
    let quick = text.replace(
        "retry_after_ms = 200",
        "retry_after_ms = 200\nresponse_timeout_ms = 5000\nreconnect_max_ms = 500\nwindow = 4",
    );
    assert_ne!(quick, text);
    std::fs::write(world.place.config(), quick).unwrap();
    let server = world.place.serve();
    let key = server.key.clone().unwrap();
    let api = api_of(&server, &key);
    let number = "923001234567";
    api.done(
        "/v1/subscribers",
        "",
        &json!({"operator": "jazz", "msisdn": number}),
    );
    let (_, shop) = api.partner("corner", "100000");
    let shop = api_of(&server, &shop);
    let sell = |index: usize| {
        let id = format!("s{index}");
        let sale = json!({"msisdn": number, "amount": (100 + index).to_string(), "external_id": id});
        let started = Instant::now();
        let sold = shop.done("/v1/topups?wait=10", &id, &sale);
        assert_eq!(sold["state"], "COMPLETED", "{sold}");
        assert!(started.elapsed() < Duration::from_secs(5), "it waits for nobody");
        sold["receipt"].as_str().unwrap().to_owned()
    };
    let first = sell(0);
    wait_for("a text while it speaks", || {
        world.texts(number).concat().contains(&first).then_some(())
    });

    let silent = |silent: bool| {
        let mut config = CentreConfig::default();
        config.misbehaviour.silent = silent;
        world.smsc.set_config(config);
    };
    silent(true);
    let receipts: Vec<String> = (1..=SALES).map(sell).collect();
    world.runtime.block_on(async {
        let settings = sim::gateway::GatewaySettings::new(sim::gateway::Profile::Standard, "raseed.example");
        let gateway = sim::gateway::Gateway::connect(server.diameter, settings)
            .await
            .unwrap();
        let started = Instant::now();
        let phone = sim::gateway::Attach::new("410010000000001", Some(number), "41001");
        let mut session = gateway.open(phone).await.unwrap();
        assert_eq!(session.use_data(5_000_000).await.unwrap(), 5_000_000);
        session.close().await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(5), "it waits for nobody");
        gateway.disconnect().await;
    });
    let told = |receipts: &[String]| {
        let all = world.texts(number).join("\n");
        receipts
            .iter()
            .filter(|receipt| all.contains(receipt.as_str()))
            .count()
    };
    assert!(
        told(&receipts) < SALES,
        "nothing waits: the centre was not silent"
    );
    silent(false);
    wait_for("every text, once it speaks again", || {
        (told(&receipts) == SALES).then_some(())
    });
    assert_eq!(server.terminate(), 0);
    assert_eq!(world.place.run_here(&["audit"]).json()["ok"], json!(true));
}

/// The shop's number hears that its stock is low: once each time that it becomes so, by the centre of its operator.
#[test]
fn a_shop_hears_once_each_time_that_its_stock_is_low() {
    const SHOP: &str = "923001234560";
    const BUYER: &str = "923001234561";
    let world = World::new(("00:00", "00:00"));
    let server = world.place.serve();
    let key = server.key.clone().unwrap();
    let api = api_of(&server, &key);
    api.done(
        "/v1/subscribers",
        "",
        &json!({"operator": "jazz", "msisdn": BUYER}),
    );
    let open = |grade: &str, parent: Option<u64>, number: Option<&str>| {
        let body = json!({"name": grade, "code": grade, "grade": grade, "parent": parent, "key": true, "number": number});
        api.done("/v1/sellers", grade, &body)
    };
    let root = open("operator", None, None)["id"].as_u64();
    let made = open("retailer", root, Some(SHOP));
    let id = made["id"].as_u64().unwrap();
    let shop = api_of(&server, made["key"]["key"].as_str().unwrap());
    let marked = api.patch(
        &format!("/v1/sellers/{id}"),
        &json!({"low_mark": "500", "language": "en"}),
    );
    assert_eq!(marked.unwrap().0, 200);
    let fund = |amount: &str, reference: &str| {
        let body = json!({"amount": amount, "reference": reference});
        api.done(&format!("/v1/partners/{id}/float"), reference, &body);
    };
    let sell = |amount: &str| {
        let body = json!({"msisdn": BUYER, "amount": amount});
        let sold = shop.done("/v1/sellers/me/sales?wait=10", amount, &body);
        assert_eq!(sold["state"], "COMPLETED", "{sold}");
    };
    let low = || {
        let texts = world.texts(SHOP);
        let plain = texts.iter().map(|text| strip_isolates(text));
        plain
            .filter(|text| text.contains("stock is low"))
            .collect::<Vec<_>>()
    };
    fund("1000", "first");
    sell("400");
    assert_eq!(low(), [""; 0], "600 are left");
    sell("150");
    wait_for("the first word", || (low().len() == 1).then_some(()));
    // Still low: nothing new.
    sell("100");
    sell("110");
    fund("400", "second");
    sell("200");
    wait_for("the second word", || (low().len() > 1).then_some(()));
    assert_eq!(server.terminate(), 0);
    let said = |float: &str| format!("Your stock is low: {float} left to sell. Please order more.");
    assert_eq!(low(), [said("Rs 450.00"), said("Rs 440.00")]);
    assert_eq!(world.place.run_here(&["audit"]).json()["ok"], json!(true));
}
