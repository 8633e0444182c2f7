//! `serve`: answers proxies that ask whether a request may pass, and takes in the administrator.

use std::io::{self, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use simple_security::{AdminError, ApiKeys};
use tokio::runtime::{Builder, Runtime};

use crate::failure::{Failure, not_opened};
use crate::keys::Flags;
use crate::opening::{Absent, open_store};
use crate::program::Program;
use crate::settings::Settings;

mod access;
mod activity;
mod answers;
mod body;
mod connection_limit;
mod connections;
mod docs;
mod forwarded;
mod health;
mod identity;
mod lines;
mod listener;
mod pace;
mod paths;
mod percent;
mod process;
mod routes;
mod secret;
mod settings;
mod stop;

use answers::Answers;
pub use identity::identity_headers;
use lines::Writer;
pub(crate) use settings::listening_address;
use settings::{Serving, ServingFlags};
use stop::Stop;

/// How long the end waits for changes that the store has under way, when nobody waits for their
/// answer any more.
const LAST_CHANGES: Duration = Duration::from_secs(5);

/// Serve the keys of a database: to proxies that ask whether a request may pass, and to the administrator.
///
/// `/verify` answers 200 for a good key and says whose it is, `/verify/nginx` does so in the way of nginx's
/// auth_request. `/auth` has the routes of the administrator, behind the header secret-key. The secret comes from
/// the variable PREFIX_SECRET or from a file; without one a secret is generated at the start and printed once. On a
/// store that many machines share none is generated: /auth answers 503 then.
#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    serving: ServingFlags,
}

impl Serve {
    /// Serves until it is told to stop.
    pub(crate) fn run(self, program: Program) -> Result<(), Failure> {
        process::guard();
        // Before any thread starts, because it changes the environment.
        let inherited = listener::inherited()?;
        let serving = Serving::load(program.adapter(), self.serving)?;
        let lines = lines::start(serving.log_level, serving.log_format)?;
        let served = serve(program, self.flags, &serving, inherited, lines.writer());
        lines.close();
        served
    }
}

fn serve(
    program: Program,
    flags: Flags,
    serving: &Serving,
    inherited: Option<TcpListener>,
    log: Writer,
) -> Result<(), Failure> {
    let settings = secret::load(program.adapter(), flags.arguments(), serving)?;
    // Before the database is touched: who cannot be reached has nothing to do there.
    let listener = match inherited {
        Some(listener) => {
            tracing::info!("serving the socket that systemd passed; --listen is ignored");
            listener
        }
        None => listener::bind(serving.listen)?,
    };
    let runtime = runtime().map_err(|error| {
        Failure::Refused(format!("the threads of the server cannot be started: {error}"))
    })?;
    let keys = Arc::new(open(program, &settings, serving)?);
    let answered = runtime.block_on(answer(listener, serving, log, Arc::clone(&keys)));
    runtime.shutdown_timeout(LAST_CHANGES);
    keys.close();
    answered
}

/// Opens the engine. A database of the old package is not taken over: there is no way back, and the
/// old version may still run on it.
fn open(program: Program, settings: &Settings, serving: &Serving) -> Result<ApiKeys, Failure> {
    let store = open_store(program, settings, Absent::Make)?;
    let opened = match serving.admin {
        true => settings.open_with_admin(store, |secret| show(&secret)),
        false => settings.engine(store).build(),
    };
    let keys = opened.map_err(|error| not_opened(&error, settings))?;
    if serving.admin && !keys.has_admin_secret() {
        let (error, setting) = (AdminError::NoSecret, &settings.secret_setting);
        tracing::warn!("the routes of the administrator answer 503: {error}; set {setting}");
    }
    Ok(keys)
}

/// With one core, or when bound to one, there is nobody to hand work to.
fn runtime() -> io::Result<Runtime> {
    match available_parallelism().map_or(1, usize::from) {
        1 => Builder::new_current_thread().enable_all().build(),
        cores => Builder::new_multi_thread().worker_threads(cores).enable_all().build(),
    }
}

fn show(secret: &SecretString) {
    // There is nobody else to tell.
    let _ = writeln!(
        io::stderr().lock(),
        "generated admin secret, shown this once: {}",
        secret.expose_secret()
    );
}

async fn answer(
    listener: TcpListener,
    serving: &Serving,
    log: Writer,
    keys: Arc<ApiKeys>,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Refused(format!("the server failed: {error}"));
    let mut stop = Stop::watch().map_err(failed)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let answers = Arc::new(Answers::new(keys, serving, log));
    // Who started it and closed the output does not want to know.
    let mut output = io::stdout().lock();
    let _ = writeln!(output, "listening on http://{address}").and_then(|()| output.flush());
    drop(output);
    connections::serve(listener, answers, serving, &mut stop).await;
    Ok(())
}
