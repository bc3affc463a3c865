//! Rust text made safe to search: comments and the insides of strings blanked out, line numbers kept.

use std::ops::Range;

/// Blanks comments, strings and characters with spaces. Line breaks and quotes stay: every byte keeps its place.
pub fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (open, end) = if rest.starts_with(b"//") {
            (
                0,
                at + rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
            )
        } else if rest.starts_with(b"/*") {
            (0, block_comment_end(bytes, at))
        } else if let Some((open, end)) = raw_string(bytes, at) {
            (open, end)
        } else if bytes[at] == b'"' {
            (1, quoted_end(bytes, at, b'"'))
        } else if bytes[at] == b'\'' && is_character(rest) {
            (1, quoted_end(bytes, at, b'\''))
        } else {
            at += 1;
            continue;
        };
        let end = end.min(bytes.len());
        for byte in &mut code[at + open..end.saturating_sub(open).max(at + open)] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(code).expect("whole characters are blanked")
}

/// The number, from 1, of the line that holds the byte.
pub fn line_of(text: &str, byte: usize) -> usize {
    1 + text.as_bytes()[..byte]
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count()
}

/// The byte ranges of items under `#[cfg(test)]`.
pub fn test_regions(code: &str) -> Vec<Range<usize>> {
    let mut regions = Vec::new();
    for (start, mark) in code.match_indices("#[cfg(test)]") {
        let end = item_end(code, start + mark.len());
        regions.push(start..end);
    }
    regions
}

/// A function: where it starts and ends in the text.
#[derive(Debug, PartialEq, Eq)]
pub struct Function<'a> {
    pub name: &'a str,
    pub bytes: Range<usize>,
}

/// The functions with a body, nested ones too.
pub fn functions(code: &str) -> Vec<Function<'_>> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("fn ") {
        let before = code[..start].chars().next_back();
        if before.is_some_and(|character| character.is_alphanumeric() || character == '_') {
            continue;
        }
        let rest = &code[start + 3..];
        let length = rest.find(|character: char| !(character.is_alphanumeric() || character == '_'));
        let name = &rest[..length.unwrap_or(rest.len())];
        let end = item_end(code, start);
        if !name.is_empty() && code[..end].ends_with('}') {
            found.push(Function {
                name,
                bytes: start..end,
            });
        }
    }
    found
}

/// Where the item that starts at `from` ends: behind its `;` or its closing brace.
fn item_end(code: &str, from: usize) -> usize {
    let mut round = 0_usize;
    let mut braces = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => round += 1,
            b')' | b']' => round = round.saturating_sub(1),
            b'{' => braces += 1,
            b'}' if braces <= 1 => return at + 1,
            b'}' => braces -= 1,
            b';' if round == 0 && braces == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// `r"..."` and `r#"..."#`, also behind b and c: how much of both ends stays, and the end.
fn raw_string(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let after_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    let prefixed =
        at > 0 && matches!(bytes[at - 1], b'b' | b'c') && (at < 2 || !bytes[at - 2].is_ascii_alphanumeric());
    if bytes[at] != b'r' || (after_word && !prefixed) {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|&&byte| byte == b'#').count();
    if bytes.get(at + 1 + hashes) != Some(&b'"') {
        return None;
    }
    let close = [&b"\""[..], &b"#".repeat(hashes)[..]].concat();
    let body = at + hashes + 2;
    let length = bytes[body..]
        .windows(close.len())
        .position(|window| window == close);
    // The opening mark is one byte (the r) longer than the closing one; keeping as much of both is near enough.
    Some((
        1,
        length.map_or(bytes.len(), |length| body + length + close.len()),
    ))
}

/// Whether a quote opens a character and not a lifetime.
fn is_character(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(byte) if byte.is_ascii() => rest.get(2) == Some(&b'\''),
        Some(_) => rest.iter().skip(1).take(5).any(|&byte| byte == b'\''),
        None => false,
    }
}

fn quoted_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked() {
        let table = [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x // y", 'z')"#, r#"f("      ", ' ')"#),
            (r#"f("a\"b") + g"#, r#"f("    ") + g"#),
            ("&'a str, '\\'', 'b'", "&'a str, '  ', ' '"),
            ("'é' x", "'  ' x"),
            ("// 中\nlet x;", "//    \nlet x;"),
        ];
        for (text, code) in table {
            let blanked = code_only(text);
            assert_eq!(blanked.len(), text.len(), "{text}");
            assert_eq!(blanked.replace("//", "  "), code.replace("//", "  "), "{text}");
        }
    }

    #[test]
    fn raw_strings_are_blanked() {
        for text in [
            r##"f(r#"a " todo b"#); g"##,
            r#"f(br"todo\"); g"#,
            r#"f(r"todo"); g"#,
        ] {
            let blanked = code_only(text);
            assert!(!blanked.contains("todo"), "{blanked}");
            assert!(blanked.ends_with("; g"), "{blanked}");
        }
        assert_eq!(code_only("for r in x"), "for r in x");
    }

    #[test]
    fn functions_are_found_with_their_bodies() {
        let code =
            "trait T { fn a(x: [u8; 4]); }\nfn b() where T: U { if x { y } }\nfn c<const N: usize>() {}\n";
        let names: Vec<&str> = functions(code).iter().map(|function| function.name).collect();
        assert_eq!(names, ["b", "c"]);
        assert_eq!(
            &code[functions(code)[0].bytes.clone()],
            "fn b() where T: U { if x { y } }"
        );
    }

    #[test]
    fn test_regions_end_with_their_item() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { x } }\nfn c() {}\n";
        let regions = test_regions(code);
        assert_eq!(regions.len(), 1);
        assert!(code[regions[0].clone()].ends_with("{ x } }"));
        let regions = test_regions("#[cfg(test)]\nmod tests;\nfn c() {}\n");
        assert_eq!((regions[0].start, regions[0].end), (0, 23));
    }
}
