//! The fuzz targets of `crates/wire`, each for a bounded time.
//!
//! What `cargo fuzz` does with a nightly compiler works with the stable one too when no sanitizer
//! is wanted: coverage is a pass of the compiler that any may be asked for, and the code under
//! test has no `unsafe`. The corpus grows under `target/` from run to run.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::steps::Outcome;
use crate::tools::Tools;
use crate::{process, root};

/// As the `[[bin]]`s of crates/wire/fuzz are called.
const TARGETS: [&str; 6] = ["sqs_json", "query", "sigv4", "texts", "filter", "policies"];
/// How long each of them tries.
const SECONDS: u64 = 20;
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);
/// One input that takes longer hangs.
const INPUT_SECONDS: u64 = 5;
/// The largest input: a request's body may be larger, its decoder sees no more kinds of bytes.
const INPUT_BYTES: usize = 65_536;
/// Coverage as libFuzzer wants it.
const FLAGS: &str = "--cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 -Cpasses=sancov-module \
     -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
     -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares";

pub(crate) fn run(tools: &Tools) -> Outcome {
    if let Err(why) = tools.cpp_compiler() {
        return Outcome::NotRun(why);
    }
    fuzz().into()
}

fn fuzz() -> Result<(), String> {
    let host = host()?;
    let target = root().join("target/fuzz");
    let mut build = process::cargo([
        "build",
        "--release",
        "--quiet",
        "--manifest-path",
        "crates/wire/fuzz/Cargo.toml",
        // Named, so that the flags are not for build scripts.
        "--target",
        &host,
    ]);
    build
        .env("RUSTFLAGS", FLAGS)
        .env("CARGO_TARGET_DIR", &target);
    process::run(&mut build, BUILD_LIMIT)?;
    for name in TARGETS {
        try_one(&target, &host, name)?;
    }
    Ok(())
}

fn try_one(target: &Path, host: &str, name: &str) -> Result<(), String> {
    let corpus = target.join("corpus").join(name);
    fs::create_dir_all(&corpus).map_err(|e| format!("{}: {e}", corpus.display()))?;
    let mut fuzz = Command::new(target.join(host).join("release").join(name));
    fuzz.arg(format!("-max_total_time={SECONDS}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-max_len={INPUT_BYTES}"))
        .arg("-rss_limit_mb=2048")
        .arg("-print_final_stats=1")
        .arg("-verbosity=0")
        .arg(format!("-artifact_prefix={}/{name}-", target.display()))
        .arg(&corpus)
        .current_dir(root());
    process::run(&mut fuzz, Duration::from_secs(SECONDS * 4))
}

fn host() -> Result<String, String> {
    let version = process::read(Command::new("rustc").arg("-vV"))?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "rustc does not say what it builds for".into())
}
