//! A card terminal with a bank behind it. It never shows a card number.

use super::{Device, Inside, Out, say, serve};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// How the bank answers the next payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bank {
    /// At once.
    Approves,
    /// At once.
    Declines,
    /// Its answer is lost, and so many inquiries do not find out.
    Lost {
        /// Whether the card was charged.
        paid: bool,
        /// Inquiries without an answer.
        times: u32,
    },
    /// Approves, and gives nothing back.
    NeverReverses,
    /// Nobody holds a card to the terminal before [`Terminal::tap`].
    Waits,
    /// The card is charged and the power goes before anybody is told.
    CutAfterPaid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Approved,
    Declined,
    Reversed,
}

struct Payment {
    amount: String,
    stage: Stage,
    unknown: u32,
    irreversible: bool,
}

struct Machine {
    bank: Bank,
    payments: BTreeMap<String, Payment>,
    asked_to_pay: u64,
}

/// A card terminal.
pub struct Terminal {
    address: SocketAddr,
    inside: Arc<Inside<Machine>>,
}

impl Terminal {
    /// Starts one whose bank approves.
    ///
    /// # Errors
    /// What the system says.
    pub async fn start(address: SocketAddr) -> io::Result<Arc<Terminal>> {
        let inside = Arc::new(Inside::new(Machine {
            bank: Bank::Approves,
            payments: BTreeMap::new(),
            asked_to_pay: 0,
        }));
        let address = serve(address, Arc::clone(&inside)).await?;
        Ok(Arc::new(Terminal { address, inside }))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the bank answers from now on.
    pub fn set(&self, bank: Bank) {
        self.inside.state.lock().0.bank = bank;
    }

    /// Somebody holds a card to it: what waits is approved.
    pub fn tap(&self) {
        let mut inside = self.inside.state.lock();
        let (machine, out) = &mut *inside;
        for (id, payment) in &mut machine.payments {
            if payment.stage == Stage::Waiting {
                payment.stage = Stage::Approved;
                say(out.as_ref(), told(id, payment));
            }
        }
    }

    /// What the bank took and did not give back: reference and amount.
    pub fn taken(&self) -> Vec<(String, String)> {
        let inside = self.inside.state.lock();
        let paid = inside
            .0
            .payments
            .iter()
            .filter(|(_, payment)| payment.stage == Stage::Approved);
        paid.map(|(id, payment)| (id.clone(), payment.amount.clone()))
            .collect()
    }

    /// How often it was asked to take a payment.
    pub fn asked_to_pay(&self) -> u64 {
        self.inside.state.lock().0.asked_to_pay
    }
}

fn told(id: &str, payment: &Payment) -> Value {
    let outcome = match payment.stage {
        _ if payment.unknown > 0 => "unknown",
        Stage::Waiting => "waiting",
        Stage::Approved => "approved",
        Stage::Declined => "declined",
        Stage::Reversed => "reversed",
    };
    let mut value = json!({"is": "payment", "id": id, "outcome": outcome});
    if outcome == "approved" {
        value["auth"] = json!(format!("A{:05}", id.bytes().map(u32::from).sum::<u32>()));
    }
    value
}

impl Machine {
    /// `false`: the power is cut.
    fn pay(&mut self, id: &str, amount: &str, out: Option<&Out>) -> bool {
        self.asked_to_pay += 1;
        let bank = self.bank;
        let payment = self.payments.entry(id.to_owned()).or_insert_with(|| Payment {
            amount: amount.to_owned(),
            stage: match bank {
                Bank::Waits => Stage::Waiting,
                Bank::Declines | Bank::Lost { paid: false, .. } => Stage::Declined,
                _ => Stage::Approved,
            },
            unknown: match bank {
                Bank::Lost { times, .. } => times,
                _ => 0,
            },
            irreversible: bank == Bank::NeverReverses,
        });
        if bank == Bank::CutAfterPaid {
            self.bank = Bank::Approves;
            return false;
        }
        say(out, told(id, payment));
        true
    }
}

impl Device for Inside<Machine> {
    fn connected(&self, out: Out) {
        self.state.lock().1 = Some(out);
    }

    fn hears(&self, line: &Value) -> bool {
        let mut inside = self.state.lock();
        let (machine, out) = &mut *inside;
        let out = out.as_ref();
        let Some(id) = line["id"].as_str() else {
            return true;
        };
        let order = line["do"].as_str().unwrap_or("");
        if order == "pay" {
            return machine.pay(id, line["amount"].as_str().unwrap_or("0"), out);
        }
        let Some(payment) = machine.payments.get_mut(id) else {
            say(out, json!({"is": "payment", "id": id, "outcome": "never"}));
            return true;
        };
        match order {
            "inquire" => payment.unknown = payment.unknown.saturating_sub(1),
            "cancel" if payment.stage == Stage::Waiting => payment.stage = Stage::Declined,
            "reverse" if payment.irreversible => {
                say(out, json!({"is": "payment", "id": id, "outcome": "irreversible"}));
                return true;
            }
            "reverse" if payment.stage == Stage::Approved => payment.stage = Stage::Reversed,
            _ => {}
        }
        say(out, told(id, payment));
        true
    }

    fn alone(&self) {
        self.state.lock().1 = None;
    }
}
