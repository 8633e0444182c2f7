//! `docs/openapi.json` is what the routes generate.

const FILE: &str = include_str!("../../../docs/openapi.json");

#[test]
fn the_file_is_the_document_of_the_routes() {
    let document = simple_security_admin::openapi().to_pretty_json().expect("JSON");
    assert!(document.trim() == FILE.trim(), "write it anew with `make docs`");
}
