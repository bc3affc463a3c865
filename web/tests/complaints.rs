//! Complaints over HTTP: made from what went wrong, worked on by staff, seen by nobody else; and attempts on them.

mod common;

use charge::payment::PaymentId;
use common::client::Client;
use common::{NUMBER, SECOND_NUMBER, Service};
use serde_json::json;
use std::time::Duration;

/// A payment that a browser began, which nobody paid yet.
fn begun(service: &Service, client: &mut Client) -> PaymentId {
    client.get("/sign-in");
    service.begins_payment(&client.form_token())
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
        assert!(form.status == 404 || form.header("location").starts_with("/complaints/guest"));
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

/// The number's code for complaining, as its owner reads it.
fn guest_code(service: &Service, guest: &mut Client, number: &str, about: &str) -> Option<String> {
    let before = service.codes.count();
    guest.get(&format!("/complaints/guest?about={about}"));
    let answer = guest.post(
        "/complaints/guest/code",
        &format!("number={number}&about={about}"),
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
    std::thread::sleep(Duration::from_millis(300));
    let sent = service.codes.count() > before;
    sent.then(|| service.codes.last(number).unwrap())
}

#[test]
fn somebody_without_an_account_complains_with_a_number_and_follows_it_by_a_link() {
    let service = Service::start();
    let mut payer = Client::new(&service);
    let payment = begun(&service, &mut payer);
    // From a message, on another device: the thing it is about is filled in, and the number is asked for.
    let mut guest = Client::new(&service);
    let begun = guest.get(&format!("/complaints/new?about=payment:{payment}"));
    assert_eq!(
        begun.header("location"),
        format!("/complaints/guest?about=payment:{payment}")
    );
    let code = guest_code(&service, &mut guest, NUMBER, &format!("payment:{payment}")).expect("a code");
    assert!(guest.page.contains(&payment.to_string()));
    let fields = |code: &str, body: &str| {
        format!("number={NUMBER}&about=payment:{payment}&category=not-credited&body={body}&code={code}")
    };
    let wrong = if code == "000000" { "111111" } else { "000000" };
    let refused = guest.post("/complaints/guest", &fields(wrong, "nothing+came"));
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("nothing came"), "what was written stays");
    assert_eq!(
        guest.post("/complaints/guest", &fields(&code, "")).status,
        422,
        "the code is not used up"
    );
    let made = guest.post("/complaints/guest", &fields(&code, "nothing+came"));
    assert_eq!(made.status, 303, "{}", made.body);
    let link = made.header("location").to_owned();
    assert!(link.starts_with("/complaints/C-2026-000001?k="), "{link}");
    assert_eq!(
        guest.post("/complaints/guest", &fields(&code, "again")).status,
        422,
        "once"
    );
    let told = service.eventually(|| {
        let sent = service.codes.0.lock().unwrap();
        sent.iter()
            .map(|(_, text)| text.clone())
            .find(|text| text.contains("/complaints/"))
    });
    assert!(told.contains(&link), "the link is sent to the number: {told}");

    // Any device that has the link sees it and answers; without the link nobody does.
    let mut other = Client::new(&service);
    let page = other.get(&link).body;
    assert!(
        page.contains("nothing came") && page.contains("You hear from us by"),
        "{page}"
    );
    let body = r#"{"by":"Sana","answer":"Which bank?","state":"waiting-for-you"}"#;
    assert_eq!(
        service
            .api(&service.admin, "POST", "/v1/complaints/C-2026-000001", body)
            .status,
        200
    );
    assert!(other.get(&link).body.contains("Which bank?"));
    assert_eq!(other.post(&link, "what=reply&body=Mine").status, 303);
    let page = other.get(&link).body;
    assert!(page.contains("Mine") && page.contains("We are at it"), "{page}");
    let bare = "/complaints/C-2026-000001";
    for path in [
        bare.to_owned(),
        format!("{bare}?k=AAAAAAAAAAAAAAAAAAAAAA"),
        format!("{bare}?k=%3Cscript%3E"),
    ] {
        assert_eq!(guest.get(&path).status, 404, "{path}");
        other.get(&link);
        assert_eq!(other.post(&path, "what=settle").status, 404, "{path}");
    }
    let key = link.split("k=").nth(1).unwrap();
    assert_eq!(
        other.get(&format!("/complaints/C-2026-000002?k={key}")).status,
        404,
        "of another one"
    );
    assert_eq!(other.post(&link, "what=settle").status, 303);
    assert!(other.get(&link).body.contains("This complaint is closed"));
}

#[test]
fn complaining_without_an_account_tells_nobody_what_exists() {
    let service = Service::start();
    let pages = |number: &str, about: &str| {
        let mut guest = Client::new(&service);
        let sent = guest_code(&service, &mut guest, number, about);
        let page = guest.page.clone();
        let fields = format!("number={number}&about={about}&category=other&body=x&code=000001");
        let wrong = guest.post("/complaints/guest", &fields);
        let neutral = |text: &str| {
            let form = guest.form_token();
            let first = text
                .split("name=\"form\" value=\"")
                .nth(1)
                .map_or("", |rest| &rest[..22]);
            text.replace(&form, "").replace(first, "")
        };
        (sent.is_some(), neutral(&page), wrong.status, neutral(&wrong.body))
    };
    let ours = pages(NUMBER, "");
    let nobodys = pages("923009999999", "");
    assert!(ours.0 && !nobodys.0, "only ours gets a code");
    let number = |page: &str| {
        page.replace("0300 1234567", "N")
            .replace("0300 9999999", "N")
            .replace("923009999999", "N")
            .replace(NUMBER, "N")
    };
    assert_eq!(number(&ours.1), number(&nobodys.1));
    assert_eq!((ours.2, number(&ours.3)), (nobodys.2, number(&nobodys.3)));
    // A payment that is there and one that is not look the same, and nonsense is dropped.
    let mut payer = Client::new(&service);
    let there = format!("payment:{}", begun(&service, &mut payer));
    let mut guest = Client::new(&service);
    let status = |guest: &mut Client, about: &str| {
        let answer = guest.get(&format!("/complaints/new?about={about}"));
        (answer.status, answer.header("location").replace(about, "A"))
    };
    let first = status(&mut guest, &there);
    let last = there.chars().next_back().unwrap();
    let gone = format!(
        "{}{}",
        &there[..there.len() - 1],
        if last == '0' { '1' } else { '0' }
    );
    assert_eq!(first, status(&mut guest, &gone));
    let page = guest.get("/complaints/guest?about=payment:%3Cb%3E").body;
    assert!(!page.contains("&lt;b&gt;") && !page.contains("<b>"));
    // Codes of a sign-in are no codes of a complaint, and guessing ends.
    guest.get("/sign-in");
    let sign_in = guest.code(NUMBER);
    let fields = format!("number={NUMBER}&category=other&body=x&code={sign_in}");
    guest.get("/complaints/guest");
    assert_eq!(guest.post("/complaints/guest", &fields).status, 422);
    let guesses: Vec<u16> = (0..30)
        .map(|n| {
            guest
                .post(
                    "/complaints/guest",
                    &format!("number={NUMBER}&category=other&body=x&code=1{n:05}"),
                )
                .status
        })
        .collect();
    assert_eq!((guesses[0], guesses[29]), (422, 429), "{guesses:?}");
}
