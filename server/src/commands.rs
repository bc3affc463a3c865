//! What each command does.
//!
//! # Layout
//! * [`subscriber`], [`balance`], [`sale`], [`seller`], [`partner`], [`reconcile`], [`staff`], [`cards`]: through the API
//! * [`outlet`]: the directory, the same way
//! * [`upkeep`]: in a stopped data directory. [`receipt`]: without either

pub mod balance;
pub mod cards;
pub mod offers;
pub mod outlet;
pub mod partner;
pub mod receipt;
pub mod reconcile;
pub mod sale;
pub mod seller;
pub mod staff;
pub mod subscriber;
pub mod upkeep;

use crate::cli::Target;
use crate::client::Client;
use crate::config::Config;
use crate::failure::Failure;
use crate::instance::Instance;
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// Connects, works, closes, also when the work failed.
pub fn with<T>(target: &Target, work: impl FnOnce(&Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let client = Client::connect(target)?;
    let done = work(&client);
    client.close();
    done
}

/// The configuration of a data directory that is opened by a command.
pub fn config_for(data: &Path, config: Option<&PathBuf>) -> anyhow::Result<Config> {
    let mut settings = match config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    data.clone_into(&mut settings.data);
    Ok(settings)
}

/// As [`config_for`], for a directory that must be there.
pub fn existing(data: &Path, config: Option<&PathBuf>) -> anyhow::Result<Config> {
    let found =
        Instance::find(data).with_context(|| format!("open the data directory {}", data.display()))?;
    if found.is_none() {
        let message = format!("there is no data directory at {}", data.display());
        return Err(Failure::usage(message)
            .hint("Name one with --data DIR; `raseed serve` makes it.")
            .into());
    }
    config_for(data, config)
}
