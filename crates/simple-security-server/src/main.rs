//! The program `simple-security`.

use std::process::ExitCode;

use simple_security_server::{Program, run};

fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os().skip(1), Program::Binary))
}
