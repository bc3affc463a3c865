//! What a receipt says, once, for the page, the PDF, the message and the mail.

use super::capability;
use super::signed::Proof;
use crate::api::bundles::name_of;
use crate::page::format::Speech;
use crate::state::Web;
use crate::{number, text};
use charge::catalog::{Catalog, Language};
use charge::reply::Receipt;
use charge::tax::Rate;
use charge::{Code, Money, Msisdn, Timestamp};
use store::reads::StatementLine;

/// A receipt with everything that its owner may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its number.
    pub number: Receipt,
    /// The number that was recharged.
    pub msisdn: Msisdn,
    /// When.
    pub at: Timestamp,
    /// Paid.
    pub gross: Money,
    /// Tax taken from it.
    pub tax: Money,
    /// Its rate.
    pub tax_rate: Rate,
    /// Fee taken from it.
    pub fee: Money,
    /// Added to the balance.
    pub credited: Money,
    /// Promotion earned; empty: none.
    pub promotion: String,
    /// Main balance after it.
    pub balance: Option<Money>,
    /// The balance is valid until then.
    pub valid_until: Timestamp,
    /// Where it was sold.
    pub channel: String,
    /// The seller's or the rail's reference.
    pub reference: String,
    /// The journal's event that it proves.
    pub event: String,
    /// What was taken back of it, and when.
    pub taken_back: Option<(Money, Timestamp)>,
}

impl View {
    /// Of a statement line; `None` when the line is no recharge.
    pub fn of(line: &StatementLine, msisdn: Msisdn) -> Option<View> {
        let recharge = line.recharge.as_ref()?;
        Some(View {
            number: recharge.receipt,
            msisdn,
            at: line.at,
            gross: recharge.gross,
            tax: line.tax,
            tax_rate: recharge.tax_rate,
            fee: recharge.fee,
            credited: recharge.gross - line.tax - recharge.fee,
            promotion: line.title.clone(),
            balance: line.balance,
            valid_until: recharge.valid_until,
            channel: recharge.channel.clone(),
            reference: recharge.reference.clone(),
            event: line.place.to_string(),
            taken_back: None,
        })
    }

    /// What is signed of it.
    pub fn proof(&self, catalog: &Catalog) -> Proof {
        Proof {
            operator: catalog.code.to_string(),
            number: self.number,
            at: self.at,
            msisdn: self.msisdn.masked(),
            currency: catalog.currency.clone(),
            gross: self.gross,
            tax: self.tax,
            fee: self.fee,
            credited: self.credited,
            channel: self.channel.clone(),
        }
    }

    /// The rows below the amount paid, in one language.
    pub fn rows(&self, web: &Web, catalog: &Catalog, t: Speech) -> Vec<Row> {
        let money = |money: Money| t.money(money, &catalog.currency);
        let tax = [
            ("name", catalog.tax.recharge_name.get(t.language).into()),
            ("rate", format!("{} %", self.tax_rate.percent()).into()),
        ];
        let mut rows = vec![
            row(t.p("slip-for"), number::shown(self.msisdn, web.catalogs())),
            row(t.p("slip-time"), t.moment(self.at, &catalog.zone)),
            row(t.p("slip-channel"), self.channel.clone()),
            row(t.p("slip-paid"), money(self.gross)).strong(),
            row(t.with("receipt-tax", &tax), money(-self.tax)),
        ];
        if self.fee != Money::ZERO {
            rows.push(row(t.p("slip-fee"), money(-self.fee)));
        }
        rows.push(row(t.p("slip-credited"), money(self.credited)).strong());
        if !self.promotion.is_empty() {
            let code = Code::new(&self.promotion).unwrap_or_default();
            let mut gift = row(t.p("slip-gift"), name_of(code, catalog, t.language));
            gift.words = true;
            rows.push(gift);
        }
        if let Some(balance) = self.balance {
            rows.push(row(t.p("slip-balance"), money(balance)));
        }
        if self.valid_until != Timestamp::NEVER {
            rows.push(row(t.p("slip-valid"), t.date(self.valid_until, &catalog.zone)));
        }
        if let Some((amount, at)) = self.taken_back {
            let back = format!("{}, {}", money(-amount), t.moment(at, &catalog.zone));
            rows.push(row(t.p("slip-taken-back"), back).strong());
        }
        if !self.reference.is_empty() {
            rows.push(row(t.p("slip-reference"), self.reference.clone()));
        }
        rows
    }
}

/// One line of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What.
    pub name: String,
    /// How much, when, where. Shown isolated.
    pub value: String,
    /// One of the lines that matter most.
    pub strong: bool,
    /// The value is words of the language, not a figure.
    pub words: bool,
}

impl Row {
    fn strong(mut self) -> Row {
        self.strong = true;
        self
    }
}

fn row(name: String, value: String) -> Row {
    Row {
        name,
        value,
        strong: false,
        words: false,
    }
}

/// What belongs to a receipt beside its rows: the signed text and the ways to check it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The signed text.
    pub signed: String,
    /// Address that says whether it is genuine: what the QR code holds.
    pub verify_url: String,
    /// Number and code, as in the short message.
    pub coded: String,
}

impl Evidence {
    /// Of a receipt.
    pub fn of(view: &View, web: &Web, catalog: &Catalog) -> Evidence {
        let signed = view.proof(catalog).sign(web.parts.receipts.keys.signer());
        Evidence {
            verify_url: format!("{}/verify?r={signed}", web.parts.receipts.public_url),
            coded: capability::coded(&web.parts.secret, view.number),
            signed,
        }
    }
}

/// A receipt in words, for mail and push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Subject or title.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML without scripts, styles or pictures.
    pub html: String,
}

impl View {
    /// The receipt as a letter in a language. The link opens the whole receipt: it goes to its owner or payer only.
    pub fn letter(&self, web: &Web, catalog: &Catalog, language: Language) -> Letter {
        let t = Speech { language };
        let link = link(web, self.number);
        let operator = catalog.name.get(language);
        let values = [
            ("amount", t.money(self.gross, &catalog.currency).into()),
            ("operator", operator.into()),
            ("number", self.number.to_string().into()),
        ];
        let subject = text::plain(language, "slip-letter-subject", &values);
        let rows = self.rows(web, catalog, t);
        let mut plain = format!("{subject}\n\n");
        let mut html = String::new();
        for row in &rows {
            plain.push_str(&format!("{}: \u{2068}{}\u{2069}\n", row.name, row.value));
            let (name, value) = (text::Html::isolated(&row.name), text::Html::bdi(&row.value));
            html.push_str(&format!(
                "<tr><th align=\"start\">{name}</th><td>{value}</td></tr>"
            ));
        }
        let check = t.p("slip-letter-link");
        plain.push_str(&format!("\n{check}\n{link}\n"));
        let direction = if language == Language::Ur { "rtl" } else { "ltr" };
        let (heading, check, address) = (
            text::Html::isolated(&subject),
            text::Html::isolated(&check),
            text::Html::isolated(&link),
        );
        let html = format!(
            "<div lang=\"{}\" dir=\"{direction}\"><h1>{heading}</h1><table>{html}</table>\
             <p>{check}<br><a href=\"{address}\"><bdi dir=\"ltr\">{address}</bdi></a></p></div>",
            language.tag()
        );
        Letter {
            subject,
            text: if language == Language::Ur {
                plain
            } else {
                plain.replace(text::ISOLATES, "")
            },
            html,
        }
    }
}

/// The address that opens the whole receipt to whoever has it: for the payer and the owner, never in logs.
pub fn link(web: &Web, number: Receipt) -> String {
    format!(
        "{}{}",
        web.parts.receipts.public_url,
        path_with_token(&web.parts.secret, number)
    )
}

/// The same without the host, for our own pages.
pub fn path_with_token(secret: &[u8; 32], number: Receipt) -> String {
    format!("/receipts/{number}?t={}", capability::token(secret, number))
}
