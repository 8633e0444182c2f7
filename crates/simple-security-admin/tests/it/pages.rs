//! Pages of some thousand keys while others come and go.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use http::Method;
use serde_json::{Value, json};

use super::{app, get, issue, post, request, send, text};
use crate::Engine;

const KEPT: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_key_that_stays_is_met_once() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let mut kept = HashSet::new();
    for number in 0..KEPT {
        // Some of one second, some of others.
        if number % 100 == 0 {
            engine.clock.advance(std::time::Duration::from_secs(1));
        }
        kept.insert(engine.issue("kept").await.record.id.to_string());
    }
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..2)
        .map(|_| tokio::spawn(come_and_go(app.clone(), std::sync::Arc::clone(&stop))))
        .collect();
    for limit in [7, 100, 1000] {
        let met = all_pages(&app, &format!("limit={limit}")).await;
        let different: HashSet<_> = met.iter().cloned().collect();
        assert_eq!(different.len(), met.len(), "none twice, {limit} a page");
        assert!(kept.is_subset(&different), "none lost, {limit} a page");
    }
    let met = all_pages(&app, "limit=300&name=kept&state=active").await;
    assert_eq!((met.len(), met.into_iter().collect()), (KEPT, kept));
    stop.store(true, Ordering::SeqCst);
    for busy in busy {
        assert!(busy.await.expect("no panic") > 0, "keys came and went");
    }
}

/// Makes keys and deletes them again. Some are between those that stay.
async fn come_and_go(app: Router, stop: std::sync::Arc<AtomicBool>) -> usize {
    let mut count = 0;
    let mut living = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        living.push(issue(&app).await.0);
        if living.len() > 5 {
            let path = format!("/keys/{}", living.remove(count % 5));
            assert_eq!(send(&app, request(Method::DELETE, &path)).await.status, 200);
            count += 1;
        }
    }
    count
}

/// The ids of all keys, in the order of the pages.
async fn all_pages(app: &Router, query: &str) -> Vec<String> {
    let (mut met, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(app, &format!("/keys?{query}{cursor}")).await.body;
        let keys = page["keys"].as_array().expect("a list");
        met.extend(keys.iter().map(|key| text(&key["id"])));
        assert!(met.len() < 10 * KEPT, "the pages do not end");
        match &page["next"] {
            Value::Null => return met,
            next => cursor = format!("&cursor={}", text(next)),
        }
    }
}

#[tokio::test]
async fn the_last_page_says_so() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    for _ in 0..4 {
        post(&app, "/keys", json!({})).await;
    }
    for (limit, pages) in [(1, 4), (2, 2), (3, 2), (4, 1), (5, 1)] {
        let (mut count, mut cursor) = (0, String::new());
        loop {
            let page = get(&app, &format!("/keys?limit={limit}{cursor}")).await.body;
            count += 1;
            assert!(count <= pages, "the pages do not end, {limit} a page");
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(count, pages, "{limit} a page");
    }
}
