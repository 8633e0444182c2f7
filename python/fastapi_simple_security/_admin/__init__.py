"""The resource API: the Rust router, called in process."""
