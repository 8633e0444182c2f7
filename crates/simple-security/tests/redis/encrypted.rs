//! Encrypted connections: only to a server that can show a certificate for its name, by somebody
//! who is trusted.

use std::path::Path;
use std::process::Command;

use simple_security::store::StoreError;
use tempfile::TempDir;

use super::servers::redis::{Redis, eventually, free_port};
use super::{every_call, find, make, open, refused};

#[test]
fn a_server_is_trusted_by_its_certificate() {
    let folder = TempDir::new().expect("a folder");
    authority(folder.path(), "ca");
    authority(folder.path(), "stranger");
    certificate(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let port = free_port();
    let server = Redis::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &file("server.pem"),
        "--tls-key-file",
        &file("server.key"),
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

    let no_certificate = file("server.key");
    for (wrong, why) in [
        (url("localhost", &file("stranger.pem")), "somebody who is not trusted has signed it"),
        (url("127.0.0.1", &file("ca.pem")), "it is for another name"),
        (format!("rediss://localhost:{port}/0"), "the system does not trust it"),
        (url("localhost", &file("none.pem")), "there is no such file"),
        (url("localhost", &no_certificate), "the file has no certificate"),
        (format!("rediss://localhost:{port}/0#insecure"), "it is checked all the same"),
    ] {
        let error = refused(&wrong);
        assert!(matches!(error, StoreError::Unsuitable { .. }), "{why}: {error}");
        assert!(
            error.to_string().contains("sslrootcert") || error.to_string().contains("PEM"),
            "{error}"
        );
    }
    eventually("answer", || find(&store, 1).ok());
}

fn authority(folder: &Path, name: &str) {
    openssl(
        folder,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        ),
    );
}

/// For `localhost`.
fn certificate(folder: &Path) {
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").expect("a file");
    openssl(
        folder,
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=server -keyout server.key -out server.csr",
    );
    openssl(
        folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
}

fn openssl(folder: &Path, arguments: &str) {
    let run = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    let output = run.expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
