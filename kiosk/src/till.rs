//! The machine of a kiosk: inputs of devices, server and people become entries of the book, and then actions.
//!
//! An action leaves only after its entry is durable. After a restart the book alone says what is open; the devices are
//! asked before anything is believed.
//!
//! # Layout
//!
//! * here: inputs, orders, sales. [`cash`]: notes. [`cards`]: the card terminal.

mod cards;
mod cash;

pub use cash::found;

use crate::book::{Book, BookError, NoteState, Order, State};
use crate::device::{AcceptorOrder, AcceptorReport, AcceptorState, Amount, TerminalOrder, TerminalReport};
use crate::limits;
use crate::operator::{AskError, OperatorBrief, SaleOutcome, Standing};
use charge::catalog::Language;
use charge::time::SECOND;
use charge::{Money, Msisdn, Timestamp};
use std::collections::{HashMap, HashSet};

/// How a kiosk is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name: the beginning of its references.
    pub name: String,
    /// Notes that it takes; empty: no cash.
    pub notes: Vec<Money>,
    /// It has a card terminal.
    pub card: bool,
    /// Most that may wait for a line; zero: nothing is sold without one.
    pub offline_max: Money,
    /// Most of one sale without a line.
    pub offline_sale_max: Money,
    /// Nobody puts a note in or touches anything for so long: the order is closed, microseconds.
    pub pay_idle_us: i64,
}

/// What happens to a kiosk.
#[derive(Clone, Debug)]
pub enum Input {
    /// The cash acceptor is connected.
    AcceptorUp,
    /// It is not any more.
    AcceptorDown,
    /// It says something.
    Acceptor(AcceptorReport),
    /// The card terminal is connected.
    TerminalUp,
    /// It is not any more.
    TerminalDown,
    /// It says something.
    Terminal(TerminalReport),
    /// What became of a sale.
    Sold(u64, SaleOutcome),
    /// What the server says of us.
    Stood(Result<Standing, AskError>),
    /// Time goes by.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell the cash acceptor.
    Acceptor(AcceptorOrder),
    /// Tell the card terminal.
    Terminal(TerminalOrder),
    /// Something waits to be sold: [`Till::next_sale`].
    Settle,
    /// Ask the server how we stand.
    Stand,
}

/// What a customer should know of the acceptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The note was more than what is missing.
    TooLarge(Money),
    /// It could not be read.
    Rejected,
    /// It was given back.
    Returned(Money),
    /// It is stuck.
    Stuck(Money),
}

/// Why nothing is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSale {
    /// The last order is not finished.
    Busy,
    /// The acceptor takes no notes.
    NoCash,
    /// The terminal takes no cards.
    NoCard,
    /// The float does not suffice.
    NoFloat,
    /// Without a line this is too much.
    Offline,
    /// The book cannot be written, or the seller is closed.
    Closed,
    /// Not an amount that can be sold here.
    Amount,
}

/// What somebody wants.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Language.
    pub language: Language,
    /// Number.
    pub number: Msisdn,
    /// Code of its operator.
    pub operator: String,
    /// Code and name of a bundle.
    pub bundle: Option<(String, String)>,
    /// What is to be paid; zero: as much as is put in.
    pub asked: Money,
    /// By card.
    pub card: bool,
}

#[derive(Clone, Debug, Default)]
struct Acceptor {
    up: bool,
    /// When it went, or came without saying how it is.
    since: Option<Timestamp>,
    state: Option<AcceptorState>,
    /// What it was told to take.
    told: Vec<Money>,
}

/// The machine.
pub struct Till {
    settings: Settings,
    book: Book,
    acceptor: Acceptor,
    terminal_up: bool,
    line: bool,
    standing: Option<Standing>,
    active: Option<u64>,
    /// The order on the screen was begun before a power cut, and its customer has not seen the end of it.
    recovered: bool,
    closing: HashSet<u64>,
    heard: Option<Heard>,
    touched_at: Timestamp,
    inquired: HashMap<u64, Timestamp>,
    later: HashMap<u64, Timestamp>,
    broken: bool,
}

const OPERATORS: &str = "operators";
const FLOAT: &str = "float";
const BOUNDS: &str = "bounds";

impl Till {
    /// Opens with what the book says: an order that was being paid is finished with what is in the box.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn open(settings: Settings, book: Book, now: Timestamp) -> Result<Till, BookError> {
        let standing = remembered(&book)?;
        let open: Vec<Order> = book.in_state(State::Paying)?;
        let cash: Vec<&Order> = open.iter().filter(|order| !order.card).collect();
        let last = book.last()?.filter(|order| !order.state.is_final());
        let mut till = Till {
            settings,
            acceptor: Acceptor {
                since: Some(now),
                ..Acceptor::default()
            },
            terminal_up: false,
            line: false,
            standing,
            recovered: last.is_some(),
            active: last.map(|order| order.seq),
            closing: cash.iter().map(|order| order.seq).collect(),
            heard: None,
            touched_at: now,
            inquired: HashMap::new(),
            later: HashMap::new(),
            broken: false,
            book,
        };
        let closing: Vec<u64> = till.closing.iter().copied().collect();
        for seq in closing {
            till.close(seq, now)?;
        }
        Ok(till)
    }

    /// Takes an input. What is to be done is durable before it is returned.
    ///
    /// # Errors
    /// [`BookError`]: nothing was believed; nothing is sold until the book can be written.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Result<Vec<Action>, BookError> {
        let mut actions = Vec::new();
        let done = self.take(input, now, &mut actions);
        self.broken = done.is_err();
        if done.is_err() {
            // What stands in escrow goes back: it is nowhere in the book.
            actions.retain(|action| matches!(action, Action::Acceptor(AcceptorOrder::Return { .. })));
            if actions.is_empty() {
                return done.map(|()| actions);
            }
            return Ok(actions);
        }
        self.arrange(&mut actions)?;
        Ok(actions)
    }

    fn take(&mut self, input: Input, now: Timestamp, actions: &mut Vec<Action>) -> Result<(), BookError> {
        match input {
            Input::AcceptorUp => {
                self.acceptor = Acceptor {
                    up: true,
                    since: Some(now),
                    ..Acceptor::default()
                };
                actions.push(Action::Acceptor(AcceptorOrder::Status));
            }
            Input::AcceptorDown => {
                self.acceptor = Acceptor {
                    since: Some(now),
                    ..Acceptor::default()
                };
            }
            Input::Acceptor(report) => self.acceptor_says(&report, now, actions)?,
            Input::TerminalUp => {
                self.terminal_up = true;
                self.inquired.clear();
                self.ask_about_cards(now, actions)?;
            }
            Input::TerminalDown => self.terminal_up = false,
            Input::Terminal(TerminalReport::Payment { id, outcome, auth }) => {
                self.terminal_says(&id, outcome, &auth, now, actions)?;
            }
            Input::Sold(seq, outcome) => self.sold(seq, outcome, now, actions)?,
            Input::Stood(Ok(standing)) => {
                self.line = true;
                remember(&self.book, &standing)?;
                self.standing = Some(standing);
                actions.push(Action::Settle);
            }
            Input::Stood(Err(AskError::NoLine)) => self.line = false,
            Input::Stood(Err(AskError::Refused(refusal))) => {
                tracing::error!(
                    code = refusal.code,
                    name = refusal.name,
                    "the server does not know this kiosk"
                );
                self.line = true;
                if let Some(standing) = &mut self.standing {
                    standing.open = false;
                }
            }
            Input::Tick => self.tick(now, actions)?,
        }
        Ok(())
    }

    /// Begins an order.
    ///
    /// # Errors
    /// Why nothing is sold; [`BookError`].
    pub fn begin(
        &mut self,
        wish: Wish,
        now: Timestamp,
    ) -> Result<Result<(u64, Vec<Action>), NoSale>, BookError> {
        let (ceiling, minimum, currency) = match self.may_sell(&wish)? {
            Ok(found) => found,
            Err(no) => return Ok(Err(no)),
        };
        let (bundle, bundle_name) = wish.bundle.unwrap_or_default();
        let order = Order {
            seq: 0,
            begun_at: now,
            changed_at: now,
            state: State::Paying,
            language: wish.language,
            number: wish.number,
            operator: wish.operator,
            currency,
            bundle,
            bundle_name,
            asked: wish.asked,
            ceiling,
            minimum,
            card: wish.card,
            offline: !self.line,
            follows: 0,
            paid: Money::ZERO,
            card_state: String::new(),
            auth: String::new(),
            receipt: String::new(),
            verify: String::new(),
            tax: Money::ZERO,
            credited: Money::ZERO,
            bundle_bought: None,
            refusal: 0,
            refused: String::new(),
        };
        let seq = self.book.change(|page| page.begin(&order))?;
        self.active = Some(seq);
        self.recovered = false;
        self.heard = None;
        self.touched_at = now;
        let mut actions = Vec::new();
        if order.card {
            self.inquired.insert(seq, now);
            actions.push(Action::Terminal(TerminalOrder::Pay {
                id: Order { seq, ..order.clone() }.reference(&self.settings.name),
                amount: Amount(order.asked),
                currency: order.currency,
            }));
        }
        self.arrange(&mut actions)?;
        Ok(Ok((seq, actions)))
    }

    /// Ceiling, smallest recharge and currency of what may be sold now.
    fn may_sell(&self, wish: &Wish) -> Result<Result<(Money, Money, String), NoSale>, BookError> {
        let Some(standing) = self
            .standing
            .as_ref()
            .filter(|standing| standing.open && !self.broken)
        else {
            return Ok(Err(NoSale::Closed));
        };
        let Some(operator) = standing
            .operators
            .iter()
            .find(|known| known.code == wish.operator)
        else {
            return Ok(Err(NoSale::Amount));
        };
        let free = match wish.card {
            true if !self.takes_cards() => return Ok(Err(NoSale::NoCard)),
            false if !self.takes_cash() => return Ok(Err(NoSale::NoCash)),
            _ => self.free()?,
        };
        if !wish.card && self.book.in_state(State::Paying)?.iter().any(|order| !order.card) {
            return Ok(Err(NoSale::Busy));
        }
        let (minimum, maximum) = bounds(standing, operator);
        let mut most = maximum.min(Money(limits::ORDER_MAX));
        if !self.line {
            if wish.bundle.is_some() || self.book.waiting()?.0 >= limits::QUEUE_MAX {
                return Ok(Err(NoSale::Offline));
            }
            most = most.min(self.settings.offline_sale_max);
            if free < minimum || wish.asked > self.settings.offline_sale_max || wish.asked > free {
                return Ok(Err(NoSale::Offline));
            }
        }
        let open = wish.asked == Money::ZERO;
        if open && (wish.card || wish.bundle.is_some()) || wish.asked.0 < 0 {
            return Ok(Err(NoSale::Amount));
        }
        if !open && (wish.asked < minimum || wish.asked > most) {
            return Ok(Err(NoSale::Amount));
        }
        if free < wish.asked.max(minimum) {
            return Ok(Err(NoSale::NoFloat));
        }
        // A room that no note can fill would keep people waiting.
        let smallest = self
            .settings
            .notes
            .iter()
            .copied()
            .min()
            .unwrap_or(Money(1))
            .0
            .max(1);
        let most = most.min(free);
        let ceiling = if open {
            Money(most.0 / smallest * smallest)
        } else {
            wish.asked
        };
        if !wish.card && wish.asked.0 % smallest != 0 {
            return Ok(Err(NoSale::Amount));
        }
        Ok(Ok((ceiling, minimum, operator.currency.clone())))
    }

    /// What may still be sold: the float less what is promised, and without a line what may wait for one.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn free(&self) -> Result<Money, BookError> {
        let pledged = self.book.pledged()?;
        let float = self
            .standing
            .as_ref()
            .map_or(Money::ZERO, |standing| standing.float);
        let free = float - pledged;
        Ok(match self.line {
            true => free,
            false => free.min(self.settings.offline_max - pledged),
        })
    }

    /// The customer has no more notes, or wants to stop: what is in the box is sold.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn finish(&mut self, seq: u64, now: Timestamp) -> Result<Vec<Action>, BookError> {
        let mut actions = Vec::new();
        let Some(order) = self.book.order(seq)?.filter(|order| order.state == State::Paying) else {
            return Ok(actions);
        };
        if order.card {
            let id = order.reference(&self.settings.name);
            actions.push(Action::Terminal(TerminalOrder::Cancel { id }));
        } else {
            self.close(seq, now)?;
            actions.push(Action::Settle);
        }
        self.arrange(&mut actions)?;
        Ok(actions)
    }

    /// Somebody touched the screen.
    pub fn touched(&mut self, now: Timestamp) {
        self.touched_at = now;
    }

    /// The screen shows the beginning again.
    pub fn left(&mut self) {
        self.heard = None;
        self.recovered = false;
        let done = |seq: &u64| !matches!(self.book.order(*seq), Ok(Some(order)) if order.state == State::Paying && !order.card);
        self.active = self.active.filter(|seq| !done(seq));
    }

    /// The oldest order whose sale is to be made now.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn next_sale(&self, now: Timestamp) -> Result<Option<Order>, BookError> {
        let due = |order: &Order| self.later.get(&order.seq).is_none_or(|at| *at <= now);
        Ok(self.book.in_state(State::Paid)?.into_iter().find(due))
    }

    fn sold(
        &mut self,
        seq: u64,
        outcome: SaleOutcome,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<(), BookError> {
        self.line = outcome != SaleOutcome::NoLine;
        let Some(mut order) = self.book.order(seq)?.filter(|order| order.state == State::Paid) else {
            return Ok(());
        };
        match outcome {
            SaleOutcome::Credited(credited) => {
                order.state = State::Credited;
                order.receipt = credited.receipt;
                order.verify = credited.verify;
                order.tax = credited.tax;
                order.credited = credited.credited;
                order.bundle_bought = credited.bundle.or(order.bundle_bought);
                self.later.remove(&seq);
                self.book.change(|page| page.put(&order, now, "credited"))?;
                if let Some(standing) = &mut self.standing {
                    standing.float -= order.paid;
                }
                actions.push(Action::Stand);
            }
            SaleOutcome::Pending => {
                self.later.insert(seq, now.plus(SECOND));
            }
            SaleOutcome::NoLine => {}
            SaleOutcome::Refused(refusal) if refusal.is_for_now() => {
                self.later.insert(seq, now.plus(limits::LATER_US));
                if order.refused != refusal.name {
                    tracing::error!(order = seq, name = refusal.name, "a paid sale has to wait");
                    (order.refusal, order.refused) = (refusal.code, refusal.name);
                    self.book
                        .change(|page| page.put(&order, now, &format!("waits: {}", order.refused)))?;
                }
            }
            SaleOutcome::Refused(refusal) => {
                tracing::error!(
                    order = seq,
                    name = refusal.name,
                    "a paid sale was refused: money is owed"
                );
                (order.refusal, order.refused) = (refusal.code, refusal.name);
                order.state = if order.card { State::Reversing } else { State::Owed };
                let what = format!("{}: {}", order.state.name(), order.refused);
                self.book.change(|page| page.put(&order, now, &what))?;
                self.inquired.remove(&seq);
                self.ask_about_cards(now, actions)?;
            }
        }
        actions.push(Action::Settle);
        Ok(())
    }

    fn tick(&mut self, now: Timestamp, actions: &mut Vec<Action>) -> Result<(), BookError> {
        if let Some(seq) = self.paying_cash()? {
            let idle = now >= self.touched_at.plus(self.settings.pay_idle_us);
            // An acceptor that stays away tells nothing: what is known is sold, and a late note follows by itself.
            let gone = |since: Timestamp| now >= since.plus(self.settings.pay_idle_us);
            if self.acceptor.since.is_some_and(gone) {
                for open in self.book.open_notes()?.into_iter().filter(|open| open.seq == seq) {
                    self.fate(open.note, NoteState::Unclear, now, actions)?;
                }
                self.close(seq, now)?;
                actions.push(Action::Settle);
            } else if idle {
                self.close(seq, now)?;
                actions.push(Action::Settle);
            }
        }
        self.ask_about_cards(now, actions)?;
        if self.next_sale(now)?.is_some() {
            actions.push(Action::Settle);
        }
        Ok(())
    }
}

/// What pages look at.
impl Till {
    /// How it is set up.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The book.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The order on the screen.
    pub fn active(&self) -> Option<u64> {
        self.active
    }

    /// The order whose end nobody saw because of a power cut.
    pub fn unseen(&self) -> Option<u64> {
        self.active.filter(|_| self.recovered)
    }

    /// The order takes no more money; what is under way is waited for.
    pub fn is_closing(&self, seq: u64) -> bool {
        self.closing.contains(&seq)
    }

    /// What the customer should know of the acceptor.
    pub fn heard(&self) -> Option<Heard> {
        self.heard
    }

    /// The server answers.
    pub fn line(&self) -> bool {
        self.line
    }

    /// Notes can be put in.
    pub fn takes_cash(&self) -> bool {
        !self.settings.notes.is_empty()
            && self.acceptor.up
            && self.acceptor.state == Some(AcceptorState::Ready)
    }

    /// Cards can be used: not without a line, because a sale that is refused later could not be taken back in time.
    pub fn takes_cards(&self) -> bool {
        self.settings.card && self.terminal_up && self.line
    }

    /// It is open for customers.
    pub fn is_open(&self) -> bool {
        let open = self.standing.as_ref().is_some_and(|standing| standing.open);
        let sells = self.line || self.settings.offline_max.is_positive();
        open && sells && !self.broken && (self.takes_cash() || self.takes_cards())
    }

    /// The operators that can be recharged, as the server said last.
    pub fn operators(&self) -> &[OperatorBrief] {
        self.standing.as_ref().map_or(&[], |standing| &standing.operators)
    }

    /// Smallest and largest sale for an operator.
    pub fn bounds(&self, operator: &str) -> Option<(Money, Money)> {
        let standing = self.standing.as_ref()?;
        let operator = standing.operators.iter().find(|known| known.code == operator)?;
        Some(bounds(standing, operator))
    }
}

fn bounds(standing: &Standing, operator: &OperatorBrief) -> (Money, Money) {
    let (least, most) = standing.bounds;
    let minimum = operator.minimum.0.max(least);
    let maximum = match most {
        Money::ZERO => operator.maximum.0,
        most => operator.maximum.0.min(most),
    };
    (minimum, maximum)
}

fn remember(book: &Book, standing: &Standing) -> Result<(), BookError> {
    let operators = serde_json::to_string(&standing.operators).unwrap_or_default();
    for (name, value) in [
        (OPERATORS, operators),
        (FLOAT, standing.float.exact()),
        (
            BOUNDS,
            format!("{} {}", standing.bounds.0.exact(), standing.bounds.1.exact()),
        ),
    ] {
        if book.fact(name)?.as_deref() != Some(&value) {
            book.set_fact(name, &value)?;
        }
    }
    Ok(())
}

fn remembered(book: &Book) -> Result<Option<Standing>, BookError> {
    let (Some(operators), Some(float)) = (book.fact(OPERATORS)?, book.fact(FLOAT)?) else {
        return Ok(None);
    };
    let bounds = book.fact(BOUNDS)?.unwrap_or_default();
    let (least, most) = bounds.split_once(' ').unwrap_or(("0", "0"));
    let money = |text: &str| Money::parse(text).unwrap_or_default();
    Ok(Some(Standing {
        float: money(&float),
        open: true,
        bounds: (money(least), money(most)),
        operators: serde_json::from_str(&operators).unwrap_or_default(),
    }))
}
