//! Banks sell top-ups: their cash machines over ISO 8583, their apps and counters over 1LINK 1BILL, each from its float.
//!
//! # Layout
//! * here: [`Banks`], who they are and where they are listened to
//! * [`config`]: the configuration, addresses and secrets
//! * [`sale`]: a sale and its way back, the same for every channel
//! * [`iso8583`]: the host for cash machines; `session`: one connection of it

pub mod config;
pub mod iso8583;
pub mod sale;

use crate::sockets::bind;
use anyhow::Context as _;
use config::{BankConfig, BanksConfig};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::watch;
use web::Web;

/// Everybody who may sell here.
pub struct Roll {
    banks: Vec<BankConfig>,
}

impl Roll {
    /// Of a configuration that was checked.
    pub fn new(config: &BanksConfig) -> Roll {
        Roll {
            banks: config.bank.clone(),
        }
    }

    /// True when some bank may call from there.
    pub fn knows(&self, address: IpAddr) -> bool {
        self.banks.iter().any(|bank| bank.allows(address))
    }

    /// The bank of an institution (DE32), calling from there. Leading zeros are padding.
    pub fn institution(&self, institution: &str, address: IpAddr) -> Option<&BankConfig> {
        let plain = institution.trim_start_matches('0');
        self.banks
            .iter()
            .find(|bank| bank.institution.trim_start_matches('0') == plain && bank.allows(address))
    }

    /// The bank that calls from there, when only one may.
    pub fn only(&self, address: IpAddr) -> Option<&BankConfig> {
        let mut may = self.banks.iter().filter(|bank| bank.allows(address));
        may.next().filter(|_| may.next().is_none())
    }
}

/// Listening sockets for banks.
pub struct Banks {
    /// Where ISO 8583 listens.
    pub iso8583: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
}

impl Banks {
    /// Binds and serves as configured. Within a tokio runtime.
    pub async fn open(config: &BanksConfig, web: &Web) -> anyhow::Result<Banks> {
        let (stop, stopped) = watch::channel(false);
        let roll = Arc::new(Roll::new(config));
        let mut listening = Vec::new();
        let host = iso8583::Host::new(web.clone(), Arc::clone(&roll), &config.iso8583);
        for address in &config.iso8583.listen {
            let listener = bind(*address, "banks.iso8583.listen").await?;
            listening.push(
                listener
                    .local_addr()
                    .context("ask for the address of the socket")?,
            );
            tokio::spawn(Arc::clone(&host).serve(listener, stopped.clone()));
        }
        Ok(Banks {
            iso8583: listening,
            stop,
        })
    }

    /// Takes nothing new. A request whose answer is lost is repeated or reversed by its bank.
    pub fn close(&self) {
        self.stop.send_replace(true);
    }
}
