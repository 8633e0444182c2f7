//! Servers that are refused, and what is said of them.

use std::io::{Read, Write};

use simple_security::store::OpenError;
use test_support::Log;

use super::servers::process::free_port;
use super::servers::redis::Redis;
use super::servers::waiting::eventually;
use super::{every_call, insert, make, open, refused, revoke, try_make};

fn chain(error: &OpenError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(" {error} {error:?}");
        source = error.source();
    }
    text
}

#[test]
fn a_server_that_can_lose_keys_is_refused_unless_it_may() {
    let server = Redis::start_with(&["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"]);
    for error in [try_make(&server.url()).err().expect("it is made"), refused(&server.url())] {
        assert!(matches!(error, OpenError::NotDurable { .. }), "{error}");
        let text = error.to_string();
        for words in ["CONFIG SET appendonly yes", "CONFIG SET maxmemory-policy noeviction"] {
            assert!(text.contains(words), "{text}");
        }
    }
    let url = format!("{}?may_lose=true", server.url());
    drop(make(&url));
    open(&url);
    server.ask(&["CONFIG", "SET", "appendonly", "yes"]);
    let error = refused(&server.url()).to_string();
    assert!(!error.contains("appendonly") && error.contains("allkeys-lru"), "{error}");
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    open(&server.url());
    server.ask(&["CONFIG", "SET", "appendonly", "no"]);
    let error = refused(&server.url()).to_string();
    assert!(error.contains("appendonly") && !error.contains("allkeys"), "{error}");
}

#[test]
fn it_is_checked_also_where_config_is_forbidden() {
    let server = Redis::start();
    let rights =
        "on >secret ~simple-security:* resetchannels &simple-security:* +@all -@dangerous +info";
    let user: Vec<_> = ["ACL", "SETUSER", "app"].into_iter().chain(rights.split(' ')).collect();
    assert_eq!(server.ask(&user), "+OK\r\n");
    let url = server.url().replace("127.0.0.1", "app:secret@127.0.0.1");
    let store = make(&url);
    for (call, done) in every_call(&store) {
        done.expect(call);
    }
    let store = open(&url);
    // Who may not announce a change may make it.
    assert_eq!(server.ask(&["ACL", "SETUSER", "app", "resetchannels"]), "+OK\r\n");
    insert(&store, 1).expect("a key");
    revoke(&store, 1).expect("revoked");
    server.ask(&["CONFIG", "SET", "appendonly", "no"]);
    assert!(matches!(refused(&url), OpenError::NotDurable { .. }));
    server.ask(&["ACL", "SETUSER", "app", "-info"]);
    let error = refused(&url);
    assert!(matches!(error, OpenError::Unsuitable { .. }), "{error}");
    assert!(error.to_string().contains("ACL SETUSER"), "{error}");
    server.ask(&["ACL", "SETUSER", "app", "-evalsha"]);
    let error = OpenError::from(super::find(&store, 1).expect_err("it is not allowed"));
    assert!(matches!(error, OpenError::Unsuitable { .. }), "{error}");
}

#[test]
fn a_primary_that_does_not_notice_that_it_is_cut_off_is_warned_of() {
    let log = Log::default();
    let writer = log.clone();
    // For all threads: a store is opened on one of its own.
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    let primary = Redis::start();
    let is_warned_of = || {
        log.clear();
        open(&primary.url());
        let log = log.text();
        let of_this_one = |line: &str| line.contains(&primary.port().to_string());
        log.lines().any(|line| of_this_one(line) && line.contains("min-replicas-to-write"))
    };
    make(&primary.url());
    assert!(!is_warned_of(), "it is alone");
    let port = primary.port().to_string();
    let _replica = Redis::start_with(&["--replicaof", "127.0.0.1", &port]);
    eventually("replica", || {
        primary.ask(&["INFO", "replication"]).contains("state=online").then_some(())
    });
    assert!(is_warned_of());
    primary.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert!(!is_warned_of(), "it notices");
}

#[test]
fn no_error_holds_the_password() {
    let server = Redis::start_with(&["--requirepass", "the right one"]);
    let with = |user: &str| server.url().replace("127.0.0.1", &format!("{user}127.0.0.1"));
    for wrong in ["", ":hunter2@", "default:hunter2@", "nobody:hunter2@"] {
        let error = refused(&with(wrong));
        assert!(matches!(error, OpenError::Unsuitable { .. }), "{error}");
        let text = chain(&error);
        assert!(text.contains("password") && !text.contains("hunter2"), "{text}");
    }
    for url in ["redis://:hunter2@127.0.0.1:port/0", "redis://:hunter2@127.0.0.1/hunter2"] {
        let text = chain(&refused(url));
        assert!(!text.contains("hunter2@"), "{text}");
    }
    make(&with(":the%20right%20one@"));
}

#[test]
fn a_replica_and_a_cluster_are_refused() {
    let primary = Redis::start();
    let port = primary.port().to_string();
    let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &port]);
    let cluster = Redis::start_with(&[
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        &free_port().to_string(),
    ]);
    for (server, word) in [(replica, "primary"), (cluster, "Cluster")] {
        let error = refused(&server.url());
        assert!(matches!(error, OpenError::Unsuitable { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_server_that_is_not_there_is_an_outage() {
    let error = refused(&format!("redis://127.0.0.1:{}/0", free_port()));
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn a_server_with_too_many_clients_is_an_outage() {
    for password in [&[][..], &["--requirepass", "secret"]] {
        let server = Redis::start_with(&[password, &["--maxclients", "1"]].concat());
        let mut only = std::net::TcpStream::connect(server.address()).expect("a connection");
        // The one before it may still be counted.
        eventually("only client", || {
            let mut answer = [0; 5];
            let asked = only.write_all(b"PING\r\n").and_then(|()| only.read_exact(&mut answer));
            if asked.is_ok() && [b"+PONG", b"-NOAU"].contains(&&answer) {
                return Some(());
            }
            only = std::net::TcpStream::connect(server.address()).expect("a connection");
            None
        });
        let error = refused(&server.url().replace("127.0.0.1", ":secret@127.0.0.1"));
        assert!(error.is_transient(), "{error}");
    }
}
