//! A Diameter stack that we did not write (python-diameter) drives sessions against the real binary, `raseed serve`.
//! The script is in `server/tests/peers`.

mod peers;

use peers::{python, took_part};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

const TEST: &str = "python_diameter_is_served";
const PATIENCE: Duration = Duration::from_secs(60);
const MSISDN: &str = "923001234567";
const IMSI: &str = "410010000000001";
const ORIGIN_HOST: &str = "ocs.raseed.example";
const ORIGIN_REALM: &str = "raseed.example";
const MEGABYTE: u64 = 1 << 20;

#[test]
fn python_diameter_is_served() {
    let Some(python) = python("diameter.node", TEST) else {
        return;
    };
    let dir = tempfile::tempdir().expect("a scratch directory");
    let data = dir.path().join("data");
    let config = dir.path().join("raseed.toml");
    std::fs::write(
        &config,
        "[http]\nlisten = [\"127.0.0.1:0\"]\n[diameter]\nlisten = [\"127.0.0.1:0\"]\n",
    )
    .expect("the configuration is written");
    let here = ["--data", data.to_str().expect("UTF-8")];
    let mut server = Running::start(
        Command::new(env!("CARGO_BIN_EXE_raseed"))
            .args(["serve", "--json", "--config"])
            .arg(&config)
            .args(here),
    );
    let mut key = None;
    let ready = loop {
        let line: Value = serde_json::from_str(&server.next()).expect("JSON");
        if line["event"] == "ready" {
            break line;
        }
        key = key.or(line["key"].as_str().map(str::to_owned));
    };
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let http = text(&ready["http"][0]);
    let key = key.expect("a new data directory shows its key");
    let remote = ["--server", http.as_str(), "--key", key.as_str()];
    let add = ["subscriber", "add", MSISDN, "--imsi", IMSI, "--balance", "500"];
    raseed(&add, &remote);
    let address = text(&ready["diameter"][0]);
    let (host, port) = address.rsplit_once(':').expect("an address and a port");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/diameter_client.py");
    let mut peer = Running::start(
        Command::new(&python)
            .arg(script)
            .args([host, port, ORIGIN_HOST, ORIGIN_REALM, MSISDN, IMSI])
            .stdin(Stdio::piped()),
    );

    // A session is open: a recharge by the API makes the server ask for a report.
    assert_eq!(peer.next(), "OPEN");
    raseed(&["partner", "fund", "1", "1000"], &remote);
    raseed(&["topup", MSISDN, "100"], &remote);
    let seen: Value = serde_json::from_str(&peer.next()).expect("JSON");
    peer.end();
    check(&seen);

    server.stop();
    raseed(&["audit"], &here);
    took_part(&python, "python-diameter", TEST);
}

fn check(seen: &Value) {
    let results = |name: &str| {
        let services = seen[name]["services"].as_array().expect("a list");
        let result = |service: &Value| service["result"].as_u64();
        (
            seen[name]["result"].as_u64(),
            services.iter().map(result).collect::<Vec<_>>(),
        )
    };
    let good = Some(2001);
    assert_eq!(results("initial"), (good, vec![good, good]), "{seen}");
    let initial = &seen["initial"];
    assert_eq!((&initial["type"], &initial["number"]), (&json!(1), &json!(0)));
    assert_eq!(initial["session"], "client.peer.example;1;data");
    let grants = [
        &initial["services"][0]["granted"],
        &initial["services"][1]["granted"],
    ];
    assert_eq!(grants, [&json!(MEGABYTE), &json!(2 * MEGABYTE)]);
    assert_eq!(initial["services"][1]["group"], 2);
    assert!(
        initial["services"][0]["validity"].as_u64().is_some_and(|s| s > 0),
        "{seen}"
    );
    assert_eq!(results("update"), (good, vec![good, good]));
    assert_eq!(results("termination").0, good);
    assert_eq!(
        seen["repeated"], seen["termination"],
        "a repetition is answered like the first"
    );
    assert_eq!(results("by_sim"), (good, vec![good]));
    for name in [
        "by_sim_end",
        "price",
        "check",
        "debit",
        "call",
        "call_end",
        "reauth_end",
    ] {
        assert_eq!(seen[name]["result"], 2001, "{name}: {seen}");
    }
    assert_eq!(seen["asked_to_report"], true);
    assert_eq!(seen["check"]["enough"], true);
    assert!(seen["price"]["cost"].as_i64().is_some_and(|cost| cost > 0));
    assert_eq!(seen["price"]["cost"], seen["debit"]["cost"]);
    assert_eq!(seen["call"]["seconds"], 60);
    assert_eq!(seen["stranger"]["result"], 5030);
}

/// Runs a command of the binary to its end.
fn raseed(arguments: &[&str], target: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_raseed"))
        .args(arguments)
        .args(target)
        .arg("--json")
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "raseed {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A child process and the lines that it prints.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn next(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("it says something")
    }

    fn end(&mut self) {
        assert!(
            self.lines.recv_timeout(PATIENCE).is_err(),
            "it has nothing more to say"
        );
        assert!(self.child.wait().expect("it can be waited for").success());
    }

    /// SIGTERM: the orderly way out.
    fn stop(&mut self) {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(asked.expect("kill runs").success());
        assert!(self.child.wait().expect("it can be waited for").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
