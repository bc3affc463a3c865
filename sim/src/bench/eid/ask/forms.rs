//! Channels that are pages: what a browser reads before the button is pressed, and what the button sends, again and again
//! when no answer comes.

use super::{Asker, Said, chosen, client, national, reference};
use crate::bench::eid::{AMOUNT, Channel, Intent};
use crate::rails::browser::form_encode;
use parking_lot::Mutex;
use reqwest::{Client, RequestBuilder};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Scratch cards that are typed at one address: the website lets ten a minute through.
const CARDS_A_HOME: usize = 2;

/// What browsers remember.
#[derive(Default)]
pub(super) struct Pages {
    /// By intent.
    forms: Mutex<HashMap<u64, Kept<Form>>>,
    /// By counter.
    signed_in: Mutex<HashMap<usize, Kept<SignIn>>>,
    homes: Mutex<HashMap<usize, Client>>,
}

type Kept<T> = Arc<OnceCell<Arc<T>>>;

/// What the button of a page sends: the same bytes whenever it is pressed.
#[derive(Debug)]
pub struct Form {
    /// Where to.
    pub path: &'static str,
    /// The browser's cookies.
    pub cookies: String,
    /// Its fields, encoded.
    pub fields: String,
}

/// Somebody at a counter.
#[derive(Debug)]
pub struct SignIn {
    /// Of the browser at the counter.
    pub cookies: String,
    /// What its forms carry, so that no other site can send them.
    pub token: String,
}

/// An answer that was read to its end.
struct Page {
    status: u16,
    location: String,
    cookies: BTreeMap<String, String>,
    text: String,
}

impl Asker {
    /// The form behind the button of this intent; read once.
    ///
    /// # Errors
    /// The page did not come, or the channel has none.
    pub async fn form(&self, intent: Intent) -> Result<Arc<Form>, String> {
        let client = self.browser(intent, 0)?;
        let kept = Arc::clone(self.pages.forms.lock().entry(intent.index).or_default());
        let form = kept.get_or_try_init(|| async {
            let form = match intent.channel {
                Channel::Guest => self.review(&client, intent).await,
                Channel::CardPage => self.card_form(&client, intent).await,
                Channel::Till => self.sale_form(&client, intent).await,
                other => Err(format!("{other:?} has no pages")),
            };
            form.map(Arc::new)
        });
        form.await.map(Arc::clone)
    }

    /// Who stands at the counter that an intent is sold at; signs in once.
    ///
    /// # Errors
    /// The sign-in failed.
    pub async fn counter(&self, intent: Intent) -> Result<Arc<SignIn>, String> {
        let client = self.browser(intent, 0)?;
        let place = intent.nth % self.target.counters.len().max(1);
        let kept = Arc::clone(self.pages.signed_in.lock().entry(place).or_default());
        let signed_in = kept.get_or_try_init(|| async { self.sign_in(&client, intent).await.map(Arc::new) });
        signed_in.await.map(Arc::clone)
    }

    /// Presses the button.
    pub(super) async fn page(&self, intent: Intent, copy: usize) -> Result<Said, String> {
        let form = self.form(intent).await?;
        let client = self.browser(intent, copy)?;
        let page = self.post_form(&client, &form).await?;
        let good = match intent.channel {
            Channel::Guest => page.location.starts_with("/pay/"),
            Channel::CardPage => page.status == 200 && page.text.contains("id=\"done\""),
            // One in doubt: its page says what became of it.
            _ if page.location.starts_with("/pos/sale/") && page.location.contains("asked=") => {
                let url = format!("{}{}", self.target.url, page.location);
                let slip = read(client.get(url).header("cookie", &form.cookies)).await?;
                if !slip.text.contains("id=\"state\">Done<") {
                    return Ok(Said::NotNow(format!("{}: not done yet", slip.status)));
                }
                true
            }
            // The sale is made; its slip comes with the read models.
            _ => page.location.starts_with("/pos/sale/"),
        };
        let why = || format!("{} {} {}", page.status, page.location, told(&page.text));
        Ok(match page.status {
            _ if good => Said::Done,
            409 | 429 | 500..=599 => Said::NotNow(why()),
            // A guest whose payment is under way is shown the price again.
            _ if intent.channel == Channel::Guest => Said::NotNow(why()),
            _ => Said::No(why()),
        })
    }

    /// Guests and tills share addresses; who has a scratch card is at home.
    fn browser(&self, intent: Intent, copy: usize) -> Result<Client, String> {
        if intent.channel != Channel::CardPage {
            return Ok(self.clients[(intent.nth + copy) % self.clients.len()].clone());
        }
        let home = intent.nth / CARDS_A_HOME;
        if let Some(known) = self.pages.homes.lock().get(&home) {
            return Ok(known.clone());
        }
        // 127.0.2.0 and onwards: nobody else calls from there.
        let [_, _, third, last] = (u32::try_from(home % 60_000).unwrap_or(0) + 0x200).to_be_bytes();
        let made = client([third, last]).map_err(|error| error.to_string())?;
        Ok(self.pages.homes.lock().entry(home).or_insert(made).clone())
    }

    async fn get_page(&self, client: &Client, path: &str) -> Result<Page, String> {
        read(client.get(format!("{}{path}", self.target.url))).await
    }

    async fn post_form(&self, client: &Client, form: &Form) -> Result<Page, String> {
        let request = client
            .post(format!("{}{}", self.target.url, form.path))
            .header("cookie", &form.cookies)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.fields.clone());
        read(request).await
    }

    /// A guest reads the price.
    async fn review(&self, client: &Client, intent: Intent) -> Result<Form, String> {
        let path = format!("/recharge?number={}&amount={AMOUNT}", intent.msisdn);
        let page = self.get_page(client, &path).await?;
        let fields = [
            ("form", page.hidden("form")?),
            ("ticket", page.hidden("ticket")?),
            ("rail", &self.target.rail),
            ("confirm", "yes"),
            ("wallet", "03411728699"),
            ("cnic", "345678"),
        ];
        Ok(Form {
            path: "/recharge/pay",
            cookies: joined(&page.cookies),
            fields: encoded(&fields),
        })
    }

    /// Somebody with a scratch card in the hand.
    async fn card_form(&self, client: &Client, intent: Intent) -> Result<Form, String> {
        let page = self.get_page(client, "/recharge/card").await?;
        let number = format!("0{}", national(intent.msisdn));
        let fields = [
            ("form", page.hidden("form")?),
            ("number", &number),
            ("pin", self.pin(intent)?),
        ];
        Ok(Form {
            path: "/recharge/card",
            cookies: joined(&page.cookies),
            fields: encoded(&fields),
        })
    }

    /// A cashier has typed number and amount, and looks at the confirmation.
    async fn sale_form(&self, client: &Client, intent: Intent) -> Result<Form, String> {
        let counter = chosen(&self.target.counters, intent)?;
        let signed_in = self.counter(intent).await?;
        let number = format!("0{}", national(intent.msisdn));
        let asked = [
            ("form", signed_in.token.as_str()),
            ("number", &number),
            ("amount", AMOUNT),
            ("what", "amount"),
        ];
        let check = Form {
            path: "/pos/check",
            cookies: signed_in.cookies.clone(),
            fields: encoded(&asked),
        };
        let page = self.post_form(client, &check).await?;
        let fields = [
            ("form", signed_in.token.as_str()),
            ("ticket", page.hidden("ticket")?),
            ("number", &number),
            ("amount", AMOUNT),
            ("pin", &counter.pin),
        ];
        Ok(Form {
            path: "/pos/sell",
            fields: encoded(&fields),
            cookies: check.cookies,
        })
    }

    async fn sign_in(&self, client: &Client, intent: Intent) -> Result<SignIn, String> {
        let counter = chosen(&self.target.counters, intent)?;
        let page = self.get_page(client, "/pos/sign-in").await?;
        let token = page.hidden("form")?.to_owned();
        let seller = counter.seller.to_string();
        let fields = [
            ("form", token.as_str()),
            ("seller", &seller),
            ("staff", &counter.staff),
            ("pin", &counter.pin),
        ];
        let form = Form {
            path: "/pos/sign-in",
            cookies: joined(&page.cookies),
            fields: encoded(&fields),
        };
        let entered = self.post_form(client, &form).await?;
        if entered.location != "/pos" {
            return Err(format!(
                "{}: not signed in at {}: {}",
                entered.status,
                reference(intent),
                told(&entered.text)
            ));
        }
        let mut cookies = page.cookies;
        cookies.extend(entered.cookies);
        Ok(SignIn {
            cookies: joined(&cookies),
            token,
        })
    }
}

impl Page {
    /// The last hidden field of a name.
    fn hidden(&self, name: &str) -> Result<&str, String> {
        let input = format!("name=\"{name}\" value=\"");
        let found = self.text.rfind(&input).map(|at| &self.text[at + input.len()..]);
        let found = found.and_then(|rest| rest.split('"').next());
        found.ok_or_else(|| format!("{}: no {name} on the page: {}", self.status, told(&self.text)))
    }
}

async fn read(request: RequestBuilder) -> Result<Page, String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let headers = answer.headers();
    let cookies = headers.get_all("set-cookie").iter().filter_map(|cookie| {
        let (name, value) = cookie.to_str().ok()?.split(';').next()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let location = headers.get("location").and_then(|to| to.to_str().ok());
    Ok(Page {
        status: answer.status().as_u16(),
        location: location.unwrap_or_default().to_owned(),
        cookies: cookies.collect(),
        text: answer.text().await.map_err(|error| error.to_string())?,
    })
}

/// What a page tells people who did something wrong.
fn told(page: &str) -> &str {
    let alert = page.split("role=\"alert\"").nth(1).unwrap_or_default();
    alert.split("</p>").next().unwrap_or_default()
}

fn joined(cookies: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("; ")
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let owned = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    form_encode(&owned.collect::<Vec<_>>())
}
