//! Hands what was sold for other operators to their connectors, until each has credited it or refused it.
//!
//! Both kinds of sale come by here: payments whose money is booked for a connector, and top-ups from a partner's float. It keeps
//! nothing that matters: after a restart the open ones are found in the read models, and asked about before anything is sent
//! again.

use super::schedule::{self, Schedule};
use charge::payment::{Credited, Destination, PaymentAction, PaymentEvent, PaymentId, PaymentState};
use charge::time::SECOND;
use charge::{Code, Command, Entity, EntityKey, Event, EventBody, Money, Msisdn, OperatorId, PartnerId};
use charge::{Refusal, Timestamp};
use engine::Observer;
use parking_lot::Mutex;
use rails::connector::{Connector, Delivery, Sale};
use rails::{RailError, Transport, TransportError};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use web::bind::Reads;
use web::core::Core;
use web::payments::ConnectorInfo;
use web::state::Clock;

/// Questions to connectors under way at the same time.
const QUESTIONS_MAX: usize = 64;
/// Sales whose ids end alike take turns.
const TURNS: usize = 256;
/// Balances are asked for so often.
const BALANCE_EVERY: Duration = Duration::from_secs(60);
/// Rows of one question to the read models.
const SCAN_ROWS: usize = 500;
/// What could never be sent goes back after so long.
const GIVE_UP_S: i64 = 24 * 3600;

/// A connector with the operator that it leads to.
#[derive(Clone)]
pub struct Line {
    /// The operator whose numbers it serves.
    pub operator: OperatorId,
    /// Speaks to it.
    pub connector: Arc<dyn Connector>,
    /// Below this balance somebody is to be told; zero: never.
    pub low_balance: Money,
}

/// What the forwarder needs.
pub struct ForwarderParts {
    /// Carries out commands.
    pub core: Arc<dyn Core>,
    /// Finds open sales.
    pub reads: Arc<Reads>,
    /// Calls connectors.
    pub transport: Arc<dyn Transport>,
    /// The connectors.
    pub lines: Vec<Line>,
    /// Tells the time.
    pub clock: Clock,
}

/// Something to hand over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Parcel {
    Payment(PaymentId),
    /// A top-up: its seller and the digest of its external_id.
    Sale(PartnerId, u128),
}

/// The forwarder. Cheap to clone.
#[derive(Clone)]
pub struct Forwarder(Arc<Inner>);

struct Inner {
    parts: ForwarderParts,
    schedule: Mutex<Schedule<Parcel>>,
    /// When each may have been sent last; `None`: never.
    tried: Mutex<HashMap<Parcel, Option<Timestamp>>>,
    balances: Mutex<HashMap<Code, (Money, Timestamp)>>,
    bell: Notify,
    slots: Arc<Semaphore>,
    turns: Vec<tokio::sync::Mutex<()>>,
}

/// Hears of sales from the engine. Made before the forwarder, because the engine wants to know it first.
#[derive(Default)]
pub struct ForwardWatch {
    forwarder: OnceLock<Weak<Inner>>,
}

impl Observer for ForwardWatch {
    fn wants(&self, event: &Event) -> bool {
        parcel_of(event).is_some()
    }

    fn committed(&self, _: store::Partition, _: store::Seq, events: &[Event]) {
        if let Some(inner) = self.forwarder.get().and_then(Weak::upgrade) {
            for (parcel, at) in events
                .iter()
                .filter_map(|event| Some((parcel_of(event)?, event.at)))
            {
                // Just sold: nobody can have sent it yet.
                inner.tried.lock().insert(parcel, None);
                inner.schedule.lock().begin_anew(parcel, at);
            }
            inner.bell.notify_one();
        }
    }
}

/// The sale that an event begins for a connector.
fn parcel_of(event: &Event) -> Option<Parcel> {
    match (event.key, &event.body) {
        (EntityKey::Payment(id), EventBody::Payment(happened)) => match &**happened {
            PaymentEvent::Settled(settled) => {
                matches!(settled.credit, Credited::Connector(_)).then_some(Parcel::Payment(id))
            }
            _ => None,
        },
        (EntityKey::TopUp(partner, digest), EventBody::TopUpCreated(top_up)) => {
            let outside = !top_up.after.connector.is_empty() && !top_up.details.test;
            outside.then_some(Parcel::Sale(partner, digest))
        }
        _ => None,
    }
}

impl Forwarder {
    /// Opens it. Within a tokio runtime; it works until `stopped` says so.
    pub fn open(parts: ForwarderParts, watch: &ForwardWatch, stopped: &watch::Receiver<bool>) -> Forwarder {
        let forwarder = Forwarder(Arc::new(Inner {
            parts,
            schedule: Mutex::default(),
            tried: Mutex::default(),
            balances: Mutex::default(),
            bell: Notify::new(),
            slots: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            turns: (0..TURNS).map(|_| tokio::sync::Mutex::new(())).collect(),
        }));
        // The first one stays; a process has one.
        let _ = watch.forwarder.set(Arc::downgrade(&forwarder.0));
        if !forwarder.0.parts.lines.is_empty() {
            tokio::spawn(Arc::clone(&forwarder.0).work(stopped.clone()));
            tokio::spawn(Arc::clone(&forwarder.0).scan(stopped.clone()));
            tokio::spawn(Arc::clone(&forwarder.0).balances(stopped.clone()));
        }
        forwarder
    }

    /// The connector of an operator's numbers, if there is one.
    pub fn of(&self, operator: OperatorId) -> Option<Code> {
        let lines = &self.0.parts.lines;
        let line = lines.iter().find(|line| line.operator == operator);
        line.map(|line| line.connector.code())
    }

    /// What is known of the connectors.
    pub fn infos(&self) -> Vec<ConnectorInfo> {
        let (balances, waiting) = (self.0.balances.lock(), self.0.schedule.lock().len());
        let info = |line: &Line| {
            let balance = balances.get(&line.connector.code()).copied();
            ConnectorInfo {
                code: line.connector.code(),
                operator: line.operator,
                balance,
                low: balance.is_some_and(|(balance, _)| balance < line.low_balance),
                waiting,
            }
        };
        self.0.parts.lines.iter().map(info).collect()
    }

    /// Somebody looks at a payment: its connector is asked sooner.
    pub fn look(&self, id: PaymentId) {
        self.0.schedule.lock().look(Parcel::Payment(id), self.0.now());
        self.0.bell.notify_one();
    }
}

/// What is to be handed over, as its entity says it.
struct Wanted {
    connector: Code,
    sale: Sale,
    since: Timestamp,
}

impl Inner {
    fn now(&self) -> Timestamp {
        (self.parts.clock)()
    }

    async fn work(self: Arc<Self>, stopped: watch::Receiver<bool>) {
        let ask = |id| {
            let inner = Arc::clone(&self);
            async move { inner.hand_over(id).await }
        };
        let queue = (&self.schedule, &self.bell, &self.slots);
        schedule::work(queue, || self.now(), ask, stopped).await;
    }

    /// Finds open sales in the read models: at the start, and now and then.
    async fn scan(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        for pause in schedule::scan_pauses() {
            self.scan_sales().await;
            self.scan_payments().await;
            self.bell.notify_one();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// One that this process has not seen being sold may have been sent by the one before it.
    fn found(&self, parcel: Parcel, since: Timestamp) {
        let now = self.now();
        self.tried.lock().entry(parcel).or_insert(Some(now));
        self.schedule.lock().begin(parcel, since, now);
    }

    async fn scan_sales(&self) {
        let mut after = None;
        loop {
            let page = self
                .parts
                .reads
                .ask(move |reader| reader.models.open_deliveries(after, SCAN_ROWS));
            // What cannot be read now is found by the next scan; `ask` has logged why.
            let Ok(page) = page.await else { return };
            for open in &page {
                self.found(Parcel::Sale(open.partner, open.digest), open.created_at);
            }
            match page.last() {
                Some(last) if page.len() == SCAN_ROWS => after = Some((last.created_at, last.id)),
                _ => return,
            }
        }
    }

    async fn scan_payments(&self) {
        let mut after = None;
        loop {
            let page = self
                .parts
                .reads
                .ask(move |reader| reader.models.payments_undelivered(after, SCAN_ROWS));
            let Ok(page) = page.await else { return };
            for open in &page {
                self.found(Parcel::Payment(open.id), open.updated_at);
            }
            match page.last() {
                Some(last) if page.len() == SCAN_ROWS => after = Some((last.created_at, last.id)),
                _ => return,
            }
        }
    }

    /// What is still to be handed over of it; `Ok(None)`: nothing any more.
    async fn wanted(&self, parcel: Parcel) -> Result<Option<Wanted>, web::core::CoreError> {
        let key = match parcel {
            Parcel::Payment(id) => id.key(),
            Parcel::Sale(partner, digest) => EntityKey::TopUp(partner, digest),
        };
        let sale = |id: Option<PaymentId>, msisdn: Msisdn, amount| {
            Some(Sale {
                id: id?,
                msisdn,
                amount,
                tried_at: self.tried.lock().get(&parcel).copied().flatten(),
            })
        };
        Ok(match self.parts.core.read(key).await? {
            Some(Entity::Payment(payment)) => match payment.asked.to {
                Destination::Connector(connector)
                    if payment.state == PaymentState::Succeeded && payment.delivered.is_none() =>
                {
                    sale(Some(payment.id()), payment.asked.msisdn, payment.gross_paid).map(|sale| Wanted {
                        connector,
                        sale,
                        since: payment.paid_at.unwrap_or(payment.created_at),
                    })
                }
                _ => None,
            },
            Some(Entity::TopUp(top_up)) if !top_up.state.is_final() => {
                // 60 random bits of its id, in the form that every gateway takes.
                let random = u64::try_from(top_up.id & ((1 << 60) - 1)).unwrap_or_default();
                let id = PaymentId::new(top_up.msisdn.number(), random);
                sale(id, top_up.msisdn, top_up.gross).map(|sale| Wanted {
                    connector: top_up.after.connector,
                    sale,
                    since: top_up.created_at,
                })
            }
            _ => None,
        })
    }

    /// Hands one over, or asks what became of it.
    async fn hand_over(&self, parcel: Parcel) {
        let turn = match parcel {
            Parcel::Payment(id) => id.bits(),
            Parcel::Sale(_, digest) => digest,
        };
        let turn = usize::try_from(turn % TURNS as u128).unwrap_or(0);
        let _turn = self.turns[turn].lock().await;
        let wanted = match self.wanted(parcel).await {
            Ok(Some(wanted)) => wanted,
            Ok(None) => {
                self.schedule.lock().end(parcel);
                self.tried.lock().remove(&parcel);
                return;
            }
            Err(_) => {
                self.schedule.lock().again(parcel, self.now());
                return;
            }
        };
        let lines = &self.parts.lines;
        let line = lines
            .iter()
            .find(|line| line.connector.code() == wanted.connector);
        let Some(line) = line else {
            tracing::warn!(connector = %wanted.connector, "the connector of a sale is not set up any more");
            self.schedule.lock().again(parcel, self.now());
            return;
        };
        let result = self.sell(line, parcel, &wanted).await;
        let told = match result {
            Some(result) => self.tell(parcel, result).await,
            None => false,
        };
        let mut schedule = self.schedule.lock();
        if told {
            schedule.end(parcel);
            drop(schedule);
            self.tried.lock().remove(&parcel);
        } else {
            schedule.again(parcel, self.now());
        }
    }

    /// What the far side says in the end; `None`: not known yet.
    async fn sell(&self, line: &Line, parcel: Parcel, wanted: &Wanted) -> Option<Result<String, String>> {
        let (now, before) = (self.now(), wanted.sale.tried_at);
        self.tried.lock().insert(parcel, Some(now));
        let said = line
            .connector
            .sell(&*self.parts.transport, &wanted.sale, now)
            .await;
        let unsent = |code: &str| {
            // It was never sent, so it can still be: or go back, when that has been so for too long.
            self.tried.lock().insert(parcel, before);
            (before.is_none() && now > wanted.since.plus(GIVE_UP_S * SECOND)).then(|| Err(code.to_owned()))
        };
        match said {
            Ok(Delivery::Delivered { reference }) => Some(Ok(reference)),
            Ok(Delivery::Refused { code }) => Some(Err(code)),
            Ok(Delivery::Pending { code }) => {
                tracing::info!(connector = %wanted.connector, sale = %wanted.sale.id, %code, "a connector does not know yet");
                None
            }
            // Said before anything is sent, and the same each time.
            Err(RailError::NotTaken(why)) => Some(Err(why.to_owned())),
            Err(RailError::Transport(TransportError::NotSent)) => unsent("unreachable"),
            Err(error) => {
                tracing::warn!(connector = %wanted.connector, sale = %wanted.sale.id, %error, "a connector did not work");
                None
            }
        }
    }

    async fn tell(&self, parcel: Parcel, result: Result<String, String>) -> bool {
        let command = match parcel {
            Parcel::Payment(id) => Command::Payment {
                id,
                account: None,
                action: PaymentAction::Deliver(result),
            },
            Parcel::Sale(partner, external) => Command::TopUpDelivered {
                partner,
                external,
                result: result.map_err(|code| {
                    tracing::info!(%code, "a connector refused a top-up");
                    Refusal::Declined
                }),
            },
        };
        self.parts.core.call(command).await.is_ok()
    }

    async fn balances(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        loop {
            for line in &self.parts.lines {
                let (code, now) = (line.connector.code(), self.now());
                match line.connector.balance(&*self.parts.transport, now).await {
                    Ok(Some(balance)) => {
                        self.balances.lock().insert(code, (balance, now));
                        if balance < line.low_balance {
                            tracing::warn!(connector = %code, balance = %balance.exact(), "the balance at a connector is low");
                        }
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::info!(connector = %code, %error, "a connector's balance is not known");
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(BALANCE_EVERY) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
    }
}
