//! The key file of receipts: made at the first start, readable by its owner alone, never logged.

use crate::failure::{Failure, Kind};
use anyhow::Context as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use web::receipt::keys::KeyRing;

const FILE: &str = "receipt-keys.json";
/// Largest key file that is read, bytes.
const FILE_BYTES_MAX: u64 = 1 << 16;

/// Where the key file of a data directory is, unless the configuration names another.
pub fn path(data: &Path, configured: Option<&PathBuf>) -> PathBuf {
    configured.cloned().unwrap_or_else(|| data.join(FILE))
}

/// The keys in a file; makes the file with a new key when there is none.
pub fn open_or_create(path: &Path) -> anyhow::Result<KeyRing> {
    if let Some(ring) = find(path)? {
        return Ok(ring);
    }
    let ring = KeyRing::of_seed(seed(), crate::node::now());
    write(path, &ring)?;
    Ok(ring)
}

/// The keys in a file, if it is there.
pub fn find(path: &Path) -> anyhow::Result<Option<KeyRing>> {
    let size = match std::fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    warn_when_readable(path);
    let damaged = |cause: &dyn std::fmt::Display| {
        let message = format!("the key file {} is damaged: {cause}", path.display());
        Failure::new(Kind::Failed, message).hint(
            "Put it back from a backup. Without it a new key would sign, and receipts already given out could not be checked.",
        )
    };
    if size > FILE_BYTES_MAX {
        return Err(damaged(&format!("{size} bytes")).into());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let ring = KeyRing::from_json(&text).map_err(|error| damaged(&error))?;
    Ok(Some(ring))
}

/// Signs with a new key from the next start on; withdraws an older one when it is named.
pub fn rotate(path: &Path, revoke: Option<&str>) -> anyhow::Result<KeyRing> {
    let Some(mut ring) = find(path)? else {
        let message = format!("there is no key file at {}", path.display());
        return Err(Failure::usage(message).hint("`raseed serve` makes it.").into());
    };
    let now = crate::node::now();
    ring.rotate(seed(), now);
    if let Some(id) = revoke
        && !ring.revoke(id, now)
    {
        return Err(Failure::usage(format!("there is no key {id}")).into());
    }
    write(path, &ring)?;
    Ok(ring)
}

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    rand::fill(&mut seed);
    seed
}

fn write(path: &Path, ring: &KeyRing) -> anyhow::Result<()> {
    write_private(path, &ring.to_json())
}

/// Writes a file for its owner alone: beside, synced, renamed, so that after a crash there is a whole file or the one before.
///
/// # Errors
/// When it cannot be written.
pub fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let new = path.with_extension("json.new");
    let write = || -> std::io::Result<()> {
        // One left over from a crash may have another mode.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        match path.parent() {
            Some(directory) if !directory.as_os_str().is_empty() => {
                std::fs::File::open(directory)?.sync_all()
            }
            _ => Ok(()),
        }
    };
    write().with_context(|| format!("write {}", path.display()))
}

#[cfg(unix)]
fn warn_when_readable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).map_or(0, |found| found.permissions().mode());
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others may read the key file of receipts: chmod 600");
    }
}

#[cfg(not(unix))]
fn warn_when_readable(_: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path(), None);
        let first = open_or_create(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let again = open_or_create(&path).unwrap();
        assert_eq!(again.public(), first.public());

        let id = first.signer().id().to_owned();
        let rotated = rotate(&path, Some(&id)).unwrap();
        assert_ne!(rotated.signer().id(), id);
        assert!(rotated.public().find(&id).unwrap().revoked_at.is_some());
        assert_eq!(open_or_create(&path).unwrap().public(), rotated.public());
        assert!(rotate(&path, Some("nothing")).is_err());

        std::fs::write(&path, "{}").unwrap();
        assert!(open_or_create(&path).is_err(), "a damaged file is never replaced");
        assert!(rotate(&dir.path().join("elsewhere.json"), None).is_err());
    }
}
