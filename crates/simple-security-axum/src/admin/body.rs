//! The body of a request: nothing, or one JSON object (RFC 8259).

use std::fmt;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::fields::Fields;
use super::refused::Refused;
use crate::field_error::FieldLocation;

/// The longest body, in bytes. The longest that makes sense has less than two thousand.
pub(super) const MAX_LENGTH: usize = 65_536;

/// For a body that is something else than an object.
pub(super) const NO_OBJECT: &str = "send a JSON object, with Content-Type: application/json";

/// The members of the body; `None` where there is no body, or it is `null`.
///
/// # Errors
/// [`Refused::Invalid`]: it is too long, is not called JSON, or is none.
pub(super) async fn read(request: Request) -> Result<Option<Fields<Value>>, Refused> {
    let (parts, body) = request.into_parts();
    let bytes = collect(body).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if !is_called_json(&parts.headers) {
        return Err(Refused::body(NO_OBJECT));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Some(Object(members))) => Ok(Some(Fields::new(FieldLocation::Body, members))),
        Ok(None) => Ok(None),
        Err(error) if error.is_data() => Err(Refused::body(NO_OBJECT)),
        Err(error) => Err(Refused::body(format!("the body is no JSON ({error})"))),
    }
}

async fn collect(body: Body) -> Result<Bytes, Refused> {
    let read = Limited::new(body, MAX_LENGTH).collect().await;
    let read = read.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Refused::body(format!("the body has more than {MAX_LENGTH} bytes")),
        None => Refused::body("the body could not be read to its end"),
    })?;
    Ok(read.to_bytes())
}

/// `application/json` and what is written in it, such as `application/merge-patch+json` (RFC 6839,
/// section 3.1). It is asked for, because a form in a browser can send all else to a foreign site.
fn is_called_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    match essence.trim().to_ascii_lowercase().strip_prefix("application/") {
        Some(subtype) => subtype == "json" || subtype.ends_with("+json"),
        None => false,
    }
}

/// An object with all its members as they stand: a map would keep the last one of a name alone.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Object(members))
    }
}
