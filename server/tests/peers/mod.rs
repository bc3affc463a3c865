//! Python with packages that we did not write, for tests inside of the binary and beside it; the scripts are here too.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The interpreter that has a package, or `None` after saying so. Fails when the peers are required.
pub fn python(package: &str, test: &str) -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("RASEED_PEERS_PYTHON").unwrap_or_else(|| "python3".into()));
    let probe = Command::new(&python)
        .args(["-c", &format!("import {package}")])
        .stderr(Stdio::null())
        .status();
    if probe.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    let required = std::env::var("RASEED_PEERS").is_ok_and(|peers| peers == "required");
    assert!(
        !required,
        "{test}: {} has no {package}, and RASEED_PEERS=required",
        python.display()
    );
    println!("SKIPPED: {test}: no Python with {package} here; `cargo xtask test` installs it");
    None
}

/// Tells `cargo xtask test` that the peer took part.
pub fn took_part(python: &Path, package: &str, test: &str) {
    let Some(report) = std::env::var_os("RASEED_PARTS") else {
        return;
    };
    let ask = format!("import importlib.metadata as m; print(m.version('{package}'))");
    let version = Command::new(python)
        .args(["-c", &ask])
        .output()
        .expect("it ran before");
    let line = format!(
        "{package} {} {test}\n",
        String::from_utf8_lossy(&version.stdout).trim()
    );
    let file = std::fs::OpenOptions::new().create(true).append(true).open(report);
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .expect("the report can be written");
}
