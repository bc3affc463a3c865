//! Guests who pay, and those who try something else: the demo over plain HTTP, without a browser.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

struct Demo {
    process: Child,
    url: String,
}

impl Demo {
    fn start() -> Demo {
        let mut process = Command::new(env!("CARGO_BIN_EXE_raseed"))
            .args(["demo", "--port", "0"])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("raseed starts");
        let mut lines = BufReader::new(process.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let url = lines
            .find_map(|line| line.trim().strip_prefix("Open ").map(|url| url.trim().to_owned()))
            .expect("the demo stays up");
        std::thread::spawn(move || lines.for_each(drop));
        Demo { process, url }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client with a cookie jar of its own, which follows no redirects.
struct Guest {
    agent: ureq::Agent,
    url: String,
    cookies: RefCell<BTreeMap<String, String>>,
}

struct Page {
    status: u16,
    location: String,
    policy: String,
    body: String,
}

impl Guest {
    fn new(demo: &Demo) -> Guest {
        let config = ureq::Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .build();
        Guest {
            agent: config.into(),
            url: demo.url.clone(),
            cookies: RefCell::default(),
        }
    }

    fn jar(&self) -> String {
        let pairs: Vec<String> = self
            .cookies
            .borrow()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    fn get(&self, path: &str) -> Page {
        let call = self.agent.get(format!("{}{path}", self.url));
        self.page(
            call.header("accept", "text/html")
                .header("cookie", self.jar())
                .call(),
        )
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let call = self.agent.post(format!("{}{path}", self.url));
        let call = call.header("accept", "text/html").header("cookie", self.jar());
        self.page(call.send_form(fields.iter().copied()))
    }

    fn page(&self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Page {
        let mut answer = answer.expect("an answer");
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies
                .borrow_mut()
                .insert(name.to_owned(), value.to_owned());
        }
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
                .to_owned()
        };
        Page {
            status: answer.status().as_u16(),
            location: header("location"),
            policy: header("content-security-policy"),
            body: answer.body_mut().read_to_string().unwrap(),
        }
    }

    /// The form of the review page: its token and its ticket.
    fn review(&self, amount: &str) -> (String, String) {
        let review = self.get(&format!("/recharge?number=03001234567&amount={amount}"));
        assert_eq!(review.status, 200);
        (field(&review.body, "form"), field(&review.body, "ticket"))
    }
}

/// The value of the last hidden field of that name.
fn field(html: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let start = html.rfind(&mark).expect("the field is there") + mark.len();
    html[start..].split('"').next().unwrap().to_owned()
}

#[test]
fn who_did_not_begin_a_payment_cannot_touch_it() {
    let demo = Demo::start();
    let guest = Guest::new(&demo);
    let (form, ticket) = guest.review("100");
    let good = [
        ("form", form.as_str()),
        ("ticket", ticket.as_str()),
        ("rail", "jazzcash"),
        ("confirm", "yes"),
    ];

    // Forms from elsewhere: no token, somebody else's token, somebody else's ticket.
    let stranger = Guest::new(&demo);
    let (other_form, _) = stranger.review("100");
    assert_eq!(guest.post("/recharge/pay", &good[1..]).status / 100, 4);
    assert_eq!(stranger.post("/recharge/pay", &good).status, 400);
    let stolen = stranger.post(
        "/recharge/pay",
        &[("form", &other_form), good[1], good[2], good[3]],
    );
    assert_eq!((stolen.status, stolen.location.as_str()), (303, "/recharge"));
    // Not confirmed, or to a rail that is not there.
    assert_eq!(guest.post("/recharge/pay", &good[..3]).status, 422);
    let nowhere = [good[0], good[1], ("rail", "nowhere"), good[3]];
    assert_eq!(guest.post("/recharge/pay", &nowhere).status, 422);

    // Twice is once.
    let ids: Vec<String> = (0..2)
        .map(|_| {
            let away = guest.post("/recharge/pay", &good);
            assert_eq!(away.status, 200);
            assert!(
                away.policy.contains("form-action 'self' http://127.0.0.1:"),
                "{}",
                away.policy
            );
            assert!(!away.policy.contains("unsafe"));
            field(&away.body, "pp_TxnRefNo")
        })
        .collect();
    assert_eq!(ids[0], ids[1]);

    // Whoever has the link sees no number and has no buttons.
    let path = format!("/pay/{}", ids[0]);
    let mine = guest.get(&path);
    assert!(mine.body.contains("0300 1234567") && mine.body.contains("value=\"cancel\""));
    let theirs = stranger.get(&path);
    assert_eq!(theirs.status, 200);
    assert!(
        !theirs.body.contains("1234567") && !theirs.body.contains("value=\"cancel\""),
        "{}",
        theirs.body
    );
    for what in ["cancel", "undo", "claim"] {
        let tried = stranger.post(&path, &[("form", &other_form), ("what", what)]);
        assert_eq!(tried.status, 404, "{what}");
    }
    assert_eq!(
        guest
            .post(&path, &[("form", &form), ("what", "everything")])
            .status,
        422
    );
    assert_eq!(
        guest.post(&path, &[("form", "x"), ("what", "cancel")]).status,
        400
    );
    for nonsense in ["00000000000000000000", "x", "../../etc", "%3Cscript%3E"] {
        assert_eq!(guest.get(&format!("/pay/{nonsense}")).status, 404, "{nonsense}");
    }

    // Callbacks that nobody signed prove nothing.
    for (rail, what) in [
        ("jazzcash", "ipn"),
        ("card", "webhook"),
        ("bank", "credit"),
        ("paypal", "webhook"),
    ] {
        let fields = [
            ("pp_TxnRefNo", ids[0].as_str()),
            ("pp_ResponseCode", "000"),
            ("pp_Amount", "10000"),
        ];
        let told = guest.post(&format!("/rails/{rail}/{what}"), &fields);
        assert_eq!(told.status / 100, 4, "{rail}");
    }
    assert_eq!(guest.get("/rails/nowhere/return").status, 303);
    assert!(guest.get(&path).body.contains("value=\"cancel\""), "still open");
}

#[test]
fn what_is_typed_is_shown_as_text_and_checked() {
    let demo = Demo::start();
    let guest = Guest::new(&demo);
    let script = "%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        format!("/recharge?number={script}"),
        format!("/recharge?number=03001234567&amount={script}"),
        format!("/recharge?number=03001234567&amount=100&campaign={script}"),
        format!("/recharge?number=03001234567&amount=100&offer={script}"),
        format!("/recharge?lost={script}"),
    ] {
        let page = guest.get(&path);
        assert!(page.status < 500, "{path}");
        assert!(!page.body.contains("<script>alert"), "{path}");
    }
    for (amount, status) in [
        ("0", 422),
        ("-5", 422),
        ("1e9", 422),
        ("69.99", 422),
        ("10000.01", 422),
        ("100.001", 422),
        ("۱۰۰", 200),
    ] {
        let path = format!("/recharge?number=03001234567&amount={}", encode(amount));
        assert_eq!(guest.get(&path).status, status, "{amount}");
    }
    // A large amount to a number that is not one's own needs the number twice.
    let (form, ticket) = guest.review("500");
    let mut fields = vec![
        ("form", form.as_str()),
        ("ticket", &ticket),
        ("rail", "jazzcash"),
        ("confirm", "yes"),
    ];
    assert_eq!(guest.post("/recharge/pay", &fields).status, 422);
    fields.push(("again", "03001234568"));
    assert_eq!(guest.post("/recharge/pay", &fields).status, 422);
    fields[4] = ("again", "+92 300 1234567");
    assert_eq!(guest.post("/recharge/pay", &fields).status, 200);
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
