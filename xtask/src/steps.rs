//! A run of several steps: what passed, what failed, what was not run and why.
//!
//! A step that fails does not stop the others, so that one run shows everything that
//! is wrong. The last line printed is always `N passed, N failed`.

use std::process::ExitCode;
use std::time::Duration;

use crate::process::now;

pub(crate) enum Outcome {
    Passed,
    Failed(String),
    /// Something it needs is missing here.
    NotRun(String),
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(why) => Self::Failed(why),
        }
    }
}

#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Outcome, Duration)>,
}

impl Steps {
    /// Runs one step; true when it passed.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Outcome) -> bool {
        println!("\n== {name}");
        let started = now();
        let outcome = work();
        if let Outcome::Failed(why) = &outcome {
            println!("failed: {name}: {why}");
        }
        let passed = matches!(outcome, Outcome::Passed);
        self.done.push((name.into(), outcome, started.elapsed()));
        passed
    }

    /// Prints the summary. With `all_must_run`, a step that was not run has failed.
    pub(crate) fn finish(self, all_must_run: bool) -> ExitCode {
        let (mut passed, mut failed) = (0_u32, 0_u32);
        println!("\n== summary");
        for (name, outcome, took) in &self.done {
            let word = match outcome {
                Outcome::Passed => "passed",
                Outcome::Failed(_) => "FAILED",
                Outcome::NotRun(_) => "not run",
            };
            match outcome {
                Outcome::Passed => passed += 1,
                Outcome::NotRun(_) if !all_must_run => {}
                Outcome::Failed(_) | Outcome::NotRun(_) => failed += 1,
            }
            println!("{word:<8} {:>7.1} s  {name}", took.as_secs_f64());
        }
        for (name, outcome, _) in &self.done {
            match outcome {
                Outcome::Passed => {}
                Outcome::Failed(why) => println!("failed: {name}: {why}"),
                Outcome::NotRun(why) => println!("not run: {name}: {why}"),
            }
        }
        println!("{passed} passed, {failed} failed");
        if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
