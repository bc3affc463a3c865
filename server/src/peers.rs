//! Programs that we did not write, as the other side of a test: Python with packages that `cargo xtask test` installs.

#[path = "../tests/peers/mod.rs"]
mod python;

pub use python::{python, took_part};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio::sync::mpsc;

use crate::sms::PATIENCE;

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
