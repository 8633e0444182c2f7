//! The help says what is so.

use super::Desk;

#[test]
fn help_is_there_and_has_examples() {
    let desk = Desk::new();
    for verb in ["issue", "list", "show", "revoke", "renew", "delete", "import", "export"] {
        let help = desk.print(&["keys", verb, "--help"]);
        assert!(help.contains(&format!("\n  simple-security keys {verb}")), "{help}");
        assert!(
            help.contains("Exit codes: 0 done, 1 refused or failed, 2 wrong usage or settings."),
            "{help}"
        );
        assert!(!help.contains("PROGRAM") && !help.contains("PREFIX_"), "{help}");
    }
    let help = desk.print(&["keys", "--help"]);
    assert!(help.contains("SIMPLE_SECURITY_DB_LOCATION"), "{help}");
    assert_eq!(
        desk.print(&["--version"]),
        format!("simple-security {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert!(!desk.database().exists());
}
