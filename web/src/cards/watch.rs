//! Who guesses, and on which cards: what the API and the pages of staff show of it.

use super::CardDesk;
use crate::core::CoreError;
use charge::card::{CardBatch, CardGuard};
use charge::{AccountId, Entity, EntityKey, Msisdn, Timestamp};

/// Wrong tries for a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// Its account.
    pub account: AccountId,
    /// The number; `None` when the account is gone.
    pub number: Option<Msisdn>,
    /// From its own phone or sign-in, and not by strangers who named it.
    pub own: bool,
    /// All of them.
    pub wrong: u64,
    /// When the last one was, or the lock.
    pub at: Timestamp,
    /// Locked until then, if it was ever locked.
    pub locked_until: Option<Timestamp>,
}

impl CardDesk {
    /// What is remembered of tries for one number: by itself and by strangers.
    ///
    /// # Errors
    /// [`CoreError`] when the core cannot say.
    pub async fn tries_for(&self, account: AccountId, number: Msisdn) -> Result<Vec<Tries>, CoreError> {
        let mut all = Vec::new();
        for own in [true, false] {
            let guard = self.guard(account, own).await?;
            if guard != CardGuard::default() {
                all.push(Tries {
                    account,
                    number: Some(number),
                    own,
                    wrong: guard.wrong_total,
                    at: guard.last_at,
                    locked_until: (guard.locked_until.0 > 0).then_some(guard.locked_until),
                });
            }
        }
        Ok(all)
    }

    /// The numbers that were locked lately, newest first.
    ///
    /// # Errors
    /// As [`CardDesk::tries_for`].
    pub async fn locked_lately(&self) -> Result<Vec<Tries>, CoreError> {
        let Some(Entity::CardRegister(register)) = self.parts().core.read(EntityKey::CardRegister).await?
        else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for lock in register.locks.iter().rev() {
            all.push(Tries {
                account: lock.account,
                number: self.number_of(lock.account).await?,
                own: lock.own,
                wrong: lock.wrong_total,
                at: lock.at,
                locked_until: Some(lock.until),
            });
        }
        Ok(all)
    }

    /// The number of an account, while there is one.
    ///
    /// # Errors
    /// As [`CardDesk::tries_for`].
    pub async fn number_of(&self, account: AccountId) -> Result<Option<Msisdn>, CoreError> {
        Ok(match self.parts().core.read(EntityKey::Account(account)).await? {
            Some(Entity::Account(account)) => Some(account.msisdn),
            _ => None,
        })
    }

    /// A batch.
    ///
    /// # Errors
    /// As [`CardDesk::tries_for`].
    pub async fn batch(&self, id: u32) -> Result<Option<Box<CardBatch>>, CoreError> {
        Ok(match self.parts().core.read(EntityKey::CardBatch(id)).await? {
            Some(Entity::CardBatch(batch)) => Some(batch),
            _ => None,
        })
    }

    /// The number of the newest batch below `before`; 0: there is none.
    ///
    /// # Errors
    /// As [`CardDesk::tries_for`].
    pub async fn newest_batch(&self, before: Option<u32>) -> Result<u32, CoreError> {
        let last = match self.parts().core.read(EntityKey::CardRegister).await? {
            Some(Entity::CardRegister(register)) => register.batches,
            _ => 0,
        };
        Ok(before.map_or(last, |before| last.min(before.saturating_sub(1))))
    }
}
