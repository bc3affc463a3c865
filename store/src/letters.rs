//! Letters: messages of the outbox that go by a way of their own (e-mail, push, SMS of campaigns), and the campaigns that
//! write many of them. They lie in the outbox's file, so that an event of the journal and its letters become durable
//! together, with the same positions.
//!
//! What a letter says and whether somebody wants it is the caller's; here is only that none is lost, none is put twice,
//! and what became of each.

use crate::outbox::{Attempt, Backlog, Outbox, OutboxCounts, Settled, WHAT};
use crate::sql::{letters as statements, sqlite};
use crate::sqlite::sql_error;
use crate::traits::{Micros, StoreError};
use charge::{AccountId, Code, OperatorId};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

/// Names a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId(pub u64);

/// By which way a letter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LetterWay {
    /// Short message.
    Sms,
    /// Push message to a browser.
    Push,
    /// E-mail.
    Email,
}

impl LetterWay {
    /// Every one, with its number in the table and its name.
    pub const ALL: [(LetterWay, i64, &'static str); 3] = [
        (LetterWay::Sms, 1, "sms"),
        (LetterWay::Push, 2, "push"),
        (LetterWay::Email, 3, "email"),
    ];

    fn number(self) -> i64 {
        LetterWay::ALL
            .iter()
            .find(|(way, ..)| *way == self)
            .map_or(0, |(_, number, _)| *number)
    }
}

/// A letter to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLetter {
    /// What it comes from: the same origin is put once for each way and recipient.
    pub origin: String,
    /// By which way.
    pub way: LetterWay,
    /// The number for SMS, the subscription for push, 0 for the person's e-mail address.
    pub recipient: i64,
    /// Tenant.
    pub operator: OperatorId,
    /// The account that it is about; 0: none.
    pub account: AccountId,
    /// To whom; 0: to nobody with an account of a person.
    pub person: i64,
    /// The kind of notice, by its stable name.
    pub notice: String,
    /// What it says, as its writer reads it.
    pub matter: Vec<u8>,
    /// When it was put.
    pub at: Micros,
    /// Not before this moment.
    pub not_before: Micros,
    /// Worthless after this moment.
    pub until: Micros,
}

/// A letter that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its name.
    pub id: LetterId,
    /// By which way.
    pub way: LetterWay,
    /// As in [`NewLetter`].
    pub recipient: i64,
    /// Tenant.
    pub operator: OperatorId,
    /// The account that it is about; 0: none.
    pub account: AccountId,
    /// To whom.
    pub person: i64,
    /// The kind of notice.
    pub notice: String,
    /// What it says.
    pub matter: Vec<u8>,
    /// When it was put.
    pub at: Micros,
    /// Worthless after this moment.
    pub until: Micros,
    /// Attempts so far.
    pub attempts: u32,
}

/// The announcement of a promotion to those who agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Its name: operator and promotion.
    pub name: String,
    /// Whose.
    pub operator: OperatorId,
    /// Of what.
    pub promotion: Code,
    /// Letters in a second, at most.
    pub per_second: u32,
    /// How to stop offers in one step, as a short message says it.
    pub stop: String,
    /// When it was last started.
    pub started_at: Micros,
    /// Last change.
    pub updated_at: Micros,
    /// The moment of the next letter.
    pub next_at: Micros,
    /// The person reached last; they are taken in the order of their ids.
    pub reached: i64,
    /// Everybody was reached.
    pub done: bool,
    /// People told, in all runs.
    pub told: u64,
    /// People left out in this run.
    pub left_out: u64,
}

/// A step of a campaign: people with their letters, and where it stands then.
#[derive(Clone, Debug, Default)]
pub struct CampaignStep {
    /// Each person with the letters to them; who was told before is passed over.
    pub people: Vec<(i64, Vec<NewLetter>)>,
    /// The moment of the next letter.
    pub next_at: Micros,
    /// The person reached last.
    pub reached: i64,
    /// Everybody was reached.
    pub done: bool,
    /// People left out.
    pub left_out: u64,
}

impl Outbox {
    /// Puts letters, in one durable transaction. One with the origin, way and recipient of another changes nothing.
    /// Answers how many are new.
    pub fn put_letters(&mut self, letters: &[NewLetter]) -> Result<usize, StoreError> {
        let mut write = || -> rusqlite::Result<usize> {
            let tx = self.db.transaction()?;
            let new = put(&tx, letters, &mut self.next_letter)?;
            tx.commit()?;
            Ok(new)
        };
        write().map_err(|e| sql_error(WHAT, "put letters", e))
    }

    /// Up to `limit` letters of a way that are due, the longest waiting first; of these operators, or of all.
    pub fn letters_due(
        &mut self,
        way: LetterWay,
        operators: Option<&[OperatorId]>,
        now: Micros,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        let query = || -> rusqlite::Result<Vec<Letter>> {
            let operators = match operators {
                Some(operators) => operators.to_vec(),
                None => {
                    let mut statement = self.db.prepare_cached(&sqlite(statements::OPERATORS))?;
                    let rows = statement.query_map([way.number()], |row| Ok(OperatorId(row.get(0)?)))?;
                    rows.collect::<rusqlite::Result<_>>()?
                }
            };
            let mut statement = self.db.prepare_cached(&sqlite(statements::DUE))?;
            let mut due = Vec::new();
            for operator in operators {
                let room = i64::try_from(limit.saturating_sub(due.len())).unwrap_or(i64::MAX);
                for row in statement.query_map(params![way.number(), operator.0, now, room], letter)? {
                    due.push(row?);
                }
            }
            Ok(due)
        };
        query().map_err(|e| sql_error(WHAT, "read letters", e))
    }

    /// The last origin, in the order of its octets, that begins so; `stem` ends with a slash.
    pub fn last_origin(&mut self, stem: &str) -> Result<Option<String>, StoreError> {
        let end = format!("{}0", stem.trim_end_matches('/'));
        self.db
            .query_row(&sqlite(statements::LAST_OF), [stem, &end], |row| row.get(0))
            .map_err(|e| sql_error(WHAT, "read the last letter", e))
    }

    /// When the next letter of a way is due, if any is pending.
    pub fn next_letter_due(&mut self, way: LetterWay) -> Result<Option<Micros>, StoreError> {
        self.db
            .query_row(&sqlite(statements::NEXT_RETRY), [way.number()], |row| row.get(0))
            .map_err(|e| sql_error(WHAT, "read what is due next", e))
    }

    /// Records what became of attempts, in one durable transaction.
    pub fn letters_attempted(
        &mut self,
        attempts: &[(LetterId, Attempt)],
        now: Micros,
    ) -> Result<(), StoreError> {
        let settled = Settled {
            letters: attempts.to_vec(),
            ..Settled::default()
        };
        self.settle(&settled, now)
    }

    /// What waits and what was given up, by way.
    pub fn letter_backlog(&mut self) -> Result<Vec<(&'static str, Backlog)>, StoreError> {
        let query = || -> rusqlite::Result<Vec<(&'static str, Backlog)>> {
            let mut found = LetterWay::ALL.map(|(_, _, name)| (name, Backlog::default()));
            let mut statement = self.db.prepare_cached(&sqlite(statements::BACKLOG))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let way: i64 = row.get(0)?;
                let place = LetterWay::ALL.iter().position(|(_, number, _)| *number == way);
                if let Some((_, backlog)) = place.and_then(|place| found.get_mut(place)) {
                    backlog.pending += row.get::<_, i64>(1)?.cast_unsigned();
                    backlog.failed += row.get::<_, i64>(2)?.cast_unsigned();
                }
            }
            Ok(found.to_vec())
        };
        query().map_err(|e| sql_error(WHAT, "count letters", e))
    }

    /// Forgets letters that were done before `before`, the oldest first and at most so many. Answers how many.
    pub fn purge_letters(&mut self, before: Micros, limit: u32) -> Result<usize, StoreError> {
        self.db
            .execute(&sqlite(statements::PURGE), params![before, limit])
            .map_err(|e| sql_error(WHAT, "purge letters", e))
    }

    /// Starts a campaign, or starts it again for those who agreed since; nobody is told twice.
    pub fn start_campaign(
        &mut self,
        name: &str,
        (operator, promotion): (OperatorId, Code),
        (per_second, stop): (u32, &str),
        now: Micros,
    ) -> Result<(), StoreError> {
        let values = params![name, operator.0, promotion.as_str(), per_second, stop, now];
        self.db
            .execute(&sqlite(statements::CAMPAIGN_START), values)
            .map(|_| ())
            .map_err(|e| sql_error(WHAT, "start a campaign", e))
    }

    /// A campaign with the states of its letters.
    pub fn campaign(&mut self, name: &str) -> Result<Option<(Campaign, OutboxCounts)>, StoreError> {
        let query = || -> rusqlite::Result<Option<(Campaign, OutboxCounts)>> {
            let found = self
                .db
                .query_row(&sqlite(statements::CAMPAIGN), [name], campaign)
                .optional()?;
            let Some(found) = found else { return Ok(None) };
            let mut counts = OutboxCounts::default();
            let mut statement = self.db.prepare_cached(&sqlite(statements::CAMPAIGN_LETTERS))?;
            let mut rows = statement.query([origin_of(name), format!("campaign/{name}0")])?;
            while let Some(row) = rows.next()? {
                counts.add(row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned());
            }
            Ok(Some((found, counts)))
        };
        query().map_err(|e| sql_error(WHAT, "read a campaign", e))
    }

    /// Campaigns that have not reached everybody.
    pub fn open_campaigns(&mut self) -> Result<Vec<Campaign>, StoreError> {
        let query = || -> rusqlite::Result<Vec<Campaign>> {
            let mut statement = self.db.prepare_cached(&sqlite(statements::CAMPAIGNS_OPEN))?;
            let rows = statement.query_map([], campaign)?;
            rows.collect()
        };
        query().map_err(|e| sql_error(WHAT, "read campaigns", e))
    }

    /// Takes a campaign a step on: who was told, their letters, and where it stands, in one durable transaction. A step of
    /// a run that was started again meanwhile changes nothing.
    pub fn campaign_step(
        &mut self,
        campaign: &Campaign,
        step: &CampaignStep,
        now: Micros,
    ) -> Result<usize, StoreError> {
        let mut write = || -> rusqlite::Result<usize> {
            let tx = self.db.transaction()?;
            let mut told = 0;
            for (person, letters) in &step.people {
                let new = tx.prepare_cached(&sqlite(statements::TOLD))?.execute(params![
                    campaign.name,
                    person,
                    now
                ])?;
                if new > 0 {
                    told += 1;
                    put(&tx, letters, &mut self.next_letter)?;
                }
            }
            let values = params![
                campaign.name,
                step.next_at,
                step.reached,
                step.done,
                i64::try_from(told).unwrap_or(i64::MAX),
                step.left_out.cast_signed(),
                now,
                campaign.started_at
            ];
            let current = tx.execute(&sqlite(statements::CAMPAIGN_STEP), values)?;
            if current == 0 {
                return Ok(0);
            }
            tx.commit()?;
            Ok(told)
        };
        write().map_err(|e| sql_error(WHAT, "take a campaign on", e))
    }
}

/// How the origin of every letter of a campaign begins.
pub fn origin_of(campaign: &str) -> String {
    format!("campaign/{campaign}/")
}

pub(crate) fn put(tx: &Transaction, letters: &[NewLetter], next: &mut i64) -> rusqlite::Result<usize> {
    let mut statement = tx.prepare_cached(&sqlite(statements::PUT))?;
    let mut new = 0;
    for letter in letters {
        *next += 1;
        new += statement.execute(params![
            *next,
            letter.origin,
            letter.way.number(),
            letter.recipient,
            letter.operator.0,
            letter.account.0.cast_signed(),
            letter.person,
            letter.notice,
            letter.matter,
            letter.at,
            letter.until,
            letter.not_before,
        ])?;
    }
    Ok(new)
}

/// Records attempts.
pub(crate) fn attempted(
    tx: &Transaction<'_>,
    attempts: &[(LetterId, Attempt)],
    now: Micros,
) -> rusqlite::Result<()> {
    for (id, attempt) in attempts {
        let id = id.0.cast_signed();
        match attempt {
            Attempt::Sent { message_id } => tx
                .prepare_cached(&sqlite(statements::SENT))?
                .execute(params![id, message_id, now])?,
            Attempt::Retry { reason, at } => tx
                .prepare_cached(&sqlite(statements::RETRY))?
                .execute(params![id, reason, at, now])?,
            Attempt::GiveUp { reason } => tx
                .prepare_cached(&sqlite(statements::GIVE_UP))?
                .execute(params![id, reason, now])?,
        };
    }
    Ok(())
}

fn letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
    use rusqlite::types::FromSqlError;
    let way: i64 = row.get(1)?;
    Ok(Letter {
        id: LetterId(row.get::<_, i64>(0)?.cast_unsigned()),
        way: LetterWay::ALL
            .iter()
            .find(|(_, number, _)| *number == way)
            .map(|(way, ..)| *way)
            .ok_or(FromSqlError::OutOfRange(way))?,
        recipient: row.get(2)?,
        operator: OperatorId(row.get(3)?),
        account: AccountId(row.get::<_, i64>(4)?.cast_unsigned()),
        person: row.get(5)?,
        notice: row.get(6)?,
        matter: row.get(7)?,
        at: row.get(8)?,
        until: row.get(9)?,
        attempts: row.get(10)?,
    })
}

fn campaign(row: &Row<'_>) -> rusqlite::Result<Campaign> {
    Ok(Campaign {
        name: row.get(0)?,
        operator: OperatorId(row.get(1)?),
        promotion: Code::new(&row.get::<_, String>(2)?).unwrap_or_default(),
        per_second: row.get(3)?,
        stop: row.get(4)?,
        started_at: row.get(5)?,
        updated_at: row.get(6)?,
        next_at: row.get(7)?,
        reached: row.get(8)?,
        done: row.get(9)?,
        told: row.get::<_, i64>(10)?.cast_unsigned(),
        left_out: row.get::<_, i64>(11)?.cast_unsigned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Receipt;
    use crate::sqlite::{SqliteOptions, SqliteStore};

    fn new(origin: &str, way: LetterWay, recipient: i64) -> NewLetter {
        NewLetter {
            origin: origin.to_owned(),
            way,
            recipient,
            operator: OperatorId(1),
            account: AccountId(7),
            person: 9,
            notice: "offers".to_owned(),
            matter: b"m".to_vec(),
            at: 10,
            not_before: 20,
            until: 1_000,
        }
    }

    #[test]
    fn the_last_of_a_kind_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path(), SqliteOptions::default()).unwrap();
        let mut outbox = store.outbox().unwrap();
        assert_eq!(outbox.last_origin("shop/1/").unwrap(), None);
        for origin in ["shop/1/02", "shop/1/01", "shop/2/09", "shop/10/3", "shop"] {
            assert_eq!(outbox.put_letters(&[new(origin, LetterWay::Sms, 1)]).unwrap(), 1);
        }
        let last = outbox.last_origin("shop/1/").unwrap();
        assert_eq!(last.as_deref(), Some("shop/1/02"));
    }

    #[test]
    fn letters_are_put_once_and_go_through_their_states_also_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let store = SqliteStore::open(dir.path(), SqliteOptions::default()).unwrap();
            store.outbox().unwrap()
        };
        let mut outbox = open();
        let both = [new("a", LetterWay::Sms, 1), new("a", LetterWay::Push, 1)];
        assert_eq!(outbox.put_letters(&both).unwrap(), 2);
        assert_eq!(outbox.put_letters(&both).unwrap(), 0, "once");
        assert_eq!(outbox.put_letters(&[new("b", LetterWay::Sms, 1)]).unwrap(), 1);
        drop(outbox);
        let mut outbox = open();
        let due = |outbox: &mut Outbox, now| {
            let due = outbox.letters_due(LetterWay::Sms, Some(&[OperatorId(1)]), now, 10);
            due.unwrap().iter().map(|letter| letter.id).collect::<Vec<_>>()
        };
        assert!(due(&mut outbox, 19).is_empty(), "not before its moment");
        let ids = due(&mut outbox, 20);
        assert_eq!(ids.len(), 2);
        assert_eq!(outbox.letters_due(LetterWay::Sms, None, 20, 10).unwrap().len(), 2);
        let other = outbox.letters_due(LetterWay::Sms, Some(&[OperatorId(2)]), 20, 10);
        assert!(other.unwrap().is_empty());
        let again = Attempt::Retry {
            reason: "busy".into(),
            at: 50,
        };
        let sent = Attempt::Sent {
            message_id: "x".into(),
        };
        outbox
            .letters_attempted(&[(ids[0], again), (ids[1], sent)], 21)
            .unwrap();
        assert!(due(&mut outbox, 49).is_empty());
        assert_eq!(due(&mut outbox, 50), [ids[0]]);
        assert_eq!(outbox.next_letter_due(LetterWay::Sms).unwrap(), Some(50));
        let gone = Attempt::GiveUp { reason: "no".into() };
        outbox.letters_attempted(&[(ids[0], gone)], 51).unwrap();
        let receipt = Receipt {
            message_id: "x".into(),
            problem: None,
        };
        let settled = Settled {
            letter_receipts: vec![receipt],
            ..Settled::default()
        };
        outbox.settle(&settled, 52).unwrap();
        let backlog = outbox.letter_backlog().unwrap();
        let of = |name| backlog.iter().find(|(way, _)| *way == name).unwrap().1;
        let expected = |pending, failed| Backlog { pending, failed };
        assert_eq!(
            (of("sms"), of("push"), of("email")),
            (expected(0, 1), expected(1, 0), expected(0, 0))
        );
        assert_eq!(outbox.purge_letters(60, 100).unwrap(), 2);
        assert_eq!(outbox.put_letters(&[new("c", LetterWay::Sms, 1)]).unwrap(), 1);
    }

    #[test]
    fn a_campaign_tells_everybody_once_however_often_it_is_started() {
        let mut outbox = Outbox::in_memory().unwrap();
        let promotion = Code::new("load-500").unwrap();
        let start = |outbox: &mut Outbox, now| {
            outbox
                .start_campaign("jazz/load-500", (OperatorId(1), promotion), (50, "STOP"), now)
                .unwrap();
            outbox.open_campaigns().unwrap().remove(0)
        };
        let letter = |person: i64| {
            let origin = format!("{}{person}", origin_of("jazz/load-500"));
            (person, vec![new(&origin, LetterWay::Sms, person)])
        };
        let step = |people: &[i64], done| CampaignStep {
            people: people.iter().map(|person| letter(*person)).collect(),
            next_at: 5,
            reached: people.last().copied().unwrap_or(0),
            done,
            left_out: 1,
        };
        let first = start(&mut outbox, 1);
        assert_eq!(outbox.campaign_step(&first, &step(&[3, 4], false), 2).unwrap(), 2);
        assert_eq!(
            outbox.open_campaigns().unwrap()[0].reached,
            4,
            "goes on behind them"
        );
        assert_eq!(outbox.campaign_step(&first, &step(&[5], true), 3).unwrap(), 1);
        assert!(outbox.open_campaigns().unwrap().is_empty());
        let again = start(&mut outbox, 9);
        assert_eq!(
            outbox.campaign_step(&first, &step(&[6], false), 10).unwrap(),
            0,
            "a step of the run before"
        );
        assert_eq!(
            outbox
                .campaign_step(&again, &step(&[3, 4, 5, 8], true), 10)
                .unwrap(),
            1
        );
        let (campaign, counts) = outbox.campaign("jazz/load-500").unwrap().unwrap();
        assert_eq!((campaign.told, campaign.left_out, campaign.done), (4, 1, true));
        assert_eq!(counts.pending, 4);
        assert_eq!(outbox.campaign("jazz/other").unwrap(), None);
    }
}
