//! The paths that more than one module names.

/// The forward-auth route. It is a whole path and not a prefix: with a prefix, a proxy that appends the
/// client's path would let the client choose the route.
pub(super) const VERIFY: &str = "/verify";

/// The same for nginx's `auth_request`.
pub(super) const VERIFY_NGINX: &str = "/verify/nginx";

/// The prefix of the admin routes.
pub(super) const ADMIN: &str = "/auth";
