//! The file of the selling chain: grades, the matrix of movements, commissions.

use super::ZoneFinder;
use super::reader::{Fields, Report, Word, read_word, shorten};
use super::value;
use crate::catalog::chain::{
    Chain, CommissionOn, CommissionPlan, Grade, Reach, Slab, SlabBy, StockRule, TargetPeriod,
};
use crate::ids::Code;
use crate::money::{Money, Rounding};
use crate::seller::StockKind;
use crate::tax::Rate;

/// From this share on somebody should look.
const SHARE_HIGH: Rate = Rate(200_000);

/// Reads the file; `None` when a part of it could not be read, which was reported.
pub(super) fn read(mut file: Fields<'_>, report: &mut Report<'_>, zones: &ZoneFinder<'_>) -> Option<Chain> {
    let zone = file.required(report, "zone", "Asia/Karachi", |text| {
        zones(text).ok_or_else(|| format!("\"{}\" is not a known time zone", shorten(text)))
    });
    let grades = read_grades(&mut file, report);
    let rules = file.tables(report, "rule");
    let plans = file.tables(report, "commission");
    let wanted = (rules.len(), plans.len());
    let rules: Vec<StockRule> = rules
        .into_iter()
        .filter_map(|table| read_rule(table, report, &grades))
        .collect();
    let mut codes: Vec<Code> = Vec::new();
    let mut found: Vec<CommissionPlan> = Vec::new();
    for table in plans {
        let at = table.at;
        if let Some(plan) = read_plan(table, report, &grades) {
            if codes.contains(&plan.code) {
                report.error(
                    at,
                    format!("there are two commissions with the code \"{}\"", plan.code),
                );
            }
            codes.push(plan.code);
            check_plan(&plan, &found, at, report);
            found.push(plan);
        }
    }
    file.finish(report);
    let whole = (rules.len(), found.len()) == wanted;
    let zone = zone?;
    whole.then_some(Chain {
        zone,
        grades,
        rules,
        plans: found,
    })
}

/// Grades; each names those directly above it, which must come before it, so that they cannot go in a circle.
fn read_grades(file: &mut Fields<'_>, report: &mut Report<'_>) -> Vec<Grade> {
    let mut grades: Vec<Grade> = Vec::new();
    for mut fields in file.tables(report, "grade") {
        let at = fields.at;
        let code = fields.required(report, "code", "retailer", value::code);
        let under = fields.words(report, "under", "distributor");
        let sells = fields.flag(report, "sells", true);
        fields.finish(report);
        let under = known_grades(&under, report, &grades);
        let (Some(code), Some(sells)) = (code, sells) else {
            continue;
        };
        if grades.iter().any(|grade| grade.code == code) {
            report.error(at, format!("there are two grades with the code \"{code}\""));
        }
        grades.push(Grade { code, under, sells });
    }
    if grades.is_empty() {
        report.error(
            0,
            "there is no [[grade]]; the first is the operator's own".to_owned(),
        );
    }
    grades
}

fn known_grades(words: &[Word<'_>], report: &mut Report<'_>, grades: &[Grade]) -> Vec<Code> {
    let known = |text: &str| {
        grades
            .iter()
            .find(|grade| grade.code.as_str() == text)
            .map(|grade| grade.code)
            .ok_or_else(|| {
                format!(
                    "there is no grade \"{}\" before this; list higher grades first",
                    shorten(text)
                )
            })
    };
    words
        .iter()
        .filter_map(|word| read_word(report, *word, known))
        .collect()
}

/// A list of grades that must not be empty.
fn grades_of(
    fields: &mut Fields<'_>,
    report: &mut Report<'_>,
    key: &'static str,
    grades: &[Grade],
) -> Option<Vec<Code>> {
    let words = fields.words(report, key, "retailer");
    if words.is_empty() {
        report.error(fields.position(key), format!("`{key}` names no grade"));
        return None;
    }
    let found = known_grades(&words, report, grades);
    (found.len() == words.len()).then_some(found)
}

fn one_of<T: Copy>(names: &[(&'static str, T)], text: &str, what: &str) -> Result<T, String> {
    let found = names.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        format!(
            "\"{}\" is not {what}; write one of {}",
            shorten(text),
            known.join(", ")
        )
    })
}

fn read_rule(mut fields: Fields<'_>, report: &mut Report<'_>, grades: &[Grade]) -> Option<StockRule> {
    let at = fields.at;
    let kind = fields.required(report, "kind", "c2c", |text| {
        let names = StockKind::ALL.map(|kind| (kind.name(), kind));
        one_of(&names, text, "a movement of stock")
    });
    let from = grades_of(&mut fields, report, "from", grades);
    let to = grades_of(&mut fields, report, "to", grades);
    let reach = fields.default(report, "reach", "direct", Reach::Direct, |text| {
        one_of(&Reach::NAMES, text, "a reach")
    });
    let minimum = fields.default(report, "minimum", "100", Money::ZERO, value::money);
    let maximum = fields.default(report, "maximum", "50000", Money::ZERO, value::money);
    fields.finish(report);
    let rule = StockRule {
        kind: kind?,
        from: from?,
        to: to?,
        reach: reach?,
        minimum: minimum?,
        maximum: maximum?,
    };
    if rule.maximum.is_positive() && rule.maximum < rule.minimum {
        report.error(at, "`maximum` is below `minimum`".to_owned());
    }
    let is_root = |code: &Code| {
        let grade = grades.iter().find(|grade| grade.code == *code);
        grade.is_some_and(|grade| grade.under.is_empty())
    };
    if rule.kind == StockKind::Issue && !rule.from.iter().all(is_root) {
        let message = "only a root issues stock (o2c): a grade with nothing above it";
        report.error(at, message.to_owned());
    }
    if rule.reach == Reach::Beside && rule.kind != StockKind::Transfer {
        report.error(at, "only c2c goes to one beside the giver".to_owned());
    }
    if !can_happen(&rule, grades) {
        let message = "nobody can ever use this row: no grade in `from` stands so to one in `to`";
        report.warning(at, message.to_owned());
    }
    Some(rule)
}

/// Whether some pair of grades of a row can stand to each other as the row wants it.
fn can_happen(rule: &StockRule, grades: &[Grade]) -> bool {
    let grade = |code: Code| grades.iter().find(|grade| grade.code == code);
    let directly = |high: Code, low: Code| grade(low).is_some_and(|grade| grade.under.contains(&high));
    let above = |high: Code, low: Code| {
        let (mut open, mut seen) = (vec![low], Vec::new());
        while let Some(code) = open.pop() {
            for up in grade(code).map_or(&[][..], |grade| &grade.under) {
                if *up == high {
                    return true;
                }
                if !seen.contains(up) {
                    seen.push(*up);
                    open.push(*up);
                }
            }
        }
        false
    };
    let fits = |from: Code, to: Code| {
        let (high, low) = match rule.kind {
            StockKind::Issue | StockKind::Transfer => (from, to),
            StockKind::Return | StockKind::Withdraw => (to, from),
        };
        match rule.reach {
            Reach::Direct => directly(high, low),
            Reach::Any => above(high, low),
            Reach::Beside => grades
                .iter()
                .any(|parent| directly(parent.code, from) && directly(parent.code, to)),
        }
    };
    rule.from
        .iter()
        .any(|from| rule.to.iter().any(|to| fits(*from, *to)))
}

fn read_plan(mut fields: Fields<'_>, report: &mut Report<'_>, grades: &[Grade]) -> Option<CommissionPlan> {
    let at = fields.at;
    let code = fields.required(report, "code", "retailer-stock", value::code);
    let on = fields.required(report, "on", "stock", |text| {
        one_of(
            &CommissionOn::NAMES,
            text,
            "something that a commission is given for",
        )
    });
    let wanted = grades_of(&mut fields, report, "for", grades);
    let by = fields.default(report, "by", "amount", SlabBy::Amount, |text| {
        one_of(
            &[("amount", SlabBy::Amount), ("month", SlabBy::Month)],
            text,
            "a measure",
        )
    });
    let rounding = fields.default(report, "rounding", "down", Rounding::Down, value::rounding);
    let (has_percent, has_slabs) = (fields.has("percent"), fields.has("slabs"));
    let percent = fields.default(report, "percent", "2.5", Rate::ZERO, value::percent);
    let slabs = read_slabs(&mut fields, report);
    let reach = fields.default(report, "reach", "200000", Money::ZERO, value::money);
    let pays = fields.default(report, "pays", "500", Money::ZERO, value::money);
    let has_target = fields.has("reach") || fields.has("pays");
    let period = fields.default(report, "period", "month", TargetPeriod::Month, |text| {
        let names = [("day", TargetPeriod::Day), ("month", TargetPeriod::Month)];
        one_of(&names, text, "a period")
    });
    fields.finish(report);
    let (on, percent, reach, pays) = (on?, percent?, reach?, pays?);
    if on == CommissionOn::Target {
        if has_percent || has_slabs || !reach.is_positive() || !pays.is_positive() {
            let message = "a target has `reach` and `pays`, and neither `percent` nor `slabs`";
            report.error(at, message.to_owned());
        } else if pays >= reach {
            report.error(at, "the target pays as much as it wants sold".to_owned());
        }
    } else if has_percent == has_slabs || has_target {
        let message = "this commission has either `percent` or `slabs`, and no `reach` and `pays`";
        report.error(at, message.to_owned());
    }
    let slabs = match (on, has_slabs) {
        (CommissionOn::Target, _) => Vec::new(),
        (_, true) => slabs?,
        (_, false) => vec![Slab {
            from: Money::ZERO,
            rate: percent,
        }],
    };
    Some(CommissionPlan {
        code: code?,
        on,
        grades: wanted?,
        slabs,
        by: by?,
        rounding: rounding?,
        reach,
        pays,
        period: period?,
    })
}

fn read_slabs(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<Vec<Slab>> {
    let tables = fields.tables(report, "slabs");
    let count = tables.len();
    let mut slabs: Vec<Slab> = Vec::new();
    for mut table in tables {
        let at = table.at;
        let from = table.required(report, "from", "10000", value::money);
        let rate = table.required(report, "percent", "0.75", value::percent);
        table.finish(report);
        let (Some(from), Some(rate)) = (from, rate) else {
            continue;
        };
        match slabs.last() {
            None if from != Money::ZERO => report.error(at, "the first slab begins at \"0\"".to_owned()),
            Some(last) if last.from >= from => {
                report.error(
                    at,
                    "slabs go upwards: this one begins below the one before".to_owned(),
                );
            }
            _ => {}
        }
        slabs.push(Slab { from, rate });
    }
    (slabs.len() == count).then_some(slabs)
}

/// What only the plans before it can show.
fn check_plan(plan: &CommissionPlan, before: &[CommissionPlan], at: usize, report: &mut Report<'_>) {
    if plan.slabs.iter().any(|slab| slab.rate >= SHARE_HIGH) {
        report.warning(at, "a commission of 20 % or more; is that meant?".to_owned());
    }
    if plan.on == CommissionOn::Target {
        return;
    }
    let taken = |grade: &&Code| {
        let same = |other: &&CommissionPlan| other.on == plan.on && other.grades.contains(grade);
        before.iter().any(|other| same(&other))
    };
    if let Some(grade) = plan.grades.iter().find(taken) {
        let message =
            format!("an earlier commission for the same already names \"{grade}\"; only the first counts");
        report.error(at, message);
    }
}
