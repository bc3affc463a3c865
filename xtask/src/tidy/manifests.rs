//! Rules for dependencies: one place, a reason for each, and what each crate must not know.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{Finding, Tree};

/// What a crate must not reach through its normal and build dependencies, however deep, and why.
const BOUNDARIES: [Boundary; 9] = [
    Boundary {
        of: "charge",
        never: &["tokio", "wire", "rusqlite", "rand", "jiff", "tracing"],
        why: "the core is pure: no I/O, no clock, no randomness, no protocol",
    },
    Boundary {
        of: "wire",
        never: &["tokio", "charge", "engine", "store", "rusqlite"],
        why: "codecs know bytes and nothing of money",
    },
    Boundary {
        of: "store",
        never: &["tokio", "wire", "engine", "axum"],
        why: "storage keeps batches and serves rows; it decides nothing",
    },
    Boundary {
        of: "engine",
        never: &["tokio", "wire", "axum"],
        why: "the engine is driven, by the server or by the simulator",
    },
    Boundary {
        of: "people",
        never: &["tokio", "axum", "engine", "store", "wire"],
        why: "personal data stands apart: nothing of it is in the journal",
    },
    Boundary {
        of: "outlets",
        never: &["tokio", "axum", "engine", "store", "wire"],
        why: "the directory of outlets moves no money and follows from no journal",
    },
    Boundary {
        of: "web",
        never: &["wire", "sim"],
        why: "pages know accounts, not protocols",
    },
    Boundary {
        of: "kiosk",
        never: &["wire", "sim", "reqwest"],
        why: "a kiosk knows lines and a trait, not protocols and sockets",
    },
    Boundary {
        of: "sim",
        never: &["web", "server"],
        why: "the simulated world sees the system from outside",
    },
];

struct Boundary {
    of: &'static str,
    never: &'static [&'static str],
    why: &'static str,
}

pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.texts("Cargo.toml") {
        if path == "Cargo.toml" {
            check_root(text, findings);
        } else if !text.lines().any(|line| line.trim() == "[workspace]") {
            // A manifest with its own [workspace] (fuzz targets for nightly) stands outside this one.
            check_member(path, text, findings);
        }
    }
}

/// What cargo knows of the workspace.
pub fn metadata(root: &Path) -> anyhow::Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--all-features"])
        .current_dir(root)
        .output()
        .context("ask cargo for its metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    serde_json::from_slice(&output.stdout).context("read the metadata of cargo")
}

/// Checks what each crate must not know.
pub fn check_boundaries(metadata: &Value, findings: &mut Vec<Finding>) {
    let graph = Graph::of(metadata);
    let mut find = |of: &str, message| {
        findings.push(Finding {
            path: format!("{of}/Cargo.toml"),
            line: 0,
            rule: "boundary",
            message,
        });
    };
    for boundary in &BOUNDARIES {
        let reached = graph.reach(boundary.of);
        for never in boundary.never.iter().filter(|never| reached.contains(**never)) {
            find(
                boundary.of,
                format!("{} must not reach {never}: {}", boundary.of, boundary.why),
            );
        }
    }
    for of in graph
        .direct
        .iter()
        .filter(|(_, direct)| direct.contains("server"))
        .map(|(of, _)| of)
    {
        find(
            of,
            "nothing depends on server: it is the outermost crate".to_owned(),
        );
    }
}

fn check_root(text: &str, findings: &mut Vec<Finding>) {
    for (number, name, value) in dependencies(text) {
        if !value.contains("path =") && !value.contains(" #") {
            let message = format!("`{name}` has no reason: end its line with `# what it is for`");
            findings.push(Finding {
                path: "Cargo.toml".to_owned(),
                line: number,
                rule: "reason",
                message,
            });
        }
    }
}

fn check_member(path: &str, text: &str, findings: &mut Vec<Finding>) {
    for (number, name, value) in dependencies(text) {
        if !name.ends_with(".workspace") && !value.contains("workspace = true") {
            let message = format!(
                "`{name}`: its version stands in the root Cargo.toml; here `{name}.workspace = true`"
            );
            findings.push(Finding {
                path: path.to_owned(),
                line: number,
                rule: "one version",
                message,
            });
        }
    }
}

/// Line number, name and value of each line in a table of dependencies.
fn dependencies(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.starts_with('[') {
            inside = line.split(']').next().unwrap_or(line).ends_with("dependencies");
            return None;
        }
        let (name, value) = line
            .split_once('=')
            .filter(|_| inside && !line.starts_with(['#', ' ']))?;
        Some((index + 1, name.trim(), value))
    })
}

/// Names of crates, and what each one needs to be built and to run.
struct Graph {
    direct: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn of(metadata: &Value) -> Graph {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let names: BTreeMap<String, String> = list(&metadata["packages"])
            .iter()
            .filter_map(|package| {
                Some((
                    package["id"].as_str()?.to_owned(),
                    package["name"].as_str()?.to_owned(),
                ))
            })
            .collect();
        let mut direct: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let Some(name) = node["id"].as_str().and_then(|id| names.get(id)) else {
                continue;
            };
            let needed = direct.entry(name.clone()).or_default();
            for dependency in list(&node["deps"]) {
                let only_tests = list(&dependency["dep_kinds"])
                    .iter()
                    .all(|kind| kind["kind"] == "dev");
                if let Some(name) = dependency["pkg"]
                    .as_str()
                    .and_then(|id| names.get(id))
                    .filter(|_| !only_tests)
                {
                    needed.insert(name.clone());
                }
            }
        }
        Graph { direct }
    }

    /// Everything that a crate needs, however deep.
    fn reach(&self, of: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![of];
        while let Some(name) = open.pop() {
            for next in self.direct.get(name).into_iter().flatten() {
                if reached.insert(next.as_str()) {
                    open.push(next);
                }
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_reasons_stand_in_the_root() {
        let root = "[package]\nname = \"x\"\n[workspace.dependencies]\na = { path = \"a\" }\n\
                    b = \"1\"   # why\nc = \"1\"\n[profile.dev]\ndebug = 1\n";
        let mut findings = Vec::new();
        check_root(root, &mut findings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].line, findings[0].rule), (6, "reason"));

        let member = "[package]\nversion = \"1\"\n[dependencies]\na.workspace = true\n\
                      b = { workspace = true, features = [\"x\"] }\nc = \"1\"\n\
                      [target.'cfg(unix)'.dev-dependencies]\nd = { version = \"1\" }\n";
        let mut findings = Vec::new();
        check_member("a/Cargo.toml", member, &mut findings);
        let lines: Vec<usize> = findings.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [6, 8]);
    }

    #[test]
    fn boundaries_hold_through_other_crates_but_not_through_tests() {
        let package = |name: &str| serde_json::json!({"id": name, "name": name});
        let edge = |name: &str, kind: Value| serde_json::json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let packages = ["charge", "middle", "tokio"].map(package);
        let metadata = |kind: Value| {
            serde_json::json!({
                "packages": packages,
                "resolve": {"nodes": [
                    {"id": "charge", "deps": [edge("middle", kind)]},
                    {"id": "middle", "deps": [edge("tokio", Value::Null)]},
                    {"id": "tokio", "deps": []},
                ]},
            })
        };
        let mut findings = Vec::new();
        check_boundaries(&metadata(Value::Null), &mut findings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].message.starts_with("charge must not reach tokio"));
        findings.clear();
        check_boundaries(&metadata(Value::from("dev")), &mut findings);
        assert!(findings.is_empty(), "{findings:?}");
    }
}
