//! `docs/server.md` shows what the server answers, and names every flag.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::{Desk, SECRET};

const PAGE: &str = include_str!("../../../../docs/server.md");
const SHOWN_KEY: &str = "fss_Gh29RPWKBo4_lVZzIRe3yD2iS8cJZFsMuWGRnCtAAWHto2SO8rC";
const SHOWN_ADDRESS: &str = "127.0.0.1:8080";

#[test]
fn the_page_shows_what_the_server_answers() {
    let desk = Desk::new();
    fs::write(desk.path("secret"), SECRET).expect("a file");
    fs::set_permissions(desk.path("secret"), fs::Permissions::from_mode(0o600)).expect("a mode");
    let program = Path::new(env!("CARGO_BIN_EXE_simple-security"));
    let path = format!("{}:/usr/bin:/bin", program.parent().expect("a folder").display());
    let (mut key, mut server, mut commands) = (String::new(), None, 0);
    for block in PAGE.split("```console\n").skip(1) {
        let block = block.split("```").next().expect("a block");
        for shown in format!("\n{block}").split("\n$ ").skip(1) {
            let (command, output) = shown.split_once('\n').unwrap_or((shown, ""));
            commands += 1;
            if let Some(arguments) = command.strip_prefix("simple-security serve ") {
                assert_eq!(output.trim_end(), format!("listening on http://{SHOWN_ADDRESS}"));
                let mut start = desk.command(&["--listen", "127.0.0.1:0"]);
                start.env_remove("SIMPLE_SECURITY_SECRET").args(arguments.split(' '));
                server = Some(desk.start(start));
                continue;
            }
            let address =
                server.as_ref().map_or(String::new(), |server| server.address.to_string());
            let real = command.replace(SHOWN_KEY, &key).replace(SHOWN_ADDRESS, &address);
            let done = Command::new("bash")
                .args(["-c", &format!("{real} 2>&1")])
                .current_dir(desk.0.path())
                .env_clear()
                .env("PATH", &path)
                .env("SIMPLE_SECURITY_DB_LOCATION", desk.database())
                .output()
                .expect("a shell");
            let printed = String::from_utf8(done.stdout).expect("text");
            if printed.starts_with("fss_") {
                key = printed.lines().next().expect("a key").to_owned();
            }
            let id = key.get(4..15).unwrap_or("none");
            let printed = printed.replace(&key, SHOWN_KEY).replace(id, &SHOWN_KEY[4..15]);
            assert_eq!(undated(&printed), undated(output), "{command}");
        }
    }
    assert_eq!(commands, 5);
    server.expect("a server").stop();
}

#[test]
fn the_page_names_every_flag() {
    let desk = Desk::new();
    let help = desk.command(&["--help"]).output().expect("an end").stdout;
    let help = String::from_utf8(help).expect("text");
    let words = help.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    let mut flags: Vec<&str> = words.filter(|word| word.starts_with("--")).collect();
    flags.sort_unstable();
    flags.dedup();
    assert!(flags.len() > 11, "{help}");
    for flag in flags.iter().filter(|flag| **flag != "--help") {
        assert!(PAGE.contains(&format!("`{flag}")), "{flag}");
    }
    assert!(help.contains("SIMPLE_SECURITY_SECRET") && !help.contains("PREFIX_"), "{help}");
    assert!(
        help.ends_with("\nExit codes: 0 done, 1 refused or failed, 2 wrong usage or settings.\n")
    );
}

/// Lines without the time, which is another one each time.
fn undated(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim_end);
    let mut lines: Vec<&str> = lines.filter(|line| !line.starts_with("date: ")).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}
