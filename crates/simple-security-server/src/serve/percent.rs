//! Texts in visible ASCII: other bytes as `%` and two hexadecimal digits (RFC 3986, section 2.1).

/// Writes a text so. What is encoded already stays as it is: with `%` among `also`, it can be told
/// apart and read back.
pub(super) fn encode(text: &str, also: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |number: u8| char::from(DIGITS[usize::from(number)]);
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !also.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}

/// Reads it. What is no such code stays as it is.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let code = match after {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match code {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest = &after[2..];
            }
            None => decoded.push(*first),
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_read_back() {
        for (text, encoded) in [
            ("", ""),
            ("a/b", "a/b"),
            ("my shop, 100%", "my%20shop,%20100%25"),
            ("é\u{1f511}", "%C3%A9%F0%9F%94%91"),
            ("\r\n\0\u{7f}", "%0D%0A%00%7F"),
        ] {
            assert_eq!(encode(text, b"%"), encoded);
            assert_eq!(decode(encoded), text.as_bytes());
        }
        assert_eq!(encode("/a%2Fb\u{85}", b""), "/a%2Fb%C2%85");
        for text in ["%", "%4", "%zz", "%+1", "a%"] {
            assert_eq!(decode(text), text.as_bytes());
        }
        assert_eq!(decode("%%41%4A"), b"%AJ");
    }
}
