//! A cash acceptor: an escrow, a box, and a memory of the last note that survives everything.

use super::{Device, Inside, Out, say, serve};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// What goes wrong with the next note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
    /// It cannot be read.
    Reject,
    /// It gets stuck on its way into the box, and is found inside.
    JamInside,
    /// It gets stuck and is found outside.
    JamOutside,
    /// Power is cut when it is told to stack: it stays in escrow.
    CutBeforeStack,
    /// Power is cut when the note is in the box and nobody was told.
    CutAfterStack,
    /// The note is in the box, and the acceptor says nothing.
    Silent,
    /// The note stays in escrow, and the acceptor says nothing.
    Deaf,
}

/// What became of a note that somebody put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The slot is closed, or does not take such notes.
    Closed,
    /// It was given back at once.
    Rejected,
    /// It is in escrow under this number.
    Escrowed(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Held,
    Stacked,
    Returned,
    Unclear,
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Fate::Held => "held",
            Fate::Stacked => "stacked",
            Fate::Returned => "returned",
            Fate::Unclear => "unclear",
        }
    }
}

struct Machine {
    takes: Vec<u64>,
    state: &'static str,
    count: u64,
    last: Option<(u64, u64, Fate)>,
    trick: Option<Trick>,
    in_box: Vec<u64>,
    given_back: Vec<u64>,
    told_to_stack: u64,
    jammed_inside: bool,
}

/// A cash acceptor; values are whole units of the currency.
pub struct Acceptor {
    address: SocketAddr,
    inside: Arc<Inside<Machine>>,
}

impl Acceptor {
    /// Starts one.
    ///
    /// # Errors
    /// What the system says.
    pub async fn start(address: SocketAddr) -> io::Result<Arc<Acceptor>> {
        let inside = Arc::new(Inside::new(Machine {
            takes: Vec::new(),
            state: "ready",
            count: 0,
            last: None,
            trick: None,
            in_box: Vec::new(),
            given_back: Vec::new(),
            told_to_stack: 0,
            jammed_inside: false,
        }));
        let address = serve(address, Arc::clone(&inside)).await?;
        Ok(Arc::new(Acceptor { address, inside }))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Somebody puts a note in.
    pub fn insert(&self, value: u64) -> Inserted {
        let mut inside = self.inside.state.lock();
        let (machine, out) = &mut *inside;
        let holds = machine.last.is_some_and(|(_, _, fate)| fate == Fate::Held);
        if out.is_none() || machine.state != "ready" || holds || machine.takes.is_empty() {
            return Inserted::Closed;
        }
        if machine.trick == Some(Trick::Reject) || !machine.takes.contains(&value) {
            if machine.trick == Some(Trick::Reject) {
                machine.trick = None;
            }
            say(out.as_ref(), json!({"is": "rejected"}));
            return Inserted::Rejected;
        }
        machine.count += 1;
        machine.last = Some((machine.count, value, Fate::Held));
        // One note at a time: the slot is closed until the kiosk has written this one down.
        machine.takes.clear();
        say(
            out.as_ref(),
            json!({"is": "escrowed", "note": machine.count, "value": value.to_string()}),
        );
        Inserted::Escrowed(machine.count)
    }

    /// Something goes wrong with the next note.
    pub fn play(&self, trick: Trick) {
        self.inside.state.lock().0.trick = Some(trick);
    }

    /// A note is put into the escrow while nobody is connected: the power came back to the acceptor first.
    pub fn hold(&self, value: u64) {
        let machine = &mut self.inside.state.lock().0;
        machine.count += 1;
        machine.last = Some((machine.count, value, Fate::Held));
    }

    /// Somebody opens it and takes a stuck note away: into the box, or back to the customer.
    pub fn clear(&self) {
        let mut inside = self.inside.state.lock();
        let (machine, out) = &mut *inside;
        machine.state = "ready";
        if let Some((note, value, Fate::Unclear)) = machine.last {
            if machine.jammed_inside {
                machine.in_box.push(value);
                machine.last = Some((note, value, Fate::Stacked));
            } else {
                machine.given_back.push(value);
                machine.last = Some((note, value, Fate::Returned));
            }
        }
        say(out.as_ref(), machine.status());
    }

    /// The box is full.
    pub fn fill(&self) {
        let mut inside = self.inside.state.lock();
        inside.0.state = "full";
        let status = inside.0.status();
        say(inside.1.as_ref(), status);
    }

    /// The notes in the box.
    pub fn in_box(&self) -> Vec<u64> {
        self.inside.state.lock().0.in_box.clone()
    }

    /// The notes that were given back.
    pub fn given_back(&self) -> Vec<u64> {
        self.inside.state.lock().0.given_back.clone()
    }

    /// The note in escrow.
    pub fn in_escrow(&self) -> Option<u64> {
        let last = self.inside.state.lock().0.last;
        last.filter(|(_, _, fate)| *fate == Fate::Held)
            .map(|(_, value, _)| value)
    }

    /// How often it was told to put a note into the box.
    pub fn told_to_stack(&self) -> u64 {
        self.inside.state.lock().0.told_to_stack
    }

    /// The values that it takes now.
    pub fn takes(&self) -> Vec<u64> {
        self.inside.state.lock().0.takes.clone()
    }
}

/// `100.00` as 100: notes are whole.
fn whole(amount: &str) -> Option<u64> {
    let (whole, rest) = amount.split_once('.').unwrap_or((amount, ""));
    whole
        .parse()
        .ok()
        .filter(|_| rest.bytes().all(|digit| digit == b'0'))
}

impl Machine {
    fn status(&self) -> Value {
        let last = self.last.map(
            |(note, value, fate)| json!({"note": note, "value": value.to_string(), "fate": fate.name()}),
        );
        match last {
            Some(last) => json!({"is": "status", "state": self.state, "last": last}),
            None => json!({"is": "status", "state": self.state}),
        }
    }

    /// `false`: the power is cut.
    fn stack(&mut self, note: u64, out: Option<&Out>) -> bool {
        let Some((held, value, Fate::Held)) = self.last.filter(|(held, _, _)| *held == note) else {
            return true;
        };
        self.told_to_stack += 1;
        let mut into_the_box = |fate: Fate| {
            self.last = Some((held, value, fate));
            if fate == Fate::Stacked {
                self.in_box.push(value);
            }
        };
        match self.trick.take() {
            Some(Trick::CutBeforeStack) => return false,
            Some(Trick::Deaf) => {}
            Some(Trick::CutAfterStack) => {
                into_the_box(Fate::Stacked);
                return false;
            }
            Some(Trick::Silent) => into_the_box(Fate::Stacked),
            Some(trick @ (Trick::JamInside | Trick::JamOutside)) => {
                into_the_box(Fate::Unclear);
                self.state = "jammed";
                self.jammed_inside = trick == Trick::JamInside;
                self.takes.clear();
                say(out, json!({"is": "jammed", "note": note}));
            }
            Some(Trick::Reject) | None => {
                into_the_box(Fate::Stacked);
                say(out, json!({"is": "stacked", "note": note}));
            }
        }
        true
    }
}

impl Device for Inside<Machine> {
    fn connected(&self, out: Out) {
        let mut inside = self.state.lock();
        inside.0.takes.clear();
        inside.1 = Some(out);
    }

    fn hears(&self, line: &Value) -> bool {
        let mut inside = self.state.lock();
        let (machine, out) = &mut *inside;
        let note = line["note"].as_u64().unwrap_or(0);
        match line["do"].as_str() {
            // With a note in escrow it was sent before the kiosk knew of that note.
            Some("enable") if matches!(machine.last, Some((_, _, Fate::Held))) => {}
            Some("enable") => {
                let values = line["notes"].as_array().into_iter().flatten();
                machine.takes = values.filter_map(|value| whole(value.as_str()?)).collect();
            }
            Some("disable") => machine.takes.clear(),
            Some("stack") => return machine.stack(note, out.as_ref()),
            Some("return") => {
                if let Some((held, value, Fate::Held)) = machine.last.filter(|(held, _, _)| *held == note) {
                    machine.last = Some((held, value, Fate::Returned));
                    machine.given_back.push(value);
                    say(out.as_ref(), json!({"is": "returned", "note": note}));
                }
            }
            Some("status") => say(out.as_ref(), machine.status()),
            _ => {}
        }
        true
    }

    fn alone(&self) {
        let mut inside = self.state.lock();
        inside.0.takes.clear();
        inside.1 = None;
    }
}
