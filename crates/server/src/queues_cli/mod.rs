//! `firstcome queues ...`: an operator's hands on the queues of a server that runs.
//!
//! What always holds: it speaks the HTTP API and nothing else, so whatever is done here can be
//! done from anywhere; `--json` prints what the server answered; texts of messages reach a
//! terminal without their control characters.
//!
//! - `client`: requests and what goes wrong with them; `nearest`: names that were almost right
//! - `table`: columns that fit; `overview`, `messages`, `moves`: the commands

mod client;
mod messages;
mod moves;
mod nearest;
mod overview;
mod table;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use self::client::{Client, Trouble};
use crate::cli::{complain, say};
use crate::config::{ClientFlags, load_client};

/// Columns of the narrowest terminal that is reckoned with.
const TERMINAL_COLUMNS: usize = 80;

#[derive(Args)]
pub struct QueuesArgs {
    #[command(subcommand)]
    command: Command,
    /// The server [default: `FIRSTCOME_URL`, else where the settings say that it listens]
    #[arg(long, value_name = "URL", global = true)]
    url: Option<String>,
    /// The operator token [default: `FIRSTCOME_TOKEN`, else the one of the settings]
    #[arg(long, value_name = "TOKEN", global = true)]
    token: Option<String>,
    /// The server's settings, to find it by
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Print what the server answers
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// All queues: how deep, how old, and what passed through in the last minute
    List(overview::ListArgs),
    /// One queue with its settings
    Show(overview::ShowArgs),
    /// A look at messages without receiving them
    Peek(messages::PeekArgs),
    /// Send a message
    Send(messages::SendArgs),
    /// Receive messages, as a consumer does
    Receive(messages::ReceiveArgs),
    /// Send dead letters back to where they came from
    Redrive(moves::RedriveArgs),
    /// Delete every message in a queue
    Purge(moves::PurgeArgs),
}

/// How the answer is to be shown.
#[derive(Clone, Copy)]
struct Output {
    json: bool,
    /// What a table has to fit into; a file takes any width.
    columns: Option<usize>,
    /// Somebody is there to see progress and to answer a question.
    is_watched: bool,
}

/// Runs one command to its end.
pub fn run(args: QueuesArgs) -> ExitCode {
    let flags = ClientFlags {
        url: args.url,
        token: args.token,
        config: args.config,
    };
    let settings = match load_client(flags) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(2);
        }
    };
    let is_terminal = std::io::stdout().is_terminal();
    let output = Output {
        json: args.json,
        columns: is_terminal.then_some(TERMINAL_COLUMNS),
        is_watched: is_terminal && std::io::stdin().is_terminal(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(|error| Trouble::Here(format!("cannot start: {error}")))
        .and_then(|runtime| {
            let client = Client::new(settings)?;
            runtime.block_on(act(&client, args.command, output))
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            complain(&trouble.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn act(client: &Client, command: Command, output: Output) -> Result<(), Trouble> {
    match command {
        Command::List(args) => overview::list(client, args, output).await,
        Command::Show(args) => overview::show(client, &args, output).await,
        Command::Peek(args) => messages::peek(client, &args, output).await,
        Command::Send(args) => messages::send(client, args, output).await,
        Command::Receive(args) => messages::receive(client, &args, output).await,
        Command::Redrive(args) => moves::redrive(client, args, output).await,
        Command::Purge(args) => moves::purge(client, &args, output).await,
    }
}

impl Output {
    /// The answer as it came, or in words.
    fn print(
        self,
        answer: &Value,
        text: impl FnOnce() -> Result<String, Trouble>,
    ) -> Result<(), Trouble> {
        if self.json {
            say(&answer.to_string());
        } else {
            say(text()?.trim_end_matches('\n'));
        }
        Ok(())
    }
}

/// The answer in the form that a command reads.
fn read<T: serde::de::DeserializeOwned>(answer: &Value) -> Result<T, Trouble> {
    T::deserialize(answer).map_err(|error| {
        Trouble::Here(format!(
            "the server answers otherwise than this program expects ({error}): are they of the \
             same version?"
        ))
    })
}
