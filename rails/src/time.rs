//! Times as rails write them.

use charge::Timestamp;
use charge::time::civil_from_days;

/// Reads an RFC 3339 moment with its offset: `2026-11-22T02:44:47Z`, `2026-11-22T02:44:47.5+05:00`.
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp(moment.as_microsecond()))
}

/// Reads the local date and time of a place that is `offset_s` seconds east of Greenwich, in a `strptime` format.
pub fn parse_local(format: &str, text: &str, offset_s: i32) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime(format, text)
        .or_else(|_| jiff::civil::Date::strptime(format, text).map(|date| date.at(0, 0, 0, 0)))
        .ok()?;
    let offset = jiff::tz::Offset::from_seconds(offset_s).ok()?;
    Some(Timestamp(offset.to_timestamp(civil).ok()?.as_microsecond()))
}

/// Reads a date and time with its offset (`%z`) in a `strptime` format.
pub fn parse_with_offset(format: &str, text: &str) -> Option<Timestamp> {
    let moment = jiff::Timestamp::strptime(format, text).ok()?;
    Some(Timestamp(moment.as_microsecond()))
}

/// Writes the local date and time of a place that is `offset_s` seconds east of Greenwich, in a `strftime` format; empty when
/// the calendar does not reach that far.
pub fn local(format: &str, at: Timestamp, offset_s: i32) -> String {
    let moment = jiff::Timestamp::from_microsecond(at.0);
    match (moment, jiff::tz::Offset::from_seconds(offset_s)) {
        (Ok(moment), Ok(offset)) => offset.to_datetime(moment).strftime(format).to_string(),
        _ => String::new(),
    }
}

/// Writes a moment in UTC to the second: `2026-11-22T02:44:47Z`.
pub fn rfc3339(at: Timestamp) -> String {
    let seconds = at.seconds();
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let at = parse_rfc3339("2026-11-22T07:44:47+05:00").unwrap();
        assert_eq!(rfc3339(at), "2026-11-22T02:44:47Z");
        assert_eq!(parse_local("%Y%m%d%H%M%S", "20261122074447", 18_000), Some(at));
        assert_eq!(
            parse_local("%Y-%m-%d", "2026-11-22", 18_000).map(rfc3339),
            Some("2026-11-21T19:00:00Z".to_owned())
        );
        assert_eq!(local("%Y%m%d%H%M%S", at, 18_000), "20261122074447");
        assert_eq!(local("%Y", Timestamp::NEVER, 18_000), "");
        for bad in ["", "2026-11-22", "2026-11-22T07:44:47", "2026-13-22T07:44:47Z"] {
            assert_eq!(parse_rfc3339(bad), None, "{bad}");
        }
    }
}
