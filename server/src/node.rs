//! A node: a data directory with its engine, its read models and its outbox, without any socket.
//!
//! `serve`, `demo` and the commands with `--data` all run on one of these.
//!
//! # Layout
//! * [`core`]: the engine as the web sees it
//! * [`follow`]: the threads that keep read models and outbox up with the journal
//! * [`tend`]: leases of promotion budgets, asked for before they are needed
//! * [`desk`]: the outbox as the SMS sender sees it; [`notice`]: what the messages say

pub mod core;
pub mod desk;
pub mod follow;
pub mod notice;
pub mod tend;

use crate::catalogs;
use crate::config::Config;
use crate::failure::{self, Failure};
use crate::instance::Instance;
use crate::push::vapid::{self, VapidKey};
use crate::receipt_keys;
use anyhow::Context as _;
use charge::catalog::Catalogs;
use charge::command::OpenPartner;
use charge::partner::Scopes;
use charge::{Code, Command, Entity, EntityKey, PartnerId, Timestamp};
use engine::{Clock, Engine};
use people::People;
use std::sync::Arc;
use store::{ReadModels, SqliteOptions, SqliteStore, StoreError};
use web::bind::CallbackLog;
use web::receipt::keys::KeyRing;

/// The partner that the operator's own staff sells from; made with the data directory.
pub const DESK: PartnerId = PartnerId(1);
/// Its code.
pub const DESK_CODE: &str = "desk";

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// The time.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
}

/// An open data directory at work.
pub struct Node {
    /// What is fixed for the directory's life.
    pub instance: Instance,
    /// Tariffs in force.
    pub catalogs: Arc<Catalogs>,
    /// Carries out commands.
    pub engine: Arc<Engine>,
    /// The files.
    pub store: SqliteStore,
    /// What people query.
    pub reads: ReadModels,
    /// Accounts of people.
    pub people: People,
    /// The directory of outlets.
    pub outlets: outlets::Outlets,
    /// Differences with rails that wait for people.
    pub exceptions: store::Exceptions,
    /// Signs receipts.
    pub receipt_keys: Arc<KeyRing>,
    /// Signs push messages.
    pub push_key: Arc<VapidKey>,
    /// Messages to send.
    pub desk: Arc<desk::Desk>,
    /// Scratch cards.
    pub cards: web::cards::CardDesk,
    /// What partners are to be told.
    pub callbacks: CallbackLog,
    followers: follow::Followers,
    tender: tend::Tender,
}

impl Node {
    /// Opens the data directory of a configuration, makes it when it is empty, and brings everything up.
    pub fn open(config: &Config, watcher: Option<Arc<dyn engine::Observer>>) -> anyhow::Result<Node> {
        let dir = config.data.display();
        let store = open_store(config)?;
        let instance = Instance::open_or_create(&config.data, config.engine.partitions)
            .with_context(|| format!("open the data directory {dir}"))?;
        if instance.partitions != config.engine.partitions
            && config.engine.partitions != Config::default().engine.partitions
        {
            let message = format!(
                "the data directory {dir} has {} partitions, engine.partitions says {}",
                instance.partitions, config.engine.partitions
            );
            return Err(Failure::usage(message)
                .hint(
                    "The number is fixed when the directory is made; take the line out of the configuration.",
                )
                .into());
        }
        let key_file = receipt_keys::path(&config.data, config.receipts.key_file.as_ref());
        let receipt_keys = Arc::new(receipt_keys::open_or_create(&key_file)?);
        let push_key = vapid::path(&config.data, config.push.key_file.as_ref());
        let push_key = Arc::new(vapid::open_or_create(&push_key)?);
        let catalogs = Arc::new(catalogs::load(config.catalogs.dir.as_deref())?);
        let people = open_people(config, &instance)?;
        let outlets = outlets::Outlets::open(&config.data).context("open the directory of outlets")?;
        let exceptions = store::Exceptions::open(&config.data).context("open the exceptions")?;
        let reads = store.read_models().context("open the read models")?;
        let outbox = store.outbox().context("open the outbox")?;
        let bell = Arc::new(follow::Bell::new(watcher));
        let settings = engine::Settings {
            partitions: instance.partitions,
            ..config.engine_settings()
        };
        let engine = Engine::open(
            Arc::new(store.clone()),
            Arc::clone(&catalogs),
            Arc::new(SystemClock),
            settings,
            Some(Arc::clone(&bell) as Arc<dyn engine::Observer>),
        )
        .with_context(|| format!("open the data directory {dir}"))?;
        let engine = Arc::new(engine);
        let around = desk::Around {
            engine: Arc::clone(&engine),
            catalogs: Arc::clone(&catalogs),
            people: people.clone(),
            check: notice::Check {
                secret: instance.secret(),
                public_url: config.http.public_url.as_deref().unwrap_or_default().into(),
            },
            reads: reads.clone(),
        };
        let quiet = config.offers.quiet().map_err(Failure::usage)?;
        let desk = Arc::new(desk::Desk::new(outbox, around, quiet));
        let callbacks = CallbackLog::new(store.callbacks().context("open the callbacks")?);
        let followers = follow::start(&store, &reads, &catalogs, (&desk, &callbacks), &bell)?;
        let cards = crate::cards::desk(config, &engine, &catalogs, instance.partitions)?;
        let tender = tend::start(&engine, &catalogs, instance.partitions)?;
        let node = Node {
            instance,
            catalogs,
            engine,
            store,
            reads,
            people,
            outlets,
            exceptions,
            receipt_keys,
            push_key,
            desk,
            cards,
            callbacks,
            followers,
            tender,
        };
        node.open_desk()?;
        node.publish_catalogs(config.catalogs.dir.as_deref())?;
        Ok(node)
    }

    /// Stops taking commands, finishes what was taken, and brings snapshots and read models up to date.
    pub fn stop(self) {
        self.tender.stop();
        self.engine.stop();
        self.followers.stop();
    }

    /// How far behind the read models and the outbox are.
    pub fn lag(&self) -> Arc<follow::Lag> {
        self.followers.lag()
    }

    /// Waits until the read models hold everything that was answered before the call.
    pub fn catch_up(&self) -> anyhow::Result<()> {
        self.followers.catch_up()
    }

    /// A new key for the desk when it has none that may do everything: the first start, or all were revoked.
    pub fn first_admin_key(&self) -> anyhow::Result<Option<String>> {
        let keys = self
            .engine
            .read(EntityKey::Partner(DESK), |entity, _| {
                entity
                    .and_then(Entity::partner)
                    .map(|partner| partner.keys.clone())
            })
            .context("read the desk's keys")?
            .unwrap_or_default();
        let all = all_scopes();
        if keys
            .iter()
            .any(|key| key.revoked_at.is_none() && key.scopes.allows(all))
        {
            return Ok(None);
        }
        let (token, key) = web::api::auth::new_key(DESK, all, now());
        self.engine
            .call(Command::AddKey { partner: DESK, key })
            .context("store the admin key")?;
        Ok(Some(token))
    }

    /// Catalogs in force are journalled; the same ones again move nothing.
    fn publish_catalogs(&self, dir: Option<&std::path::Path>) -> anyhow::Result<()> {
        for command in catalogs::publications(dir, &self.catalogs)? {
            self.engine.call(command).context("journal the catalogs")?;
        }
        Ok(())
    }

    fn open_desk(&self) -> anyhow::Result<()> {
        let known = self
            .engine
            .read(EntityKey::Partner(DESK), |entity, _| entity.is_some())
            .context("read the desk")?;
        if !known {
            let code = Code::new(DESK_CODE).unwrap_or_default();
            let open = OpenPartner::named(DESK, "Own desk", code);
            self.engine
                .call(Command::OpenPartner(Box::new(open)))
                .context("make the desk")?;
        }
        Ok(())
    }
}

/// Every permission.
pub fn all_scopes() -> Scopes {
    Scopes::NAMES
        .iter()
        .fold(Scopes::default(), |all, (_, scope)| all.with(*scope))
}

/// Longest key file, bytes.
const KEY_FILE_BYTES_MAX: u64 = 1_024;

fn open_people(config: &Config, instance: &Instance) -> anyhow::Result<People> {
    let key = match &config.people.key_file {
        Some(path) => read_key(path).with_context(|| format!("read people.key_file {}", path.display()))?,
        None => people::Keys::new(instance.secret()).digest("people", &[]),
    };
    People::open(&config.data, people::Keys::new(key)).context("open the accounts of people")
}

fn read_key(path: &std::path::Path) -> anyhow::Result<[u8; 32]> {
    anyhow::ensure!(
        std::fs::metadata(path)?.len() <= KEY_FILE_BYTES_MAX,
        "it is too long"
    );
    let text = std::fs::read_to_string(path)?;
    crate::key_file::hex_key(&text).context("64 hexadecimal digits are expected")
}

/// Opens the files alone, without an engine.
pub fn open_store(config: &Config) -> anyhow::Result<SqliteStore> {
    let defaults = SqliteOptions::default();
    let page_bytes = u64::from(defaults.journal_page_bytes.max(1));
    let options = SqliteOptions {
        journal_pages_max: match config.store.journal_mib_max {
            0 => None,
            mib => Some(u32::try_from(mib.saturating_mul(1 << 20) / page_bytes).unwrap_or(u32::MAX)),
        },
        ..defaults
    };
    SqliteStore::open(&config.data, options).map_err(|error| {
        let hint = match &error {
            StoreError::Locked { .. } => {
                "Stop the server first, or leave out --data and talk to it over its API."
            }
            _ => "Look at the permissions of the directory and the space on its disk.",
        };
        let error =
            anyhow::Error::new(error).context(format!("open the data directory {}", config.data.display()));
        Failure::new(failure::kind(&error), failure::chain(&error))
            .hint(hint)
            .into()
    })
}
