//! Instants in UTC, and their text: RFC 3339, section 5.6.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An instant in UTC, in whole seconds since 1970-01-01T00:00:00Z.
///
/// As text it is a date and time in RFC 3339, such as `2030-01-31T12:00:00Z`. It is kept as the seconds
/// since one before the first instant, which are never 0: an instant that may be missing takes no more
/// memory than one that is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZero<u64>);

impl Timestamp {
    /// 0001-01-01T00:00:00Z, the first instant that every adapter can write.
    pub const MIN: Self = Self::from_seconds(Self::FIRST);
    /// 9999-12-31T23:59:59Z, the last instant that every adapter can write.
    pub const MAX: Self = Self::from_seconds(Self::LAST);

    const FIRST: i64 = -62_135_596_800;
    const LAST: i64 = 253_402_300_799;

    /// The instant `seconds` after 1970, at least [`Timestamp::MIN`] and at most
    /// [`Timestamp::MAX`].
    pub const fn from_seconds(seconds: i64) -> Self {
        let after_first = match seconds {
            ..=Self::FIRST => 0,
            Self::LAST.. => Self::LAST - Self::FIRST,
            _ => seconds - Self::FIRST,
        };
        Self(NonZero::<u64>::MIN.saturating_add(after_first as u64))
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub const fn seconds(self) -> i64 {
        self.0.get() as i64 - 1 + Self::FIRST
    }

    /// The instant `duration` later, at most [`Timestamp::MAX`]. A part of a second is cut off.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        Self::from_seconds(self.seconds().saturating_add(seconds))
    }

    /// The instant `days` later.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Self {
        Self::from_seconds(self.seconds() + i64::from(days) * 86_400)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Timestamp").field(&self.seconds()).finish()
    }
}

impl fmt::Display for Timestamp {
    /// In UTC, such as `2030-01-31T12:00:00Z`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The years of a `Timestamp` have four digits, so that neither step can fail.
        let moment = OffsetDateTime::from_unix_timestamp(self.seconds());
        let text = moment.ok().and_then(|moment| moment.format(&Rfc3339).ok());
        formatter.pad(&text.unwrap_or_default())
    }
}

/// The text is not a date and time in RFC 3339, from the year 1 to 9999 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a date is a text in RFC 3339, such as 2030-01-31T12:00:00Z")]
pub struct InvalidTimestamp;

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Reads a date and time with its zone. Fractions of a second are cut off; `T` and `Z` may be small
    /// letters; a leap second is rejected.
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        // The crate takes any character for `T`, and a leap second for the one before it.
        let bytes = text.as_bytes();
        if !matches!(bytes.get(10), Some(b'T' | b't')) || bytes.get(17..19) == Some(b"60") {
            return Err(InvalidTimestamp);
        }
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTimestamp)?;
        let seconds = moment.unix_timestamp();
        let kept = Self::from_seconds(seconds);
        // An instant out of range is set to the nearest that is in it.
        if moment.year() > 0 && kept.seconds() == seconds {
            Ok(kept)
        } else {
            Err(InvalidTimestamp)
        }
    }
}

impl From<SystemTime> for Timestamp {
    /// The second that the instant is in, or the nearest that a timestamp can be.
    fn from(time: SystemTime) -> Self {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Self::from_seconds(seconds(after)),
            Err(error) => {
                let before = error.duration();
                let begun = i64::from(before.subsec_nanos() > 0);
                Self::from_seconds(-seconds(before).saturating_add(begun))
            }
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        let distance = Duration::from_secs(timestamp.seconds().unsigned_abs());
        match timestamp.seconds() {
            ..0 => Self::UNIX_EPOCH - distance,
            _ => Self::UNIX_EPOCH + distance,
        }
    }
}

/// An instant in UTC, in whole milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// The instant `milliseconds` after 1970, as far as every adapter can write it.
    pub fn from_milliseconds(milliseconds: i64) -> Self {
        Self(milliseconds.clamp(Timestamp::FIRST * 1000, Timestamp::LAST * 1000))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn milliseconds(self) -> i64 {
        self.0
    }

    /// The instant so much later, rounded up.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let milliseconds = duration.as_nanos().div_ceil(1_000_000);
        Self::from_milliseconds(
            self.0.saturating_add(i64::try_from(milliseconds).unwrap_or(i64::MAX)),
        )
    }
}

impl fmt::Display for Moment {
    /// In UTC with milliseconds, such as `2030-01-31T12:00:00.250Z`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = Timestamp::from_seconds(self.0.div_euclid(1000)).to_string();
        write!(formatter, "{}.{:03}Z", second.trim_end_matches('Z'), self.0.rem_euclid(1000))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<Timestamp> {
        text.parse().ok()
    }

    #[test]
    fn an_instant_is_the_nearest_that_every_adapter_can_write() {
        for (seconds, kept) in [
            (i64::MIN, Timestamp::MIN.seconds()),
            (-62_135_596_801, -62_135_596_800),
            (-62_135_596_800, -62_135_596_800),
            (-1, -1),
            (0, 0),
            (253_402_300_799, 253_402_300_799),
            (i64::MAX, Timestamp::MAX.seconds()),
        ] {
            assert_eq!(Timestamp::from_seconds(seconds).seconds(), kept);
        }
        assert!(Timestamp::from_seconds(-1) < Timestamp::from_seconds(0));
        assert_eq!(format!("{:?}", Timestamp::from_seconds(7)), "Timestamp(7)");
    }

    #[test]
    fn a_time_of_the_system_is_the_second_that_it_is_in() {
        let epoch = SystemTime::UNIX_EPOCH;
        let millisecond = Duration::from_millis(1);
        for (time, seconds) in [
            (epoch, 0),
            (epoch + Duration::from_secs(8) - millisecond, 7),
            (epoch - millisecond, -1),
            (epoch - Duration::from_secs(7), -7),
        ] {
            assert_eq!(Timestamp::from(time).seconds(), seconds, "{time:?}");
        }
        for edge in [Timestamp::MIN, Timestamp::from_seconds(-1), Timestamp::MAX] {
            assert_eq!(Timestamp::from(SystemTime::from(edge)), edge);
        }
    }

    #[test]
    fn what_is_a_date() {
        for (text, shown) in [
            ("2222-01-31T12:00:00Z", "2222-01-31T12:00:00Z"),
            ("2222-01-31t12:00:00z", "2222-01-31T12:00:00Z"),
            ("2222-01-31T12:00:00.999999999999999999+02:00", "2222-01-31T10:00:00Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z"),
            ("2024-02-29T23:59:59-00:00", "2024-02-29T23:59:59Z"),
            ("2222-01-31T12:00:00+23:59", "2222-01-30T12:01:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("0001-01-01T00:00:00-12:00", "0001-01-01T12:00:00Z"),
            ("9999-12-31T23:59:59.9Z", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(read(text).map(|date| date.to_string()).as_deref(), Some(shown), "{text}");
        }
    }

    #[test]
    fn a_moment_is_shown_with_its_milliseconds() {
        for (milliseconds, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_250, "1970-01-01T00:00:01.250Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            let moment = Moment::from_milliseconds(milliseconds);
            assert_eq!(moment.to_string(), shown);
            let second = Timestamp::from_seconds(milliseconds.div_euclid(1000));
            assert_eq!(read(&moment.to_string()), Some(second));
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "2222-01-31",
            "2222-01-31T12:00:00",
            "2222-01-31T12:00Z",
            "2222-01-31 12:00:00Z",
            "2222-01-31é12:00:00Z",
            "2222-01-31T12:00:00.Z",
            "2222-01-31T12:00:00,5Z",
            "2222-01-31T12:00:00Z ",
            " 2222-01-31T12:00:00Z",
            "+2222-01-31T12:00:00Z",
            "-2222-01-31T12:00:00Z",
            "22222-01-31T12:00:00Z",
            "２222-01-31T12:00:00Z",
            "2222-1-31T12:00:00Z",
            "20220131T120000Z",
            "2222-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2222-01-31T24:00:00Z",
            "2222-01-31T23:60:00Z",
            "2016-12-31T23:59:60Z",
            "2017-01-01T00:59:60+01:00",
            "2222-01-31T12:00:61Z",
            "2222-01-31T12:00:00+24:00",
            "2222-01-31T12:00:00+00:60",
            "2222-01-31T12:00:00+0100",
            "2222-01-31T12:00:00+01",
            "2222-01-31T12:00:00UTC",
            "0000-12-31T23:59:59Z",
            "0000-12-31T23:59:59-12:00",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_is_read_back_from_what_is_shown(
            seconds in Timestamp::MIN.seconds()..=Timestamp::MAX.seconds(),
        ) {
            let moment = Timestamp::from_seconds(seconds);
            prop_assert_eq!(moment.to_string().len(), 20);
            prop_assert_eq!(read(&moment.to_string()), Some(moment));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}|[0-9TZtz:.+ -]{0,30}") {
            read(&text);
        }
    }
}
