//! An axum app that asks for API keys on some of its routes: `cargo run --example axum`.
//!
//! It listens on 127.0.0.1:8080, or on the port that is its argument (0: the first free one).
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `FASTAPI_SIMPLE_SECURITY_DB_LOCATION` | `sqlite.db` | where the keys are: a path or a URL |
//! | `FASTAPI_SIMPLE_SECURITY_SECRET` | generated, printed once | the admin secret |
//! | `FASTAPI_SIMPLE_SECURITY_AUTOMATIC_EXPIRATION` | 15 | days until a new or renewed key expires |
//! | `FASTAPI_SIMPLE_SECURITY_KEY_PREFIX` | `fss` | what new keys start with |

use std::env::VarError;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::{Json, Router, routing::get};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use simple_security::store::{self, Location};
use simple_security::{ApiKeys, KeyFormat};
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

/// Opens the keys where the environment says they are.
#[allow(clippy::print_stderr, reason = "it talks to a terminal")]
fn open_keys() -> Result<ApiKeys, Box<dyn Error>> {
    let location = variable("DB_LOCATION")?;
    let location: Location = location.as_deref().unwrap_or("sqlite.db").parse()?;
    let mut keys = ApiKeys::builder(store::open(&location)?);
    if let Some(days) = variable("AUTOMATIC_EXPIRATION")? {
        keys = keys.default_lifetime(Duration::from_secs(u64::from(days.parse::<u32>()?) * 86_400));
    }
    if let Some(prefix) = variable("KEY_PREFIX")? {
        keys = keys.key_format(KeyFormat::new(&prefix)?);
    }
    keys = match variable("SECRET")? {
        Some(secret) => keys.admin_secret(secret.into()),
        None => keys.generated_admin_secret(|secret| {
            eprintln!("generated admin secret, shown this once: {}", secret.expose_secret());
        }),
    };
    Ok(keys.build()?)
}

#[allow(clippy::disallowed_methods, reason = "the engine reads no variables: the app does")]
fn variable(name: &str) -> Result<Option<String>, VarError> {
    match std::env::var(format!("FASTAPI_SIMPLE_SECURITY_{name}")) {
        Ok(text) => Ok(Some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(error) => Err(error),
    }
}

#[tokio::main]
#[allow(clippy::print_stdout, reason = "it talks to a terminal")]
async fn main() -> Result<(), Box<dyn Error>> {
    let keys = Arc::new(open_keys()?);
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
