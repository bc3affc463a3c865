//! The daily reconciliation: each rail's settlement file is looked for in its directory, and compared with the books once.
//!
//! What was compared, and which file did not come, stands beside the exceptions: after a restart nothing is compared twice, and
//! what is missing keeps its age. A file that changed after it was compared is compared again, once.

use crate::config::{FileSource, ReconciliationConfig};
use charge::Code;
use charge::time::{DAY, SECOND};
use rails::reconcile::Kind;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;
use web::Web;
use web::limits::SETTLEMENT_BYTES_MAX;
use web::reconcile::{DAY_OFFSET_S, DayFile, compare_day, digest_of, file_wanted};

/// A file that was changed so lately may still be on its way.
const QUIET: Duration = Duration::from_secs(2);

/// Looks for files until told to stop.
pub async fn run(
    web: Web,
    config: ReconciliationConfig,
    mut stopped: watch::Receiver<bool>,
) -> std::io::Result<()> {
    if config.source.is_empty() {
        return Ok(());
    }
    let every = Duration::from_secs(u64::from(config.every_s.max(1)));
    loop {
        for source in &config.source {
            tokio::select! {
                () = look(&web, &config, source) => {}
                _ = stopped.wait_for(|stop| *stop) => return Ok(()),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stopped.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

/// The last day whose file must be there: yesterday, once its hour has come; in the time of Pakistan.
fn due_day(now_us: i64, at_minute: u32) -> i32 {
    let local = now_us + (DAY_OFFSET_S - i64::from(at_minute) * 60) * SECOND;
    i32::try_from(local.div_euclid(DAY) - 1).unwrap_or(i32::MAX)
}

async fn look(web: &Web, config: &ReconciliationConfig, source: &FileSource) {
    let (Some(rail), Some(at)) = (Code::new(&source.rail), source.minute(config)) else {
        return;
    };
    let Some(kept) = web.parts.exceptions.clone() else {
        return;
    };
    let last = due_day(web.now().0, at);
    let since = tokio::task::spawn_blocking(move || kept.files_expected_since(rail, last)).await;
    let since = match since {
        Ok(Ok(since)) => since,
        other => {
            tracing::error!(%rail, ?other, "the daily reconciliation cannot read what was compared");
            return;
        }
    };
    let first = last.saturating_sub(i32::try_from(config.late_days).unwrap_or(0));
    for day in first..=last {
        if let Err(error) = look_for(web, source, rail, (day, since)).await {
            tracing::warn!(%rail, day, error = %error, "a settlement file could not be compared");
        }
    }
}

async fn look_for(
    web: &Web,
    source: &FileSource,
    rail: Code,
    (day, since): (i32, i32),
) -> anyhow::Result<()> {
    let path = source.path(day);
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let at = path.clone();
    let found = tokio::task::spawn_blocking(move || read(&at)).await??;
    let file = match found {
        Found::File(file) => file,
        Found::Arriving => return Ok(()),
        Found::Nothing => {
            if day >= since
                && !known(web, rail, day, None).await?
                && wanted(web, rail, day, Kind::NoFile, &name).await?
            {
                tracing::warn!(%rail, file = name, "a settlement file did not come");
            }
            return Ok(());
        }
        Found::TooLarge => {
            wanted(web, rail, day, Kind::BadFile, &name).await?;
            return Ok(());
        }
    };
    if known(web, rail, day, Some(digest_of(&file))).await? {
        return Ok(());
    }
    let of = DayFile {
        rail,
        day,
        fee_max_bp: source.fee_max_bp,
        source: "daily".to_owned(),
    };
    match compare_day(web, of, file).await {
        Ok(done) => {
            let run = done.run;
            tracing::info!(%rail, file = name, lines = run.lines, matched = run.matched, new = done.new, "compared");
            Ok(())
        }
        Err(problem) if problem.fault.spec().1 < 500 => {
            if wanted(web, rail, day, Kind::BadFile, &name).await? {
                tracing::warn!(%rail, file = name, why = problem.fault.key(), "a settlement file cannot be read");
            }
            Ok(())
        }
        Err(problem) => anyhow::bail!("{}", problem.fault.key()),
    }
}

/// Whether a day was compared: with this very file, or with any.
async fn known(web: &Web, rail: Code, day: i32, digest: Option<String>) -> anyhow::Result<bool> {
    let Some(kept) = web.parts.exceptions.clone() else {
        return Ok(true);
    };
    let run = tokio::task::spawn_blocking(move || kept.run_of(rail, day)).await??;
    Ok(run.is_some_and(|run| digest.is_none_or(|digest| run.digest == digest)))
}

async fn wanted(web: &Web, rail: Code, day: i32, kind: Kind, name: &str) -> anyhow::Result<bool> {
    file_wanted(web, (rail, day), kind, name)
        .await
        .map_err(|problem| anyhow::anyhow!("{}", problem.fault.key()))
}

enum Found {
    File(Vec<u8>),
    /// It is still being written.
    Arriving,
    Nothing,
    TooLarge,
}

fn read(path: &Path) -> std::io::Result<Found> {
    let about = match std::fs::metadata(path) {
        Ok(about) if about.is_file() => about,
        Ok(_) => return Ok(Found::Nothing),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    if about.len() > SETTLEMENT_BYTES_MAX as u64 {
        return Ok(Found::TooLarge);
    }
    let changed = about.modified()?;
    if !changed.elapsed().is_ok_and(|since| since >= QUIET) {
        return Ok(Found::Arriving);
    }
    let mut file = File::open(path)?;
    let mut text = Vec::new();
    file.by_ref().take(about.len()).read_to_end(&mut text)?;
    // Somebody may have begun to write meanwhile: half a file is not compared.
    let now = file.metadata()?;
    if (now.len(), now.modified()?) != (about.len(), changed) {
        return Ok(Found::Arriving);
    }
    Ok(Found::File(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::time::HOUR;

    #[test]
    fn a_day_is_due_when_its_hour_has_come_in_pakistan() {
        // 2026-11-21T00:00:00 in Pakistan is 19:00 UTC of the day before: day 20,778.
        let midnight = 20_778 * DAY - 5 * HOUR;
        assert_eq!(due_day(midnight, 0), 20_777);
        assert_eq!(due_day(midnight - 1, 0), 20_776);
        assert_eq!(due_day(midnight, 390), 20_776, "half past six has not come");
        assert_eq!(due_day(midnight + 6 * HOUR + HOUR / 2, 390), 20_777);
    }
}
