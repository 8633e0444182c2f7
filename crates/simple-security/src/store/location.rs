//! Where the keys are kept: the path of a file, or the URL of a server.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

/// A parameter of the URL of a store on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the URL.
    pub name: &'static str,
    /// What holds when nobody sets it, as the documentation shows it.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// All parameters that are ours, in the order in which the documentation shows them. Others are the
/// client library's, which refuses those of PostgreSQL that it does not know.
pub const PARAMETERS: [Parameter; 5] =
    [MAX_STALENESS, STALE_IF_ERROR, SSLMODE, SSLROOTCERT, MAY_LOSE];

const MAX_STALENESS: Parameter = Parameter {
    name: "max_staleness",
    default: "`2`",
    meaning: "How many seconds after a change it holds everywhere, 0.5 to 60; kept in the store when it is made",
};
const STALE_IF_ERROR: Parameter = Parameter {
    name: "stale_if_error",
    default: "`0`",
    meaning: "For how many seconds more what is remembered may be used while the store is down, 0 to 60; kept in the store, and counted into `effective_by`",
};
const SSLMODE: Parameter = Parameter {
    name: "sslmode",
    default: "`verify-full`; `disable` on this machine",
    meaning: "`postgres://`: whether the connection is encrypted, and its certificate verified: `verify-full` or `disable`",
};
const SSLROOTCERT: Parameter = Parameter {
    name: "sslrootcert",
    default: "the certificates of the system",
    meaning: "`postgres://` and `rediss://`: a file of certificates (PEM), by one of which the server's must be signed",
};
const MAY_LOSE: Parameter = Parameter {
    name: "may_lose",
    default: "`false`",
    meaning: "`redis://` and `rediss://`: `true` takes a Redis that can lose what it has acknowledged",
};

/// Where the keys are kept.
#[derive(Debug, Clone)]
pub enum Location {
    /// A file, for the processes of one machine.
    Sqlite(PathBuf),
    /// A PostgreSQL database, for many machines.
    Postgres(Server),
    /// A Redis server, for many machines.
    Redis(Server),
}

/// The text is not the location of a store. The error says what to write instead, and shows no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidLocation(String);

/// A store on the network, as its URL names it.
#[derive(Clone)]
pub struct Server {
    /// The URL for the client library: without the parameters that are read here.
    pub(crate) url: SecretString,
    /// The URL without user, password and parameters, for messages.
    shown: String,
    /// `max_staleness`: how late a change may be known everywhere.
    pub(crate) max_staleness: Option<Duration>,
    /// `stale_if_error`: for how long more what is cached may be used while the store is down.
    pub(crate) stale_if_error: Option<Duration>,
    /// `may_lose`: a Redis that can lose what it has acknowledged is taken as it is.
    pub(crate) may_lose: bool,
    /// `sslmode`: whether the connection is encrypted. `None`: unless the server is this machine.
    pub(crate) encrypted: Option<bool>,
    /// `sslrootcert`: the file of certificates that the server's must be signed by.
    pub(crate) root_certificates: Option<PathBuf>,
}

/// The parameter that the client library for Redis reads. It passes over all others in silence.
const REDIS_LIBRARY: &str = "protocol";

impl Location {
    /// Reads a path or a URL.
    ///
    /// # Errors
    /// [`InvalidLocation`] says what is wrong with it, and what to do.
    pub fn parse(text: &str) -> Result<Self, InvalidLocation> {
        Self::read(text).map_err(InvalidLocation)
    }

    fn read(text: &str) -> Result<Self, String> {
        let path = match text.split_once("://") {
            None if looks_like_a_server(text) => return Err(NEARLY_A_URL.to_owned()),
            None => text,
            Some(("sqlite", rest)) => rest.strip_prefix('/').unwrap_or(rest),
            Some(("postgres" | "postgresql", _)) => return Server::parse(text).map(Self::Postgres),
            Some(("redis" | "rediss", _)) => return Server::parse(text).map(Self::Redis),
            // What is before may be anything, a password too.
            Some((scheme, _)) if !is_scheme(scheme) => {
                return Err(NEARLY_A_URL.to_owned());
            }
            Some((scheme, _)) => {
                return Err(format!(
                    "there is no store for {scheme:?} URLs; use the path of a file, sqlite:///keys.db, postgres://... or redis://..."
                ));
            }
        };
        if path.is_empty() || path.contains('\0') {
            return Err("it names no file; use a path such as keys.db".to_owned());
        }
        if path == ":memory:" {
            return Err(
                "a database in memory would be empty in each worker and after each start; name a file"
                    .to_owned(),
            );
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

/// The text is not in it: it may have a password.
const NEARLY_A_URL: &str = "it looks like a server, and is no URL of one; use postgres://user:password@host/database or redis://host/0, or the path of a file";

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether a text without `://` is a mistyped URL, or the `host=... password=...` of libpq. A file
/// of that name would be made, and its name shown.
fn looks_like_a_server(text: &str) -> bool {
    let text: String = text.split_whitespace().collect::<String>().to_ascii_lowercase();
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    matches!(scheme, "sqlite" | "postgres" | "postgresql" | "redis" | "rediss")
        || text.contains("password=")
}

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, InvalidLocation> {
        Self::parse(text)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(formatter),
            Self::Postgres(server) | Self::Redis(server) => formatter.write_str(&server.shown),
        }
    }
}

impl Server {
    fn parse(text: &str) -> Result<Self, String> {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
        // Else a part of the password could be taken for the host, and shown.
        if query.contains('@') {
            return Err(
                "there is an @ after the first ?; in a password write %3F for ? and %40 for @, and in a parameter %40"
                    .to_owned(),
            );
        }
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        if host.split('/').next().is_none_or(str::is_empty) && !query.contains("host=") {
            return Err(format!("it names no server; use a URL such as {scheme}://host/0"));
        }
        let mut server = Self {
            url: SecretString::default(),
            shown: format!("{scheme}://{host}"),
            max_staleness: None,
            stale_if_error: None,
            may_lose: false,
            encrypted: None,
            root_certificates: None,
        };
        let is_redis = scheme.starts_with("redis");
        let mut others = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let parameter = PARAMETERS.into_iter().find(|parameter| parameter.name == name);
            match parameter {
                Some(MAX_STALENESS) => {
                    server.max_staleness = Some(seconds(&name, &value, 0.5..=60.0)?);
                }
                Some(STALE_IF_ERROR) => {
                    server.stale_if_error = Some(seconds(&name, &value, 0.0..=60.0)?);
                }
                Some(MAY_LOSE) if is_redis => {
                    server.may_lose = match &*value {
                        "true" => true,
                        "false" => false,
                        _ => return Err(format!("may_lose is true or false, and not {value:?}")),
                    };
                }
                Some(SSLMODE) if is_redis => {
                    return Err(
                        "sslmode is for PostgreSQL; a connection to Redis is encrypted by rediss:// instead of redis://"
                            .to_owned(),
                    );
                }
                Some(SSLMODE) => server.encrypted = Some(encrypted(&value)?),
                Some(SSLROOTCERT) if scheme == "redis" => {
                    return Err(
                        "sslrootcert is for rediss://, which is encrypted; redis:// is not, and looks at no certificate"
                            .to_owned(),
                    );
                }
                Some(SSLROOTCERT) => server.root_certificates = Some(PathBuf::from(&*value)),
                _ if is_redis && name != REDIS_LIBRARY => {
                    return Err(format!(
                        "a URL of Redis has no parameter {name:?}; those that it may have are {}, {}, {}, {} and {REDIS_LIBRARY}",
                        MAX_STALENESS.name, STALE_IF_ERROR.name, SSLROOTCERT.name, MAY_LOSE.name
                    ));
                }
                _ => drop(others.append_pair(&name, &value)),
            }
        }
        let others = others.finish();
        let separator = if others.is_empty() { "" } else { "?" };
        server.url = format!("{address}{separator}{others}").into();
        Ok(server)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Server({self})")
    }
}

fn seconds(
    name: &str,
    value: &str,
    range: std::ops::RangeInclusive<f64>,
) -> Result<Duration, String> {
    match value.parse::<f64>() {
        Ok(seconds) if range.contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!(
            "{name} is a number of seconds from {} to {}, and not {value:?}",
            range.start(),
            range.end()
        )),
    }
}

/// The words of libpq for it. Its `require` does not look whose certificate it is; ours does.
fn encrypted(mode: &str) -> Result<bool, String> {
    match mode {
        "disable" => Ok(false),
        "require" | "verify-ca" | "verify-full" => Ok(true),
        _ => Err(format!(
            "sslmode is disable or verify-full, and not {mode:?}: a connection that is encrypted only where the server likes it protects nothing"
        )),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn server(text: &str) -> Server {
        match Location::parse(text) {
            Ok(Location::Postgres(server) | Location::Redis(server)) => server,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_location_is_a_path_or_a_url() {
        let path = |text: &str| match Location::parse(text) {
            Ok(Location::Sqlite(path)) => path,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(path("keys.db"), PathBuf::from("keys.db"));
        assert_eq!(path("sqlite:///keys.db"), PathBuf::from("keys.db"));
        assert_eq!(path("sqlite:////var/keys.db"), PathBuf::from("/var/keys.db"));
        for wrong in
            ["", "sqlite://", "mysql://host/db", ":memory:", "a\0b", "redis://", "postgres:///"]
        {
            assert!(Location::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn our_parameters_are_taken_out_of_a_url() {
        let server = server("redis://u:p@h:6379/1?max_staleness=5&protocol=resp3&may_lose=true");
        assert_eq!(server.url.expose_secret(), "redis://u:p@h:6379/1?protocol=resp3");
        assert_eq!(server.max_staleness, Some(Duration::from_secs(5)));
        assert!(server.may_lose);
        for wrong in [
            "max_staleness=0",
            "max_staleness=61",
            "max_staleness=NaN",
            "max_staleness=soon",
            "stale_if_error=-1",
            "stale_if_error=61",
            "sslmode=prefer",
        ] {
            assert!(Location::parse(&format!("postgres://h/db?{wrong}")).is_err(), "{wrong}");
        }
        assert!(Location::parse("redis://h?may_lose=perhaps").is_err());
        for nothing in ["sslmode=verify-full", "sslrootcert=/ca.pem"] {
            let problem =
                Location::parse(&format!("redis://h?{nothing}")).expect_err(nothing).to_string();
            assert!(problem.contains("rediss://"), "it would do nothing: {problem}");
        }
        assert!(Location::parse("rediss://h?sslrootcert=/ca.pem").is_ok());
    }

    #[test]
    fn a_question_mark_in_a_password_shows_no_part_of_it() {
        for text in ["postgres://user:pass?word@host/db", "postgres://us@er:pass?word@host/db"] {
            let problem = Location::parse(text).expect_err("refused").to_string();
            assert!(!problem.contains("pass?") && !problem.contains("word@"), "{problem}");
        }
        assert!(Location::parse("postgres://user:pass%3Fword@host/db").is_ok());
    }

    #[test]
    fn what_is_nearly_a_server_is_no_file() {
        for text in [
            "postgres:/user:hunter2@host/db",
            "postgresql:user:hunter2@host/db",
            " Postgres:/user:hunter2@host/db",
            "redis:hunter2@host",
            "rediss:/:hunter2@host/0",
            "sqlite:keys.db",
            "host=db user=app password=hunter2",
            "host=db Password = 'hunter2'",
            "password=hunter2 sslrootcert=file://ca.pem",
        ] {
            let problem = Location::parse(text).expect_err(text).to_string();
            assert!(!problem.contains("hunter2") && problem.contains("postgres://"), "{problem}");
        }
        for path in ["postgres", "redis.db", "keys:1.db", "./postgres:/keys.db"] {
            assert!(matches!(Location::parse(path), Ok(Location::Sqlite(_))), "{path}");
        }
    }

    #[test]
    fn a_url_of_redis_has_no_unknown_parameter() {
        for wrong in ["ssl=true", "max_stalenes=5", "db=1", "MAY_LOSE=true"] {
            let problem =
                Location::parse(&format!("redis://h/0?{wrong}")).expect_err(wrong).to_string();
            let name = wrong.split('=').next().expect("a name");
            assert!(problem.contains(name) && problem.contains("max_staleness"), "{problem}");
        }
        assert!(Location::parse("redis://h/0?protocol=resp3&stale_if_error=1").is_ok());
    }

    #[test]
    fn neither_user_nor_password_is_shown() {
        for text in ["postgres://us%40er:pa@ss@a:1,b:2/db?sslmode=disable", "rediss://:pa@ss@h/0"] {
            let location = Location::parse(text).expect(text);
            let shown = format!("{location} {location:?}");
            assert!(!shown.contains("ss@") && !shown.contains("us%40"), "{shown}");
        }
        assert_eq!(server("postgres://u:p@a:1,b:2/db?x=1").to_string(), "postgres://a:1,b:2/db");
    }
}
