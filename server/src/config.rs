//! The configuration file: what can be set, what it is when nothing is said, and what is refused.
//!
//! # Layout
//! * here: the sections, their defaults, reading a file
//! * [`reference`]: every key with its meaning; `docs/configuration.md` is made from it

pub mod reference;

use crate::banks::config::BanksConfig;
use crate::callbacks::CallbacksConfig;
use crate::failure::Failure;
use crate::mail::MailConfig;
use crate::notify::OffersConfig;
use crate::push::PushConfig;
use crate::sms::SmsConfig;
use crate::ussd::config::UssdConfig;
use engine::limits::PARTITIONS_MAX;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Longest configuration file, bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Most engine threads: more than any machine of today has cores.
const THREADS_MAX: usize = 256;
/// Least memory for accounts that still works, MiB.
const CACHE_MIB_MIN: usize = 16;

/// Everything that can be set.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Directory of the journal, the snapshots and the read models.
    pub data: PathBuf,
    /// What to log: a level, or `tracing` filters.
    pub log: String,
    /// The engine.
    pub engine: EngineConfig,
    /// The journal's files.
    pub store: StoreConfig,
    /// The API and the page.
    pub http: HttpConfig,
    /// Accounts of people.
    pub people: PeopleConfig,
    /// The charging front.
    pub diameter: DiameterConfig,
    /// Receipts.
    pub receipts: ReceiptsConfig,
    /// Operators, tariffs, bundles and taxes.
    pub catalogs: CatalogsConfig,
    /// Partners.
    pub partners: PartnersConfig,
    /// Callbacks of partners.
    pub callbacks: CallbacksConfig,
    /// Message centres, by operator code; `default` serves the others.
    pub sms: BTreeMap<String, SmsConfig>,
    /// E-mail.
    pub mail: MailConfig,
    /// Push messages to browsers.
    pub push: PushConfig,
    /// Announcements of offers.
    pub offers: OffersConfig,
    /// USSD gateways.
    pub ussd: UssdConfig,
    /// Payments over the web.
    pub payments: PaymentsConfig,
    /// Settlement files, compared every day.
    pub reconciliation: ReconciliationConfig,
    /// Those who work here.
    pub staff: StaffConfig,
    /// The ways to operators whose core is elsewhere.
    pub connector: Vec<ConnectorConfig>,
    /// Scratch cards.
    pub cards: CardsConfig,
    /// Banks that sell top-ups.
    pub banks: BanksConfig,
}

/// Scratch cards.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CardsConfig {
    /// File with the key that hashes PINs: 64 hexadecimal digits; not set: `card-key` in the data directory.
    pub key_file: Option<PathBuf>,
    /// Wrong tries over all numbers that are let through in a minute.
    pub wrong_per_minute_max: u32,
    /// Public keys of printers by name.
    pub printers: BTreeMap<String, String>,
}

impl Default for CardsConfig {
    fn default() -> CardsConfig {
        CardsConfig {
            key_file: None,
            wrong_per_minute_max: 600,
            printers: BTreeMap::new(),
        }
    }
}

/// Partitions, threads, memory.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// Partitions, the directory's included.
    pub partitions: u16,
    /// Threads that own partitions; 0 chooses by the number of cores.
    pub threads: usize,
    /// Memory for accounts, MiB.
    pub cache_mib: usize,
    /// Entries of the directory of numbers kept in memory.
    pub directory_entries: usize,
    /// Commands that may wait for one thread.
    pub waiting_commands_max: usize,
    /// Seconds in which every changed account is written to the snapshots once.
    pub snapshot_interval_s: u32,
}

/// Files of the journal.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Largest journal file, MiB; 0: as large as the disk allows.
    pub journal_mib_max: u64,
}

/// The API and the page.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// Requests served at the same time; more wait in the kernel.
    pub connections_max: usize,
    /// A proxy with TLS stands before us: cookies are for HTTPS only.
    pub behind_tls: bool,
    /// The site's address as people type it: scheme, domain, port.
    pub public_url: Option<String>,
}

/// Accounts of people.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeopleConfig {
    /// File with the key of `people.db`: 64 hexadecimal digits.
    pub key_file: Option<PathBuf>,
}

/// The charging front.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiameterConfig {
    /// Where it listens; empty: not at all.
    pub listen: Vec<SocketAddr>,
    /// Where it listens with TLS.
    pub listen_tls: Vec<SocketAddr>,
    /// Our Origin-Host.
    pub origin_host: String,
    /// Our Origin-Realm.
    pub origin_realm: String,
    /// Realms whose peers are served; empty: every realm.
    pub realms: Vec<String>,
    /// PEM file with the certificate chain.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with the private key.
    pub tls_key: Option<PathBuf>,
    /// Connections at the same time.
    pub connections_max: usize,
    /// Requests a second of one peer; 0: no limit.
    pub rate_per_s_max: u32,
}

/// Receipts.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReceiptsConfig {
    /// The key that signs them; not set: `receipt-keys.json` in the data directory.
    pub key_file: Option<PathBuf>,
}

/// Payments over the web.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaymentsConfig {
    /// How long a payment can be paid, seconds.
    pub payable_s: u32,
    /// How much later a payment is still credited; after that the money goes back, seconds.
    pub wanted_s: u32,
    /// The rails, in the order in which they are offered.
    pub rail: Vec<RailConfig>,
    /// Rates of exchange, for rails that do not take the operator's currency.
    pub rates: Option<rails::fx::Rates>,
}

/// Settlement files, compared every day.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReconciliationConfig {
    /// From this time of the day on yesterday's file is missed when it is not there, in Pakistan: `06:30`.
    pub at: String,
    /// Files that come so many days late are still picked up.
    pub late_days: u32,
    /// Seconds between two looks.
    pub every_s: u32,
    /// Where each rail's files come.
    pub source: Vec<FileSource>,
}

/// Where a rail's files come.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSource {
    /// The rail's code.
    pub rail: String,
    /// The directory.
    pub dir: PathBuf,
    /// The file of a day: `{day}` stands for 2026-11-21.
    #[serde(default = "default_file")]
    pub file: String,
    /// Another time of the day than the others have.
    #[serde(default)]
    pub at: Option<String>,
    /// The highest fee by contract, in parts of ten thousand.
    #[serde(default)]
    pub fee_max_bp: Option<u32>,
}

fn default_file() -> String {
    "{day}.csv".to_owned()
}

impl FileSource {
    /// The file of a day.
    pub fn path(&self, day: i32) -> PathBuf {
        let (year, month, day) = charge::time::civil_from_days(i64::from(day));
        self.dir.join(
            self.file
                .replace("{day}", &format!("{year:04}-{month:02}-{day:02}")),
        )
    }

    /// The minute of the day at which yesterday's file is missed.
    pub fn minute(&self, all: &ReconciliationConfig) -> Option<u32> {
        minute_of(self.at.as_ref().unwrap_or(&all.at))
    }
}

/// `06:30` in minutes.
fn minute_of(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let plain = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    let (hour, minute): (u32, u32) = (plain(hour).then(|| hour.parse().ok())??, minute.parse().ok()?);
    (plain(text.split_once(':')?.1) && hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

/// Those who work here.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StaffConfig {
    /// Decisions about more rupees than this need a second person.
    pub four_eyes_above: String,
}

impl Default for ReconciliationConfig {
    fn default() -> ReconciliationConfig {
        ReconciliationConfig {
            at: "06:30".to_owned(),
            late_days: 7,
            every_s: 60,
            source: Vec::new(),
        }
    }
}

impl Default for StaffConfig {
    fn default() -> StaffConfig {
        StaffConfig {
            four_eyes_above: "5000".to_owned(),
        }
    }
}

impl StaffConfig {
    /// For the pages of staff.
    pub fn settings(&self) -> web::state::StaffSettings {
        let usual = web::state::StaffSettings::default();
        web::state::StaffSettings {
            four_eyes_above: charge::Money::parse(&self.four_eyes_above).unwrap_or(usual.four_eyes_above),
        }
    }
}

/// A payment rail.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RailConfig {
    /// JazzCash: hosted page or wallet.
    Jazzcash(Box<rails::jazzcash::Config>),
    /// Easypaisa: wallet, cash at a shop, or hosted checkout.
    Easypaisa(Box<rails::easypaisa::Config>),
    /// Cards on a payment service's hosted page.
    Card(Box<rails::card::Config>),
    /// PayPal Orders.
    Paypal(Box<rails::paypal::Config>),
    /// Transfers to our bank account.
    Bank(Box<rails::bank::Config>),
    /// A QR code that a bank's app scans; its money comes in through the bank.
    Raast(Box<RaastConfig>),
}

/// A QR code over the account of a bank rail.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaastConfig {
    /// Its name.
    pub code: String,
    /// The bank rail, named before it, that its money comes in through.
    pub bank: String,
    /// What the code says.
    pub profile: rails::raast_qr::Profile,
}

/// Partners.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PartnersConfig {
    /// From this amount on two people must want a top-up back; "0": one is enough.
    pub reversal_two_from: web::api::json::Decimal,
}

impl Default for PartnersConfig {
    fn default() -> PartnersConfig {
        PartnersConfig {
            reversal_two_from: web::api::json::Decimal(charge::Money::from_units(5_000)),
        }
    }
}

/// The way to an operator whose core is elsewhere.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectorConfig {
    /// The operator, by its code in the catalogs: its numbers without an account here are recharged there.
    pub operator: String,
    /// Below this balance there it is told in the log and by a gauge; "0": never.
    #[serde(default = "nothing")]
    pub low_balance: web::api::json::Decimal,
    /// Its XML gateway.
    pub pretups: Box<rails::connector::pretups::Config>,
}

fn nothing() -> web::api::json::Decimal {
    web::api::json::Decimal(charge::Money::ZERO)
}

/// Where the catalogs come from.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogsConfig {
    /// Directory with the catalog files; not set: the ones inside the binary.
    pub dir: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            data: PathBuf::from("raseed-data"),
            log: "info".to_owned(),
            engine: EngineConfig::default(),
            store: StoreConfig::default(),
            http: HttpConfig::default(),
            people: PeopleConfig::default(),
            diameter: DiameterConfig::default(),
            receipts: ReceiptsConfig::default(),
            catalogs: CatalogsConfig::default(),
            partners: PartnersConfig::default(),
            callbacks: CallbacksConfig::default(),
            sms: BTreeMap::new(),
            mail: MailConfig::default(),
            push: PushConfig::default(),
            offers: OffersConfig::default(),
            ussd: UssdConfig::default(),
            payments: PaymentsConfig::default(),
            reconciliation: ReconciliationConfig::default(),
            staff: StaffConfig::default(),
            cards: CardsConfig::default(),
            banks: BanksConfig::default(),
            connector: Vec::new(),
        }
    }
}

impl Default for PaymentsConfig {
    fn default() -> PaymentsConfig {
        PaymentsConfig {
            payable_s: 1_800,
            wanted_s: 86_400,
            rail: Vec::new(),
            rates: None,
        }
    }
}

impl Default for EngineConfig {
    fn default() -> EngineConfig {
        let engine = engine::Settings::default();
        EngineConfig {
            partitions: engine.partitions,
            threads: 0,
            cache_mib: engine.cache_bytes_max >> 20,
            directory_entries: engine.directory_entries,
            waiting_commands_max: engine.inbox_commands_max,
            snapshot_interval_s: u32::try_from(engine.snapshot_interval_us / 1_000_000).unwrap_or(60),
        }
    }
}

impl Default for HttpConfig {
    fn default() -> HttpConfig {
        HttpConfig {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8080))],
            connections_max: 4_096,
            behind_tls: false,
            public_url: None,
        }
    }
}

impl Default for DiameterConfig {
    fn default() -> DiameterConfig {
        DiameterConfig {
            listen: vec![
                SocketAddr::from(([127, 0, 0, 1], 3868)),
                SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 3868)),
            ],
            listen_tls: Vec::new(),
            origin_host: "ocs.raseed.example".to_owned(),
            origin_realm: "raseed.example".to_owned(),
            realms: Vec::new(),
            tls_certificate: None,
            tls_key: None,
            connections_max: 1_024,
            rate_per_s_max: 0,
        }
    }
}

impl Config {
    /// Reads a file; paths in it are relative to its directory.
    pub fn read(path: &Path) -> anyhow::Result<Config> {
        let size = std::fs::metadata(path)
            .map_err(|error| Failure::usage(format!("read the configuration {}: {error}", path.display())))?
            .len();
        if size > FILE_BYTES_MAX {
            let message = format!("the configuration {} has {size} bytes", path.display());
            return Err(Failure::usage(message)
                .hint(format!("At most {FILE_BYTES_MAX} are read."))
                .into());
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("read the configuration {}: {error}", path.display())))?;
        let mut config = Config::parse(&text, &path.display().to_string())?;
        let base = path.parent().unwrap_or(Path::new(""));
        let paths = [
            &mut config.diameter.tls_certificate,
            &mut config.diameter.tls_key,
            &mut config.receipts.key_file,
            &mut config.catalogs.dir,
            &mut config.people.key_file,
            &mut config.mail.ca_file,
            &mut config.push.key_file,
            &mut config.cards.key_file,
        ];
        for path in paths.into_iter().flatten().chain(config.ussd.paths()) {
            *path = base.join(&*path);
        }
        for source in &mut config.reconciliation.source {
            source.dir = base.join(&source.dir);
        }
        config.data = base.join(&config.data);
        Ok(config)
    }

    /// Reads the text of a file called `name`. Errors say line and column.
    pub fn parse(text: &str, name: &str) -> Result<Config, Failure> {
        let config: Config = toml::from_str(text).map_err(|error| {
            let (line, column) = place(text, error.span().map_or(0, |span| span.start));
            let message = error.message().replace('\n', "; ");
            Failure::usage(format!("{name}:{line}:{column}: {message}"))
                .hint("docs/configuration.md lists every key.")
        })?;
        config
            .check()
            .map_err(|message| Failure::usage(format!("{name}: {message}")))?;
        Ok(config)
    }

    /// What a single value cannot show.
    pub fn check(&self) -> Result<(), String> {
        let engine = &self.engine;
        if !(1..=PARTITIONS_MAX).contains(&engine.partitions) {
            return Err(format!("engine.partitions must be 1 to {PARTITIONS_MAX}"));
        }
        if engine.threads > THREADS_MAX {
            return Err(format!("engine.threads must be 0 to {THREADS_MAX}"));
        }
        if engine.cache_mib < CACHE_MIB_MIN {
            return Err(format!("engine.cache_mib must be at least {CACHE_MIB_MIN}"));
        }
        if engine.waiting_commands_max == 0
            || engine.directory_entries == 0
            || engine.snapshot_interval_s == 0
        {
            return Err(
                "engine: waiting_commands_max, directory_entries and snapshot_interval_s must be at least 1"
                    .to_owned(),
            );
        }
        self.mail.check()?;
        self.offers.quiet()?;
        if self.http.listen.is_empty() || self.http.connections_max == 0 {
            return Err("http: listen needs an address and connections_max must be at least 1".to_owned());
        }
        if let Some(url) = &self.http.public_url {
            let rest = url
                .strip_prefix("https://")
                .or_else(|| url.strip_prefix("http://"));
            if rest.is_none_or(|rest| rest.is_empty() || rest.contains(['/', '?', '#', '@', ' '])) {
                return Err(
                    "http.public_url is scheme and host only, such as https://recharge.example".to_owned(),
                );
            }
        }
        self.check_staff()?;
        self.ussd.check()?;
        self.banks.check()?;
        let diameter = &self.diameter;
        if diameter.tls_certificate.is_some() != diameter.tls_key.is_some() {
            return Err("diameter.tls_certificate and diameter.tls_key belong together".to_owned());
        }
        if !diameter.listen_tls.is_empty() && diameter.tls_certificate.is_none() {
            return Err("diameter.listen_tls needs tls_certificate and tls_key".to_owned());
        }
        if diameter.origin_host.is_empty() || diameter.origin_realm.is_empty() {
            return Err("diameter.origin_host and diameter.origin_realm may not be empty".to_owned());
        }
        Ok(())
    }

    fn check_staff(&self) -> Result<(), String> {
        let above = charge::Money::parse(&self.staff.four_eyes_above);
        if !above.is_ok_and(|above| above >= charge::Money::ZERO) {
            return Err("staff.four_eyes_above is an amount of rupees such as \"5000\"".to_owned());
        }
        let days = &self.reconciliation;
        if !(1..=86_400).contains(&days.every_s) || days.late_days > 90 {
            return Err("reconciliation: every_s must be 1 to 86400, late_days at most 90".to_owned());
        }
        for source in &days.source {
            if source.minute(days).is_none() {
                return Err("reconciliation.at is a time of the day such as \"06:30\"".to_owned());
            }
            let named = charge::Code::new(&source.rail).is_some();
            if !named || !source.file.contains("{day}") || source.file.contains(['/', '\\']) {
                return Err(
                    "reconciliation.source needs a rail, and a file name with {day} in it".to_owned(),
                );
            }
        }
        Ok(())
    }

    /// The engine's part.
    pub fn engine_settings(&self) -> engine::Settings {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        engine::Settings {
            partitions: self.engine.partitions,
            threads: match self.engine.threads {
                0 => (cores / 2).max(1),
                threads => threads,
            },
            cache_bytes_max: self.engine.cache_mib << 20,
            directory_entries: self.engine.directory_entries,
            inbox_commands_max: self.engine.waiting_commands_max,
            snapshot_interval_us: i64::from(self.engine.snapshot_interval_s) * 1_000_000,
            ..engine::Settings::default()
        }
    }
}

/// Line and column, from 1, of a byte.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, told) in [
            ("data = 'x'\nport = 80\n", "c.toml:2:1: unknown field `port`"),
            (
                "[http]\nlisten = ['here']\n",
                "c.toml:2:11: invalid socket address",
            ),
            (
                "[engine]\npartitions = 0\n",
                "c.toml: engine.partitions must be 1 to 1024",
            ),
            ("[engine]\npartitions = -1\n", "c.toml:2:14: invalid value"),
            ("[diameter]\ntls_key = 'k.pem'\n", "belong together"),
            ("[sms.jazz]\nwindows = 3\n", "c.toml:2:1: unknown field `windows`"),
            (
                "[http]\npublic_url = 'https://a.example/x'\n",
                "http.public_url is scheme and host only",
            ),
            ("data = \n", "c.toml:1:8: "),
        ] {
            let failure = Config::parse(text, "c.toml").unwrap_err();
            assert!(failure.message.contains(told), "{text:?}: {}", failure.message);
        }
    }

    #[test]
    fn the_default_is_allowed() {
        Config::parse("", "c.toml").unwrap();
    }
}
