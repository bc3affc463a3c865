//! An outlet as it is written down, and what makes it good.

use crate::hours::{Hours, day_of};
use crate::limits;
use crate::place::Spot;
use charge::PartnerId;
use charge::catalog::Language;
use serde::{Deserialize, Serialize};

/// What an outlet does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Sells load.
    Recharge,
    /// Takes and pays cash of wallets.
    Cash,
    /// Sells and replaces SIM cards.
    Sim,
    /// Issues eSIM profiles.
    Esim,
    /// Verifies fingerprints.
    Biometric,
    /// Sells scratch cards.
    ScratchCard,
    /// Takes bills.
    Bills,
    /// Repairs and sells handsets.
    Handset,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 8] = [
        Service::Recharge,
        Service::Cash,
        Service::Sim,
        Service::Esim,
        Service::Biometric,
        Service::ScratchCard,
        Service::Bills,
        Service::Handset,
    ];

    /// Name in the API, in files and in sentences.
    pub fn name(self) -> &'static str {
        match self {
            Service::Recharge => "recharge",
            Service::Cash => "cash",
            Service::Sim => "sim",
            Service::Esim => "esim",
            Service::Biometric => "biometric",
            Service::ScratchCard => "scratch_card",
            Service::Bills => "bills",
            Service::Handset => "handset",
        }
    }

    /// The service of a name.
    pub fn parse(name: &str) -> Option<Service> {
        Service::ALL.into_iter().find(|service| service.name() == name)
    }
}

/// What is wrong with an outlet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {hint}")]
pub struct Mistake {
    /// The field that is meant.
    pub field: &'static str,
    /// What would be right, in English.
    pub hint: String,
}

impl Mistake {
    /// A mistake in a field.
    pub fn new(field: &'static str, hint: String) -> Mistake {
        Mistake { field, hint }
    }
}

/// An outlet as it is kept: one JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Small letters, digits and hyphens; never changes.
    pub id: String,
    /// Name.
    pub name: String,
    /// Name in Urdu, when there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name_ur: String,
    /// Name in Chinese, when there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name_zh: String,
    /// Street and house.
    pub address: String,
    /// City.
    pub city: String,
    /// Part of the city.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub area: String,
    /// Where.
    pub spot: Spot,
    /// When, as [`crate::hours`] reads it.
    pub hours: String,
    /// Breaks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub breaks: String,
    /// Dates that are different.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub holidays: String,
    /// What it does.
    pub services: Vec<Service>,
    /// People in a wheelchair get in and are served.
    #[serde(default)]
    pub accessible: bool,
    /// Codes of its operators; the clock of the first one is its clock.
    pub operators: Vec<String>,
    /// The seller in the chain that sells there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<u32>,
    /// `+` and digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phone: String,
    /// Set when the outlet is invented for a demonstration: the date of the data.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub synthetic: String,
}

/// A good outlet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlet {
    /// As it is kept.
    pub card: Card,
    /// Its hours, read.
    pub hours: Hours,
}

impl Outlet {
    /// Looks at everything that an outlet says.
    ///
    /// # Errors
    /// The first [`Mistake`].
    pub fn new(card: Card) -> Result<Outlet, Mistake> {
        let id_good = (1..=limits::ID_BYTES_MAX).contains(&card.id.len())
            && card
                .id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !id_good {
            let hint = format!("1 to {} small letters, digits and hyphens", limits::ID_BYTES_MAX);
            return Err(Mistake::new("id", hint));
        }
        for (field, text, needed) in [
            ("name", &card.name, true),
            ("name_ur", &card.name_ur, false),
            ("name_zh", &card.name_zh, false),
            ("address", &card.address, true),
            ("city", &card.city, true),
            ("area", &card.area, false),
        ] {
            check_text(field, text, needed)?;
        }
        if Spot::new(card.spot.lat, card.spot.lon).is_none() {
            return Err(Mistake::new("lat", "the place is not on the earth".to_owned()));
        }
        let phone_good = card.phone.is_empty()
            || card.phone.strip_prefix('+').is_some_and(|rest| {
                (7..=15).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_digit())
            });
        if !phone_good {
            return Err(Mistake::new("phone", "+ and 7 to 15 digits".to_owned()));
        }
        if card.services.is_empty() {
            let names = Service::ALL.map(Service::name).join(", ");
            return Err(Mistake::new("services", format!("one or more of {names}")));
        }
        if !(1..=limits::OPERATORS_MAX).contains(&card.operators.len()) {
            return Err(Mistake::new("operators", "one or more codes".to_owned()));
        }
        if !card.synthetic.is_empty() && day_of(&card.synthetic).is_none() {
            return Err(Mistake::new(
                "synthetic",
                "the date of the data, like 2026-11-22".to_owned(),
            ));
        }
        let hours = Hours::parse(&card.hours, &card.breaks, &card.holidays)?;
        if card.hours.trim().is_empty() {
            return Err(Mistake::new("hours", "like `mon-sat 09:00-21:00`".to_owned()));
        }
        Ok(Outlet { card, hours })
    }

    /// Its name for readers of a language.
    pub fn name(&self, language: Language) -> &str {
        let own = match language {
            Language::En => "",
            Language::Ur => &self.card.name_ur,
            Language::Zh => &self.card.name_zh,
        };
        if own.is_empty() { &self.card.name } else { own }
    }

    /// Who sells there.
    pub fn seller(&self) -> Option<PartnerId> {
        self.card.seller.map(PartnerId)
    }

    /// City and part of the city, as one chooses them.
    pub fn place(&self) -> String {
        match self.card.area.as_str() {
            "" => self.card.city.clone(),
            area => format!("{}, {area}", self.card.city),
        }
    }
}

fn check_text(field: &'static str, text: &str, needed: bool) -> Result<(), Mistake> {
    // Marks that turn the direction of what follows would let one name disguise the next.
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.len() > limits::TEXT_BYTES_MAX || text.chars().any(hidden) || (needed && text.trim().is_empty()) {
        let hint = format!(
            "at most {} bytes without control characters",
            limits::TEXT_BYTES_MAX
        );
        return Err(Mistake::new(field, hint));
    }
    Ok(())
}
