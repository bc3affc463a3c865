//! Banks sell top-ups: their cash machines over ISO 8583, their apps and counters over 1LINK 1BILL, each from its float.
//!
//! # Layout
//! * here: [`Banks`], who they are and where they are listened to
//! * [`config`]: the configuration, addresses and secrets
//! * [`sale`]: a sale and its way back, the same for every channel
//! * [`iso8583`]: the host for cash machines. `onebill`: the biller for apps and counters

pub mod config;
pub mod iso8583;
mod onebill;
pub mod sale;

use crate::sockets::bind;
use crate::sockets::listener::{BoundedListener, Peer};
use anyhow::Context as _;
use axum::serve::Listener as _;
use config::{BankConfig, BanksConfig, OneBillBank};
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

    /// The banks that speak 1BILL with these credentials from there.
    pub fn credentials(&self, username: &[u8], password: &[u8], address: IpAddr) -> Vec<&BankConfig> {
        let right = |profile: &OneBillBank| {
            profile.password_sha256.is_of(password) && profile.username.as_bytes() == username
        };
        let banks = self.banks.iter().filter(|bank| bank.allows(address));
        banks
            .filter(|bank| bank.onebill.as_ref().is_some_and(right))
            .collect()
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
    /// Where 1BILL listens.
    pub onebill: Vec<SocketAddr>,
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
        let mut onebill = Vec::new();
        for address in &config.onebill.listen {
            let listener = BoundedListener::of(
                bind(*address, "banks.onebill.listen").await?,
                config.onebill.connections_max,
            );
            onebill.push(
                listener
                    .local_addr()
                    .context("ask for the address of the socket")?,
            );
            let service = onebill::router(web.clone(), Arc::clone(&roll), &config.onebill)
                .into_make_service_with_connect_info::<Peer>();
            let mut stopped = stopped.clone();
            let serve = axum::serve(listener, service).with_graceful_shutdown(async move {
                // An error means that the sender is gone: stop as well.
                let _ = stopped.wait_for(|stop| *stop).await;
            });
            tokio::spawn(async move { serve.await });
        }
        Ok(Banks {
            iso8583: listening,
            onebill,
            stop,
        })
    }

    /// Takes nothing new. A request whose answer is lost is repeated or reversed by its bank.
    pub fn close(&self) {
        self.stop.send_replace(true);
    }
}
