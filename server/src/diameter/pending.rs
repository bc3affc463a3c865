//! Requests that wait for the directory: whose number is this, and who serves the called party?
//!
//! Almost every request finds both in the cache. One that does not must not be overtaken by a later one of its session, so
//! those wait behind it.

use super::connection::Mailbox;
use super::translate::Subject;
use charge::catalog::Called;
use charge::command::ChargeRequest;
use charge::ids::SessionKey;
use charge::{AccountId, EntityKey, OperatorId};
use engine::directory::Lookup;
use engine::{Engine, EngineError};
use smallvec::SmallVec;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// How often one request may ask the directory: each of its keys once, and some more when the cache is under pressure.
const QUESTIONS_MAX: u8 = 8;

/// What can be done with a request now.
pub(super) enum Step {
    /// It waits.
    Waiting,
    /// Hand it to the engine.
    Ready(Box<ChargeRequest>),
    /// Nobody has this number or SIM.
    Unknown,
    /// The directory cannot be read.
    Failed(EngineError),
}

#[derive(Default)]
pub(super) struct Pending {
    waiting: HashMap<u64, Waiting>,
    by_session: HashMap<SessionKey, VecDeque<u64>>,
}

struct Waiting {
    subject: Subject,
    command: Box<ChargeRequest>,
    questions: u8,
}

enum Found {
    All(AccountId, Option<OperatorId>),
    Nobody,
    Ask(EntityKey),
}

impl Pending {
    /// Begins with a request.
    pub fn begin(
        &mut self,
        ticket: u64,
        subject: Subject,
        mut command: Box<ChargeRequest>,
        engine: &Arc<Engine>,
        mailbox: &Arc<Mailbox>,
    ) -> Step {
        let session = command.session;
        if let Some(queue) = self.by_session.get_mut(&session) {
            queue.push_back(ticket);
            self.waiting.insert(
                ticket,
                Waiting {
                    subject,
                    command,
                    questions: 0,
                },
            );
            return Step::Waiting;
        }
        match find(engine, subject, &command) {
            Found::All(account, operator) => {
                command.account = account;
                command.called_operator = operator;
                Step::Ready(command)
            }
            Found::Nobody => Step::Unknown,
            Found::Ask(key) => {
                self.by_session.entry(session).or_default().push_back(ticket);
                self.waiting.insert(
                    ticket,
                    Waiting {
                        subject,
                        command,
                        questions: 1,
                    },
                );
                ask(engine, mailbox, key, ticket);
                Step::Waiting
            }
        }
    }

    /// The directory has answered for a ticket: what can now be done with it and with those behind it.
    pub fn go_on(
        &mut self,
        ticket: u64,
        engine: &Arc<Engine>,
        mailbox: &Arc<Mailbox>,
    ) -> SmallVec<[(u64, Step); 2]> {
        let mut steps = SmallVec::new();
        let Some(session) = self.waiting.get(&ticket).map(|waiting| waiting.command.session) else {
            return steps;
        };
        while let Some(&first) = self.by_session.get(&session).and_then(VecDeque::front) {
            let Some(waiting) = self.waiting.get_mut(&first) else {
                break;
            };
            let step = match find(engine, waiting.subject, &waiting.command) {
                Found::Ask(_) if waiting.questions >= QUESTIONS_MAX => Step::Failed(EngineError::Busy),
                Found::Ask(key) => {
                    waiting.questions += 1;
                    ask(engine, mailbox, key, first);
                    return steps;
                }
                Found::Nobody => Step::Unknown,
                Found::All(account, operator) => {
                    waiting.command.account = account;
                    waiting.command.called_operator = operator;
                    Step::Waiting
                }
            };
            let waited = self.waiting.remove(&first);
            if let Some(queue) = self.by_session.get_mut(&session) {
                queue.pop_front();
                if queue.is_empty() {
                    self.by_session.remove(&session);
                }
            }
            match (step, waited) {
                (Step::Waiting, Some(waited)) => steps.push((first, Step::Ready(waited.command))),
                (step, _) => steps.push((first, step)),
            }
        }
        steps
    }
}

fn ask(engine: &Arc<Engine>, mailbox: &Arc<Mailbox>, key: EntityKey, ticket: u64) {
    let mailbox = mailbox.clone();
    engine.resolve_with(key, move |_| mailbox.resolved(ticket));
}

/// Looks everything up in the cache.
fn find(engine: &Engine, subject: Subject, command: &ChargeRequest) -> Found {
    let keys = [
        subject.msisdn.map(EntityKey::Number),
        subject.imsi.map(EntityKey::Imsi),
    ];
    let mut account = None;
    for key in keys.into_iter().flatten() {
        match engine.lookup(key) {
            Lookup::NotCached => return Found::Ask(key),
            Lookup::Found(record) if record.account.is_some() => {
                account = record.account;
                break;
            }
            Lookup::Found(_) | Lookup::Absent => {}
        }
    }
    let Some(account) = account else {
        return Found::Nobody;
    };
    let Called::Number(number) = command.called else {
        return Found::All(account, None);
    };
    let key = EntityKey::Number(number);
    match engine.lookup(key) {
        Lookup::NotCached => Found::Ask(key),
        Lookup::Found(record) => Found::All(account, Some(record.operator)),
        Lookup::Absent => Found::All(account, None),
    }
}
