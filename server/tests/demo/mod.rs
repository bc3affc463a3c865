//! `raseed demo` as a running program.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// The story and its audit end within this time, also on a busy machine.
const STORY_TIME_MAX: Duration = Duration::from_secs(120);

/// A demo that is killed when dropped.
pub struct Demo {
    process: Child,
    pub url: String,
    /// What it said before it went quiet.
    pub told: String,
}

impl Demo {
    /// Starts the demo and waits until the story has been told and the page stays up.
    pub fn start() -> Demo {
        let process = Command::new(env!("CARGO_BIN_EXE_raseed"))
            .args(["demo", "--port", "0"])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("raseed starts");
        let mut demo = Demo {
            process,
            url: String::new(),
            told: String::new(),
        };
        let lines = BufReader::new(demo.process.stdout.take().unwrap()).lines();
        let (sender, receiver) = sync_channel(1024);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let deadline = Instant::now() + STORY_TIME_MAX;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = match receiver.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => panic!("the story takes too long:\n{}", demo.told),
                Err(RecvTimeoutError::Disconnected) => panic!("the demo ended:\n{}", demo.told),
            };
            demo.told.push_str(&line);
            demo.told.push('\n');
            if let Some(url) = line.trim().strip_prefix("Open ") {
                url.trim().clone_into(&mut demo.url);
            }
            if line.trim() == "Ctrl-C ends it." {
                assert!(!demo.url.is_empty(), "no address:\n{}", demo.told);
                // Somebody must go on reading what it prints.
                std::thread::spawn(move || receiver.into_iter().for_each(drop));
                return demo;
            }
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
