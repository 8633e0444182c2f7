//! The keys, as a resource: its routes, what they read and what they return.
//!
//! A request is checked in this order: the query, the body, the id in the path.

use std::sync::Arc;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use http::header::LOCATION;
use http::{StatusCode, Uri};
use secrecy::ExposeSecret;
use simple_security as engine;
use simple_security::{Admin, ApiKeys, Committed, KeyError, KeyId, KeyRecord};
use utoipa::{IntoParams, IntoResponses};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::blocking;
use crate::body;
use crate::change::Wait;
use crate::problem::Problem;
use crate::rejection::{Rejection, Rejections, TooLarge};

mod query;
mod requests;
mod responses;

use query::PageQuery;
use requests::{KeyEdit, KeyRenewal, NewKey};
use responses::{ChangedKey, DeletedKey, IssuedKey, KeyPage};
pub use responses::{KeyDetails, NewKeyDetails};

/// The routes of this resource, one item a path.
pub(crate) fn routes() -> Vec<UtoipaMethodRouter<Arc<ApiKeys>>> {
    vec![
        routes!(issue_key, list_keys),
        routes!(show_key, edit_key, delete_key),
        routes!(revoke_key),
        routes!(renew_key),
    ]
}

type Keys = State<Arc<ApiKeys>>;
type Path = Result<RawPathParams, RawPathParamsRejection>;

/// The parameter of the routes of one key.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "it describes what `id_in` reads")]
struct Id {
    /// The id of the key.
    #[param(example = "Gh29RPWKBo4")]
    id: String,
}

/// The rejection of the routes of one key.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it describes a row of the table of rejections")]
enum Unknown {
    /// There is no such key
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
}

/// The rejection of the route that imports keys.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it describes a row of the table of rejections")]
enum Exists {
    /// The key to import already exists
    #[response(status = 409, content_type = "application/problem+json")]
    Exists(Problem),
}

/// Issue a key
///
/// The key is shown only once and cannot be read back. Every process accepts it from `effective_by`
/// on.
#[utoipa::path(
    post,
    path = "/keys",
    params(Wait),
    request_body = Option<NewKey>,
    responses(
        (status = 201, description = "The key was issued", body = IssuedKey,
            headers(("Location" = String, description = "Where the key is, relative to `.../keys`."))),
        Rejections,
        TooLarge,
        Exists,
    ),
    security(("Secret header" = [])),
)]
async fn issue_key(
    State(keys): Keys,
    Extension(admin): Extension<Admin>,
    request: Request,
) -> Result<impl IntoResponse, Rejection> {
    let wait = Wait::read(request.uri())?;
    let NewKey { name, owner, expires_at, key } = NewKey::read(body::read(request).await?)?;
    let new = engine::NewKey::named(name).with_owner(owner).with_expiry(expires_at);
    let issued = wait
        .make(keys, async move |keys| match key {
            Some(key) => {
                let imported = keys.import(key.expose_secret(), new).by(&admin).committed().await?;
                log("imported", imported.outcome.id);
                Ok(imported.map(|record| NewKeyDetails::new(record, None)))
            }
            None => {
                let issued = keys.issue(new).by(&admin).committed().await?;
                log("issued", issued.outcome.record.id);
                Ok(issued.map(|issued| NewKeyDetails::new(issued.record, Some(issued.key))))
            }
        })
        .await?;
    let response = IssuedKey::new(issued.outcome, issued.effective_by);
    let location = [(LOCATION, response.location())];
    Ok((StatusCode::CREATED, issued.effective_in, location, Json(response)))
}

/// List the keys, page by page
///
/// The newest first. Following `next` to the end visits every key that exists throughout, exactly once,
/// regardless of concurrent changes.
#[utoipa::path(
    get,
    path = "/keys",
    params(PageQuery),
    responses((status = 200, description = "A page", body = KeyPage), Rejections),
    security(("Secret header" = [])),
)]
async fn list_keys(State(keys): Keys, uri: Uri) -> Result<Json<KeyPage>, Rejection> {
    let request = query::page(&uri)?;
    let page = blocking::call(keys, async move |keys| keys.page(request).await).await?;
    Ok(Json(page.into()))
}

/// Show a key
#[utoipa::path(
    get,
    path = "/keys/{id}",
    params(Id),
    responses((status = 200, description = "The key", body = KeyDetails), Rejections, Unknown),
    security(("Secret header" = [])),
)]
async fn show_key(State(keys): Keys, path: Path, uri: Uri) -> Result<Json<KeyDetails>, Rejection> {
    query::none(&uri)?;
    let id = id_in(path)?;
    let details = blocking::call(keys, async move |keys| keys.find(id).await).await?;
    Ok(Json(details.into()))
}

/// Change the name of a key, its owner, or when it expires
///
/// Omitted members keep their values. A revoked key stays revoked.
#[utoipa::path(
    patch,
    path = "/keys/{id}",
    params(Id, Wait),
    request_body = KeyEdit,
    responses(
        (status = 200, description = "The key as it is now", body = ChangedKey),
        Rejections,
        TooLarge,
        Unknown,
    ),
    security(("Secret header" = [])),
)]
async fn edit_key(
    State(keys): Keys,
    Extension(admin): Extension<Admin>,
    path: Path,
    request: Request,
) -> Result<impl IntoResponse, Rejection> {
    let wait = Wait::read(request.uri())?;
    let KeyEdit { name, owner, expires_at } = KeyEdit::read(body::read(request).await?)?;
    let id = id_in(path)?;
    let edit = engine::KeyEdit::default().with_name(name).with_owner(owner).with_expiry(expires_at);
    let edit = async move |keys: &ApiKeys| keys.edit(id, edit).by(&admin).committed().await;
    changed(wait, keys, "edited", edit).await
}

/// Delete a key and its usage permanently
///
/// To keep the usage, revoke the key. No request that begins after `effective_by` is accepted with it.
#[utoipa::path(
    delete,
    path = "/keys/{id}",
    params(Id, Wait),
    responses((status = 200, description = "It is deleted", body = DeletedKey), Rejections, Unknown),
    security(("Secret header" = [])),
)]
async fn delete_key(
    State(keys): Keys,
    Extension(admin): Extension<Admin>,
    path: Path,
    uri: Uri,
) -> Result<impl IntoResponse, Rejection> {
    let wait = Wait::read(&uri)?;
    let id = id_in(path)?;
    let deleted = wait
        .make(keys, async move |keys| {
            let deleted = keys.delete(id).by(&admin).committed().await?;
            log("deleted", id);
            Ok(deleted)
        })
        .await?;
    Ok((deleted.effective_in, Json(DeletedKey::new(id, deleted.effective_by))))
}

/// Revoke a key
///
/// No request that begins after `effective_by` is accepted with it. A key that is revoked stays so.
#[utoipa::path(
    post,
    path = "/keys/{id}/revoke",
    params(Id, Wait),
    responses(
        (status = 200, description = "The key as it is now", body = ChangedKey),
        Rejections,
        Unknown,
    ),
    security(("Secret header" = [])),
)]
async fn revoke_key(
    State(keys): Keys,
    Extension(admin): Extension<Admin>,
    path: Path,
    uri: Uri,
) -> Result<impl IntoResponse, Rejection> {
    let wait = Wait::read(&uri)?;
    let id = id_in(path)?;
    let revoke = async move |keys: &ApiKeys| keys.revoke(id).by(&admin).committed().await;
    changed(wait, keys, "revoked", revoke).await
}

/// Renew a key
///
/// Sets a new expiry, and reactivates the key if it was revoked.
#[utoipa::path(
    post,
    path = "/keys/{id}/renew",
    params(Id, Wait),
    request_body = Option<KeyRenewal>,
    responses(
        (status = 200, description = "The key as it is now", body = ChangedKey),
        Rejections,
        TooLarge,
        Unknown,
    ),
    security(("Secret header" = [])),
)]
async fn renew_key(
    State(keys): Keys,
    Extension(admin): Extension<Admin>,
    path: Path,
    request: Request,
) -> Result<impl IntoResponse, Rejection> {
    let wait = Wait::read(request.uri())?;
    let KeyRenewal { expires_at } = KeyRenewal::read(body::read(request).await?)?;
    let id = id_in(path)?;
    let renew = async move |keys: &ApiKeys| {
        let renewed = keys.renew(id, expires_at.into()).by(&admin).committed().await?;
        Ok(renewed.map(|renewed| renewed.record))
    };
    changed(wait, keys, "renewed", renew).await
}

/// Makes a change of one key, logs it, and responds with the key as it is then.
async fn changed<F>(
    wait: Wait,
    keys: Arc<ApiKeys>,
    verb: &'static str,
    change: F,
) -> Result<impl IntoResponse, Rejection>
where
    F: AsyncFnOnce(&ApiKeys) -> Result<Committed<KeyRecord>, KeyError> + Send + 'static,
{
    let changed = wait
        .make(keys, async move |keys| {
            let changed = change(keys).await?;
            log(verb, changed.outcome.id);
            Ok(changed.with_details(keys).await)
        })
        .await?;
    let body = ChangedKey::new(changed.outcome, changed.effective_by);
    Ok((changed.effective_in, Json(body)))
}

/// Logs a change when it is made, even if the client has disconnected. Omits the name: it may be any text,
/// even a key.
fn log(verb: &'static str, id: KeyId) {
    tracing::info!("{verb} key {id}");
}

/// The id of the path. An application may have parameters in its prefix: the id is the last one.
///
/// A text that is not an id is the id of no key, and so is one that is not UTF-8.
fn id_in(path: Path) -> Result<KeyId, Rejection> {
    let path = path.map_err(|_| Rejection::NoSuchKey)?;
    let id = path.iter().last().and_then(|(_, text)| text.parse().ok());
    id.ok_or(Rejection::NoSuchKey)
}
