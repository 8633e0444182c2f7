//! Servers of the tests' own: started for them, and gone with them.

pub mod redis;
