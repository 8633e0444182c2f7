//! `authResponseHeaders` of `forwardAuth` removes the client's headers of these names and sets those of
//! the response. Traefik cannot require them of a response, and its file says so.

use serde_json::Value;

use super::yaml::{read, texts};
use super::{Checked, Proxy, require};

pub(super) const PROXY: Proxy = Proxy {
    files: &["traefik.yaml", "traefik-routes.yaml"],
    check: |texts, header| check(&read(&texts[0]), &read(&texts[1]), header),
    breaks: &[
        (
            "aliasHeadersStrategy: delete",
            "aliasHeadersStrategy: keep",
            "underscores is not removed",
        ),
        ("authResponseHeaders:", "addAuthCookiesToResponse:", "is not in authResponseHeaders"),
        (
            "middlewares: [without-upgrade, verify",
            "middlewares: [without-upgrade",
            "application: x-api-key-id is not in",
        ),
        (
            "middlewares: [only-web-socket, verify",
            "middlewares: [only-web-socket",
            "web-socket: x-api-key-id is not in",
        ),
        (
            "entryPoints: [clients]",
            "entryPoints: [others]",
            "others: x-api-key-id with underscores",
        ),
        ("Forwarded: \"\"", "X-Api-Key-Name: \"\"", "x-api-key-name is changed beside the check"),
    ],
};

fn check(listening: &Value, routes: &Value, header: &str) -> Checked {
    let routers = routes["http"]["routers"].as_object().ok_or("no routers")?;
    for (name, router) in routers {
        for entry_point in texts(&router["entryPoints"]) {
            let aliases = &listening["entryPoints"][entry_point]["http"]["aliasHeadersStrategy"];
            require(aliases == "delete", || {
                format!("{entry_point}: {header} with underscores is not removed")
            })?;
        }
        require(!texts(&router["entryPoints"]).is_empty(), || {
            format!("{name} has no entry point")
        })?;
        let mut is_set = false;
        for middleware in texts(&router["middlewares"]) {
            let middleware = &routes["http"]["middlewares"][middleware];
            let copied = texts(&middleware["forwardAuth"]["authResponseHeaders"]);
            is_set |= copied.iter().any(|one| one.eq_ignore_ascii_case(header));
            let changed = middleware["headers"]["customRequestHeaders"].as_object();
            let changed =
                changed.into_iter().flatten().any(|(one, _)| one.eq_ignore_ascii_case(header));
            require(!changed, || format!("{name}: {header} is changed beside the check"))?;
        }
        require(is_set, || format!("{name}: {header} is not in authResponseHeaders"))?;
    }
    require(!routers.is_empty(), || "no router".into())
}
