//! The admin secret: from the environment or from a file, never from the command line.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::settings::Serving;
use crate::settings::{Adapter, Arguments, ConfigurationError, Settings};

/// A longer file is something else than a secret.
const MAX_LENGTH: u64 = 4096;

/// The settings of the engine, with the secret of the file where one is named.
///
/// # Errors
/// The first setting that is wrong; also when the secret is given twice.
pub(crate) fn load(
    adapter: Adapter,
    arguments: Arguments,
    serving: &Serving,
) -> Result<Settings, ConfigurationError> {
    let settings = Settings::load(adapter, &arguments)?;
    let Some((path, setting)) = &serving.secret_file else { return Ok(settings) };
    let wrong = |problem: String| ConfigurationError { setting: setting.clone(), problem };
    if settings.admin_secret.is_some() {
        return Err(wrong(format!(
            "the admin secret is in {} too; set only one of them",
            settings.secret_setting
        )));
    }
    let secret = read(path).map_err(wrong)?;
    let of_file = Arguments { secret: Some(secret.clone()), ..arguments };
    let settings = Settings::load(adapter, &of_file).map_err(|error| {
        // What is wrong now and was not before is the secret.
        wrong(format!("{}: {}", path.display(), error.problem))
    })?;
    Ok(Settings { secret_setting: path.display().to_string(), ..settings })
}

fn read(path: &Path) -> Result<SecretString, String> {
    let refused = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let file = File::open(path).map_err(refused)?;
    let mode = file.metadata().map_err(refused)?.permissions().mode();
    let mut text = String::new();
    file.take(MAX_LENGTH + 1).read_to_string(&mut text).map_err(refused)?;
    if text.len() as u64 > MAX_LENGTH {
        return Err(format!(
            "{} has more than {MAX_LENGTH} bytes; is it another file?",
            path.display()
        ));
    }
    if mode & 0o077 != 0 {
        warn(path);
    }
    let text = SecretString::from(text);
    let line = text.expose_secret();
    let line = line.strip_suffix('\n').unwrap_or(line);
    Ok(SecretString::from(line.strip_suffix('\r').unwrap_or(line)))
}

/// Only a warning: where secrets are mounted into containers, their modes are not ours to choose.
fn warn(path: &Path) {
    tracing::warn!(
        "other users of this machine may read the admin secret in {}; `chmod 600` it",
        path.display()
    );
}
