//! Reconciliation: what the books say, what a rail's settlement file says, and what was credited, side by side.
//!
//! Pure: the caller reads the file and the payments. The same file compared again gives the same differences with the same
//! ids, so that nothing is reported twice.

use crate::rail::{SettlementKind, SettlementLine};
use charge::payment::{PaymentId, PaymentState, Price};
use charge::{Code, Money};
use std::collections::{BTreeMap, BTreeSet};

/// A payment as the books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// Its id.
    pub id: PaymentId,
    /// Where it stands.
    pub state: PaymentState,
    /// What was booked as paid, in the rail's currency; `None`: nothing.
    pub paid: Option<Price>,
    /// The rail's reference of that money.
    pub reference: String,
    /// True when the operator credited it, or it lies in suspense, or it goes back: the money is somewhere.
    pub placed: bool,
    /// What goes back.
    pub refund: Option<Price>,
}

/// What is compared.
#[derive(Debug)]
pub struct Question<'a> {
    /// The rail of the file.
    pub rail: Code,
    /// The lines of its file.
    pub lines: &'a [SettlementLine],
    /// Every payment that a line names (see [`owner`]) and every one in `expected`.
    pub known: &'a BTreeMap<PaymentId, Booked>,
    /// What the file should have lines for: payments made, and refunds given, in its span of time.
    pub expected: &'a BTreeSet<(PaymentId, SettlementKind)>,
    /// What other files have had lines for.
    pub settled: &'a BTreeSet<(PaymentId, SettlementKind)>,
    /// The highest fee by contract, in parts of ten thousand; `None`: not checked.
    pub fee_max_bp: Option<u32>,
}

/// Kind of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// We booked it, the file has no line for it.
    Missing,
    /// The file has a line that names no payment of ours.
    Extra,
    /// Another amount than was booked.
    Amount,
    /// A fee above the contract's.
    Fee,
    /// A refund in the file that is not done here, or the other way round, or of another amount.
    Refund,
    /// Paid at the rail, and not booked or credited here.
    NotCredited,
    /// A second movement of money for one payment.
    Twice,
    /// The rail took it back, and the books do not say so.
    Chargeback,
    /// The file of a day did not come.
    NoFile,
    /// The file of a day cannot be read whole.
    BadFile,
    /// A bank took a sale back, and less than all of it was unused: it is settled with the bank.
    NotTakenBack,
    /// A bank sold a bundle, and it could not be bought: the credit stays.
    NotBought,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 12] = [
        Kind::Missing,
        Kind::Extra,
        Kind::Amount,
        Kind::Fee,
        Kind::Refund,
        Kind::NotCredited,
        Kind::Twice,
        Kind::Chargeback,
        Kind::NoFile,
        Kind::BadFile,
        Kind::NotTakenBack,
        Kind::NotBought,
    ];

    /// Name in API and files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Missing => "missing-in-file",
            Kind::Extra => "extra-in-file",
            Kind::Amount => "amount-differs",
            Kind::Fee => "fee",
            Kind::Refund => "refund-mismatch",
            Kind::NotCredited => "not-credited",
            Kind::Twice => "paid-twice",
            Kind::Chargeback => "chargeback",
            Kind::NoFile => "missing-file",
            Kind::BadFile => "unreadable-file",
            Kind::NotTakenBack => "not-taken-back",
            Kind::NotBought => "bundle-not-bought",
        }
    }

    /// The kind of a name.
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Kind.
    pub kind: Kind,
    /// The payment, when it is one of ours.
    pub payment: Option<PaymentId>,
    /// The rail's reference; empty: none.
    pub reference: String,
    /// Line in the file; 0: none.
    pub line: u32,
    /// What the file says.
    pub file: Option<Price>,
    /// What the books say.
    pub books: Option<Price>,
}

impl Difference {
    /// Names it for ever: 32 hexadecimal digits. The same difference found again has the same id.
    pub fn id(&self, rail: Code) -> String {
        let payment = self.payment.map_or(0, PaymentId::bits).to_be_bytes();
        let parts = [
            rail.as_str().as_bytes(),
            self.kind.name().as_bytes(),
            &payment,
            self.reference.as_bytes(),
        ];
        format!("{:032x}", charge::ids::digest128("exception", &parts))
    }
}

/// Figures of a comparison. Amounts are in the file's currency; a rail has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Lines in the file.
    pub lines: u64,
    /// Lines that agree with the books.
    pub matched: u64,
    /// What payers paid, of those that agree.
    pub paid: Money,
    /// What they got back, of those that agree.
    pub refunded: Money,
    /// Fees of all lines.
    pub fees: Money,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Figures.
    pub totals: Totals,
    /// Settled by this file.
    pub settled: BTreeSet<(PaymentId, SettlementKind)>,
    /// Differences, in the order of the file, then what is missing.
    pub differences: Vec<Difference>,
}

/// Under which id the books would have a line: the payment that it names, or the one that keeps unmatched money.
pub fn owner(rail: Code, line: &SettlementLine) -> PaymentId {
    line.payment
        .unwrap_or_else(|| PaymentId::of_suspense(rail, &line.reference))
}

/// Compares.
pub fn compare(question: &Question<'_>) -> Found {
    let mut found = Found::default();
    for line in question.lines {
        found.totals.lines += 1;
        found.totals.fees += line.fee.amount;
        let judged = judge(question, &found, line);
        if let Some(kind) = judged.kind {
            found.differences.push(Difference {
                kind,
                payment: judged.booked.map(|booked| booked.id),
                reference: line.reference.clone(),
                line: line.line,
                file: Some(line.gross),
                books: judged.books,
            });
        } else {
            found.totals.matched += 1;
            match line.kind {
                SettlementKind::Payment => found.totals.paid += line.gross.amount,
                SettlementKind::Refund | SettlementKind::Chargeback => {
                    found.totals.refunded += line.gross.amount;
                }
            }
        }
        if let Some(booked) = judged.booked {
            found.settled.insert((booked.id, line.kind));
        }
    }
    for (id, kind) in question.expected {
        let there = found.settled.contains(&(*id, *kind)) || question.settled.contains(&(*id, *kind));
        if let Some(booked) = question.known.get(id).filter(|_| !there) {
            let refund = *kind == SettlementKind::Refund;
            found.differences.push(Difference {
                kind: if refund { Kind::Refund } else { Kind::Missing },
                payment: Some(*id),
                reference: booked.reference.clone(),
                line: 0,
                file: None,
                books: if refund { booked.refund } else { booked.paid },
            });
        }
    }
    found
}

struct Judged<'a> {
    booked: Option<&'a Booked>,
    books: Option<Price>,
    kind: Option<Kind>,
}

fn judge<'a>(question: &Question<'a>, found: &Found, line: &SettlementLine) -> Judged<'a> {
    // A reference that names a payment wins; money that we put into suspense under the rail's reference comes second.
    let suspense = PaymentId::of_suspense(question.rail, &line.reference);
    let named = question.known.get(&owner(question.rail, line));
    let Some(booked) = named.or_else(|| question.known.get(&suspense)) else {
        return Judged {
            booked: None,
            books: None,
            // Only money that came in can be kept aside for an owner.
            kind: Some(match line.kind {
                SettlementKind::Payment => Kind::Extra,
                SettlementKind::Refund => Kind::Refund,
                SettlementKind::Chargeback => Kind::Chargeback,
            }),
        };
    };
    let again = found.settled.contains(&(booked.id, line.kind));
    let other =
        !line.reference.is_empty() && !booked.reference.is_empty() && booked.reference != line.reference;
    if line.kind == SettlementKind::Payment && (again || other) {
        // The second movement may already lie in suspense: then it is matched there.
        let kept = question.known.get(&suspense).filter(|_| other);
        return Judged {
            booked: kept,
            books: kept.and_then(|kept| kept.paid),
            kind: kept.is_none().then_some(Kind::Twice),
        };
    }
    let (books, kind) = match line.kind {
        SettlementKind::Payment => (booked.paid, of_payment(question, booked, line)),
        SettlementKind::Refund => {
            let done = booked.state == PaymentState::Refunded || booked.state == PaymentState::Succeeded;
            let same = done && booked.refund == Some(line.gross);
            (booked.refund, (!same).then_some(Kind::Refund))
        }
        SettlementKind::Chargeback => {
            let same = booked.state == PaymentState::Reversed;
            (booked.paid, (!same).then_some(Kind::Chargeback))
        }
    };
    Judged {
        booked: Some(booked),
        books,
        kind,
    }
}

fn of_payment(question: &Question<'_>, booked: &Booked, line: &SettlementLine) -> Option<Kind> {
    match booked.paid {
        None => return Some(Kind::NotCredited),
        Some(_) if !booked.placed => return Some(Kind::NotCredited),
        Some(paid) if paid != line.gross => return Some(Kind::Amount),
        Some(_) => {}
    }
    let fee = i128::from(line.fee.amount.0) * 10_000;
    let too_much = |bp: u32| fee > i128::from(line.gross.amount.0) * i128::from(bp);
    question.fee_max_bp.is_some_and(too_much).then_some(Kind::Fee)
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::Timestamp;

    fn id(number: u64) -> PaymentId {
        PaymentId::new(1, number).unwrap()
    }

    fn rupees(amount: i64) -> Price {
        Price::pkr(Money::from_units(amount))
    }

    fn booked(number: u64) -> Booked {
        Booked {
            id: id(number),
            state: PaymentState::Succeeded,
            paid: Some(rupees(100)),
            reference: format!("R{number}"),
            placed: true,
            refund: None,
        }
    }

    fn line(number: u64) -> SettlementLine {
        SettlementLine {
            line: u32::try_from(number).unwrap() + 1,
            payment: Some(id(number)),
            reference: format!("R{number}"),
            kind: SettlementKind::Payment,
            gross: rupees(100),
            fee: rupees(1),
            at: Timestamp(0),
        }
    }

    fn run(lines: &[SettlementLine], books: &[Booked], settled: &[u64]) -> Found {
        let known = books.iter().map(|booked| (booked.id, booked.clone())).collect();
        let expected = books.iter().filter(|booked| booked.paid.is_some());
        let expected = expected
            .map(|booked| (booked.id, SettlementKind::Payment))
            .collect();
        let settled = settled
            .iter()
            .map(|number| (id(*number), SettlementKind::Payment))
            .collect();
        compare(&Question {
            rail: Code::new("bank").unwrap(),
            lines,
            known: &known,
            expected: &expected,
            settled: &settled,
            fee_max_bp: Some(150),
        })
    }

    fn kinds(found: &Found) -> Vec<&'static str> {
        found
            .differences
            .iter()
            .map(|difference| difference.kind.name())
            .collect()
    }

    #[test]
    fn one_missing_one_extra_one_changed_are_three() {
        let books: Vec<Booked> = (0..20).map(booked).collect();
        let mut lines: Vec<SettlementLine> = (0..20).map(line).collect();
        lines.remove(3);
        lines[5].gross = rupees(99);
        lines.push(SettlementLine {
            payment: None,
            reference: "stray".to_owned(),
            ..line(77)
        });
        let found = run(&lines, &books, &[]);
        assert_eq!(
            kinds(&found),
            ["amount-differs", "extra-in-file", "missing-in-file"]
        );
        assert_eq!((found.totals.lines, found.totals.matched), (20, 18));
        assert_eq!(found.totals.paid, Money::from_units(1_800));
        assert_eq!(found.totals.fees, Money::from_units(20));
        let ids: BTreeSet<String> = found.differences.iter().map(|d| d.id(Code::EMPTY)).collect();
        assert_eq!(ids.len(), 3);
        assert_eq!(run(&lines, &books, &[]), found, "the same again");
        assert_eq!(
            kinds(&run(&lines, &books, &[3])),
            ["amount-differs", "extra-in-file"],
            "another file had it"
        );
    }

    #[test]
    fn every_kind_is_found() {
        let one = |change: fn(&mut SettlementLine), books: fn(&mut Booked)| {
            let (mut line, mut booked) = (line(1), booked(1));
            change(&mut line);
            books(&mut booked);
            kinds(&run(&[line], &[booked], &[])).join(" ")
        };
        let same = |_: &mut Booked| ();
        assert_eq!(one(|_| (), same), "");
        assert_eq!(one(|line| line.fee = rupees(2), same), "fee");
        assert_eq!(
            one(|line| line.gross.currency = charge::payment::Currency::USD, same),
            "amount-differs"
        );
        assert_eq!(one(|_| (), |booked| booked.paid = None), "not-credited");
        assert_eq!(one(|_| (), |booked| booked.placed = false), "not-credited");
        assert_eq!(
            one(|line| line.reference = "other".to_owned(), same),
            "paid-twice missing-in-file"
        );
        let refund = |line: &mut SettlementLine| line.kind = SettlementKind::Refund;
        assert_eq!(one(refund, |booked| booked.paid = None), "refund-mismatch");
        let back = |booked: &mut Booked| {
            (booked.paid, booked.refund, booked.state) = (None, Some(rupees(100)), PaymentState::Refunded);
        };
        assert_eq!(one(refund, back), "");
        let chargeback = |line: &mut SettlementLine| line.kind = SettlementKind::Chargeback;
        assert_eq!(one(chargeback, |booked| booked.paid = None), "chargeback");
        let found = run(&[line(1), line(1)], &[booked(1)], &[]);
        assert_eq!(kinds(&found), ["paid-twice"]);
    }

    #[test]
    fn what_lies_in_suspense_is_not_extra() {
        let stray = SettlementLine {
            payment: None,
            reference: "stray".to_owned(),
            ..line(7)
        };
        let rail = Code::new("bank").unwrap();
        let kept = Booked {
            id: PaymentId::of_suspense(rail, "stray"),
            state: PaymentState::InSuspense,
            reference: "stray".to_owned(),
            ..booked(7)
        };
        assert_eq!(
            kinds(&run(std::slice::from_ref(&stray), &[], &[])),
            ["extra-in-file"]
        );
        assert_eq!(kinds(&run(&[stray], std::slice::from_ref(&kept), &[])), [""; 0]);
        let twice = SettlementLine {
            payment: Some(id(1)),
            reference: "stray".to_owned(),
            ..line(8)
        };
        assert_eq!(
            kinds(&run(&[line(1), twice.clone()], &[booked(1)], &[])),
            ["paid-twice"]
        );
        assert_eq!(kinds(&run(&[line(1), twice], &[booked(1), kept], &[])), [""; 0]);
    }
}
