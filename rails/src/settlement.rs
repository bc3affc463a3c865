//! Settlement files as CSV with configured columns. The rails publish no format: the profile is ours, one per rail, and an
//! operator's own file is a matter of naming its columns.

use crate::csv::Reader;
use crate::pkr::PKT_OFFSET_S;
use crate::rail::{RailError, SettlementKind, SettlementLine};
use crate::time::parse_local;
use charge::Money;
use charge::payment::{Currency, PaymentId, Price, RAIL_TEXT_MAX};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How to read a settlement file. Amounts are decimals of the currency without a sign.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Between fields: one ASCII character.
    pub separator: char,
    /// Column of our reference.
    pub payment: String,
    /// Column of the rail's reference.
    pub reference: String,
    /// Column that says what a line is about; empty: every line is a payment.
    pub kind: String,
    /// Words in that column, in lower case: what they mean (`payment`, `refund`, `chargeback`, or `skip`).
    pub kinds: BTreeMap<String, String>,
    /// Column of what the payer paid or got back.
    pub gross: String,
    /// Column of what the rail keeps; empty: it keeps nothing.
    pub fee: String,
    /// Column of the currency; empty: rupees.
    pub currency: String,
    /// Column of the time.
    pub time: String,
    /// Its `strptime` format.
    pub time_format: String,
    /// Seconds east of UTC of the times in the file.
    pub offset_s: i32,
}

impl Default for Profile {
    fn default() -> Profile {
        let kinds = ["payment", "refund", "chargeback"];
        Profile {
            separator: ',',
            payment: "order".to_owned(),
            reference: "reference".to_owned(),
            kind: "type".to_owned(),
            kinds: kinds.map(|kind| (kind.to_owned(), kind.to_owned())).into(),
            gross: "amount".to_owned(),
            fee: "fee".to_owned(),
            currency: "currency".to_owned(),
            time: "time".to_owned(),
            time_format: "%Y-%m-%d %H:%M:%S".to_owned(),
            offset_s: PKT_OFFSET_S,
        }
    }
}

impl Profile {
    /// The lines of a file. One line that cannot be read refuses the whole file: half a file settles nothing.
    ///
    /// # Errors
    /// [`RailError::Malformed`] saying which part is wrong.
    pub fn read(&self, file: &[u8]) -> Result<Vec<SettlementLine>, RailError> {
        let separator = u8::try_from(self.separator)
            .map_err(|_| RailError::Malformed("separator of the settlement file"))?;
        let mut records = Reader::new(file, separator)?;
        let (_, headers) = records
            .next()
            .ok_or(RailError::Malformed("the settlement file is empty"))??;
        let columns = Columns::find(self, &headers)?;
        let mut lines = Vec::new();
        for record in records {
            let (number, fields) = record?;
            if fields.len() == 1 && fields[0].trim().is_empty() {
                continue;
            }
            if fields.len() != headers.len() {
                return Err(RailError::Malformed(
                    "a line of the settlement file is too short or too long",
                ));
            }
            lines.extend(columns.line(self, &fields, number)?);
        }
        Ok(lines)
    }
}

struct Columns {
    payment: usize,
    reference: usize,
    kind: Option<usize>,
    gross: usize,
    fee: Option<usize>,
    currency: Option<usize>,
    time: usize,
}

impl Columns {
    fn find(profile: &Profile, headers: &[String]) -> Result<Columns, RailError> {
        let must = |name: &str| {
            let mut places = headers
                .iter()
                .enumerate()
                .filter(|(_, header)| header.trim() == name);
            match (places.next(), places.next()) {
                (Some((place, _)), None) => Ok(place),
                _ => Err(RailError::Malformed(
                    "a column of the settlement file is missing, or there twice",
                )),
            }
        };
        let may = |name: &str| (!name.is_empty()).then(|| must(name)).transpose();
        Ok(Columns {
            payment: must(&profile.payment)?,
            reference: must(&profile.reference)?,
            kind: may(&profile.kind)?,
            gross: must(&profile.gross)?,
            fee: may(&profile.fee)?,
            currency: may(&profile.currency)?,
            time: must(&profile.time)?,
        })
    }

    fn line(
        &self,
        profile: &Profile,
        fields: &[String],
        number: u32,
    ) -> Result<Option<SettlementLine>, RailError> {
        let field = |place: usize| fields.get(place).map_or("", |field| field.trim());
        let kind = match self.kind.map(|place| field(place).to_lowercase()) {
            None => SettlementKind::Payment,
            Some(word) => match profile.kinds.get(&word).map(String::as_str) {
                Some("payment") => SettlementKind::Payment,
                Some("refund") => SettlementKind::Refund,
                Some("chargeback") => SettlementKind::Chargeback,
                Some("skip") => return Ok(None),
                _ => {
                    return Err(RailError::Malformed(
                        "a kind of line in the settlement file is not known",
                    ));
                }
            },
        };
        let currency = match self.currency.map(field) {
            None => Currency::PKR,
            Some(letters) => {
                Currency::parse(letters).ok_or(RailError::Malformed("currency in the settlement file"))?
            }
        };
        let amount = |text: &str| {
            let amount = Money::parse(text).ok().filter(|amount| amount.micros() >= 0);
            let amount = amount.ok_or(RailError::Malformed("amount in the settlement file"))?;
            Ok::<Price, RailError>(Price { amount, currency })
        };
        let reference = field(self.reference);
        if reference.len() > RAIL_TEXT_MAX {
            return Err(RailError::Malformed("reference in the settlement file"));
        }
        Ok(Some(SettlementLine {
            line: number,
            // A statement of a bank has the payer's words there.
            payment: PaymentId::parse(field(self.payment))
                .or_else(|| crate::reference::find(field(self.payment))),
            reference: reference.to_owned(),
            kind,
            gross: amount(field(self.gross))?,
            fee: self.fee.map_or(amount("0"), |place| amount(field(place)))?,
            at: parse_local(&profile.time_format, field(self.time), profile.offset_s)
                .ok_or(RailError::Malformed("time in the settlement file"))?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_rfc3339;

    const HEAD: &str = "order,reference,type,amount,fee,currency,time\n";

    fn read(lines: &str) -> Result<Vec<SettlementLine>, RailError> {
        Profile::default().read(format!("{HEAD}{lines}").as_bytes())
    }

    #[test]
    fn lines_of_our_profile() {
        let id = PaymentId::new(7, 9).unwrap();
        let lines = read(&format!(
            "{id},R1,payment,100.00,1.50,PKR,2026-09-01 05:00:00\nsomething else,\"R,2\",Refund,40,0,PKR,2026-09-01 05:00:01\n"
        ))
        .unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].line, lines[0].payment), (2, Some(id)));
        assert_eq!(lines[0].gross, Price::pkr(Money::from_units(100)));
        assert_eq!(lines[0].fee, Price::pkr(Money::parse("1.5").unwrap()));
        assert_eq!(lines[0].at, parse_rfc3339("2026-09-01T00:00:00Z").unwrap());
        assert_eq!((lines[1].payment, lines[1].kind), (None, SettlementKind::Refund));
        assert_eq!(lines[1].reference, "R,2");
    }

    #[test]
    fn a_file_of_another_shape_is_a_matter_of_names() {
        let profile: Profile = serde_json::from_str(
            r#"{"separator":";","payment":"Txn","reference":"RRN","kind":"","gross":"Gross","fee":"","currency":"",
                "time":"When","time_format":"%d/%m/%Y"}"#,
        )
        .unwrap();
        let lines = profile
            .read("\u{feff}When;RRN;Txn;Gross\n01/09/2026;7;x;5.25\n".as_bytes())
            .unwrap();
        assert_eq!(lines[0].gross, Price::pkr(Money::parse("5.25").unwrap()));
        assert_eq!(lines[0].at, parse_rfc3339("2026-08-31T19:00:00Z").unwrap());
        assert!(serde_json::from_str::<Profile>(r#"{"colour":"x"}"#).is_err());
    }

    #[test]
    fn one_bad_line_refuses_the_file() {
        let good = "x,R1,payment,100.00,1.50,PKR,2026-09-01 05:00:00\n";
        assert!(read(good).is_ok());
        for (from, to) in [
            ("payment", "gift"),
            ("100.00", "-100.00"),
            ("100.00", "1e2"),
            ("1.50", ""),
            ("PKR", "rupees"),
            ("2026-09-01", "2026-02-30"),
            (",R1", ",R1,R2"),
        ] {
            assert!(read(&good.replace(from, to)).is_err(), "{from} -> {to}");
        }
        assert!(Profile::default().read(b"order,reference\n").is_err());
        assert!(Profile::default().read(b"").is_err());
    }
}
