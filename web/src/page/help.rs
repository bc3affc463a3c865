//! Help: short answers with a search, and the tax on a recharge worked out with today's rates.

use super::format::Speech;
use super::frame::{Frame, Visitor, page};
use crate::limits;
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use charge::catalog::Catalog;
use charge::{Entity, EntityKey, Money};
use serde::Deserialize;
use std::sync::Arc;

/// Questions: `help-{name}` and `help-{name}.answer`, and the words by which people look for them are in both.
const QUESTIONS: [&str; 12] = [
    "why-less",
    "validity",
    "wrong-number",
    "not-credited",
    "why-charged",
    "bundle-ended",
    "renewal",
    "fake-sms",
    "code-not-come",
    "offline",
    "install",
    "budget",
];

/// The worked example: what Rs 100 bring.
const EXAMPLE: Money = Money::from_units(100);

#[derive(Template)]
#[template(path = "help.html")]
struct Help {
    page: Frame,
    query: String,
    found: Vec<(Html, Html)>,
    example: Option<Example>,
}

struct Example {
    rows: Vec<(Html, Html)>,
    total: Html,
    how: Html,
    exact: Html,
}

/// What is looked for.
#[derive(Default, Deserialize)]
pub struct Asked {
    q: Option<String>,
}

/// The help.
pub async fn show(State(web): State<Web>, visitor: Visitor, Query(asked): Query<Asked>) -> Response {
    let t = visitor.speech();
    let query: String = asked
        .q
        .unwrap_or_default()
        .chars()
        .take(limits::SEARCH_CHARACTERS_MAX)
        .collect();
    let catalog = own_catalog(&web, &visitor).await;
    let template = Help {
        page: visitor.frame(&web, t.p("place-help")),
        found: found(&query, t),
        query,
        example: catalog.map(|catalog| example(&catalog, t)),
    };
    page(StatusCode::OK, &template)
}

/// The catalog of the visitor's operator; for a guest the first one.
async fn own_catalog(web: &Web, visitor: &Visitor) -> Option<Arc<Catalog>> {
    if let Some(sign_in) = visitor.sign_in
        && let Ok(Some(Entity::Account(account))) =
            web.parts.core.read(EntityKey::Account(sign_in.account)).await
    {
        return web.catalogs().get(account.operator).cloned();
    }
    web.catalogs().iter().next().cloned()
}

/// Questions that hold every word; all when nothing is asked.
fn found(query: &str, t: Speech) -> Vec<(Html, Html)> {
    let query = query.to_lowercase();
    let words: Vec<&str> = query.split_whitespace().collect();
    let texts = QUESTIONS.iter().map(|name| {
        let question = t.p(&format!("help-{name}"));
        let answer = t.p(&format!("help-{name}.answer"));
        (question, answer)
    });
    let holds = |(question, answer): &(String, String)| {
        let text = format!("{question} {answer}").to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    texts
        .filter(holds)
        .map(|(question, answer)| (Html::isolated(&question), Html::isolated(&answer)))
        .collect()
}

fn example(catalog: &Catalog, t: Speech) -> Example {
    let region = catalog.tax.region(catalog.tax.default_region);
    let tax = region.recharge.inside(EXAMPLE, catalog.tax.recharge_rounding);
    let credit = EXAMPLE - tax;
    let money = |amount: Money| Html::bdi(&t.money(amount, &catalog.currency));
    let rate = format!("{} %", region.recharge.percent());
    let name = catalog.tax.recharge_name.get(t.language);
    let tax_name = t.with("receipt-tax", &[("name", name.into()), ("rate", rate.into())]);
    let percent = region.recharge.percent();
    let how = [
        ("rate", percent.clone().into()),
        ("gross", EXAMPLE.shown().trim_end_matches(".00").to_owned().into()),
    ];
    let exact = [("tax", tax.exact().into()), ("credit", credit.exact().into())];
    Example {
        rows: vec![
            (t.h("receipt-paid"), money(EXAMPLE)),
            (Html::isolated(&tax_name), money(-tax)),
        ],
        total: money(credit),
        how: Html::isolated(&t.with("help-tax-how", &how)),
        exact: Html::isolated(&t.with("help-tax-exact", &exact)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::catalog::Language;

    #[test]
    fn every_question_has_an_answer_and_search_finds_it() {
        for language in Language::ALL {
            let t = Speech { language };
            assert_eq!(found("", t).len(), QUESTIONS.len());
            for (question, answer) in found("", t) {
                assert!(!question.to_string().contains("help-"), "{question}");
                assert!(!answer.to_string().contains("help-"), "{answer}");
            }
            assert!(found("zzzqqq", t).is_empty());
        }
        let t = Speech {
            language: Language::En,
        };
        assert!((1..4).contains(&found("FAKE sms", t).len()));
    }

    #[test]
    fn the_example_is_worked_out_with_the_rates_of_the_catalog() {
        let catalogs = crate::testing::catalogs();
        let catalog = catalogs.get(charge::OperatorId(1)).unwrap();
        let t = Speech {
            language: Language::En,
        };
        let example = example(catalog, t);
        assert_eq!(example.total.to_string(), "<bdi>Rs\u{a0}86.96</bdi>");
        assert!(example.exact.to_string().contains("13.043478"));
    }
}
