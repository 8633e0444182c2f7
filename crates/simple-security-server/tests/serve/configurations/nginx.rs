//! `auth_request_set` takes a header from the server's response, `proxy_set_header` sends it instead of
//! the client's. An empty variable sends nothing, and removes the client's header too.

use regex::Regex;

use super::blocks::{self, Directive};
use super::{Checked, Proxy, require};

pub(super) const PROXY: Proxy = Proxy {
    files: &["nginx.conf"],
    check: |texts, header| check(&blocks::nginx(&texts[0]), header),
    breaks: &[
        (
            "underscores_in_headers off",
            "underscores_in_headers on",
            "underscores_in_headers is not off",
        ),
        (
            "ignore_invalid_headers on",
            "ignore_invalid_headers off",
            "ignore_invalid_headers is not on",
        ),
        (
            NAME,
            "proxy_set_header X-Api-Key-Name $http_x_api_key_name",
            "is set to $http_x_api_key_name",
        ),
        (NAME, "# proxy_set_header", "0 proxy_set_header x-api-key-name"),
        (
            NAME,
            "proxy_set_header X-Api-Key-Name x; proxy_set_header X-Api-Key-Name $key_name",
            "2 proxy_set_header",
        ),
        (
            "auth_request_set $key_name",
            "auth_request_set $key_title",
            "is set to $key_name, not $key_title",
        ),
        ("auth_request_set $key_name", "# auth_request_set $key_name", "no auth_request_set of"),
        ("auth_request_set $key_error", "auth_request_set $key_name", "$key_name is set 2 times"),
        // A location with a directive of its own inherits none.
        (
            "proxy_pass http://$checked",
            "proxy_set_header X-Other x; proxy_pass http://$checked",
            "0 proxy_set_header",
        ),
        ("proxy_pass http://$checked_", "proxy_pass http://", "no map of application"),
        ("auth_request /_verify", "# auth_request", "no location asks for the key"),
        ("internal;", "", "clients can ask the server"),
        ("map \"$key_id ", "map \"$request_id ", "is chosen without $key_id"),
        ("\"~^\\S+ ", "\"~^\\S* ", "is chosen without $key_id"),
    ],
};

/// What sends the name.
const NAME: &str = "proxy_set_header X-Api-Key-Name $key_name";

fn check(configuration: &Directive, header: &str) -> Checked {
    let mut checked = 0;
    for server in configuration.all("server") {
        let locations: Vec<&Directive> = server.all("location").collect();
        for location in &locations {
            if let Some(guard) = location.all("auth_request").next() {
                let variable = copied(location, header)?;
                let sent = sent(server, location, header)?;
                require(sent == variable, || format!("{header} is set to {sent}, not {variable}"))?;
                require_in_response(configuration, location, &variable)?;
                checked += 1;
                // The location that asks the server is the only one that may hand on the client's.
                let asks = |other: &&&Directive| other.words.last() == guard.words.last();
                let asked = locations.iter().find(asks).ok_or("no location asks the server")?;
                require(asked.all("internal").count() == 1, || {
                    "clients can ask the server".into()
                })?;
            } else if location.all("proxy_pass").count() > 0
                && location.all("internal").count() == 0
            {
                // Without a check the variable is empty.
                let sent = sent(server, location, header)?;
                require(sent.starts_with("$key_"), || format!("{header} is set to {sent}"))?;
            }
        }
        for (name, value) in [("underscores_in_headers", "off"), ("ignore_invalid_headers", "on")] {
            let values: Vec<&[String]> = server.all(name).map(Directive::arguments).collect();
            require(values == [[value]], || {
                format!("{name} is not {value}: {header} with underscores")
            })?;
        }
    }
    require(checked > 0, || "no location asks for the key".into())
}

/// The variable that takes the header from the server's response.
fn copied(location: &Directive, header: &str) -> Result<String, String> {
    let source = format!("$upstream_http_{}", header.replace('-', "_"));
    let mut copies =
        location.all("auth_request_set").filter(|one| one.words.last() == Some(&source));
    let copy = copies.next().ok_or_else(|| format!("no auth_request_set of {source}"))?;
    let variable = &copy.words[1];
    let sets = location.all("auth_request_set").filter(|one| &one.words[1] == variable).count();
    require(sets == 1, || format!("{variable} is set {sets} times"))?;
    Ok(variable.clone())
}

/// What is sent as the header. A location with a `proxy_set_header` of its own inherits none.
fn sent(server: &Directive, location: &Directive, header: &str) -> Result<String, String> {
    let own = location.all("proxy_set_header").count() > 0;
    let level = if own { location } else { server };
    let values: Vec<&String> = level
        .all("proxy_set_header")
        .filter(|one| one.words[1].eq_ignore_ascii_case(header))
        .map(|one| &one.words[2])
        .collect();
    match values[..] {
        [value] => Ok(value.clone()),
        _ => Err(format!("{} proxy_set_header {header} for {:?}", values.len(), location.words)),
    }
}

/// A response without the header leads to no address: the map of the address in `proxy_pass` has none
/// for it.
fn require_in_response(configuration: &Directive, location: &Directive, variable: &str) -> Checked {
    let pass = location.all("proxy_pass").next().ok_or("no proxy_pass")?;
    let address = pass.words[1].trim_start_matches("http://");
    let map = configuration.all("map").find(|map| map.words[2] == address);
    let map = map.ok_or_else(|| format!("no map of {address}"))?;
    let is_chosen = |missing: &str| {
        let names = map.words[1].split(' ');
        let values: Vec<&str> = names.map(|name| if name == missing { "" } else { "x" }).collect();
        let source = values.join(" ");
        map.block.iter().any(|choice| match choice.name().strip_prefix('~') {
            Some(pattern) => Regex::new(pattern).expect("a pattern").is_match(&source),
            None => choice.name() == "default" || choice.name() == source,
        })
    };
    require(is_chosen("none"), || format!("{address} is never chosen"))?;
    require(!is_chosen(variable), || format!("{address} is chosen without {variable}"))
}
