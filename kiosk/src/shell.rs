//! A kiosk at work: the till with the server, the devices, the clock and the visitor around it.

use crate::book::{BookError, Order};
use crate::device::{AcceptorOrder, TerminalOrder};
use crate::operator::{Goods, Operator, Quote, Report, SaleOutcome};
use crate::till::{Action, Input, Till};
use charge::catalog::Language;
use charge::time::Zone;
use charge::{Msisdn, Timestamp};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

/// Whoever carries orders to the devices. What cannot be carried is lost: devices are asked when they come back.
pub trait Hands: Send + Sync {
    /// To the cash acceptor.
    fn acceptor(&self, order: AcceptorOrder);
    /// To the card terminal.
    fn terminal(&self, order: TerminalOrder);
}

/// How the screen is set up.
#[derive(Clone, Debug)]
pub struct Look {
    /// Number to call for help, as people read it.
    pub help: String,
    /// Clock of receipts.
    pub zone: Zone,
    /// Nobody touches the screen for so long: it asks, and then begins anew, seconds.
    pub idle_s: u32,
    /// A result stays for so long, seconds.
    pub result_s: u32,
}

/// What the present visitor has chosen. It is forgotten when the screen begins anew.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    /// Language.
    pub language: Language,
    /// Larger letters.
    pub large: bool,
    /// Stronger colours.
    pub contrast: bool,
    /// Number and code of its operator.
    pub number: Option<(Msisdn, String)>,
    /// What is wanted, with what it costs; `None` without a price: as much as is put in.
    pub goods: Option<(Goods, Option<Quote>)>,
    /// Name of the bundle.
    pub bundle_name: String,
    /// A sentence to show once.
    pub told: Option<String>,
}

/// A kiosk at work.
pub struct Kiosk {
    till: Mutex<Till>,
    visit: Mutex<Visit>,
    operator: Arc<dyn Operator>,
    hands: Box<dyn Hands>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    look: Look,
    settle: Notify,
    stand: Notify,
}

/// How often the server is asked how we stand.
const STAND_EVERY: Duration = Duration::from_secs(30);
/// The same while the line is down.
const STAND_DOWN: Duration = Duration::from_secs(2);
/// How often it is looked whether there is something to tell.
const REPORT_PAUSE: Duration = Duration::from_secs(2);
/// What is known is said again after this time, in microseconds: who looks sees that the kiosk is alive.
const REPORT_AGAIN_US: i64 = 15 * charge::time::MINUTE;
/// Pause after a sale that nobody answered.
const SETTLE_PAUSE: Duration = Duration::from_millis(500);

impl Kiosk {
    /// Puts it together.
    pub fn new(
        till: Till,
        operator: Arc<dyn Operator>,
        hands: Box<dyn Hands>,
        clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
        look: Look,
    ) -> Arc<Kiosk> {
        Arc::new(Kiosk {
            till: Mutex::new(till),
            visit: Mutex::new(Visit::default()),
            operator,
            hands,
            clock,
            look,
            settle: Notify::new(),
            stand: Notify::new(),
        })
    }

    /// Something happened.
    pub fn input(&self, input: Input) {
        // Orders leave while the till is held, so that devices hear them in the order of the book.
        let mut till = self.till.lock();
        match till.handle(input, self.now()) {
            Ok(actions) => self.carry_out(actions),
            Err(error) => {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "the kiosk's book");
            }
        }
    }

    /// Looks at the till or changes it; what it orders is carried out.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn with<T>(
        &self,
        act: impl FnOnce(&mut Till, Timestamp) -> Result<(T, Vec<Action>), BookError>,
    ) -> Result<T, BookError> {
        let mut till = self.till.lock();
        let (value, actions) = act(&mut till, self.now())?;
        self.carry_out(actions);
        Ok(value)
    }

    /// Looks at the till.
    pub fn see<T>(&self, look: impl FnOnce(&Till) -> T) -> T {
        look(&self.till.lock())
    }

    /// The visitor.
    pub fn visit(&self) -> Visit {
        self.visit.lock().clone()
    }

    /// Changes the visitor.
    pub fn revisit<T>(&self, change: impl FnOnce(&mut Visit) -> T) -> T {
        change(&mut self.visit.lock())
    }

    /// The server.
    pub fn operator(&self) -> &dyn Operator {
        &*self.operator
    }

    /// The screen.
    pub fn look(&self) -> &Look {
        &self.look
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn carry_out(&self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Acceptor(order) => self.hands.acceptor(order),
                Action::Terminal(order) => self.hands.terminal(order),
                Action::Settle => self.settle.notify_one(),
                Action::Stand => self.stand.notify_one(),
            }
        }
    }

    /// Sells what is paid, oldest first, one at a time, until the end of time.
    pub async fn settling(self: Arc<Kiosk>) {
        loop {
            let next = self.see(|till| till.next_sale(self.now()));
            let order: Order = match next {
                Ok(Some(order)) => order,
                Ok(None) => {
                    self.settle.notified().await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "the kiosk's book");
                    tokio::time::sleep(STAND_DOWN).await;
                    continue;
                }
            };
            let outcome = self.operator.sell(&order).await;
            let answered = outcome != SaleOutcome::NoLine;
            self.input(Input::Sold(order.seq, outcome));
            if !answered {
                tokio::time::sleep(SETTLE_PAUSE).await;
            }
        }
    }

    /// Asks the server how we stand, until the end of time.
    pub async fn standing(self: Arc<Kiosk>) {
        loop {
            let stood = self.operator.standing().await;
            let pause = if stood.is_ok() { STAND_EVERY } else { STAND_DOWN };
            self.input(Input::Stood(stood));
            // Either of them; the other one comes again.
            let _ = tokio::time::timeout(pause, self.stand.notified()).await;
        }
    }

    /// Says what is in the box and what is owed whenever it has changed and there is a line, until the end of time.
    pub async fn reporting(self: Arc<Kiosk>) {
        let mut told: Option<(Report, Timestamp)> = None;
        let mut ticks = tokio::time::interval(REPORT_PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let report = match self.see(|till| till.line().then(|| till.book().report())) {
                Some(Ok(report)) => report,
                Some(Err(error)) => {
                    tracing::error!(%error, "the kiosk's book");
                    continue;
                }
                None => continue,
            };
            let now = self.now();
            let known = told.is_some_and(|(last, at)| last == report && now < at.plus(REPORT_AGAIN_US));
            if !known && self.operator.report(report).await {
                told = Some((report, now));
            }
        }
    }

    /// Lets time go by, until its end.
    pub async fn ticking(self: Arc<Kiosk>) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            self.input(Input::Tick);
        }
    }
}
