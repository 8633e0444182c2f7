//! The stores that are tried, and what can be done to their servers.

mod postgres;
mod redis;

/// A kind of store.
pub trait Kind: Send + Sync {
    /// What it is called in what is printed.
    fn name(&self) -> &'static str;

    /// A place where opening makes a store, or where one was just made if opening makes none.
    fn make_store(&self) -> String;

    /// Where the server listens, on 127.0.0.1.
    fn port(&self) -> u16;

    /// Ends the server as a crash does.
    fn kill(&self);

    /// Starts it again, and waits until it answers.
    fn start(&self);

    /// Ends all connections of its clients.
    fn cut_connections(&self);

    /// Ends all connections, and takes no new ones, until it is told otherwise.
    fn refuse_connections(&self, refuse: bool);

    /// Copies the files of the server, which does not run.
    fn keep_copy(&self);

    /// Puts the copy in the place of the files.
    fn put_copy_back(&self);

    /// Puts what a server without any keys has in the place of the files.
    fn put_empty(&self);

    /// Whether it can lose what it has acknowledged.
    fn may_lose(&self) -> bool {
        false
    }
}

/// Starts the server of a kind.
pub type Start = fn() -> Box<dyn Kind>;

/// All kinds, by their names.
pub const KINDS: &[(&str, Start)] = &[
    ("postgres", || Box::new(postgres::OnPostgres::start())),
    ("redis", || Box::new(redis::OnRedis::start("always"))),
];

/// A Redis that writes to the disk once a second, as it does by default.
pub fn redis_everysec() -> Box<dyn Kind> {
    Box::new(redis::OnRedis::start("everysec"))
}
