//! The documentation in the browser: all of it from the server itself.

use serde_json::Value;
use test_support::openapi::{file, operations};

use crate::Desk;

#[test]
fn the_page_has_all_that_it_needs() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let answer = server.get("/docs", &[]);
    assert_eq!((answer.status, answer.header("location")), (308, Some("docs/")));
    let page = server.get("/docs/", &[]);
    assert_eq!(page.status, 200);
    let files: Vec<&str> = page
        .body
        .split(['"'])
        .filter(|text| text.ends_with(".js") || text.ends_with(".css"))
        .collect();
    assert_eq!(files, ["swagger-ui.css", "swagger-ui-bundle.js", "page.js"]);
    assert!(!page.body.contains("//") && !page.body.contains("<style"), "{}", page.body);
    assert_eq!(page.body.matches("<script").count(), page.body.matches("<script src=").count());
    assert!(!page.body.contains(" style=") && !page.body.contains(" on"), "{}", page.body);
    let script = server.get("/docs/page.js", &[]);
    assert!(script.body.contains("validatorUrl: null"), "{}", script.body);
    for path in ["", "page.js", "swagger-ui.css", "swagger-ui-bundle.js"] {
        let answer = server.get(&format!("/docs/{path}"), &["accept-encoding: gzip"]);
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    assert_eq!(server.get("/docs/swagger-ui.js", &[]).status, 404);
    server.stop();
}

#[test]
fn the_description_is_that_of_every_adapter() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let answer = server.get("/openapi.json", &[]);
    let served: Value = serde_json::from_str(&answer.body).expect("JSON");
    let (found, expected) = (operations(&served, "/auth"), operations(&file(), ""));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, operation) in &expected {
        assert_eq!(&found[name], operation, "{name}");
    }
    let schemes = |document: &Value| document["components"]["securitySchemes"].clone();
    assert_eq!(schemes(&served), schemes(&file()));
    server.stop();
}

#[test]
fn what_is_left_out_is_not_there() {
    let desk = Desk::new();
    let server = desk.serve(&["--no-docs"]);
    for path in ["/docs", "/docs/", "/docs/page.js", "/openapi.json"] {
        assert_eq!(server.get(path, &[]).status, 404, "{path}");
    }
    assert_eq!(server.get("/auth/keys", &[]).status, 401);
    server.stop();

    let mut command = desk.command(&["--listen", "127.0.0.1:0", "--no-admin"]);
    command.env_remove("SIMPLE_SECURITY_SECRET");
    let server = desk.start(command);
    let secret = format!("secret-key: {}", crate::SECRET);
    for path in ["/auth/keys", "/auth", "/docs", "/docs/", "/openapi.json"] {
        assert_eq!(server.get(path, &[&secret]).status, 404, "{path}");
    }
    assert_eq!(server.get("/verify", &[]).status, 401);
    assert!(!server.stop().contains("secret"));
}
