//! A payer without a browser, and JazzCash's sandbox beside the real binary.
#![allow(dead_code, reason = "each test program uses its part of it")]

use crate::harness::{Place, Server, runtime};
use charge::payment::{PaymentId, Statement};
use charge::{Code, Timestamp};
use rails::{Begun, HttpRequest};
use sim::rails::browser::{Browser, form_of};
use sim::rails::jazzcash::{Account, JazzCash};
use sim::rails::{Callback, Served};
use std::sync::Arc;
use std::time::Duration;
use store::reads::PaymentRow;
use store::{SqliteOptions, SqliteStore};

/// The rail whose page the payer visits.
pub const HOSTED: &str = "jazzcash";
/// The rail that asks for the PIN on the payer's phone.
pub const WALLET: &str = "jazzcash-wallet";
/// A wallet that pays, as people write it.
pub const PAYER: &str = "0341 1728699";

/// A sandbox at work on threads of its own: it outlives the servers that it talks to.
pub struct Rail {
    pub sandbox: Arc<JazzCash>,
    pub account: Account,
    served: Served,
    runtime: tokio::runtime::Runtime,
}

impl Rail {
    pub fn start() -> Rail {
        let runtime = runtime();
        let account = Account::default();
        let sandbox = JazzCash::new(account.clone());
        let served = runtime.block_on(sandbox.serve(0)).unwrap();
        Rail {
            sandbox,
            account,
            served,
            runtime,
        }
    }

    /// Both flows of the rail, as `raseed.toml` says it.
    pub fn config(&self) -> String {
        let Account {
            merchant_id,
            password,
            salt,
            mpin,
        } = &self.account;
        let flows = [(HOSTED, "hosted-page"), (WALLET, "wallet")];
        let rails = flows.map(|(code, flow)| {
            format!(
                "[[payments.rail]]\nkind = 'jazzcash'\ncode = '{code}'\nflow = '{flow}'\nhost = '{}'\nmerchant_id = \
                 '{merchant_id}'\npassword = '{password}'\nsalt = '{salt}'\nmpin = '{mpin}'\n",
                self.served.url
            )
        });
        rails.concat()
    }

    /// Its messages go to this server from now on.
    pub fn send_to(&self, server: &Server) {
        self.sandbox
            .desk
            .send_to(&format!("{}/rails/{HOSTED}", server.url));
    }

    /// Lets held messages go.
    pub fn release(&self) {
        let _within = self.runtime.enter();
        self.sandbox.desk.release();
    }

    /// Goes to the rail's page, clicks, and comes back to the shop's door: the request that the payer's browser makes there.
    pub fn visit(&self, away: &Away, click: &str) -> Option<HttpRequest> {
        let begun = Begun::Form {
            url: away.url.clone(),
            fields: away.fields.clone(),
            said: Statement::AwaitingCustomer,
        };
        let shop = away.fields.iter().find(|(name, _)| name == "pp_ReturnURL");
        let browser = Browser::new(&shop?.1).unwrap();
        self.runtime.block_on(browser.visit(&begun, click))
    }
}

/// A form that leads to a rail.
pub struct Away {
    pub url: String,
    pub fields: Vec<(String, String)>,
}

/// What came of pressing "pay".
pub enum Paid {
    /// To the rail's page.
    Away(PaymentId, Away),
    /// To the page of the payment.
    Status(PaymentId),
    /// Something else was shown: status and page.
    Refused(u16, String),
}

/// A guest with cookies, who follows no redirect.
pub struct Guest {
    agent: ureq::Agent,
    pub url: String,
    cookies: Vec<String>,
    pub form: String,
}

/// Status, where to, and the page.
pub struct Page {
    pub status: u16,
    pub location: String,
    pub text: String,
}

impl Page {
    /// Where a page leads that sends its visitor to a rail.
    pub fn away(&self) -> Option<String> {
        let end = self.text.find("\" data-away>")?;
        let start = self.text[..end].rfind("href=\"")? + "href=\"".len();
        Some(sim::rails::page::unescape(&self.text[start..end]))
    }
}

impl Guest {
    pub fn new(url: &str) -> Guest {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        Guest {
            agent,
            url: url.to_owned(),
            cookies: Vec::new(),
            form: String::new(),
        }
    }

    /// Another window of the same browser.
    pub fn same(&self) -> Guest {
        Guest {
            cookies: self.cookies.clone(),
            ..Guest::new(&self.url)
        }
    }

    /// `None`: no answer came.
    pub fn get(&mut self, path: &str) -> Option<Page> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let answer = request.header("cookie", self.cookies.join("; ")).call();
        self.read(answer)
    }

    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Option<Page> {
        let fields: Vec<(String, String)> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let body = sim::rails::browser::form_encode(&fields);
        self.send(path, "application/x-www-form-urlencoded", body.as_bytes())
    }

    fn send(&mut self, path: &str, kind: &str, body: &[u8]) -> Option<Page> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = request
            .header("cookie", self.cookies.join("; "))
            .header("content-type", kind);
        let answer = request.send(body);
        self.read(answer)
    }

    fn read(&mut self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Option<Page> {
        let mut answer = answer.ok()?;
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap_or("").split(';').next().unwrap_or("");
            let name = cookie.split('=').next().unwrap_or("");
            self.cookies.retain(|known| known.split('=').next() != Some(name));
            self.cookies.push(cookie.to_owned());
        }
        let location = answer.headers().get("location");
        Some(Page {
            location: location
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
                .to_owned(),
            status: answer.status().as_u16(),
            text: answer.body_mut().read_to_string().ok()?,
        })
    }

    /// Number, amount, confirmation. `None`: the server did not answer.
    pub fn pay(&mut self, rail: &str, msisdn: &str, amount: &str) -> Option<Paid> {
        self.pay_from(rail, msisdn, amount, PAYER)
    }

    /// The same from a wallet of one's own.
    pub fn pay_from(&mut self, rail: &str, msisdn: &str, amount: &str, wallet: &str) -> Option<Paid> {
        let review = self.get(&format!("/recharge?number={msisdn}&amount={amount}"))?;
        let (Some(form), Some(ticket)) = (hidden(&review.text, "form"), hidden(&review.text, "ticket"))
        else {
            return Some(Paid::Refused(review.status, review.text));
        };
        self.form = form;
        self.confirm(&ticket, rail, msisdn, wallet)
    }

    /// The confirmation alone; the same ticket again is the same payment.
    fn confirm(&mut self, ticket: &str, rail: &str, msisdn: &str, wallet: &str) -> Option<Paid> {
        let form = self.form.clone();
        let fields = [
            ("form", form.as_str()),
            ("ticket", ticket),
            ("rail", rail),
            ("confirm", "yes"),
            ("again", msisdn),
            ("wallet", wallet),
            ("cnic", "345678"),
        ];
        let page = self.post("/recharge/pay", &fields)?;
        if let Some(id) = page.location.strip_prefix("/pay/").and_then(PaymentId::parse) {
            return Some(Paid::Status(id));
        }
        let away = page.text.find("data-submits").and_then(|place| {
            let from = page.text[..place].rfind("<form ")?;
            let (url, fields) = form_of(&self.url, &page.text[from..], "")?;
            let id = fields.iter().find(|(name, _)| name == "pp_TxnRefNo")?;
            Some(Paid::Away(PaymentId::parse(&id.1)?, Away { url, fields }))
        });
        Some(away.unwrap_or(Paid::Refused(page.status, page.text)))
    }

    /// Presses a button of the page of a payment.
    pub fn act(&mut self, id: PaymentId, what: &str) -> Option<Page> {
        let form = self.form.clone();
        self.post(&format!("/pay/{id}"), &[("form", &form), ("what", what)])
    }

    /// Looks at a payment, as its page does every two seconds.
    pub fn look(&mut self, id: PaymentId) -> Option<Page> {
        self.get(&format!("/pay/{id}/state"))
    }

    /// Comes back from a rail.
    pub fn come_back(&mut self, request: &HttpRequest) -> Option<Page> {
        let kind = "application/x-www-form-urlencoded";
        self.send(&request.url, kind, &request.body)
    }

    /// Brings a rail's message, as its servers do.
    pub fn bring(&mut self, rail: &str, message: &Callback) -> Option<Page> {
        let path = format!("/rails/{rail}{}", message.path);
        self.send(&path, "application/json", &message.body)
    }
}

/// The value of a hidden field.
pub fn hidden(page: &str, name: &str) -> Option<String> {
    let input = format!("name=\"{name}\" value=\"");
    let from = page.rfind(&input)? + input.len();
    Some(page[from..].split('"').next()?.to_owned())
}

/// Payments of both rails in the read models of a stopped server, which an audit has brought up to date.
pub fn payments(place: &Place) -> Vec<PaymentRow> {
    let store = SqliteStore::open(&place.data(), SqliteOptions::default()).unwrap();
    let models = store.read_models().unwrap();
    let mut reader = models.reader().unwrap();
    let always = (Timestamp(0), Timestamp(i64::MAX));
    let mut rows = Vec::new();
    for rail in [HOSTED, WALLET] {
        let mut after = None;
        loop {
            let code = Code::new(rail).unwrap();
            let page = reader.payments_of_rail(code, always, after, 500).unwrap();
            after = page.last().map(|row| (row.created_at, row.id));
            let last = page.len() < 500;
            rows.extend(page);
            if last {
                break;
            }
        }
    }
    rows
}

impl Guest {
    /// The token of the first form of a page.
    pub fn form_of(&mut self, path: &str) -> Option<String> {
        hidden(&self.get(path)?.text, "form")
    }

    /// The same browser, and a server that has moved.
    pub fn move_to(&mut self, url: &str) {
        url.clone_into(&mut self.url);
    }
}
