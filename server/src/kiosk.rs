//! `raseed kiosk`: the program of a kiosk's own computer. It serves the touch screen on loopback, speaks with the devices and
//! sells through the operator's server.
//!
//! # Layout
//! * here: putting it together. [`config`]: its file. [`line`]: the operator's server. [`devices`]: lines of devices.
//! * [`command`]: the cash book, and what staff does with it.

pub mod command;
mod config;
mod devices;
mod line;

use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::serve::Signals;
use crate::sockets::bind;
use crate::sockets::listener::BoundedListener;
use ::kiosk::book::Book;
use ::kiosk::shell::Kiosk;
use ::kiosk::till::Till;
use anyhow::Context as _;
use config::KioskConfig;
use serde_json::json;
use sim::kiosk::Bench;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Connections of the kiosk's browser.
const CONNECTIONS_MAX: usize = 64;

/// Runs a kiosk until a signal says stop.
pub fn run(path: &Path, simulate: bool, output: &Output) -> anyhow::Result<()> {
    let config = KioskConfig::read(path)?;
    crate::log::start(&config.log)?;
    let _lock = lock(&config.book)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("kiosk")
        .build()
        .context("start the kiosk's threads")?;
    runtime.block_on(serve(config, simulate, output))
}

async fn serve(mut config: KioskConfig, simulate: bool, output: &Output) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let bench = match simulate {
        true => Some(simulated(&mut config).await?),
        false => None,
    };
    let book = Book::open(&config.book).with_context(|| format!("open {}", config.book.display()))?;
    let till = Till::open(config.settings()?, book, line::now()).context("read the kiosk's book")?;
    let (hands, ends) = devices::hands();
    let server = line::Line::new(&config)?;
    let kiosk = Kiosk::new(
        till,
        Arc::new(server),
        Box::new(hands),
        Box::new(line::now),
        config.look(),
    );

    devices::start(&config, ends, &kiosk);
    tokio::spawn(Arc::clone(&kiosk).standing());
    tokio::spawn(Arc::clone(&kiosk).settling());
    tokio::spawn(Arc::clone(&kiosk).ticking());
    tokio::spawn(Arc::clone(&kiosk).reporting());

    let listener = bind(config.listen, "listen").await?;
    let address = listener
        .local_addr()
        .context("ask for the address of the socket")?;
    let url = format!("http://{address}");
    let ready = json!({"event": "ready", "http": url, "name": config.name, "book": config.book, "simulated": simulate});
    output.value(&ready, |print| {
        print.line(&format!("kiosk {}: {url}", config.name));
        if simulate {
            print.line(&format!("devices are simulated; type:\n{}", sim::kiosk::HELP));
        }
    })?;
    if let Some(bench) = bench {
        // It waits for a line: a thread of its own, which ends with the process.
        std::thread::spawn(move || typed(&bench));
    }
    let listener = BoundedListener::of(listener, CONNECTIONS_MAX);
    let router = ::kiosk::page::router(kiosk);
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { signals.wait().await })
        .await
        .context("serve the touch screen")
}

/// Simulated devices in place of those of the configuration.
async fn simulated(config: &mut KioskConfig) -> anyhow::Result<Arc<Bench>> {
    let bench = Bench::start().await.context("start the simulated devices")?;
    config.cash.acceptor = bench.acceptor.address().to_string();
    config.card.terminal = bench.terminal.address().to_string();
    Ok(Arc::new(bench))
}

/// Carries out what is typed.
fn typed(bench: &Bench) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        if !line.trim().is_empty() {
            eprintln!("{}", bench.tell(&line));
        }
    }
}

/// One program for one book.
fn lock(book: &Path) -> anyhow::Result<File> {
    let path = book.with_extension("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(
            Failure::new(Kind::Unavailable, format!("{} is in use", book.display()))
                .hint("Another kiosk program runs on this book.")
                .into(),
        ),
    }
}
