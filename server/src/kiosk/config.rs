//! The file of a kiosk.

use crate::failure::Failure;
use anyhow::Context as _;
use charge::Money;
use charge::time::{SECOND, Zone};
use kiosk::shell::Look;
use kiosk::till::Settings;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What can be set about a kiosk; `docs/how-to/kiosk.md` says more.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KioskConfig {
    /// Its name: lower case letters, digits, hyphens. Its references begin with it, so it never changes.
    pub name: String,
    /// Address of the operator's server.
    pub server: String,
    /// File with the API key of the outlet.
    pub key_file: PathBuf,
    /// File with what this device shows with each sale, when the outlet sells from bound devices only.
    #[serde(default)]
    pub device_file: Option<PathBuf>,
    /// Its book.
    #[serde(default = "book")]
    pub book: PathBuf,
    /// Where its browser finds it; loopback.
    #[serde(default = "listen")]
    pub listen: SocketAddr,
    /// What to log.
    #[serde(default = "log")]
    pub log: String,
    /// Number to call for help.
    #[serde(default)]
    pub help: String,
    /// Minutes by which its clock is ahead of UTC.
    #[serde(default = "offset")]
    pub utc_offset_minutes: i32,
    /// Nobody touches the screen for so long: it asks, and begins anew, seconds.
    #[serde(default = "idle")]
    pub idle_s: u32,
    /// No note comes for so long: what is in the box is sold, seconds.
    #[serde(default = "pay_idle")]
    pub pay_idle_s: u32,
    /// A result stays on the screen for so long, seconds.
    #[serde(default = "result")]
    pub result_s: u32,
    /// The cash acceptor.
    #[serde(default)]
    pub cash: CashConfig,
    /// The card terminal.
    #[serde(default)]
    pub card: CardConfig,
    /// Without a line.
    #[serde(default)]
    pub offline: OfflineConfig,
}

/// The cash acceptor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CashConfig {
    /// Where its driver listens; empty: no cash.
    pub acceptor: String,
    /// Notes that it takes.
    pub notes: Vec<String>,
}

impl Default for CashConfig {
    fn default() -> CashConfig {
        CashConfig {
            acceptor: String::new(),
            notes: ["10", "20", "50", "100", "500", "1000", "5000"]
                .map(str::to_owned)
                .to_vec(),
        }
    }
}

/// The card terminal.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CardConfig {
    /// Where its driver listens; empty: no cards.
    pub terminal: String,
}

/// Sales without a line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OfflineConfig {
    /// Most that may wait for a line; "0": nothing is sold without one. Never more than the float.
    pub max: String,
    /// Most of one such sale.
    pub sale_max: String,
}

impl Default for OfflineConfig {
    fn default() -> OfflineConfig {
        OfflineConfig {
            max: "0".to_owned(),
            sale_max: "500".to_owned(),
        }
    }
}

fn book() -> PathBuf {
    PathBuf::from("kiosk.db")
}
fn listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8091))
}
fn log() -> String {
    "info".to_owned()
}
fn offset() -> i32 {
    300
}
fn idle() -> u32 {
    45
}
fn pay_idle() -> u32 {
    90
}
fn result() -> u32 {
    25
}

/// Shortest and longest time that may be set, seconds.
const SECONDS: std::ops::RangeInclusive<u32> = 1..=3_600;
/// Furthest clock from UTC, minutes.
const OFFSET_MAX: i32 = 14 * 60;

impl KioskConfig {
    /// Reads and checks a file. Paths in it are from where it stands.
    pub fn read(path: &Path) -> anyhow::Result<KioskConfig> {
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let mut config: KioskConfig = toml::from_str(&text)
            .map_err(|error| Failure::usage(format!("{}: {}", path.display(), error.to_string().trim())))?;
        let beside = path.parent().unwrap_or(Path::new(""));
        config.key_file = beside.join(&config.key_file);
        config.book = beside.join(&config.book);
        config.device_file = config.device_file.map(|file| beside.join(file));
        config
            .check()
            .map_err(|message| Failure::usage(format!("{}: {message}", path.display())))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.name.is_empty()
            || self.name.len() > kiosk::limits::NAME_BYTES_MAX
            || !self.name.bytes().all(plain)
        {
            return Err("name is 1 to 32 lower case letters, digits and hyphens".to_owned());
        }
        if !self.listen.ip().is_loopback() {
            return Err(
                "listen is an address of loopback: the pages are for the kiosk's own browser".to_owned(),
            );
        }
        for (name, seconds) in [
            ("idle_s", self.idle_s),
            ("pay_idle_s", self.pay_idle_s),
            ("result_s", self.result_s),
        ] {
            if !SECONDS.contains(&seconds) {
                return Err(format!("{name} is 1 to 3600"));
            }
        }
        if self.utc_offset_minutes.abs() > OFFSET_MAX {
            return Err("utc_offset_minutes is at most 840 from zero".to_owned());
        }
        self.settings().map(|_| ()).map_err(|error| error.to_string())
    }

    /// For the machine.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let money = |name: &str, text: &str| {
            let amount = Money::parse(text).ok().filter(|amount| amount.0 >= 0);
            amount.ok_or_else(|| Failure::usage(format!("{name}: {text:?} is no amount")))
        };
        let mut notes = Vec::new();
        if !self.cash.acceptor.is_empty() {
            for note in &self.cash.notes {
                notes.push(money("cash.notes", note)?);
            }
            if notes.is_empty() || notes.iter().any(|note| !note.is_positive()) {
                return Err(Failure::usage("cash.notes are values of notes").into());
            }
            notes.sort_unstable();
        }
        Ok(Settings {
            name: self.name.clone(),
            notes,
            card: !self.card.terminal.is_empty(),
            offline_max: money("offline.max", &self.offline.max)?,
            offline_sale_max: money("offline.sale_max", &self.offline.sale_max)?,
            pay_idle_us: i64::from(self.pay_idle_s) * SECOND,
        })
    }

    /// For the screen.
    pub fn look(&self) -> Look {
        Look {
            help: self.help.clone(),
            zone: Zone::fixed("kiosk", self.utc_offset_minutes * 60),
            idle_s: self.idle_s,
            result_s: self.result_s,
        }
    }
}
