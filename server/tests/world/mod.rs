//! Everything around the server, a message centre, a mail server and a push service, and people with a phone and a browser.
#![allow(dead_code, reason = "each test program uses its part of it")]

use crate::harness::{Api, PATIENCE, Place, Server, runtime};
use serde_json::json;
use sim::post::push::{BrowserSubscription, PushService};
use sim::post::smtp::MailServer;
use sim::smsc::Smsc;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wire::smpp::CentreConfig;

/// Everything around the server.
pub struct World {
    pub runtime: tokio::runtime::Runtime,
    pub smsc: Smsc,
    pub mail: MailServer,
    pub push: PushService,
    pub place: Place,
}

impl World {
    pub fn new(quiet: (&str, &str)) -> World {
        World::logged(quiet, "warn", "")
    }

    /// With another level of the log, and more lines of the configuration.
    pub fn logged((quiet_from, quiet_to): (&str, &str), log: &str, extra: &str) -> World {
        let runtime = runtime();
        let any = "127.0.0.1:0".parse().unwrap();
        let (smsc, mail, push) = runtime.block_on(async {
            (
                Smsc::start(any, CentreConfig::default()).await.unwrap(),
                MailServer::start(any).await.unwrap(),
                PushService::start(any).await.unwrap(),
            )
        });
        let place = Place::new("");
        let text = format!(
            "data = 'data'\nlog = '{log}'\n\
             [http]\nlisten = ['127.0.0.1:0']\npublic_url = 'https://raseed.example'\n\
             [diameter]\nlisten = ['127.0.0.1:0']\n\
             [sms.default]\naddress = '{}'\npassword = 'secret'\nsender = '8558'\noutbox_interval_ms = 50\nretry_after_ms = 200\n\
             [mail]\nserver = '{}'\ntls = 'none'\nfrom = 'Raseed <receipts@raseed.example>'\nper_second = 0\nfirst_wait_ms = 50\n\
             [push]\nallow_loopback = true\nfirst_wait_ms = 50\n\
             [offers]\nquiet_from = '{quiet_from}'\nquiet_to = '{quiet_to}'\n{extra}",
            smsc.address(),
            mail.address(),
        );
        std::fs::write(place.config(), text).unwrap();
        World {
            runtime,
            smsc,
            mail,
            push,
            place,
        }
    }

    pub fn texts(&self, number: &str) -> Vec<String> {
        let messages = self.smsc.inbox().messages(number);
        messages.into_iter().map(|message| message.text).collect()
    }
}

#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// Somebody with a phone and a browser.
pub struct Person<'a> {
    world: &'a World,
    agent: ureq::Agent,
    pub url: String,
    pub cookies: BTreeMap<String, String>,
    page: String,
}

impl<'a> Person<'a> {
    /// A browser in which nobody is signed in.
    pub fn nobody(world: &'a World, server: &Server) -> Person<'a> {
        let config = ureq::Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .build();
        Person {
            world,
            agent: config.into(),
            url: server.url.clone(),
            cookies: BTreeMap::new(),
            page: String::new(),
        }
    }

    /// Opens an account at the operator and here.
    pub fn sign_up(world: &'a World, server: &Server, api: &Api, number: &'static str) -> Person<'a> {
        let subscriber = json!({"operator": "jazz", "msisdn": number, "language": "en"});
        api.done("/v1/subscribers", number, &subscriber);
        let mut person = Person::nobody(world, server);
        person.get("/sign-in");
        let before = world.texts(number).len();
        assert_eq!(person.post("/code", &[("number", number)]).0, 200);
        let text = wait_for("the code", || world.texts(number).get(before).cloned());
        let code: String = text.chars().filter(char::is_ascii_digit).take(6).collect();
        assert_eq!(
            person.post("/session", &[("number", number), ("code", &code)]).0,
            303
        );
        person.get("/profile");
        person
    }

    pub fn keep(&mut self, mut answer: ureq::http::Response<ureq::Body>) -> (u16, String) {
        for value in answer.headers().get_all("set-cookie") {
            let pair = value.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let body = answer.body_mut().read_to_string().unwrap();
        if body.contains("name=\"form\" value=\"") {
            self.page.clone_from(&body);
        }
        (answer.status().as_u16(), body)
    }

    pub fn jar(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    pub fn get(&mut self, path: &str) -> String {
        let call = self
            .agent
            .get(format!("{}{path}", self.url))
            .header("accept", "text/html")
            .header("cookie", self.jar());
        let answer = call.call().unwrap();
        self.keep(answer).1
    }

    pub fn token(&self) -> String {
        let rest = self.page.split("name=\"form\" value=\"").nth(1).expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }

    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let token = self.token();
        let mut fields = fields.to_vec();
        fields.push(("form", &token));
        let call = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("accept", "text/html")
            .header("cookie", self.jar());
        let answer = call.send_form(fields).unwrap();
        self.keep(answer)
    }

    /// As [`Person::post`], from a server that may die: none when no answer came.
    pub fn try_post(&mut self, path: &str, fields: &[(&str, &str)]) -> Option<u16> {
        let token = self.token();
        let mut fields = fields.to_vec();
        fields.push(("form", &token));
        let call = self.agent.post(format!("{}{path}", self.url));
        let call = call.header("accept", "text/html").header("cookie", self.jar());
        call.send_form(fields).ok().map(|answer| self.keep(answer).0)
    }

    /// Says something as a script of the page does, with the token of the last page.
    pub fn say(&mut self, path: &str, mut body: serde_json::Value) -> (u16, serde_json::Value) {
        body["form"] = self.token().into();
        let call = self.agent.post(format!("{}{path}", self.url));
        let answer = call.header("cookie", self.jar()).send_json(body).unwrap();
        let (status, text) = self.keep(answer);
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    /// Proves an address with the code that comes there.
    pub fn prove(&mut self, address: &str) {
        self.get("/profile");
        let before = self.world.mail.mails().len();
        assert_eq!(self.post("/profile/email", &[("email", address)]).0, 200);
        let mail = wait_for("the code by e-mail", || {
            self.world.mail.mails().get(before).cloned()
        });
        assert_eq!(mail.to, address);
        let code = mail
            .text()
            .split(|c: char| !c.is_ascii_digit())
            .find(|word| word.len() == 6)
            .unwrap()
            .to_owned();
        let wrong = if code == "000000" { "111111" } else { "000000" };
        assert_eq!(self.post("/profile/email/prove", &[("code", wrong)]).0, 422);
        assert_eq!(self.post("/profile/email/prove", &[("code", &code)]).0, 303);
        // The address is told that it was added.
        wait_for("the notice of a new address", || {
            let mails = self.world.mail.mails();
            (mails[before + 1..].iter().any(|mail| mail.to == address)).then_some(())
        });
        assert!(self.get("/profile").contains(address));
    }

    /// Turns push messages on in a browser.
    pub fn subscribe(&mut self) -> BrowserSubscription {
        let page = self.get("/profile");
        let key = page.split("data-push-key=\"").nth(1).unwrap();
        let key = key.split('"').next().unwrap();
        let browser = self.world.push.subscribe(key).unwrap();
        let answer = self.say_push(&browser.endpoint, &browser);
        assert_eq!(answer, 200);
        browser
    }

    pub fn say_push(&self, endpoint: &str, browser: &BrowserSubscription) -> u16 {
        let said = json!({
            "form": self.token(), "endpoint": endpoint, "p256dh": browser.p256dh, "auth": browser.auth,
        });
        let call = self
            .agent
            .post(format!("{}/profile/push", self.url))
            .header("cookie", self.jar());
        call.send_json(said).unwrap().status().as_u16()
    }

    /// Ticks these and nothing else.
    pub fn agree(&mut self, ticks: &[&str]) {
        self.get("/privacy");
        let ticks: Vec<(&str, &str)> = ticks.iter().map(|tick| (*tick, "1")).collect();
        assert_eq!(self.post("/privacy/consents", &ticks).0, 303);
    }

    pub fn agrees(&mut self, tick: &str) -> bool {
        let page = self.get("/privacy");
        let rest = page.split(&format!("name=\"{tick}\"")).nth(1).unwrap();
        rest.split('>').next().unwrap().contains("checked")
    }
}

pub fn api_of(server: &Server, key: &str) -> Api {
    Api::new(&server.url, key)
}
