//! Private servers: started when a test needs them, and removed with it. No server that already runs
//! is used.

pub mod certificates;
pub mod hand;
pub mod pgbouncer;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod shared;
pub mod waiting;
