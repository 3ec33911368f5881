//! `cargo xtask ci`: everything a change must pass, the quick checks first.

use std::process::ExitCode;
use std::time::Duration;

use crate::steps::Steps;
use crate::{process, test, tidy, usage_error};

/// Clippy compiles every dependency once; past this it hangs.
const CHECK_LIMIT: Duration = Duration::from_secs(30 * 60);

pub(crate) fn main(args: &[String]) -> ExitCode {
    let checks_only = match args {
        [] => false,
        [flag] if flag == "--checks" => true,
        _ => return usage_error("ci takes no arguments but --checks"),
    };
    let mut steps = Steps::default();
    checks(&mut steps);
    if !checks_only {
        let everything = test::Options {
            install: true,
            ..test::Options::default()
        };
        test::run(&mut steps, &everything);
    }
    steps.finish(true)
}

fn checks(steps: &mut Steps) {
    steps.step("format", || {
        let mut fmt = process::cargo(["fmt", "--all", "--check"]);
        process::run(&mut fmt, CHECK_LIMIT).into()
    });
    steps.step("clippy", || {
        let mut clippy = process::cargo(["clippy", "--workspace", "--all-targets", "--locked"]);
        clippy.args(["--", "-D", "warnings"]);
        process::run(&mut clippy, CHECK_LIMIT).into()
    });
    steps.step("tidy", || tidy::check().into());
}
