//! A partner's callback receiver that can be told to misbehave.
#![allow(dead_code, reason = "each test program uses its part of it")]

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the receiver does with a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Answers with a status.
    Answer(u16),
    /// Sends the caller elsewhere.
    Redirect,
    /// Reads it and closes the connection.
    Close,
    /// Reads it and says nothing, for longer than the caller waits.
    Silent,
    /// Begins an answer that does not end.
    Flood,
}

/// A callback as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub path: String,
    pub signature: String,
    pub body: Vec<u8>,
    pub json: Value,
}

impl Arrived {
    pub fn sequence(&self) -> u64 {
        self.json["sequence"].as_u64().unwrap()
    }

    /// Whether one of the signatures is by this secret, checked as docs/how-to/callbacks.md says.
    pub fn signed_by(&self, secret: &str) -> bool {
        let mut parts = self.signature.split(',');
        let at = parts.next().and_then(|part| part.strip_prefix("t=")).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{at}.").as_bytes());
        mac.update(&self.body);
        let expected: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        parts.any(|part| part.strip_prefix("v1=") == Some(expected.as_str()))
    }
}

#[derive(Default)]
struct Shared {
    moods: VecDeque<Mood>,
    arrived: Vec<Arrived>,
}

/// Listens until the test ends.
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Receiver {
    pub fn start() -> Receiver {
        Receiver::at(TcpListener::bind(("127.0.0.1", 0)).unwrap())
    }

    pub fn at(listener: TcpListener) -> Receiver {
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Mutex<Shared>>::default();
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&theirs);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Receiver { address, shared }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next callbacks meet these moods, then all is well again.
    pub fn moods(&self, moods: &[Mood]) {
        self.shared.lock().unwrap().moods.extend(moods);
    }

    pub fn arrived(&self) -> Vec<Arrived> {
        self.shared.lock().unwrap().arrived.clone()
    }

    /// Waits until so many callbacks have arrived.
    #[track_caller]
    pub fn wait(&self, count: usize) -> Vec<Arrived> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let arrived = self.arrived();
            if arrived.len() >= count {
                return arrived;
            }
            assert!(Instant::now() < deadline, "{count} were expected: {arrived:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn serve(mut stream: TcpStream, shared: &Mutex<Shared>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or("").to_owned();
    let (mut length, mut signature) = (0, String::new());
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).unwrap_or(0) == 0 || header == "\r\n" {
            break;
        }
        let (name, value) = header.trim_end().split_once(": ").unwrap_or(("", ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "raseed-signature" => signature = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let mood = {
        let mut shared = shared.lock().unwrap();
        let json = serde_json::from_slice(&body).unwrap();
        shared.arrived.push(Arrived {
            path,
            signature,
            body,
            json,
        });
        shared.moods.pop_front().unwrap_or(Mood::Answer(204))
    };
    // The caller may have gone; that is part of the play.
    let _ = match mood {
        Mood::Answer(status) => {
            write!(
                stream,
                "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
        }
        Mood::Redirect => write!(
            stream,
            "HTTP/1.1 302 x\r\nlocation: /stolen\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
        Mood::Close => Ok(()),
        Mood::Silent => {
            std::thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Mood::Flood => {
            let _ = write!(stream, "HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n");
            (0..1_000).try_for_each(|_| write!(stream, "400\r\n{}\r\n", "x".repeat(1024)))
        }
    };
}
