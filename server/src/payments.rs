//! Payments: the desk between the core and the rails.
//!
//! # Layout
//! * [`desk`]: presents, asks, believes. [`schedule`]: when to ask. `doubts`: what is not believed
//! * [`connectors`]: hands over what was sold for other operators. [`transport`]: how rails are called

pub mod connectors;
pub mod desk;
mod doubts;
mod schedule;
pub mod transport;

use crate::config::{ConnectorConfig, PaymentsConfig, RailConfig};
use crate::failure::Failure;
use charge::catalog::Catalogs;
use connectors::Line;
use rails::Rail;
use rails::bank::{Bank, Raast};
use rails::card::Card;
use rails::easypaisa::Easypaisa;
use rails::jazzcash::JazzCash;
use rails::paypal::PayPal;
use std::sync::Arc;

/// The rails of a configuration, in the order in which they are offered.
///
/// # Errors
/// When the set-up of one cannot be used, or two have one name.
pub fn rails_of(config: &PaymentsConfig) -> anyhow::Result<Vec<Arc<dyn Rail>>> {
    let mut rails: Vec<Arc<dyn Rail>> = Vec::new();
    let mut banks: Vec<Arc<Bank>> = Vec::new();
    for (index, config) in config.rail.iter().enumerate() {
        let wrong = |error: String| Failure::usage(format!("payments.rail number {}: {error}", index + 1));
        let rail = rail_of(config, &mut banks).map_err(wrong)?;
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

/// The connectors of a configuration.
///
/// # Errors
/// When the set-up of one cannot be used, names no operator, or two lead to the same one.
pub fn lines_of(config: &[ConnectorConfig], catalogs: &Catalogs) -> anyhow::Result<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    for (index, one) in config.iter().enumerate() {
        let wrong = |error: String| Failure::usage(format!("connector number {}: {error}", index + 1));
        let catalog = catalogs.by_code(&one.operator);
        let operator = catalog
            .ok_or_else(|| wrong(format!("there is no operator {}", one.operator)))?
            .operator;
        let connector = rails::connector::pretups::Pretups::new((*one.pretups).clone())
            .map_err(|error| wrong(error.to_string()))?;
        let connector: Arc<dyn rails::connector::Connector> = Arc::new(connector);
        let same = |line: &Line| line.operator == operator || line.connector.code() == connector.code();
        if lines.iter().any(same) {
            return Err(wrong("another one has the same operator or the same code".to_owned()).into());
        }
        lines.push(Line {
            operator,
            connector,
            low_balance: one.low_balance.0,
        });
    }
    Ok(lines)
}

fn rail_of(config: &RailConfig, banks: &mut Vec<Arc<Bank>>) -> Result<Arc<dyn Rail>, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    Ok(match config.clone() {
        RailConfig::Jazzcash(config) => Arc::new(JazzCash::new(*config).map_err(|error| text(&error))?),
        RailConfig::Easypaisa(config) => Arc::new(Easypaisa::new(*config).map_err(|error| text(&error))?),
        RailConfig::Card(config) => Arc::new(Card::new(*config).map_err(|error| text(&error))?),
        RailConfig::Paypal(config) => Arc::new(PayPal::new(*config).map_err(|error| text(&error))?),
        RailConfig::Bank(config) => {
            let bank = Arc::new(Bank::new(*config).map_err(|error| text(&error))?);
            banks.push(Arc::clone(&bank));
            bank
        }
        RailConfig::Raast(config) => {
            let bank = banks.iter().find(|bank| bank.code().as_str() == config.bank);
            let bank = bank.ok_or("name the bank rail of a Raast code before it")?;
            Arc::new(
                Raast::new(&config.code, config.profile, Arc::clone(bank)).map_err(|error| text(&error))?,
            )
        }
    })
}
