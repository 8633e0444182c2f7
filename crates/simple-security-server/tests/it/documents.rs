//! The help and `docs/command-line.md` say what is so.

use std::path::Path;
use std::process::Command;

use regex::Regex;

use super::Desk;

#[test]
fn help_is_there_and_has_examples() {
    let desk = Desk::new();
    let verbs = ["issue", "list", "show", "revoke", "renew", "delete", "import", "export"];
    let verbs = verbs.map(|verb| format!("keys {verb}"));
    for command in verbs.iter().map(String::as_str).chain(["init", "copy"]) {
        let arguments: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let help = desk.print(&arguments);
        assert!(help.contains(&format!("\n  simple-security {command}")), "{help}");
        let codes = "\nExit codes: 0 done, 1 refused or failed, 2 wrong usage or settings.\n";
        assert!(help.ends_with(codes), "{help}");
        assert!(!help.contains("PROGRAM") && !help.contains("PREFIX_"), "{help}");
    }
    let help = desk.print(&["keys", "--help"]);
    assert!(help.contains("SIMPLE_SECURITY_DB_LOCATION"), "{help}");
    let version = format!("simple-security {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(desk.print(&["--version"]), version);
    assert!(!desk.database().exists());
}

/// All commands of the page, in its order and in one shell each.
#[test]
fn the_page_shows_what_the_program_prints() {
    let page = include_str!("../../../../docs/command-line.md");
    let shown_key = "fss_Gh29RPWKBo4_lVZzIRe3yD2iS8cJZFsMuWGRnCtAAWHto2SO8rC";
    let key = Regex::new(r"fss_(\w{11})_\w{39}").expect("an expression");
    let date = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").expect("an expression");
    let desk = Desk::new();
    let program = Path::new(env!("CARGO_BIN_EXE_simple-security"));
    let path = format!("{}:/usr/bin:/bin", program.parent().expect("a folder").display());
    let (mut ours, mut id) = (String::new(), String::new());
    let mut commands = 0;
    for block in page.split("```console\n").skip(1) {
        let block = block.split("```").next().expect("a block");
        for shown in format!("\n{block}").split("\n$ ").skip(1) {
            let (command, output) = shown.split_once('\n').unwrap_or((shown, ""));
            commands += 1;
            if let Some(name) = command.strip_prefix("cat ") {
                desk.write(name, &format!("{}\n", output.trim_end()).replace(shown_key, &ours));
                continue;
            }
            let done = Command::new("bash")
                .args(["-c", &format!("{} 2>&1", command.replace("Gh29RPWKBo4", &id))])
                .current_dir(desk.0.path())
                .env_clear()
                .env("PATH", &path)
                .env("SIMPLE_SECURITY_DB_LOCATION", "keys.db")
                .output()
                .expect("a shell");
            let printed = String::from_utf8(done.stdout).expect("text");
            if let Some(made) = key.captures(&printed) {
                (ours, id) = (made[0].to_owned(), made[1].to_owned());
            }
            let general = |text: &str| {
                let text = text.replace(shown_key, "KEY").replace("Gh29RPWKBo4", "ID");
                let text = if id.is_empty() {
                    text
                } else {
                    text.replace(&ours, "KEY").replace(&id, "ID")
                };
                date.replace_all(text.trim_end(), "DATE").into_owned()
            };
            assert_eq!(general(&printed), general(output), "{command}");
        }
    }
    assert!(commands >= 18, "{commands}");
}
