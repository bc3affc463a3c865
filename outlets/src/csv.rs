//! Outlets as a file: CSV (RFC 4180, one outlet a line), the first line names the columns.

use crate::limits;
use crate::outlet::{Card, Mistake, Outlet, Service};
use crate::place::{Spot, micro_degrees};
use std::collections::BTreeSet;

/// The columns. `lat` and `lon` are decimal degrees; lists are divided by spaces; `accessible` is yes or no.
pub const COLUMNS: [&str; 18] = [
    "id",
    "name",
    "name_ur",
    "name_zh",
    "address",
    "city",
    "area",
    "lat",
    "lon",
    "hours",
    "breaks",
    "holidays",
    "services",
    "accessible",
    "operators",
    "seller",
    "phone",
    "synthetic",
];
/// Those that must be there.
const NEEDED: [&str; 9] = [
    "id",
    "name",
    "address",
    "city",
    "lat",
    "lon",
    "hours",
    "services",
    "operators",
];

/// A line that is not good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Line of the file, from 1.
    pub line: usize,
    /// What is wrong.
    pub mistake: Mistake,
}

/// Reads a file. `check` looks at what only the caller knows: operators.
///
/// # Errors
/// Every line that is not good, at most [`limits::MISTAKES_MAX`].
pub fn read(
    text: &str,
    check: impl Fn(&Outlet) -> Result<(), Mistake>,
) -> Result<Vec<(usize, Outlet)>, Vec<BadLine>> {
    let mut lines = text
        .trim_start_matches('\u{feff}')
        .split('\n')
        .map(|line| line.trim_end_matches('\r'))
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim().is_empty());
    let whole = |hint: &str| {
        let mistake = Mistake::new("columns", hint.to_owned());
        vec![BadLine { line: 1, mistake }]
    };
    let Some((_, head)) = lines.next() else {
        return Err(whole("the file is empty"));
    };
    let Some(columns) = cells(head) else {
        return Err(whole("the first line names the columns"));
    };
    let columns: Vec<String> = columns.iter().map(|cell| cell.trim().to_owned()).collect();
    if let Some(unknown) = columns.iter().find(|column| !COLUMNS.contains(&column.as_str())) {
        let unknown: String = unknown.chars().take(40).collect();
        return Err(whole(&format!("`{unknown}` is none of {}", COLUMNS.join(", "))));
    }
    if let Some(missing) = NEEDED
        .iter()
        .find(|needed| !columns.iter().any(|column| column == *needed))
    {
        return Err(whole(&format!("the column {missing} is missing")));
    }
    if columns.iter().collect::<BTreeSet<_>>().len() != columns.len() {
        return Err(whole("a column stands there twice"));
    }
    let (mut good, mut bad, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (line, text) in lines {
        let read = row(&columns, text).and_then(|outlet| {
            check(&outlet)?;
            match ids.insert(outlet.card.id.clone()) {
                true => Ok(outlet),
                false => Err(Mistake::new(
                    "id",
                    "this id stands on an earlier line too".to_owned(),
                )),
            }
        });
        match read {
            Ok(outlet) => good.push((line, outlet)),
            Err(mistake) => bad.push(BadLine { line, mistake }),
        }
        if bad.len() >= limits::MISTAKES_MAX {
            break;
        }
        if good.len() > limits::OUTLETS_MAX {
            return Err(whole(&format!("at most {} outlets", limits::OUTLETS_MAX)));
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

fn row(columns: &[String], text: &str) -> Result<Outlet, Mistake> {
    if text.len() > limits::LINE_BYTES_MAX {
        return Err(Mistake::new(
            "line",
            format!("at most {} bytes", limits::LINE_BYTES_MAX),
        ));
    }
    let cells =
        cells(text).ok_or_else(|| Mistake::new("line", "a quotation mark is not closed".to_owned()))?;
    if cells.len() != columns.len() {
        let hint = format!("{} columns, {} cells", columns.len(), cells.len());
        return Err(Mistake::new("line", hint));
    }
    let mut card = Card::default();
    for (column, cell) in columns.iter().zip(cells) {
        set(&mut card, column, cell.trim())?;
    }
    Outlet::new(card)
}

fn set(card: &mut Card, column: &str, cell: &str) -> Result<(), Mistake> {
    let degrees = |field: &'static str| {
        micro_degrees(cell).ok_or_else(|| Mistake::new(field, "degrees with a point: 24.860735".to_owned()))
    };
    match column {
        "id" => cell.clone_into(&mut card.id),
        "name" => cell.clone_into(&mut card.name),
        "name_ur" => cell.clone_into(&mut card.name_ur),
        "name_zh" => cell.clone_into(&mut card.name_zh),
        "address" => cell.clone_into(&mut card.address),
        "city" => cell.clone_into(&mut card.city),
        "area" => cell.clone_into(&mut card.area),
        "lat" => {
            card.spot = Spot {
                lat: degrees("lat")?,
                ..card.spot
            }
        }
        "lon" => {
            card.spot = Spot {
                lon: degrees("lon")?,
                ..card.spot
            }
        }
        "hours" => cell.clone_into(&mut card.hours),
        "breaks" => cell.clone_into(&mut card.breaks),
        "holidays" => cell.clone_into(&mut card.holidays),
        "services" => card.services = services(cell.split_whitespace())?,
        "accessible" => {
            card.accessible = match cell {
                "yes" => true,
                "no" | "" => false,
                _ => return Err(Mistake::new("accessible", "yes or no".to_owned())),
            }
        }
        "operators" => card.operators = cell.split_whitespace().map(str::to_owned).collect(),
        "seller" if !cell.is_empty() => {
            let id = cell
                .parse()
                .map_err(|_| Mistake::new("seller", "the id of a seller".to_owned()))?;
            card.seller = Some(id);
        }
        "phone" => cell.clone_into(&mut card.phone),
        "synthetic" => cell.clone_into(&mut card.synthetic),
        _ => {}
    }
    Ok(())
}

/// The services of their names, each once.
///
/// # Errors
/// [`Mistake`] with those that there are.
pub fn services<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<Service>, Mistake> {
    let found: Option<BTreeSet<Service>> = names.map(Service::parse).collect();
    let found = found.ok_or_else(|| {
        Mistake::new(
            "services",
            format!("services are {}", Service::ALL.map(Service::name).join(", ")),
        )
    })?;
    Ok(found.into_iter().collect())
}

/// The cells of a line; `None` when a quotation mark is not closed.
fn cells(line: &str) -> Option<Vec<String>> {
    let (mut all, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    all.push(cell);
    (!quoted).then_some(all)
}
