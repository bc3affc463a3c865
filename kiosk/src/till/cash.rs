//! The till and the cash acceptor: notes in escrow, in the box, given back, stuck.

use super::{Action, Heard, Till};
use crate::book::{Book, BookError, Note, NoteState, Order, Page, State};
use crate::device::{AcceptorOrder, AcceptorReport, AcceptorState, Amount, Fate, LastNote};
use charge::{Money, Timestamp};

impl Till {
    pub(super) fn acceptor_says(
        &mut self,
        report: &AcceptorReport,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<(), BookError> {
        match *report {
            AcceptorReport::Escrowed { note, value } => self.escrowed(note, value.0, now, actions)?,
            AcceptorReport::Stacked { note } => self.fate(note, NoteState::Stacked, now, actions)?,
            AcceptorReport::Returned { note } => self.fate(note, NoteState::Returned, now, actions)?,
            AcceptorReport::Rejected => self.heard = Some(Heard::Rejected),
            AcceptorReport::Jammed { note } => {
                self.acceptor.state = Some(AcceptorState::Jammed);
                if let Some(note) = note {
                    self.fate(note, NoteState::Unclear, now, actions)?;
                }
                // Nobody can pay on: what is in the box is sold.
                if let Some(seq) = self.paying_cash()? {
                    self.close(seq, now)?;
                    actions.push(Action::Settle);
                }
            }
            AcceptorReport::Status { state, last } => {
                let first = self.acceptor.state.is_none();
                self.acceptor.state = Some(state);
                self.acceptor.since = None;
                // It takes nothing after it was away, whatever it was told before.
                if first {
                    self.acceptor.told.clear();
                }
                self.recall(last, first, now, actions)?;
            }
        }
        Ok(())
    }

    /// What the acceptor remembers of the last note. `first`: it has just come back, and nothing is under way.
    pub(super) fn recall(
        &mut self,
        last: Option<LastNote>,
        first: bool,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<(), BookError> {
        for open in self.book.open_notes()? {
            let same = last.filter(|last| last.note == open.note && last.value.0 == open.value);
            let fate = match same.map(|last| last.fate) {
                Some(Fate::Stacked) => NoteState::Stacked,
                Some(Fate::Returned) => NoteState::Returned,
                Some(Fate::Unclear) => NoteState::Unclear,
                Some(Fate::Held) => continue,
                // It does not remember: people must look.
                None if first && open.state == NoteState::Stacking => NoteState::Unclear,
                None => continue,
            };
            self.fate(open.note, fate, now, actions)?;
        }
        let Some(last) = last else { return Ok(()) };
        match last.fate {
            Fate::Held if first => {
                actions.push(Action::Acceptor(AcceptorOrder::Return { note: last.note }));
            }
            Fate::Stacked if self.book.knows_note(last.note, last.value.0)?.is_none() => {
                // It is in the box, and nobody was promised anything for it.
                tracing::error!(
                    note = last.note,
                    "the acceptor took a note that it was not told to take"
                );
                let stray = Note {
                    seq: 0,
                    note: last.note,
                    value: last.value.0,
                    state: NoteState::Stacked,
                };
                self.book.change(|page| page.note(&stray, now))?;
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn escrowed(
        &mut self,
        note: u64,
        value: Money,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<(), BookError> {
        // Its slot is closed until it is told to take the next one.
        self.acceptor.told.clear();
        let back = Action::Acceptor(AcceptorOrder::Return { note });
        let order = match self.paying_cash()?.filter(|seq| !self.closing.contains(seq)) {
            Some(seq) => self.book.order(seq)?,
            None => None,
        };
        let Some(order) = order.filter(|_| self.acceptor.state.is_some()) else {
            actions.push(back);
            return Ok(());
        };
        let known = self.settings.notes.contains(&value);
        let open = self.book.open_notes()?;
        let busy = open
            .iter()
            .any(|open| open.state == NoteState::Stacking || open.note == note);
        let seen = self.book.notes(order.seq)?.iter().any(|seen| seen.note == note);
        if !known || busy || seen || value > order.room() {
            self.heard = Some(match value > order.room() && known {
                true => Heard::TooLarge(value),
                false => Heard::Returned(value),
            });
            actions.push(back);
            return Ok(());
        }
        self.touched_at = now;
        self.heard = None;
        let entry = Note {
            seq: order.seq,
            note,
            value,
            state: NoteState::Stacking,
        };
        let written = self.book.change(|page| page.note(&entry, now));
        if written.is_err() {
            actions.push(back);
            return written;
        }
        actions.push(Action::Acceptor(AcceptorOrder::Stack { note }));
        Ok(())
    }

    /// A note that was told to go into the box is somewhere now.
    pub(super) fn fate(
        &mut self,
        note: u64,
        state: NoteState,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<(), BookError> {
        let open = self.book.open_notes()?;
        let mut same = open.into_iter().filter(|open| open.note == note);
        // An acceptor that was replaced counts anew: the note under way comes first.
        let Some(entry) = same
            .clone()
            .find(|open| open.state == NoteState::Stacking)
            .or_else(|| same.next())
        else {
            return Ok(());
        };
        if entry.state == state {
            return Ok(());
        }
        let offline = !self.line;
        self.book.change(|page| {
            let entry = Note { state, ..entry };
            page.note(&entry, now)?;
            if state == NoteState::Stacked {
                counted(page, &entry, offline, now)?;
            }
            Ok(())
        })?;
        self.touched_at = now;
        self.heard = match state {
            NoteState::Returned => Some(Heard::Returned(entry.value)),
            NoteState::Unclear => Some(Heard::Stuck(entry.value)),
            _ => None,
        };
        if self.closing.contains(&entry.seq) {
            self.close(entry.seq, now)?;
        }
        actions.push(Action::Settle);
        Ok(())
    }

    /// No more notes: what is in the box is sold, as soon as it is known.
    pub(super) fn close(&mut self, seq: u64, now: Timestamp) -> Result<(), BookError> {
        let stacking = |note: &Note| note.seq == seq && note.state == NoteState::Stacking;
        if self.book.open_notes()?.iter().any(stacking) {
            self.closing.insert(seq);
            return Ok(());
        }
        self.closing.remove(&seq);
        let Some(order) = self
            .book
            .order(seq)?
            .filter(|order| order.state == State::Paying && !order.card)
        else {
            return Ok(());
        };
        let state = match order.paid {
            Money::ZERO => State::Empty,
            paid if paid < order.minimum => State::Owed,
            _ => State::Paid,
        };
        // Too little for the bundle: the number gets the money, and the slip says so.
        let short = !order.bundle.is_empty() && order.paid < order.asked && state == State::Paid;
        let order = Order {
            state,
            bundle: if short {
                String::new()
            } else {
                order.bundle.clone()
            },
            bundle_bought: short.then_some(false),
            ..order
        };
        self.book.change(|page| page.put(&order, now, state.name()))
    }

    /// Tells the acceptor what it may take now, when that has changed.
    pub(super) fn arrange(&mut self, actions: &mut Vec<Action>) -> Result<(), BookError> {
        if !self.acceptor.up || self.acceptor.state.is_none() {
            return Ok(());
        }
        let order = match self.paying_cash()?.filter(|seq| !self.closing.contains(seq)) {
            Some(seq) if self.acceptor.state == Some(AcceptorState::Ready) => self.book.order(seq)?,
            _ => None,
        };
        // The acceptor remembers one note: the next one may come when this one is written down.
        let waits = self
            .book
            .open_notes()?
            .iter()
            .any(|note| note.state == NoteState::Stacking);
        let room = order.filter(|_| !waits).map_or(Money::ZERO, |order| order.room());
        let wanted: Vec<Money> = self
            .settings
            .notes
            .iter()
            .copied()
            .filter(|value| *value <= room)
            .collect();
        if wanted == self.acceptor.told {
            return Ok(());
        }
        actions.push(Action::Acceptor(match wanted.is_empty() {
            true => AcceptorOrder::Disable,
            false => AcceptorOrder::Enable {
                notes: wanted.iter().copied().map(Amount).collect(),
            },
        }));
        self.acceptor.told = wanted;
        Ok(())
    }

    pub(super) fn paying_cash(&self) -> Result<Option<u64>, BookError> {
        let open = self.book.in_state(State::Paying)?;
        Ok(open.into_iter().find(|order| !order.card).map(|order| order.seq))
    }
}

/// Somebody opened the acceptor and says where a stuck note was. `false`: this note is not open. What was in the box is
/// sold like any late note.
///
/// # Errors
/// [`BookError`].
pub fn found(
    book: &mut Book,
    (seq, note): (u64, u64),
    in_box: bool,
    now: Timestamp,
) -> Result<bool, BookError> {
    book.change(|page| {
        let Some(entry) = page
            .open_note(seq, note)?
            .filter(|note| note.state == NoteState::Unclear)
        else {
            return Ok(false);
        };
        let state = if in_box {
            NoteState::Stacked
        } else {
            NoteState::Returned
        };
        let entry = Note { state, ..entry };
        page.note(&entry, now)?;
        if in_box {
            counted(page, &entry, false, now)?;
        }
        Ok(true)
    })
}

/// A note is in the box: it belongs to its order, or, when that has been closed, to one of its own for the same number.
fn counted(page: &Page<'_>, note: &Note, offline: bool, now: Timestamp) -> Result<(), BookError> {
    let Some(order) = page.order(note.seq)? else {
        return Ok(());
    };
    if order.state == State::Paying {
        let paid = order.paid + note.value;
        let mut order = Order { paid, ..order };
        if !order.room().is_positive() {
            order.state = State::Paid;
        }
        return page.put(&order, now, &format!("paid {}", paid.exact()));
    }
    let enough = note.value >= order.minimum;
    let late = Order {
        begun_at: now,
        changed_at: now,
        state: if enough { State::Paid } else { State::Owed },
        bundle: String::new(),
        bundle_name: String::new(),
        asked: note.value,
        ceiling: note.value,
        offline,
        follows: order.seq,
        paid: note.value,
        receipt: String::new(),
        verify: String::new(),
        tax: Money::ZERO,
        credited: Money::ZERO,
        bundle_bought: None,
        refusal: 0,
        refused: String::new(),
        ..order
    };
    let seq = page.begin(&late)?;
    page.move_note(note, seq)
}
