//! Complaints over HTTP: made from what went wrong, worked on by staff, seen by nobody else; and attempts on them.

mod common;

use charge::payment::{CreatePayment, Destination, PaymentId, Price};
use charge::time::HOUR;
use charge::{Code, Command, EntityKey, Money, Msisdn, OperatorId};
use common::client::Client;
use common::{NUMBER, SECOND_NUMBER, Service};
use serde_json::json;
use std::time::Duration;

/// A payment that a browser began, which nobody paid yet.
fn begun(service: &Service, client: &mut Client) -> PaymentId {
    client.get("/sign-in");
    let number = Msisdn::parse(NUMBER).unwrap();
    let entity = service.read(EntityKey::Number(number)).unwrap();
    let account = entity.number().unwrap().account.unwrap();
    let id = PaymentId::new(account.0, 77).unwrap();
    let gross = Money::from_units(500);
    service.call_core(Command::CreatePayment(Box::new(CreatePayment {
        id,
        to: Destination::Account(account),
        msisdn: number,
        operator: OperatorId(1),
        rail: Code::new("jazzcash").unwrap(),
        gross,
        price: Price::pkr(gross),
        offer: Code::EMPTY,
        campaign: Code::EMPTY,
        class: charge::promotion::ChannelClass::Web,
        region: Code::EMPTY,
        expires_at: service.now().plus(HOUR),
        wanted_until: service.now().plus(24 * HOUR),
        payer: web::page::ticket::payer_of(&client.form_token()),
    })));
    id
}

/// Makes a complaint and gives its address.
fn complain(client: &mut Client, fields: &str) -> String {
    let answer = client.post("/complaints", fields);
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.header("location").to_owned()
}

#[test]
fn a_guest_complains_about_a_payment_and_staff_settles_it() {
    let service = Service::start();
    let mut guest = Client::new(&service);
    let payment = begun(&service, &mut guest);
    let page = guest.get(&format!("/pay/{payment}")).body;
    let path = format!("/complaints/new?about=payment:{payment}");
    assert!(page.contains(&path), "{page}");
    let form = guest.get(&path).body;
    assert!(
        form.contains("500") && form.contains(&payment.to_string()),
        "{form}"
    );
    assert!(
        form.contains("<option value=\"not-credited\" selected>"),
        "{form}"
    );
    let fields = format!("about=payment:{payment}&category=not-credited&body=I+paid%0Anothing+came");
    let path = complain(&mut guest, &fields);
    assert_eq!(path, "/complaints/C-2026-000001");
    assert_eq!(complain(&mut guest, &fields), path, "said twice, it is one");
    let page = guest.get(&path).body;
    assert!(page.contains("You hear from us by <bdi>"), "{page}");
    assert!(page.contains("I paid\nnothing came") && page.contains(&format!("/pay/{payment}")));
    assert!(guest.get("/complaints").body.contains("C-2026-000001"));

    let list = service.api(&service.admin, "GET", "/v1/complaints", "").json();
    assert_eq!(list[0]["id"], "C-2026-000001");
    assert_eq!(list[0]["about"], format!("payment:{payment}"));
    assert_eq!(
        (&list[0]["msisdn"], &list[0]["late"]),
        (&json!(NUMBER), &json!(false))
    );
    service.pass(Duration::from_secs(4 * 86_400));
    let list = service
        .api(&service.admin, "GET", "/v1/complaints?state=open", "")
        .json();
    assert_eq!(list[0]["late"], true);
    assert!(
        guest.get(&path).body.contains("We are sorry"),
        "also its owner is told"
    );

    let work = |body: serde_json::Value| {
        service.api(&service.admin, "POST", &format!("/v1{path}"), &body.to_string())
    };
    let file = work(json!({"by": "Sana", "answer": "Which bank?", "state": "waiting-for-you"}));
    assert_eq!(
        file.json()["complaint"]["state"],
        "waiting-for-you",
        "{}",
        file.body
    );
    let page = guest.get(&path).body;
    assert!(page.contains("Which bank?") && page.contains("Please answer below"));
    assert_eq!(guest.post(&path, "what=reply&body=Mine").status, 303);
    let file = work(json!({"by": "Sana", "answer": "Credited.", "state": "resolved"})).json();
    assert_eq!(file["complaint"]["state"], "resolved");
    assert_eq!(file["trail"][1]["staff"], "desk: Sana");
    assert_eq!(file["trail"][1]["deed"], "answered: waiting-for-us -> resolved");
    assert_eq!(file["messages"].as_array().unwrap().len(), 4);
    guest.get(&path);
    assert_eq!(guest.post(&path, "what=reply&body=It+is+not").status, 303);
    assert!(guest.get(&path).body.contains("Looked at again"));
    assert_eq!(guest.post(&path, "what=settle").status, 303);
    assert_eq!(work(json!({"by": "Sana", "answer": "x"})).problem().0, 409);
    assert_eq!(guest.post(&path, "what=reply&body=again").status, 409);
}

#[test]
fn nobody_else_sees_or_answers_a_complaint_or_makes_one_about_what_is_not_theirs() {
    let service = Service::start();
    let mut guest = Client::new(&service);
    let payment = begun(&service, &mut guest);
    guest.get(&format!("/complaints/new?about=payment:{payment}"));
    let path = complain(
        &mut guest,
        &format!("about=payment:{payment}&category=billing&body=x"),
    );
    let mut owner = Client::signed_in(&service);
    let mine = complain(&mut owner, "about=&category=quality&body=y");
    service.subscriber(SECOND_NUMBER);
    let mut stranger = Client::new(&service);
    stranger.enter(SECOND_NUMBER);
    let mut nobody = Client::new(&service);
    for other in [&mut stranger, &mut nobody] {
        for path in [&path, &mine] {
            assert_eq!(other.get(path).status, 404);
            other.get("/complaints");
            other.get("/recharge");
            assert_eq!(other.post(path, "what=reply&body=z").status, 404);
            assert_eq!(other.post(path, "what=settle").status, 404);
        }
        assert!(!other.get("/complaints").body.contains("C-2026"));
        let about = format!("payment:{payment}");
        let form = other.get(&format!("/complaints/new?about={about}"));
        assert!(form.status == 404 || form.header("location").starts_with("/sign-in?next="));
        other.get("/recharge");
        let told = other.post("/complaints", &format!("about={about}&category=billing&body=z"));
        assert_eq!(told.status, 404, "{}", told.body);
    }
    nobody.get("/recharge");
    assert_eq!(
        nobody.post("/complaints", "about=&category=other&body=z").status,
        401
    );
    for about in [
        "receipt:E1-1-1",
        "event:E0-1-0",
        "event:x",
        "x:y",
        "payment:y",
        "javascript:1",
    ] {
        stranger.get("/complaints/new");
        let told = stranger.post("/complaints", &format!("about={about}&category=billing&body=z"));
        assert!([404, 422].contains(&told.status), "{about}: {}", told.status);
    }
    for key in [&service.shop, &service.other] {
        assert_eq!(service.api(key, "GET", "/v1/complaints", "").status, 403);
        assert_eq!(service.api(key, "GET", &format!("/v1{path}"), "").status, 403);
        let body = json!({"by": "x", "answer": "y"}).to_string();
        assert_eq!(service.api(key, "POST", &format!("/v1{path}"), &body).status, 403);
    }
    assert_eq!(service.api("", "GET", "/v1/complaints", "").status, 401);
}

#[test]
fn what_people_write_is_text_and_forms_are_ours() {
    let service = Service::start();
    let mut owner = Client::signed_in(&service);
    let evil = "%3Cscript%3Ealert(1)%3C/script%3E%3Cimg+src=x+onerror=alert(1)%3E%E2%80%AEtxt";
    let path = complain(&mut owner, &format!("about=&category=other&body={evil}"));
    let answer = json!({"by": "<b>Sana</b>", "answer": "<script>alert(2)</script>"}).to_string();
    let file = service.api(&service.admin, "POST", &format!("/v1{path}"), &answer);
    assert_eq!(file.status, 200, "{}", file.body);
    let page = owner.get(&path);
    for raw in ["<script>alert", "<img src=x", "\u{202e}", "<b>Sana"] {
        assert!(!page.body.contains(raw), "{raw}");
    }
    assert!(page.body.contains("alert(1)"), "it is there as text");
    assert!(!page.header("content-security-policy").contains("unsafe-inline"));
    for category in ["", "nothing", "%3Cscript%3E"] {
        let told = owner.post("/complaints", &format!("about=&category={category}&body=x"));
        assert_eq!(told.status, 422);
    }
    let empty = owner.post("/complaints", "about=&category=other&body=+%0A");
    assert!(
        empty.status == 422 && empty.body.contains("aria-invalid"),
        "{}",
        empty.body
    );
    let quoted = owner.post("/complaints", "about=%22%3E%3Cscript%3E&category=other&body=x");
    assert_eq!(quoted.status, 422);

    let foreign = "what=settle&form=AAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(owner.send("POST", &path, &[], foreign).status, 400);
    assert_eq!(
        owner
            .send("POST", "/complaints", &[], "about=&category=other&body=x&form=")
            .status,
        400
    );
    let body = format!("what=settle&form={}", owner.form_token());
    let elsewhere = [("origin", "https://evil.example")];
    assert_eq!(owner.send("POST", &path, &elsewhere, &body).status, 400);
    assert!(
        owner.get(&path).body.contains("what\" value=\"settle"),
        "it is still open"
    );
    for _ in 0..4 {
        owner.get("/complaints/new");
        complain(&mut owner, "about=&category=other&body=more");
    }
    let sixth = owner.post("/complaints", "about=&category=other&body=more");
    assert_eq!(sixth.status, 429, "{}", sixth.body);
}

#[test]
fn complaints_begin_at_a_receipt_and_at_a_line_of_the_statement_and_leave_with_the_person() {
    let service = Service::start();
    let body = json!({"msisdn": NUMBER, "amount": "100", "external_id": "a"});
    let sold = service
        .once(&service.shop, "/v1/topups?wait=10", "a", &body.to_string())
        .json();
    let receipt = sold["receipt"].as_str().unwrap();
    let mut owner = Client::signed_in(&service);
    let page = service.eventually(|| {
        let mut owner = Client {
            cookies: owner.cookies.clone(),
            ..Client::new(&service)
        };
        let page = owner.get(&format!("/receipts/{receipt}"));
        (page.status == 200).then_some(page.body)
    });
    let path = format!("/complaints/new?about=receipt:{receipt}");
    assert!(page.contains(&path));
    assert!(owner.get(&path).body.contains(receipt));
    let mut line = owner.get("/statement").body;
    line = line.split("/statement/why/line/").nth(1).unwrap().to_owned();
    let event = line.split('"').next().unwrap().to_owned();
    let why = owner.get(&format!("/statement/why/line/{event}")).body;
    assert!(
        why.contains(&format!("/complaints/new?about=event:{event}")),
        "{why}"
    );
    let form = owner.get(&format!("/complaints/new?about=event:{event}")).body;
    assert!(form.contains("<option value=\"billing\" selected>"), "{form}");
    complain(
        &mut owner,
        &format!("about=event:{event}&category=billing&body=why+tax"),
    );
    for (language, word) in [("ur", "شکایات"), ("zh", "投诉")] {
        owner.get(&format!("/complaints?lang={language}"));
        assert!(owner.get("/complaints").body.contains(word));
    }
    owner.get("/privacy");
    let export = owner.post("/privacy/export", "a=b").body;
    assert!(
        export.contains("why tax") && export.contains("\"complaint_message\""),
        "{export}"
    );
}
