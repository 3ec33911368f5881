//! Writes e-mails about what happened: to advertising managers while a product is restocked,
//! and, if the shop wants it, to buyers and to winners of auctions.
//!
//! ```text
//! event ──> what follows from it is written down ──> handed over ──> noted as sent ──> deleted
//!             one transaction of effects.db
//! ```
//! What always holds: an e-mail is on disk before it is handed over, under an id that the event
//! gives it, so an event that comes twice writes nothing twice. Between "handed over" and "noted
//! as sent" a crash can repeat an e-mail, with the same `Message-ID`; the local mailbox knows
//! it by that. What a mail server refuses for good is a dead letter with its words; a server
//! that is away, or wants it later, is waited for.

mod alerts;
mod auctions;
mod goods;
mod orders;
mod sender;
#[cfg(test)]
mod tests;

use std::time::Duration;

use commerce::Millis;
use effects::{DatabaseError, Effects};
use engine::{
    Engine, EngineError, Family, Kind, TOPIC_AUCTIONS, TOPIC_OPERATIONS, TOPIC_ORDERS, TOPIC_STOCK,
};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use mail::texts::Link;
use serde::Deserialize;

use super::ConsumerParts;
use super::consumer::{Consumer, Delivery, Hears, Outcome, Pace};
use crate::mailer::Mailer;
use crate::traces::{self, of_message};
use crate::workers::alert_mail::AlertMail;
use crate::workers::events::unquoted;
use sender::Sender;

pub const QUEUE: &str = "emails";

const STOCK: Hears = Hears {
    topic: TOPIC_STOCK,
    types: &[
        Kind::ReplenishmentRequested.as_str(),
        Kind::ReplenishmentReceived.as_str(),
        Kind::ReplenishmentFailed.as_str(),
        Kind::StockReceived.as_str(),
    ],
};
const FAILURES: Hears = Hears {
    topic: TOPIC_OPERATIONS,
    types: &[Kind::ReplenishmentFailed.as_str()],
};
const ORDERS: Hears = Hears {
    topic: TOPIC_ORDERS,
    types: &[
        Kind::OrderAccepted.as_str(),
        Kind::OrderSoldOut.as_str(),
        Kind::OrderCancelled.as_str(),
    ],
};
const AUCTIONS: Hears = Hears {
    topic: TOPIC_AUCTIONS,
    types: &[Kind::AuctionClosed.as_str(), Kind::AuctionOffered.as_str()],
};

/// After an outage of something in the house.
const PAUSE: Duration = Duration::from_secs(1);

pub struct Emails {
    engine: Engine,
    effects: Effects,
    mailer: Mailer,
    sender: Sender,
    verdicts: bool,
    winners: bool,
    grace_ms: Millis,
    public_url: String,
}

/// What every event says first.
#[derive(Deserialize)]
struct Event<T> {
    seq: u64,
    at: Millis,
    data: T,
}

#[derive(Deserialize)]
struct Head {
    r#type: String,
    seq: u64,
}

/// Why an event was not worked on.
enum Stopped {
    /// It says nothing that can be understood.
    Poison(String),
    /// Something in the house is away.
    Outage(String),
}

impl From<DatabaseError> for Stopped {
    fn from(error: DatabaseError) -> Self {
        Self::Outage(error.to_string())
    }
}

impl From<EngineError> for Stopped {
    fn from(error: EngineError) -> Self {
        Self::Outage(error.to_string())
    }
}

impl Emails {
    pub fn new(parts: &ConsumerParts, engine: Engine) -> Self {
        let settings = &parts.config.mail;
        Self {
            engine: engine.clone(),
            effects: parts.effects.clone(),
            mailer: parts.mailer.clone(),
            sender: Sender::new(parts, engine),
            verdicts: settings.verdicts,
            winners: settings.winners,
            grace_ms: i64::try_from(settings.ads_grace_s).expect("a bounded setting") * 1_000,
            public_url: parts.public_url.clone(),
        }
    }

    async fn work(&self, delivery: &Delivery) -> Outcome {
        // What was heard before e-mails were switched off is for nobody.
        if self.mailer.is_off() {
            return Outcome::Done;
        }
        if let Ok(alert) = serde_json::from_str::<AlertMail>(&delivery.body) {
            return match self.hear_alert(alert).await {
                Ok(event) => self.sender.send_all(event).await,
                Err(stopped) => stopped.into(),
            };
        }
        let head: Head = match parse(&delivery.body) {
            Ok(head) => head,
            Err(stopped) => return stopped.into(),
        };
        let written = traces::effect("write e-mails", self.write(&head, &delivery.body));
        let again = match written.await {
            Ok(again) => again,
            Err(stopped) => return stopped.into(),
        };
        let sent = self.sender.send_all(head.seq).await;
        match (again, sent) {
            // What it wrote before could not be sent: it comes again for that, and sooner.
            (Some(_), sent @ (Outcome::Wait { .. } | Outcome::Later { .. })) => sent,
            (Some(until), Outcome::Done | Outcome::NotYet { .. } | Outcome::Never { .. }) => {
                Outcome::NotYet {
                    after: duration(until - self.engine.now()),
                    reason: "it may be over before anybody need hear of it".to_owned(),
                }
            }
            (None, sent) => sent,
        }
    }

    /// Writes down what follows; answers when the event must come again.
    async fn write(&self, head: &Head, body: &str) -> Result<Option<Millis>, Stopped> {
        let kinds = Kind::ALL.iter();
        let kind = kinds.copied().find(|kind| kind.as_str() == head.r#type);
        match kind.map(|kind| (kind, kind.family())) {
            Some((kind, Family::Goods)) => self.hear_goods(kind, body).await,
            Some((kind, Family::Order)) if self.verdicts => {
                self.hear_verdict(kind, body).await?;
                Ok(None)
            }
            Some((Kind::AuctionClosed, _)) if self.winners => {
                self.hear_close(body).await?;
                Ok(None)
            }
            Some((Kind::AuctionOffered, _)) if self.winners => {
                self.hear_offer(body).await?;
                Ok(None)
            }
            Some((
                _,
                Family::Order | Family::Auction | Family::Bid | Family::Parcel | Family::Operations,
            ))
            | None => Ok(None),
        }
    }

    /// A page of the shop.
    fn link(&self, path: &str) -> Option<Link> {
        Link::new(&format!("{}{path}", self.public_url)).ok()
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, Stopped> {
    serde_json::from_str(body).map_err(|error| {
        poison(format!(
            "the message is not such an event: {}",
            unquoted(&error)
        ))
    })
}

/// What is said of a message that is no event.
#[cfg(test)]
pub(super) fn told_by(body: &str) -> Option<String> {
    match parse::<Head>(body) {
        Err(Stopped::Poison(reason)) => Some(reason),
        Err(Stopped::Outage(_)) | Ok(_) => None,
    }
}

fn poison(what: impl std::fmt::Display) -> Stopped {
    Stopped::Poison(what.to_string())
}

/// From milliseconds that may have passed.
fn duration(ms: Millis) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

impl From<Stopped> for Outcome {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Poison(reason) => Self::Never { reason },
            Stopped::Outage(reason) => Self::Wait {
                after: PAUSE,
                reason,
            },
        }
    }
}

impl Consumer for Emails {
    fn name(&self) -> &'static str {
        "emails"
    }

    fn queue(&self) -> &'static str {
        QUEUE
    }

    fn hears(&self) -> &'static [Hears] {
        match (self.mailer.is_off(), self.verdicts, self.winners) {
            (true, _, _) => &[],
            (false, false, false) => &[STOCK, FAILURES],
            (false, true, false) => &[STOCK, FAILURES, ORDERS],
            (false, false, true) => &[STOCK, FAILURES, AUCTIONS],
            (false, true, true) => &[STOCK, FAILURES, ORDERS, AUCTIONS],
        }
    }

    fn pace(&self) -> Pace {
        Pace {
            // An attempt over SMTP may take longer: whoever receives it meanwhile finds the
            // e-mail claimed.
            timeout: Duration::from_secs(15),
            ..Pace::default()
        }
    }

    /// Side by side: what is wrong with one does not hold up the others.
    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>> {
        let worked = batch.iter();
        let worked = worked.map(|delivery| of_message(&delivery.id, self.work(delivery)));
        join_all(worked).boxed()
    }
}
