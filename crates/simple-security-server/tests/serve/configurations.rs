//! Every proxy configuration in `deploy/` removes the identity headers that a client sends, sets each
//! from the server's response, and rejects a response without it.
//!
//! The list of headers is the server's. What a configuration does with a header is read from the
//! directives of its proxy, in the order in which the proxy applies them. The tests with real proxies
//! are in Python.

use std::fs;
use std::path::{Path, PathBuf};

use simple_security_server::identity_headers;

mod blocks;
mod caddy;
mod envoy;
mod haproxy;
mod nginx;
mod traefik;
mod yaml;

/// What a configuration fails to do with a header.
type Checked = Result<(), String>;

/// A proxy: the files that are shipped for it, and the check that reads their texts.
struct Proxy {
    files: &'static [&'static str],
    check: fn(texts: &[String], header: &str) -> Checked,
    /// Changes that must each make the check fail: the lines that begin so, what replaces this
    /// beginning, and the words of the failure.
    breaks: &'static [(&'static str, &'static str, &'static str)],
}

static PROXIES: [Proxy; 5] =
    [nginx::PROXY, caddy::PROXY, traefik::PROXY, haproxy::PROXY, envoy::PROXY];

/// Directives that copy or strip headers, by which a copy of a configuration is found.
const DIRECTIVES: [&str; 6] = [
    "auth_request_set",
    "copy_headers",
    "authResponseHeaders",
    "allowed_upstream_headers",
    "lua.verify",
    "proxy_set_header X-Api-Key-",
];

#[test]
fn every_identity_header_is_stripped_and_set() {
    for proxy in &PROXIES {
        for header in identity_headers() {
            assert_eq!((proxy.check)(&proxy.texts(), header), Ok(()), "{:?} {header}", proxy.files);
        }
    }
}

/// The control: the check finds a header that a configuration does not know.
#[test]
fn a_header_that_no_configuration_knows_is_found() {
    for proxy in &PROXIES {
        for header in ["x-api-key-other", "x-other"] {
            assert!((proxy.check)(&proxy.texts(), header).is_err(), "{:?} {header}", proxy.files);
        }
    }
}

/// The control: no mention of a header outside comments can be missing or misspelt.
#[test]
fn every_mention_of_a_header_is_needed() {
    for proxy in &PROXIES {
        for header in identity_headers() {
            let mut mentions = 0;
            for (file, text) in proxy.texts().iter().enumerate() {
                for (start, found) in text.to_ascii_lowercase().match_indices(header) {
                    let end = start + found.len();
                    let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
                    let line = text[line..].trim_start();
                    if line.starts_with('#') || line.starts_with("--") {
                        continue;
                    }
                    mentions += 1;
                    let mut texts = proxy.texts();
                    texts[file].replace_range(start..end, "x-api-key-misspelt");
                    let checked = (proxy.check)(&texts, header);
                    assert!(checked.is_err(), "{:?} byte {start}: {header}", proxy.files);
                }
            }
            assert!(mentions > 0, "{:?} {header}", proxy.files);
        }
    }
}

/// The control: each rule of the checks finds the mistake that it is there for.
#[test]
fn every_break_is_found() {
    for proxy in &PROXIES {
        for (beginning, replacement, failure) in proxy.breaks {
            let mut texts = proxy.texts();
            let mut changed = 0;
            for text in &mut texts {
                let lines = text.lines().map(|line| {
                    let words = line.trim_start();
                    let indentation = &line[..line.len() - words.len()];
                    match words.strip_prefix(beginning) {
                        Some(rest) => {
                            changed += 1;
                            format!("{indentation}{replacement}{rest}")
                        }
                        None => line.to_owned(),
                    }
                });
                *text = lines.collect::<Vec<String>>().join("\n");
            }
            assert!(changed > 0, "{:?} has no line {beginning:?}", proxy.files);
            let checked: Vec<Checked> =
                identity_headers().map(|header| (proxy.check)(&texts, header)).collect();
            let found =
                checked.iter().any(|one| one.as_ref().is_err_and(|text| text.contains(failure)));
            assert!(found, "{beginning:?} {replacement:?}: {checked:?}");
        }
    }
}

/// Every copy of a configuration in the documentation must be checked too. There is none.
#[test]
fn no_copy_of_a_configuration_is_overlooked() {
    let mut pages = Vec::new();
    for folder in ["", "deploy", "docs"] {
        collect_pages(&root().join(folder), folder == "docs", &mut pages);
    }
    assert!(pages.len() > 10, "{pages:?}");
    for page in pages {
        let text = fs::read_to_string(&page).expect("a page");
        for block in text.split("```").skip(1).step_by(2) {
            let found = DIRECTIVES.iter().find(|directive| block.contains(*directive));
            assert_eq!(found, None, "{} has a configuration", page.display());
        }
    }
}

fn collect_pages(folder: &Path, deep: bool, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && deep {
            collect_pages(&path, deep, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

impl Proxy {
    fn texts(&self) -> Vec<String> {
        let read = |file| fs::read_to_string(root().join("deploy").join(file));
        self.files.iter().map(|file| read(file).expect("a configuration")).collect()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Other spellings that applications read as this header: with another mark for one hyphen or all of
/// them (RFC 9110, section 5.6.2, names the characters of a header's name).
fn spellings(header: &str) -> Vec<String> {
    let mut spellings = Vec::new();
    for mark in "!#$%&'*+.^_`|~".chars().map(String::from) {
        spellings.push(header.replace('-', &mark));
        spellings.extend(
            header
                .match_indices('-')
                .map(|(at, hyphen)| [&header[..at], &mark, &header[at + hyphen.len()..]].concat()),
        );
    }
    spellings
}

/// Fails with the message unless the condition holds.
fn require(holds: bool, message: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(message()) }
}
