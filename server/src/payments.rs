//! Payments: the desk between the core and the rails.
//!
//! # Layout
//! * [`desk`]: presents, asks, believes. [`schedule`]: when to ask. [`transport`]: how rails are called

pub mod desk;
mod schedule;
pub mod transport;

use crate::config::{PaymentsConfig, RailConfig};
use crate::failure::Failure;
use rails::Rail;
use rails::jazzcash::JazzCash;
use rails::paypal::PayPal;
use std::sync::Arc;

/// The rails of a configuration, in the order in which they are offered.
///
/// # Errors
/// When the set-up of one cannot be used, or two have one name.
pub fn rails_of(config: &PaymentsConfig) -> anyhow::Result<Vec<Arc<dyn Rail>>> {
    let mut rails: Vec<Arc<dyn Rail>> = Vec::new();
    for (index, config) in config.rail.iter().enumerate() {
        let rail = rail_of(config)
            .map_err(|error| Failure::usage(format!("payments.rail number {}: {error}", index + 1)))?;
        if rails.iter().any(|other| other.code() == rail.code()) {
            let message = format!("two payment rails are called {}", rail.code());
            return Err(Failure::usage(message)
                .hint("Give one of them another `code`.")
                .into());
        }
        rails.push(rail);
    }
    Ok(rails)
}

fn rail_of(config: &RailConfig) -> Result<Arc<dyn Rail>, String> {
    Ok(match config.clone() {
        RailConfig::Jazzcash(config) => Arc::new(JazzCash::new(*config).map_err(|error| error.to_string())?),
        RailConfig::Paypal(config) => Arc::new(PayPal::new(*config).map_err(|error| error.to_string())?),
    })
}
