//! What `openapi` says is what `docs/openapi.json` says, and what the routes do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{kept_by_hand, text};

const METHODS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

#[test]
fn it_is_the_same_as_what_is_kept_by_hand() {
    let (ours, expected) = (described(), kept_by_hand());
    assert_eq!(operations(&expected).len(), 7);
    let named = |document: &Value| operations(document).into_keys().collect::<Vec<_>>();
    assert_eq!(named(&ours), named(&expected));
    for (name, operation) in operations(&expected) {
        assert_eq!(shape(&ours, &operations(&ours)[&name]), shape(&expected, &operation), "{name}");
    }
}

#[test]
fn every_operation_asks_for_the_secret() {
    for document in [described(), kept_by_hand()] {
        let scheme = &document["components"]["securitySchemes"]["Secret header"];
        assert_eq!((&scheme["type"], &scheme["in"]), (&"apiKey".into(), &"header".into()));
        assert_eq!(scheme["name"], "secret-key");
        for (name, operation) in operations(&document) {
            let security = operation.get("security").or(document.get("security"));
            let expected = serde_json::json!([{"Secret header": []}]);
            assert_eq!(security, Some(&expected), "{name}");
        }
    }
}

#[test]
fn what_a_body_may_have_is_said_in_full() {
    let (ours, expected) = (described(), kept_by_hand());
    for name in ["NewKey", "KeyEdit", "KeyRenewal"] {
        let schema = |document: &Value| document["components"]["schemas"][name].clone();
        let (ours, expected) = (schema(&ours), schema(&expected));
        assert_eq!(ours["additionalProperties"], false, "{name}");
        for (member, expected) in expected["properties"].as_object().expect("an object") {
            for fact in ["type", "format", "minLength", "maxLength", "pattern"] {
                let said = ours["properties"][member].get(fact);
                assert_eq!(said, expected.get(fact), "{name}, {member}, {fact}");
            }
        }
    }
    let parameter = |number: usize| operations(&ours)["get /keys"]["parameters"][number].clone();
    assert_eq!(parameter(1)["schema"]["pattern"], simple_security::Cursor::PATTERN);
    for (fact, expected) in [("minimum", 1), ("maximum", 1000), ("default", 100)] {
        assert_eq!(parameter(0)["schema"][fact], expected, "{fact}");
    }
}

#[test]
fn an_app_can_put_it_where_the_routes_are() {
    use simple_security_axum::utoipa::openapi::{Info, OpenApi, Paths};
    let app = OpenApi::new(Info::new("an app", "1"), Paths::new())
        .nest("/auth", simple_security_axum::openapi());
    let app = serde_json::to_value(app).expect("JSON");
    assert!(app["paths"]["/auth/keys/{id}/renew"]["post"].is_object());
    assert!(app.get("security").is_none(), "the app's own routes need no admin secret");
    assert!(app["components"]["schemas"]["KeyProblem"].is_object());
}

fn described() -> Value {
    serde_json::to_value(simple_security_axum::openapi()).expect("JSON")
}

/// All operations by method and path, with what is said of their path as a whole.
fn operations(document: &Value) -> BTreeMap<String, Value> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let mut operation = operation.clone();
            let list = |of: &Value| of["parameters"].as_array().cloned().unwrap_or_default();
            let parameters = [list(item), list(&operation)].concat();
            operation["parameters"] = parameters.into();
            operations.insert(format!("{method} {path}"), operation);
        }
    }
    operations
}

/// What a client relies on.
#[derive(Debug, PartialEq)]
struct Shape {
    id: String,
    /// Place, name, and whether it must be sent.
    parameters: BTreeSet<(String, String, bool)>,
    /// Whether it must be sent, and what is in it.
    body: Option<(bool, Content)>,
    /// What is in each, and which headers it has.
    answers: BTreeMap<String, (Content, BTreeSet<String>)>,
}

/// By media type the members, and whether each is always there.
type Content = BTreeMap<String, BTreeMap<String, bool>>;

fn shape(document: &Value, operation: &Value) -> Shape {
    let parameters = operation["parameters"].as_array().expect("a list").iter().map(|one| {
        let one = resolved(document, one);
        (text(&one["in"]), text(&one["name"]), one["required"].as_bool().unwrap_or_default())
    });
    let body = operation
        .get("requestBody")
        .map(|body| (body["required"].as_bool().unwrap_or_default(), content(document, body)));
    let answers =
        operation["responses"].as_object().expect("answers").iter().map(|(status, answer)| {
            let answer = resolved(document, answer);
            let headers = answer["headers"].as_object().into_iter().flat_map(Map::keys).cloned();
            (status.clone(), (content(document, &answer), headers.collect()))
        });
    Shape {
        id: text(&operation["operationId"]),
        parameters: parameters.collect(),
        body,
        answers: answers.collect(),
    }
}

fn content(document: &Value, described: &Value) -> Content {
    let content = described["content"].as_object().into_iter().flatten();
    content.map(|(kind, one)| (kind.clone(), members(document, &one["schema"], ""))).collect()
}

/// All members of an object and of the objects in it, by their path.
fn members(document: &Value, schema: &Value, path: &str) -> BTreeMap<String, bool> {
    let schema = resolved(document, schema);
    let mut found = BTreeMap::new();
    let parts = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|kind| schema[kind].as_array());
    for part in parts.flatten().chain(schema.get("items")) {
        found.extend(members(document, part, path));
    }
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        found.extend(members(document, member, &path));
        found.insert(path, required.contains(&name.as_str().into()));
    }
    found
}

fn resolved(document: &Value, described: &Value) -> Value {
    match described.get("$ref") {
        Some(reference) => {
            let reference = text(reference);
            let pointer = reference.strip_prefix('#').expect("a reference within");
            resolved(document, document.pointer(pointer).expect(pointer))
        }
        None => described.clone(),
    }
}
