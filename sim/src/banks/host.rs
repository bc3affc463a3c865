//! A bank's host of cash machines with its book and its store-and-forward file: what was asked and not answered is reversed
//! until it is answered, as banks do.

use super::Trouble;
use super::atm::{Line, Profile};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wire::iso8583::{Message, Mti};

/// Messages of a storm that are on their way at once.
const AT_ONCE: usize = 16;

/// A sale as the bank wants it: its number makes its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// The same number, the same message.
    pub number: u32,
    /// Whose number.
    pub msisdn: String,
    /// Paisa.
    pub paisa: u64,
}

/// What the book says of a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The sale.
    pub sale: Sale,
    /// DE39 of the first answer to it.
    pub sold: Option<String>,
    /// A reversal may have arrived.
    pub reversing: bool,
    /// DE39 of the first answer to its reversal.
    pub reversed: Option<String>,
}

impl Entry {
    /// It is in the store-and-forward file: nobody has said what became of it.
    pub fn is_open(&self) -> bool {
        self.reversed.is_none() && (self.reversing || self.sold.is_none())
    }

    /// The customer has it, as far as the bank knows.
    pub fn is_sold(&self) -> bool {
        self.reversed.as_deref().unwrap_or("21") == "21" && self.sold.as_deref() == Some("00")
    }
}

/// Which message of a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sale,
    Repeat,
    Reversal,
}

/// The host.
pub struct Host {
    profile: Profile,
    to: SocketAddr,
    patience: Duration,
    book: Mutex<BTreeMap<u32, Entry>>,
}

impl Host {
    /// A host that calls there and waits so long for an answer.
    pub fn new(profile: Profile, to: SocketAddr, patience: Duration) -> Host {
        Host {
            profile,
            to,
            patience,
            book: Mutex::default(),
        }
    }

    /// What it knows.
    pub fn book(&self) -> Vec<Entry> {
        self.book.lock().values().cloned().collect()
    }

    /// Each sale up to twice and perhaps its repeat, one in `reversals` also reversed, all at once and in any order, each
    /// message through some trouble.
    pub fn storm(&self, sales: &[Sale], reversals: u32, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut messages = Vec::new();
        for sale in sales {
            messages.push((sale, Kind::Sale, Trouble::random(&mut random)));
            if random.random_bool(0.3) {
                messages.push((sale, Kind::Sale, Trouble::random(&mut random)));
            }
            if random.random_bool(0.3) {
                messages.push((sale, Kind::Repeat, Trouble::random(&mut random)));
            }
            if random.random_range(0..reversals.max(1)) == 0 {
                messages.push((sale, Kind::Reversal, Trouble::random(&mut random)));
            }
        }
        messages.shuffle(&mut random);
        let next = Mutex::new(messages.into_iter());
        std::thread::scope(|threads| {
            for _ in 0..AT_ONCE {
                threads.spawn(|| {
                    loop {
                        let Some((sale, kind, trouble)) = next.lock().next() else {
                            return;
                        };
                        self.send(sale, kind, trouble);
                    }
                });
            }
        });
    }

    /// Store and forward: reverses what is open until all of it is answered. False when that takes too long.
    pub fn forward(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            let open: Vec<Sale> = self
                .book()
                .into_iter()
                .filter(Entry::is_open)
                .map(|entry| entry.sale)
                .collect();
            if open.is_empty() {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            for sale in &open {
                self.send(sale, Kind::Reversal, Trouble::None);
            }
        }
    }

    fn send(&self, sale: &Sale, kind: Kind, trouble: Trouble) {
        let again = {
            let mut book = self.book.lock();
            let entry = book.entry(sale.number).or_insert_with(|| Entry {
                sale: sale.clone(),
                sold: None,
                reversing: false,
                reversed: None,
            });
            let again = entry.reversing;
            entry.reversing |= kind == Kind::Reversal;
            again
        };
        let first = self.profile.sale(sale.number, &sale.msisdn, sale.paisa);
        let message = match kind {
            Kind::Sale => first,
            Kind::Repeat => self.profile.repeat(&first),
            Kind::Reversal => self.profile.reversal(&first, again),
        };
        // A line that breaks has said nothing.
        if let Ok(Some(answer)) = self.exchange(&message, trouble) {
            self.hear(sale.number, &answer);
        }
    }

    fn exchange(&self, message: &Message, trouble: Trouble) -> std::io::Result<Option<Message>> {
        let patience = match trouble {
            Trouble::Lost => return Ok(None),
            Trouble::Late(late) => {
                std::thread::sleep(late);
                self.patience
            }
            Trouble::Impatient(patience) => patience,
            _ => self.patience,
        };
        let mut line = Line::open(self.to, &self.profile)?;
        match trouble {
            Trouble::Cut => {
                let octets = self.profile.octets(message);
                line.send_octets(&octets[..octets.len() / 2])?;
                Ok(None)
            }
            Trouble::AnswerLost => {
                line.send(message)?;
                // Not at once: what is in flight with the end of the line would be thrown away with it.
                std::thread::sleep(Duration::from_millis(1));
                Ok(None)
            }
            _ => line.ask(message, patience),
        }
    }

    fn hear(&self, number: u32, answer: &Message) {
        let Some(told) = answer.get(39).map(str::to_owned) else {
            return;
        };
        if let Some(entry) = self.book.lock().get_mut(&number) {
            let place = if answer.mti == Mti::REVERSAL.answer() {
                &mut entry.reversed
            } else {
                &mut entry.sold
            };
            // 94 of a sale says only that its reversal came first.
            if place.is_none() {
                *place = Some(told);
            }
        }
    }
}
