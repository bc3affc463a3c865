//! Promotions are tended: every partition asks for its leases before the first recharge needs them, and gives back what
//! promotions that have ended left.

use anyhow::Context as _;
use charge::catalog::Catalogs;
use charge::{Command, OperatorId};
use engine::Engine;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(30);

/// The thread that tends.
pub struct Tender {
    thread: JoinHandle<()>,
    stop: Sender<()>,
}

impl Tender {
    /// Ends the thread; call it before the engine stops.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that tends promotions has panicked");
        }
    }
}

/// Does one round at once, and then others in the background.
pub fn start(engine: &Arc<Engine>, catalogs: &Arc<Catalogs>, partitions: u16) -> anyhow::Result<Tender> {
    let with_promotions = catalogs.iter().filter(|catalog| !catalog.promotions.is_empty());
    let operators: Vec<OperatorId> = with_promotions.map(|catalog| catalog.operator).collect();
    let (stop, stopped) = channel();
    let engine = Arc::clone(engine);
    round(&engine, &operators, partitions);
    let run = move || rounds(&engine, &operators, partitions, &stopped);
    let thread = std::thread::Builder::new()
        .name("promotions".to_owned())
        .spawn(run)
        .context("start the thread that tends promotions")?;
    Ok(Tender { thread, stop })
}

fn rounds(engine: &Engine, operators: &[OperatorId], partitions: u16, stopped: &Receiver<()>) {
    while stopped.recv_timeout(ROUND) == Err(RecvTimeoutError::Timeout) {
        round(engine, operators, partitions);
    }
}

/// Accounts live in every partition but the first, unless it is the only one. What fails is tried in the next round.
fn round(engine: &Engine, operators: &[OperatorId], partitions: u16) {
    let first = u16::from(partitions > 1);
    for home in first..partitions {
        for operator in operators.iter().copied() {
            if let Err(error) = engine.call(Command::TendShares { operator, home }) {
                tracing::debug!(%error, home, operator = operator.0, "promotions could not be tended");
            }
        }
    }
}
