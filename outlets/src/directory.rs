//! The file `outlets.db`, and all of it in memory: questions never wait for the disk.

use crate::limits;
use crate::outlet::{Card, Outlet};
use charge::Timestamp;
use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The name of the file in the data directory.
pub const FILE: &str = "outlets.db";
/// The version of its table.
const FORMAT: i64 = 1;
const SCHEMA: &str =
    "create table if not exists outlet (id text primary key, card text not null, changed_at bigint not null)";

/// All outlets by id.
pub type Known = BTreeMap<String, Arc<Outlet>>;

/// Something that did not work.
#[derive(Debug, thiserror::Error)]
pub enum OutletsError {
    /// The database refuses.
    #[error("the file of outlets: {0}")]
    Sql(#[from] rusqlite::Error),
    /// A row cannot be read.
    #[error("the outlet `{0}` in the file cannot be read")]
    Row(String),
    /// The file was made by a later version.
    #[error("the file of outlets has format {0}; this program knows {FORMAT}")]
    TooNew(i64),
    /// There would be too many.
    #[error("more than {} outlets", limits::OUTLETS_MAX)]
    TooMany,
}

/// The directory of outlets. Cheap to clone.
#[derive(Clone)]
pub struct Outlets(Arc<Shared>);

struct Shared {
    writer: Mutex<Connection>,
    known: RwLock<Arc<Known>>,
}

impl Outlets {
    /// Opens or makes `outlets.db` in a directory.
    ///
    /// # Errors
    /// [`OutletsError`].
    pub fn open(dir: &Path) -> Result<Outlets, OutletsError> {
        let db = Connection::open(dir.join(FILE))?;
        db.busy_timeout(Duration::from_secs(10))?;
        db.pragma_update(None, "journal_mode", "wal")?;
        db.pragma_update(None, "synchronous", "full")?;
        Outlets::start(db)
    }

    /// The same in memory, for tests.
    ///
    /// # Errors
    /// [`OutletsError::Sql`].
    pub fn in_memory() -> Result<Outlets, OutletsError> {
        Outlets::start(Connection::open_in_memory()?)
    }

    fn start(db: Connection) -> Result<Outlets, OutletsError> {
        let format: i64 = db.query_row("pragma user_version", [], |row| row.get(0))?;
        if format > FORMAT {
            return Err(OutletsError::TooNew(format));
        }
        db.execute_batch(SCHEMA)?;
        db.pragma_update(None, "user_version", FORMAT)?;
        let rows: Vec<(String, String)> = db
            .prepare("select id, card from outlet")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let mut known = Known::new();
        for (id, card) in rows {
            let card: Option<Card> = serde_json::from_str(&card).ok();
            let outlet = card.and_then(|card| Outlet::new(card).ok());
            let outlet = outlet.ok_or_else(|| OutletsError::Row(id.clone()))?;
            known.insert(id, Arc::new(outlet));
        }
        Ok(Outlets(Arc::new(Shared {
            writer: Mutex::new(db),
            known: RwLock::new(Arc::new(known)),
        })))
    }

    /// All outlets as they are now.
    pub fn all(&self) -> Arc<Known> {
        Arc::clone(&self.0.known.read())
    }

    /// Writes outlets, new ones and changed ones: all of them or none, durable when it returns. Says how many were new, and
    /// how many changed. May wait for the disk.
    ///
    /// # Errors
    /// [`OutletsError`]; nothing has changed then.
    pub fn put(&self, outlets: Vec<Outlet>, now: Timestamp) -> Result<(usize, usize), OutletsError> {
        let mut db = self.0.writer.lock();
        let mut known = Known::clone(&self.all());
        let (mut new, mut changed) = (0, 0);
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for outlet in outlets {
            let id = outlet.card.id.clone();
            match known.get(&id) {
                None => new += 1,
                Some(old) if **old == outlet => continue,
                Some(_) => changed += 1,
            }
            let card = serde_json::to_string(&outlet.card).map_err(|_| OutletsError::Row(id.clone()))?;
            tx.execute(
                "insert into outlet (id, card, changed_at) values (?1, ?2, ?3)
                 on conflict (id) do update set card = excluded.card, changed_at = excluded.changed_at",
                params![id, card, now.0],
            )?;
            known.insert(id, Arc::new(outlet));
        }
        if known.len() > limits::OUTLETS_MAX {
            return Err(OutletsError::TooMany);
        }
        tx.commit()?;
        *self.0.known.write() = Arc::new(known);
        Ok((new, changed))
    }

    /// Removes an outlet; says whether there was one. May wait for the disk.
    ///
    /// # Errors
    /// [`OutletsError::Sql`].
    pub fn remove(&self, id: &str) -> Result<bool, OutletsError> {
        let db = self.0.writer.lock();
        let removed = db.execute("delete from outlet where id = ?1", [id])? > 0;
        let mut known = Known::clone(&self.all());
        known.remove(id);
        *self.0.known.write() = Arc::new(known);
        Ok(removed)
    }
}
