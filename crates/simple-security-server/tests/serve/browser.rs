//! The documentation in a browser, where there is one: Chromium obeys the policy, and says where the
//! page would not.

use std::path::Path;
use std::process::Command;

use crate::Desk;

#[test]
fn the_page_works_under_its_policy() {
    let chromium = "/usr/bin/chromium";
    if !Path::new(chromium).exists() {
        return;
    }
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let shown = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"])
        .args(["--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", desk.path("browser").display()))
        .arg(format!("http://{}/docs", server.address))
        .output()
        .expect("a browser");
    let (page, said) = (text(shown.stdout), text(shown.stderr));
    for expected in ["Issue a key", "Revoke a key", "Authorize"] {
        assert!(page.contains(expected), "{expected}: {page}\n{said}");
    }
    // What pages say, and what they are kept from, is logged as that of the console.
    assert!(!said.contains("CONSOLE") && !said.contains("Content Security Policy"), "{said}");
    let log = server.stop();
    let paths = log.lines().filter(|line| line.contains(r#""message":"request""#));
    assert!(paths.clone().count() >= 6, "{log}");
    for line in paths {
        assert!(line.contains(r#""status":200"#) || line.contains(r#""status":308"#), "{line}");
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
