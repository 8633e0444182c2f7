//! The rule for text that people choose for a key: its name, its owner.

/// The greatest number of characters (Unicode scalar values).
pub(super) const MAX_LENGTH: usize = 200;

/// What is wrong with a text.
pub(super) enum Fault {
    /// It has so many characters, which is too many.
    TooLong(usize),
    /// It has this control character or direction mark.
    Invisible(u32),
}

/// Checks a text. HTML and quotes are text like any other. Control characters and direction marks are
/// rejected, because they make a log or a terminal show something else than what is stored.
pub(super) fn check(text: &str) -> Result<Box<str>, Fault> {
    let length = text.chars().count();
    if length > MAX_LENGTH {
        return Err(Fault::TooLong(length));
    }
    match text.chars().find(|&character| is_invisible(character)) {
        Some(character) => Err(Fault::Invisible(character.into())),
        None => Ok(text.into()),
    }
}

/// The nearest text that is allowed: what cannot stay becomes U+FFFD, what is too long is cut.
pub(super) fn repair(text: &str) -> Box<str> {
    check(text).unwrap_or_else(|_| {
        let repaired: String = text
            .chars()
            .take(MAX_LENGTH)
            .map(|character| if is_invisible(character) { '\u{FFFD}' } else { character })
            .collect();
        repaired.into()
    })
}

/// Control characters (general category Cc), the line and paragraph separators, and the marks
/// that set the direction of text (the property Bidi_Control of Unicode 16, UAX #9).
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
