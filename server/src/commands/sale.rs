//! `topup`, `bundle ...`, `partner ...`: selling.

use super::subscriber::money;
use crate::cli::{BundleCommand, PartnerCommand, TopupArgs};
use crate::client::{Client, escaped};
use crate::commands::balance::amount;
use crate::failure::{Failure, Kind};
use crate::output::{Output, Printer};
use charge::Money;
use serde_json::{Value, json};

/// How long a top-up may take to reach the account, seconds.
const WAIT_S: u32 = 10;

/// `raseed topup`.
pub fn topup(client: &Client, args: &TopupArgs, output: &Output) -> anyhow::Result<()> {
    let gross = money(&args.amount)?.exact();
    if args.quote {
        let quote = client
            .post("/v1/quotes", json!({"msisdn": args.msisdn, "amount": gross}))
            .send()?;
        return output.value(&quote, |print| print_price(print, &quote, &quote));
    }
    let reference = args.external_id.clone().unwrap_or_else(made_up);
    let body = json!({"msisdn": args.msisdn, "amount": gross, "external_id": reference, "again": true});
    let top_up = client
        .post("/v1/topups", body)
        .once(&escaped(&reference))
        .query("wait", &WAIT_S)
        .send()?;
    output.value(&top_up, |print| {
        print.line(&format!(
            "{}  {}  external id {reference}",
            word(&top_up, "state"),
            word(&top_up, "id")
        ));
        print_price(print, &top_up["price"], &top_up);
    })?;
    match word(&top_up, "state") {
        "COMPLETED" => Ok(()),
        "DECLINED" => Err(Failure::new(
            Kind::Refused,
            format!("the top-up was declined: {}", word(&top_up["reason"], "name")),
        )
        .into()),
        _ => Err(Failure::unavailable("the top-up is not completed yet")
            .hint(format!(
                "Repeat it with --external-id {reference}: nothing is sold twice."
            ))
            .into()),
    }
}

/// Gross, tax and credit for people.
fn print_price(print: &mut Printer, price: &Value, about: &Value) {
    if price.is_null() {
        return;
    }
    let currency = word(price, "currency");
    print.line(&format!("  paid       {currency} {}", word(price, "gross")));
    for tax in price["tax"].as_array().into_iter().flatten() {
        print.line(&format!(
            "  tax        {currency} {}   {} {} %",
            word(tax, "amount"),
            word(tax, "name"),
            word(tax, "rate")
        ));
    }
    print.line(&format!("  credited   {currency} {}", word(price, "net_credit")));
    for (label, name) in [
        ("promotion", "promotion"),
        ("balance", "balance"),
        ("valid to", "valid_until"),
        ("receipt", "receipt"),
    ] {
        let value = [price, about].into_iter().find_map(|value| value[name].as_str());
        if let Some(value) = value {
            print.line(&format!("  {label:<10} {value}"));
        }
    }
}

/// Carries a `bundle` command out.
pub fn bundle(client: &Client, command: &BundleCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        BundleCommand::List { operator, .. } => bundle_list(client, operator, output),
        BundleCommand::Buy {
            msisdn,
            offer,
            renew,
            external_id,
            ..
        } => {
            let reference = external_id.clone().unwrap_or_else(made_up);
            let bought = client
                .post(
                    format!("/v1/subscribers/{}/bundles", escaped(msisdn)),
                    json!({"bundle": offer, "renew": renew}),
                )
                .once(&escaped(&reference))
                .send()?;
            output.value(&bought, |print| {
                let brought = bought["buckets"].as_array().into_iter().flatten();
                let brought: Vec<String> = brought
                    .map(|one| amount(word(one, "unit"), one["amount"].as_i64().unwrap_or(0)))
                    .collect();
                print.line(&format!(
                    "{}: {} until {}",
                    word(&bought, "bundle"),
                    brought.join(", "),
                    word(&bought, "expires_at")
                ));
                print.line(&format!(
                    "price {} (tax {}), balance {}",
                    word(&bought, "price"),
                    word(&bought, "tax"),
                    word(&bought, "balance")
                ));
            })
        }
        BundleCommand::Renew {
            msisdn, offer, off, ..
        } => {
            let path = format!("/v1/subscribers/{}/bundles/{}", escaped(msisdn), escaped(offer));
            client.patch(path, json!({"renew": !off})).send()?;
            output.value(&json!({"bundle": offer, "renew": !off}), |print| {
                print.line(&format!("{offer}: renewal {}", if *off { "off" } else { "on" }));
            })
        }
    }
}

fn bundle_list(client: &Client, operator: &str, output: &Output) -> anyhow::Result<()> {
    let code = if operator.starts_with(|first: char| first.is_ascii_digit() || first == '+') {
        let found = client.get(format!("/v1/lookup/{}", escaped(operator))).send()?;
        let code = found["operator"]["code"].as_str().map(str::to_owned);
        code.ok_or_else(|| Failure::new(Kind::Refused, format!("nobody here serves {operator}")))?
    } else {
        operator.to_owned()
    };
    let list = client
        .get(format!("/v1/operators/{}/bundles", escaped(&code)))
        .send()?;
    output.value(&list, |print| {
        let bundles = list["bundles"].as_array().into_iter().flatten();
        let rows: Vec<Vec<String>> = bundles
            .map(|bundle| {
                let holds = bundle["buckets"].as_array().into_iter().flatten();
                let holds: Vec<String> = holds
                    .map(|one| {
                        format!(
                            "{} {}",
                            amount(word(one, "unit"), one["amount"].as_i64().unwrap_or(0)),
                            word(one, "scope")
                        )
                    })
                    .collect();
                vec![
                    word(bundle, "code").to_owned(),
                    word(bundle, "name").to_owned(),
                    word(bundle, "period").to_owned(),
                    word(bundle, "price").to_owned(),
                    holds.join("; "),
                ]
            })
            .collect();
        print.table(&["code", "name", "period", "price", "holds"], &rows, &[3]);
    })
}

/// Carries a `partner` command out.
pub fn partner(client: &Client, command: &PartnerCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        PartnerCommand::Add {
            code,
            name,
            operators,
            scopes,
            minimum,
            maximum,
            per_day,
            fund: first,
            ..
        } => {
            let optional = |text: &Option<String>| {
                text.as_deref()
                    .map(money)
                    .transpose()
                    .map(|amount| amount.map(Money::exact))
            };
            let body = json!({
                "code": code, "name": name.as_deref().unwrap_or(code), "operators": operators, "scopes": scopes,
                "minimum": optional(minimum)?, "maximum": optional(maximum)?, "per_day": optional(per_day)?,
            });
            let first = first.as_deref().map(money).transpose()?;
            let mut made = client.post("/v1/partners", body).send()?;
            if let Some(amount) = first {
                let id = made["partner"]["id"].as_u64().unwrap_or(0);
                made["partner"] = fund(client, id, amount, &made_up())?;
            }
            output.value(&made, |print| {
                print_partner(print, &made["partner"]);
                if let Some(key) = made["key"]["key"].as_str() {
                    print.line(&format!("API key (shown once, keep it): {key}"));
                }
            })
        }
        PartnerCommand::Key {
            partner,
            scopes,
            revoke: None,
            ..
        } => {
            let key = client
                .post(format!("/v1/partners/{partner}/keys"), json!({"scopes": scopes}))
                .send()?;
            output.value(&key, |print| {
                print.line(&format!("API key (shown once, keep it): {}", word(&key, "key")));
            })
        }
        PartnerCommand::Key {
            partner,
            revoke: Some(id),
            ..
        } => {
            client
                .delete(format!("/v1/partners/{partner}/keys/{}", escaped(id)))
                .send()?;
            output.value(&json!({"revoked": id}), |print| {
                print.line(&format!("{id} does not work any more"));
            })
        }
        PartnerCommand::Fund {
            partner,
            amount,
            reference,
            ..
        } => {
            let amount = Money::parse(amount).map_err(|_| {
                Failure::usage(format!("`{amount}` is not an amount"))
                    .hint("Write digits, with a minus to take out.")
            })?;
            let reference = reference.clone().unwrap_or_else(made_up);
            let funded = fund(client, u64::from(*partner), amount, &reference)?;
            output.value(&funded, |print| print_partner(print, &funded))
        }
        // Carried out by `commands::partner`.
        PartnerCommand::Trade(command) => super::partner::run(client, command, output),
        PartnerCommand::List { .. } => {
            let list = client.get("/v1/partners").send()?;
            output.value(&list, |print| {
                let partners = list["partners"].as_array().into_iter().flatten();
                let rows: Vec<Vec<String>> = partners
                    .map(|one| {
                        let word = |name: &str| word(one, name).to_owned();
                        vec![
                            one["id"].to_string(),
                            word("code"),
                            word("name"),
                            word("float"),
                            word("in_transit"),
                        ]
                    })
                    .collect();
                print.table(&["id", "code", "name", "float", "in transit"], &rows, &[0, 3, 4]);
            })
        }
    }
}

fn fund(client: &Client, partner: u64, amount: Money, reference: &str) -> anyhow::Result<Value> {
    let body = json!({"amount": amount.exact(), "reference": reference});
    client
        .post(format!("/v1/partners/{partner}/float"), body)
        .once(&escaped(reference))
        .send()
}

fn print_partner(print: &mut Printer, partner: &Value) {
    let operators: Vec<&str> = partner["operators"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let operators = if operators.is_empty() {
        "all".to_owned()
    } else {
        operators.join(", ")
    };
    print.line(&format!(
        "partner {}  {}  {}",
        partner["id"],
        word(partner, "code"),
        word(partner, "name")
    ));
    print.line(&format!(
        "float {}  in transit {}  operators {operators}",
        word(partner, "float"),
        word(partner, "in_transit")
    ));
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("-")
}

/// A reference that nobody else has.
fn made_up() -> String {
    format!("cli-{:032x}", rand::random::<u128>())
}
