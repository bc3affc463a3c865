//! What every page shares: the visitor, the language, headers, static files, error pages.

use super::assets;
use super::format::Speech;
use super::session::{self, SignIn, Token};
use crate::problem::{Fault, Problem};
use crate::router::{PeerAddress, Speaks, header_text};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use charge::catalog::Language;
use people::sessions::{Place, Session};
use std::net::{IpAddr, Ipv4Addr};

const LANGUAGE_COOKIE: &str = "raseed_language";
const THEME_COOKIE: &str = "raseed_theme";
/// Tells the service worker what to do with a page: `keep` for later without a network, or `forget` all that was kept.
const OFFLINE: header::HeaderName = header::HeaderName::from_static("raseed-offline");

/// What scripts may ask the browser for.
pub const PERMISSIONS: header::HeaderName = header::HeaderName::from_static("permissions-policy");

/// No script, style or image but our own, no frames, no plug-ins; forms go to ourselves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Origins to which a page may send forms, beside our own: that of a payment rail.
#[derive(Clone, Debug, Default)]
pub struct FormTargets(Vec<String>);

impl FormTargets {
    /// The origin of an address.
    pub fn to(url: &str) -> FormTargets {
        let origin: Vec<&str> = url.split('/').take(3).collect();
        FormTargets(vec![origin.join("/")])
    }

    /// The page's policy. An origin that could say something else is left out.
    fn policy(&self) -> HeaderValue {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-.:/[]*".contains(c);
        let mut allowed = String::from("form-action 'self'");
        for origin in self.0.iter().filter(|origin| origin.chars().all(plain)) {
            allowed.push(' ');
            allowed.push_str(origin);
        }
        let policy = POLICY.replace("form-action 'self'", &allowed);
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(POLICY))
    }
}

/// Who looks at a page.
#[derive(Clone)]
pub struct Visitor {
    /// The browser.
    pub token: Token,
    /// Signed in?
    pub sign_in: Option<SignIn>,
    /// What the browser is known by since its last sign-in.
    pub device: Option<Token>,
    /// The sign-in also when its second factor or its number is missing.
    pub session: Option<Session>,
    /// From where.
    pub place: Place,
    /// What counts as one address.
    pub address: u64,
    /// In which language.
    pub language: Language,
    /// Light, dark, or as the system has it.
    pub theme: Theme,
    /// The address of the page, for links to itself.
    path: String,
    /// What follows it, ready for one more pair: empty, or `r=1&`.
    query: String,
}

/// Which colours somebody chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All of them, in the order of the switch.
    pub const ALL: [Theme; 3] = [Theme::Auto, Theme::Light, Theme::Dark];

    /// Its name in addresses and cookies.
    pub fn name(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    fn parse(name: &str) -> Option<Theme> {
        Theme::ALL.into_iter().find(|theme| theme.name() == name)
    }
}

/// Finds out who looks, chooses the language, and puts the headers around the answer.
pub async fn visit(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    if request.method() == Method::GET {
        if let Some(language) = asked(request.uri(), "lang").and_then(Language::from_tag) {
            return switch((LANGUAGE_COOKIE, language.tag()), "lang", request.uri(), &web);
        }
        if let Some(theme) = asked(request.uri(), "theme").and_then(Theme::parse) {
            return switch((THEME_COOKIE, theme.name()), "theme", request.uri(), &web);
        }
    }
    if request.method() == Method::POST && !same_origin(headers) {
        return Problem::from(Fault::BadRequest).into_response();
    }
    let language = cookie(headers, LANGUAGE_COOKIE)
        .and_then(Language::from_tag)
        .or_else(|| request.extensions().get::<Speaks>().map(|speaks| speaks.0))
        .unwrap_or_default();
    let theme = cookie(headers, THEME_COOKIE)
        .and_then(Theme::parse)
        .unwrap_or_default();
    let known = cookie(headers, session_cookie(&web)).map(str::to_owned);
    let device = cookie(headers, device_cookie(&web)).and_then(Token::parse);
    let agent = header_text(headers, &header::USER_AGENT).unwrap_or("").to_owned();
    let peer = request.extensions().get::<PeerAddress>();
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    let seen = match session::look(&web, known.as_deref(), &agent, address).await {
        Ok(seen) => seen,
        Err(problem) => return problem.into_response(),
    };
    let is_new = seen.is_new;
    let visitor = Visitor {
        device,
        sign_in: seen.sign_in(),
        token: seen.token,
        session: seen.session,
        place: seen.place,
        address: seen.address,
        language,
        theme,
        path: request.uri().path().to_owned(),
        query: query_without_choices(request.uri()),
    };
    request.extensions_mut().insert(Speaks(language));
    request.extensions_mut().insert(visitor.clone());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = error_page(&web, &visitor, &problem);
    }
    let headers = response.headers_mut();
    if is_new && !headers.contains_key(header::SET_COOKIE) {
        set_session_cookie(headers, &web, &visitor.token);
    }
    let targets = response
        .extensions_mut()
        .remove::<FormTargets>()
        .unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, targets.policy());
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Where somebody is, only the page of outlets may ask, and only when a button is pressed.
    headers
        .entry(PERMISSIONS)
        .or_insert(HeaderValue::from_static("geolocation=()"));
    if visitor.sign_in.is_none() {
        headers.insert(OFFLINE, HeaderValue::from_static("forget"));
    }
    headers.insert(
        header::CONTENT_LANGUAGE,
        HeaderValue::from_static(visitor.language.tag()),
    );
    response
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Visitor, Problem> {
        parts
            .extensions
            .get::<Visitor>()
            .cloned()
            .ok_or_else(|| Fault::Internal.into())
    }
}

impl Visitor {
    /// Sentences in the visitor's language.
    pub fn speech(&self) -> Speech {
        Speech {
            language: self.language,
        }
    }

    /// # Errors
    /// [`Fault::BadRequest`] when the form was not given to this browser by us.
    pub fn check_form(&self, web: &Web, form_token: &str) -> Result<(), Problem> {
        if session::owns_form(&self.token, &web.parts.secret, form_token) {
            Ok(())
        } else {
            Err(Fault::BadRequest.into())
        }
    }

    /// The same browser as one that is not signed in.
    pub fn nobody(&self) -> Visitor {
        Visitor {
            sign_in: None,
            session: None,
            ..self.clone()
        }
    }

    /// What every page of this visitor shares.
    pub fn frame(&self, web: &Web, title: String) -> Frame {
        let number = self
            .sign_in
            .map(|sign_in| crate::number::shown(sign_in.msisdn, web.catalogs()));
        Frame {
            t: self.speech(),
            title,
            path: self.path.clone(),
            theme: self.theme,
            query: self.query.clone(),
            form_token: session::form_token(&self.token, &web.parts.secret),
            number: number.map(|number| Html::bdi(&number)),
            demo: web.demo().is_some(),
        }
    }
}

/// What every page shares.
pub struct Frame {
    /// Sentences.
    pub t: Speech,
    /// Title of the window.
    pub title: String,
    /// Address of the page.
    pub path: String,
    /// Light, dark, or as the system has it.
    pub theme: Theme,
    query: String,
    /// Goes into every form.
    pub form_token: String,
    /// The number that is signed in.
    pub number: Option<Html>,
    /// True in the demonstration.
    pub demo: bool,
}

impl Frame {
    /// BCP 47 tag.
    pub fn tag(&self) -> &'static str {
        self.t.language.tag()
    }

    /// Direction of writing.
    pub fn direction(&self) -> &'static str {
        match self.t.language {
            Language::Ur => "rtl",
            Language::En | Language::Zh => "ltr",
        }
    }

    /// The same page with another choice, and with everything else that its address says.
    pub fn switched(&self, choice: &str, value: &str) -> String {
        format!("{}?{}{choice}={value}", self.path, self.query)
    }

    /// Languages with their own names, and whether each is the present one.
    pub fn languages(&self) -> [(&'static str, &'static str, bool); 3] {
        [
            (Language::En, "English"),
            (Language::Ur, "اردو"),
            (Language::Zh, "中文"),
        ]
        .map(|(language, name)| (language.tag(), name, language == self.t.language))
    }

    /// The colours that one can choose, and whether each is the present choice.
    pub fn themes(&self) -> [(&'static str, Html, bool); 3] {
        Theme::ALL.map(|theme| {
            let name = self.t.h(&format!("theme-{}", theme.name()));
            (theme.name(), name, theme == self.theme)
        })
    }

    /// For which media the dark colours are sent; none: never.
    pub fn dark_media(&self) -> Option<&'static str> {
        match self.theme {
            Theme::Auto => Some("(prefers-color-scheme: dark)"),
            Theme::Light => None,
            Theme::Dark => Some("all"),
        }
    }

    /// The address of a static file.
    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// The version of all static files together.
    pub fn version(&self) -> &'static str {
        assets::version()
    }
}

/// The status of a page with a form: 422 when it says what is wrong with what was sent.
pub fn status_of(error: Option<&Html>) -> StatusCode {
    match error {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    }
}

/// A template as an answer.
pub fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            (status, kind, html).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page cannot be made");
            Problem::from(Fault::Internal).into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Frame,
    title: Html,
    detail: Html,
    code: Html,
}

fn error_page(web: &Web, visitor: &Visitor, problem: &Problem) -> Response {
    let document = problem.document(visitor.language, "");
    let detail = match problem.retry_after_s().filter(|_| document.status == 429) {
        Some(seconds) => visitor.speech().wait(seconds),
        None => document.detail.clone(),
    };
    let template = ErrorPage {
        page: visitor.frame(web, document.title.clone()),
        title: Html::isolated(&document.title),
        detail: Html::isolated(&detail),
        code: Html::bdi(&document.code.to_string()),
    };
    let status = StatusCode::from_u16(document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    page(status, &template)
}

/// The page for an error that happened outside the pages: a wrong address, too many requests.
pub fn stray_error(web: &Web, language: Language, problem: &Problem) -> Response {
    let visitor = Visitor {
        device: None,
        token: Token::random(),
        sign_in: None,
        session: None,
        place: Place::default(),
        address: 0,
        language,
        theme: Theme::Auto,
        path: "/".to_owned(),
        query: String::new(),
    };
    let mut response = error_page(web, &visitor, problem);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    if let Some(seconds) = problem.retry_after_s() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Gives the browser its token.
pub fn set_session_cookie(headers: &mut HeaderMap, web: &Web, token: &Token) {
    let secure = if web.parts.https { "; Secure" } else { "" };
    let text = format!(
        "{}={}; Path=/; HttpOnly; SameSite=Lax{secure}",
        session_cookie(web),
        token.cookie()
    );
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(header::SET_COOKIE, value);
    }
}

/// Its name. `__Host-` binds it to this host, to https and to every path.
pub fn session_cookie(web: &Web) -> &'static str {
    if web.parts.https {
        "__Host-raseed"
    } else {
        "raseed_session"
    }
}

/// The cookie by which a browser that signed in before is known.
pub fn device_cookie(web: &Web) -> &'static str {
    if web.parts.https {
        "__Host-raseed-device"
    } else {
        "raseed_device"
    }
}

pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = cookies
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Browsers say where a form comes from; one that comes from elsewhere is refused.
fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = header_text(headers, &header::ORIGIN) else {
        return true;
    };
    let host = header_text(headers, &header::HOST).unwrap_or("");
    origin.split_once("://").is_some_and(|(_, from)| from == host)
}

fn asked<'a>(uri: &'a Uri, parameter: &str) -> Option<&'a str> {
    let mut pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == parameter).map(|(_, value)| value)
}

/// The query without the choices that a page offers about itself, each pair closed with `&`.
fn query_without_choices(uri: &Uri) -> String {
    let pairs = uri.query().unwrap_or("").split('&');
    let kept = pairs.filter(|pair| !matches!(pair.split('=').next(), Some("" | "lang" | "theme")));
    kept.map(|pair| format!("{pair}&")).collect()
}

/// Remembers a choice in a cookie for a year and shows the same page again.
fn switch((cookie, value): (&str, &str), parameter: &str, uri: &Uri, web: &Web) -> Response {
    let rest: Vec<&str> = uri
        .query()
        .unwrap_or("")
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(parameter))
        .collect();
    let path = format!("/{}", uri.path().trim_start_matches('/'));
    let to = if rest.is_empty() {
        path
    } else {
        format!("{path}?{}", rest.join("&"))
    };
    let mut response = Redirect::to(&to).into_response();
    let secure = if web.parts.https { "; Secure" } else { "" };
    let text = format!("{cookie}={value}; Path=/; Max-Age=31536000; SameSite=Lax{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// Lets the service worker keep this page for times without a network. Only pages of a member, and never a payment.
pub fn keep_offline(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(OFFLINE, HeaderValue::from_static("keep"));
    response
}
