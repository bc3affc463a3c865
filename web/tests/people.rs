//! The account of a person, and attempts to get at it: each test of an attack tries the attack.

mod common;

use common::client::Client;
use common::{NUMBER, SECOND_NUMBER, Service};
use people::totp::code_at;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

const PASSWORD: &str = "correct horse battery";

/// Sets a password, and signs out.
fn with_password(service: &Service) {
    let mut owner = Client::signed_in(service);
    let answer = owner.post("/security/password", "password=correct+horse+battery");
    assert_eq!(
        answer.header("location"),
        "/security?done=password",
        "{}",
        answer.body
    );
    owner.post("/session/end", "");
}

/// Turns on the second step; gives its key and the recovery codes.
fn with_totp(service: &Service) -> (String, Vec<String>) {
    let mut owner = Client::signed_in(service);
    let page = owner.post("/security/totp/begin", "a=b").body;
    let secret = page
        .split("secret=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap()
        .to_owned();
    let code = code_at(&secret, service.now()).unwrap();
    let wrong = owner.post("/security/totp", "code=000000");
    assert!(wrong.status == 422 || code == "000000");
    let answer = owner.post("/security/totp", &format!("code={code}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let codes = answer.body.split("<li class=\"item\" dir=\"ltr\"><bdi>").skip(1);
    let codes: Vec<String> = codes
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(codes.len(), 10);
    service.pass(Duration::from_secs(30));
    (secret, codes)
}

#[test]
fn a_person_signs_up_and_comes_back_in_every_way() {
    let service = Service::start();
    let mut client = Client::new(&service);
    assert!(client.get("/sign-up").body.contains("/sign-up/secure"));
    let code = client.code(NUMBER);
    let answer = client.post(
        "/session",
        &format!("number={NUMBER}&code={code}&next=/sign-up/secure"),
    );
    assert_eq!(answer.header("location"), "/sign-up/secure");
    assert_eq!(client.get("/sign-up/secure").status, 200);
    for (weak, name) in [
        ("short", "short"),
        ("Password123!", "common"),
        ("0300+1234567", "number"),
    ] {
        let answer = client.post("/security/password", &format!("password={weak}"));
        assert_eq!(answer.header("location"), format!("/security?wrong={name}"));
    }
    let answer = client.post("/security/password", "password=correct+horse+battery");
    assert_eq!(answer.header("location"), "/security?done=password");
    client.post("/session/end", "");
    assert!(!client.is_signed_in());
    client.get("/sign-in");
    let fields = format!("number={NUMBER}&password=correct+horse+battery&next=/profile");
    assert_eq!(
        client.post("/sign-in/password", &fields).header("location"),
        "/profile"
    );
    assert!(client.get("/profile").body.contains("<bdi>0300 1234567</bdi>"));
    let wrong = Client::new(&service).post(
        "/sign-in/password",
        &format!("number={NUMBER}&password=wrong+horse"),
    );
    assert_eq!(wrong.status, 422);
}

#[test]
fn sign_ins_survive_a_look_from_elsewhere_and_end_everywhere_at_once() {
    let service = Service::start();
    let (mut one, mut two) = (Client::signed_in(&service), Client::signed_in(&service));
    let page = one.get("/security").body;
    assert_eq!(page.matches("class=\"item session\"").count(), 2);
    assert!(
        page.contains("<bdi>Chrome, Android</bdi>") && page.contains("127.0.0.0/24"),
        "{page}"
    );
    let here = "<span class=\"pill good\">";
    let first_is_here = page
        .split("class=\"item session\"")
        .nth(1)
        .unwrap()
        .contains(here);
    let rows: Vec<&str> = page.split("class=\"item session\"").skip(1).collect();
    let other = rows[usize::from(first_is_here)];
    let which = other
        .split("name=\"which\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    one.post("/security/session/end", &format!("which={which}"));
    let (here, there) = (one.is_signed_in(), two.is_signed_in());
    assert_eq!((here, there), (true, false), "ended {which} of {rows:#?}");
    two.enter(NUMBER);
    let mut stranger = Client::new(&service);
    service.subscriber(SECOND_NUMBER);
    stranger.enter(SECOND_NUMBER);
    one.post("/security/sessions/end", "a=b");
    assert!(!one.is_signed_in() && !two.is_signed_in());
    assert!(stranger.is_signed_in(), "others stay");
}

#[test]
fn the_second_step_cannot_be_gone_around_or_replayed() {
    let service = Service::start();
    let (secret, codes) = with_totp(&service);
    let mut client = Client::new(&service);
    assert_eq!(client.enter(NUMBER).header("location"), "/sign-in/second");
    for path in ["/security", "/profile", "/privacy", "/statement"] {
        assert_eq!(
            client.get(path).status,
            303,
            "{path} is closed before the second step"
        );
    }
    client.get("/sign-in/second");
    let half: Vec<_> = client.cookies.clone();
    let code = code_at(&secret, service.now()).unwrap();
    assert_eq!(
        client
            .post("/sign-in/second", &format!("code={code}"))
            .header("location"),
        "/me"
    );
    assert!(client.is_signed_in());
    let mut planted = Client {
        cookies: half,
        ..Client::new(&service)
    };
    assert!(
        !planted.is_signed_in(),
        "the token of the first step is worthless"
    );

    let mut thief = Client::new(&service);
    thief.enter(NUMBER);
    thief.get("/sign-in/second");
    assert_eq!(
        thief.post("/sign-in/second", &format!("code={code}")).status,
        422,
        "replay"
    );
    let answer = thief.post("/sign-in/second", &format!("code={}", codes[0]));
    assert_eq!(answer.header("location"), "/me", "a recovery code");
    let mut again = Client::new(&service);
    again.enter(NUMBER);
    again.get("/sign-in/second");
    assert_eq!(
        again
            .post("/sign-in/second", &format!("code={}", codes[0]))
            .status,
        422,
        "once"
    );
    let statuses: Vec<u16> = (0..12)
        .map(|_| again.post("/sign-in/second", "code=000000").status)
        .collect();
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[test]
fn recovery_waits_and_needs_more_than_knowledge() {
    let service = Service::start();
    with_password(&service);
    let mut owner = Client::signed_in(&service);
    let page = owner.post("/security/totp/begin", "a=b").body;
    let secret = page
        .split("secret=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap()
        .to_owned();
    let code = code_at(&secret, service.now()).unwrap();
    assert_eq!(owner.post("/security/totp", &format!("code={code}")).status, 200);

    let mut knows = Client::new(&service);
    let fields = format!("number={NUMBER}&password=correct+horse+battery");
    assert_eq!(
        knows.post("/sign-in/password", &fields).header("location"),
        "/sign-in/second"
    );
    knows.get("/sign-in/second");
    assert_eq!(
        knows.post("/sign-in/recover", "a=b").status,
        401,
        "a password is not enough to begin"
    );

    let mut lost = Client::new(&service);
    lost.enter(NUMBER);
    lost.get("/sign-in/second");
    assert_eq!(lost.post("/sign-in/recover", "a=b").status, 303);
    service.eventually(|| {
        let sent = service.codes.0.lock().unwrap();
        sent.iter().any(|(_, text)| text.contains("3 days")).then_some(())
    });
    assert!(
        owner.get("/security").body.contains("/security/recovery/cancel"),
        "the owner sees it"
    );
    for _ in 0..6 {
        service.pass(Duration::from_secs(11 * 3600));
        owner.get("/security");
    }
    lost.enter(NUMBER);
    lost.get("/sign-in/second");
    assert_eq!(
        lost.post("/sign-in/recover", "a=b").header("location"),
        "/sign-in/second",
        "not yet"
    );
    service.pass(Duration::from_secs(7 * 3600));
    lost.enter(NUMBER);
    lost.get("/sign-in/second");
    assert_eq!(
        lost.post("/sign-in/recover", "a=b").header("location"),
        "/sign-in"
    );
    assert!(!owner.is_signed_in(), "every sign-in ended");
    assert_eq!(
        lost.enter(NUMBER).header("location"),
        "/me",
        "and the second step is gone"
    );
}

#[test]
fn this_was_not_me_locks_and_tells_support() {
    let service = Service::start();
    with_password(&service);
    let (mut owner, mut other) = (Client::signed_in(&service), Client::signed_in(&service));
    assert!(
        owner
            .get("/not-me?about=Rs+500+at+10:00")
            .body
            .contains("Rs 500 at 10:00")
    );
    let answer = owner.post("/not-me", "about=Rs+500");
    assert_eq!(answer.status, 200);
    assert!(!owner.is_signed_in() && !other.is_signed_in());
    let person = service
        .people
        .owner_of(charge::Msisdn::parse(NUMBER).unwrap())
        .unwrap()
        .unwrap()
        .person;
    let is_locked = || {
        service
            .people
            .person(person)
            .unwrap()
            .unwrap()
            .locked_at
            .is_some()
    };
    assert!(is_locked());
    let notices = service.people.support_notices(10).unwrap();
    assert_eq!(
        (
            notices[0].person,
            notices[0].kind.as_str(),
            notices[0].detail.as_str()
        ),
        (person, "not-me", "Rs 500")
    );
    owner.enter(NUMBER);
    assert!(owner.get("/security").body.contains("/security/unlock"));
    let answer = owner.post("/security/unlock", "a=b");
    assert_eq!(
        answer.header("location"),
        "/sign-in?next=/security",
        "the number alone does not unlock"
    );
    assert!(is_locked());
    owner.get("/sign-in");
    owner.post(
        "/sign-in/password",
        &format!("number={NUMBER}&password=correct+horse+battery"),
    );
    owner.get("/security");
    assert_eq!(
        owner.post("/security/unlock", "a=b").header("location"),
        "/security?done=unlocked"
    );
    assert!(!is_locked());
}

#[test]
fn a_person_has_several_numbers_each_proven() {
    let service = Service::start();
    service.subscriber(SECOND_NUMBER);
    let mut other = Client::new(&service);
    other.enter(SECOND_NUMBER);
    let mut owner = Client::signed_in(&service);
    owner.get("/profile");
    let sent = service.codes.count();
    let page = owner.post("/profile/number", &format!("number={SECOND_NUMBER}"));
    assert_eq!(page.status, 200);
    service.eventually(|| (service.codes.count() > sent).then_some(()));
    let code = service.codes.last(SECOND_NUMBER).unwrap();
    let wrong = if code == "000000" { "111111" } else { "000000" };
    let answer = owner.post(
        "/profile/number/add",
        &format!("number={SECOND_NUMBER}&code={wrong}"),
    );
    assert_eq!(answer.status, 422);
    let answer = owner.post(
        "/profile/number/add",
        &format!("number={SECOND_NUMBER}&code={code}"),
    );
    assert_eq!(answer.header("location"), "/profile?done=1", "{}", answer.body);
    let page = owner.get("/profile").body;
    assert_eq!(page.matches("class=\"item number\"").count(), 2);
    assert!(!other.is_signed_in(), "a number belongs to one person at a time");
    assert_eq!(
        owner
            .post("/profile/number/use", &format!("number={NUMBER}"))
            .status,
        303
    );
    assert_eq!(
        owner.post("/profile/number/use", "number=923009999999").status,
        404,
        "somebody else's"
    );
    assert_eq!(
        owner
            .post("/profile/number/remove", &format!("number={SECOND_NUMBER}"))
            .status,
        303
    );
    assert_eq!(
        owner
            .post("/profile/number/remove", &format!("number={NUMBER}"))
            .status,
        404,
        "the last one stays"
    );
}

#[test]
fn consents_are_off_until_ticked_and_data_can_be_taken_and_deleted() {
    let service = Service::start();
    let mut owner = Client::signed_in(&service);
    let page = owner.get("/privacy").body;
    let offers = page
        .split("offers.sms")
        .nth(1)
        .unwrap()
        .split('>')
        .next()
        .unwrap();
    assert!(!offers.contains("checked"), "{offers}");
    owner.post("/privacy/consents", "offers.sms=1&recharge.sms=1");
    let page = owner.get("/privacy?done=1").body;
    let offers = page
        .split("offers.sms")
        .nth(1)
        .unwrap()
        .split('>')
        .next()
        .unwrap();
    assert!(offers.contains("checked"));
    owner.get("/profile");
    owner.post("/profile", "name=Sana&language=ur");
    let export = owner.post("/privacy/export", "a=b");
    assert!(export.header("content-disposition").starts_with("attachment"));
    let export = export.json();
    assert_eq!(export["tables"]["person"][0]["name"], "Sana");
    assert_eq!(export["tables"]["number"][0]["number"], 923_001_234_567_i64);
    owner.get("/privacy");
    owner.post("/privacy/delete", "a=b");
    assert!(owner.get("/privacy").body.contains("/privacy/keep"));
    owner.post("/privacy/keep", "a=b");
    assert!(owner.get("/privacy").body.contains("/privacy/delete"));
    owner.post("/privacy/delete", "a=b");
    service.pass(Duration::from_secs(14 * 86_400));
    assert_eq!(service.people.sweep(service.now()).unwrap(), 1);
    assert_eq!(
        service
            .people
            .owner_of(charge::Msisdn::parse(NUMBER).unwrap())
            .unwrap(),
        None
    );
    assert!(!owner.is_signed_in());
}

#[test]
fn a_stale_proof_changes_nothing() {
    let service = Service::start();
    let mut owner = Client::signed_in(&service);
    service.pass(Duration::from_secs(16 * 60));
    owner.get("/security");
    let person = service
        .people
        .owner_of(charge::Msisdn::parse(NUMBER).unwrap())
        .unwrap()
        .unwrap()
        .person;
    for (path, back) in [
        ("/security/password", "/security"),
        ("/security/totp/begin", "/security"),
        ("/privacy/export", "/privacy"),
        ("/privacy/delete", "/privacy"),
    ] {
        let answer = owner.post(path, "password=correct+horse+battery");
        assert_eq!(
            answer.header("location"),
            format!("/sign-in?next={back}"),
            "{path}"
        );
    }
    assert_eq!(service.people.password_set_at(person).unwrap(), None);
    assert_eq!(service.people.person(person).unwrap().unwrap().delete_at, None);
}

#[test]
fn csrf_on_every_post_is_refused() {
    let service = Service::start_demo();
    let mut owner = Client::signed_in(&service);
    let routes = include_str!("../src/page/mod.rs");
    let mut posts = Vec::new();
    for line in routes
        .split(".route(")
        .skip(1)
        .filter(|line| line.contains("post("))
    {
        posts.push(line.split('"').nth(1).unwrap().replace(['{', '}'], ""));
    }
    assert!(posts.len() >= 30, "{posts:?}");
    let fields = format!(
        "number={NUMBER}&code=000000&password=correct+horse+battery&which=1&language=en&about=x&offer=daily-extreme\
         &once=0190a0f0-0000-7000-8000-000000000000&amount=100&name=x&email=&offers.sms=1"
    );
    let token = owner.form_token();
    let json = |form: &str| {
        format!(
            r#"{{"form":"{form}","client_data":"","attestation":"","id":"","authenticator_data":"","signature":"","user":""}}"#
        )
    };
    for path in posts {
        let is_json = path.contains("/passkey") && !path.ends_with("/remove");
        let kind = if is_json {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        };
        let body = |form: &str| {
            if is_json {
                json(form)
            } else {
                format!("{fields}&form={form}")
            }
        };
        let stranger = Client::new(&service).form_token();
        for (origin, form) in [
            ("", "AAAAAAAAAAAAAAAAAAAAAA"),
            ("", ""),
            ("", stranger.as_str()),
            ("https://evil.example", token.as_str()),
            ("null", token.as_str()),
        ] {
            let mut headers = vec![("content-type", kind)];
            if !origin.is_empty() {
                headers.push(("origin", origin));
            }
            let answer = owner.send("POST", &path, &headers, &body(form));
            assert!(
                (400..500).contains(&answer.status),
                "{path} from {origin:?} with {form:?}: {}",
                answer.status
            );
        }
    }
    assert!(owner.is_signed_in());
    assert_eq!(service.main_balance(), "0.00");
}

#[test]
fn session_fixation_gains_nothing() {
    let service = Service::start();
    let mut thief = Client::new(&service);
    thief.get("/");
    let mut victim = Client::new(&service);
    victim.cookies = thief.cookies.clone();
    victim.get("/sign-in");
    victim.enter(NUMBER);
    assert!(victim.is_signed_in());
    assert!(!thief.is_signed_in(), "the planted token was not signed in");
    let (name, value) = thief.cookies[0].clone();
    thief.cookies = vec![(name, format!("s.{value}"))];
    assert!(!thief.is_signed_in(), "nor is it when it claims to be");
    let before = victim.cookies.clone();
    victim.enter(NUMBER);
    let mut old = Client {
        cookies: before,
        ..Client::new(&service)
    };
    assert!(!old.is_signed_in(), "signing in again ends the old one");
}

#[test]
fn every_next_stays_here() {
    let service = Service::start();
    with_password(&service);
    let bad = [
        "//evil.example",
        "https://evil.example",
        "%2F%2Fevil.example",
        "/%5Cevil.example",
        "%5C%5Cevil.example",
        "javascript:alert(1)",
        "/%09/evil.example",
        "/%0d%0aSet-Cookie:+a=b",
        "/%2F/evil.example",
        "evil.example",
    ];
    for next in bad {
        let mut client = Client::new(&service);
        let page = client.get(&format!("/sign-in?next={next}")).body;
        assert!(page.contains("name=\"next\" value=\"\""), "{next}");
        let fields = format!("number={NUMBER}&password=correct+horse+battery&next={next}");
        let answer = client.post("/sign-in/password", &fields);
        assert_eq!((answer.status, answer.header("location")), (303, "/me"), "{next}");
        let mut client = Client::new(&service);
        if next == bad[0] || next == bad[3] {
            let code = client.code(NUMBER);
            let answer = client.post("/session", &format!("number={NUMBER}&code={code}&next={next}"));
            assert_eq!(answer.header("location"), "/me", "{next}");
        }
    }
    let (secret, _) = with_totp(&service);
    let mut client = Client::new(&service);
    client.post(
        "/sign-in/password",
        &format!("number={NUMBER}&password=correct+horse+battery&next=//evil.example"),
    );
    client.get("/sign-in/second?next=//evil.example");
    let code = code_at(&secret, service.now()).unwrap();
    let answer = client.post("/sign-in/second", &format!("code={code}&next=//evil.example"));
    assert_eq!(answer.header("location"), "/me");
}

#[test]
fn markup_in_every_field_stays_text() {
    let service = Service::start();
    let mut owner = Client::new(&service);
    owner.agent = "<script>alert(1)</script> Chrome\"><img src=x onerror=alert(1)> Android".to_owned();
    owner.enter(NUMBER);
    let evil = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E%3Cimg+src=x+onerror=alert(1)%3E";
    let mut pages = vec![
        owner.get(&format!("/sign-in?next={evil}")).body,
        owner.get(&format!("/security?done={evil}&wrong={evil}")).body,
        owner.get(&format!("/profile?done={evil}")).body,
        owner.get(&format!("/privacy?done={evil}")).body,
        owner.get(&format!("/not-me?about={evil}")).body,
        owner.get(&format!("/sign-in/second?next={evil}")).body,
    ];
    for (path, fields) in [
        ("/code", format!("number={evil}")),
        (
            "/sign-in/password",
            format!("number={evil}&password={evil}&next={evil}"),
        ),
        ("/profile/email", format!("email={evil}")),
        ("/profile/email/prove", format!("code={evil}")),
        ("/profile", format!("name={evil}&email=&language=en")),
        ("/profile", format!("name=x&email=&language={evil}")),
        ("/profile/number", format!("number={evil}")),
        ("/profile/number/add", format!("number={NUMBER}&code={evil}")),
        ("/security/totp", format!("code={evil}")),
        ("/session", format!("number={NUMBER}&code={evil}&next={evil}")),
    ] {
        owner.get("/profile");
        pages.push(owner.post(path, &fields).body);
    }
    pages.push(owner.get("/profile").body);
    pages.push(owner.get("/security").body);
    owner.get("/not-me");
    pages.push(owner.post("/not-me", &format!("about={evil}")).body);
    for page in pages {
        assert!(
            !page.contains("<script>alert") && !page.contains("<img src=x"),
            "{page}"
        );
    }
}

#[test]
fn guessing_codes_is_stopped_by_number_and_by_address() {
    let service = Service::start();
    let mut refused = 0;
    for _ in 0..4 {
        let mut thief = Client::new(&service);
        let code = thief.code(NUMBER);
        for guess in 0..6 {
            let guess = format!("{:06}", (code.parse::<u32>().unwrap() + 1 + guess) % 1_000_000);
            let answer = thief.post("/session", &format!("number={NUMBER}&code={guess}"));
            refused += u32::from(answer.status == 429);
            assert_ne!(answer.status, 303);
        }
    }
    assert!(refused >= 5, "{refused}");
    service.pass(Duration::from_secs(3600));
    assert_eq!(
        Client::new(&service).enter(NUMBER).status,
        303,
        "the owner comes in again"
    );
}

#[test]
fn passwords_lock_for_a_while_and_never_the_owner() {
    let service = Service::start();
    with_password(&service);
    let attempt = |password: &str| {
        let fields = format!("number={NUMBER}&password={}", password.replace(' ', "+"));
        Client::new(&service).post("/sign-in/password", &fields).status
    };
    for _ in 0..10 {
        assert_eq!(attempt("wrong horse battery"), 422);
    }
    assert_eq!(attempt(PASSWORD), 429, "locked, also for the right one");
    assert_eq!(
        Client::new(&service).enter(NUMBER).status,
        303,
        "a code still opens"
    );
    service.pass(Duration::from_secs(600));
    assert_eq!(attempt(PASSWORD), 303, "and so does the password after a while");
}

#[test]
fn answers_do_not_tell_who_has_an_account() {
    let service = Service::start();
    with_password(&service);
    service.subscriber(SECOND_NUMBER);
    let answered = |number: &str| {
        let mut client = Client::new(&service);
        let fields = format!("number={number}&password=wrong+horse+battery");
        let start = Instant::now();
        let answer = client.post("/sign-in/password", &fields);
        let time = start.elapsed();
        assert_eq!(answer.status, 422);
        let body = answer.body.replace(&client.form_token(), "").replace(number, "");
        (time, body)
    };
    // What else the machine does makes answers slower, never faster: the fastest of many is what they cost.
    let mut fastest = [Duration::MAX; 3];
    let alike = |fastest: &[Duration; 3]| {
        fastest.iter().max() < fastest.iter().min().map(|least| *least * 3).as_ref()
    };
    for round in 0..40 {
        let answers = [NUMBER, SECOND_NUMBER, "923009999999"].map(answered);
        for (fastest, (time, body)) in fastest.iter_mut().zip(&answers) {
            *fastest = (*time).min(*fastest);
            assert_eq!(*body, answers[0].1);
        }
        if round >= 4 && alike(&fastest) {
            break;
        }
        if round % 5 == 4 {
            // So many wrong passwords lock for a while.
            service.pass(Duration::from_secs(600));
        }
    }
    assert!(alike(&fastest), "{fastest:?}");
}

#[test]
fn cookies_and_frames_are_closed() {
    let service = Service::start_https();
    let mut client = Client::new(&service);
    let answer = client.enter(NUMBER);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-raseed=s."), "{cookie}");
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"));
    for path in [
        "/sign-in",
        "/sign-up",
        "/sign-up/secure",
        "/security",
        "/profile",
        "/privacy",
        "/not-me",
    ] {
        let answer = client.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("cache-control"), "no-store");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(
            !answer.body.contains("style=") && !answer.body.contains("onclick"),
            "{path}"
        );
    }
    client.from = "198.51.100.7".to_owned();
    client.enter(NUMBER);
    let page = client.get("/security").body;
    assert!(
        page.contains("198.51.100.0/24") && !page.contains("198.51.100.7"),
        "{page}"
    );
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

static LOG: OnceLock<Log> = OnceLock::new();

#[test]
fn no_secret_is_in_a_log_or_a_table() {
    let log = LOG.get_or_init(Log::default).clone();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        // The client of the test is in the same process, and its log is its own.
        .with_env_filter("trace,ureq=off,ureq_proto=off")
        .with_writer(move || writer.clone());
    subscriber.try_init().unwrap();
    tracing::info!("the log is heard");
    let service = Service::start();
    with_password(&service);
    let (secret, recovery) = with_totp(&service);
    let mut client = Client::new(&service);
    let wrong = format!("number={NUMBER}&password=a+guess+that+is+wrong");
    client.post("/sign-in/password", &wrong);
    client.post(
        "/sign-in/password",
        &format!("number={NUMBER}&password=correct+horse+battery"),
    );
    client.get("/sign-in/second");
    client.post(
        "/sign-in/second",
        &format!("code={}", code_at(&secret, service.now()).unwrap()),
    );
    assert!(client.is_signed_in());
    let mut waiting = Client::new(&service);
    let open_code = waiting.code(NUMBER);
    service.people.close().unwrap();

    let mut secrets = vec![PASSWORD.to_owned(), "a guess that is wrong".to_owned(), secret];
    secrets.extend(recovery.iter().cloned());
    secrets.extend(recovery.iter().map(|code| code.replace('-', "")));
    for browser in [&client, &waiting] {
        secrets.extend(
            browser
                .cookies
                .iter()
                .map(|(_, value)| value.trim_start_matches("s.").to_owned()),
        );
    }
    let raw_tokens: Vec<Vec<u8>> = [&client, &waiting]
        .iter()
        .flat_map(|browser| &browser.cookies)
        .filter_map(|(_, value)| raw(value.trim_start_matches("s.")))
        .collect();
    assert!(raw_tokens.len() >= 2);
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("the log is heard"));
    let mut stored = Vec::new();
    for file in std::fs::read_dir(service.data.path()).unwrap() {
        let path = file.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("people.db")
        {
            stored.extend(std::fs::read(path).unwrap());
        }
    }
    assert!(stored.len() > 10_000);
    let holds = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
        assert!(!holds(&stored, secret.as_bytes()), "{secret} is in the file");
    }
    for token in &raw_tokens {
        assert!(!holds(&stored, token), "a token is in the file");
    }
    assert!(!log.contains(&open_code), "a code is in the log");
    assert!(
        !log.contains(NUMBER) && !log.contains("0300 1234567"),
        "a number is in the log"
    );
    let texts = texts_of(&service.data.path().join("people.db"));
    assert!(texts.iter().any(|text| text.starts_with("$argon2id$")));
    assert!(
        texts.iter().all(|text| *text != open_code),
        "a code is in a table"
    );
}

/// The 32 bytes of a cookie.
fn raw(text: &str) -> Option<Vec<u8>> {
    people::Token::parse(text)?;
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0, 0_u32);
    for character in text.bytes() {
        let value = alphabet.iter().position(|known| *known == character)?;
        held = (held << 6 | u32::try_from(value).ok()?) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 255).ok()?);
        }
    }
    (bytes.len() == 32).then_some(bytes)
}

/// Every text of every table.
fn texts_of(path: &std::path::Path) -> Vec<String> {
    let db = rusqlite::Connection::open(path).unwrap();
    let mut query = db
        .prepare("select name from sqlite_master where type = 'table'")
        .unwrap();
    let tables: Vec<String> = query
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut texts = Vec::new();
    for table in tables {
        let mut query = db.prepare(&format!("select * from {table}")).unwrap();
        let columns = query.column_count();
        let mut rows = query.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                match row.get_ref(column).unwrap() {
                    rusqlite::types::ValueRef::Text(text) => {
                        texts.push(String::from_utf8_lossy(text).into_owned());
                    }
                    rusqlite::types::ValueRef::Integer(number) => texts.push(number.to_string()),
                    _ => {}
                }
            }
        }
    }
    texts
}
