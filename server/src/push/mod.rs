//! Web push: letters to browsers over the push service that each of them named (RFC 8030), encrypted for it alone
//! (RFC 8291) and signed by this installation (RFC 8292).
//!
//! # Layout
//! * here: [`Pusher`], one attempt; [`crypto`]: the sealed payload; [`vapid`]: the key of the installation and its signature

pub mod crypto;
pub mod vapid;

use crate::callbacks::client::Client;
use crate::notify::courier::{Carried, Carrier};
use crate::notify::words::Written;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use people::People;
use people::addresses::PushId;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use store::LetterWay;
use vapid::VapidKey;
use web::partner_callback::Reach;

/// Longest life of a message at the push service, seconds: four weeks, as push services limit it anyway.
const TTL_S_MAX: i64 = 28 * 24 * 3_600;

/// Push messages to browsers.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PushConfig {
    /// The key that signs them; not set: `push-key.json` in the data directory.
    pub key_file: Option<PathBuf>,
    /// Whom push services may write to: `mailto:...` or `https://...`; not set: the site's address.
    pub contact: Option<String>,
    /// Push services on this very machine may be called, and without TLS. For tests.
    pub allow_loopback: bool,
    /// First wait between attempts in milliseconds instead of five seconds; 0: as it is. For tests.
    pub first_wait_ms: u32,
}

impl PushConfig {
    /// Where push messages may go.
    pub fn reach(&self) -> Reach {
        Reach {
            loopback: self.allow_loopback,
        }
    }
}

/// Sends push messages.
pub struct Pusher {
    client: Client,
    reach: Reach,
    key: Arc<VapidKey>,
    contact: Option<String>,
    people: People,
    first_wait_ms: u32,
}

impl Pusher {
    /// As configured.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        config: &PushConfig,
        key: Arc<VapidKey>,
        public_url: &str,
        people: People,
    ) -> anyhow::Result<Pusher> {
        let site = Some(public_url.to_owned()).filter(|url| url.starts_with("https://"));
        Ok(Pusher {
            client: Client::new(config.reach())?,
            reach: config.reach(),
            key,
            contact: config.contact.clone().or(site),
            people,
            first_wait_ms: config.first_wait_ms,
        })
    }

    async fn attempt(&self, name: &str, letter: &Written) -> Carried {
        let topic = URL_SAFE_NO_PAD
            .encode(&aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes()).as_ref()[..16]);
        let Some((browser, payload)) = letter.push(&topic) else {
            return Carried::Never("it goes by another way".to_owned());
        };
        let (id, subscription) = (browser.id, &browser.subscription);
        let target = match self.reach.target(&subscription.endpoint, false) {
            Ok(target) => target,
            Err(reason) => return Carried::Never(format!("the push service: {reason}")),
        };
        let sealed = match crypto::seal(&payload, subscription) {
            Ok(sealed) => sealed,
            Err(error) => return Carried::Never(error.to_string()),
        };
        let now = crate::node::now();
        let scheme = if target.tls { "https" } else { "http" };
        let audience = format!("{scheme}://{}", target.authority);
        let Some(signed) = self.key.authorization(&audience, self.contact.as_deref(), now) else {
            return Carried::NotNow("the key does not sign".to_owned(), None);
        };
        let life_s = (letter.until.seconds() - now.seconds()).clamp(0, TTL_S_MAX);
        let headers = [
            ("content-type", "application/octet-stream"),
            ("content-encoding", "aes128gcm"),
            ("ttl", &life_s.to_string()),
            ("urgency", if letter.patient { "low" } else { "normal" }),
            // A repeated one replaces the first while the browser is away (RFC 8030 section 5.4).
            ("topic", &topic),
            ("authorization", &signed),
        ];
        let answer = self.client.post(&target, &headers, sealed).await;
        self.judge(id, answer.map(|answer| (answer.status, answer.retry_after)))
            .await
    }

    async fn judge(&self, id: PushId, answer: Result<(u16, Option<Duration>), String>) -> Carried {
        match answer {
            Ok((200..=299, _)) => Carried::Taken(String::new()),
            Ok((404 | 410, _)) => {
                let people = self.people.clone();
                let removed = tokio::task::spawn_blocking(move || people.push_gone(id)).await;
                match removed {
                    Ok(Ok(())) => {
                        Carried::Never("the browser does not take push messages any more".to_owned())
                    }
                    _ => Carried::NotNow("the subscription was not removed".to_owned(), None),
                }
            }
            Ok((status @ (400 | 413), _)) => Carried::Never(format!("the push service answered {status}")),
            Ok((status, after)) => {
                // RFC 9110 section 10.2.3; a push service that says "in a week" is not waited for that long.
                let after = after.map(|after| after.min(Duration::from_secs(6 * 3_600)));
                Carried::NotNow(format!("the push service answered {status}"), after)
            }
            Err(reason) => Carried::NotNow(format!("the push service: {reason}"), None),
        }
    }
}

impl Carrier for Pusher {
    fn way(&self) -> LetterWay {
        LetterWay::Push
    }

    fn per_second(&self) -> u32 {
        0
    }

    fn first_wait_ms(&self) -> u32 {
        self.first_wait_ms
    }

    fn carry(
        self: Arc<Self>,
        name: String,
        letter: Box<Written>,
    ) -> Pin<Box<dyn Future<Output = Carried> + Send>> {
        Box::pin(async move { self.attempt(&name, &letter).await })
    }
}
