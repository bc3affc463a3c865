//! Runs the real binary: a server in a scratch directory, and commands.
#![allow(dead_code, reason = "each test program uses its part of it")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A scratch directory with a configuration, and commands that run in it.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// A place whose configuration has these lines beside free ports on loopback.
    pub fn new(extra: &str) -> Place {
        let place = Place {
            dir: tempfile::tempdir().unwrap(),
        };
        place.configure(extra);
        place
    }

    /// Writes the configuration anew.
    pub fn configure(&self, extra: &str) {
        self.configure_with("", "warn", extra);
    }

    /// The same with lines for `[http]` and another level of the log.
    pub fn configure_with(&self, http: &str, log: &str, extra: &str) {
        let text = format!(
            "data = 'data'\nlog = '{log}'\n[http]\nlisten = ['127.0.0.1:0']\n{http}\n[diameter]\nlisten = \
             ['127.0.0.1:0']\n{extra}\n"
        );
        std::fs::write(self.config(), text).unwrap();
    }

    /// A path in the place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.path("raseed.toml")
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Starts a server and waits until it is ready.
    pub fn serve(&self) -> Server {
        Server::start(&self.config(), Stdio::inherit())
    }

    /// The same with its log at the end of a file.
    pub fn serve_logged(&self, log: &Path) -> Server {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        Server::start(&self.config(), Stdio::from(file))
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(raseed().args(arguments).current_dir(self.dir.path()))
    }

    /// Runs a command on the stopped data directory, with `--json`.
    pub fn run_here(&self, arguments: &[&str]) -> Ran {
        let data = self.data();
        Ran::of(
            raseed()
                .args(arguments)
                .arg("--json")
                .arg("--data")
                .arg(data)
                .current_dir(self.dir.path()),
        )
    }
}

/// The binary, without what the environment of the test may say.
pub fn raseed() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raseed"));
    for name in [
        "RASEED_SERVER",
        "RASEED_KEY",
        "RASEED_DATA",
        "RASEED_CONFIG",
        "RASEED_LOG",
    ] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Threads for the other side of a test: they go on while the test waits.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// What a command has done.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Ran {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        Ran {
            code: status.code().unwrap_or(-1),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }

    /// The JSON on standard output of a command that went well.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The error object on standard error of a command that failed with this code.
    #[track_caller]
    pub fn error(&self, code: i32) -> Value {
        assert_eq!(self.code, code, "{self:?}");
        let line = self.err.lines().last().unwrap_or("");
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        value["error"].clone()
    }

    /// Checks the exit code and what standard error says to people.
    #[track_caller]
    pub fn fails(&self, code: i32, told: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for part in told {
            assert!(self.err.contains(part), "{part:?} is not in {self:?}");
        }
    }
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    pub url: String,
    pub diameter: SocketAddr,
    /// Name and address of each USSD gateway that listens.
    pub ussd: Vec<String>,
    /// All that it said when it was ready.
    pub ready: Value,
    /// The admin key, when this was the first start.
    pub key: Option<String>,
    // Kept open: a server whose output nobody reads must not break.
    _out: BufReader<ChildStdout>,
}

impl Server {
    pub fn start(config: &Path, log: Stdio) -> Server {
        let mut child = raseed()
            .args(["serve", "--json", "--config"])
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut key = None;
        loop {
            let mut line = String::new();
            assert!(
                out.read_line(&mut line).unwrap() > 0,
                "the server ended: {:?}",
                child.wait()
            );
            let event: Value = serde_json::from_str(&line).unwrap();
            match event["event"].as_str() {
                Some("admin_key") => key = event["key"].as_str().map(str::to_owned),
                Some("ready") => {
                    return Server {
                        child,
                        url: event["http"][0].as_str().unwrap().to_owned(),
                        diameter: event["diameter"][0].as_str().unwrap().parse().unwrap(),
                        ussd: event["ussd"]
                            .as_array()
                            .into_iter()
                            .flatten()
                            .filter_map(|line| line.as_str().map(str::to_owned))
                            .collect(),
                        key,
                        ready: event,
                        _out: out,
                    };
                }
                _ => panic!("unexpected line {line}"),
            }
        }
    }

    /// SIGKILL: nothing is flushed, nobody says goodbye.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and the exit code.
    pub fn terminate(mut self) -> i32 {
        let told = Command::new("kill").arg(self.pid().to_string()).status().unwrap();
        assert!(told.success());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Runs a command against this server.
    pub fn run(&self, key: &str, arguments: &[&str]) -> Ran {
        Ran::of(
            raseed()
                .args(arguments)
                .args(["--server", &self.url, "--key", key]),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A caller of the API with one kept connection.
pub struct Api {
    agent: ureq::Agent,
    url: String,
    key: String,
}

/// Status and body; `None` when no answer came.
pub type Answer = Option<(u16, Value)>;

impl Api {
    pub fn new(url: &str, key: &str) -> Api {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        Api {
            agent,
            url: url.to_owned(),
            key: key.to_owned(),
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        let request = self
            .agent
            .get(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.key));
        read(request.call())
    }

    pub fn post(&self, path: &str, once: &str, body: &Value) -> Answer {
        let request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.key))
            .header("idempotency-key", once);
        read(request.send_json(body))
    }

    /// The same server for another key.
    pub fn with_key(&self, key: &str) -> Api {
        Api::new(&self.url, key)
    }

    /// The same key at a server that was started again.
    pub fn at(&self, server: &Server) -> Api {
        Api::new(&server.url, &self.key)
    }

    /// Puts a body.
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        let request = self
            .agent
            .put(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.key));
        read(request.send_json(body))
    }

    /// Patches.
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        let request = self
            .agent
            .patch(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.key));
        read(request.send_json(body))
    }

    /// As [`Api::post`], for what must work.
    #[track_caller]
    pub fn done(&self, path: &str, once: &str, body: &Value) -> Value {
        let (status, value) = self.post(path, once, body).expect("an answer");
        assert!(status < 300, "{status} {value}");
        value
    }

    /// As [`Api::get`], for what must work.
    #[track_caller]
    pub fn see(&self, path: &str) -> Value {
        let (status, value) = self.get(path).expect("an answer");
        assert!(status < 300, "{status} {value}");
        value
    }

    /// Opens a seller; gives its id and its key.
    pub fn open_seller(&self, grade: &str, parent: Option<u64>, number: Option<&str>) -> (u64, Api) {
        let body = json!({"name": grade, "code": grade, "grade": grade, "parent": parent, "key": true, "number": number});
        let made = self.done("/v1/sellers", grade, &body);
        let key = made["key"]["key"].as_str().unwrap();
        (made["id"].as_u64().unwrap(), self.with_key(key))
    }

    /// A retailer with stock of Rs 1,000 who sells by a number, and a PIN that its owner must change first. Everybody knows
    /// whose number it is when this returns.
    pub fn retailer(&self, number: &str, pin: &str) -> (u64, Api) {
        let (root, _) = self.open_seller("operator", None, None);
        let (distributor, above) = self.open_seller("distributor", Some(root), None);
        let (retailer, shop) = above.open_seller("retailer", Some(distributor), Some(number));
        let bank = json!({"amount": "100000", "reference": "bank"});
        self.done(&format!("/v1/partners/{root}/float"), "f", &bank);
        for (by, from, to, amount) in [
            (self, root, distributor, "50000"),
            (&above, distributor, retailer, "1010"),
            (&shop, retailer, distributor, "10"),
        ] {
            let path = format!("/v1/sellers/{from}/moves?wait=10");
            by.done(&path, amount, &json!({"to": to, "amount": amount}));
        }
        // What it gave back is in the read models, and so is the number that it had before.
        let deadline = Instant::now() + PATIENCE;
        let gave = |moves: &Value| {
            let moves = moves["moves"].as_array().unwrap();
            moves.iter().any(|moved| moved["from"] == retailer)
        };
        while !gave(&shop.see("/v1/sellers/me/moves")) {
            assert!(Instant::now() < deadline, "the read models are far behind");
            std::thread::sleep(Duration::from_millis(20));
        }
        let owner = json!({"name": "Ali", "role": "owner", "pin": pin});
        assert_eq!(shop.put("/v1/sellers/me/staff/ali", &owner).unwrap().0, 204);
        (retailer, shop)
    }

    /// A partner with a funded float; gives its id and key.
    pub fn partner(&self, code: &str, float: &str) -> (u64, String) {
        let made = self.done(
            "/v1/partners",
            code,
            &json!({"name": code, "code": code, "scopes": ["topup", "read"]}),
        );
        let id = made["partner"]["id"].as_u64().unwrap();
        self.done(
            &format!("/v1/partners/{id}/float"),
            code,
            &json!({"amount": float, "reference": "start"}),
        );
        (id, made["key"]["key"].as_str().unwrap().to_owned())
    }
}

fn read(answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = answered.ok()?;
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().ok()?;
    if text.is_empty() {
        Some((status, Value::Null))
    } else {
        Some((status, serde_json::from_str(&text).ok()?))
    }
}
