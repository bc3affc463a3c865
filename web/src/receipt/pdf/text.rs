//! One line of text, ready to be drawn: put in order (UAX #9), cut by font, shaped, measured.

use super::fonts::{Cut, Fonts, Script};
use krilla::geom::Point;
use krilla::surface::Surface;
use krilla::text::{GlyphId, KrillaGlyph};
use rustybuzz::{Direction, UnicodeBuffer};
use std::ops::Range;
use unicode_bidi::{BidiInfo, Level};

/// A size in points and a weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// Points.
    pub size: f32,
    /// Bold.
    pub bold: bool,
}

/// A shaped line.
pub struct Line {
    pieces: Vec<Piece>,
    size: f32,
    width: f32,
}

/// A part of a line in one font and direction.
struct Piece {
    text: String,
    font: krilla::text::Font,
    glyphs: Vec<KrillaGlyph>,
    width: f32,
}

impl Line {
    /// Shapes a text in a paragraph of this direction.
    pub fn of(text: &str, style: Style, right_to_left: bool, fonts: &Fonts) -> Line {
        let base = if right_to_left { Level::rtl() } else { Level::ltr() };
        let bidi = BidiInfo::new(text, Some(base));
        let mut pieces = Vec::new();
        for paragraph in &bidi.paragraphs {
            let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let backwards = levels.get(run.start).is_some_and(Level::is_rtl);
                let mut parts = cut(text, run, fonts);
                if backwards {
                    parts.reverse();
                }
                for (part, script) in parts {
                    pieces.push(shape(part, fonts.cut(script, style.bold), style.size, backwards));
                }
            }
        }
        Line {
            width: pieces.iter().map(|piece| piece.width).sum(),
            size: style.size,
            pieces,
        }
    }

    /// Width in points.
    pub fn width(&self) -> f32 {
        self.width
    }

    /// Draws it with its left end at a point of the base line.
    pub fn draw(&self, surface: &mut Surface<'_>, left: f32, base: f32) {
        let mut x = left;
        for piece in &self.pieces {
            surface.draw_glyphs(
                Point::from_xy(x, base),
                &piece.glyphs,
                piece.font.clone(),
                &piece.text,
                self.size,
                false,
            );
            x += piece.width;
        }
    }
}

/// Breaks a text into lines that fit a width: at blanks, and between any two Chinese characters.
pub fn wrap(text: &str, style: Style, right_to_left: bool, width: f32, fonts: &Fonts) -> Vec<Line> {
    let fits = |text: &str| Line::of(text, style, right_to_left, fonts).width() <= width;
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words(text) {
        let longer = format!("{line}{word}");
        if !line.is_empty() && !fits(longer.trim_end()) {
            lines.push(std::mem::take(&mut line));
            line.push_str(word);
        } else {
            line = longer;
        }
    }
    lines.push(line);
    let shaped = lines
        .iter()
        .map(|line| Line::of(line.trim_end(), style, right_to_left, fonts));
    shaped.collect()
}

/// Breaks a text without blanks anywhere.
pub fn chop(text: &str, style: Style, width: f32, fonts: &Fonts) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for character in text.chars() {
        line.push(character);
        if Line::of(&line, style, false, fonts).width() > width {
            line.pop();
            lines.push(Line::of(&line, style, false, fonts));
            line = character.to_string();
        }
    }
    lines.push(Line::of(&line, style, false, fonts));
    lines
}

/// Marks that order text and are never drawn.
pub fn invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The minus sign is not in the Latin font; the dash of its width is.
pub fn drawn(character: char) -> char {
    match character {
        '\u{2212}' => '\u{2013}',
        other => other,
    }
}

/// Words with the blank behind them; a Chinese character is a word, with the punctuation behind it.
fn words(text: &str) -> Vec<&str> {
    let chinese = |c: char| ('\u{2e80}'..='\u{9fff}').contains(&c) && !matches!(c, '\u{3001}' | '\u{3002}');
    let mut words = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, character) in text.char_indices() {
        let breaks = before == Some(' ') || chinese(character) && before.is_some_and(|c| !invisible(c));
        if breaks && at > start {
            words.push(&text[start..at]);
            start = at;
        }
        before = Some(character);
    }
    words.push(&text[start..]);
    words
}

/// A run cut by font, in the order of the text. Characters that no font shows become a replacement mark.
fn cut(text: &str, run: Range<usize>, fonts: &Fonts) -> Vec<(String, Script)> {
    let mut parts: Vec<(String, Script)> = Vec::new();
    for character in text[run].chars().filter(|c| !invisible(*c)).map(drawn) {
        let before = parts.last().map(|(_, script)| *script);
        let (character, script) = match fonts.script_of(character, before) {
            Some(script) => (character, script),
            None => ('?', Script::Latin),
        };
        match parts.last_mut() {
            Some((part, known)) if *known == script => part.push(character),
            _ => parts.push((character.to_string(), script)),
        }
    }
    parts
}

fn shape(text: String, cut: &Cut, size: f32, backwards: bool) -> Piece {
    let mut buffer = UnicodeBuffer::new();
    buffer.push_str(&text);
    buffer.guess_segment_properties();
    buffer.set_direction(if backwards {
        Direction::RightToLeft
    } else {
        Direction::LeftToRight
    });
    let shaped = rustybuzz::shape(&cut.face, &[], buffer);
    let em = cut.font.units_per_em();
    let starts: Vec<usize> = {
        let mut starts: Vec<usize> = shaped
            .glyph_infos()
            .iter()
            .map(|info| info.cluster as usize)
            .collect();
        starts.push(text.len());
        starts.sort_unstable();
        starts
    };
    let unit = |value: i32| value as f32 / em;
    let glyphs: Vec<KrillaGlyph> = shaped
        .glyph_infos()
        .iter()
        .zip(shaped.glyph_positions())
        .map(|(info, position)| {
            let start = info.cluster as usize;
            let next = starts.partition_point(|known| *known <= start);
            let end = starts.get(next).copied().unwrap_or(text.len());
            KrillaGlyph::new(
                GlyphId::new(info.glyph_id),
                unit(position.x_advance),
                unit(position.x_offset),
                unit(position.y_offset),
                unit(position.y_advance),
                start..end,
                None,
            )
        })
        .collect();
    Piece {
        width: glyphs.iter().map(|glyph| glyph.x_advance * size).sum(),
        font: cut.font.clone(),
        text,
        glyphs,
    }
}
