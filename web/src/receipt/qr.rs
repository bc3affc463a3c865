//! QR codes: the dark squares, and the picture of them for pages.

use fast_qr::{ECL, QRBuilder};
use std::fmt::Write as _;

/// Light border in modules (ISO/IEC 18004 asks for four).
pub const BORDER: usize = 4;

/// A QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qr {
    size: usize,
    dark: Vec<bool>,
}

impl Qr {
    /// Of a text; `None` when it is too long for any QR code. Level M: 15 % of it may be scratched or folded away.
    pub fn of(text: &str) -> Option<Qr> {
        let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
        let dark = (0..code.size).flat_map(|y| code[y].iter().take(code.size).map(|module| module.value()));
        Some(Qr {
            size: code.size,
            dark: dark.collect(),
        })
    }

    /// Modules on each side, without the border.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Dark runs: column, row, length.
    pub fn runs(&self) -> Vec<(usize, usize, usize)> {
        let mut runs = Vec::new();
        for (y, row) in self.dark.chunks(self.size).enumerate() {
            let mut x = 0;
            while x < row.len() {
                let length = row[x..].iter().take_while(|dark| **dark).count();
                if length > 0 {
                    runs.push((x, y, length));
                }
                x += length.max(1);
            }
        }
        runs
    }

    /// An SVG picture without styles, black on white also in the dark.
    pub fn svg(&self, label: &str) -> String {
        let side = self.size + 2 * BORDER;
        let mut path = String::new();
        for (x, y, length) in self.runs() {
            let _ = write!(path, "M{} {}h{length}v1h-{length}z", x + BORDER, y + BORDER);
        }
        let label = crate::text::Html::isolated(&label.replace(crate::text::ISOLATES, ""));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"{label}\" \
             shape-rendering=\"crispEdges\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\
             <path fill=\"#000\" d=\"{path}\"/></svg>"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_the_squares_of_the_code() {
        let qr = Qr::of("https://raseed.example/verify?r=RASEED1").unwrap();
        assert!(qr.size() >= 21);
        let dark: usize = qr.runs().iter().map(|run| run.2).sum();
        assert_eq!(dark, qr.dark.iter().filter(|dark| **dark).count());
        assert_eq!(qr.runs()[0], (0, 0, 7), "the finder's upper edge");
        assert!(qr.svg("a \"code\"").contains("aria-label=\"a &quot;code&quot;\""));
        assert_eq!(Qr::of(&"x".repeat(5000)), None);
    }
}
