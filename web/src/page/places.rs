//! The places of the app: what the navigation shows, to whom, in which order. A page that is added gets a line here.

use super::format::Speech;
use super::frame::Frame;
use crate::text::Html;

/// To whom a place is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody.
    All,
    /// People who are signed in.
    Member,
    /// People who are not.
    Guest,
}

/// A place of the app.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its address; pages below it belong to it.
    pub path: &'static str,
    /// Its sentence is `place-{name}`, its drawing `{name}` in icons.svg.
    pub name: &'static str,
    /// To whom it is shown.
    pub who: Who,
    /// Whether it stands in the bar of a phone, where four fit beside "more".
    pub main: bool,
    /// Whether its page is there. What is not there is not shown: no dead links.
    pub open: bool,
}

/// All places in their order.
pub const PLACES: [Place; 14] = [
    place("/", "home", Who::All, true, true),
    place("/recharge", "recharge", Who::All, true, true),
    place("/bundles", "bundles", Who::Member, true, true),
    place("/statement", "statement", Who::Member, true, true),
    place("/receipts", "receipts", Who::Member, false, true),
    place("/budget", "budget", Who::Member, false, true),
    place("/auto", "auto", Who::Member, false, true),
    place("/offers", "offers", Who::All, false, true),
    place("/outlets", "outlets", Who::All, false, true),
    place("/complaints", "complaints", Who::All, false, true),
    place("/profile", "profile", Who::Member, false, true),
    place("/verify", "verify", Who::All, false, true),
    place("/help", "help", Who::All, false, true),
    place("/sign-in", "sign-in", Who::Guest, true, true),
];

const fn place(path: &'static str, name: &'static str, who: Who, main: bool, open: bool) -> Place {
    Place {
        path,
        name,
        who,
        main,
        open,
    }
}

/// A place as a page shows it.
pub struct Link {
    /// Where it leads.
    pub path: &'static str,
    /// Its drawing.
    pub icon: &'static str,
    /// What it is called.
    pub name: Html,
    /// True on its own page and those below.
    pub here: bool,
    /// Classes in the navigation.
    pub class: &'static str,
}

/// The places of a visitor. On a phone a guest has room for what is minor to a member.
pub fn links(t: Speech, path: &str, member: bool) -> Vec<Link> {
    let shown = |place: &&Place| {
        place.open
            && match place.who {
                Who::All => true,
                Who::Member => member,
                Who::Guest => !member,
            }
    };
    let mut minor_seen = false;
    let mut minor_class = |main: bool| {
        let class = match (main, minor_seen) {
            (true, _) => "",
            (false, false) => "minor first-minor",
            (false, true) => "minor",
        };
        minor_seen |= !main;
        class
    };
    let mut links: Vec<Link> = PLACES
        .iter()
        .filter(shown)
        .map(|place| Link {
            path: place.path,
            icon: place.name,
            name: t.h(&format!("place-{}", place.name)),
            here: is_at(path, place.path),
            class: minor_class(place.main),
        })
        .collect();
    links.push(Link {
        path: "/more",
        icon: "more",
        name: t.h("place-more"),
        here: path == "/more",
        class: "rest",
    });
    links
}

impl Frame {
    /// The places of the visitor, for the navigation.
    pub fn places(&self) -> Vec<Link> {
        links(self.t, &self.path, self.number.is_some())
    }

    /// Whether the page of a place is there.
    pub fn is_open(&self, name: &str) -> bool {
        PLACES.iter().any(|place| place.name == name && place.open)
    }
}

fn is_at(path: &str, place: &str) -> bool {
    path == place || (place != "/" && path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::catalog::Language;

    #[test]
    fn every_place_has_a_name_and_a_drawing() {
        let drawings = include_str!("../../static/icons.svg");
        for language in Language::ALL {
            let t = Speech { language };
            for place in PLACES {
                let key = format!("place-{}", place.name);
                assert_ne!(t.p(&key), key, "{language:?}");
                assert!(
                    drawings.contains(&format!("id=\"{}\"", place.name)),
                    "{}",
                    place.name
                );
            }
        }
    }

    #[test]
    fn a_page_below_a_place_belongs_to_it() {
        assert!(is_at("/receipts/E1", "/receipts"));
        assert!(is_at("/", "/"));
        assert!(!is_at("/receipts", "/"));
        assert!(!is_at("/receiptsx", "/receipts"));
        let names = |member| -> Vec<&'static str> {
            links(
                Speech {
                    language: Language::En,
                },
                "/",
                member,
            )
            .iter()
            .map(|l| l.icon)
            .collect()
        };
        assert!(!names(false).contains(&"statement"));
        assert!(!names(true).contains(&"sign-in"));
        assert!(names(true).contains(&"more"));
    }
}
