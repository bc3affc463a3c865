//! The outside components that tests use: which, why, where to get them, and whether they took part.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// Python packages of the peers that we did not write, pinned so that a run can be repeated.
const PEERS: [(&str, &str); 3] = [
    ("python-diameter", "0.9.0"),
    ("smpplib", "2.2.4"),
    ("aiosmtpd", "1.4.6"),
];

/// The checker of accessibility that the browser tests put into each page, pinned; it is never served.
const AXE: (&str, &str) = ("axe-core", "4.14.1");

/// What must take part in a run once a test in the tree uses it. A test uses a component when a `.rs` or `.py`
/// file outside xtask holds one of `used_by`; it takes part when a test appends a line starting with one of
/// `reported_as` to the file named in RASEED_PARTS. Add a line here with every new outside component.
const EXPECTED: [Expected; 6] = [
    Expected {
        part: "browser",
        component: "chromium",
        used_by: &["RASEED_CHROMEDRIVER"],
        reported_as: &["chromium", "browser"],
    },
    Expected {
        part: "accessibility",
        component: "axe-core",
        used_by: &["RASEED_AXE"],
        reported_as: &["axe-core"],
    },
    Expected {
        part: "diameter-peer",
        component: "python-diameter",
        used_by: &["import diameter", "from diameter"],
        reported_as: &["python-diameter", "diameter-peer"],
    },
    Expected {
        part: "smpp-peer",
        component: "smpplib",
        used_by: &["import smpplib", "from smpplib"],
        reported_as: &["smpplib", "smpp-peer"],
    },
    Expected {
        part: "mail-peer",
        component: "aiosmtpd",
        used_by: &["import aiosmtpd", "from aiosmtpd"],
        reported_as: &["aiosmtpd", "mail-peer"],
    },
    Expected {
        part: "hlr",
        component: OSMO_HLR,
        used_by: &["RASEED_OSMO_HLR"],
        reported_as: &["osmo-hlr"],
    },
];

/// Packaged for Debian and Ubuntu alone.
const OSMO_HLR: &str = "osmo-hlr";

struct Expected {
    part: &'static str,
    component: &'static str,
    used_by: &'static [&'static str],
    reported_as: &'static [&'static str],
}

/// One outside component as it was found on this machine.
pub struct Component {
    name: &'static str,
    why: &'static str,
    debian: &'static [&'static str],
    ubuntu: &'static [&'static str],
    brew: &'static [&'static str],
    brew_casks: &'static [&'static str],
    probe: fn(&Path) -> Option<Found>,
    found: Option<Found>,
}

impl Component {
    /// Packaged by this family of systems, or at home in all of them.
    fn exists_for(&self, macos: bool) -> bool {
        !macos || self.name != OSMO_HLR
    }
}

/// Where a component is and which version it has.
#[derive(Clone)]
pub struct Found {
    path: PathBuf,
    version: String,
}

/// Says what is needed and why, installs what is missing (unless told not to), and looks again.
pub fn prepare(root: &Path, skip_install: bool) -> Vec<Component> {
    let mut components = list();
    components.retain(|component| component.exists_for(cfg!(target_os = "macos")));
    look(root, &mut components);
    for component in &components {
        let state = component
            .found
            .as_ref()
            .map_or("missing", |found| found.version.as_str());
        println!(
            "  {:<16} {state}\n  {:<16}   for: {}",
            component.name, "", component.why
        );
    }
    if components.iter().all(|component| component.found.is_some()) {
        println!("Everything is here; nothing to install.");
    } else if skip_install {
        println!("--skip-install: nothing is installed, and tests that need what is missing do not run.");
    } else {
        // A failed installation is not the end: the other checks run, and the summary says what is missing.
        let installed = install_system(&components)
            .and_then(|()| install_peers(root))
            .and_then(|()| install_axe(root));
        if let Err(error) = installed {
            println!("error: {error:#}");
        }
        look(root, &mut components);
        for component in components.iter().filter(|component| component.found.is_none()) {
            println!("  {} is still missing after the installation", component.name);
        }
    }
    components
}

/// The variables through which tests find the components.
pub fn environment(components: &[Component]) -> Vec<(&'static str, String)> {
    let mut variables = Vec::new();
    if components.is_empty() {
        return variables;
    }
    let complete = components.iter().all(|component| component.found.is_some());
    variables.push((
        "RASEED_PEERS",
        if complete { "required" } else { "optional" }.to_owned(),
    ));
    let named = [
        ("RASEED_CHROMIUM", "chromium"),
        ("RASEED_CHROMEDRIVER", "chromedriver"),
        ("RASEED_PEERS_PYTHON", "python-diameter"),
        ("RASEED_AXE", AXE.0),
        ("RASEED_OSMO_HLR", OSMO_HLR),
    ];
    for (variable, name) in named {
        let component = components.iter().find(|component| component.name == name);
        if let Some(found) = component.and_then(|component| component.found.as_ref()) {
            variables.push((variable, found.path.display().to_string()));
        }
    }
    variables
}

/// What came of the expected parts.
#[derive(Default)]
pub struct RollCall {
    /// One line for each component: name, version, the tests in which it took part.
    pub lines: Vec<String>,
    /// Expected and not there: these fail the run.
    pub absent: Vec<String>,
    /// Not used, with the reason.
    pub skipped: Vec<String>,
}

/// Compares what the tests reported (`NAME VERSION TEST` on each line) with what had to take part.
/// A component that is missing fails the run unless the person asked to install nothing.
pub fn roll_call(root: &Path, components: &[Component], reports: &str, skip_install: bool) -> RollCall {
    let used = |expected: &Expected| mentioned(root, &["."], expected.used_by);
    roll(components, reports, skip_install, used)
}

fn roll(
    components: &[Component],
    reports: &str,
    skip_install: bool,
    used: impl Fn(&Expected) -> bool,
) -> RollCall {
    let mut roll = RollCall::default();
    for component in components {
        let version = component
            .found
            .as_ref()
            .map_or("MISSING", |found| found.version.as_str());
        if component.found.is_none() && !skip_install {
            roll.absent
                .push(format!("{} could not be installed", component.name));
        }
        roll.lines.push(format!("{:<16} {version}", component.name));
    }
    for expected in &EXPECTED {
        let took_part: Vec<&str> = reports
            .lines()
            .filter(|line| expected.is_reported(line))
            .collect();
        for line in &took_part {
            roll.lines
                .push(format!("{:<16} took part: {line}", expected.part));
        }
        if !took_part.is_empty() {
            continue;
        }
        let component = components
            .iter()
            .find(|component| component.name == expected.component);
        let there = component.is_some_and(|component| component.found.is_some());
        if !used(expected) {
            roll.skipped
                .push(format!("{}: no test in the tree uses it yet", expected.part));
        } else if component.is_none() {
            roll.skipped.push(format!(
                "{}: {} does not exist for this system",
                expected.part, expected.component
            ));
        } else if there || !skip_install {
            roll.absent
                .push(format!("{} took no part in any test", expected.part));
        } else {
            roll.skipped.push(format!(
                "{}: {} is not installed",
                expected.part, expected.component
            ));
        }
    }
    roll
}

impl Expected {
    fn is_reported(&self, line: &str) -> bool {
        line.split_whitespace()
            .next()
            .is_some_and(|first| self.reported_as.contains(&first))
    }
}

/// Whether a `.rs` or `.py` file below one of the directories holds one of the words. xtask itself does not count.
pub fn mentioned(root: &Path, directories: &[&str], words: &[&str]) -> bool {
    let mut open: Vec<PathBuf> = directories.iter().map(|directory| root.join(directory)).collect();
    while let Some(directory) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "xtask", "docs", "node_modules"].contains(&name) {
                    open.push(path);
                }
            } else if name.ends_with(".rs") || name.ends_with(".py") {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                if words.iter().any(|word| text.contains(word)) {
                    return true;
                }
            }
        }
    }
    false
}

fn list() -> Vec<Component> {
    let component = |name, why, probe| Component {
        name,
        why,
        debian: &[],
        ubuntu: &[],
        brew: &[],
        brew_casks: &[],
        probe,
        found: None,
    };
    vec![
        Component {
            debian: &["chromium"],
            ubuntu: &["chromium-browser"],
            brew_casks: &["google-chrome"],
            ..component("chromium", "the page is tested in a real browser", find_chromium)
        },
        Component {
            debian: &["chromium-driver"],
            ubuntu: &["chromium-chromedriver"],
            brew_casks: &["chromedriver"],
            ..component("chromedriver", "drives that browser", find_chromedriver)
        },
        Component {
            debian: &["fonts-noto-core", "fontconfig"],
            ubuntu: &["fonts-noto-core", "fontconfig"],
            ..component("font for Urdu", "the Urdu page and its pictures", find_urdu)
        },
        Component {
            debian: &["fonts-wqy-microhei", "fontconfig"],
            ubuntu: &["fonts-wqy-microhei", "fontconfig"],
            ..component(
                "font for Chinese",
                "the Chinese page and its pictures",
                find_chinese,
            )
        },
        Component {
            debian: &["python3", "python3-venv"],
            ubuntu: &["python3", "python3-venv"],
            brew: &["python3"],
            ..component(
                "python3 with venv",
                "a place of their own for the three peers below",
                find_python,
            )
        },
        Component {
            debian: &["nodejs", "npm"],
            ubuntu: &["nodejs", "npm"],
            brew: &["node"],
            ..component("npm", "fetches the checker below", find_npm)
        },
        Component {
            debian: &["poppler-utils"],
            ubuntu: &["poppler-utils"],
            brew: &["poppler"],
            ..component("poppler", "reads what is on paper", find_poppler)
        },
        Component {
            debian: &["zbar-tools"],
            ubuntu: &["zbar-tools"],
            brew: &["zbar"],
            ..component("zbar", "reads the codes on them, as a phone does", find_zbar)
        },
        component(
            AXE.0,
            "checks every page against WCAG 2.2 AA, inside the browser",
            find_axe,
        ),
        component(
            PEERS[0].0,
            "a Diameter stack that we did not write drives sessions against the server",
            |root| find_peer(root, PEERS[0].0),
        ),
        component(
            PEERS[1].0,
            "an SMPP stack that we did not write talks to our client and message centre",
            |root| find_peer(root, PEERS[1].0),
        ),
        component(
            PEERS[2].0,
            "a mail server that we did not write takes our letters over TLS",
            |root| find_peer(root, PEERS[2].0),
        ),
        Component {
            debian: &["osmo-hlr"],
            ubuntu: &["osmo-hlr"],
            ..component(
                OSMO_HLR,
                "a real HLR routes what a phone dials to us, and our pages back",
                find_osmo_hlr,
            )
        },
    ]
}

fn look(root: &Path, components: &mut [Component]) {
    for component in components {
        component.found = (component.probe)(root);
    }
}

fn find_chromium(_: &Path) -> Option<Found> {
    let own = std::env::var("RASEED_CHROMIUM").ok();
    let usual = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ];
    first_that_runs(own.as_deref(), &usual)
}

fn find_chromedriver(_: &Path) -> Option<Found> {
    let own = std::env::var("RASEED_CHROMEDRIVER").ok();
    first_that_runs(
        own.as_deref(),
        &[
            "chromedriver",
            "chromium.chromedriver",
            "/usr/lib/chromium-browser/chromedriver",
        ],
    )
}

fn find_urdu(_: &Path) -> Option<Found> {
    find_font("ur")
}

fn find_chinese(_: &Path) -> Option<Found> {
    find_font("zh-cn")
}

fn find_font(language: &str) -> Option<Found> {
    if cfg!(target_os = "macos") {
        return Some(Found {
            path: PathBuf::from("/System/Library/Fonts"),
            version: "part of macOS".to_owned(),
        });
    }
    let text = output("fc-list", &[&format!(":lang={language}"), "family"])?;
    let family = text.lines().next().filter(|line| !line.is_empty())?;
    Some(Found {
        path: PathBuf::new(),
        version: family.to_owned(),
    })
}

fn find_python(_: &Path) -> Option<Found> {
    let version = output(
        "python3",
        &[
            "-c",
            "import ensurepip, venv, platform; print(platform.python_version())",
        ],
    )?;
    Some(Found {
        path: on_path("python3")?,
        version,
    })
}

fn find_peer(root: &Path, package: &str) -> Option<Found> {
    let python = peers_python(root);
    let script = format!("import importlib.metadata as m; print(m.version('{package}'))");
    let version = output(python.to_str()?, &["-c", &script])?;
    let pinned = PEERS
        .iter()
        .any(|(name, pin)| *name == package && *pin == version);
    pinned.then_some(Found {
        path: python,
        version,
    })
}

fn find_osmo_hlr(_: &Path) -> Option<Found> {
    let own = std::env::var("RASEED_OSMO_HLR").ok();
    first_that_runs(own.as_deref(), &["osmo-hlr", "/usr/bin/osmo-hlr"]).map(|found| Found {
        version: output("osmo-hlr", &["--version"])
            .and_then(|text| text.lines().next().map(str::to_owned))
            .unwrap_or(found.version),
        path: found.path,
    })
}

fn find_poppler(_: &Path) -> Option<Found> {
    find_reader("pdftotext", "-v")
}

fn find_zbar(_: &Path) -> Option<Found> {
    find_reader("zbarimg", "--version")
}

/// A program that says its version last on the first line, on either output.
fn find_reader(program: &str, asked: &str) -> Option<Found> {
    let path = on_path(program)?;
    let said = Command::new(&path)
        .arg(asked)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = [said.stdout, said.stderr].concat();
    let first = String::from_utf8_lossy(&said)
        .lines()
        .next()
        .unwrap_or("?")
        .to_owned();
    let version = first.split_whitespace().last().unwrap_or("?").to_owned();
    Some(Found { path, version })
}

fn find_npm(_: &Path) -> Option<Found> {
    Some(Found {
        path: on_path("npm")?,
        version: output("npm", &["--version"])?,
    })
}

/// The script, when it is there in the version that is pinned.
fn find_axe(root: &Path) -> Option<Found> {
    let package = root.join("target/peers-node/node_modules").join(AXE.0);
    let about = std::fs::read_to_string(package.join("package.json")).ok()?;
    let path = package.join("axe.min.js");
    let pinned = about.contains(&format!("\"version\": \"{}\"", AXE.1)) && path.is_file();
    pinned.then(|| Found {
        path,
        version: AXE.1.to_owned(),
    })
}

fn peers_python(root: &Path) -> PathBuf {
    root.join("target/peers-venv/bin/python")
}

fn first_that_runs(own: Option<&str>, usual: &[&str]) -> Option<Found> {
    own.into_iter().chain(usual.iter().copied()).find_map(|program| {
        let path = if program.contains('/') {
            PathBuf::from(program)
        } else {
            on_path(program)?
        };
        let version = output(path.to_str()?, &["--version"])?;
        let version = version.lines().last().unwrap_or_default().trim().to_owned();
        Some(Found { path, version })
    })
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// The trimmed output of a program that ended well.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn install_system(components: &[Component]) -> anyhow::Result<()> {
    let missing = || components.iter().filter(|component| component.found.is_none());
    if cfg!(target_os = "macos") {
        let casks: Vec<&str> = missing()
            .flat_map(|component| component.brew_casks)
            .copied()
            .collect();
        if !casks.is_empty() {
            run("brew", &[&["install", "--cask"], &casks[..]].concat())?;
        }
        let formulas: Vec<&str> = missing().flat_map(|component| component.brew).copied().collect();
        if !formulas.is_empty() {
            run("brew", &[&["install"], &formulas[..]].concat())?;
        }
        return Ok(());
    }
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let packages: Vec<&str> = match family(&release) {
        Some(Family::Debian) => missing()
            .flat_map(|component| component.debian)
            .copied()
            .collect(),
        Some(Family::Ubuntu) => missing()
            .flat_map(|component| component.ubuntu)
            .copied()
            .collect(),
        None => {
            let names: Vec<&str> = missing().map(|component| component.name).collect();
            bail!(
                "this system is neither Debian, Ubuntu nor macOS; install {} by hand, then run again \
                 (or use --skip-install)",
                names.join(", ")
            );
        }
    };
    if packages.is_empty() {
        return Ok(());
    }
    // A fresh machine has no package lists, and an old list names packages that are gone.
    run_as_root("apt-get", &["update"])?;
    run_as_root(
        "apt-get",
        &[&["install", "--yes", "--no-install-recommends"], &packages[..]].concat(),
    )
}

fn install_peers(root: &Path) -> anyhow::Result<()> {
    let complete = PEERS.iter().all(|(name, _)| find_peer(root, name).is_some());
    if complete {
        return Ok(());
    }
    let venv = root.join("target/peers-venv");
    let venv = venv.to_str().context("the path of the workspace is not UTF-8")?;
    run("python3", &["-m", "venv", "--clear", venv])?;
    let pins: Vec<String> = PEERS
        .iter()
        .map(|(name, version)| format!("{name}=={version}"))
        .collect();
    let mut arguments = vec!["-m", "pip", "install", "--disable-pip-version-check"];
    arguments.extend(pins.iter().map(String::as_str));
    run(&format!("{venv}/bin/python"), &arguments)
}

fn install_axe(root: &Path) -> anyhow::Result<()> {
    if find_axe(root).is_some() {
        return Ok(());
    }
    let place = root.join("target/peers-node");
    std::fs::create_dir_all(&place).with_context(|| format!("make the directory {}", place.display()))?;
    let place = place.to_str().context("the path of the workspace is not UTF-8")?;
    let package = format!("{}@{}", AXE.0, AXE.1);
    let quiet = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
    run(
        "npm",
        &[&["install", "--prefix", place][..], &quiet, &[&package]].concat(),
    )
}

#[derive(Debug, PartialEq, Eq)]
enum Family {
    Debian,
    Ubuntu,
}

/// Reads /etc/os-release. Systems made from Debian or Ubuntu count as what they were made from.
fn family(os_release: &str) -> Option<Family> {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let names = format!("{} {}", value("ID="), value("ID_LIKE="));
    let has = |name: &str| names.split_whitespace().any(|word| word == name);
    match (has("ubuntu"), has("debian")) {
        (true, _) => Some(Family::Ubuntu),
        (false, true) => Some(Family::Debian),
        (false, false) => None,
    }
}

fn run_as_root(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let root = output("id", &["-u"]).is_some_and(|id| id == "0");
    // sudo drops the environment, so the variable stands on the command line.
    let quiet = ["env", "DEBIAN_FRONTEND=noninteractive", program];
    let words = [&quiet[..], arguments].concat();
    if root {
        run(words[0], &words[1..])
    } else {
        run("sudo", &words)
    }
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let line = format!("{program} {}", arguments.join(" "));
    println!("$ {line}");
    let status = Command::new(program)
        .args(arguments)
        .status()
        .with_context(|| format!("start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chromium(found: bool) -> Vec<Component> {
        let mut components = list();
        components.truncate(1);
        components[0].found = found.then(|| Found {
            path: "/bin/browser".into(),
            version: "Chromium 1".to_owned(),
        });
        components
    }

    #[test]
    fn os_release_names_the_family() {
        let table = [
            ("ID=debian\n", Some(Family::Debian)),
            (
                "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n",
                Some(Family::Ubuntu),
            ),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Some(Family::Ubuntu)),
            ("ID=fedora\n", None),
            ("", None),
        ];
        for (text, family_expected) in table {
            assert_eq!(family(text), family_expected, "{text}");
        }
    }

    #[test]
    fn a_part_that_is_used_must_report() {
        let browser = |expected: &Expected| expected.part == "browser";
        let silent = roll(&chromium(true), "", false, browser);
        assert_eq!(silent.absent, ["browser took no part in any test"]);
        assert_eq!(
            silent.skipped.len(),
            5,
            "the peers and axe are not used in this case"
        );
        let reported = roll(&chromium(true), "chromium 1 page.rs\n", false, browser);
        assert!(reported.absent.is_empty());
        assert!(
            reported
                .lines
                .iter()
                .any(|line| line.ends_with("took part: chromium 1 page.rs"))
        );
        let broken = roll(&chromium(false), "", false, browser);
        assert_eq!(
            broken.absent,
            [
                "chromium could not be installed",
                "browser took no part in any test"
            ]
        );
        let missing = roll(&chromium(false), "", true, browser);
        assert!(missing.absent.is_empty(), "the person asked for it");
        assert!(
            missing
                .skipped
                .contains(&"browser: chromium is not installed".to_owned())
        );
    }

    #[test]
    fn what_a_system_does_not_have_is_named_and_no_failure() {
        let lacking: Vec<_> = list().into_iter().filter(|part| !part.exists_for(true)).collect();
        assert_eq!(
            lacking.iter().map(|part| part.name).collect::<Vec<_>>(),
            [OSMO_HLR]
        );
        assert!(list().iter().all(|part| part.exists_for(false)));
        let hlr = |expected: &Expected| expected.part == "hlr";
        let mac = roll(&chromium(true), "", false, hlr);
        assert!(mac.absent.is_empty(), "{:?}", mac.absent);
        let line = "hlr: osmo-hlr does not exist for this system".to_owned();
        assert!(mac.skipped.contains(&line), "{:?}", mac.skipped);
    }

    #[test]
    fn tests_learn_where_the_components_are() {
        let required = environment(&chromium(true));
        assert_eq!(required[0], ("RASEED_PEERS", "required".to_owned()));
        assert_eq!(required[1], ("RASEED_CHROMIUM", "/bin/browser".to_owned()));
        assert_eq!(
            environment(&chromium(false)),
            [("RASEED_PEERS", "optional".to_owned())]
        );
        assert!(environment(&[]).is_empty());
    }
}
