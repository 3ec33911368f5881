//! Hands e-mails to an SMTP server (RFC 5321), over TLS.
//!
//! What always holds:
//! - An attempt ends within [`Timeouts::send`], whatever the server does.
//! - At most `connections_max` connections stand at once. One is used again only after the
//!   server answered everything that it was asked: a connection that was given up in the middle
//!   is closed, so no late answer is taken for the answer to the next e-mail. (That is why the
//!   pool is ours: the library's parks such a connection.)
//! - A refusal is about the e-mail. What goes wrong before the e-mail is spoken of (greeting,
//!   TLS, password) is a failure, however final the server's words, so that an expired password
//!   does not send a day's e-mails to the dead letters.
//! - Without TLS only loopback addresses are talked to, checked against the addresses that are
//!   then connected to. There is no TLS "if the server offers it": whoever is in between takes
//!   the offer out.
//!
//! # Amazon SES
//! Host `email-smtp.<region>.amazonaws.com`; port 465 with `tls = required` (or 587 with
//! `starttls`); user and password are SES's SMTP credentials, which are not an IAM key. The
//! sender's address or domain must be verified with SES, and while the account is in the sandbox
//! so must the recipient's; otherwise SES answers 554, a refusal. Above the account's rate it
//! answers 454, a failure: `connections_max` times what one connection sends a second should
//! stay below it. SES puts its own `Message-ID` and `Date` in place of ours; `X-Mail-Id` stays.
//! A configuration set (bounces and complaints over SNS) is chosen by the further header
//! `X-SES-CONFIGURATION-SET`. SES closes an idle connection after some seconds, which is
//! noticed before the next e-mail is begun.

mod connections;
mod errors;
mod reply;
mod settings;
mod trust;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::response::{Response, Severity};

use crate::compose::Composed;
use crate::outcome::{Failure, FailureCause, Outcome};
use crate::transport::Transport;

use connections::Connections;
use errors::{is_about_the_mail, outcome};
use reply::Redaction;

pub use settings::{Credentials, InvalidSetting, Password, SmtpSettings, Timeouts, Tls};

/// A server, with the connections to it.
pub struct Smtp {
    connections: Connections,
    redaction: Redaction,
    timeouts: Timeouts,
}

impl Smtp {
    /// Checks the settings and reads the certificates that will be trusted; connects to nobody.
    pub fn new(settings: &SmtpSettings) -> Result<Self, InvalidSetting> {
        settings.check()?;
        Ok(Self {
            connections: Connections::new(settings)?,
            redaction: Redaction::new(settings.credentials.as_ref()),
            timeouts: settings.timeouts,
        })
    }

    /// Says goodbye on the connections that are idle, and closes them. Those in use are closed
    /// or kept when they are done.
    pub async fn close(&self) {
        self.connections.close_idle().await;
    }

    async fn attempt(&self, mail: &Composed, step: &Step) -> Outcome {
        let redaction = self.redaction.of(mail.to());
        let mut connection = match self.connections.take().await {
            Ok(connection) => connection,
            Err(error) => return error.into_failure(&redaction).into(),
        };
        match hand_over(&mut connection.line, mail, step).await {
            Ok(response) => {
                self.connections.give_back(connection);
                let text = response.message().collect::<Vec<_>>().join(" ");
                Outcome::Delivered {
                    reply: redaction.apply(&text),
                }
            }
            Err(Stopped::OutOfStep) => {
                let text = "an answer to another question";
                step.failed(Failure::new(FailureCause::Interrupted, text))
            }
            Err(Stopped::Error(error)) => {
                // A reply leaves the conversation in order; anything else does not.
                if is_about_the_mail(&error) {
                    self.connections.give_back(connection);
                }
                outcome(&error, step.content.load(Ordering::Relaxed), &redaction)
            }
        }
    }
}

impl Transport for Smtp {
    fn send<'a>(&'a self, mail: &'a Composed) -> BoxFuture<'a, Outcome> {
        async move {
            let step = Step::default();
            let attempt = tokio::time::timeout(self.timeouts.send, self.attempt(mail, &step));
            attempt.await.unwrap_or_else(|_| {
                let text = "no end within the time allowed";
                step.failed(Failure::new(FailureCause::Timeout, text))
            })
        }
        .boxed()
    }
}

/// How far an attempt has come.
#[derive(Default)]
struct Step {
    /// There is a connection, and the e-mail is what is spoken of.
    mail: AtomicBool,
    /// Its content is on its way.
    content: AtomicBool,
}

impl Step {
    fn failed(&self, failure: Failure) -> Outcome {
        Outcome::Failed(Failure {
            may_have_been_taken: self.content.load(Ordering::Relaxed),
            over_this_mail: self.mail.load(Ordering::Relaxed),
            ..failure
        })
    }
}

/// Why an e-mail was not handed over.
enum Stopped {
    Error(Error),
    /// A good reply, but not one that belongs here: to the library every one is good.
    OutOfStep,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// One e-mail over a connection that waits for one. Stops at the first reply that is not good.
async fn hand_over(
    line: &mut AsyncSmtpConnection,
    mail: &Composed,
    step: &Step,
) -> Result<Response, Stopped> {
    step.mail.store(true, Ordering::Relaxed);
    let (from, to) = mail.envelope();
    let sender = Mail::new(Some(from.clone()), Vec::new());
    done(line.command(sender).await?)?;
    let recipient = Rcpt::new(to.clone(), Vec::new());
    done(line.command(recipient).await?)?;
    let go_on = line.command(Data).await?;
    if go_on.code().severity != Severity::PositiveIntermediate {
        return Err(Stopped::OutOfStep);
    }
    step.content.store(true, Ordering::Relaxed);
    done(line.message(mail.bytes()).await?)
}

fn done(response: Response) -> Result<Response, Stopped> {
    if response.code().severity == Severity::PositiveCompletion {
        Ok(response)
    } else {
        Err(Stopped::OutOfStep)
    }
}
