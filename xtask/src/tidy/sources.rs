//! Nothing in the sources is left to be written, and the pure crates stay pure where the
//! standard library offers what no manifest shows. Which store there is stands in few places. Lock files name no package registry:
//! everyone's packages come from the registry of their own.

use std::path::Path;

use super::run::{files, short, text};

/// Spelled in two pieces, so that this file does not find itself.
const UNWRITTEN: [&str; 2] = [concat!("todo", "!("), concat!("unimplemented", "!(")];
const PURE: [&str; 3] = [
    "crates/commerce/src",
    "crates/messaging/src",
    "crates/wire/src",
];
/// What puts the parts together, and what looks at a store without a server, may say which store there
/// is. Everything else has it through its port.
const NAME_A_STORE: [&str; 4] = [
    "crates/server/src/serve.rs",
    "crates/server/src/audit_cli.rs",
    "crates/server/src/backup_cli.rs",
    "crates/server/src/workers/testing/",
];

/// An address as a value is pure, a socket is not.
const IMPURE: [&str; 10] = [
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
];

pub(super) fn problems(root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for folder in ["crates", "xtask"] {
        problems.extend(occurrences(root, folder, &UNWRITTEN, "is not done yet"));
    }
    for folder in PURE {
        problems.extend(occurrences(
            root,
            folder,
            &IMPURE,
            "has no place in a pure crate",
        ));
    }
    let named = occurrences(
        root,
        "crates/server/src",
        &["store::sqlite"],
        "is not a port",
    );
    let is_odd = |problem: &String| !NAME_A_STORE.iter().any(|may| problem.starts_with(may));
    problems.extend(named.into_iter().filter(is_odd));
    for lock in files(&root.join("tests"), "package-lock.json") {
        if text(&lock).contains("\"resolved\"") {
            problems.push(format!(
                "{}: names a registry; run npm with --omit-lockfile-registry-resolved",
                short(root, &lock)
            ));
        }
    }
    problems
}

fn occurrences(root: &Path, folder: &str, words: &[&str], why: &str) -> Vec<String> {
    let mut found = Vec::new();
    for file in files(&root.join(folder), ".rs") {
        for (number, line) in (1..).zip(text(&file).lines()) {
            let code = line.split("//").next().unwrap_or_default();
            for word in words.iter().filter(|word| code.contains(**word)) {
                let word = word.trim_end_matches('(');
                found.push(format!("{}:{number}: `{word}` {why}", short(root, &file)));
            }
        }
    }
    found
}
