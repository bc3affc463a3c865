//! Redeeming cards at planned times.

use super::{CardsLoad, WARM_UP_S};
use anyhow::Context as _;
use charge::Msisdn;
use engine::StatsSnapshot;
use std::path::Path;
use std::time::{Duration, Instant};
use web::cards::{CardChannel, CardDesk};

/// Commits one after the other in a redemption: the card is taken, the account is credited.
const SYNCS: u32 = 2;

/// What was measured of redemptions.
pub(super) struct Redeemed {
    /// From the planned time to the answer, microseconds, sorted.
    pub latencies: Vec<u64>,
    /// The longest of each second, microseconds: whether what was slow came in one moment or all the time.
    pub slowest: Vec<u64>,
    pub errors: u64,
    /// What the first of them said.
    pub error: Option<String>,
}

/// Redeems each PIN at its planned time, for one account after the other.
pub(super) async fn redeem(load: &CardsLoad, desk: &CardDesk, pins: Vec<String>, first: u64) -> Redeemed {
    let (began, mut tasks) = (Instant::now(), tokio::task::JoinSet::new());
    for (index, pin) in (0_u64..).zip(pins) {
        let planned = began + Duration::from_micros(index * 1_000_000 / load.rate);
        if planned > Instant::now() {
            tokio::time::sleep_until(planned.into()).await;
        }
        let desk = desk.clone();
        let number = first + index * 7_919 % load.subscribers;
        let second = (index / load.rate).checked_sub(WARM_UP_S);
        tasks.spawn(async move {
            let number = Msisdn::new(number).map_err(|error| error.to_string())?;
            let done = desk.redeem_here(CardChannel::Ussd, number, &pin).await;
            done.map_err(|error| error.to_string())?;
            let took = u64::try_from(planned.elapsed().as_micros()).unwrap_or(u64::MAX);
            Ok::<_, String>((second, took))
        });
    }
    let mut redeemed = Redeemed {
        latencies: Vec::new(),
        slowest: vec![0; usize::try_from(load.seconds).unwrap_or(0)],
        errors: 0,
        error: None,
    };
    while let Some(done) = tasks.join_next().await {
        match done.unwrap_or_else(|error| Err(error.to_string())) {
            Ok((Some(second), took)) => {
                redeemed.latencies.push(took);
                let second = usize::try_from(second).unwrap_or(usize::MAX);
                if let Some(slowest) = redeemed.slowest.get_mut(second) {
                    *slowest = took.max(*slowest);
                }
            }
            Ok((None, _)) => {}
            Err(error) => {
                redeemed.errors += 1;
                redeemed.error.get_or_insert(error);
            }
        }
    }
    redeemed.latencies.sort_unstable();
    redeemed
}

/// What the engine did for the redemptions.
pub(super) struct Work {
    pub commits: u64,
    pub bytes: u64,
    pub commands: u64,
    pub reads: u64,
    pub absent: u64,
    pub rows: u64,
}

impl Work {
    /// Between two looks.
    pub fn between(before: &StatsSnapshot, after: &StatsSnapshot) -> Work {
        Work {
            commits: after.commits - before.commits,
            bytes: after.batch_bytes - before.batch_bytes,
            commands: after.commands - before.commands,
            reads: after.snapshot_reads - before.snapshot_reads,
            absent: after.snapshot_absent - before.snapshot_absent,
            rows: after.snapshot_rows - before.snapshot_rows,
        }
    }

    /// The disk alone, in the same way: as many operations a second for as long, each of which waits for two syncs of as
    /// many bytes. From the planned time, microseconds, sorted.
    pub fn limit(&self, load: &CardsLoad, dir: &Path) -> anyhow::Result<Vec<u64>> {
        let syncs = load.redemptions() * u64::from(SYNCS);
        let open_loop = store::OpenLoop {
            rate: u32::try_from(load.rate).unwrap_or(u32::MAX),
            time: Duration::from_secs(load.seconds),
            syncs: SYNCS,
            bytes: usize::try_from(self.bytes / syncs.max(1)).unwrap_or(0).max(1),
        };
        let took = store::raw_open_loop(dir, open_loop).context("measure the disk alone")?;
        let micros = |took: &Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Ok(took.iter().map(micros).collect())
    }
}
