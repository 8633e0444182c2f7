//! Which key is meant: an id as an argument, or an id or a whole key on the standard input.

use std::io::{self, BufRead, IsTerminal as _, Read as _};

use simple_security::{ApiKeys, KeyError, KeyId, MAX_KEY_LENGTH};

use super::wait;
use crate::failure::Failure;
use crate::usage::KEYS_ARE_SEEN;

/// How a person names a key.
pub(super) enum Named {
    Id(KeyId),
    /// The line of the standard input with this number. The text may be a key: it is never shown.
    Read(usize, String),
}

impl Named {
    /// The one key that an argument names.
    pub(super) fn one(argument: &str) -> Result<Self, Failure> {
        let mut named = Self::each(std::slice::from_ref(&argument.to_owned()))?;
        match (named.pop(), named.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(Failure::Usage("the standard input names more than one key".to_owned())),
        }
    }

    /// The keys that arguments name, all of which must be ids, or `-`: those on the lines of the
    /// standard input.
    pub(super) fn each(arguments: &[String]) -> Result<Vec<Self>, Failure> {
        if arguments.iter().any(|argument| argument == "-") {
            if arguments.len() > 1 {
                return Err(Failure::Usage("give ids, or `-` and nothing else".to_owned()));
            }
            return lines();
        }
        let read = |argument: &String| match argument.parse() {
            Ok(id) => Ok(Self::Id(id)),
            // Whatever it is, it may be a key.
            Err(_) => Err(Failure::Usage(format!(
                "a key is named by its id, 11 letters and digits; {KEYS_ARE_SEEN}"
            ))),
        };
        arguments.iter().map(read).collect()
    }

    /// The id of the key.
    pub(super) fn id(&self, keys: &ApiKeys) -> Result<KeyId, Failure> {
        match self {
            Self::Id(id) => Ok(*id),
            Self::Read(_, text) => wait(keys.identify(text)).map_err(|error| self.failure(error)),
        }
    }

    /// What to say when something cannot be done with the key.
    pub(super) fn failure(&self, error: KeyError) -> Failure {
        Failure::Refused(match self {
            Self::Id(id) => format!("{id}: {error}"),
            Self::Read(line, _) => format!("line {line} of the standard input: {error}"),
        })
    }
}

fn lines() -> Result<Vec<Named>, Failure> {
    let input = io::stdin();
    if input.is_terminal() {
        eprint("Type or paste the key, then Enter and Control-D:\n");
    }
    let mut input = input.lock();
    let mut named = Vec::new();
    for number in 1.. {
        let mut line = Vec::new();
        // With its end, and one more, to see that it is too long.
        let longest = MAX_KEY_LENGTH as u64 + 3;
        let length = input.by_ref().take(longest).read_until(b'\n', &mut line);
        let length = length.map_err(|error| {
            Failure::Refused(format!("the standard input cannot be read: {error}"))
        })?;
        if length == 0 {
            break;
        }
        if length as u64 == longest && !line.ends_with(b"\n") {
            return Err(Failure::Usage(format!(
                "line {number} of the standard input is too long for a key"
            )));
        }
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        if !text.is_empty() {
            named.push(Named::Read(number, text));
        }
    }
    if named.is_empty() {
        return Err(Failure::Usage("the standard input names no key".to_owned()));
    }
    Ok(named)
}

fn eprint(text: &str) {
    // A hint that nobody sees is none.
    let _ = io::Write::write_all(&mut io::stderr().lock(), text.as_bytes());
}
