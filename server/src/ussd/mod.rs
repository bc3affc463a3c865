//! USSD gateways: how what people dial reaches the keypad.
//!
//! # Layout
//! * here: [`Gateways`], which are opened with the sockets and closed with them
//! * [`config`]: what can be set
//! * [`http`]: gateways that call us over HTTP, in two shapes; [`tls`]: those that show a certificate
//! * [`smpp`]: gateways over SMPP; [`gsup`]: an Osmocom HLR

pub mod config;
pub mod gsup;
pub mod http;
pub mod smpp;
mod tls;

use charge::catalog::Language;
use config::{GsupGateway, SmppGateway, UssdConfig};
use keypad::Keypad;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long requests under way may take to end.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// All gateways.
pub struct Gateways {
    /// Name and address of each that listens.
    pub http: Vec<(String, SocketAddr)>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Gateways {
    /// Listens and connects as configured. Within a tokio runtime.
    pub async fn open(keypad: &Keypad, config: &UssdConfig) -> anyhow::Result<Gateways> {
        let (stop, stopped) = watch::channel(false);
        let (mut http, mut tasks) = (Vec::new(), Vec::new());
        for (name, gateway) in &config.http {
            let (address, task) = http::serve(name, gateway, keypad.clone(), stopped.clone()).await?;
            http.push((name.clone(), address));
            tasks.push(task);
        }
        let smpp = config.smpp.clone().into_iter();
        let gsup = config.gsup.clone().into_iter();
        let links = smpp
            .map(|(name, gateway)| (name, Link::Smpp(gateway)))
            .chain(gsup.map(|(name, gateway)| (name, Link::Gsup(gateway))));
        for (name, link) in links {
            tasks.push(tokio::spawn(link.keep(name, keypad.clone(), stopped.clone())));
        }
        Ok(Gateways { http, stop, tasks })
    }

    /// Takes nothing new, lets what is under way end, closes.
    pub async fn close(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            let abort = task.abort_handle();
            if tokio::time::timeout(DRAIN_MAX, task).await.is_err() {
                abort.abort();
            }
        }
    }
}

/// A gateway that we connect to.
enum Link {
    Smpp(SmppGateway),
    Gsup(GsupGateway),
}

impl Link {
    /// Connects, and connects again, until told to stop.
    async fn keep(self, name: String, keypad: Keypad, mut stopped: watch::Receiver<bool>) {
        let pause_ms = match &self {
            Link::Smpp(gateway) => gateway.reconnect_ms,
            Link::Gsup(gateway) => gateway.reconnect_ms,
        };
        let pause = Duration::from_millis(pause_ms.max(10));
        loop {
            tokio::select! {
                () = self.once(&name, &keypad) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn once(&self, name: &str, keypad: &Keypad) {
        let address = match self {
            Link::Smpp(gateway) => &gateway.address,
            Link::Gsup(gateway) => &gateway.address,
        };
        let stream = match tokio::time::timeout(CONNECT_MAX, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return tracing::warn!(gateway = name, %error, address, "connect to the USSD gateway");
            }
            Err(_) => return tracing::warn!(gateway = name, address, "the USSD gateway does not answer"),
        };
        let ended = match self {
            Link::Smpp(gateway) => smpp::converse(name, gateway, keypad, stream).await,
            Link::Gsup(gateway) => gsup::converse(name, gateway, keypad, stream).await,
        };
        match ended {
            Ok(()) => tracing::info!(gateway = name, "the USSD gateway closed the connection"),
            Err(error) => tracing::warn!(gateway = name, %error, "the connection to the USSD gateway broke"),
        }
    }
}

/// The language of a configuration; English when it is none of ours.
pub fn language(tag: &str) -> Language {
    Language::from_tag(tag).unwrap_or_default()
}
