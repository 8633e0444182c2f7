//! A handler learns whose key has come in.

use axum::Router;
use axum::routing::get;
use simple_security::{NewKey, Owner};
use simple_security_axum::ApiKey;

use crate::{Engine, Layered as _, ask};

#[tokio::test]
async fn a_handler_learns_the_owner() {
    let engine = Engine::new();
    let handler = async |key: ApiKey| format!("\"{}\"", key.owner());
    let app = Router::new().route("/", get(handler)).layer(engine.layer());
    for owner in ["acme", "", "Ünï <b>"] {
        let new = NewKey::default().with_owner(Owner::new(owner).expect("an owner"));
        let issued = engine.keys.issue(new).await.expect("a key");
        assert_eq!(ask(&app, &[("x-api-key", issued.key.expose())]).await.body, owner);
    }
}
