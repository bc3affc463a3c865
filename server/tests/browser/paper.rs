//! What is on paper: the text of a printed page, and what a scanner reads in the code on it. By programs that we did not
//! write: poppler and zbar.
#![allow(dead_code, reason = "not every test file uses every helper")]

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// Dots an inch of thermal printers.
pub const DOTS: u32 = 203;

/// What stands in a PDF; `None` when poppler is not installed.
pub fn text(pdf: &[u8]) -> Option<String> {
    let out = run("pdftotext", &["-layout", "-", "-"], pdf)?;
    Some(String::from_utf8(out).unwrap().replace('\u{a0}', " "))
}

/// The first page of a PDF as a picture (PNG); `None` when poppler is not installed.
pub fn picture(pdf: &[u8], dots: u32) -> Option<Vec<u8>> {
    let dots = dots.to_string();
    run(
        "pdftoppm",
        &["-png", "-gray", "-singlefile", "-r", &dots, "-"],
        pdf,
    )
}

/// What a scanner reads in a picture; `None` when zbar is not installed.
pub fn scanned(picture: &Path) -> Option<String> {
    let out = run("zbarimg", &["--raw", "-q", picture.to_str().unwrap()], &[])?;
    Some(String::from_utf8(out).unwrap().trim().to_owned())
}

/// What a scanner reads on a page that a thermal printer printed.
pub fn code(pdf: &[u8], place: &Path) -> Option<String> {
    let file = place.join("paper.png");
    std::fs::write(&file, picture(pdf, DOTS)?).unwrap();
    scanned(&file)
}

fn run(program: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            let required = std::env::var("RASEED_PEERS").is_ok_and(|value| value == "required");
            assert!(!required, "RASEED_PEERS=required, but {program}: {error}");
            eprintln!("SKIPPED: {program} is not here");
            return None;
        }
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || match stdin.write_all(&input) {
        // It may have read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        done => done.unwrap(),
    });
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    // zbarimg ends with 4 when there is no code.
    let good = output.status.success() || output.status.code() == Some(4);
    assert!(good, "{program}: {output:?}");
    Some(output.stdout)
}
