//! The till against a world in which anything stops at any moment: every note that goes into the box is credited once, owed,
//! or of nobody; every other note is given back; the book says the same as the acceptor and the server; and nothing is taken
//! that the float at the server would not cover.

use charge::catalog::Language;
use charge::time::SECOND;
use charge::{Money, Msisdn, Timestamp};
use kiosk::book::{Book, State};
use kiosk::device::{AcceptorOrder, AcceptorReport, AcceptorState, Amount, Fate, LastNote};
use kiosk::operator::{Credited, OperatorBrief, Refusal, SaleOutcome, Standing};
use kiosk::till::{Action, Input, Settings, Till, Wish};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Op {
    Begin {
        asked: i64,
    },
    Insert {
        value: i64,
    },
    /// The next order reaches the acceptor, and its answer is on the way.
    Order,
    /// The next answer reaches the kiosk.
    Report,
    /// The connection to the acceptor breaks and comes back.
    Cut,
    /// The note in escrow gets stuck when it is told to go into the box; found inside or outside.
    Jam {
        inside: bool,
    },
    /// Somebody takes the stuck note away.
    Clear,
    /// A sale is tried.
    Sell(Server),
    Finish,
    /// The server says anew what the float holds.
    Stand,
    Pause {
        seconds: i64,
    },
    /// kill -9, and a new start.
    Crash,
}

#[derive(Clone, Copy, Debug)]
enum Server {
    Answers,
    LosesAnswer,
    Away,
    HasNoFloat,
    NeverTakesIt,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => prop_oneof![Just(0), Just(50), Just(100), Just(300)].prop_map(|asked| Op::Begin { asked }),
        6 => prop_oneof![Just(10), Just(50), Just(100), Just(500)].prop_map(|value| Op::Insert { value }),
        8 => Just(Op::Order),
        8 => Just(Op::Report),
        1 => Just(Op::Cut),
        1 => any::<bool>().prop_map(|inside| Op::Jam { inside }),
        1 => Just(Op::Clear),
        4 => prop_oneof![
            4 => Just(Server::Answers),
            2 => Just(Server::LosesAnswer),
            1 => Just(Server::Away),
            1 => Just(Server::HasNoFloat),
            1 => Just(Server::NeverTakesIt),
        ].prop_map(Op::Sell),
        2 => Just(Op::Finish),
        1 => Just(Op::Stand),
        2 => (1_i64..70).prop_map(|seconds| Op::Pause { seconds }),
        2 => Just(Op::Crash),
    ]
}

fn rs(units: i64) -> Money {
    Money::from_units(units)
}

/// An acceptor as the how-to describes it.
struct Device {
    count: u64,
    last: Option<LastNote>,
    takes: Vec<Money>,
    jam: Option<bool>,
    stuck: Option<bool>,
    in_box: Money,
    given_back: Money,
}

impl Device {
    fn moved(&mut self, fate: Fate) {
        let last = self.last.as_mut().unwrap();
        last.fate = fate;
        match fate {
            Fate::Stacked => self.in_box += last.value.0,
            Fate::Returned => self.given_back += last.value.0,
            _ => {}
        }
    }

    fn status(&self) -> AcceptorReport {
        let state = if self.stuck.is_some() {
            AcceptorState::Jammed
        } else {
            AcceptorState::Ready
        };
        AcceptorReport::Status {
            state,
            last: self.last,
        }
    }

    fn held(&self, note: u64) -> bool {
        self.last
            .is_some_and(|last| last.note == note && last.fate == Fate::Held)
    }

    fn hears(&mut self, order: &AcceptorOrder) -> Option<AcceptorReport> {
        match order {
            AcceptorOrder::Enable { .. } if self.last.is_some_and(|last| last.fate == Fate::Held) => {}
            AcceptorOrder::Enable { notes } => self.takes = notes.iter().map(|note| note.0).collect(),
            AcceptorOrder::Disable => self.takes.clear(),
            AcceptorOrder::Status => return Some(self.status()),
            AcceptorOrder::Stack { note } if self.held(*note) => {
                if let Some(inside) = self.jam.take() {
                    self.moved(Fate::Unclear);
                    self.stuck = Some(inside);
                    self.takes.clear();
                    return Some(AcceptorReport::Jammed { note: Some(*note) });
                }
                self.moved(Fate::Stacked);
                return Some(AcceptorReport::Stacked { note: *note });
            }
            AcceptorOrder::Return { note } if self.held(*note) => {
                self.moved(Fate::Returned);
                return Some(AcceptorReport::Returned { note: *note });
            }
            AcceptorOrder::Stack { .. } | AcceptorOrder::Return { .. } => {}
        }
        None
    }
}

struct World {
    dir: tempfile::TempDir,
    till: Option<Till>,
    now: Timestamp,
    orders: VecDeque<AcceptorOrder>,
    reports: VecDeque<AcceptorReport>,
    device: Device,
    inserted: Money,
    credited: BTreeMap<u64, Money>,
    /// What the float held at first.
    float: Money,
}

impl World {
    fn new(float: Money) -> World {
        let mut world = World {
            dir: tempfile::tempdir().unwrap(),
            till: None,
            now: Timestamp::from_seconds(1_795_000_000),
            orders: VecDeque::new(),
            reports: VecDeque::new(),
            device: Device {
                count: 0,
                last: None,
                takes: Vec::new(),
                jam: None,
                stuck: None,
                in_box: Money::ZERO,
                given_back: Money::ZERO,
            },
            inserted: Money::ZERO,
            credited: BTreeMap::new(),
            float,
        };
        world.start();
        world
    }

    fn start(&mut self) {
        let book = Book::open(&self.dir.path().join("kiosk.db")).unwrap();
        let settings = Settings {
            name: "k".to_owned(),
            notes: [10, 50, 100, 500].map(rs).to_vec(),
            card: false,
            offline_max: rs(1_000),
            offline_sale_max: rs(500),
            pay_idle_us: 30 * SECOND,
        };
        self.till = Some(Till::open(settings, book, self.now).unwrap());
        self.orders.clear();
        self.reports.clear();
        self.device.takes.clear();
        self.stand();
        self.input(Input::AcceptorUp);
    }

    fn left(&self) -> Money {
        self.float - self.credited.values().copied().sum()
    }

    fn stand(&mut self) {
        let standing = standing(self.left());
        self.input(Input::Stood(Ok(standing)));
    }

    fn input(&mut self, input: Input) {
        let actions = self.till.as_mut().unwrap().handle(input, self.now).unwrap();
        self.take(actions);
    }

    fn take(&mut self, actions: Vec<Action>) {
        for action in actions {
            if let Action::Acceptor(order) = action {
                self.orders.push_back(order);
            }
        }
    }

    fn till(&mut self) -> &mut Till {
        self.till.as_mut().unwrap()
    }

    fn happens(&mut self, op: Op) {
        self.now = self.now.plus(1_000);
        let now = self.now;
        match op {
            Op::Begin { asked } => {
                let wish = Wish {
                    language: Language::En,
                    number: Msisdn::parse("923001234567").unwrap(),
                    operator: "jazz".to_owned(),
                    bundle: None,
                    asked: rs(asked),
                    card: false,
                };
                if let Ok((_, actions)) = self.till().begin(wish, now).unwrap() {
                    self.take(actions);
                }
            }
            Op::Insert { value } => {
                let held = self.device.last.is_some_and(|last| last.fate == Fate::Held);
                if held || self.device.stuck.is_some() || !self.device.takes.contains(&rs(value)) {
                    return;
                }
                self.inserted += rs(value);
                self.device.takes.clear();
                self.device.count += 1;
                let note = self.device.count;
                let value = Amount(rs(value));
                self.device.last = Some(LastNote {
                    note,
                    value,
                    fate: Fate::Held,
                });
                self.reports.push_back(AcceptorReport::Escrowed { note, value });
            }
            Op::Order => {
                if let Some(order) = self.orders.pop_front()
                    && let Some(report) = self.device.hears(&order)
                {
                    self.reports.push_back(report);
                }
            }
            Op::Report => {
                if let Some(report) = self.reports.pop_front() {
                    self.input(Input::Acceptor(report));
                }
            }
            Op::Cut => {
                self.orders.clear();
                self.reports.clear();
                self.device.takes.clear();
                self.input(Input::AcceptorDown);
                self.input(Input::AcceptorUp);
            }
            Op::Jam { inside } => self.device.jam = Some(inside),
            Op::Clear => {
                if let Some(inside) = self.device.stuck.take() {
                    self.device
                        .moved(if inside { Fate::Stacked } else { Fate::Returned });
                    self.reports.push_back(self.device.status());
                }
            }
            Op::Sell(server) => self.sell(server),
            Op::Finish => {
                if let Some(seq) = self.till().active() {
                    let actions = self.till().finish(seq, now).unwrap();
                    self.take(actions);
                }
            }
            Op::Stand => self.stand(),
            Op::Pause { seconds } => {
                self.now = self.now.plus(seconds * SECOND);
                self.input(Input::Tick);
            }
            Op::Crash => self.start(),
        }
    }

    fn sell(&mut self, server: Server) {
        let now = self.now;
        let Some(order) = self.till().next_sale(now).unwrap() else {
            return;
        };
        let known = self.credited.contains_key(&order.seq);
        assert!(
            known || order.paid <= self.left(),
            "{} was taken where {} are left to sell",
            order.paid,
            self.left()
        );
        let credited = SaleOutcome::Credited(Credited::default());
        let no = |status: u16, name: &str| {
            SaleOutcome::Refused(Refusal {
                status,
                code: 1,
                name: name.to_owned(),
                told: String::new(),
            })
        };
        let outcome = match server {
            Server::Away => SaleOutcome::NoLine,
            Server::HasNoFloat if !known => no(402, "insufficient-float"),
            // The line asks by the reference before it believes a final no.
            Server::NeverTakesIt if !known => no(404, "no-subscriber"),
            Server::LosesAnswer => {
                let before = self.credited.insert(order.seq, order.paid);
                assert!(
                    before.is_none_or(|before| before == order.paid),
                    "another body under the same reference"
                );
                SaleOutcome::NoLine
            }
            _ => {
                let before = self.credited.insert(order.seq, order.paid);
                assert!(
                    before.is_none_or(|before| before == order.paid),
                    "another body under the same reference"
                );
                credited
            }
        };
        self.input(Input::Sold(order.seq, outcome));
    }

    /// Everything works again, and time goes by.
    fn settle(&mut self) {
        self.happens(Op::Crash);
        for _ in 0..8 {
            self.happens(Op::Clear);
            for _ in 0..12 {
                self.happens(Op::Order);
                self.happens(Op::Report);
            }
            self.happens(Op::Pause { seconds: 40 });
            for _ in 0..40 {
                self.happens(Op::Sell(Server::Answers));
            }
        }
    }
}

fn standing(float: Money) -> Standing {
    Standing {
        float,
        open: true,
        bounds: (Money::ZERO, Money::ZERO),
        operators: vec![OperatorBrief {
            code: "jazz".to_owned(),
            name: BTreeMap::new(),
            currency: "PKR".to_owned(),
            country: "92".to_owned(),
            trunk: "0".to_owned(),
            national_digits: 10,
            prefixes: vec!["9230".to_owned()],
            minimum: Amount(rs(50)),
            maximum: Amount(rs(10_000)),
        }],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]
    #[test]
    fn every_note_is_credited_once_owed_or_given_back(
        float in prop_oneof![3 => 200_i64..3_000, 1 => Just(1_000_000)],
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let mut world = World::new(rs(float));
        for op in ops {
            world.happens(op);
            let till = world.till.as_ref().unwrap();
            prop_assert!(till.book().cash().unwrap().balances());
        }
        world.settle();
        let till = world.till.as_ref().unwrap();
        let book = till.book();
        for state in [State::Paying, State::Paid, State::Reversing] {
            prop_assert_eq!(book.in_state(state).unwrap().len(), 0, "{:?}", state);
        }
        prop_assert_eq!(book.open_notes().unwrap().len(), 0);
        let cash = book.cash().unwrap();
        prop_assert!(cash.balances(), "{:?}", cash);
        // The acceptor, the book and the server say the same.
        prop_assert_eq!(world.inserted, world.device.in_box + world.device.given_back);
        prop_assert_eq!(cash.taken, world.device.in_box);
        prop_assert_eq!(cash.stray, Money::ZERO);
        let credited: Money = world.credited.values().copied().sum();
        prop_assert_eq!(cash.credited, credited);
        prop_assert_eq!(world.device.in_box, credited + cash.owed);
    }
}
