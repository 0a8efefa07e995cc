//! Points in time, as whole seconds of UTC. There is no `now` here: the clock is handed in.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// The clock that is handed in. It never steps back within a process; the one that asks the system lives in the composition root.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// One minute, in seconds.
pub const MINUTE: i64 = 60;
/// One hour, in seconds.
pub const HOUR: i64 = 60 * MINUTE;
/// One day, in seconds.
pub const DAY: i64 = 24 * HOUR;

impl Timestamp {
    /// This time and `seconds` more.
    pub fn plus(self, seconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this time; negative if this is the earlier one.
    pub fn since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `2025-01-27T13:59:59Z`, the form of both dialects. A time outside the calendar prints as the epoch.
    pub fn to_utc(self) -> String {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        OffsetDateTime::from_unix_timestamp(self.0)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .format(format)
            .expect("invariant: every component of the format exists in a date with a time")
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, the form of HTTP (RFC 9110 section 5.6.7). A time outside the calendar prints as the epoch.
    pub fn to_http(self) -> String {
        let format =
            format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
        OffsetDateTime::from_unix_timestamp(self.0)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .format(format)
            .expect("invariant: every component of the format exists in a date with a time")
    }

    /// Reads the form that [`Timestamp::to_utc`] writes.
    pub fn from_utc(text: &str) -> Option<Timestamp> {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        let time = time::PrimitiveDateTime::parse(text, format).ok()?;
        Some(Timestamp(time.assume_utc().unix_timestamp()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_http_has_it() {
        assert_eq!(Timestamp(784_111_777).to_http(), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_time_reads_back_as_written() {
        let time = Timestamp(1_738_022_399);
        assert_eq!(time.to_utc(), "2025-01-27T23:59:59Z");
        assert_eq!(Timestamp::from_utc("2025-01-27T23:59:59Z"), Some(time));
        assert_eq!(Timestamp::from_utc("2025-01-27 23:59:59"), None);
    }
}
