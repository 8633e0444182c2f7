//! Which characters are percent-encoded (RFC 3986, section 2.1), so that a text is visible ASCII.

use percent_encoding::{AsciiSet, CONTROLS};

/// Encodes everything except visible ASCII; bytes beyond ASCII are encoded with any set. Keeps `%`, so
/// that what is encoded already stays as it is.
pub(super) const INVISIBLE: &AsciiSet = &CONTROLS.add(b' ');

/// Encodes `%` too, so that decoding gives the text back.
pub(super) const INVISIBLE_AND_PERCENT: &AsciiSet = &INVISIBLE.add(b'%');

#[cfg(test)]
mod tests {
    use percent_encoding::{percent_decode_str, utf8_percent_encode};

    use super::*;

    #[test]
    fn what_was_encoded_is_read_back() {
        let encode = |text, set| utf8_percent_encode(text, set).to_string();
        let decode = |text| percent_decode_str(text).collect::<Vec<u8>>();
        for (text, encoded) in [
            ("", ""),
            ("a/b", "a/b"),
            ("my shop, 100%", "my%20shop,%20100%25"),
            ("é\u{1f511}", "%C3%A9%F0%9F%94%91"),
            ("\r\n\0\u{7f}", "%0D%0A%00%7F"),
        ] {
            assert_eq!(encode(text, INVISIBLE_AND_PERCENT), encoded);
            assert_eq!(decode(encoded), text.as_bytes());
        }
        assert_eq!(encode("/a%2Fb\u{85}", INVISIBLE), "/a%2Fb%C2%85");
        for text in ["%", "%4", "%zz", "%+1", "a%"] {
            assert_eq!(decode(text), text.as_bytes());
        }
        assert_eq!(decode("%%41%4A"), b"%AJ");
    }
}
