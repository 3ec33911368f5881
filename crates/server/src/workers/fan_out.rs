//! Proposes the steps of publications that have more subscribers than are served at once, from the
//! queue `sns-fan-out`. A step's commit removes its message and puts the next one there, so what is
//! proposed twice is done once.

use std::time::Duration;

use engine::ports::FanOut;
use engine::{Command, Engine, EngineError};
use messaging::Message;

use crate::state::App;
use crate::workers::runtime::{Outcome, Worker, refused};

/// Before the next try, while the sequencer has too much to do.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct FanOuts {
    app: App,
    /// Buyers do not wait for those who hear of something.
    engine: Engine,
}

impl FanOuts {
    pub(super) fn new(app: App) -> Self {
        let engine = app.engine.behind();
        Self { app, engine }
    }
}

impl Worker for FanOuts {
    const NAME: &'static str = "fan_out";

    async fn work(&self, message: &Message) -> Result<Outcome, EngineError> {
        let Ok(fan_out) = serde_json::from_str::<FanOut>(&message.body) else {
            return Ok(Outcome::Never {
                reason: "it is not a publication".to_owned(),
            });
        };
        let fan_out = Box::new(fan_out);
        loop {
            let command = Command::FanOutStep {
                seq: message.seq,
                fan_out: fan_out.clone(),
            };
            match self.engine.decide(command).await {
                Ok(Ok(_)) => return Ok(Outcome::Gone),
                Ok(Err(refusal)) => return Err(refused(&refusal)),
                Err(EngineError::Overloaded) => {}
                Err(error) => return Err(error),
            }
            tokio::select! {
                // Not kept until its time-out: whoever starts next has it at once.
                () = self.app.cancel.cancelled() => return Ok(Outcome::Later { after_s: 0 }),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}
