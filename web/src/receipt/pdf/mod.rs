//! The receipt as a PDF of one A5 page: for paper, for offices, for people without a screen.
//!
//! | module | job |
//! |---|---|
//! | `fonts` | subsets of Noto inside the binary |
//! | `text` | order, shaping and width of lines |

mod fonts;
mod text;

use super::page::host;
use super::qr::{BORDER, Qr};
use super::view::{Evidence, Row, View};
use crate::page::format::Speech;
use crate::state::Web;
use charge::Timestamp;
use charge::catalog::{Catalog, Language};
use fonts::{Fonts, fonts};
use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Rect};
use krilla::metadata::{DateTime, Metadata, TextDirection};
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use text::{Line, Style, chop, wrap};

/// A5 in points.
const PAGE: (f32, f32) = (419.53, 595.28);
const MARGIN: f32 = 40.0;
const WIDTH: f32 = PAGE.0 - 2.0 * MARGIN;
const QR_SIDE: f32 = 118.0;

/// Red, green, blue.
type Colour = (u8, u8, u8);
const INK: Colour = (27, 36, 33);
const SOFT: Colour = (86, 99, 94);
const GOOD: Colour = (10, 106, 63);
const HAIR: Colour = (207, 200, 182);

/// A PDF that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// The fonts inside the binary cannot be read.
    #[error("the fonts inside the binary cannot be read")]
    Fonts,
    /// The page has no size.
    #[error("the page has no size")]
    Page,
    /// The library refuses.
    #[error("the PDF cannot be written: {0}")]
    Write(String),
}

/// Everything that stands on the page, in its language.
pub struct Sheet {
    language: Language,
    at: Timestamp,
    title: String,
    operator: String,
    amount: String,
    done: String,
    rows: Vec<Row>,
    check: String,
    how: String,
    place: String,
    coded: String,
    footer: String,
    verify_url: String,
    signed: String,
}

impl Sheet {
    /// Of a receipt.
    pub fn of(view: &View, evidence: &Evidence, web: &Web, catalog: &Catalog, language: Language) -> Sheet {
        let t = Speech { language };
        let known = |name: &str, english: &str| match fonts() {
            Some(fonts) if !fonts.cover(name) => english.to_owned(),
            _ => name.to_owned(),
        };
        let amount = t.money(view.gross, &catalog.currency);
        let english = view.rows(
            web,
            catalog,
            Speech {
                language: Language::En,
            },
        );
        let rows = view
            .rows(web, catalog, t)
            .into_iter()
            .zip(english)
            .map(|(row, english)| Row {
                name: known(&row.name, &english.name),
                value: known(&row.value, &english.value),
                ..row
            });
        Sheet {
            language,
            at: view.at,
            title: format!("{} \u{2068}{}\u{2069}", t.p("receipt"), view.number),
            operator: known(catalog.name.get(language), catalog.name.get(Language::En)),
            done: t.with("slip-done", &[("amount", amount.as_str().into())]),
            amount,
            rows: rows.collect(),
            check: t.p("slip-check"),
            how: t.p("slip-check-how"),
            place: format!("{}/verify", host(&web.parts.receipts.public_url)),
            coded: evidence.coded.clone(),
            footer: t.p("slip-footer"),
            verify_url: evidence.verify_url.clone(),
            signed: evidence.signed.clone(),
        }
    }

    /// The file. The same sheet always gives the same bytes.
    ///
    /// # Errors
    /// [`PdfError`].
    pub fn render(&self) -> Result<Vec<u8>, PdfError> {
        let fonts = fonts().ok_or(PdfError::Fonts)?;
        let settings = PageSettings::from_wh(PAGE.0, PAGE.1).ok_or(PdfError::Page)?;
        let mut document = Document::new();
        document.set_metadata(self.metadata());
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        let mut pen = Pen {
            surface: &mut surface,
            fonts,
            right_to_left: self.language == Language::Ur,
            y: MARGIN,
        };
        self.head(&mut pen);
        for row in &self.rows {
            pen.row(row);
        }
        self.evidence(&mut pen);
        surface.finish();
        page.finish();
        document
            .finish()
            .map_err(|error| PdfError::Write(format!("{error:?}")))
    }

    fn metadata(&self) -> Metadata {
        let civil = charge::time::Zone::UTC.civil(self.at);
        let second = charge::time::Zone::UTC.second_of_day(self.at);
        let part = |value: u32| u8::try_from(value).unwrap_or(0);
        let made = DateTime::new(u16::try_from(civil.year).unwrap_or(0))
            .month(civil.month)
            .day(civil.day)
            .hour(part(second / 3_600))
            .minute(part(second / 60 % 60))
            .second(part(second % 60));
        Metadata::new()
            .title(self.title.replace(crate::text::ISOLATES, ""))
            .creator("Raseed".to_owned())
            .language(self.language.tag().to_owned())
            .creation_date(made)
            .text_direction(match self.language {
                Language::Ur => TextDirection::RightToLeft,
                Language::En | Language::Zh => TextDirection::LeftToRight,
            })
    }

    fn head(&self, pen: &mut Pen<'_, '_>) {
        pen.centre(&self.operator, bold(14.0), INK, 18.0);
        pen.centre(&self.title, plain(9.5), SOFT, 16.0);
        pen.centre(&self.amount, bold(28.0), INK, 38.0);
        pen.centre(&self.done, bold(10.0), GOOD, 20.0);
        pen.y += 8.0;
        pen.rule(1.2, INK);
        pen.y += 2.0;
    }

    fn evidence(&self, pen: &mut Pen<'_, '_>) {
        pen.y += 14.0;
        let top = pen.y;
        let side = if pen.right_to_left {
            PAGE.0 - MARGIN - QR_SIDE
        } else {
            MARGIN
        };
        if let Some(qr) = Qr::of(&self.verify_url) {
            pen.qr(&qr, side, top);
        }
        let (gap, left) = (
            16.0,
            if pen.right_to_left {
                MARGIN
            } else {
                MARGIN + QR_SIDE + 16.0
            },
        );
        let column = (left, WIDTH - QR_SIDE - gap);
        pen.y = top + 6.0;
        pen.block(&self.check, bold(11.0), INK, column, 19.0);
        pen.block(&self.how, plain(9.5), SOFT, column, 15.0);
        pen.y += 3.0;
        pen.block(&isolated(&self.place), plain(9.5), INK, column, 15.0);
        pen.block(&isolated(&self.coded), bold(11.0), INK, column, 17.0);
        pen.y = pen.y.max(top + QR_SIDE) + 12.0;
        pen.block(&self.footer, plain(8.5), SOFT, (MARGIN, WIDTH), 13.0);
        for line in chop(&self.signed, plain(6.0), WIDTH, pen.fonts) {
            pen.y += 8.0;
            pen.colour(SOFT);
            line.draw(pen.surface, MARGIN, pen.y);
        }
    }
}

/// Draws downwards.
struct Pen<'a, 's> {
    surface: &'a mut Surface<'s>,
    fonts: &'static Fonts,
    right_to_left: bool,
    y: f32,
}

impl Pen<'_, '_> {
    fn line(&self, text: &str, style: Style) -> Line {
        Line::of(text, style, self.right_to_left, self.fonts)
    }

    fn centre(&mut self, text: &str, style: Style, colour: Colour, height: f32) {
        let line = self.line(
            text,
            fitting(style, |style| self.line(text, style).width(), WIDTH),
        );
        self.y += height;
        self.colour(colour);
        line.draw(self.surface, (PAGE.0 - line.width()) / 2.0, self.y);
    }

    /// Lines in a column, at its beginning.
    fn block(&mut self, text: &str, style: Style, colour: Colour, (left, width): (f32, f32), height: f32) {
        self.colour(colour);
        for line in wrap(text, style, self.right_to_left, width, self.fonts) {
            self.y += height;
            let x = if self.right_to_left {
                left + width - line.width()
            } else {
                left
            };
            line.draw(self.surface, x, self.y);
        }
    }

    fn row(&mut self, row: &Row) {
        let style = if row.strong { bold(10.0) } else { plain(10.0) };
        let name = self.line(&row.name, style);
        let room = WIDTH - name.width() - 12.0;
        let text = if row.words {
            row.value.clone()
        } else {
            isolated(&row.value)
        };
        let value = self.line(
            &text,
            fitting(style, |style| self.line(&text, style).width(), room),
        );
        self.y += 17.0;
        let (start, end) = (MARGIN, PAGE.0 - MARGIN);
        let (name_x, value_x) = if self.right_to_left {
            (end - name.width(), start)
        } else {
            (start, end - value.width())
        };
        self.colour(if row.strong { INK } else { SOFT });
        name.draw(self.surface, name_x, self.y);
        self.colour(INK);
        value.draw(self.surface, value_x, self.y);
        self.y += 5.5;
        self.rule(0.5, HAIR);
    }

    fn rule(&mut self, thickness: f32, colour: Colour) {
        self.colour(colour);
        let mut path = PathBuilder::new();
        if let Some(rect) = Rect::from_xywh(MARGIN, self.y, WIDTH, thickness) {
            path.push_rect(rect);
        }
        if let Some(path) = path.finish() {
            self.surface.draw_path(&path);
        }
        self.y += thickness;
    }

    fn qr(&mut self, qr: &Qr, left: f32, top: f32) {
        let modules = u16::try_from(qr.size()).unwrap_or(u16::MAX);
        let module = QR_SIDE / f32::from(modules);
        let at = |module_index: usize| f32::from(u16::try_from(module_index).unwrap_or(u16::MAX)) * module;
        debug_assert!(MARGIN > at(BORDER), "the margin is the light border");
        let mut path = PathBuilder::new();
        for (x, y, length) in qr.runs() {
            if let Some(rect) = Rect::from_xywh(left + at(x), top + at(y), at(length), module) {
                path.push_rect(rect);
            }
        }
        self.colour((0, 0, 0));
        if let Some(path) = path.finish() {
            self.surface.draw_path(&path);
        }
    }

    fn colour(&mut self, colour: Colour) {
        self.surface.set_fill(Some(Fill {
            paint: rgb::Color::new(colour.0, colour.1, colour.2).into(),
            opacity: NormalizedF32::ONE,
            rule: FillRule::default(),
        }));
    }
}

/// The size at which a text fits a width, not below five points.
fn fitting(style: Style, width_at: impl Fn(Style) -> f32, width: f32) -> Style {
    let wide = width_at(style);
    if wide <= width {
        return style;
    }
    Style {
        size: (style.size * width / wide).max(5.0),
        ..style
    }
}

fn isolated(text: &str) -> String {
    format!("\u{2068}{text}\u{2069}")
}

fn plain(size: f32) -> Style {
    Style { size, bold: false }
}

fn bold(size: f32) -> Style {
    Style { size, bold: true }
}
