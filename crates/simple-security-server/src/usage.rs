//! What is said about arguments: help, and what is wrong with them. No text shows a key.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::error::ErrorKind;
use simple_security::holds_a_key;

use crate::failure::Failure;
use crate::program::Program;

/// The end of each help.
const EXIT_CODES: &str = "\nExit codes: 0 done, 1 refused or failed, 2 wrong usage or settings.\n";

/// What stands in texts of help for the name of the program, and for the prefix of its variables.
const PROGRAM: &str = "PROGRAM";
const PREFIX: &str = "PREFIX_";

/// From which length on an argument may be somebody's key: a shorter one is none that is taken in.
const SHORTEST_KEY: usize = 32;

/// Why a key is refused as an argument.
pub(crate) const KEYS_ARE_SEEN: &str = "a key on the command line is seen by all users in the list of \
    processes and stays in the history of the shell; give its id, or `-` and the key on the standard \
    input";

/// Refuses arguments that hold a key of ours, whatever they are arguments to.
pub(crate) fn refuse_keys(arguments: &[OsString]) -> Result<(), Failure> {
    match arguments.iter().any(|argument| holds_a_key(argument.as_bytes())) {
        true => Err(Failure::Usage(KEYS_ARE_SEEN.to_owned())),
        false => Ok(()),
    }
}

/// The help that was asked for, or what is wrong with the arguments.
pub(crate) fn explain(error: &clap::Error, arguments: &[OsString], program: Program) -> Failure {
    let mut text = error.render().to_string();
    for argument in arguments.iter().filter_map(|argument| argument.to_str()) {
        let value = argument.split_once('=').map_or(argument, |(_, value)| value);
        // The URL of a store may have a password in it.
        let hidden =
            if argument.starts_with('-') || !argument.contains("://") { value } else { argument };
        if hidden.len() >= SHORTEST_KEY || hidden.contains("://") {
            text = text.replace(hidden, "(hidden)");
        }
    }
    let text = text.replace(PROGRAM, program.name()).replace(PREFIX, program.adapter().prefix());
    match error.kind() {
        ErrorKind::DisplayVersion => Failure::Shown { text, code: 0 },
        ErrorKind::DisplayHelp => Failure::Shown { text: text + EXIT_CODES, code: 0 },
        _ => Failure::Shown { text, code: 2 },
    }
}
