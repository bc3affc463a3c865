//! The page without a browser: cookies, forms, headers, and what it does not tell.

mod common;

use charge::catalog::Called;
use charge::unit::Service as Kind;
use common::{Answer, NUMBER, Service};
use std::time::Duration;

/// A browser without a screen: keeps cookies, follows one redirect at a time.
struct Browser<'a> {
    service: &'a Service,
    cookies: Vec<(String, String)>,
    page: String,
}

impl<'a> Browser<'a> {
    fn new(service: &'a Service) -> Browser<'a> {
        let mut browser = Browser {
            service,
            cookies: Vec::new(),
            page: String::new(),
        };
        browser.get("/");
        browser
    }

    fn send(&mut self, method: &str, path: &str, extra: &[(&str, &str)], body: &str) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("cookie", cookies.as_str()), ("accept", "text/html")];
        if !body.is_empty() {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        headers.extend(extra);
        let answer = self.service.send(method, path, &headers, body);
        for value in answer.headers.get_all("set-cookie") {
            let pair = value.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        if answer.status == 200 {
            self.page.clone_from(&answer.body);
        }
        answer
    }

    fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    fn form_token(&self) -> String {
        let rest = self.page.split("name=\"form\" value=\"").nth(1).expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }

    fn post(&mut self, path: &str, fields: &str) -> Answer {
        let body = format!("{fields}&form={}", self.form_token());
        self.send("POST", path, &[], &body)
    }

    fn code(&self, number: &str) -> String {
        self.service.eventually(|| self.service.codes.last(number))
    }

    fn signed_in(service: &'a Service) -> Browser<'a> {
        let mut browser = Browser::new(service);
        assert_eq!(browser.post("/code", "number=0300+1234567").status, 200);
        let code = browser.code(NUMBER);
        let answer = browser.post("/session", &format!("number=0300+1234567&code={code}"));
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/me"),
            "{}",
            answer.body
        );
        assert_eq!(browser.get("/me").header("location"), "/");
        assert_eq!(browser.get("/").status, 200);
        browser
    }
}

fn sell(service: &Service, reference: &str, amount: &str) {
    let body =
        serde_json::json!({"msisdn": NUMBER, "amount": amount, "external_id": reference, "again": true});
    let answer = service.once(&service.shop, "/v1/topups?wait=10", reference, &body.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
}

#[test]
fn a_code_opens_the_account_once() {
    let service = Service::start();
    sell(&service, "a", "100");
    let mut browser = Browser::signed_in(&service);
    let page = browser.get("/");
    assert!(page.body.contains("<bdi>86.96</bdi>"), "{}", page.body);
    assert!(page.body.contains("<bdi>0300 1234567</bdi>"));
    assert!(page.body.contains("<bdi>1\u{a0}GB</bdi>"));
    let code = browser.code(NUMBER);
    let mut thief = Browser::new(&service);
    let answer = thief.post("/session", &format!("number=03001234567&code={code}"));
    assert_eq!(
        answer.status, 422,
        "a code belongs to the browser that asked for it"
    );
    assert_eq!(thief.get("/statement").header("location"), "/");

    let answer = browser.post("/session/end", "");
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
    assert_eq!(browser.get("/statement").header("location"), "/");
    assert!(!browser.get("/").body.contains("id=\"balance\""));
}

#[test]
fn the_answer_does_not_tell_whose_number_it_is() {
    let service = Service::start();
    let ask = |number: &str| {
        let mut browser = Browser::new(&service);
        let answer = browser.post("/code", &format!("number={number}"));
        let token = browser.form_token();
        let body = answer.body.replace(&token, "").replace(number, "");
        (
            answer.status,
            body.replace("0300 1234567", "").replace("0300 7654321", ""),
        )
    };
    assert_eq!(ask("03001234567"), ask("03007654321"));
    service.eventually(|| service.codes.last(NUMBER));
    assert_eq!(service.codes.last("923007654321"), None);
    let bad = Browser::new(&service).post("/code", "number=hello");
    assert_eq!(bad.status, 422);
    assert!(bad.body.contains("role=\"alert\""));
}

#[test]
fn codes_are_limited_by_tries_time_and_number() {
    let service = Service::start();
    let mut browser = Browser::new(&service);
    browser.post("/code", "number=03001234567");
    let code = browser.code(NUMBER);
    for _ in 0..5 {
        let wrong = if code == "000000" { "111111" } else { "000000" };
        assert_eq!(
            browser
                .post("/session", &format!("number=03001234567&code={wrong}"))
                .status,
            422
        );
    }
    let late = browser.post("/session", &format!("number=03001234567&code={code}"));
    assert_eq!(late.status, 422, "five tries");

    let before = service.codes.count();
    browser.post("/code", "number=03001234567");
    service.eventually(|| (service.codes.count() > before).then_some(()));
    let code = browser.code(NUMBER);
    service.pass(Duration::from_secs(301));
    let late = browser.post("/session", &format!("number=03001234567&code={code}"));
    assert_eq!(late.status, 422, "five minutes");

    let statuses: Vec<u16> = (0..6)
        .map(|_| browser.post("/code", "number=03001234567").status)
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 429).count(),
        2,
        "{statuses:?}"
    );
}

#[test]
fn forms_from_elsewhere_do_nothing() {
    let service = Service::start();
    let mut browser = Browser::signed_in(&service);
    let token = browser.form_token();
    let foreign = [("origin", "https://evil.example")];
    let answer = browser.send("POST", "/session/end", &foreign, &format!("form={token}"));
    assert_eq!(answer.status, 400);
    let answer = browser.send("POST", "/session/end", &[], "form=AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(answer.status, 400);
    assert_eq!(browser.get("/statement").status, 200, "still signed in");
    let own = [("origin", service.url.as_str())];
    let answer = browser.send("POST", "/session/end", &own, &format!("form={token}"));
    assert_eq!(answer.status, 303);
}

#[test]
fn headers_keep_strangers_out() {
    let service = Service::start();
    let answer = service.send("GET", "/", &[], "");
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let page = &answer.body;
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "no requests to strangers"
    );
    assert!(
        !page.contains("style=") && !page.contains("onclick"),
        "nothing inline"
    );
    for (file, kind) in [
        ("app.css", "text/css; charset=utf-8"),
        ("htmx.min.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let answer = service.send("GET", &format!("/static/{file}"), &[], "");
        assert_eq!((answer.status, answer.header("content-type")), (200, kind));
    }
    let lost = service.send("GET", "/nowhere", &[("accept", "text/html")], "");
    assert_eq!(
        (lost.status, lost.header("content-type")),
        (404, "text/html; charset=utf-8")
    );
    assert_eq!(
        service.send("GET", "/demo", &[], "").status,
        404,
        "only in the demonstration"
    );
}

#[test]
fn three_languages_with_their_direction() {
    let service = Service::start();
    let mut browser = Browser::new(&service);
    for (tag, direction, word) in [
        ("ur", "rtl", "موبائل نمبر"),
        ("zh", "ltr", "手机号码"),
        ("en", "ltr", "Mobile number"),
    ] {
        let answer = browser.get(&format!("/?lang={tag}"));
        assert_eq!((answer.status, answer.header("location")), (303, "/"));
        let page = browser.get("/").body;
        assert!(
            page.contains(&format!("<html lang=\"{tag}\" dir=\"{direction}\">")),
            "{page}"
        );
        assert!(page.contains(word));
    }
    let elsewhere = browser.get("//evil.example/?lang=ur");
    assert!(
        !elsewhere.header("location").starts_with("//"),
        "{}",
        elsewhere.header("location")
    );
}

#[test]
fn a_statement_tells_why_and_only_to_its_owner() {
    let service = Service::start();
    sell(&service, "a", "100");
    service.pass(Duration::from_secs(60));
    service.use_service(Kind::Data, Called::Nobody, 40 << 20);
    let mut browser = Browser::signed_in(&service);
    let page = service.eventually(|| {
        let mut browser = Browser {
            service: &service,
            cookies: browser.cookies.clone(),
            page: String::new(),
        };
        let page = browser.get("/statement").body;
        page.contains("/statement/why/use/").then_some(page)
    });
    assert!(page.contains("<bdi>40\u{a0}MB</bdi>"), "{page}");
    let paths: Vec<String> = page
        .split("hx-get=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .filter(|path| path.starts_with("/statement/why/"))
        .collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    let of = |kind: &str| paths.iter().find(|path| path.contains(kind)).unwrap();
    let why = browser.get(of("/line/"));
    assert!(why.body.contains("13.043478"), "{}", why.body);
    let why = browser.get(of("/use/"));
    assert!(
        why.body.contains("<bdi>80</bdi> × ") && why.body.contains("Nothing was taken"),
        "{}",
        why.body
    );
    let stranger = service.send("GET", &paths[0], &[], "");
    assert_eq!(stranger.status, 401);
    for path in [
        "/statement/why/line/E9-9-9",
        "/statement/why/use/zz",
        "/statement/why/other/1",
    ] {
        assert_eq!(browser.get(path).status, 404, "{path}");
    }
}

#[test]
fn a_bundle_is_bought_with_two_presses_once() {
    let service = Service::start();
    sell(&service, "a", "500");
    let mut browser = Browser::signed_in(&service);
    let page = browser.get("/bundles").body;
    let form = page
        .split("action=\"/bundles/buy\"")
        .skip(1)
        .find(|form| form.contains("class=\"primary wide\""))
        .unwrap();
    let field = |name: &str| {
        let rest = form.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let fields = format!("offer={}&once={}", field("offer"), field("once"));
    for _ in 0..2 {
        let answer = browser.post("/bundles/buy", &fields);
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/bundles?notice=bought")
        );
    }
    let after = browser.get("/bundles?notice=bought").body;
    assert!(after.contains("banner good"));
    let lines = service.eventually(|| {
        let path = format!("/v1/subscribers/{NUMBER}/statement");
        let page = service.api(&service.admin, "GET", &path, "").json();
        let lines = page["lines"].as_array().unwrap().clone();
        (lines.len() >= 2).then_some(lines)
    });
    assert_eq!(lines.iter().filter(|line| line["kind"] == "bundle").count(), 1);
    let answer = browser.post(
        "/bundles/buy",
        "offer=nothing&once=0190a0f0-0000-7000-8000-000000000000",
    );
    assert_eq!(answer.header("location"), "/bundles?problem=1003001");
    assert!(
        browser
            .get("/bundles?problem=1003001")
            .body
            .contains("banner bad")
    );
}

#[test]
fn the_demonstration_shows_its_own_numbers_only() {
    let service = Service::start_demo();
    let mut browser = Browser::new(&service);
    assert_eq!(browser.get("/demo").status, 200);
    assert_eq!(browser.get("/demo?number=923009999999").status, 404);
    assert_eq!(browser.get("/demo/inbox?number=923009999999").status, 404);
    let page = browser.get("/demo").body;
    let once = page
        .split("name=\"once\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let fields = format!("number={NUMBER}&amount=100&once={once}");
    let mut place = String::new();
    for _ in 0..2 {
        let answer = browser.post("/demo/recharge", &fields);
        assert_eq!(answer.status, 303, "{}", answer.body);
        place = answer.header("location").to_owned();
    }
    let receipt = browser.get(&place).body;
    assert!(receipt.contains("<bdi>Rs\u{a0}86.96</bdi>"), "{receipt}");
    assert_eq!(service.main_balance(), "86.956522");
    browser.post("/code", &format!("number={NUMBER}"));
    let code = browser.code(NUMBER);
    assert!(browser.get("/demo/inbox").body.contains(&code));
}

#[test]
fn a_statement_is_filtered_and_comes_as_a_file() {
    let service = Service::start();
    sell(&service, "a", "100");
    service.pass(Duration::from_secs(60));
    service.use_service(Kind::Data, Called::Nobody, 40 << 20);
    let mut browser = Browser::signed_in(&service);
    service.eventually(|| {
        let cookies = browser.cookies.clone();
        let page = String::new();
        let mut other = Browser {
            service: &service,
            cookies,
            page,
        };
        other
            .get("/statement")
            .body
            .contains("/statement/why/use/")
            .then_some(())
    });
    for (query, data, recharge) in [
        ("", true, true),
        ("?kind=data", true, false),
        ("?kind=in", false, true),
        ("?kind=voice", false, false),
        ("?month=2026-11", true, true),
        ("?month=2026-10", false, false),
        ("?kind=nonsense&month=9999-99&before=zz", true, true),
    ] {
        let page = browser.get(&format!("/statement{query}")).body;
        assert_eq!(page.contains("data-kind=\"data\""), data, "{query}");
        assert_eq!(page.contains("data-kind=\"recharge\""), recharge, "{query}");
    }
    let file = browser.get("/statement.csv?kind=in&month=2026-11");
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert!(
        file.header("content-disposition")
            .contains("raseed-statement-2026-11.csv")
    );
    let lines: Vec<&str> = file.body.trim_end().split("\r\n").collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[1].contains(
            "\"recharge\",\"Recharge\",\"\",\"\",\"86.956522\",\"13.043478\",\"86.956522\",\"PKR\""
        ),
        "{}",
        lines[1]
    );
    assert_eq!(service.send("GET", "/statement.csv", &[], "").status, 401);
    assert_eq!(
        service
            .send("GET", "/statement/more?before=0.0.0", &[], "")
            .status,
        401
    );
}

#[test]
fn a_budget_tells_at_its_marks() {
    let service = Service::with_story();
    let mut browser = Browser::signed_in(&service);
    assert!(
        browser.get("/budget").body.contains("Rs\u{a0}25.40"),
        "spent so far"
    );
    for (target, told) in [
        ("1000", ""),
        ("40", "Half of your target"),
        ("30", "80 % of your target"),
        ("25", "is reached"),
    ] {
        browser.get("/budget");
        let answer = browser.post("/budget", &format!("target={target}"));
        assert_eq!((answer.status, answer.header("location")), (303, "/budget"));
        for page in ["/", "/budget"] {
            let body = browser.get(page).body;
            assert!(body.contains(told), "{target} on {page}");
            assert_eq!(
                body.contains("of your target") || body.contains("is reached"),
                !told.is_empty()
            );
        }
    }
    browser.get("/budget");
    assert_eq!(
        browser.post("/budget", "target=much").header("location"),
        "/budget?error=1"
    );
    assert!(browser.get("/budget?error=1").body.contains("aria-invalid"));
    browser.get("/budget");
    browser.post("/budget", "target=");
    assert!(!browser.get("/").body.contains("is reached"));
}

#[test]
fn every_open_place_is_there() {
    let service = Service::start();
    let mut guest = Browser::new(&service);
    let mut member = Browser::signed_in(&service);
    for place in web::page::places::PLACES.iter().filter(|place| place.open) {
        let answer = member.get(place.path);
        let is_guests = place.who == web::page::places::Who::Guest;
        assert!(
            answer.status == 200 || (is_guests && answer.status == 303),
            "{} {}",
            place.path,
            answer.status
        );
        let answer = guest.get(place.path);
        let expected = if place.who == web::page::places::Who::Member {
            303
        } else {
            200
        };
        assert_eq!(answer.status, expected, "{} for a guest", place.path);
    }
}

#[test]
fn pages_are_compressed_and_files_kept_for_ever() {
    let service = Service::start();
    let page = service.send(
        "GET",
        "/",
        &[("accept-encoding", "gzip"), ("accept", "text/html")],
        "",
    );
    assert_eq!(
        page.header("raseed-offline"),
        "forget",
        "nothing of a guest is kept"
    );
    let page = service.send("GET", "/", &[("accept", "text/html")], "").body;
    for file in ["app.css", "app.js", "htmx.min.js", "icons.svg"] {
        let start = page.find(&format!("/static/{file}?v=")).unwrap();
        let address: String = page[start..]
            .chars()
            .take_while(|c| !"\"#".contains(*c))
            .collect();
        let answer = service.send("GET", &address, &[], "");
        assert!(answer.header("cache-control").contains("immutable"), "{address}");
        let other = service.send("GET", &format!("/static/{file}?v=0"), &[], "");
        assert!(!other.header("cache-control").contains("immutable"));
    }
    let worker = service.send("GET", "/sw.js", &[], "");
    assert_eq!((worker.status, worker.header("cache-control")), (200, "no-cache"));
    for tag in ["en", "ur", "zh"] {
        let manifest = service.send("GET", &format!("/static/manifest-{tag}.webmanifest"), &[], "");
        assert_eq!(manifest.json()["lang"], tag);
        for icon in manifest.json()["icons"].as_array().unwrap() {
            let icon = service.send("HEAD", icon["src"].as_str().unwrap(), &[], "");
            assert_eq!(icon.status, 200);
        }
    }
}
