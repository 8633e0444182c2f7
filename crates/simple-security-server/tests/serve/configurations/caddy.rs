//! `request_header -…` removes the client's headers, `copy_headers` of `forward_auth` sets the server's.

use super::blocks::{self, Directive};
use super::{Checked, Proxy, require, spellings};

pub(super) const PROXY: Proxy = Proxy {
    files: &["Caddyfile"],
    check: |texts, header| check(&blocks::caddy(&texts[0]), header),
    breaks: &[
        (STRIP, "request_header -X-Api-Key-I*", "the client's x-api-key-name is not removed"),
        (STRIP, "# request_header", "the client's x-api-key-id is not removed"),
        (STRIP, "request_header @connect -X-Api-Key-*", "the client's x-api-key-id is not removed"),
        ("request_header -*_*", "request_header -*_", "the client's x_api_key_id is not removed"),
        ("request_header -*.*", "# request_header", "the client's x.api.key.id is not removed"),
        ("request_header -Forwarded", "request_header -X-Api-*", "is changed after the check"),
        (
            "reverse_proxy 127.0.0.1:8000",
            "reverse_proxy x {\nheader_up -X-Api-*\n}",
            "is changed after the check",
        ),
        ("reverse_proxy 127.0.0.1:8000", "reverse_proxy /x y\nreverse_proxy z", "2 reverse_proxy"),
        (
            "copy_headers X-Api-Key-Id ",
            "copy_headers X-Api-Key-Id>X-User ",
            "x-api-key-id is not in copy_headers",
        ),
        ("copy_headers", "# copy_headers", "is not in copy_headers"),
        ("header X-Api-Key-Name *", "# header", "x-api-key-name is not in @identified"),
        ("vars @identified checked yes", "vars checked yes", "no [\"vars\", \"@identified\""),
        (
            "error @unidentified 503",
            "# error @unidentified 503",
            "no [\"error\", \"@unidentified\"",
        ),
        // Elsewhere than in `route` Caddy has an order of its own.
        ("route {", "handle {", "no route"),
    ],
};

/// What removes the client's headers.
const STRIP: &str = "request_header -X-Api-Key-*";

fn check(configuration: &Directive, header: &str) -> Checked {
    let all = configuration.within();
    let proxies = all.iter().filter(|one| one.name() == "reverse_proxy").count();
    require(proxies == 1, || format!("{proxies} reverse_proxy: each must be checked"))?;
    let route =
        all.iter().find(|one| one.name() == "route" && one.all("reverse_proxy").count() == 1);
    let route = route.ok_or("no route with reverse_proxy")?;
    let place = |name| route.block.iter().position(|one| one.name() == name);
    let guard = place("forward_auth").ok_or("no forward_auth")?;
    let application = place("reverse_proxy").ok_or("no reverse_proxy")?;
    require(guard < application, || "the check is after the application".into())?;
    let (before, after) = (&route.block[..guard], &route.block[guard + 1..=application]);

    for spelling in [vec![header.to_owned()], spellings(header)].concat() {
        let is_removed = before.iter().any(|one| removes(one, &spelling));
        require(is_removed, || format!("the client's {spelling} is not removed"))?;
    }
    let copies = route.block[guard].all("copy_headers").flat_map(Directive::arguments);
    let is_copied = copies.filter(|name| name.eq_ignore_ascii_case(header)).count() == 1;
    require(is_copied, || format!("{header} is not in copy_headers"))?;
    for one in after.iter().flat_map(Directive::within) {
        let changes = ["request_header", "header_up"].contains(&one.name())
            && one
                .arguments()
                .iter()
                .any(|field| covers(field.trim_start_matches(['-', '+', '>', '?']), header));
        require(!changes, || format!("{header} is changed after the check: {:?}", one.words))?;
    }
    require_in_response(after, header)
}

/// Whether a directive removes a header, on each request.
fn removes(directive: &Directive, header: &str) -> bool {
    directive.name() == "request_header"
        && matches!(directive.arguments(), [field] if field.strip_prefix('-').is_some_and(|field| covers(field, header)))
}

/// Caddy's wildcards: an asterisk at the beginning, at the end, or both.
fn covers(field: &str, header: &str) -> bool {
    let (field, header) = (field.to_ascii_lowercase(), header.to_ascii_lowercase());
    let inner = field.strip_prefix('*').unwrap_or(&field);
    match (field.starts_with('*'), inner.strip_suffix('*')) {
        (true, Some(part)) => header.contains(part),
        (true, None) => header.ends_with(inner),
        (false, Some(part)) => header.starts_with(part),
        (false, None) => header == field,
    }
}

/// A response without the header ends with an error: the variable is set only with all of them.
fn require_in_response(after: &[Directive], header: &str) -> Checked {
    let position = |words: &[&str]| {
        let found = after.iter().position(|one| one.words == words);
        found.ok_or_else(|| format!("no {words:?}"))
    };
    let matcher = after.iter().find(|one| one.words == ["@identified"]).ok_or("no @identified")?;
    let is_needed = matcher.all("header").any(|one| {
        matches!(one.arguments(), [name, value] if name.eq_ignore_ascii_case(header) && value == "*")
    });
    require(is_needed, || format!("{header} is not in @identified"))?;
    let set = position(&["vars", "@identified", "checked", "yes"])?;
    position(&["@unidentified", "not", "vars", "checked", "yes"])?;
    let rejected = position(&["error", "@unidentified", "503"])?;
    let vars = after.iter().filter(|one| one.name() == "vars").count();
    require(set < rejected && vars == 1, || "a response without identity is accepted".into())
}
