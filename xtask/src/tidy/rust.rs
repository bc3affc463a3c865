//! Rules for `.rs` files: lengths, banned calls, left-overs, module docs, dead files.

use std::collections::BTreeSet;
use std::ops::Range;

use super::source::{code_only, functions, line_of, test_regions};
use super::{Finding, Tree};

const FILE_LINES_MAX: usize = 900;
const FUNCTION_LINES_MAX: usize = 100;
/// rustfmt keeps code within 110; this catches comments.
const LINE_CHARACTERS_MAX: usize = 130;

/// Calls that this house does not use, where, and what to write instead.
const BANS: [Ban; 10] = [
    Ban {
        call: "todo!",
        only_in: &[],
        not_in: &[],
        tests_too: true,
        instead: "write it, or leave it out",
    },
    Ban {
        call: "unimplemented!",
        only_in: &[],
        not_in: &[],
        tests_too: true,
        instead: "write it, or leave it out",
    },
    Ban {
        call: "dbg!",
        only_in: &[],
        not_in: &[],
        tests_too: true,
        instead: "tracing::debug!, or nothing",
    },
    Ban {
        call: ".unwrap()",
        only_in: &[],
        not_in: &[],
        tests_too: false,
        instead: "`?`, or .expect(\"why it cannot fail\")",
    },
    Ban {
        call: "SystemTime::now",
        only_in: &[],
        not_in: &["server/", "sim/", "xtask/"],
        tests_too: false,
        instead: "an argument `now`: only the server reads clocks",
    },
    Ban {
        call: "Instant::now",
        only_in: &["wire/src/", "wire/tests/"],
        not_in: &[],
        tests_too: true,
        instead: "an argument `now`: protocol machines are told the time",
    },
    Ban {
        call: "unbounded_channel",
        only_in: &[],
        not_in: &[],
        tests_too: false,
        instead: "a bounded channel with a named limit",
    },
    Ban {
        call: "mpsc::channel()",
        only_in: &[],
        not_in: &[],
        tests_too: false,
        instead: "mpsc::sync_channel(LIMIT): every queue has a limit",
    },
    Ban {
        call: "println!",
        only_in: &["charge/", "wire/", "engine/", "store/", "web/"],
        not_in: &[],
        tests_too: false,
        instead: "tracing, or a returned value: libraries do not write to the terminal",
    },
    Ban {
        call: "process::exit",
        only_in: &[],
        not_in: &["server/src/main.rs"],
        tests_too: false,
        instead: "an error or an ExitCode, so that what is open is closed",
    },
];

struct Ban {
    call: &'static str,
    only_in: &'static [&'static str],
    not_in: &'static [&'static str],
    tests_too: bool,
    instead: &'static str,
}

/// Floats have no place in these crates; clippy watches `charge` and `engine`.
const NO_FLOATS: [&str; 2] = ["wire/src/", "store/src/"];

pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.texts(".rs") {
        check_file(path, text, findings);
    }
    dead_files(tree, findings);
}

fn check_file(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let mut find = |line, rule, message: String| {
        findings.push(Finding {
            path: path.to_owned(),
            line,
            rule,
            message,
        });
    };
    let code = code_only(text);
    let tests = Tests {
        whole_file: is_test_file(path),
        regions: test_regions(&code),
    };

    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        find(
            0,
            "file length",
            format!("{lines} lines, at most {FILE_LINES_MAX}: make two modules"),
        );
    }
    if !text.starts_with("//!") {
        find(
            1,
            "module doc",
            "the first line is `//!` and says the one job of the module".to_owned(),
        );
    }
    for (index, line) in text.lines().enumerate() {
        let characters = line.chars().count();
        if characters > LINE_CHARACTERS_MAX && !may_be_long(line) {
            let message = format!("{characters} characters, at most {LINE_CHARACTERS_MAX}");
            find(index + 1, "line length", message);
        }
    }
    for function in functions(&code) {
        let length = code[function.bytes.clone()].lines().count();
        if length > FUNCTION_LINES_MAX && !tests.hold(function.bytes.start) {
            let message = format!(
                "`{}` has {length} lines, at most {FUNCTION_LINES_MAX}",
                function.name
            );
            find(line_of(text, function.bytes.start), "function length", message);
        }
    }
    for ban in BANS.iter().filter(|ban| ban.holds_in(path)) {
        for (at, _) in code.match_indices(ban.call) {
            if !continues_a_word(&code, at) && (ban.tests_too || !tests.hold(at)) {
                find(
                    line_of(text, at),
                    "banned call",
                    format!("{} -> {}", ban.call, ban.instead),
                );
            }
        }
    }
    if NO_FLOATS.iter().any(|place| path.starts_with(place)) {
        for float in ["f32", "f64"] {
            for (at, _) in code
                .match_indices(float)
                .filter(|(at, _)| is_word(&code, *at, float.len()))
            {
                if !tests.hold(at) {
                    find(
                        line_of(text, at),
                        "float",
                        format!("{float} -> an integer newtype (design rule 1)"),
                    );
                }
            }
        }
    }
    for (at, _) in code.match_indices("#[ignore]") {
        find(
            line_of(text, at),
            "ignored test",
            "#[ignore = \"the reason\"], or let it run".to_owned(),
        );
    }
}

/// Strings, addresses and rows of tables in a doc comment cannot be broken.
fn may_be_long(line: &str) -> bool {
    let row = line
        .trim_start()
        .trim_start_matches(['/', '!'])
        .trim_start()
        .starts_with('|');
    row || line.contains('"') || line.contains("://")
}

impl Ban {
    fn holds_in(&self, path: &str) -> bool {
        let under = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
        (self.only_in.is_empty() || under(self.only_in)) && !under(self.not_in)
    }
}

struct Tests {
    whole_file: bool,
    regions: Vec<Range<usize>>,
}

impl Tests {
    fn hold(&self, byte: usize) -> bool {
        self.whole_file || self.regions.iter().any(|region| region.contains(&byte))
    }
}

fn is_test_file(path: &str) -> bool {
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    let directory = ["/tests/", "/benches/", "/examples/", "/fuzz_targets/"]
        .iter()
        .any(|part| path.contains(part));
    directory
        || ["tests", "conformance"].contains(&stem)
        || stem.ends_with("_tests")
        || stem.ends_with("_test")
}

fn continues_a_word(code: &str, at: usize) -> bool {
    let starts_a_word = code[at..].starts_with(|first: char| first.is_alphanumeric());
    starts_a_word && code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
}

fn is_word(code: &str, at: usize, length: usize) -> bool {
    let follows = code[at + length..].starts_with(|after: char| after.is_alphanumeric() || after == '_');
    !continues_a_word(code, at) && !follows
}

/// Finds `.rs` files that no `mod`, manifest or `include!` leads to. Near enough: inline modules are not followed.
fn dead_files(tree: &Tree, findings: &mut Vec<Finding>) {
    let mut alive: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = Vec::new();
    for (path, text) in tree.texts("Cargo.toml") {
        let package = path.trim_end_matches("Cargo.toml");
        let named = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("path = \"")?.strip_suffix('"'));
        open.extend(named.map(|name| format!("{package}{name}")));
        open.extend(["src/lib.rs", "src/main.rs", "build.rs"].map(|name| format!("{package}{name}")));
        for directory in ["src/bin", "tests", "benches", "examples"] {
            let below = format!("{package}{directory}/");
            let is_root = |path: &str| {
                let rest = path.strip_prefix(&below);
                rest.is_some_and(|rest| !rest.contains('/') || rest.ends_with("/main.rs"))
            };
            open.extend(
                tree.texts(".rs")
                    .filter(|(path, _)| is_root(path))
                    .map(|(path, _)| path.to_owned()),
            );
        }
    }
    let roots: BTreeSet<String> = open.iter().cloned().collect();
    while let Some(path) = open.pop() {
        let Some(Some(text)) = tree.files.get(&path) else {
            continue;
        };
        if alive.insert(path.clone()) {
            open.extend(children(&path, text, roots.contains(&path)));
        }
    }
    for (path, _) in tree.texts(".rs").filter(|(path, _)| !alive.contains(*path)) {
        let message = "no `mod` leads here: declare it or delete it".to_owned();
        findings.push(Finding {
            path: path.to_owned(),
            line: 0,
            rule: "dead file",
            message,
        });
    }
}

/// The files that the modules declared in a file may stand in.
fn children(path: &str, text: &str, is_root: bool) -> Vec<String> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let own = if is_root || name == "mod.rs" {
        directory.to_owned()
    } else {
        format!("{directory}/{}", name.trim_end_matches(".rs"))
    };
    let mut files = Vec::new();
    let code = code_only(text);
    for (code, raw) in code.lines().zip(text.lines()) {
        let declared = code
            .trim_start()
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ");
        let declared = declared.trim_start_matches("pub(super) ");
        if let Some(module) = declared
            .strip_prefix("mod ")
            .and_then(|rest| rest.split_once(';'))
        {
            files.push(format!("{own}/{}.rs", module.0.trim()));
            files.push(format!("{own}/{}/mod.rs", module.0.trim()));
        }
        for marker in ["#[path = \"", "include!(\""] {
            let named = raw.split_once(marker).and_then(|(_, rest)| rest.split_once('"'));
            files.extend(named.map(|(named, _)| super::text::join(directory, named)));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let mut findings = Vec::new();
        check_file(path, &format!("//! Doc.\n{text}"), &mut findings);
        findings
            .into_iter()
            .map(|finding| (finding.line, finding.rule))
            .collect()
    }

    #[test]
    fn bad_lines_are_found() {
        let long = format!("// {}", "x".repeat(LINE_CHARACTERS_MAX));
        let table: &[(&str, &str, &str)] = &[
            ("charge/src/a.rs", "fn a() { todo!() }", "banned call"),
            ("charge/tests/a.rs", "fn a() { dbg!(1); }", "banned call"),
            ("charge/src/a.rs", "fn a() { b().unwrap(); }", "banned call"),
            ("web/src/a.rs", "fn a() { SystemTime::now(); }", "banned call"),
            ("wire/src/a.rs", "fn a() { Instant::now(); }", "banned call"),
            ("sim/src/a.rs", "fn a() { mpsc::channel(); }", "banned call"),
            ("store/src/a.rs", "fn a() { println!(); }", "banned call"),
            (
                "server/src/run.rs",
                "fn a() { std::process::exit(1) }",
                "banned call",
            ),
            ("wire/src/a.rs", "fn a(x: f64) {}", "float"),
            ("wire/src/a.rs", &long, "line length"),
            ("wire/src/a.rs", "#[ignore]", "ignored test"),
        ];
        for (path, text, rule) in table {
            assert_eq!(rules(path, text), [(2, *rule)], "{text}");
        }
    }

    #[test]
    fn good_lines_pass() {
        let long = format!("const A: &str = \"{}\";", "x".repeat(LINE_CHARACTERS_MAX));
        let row = format!("//! | a | {} |", "x".repeat(LINE_CHARACTERS_MAX));
        let table: &[(&str, &str)] = &[
            ("charge/src/a.rs", "fn a() { b(\"todo!\"); } // dbg!"),
            (
                "charge/src/a.rs",
                "#[cfg(test)]\nmod tests { fn a() { b().unwrap(); } }",
            ),
            ("charge/tests/a.rs", "fn a() { b().unwrap(); println!(); }"),
            ("server/src/a.rs", "fn a() { SystemTime::now(); println!(); }"),
            ("store/src/a.rs", "fn a() { eprint_f64(x_f32); }"),
            ("wire/src/a.rs", &long),
            ("wire/src/a.rs", &row),
            ("wire/src/a.rs", "#[ignore = \"needs a modem\"]"),
        ];
        for (path, text) in table {
            assert_eq!(rules(path, text), [], "{text}");
        }
    }

    #[test]
    fn lengths_are_limited() {
        let body = "    a();\n".repeat(FUNCTION_LINES_MAX);
        let long = format!("fn long() {{\n{body}}}\n");
        assert_eq!(rules("charge/src/a.rs", &long), [(2, "function length")]);
        assert_eq!(
            rules("charge/src/tests.rs", &long),
            [],
            "a table in a test is data"
        );
        let lines = "\n".repeat(FILE_LINES_MAX);
        assert_eq!(rules("charge/src/a.rs", &lines), [(0, "file length")]);
    }

    #[test]
    fn a_module_starts_with_its_doc() {
        let mut findings = Vec::new();
        check_file("a.rs", "use b;\n", &mut findings);
        assert_eq!((findings[0].line, findings[0].rule), (1, "module doc"));
    }

    #[test]
    fn files_without_a_mod_are_dead() {
        let tree = Tree::of(&[
            ("a/Cargo.toml", "[[bin]]\npath = \"fuzz/one.rs\"\n"),
            (
                "a/src/lib.rs",
                "pub mod b;\n// mod gone;\n#[path = \"odd.rs\"]\nmod e;",
            ),
            ("a/src/b.rs", "pub(crate) mod c;\nmod d;"),
            ("a/src/b/c.rs", ""),
            ("a/src/b/d/mod.rs", ""),
            ("a/src/gone.rs", ""),
            ("a/src/odd.rs", ""),
            ("a/fuzz/one.rs", ""),
            ("a/tests/one.rs", "mod help;"),
            ("a/tests/help/mod.rs", ""),
            ("a/tests/lost/mod.rs", ""),
        ]);
        let mut findings = Vec::new();
        dead_files(&tree, &mut findings);
        let paths: Vec<&str> = findings.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, ["a/src/gone.rs", "a/tests/lost/mod.rs"]);
    }
}
