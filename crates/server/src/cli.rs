//! The command line.
//!
//! Exit codes: 0 done, 1 it failed or a rule is broken, 2 the command line or a setting is
//! wrong, 130 stopped at once by a second signal.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::audit_cli::{self, AuditArgs};
use crate::backup_cli::{self, BackupArgs};
use crate::config::{self, Config, Flags};
use crate::queues_cli::{self, QueuesArgs};
use crate::{serve, telemetry};

#[derive(Parser)]
#[command(
    name = "firstcome",
    version,
    about = "Sells what everyone wants at once: in strict order, durable before it is answered"
)]
struct Cli {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Subcommand)]
enum Commands {
    /// Run the shop
    Serve(ServeArgs),
    /// Run the reference factory alone
    Factory(ServeArgs),
    /// Prove the rules on a store, stopped or running, or one auction by its certificate; exit code 1
    /// when one is broken
    Audit(AuditArgs),
    /// Copy the databases of a shop as they are at one moment, stopped or running
    Backup(BackupArgs),
    /// Look after the queues of a server that runs
    Queues(QueuesArgs),
    /// Measure what this machine can do, over HTTP, on a store of its own that is removed afterwards
    Bench(bench::cli::Cli),
    /// Print the `OpenAPI` document
    Openapi,
}

#[derive(Args)]
struct ServeArgs {
    /// Settings, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen; anything but loopback needs `auth.operator_token` [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where AWS SDKs connect; anything but loopback needs `aws.keys` [default: 127.0.0.1:9324]
    #[arg(long, value_name = "ADDRESS")]
    aws_listen: Option<SocketAddr>,
    /// The directory of the store [default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The customers database, an `SQLite` file [default: <data>/customers.db]
    #[arg(long, value_name = "PATH")]
    customers: Option<String>,
    /// What others call this server by [default: http://<listen>]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Written when requests are taken
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// A small catalogue for an empty store, and a factory
    #[arg(long)]
    demo: bool,
    /// What this process does, with commas: api, aws, workers, factory [default: api,aws,workers]
    #[arg(long, value_name = "ROLES")]
    roles: Option<String>,
}

impl ServeArgs {
    fn config(self) -> Result<Config, config::ConfigError> {
        let flags = Flags {
            listen: self.listen,
            aws_listen: self.aws_listen,
            data: self.data,
            customers: self.customers,
            public_url: self.public_url,
            ready_file: self.ready_file,
            demo: self.demo.then_some(true),
            roles: self.roles,
        };
        config::load(self.config.as_ref(), &flags)
    }
}

/// Runs the command line.
pub fn main() -> ExitCode {
    // Only what a consumer does may panic and leave the process as it is.
    effects::abort_on_panic();
    let cli = Cli::parse();
    match cli.command {
        Commands::Serve(args) => run(args, async |config| serve::serve(config).await),
        Commands::Factory(args) => run(args, async |config| serve::serve_factory(config).await),
        Commands::Audit(args) => audit_cli::run(&args),
        Commands::Backup(args) => backup_cli::run(args),
        Commands::Queues(args) => queues_cli::run(args),
        Commands::Bench(cli) => bench::cli::run(cli),
        Commands::Openapi => {
            let document = crate::http::openapi();
            let text = serde_json::to_string_pretty(&document).expect("it has a JSON form");
            say(&text);
            ExitCode::SUCCESS
        }
    }
}

fn run(
    args: ServeArgs,
    serve_it: impl AsyncFnOnce(Config) -> Result<(), serve::ServeError>,
) -> ExitCode {
    let config = match args.config() {
        Ok(config) => config,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(2);
        }
    };
    telemetry::start_logs(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(runtime_threads())
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let served = runtime.block_on(async {
        serve::prepare(&config)?;
        serve_it(config).await
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            match error {
                serve::ServeError::Setting(_) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// For what blocks and has no thread of its own: names that are looked up, signatures, mailboxes. The
/// runtime would start hundreds in a rush, since it makes a new one whenever none has said yet that
/// it is idle, and each keeps in memory what it has touched.
const BLOCKING_THREADS_MAX: usize = 64;

/// One processor is left to the sequencer: when it has to be shared, every batch pays for the
/// threads changing places on it.
fn runtime_threads() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    processors.saturating_sub(1).max(1)
}

/// A reader that has gone (`firstcome openapi | head`) is no reason to fail.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[expect(
    clippy::print_stderr,
    reason = "the command line speaks to a person here"
)]
pub(crate) fn complain(text: &str) {
    eprintln!("firstcome: {text}");
}
