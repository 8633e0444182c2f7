//! Connections are encrypted to the right server, or there are none.

use simple_security::store::OpenError;
use tempfile::TempDir;

use super::Keys;
use super::servers::certificates::authority;
use super::servers::hand::Hand;
use super::servers::postgres::{Postgres, USER};
use super::servers::process::give;

#[test]
fn only_the_right_server_is_spoken_to() {
    let folder = TempDir::new().expect("a folder");
    authority(folder.path(), "right");
    authority(folder.path(), "wrong");
    let key = folder.path().join("right-server.key");
    give(folder.path(), USER);
    give(&key, USER);
    let path = |file: &str| folder.path().join(file).display().to_string();
    let server = Postgres::start_with(&[
        "ssl=on",
        &format!("ssl_cert_file={}", path("right-server.pem")),
        &format!("ssl_key_file={}", path("right-server.key")),
    ]);
    let url = server.fresh_database();
    let by_name = url.replace("127.0.0.1", "localhost");
    let trusting =
        |url: &str, file: &str| format!("{url}?sslmode=verify-full&sslrootcert={}", path(file));
    let keys = Keys::open(&trusting(&by_name, "right.pem"));
    keys.insert(1);
    keys.mark();
    let plain = Hand::on(&url).ask(
        "SELECT application_name FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE NOT ssl AND datname = current_database() AND pid <> pg_backend_pid()",
    );
    assert!(plain.is_empty(), "{plain:?} is not encrypted");

    let refused = |url: &str, expected: &str| {
        let refused = Keys::refused(url);
        assert!(matches!(refused, OpenError::Unsuitable { .. }), "{url}: {refused:?}");
        assert!(refused.to_string().contains(expected), "{refused}");
    };
    refused(&trusting(&by_name, "wrong.pem"), "certificate");
    refused(&trusting(&url, "right.pem"), "certificate");
    refused(&trusting(&by_name, "right-server.key"), "sslrootcert");
    refused(&trusting(&by_name, "missing.pem"), "sslrootcert");
    let in_plain_text = Postgres::shared();
    let plain = in_plain_text.fresh_database().replace("127.0.0.1", "localhost");
    refused(&trusting(&plain, "right.pem"), "sslmode=disable");
}
