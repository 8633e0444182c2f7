//! `copy`: all arrives, once, and what is not the same is told.

use std::any::Any;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use test_support::servers::postgres::Postgres;
use test_support::servers::redis::Redis;

use super::{Desk, Done};

/// Keys of all kinds at one location, and another to copy them to.
struct Pair {
    desk: Desk,
    from: String,
    to: String,
    _servers: [Server; 2],
}

/// A location, and the server that it is on.
type Place = (String, Server);

/// It runs as long as somebody has it. A file needs none.
type Server = Option<Arc<dyn Any>>;

/// Where to copy from and to: two empty places of their own for each test.
type Places = fn(&Desk) -> [Place; 2];

const KINDS: &[Places] = &[
    |_| [file("from.db"), file("to.db")],
    |_| [file("from.db"), postgres()],
    |desk| [postgres(), redis(desk)],
    |desk| [redis(desk), file("to.db")],
];

fn file(name: &str) -> Place {
    (name.to_owned(), None)
}

// The shortest bound that there is: each change waits for it.
fn postgres() -> Place {
    let server = Postgres::shared();
    (format!("{}?max_staleness=0.5", server.fresh_database()), Some(server))
}

fn redis(desk: &Desk) -> Place {
    let server = Redis::shared();
    let url = format!("{}?max_staleness=0.5", server.fresh_database());
    assert_eq!(desk.run(&["init", "--db-location", &url]).code, 0);
    (url, Some(server))
}

/// Runs a test between files.
fn each(test: impl Fn(Pair)) {
    between(&KINDS[..1], test);
}

/// Runs a test between stores of all kinds.
fn everywhere(test: impl Fn(Pair)) {
    between(KINDS, test);
}

fn between(kinds: &[Places], test: impl Fn(Pair)) {
    // All places first, so that the servers run for all.
    let pairs: Vec<_> = kinds.iter().map(Pair::new).collect();
    pairs.into_iter().for_each(test);
}

impl Pair {
    fn new(places: &Places) -> Self {
        let desk = Desk::new();
        let [(from, from_server), (to, to_server)] = places(&desk);
        Self { desk, from, to, _servers: [from_server, to_server] }
    }

    /// A command on the store that is copied.
    fn on_from(&self, arguments: &[&str]) -> Done {
        self.desk.run(&[arguments, &["--db-location", &self.from]].concat())
    }

    fn on_to(&self, arguments: &[&str]) -> Done {
        self.desk.run(&[arguments, &["--db-location", &self.to]].concat())
    }

    /// Takes lines of JSON into a store.
    #[track_caller]
    fn import(&self, location: &str, lines: &[String]) {
        let arguments = ["keys", "import", "-", "--yes", "--db-location", location];
        let done = self.desk.feed(&arguments, &lines.join("\n"));
        assert_eq!(done.code, 0, "{done:?}");
    }

    fn copy(&self) -> Done {
        self.desk.run(&["copy", &self.from, &self.to])
    }

    /// Copies, and all must be the same then.
    #[track_caller]
    fn copied(&self, said: &str) {
        let done = self.copy();
        assert_eq!((done.code, done.said.as_str()), (0, ""), "{done:?}");
        assert_eq!(done.printed.lines().next(), Some(said));
        assert!(done.printed.ends_with(": both stores are the same\n"), "{done:?}");
        assert_eq!(self.exported(&self.to), self.exported(&self.from));
    }

    /// Copies, and the stores are not the same then.
    #[track_caller]
    fn differs(&self, fault: &str) {
        let done = self.copy();
        let said = format!("error: {} and {} are not the same\n  {fault}\n", self.from, self.to);
        assert_eq!((done.code, done.said), (1, said));
    }

    #[track_caller]
    fn exported(&self, location: &str) -> String {
        self.desk.print(&["keys", "export", "--db-location", location])
    }
}

fn id(number: u32) -> String {
    format!("{number:011}")
}

/// A line of JSON, with more members.
fn key(number: u32, members: &str) -> String {
    format!(
        r#"{{"id":"{}","sha256":"{number:064x}","created_at":"2026-01-01T00:00:00Z"{members}}}"#,
        id(number)
    )
}

fn used(total: u64, second: u32) -> String {
    format!(r#","total":{total},"last_used_at":"2026-02-01T00:00:{second:02}Z""#)
}

/// Keys in all states, of which some were used.
fn all_kinds() -> Vec<String> {
    let name = r#","name":"=<b>Ünï</b> \"quoted\" 'name'; -- 🔑 %00 {x}""#;
    vec![
        key(1, ""),
        key(
            2,
            &format!(r#","never_expires":true,"expires_at":"2020-01-01T00:00:00Z"{}"#, used(7, 1)),
        ),
        key(3, r#","expires_at":"2001-01-01T00:00:00Z""#),
        key(4, &format!(r#","revoked_at":"2026-03-01T00:00:00Z"{}"#, used(12, 2))),
        key(5, &format!("{name}{}", used(i64::MAX as u64, 3))),
        key(6, r#","total":5"#),
        key(7, r#","created_at":"0001-01-01T00:00:00Z","expires_at":"9999-12-31T23:59:59Z""#)
            .replacen(r#","created_at":"2026-01-01T00:00:00Z""#, "", 1),
        r#"{"key":"~!@#$%^&*()_+{}|:<>?a_,./;'[]=-own"}"#.to_owned(),
    ]
}

#[test]
fn all_that_is_kept_of_a_key_arrives() {
    everywhere(|pair| {
        pair.import(&pair.from, &all_kinds());
        let issued = pair.on_from(&["keys", "issue", "--name", "shop"]).printed;
        pair.copied("copied 9 keys, changed 0, left 0 as they were");
        pair.copied("copied 0 keys, changed 0, left 9 as they were");
        let shown =
            |key: &str| pair.desk.feed(&["keys", "show", "-", "--db-location", &pair.to], key);
        assert_eq!(shown(&issued).code, 0);
        assert_eq!(shown("~!@#$%^&*()_+{}|:<>?a_,./;'[]=-own").code, 0);
        let verified = pair.copy().printed;
        let uses = i64::MAX as u128 + 24;
        assert!(verified.contains(&format!("verified 9 keys, used {uses} times: ")), "{verified}");
    });
}

#[test]
fn an_empty_store_is_copied_too() {
    each(|pair| {
        assert_eq!(pair.on_from(&["init"]).code, 0);
        pair.copied("copied 0 keys, changed 0, left 0 as they were");
    });
}

#[test]
fn one_that_is_killed_is_run_again_and_all_is_exact() {
    const KEYS: u32 = 45_000;
    each(|pair| {
        let lines: Vec<_> = (0..KEYS)
            .map(|number| match number % 3 {
                0 => key(number, &used(u64::from(number) + 1, number % 60)),
                1 => key(number, r#","revoked_at":"2026-03-01T00:00:00Z""#),
                _ => key(number, ""),
            })
            .collect();
        pair.import(&pair.from, &lines);
        for point in ["copied 20000 keys", "copied 40000 keys", "compared 20000 keys"] {
            let arguments = ["copy", "--progress", &pair.from, &pair.to];
            let mut process = pair.desk.command(&arguments).spawn().expect("a process");
            let mut said = BufReader::new(process.stderr.take().expect("what it says")).lines();
            assert!(said.any(|line| line.expect("a line") == point), "{point}");
            process.kill().expect("killed");
            assert!(!process.wait().expect("an end").success(), "{point}");
            // What has changed since must arrive, also where the copy was there already.
            if point == "copied 20000 keys" {
                let last = id(KEYS - 1);
                assert_eq!(pair.on_to(&["keys", "show", &last]).code, 0, "the newest come first");
                assert_eq!(pair.on_from(&["keys", "revoke", &last, &id(0)]).code, 0);
            }
        }
        pair.copied("copied 0 keys, changed 0, left 45000 as they were");
    });
}

#[test]
fn a_key_that_was_copied_is_brought_up_to_date() {
    everywhere(|pair| {
        pair.import(&pair.from, &[1, 2, 3, 4, 5].map(|number| key(number, &used(5, 1))));
        pair.copied("copied 5 keys, changed 0, left 0 as they were");
        // What an application has done in the meantime.
        assert_eq!(pair.on_from(&["keys", "revoke", &id(1)]).code, 0);
        let until = ["keys", "renew", &id(2), "--expires-at", "2040-01-01T00:00:00Z"];
        assert_eq!(pair.on_from(&until).code, 0);
        assert_eq!(pair.on_from(&["keys", "renew", &id(3), "--never-expires"]).code, 0);
        let again = |members: &str| {
            assert_eq!(pair.on_from(&["keys", "delete", &id(4), "--yes"]).code, 0);
            pair.import(&pair.from, &[key(4, members)]);
        };
        again(&format!(r#","name":"shop"{}"#, used(8, 2)));
        pair.copied("copied 0 keys, changed 4, left 1 as they were");
        // Used in the same second as before, or not more often but later.
        again(&format!(r#","name":"shop"{}"#, used(9, 2)));
        pair.copied("copied 0 keys, changed 1, left 4 as they were");
        again(&format!(r#","name":"shop"{}"#, used(9, 3)));
        pair.copied("copied 0 keys, changed 1, left 4 as they were");
        pair.copied("copied 0 keys, changed 0, left 5 as they were");
    });
}

#[test]
fn a_key_that_is_revoked_in_the_copy_stays_revoked() {
    each(|pair| {
        pair.import(&pair.from, &[1, 2].map(|number| key(number, "")));
        pair.copied("copied 2 keys, changed 0, left 0 as they were");
        assert_eq!(pair.on_to(&["keys", "revoke", &id(1)]).code, 0);
        let until = ["keys", "renew", &id(1), "--expires-at", "2040-01-01T00:00:00Z"];
        assert_eq!(pair.on_from(&until).code, 0);
        let fault =
            format!("revoked in {} and not in {}, and stays so: {}", pair.to, pair.from, id(1));
        pair.differs(&fault);
        let shown = pair.on_to(&["keys", "show", &id(1), "--json"]).printed;
        assert!(shown.contains(r#""state":"revoked""#) && shown.contains("2040"), "{shown}");
        assert_eq!(pair.on_to(&["keys", "delete", &id(1), "--yes"]).code, 0);
        pair.copied("copied 1 keys, changed 0, left 1 as they were");
    });
}

#[test]
fn what_cannot_be_made_the_same_is_told() {
    each(|pair| {
        pair.import(&pair.from, &[1, 2, 3, 4].map(|number| key(number, &used(5, 1))));
        pair.copied("copied 4 keys, changed 0, left 0 as they were");
        pair.import(&pair.to, &(10..18).map(|number| key(number, "")).collect::<Vec<_>>());
        let first: Vec<_> = (13..18).rev().map(id).collect();
        pair.differs(&format!(
            "only in {}; what was deleted in {} is to be deleted there too: {} and 3 more",
            pair.to,
            pair.from,
            first.join(", ")
        ));
        for number in 10..18 {
            assert_eq!(pair.on_to(&["keys", "delete", &id(number), "--yes"]).code, 0);
        }
        let again = |members: &str| {
            assert_eq!(pair.on_to(&["keys", "delete", &id(1), "--yes"]).code, 0);
            pair.import(&pair.to, &[key(1, members)]);
        };
        for members in [used(6, 1), used(5, 2), used(4, 2)] {
            again(&members);
            let fault =
                format!("with usage in {} that {} does not have: {}", pair.to, pair.from, id(1));
            pair.differs(&fault);
        }
        again(&used(4, 1));
        pair.copied("copied 0 keys, changed 1, left 3 as they were");
        assert_eq!(pair.on_from(&["keys", "revoke", &id(1)]).code, 0);
        again(&format!(r#","revoked_at":"2026-03-01T00:00:00Z"{}"#, used(5, 1)));
        pair.differs(&format!("revoked at another time in {}: {}", pair.to, id(1)));
    });
}

#[test]
fn another_key_in_the_way_is_named_and_nothing_of_its_page_is_added() {
    for (there, why) in [
        (
            key(3, "").replace(&format!("{:064x}", 3), &"ab".repeat(32)),
            "another key has this id there",
        ),
        (key(3, "").replacen(&id(3), &id(9), 1), "it is there with the id 00000000009"),
        (
            key(3, "").replace("2026-01-01", "2026-01-02"),
            "it is there with another date of creation",
        ),
        (
            key(3, "")
                .replace("2026-01-01", "2026-01-02")
                .replace(&format!("{:064x}", 3), &"ab".repeat(32)),
            "another key has this id there",
        ),
    ] {
        each(|pair| {
            pair.import(&pair.from, &[1, 2, 3, 4].map(|number| key(number, "")));
            pair.import(&pair.to, &[there.clone(), key(4, r#","name":"before""#)]);
            let before = pair.exported(&pair.to);
            let done = pair.copy();
            let said = format!(
                "error: {} cannot be copied to {}: {why}. Delete one of the two and run the command again; it has stopped there\n",
                id(3),
                pair.to
            );
            assert_eq!((done.code, done.printed.as_str(), done.said), (1, "", said));
            let after = pair.exported(&pair.to);
            // What is changed goes before what is new, so that no revocation waits for it.
            assert_eq!(after.lines().count(), before.lines().count(), "{after}");
        });
    }
}

#[test]
fn what_is_not_there_is_not_made() {
    let desk = Desk::new();
    let place = desk.0.path().canonicalize().expect("the folder").join("nowhere.db");
    let said = format!(
        "error: FROM: {} does not exist; name the file that the application uses\n",
        place.display()
    );
    assert_eq!(
        desk.run(&["copy", "nowhere.db", "to.db"]),
        Done { code: 1, printed: String::new(), said }
    );
    assert_eq!(std::fs::read_dir(desk.0.path()).expect("the folder").count(), 0);
    desk.print(&["init", "--db-location", "from.db"]);
    let before = super::old::write(&desk.path("old.db"), 1);
    for (arguments, argument) in
        [(["copy", "old.db", "to.db"], "FROM"), (["copy", "from.db", "old.db"], "TO")]
    {
        let done = desk.run(&arguments);
        assert_eq!(done.code, 1);
        assert!(done.said.starts_with(&format!("error: {argument}: ")), "{done:?}");
        assert!(done.said.contains("is a database of fastapi_simple_security 1.x"), "{done:?}");
    }
    assert_eq!(std::fs::read(desk.path("old.db")).expect("the file"), before);
    assert!(!desk.path("to.db").exists());
}

#[test]
fn a_store_is_not_copied_to_itself() {
    let desk = Desk::new();
    desk.print(&["init", "--db-location", "keys.db"]);
    std::os::unix::fs::symlink("keys.db", desk.path("link.db")).expect("a link");
    for (from, to) in [
        ("keys.db", "keys.db"),
        ("keys.db", "./keys.db"),
        ("keys.db", "sqlite:///keys.db"),
        ("link.db", "keys.db"),
        ("nowhere.db", "nowhere.db"),
        ("redis://host/0", "redis://user:pa55w0rd@host/0"),
        ("postgres://host/db?a=1", "postgres://host/db?a=1"),
    ] {
        let done = desk.run(&["copy", from, to]);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.said.starts_with("error: FROM and TO are the same: "), "{done:?}");
        assert!(!done.said.contains("pa55w0rd"), "{done:?}");
    }
    assert!(!Path::new(&desk.path("nowhere.db")).exists());
}

#[test]
fn locations_with_a_password_may_come_from_the_standard_input() {
    let desk = Desk::new();
    desk.print(&["init", "--db-location", "from.db"]);
    for (arguments, input) in [
        (["copy", "-", "-"], "from.db\r\none.db"),
        (["copy", "from.db", "-"], "two.db\n"),
        (["copy", "-", "three.db"], "from.db\n"),
    ] {
        assert_eq!(desk.feed(&arguments, input).code, 0);
    }
    assert!(["one.db", "two.db", "three.db"].iter().all(|name| desk.path(name).exists()));
    let done = desk.feed(&["copy", "-", "-"], "from.db\n");
    assert_eq!(done.said, "error: TO: it names no file; use a path such as keys.db\n");
}
