//! `cargo xtask bench`: builds the server, the echo it is compared with and the load generator
//! for release, then hands over to the generator, which owns what is measured and how.
//!
//! ```text
//! cargo xtask bench [--with redis] [--rounds N] ...   the rows side by side
//! cargo xtask bench --rows queues | auctions          all rows of a kind
//! cargo xtask bench memory [--orders N] ...           a million orders, and starting again
//! cargo xtask bench load ADDRESS ...                  one address, one request
//! ```
//! It knows only where cargo puts what it builds; every option behind the first word is the
//! generator's own.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::{process, root};

/// A cold release build on two cores takes a few minutes; past this it hangs.
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);
/// The longest measurement: each phase of one is bounded by the generator itself.
const RUN_LIMIT: Duration = Duration::from_secs(4 * 60 * 60);

const BUILD: [&str; 10] = [
    "build",
    "--release",
    "--package",
    "server",
    "--bin",
    "firstcome",
    "--example",
    "echo_floor",
    "--package",
    "bench",
];

pub(crate) fn main(args: &[String]) -> ExitCode {
    match build_and_run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn build_and_run(args: &[String]) -> Result<(), String> {
    process::run(
        process::cargo(BUILD).args(["--bin", "firstcome-bench"]),
        BUILD_LIMIT,
    )?;
    let release = release_dir()?;
    let (measurement, options) = match args.split_first() {
        Some((word, rest)) if !word.starts_with('-') => (word.as_str(), rest),
        _ => ("suite", args),
    };
    let mut command = Command::new(release.join("firstcome-bench"));
    command.current_dir(root()).arg(measurement);
    if measurement != "load" {
        command.arg("--firstcome").arg(release.join("firstcome"));
        command
            .arg("--echo")
            .arg(release.join("examples/echo_floor"));
    }
    process::run(command.args(options), RUN_LIMIT)
}

/// Beside the folder that this program was built into, wherever the target directory is.
fn release_dir() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|e| format!("where this program is: {e}"))?;
    let target = own.parent().and_then(|folder| folder.parent());
    Ok(target
        .ok_or("this program is in no folder")?
        .join("release"))
}
