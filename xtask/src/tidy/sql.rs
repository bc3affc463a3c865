//! Rules for the statements of the store and for the fuzz targets: what a compiler does not see.

use std::collections::BTreeSet;

use super::{Finding, Tree};

/// Where the shared statements stand.
const STATEMENTS: &str = "store/src/sql/";

/// What only one engine understands, in lower case, and what to write instead; `store/src/sql/mod.rs` has the subset.
const ONE_ENGINE: [(&str, &str); 14] = [
    (
        "insert or ",
        "insert ... on conflict (...) do update or do nothing",
    ),
    ("replace into", "insert ... on conflict (...) do update"),
    ("pragma", "a setting in store/src/sqlite"),
    ("ifnull(", "coalesce("),
    ("autoincrement", "a number that the caller gives"),
    ("last_insert_rowid", "a number that the caller gives"),
    ("rowid", "the primary key; `without rowid` inside /*sqlite ...*/"),
    ("strftime", "microseconds as bigint"),
    ("datetime(", "microseconds as bigint"),
    ("glob ", "like, or a range"),
    (" blob", "bytea"),
    (" integer", "bigint"),
    ("::", "cast(... as ...)"),
    ("ilike", "lower(...) like lower(...)"),
];

pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.texts(".rs").filter(|(path, _)| path.starts_with(STATEMENTS)) {
        check_statements(path, text, findings);
    }
    check_fuzz(tree, findings);
}

fn check_statements(path: &str, text: &str, findings: &mut Vec<Finding>) {
    for (at, statement) in literals(text) {
        let shared = without_comments(&statement.to_lowercase());
        for (only, instead) in ONE_ENGINE.iter().filter(|(only, _)| shared.contains(only)) {
            findings.push(Finding {
                path: path.to_owned(),
                line: at,
                rule: "portable SQL",
                message: format!("`{}` is understood by one engine -> {instead}", only.trim()),
            });
        }
    }
}

/// The string literals before the tests of a file, each with the line where it begins. Statements hold no quotes.
fn literals(text: &str) -> Vec<(usize, String)> {
    let code: String = text
        .lines()
        .take_while(|line| !line.contains("#[cfg(test)]"))
        .map(|line| {
            if line.trim_start().starts_with("//") {
                "\n".to_owned()
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    let (mut found, mut line) = (Vec::new(), 1);
    for (index, part) in code.split('"').enumerate() {
        if index % 2 == 1 {
            found.push((line, part.to_owned()));
        }
        line += part.matches('\n').count();
    }
    found
}

/// Without what only SQLite reads.
fn without_comments(statement: &str) -> String {
    let mut parts = statement.split("/*sqlite");
    let mut shared = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shared.push_str(part.split_once("*/").map_or("", |(_, rest)| rest));
    }
    shared
}

/// Where the fuzz targets are compiled and run a little, on stable.
const FUZZ_TEST: &str = "server/tests/fuzz_targets.rs";

/// Fuzzing itself needs nightly: the files of the targets, their manifest, the page about them and their test must name the same.
fn check_fuzz(tree: &Tree, findings: &mut Vec<Finding>) {
    let text = |path: &str| {
        tree.files
            .get(path)
            .and_then(Option::as_deref)
            .unwrap_or_default()
    };
    let named = |path: &str, before: &str, after: char| -> BTreeSet<String> {
        let lines = text(path).lines();
        let found = lines.filter_map(|line| line.trim().strip_prefix(before));
        found
            .map(|name| name.trim_end_matches(after).to_owned())
            .collect()
    };
    let stems = |names: BTreeSet<String>| -> BTreeSet<String> {
        let stem = |name: &String| {
            name.trim_end_matches(['"', ']'])
                .trim_end_matches(".rs")
                .to_owned()
        };
        names.iter().map(stem).collect()
    };
    let files: BTreeSet<String> = tree
        .texts(".rs")
        .filter_map(|(path, _)| path.strip_prefix("fuzz/fuzz_targets/")?.strip_suffix(".rs"))
        .map(str::to_owned)
        .collect();
    for (path, names) in [
        (
            "fuzz/Cargo.toml",
            stems(named("fuzz/Cargo.toml", "path = \"fuzz_targets/", '"')),
        ),
        (
            "docs/how-to/fuzz.md",
            named("docs/how-to/fuzz.md", "$ cargo +nightly fuzz run ", ' '),
        ),
        (
            FUZZ_TEST,
            stems(named(FUZZ_TEST, "#[path = \"../../fuzz/fuzz_targets/", ']')),
        ),
    ] {
        for name in files.symmetric_difference(&names) {
            findings.push(Finding {
                path: path.to_owned(),
                line: 0,
                rule: "fuzz target",
                message: format!("`{name}` stands here or in fuzz/fuzz_targets, and not in both"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_one_engine_are_found() {
        let table = [
            (
                "pub const A: &str = \"insert or replace into t (a) values ($1)\";",
                2,
            ),
            ("pub const A: &str =\n    \"select ifnull(a, 0) from t\";", 1),
            ("pub const A: &str = \"create table t (a integer not null)\";", 1),
            (
                "pub const A: &str = \"create table t (a bigint) without rowid\";",
                1,
            ),
            ("pub const A: &str = \"select a::text from t\";", 1),
            (
                "pub const A: &str = \"create table t (a bytea) /*sqlite without rowid*/;\";",
                0,
            ),
            (
                "pub const A: &str = \"insert into t (a) values ($1) on conflict (a) do nothing\";",
                0,
            ),
            (
                "use a::b; // pragma\n/// \"integer\" and rowid\nconst B: u8 = 1;",
                0,
            ),
            ("#[cfg(test)]\nconst A: &str = \"pragma user_version\";", 0),
        ];
        for (text, count) in table {
            let mut findings = Vec::new();
            check_statements("store/src/sql/a.rs", text, &mut findings);
            assert_eq!(findings.len(), count, "{text}: {findings:?}");
        }
        let mut findings = Vec::new();
        check_statements(
            "store/src/sql/a.rs",
            "\n\nconst A: &str = \"pragma a\";",
            &mut findings,
        );
        assert_eq!((findings[0].line, findings[0].rule), (3, "portable SQL"));
    }

    #[test]
    fn fuzz_targets_are_named_everywhere() {
        let manifest = "[[bin]]\nname = \"a\"\npath = \"fuzz_targets/a.rs\"\n";
        let page = "```console\n$ cargo +nightly fuzz run a\n```\n";
        let test = "#[path = \"../../fuzz/fuzz_targets/a.rs\"]\nmod a;\n";
        let findings = |manifest: &str, page: &str, test: &str| {
            let tree = Tree::of(&[
                ("fuzz/fuzz_targets/a.rs", ""),
                (FUZZ_TEST, test),
                ("fuzz/Cargo.toml", manifest),
                ("docs/how-to/fuzz.md", page),
            ]);
            let mut findings = Vec::new();
            check_fuzz(&tree, &mut findings);
            findings
                .into_iter()
                .map(|finding| finding.path)
                .collect::<Vec<_>>()
        };
        assert!(findings(manifest, page, test).is_empty());
        assert_eq!(findings("", page, test), ["fuzz/Cargo.toml"]);
        assert_eq!(findings(manifest, "", test), ["docs/how-to/fuzz.md"]);
        let more = page.replace("run a", "run a\n$ cargo +nightly fuzz run b");
        assert_eq!(findings(manifest, &more, test), ["docs/how-to/fuzz.md"]);
        assert_eq!(findings(manifest, page, ""), [FUZZ_TEST]);
    }
}
