//! Sockets: HTTP listeners, message centres, and their orderly end.
//!
//! # Layout
//! * here: [`Sockets`], which `serve`, `demo` and commands with `--data` open around a node
//! * [`watch`]: who hears of durable events
//! * `listener`: HTTP connections within limits. [`centres`]: message centres and one-time codes. [`charging`]: Diameter

pub mod centres;
pub mod charging;
pub mod listener;
pub mod watch;

use crate::config::PaymentsConfig;
use crate::failure::{Failure, Kind};
use crate::node::Node;
use crate::node::core::PassingKey;
use crate::notify::campaign::Board;
use crate::payments::connectors::{Forwarder, ForwarderParts, Line};
use crate::payments::desk::{Desk, DeskParts, DeskSettings};
use crate::payments::transport::Network;
use anyhow::Context as _;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::serve::Listener as _;
use centres::Centres;
use charge::Money;
use charge::partner::ApiKey;
use listener::{BoundedListener, Peer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use web::bind::{EngineCore, Reads};
use web::core::{Core, Gauge};
use web::partner_callback::Reach;
use web::receipt::Receipts;
use web::{Web, WebParts};

/// How long open HTTP requests may take to end.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// How often the accounts of people are swept.
const SWEEP_INTERVAL: Duration = Duration::from_secs(300);

/// Listening sockets and what stops them.
pub struct Sockets {
    /// Where HTTP listens.
    pub http: Vec<SocketAddr>,
    /// What answers there.
    pub web: Web,
    stop: tokio::sync::watch::Sender<bool>,
    tasks: Vec<JoinHandle<std::io::Result<()>>>,
}

/// What the HTTP side needs beyond the node.
pub struct HttpParts {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Connections at the same time, all addresses together.
    pub connections_max: usize,
    /// A proxy with TLS stands before us: cookies are for HTTPS only.
    pub behind_tls: bool,
    /// The site's address as people type it.
    pub origin: Option<String>,
    /// Message centres for codes.
    pub centres: Arc<Centres>,
    /// From this amount on two must want a top-up back.
    pub reversal_two_from: Money,
    /// Where callbacks may go.
    pub reach: Reach,
    /// Ways to reach people beside SMS.
    pub ways: web::state::Ways,
    /// A key that is good only in this process.
    pub passing_key: Option<ApiKey>,
    /// Payments: the rails, how they are set up, and who tells the desk of events. `None`: no payments.
    pub payments: Option<PaymentParts>,
    /// Settlement files to look for, every day.
    pub reconciliation: crate::config::ReconciliationConfig,
    /// How staff works.
    pub staff: web::state::StaffSettings,
    /// Set in the demonstration: its handsets and shop get pages.
    pub demo: Option<web::page::demo::Demo>,
}

/// What payments need.
pub struct PaymentParts {
    /// The rails, in the order in which they are offered.
    pub rails: Vec<Arc<dyn rails::Rail>>,
    /// The ways to operators whose core is elsewhere.
    pub lines: Vec<Line>,
    /// Set-up.
    pub config: PaymentsConfig,
    /// Hears of payments.
    pub watch: Arc<watch::Watch>,
}

impl Sockets {
    /// Binds and serves. Within a tokio runtime.
    pub async fn open(node: &Node, mut parts: HttpParts) -> anyhow::Result<Sockets> {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let slots = Arc::new(Semaphore::new(parts.connections_max.min(Semaphore::MAX_PERMITS)));
        let (mut http, mut tasks) = (Vec::new(), Vec::new());
        let mut listeners = Vec::new();
        for address in &parts.listen {
            let listener = BoundedListener::bind(*address, &slots).await?;
            http.push(
                listener
                    .local_addr()
                    .context("ask for the address of the socket")?,
            );
            listeners.push(listener);
        }
        let public_url = match (&parts.origin, http.first()) {
            (Some(origin), _) => origin.clone(),
            (None, Some(first)) => format!("http://{first}"),
            (None, None) => String::new(),
        };
        let autos = parts
            .payments
            .as_ref()
            .map(|payments| Arc::clone(&payments.watch));
        let desk = match parts.payments.take() {
            Some(payments) => Some(desk_of(node, payments, &public_url, stopped.clone())?),
            None => None,
        };
        if let Err(error) = node.cards.tidy().await {
            tracing::warn!(%error, "batches of cards that were not finished are looked for at the next start");
        }
        let web = web_of(node, &mut parts, &public_url, desk);
        if let Some(watch) = autos {
            crate::auto::start(&web, &watch.autos, &stopped);
        }
        for listener in listeners {
            let mut stopped = stopped.clone();
            let service = web::router(web.clone())
                .layer(middleware::from_fn(tell_peer))
                .into_make_service_with_connect_info::<Peer>();
            let serve = axum::serve(listener, service).with_graceful_shutdown(async move {
                // An error means that the sender is gone: stop as well.
                let _ = stopped.wait_for(|stop| *stop).await;
            });
            tasks.push(tokio::spawn(async move { serve.await }));
        }
        tasks.push(tokio::spawn(sweep_people(node.people.clone(), stopped.clone())));
        if web.parts.payments.is_some() {
            let files = crate::reconcile::run(web.clone(), parts.reconciliation, stopped);
            tasks.push(tokio::spawn(files));
        }
        Ok(Sockets {
            http,
            web,
            stop,
            tasks,
        })
    }

    /// Takes nothing new, lets open requests end, closes.
    pub async fn close(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            let abort = task.abort_handle();
            match tokio::time::timeout(DRAIN_MAX, task).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => tracing::warn!(%error, "an HTTP listener ended"),
                Ok(Err(error)) => tracing::error!(%error, "an HTTP listener failed"),
                Err(_) => {
                    tracing::warn!("open HTTP requests were cut off");
                    abort.abort();
                }
            }
        }
    }
}

/// Removes what has passed its time from the accounts of people, until told to stop.
async fn sweep_people(
    people: people::People,
    mut stopped: tokio::sync::watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut told = None;
    loop {
        let (people, ends) = (people.clone(), people.clone());
        if let Ok(Ok(end)) = tokio::task::spawn_blocking(move || ends.staff_trail_end()).await
            && end != told
        {
            // The log goes elsewhere: with this line nobody can put back an older file unseen.
            if let Some((line, mark)) = &end {
                tracing::info!(line, mark, "the trail of staff ends here");
            }
            told = end;
        }
        let swept = tokio::task::spawn_blocking(move || people.sweep(crate::node::now())).await;
        match swept {
            Ok(Ok(0)) => {}
            Ok(Ok(deleted)) => tracing::info!(deleted, "accounts of people deleted as they asked"),
            Ok(Err(error)) => tracing::warn!(%error, "the accounts of people were not swept"),
            Err(error) => tracing::error!(%error, "the sweep of people failed"),
        }
        tokio::select! {
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
            _ = stopped.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

/// The handlers know peers by their plain address.
async fn tell_peer(
    ConnectInfo(Peer(address)): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(ConnectInfo(address));
    next.run(request).await
}

/// Binds a socket; says who was asked for it when it does not work.
pub async fn bind(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!("Another program listens there. Stop it, or set {setting}.")
            }
            std::io::ErrorKind::PermissionDenied => {
                format!("This port is for the administrator. Set {setting} to one above 1023.")
            }
            _ => format!("Set {setting} to an address of this machine."),
        };
        Failure::new(Kind::Unavailable, format!("listen on {address}: {error}"))
            .hint(hint)
            .into()
    })
}

/// Opens the payment desk.
fn desk_of(
    node: &Node,
    parts: PaymentParts,
    public_url: &str,
    stopped: tokio::sync::watch::Receiver<bool>,
) -> anyhow::Result<Desk> {
    let core: Arc<dyn Core> = Arc::new(EngineCore(Arc::clone(&node.engine)));
    let reads = Arc::new(Reads::new(Arc::new(node.store.clone()), node.reads.clone()));
    let transport: Arc<dyn rails::Transport> =
        Arc::new(Network::new().context("set up calls to payment rails")?);
    let clock: web::state::Clock = Arc::new(crate::node::now);
    let forwards = ForwarderParts {
        core: Arc::clone(&core),
        reads: Arc::clone(&reads),
        transport: Arc::clone(&transport),
        lines: parts.lines,
        clock: Arc::clone(&clock),
    };
    let desk = DeskParts {
        core,
        reads,
        transport,
        rails: parts.rails,
        forwarder: Forwarder::open(forwards, &parts.watch.forwards, &stopped),
        clock,
        settings: DeskSettings {
            public_url: public_url.trim_end_matches('/').to_owned(),
            payable_s: parts.config.payable_s,
            wanted_s: parts.config.wanted_s,
            rates: parts.config.rates,
        },
        means: Arc::new(crate::auto::KeptMeans(node.people.clone())),
    };
    Ok(Desk::open(desk, &parts.watch.payments, stopped))
}

fn web_of(node: &Node, parts: &mut HttpParts, public_url: &str, payments: Option<Desk>) -> Web {
    let lag = node.lag();
    let desk = Arc::clone(&node.desk);
    let open_payments = payments.clone();
    let (centres, callbacks) = (Arc::clone(&parts.centres), node.callbacks.clone());
    let gauges = move || {
        let mut gauges = centres.gauges();
        gauges.extend(crate::callbacks::gauges(&callbacks));
        gauges.push(gauge(
            "outbox_lag_batches",
            "Batches that the outbox does not have yet",
            lag.outbox.load(Ordering::Relaxed),
        ));
        if let Some(payments) = &open_payments {
            let open = u64::try_from(payments.open_payments()).unwrap_or(u64::MAX);
            gauges.push(gauge("payments_open", "Payments that are not decided", open));
            gauges.extend(connector_gauges(payments));
        }
        for (way, backlog) in desk.outbox().lock().letter_backlog().unwrap_or_default() {
            for (name, help, value) in [
                ("letters_pending", "Letters to be sent", backlog.pending),
                ("letters_failed", "Letters that were given up", backlog.failed),
            ] {
                gauges.push(Gauge {
                    label: Some(("way", way.to_owned())),
                    ..gauge(name, help, value)
                });
            }
        }
        if let Ok(backlog) = desk.backlog() {
            gauges.push(gauge("outbox_pending", "Messages to be sent", backlog.pending));
            gauges.push(gauge(
                "outbox_failed",
                "Messages that were given up",
                backlog.failed,
            ));
        }
        gauges
    };
    let core = EngineCore(Arc::clone(&node.engine));
    let core: Arc<dyn Core> = match parts.passing_key.clone() {
        Some(key) => Arc::new(PassingKey { core, key }),
        None => Arc::new(core),
    };
    let web = WebParts {
        core,
        reads: Reads::new(Arc::new(node.store.clone()), node.reads.clone()),
        callbacks: node.callbacks.clone(),
        reach: parts.reach,
        catalogs: Arc::clone(&node.catalogs),
        clock: Arc::new(crate::node::now),
        gauges: Arc::new(gauges),
        codes: Arc::clone(&parts.centres) as Arc<dyn web::state::CodeSender>,
        people: node.people.clone(),
        outlets: node.outlets.clone(),
        ways: std::mem::take(&mut parts.ways),
        announcements: Some(Arc::new(Board(Arc::clone(&node.desk)))),
        origin: parts.origin.take(),
        secret: node.instance.secret(),
        receipts: Receipts {
            keys: Arc::clone(&node.receipt_keys),
            public_url: public_url.into(),
        },
        payments: payments.map(|desk| Arc::new(desk) as Arc<dyn web::payments::PaymentDesk>),
        exceptions: Some(node.exceptions.clone()),
        reversal_two_from: parts.reversal_two_from,
        staff: parts.staff,
        cards: Some(node.cards.clone()),
        https: parts.behind_tls,
    };
    match parts.demo.take() {
        Some(demo) => Web::for_demo(web, demo),
        None => Web::new(web),
    }
}

/// Balances at connectors, and what waits for them.
fn connector_gauges(desk: &Desk) -> Vec<Gauge> {
    let infos = web::payments::PaymentDesk::connectors(desk);
    let waiting = infos.first().map(|info| {
        let waiting = u64::try_from(info.waiting).unwrap_or(u64::MAX);
        gauge(
            "connector_sales_open",
            "Sales for other operators that have not ended",
            waiting,
        )
    });
    let labelled = |info: &web::payments::ConnectorInfo, name, help, value| Gauge {
        label: Some(("connector", info.code.to_string())),
        value,
        ..gauge(name, help, 0)
    };
    let mut gauges: Vec<Gauge> = waiting.into_iter().collect();
    for info in &infos {
        if let Some((balance, _)) = info.balance {
            let help = "Balance of our account at a connector, millionths";
            gauges.push(labelled(info, "connector_balance_micros", help, balance.0));
        }
        let help = "1 when the balance at a connector is low";
        gauges.push(labelled(info, "connector_balance_low", help, i64::from(info.low)));
    }
    gauges
}

fn gauge(name: &'static str, help: &'static str, value: u64) -> Gauge {
    Gauge {
        name,
        help,
        label: None,
        value: i64::try_from(value).unwrap_or(i64::MAX),
    }
}
