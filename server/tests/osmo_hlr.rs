//! A real osmo-hlr between a phone's switch and us: what is dialled goes through it to `raseed serve` and back.
//!
//! The switch (MSC) is played by a GSUP client of this test; routing, sessions and the directory of SIMs are osmo-hlr's.

mod harness;

use harness::{Api, PATIENCE, Place};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wire::ussd::gsup::{Kind, Message, State};
use wire::ussd::ipa::{self, Framer};
use wire::ussd::map::{Body, Component, PROCESS_UNSTRUCTURED_SS, UNSTRUCTURED_SS};

const TEST: &str = "what_is_dialled_comes_through_a_real_hlr";
const MSISDN: &str = "923001234567";
const IMSI: &str = "410011234567890";

#[test]
fn what_is_dialled_comes_through_a_real_hlr() {
    let Some(program) = program() else { return };
    let place = Place::new("");
    let hlr = Hlr::start(&program, &place);
    place.configure(&format!(
        "[ussd.gsup.hlr]\naddress = '{}:4222'\nreconnect_ms = 100\n",
        hlr.ip
    ));
    let server = place.serve();
    let api = Api::new(&server.url, server.key.as_deref().unwrap());
    api.done(
        "/v1/subscribers",
        "open",
        &json!({"msisdn": MSISDN, "operator": "jazz", "balance": "100", "imsi": IMSI}),
    );

    let mut msc = Switch::connect(&hlr.ip);
    let (last, text) = msc.dial(0x2000_0001, IMSI, "*111#");
    assert!(last);
    assert!(
        text.starts_with("PKR 100.00 20") && text.contains("Your balance is Rs 100.00"),
        "{text}"
    );

    // A menu, and an answer to it; then a page in UCS-2 of full length.
    let (last, menu) = msc.dial(0x2000_0002, IMSI, "*443#");
    assert!(!last && menu.starts_with("Jazz\n1 Balance\n"), "{menu}");
    let (last, languages) = msc.type_in(0x2000_0002, IMSI, "8");
    assert!(!last && languages.contains("اردو"), "{languages}");
    let (last, text) = msc.type_in(0x2000_0002, IMSI, "2");
    assert!(last && text.contains("اردو"), "{text}");
    let (last, menu) = msc.dial(0x2000_0003, IMSI, "*443#");
    assert!(!last && menu.contains("بیلنس") && menu.contains("98"), "{menu}");
    let (_, rest) = msc.type_in(0x2000_0003, IMSI, "98");
    assert!(rest.contains("پیکج"), "{rest}");
    let (_, balance) = msc.type_in(0x2000_0003, IMSI, "1");
    assert!(balance.starts_with("PKR 100.00 20"), "{balance}");

    // A SIM that the HLR knows and we do not; and we come back after the HLR was away.
    let (last, text) = msc.dial(0x2000_0004, "410011234567899", "*111#");
    assert!(last);
    assert_eq!(text, "This number is not served here");
    drop(msc);
    let hlr = hlr.restart(&program, &place);
    let mut msc = Switch::connect(&hlr.ip);
    let (last, text) = msc.dial(0x2000_0005, IMSI, "*111#");
    // In Urdu a short page holds the line for programs alone.
    assert!(!last && text.starts_with("PKR 100.00 20"), "{text}");
    assert_eq!(server.terminate(), 0);
    took_part(&program);
}

/// The program, or `None` after saying so. Fails when the peers are required.
fn program() -> Option<PathBuf> {
    let program = PathBuf::from(std::env::var_os("RASEED_OSMO_HLR").unwrap_or_else(|| "osmo-hlr".into()));
    let runs = Command::new(&program).arg("--version").output();
    if runs.is_ok_and(|output| output.status.success()) {
        return Some(program);
    }
    let required = std::env::var("RASEED_PEERS").is_ok_and(|peers| peers == "required");
    assert!(
        !required || cfg!(target_os = "macos"),
        "{TEST}: {} does not run, and RASEED_PEERS=required",
        program.display()
    );
    println!("SKIPPED: {TEST}: no osmo-hlr here; `cargo xtask test` installs it where it is packaged");
    None
}

/// Tells `cargo xtask test` that the HLR took part.
fn took_part(program: &PathBuf) {
    let Some(report) = std::env::var_os("RASEED_PARTS") else {
        return;
    };
    let version = Command::new(program)
        .arg("--version")
        .output()
        .expect("it ran before");
    let version = String::from_utf8_lossy(&version.stdout);
    let number = version
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().last())
        .unwrap_or("unknown");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(report);
    file.and_then(|mut file| writeln!(file, "osmo-hlr {number} {TEST}"))
        .expect("the report can be written");
}

/// A running HLR with two subscribers.
struct Hlr {
    child: Child,
    ip: String,
}

impl Hlr {
    fn start(program: &PathBuf, place: &Place) -> Hlr {
        // Its ports are fixed, so that each run takes an address of loopback of its own.
        let pid = std::process::id();
        let ip = format!(
            "127.{}.{}.{}",
            1 + pid % 250,
            pid / 250 % 250,
            2 + pid / 62_500 % 250
        );
        let name = "raseed-00-00-00-00-00-00";
        let bind = format!(" bind {ip}");
        let lines = [
            "log stderr",
            " logging filter all 1",
            " logging level main error",
            "line vty",
            &bind,
            "ctrl",
            &bind,
            "hlr",
            " gsup",
            &format!("  bind ip {ip}"),
            &format!(" euse {name}"),
            &format!(" ussd route prefix *111 external {name}"),
            &format!(" ussd route prefix *443 external {name}"),
        ];
        let config = lines.join("\n") + "\n";
        std::fs::write(place.path("osmo-hlr.cfg"), config).unwrap();
        let hlr = Hlr {
            child: run(program, place),
            ip,
        };
        let mut vty = connect(&hlr.ip, 4258);
        let mut commands = String::from("enable\n");
        for (imsi, msisdn) in [(IMSI, MSISDN), ("410011234567899", "923007654321")] {
            commands +=
                &format!("subscriber imsi {imsi} create\nsubscriber imsi {imsi} update msisdn {msisdn}\n");
        }
        commands += &format!("subscriber imsi {IMSI} show\n");
        vty.write_all(commands.as_bytes()).unwrap();
        let mut said = String::new();
        let mut octets = [0; 4096];
        while !said.contains(&format!("MSISDN: {MSISDN}")) {
            let count = vty.read(&mut octets).expect("the HLR's terminal answers");
            assert!(count > 0, "{said}");
            said += &String::from_utf8_lossy(&octets[..count]);
        }
        hlr
    }

    /// Away for a moment; its file stays.
    fn restart(mut self, program: &PathBuf, place: &Place) -> Hlr {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = run(program, place);
        self
    }
}

impl Drop for Hlr {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(program: &PathBuf, place: &Place) -> Child {
    Command::new(program)
        .arg("-c")
        .arg(place.path("osmo-hlr.cfg"))
        .arg("-l")
        .arg(place.path("hlr.db"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("osmo-hlr starts")
}

fn connect(ip: &str, port: u16) -> TcpStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect((ip, port)) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return stream;
            }
            Err(error) => assert!(Instant::now() < deadline, "{ip}:{port}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The switch that phones are connected to.
struct Switch {
    stream: TcpStream,
    framer: Framer,
    /// invokeID of the last page, for the answer to it.
    invoke: u8,
}

impl Switch {
    fn connect(ip: &str) -> Switch {
        let mut switch = Switch {
            stream: connect(ip, 4222),
            framer: Framer::default(),
            invoke: 0,
        };
        loop {
            match switch.frame() {
                (ipa::CCM, payload) if payload.first() == Some(&ipa::IDENTITY_REQUEST) => {
                    switch.send(&ipa::identity("MSC-00-00-00-00-00-00"));
                    switch.send(&ipa::frame(ipa::CCM, &[ipa::IDENTITY_ACK]));
                }
                (ipa::CCM, payload) if payload.first() == Some(&ipa::IDENTITY_ACK) => break,
                (ipa::CCM, payload) if payload.first() == Some(&ipa::PING) => {
                    switch.send(&ipa::frame(ipa::CCM, &[ipa::PONG]));
                }
                _ => {}
            }
        }
        switch
    }

    fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).unwrap();
    }

    fn frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let Some(frame) = self.framer.next_frame().unwrap() {
                return frame;
            }
            let mut octets = [0; 2048];
            let count = self.stream.read(&mut octets).expect("the HLR says something");
            assert!(count > 0, "the HLR is still there");
            self.framer.push(&octets[..count]);
        }
    }

    fn ask(&mut self, message: &Message) {
        let payload = [&[ipa::OSMO_GSUP], message.encode().unwrap().as_slice()].concat();
        self.send(&ipa::frame(ipa::OSMO, &payload));
    }

    /// Dials. Our side may still be connecting, which the HLR tells with an error; then it is dialled again.
    fn dial(&mut self, session: u32, imsi: &str, text: &str) -> (bool, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let component = Component {
                invoke: 5,
                body: Body::Invoke {
                    operation: PROCESS_UNSTRUCTURED_SS,
                    text: text.to_owned(),
                },
            };
            self.ask(&Message {
                kind: Kind::Request,
                imsi: imsi.to_owned(),
                session,
                state: State::Begin,
                component: component.encode().unwrap(),
                cause: None,
            });
            if let Some(page) = self.page(session) {
                return page;
            }
            assert!(Instant::now() < deadline, "the HLR finds the way to us");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn type_in(&mut self, session: u32, imsi: &str, text: &str) -> (bool, String) {
        let answer = Some((UNSTRUCTURED_SS, text.to_owned()));
        let component = Component {
            invoke: self.invoke,
            body: Body::Result { answer },
        };
        self.ask(&Message {
            kind: Kind::Request,
            imsi: imsi.to_owned(),
            session,
            state: State::Continue,
            component: component.encode().unwrap(),
            cause: None,
        });
        self.page(session).expect("a page")
    }

    /// The next page of a session: whether it is the last, and its text. None when the HLR refuses.
    fn page(&mut self, session: u32) -> Option<(bool, String)> {
        loop {
            let (protocol, payload) = self.frame();
            if protocol == ipa::CCM && payload.first() == Some(&ipa::PING) {
                self.send(&ipa::frame(ipa::CCM, &[ipa::PONG]));
            }
            if protocol != ipa::OSMO || payload.first() != Some(&ipa::OSMO_GSUP) {
                continue;
            }
            let message = Message::decode(&payload[1..]).expect("a GSUP message");
            if message.session != session {
                continue;
            }
            if message.kind == Kind::Error {
                return None;
            }
            let component = Component::decode(&message.component).expect("a component");
            let text = match component.body {
                Body::Result {
                    answer: Some((PROCESS_UNSTRUCTURED_SS, text)),
                } => text,
                Body::Invoke {
                    operation: UNSTRUCTURED_SS,
                    text,
                } => {
                    self.invoke = component.invoke;
                    text
                }
                Body::Error(_) | Body::Reject => return None,
                other => panic!("{other:?}"),
            };
            return Some((message.state == State::End, text));
        }
    }
}
