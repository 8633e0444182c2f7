//! Wrong settings: one line that says what to do, and nothing else has happened.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use crate::{Desk, SECRET, refused};

#[test]
fn wrong_settings_are_named() {
    let desk = Desk::new();
    fs::write(desk.path("empty"), "\n").expect("a file");
    fs::write(desk.path("long"), "x".repeat(5000)).expect("a file");
    fs::write(desk.path("binary"), b"\xff\xfe").expect("a file");
    fs::write(desk.path("lines"), "one\ntwo\n").expect("a file");
    for name in ["empty", "long", "binary", "lines"] {
        fs::set_permissions(desk.path(name), fs::Permissions::from_mode(0o600)).expect("a mode");
    }
    for (flag, value, said) in [
        ("--listen", "", "is no address with a port; write one such as 127.0.0.1:8080"),
        ("--listen", "8080", "is no address with a port"),
        ("--listen", "localhost:8080", "is no address with a port"),
        ("--listen", "127.0.0.1", "is no address with a port"),
        ("--listen", "127.0.0.1:99999", "is no address with a port"),
        ("--trusted-proxy", "10.0.0.0", "is no network; write one such as 10.0.0.0/8"),
        ("--trusted-proxy", "10.0.0.0/33", "is no network"),
        ("--trusted-proxy", "10.1.2.3/8", "is no network"),
        ("--trusted-proxy", "10.0.0.0/8,", "is no network"),
        ("--trusted-proxy", "proxy/8", "is no network"),
        ("--max-connections", "0", "is not a number from 1 to 100000"),
        ("--max-connections", "many", "is not a number from 1 to 100000"),
        ("--grace", "-1", "is not a number from 0 to 3600"),
        ("--grace", "1.5", "is not a number from 0 to 3600"),
        ("--log-level", "loud", "is none of error, warn, info, debug and trace"),
        ("--log-format", "xml", "is neither json nor text"),
        ("--secret-file", "nowhere", "nowhere cannot be read"),
        ("--secret-file", ".", "cannot be read"),
        ("--secret-file", "empty", "empty: the admin secret is empty"),
        ("--secret-file", "long", "has more than 4096 bytes"),
        ("--secret-file", "binary", "cannot be read"),
        ("--secret-file", "lines", "must be ASCII without spaces around it"),
        ("--automatic-expiration", "0", "is not a number of days"),
        ("--db-location", ":memory:", "name a file"),
    ] {
        let mut command = desk.command(&[&format!("{flag}={value}")]);
        let (code, text) = refused(command.env_remove("SIMPLE_SECURITY_SECRET"));
        assert_eq!(code, Some(2), "{flag} {value}: {text}");
        assert!(text.starts_with(&format!("error: {flag}: ")), "{flag} {value}: {text}");
        assert!(text.contains(said) && text.lines().count() == 1, "{flag} {value}: {text}");
        let variable = match flag.trim_start_matches("--") {
            "trusted-proxy" => "TRUSTED_PROXIES".to_owned(),
            flag => flag.replace('-', "_").to_uppercase(),
        };
        let variable = format!("SIMPLE_SECURITY_{variable}");
        let mut command = desk.command(&[]);
        command.env_remove("SIMPLE_SECURITY_SECRET").env(&variable, value);
        let (code, text) = refused(&mut command);
        assert_eq!(code, Some(2), "{variable}: {text}");
        assert!(text.starts_with(&format!("error: {variable}: ")), "{variable}: {text}");
    }
    for variable in ["NO_ADMIN", "NO_DOCS"] {
        let mut command = desk.command(&[]);
        let (code, text) = refused(command.env(format!("SIMPLE_SECURITY_{variable}"), "yes"));
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("is neither true nor false"), "{text}");
    }
    assert!(!desk.database().exists());
}

#[test]
fn the_secret_has_no_flag() {
    let desk = Desk::new();
    for arguments in [["--secret", "x"], ["--nonsense", "x"]] {
        let (code, text) = refused(&mut desk.command(&arguments));
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
    }
    assert!(!desk.database().exists());
}

#[test]
fn a_port_in_use_is_named_and_the_database_not_touched() {
    let desk = Desk::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (code, text) = refused(&mut desk.command(&["--listen", &address]));
    assert_eq!(code, Some(1), "{text}");
    let said = format!(
        "error: --listen: {address}: another program listens there; stop it, or choose another port\n"
    );
    assert_eq!(text, said);
    assert!(!desk.database().exists());
    let (code, text) = refused(&mut desk.command(&["--listen", "192.0.2.1:8080"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("this machine has no such address"), "{text}");
}

#[test]
fn the_secret_comes_from_a_file_or_from_the_environment() {
    let desk = Desk::new();
    let file = desk.path("secret");
    for (text, mode) in [
        (format!("{SECRET}\n"), 0o600),
        (format!("{SECRET}\r\n"), 0o600),
        (SECRET.to_owned(), 0o644),
    ] {
        fs::write(&file, text).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
        let mut command = desk.command(&["--listen", "127.0.0.1:0", "--secret-file", "secret"]);
        command.env_remove("SIMPLE_SECURITY_SECRET");
        let server = desk.start(command);
        let good = format!("secret-key: {SECRET}");
        assert_eq!(server.get("/auth/keys", &[&good]).status, 200);
        assert_eq!(server.get("/auth/keys", &["secret-key: x"]).status, 401);
        let log = server.stop();
        assert_eq!(log.contains("other users of this machine may read"), mode == 0o644, "{log}");
    }
    let (code, text) = refused(&mut desk.command(&["--secret-file", "secret"]));
    assert_eq!(code, Some(2), "{text}");
    assert_eq!(
        text,
        "error: --secret-file: the admin secret is in SIMPLE_SECURITY_SECRET too; set only one of them\n"
    );
}

#[test]
fn a_generated_secret_is_printed_once() {
    let desk = Desk::new();
    let start = || {
        let mut command = desk.command(&["--listen", "127.0.0.1:0"]);
        command.env_remove("SIMPLE_SECURITY_SECRET");
        desk.start(command)
    };
    let first = start();
    let second = start();
    let secret = fs::read_to_string(&first.log).expect("a log");
    let secret = secret
        .lines()
        .find_map(|line| line.strip_prefix("generated admin secret, shown this once: "));
    let secret = secret.expect("a secret").to_owned();
    for server in [&first, &second] {
        let answer = server.get("/auth/keys", &[&format!("secret-key: {secret}")]);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(first.stop().matches(&secret).count(), 1);
    assert!(!second.stop().contains("generated"));
}

#[test]
fn a_database_of_the_old_package_is_left_as_it_is() {
    let desk = Desk::new();
    let connection = rusqlite::Connection::open(desk.database()).expect("a database");
    connection
        .execute_batch(
            "CREATE TABLE fastapi_simple_security (api_key TEXT PRIMARY KEY, is_active INTEGER, \
             never_expire INTEGER, expiration_date TEXT, latest_query_date TEXT, total_queries INTEGER)",
        )
        .expect("a table");
    drop(connection);
    let before = fs::read(desk.database()).expect("bytes");
    let (code, text) = refused(&mut desk.command(&["--listen", "127.0.0.1:0"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("is a database of fastapi_simple_security 1.x"), "{text}");
    assert_eq!(fs::read(desk.database()).expect("bytes"), before);
}
