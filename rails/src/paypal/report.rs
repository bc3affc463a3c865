//! PayPal's settlement report (STL): CSV with a row type in the first column; `CH` names the columns, `SB` is a transaction.
//! `SC` counts the transactions of a section and `FF` ends the file: without them it was cut. Amounts are unsigned minor
//! units; the `Debit or Credit` columns give the direction.

use crate::csv::Reader;
use crate::money::of_minor;
use crate::rail::{RailError, SettlementKind, SettlementLine};
use charge::Money;
use charge::payment::{Currency, PaymentId, Price};

/// Reads the lines that belong to payments; others (fees of the account, transfers to the bank) are no affair of ours.
pub(super) fn read(file: &[u8]) -> Result<Vec<SettlementLine>, RailError> {
    let mut columns: Option<Vec<String>> = None;
    let mut lines = Vec::new();
    let (mut rows, mut ended) = (0u32, false);
    for record in Reader::new(file, b',')? {
        let (number, record) = record?;
        let kind = record.first().map(String::as_str);
        ended = kind == Some("FF") || (ended && kind == Some(""));
        match kind {
            Some("SH") => rows = 0,
            Some("SC") => {
                let told = record.get(1).and_then(|count| count.parse().ok());
                if told != Some(rows) {
                    return Err(RailError::Malformed("the count of a section is not right"));
                }
            }
            Some("CH") => columns = Some(record),
            Some("SB") => {
                rows += 1;
                let columns = columns.as_ref().ok_or(RailError::Malformed("no column header"))?;
                if record.len() != columns.len() {
                    return Err(RailError::Malformed("a row with another number of columns"));
                }
                let row = Row {
                    columns,
                    record: &record,
                };
                lines.extend(row.line(number)?);
            }
            _ => {}
        }
    }
    if ended {
        Ok(lines)
    } else {
        Err(RailError::Malformed("the report has no end"))
    }
}

struct Row<'a> {
    columns: &'a [String],
    record: &'a [String],
}

impl Row<'_> {
    fn get(&self, column: &str) -> Result<&str, RailError> {
        let place = self
            .columns
            .iter()
            .position(|name| name.eq_ignore_ascii_case(column));
        let place = place.ok_or(RailError::Malformed("a column is missing"))?;
        Ok(self.record[place].trim())
    }

    fn line(&self, line: u32) -> Result<Option<SettlementLine>, RailError> {
        // T00 payments, T11 money back (T1107 refund, T1106 reversal), T12 chargebacks.
        let kind = match self.get("Transaction Event Code")? {
            "T1107" => SettlementKind::Refund,
            code if code.starts_with("T00") => SettlementKind::Payment,
            code if code.starts_with("T11") || code.starts_with("T12") => SettlementKind::Chargeback,
            _ => return Ok(None),
        };
        let came_in = self.get("Transaction Debit or Credit")? == "CR";
        if came_in != (kind == SettlementKind::Payment) {
            // A payment that we made, or a chargeback that was won: not a payer's money coming or going.
            return Ok(None);
        }
        let payment = [self.get("Custom Field")?, self.get("Invoice ID")?]
            .into_iter()
            .find_map(PaymentId::parse);
        let at = self.get("Transaction Completion Date")?;
        let at = ["%Y/%m/%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S %z"]
            .iter()
            .find_map(|format| crate::time::parse_with_offset(format, at))
            .ok_or(RailError::Malformed("date"))?;
        Ok(Some(SettlementLine {
            line,
            payment,
            reference: self.get("Transaction ID")?.to_owned(),
            kind,
            gross: price(
                self.get("Gross Transaction Amount")?,
                self.get("Gross Transaction Currency")?,
            )?,
            fee: self.fee()?,
            at,
        }))
    }

    fn fee(&self) -> Result<Price, RailError> {
        let currency = self.get("Gross Transaction Currency")?;
        match self.get("Fee Amount")? {
            "" | "0" => Ok(Price {
                amount: Money::ZERO,
                currency: Currency::parse(currency).ok_or(RailError::Malformed("currency"))?,
            }),
            fee => {
                let mut fee = price(fee, self.get("Fee Currency")?)?;
                // A fee that is given back.
                if self.get("Fee Debit or Credit")? == "CR" {
                    fee.amount = -fee.amount;
                }
                Ok(fee)
            }
        }
    }
}

fn price(minor: &str, currency: &str) -> Result<Price, RailError> {
    let amount = minor
        .parse()
        .ok()
        .and_then(of_minor)
        .ok_or(RailError::Malformed("amount"))?;
    let currency = Currency::parse(currency).ok_or(RailError::Malformed("currency"))?;
    Ok(Price { amount, currency })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\u{feff}\"RH\",2026/11/23 04:00:00 -0800,\"A\",\"MERCHANT\",011\n\
        \"FH\",01\n\
        \"SH\",2026/11/22 00:00:00 -0800,2026/11/22 23:59:59 -0800,\"MERCHANT\",\"\"\n\
        \"CH\",\"Transaction ID\",\"Invoice ID\",\"PayPal Reference ID\",\"PayPal Reference ID Type\",\"Transaction Event Code\",\
        \"Transaction Initiation Date\",\"Transaction Completion Date\",\"Transaction Debit or Credit\",\
        \"Gross Transaction Amount\",\"Gross Transaction Currency\",\"Fee Debit or Credit\",\"Fee Amount\",\"Fee Currency\",\
        \"Custom Field\",\"Consumer ID\"\n\
        \"SB\",\"CAP1\",\"00000000000000000007\",\"\",\"\",T0006,2026/11/22 01:00:00 -0800,2026/11/22 01:00:01 -0800,CR,365,USD,DR,43,\
        USD,\"00000000000000000007\",\"P, \"\"Q\"\"\"\n\
        \"SB\",\"REF1\",\"\",\"CAP1\",TXN,T1107,2026/11/22 02:00:00 -0800,2026/11/22 02:00:00 -0800,DR,365,USD,,,,\
        \"00000000000000000007\",\"\"\n\
        \"SB\",\"CHB1\",\"\",\"CAP2\",TXN,T1201,2026/11/22 02:00:00 -0800,2026/11/22 02:00:00 -0800,DR,365,USD,,,,\"not ours\",\"\"\n\
        \"SB\",\"BANK\",\"\",\"\",\"\",T0400,2026/11/22 03:00:00 -0800,2026/11/22 03:00:00 -0800,DR,365,USD,,,,\"\",\"\"\n\
        \"SF\",\"USD\"\n\"SC\",4\n\"RF\",\"USD\"\n\"RC\",4\n\"FF\",01\n";

    #[test]
    fn lines_of_payments() {
        let lines = read(FILE.as_bytes()).unwrap();
        let kinds: Vec<_> = lines.iter().map(|line| line.kind).collect();
        assert_eq!(
            kinds,
            [
                SettlementKind::Payment,
                SettlementKind::Refund,
                SettlementKind::Chargeback
            ]
        );
        assert_eq!(lines[0].line, 5);
        assert_eq!(lines[0].gross.amount, Money(3_650_000));
        assert_eq!(lines[0].fee.amount, Money(430_000));
        assert_eq!(lines[0].payment, PaymentId::from_bits(7));
        assert_eq!(crate::time::rfc3339(lines[0].at), "2026-11-22T09:00:01Z");
        assert_eq!(lines[2].payment, None);
    }

    #[test]
    fn a_file_that_was_cut_or_changed_is_refused() {
        assert!(read(FILE.replace("\"CH\"", "\"XX\"").as_bytes()).is_err());
        assert!(read(FILE.replace("CR,365", "CR,3x5").as_bytes()).is_err());
        assert!(read(FILE.replace("T0006,", "").as_bytes()).is_err());
        assert!(read(FILE.replace("\"SC\",4", "\"SC\",5").as_bytes()).is_err());
        assert!(read(FILE.replace("\"FF\",01\n", "").as_bytes()).is_err());
        assert!(read(b"").is_err());
        assert!(read(FILE.replace("P, \"\"Q\"\"\"", "P, \"\"Q\"\"").as_bytes()).is_err());
    }
}
