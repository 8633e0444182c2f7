//! Whether a server is one that keys can be trusted to.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;

use super::connect::Connector;
use crate::store::{OpenError, StoreError};

/// The oldest version that has all that the scripts need.
const OLDEST: (u32, u32) = (6, 2);

/// What a server says of itself (INFO), by name.
struct Info<'a>(HashMap<&'a str, &'a str>);

/// Refuses a server that cannot hold a store, and one that can lose what it has acknowledged,
/// unless it `may_lose`.
pub(super) async fn check(
    connector: &Connector,
    may_lose: bool,
    commands: &mut MultiplexedConnection,
) -> Result<(), OpenError> {
    let text: String =
        redis::cmd("INFO").query_async(commands).await.map_err(|error| connector.failed(error))?;
    let info = Info::read(&text);
    let place = connector.place.clone();
    if let Some(reason) = info.unsuitable() {
        return Err(OpenError::Unsuitable { place, reason, source: None });
    }
    if let Some(reason) = info.not_ready() {
        let reason = reason.to_owned();
        return Err(StoreError::Unreachable { place, reason, source: None }.into());
    }
    if may_lose {
        return Ok(());
    }
    let faults = info.faults();
    if !faults.is_empty() {
        return Err(OpenError::NotDurable { place, reason: faults.join("; ") });
    }
    if setting("appendfsync", commands).await.as_deref() == Some("no") {
        tracing::warn!(%place, "appendfsync is no: a crash of the machine loses up to half a minute of keys and revocations; set it to everysec, or to always");
    }
    if info.has_replicas()
        && setting("min-replicas-to-write", commands).await.as_deref() == Some("0")
    {
        tracing::warn!(%place, "it has replicas, and min-replicas-to-write is 0: when another takes its place while it is cut off, it goes on to answer, without the revocations that are made there, and its own changes are lost; set it: CONFIG SET min-replicas-to-write 1, and in its configuration: min-replicas-to-write 1");
    }
    Ok(())
}

impl<'a> Info<'a> {
    fn read(text: &'a str) -> Self {
        Self(text.lines().filter_map(|line| line.trim_end().split_once(':')).collect())
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.0.get(name) == Some(&value)
    }

    fn unsuitable(&self) -> Option<String> {
        let version = self.0.get("redis_version").copied().unwrap_or("of no known version");
        let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
        if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
            return Some(format!("it is Redis {version}, and 6.2 or later is needed"));
        }
        if self.is("cluster_enabled", "1") || self.is("redis_mode", "cluster") {
            return Some("it is part of a Redis Cluster, which cannot change several keys in one step; use a primary with replicas".to_owned());
        }
        if !self.is("role", "master") {
            return Some(
                "it is a replica, which knows of changes too late; name the primary".to_owned(),
            );
        }
        None
    }

    fn not_ready(&self) -> Option<&'static str> {
        if self.is("loading", "1") {
            return Some("it is still reading its data");
        }
        self.is("aof_last_write_status", "err")
            .then_some("it cannot write to its disk; look into its log")
    }

    fn has_replicas(&self) -> bool {
        self.0.get("connected_slaves").is_some_and(|count| *count != "0")
    }

    /// What can lose a key or a revocation, and how to set it right. INFO tells, where CONFIG is
    /// often forbidden.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.is("aof_enabled", "1") {
            faults.push("it keeps no log of its writes; set it: CONFIG SET appendonly yes, and in its configuration: appendonly yes".to_owned());
        }
        if !self.is("maxmemory_policy", "noeviction") {
            let policy = self.0.get("maxmemory_policy").copied().unwrap_or("not known");
            faults.push(format!("its maxmemory-policy is {policy}, by which it drops keys when memory is short; set it: CONFIG SET maxmemory-policy noeviction, and in its configuration: maxmemory-policy noeviction"));
        }
        faults
    }
}

/// What INFO does not tell. Where CONFIG is forbidden, nobody does.
async fn setting(name: &str, commands: &mut MultiplexedConnection) -> Option<String> {
    let asked: redis::RedisResult<Vec<String>> =
        redis::cmd("CONFIG").arg("GET").arg(name).query_async(commands).await;
    asked.ok()?.into_iter().nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:6.2.0\r\nredis_mode:standalone\r\nrole:master\r\nloading:0\r\naof_enabled:1\r\naof_last_write_status:ok\r\nmaxmemory_policy:noeviction\r\ncluster_enabled:0\r\n";

    #[test]
    fn a_server_that_keeps_everything_is_good() {
        let info = Info::read(GOOD);
        assert_eq!((info.unsuitable(), info.not_ready()), (None, None));
        assert!(info.faults().is_empty());
        assert!(!info.has_replicas());
        for (count, has) in [("0", false), ("1", true), ("12", true)] {
            let text = format!("{GOOD}connected_slaves:{count}\r\n");
            assert_eq!(Info::read(&text).has_replicas(), has, "{count}");
        }
    }

    #[test]
    fn each_fault_is_named() {
        let with = |good: &str, bad: &str| GOOD.replace(good, bad);
        for (good, bad, word) in [
            ("6.2.0", "6.0.16", "6.0.16"),
            ("6.2.0", "5.3", "5.3"),
            ("redis_version:6.2.0", "x:1", "no known version"),
            ("cluster_enabled:0", "cluster_enabled:1", "Cluster"),
            ("role:master", "role:slave", "replica"),
        ] {
            let text = with(good, bad);
            let reason = Info::read(&text).unsuitable().expect(bad);
            assert!(reason.contains(word), "{reason}");
        }
        for newer in ["6.2.14", "7.0.15", "10.0", "8.2.1"] {
            assert_eq!(Info::read(&with("6.2.0", newer)).unsuitable(), None);
        }
        assert!(Info::read(&with("loading:0", "loading:1")).not_ready().is_some());
        assert!(Info::read(&with("status:ok", "status:err")).not_ready().is_some());
        assert_eq!(Info::read("").faults().len(), 2, "what is not told is not known to be right");
    }
}
