//! `raseed demo`: the whole system on loopback, and the story of a recharge over the real protocols.
//!
//! # Layout
//! * here: setting up, staying up, taking down
//! * [`story`]: what happens, step by step, and what must hold
//! * [`stage`]: how it is told; [`handsets`]: what the page shows of it; [`dialler`]: what its handset dials with
//! * [`shop`]: a till and outlets to try. [`rails`]: sandboxes to pay with

mod dialler;
mod handsets;
mod rails;
mod shop;
mod stage;
mod story;

use crate::cli::DemoArgs;
use crate::client::Client;
use crate::commands::upkeep::audit_live;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::node::Node;
use crate::output::Output;
use crate::serve::{Signals, Up};
use crate::sms::SmsConfig;
use crate::sockets::watch::Watch;
use crate::ussd::config::HttpGateway;
use anyhow::Context as _;
use sim::smsc::Smsc;
use stage::Stage;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Runtime;
use wire::smpp::CentreConfig;

/// Plays the demo.
pub fn run(args: &DemoArgs, output: &Output) -> anyhow::Result<()> {
    crate::log::start("warn")?;
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the network threads")?;
    let place = Place::new(args.data.as_deref())?;
    let smsc = runtime
        .block_on(Smsc::start(loopback(0), CentreConfig::default()))
        .context("start the simulated message centre")?;
    let config = config_of(&place.dir, args.port, smsc.address());
    let watch = Arc::new(Watch::default());
    let node = Node::open(&config, Some(Arc::clone(&watch) as Arc<dyn engine::Observer>))?;
    let played = play(args, &config, &node, &watch, &smsc, &runtime, started, output);
    runtime.block_on(smsc.stop());
    node.stop();
    played
}

#[allow(
    clippy::too_many_arguments,
    reason = "the parts of the whole, put together once"
)]
fn play(
    args: &DemoArgs,
    config: &Config,
    node: &Node,
    watch: &Arc<Watch>,
    smsc: &Smsc,
    runtime: &Runtime,
    started: Instant,
    output: &Output,
) -> anyhow::Result<()> {
    let sandboxes = runtime.block_on(rails::Sandboxes::start())?;
    let mut config = config.clone();
    config.payments.rates = Some(sandboxes.rates.clone());
    config.connector.clone_from(&sandboxes.connectors);
    let config = &config;
    let handset = Arc::new(dialler::Handset::default());
    let up = runtime.block_on(Up::open(
        config,
        node,
        watch,
        sandboxes.rails.clone(),
        Some(handsets::demo(smsc.inbox(), Arc::clone(&handset))?),
    ))?;
    handset.connect(up.ussd());
    let url = format!("http://{}", up.http()[0]);
    sandboxes.send_to(&url);
    let key = node.first_admin_key()?.ok_or_else(|| {
        Failure::usage(format!("{} holds the data of another run", config.data.display()))
            .hint("Give an empty or a missing directory, or none.")
    })?;
    let mut stage = Stage::new(output.json, started);
    let world = story::World {
        admin: Client::to(&url, &key),
        url: url.clone(),
        diameter: up.diameter()[0],
        inbox: smsc.inbox(),
        runtime,
    };
    stage.opening(
        &url,
        &up.diameter()[0].to_string(),
        &smsc.address().to_string(),
        &place_name(args, config),
    );
    let mut shop = 0;
    let told = story::tell(&world, &mut stage).and_then(|()| {
        shop = shop::open(&world, &mut stage)?;
        let audited = audit_live(node)?;
        story::tell_audit(&audited, &mut stage);
        Ok(())
    });
    if let Err(error) = told {
        stage.check(
            &format!("the story ended early: {}", crate::failure::chain(&error)),
            false,
        );
    }
    let failed = stage.end(output)?;
    if failed == 0 && !args.once {
        stage.stay(&url, &key, shop);
        runtime.block_on(async {
            Signals::listen()?.wait().await;
            anyhow::Ok(())
        })?;
    }
    runtime.block_on(up.close());
    match failed {
        0 => Ok(()),
        failed => {
            Err(Failure::new(Kind::Failed, format!("{failed} checks of the story did not hold")).into())
        }
    }
}

fn config_of(data: &Path, port: u16, centre: SocketAddr) -> Config {
    let mut config = Config::default();
    config.callbacks.allow_loopback = true;
    data.clone_into(&mut config.data);
    config.http.listen = vec![loopback(port)];
    config.diameter.listen = vec![loopback(0)];
    config.engine.cache_mib = 64;
    let sms = SmsConfig {
        address: centre.to_string(),
        sender: "Jazz".to_owned(),
        ..SmsConfig::default()
    };
    config.sms.insert("default".to_owned(), sms);
    let gateway = HttpGateway {
        listen: loopback(0),
        ..HttpGateway::default()
    };
    config.ussd.http.insert(dialler::GATEWAY.to_owned(), gateway);
    config
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn place_name(args: &DemoArgs, config: &Config) -> String {
    match args.data {
        Some(_) => config.data.display().to_string(),
        None => "a scratch directory, removed at the end".to_owned(),
    }
}

/// Where the data lie; a scratch directory goes away with this.
struct Place {
    dir: PathBuf,
    scratch: bool,
}

impl Place {
    fn new(data: Option<&Path>) -> anyhow::Result<Place> {
        let (dir, scratch) = match data {
            Some(dir) => (dir.to_owned(), false),
            None => (
                std::env::temp_dir().join(format!("raseed-demo-{:016x}", rand::random::<u64>())),
                true,
            ),
        };
        std::fs::create_dir_all(&dir).with_context(|| format!("make the directory {}", dir.display()))?;
        Ok(Place { dir, scratch })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.scratch {
            // The system's own cleaning takes what is left.
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}
