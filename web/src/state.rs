//! What the server hands in, and what all handlers share.

use crate::api::InFlight;
use crate::bind::{CallbackLog, Reads};
use crate::core::{Core, CoreError, Gauge, Pending};
use crate::limits;
use crate::meter::Meter;
use crate::page::demo::Demo;
use crate::partner_callback::{Reach, Sealer};
use crate::rate::Rate;
use crate::receipt::Receipts;
use charge::catalog::{Catalog, Catalogs};
use charge::{Account, Code, Entity, EntityKey, Money, Msisdn, OperatorId, PartnerId, Timestamp};
use people::People;
use std::ops::Deref;
use std::sync::Arc;
use store::StoreError;
use tokio::sync::Semaphore;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Sends one-time codes: the server binds it to the SMPP outbox.
pub trait CodeSender: Send + Sync {
    /// Sends a text that is worthless after `expires`. It holds a secret: it is not to be logged.
    fn send_code(&self, to: Msisdn, text: String, expires: Timestamp) -> Pending<Result<(), CoreError>>;
}

/// How staff works.
#[derive(Clone, Copy, Debug)]
pub struct StaffSettings {
    /// Decisions about more money than this, in rupees, or about any other currency, need a second one of staff.
    pub four_eyes_above: charge::Money,
}

impl Default for StaffSettings {
    fn default() -> StaffSettings {
        StaffSettings {
            four_eyes_above: charge::Money::from_units(5_000),
        }
    }
}

/// Sends one-time codes by e-mail: at once or not at all, and written nowhere.
pub trait CodeMailer: Send + Sync {
    /// Sends a text to an address. It holds a secret: it is not to be logged.
    fn send_code(&self, to: String, subject: String, body: String) -> Pending<Result<(), CoreError>>;
}

/// Carries what people are to be told about the security of their account ([`People::untold`]) to where it is not lost.
pub trait SecurityNotices: Send + Sync {
    /// There is something; when this returns it has been carried. What fails stays and is carried later.
    fn look(&self) -> Pending<Result<(), CoreError>>;
}

/// Ways to reach people beside SMS.
#[derive(Clone, Default)]
pub struct Ways {
    /// Tells what changed about the security of an account, by every way; none: by SMS alone, at once or not at all.
    pub security: Option<Arc<dyn SecurityNotices>>,
    /// Sends codes that prove e-mail addresses; none: no e-mail from here.
    pub mail: Option<Arc<dyn CodeMailer>>,
    /// The key that browsers subscribe to push messages with; none: no push from here.
    pub push_key: Option<String>,
    /// Where push services may be.
    pub push_reach: Reach,
}

/// Where an announcement stands.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The operator's code.
    pub operator: String,
    /// The promotion's code.
    pub promotion: String,
    /// When it was last started.
    pub started_at: Timestamp,
    /// Everybody was reached.
    pub reached_all: bool,
    /// People told, in all runs.
    pub told: u64,
    /// People left out in this run.
    pub left_out: u64,
    /// Letters that wait.
    pub waiting: u64,
    /// Letters that were taken.
    pub sent: u64,
    /// Letters given up.
    pub failed: u64,
}

/// Starts announcements. Calls may wait for the disk.
pub trait Announcements: Send + Sync {
    /// Starts one, or starts it again for those who agreed since. At most so many letters a second; `stop` is how a short
    /// message says that offers can be stopped. Durable when it returns.
    ///
    /// # Errors
    /// When the outbox does not answer.
    fn start(
        &self,
        operator: OperatorId,
        promotion: Code,
        pace: (u32, &str),
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Where one stands.
    ///
    /// # Errors
    /// When the outbox does not answer.
    fn find(&self, operator: OperatorId, promotion: Code) -> Result<Option<Announcement>, StoreError>;
}

/// What the web needs from outside.
pub struct WebParts {
    /// Carries out commands.
    pub core: Arc<dyn Core>,
    /// Statements, usage, receipts, ledger days.
    pub reads: Reads,
    /// What partners are to be told.
    pub callbacks: CallbackLog,
    /// Where they may be told.
    pub reach: Reach,
    /// What operators sell.
    pub catalogs: Arc<Catalogs>,
    /// Tells the time.
    pub clock: Clock,
    /// More gauges for `/metrics`: outbox, connections.
    pub gauges: Arc<dyn Fn() -> Vec<Gauge> + Send + Sync>,
    /// The accounts of people.
    pub people: People,
    /// The directory of outlets.
    pub outlets: outlets::Outlets,
    /// The address of the site as people type it, `https://...`: passkeys belong to it. Not set: what each request says.
    pub origin: Option<String>,
    /// Sends one-time codes.
    pub codes: Arc<dyn CodeSender>,
    /// Ways to reach people beside SMS.
    pub ways: Ways,
    /// Announcements of promotions; `None`: not from here.
    pub announcements: Option<Arc<dyn Announcements>>,
    /// Signs quotes and form tokens. The same on all nodes, and after a restart, if those should stay good.
    pub secret: [u8; 32],
    /// Signs receipts.
    pub receipts: Receipts,
    /// Takes payments; `None`: this service takes none.
    pub payments: Option<Arc<dyn crate::payments::PaymentDesk>>,
    /// Makes and redeems scratch cards; `None`: this service has none.
    pub cards: Option<crate::cards::CardDesk>,
    /// Differences with rails that wait for people; `None`: not reconciled here.
    pub exceptions: Option<store::Exceptions>,
    /// From this amount on two must want a top-up back; zero: one is enough.
    pub reversal_two_from: Money,
    /// How staff works.
    pub staff: StaffSettings,
    /// True when people come over https: cookies then say `Secure`.
    pub https: bool,
}

/// The state of all handlers. Cheap to clone.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

/// Behind [`Web`].
pub struct Inner {
    demo: Option<Demo>,
    /// Passwords that may be hashed at once.
    pub hashing: Semaphore,
    /// What came from outside.
    pub parts: WebParts,
    /// Secrets of callbacks.
    pub sealer: Sealer,
    /// Counters and latencies.
    pub meter: Meter,
    /// Requests by API key.
    pub key_rate: Rate,
    /// Requests by address.
    pub address_rate: Rate,
    /// Messages of rails by address: neither starves the other.
    pub rail_rate: Rate,
    /// Requests of the public feeds by address.
    pub feed_rate: Rate,
    /// Wrong API keys by address.
    pub bad_key_rate: Rate,
    /// How crowded outlets are.
    pub crowds: crate::outlets::Crowds,
    /// Turns of people whose PIN is verified.
    pub pins: crate::chain::pin::PinGate,
    /// Requests that move value and are not answered yet, and those just answered.
    pub in_flight: InFlight,
}

impl Web {
    /// Puts the parts together.
    pub fn new(parts: WebParts) -> Web {
        Web::build(parts, None)
    }

    /// Puts the parts of a demonstration together: its handsets can be read by everybody who reaches the page.
    pub fn for_demo(parts: WebParts, demo: Demo) -> Web {
        Web::build(parts, Some(demo))
    }

    fn build(parts: WebParts, demo: Option<Demo>) -> Web {
        Web(Arc::new(Inner {
            demo,
            hashing: Semaphore::new(limits::HASHING_MAX),
            sealer: Sealer::new(&parts.secret),
            parts,
            meter: Meter::new(),
            key_rate: Rate::per_second(limits::KEY_REQUESTS_PER_S),
            address_rate: Rate::per_second(limits::ADDRESS_REQUESTS_PER_S),
            rail_rate: Rate::per_second(limits::RAIL_MESSAGES_PER_S),
            feed_rate: Rate::per_minute(limits::FEED_REQUESTS_PER_MINUTE),
            bad_key_rate: Rate::per_minute(limits::ADDRESS_BAD_KEYS_PER_MINUTE),
            crowds: crate::outlets::Crowds::default(),
            pins: crate::chain::pin::PinGate::default(),
            in_flight: InFlight::default(),
        }))
    }

    /// The demonstration, if this is one.
    pub fn demo(&self) -> Option<&Demo> {
        self.demo.as_ref()
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.parts.clock)()
    }

    /// The catalogs of all operators.
    pub fn catalogs(&self) -> &Catalogs {
        &self.parts.catalogs
    }

    /// The connector that serves an operator's numbers that have no account here.
    pub fn connector(&self, operator: OperatorId) -> Option<Code> {
        self.parts.payments.as_ref()?.connector(operator)
    }

    /// The catalog of an operator.
    pub fn catalog(&self, operator: OperatorId) -> Option<&Catalog> {
        self.parts.catalogs.get(operator).map(Arc::as_ref)
    }

    /// The account that a number belongs to, if it is one of ours.
    ///
    /// # Errors
    /// [`CoreError`] when the core cannot say.
    pub async fn account_of(&self, number: Msisdn) -> Result<Option<Box<Account>>, CoreError> {
        let entity = self.parts.core.read(EntityKey::Number(number)).await?;
        let Some(id) = entity
            .as_ref()
            .and_then(Entity::number)
            .and_then(|record| record.account)
        else {
            return Ok(None);
        };
        match self.parts.core.read(EntityKey::Account(id)).await? {
            Some(Entity::Account(account)) => Ok(Some(account)),
            _ => Ok(None),
        }
    }

    /// A partner.
    ///
    /// # Errors
    /// [`CoreError`] when the core cannot say.
    pub async fn partner(&self, id: PartnerId) -> Result<Option<Box<charge::partner::Partner>>, CoreError> {
        match self.parts.core.read(EntityKey::Partner(id)).await? {
            Some(Entity::Partner(partner)) => Ok(Some(partner)),
            _ => Ok(None),
        }
    }
}

impl Deref for Web {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}
