//! The file `people.db`: connections, modules with their migrations, transactions.

use crate::keys::Keys;
use crate::limits;
use crate::{
    addresses, audit, budgets, codes, complaints, consents, mandates, numbers, passkeys, password, person,
    pos, recipients, recovery, sessions, staff, staff_trail, staff_wishes, throttle, totp, untold,
};
use charge::Timestamp;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The name of the file in the data directory.
pub const FILE: &str = "people.db";

/// Every module, in the order of their migrations. Another kind of personal data is one more line.
pub const MODULES: &[Module] = &[
    person::MODULE,
    numbers::MODULE,
    sessions::MODULE,
    codes::MODULE,
    throttle::MODULE,
    password::MODULE,
    totp::MODULE,
    recovery::MODULE,
    passkeys::MODULE,
    consents::MODULE,
    recipients::MODULE,
    audit::MODULE,
    budgets::MODULE,
    complaints::MODULE,
    addresses::MODULE,
    mandates::MODULE,
    staff::MODULE,
    staff_trail::MODULE,
    staff_wishes::MODULE,
    pos::MODULE,
    untold::MODULE,
];

/// A kind of data with its tables.
///
/// SQL stays in what SQLite and PostgreSQL share (`bigint`, `smallint`, `text`, `blob`): times are microseconds, ids are made
/// by us, `?n` is written where PostgreSQL writes `$n`.
pub struct Module {
    /// Stable name; never reused.
    pub name: &'static str,
    /// What makes version 1, 2, ... of the tables. Never changed once landed, only added to.
    pub migrations: &'static [&'static str],
    /// Tables about people: each has a column `person`.
    pub personal: &'static [Personal],
}

/// A table about people, for export and deletion.
pub struct Personal {
    /// Its name.
    pub table: &'static str,
    /// Columns that an export leaves out: hashes of secrets. Blobs are left out anyway.
    pub secret: &'static [&'static str],
}

/// A table without secrets.
pub const fn open_table(table: &'static str) -> Personal {
    Personal { table, secret: &[] }
}

/// The accounts of people. Cheap to clone; every call may wait for the disk.
#[derive(Clone)]
pub struct People(Arc<Shared>);

struct Shared {
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// `None`: in memory, where the writer reads too.
    path: Option<PathBuf>,
    keys: Keys,
}

/// Something that did not work. What strangers may do is not among these: that is answered.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The database refuses.
    #[error("the file of people: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The file cannot be made.
    #[error("make {path}")]
    File {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The tables of a module were made by a later version.
    #[error("`{module}` has version {found}; this program knows {known}")]
    TooNew {
        /// Which.
        module: String,
        /// In the file.
        found: i64,
        /// Here.
        known: i64,
    },
    /// A sealed secret does not open: another key, or a damaged file.
    #[error("a sealed secret does not open with this key")]
    Sealed,
    /// The password hash cannot be made or read.
    #[error("a password hash cannot be made or read")]
    Hash,
}

/// What most functions of this crate give.
pub type Result<T> = std::result::Result<T, PeopleError>;

impl People {
    /// Opens or makes `people.db` in a directory, and brings its tables up to date.
    ///
    /// # Errors
    /// [`PeopleError`] when the file cannot be opened or comes from a later version.
    pub fn open(dir: &Path, keys: Keys) -> Result<People> {
        let path = dir.join(FILE);
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map_err(|source| PeopleError::File {
            path: path.clone(),
            source,
        })?;
        People::start(connect(&path)?, Some(path), keys)
    }

    /// The same in memory, for tests.
    ///
    /// # Errors
    /// [`PeopleError::Sql`].
    pub fn in_memory(keys: Keys) -> Result<People> {
        People::start(Connection::open_in_memory()?, None, keys)
    }

    fn start(mut writer: Connection, path: Option<PathBuf>, keys: Keys) -> Result<People> {
        let was = migrate(&mut writer)?;
        let people = People(Arc::new(Shared {
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            path,
            keys,
        }));
        // Its second version seals the end as well; later it is sealed with every line.
        if was.get(staff_trail::MODULE.name) == Some(&1) {
            staff_trail::seal_end(&people)?;
        }
        Ok(people)
    }

    /// Keyed hashes and seals.
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Asks a question.
    ///
    /// # Errors
    /// Those of the question.
    pub fn read<T>(&self, question: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let Some(path) = &self.0.path else {
            return question(&self.0.writer.lock());
        };
        let waiting = self.0.readers.lock().pop();
        let reader = match waiting {
            Some(reader) => reader,
            None => connect(path)?,
        };
        let answer = question(&reader)?;
        let mut readers = self.0.readers.lock();
        if readers.len() < limits::READERS_MAX {
            readers.push(reader);
        }
        Ok(answer)
    }

    /// Changes something: all of it or nothing, durable when this returns. Changes are made one after the other.
    ///
    /// # Errors
    /// Those of the change; nothing has changed then.
    pub fn write<T>(&self, change: impl FnOnce(&Transaction) -> Result<T>) -> Result<T> {
        let mut writer = self.0.writer.lock();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = change(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }

    /// Moves what the write-ahead log holds into the file, and empties it: what was deleted is then in neither.
    ///
    /// # Errors
    /// [`PeopleError::Sql`].
    pub fn close(&self) -> Result<()> {
        self.0.readers.lock().clear();
        self.0
            .writer
            .lock()
            .query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Removes what has passed its time: codes, sign-ins, throttles, people whose deletion is due. To be called every
    /// few minutes. Says how many people were deleted.
    ///
    /// # Errors
    /// [`PeopleError::Sql`].
    pub fn sweep(&self, now: Timestamp) -> Result<usize> {
        let due = self.deletions_due(now)?;
        for person in &due {
            self.delete_now(*person, now)?;
        }
        self.write(|tx| {
            for (table, column, at) in [
                ("code", "expires_at", now.0),
                ("challenge", "expires_at", now.0),
                ("email_code", "expires_at", now.0),
                ("throttle", "free_at", now.0),
                ("session", "expires_at", now.0),
                ("session", "seen_at", now.0 - limits::SESSION_IDLE),
            ] {
                let statement = format!(
                    "delete from {table} where rowid in (select rowid from {table} where {column} <= ?1 limit ?2)"
                );
                tx.execute(&statement, params![at, limits::SWEEP_ROWS_MAX])?;
            }
            tx.execute(
                "delete from recipient where person = 0 and last_at <= ?1",
                [now.0 - limits::GUEST_RECIPIENTS_LIFE],
            )?;
            staff::sweep(tx, now)?;
            untold::sweep(tx, now)?;
            complaints::sweep(tx, now)
        })?;
        if !due.is_empty() {
            self.close()?;
        }
        Ok(due.len())
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // What is deleted must be gone from the file, not only from the tables.
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(connection)
}

/// Brings every module to its last version; gives the versions that were there.
fn migrate(connection: &mut Connection) -> Result<BTreeMap<&'static str, i64>> {
    let mut was = BTreeMap::new();
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch("create table if not exists module (name text primary key, version bigint not null)")?;
    for module in MODULES {
        let found: Option<i64> = tx
            .query_row(
                "select version from module where name = ?1",
                [module.name],
                |row| row.get(0),
            )
            .optional()?;
        let found = found.unwrap_or(0);
        was.insert(module.name, found);
        let known = i64::try_from(module.migrations.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(PeopleError::TooNew {
                module: module.name.to_owned(),
                found,
                known,
            });
        }
        for step in module.migrations.iter().skip(usize::try_from(found).unwrap_or(0)) {
            tx.execute_batch(step)?;
        }
        tx.execute(
            "insert into module (name, version) values (?1, ?2) on conflict (name) do update set version = excluded.version",
            params![module.name, known],
        )?;
    }
    tx.commit()?;
    Ok(was)
}

/// Text from outside, cut to what is kept, without control characters.
pub(crate) fn kept(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .take(limits::TEXT_CHARACTERS_MAX)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeSet;

    pub(crate) fn people() -> People {
        People::in_memory(Keys::new([1; 32])).unwrap()
    }

    #[test]
    fn every_table_about_people_is_exported_and_deleted() {
        let people = people();
        let found: BTreeSet<String> = people
            .read(|db| {
                let mut query = db.prepare(
                    "select m.name from sqlite_master m join pragma_table_info(m.name) c \
                     where m.type = 'table' and c.name = 'person'",
                )?;
                let names = query.query_map([], |row| row.get(0))?;
                Ok(names.collect::<std::result::Result<_, _>>()?)
            })
            .unwrap();
        let told: BTreeSet<String> = MODULES
            .iter()
            .flat_map(|module| module.personal)
            .map(|personal| personal.table.to_owned())
            .collect();
        assert_eq!(found, told);
        assert!(found.len() > 10);
    }

    #[test]
    fn a_file_is_opened_again_and_a_later_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = || People::open(dir.path(), Keys::new([1; 32]));
        let people = open().unwrap();
        people
            .write(|tx| Ok(tx.execute("update module set version = 99 where name = 'person'", [])?))
            .unwrap();
        drop(people);
        assert!(matches!(open(), Err(PeopleError::TooNew { found: 99, .. })));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(dir.path().join(FILE))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn text_is_cut_and_cleaned() {
        assert_eq!(kept(" a\u{202e}b\n "), "ab");
        assert_eq!(kept(&"x".repeat(500)).len(), limits::TEXT_CHARACTERS_MAX);
    }
}
