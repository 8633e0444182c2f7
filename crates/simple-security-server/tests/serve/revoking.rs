//! Revoked means revoked, whoever revokes.

use crate::{Desk, SECRET, wait};
use simple_security::Renewal;

#[test]
fn a_key_that_another_process_revokes_is_refused_at_once() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let other = desk.keys();
    for round in 0..20 {
        let (key, id) = desk.issue("shop");
        let credential = format!("x-api-key: {key}");
        for path in ["/verify", "/verify/nginx"] {
            assert_eq!(server.get(path, &[&credential]).status, 200, "{round}");
        }
        wait(other.revoke(id)).expect("revoked");
        for path in ["/verify", "/verify/nginx"] {
            assert_eq!(server.get(path, &[&credential]).status, 401, "{round}");
        }
        wait(other.renew(id, Renewal::DefaultLifetime)).expect("renewed");
        assert_eq!(server.get("/verify", &[&credential]).status, 200, "{round}");
        let secret = format!("secret-key: {SECRET}");
        let answer = server.ask("POST", &format!("/auth/keys/{id}/revoke"), &[&secret], "");
        assert_eq!(answer.status, 200, "{round}: {answer:?}");
        assert_eq!(server.get("/verify", &[&credential]).status, 401, "{round}");
    }
    server.stop();
}
