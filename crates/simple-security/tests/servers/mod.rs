//! Servers of the tests' own: started when a test needs them, and ended with it.

#![allow(dead_code, reason = "each program of tests uses a part")]

pub mod postgres;
