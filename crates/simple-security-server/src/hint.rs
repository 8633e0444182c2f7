//! Commands that help where a store cannot be opened. The engine's messages name none: it does not know
//! how the program is called, and most of its users have no terminal at hand.

use simple_security::store::OpenError;

/// What to run where this error keeps a store from being opened, for a program of this name. The error itself
/// says what is wrong.
pub fn hint(program: &str, error: &OpenError) -> Option<String> {
    match error {
        OpenError::NotMade { .. } => {
            Some(format!("make one: `{program} init`, with the same --db-location or variable"))
        }
        OpenError::Shared { path, .. } => {
            let path = path.display();
            Some(format!(
                "move the keys to a file of their own: \
                 `sqlite3 {path} \".dump fastapi_simple_security\" | sqlite3 keys.db`, and then \
                 `sqlite3 {path} \"PRAGMA secure_delete=ON; DROP TABLE fastapi_simple_security; VACUUM;\"`"
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_has_the_name_of_the_program() {
        let error = OpenError::NotMade { place: "redis://host/0".to_owned() };
        for (program, command) in [
            ("simple-security", "`simple-security init`"),
            ("fastapi-simple-security", "`fastapi-simple-security init`"),
        ] {
            let hint = hint(program, &error).expect("a hint");
            assert!(hint.contains(command), "{hint}");
            assert!(!error.to_string().contains("init"), "{error}");
        }
    }

    #[test]
    fn a_hint_has_the_commands_that_move_the_old_keys() {
        let error = OpenError::Shared { path: "app.db".into(), tables: "orders".to_owned() };
        let hint = hint("fastapi-simple-security", &error).expect("a hint");
        for command in [
            r#"sqlite3 app.db ".dump fastapi_simple_security" | sqlite3 keys.db"#,
            r#"sqlite3 app.db "PRAGMA secure_delete=ON; DROP TABLE fastapi_simple_security; VACUUM;""#,
        ] {
            assert!(hint.contains(command), "{hint}");
        }
    }
}
