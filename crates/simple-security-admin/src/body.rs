//! The body of a request: empty, or one JSON object (RFC 8259).

use std::fmt;

use axum::body::Body;
use axum::extract::Request;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::parameters::Parameters;
use crate::problem::FieldLocation;
use crate::rejection::{MAX_LENGTH, Rejection};

/// How much of a longer body is read and discarded, in bytes.
const MAX_DISCARDED: usize = 2 * 1024 * 1024;

/// For a body that is not an object.
pub(crate) const NOT_AN_OBJECT: &str = "send a JSON object, with Content-Type: application/json";

/// The members of the body; `None` for an empty one.
///
/// # Errors
/// [`Rejection::TooLarge`], before any of it is read if the client announced its length;
/// [`Rejection::Invalid`]: it is not called JSON, or is not a JSON object.
pub(crate) async fn read(request: Request) -> Result<Option<Parameters<Value>>, Rejection> {
    let (parts, body) = request.into_parts();
    let bytes = collect(&parts.headers, body).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if !is_called_json(&parts.headers) {
        return Err(Rejection::body(NOT_AN_OBJECT));
    }
    if let Some(coding) = parts.headers.get(CONTENT_ENCODING)
        && coding != "identity"
    {
        return Err(Rejection::body("the body is compressed: send it without Content-Encoding"));
    }
    if bytes.starts_with("\u{feff}".as_bytes()) {
        return Err(Rejection::body("the body starts with a byte order mark: leave it out"));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Object(members)) => Ok(Some(Parameters::new(FieldLocation::Body, members))),
        Err(error) if error.is_data() => Err(Rejection::body(NOT_AN_OBJECT)),
        Err(error) => Err(Rejection::body(format!("the body is not valid JSON ({error})"))),
    }
}

async fn collect(headers: &HeaderMap, mut body: Body) -> Result<Vec<u8>, Rejection> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: u64| length > MAX_LENGTH as u64)
    {
        discard(body).await;
        return Err(Rejection::TooLarge);
    }
    let mut collected = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Rejection::body("the body could not be read to its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        if collected.len() + data.len() > MAX_LENGTH {
            discard(body).await;
            return Err(Rejection::TooLarge);
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected)
}

/// Reads and discards the rest: a simple client sends its whole body before it reads the response, and loses
/// the response if the server closes the connection first.
async fn discard(mut body: Body) {
    let mut discarded = 0;
    while discarded < MAX_DISCARDED
        && let Some(Ok(frame)) = body.frame().await
    {
        discarded += frame.data_ref().map_or(0, |data| data.len());
    }
}

/// `application/json` and types based on it, such as `application/merge-patch+json` (RFC 6839, section
/// 3.1). Required, because a form in a browser can send other types to another site.
fn is_called_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    match essence.trim().to_ascii_lowercase().strip_prefix("application/") {
        Some(subtype) => subtype == "json" || subtype.ends_with("+json"),
        None => false,
    }
}

/// An object with all its members as they were sent: a map would keep only the last one of a name.
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
