//! Servers of the tests' own: started when a test needs them, and gone with it.

#![allow(dead_code, reason = "each program of tests uses a part")]

pub mod certificates;
pub mod hand;
pub mod pgbouncer;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod shared;
pub mod waiting;
