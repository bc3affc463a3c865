//! A push service with browsers: it takes messages as RFC 8030 says, believes only what the right key signed (RFC 8292), and
//! its browsers open what was sealed for them (RFC 8291), with an implementation that shares nothing with the sender's.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ECDSA_P256_SHA256_FIXED};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a browser hands to the site.
#[derive(Clone, Debug)]
pub struct BrowserSubscription {
    /// Address of the push service.
    pub endpoint: String,
    /// Public key, base64url.
    pub p256dh: String,
    /// Secret, base64url.
    pub auth: String,
}

/// A message as the browser's service worker got it.
#[derive(Clone, Debug)]
pub struct PushMessage {
    /// What it says.
    pub body: Value,
    /// Seconds that the service may keep it.
    pub ttl_s: u64,
    /// Messages with the same topic replace each other.
    pub topic: String,
    /// How much it may disturb.
    pub urgency: String,
}

struct Browser {
    key: PrivateKey,
    public: Vec<u8>,
    auth: [u8; 16],
    site_key: String,
    messages: Vec<PushMessage>,
}

#[derive(Default)]
struct Shared {
    origin: Mutex<String>,
    browsers: Mutex<BTreeMap<u64, Browser>>,
    answers: Mutex<VecDeque<(u16, Option<u64>)>>,
    refused: Mutex<Vec<String>>,
}

/// A running push service. Dropping it stops it.
pub struct PushService {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl PushService {
    /// Starts. Within a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(address: SocketAddr) -> io::Result<PushService> {
        let listener = TcpListener::bind(address).await?;
        let shared = Arc::new(Shared::default());
        *shared.origin.lock() = format!("http://{}", listener.local_addr()?);
        let router = Router::new()
            .route("/push/{browser}", post(take))
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(PushService { shared, task })
    }

    /// A browser subscribes for the key of a site. `None` when no key can be made, which it can.
    pub fn subscribe(&self, site_key: &str) -> Option<BrowserSubscription> {
        let key = PrivateKey::generate(&ECDH_P256).ok()?;
        let public = key.compute_public_key().ok()?.as_ref().to_vec();
        let auth: [u8; 16] = rand::random();
        let mut browsers = self.shared.browsers.lock();
        let number = browsers.keys().last().map_or(1, |last| last + 1);
        let subscription = BrowserSubscription {
            endpoint: format!("{}/push/{number}", self.shared.origin.lock()),
            p256dh: URL_SAFE_NO_PAD.encode(&public),
            auth: URL_SAFE_NO_PAD.encode(auth),
        };
        let browser = Browser {
            key,
            public,
            auth,
            site_key: site_key.to_owned(),
            messages: Vec::new(),
        };
        browsers.insert(number, browser);
        Some(subscription)
    }

    /// The user takes the permission back: 410 from now on.
    pub fn unsubscribe(&self, endpoint: &str) {
        let number = endpoint.rsplit('/').next().and_then(|number| number.parse().ok());
        self.shared.browsers.lock().remove(&number.unwrap_or(0));
    }

    /// Messages that a browser got, in order.
    pub fn messages(&self, endpoint: &str) -> Vec<PushMessage> {
        let number: u64 = endpoint
            .rsplit('/')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0);
        let browsers = self.shared.browsers.lock();
        browsers
            .get(&number)
            .map(|browser| browser.messages.clone())
            .unwrap_or_default()
    }

    /// The next messages are answered so instead of being taken: status and Retry-After in seconds.
    pub fn misbehave(&self, answers: &[(u16, Option<u64>)]) {
        self.shared.answers.lock().extend(answers);
    }

    /// Ordered answers that nobody has met yet.
    pub fn faults_left(&self) -> usize {
        self.shared.answers.lock().len()
    }

    /// Why messages were refused that should not have been sent so.
    pub fn refused(&self) -> Vec<String> {
        self.shared.refused.lock().clone()
    }
}

impl Drop for PushService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    Path(number): Path<u64>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some((status, after)) = shared.answers.lock().pop_front() {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return match after {
            Some(after) => (status, [("retry-after", after.to_string())]).into_response(),
            None => status.into_response(),
        };
    }
    let origin = shared.origin.lock().clone();
    let mut browsers = shared.browsers.lock();
    let Some(browser) = browsers.get_mut(&number) else {
        return StatusCode::GONE.into_response();
    };
    match accept(browser, &origin, &headers, &body) {
        Ok(message) => {
            browser.messages.push(message);
            StatusCode::CREATED.into_response()
        }
        Err(reason) => {
            shared.refused.lock().push(reason.to_owned());
            StatusCode::BAD_REQUEST.into_response()
        }
    }
}

fn accept(
    browser: &Browser,
    origin: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<PushMessage, &'static str> {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    };
    signed(header("authorization"), origin, &browser.site_key)?;
    if header("content-encoding") != "aes128gcm" {
        return Err("another content encoding");
    }
    let topic = header("topic").to_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if topic.len() > 32 || !topic.chars().all(plain) {
        return Err("a topic that is none (RFC 8030 section 5.4)");
    }
    let ttl_s = header("ttl").parse().map_err(|_| "no TTL")?;
    let text = open(browser, body).ok_or("it does not open")?;
    Ok(PushMessage {
        body: serde_json::from_slice(&text).map_err(|_| "it is no JSON")?,
        ttl_s,
        topic,
        urgency: header("urgency").to_owned(),
    })
}

/// RFC 8292 section 2 and 3.
fn signed(authorization: &str, origin: &str, site_key: &str) -> Result<(), &'static str> {
    let parameters = authorization.strip_prefix("vapid ").ok_or("not vapid")?;
    let parameter = |name: &str| {
        let mut parts = parameters
            .split(',')
            .filter_map(|part| part.trim().split_once('='));
        parts.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let (token, key) = parameter("t").zip(parameter("k")).ok_or("t or k is missing")?;
    if key != site_key {
        return Err("another key than the subscription's");
    }
    let (text, mark) = token.rsplit_once('.').ok_or("no token")?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| "not base64url");
    signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(key)?)
        .verify(text.as_bytes(), &decode(mark)?)
        .map_err(|_| "the signature is wrong")?;
    let (head, claims) = text.split_once('.').ok_or("no token")?;
    let head: Value = serde_json::from_slice(&decode(head)?).map_err(|_| "no head")?;
    let claims: Value = serde_json::from_slice(&decode(claims)?).map_err(|_| "no claims")?;
    if head["alg"] != "ES256" || claims["aud"] != origin {
        return Err("another algorithm or audience");
    }
    let now = crate::now().seconds().unsigned_abs();
    let expires = claims["exp"].as_u64().unwrap_or(0);
    if expires <= now || expires > now + 24 * 3_600 {
        return Err("it is over, or good for more than a day");
    }
    Ok(())
}

/// RFC 8291 section 3.4, RFC 8188 section 2.
fn open(browser: &Browser, body: &[u8]) -> Option<Vec<u8>> {
    let (salt, rest) = body.split_at_checked(16)?;
    let (_record_size, rest) = rest.split_at_checked(4)?;
    let (length, rest) = rest.split_first()?;
    let (sender, record) = rest.split_at_checked(usize::from(*length))?;
    let secret: Vec<u8> = agree(
        &browser.key,
        UnparsedPublicKey::new(&ECDH_P256, sender),
        (),
        |shared| Ok(shared.to_vec()),
    )
    .ok()?;
    let info = [b"WebPush: info\0", &browser.public[..], sender, &[1]].concat();
    let input = mac(&mac(&browser.auth, &secret), &info);
    let prk = mac(salt, &input);
    let key = mac(&prk, b"Content-Encoding: aes128gcm\0\x01");
    let nonce = mac(&prk, b"Content-Encoding: nonce\0\x01");
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key[..16]).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(&nonce[..12]).ok()?;
    let mut record = record.to_vec();
    let plain = cipher.open_in_place(nonce, Aad::empty(), &mut record).ok()?;
    let end = plain.iter().rposition(|byte| *byte != 0)?;
    (plain[end] == 2).then(|| plain[..end].to_vec())
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, data).as_ref().to_vec()
}
