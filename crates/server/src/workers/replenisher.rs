//! Asks factories for goods: from the queue `replenishment` to `POST /api/manufactures`.
//!
//! ```text
//! the factory answers        the replenishment            the message
//! 2xx                        in_production                deleted
//! refused, broken, no answer attempt noted                again later; at the last attempt dead
//! 5xx, 408, 425, 429         attempt noted                again later; at the last attempt dead
//! any other answer           failed (factory_refused)     dead at once
//! no such factory, or a host failed (factory_unknown)     dead at once
//!   that may not be called
//! ```
//! Dead means: in the dead-letter queue, where an operator sees why and may send it again.

use commerce::{FailReason, Replenishment, ReplenishmentId, ReplenishmentStatus};
use engine::{Command, EngineError, Kind, Refusal, ReplenishmentChange};
use messaging::Message;
use outgoing::{CallError, Client};
use serde::Deserialize;
use wire::manufactures::ManufactureRequest;

use crate::state::App;
use crate::traces;
use crate::workers::runtime::{Outcome, Worker};

/// The group that system D's messages carry.
const GROUP: &str = "stock-arrival-group";
const REQUESTER: &str = "firstcome";

pub(super) struct Replenisher {
    app: App,
    client: Client,
}

/// What the topic `stock` says; most of it is not for us.
#[derive(Deserialize)]
struct Notice {
    r#type: String,
    /// The entry it tells of.
    seq: u64,
    data: NoticeData,
}

#[derive(Deserialize)]
struct NoticeData {
    #[serde(default)]
    replenishment: Option<String>,
}

impl Replenisher {
    pub(super) fn new(app: App, client: Client) -> Self {
        Self { app, client }
    }

    async fn find(&self, message: &Message) -> Result<Option<Replenishment>, EngineError> {
        let Ok(notice) = serde_json::from_str::<Notice>(&message.body) else {
            return Ok(None);
        };
        if notice.r#type != Kind::ReplenishmentRequested.as_str() {
            return Ok(None);
        }
        let id = notice.data.replenishment.as_deref();
        let Some(id) = id.and_then(|id| ReplenishmentId::parse(id).ok()) else {
            return Ok(None);
        };
        // To open a request again is told in the same words. Whoever did it holds the message
        // and goes on with it; a second message would open the request again when the first
        // one has failed, and so on for ever.
        if notice.seq != id.seq {
            return Ok(None);
        }
        let found = self
            .app
            .engine
            .read_own(move |reader| reader.replenishment(id.seq))
            .await?;
        Ok(found.filter(|found| found.id() == id))
    }

    async fn change(
        &self,
        replenishment: &Replenishment,
        change: ReplenishmentChange,
    ) -> Result<Result<(), Refusal>, EngineError> {
        let command = Command::Replenishment {
            id: replenishment.id(),
            sku: replenishment.sku.clone(),
            change,
        };
        Ok(self.app.engine.decide(command).await?.map(|_| ()))
    }

    /// The factory has taken it.
    async fn start(&self, replenishment: &Replenishment) -> Result<(), EngineError> {
        let started = self.change(replenishment, ReplenishmentChange::Started);
        if started.await?.is_ok() {
            return Ok(());
        }
        // The timer gave it up while the factory was asked. Refused once more when the goods
        // came faster than this, or when the next request is open: all the better.
        let reopened = self.change(replenishment, ReplenishmentChange::Reopen);
        if reopened.await?.is_ok() {
            let _ = self
                .change(replenishment, ReplenishmentChange::Started)
                .await?;
        }
        Ok(())
    }

    /// Calls the factory in system D's form. A repeat is safe: the callback URL names the
    /// request, and its token is good for one delivery.
    async fn call(&self, replenishment: &Replenishment) -> Result<(), (FailReason, String)> {
        let Some(url) = self.app.config.factory_url(&replenishment.factory) else {
            let detail = format!("no factory {} in the settings", replenishment.factory);
            return Err((FailReason::FactoryUnknown, detail));
        };
        let id = replenishment.id().to_string();
        let callback_url = format!(
            "{}/product/donut?replenishment={id}&token={}",
            self.app.public_url, replenishment.token.0
        );
        let request = ManufactureRequest {
            message_group_id: GROUP,
            message_attribute_product_id: replenishment.sku.as_str(),
            message_attribute_product_cnt: replenishment.quantity,
            message_attribute_factory_id: replenishment.factory.as_str(),
            message_attribute_requester: REQUESTER,
            callback_url: &callback_url,
        };
        let body = serde_json::to_vec(&request).expect("texts and numbers have a JSON form");
        let headers = [("idempotency-key", id.as_str())];
        let answer = traces::post_json(&self.client, url, &headers, body).await;
        match answer {
            Ok(response) if response.is_success() => Ok(()),
            Ok(response) => {
                let status = response.status;
                let detail = format!("the factory answered {status}");
                match status {
                    408 | 425 | 429 | 500..=599 => Err((FailReason::FactoryError, detail)),
                    _ => Err((FailReason::FactoryRefused, detail)),
                }
            }
            Err(error) => Err((reason_of(&error), error.to_string())),
        }
    }
}

fn reason_of(error: &CallError) -> FailReason {
    match error {
        CallError::Timeout { .. } => FailReason::FactoryTimeout,
        error if error.temporary() => FailReason::FactoryUnreachable,
        _ => FailReason::FactoryUnknown,
    }
}

/// Whether asking again may help.
const fn temporary(reason: FailReason) -> bool {
    match reason {
        FailReason::FactoryUnreachable | FailReason::FactoryTimeout | FailReason::FactoryError => {
            true
        }
        FailReason::FactoryUnknown | FailReason::FactoryRefused | FailReason::Overdue => false,
    }
}

impl Worker for Replenisher {
    const NAME: &'static str = "replenisher";

    async fn work(&self, message: &Message) -> Result<Outcome, EngineError> {
        let Some(replenishment) = self.find(message).await? else {
            return Ok(Outcome::Done);
        };
        match replenishment.status {
            ReplenishmentStatus::Received | ReplenishmentStatus::InProduction => {
                return Ok(Outcome::Done);
            }
            // An operator sent it again, or this worker died after it had failed it.
            ReplenishmentStatus::Failed => {
                let reopened = self.change(&replenishment, ReplenishmentChange::Reopen);
                if reopened.await?.is_err() {
                    return Ok(Outcome::Done);
                }
            }
            ReplenishmentStatus::Requested => {}
        }
        let Err((reason, detail)) = self.call(&replenishment).await else {
            self.start(&replenishment).await?;
            return Ok(Outcome::Done);
        };
        tracing::warn!(
            replenishment.id = %replenishment.id(),
            factory = %replenishment.factory,
            attempt = message.receive_count,
            reason = reason.as_str(),
            detail,
            "a factory could not be asked"
        );
        let settings = &self.app.config.factory;
        if temporary(reason) && message.receive_count < settings.attempts_max {
            let noted = ReplenishmentChange::AttemptFailed { reason, detail };
            let _ = self.change(&replenishment, noted).await?;
            let doubled = settings.retry_ms << (message.receive_count - 1).min(10);
            let after_s = u32::try_from(doubled.div_ceil(1_000)).unwrap_or(u32::MAX);
            return Ok(Outcome::Later { after_s });
        }
        let text = format!("{}: {detail}", reason.as_str());
        let ask_again = i64::try_from(settings.ask_again_s).expect("a bounded setting") * 1_000;
        let failed = ReplenishmentChange::Failed {
            reason,
            detail,
            retry_at: self.app.engine.now() + ask_again,
        };
        let _ = self.change(&replenishment, failed).await?;
        Ok(Outcome::Never { reason: text })
    }
}
