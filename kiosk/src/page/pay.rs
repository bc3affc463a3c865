//! Payment and result.

use super::choose::{in_notes, whom};
use super::{Frame, accepts_part, back, money, page};
use crate::book::{NoteState, Order, State as Stage};
use crate::limits;
use crate::operator::{Goods, shown};
use crate::shell::Kiosk;
use crate::till::{Heard, NoSale, Wish};
use askama::Template;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use charge::Money;
use charge::catalog::Language;
use serde::Deserialize;
use std::sync::Arc;
use web::page::format::Speech;
use web::receipt::qr::Qr;
use web::text::Html;

#[derive(Deserialize)]
pub struct WayForm {
    way: String,
}

/// Begins an order.
pub async fn begin(State(kiosk): State<Arc<Kiosk>>, Form(form): Form<WayForm>) -> Response {
    let visit = kiosk.visit();
    let (Some((_, number, operator)), Some((goods, quote))) = (whom(&kiosk), visit.goods) else {
        return Redirect::to("/choose").into_response();
    };
    let card = form.way == "card";
    let begun = kiosk.with(|till, now| {
        let gross = quote.as_ref().map_or(Money::ZERO, |quote| quote.gross);
        let wish = Wish {
            language: visit.language,
            number,
            operator,
            bundle: match goods {
                Goods::Bundle(code) => Some((code, visit.bundle_name)),
                Goods::Amount(_) => None,
            },
            asked: if card {
                gross
            } else {
                in_notes(gross, &till.settings().notes)
            },
            card,
        };
        Ok(match till.begin(wish, now)? {
            Ok((_, actions)) => (Ok(()), actions),
            Err(no) => (Err(no), Vec::new()),
        })
    });
    match begun {
        Ok(Ok(())) => {
            // The order has it now. A second press of "back" does not begin it again.
            kiosk.revisit(|visit| visit.goods = None);
            Redirect::to("/pay").into_response()
        }
        Ok(Err(no)) => back(&kiosk, "/confirm", no_sale(no), &[]),
        Err(error) => {
            tracing::error!(%error, "the kiosk's book");
            back(&kiosk, "/confirm", "kiosk-closed", &[])
        }
    }
}

fn no_sale(no: NoSale) -> &'static str {
    match no {
        NoSale::Busy => "kiosk-busy",
        NoSale::NoCash => "kiosk-no-cash",
        NoSale::NoCard => "kiosk-no-card",
        NoSale::NoFloat | NoSale::Closed => "kiosk-closed",
        NoSale::Offline => "kiosk-offline-limit",
        NoSale::Amount => "kiosk-bad-amount",
    }
}

/// The order on the screen, in the language of its customer.
fn present(kiosk: &Kiosk) -> Option<(Order, Option<Heard>)> {
    let (order, heard) = kiosk.see(|till| {
        let order = till
            .active()
            .and_then(|seq| till.book().order(seq).ok().flatten());
        (order, till.heard())
    });
    let order = order?;
    kiosk.revisit(|visit| {
        // After a power cut nobody has chosen a language yet.
        if visit.number.is_none() {
            visit.language = order.language;
        }
    });
    Some((order, heard))
}

/// What is shown while money comes in.
struct Paying {
    t: Speech,
    number: Html,
    card: bool,
    open: bool,
    asked: Html,
    paid: Html,
    left: Html,
    nothing: bool,
    can_sell: bool,
    heard: Option<Html>,
    unclear: bool,
    notes: Vec<Html>,
}

impl Paying {
    fn of(kiosk: &Kiosk, order: &Order, heard: Option<Heard>) -> Paying {
        let t = Speech {
            language: kiosk.visit().language,
        };
        let show = |amount: Money| money(t, amount, &order.currency);
        let say = |key: &str, value: Money| {
            Html::isolated(&t.with(key, &[("amount", t.money(value, &order.currency).into())]))
        };
        let heard = heard.map(|heard| match heard {
            Heard::TooLarge(value) => say("kiosk-note-large", value),
            Heard::Rejected => t.h("kiosk-note-rejected"),
            Heard::Returned(value) => say("kiosk-note-returned", value),
            Heard::Stuck(value) => say("kiosk-note-stuck", value),
        });
        let notes = kiosk.see(|till| till.settings().notes.clone());
        Paying {
            number: kiosk.see(|till| Html::bdi(&shown(order.number, till.operators()))),
            card: order.card,
            open: !order.asked.is_positive(),
            asked: show(order.asked),
            paid: show(order.paid),
            left: show(order.room()),
            nothing: order.paid == Money::ZERO,
            can_sell: order.paid >= order.minimum,
            heard,
            unclear: order.card && order.card_state == "unknown",
            notes: notes
                .into_iter()
                .filter(|value| *value <= order.room())
                .map(show)
                .collect(),
            t,
        }
    }
}

#[derive(Template)]
#[template(path = "pay.html")]
struct PayPage {
    page: Frame,
    part: PayPart,
}

#[derive(Template)]
#[template(path = "pay_part.html")]
struct PayPart {
    it: Paying,
}

/// Money comes in.
pub async fn show(State(kiosk): State<Arc<Kiosk>>) -> Response {
    let Some((order, heard)) = paying(&kiosk) else {
        return Redirect::to("/done").into_response();
    };
    let page_ = Frame::of(&kiosk, "/pay", 3, "kiosk-pay");
    let part = PayPart {
        it: Paying::of(&kiosk, &order, heard),
    };
    // The till itself watches how long nothing happens.
    page(&PayPage {
        page: Frame { idle_s: 0, ..page_ },
        part,
    })
}

fn paying(kiosk: &Kiosk) -> Option<(Order, Option<Heard>)> {
    let (order, heard) = present(kiosk)?;
    let patient = kiosk.now() < order.begun_at.plus(limits::CARD_PATIENCE_US);
    let closing = kiosk.see(|till| till.is_closing(order.seq));
    (order.state == Stage::Paying && !closing && (!order.card || patient)).then_some((order, heard))
}

/// The part of the page that changes. 205: go on to the result.
pub async fn part(State(kiosk): State<Arc<Kiosk>>, headers: HeaderMap) -> Response {
    if !accepts_part(&headers) {
        return Redirect::to("/pay").into_response();
    }
    match paying(&kiosk) {
        Some((order, heard)) => page(&PayPart {
            it: Paying::of(&kiosk, &order, heard),
        }),
        None => StatusCode::RESET_CONTENT.into_response(),
    }
}

/// No more notes, or no card after all.
pub async fn finish(State(kiosk): State<Arc<Kiosk>>) -> Redirect {
    let done = kiosk.with(|till, now| {
        till.touched(now);
        let actions = match till.active() {
            Some(seq) => till.finish(seq, now)?,
            None => Vec::new(),
        };
        Ok(((), actions))
    });
    if let Err(error) = done {
        tracing::error!(%error, "the kiosk's book");
    }
    Redirect::to("/pay")
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Credited.
    Credited,
    /// On its way: the server will say so in a moment.
    Soon,
    /// Credited when the line is back, or when the outlet has stock again.
    Later,
    /// Somebody gives it back.
    Owed,
    /// The card is given its money back.
    Reversed,
    /// The bank has not said.
    Unclear,
    /// Nobody paid.
    Nothing,
}

/// The result and the slip.
struct Result_ {
    t: Speech,
    ending: Ending,
    seq: u64,
    kiosk: Html,
    reference: Html,
    at: Html,
    number: Html,
    operator: Html,
    paid: Html,
    tax: Option<Html>,
    credited: Option<Html>,
    bundle: Option<Html>,
    bundle_failed: bool,
    receipt: Option<Html>,
    qr: Option<String>,
    by_card: bool,
    auth: Option<Html>,
    stuck: Option<Html>,
    declined: bool,
    help: Html,
    has_help: bool,
}

impl Result_ {
    fn is(&self, name: &str) -> bool {
        let own = match self.ending {
            Ending::Credited => "credited",
            Ending::Soon => "soon",
            Ending::Later => "later",
            Ending::Owed => "owed",
            Ending::Reversed => "reversed",
            Ending::Unclear => "unclear",
            Ending::Nothing => "nothing",
        };
        own == name
    }

    /// There is something on paper.
    fn has_slip(&self) -> bool {
        self.stuck.is_some() || !matches!(self.ending, Ending::Nothing | Ending::Soon)
    }

    /// It may still change.
    fn is_open(&self) -> bool {
        self.ending == Ending::Soon
    }

    fn of(kiosk: &Kiosk, order: &Order) -> Result_ {
        let language: Language = kiosk.visit().language;
        let t = Speech { language };
        let show = |amount: Money| money(t, amount, &order.currency);
        let (name, number, operator, notes, line) = kiosk.see(|till| {
            let known = till.operators().iter().find(|known| known.code == order.operator);
            (
                till.settings().name.clone(),
                shown(order.number, till.operators()),
                known.map_or(order.operator.clone(), |known| known.name_in(language).to_owned()),
                till.book().notes(order.seq).unwrap_or_default(),
                till.line(),
            )
        });
        let waited = kiosk.now() >= order.changed_at.plus(SOON_US);
        let ending = match order.state {
            Stage::Credited => Ending::Credited,
            Stage::Paid if !line || waited || !order.refused.is_empty() => Ending::Later,
            Stage::Paid => Ending::Soon,
            Stage::Owed | Stage::Repaid => Ending::Owed,
            Stage::Reversing | Stage::Reversed => Ending::Reversed,
            Stage::Paying if order.card => Ending::Unclear,
            Stage::Paying => Ending::Soon,
            Stage::Empty => Ending::Nothing,
        };
        let stuck: Money = notes
            .iter()
            .filter(|note| note.state == NoteState::Unclear)
            .map(|note| note.value)
            .sum();
        let credited = order.state == Stage::Credited;
        let look = kiosk.look();
        let bdi = |text: &str| (!text.is_empty()).then(|| Html::bdi(text));
        Result_ {
            ending,
            seq: order.seq,
            reference: Html::bdi(&order.reference(&name)),
            kiosk: Html::bdi(&name),
            at: Html::isolated(&t.moment(order.begun_at, &look.zone)),
            number: Html::bdi(&number),
            operator: Html::bdi(&operator),
            paid: show(if order.card && !order.paid.is_positive() {
                order.asked
            } else {
                order.paid
            }),
            tax: credited.then(|| show(order.tax)),
            credited: credited.then(|| show(order.credited)),
            bundle: bdi(&order.bundle_name).filter(|_| order.bundle_bought != Some(false)),
            bundle_failed: order.bundle_bought == Some(false),
            receipt: bdi(&order.receipt),
            qr: Qr::of(&order.verify)
                .filter(|_| !order.verify.is_empty())
                .map(|qr| qr.svg(&t.p("kiosk-qr"))),
            by_card: order.card,
            auth: bdi(&order.auth),
            stuck: stuck.is_positive().then(|| {
                Html::isolated(&t.with(
                    "kiosk-stuck-slip",
                    &[("amount", t.money(stuck, &order.currency).into())],
                ))
            }),
            declined: order.card && order.state == Stage::Empty,
            help: Html::bdi(&look.help),
            has_help: !look.help.is_empty(),
            t,
        }
    }
}

/// So long a customer waits for the credit before the slip says "later".
const SOON_US: i64 = 12 * charge::time::SECOND;

#[derive(Template)]
#[template(path = "done.html")]
struct DonePage {
    page: Frame,
    result_s: u32,
    part: DonePart,
}

#[derive(Template)]
#[template(path = "done_part.html")]
struct DonePart {
    it: Result_,
}

/// The result.
pub async fn done(State(kiosk): State<Arc<Kiosk>>) -> Response {
    let Some((order, _)) = present(&kiosk) else {
        return Redirect::to("/").into_response();
    };
    if paying(&kiosk).is_some() {
        return Redirect::to("/pay").into_response();
    }
    let page_ = Frame::of(&kiosk, "/done", 4, "kiosk-done");
    let part = DonePart {
        it: Result_::of(&kiosk, &order),
    };
    page(&DonePage {
        page: Frame { idle_s: 0, ..page_ },
        result_s: kiosk.look().result_s,
        part,
    })
}

/// The part that changes.
pub async fn done_part(State(kiosk): State<Arc<Kiosk>>, headers: HeaderMap) -> Response {
    if !accepts_part(&headers) {
        return Redirect::to("/done").into_response();
    }
    match present(&kiosk) {
        Some((order, _)) => page(&DonePart {
            it: Result_::of(&kiosk, &order),
        }),
        None => StatusCode::RESET_CONTENT.into_response(),
    }
}
