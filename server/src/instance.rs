//! A data directory: which one it is, what was fixed when it was made, and its secret.

use crate::failure::{Failure, Kind};
use anyhow::Context as _;
use std::io::Write;
use std::path::{Path, PathBuf};

const FILE: &str = "instance.json";
const FORMAT: u32 = 1;

/// What is fixed for the life of a data directory.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    format: u32,
    /// Partitions, the directory's included.
    pub partitions: u16,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Key for codes and tokens, 64 hexadecimal digits. Whoever reads it can sign people in.
    secret: String,
}

impl Instance {
    /// The instance in `dir`; makes the directory and the instance when there is none. The caller owns the directory.
    pub fn open_or_create(dir: &Path, partitions: u16) -> anyhow::Result<Instance> {
        if let Some(instance) = Instance::find(dir)? {
            return Ok(instance);
        }
        let mut secret = [0; 32];
        rand::fill(&mut secret);
        let instance = Instance {
            format: FORMAT,
            partitions,
            created_at: jiff::Timestamp::now().to_string(),
            secret: secret.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        instance.write(dir)?;
        Ok(instance)
    }

    /// The instance in `dir`, if there is one.
    pub fn find(dir: &Path) -> anyhow::Result<Option<Instance>> {
        let path = path(dir);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        let instance: Instance = serde_json::from_str(&text)
            .map_err(|error| Failure::new(Kind::Failed, format!("{} is damaged: {error}", path.display())))?;
        if instance.format > FORMAT {
            let message = format!(
                "{} has format {}; this version reads {FORMAT}",
                path.display(),
                instance.format
            );
            return Err(Failure::new(Kind::Failed, message).into());
        }
        Ok(Some(instance))
    }

    /// The secret's bytes.
    pub fn secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        for (index, byte) in secret.iter_mut().enumerate() {
            let digits = self.secret.get(index * 2..index * 2 + 2).unwrap_or("00");
            *byte = u8::from_str_radix(digits, 16).unwrap_or(0);
        }
        secret
    }

    /// Written beside, synced, renamed: after a crash there is a whole file or none.
    fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let (path, new) = (path(dir), dir.join("instance.json.new"));
        let write = || -> std::io::Result<()> {
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&new)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            std::fs::File::open(dir)?.sync_all()
        };
        write().with_context(|| format!("write {}", path.display()))
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_stays_what_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let first = Instance::open_or_create(dir.path(), 5).unwrap();
        let second = Instance::open_or_create(dir.path(), 9).unwrap();
        assert_eq!((second.partitions, second.secret()), (5, first.secret()));
        assert_ne!(first.secret(), [0; 32]);
        std::fs::write(path(dir.path()), "{").unwrap();
        assert!(Instance::find(dir.path()).is_err());
    }
}
