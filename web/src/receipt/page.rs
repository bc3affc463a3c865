//! `/receipts` and `/receipts/{number}` with `.pdf` and `.json`: for the owner, and for whoever has the receipt's link.

use super::api::ReceiptAnswer;
use super::qr::Qr;
use super::view::{Evidence, Row, View, path_with_token};
use super::{capability, find, pdf};
use crate::api::json::Json;
use crate::bind::Reader;
use crate::limits;
use crate::page::frame::{Frame, Visitor, keep_offline, page};
use crate::problem::{Fault, Problem};
use crate::rate::caller_of;
use crate::router::PeerAddress;
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use charge::catalog::Catalog;
use charge::reply::Receipt;
use serde::Deserialize;
use std::sync::LazyLock;
use store::reads::Cursor;
use tokio::sync::Semaphore;

/// PDFs that are made at the same time.
static PDF_SLOTS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(limits::PDFS_AT_ONCE));

/// In which form a receipt is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Page,
    Pdf,
    Json,
}

/// The token of a link.
#[derive(Default, Deserialize)]
pub struct Link {
    t: Option<String>,
}

#[derive(Template)]
#[template(path = "receipt.html")]
struct ReceiptPage {
    page: Frame,
    operator: Html,
    number: Html,
    amount: Html,
    done: Html,
    rows: Vec<(Html, Html, bool)>,
    qr: String,
    coded: Html,
    verify_host: Html,
    verify_path: String,
    signed: String,
    pdf: String,
    json: String,
    share: Option<String>,
    complain: Option<String>,
}

/// One receipt.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Extension(peer): Extension<PeerAddress>,
    Path(name): Path<String>,
    Query(link): Query<Link>,
) -> Result<Response, Problem> {
    let (number, form) = name_and_form(&name).ok_or(Fault::NoSuchReceipt)?;
    let token = link.t.as_deref();
    let owns = visitor
        .sign_in
        .is_some_and(|sign_in| sign_in.account == number.account);
    let holds = token.is_some_and(|given| capability::token_fits(&web.parts.secret, number, given));
    if !owns && !holds {
        if token.is_some() {
            let rate = web.bad_key_rate.check(caller_of(peer.0));
            rate.map_err(Problem::rate_limited)?;
        }
        return Err(Fault::NoSuchReceipt.into());
    }
    let found = find(&web, number, true).await?;
    let (view, catalog) = found.ok_or(Fault::NoSuchReceipt)?;
    let evidence = Evidence::of(&view, &web, catalog);
    match form {
        Form::Json => Ok(Json(ReceiptAnswer::of(&view, catalog, &evidence)).into_response()),
        Form::Pdf => pdf_of(&web, &visitor, view, catalog, evidence).await,
        Form::Page => Ok(html_of(&web, &visitor, &view, catalog, &evidence, token)),
    }
}

fn html_of(
    web: &Web,
    visitor: &Visitor,
    view: &View,
    catalog: &Catalog,
    evidence: &Evidence,
    token: Option<&str>,
) -> Response {
    let t = visitor.speech();
    let number = view.number.to_string();
    let query = token.map_or_else(String::new, |token| format!("?t={token}"));
    let row = |row: Row| {
        let value = if row.words {
            Html::isolated(&row.value)
        } else {
            Html::bdi(&row.value)
        };
        (Html::isolated(&row.name), value, row.strong)
    };
    let label = t.p("slip-qr");
    let values = [("amount", t.money(view.gross, &catalog.currency).into())];
    let template = ReceiptPage {
        page: visitor.frame(web, format!("{} {number}", t.p("receipt"))),
        operator: Html::isolated(catalog.name.get(t.language)),
        number: Html::bdi(&number),
        amount: Html::bdi(&t.money(view.gross, &catalog.currency)),
        done: Html::isolated(&t.with("slip-done", &values)),
        rows: view.rows(web, catalog, t).into_iter().map(row).collect(),
        qr: Qr::of(&evidence.verify_url).map_or_else(String::new, |qr| qr.svg(&label)),
        coded: Html::bdi(&evidence.coded),
        verify_host: Html::bdi(&verify_host(web)),
        verify_path: format!("/verify?r={}", evidence.signed),
        signed: evidence.signed.clone(),
        pdf: format!("/receipts/{number}.pdf{query}"),
        json: format!("/receipts/{number}.json{query}"),
        share: token
            .is_none()
            .then(|| path_with_token(&web.parts.secret, view.number)),
        complain: token
            .is_none()
            .then(|| format!("/complaints/new?about=receipt:{number}")),
    };
    let shown = page(StatusCode::OK, &template);
    // One's own receipts can be looked at without a network; a receipt that was shared is somebody else's.
    if token.is_none() {
        keep_offline(shown)
    } else {
        shown
    }
}

async fn pdf_of(
    web: &Web,
    visitor: &Visitor,
    view: View,
    catalog: &Catalog,
    evidence: Evidence,
) -> Result<Response, Problem> {
    let sheet = pdf::Sheet::of(&view, &evidence, web, catalog, visitor.language);
    let name = format!("attachment; filename=\"{}.pdf\"", view.number);
    let _slot = PDF_SLOTS.acquire().await.map_err(|_| Fault::Internal)?;
    let made = tokio::task::spawn_blocking(move || sheet.render()).await;
    let bytes = match made {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => {
            tracing::error!(%error, "a receipt cannot be made into a PDF");
            return Err(Fault::Internal.into());
        }
        Err(error) => {
            tracing::error!(%error, "making a PDF panicked");
            return Err(Fault::Internal.into());
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "application/pdf"),
        (header::CONTENT_DISPOSITION, name.as_str()),
    ];
    Ok((headers, bytes).into_response())
}

#[derive(Template)]
#[template(path = "receipts.html")]
struct ReceiptsPage {
    page: Frame,
    lines: Vec<ListLine>,
    next: Option<String>,
}

struct ListLine {
    path: String,
    number: Html,
    when: Html,
    detail: Html,
    amount: Html,
}

/// Where the list goes on.
#[derive(Default, Deserialize)]
pub struct Onward {
    before: Option<String>,
}

/// The receipts of the number that is signed in, the newest first.
pub async fn list(
    State(web): State<Web>,
    visitor: Visitor,
    Query(onward): Query<Onward>,
) -> Result<Response, Problem> {
    let Some(sign_in) = visitor.sign_in else {
        return Ok(Redirect::to("/").into_response());
    };
    let before = match &onward.before {
        None => Cursor::NEWEST,
        Some(text) => Cursor::parse(text).ok_or(Fault::NotFound)?,
    };
    let account = sign_in.account;
    let ask = move |reader: &mut Reader| reader.models.receipts(account, before, limits::RECEIPTS_PER_PAGE);
    let found = web.parts.reads.ask(ask).await?;
    let t = visitor.speech();
    let full = found.len() == limits::RECEIPTS_PER_PAGE;
    let next = found
        .last()
        .filter(|_| full)
        .map(|line| line.cursor().to_string());
    let lines = found.iter().filter_map(|line| {
        let catalog = web.catalog(line.operator)?;
        let view = View::of(line, sign_in.msisdn)?;
        let money = |money| t.money(money, &catalog.currency);
        let detail = [
            ("amount", money(view.credited).into()),
            ("channel", view.channel.as_str().into()),
        ];
        Some(ListLine {
            path: format!("/receipts/{}", view.number),
            number: Html::bdi(&view.number.to_string()),
            when: Html::isolated(&t.moment(view.at, &catalog.zone)),
            detail: Html::isolated(&t.with("slip-list-detail", &detail)),
            amount: Html::bdi(&money(view.gross)),
        })
    });
    let template = ReceiptsPage {
        lines: lines.collect(),
        page: visitor.frame(&web, t.p("slip-list")),
        next,
    };
    Ok(keep_offline(page(StatusCode::OK, &template)))
}

/// `R1042-7.pdf` as number and form.
fn name_and_form(name: &str) -> Option<(Receipt, Form)> {
    let (number, form) = match name.rsplit_once('.') {
        None => (name, Form::Page),
        Some((number, "pdf")) => (number, Form::Pdf),
        Some((number, "json")) => (number, Form::Json),
        Some(_) => return None,
    };
    Some((Receipt::parse(number)?, form))
}

/// The address at which a receipt is checked, as people type it.
pub fn verify_host(web: &Web) -> String {
    format!("{}/verify", host(&web.parts.receipts.public_url))
}

/// The address without its scheme, as people write it.
pub(super) fn host(public_url: &str) -> &str {
    public_url.split_once("://").map_or(public_url, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::AccountId;

    #[test]
    fn names_have_a_form() {
        let number = Receipt {
            account: AccountId(1042),
            event: 7,
        };
        for (name, form) in [
            ("R1042-7", Form::Page),
            ("R1042-7.pdf", Form::Pdf),
            ("R1042-7.json", Form::Json),
        ] {
            assert_eq!(name_and_form(name), Some((number, form)));
        }
        for name in ["", "R", "R1042", "R1042-7.exe", "R1042-7.pdf.json", "../R1042-7"] {
            assert_eq!(name_and_form(name), None, "{name}");
        }
    }
}
