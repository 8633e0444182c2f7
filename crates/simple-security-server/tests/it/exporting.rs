//! Export, and the way back.

use std::os::unix::fs::PermissionsExt as _;

use super::{Desk, Done};

/// Keys of all kinds, those of the old package among them; and the canaries.
fn filled() -> (Desk, Vec<String>) {
    let desk = Desk::new();
    let mut canaries = Vec::new();
    for flags in [
        &["--name", "shop"][..],
        &["--never-expires", "--name", "=HYPERLINK(\"a\",1)"],
        &["--expires-at", "2001-01-01T00:00:00Z"],
    ] {
        canaries.push(desk.issue(flags).0);
    }
    let (key, id) = desk.issue(&["--name", "'=revoked, \"quoted\" Ünï 🔑"]);
    desk.print(&["keys", "revoke", &id]);
    canaries.push(key);
    let own = "~!@#$%^&*()_+{}|:<>?a_,./;'[]=-own";
    canaries.push(own.to_owned());
    let row = serde_json::json!({"key": own, "name": "-1", "total": u64::MAX / 2, "last_used_at": "2026-01-31T12:00:00Z"});
    assert_eq!(desk.import(&row.to_string(), &["--yes"]).code, 0);
    (desk, canaries)
}

#[test]
fn what_is_exported_is_imported_as_it_was() {
    let (desk, canaries) = filled();
    for format in ["json", "csv"] {
        let exported = desk.print(&["keys", "export", "--format", format]);
        assert!(!canaries.iter().any(|key| exported.contains(&key[16..])), "{exported}");
        let copy = Desk::new();
        let dry = copy.import(&exported, &[]);
        let printed = "would import 5 keys (3 active, 1 expired, 1 revoked), skip 0 that exist\nNothing was changed. Say --yes to import.\n";
        assert_eq!(dry, Done { code: 0, printed: printed.to_owned(), said: String::new() });
        assert!(!copy.database().exists());
        let done = copy.import(&exported, &["--yes"]);
        assert_eq!(done.printed, "imported 5 keys, skipped 0\n", "{done:?}");
        for format in ["json", "csv"] {
            let arguments = ["keys", "export", "--format", format];
            assert_eq!(copy.print(&arguments), desk.print(&arguments));
        }
        assert_eq!(
            copy.print(&["keys", "list", "--json"]),
            desk.print(&["keys", "list", "--json"])
        );
        for key in &canaries {
            let shown = copy.feed(&["keys", "show", "-", "--json"], key);
            assert_eq!(shown, desk.feed(&["keys", "show", "-", "--json"], key));
            assert_eq!(shown.code, 0);
        }
    }
}

#[test]
fn a_spreadsheet_finds_no_formula() {
    let (desk, _) = filled();
    let exported = desk.print(&["keys", "export", "--format", "csv"]);
    let (head, _) = exported.split_once("\r\n").expect("a first line");
    assert!(head.starts_with("id,sha256,name,"), "{head}");
    for cell in
        [",\"'=HYPERLINK(\"\"a\"\",1)\",", ",\"''=revoked, \"\"quoted\"\" Ünï 🔑\",", ",'-1,"]
    {
        assert!(exported.contains(cell), "{cell}: {exported}");
    }
}

#[test]
fn a_file_is_for_its_owner_alone_and_never_written_over() {
    let (desk, _) = filled();
    let (file, table) = (desk.path("keys.jsonl"), desk.path("keys.csv"));
    assert_eq!(desk.print(&["keys", "export", "--output", "keys.jsonl"]), "");
    assert_eq!(desk.print(&["keys", "export", "--output", "keys.csv"]), "");
    for (path, format) in [(&file, "json"), (&table, "csv")] {
        let mode = std::fs::metadata(path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(path).expect("the file");
        assert_eq!(text, desk.print(&["keys", "export", "--format", format]));
    }
    let before = std::fs::read(desk.database()).expect("the database");
    for name in ["keys.jsonl", "keys.db", "nowhere/keys.csv", "."] {
        let done = desk.run(&["keys", "export", "--output", name]);
        assert_eq!(done.code, 1);
        assert!(
            done.said.starts_with(&format!("error: --output: {name} cannot be made: ")),
            "{done:?}"
        );
    }
    assert_eq!(std::fs::read(desk.database()).expect("the database"), before);
}
