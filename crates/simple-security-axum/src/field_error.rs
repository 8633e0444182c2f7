//! One error in the input of an administrator, as problem details list it.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    #[schema(inline)]
    pub(crate) location: FieldLocation,
    /// `null`: all of it.
    #[schema(value_type = Option<String>, required = true)]
    pub(crate) name: Option<Cow<'static, str>>,
    #[schema(value_type = String)]
    pub(crate) detail: Cow<'static, str>,
}

/// The part of a request in which something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FieldLocation {
    Body,
    Query,
}
