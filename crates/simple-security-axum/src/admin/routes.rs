//! The seven routes. The guard is before them: who comes here has the admin secret.
//!
//! What is wrong is looked for in this order: the query, the body, then the id in the path.

use std::sync::Arc;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use http::header::LOCATION;
use http::{StatusCode, Uri};
use secrecy::ExposeSecret;
use simple_security as engine;
use simple_security::{Admin, ApiKeys, Committed, KeyId, KeyRecord};

use super::answers::{ChangedKey, DeletedKey, IssuedKey, KeyDetails, KeyPage};
use super::ask::{ask, change};
use super::operation_parts::{Exists, Id, PageQuery, Refusals, Unknown, Wait};
use super::refused::Refused;
use super::requests::{KeyEdit, KeyRenewal, NewKey};
use super::{body, query};

type Keys = State<Arc<ApiKeys>>;
type Path = Result<RawPathParams, RawPathParamsRejection>;

/// Make a key
///
/// The key is shown this once and cannot be read back. Every process accepts it from `effective_by`
/// on.
#[utoipa::path(
    post,
    path = "/keys",
    params(Wait),
    request_body = Option<NewKey>,
    responses(
        (status = 201, description = "The key was made", body = IssuedKey,
            headers(("Location" = String, description = "Where the key is, relative to `.../keys`."))),
        Refusals,
        Exists,
    ),
    security(("Secret header" = [])),
)]
pub(super) async fn issue_key(
    State(keys): Keys,
    Extension(admin): Extension<Admin>,
    request: Request,
) -> Result<impl IntoResponse, Refused> {
    let wait = query::wait(request.uri())?;
    let NewKey { name, owner, expires_at, key } = NewKey::read(body::read(request).await?)?;
    let new = engine::NewKey::named(name).with_owner(owner).with_expiry(expires_at);
    let ((record, key), effective_by) = change(keys, wait, async move |keys| match key {
        Some(key) => {
            let imported = keys.import(key.expose_secret(), new).by(&admin).committed().await?;
            log("imported", imported.outcome.id);
            Ok(imported.map(|record| (record, None)))
        }
        None => {
            let issued = keys.issue(new).by(&admin).committed().await?;
            log("issued", issued.outcome.record.id);
            Ok(issued.map(|issued| (issued.record, Some(issued.key))))
        }
    })
    .await?;
    let location = format!("keys/{}", record.id);
    let issued = IssuedKey::new(record, key, effective_by);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(issued)))
}

/// Show the keys, page by page
///
/// The newest first. Who follows `next` to the end meets every key that is there all the time, and
/// none twice, whatever is added and deleted meanwhile.
#[utoipa::path(
    get,
    path = "/keys",
    params(PageQuery),
    responses((status = 200, description = "A page", body = KeyPage), Refusals),
    security(("Secret header" = [])),
)]
pub(super) async fn list_keys(State(keys): Keys, uri: Uri) -> Result<Json<KeyPage>, Refused> {
    let request = query::page(&uri)?;
    let page = ask(keys, async move |keys| keys.page(request).await).await?;
    Ok(Json(page.into()))
}

/// Show a key
#[utoipa::path(
    get,
    path = "/keys/{id}",
    params(Id),
    responses((status = 200, description = "The key", body = KeyDetails), Refusals, Unknown),
    security(("Secret header" = [])),
)]
pub(super) async fn show_key(
    State(keys): Keys,
    path: Path,
    uri: Uri,
) -> Result<Json<KeyDetails>, Refused> {
    query::none(&uri)?;
    let id = id_in(path)?;
    let details = ask(keys, async move |keys| keys.find(id).await).await?;
    Ok(Json(details.into()))
}

/// Change the name of a key, its owner, or when it expires
///
/// What is left out stays as it is. A revoked key stays revoked.
#[utoipa::path(
    patch,
    path = "/keys/{id}",
    params(Id, Wait),
    request_body = KeyEdit,
    responses(
        (status = 200, description = "The key as it is now", body = ChangedKey),
        Refusals,
        Unknown,
    ),
    security(("Secret header" = [])),
)]
pub(super) async fn edit_key(
    State(keys): Keys,
    Extension(admin): Extension<Admin>,
    path: Path,
    request: Request,
) -> Result<Json<ChangedKey>, Refused> {
    let wait = query::wait(request.uri())?;
    let KeyEdit { name, owner, expires_at } = KeyEdit::read(body::read(request).await?)?;
    let id = id_in(path)?;
    let edit = engine::KeyEdit::default().with_name(name).with_owner(owner).with_expiry(expires_at);
    let (details, effective_by) = change(keys, wait, async move |keys| {
        let edited = keys.edit(id, edit).by(&admin).committed().await?;
        log("edited", id);
        Ok(shown(keys, edited).await)
    })
    .await?;
    Ok(Json(ChangedKey::new(details, effective_by)))
}

/// Remove a key and its usage, for ever
///
/// To keep them, revoke it. No request that begins after `effective_by` is let in with it.
#[utoipa::path(
    delete,
    path = "/keys/{id}",
    params(Id, Wait),
    responses((status = 200, description = "It is gone", body = DeletedKey), Refusals, Unknown),
    security(("Secret header" = [])),
)]
pub(super) async fn delete_key(
    State(keys): Keys,
    Extension(admin): Extension<Admin>,
    path: Path,
    uri: Uri,
) -> Result<Json<DeletedKey>, Refused> {
    let wait = query::wait(&uri)?;
    let id = id_in(path)?;
    let ((), effective_by) = change(keys, wait, async move |keys| {
        let deleted = keys.delete(id).by(&admin).committed().await?;
        log("deleted", id);
        Ok(deleted)
    })
    .await?;
    Ok(Json(DeletedKey::new(id, effective_by)))
}

/// Revoke a key
///
/// No request that begins after `effective_by` is let in with it. A key that is revoked stays so.
#[utoipa::path(
    post,
    path = "/keys/{id}/revoke",
    params(Id, Wait),
    responses(
        (status = 200, description = "The key as it is now", body = ChangedKey),
        Refusals,
        Unknown,
    ),
    security(("Secret header" = [])),
)]
pub(super) async fn revoke_key(
    State(keys): Keys,
    Extension(admin): Extension<Admin>,
    path: Path,
    uri: Uri,
) -> Result<Json<ChangedKey>, Refused> {
    let wait = query::wait(&uri)?;
    let id = id_in(path)?;
    let (details, effective_by) = change(keys, wait, async move |keys| {
        let revoked = keys.revoke(id).by(&admin).committed().await?;
        log("revoked", id);
        Ok(shown(keys, revoked).await)
    })
    .await?;
    Ok(Json(ChangedKey::new(details, effective_by)))
}

/// Renew a key
///
/// Gives it a new date of expiry, and takes it back into use if it was revoked.
#[utoipa::path(
    post,
    path = "/keys/{id}/renew",
    params(Id, Wait),
    request_body = Option<KeyRenewal>,
    responses(
        (status = 200, description = "The key as it is now", body = ChangedKey),
        Refusals,
        Unknown,
    ),
    security(("Secret header" = [])),
)]
pub(super) async fn renew_key(
    State(keys): Keys,
    Extension(admin): Extension<Admin>,
    path: Path,
    request: Request,
) -> Result<Json<ChangedKey>, Refused> {
    let wait = query::wait(request.uri())?;
    let KeyRenewal { expires_at } = KeyRenewal::read(body::read(request).await?)?;
    let id = id_in(path)?;
    let (details, effective_by) = change(keys, wait, async move |keys| {
        let renewed = keys.renew(id, expires_at.into()).by(&admin).committed().await?;
        log("renewed", id);
        Ok(shown(keys, renewed.map(|renewed| renewed.record)).await)
    })
    .await?;
    Ok(Json(ChangedKey::new(details, effective_by)))
}

/// The key as it is after a change.
async fn shown(keys: &ApiKeys, changed: Committed<KeyRecord>) -> Committed<engine::KeyDetails> {
    let details = keys.details_after(changed.outcome.clone()).await;
    changed.map(|_| details)
}

/// Logs a change when it is made, even if the client has disconnected. Omits the name: it may be any text,
/// even a key.
fn log(verb: &'static str, id: KeyId) {
    tracing::info!(key = %id, "{verb} key");
}

/// The id of the path. An application may have parameters in its prefix: ours is the last.
///
/// A text that is no id is the id of no key, also one that is no UTF-8.
fn id_in(path: Path) -> Result<KeyId, Refused> {
    let path = path.map_err(|_| Refused::NoSuchKey)?;
    let id = path.iter().last().and_then(|(_, text)| text.parse().ok());
    id.ok_or(Refused::NoSuchKey)
}
