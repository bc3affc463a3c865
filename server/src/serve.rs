//! `raseed serve`: everything together, until a signal says stop.

use crate::banks::Banks;
use crate::callbacks::{self, Deliverer};
use crate::cli::ServeArgs;
use crate::config::{Config, reference};
use crate::keywords::Letters;
use crate::mail::Mailer;
use crate::node::Node;
use crate::notify::campaign::Announcer;
use crate::notify::courier::Courier;
use crate::notify::security::Guard;
use crate::notify::words::Writer;
use crate::output::Output;
use crate::push::Pusher;
use crate::sockets::centres::Centres;
use crate::sockets::charging::Charging;
use crate::sockets::watch::Watch;
use crate::sockets::{HttpParts, PaymentParts, Sockets};
use crate::ussd::{self, Gateways};
use anyhow::Context as _;
use keypad::Keypad;
use keypad::keywords::Keywords;
use keypad::till::Till;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use web::state::{CodeMailer, SecurityNotices, Ways};

/// Runs the server.
pub fn run(args: &ServeArgs, output: &Output) -> anyhow::Result<()> {
    if args.print_config {
        return output.value(&Value::String(reference::example()), |print| {
            print.line(reference::example().trim_end());
        });
    }
    let mut config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if let Some(data) = &args.data {
        data.clone_into(&mut config.data);
    }
    crate::log::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("network")
        .build()
        .context("start the network threads")?;
    let started = Instant::now();
    let watch = Arc::new(Watch::default());
    let node = Node::open(&config, Some(Arc::clone(&watch) as Arc<dyn engine::Observer>))?;
    let served = runtime.block_on(serve(&config, &node, &watch, started, output));
    tracing::info!("stopping");
    node.stop();
    tracing::info!("stopped");
    served
}

async fn serve(
    config: &Config,
    node: &Node,
    watch: &Arc<Watch>,
    started: Instant,
    output: &Output,
) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let up = Up::open(
        config,
        node,
        watch,
        crate::payments::rails_of(&config.payments)?,
        None,
    )
    .await?;
    if let Some(key) = node.first_admin_key()? {
        announce_key(&key, output)?;
    }
    let http: Vec<String> = up
        .http()
        .iter()
        .map(|address| format!("http://{address}"))
        .collect();
    let diameter: Vec<String> = up.diameter().iter().map(ToString::to_string).collect();
    let ussd: Vec<String> = up
        .ussd()
        .iter()
        .map(|(name, address)| format!("{name} {address}"))
        .collect();
    let ready = json!({
        "event": "ready", "http": http, "diameter": diameter, "ussd": ussd, "data": config.data,
        "iso8583": up.banks.iso8583, "onebill": up.banks.onebill,
        "partitions": node.instance.partitions,
        "started_in_ms": u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    output.value(&ready, |print| {
        for address in &up.banks.iso8583 {
            print.line(&format!("listening: ISO 8583 on {address}"));
        }
        for address in &up.banks.onebill {
            print.line(&format!("listening: 1BILL on http://{address}"));
        }
        for address in &http {
            print.line(&format!("listening: {address}"));
        }
        for address in &diameter {
            print.line(&format!("listening: Diameter on {address}"));
        }
        for address in &ussd {
            print.line(&format!("listening: USSD gateway {address}"));
        }
        print.line(&format!("ready: data in {}; Ctrl-C stops", config.data.display()));
    })?;
    tracing::info!(?http, ?diameter, "ready");
    signals.wait().await;
    up.close().await;
    Ok(())
}

/// Everything around a node that has a socket.
pub struct Up {
    centres: Arc<Centres>,
    callbacks: Deliverer,
    couriers: Couriers,
    sockets: Sockets,
    gateways: Gateways,
    charging: Charging,
    banks: Banks,
}

impl Up {
    /// Connects and listens as configured. Within a tokio runtime.
    pub async fn open(
        config: &Config,
        node: &Node,
        watch: &Arc<Watch>,
        rails: Vec<Arc<dyn rails::Rail>>,
        demo: Option<web::page::demo::Demo>,
    ) -> anyhow::Result<Up> {
        let centres = Arc::new(Centres::start(node, &config.sms)?);
        let public_url = config.http.public_url.clone().unwrap_or_default();
        let mailer = Mailer::new(&config.mail, &public_url)?;
        let mail = mailer.clone();
        let parts = HttpParts {
            listen: config.http.listen.clone(),
            connections_max: config.http.connections_max,
            behind_tls: config.http.behind_tls,
            origin: config.http.public_url.clone(),
            centres: Arc::clone(&centres),
            reversal_two_from: config.partners.reversal_two_from.0,
            reach: config.callbacks.reach(),
            ways: Ways {
                security: Some(Arc::new(Guard(Arc::clone(&node.desk))) as Arc<dyn SecurityNotices>),
                mail: mail.map(|mailer| Arc::new(mailer) as Arc<dyn CodeMailer>),
                push_key: Some(node.push_key.public()),
                push_reach: config.push.reach(),
            },
            passing_key: None,
            payments: Some(PaymentParts {
                rails,
                lines: crate::payments::lines_of(&config.connector, &node.catalogs)?,
                config: config.payments.clone(),
                watch: Arc::clone(watch),
            }),
            reconciliation: config.reconciliation.clone(),
            staff: config.staff.settings(),
            demo,
        };
        let callbacks = Deliverer::start(callbacks::Parts {
            log: node.callbacks.clone(),
            secrets: callbacks::secrets_of(&node.engine),
            sealer: web::partner_callback::Sealer::new(&node.instance.secret()),
            catalogs: Arc::clone(&node.catalogs),
            config: config.callbacks.clone(),
            now: crate::node::now,
        })?;
        let sockets = Sockets::open(node, parts).await?;
        let couriers = Couriers::start(node, config, &sockets, mailer)?;
        let keypad = Keypad::new(
            sockets.web.clone(),
            keypad::Parts {
                language: ussd::language(&config.ussd.language),
                shop: Some(Arc::new(Till(sockets.web.clone()))),
            },
        );
        let answers = Arc::new(Letters(Arc::clone(&node.desk)));
        centres.listen(&node.desk, &Arc::new(Keywords::new(keypad.clone(), answers)));
        let banks = Banks::open(&config.banks, &sockets.web).await?;
        Ok(Up {
            centres,
            callbacks,
            couriers,
            gateways: Gateways::open(&keypad, &config.ussd).await?,
            sockets,
            charging: Charging::open(node, &config.diameter, &watch.recharges).await?,
            banks,
        })
    }

    /// Where HTTP listens.
    pub fn http(&self) -> &[SocketAddr] {
        &self.sockets.http
    }

    /// Where USSD gateways find us: name and address.
    pub fn ussd(&self) -> &[(String, SocketAddr)] {
        &self.gateways.http
    }

    /// Where Diameter listens.
    pub fn diameter(&self) -> &[SocketAddr] {
        &self.charging.listening
    }

    /// Takes nothing new, lets what is under way end, closes.
    pub async fn close(self) {
        self.banks.close();
        self.charging.close();
        self.gateways.close().await;
        self.sockets.close().await;
        self.callbacks.stop().await;
        self.couriers.stop().await;
        self.centres.stop().await;
    }
}

/// What carries letters beside SMS, and what writes those of campaigns.
struct Couriers {
    couriers: Vec<Courier>,
    announcer: Announcer,
    guard: tokio::task::JoinHandle<()>,
}

impl Couriers {
    fn start(
        node: &Node,
        config: &Config,
        sockets: &Sockets,
        mailer: Option<Mailer>,
    ) -> anyhow::Result<Couriers> {
        let desk = &node.desk;
        let writer = Writer::new(desk.around().clone(), desk.quiet(), Some(sockets.web.clone()));
        let writer = Arc::new(writer);
        // Names of letters tell installations apart and say nothing else.
        let name = installation(&node.instance.secret());
        let mut couriers = Vec::new();
        if let Some(mailer) = mailer {
            couriers.push(Courier::start(
                Arc::clone(desk),
                Arc::clone(&writer),
                mailer,
                name.clone(),
            ));
        }
        let key = Arc::clone(&node.push_key);
        let public_url = config.http.public_url.as_deref().unwrap_or_default();
        let pusher = Pusher::new(&config.push, key, public_url, node.people.clone())?;
        couriers.push(Courier::start(Arc::clone(desk), writer, pusher, name));
        Ok(Couriers {
            couriers,
            announcer: Announcer::start(Arc::clone(desk), desk.quiet()),
            guard: Guard::watch(Arc::clone(desk)),
        })
    }

    async fn stop(self) {
        self.guard.abort();
        self.announcer.stop().await;
        for courier in self.couriers {
            courier.stop().await;
        }
    }
}

/// Twelve hexadecimal digits that are the same as long as the data directory lives.
fn installation(secret: &[u8; 32]) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let tag = aws_lc_rs::hmac::sign(&key, b"names of letters");
    tag.as_ref()[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn announce_key(key: &str, output: &Output) -> anyhow::Result<()> {
    output.value(&json!({"event": "admin_key", "key": key}), |print| {
        print.line(&format!("admin API key (shown once, keep it): {key}"));
    })
}

/// SIGTERM and Ctrl-C.
pub struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> anyhow::Result<Signals> {
        Ok(Signals {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .context("listen for signals")?,
        })
    }

    /// Waits for one of them.
    pub async fn wait(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
