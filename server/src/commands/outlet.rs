//! `raseed outlet`: the directory of outlets.

use crate::cli::outlet::{OutletCommand, OutletFilter};
use crate::client::{Call, Client, escaped};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use anyhow::Context as _;
use serde_json::Value;
use std::path::Path;

/// Imports, lists, finds, removes.
pub fn run(client: &Client, command: &OutletCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        OutletCommand::Import { file, .. } => {
            let done = import(client, &read(file)?)?;
            output.value(&done, |print| {
                print.line(&format!(
                    "{} outlets: {} new, {} changed",
                    done["lines"], done["created"], done["changed"]
                ));
            })
        }
        OutletCommand::List { filter, after, .. } => {
            let mut call = filtered(client.get("/v1/outlets"), filter);
            if let Some(after) = after {
                call = call.query("after", after);
            }
            show(&call.send()?, output)
        }
        OutletCommand::Near {
            place,
            lat,
            lon,
            filter,
            ..
        } => {
            let mut call = filtered(client.get("/v1/outlets"), filter);
            if let Some(place) = place {
                call = call.query("near", place);
            }
            if let (Some(lat), Some(lon)) = (lat, lon) {
                call = call.query("lat", lat).query("lon", lon);
            }
            show(&call.send()?, output)
        }
        OutletCommand::Remove { id, .. } => {
            let done = client.delete(format!("/v1/outlets/{}", escaped(id))).send()?;
            output.value(&done, |print| print.line(&format!("{id}: removed")))
        }
    }
}

/// Imports the text of a file; mistakes are an error that names every line.
pub fn import(client: &Client, text: &str) -> anyhow::Result<Value> {
    let done = client
        .post_file("/v1/outlets/import", "text/csv", text.to_owned())
        .send()?;
    if done["done"] == true {
        return Ok(done);
    }
    let mistakes = done["mistakes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lines: Vec<String> = mistakes
        .iter()
        .map(|one| {
            let word = |name: &str| one[name].as_str().unwrap_or("");
            format!("  line {}, {}: {}", one["line"], word("field"), word("hint"))
        })
        .collect();
    let message = format!("nothing was written; the file has mistakes\n{}", lines.join("\n"));
    Err(Failure::new(Kind::Failed, message).into())
}

fn read(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        return std::io::read_to_string(std::io::stdin()).context("read standard input");
    }
    std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))
}

fn filtered<'a>(mut call: Call<'a>, filter: &OutletFilter) -> Call<'a> {
    call = call.query("limit", &filter.limit);
    if filter.open {
        call = call.query("open", &true);
    }
    if filter.accessible {
        call = call.query("accessible", &true);
    }
    if let Some(service) = &filter.service {
        call = call.query("service", service);
    }
    if let Some(operator) = &filter.operator {
        call = call.query("operator", operator);
    }
    call
}

fn show(found: &Value, output: &Output) -> anyhow::Result<()> {
    output.value(found, |print| {
        for one in found.as_array().into_iter().flatten() {
            let word = |name: &str| one[name].as_str().unwrap_or("");
            let far = one["distance_m"].as_u64().map_or(String::new(), |metres| {
                format!("{metres} m {}", word("direction"))
            });
            print.line(&format!(
                "{:<24} {:<7} {far:<14} {}, {} {}",
                word("id"),
                word("state"),
                word("name"),
                word("address"),
                word("city")
            ));
        }
    })
}
