//! The side of staff over HTTP, on real SQLite files: signing in and what tries to get round it, and the work itself.

mod common;

use charge::command::Unmatched;
use charge::payment::{PaymentState, Price};
use charge::{Code, Command, Entity, Money};
use common::client::Client;
use common::file_desk::FileDesk;
use common::press::{active, change, see};
use common::staff::{PASSWORD, Staff, code, invite};
use common::{NUMBER, Service};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn paying() -> Service {
    Service::start_paying(|core| {
        Arc::new(FileDesk {
            core: Arc::clone(core),
            said: Mutex::default(),
        })
    })
}

/// Money that names no payment; its page, once the read models have it.
fn suspend(service: &Service, reference: &str, rupees: i64) -> (charge::payment::PaymentId, String) {
    let came = Unmatched {
        rail: Code::new("bank").unwrap(),
        reference: reference.to_owned(),
        paid: Price::pkr(Money::from_units(rupees)),
    };
    let id = came.id();
    service.call_core(Command::Suspend(Box::new(came)));
    service.eventually(|| {
        let row = service
            .web
            .parts
            .reads
            .ask(move |reader| reader.models.payment(id));
        service.wait(row).ok().flatten()
    });
    (id, format!("/staff/suspense/{id}"))
}

fn state(service: &Service, id: charge::payment::PaymentId) -> PaymentState {
    match service.read(id.key()) {
        Some(Entity::Payment(payment)) => payment.state,
        _ => panic!("there is no such payment"),
    }
}

/// Assigned, and then credited by the partition of the number.
fn credited(service: &Service, id: charge::payment::PaymentId) {
    service.eventually(|| (state(service, id) == PaymentState::Succeeded).then_some(()));
}

/// The deeds of the trail, the newest first.
fn trail(service: &Service) -> Vec<(String, String, String, String)> {
    let query = people::staff_trail::TrailQuery::default();
    let lines = service.people.staff_trail(&query, 1_000).unwrap();
    lines
        .into_iter()
        .map(|line| (line.by.name, line.deed, line.about, line.detail))
        .collect()
}

#[track_caller]
fn has(service: &Service, name: &str, deed: &str, about: &str) {
    let lines = trail(service);
    let found = lines
        .iter()
        .any(|(by, did, what, _)| by == name && did == deed && what.contains(about));
    assert!(found, "{name} {deed} {about} in {lines:#?}");
}

#[test]
fn only_staff_comes_in_and_only_with_all_three_proofs() {
    let service = paying();
    let mut subscriber = Client::signed_in(&service);
    for path in [
        "/staff",
        "/staff/complaints",
        "/staff/trail",
        "/staff/subscribers/1",
        "/staff/figures.csv",
    ] {
        let answer = subscriber.get(path);
        assert_eq!(answer.status, 303, "{path}");
        assert!(answer.header("location").starts_with("/staff/sign-in"), "{path}");
    }
    subscriber.get("/security");
    let posted = subscriber.post("/staff/complaints/C-2026-000001", "what=take");
    assert_eq!(posted.status, 303, "a subscriber's form is nobody's here");

    let mut sana = Staff::ready(&service, "sana", "support");
    service.pass(Duration::from_secs(60));
    let right = code(&sana.totp, service.now());
    assert_eq!(sana.try_with("wrong password", &right), 422);
    assert_eq!(sana.try_with(PASSWORD, "000000"), 422);
    assert_eq!(sana.try_with(PASSWORD, &right), 303);
    let cookie = |client: &Client, name: &str| {
        let found = client.cookies.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    assert!(cookie(&sana.client, "raseed_staff").is_some());
    assert_eq!(sana.client.get("/staff").status, 200);
    // The staff's cookie is no subscriber's sign-in, and the other way round.
    assert_eq!(sana.client.get("/security").status, 303);
    let token = cookie(&sana.client, "raseed_staff").unwrap();
    let mut planted = Client::new(&service);
    planted.cookies = vec![("raseed_session".to_owned(), format!("s.{token}"))];
    assert_eq!(planted.get("/security").status, 303);
    assert_eq!(planted.get("/staff").status, 303);

    assert_eq!(sana.try_with(PASSWORD, &right), 422, "a code works once");
    assert_eq!(sana.client.get("/staff").status, 200, "and the sign-in stays");
    service.pass(Duration::from_secs(16 * 60));
    assert_eq!(sana.client.get("/staff").status, 303, "short");
    has(&service, "sana", "sign-in-failed", "");
    has(&service, "sana", "signed-in", "");
}

#[test]
fn guessing_stolen_sign_ins_and_foreign_forms_are_stopped() {
    let service = paying();
    let mut sana = Staff::new(&service, "sana", "support");
    let mut guesser = Staff {
        client: Client::new(&service),
        name: "sana".to_owned(),
        totp: sana.totp.clone(),
    };
    let statuses: Vec<u16> = (0..10).map(|_| guesser.try_with("guess", "123456")).collect();
    assert_eq!(statuses[..6], [422; 6]);
    assert_eq!(statuses[6..], [429; 4]);
    let right = code(&sana.totp, service.now().plus(30_000_000));
    assert_eq!(
        guesser.try_with(PASSWORD, &right),
        429,
        "the right one as well, for now"
    );
    assert_eq!(sana.client.get("/staff").status, 200, "who is in stays in");

    let page = sana.see("/staff/subscribers");
    assert!(page.contains("name=\"form\""));
    let body = format!("number={NUMBER}&reason=complaint&form=wrong");
    assert_eq!(
        sana.client.send("POST", "/staff/subscribers", &[], &body).status,
        400
    );
    let body = format!(
        "number={NUMBER}&reason=complaint&form={}",
        sana.client.form_token()
    );
    let foreign = [("origin", "https://evil.example")];
    assert_eq!(
        sana.client
            .send("POST", "/staff/subscribers", &foreign, &body)
            .status,
        400
    );
    let mut omar = Staff::new(&service, "omar", "support");
    omar.see("/staff/subscribers");
    let body = format!(
        "number={NUMBER}&reason=complaint&form={}",
        omar.client.form_token()
    );
    let theirs = sana.client.send("POST", "/staff/subscribers", &[], &body);
    assert_eq!(theirs.status, 400, "a form of a colleague");

    let mut thief = Client::new(&service);
    thief.cookies = sana.client.cookies.clone();
    thief.agent = "Mozilla/5.0 (Windows NT 10.0) Firefox/128.0".to_owned();
    assert_eq!(thief.get("/staff").status, 303);
    assert_eq!(sana.client.get("/staff").status, 303, "it has ended for both");
    has(&service, "sana", "session-refused", "");
    assert_eq!(service.people.staff_trail_broken_at().unwrap(), None);
}

#[test]
fn a_role_that_is_too_low_gets_nowhere_and_stands_in_the_trail() {
    let service = paying();
    let (id, page) = suspend(&service, "20261121-1", 100);
    let mut sana = Staff::new(&service, "sana", "support");
    for path in [
        "/staff/suspense",
        "/staff/exceptions",
        "/staff/approvals",
        "/staff/figures",
        "/staff/trail",
        "/staff/team",
        &page,
    ] {
        assert_eq!(sana.client.get(path).status, 403, "{path}");
    }
    sana.see("/staff/complaints");
    sana.see("/staff/subscribers");
    let tried = sana.client.post(&page, &format!("what=assign&number={NUMBER}"));
    assert_eq!(tried.status, 403);
    assert_eq!(state(&service, id), PaymentState::InSuspense);
    has(&service, "sana", "not-allowed", "suspense");
    let mut finance = Staff::new(&service, "faiz", "finance");
    assert_eq!(finance.client.get("/staff/complaints").status, 403);
    assert_eq!(finance.client.get("/staff/team").status, 403);
    let shop = service.api(
        &service.shop,
        "POST",
        "/v1/staff",
        r#"{"name":"x1","role":"admin"}"#,
    );
    assert_eq!(shop.status, 403);
    // Switched off, a sign-in ends at once.
    let mut root = Staff::new(&service, "root", "admin");
    assert_eq!(
        root.act("/staff/team", "what=switch&name=faiz&to=off").status,
        303
    );
    assert_eq!(finance.client.get("/staff").status, 303);
    assert_eq!(finance.sign_in(), 422);
    assert!(root.see("/staff/trail").contains("Switched off"));
}

#[test]
fn complaints_are_taken_sorted_answered_and_decided() {
    let service = paying();
    let mut subscriber = Client::signed_in(&service);
    subscriber.get("/complaints/new");
    let made = subscriber.post("/complaints", "category=billing&body=<b>too+much</b>");
    let path = made.header("location").to_owned();
    let mut sana = Staff::new(&service, "sana", "support");
    let list = sana.see("/staff/complaints");
    assert!(list.contains("C-2026-000001") && !list.contains("0300"), "{list}");
    let page = format!("/staff{path}");
    let shown = sana.see(&page);
    assert!(shown.contains("too much") && !shown.contains("<b>too"), "{shown}");
    assert!(
        shown.contains("923*******67") && !shown.contains("1234567"),
        "masked: {shown}"
    );
    assert_eq!(sana.act(&page, "what=take").status, 303);
    assert_eq!(sana.act(&page, "what=sort&category=bundle").status, 303);
    assert_eq!(sana.act(&page, "what=answer&body=&state=resolved").status, 422);
    assert_eq!(
        sana.act(&page, "what=answer&body=We+look&state=waiting-for-you")
            .status,
        303
    );
    let shown = sana.see(&page);
    for part in ["sana", "A bundle", "We need your answer", "We look"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(subscriber.get(&path).body.contains("We look"));
    for deed in [
        "complaint-taken",
        "complaint-sorted",
        "complaint-answered",
        "seen",
    ] {
        has(&service, "sana", deed, "C-2026-000001");
    }
    // Before its deadline it waits; after it, it is late.
    assert_eq!(
        sana.act(&page, "what=answer&body=More&state=waiting-for-us")
            .status,
        303
    );
    service.pass(Duration::from_secs(4 * 86_400));
    assert_eq!(sana.sign_in(), 303);
    assert!(sana.see("/staff/complaints").contains("Late"));
    assert_eq!(sana.act(&page, "what=answer&body=Bye&state=closed").status, 303);
    assert_eq!(
        sana.client.post(&page, "what=take").status,
        422,
        "closed is closed"
    );
    // From the complaint to the account, with a reason.
    let opened = sana.act(&page, "what=open&reason=C-2026-000001");
    assert!(
        opened.header("location").starts_with("/staff/subscribers/"),
        "{opened:?}"
    );
}

#[test]
fn a_subscriber_is_masked_until_opened_with_a_reason_and_only_for_a_while() {
    let service = Service::with_story();
    let mut sana = Staff::new(&service, "sana", "support");
    let find = |sana: &mut Staff, reason: &str| {
        sana.act(
            "/staff/subscribers",
            &format!("number=0300+1234567&reason={reason}"),
        )
    };
    assert_eq!(find(&mut sana, "x").status, 200, "no reason");
    assert!(trail(&service).iter().all(|(_, deed, _, _)| deed != "opened"));
    let nobody = sana.act("/staff/subscribers", "number=0300+7654321&reason=asked+us");
    assert!(nobody.body.contains("Nobody here has this number"));
    let opened = find(&mut sana, "called+us");
    assert_eq!(opened.status, 303, "{}", opened.body);
    let path = opened.header("location").to_owned();
    let page = sana.see(&path);
    for part in ["0300 1234567", "Statement", "Receipts", "/receipts/"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    has(&service, "sana", "opened", "923*******67");
    assert!(
        trail(&service)
            .iter()
            .any(|(_, _, _, detail)| detail == "called us")
    );
    assert!(
        trail(&service)
            .iter()
            .all(|(_, _, about, _)| !about.contains("1234567"))
    );
    // To a colleague it is still masked, and so it is after its time.
    let mut omar = Staff::new(&service, "omar", "finance");
    let masked = omar.see(&path);
    assert!(
        masked.contains("923*******67") && !masked.contains("1234567"),
        "{masked}"
    );
    for _ in 0..2 {
        service.pass(Duration::from_secs(10 * 60));
        let _ = sana.client.get("/staff");
    }
    assert!(!sana.see(&path).contains("1234567"));
    let again = sana.act(&path, "what=open&reason=still+on+the+phone");
    assert_eq!(again.status, 303);
    assert!(sana.see(&path).contains("0300 1234567"));
}

#[test]
fn much_money_needs_four_eyes_of_two_people() {
    let service = paying();
    let (small, small_page) = suspend(&service, "20261121-1", 5_000);
    let (large, large_page) = suspend(&service, "20261121-2", 5_001);
    let mut faiz = Staff::new(&service, "faiz", "finance");
    assert!(faiz.see("/staff/suspense").contains("20261121-2"));
    let assign = format!("what=assign&number={NUMBER}");
    assert_eq!(faiz.act(&small_page, "what=assign&number=0300").status, 422);
    let nobody = faiz.act(&small_page, "what=assign&number=0345+9999999");
    assert_eq!(nobody.status, 422, "nobody here has it");
    let done = faiz.act(&small_page, &assign);
    assert_eq!(
        done.header("location"),
        format!("{small_page}?done=1"),
        "{}",
        done.body
    );
    credited(&service, small);
    let before = service.main_balance();
    assert_eq!(faiz.client.post(&small_page, &assign).status, 422, "once");

    let waits = faiz.act(&large_page, &assign);
    let wish = waits.header("location").to_owned();
    assert!(wish.starts_with("/staff/approvals/"), "{waits:?}");
    assert_eq!(state(&service, large), PaymentState::InSuspense);
    assert_eq!(
        faiz.act(&large_page, "what=return").status,
        422,
        "one decision waits"
    );
    assert!(!faiz.see(&wish).contains("Approve and do it"));
    assert_eq!(
        faiz.client.post(&wish, "what=approve").status,
        422,
        "not by the same person"
    );
    assert_eq!(state(&service, large), PaymentState::InSuspense);
    has(&service, "faiz", "own-wish", &large.to_string());
    let mut sana = Staff::new(&service, "sana", "support");
    assert_eq!(sana.client.get(&wish).status, 403);
    sana.see("/staff/complaints");
    assert_eq!(sana.client.post(&wish, "what=approve").status, 403);
    let mut zara = Staff::new(&service, "zara", "finance");
    let approved = zara.act(&wish, "what=approve");
    assert_eq!(
        approved.header("location"),
        format!("{wish}?done=1"),
        "{}",
        approved.body
    );
    credited(&service, large);
    assert_ne!(service.main_balance(), before);
    let after = service.main_balance();
    assert_eq!(
        zara.client.post(&wish, "what=approve").status,
        422,
        "decided is decided"
    );
    assert_eq!(service.main_balance(), after);
    for (who, deed) in [
        ("faiz", "wished"),
        ("zara", "approved"),
        ("zara", "remedy-begun"),
        ("zara", "remedy-done"),
    ] {
        has(&service, who, deed, &large.to_string());
    }
    assert!(
        trail(&service)
            .iter()
            .all(|(_, _, _, detail)| !detail.contains(NUMBER)),
        "masked"
    );

    let (other, page) = suspend(&service, "20261121-3", 9_000);
    let wish = faiz.act(&page, "what=return").header("location").to_owned();
    assert_eq!(zara.act(&wish, "what=deny").status, 303);
    assert_eq!(state(&service, other), PaymentState::InSuspense);
    assert_eq!(zara.client.post(&wish, "what=again").status, 422);
}

#[test]
fn exceptions_have_an_age_an_owner_and_a_remedy_of_one_click_and_figures_go_out() {
    let service = paying();
    let file = "order,reference,type,amount,fee,currency,time\n\
        ,X1,payment,250.00,1.00,PKR,2026-11-21 17:00:00\n";
    let key = format!("Bearer {}", service.admin);
    let headers = [("authorization", key.as_str()), ("content-type", "text/csv")];
    let path = "/v1/reconciliations?rail=bank&day=2026-11-21";
    let found = service.send("POST", path, &headers, file).json();
    assert_eq!(found["figures"]["file"], "250.00", "{found}");
    assert_eq!(found["figures"]["ledger"], "0.00", "{found}");
    let id = found["exceptions"][0]["id"].as_str().unwrap().to_owned();
    let mut faiz = Staff::new(&service, "faiz", "finance");
    service.pass(Duration::from_secs(10 * 60));
    let list = faiz.see("/staff/exceptions");
    assert!(
        list.contains("In the file, not ours") && list.contains("<bdi>11</bdi> minutes"),
        "{list}"
    );
    let page = format!("/staff/exceptions/{id}");
    assert_eq!(faiz.act(&page, "what=own").status, 303);
    assert!(faiz.see("/staff/exceptions").contains("faiz"));
    assert_eq!(faiz.act(&page, "what=nonsense").status, 422);
    let before = service.main_balance();
    let done = faiz.act(&page, &format!("what=credit&number={NUMBER}"));
    assert_eq!(done.status, 303, "{}", done.body);
    service.eventually(|| (service.main_balance() != before).then_some(()));
    assert!(faiz.see(&page).contains("Credit it"));
    assert_eq!(faiz.client.post(&page, "what=return").status, 422, "closed");
    let figures = faiz.see("/staff/figures");
    assert!(
        figures.contains("2026-11-21") && figures.contains("Rs\u{a0}250"),
        "{figures}"
    );
    let csv = faiz.see("/staff/figures.csv");
    assert!(csv.contains("2026-11-21,bank,desk,1,0,250"), "{csv}");
    let json: serde_json::Value = serde_json::from_str(&faiz.see("/staff/figures.json")).unwrap();
    assert_eq!(json["reconciliations"][0]["differences"], json!(1));
    assert!(faiz.see("/staff/exceptions.csv").contains("extra-in-file"));
    has(&service, "faiz", "exported", "figures.csv");
    has(&service, "faiz", "remedy-done", &id);
}

#[test]
fn a_lock_is_looked_into_and_taken_off_with_a_reason() {
    let service = paying();
    let mut owner = Client::signed_in(&service);
    owner.get("/not-me");
    assert!(owner.post("/not-me", "about=strange+sign-in").status < 400);
    let mut sana = Staff::new(&service, "sana", "support");
    let list = sana.see("/staff/locks");
    let path = list
        .split("href=\"/staff/locks/")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .map(|id| format!("/staff/locks/{id}"))
        .expect("a lock");
    let page = sana.see(&path);
    assert!(page.contains("Locked") && page.contains("923*******67"), "{page}");
    assert_eq!(sana.act(&path, "what=unlock&reason=x").status, 422);
    assert_eq!(sana.act(&path, "what=unlock&reason=identity+seen").status, 303);
    assert!(!sana.see("/staff/locks").contains(&path));
    has(&service, "sana", "unlocked", "person");
    let mut owner = Client::signed_in(&service);
    assert!(!owner.get("/security").body.contains("security/unlock"));
}

#[test]
fn who_guesses_cards_is_seen_by_number_and_by_batch_and_masked() {
    let service = paying();
    let (batch, cards) = active(&service, 10);
    change(
        &service,
        batch,
        &json!({"state": "recalled", "first": cards[0].0}),
    );
    let try_one = |pin: &str| {
        let body = json!({"msisdn": NUMBER, "pin": pin, "channel": "ivr"}).to_string();
        service.api(&service.admin, "POST", "/v1/vouchers/redeem", &body)
    };
    assert_eq!(try_one(&cards[0].1).status, 409);
    let mut locked = false;
    for guess in 0..20 {
        locked |= try_one(&format!("{:014}", 99_000_000_000_000_u64 + guess)).status == 429;
    }
    assert!(locked);
    let mut sana = Staff::new(&service, "sana", "support");
    service.eventually(|| {
        let seen = service.api(&service.admin, "GET", "/v1/card-attempts", "").json();
        let tried = see(&service, batch)["recent_tries"].as_array().unwrap().len();
        (tried == 1 && !seen["numbers"].as_array().unwrap().is_empty()).then_some(())
    });
    let list = sana.see("/staff/cards");
    assert!(list.contains("923*******67"), "{list}");
    assert!(list.contains("Its own phone") && !list.contains(NUMBER), "{list}");
    assert!(sana.see("/staff/locks").contains("href=\"/staff/cards\""));
    // One number: also before it is locked, and the look stands in the trail.
    let one = sana.act("/staff/cards", &format!("what=find&number={NUMBER}"));
    assert_eq!(one.status, 200, "{}", one.body);
    assert!(one.body.contains("923*******67") && one.body.contains("Its own phone"));
    has(&service, "sana", "seen", "cards of 923*******67");
    for (number, said) in [("12", "number"), ("03001239999", "Nobody here has this number.")] {
        let none = sana.act("/staff/cards", &format!("what=find&number={number}"));
        assert!(
            none.body.contains(said) && !none.body.contains("923*******67"),
            "{}",
            none.body
        );
    }
    assert!(
        sana.see("/staff/cards/batches")
            .contains(&format!("/staff/cards/batches/{batch}"))
    );
    let page = sana.see(&format!("/staff/cards/batches/{batch}"));
    assert!(page.contains("This card was recalled"), "{page}");
    assert!(
        page.contains(&cards[0].0) && page.contains("923*******67"),
        "{page}"
    );
    assert!(!page.contains(NUMBER) && !page.contains(&cards[0].1));
    let mut omar = Staff::new(&service, "omar", "finance");
    for path in [
        "/staff/cards",
        "/staff/cards/batches",
        &format!("/staff/cards/batches/{batch}"),
    ] {
        assert_eq!(omar.client.get(path).status, 403, "{path}");
    }
}

#[test]
fn names_and_roles_of_staff_are_checked_and_a_link_ends() {
    let service = paying();
    for body in [
        r#"{"name":"Sana","role":"support"}"#,
        r#"{"name":"sana","role":"god"}"#,
        r#"{"name":"<b>","role":"admin"}"#,
    ] {
        assert_eq!(
            service.api(&service.admin, "POST", "/v1/staff", body).status,
            422,
            "{body}"
        );
    }
    let link = invite(&service, "sana", "support");
    let mut client = Client::new(&service);
    let totp = common::staff::secret_of(&client.get(&link).body);
    let code = code(&totp, service.now());
    assert_eq!(
        client.post(&link, &format!("password=short&code={code}")).status,
        422
    );
    assert_eq!(
        client
            .post(&link, "password=correct+horse+battery&code=000000")
            .status,
        422
    );
    service.pass(Duration::from_secs(25 * 3600));
    assert_eq!(client.get(&link).status, 404, "a day");
    let again = service.api(&service.admin, "POST", "/v1/staff/sana", r#"{"invite":true}"#);
    assert_eq!(again.status, 200, "{}", again.body);
    assert!(again.json()["link"].as_str().unwrap().contains("/staff/set-up/"));
    let list = service.api(&service.admin, "GET", "/v1/staff", "").json();
    assert_eq!(
        (&list[0]["name"], &list[0]["ready"]),
        (&json!("sana"), &json!(false))
    );
    let statuses: Vec<u16> = (0..80)
        .map(|_| {
            client
                .get("/staff/set-up/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
                .status
        })
        .collect();
    assert_eq!(statuses[0], 404);
    assert_eq!(statuses[79], 429, "guessing links is stopped");
}
