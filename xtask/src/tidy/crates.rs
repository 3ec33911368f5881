//! Which crate may know which. The direction is the architecture: the pure rules at the
//! bottom, the engine that joins them, the server on top; cargo refuses circles, this
//! rule refuses short cuts. It looks through other crates too: a rule of selling that
//! reaches a socket over three corners still reaches a socket.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::manifest::{dependencies, has_workspace_lints};
use super::run::text;
use crate::process;

/// A comment is the reason of at most so many dependencies below it.
const GROUP_MAX: usize = 4;

/// Whatever reaches a network, a disk, a clock of its own or the system's randomness.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio-util",
    "axum",
    "hyper",
    "rusqlite",
    "libsqlite3-sys",
    "sqlx",
    "reqwest",
    "socketioxide",
    "getrandom",
    "rand",
    "tempfile",
];

struct Rule {
    name: &'static str,
    never: &'static [&'static str],
    /// Also everything in `IMPURE`.
    pure: bool,
}

const RULES: [Rule; 6] = [
    Rule {
        name: "commerce",
        never: &[
            "messaging",
            "engine",
            "store",
            "wire",
            "server",
            "outgoing",
            "factory",
        ],
        pure: true,
    },
    Rule {
        name: "messaging",
        never: &[
            "commerce", "engine", "store", "wire", "server", "outgoing", "factory",
        ],
        pure: true,
    },
    // The engine has ports; whoever implements them depends on it, not it on them.
    Rule {
        name: "engine",
        never: &[
            "store", "wire", "server", "outgoing", "factory", "axum", "rusqlite", "sqlx", "reqwest",
        ],
        pure: false,
    },
    // Bytes to typed values and back; the server converts those to the domain's.
    Rule {
        name: "wire",
        never: &[
            "commerce",
            "messaging",
            "engine",
            "store",
            "server",
            "outgoing",
            "factory",
        ],
        pure: true,
    },
    Rule {
        name: "store",
        never: &["wire", "server", "outgoing", "factory", "axum", "reqwest"],
        pure: false,
    },
    // The factory is another company's system that happens to live in this repository.
    Rule {
        name: "factory",
        never: &["commerce", "messaging", "engine", "store", "server"],
        pure: false,
    },
];

pub(super) fn problems(root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for dependency in dependencies(&text(&root.join("Cargo.toml"))) {
        if !dependency.is_ours() && !(1..=GROUP_MAX).contains(&dependency.after_comment) {
            problems.push(format!(
                "Cargo.toml: `{}` has no reason in a comment before it or its group (of at most {GROUP_MAX})",
                dependency.name
            ));
        }
    }
    for member in members(root) {
        let path = format!("{member}/Cargo.toml");
        let toml = text(&root.join(&path));
        if !has_workspace_lints(&toml) {
            problems.push(format!("{path}: no `[lints] workspace = true`"));
        }
        for dependency in dependencies(&toml) {
            if !dependency.is_from_workspace() {
                problems.push(format!(
                    "{path}: `{}` is not taken from the workspace, where its reason stands",
                    dependency.name
                ));
            }
        }
    }
    for rule in &RULES {
        let path = format!("crates/{}/Cargo.toml", rule.name);
        if root.join(&path).is_file() {
            problems.extend(directions(rule, &path, &text(&root.join(&path))));
        }
    }
    problems
}

/// What one crate knows and should not, tests and what others bring along included.
fn directions(rule: &Rule, path: &str, toml: &str) -> Vec<String> {
    let mut problems: Vec<String> = dependencies(toml)
        .into_iter()
        .filter(|dependency| dependency.is_for_tests())
        .filter(|dependency| rule.never.contains(&dependency.name.as_str()))
        .map(|dependency| format!("{path}: its tests may not use `{}`", dependency.name))
        .collect();
    match known(rule.name) {
        Err(why) => problems.push(why),
        Ok(known) => problems.extend(
            known
                .iter()
                .filter(|name| {
                    let name = name.as_str();
                    rule.never.contains(&name) || (rule.pure && IMPURE.contains(&name))
                })
                .map(|name| format!("{path}: `{}` may not reach `{name}`", rule.name)),
        ),
    }
    problems
}

/// Every crate that a crate is built with, directly or not.
fn known(name: &str) -> Result<BTreeSet<String>, String> {
    let tree = process::read(&mut process::cargo([
        "tree",
        "--quiet",
        "--package",
        name,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    Ok(tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|found| *found != name)
        .map(str::to_owned)
        .collect())
}

fn members(root: &Path) -> Vec<String> {
    let mut members: Vec<String> = fs::read_dir(root.join("crates"))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| format!("crates/{}", entry.file_name().to_string_lossy()))
        .collect();
    members.push("xtask".into());
    members.sort();
    members
}
