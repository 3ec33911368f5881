//! The project's own commands: `cargo xtask test | ci | bench | openapi | tidy`.
//!
//! What always holds here: only the standard library, so that the first thing a
//! contributor runs compiles in a second; every command prints what it runs and ends
//! with a non-zero status when something failed. It deliberately knows nothing about
//! how the server works: it builds the binary, starts it, and asks it from outside.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to the person who runs it"
)]

mod bench;
mod ci;
mod fuzz;
mod load;
mod openapi;
mod process;
mod server;
mod steps;
mod test;
mod tidy;
mod tools;

use std::path::Path;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <command>

  test [--install] [--only NAME]... [--release] [--list]
            unit and document tests, then the end-to-end suites against the real
            binary; --install fetches what a suite lacks and lets none be skipped
  ci [--checks]
            formatting, clippy, tidy, then test --install; --checks stops before it
  tidy      the rules that no compiler checks: crate directions, reasons beside
            dependencies, a page for every error code, links between documents
  openapi [--check]
            write docs/openapi.json from a started server, or compare it
  bench ... the load generator
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = args.split_first() else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    match command.as_str() {
        "test" => test::main(rest),
        "ci" => ci::main(rest),
        "tidy" => tidy::main(rest),
        "openapi" => openapi::main(rest),
        "bench" => bench::main(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        unknown => usage_error(&format!("there is no command `{unknown}`")),
    }
}

/// The root of the workspace, where every command runs.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder inside the workspace")
}

/// Says what is wrong with the arguments, and how they are meant.
fn usage_error(message: &str) -> ExitCode {
    eprint!("error: {message}\n\n{HELP}");
    ExitCode::from(2)
}
