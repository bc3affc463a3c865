//! Programs that we did not write, as the other side of a test: Python with packages that `cargo xtask test` installs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tokio::sync::mpsc;

use crate::sms::PATIENCE;

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

/// A running script and what it prints.
pub struct Peer {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Peer {
    /// Starts one of `server/tests/peers`.
    pub fn start(python: &Path, script: &str, arguments: &[String]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/peers")
            .join(script);
        let mut child = Command::new(python)
            .arg(script)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::channel(100);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Its next line.
    pub async fn next(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
        line.expect("the peer says something")
            .expect("the peer is still there")
    }

    /// It ends well, without another line.
    pub async fn end(&mut self) {
        let rest = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
        assert_eq!(rest, Ok(None), "the peer has nothing more to say");
        assert!(self.child.wait().expect("it can be waited for").success());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
