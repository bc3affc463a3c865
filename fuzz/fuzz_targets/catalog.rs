//! Catalog files.
#![no_main]

use charge::catalog::parse::{SourceFile, check};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let file = SourceFile {
        name: "fuzz.toml",
        text,
    };
    let _ = check(&[file], &|_| None);
});
