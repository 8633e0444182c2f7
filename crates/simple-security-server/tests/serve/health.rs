//! Health: whether the process runs, and whether it can verify keys.

use crate::Desk;

#[test]
fn health_needs_no_key_and_tells_nothing() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    for (path, body) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let answer = server.get(path, &[]);
        assert_eq!((answer.status, answer.body.as_str()), (200, body));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(server.ask("POST", path, &[], "").status, 405);
    }
    let away = desk.path("away");
    std::fs::rename(desk.database(), &away).expect("moved");
    let answer = server.get("/readyz", &[]);
    assert_eq!((answer.status, answer.body.as_str()), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(server.get("/healthz", &[]).status, 200);
    std::fs::rename(away, desk.database()).expect("moved");
    assert_eq!(server.get("/readyz", &[]).status, 200);
    let log = server.stop();
    assert!(log.contains("not ready") && log.contains("was replaced or removed"), "{log}");
}
