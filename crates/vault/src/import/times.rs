//! Times as exports spell them.

use keyfob_client::Timestamp;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// Numbers from here on are milliseconds: as seconds they would be the year 5138.
const MILLISECONDS: f64 = 1e11;

/// ISO 8601 with an offset or, without one, in UTC; or seconds or milliseconds since 1970, with or without a fraction, which is dropped: a
/// token that ends a second early is refreshed a second early.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        let seconds = if number.abs() >= MILLISECONDS { number / 1000.0 } else { number };
        // Beyond this no calendar goes.
        return (0.0..1e12).contains(&seconds).then_some(Timestamp(seconds as i64));
    }
    let spaced = text.replacen(' ', "T", 1);
    if let Ok(time) = OffsetDateTime::parse(&spaced, &Rfc3339) {
        return Some(Timestamp(time.unix_timestamp()));
    }
    // PostgreSQL writes "+00".
    if let Ok(time) = OffsetDateTime::parse(&format!("{spaced}:00"), &Rfc3339) {
        return Some(Timestamp(time.unix_timestamp()));
    }
    let (whole, fraction) = spaced.split_once('.').unwrap_or((&spaced, "0"));
    let plain = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let time = PrimitiveDateTime::parse(whole, plain).ok()?;
    fraction.bytes().all(|digit| digit.is_ascii_digit()).then(|| Timestamp(time.assume_utc().unix_timestamp()))
}

/// A length in seconds.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let seconds: f64 = text.trim().parse().ok()?;
    (0.0..1e10).contains(&seconds).then_some(seconds as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_in_every_spelling() {
        for text in [
            "2027-01-15T08:00:00Z",
            "2027-01-15 08:00:00+00",
            "2027-01-15 08:00:00",
            "2027-01-15T08:00:00.750",
            "2027-01-15T09:00:00+01:00",
            "1800000000",
            "1800000000.9",
            "1800000000123",
            " 1.8e9 ",
        ] {
            assert_eq!(read(text), Some(Timestamp(1_800_000_000)), "{text}");
        }
        for text in ["", "soon", "2027-13-01T00:00:00Z", "-5", "NaN", "inf", "2027-01-15T08:00:00.x", "1e40"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(
            (seconds("3600"), seconds("3599.9"), seconds("-1"), seconds("1h")),
            (Some(3600), Some(3599), None, None)
        );
    }
}
