//! `queues redrive` and `queues purge`.

use std::io::Write as _;
use std::time::Duration;

use clap::{Args, value_parser};
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Ask, Client, Trouble};
use super::overview::Detail;
use super::table::compact;
use super::{Output, read};
use crate::cli::say;

/// How often a move is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Characters of the bar.
const BAR: usize = 30;

#[derive(Args)]
pub(super) struct RedriveArgs {
    /// The dead-letter queue
    name: String,
    /// Only this message
    #[arg(long, value_name = "ID", conflicts_with_all = ["to", "rate", "cancel", "detach"])]
    message: Option<String>,
    /// To this queue, instead of where each came from
    #[arg(long, value_name = "QUEUE")]
    to: Option<String>,
    /// So many messages a second, 1 to 500
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=500))]
    rate: Option<u32>,
    /// Do not wait until all are moved
    #[arg(long)]
    detach: bool,
    /// End the redrive that is running
    #[arg(long, conflicts_with_all = ["to", "rate", "detach"])]
    cancel: bool,
}

#[derive(Args)]
pub(super) struct PurgeArgs {
    /// The queue
    name: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// A move of messages out of a queue.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Move {
    id: String,
    status: String,
    destination: Option<String>,
    rate: Option<u32>,
    moved: u64,
    to_move: u64,
    started_at: String,
    failure: Option<String>,
}

impl Move {
    pub(super) fn text(&self) -> String {
        let to = match &self.destination {
            Some(queue) => format!("to {queue}"),
            None => "back".to_owned(),
        };
        let rate = self.rate.map(|rate| format!(", {rate} a second"));
        let why = self.failure.as_ref().map(|why| format!(": {why}"));
        format!(
            "{} of {} {to}{}, {}{}, since {}",
            self.moved,
            self.to_move,
            rate.unwrap_or_default(),
            self.status,
            why.unwrap_or_default(),
            self.started_at,
        )
    }

    fn is_running(&self) -> bool {
        self.status == "running"
    }

    /// A bar for one line of a terminal.
    fn bar(&self) -> String {
        let all = self.to_move.max(self.moved).max(1);
        let done = usize::try_from(u128::from(self.moved) * BAR as u128 / u128::from(all));
        let done = done.unwrap_or(BAR).min(BAR);
        format!(
            "[{}{}] {} of {}",
            "#".repeat(done),
            "-".repeat(BAR - done),
            compact(self.moved),
            compact(all)
        )
    }
}

#[derive(Deserialize)]
struct Moved {
    moved: u64,
}

pub(super) async fn redrive(
    client: &Client,
    args: RedriveArgs,
    output: Output,
) -> Result<(), Trouble> {
    let name = args.name.as_str();
    if let Some(id) = args.message {
        let asked = json!({ "messageId": id });
        let answer = client.post(&[name, "redrive"], asked).await?;
        return output.print(&answer, || match read(&answer)? {
            Moved { moved: 0 } => Err(Trouble::Here(format!("{name} has no dead letter {id}"))),
            Moved { moved } => Ok(format!("moved {moved}")),
        });
    }
    if args.cancel {
        return cancel(client, name, output).await;
    }
    let mut asked = json!({});
    for (field, value) in [
        ("destination", args.to.map(Value::from)),
        ("rate", args.rate.map(Value::from)),
    ] {
        if let Some(value) = value {
            asked[field] = value;
        }
    }
    let mut answer = client.post(&[name, "moves"], asked).await?;
    let mut task: Move = read(&answer)?;
    if args.detach {
        return output.print(&answer, || {
            Ok(format!(
                "moving {} messages; `firstcome queues show {name}` says how far it is",
                task.to_move
            ))
        });
    }
    let draws = output.is_watched && !output.json;
    if draws {
        say("it goes on when you leave; --cancel ends it");
    }
    while task.is_running() {
        if draws {
            draw(&format!("\r{}\u{1b}[K", task.bar()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        (answer, task) = look(client, name, &task.id).await?;
    }
    if draws {
        draw("\r\u{1b}[K");
    }
    let failure = task.failure.clone().filter(|_| task.status == "failed");
    output.print(&answer, || {
        Ok(format!("moved {}, {}", task.moved, task.status))
    })?;
    match failure {
        Some(why) => Err(Trouble::Here(why)),
        None => Ok(()),
    }
}

fn draw(text: &str) {
    let mut out = std::io::stdout();
    // Nobody is hurt by a bar that is not seen.
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// The move as it is now, and as the server says it.
async fn look(client: &Client, queue: &str, id: &str) -> Result<(Value, Move), Trouble> {
    let mut answer = client.get(&[queue]).await?;
    let moves = answer["moves"].as_array_mut();
    let found = moves.and_then(|moves| {
        let at = moves.iter().position(|one| one["id"] == id)?;
        Some(moves.swap_remove(at))
    });
    let found = found.ok_or_else(|| Trouble::Here("the move is forgotten".to_owned()))?;
    let task = read(&found)?;
    Ok((found, task))
}

async fn cancel(client: &Client, name: &str, output: Output) -> Result<(), Trouble> {
    let detail: Detail = read(&client.get(&[name]).await?)?;
    let Some(task) = detail.moves.iter().find(|task| task.is_running()) else {
        return Err(Trouble::Here(format!("no redrive of {name} is running")));
    };
    let ask = Ask {
        path: &[name, "moves", &task.id],
        ..Ask::default()
    };
    let answer = client.call(reqwest::Method::DELETE, ask).await?;
    output.print(&answer, || {
        let task: Move = read(&answer)?;
        Ok(format!("moved {}, {}", task.moved, task.status))
    })
}

pub(super) async fn purge(
    client: &Client,
    args: &PurgeArgs,
    output: Output,
) -> Result<(), Trouble> {
    let name = args.name.as_str();
    let detail: Detail = read(&client.get(&[name]).await?)?;
    let total = detail.queue.total;
    if !args.yes {
        if !output.is_watched {
            return Err(Trouble::Here(
                "nobody is there to ask: purge deletes at once with --yes".to_owned(),
            ));
        }
        draw(&format!(
            "Delete all {total} messages of {name}, those in flight too? Type its name: "
        ));
        let mut typed = String::new();
        let _ = std::io::stdin().read_line(&mut typed);
        if typed.trim() != name {
            return Err(Trouble::Here("nothing was deleted".to_owned()));
        }
    }
    let ask = Ask {
        path: &[name, "purge"],
        ..Ask::default()
    };
    client.call(reqwest::Method::POST, ask).await?;
    let answer = json!({ "name": name, "messages": total });
    output.print(&answer, || Ok(format!("purged {name}: {total} messages")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_up_and_never_over() {
        let bar = |moved, to_move| {
            let task = json!({
                "id": "m", "status": "running", "moved": moved, "toMove": to_move,
                "startedAt": "2026-11-20T23:27:15.788Z",
            });
            read::<Move>(&task).unwrap().bar()
        };
        let (full, empty) = ("#".repeat(BAR), "-".repeat(BAR));
        assert_eq!(bar(0, 0), format!("[{empty}] 0 of 1"));
        assert_eq!(bar(5, 5), format!("[{full}] 5 of 5"));
        assert_eq!(bar(9, 5), format!("[{full}] 9 of 9"));
        assert!(bar(1, 2).starts_with("[###############---------------] 1"));
    }
}
