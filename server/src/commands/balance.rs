//! `balance`, `subscriber show`, `statement`, `explain`: looking.

use crate::cli::{ExplainArgs, NumberArgs, StatementArgs};
use crate::client::{Client, escaped};
use crate::output::{Output, Printer};
use serde_json::{Value, json};

/// `raseed balance`.
pub fn show(client: &Client, args: &NumberArgs, output: &Output) -> anyhow::Result<()> {
    let account = client
        .get(format!("/v1/subscribers/{}/balance", escaped(&args.msisdn)))
        .send()?;
    output.value(&account, |print| print_account(print, &account))
}

/// An account for people.
pub fn print_account(print: &mut Printer, account: &Value) {
    let word = |name: &str| account[name].as_str().unwrap_or("-");
    let currency = word("currency");
    print.line(&format!(
        "{}  {}  {}  language {}",
        word("msisdn"),
        account["operator"]["name"].as_str().unwrap_or(""),
        word("state"),
        word("language")
    ));
    print.line(&format!(
        "balance {currency} {}   reserved {}   valid until {}   open sessions {}",
        word("main"),
        word("reserved"),
        word("valid_until"),
        account["sessions"]
    ));
    for bucket in account["buckets"].as_array().into_iter().flatten() {
        let word = |name: &str| bucket[name].as_str().unwrap_or("-");
        print.line(&format!(
            "  {:<28} {} of {} left   {}   until {}",
            word("source"),
            amount(word("unit"), bucket["left"].as_i64().unwrap_or(0)),
            amount(word("unit"), bucket["initial"].as_i64().unwrap_or(0)),
            word("scope"),
            word("expires_at")
        ));
    }
}

/// `raseed statement`.
pub fn statement(client: &Client, args: &StatementArgs, output: &Output) -> anyhow::Result<()> {
    let page = client
        .get(format!("/v1/subscribers/{}/statement", escaped(&args.msisdn)))
        .query("limit", &args.limit)
        .language(args.language.tag())
        .send()?;
    output.value(&page, |print| print_statement(print, &page, args.why))
}

/// A statement for people, the oldest line first.
pub fn print_statement(print: &mut Printer, page: &Value, why: bool) {
    let lines: Vec<&Value> = page["lines"].as_array().into_iter().flatten().rev().collect();
    if !why {
        let rows: Vec<Vec<String>> = lines.iter().map(|line| row(line)).collect();
        print.table(
            &["when", "what", "used", "amount", "tax", "balance", "event"],
            &rows,
            &[2, 3, 4, 5],
        );
        return;
    }
    for line in lines {
        print.line(&row(line).join("  "));
        for sentence in line["why"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            print.line(&format!("    {sentence}"));
        }
    }
}

fn row(line: &Value) -> Vec<String> {
    let word = |name: &str| line[name].as_str().unwrap_or("").to_owned();
    let kind = word("kind");
    let unit = match kind.as_str() {
        "data" => "octets",
        "voice" => "seconds",
        _ => "messages",
    };
    let what = [kind.clone(), word("title"), word("called")]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    vec![
        word("at"),
        what,
        line["used"]
            .as_i64()
            .map_or_else(String::new, |used| amount(unit, used)),
        word("amount"),
        word("tax"),
        word("balance"),
        line["events"][0].as_str().unwrap_or("").to_owned(),
    ]
}

/// `raseed explain`.
pub fn explain(client: &Client, args: &ExplainArgs, output: &Output) -> anyhow::Result<()> {
    let told = client
        .get(format!("/v1/explain/{}", escaped(&args.event)))
        .language(args.language.tag())
        .send()?;
    output.value(&told, |print| {
        print.line(&format!(
            "{}  {}",
            told["event"].as_str().unwrap_or(""),
            told["at"].as_str().unwrap_or("")
        ));
        for sentence in told["why"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            print.line(&format!("  {sentence}"));
        }
    })
}

/// An amount of a unit in the words of people: `1.5 GB`, `3:05 min`.
pub fn amount(unit: &str, value: i64) -> String {
    const STEPS: [(&str, i64); 3] = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)];
    match unit {
        "octets" => match STEPS
            .iter()
            .find(|(_, size)| value.unsigned_abs() >= size.unsigned_abs())
        {
            Some((name, size)) => {
                let hundredths = i128::from(value) * 100 / i128::from(*size);
                format!("{}.{:02} {name}", hundredths / 100, (hundredths % 100).abs())
            }
            None => format!("{value} B"),
        },
        "seconds" => format!("{}:{:02} min", value / 60, (value % 60).abs()),
        "money" => charge::Money(value).shown(),
        "messages" => format!("{value} SMS"),
        other => json!({"unit": other, "value": value}).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_for_people() {
        assert_eq!(amount("octets", 1 << 30), "1.00 GB");
        assert_eq!(amount("octets", 1_600_000_000), "1.49 GB");
        assert_eq!(amount("octets", 512), "512 B");
        assert_eq!(amount("seconds", 185), "3:05 min");
        assert_eq!(amount("messages", 20), "20 SMS");
    }
}
