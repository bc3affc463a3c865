//! Somebody of staff, signed in.

use super::Service;
use super::client::Client;
use charge::Timestamp;
use people::totp;
use serde_json::json;
use std::time::Duration;

pub const PASSWORD: &str = "correct horse battery";

/// Somebody of staff with an authenticator app.
pub struct Staff<'a> {
    pub client: Client<'a>,
    pub name: String,
    pub totp: String,
}

impl<'a> Staff<'a> {
    /// Added with the administrator's key, set up, and signed in.
    pub fn new(service: &'a Service, name: &str, role: &str) -> Staff<'a> {
        let mut staff = Staff::ready(service, name, role);
        assert_eq!(staff.sign_in(), 303);
        staff
    }

    /// Added and set up.
    pub fn ready(service: &'a Service, name: &str, role: &str) -> Staff<'a> {
        let mut client = Client::new(service);
        let link = invite(service, name, role);
        let page = client.get(&link).body;
        let totp = secret_of(&page);
        let code = code(&totp, service.now());
        let done = client.post(
            &link,
            &format!("password={}&code={code}", PASSWORD.replace(' ', "+")),
        );
        assert_eq!(done.status, 303, "{}", done.body);
        assert_eq!(client.get(&link).status, 404, "the link works once");
        Staff {
            client,
            name: name.to_owned(),
            totp,
        }
    }

    /// The status of the answer.
    pub fn sign_in(&mut self) -> u16 {
        self.client.service.pass(Duration::from_secs(60));
        let code = code(&self.totp, self.client.service.now());
        self.try_with(PASSWORD, &code)
    }

    pub fn try_with(&mut self, password: &str, code: &str) -> u16 {
        self.client.get("/staff/sign-in");
        let fields = format!(
            "name={}&password={}&code={code}",
            self.name,
            password.replace(' ', "+")
        );
        let answer = self.client.post("/staff/sign-in", &fields);
        if answer.status == 303 {
            assert_eq!(answer.header("location"), "/staff", "{}", answer.body);
        }
        answer.status
    }

    /// A page that is there.
    #[track_caller]
    pub fn see(&mut self, path: &str) -> String {
        let answer = self.client.get(path);
        assert_eq!(
            answer.status,
            200,
            "{path}: {} {}",
            answer.header("location"),
            answer.body
        );
        answer.body
    }

    /// Posts a form of a page.
    #[track_caller]
    pub fn act(&mut self, path: &str, fields: &str) -> super::Answer {
        self.see(path.split('?').next().unwrap_or(path));
        self.client.post(path, fields)
    }
}

/// The path that sets a new account up.
pub fn invite(service: &Service, name: &str, role: &str) -> String {
    let body = json!({"name": name, "role": role}).to_string();
    let made = service.api(&service.admin, "POST", "/v1/staff", &body);
    assert_eq!(made.status, 201, "{}", made.body);
    let link = made.json()["link"].as_str().unwrap().to_owned();
    format!("/{}", link.splitn(4, '/').nth(3).unwrap())
}

/// The secret that a page shows for an authenticator app.
pub fn secret_of(page: &str) -> String {
    let rest = page
        .split("id=\"totp-key\" dir=\"ltr\"><bdi>")
        .nth(1)
        .expect("a key");
    rest.split('<').next().unwrap().replace(' ', "")
}

pub fn code(totp: &str, now: Timestamp) -> String {
    totp::code_at(totp, now).unwrap()
}
