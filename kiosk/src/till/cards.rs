//! The till and the card terminal: asked until it says what became of a payment, and never believed beyond that.

use super::{Action, Till};
use crate::book::{BookError, State};
use crate::device::{CardOutcome, TerminalOrder};
use crate::limits;
use charge::Timestamp;

impl Till {
    pub(super) fn terminal_says(
        &mut self,
        id: &str,
        outcome: CardOutcome,
        auth: &str,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<(), BookError> {
        let prefix = format!("{}-", self.settings.name);
        let seq = id.strip_prefix(&prefix).and_then(|seq| seq.parse().ok());
        let order = seq.map_or(Ok(None), |seq| self.book.order(seq))?;
        let Some(mut order) = order.filter(|order| order.card) else {
            tracing::warn!("the card terminal speaks of a payment that is not ours");
            return Ok(());
        };
        let said = format!("{outcome:?}").to_lowercase();
        let same = order.card_state == said;
        order.card_state.clone_from(&said);
        let state = match (order.state, outcome) {
            (State::Paying, CardOutcome::Approved) => {
                order.paid = order.asked;
                order.auth = kept(auth);
                State::Paid
            }
            (State::Paying, CardOutcome::Declined | CardOutcome::Never | CardOutcome::Reversed) => {
                State::Empty
            }
            (State::Reversing, CardOutcome::Reversed | CardOutcome::Declined | CardOutcome::Never) => {
                State::Reversed
            }
            (State::Reversing, CardOutcome::Irreversible) => State::Owed,
            // It had said no, and the customer has gone.
            (State::Empty, CardOutcome::Approved) => {
                order.paid = order.asked;
                State::Reversing
            }
            (state, _) if same || state.is_final() => return Ok(()),
            (state, _) => state,
        };
        order.state = state;
        self.book
            .change(|page| page.put(&order, now, &format!("{} card {said}", state.name())))?;
        match state {
            State::Paid => actions.push(Action::Settle),
            State::Reversing => self.ask_about_cards(now, actions)?,
            _ => {}
        }
        Ok(())
    }

    /// Asks about every card payment that is not decided, each once in a while.
    pub(super) fn ask_about_cards(
        &mut self,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<(), BookError> {
        if !self.terminal_up {
            return Ok(());
        }
        for state in [State::Paying, State::Reversing] {
            for order in self.book.in_state(state)?.into_iter().filter(|order| order.card) {
                let due = |at: &Timestamp| at.plus(limits::INQUIRE_US) > now;
                if self.inquired.get(&order.seq).is_some_and(due) {
                    continue;
                }
                self.inquired.insert(order.seq, now);
                let id = order.reference(&self.settings.name);
                actions.push(Action::Terminal(match state {
                    State::Reversing => TerminalOrder::Reverse { id },
                    _ => TerminalOrder::Inquire { id },
                }));
            }
        }
        Ok(())
    }
}

/// An approval code as it may be kept: short, and nothing that could be a card number.
fn kept(auth: &str) -> String {
    let plain = auth.len() <= limits::AUTH_BYTES_MAX && auth.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain { auth.to_owned() } else { String::new() }
}
