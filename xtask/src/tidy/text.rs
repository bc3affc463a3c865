//! Rules for every text file: left-over marks, paths of one machine, registry hosts; and for Markdown: links, README.

use super::{Finding, Tree};

/// Marks of unfinished work. In pieces, so that this file passes its own rule.
const LEFT_OVERS: [&str; 2] = [concat!("FIX", "ME"), concat!("TO", "DO")];

/// Directories of machines on which the project was once built: nobody else has them.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/tmp", "/wt"),
    concat!("/ro", "ot/"),
    concat!("/home", "/"),
    concat!("/Use", "rs/"),
];

/// Hosts of package registries: clients know them by themselves, and a mirror may stand in their place.
const REGISTRY_HOSTS: [&str; 8] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("deb.debian", ".org"),
    concat!("archive.ubuntu", ".com"),
    concat!("proxy.golang", ".org"),
];

/// Cargo writes the name of the registry into these itself.
const WRITTEN_BY_TOOLS: [&str; 2] = ["Cargo.lock", "package-lock.json"];

/// Kinds of files that pages name.
const NAMED_KINDS: [&str; 7] = [".rs", ".md", ".toml", ".html", ".py", ".ftl", ".txt"];

/// The heading of the part of README.md that holds the two commands.
const SETUP_HEADING: &str = "## Set-up";
const SETUP_COMMANDS: [&str; 2] = ["cargo run --release -- demo", "cargo xtask test"];

pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.texts("") {
        check_words(path, text, findings);
    }
    for (path, text) in tree.texts(".md") {
        check_links(tree, path, text, findings);
        check_named_files(tree, path, text, findings);
    }
    let readme = tree
        .files
        .get("README.md")
        .and_then(Option::as_deref)
        .unwrap_or_default();
    check_readme(readme, findings);
}

/// The path that `relative` means when it stands in a file of `directory`.
pub fn join(directory: &str, relative: &str) -> String {
    let start = if relative.starts_with('/') { "" } else { directory };
    let mut parts: Vec<&str> = start.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            // A step above the root must not resolve to something inside.
            ".." if parts.pop().is_none() => parts.push(".."),
            ".." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn check_words(path: &str, text: &str, findings: &mut Vec<Finding>) {
    if WRITTEN_BY_TOOLS.iter().any(|name| path.ends_with(name))
        || path == "LICENSE"
        || path.ends_with(".min.js")
    {
        return;
    }
    for (index, line) in text.lines().enumerate() {
        let mut find = |rule, message| {
            findings.push(Finding {
                path: path.to_owned(),
                line: index + 1,
                rule,
                message,
            });
        };
        for word in LEFT_OVERS.iter().filter(|word| has_word(line, word)) {
            find("left-over", format!("{word}: finish it, or write an issue"));
        }
        for part in MACHINE_PATHS.iter().filter(|part| has_path(line, part)) {
            find(
                "machine path",
                format!("{part} exists on one machine only; use a relative path"),
            );
        }
        for host in REGISTRY_HOSTS.iter().filter(|host| line.contains(*host)) {
            find(
                "registry host",
                format!("{host}: name the package, the client knows where to get it"),
            );
        }
    }
}

fn has_word(line: &str, word: &str) -> bool {
    let edge = |character: Option<char>| !character.is_some_and(char::is_alphanumeric);
    line.match_indices(word)
        .any(|(at, _)| edge(line[..at].chars().next_back()) && edge(line[at + word.len()..].chars().next()))
}

/// An absolute path: what stands before its slash is no part of a longer path or address.
fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "._-/{}$*~:".contains(before))
    })
}

/// Files that a page names in backticks: `web/src/page/stop.rs`, or the end of such a path. Capitals stand for a name to choose.
fn check_named_files(tree: &Tree, path: &str, text: &str, findings: &mut Vec<Finding>) {
    for (number, line) in prose(text) {
        for name in line.split('`').skip(1).step_by(2) {
            let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-./".contains(c);
            let is_file = NAMED_KINDS.iter().any(|ending| name.ends_with(ending));
            if !is_file || !name.contains('/') || name.starts_with('/') || !name.chars().all(letter) {
                continue;
            }
            let end = format!("/{name}");
            if !tree
                .files
                .keys()
                .any(|known| known == name || known.ends_with(&end))
            {
                findings.push(Finding {
                    path: path.to_owned(),
                    line: number,
                    rule: "named file",
                    message: format!("there is no {name}"),
                });
            }
        }
    }
}

fn check_links(tree: &Tree, path: &str, text: &str, findings: &mut Vec<Finding>) {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    for (number, line) in prose(text) {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (target, _) in
            targets.filter(|(target, _)| !target.contains("://") && !target.starts_with("mailto:"))
        {
            let target = target.split_whitespace().next().unwrap_or_default();
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let name = if file.is_empty() {
                path.to_owned()
            } else {
                join(directory, file)
            };
            let mut find = |message| {
                findings.push(Finding {
                    path: path.to_owned(),
                    line: number,
                    rule: "link",
                    message,
                });
            };
            if !tree.has(&name) {
                find(format!("{target} leads nowhere"));
            } else if let Some(Some(text)) = tree.files.get(&name).filter(|_| !anchor.is_empty())
                && !headings(text).any(|heading| heading == anchor)
            {
                find(format!("{target}: there is no such heading"));
            }
        }
    }
}

/// The lines outside fenced blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

/// The anchors of a Markdown text, as forges make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter_map(|(_, line)| {
        let title = line
            .trim_start_matches('#')
            .strip_prefix(' ')
            .filter(|_| line.starts_with('#'))?;
        let kept = title
            .trim()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        Some(
            kept.map(|c| if c == ' ' { '-' } else { c })
                .collect::<String>()
                .to_lowercase(),
        )
    })
}

fn check_readme(text: &str, findings: &mut Vec<Finding>) {
    let commands = setup_commands(text);
    if commands != SETUP_COMMANDS {
        let message = format!(
            "`{SETUP_HEADING}` holds two fenced sh blocks, `{}`; found {commands:?}",
            SETUP_COMMANDS.join("` and `")
        );
        findings.push(Finding {
            path: "README.md".to_owned(),
            line: 0,
            rule: "set-up",
            message,
        });
    }
}

/// The lines of the fenced shell blocks in the set-up part. Shell blocks elsewhere are a tour and are marked `console`.
fn setup_commands(text: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let mut inside_setup = false;
    let mut fence = None;
    for line in text.lines() {
        match (fence, line.strip_prefix("```")) {
            (None, Some(language)) => fence = Some(language.trim()),
            (Some(_), Some(_)) => fence = None,
            (Some("sh" | "bash" | "shell"), None) => commands.push((inside_setup, line.trim())),
            (Some(_), None) => {}
            (None, None) if line.starts_with("## ") => inside_setup = line.trim() == SETUP_HEADING,
            (None, None) => {}
        }
    }
    let outside = commands.iter().any(|(inside, _)| !inside);
    commands
        .into_iter()
        .filter(|(inside, _)| *inside || outside)
        .map(|(_, command)| command)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_must_not_stay() {
        let table = [
            (format!("// {} later", LEFT_OVERS[0]), Some("left-over")),
            (format!("{}S and the like", LEFT_OVERS[1]), None),
            (format!("cd {}main", MACHINE_PATHS[0]), Some("machine path")),
            (format!("a/frame{}main", MACHINE_PATHS[0]), None),
            (format!("https://example.org{}main", MACHINE_PATHS[0]), None),
            (
                format!("https://{}/crates/serde", REGISTRY_HOSTS[0]),
                Some("registry host"),
            ),
            ("serde stands in the registry".to_owned(), None),
        ];
        for (line, rule) in table {
            let mut findings = Vec::new();
            check_words("a.md", &line, &mut findings);
            assert_eq!(findings.first().map(|finding| finding.rule), rule, "{line}");
        }
    }

    #[test]
    fn named_files_are_there() {
        let tree = Tree::of(&[("web/src/page/stop.rs", "")]);
        for (line, good) in [
            ("`web/src/page/stop.rs` and `page/stop.rs`", true),
            ("`web/src/page/gone.rs`", false),
            ("not in code: web/src/page/gone.rs", true),
            (
                "`web/src/page/NAME.rs`, `stop.rs`, `/etc/raseed.toml`, `--config a/b.toml`",
                true,
            ),
        ] {
            let mut findings = Vec::new();
            check_named_files(&tree, "docs/a.md", line, &mut findings);
            assert_eq!(findings.is_empty(), good, "{line}");
        }
    }

    #[test]
    fn links_lead_somewhere() {
        let table = [
            ("[a](../README.md)", true),
            ("[a](../README.md#two-words-here)", true),
            ("[a](../README.md#gone)", false),
            ("[a](gone.md)", false),
            ("[a](../../README.md)", false),
            ("[a](#here) and [b](.)", true),
            ("[a](https://example.org/gone.md)", true),
            ("```\n[a](gone.md)\n```", true),
        ];
        for (text, good) in table {
            let page = format!("# Here\n{text}\n");
            let tree = Tree::of(&[("README.md", "## Two words, here"), ("docs/a.md", &page)]);
            let mut findings = Vec::new();
            check_links(&tree, "docs/a.md", &page, &mut findings);
            assert_eq!(findings.is_empty(), good, "{text}: {findings:?}");
        }
    }

    #[test]
    fn the_readme_has_two_commands() {
        let good = "# R\n## Set-up\n```sh\ncargo run --release -- demo\n```\nand\n```sh\ncargo xtask test\n```\n\
                    ## Tour\n```console\nraseed --help\n```\n";
        let table = [
            (good.to_owned(), true),
            (String::new(), false),
            (good.replace("```console", "```sh"), false),
            (good.replace("and\n", "```sh\nmake\n```\n"), false),
            (good.replace("## Set-up", "## Other"), true),
        ];
        for (text, good) in table {
            let mut findings = Vec::new();
            check_readme(&text, &mut findings);
            assert_eq!(findings.is_empty(), good, "{text}");
        }
    }
}
