//! The key file of receipts: made at the first start, readable by its owner alone, never logged.

use crate::failure::{Failure, Kind};
use crate::key_file;
use std::path::{Path, PathBuf};
use web::receipt::keys::KeyRing;

const FILE: &str = "receipt-keys.json";

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
    let Some(text) = key_file::read(path, "the key file of receipts")? else {
        return Ok(None);
    };
    let damaged = |cause: &dyn std::fmt::Display| {
        let message = format!("the key file {} is damaged: {cause}", path.display());
        Failure::new(Kind::Failed, message).hint(
            "Put it back from a backup. Without it a new key would sign, and receipts already given out could not be checked.",
        )
    };
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
    key_file::write(path, ring.to_json().as_bytes())
}

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
