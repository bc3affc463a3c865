//! Logs on standard error. Numbers are masked where they are written (`Msisdn::masked`), not here.

use crate::failure::Failure;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// The variable that wins over the configuration.
const VARIABLE: &str = "RASEED_LOG";

/// Starts logging with the filters of the configuration, or of `RASEED_LOG`.
pub fn start(filters: &str) -> Result<(), Failure> {
    let filters = std::env::var(VARIABLE).unwrap_or_else(|_| filters.to_owned());
    let filter = EnvFilter::try_new(&filters).map_err(|error| {
        Failure::usage(format!("log `{filters}`: {error}")).hint("Write error, warn, info or debug.")
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second call in one process keeps the first.
    let _ = subscriber.try_init();
    Ok(())
}
