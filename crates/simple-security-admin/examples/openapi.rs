//! Prints the OpenAPI document, as `docs/openapi.json` has it.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    let document = simple_security_admin::openapi().to_pretty_json().map_err(io::Error::from)?;
    writeln!(io::stdout(), "{document}")
}
