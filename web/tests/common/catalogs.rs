//! The catalogs of the house, as the tests use them.

use charge::catalog::Catalogs;
use charge::catalog::parse::{SourceFile, parse_all};
use charge::time::Zone;
use std::sync::{Arc, LazyLock};

static CATALOGS: LazyLock<Arc<Catalogs>> = LazyLock::new(|| {
    let read = |name: &str| {
        let path = format!("{}/../catalog/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("the catalog is there")
    };
    let names = [
        "pakistan.toml",
        "jazz.toml",
        "telenor.toml",
        "zong.toml",
        "ufone.toml",
    ];
    let texts = names.map(read);
    let files: Vec<SourceFile<'_>> = names
        .iter()
        .zip(&texts)
        .map(|(name, text)| SourceFile { name, text })
        .collect();
    let zone = |name: &str| (name == "Asia/Karachi").then(|| Zone::fixed(name, 5 * 3600));
    Arc::new(parse_all(&files, &zone).expect("the catalog is good"))
});

/// Jazz, Telenor, Zong and Ufone.
pub fn catalogs() -> Arc<Catalogs> {
    Arc::clone(&CATALOGS)
}
