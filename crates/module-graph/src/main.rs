//! Fails if modules of a crate import each other in a circle.
//!
//!     module-graph ROOT...
//!
//! A root is a file like `src/lib.rs`. Exits 1 if there is a circle, 2 if a crate cannot be checked.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let roots: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match check(&roots) {
        Ok(circles) => ExitCode::from(u8::from(circles > 0)),
        Err(error) => {
            // If stderr fails there is no other channel.
            let _ = writeln!(io::stderr(), "module-graph: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints the circles of these crates, and returns how many there are.
fn check(roots: &[PathBuf]) -> Result<usize, Box<dyn Error>> {
    if roots.is_empty() {
        return Err("name the roots of the crates to check, for example src/lib.rs".into());
    }
    let mut output = io::stdout().lock();
    let (mut modules, mut circles) = (0, 0);
    for root in roots {
        let checked = module_graph::check(root)?;
        modules += checked.modules;
        circles += checked.circles.len();
        for circle in checked.circles {
            write!(output, "{}: {circle}", root.display())?;
        }
    }
    if circles == 0 {
        writeln!(output, "{modules} modules of {} crates, no circle", roots.len())?;
    } else {
        writeln!(output, "Break each circle: {ADVICE}.")?;
    }
    Ok(circles)
}

const ADVICE: &str = "move what both sides need into a module that both can import, \
     or move the item to the module that uses it";
