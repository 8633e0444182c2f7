//! The script puts the server's headers into variables, `http-request set-header` sends them instead of
//! the client's.

use regex::Regex;

use super::{Checked, Proxy, require};

pub(super) const PROXY: Proxy = Proxy {
    files: &["haproxy.cfg", "haproxy.lua"],
    check: |texts, header| check(&texts[0], &texts[1], header),
    breaks: &[
        (
            "option http-restrict-req-hdr-names delete",
            "option http-restrict-req-hdr-names preserve",
            "underscores",
        ),
        (NAME, "# http-request set-header", "no set-header x-api-key-name"),
        (
            NAME,
            "http-request add-header X-Api-Key-Name %[var(txn.key_name)]",
            "no set-header x-api-key-name",
        ),
        (
            NAME,
            "http-request set-header X-Api-Key-Name %[var(txn.key_name)] if METH_GET",
            "no set-header x-api-key-name",
        ),
        (
            NAME,
            "http-request set-header X-Api-Key-Name %[req.hdr(X-Api-Key-Name)]",
            "no set-header x-api-key-name",
        ),
        (
            "http-request del-header Api-Key",
            "http-request del-header X-Api-Key-Name",
            "is changed after it is set",
        ),
        (
            "http-request del-header Api-Key",
            "http-request del-header X-Api- -m beg",
            "is changed after it is set",
        ),
        (
            "server application",
            "http-request del-header X-Api-Key-Id",
            "is changed after it is set",
        ),
        ("http-request lua.verify", "# http-request lua.verify", "no lua.verify"),
        ("http-request return status 503", "# http-request return", "no return without txn.key_id"),
        (
            "http-request lua.verify",
            "http-request set-header X-Api-Key-Name %[var(txn.key_name)]\nhttp-request lua.verify",
            "is set before the check",
        ),
        (
            LISTED,
            "{ \"x-api-key-name\", \"txn.key_title\" }",
            "no set-header x-api-key-name %[var(txn.key_title)]",
        ),
        (LISTED, "-- {", "x-api-key-name is not in IDENTITY"),
        ("{ \"x-api-key-id\", \"txn.key_id\" },", "", "x-api-key-id is not in IDENTITY"),
    ],
};

/// What sends the name.
const NAME: &str = "http-request set-header X-Api-Key-Name %[var(txn.key_name)]";
/// What takes the name from the response.
const LISTED: &str = r#"{ "x-api-key-name", "txn.key_name" }"#;

fn check(configuration: &str, script: &str, header: &str) -> Checked {
    let variables = variables(script);
    let mut of_header =
        variables.iter().filter(|(name, _)| name == header).map(|(_, variable)| variable);
    let variable = of_header.next().ok_or_else(|| format!("{header} is not in IDENTITY"))?;
    require(of_header.next().is_none(), || format!("{header} is twice in IDENTITY"))?;
    let (_, last) = variables.last().ok_or("no IDENTITY")?;

    let lines: Vec<Vec<&str>> = configuration.lines().map(words).collect();
    let deletes =
        lines.iter().any(|line| line[..] == ["option", "http-restrict-req-hdr-names", "delete"]);
    require(deletes, || format!("{header} with underscores is not removed"))?;
    // The frontend's rules, then the backend's: in this order HAProxy applies them.
    let frontends =
        lines.iter().filter(|line| matches!(line[..], ["frontend" | "listen", ..])).count();
    require(frontends == 1, || format!("{frontends} frontends: each must be checked"))?;
    let rules: Vec<&[&str]> =
        lines.iter().filter_map(|line| line.strip_prefix(&["http-request"])).collect();

    let place = |rule: &dyn Fn(&[&str]) -> bool| rules.iter().position(|words| rule(words));
    let asked = place(&|words| words == ["lua.verify"]).ok_or("no lua.verify")?;
    let is_set = ["unless", "{", &format!("var({last})"), "-m", "found", "}"];
    let rejected = place(&|words| words[0] == "return" && words.ends_with(&is_set));
    let rejected = rejected.ok_or_else(|| format!("no return without {last}"))?;
    let value = format!("%[var({variable})]");
    let set = place(
        &|words| matches!(words, ["set-header", name, set] if name.eq_ignore_ascii_case(header) && *set == value),
    );
    let set = set.ok_or_else(|| format!("no set-header {header} {value}"))?;
    require(asked < rejected && rejected < set, || format!("{header} is set before the check"))?;
    for rule in &rules[set + 1..] {
        let changes = rule.contains(&"-m") && rule[0] == "del-header"
            || rule[0].ends_with("-header")
                && rule.get(1).is_some_and(|name| name.eq_ignore_ascii_case(header));
        require(!changes, || format!("{header} is changed after it is set: {rule:?}"))?;
    }
    Ok(())
}

/// The list in the script, without comments: headers of the response and their variables. The script
/// sets the variables in this order, and none of them unless the response has all headers.
fn variables(script: &str) -> Vec<(String, String)> {
    let code: String =
        script.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let list = Regex::new(r"local IDENTITY = \{(( *\{[^{}]*\},?)*) *\}").expect("a pattern");
    let Some(list) = list.captures(&code) else {
        return Vec::new();
    };
    let pair = Regex::new(r#"\{ "([^"]+)", "([^"]+)" \}"#).expect("a pattern");
    pair.captures_iter(&list[1]).map(|pair| (pair[1].to_owned(), pair[2].to_owned())).collect()
}

/// The words of a line, without a comment. Words in quotes are of no interest here.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().take_while(|word| !word.starts_with('#')).collect()
}
