//! The only source of randomness: the operating system.

/// The digits of base62, the least first.
pub(crate) const BASE62: &[u8; 62] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Fills an array with bytes that nobody can guess.
///
/// There is no generator in user space, so a forked child can never repeat what its parent drew.
///
/// # Errors
/// When the operating system cannot give random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// `N` characters drawn evenly from `alphabet`, which has at most 256 characters.
///
/// # Errors
/// When the operating system cannot give random bytes.
pub(crate) fn characters<const N: usize>(alphabet: &[u8]) -> Result<[u8; N], getrandom::Error> {
    // Bytes past the last whole multiple of the alphabet are thrown away: taking them modulo its
    // length would make the first characters likelier than the last.
    let fair = 256 - 256 % alphabet.len();
    let mut drawn = [0; N];
    let mut filled = 0;
    while filled < N {
        for byte in bytes::<64>()? {
            if usize::from(byte) < fair && filled < N {
                drawn[filled] = alphabet[usize::from(byte) % alphabet.len()];
                filled += 1;
            }
        }
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_drawn_about_equally_often() {
        // 62,000 draws: each of 62 characters is expected 1,000 times with a deviation of 31.4.
        // 6.4 deviations either way are left by chance less than once in 100 million runs.
        let alphabet: Vec<u8> = (0..62).collect();
        let mut counts = [0_u32; 62];
        for _ in 0..1000 {
            for character in characters::<62>(&alphabet).expect("random bytes") {
                counts[usize::from(character)] += 1;
            }
        }
        assert!(counts.iter().all(|count| (800..=1200).contains(count)), "{counts:?}");
    }
}
