//! The settings that only the server reads, `simple-security serve`, which parses them itself.

use super::setting::{Adapter, Setting};

const PROGRAM: &[Adapter] = &[Adapter::Program];

/// The address.
pub const LISTEN: Setting = Setting {
    name: "LISTEN",
    other_spelling: None,
    adapters: PROGRAM,
    argument: "listen",
    default: "127.0.0.1:8080",
    meaning: "`serve`: the address and port to listen on, such as `127.0.0.1:8080` or `[::1]:8080`; port 0 is a free one",
};
/// The admin secret, out of the environment.
pub const SECRET_FILE: Setting = Setting {
    name: "SECRET_FILE",
    other_spelling: None,
    adapters: PROGRAM,
    argument: "secret_file",
    default: "not set",
    meaning: "`serve`: a file with the admin secret, instead of the secret itself; a line end after it does not count",
};
/// Whose word about the client's address is taken.
pub const TRUSTED_PROXIES: Setting = Setting {
    name: "TRUSTED_PROXIES",
    other_spelling: None,
    adapters: PROGRAM,
    argument: "trusted_proxy",
    default: "nobody is trusted",
    meaning: "`serve`: networks such as `10.0.0.0/8,::1/128` whose `X-Forwarded-For` is taken for the client's address in the log",
};
/// The greatest number of connections.
pub const MAX_CONNECTIONS: Setting = Setting {
    name: "MAX_CONNECTIONS",
    other_spelling: None,
    adapters: PROGRAM,
    argument: "max_connections",
    default: "1024",
    meaning: "`serve`: how many connections are served at once, 1 to 100000; when all are in use, a new client replaces the connection that has been idle longest",
};
/// How long a stop may take.
pub const GRACE: Setting = Setting {
    name: "GRACE",
    other_spelling: None,
    adapters: PROGRAM,
    argument: "grace",
    default: "10",
    meaning: "`serve`: for how many seconds a stop waits for requests under way, 0 to 3600",
};
/// What is logged.
pub const LOG_LEVEL: Setting = Setting {
    name: "LOG_LEVEL",
    other_spelling: None,
    adapters: PROGRAM,
    argument: "log_level",
    default: "info",
    meaning: "`serve`: `error`, `warn`, `info` (a line for each request), `debug` or `trace`",
};
/// How it is written.
pub const LOG_FORMAT: Setting = Setting {
    name: "LOG_FORMAT",
    other_spelling: None,
    adapters: PROGRAM,
    argument: "log_format",
    default: "json",
    meaning: "`serve`: `json`, an object in each line, or `text`",
};
/// Whether the admin routes are left out.
pub const NO_ADMIN: Setting = Setting {
    name: "NO_ADMIN",
    other_spelling: None,
    adapters: PROGRAM,
    argument: "no_admin",
    default: "false",
    meaning: "`serve`: `true` leaves out the admin routes under `/auth`, and asks for no admin secret",
};
/// Whether the documentation is left out.
pub const NO_DOCS: Setting = Setting {
    name: "NO_DOCS",
    other_spelling: None,
    adapters: PROGRAM,
    argument: "no_docs",
    default: "false",
    meaning: "`serve`: `true` leaves out `/docs` and `/openapi.json`",
};

/// All of them, in the order in which the documentation shows them.
pub const ALL: [Setting; 9] = [
    LISTEN,
    SECRET_FILE,
    TRUSTED_PROXIES,
    MAX_CONNECTIONS,
    GRACE,
    LOG_LEVEL,
    LOG_FORMAT,
    NO_ADMIN,
    NO_DOCS,
];
