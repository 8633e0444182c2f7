//! An axum app that asks for API keys on some of its routes: `cargo run --example axum`.
//!
//! It listens on 127.0.0.1:8080, or on the port that is its argument (0: the first free one).
//! Settings come from the environment, as `docs/settings.md` lists them.

use std::error::Error;
use std::sync::Arc;

use axum::{Json, Router, routing::get};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use simple_security::ApiKeys;
use simple_security::config::{Arguments, Settings};
use simple_security_axum::utoipa::openapi::{Info, OpenApi, Paths};
use simple_security_axum::{ApiKey, RequireApiKeyLayer, admin_router, openapi};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// All routes: those that ask for a key come before the layer, the open ones after it.
fn app(keys: Arc<ApiKeys>) -> Router {
    Router::new()
        .route("/secure", get(secure))
        .route("/whoami", get(whoami))
        .layer(RequireApiKeyLayer::new(Arc::clone(&keys)))
        .route("/unsecured", get(unsecured))
        .route("/openapi.json", get(description))
        .nest("/auth", admin_router(keys))
}

async fn unsecured() -> Json<Value> {
    Json(json!({"message": "This is an unsecured endpoint"}))
}

async fn secure() -> Json<Value> {
    Json(json!({"message": "This is a secure endpoint"}))
}

async fn whoami(key: ApiKey) -> Json<Value> {
    Json(json!({"id": key.id().as_str(), "name": key.name()}))
}

/// The description of the routes under `/auth`. It is no secret.
async fn description() -> Json<OpenApi> {
    let app = OpenApi::new(Info::new("An app with API keys", "1.0.0"), Paths::new());
    Json(app.nest("/auth", openapi()))
}

#[tokio::main]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a terminal")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (keys, generated) = ApiKeys::open(&Settings::load(&Arguments::default())?)?;
    let keys = Arc::new(keys);
    if let Some(secret) = generated {
        eprintln!("generated admin secret, shown this once: {}", secret.expose_secret());
    }
    let port = std::env::args().nth(1).map_or(Ok(8080), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app(Arc::clone(&keys))).with_graceful_shutdown(stop()?).await?;
    // Writes what was counted.
    keys.close();
    Ok(())
}

/// Ends at the first SIGTERM or ctrl-c.
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
