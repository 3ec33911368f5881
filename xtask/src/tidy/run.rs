//! Runs every rule and gathers what they found; finds the files that rules read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{codes, crates, examples, links, sources};
use crate::{root, usage_error};

/// Folders that hold nothing of ours.
const NOT_OURS: [&str; 7] = [
    "target",
    "node_modules",
    ".git",
    "data",
    "out",
    ".venv",
    "__pycache__",
];

pub(crate) fn main(args: &[String]) -> ExitCode {
    if !args.is_empty() {
        return usage_error("tidy takes no arguments");
    }
    match check() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Prints every problem; fails when there is one.
pub(crate) fn check() -> Result<(), String> {
    let rules = [
        ("crates", crates::problems as fn(&Path) -> Vec<String>),
        ("codes", codes::problems),
        ("examples", examples::problems),
        ("links", links::problems),
        ("sources", sources::problems),
    ];
    let mut count = 0;
    for (name, rule) in rules {
        let problems = rule(root());
        println!("tidy: {name}: {}", summary(problems.len()));
        for problem in &problems {
            println!("  {problem}");
        }
        count += problems.len();
    }
    if count == 0 {
        return Ok(());
    }
    Err(format!("tidy found {}", summary(count)))
}

fn summary(problems: usize) -> String {
    match problems {
        0 => "nothing".into(),
        1 => "1 problem".into(),
        n => format!("{n} problems"),
    }
}

/// Our files below a folder whose name ends so, in a stable order.
pub(super) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // A folder that vanishes while it is walked held nothing to check.
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !NOT_OURS.contains(&name.as_ref()) {
                folders.push(path);
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The text of a file, empty when it cannot be read: then no rule holds for it.
pub(super) fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// A path as it is written from the root of the workspace.
pub(super) fn short(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}
