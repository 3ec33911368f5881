//! Asking advertising managers to pause a product's ads while it is restocked, and to resume
//! them: a fold over what happens to its goods, whatever the order or repetition of the news.
//!
//! ```text
//!              open for longer than the grace, and nothing arrived since
//!   running ────────────────────────────────────────────────────────────> paused
//!      ^                                                                    │
//!      └──── units to sell are there again, and no request since found none ┘
//! ```
//! What always holds:
//! - E-mails to pause and to resume a product's ads take turns, a pause first.
//! - Of a request that was over before its grace, nobody hears.
//! - An e-mail that certainly nobody has yet is withdrawn when it has become pointless, and then
//!   the one that would undo it is not sent either; one that was refused counts as not had,
//!   unless an attempt before may have succeeded: ads that stay paused are the worse mistake.
//! - Every change and the e-mail that follows from it are one transaction.
//!
//! A fact is kept as the largest sequence at which it held, so that an event which comes twice,
//! or late, changes nothing. That is why no inbox is needed here.
//!
//! It deliberately does not know what the e-mails say; whoever hands in an event writes them.

mod rows;

#[cfg(test)]
mod tests;

use commerce::Millis;
use rusqlite::Transaction;

use crate::mails::{self, NewMail};
use rows::{Arrival, Pause, Product, Request};

pub(crate) use rows::SCHEMA;

/// An entry about a product's goods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub seq: u64,
    pub at: Millis,
    pub sku: String,
    pub what: What,
    /// Whether there were units left to sell just then, after all who wait.
    pub sellable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A replenishment, named by the sequence of its first request, was requested (again).
    Requested {
        replenishment: u64,
        quantity: u64,
        factory: String,
    },
    Received {
        replenishment: u64,
        quantity: u64,
    },
    Failed {
        replenishment: u64,
    },
    /// Goods arrived, from whomever.
    Arrived {
        quantity: u64,
    },
}

/// What an event is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub now: Millis,
    /// How long a replenishment may be open and nobody hears of it.
    pub grace_ms: Millis,
    /// Whether the event's replenishment is open as far as the shop itself knows. News of its
    /// end may still be on the way.
    pub is_open: bool,
}

/// What is to be written to a product's advertising manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub kind: Kind,
    pub sku: String,
    /// Ordered, or arrived.
    pub quantity: u64,
    pub factory: String,
    /// From the request to the arrival.
    pub took_ms: Option<Millis>,
    /// Who was asked to pause, for whoever is asked to resume.
    pub recipient: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Pause,
    Resume,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "ads.pause",
            Self::Resume => "ads.resume",
        }
    }
}

/// A notice in somebody's language.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    pub recipient: String,
    pub lang: &'static str,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Takes an event in and writes down the e-mails that follow from it; `write` gives none for a
/// product that has no advertising manager. Answers when the event must be handed in again: its
/// request is still within its grace.
///
/// # Errors
/// When the database fails.
pub fn handle(
    transaction: &Transaction<'_>,
    event: &Event,
    moment: &Moment,
    write: &dyn Fn(&Notice) -> Option<Written>,
) -> rusqlite::Result<Option<Millis>> {
    let desk = Desk {
        transaction,
        event,
        now: moment.now,
        write,
    };
    let mut product = Product::load(transaction, &event.sku)?;
    let mut request = None;
    note(transaction, event, &mut product, &mut request)?;
    desk.resume_if_due(&mut product)?;
    let again = match request {
        Some(request) => desk.pause_if_due(&mut product, &request, moment)?,
        None => None,
    };
    product.save(transaction)?;
    Ok(again)
}

/// Merges the fact; the request too when that is what the event tells of.
fn note(
    transaction: &Transaction<'_>,
    event: &Event,
    product: &mut Product,
    requested: &mut Option<Request>,
) -> rusqlite::Result<()> {
    let mut arrive = |quantity| {
        if event.sellable && event.seq > product.arrival.seq {
            product.arrival = Arrival {
                seq: event.seq,
                at: event.at,
                quantity,
            };
        }
    };
    match &event.what {
        What::Arrived { quantity } => arrive(*quantity),
        What::Received {
            replenishment,
            quantity,
        } => {
            arrive(*quantity);
            let mut request = Request::load(transaction, *replenishment)?;
            request.received = true;
            request.save(transaction)?;
        }
        What::Failed { replenishment } => {
            let mut request = Request::load(transaction, *replenishment)?;
            request.failed_seq = request.failed_seq.max(event.seq);
            request.save(transaction)?;
        }
        What::Requested {
            replenishment,
            quantity,
            factory,
        } => {
            if !event.sellable {
                product.short_seq = product.short_seq.max(event.seq);
            }
            let mut request = Request::load(transaction, *replenishment)?;
            if event.seq >= request.opened_seq {
                request.opened_seq = event.seq;
                request.opened_at = event.at;
                request.quantity = *quantity;
                request.factory.clone_from(factory);
            }
            request.save(transaction)?;
            *requested = Some(request);
        }
    }
    Ok(())
}

/// What the two decisions have in common.
struct Desk<'a> {
    transaction: &'a Transaction<'a>,
    event: &'a Event,
    now: Millis,
    write: &'a dyn Fn(&Notice) -> Option<Written>,
}

impl Desk<'_> {
    fn pause_if_due(
        &self,
        product: &mut Product,
        request: &Request,
        moment: &Moment,
    ) -> rusqlite::Result<Option<Millis>> {
        // Whoever opened it again has a message of his own.
        let is_over = request.opened_seq != self.event.seq || !request.is_open();
        if is_over || product.arrival.seq > request.opened_seq {
            return Ok(None);
        }
        let due_at = request.opened_at + moment.grace_ms;
        if moment.now < due_at {
            return Ok(Some(due_at));
        }
        if !moment.is_open {
            return Ok(None);
        }
        let pause = Pause {
            seq: request.opened_seq,
            at: request.opened_at,
            factory: request.factory.clone(),
        };
        if product.is_paused {
            // What ends it is what arrives after the newest request.
            if pause.seq > product.pause.seq {
                product.pause = pause;
            }
            return Ok(None);
        }
        let resumed = product.resume_mail.clone();
        if let Some(resumed) = &resumed
            && mails::take_back(self.transaction, resumed)?
        {
            // They were never told that they may go on.
            product.pause = pause;
            product.is_paused = true;
            product.resume_mail = None;
            return Ok(None);
        }
        let notice = Notice {
            kind: Kind::Pause,
            sku: self.event.sku.clone(),
            quantity: request.quantity,
            factory: request.factory.clone(),
            took_ms: None,
            recipient: None,
        };
        let id = format!("ads-{}-pause", request.opened_seq);
        if self.send(&notice, &id, resumed)? {
            product.pause = pause;
            product.is_paused = true;
            product.pause_mail = Some(id);
        }
        Ok(None)
    }

    fn resume_if_due(&self, product: &mut Product) -> rusqlite::Result<()> {
        let arrived = product.arrival.seq;
        if !product.is_paused || arrived <= product.pause.seq || arrived < product.short_seq {
            return Ok(());
        }
        product.is_paused = false;
        let Some(paused) = product.pause_mail.take() else {
            return Ok(());
        };
        if mails::take_back(self.transaction, &paused)? {
            // What they were told before that stands again.
            let resumed = match &product.resume_mail {
                Some(resumed) => mails::get(self.transaction, resumed)?,
                None => None,
            };
            product.pause_mail = resumed.and_then(|mail| mail.new.after);
            return Ok(());
        }
        let asked = mails::get(self.transaction, &paused)?;
        let notice = Notice {
            kind: Kind::Resume,
            sku: self.event.sku.clone(),
            quantity: product.arrival.quantity,
            factory: product.pause.factory.clone(),
            took_ms: Some((product.arrival.at - product.pause.at).max(0)),
            recipient: asked.map(|mail| mail.new.recipient),
        };
        let id = format!("ads-{arrived}-resume");
        if self.send(&notice, &id, Some(paused.clone()))? {
            product.resume_mail = Some(id);
        }
        // Kept: if this e-mail is taken back, that one stands.
        product.pause_mail = Some(paused);
        Ok(())
    }

    fn send(&self, notice: &Notice, id: &str, after: Option<String>) -> rusqlite::Result<bool> {
        let Some(written) = (self.write)(notice) else {
            return Ok(false);
        };
        let mail = NewMail {
            id: id.to_owned(),
            kind: notice.kind.as_str(),
            recipient: written.recipient,
            lang: written.lang,
            order_seq: None,
            event: self.event.seq,
            after,
            subject: written.subject,
            text: written.text,
            html: written.html,
            created_at: self.now,
        };
        mails::add(self.transaction, &mail)
    }
}
