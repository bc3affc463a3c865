//! A stopped data directory, opened by this process and served to itself on loopback with a key that nobody else has.

use crate::config::Config;
use crate::node::{DESK, Node, all_scopes, now};
use crate::sockets::centres::Centres;
use crate::sockets::{HttpParts, Sockets};
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// The open directory.
pub struct Here {
    node: Node,
    runtime: Runtime,
    sockets: Sockets,
    key: String,
}

impl Here {
    /// Opens the directory; messages that wait in its outbox stay there.
    pub fn open(config: &Config) -> anyhow::Result<Here> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("start the network threads")?;
        let node = Node::open(config, None)?;
        let (token, key) = web::api::auth::new_key(DESK, all_scopes(), now());
        let sockets = runtime.block_on(async {
            let centres = Arc::new(Centres::start(&node, &BTreeMap::new())?);
            let parts = HttpParts {
                listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
                connections_max: config.http.connections_max,
                behind_tls: false,
                origin: None,
                centres,
                reversal_two_from: config.partners.reversal_two_from.0,
                reach: web::partner_callback::Reach::default(),
                ways: web::state::Ways::default(),
                passing_key: Some(key),
                payments: None,
                reconciliation: crate::config::ReconciliationConfig::default(),
                staff: config.staff.settings(),
                demo: None,
            };
            Sockets::open(&node, parts).await
        })?;
        node.catch_up()?;
        Ok(Here {
            node,
            runtime,
            sockets,
            key: token,
        })
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.sockets.http[0]
    }

    /// The key for it.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Stops and writes the last snapshots.
    pub fn close(self) {
        self.runtime.block_on(self.sockets.close());
        self.node.stop();
    }
}
