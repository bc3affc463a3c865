//! The daily settlement file of a partner: every movement of its float, the balance after each, and a trailer that proves
//! that the file is whole (reference payments 5.3).
//!
//! ```text
//! seq,time,trace,type,from,to,msisdn,gross,tax,net,commission,balance_before,balance_after,state,orig_trace
//! 17,2026-11-21T07:00:00Z,order-1,sale,float.2,subscriber,923001234567,100.00,13.043478,86.956522,2.75,1000.00,902.75,COMPLETED,
//! trailer,1,-97.25,<SHA-256 of every byte before this line>
//! ```
//!
//! Every line obeys `balance_after = balance_before ± gross + commission` with the sign of its type, and begins where the one
//! before it ended. [`Checker`] checks that, so whoever has the file needs nobody's word.

use charge::{Money, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use store::reads::{FloatKind, FloatLine};

/// The columns.
pub const HEAD: &str = "seq,time,trace,type,from,to,msisdn,gross,tax,net,commission,balance_before,balance_after,state,orig_trace";
/// Longest line that is read, bytes.
pub const LINE_BYTES_MAX: usize = 1024;
/// How the last line of a day that is over begins.
const TRAILER: &str = "trailer";
/// How it begins when there may be more of that day.
const PARTIAL: &str = "partial";

/// Writes a file piece by piece.
pub struct Writer {
    hash: Sha256,
    partner: u32,
    count: u64,
    total: i64,
}

impl Writer {
    /// A file of a partner, and its first line.
    pub fn new(partner: u32) -> (Writer, String) {
        let mut writer = Writer {
            hash: Sha256::new(),
            partner,
            count: 0,
            total: 0,
        };
        let head = format!("{HEAD}\n");
        writer.hash.update(head.as_bytes());
        (writer, head)
    }

    /// Some lines.
    pub fn lines(&mut self, lines: &[FloatLine]) -> String {
        let mut text = String::with_capacity(lines.len() * 160);
        for line in lines {
            self.count += 1;
            self.total += line.after.0 - line.before.0;
            put(&mut text, self.partner, line);
        }
        self.hash.update(text.as_bytes());
        text
    }

    /// The trailer; `whole`: the day is over and all of it has ended.
    pub fn end(self, whole: bool) -> String {
        let kind = if whole { TRAILER } else { PARTIAL };
        let (count, total) = (self.count, Money(self.total).exact());
        format!("{kind},{count},{total},{}\n", hex(&self.hash.finalize()))
    }
}

fn put(text: &mut String, partner: u32, line: &FloatLine) {
    let float = format!("float.{partner}");
    let (from, to) = match line.kind {
        FloatKind::Funding => ("bank".to_owned(), float),
        FloatKind::Withdrawal => (float, "bank".to_owned()),
        FloatKind::Commission => ("commission".to_owned(), float),
        FloatKind::Sale => (float, side(line)),
        FloatKind::Declined | FloatKind::Reversal => (side(line), float),
        FloatKind::StockIn | FloatKind::StockBack => ("stock".to_owned(), float),
        FloatKind::StockOut => (float, "stock".to_owned()),
        FloatKind::CreditDrawn => ("credit-line".to_owned(), float),
        FloatKind::CreditPaid => (float, "credit-line".to_owned()),
        FloatKind::Share => ("commission".to_owned(), float),
    };
    let (trace, original) = match line.kind {
        FloatKind::Sale
        | FloatKind::Funding
        | FloatKind::Withdrawal
        | FloatKind::StockIn
        | FloatKind::StockOut
        | FloatKind::CreditDrawn
        | FloatKind::CreditPaid => (line.reference.as_str(), ""),
        FloatKind::Declined
        | FloatKind::Commission
        | FloatKind::Reversal
        | FloatKind::StockBack
        | FloatKind::Share => ("", line.reference.as_str()),
    };
    let at = jiff::Timestamp::from_microsecond(line.at.0).map_or_else(|_| String::new(), |at| at.to_string());
    let msisdn = line.msisdn.map_or_else(String::new, |msisdn| msisdn.to_string());
    let [gross, tax, net, commission, before, after] = [
        line.gross,
        line.tax,
        line.net,
        line.commission,
        line.before,
        line.after,
    ]
    .map(Money::exact);
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{},{at},{},{},{from},{to},{msisdn},{gross},{tax},{net},{commission},{before},{after},{},{}",
        line.seq,
        cell(trace),
        line.kind.name(),
        line.state.name(),
        cell(original),
    );
}

fn side(line: &FloatLine) -> String {
    match &line.outside {
        Some((connector, _)) => format!("connector.{connector}"),
        None => "subscriber".to_owned(),
    }
}

/// A reference as a cell: it comes from outside, so no spreadsheet may take it for a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mark = if formula { "'" } else { "" };
    if formula || text.contains([',', '"', '\n', '\r', '\'']) {
        format!("\"{mark}{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a good file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Lines without head and trailer.
    pub count: u64,
    /// The float before the first and after the last line; `None` for a day without movements.
    pub balances: Option<(Money, Money)>,
    /// False: there may be more of that day.
    pub whole: bool,
}

/// Why a file proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Flaw {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Checks a file line by line: columns, numbers without gaps, every balance, and the trailer.
pub struct Checker {
    hash: Sha256,
    line: u64,
    count: u64,
    total: i64,
    first: Option<Money>,
    last: Option<(u64, Money)>,
    done: Option<bool>,
}

impl Default for Checker {
    fn default() -> Checker {
        Checker {
            hash: Sha256::new(),
            line: 0,
            count: 0,
            total: 0,
            first: None,
            last: None,
            done: None,
        }
    }
}

impl Checker {
    /// Takes the next line, with its end.
    ///
    /// # Errors
    /// [`Flaw`].
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        self.line += 1;
        let line = self.line;
        let flaw = |what| Flaw { line, what };
        if self.done.is_some() {
            return Err(flaw("something follows the trailer"));
        }
        if bytes.len() > LINE_BYTES_MAX {
            return Err(flaw("it is too long"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| flaw("it is not text"))?;
        let text = text.strip_suffix('\n').ok_or(flaw("it does not end"))?;
        if line == 1 {
            self.hash.update(bytes);
            return if text == HEAD {
                Ok(())
            } else {
                Err(flaw("the columns are others"))
            };
        }
        let cells = cells(text).ok_or(flaw("its quotes do not match"))?;
        if matches!(cells[0].as_str(), TRAILER | PARTIAL) {
            return self.trailer(&cells).map_err(flaw);
        }
        self.movement(&cells).map_err(flaw)?;
        self.hash.update(bytes);
        Ok(())
    }

    /// What the file says, once all of it was taken.
    ///
    /// # Errors
    /// [`Flaw`] when it has no trailer.
    pub fn end(self) -> Result<Checked, Flaw> {
        let whole = self.done.ok_or(Flaw {
            line: self.line,
            what: "there is no trailer",
        })?;
        Ok(Checked {
            count: self.count,
            balances: self.first.zip(self.last.map(|(_, balance)| balance)),
            whole,
        })
    }

    fn movement(&mut self, cells: &[String]) -> Result<(), &'static str> {
        if cells.len() != HEAD.split(',').count() {
            return Err("it has another number of columns");
        }
        let seq: u64 = cells[0].parse().map_err(|_| "its number is none")?;
        let kind = FloatKind::ALL.iter().find(|(.., name)| *name == cells[3]);
        let (kind, ..) = kind.ok_or("its type is none")?;
        let money = |column: usize| Money::parse(&cells[column]).map_err(|_| "an amount is none");
        let (gross, tax, net, commission) = (money(7)?, money(8)?, money(9)?, money(10)?);
        let (before, after) = (money(11)?, money(12)?);
        if gross.0 < 0 || tax.0 < 0 || net.0 < 0 || tax.0.saturating_add(net.0) > gross.0 {
            return Err("tax and net are more than gross");
        }
        let delta = (kind.sign() * gross.0).saturating_add(commission.0);
        if before.0.checked_add(delta) != Some(after.0) {
            return Err("its balances do not differ by its amount");
        }
        if after.0 < 0 {
            return Err("the float is below zero");
        }
        if let Some((last, balance)) = self.last {
            if seq != last + 1 {
                return Err("a number is missing before it");
            }
            if before != balance {
                return Err("it does not begin where the line before it ended");
            }
        }
        self.first.get_or_insert(before);
        self.last = Some((seq, after));
        self.count += 1;
        self.total = self.total.saturating_add(delta);
        Ok(())
    }

    fn trailer(&mut self, cells: &[String]) -> Result<(), &'static str> {
        let [kind, count, total, hash] = cells else {
            return Err("the trailer has other columns");
        };
        if *count != self.count.to_string() {
            return Err("the trailer counts other lines");
        }
        if *total != Money(self.total).exact() {
            return Err("the trailer has another total");
        }
        if *hash != hex(&self.hash.clone().finalize()) {
            return Err("the SHA-256 is another one: the file was changed");
        }
        self.done = Some(kind == TRAILER);
        Ok(())
    }
}

/// The cells of a line of CSV; `None` when its quotes do not match.
pub fn cells(line: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut rest = line;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut cell = String::new();
            let mut left = quoted;
            loop {
                let (inside, after) = left.split_once('"')?;
                cell.push_str(inside);
                match after.strip_prefix('"') {
                    Some(more) => {
                        cell.push('"');
                        left = more;
                    }
                    None => {
                        left = after;
                        break;
                    }
                }
            }
            out.push(cell);
            match left.strip_prefix(',') {
                Some(more) => rest = more,
                None if left.is_empty() => return Some(out),
                None => return None,
            }
        } else {
            match rest.split_once(',') {
                Some((cell, more)) => {
                    out.push(cell.to_owned());
                    rest = more;
                }
                None => {
                    out.push(rest.to_owned());
                    return Some(out);
                }
            }
        }
    }
}

/// The first and the next day's first moment of a day number in Pakistan, where these days are counted.
pub fn span(day: i64) -> (Timestamp, Timestamp) {
    let midnight = Timestamp(day * charge::time::DAY - DAY_OFFSET_US);
    (midnight, midnight.plus(charge::time::DAY))
}

/// Days of reports begin at midnight in Pakistan: so many microseconds before those of UTC.
pub const DAY_OFFSET_US: i64 = 5 * 3600 * charge::time::SECOND;

#[cfg(test)]
mod tests {
    use super::*;
    use charge::partner::TopUpState;
    use charge::{Msisdn, OperatorId};

    fn movement(seq: u64, kind: FloatKind, gross: i64, commission: i64, before: i64) -> FloatLine {
        FloatLine {
            seq,
            at: Timestamp(1_795_262_400_000_000),
            operator: OperatorId(1),
            kind,
            top_up: None,
            reference: "=order,\"1\"".to_owned(),
            msisdn: Msisdn::parse("923001234567").ok(),
            gross: Money(gross),
            tax: Money(0),
            net: Money(0),
            commission: Money(commission),
            before: Money(before),
            after: Money(before + kind.sign() * gross + commission),
            state: TopUpState::Completed,
            receipt: None,
            outside: None,
            reversed: false,
        }
    }

    fn file() -> String {
        let (mut writer, mut text) = Writer::new(2);
        let first = [
            movement(5, FloatKind::Funding, 1_000_000_000, 0, 0),
            movement(6, FloatKind::Sale, 100_000_000, 2_750_000, 1_000_000_000),
        ];
        text += &writer.lines(&first);
        text += &writer.lines(&[movement(
            7,
            FloatKind::Reversal,
            80_500_000,
            -2_213_750,
            902_750_000,
        )]);
        text += &writer.end(true);
        text
    }

    fn check(text: &str) -> Result<Checked, Flaw> {
        let mut checker = Checker::default();
        for line in text.split_inclusive('\n') {
            checker.take(line.as_bytes())?;
        }
        checker.end()
    }

    #[test]
    fn a_file_proves_itself() {
        let checked = check(&file()).unwrap();
        assert_eq!(checked.count, 3);
        assert_eq!(checked.balances, Some((Money(0), Money(981_036_250))));
        assert!(checked.whole);
        let (writer, head) = Writer::new(2);
        let empty = check(&(head + &writer.end(false))).unwrap();
        assert_eq!((empty.count, empty.balances, empty.whole), (0, None, false));
    }

    #[test]
    fn any_change_is_found() {
        let good = file();
        for at in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[at] ^= 1;
            if let Ok(bad) = String::from_utf8(bad) {
                assert!(check(&bad).is_err(), "byte {at}");
            }
        }
        let lines: Vec<&str> = good.split_inclusive('\n').collect();
        for at in 0..lines.len() {
            let mut less = lines.clone();
            less.remove(at);
            assert!(check(&less.concat()).is_err(), "without line {at}");
            let mut more = lines.clone();
            more.insert(at, lines[at]);
            assert!(check(&more.concat()).is_err(), "line {at} twice");
        }
    }
}
