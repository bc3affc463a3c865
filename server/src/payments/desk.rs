//! The payment desk: presents payments to rails, asks rails about them, and tells the core what they said.
//!
//! It keeps nothing that matters: after a restart the open payments are found in the read models, and asked about again.

use super::connectors::Forwarder;
use super::doubts::Doubts;
use super::schedule::{self, SCAN_EVERY, Schedule};
use charge::command::Unmatched;
use charge::payment::{
    CreatePayment, Currency, Destination, Payment, PaymentAction, PaymentEvent, PaymentId, PaymentReply,
    PaymentState, Price, RefundReason, Statement,
};
use charge::promotion::ChannelClass;
use charge::time::{DAY, SECOND};
use charge::{Code, Command, Entity, EntityKey, Event, EventBody, Money, OperatorId, Reply, Timestamp};
use engine::Observer;
use parking_lot::Mutex;
use rails::fx::Rates;
use rails::rail::{Enrolling, Enrolment, Mandate, Stored, Told};
use rails::{
    Begun, Heard, HttpAnswer, HttpRequest, Order, Rail, RailError, SettlementLine, Transport, TransportError,
};
use std::collections::HashSet;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use web::bind::Reads;
use web::core::{Core, CoreError, Pending};
use web::payments::{ConnectorInfo, PaymentDesk, Priced, RailInfo, Start, StartError};
use web::state::Clock;

/// Questions to rails under way at the same time.
const QUESTIONS_MAX: usize = 256;
/// Payments whose ids end alike take turns when their rails are asked.
const TURNS: usize = 1_024;
/// Auto-recharges that wait for their owners at the same time.
const PROMPTS_MAX: usize = 10_000;
/// How long a page waits for a rail that itself waits for the payer.
const PAGE_WAIT: Duration = Duration::from_secs(4);
/// After its end a payment is given so long before "not paid" is believed.
const EXPIRY_GRACE_S: i64 = 60;
/// Rows of one question to the read models.
const SCAN_ROWS: usize = 500;

/// How the desk is set up.
#[derive(Clone, Debug)]
pub struct DeskSettings {
    /// Where browsers and rails find us, without a slash at the end.
    pub public_url: String,
    /// How long a payment can be paid, seconds.
    pub payable_s: u32,
    /// How much later a payment is still credited and not sent back, seconds.
    pub wanted_s: u32,
    /// Rates of exchange, for rails that do not take the operator's currency.
    pub rates: Option<Rates>,
}

/// What the desk needs.
pub struct DeskParts {
    /// Carries out commands.
    pub core: Arc<dyn Core>,
    /// Finds open payments.
    pub reads: Arc<Reads>,
    /// Calls rails.
    pub transport: Arc<dyn Transport>,
    /// The rails, in the order in which they are offered.
    pub rails: Vec<Arc<dyn Rail>>,
    /// Hands over what was sold for other operators.
    pub forwarder: Forwarder,
    /// Tells the time.
    pub clock: Clock,
    /// Set-up.
    pub settings: DeskSettings,
    /// From what auto-recharges take their money.
    pub means: Arc<dyn Means>,
}

/// Knows what a rail needs to charge somebody who is not here. It may wait for the disk.
pub trait Means: Send + Sync {
    /// What was left for a payment; `None`: nothing, or it is not theirs any more.
    fn of(&self, asked: &CreatePayment) -> Option<rails::Payer>;
}

/// The desk. Cheap to clone.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    parts: DeskParts,
    schedule: Mutex<Schedule>,
    doubts: Doubts,
    bell: Notify,
    slots: Arc<Semaphore>,
    /// One question about a payment at a time: two that ask for its refund at once might be given it twice.
    turns: Vec<tokio::sync::Mutex<()>>,
    /// Auto-recharges that their rails are being asked for: a wallet answers when its owner has typed the PIN.
    prompts: Mutex<HashSet<PaymentId>>,
}

/// Hears of payments from the engine. Made before the desk, because the engine wants to know it first.
#[derive(Default)]
pub struct PaymentWatch {
    desk: OnceLock<Weak<Inner>>,
}

impl Observer for PaymentWatch {
    fn wants(&self, event: &Event) -> bool {
        matches!(event.body, EventBody::PaymentCreated(_) | EventBody::Payment(_))
    }

    fn committed(&self, _: store::Partition, _: store::Seq, events: &[Event]) {
        if let Some(inner) = self.desk.get().and_then(Weak::upgrade) {
            events.iter().for_each(|event| inner.heard(event));
        }
    }
}

impl Desk {
    /// Opens the desk. Within a tokio runtime; it works until `stopped` says so.
    pub fn open(parts: DeskParts, watch: &PaymentWatch, stopped: watch::Receiver<bool>) -> Desk {
        let desk = Desk(Arc::new(Inner {
            parts,
            schedule: Mutex::default(),
            doubts: Doubts::default(),
            bell: Notify::new(),
            slots: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            turns: (0..TURNS).map(|_| tokio::sync::Mutex::new(())).collect(),
            prompts: Mutex::default(),
        }));
        // The first desk stays; a process has one.
        let _ = watch.desk.set(Arc::downgrade(&desk.0));
        tokio::spawn(Arc::clone(&desk.0).work(stopped.clone()));
        tokio::spawn(Arc::clone(&desk.0).scan(stopped));
        desk
    }

    /// Payments that are not decided.
    pub fn open_payments(&self) -> usize {
        self.0.schedule.lock().len()
    }
}

impl Inner {
    fn now(&self) -> Timestamp {
        (self.parts.clock)()
    }

    fn rail(&self, code: Code) -> Option<&Arc<dyn Rail>> {
        self.parts.rails.iter().find(|rail| rail.code() == code)
    }

    /// An event of the engine begins or ends the questions about a payment.
    fn heard(&self, event: &Event) {
        let EntityKey::Payment(id) = event.key else {
            return;
        };
        let mut schedule = self.schedule.lock();
        match &event.body {
            // Nobody presents it but we.
            EventBody::PaymentCreated(asked) if asked.class == ChannelClass::Auto => {
                schedule.begin_anew(id, event.at);
            }
            EventBody::PaymentCreated(_) => schedule.begin(id, event.at, event.at),
            EventBody::Payment(happened) => match &**happened {
                PaymentEvent::Moved { state, .. } if state.is_open() => {
                    schedule.begin(id, event.at, event.at);
                }
                PaymentEvent::Moved { .. }
                | PaymentEvent::RefundEnded { .. }
                | PaymentEvent::Reversed { .. } => {
                    schedule.end(id);
                }
                PaymentEvent::Settled(settled) => match settled.credit {
                    charge::payment::Credited::Account { .. } => schedule.end(id),
                    _ => schedule.begin_anew(id, event.at),
                },
                PaymentEvent::RefundRequested { .. } | PaymentEvent::RefundRetried => {
                    schedule.begin_anew(id, event.at);
                }
                _ => {}
            },
            _ => {}
        }
        drop(schedule);
        self.bell.notify_one();
    }

    async fn work(self: Arc<Self>, stopped: watch::Receiver<bool>) {
        let ask = |id| {
            let inner = Arc::clone(&self);
            async move { inner.ask_or_prompt(id).await }
        };
        let queue = (&self.schedule, &self.bell, &self.slots);
        schedule::work(queue, || self.now(), ask, stopped).await;
    }

    /// Finds open payments in the read models: often at the start, when they may be behind the journal, later now and then.
    async fn scan(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        for pause in schedule::scan_pauses() {
            for state in PaymentState::ALL.into_iter().filter(|state| state.needs_asking()) {
                self.scan_state(state).await;
            }
            self.return_unclaimed().await;
            self.bell.notify_one();
            tokio::select! {
                () = tokio::time::sleep(pause.min(self.scan_every())) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Money in suspense is looked for at least twice within the time after which it goes back.
    fn scan_every(&self) -> Duration {
        let returns = self.parts.rails.iter().filter_map(|rail| rail.return_after_s());
        let shortest = returns.min().unwrap_or(i64::MAX).max(2) / 2;
        SCAN_EVERY.min(Duration::from_secs(shortest.unsigned_abs()))
    }

    async fn scan_state(&self, state: PaymentState) {
        let mut after = None;
        loop {
            let page = self
                .parts
                .reads
                .ask(move |reader| reader.models.payments_in_state(state, after, SCAN_ROWS));
            // What cannot be read now is found by the next scan; `ask` has logged why.
            let Ok(page) = page.await else { return };
            let now = self.now();
            let mut schedule = self.schedule.lock();
            for row in &page {
                schedule.begin(row.id, row.updated_at, now);
            }
            drop(schedule);
            match page.last() {
                Some(last) if page.len() == SCAN_ROWS => after = Some((last.created_at, last.id)),
                _ => return,
            }
        }
    }

    async fn read(&self, id: PaymentId) -> Option<Box<Payment>> {
        match self.parts.core.read(id.key()).await {
            Ok(Some(Entity::Payment(payment))) => Some(payment),
            _ => None,
        }
    }

    /// Asks for somebody who may hang up: what has been asked of the rail is heard all the same.
    async fn ask_to_the_end(self: &Arc<Self>, id: PaymentId) {
        let inner = Arc::clone(self);
        if let Err(error) = tokio::spawn(async move { inner.ask(id).await }).await {
            tracing::error!(payment = %id, %error, "asking about a payment panicked");
        }
    }

    /// An auto-recharge that its rail does not have yet is presented; everything else is asked about.
    async fn ask_or_prompt(self: &Arc<Self>, id: PaymentId) {
        let waits = self.read(id).await.is_some_and(|payment| {
            let asked = &payment.asked;
            let presentable = payment.state == PaymentState::Created && !payment.cancelled;
            asked.class == ChannelClass::Auto && presentable && self.now() <= asked.expires_at
        });
        if !waits {
            return self.ask(id).await;
        }
        self.schedule.lock().again(id, self.now());
        let is_new = {
            let mut prompts = self.prompts.lock();
            prompts.len() < PROMPTS_MAX && prompts.insert(id)
        };
        if is_new {
            // On its own: its owner may take long, and others wait for this place.
            let inner = Arc::clone(self);
            tokio::spawn(async move {
                inner.prompt(id).await;
                inner.prompts.lock().remove(&id);
            });
        }
    }

    /// A payment from a stored card whose name at the rail nobody heard: asking for it again names it, within the life of its
    /// key.
    fn is_nameless(&self, rail: &Arc<dyn Rail>, payment: &Payment) -> bool {
        rail.mandate() == Some(Mandate::Token)
            && payment.asked.class == ChannelClass::Auto
            && payment.presented.is_empty()
            && payment.reference.is_empty()
            && self.now() <= payment.created_at.plus(DAY)
    }

    /// Asks the rail for the money of somebody who is not here. The same id again is the same request to the rail.
    async fn prompt(self: &Arc<Self>, id: PaymentId) {
        let Some(payment) = self.read(id).await.filter(|payment| payment.state.is_open()) else {
            return;
        };
        let failed = |class, code: &str| Statement::Failed {
            class,
            code: code.to_owned(),
        };
        let rail = self
            .rail(payment.asked.rail)
            .filter(|rail| rail.mandate().is_some());
        let (inner, asked) = (Arc::clone(self), payment.asked.clone());
        let means = tokio::task::spawn_blocking(move || inner.parts.means.of(&asked)).await;
        let statement = match (rail, means) {
            (Some(rail), Ok(Some(payer))) => {
                let order = self.order_of(&payment, payer);
                // What it says is told to the core there.
                let _ = self.begin(&Arc::clone(rail), &payment, &order).await;
                return;
            }
            (None, _) => failed(charge::payment::FailureClass::Configuration, "no-rail"),
            (_, Ok(None)) => failed(charge::payment::FailureClass::Payer, "no-mandate"),
            (_, Err(error)) => {
                tracing::error!(payment = %id, %error, "looking for a mandate panicked");
                return;
            }
        };
        if let Err(error) = self.tell(&payment, PaymentAction::State(statement)).await {
            tracing::warn!(payment = %id, %error, "the core was not told that an auto-recharge cannot be charged");
        }
    }

    /// Asks the rail about one payment and tells the core.
    async fn ask(self: &Arc<Self>, id: PaymentId) {
        let turn = usize::try_from(id.bits() % TURNS as u128).unwrap_or(0);
        let _turn = self.turns[turn].lock().await;
        // Read in its turn: whoever asked before may have found out.
        let Some(payment) = self.read(id).await else {
            self.schedule.lock().again(id, self.now());
            return;
        };
        if !payment.state.needs_asking() {
            self.schedule.lock().end(id);
            return;
        }
        let Some(rail) = self.rail(payment.asked.rail) else {
            tracing::warn!(payment = %id, rail = %payment.asked.rail, "the rail of a payment is not set up any more");
            self.schedule.lock().again(id, self.now());
            return;
        };
        let order = self.order_of(&payment, rails::Payer::default());
        if payment.state != PaymentState::RefundRequested && self.is_nameless(rail, &payment) {
            self.schedule.lock().again(id, self.now());
            return self.prompt(id).await;
        }
        let statement = if payment.state == PaymentState::RefundRequested {
            self.ask_refund(rail, &payment, &order).await
        } else {
            self.ask_payment(rail, &payment, &order).await
        };
        let decided = match statement {
            Some(statement) => {
                let told = self.tell(&payment, PaymentAction::State(statement)).await;
                told.is_ok_and(|reply| !reply.state.needs_asking())
            }
            None => false,
        };
        let mut schedule = self.schedule.lock();
        if decided {
            schedule.end(id);
        } else {
            schedule.again(id, self.now());
        }
    }

    async fn ask_payment(&self, rail: &Arc<dyn Rail>, payment: &Payment, order: &Order) -> Option<Statement> {
        let now = self.now();
        let said = match rail.inquire(&*self.parts.transport, order, now).await {
            Ok(said) => said,
            Err(RailError::Unsupported) => Statement::AwaitingCash,
            Err(error) => {
                tracing::info!(payment = %order.id, %error, "a rail could not be asked");
                Statement::Pending {
                    code: "no-answer".to_owned(),
                }
            }
        };
        let over = now > payment.asked.expires_at.plus(EXPIRY_GRACE_S * SECOND);
        match said {
            // The rail knows of no money, and the payer can no longer pay.
            Statement::Presented { .. } | Statement::AwaitingCustomer | Statement::AwaitingCash if over => {
                Some(Statement::Expired)
            }
            said => Some(said),
        }
    }

    async fn ask_refund(&self, rail: &Arc<dyn Rail>, payment: &Payment, order: &Order) -> Option<Statement> {
        let price = payment.refund.as_ref()?.price;
        let (io, now) = (&*self.parts.transport, self.now());
        let first = self.schedule.lock().is_first(order.id);
        let said = if first && payment.asked.to != Destination::Suspense {
            rail.refund(io, order, price, now).await
        } else if payment.asked.to == Destination::Suspense {
            rail.return_unmatched(io, &payment.reference, price, now).await
        } else {
            rail.inquire_refund(io, order, price, now).await
        };
        match said {
            Ok(said @ (Statement::Refunded { .. } | Statement::RefundRefused { .. })) => Some(said),
            Ok(_) => None,
            Err(RailError::Unsupported) => Some(Statement::RefundRefused {
                code: "by-hand".to_owned(),
            }),
            Err(error) => {
                tracing::info!(payment = %order.id, %error, "a refund could not be asked for");
                None
            }
        }
    }

    /// Asks about a payment in any state: a settlement file does not agree with it.
    async fn ask_for_staff(&self, id: PaymentId) -> Option<Statement> {
        let payment = self.read(id).await?;
        let rail = self.rail(payment.asked.rail)?;
        let order = self.order_of(&payment, rails::Payer::default());
        let said = if payment.state == PaymentState::RefundRequested {
            self.ask_refund(rail, &payment, &order).await?
        } else {
            self.ask_payment(rail, &payment, &order).await?
        };
        self.tell(&payment, PaymentAction::State(said.clone()))
            .await
            .ok()?;
        Some(said)
    }

    async fn tell(&self, payment: &Payment, action: PaymentAction) -> Result<PaymentReply, CoreError> {
        let command = Command::Payment {
            id: payment.id(),
            account: payment.account(),
            action,
        };
        match self.parts.core.call(command).await? {
            Reply::Payment(reply) => Ok(reply),
            _ => Err(CoreError::Unavailable),
        }
    }

    async fn act(&self, id: PaymentId, action: PaymentAction) -> Result<PaymentReply, CoreError> {
        match self.parts.core.read(id.key()).await? {
            Some(Entity::Payment(payment)) => self.tell(&payment, action).await,
            _ => Err(CoreError::Refused(charge::Refusal::NoSuchPayment)),
        }
    }

    fn order_of(&self, payment: &Payment, payer: rails::Payer) -> Order {
        let asked = &payment.asked;
        Order {
            id: asked.id,
            price: asked.price,
            msisdn: asked.msisdn,
            payer,
            description: format!("Recharge {}", asked.id),
            language: charge::catalog::Language::default(),
            created_at: payment.created_at,
            // Given up is over: nothing is captured after that.
            expires_at: if payment.cancelled {
                asked.expires_at.min(payment.updated_at)
            } else {
                asked.expires_at
            },
            return_url: format!("{}/rails/{}/return", self.parts.settings.public_url, asked.rail),
            presented: payment.presented.clone(),
            reference: payment.reference.clone(),
        }
    }

    async fn start(self: Arc<Self>, start: Start) -> Result<Begun, StartError> {
        let rail = Arc::clone(self.rail(start.rail).ok_or(StartError::NoSuchRail)?);
        let settings = &self.parts.settings;
        let expires_at = start.shown_at.plus(i64::from(settings.payable_s) * SECOND);
        let asked = CreatePayment {
            id: start.id,
            to: start.to,
            msisdn: start.msisdn,
            operator: start.operator,
            rail: start.rail,
            gross: start.gross,
            price: start.price,
            offer: start.offer,
            campaign: start.campaign,
            class: ChannelClass::Web,
            region: charge::tax::RegionCode::EMPTY,
            expires_at,
            wanted_until: expires_at.plus(i64::from(settings.wanted_s) * SECOND),
            payer: start.payer_digest,
        };
        self.parts
            .core
            .call(Command::CreatePayment(Box::new(asked)))
            .await?;
        let payment = self.read(start.id).await.ok_or(StartError::Unavailable)?;
        let mut order = self.order_of(&payment, start.payer);
        order.language = start.language;
        // On its own: a wallet answers only when the payer has typed the PIN, and whoever waits here may go away.
        let inner = Arc::clone(&self);
        let begin = tokio::spawn(async move { inner.begin(&rail, &payment, &order).await });
        match tokio::time::timeout(PAGE_WAIT, begin).await {
            Ok(Ok(begun)) => begun,
            Ok(Err(error)) => {
                tracing::error!(%error, "presenting a payment panicked");
                Err(StartError::Unavailable)
            }
            Err(_) => Ok(Begun::Said(Statement::AwaitingCustomer)),
        }
    }

    async fn begin(
        &self,
        rail: &Arc<dyn Rail>,
        payment: &Payment,
        order: &Order,
    ) -> Result<Begun, StartError> {
        let begun = rail.begin(&*self.parts.transport, order, self.now()).await;
        let failed = |class, code: &str| Statement::Failed {
            class,
            code: code.to_owned(),
        };
        use charge::payment::FailureClass::{Configuration, Payer, Transient};
        let (statement, result) = match begun {
            Ok(begun) => (said(&begun), Ok(begun)),
            Err(RailError::NotTaken(why)) => (failed(Payer, why), Err(StartError::NotTaken(why))),
            Err(RailError::Transport(TransportError::NotSent)) => {
                (failed(Transient, "unreachable"), Err(StartError::Unreachable))
            }
            Err(error @ (RailError::Configuration(_) | RailError::Unsupported)) => {
                tracing::error!(payment = %order.id, %error, "a rail refuses our set-up");
                (failed(Configuration, "set-up"), Err(StartError::Unreachable))
            }
            Err(error) => {
                tracing::warn!(payment = %order.id, %error, "what became of a payment is not known");
                let pending = Statement::Pending {
                    code: "no-answer".to_owned(),
                };
                (pending.clone(), Ok(Begun::Said(pending)))
            }
        };
        if let Err(error) = self.tell(payment, PaymentAction::State(statement)).await {
            // The schedule asks the rail again, so nothing is lost.
            tracing::warn!(payment = %order.id, %error, "the core was not told what a rail said");
        }
        result
    }

    async fn hear(self: &Arc<Self>, rail: Code, what: &str, request: &HttpRequest) -> HttpAnswer {
        let Some(rail) = self.rail(rail) else {
            return plain(404, "there is no such rail\n");
        };
        let heard = rail
            .callback(&*self.parts.transport, what, request, self.now())
            .await;
        match heard {
            Ok(heard) => self.believe(rail, heard).await,
            Err(error) => {
                if let Some(more) = self.doubts.count(rail.code(), self.now()) {
                    let what: String = what.chars().filter(|c| !c.is_control()).take(40).collect();
                    tracing::warn!(rail = %rail.code(), what, %error, more, "a message to a rail's address was not believed");
                }
                match error {
                    RailError::NotGenuine(_) => plain(401, "the message is not genuine\n"),
                    RailError::Malformed(_) | RailError::Unsupported => {
                        plain(400, "the message cannot be read\n")
                    }
                    _ => plain(503, "try again\n"),
                }
            }
        }
    }

    /// Tells the core what a genuine message proves, or asks the rail.
    async fn believe(self: &Arc<Self>, rail: &Arc<dyn Rail>, heard: Heard) -> HttpAnswer {
        if let Told::Unmatched { paid, reference, .. } = heard.told {
            return match self.suspend(rail.code(), paid, reference).await {
                Ok(()) => heard.answer,
                Err(_) => plain(503, "try again\n"),
            };
        }
        let Some(id) = heard.about else {
            return heard.answer;
        };
        let payment = match self.parts.core.read(id.key()).await {
            Ok(Some(Entity::Payment(payment))) => payment,
            Ok(_) => return self.stray(rail, id, heard).await,
            Err(_) => return plain(503, "try again\n"),
        };
        if !rail.settles(payment.asked.rail) {
            // Two flows of one merchant share an address for messages: what counts is what the payment's own rail says.
            tracing::info!(payment = %id, rail = %rail.code(), "a rail spoke about a payment of another rail");
            self.ask_to_the_end(id).await;
            return heard.answer;
        }
        match heard.told {
            Told::Said(statement) => match self.tell(&payment, PaymentAction::State(statement)).await {
                Ok(_) | Err(CoreError::Refused(_)) => heard.answer,
                Err(CoreError::Busy | CoreError::Unavailable) => plain(503, "try again\n"),
            },
            Told::Ask => {
                self.ask_to_the_end(id).await;
                heard.answer
            }
            // Booked above.
            Told::Unmatched { .. } => heard.answer,
        }
    }

    /// Genuine word about a payment that we do not have. Money is kept aside, never dropped.
    async fn stray(&self, rail: &Arc<dyn Rail>, id: PaymentId, heard: Heard) -> HttpAnswer {
        tracing::warn!(payment = %id, rail = %rail.code(), "a rail spoke about a payment that does not exist");
        match heard.told {
            Told::Said(Statement::Succeeded { paid, reference }) if !reference.is_empty() => {
                match self.suspend(rail.code(), paid, reference).await {
                    Ok(()) => heard.answer,
                    Err(_) => plain(503, "try again\n"),
                }
            }
            _ => heard.answer,
        }
    }

    /// Books money that named no payment, once for its reference. What the core refuses is for people: the log says so.
    async fn suspend(&self, rail: Code, paid: Price, reference: String) -> Result<(), CoreError> {
        let came = Unmatched {
            rail,
            reference,
            paid,
        };
        let id = came.id();
        match self.parts.core.call(Command::Suspend(Box::new(came))).await {
            Ok(_) => Ok(()),
            Err(CoreError::Refused(refusal)) => {
                tracing::error!(payment = %id, %rail, %refusal, "money that named no payment could not be booked");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Money in suspense that nobody claimed goes back when the time of its rail has come.
    async fn return_unclaimed(&self) {
        let page = self.parts.reads.ask(move |reader| {
            let state = PaymentState::InSuspense;
            reader.models.payments_in_state(state, None, SCAN_ROWS)
        });
        // What cannot be read now is found by the next scan; `ask` has logged why.
        let Ok(page) = page.await else { return };
        for row in page {
            let after_s = self.rail(row.rail).and_then(|rail| rail.return_after_s());
            let due = after_s.is_some_and(|after_s| self.now() > row.created_at.plus(after_s * SECOND));
            if due {
                let back = PaymentAction::TakeBack(RefundReason::Unmatched);
                if let Err(error) = self.act(row.id, back).await {
                    tracing::warn!(payment = %row.id, %error, "money in suspense was not sent back");
                }
            }
        }
    }

    async fn returned(self: &Arc<Self>, rail: Code, request: &HttpRequest) -> Option<PaymentId> {
        let rail = self.rail(rail)?;
        match rail.returned(request, self.now()) {
            Ok(heard) => {
                let about = heard.about;
                // Whoever came back waits at most so long; the page asks again by itself.
                let _ = tokio::time::timeout(PAGE_WAIT, self.believe(rail, heard)).await;
                about
            }
            Err(error) => {
                tracing::info!(rail = %rail.code(), %error, "a browser came back with something else");
                None
            }
        }
    }
}

fn said(begun: &Begun) -> Statement {
    match begun {
        Begun::Redirect { said, .. }
        | Begun::Form { said, .. }
        | Begun::Show { said, .. }
        | Begun::Said(said) => said.clone(),
    }
}

fn plain(status: u16, text: &str) -> HttpAnswer {
    HttpAnswer {
        status,
        headers: vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())],
        body: text.as_bytes().to_vec(),
    }
}

impl PaymentDesk for Desk {
    fn rails(&self) -> Vec<RailInfo> {
        let info = |rail: &Arc<dyn Rail>| RailInfo {
            code: rail.code(),
            needs: rail.needs(),
            currency: rail.currency(),
            mandate: rail.mandate(),
        };
        self.0.parts.rails.iter().map(info).collect()
    }

    fn enrol(&self, rail: Code, enrolment: Enrolment) -> Pending<Result<Enrolling, StartError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let rail = inner.rail(rail).ok_or(StartError::NoSuchRail)?;
            let page = rail.enrol(&*inner.parts.transport, &enrolment, inner.now()).await;
            page.map_err(|error| {
                tracing::warn!(rail = %rail.code(), %error, "a rail gave no page for a card");
                StartError::Unreachable
            })
        })
    }

    fn enrolled(
        &self,
        rail: Code,
        id: String,
        session: String,
    ) -> Pending<Result<Option<Stored>, StartError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let rail = inner.rail(rail).ok_or(StartError::NoSuchRail)?;
            let left = rail
                .enrolled(&*inner.parts.transport, &id, &session, inner.now())
                .await;
            left.map_err(|error| {
                tracing::warn!(rail = %rail.code(), %error, "what was left with a rail is not known");
                StartError::Unreachable
            })
        })
    }

    fn site(&self) -> String {
        self.0.parts.settings.public_url.clone()
    }

    fn times(&self) -> (u32, u32) {
        (self.0.parts.settings.payable_s, self.0.parts.settings.wanted_s)
    }

    fn price(&self, rail: Code, gross: Money) -> Result<Priced, StartError> {
        let rail = self.0.rail(rail).ok_or(StartError::NoSuchRail)?;
        let now = self.0.now();
        if rail.currency() == Currency::PKR {
            return Ok(Priced {
                price: Price::pkr(gross),
                rate: String::new(),
                until: now.plus(i64::from(self.0.parts.settings.payable_s) * SECOND),
            });
        }
        let rates = self.0.parts.settings.rates.as_ref().ok_or(StartError::NoRate)?;
        let quote = rates.quote(gross, rail.currency(), now).map_err(|error| {
            tracing::error!(rail = %rail.code(), %error, "no quote for a rail");
            StartError::NoRate
        })?;
        let shown = rates.rates.get(rail.currency().as_str()).cloned();
        Ok(Priced {
            price: quote.price,
            rate: shown.unwrap_or_default(),
            until: quote.expires_at,
        })
    }

    fn start(&self, start: Start) -> Pending<Result<Begun, StartError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(inner.start(start))
    }

    fn hear(&self, rail: Code, what: String, request: HttpRequest) -> Pending<HttpAnswer> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.hear(rail, &what, &request).await })
    }

    fn returned(&self, rail: Code, request: HttpRequest) -> Pending<Option<PaymentId>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.returned(rail, &request).await })
    }

    fn act(&self, id: PaymentId, action: PaymentAction) -> Pending<Result<PaymentReply, CoreError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.act(id, action).await })
    }

    fn settlement(&self, rail: Code, file: &[u8]) -> Result<(Vec<SettlementLine>, Vec<Code>), RailError> {
        let rail = self.0.rail(rail).ok_or(RailError::Unsupported)?;
        let all = self.0.parts.rails.iter().map(|other| other.code());
        Ok((
            rail.settlement(file)?,
            all.filter(|other| rail.settles(*other)).collect(),
        ))
    }

    fn ask(&self, id: PaymentId) -> Pending<Option<Statement>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.ask_for_staff(id).await })
    }

    fn connector(&self, operator: OperatorId) -> Option<Code> {
        self.0.parts.forwarder.of(operator)
    }

    fn connectors(&self) -> Vec<ConnectorInfo> {
        self.0.parts.forwarder.infos()
    }

    fn look(&self, id: PaymentId) {
        let now = self.0.now();
        self.0.parts.forwarder.look(id);
        let mut schedule = self.0.schedule.lock();
        // After a restart the read models may not show it yet, and so no scan has found it.
        schedule.begin(id, now, now);
        schedule.look(id, now);
        drop(schedule);
        self.0.bell.notify_one();
    }
}
