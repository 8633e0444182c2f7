//! Certificates, and the authorities that sign them.

use std::path::Path;
use std::process::Command;

use super::process::{folder_with, missing, run};

/// Makes an authority, `name.pem`, and a certificate for `localhost` that it has signed,
/// `name-server.pem` with `name-server.key`.
pub fn authority(folder: &Path, name: &str) {
    let found = folder_with(&["openssl"], Vec::new());
    let program = found.unwrap_or_else(|| missing("openssl", "openssl")).join("openssl");
    let openssl = |arguments: &str| {
        run(Command::new(&program).current_dir(folder).args(arguments.split_whitespace()));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 {key} -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}"
    ));
    openssl(&format!("req {key} -keyout {name}-server.key -out {name}.csr -subj /CN=localhost"));
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").expect("the names");
    openssl(&format!(
        "x509 -req -in {name}.csr -CA {name}.pem -CAkey {name}.key -CAcreateserial -days 2 -extfile names -out {name}-server.pem"
    ));
}
