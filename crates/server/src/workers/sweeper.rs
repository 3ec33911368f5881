//! The timer of the queues: moves messages out of dead-letter queues at their pace, and clears
//! away what nobody can receive any more, a piece at a time so that nobody waits for it.

use std::time::Duration;

use engine::ports::{MoveStatus, MoveTask};
use engine::{Command, EngineError, Reply};

use crate::state::App;

pub(super) const NAME: &str = "sweeper";

/// How often it looks for moves.
const EVERY: Duration = Duration::from_millis(250);
/// How often it looks for what has expired: until then it is not received either.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Rows cleared away in one commit, which others have to wait for; a pause follows that is longer
/// the more there are ([`engine::Engine::behind`]).
const SWEEP_ROWS: usize = 500;
/// Rows that have expired and are cleared away each time it looks for them.
const EXPIRED_ROWS: usize = 2_000;
/// Messages moved in one commit.
const MOVE_MAX: usize = 100;

pub(super) async fn run(app: App) {
    tokio::join!(move_messages(&app), clear_away(&app));
}

async fn move_messages(app: &App) {
    let mut budgets = Budgets::default();
    loop {
        app.workers.beat(NAME, app.engine.now());
        tokio::select! {
            () = app.cancel.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = move_round(app, &mut budgets).await {
            tracing::debug!(%error, "a round of moves was put off");
        }
    }
}

/// Beside the moves, since in a rush it waits long for its turn.
async fn clear_away(app: &App) {
    let mut swept = tokio::time::Instant::now();
    loop {
        let is_due = swept.elapsed() >= SWEEP_EVERY;
        let cleared = tokio::select! {
            () = app.cancel.cancelled() => return,
            cleared = clear_piece(app, is_due) => cleared,
        };
        if is_due && cleared.is_ok() {
            swept = tokio::time::Instant::now();
        }
        let has_more = cleared.unwrap_or_else(|error| {
            tracing::debug!(%error, "a round of sweeping was put off");
            false
        });
        if !has_more {
            tokio::select! {
                () = app.cancel.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}

/// What has expired if it is due, and a piece of what was purged. Returns whether there was any of
/// that.
async fn clear_piece(app: &App, is_due: bool) -> Result<bool, EngineError> {
    let was_purged = app
        .engine
        .read_own(|reader| reader.has_dropped_messages())
        .await?;
    if is_due || was_purged {
        let rows = if is_due { EXPIRED_ROWS } else { SWEEP_ROWS };
        let _ = app.engine.behind().decide(Command::Sweep { rows }).await?;
    }
    Ok(was_purged)
}

/// What each move with a rate has left to move.
#[derive(Default)]
struct Budgets {
    by_task: std::collections::HashMap<String, f64>,
}

impl Budgets {
    /// Messages that this round may move.
    fn take(&mut self, task: &MoveTask) -> usize {
        let Some(rate) = task.rate else {
            return usize::MAX;
        };
        let budget = self.by_task.entry(task.id.clone()).or_default();
        *budget += f64::from(rate) * EVERY.as_secs_f64();
        let whole = budget.floor();
        *budget -= whole;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is at most 500, so this is a small whole number"
        )]
        let whole = whole as usize;
        whole
    }
}

async fn move_round(app: &App, budgets: &mut Budgets) -> Result<(), EngineError> {
    let moving = app.engine.read_own(|reader| reader.moving_queues()).await?;
    budgets
        .by_task
        .retain(|id, _| moving.iter().any(|(_, task)| task.id == *id));
    let until = tokio::time::Instant::now() + EVERY;
    for (queue, task) in moving {
        let mut left = budgets.take(&task);
        while left > 0 && tokio::time::Instant::now() < until {
            let max = left.min(MOVE_MAX);
            left -= max;
            let command = Command::MoveStep {
                queue: queue.clone(),
                destination: task.destination.clone(),
                max,
            };
            // Refused when it was cancelled in this moment.
            let Ok(Reply::Move(task)) = app.engine.decide(command).await? else {
                break;
            };
            if task.status != MoveStatus::Running {
                break;
            }
        }
    }
    Ok(())
}
