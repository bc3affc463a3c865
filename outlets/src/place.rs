//! Places in micro-degrees; distances and directions by integers.

use serde::{Deserialize, Serialize};

/// A place on the earth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// Micro-degrees north, -90,000,000 to 90,000,000.
    pub lat: i32,
    /// Micro-degrees east, -180,000,000 to 180,000,000.
    pub lon: i32,
}

/// Eight directions, north first, clockwise.
pub const DIRECTIONS: [&str; 8] = ["n", "ne", "e", "se", "s", "sw", "w", "nw"];

impl Spot {
    /// A place from micro-degrees; `None` outside of the earth.
    pub fn new(lat: i32, lon: i32) -> Option<Spot> {
        let good = (-90_000_000..=90_000_000).contains(&lat) && (-180_000_000..=180_000_000).contains(&lon);
        good.then_some(Spot { lat, lon })
    }

    /// Metres east and north from here to there, on a plane that touches the earth between them. Within one percent for
    /// distances up to some hundred kilometres between 70 degrees north and south: far enough for a walk or a drive.
    pub fn metres_to(self, there: Spot) -> (i64, i64) {
        let north = i64::from(there.lat) - i64::from(self.lat);
        let mut east = i64::from(there.lon) - i64::from(self.lon);
        // The short way round.
        if east > 180_000_000 {
            east -= 360_000_000;
        } else if east < -180_000_000 {
            east += 360_000_000;
        }
        let middle = i64::midpoint(i64::from(there.lat), i64::from(self.lat));
        // A micro-degree of a great circle is 0.111195 metres.
        let east = east * cosine_ppm(middle) / 1_000_000;
        (east * 111_195 / 1_000_000, north * 111_195 / 1_000_000)
    }

    /// Metres from here to there.
    pub fn distance_m(self, there: Spot) -> u64 {
        let (east, north) = self.metres_to(there);
        (east * east + north * north).unsigned_abs().isqrt()
    }

    /// In which of [`DIRECTIONS`] there is.
    pub fn direction(self, there: Spot) -> &'static str {
        let (east, north) = self.metres_to(there);
        // tan 67.5 degrees is 2.414.
        let mostly = |one: i64, other: i64| one.abs() * 1_000 > other.abs() * 2_414;
        match (mostly(north, east), mostly(east, north)) {
            (true, _) if north > 0 => "n",
            (true, _) => "s",
            (_, true) if east > 0 => "e",
            (_, true) => "w",
            _ => match (north >= 0, east >= 0) {
                (true, true) => "ne",
                (true, false) => "nw",
                (false, true) => "se",
                (false, false) => "sw",
            },
        }
    }
}

/// The cosine of micro-degrees in millionths, by Bhaskara's formula (seventh century): wrong by less than 0.0017.
fn cosine_ppm(micro_degrees: i64) -> i64 {
    let milli = micro_degrees.abs().min(90_000_000) / 1_000;
    let square = milli * milli;
    1_000_000 * (32_400_000_000 - 4 * square) / (32_400_000_000 + square)
}

/// Micro-degrees of a decimal text like `24.8607`, with at most six decimals.
pub fn micro_degrees(text: &str) -> Option<i32> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let good = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !good(whole, 3) || !good(part, 6) {
        return None;
    }
    let micro: i32 = whole.parse::<i32>().ok()? * 1_000_000 + format!("{part:0<6}").parse::<i32>().ok()?;
    (micro <= 180_000_000).then_some(if negative { -micro } else { micro })
}
