//! Files with secrets: for their owner alone, written whole or not at all.

use anyhow::Context as _;
use std::io::Write as _;
use std::path::Path;

/// Largest key file that is read, bytes.
const FILE_BYTES_MAX: u64 = 1 << 16;

/// The text of a key file; `None` when there is none. Warns when others may read it.
pub fn read(path: &Path, what: &str) -> anyhow::Result<Option<String>> {
    let size = match std::fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    warn_when_readable(path, what);
    anyhow::ensure!(
        size <= FILE_BYTES_MAX,
        "{what} {} has {size} bytes",
        path.display()
    );
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Ok(Some(text))
}

/// Written beside, synced, renamed: after a crash there is a whole file or the one before.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
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
        file.write_all(bytes)?;
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

/// A key of 64 hexadecimal digits.
pub fn hex_key(text: &str) -> Option<[u8; 32]> {
    let digits = text.trim();
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(key)
}

/// The digits of a key.
pub fn to_hex(key: &[u8; 32]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(unix)]
fn warn_when_readable(path: &Path, what: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).map_or(0, |found| found.permissions().mode());
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others may read {what}: chmod 600");
    }
}

#[cfg(not(unix))]
fn warn_when_readable(_: &Path, _: &str) {}
