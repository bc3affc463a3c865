//! The fonts of the PDF: subsets of Noto, inside the binary. `web/fonts/README.md` says where they come from.

use krilla::text::Font;
use rustybuzz::Face;
use std::sync::LazyLock;

/// A script that has its own font.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Latin, figures, signs.
    Latin,
    /// Urdu.
    Arabic,
    /// Chinese.
    Chinese,
}

/// One font: for the file, and for shaping.
pub struct Cut {
    /// For the file.
    pub font: Font,
    /// For shaping.
    pub face: Face<'static>,
}

impl Cut {
    fn of(bytes: &'static [u8]) -> Option<Cut> {
        Some(Cut {
            font: Font::new(bytes.into(), 0)?,
            face: Face::from_slice(bytes, 0)?,
        })
    }

    /// Whether the font can show a character.
    pub fn has(&self, character: char) -> bool {
        self.face.glyph_index(character).is_some_and(|glyph| glyph.0 != 0)
    }
}

/// All fonts.
pub struct Fonts {
    latin: [Cut; 2],
    arabic: [Cut; 2],
    chinese: Cut,
}

static FONTS: LazyLock<Option<Fonts>> = LazyLock::new(|| {
    Some(Fonts {
        latin: [
            Cut::of(include_bytes!("../../../fonts/NotoSans-Regular.ttf"))?,
            Cut::of(include_bytes!("../../../fonts/NotoSans-Bold.ttf"))?,
        ],
        arabic: [
            Cut::of(include_bytes!("../../../fonts/NotoNaskhArabic-Regular.ttf"))?,
            Cut::of(include_bytes!("../../../fonts/NotoNaskhArabic-Bold.ttf"))?,
        ],
        chinese: Cut::of(include_bytes!("../../../fonts/NotoSansSC-Regular.otf"))?,
    })
});

/// The fonts; `None` when the binary holds damaged ones, which a test rules out.
pub fn fonts() -> Option<&'static Fonts> {
    FONTS.as_ref()
}

impl Fonts {
    /// The font of a script.
    pub fn cut(&self, script: Script, bold: bool) -> &Cut {
        match script {
            Script::Latin => &self.latin[usize::from(bold)],
            Script::Arabic => &self.arabic[usize::from(bold)],
            Script::Chinese => &self.chinese,
        }
    }

    /// The script whose font shows a character: the one before it when that can, so that words stay in one piece.
    pub fn script_of(&self, character: char, before: Option<Script>) -> Option<Script> {
        let own = match character {
            '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{fb50}'..='\u{feff}' => Some(Script::Arabic),
            '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' => {
                Some(Script::Chinese)
            }
            c if c.is_alphanumeric() => Some(Script::Latin),
            _ => None,
        };
        let choices = [
            own.or(before),
            Some(Script::Latin),
            Some(Script::Chinese),
            Some(Script::Arabic),
        ];
        choices
            .into_iter()
            .flatten()
            .find(|script| self.cut(*script, false).has(character))
    }

    /// Whether every character of a text can be shown.
    pub fn cover(&self, text: &str) -> bool {
        let shown = |c| super::text::invisible(c) || self.script_of(super::text::drawn(c), None).is_some();
        text.chars().all(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::format::Speech;
    use charge::catalog::Language;

    /// Everything that can stand on a receipt: its sentences, dates, and the names in the catalogs.
    fn sentences(language: Language) -> Vec<String> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = root.join(format!("locales/{}/receipt.ftl", language.tag()));
        let text = std::fs::read_to_string(file).unwrap();
        let mut all: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        let t = Speech { language };
        for key in ["receipt", "receipt-tax", "date", "moment"] {
            all.push(t.p(key));
        }
        all.extend((1..=12).map(|month| t.p(&format!("month-{month}"))));
        for operator in ["jazz", "telenor", "zong", "ufone"] {
            let path = root.join(format!("../catalog/{operator}.toml"));
            all.push(std::fs::read_to_string(path).unwrap());
        }
        all
    }

    #[test]
    fn every_sentence_and_name_can_be_drawn() {
        let fonts = fonts().unwrap();
        for language in Language::ALL {
            for text in sentences(language) {
                let missing: String = text
                    .chars()
                    .filter(|c| !c.is_control() && !fonts.cover(&c.to_string()))
                    .collect();
                assert!(
                    missing.is_empty(),
                    "{language:?}: the fonts lack {missing:?}; run web/fonts/make.sh"
                );
            }
        }
        assert!(!fonts.cover("\u{1f600}"), "the test can fail");
        assert!(fonts.cover("\u{2212}Rs\u{a0}13.04 \u{2068}\u{2069}"));
    }

    #[test]
    fn bold_has_what_regular_has() {
        let fonts = fonts().unwrap();
        for character in (' '..='\u{6ff}').chain('\u{2010}'..='\u{20bf}') {
            for script in [Script::Latin, Script::Arabic] {
                let (plain, bold) = (fonts.cut(script, false), fonts.cut(script, true));
                assert_eq!(plain.has(character), bold.has(character), "{character:?}");
            }
        }
    }
}
