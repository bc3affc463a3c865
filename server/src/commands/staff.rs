//! `raseed staff`: who works here.

use crate::cli::StaffCommand;
use crate::client::{Client, escaped};
use crate::output::Output;
use serde_json::{Value, json};

/// Adds, changes, lists.
pub fn run(client: &Client, command: &StaffCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        StaffCommand::Add { name, role, .. } => {
            let made = client
                .post("/v1/staff", json!({"name": name, "role": role}))
                .send()?;
            show(&made, output)
        }
        StaffCommand::Set {
            name,
            role,
            off,
            on,
            invite,
            ..
        } => {
            let active = (*off || *on).then_some(*on);
            let body = json!({"role": role, "active": active, "invite": invite});
            let done = client.post(format!("/v1/staff/{}", escaped(name)), body).send()?;
            show(&done, output)
        }
        StaffCommand::List { .. } => {
            let found = client.get("/v1/staff").send()?;
            output.value(&found, |print| {
                for one in found.as_array().into_iter().flatten() {
                    let word = |name: &str| one[name].as_str().unwrap_or("-");
                    let state = match (one["active"].as_bool(), one["ready"].as_bool()) {
                        (Some(false), _) => "switched off",
                        (_, Some(false)) => "not set up yet",
                        _ => "active",
                    };
                    print.line(&format!("{:<32} {:<8} {state}", word("name"), word("role")));
                }
            })
        }
    }
}

fn show(done: &Value, output: &Output) -> anyhow::Result<()> {
    output.value(done, |print| {
        let word = |name: &str| done[name].as_str().unwrap_or("");
        if word("link").is_empty() {
            print.line(&format!("{}: done", word("name")));
        } else {
            print.line(&format!(
                "{}: set the account up within a day, once:",
                word("name")
            ));
            print.line(word("link"));
        }
    })
}
