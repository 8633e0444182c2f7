//! What the routes read from the query (`application/x-www-form-urlencoded`, as WHATWG URL has it).

use http::Uri;
use simple_security::{KeyFilter, Owner, PageRequest};

use super::fields::Fields;
use super::refused::Refused;
use crate::field_error::FieldLocation;

/// The page that is asked for.
///
/// # Errors
/// [`Refused::Invalid`]: a parameter is unknown, sent twice, or has a value that it cannot have.
pub(super) fn page(uri: &Uri) -> Result<PageRequest, Refused> {
    let mut parameters = parameters(uri);
    let limit = parameters.take("limit", |text| {
        let limit = text.parse().ok().filter(|limit| LIMITS.contains(limit));
        limit.ok_or("a limit is a number from 1 to 1000".into())
    });
    let after = parameters.take("cursor", |text| text.parse().map_err(said));
    let state = parameters.take("state", |text| text.parse().map_err(said));
    let name = parameters.take("name", Ok);
    let owner = parameters.take("owner", |text| Owner::new(&text).map_err(said));
    let request = PageRequest::default()
        .with_filter(KeyFilter::new(state, name).with_owner(owner))
        .after(after)
        .with_limit(limit.unwrap_or(PageRequest::DEFAULT_LIMIT));
    parameters.end(request)
}

/// Whether a change is to be answered only when it holds everywhere.
///
/// # Errors
/// [`Refused::Invalid`]: it is neither `true` nor `false`, or there is something else.
pub(super) fn wait(uri: &Uri) -> Result<bool, Refused> {
    let mut parameters = parameters(uri);
    let wait = parameters.take("wait", |text| match text.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("it is true or false".into()),
    });
    parameters.end(wait.unwrap_or_default())
}

/// For routes that read no parameter.
///
/// # Errors
/// [`Refused::Invalid`]: there is one.
pub(super) fn none(uri: &Uri) -> Result<(), Refused> {
    parameters(uri).end(())
}

const LIMITS: std::ops::RangeInclusive<u32> = 1..=PageRequest::MAX_LIMIT;

/// Bytes that are not UTF-8 become U+FFFD, which is a letter like any other.
fn parameters(uri: &Uri) -> Fields<String> {
    let query = uri.query().unwrap_or_default();
    let sent = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    Fields::new(FieldLocation::Query, sent)
}

fn said(error: impl std::error::Error) -> std::borrow::Cow<'static, str> {
    error.to_string().into()
}
