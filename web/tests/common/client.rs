//! A browser without a screen: keeps cookies, follows nothing by itself.

use super::{Answer, NUMBER, Service};

pub struct Client<'a> {
    pub service: &'a Service,
    pub cookies: Vec<(String, String)>,
    pub page: String,
    /// What it says about itself.
    pub agent: String,
    /// What the proxy says where it comes from.
    pub from: String,
}

impl<'a> Client<'a> {
    pub fn new(service: &'a Service) -> Client<'a> {
        let mut client = Client {
            service,
            cookies: Vec::new(),
            page: String::new(),
            agent: "Mozilla/5.0 (Linux; Android 14) Chrome/130.0 Safari/537.36".to_owned(),
            from: "192.0.2.1".to_owned(),
        };
        client.get("/sign-in");
        client
    }

    pub fn send(&mut self, method: &str, path: &str, extra: &[(&str, &str)], body: &str) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let (cookies, agent, from) = (cookies.join("; "), self.agent.clone(), self.from.clone());
        let mut headers = vec![
            ("cookie", cookies.as_str()),
            ("accept", "text/html"),
            ("user-agent", agent.as_str()),
            ("x-forwarded-for", from.as_str()),
        ];
        if !body.is_empty() && !extra.iter().any(|(name, _)| *name == "content-type") {
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
        if answer.body.contains("name=\"form\" value=\"") {
            self.page.clone_from(&answer.body);
        }
        answer
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    pub fn form_token(&self) -> String {
        let rest = self.page.split("name=\"form\" value=\"").nth(1).expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }

    /// Posts fields with the token of the last page.
    pub fn post(&mut self, path: &str, fields: &str) -> Answer {
        let body = format!("{fields}&form={}", self.form_token());
        self.send("POST", path, &[], &body)
    }

    /// Asks for a code and gives it.
    pub fn code(&mut self, number: &str) -> String {
        let before = self.service.codes.count();
        let answer = self.post("/code", &format!("number={number}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.service
            .eventually(|| (self.service.codes.count() > before).then_some(()));
        self.service.codes.last(number).unwrap()
    }

    /// Signs in with a code; gives the answer of the last step.
    pub fn enter(&mut self, number: &str) -> Answer {
        self.get("/sign-in");
        let code = self.code(number);
        let answer = self.post("/session", &format!("number={number}&code={code}"));
        assert_eq!(answer.status, 303, "{}", answer.body);
        if answer.header("location") == "/me" {
            self.get("/security");
        }
        answer
    }

    pub fn signed_in(service: &'a Service) -> Client<'a> {
        let mut client = Client::new(service);
        client.enter(NUMBER);
        client
    }

    pub fn is_signed_in(&mut self) -> bool {
        self.get("/security").status == 200
    }

    /// The first value of a hidden field after a mark on the page.
    pub fn field_after(&self, mark: &str, name: &str) -> String {
        let rest = self
            .page
            .split(mark)
            .nth(1)
            .unwrap_or_else(|| panic!("no {mark}"));
        let rest = rest
            .split(&format!("name=\"{name}\" value=\""))
            .nth(1)
            .expect("the field");
        rest.split('"').next().unwrap().to_owned()
    }
}
