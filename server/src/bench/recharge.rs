//! `raseed bench recharge`: guests pay over HTTP through the sandbox of a wallet; everything in this process, over loopback.

use super::setting::Scratch;
use super::{Load, OPERATOR};
use crate::config::Config;
use crate::node::Node;
use crate::serve::Up;
use crate::sockets::watch::Watch;
use anyhow::{Context as _, anyhow, bail};
use charge::payment::{PaymentId, PaymentState};
use charge::{AccountId, Entity, EntityKey, Money};
use serde_json::json;
use sim::bench::recharge::{Target, run as load_it};
use sim::bench::report::{Report, report, rss_bytes};
use sim::bench::{Plan, journal};
use sim::rails::jazzcash::{Account, JazzCash};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The rail's name.
const RAIL: &str = "jazzcash-wallet";
/// What is on its way when the load ends is asked about within this time.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// Makes accounts, runs the load, and counts what the rail took and what was credited.
pub(super) fn run(load: &Load) -> anyhow::Result<Report> {
    if load.data.is_some() {
        bail!("this mode makes its own data directory");
    }
    let scratch = Scratch::make()?;
    let mut config = Config {
        data: scratch.0.clone(),
        ..Config::default()
    };
    config.http.listen = vec![([127, 0, 0, 1], 0).into()];
    config.http.connections_max = 20_000;
    config.diameter.listen = Vec::new();
    config.engine.threads = usize::try_from(load.threads).unwrap_or(2);
    config.engine.cache_mib = usize::try_from(load.cache_mib).unwrap_or(4_096);
    config.engine.snapshot_interval_s = u32::try_from(load.snapshot_seconds).unwrap_or(60);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the network threads")?;
    let watch = Arc::new(Watch::default());
    let node = Node::open(&config, Some(Arc::clone(&watch) as Arc<dyn engine::Observer>))?;
    let operator = node
        .catalogs
        .by_code(OPERATOR)
        .context("the catalog has no operator")?;
    let (operator, began) = (operator.operator, Instant::now());
    let population = journal::populate(&node.engine, operator, load.subscribers, |_| {});
    let population = population.map_err(|error| anyhow!(error))?;
    let populate_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    node.catch_up()?;
    let rss_idle_bytes = rss_bytes();
    let plan = load.plan();
    eprintln!(
        "{} accounts; measuring {} s after the warm-up",
        load.subscribers, load.seconds
    );
    let measured = runtime.block_on(async {
        let account = Account::default();
        let sandbox = JazzCash::new(account.clone());
        let served = sandbox.serve(0).await.context("start the sandbox")?;
        let rail = rails::jazzcash::JazzCash::new(serde_json::from_value(json!({
            "code": RAIL, "flow": "wallet", "host": served.url, "merchant_id": account.merchant_id,
            "password": account.password, "salt": account.salt, "mpin": account.mpin,
        }))?)?;
        let up = Up::open(&config, &node, &watch, vec![Arc::new(rail)], None).await?;
        let url = format!("http://{}", up.http()[0]);
        sandbox.desk.send_to(&format!("{url}/rails/{RAIL}"));
        let target = Target {
            url,
            rail: RAIL.to_owned(),
            msisdn: population.msisdn,
        };
        let measured = load_it(&plan, &target).await.map_err(|error| anyhow!(error))?;
        let found = settled(&node, &sandbox).await?;
        up.close().await;
        Ok::<_, anyhow::Error>((measured, found))
    });
    let (measured, (lost, credited_twice)) = measured?;
    node.stop();
    runtime.shutdown_timeout(Duration::from_secs(5));
    if let Some(error) = measured.first_error {
        eprintln!("the first error: {error}");
    }
    let plan = Plan {
        rate: Some(measured.rate),
        ..plan
    };
    Ok(Report {
        workload: "guest recharges, two requests each",
        durable: true,
        populate_ms: Some(populate_ms),
        rss_idle_bytes: Some(rss_idle_bytes),
        lost: Some(lost),
        credited_twice: Some(credited_twice),
        ..report("recharge", &plan, &measured.latencies, measured.elapsed)
    })
}

/// Payments that the rail took and nobody has, and credits that the rail did not take, after all questions have been asked.
async fn settled(node: &Node, sandbox: &JazzCash) -> anyhow::Result<(u64, u64)> {
    let deadline = Instant::now() + SETTLE_MAX;
    loop {
        let (lost, twice) = count(node, sandbox)?;
        if lost == 0 || Instant::now() >= deadline {
            return Ok((lost, twice));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn count(node: &Node, sandbox: &JazzCash) -> anyhow::Result<(u64, u64)> {
    let (mut lost, mut twice) = (0, 0);
    let mut bought: HashMap<AccountId, Money> = HashMap::new();
    for movement in sandbox.desk.movements() {
        let id = PaymentId::parse(&movement.order).context("an order that is no payment of ours")?;
        let payment = node
            .engine
            .read(id.key(), |entity, _| entity.and_then(Entity::payment).cloned())
            .context("read a payment")?;
        let credited = payment.filter(|payment| payment.state == PaymentState::Succeeded);
        match credited.and_then(|payment| Some((payment.account()?, payment.outcome?.credited))) {
            Some((account, credited)) => {
                let sum = bought.entry(account).or_insert(Money::ZERO);
                *sum += credited;
            }
            None => lost += 1,
        }
    }
    for (account, bought) in bought {
        let now = crate::node::now();
        let balance = node
            .engine
            .read(EntityKey::Account(account), move |entity, _| {
                entity
                    .and_then(Entity::account)
                    .map(|account| account.main_total(now))
            })
            .context("read an account")?
            .context("an account without an account")?;
        let opening = sim::bench::core::open_account(0, charge::OperatorId(1)).opening_balance;
        twice += u64::from(balance > opening + bought);
        lost += u64::from(balance < opening + bought);
    }
    Ok((lost, twice))
}
