//! A filter removes what clients send under these names, `ext_authz` sets the headers of the response,
//! and a filter behind it requires them.

use regex::Regex;
use serde_json::Value;

use super::yaml::read;
use super::{Checked, Proxy, require, spellings};

pub(super) const PROXY: Proxy = Proxy {
    files: &["envoy.yaml"],
    check: |texts, header| check(&read(&texts[0]), header),
    breaks: &[
        (
            STRIP,
            "key_matcher: { safe_regex: { regex: \"x-api-key-\" } }",
            "the client's x-api-key-id is not removed",
        ),
        (
            STRIP,
            "key_matcher: { safe_regex: { regex: \"x-api-key-.*\" } }",
            "the client's x!api!key!id is not removed",
        ),
        (
            "allowed_upstream_headers:",
            "allowed_upstream_headers_to_append:",
            "is not in allowed_upstream_headers",
        ),
        (
            "- exact: x-api-key-name",
            "- exact: X-Api-Key-Name",
            "x-api-key-name is not in allowed_upstream_headers",
        ),
        ("- exact: x-api-key-name", "# -", "x-api-key-name is not in allowed_upstream_headers"),
        (
            "- remove: forwarded",
            "- remove: x-api-key-name",
            "x-api-key-name is changed after the check",
        ),
        (
            REQUIRED,
            "- header: { name: x-api-key-name, string_match: { safe_regex: { regex: \".*\" } } }",
            "without x-api-key-name is accepted",
        ),
        (REQUIRED, "# -", "without x-api-key-name is accepted"),
        ("action: ALLOW", "action: DENY", "is accepted"),
        ("- and_rules:", "- or_rules:", "is accepted"),
    ],
};

/// What removes the client's headers.
const STRIP: &str =
    r#"key_matcher: { safe_regex: { regex: "x[^a-z0-9]api[^a-z0-9]key[^a-z0-9].*" } }"#;
/// What requires the name.
const REQUIRED: &str =
    r#"- header: { name: x-api-key-name, string_match: { safe_regex: { regex: ".+" } } }"#;

fn check(configuration: &Value, header: &str) -> Checked {
    let mut managers = Vec::new();
    let listeners = configuration["static_resources"]["listeners"].as_array();
    for chain in
        listeners.into_iter().flatten().flat_map(|one| one["filter_chains"].as_array()).flatten()
    {
        managers.extend(chain["filters"].as_array().into_iter().flatten());
    }
    for manager in &managers {
        let filters =
            manager["typed_config"]["http_filters"].as_array().ok_or("no http_filters")?;
        check_filters(filters, header)?;
    }
    require(!managers.is_empty(), || "no listener".into())
}

/// In their order.
fn check_filters(filters: &[Value], header: &str) -> Checked {
    let is = |filter: &Value, kind: &str| {
        filter["typed_config"]["@type"]
            .as_str()
            .is_some_and(|name| name.ends_with(&format!(".v3.{kind}")))
    };
    let place = |kind| filters.iter().position(|filter| is(filter, kind));
    let guard = place("ExtAuthz").ok_or("no ext_authz")?;
    let end = place("Router").ok_or("no router")?;
    require(guard < end, || "the check is after the application".into())?;
    let mutations = |filters: &[Value]| -> Vec<Value> {
        let all = filters.iter().filter(|filter| is(filter, "HeaderMutation"));
        let all =
            all.map(|filter| filter["typed_config"]["mutations"]["request_mutations"].as_array());
        all.flatten().flatten().cloned().collect()
    };

    let before = mutations(&filters[..guard]);
    for spelling in [vec![header.to_owned()], spellings(header)].concat() {
        let is_removed = before.iter().any(|mutation| removes(mutation, &spelling));
        require(is_removed, || format!("the client's {spelling} is not removed"))?;
    }
    let authz = &filters[guard]["typed_config"]["http_service"]["authorization_response"];
    let copied = authz["allowed_upstream_headers"]["patterns"].as_array();
    let is_copied = copied.into_iter().flatten().any(|pattern| pattern["exact"] == header);
    require(is_copied, || format!("{header} is not in allowed_upstream_headers"))?;
    for mutation in mutations(&filters[guard + 1..end]) {
        let appends = mutation["append"]["header"]["key"]
            .as_str()
            .is_some_and(|name| name.eq_ignore_ascii_case(header));
        let changes = appends || removes(&mutation, header);
        require(!changes, || format!("{header} is changed after the check: {mutation}"))?;
    }

    let is_required =
        filters[guard + 1..end].iter().any(|filter| is(filter, "RBAC") && requires(filter, header));
    require(is_required, || format!("a response without {header} is accepted"))
}

/// Whether a mutation removes a header. A pattern has to match the whole name.
fn removes(mutation: &Value, header: &str) -> bool {
    let by_pattern = mutation["remove_on_match"]["key_matcher"]["safe_regex"]["regex"].as_str();
    let by_pattern = by_pattern.is_some_and(|pattern| {
        Regex::new(&format!("^(?:{pattern})$")).expect("a pattern").is_match(header)
    });
    by_pattern || mutation["remove"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(header))
}

/// Whether this filter rejects a request where the header is missing or empty.
fn requires(filter: &Value, header: &str) -> bool {
    let rules = &filter["typed_config"]["rules"];
    let policies = rules["policies"].as_object();
    let needs = |policy: &Value| {
        let permissions = policy["permissions"].as_array().map_or(&[][..], Vec::as_slice);
        !permissions.is_empty()
            && permissions.iter().all(|permission| {
                let rules = permission["and_rules"]["rules"].as_array();
                rules.into_iter().flatten().any(|rule| {
                    rule["header"]["name"] == header
                        && rule["header"]["string_match"]["safe_regex"]["regex"] == ".+"
                })
            })
    };
    rules["action"] == "ALLOW"
        && policies.is_some_and(|policies| !policies.is_empty() && policies.values().all(needs))
}
