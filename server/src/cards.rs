//! Scratch cards on this machine: the key that hashes PINs, printers' keys, and sealed exports until they are fetched.
//!
//! # Layout
//! * here: key file, configuration, vault. [`sealed`]: the form of an export, sealing and opening

pub mod sealed;

use crate::config::{CardsConfig, Config};
use crate::failure::{Failure, Kind};
use crate::key_file;
use anyhow::Context as _;
use charge::catalog::Catalogs;
use engine::Engine;
use sealed::PrinterKey;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use web::bind::EngineCore;
use web::cards::make::Printable;
use web::cards::{CardDesk, CardParts, CardVault, PinKey};

/// The key file in the data directory.
const KEY_FILE: &str = "card-key";
/// Where exports wait.
const FOLDER: &str = "cards";

/// The desk of a data directory.
pub fn desk(
    config: &Config,
    engine: &Arc<Engine>,
    catalogs: &Arc<Catalogs>,
    partitions: u16,
) -> anyhow::Result<CardDesk> {
    let path = config.cards.key_file.clone();
    let key = open_or_create_key(&path.unwrap_or_else(|| config.data.join(KEY_FILE)))?;
    Ok(CardDesk::new(CardParts {
        core: Arc::new(EngineCore(Arc::clone(engine))),
        catalogs: Arc::clone(catalogs),
        clock: Arc::new(crate::node::now),
        key: PinKey::new(&key),
        vault: Arc::new(Vault::open(&config.data, &config.cards)?),
        partitions,
        wrong_per_minute_max: config.cards.wrong_per_minute_max,
    }))
}

/// The key in a file; makes it when there is none.
fn open_or_create_key(path: &Path) -> anyhow::Result<[u8; 32]> {
    let damaged = |why: &dyn std::fmt::Display| {
        Failure::new(
            Kind::Failed,
            format!("the key file {} is damaged: {why}", path.display()),
        )
        .hint("Put it back from a backup. Without it no card that was printed can be redeemed.")
    };
    match key_file::read(path, "the key file of scratch cards")? {
        Some(text) => {
            let key = key_file::hex_key(&text);
            Ok(key.ok_or_else(|| damaged(&"64 hexadecimal digits are expected"))?)
        }
        None => {
            let mut key = [0; 32];
            rand::fill(&mut key);
            key_file::write(path, key_file::to_hex(&key).as_bytes())?;
            Ok(key)
        }
    }
}

/// Exports in a folder of the data directory, sealed to printers' keys.
pub(crate) struct Vault {
    folder: PathBuf,
    printers: BTreeMap<String, PrinterKey>,
}

impl Vault {
    /// The vault of a data directory.
    ///
    /// # Errors
    /// A printer's key that cannot be read.
    pub(crate) fn open(data: &Path, config: &CardsConfig) -> anyhow::Result<Vault> {
        let mut printers = BTreeMap::new();
        for (name, key) in &config.printers {
            let key = PrinterKey::parse(key)
                .map_err(|why| Failure::usage(format!("cards.printers.{name}: {why}")))?;
            printers.insert(name.clone(), key);
        }
        Ok(Vault {
            folder: data.join(FOLDER),
            printers,
        })
    }

    fn file(&self, batch: u32) -> PathBuf {
        self.folder.join(format!("{batch}.sealed"))
    }
}

impl CardVault for Vault {
    fn printers(&self) -> Vec<String> {
        self.printers.keys().cloned().collect()
    }

    fn seal(&self, batch: u32, printer: &str, cards: &Printable) -> Result<(), String> {
        let key = self
            .printers
            .get(printer)
            .ok_or("there is no key of this printer")?;
        let sealed = sealed::seal(key, printer, cards)?;
        let write = || -> anyhow::Result<()> {
            std::fs::create_dir_all(&self.folder).context("make the folder of exports")?;
            key_file::write(&self.file(batch), &sealed)
        };
        write().map_err(|error| format!("{error:#}"))
    }

    fn take(&self, batch: u32) -> Result<Option<Vec<u8>>, String> {
        let path = self.file(batch);
        let take = || -> std::io::Result<Option<Vec<u8>>> {
            let sealed = match std::fs::read(&path) {
                Ok(sealed) => sealed,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            std::fs::remove_file(&path)?;
            std::fs::File::open(&self.folder)?.sync_all()?;
            Ok(Some(sealed))
        };
        take().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_a_damaged_one_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        let first = open_or_create_key(&path).unwrap();
        assert_eq!(open_or_create_key(&path).unwrap(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(&path, "abc").unwrap();
        assert!(open_or_create_key(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "abc");
    }

    #[test]
    fn a_wrong_printer_key_is_refused_at_start() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = CardsConfig::default();
        config.printers.insert("press".into(), "not a key".into());
        assert!(Vault::open(dir.path(), &config).is_err());
        let (_, public) = sealed::generate().unwrap();
        config.printers.insert("press".into(), public);
        let vault = Vault::open(dir.path(), &config).unwrap();
        assert_eq!(vault.printers(), ["press"]);
        assert_eq!(vault.take(1).unwrap(), None);
    }
}
