//! How long the tests go on.

/// The variable that makes tests which try many orders of events go on for longer: by how much
/// the usual number of rounds is multiplied.
const ROUNDS: &str = "SIMPLE_SECURITY_ROUNDS";

/// Returns the usual number of rounds, multiplied by the factor of the environment.
pub fn rounds(usual: u32) -> u32 {
    #[allow(clippy::disallowed_methods, reason = "a setting of the tests")]
    let factor = std::env::var(ROUNDS);
    usual * factor.map_or(1, |factor| factor.parse().expect("SIMPLE_SECURITY_ROUNDS: a number"))
}
