//! Servers of the tests' own: started when a test needs them, and gone with it.

#![allow(dead_code, reason = "each program of tests uses a part")]

pub mod postgres;
pub mod proxy;
pub mod redis;
