//! `firstcome-bench`: the measurements alone, as `firstcome bench` has them.

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    bench::cli::run(bench::cli::Cli::parse())
}
