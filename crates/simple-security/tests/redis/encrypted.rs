//! Encrypted connections: only to a server that can show a certificate for its name, by somebody
//! who is trusted.

use simple_security::store::OpenError;
use tempfile::TempDir;

use super::servers::certificates::authority;
use super::servers::process::free_port;
use super::servers::redis::Redis;
use super::servers::waiting::eventually;
use super::{every_call, find, make, open, refused};

#[test]
fn a_server_is_trusted_by_its_certificate() {
    let folder = TempDir::new().expect("a folder");
    authority(folder.path(), "ca");
    authority(folder.path(), "stranger");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let port = free_port();
    let server = Redis::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &file("ca-server.pem"),
        "--tls-key-file",
        &file("ca-server.key"),
        "--tls-ca-cert-file",
        &file("ca.pem"),
    ]);
    drop(make(&server.url()));
    let url = |host: &str, file: &str| format!("rediss://{host}:{port}/0?sslrootcert={file}");
    let store = open(&url("localhost", &file("ca.pem")));
    for (call, done) in every_call(&store) {
        done.expect(call);
    }
    assert!(server.ask(&["CLIENT", "LIST"]).contains(&format!("laddr=127.0.0.1:{port}")));

    let no_certificate = file("ca-server.key");
    for (wrong, why) in [
        (url("localhost", &file("stranger.pem")), "somebody who is not trusted has signed it"),
        (url("127.0.0.1", &file("ca.pem")), "it is for another name"),
        (format!("rediss://localhost:{port}/0"), "the system does not trust it"),
        (url("localhost", &file("none.pem")), "there is no such file"),
        (url("localhost", &no_certificate), "the file has no certificate"),
        (format!("rediss://localhost:{port}/0#insecure"), "it is checked all the same"),
    ] {
        let error = refused(&wrong);
        assert!(matches!(error, OpenError::Unsuitable { .. }), "{why}: {error}");
        assert!(
            error.to_string().contains("sslrootcert") || error.to_string().contains("PEM"),
            "{error}"
        );
    }
    eventually("answer", || find(&store, 1).ok());
}
