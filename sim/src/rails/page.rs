//! The pages of hosted checkouts: plain forms that a browser, or [`super::browser`], can click.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A page where the payer decides.
pub struct Choice<'a> {
    /// Name of the rail.
    pub title: &'a str,
    /// What is paid, for the eye.
    pub lines: &'a [(&'a str, &'a str)],
    /// Where the buttons send the form; each is `name=choice` with the name of the button.
    pub action: &'a str,
    /// Carried along.
    pub hidden: &'a [(&'a str, &'a str)],
    /// (value, words).
    pub buttons: &'a [(&'a str, &'a str)],
}

/// The buttons that every sandbox offers; the payer who abandons clicks nothing.
pub const BUTTONS: [(&str, &str); 3] = [
    ("approve", "Approve"),
    ("decline", "Decline"),
    ("cancel", "Cancel and go back"),
];

/// The page as an answer.
pub fn choice(page: &Choice<'_>) -> Response {
    let mut body = format!("<h1>{}</h1><dl>", escape(page.title));
    for (name, value) in page.lines {
        body += &format!("<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
    }
    body += &format!("</dl><form method=\"post\" action=\"{}\">", escape(page.action));
    body += &hidden(page.hidden);
    for (value, words) in page.buttons {
        let (value, words) = (escape(value), escape(words));
        body += &format!("<button id=\"{value}\" name=\"choice\" value=\"{value}\">{words}</button> ");
    }
    html(page.title, &(body + "</form>"))
}

/// A page that sends a form to the shop by itself, as hosted pages do at their end; without scripts, by a button.
pub fn send_on(url: &str, fields: &[(String, String)]) -> Response {
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let body = format!(
        "<form method=\"post\" action=\"{}\">{}<button id=\"back\">Back to the shop</button></form>\
         <script>document.forms[0].submit()</script>",
        escape(url),
        hidden(&fields)
    );
    html("Going back", &body)
}

/// Sends the browser elsewhere (302, GET).
pub fn go(url: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, url.to_owned())]).into_response()
}

/// A page that only says something.
pub fn notice(status: StatusCode, words: &str) -> Response {
    (status, html("Sandbox", &format!("<p>{}</p>", escape(words)))).into_response()
}

fn hidden(fields: &[(&str, &str)]) -> String {
    fields
        .iter()
        .map(|(name, value)| {
            let (name, value) = (escape(name), escape(value));
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
        })
        .collect()
}

fn html(title: &str, body: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{} (sandbox)</title></head><body>{body}</body></html>",
        escape(title)
    );
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// Text as it may stand in HTML and in attribute values.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// The reverse of [`escape`].
pub fn unescape(text: &str) -> String {
    text.replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&gt;", ">")
        .replace("&lt;", "<")
        .replace("&amp;", "&")
}
