//! Message centres: one SMPP session for each configured operator, and one-time codes through them.

use crate::failure::Failure;
use crate::keywords;
use crate::node::Node;
use crate::node::desk::Desk;
use crate::sms::{Heard, InstantOutcome, SmsConfig, SmsSender};
use ::keypad::keywords::Keywords;
use charge::catalog::Catalogs;
use charge::{EntityKey, Msisdn, OperatorId, Timestamp};
use engine::Engine;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use web::core::{CoreError, Gauge, Pending};
use web::state::CodeSender;

/// The name in the configuration of the centre for everybody else.
const DEFAULT: &str = "default";

/// All sessions with message centres.
pub struct Centres {
    engine: Arc<Engine>,
    catalogs: Arc<Catalogs>,
    by_operator: BTreeMap<OperatorId, SmsSender>,
    senders: Vec<(String, SmsSender)>,
    /// What handsets say, by operators, until somebody listens.
    incoming: Mutex<Vec<(Vec<OperatorId>, mpsc::Receiver<Heard>)>>,
}

impl Centres {
    /// Starts a sender for each configured centre. Within a tokio runtime.
    pub fn start(node: &Node, config: &BTreeMap<String, SmsConfig>) -> anyhow::Result<Centres> {
        let catalogs = Arc::clone(&node.catalogs);
        for name in config.keys() {
            if name != DEFAULT && catalogs.by_code(name).is_none() {
                let known: Vec<&str> = catalogs.iter().map(|catalog| catalog.code.as_str()).collect();
                return Err(
                    Failure::usage(format!("sms.{name}: there is no operator `{name}`"))
                        .hint(format!(
                            "Operators here: {}; `default` serves the others.",
                            known.join(", ")
                        ))
                        .into(),
                );
            }
        }
        let mut centres = Centres {
            engine: Arc::clone(&node.engine),
            catalogs: Arc::clone(&catalogs),
            by_operator: BTreeMap::new(),
            senders: Vec::new(),
            incoming: Mutex::default(),
        };
        for (name, settings) in config {
            let operators: Vec<OperatorId> = catalogs
                .iter()
                .filter(|catalog| match name.as_str() {
                    DEFAULT => !config.contains_key(catalog.code.as_str()),
                    name => catalog.code.as_str() == name,
                })
                .map(|catalog| catalog.operator)
                .collect();
            let (sender, incoming) = SmsSender::start(settings.clone(), node.desk.share(operators.clone()));
            centres.incoming.lock().push((operators.clone(), incoming));
            node.desk.add_sender(sender.clone());
            centres
                .by_operator
                .extend(operators.into_iter().map(|operator| (operator, sender.clone())));
            centres.senders.push((name.clone(), sender));
        }
        Ok(centres)
    }

    /// Listens to handsets from now on: stop words and keywords.
    pub fn listen(&self, desk: &Arc<Desk>, words: &Arc<Keywords>) {
        for (operators, incoming) in self.incoming.lock().drain(..) {
            keywords::listen(Arc::clone(desk), Arc::clone(words), operators, incoming);
        }
    }

    /// Unbinds all; what was not sent stays in the outbox.
    pub async fn stop(&self) {
        for (_, sender) in &self.senders {
            sender.stop().await;
        }
    }

    /// How the sessions are doing, for `/metrics`.
    pub fn gauges(&self) -> Vec<Gauge> {
        let mut gauges = Vec::new();
        for (name, sender) in &self.senders {
            let status = sender.status();
            for (gauge, help, value) in [
                (
                    "sms_bound",
                    "1 when the message centre's session is up",
                    u64::from(status.bound),
                ),
                (
                    "sms_submitted",
                    "Short messages submitted since the start",
                    status.submitted,
                ),
                (
                    "sms_repeated",
                    "Submits that were repeated because no answer came",
                    status.repeated,
                ),
                (
                    "sms_throttled",
                    "Times that the message centre said too fast",
                    status.throttled,
                ),
            ] {
                gauges.push(Gauge {
                    name: gauge,
                    help,
                    label: Some(("centre", name.clone())),
                    value: i64::try_from(value).unwrap_or(i64::MAX),
                });
            }
        }
        gauges
    }

    fn send(
        &self,
        operator: Option<OperatorId>,
        to: Msisdn,
        text: &str,
        valid_for: Duration,
    ) -> Result<oneshot::Receiver<InstantOutcome>, CoreError> {
        let sender = operator
            .and_then(|operator| self.by_operator.get(&operator))
            .ok_or(CoreError::Unavailable)?;
        sender
            .send_now(&to.to_string(), text, valid_for)
            .map_err(|_| CoreError::Busy)
    }
}

impl CodeSender for Centres {
    fn send_code(&self, to: Msisdn, text: String, expires: Timestamp) -> Pending<Result<(), CoreError>> {
        let left_us = expires.0.saturating_sub(crate::node::now().0);
        let valid_for = Duration::from_micros(u64::try_from(left_us).unwrap_or(0));
        // The number's own operator when the directory has it in memory, which it has after the lookup before; else its range.
        let operator = match self.engine.lookup(EntityKey::Number(to)) {
            engine::directory::Lookup::Found(record) => Some(record.operator),
            _ => self
                .catalogs
                .operator_by_prefix(to)
                .map(|catalog| catalog.operator),
        };
        let sent = self.send(operator, to, &text, valid_for);
        Box::pin(async move {
            match sent?.await {
                Ok(InstantOutcome::Sent) => Ok(()),
                _ => Err(CoreError::Unavailable),
            }
        })
    }
}
