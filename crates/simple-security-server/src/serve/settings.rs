//! What the server is set to: by flags, else by variables, else by default.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;
use tracing::Level;

use crate::settings::serving::{
    GRACE, LISTEN, LOG_FORMAT, LOG_LEVEL, MAX_CONNECTIONS, NO_ADMIN, NO_DOCS, SECRET_FILE,
    TRUSTED_PROXIES,
};
use crate::settings::{Adapter, ConfigurationError, Found, SECRET, Setting, find};

/// The flags that only the server has.
#[derive(Args, Default)]
pub(crate) struct ServingFlags {
    /// The address and port to listen on, 127.0.0.1:8080 unless set; port 0 is a free one. Ignored if
    /// systemd passes a socket.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// A file with the admin secret. There is no flag for the secret itself: others would see it.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<String>,
    /// A network whose X-Forwarded-For is taken for the client's address in the log; may be repeated.
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<String>,
    /// The maximum number of connections, 1024 unless set. At the limit, a new one closes the one idle longest.
    #[arg(long, value_name = "NUMBER")]
    max_connections: Option<String>,
    /// For how many seconds a stop waits for requests under way, 10 unless set.
    #[arg(long, value_name = "SECONDS")]
    grace: Option<String>,
    /// error, warn, info (a line for each request; unless set), debug or trace.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// json (unless set) or text.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Leave out the routes of the administrator. No admin secret is needed then.
    #[arg(long)]
    no_admin: bool,
    /// Leave out the documentation, /docs and /openapi.json.
    #[arg(long)]
    no_docs: bool,
}

/// All that only the server is set to.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) listen: SocketAddr,
    /// The name of the setting for the admin secret, for errors.
    pub(crate) secret_setting: String,
    /// The file with the admin secret, and how errors call the setting.
    pub(crate) secret_file: Option<(PathBuf, String)>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) max_connections: usize,
    pub(crate) grace: Duration,
    pub(crate) log_level: Level,
    pub(crate) log_format: LogFormat,
    pub(crate) admin: bool,
    pub(crate) docs: bool,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// An object in each line.
    Json,
    /// For people.
    Text,
}

impl Serving {
    /// Reads them all.
    ///
    /// # Errors
    /// Names the first one that is wrong.
    pub(crate) fn load(adapter: Adapter, flags: ServingFlags) -> Result<Self, ConfigurationError> {
        let text = |setting: &Setting, flag: Option<&str>| find(setting, adapter, flag);
        let switch = |setting: &Setting, flag: bool| {
            text(setting, flag.then_some("true")).and_then(|found| parse_switch(&found))
        };
        let proxies = Some(flags.trusted_proxy.join(",")).filter(|text| !text.is_empty());
        let secret_file = text(&SECRET_FILE, flags.secret_file.as_deref())?;
        Ok(Self {
            listen: listening_address(adapter, flags.listen.as_deref())?,
            secret_setting: SECRET.variable(adapter).unwrap_or_else(|| SECRET.argument.to_owned()),
            secret_file: secret_file.text.map(|path| (PathBuf::from(path), secret_file.name)),
            trusted_proxies: parse_networks(&text(&TRUSTED_PROXIES, proxies.as_deref())?)?,
            max_connections: parse_number(
                &text(&MAX_CONNECTIONS, flags.max_connections.as_deref())?,
                &MAX_CONNECTIONS,
                1..=100_000,
            )?,
            grace: parse_number(&text(&GRACE, flags.grace.as_deref())?, &GRACE, 0..=3600)
                .map(|seconds| Duration::from_secs(seconds as u64))?,
            log_level: parse_level(&text(&LOG_LEVEL, flags.log_level.as_deref())?)?,
            log_format: parse_format(&text(&LOG_FORMAT, flags.log_format.as_deref())?)?,
            admin: !switch(&NO_ADMIN, flags.no_admin)?,
            docs: !switch(&NO_DOCS, flags.no_docs)?,
        })
    }
}

fn shown<'a>(found: &'a Found<String>, setting: &Setting) -> &'a str {
    found.text.as_deref().unwrap_or(setting.default)
}

/// Where the server listens, for who looks for it.
pub(crate) fn listening_address(
    adapter: Adapter,
    flag: Option<&str>,
) -> Result<SocketAddr, ConfigurationError> {
    parse_address(&find(&LISTEN, adapter, flag)?)
}

fn parse_address(found: &Found<String>) -> Result<SocketAddr, ConfigurationError> {
    let text = shown(found, &LISTEN);
    text.parse().map_err(|_| {
        found.wrong(format!(
            "{text:?} is no address with a port; write one such as 127.0.0.1:8080 or [::1]:8080"
        ))
    })
}

fn parse_networks(found: &Found<String>) -> Result<Vec<IpNet>, ConfigurationError> {
    let Some(text) = &found.text else { return Ok(Vec::new()) };
    let network = |part: &str| {
        let wrong = || {
            found.wrong(format!(
                "{part:?} is no network; write one such as 10.0.0.0/8 or ::1/128, and commas between several"
            ))
        };
        let network: IpNet = part.parse().map_err(|_| wrong())?;
        // Bits behind the mask are a slip of somebody who meant another network.
        if network.trunc() == network { Ok(network) } else { Err(wrong()) }
    };
    text.split(',').map(str::trim).map(network).collect()
}

fn parse_number(
    found: &Found<String>,
    setting: &Setting,
    range: std::ops::RangeInclusive<usize>,
) -> Result<usize, ConfigurationError> {
    let text = shown(found, setting);
    match text.trim().parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(found.wrong(format!(
            "{text:?} is not a number from {} to {}",
            range.start(),
            range.end()
        ))),
    }
}

fn parse_level(found: &Found<String>) -> Result<Level, ConfigurationError> {
    match shown(found, &LOG_LEVEL) {
        "error" => Ok(Level::ERROR),
        "warn" => Ok(Level::WARN),
        "info" => Ok(Level::INFO),
        "debug" => Ok(Level::DEBUG),
        "trace" => Ok(Level::TRACE),
        text => Err(found.wrong(format!("{text:?} is none of error, warn, info, debug and trace"))),
    }
}

fn parse_format(found: &Found<String>) -> Result<LogFormat, ConfigurationError> {
    match shown(found, &LOG_FORMAT) {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        text => Err(found.wrong(format!("{text:?} is neither json nor text"))),
    }
}

fn parse_switch(found: &Found<String>) -> Result<bool, ConfigurationError> {
    match found.text.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(text) => Err(found.wrong(format!("{text:?} is neither true nor false"))),
    }
}
