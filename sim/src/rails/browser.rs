//! A payer's browser for tests without a real one: loads a hosted page, clicks one button, follows it back to the shop.
//!
//! It reads only what [`super::page`] writes.

use super::page::unescape;
use super::transport::{client, headers_of};
use rails::{Begun, HttpRequest, Method};

/// Pages and redirects that are followed at most.
const STEPS_MAX: usize = 8;

/// A browser at a hosted page.
pub struct Browser {
    client: reqwest::Client,
    shop: String,
}

enum Step {
    Get(String),
    Post(String, Vec<(String, String)>),
}

impl Browser {
    /// A browser that stops when it comes back to an address beginning with `shop`.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn new(shop: &str) -> Result<Browser, reqwest::Error> {
        Ok(Browser {
            client: client()?,
            shop: shop.to_owned(),
        })
    }

    /// Goes where the payer is sent and clicks the button with this value on every page that has it. The request with which
    /// the browser comes back to the shop; `None` when it never does. An empty `click` looks at the first page and leaves.
    pub async fn visit(&self, begun: &Begun, click: &str) -> Option<HttpRequest> {
        let mut step = match begun {
            Begun::Redirect { url, .. } => Step::Get(url.clone()),
            Begun::Form { url, fields, .. } => Step::Post(url.clone(), fields.clone()),
            Begun::Show { .. } | Begun::Said(_) => return None,
        };
        for _ in 0..STEPS_MAX {
            let url = match &step {
                Step::Get(url) | Step::Post(url, _) => url.clone(),
            };
            if url.starts_with(&self.shop) {
                return Some(arrival(step));
            }
            let call = match step {
                Step::Get(url) => self.client.get(url),
                Step::Post(url, fields) => self.client.post(url).form(&fields),
            };
            let answer = call.send().await.ok()?;
            let location = headers_of(&answer)
                .into_iter()
                .find(|(name, _)| name == "location");
            if let Some((_, location)) = location {
                step = Step::Get(absolute(&url, &location)?);
                continue;
            }
            if click.is_empty() {
                return None;
            }
            let (target, fields) = form_of(&url, &answer.text().await.ok()?, click)?;
            step = Step::Post(target, fields);
        }
        None
    }
}

/// The request as the shop's server would see it.
fn arrival(step: Step) -> HttpRequest {
    let (method, url, body) = match step {
        Step::Get(url) => (Method::Get, url, Vec::new()),
        Step::Post(url, fields) => (Method::Post, url, form_encode(&fields).into_bytes()),
    };
    let path = reqwest::Url::parse(&url).map_or(url, |url| match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    });
    let headers = match method {
        Method::Get => Vec::new(),
        Method::Post => vec![(
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        )],
    };
    HttpRequest {
        method,
        url: path,
        headers,
        body,
        timeout_ms: 0,
    }
}

/// `a=b&c=d`, percent-encoded.
pub fn form_encode(fields: &[(String, String)]) -> String {
    let Ok(mut url) = reqwest::Url::parse("http://x/") else {
        return String::new();
    };
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or("").to_owned()
}

fn absolute(base: &str, target: &str) -> Option<String> {
    Some(reqwest::Url::parse(base).ok()?.join(target).ok()?.into())
}

/// Where the form of a page goes and what it sends when the button with this value is pressed; a page without such buttons
/// sends its form as it is. `None`: there is no form, or not this button.
pub fn form_of(base: &str, page: &str, click: &str) -> Option<(String, Vec<(String, String)>)> {
    let form = &page[page.find("<form ")?..];
    let action = attribute(form, "action")?;
    let mut fields: Vec<(String, String)> = form
        .split("<input ")
        .skip(1)
        .filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)))
        .collect();
    if form.contains("name=\"choice\"") {
        let wanted = format!("name=\"choice\" value=\"{click}\"");
        if !form.contains(&wanted) {
            return None;
        }
        fields.push(("choice".to_owned(), click.to_owned()));
    }
    Some((absolute(base, &action)?, fields))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = &tag[..tag.find('>')?];
    let from = tag.find(&format!("{name}=\""))? + name.len() + 2;
    let length = tag[from..].find('"')?;
    Some(unescape(&tag[from..from + length]))
}
