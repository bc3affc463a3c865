//! E-mail: letters over SMTP submission (RFC 5321, RFC 6409), with the header that stops offers in one click (RFC 8058).

use crate::notify::courier::{Carried, Carrier};
use crate::notify::words::Written;
use anyhow::Context as _;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use people::ways::Way;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use store::LetterWay;
use web::core::{CoreError, Pending};
use web::text;

/// Connections to the mail server.
const CONNECTIONS_MAX: u32 = 4;
/// Largest file with certificates, bytes.
const CERTIFICATES_BYTES_MAX: u64 = 1 << 20;
/// Answers that mean that this address will never take this letter (RFC 5321 section 4.2.3). Everything else, a refused
/// sign-in above all, may be put right.
const NEVER: [&str; 4] = ["550", "551", "553", "556"];

/// A mail server for submission.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailConfig {
    /// `host:port`; empty: no e-mail.
    pub server: String,
    /// How the connection is protected.
    pub tls: TlsName,
    /// User; empty: no sign-in.
    pub user: String,
    /// Password.
    pub password: String,
    /// Who it comes from: `Raseed <receipts@raseed.example>`.
    pub from: String,
    /// PEM file with the authorities of the mail server's certificate; not set: those of the machine.
    pub ca_file: Option<PathBuf>,
    /// Letters a second, at most; 0: no limit.
    pub per_second: u32,
    /// How long one answer of the mail server may take.
    pub timeout_ms: u32,
    /// First wait between attempts instead of five seconds; 0: as it is.
    pub first_wait_ms: u32,
}

/// Names of the ways to protect the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsName {
    /// STARTTLS, required.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// None: for a server on this machine.
    None,
}

impl Default for MailConfig {
    fn default() -> MailConfig {
        MailConfig {
            server: String::new(),
            tls: TlsName::default(),
            user: String::new(),
            password: String::new(),
            from: String::new(),
            ca_file: None,
            per_second: 20,
            timeout_ms: 30_000,
            first_wait_ms: 0,
        }
    }
}

impl MailConfig {
    /// What a single value cannot show.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.server.is_empty() {
            return Ok(());
        }
        let (host, _) = self.host_and_port()?;
        let local = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        if self.tls == TlsName::None && !local {
            return Err("mail.tls = \"none\" is for a mail server on this machine".to_owned());
        }
        self.from.parse::<Mailbox>().map(|_| ()).map_err(|_| {
            "mail.from must be an address such as \"Raseed <receipts@raseed.example>\"".to_owned()
        })
    }

    fn host_and_port(&self) -> Result<(&str, u16), String> {
        let wrong = || "mail.server must be host:port".to_owned();
        let (host, port) = self.server.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().map_err(|_| wrong())?;
        if host.is_empty() {
            return Err(wrong());
        }
        Ok((host, port))
    }
}

/// Sends letters and codes. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// Where people reach us, for links; empty: not known.
    public_url: Arc<str>,
    per_second: u32,
    first_wait_ms: u32,
}

impl Mailer {
    /// As configured; `None` without a mail server.
    ///
    /// # Errors
    /// When the configuration or its files cannot be used.
    pub fn new(config: &MailConfig, public_url: &str) -> anyhow::Result<Option<Mailer>> {
        if config.server.is_empty() {
            return Ok(None);
        }
        let (host, port) = config.host_and_port().map_err(anyhow::Error::msg)?;
        let mut tls = TlsParameters::builder(host.to_owned());
        if let Some(path) = &config.ca_file {
            let doing = || format!("read mail.ca_file {}", path.display());
            let size = std::fs::metadata(path).with_context(doing)?.len();
            anyhow::ensure!(size <= CERTIFICATES_BYTES_MAX, "mail.ca_file is too long");
            let pem = std::fs::read(path).with_context(doing)?;
            tls = tls.add_root_certificate(Certificate::from_pem(&pem).with_context(doing)?);
        }
        let tls = match config.tls {
            TlsName::Starttls => Tls::Required(tls.build_rustls().context("set up TLS for mail")?),
            TlsName::Tls => Tls::Wrapper(tls.build_rustls().context("set up TLS for mail")?),
            TlsName::None => Tls::None,
        };
        let timeout = Duration::from_millis(u64::from(config.timeout_ms.max(1)));
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(tls)
            .timeout(Some(timeout))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS_MAX));
        if !config.user.is_empty() {
            builder = builder.credentials(Credentials::new(config.user.clone(), config.password.clone()));
        }
        Ok(Some(Mailer {
            transport: builder.build(),
            from: config.from.parse().context("read mail.from")?,
            public_url: public_url.trim_end_matches('/').into(),
            per_second: config.per_second,
            first_wait_ms: config.first_wait_ms,
        }))
    }

    /// The letter as a message. Its Message-ID is the same in every attempt: who gets it twice can see that it is one.
    fn message(&self, name: &str, address: &str, written: &Written) -> anyhow::Result<Message> {
        let domain = self.from.email.domain();
        let (link, settings) = (self.link(&written.path), self.link("/privacy"));
        let mut plain = written.text.clone();
        let mut html = written.html.clone();
        if html.is_empty() {
            plain.push_str(&format!("\n\n{link}\n"));
            html = html_of(written, &link);
        }
        let why = text::plain(written.language, "letter-why", &[]);
        plain.push_str(&format!("\n-- \n{why} {settings}\n"));
        html.push_str(&format!(
            "<p><small>{} <a href=\"{settings}\">{settings}</a></small></p>",
            text::Html::isolated(&why)
        ));
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address.parse().context("read the address")?))
            .subject(written.title.replace(text::ISOLATES, ""))
            .message_id(Some(format!("<{name}@{domain}>")))
            .date_now()
            .raw_header(header("Auto-Submitted", "auto-generated".to_owned()));
        if let Some(path) = &written.stop {
            let stop = self.link(path);
            let words = text::plain(written.language, "letter-stop", &[]);
            plain.push_str(&format!("{words}: {stop}\n"));
            html.push_str(&format!(
                "<p><a href=\"{stop}\">{}</a></p>",
                text::Html::isolated(&words)
            ));
            builder = builder
                .raw_header(header("List-Unsubscribe", format!("<{stop}>")))
                .raw_header(header(
                    "List-Unsubscribe-Post",
                    "List-Unsubscribe=One-Click".to_owned(),
                ));
        }
        builder
            .multipart(MultiPart::alternative_plain_html(plain, html))
            .context("write the message")
    }

    fn link(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    async fn submit(&self, name: &str, message: Message) -> Carried {
        match self.transport.send(message).await {
            Ok(_) => Carried::Taken(name.to_owned()),
            Err(error) => {
                let status = error.status().map(|code| code.to_string()).unwrap_or_default();
                // What the server says may repeat the address.
                let reason = match status.as_str() {
                    "" if error.is_timeout() => "the mail server did not answer in time".to_owned(),
                    "" => "the mail server was not reached, or the connection broke".to_owned(),
                    status => format!("the mail server answered {status}"),
                };
                tracing::debug!(%error, "a letter was not taken");
                if NEVER.contains(&status.as_str()) {
                    Carried::Never(reason)
                } else {
                    Carried::NotNow(reason, None)
                }
            }
        }
    }
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

fn html_of(written: &Written, link: &str) -> String {
    let direction = if written.language == charge::catalog::Language::Ur {
        "rtl"
    } else {
        "ltr"
    };
    format!(
        "<div lang=\"{}\" dir=\"{direction}\"><h1>{}</h1><p>{}</p><p><a href=\"{link}\"><bdi dir=\"ltr\">{link}</bdi></a></p></div>",
        written.language.tag(),
        text::Html::isolated(&written.title),
        text::Html::isolated(&written.text),
    )
}

impl Carrier for Mailer {
    fn way(&self) -> LetterWay {
        LetterWay::Email
    }

    fn per_second(&self) -> u32 {
        self.per_second
    }

    fn first_wait_ms(&self) -> u32 {
        self.first_wait_ms
    }

    fn carry(
        self: Arc<Self>,
        name: String,
        letter: Box<Written>,
    ) -> Pin<Box<dyn Future<Output = Carried> + Send>> {
        Box::pin(async move {
            let Way::Email(address) = &letter.way else {
                return Carried::Never("it goes by another way".to_owned());
            };
            match self.message(&name, address, &letter) {
                Ok(message) => self.submit(&name, message).await,
                Err(error) => Carried::Never(format!("{error:#}")),
            }
        })
    }
}

/// Codes that prove an address: sent at once or not at all, and written nowhere.
impl web::state::CodeMailer for Mailer {
    fn send_code(&self, to: String, subject: String, body: String) -> Pending<Result<(), CoreError>> {
        let mailer = self.clone();
        Box::pin(async move {
            let message = to.parse().ok().and_then(|address| {
                Message::builder()
                    .from(mailer.from.clone())
                    .to(Mailbox::new(None, address))
                    .subject(subject)
                    .date_now()
                    .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
                    .body(body)
                    .ok()
            });
            let Some(message) = message else {
                return Err(CoreError::Unavailable);
            };
            match mailer.submit("code", message).await {
                Carried::Taken(_) => Ok(()),
                Carried::NotNow(..) | Carried::Never(_) => Err(CoreError::Unavailable),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{Peer, python, took_part};
    use charge::Timestamp;
    use charge::catalog::Language;
    use web::state::CodeMailer as _;

    fn letter(stop: Option<&str>) -> Box<Written> {
        Box::new(Written {
            way: Way::Email("sana@example.org".into()),
            language: Language::Ur,
            title: "جاز: پیشکش".into(),
            text: "500 روپے لوڈ کریں\n.\nایک سطر نقطے سے شروع".into(),
            html: String::new(),
            path: "/offers".into(),
            stop: stop.map(str::to_owned),
            until: Timestamp(i64::MAX),
            patient: true,
        })
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn letters_over_tls_to_a_mail_server_that_we_did_not_write() {
        const TEST: &str = "letters_over_tls_to_a_mail_server_that_we_did_not_write";
        let Some(python) = python("aiosmtpd", TEST) else {
            return;
        };
        let made =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let arguments = [
            certificate.display().to_string(),
            key.display().to_string(),
            "raseed".to_owned(),
            "secret".to_owned(),
        ];
        let mut peer = Peer::start(&python, "mail_server.py", &arguments);
        let port = peer.next().await;
        let config = MailConfig {
            server: format!("localhost:{port}"),
            user: "raseed".into(),
            password: "secret".into(),
            from: "Raseed <receipts@raseed.example>".into(),
            ca_file: Some(certificate),
            ..MailConfig::default()
        };
        config.check().unwrap();
        let mailer = Mailer::new(&config, "https://raseed.example/").unwrap().unwrap();
        let carried = Arc::new(mailer.clone())
            .carry("abc-1-2".into(), letter(Some("/stop/XYZ")))
            .await;
        assert!(matches!(carried, Carried::Taken(_)), "{carried:?}");
        let taken: serde_json::Value = serde_json::from_str(&peer.next().await).unwrap();
        assert_eq!(taken["tls"], true);
        assert_eq!(taken["user"], "raseed");
        assert_eq!(taken["to"], serde_json::json!(["sana@example.org"]));
        assert_eq!(taken["subject"], "جاز: پیشکش");
        assert_eq!(taken["message_id"], "<abc-1-2@raseed.example>");
        assert_eq!(taken["unsubscribe"], "<https://raseed.example/stop/XYZ>");
        assert_eq!(taken["one_click"], "List-Unsubscribe=One-Click");
        assert_eq!(taken["defects"], serde_json::json!([]));
        let plain = taken["parts"]["text/plain"].as_str().unwrap();
        let dot = plain.lines().any(|line| line == ".");
        assert!(dot && plain.contains("https://raseed.example/offers"), "{plain}");
        assert!(
            taken["parts"]["text/html"]
                .as_str()
                .unwrap()
                .contains("dir=\"rtl\"")
        );
        let sent = mailer
            .send_code("sana@example.org".into(), "code".into(), "123456".into())
            .await;
        assert!(sent.is_ok());
        assert!(peer.next().await.contains("123456"));

        // A wrong password may be put right; nothing is given up for it. A certificate that nobody vouches for, the same.
        let wrong = MailConfig {
            password: "wrong".into(),
            ..config.clone()
        };
        let unknown = MailConfig {
            ca_file: None,
            ..config
        };
        for bad in [wrong, unknown] {
            let mailer = Mailer::new(&bad, "").unwrap().unwrap();
            let carried = Arc::new(mailer).carry("x".into(), letter(None)).await;
            assert!(matches!(carried, Carried::NotNow(..)), "{carried:?}");
        }
        took_part(&python, "aiosmtpd", TEST);
    }

    #[test]
    fn a_receipt_does_not_travel_in_the_clear() {
        let config = |server: &str, tls| MailConfig {
            server: server.to_owned(),
            tls,
            from: "a@b.example".into(),
            ..MailConfig::default()
        };
        assert!(config("mail.example:25", TlsName::None).check().is_err());
        assert!(config("127.0.0.1:25", TlsName::None).check().is_ok());
        assert!(config("[::1]:25", TlsName::None).check().is_ok());
        assert!(config("mail.example:587", TlsName::Starttls).check().is_ok());
        assert!(config("mail.example", TlsName::Starttls).check().is_err());
        assert!(config(":587", TlsName::Tls).check().is_err());
        let nobody = MailConfig {
            from: "nobody".into(),
            ..config("mail.example:587", TlsName::Tls)
        };
        assert!(nobody.check().is_err());
        assert!(MailConfig::default().check().is_ok(), "no e-mail");
    }
}
