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
/// Rows cleared away in one commit, and the pause after it.
const SWEEP_ROWS: usize = 2_000;
const SWEEP_PAUSE: Duration = Duration::from_millis(20);
/// Messages moved in one commit.
const MOVE_MAX: usize = 100;

pub(super) async fn run(app: App) {
    let mut swept = tokio::time::Instant::now();
    let mut budgets = Budgets::default();
    loop {
        app.workers.beat(NAME, app.engine.now());
        tokio::select! {
            () = app.cancel.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = move_round(&app, &mut budgets).await {
            tracing::debug!(%error, "a round of moves was put off");
        }
        let is_due = swept.elapsed() >= SWEEP_EVERY;
        match sweep_round(&app, is_due).await {
            Ok(()) if is_due => swept = tokio::time::Instant::now(),
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "a round of sweeping was put off"),
        }
    }
}

/// Clears for one round at most, so that moves have their turn.
async fn sweep_round(app: &App, is_due: bool) -> Result<(), EngineError> {
    let until = tokio::time::Instant::now() + EVERY;
    let mut first = is_due;
    loop {
        let dropped = app
            .engine
            .read(|reader| reader.has_dropped_messages())
            .await?;
        if !(first || dropped) {
            return Ok(());
        }
        first = false;
        let _ = app
            .engine
            .decide(Command::Sweep { rows: SWEEP_ROWS })
            .await?;
        if tokio::time::Instant::now() >= until {
            return Ok(());
        }
        tokio::select! {
            () = app.cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(SWEEP_PAUSE) => {}
        }
    }
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
    let moving = app.engine.read(|reader| reader.moving_queues()).await?;
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
