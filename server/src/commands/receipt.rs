//! `raseed receipt`: checks a receipt without any network, and changes the key that signs.

use super::config_for;
use crate::cli::ReceiptCommand;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::receipt_keys;
use anyhow::Context as _;
use serde_json::json;
use std::io::Read as _;
use std::path::Path;
use web::receipt::keys::PublicKeys;
use web::receipt::signed::{self, Proof};

/// Longest text that is read, bytes.
const TEXT_BYTES_MAX: u64 = 1 << 16;

/// One of the commands.
pub fn run(command: &ReceiptCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        ReceiptCommand::Verify { text, key } => verify(text, key, output),
        ReceiptCommand::RotateKey { data, revoke } => {
            let config = config_for(&data.data, data.config.as_ref())?;
            let path = receipt_keys::path(&config.data, config.receipts.key_file.as_ref());
            let ring = receipt_keys::rotate(&path, revoke.as_deref())?;
            let id = ring.signer().id().to_owned();
            output.value(
                &json!({"ok": true, "signs": id, "keys": ring.public().keys.len()}),
                |print| {
                    print.line(&format!(
                        "key {id} signs receipts from the next start of the server on"
                    ));
                },
            )
        }
    }
}

fn verify(text: &str, key: &Path, output: &Output) -> anyhow::Result<()> {
    let keys = std::fs::read_to_string(key).with_context(|| format!("read {}", key.display()))?;
    let keys = PublicKeys::from_json(&keys).map_err(|error| {
        Failure::usage(format!("the key file {} cannot be used: {error}", key.display()))
            .hint("Take the one that the operator publishes at /.well-known/raseed-receipt-keys.json.")
    })?;
    let mut pasted = text.to_owned();
    if text == "-" {
        pasted.clear();
        std::io::stdin()
            .take(TEXT_BYTES_MAX)
            .read_to_string(&mut pasted)
            .context("read standard input")?;
    }
    let found = signed::find(pasted.trim()).unwrap_or_default();
    let proof = Proof::verify(found, &keys).map_err(|flaw| {
        Failure::new(Kind::Failed, format!("NOT GENUINE: {flaw}"))
            .hint("Do not hand over goods or money for it.")
    })?;
    let at = jiff::Timestamp::from_microsecond(proof.at.0).context("read the time")?;
    let fields = [
        ("number", proof.number.to_string()),
        ("operator", proof.operator.clone()),
        ("time", at.to_string()),
        ("msisdn", proof.msisdn.clone()),
        ("currency", proof.currency.clone()),
        ("gross", proof.gross.exact()),
        ("tax", proof.tax.exact()),
        ("fee", proof.fee.exact()),
        ("credited", proof.credited.exact()),
        ("channel", proof.channel.clone()),
    ];
    let mut value = json!({"genuine": true});
    for (name, text) in &fields {
        value[*name] = json!(text);
    }
    output.value(&value, |print| {
        print.line("GENUINE: the operator signed this, and nothing in it was changed");
        for (name, text) in &fields {
            print.line(&format!("  {name:<9} {text}"));
        }
    })
}
