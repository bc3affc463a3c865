//! A real Chromium, driven through chromedriver's WebDriver interface (W3C WebDriver 2).
#![allow(dead_code, reason = "not every test file uses every helper")]

pub mod paper;

use base64::Engine as _;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where the programs are.
pub struct Programs {
    driver: PathBuf,
    chromium: PathBuf,
}

impl Programs {
    /// From RASEED_CHROMEDRIVER and RASEED_CHROMIUM, else where packages put them. `None` when they are missing and
    /// RASEED_PEERS does not require them.
    pub fn find() -> Option<Programs> {
        let find = |variable: &str, usual: &[&str]| {
            let named = std::env::var_os(variable).map(PathBuf::from);
            named
                .into_iter()
                .chain(usual.iter().map(PathBuf::from))
                .find(|path| path.exists())
        };
        let driver = find(
            "RASEED_CHROMEDRIVER",
            &["/usr/bin/chromedriver", "/opt/homebrew/bin/chromedriver"],
        );
        let chromium = find(
            "RASEED_CHROMIUM",
            &[
                "/usr/bin/chromium",
                "/Applications/Chromium.app/Contents/MacOS/Chromium",
            ],
        );
        if let (Some(driver), Some(chromium)) = (driver, chromium) {
            return Some(Programs { driver, chromium });
        }
        let required = std::env::var("RASEED_PEERS").is_ok_and(|value| value == "required");
        assert!(
            !required,
            "RASEED_PEERS=required, but chromium or chromedriver is missing"
        );
        eprintln!("SKIPPED: chromium and chromedriver are not here");
        None
    }

    /// Says in the file of RASEED_PARTS that Chromium took part.
    pub fn took_part(&self, test: &str) {
        let version = Command::new(&self.chromium).arg("--version").output().unwrap();
        let version = String::from_utf8_lossy(&version.stdout);
        let version = version
            .split_whitespace()
            .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        took_part("chromium", version.unwrap_or("?"), test);
    }
}

/// Says in the file of RASEED_PARTS that an outside component took part.
fn took_part(name: &str, version: &str, test: &str) {
    if let Some(path) = std::env::var_os("RASEED_PARTS") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        writeln!(file.unwrap(), "{name} {version} {test}").unwrap();
    }
}

/// axe-core, which knows the rules of WCAG 2.2 AA.
pub struct Axe {
    script: String,
}

impl Axe {
    /// From RASEED_AXE, else where `cargo xtask test` puts it. `None` when it is missing and RASEED_PEERS does not require it.
    pub fn find() -> Option<Axe> {
        let usual = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../target/peers-node/node_modules/axe-core/axe.min.js");
        let place = std::env::var_os("RASEED_AXE").map_or(usual, PathBuf::from);
        if let Ok(script) = std::fs::read_to_string(place) {
            return Some(Axe { script });
        }
        let required = std::env::var("RASEED_PEERS").is_ok_and(|value| value == "required");
        assert!(!required, "RASEED_PEERS=required, but axe-core is missing");
        eprintln!("SKIPPED: axe-core is not here; `cargo xtask test` installs it");
        None
    }

    /// What is wrong on the present page, in words: what axe finds, and what does not fit.
    pub fn wrong(&self, browser: &Browser) -> Vec<String> {
        let script = format!(
            "{}; return axe.run(document, {{preload: false, resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', \
             'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}}).then(r => r.violations.map(v => v.id + ': ' + \
             v.nodes.slice(0, 4).map(n => n.html.slice(0, 160) + ' ' + n.failureSummary.slice(0, 200)).join(' | ')))",
            self.script
        );
        let found = browser.run(&script);
        let found = found.as_array().expect("axe answers").iter();
        let mut wrong: Vec<String> = found.map(|told| told.as_str().unwrap().to_owned()).collect();
        let misfits = misfits(browser);
        if misfits != json!([]) {
            wrong.push(format!("misfits: {misfits}"));
        }
        wrong
    }

    /// Says in the file of RASEED_PARTS that axe took part.
    pub fn took_part(&self, test: &str) {
        took_part("axe-core", "4.14.1", test);
    }
}

/// Nothing sticks out of the screen, and nothing that is pressed is smaller than 24 pixels unless it stands in a text.
pub fn misfits(browser: &Browser) -> Value {
    browser.run(
        "const wide = [...document.querySelectorAll('body *')].filter(e => { const r = e.getBoundingClientRect(); \
         return r.width > 0 && (r.right > innerWidth + 1 || r.left < -1) && !e.closest('.skip, .scroll, .unseen'); }); \
         const small = [...document.querySelectorAll('a, button, input:not([type=hidden]), select, summary')].filter(e => { \
         const r = e.getBoundingClientRect(); \
         return r.width > 0 && r.height < 23.5 && !e.closest('p, .skip, .apart, label'); }); \
         return [...wide, ...small].map(e => e.outerHTML.slice(0, 140)).slice(0, 5)",
    )
}

/// How long something may take until it is seen.
const PATIENCE: Duration = Duration::from_secs(15);

/// A browser window.
pub struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub fn open(programs: &Programs, dark: bool) -> Browser {
        let dark = dark.then(|| "--blink-settings=preferredColorScheme=0".to_owned());
        Browser::open_with(programs, dark.into_iter().collect())
    }

    /// With more arguments of the command line.
    pub fn open_with(programs: &Programs, further: Vec<String>) -> Browser {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let driver = Command::new(&programs.driver)
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let profile = tempfile::tempdir().unwrap();
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let mut browser = Browser {
            driver,
            session: format!("http://127.0.0.1:{port}"),
            agent,
            _profile: profile,
        };
        browser.wait_for_driver();
        let mut arguments = vec![
            "--headless".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--disable-quic".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--user-data-dir={}", browser._profile.path().display()),
        ];
        arguments.extend(further);
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {"binary": programs.chromium, "args": arguments},
        }}});
        let made = browser.call("POST", "/session", Some(&wanted));
        browser.session = format!(
            "{}/session/{}",
            browser.session,
            made["sessionId"].as_str().unwrap()
        );
        browser
    }

    fn wait_for_driver(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let status = format!("{}/status", self.session);
        while self.agent.get(&status).call().is_err() {
            assert!(Instant::now() < deadline, "chromedriver does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.try_call(method, path, body)
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn try_call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let answer = match (method, body) {
            ("GET", _) => self.agent.get(&url).call(),
            ("DELETE", _) => self.agent.delete(&url).call(),
            (_, body) => self.agent.post(&url).send_json(body.unwrap_or(&json!({}))),
        };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let value: Value = answer.body_mut().read_json().map_err(|error| error.to_string())?;
        let value = value["value"].clone();
        match value["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", value["message"])),
            None => Ok(value),
        }
    }

    pub fn go(&self, url: &str) {
        self.call("POST", "/url", Some(&json!({"url": url})));
    }

    /// Sets the size of what is seen, also below the smallest window.
    pub fn size(&self, width: u32, height: u32) {
        let params = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        let command = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": params});
        self.call("POST", "/goog/cdp/execute", Some(&command));
    }

    /// Runs a script and gives what it returns.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.call(
            "POST",
            "/execute/sync",
            Some(&json!({"script": script, "args": []})),
        )
    }

    /// Runs a script in every page from now on, before any of its own.
    pub fn before_every_page(&self, script: &str) {
        let command = json!({"cmd": "Page.addScriptToEvaluateOnNewDocument", "params": {"source": script}});
        self.call("POST", "/goog/cdp/execute", Some(&command));
    }

    /// Gives a file to a field for files, which need not be seen.
    #[track_caller]
    pub fn attach(&self, selector: &str, file: &Path) {
        let element = self.find(selector);
        let path = json!({"text": file.display().to_string()});
        self.call("POST", &format!("/element/{element}/value"), Some(&path));
    }

    /// Waits until a script returns something true.
    #[track_caller]
    pub fn until(&self, script: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let asked = json!({"script": format!("return ({script});"), "args": []});
        loop {
            // A page that is about to leave does not always answer.
            let told = self.try_call("POST", "/execute/sync", Some(&asked));
            match &told {
                Ok(Value::Null | Value::Bool(false)) | Err(_) => {}
                Ok(value) if value == "" => {}
                Ok(value) => return value.clone(),
            }
            assert!(
                Instant::now() < deadline,
                "did not become true: {script}, {told:?}\n{}",
                self.run("return document.body.innerText")
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Does something with an element, and again with the new one when its page has just been replaced.
    #[track_caller]
    fn with<T>(&self, selector: &str, mut deed: impl FnMut(&str) -> Result<T, String>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match deed(&self.find(selector)) {
                Ok(done) => return done,
                Err(error) => {
                    let replaced = error.starts_with("stale element") && Instant::now() < deadline;
                    assert!(replaced, "{selector}: {error}");
                }
            }
        }
    }

    #[track_caller]
    fn find(&self, selector: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let wanted = json!({"using": "css selector", "value": selector});
            match self.try_call("POST", "/element", Some(&wanted)) {
                Ok(found) => {
                    let mut ids = found.as_object().unwrap().values();
                    return ids.next().unwrap().as_str().unwrap().to_owned();
                }
                Err(error) => assert!(Instant::now() < deadline, "{selector}: {error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Presses, as a person would: it must be visible and not covered.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        self.with(selector, |element| {
            // The driver scrolls only as far as the edge, where the bar of a phone would cover it.
            let middle = json!({"script": "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})",
                "args": [{"element-6066-11e4-a52e-4f735466cecf": element}]});
            self.try_call("POST", "/execute/sync", Some(&middle))?;
            self.try_call("POST", &format!("/element/{element}/click"), None)
        });
    }

    /// Presses what leads to another page, and waits until that page is there.
    #[track_caller]
    #[allow(dead_code, reason = "not every test file turns pages that look alike")]
    pub fn turn(&self, selector: &str) {
        self.run("window.raseedTurned = false");
        self.click(selector);
        self.until("window.raseedTurned !== false && document.readyState === 'complete'");
    }

    /// Types into a field that is emptied first.
    #[track_caller]
    pub fn fill(&self, selector: &str, text: &str) {
        self.with(selector, |element| {
            self.try_call("POST", &format!("/element/{element}/clear"), None)?;
            let typed = json!({"text": text});
            self.try_call("POST", &format!("/element/{element}/value"), Some(&typed))
        });
    }

    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        let text = self.with(selector, |element| {
            self.try_call("GET", &format!("/element/{element}/text"), None)
        });
        text.as_str().unwrap().to_owned()
    }

    /// Presses one key, as on a keyboard: `Tab`, `Enter`, or text.
    #[track_caller]
    pub fn press(&self, key: &str) {
        let keys: Vec<String> = match key {
            "Tab" => vec!["\u{e004}".to_owned()],
            "Enter" => vec!["\u{e007}".to_owned()],
            "Space" => vec![" ".to_owned()],
            text => text.chars().map(|letter| letter.to_string()).collect(),
        };
        let strokes = keys.iter().flat_map(|key| {
            [
                json!({"type": "keyDown", "value": key}),
                json!({"type": "keyUp", "value": key}),
            ]
        });
        let strokes: Vec<Value> = strokes.collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.call("POST", "/actions", Some(&actions));
    }

    /// The addresses that pages have asked for since the last question, service worker apart.
    pub fn requests(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", Some(&json!({"type": "performance"})));
        let lines = log.as_array().cloned().unwrap_or_default();
        let asked = lines.iter().filter_map(|line| {
            let told: Value = serde_json::from_str(line["message"].as_str()?).ok()?;
            let told = &told["message"];
            if told["method"] != "Network.requestWillBeSent" {
                return None;
            }
            Some(told["params"]["request"]["url"].as_str()?.to_owned())
        });
        asked.collect()
    }

    /// Keeps a small picture of the whole page, so many hundredths of its size.
    pub fn small_picture(&self, path: &Path, width: u32, hundredths: u32) {
        let height = self.run("return Math.ceil(document.documentElement.scrollHeight)");
        let height = u32::try_from(height.as_u64().unwrap()).unwrap().min(6_000);
        self.size(width, height);
        let clip =
            json!({"x": 0, "y": 0, "width": width, "height": height, "scale": f64::from(hundredths) / 100.0});
        let command = json!({"cmd": "Page.captureScreenshot",
            "params": {"format": "png", "captureBeyondViewport": true, "clip": clip}});
        let picture = self.call("POST", "/goog/cdp/execute", Some(&command));
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(picture["data"].as_str().unwrap())
            .unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Plugs in a device for passkeys that always says yes (Web Authentication Level 3, section 11).
    #[allow(dead_code, reason = "not every test file has to do with passkeys")]
    pub fn plug_in_authenticator(&self) {
        let device = json!({"protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true, "isUserConsenting": true});
        self.call("POST", "/webauthn/authenticator", Some(&device));
    }

    /// Takes the network away, or gives it back, as the browser itself sees it.
    pub fn offline(&self, offline: bool) {
        let conditions = json!({"offline": offline, "latency": 0, "throughput": 10_000_000});
        let body = json!({"network_conditions": conditions});
        self.call("POST", "/chromium/network_conditions", Some(&body));
    }

    /// Keeps a picture of the whole page.
    pub fn screenshot(&self, path: &Path) {
        let command = json!({"cmd": "Page.captureScreenshot",
            "params": {"format": "png", "captureBeyondViewport": true}});
        let picture = self.call("POST", "/goog/cdp/execute", Some(&command));
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(picture["data"].as_str().unwrap())
            .unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// The page as a printer with a roll of that width gets it (DevTools protocol, `Page.printToPDF`).
    #[allow(dead_code, reason = "not every test file prints")]
    pub fn pdf(&self, paper_mm: u32) -> Vec<u8> {
        let inches = |mm: u32| f64::from(mm) / 25.4;
        let params = json!({"paperWidth": inches(paper_mm), "paperHeight": inches(297), "marginTop": 0.08,
            "marginBottom": 0.08, "marginLeft": 0.08, "marginRight": 0.08});
        let command = json!({"cmd": "Page.printToPDF", "params": params});
        let made = self.call("POST", "/goog/cdp/execute", Some(&command));
        base64::engine::general_purpose::STANDARD
            .decode(made["data"].as_str().unwrap())
            .unwrap()
    }

    /// Shows the page as on paper, or on a screen again.
    #[allow(dead_code, reason = "not every test file prints")]
    pub fn on_paper(&self, paper: bool) {
        let media = if paper { "print" } else { "" };
        let command = json!({"cmd": "Emulation.setEmulatedMedia", "params": {"media": media}});
        self.call("POST", "/goog/cdp/execute", Some(&command));
    }

    /// What the browser complained about: refused styles, failed requests, script errors.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", Some(&json!({"type": "browser"})));
        let lines = log.as_array().cloned().unwrap_or_default();
        let told = lines.iter().filter(|line| line["level"] != "INFO");
        told.map(|line| line["message"].to_string()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.try_call("DELETE", "", None);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
