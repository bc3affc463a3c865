//! Making cards: PINs from the system's secure random source, hashes for the shelves, the rest sealed for the printer.
//!
//! The PINs of a batch exist in the memory of this process while it is made, and after that only in the sealed export, which
//! the printer's key opens and nothing here.

use super::{CardDesk, PinKey};
use crate::core::CoreError;
use crate::limits;
use charge::card::{CardState, NewBatch, PinHash, SHELVED_AT_ONCE_MAX, Serial, SetCards, ShelveCards};
use charge::{Code, Command, Entity, EntityKey, Money, OperatorId, Refusal, Reply};
use rand::Rng as _;
use std::collections::VecDeque;
use std::time::Duration;

/// Cards as they are printed: for the sealed export alone.
pub struct Printable {
    /// The batch.
    pub batch: u32,
    /// The operator's code.
    pub operator: String,
    /// Value of each card.
    pub face: Money,
    /// ISO 4217.
    pub currency: String,
    /// Digits of a PIN.
    pub digits: usize,
    /// PINs by place.
    pins: Vec<u64>,
}

impl Printable {
    /// How many cards.
    pub fn len(&self) -> usize {
        self.pins.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pins.is_empty()
    }

    /// Appends the lines of some places: serial number and PIN, parted by a comma.
    pub fn write_lines(&self, places: std::ops::Range<usize>, out: &mut String) {
        for place in places {
            let Some(pin) = self.pins.get(place) else { break };
            let serial = Serial {
                batch: self.batch,
                place: u32::try_from(place).unwrap_or(u32::MAX),
            };
            out.push_str(&format!("{serial},{pin:0digits$}\n", digits = self.digits));
        }
    }
}

/// A batch under way.
struct Making {
    batch: u32,
    operator: OperatorId,
    digits: usize,
    key: PinKey,
    partitions: u16,
    pins: Vec<u64>,
}

impl Making {
    /// A PIN: every one with the same probability. Those that look like the number of a payment card are not made, since
    /// forms refuse them.
    fn draw(digits: usize) -> u64 {
        let end = 10_u64.pow(u32::try_from(digits).unwrap_or(18));
        let mut source = rand::rng();
        loop {
            let pin = source.random_range(0..end);
            if !rails::pan::is_card_number(&format!("{pin:0digits$}")) {
                return pin;
            }
        }
    }

    fn hash(&self, place: u32) -> PinHash {
        let digits = self.digits;
        let pin = self.pins.get(place as usize).copied().unwrap_or(0);
        self.key.hash(self.operator, &format!("{pin:0digits$}"))
    }

    /// Commands that put places on shelves, each for one partition.
    fn commands(&self, places: &[u32]) -> VecDeque<ShelveCards> {
        let mut cards: Vec<(u16, PinHash, u32)> = places
            .iter()
            .map(|place| {
                let hash = self.hash(*place);
                (hash.key(self.operator).partition(self.partitions), hash, *place)
            })
            .collect();
        cards.sort_unstable();
        let mut by_home: Vec<VecDeque<ShelveCards>> = Vec::new();
        for group in cards.chunk_by(|a, b| a.0 == b.0) {
            let chunks = group.chunks(limits::CARDS_SHELVED_AT_ONCE.min(SHELVED_AT_ONCE_MAX));
            let commands = chunks.map(|chunk| ShelveCards {
                operator: self.operator,
                batch: self.batch,
                cards: chunk.iter().map(|(_, hash, place)| (*hash, *place)).collect(),
            });
            by_home.push(commands.collect());
        }
        // Partitions take turns, so that all work at once.
        let mut out = VecDeque::new();
        while by_home.iter().any(|queue| !queue.is_empty()) {
            out.extend(by_home.iter_mut().filter_map(VecDeque::pop_front));
        }
        out
    }
}

impl CardDesk {
    /// Opens a batch and makes its cards in the background; answers its number. [`CardDesk::progress`] says how far it is.
    ///
    /// # Errors
    /// What the core refuses, or [`CoreError::Busy`] when too many batches are being made.
    pub async fn generate(&self, new: NewBatch) -> Result<u32, CoreError> {
        if self.0.progress.lock().len() >= limits::CARD_BATCHES_AT_ONCE {
            return Err(CoreError::Busy);
        }
        let count = new.count;
        let command = Command::OpenCardBatch(Box::new(new.clone()));
        let Reply::CardBatch(batch) = self.parts().core.call(command).await? else {
            return Err(CoreError::Unavailable);
        };
        self.0.progress.lock().insert(batch, 0);
        let desk = self.clone();
        tokio::spawn(async move {
            let made = desk.make(batch, &new).await;
            desk.0.progress.lock().remove(&batch);
            match made {
                Ok(()) => tracing::info!(batch, count, "a batch of cards is made"),
                Err(why) => {
                    tracing::error!(batch, %why, "a batch of cards could not be made; it is recalled");
                    desk.recall(batch).await;
                }
            }
        });
        Ok(batch)
    }

    /// Cards on shelves of a batch that is being made here; `None` when none is.
    pub fn progress(&self, batch: u32) -> Option<u32> {
        self.0.progress.lock().get(&batch).copied()
    }

    /// Recalls what was being made when the process last ended: its PINs are gone. Called once at start.
    ///
    /// # Errors
    /// What the core says.
    pub async fn tidy(&self) -> Result<u32, CoreError> {
        let register = match self.parts().core.read(EntityKey::CardRegister).await? {
            Some(Entity::CardRegister(register)) => register,
            _ => return Ok(0),
        };
        let mut recalled = 0;
        for batch in 1..=register.batches {
            let entity = self.parts().core.read(EntityKey::CardBatch(batch)).await?;
            if let Some(Entity::CardBatch(found)) = entity
                && !found.ready
                && found.version == 0
                && self.progress(batch).is_none()
            {
                tracing::warn!(batch, "a batch of cards was not finished; it is recalled");
                self.recall(batch).await;
                recalled += 1;
            }
        }
        Ok(recalled)
    }

    async fn recall(&self, batch: u32) {
        let recall = Command::SetCards(SetCards {
            batch,
            part: None,
            state: CardState::Recalled,
            dealer: Code::EMPTY,
        });
        if let Err(error) = self.parts().core.call(recall).await {
            tracing::error!(batch, %error, "a batch of cards could not be recalled");
        }
    }

    async fn make(&self, batch: u32, new: &NewBatch) -> Result<(), String> {
        let parts = self.parts();
        let catalog = parts.catalogs.get(new.operator).ok_or("no catalog")?;
        let (code, currency) = (catalog.code.to_string(), catalog.currency.clone());
        let digits = usize::from(catalog.cards.pin_digits);
        let (operator, partitions, count) = (new.operator, parts.partitions, new.count);
        let key = parts.key.clone();
        let places: Vec<u32> = (0..count).collect();
        let (mut making, mut commands) = blocking(move || {
            let making = Making {
                batch,
                operator,
                digits,
                key,
                partitions,
                pins: (0..count).map(|_| Making::draw(digits)).collect(),
            };
            let commands = making.commands(&places);
            (making, commands)
        })
        .await?;
        for _ in 0..limits::CARD_CLASH_ROUNDS_MAX {
            let clashes = self.shelve(batch, commands).await?;
            if clashes.is_empty() {
                let printable = Printable {
                    batch,
                    operator: code,
                    face: new.face,
                    currency,
                    digits,
                    pins: making.pins,
                };
                let (vault, printer) = (parts.vault.clone(), new.printer);
                blocking(move || vault.seal(batch, printer.as_str(), &printable)).await??;
                let ready = parts.core.call(Command::CardBatchReady(batch)).await;
                return ready.map(drop).map_err(|error| error.to_string());
            }
            for place in &clashes {
                if let Some(pin) = making.pins.get_mut(*place as usize) {
                    *pin = Making::draw(digits);
                }
            }
            commands = making.commands(&clashes);
        }
        Err("too many PINs clash with other cards: they need more digits".to_owned())
    }

    /// Carries the commands out, a few at a time; answers the places whose hashes belong to other cards.
    async fn shelve(&self, batch: u32, commands: VecDeque<ShelveCards>) -> Result<Vec<u32>, String> {
        let mut waiting = commands;
        let mut running = tokio::task::JoinSet::new();
        let mut clashes = Vec::new();
        loop {
            while running.len() < limits::CARD_COMMANDS_AT_ONCE
                && let Some(command) = waiting.pop_front()
            {
                let desk = self.clone();
                running.spawn(async move { desk.shelve_one(command).await });
            }
            let Some(done) = running.join_next().await else {
                return Ok(clashes);
            };
            let (count, mut places) = done.map_err(|error| error.to_string())??;
            if let Some(progress) = self.0.progress.lock().get_mut(&batch) {
                *progress += count.saturating_sub(u32::try_from(places.len()).unwrap_or(0));
            }
            clashes.append(&mut places);
        }
    }

    async fn shelve_one(&self, command: ShelveCards) -> Result<(u32, Vec<u32>), String> {
        let count = u32::try_from(command.cards.len()).unwrap_or(0);
        let mut pause = Duration::from_millis(5);
        for _ in 0..limits::CARD_TRIES_TO_SHELVE {
            let call = Command::ShelveCards(Box::new(command.clone()));
            match self.parts().core.call(call).await {
                Ok(Reply::CardsShelved { clashes }) => return Ok((count, clashes)),
                // The partition has not heard of the batch yet, or is busy; the same again moves nothing twice.
                Err(
                    CoreError::Busy | CoreError::Unavailable | CoreError::Refused(Refusal::NoSuchCardBatch),
                ) => {}
                Ok(_) => return Err("the core gave another answer".to_owned()),
                Err(error) => return Err(error.to_string()),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
        Err("the core was busy for too long".to_owned())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_have_their_digits_and_look_like_no_payment_card() {
        for digits in [12, 14, 16, 18] {
            for _ in 0..2_000 {
                let text = format!("{:0digits$}", Making::draw(digits));
                assert_eq!(text.len(), digits);
                assert!(!rails::pan::in_text(&text), "{text}");
            }
        }
        let printable = Printable {
            batch: 7,
            operator: "jazz".into(),
            face: Money::from_units(100),
            currency: "PKR".into(),
            digits: 14,
            pins: vec![42, 99_999_999_999_999],
        };
        let mut lines = String::new();
        printable.write_lines(0..5, &mut lines);
        assert_eq!(
            lines,
            "0000700000011,00000000000042\n0000700000029,99999999999999\n"
        );
    }
}
