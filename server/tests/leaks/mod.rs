//! Looks for secrets where none may be: in the log, and in every file of the data directory.

use std::path::{Path, PathBuf};

/// What must be found nowhere.
#[derive(Default)]
pub struct Hidden(Vec<(String, String)>);

impl Hidden {
    /// A secret and what it is, as it is and in hexadecimal digits.
    pub fn add(&mut self, what: &str, secret: &str) {
        assert!(!secret.is_empty(), "{what}");
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.0.push((what.to_owned(), secret.to_owned()));
        self.0.push((format!("{what}, in hexadecimal"), hex));
    }

    /// Reads the log and all files below a directory, and fails at the first secret.
    #[track_caller]
    pub fn are_in_none_of(&self, log: &Path, data: &Path) {
        let text = std::fs::read(log).unwrap();
        let said = ascii(&text);
        assert!(
            said.contains("TRACE") && text.len() > 1_000,
            "the log says everything: {} bytes",
            text.len()
        );
        let mut files = vec![log.to_owned()];
        files.extend(files_below(data));
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        assert!(names.iter().any(|name| name.contains("outbox")), "{names:?}");
        for file in files {
            let text = ascii(&std::fs::read(&file).unwrap());
            for (what, secret) in &self.0 {
                if let Some(at) = find(&text, secret) {
                    let around = &text[at.saturating_sub(200)..(at + 200).min(text.len())];
                    panic!("{what} is in {}: {around}", file.display());
                }
            }
        }
    }
}

/// Where a secret is. Few digits count only where they stand alone: other numbers contain them by chance.
fn find(text: &str, secret: &str) -> Option<usize> {
    let code = secret.len() <= 6 && secret.bytes().all(|byte| byte.is_ascii_digit());
    let joins =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b".-_+/".contains(byte));
    let bytes = text.as_bytes();
    let alone = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !joins(before) && !joins(bytes.get(at + secret.len()))
    };
    let mut found = text.match_indices(secret).map(|(at, _)| at);
    found.find(|at| !code || alone(*at))
}

/// Bytes as text of the same length, in which every other byte stands for what is no ASCII.
fn ascii(bytes: &[u8]) -> String {
    let plain = |byte: &u8| {
        if byte.is_ascii() {
            char::from(*byte)
        } else {
            '\u{1}'
        }
    };
    bytes.iter().map(plain).collect()
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}
