//! `seller ...`: the selling chain.

use super::subscriber::money;
use crate::cli::Target;
use crate::client::{Client, escaped};
use crate::failure::{Failure, Kind};
use crate::output::{Output, Printer};
use charge::Money;
use clap::Subcommand;
use serde_json::{Map, Value, json};

/// How long a movement may take to reach its receiver, seconds.
const WAIT_S: u32 = 10;

/// `seller ...`
#[derive(Subcommand, Debug)]
pub enum SellerCommand {
    /// Give a partner its place in the chain; a new partner is made from a code and a name.
    #[command(after_help = "Examples:\n  raseed seller add jazz-stock operator\n  \
                            raseed seller add lahore distributor --under 170001 --name \"Lahore Distribution\" --with-key\n\n\
                            Grades and rules: catalog/chain.toml")]
    Add {
        /// Short code of a new partner, shown as channel on receipts; or the id of a partner that is there.
        code: String,
        /// Grade in the chain.
        grade: String,
        /// Id of the seller directly above; a root has none.
        #[arg(long, value_name = "ID")]
        under: Option<u32>,
        /// Name for people; the code when left out.
        #[arg(long)]
        name: Option<String>,
        /// Operators it may sell for, by code; all when left out.
        #[arg(long, value_delimiter = ',')]
        operators: Vec<String>,
        /// The number that it sells by and that notices go to.
        #[arg(long)]
        number: Option<String>,
        /// Language of notices: en, ur, zh.
        #[arg(long)]
        language: Option<String>,
        /// Reference of its outlet.
        #[arg(long)]
        outlet: Option<String>,
        /// Make an API key for it and print it, once.
        #[arg(long)]
        with_key: bool,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// One level of the tree: the roots, or those below a seller.
    List {
        /// Those directly below this one.
        #[arg(long, value_name = "ID")]
        under: Option<u32>,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Show a seller: place, float, limits, people, devices.
    Show {
        /// Its id.
        seller: u32,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Move stock out of a seller's float: O2C, C2C, return or withdrawal, as they stand to each other.
    Transfer {
        /// Who gives.
        from: u32,
        /// Who receives.
        to: u32,
        /// How much leaves the giver's float.
        amount: String,
        /// Your reference: the same one never moves stock twice. Made up when left out.
        #[arg(long, value_name = "ID")]
        reference: Option<String>,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Movements of a seller, the newest first.
    Transfers {
        /// Its id.
        seller: u32,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Set all limits of a seller together; what is left out is not limited.
    Limits {
        /// Its id.
        seller: u32,
        /// Smallest sale.
        #[arg(long)]
        minimum: Option<String>,
        /// Largest sale.
        #[arg(long)]
        maximum: Option<String>,
        /// Sold on one day.
        #[arg(long)]
        day_amount: Option<String>,
        /// Sales on one day.
        #[arg(long)]
        day_count: Option<u32>,
        /// Sold in one month.
        #[arg(long)]
        month_amount: Option<String>,
        /// Sales in one month.
        #[arg(long)]
        month_count: Option<u32>,
        /// Largest movement of stock out of its float.
        #[arg(long)]
        move_maximum: Option<String>,
        /// Moved out of its float on one day.
        #[arg(long)]
        move_day: Option<String>,
        /// Sales by staff above this need the PIN; every one when left out.
        #[arg(long)]
        pin_above: Option<String>,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Change credit line, low-stock mark, number, outlet or the need of a bound device.
    Set {
        /// Its id.
        seller: u32,
        /// Most that it may owe.
        #[arg(long)]
        credit_line: Option<String>,
        /// Below this its float is low, and its number gets a message; 0: never.
        #[arg(long)]
        low_mark: Option<String>,
        /// The number that it sells by.
        #[arg(long)]
        number: Option<String>,
        /// Language of notices.
        #[arg(long)]
        language: Option<String>,
        /// Reference of its outlet.
        #[arg(long)]
        outlet: Option<String>,
        /// Sell from bound devices only: true or false.
        #[arg(long)]
        bound: Option<bool>,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Bar a seller and everybody below it, or let it go.
    Block {
        /// Its id.
        seller: u32,
        /// Let it go.
        #[arg(long)]
        off: bool,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Add somebody who works at an outlet, or change name and role; the PIN is read from the environment, not from arguments.
    #[command(
        after_help = "Example:\n  RASEED_PIN=2580 raseed seller staff 170003 ali --name Ali --role cashier"
    )]
    Staff {
        /// Id of the seller.
        seller: u32,
        /// The login.
        login: String,
        /// Name for people; the login when left out.
        #[arg(long)]
        name: Option<String>,
        /// cashier, manager or owner.
        #[arg(long, default_value = "cashier")]
        role: String,
        /// Remove instead.
        #[arg(long)]
        remove: bool,
        /// First PIN: it must be changed at its first use.
        #[arg(long, env = "RASEED_PIN", hide_env_values = true)]
        pin: Option<String>,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Give somebody a new first PIN, which unlocks; it must be changed at its first use.
    Pin {
        /// Id of the seller.
        seller: u32,
        /// The login.
        login: String,
        /// The PIN, 4 to 8 digits.
        #[arg(long, env = "RASEED_PIN", hide_env_values = true)]
        pin: String,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Bind a device to an outlet and print what it shows with each sale, once; or remove it.
    Device {
        /// Id of the seller.
        seller: u32,
        /// Name of the device.
        device: String,
        /// IMEI or another secret that it has; one is made when left out.
        #[arg(long)]
        secret: Option<String>,
        /// Remove instead.
        #[arg(long)]
        remove: bool,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
    /// Sales and commission of a seller on one day.
    Day {
        /// Its id.
        seller: u32,
        /// A local date like 2026-11-22.
        #[arg(default_value = "today")]
        day: String,
        /// Where.
        #[command(flatten)]
        target: Target,
    },
}

impl SellerCommand {
    /// Where it is carried out.
    pub fn target(&self) -> &Target {
        match self {
            SellerCommand::Add { target, .. }
            | SellerCommand::List { target, .. }
            | SellerCommand::Show { target, .. }
            | SellerCommand::Transfer { target, .. }
            | SellerCommand::Transfers { target, .. }
            | SellerCommand::Limits { target, .. }
            | SellerCommand::Set { target, .. }
            | SellerCommand::Block { target, .. }
            | SellerCommand::Staff { target, .. }
            | SellerCommand::Pin { target, .. }
            | SellerCommand::Device { target, .. }
            | SellerCommand::Day { target, .. } => target,
        }
    }
}

/// Carries a `seller` command out.
pub fn run(client: &Client, command: &SellerCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        SellerCommand::Add { .. } => add(client, command, output),
        SellerCommand::List { under, .. } => list(client, *under, output),
        SellerCommand::Show { seller, .. } => {
            let found = client.get(format!("/v1/sellers/{seller}")).send()?;
            output.value(&found, |print| print_seller(print, &found))
        }
        SellerCommand::Transfer {
            from,
            to,
            amount,
            reference,
            ..
        } => transfer(client, (*from, *to), amount, reference.as_deref(), output),
        SellerCommand::Transfers { seller, .. } => transfers(client, *seller, output),
        SellerCommand::Limits { seller, .. } => {
            change(client, *seller, json!({"limits": limits(command)?}), output)
        }
        SellerCommand::Set { seller, .. } => change(client, *seller, settings(command)?, output),
        SellerCommand::Block { seller, off, .. } => change(client, *seller, json!({"blocked": !off}), output),
        SellerCommand::Staff {
            seller,
            login,
            name,
            role,
            remove,
            pin,
            ..
        } => {
            let path = format!("/v1/sellers/{seller}/staff/{}", escaped(login));
            if *remove {
                client.delete(path).send()?;
            } else {
                let body = json!({"name": name.as_deref().unwrap_or(login), "role": role, "pin": pin});
                client.put(path, body).send()?;
            }
            said(
                output,
                *seller,
                &format!("{login}: {}", if *remove { "removed" } else { role }),
            )
        }
        SellerCommand::Pin {
            seller, login, pin, ..
        } => {
            let path = format!("/v1/sellers/{seller}/staff/{}/pin", escaped(login));
            client.post(path, json!({"new": pin})).send()?;
            said(
                output,
                *seller,
                &format!("{login}: a new PIN, to be changed at its first use"),
            )
        }
        SellerCommand::Device {
            seller,
            device,
            secret,
            remove,
            ..
        } => {
            let path = format!("/v1/sellers/{seller}/devices/{}", escaped(device));
            if *remove {
                client.delete(path).send()?;
                return said(output, *seller, &format!("{device}: removed"));
            }
            let bound = client.put(path, json!({"secret": secret})).send()?;
            output.value(&bound, |print| {
                print.line(&format!("{device} belongs to seller {seller}"));
                if let Some(secret) = bound["secret"].as_str() {
                    print.line(&format!(
                        "it shows with each sale (shown once, keep it): {secret}"
                    ));
                }
            })
        }
        SellerCommand::Day { seller, day, .. } => {
            let found = client
                .get(format!("/v1/sellers/{seller}/days/{}", escaped(day)))
                .send()?;
            output.value(&found, |print| print_day(print, &found))
        }
    }
}

fn add(client: &Client, command: &SellerCommand, output: &Output) -> anyhow::Result<()> {
    let SellerCommand::Add {
        code,
        grade,
        under,
        name,
        operators,
        number,
        language,
        outlet,
        with_key,
        ..
    } = command
    else {
        return Ok(());
    };
    let mut body = json!({
        "grade": grade, "parent": under, "operators": operators, "number": number, "language": language,
        "outlet": outlet, "key": with_key,
    });
    match code.parse::<u32>() {
        Ok(id) => body["partner"] = json!(id),
        Err(_) => {
            body["code"] = json!(code);
            body["name"] = json!(name.as_deref().unwrap_or(code));
        }
    }
    let made = client.post("/v1/sellers", body).send()?;
    output.value(&made, |print| {
        print_seller(print, &made);
        if let Some(key) = made["key"]["key"].as_str() {
            print.line(&format!("API key (shown once, keep it): {key}"));
        }
    })
}

fn list(client: &Client, under: Option<u32>, output: &Output) -> anyhow::Result<()> {
    let mut call = client.get("/v1/sellers").query("limit", &200);
    if let Some(under) = &under {
        call = call.query("parent", under);
    }
    let found = call.send()?;
    output.value(&found, |print| {
        let rows: Vec<Vec<String>> = each(&found["sellers"])
            .map(|one| {
                let state = match (one["open"].as_bool(), one["low"].as_bool()) {
                    (Some(false), _) => "blocked",
                    (_, Some(true)) => "low",
                    _ => "",
                };
                let word = |name: &str| word(one, name).to_owned();
                vec![
                    one["id"].to_string(),
                    word("grade"),
                    word("code"),
                    word("name"),
                    word("float"),
                    word("owed"),
                    state.to_owned(),
                ]
            })
            .collect();
        print.table(
            &["id", "grade", "code", "name", "float", "owed", ""],
            &rows,
            &[0, 4, 5],
        );
    })
}

fn transfer(
    client: &Client,
    (from, to): (u32, u32),
    amount: &str,
    reference: Option<&str>,
    output: &Output,
) -> anyhow::Result<()> {
    let amount = money(amount)?.exact();
    let made = reference.map_or_else(|| format!("cli-{:032x}", rand::random::<u128>()), str::to_owned);
    let moved = client
        .post(
            format!("/v1/sellers/{from}/moves"),
            json!({"to": to, "amount": amount}),
        )
        .once(&escaped(&made))
        .query("wait", &WAIT_S)
        .send()?;
    output.value(&moved, |print| {
        print.line(&format!(
            "{}  {}  {} -> {}  {}  reference {made}",
            word(&moved, "state"),
            word(&moved, "kind"),
            from,
            to,
            word(&moved, "amount")
        ));
        print.line(&format!(
            "  received {}  commission {}  back {}",
            word(&moved, "received"),
            word(&moved, "commission"),
            word(&moved, "back")
        ));
    })?;
    match word(&moved, "state") {
        "COMPLETED" => Ok(()),
        "DECLINED" => Err(Failure::new(
            Kind::Refused,
            format!("the movement was declined: {}", word(&moved["reason"], "name")),
        )
        .into()),
        _ => Err(Failure::unavailable("the movement is not completed yet")
            .hint(format!("Repeat it with --reference {made}: nothing moves twice."))
            .into()),
    }
}

fn transfers(client: &Client, seller: u32, output: &Output) -> anyhow::Result<()> {
    let found = client
        .get(format!("/v1/sellers/{seller}/moves"))
        .query("limit", &50)
        .send()?;
    output.value(&found, |print| {
        let rows: Vec<Vec<String>> = each(&found["moves"])
            .map(|one| {
                let word = |name: &str| word(one, name).to_owned();
                vec![
                    word("created_at"),
                    word("kind"),
                    one["from"].to_string(),
                    one["to"].to_string(),
                    word("amount"),
                    word("commission"),
                    word("state"),
                ]
            })
            .collect();
        let heads = ["when", "kind", "from", "to", "amount", "commission", "state"];
        print.table(&heads, &rows, &[2, 3, 4, 5]);
    })
}

fn change(client: &Client, seller: u32, body: Value, output: &Output) -> anyhow::Result<()> {
    let changed = client.patch(format!("/v1/sellers/{seller}"), body).send()?;
    output.value(&changed, |print| print_seller(print, &changed))
}

fn limits(command: &SellerCommand) -> anyhow::Result<Value> {
    let SellerCommand::Limits {
        minimum,
        maximum,
        day_amount,
        day_count,
        month_amount,
        month_count,
        move_maximum,
        move_day,
        pin_above,
        ..
    } = command
    else {
        return Ok(Value::Null);
    };
    let amounts = [
        ("minimum", minimum),
        ("maximum", maximum),
        ("day_amount", day_amount),
        ("month_amount", month_amount),
        ("move_maximum", move_maximum),
        ("move_day", move_day),
        ("pin_above", pin_above),
    ];
    let mut body = amounts_of(&amounts)?;
    body.insert("day_count".to_owned(), json!(day_count));
    body.insert("month_count".to_owned(), json!(month_count));
    Ok(Value::Object(body))
}

fn settings(command: &SellerCommand) -> anyhow::Result<Value> {
    let SellerCommand::Set {
        credit_line,
        low_mark,
        number,
        language,
        outlet,
        bound,
        ..
    } = command
    else {
        return Ok(Value::Null);
    };
    let mut body = amounts_of(&[("credit_line", credit_line), ("low_mark", low_mark)])?;
    for (name, text) in [("number", number), ("language", language), ("outlet", outlet)] {
        body.insert(name.to_owned(), json!(text));
    }
    body.insert("bound".to_owned(), json!(bound));
    Ok(Value::Object(body))
}

fn amounts_of(amounts: &[(&str, &Option<String>)]) -> anyhow::Result<Map<String, Value>> {
    let mut body = Map::new();
    for (name, text) in amounts {
        let amount = text.as_deref().map(money).transpose()?;
        body.insert((*name).to_owned(), json!(amount.map(Money::exact)));
    }
    Ok(body)
}

fn said(output: &Output, seller: u32, line: &str) -> anyhow::Result<()> {
    output.value(&json!({"seller": seller, "done": line}), |print| print.line(line))
}

fn print_seller(print: &mut Printer, seller: &Value) {
    let above: Vec<String> = each(&seller["above"])
        .map(|one| format!("{} ({})", one["id"], word(one, "grade")))
        .collect();
    print.line(&format!(
        "seller {}  {}  {}  {}",
        seller["id"],
        word(seller, "grade"),
        word(seller, "code"),
        word(seller, "name")
    ));
    if !above.is_empty() {
        print.line(&format!("under {}", above.join(" > ")));
    }
    print.line(&format!(
        "float {}  in transit {}  owes {} of {}  {}",
        word(seller, "float"),
        word(seller, "in_transit"),
        word(seller, "owed"),
        word(seller, "credit_line"),
        if seller["open"] == true { "open" } else { "blocked" }
    ));
    for one in each(&seller["staff"]) {
        let locked = if one["locked"] == true { "  locked" } else { "" };
        print.line(&format!(
            "  {}  {}  {}{locked}",
            word(one, "code"),
            word(one, "role"),
            word(one, "name")
        ));
    }
}

fn print_day(print: &mut Printer, day: &Value) {
    print.line(&format!(
        "{}: {} sales, {}  (reversed {}, on their way {}, declined {})",
        word(day, "day"),
        day["count"],
        word(day, "amount"),
        word(day, "reversed"),
        day["open"],
        day["declined"]
    ));
    for one in each(&day["staff"]) {
        let who = match word(one, "staff") {
            "" => "(own key)",
            staff => staff,
        };
        print.line(&format!(
            "  {who}: {} sales, {}",
            one["count"],
            word(one, "amount")
        ));
    }
    print.line(&format!(
        "commission {}  on stock {}  from below {}",
        word(day, "commission"),
        word(day, "stock_commission"),
        word(day, "overrides")
    ));
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("-")
}
