//! Dates as all faces read and show them: RFC 3339, section 5.6.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::record::{Moment, Timestamp};

/// What is said where something else is given.
pub const WANTED: &str = "a date is a text in RFC 3339, such as 2030-01-31T12:00:00Z";

/// Reads a date and time with its zone. What is less than a second is cut off.
///
/// `None`: it is none, or one before the year 1 or after 9999 in UTC. `T` and `Z` may be small
/// letters. A leap second is none that we keep.
pub fn read(text: &str) -> Option<Timestamp> {
    // The crate takes any character for `T`, and a leap second for the one before it.
    let bytes = text.as_bytes();
    if !matches!(bytes.get(10)?, b'T' | b't') || bytes.get(17..19)? == b"60" {
        return None;
    }
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok().filter(|moment| moment.year() > 0)?;
    let seconds = moment.unix_timestamp();
    let kept = Timestamp::from_seconds(seconds);
    // One out of range is set to the nearest that is in it.
    (kept.seconds() == seconds).then_some(kept)
}

/// A date in UTC, such as `2030-01-31T12:00:00Z`.
pub fn show(moment: Timestamp) -> String {
    // The years of a `Timestamp` have four digits, so that neither step can fail.
    let moment = OffsetDateTime::from_unix_timestamp(moment.seconds());
    moment.ok().and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default()
}

/// A date in UTC with milliseconds, such as `2030-01-31T12:00:00.250Z`.
pub fn show_moment(moment: Moment) -> String {
    let (seconds, rest) =
        (moment.milliseconds().div_euclid(1000), moment.milliseconds().rem_euclid(1000));
    let shown = show(Timestamp::from_seconds(seconds));
    format!("{}.{rest:03}Z", shown.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            assert_eq!(read(text).map(show).as_deref(), Some(shown), "{text}");
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
            assert_eq!(show_moment(moment), shown);
            let second = Timestamp::from_seconds(milliseconds.div_euclid(1000));
            assert_eq!(read(&show_moment(moment)), Some(second));
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
            prop_assert_eq!(show(moment).len(), 20);
            prop_assert_eq!(read(&show(moment)), Some(moment));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}|[0-9TZtz:.+ -]{0,30}") {
            read(&text);
        }
    }
}
