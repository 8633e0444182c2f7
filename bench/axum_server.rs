//! The server that `bench/subjects/axum.py` measures: one handler, with and without the layer.
//!
//! - `/open`: the handler alone.
//! - `/ours`: behind `RequireApiKeyLayer`, as `Router::layer` puts it around a route.
//! - `/hash`: behind the least that a check by hand does: a header, one SHA-256, one lookup in a
//!   map behind a lock, and the name handed on. Nothing is counted, and nothing is ever revoked.
//! - `/nothing`: behind a layer that does nothing, and `/extension`: behind axum's own `Extension`, which
//!   hands a value on. What they cost, any layer does that hands on who has asked.
//! - `/used`: how often the key was counted, outside of all that.
//!
//! A second and a third port have an app with the admin routes in it: `/open` and `/ours` are declared
//! before them, or after them. A fourth has the first app, and the layer around the whole of it.
//!
//! It prints its ports and the key, and ends when its standard input does.

use std::collections::HashMap;
use std::error::Error;
use std::io::Read;
use std::sync::{Arc, RwLock};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::{Extension, Json, Router, ServiceExt, routing::get};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use simple_security::store::SqliteStore;
use simple_security::{ApiKeys, Expiry, NewKey};
use simple_security_axum::{RequireApiKeyLayer, admin_router};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::Layer;
use tower::layer::util::Identity;

type Known = Arc<RwLock<HashMap<[u8; 32], Name>>>;

#[derive(Clone)]
#[allow(dead_code, reason = "a handler may ask for it, as it may for an `ApiKey`")]
struct Name(Arc<str>);

async fn handler() -> Json<Value> {
    Json(json!({"message": "This is a secure endpoint"}))
}

async fn by_hand(
    State(known): State<Known>,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let key = request.headers().get("x-api-key").ok_or(StatusCode::UNAUTHORIZED)?;
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let name = known.read().ok().and_then(|known| known.get(&digest).cloned());
    request.extensions_mut().insert(name.ok_or(StatusCode::UNAUTHORIZED)?);
    Ok(next.run(request).await)
}

#[allow(clippy::print_stdout, reason = "the client reads it")]
fn main() -> Result<(), Box<dyn Error>> {
    let location = std::env::args().nth(1).ok_or("the argument is the path of a new database")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let store = SqliteStore::open(location.as_ref())?;
        let keys = Arc::new(ApiKeys::builder(Arc::new(store)).build()?);
        let issued = keys.issue(NewKey::default().with_expiry(Expiry::Never)).await?;
        let digest = Sha256::digest(issued.key.expose().as_bytes()).into();
        let known: Known = Arc::new(RwLock::new(HashMap::from([(digest, Name("bench".into()))])));

        let layer = RequireApiKeyLayer::new(Arc::clone(&keys));
        let ours = Router::new().route("/ours", get(handler)).layer(layer.clone());
        let hash =
            Router::new().route("/hash", get(handler)).layer(from_fn_with_state(known, by_hand));
        let nothing = Router::new().route("/nothing", get(handler)).layer(Identity::new());
        let extension =
            Router::new().route("/extension", get(handler)).layer(Extension(Name("bench".into())));
        let (counting, id) = (Arc::clone(&keys), issued.record.id);
        let used = async move || match counting.usage(id).await {
            Ok(usage) => Ok(usage.total.to_string()),
            Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
        };
        let declared = Router::new().route("/open", get(handler)).merge(ours.clone());
        let admin = Router::new().nest("/auth", admin_router(Arc::clone(&keys)));
        let before = declared.clone().merge(admin.clone());
        let after = admin.merge(declared);
        let app = Router::new()
            .route("/open", get(handler))
            .merge(ours)
            .merge(hash)
            .merge(nothing)
            .merge(extension)
            .route("/used", get(used));
        let whole = layer.layer(app.clone());

        let mut ports = Vec::new();
        let mut servers = Vec::new();
        for app in [app, before, after] {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            ports.push(listener.local_addr()?.port().to_string());
            servers.push(runtime.spawn(async move { axum::serve(listener, app).await }));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ports.push(listener.local_addr()?.port().to_string());
        servers.push(runtime.spawn(async move {
            axum::serve(listener, ServiceExt::<Request>::into_make_service(whole)).await
        }));
        println!("{} {}", ports.join(" "), issued.key.expose());
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        servers.iter().for_each(JoinHandle::abort);
        keys.close();
        Ok(())
    })
}
