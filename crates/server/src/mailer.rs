//! Who takes the server's e-mails: one for the consumers, the alerts and the subscriptions.

use std::sync::Arc;

use commerce::Millis;
use mail::texts::{Language, Reader};
use mail::{Mailbox, Message, Outcome, Party, Smtp, Transport, WhenFull};

use crate::config::{Config, ConfigError, Mail, MailTransport};
use crate::traces;

/// Of the local mailbox: past it the oldest go in a demo, and elsewhere new ones wait.
const MAILBOX_FILES_MAX: usize = 10_000;
/// Of Korea, to UTC.
const KOREA_MIN: i32 = 540;

/// Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    /// None when e-mails are off.
    transport: Option<Arc<dyn Transport>>,
    pub from: Party,
    language: Language,
}

/// What an e-mail says, to whom; the rest is the same for all of them.
pub struct Letter {
    /// The same id is the same e-mail.
    pub id: String,
    /// Other than the usual name beside the sender's address.
    pub from_name: Option<String>,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
    pub at: Millis,
}

impl Mailer {
    /// # Errors
    /// When the server's certificates cannot be read.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let mail = &config.mail;
        let when_full = if config.demo {
            WhenFull::RemoveOldest
        } else {
            WhenFull::Fail
        };
        let transport: Option<Arc<dyn Transport>> = match (mail.transport, &mail.smtp) {
            (MailTransport::Mailbox, _) => Some(Arc::new(Mailbox::new(
                Mail::mailbox(&config.data),
                MAILBOX_FILES_MAX,
                when_full,
            ))),
            (MailTransport::Smtp, Some(server)) => {
                let smtp = Smtp::new(&server.settings()?).map_err(|invalid| ConfigError {
                    name: format!("mail.smtp.{}", invalid.field),
                    what: invalid.reason,
                })?;
                Some(Arc::new(smtp))
            }
            // Without a server it was refused when the settings were read.
            (MailTransport::Smtp, None) | (MailTransport::Off, _) => None,
        };
        Ok(Self {
            transport,
            from: mail.sender(),
            language: mail.language(),
        })
    }

    /// Over a transport of a test's own.
    #[cfg(test)]
    pub fn over(transport: Arc<dyn Transport>, from: Party, language: Language) -> Self {
        Self {
            transport: Some(transport),
            from,
            language,
        }
    }

    pub fn is_off(&self) -> bool {
        self.transport.is_none()
    }

    /// For people of whom nothing else is known.
    pub fn reader(&self) -> Reader {
        Reader {
            language: self.language,
            utc_offset_min: match self.language {
                Language::English => 0,
                Language::Korean => KOREA_MIN,
            },
        }
    }

    /// One attempt; none when e-mails are off.
    pub async fn send(&self, letter: Letter) -> Option<Outcome> {
        let transport = self.transport.as_ref()?;
        let from = match letter.from_name {
            Some(name) => Party::named(name, self.from.address.clone()),
            None => self.from.clone(),
        };
        let message = Message {
            id: letter.id,
            from,
            to: Party::new(letter.to),
            reply_to: None,
            subject: letter.subject,
            text: letter.text,
            html: letter.html,
            // So that no machine answers it (RFC 3834, 5).
            headers: vec![("Auto-Submitted".to_owned(), "auto-generated".to_owned())],
            at: letter.at,
        };
        Some(traces::mail(mail::deliver(&**transport, &message)).await)
    }
}
