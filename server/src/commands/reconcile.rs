//! `raseed reconcile`: a settlement file against the books.

use crate::cli::{FiguresFormat, ReconcileArgs};
use crate::client::Client;
use crate::output::{Output, Printer};
use anyhow::Context as _;
use serde_json::Value;

/// Sends the file, shows figures and exceptions.
pub fn run(client: &Client, args: &ReconcileArgs, output: &Output) -> anyhow::Result<()> {
    if let Some(format) = args.figures {
        return figures(client, format, output);
    }
    let (Some(path), Some(rail), Some(day)) = (&args.file, &args.rail, &args.day) else {
        anyhow::bail!("--rail, --day and --file belong together");
    };
    let file = std::fs::read_to_string(path);
    let file = file.with_context(|| format!("read {}", path.display()))?;
    let mut call = client
        .post_file("/v1/reconciliations", "text/csv", file)
        .query("rail", rail)
        .query("day", day);
    if let Some(fee) = &args.fee_max_bp {
        call = call.query("fee_max_bp", fee);
    }
    let found = call.send()?;
    output.value(&found, |print| print_found(print, &found))
}

/// Figures and exceptions of a comparison.
pub fn print_found(print: &mut Printer, found: &Value) {
    let word = |name: &str| found[name].as_str().unwrap_or("-");
    print.line(&format!(
        "{} {}: {} lines, {} agree; paid {}, given back {}, fees {}; {} new exceptions",
        word("rail"),
        word("day"),
        found["lines"],
        found["matched"],
        word("paid"),
        word("refunded"),
        word("fees"),
        found["new"]
    ));
    for one in found["exceptions"].as_array().into_iter().flatten() {
        let word = |name: &str| one[name].as_str().filter(|text| !text.is_empty()).unwrap_or("-");
        let state = if one["closed_at"].is_null() {
            "open"
        } else {
            word("remedy")
        };
        print.line(&format!(
            "  {}  {:<16} {:<20} file {} books {}  {}",
            word("id"),
            word("kind"),
            word("payment"),
            word("file"),
            word("books"),
            state
        ));
    }
}

/// The days that were compared, with their three sides.
fn figures(client: &Client, format: FiguresFormat, output: &Output) -> anyhow::Result<()> {
    let call = client.get("/v1/reconciliations");
    if format == FiguresFormat::Csv {
        let text = call.query("format", &"csv").text()?;
        return output.value(&serde_json::json!({ "csv": text }), |print| {
            print.line(text.trim_end());
        });
    }
    let found = call.send()?;
    let lines = serde_json::to_string_pretty(&found).context("print the figures")?;
    output.value(&found, |print| {
        print.line(&lines);
    })
}
