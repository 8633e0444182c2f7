//! The program `simple-security`, as a library: so that the Python package can bring the same program
//! under a name of its own.

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

mod copy;
mod failure;
#[cfg(feature = "serve")]
mod health;
mod hint;
mod init;
mod keys;
mod log;
mod opening;
mod output;
mod program;
mod progress;
#[cfg(feature = "serve")]
mod serve;
pub mod settings;
mod usage;

use failure::Failure;
pub use hint::hint;
pub use program::Program;
#[cfg(feature = "serve")]
pub use serve::identity_headers;

/// Keys for APIs, on the command line.
#[derive(Parser)]
#[command(version, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Keys(keys::Keys),
    Init(init::Init),
    Copy(copy::CopyKeys),
    #[cfg(feature = "serve")]
    Serve(serve::Serve),
    #[cfg(feature = "serve")]
    Health(health::Health),
}

/// Does what the arguments say, without the name of the program, and gives back the exit code: 0
/// done, 1 refused or failed, 2 wrong usage or settings.
///
/// What was asked for goes to the standard output, all else to the standard error.
pub fn run(arguments: impl IntoIterator<Item = OsString>, program: Program) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let done = parse(&arguments, program).and_then(|command_line| match command_line.command {
        Command::Keys(keys) => logged(|| keys.run(program)),
        Command::Init(init) => logged(|| init.run(program)),
        Command::Copy(copy) => logged(|| copy.run(program)),
        #[cfg(feature = "serve")]
        Command::Serve(serve) => serve.run(program),
        #[cfg(feature = "serve")]
        Command::Health(health) => health.run(program),
    });
    match done {
        Ok(()) => 0,
        Err(failure) => failure.report(),
    }
}

/// Shows what the engine warns of meanwhile.
fn logged(command: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    tracing::subscriber::with_default(log::ToStandardError, command)
}

fn parse(arguments: &[OsString], program: Program) -> Result<CommandLine, Failure> {
    usage::refuse_keys(arguments)?;
    let command = CommandLine::command().name(program.name()).bin_name(program.name());
    let named = std::iter::once(OsString::from(program.name()));
    command
        .try_get_matches_from(named.chain(arguments.iter().cloned()))
        .and_then(|matches| CommandLine::from_arg_matches(&matches))
        .map_err(|error| usage::explain(&error, arguments, program))
}
