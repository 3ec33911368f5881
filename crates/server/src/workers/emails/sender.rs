//! Hands over what was written down, and says what becomes of its message.
//!
//! ```text
//! the mail server                        the e-mail       the message
//! took it                                sent             deleted
//! 5yz, or the e-mail cannot be composed  failed           dead letter, with the server's words
//! 4yz; it broke off, or said nothing,    pending          again, later and later; after
//!   over this e-mail alone                                DEFERRALS_MAX as above
//! no connection, no TLS, password        pending          again, as long as it takes; the others
//!   refused, mailbox full; it broke off                   do not try meanwhile
//!   over several
//! ```
//! A server that lets us in and then hangs up may be going down, or may choke on this e-mail. The
//! first such e-mail is taken for the one at fault, so that it holds nobody up; when another one
//! fails in the same way and none was taken in between, it is the server.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use commerce::Millis;
use effects::mails::{self, Claim, Ended, Mail};
use effects::{DatabaseError, Effects};
use engine::Engine;
use mail::FailureCause;

use crate::mailer::{Letter, Mailer};
use crate::workers::ConsumerParts;
use crate::workers::consumer::Outcome;
use crate::workers::outage::Blame;

use super::{PAUSE, Stopped, duration};

/// Longer than an attempt over SMTP may take: then whoever made it has died.
const LEASE_MS: Millis = 40_000;
/// How often a server may put one e-mail off, or break off over it: about a day.
const DEFERRALS_MAX: u32 = 100;
const DEFERRED: Duration = Duration::from_secs(1);
const DEFERRED_MAX: Duration = Duration::from_secs(900);
const DOWN_MAX: Duration = Duration::from_secs(30);

pub(super) struct Sender {
    engine: Engine,
    effects: Effects,
    mailer: Mailer,
    outage: Mutex<Outage>,
    blame: Blame,
}

/// What is known of a server that is away.
#[derive(Default)]
struct Outage {
    /// Attempts that found it so, one after the other.
    found: u32,
    until: Millis,
    /// What the first of them ran into.
    reason: String,
}

impl Sender {
    pub(super) fn new(parts: &ConsumerParts, engine: Engine) -> Self {
        Self {
            engine,
            effects: parts.effects.clone(),
            mailer: parts.mailer.clone(),
            outage: Mutex::default(),
            blame: Blame::default(),
        }
    }

    /// The e-mails of one event: each is tried, and the one that is furthest from its end says
    /// what becomes of the message.
    pub(super) async fn send_all(&self, event: u64) -> Outcome {
        let found = self
            .effects
            .0
            .read(move |transaction| mails::of_event(transaction, event))
            .await;
        let ids = match found {
            Ok(ids) => ids,
            Err(error) => return Stopped::from(error).into(),
        };
        let mut all = Outcome::Done;
        for id in ids {
            let one = self.send(id).await.unwrap_or_else(|error| {
                // The e-mail stays claimed until its lease has passed.
                Stopped::from(error).into()
            });
            all = match (all, one) {
                (Outcome::Done, one) => one,
                (
                    Outcome::Never { .. },
                    one @ (Outcome::Wait { .. } | Outcome::NotYet { .. } | Outcome::Later { .. }),
                )
                | (Outcome::NotYet { .. }, one @ Outcome::Wait { .. }) => one,
                (all, _) => all,
            };
        }
        all
    }

    async fn send(&self, id: String) -> Result<Outcome, DatabaseError> {
        let now = self.engine.now();
        if let Some((after, reason)) = self.is_away(now) {
            return Ok(Outcome::Wait { after, reason });
        }
        let claimed = id.clone();
        let claim = self
            .effects
            .0
            .write(move |transaction| mails::claim(transaction, &claimed, now, LEASE_MS))
            .await?;
        let mail = match claim {
            Claim::Ours(mail) => mail,
            Claim::Over => return Ok(Outcome::Done),
            Claim::Busy { until } => {
                return Ok(Outcome::NotYet {
                    after: duration(until - now),
                    reason: "somebody else hands it over".to_owned(),
                });
            }
            Claim::Behind => {
                return Ok(Outcome::NotYet {
                    after: PAUSE,
                    reason: "the e-mail before it is still on its way".to_owned(),
                });
            }
        };
        let letter = Letter {
            id: mail.new.id.clone(),
            from_name: None,
            to: mail.new.recipient.clone(),
            subject: mail.new.subject.clone(),
            text: mail.new.text.clone(),
            html: Some(mail.new.html.clone()),
            at: mail.new.created_at,
        };
        let Some(tried) = self.mailer.send(letter).await else {
            return Ok(Outcome::Done);
        };
        let (ended, outcome) = self.judge(&mail, &tried);
        tell(&mail, &tried, &outcome);
        let now = self.engine.now();
        self.effects
            .0
            .write(move |transaction| mails::settle(transaction, &id, &ended, now))
            .await?;
        Ok(outcome)
    }

    fn judge(&self, mail: &Mail, tried: &mail::Outcome) -> (Ended, Outcome) {
        let reason = tried.to_string();
        let failure = match tried {
            mail::Outcome::Delivered { .. } => {
                *self.outage() = Outage::default();
                self.blame.clear();
                return (Ended::Sent, Outcome::Done);
            }
            mail::Outcome::Refused(_) => {
                let ended = Ended::Failed {
                    reason: reason.clone(),
                };
                return (ended, Outcome::Never { reason });
            }
            mail::Outcome::Failed(failure) => failure,
        };
        match failure.cause {
            FailureCause::Interrupted | FailureCause::Timeout
                if failure.over_this_mail && !self.blame.is_shared(&mail.new.id) =>
            {
                put_off(mail, failure, reason)
            }
            FailureCause::ServerSaidLater => put_off(mail, failure, reason),
            FailureCause::Unresolved
            | FailureCause::ConnectionRefused
            | FailureCause::Unreachable
            | FailureCause::Timeout
            | FailureCause::Tls
            | FailureCause::Authentication
            | FailureCause::Interrupted
            | FailureCause::Full
            | FailureCause::Storage => waited_for(failure, self.found_away(&reason), reason),
            // No outage: they are given back.
            FailureCause::Busy => waited_for(failure, PAUSE, reason),
        }
    }

    fn outage(&self) -> MutexGuard<'_, Outage> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long, and why.
    fn is_away(&self, now: Millis) -> Option<(Duration, String)> {
        let outage = self.outage();
        (now < outage.until).then(|| (duration(outage.until - now), outage.reason.clone()))
    }

    fn found_away(&self, reason: &str) -> Duration {
        let now = self.engine.now();
        let mut outage = self.outage();
        // Those that were on their way together are one look.
        if now >= outage.until {
            let after = doubled(PAUSE, outage.found, DOWN_MAX);
            outage.found = outage.found.saturating_add(1);
            reason.clone_into(&mut outage.reason);
            outage.until = now + Millis::try_from(after.as_millis()).unwrap_or(0);
        }
        duration(outage.until - now)
    }
}

/// Later and later, and not for ever.
fn put_off(mail: &Mail, failure: &mail::Failure, reason: String) -> (Ended, Outcome) {
    if mail.deferrals + 1 >= DEFERRALS_MAX {
        let reason = format!("put off {DEFERRALS_MAX} times; {reason}");
        let ended = Ended::Failed {
            reason: reason.clone(),
        };
        return (ended, Outcome::Never { reason });
    }
    let ended = Ended::Deferred {
        reason: reason.clone(),
        may_be_taken: failure.may_have_been_taken,
    };
    let after = doubled(DEFERRED, mail.deferrals, DEFERRED_MAX);
    (ended, Outcome::NotYet { after, reason })
}

fn waited_for(failure: &mail::Failure, after: Duration, reason: String) -> (Ended, Outcome) {
    let ended = Ended::Interrupted {
        reason: reason.clone(),
        may_be_taken: failure.may_have_been_taken,
    };
    (ended, Outcome::Wait { after, reason })
}

fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(most)
}

fn tell(mail: &Mail, tried: &mail::Outcome, outcome: &Outcome) {
    metrics::counter!("firstcome_mails_total", "kind" => mail.new.kind.clone(), "outcome" => tried.code())
        .increment(1);
    if *outcome != Outcome::Done {
        tracing::warn!(
            mail.id = mail.new.id,
            mail.to = %mail::hashed(&mail.new.recipient),
            attempt = mail.attempts,
            reason = tried.code(),
            "an e-mail was not sent"
        );
    }
}
